/* Plans against the project's vectors, and thousands of small random ones against every possible selection. */
#include <math.h>

#include "base/check.h"
#include "base/json.h"
#include "base/rng.h"
#include "curate/balance.h"
#include "curate/plan.h"

static BalJson *vectors;

static int vectors_open(void **state) {
    (void)state;
    BalError err = {0};
    const char *path = AVB_SOURCE_DIR "/../shared/vectors/building.json";
    if (bal_file_exists(path)) return bal_json_load(&vectors, path, &err) == BAL_OK ? 0 : -1;
    print_message("shared/vectors/building.json is absent: vectors are not compared\n");
    return 0;
}

static int vectors_close(void **state) {
    (void)state;
    bal_json_free(&vectors);
    return 0;
}

static const BalJson *vector(const char *name) {
    if (!vectors) skip();
    const BalJson *v = bal_json_get(bal_json_get(vectors, "selection"), name);
    if (!v) fail_msg("there is no vector selection.%s", name);
    return v;
}

/* Numbers of nested arrays, outermost first. */
static int numbers(const BalJson *v, int64_t *out, int n) {
    if (bal_json_type(v) != BAL_JSON_ARRAY) {
        out[n] = bal_json_int(v, -1);
        return n + 1;
    }
    for (size_t i = 0; i < bal_json_size(v); i++) n = numbers(bal_json_at(v, i), out, n);
    return n;
}

static void bin_totals(const BalCells *cells, const int64_t *x, int64_t *out) {
    for (int b = 0; b < cells->n_bins; b++) out[b] = 0;
    for (int i = 0; i < cells->n_classes * cells->n_bins; i++) out[i % cells->n_bins] += x[i];
}

static void sort_down(int64_t *x, int n) {
    for (int i = 1; i < n; i++)
        for (int k = i; k > 0 && x[k] > x[k - 1]; k--) {
            int64_t t = x[k];
            x[k] = x[k - 1];
            x[k - 1] = t;
        }
}

/* ---- vectors ---- */

static void test_class_bin(void **state) {
    (void)state;
    const BalJson *all = vector("class_bin");
    for (size_t i = 0; i < bal_json_size(all); i++) {
        const BalJson *v = bal_json_at(all, i);
        int64_t n[64], must[64], low[8], high[8], bins[8];
        const int n_classes = numbers(bal_json_get(v, "class_lower"), low, 0);
        const int cells = numbers(bal_json_get(v, "avail"), n, 0), n_bins = cells / n_classes;
        const bool has_strict = bal_json_type(bal_json_get(v, "strict_t")) == BAL_JSON_INT;
        BalError err = {0};
        BalFlow f;
        assert_int_equal(numbers(bal_json_get(v, "must_keep"), must, 0), cells);
        assert_int_equal(numbers(bal_json_get(v, "class_upper"), high, 0), n_classes);
        assert_ok(bal_flow_make(&f, n_classes, n_bins, must, n, &err));

        /* strict, level by level */
        int64_t best = -1;
        for (int64_t t = 0; t < 20; t++) {
            int64_t level[8];
            for (int b = 0; b < n_bins; b++) level[b] = t;
            if (bal_flow_find(&f, &(BalLimits){low, high, level, level})) best = t;
        }
        assert_int_equal(best, has_strict ? bal_json_int(bal_json_get(v, "strict_t"), -2) : -1);

        /* least majorised bins of every size that a water level gives */
        int sizes = 0;
        for (int64_t t = 1; t < 20; t++) {
            int64_t zero[8] = {0}, level[8], x[64], want[8];
            char key[16];
            for (int b = 0; b < n_bins; b++) level[b] = t;
            if (!bal_flow_find(&f, &(BalLimits){low, high, zero, level})) continue;
            const int64_t size = bal_flow_maximise(&f);
            snprintf(key, sizeof key, "%d", (int)size);
            assert_int_equal(numbers(bal_json_get(bal_json_get(v, "least_majorised_sorted"), key), want, 0), n_bins);
            bal_flow_even_bins(&f, NULL);
            bal_flow_read(&f, x);
            bin_totals(&(BalCells){n_classes, n_bins, n, must}, x, bins);
            sort_down(bins, n_bins);
            for (int b = 0; b < n_bins; b++) assert_int_equal(bins[b], want[b]);
            if (t == 19) assert_int_equal(size, bal_json_int(bal_json_get(v, "max_size_unconstrained_bins"), -1));
            sizes++;
        }
        assert_true(sizes > 14);
        bal_flow_reset(&f);
    }
}

static BalSelectSpec plain(BalPolicy policy) {
    return (BalSelectSpec){.policy = policy, .bins = 20, .ratio = 1.5};
}

static int64_t plan_bins(const BalSelectSpec *spec, const int64_t *n, int n_bins, int64_t *bins) {
    static const int64_t none[64];
    const BalCells cells = {1, n_bins, n, none};
    BalError err = {0};
    BalPlan p;
    assert_ok(bal_plan_make(&p, spec, &cells, &err));
    assert_true(p.possible && p.optimal);
    memcpy(bins, p.x, (size_t)n_bins * sizeof *bins);
    const int64_t kept = p.kept;
    bal_plan_reset(&p);
    return kept;
}

static void test_histogram(void **state) {
    (void)state;
    const BalJson *all = vector("histogram");
    for (size_t i = 0; i < bal_json_size(all); i++) {
        const BalJson *v = bal_json_at(all, i), *water = bal_json_get(v, "waterfill");
        int64_t n[8], got[8], want[8];
        const int n_bins = numbers(bal_json_get(v, "avail"), n, 0);
        BalSelectSpec s = plain(BAL_POLICY_STRICT);
        assert_int_equal(plan_bins(&s, n, n_bins, got), bal_json_int(bal_json_get(v, "strict_all_bins"), -1));
        s.min_per_bin = 1;
        assert_int_equal(plan_bins(&s, n, n_bins, got), bal_json_int(bal_json_get(v, "strict_eligible"), -1));
        s = plain(BAL_POLICY_RATIO);
        s.ratio = 2;
        assert_int_equal(plan_bins(&s, n, n_bins, got), bal_json_int(bal_json_get(v, "ratio2_size"), -1));
        if (bal_json_type(bal_json_get(v, "ratio2")) == BAL_JSON_ARRAY) {
            numbers(bal_json_get(v, "ratio2"), want, 0);
            for (int b = 0; b < n_bins; b++) assert_int_equal(got[b], want[b]);
        }
        for (void *it = bal_json_first(water); it; it = bal_json_next(water, it)) {
            s = plain(BAL_POLICY_WATERFILL);
            s.level = atoi(bal_json_key(it));
            numbers(bal_json_value(it), want, 0);
            plan_bins(&s, n, n_bins, got);
            for (int b = 0; b < n_bins; b++) assert_int_equal(got[b], want[b]);
        }
    }
}

static void near(const BalJson *v, const char *key, double got) {
    const BalJson *want = bal_json_get(v, key);
    if (bal_json_type(want) == BAL_JSON_NULL)
        assert_true(isnan(got));
    else
        assert_true(fabs(got - bal_json_real(want, NAN)) < 1e-12);
}

static void test_metrics(void **state) {
    (void)state;
    const BalJson *all = vector("metrics");
    for (size_t i = 0; i < bal_json_size(all); i++) {
        const BalJson *v = bal_json_at(all, i);
        int64_t x[8];
        const int n = numbers(bal_json_get(v, "x"), x, 0);
        const BalBalance b = bal_balance(x, n);
        near(v, "kl_nats", b.kl);
        near(v, "kl_norm", b.kl_norm);
        near(v, "chi2", b.chi2);
        near(v, "cramers_v_like", b.spread);
        near(v, "gini", b.gini);
        near(v, "max_min", b.max_min);
        near(v, "w1_bins", b.w1_bins);
        near(v, "tv", b.tv);
    }
}

static void test_plane(void **state) {
    (void)state;
    const BalJson *mass = vector("uniform_plane_mass_B20");
    int64_t n[20], got[20];
    for (int b = 0; b < 20; b++) n[b] = 1900;
    BalSelectSpec s = plain(BAL_POLICY_PLANE);
    s.ratio = 1;
    assert_int_equal(plan_bins(&s, n, 20, got), 20000);
    for (int b = 0; b < 20; b++)
        assert_true(fabs((double)got[b] / 20000 - bal_json_real(bal_json_at(mass, (size_t)b), 0)) < 1e-12);

    /* measured by its own target it is as even as can be; one bin too full shows in every measure */
    int64_t weight[20];
    for (int b = 0; b < 20; b++) weight[b] = got[b] / got[0];
    BalBalance even = bal_balance_to(got, NULL, weight, 20);
    assert_true(even.kl < 1e-12 && even.chi2 < 1e-9 && even.tv < 1e-12 && even.gini < 1e-12 && even.w1_bins < 1e-12);
    assert_true(even.max_min == 1 && bal_balance(got, 20).max_min == 19);
    got[0] *= 2;
    even = bal_balance_to(got, NULL, weight, 20);
    assert_true(even.kl > 1e-4 && even.chi2 > 1 && even.tv > 1e-3 && even.gini > 1e-3 && even.w1_bins > 1e-3);
    assert_true(even.max_min == 2);
}

/* ---- every possible selection of small tables ---- */

enum { MOST_CELLS = 6 };

typedef struct Brute {
    const BalCells *cells;
    const BalSelectSpec *spec;
    BalRule rule;
    const int64_t *bins; /* of the plan */
    int64_t x[MOST_CELLS];
    int64_t size, level;  /* largest, and the highest level of that size */
    double bins_apart;    /* least sum of x^2 / w of that size and level */
    double classes_apart; /* least sum of squares with the plan's bins */
} Brute;

/* The highest level at which these bins are allowed, -1: none. Written without rule.c's limits. */
static int64_t level_of(const Brute *s, const int64_t *bins) {
    const BalSelectSpec *p = s->spec;
    int64_t found = -1;
    for (int64_t t = 0; t <= 40; t++) {
        bool fits = true;
        for (int b = 0; b < s->cells->n_bins; b++) {
            const double x = (double)bins[b], w = (double)s->rule.weight[b], e = 1e-9;
            if (!s->rule.eligible[b]) {
                fits &= bins[b] == s->rule.bin_must[b];
                continue;
            }
            const double must = (double)s->rule.bin_must[b];
            switch (p->policy) {
            case BAL_POLICY_STRICT:
                fits &= x >= (1 - p->tolerance) * t * w - e && x <= (1 + p->tolerance) * t * w + e;
                break;
            case BAL_POLICY_WATERFILL:
                fits &= t == p->level && x <= fmax((double)t, must);
                break;
            case BAL_POLICY_MIRROR:
                fits &=
                    x <= fmax(fmin((double)s->rule.bin_n[b], (double)s->rule.bin_n[s->cells->n_bins - 1 - b]), must);
                break;
            default:
                fits &= x >= t * w - e && x <= p->ratio * t * w + e;
            }
        }
        if (fits) found = t;
    }
    return found;
}

static void judge(Brute *s) {
    const BalCells *c = s->cells;
    int64_t bins[MOST_CELLS] = {0}, size = 0;
    double bins_apart = 0, classes_apart = 0;
    bool same = s->bins != NULL;
    for (int k = 0; k < c->n_classes; k++) {
        int64_t sum = 0;
        for (int b = 0; b < c->n_bins; b++) sum += s->x[k * c->n_bins + b];
        if (sum < s->spec->class_min || (s->spec->class_max && sum > s->spec->class_max)) return;
        size += sum;
        classes_apart += (double)(sum * sum);
    }
    bin_totals(c, s->x, bins);
    int64_t level = level_of(s, bins);
    if (level < 0) return;
    for (int b = 0; b < c->n_bins; b++) {
        bins_apart += (double)(bins[b] * bins[b]) / (double)s->rule.weight[b];
        same &= !s->bins || bins[b] == s->bins[b];
    }
    if (size > s->size || (size == s->size && level > s->level)) {
        s->size = size;
        s->level = level;
        s->bins_apart = INFINITY;
    }
    if (size == s->size && level == s->level && bins_apart < s->bins_apart) s->bins_apart = bins_apart;
    if (same && classes_apart < s->classes_apart) s->classes_apart = classes_apart;
}

static void try_all(Brute *s, int i) {
    if (i == MOST_CELLS || i == s->cells->n_classes * s->cells->n_bins) {
        judge(s);
        return;
    }
    for (s->x[i] = s->cells->must[i]; s->x[i] <= s->cells->n[i]; s->x[i]++) try_all(s, i + 1);
}

/* What the certificate says, added up here once more. */
static void check_proof(const Brute *s, const BalPlan *p) {
    if (!p->possible) {
        const int64_t top = 1000;
        if (!bal_rule_has_levels(&s->rule)) {
            assert_true(p->conflict.kind != BAL_CUT_NONE && p->conflict.kind != BAL_CUT_SIZE);
            assert_true(bal_cut_value(&p->conflict, &s->rule, s->spec->level) > 0);
        } else if (p->conflict.kind == BAL_CUT_CLASSES) { /* all levels are excluded, from below and from above */
            int64_t first = 0;
            while (first < top && bal_cut_value(&p->conflict, &s->rule, first) > 0) first++;
            assert_true(first > 0);
            if (first < top)
                assert_true(p->above.kind == BAL_CUT_BINS && bal_cut_value(&p->above, &s->rule, first) > 0);
        } else {
            assert_true(p->above.kind == BAL_CUT_BINS && bal_cut_value(&p->above, &s->rule, 0) > 0);
        }
        return;
    }
    assert_int_equal(p->size.kind, BAL_CUT_SIZE);
    assert_int_equal(bal_cut_value(&p->size, &s->rule, p->level), p->kept);
    if (bal_rule_has_levels(&s->rule) && s->rule.n_eligible) {
        assert_int_equal(p->above.kind, BAL_CUT_BINS);
        assert_true(bal_cut_value(&p->above, &s->rule, p->level + 1) > 0);
    }
}

static bool check_instance(uint64_t item) {
    BalRng r = bal_rng(3, BAL_RNG_TEST, 0, item);
    const int n_classes = 1 + (int)bal_rng_below(&r, 3), n_bins = n_classes == 3 ? 2 : 2 + (int)bal_rng_below(&r, 2);
    int64_t n[MOST_CELLS], must[MOST_CELLS];
    const BalCells cells = {n_classes, n_bins, n, must};
    for (int i = 0; i < n_classes * n_bins; i++) {
        n[i] = (int64_t)bal_rng_below(&r, 5);
        must[i] = bal_rng_below(&r, 4) ? 0 : (int64_t)bal_rng_below(&r, (uint64_t)n[i] + 1);
    }
    static const double ratios[] = {1, 1.25, 1.5, 2, 3}, tolerances[] = {0, 0, 0.1, 0.3, 0.5};
    BalSelectSpec spec = {.policy = (BalPolicy)bal_rng_below(&r, BAL_POLICIES),
                          .bins = n_bins,
                          .ratio = ratios[bal_rng_below(&r, 5)],
                          .tolerance = tolerances[bal_rng_below(&r, 5)],
                          .min_per_bin = (int64_t)bal_rng_below(&r, 4),
                          .class_min = bal_rng_below(&r, 3) ? 0 : (int64_t)bal_rng_below(&r, 4)};
    if (n_bins % 2 && spec.policy == BAL_POLICY_PLANE) spec.policy = BAL_POLICY_RATIO;
    spec.class_max = bal_rng_below(&r, 2) ? 0 : spec.class_min + 1 + (int64_t)bal_rng_below(&r, 8);
    if (spec.policy == BAL_POLICY_MIRROR) spec.class_min = spec.class_max = 0;
    if (spec.policy == BAL_POLICY_WATERFILL) spec.level = 1 + (int64_t)bal_rng_below(&r, 6);
    BalError err = {0};
    BalPlan p;
    int64_t bins[MOST_CELLS];
    Brute s = {.cells = &cells, .spec = &spec, .size = -1, .level = -1, .bins = bins, .classes_apart = INFINITY};
    assert_ok(bal_rule_make(&s.rule, &spec, &cells, &err));
    assert_ok(bal_plan_make(&p, &spec, &cells, &err));
    bin_totals(&cells, p.x, bins);
    try_all(&s, 0);
    if ((s.size >= 0) != p.possible || (p.possible && s.size != p.kept))
        fail_msg("instance %d: %d instead of %d", (int)item, p.possible ? (int)p.kept : -1, (int)s.size);
    check_proof(&s, &p);
    if (p.possible) {
        double bins_apart = 0, classes_apart = 0;
        int64_t size = 0;
        for (int i = 0; i < n_classes * n_bins; i++) assert_true(p.x[i] >= must[i] && p.x[i] <= n[i]);
        for (int b = 0; b < n_bins; b++) bins_apart += (double)(bins[b] * bins[b]) / (double)s.rule.weight[b];
        for (int k = 0; k < n_classes; k++) {
            int64_t sum = 0;
            for (int b = 0; b < n_bins; b++) sum += p.x[k * n_bins + b];
            classes_apart += (double)(sum * sum);
            size += sum;
        }
        assert_int_equal(size, p.kept);
        assert_true(level_of(&s, bins) >= 0);
        if (fabs(bins_apart - s.bins_apart) > 1e-9)
            fail_msg("instance %d: bins %g apart instead of %g", (int)item, bins_apart, s.bins_apart);
        if (classes_apart != s.classes_apart)
            fail_msg("instance %d: classes %g apart instead of %g", (int)item, classes_apart, s.classes_apart);
    }
    const bool possible = p.possible;
    bal_plan_reset(&p);
    bal_rule_reset(&s.rule);
    return possible;
}

static void test_brute_force(void **state) {
    (void)state;
    int possible = 0;
    const int n = 20000;
    for (int i = 0; i < n; i++) possible += check_instance((uint64_t)i);
    print_message("%d instances, %d possible\n", n, possible);
    assert_true(possible > n / 3 && possible < n);
}

/* ---- budgets ---- */

enum { BUDGET_CELLS = 12 };

/* A plan for a budget that is called optimal keeps as many clips as that level which keeps most within the budget. */
static bool check_budget(uint64_t item, bool *limited) {
    BalRng r = bal_rng(3, BAL_RNG_TEST, 1, item);
    static const double values[] = {0.005, 0.05, 0.1, 0.2, 0.5, 1.2, 1.5, 3};
    const int n_classes = 1 + (int)bal_rng_below(&r, 3), n_bins = 2 + 2 * (int)bal_rng_below(&r, 2);
    const bool has_must = bal_rng_below(&r, 2);
    int64_t n[BUDGET_CELLS], must[BUDGET_CELLS], bins[BUDGET_CELLS] = {0}, top = 0, best = -1;
    const BalCells cells = {n_classes, n_bins, n, must};
    for (int i = 0; i < n_classes * n_bins; i++) {
        n[i] = (int64_t)bal_rng_below(&r, 9);
        must[i] = has_must && !bal_rng_below(&r, 5) ? (int64_t)bal_rng_below(&r, (uint64_t)n[i] + 1) : 0;
    }
    BalSelectSpec spec = {.policy = BAL_POLICY_WATERFILL,
                          .bins = n_bins,
                          .ratio = 1,
                          .min_per_bin = (int64_t)bal_rng_below(&r, 3),
                          .class_min = bal_rng_below(&r, 3) ? 0 : (int64_t)bal_rng_below(&r, 4),
                          .budget = (BalBudget)(BAL_BUDGET_KL + (int)bal_rng_below(&r, 4)),
                          .budget_value = values[bal_rng_below(&r, 8)]};
    spec.class_max = bal_rng_below(&r, 2) ? 0 : spec.class_min + 1 + (int64_t)bal_rng_below(&r, 14);
    BalError err = {0};
    BalRule rule;
    BalPlan p;
    assert_ok(bal_rule_make(&rule, &spec, &cells, &err));
    assert_ok(bal_plan_make(&p, &spec, &cells, &err));
    for (int b = 0; b < n_bins; b++)
        if (rule.eligible[b] && rule.bin_n[b] > top) top = rule.bin_n[b];
    for (int64_t t = 0; t <= top; t++) {
        BalSelectSpec at = spec;
        BalPlan q;
        at.budget = BAL_BUDGET_NONE;
        at.level = t;
        assert_ok(bal_plan_make(&q, &at, &cells, &err));
        bin_totals(&cells, q.x, bins);
        const BalBalance b = bal_balance_of(bins, rule.eligible, n_bins);
        const bool within = isnan(b.kl) || bal_balance_get(&b, spec.budget) <= spec.budget_value;
        if (q.possible && within && q.kept > best) best = q.kept;
        bal_plan_reset(&q);
    }
    const int64_t kept = p.possible ? p.kept : -1;
    if (kept > best || (p.optimal && kept < best))
        fail_msg("budget %d: %d clips instead of %d", (int)item, (int)kept, (int)best);
    const bool optimal = p.optimal;
    *limited = has_must || spec.class_min;
    bal_plan_reset(&p);
    bal_rule_reset(&rule);
    return optimal;
}

static void test_budget(void **state) {
    (void)state;
    int proven = 0;
    for (int i = 0; i < 4000; i++) {
        bool limited;
        proven += check_budget((uint64_t)i, &limited) && limited;
    }
    assert_true(proven > 1000);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_class_bin),   cmocka_unit_test(test_histogram),
                                       cmocka_unit_test(test_metrics),     cmocka_unit_test(test_plane),
                                       cmocka_unit_test(test_brute_force), cmocka_unit_test(test_budget)};
    return cmocka_run_group_tests(tests, vectors_open, vectors_close);
}
