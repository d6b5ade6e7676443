/* Predictions of any origin, joined with the clips of a table of scores.
 *
 * A dialect is a row of a table: whether a path is of its kind, and how it is read. All of them hand over ids, which are looked up
 * here, so that an unknown or a doubled id is found, and said, in one place. */
#include "analysis/predictions.h"

#include <math.h>
#include <string.h>

#include "analysis/scores_file.h"
#include "base/file.h"
#include "base/mem.h"

/* ---- names ---- */

BalStatus bal_name_index_make(BalNameIndex *x, const char *const *name, int64_t n, BalError *err) {
    uint64_t size = 2;
    while (size < 2 * (uint64_t)n) size *= 2;
    BAL_TRY(bal_alloc(&x->slot, size, sizeof *x->slot, err));
    x->name = name;
    x->n = n;
    x->mask = size - 1;
    for (uint64_t k = 0; k < size; k++) x->slot[k] = -1;
    for (int64_t i = 0; i < n; i++) {
        size_t len = strlen(name[i]);
        if (bal_name_index_find(x, name[i], len) >= 0) continue;
        uint64_t k = bal_id_hash(name[i], len) & x->mask;
        while (x->slot[k] >= 0) k = (k + 1) & x->mask;
        x->slot[k] = i;
    }
    return BAL_OK;
}

int64_t bal_name_index_find(const BalNameIndex *x, const char *s, size_t n) {
    for (uint64_t k = bal_id_hash(s, n) & x->mask; x->slot[k] >= 0; k = (k + 1) & x->mask) {
        const char *name = x->name[x->slot[k]];
        if (strlen(name) == n && !memcmp(name, s, n)) return x->slot[k];
    }
    return -1;
}

void bal_name_index_reset(BalNameIndex *x) {
    bal_free(x->slot);
    *x = (BalNameIndex){0};
}

static char *trimmed(char *s) {
    s += strspn(s, " \t");
    size_t n = strlen(s);
    while (n && strchr(" \t\r", s[n - 1])) n--;
    s[n] = '\0';
    return s;
}

BalStatus bal_lines_read(BalLines *l, const char *path, BalError *err) {
    *l = (BalLines){0};
    BalStatus rc;
    size_t cap = 0;
    BAL_TRY_OR(fail, bal_file_read(path, 0, &l->text, err));
    if (memchr(bal_text_str(&l->text), '\0', l->text.len)) {
        rc = BAL_FAIL(err, BAL_E_FORMAT, "%s: NUL byte; a text with one name per line is needed", path);
        goto fail;
    }
    if (!l->text.len) return BAL_OK;
    const bool bom = bal_has_prefix(bal_text_str(&l->text), "\xEF\xBB\xBF");
    for (char *s = l->text.data + (bom ? 3 : 0), *end = l->text.data + l->text.len; s < end;) {
        char *nl = memchr(s, '\n', (size_t)(end - s));
        BAL_TRY_OR(fail, bal_grow(&l->line, &cap, (size_t)l->n + 1, sizeof *l->line, err));
        if (nl) *nl = '\0';
        l->line[l->n++] = trimmed(s);
        if (!nl) break;
        s = nl + 1;
    }
    return BAL_OK;
fail:
    bal_lines_reset(l);
    return rc;
}

void bal_lines_pack(BalLines *l) {
    int64_t n = 0;
    for (int64_t i = 0; i < l->n; i++)
        if (*l->line[i]) l->line[n++] = l->line[i];
    l->n = n;
}

void bal_lines_reset(BalLines *l) {
    bal_text_reset(&l->text);
    bal_free(l->line);
    *l = (BalLines){0};
}

/* ---- joining ---- */

void bal_join_begin(BalJoin *j, const char *path, const char *unit) {
    j->path = path;
    j->unit = unit;
    j->n_unknown = 0;
    bal_text_clear(&j->unknown);
    memset(j->at, 0, (size_t)j->scores->n * sizeof *j->at);
}

BalStatus bal_join_clip(BalJoin *j, const char *id, size_t n, int64_t at, int64_t *clip, BalError *err) {
    if (!n) return BAL_FAIL(err, BAL_E_FORMAT, "%s: %s %lld: the id is empty", j->path, j->unit, (long long)at);
    *clip = bal_name_index_find(&j->id, id, n);
    if (*clip < 0) {
        if (!j->n_unknown++) {
            bal_text_add_n(&j->unknown, id, n < 100 ? n : 100);
            j->unknown_at = at;
        }
        return BAL_OK;
    }
    if (j->at[*clip])
        return BAL_FAIL(err, BAL_E_FORMAT, "%s: %s %lld: the id \"%s\" stands in %s %lld already; remove one of them",
                        j->path, j->unit, (long long)at, j->scores->id[*clip], j->unit, (long long)j->at[*clip]);
    j->at[*clip] = at;
    return BAL_OK;
}

BalStatus bal_join_end(BalJoin *j, BalError *err) {
    j->out->n_unknown = j->n_unknown;
    if (!j->n_unknown || j->spec->ignore_unknown) return bal_text_ok(&j->unknown, err);
    return BAL_FAIL(err, BAL_E_FORMAT,
                    "%s: %s %lld: the scores have no clip \"%s\" (%lld such id%s); give the scores of the same clips, "
                    "or --ignore-unknown",
                    j->path, j->unit, (long long)j->unknown_at, bal_text_str(&j->unknown), (long long)j->n_unknown,
                    j->n_unknown == 1 ? "" : "s");
}

BalStatus bal_top_output(const BalJoin *j, const float *z, int n, const char *id, int64_t at, int *top, BalError *err) {
    int n_nan = 0, bad = -1;
    *top = 0;
    for (int k = 0; k < n; k++) {
        n_nan += isnan(z[k]) != 0;
        if (!isfinite(z[k])) bad = k;
        if (z[k] > z[*top]) *top = k;
    }
    if (n_nan == n) *top = -1;
    if (bad < 0 || n_nan == n) return BAL_OK;
    return BAL_FAIL(
        err, BAL_E_NUMERIC,
        "%s: %s %lld: output %d of clip \"%.100s\" is %s; predict it again, or leave the clip out of file and "
        "scores",
        j->path, j->unit, (long long)at, bad, id, isnan(z[bad]) ? "NaN" : "infinite");
}

/* ---- dialects ---- */

static BalStatus is_run(const char *path, bool *yes, BalError *err) {
    BalText file = {0};
    bal_path_join(&file, path, "run.json");
    BalStatus rc = bal_text_ok(&file, err);
    *yes = rc >= 0 && bal_is_dir(path) && bal_file_exists(file.data);
    bal_text_reset(&file);
    return rc;
}

static BalStatus is_dynamics(const char *path, bool *yes, BalError *err) {
    char **names = NULL;
    int n = 0;
    *yes = bal_has_suffix(path, ".jsonl");
    if (!bal_is_dir(path)) return BAL_OK;
    BAL_TRY(bal_list_dir(path, &names, &n, err));
    for (int i = 0; i < n; i++) *yes |= bal_has_prefix(names[i], "dynamics_epoch_");
    bal_names_free(names, n);
    return BAL_OK;
}

static BalStatus is_npy(const char *path, bool *yes, BalError *err) {
    (void)err;
    *yes = bal_has_suffix(path, ".npy") && !bal_is_dir(path);
    return BAL_OK;
}

static BalStatus is_table(const char *path, bool *yes, BalError *err) {
    (void)err;
    *yes = !bal_is_dir(path);
    return BAL_OK;
}

static const struct Dialect {
    BalStatus (*fits)(const char *path, bool *yes, BalError *err);
    BalPredictionsReader *read;
} dialects[] = {{is_run, bal_read_run},
                {is_dynamics, bal_read_dynamics},
                {is_npy, bal_read_npy_predictions},
                {is_table, bal_read_csv_predictions}};

/* "runs/ogm-ge.csv" is by "ogm-ge". */
static BalStatus name_of_file(char **out, const char *path, BalError *err) {
    size_t n = strlen(path);
    while (n > 1 && path[n - 1] == '/') n--;
    size_t from = n;
    while (from && path[from - 1] != '/') from--;
    BAL_TRY(bal_alloc(out, n - from + 1, 1, err));
    memcpy(*out, path + from, n - from);
    char *dot = strrchr(*out, '.');
    if (dot && dot != *out) *dot = '\0';
    return BAL_OK;
}

static BalModality modality_of_name(const char *name) {
    return !strcmp(name, "audio")    ? BAL_MODALITY_AUDIO
           : !strcmp(name, "visual") ? BAL_MODALITY_VISUAL
                                     : BAL_MODALITY_BOTH;
}

static BalStatus load(BalJoin *j, const char *path, BalError *err) {
    const BalScores *s = j->scores;
    BalPredictions *p = j->out;
    BAL_TRY(bal_strdup(&p->path, path, err));
    if (j->spec->name)
        BAL_TRY(bal_strdup(&p->name, j->spec->name, err));
    else
        BAL_TRY(name_of_file(&p->name, path, err));
    p->modality = modality_of_name(p->name);
    BAL_TRY(bal_alloc(&p->answer, (size_t)s->n, sizeof *p->answer, err));
    for (int64_t i = 0; i < s->n; i++) p->answer[i] = BAL_ANSWER_NONE;
    BAL_TRY(bal_alloc(&j->at, (size_t)s->n, sizeof *j->at, err));
    BAL_TRY(bal_name_index_make(&j->id, s->id, s->n, err));
    BAL_TRY(bal_name_index_make(&j->label, s->labels, s->n_labels, err));
    for (size_t k = 0; k < sizeof dialects / sizeof *dialects; k++) {
        bool yes;
        BAL_TRY(dialects[k].fits(path, &yes, err));
        if (yes) return dialects[k].read(j, path, err);
    }
    return BAL_FAIL(
        err, BAL_E_FORMAT,
        "%s: holds neither run.json (a finished run of `train`) nor dynamics_epoch_*.jsonl; is it unfinished, "
        "or another folder?",
        path);
}

BalStatus bal_predictions_load(BalPredictions *out, const char *path, const BalScores *scores,
                               const BalPredictionsSpec *spec, BalError *err) {
    static const BalPredictionsSpec none;
    BalPredictions p = {.n = scores->n, .seed = -1, .fold = -1, .named = spec && spec->name};
    BalJoin j = {.scores = scores, .spec = spec ? spec : &none, .out = &p};
    if (!scores->n_labels)
        return BAL_FAIL(err, BAL_E_FORMAT,
                        "the scores name no labels, without which no answer is right or wrong; name their column "
                        "with --label-column");
    BalStatus rc = load(&j, path, err);
    bal_name_index_reset(&j.id);
    bal_name_index_reset(&j.label);
    bal_free(j.at);
    bal_text_reset(&j.unknown);
    if (rc >= 0) {
        *out = p;
        return BAL_OK;
    }
    bal_predictions_reset(&p);
    return rc;
}

void bal_predictions_reset(BalPredictions *p) {
    bal_free(p->name);
    bal_free(p->path);
    bal_free(p->answer);
    bal_free(p->column);
    bal_free(p->logits);
    *p = (BalPredictions){0};
}
