/* u, bins and subsets against the vector seed_discrepancy (numpy, float64); seed statistics and summary by hand. */
#include "../base/check.h"

#include <math.h>
#include <avbalance/analysis.h>
#include "base/json.h"

static BalError err;

static double number(const BalJson *rows, size_t i, size_t k) {
    return bal_json_real(bal_json_at(bal_json_at(rows, i), k), NAN);
}

static void test_vector(void **state) {
    (void)state;
    const char *path = AVB_SOURCE_DIR "/../shared/vectors/methods.json";
    if (!bal_file_exists(path)) {
        print_message("skipped: %s is not there\n", path);
        skip();
    }
    BalJson *root = NULL;
    assert_ok(bal_json_load(&root, path, &err));
    const BalJson *v = bal_json_get(root, "seed_discrepancy"), *in = bal_json_get(v, "in"),
                  *out = bal_json_get(v, "out");
    static const char *const key[2][3] = {{"conf_audio_epochs", "u_a", "bin_a"},
                                          {"conf_visual_epochs", "u_v", "bin_v"}};
    double u[2][4];
    for (int m = 0; m < 2; m++) {
        const BalJson *clips = bal_json_get(in, key[m][0]);
        double conf[12]; /* [E=3,N=4] */
        for (size_t i = 0; i < 4; i++)
            for (size_t e = 0; e < 3; e++) conf[e * 4 + i] = number(clips, i, e);
        assert_ok(bal_confidence_mean(conf, 3, 4, u[m], NULL, &err));
        for (size_t i = 0; i < 4; i++) {
            assert_true(fabs(u[m][i] - bal_json_real(bal_json_at(bal_json_get(out, key[m][1]), i), NAN)) < 1e-9);
            assert_int_equal(bal_heatmap_bin(u[m][i]), bal_json_int(bal_json_at(bal_json_get(out, key[m][2]), i), -1));
        }
    }
    static const struct {
        const char *key;
        double t;
    } subset[] = {{"T0", 0}, {"T02", 0.2}, {"T04", 0.4}};
    for (int k = 0; k < 3; k++)
        for (size_t i = 0; i < 4; i++) {
            double d = u[0][i] - u[1][i];
            const char *got = d > subset[k].t ? "audio" : d < -subset[k].t ? "visual" : "none";
            assert_string_equal(got, bal_json_text(bal_json_at(bal_json_get(out, subset[k].key), i), ""));
        }
    bal_json_free(&root);
}

/* Values where numpy.histogram(u, 100, (0, 1)) and floor(100 u) part, made with numpy 1.24. */
static void test_bins(void **state) {
    (void)state;
    static const struct {
        double u;
        int bin;
    } known[] = {{0, 0},     {1, 99},    {0.4, 40},  {0.39999999999999997, 39},
                 {0.07, 7},  {0.28, 28}, {0.29, 29}, {0.35, 34},
                 {0.55, 55}, {0.57, 56}, {0.58, 58}, {0.69, 68},
                 {0.7, 69},  {0.83, 82}, {0.995, 99}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        assert_int_equal(bal_heatmap_bin(known[i].u), known[i].bin);
    for (int k = 0; k < 100; k++) { /* the edges themselves, and their neighbours */
        double edge = k * 0.01;
        assert_int_equal(bal_heatmap_bin(edge), k);
        if (k) assert_int_equal(bal_heatmap_bin(nextafter(edge, 0)), k - 1);
    }
}

static void test_confidence(void **state) {
    (void)state;
    double u[2], sd[2], conf[6] = {0.1, NAN, 0.4, NAN, 0.7, NAN};
    assert_ok(bal_confidence_mean(conf, 3, 2, u, sd, &err));
    assert_true(u[0] == 0.39999999999999997 && fabs(sd[0] - sqrt(0.06)) < 1e-12); /* numpy.mean, numpy.std */
    assert_true(isnan(u[1]) && isnan(sd[1]));
    conf[2] = 1.0001;
    assert_fails(bal_confidence_mean(conf, 3, 2, u, sd, &err), BAL_E_NUMERIC, "outside [0,1]");
    assert_fails(bal_confidence_mean(conf, 0, 2, u, sd, &err), BAL_E_ARG, "no epochs");
}

/* Intervals by scipy.stats.t.interval(0.95, n - 1, mean, sem). */
static void test_seeds(void **state) {
    (void)state;
    BalSeedStatistics s = bal_seed_statistics((double[]){0.1, 0.2, 0.3}, 3);
    assert_true(fabs(s.mean - 0.2) < 1e-12 && fabs(s.low + 0.04841377) < 1e-6 && fabs(s.high - 0.44841377) < 1e-6);
    assert_true(s.flip_rate == 0 && s.undecided);
    s = bal_seed_statistics((double[]){0.29, 0.3, 0.31}, 3);
    assert_true(fabs(s.low - 0.27515862) < 1e-6 && !s.undecided);
    s = bal_seed_statistics((double[]){0.5, -0.1, 0.6, 0.55}, 4);
    assert_true(fabs(s.flip_rate - 0.5) < 1e-12 && s.undecided);
    s = bal_seed_statistics((double[]){-0.9, 0.9}, 2);
    assert_true(s.low == -1 && s.high == 1 && s.flip_rate == 1);
    double many[41];
    for (int i = 0; i < 41; i++) many[i] = 0.01 * i;
    s = bal_seed_statistics(many, 41);
    assert_true(fabs(s.low - 0.16218914) < 1e-6);
}

static BalScores table(const char *text) {
    BalScores s = {0};
    const char *path = scratch("scores.csv");
    assert_ok(bal_file_write(path, text, strlen(text), &err));
    assert_ok(bal_scores_load(&s, path, NULL, &err));
    return s;
}

static void test_summary(void **state) {
    (void)state;
    BalScores s = table("id,label,split,u_audio,u_visual,sd_audio,sd_visual,undecided\n"
                        "a,bark,train,0.9,0.1,0.1,0.3,0\nb,bark,test,0.8,0.5,0.1,0.3,1\nc,swim,train,0.1,0.7,0.2,0.1,"
                        "0\nd,swim,test,0.3,0.3,0.2,0.1,1\n");
    BalSummary m;
    assert_ok(bal_summary_make(&m, &s, &err));
    assert_int_equal(m.all.audio_preferred, 2);
    assert_int_equal(m.all.visual_preferred, 1);
    assert_int_equal(m.all.ties, 1);
    assert_int_equal(m.all.beyond_02, 3);
    assert_int_equal(m.all.beyond_04, 2);
    assert_int_equal(m.all.undecided, 2);
    assert_true(fabs(m.all.mean_abs_d - (0.8 + 0.3 + 0.6) / 4) < 1e-12 && fabs(m.all.sd[0] - 0.15) < 1e-12);
    assert_true(isnan(m.all.correct[0]));
    assert_int_equal(m.n_labels, 2);
    assert_string_equal(m.label[0].name, "bark"); /* the best heard first */
    assert_string_equal(m.split[0].name, "test");
    assert_int_equal(m.split[0].n, 2);
    bal_summary_reset(&m);
    bal_scores_reset(&s);

    /* What one clip lacks does not take the mean from the others. */
    s = table("id,u_audio,u_visual,sd_audio,sd_visual\na,0.5,0.5,0.1,\nb,0.2,0.2,,\nc,0.2,0.2,0.3,\n");
    assert_ok(bal_summary_make(&m, &s, &err));
    assert_true(fabs(m.all.sd[0] - 0.2) < 1e-12 && isnan(m.all.sd[1]));
    bal_summary_reset(&m);
    bal_scores_reset(&s);

    /* All at d = 0: half of the mass of [-1,1] lies on either side. */
    s = table("id,u_audio,u_visual\na,0.5,0.5\nb,0.2,0.2\n");
    assert_ok(bal_summary_make(&m, &s, &err));
    assert_true(fabs(m.all.ks - 0.5) < 1e-12 && fabs(m.all.wasserstein - 0.5) < 1e-12 &&
                fabs(m.all.kl - log(20)) < 1e-12);
    bal_summary_reset(&m);
    bal_scores_reset(&s);

    /* d = -0.5 and 0.5: scipy.stats.kstest(d, uniform(-1, 2).cdf) = 0.25, area four triangles of 1/4 * 1/2 / 2. */
    s = table("id,u_audio,u_visual\na,0,0.5\nb,0.5,0\n");
    assert_ok(bal_summary_make(&m, &s, &err));
    assert_true(fabs(m.all.ks - 0.25) < 1e-12 && fabs(m.all.wasserstein - 0.25) < 1e-12 &&
                fabs(m.all.kl - log(10)) < 1e-12);
    bal_summary_reset(&m);
    bal_scores_reset(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_vector), cmocka_unit_test(test_bins),
                                       cmocka_unit_test(test_confidence), cmocka_unit_test(test_seeds),
                                       cmocka_unit_test(test_summary)};
    return cmocka_run_group_tests(tests, scratch_open, scratch_close);
}
