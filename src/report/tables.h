/* An evaluation as text: one function per format, all in one table. */
#ifndef BAL_REPORT_TABLES_H
#define BAL_REPORT_TABLES_H

#include <avbalance/analysis.h>
#include "base/text.h"

typedef struct BalTableFormat {
    const char *name, *file; /* as --format says it; what the file is called in a folder of all formats */
    void (*write)(BalText *out, const BalEvaluation *e);
} BalTableFormat;
extern const BalTableFormat bal_table_formats[]; /* the one without a name ends it */
extern const int bal_n_table_formats;

void bal_published_text(BalText *out, const BalPublished *p);
void bal_published_json(BalText *out, const BalPublished *p);

#endif
