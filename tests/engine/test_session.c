/* Sessions on every backend: sweeps, slots, modes, batch sizes, memory; gradients of a whole network by finite differences. */
#include "engine/net.h"
#include "base/hash.h"
#include "engine/backend.h"

static const unsigned all_outputs = (1u << NET_OUTPUTS) - 1;

static float *gradients(Net *n, int grad) {
    int64_t count;
    return net_vector(n, grad, &count);
}

static int64_t n_weights(Net *n) {
    int64_t count;
    free(net_vector(n, -1, &count));
    return count;
}

static void assert_same(const char *what, const float *a, const float *b, int64_t n, double tolerance) {
    const double d = net_distance(a, b, n);
    if (!(d <= tolerance)) fail_msg("%s: off by %g", what, d);
}

/* The plan of one sweep reuses all it can, the plan of many sweeps nothing that backward reads: their gradients must be the same
 * bits, for every set of seeded outputs. */
static void memory_reuse_changes_nothing(void **state) {
    (void)state;
    for (int b = 0; b < bal_backend_count(); b++) {
        Net one = net_open(net_backend(b), 1, 1), many = net_open(net_backend(b), 9, 1);
        const int64_t n = n_weights(&one);
        for (unsigned mask = 1; mask <= all_outputs; mask += 3) {
            net_forward(&one, 0, NET_CLIPS, BAL_MODE_TRAIN, 1);
            net_forward(&many, 0, NET_CLIPS, BAL_MODE_TRAIN, 1);
            net_backward(&many, 0, NET_CLIPS, all_outputs, 1, false); /* a sweep before must leave no trace */
            net_backward(&one, 0, NET_CLIPS, mask, 0, false);
            net_backward(&many, 0, NET_CLIPS, mask, 0, false);
            float *x = gradients(&one, 0), *y = gradients(&many, 0);
            assert_same("one sweep against many", x, y, n, 0);
            free(x), free(y);
        }
        assert_true(bal_session_bytes(one.s) < bal_session_bytes(many.s));
        net_close(&one), net_close(&many);
    }
}

/* Backward is linear in the seeds: sweeps of single outputs, added up, are one sweep of all. */
static void sweeps_add_up(void **state) {
    (void)state;
    for (int b = 0; b < bal_backend_count(); b++) {
        Net net = net_open(net_backend(b), NET_OUTPUTS + 1, 1);
        net_forward(&net, 0, NET_CLIPS, BAL_MODE_TRAIN, 1);
        net_backward(&net, 0, NET_CLIPS, all_outputs, 0, false);
        for (int i = 0; i < NET_OUTPUTS; i++) net_backward(&net, 0, NET_CLIPS, 1u << i, 1, i > 0);
        float *x = gradients(&net, 0), *y = gradients(&net, 1);
        assert_same("sum of sweeps", y, x, n_weights(&net), 1e-5);
        free(x), free(y);
        net_close(&net);
    }
}

/* What a sweep does not reach gets a zero gradient, whatever was there. */
static void unreached_is_zero(void **state) {
    (void)state;
    BalError err = {0};
    Net net = net_open(net_backend(0), 2, 1);
    net_forward(&net, 0, NET_CLIPS, BAL_MODE_TRAIN, 1);
    net_backward(&net, 0, NET_CLIPS, all_outputs, 0, false);
    net_backward(&net, 0, NET_CLIPS, 1u << 1, 0, false); /* the audio head alone */
    for (int i = 0; i < net.n_params; i++) {
        const BalParam *p = bal_session_param(net.s, i);
        BalParamStats st;
        if (!p->trainable) continue;
        assert_ok(bal_session_stats(net.s, 0, 0, i, &st, &err));
        const bool reached = (p->tags & BAL_TAG_AUDIO) || !strcmp(p->name, "head.weight");
        if (reached != (st.sum_gg > 0)) fail_msg("%s: sum of squares %g", p->name, st.sum_gg);
    }
    net_close(&net);
}

static double loss(Net *n) {
    BalError err = {0};
    double sum = 0;
    float out[NET_CLIPS * 2 * 16 * 8 * 8];
    net_forward(n, 0, NET_CLIPS, BAL_MODE_TRAIN, 1);
    for (int i = 0; i < NET_OUTPUTS; i++) {
        float *d = net_random(NET_CLIPS * net_width[i], 200 + (uint64_t)i);
        assert_ok(bal_session_get(n->s, 0, net_output[i], out, &err));
        for (int k = 0; k < NET_CLIPS * net_width[i]; k++) sum += (double)out[k] * d[k];
        free(d);
    }
    return sum;
}

static void move(Net *n, int param, const float *w, const float *g, int64_t count, double step) {
    BalError err = {0};
    float *moved = malloc((size_t)count * sizeof *moved);
    for (int64_t i = 0; i < count; i++) moved[i] = (float)(w[i] + step * g[i]);
    assert_ok(bal_session_param_set(n->s, param, moved, &err));
    free(moved);
}

/* Along each parameter's own gradient the loss must change by the square of the gradient's norm. */
static void finite_differences(void **state) {
    (void)state;
    BalError err = {0};
    const struct BalBackendOps *reference = NULL;
    assert_ok(bal_backend_find(&reference, "reference", &err));
    Net net = net_open(reference, 1, 1);
    (void)loss(&net);
    net_backward(&net, 0, NET_CLIPS, all_outputs, 0, false);
    for (int i = 0; i < net.n_params; i++) {
        BalParamStats st;
        if (!bal_session_param(net.s, i)->trainable) continue;
        assert_ok(bal_session_stats(net.s, 0, 0, i, &st, &err));
        float *w = malloc((size_t)st.n * sizeof *w), *g = malloc((size_t)st.n * sizeof *g);
        assert_ok(bal_session_param_get(net.s, i, w, &err));
        assert_ok(bal_session_grad_get(net.s, 0, i, g, &err));
        const double step = 3e-4 / sqrt(st.sum_gg);
        move(&net, i, w, g, st.n, step);
        double up = loss(&net);
        move(&net, i, w, g, st.n, -step);
        const double slope = (up - loss(&net)) / (2 * step);
        move(&net, i, w, g, st.n, 0);
        if (!(fabs(slope - st.sum_gg) < 0.02 * st.sum_gg))
            fail_msg("%s: slope %g, gradient %g", bal_session_param(net.s, i)->name, slope, st.sum_gg);
        free(w), free(g);
    }
    net_close(&net);
}

static void backends_agree(void **state) {
    (void)state;
    BalError err = {0};
    const struct BalBackendOps *reference = NULL;
    assert_ok(bal_backend_find(&reference, "reference", &err));
    if (bal_backend_count() == 1) skip();
    for (int mode = BAL_MODE_TRAIN; mode <= BAL_MODE_FROZEN; mode++)
        for (int b = 0; b < bal_backend_count() - 1; b++) {
            Net want = net_open(reference, 1, 1), got = net_open(net_backend(b), 1, 1);
            net_forward(&want, 0, NET_CLIPS, (BalMode)mode, 1), net_forward(&got, 0, NET_CLIPS, (BalMode)mode, 1);
            net_backward(&want, 0, NET_CLIPS, all_outputs, 0, false),
                net_backward(&got, 0, NET_CLIPS, all_outputs, 0, false);
            float *x = gradients(&got, 0), *y = gradients(&want, 0);
            assert_same(bal_backend_name(b, NULL, NULL), x, y, n_weights(&want), 1e-4);
            free(x), free(y);
            net_close(&got), net_close(&want);
        }
}

static void logits(Net *n, int slot, float *out) {
    BalError err = {0};
    assert_ok(bal_session_get(n->s, slot, "logits", out, &err));
}

/* Eval is frozen without a backward; a small batch gives what the same clips give in a large one; the order of batch sizes and
 * modes does not matter. */
static void modes_and_batch_sizes(void **state) {
    (void)state;
    for (int b = 0; b < bal_backend_count(); b++) {
        Net net = net_open(net_backend(b), 1, 1);
        float eval[NET_CLIPS * NET_CLASSES], again[NET_CLIPS * NET_CLASSES], frozen[NET_CLIPS * NET_CLASSES],
            part[3 * NET_CLASSES];
        net_forward(&net, 0, NET_CLIPS, BAL_MODE_EVAL, 1), logits(&net, 0, eval);
        net_forward(&net, 0, NET_CLIPS, BAL_MODE_FROZEN, 1), logits(&net, 0, frozen);
        net_forward(&net, 0, 3, BAL_MODE_EVAL, 1), logits(&net, 0, part);
        net_forward(&net, 0, NET_CLIPS, BAL_MODE_EVAL, 1), logits(&net, 0, again);
        assert_memory_equal(eval, again, sizeof eval);
        assert_same("frozen against eval", frozen, eval, NET_CLIPS * NET_CLASSES, 1e-6);
        assert_same("3 clips of 6", part, eval, 3 * NET_CLASSES, 1e-5);
        net_close(&net);
    }
}

/* Two passes alive at once give what each gives alone. */
static void slots_are_apart(void **state) {
    (void)state;
    for (int b = 0; b < bal_backend_count(); b++) {
        Net net = net_open(net_backend(b), 1, 2);
        const int64_t n = n_weights(&net);
        float *alone[2], *both[2];
        for (int k = 0; k < 2; k++) {
            net_forward(&net, 0, NET_CLIPS, BAL_MODE_FROZEN, (uint64_t)k + 1);
            net_backward(&net, 0, NET_CLIPS, all_outputs, 0, false);
            alone[k] = gradients(&net, 0);
        }
        for (int k = 0; k < 2; k++) net_forward(&net, k, NET_CLIPS, BAL_MODE_FROZEN, (uint64_t)k + 1);
        for (int k = 0; k < 2; k++) net_backward(&net, k, NET_CLIPS, all_outputs, k + 1, false);
        for (int k = 0; k < 2; k++) {
            both[k] = gradients(&net, k + 1);
            assert_same("slots", both[k], alone[k], n, 0);
            free(both[k]), free(alone[k]);
        }
        net_close(&net);
    }
}

/* A clip whose coefficient is zero is as if its visual features were zero; NULL brings the ones back. */
static void scales(void **state) {
    (void)state;
    BalError err = {0};
    Net net = net_open(net_backend(0), 1, 1);
    const float keep[NET_CLIPS] = {1, 0, 1, 0, 1, 1};
    float with[NET_CLIPS * NET_CLASSES], without[NET_CLIPS * NET_CLASSES];
    net_forward(&net, 0, NET_CLIPS, BAL_MODE_EVAL, 1), logits(&net, 0, with);
    assert_ok(bal_session_set(net.s, 0, "keep", keep, NET_CLIPS, &err));
    net_forward(&net, 0, NET_CLIPS, BAL_MODE_EVAL, 1), logits(&net, 0, without);
    for (int i = 0; i < NET_CLIPS; i++) {
        const bool same = !memcmp(with + i * NET_CLASSES, without + i * NET_CLASSES, NET_CLASSES * sizeof *with);
        assert_int_equal(same, keep[i] > 0);
    }
    assert_ok(bal_session_set(net.s, 0, "keep", NULL, NET_CLIPS, &err));
    net_forward(&net, 0, NET_CLIPS, BAL_MODE_EVAL, 1), logits(&net, 0, without);
    assert_memory_equal(with, without, sizeof with);
    net_close(&net);
}

static void step(Net *n, int clips) {
    BalError err = {0};
    const BalOptimiser sgd = {.kind = BAL_SGD, .lr = 0.01, .momentum = 0.9, .weight_decay = 1e-4};
    net_forward(n, 0, clips, BAL_MODE_TRAIN, 1);
    net_backward(n, 0, clips, 1, 0, false);
    assert_ok(bal_session_update(n->s, &sgd, 0, 0, &err));
    net_forward(n, 0, clips, BAL_MODE_EVAL, 1);
}

static void no_allocation_after_the_first_step(void **state) {
    (void)state;
    for (int b = 0; b < bal_backend_count(); b++) {
        Net net = net_open(net_backend(b), 1, 1);
        step(&net, NET_CLIPS), step(&net, 2);
        const size_t bytes = bal_session_bytes(net.s);
        (void)bal_mem_fail_at(0);
        step(&net, NET_CLIPS), step(&net, 2);
        assert_int_equal(bal_mem_fail_at(0), 0);
        assert_int_equal(bytes, bal_session_bytes(net.s));
        net_close(&net);
    }
}

/* A plan that there was no memory for leaves the session as it was: the plan before it still runs, and it does itself once there is
 * memory. In bf16 the reference's scratch memory grows with the batch. */
static void a_plan_without_memory(void **state) {
    (void)state;
    long made = 0;
    for (long k = 1; k == 1 || made >= k - 1; k++) {
        BalError err = {0};
        BalSessionConfig cfg = bal_session_config_default();
        Net net = {.g = net_graph()};
        float before[2 * NET_CLASSES], after[2 * NET_CLASSES];
        assert_ok(bal_backend_find(&cfg.backend, "reference", &err));
        cfg.dtype = BAL_BF16;
        cfg.batch = NET_CLIPS;
        assert_ok(bal_session_create(&net.s, net.g, &cfg, &err));
        net_forward(&net, 0, 2, BAL_MODE_FROZEN, 1), logits(&net, 0, before);
        float *a = net_random(NET_CLIPS * NET_AUDIO, 1), *v = net_random(NET_CLIPS * NET_VISUAL, 101);
        assert_ok(bal_session_set(net.s, 0, "audio", a, NET_CLIPS, &err));
        assert_ok(bal_session_set(net.s, 0, "visual", v, NET_CLIPS, &err));
        (void)bal_mem_fail_at(k);
        const BalStatus rc = bal_session_forward(net.s, 0, NET_CLIPS, BAL_MODE_FROZEN, &err);
        made = bal_mem_fail_at(0);
        assert_int_equal(rc, made < k ? BAL_OK : BAL_E_NOMEM);
        net_forward(&net, 0, 2, BAL_MODE_FROZEN, 1), logits(&net, 0, after);
        assert_memory_equal(before, after, sizeof before);
        net_forward(&net, 0, NET_CLIPS, BAL_MODE_FROZEN, 1);
        net_backward(&net, 0, NET_CLIPS, all_outputs, 0, false);
        free(a), free(v);
        net_close(&net);
    }
    assert_true(made > 20);
}

static void same_seed_same_run(void **state) {
    (void)state;
    for (int b = 0; b < bal_backend_count(); b++) {
        Net x = net_open(net_backend(b), 1, 1), y = net_open(net_backend(b), 1, 1);
        for (int i = 0; i < 4; i++) step(&x, NET_CLIPS - i), step(&y, NET_CLIPS - i);
        int64_t n;
        float *p = net_vector(&x, -1, &n), *q = net_vector(&y, -1, &n);
        assert_memory_equal(p, q, (size_t)n * sizeof *p);
        free(p), free(q);
        net_close(&x), net_close(&y);
    }
}

static void snapshots(void **state) {
    (void)state;
    BalError err = {0};
    Net net = net_open(net_backend(0), 1, 1);
    float before[NET_CLIPS * NET_CLASSES], after[NET_CLIPS * NET_CLASSES], *snapshot = NULL;
    step(&net, NET_CLIPS), logits(&net, 0, before);
    assert_ok(bal_session_snapshot(net.s, &snapshot, &err));
    step(&net, NET_CLIPS), logits(&net, 0, after);
    assert_memory_not_equal(before, after, sizeof before);
    assert_ok(bal_session_restore(net.s, snapshot, &err));
    net_forward(&net, 0, NET_CLIPS, BAL_MODE_EVAL, 1), logits(&net, 0, after);
    assert_memory_equal(before, after, sizeof before);
    bal_session_release(net.s, &snapshot);
    net_close(&net);
}

/* A nested training and back: weights, statistics, moments and step counts go on as if it had not been. */
static void whole_snapshots(void **state) {
    (void)state;
    static const BalOptimiser adam = {BAL_ADAM, 1e-2, 0, 0, 0.9, 0.999, 1e-8};
    for (int b = 0; b < bal_backend_count(); b++) {
        for (int first = 0; first < 2; first++) { /* with moments there already, and with none yet */
            BalError err = {0};
            Net net = net_open(net_backend(b), 1, 1), same = net_open(net_backend(b), 1, 1);
            float *snapshot = NULL, *p[2];
            int64_t n;
            for (int k = 0; k < 2 - first; k++) {
                Net *which[] = {&net, &same};
                for (int i = 0; i < 2; i++) {
                    step(which[i], NET_CLIPS);
                    if (!first) assert_ok(bal_session_update(which[i]->s, &adam, 0, 0, &err));
                }
            }
            assert_ok(bal_session_snapshot_state(net.s, &snapshot, &err));
            for (int k = 0; k < 3; k++) {
                step(&net, NET_CLIPS);
                assert_ok(bal_session_update(net.s, &adam, 0, BAL_TAG_AUDIO, &err));
            }
            assert_ok(bal_session_restore_state(net.s, snapshot, &err));
            bal_session_release(net.s, &snapshot);
            Net *which[] = {&net, &same};
            for (int i = 0; i < 2; i++) {
                step(which[i], NET_CLIPS);
                assert_ok(bal_session_update(which[i]->s, &adam, 0, 0, &err));
                p[i] = net_vector(which[i], -1, &n);
            }
            assert_memory_equal(p[0], p[1], (size_t)n * sizeof *p[0]);
            free(p[0]), free(p[1]);
            net_close(&net), net_close(&same);
        }
    }
}

/* Nothing has the tag that no parameter has. */
static void an_update_of_nothing(void **state) {
    (void)state;
    static const BalOptimiser sgd = {.kind = BAL_SGD, .lr = 0.1};
    BalError err = {0};
    Net net = net_open(net_backend(0), 1, 1);
    int64_t n;
    step(&net, NET_CLIPS);
    float *before = net_vector(&net, -1, &n), *after;
    assert_ok(bal_session_update(net.s, &sgd, 0, BAL_TAG_NONE, &err));
    after = net_vector(&net, -1, &n);
    assert_memory_equal(before, after, (size_t)n * sizeof *before);
    free(before), free(after);
    assert_true(bal_session_has(net.s, "audio") && bal_session_has(net.s, "keep") && !bal_session_has(net.s, "logits"));
    net_close(&net);
}

/* Folding batch norm changes rounding, not results; also after the weights have changed. What is saved is what was loaded. */
static void folding(void **state) {
    (void)state;
    BalError err = {0};
    assert_int_equal(scratch_open(NULL), 0);
    for (int b = 0; b < bal_backend_count(); b++) {
        Net net = net_open(net_backend(b), 1, 1), folded = {.g = net.g, .n_params = net.n_params};
        BalSessionConfig cfg = bal_session_config_default();
        cfg.backend = net_backend(b);
        cfg.threads = 2;
        cfg.batch = NET_CLIPS;
        cfg.fold = true;
        assert_fails(bal_session_create(&folded.s, net.g, &cfg, &err), BAL_E_ARG, "fold");
        cfg.n_grads = 0;
        assert_ok(bal_session_create(&folded.s, net.g, &cfg, &err));
        for (int round = 0; round < 2; round++) {
            for (int i = 0; i < 4; i++) net_forward(&net, 0, NET_CLIPS, BAL_MODE_TRAIN, (uint64_t)(9 * round + i));
            assert_ok(bal_session_save(net.s, scratch("net"), NULL, &err));
            assert_ok(bal_session_load(folded.s, scratch("net"), false, &err));
            const int clips = NET_CLIPS - round; /* another plan */
            net_forward(&net, 0, clips, BAL_MODE_EVAL, 40);
            net_forward(&folded, 0, clips, BAL_MODE_EVAL, 40);
            for (int i = 0; i < NET_OUTPUTS; i++) {
                const int n = clips * net_width[i];
                float *x = calloc((size_t)n, sizeof *x), *y = calloc((size_t)n, sizeof *y);
                assert_ok(bal_session_get(net.s, 0, net_output[i], x, &err));
                assert_ok(bal_session_get(folded.s, 0, net_output[i], y, &err));
                assert_same(net_output[i], y, x, n, 1e-5);
                free(x), free(y);
            }
        }
        assert_ok(bal_session_save(folded.s, scratch("folded"), NULL, &err));
        char a[65], c[65];
        assert_ok(bal_sha256_file(scratch("net"), a, &err));
        assert_ok(bal_sha256_file(scratch("folded"), c, &err));
        assert_string_equal(a, c);
        bal_session_destroy(&folded.s);
        net_close(&net);
    }
    assert_int_equal(scratch_close(NULL), 0);
}

static void wrong_use(void **state) {
    (void)state;
    BalError err = {0};
    Net net = net_open(net_backend(0), 1, 1);
    float data[16] = {0};
    assert_fails(bal_session_set(net.s, 0, "smell", data, 1, &err), BAL_E_ARG, "smell");
    assert_fails(bal_session_set(net.s, 0, "audio", data, NET_CLIPS + 1, &err), BAL_E_ARG, "1 to 6");
    assert_fails(bal_session_forward(net.s, 0, 2, BAL_MODE_EVAL, &err), BAL_E_ARG, "audio");
    assert_fails(bal_session_get(net.s, 0, "logits", data, &err), BAL_E_ARG, "no forward");
    assert_fails(bal_session_forward(net.s, 1, 2, BAL_MODE_EVAL, &err), BAL_E_ARG, "slot 1");
    net_forward(&net, 0, 2, BAL_MODE_EVAL, 1);
    assert_fails(bal_session_seed(net.s, 0, "logits", data, &err), BAL_E_ARG, "eval");
    assert_fails(bal_session_backward(net.s, 0, 0, false, &err), BAL_E_ARG, "backward");
    assert_fails(bal_session_get(net.s, 0, "taste", data, &err), BAL_E_ARG, "taste");
    net_forward(&net, 0, 2, BAL_MODE_TRAIN, 1);
    assert_fails(bal_session_backward(net.s, 0, 7, false, &err), BAL_E_ARG, "buffer 7");
    net_backward(&net, 0, 2, 1, 0, false);
    assert_fails(bal_session_backward(net.s, 0, 0, false, &err), BAL_E_ARG, "1 backward sweeps");
    net_close(&net);
}

static bool no_bf16(void *self, const BalOp *op) {
    (void)self;
    return op->dtype != BAL_BF16;
}

static bool no_sigmoid(void *self, const BalOp *op) {
    (void)self;
    return op->kind != BAL_OP_SIGMOID;
}

/* What a backend cannot do is said before anything is prepared, with what to do about it. */
static void what_a_backend_lacks(void **state) {
    (void)state;
    BalError err = {0};
    BalGraph *g = net_graph();
    BalSession *s = NULL;
    BalBackendOps lacks = *net_backend(0);
    BalSessionConfig cfg = bal_session_config_default();
    cfg.backend = &lacks;
    cfg.dtype = BAL_BF16;
    lacks.supports = no_bf16;
    assert_fails(bal_session_create(&s, g, &cfg, &err), BAL_E_UNSUPPORTED, "in bf16 on this processor; use f32");
    lacks.supports = no_sigmoid;
    assert_fails(bal_session_create(&s, g, &cfg, &err), BAL_E_UNSUPPORTED, "use the backend reference");
    bal_graph_destroy(&g);
}

/* A teacher beside a student (UMT): training moves the student alone, and neither its weights nor its statistics notice. */
static void a_frozen_scope_stays_as_it_is(void **state) {
    (void)state;
    for (int b = 0; b < bal_backend_count(); b++) {
        BalError err = {0};
        BalGraph *g;
        Net net = {0};
        assert_ok(bal_graph_create(&g, &err));
        const BalVal x = bal_graph_input(g, "x", (BalShape){4, {2, 3, 8, 8}});
        static const char *const scope[] = {"student.", "teacher."};
        for (int k = 0; k < 2; k++) {
            bal_graph_scope(g, scope[k], k ? BAL_TAG_VISUAL | BAL_TAG_FROZEN : BAL_TAG_VISUAL);
            const BalVal y = bal_graph_bn(g, "bn", net_conv(g, "conv", x, 16, 1), 0, true);
            bal_graph_output(g, scope[k], bal_graph_mean(g, y));
        }
        assert_ok(bal_graph_finish(g, &err));
        BalSessionConfig cfg = bal_session_config_default();
        cfg.backend = net_backend(b);
        cfg.threads = 2;
        cfg.batch = 4;
        assert_ok(bal_session_create(&net.s, net.g = g, &cfg, &err));
        float *data = net_random(4 * 2 * 3 * 8 * 8, 1), *d = net_random(4 * 16, 2), before[6][512], after[512];
        float out[2][2][4 * 16]; /* [eval, train][student, teacher] */
        const BalOptimiser sgd = {.kind = BAL_SGD, .lr = 0.1, .momentum = 0.9, .weight_decay = 0.1};
        assert_int_equal(bal_session_n_params(net.s), 10);
        for (int i = 0; i < 5; i++) assert_ok(bal_session_param_get(net.s, 5 + i, before[i], &err));
        for (int train = 0; train < 2; train++) {
            assert_ok(bal_session_set(net.s, 0, "x", data, 4, &err));
            assert_ok(bal_session_forward(net.s, 0, 4, train ? BAL_MODE_TRAIN : BAL_MODE_EVAL, &err));
            for (int k = 0; k < 2; k++) assert_ok(bal_session_get(net.s, 0, scope[k], out[train][k], &err));
        }
        assert_memory_not_equal(out[0][0], out[1][0], sizeof out[0][0]); /* batch against running statistics */
        assert_memory_equal(out[0][1], out[1][1], sizeof out[0][1]);
        assert_ok(bal_session_seed(net.s, 0, "student.", d, &err));
        assert_ok(bal_session_seed(net.s, 0, "teacher.", d, &err)); /* goes nowhere */
        assert_ok(bal_session_backward(net.s, 0, 0, false, &err));
        assert_ok(bal_session_update(net.s, &sgd, 0, 0, &err));
        for (int i = 0; i < 5; i++) {
            const BalParam *p = bal_session_param(net.s, 5 + i);
            assert_false(p->trainable);
            assert_ok(bal_session_param_get(net.s, 5 + i, after, &err));
            size_t n = 1;
            for (int k = 0; k < p->shape.rank; k++) n *= (size_t)p->shape.dim[k];
            assert_memory_equal(before[i], after, n * sizeof *after);
        }
        assert_fails(bal_session_grad_get(net.s, 0, 5, after, &err), BAL_E_ARG, "\"teacher.conv.weight\" is frozen");
        free(data), free(d);
        net_close(&net);
    }
}

/* What the gates of Greedy need: g' = own * g + forced, with own a scale and forced an input, gives either the gate itself or any
 * constant in its place, and then nothing of the other modality passes, forward or backward. */
static void a_gate_can_be_overridden(void **state) {
    (void)state;
    BalError err = {0};
    Net net = {0};
    enum { N = 3, C = 16 };
    assert_ok(bal_graph_create(&net.g, &err));
    BalGraph *g = net.g;
    bal_graph_scope(g, "", BAL_TAG_AUDIO);
    const BalVal a = net_conv(g, "a", bal_graph_input(g, "audio", (BalShape){4, {1, 1, 6, 6}}), C, 1);
    bal_graph_scope(g, "", BAL_TAG_VISUAL); /* two frames share one gate */
    const BalVal v = net_conv(g, "v", bal_graph_input(g, "visual", (BalShape){4, {2, 3, 6, 6}}), C, 1);
    const BalVal both = bal_graph_concat(g, (BalVal[]){bal_graph_mean(g, a), bal_graph_mean(g, v)}, 2);
    const BalVal gate = bal_graph_sigmoid(g, bal_graph_linear(g, "excite", both, C, true, BAL_TAG_GATE));
    const BalVal used =
        bal_graph_add(g, bal_graph_scale(g, "own", gate), bal_graph_input(g, "forced", (BalShape){2, {1, C}}));
    bal_graph_output(g, "gate", gate);
    bal_graph_output(g, "features", bal_graph_mean(g, bal_graph_mul(g, v, used)));
    assert_ok(bal_graph_finish(g, &err));
    BalSessionConfig cfg = bal_session_config_default();
    cfg.backend = net_backend(0);
    cfg.batch = N;
    assert_ok(bal_session_create(&net.s, g, &cfg, &err));
    float *audio[2] = {net_random(N * 36, 1), net_random(N * 36, 2)}, *visual = net_random(N * 2 * 3 * 36, 3);
    float forced[N * C], out[2][2][N * C], gates[N * C]; /* [own gate, forced][audio 0, 1] */
    const float zero[N] = {0};
    double reached[2];
    for (int i = 0; i < N * C; i++) forced[i] = 0.25f;
    for (int k = 0; k < 4; k++) {
        const int force = k / 2;
        static const float none[N * C];
        assert_ok(bal_session_set(net.s, 0, "audio", audio[k % 2], N, &err));
        assert_ok(bal_session_set(net.s, 0, "visual", visual, N, &err));
        assert_ok(bal_session_set(net.s, 0, "own", force ? zero : NULL, N, &err));
        assert_ok(bal_session_set(net.s, 0, "forced", force ? forced : none, N, &err));
        assert_ok(bal_session_forward(net.s, 0, N, BAL_MODE_TRAIN, &err));
        assert_ok(bal_session_get(net.s, 0, "features", out[force][k % 2], &err));
        assert_ok(bal_session_get(net.s, 0, "gate", gates, &err)); /* still there to be averaged */
        assert_true(gates[0] > 0 && gates[0] < 1 && gates[0] != 0.25f);
        assert_ok(bal_session_seed(net.s, 0, "features", forced, &err));
        assert_ok(bal_session_backward(net.s, 0, 0, false, &err));
        BalParamStats excite, encoder;
        assert_ok(bal_session_stats(net.s, 0, 0, bal_session_find_param(net.s, "excite.weight"), &excite, &err));
        assert_ok(bal_session_stats(net.s, 0, 0, bal_session_find_param(net.s, "v.weight"), &encoder, &err));
        assert_true(encoder.sum_gg > 0);
        reached[force] = excite.sum_gg;
    }
    assert_memory_not_equal(out[0][0], out[0][1], sizeof out[0][0]);
    assert_memory_equal(out[1][0], out[1][1], sizeof out[1][0]);
    assert_true(reached[0] > 0);
    assert_true(reached[1] == 0);
    free(audio[0]), free(audio[1]), free(visual);
    net_close(&net);
}

enum { SETTLE_CH = 2, SETTLE_SPACE = 9, SETTLE_CLIP = SETTLE_CH * SETTLE_SPACE };

/* Mean and unbiased variance of a channel over n clips of x. */
static void statistics_of(const float *x, int n, int ch, double out[2]) {
    const int count = n * SETTLE_SPACE;
    out[0] = out[1] = 0;
    for (int i = 0; i < count; i++) out[0] += x[i / SETTLE_SPACE * SETTLE_CLIP + ch * SETTLE_SPACE + i % SETTLE_SPACE];
    out[0] /= count;
    for (int i = 0; i < count; i++)
        out[1] += pow(x[i / SETTLE_SPACE * SETTLE_CLIP + ch * SETTLE_SPACE + i % SETTLE_SPACE] - out[0], 2);
    out[1] /= count - 1;
}

/* Running statistics become the mean over the settling passes, each clip weighing the same, whatever they were. */
static void statistics_settle(void **state) {
    (void)state;
    BalError err = {0};
    static const int size[2] = {4, 2};
    for (int b = 0; b < 2 && net_backend(b); b++) {
        BalGraph *g;
        BalSession *s;
        assert_ok(bal_graph_create(&g, &err));
        BalVal x = bal_graph_input(g, "x", (BalShape){4, {1, SETTLE_CH, 3, 3}});
        bal_graph_output(g, "y", bal_graph_mean(g, bal_graph_bn(g, "bn", x, 0, true)));
        assert_ok(bal_graph_finish(g, &err));
        BalSessionConfig cfg = bal_session_config_default();
        cfg.backend = net_backend(b);
        cfg.batch = 4;
        assert_ok(bal_session_create(&s, g, &cfg, &err));
        float *data[2] = {net_random(4 * SETTLE_CLIP, 1), net_random(2 * SETTLE_CLIP, 2)}, run[2][SETTLE_CH];
        float y[4 * SETTLE_CH];
        for (int round = 0; round < 3;
             round++) { /* each begins from what the last left: other passes, or other weights */
            const float gamma[SETTLE_CH] = {2, 3};
            assert_ok(bal_session_set(s, 0, "x", data[1], 2, &err));
            if (round < 2)
                assert_ok(bal_session_forward(s, 0, 2, BAL_MODE_TRAIN, &err));
            else
                assert_ok(bal_session_param_set(s, bal_session_find_param(s, "bn.weight"), gamma, &err));
            for (int k = 0; k < 2; k++) {
                assert_ok(bal_session_set(s, 0, "x", data[k], size[k], &err));
                assert_ok(bal_session_forward(s, 0, size[k], BAL_MODE_SETTLE, &err));
            }
            assert_fails(bal_session_get(s, 0, "y", y, &err), BAL_E_ARG, "no forward pass");
            for (int k = 0; k < 2; k++)
                assert_ok(bal_session_param_get(s, bal_session_find_param(s, k ? "bn.running_var" : "bn.running_mean"),
                                                run[k], &err));
            for (int ch = 0; ch < SETTLE_CH; ch++) {
                double of[2][2];
                for (int k = 0; k < 2; k++) statistics_of(data[k], size[k], ch, of[k]);
                for (int k = 0; k < 2; k++)
                    assert_true(fabs(run[k][ch] - (4 * of[0][k] + 2 * of[1][k]) / 6) < 1e-6 * (1 + fabs(run[k][ch])));
            }
        }
        free(data[0]), free(data[1]);
        bal_session_destroy(&s);
        bal_graph_destroy(&g);
    }
}

/* An optional input is zero until it is set and once it is set to NULL, for any number of clips; any input that is set to NULL is zero. */
static void inputs_that_are_zero(void **state) {
    (void)state;
    for (int b = 0; b < bal_backend_count(); b++) {
        BalError err = {0};
        Net net = net_open(net_backend(b), 1, 1);
        float z[3][2 * NET_CLASSES], *x = net_random(NET_CLIPS * NET_FEATURES, 7);
        float *zero = calloc(NET_CLIPS * NET_AUDIO, sizeof *zero);
        net_forward(&net, 0, NET_CLIPS, BAL_MODE_EVAL, 1);
        net_forward(&net, 0, 2, BAL_MODE_EVAL, 1);
        assert_ok(bal_session_get(net.s, 0, "logits", z[0], &err));
        for (int k = 1; k < 3; k++) {
            assert_ok(bal_session_set(net.s, 0, "set", k == 1 ? x : NULL, 2, &err));
            assert_ok(bal_session_forward(net.s, 0, 2, BAL_MODE_EVAL, &err));
            assert_ok(bal_session_get(net.s, 0, "logits", z[k], &err));
        }
        assert_memory_not_equal(z[0], z[1], sizeof z[0]);
        assert_memory_equal(z[0], z[2], sizeof z[0]);
        for (int k = 0; k < 2; k++) {
            assert_ok(bal_session_set(net.s, 0, "audio", k ? zero : NULL, 2, &err));
            assert_ok(bal_session_forward(net.s, 0, 2, BAL_MODE_EVAL, &err));
            assert_ok(bal_session_get(net.s, 0, "logits", z[1 + k], &err));
        }
        assert_memory_not_equal(z[0], z[1], sizeof z[0]);
        assert_memory_equal(z[1], z[2], sizeof z[0]);
        free(x), free(zero);
        net_close(&net);
    }
}

/* The first mistake is reported, with its layer. */
static void graph_mistakes(void **state) {
    (void)state;
    static const struct {
        int what;
        BalStatus rc;
        const char *says;
    } cases[] = {{0, BAL_E_SHAPE, "layer \"enc.fc\": needs features"},
                 {1, BAL_E_ARG, "another parameter \"enc.conv.weight\""},
                 {2, BAL_E_SHAPE, "layer \"enc.bn\": input and residual differ (per clip: 1x8x8x8 and 1x3x8x8)"},
                 {3, BAL_E_SHAPE, "empty or too large"},
                 {4, BAL_E_ARG, "no output"},
                 {5, BAL_E_ARG, "layer \"enc.conv\": no output depends"},
                 {6, BAL_E_SHAPE, "more than their channels"},
                 {7, BAL_E_ARG, "not a value"},
                 {8, BAL_E_ARG, "layer \"enc.fc\": a frozen layer cannot follow"},
                 {9, BAL_E_ARG, "is no linear layer"},
                 {10, BAL_E_SHAPE, "layer \"enc.fc\": needs features [rows, C] that meet as many columns"},
                 {11, BAL_E_SHAPE, "no such channels"},
                 {12, BAL_E_ARG, "layer \"enc.fc\": a frozen layer cannot follow"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        BalError err = {0};
        BalGraph *g;
        assert_ok(bal_graph_create(&g, &err));
        bal_graph_scope(g, "enc.", 0);
        const BalVal x = bal_graph_input(g, "x", (BalShape){4, {1, 3, 8, 8}}), y = net_conv(g, "conv", x, 8, 1);
        BalVal last = y;
        if (cases[i].what == 0) last = bal_graph_linear(g, "fc", y, 4, true, 0);
        if (cases[i].what == 1) last = net_conv(g, "conv", y, 8, 1);
        if (cases[i].what == 2) last = bal_graph_bn(g, "bn", y, x, true);
        if (cases[i].what == 3) last = bal_graph_maxpool(g, y, (BalPoolAttr){.kernel = {1, 9, 9}, .stride = {1, 1, 1}});
        if (cases[i].what == 5) last = x;
        if (cases[i].what == 6) last = bal_graph_concat(g, (BalVal[]){y, bal_graph_mean(g, y)}, 2);
        if (cases[i].what == 7) last = bal_graph_relu(g, 99);
        if (cases[i].what == 8) bal_graph_scope(g, "enc.", BAL_TAG_FROZEN);
        if (cases[i].what == 8) last = bal_graph_linear(g, "fc", bal_graph_mean(g, y), 4, true, 0);
        if (cases[i].what == 9) last = bal_graph_linear_part(g, y, bal_graph_mean(g, y), 0, 1);
        if (cases[i].what == 10) {
            last = bal_graph_linear(g, "fc", bal_graph_mean(g, y), 4, true, 0);
            last = bal_graph_linear_part(g, last, bal_graph_mean(g, y), 1, 1);
        }
        if (cases[i].what == 11) last = bal_graph_slice(g, y, 5, 4);
        if (cases[i].what == 12) {
            bal_graph_scope(g, "enc.", BAL_TAG_FROZEN);
            last = bal_graph_linear(g, "fc", bal_graph_mean(g, x), 4, true, 0);
            last = bal_graph_linear_part(g, last, bal_graph_slice(g, bal_graph_mean(g, y), 0, 3), 0, 1);
        }
        if (cases[i].what != 4) bal_graph_output(g, "out", last);
        if (cases[i].rc == BAL_E_SHAPE) net_conv(g, "later", last, 0, 0); /* a later mistake does not hide the first */
        assert_fails(bal_graph_finish(g, &err), cases[i].rc, cases[i].says);
        bal_graph_destroy(&g);
    }
}

/* A session may be running on it. */
static void a_finished_graph_stays_as_it_is(void **state) {
    (void)state;
    Net net = net_open(net_backend(0), 1, 1);
    const BalVal x = bal_graph_find(net.g, "logits");
    bal_graph_output(net.g, "late", x);
    assert_int_equal(bal_graph_find(net.g, "late"), 0);
    assert_int_equal(bal_graph_relu(net.g, x), 0);
    net_forward(&net, 0, NET_CLIPS, BAL_MODE_TRAIN, 1);
    net_backward(&net, 0, NET_CLIPS, all_outputs, 0, false);
    net_close(&net);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finite_differences),
        cmocka_unit_test(memory_reuse_changes_nothing),
        cmocka_unit_test(sweeps_add_up),
        cmocka_unit_test(unreached_is_zero),
        cmocka_unit_test(backends_agree),
        cmocka_unit_test(modes_and_batch_sizes),
        cmocka_unit_test(slots_are_apart),
        cmocka_unit_test(scales),
        cmocka_unit_test(no_allocation_after_the_first_step),
        cmocka_unit_test(a_plan_without_memory),
        cmocka_unit_test(same_seed_same_run),
        cmocka_unit_test(snapshots),
        cmocka_unit_test(whole_snapshots),
        cmocka_unit_test(an_update_of_nothing),
        cmocka_unit_test(what_a_backend_lacks),
        cmocka_unit_test(a_frozen_scope_stays_as_it_is),
        cmocka_unit_test(a_gate_can_be_overridden),
        cmocka_unit_test(folding),
        cmocka_unit_test(wrong_use),
        cmocka_unit_test(statistics_settle),
        cmocka_unit_test(inputs_that_are_zero),
        cmocka_unit_test(graph_mistakes),
        cmocka_unit_test(a_finished_graph_stays_as_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
