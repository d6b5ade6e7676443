/* The temperature: recovered where it was planted, best by comparison with its neighbourhood, and told from clips that cannot tell. */
#include <math.h>
#include <avbalance/curate.h>
#include "base/check.h"
#include "base/fault.h"
#include "base/rng.h"
#include "base/text.h"

enum { N = 3000, C = 4 };
static const char *const labels[C] = {"dog", "cat", "cow", "pig"};
static BalClip clips[N];
static char ids[N][16];
static BalManifest manifest = {.clip = clips, .n = N, .classes = (const char **)(uintptr_t)labels, .n_classes = C};

/* Labels drawn from the softmax of normal logits z; written are `factor` times z, or the probabilities. */
static const char *write_outputs(const char *name, double factor, bool probabilities) {
    BalError err;
    BalText t = {0};
    const char *path = scratch(name);
    bal_text_add(&t, "id,dog,cat,cow,pig\n");
    for (int i = 0; i < N; i++) {
        BalRng r = bal_rng(5, BAL_RNG_TEST, 0, (uint64_t)i);
        double z[C], sum = 0, wide = 0, u;
        for (int k = 0; k < C; k++) z[k] = 1.5 * bal_rng_normal(&r);
        for (int k = 0; k < C; k++) sum += exp(z[k]), wide += exp(factor * z[k]);
        u = bal_rng_uniform(&r) * sum;
        int y = 0;
        while (y < C - 1 && (u -= exp(z[y])) > 0) y++;
        snprintf(ids[i], sizeof ids[i], "clip%04d", i);
        clips[i] = (BalClip){.id = ids[i], .source = "", .media = "", .label = y, .split = BAL_SPLIT_VAL};
        bal_text_add(&t, ids[i]);
        for (int k = 0; k < C; k++) bal_text_f(&t, ",%.9g", probabilities ? exp(factor * z[k]) / wide : factor * z[k]);
        bal_text_char(&t, '\n');
    }
    assert_ok(bal_file_write(path, t.data, t.len, &err));
    bal_text_reset(&t);
    return path;
}

static BalCalibration calibrate(const char *path) {
    BalError err;
    BalCalibration c;
    const BalCalibrateSpec spec = {.outputs = &path, .n_outputs = 1, .split = BAL_SPLIT_NONE};
    assert_ok(bal_calibrate(&c, &manifest, &spec, &err));
    return c;
}

static void test_planted(void **state) {
    (void)state;
    static const double planted[] = {0.4, 1, 2.5, 6};
    double first = 0;
    for (int k = 0; k < 4; k++) {
        BalCalibration c = calibrate(write_outputs("z.csv", planted[k], false));
        assert_true(fabs(c.temperature / planted[k] - 1) < 0.06);
        assert_true(!c.at_edge && c.n == N && c.after.ece < 0.03 && c.after.nll <= c.before.nll + 1e-12);
        if (!k) first = c.temperature / planted[0];
        assert_true(fabs(c.temperature / planted[k] - first) < 2e-4); /* the same clips at another scale */
    }
    BalCalibration c = calibrate(write_outputs("p.csv", 2.5, true)); /* probabilities are their logarithms' softmax */
    assert_true(fabs(c.temperature / 2.5 - first) < 1e-3 && c.before.ece > 0.1);
    int64_t n = 0;
    for (int k = 0; k < BAL_RELIABILITY_BINS; k++) n += c.after.count[k];
    assert_int_equal(n, N);
}

/* One clip, right or wrong, wants to be as sure or as unsure as possible. */
static void test_edges(void **state) {
    (void)state;
    BalError err;
    const char *path = scratch("one.csv");
    const char text[] = "id,dog,cat,cow,pig\nclip0000,3,0,0,-1\n";
    BalClip one = {.id = "clip0000", .source = "", .media = "", .label = 0, .split = BAL_SPLIT_VAL};
    BalManifest m = {.clip = &one, .n = 1, .classes = (const char **)(uintptr_t)labels, .n_classes = C};
    BalCalibration c;
    BalCalibrateSpec spec = {.outputs = &path, .n_outputs = 1, .split = BAL_SPLIT_NONE};
    assert_ok(bal_file_write(path, text, sizeof text - 1, &err));
    assert_ok(bal_calibrate(&c, &m, &spec, &err));
    assert_true(c.at_edge && c.temperature == 0.05);
    one.label = 3;
    assert_ok(bal_calibrate(&c, &m, &spec, &err));
    assert_true(c.at_edge && c.temperature == 20);
    spec.split = BAL_SPLIT_TEST;
    assert_fails(bal_calibrate(&c, &m, &spec, &err), BAL_E_FORMAT, "none of 1 clips");
}

static BalStatus whole(void *user, BalError *err) {
    const char *path = user;
    BalCalibration c;
    const BalCalibrateSpec spec = {.outputs = &path, .n_outputs = 1, .split = BAL_SPLIT_NONE};
    BalManifest few = manifest;
    few.n = 10;
    return bal_calibrate(&c, &few, &spec, err);
}

static void test_faults(void **state) {
    (void)state;
    BalError err;
    const char *path = scratch("few.csv");
    BalText t = {0};
    (void)write_outputs("z.csv", 1, false); /* fills the clips */
    bal_text_add(&t, "id,dog,cat,cow,pig\n");
    for (int i = 0; i < 10; i++) bal_text_f(&t, "clip%04d,1,2,-3,%d\n", i, i);
    assert_ok(bal_file_write(path, t.data, t.len, &err));
    bal_text_reset(&t);
    assert_true(fault_each_allocation(whole, (void *)(uintptr_t)path) > 10);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_planted), cmocka_unit_test(test_edges),
                                       cmocka_unit_test(test_faults)};
    return cmocka_run_group_tests(tests, scratch_open, scratch_close);
}
