/* Parameters and gradients of a session: where they lie, how they begin, and what methods read and change.
 *
 * Trainable parameters are one block of floats in the backend's layouts; each gradient buffer and each moment has the same layout, so
 * that updates and reductions run over stretches of memory without knowing layouts. Running statistics are a block of their own. */
#include "engine/session.h"
#include <math.h>
#include <string.h>
#include "base/mem.h"
#include "base/rng.h"
#include "base/thread.h"

static BalStatus find_param(const BalSession *s, int i, bool trainable, BalError *err) {
    if (i < 0 || i >= s->g->n_params) return BAL_FAIL(err, BAL_E_ARG, "parameter %d of %d", i, s->g->n_params);
    if (trainable && !s->g->param[i].is.trainable)
        return BAL_FAIL(err, BAL_E_ARG, "\"%s\" is %s: it has no gradient", s->g->param[i].is.name,
                        s->g->param[i].which < 2 ? "frozen" : "a running statistic");
    return BAL_OK;
}

BalStatus bal_session_check_grad(const BalSession *s, int grad, BalError *err) {
    if (grad < 0 || grad >= s->cfg.n_grads)
        return BAL_FAIL(err, BAL_E_ARG, "gradient buffer %d of %d", grad, s->cfg.n_grads);
    return BAL_OK;
}

static BalStatus check(const BalSession *s, int grad, int i, BalError *err) {
    BAL_TRY(bal_session_check_grad(s, grad, err));
    return find_param(s, i, true, err);
}

/* ---- layout ---- */
BalStatus bal_session_pack(BalSession *s, int i, float *at, const float *plain, BalError *err) {
    const GraphParam *p = &s->g->param[i];
    const BalOp op = bal_plan_op(&s->plan_for, p->node, 1);
    return s->b->param_set(s->self, &op, p->which, at, plain, err);
}

BalStatus bal_session_unpack(BalSession *s, int i, float *plain, const float *at, BalError *err) {
    const GraphParam *p = &s->g->param[i];
    const BalOp op = bal_plan_op(&s->plan_for, p->node, 1);
    if (s->b->sync) BAL_TRY(s->b->sync(s->self, err));
    return s->b->param_get(s->self, &op, p->which, plain, at, err);
}

BalStatus bal_session_params_open(BalSession *s, BalError *err) {
    int64_t largest = s->cfg.batch;
    BAL_TRY(bal_alloc(&s->place, (size_t)s->g->n_params, sizeof *s->place, err));
    for (int i = 0; i < s->g->n_params; i++) {
        const GraphParam *p = &s->g->param[i];
        const BalOp op = bal_plan_op(&s->plan_for, p->node, 1);
        size_t *end = p->is.trainable ? &s->w_floats : &s->state_floats;
        s->place[i] = (ParamPlace){*end, s->b->param_floats(s->self, &op, p->which), bal_shape_count(&p->is.shape), 0};
        *end += s->place[i].floats;
        if (s->place[i].count > largest) largest = s->place[i].count;
    }
    BAL_TRY(bal_alloc(&s->host, (size_t)largest, sizeof *s->host, err));
    BAL_TRY(bal_session_take(s, s->w_floats * sizeof(float), &s->w, err));
    BAL_TRY(bal_session_take(s, s->state_floats * sizeof(float), &s->state, err));
    BAL_TRY(bal_alloc(&s->grad, (size_t)s->cfg.n_grads, sizeof *s->grad, err));
    for (int i = 0; i < s->cfg.n_grads; i++)
        BAL_TRY(bal_session_take(s, s->w_floats * sizeof(float), &s->grad[i], err));
    return BAL_OK;
}

/* ---- first weights ---- */
/* Standard deviation: kaiming-normal with fan-out for convolutions, xavier-normal for linear layers; 0: a constant. */
static double init_std(const GraphParam *p, BalOpKind kind) {
    const BalShape *s = &p->is.shape;
    double window = 1;
    for (int i = 2; i < s->rank; i++) window *= (double)s->dim[i];
    if (p->which > 0) return 0;
    if (kind == BAL_OP_CONV) return sqrt(2 / ((double)s->dim[0] * window));
    return kind == BAL_OP_LINEAR ? sqrt(2 / (double)(s->dim[0] + s->dim[1])) : 0;
}

typedef struct Init {
    const BalSession *s;
    float *plain; /* all parameters end to end */
    size_t *at;
} Init;

static BalStatus init_one(void *user, int64_t i, int worker, BalError *err) {
    (void)worker, (void)err;
    const Init *init = user;
    const GraphParam *p = &init->s->g->param[i];
    const BalOpKind kind = init->s->g->node[p->node].op.kind;
    const double std = init_std(p, kind), mean = kind == BAL_OP_BN && (p->which == 0 || p->which == 3);
    BalRng rng = bal_rng(init->s->cfg.seed, BAL_RNG_INIT, 0, (uint64_t)i);
    for (size_t k = init->at[i]; k < init->at[i + 1]; k++)
        init->plain[k] = (float)(std > 0 ? std * bal_rng_normal(&rng) : mean);
    return BAL_OK;
}

static BalStatus init_all(BalSession *s, Init *init, BalError *err) {
    const int n = s->g->n_params, threads = s->cfg.threads ? s->cfg.threads : bal_cpu_count();
    BAL_TRY(bal_alloc(&init->at, (size_t)n + 1, sizeof *init->at, err));
    for (int i = 0; i < n; i++) init->at[i + 1] = init->at[i] + (size_t)s->place[i].count;
    BAL_TRY(bal_alloc(&init->plain, init->at[n], sizeof *init->plain, err));
    BAL_TRY(bal_parallel(threads, n, n, init_one, NULL, init, err));
    for (int i = 0; i < n; i++) BAL_TRY(bal_session_pack(s, i, param_at(s, i), init->plain + init->at[i], err));
    return BAL_OK;
}

BalStatus bal_session_init(BalSession *s, BalError *err) {
    Init init = {.s = s};
    s->version += 1;
    BalStatus rc = init_all(s, &init, err);
    bal_free(init.plain);
    bal_free(init.at);
    return rc;
}

/* ---- reading and writing ---- */
int bal_session_n_params(const BalSession *s) {
    return s->g->n_params;
}

const BalParam *bal_session_param(const BalSession *s, int i) {
    return i < 0 || i >= s->g->n_params ? NULL : &s->g->param[i].is;
}

int bal_session_find_param(const BalSession *s, const char *name) {
    for (int i = 0; i < s->g->n_params; i++)
        if (!strcmp(s->g->param[i].is.name, name)) return i;
    return -1;
}

BalStatus bal_session_param_get(BalSession *s, int i, float *plain, BalError *err) {
    BAL_TRY(find_param(s, i, false, err));
    return bal_session_unpack(s, i, plain, param_at(s, i), err);
}

BalStatus bal_session_param_set(BalSession *s, int i, const float *plain, BalError *err) {
    BAL_TRY(find_param(s, i, false, err));
    s->version += 1;
    return bal_session_pack(s, i, param_at(s, i), plain, err);
}

BalStatus bal_session_grad_get(BalSession *s, int grad, int i, float *plain, BalError *err) {
    BAL_TRY(check(s, grad, i, err));
    return bal_session_unpack(s, i, plain, s->grad[grad] + s->place[i].at, err);
}

BalStatus bal_session_grad_set(BalSession *s, int grad, int i, const float *plain, BalError *err) {
    BAL_TRY(check(s, grad, i, err));
    return bal_session_pack(s, i, s->grad[grad] + s->place[i].at, plain, err);
}

/* ---- what methods read and change; padding is zero and so adds nothing ---- */
BalStatus bal_session_stats(BalSession *s, int grad, int other, int i, BalParamStats *out, BalError *err) {
    BAL_TRY(check(s, grad, i, err));
    BAL_TRY(check(s, other, i, err));
    const ParamPlace *p = &s->place[i];
    const float *g = s->grad[grad] + p->at, *o = s->grad[other] + p->at, *w = s->w + p->at;
    double unused;
    out->n = p->count;
    BAL_TRY(s->b->reduce(s->self, g, g, p->floats, &out->sum_g, &out->sum_gg, err));
    BAL_TRY(s->b->reduce(s->self, g, o, p->floats, &unused, &out->dot, err));
    return s->b->reduce(s->self, w, w, p->floats, &unused, &out->sum_ww, err);
}

BalStatus bal_session_grad_scale(BalSession *s, int grad, int i, double factor, BalError *err) {
    return bal_session_grad_axpy(s, grad, 0, grad, factor, i, err);
}

BalStatus bal_session_grad_axpy(BalSession *s, int to, double beta, int from, double alpha, int i, BalError *err) {
    BAL_TRY(check(s, to, i, err));
    BAL_TRY(check(s, from, i, err));
    const ParamPlace *p = &s->place[i];
    return s->b->axpby(s->self, p->floats, alpha, s->grad[from] + p->at, beta, s->grad[to] + p->at, err);
}

BalStatus bal_session_grad_param(BalSession *s, int to, double beta, double alpha, int i, BalError *err) {
    BAL_TRY(check(s, to, i, err));
    const ParamPlace *p = &s->place[i];
    return s->b->axpby(s->self, p->floats, alpha, s->w + p->at, beta, s->grad[to] + p->at, err);
}

BalStatus bal_session_grad_noise(BalSession *s, int grad, int i, double sigma, uint64_t seed, uint32_t epoch,
                                 uint64_t step, BalError *err) {
    BAL_TRY(check(s, grad, i, err));
    enum { CHUNK = 1024 };
    float *at = s->grad[grad] + s->place[i].at, z[CHUNK];
    const int64_t count = s->place[i].count;
    BalRng rng = bal_rng(seed, BAL_RNG_METHOD, epoch, step * (uint64_t)s->g->n_params + (uint64_t)i);
    BAL_TRY(bal_session_unpack(s, i, s->host, at, err));
    for (int64_t from = 0; from < count; from += CHUNK) {
        const int64_t n = count - from < CHUNK ? count - from : CHUNK;
        bal_rng_normals(&rng, z, n);
        for (int64_t k = 0; k < n; k++) s->host[from + k] += (float)sigma * z[k];
    }
    return bal_session_pack(s, i, at, s->host, err);
}

/* ---- snapshots ----
 * Counters first (batches; of the whole state also which moments there are, as bits 1 and 2, and the updates of each parameter), then
 * the blocks as they lie: weights, running statistics, moments. */
typedef struct Block {
    float *at;
    size_t floats;
} Block;

enum { COUNTER = sizeof(int64_t) / sizeof(float) };

static int blocks_of(const BalSession *s, int64_t moments, Block block[4]) {
    int n = 0;
    block[n++] = (Block){s->w, s->w_floats};
    block[n++] = (Block){s->state, s->state_floats};
    if (moments & 1) block[n++] = (Block){s->m1, s->w_floats};
    if (moments & 2) block[n++] = (Block){s->m2, s->w_floats};
    return n;
}

static void set_counter(float *snapshot, int i, int64_t v) {
    memcpy(snapshot + (ptrdiff_t)i * COUNTER, &v, sizeof v);
}

static int64_t get_counter(const float *snapshot, int i) {
    int64_t v;
    memcpy(&v, snapshot + (ptrdiff_t)i * COUNTER, sizeof v);
    return v;
}

static size_t snapshot_floats(const BalSession *s, int64_t moments, int n_counters) {
    Block block[4];
    size_t floats = (size_t)n_counters * COUNTER;
    for (int i = blocks_of(s, moments, block) - 1; i >= 0; i--) floats += block[i].floats;
    return floats;
}

static BalStatus snapshot(BalSession *s, int64_t moments, int n_counters, float **out, BalError *err) {
    Block block[4];
    const int n = blocks_of(s, moments, block);
    if (s->b->sync) BAL_TRY(s->b->sync(s->self, err));
    float *copy;
    BAL_TRY(bal_alloc(&copy, snapshot_floats(s, moments, n_counters), sizeof *copy, err));
    BalStatus rc = BAL_OK;
    float *at = copy + (ptrdiff_t)n_counters * COUNTER;
    for (int i = 0; i < n && rc >= 0; at += block[i++].floats)
        rc = s->b->download(s->self, at, block[i].at, block[i].floats * sizeof *at, err);
    set_counter(copy, 0, s->batches);
    if (rc < 0)
        bal_free(copy);
    else
        *out = copy;
    return rc;
}

static BalStatus restore(BalSession *s, int64_t moments, int n_counters, const float *snapshot, BalError *err) {
    Block block[4];
    const int n = blocks_of(s, moments, block);
    const float *at = snapshot + (ptrdiff_t)n_counters * COUNTER;
    s->version += 1;
    s->batches = get_counter(snapshot, 0);
    for (int i = 0; i < n; at += block[i++].floats)
        BAL_TRY(s->b->upload(s->self, block[i].at, at, block[i].floats * sizeof *at, err));
    return BAL_OK;
}

BalStatus bal_session_snapshot(BalSession *s, float **out, BalError *err) {
    return snapshot(s, 0, 1, out, err);
}

BalStatus bal_session_restore(BalSession *s, const float *snapshot, BalError *err) {
    return restore(s, 0, 1, snapshot, err);
}

BalStatus bal_session_snapshot_state(BalSession *s, float **out, BalError *err) {
    const int64_t moments = (s->m1 ? 1 : 0) + (s->m2 ? 2 : 0);
    BAL_TRY(snapshot(s, moments, 2 + s->g->n_params, out, err));
    set_counter(*out, 1, moments);
    for (int i = 0; i < s->g->n_params; i++) set_counter(*out, 2 + i, s->place[i].steps);
    return BAL_OK;
}

size_t bal_session_state_bytes(const BalSession *s, const float *snapshot) {
    return snapshot_floats(s, get_counter(snapshot, 1), 2 + s->g->n_params) * sizeof *snapshot;
}

BalStatus bal_session_restore_state(BalSession *s, const float *snapshot, BalError *err) {
    const int64_t moments = get_counter(snapshot, 1);
    const size_t bytes = s->w_floats * sizeof(float);
    for (int i = 0; i < s->g->n_params; i++) s->place[i].steps = get_counter(snapshot, 2 + i);
    if (s->m1 && !(moments & 1)) BAL_TRY(s->b->zero(s->self, s->m1, bytes, err)); /* taken since then */
    if (s->m2 && !(moments & 2)) BAL_TRY(s->b->zero(s->self, s->m2, bytes, err));
    return restore(s, moments, 2 + s->g->n_params, snapshot, err);
}

void bal_session_release(BalSession *s, float **snapshot) {
    (void)s;
    bal_free(*snapshot);
    *snapshot = NULL;
}
