/* Every method on every subset (Xia et al. 2023, section 4): who wins on average, and who still loses to a single modality where
 * the discrepancy is large.
 *
 *   choose clips   those of the split, with label and d
 *   rows           runs of one name are one row; unimodal rows first, then their ensembles, then the methods
 *   subsets        lists of clips; overall is one of them, and computed like the others, so that the identity
 *                  n * overall = sum of n_k * accuracy_k over audio-preferred, visual-preferred and ties checks something
 *   cells          per subset: one bootstrap for all rows (paired), then each row against the unimodal model that is best there
 *
 * That model is chosen on the clips it is compared on, which favours the unimodal side: a method that passes is better than both. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include <avbalance/analysis.h>
#include "analysis/ensemble.h"
#include "analysis/statistics.h"
#include "base/mem.h"
#include "base/text.h"

enum { OVERALL, AUDIO_PREFERRED, VISUAL_PREFERRED, TIES, DOMINATED };

typedef struct Work {
    const BalScores *s;
    const BalPredictions *p;
    int n_p;
    const BalEvaluateSpec *spec;
    BalEvaluation *e;
    char *text_end;                 /* where e->text goes on */
    int64_t n, *clip;               /* [n] row in the scores */
    double *d;                      /* [n] */
    int32_t *label;                 /* [n] index into e->label */
    int32_t *label_of;              /* [s->n_labels] index into e->label, -1: no clip has it */
    int *source;                    /* [runs] prediction of each run; of ensembles the audio one */
    int32_t *answer;                /* [runs,n] index into e->label, -1: another class */
    uint8_t *right;                 /* [runs,n] */
    int64_t *member;                /* [n] clips of the subset in work */
    uint8_t *packed;                /* [runs,n] right, of those clips */
    int *first;                     /* [rows + 1] for the bootstrap */
    double *replicate, *difference; /* [rows,replicates]; [replicates] */
    int64_t *count;                 /* [3,n_labels] */
} Work;

BalEvaluateSpec bal_evaluate_spec_default(void) {
    static const double usual[] = {0.2, 0.4};
    return (BalEvaluateSpec){.threshold = usual, .n_thresholds = 2, .replicates = 2000};
}

/* ---- what is evaluated ---- */

static const char *keep_text(Work *w, const char *s) {
    char *to = w->text_end;
    size_t n = strlen(s) + 1;
    memcpy(to, s, n);
    w->text_end += n;
    return to;
}

static BalStatus allocate(Work *w, BalError *err) {
    const size_t runs = 3 * (size_t)w->n_p, rows = (size_t)w->n_p + 2, n = (size_t)w->s->n;
    BalEvaluation *e = w->e;
    size_t text = 64;
    for (int k = 0; k < w->n_p; k++) text += strlen(w->p[k].name) + 1 + 3 * (strlen(w->p[k].path) + 1);
    for (int k = 0; k < w->s->n_labels; k++) text += strlen(w->s->labels[k]) + 1;
    text += w->spec->split ? strlen(w->spec->split) : 0;
    BAL_TRY(bal_alloc(&e->text, text, 1, err));
    w->text_end = e->text;
    BAL_TRY(bal_alloc(&e->row, rows, sizeof *e->row, err));
    BAL_TRY(bal_alloc(&e->run, runs, sizeof *e->run, err));
    BAL_TRY(bal_alloc(&e->label, (size_t)w->s->n_labels, sizeof *e->label, err));
    BAL_TRY(bal_alloc(&e->label_n, (size_t)w->s->n_labels, sizeof *e->label_n, err));
    BAL_TRY(bal_alloc(&w->label_of, (size_t)w->s->n_labels, sizeof *w->label_of, err));
    BAL_TRY(bal_alloc(&w->clip, n, sizeof *w->clip, err));
    BAL_TRY(bal_alloc(&w->d, n, sizeof *w->d, err));
    BAL_TRY(bal_alloc(&w->label, n, sizeof *w->label, err));
    BAL_TRY(bal_alloc(&w->source, runs, sizeof *w->source, err));
    return bal_alloc(&w->first, rows + 1, sizeof *w->first, err);
}

static BalStatus choose_clips(Work *w, BalError *err) {
    const BalScores *s = w->s;
    const char *split = w->spec->split;
    BalEvaluation *e = w->e;
    int wanted = -1;
    e->split = keep_text(w, split ? split : "all");
    while (split && ++wanted < s->n_splits && strcmp(s->splits[wanted], split) != 0) {
    }
    for (int k = 0; k < s->n_labels; k++) w->label_of[k] = -1;
    for (int64_t i = 0; i < s->n; i++) {
        if (split && s->split[i] != wanted) continue;
        if (s->label[i] < 0)
            return BAL_FAIL(err, BAL_E_FORMAT,
                            "the scores give clip \"%s\" no label, without which no answer is right or wrong: label "
                            "it, or leave it out",
                            s->id[i]);
        int32_t *label = &w->label_of[s->label[i]];
        if (*label < 0) {
            *label = e->n_labels;
            e->label[e->n_labels++] = keep_text(w, s->labels[s->label[i]]);
        }
        e->label_n[*label]++;
        w->label[w->n] = *label;
        w->d[w->n] = s->value[BAL_SCORE_U_AUDIO][i] - s->value[BAL_SCORE_U_VISUAL][i];
        w->clip[w->n++] = i;
    }
    e->n = w->n;
    if (w->n) return BAL_OK;
    return BAL_FAIL(err, BAL_E_ARG, "no clip of the scores has the split \"%s\"; name another one with --split", split);
}

/* Clips evaluated all need an answer from every model. */
static BalStatus check_answers(const Work *w, const BalPredictions *p, BalError *err) {
    int64_t missing = 0, first = -1;
    for (int64_t i = 0; i < w->n; i++) {
        if (p->answer[w->clip[i]] != BAL_ANSWER_NONE) continue;
        if (!missing++) first = w->clip[i];
    }
    if (!missing) return BAL_OK;
    return BAL_FAIL(
        err, BAL_E_FORMAT,
        "%s: has no answer for %lld of %lld clips of split %s, the first being \"%s\"; predict them too, or "
        "evaluate scores without them",
        p->path, (long long)missing, (long long)w->n, w->e->split, w->s->id[first]);
}

/* One table, one store, one recipe; or the caller has said otherwise. hash: where a prediction has it, by its offset. */
static BalStatus check_origin(const Work *w, const char *what, size_t hash, char *common, bool *mixed, BalError *err) {
    const BalPredictions *known = NULL;
    for (int k = 0; k < w->n_p; k++) {
        const BalPredictions *p = &w->p[k];
        const char *own = (const char *)p + hash;
        if (!*own) continue;
        if (!known) known = p;
        const char *first = (const char *)known + hash;
        if (!strcmp(own, first)) continue;
        *mixed = true;
        if (!w->spec->mixed)
            return BAL_FAIL(err, BAL_E_ARG,
                            "%s was made from another %s (%.12s) than %s (%.12s), so that the two cannot be compared; "
                            "evaluate them apart, or say --mixed",
                            p->path, what, own, known->path, first);
    }
    if (known && !*mixed) memcpy(common, (const char *)known + hash, sizeof known->store_hash);
    return BAL_OK;
}

/* ---- rows ---- */

static int32_t *answers_of(const Work *w, int run) {
    return w->answer + run * w->n;
}

/* Room for one more run; its answers are the caller's to fill, then judge() says which are right. */
static int add_run(Work *w, int source) {
    const BalPredictions *p = &w->p[source];
    const int run = w->e->n_runs++;
    w->source[run] = source;
    w->e->run[run] = (BalEvaluationRun){.path = keep_text(w, p->path), .seed = p->seed, .fold = p->fold};
    return run;
}

static void judge(Work *w, int run) {
    int64_t sum = 0;
    uint8_t *right = w->right + run * w->n;
    for (int64_t i = 0; i < w->n; i++) sum += right[i] = answers_of(w, run)[i] == w->label[i];
    w->e->run[run].accuracy = (double)sum / (double)w->n;
}

static BalStatus check_run(const BalPredictions *a, const BalPredictions *b, BalError *err) {
    bool by_seed = a->seed >= 0 && b->seed >= 0;
    if (by_seed && a->seed == b->seed && a->fold == b->fold)
        return BAL_FAIL(err, BAL_E_ARG, "%s and %s are both seed %lld of \"%s\"; leave one out, or name them NAME=PATH",
                        a->path, b->path, (long long)a->seed, a->name);
    if (!by_seed && !(a->named && b->named))
        return BAL_FAIL(
            err, BAL_E_ARG,
            "%s and %s are both called \"%s\"; name them NAME=PATH, and give runs of one method with different "
            "seeds the same NAME",
            a->path, b->path, a->name);
    if (a->modality != b->modality)
        return BAL_FAIL(err, BAL_E_ARG, "%s and %s are both called \"%s\", but see different modalities", a->path,
                        b->path, a->name);
    return BAL_OK;
}

/* One row per name among the predictions of one modality, in order of first appearance. */
static BalStatus add_rows(Work *w, BalModality modality, BalError *err) {
    for (int k = 0; k < w->n_p; k++) {
        if (w->p[k].modality != modality) continue;
        bool is_first = true;
        for (int b = 0; b < k && is_first; b++) is_first = strcmp(w->p[b].name, w->p[k].name) != 0;
        if (!is_first) continue;
        BalEvaluationRow *row = &w->e->row[w->e->n_rows++];
        *row = (BalEvaluationRow){.name = keep_text(w, w->p[k].name), .modality = modality, .first_run = w->e->n_runs};
        for (int b = k; b < w->n_p; b++) {
            if (strcmp(w->p[b].name, w->p[k].name) != 0) continue;
            for (int a = k; a < b; a++)
                if (!strcmp(w->p[a].name, w->p[b].name)) BAL_TRY(check_run(&w->p[a], &w->p[b], err));
            int run = add_run(w, b);
            for (int64_t i = 0; i < w->n; i++) {
                int32_t answer = w->p[b].answer[w->clip[i]];
                answers_of(w, run)[i] = answer < 0 ? -1 : w->label_of[answer];
            }
            judge(w, run);
            row->n_runs++;
        }
    }
    return BAL_OK;
}

/* The unimodal model of a modality is the first that was given: to choose the best one here would be to choose on test data. */
static int first_row(const BalEvaluation *e, BalModality modality) {
    for (int r = 0; r < e->n_rows; r++)
        if (e->row[r].modality == modality) return r;
    return -1;
}

/* ---- ensembles of the two unimodal models ---- */

/* Runs of equal seed and fold; where no seeds are known, in order. */
static int partner_of(const Work *w, const BalEvaluationRow *a, const BalEvaluationRow *v, int run) {
    const BalPredictions *p = &w->p[w->source[run]];
    for (int k = v->first_run; k < v->first_run + v->n_runs; k++) {
        const BalPredictions *q = &w->p[w->source[k]];
        if (p->seed >= 0 && q->seed == p->seed && q->fold == p->fold) return k;
    }
    int k = run - a->first_run;
    bool by_order = p->seed < 0 || w->p[w->source[v->first_run]].seed < 0;
    return by_order && k < v->n_runs ? v->first_run + k : -1;
}

static BalStatus add_ensemble(Work *w, bool probabilities, BalError *err) {
    BalEvaluation *e = w->e;
    const BalEvaluationRow a = e->row[e->audio], v = e->row[e->visual];
    BalEvaluationRow row = {.name = keep_text(w, probabilities ? "ensemble-probabilities" : "ensemble-logits"),
                            .ensemble = true,
                            .first_run = e->n_runs};
    for (int k = a.first_run; k < a.first_run + a.n_runs; k++) {
        const int partner = partner_of(w, &a, &v, k);
        if (partner < 0) continue;
        const BalPredictions *pa = &w->p[w->source[k]], *pv = &w->p[w->source[partner]];
        int *match = NULL;
        if (!pa->logits || !pv->logits) {
            snprintf(e->no_ensemble, sizeof e->no_ensemble, "%.150s has no logits", (pa->logits ? pv : pa)->path);
            continue;
        }
        BAL_TRY(bal_alloc(&match, (size_t)pa->n_columns, sizeof *match, err));
        if (bal_match_columns(pa, pv, match)) {
            const int n = pa->n_columns, run = add_run(w, w->source[k]);
            for (int64_t i = 0; i < w->n; i++) {
                int64_t at = w->clip[i] * n;
                int32_t answer =
                    pa->column[bal_ensemble_top(pa->logits + at, pv->logits + at, match, n, probabilities)];
                answers_of(w, run)[i] = answer < 0 ? -1 : w->label_of[answer];
            }
            judge(w, run);
            row.n_runs++;
        } else {
            snprintf(e->no_ensemble, sizeof e->no_ensemble, "the unimodal models have different classes");
        }
        bal_free(match);
    }
    if (row.n_runs) {
        e->row[e->n_rows++] = row;
        e->no_ensemble[0] = '\0';
    } else if (!e->no_ensemble[0]) {
        snprintf(e->no_ensemble, sizeof e->no_ensemble, "the unimodal models have no seed in common");
    }
    return BAL_OK;
}

static BalStatus make_rows(Work *w, BalError *err) {
    BalEvaluation *e = w->e;
    const size_t cells = 3 * (size_t)w->n_p * (size_t)w->n;
    BAL_TRY(bal_alloc(&w->answer, cells, sizeof *w->answer, err));
    BAL_TRY(bal_alloc(&w->right, cells, 1, err));
    BAL_TRY(add_rows(w, BAL_MODALITY_AUDIO, err));
    BAL_TRY(add_rows(w, BAL_MODALITY_VISUAL, err));
    e->audio = first_row(e, BAL_MODALITY_AUDIO);
    e->visual = first_row(e, BAL_MODALITY_VISUAL);
    if (e->audio >= 0 && e->visual >= 0) {
        BAL_TRY(add_ensemble(w, false, err));
        BAL_TRY(add_ensemble(w, true, err));
    } else {
        snprintf(e->no_ensemble, sizeof e->no_ensemble, "predictions of %s were not given",
                 e->audio < 0 ? "an audio-only model" : "a visual-only model");
    }
    return add_rows(w, BAL_MODALITY_BOTH, err);
}

/* ---- subsets ---- */

static BalStatus add_subset(BalEvaluation *e, int side, double t, bool tabled, BalError *err) {
    BalSubset *x = &e->subset[e->n_subsets++];
    BalText number = {0};
    *x = (BalSubset){.side = side, .t = t, .tabled = tabled};
    bal_text_real(&number, t);
    BalStatus rc = bal_text_ok(&number, err);
    snprintf(x->name, sizeof x->name, "%s_dominated_%s", side > 0 ? "audio" : "visual", bal_text_str(&number));
    bal_text_reset(&number);
    return rc;
}

static bool belongs(const BalSubset *x, bool is_ties, double d) {
    return x->side ? x->side * d > (x->t > 0 ? x->t + BAL_DECIMAL_SLACK : 0) : !is_ties || d == 0;
}

/* The thresholds of the table and those of the curves, ascending, each once. */
static BalStatus make_subsets(Work *w, BalError *err) {
    BalEvaluation *e = w->e;
    const BalEvaluateSpec *spec = w->spec;
    BAL_TRY(
        bal_alloc(&e->subset, DOMINATED + 2 * ((size_t)spec->n_thresholds + BAL_CURVE_POINTS), sizeof *e->subset, err));
    static const BalSubset fixed[DOMINATED] = {{"overall", 0, 0, 0, true},
                                               {"audio_preferred", 1, 0, 0, true},
                                               {"visual_preferred", -1, 0, 0, true},
                                               {"ties", 0, 0, 0, true}};
    memcpy(e->subset, fixed, sizeof fixed);
    e->n_subsets = DOMINATED;
    e->curve[0][0] = AUDIO_PREFERRED;
    e->curve[1][0] = VISUAL_PREFERRED;
    for (int k = 0, c = 1; k < spec->n_thresholds || c < BAL_CURVE_POINTS;) {
        double table = k < spec->n_thresholds ? spec->threshold[k] : INFINITY;
        double curve = c < BAL_CURVE_POINTS ? c / (double)BAL_CURVE_POINTS : INFINITY, t = fmin(table, curve);
        for (int m = 0; m < 2; m++) {
            if (curve == t) e->curve[m][c] = e->n_subsets;
            BAL_TRY(add_subset(e, m ? -1 : 1, t, table == t, err));
        }
        k += table == t;
        c += curve == t;
    }
    for (int x = 0; x < e->n_subsets; x++)
        for (int64_t i = 0; i < w->n; i++) e->subset[x].n += belongs(&e->subset[x], x == TIES, w->d[i]);
    return BAL_OK;
}

/* ---- cells ---- */

/* Right, wrongly given and missed answers per class among m clips. */
static void count_classes(const Work *w, int run, const int64_t *member, int64_t m, int64_t *right, int64_t *wrong,
                          int64_t *missed) {
    const int32_t *answer = answers_of(w, run);
    memset(w->count, 0, 3 * (size_t)w->e->n_labels * sizeof *w->count);
    for (int64_t k = 0; k < m; k++) {
        int32_t said = answer[member[k]], is = w->label[member[k]];
        if (said == is) {
            right[is]++;
        } else {
            missed[is]++;
            if (said >= 0) wrong[said]++;
        }
    }
}

static double f1_of(int64_t right, int64_t wrong, int64_t missed) {
    return 2.0 * (double)right / (double)(2 * right + wrong + missed);
}

static double macro_f1(const Work *w, int run, int64_t m) {
    const int n = w->e->n_labels;
    int64_t *right = w->count, *wrong = right + n, *missed = wrong + n;
    double sum = 0;
    int classes = 0;
    count_classes(w, run, w->member, m, right, wrong, missed);
    for (int k = 0; k < n; k++) {
        if (right[k] + missed[k] == 0) continue;
        sum += f1_of(right[k], wrong[k], missed[k]);
        classes++;
    }
    return sum / classes;
}

/* Runs of a row that are right on clip k of the subset. */
static int n_right(const Work *w, const BalEvaluationRow *row, int64_t m, int64_t k) {
    int sum = 0;
    for (int r = row->first_run; r < row->first_run + row->n_runs; r++) sum += w->packed[r * m + k];
    return sum;
}

/* Stream of random numbers of a subset, whatever other subsets there are. */
static uint32_t stream_of(const BalSubset *x, int index) {
    return index < DOMINATED ? (uint32_t)index : 16 + 2 * (uint32_t)lround(1e5 * x->t) + (x->side < 0);
}

/* Accuracy, macro-F1, spread over runs, interval. */
static void describe(const Work *w, const BalEvaluationRow *row, BalCell *cell, int64_t m, const double *replicate) {
    double f1 = 0, squares = 0;
    int64_t right = 0;
    for (int r = row->first_run; r < row->first_run + row->n_runs; r++) {
        for (int64_t k = 0; k < m; k++) right += w->packed[r * m + k];
        f1 += macro_f1(w, r, m);
    }
    cell->accuracy = (double)right / ((double)m * row->n_runs);
    cell->macro_f1 = f1 / row->n_runs;
    for (int r = row->first_run; r < row->first_run + row->n_runs; r++) {
        int64_t own = 0;
        for (int64_t k = 0; k < m; k++) own += w->packed[r * m + k];
        squares += pow((double)own / (double)m - cell->accuracy, 2);
    }
    if (row->n_runs > 1) cell->sd_runs = sqrt(squares / (row->n_runs - 1));
    memcpy(w->difference, replicate, (size_t)w->spec->replicates * sizeof *replicate);
    bal_interval(w->difference, w->spec->replicates, &cell->low, &cell->high);
}

/* A row against the unimodal model that is best on the subset. */
static void compare(const Work *w, int row, int versus, int subset, int64_t m) {
    const BalEvaluationRow *a = &w->e->row[row], *b = &w->e->row[versus];
    const int n = w->spec->replicates;
    const double *x = w->replicate + (int64_t)row * n, *y = w->replicate + (int64_t)versus * n;
    BalCell *cell = &a->cell[subset];
    cell->versus = versus;
    cell->difference = cell->accuracy - b->cell[subset].accuracy;
    for (int k = 0; k < n; k++) w->difference[k] = x[k] - y[k];
    cell->p_bootstrap = bal_bootstrap_p(w->difference, n);
    bal_interval(w->difference, n, &cell->difference_low, &cell->difference_high);
    for (int64_t k = 0; k < m; k++) {
        int64_t ours = (int64_t)n_right(w, a, m, k) * b->n_runs, theirs = (int64_t)n_right(w, b, m, k) * a->n_runs;
        cell->gained += ours > theirs;
        cell->lost += ours < theirs;
    }
    cell->p_mcnemar = bal_mcnemar(cell->gained, cell->lost);
}

static void confuse(const Work *w, int row, int subset, int64_t m) {
    const BalEvaluationRow *x = &w->e->row[row], *a = &w->e->row[w->e->audio], *v = &w->e->row[w->e->visual];
    BalConfusion *c = &x->confusion[subset];
    for (int64_t k = 0; k < m; k++) {
        double heard = (double)n_right(w, a, m, k) / a->n_runs, seen = (double)n_right(w, v, m, k) / v->n_runs;
        double right = (double)n_right(w, x, m, k) / x->n_runs, neither = (1 - heard) * (1 - seen);
        c->audio_right += heard;
        c->visual_right += seen;
        c->either_right += 1 - neither;
        c->audio_lost += heard * (1 - right);
        c->visual_lost += seen * (1 - right);
        c->either_lost += (1 - neither) * (1 - right);
        c->gained += neither * right;
    }
}

static bool is_unimodal(const BalEvaluationRow *row) {
    return row->modality != BAL_MODALITY_BOTH;
}

static BalStatus fill_subset(Work *w, int subset, BalError *err) {
    BalEvaluation *e = w->e;
    const int n = w->spec->replicates;
    int64_t m = 0;
    int versus = -1;
    for (int64_t i = 0; i < w->n; i++)
        if (belongs(&e->subset[subset], subset == TIES, w->d[i])) w->member[m++] = i;
    if (!m) return BAL_OK;
    for (int r = 0; r < e->n_runs; r++)
        for (int64_t k = 0; k < m; k++) w->packed[r * m + k] = w->right[r * w->n + w->member[k]];
    const BalBootstrap b = {.right = w->packed,
                            .first = w->first,
                            .n_methods = e->n_rows,
                            .n = m,
                            .replicates = n,
                            .threads = w->spec->threads,
                            .seed = w->spec->seed,
                            .stream = stream_of(&e->subset[subset], subset)};
    BAL_TRY(bal_bootstrap(&b, w->replicate, err));
    for (int r = 0; r < e->n_rows; r++) {
        BalCell *cell = &e->row[r].cell[subset];
        describe(w, &e->row[r], cell, m, w->replicate + (int64_t)r * n);
        if (is_unimodal(&e->row[r]) && (versus < 0 || cell->accuracy > e->row[versus].cell[subset].accuracy))
            versus = r;
    }
    for (int r = 0; r < e->n_rows; r++) {
        if (is_unimodal(&e->row[r])) continue;
        if (versus >= 0) compare(w, r, versus, subset, m);
        if (e->row[r].confusion) confuse(w, r, subset, m);
    }
    return BAL_OK;
}

static void fill_classes(const Work *w, BalEvaluationRow *row) {
    const int n = w->e->n_labels;
    int64_t *right = w->count, *wrong = right + n, *missed = wrong + n;
    for (int64_t i = 0; i < w->n; i++) w->member[i] = i;
    for (int r = row->first_run; r < row->first_run + row->n_runs; r++) {
        count_classes(w, r, w->member, w->n, right, wrong, missed);
        for (int k = 0; k < n; k++) {
            BalClassResult *c = &row->by_class[k];
            int64_t said = right[k] + wrong[k];
            c->recall += (double)right[k] / (double)(right[k] + missed[k]) / row->n_runs;
            c->precision += (said ? (double)right[k] / (double)said : 0) / row->n_runs;
            c->f1 += f1_of(right[k], wrong[k], missed[k]) / row->n_runs;
        }
    }
}

static void decide(BalEvaluation *e, BalEvaluationRow *row) {
    row->beats_all = -1;
    if (is_unimodal(row) || e->audio < 0 || e->visual < 0) return;
    row->beats_all = 1;
    for (int x = 0; x < e->n_subsets; x++)
        if (e->subset[x].tabled && e->subset[x].n && !(row->cell[x].difference > 0)) row->beats_all = 0;
}

static BalStatus fill_rows(Work *w, BalError *err) {
    BalEvaluation *e = w->e;
    const size_t n = (size_t)w->n, rows = (size_t)e->n_rows, replicates = (size_t)w->spec->replicates;
    static const BalCell empty = {.accuracy = NAN,
                                  .macro_f1 = NAN,
                                  .low = NAN,
                                  .high = NAN,
                                  .sd_runs = NAN,
                                  .versus = -1,
                                  .difference = NAN,
                                  .difference_low = NAN,
                                  .difference_high = NAN,
                                  .p_bootstrap = NAN,
                                  .p_mcnemar = NAN};
    BAL_TRY(bal_alloc(&w->member, n, sizeof *w->member, err));
    BAL_TRY(bal_alloc(&w->packed, (size_t)e->n_runs * n, 1, err));
    BAL_TRY(bal_alloc(&w->replicate, rows * replicates, sizeof *w->replicate, err));
    BAL_TRY(bal_alloc(&w->difference, replicates, sizeof *w->difference, err));
    BAL_TRY(bal_alloc(&w->count, 3 * (size_t)e->n_labels, sizeof *w->count, err));
    for (int r = 0; r < e->n_rows; r++) {
        BalEvaluationRow *row = &e->row[r];
        BAL_TRY(bal_alloc(&row->cell, (size_t)e->n_subsets, sizeof *row->cell, err));
        BAL_TRY(bal_alloc(&row->by_class, (size_t)e->n_labels, sizeof *row->by_class, err));
        if (!is_unimodal(row) && e->audio >= 0 && e->visual >= 0)
            BAL_TRY(bal_alloc(&row->confusion, (size_t)e->n_subsets, sizeof *row->confusion, err));
        for (int x = 0; x < e->n_subsets; x++) row->cell[x] = empty;
        w->first[r] = row->first_run;
        w->first[r + 1] = row->first_run + row->n_runs;
    }
    for (int x = 0; x < e->n_subsets; x++) BAL_TRY(fill_subset(w, x, err));
    for (int r = 0; r < e->n_rows; r++) {
        fill_classes(w, &e->row[r]);
        decide(e, &e->row[r]);
    }
    return BAL_OK;
}

BalStatus bal_evaluation_check(const BalEvaluation *e, BalError *err) {
    for (int r = 0; r < e->n_rows; r++) {
        double sum = 0;
        for (int x = AUDIO_PREFERRED; x <= TIES; x++)
            if (e->subset[x].n) sum += (double)e->subset[x].n * e->row[r].cell[x].accuracy;
        double overall = e->row[r].cell[OVERALL].accuracy, mean = sum / (double)e->n;
        if (!(fabs(overall - mean) <= 1e-9))
            return BAL_FAIL(
                err, BAL_E_NUMERIC,
                "%s: the overall accuracy %.6f is not the mean %.6f of its subsets; such a table must not be shown",
                e->row[r].name, overall, mean);
    }
    return BAL_OK;
}

static BalStatus evaluate(Work *w, BalError *err) {
    BalEvaluation *e = w->e;
    BAL_TRY(allocate(w, err));
    BAL_TRY(check_origin(w, "store", offsetof(BalPredictions, store_hash), e->store_hash, &e->mixed_stores, err));
    BAL_TRY(
        check_origin(w, "recipe", offsetof(BalPredictions, protocol_hash), e->protocol_hash, &e->mixed_recipes, err));
    BAL_TRY(choose_clips(w, err));
    for (int k = 0; k < w->n_p; k++) BAL_TRY(check_answers(w, &w->p[k], err));
    BAL_TRY(make_rows(w, err));
    BAL_TRY(make_subsets(w, err));
    BAL_TRY(fill_rows(w, err));
    return bal_evaluation_check(e, err);
}

BalStatus bal_evaluate(BalEvaluation *out, const BalScores *scores, const BalPredictions *p, int n,
                       const BalEvaluateSpec *spec, BalError *err) {
    BalEvaluation e = {.replicates = spec->replicates, .seed = spec->seed, .audio = -1, .visual = -1};
    Work w = {.s = scores, .p = p, .n_p = n, .spec = spec, .e = &e};
    if (n < 1) return BAL_FAIL(err, BAL_E_ARG, "there are no predictions to evaluate");
    if (spec->replicates < 1) return BAL_FAIL(err, BAL_E_ARG, "an interval needs at least one replicate");
    for (int k = 0; k < spec->n_thresholds; k++)
        if (!(spec->threshold[k] > (k ? spec->threshold[k - 1] : 0) && spec->threshold[k] < 1))
            return BAL_FAIL(err, BAL_E_ARG, "threshold %g: give numbers between 0 and 1, ascending",
                            spec->threshold[k]);
    for (int k = 0; k < n; k++)
        if (p[k].n != scores->n) return BAL_FAIL(err, BAL_E_ARG, "%s was read for other scores", p[k].path);
    BalStatus rc = evaluate(&w, err);
    bal_free(w.clip);
    bal_free(w.d);
    bal_free(w.label);
    bal_free(w.label_of);
    bal_free(w.source);
    bal_free(w.answer);
    bal_free(w.right);
    bal_free(w.member);
    bal_free(w.packed);
    bal_free(w.first);
    bal_free(w.replicate);
    bal_free(w.difference);
    bal_free(w.count);
    if (rc >= 0) {
        *out = e;
        return BAL_OK;
    }
    bal_evaluation_reset(&e);
    return rc;
}

void bal_evaluation_reset(BalEvaluation *e) {
    for (int r = 0; r < e->n_rows; r++) {
        bal_free(e->row[r].cell);
        bal_free(e->row[r].confusion);
        bal_free(e->row[r].by_class);
    }
    bal_free(e->row);
    bal_free(e->run);
    bal_free(e->subset);
    bal_free(e->label);
    bal_free(e->label_n);
    bal_free(e->text);
    *e = (BalEvaluation){0};
}
