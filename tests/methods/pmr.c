/* PMR: similarities and their gradient against vectors (the authors' distance), prototypes as class means, the loss by finite differences. */
#include "base/vectors.h"
#include "methods/fd.h"
#include "methods/pmr.h"
#include "methods/score.h"

static void similarity_and_gradient(void **state) {
    (void)state;
    enum { N = 3, C = 2, D = 2 };
    const BalJson *in = vector("pmr", "in"), *out = vector("pmr", "out");
    const int32_t label[N] = {0, 1, 0};
    float f[N * D], p[C * D], sim[N * C], dsim[N * C], df[N * D];
    for (int m = 0; m < 2; m++) {
        numbers(in, m ? "feat_v" : "feat_a", f);
        numbers(in, m ? "proto_v" : "proto_a", p);
        bal_pmr_similarity(f, p, N, C, D, sim);
        assert_numbers(sim, out, m ? "sim_v" : "sim_a", 1e-6);
        assert_near("score", bal_sum_score(sim, label, N, C),
                    bal_json_real(bal_json_get(out, m ? "score_v" : "score_a"), NAN), 1e-6);
        assert_near("proto_ce", bal_softmax_ce(sim, label, N, C, 1, dsim, NULL),
                    bal_json_real(bal_json_get(out, m ? "proto_ce_v" : "proto_ce_a"), NAN), 1e-6);
    }
    bal_pmr_gradient(f, p, sim, dsim, N, C, D, df);
    assert_numbers(df, out, "d_proto_ce_v_dfeat_v", 1e-5);
    /* on a prototype, and with one missing */
    const float at[D] = {0.2f, 0.2f}, missing[C * D] = {0.2f, 0.2f, NAN, NAN};
    bal_pmr_similarity(at, missing, 1, C, D, sim);
    assert_true(sim[0] == 0 && isinf(sim[1]));
    bal_pmr_gradient(at, missing, sim, (const float[]){0.5f, 0}, 1, C, D, df);
    assert_true(df[0] == 0 && df[1] == 0);
}

/* With every clip in the draw, a prototype is the mean of its class' features in eval mode; with momentum it follows slowly. */
static void the_loss_changes_as_its_gradient_says(void **state) {
    (void)state;
    static const char *const set[] = {"pmr.share", "1", "pmr.alpha", "2", NULL};
    BalError err = {0};
    Fd f;
    fd_open(&f, "pmr", set);
    fd_train(&f);
    const double plain = fd_loss(&f); /* no prototypes yet: the cross-entropy alone */
    assert_near("plain", plain, bal_softmax_ce(f.z, f.label, FD_N, FD_CLASSES, 1, NULL, NULL), 1e-12);
    assert_ok(f.m.ops->epoch_begin(f.m.self, &f.c, &err));
    assert_true(fd_loss(&f) > plain + 0.1);
    assert_true(fd_check(&f) >= 20);
    f.c.epoch = 71; /* past pmr.last */
    assert_near("past", fd_loss(&f), plain, 1e-6);
    fd_close(&f);
}

/* The loss after an epoch's end with other features than before. */
static double after_epoch(Fd *f, uint32_t epoch) {
    BalError err = {0};
    f->c.epoch = epoch;
    for (int i = 0; i < FD_N * FD_AUDIO; i++) f->audio[i] = (float)(1 - 2 * f->audio[i]);
    assert_ok(f->m.ops->epoch_end(f->m.self, &f->c, &err));
    return fd_loss(f);
}

/* Prototypes of the untrained network count for nothing once epoch 0 has ended: momentum makes a difference from epoch 1 on. */
static void momentum_begins_with_the_second_epoch(void **state) {
    (void)state;
    static const char *const set[2][5] = {{"pmr.share", "1", "pmr.momentum", "0", NULL},
                                          {"pmr.share", "1", "pmr.momentum", "0.5", NULL}};
    BalError err = {0};
    double loss[2][2];
    for (int k = 0; k < 2; k++) {
        Fd f;
        fd_open(&f, "pmr", set[k]);
        fd_train(&f);
        assert_ok(f.m.ops->epoch_begin(f.m.self, &f.c, &err));
        for (uint32_t e = 0; e < 2; e++) loss[k][e] = after_epoch(&f, e);
        fd_close(&f);
    }
    assert_true(loss[0][0] == loss[1][0]);
    assert_true(loss[0][1] != loss[1][1]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(similarity_and_gradient),
        cmocka_unit_test(momentum_begins_with_the_second_epoch),
        cmocka_unit_test(the_loss_changes_as_its_gradient_says),
    };
    return cmocka_run_group_tests(tests, vectors_open, vectors_close);
}
