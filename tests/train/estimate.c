/* Estimates: what is heard comes out as heard; a cross-fitted clip is never scored by a network that trained on it. */
#include <math.h>
#include "base/json.h"
#include "base/mem.h"
#include "train/toy.h"

static BalStore *heard;

static int open_store(void **state) {
    return toy_open(state, &(Toy){.n = 180, .heard = true, .n_train = 6, .n_val = 2}, &heard);
}
static int close_store(void **state) {
    return toy_close(state, &heard);
}

static void count_run(void *user, const char *name, const BalFitResult *r) {
    int *n = user;
    assert_non_null(strstr(name, "-seed"));
    n[r->already_done]++;
}

static BalEstimateSpec spec_of(const char *dir, int seeds, int folds) {
    BalEstimateSpec s = bal_estimate_spec_default();
    s.recipe = toy_recipe(heard);
    s.recipe.train.epochs = 2;
    s.dir = dir;
    s.seeds = seeds;
    s.folds = folds;
    return s;
}

/* Mean confidence over the last epoch of the test clips of a run folder. */
static double last_confidence(const char *run) {
    char path[512];
    int64_t dim[2];
    snprintf(path, sizeof path, "%s/confidence.npy", run);
    float *p = load_npy(path, dim);
    double sum = 0, n = 0;
    for (int64_t i = 0; i < dim[1]; i++) {
        if (bal_store_split(heard, i) != BAL_SPLIT_TEST) continue;
        sum += p[(dim[0] - 1) * dim[1] + i];
        n++;
    }
    bal_free(p);
    return sum / n;
}

static void paper_mode_makes_a_run_per_modality_and_seed(void **state) {
    (void)state;
    BalError err = {0};
    int n[2] = {0};
    BalEstimateSpec s = spec_of(scratch("paper"), 2, 0);
    assert_ok(bal_estimate(heard, &s, count_run, n, &err));
    assert_int_equal(n[0], 4);
    assert_true(bal_file_exists(scratch("paper/audio-seed0/run.json")));
    assert_true(bal_file_exists(scratch("paper/visual-seed1/run.json")));
    assert_true(last_confidence(scratch("paper/audio-seed0")) > last_confidence(scratch("paper/visual-seed0")) + 0.2);
    /* a third seed: the four runs stay */
    s.seeds = 3;
    assert_ok(bal_estimate(heard, &s, count_run, n, &err));
    assert_int_equal(n[0], 6);
    assert_int_equal(n[1], 4);
    BalJson *j = NULL;
    assert_ok(bal_json_load(&j, scratch("paper/estimate.json"), &err));
    assert_int_equal(bal_json_size(bal_json_get(j, "runs")), 6);
    assert_string_equal(bal_json_text(bal_json_get(j, "mode"), ""), "paper");
    bal_json_free(&j);
}

/* fold[i] of every clip from folds.csv, -1 for clips that are in none. */
static void read_folds(const char *path, int *fold, int64_t n) {
    char *csv = load_text(path), id[32];
    assert_non_null(csv);
    for (int64_t i = 0; i < n; i++) fold[i] = -1;
    for (char *line = strtok(csv, "\n"); line; line = strtok(NULL, "\n")) {
        int k;
        long row;
        if (sscanf(line, "%31[^,],%d", id, &k) == 2 && sscanf(id, "clip%ld", &row) == 1) fold[row] = k;
    }
    bal_free(csv);
}

static void crossfit_never_scores_a_clip_it_trained_on(void **state) {
    (void)state;
    enum { K = 3, N = 180 };
    BalError err = {0};
    int n[2] = {0}, fold[N], times[N] = {0};
    BalEstimateSpec s = spec_of(scratch("cross"), 1, K);
    assert_ok(bal_estimate(heard, &s, count_run, n, &err));
    assert_int_equal(n[0], 2 * K);
    read_folds(scratch("cross/folds.csv"), fold, N);
    for (int64_t i = 0; i < N; i++) {
        assert_int_equal(fold[i] >= 0, bal_store_split(heard, i) == BAL_SPLIT_TRAIN);
        for (int64_t j = 0; j < i; j++) /* a source is on one side of every cut */
            if (fold[i] >= 0 && fold[j] >= 0 && !strcmp(bal_store_source(heard, i), bal_store_source(heard, j)))
                assert_int_equal(fold[i], fold[j]);
    }
    for (int k = 0; k < K; k++) {
        char name[64], path[128];
        int64_t dim[2];
        bal_run_name(name, sizeof name, "audio", 0, k);
        snprintf(path, sizeof path, "cross/%s/confidence.npy", name);
        float *p = load_npy(scratch(path), dim);
        assert_int_equal(dim[1], N);
        for (int64_t e = 0; e < dim[0]; e++)
            for (int64_t i = 0; i < N; i++) {
                bool trained_on = fold[i] >= 0 && fold[i] != k;
                if (trained_on != (bool)isnan(p[e * N + i])) fail_msg("run %s, clip %d", name, (int)i);
                times[i] += e == 0 && !trained_on;
            }
        bal_free(p);
        BalJson *j = NULL;
        snprintf(path, sizeof path, "cross/%s/run.json", name);
        assert_ok(bal_json_load(&j, scratch(path), &err));
        int64_t held = 0, train = 0;
        for (int64_t i = 0; i < N; i++) held += fold[i] == k, train += fold[i] >= 0;
        assert_int_equal(bal_json_int(bal_json_get(j, "n_train"), 0), train - held);
        assert_int_equal(bal_json_int(bal_json_get(j, "fold"), -1), k);
        assert_int_equal(bal_json_int(bal_json_get(j, "folds"), -1), K);
        bal_json_free(&j);
    }
    for (int64_t i = 0; i < N; i++) assert_int_equal(times[i], fold[i] >= 0 ? 1 : K);
    /* other folds in the same place would mix what must not be mixed */
    s.folds = 4;
    assert_fails(bal_estimate(heard, &s, count_run, n, &err), BAL_E_MISMATCH, "folds.csv");
}

/* Labels of noise can only be known by heart: in-sample confidence is high, cross-fitted confidence is chance. */
static void memory_does_not_leak_into_crossfit(void **state) {
    (void)state;
    static const Toy noise = {.n = 120, .n_train = 8, .n_val = 0};
    BalError err = {0};
    BalStore *s = toy_store(&noise, scratch("noise"));
    double mean[2] = {0};
    for (int cross = 0; cross < 2; cross++) {
        BalEstimateSpec spec = spec_of(scratch(cross ? "noise-cross" : "noise-paper"), 1, cross ? 2 : 0);
        int n[2] = {0}, count = 0;
        spec.recipe = toy_recipe(s);
        spec.recipe.train.epochs = 25;
        assert_ok(bal_estimate(s, &spec, count_run, n, &err));
        for (int k = 0; k < 1 + cross; k++) {
            int64_t dim[2];
            float *p = load_npy(scratch(!cross ? "noise-paper/audio-seed0/confidence.npy"
                                        : k    ? "noise-cross/audio-seed0-fold1/confidence.npy"
                                               : "noise-cross/audio-seed0-fold0/confidence.npy"),
                                dim);
            for (int64_t i = 0; i < dim[1]; i++) {
                float last = p[(dim[0] - 1) * dim[1] + i];
                if (bal_store_split(s, i) != BAL_SPLIT_TRAIN || isnan(last)) continue;
                mean[cross] += last;
                count++;
            }
            bal_free(p);
        }
        mean[cross] /= count;
    }
    bal_store_close(&s);
    assert_true(mean[0] > 0.6);
    assert_true(mean[1] < 0.45);
}

/* Neither a folder nor folds.csv is left by an estimate that cannot begin; what one that was killed at its first file left is no obstacle. */
static void it_begins_whole_or_not_at_all(void **state) {
    (void)state;
    static const Toy same = {.n = 60, .n_train = 8, .same = true};
    BalError err = {0};
    BalStore *s = toy_store(&same, scratch("same"));
    BalEstimateSpec spec = spec_of(scratch("never"), 1, 2);
    int n[2] = {0};
    spec.recipe = toy_recipe(s);
    assert_fails(bal_estimate(s, &spec, count_run, n, &err), BAL_E_ARG, "of one class");
    assert_false(bal_is_dir(scratch("never")));
    bal_store_close(&s);
    spec = spec_of(scratch("begun"), 1, 2);
    spec.recipe.train.epochs = 1;
    assert_ok(bal_make_dirs(scratch("begun"), &err));
    assert_ok(
        bal_file_write(scratch("begun/folds.csv.tmp-2147483647"), "id", 2, &err)); /* no process has this number */
    assert_ok(bal_estimate(heard, &spec, count_run, n, &err));
    assert_false(bal_file_exists(scratch("begun/folds.csv.tmp-2147483647")));
}

static bool stop(void *user, const BalProgress *p) {
    (void)user;
    return p->done == 0;
}

/* Started anew with other settings and stopped in its first run, it is no older estimate any more, and goes on without force. */
static void begun_anew_it_goes_on_without_force(void **state) {
    (void)state;
    BalError err = {0};
    int n[2] = {0};
    BalEstimateSpec s = spec_of(scratch("anew"), 1, 0);
    assert_ok(bal_estimate(heard, &s, count_run, n, &err));
    s.recipe.train.lr *= 2;
    assert_fails(bal_estimate(heard, &s, count_run, n, &err), BAL_E_MISMATCH, "train.lr");
    s.force = true;
    s.progress = (BalProgressSink){stop, NULL};
    assert_int_equal(bal_estimate(heard, &s, count_run, n, &err), BAL_E_CANCELLED);
    assert_false(bal_file_exists(scratch("anew/estimate.json")));
    s.force = false;
    s.progress = (BalProgressSink){0};
    assert_ok(bal_estimate(heard, &s, count_run, n, &err));
    assert_int_equal(n[0], 4);
    assert_int_equal(n[1], 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paper_mode_makes_a_run_per_modality_and_seed),
        cmocka_unit_test(crossfit_never_scores_a_clip_it_trained_on),
        cmocka_unit_test(memory_does_not_leak_into_crossfit),
        cmocka_unit_test(it_begins_whole_or_not_at_all),
        cmocka_unit_test(begun_anew_it_goes_on_without_force),
    };
    return cmocka_run_group_tests(tests, open_store, close_store);
}
