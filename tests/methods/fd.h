/* A method on a small network and a random batch, without a trainer: what its loss is, and its gradients by finite differences on the
 * reference backend. The encoder is `tiny`; two frames per clip. */
#ifndef BAL_TEST_FD_H
#define BAL_TEST_FD_H

#include <math.h>
#include <avbalance/backends.h>
#include <avbalance/method.h>
#include <avbalance/models.h>
#include "base/check.h"
#include "base/option.h"
#include "base/rng.h"

enum { FD_N = 5, FD_CLASSES = 3, FD_SIDE = 10, FD_AUDIO = FD_SIDE * FD_SIDE, FD_VISUAL = 2 * FD_AUDIO };

typedef struct Fd {
    BalMethod m;
    BalGraph *g;
    BalMethodCtx c; /* epoch, step may be set by the test */
    int last_sub;   /* sub-step whose gradient is looked at (0) */
    int n_grads;    /* buffers whose sum is the gradient of the loss, where a method keeps shares of it apart (1) */
    float audio[FD_N * FD_AUDIO], visual[FD_N * FD_VISUAL], z[FD_N * FD_CLASSES], dz[FD_N * FD_CLASSES];
    int32_t label[FD_N];
    int64_t clip[FD_N];
    BalSample train[FD_N], list[7 * FD_N];
    int64_t n_list; /* what bal_method_sample gave, 0: nothing */
    unsigned tags;  /* fd_check looks at parameters with these alone; 0: at all */
} Fd;

/* Method `name` with options key, value, ..., NULL. */
static inline void fd_open(Fd *f, const char *name, const char *const *set) {
    BalError err = {0};
    BalNetSpec net = {
        .audio = {4, {1, 1, FD_SIDE, FD_SIDE}}, .visual = {4, {2, 1, FD_SIDE, FD_SIDE}}, .n_classes = FD_CLASSES};
    BalMethodNeeds needs = {1, 1, 1};
    BalSessionConfig cfg = bal_session_config_default();
    *f = (Fd){.n_grads = 1};
    assert_ok(bal_method_open(&f->m, name, &err));
    const BalOptionSet options = {f->m.ops->options, f->m.self};
    for (; set && set[0]; set += 2) assert_ok(bal_options_set(&options, 1, set[0], set[1], &err));
    assert_ok(bal_model_find(&net.encoder, "tiny", &err));
    assert_ok(bal_backend_find(&cfg.backend, "reference", &err));
    assert_ok(bal_graph_create(&f->g, &err));
    assert_ok(f->m.ops->build(f->m.self, &net, f->g, &needs, &err));
    assert_ok(bal_graph_finish(f->g, &err));
    cfg.batch = FD_N;
    cfg.threads = 1;
    cfg.n_slots = needs.n_slots, cfg.n_grads = needs.n_grads, cfg.n_sweeps = needs.n_sweeps;
    assert_ok(bal_session_create(&f->c.session, f->g, &cfg, &err));
    BalRng r = bal_rng(1, BAL_RNG_TEST, 0, 0);
    for (int i = 0; i < FD_N * FD_AUDIO; i++) f->audio[i] = (float)bal_rng_normal(&r);
    for (int i = 0; i < FD_N * FD_VISUAL; i++) f->visual[i] = (float)bal_rng_normal(&r);
    for (int i = 0; i < FD_N; i++) f->label[i] = i % FD_CLASSES, f->clip[i] = 10 + i;
    f->c.n_classes = FD_CLASSES;
    f->c.n_epochs = 10, f->c.n_steps = 4;
    f->c.z = f->z, f->c.dz = f->dz;
    f->c.batch =
        (BalMethodBatch){.audio = f->audio, .visual = f->visual, .label = f->label, .clip = f->clip, .n = FD_N};
}

/* ---- a trainer whose train clips are those of the batch ---- */
static inline BalStatus fd_log(void *trainer, const char *name, double value, BalError *err) {
    (void)trainer, (void)name, (void)err;
    assert_true(isfinite(value));
    return BAL_OK;
}

static inline BalStatus fd_clips(void *trainer, BalClipPart part, const BalSample **sample, int64_t *n, BalError *err) {
    Fd *f = trainer;
    (void)part, (void)err;
    for (int i = 0; i < FD_N; i++) f->train[i] = (BalSample){f->clip[i], BAL_TAG_AUDIO | BAL_TAG_VISUAL};
    *sample = f->train;
    *n = FD_N;
    return BAL_OK;
}

/* In batches of at most three. */
static inline BalStatus fd_pass(void *trainer, const BalMethodPass *pass, BalMethodHook *fn, void *user,
                                BalError *err) {
    Fd *f = trainer;
    const BalMethodBatch batch = f->c.batch;
    float audio[3 * FD_AUDIO], visual[3 * FD_VISUAL];
    int32_t label[3];
    unsigned char keep[3];
    BalStatus rc = BAL_OK;
    for (int64_t at = 0; at < pass->n && rc == BAL_OK; at += 3) {
        const int n = pass->n - at < 3 ? (int)(pass->n - at) : 3;
        for (int i = 0; i < n; i++) {
            const int k = (int)(pass->sample[at + i].clip - f->clip[0]);
            assert_in_range(k, 0, FD_N - 1);
            memcpy(audio + i * FD_AUDIO, f->audio + k * FD_AUDIO, FD_AUDIO * sizeof *audio);
            memcpy(visual + i * FD_VISUAL, f->visual + k * FD_VISUAL, FD_VISUAL * sizeof *visual);
            label[i] = f->label[k];
            keep[i] = pass->sample[at + i].keep;
        }
        f->c.batch = (BalMethodBatch){.audio = audio, .visual = visual, .label = label, .n = n, .keep = keep};
        rc = fn(user, &f->c, err);
    }
    f->c.batch = batch;
    return rc;
}

static inline BalStatus fd_sample(void *trainer, const BalSample *sample, int64_t n, BalError *err) {
    Fd *f = trainer;
    (void)err;
    assert_in_range(n, 2, 7 * FD_N);
    memcpy(f->list, sample, (size_t)n * sizeof *sample);
    f->n_list = n;
    return BAL_OK;
}

static const BalTrainServices fd_services = {.log = fd_log, .clips = fd_clips, .pass = fd_pass, .sample = fd_sample};

static inline void fd_train(Fd *f) { /* give it that trainer */
    f->c.services = &fd_services;
    f->c.trainer = f;
}

static inline void fd_close(Fd *f) {
    bal_session_destroy(&f->c.session);
    bal_graph_destroy(&f->g);
    bal_method_close(&f->m);
}

/* plan, and the losses of sub-steps 0 to f->last_sub, without updates; gradients of the last are in buffer 0 then. */
static inline double fd_loss(Fd *f) {
    BalError err = {0};
    f->c.n_subs = 1;
    f->c.batch.keep = NULL;
    if (f->m.ops->plan) assert_ok(f->m.ops->plan(f->m.self, &f->c, &err));
    for (f->c.sub = 0; f->c.sub <= f->last_sub; f->c.sub++) {
        assert_ok(f->m.ops->loss ? f->m.ops->loss(f->m.self, &f->c, &err) : bal_method_loss(f->m.ops, &f->c, &err));
        assert_true(isfinite(f->c.loss));
    }
    f->c.sub = f->last_sub;
    return f->c.loss;
}

static inline int64_t fd_count(const Fd *f, int i) {
    const BalShape *s = &bal_session_param(f->c.session, i)->shape;
    int64_t n = 1;
    for (int k = 0; k < s->rank; k++) n *= s->dim[k];
    return n;
}

/* Parameter i moved by h in direction d from w. */
static inline double fd_at(Fd *f, int i, const float *w, const double *d, double h, int64_t n) {
    BalError err = {0};
    float *moved = malloc((size_t)n * sizeof *moved);
    for (int64_t k = 0; k < n; k++) moved[k] = (float)(w[k] + h * d[k]);
    assert_ok(bal_session_param_set(f->c.session, i, moved, &err));
    free(moved);
    return fd_loss(f);
}

/* Gradient of parameter i: the sum over the buffers that the method fills. */
static inline double fd_gradient(Fd *f, int i, int64_t n, double *sum) {
    BalError err = {0};
    float *g = malloc((size_t)n * sizeof *g);
    double norm = 0;
    memset(sum, 0, (size_t)n * sizeof *sum);
    for (int b = 0; b < f->n_grads; b++) {
        assert_ok(bal_session_grad_get(f->c.session, b, i, g, &err));
        for (int64_t k = 0; k < n; k++) sum[k] += g[k];
    }
    for (int64_t k = 0; k < n; k++) norm += sum[k] * sum[k];
    free(g);
    return sqrt(norm);
}

/* Every trainable tensor is moved along its own gradient, or (where that is zero) along a random direction: the loss changes as the gradient
 * says. Returns how many tensors have a gradient. */
static inline int fd_check(Fd *f) {
    BalError err = {0};
    const double h = 2e-3; /* small: the network has kinks */
    int moving = 0;
    for (int i = 0; i < bal_session_n_params(f->c.session); i++) {
        const BalParam *p = bal_session_param(f->c.session, i);
        if (!p->trainable || (f->tags && !(p->tags & f->tags))) continue;
        const int64_t n = fd_count(f, i);
        float *w = malloc((size_t)n * sizeof *w);
        double *d = malloc((size_t)n * sizeof *d), length = 0;
        assert_ok(bal_session_param_get(f->c.session, i, w, &err));
        fd_loss(f);
        const double norm = fd_gradient(f, i, n, d);
        BalRng r = bal_rng(2, BAL_RNG_TEST, 0, (uint64_t)i);
        for (int64_t k = 0; k < n && norm <= 1e-5; k++) d[k] = bal_rng_normal(&r);
        for (int64_t k = 0; k < n; k++) length += d[k] * d[k];
        for (int64_t k = 0; k < n; k++) d[k] /= sqrt(length);
        const double got = (fd_at(f, i, w, d, h, n) - fd_at(f, i, w, d, -h, n)) / (2 * h);
        if (!(fabs(got - (norm > 1e-5 ? norm : 0)) <= 2e-2 * norm + 2e-4))
            fail_msg("%s of %s: along its gradient the loss changes by %.6g, not by %.6g", p->name, f->m.ops->name, got,
                     norm);
        assert_ok(bal_session_param_set(f->c.session, i, w, &err));
        moving += norm > 1e-5;
        free(w), free(d);
    }
    return moving;
}

#endif
