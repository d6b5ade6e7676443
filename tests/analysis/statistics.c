/* Tests and intervals against numbers of scipy 1.10.1 and numpy 1.24 (binomtest, chi2.sf, quantile), and against what is known of the
 * bootstrap of a mean. */
#include "../base/check.h"

#include <math.h>
#include "analysis/statistics.h"
#include "base/rng.h"

static BalError err;

static void test_mcnemar(void **state) {
    (void)state;
    static const struct {
        int64_t b, c;
        double p;
    } known[] = {{0, 0, 1},
                 {1, 0, 1},
                 {5, 1, 0.21875}, /* binomtest(b, b + c, 0.5).pvalue */
                 {12, 3, 0.03515625},
                 {30, 20, 0.20263875106454066},
                 {500, 450, 0.11183864514157854},
                 {499, 500, 1},
                 {600, 500, 0.0028361326556546836}, /* chi2.sf((|b - c| - 1)^2 / (b + c), 1) */
                 {500, 500, 1}};                    /* the correction does not go below no difference */
    for (size_t k = 0; k < sizeof known / sizeof *known; k++) {
        double p = bal_mcnemar(known[k].b, known[k].c);
        if (!(fabs(p - known[k].p) <= 1e-10 * known[k].p))
            fail_msg("%lld against %lld: %.17g instead of %.17g", (long long)known[k].b, (long long)known[k].c, p,
                     known[k].p);
        assert_true(p == bal_mcnemar(known[k].c, known[k].b));
    }
}

static void test_quantile(void **state) {
    (void)state;
    const double x[5] = {0.1, 0.5, 0.7, 0.9, 1.4};
    const double q[6] = {0, 0.025, 0.3, 0.5, 0.975, 1}, want[6] = {0.1, 0.14, 0.54, 0.7, 1.3499999999999999, 1.4};
    for (int k = 0; k < 6; k++) assert_true(fabs(bal_quantile(x, 5, q[k]) - want[k]) < 1e-15);
    double shuffled[5] = {0.9, 0.1, 1.4, 0.7, 0.5}, low, high;
    bal_interval(shuffled, 5, &low, &high);
    assert_true(fabs(low - 0.14) < 1e-15 && fabs(high - 1.35) < 1e-15);
}

static void test_bootstrap_p(void **state) {
    (void)state;
    const double x[9] = {1, 2, -1, 3, 0, 4, 5, 6, 7};
    assert_true(bal_bootstrap_p(x, 9) == 2 * (2 + 1) / 10.0); /* two at or below 0 */
    const double y[4] = {0, 0, 0, 0};
    assert_true(bal_bootstrap_p(y, 4) == 1);
}

enum { N = 400, B = 4000 };

/* One run that is right on 300 of 400 clips, and three of which the third is always wrong. */
static void fill(uint8_t *right) {
    BalRng r = bal_rng(1, BAL_RNG_TEST, 0, 0);
    memset(right, 0, 4 * N);
    for (int i = 0; i < N; i++) right[i] = i < 300;
    for (int i = 0; i < N; i++) right[N + i] = bal_rng_uniform(&r) < 0.5;
    for (int i = 0; i < N; i++) right[2 * N + i] = right[N + i];
}

static void mean_sd(const double *x, int n, double *mean, double *sd) {
    *mean = *sd = 0;
    for (int k = 0; k < n; k++) *mean += x[k] / n;
    for (int k = 0; k < n; k++) *sd += (x[k] - *mean) * (x[k] - *mean) / (n - 1);
    *sd = sqrt(*sd);
}

static void test_bootstrap(void **state) {
    (void)state;
    static uint8_t right[4 * N];
    static double out[2 * B], again[2 * B], alone[B];
    double mean, sd;
    const int first[3] = {0, 1, 4};
    fill(right);
    BalBootstrap b = {.right = right, .first = first, .n_methods = 2, .n = N, .replicates = B, .threads = 1, .seed = 7};
    assert_ok(bal_bootstrap(&b, out, &err));
    mean_sd(out, B, &mean, &sd);
    assert_true(fabs(mean - 0.75) < 4 * sd / sqrt(B));
    assert_true(fabs(sd - sqrt(0.75 * 0.25 / N)) < 0.05 * sd); /* the standard error of a proportion */
    /* Runs of accuracy a, a, 0 drawn three at a time: their spread outweighs that of the clips by far. */
    mean_sd(out + B, B, &mean, &sd);
    assert_true(fabs(sd - 0.5 * sqrt(2.0 / 9 / 3)) < 0.1 * sd);
    b.threads = 3;
    assert_ok(bal_bootstrap(&b, again, &err));
    assert_memory_equal(out, again, sizeof out);
    b.n_methods = 1; /* another method beside it changes nothing */
    assert_ok(bal_bootstrap(&b, alone, &err));
    assert_memory_equal(out, alone, sizeof alone);
    b.seed = 8;
    assert_ok(bal_bootstrap(&b, alone, &err));
    assert_true(memcmp(out, alone, sizeof alone) != 0);
    b.seed = 7;
    b.stream = 1;
    assert_ok(bal_bootstrap(&b, alone, &err));
    assert_true(memcmp(out, alone, sizeof alone) != 0);
    b.n = 0;
    assert_fails(bal_bootstrap(&b, alone, &err), BAL_E_ARG, "no clips");
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_mcnemar), cmocka_unit_test(test_quantile),
                                       cmocka_unit_test(test_bootstrap_p), cmocka_unit_test(test_bootstrap)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
