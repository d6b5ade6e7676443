/* Re-learning: purity, weight and blend against vectors (the authors' purity), clustering, and when an encoder goes back. */
#include "base/vectors.h"
#include "methods/fd.h"
#include "methods/relearning.h"

static void purity_and_weight(void **state) {
    (void)state;
    const BalJson *in = vector("relearning", "in"), *out = vector("relearning", "out");
    double labels[16], clusters[16];
    int32_t label[16];
    int cluster[16];
    int64_t count[9];
    const int n = numbers_add(bal_json_get(in, "purity_labels"), labels, 0);
    numbers_add(bal_json_get(in, "purity_clusters"), clusters, 0);
    for (int i = 0; i < n; i++) label[i] = (int32_t)labels[i], cluster[i] = (int)clusters[i];
    assert_near("purity", bal_relearning_purity(cluster, label, n, 3, 3, count),
                bal_json_real(bal_json_get(out, "purity"), NAN), 1e-12);
    for (int m = 0; m < 2; m++) {
        const char *key = m ? "v" : "a";
        const BalJson *train = bal_json_get(in, "purity_train"), *val = bal_json_get(in, "purity_val");
        assert_near("weight",
                    bal_relearning_weight(bal_json_real(bal_json_get(train, key), NAN),
                                          bal_json_real(bal_json_get(val, key), NAN), 3),
                    bal_json_real(bal_json_get(bal_json_get(out, "weight"), key), NAN), 1e-9);
    }
}

/* Three clouds far apart are found, whatever the scale of their dimensions; one dimension says nothing. */
static void clusters_are_found(void **state) {
    (void)state;
    enum { N = 60, D = 3 };
    BalError err = {0};
    BalRng r = bal_rng(4, BAL_RNG_TEST, 0, 0);
    float x[N * D];
    int cluster[N];
    int32_t label[N];
    int64_t count[9];
    for (int i = 0; i < N; i++) {
        label[i] = i % 3;
        x[i * D] = (float)(1000 * (label[i] == 1) + 20 * bal_rng_normal(&r));
        x[i * D + 1] = (float)(0.01 * (label[i] == 2) + 0.0002 * bal_rng_normal(&r));
        x[i * D + 2] = 5;
    }
    bal_relearning_rescale(x, N, D);
    for (int i = 0; i < N * D; i++) assert_true(x[i] >= -1 && x[i] <= 1);
    assert_float_equal(x[2], 0, 0);
    assert_ok(bal_relearning_cluster(x, N, D, 3, &r, cluster, &err));
    assert_near("purity", bal_relearning_purity(cluster, label, N, 3, 3, count), 1, 1e-12);
    assert_ok(bal_relearning_cluster(x, 3, D, 3, &r, cluster, &err)); /* as many as there are clips */
}

/* Validation clips are those of training in the bench, so there is no gap and nothing moves; with a trainer that has none it is refused. */
static BalStatus no_val(void *trainer, BalClipPart part, const BalSample **sample, int64_t *n, BalError *err) {
    BAL_TRY(fd_clips(trainer, part, sample, n, err));
    if (part == BAL_PART_VAL) *n = 0;
    return BAL_OK;
}

/* A part of the validation clips alone, so that purities differ. */
static BalStatus two_val(void *trainer, BalClipPart part, const BalSample **sample, int64_t *n, BalError *err) {
    BAL_TRY(fd_clips(trainer, part, sample, n, err));
    if (part == BAL_PART_VAL) *n = 2;
    return BAL_OK;
}

static void encoders_go_back(void **state) {
    (void)state;
    static const char *const set[] = {"relearning.interval", "2", "relearning.times", "1", NULL};
    BalError err = {0};
    Fd f;
    float first[3][4096], now[3][4096], was[3][4096];
    static const char *const name[] = {"audio.conv1.weight", "visual.conv2.weight", "head.fc.weight"};
    fd_open(&f, "relearning", set);
    fd_train(&f);
    BalTrainServices services = fd_services;
    services.clips = no_val;
    f.c.services = &services;
    assert_fails(f.m.ops->epoch_begin(f.m.self, &f.c, &err), BAL_E_ARG, "--val-share");
    services.clips = fd_clips;
    assert_ok(f.m.ops->epoch_begin(f.m.self, &f.c, &err));
    double moved = 0;
    int at[3];
    for (int i = 0; i < 3; i++) {
        at[i] = bal_session_find_param(f.c.session, name[i]);
        assert_in_range(fd_count(&f, at[i]), 1, 4096);
        assert_ok(bal_session_param_get(f.c.session, at[i], first[i], &err));
        for (int64_t k = 0; k < fd_count(&f, at[i]); k++) was[i][k] = first[i][k] + 1;
        assert_ok(bal_session_param_set(f.c.session, at[i], was[i], &err));
    }
    for (f.c.epoch = 1; f.c.epoch < 8; f.c.epoch++) {
        const bool examined = f.c.epoch == 3; /* after epoch 2; once is all */
        services.clips = two_val;
        assert_ok(f.m.ops->epoch_begin(f.m.self, &f.c, &err));
        for (int i = 0; i < 3; i++) {
            assert_ok(bal_session_param_get(f.c.session, at[i], now[i], &err));
            const double w = 1 - ((double)now[i][0] - first[i][0]);
            assert_true(w >= -1e-6 && w < 1);
            if (i == 2 || f.c.epoch < 3) assert_float_equal(w, 0, 1e-6);
            if (i < 2 && examined) { /* two clips of their own clusters are pure, five in three clusters need not be */
                for (int64_t k = 0; k < fd_count(&f, at[i]); k++)
                    assert_float_equal(now[i][k], first[i][k] + 1 - w, 1e-5);
                memcpy(was[i], now[i], sizeof was[i]);
                moved += w;
            }
            if (i < 2 && f.c.epoch > 3)
                assert_memory_equal(now[i], was[i], (size_t)fd_count(&f, at[i]) * sizeof(float));
        }
    }
    assert_true(moved > 0.01);
    fd_close(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(purity_and_weight),
        cmocka_unit_test(clusters_are_found),
        cmocka_unit_test(encoders_go_back),
    };
    return cmocka_run_group_tests(tests, vectors_open, vectors_close);
}
