/* InfoReg: window and strength against vectors, the loss by finite differences, and what is added to the gradient. */
#include "base/vectors.h"
#include "methods/fd.h"
#include "methods/inforeg.h"

static double real(const BalJson *v, const char *key) {
    return bal_json_real(bal_json_get(v, key), NAN);
}

static void window_and_strength(void **state) {
    (void)state;
    const BalJson *in = vector("inforeg", "in"), *out = vector("inforeg", "out");
    const BalJson *traces = bal_json_get(in, "fisher_trace_audio_per_epoch"),
                  *k = bal_json_get(out, "k_at_epoch_start");
    double trace[11] = {0};
    assert_near("k", bal_inforeg_growth(trace), bal_json_real(bal_json_at(k, 0), NAN), 1e-9);
    for (size_t e = 0; e < bal_json_size(traces); e++) {
        memmove(trace, trace + 1, 10 * sizeof *trace);
        trace[10] = bal_json_real(bal_json_at(traces, e), NAN);
        assert_near("k", bal_inforeg_growth(trace), bal_json_real(bal_json_at(k, e + 1), NAN), 1e-8);
    }
    double beta[2];
    bal_inforeg_strength((const double[]){real(in, "score_a"), real(in, "score_v")},
                         (const double[]){real(in, "c_audio"), real(in, "c_visual")}, beta);
    assert_near("beta", beta[0], real(out, "beta_audio"), 1e-6);
    assert_float_equal(beta[1], real(out, "beta_visual"), 0);
}

static void the_loss_changes_as_its_gradient_says(void **state) {
    (void)state;
    Fd f;
    fd_open(&f, "inforeg", NULL);
    assert_true(fd_check(&f) >= 20);
    fd_close(&f);
}

/* After a step away from the epoch's beginning, one encoder's gradient has beta times that step added, and nothing else has. */
static void one_encoder_is_drawn_back(void **state) {
    (void)state;
    BalError err = {0};
    Fd f;
    double *plain[64], *now = malloc(1 << 20);
    int drawn[3] = {0};
    fd_open(&f, "inforeg", NULL);
    assert_ok(f.m.ops->epoch_begin(f.m.self, &f.c, &err));
    const int n = bal_session_n_params(f.c.session);
    assert_in_range(n, 1, 64);
    for (int i = 0; i < n; i++) {
        float w[8192];
        assert_in_range(fd_count(&f, i), 1, 8192);
        plain[i] = malloc((size_t)fd_count(&f, i) * sizeof(double));
        assert_ok(bal_session_param_get(f.c.session, i, w, &err));
        for (int64_t k = 0; k < fd_count(&f, i); k++) w[k] += 0.25f;
        if (bal_session_param(f.c.session, i)->trainable) assert_ok(bal_session_param_set(f.c.session, i, w, &err));
    }
    fd_loss(&f);
    for (int i = 0; i < n; i++)
        if (bal_session_param(f.c.session, i)->trainable) fd_gradient(&f, i, fd_count(&f, i), plain[i]);
    assert_ok(f.m.ops->grad(f.m.self, &f.c, &err));
    double beta = 0;
    for (int i = 0; i < n; i++) {
        const BalParam *p = bal_session_param(f.c.session, i);
        if (!p->trainable) continue;
        fd_gradient(&f, i, fd_count(&f, i), now);
        const double added = (now[0] - plain[i][0]) / 0.25;
        for (int64_t k = 0; k < fd_count(&f, i); k++) assert_near("added", now[k] - plain[i][k], 0.25 * added, 2e-4);
        const int side = p->tags & BAL_TAG_AUDIO ? 0 : p->tags & BAL_TAG_VISUAL ? 1 : 2;
        drawn[side] += added > 0.01;
        if (added > 0.01 && beta > 0) assert_near("beta", added, beta, 1e-3);
        if (added > 0.01) beta = added;
    }
    assert_int_equal(drawn[2], 0);
    assert_true((drawn[0] == 9 && drawn[1] == 0) || (drawn[0] == 0 && drawn[1] == 9));
    for (int i = 0; i < n; i++) free(plain[i]);
    free(now);
    fd_close(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(window_and_strength),
        cmocka_unit_test(the_loss_changes_as_its_gradient_says),
        cmocka_unit_test(one_encoder_is_drawn_back),
    };
    return cmocka_run_group_tests(tests, vectors_open, vectors_close);
}
