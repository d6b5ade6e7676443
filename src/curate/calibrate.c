/* Temperature scaling (Guo, Pleiss, Sun, Weinberger, "On calibration of modern neural networks", 2017).
 *
 * One number per scorer divides its logits. It changes no answer of the network over its own classes, but how sure it is; and since
 * two networks are sure to different degrees, a discrepancy between their raw confidences says as much about the networks as about
 * the clip. The likelihood is that of the categories, sums over classes, for which convexity in 1/T is lost: hence a scan over the whole
 * range before the golden section. */
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "curate/side.h"

#define LOWEST  0.05
#define HIGHEST 20.0
#define FLOOR_P 1e-12
enum { SCAN = 61, GOLDEN_STEPS = 40 };

typedef struct Clips { /* those that count, as rows of the outputs */
    BalSideOutputs side;
    const BalOutputs **outputs; /* [n] where each is */
    const BalCategoryMap **map;
    int64_t *row, n;
    int32_t *category;
    double *p; /* [n_categories] */
} Clips;

static void clips_close(Clips *c) {
    bal_side_close(&c->side);
    bal_free(c->outputs);
    bal_free(c->map);
    bal_free(c->row);
    bal_free(c->category);
    bal_free(c->p);
}

/* First of the outputs that has the clip; false: none. */
static bool find_row(Clips *c, const char *id) {
    for (int k = 0; k < c->side.n; k++) {
        const BalOutputs *o = &c->side.outputs[k];
        const int64_t row = bal_name_index_find(&o->by_id, id, strlen(id));
        if (row < 0 || !bal_outputs_row(o, row, 1, c->side.q)) continue;
        c->outputs[c->n] = o;
        c->map[c->n] = &c->side.map[k];
        c->row[c->n] = row;
        return true;
    }
    return false;
}

static BalStatus clips_open(Clips *c, const BalManifest *m, const BalCategories *categories,
                            const BalCalibrateSpec *spec, int64_t *unscored, BalError *err) {
    int32_t *of = NULL;
    const size_t n = (size_t)m->n;
    BAL_TRY(bal_side_open(&c->side, categories, spec->side, spec->outputs, spec->n_outputs, 1, err));
    for (int k = 0; k < c->side.n; k++)
        if (!c->side.outputs[k].n_classes)
            return BAL_FAIL(err, BAL_E_ARG, "%s: a temperature can be found from the probabilities of all classes only",
                            c->side.outputs[k].path);
    BAL_TRY(bal_alloc(&c->outputs, n, sizeof *c->outputs, err));
    BAL_TRY(bal_alloc(&c->map, n, sizeof *c->map, err));
    BAL_TRY(bal_alloc(&c->row, n, sizeof *c->row, err));
    BAL_TRY(bal_alloc(&c->category, n, sizeof *c->category, err));
    BAL_TRY(bal_alloc(&c->p, (size_t)categories->n, sizeof *c->p, err));
    BAL_TRY(bal_alloc(&of, (size_t)m->n_classes, sizeof *of, err));
    for (int k = 0; k < m->n_classes; k++) of[k] = bal_category_of_label(categories, m->classes[k]);
    for (int64_t i = 0; i < m->n; i++) {
        const BalClip *clip = &m->clip[i];
        if (clip->label < 0 || of[clip->label] < 0) continue;
        if (spec->split != BAL_SPLIT_NONE && clip->split != spec->split) continue;
        c->category[c->n] = of[clip->label];
        if (find_row(c, clip->id))
            c->n++;
        else
            ++*unscored;
    }
    bal_free(of);
    if (c->n) return BAL_OK;
    return BAL_FAIL(
        err, BAL_E_FORMAT,
        "none of %lld clips has a label that is a category, the wanted split, and outputs; are the ids the same?",
        (long long)m->n);
}

static BalStatus score(Clips *c, int64_t i, double temperature, BalCategoryScore *s, BalError *err) {
    (void)bal_outputs_row(c->outputs[i], c->row[i], temperature, c->side.q);
    return bal_category_score(s, c->map[i], c->side.q, c->category[i], BAL_CORRECT_SUM, c->p, err);
}

static BalStatus likelihood(Clips *c, double temperature, double *nll, BalError *err) {
    BalCategoryScore s;
    double sum = 0;
    for (int64_t i = 0; i < c->n; i++) {
        BAL_TRY(score(c, i, temperature, &s, err));
        sum -= log(fmax(s.p, FLOOR_P));
    }
    *nll = sum / (double)c->n;
    return BAL_OK;
}

static BalStatus reliability(Clips *c, double temperature, BalReliability *r, BalError *err) {
    *r = (BalReliability){0};
    for (int64_t i = 0; i < c->n; i++) {
        BalCategoryScore s;
        BAL_TRY(score(c, i, temperature, &s, err));
        const double p = fmin(s.top_p, 1), right = s.top == c->category[i];
        int k = (int)ceil(p * BAL_RELIABILITY_BINS) - 1;
        if (k < 0) k = 0;
        r->count[k]++;
        r->confidence[k] += p;
        r->accuracy[k] += right;
        r->nll -= log(fmax(s.p, FLOOR_P));
        r->mean += p;
        r->right += right;
    }
    for (int k = 0; k < BAL_RELIABILITY_BINS; k++) {
        r->ece += fabs(r->accuracy[k] - r->confidence[k]);
        r->confidence[k] /= (double)r->count[k]; /* 0/0: NaN */
        r->accuracy[k] /= (double)r->count[k];
    }
    const double n = (double)c->n;
    r->nll /= n;
    r->ece /= n;
    r->mean /= n;
    r->right /= n;
    return BAL_OK;
}

/* Smallest likelihood over ln T: the best point of a scan, then a golden section between its neighbours. */
static BalStatus search(Clips *c, BalCalibration *out, BalError *err) {
    const double low = log(LOWEST), step = (log(HIGHEST) - low) / (SCAN - 1), golden = 0.61803398874989485;
    double best = INFINITY, nll, at[2], value[2];
    int best_at = 0;
    for (int k = 0; k < SCAN; k++) {
        BAL_TRY(likelihood(c, exp(low + step * k), &nll, err));
        if (nll < best) best = nll, best_at = k;
    }
    out->at_edge = best_at == 0 || best_at == SCAN - 1;
    out->temperature = best_at ? HIGHEST : LOWEST;
    if (out->at_edge) return BAL_OK;
    double a = low + step * (best_at - 1), b = low + step * (best_at + 1);
    for (int k = 0; k < 2; k++) {
        at[k] = k ? a + golden * (b - a) : b - golden * (b - a);
        BAL_TRY(likelihood(c, exp(at[k]), &value[k], err));
    }
    for (int i = 0; i < GOLDEN_STEPS && b - a > 1e-5; i++) {
        const int drop = value[0] < value[1]; /* the side that the minimum is not on */
        if (drop)
            b = at[1], at[1] = at[0], value[1] = value[0];
        else
            a = at[0], at[0] = at[1], value[0] = value[1];
        const int new = !drop;
        at[new] = new ? a + golden *(b - a) : b - golden *(b - a);
        BAL_TRY(likelihood(c, exp(at[new]), &value[new], err));
    }
    /* digits that another machine's exp() cannot change */
    out->temperature = round(exp((a + b) / 2) * 1e4) / 1e4;
    return BAL_OK;
}

BalStatus bal_calibrate(BalCalibration *out, const BalManifest *clips, const BalCalibrateSpec *spec, BalError *err) {
    BalCategories own = {0};
    BalCalibration r = {0};
    Clips c = {0};
    BalStatus rc;
    if (!spec->categories) BAL_TRY(bal_categories_plain(&own, clips->classes, clips->n_classes, err));
    const BalCategories *categories = spec->categories ? spec->categories : &own;
    BAL_TRY_OR(done, clips_open(&c, clips, categories, spec, &r.unscored, err));
    r.n = c.n;
    BAL_TRY_OR(done, search(&c, &r, err));
    BAL_TRY_OR(done, reliability(&c, 1, &r.before, err));
    BAL_TRY_OR(done, reliability(&c, r.temperature, &r.after, err));
    *out = r;
done:
    clips_close(&c);
    bal_categories_reset(&own);
    return rc;
}
