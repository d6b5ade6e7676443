/* TMC and ETMC: special functions, combination, loss and gradient against vectors (the authors' own code), the whole loss by finite
 * differences, and the answer. */
#include "base/vectors.h"
#include "methods/evidence.h"
#include "methods/fd.h"

static void special_functions(void **state) {
    (void)state;
    const BalJson *x = bal_json_get(vector("special_functions", "in"), "x"), *out = vector("special_functions", "out");
    for (size_t i = 0; i < bal_json_size(x); i++) {
        const double at = bal_json_real(bal_json_at(x, i), NAN);
        assert_near("digamma", bal_digamma(at), bal_json_real(bal_json_at(bal_json_get(out, "digamma"), i), NAN), 1e-9);
        assert_near("trigamma", bal_trigamma(at), bal_json_real(bal_json_at(bal_json_get(out, "trigamma"), i), NAN),
                    1e-9);
    }
}

static void combination_and_loss(void **state) {
    (void)state;
    enum { N = 2, C = 3 };
    const BalJson *in = vector("tmc", "in"), *out = vector("tmc", "out"), *logits = bal_json_get(in, "logits");
    float a[N * C], v[N * C], da[N * C], dv[N * C], alpha[N * C];
    numbers(logits, "a", a);
    numbers(logits, "v", v);
    const float *const z[] = {a, v};
    float *const dz[] = {da, dv};
    bal_evidence_combine(z, 2, N, C, alpha);
    for (int i = 0; i < N * C; i++) alpha[i] = expf(alpha[i]);
    assert_numbers(alpha, out, "alpha_comb", 1e-6);
    const int32_t label[N] = {0, 2};
    const double lambda = bal_json_real(bal_json_get(out, "lambda_"), NAN);
    assert_near("loss", bal_evidence_loss(z, 2, label, N, C, lambda, dz), bal_json_real(bal_json_get(out, "loss"), NAN),
                1e-6);
    assert_numbers(da, out, "dlogits_a", 1e-6);
    assert_numbers(dv, out, "dlogits_v", 1e-6);
}

/* Three views: the combination does not depend on their order; logits far out stay finite. */
static void views_may_change_places(void **state) {
    (void)state;
    const float a[3] = {1, -2, 90}, b[3] = {0.5f, 3, -90}, c[3] = {-1, 0, 4};
    float x[3], y[3], d[9];
    bal_evidence_combine((const float *const[]){a, b, c}, 3, 1, 3, x);
    bal_evidence_combine((const float *const[]){c, a, b}, 3, 1, 3, y);
    for (int k = 0; k < 3; k++) assert_float_equal(x[k], y[k], 1e-6);
    const double loss = bal_evidence_loss((const float *const[]){a, b, c}, 3, (const int32_t[]){1}, 1, 3, 1,
                                          (float *const[]){d, d + 3, d + 6});
    assert_true(isfinite(loss));
    for (int k = 0; k < 9; k++) assert_true(isfinite(d[k]));
}

static void the_loss_changes_as_its_gradient_says(void **state) {
    (void)state;
    static const char *const name[] = {"tmc", "etmc"};
    for (int i = 0; i < 2; i++) {
        Fd f;
        fd_open(&f, name[i], NULL);
        f.c.epoch = 4;
        assert_true(fd_check(&f) > 20);
        fd_close(&f);
    }
}

/* lambda: TMC counts epochs from 1, ETMC from 0; both reach 1. */
static void the_penalty_rises(void **state) {
    (void)state;
    static const char *const set[2][3] = {{"tmc.anneal", "2", NULL}, {"etmc.anneal", "2", NULL}};
    for (int i = 0; i < 2; i++) {
        Fd f;
        double loss[5];
        fd_open(&f, i ? "etmc" : "tmc", set[i]);
        for (f.c.epoch = 0; f.c.epoch < 5; f.c.epoch++) loss[f.c.epoch] = fd_loss(&f);
        const int full = i ? 2 : 1;
        for (int e = 0; e < 4; e++)
            if (e < full)
                assert_true(loss[e] < loss[e + 1]);
            else
                assert_float_equal(loss[e], loss[e + 1], 0);
        if (!i) assert_true(loss[0] > 0);
        fd_close(&f);
    }
}

/* The answer is ln(alpha), so that its softmax is alpha / S. */
static void the_answer_is_the_expected_probability(void **state) {
    (void)state;
    BalError err = {0};
    Fd f;
    float z[FD_N * FD_CLASSES], p[FD_N * FD_CLASSES], a[FD_N * FD_CLASSES], v[FD_N * FD_CLASSES];
    fd_open(&f, "tmc", NULL);
    assert_ok(bal_method_score(&f.m, &f.c, z, p, &err));
    assert_ok(bal_session_get(f.c.session, 0, "logits_audio", a, &err));
    assert_ok(bal_session_get(f.c.session, 0, "logits_visual", v, &err));
    for (int i = 0; i < FD_N; i++) {
        double alpha[FD_CLASSES], sum = 0;
        for (int k = 0; k < FD_CLASSES; k++) {
            const double x = log1p(exp(a[i * FD_CLASSES + k])), y = log1p(exp(v[i * FD_CLASSES + k]));
            sum += alpha[k] = 1 + x + y + x * y / FD_CLASSES;
        }
        for (int k = 0; k < FD_CLASSES; k++) assert_float_equal(p[i * FD_CLASSES + k], alpha[k] / sum, 1e-6);
    }
    fd_close(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(special_functions),       cmocka_unit_test(combination_and_loss),
        cmocka_unit_test(views_may_change_places), cmocka_unit_test(the_loss_changes_as_its_gradient_says),
        cmocka_unit_test(the_penalty_rises),       cmocka_unit_test(the_answer_is_the_expected_probability),
    };
    return cmocka_run_group_tests(tests, vectors_open, vectors_close);
}
