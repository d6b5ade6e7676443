/* Scores from run folders: u over the epochs of each run, joined over folds, averaged over seeds.
 *
 * A run folder holds run.json (modality, seed, epochs_used, ...), confidence.npy [E,N] over all clips of the store, correct.npy [E,N],
 * ids.txt and predictions.csv, from which the labels and splits come. In crossfit mode the confidences of the clips that a run trained
 * on are NaN, so that a training clip is scored by exactly one fold of a seed and a test clip by all of them.
 * confidence.npy may be float32 (what `train` writes) or float64 (other tools). */
#include <math.h>
#include <string.h>

#include "analysis/scores_build.h"
#include "base/csv.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/npy.h"
#include "base/text.h"

#define MAX_SEEDS 256

typedef struct Totals { /* sums over the runs of one seed and one modality; [N] each */
    int64_t seed;
    double *u, *sd, *correct, *epochs;
    int32_t *runs; /* that scored the clip */
} Totals;

typedef struct Modality {
    const char *name;
    Totals seed[MAX_SEEDS];
    int n_seeds;
} Modality;

typedef struct Runs {
    BalText ids;       /* ids.txt of the first run, lines ended by NUL */
    const char *first; /* its folder */
    const char **id;   /* [n] into ids */
    BalText labels;    /* predictions.csv of the first run */
    BalScoreText *label, *split;
    int64_t n;
    Modality modality[2];
} Runs;

/* ---- one run ---- */

typedef struct Run {
    const char *dir;
    int64_t seed, epochs_used;
    BalMap confidence, correct;
    BalNpy confidence_npy, correct_npy;
} Run;

static void run_reset(Run *r) {
    bal_map_close(&r->confidence);
    bal_map_close(&r->correct);
}

static BalStatus run_path(BalText *path, const char *dir, const char *name, BalError *err) {
    bal_text_clear(path);
    bal_path_join(path, dir, name);
    return bal_text_ok(path, err);
}

static BalStatus read_run_json(Run *r, const char *modality, BalText *path, BalError *err) {
    BalJson *root = NULL;
    BAL_TRY(run_path(path, r->dir, "run.json", err));
    BAL_TRY(bal_json_load(&root, path->data, err));
    const char *schema = bal_json_text(bal_json_get(root, "schema"), "");
    const char *what = bal_json_text(bal_json_get(root, "modality"), "");
    BalStatus rc = BAL_OK;
    r->seed = bal_json_int(bal_json_get(root, "seed"), 0);
    r->epochs_used = bal_json_int(bal_json_get(root, "epochs_used"), 0);
    if (!bal_has_prefix(schema, "avbalance/run/"))
        rc = BAL_FAIL(err, BAL_E_FORMAT, "%s: \"schema\" is \"%s\", not avbalance/run/1; is this a run folder?",
                      path->data, schema);
    else if (strcmp(what, modality) != 0)
        rc = BAL_FAIL(err, BAL_E_MISMATCH, "%s: \"modality\" is \"%s\", but a run of %s is needed here", path->data,
                      what, modality);
    else if (r->epochs_used < 1)
        rc = BAL_FAIL(err, BAL_E_FORMAT, "%s: \"epochs_used\" is missing or below 1", path->data);
    bal_json_free(&root);
    return rc;
}

static BalStatus map_npy(BalMap *m, BalNpy *npy, const Run *r, const char *name, int64_t n, BalText *path,
                         BalError *err) {
    BAL_TRY(run_path(path, r->dir, name, err));
    BAL_TRY(bal_map_open(m, path->data, err));
    BAL_TRY(bal_npy_parse(npy, m->data, m->size, path->data, err));
    if (npy->rank != 2 || npy->dim[1] != n || npy->dim[0] < r->epochs_used)
        return BAL_FAIL(err, BAL_E_MISMATCH,
                        "%s: shape must be [epochs, clips] with at least %lld epochs and %lld clips", path->data,
                        (long long)r->epochs_used, (long long)n);
    return BAL_OK;
}

/* ids.txt into `ids` with a NUL behind each line; *n lines. */
static BalStatus read_ids(const char *dir, BalText *ids, int64_t *n, BalText *path, BalError *err) {
    BAL_TRY(run_path(path, dir, "ids.txt", err));
    BAL_TRY(bal_file_read(path->data, 0, ids, err));
    int64_t lines = 0;
    for (size_t i = 0; i < ids->len; i++) {
        if (ids->data[i] == '\0') return BAL_FAIL(err, BAL_E_FORMAT, "%s: NUL byte", path->data);
        if (ids->data[i] != '\n') continue;
        ids->data[i] = '\0';
        lines++;
    }
    if (ids->len && ids->data[ids->len - 1] != '\0') lines++; /* the last line has no end */
    *n = lines;
    return BAL_OK;
}

static double confidence_at(const Run *r, int64_t e, int64_t i) {
    const unsigned char *at = r->confidence.data + r->confidence_npy.data_at;
    int64_t k = e * r->confidence_npy.dim[1] + i;
    if (r->confidence_npy.type == BAL_NPY_F64) {
        double v;
        memcpy(&v, at + 8 * k, 8);
        return v;
    }
    float v;
    memcpy(&v, at + 4 * k, 4);
    return v;
}

/* Add what one run says about each clip to the totals of its seed. */
static BalStatus add_run(Totals *t, const Run *r, const Runs *all, BalError *err) {
    double *conf = NULL;
    BalStatus rc;
    const unsigned char *correct = r->correct.data + r->correct_npy.data_at;
    BAL_TRY(bal_alloc(&conf, (size_t)r->epochs_used, sizeof *conf, err));
    for (int64_t i = 0; i < all->n; i++) {
        double u, sd;
        int64_t right = 0, judged = 0;
        for (int64_t e = 0; e < r->epochs_used; e++) {
            unsigned char c = correct[e * all->n + i];
            conf[e] = confidence_at(r, e, i);
            right += c == 1;
            judged += c != 255;
        }
        rc = bal_confidence_mean(conf, r->epochs_used, 1, &u, &sd, err);
        if (rc < 0) {
            bal_error_add(err, rc, "clip %s in %s/confidence.npy", all->id[i], r->dir);
            goto done;
        }
        if (isnan(u)) continue;
        t->u[i] += u;
        t->sd[i] += sd;
        t->correct[i] += judged ? (double)right / (double)judged : NAN;
        t->epochs[i] += (double)r->epochs_used;
        t->runs[i]++;
    }
    rc = BAL_OK;
done:
    bal_free(conf);
    return rc;
}

/* ---- all runs ---- */

/* Labels and splits from predictions.csv (id,label,split,...), whose rows are in store order. */
static BalStatus read_labels(Runs *all, BalText *path, BalError *err) {
    BalCsv csv;
    BalStatus rc;
    BAL_TRY(run_path(path, all->first, "predictions.csv", err));
    BAL_TRY(bal_file_read(path->data, 0, &all->labels, err));
    BAL_TRY(bal_alloc(&all->label, (size_t)all->n, sizeof *all->label, err));
    BAL_TRY(bal_alloc(&all->split, (size_t)all->n, sizeof *all->split, err));
    bal_csv_init(&csv, bal_text_str(&all->labels), all->labels.len, ',', path->data);
    int id = -1, label = -1, split = -1;
    BAL_TRY_OR(done, bal_csv_next(&csv, err));
    for (int k = 0; rc == BAL_OK && k < csv.n_fields; k++) {
        if (bal_field_is(&csv.field[k], "id")) id = k;
        if (bal_field_is(&csv.field[k], "label")) label = k;
        if (bal_field_is(&csv.field[k], "split")) split = k;
    }
    if (id < 0 || label < 0 || split < 0) {
        rc = BAL_FAIL(err, BAL_E_FORMAT, "%s: needs columns id, label and split", path->data);
        goto done;
    }
    int64_t i = 0;
    int most = id > label ? id : label;
    if (split > most) most = split;
    while ((rc = bal_csv_next(&csv, err)) == BAL_OK) {
        if (csv.n_fields <= most || i == all->n || !bal_field_is(&csv.field[id], all->id[i])) {
            rc = BAL_FAIL(err, BAL_E_MISMATCH, "%s: line %lld: is not the clip of ids.txt, line %lld", path->data,
                          (long long)csv.line, (long long)i + 1);
            goto done;
        }
        all->label[i] = (BalScoreText){csv.field[label].s, (uint32_t)csv.field[label].n};
        all->split[i++] = (BalScoreText){csv.field[split].s, (uint32_t)csv.field[split].n};
    }
    if (rc == BAL_END && i < all->n)
        rc = BAL_FAIL(err, BAL_E_MISMATCH, "%s: has %lld clips, ids.txt has %lld", path->data, (long long)i,
                      (long long)all->n);
done:
    bal_csv_reset(&csv);
    return rc < 0 ? rc : BAL_OK;
}

static BalStatus take_clips(Runs *all, const char *dir, BalText *path, BalError *err) {
    BalText ids = {0};
    int64_t n = 0;
    BalStatus rc = BAL_OK;
    if (!all->first) {
        BAL_TRY(read_ids(dir, &all->ids, &all->n, path, err));
        if (!all->n) return BAL_FAIL(err, BAL_E_FORMAT, "%s: is empty", path->data);
        BAL_TRY(bal_alloc(&all->id, (size_t)all->n, sizeof *all->id, err));
        const char *s = all->ids.data;
        for (int64_t i = 0; i < all->n; i++, s += strlen(s) + 1) all->id[i] = s;
        all->first = dir;
        return read_labels(all, path, err);
    }
    BAL_TRY_OR(done, read_ids(dir, &ids, &n, path, err));
    if (n != all->n || ids.len != all->ids.len || memcmp(ids.data, all->ids.data, ids.len) != 0)
        rc = BAL_FAIL(err, BAL_E_MISMATCH, "%s: other clips than in %s/ids.txt; runs must come from one store",
                      path->data, all->first);
done:
    bal_text_reset(&ids);
    return rc;
}

static BalStatus find_totals(Modality *m, int64_t seed, int64_t n, Totals **out, BalError *err) {
    for (int s = 0; s < m->n_seeds; s++)
        if (m->seed[s].seed == seed) {
            *out = &m->seed[s];
            return BAL_OK;
        }
    if (m->n_seeds == MAX_SEEDS) return BAL_FAIL(err, BAL_E_ARG, "more than %d seeds of %s", MAX_SEEDS, m->name);
    Totals *t = &m->seed[m->n_seeds++];
    t->seed = seed;
    BAL_TRY(bal_alloc(&t->u, (size_t)n, sizeof *t->u, err));
    BAL_TRY(bal_alloc(&t->sd, (size_t)n, sizeof *t->sd, err));
    BAL_TRY(bal_alloc(&t->correct, (size_t)n, sizeof *t->correct, err));
    BAL_TRY(bal_alloc(&t->epochs, (size_t)n, sizeof *t->epochs, err));
    BAL_TRY(bal_alloc(&t->runs, (size_t)n, sizeof *t->runs, err));
    *out = t;
    return BAL_OK;
}

static BalStatus read_run(Runs *all, Modality *m, const char *dir, BalText *path, BalError *err) {
    Run r = {.dir = dir};
    Totals *t;
    BalStatus rc;
    BAL_TRY_OR(done, read_run_json(&r, m->name, path, err));
    BAL_TRY_OR(done, take_clips(all, dir, path, err));
    BAL_TRY_OR(done, map_npy(&r.confidence, &r.confidence_npy, &r, "confidence.npy", all->n, path, err));
    if (r.confidence_npy.type != BAL_NPY_F32 && r.confidence_npy.type != BAL_NPY_F64) {
        rc = BAL_FAIL(err, BAL_E_FORMAT, "%s: must be float32 or float64", path->data);
        goto done;
    }
    BAL_TRY_OR(done, map_npy(&r.correct, &r.correct_npy, &r, "correct.npy", all->n, path, err));
    if (r.correct_npy.type != BAL_NPY_U8) {
        rc = BAL_FAIL(err, BAL_E_FORMAT, "%s: must be uint8", path->data);
        goto done;
    }
    BAL_TRY_OR(done, find_totals(m, r.seed, all->n, &t, err));
    rc = add_run(t, &r, all, err);
done:
    run_reset(&r);
    return rc;
}

/* From sums to means: per seed over runs. */
static void finish_totals(Modality *m, int64_t n) {
    for (int s = 0; s < m->n_seeds; s++) {
        Totals *t = &m->seed[s];
        for (int64_t i = 0; i < n; i++) {
            double k = t->runs[i]; /* 0/0: NaN, never scored */
            t->u[i] /= k;
            t->sd[i] /= k;
            t->correct[i] /= k;
            t->epochs[i] /= k;
        }
    }
}

/* Means over those seeds that scored the clip, into columns U, SD, CORRECT, EPOCHS of modality m; false if none did. */
static bool seed_means(const Modality *m, int64_t i, double out[4]) {
    int k = 0;
    memset(out, 0, 4 * sizeof *out);
    for (int s = 0; s < m->n_seeds; s++) {
        const Totals *t = &m->seed[s];
        if (!t->runs[i]) continue;
        const double v[4] = {t->u[i], t->sd[i], t->correct[i], t->epochs[i]};
        for (int c = 0; c < 4; c++) out[c] += v[c];
        k++;
    }
    for (int c = 0; c < 4 && k; c++) out[c] /= k;
    return k > 0;
}

/* d per seed that scored the clip in both modalities. */
static int seed_discrepancies(const Runs *all, int64_t i, double *d) {
    int n = 0;
    const Modality *a = &all->modality[0], *v = &all->modality[1];
    for (int s = 0; s < a->n_seeds; s++)
        for (int k = 0; k < v->n_seeds; k++)
            if (a->seed[s].seed == v->seed[k].seed && a->seed[s].runs[i] && v->seed[k].runs[i])
                d[n++] = a->seed[s].u[i] - v->seed[k].u[i];
    return n;
}

static int common_seeds(const Runs *all) {
    int n = 0;
    const Modality *a = &all->modality[0], *v = &all->modality[1];
    for (int s = 0; s < a->n_seeds; s++)
        for (int k = 0; k < v->n_seeds; k++) n += a->seed[s].seed == v->seed[k].seed;
    return n;
}

static BalStatus make_scores(const Runs *all, BalScores *out, int64_t *n_unscored, BalError *err) {
    static const BalScoreColumn column[2][4] = {
        {BAL_SCORE_U_AUDIO, BAL_SCORE_SD_AUDIO, BAL_SCORE_CORRECT_AUDIO, BAL_SCORE_EPOCHS_AUDIO},
        {BAL_SCORE_U_VISUAL, BAL_SCORE_SD_VISUAL, BAL_SCORE_CORRECT_VISUAL, BAL_SCORE_EPOCHS_VISUAL}};
    int seeds = common_seeds(all);
    bool has[BAL_SCORE_COLUMNS];
    for (int c = 0; c < BAL_SCORE_COLUMNS; c++) has[c] = c < BAL_SCORE_LOW || seeds >= 2;
    BAL_TRY(bal_scores_make(out, all->n, has, err));
    int64_t unscored = 0;
    for (int64_t i = 0; i < all->n; i++) {
        double m[2][4], d[MAX_SEEDS];
        bool heard = seed_means(&all->modality[0], i, m[0]), seen = seed_means(&all->modality[1], i, m[1]);
        if (!heard || !seen) {
            unscored++;
            continue;
        }
        int64_t to = out->n;
        BalScoreText id = {all->id[i], (uint32_t)strlen(all->id[i])};
        BAL_TRY(bal_scores_put(out, to, id, all->label[i], all->split[i], err));
        for (int k = 0; k < 2; k++)
            for (int c = 0; c < 4; c++) out->value[column[k][c]][to] = m[k][c];
        if (seeds >= 2) {
            int n = seed_discrepancies(all, i, d);
            BalSeedStatistics s = {.low = NAN, .high = NAN, .flip_rate = NAN, .undecided = true};
            if (n >= 2) s = bal_seed_statistics(d, n);
            out->value[BAL_SCORE_LOW][to] = s.low;
            out->value[BAL_SCORE_HIGH][to] = s.high;
            out->value[BAL_SCORE_FLIP_RATE][to] = s.flip_rate;
            out->value[BAL_SCORE_UNDECIDED][to] = s.undecided;
        }
        out->n++;
    }
    out->n_seeds = seeds;
    if (n_unscored) *n_unscored = unscored;
    if (!out->n) return BAL_FAIL(err, BAL_E_FORMAT, "no clip was scored by runs of both modalities");
    return BAL_OK;
}

static void runs_reset(Runs *all) {
    for (int m = 0; m < 2; m++)
        for (int s = 0; s < all->modality[m].n_seeds; s++) {
            Totals *t = &all->modality[m].seed[s];
            bal_free(t->u);
            bal_free(t->sd);
            bal_free(t->correct);
            bal_free(t->epochs);
            bal_free(t->runs);
        }
    bal_text_reset(&all->ids);
    bal_text_reset(&all->labels);
    bal_free(all->id);
    bal_free(all->label);
    bal_free(all->split);
    bal_free(all);
}

BalStatus bal_scores_from_runs(BalScores *out, const char *const *audio, int n_audio, const char *const *visual,
                               int n_visual, int64_t *n_unscored, BalError *err) {
    if (n_audio < 1 || n_visual < 1) return BAL_FAIL(err, BAL_E_ARG, "scores need at least one run of each modality");
    Runs *all = NULL;
    BalText path = {0};
    BalScores s = {0};
    BalStatus rc;
    BAL_TRY(bal_alloc(&all, 1, sizeof *all, err));
    all->modality[0].name = "audio";
    all->modality[1].name = "visual";
    for (int i = 0; i < n_audio; i++) BAL_TRY_OR(done, read_run(all, &all->modality[0], audio[i], &path, err));
    for (int i = 0; i < n_visual; i++) BAL_TRY_OR(done, read_run(all, &all->modality[1], visual[i], &path, err));
    for (int m = 0; m < 2; m++) finish_totals(&all->modality[m], all->n);
    BAL_TRY_OR(done, make_scores(all, &s, n_unscored, err));
    *out = s;
    s = (BalScores){0};
done:
    bal_scores_reset(&s);
    runs_reset(all);
    bal_text_reset(&path);
    return rc;
}
