/* The files of a score, made from its journal in one pass; what a score is made from; names of classes. */
#include <inttypes.h>
#include <math.h>
#include <string.h>
#include <avbalance/backends.h>
#include "base/csv.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/npy.h"
#include "curate/score_job.h"

static const char code[] =
#include "curate/score_code.inc"
    ;

const BalOutput bal_score_output = {
    .mark = {{"score.json", "avbalance/score/"}, {"score.journal", "avbalance-score "}},
    .holds = "score.json score.journal categories.csv probabilities.npy topk.csv ids.txt classes.txt rejected.csv"};

/* ---- classes ---- */
static BalStatus number_names(BalScoreJob *j, BalError *err) {
    const int n = j->scorer.n_classes;
    for (int k = 0; k < n; k++) bal_text_f(&j->numbers, "%d%c", k, 0);
    BAL_TRY(bal_text_ok(&j->numbers, err));
    const char *s = j->numbers.data;
    for (int k = 0; k < n; k++, s += strlen(s) + 1) j->class_name[k] = s;
    return BAL_OK;
}

BalStatus bal_score_classes(BalScoreJob *j, BalError *err) {
    const int n = j->scorer.n_classes;
    const BalJson *list = bal_json_get(j->run, "classes");
    const char *from = j->spec->classes ? j->spec->classes : j->spec->weights;
    int64_t have = n;
    BAL_TRY(bal_alloc(&j->class_name, (size_t)n, sizeof *j->class_name, err));
    if (j->spec->classes) {
        BAL_TRY(bal_lines_read(&j->lines, j->spec->classes, err));
        have = j->lines.n;
        for (int k = 0; k < n && have == n; k++) j->class_name[k] = j->lines.line[k];
    } else if (list) {
        have = (int64_t)bal_json_size(list);
        for (int k = 0; k < n && have == n; k++) j->class_name[k] = bal_json_text(bal_json_at(list, (size_t)k), "");
    } else {
        BAL_TRY(number_names(j, err));
    }
    if (have == n) return BAL_OK;
    return BAL_FAIL(err, BAL_E_FORMAT, "%s: lists %lld classes, the weights answer for %d", from, (long long)have, n);
}

/* ---- identity ---- */
const char *bal_score_average_name(const BalScorer *s) {
    return s->before && s->ops->info.before ? s->ops->info.before : "probabilities";
}

static const char *backend_version(const BalScoreSpec *spec) {
    const char *version = "";
    for (int i = bal_backend_count() - 1; i >= 0; i--)
        if (!spec->backend || !strcmp(bal_backend_name(i, NULL, NULL), spec->backend))
            bal_backend_name(i, NULL, &version);
    return version;
}

BalStatus bal_score_identify(BalScoreJob *j, BalError *err) {
    const BalScoreSpec *s = j->spec;
    BalText t = {0};
    bal_text_f(&t, "%s %s %s %s %s %d %d %d %d %s %s\n", j->scorer.ops->info.name, j->scorer.view->name,
               bal_score_average_name(&j->scorer), j->weights_sha256, backend_version(s), (int)s->dtype, s->threads,
               s->top, (int)s->stop_on_error, s->categories ? s->categories : "", code);
    bal_text_f(&t, "%s\n", bal_media_version());
    for (int k = 0; k < j->scorer.n_classes; k++) bal_text_f(&t, "%s\n", j->class_name[k]);
    for (int64_t i = 0; i < j->m->n; i++) {
        const BalClip *c = j->m->clip + i;
        bal_text_f(&t, "%s\t%s\t", c->id, c->media);
        bal_text_real(&t, c->start_s);
        bal_text_char(&t, '\t');
        bal_text_real(&t, c->duration_s);
        bal_text_char(&t, '\n');
    }
    BalStatus rc = bal_text_ok(&t, err);
    if (rc >= 0) bal_sha256_text(t.data, t.len, j->identity);
    bal_text_reset(&t);
    return rc;
}

/* ---- files ---- */
typedef struct Files {
    BalScoreJob *j;
    BalWriter *matrix, *top, *category;
    BalCategories categories;
    BalCategoryMap map;
    float *none; /* [n_classes] NaN */
    double *p;   /* [n_categories] */
    int *order;  /* [top] */
    BalText line;
} Files;

/* The n most probable of C classes into f->order, of equal ones the first. */
static void rank(const Files *f, const float *p, int classes, int n) {
    for (int i = 0; i < n; i++) f->order[i] = -1;
    for (int k = 0; k < classes; k++) {
        int at = n;
        while (at > 0 && (f->order[at - 1] < 0 || p[k] > p[f->order[at - 1]])) at--;
        for (int i = n - 1; i > at; i--) f->order[i] = f->order[i - 1];
        if (at < n) f->order[at] = k;
    }
}

static BalStatus write_top(Files *f, const char *id, const float *p, BalError *err) {
    const int classes = f->j->scorer.n_classes, n = f->j->spec->top < classes ? f->j->spec->top : classes;
    rank(f, p, classes, n);
    bal_text_clear(&f->line);
    for (int i = 0; i < n; i++) {
        bal_csv_quote(&f->line, id);
        bal_text_f(&f->line, ",%d,", i + 1);
        bal_csv_quote(&f->line, f->j->class_name[f->order[i]]);
        bal_text_char(&f->line, ',');
        bal_text_float(&f->line, p[f->order[i]]);
        bal_text_char(&f->line, '\n');
    }
    BAL_TRY(bal_text_ok(&f->line, err));
    return bal_writer_add(f->top, f->line.data, f->line.len, err);
}

static BalStatus write_categories(Files *f, const char *id, const float *p, BalError *err) {
    BalCategoryScore unused;
    BAL_TRY(bal_category_score(&unused, &f->map, p, 0, BAL_CORRECT_SUM, f->p, err));
    bal_text_clear(&f->line);
    bal_csv_quote(&f->line, id);
    for (int k = 0; k < f->categories.n; k++) {
        bal_text_char(&f->line, ',');
        bal_text_float(&f->line, (float)f->p[k]);
    }
    bal_text_char(&f->line, '\n');
    BAL_TRY(bal_text_ok(&f->line, err));
    return bal_writer_add(f->category, f->line.data, f->line.len, err);
}

static BalStatus write_clip(void *user, const BalScoreEntry *e, BalError *err) {
    Files *f = user;
    const char *id = f->j->m->clip[e->row].id;
    const size_t bytes = (size_t)f->j->scorer.n_classes * sizeof(float);
    BAL_TRY(bal_writer_add(f->matrix, e->p ? e->p : f->none, bytes, err));
    if (!e->p) return BAL_OK;
    BAL_TRY(write_top(f, id, e->p, err));
    return f->category ? write_categories(f, id, e->p, err) : BAL_OK;
}

static BalStatus map_categories(const BalScoreJob *j, BalCategories *c, BalCategoryMap *map, BalError *err) {
    BAL_TRY(bal_categories_load(c, j->spec->categories, err));
    return bal_category_map_make(map, c, j->scorer.ops->info.side, j->class_name, j->scorer.n_classes,
                                 j->spec->classes ? j->spec->classes : j->spec->weights, err);
}

BalStatus bal_score_check_categories(const BalScoreJob *j, BalError *err) {
    BalCategories c = {0};
    BalCategoryMap map = {0};
    BalStatus rc = j->spec->categories ? map_categories(j, &c, &map, err) : BAL_OK;
    bal_category_map_reset(&map);
    bal_categories_reset(&c);
    return rc;
}

static BalStatus open_categories(Files *f, BalError *err) {
    BalScoreJob *j = f->j;
    if (!j->spec->categories) return BAL_OK;
    BAL_TRY(map_categories(j, &f->categories, &f->map, err));
    BAL_TRY(bal_alloc(&f->p, (size_t)f->categories.n, sizeof *f->p, err));
    BAL_TRY(bal_writer_open(&f->category, bal_score_path(j, "categories.csv"), err));
    bal_text_clear(&f->line);
    bal_text_add(&f->line, "id");
    for (int k = 0; k < f->categories.n; k++) {
        bal_text_char(&f->line, ',');
        bal_csv_quote(&f->line, f->categories.category[k].key);
    }
    bal_text_char(&f->line, '\n');
    BAL_TRY(bal_text_ok(&f->line, err));
    return bal_writer_add(f->category, f->line.data, f->line.len, err);
}

static BalStatus open_files(Files *f, BalError *err) {
    BalScoreJob *j = f->j;
    const int64_t dim[2] = {j->m->n, j->scorer.n_classes};
    BAL_TRY(bal_alloc(&f->none, (size_t)j->scorer.n_classes, sizeof *f->none, err));
    BAL_TRY(bal_alloc(&f->order, (size_t)j->spec->top + 1, sizeof *f->order, err));
    for (int k = 0; k < j->scorer.n_classes; k++) f->none[k] = NAN;
    BAL_TRY(open_categories(f, err));
    BAL_TRY(bal_writer_open(&f->matrix, bal_score_path(j, "probabilities.npy"), err));
    BAL_TRY(bal_writer_open(&f->top, bal_score_path(j, "topk.csv"), err));
    bal_text_clear(&f->line);
    bal_npy_header(&f->line, BAL_NPY_F32, dim, 2);
    BAL_TRY(bal_text_ok(&f->line, err));
    BAL_TRY(bal_writer_add(f->matrix, f->line.data, f->line.len, err));
    return bal_writer_f(f->top, err, "id,rank,class,probability\n");
}

static BalStatus replay(Files *f, BalError *err) {
    BalScoreJob *j = f->j;
    BalMap map = {0};
    char identity[65];
    size_t good = 0;
    BAL_TRY(bal_map_open(&map, bal_score_path(j, "score.journal"), err));
    BalStatus rc =
        bal_score_journal_replay(map.data, map.size, j->m->n, j->scorer.n_classes, write_clip, f, identity, &good, err);
    if (rc >= 0 && good != map.size)
        rc = BAL_FAIL(err, BAL_E_IO, "%s: what was written has changed under us", bal_score_path(j, "score.journal"));
    bal_map_close(&map);
    return rc;
}

/* A text file of n names, one per line. */
static BalStatus write_names(BalScoreJob *j, const char *name, int64_t n, bool ids, BalError *err) {
    BalText t = {0};
    for (int64_t i = 0; i < n; i++) bal_text_f(&t, "%s\n", ids ? j->m->clip[i].id : j->class_name[i]);
    BalStatus rc = bal_text_ok(&t, err);
    if (rc >= 0) rc = bal_file_write(bal_score_path(j, name), t.data, t.len, err);
    bal_text_reset(&t);
    return rc;
}

static BalStatus write_json(BalScoreJob *j, BalError *err) {
    const BalScorer *s = &j->scorer;
    BalText t = {0};
    BalJsonOut o = bal_json_document(&t, true, "avbalance/score/1");
    bal_json_add_text(&o, "scorer", s->ops->info.name);
    bal_json_add_text(&o, "side", s->ops->info.side == BAL_AUDIO ? "audio" : "visual");
    bal_json_add_text(&o, "weights", j->spec->weights);
    bal_json_add_text(&o, "weights_sha256", j->weights_sha256);
    bal_json_add_text(&o, "view", s->view->name);
    bal_json_add_text(&o, "average", bal_score_average_name(s));
    bal_json_add_text(&o, "categories", j->spec->categories);
    bal_json_add_text(&o, "dtype", j->spec->dtype == BAL_BF16 ? "bf16" : "f32");
    bal_json_add_text(&o, "backend", backend_version(j->spec));
    bal_json_add_int(&o, "threads", j->spec->threads);
    bal_json_add_int(&o, "n", j->m->n);
    bal_json_add_int(&o, "scored", j->n_scored);
    bal_json_add_int(&o, "rejected", (int64_t)j->n_reject);
    bal_json_add_int(&o, "classes", s->n_classes);
    bal_json_add_int(&o, "macs_per_clip", bal_graph_macs(s->g) * s->n_passes);
    bal_json_add_text(&o, "identity", j->identity);
    bal_json_close(&o, '}');
    bal_text_char(&t, '\n');
    BalStatus rc = bal_text_ok(&t, err);
    if (rc >= 0) rc = bal_file_write(bal_score_path(j, "score.json"), t.data, t.len, err);
    bal_text_reset(&t);
    return rc;
}

static BalStatus commit(Files *f, BalError *err) {
    BalScoreJob *j = f->j;
    BAL_TRY(bal_writer_commit(&f->matrix, err));
    BAL_TRY(bal_writer_commit(&f->top, err));
    if (f->category) BAL_TRY(bal_writer_commit(&f->category, err));
    BAL_TRY(write_names(j, "ids.txt", j->m->n, true, err));
    BAL_TRY(write_names(j, "classes.txt", j->scorer.n_classes, false, err));
    BAL_TRY(bal_rejected_write(bal_score_path(j, "rejected.csv"), j->m, j->reject, (int64_t)j->n_reject, err));
    return write_json(j, err);
}

BalStatus bal_score_write(BalScoreJob *j, BalError *err) {
    Files f = {.j = j};
    if (!j->n_scored) {
        BAL_TRY(bal_rejected_write(bal_score_path(j, "rejected.csv"), j->m, j->reject, (int64_t)j->n_reject, err));
        return BAL_FAIL(err, BAL_E_MEDIA,
                        "none of %lld clips could be scored; the first, %s: %s (all in %s/rejected.csv)",
                        (long long)j->m->n, j->m->clip[j->reject[0].row].id, j->reject[0].reason, j->dir);
    }
    BalStatus rc = open_files(&f, err);
    if (rc >= 0) rc = replay(&f, err);
    if (rc >= 0) rc = commit(&f, err);
    bal_writer_abort(&f.matrix);
    bal_writer_abort(&f.top);
    bal_writer_abort(&f.category);
    bal_category_map_reset(&f.map);
    bal_categories_reset(&f.categories);
    bal_text_reset(&f.line);
    bal_free(f.none);
    bal_free(f.order);
    bal_free(f.p);
    return rc;
}
