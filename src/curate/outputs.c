/* The reader of scorers' outputs: see outputs.h. Matrices of .npy stay mapped, since the outputs for a whole crawl need not fit into
 * memory; tables, which are read for their convenience, do. */
#include "curate/outputs.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/scores_file.h"
#include "base/csv.h"
#include "base/json.h"
#include "base/mem.h"

#define SUM_TOLERANCE 0.01 /* float16, and tables with few digits */

static bool narrow(const BalOutputs *o) {
    return o->n_classes == 0;
}

static void read_row(const BalOutputs *o, int64_t i, float *z) {
    if (o->value)
        memcpy(z, o->value + i * o->n_classes, (size_t)o->n_classes * sizeof *z);
    else
        bal_npy_floats(&o->npy, o->map.data, i * o->n_classes, o->n_classes, z);
}

/* ---- tables ---- */

typedef struct Table {
    BalCsv csv;
    int *role; /* [n_columns] column of value, or ID, SKIP */
    int n_columns, n_values;
    size_t id_cap, value_cap;
    size_t *id_at; /* [n] offset of each id in the text, which moves while it grows */
} Table;
enum { ID = -1, SKIP = -2 };

static BalStatus add_name(BalText *text, const BalField *f, BalError *err) {
    bal_text_add_n(text, f->s, f->n);
    bal_text_char(text, '\0');
    return bal_text_ok(text, err);
}

static BalStatus read_header(BalOutputs *o, Table *t, BalText *names, BalError *err) {
    BalCsv *csv = &t->csv;
    BalStatus rc = bal_csv_next(csv, err);
    if (rc == BAL_END) return BAL_FAIL(err, BAL_E_FORMAT, "%s: is empty", o->path);
    BAL_TRY(rc);
    int n_ids = 0, confidence = -1, correct = -1;
    t->n_columns = csv->n_fields;
    BAL_TRY(bal_alloc(&t->role, (size_t)csv->n_fields, sizeof *t->role, err));
    for (int k = 0; k < csv->n_fields; k++) {
        const BalField *f = &csv->field[k];
        t->role[k] = bal_field_is(f, "label") || bal_field_is(f, "split") ? SKIP : 0;
        if (bal_field_is(f, "id")) t->role[k] = ID, n_ids++;
        if (bal_field_is(f, "confidence")) confidence = k;
        if (bal_field_is(f, "correct")) correct = k;
    }
    if (n_ids != 1)
        return BAL_FAIL(err, BAL_E_FORMAT,
                        "%s: line %lld: %s; the header must be id,<class>,<class>,... or "
                        "id,confidence,correct",
                        o->path, (long long)csv->line,
                        n_ids ? "the column \"id\" is there twice" : "there is no column \"id\"");
    if ((confidence < 0) != (correct < 0))
        return BAL_FAIL(err, BAL_E_FORMAT,
                        "%s: line %lld: confidence needs the column correct beside it (1 where the scorer named the "
                        "clip's label, else 0)",
                        o->path, (long long)csv->line);
    for (int k = 0; k < csv->n_fields; k++) {
        if (t->role[k] < 0) continue;
        if (confidence >= 0) {
            t->role[k] = k == confidence ? 0 : k == correct ? 1 : SKIP;
            continue;
        }
        t->role[k] = o->n_classes++;
        BAL_TRY(add_name(names, &csv->field[k], err));
    }
    t->n_values = confidence >= 0 ? 2 : o->n_classes;
    if (confidence < 0 && o->n_classes < 2)
        return BAL_FAIL(err, BAL_E_FORMAT, "%s: line %lld: has %d columns of classes, at least two are needed", o->path,
                        (long long)csv->line, o->n_classes);
    return BAL_OK;
}

static BalStatus read_value(const BalOutputs *o, const BalCsv *csv, const BalField *f, float *out, BalError *err) {
    double v;
    if (!f->n) {
        *out = NAN;
        return BAL_OK;
    }
    if (!bal_parse_real_n(f->s, f->n, &v))
        return BAL_FAIL(err, BAL_E_FORMAT, "%s: line %lld: \"%.*s\" is not a number", o->path, (long long)csv->line,
                        (int)(f->n < 60 ? f->n : 60), f->s);
    *out = (float)v;
    return BAL_OK;
}

static BalStatus read_table_row(BalOutputs *o, Table *t, BalText *ids, BalError *err) {
    const BalCsv *csv = &t->csv;
    if (csv->n_fields != t->n_columns)
        return BAL_FAIL(err, BAL_E_FORMAT, "%s: line %lld: has %d fields, the header has %d", o->path,
                        (long long)csv->line, csv->n_fields, t->n_columns);
    const size_t n = (size_t)o->n;
    BAL_TRY(bal_grow(&t->id_at, &t->id_cap, n + 1, sizeof *t->id_at, err));
    BAL_TRY(bal_grow(&o->value, &t->value_cap, (n + 1) * (size_t)t->n_values, sizeof *o->value, err));
    float *row = o->value + n * (size_t)t->n_values;
    for (int k = 0; k < csv->n_fields; k++) {
        if (t->role[k] == ID) {
            t->id_at[n] = ids->len;
            BAL_TRY(add_name(ids, &csv->field[k], err));
        } else if (t->role[k] != SKIP) {
            BAL_TRY(read_value(o, csv, &csv->field[k], &row[t->role[k]], err));
        }
    }
    if (narrow(o) && !isnan(row[0]) && (!(row[0] >= 0 && row[0] <= 1) || (row[1] != 0 && row[1] != 1)))
        return BAL_FAIL(err, BAL_E_NUMERIC,
                        "%s: line %lld: confidence is %g and correct is %g; they must be in [0,1], "
                        "and 0 or 1",
                        o->path, (long long)csv->line, (double)row[0], (double)row[1]);
    o->n++;
    return BAL_OK;
}

/* Names into arrays of pointers, now that their text does not move any more. */
static BalStatus point_to_names(BalOutputs *o, const Table *t, BalError *err) {
    BAL_TRY(bal_alloc(&o->class_name, (size_t)o->n_classes, sizeof *o->class_name, err));
    BAL_TRY(bal_alloc(&o->table_id, (size_t)o->n, sizeof *o->table_id, err));
    const char *s = bal_text_str(&o->text);
    for (int k = 0; k < o->n_classes; k++, s += strlen(s) + 1) o->class_name[k] = s;
    for (int64_t i = 0; i < o->n; i++) o->table_id[i] = o->text.data + t->id_at[i];
    o->id = o->table_id;
    return BAL_OK;
}

static BalStatus open_table(BalOutputs *o, BalError *err) {
    Table t = {0};
    BalMap map = {0};
    BalStatus rc;
    BAL_TRY(bal_map_open(&map, o->path, err));
    bal_csv_init(&t.csv, map.data, map.size, bal_table_separator((const char *)map.data, map.size), o->path);
    BAL_TRY_OR(done, read_header(o, &t, &o->text, err));
    while ((rc = bal_csv_next(&t.csv, err)) == BAL_OK) BAL_TRY_OR(done, read_table_row(o, &t, &o->text, err));
    if (rc == BAL_END) rc = point_to_names(o, &t, err);
done:
    bal_csv_reset(&t.csv);
    bal_free(t.role);
    bal_free(t.id_at);
    bal_map_close(&map);
    return rc;
}

/* ---- matrices ---- */

static BalStatus use_classes(BalOutputs *o, const char *from, BalError *err) {
    if (o->n_classes == o->npy.dim[1]) return BAL_OK;
    return BAL_FAIL(err, BAL_E_FORMAT, "%s: has %lld columns, but %s lists %d classes", o->path,
                    (long long)o->npy.dim[1], from, o->n_classes);
}

static BalStatus classes_of_run(BalOutputs *o, const char *path, BalError *err) {
    BalJson *run = NULL;
    BAL_TRY(bal_json_load(&run, path, err));
    const BalJson *list = bal_json_get(run, "classes");
    const size_t n = bal_json_size(list);
    BalStatus rc = BAL_OK;
    if (n < 2 || n > BAL_MOST_CLASSES) rc = BAL_FAIL(err, BAL_E_FORMAT, "%s: \"classes\" is missing", path);
    if (rc >= 0) rc = bal_alloc(&o->class_name, n, sizeof *o->class_name, err);
    for (size_t k = 0; k < n && rc >= 0; k++) {
        const char *name = bal_json_text(bal_json_at(list, k), "");
        rc = add_name(&o->text, &(BalField){.s = name, .n = strlen(name)}, err);
    }
    const char *s = bal_text_str(&o->text);
    for (size_t k = 0; k < n && rc >= 0; k++, s += strlen(s) + 1) o->class_name[k] = s;
    o->n_classes = (int)n;
    bal_json_free(&run);
    return rc < 0 ? rc : use_classes(o, path, err);
}

static BalStatus classes_of_list(BalOutputs *o, const char *path, BalError *err) {
    if (!*path)
        return BAL_FAIL(err, BAL_E_FORMAT,
                        "%s: which column is which class? give the names, one per line, as classes.txt beside it",
                        o->path);
    BAL_TRY(bal_lines_read(&o->classes, path, err));
    BAL_TRY(bal_alloc(&o->class_name, (size_t)o->classes.n, sizeof *o->class_name, err));
    memcpy(o->class_name, o->classes.line, (size_t)o->classes.n * sizeof *o->class_name);
    o->n_classes = o->classes.n > BAL_MOST_CLASSES ? 0 : (int)o->classes.n;
    return use_classes(o, path, err);
}

static BalStatus map_matrix(BalOutputs *o, const char *path, BalError *err) {
    BAL_TRY(bal_map_open(&o->map, path, err));
    BAL_TRY(bal_npy_parse(&o->npy, o->map.data, o->map.size, path, err));
    const BalNpyType type = o->npy.type;
    if (o->npy.rank != 2 || o->npy.dim[1] < 2 || o->npy.dim[1] > BAL_MOST_CLASSES ||
        (type != BAL_NPY_F16 && type != BAL_NPY_F32 && type != BAL_NPY_F64))
        return BAL_FAIL(err, BAL_E_FORMAT, "%s: outputs must be [clips, classes] of float16, float32 or float64", path);
    return BAL_OK;
}

static BalStatus open_matrix(BalOutputs *o, const char *npy, const char *run_json, BalError *err) {
    BalText ids = {0}, classes = {0};
    BalStatus rc;
    BAL_TRY_OR(done, map_matrix(o, npy, err));
    BAL_TRY_OR(done, bal_find_beside(&ids, NULL, npy, "ids", err));
    BAL_TRY_OR(done, bal_find_beside(&classes, NULL, npy, "classes", err));
    if (!ids.len) {
        rc = BAL_FAIL(err, BAL_E_FORMAT,
                      "%s: which row is which clip? give the ids, one per line, as ids.txt beside it", npy);
        goto done;
    }
    BAL_TRY_OR(done, bal_lines_read(&o->ids, ids.data, err));
    if (o->ids.n != o->npy.dim[0]) {
        rc = BAL_FAIL(err, BAL_E_FORMAT, "%s: has %lld rows, but %s has %lld ids", npy, (long long)o->npy.dim[0],
                      ids.data, (long long)o->ids.n);
        goto done;
    }
    o->n = o->ids.n;
    o->id = o->ids.line;
    rc = run_json ? classes_of_run(o, run_json, err) : classes_of_list(o, bal_text_str(&classes), err);
done:
    bal_text_reset(&ids);
    bal_text_reset(&classes);
    return rc;
}

static BalStatus open_folder(BalOutputs *o, BalError *err) {
    static const char *const names[] = {"probabilities.npy", "logits.npy"};
    BalText npy = {0}, run = {0};
    bal_path_join(&run, o->path, "run.json");
    BalStatus rc = bal_text_ok(&run, err);
    for (int k = 0; k < 2 && rc >= 0; k++) {
        bal_text_clear(&npy);
        bal_path_join(&npy, o->path, names[k]);
        rc = bal_text_ok(&npy, err);
        if (rc >= 0 && bal_file_exists(npy.data)) break;
    }
    if (rc >= 0 && !bal_file_exists(npy.data))
        rc = BAL_FAIL(
            err, BAL_E_FORMAT,
            "%s: holds neither probabilities.npy (of `score`) nor logits.npy (of `train`); is it unfinished, or "
            "another folder?",
            o->path);
    if (rc >= 0) rc = open_matrix(o, npy.data, bal_file_exists(run.data) ? run.data : NULL, err);
    bal_text_reset(&npy);
    bal_text_reset(&run);
    return rc;
}

/* ---- what all have to be ---- */

/* A row may be all NaN or have none; *outside: a value no probability has; *sum: of the row. */
static BalStatus check_row(const BalOutputs *o, int64_t i, const float *z, bool *outside, double *sum, BalError *err) {
    int n_nan = 0;
    *sum = 0;
    for (int k = 0; k < o->n_classes; k++) {
        n_nan += isnan(z[k]) != 0;
        *outside |= !isnan(z[k]) && !(z[k] >= 0 && z[k] <= 1);
        *sum += (double)z[k];
        if (isinf(z[k])) n_nan = -o->n_classes - 1;
    }
    if (n_nan == 0 || n_nan == o->n_classes) return BAL_OK;
    return BAL_FAIL(err, BAL_E_NUMERIC,
                    "%s: an output for clip \"%.100s\" is %s; score it again, or leave the clip out", o->path, o->id[i],
                    n_nan < 0 ? "infinite" : "NaN");
}

static BalStatus check_matrix(BalOutputs *o, BalError *err) {
    float *z = NULL;
    bool outside = false;
    double sum, odd = 0;
    int64_t odd_at = -1; /* the first row that does not add up to 1 */
    BalStatus rc;
    BAL_TRY(bal_alloc(&z, (size_t)o->n_classes, sizeof *z, err));
    for (int64_t i = 0; i < o->n; i++) {
        read_row(o, i, z);
        BAL_TRY_OR(done, check_row(o, i, z, &outside, &sum, err));
        if (odd_at >= 0 || !(fabs(sum - 1) > SUM_TOLERANCE)) continue; /* NaN passes: not scored */
        odd = sum;
        odd_at = i;
    }
    o->logits = outside;
    rc = BAL_OK;
    if (!outside && odd_at >= 0)
        rc = BAL_FAIL(err, BAL_E_NUMERIC,
                      "%s: the values for clip \"%.100s\" lie in [0,1] but add up to %.4g: neither probabilities of "
                      "classes that exclude each other nor logits; give softmax outputs",
                      o->path, o->id[odd_at], odd);
done:
    bal_free(z);
    return rc;
}

static BalStatus index_ids(BalOutputs *o, BalError *err) {
    BAL_TRY(bal_name_index_make(&o->by_id, o->id, o->n, err));
    for (int64_t i = 0; i < o->n; i++) {
        if (!o->id[i][0])
            return BAL_FAIL(err, BAL_E_FORMAT, "%s: the id of row %lld is empty", o->path, (long long)i + 1);
        int64_t first = bal_name_index_find(&o->by_id, o->id[i], strlen(o->id[i]));
        if (first != i)
            return BAL_FAIL(err, BAL_E_FORMAT, "%s: the id \"%.100s\" is there twice, in rows %lld and %lld", o->path,
                            o->id[i], (long long)first + 1, (long long)i + 1);
    }
    return BAL_OK;
}

BalStatus bal_outputs_open(BalOutputs *out, const char *path, BalError *err) {
    BalOutputs o = {0};
    BalStatus rc;
    BAL_TRY_OR(done, bal_strdup(&o.path, path, err));
    if (bal_is_dir(path))
        rc = open_folder(&o, err);
    else if (bal_has_suffix(path, ".npy"))
        rc = open_matrix(&o, path, NULL, err);
    else
        rc = open_table(&o, err);
    if (rc >= 0) rc = index_ids(&o, err);
    if (rc >= 0 && !narrow(&o)) rc = check_matrix(&o, err);
    if (rc < 0) goto done;
    *out = o;
    return BAL_OK;
done:
    bal_outputs_reset(&o);
    return rc;
}

void bal_outputs_reset(BalOutputs *o) {
    bal_free(o->path);
    bal_free(o->class_name);
    bal_free(o->value);
    bal_free(o->table_id);
    bal_map_close(&o->map);
    bal_name_index_reset(&o->by_id);
    bal_lines_reset(&o->ids);
    bal_lines_reset(&o->classes);
    bal_text_reset(&o->text);
    *o = (BalOutputs){0};
}

static double scaled(const BalOutputs *o, float z, double temperature) {
    return (o->logits ? (double)z : log((double)z)) / temperature;
}

bool bal_outputs_row(const BalOutputs *o, int64_t i, double temperature, float *q) {
    const int n = o->n_classes;
    read_row(o, i, q);
    if (isnan(q[0])) return false;
    if (!o->logits && temperature == 1) return true;
    double top = -INFINITY, sum = 0;
    for (int k = 0; k < n; k++) top = fmax(top, scaled(o, q[k], temperature));
    for (int k = 0; k < n; k++) sum += exp(scaled(o, q[k], temperature) - top);
    for (int k = 0; k < n; k++) q[k] = (float)(exp(scaled(o, q[k], temperature) - top) / sum);
    return true;
}
