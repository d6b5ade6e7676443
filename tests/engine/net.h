/* A small network with every tangle that a multimodal one may have: frames folded into the batch, a fused stem, a residual block, a
 * gate that one modality sets for the other, a scale, an optional input, values with many uses, several heads, one of which shares
 * weights. */
#ifndef BAL_TESTS_NET_H
#define BAL_TESTS_NET_H

#include "base/check.h"
#include <math.h>
#include <avbalance/backends.h>
#include <avbalance/session.h>
#include "base/mem.h"
#include "base/rng.h"

enum {
    NET_CLIPS = 6,
    NET_CLASSES = 4,
    NET_FEATURES = 16,
    NET_AUDIO = 17 * 13,
    NET_VISUAL = 2 * 3 * 16 * 16,
    NET_OUTPUTS = 5
};
static const char *const net_output[NET_OUTPUTS] = {"logits", "audio", "sum", "features", "map"};
static const int net_width[NET_OUTPUTS] = {NET_CLASSES, NET_CLASSES, NET_CLASSES, NET_FEATURES, 2 * 16 * 8 * 8};

static inline BalVal net_conv(BalGraph *g, const char *name, BalVal x, int out, int stride) {
    BalConvAttr a = {.out_ch = out, .kernel = {1, 3, 3}, .stride = {1, stride, stride}, .pad = {0, 1, 1}};
    return bal_graph_conv(g, name, x, a);
}

static inline BalGraph *net_graph(void) {
    BalError err = {0};
    BalGraph *g;
    const BalPoolAttr pool = {.kernel = {1, 3, 3}, .stride = {1, 2, 2}, .pad = {0, 1, 1}};
    assert_ok(bal_graph_create(&g, &err));
    bal_graph_scope(g, "audio.", BAL_TAG_AUDIO);
    BalVal a = bal_graph_input(g, "audio", (BalShape){4, {1, 1, 17, 13}});
    a = bal_graph_maxpool(g, bal_graph_bn(g, "bn1", net_conv(g, "conv1", a, NET_FEATURES, 2), 0, true), pool);
    BalVal b = bal_graph_bn(g, "bn2", net_conv(g, "conv2", a, NET_FEATURES, 1), 0, true);
    a = bal_graph_mean(g, bal_graph_bn(g, "bn3", net_conv(g, "conv3", b, NET_FEATURES, 1), a, true));
    bal_graph_scope(g, "visual.", BAL_TAG_VISUAL);
    BalVal v = bal_graph_input(g, "visual", (BalShape){4, {2, 3, 16, 16}});
    v = bal_graph_bn(g, "bn1", net_conv(g, "conv1", v, NET_FEATURES, 1), 0, true);
    v = bal_graph_avgpool(g, v, pool);
    bal_graph_output(g, "map", v);
    bal_graph_scope(g, "", BAL_TAG_SHARED);
    BalVal gate = bal_graph_sigmoid(g, bal_graph_linear(g, "gate", a, NET_FEATURES, true, BAL_TAG_GATE));
    v = bal_graph_relu(g, bal_graph_bn(g, "bn", bal_graph_mul(g, v, gate), 0, false));
    v = bal_graph_scale(g, "keep", bal_graph_mean(g, v));
    v = bal_graph_add(g, v, bal_graph_optional(g, "set", bal_graph_shape(g, v)));
    BalVal z = bal_graph_linear(g, "fc", bal_graph_concat(g, (BalVal[]){a, v}, 2), NET_CLASSES, true, 0);
    BalVal za = bal_graph_linear(g, "head", bal_graph_slice(g, a, 4, NET_FEATURES - 5), NET_CLASSES, false, 0);
    BalVal zv = bal_graph_linear_part(g, z, v, NET_FEATURES, 0.25);
    bal_graph_output(g, "logits", z);
    bal_graph_output(g, "audio", za);
    bal_graph_output(g, "sum", bal_graph_add(g, bal_graph_add(g, z, za), zv));
    bal_graph_output(g, "features", a);
    assert_ok(bal_graph_finish(g, &err));
    return g;
}

typedef struct Net {
    BalGraph *g;
    BalSession *s;
    int n_params;
} Net;

static inline const struct BalBackendOps *net_backend(int i) {
    BalError err = {0};
    const struct BalBackendOps *b = NULL;
    assert_ok(bal_backend_find(&b, bal_backend_name(i, NULL, NULL), &err));
    return b;
}

static inline Net net_open(const struct BalBackendOps *backend, int n_sweeps, int n_slots) {
    BalError err = {0};
    BalSessionConfig cfg = bal_session_config_default();
    cfg.backend = backend;
    cfg.threads = 2;
    cfg.batch = NET_CLIPS;
    cfg.n_sweeps = n_sweeps;
    cfg.n_slots = n_slots;
    cfg.n_grads = 3;
    cfg.seed = 5;
    Net n = {.g = net_graph()};
    assert_ok(bal_session_create(&n.s, n.g, &cfg, &err));
    n.n_params = bal_session_n_params(n.s);
    return n;
}

static inline void net_close(Net *n) {
    bal_session_destroy(&n->s);
    bal_graph_destroy(&n->g);
}

static inline float *net_random(int n, uint64_t item) {
    BalRng r = bal_rng(1, BAL_RNG_TEST, 0, item);
    float *x = malloc((size_t)n * sizeof *x);
    for (int i = 0; i < n; i++) x[i] = (float)bal_rng_normal(&r);
    return x;
}

/* Forward of the first `clips` random clips of stream `item`. */
static inline void net_forward(Net *n, int slot, int clips, BalMode mode, uint64_t item) {
    BalError err = {0};
    float *a = net_random(NET_CLIPS * NET_AUDIO, item), *v = net_random(NET_CLIPS * NET_VISUAL, item + 100);
    assert_ok(bal_session_set(n->s, slot, "audio", a, clips, &err));
    assert_ok(bal_session_set(n->s, slot, "visual", v, clips, &err));
    assert_ok(bal_session_forward(n->s, slot, clips, mode, &err));
    free(a), free(v);
}

/* Seed the outputs whose bit is set in `mask` with fixed random gradients, sweep into a buffer. */
static inline void net_backward(Net *n, int slot, int clips, unsigned mask, int grad, bool add) {
    BalError err = {0};
    for (int i = 0; i < NET_OUTPUTS; i++) {
        if (!(mask >> i & 1)) continue;
        float *d = net_random(clips * net_width[i], 200 + (uint64_t)i);
        assert_ok(bal_session_seed(n->s, slot, net_output[i], d, &err));
        free(d);
    }
    assert_ok(bal_session_backward(n->s, slot, grad, add, &err));
}

/* All trainable parameters (grad < 0) or all gradients of a buffer, end to end. */
static inline float *net_vector(Net *n, int grad, int64_t *count) {
    BalError err = {0};
    float *out = NULL;
    *count = 0;
    for (int i = 0; i < n->n_params; i++) {
        const BalParam *p = bal_session_param(n->s, i);
        int64_t k = 1;
        for (int j = 0; j < p->shape.rank; j++) k *= p->shape.dim[j];
        if (!p->trainable) continue;
        out = realloc(out, (size_t)(*count + k) * sizeof *out);
        if (grad < 0)
            assert_ok(bal_session_param_get(n->s, i, out + *count, &err));
        else
            assert_ok(bal_session_grad_get(n->s, grad, i, out + *count, &err));
        *count += k;
    }
    return out;
}

static inline double net_distance(const float *a, const float *b, int64_t n) { /* relative L2 */
    double diff = 0, norm = 0;
    for (int64_t i = 0; i < n; i++) {
        diff += ((double)a[i] - b[i]) * ((double)a[i] - b[i]);
        norm += (double)b[i] * b[i];
    }
    return sqrt(diff / (norm > 0 ? norm : 1));
}

#endif
