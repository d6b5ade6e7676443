/* The hooks of a training step, tried by a method that asks for everything: two encoders that meet between their stages, two heads,
 * two passes alive, two sweeps into two gradient buffers, sub-steps that move different parameters with different settings. */
#include <math.h>
#include <avbalance/backends.h>
#include <avbalance/method.h>
#include <avbalance/models.h>
#include "base/check.h"
#include "base/option.h"
#include "base/rng.h"

enum { N = 4, CLASSES = 3, AUDIO = 12 * 12, VISUAL = 2 * 3 * 12 * 12 };

typedef struct Busy {
    double factor; /* of the learning rate in the second sub-step */
    int64_t frozen_passes;
    double cosine; /* of the two gradients of the audio encoder */
} Busy;

static BalStatus build(void *self, const BalNetSpec *net, BalGraph *g, BalMethodNeeds *needs, BalError *err) {
    (void)self, (void)err;
    static const char *const prefix[] = {"audio.", "visual."};
    const unsigned tag[] = {BAL_TAG_AUDIO, BAL_TAG_VISUAL};
    BalVal x[2] = {bal_graph_input(g, "audio", net->audio), 0}, f[2];
    x[1] = bal_graph_scale(g, "seen", bal_graph_input(g, "visual", net->visual));
    for (int i = 0; i < net->encoder->n_stages; i++) {
        for (int m = 0; m < 2; m++) {
            bal_graph_scope(g, prefix[m], tag[m]);
            x[m] = net->encoder->stage(g, i, x[m]);
        }
        if (i) continue;
        bal_graph_scope(g, "", BAL_TAG_SHARED); /* the sound gates the picture, as in an MMTM */
        const int64_t width = bal_graph_shape(g, x[1]).dim[1];
        x[1] = bal_graph_mul(
            g, x[1],
            bal_graph_sigmoid(g, bal_graph_linear(g, "gate", bal_graph_mean(g, x[0]), (int)width, true, BAL_TAG_GATE)));
    }
    for (int m = 0; m < 2; m++) f[m] = bal_graph_mean(g, x[m]);
    bal_graph_scope(g, "", BAL_TAG_SHARED);
    bal_graph_output(g, "logits",
                     bal_graph_linear(g, "fc", bal_graph_concat(g, f, 2), net->n_classes, true, BAL_TAG_FC));
    bal_graph_scope(g, "", BAL_TAG_AUX);
    bal_graph_output(g, "heard", bal_graph_linear(g, "head", f[0], net->n_classes, true, BAL_TAG_FC));
    *needs = (BalMethodNeeds){.n_slots = 2, .n_grads = 2, .n_sweeps = 2};
    return BAL_OK;
}

static BalStatus plan(void *self, BalMethodCtx *c, BalError *err) {
    (void)self, (void)err;
    c->n_subs = 2;
    return BAL_OK;
}

static BalStatus sweep(BalMethodCtx *c, int slot, const char *output, int grad, bool add, BalError *err) {
    BAL_TRY(bal_session_get(c->session, slot, output, c->z, err));
    c->loss = bal_softmax_ce(c->z, c->batch.label, c->batch.n, c->n_classes, 1, c->dz, NULL);
    BAL_TRY(bal_session_seed(c->session, slot, output, c->dz, err));
    return bal_session_backward(c->session, slot, grad, add, err);
}

extern const BalMethodOps busy;

/* First both heads, each into a buffer of its own; then the picture switched off in a pass that leaves the statistics alone. */
static BalStatus loss(void *self, BalMethodCtx *c, BalError *err) {
    static const float unseen[N];
    Busy *b = self;
    if (c->sub == 0) {
        BAL_TRY(bal_method_forward(&busy, c, 0, BAL_MODE_TRAIN, err));
        BAL_TRY(sweep(c, 0, "heard", 1, false, err));
        return sweep(c, 0, "logits", 0, false, err);
    }
    b->frozen_passes++;
    BAL_TRY(bal_session_set(c->session, 1, "seen", unseen, c->batch.n, err));
    BAL_TRY(bal_method_forward(&busy, c, 1, BAL_MODE_FROZEN, err));
    return sweep(c, 1, "logits", 0, false, err);
}

static BalStatus grad(void *self, BalMethodCtx *c, BalError *err) {
    Busy *b = self;
    BalParamStats s, other;
    if (c->sub == 1) {
        c->optimiser.lr *= b->factor;
        c->update_tags = BAL_TAG_VISUAL | BAL_TAG_SHARED;
        return BAL_OK;
    }
    double dot = 0, g0 = 0, g1 = 0;
    for (int i = 0; i < bal_session_n_params(c->session); i++) {
        const BalParam *p = bal_session_param(c->session, i);
        if (!p->trainable || !(p->tags & BAL_TAG_AUDIO)) continue;
        BAL_TRY(bal_session_stats(c->session, 0, 1, i, &s, err));
        BAL_TRY(bal_session_stats(c->session, 1, 1, i, &other, err));
        dot += s.dot, g0 += s.sum_gg, g1 += other.sum_gg;
        BAL_TRY(bal_session_grad_axpy(c->session, 0, 0.5, 1, 0.5, i, err));
    }
    b->cosine = dot / sqrt(g0 * g1);
    c->update_tags = BAL_TAG_AUDIO;
    return BAL_OK;
}

static const BalOption OPTIONS[] = {
    {"busy.factor", "0.25", "of the learning rate", BAL_OPT_REAL, offsetof(Busy, factor), 0, 1, NULL}, {0}};

const BalMethodOps busy = {.name = "busy",
                           .inputs = BAL_TAG_AUDIO | BAL_TAG_VISUAL,
                           .state_size = sizeof(Busy),
                           .options = OPTIONS,
                           .build = build,
                           .plan = plan,
                           .loss = loss,
                           .grad = grad};

typedef struct Bench {
    BalGraph *g;
    BalMethodCtx c;
    float audio[N * AUDIO], visual[N * VISUAL], z[N * CLASSES], dz[N * CLASSES];
    int32_t label[N];
} Bench;

static void open_bench(Bench *b, Busy *state) {
    BalError err = {0};
    BalNetSpec net = {.audio = {4, {1, 1, 12, 12}}, .visual = {4, {2, 3, 12, 12}}, .n_classes = CLASSES};
    BalMethodNeeds needs = {1, 1, 1};
    BalSessionConfig cfg = bal_session_config_default();
    assert_ok(bal_model_find(&net.encoder, "tiny", &err));
    assert_ok(bal_backend_find(&cfg.backend, "reference", &err));
    assert_ok(bal_graph_create(&b->g, &err));
    assert_ok(build(state, &net, b->g, &needs, &err));
    assert_ok(bal_graph_finish(b->g, &err));
    cfg.batch = N;
    cfg.n_slots = needs.n_slots, cfg.n_grads = needs.n_grads, cfg.n_sweeps = needs.n_sweeps;
    assert_ok(bal_session_create(&b->c.session, b->g, &cfg, &err));
    BalRng r = bal_rng(1, BAL_RNG_TEST, 0, 0);
    for (int i = 0; i < N * AUDIO; i++) b->audio[i] = (float)bal_rng_normal(&r);
    for (int i = 0; i < N * VISUAL; i++) b->visual[i] = (float)bal_rng_normal(&r);
    for (int i = 0; i < N; i++) b->label[i] = i % CLASSES;
    b->c.n_classes = CLASSES;
    b->c.z = b->z, b->c.dz = b->dz;
    b->c.batch = (BalMethodBatch){.audio = b->audio, .visual = b->visual, .label = b->label, .n = N};
}

static void close_bench(Bench *b) {
    bal_session_destroy(&b->c.session);
    bal_graph_destroy(&b->g);
}

/* Parameter `name` into w; returns how many values it has. */
static int get(Bench *b, const char *name, float *w) {
    BalError err = {0};
    const int i = bal_session_find_param(b->c.session, name);
    assert_true(i >= 0);
    assert_ok(bal_session_param_get(b->c.session, i, w, &err));
    const BalShape s = bal_session_param(b->c.session, i)->shape;
    int n = 1;
    for (int k = 0; k < s.rank; k++) n *= (int)s.dim[k];
    return n;
}

static void every_sub_step_moves_what_it_names(void **state) {
    (void)state;
    static const char *const name[] = {"audio.conv1.weight", "visual.conv1.weight", "fc.weight", "gate.weight",
                                       "head.weight"};
    enum { N_NAMES = 5 };
    static Bench b;
    static float was[N_NAMES][8192], now[8192], g[8192];
    BalError err = {0};
    Busy busy_state = {0};
    BalMethod m = {&busy, &busy_state};
    const BalOptimiser sgd = {.kind = BAL_SGD, .lr = 0.1};
    bal_options_default(OPTIONS, &busy_state);
    open_bench(&b, &busy_state);
    for (int k = 0; k < N_NAMES; k++) get(&b, name[k], was[k]);
    float mean[2][16];
    get(&b, "visual.bn1.running_mean", mean[0]);
    assert_ok(bal_method_step(&m, &b.c, &sgd, &err));
    get(&b, "visual.bn1.running_mean", mean[1]);
    assert_int_equal(busy_state.frozen_passes, 1);
    assert_true(isfinite(b.c.loss) && fabs(busy_state.cosine) < 1);
    for (int i = 0; i < 16; i++) assert_float_not_equal(mean[0][i], mean[1][i], 0); /* by the one pass in train mode */
    for (int k = 0; k < N_NAMES; k++) {
        const int n = get(&b, name[k], now);
        const bool moved = memcmp(was[k], now, (size_t)n * sizeof *now) != 0;
        /* unseen clips give the picture's first layer no gradient; the own head is in nobody's tags */
        assert_int_equal(moved, k == 0 || k == 2 || k == 3);
    }
    const int n = get(&b, "fc.weight", now);
    assert_ok(bal_session_grad_get(b.c.session, 0, bal_session_find_param(b.c.session, "fc.weight"), g, &err));
    for (int i = 0; i < n; i++) assert_true(fabs(was[2][i] - 0.1 * 0.25 * g[i] - now[i]) < 1e-7);
    close_bench(&b);
}

/* What was left for the next pass of the same number of clips must not leak into scoring: another slot was switched off. */
static void scoring_uses_both_modalities(void **state) {
    (void)state;
    static Bench b;
    BalError err = {0};
    Busy busy_state = {.factor = 1};
    BalMethod m = {&busy, &busy_state};
    const BalOptimiser sgd = {.kind = BAL_SGD, .lr = 0.1};
    float z[2][N * CLASSES], p[N * CLASSES];
    open_bench(&b, &busy_state);
    assert_ok(bal_method_step(&m, &b.c, &sgd, &err));
    assert_ok(bal_method_score(&m, &b.c, z[0], p, &err));
    for (int i = 0; i < N; i++) {
        float sum = 0;
        for (int k = 0; k < CLASSES; k++) sum += p[i * CLASSES + k];
        assert_true(fabsf(sum - 1) < 1e-6f);
    }
    for (int i = 0; i < N * VISUAL; i++) b.visual[i] += 1;
    assert_ok(bal_method_score(&m, &b.c, z[1], NULL, &err));
    assert_memory_not_equal(z[0], z[1], sizeof z[0]);
    close_bench(&b);
}

/* Masks reach the scales that are named for them, and only those; a network without any refuses them. */
static void masks_reach_their_scales(void **state) {
    (void)state;
    static Bench b;
    BalError err = {0};
    Busy busy_state = {.factor = 1};
    const unsigned char keep[N] = {3, 1, 3, 3};
    open_bench(&b, &busy_state);
    b.c.batch.keep = keep;
    assert_fails(bal_method_forward(&busy, &b.c, 0, BAL_MODE_EVAL, &err), BAL_E_ARG, "no scale \"visual.keep\"");
    close_bench(&b);
}

static void without_a_trainer_nothing_is_asked_of_it(void **state) {
    (void)state;
    BalError err = {0};
    BalMethodCtx c = {0};
    const BalSample *list;
    int64_t n;
    assert_ok(bal_method_log(&c, "k", 1, &err));
    assert_fails(bal_method_clips(&c, BAL_PART_TRAIN, &list, &n, &err), BAL_E_UNSUPPORTED, "needs a trainer");
    assert_fails(bal_method_train(&c, NULL, 0, 1, plan, NULL, 0, &err), BAL_E_UNSUPPORTED, "needs a trainer");
}

static void unknown_names_are_helped(void **state) {
    (void)state;
    BalError err = {0};
    const BalMethodOps *ops;
    BalMethod m;
    assert_fails(bal_method_find(&ops, "visal", &err), BAL_E_ARG, "did you mean \"visual\"");
    for (int i = 0; i < bal_method_count(); i++) {
        assert_ok(bal_method_open(&m, bal_method_at(i)->name, &err));
        bal_method_close(&m);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_sub_step_moves_what_it_names),
        cmocka_unit_test(scoring_uses_both_modalities),
        cmocka_unit_test(masks_reach_their_scales),
        cmocka_unit_test(without_a_trainer_nothing_is_asked_of_it),
        cmocka_unit_test(unknown_names_are_helped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
