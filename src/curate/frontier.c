/* What size costs in evenness, and what plain trimming costs in size. */
#include <math.h>

#include "base/mem.h"
#include "curate/balance.h"
#include "curate/selection.h"

/* ---- frontier ---- */

/* Up to `most` levels from 1 to top, the steps growing with the level; the last is top. */
static int64_t next_level(int64_t level, int64_t top, int most) {
    const double factor = pow((double)top, 1.0 / most);
    const int64_t next = (int64_t)ceil((double)level * factor);
    return next > level + 1 ? next : level + 1;
}

static BalStatus add_point(BalFrontier *f, size_t *cap, const BalSelectResult *s, const BalSelectSpec *spec,
                           int64_t *bins, BalError *err) {
    BalPlan plan = {0};
    BalStatus rc = bal_plan_make(&plan, spec, &s->parts->cells, err);
    if (rc >= 0 && plan.possible) rc = bal_grow(&f->point, cap, (size_t)f->n + 1, sizeof *f->point, err);
    if (rc >= 0 && plan.possible) {
        for (int b = 0; b < s->n_bins; b++) bins[b] = 0;
        for (int i = 0; i < s->n_classes * s->n_bins; i++) bins[i % s->n_bins] += plan.x[i];
        f->point[f->n++] = (BalFrontierPoint){spec->level, plan.kept, bal_balance_of(bins, s->eligible, s->n_bins)};
    }
    bal_plan_reset(&plan);
    return rc;
}

BalStatus bal_frontier_make(BalFrontier *out, const BalSelectResult *s, int most, BalError *err) {
    BalFrontier f = {0};
    BalSelectSpec spec = s->spec;
    int64_t top = 0, *bins = NULL;
    size_t cap = 0;
    BalStatus rc;
    BAL_TRY(bal_alloc(&bins, (size_t)s->n_bins, sizeof *bins, err));
    for (int b = 0; b < s->n_bins; b++)
        if (s->eligible[b] && s->parts->rule.bin_n[b] > top) top = s->parts->rule.bin_n[b];
    spec.policy = BAL_POLICY_WATERFILL;
    spec.budget = BAL_BUDGET_NONE;
    rc = bal_alloc(&f.point, 0, sizeof *f.point, err);
    for (spec.level = 1; spec.level <= top && rc >= 0; spec.level = next_level(spec.level, top, most))
        rc = add_point(&f, &cap, s, &spec, bins, err);
    spec.level = top;
    if (rc >= 0 && top && (!f.n || f.point[f.n - 1].level < top)) rc = add_point(&f, &cap, s, &spec, bins, err);
    if (rc < 0)
        bal_frontier_reset(&f);
    else
        *out = f;
    bal_free(bins);
    return rc;
}

void bal_frontier_reset(BalFrontier *f) {
    bal_free(f->point);
    *f = (BalFrontier){0};
}

/* ---- plain trimming ---- */

static int64_t trimmed_bin(const BalRule *r, int b, int64_t level) {
    const int64_t high = bal_rule_high(r, b, level);
    return high < r->bin_n[b] ? high : r->bin_n[b];
}

/* Clips of a class that are left on average. */
static double trimmed_class(const BalRule *r, int c, int64_t level) {
    const int n = r->cells->n_bins;
    double sum = 0;
    for (int b = 0; b < n; b++)
        if (r->eligible[b] && r->bin_n[b])
            sum += (double)trimmed_bin(r, b, level) * (double)r->cells->n[c * n + b] / (double)r->bin_n[b];
    return sum;
}

static bool within(const BalRule *r, int64_t level, bool low) {
    for (int c = 0; c < r->cells->n_classes; c++) {
        const double left = trimmed_class(r, c, level);
        if (low ? left < (double)r->class_low - 1e-6 : left > (double)r->class_high + 1e-6) return false;
    }
    return true;
}

int64_t bal_trimmed(const BalRule *r) {
    int bin;
    int64_t good = 0, bad = bal_rule_top(r, &bin) + 1, kept = 0;
    if (!bal_rule_has_levels(r)) return -1;
    while (bad - good > 1) {
        const int64_t middle = good + (bad - good) / 2;
        if (within(r, middle, false))
            good = middle;
        else
            bad = middle;
    }
    if (!within(r, good, true)) return 0;
    for (int b = 0; b < r->cells->n_bins; b++)
        if (r->eligible[b]) kept += trimmed_bin(r, b, good);
    return kept;
}
