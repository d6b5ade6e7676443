/* Methods that are a loss on several logits or features: CML, LFM, MMCosine, UMT, ReconBoost. Each against its vectors, and by finite differences. */
#include "base/vectors.h"
#include "methods/cml.h"
#include "methods/fd.h"
#include "methods/lfm.h"
#include "methods/mmcosine.h"
#include "methods/reconboost.h"

static double real(const BalJson *v, const char *key) {
    const BalJson *at = bal_json_get(v, key);
    if (!at) fail_msg("there is no %s", key);
    return bal_json_real(at, NAN);
}

static void cml(void **state) {
    (void)state;
    static const char *const set[2][3] = {{"cml.weight", "2", NULL}, {"cml.hinge", "clip", NULL}};
    const BalJson *in = vector("cml", "in"), *out = vector("cml", "out");
    float z[6], removed[6], dz[6], dremoved[6];
    const int32_t label[2] = {0, 1};
    numbers(in, "logits_full", z);
    numbers(in, "logits_one_removed", removed);
    for (int clip = 0; clip < 2; clip++)
        assert_near("loss", bal_cml_loss(z, removed, label, 2, 3, real(in, "lam"), clip, dz, dremoved),
                    real(out, "loss_benchmark"), 1e-6);
    /* each hinge counts what it should: confidences here are (a, b) against (b, a) */
    const float one[4] = {2, 0, 1, 0}, other[4] = {1, 0, 2, 0};
    const int32_t zero[2] = {0, 0};
    const double none = bal_cml_loss(one, other, zero, 2, 2, 0, false, dz, dremoved);
    assert_near("batch", bal_cml_loss(one, other, zero, 2, 2, 1, false, dz, dremoved), none, 1e-9);
    assert_near("clip", bal_cml_loss(one, other, zero, 2, 2, 1, true, dz, dremoved),
                none + 1 / (1 + exp(-2)) - 1 / (1 + exp(-1)), 1e-9);
    for (int k = 0; k < 2; k++) {
        Fd f;
        fd_open(&f, "cml", set[k]);
        f.c.epoch = (uint32_t)k;
        assert_true(fd_check(&f) > 10);
        fd_close(&f);
    }
}

static void lfm(void **state) {
    (void)state;
    const BalJson *in = vector("lfm", "in"), *out = vector("lfm", "out"), *curve = bal_json_get(out, "fitted_alpha");
    float a[6], v[6], da[6] = {0}, dv[6] = {0};
    numbers(in, "logits_a", a);
    numbers(in, "logits_v", v);
    assert_near("align", bal_lfm_align(a, v, 2, 3, 1, da, dv), real(out, "align_code"), 1e-6);
    assert_numbers(da, out, "d_align_dlogits_a", 1e-5);
    assert_numbers(dv, out, "d_align_dlogits_v", 1e-5);
    for (void *it = bal_json_first(curve); it; it = bal_json_next(curve, it))
        assert_near("curve", bal_lfm_curve(strtod(bal_json_key(it), NULL)),
                    bal_json_real(bal_json_at(bal_json_value(it), 0), NAN), 1e-6);
    const float far[2] = {900, -900}, near[2] = {-900, 900}; /* no probability of one is a number in the other */
    float d[2][2] = {{0}};
    assert_true(isfinite(bal_lfm_align(far, near, 1, 2, 1, d[0], d[1])) && isfinite(d[0][0]) && isfinite(d[1][1]));
    Fd f;
    fd_open(&f, "lfm", NULL);
    f.c.epoch = 3;
    assert_true(fd_check(&f) >= 20);
    fd_close(&f);
}

static void mmcosine(void **state) {
    (void)state;
    enum { N = 2, C = 3, D = 2 };
    const BalJson *in = vector("mmcosine", "in"), *out = vector("mmcosine", "out");
    const int32_t label[N] = {0, 2};
    const double scale = real(in, "scale");
    float whole[C * 2 * D], z[2][N * C], sum[N * C], dz[N * C], dwhole[C * 2 * D];
    float f[2][N * D], w[2][C * D], dot[2][N * C], ddot[N * C], df[N * D], dw[C * D];
    double norm[2][N + C];
    numbers(in, "W", whole);
    for (int u = 0; u < 2; u++) {
        numbers(in, u ? "v" : "a", f[u]);
        for (int i = 0; i < C * D; i++) w[u][i] = whole[i / D * 2 * D + u * D + i % D];
        for (int i = 0; i < N * C; i++) {
            dot[u][i] = 0;
            for (int k = 0; k < D; k++) dot[u][i] += f[u][i / C * D + k] * w[u][i % C * D + k];
        }
        bal_mmcosine(f[u], w[u], dot[u], N, C, D, scale, norm[u], z[u]);
        assert_numbers(z[u], out, u ? "out_v" : "out_a", 1e-6);
    }
    for (int i = 0; i < N * C; i++) sum[i] = z[0][i] + z[1][i];
    assert_numbers(sum, out, "out", 1e-6);
    assert_near("ce", bal_softmax_ce(sum, label, N, C, 1, dz, NULL), real(out, "ce"), 1e-6);
    for (int u = 0; u < 2; u++) {
        memset(dw, 0, sizeof dw);
        bal_mmcosine_gradient(f[u], w[u], z[u], dz, N, C, D, scale, norm[u], ddot, df, dw);
        for (int i = 0; i < N * C; i++) /* what the linear layer's backward does */
            for (int k = 0; k < D; k++) {
                df[i / C * D + k] += ddot[i] * w[u][i % C * D + k];
                dw[i % C * D + k] += ddot[i] * f[u][i / C * D + k];
            }
        assert_numbers(df, out, u ? "d_v" : "d_a", 1e-5);
        for (int i = 0; i < C * D; i++) dwhole[i / D * 2 * D + u * D + i % D] = dw[i];
    }
    assert_numbers(dwhole, out, "d_W", 1e-5);
    Fd t;
    fd_open(&t, "mmcosine", NULL);
    assert_true(fd_check(&t) >= 20);
    fd_close(&t);
}

static void umt(void **state) {
    (void)state;
    static const char *const set[] = {"umt.lambda", "3", NULL};
    BalError err = {0};
    Fd f;
    float student[FD_N * 32], teacher[FD_N * 32], var[16];
    fd_open(&f, "umt", set);
    assert_fails(f.m.ops->epoch_begin(f.m.self, &f.c, &err), BAL_E_ARG, "--init teacher_audio=RUN");
    static const char *const name[] = {"teacher_audio.bn1.running_var", "teacher_visual.bn1.running_var"};
    for (int m = 0; m < 2; m++) {
        for (int i = 0; i < 16; i++) var[i] = 0.5f + 0.1f * (float)i;
        assert_ok(bal_session_param_set(f.c.session, bal_session_find_param(f.c.session, name[m]), var, &err));
    }
    assert_ok(f.m.ops->epoch_begin(f.m.self, &f.c, &err));
    double want;
    fd_loss(&f);
    want = bal_softmax_ce(f.z, f.label, FD_N, FD_CLASSES, 1, NULL, NULL);
    for (int m = 0; m < 2; m++) {
        assert_ok(bal_session_get(f.c.session, 0, m ? "features_visual" : "features_audio", student, &err));
        assert_ok(bal_session_get(f.c.session, 0, m ? "teacher_visual" : "teacher_audio", teacher, &err));
        for (int i = 0; i < FD_N * 32; i++) want += 3 * pow((double)student[i] - teacher[i], 2) / (FD_N * 32);
    }
    assert_near("loss", f.c.loss, want, 1e-6);
    assert_true(fd_check(&f) >= 20);
    assert_ok(bal_session_param_get(f.c.session, bal_session_find_param(f.c.session, name[0]), var, &err));
    assert_float_equal(var[1], 0.6f, 0); /* a teacher does not move */
    fd_close(&f);
}

static void reconboost(void **state) {
    (void)state;
    static const char *const set[] = {"reconboost.agreement", "gradient", "reconboost.hidden", "16", NULL};
    const BalJson *in = vector("reconboost", "in"), *out = vector("reconboost", "out");
    float z[6], others[6], before[6], dz[6], with[6];
    const int32_t label[2] = {0, 2};
    numbers(in, "logits_current", z);
    numbers(in, "logits_others", others);
    numbers(in, "logits_prev_stage", before);
    assert_near("boost_loss", bal_reconboost_loss(z, others, label, 2, 3, real(in, "weight1"), real(in, "weight2"), dz),
                real(out, "boost_loss"), 1e-6);
    assert_numbers(dz, out, "dlogits", 1e-5);
    assert_near("ga_loss", bal_reconboost_agreement(z, before, 2, 3, 0, NULL), real(out, "ga_loss"), 1e-6);
    memcpy(with, dz, sizeof with);
    bal_reconboost_agreement(z, before, 2, 3, 0.5, with);
    for (int i = 0; i < 6; i++) { /* its gradient, by differences */
        const float was = z[i];
        z[i] = was + 0.01f;
        const double up = bal_reconboost_agreement(z, before, 2, 3, 0, NULL);
        z[i] = was - 0.01f;
        const double step = (up - bal_reconboost_agreement(z, before, 2, 3, 0, NULL)) / 0.02;
        z[i] = was;
        assert_near("agreement", with[i] - dz[i], 0.5 * step, 1e-3);
    }
    BalError err = {0};
    Fd f;
    fd_open(&f, "reconboost", set);
    assert_ok(f.m.ops->epoch_begin(f.m.self, &f.c, &err));
    static const int tensors[3] = {13, 13,
                                   22}; /* an encoder and the head, or both; fc2's bias counts, as do both layers */
    static const uint32_t epoch[3] = {0, 4, 12}; /* sound alone; its ensemble; that of both */
    for (int k = 0; k < 3; k++) {
        f.c.epoch = epoch[k];
        assert_int_equal(fd_check(&f), tensors[k]);
    }
    f.c.epoch = 8; /* the picture's turn; what the other says is a constant */
    f.tags = BAL_TAG_VISUAL;
    assert_int_equal(fd_check(&f), 9);
    fd_close(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cml), cmocka_unit_test(lfm),        cmocka_unit_test(mmcosine),
        cmocka_unit_test(umt), cmocka_unit_test(reconboost),
    };
    return cmocka_run_group_tests(tests, vectors_open, vectors_close);
}
