/* AGM: scores and coefficients against vectors (the authors' hooks), the loss by finite differences, what the passes leave behind. */
#include "base/vectors.h"
#include "methods/agm.h"
#include "methods/fd.h"

static void coefficients(void **state) {
    (void)state;
    enum { N = 2, C = 3 };
    const BalJson *in = vector("agm", "in"), *out = vector("agm", "out"), *before = bal_json_get(in, "running_score");
    float z[N * C], unseen[N * C], unheard[N * C];
    numbers(in, "logits_total", z);
    numbers(in, "logits_pad_visual", unseen);
    numbers(in, "logits_pad_audio", unheard);
    const double running[2] = {bal_json_real(bal_json_get(before, "a"), NAN),
                               bal_json_real(bal_json_get(before, "v"), NAN)};
    double score[2], k[2];
    bal_agm_coefficients(z, unseen, unheard, (const int32_t[]){0, 1}, N, C,
                         bal_json_real(bal_json_get(in, "alpha"), NAN), running, score, k);
    assert_near("score_a", score[0], bal_json_real(bal_json_get(out, "score_a"), NAN), 1e-6);
    assert_near("score_v", score[1], bal_json_real(bal_json_get(out, "score_v"), NAN), 1e-6);
    assert_near("k_a", k[0], bal_json_real(bal_json_get(out, "k_a"), NAN), 1e-6);
    assert_near("k_v", k[1], bal_json_real(bal_json_get(out, "k_v"), NAN), 1e-6);
    /* the gradient by the logits of a pass is that of the cross-entropy in the share that k gives it */
    float dz[N * C];
    const double share[3] = {(k[0] + k[1]) / 2, (k[0] - k[1]) / 2, (k[1] - k[0]) / 2};
    static const char *const name[3] = {"d_total", "d_pad_visual", "d_pad_audio"};
    for (int s = 0; s < 3; s++) {
        bal_softmax_ce(z, (const int32_t[]){0, 1}, N, C, share[s], dz, NULL);
        assert_numbers(dz, out, name[s], 1e-5);
    }
}

/* Without modulation the three shares are those of the whole: the cross-entropy of the full pass. */
static void the_loss_changes_as_its_gradient_says(void **state) {
    (void)state;
    static const char *const set[] = {"agm.alpha", "0", NULL};
    Fd f;
    fd_open(&f, "agm", set);
    assert_true(fd_check(&f) >= 20);
    fd_close(&f);
}

/* The head's bias sees the sum of the three shares: (k_a + k_v) / 2 of the plain gradient. */
static void shares_go_through_three_passes(void **state) {
    (void)state;
    static const char *const set[] = {"agm.alpha", "10", NULL};
    BalError err = {0};
    Fd f;
    float with[FD_CLASSES], without[FD_CLASSES];
    fd_open(&f, "agm", set);
    const int bias = bal_session_find_param(f.c.session, "head.fc.bias");
    fd_loss(&f);
    assert_ok(bal_session_grad_get(f.c.session, 0, bias, with, &err));
    f.c.epoch = 20; /* past agm.last: plain */
    fd_loss(&f);
    assert_ok(bal_session_grad_get(f.c.session, 0, bias, without, &err));
    const double sum = with[0] / without[0]; /* (k_a + k_v) / 2 */
    assert_true(fabs(sum - 1) > 1e-3);
    for (int k = 0; k < FD_CLASSES; k++) assert_near("bias", with[k], sum * without[k], 1e-4);
    fd_close(&f);
}

/* Running statistics move with the full pass alone. */
static void padded_passes_leave_statistics_alone(void **state) {
    (void)state;
    BalError err = {0};
    float mean[2][16];
    for (int plain = 0; plain < 2; plain++) {
        Fd f;
        fd_open(&f, "agm", NULL);
        f.c.epoch = plain ? 20 : 0;
        fd_loss(&f);
        assert_ok(bal_session_param_get(f.c.session, bal_session_find_param(f.c.session, "audio.bn1.running_mean"),
                                        mean[plain], &err));
        fd_close(&f);
    }
    assert_memory_equal(mean[0], mean[1], sizeof mean[0]);
}

/* A head with a large gradient is clipped in every epoch, whether there is modulation or not. */
static void the_clip_outlives_the_modulation(void **state) {
    (void)state;
    BalError err = {0};
    float large[32];
    for (int k = 0; k < 32; k++) large[k] = 50;
    for (uint32_t epoch = 0; epoch <= 20; epoch += 20) {
        Fd f;
        double sum = 0;
        fd_open(&f, "agm", NULL);
        assert_ok(
            bal_session_param_set(f.c.session, bal_session_find_param(f.c.session, "audio.bn3.weight"), large, &err));
        f.c.epoch = epoch;
        fd_loss(&f);
        assert_ok(f.m.ops->grad(f.m.self, &f.c, &err));
        for (int i = 0; i < bal_session_n_params(f.c.session); i++) {
            BalParamStats s;
            if (!bal_session_param(f.c.session, i)->trainable) continue;
            assert_ok(bal_session_stats(f.c.session, 0, 0, i, &s, &err));
            sum += s.sum_gg;
        }
        assert_near("norm", sqrt(sum), 1, 1e-4);
        fd_close(&f);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(coefficients),
        cmocka_unit_test(the_clip_outlives_the_modulation),
        cmocka_unit_test(the_loss_changes_as_its_gradient_says),
        cmocka_unit_test(shares_go_through_three_passes),
        cmocka_unit_test(padded_passes_leave_statistics_alone),
    };
    return cmocka_run_group_tests(tests, vectors_open, vectors_close);
}
