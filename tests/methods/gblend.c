/* Gradient-Blending: weights and blended loss against vectors, gradients of the whole loss. Probes need a trainer: tests/train/methods.c. */
#include "methods/gblend.h"
#include "base/vectors.h"
#include "methods/fd.h"

static const char *const MODEL[] = {"a", "v", "av"};

static double of(const BalJson *v, const char *key, int m) {
    return bal_json_real(bal_json_get(bal_json_get(v, key), MODEL[m]), NAN);
}

static void weights_and_blended_loss(void **state) {
    (void)state;
    const BalJson *in = vector("gblend_weights", "in"), *out = vector("gblend_weights", "out");
    BalGblendLosses before, after;
    double w[3], loss = 0;
    for (int m = 0; m < 3; m++) {
        before.train[m] = of(in, "train_loss_n", m), before.held[m] = of(in, "valid_loss_n", m);
        after.train[m] = of(in, "train_loss_N", m), after.held[m] = of(in, "valid_loss_N", m);
    }
    bal_gblend_weights(&before, &after, w);
    for (int m = 0; m < 3; m++) {
        const int32_t label[2] = {0, 2};
        float z[6];
        assert_near("w", w[m], of(out, "w_norm", m), 1e-6);
        numbers(bal_json_get(in, "logits"), MODEL[m], z);
        loss += w[m] * bal_softmax_ce(z, label, 2, 3, 1, NULL, NULL);
    }
    assert_near("blended_loss", loss, bal_json_real(bal_json_get(out, "blended_loss"), NAN), 1e-6);
}

static void degenerate_ratios_are_guarded(void **state) {
    (void)state;
    const BalJson *in = vector("gblend_weight_clip_case", "in"), *out = vector("gblend_weight_clip_case", "out");
    BalGblendLosses before = {{0}, {0}}, after = {{0}, {0}};
    double w[3];
    for (int m = 0; m < 3; m++) {
        after.held[m] = -of(in, "dG", m);
        after.train[m] = after.held[m] - of(in, "dO", m);
    }
    bal_gblend_weights(&before, &after, w);
    for (int m = 0; m < 3; m++) assert_near("guarded", w[m], of(out, "guarded", m), 1e-6);
    bal_gblend_weights(&before, &before, w); /* nothing moved */
    for (int m = 0; m < 3; m++) assert_near("even", w[m], 1. / 3, 1e-12);
}

static void the_loss_changes_as_its_gradient_says(void **state) {
    (void)state;
    static const char *const set[] = {
        "gblend.mode", "fixed", "gblend.audio", "2", "gblend.visual", "0.5", "gblend.joint", "1", NULL};
    BalError err = {0};
    Fd f;
    fd_open(&f, "gblend", set);
    assert_ok(f.m.ops->epoch_begin(f.m.self, &f.c, &err));
    assert_true(fd_check(&f) > 16);
    fd_close(&f);
}

static void weights_that_are_all_zero_are_refused(void **state) {
    (void)state;
    static const char *const set[] = {"gblend.mode", "fixed", "gblend.audio", "0", "gblend.visual", "0", "gblend.joint",
                                      "0",           NULL};
    BalError err = {0};
    Fd f;
    fd_open(&f, "gblend", set);
    assert_fails(f.m.ops->epoch_begin(f.m.self, &f.c, &err), BAL_E_ARG, "give one a weight");
    fd_close(&f);
    fd_open(&f, "gblend", NULL);
    assert_fails(f.m.ops->epoch_begin(f.m.self, &f.c, &err), BAL_E_UNSUPPORTED, "needs a trainer");
    fd_close(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(weights_and_blended_loss),
        cmocka_unit_test(degenerate_ratios_are_guarded),
        cmocka_unit_test(the_loss_changes_as_its_gradient_says),
        cmocka_unit_test(weights_that_are_all_zero_are_refused),
    };
    return cmocka_run_group_tests(tests, vectors_open, vectors_close);
}
