/* Optimisers, schedules, first weights and the loss, against shared/vectors/methods.json and torch's formulas; on every backend. */
#include "engine/net.h"
#include <avbalance/models.h>
#include "base/vectors.h"

static double number(const BalJson *o, const char *key) {
    return bal_json_real(bal_json_get(o, key), NAN);
}

/* One linear layer of two weights: the smallest network with a parameter. */
static Net tiny(const struct BalBackendOps *b) {
    BalError err = {0};
    Net n;
    BalSessionConfig cfg = bal_session_config_default();
    cfg.backend = b;
    cfg.batch = 1;
    assert_ok(bal_graph_create(&n.g, &err));
    BalVal x = bal_graph_input(n.g, "x", (BalShape){2, {1, 2}});
    bal_graph_output(n.g, "y", bal_graph_linear(n.g, "fc", x, 1, false, 0));
    assert_ok(bal_graph_finish(n.g, &err));
    assert_ok(bal_session_create(&n.s, n.g, &cfg, &err));
    return n;
}

static void follow(const char *name, BalOptimiser o, const double *w0, const double (*grads)[2],
                   const double (*after)[2], int n) {
    BalError err = {0};
    for (int b = 0; b < bal_backend_count(); b++) {
        Net net = tiny(net_backend(b));
        float w[2] = {(float)w0[0], (float)w0[1]};
        assert_ok(bal_session_param_set(net.s, 0, w, &err));
        for (int i = 0; i < n; i++) {
            const float g[2] = {(float)grads[i][0], (float)grads[i][1]};
            assert_ok(bal_session_grad_set(net.s, 0, 0, g, &err));
            assert_ok(bal_session_update(net.s, &o, 0, 0, &err));
            assert_ok(bal_session_param_get(net.s, 0, w, &err));
            for (int k = 0; k < 2; k++) assert_near(name, w[k], after[i][k], 3e-7);
        }
        net_close(&net);
    }
}

static void from_vector(const char *name, BalOptimiserKind kind) {
    const BalJson *in = vector(name, "in"), *betas = bal_json_get(in, "betas");
    double w0[2], grads[8][2], after[8][2];
    const int n = (int)bal_json_size(bal_json_get(in, "grads"));
    assert_in_range(n, 1, 8);
    for (int k = 0; k < 2; k++) {
        w0[k] = bal_json_real(bal_json_at(bal_json_get(in, "w0"), (size_t)k), NAN);
        for (int i = 0; i < n; i++) {
            const BalJson *g = bal_json_at(bal_json_get(in, "grads"), (size_t)i);
            const BalJson *w = bal_json_at(bal_json_get(vector(name, "out"), "w_after"), (size_t)i);
            grads[i][k] = bal_json_real(bal_json_at(g, (size_t)k), NAN);
            after[i][k] = bal_json_real(bal_json_at(w, (size_t)k), NAN);
        }
    }
    BalOptimiser o = {.kind = kind, .lr = number(in, "lr"), .weight_decay = number(in, "weight_decay")};
    if (kind == BAL_SGD)
        o.momentum = number(in, "momentum");
    else {
        o.beta1 = bal_json_real(bal_json_at(betas, 0), NAN);
        o.beta2 = bal_json_real(bal_json_at(betas, 1), NAN);
        o.eps = number(in, "eps");
    }
    follow(name, o, w0, grads, after, n);
}

static void sgd(void **state) {
    (void)state;
    from_vector("sgd_momentum_wd", BAL_SGD);
}

static void adamw(void **state) {
    (void)state;
    from_vector("adamw", BAL_ADAMW);
}

/* Adam with L2: torch.optim.Adam([1,-2], lr 1e-3, weight_decay 1e-2) on the gradients of the vector "adamw", float64. */
static void adam(void **state) {
    (void)state;
    const double w0[2] = {1, -2}, grads[3][2] = {{0.5, 0.1}, {-0.2, 0.4}, {0.3, 0.0}};
    double after[3][2], m[2] = {0}, v[2] = {0}, w[2] = {1, -2};
    for (int i = 0; i < 3; i++)
        for (int k = 0; k < 2; k++) { /* torch/optim/adam.py, _single_tensor_adam */
            const double g = grads[i][k] + 1e-2 * w[k];
            m[k] = 0.9 * m[k] + 0.1 * g;
            v[k] = 0.999 * v[k] + 0.001 * g * g;
            w[k] -= 1e-3 / (1 - pow(0.9, i + 1)) * m[k] / (sqrt(v[k]) / sqrt(1 - pow(0.999, i + 1)) + 1e-8);
            after[i][k] = w[k];
        }
    follow("adam", (BalOptimiser){BAL_ADAM, 1e-3, 0, 1e-2, 0.9, 0.999, 1e-8}, w0, grads, after, 3);
}

static void plain_sgd(void **state) {
    (void)state;
    const double w0[2] = {1, -2}, grads[1][2] = {{0.5, 0.25}}, after[1][2] = {{0.95, -2.025}};
    follow("sgd", (BalOptimiser){.kind = BAL_SGD, .lr = 0.1}, w0, grads, after, 1);
}

/* Only parameters with a tag of the mask move, and their step counts are their own: a parameter that joins late starts like new. */
static void masks(void **state) {
    (void)state;
    BalError err = {0};
    const BalOptimiser o = {BAL_ADAM, 1e-2, 0, 0, 0.9, 0.999, 1e-8};
    for (int b = 0; b < bal_backend_count(); b++) {
        Net net = net_open(net_backend(b), 1, 1);
        float *w[2], *later[2];
        int64_t n;
        net_forward(&net, 0, NET_CLIPS, BAL_MODE_TRAIN, 1);
        net_backward(&net, 0, NET_CLIPS, 1, 0, false);
        w[0] = net_vector(&net, -1, &n);
        assert_ok(bal_session_update(net.s, &o, 0, BAL_TAG_AUDIO, &err));
        assert_ok(bal_session_update(net.s, &o, 0, BAL_TAG_AUDIO, &err));
        later[0] = net_vector(&net, -1, &n);
        assert_ok(bal_session_update(net.s, &o, 0, 0, &err));
        later[1] = net_vector(&net, -1, &n);
        for (int64_t i = 0, at = 0; i < net.n_params; i++) {
            const BalParam *p = bal_session_param(net.s, (int)i);
            int64_t count = p->trainable;
            for (int k = 0; k < p->shape.rank; k++) count *= p->shape.dim[k];
            for (int64_t k = at; k < at + count; k++) {
                if (!(p->tags & BAL_TAG_AUDIO)) assert_true(later[0][k] == w[0][k]);
                /* Adam's first step is lr times the sign of the gradient */
                double moved = fabs((double)later[1][k] - later[0][k]);
                if (!(p->tags & BAL_TAG_AUDIO) && moved > 0 && !(moved > 0.005 && moved < 0.0101))
                    fail_msg("first step %g", moved);
            }
            at += count;
        }
        free(w[0]), free(later[0]), free(later[1]);
        net_close(&net);
    }
}

static void schedules(void **state) {
    (void)state;
    const BalSchedule step = {1, 70, 0.1, 0, 0}, cosine = {2, 0, 0, 0.01, 10}, constant = {0};
    assert_near("constant", bal_schedule_lr(&constant, 0.5, 99), 0.5, 0);
    assert_near("cosine 0", bal_schedule_lr(&cosine, 0.1, 0), 0.1, 1e-12);
    assert_near("cosine 5", bal_schedule_lr(&cosine, 0.1, 5), 0.055, 1e-12);
    assert_near("cosine 10", bal_schedule_lr(&cosine, 0.1, 10), 0.01, 1e-12);
    const BalJson *in = vector("steplr", "in"), *epochs = bal_json_get(in, "epochs");
    for (size_t i = 0; i < bal_json_size(epochs); i++) {
        char key[24];
        const int64_t e = bal_json_int(bal_json_at(epochs, i), -1);
        snprintf(key, sizeof key, "%lld", (long long)e);
        assert_near(key, bal_schedule_lr(&step, number(in, "lr"), e),
                    number(bal_json_get(vector("steplr", "out"), "lr"), key), 1e-12);
    }
}

static void cross_entropy(void **state) {
    (void)state;
    const BalJson *in = vector("softmax_ce_mean", "in"), *out = vector("softmax_ce_mean", "out");
    float z[6], dz[6], p[6];
    int32_t y[2];
    for (size_t i = 0; i < 6; i++)
        z[i] = (float)bal_json_real(bal_json_at(bal_json_at(bal_json_get(in, "logits"), i / 3), i % 3), NAN);
    for (size_t i = 0; i < 2; i++) y[i] = (int32_t)bal_json_int(bal_json_at(bal_json_get(in, "label"), i), -1);
    assert_near("loss", bal_softmax_ce(z, y, 2, 3, 1, dz, p), number(out, "loss"), 1e-7);
    for (size_t i = 0; i < 6; i++) {
        assert_near("dlogits", dz[i],
                    bal_json_real(bal_json_at(bal_json_at(bal_json_get(out, "dlogits"), i / 3), i % 3), NAN), 1e-6);
        assert_near("prob", p[i], bal_json_real(bal_json_at(bal_json_at(bal_json_get(out, "prob"), i / 3), i % 3), NAN),
                    1e-6);
    }
    const float huge[3] = {1000, -1000, 0};
    assert_near("huge logits", bal_softmax_ce(huge, &(int32_t){1}, 1, 3, 2, dz, NULL), 2000, 1e-12);
    assert_near("weight", dz[0], 2, 1e-6);
}

static double deviation(BalSession *s, const char *name) {
    BalError err = {0};
    const int i = bal_session_find_param(s, name);
    BalParamStats st;
    if (i < 0) fail_msg("no parameter %s", name);
    assert_ok(bal_session_stats(s, 0, 0, i, &st, &err));
    return sqrt(st.sum_ww / (double)st.n);
}

static void first_weights(void **state) {
    (void)state;
    BalError err = {0};
    const BalModelOps *model = NULL;
    BalGraph *g;
    BalSession *s;
    BalSessionConfig cfg = bal_session_config_default();
    static const char *const conv[][2] = {{"conv1.weight", "conv1_7x7_64"},
                                          {"layer1.0.conv1.weight", "3x3_64"},
                                          {"layer2.1.conv2.weight", "3x3_128"},
                                          {"layer4.0.conv1.weight", "3x3_512"},
                                          {"layer3.0.downsample.0.weight", "1x1_256"}};
    const BalJson *out = bal_json_get(vector("init_std", "out"), "kaiming_normal_fan_out");
    assert_ok(bal_model_find(&model, "resnet18", &err));
    assert_ok(bal_graph_create(&g, &err));
    BalVal f = bal_model_encode(model, g, bal_graph_input(g, "x", (BalShape){4, {1, 3, 32, 32}}));
    bal_graph_output(g, "logits", bal_graph_linear(g, "fc", f, 31, true, 0));
    assert_ok(bal_graph_finish(g, &err));
    cfg.backend = net_backend(0);
    assert_ok(bal_session_create(&s, g, &cfg, &err));
    for (size_t i = 0; i < sizeof conv / sizeof *conv; i++)
        assert_near(conv[i][0], deviation(s, conv[i][0]), number(out, conv[i][1]), 0.03);
    assert_near("fc.weight", deviation(s, "fc.weight"), sqrt(2.0 / (512 + 31)), 0.03);
    assert_near("bn1.weight", deviation(s, "bn1.weight"), 1, 0);
    assert_near("fc.bias", deviation(s, "fc.bias"), 0, 0);
    int64_t count = 0;
    for (int i = 0; i < bal_session_n_params(s); i++) {
        const BalParam *p = bal_session_param(s, i);
        int64_t n = p->trainable && !(p->tags & BAL_TAG_FC);
        for (int k = 0; k < p->shape.rank; k++) n *= p->shape.dim[k];
        count += n;
    }
    assert_int_equal(count, 11176512); /* torchvision's without the last layer */
    assert_fails(bal_model_find(&model, "resnet", &err), BAL_E_ARG, "resnet18");
    bal_session_destroy(&s);
    bal_graph_destroy(&g);
}

/* The four edits of gradients that methods make. */
static void gradient_edits(void **state) {
    (void)state;
    BalError err = {0};
    for (int b = 0; b < bal_backend_count(); b++) {
        Net net = net_open(net_backend(b), 2, 1);
        const int i = bal_session_find_param(net.s, "audio.conv2.weight");
        BalParamStats st, twice, noisy;
        net_forward(&net, 0, NET_CLIPS, BAL_MODE_TRAIN, 1);
        net_backward(&net, 0, NET_CLIPS, 1, 0, false);
        net_backward(&net, 0, NET_CLIPS, 2, 1, false);
        assert_ok(bal_session_stats(net.s, 0, 1, i, &st, &err));
        assert_int_equal(st.n, NET_FEATURES * NET_FEATURES * 9);
        assert_ok(bal_session_grad_scale(net.s, 0, i, 2, &err));
        assert_ok(bal_session_stats(net.s, 0, 1, i, &twice, &err));
        assert_near("sum_g", twice.sum_g, 2 * st.sum_g, 1e-6);
        assert_near("sum_gg", twice.sum_gg, 4 * st.sum_gg, 1e-6);
        assert_near("dot", twice.dot, 2 * st.dot, 1e-6);
        assert_ok(bal_session_grad_axpy(net.s, 0, 0.5, 1, 3, i, &err)); /* g0 = g0 / 2 + 3 g1 */
        assert_ok(bal_session_stats(net.s, 1, 1, i, &twice, &err));
        const double want = st.dot + 3 * twice.sum_gg;
        assert_ok(bal_session_stats(net.s, 0, 1, i, &twice, &err));
        assert_near("axpy", twice.dot, want, 1e-5);
        assert_ok(bal_session_grad_param(net.s, 0, 0, 2, i, &err)); /* g0 = 2 w */
        assert_ok(bal_session_stats(net.s, 0, 0, i, &twice, &err));
        assert_near("grad_param", twice.sum_gg, 4 * twice.sum_ww, 1e-5);
        assert_ok(bal_session_grad_scale(net.s, 0, i, 0, &err));
        assert_ok(bal_session_grad_noise(net.s, 0, i, 0.5, 9, 3, 4, &err));
        assert_ok(bal_session_stats(net.s, 0, 1, i, &noisy, &err));
        assert_near("noise", sqrt(noisy.sum_gg / (double)noisy.n), 0.5, 0.06);
        net_close(&net);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sgd),           cmocka_unit_test(plain_sgd),     cmocka_unit_test(adam),
        cmocka_unit_test(adamw),         cmocka_unit_test(masks),         cmocka_unit_test(schedules),
        cmocka_unit_test(cross_entropy), cmocka_unit_test(first_weights), cmocka_unit_test(gradient_edits),
    };
    return cmocka_run_group_tests(tests, vectors_open, vectors_close);
}
