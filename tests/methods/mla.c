/* MLA: projection and fusion against vectors (the authors' plugin), both sub-steps by finite differences, what each of them moves. */
#include "base/vectors.h"
#include "methods/fd.h"
#include "methods/mla.h"

static void projection(void **state) {
    (void)state;
    enum { C = 2, D = 3 };
    const BalJson *in = vector("mla_projection", "in"), *out = vector("mla_projection", "out");
    const double alpha = pow(
        0.1, bal_json_real(bal_json_get(in, "batch_index"), NAN) / bal_json_real(bal_json_get(in, "batches"), NAN) + 1);
    assert_near("alpha", alpha, bal_json_real(bal_json_get(out, "alpha_reg"), NAN), 1e-6);
    for (int scalar = 0; scalar < 2; scalar++) {
        double P[D * D], r[D], k[D], row[D];
        float p[D * D], g[C * D];
        numbers_add(bal_json_get(in, "P"), P, 0);
        numbers_add(bal_json_get(in, "batch_mean_feature"), r, 0);
        numbers(in, "head_grad", g);
        bal_mla_project(P, r, k, D, alpha, !scalar);
        for (int i = 0; i < D * D; i++) p[i] = (float)P[i];
        assert_numbers(p, out, scalar ? "P_scalar_denominator" : "P_code", 1e-6);
        bal_mla_turn(g, P, row, C, D);
        assert_numbers(g, out, scalar ? "grad_scalar" : "grad_code", 1e-6);
    }
}

static void surer_answers_weigh_more(void **state) {
    (void)state;
    const BalJson *in = vector("mla_dynamic_fusion", "in"), *out = vector("mla_dynamic_fusion", "out");
    float a[6], v[6];
    numbers(in, "logits_a", a);
    numbers(in, "logits_v", v);
    bal_mla_fuse(a, v, 2, 3);
    assert_numbers(a, out, "fused_per_sample", 1e-6);
}

static void the_loss_changes_as_its_gradient_says(void **state) {
    (void)state;
    Fd f;
    fd_open(&f, "mla", NULL); /* the sound's step: encoder and head */
    f.tags = BAL_TAG_AUDIO | BAL_TAG_SHARED;
    assert_true(fd_check(&f) >= 11);
    f.last_sub = 1; /* the picture's, from the same pass; the head's gradient is then of its loss alone */
    f.tags = BAL_TAG_VISUAL;
    assert_true(fd_check(&f) >= 9);
    fd_close(&f);
}

/* A step moves sound and head, then picture and head; the second answer is that of the moved head. */
static void each_encoder_has_its_turn(void **state) {
    (void)state;
    BalError err = {0};
    Fd f;
    float w[2][FD_CLASSES * 32], b[FD_CLASSES], v[FD_N * 32], z[FD_N * FD_CLASSES];
    const BalOptimiser sgd = {.kind = BAL_SGD, .lr = 0.5};
    fd_open(&f, "mla", NULL);
    const int fc = bal_session_find_param(f.c.session, "head.fc.weight");
    const int bias = bal_session_find_param(f.c.session, "head.fc.bias");
    assert_ok(bal_session_param_get(f.c.session, fc, w[0], &err));
    fd_loss(&f);
    assert_ok(f.m.ops->grad(f.m.self, &f.c, &err));
    assert_int_equal(f.c.update_tags, BAL_TAG_AUDIO | BAL_TAG_SHARED);
    assert_ok(bal_session_update(f.c.session, &sgd, 0, f.c.update_tags, &err));
    assert_ok(bal_session_param_get(f.c.session, fc, w[1], &err));
    assert_ok(bal_session_param_get(f.c.session, bias, b, &err));
    assert_memory_not_equal(w[0], w[1], sizeof w[0]);
    f.c.sub = 1;
    const double first = f.c.loss;
    assert_ok(f.m.ops->loss(f.m.self, &f.c, &err));
    assert_ok(bal_session_get(f.c.session, 0, "features_visual", v, &err));
    for (int i = 0; i < FD_N * FD_CLASSES; i++) {
        z[i] = b[i % FD_CLASSES];
        for (int k = 0; k < 32; k++) z[i] += v[i / FD_CLASSES * 32 + k] * w[1][i % FD_CLASSES * 32 + k];
    }
    assert_near("loss", f.c.loss - first, bal_softmax_ce(z, f.label, FD_N, FD_CLASSES, 1, NULL, NULL), 1e-5);
    assert_ok(f.m.ops->grad(f.m.self, &f.c, &err));
    assert_int_equal(f.c.update_tags, BAL_TAG_VISUAL | BAL_TAG_SHARED);
    fd_close(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(projection),
        cmocka_unit_test(surer_answers_weigh_more),
        cmocka_unit_test(the_loss_changes_as_its_gradient_says),
        cmocka_unit_test(each_encoder_has_its_turn),
    };
    return cmocka_run_group_tests(tests, vectors_open, vectors_close);
}
