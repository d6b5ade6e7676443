/* Small tables: see sheet.h. */
#include "curate/sheet.h"

#include <string.h>

#include "analysis/scores_file.h"
#include "base/csv.h"
#include "base/file.h"
#include "base/mem.h"
#include "curate/keep.h"

static BalStatus read_header(BalSheet *t, BalCsv *csv, BalError *err) {
    BalStatus rc = bal_csv_next(csv, err);
    if (rc == BAL_END) return BAL_FAIL(err, BAL_E_FORMAT, "%s: is empty", csv->name);
    BAL_TRY(rc);
    BAL_TRY(bal_alloc(&t->column, (size_t)csv->n_fields, sizeof *t->column, err));
    t->n_columns = csv->n_fields;
    for (int k = 0; k < csv->n_fields; k++)
        BAL_TRY(bal_keep(&t->text, csv->field[k].s, csv->field[k].n, &t->column[k], err));
    return BAL_OK;
}

static BalStatus read_row(BalSheet *t, const BalCsv *csv, BalError *err) {
    const size_t width = (size_t)t->n_columns;
    if (csv->n_fields > t->n_columns)
        return BAL_FAIL(err, BAL_E_FORMAT, "%s: line %lld: has %d fields, the header has %d", csv->name,
                        (long long)csv->line, csv->n_fields, t->n_columns);
    BAL_TRY(bal_grow(&t->value, &t->value_cap, ((size_t)t->n + 1) * width, sizeof *t->value, err));
    const char **row = t->value + (size_t)t->n * width;
    for (int k = 0; k < t->n_columns; k++) {
        row[k] = "";
        if (k < csv->n_fields && csv->field[k].n)
            BAL_TRY(bal_keep(&t->text, csv->field[k].s, csv->field[k].n, &row[k], err));
    }
    t->n++;
    return BAL_OK;
}

static BalStatus index_rows(BalSheet *t, const char *path, const char *id, BalError *err) {
    const int column = bal_sheet_column(t, id);
    if (column < 0) return BAL_FAIL(err, BAL_E_FORMAT, "%s: there is no column \"%s\"", path, id);
    BAL_TRY(bal_alloc(&t->id, (size_t)t->n, sizeof *t->id, err));
    for (int64_t i = 0; i < t->n; i++) t->id[i] = bal_sheet_at(t, i, column);
    return bal_name_index_make(&t->by_id, t->id, t->n, err);
}

BalStatus bal_sheet_load(BalSheet *out, const char *path, const char *id, BalError *err) {
    BalSheet t = {0};
    BalMap map = {0};
    BalCsv csv = {0};
    BalStatus rc;
    BAL_TRY_OR(done, bal_map_open(&map, path, err));
    bal_csv_init(&csv, map.data, map.size, bal_table_separator((const char *)map.data, map.size), path);
    BAL_TRY_OR(done, read_header(&t, &csv, err));
    while ((rc = bal_csv_next(&csv, err)) == BAL_OK) BAL_TRY_OR(done, read_row(&t, &csv, err));
    if (rc == BAL_END) rc = id ? index_rows(&t, path, id, err) : BAL_OK;
    if (rc < 0) goto done;
    *out = t;
    t = (BalSheet){0};
done:
    bal_csv_reset(&csv);
    bal_map_close(&map);
    bal_sheet_reset(&t);
    return rc;
}

void bal_sheet_reset(BalSheet *t) {
    bal_free(t->column);
    bal_free(t->value);
    bal_free(t->id);
    bal_name_index_reset(&t->by_id);
    bal_arena_reset(&t->text);
    *t = (BalSheet){0};
}

int bal_sheet_column(const BalSheet *t, const char *name) {
    for (int k = 0; k < t->n_columns; k++)
        if (!strcmp(t->column[k], name)) return k;
    return -1;
}

const char *bal_sheet_at(const BalSheet *t, int64_t row, int column) {
    return row < 0 || column < 0 ? "" : t->value[row * t->n_columns + column];
}

int64_t bal_sheet_find(const BalSheet *t, const char *id) {
    return t->by_id.slot ? bal_name_index_find(&t->by_id, id, strlen(id)) : -1;
}
