/* Scores from run folders made by hand: one seed, several seeds, folds with NaN, and folders that do not fit together. */
#include "../base/check.h"

#include <math.h>
#include <avbalance/analysis.h>
#include "base/npy.h"

static BalError err;

/* A run folder over n clips "c0", "c1", ... of labels A and B; conf: [E,n]. */
static const char *make_run(const char *name, const char *modality, int seed, int used, int64_t n_epochs, int64_t n,
                            BalNpyType type, const void *conf, const uint8_t *correct) {
    char path[400], text[600], ids[200] = "", rows[400] = "id,label,split,prediction,confidence\n";
    const char *dir = scratch(name);
    assert_ok(bal_make_dirs(dir, &err));
    snprintf(text, sizeof text, "{\"schema\":\"avbalance/run/1\",\"modality\":\"%s\",\"seed\":%d,\"epochs_used\":%d}",
             modality, seed, used);
    snprintf(path, sizeof path, "%s/run.json", dir);
    assert_ok(bal_file_write(path, text, strlen(text), &err));
    for (int i = 0; i < n; i++) {
        snprintf(ids + strlen(ids), sizeof ids - strlen(ids), "c%d\n", i);
        snprintf(rows + strlen(rows), sizeof rows - strlen(rows), "c%d,%s,%s,A,0.5\n", i, i % 2 ? "B" : "A",
                 i < 2 ? "train" : "test");
    }
    snprintf(path, sizeof path, "%s/ids.txt", dir);
    assert_ok(bal_file_write(path, ids, strlen(ids), &err));
    snprintf(path, sizeof path, "%s/predictions.csv", dir);
    assert_ok(bal_file_write(path, rows, strlen(rows), &err));
    int64_t dim[2] = {n_epochs, n};
    snprintf(path, sizeof path, "%s/confidence.npy", dir);
    assert_ok(bal_npy_write(path, type, dim, 2, conf, &err));
    snprintf(path, sizeof path, "%s/correct.npy", dir);
    assert_ok(bal_npy_write(path, BAL_NPY_U8, dim, 2, correct, &err));
    return dir;
}

static void test_one_seed(void **state) {
    (void)state;
    const double a[12] = {0.1,  0.2,  0.9, 0.33, 0.4,  0.25,
                          0.95, 0.33, 0.7, 0.3,  0.97, 0.33}; /* vector seed_discrepancy */
    const double v[12] = {0.05, 0.6, 0.2, 0.33, 0.1, 0.8, 0.3, 0.33, 0.15, 0.9, 0.5, 0.33};
    const uint8_t right[12] = {0, 0, 1, 0, 1, 0, 1, 0, 1, 1, 1, 0};
    const char *audio = make_run("audio-seed0", "audio", 0, 3, 3, 4, BAL_NPY_F64, a, right);
    const char *visual = make_run("visual-seed0", "visual", 0, 3, 3, 4, BAL_NPY_F64, v, right);
    BalScores s;
    int64_t unscored = -1;
    assert_ok(bal_scores_from_runs(&s, &audio, 1, &visual, 1, &unscored, &err));
    assert_int_equal(s.n, 4);
    assert_int_equal(unscored, 0);
    const double *u = s.value[BAL_SCORE_U_AUDIO], *w = s.value[BAL_SCORE_U_VISUAL];
    assert_true(u[0] == 0.39999999999999997 && u[1] == 0.25 && fabs(w[1] - 2.3 / 3) < 1e-15);
    assert_int_equal(bal_heatmap_bin(u[0]), 39);
    assert_true(u[3] == w[3]);
    assert_true(fabs(s.value[BAL_SCORE_CORRECT_AUDIO][0] - 2.0 / 3) < 1e-15 && s.value[BAL_SCORE_EPOCHS_AUDIO][0] == 3);
    assert_string_equal(s.labels[s.label[1]], "B");
    assert_string_equal(s.splits[s.split[3]], "test");
    assert_null(s.value[BAL_SCORE_LOW]);
    bal_scores_reset(&s);
}

/* Only the first epochs_used epochs count; the last clip is never scored by sound. */
static void test_epochs_used(void **state) {
    (void)state;
    const float a[6] = {0.5F, 0.25F, NAN, 0.0F, 1.0F, NAN}, v[3] = {0.5F, 0.5F, 0.5F};
    const uint8_t right[6] = {1, 0, 255, 0, 0, 255};
    const char *audio = make_run("used-audio", "audio", 0, 1, 2, 3, BAL_NPY_F32, a, right);
    const char *visual = make_run("used-visual", "visual", 0, 1, 1, 3, BAL_NPY_F32, v, right);
    BalScores s;
    int64_t unscored;
    assert_ok(bal_scores_from_runs(&s, &audio, 1, &visual, 1, &unscored, &err));
    assert_int_equal(s.n, 2);
    assert_int_equal(unscored, 1);
    assert_true(s.value[BAL_SCORE_U_AUDIO][0] == 0.5 && s.value[BAL_SCORE_CORRECT_AUDIO][0] == 1 &&
                s.value[BAL_SCORE_SD_AUDIO][0] == 0);
    bal_scores_reset(&s);
}

/* Two folds: each training clip is scored by the fold that did not train on it, the test clip by both. */
static void test_folds(void **state) {
    (void)state;
    const float fold0[3] = {0.2F, NAN, 0.5F}, fold1[3] = {NAN, 0.75F, 1.0F}, v[3] = {0.5F, 0.5F, 0.5F};
    const uint8_t right[3] = {1, 1, 1};
    const char *audio[2];
    audio[0] = make_run("audio-seed0-fold0", "audio", 0, 1, 1, 3, BAL_NPY_F32, fold0, right);
    audio[1] = make_run("audio-seed0-fold1", "audio", 0, 1, 1, 3, BAL_NPY_F32, fold1, right);
    const char *visual = make_run("fold-visual", "visual", 0, 1, 1, 3, BAL_NPY_F32, v, right);
    BalScores s;
    assert_ok(bal_scores_from_runs(&s, audio, 2, &visual, 1, NULL, &err));
    assert_true(s.value[BAL_SCORE_U_AUDIO][0] == (double)0.2F && s.value[BAL_SCORE_U_AUDIO][1] == 0.75 &&
                s.value[BAL_SCORE_U_AUDIO][2] == 0.75);
    assert_null(s.value[BAL_SCORE_LOW]); /* folds are no seeds */
    bal_scores_reset(&s);
}

static void test_seeds(void **state) {
    (void)state;
    const float a[3][2] = {{0.5F, 0.9F}, {0.6F, 0.9F}, {0.25F, 0.9F}}, v[2] = {0.5F, 0.1F};
    const uint8_t right[2] = {1, 1};
    const char *audio[3], *visual[3];
    for (int k = 0; k < 3; k++) {
        char name[40];
        snprintf(name, sizeof name, "s-audio-%d", k);
        audio[k] = make_run(name, "audio", k, 1, 1, 2, BAL_NPY_F32, a[k], right);
        snprintf(name, sizeof name, "s-visual-%d", k);
        visual[k] = make_run(name, "visual", k, 1, 1, 2, BAL_NPY_F32, v, right);
    }
    BalScores s;
    assert_ok(bal_scores_from_runs(&s, audio, 3, visual, 3, NULL, &err));
    assert_int_equal(s.n_seeds, 3);
    assert_true(s.value[BAL_SCORE_FLIP_RATE][0] == 1 && s.value[BAL_SCORE_UNDECIDED][0] == 1); /* d: 0, 0.1, -0.25 */
    assert_true(s.value[BAL_SCORE_FLIP_RATE][1] == 0 && s.value[BAL_SCORE_UNDECIDED][1] == 0);
    assert_true(fabs(s.value[BAL_SCORE_LOW][1] - 0.8) < 1e-6);
    bal_scores_reset(&s);
}

static void test_refusals(void **state) {
    (void)state;
    const float p[3] = {0.5F, 0.5F, 0.5F}, bad[3] = {0.5F, 1.5F, 0.5F};
    const uint8_t right[3] = {1, 1, 1};
    BalScores s = {0};
    const char *audio = make_run("r-audio", "audio", 0, 1, 1, 3, BAL_NPY_F32, p, right);
    const char *visual = make_run("r-visual", "visual", 0, 1, 1, 3, BAL_NPY_F32, p, right);
    assert_fails(bal_scores_from_runs(&s, &visual, 1, &audio, 1, NULL, &err), BAL_E_MISMATCH,
                 "\"modality\" is \"visual\"");
    assert_fails(bal_scores_from_runs(&s, &audio, 1, NULL, 0, NULL, &err), BAL_E_ARG, "each modality");
    const char *few = make_run("r-few", "visual", 0, 1, 1, 2, BAL_NPY_F32, p, right);
    assert_fails(bal_scores_from_runs(&s, &audio, 1, &few, 1, NULL, &err), BAL_E_MISMATCH, "other clips");
    const char *high = make_run("r-high", "visual", 0, 1, 1, 3, BAL_NPY_F32, bad, right);
    assert_fails(bal_scores_from_runs(&s, &audio, 1, &high, 1, NULL, &err), BAL_E_NUMERIC, "clip c1");
    const char *longer = make_run("r-long", "visual", 0, 2, 1, 3, BAL_NPY_F32, p, right);
    assert_fails(bal_scores_from_runs(&s, &audio, 1, &longer, 1, NULL, &err), BAL_E_MISMATCH, "at least 2 epochs");
    const char *bytes = make_run("r-type", "visual", 0, 1, 1, 3, BAL_NPY_U8, right, right);
    assert_fails(bal_scores_from_runs(&s, &audio, 1, &bytes, 1, NULL, &err), BAL_E_FORMAT, "float32");
    const char *none = scratch("nothing");
    assert_fails(bal_scores_from_runs(&s, &audio, 1, &none, 1, NULL, &err), BAL_E_IO, "nothing/run.json");
    assert_null(s.id);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_one_seed), cmocka_unit_test(test_epochs_used),
                                       cmocka_unit_test(test_folds), cmocka_unit_test(test_seeds),
                                       cmocka_unit_test(test_refusals)};
    return cmocka_run_group_tests(tests, scratch_open, scratch_close);
}
