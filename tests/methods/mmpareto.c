/* MMPareto: weights and rescaling against vectors (the authors' solver), the loss by finite differences, the merged step. */
#include "base/vectors.h"
#include "methods/fd.h"
#include "methods/mmpareto.h"

static double dot(const float *a, const float *b, int n) {
    double sum = 0;
    for (int i = 0; i < n; i++) sum += (double)a[i] * b[i];
    return sum;
}

static void merged_gradients(void **state) {
    (void)state;
    static const char *const name[] = {"conflict", "conflict_uneven", "agree"};
    const double gamma = bal_json_real(bal_json_get(vector("mmpareto", "in"), "gamma"), NAN);
    for (int k = 0; k < 3; k++) {
        const BalJson *out = bal_json_get(vector("mmpareto", "out"), name[k]);
        float g[2][8], final[8];
        const int n = numbers(out, "g_multi", g[0]);
        numbers(out, "g_uni", g[1]);
        const double a11 = dot(g[0], g[0], n), a12 = dot(g[0], g[1], n), a22 = dot(g[1], g[1], n);
        double f[2], w[2] = {0.5, 0.5};
        if (a12 <= 0) w[0] = bal_mmpareto_min_norm(a11, a12, a22), w[1] = 1 - w[0];
        assert_near("w_multi", w[0], bal_json_real(bal_json_get(out, "w_multi"), NAN), 1e-6);
        bal_mmpareto_factors(a11, a12, a22, w, gamma, f);
        for (int i = 0; i < n; i++) final[i] = (float)(f[0] * g[0][i] + f[1] * g[1][i]);
        assert_numbers(final, out, "final_grad", 1e-6);
    }
}

static void ends_of_the_line(void **state) {
    (void)state;
    const BalJson *in = vector("min_norm_2_edges", "in"), *out = vector("min_norm_2_edges", "out");
    float a[2], b[2];
    numbers(in, "g1", a);
    numbers(in, "g2", b);
    assert_near("gamma", bal_mmpareto_min_norm(dot(a, a, 2), dot(a, b, 2), dot(b, b, 2)),
                bal_json_real(bal_json_get(out, "gamma"), NAN), 1e-9);
    assert_near("gamma_swapped", bal_mmpareto_min_norm(dot(b, b, 2), dot(a, b, 2), dot(a, a, 2)),
                bal_json_real(bal_json_get(out, "gamma_swapped"), NAN), 1e-9);
    double f[2];
    bal_mmpareto_factors(4, -4, 4, (const double[]){0.5, 0.5}, 1.5,
                         f); /* opposite gradients cancel: nothing to divide by */
    assert_float_equal(f[0], 1.5, 1e-12);
}

static void the_loss_changes_as_its_gradients_say(void **state) {
    (void)state;
    Fd f;
    fd_open(&f, "mmpareto", NULL);
    f.n_grads = 2;
    assert_true(fd_check(&f) >= 24);
    fd_close(&f);
}

/* Encoders' tensors are at least gamma times as long as the plain gradient, heads are plain. */
static void the_step_is_long_enough(void **state) {
    (void)state;
    BalError err = {0};
    Fd f;
    fd_open(&f, "mmpareto", NULL);
    fd_loss(&f);
    const int n = bal_session_n_params(f.c.session);
    double *plain[64], norm[64];
    assert_in_range(n, 1, 64);
    f.n_grads = 2;
    for (int i = 0; i < n; i++) {
        plain[i] = malloc((size_t)fd_count(&f, i) * sizeof(double));
        if (bal_session_param(f.c.session, i)->trainable) norm[i] = fd_gradient(&f, i, fd_count(&f, i), plain[i]);
    }
    assert_ok(f.m.ops->grad(f.m.self, &f.c, &err));
    f.n_grads = 1;
    for (int i = 0; i < n; i++) {
        const BalParam *p = bal_session_param(f.c.session, i);
        const int64_t count = fd_count(&f, i);
        double *now = malloc((size_t)count * sizeof *now);
        if (p->trainable) {
            const double length = fd_gradient(&f, i, count, now);
            assert_true(p->tags & BAL_TAG_SHARED || length >= 1.5 * norm[i] * (1 - 1e-5));
            for (int64_t k = 0; k < count && p->tags & BAL_TAG_SHARED; k++)
                assert_float_equal(now[k], plain[i][k], 1e-6);
        }
        free(now), free(plain[i]);
    }
    fd_close(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(merged_gradients),
        cmocka_unit_test(ends_of_the_line),
        cmocka_unit_test(the_loss_changes_as_its_gradients_say),
        cmocka_unit_test(the_step_is_long_enough),
    };
    return cmocka_run_group_tests(tests, vectors_open, vectors_close);
}
