/* The list of what was left out and why: one form for all stages, id,stage,rule,values, in byte order of the ids. */
#ifndef BAL_CURATE_REJECTS_H
#define BAL_CURATE_REJECTS_H

#include "base/csv.h"
#include "base/text.h"

#define BAL_REJECTS_HEADER "id,stage,rule,values\n"

/* values: what the rule looked at, "type=N qa_pre=1200 ..." */
static inline void bal_reject_line(BalText *out, const char *id, const char *stage, const char *rule,
                                   const char *values) {
    bal_csv_quote(out, id);
    bal_text_f(out, ",%s,%s,", stage, rule);
    bal_csv_quote(out, values);
    bal_text_char(out, '\n');
}

#endif
