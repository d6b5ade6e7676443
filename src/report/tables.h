/* An evaluation as text: one function per format, all in one table. */
#ifndef BAL_REPORT_TABLES_H
#define BAL_REPORT_TABLES_H

#include <avbalance/analysis.h>
#include "base/text.h"

typedef enum BalTable {
    BAL_TABLE_TEXT,
    BAL_TABLE_CSV, /* one line per method and subset */
    BAL_TABLE_MARKDOWN,
    BAL_TABLE_LATEX,
    BAL_TABLE_CURVES,  /* CSV: accuracy over T */
    BAL_TABLE_CLASSES, /* CSV: recall, precision and F1 per class */
    BAL_TABLE_JSON,    /* everything; last, so that its presence means complete */
    BAL_TABLES
} BalTable;
extern const char *const bal_table_names[BAL_TABLES + 1]; /* as --format says them; NULL ends them */
typedef struct BalTableFormat {
    const char *file; /* what it is called in the folder of bal_evaluation_save */
    void (*write)(BalText *out, const BalEvaluation *e);
} BalTableFormat;
extern const BalTableFormat bal_table_formats[BAL_TABLES];

/* What bal_evaluation_save writes, in this order; NULL ends it. */
const char *bal_evaluation_file(int i);

void bal_published_text(BalText *out, const BalPublished *p);
void bal_published_json(BalText *out, const BalPublished *p);

#endif
