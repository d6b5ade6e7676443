/* A small table in memory: rows of texts, columns by name, rows by id. For the tables that one stage leaves for another; scores, which
 * may be of any size, have readers of their own. */
#ifndef BAL_CURATE_SHEET_H
#define BAL_CURATE_SHEET_H

#include <stdint.h>
#include "analysis/arena.h"
#include "analysis/predictions.h"

typedef struct BalSheet { /* zero is valid; bal_sheet_reset frees */
    int64_t n;
    int n_columns;
    const char **column; /* [n_columns] names */
    const char **value;  /* [n,n_columns]; "" where a row is short */
    BalNameIndex by_id;  /* by the column id; of equal ones the first */
    const char **id;     /* [n] */
    BalArena text;
    size_t value_cap;
} BalSheet;
/* CSV, TSV or semicolons, with a header. id: name of the column that names rows; NULL: none does. BAL_E_FORMAT: there is no such column. */
BAL_MUST_USE BalStatus bal_sheet_load(BalSheet *out, const char *path, const char *id, BalError *err);
void bal_sheet_reset(BalSheet *t);
int bal_sheet_column(const BalSheet *t, const char *name);            /* -1: there is none */
const char *bal_sheet_at(const BalSheet *t, int64_t row, int column); /* "" where row or column is negative */
int64_t bal_sheet_find(const BalSheet *t, const char *id);            /* -1: not there */

#endif
