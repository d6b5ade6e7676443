/* The readers of predictions: CSV, logits, run folders.
 *
 *   CSV       id,prediction and any further columns; where one is called label it must not contradict the scores. An answer is a class
 *             name, or, with a list of classes, its number in that list
 *   .npy      [N,C] of float16, 32 or 64, rows as in a list of ids, columns as in a list of classes
 *   run       run.json, predictions.csv, ids.txt, logits.npy, as `train` writes them */
#include "analysis/predictions.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "analysis/scores_file.h"
#include "base/csv.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/npy.h"

/* ---- classes ---- */

/* Columns of logits by the names of their classes. */
static BalStatus map_columns(BalJoin *j, const char *const *name, int64_t n, const char *file, BalError *err) {
    BalPredictions *p = j->out;
    BalNameIndex names = {0};
    BalStatus rc = BAL_OK;
    BAL_TRY(bal_alloc(&p->column, (size_t)n, sizeof *p->column, err));
    BAL_TRY(bal_name_index_make(&names, name, n, err));
    for (int64_t k = 0; k < n && rc == BAL_OK; k++) {
        int64_t first = bal_name_index_find(&names, name[k], strlen(name[k]));
        if (first != k)
            rc = BAL_FAIL(err, BAL_E_FORMAT, "%s: the class \"%s\" is there twice, as number %lld and %lld", file,
                          name[k], (long long)first, (long long)k);
        int64_t label = bal_name_index_find(&j->label, name[k], strlen(name[k]));
        p->column[k] = label < 0 ? BAL_ANSWER_OTHER : (int32_t)label;
    }
    p->n_columns = (int)n;
    bal_name_index_reset(&names);
    return rc;
}

/* Every label of the scores must be the name of a column, otherwise its clips could not be answered at all. */
static BalStatus check_columns(const BalJoin *j, const char *file, BalError *err) {
    for (int l = 0; l < j->scores->n_labels; l++) {
        int k = 0;
        while (k < j->out->n_columns && j->out->column[k] != l) k++;
        if (k == j->out->n_columns)
            return BAL_FAIL(
                err, BAL_E_FORMAT,
                "%s: none of its %d classes is \"%s\", a label of the scores; give the class names, one per line "
                "in the order of the model's outputs, with --classes",
                file, j->out->n_columns, j->scores->labels[l]);
    }
    return BAL_OK;
}

/* Without names, column k is the class called k. */
static BalStatus number_columns(BalJoin *j, int64_t n, BalError *err) {
    BalPredictions *p = j->out;
    BAL_TRY(bal_alloc(&p->column, (size_t)n, sizeof *p->column, err));
    p->n_columns = (int)n;
    for (int64_t k = 0; k < n; k++) {
        char name[24];
        int len = snprintf(name, sizeof name, "%lld", (long long)k);
        int64_t label = bal_name_index_find(&j->label, name, (size_t)len);
        p->column[k] = label < 0 ? BAL_ANSWER_OTHER : (int32_t)label;
    }
    return BAL_OK;
}

BalStatus bal_find_beside(BalText *out, const char *given, const char *path, const char *what, BalError *err) {
    const char *slash = strrchr(path, '/'), *dot = strrchr(path, '.');
    bal_text_clear(out);
    if (given) {
        bal_text_add(out, given);
        return bal_text_ok(out, err);
    }
    bal_text_add_n(out, path, (size_t)(dot - path)); /* paths that come here end in ".npy" */
    bal_text_f(out, ".%s.txt", what);
    BAL_TRY(bal_text_ok(out, err));
    if (bal_file_exists(out->data)) return BAL_OK;
    bal_text_clear(out);
    if (slash) bal_text_add_n(out, path, (size_t)(slash + 1 - path));
    bal_text_f(out, "%s.txt", what);
    BAL_TRY(bal_text_ok(out, err));
    if (!bal_file_exists(out->data)) bal_text_clear(out);
    return BAL_OK;
}

/* ---- CSV ---- */

typedef struct Table {
    BalCsv csv;
    int id, prediction, label;
    BalNameIndex classes; /* of the model, where they are known */
} Table;

static BalStatus take_header(Table *t, const char *path, BalError *err) {
    BalCsv *csv = &t->csv;
    static const char *const names[3] = {"id", "prediction", "label"};
    int *column[3] = {&t->id, &t->prediction, &t->label};
    BalStatus rc = bal_csv_next(csv, err);
    if (rc == BAL_END) return BAL_FAIL(err, BAL_E_FORMAT, "%s: is empty; it must begin with id,prediction", path);
    BAL_TRY(rc);
    for (int c = 0; c < 3; c++) {
        *column[c] = -1;
        for (int k = 0; k < csv->n_fields; k++) {
            if (!bal_field_is(&csv->field[k], names[c])) continue;
            if (*column[c] >= 0)
                return BAL_FAIL(err, BAL_E_FORMAT,
                                "%s: line %lld: the column \"%s\" is there twice; remove or rename one", path,
                                (long long)csv->line, names[c]);
            *column[c] = k;
        }
        if (c < 2 && *column[c] < 0)
            return BAL_FAIL(
                err, BAL_E_FORMAT,
                "%s: line %lld: there is no column \"%s\"; the header must be id,prediction (further columns "
                "may follow)",
                path, (long long)csv->line, names[c]);
    }
    return BAL_OK;
}

/* Class of an answer in words or, where there is a list of classes, in numbers. */
static BalStatus find_answer(const BalJoin *j, const Table *t, const BalField *f, int32_t *out, BalError *err) {
    int64_t label = bal_name_index_find(&j->label, f->s, f->n), number;
    char word[64];
    *out = BAL_ANSWER_OTHER;
    if (label < 0 && bal_name_index_find(&t->classes, f->s, f->n) >= 0) return BAL_OK;
    snprintf(word, sizeof word, "%.*s", (int)(f->n < 60 ? f->n : 60), f->s);
    if (label < 0 && bal_parse_i64(word, &number) && number >= 0 && number < t->classes.n) {
        const char *name = t->classes.name[number];
        label = bal_name_index_find(&j->label, name, strlen(name));
        if (label < 0) return BAL_OK;
    }
    if (label >= 0) {
        *out = (int32_t)label;
        return BAL_OK;
    }
    const char *near = bal_closest(word, j->scores->labels, j->scores->n_labels);
    return BAL_FAIL(
        err, BAL_E_FORMAT,
        "%s: line %lld: \"%s\" is no label of the scores%s%s%s; list all classes of the model, one per line, "
        "with --classes if it knows more, or answers in numbers",
        j->path, (long long)t->csv.line, word, near ? "; did you mean \"" : "", near ? near : "", near ? "\"" : "");
}

static BalStatus take_row(BalJoin *j, const Table *t, BalError *err) {
    const BalCsv *csv = &t->csv;
    const int most = t->id > t->prediction ? t->id : t->prediction;
    int64_t clip;
    if (csv->n_fields <= most)
        return BAL_FAIL(err, BAL_E_FORMAT, "%s: line %lld: has %d fields, the header has more", j->path,
                        (long long)csv->line, csv->n_fields);
    const BalField *id = &csv->field[t->id], *answer = &csv->field[t->prediction];
    BAL_TRY(bal_join_clip(j, id->s, id->n, csv->line, &clip, err));
    if (clip < 0) return BAL_OK;
    if (t->label >= 0 && t->label < csv->n_fields) {
        const BalField *f = &csv->field[t->label];
        int64_t label = bal_name_index_find(&j->label, f->s, f->n), ours = j->scores->label[clip];
        bool is_class = label >= 0 || bal_name_index_find(&t->classes, f->s, f->n) >= 0; /* else a number, perhaps */
        if (is_class && ours >= 0 && label != ours)
            return BAL_FAIL(
                err, BAL_E_FORMAT,
                "%s: line %lld: clip \"%s\" has the label \"%.*s\" here and \"%s\" in the scores; are these of the "
                "same dataset?",
                j->path, (long long)csv->line, j->scores->id[clip], (int)(f->n < 100 ? f->n : 100), f->s,
                j->scores->labels[ours]);
    }
    if (!answer->n) return BAL_OK;
    return find_answer(j, t, answer, &j->out->answer[clip], err);
}

static BalStatus read_rows(BalJoin *j, Table *t, const BalMap *map, const char *path, BalError *err) {
    BalStatus rc;
    bal_csv_init(&t->csv, map->data, map->size, bal_table_separator((const char *)map->data, map->size), path);
    bal_join_begin(j, path, "line");
    BAL_TRY(take_header(t, path, err));
    while ((rc = bal_csv_next(&t->csv, err)) == BAL_OK) BAL_TRY(take_row(j, t, err));
    BAL_TRY(rc);
    return bal_join_end(j, err);
}

/* classes: those of the model, n of them; 0: unknown. */
static BalStatus read_table(BalJoin *j, const char *path, const char *const *classes, int64_t n, BalError *err) {
    Table t = {0};
    BalMap map = {0};
    BAL_TRY(bal_map_open(&map, path, err));
    BalStatus rc = bal_name_index_make(&t.classes, classes, n, err);
    if (rc >= 0) rc = read_rows(j, &t, &map, path, err);
    bal_name_index_reset(&t.classes);
    bal_csv_reset(&t.csv);
    bal_map_close(&map);
    return rc;
}

BalStatus bal_read_csv_predictions(BalJoin *j, const char *path, BalError *err) {
    BalLines classes = {0};
    if (j->spec->classes) BAL_TRY(bal_lines_read(&classes, j->spec->classes, err));
    BalStatus rc = read_table(j, path, classes.line, classes.n, err);
    bal_lines_reset(&classes);
    return rc;
}

/* ---- logits ---- */

/* Answer of a clip: that of the logits, which must be the one that was read before, if any was. */
static BalStatus put_answer(BalJoin *j, int64_t clip, int top, BalError *err) {
    int32_t *answer = &j->out->answer[clip], now = top < 0 ? BAL_ANSWER_NONE : j->out->column[top];
    if (*answer != BAL_ANSWER_NONE && *answer != now)
        return BAL_FAIL(err, BAL_E_FORMAT, "%s: another answer for clip \"%s\" than in predictions.csv beside it",
                        j->path, j->scores->id[clip]);
    *answer = now;
    return BAL_OK;
}

/* Rows that are probabilities throughout become their logarithms, of which the softmax is what they were. */
static void take_logarithms(BalPredictions *p) {
    const int64_t n = p->n * p->n_columns;
    for (int64_t i = 0; i < n; i += p->n_columns) {
        double sum = 0;
        for (int k = 0; k < p->n_columns; k++) {
            if (p->logits[i + k] < 0) return;
            sum += p->logits[i + k];
        }
        if (fabs(sum - 1) > 1e-3) return; /* NaN passes: not scored */
    }
    for (int64_t i = 0; i < n; i++) p->logits[i] = logf(p->logits[i]);
}

static BalStatus take_logits(BalJoin *j, const BalNpy *npy, const unsigned char *data, const BalLines *ids, float *z,
                             BalError *err) {
    BalPredictions *p = j->out;
    const int n = p->n_columns;
    bool keep = p->modality != BAL_MODALITY_BOTH;
    if (keep) {
        BAL_TRY(bal_alloc(&p->logits, (size_t)p->n * (size_t)n, sizeof *p->logits, err));
        for (int64_t i = 0; i < p->n * n; i++) p->logits[i] = NAN;
    }
    for (int64_t i = 0; i < ids->n; i++) {
        int64_t clip;
        int top;
        bal_npy_floats(npy, data, i * n, n, z);
        BAL_TRY(bal_top_output(j, z, n, ids->line[i], i + 1, &top, err));
        BAL_TRY(bal_join_clip(j, ids->line[i], strlen(ids->line[i]), i + 1, &clip, err));
        if (clip < 0) continue;
        BAL_TRY(put_answer(j, clip, top, err));
        if (keep) memcpy(p->logits + clip * n, z, (size_t)n * sizeof *z);
    }
    BAL_TRY(bal_join_end(j, err));
    for (int64_t i = 0; i < p->n; i++)
        if (p->answer[i] != BAL_ANSWER_NONE && !j->at[i])
            return BAL_FAIL(
                err, BAL_E_FORMAT,
                "%s: has no row for clip \"%s\", which predictions.csv beside it answers; the run is damaged, "
                "train it again",
                j->path, j->scores->id[i]);
    if (keep) take_logarithms(p);
    return BAL_OK;
}

static BalStatus check_npy(const BalNpy *npy, const char *path, const char *ids_path, int64_t n_ids, BalError *err) {
    if (npy->rank != 2 || npy->dim[1] < 2 || npy->dim[1] > BAL_MOST_CLASSES ||
        (npy->type != BAL_NPY_F16 && npy->type != BAL_NPY_F32 && npy->type != BAL_NPY_F64))
        return BAL_FAIL(err, BAL_E_FORMAT, "%s: logits must be [clips, classes] of float16, float32 or float64", path);
    if (npy->dim[0] != n_ids)
        return BAL_FAIL(err, BAL_E_FORMAT, "%s: has %lld rows, but %s has %lld ids", path, (long long)npy->dim[0],
                        ids_path, (long long)n_ids);
    return BAL_OK;
}

/* The columns are known, or come from a list of classes, or are numbers. */
static BalStatus read_logits(BalJoin *j, const char *path, const char *ids_path, const char *classes_path,
                             BalError *err) {
    BalMap map = {0};
    BalNpy npy;
    BalLines ids = {0}, classes = {0};
    float *z = NULL;
    BalStatus rc;
    BAL_TRY_OR(done, bal_lines_read(&ids, ids_path, err));
    BAL_TRY_OR(done, bal_map_open(&map, path, err));
    BAL_TRY_OR(done, bal_npy_parse(&npy, map.data, map.size, path, err));
    BAL_TRY_OR(done, check_npy(&npy, path, ids_path, ids.n, err));
    if (classes_path) {
        BAL_TRY_OR(done, bal_lines_read(&classes, classes_path, err));
        BAL_TRY_OR(done, map_columns(j, classes.line, classes.n, classes_path, err));
    } else if (!j->out->column) {
        BAL_TRY_OR(done, number_columns(j, npy.dim[1], err));
    }
    if (j->out->n_columns != npy.dim[1]) {
        rc = BAL_FAIL(err, BAL_E_FORMAT, "%s: has %lld columns, but there are %d classes%s%s", path,
                      (long long)npy.dim[1], j->out->n_columns, classes_path ? " in " : "",
                      classes_path ? classes_path : "");
        goto done;
    }
    BAL_TRY_OR(done, check_columns(j, path, err));
    BAL_TRY_OR(done, bal_alloc(&z, (size_t)npy.dim[1], sizeof *z, err));
    bal_join_begin(j, path, "row");
    rc = take_logits(j, &npy, map.data, &ids, z, err);
done:
    bal_free(z);
    bal_lines_reset(&ids);
    bal_lines_reset(&classes);
    bal_map_close(&map);
    return rc;
}

BalStatus bal_read_npy_predictions(BalJoin *j, const char *path, BalError *err) {
    BalText ids = {0}, classes = {0};
    BalStatus rc;
    BAL_TRY_OR(done, bal_find_beside(&ids, j->spec->ids, path, "ids", err));
    BAL_TRY_OR(done, bal_find_beside(&classes, j->spec->classes, path, "classes", err));
    if (!ids.len)
        rc = BAL_FAIL(err, BAL_E_FORMAT,
                      "%s: which row is which clip? give the ids, one per line, with --ids or as ids.txt beside it",
                      path);
    else
        rc = read_logits(j, path, ids.data, classes.len ? classes.data : NULL, err);
done:
    bal_text_reset(&ids);
    bal_text_reset(&classes);
    return rc;
}

/* ---- run folders ---- */

static BalStatus take_text(char *out, size_t cap, const BalJson *v, const char *what, const char *path, BalError *err) {
    const char *text = bal_json_text(v, "");
    if (strlen(text) >= cap) return BAL_FAIL(err, BAL_E_FORMAT, "%s: \"%s\" is too long", path, what);
    memcpy(out, text, strlen(text) + 1);
    return BAL_OK;
}

/* name: the caller's to free, its texts are of the JSON. */
static BalStatus take_classes(BalJoin *j, const BalJson *classes, const char *path, const char ***name, BalError *err) {
    const size_t n = bal_json_size(classes);
    if (n < 1 || n > BAL_MOST_CLASSES) return BAL_FAIL(err, BAL_E_FORMAT, "%s: \"classes\" is missing", path);
    BAL_TRY(bal_alloc(name, n, sizeof **name, err));
    for (size_t k = 0; k < n; k++) (*name)[k] = bal_json_text(bal_json_at(classes, k), "");
    return map_columns(j, *name, (int64_t)n, path, err);
}

static BalStatus take_run_json(BalJoin *j, const BalJson *run, const char *path, BalError *err) {
    BalPredictions *p = j->out;
    const char *method = bal_json_text(bal_json_get(run, "method"), ""),
               *modality = bal_json_text(bal_json_get(run, "modality"), "");
    if (!bal_has_prefix(bal_json_text(bal_json_get(run, "schema"), ""), "avbalance/run/") || !*method)
        return BAL_FAIL(err, BAL_E_FORMAT, "%s: \"schema\" is not avbalance/run/1, or \"method\" is missing", path);
    p->seed = bal_json_int(bal_json_get(run, "seed"), -1);
    p->fold = bal_json_int(bal_json_get(run, "fold"), -1);
    p->modality = !strcmp(modality, "audio")    ? BAL_MODALITY_AUDIO
                  : !strcmp(modality, "visual") ? BAL_MODALITY_VISUAL
                                                : BAL_MODALITY_BOTH;
    if (!p->named) {
        bal_free(p->name);
        p->name = NULL;
        BAL_TRY(bal_strdup(&p->name, method, err));
    }
    BAL_TRY(take_text(p->store_hash, sizeof p->store_hash, bal_json_get(run, "store_hash"), "store_hash", path, err));
    return take_text(p->protocol_hash, sizeof p->protocol_hash, bal_json_get(run, "protocol_hash"), "protocol_hash",
                     path, err);
}

static BalStatus in_run(BalText *path, const char *dir, const char *name, BalError *err) {
    bal_text_clear(path);
    bal_path_join(path, dir, name);
    return bal_text_ok(path, err);
}

BalStatus bal_read_run(BalJoin *j, const char *dir, BalError *err) {
    BalText path = {0}, ids = {0};
    BalJson *run = NULL;
    const char **classes = NULL;
    BalStatus rc;
    BAL_TRY_OR(done, in_run(&path, dir, "run.json", err));
    BAL_TRY_OR(done, bal_json_load(&run, path.data, err));
    BAL_TRY_OR(done, take_run_json(j, run, path.data, err));
    BAL_TRY_OR(done, take_classes(j, bal_json_get(run, "classes"), path.data, &classes, err));
    BAL_TRY_OR(done, in_run(&path, dir, "predictions.csv", err));
    BAL_TRY_OR(done, read_table(j, path.data, classes, j->out->n_columns, err));
    BAL_TRY_OR(done, in_run(&path, dir, "logits.npy", err));
    BAL_TRY_OR(done, in_run(&ids, dir, "ids.txt", err));
    if (j->out->modality != BAL_MODALITY_BOTH && bal_file_exists(path.data))
        rc = read_logits(j, path.data, ids.data, NULL, err);
done:
    bal_free(classes);
    bal_json_free(&run);
    bal_text_reset(&path);
    bal_text_reset(&ids);
    return rc;
}
