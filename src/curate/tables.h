/* Tables that belong together: all are brought to disk before the first is put in its place, so that a full disk leaves none. */
#ifndef BAL_CURATE_TABLES_H
#define BAL_CURATE_TABLES_H

#include "base/text.h"

typedef struct BalTable {
    const char *name; /* of the file */
    BalText text;
} BalTable;
/* Write table[n] to files in dir, the last one last. */
BAL_MUST_USE BalStatus bal_tables_write(BalTable *table, int n, const char *dir, BalError *err);
void bal_tables_reset(BalTable *table, int n);

#endif
