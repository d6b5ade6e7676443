/* OPM: drop rates against vectors (the authors' function), the loss by finite differences, which clips lose what. */
#include "base/vectors.h"
#include "methods/fd.h"
#include "methods/opm.h"

static void rates(void **state) {
    (void)state;
    const BalJson *in = vector("opm", "in"), *out = vector("opm", "out");
    const double score[2] = {bal_json_real(bal_json_get(in, "score_a"), NAN),
                             bal_json_real(bal_json_get(in, "score_v"), NAN)};
    double q[2];
    const double theta = bal_opm_rates(score, bal_json_real(bal_json_get(in, "q_base"), NAN),
                                       bal_json_real(bal_json_get(in, "lam"), NAN), (const int[]){512, 512}, q);
    const float got[2] = {(float)q[0], (float)q[1]};
    assert_numbers(got, out, "q", 1e-6); /* float32 in the authors' code */
    assert_near("theta", theta, bal_json_real(bal_json_get(out, "theta"), NAN), 1e-6);
    assert_near("scale", 1 / (1 - theta), bal_json_real(bal_json_get(out, "scale_v"), NAN), 1e-6);
}

/* With lambda 0 the rates do not depend on the weights. */
static void the_loss_changes_as_its_gradient_says(void **state) {
    (void)state;
    static const char *const set[] = {"opm.share", "1", "opm.lambda", "0", "opm.first", "0", NULL};
    Fd f;
    fd_open(&f, "opm", set);
    f.c.step = 2;
    fd_loss(&f);
    assert_true(fd_check(&f) >= 20);
    fd_close(&f);
}

/* The logits of a modulated batch are those of the network with features masked and scaled: the same through the keep coefficients. */
static void the_parts_make_the_masked_network(void **state) {
    (void)state;
    static const char *const set[] = {"opm.share", "1", "opm.base", "0.6", "opm.lambda", "0", "opm.first", "0", NULL};
    BalError err = {0};
    Fd f;
    float z[FD_N * FD_CLASSES], masked[FD_N * FD_CLASSES], keep[2][FD_N];
    fd_open(&f, "opm", set);
    fd_loss(&f);
    memcpy(z, f.z, sizeof z);
    int found = 0;
    for (int lost = 0; lost < 2 && !found;
         lost++) /* which modality, and of which clips: 2 * 32 masks, one of them fits */
        for (int mask = 0; mask < 1 << FD_N && !found; mask++) {
            for (int i = 0; i < FD_N; i++) {
                keep[1 - lost][i] = 1 / 0.7f;
                keep[lost][i] = mask >> i & 1 ? 0 : 1 / 0.7f;
            }
            assert_ok(bal_session_set(f.c.session, 0, "audio.keep", keep[0], FD_N, &err));
            assert_ok(bal_session_set(f.c.session, 0, "visual.keep", keep[1], FD_N, &err));
            assert_ok(bal_session_forward(f.c.session, 0, FD_N, BAL_MODE_TRAIN, &err));
            assert_ok(bal_session_get(f.c.session, 0, "logits", masked, &err));
            found = 1;
            for (int i = 0; i < FD_N * FD_CLASSES; i++) found &= fabsf(z[i] - masked[i]) < 1e-5f;
        }
    assert_true(found);
    fd_close(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rates),
        cmocka_unit_test(the_loss_changes_as_its_gradient_says),
        cmocka_unit_test(the_parts_make_the_masked_network),
    };
    return cmocka_run_group_tests(tests, vectors_open, vectors_close);
}
