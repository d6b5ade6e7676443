/* Limits of bins and the arithmetic of cuts: see rule.h.
 *
 * The lower and the upper limit of a bin never fall as the level rises. Hence a cut that shows at one level that bins need more than
 * there is shows it for all higher levels; one that shows that classes must give more than bins may take, for all lower ones; and one
 * that bounds the size, for all lower ones. The levels that are possible are an interval, the highest of them allows the most clips,
 * and two cuts prove that: one at this level, one at the next. */
#include "curate/rule.h"

#include <math.h>

#include "base/mem.h"

#define MILLION 1000000
__extension__ typedef __int128 Wide;

const char *const bal_policy_names[BAL_POLICIES + 1] = {"strict", "ratio", "waterfill", "mirror", "plane", NULL};

const char *bal_policy_name(BalPolicy policy) {
    return bal_policy_names[policy];
}

BalSelectSpec bal_select_spec_default(void) {
    return (BalSelectSpec){.policy = BAL_POLICY_RATIO, .bins = 20, .ratio = 1.5, .class_max = 1600, .min_per_bin = 30};
}

static BalStatus check_policy(const BalSelectSpec *s, BalError *err) {
    if (s->policy == BAL_POLICY_WATERFILL && (s->level > 0) == (s->budget != BAL_BUDGET_NONE))
        return BAL_FAIL(err, BAL_E_ARG, "waterfill needs a level or a budget, and only one of them");
    if (s->policy != BAL_POLICY_WATERFILL && (s->level > 0 || s->budget != BAL_BUDGET_NONE))
        return BAL_FAIL(err, BAL_E_ARG, "a level or a budget is for the policy waterfill, not for %s",
                        bal_policy_names[s->policy]);
    if (s->policy == BAL_POLICY_MIRROR && (s->class_min > 0 || s->class_max > 0))
        return BAL_FAIL(err, BAL_E_ARG, "mirror cuts bins alone: it takes no limits of classes");
    if (s->policy == BAL_POLICY_PLANE && s->grid)
        return BAL_FAIL(err, BAL_E_ARG,
                        "plane is a target for bins of d; cells of a grid are uniform over the square "
                        "under every other policy");
    return BAL_OK;
}

BalStatus bal_select_spec_check(const BalSelectSpec *s, BalError *err) {
    if (s->grid ? s->grid < 2 || s->grid > 30 : s->bins < 2 || s->bins > 200 || s->bins % 2)
        return s->grid ? BAL_FAIL(err, BAL_E_ARG, "a grid of %d: give 2 to 30 cells per side", s->grid)
                       : BAL_FAIL(err, BAL_E_ARG, "%d bins: give an even number from 2 to 200", s->bins);
    if (!(s->ratio >= 1 && s->ratio <= 1000))
        return BAL_FAIL(err, BAL_E_ARG, "ratio %g: give a number from 1 to 1000", s->ratio);
    if (!(s->tolerance >= 0 && s->tolerance <= 0.999))
        return BAL_FAIL(err, BAL_E_ARG, "tolerance %g: give a number from 0 to 0.999", s->tolerance);
    const int64_t number[] = {s->level, s->class_min, s->class_max, s->min_per_bin, s->per_source};
    for (size_t i = 0; i < sizeof number / sizeof *number; i++)
        if (number[i] < 0 || number[i] > BAL_MOST_CLIPS)
            return BAL_FAIL(err, BAL_E_ARG, "%lld is no number of clips", (long long)number[i]);
    if (s->class_max > 0 && s->class_min > s->class_max)
        return BAL_FAIL(err, BAL_E_ARG, "at least %lld clips per class and at most %lld contradict each other",
                        (long long)s->class_min, (long long)s->class_max);
    return check_policy(s, err);
}

/* ---- limits ---- */

/* Bins of d: k steps from the middle hold 2h - 2k + 1 of the 2h^2 parts of a square cut along its diagonals. */
static int64_t weight_of(const BalSelectSpec *s, int b) {
    if (s->policy != BAL_POLICY_PLANE) return 1;
    int half = s->bins / 2, k = b < half ? half - b : b - half + 1;
    return 2 * half - 2 * k + 1;
}

static int mirrored(const BalRule *r, int b) {
    int g = r->spec->grid;
    return g ? b % g * g + b / g : r->cells->n_bins - 1 - b;
}

BalStatus bal_rule_make(BalRule *r, const BalSelectSpec *spec, const BalCells *cells, BalError *err) {
    const size_t n = (size_t)cells->n_bins;
    BalStatus rc;
    *r = (BalRule){.spec = spec, .cells = cells, .low_ppm = MILLION, .high_ppm = MILLION};
    BAL_TRY_OR(fail, bal_alloc(&r->bin_n, n, sizeof *r->bin_n, err));
    BAL_TRY_OR(fail, bal_alloc(&r->bin_must, n, sizeof *r->bin_must, err));
    BAL_TRY_OR(fail, bal_alloc(&r->weight, n, sizeof *r->weight, err));
    BAL_TRY_OR(fail, bal_alloc(&r->eligible, n, sizeof *r->eligible, err));
    for (int i = 0; i < cells->n_classes * cells->n_bins; i++) {
        r->bin_n[i % cells->n_bins] += cells->n[i];
        r->bin_must[i % cells->n_bins] += cells->must[i];
    }
    for (int b = 0; b < cells->n_bins; b++) {
        r->all += r->bin_n[b];
        r->weight[b] = weight_of(spec, b);
        r->eligible[b] = r->bin_n[b] >= spec->min_per_bin;
        r->n_eligible += r->eligible[b];
    }
    if (spec->policy == BAL_POLICY_STRICT) {
        int64_t e = llround(spec->tolerance * MILLION);
        r->low_ppm -= e;
        r->high_ppm += e;
    } else {
        r->high_ppm = llround(spec->ratio * MILLION);
    }
    r->class_low = spec->class_min;
    r->class_high = spec->class_max > 0 ? spec->class_max : r->all > r->class_low ? r->all : r->class_low;
    return BAL_OK;
fail:
    bal_rule_reset(r);
    return rc;
}

void bal_rule_reset(BalRule *r) {
    bal_free(r->bin_n);
    bal_free(r->bin_must);
    bal_free(r->weight);
    bal_free(r->eligible);
    *r = (BalRule){0};
}

bool bal_rule_has_levels(const BalRule *r) {
    return r->spec->policy != BAL_POLICY_WATERFILL && r->spec->policy != BAL_POLICY_MIRROR;
}

/* level * weight * ppm / 10^6, rounded up or down, at most `most`. */
static int64_t share_of(int64_t level, int64_t weight, int64_t ppm, bool up, int64_t most) {
    const Wide v = ((Wide)level * weight * ppm + (up ? MILLION - 1 : 0)) / MILLION;
    return v < most ? (int64_t)v : most;
}

int64_t bal_rule_low(const BalRule *r, int b, int64_t level) {
    if (!r->eligible[b]) return r->bin_must[b];
    return bal_rule_has_levels(r) ? share_of(level, r->weight[b], r->low_ppm, true, r->all + 1) : 0;
}

int64_t bal_rule_high(const BalRule *r, int b, int64_t level) {
    int64_t high;
    if (!r->eligible[b]) return r->bin_must[b];
    if (bal_rule_has_levels(r)) return share_of(level, r->weight[b], r->high_ppm, false, r->all + 1);
    if (r->spec->policy == BAL_POLICY_MIRROR)
        high = r->bin_n[mirrored(r, b)] < r->bin_n[b] ? r->bin_n[mirrored(r, b)] : r->bin_n[b];
    else
        high = level;
    return high > r->bin_must[b] ? high : r->bin_must[b];
}

int64_t bal_rule_top(const BalRule *r, int *bin) {
    int64_t top = 0;
    *bin = -1;
    for (int b = 0; b < r->cells->n_bins; b++) {
        if (!r->eligible[b]) continue;
        const int64_t t = (int64_t)((Wide)r->bin_n[b] * MILLION / (r->weight[b] * r->low_ppm));
        if (*bin >= 0 && t >= top) continue;
        top = t;
        *bin = b;
    }
    return top;
}

/* ---- cuts ---- */

BalStatus bal_cut_make(BalCut *c, const BalCells *cells, BalError *err) {
    *c = (BalCut){0};
    BAL_TRY(bal_alloc(&c->class_in, (size_t)cells->n_classes, sizeof *c->class_in, err));
    BalStatus rc = bal_alloc(&c->bin_in, (size_t)cells->n_bins, sizeof *c->bin_in, err);
    if (rc < 0) bal_cut_reset(c);
    return rc;
}

void bal_cut_reset(BalCut *c) {
    bal_free(c->class_in);
    bal_free(c->bin_in);
    *c = (BalCut){0};
}

int64_t bal_cut_value(const BalCut *c, const BalRule *r, int64_t level) {
    const BalCells *x = r->cells;
    int64_t leaves = 0, must = 0, need = 0,
            take = 0; /* clips out of its classes, must-keep into its bins, limits on both sides */
    for (int k = 0; k < x->n_classes; k++) {
        if (c->kind == BAL_CUT_CLASSES && c->class_in[k]) need += r->class_low;
        if (c->kind != BAL_CUT_CLASSES && !c->class_in[k]) take += r->class_high;
        for (int b = 0; b < x->n_bins; b++) {
            if (c->class_in[k] && !c->bin_in[b]) leaves += x->n[k * x->n_bins + b];
            if (!c->class_in[k] && c->bin_in[b]) must += x->must[k * x->n_bins + b];
        }
    }
    for (int b = 0; b < x->n_bins; b++) {
        if (c->kind == BAL_CUT_BINS && !c->bin_in[b]) need += bal_rule_low(r, b, level);
        if (c->kind != BAL_CUT_BINS && c->bin_in[b]) take += bal_rule_high(r, b, level);
    }
    return c->kind == BAL_CUT_SIZE ? take + leaves - must : need + must - take - leaves;
}
