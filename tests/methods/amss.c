/* AMSS: entropies, keep ratios and factors against vectors (the authors' function), the draw, and what is left of the gradient. */
#include "base/vectors.h"
#include "methods/amss.h"
#include "methods/fd.h"

static double real(const BalJson *v, const char *key) {
    return bal_json_real(bal_json_get(v, key), NAN);
}

static void keep_ratios(void **state) {
    (void)state;
    enum { N = 4, C = 3, D = 4 };
    const BalJson *in = vector("amss", "in"), *out = vector("amss", "out");
    const int32_t label[N] = {0, 1, 2, 0};
    float z[N * C], f[N * D];
    double ce[2], entropy[2], keep[2];
    for (int m = 0; m < 2; m++) {
        numbers(in, m ? "out_v" : "out_a", z);
        numbers(in, m ? "feat_v" : "feat_a", f);
        ce[m] = bal_softmax_ce(z, label, N, C, 1, NULL, NULL);
        entropy[m] = bal_amss_feature_entropy(f, N, D);
        assert_near("H", entropy[m], real(out, m ? "Hv" : "Ha"), 1e-5); /* float32 in the authors' code */
    }
    const double labels = bal_amss_label_entropy(label, N, C);
    assert_near("HY", labels, real(out, "HY"), 1e-6);
    bal_amss_ratios(ce, labels, entropy, real(in, "temperature"), keep);
    assert_near("keep", keep[0], real(out, "keep_a"), 2e-5);
    assert_near("keep", keep[1], real(out, "keep_v"), 2e-5);
    bal_amss_ratios((const double[]){9, 0.1}, labels, entropy, 0.2, keep); /* one says nothing at all */
    assert_true(keep[0] == 0.5 && keep[1] == 0.5);
}

/* Without replacement, in proportion to importance; kept filters of AMSS+ are weighed. */
static void the_draw(void **state) {
    (void)state;
    enum { ROUNDS = 4000 };
    double importance[4];
    float factor[4];
    int count[4] = {0};
    numbers_add(bal_json_get(vector("amss", "in"), "filter_grad_sq"), importance, 0);
    for (int k = 0; k < ROUNDS; k++) {
        BalRng r = bal_rng(1, BAL_RNG_TEST, 0, (uint64_t)k);
        bal_amss_draw(importance, 4, 1, false, &r, factor);
        int kept = 0;
        for (int i = 0; i < 4; i++) kept += factor[i] == 1, count[i] += factor[i] == 1;
        assert_int_equal(kept, 1);
    }
    for (int i = 0; i < 4; i++) assert_true(fabs(count[i] / (double)ROUNDS - importance[i]) < 0.03);
    BalRng r = bal_rng(1, BAL_RNG_TEST, 0, 0);
    bal_amss_draw(importance, 4, 4, true, &r, factor);
    assert_numbers(factor, vector("amss", "out"), "amss_plus_factor", 1e-6);
    bal_amss_draw((const double[]){0, 1, 0, 0}, 4, 2, false, &r, factor); /* fewer have a gradient than are wanted */
    assert_true(factor[1] == 1 && factor[0] + factor[2] + factor[3] == 1);
}

/* Every convolution of an encoder keeps the same share of its filters; all else keeps its gradient. */
static void filters_are_taught_or_not(void **state) {
    (void)state;
    BalError err = {0};
    Fd f;
    double *g = malloc(1 << 20), *plain = malloc(1 << 20);
    fd_open(&f, "amss", NULL);
    assert_true(fd_check(&f) >= 20);
    fd_loss(&f);
    const int bn = bal_session_find_param(f.c.session, "audio.bn2.weight");
    fd_gradient(&f, bn, fd_count(&f, bn), plain);
    assert_ok(f.m.ops->grad(f.m.self, &f.c, &err));
    fd_gradient(&f, bn, fd_count(&f, bn), g);
    assert_memory_equal(g, plain, (size_t)fd_count(&f, bn) * sizeof *g);
    int share[2] = {0};
    for (int i = 0; i < bal_session_n_params(f.c.session); i++) {
        const BalParam *p = bal_session_param(f.c.session, i);
        if (!(p->tags & BAL_TAG_CONV)) continue;
        const int64_t filters = p->shape.dim[0], size = fd_count(&f, i) / filters;
        int taught = 0, m = p->tags & BAL_TAG_VISUAL ? 1 : 0;
        fd_gradient(&f, i, fd_count(&f, i), g);
        for (int64_t k = 0; k < filters; k++) {
            double norm = 0;
            for (int64_t j = 0; j < size; j++) norm += fabs(g[k * size + j]);
            taught += norm > 0;
        }
        assert_in_range(taught, 1, filters - 1);
        if (filters == 16) { /* conv1 and conv2 */
            assert_true(!share[m] || share[m] == taught);
            share[m] = taught;
        }
    }
    assert_true(share[0] + share[1] >= 16 && share[0] + share[1] <= 18); /* 1, rounded up twice */
    free(g), free(plain);
    fd_close(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keep_ratios),
        cmocka_unit_test(the_draw),
        cmocka_unit_test(filters_are_taught_or_not),
    };
    return cmocka_run_group_tests(tests, vectors_open, vectors_close);
}
