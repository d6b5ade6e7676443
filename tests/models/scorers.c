/* The pretrained networks, stage by stage against small ones worked out apart from this code, and their whole lists of names. */
#define AVB_VECTORS "building.json"
#include "base/vectors.h"
#include <avbalance/backends.h>
#include <avbalance/models.h>
#include <avbalance/session.h>
#include "base/hash.h"
#include "base/mem.h"
#include "base/text.h"
#include "engine/graph.h"

static const BalJson *member(const BalJson *v, const char *key) {
    const BalJson *at = bal_json_get(v, key);
    if (!at) fail_msg("there is no %s", key);
    return at;
}

/* ---- weights and inputs as the vectors draw them ---- */
static double lcg(uint32_t *s) {
    *s = (1103515245u * *s + 12345u) & 0x7fffffffu;
    return (double)(*s >> 15) / 65536 - 0.5;
}

static void draw(uint32_t *s, float *out, int64_t n, double scale, double shift) {
    for (int64_t i = 0; i < n; i++) out[i] = (float)(shift + scale * lcg(s));
}

static int64_t elements(const BalShape *s) {
    int64_t n = 1;
    for (int i = 0; i < s->rank; i++) n *= s->dim[i];
    return n;
}

/* The rules of both vectors: weights of convolutions (and of all layers where `plain`) by their fan-in, batch norm around its defaults. */
static void draw_param(uint32_t *s, const BalParam *p, bool plain, float *out) {
    const int64_t n = elements(&p->shape);
    const char *dot = strrchr(p->name, '.');
    const bool norm = !plain && p->shape.rank == 1 && !bal_has_prefix(p->name, "head");
    double scale = 0.2, shift = 0;
    if (p->shape.rank > 2 || (plain && p->shape.rank > 1))
        scale = sqrt(24 / (double)(n / p->shape.dim[0]));
    else if (p->shape.rank == 2)
        scale = 0.5;
    else if (norm && !strcmp(dot, ".running_var"))
        scale = 0.5, shift = 1;
    else if (norm && !strcmp(dot, ".weight"))
        shift = 1;
    draw(s, out, n, scale, shift);
}

static void draw_all(BalSession *s, const BalJson *order, uint32_t seed, bool plain) {
    BalError err = {0};
    float *w = malloc(sizeof *w * 1000000);
    for (size_t k = 0; k < bal_json_size(order); k++) {
        const int i = bal_session_find_param(s, bal_json_text(bal_json_at(bal_json_at(order, k), 0), ""));
        assert_true(i >= 0);
        draw_param(&seed, bal_session_param(s, i), plain, w);
        assert_ok(bal_session_param_set(s, i, w, &err));
    }
    assert_int_equal(bal_session_n_params(s), bal_json_size(order));
    free(w);
}

static BalSession *session(const BalGraph *g, const char *backend, bool fold) {
    BalError err = {0};
    BalSession *s;
    BalSessionConfig cfg = bal_session_config_default();
    assert_ok(bal_backend_find(&cfg.backend, backend, &err));
    cfg.batch = 1;
    cfg.threads = 2;
    cfg.n_grads = 0;
    cfg.fold = fold;
    assert_ok(bal_session_create(&s, g, &cfg, &err));
    return s;
}

static void softmax(const float *z, int n, double *p) {
    double sum = 0;
    for (int i = 0; i < n; i++) sum += p[i] = exp(z[i] - z[0]);
    for (int i = 0; i < n; i++) p[i] /= sum;
}

/* ---- SlowFast ---- */
static BalSlowfast tiny_slowfast(bool trace) {
    return (BalSlowfast){.width = 8,
                         .beta_inv = 8,
                         .alpha = 4,
                         .fusion_kernel = 7,
                         .depth = {1, 1, 1, 1},
                         .frames = 8,
                         .height = 64,
                         .pool = 1,
                         .n_classes = 5,
                         .trace = trace};
}

static void check_trace(BalSession *s, const BalGraph *g, const char *stage, const BalJson *want) {
    BalError err = {0};
    const BalVal v = bal_graph_find(g, stage);
    assert_true(v > 0);
    const BalShape shape = bal_graph_shape(g, v);
    float *x = malloc((size_t)elements(&shape) * sizeof *x);
    double sum = 0, abs_sum = 0;
    assert_ok(bal_session_get(s, 0, stage, x, &err));
    for (int i = 0; i < 4; i++)
        assert_int_equal(shape.dim[i + 1], bal_json_int(bal_json_at(member(want, "shape"), (size_t)i), -1));
    for (int64_t i = 0; i < elements(&shape); i++) sum += x[i], abs_sum += fabs((double)x[i]);
    assert_near(stage, sum, bal_json_real(member(want, "sum"), NAN), 1e-4);
    assert_near(stage, abs_sum, bal_json_real(member(want, "abs_sum"), NAN), 1e-4);
    assert_near(stage, x[0], bal_json_real(member(want, "first"), NAN), 1e-4);
    assert_near(stage, x[elements(&shape) - 1], bal_json_real(member(want, "last"), NAN), 1e-4);
    free(x);
}

static void set_clip(BalSession *s, const BalJson *v) {
    BalError err = {0};
    enum { C = 3, K = 8, HW = 64 * 64 };
    float *fast = malloc(sizeof *fast * C * K * HW), *slow = malloc(sizeof *slow * C * 2 * HW);
    uint32_t seed = (uint32_t)bal_json_int(member(v, "input_seed"), 0);
    draw(&seed, fast, C * K * HW, 2, 0);
    for (int c = 0; c < C; c++)
        for (int k = 0; k < 2; k++) {
            const int64_t from = bal_json_int(bal_json_at(member(v, "slow_index"), (size_t)k), -1);
            memcpy(slow + (c * 2 + k) * HW, fast + (c * K + from) * HW, sizeof *slow * HW);
        }
    assert_ok(bal_session_set(s, 0, "fast", fast, 1, &err));
    assert_ok(bal_session_set(s, 0, "slow", slow, 1, &err));
    free(fast), free(slow);
}

/* Both orders of softmax and mean over the positions; the vector is made so that they differ. */
static void check_head(const float z[4][5], const BalJson *v) {
    double p[5], early[5] = {0}, late[5];
    float mean[5] = {0};
    for (int r = 0; r < 4; r++) {
        softmax(z[r], 5, p);
        for (int c = 0; c < 5; c++) early[c] += p[c] / 4, mean[c] += z[r][c] / 4;
    }
    softmax(mean, 5, late);
    for (size_t c = 0; c < 5; c++) {
        assert_near("early", early[c], bal_json_real(bal_json_at(member(v, "prob_pyslowfast"), c), NAN), 1e-4);
        assert_near("late", late[c], bal_json_real(bal_json_at(member(v, "prob_pytorchvideo"), c), NAN), 1e-4);
    }
}

static void run_slowfast(const char *backend, bool trace, bool fold) {
    static const char *const stages[] = {"s1.p0",      "s1.p1",      "s1_fuse.p0", "s2.p0",      "s2.p1",
                                         "s2_fuse.p0", "s3.p0",      "s3.p1",      "s3_fuse.p0", "s4.p0",
                                         "s4.p1",      "s4_fuse.p0", "s5.p0",      "s5.p1"};
    const BalSlowfast net = tiny_slowfast(trace);
    BalError err = {0};
    BalGraph *g;
    float z[4][5];
    if (!vectors) skip();
    const BalJson *v = member(vectors, "tiny_slowfast");
    assert_ok(bal_graph_create(&g, &err));
    bal_slowfast(g, &net);
    assert_ok(bal_graph_finish(g, &err));
    BalSession *s = session(g, backend, fold);
    draw_all(s, member(v, "order"), (uint32_t)bal_json_int(member(v, "weights_seed"), 0), false);
    set_clip(s, v);
    assert_ok(bal_session_forward(s, 0, 1, BAL_MODE_EVAL, &err));
    for (size_t i = 0; trace && i < sizeof stages / sizeof *stages; i++)
        check_trace(s, g, stages[i], member(member(v, "trace"), stages[i]));
    assert_ok(bal_session_get(s, 0, "logits", z[0], &err));
    assert_numbers(z[0], v, "logits_2x2", 1e-4);
    check_head((const float(*)[5])z, v);
    bal_session_destroy(&s);
    bal_graph_destroy(&g);
}

static void slowfast_stages(void **state) {
    (void)state;
    for (int i = 0; i < 4 * bal_backend_count(); i++) run_slowfast(bal_backend_name(i / 4, NULL, NULL), i & 1, i & 2);
}

static int by_text(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* "name d0xd1x...\n" of every tensor of a weight file, sorted. */
static void listing(const BalGraph *g, char hex[65], int *n) {
    char *line[800];
    BalText all = {0};
    *n = 0;
    for (int i = 0; i < g->n_params; i++) {
        const BalParam *p = &g->param[i].is;
        BalText t = {0};
        bal_text_f(&t, "%s ", p->name);
        for (int k = 0; k < p->shape.rank; k++) bal_text_f(&t, "%s%lld", k ? "x" : "", (long long)p->shape.dim[k]);
        line[(*n)++] = t.data;
        if (!bal_has_suffix(p->name, ".running_mean")) continue;
        t = (BalText){0};
        bal_text_add_n(&t, p->name, strlen(p->name) - strlen("running_mean"));
        bal_text_add(&t, "num_batches_tracked ");
        line[(*n)++] = t.data;
    }
    qsort(line, (size_t)*n, sizeof *line, by_text);
    for (int i = 0; i < *n; i++) {
        bal_text_f(&all, "%s\n", line[i]);
        bal_free(line[i]);
    }
    bal_sha256_text(all.data, all.len, hex);
    bal_text_reset(&all);
}

/* Names, shapes and work of the published networks. */
static void slowfast_lists(void **state) {
    (void)state;
    static const char *const name[] = {"slowfast_8x8_r50", "slowfast_4x16_r50"};
    static const char *const macs[] = {"macs_224", "macs_256"};
    if (!vectors) skip();
    const BalJson *v = member(vectors, "slowfast");
    for (int i = 0; i < 4; i++) {
        BalError err = {0};
        BalGraph *g;
        char hex[65];
        int n;
        const int size = i % 2 ? 256 : 224;
        const BalSlowfast net = i < 2 ? bal_slowfast_8x8(400, size) : bal_slowfast_4x16(400, size);
        assert_ok(bal_graph_create(&g, &err));
        bal_slowfast(g, &net);
        assert_ok(bal_graph_finish(g, &err));
        assert_int_equal(bal_graph_shape(g, bal_graph_find(g, "logits")).dim[0], i % 2 ? 4 : 1);
        assert_int_equal(bal_graph_macs(g), bal_json_int(member(member(v, name[i / 2]), macs[i % 2]), -1));
        if (i % 2 == 0) {
            listing(g, hex, &n);
            assert_int_equal(n, 662);
            assert_string_equal(hex, bal_json_text(member(member(v, "sha256_sorted_listing"), name[i / 2]), ""));
        }
        bal_graph_destroy(&g);
    }
}

/* ---- VGGish ---- */
static void run_vggish(const char *backend, bool fold) {
    enum { PATCHES = 2, E = 4, CLASSES = 3 };
    const BalVggish net = {{2, 3, 4, 4, 5, 5}, {7, 7}, E};
    BalError err = {0};
    BalGraph *g;
    float x[PATCHES * 96 * 64], y[PATCHES * E];
    if (!vectors) skip();
    const BalJson *v = member(vectors, "tiny_vggish");
    assert_ok(bal_graph_create(&g, &err));
    const BalVal e = bal_vggish(g, &net, bal_graph_input(g, "audio", (BalShape){4, {PATCHES, 1, 96, 64}}));
    const BalVal f = bal_graph_mean(g, bal_graph_relu(g, e));
    bal_graph_output(g, "embedding", e);
    bal_graph_output(g, "features", f);
    bal_graph_output(g, "logits", bal_graph_linear(g, "head", f, CLASSES, true, 0));
    assert_ok(bal_graph_finish(g, &err));
    BalSession *s = session(g, backend, fold);
    draw_all(s, member(v, "order"), (uint32_t)bal_json_int(member(v, "weights_seed"), 0), true);
    uint32_t seed = (uint32_t)bal_json_int(member(v, "input_seed"), 0);
    draw(&seed, x, PATCHES * 96 * 64, 2, 0);
    assert_ok(bal_session_set(s, 0, "audio", x, 1, &err));
    assert_ok(bal_session_forward(s, 0, 1, BAL_MODE_EVAL, &err));
    assert_ok(bal_session_get(s, 0, "embedding", y, &err));
    assert_numbers(y, v, "embedding_preact", 1e-4);
    assert_ok(bal_session_get(s, 0, "features", y, &err));
    assert_numbers(y, v, "embedding_relu_mean", 1e-4);
    assert_ok(bal_session_get(s, 0, "logits", y, &err));
    assert_numbers(y, v, "logits", 1e-4);
    bal_session_destroy(&s);
    bal_graph_destroy(&g);
}

static void vggish_stages(void **state) {
    (void)state;
    for (int i = 0; i < 2 * bal_backend_count(); i++) run_vggish(bal_backend_name(i / 2, NULL, NULL), i & 1);
}

static void vggish_list(void **state) {
    (void)state;
    BalError err = {0};
    BalGraph *g;
    const BalVggish net = bal_vggish_default();
    if (!vectors) skip();
    const BalJson *v = member(vectors, "vggish"), *list = member(v, "torch_tensors");
    assert_ok(bal_graph_create(&g, &err));
    bal_graph_output(g, "e", bal_vggish(g, &net, bal_graph_input(g, "audio", (BalShape){4, {1, 1, 96, 64}})));
    assert_ok(bal_graph_finish(g, &err));
    assert_int_equal(bal_graph_macs(g), bal_json_int(member(v, "macs_per_patch"), -1));
    int64_t total = 0;
    assert_int_equal(g->n_params, bal_json_size(list));
    for (size_t i = 0; i < bal_json_size(list); i++) {
        const BalJson *shape = bal_json_at(bal_json_at(list, i), 1);
        const BalParam *p = &g->param[i].is;
        assert_string_equal(p->name, bal_json_text(bal_json_at(bal_json_at(list, i), 0), ""));
        assert_int_equal(p->shape.rank, bal_json_size(shape));
        for (int d = 0; d < p->shape.rank; d++)
            assert_int_equal(p->shape.dim[d], bal_json_int(bal_json_at(shape, (size_t)d), -1));
        total += elements(&p->shape);
    }
    assert_int_equal(total, bal_json_int(member(v, "parameters"), -1));
    bal_graph_destroy(&g);
}

/* A small VGGish learns two kinds of patches by heart, on every backend alike. */
static void vggish_learns(void **state) {
    (void)state;
    enum { CLIPS = 2, PATCHES = 1, SIZE = PATCHES * 96 * 64 };
    const BalVggish net = {{4, 4, 8, 8, 16, 16}, {16, 16}, 8};
    const BalOptimiser adam = {.kind = BAL_ADAM, .lr = 0.003, .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8};
    static const int32_t label[CLIPS] = {0, 1};
    double last[8];
    float *x = malloc(sizeof *x * CLIPS * SIZE);
    for (int i = 0; i < CLIPS * SIZE; i++) x[i] = (float)sin(0.05 * (i % SIZE) * (1 + label[i / SIZE]) + i / SIZE) - 1;
    for (int b = 0; b < bal_backend_count() && b < 8; b++) {
        BalError err = {0};
        BalGraph *g;
        BalSession *s;
        float z[CLIPS * 2], dz[CLIPS * 2];
        double first = 0;
        assert_ok(bal_graph_create(&g, &err));
        BalVal f = bal_vggish(g, &net, bal_graph_input(g, "audio", (BalShape){4, {PATCHES, 1, 96, 64}}));
        f = bal_graph_mean(g, bal_graph_relu(g, f));
        bal_graph_output(g, "logits", bal_graph_linear(g, "head", f, 2, true, 0));
        assert_ok(bal_graph_finish(g, &err));
        BalSessionConfig cfg = bal_session_config_default();
        assert_ok(bal_backend_find(&cfg.backend, bal_backend_name(b, NULL, NULL), &err));
        cfg.threads = 1;
        cfg.batch = CLIPS;
        cfg.seed = 4;
        assert_ok(bal_session_create(&s, g, &cfg, &err));
        for (int i = 0; i < 40; i++) {
            assert_ok(bal_session_set(s, 0, "audio", x, CLIPS, &err));
            assert_ok(bal_session_forward(s, 0, CLIPS, BAL_MODE_TRAIN, &err));
            assert_ok(bal_session_get(s, 0, "logits", z, &err));
            last[b] = bal_softmax_ce(z, label, CLIPS, 2, 1, dz, NULL);
            if (i == 0) first = last[b];
            assert_ok(bal_session_seed(s, 0, "logits", dz, &err));
            assert_ok(bal_session_backward(s, 0, 0, false, &err));
            assert_ok(bal_session_update(s, &adam, 0, 0, &err));
        }
        if (!(last[b] < 0.2 * first)) fail_msg("loss %g after %g", last[b], first);
        if (b) assert_near("backends", last[b], last[0], 0.2);
        bal_session_destroy(&s);
        bal_graph_destroy(&g);
    }
    free(x);
}

/* What a clip's feature must be for an encoder that takes patches. */
static void vggish_patches(void **state) {
    (void)state;
    BalError err = {0};
    const BalModelOps *m = NULL;
    BalShape shape = {0};
    assert_ok(bal_model_find(&m, "vggish", &err));
    assert_ok(bal_model_audio(m, (int64_t[]){960, 64}, &shape, &err));
    assert_int_equal(shape.dim[0], 10);
    assert_int_equal(shape.dim[2], 96);
    assert_fails(bal_model_audio(m, (int64_t[]){257, 299}, &shape, &err), BAL_E_ARG, "96 frames x 64 bands");
    assert_fails(bal_model_audio(m, (int64_t[]){998, 64}, &shape, &err), BAL_E_ARG, "998 x 64");
    assert_fails(bal_model_audio(m, (int64_t[]){0, 64}, &shape, &err), BAL_E_ARG, "0 x 64");
    assert_int_equal(shape.dim[0], 10); /* as it was */
    assert_ok(bal_model_find(&m, "resnet18", &err));
    assert_ok(bal_model_audio(m, (int64_t[]){257, 299}, &shape, &err));
    assert_int_equal(shape.dim[0], 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slowfast_stages), cmocka_unit_test(slowfast_lists), cmocka_unit_test(vggish_stages),
        cmocka_unit_test(vggish_list),     cmocka_unit_test(vggish_learns),  cmocka_unit_test(vggish_patches),
    };
    return cmocka_run_group_tests(tests, vectors_open, vectors_close);
}
