/* Sessions: forward and backward passes over a plan (plan.h). All data moves through the backend's table; addresses are its own. */
#include "engine/session.h"
#include <string.h>
#include "base/mem.h"

#define BN_MOMENTUM 0.1 /* torch's */

BalSessionConfig bal_session_config_default(void) {
    return (BalSessionConfig){.dtype = BAL_F32, .batch = 64, .n_slots = 1, .n_grads = 1, .n_sweeps = 1};
}

/* ---- memory of the backend, counted ---- */
BalStatus bal_session_take(BalSession *s, size_t bytes, void *out, BalError *err) {
    void *p = NULL;
    BAL_TRY(s->b->alloc(s->self, bytes ? bytes : 64, &p, err));
    memcpy(out, &p, sizeof p);
    s->bytes += bytes;
    return BAL_OK;
}

void bal_session_give(BalSession *s, void *address, size_t bytes) {
    if (!address) return;
    s->b->release(s->self, address, bytes ? bytes : 64);
    s->bytes -= bytes;
}

/* Replace a block by one of at least `bytes`; what it held is lost. */
static BalStatus enlarge(BalSession *s, void *block, size_t *have, size_t bytes, BalError *err) {
    void *old, *p = NULL;
    if (*have >= bytes) return BAL_OK;
    memcpy(&old, block, sizeof old);
    bal_session_give(s, old, *have);
    *have = 0;
    memcpy(block, &p, sizeof p);
    BAL_TRY(bal_session_take(s, bytes, block, err));
    *have = bytes;
    return BAL_OK;
}

size_t bal_session_bytes(const BalSession *s) {
    return s->bytes;
}

/* ---- life ---- */
static BalStatus check_config(const BalGraph *g, const BalSessionConfig *c, BalError *err) {
    if (!g->finished) return BAL_FAIL(err, BAL_E_ARG, "the graph of a session must be finished first");
    if (!c->backend) return BAL_FAIL(err, BAL_E_ARG, "a session needs a backend");
    if (c->fold && c->n_grads) return BAL_FAIL(err, BAL_E_ARG, "only a session without gradients can fold batch norm");
    if (c->batch < 1 || c->n_slots < 1 || c->n_grads < 0 || c->n_sweeps < 1 || c->threads < 0)
        return BAL_FAIL(err, BAL_E_ARG,
                        "session of %d clips, %d slots, %d gradients, %d sweeps, %d threads is not possible", c->batch,
                        c->n_slots, c->n_grads, c->n_sweeps, c->threads);
    return BAL_OK;
}

static BalStatus check_support(const BalSession *s, BalError *err) {
    for (int i = 0; i < s->g->n_nodes; i++) {
        const GraphNode *n = &s->g->node[i];
        if (!n->live || n->op.kind == BAL_OP_INPUT) continue;
        BalOp op = bal_plan_op(&s->plan_for, i, s->cfg.batch);
        if (s->b->supports(s->self, &op)) continue;
        op.dtype = BAL_F32;
        const bool type = s->cfg.dtype != BAL_F32 && s->b->supports(s->self, &op);
        return BAL_FAIL(err, BAL_E_UNSUPPORTED, "layer \"%s\": the %s backend has no kernel for it%s", op.name,
                        s->b->name, type ? " in bf16 on this processor; use f32" : "; use the backend reference");
    }
    return BAL_OK;
}

static BalStatus slots_open(BalSession *s, BalError *err) {
    BAL_TRY(bal_alloc(&s->slot, (size_t)s->cfg.n_slots, sizeof *s->slot, err));
    for (int i = 0; i < s->cfg.n_slots; i++) {
        BAL_TRY(bal_alloc(&s->slot[i].held, (size_t)s->g->n_nodes, sizeof(Held), err));
        BAL_TRY(bal_alloc(&s->slot[i].seed, (size_t)s->g->n_outputs, sizeof(Seed), err));
    }
    return BAL_OK;
}

static BalStatus session_open(BalSession *s, BalError *err) {
    const BalBackendConfig cfg = {.threads = s->cfg.threads};
    BAL_TRY(s->b->open(&s->self, &cfg, err));
    s->plan_for = (PlanFor){s->g, s->b, s->self, s->cfg.dtype, s->cfg.n_sweeps, s->cfg.fold};
    BAL_TRY(check_support(s, err));
    BAL_TRY(slots_open(s, err));
    if (s->cfg.fold) BAL_TRY(bal_alloc(&s->folded, (size_t)s->g->n_nodes, sizeof *s->folded, err));
    BAL_TRY(bal_session_params_open(s, err));
    return bal_session_init(s, err);
}

BalStatus bal_session_create(BalSession **out, const BalGraph *g, const BalSessionConfig *cfg, BalError *err) {
    BalSession *s;
    *out = NULL;
    BAL_TRY(check_config(g, cfg, err));
    BAL_TRY(bal_alloc(&s, 1, sizeof *s, err));
    s->g = g;
    s->cfg = *cfg;
    s->b = cfg->backend;
    s->version = 1;
    BalStatus rc = session_open(s, err);
    if (rc < 0) bal_session_destroy(&s);
    *out = s;
    return rc;
}

static void slot_close(BalSession *s, Slot *slot) {
    bal_session_give(s, slot->arena, slot->arena_bytes);
    for (int i = 0; slot->held && i < s->g->n_nodes; i++) bal_session_give(s, slot->held[i].at, slot->held[i].bytes);
    for (int i = 0; slot->seed && i < s->g->n_outputs; i++) bal_session_give(s, slot->seed[i].at, slot->seed[i].bytes);
    bal_free(slot->held);
    bal_free(slot->seed);
}

static void blocks_close(BalSession *s) {
    const size_t bytes = s->w_floats * sizeof(float);
    bal_session_give(s, s->w, bytes);
    bal_session_give(s, s->m1, bytes);
    bal_session_give(s, s->m2, bytes);
    bal_session_give(s, s->state, s->state_floats * sizeof(float));
    for (int i = 0; s->grad && i < s->cfg.n_grads; i++) bal_session_give(s, s->grad[i], bytes);
    bal_session_give(s, s->scratch, s->scratch_bytes);
}

void bal_session_destroy(BalSession **session) {
    BalSession *s = *session;
    if (!s) return;
    for (int i = 0; i < s->n_plans; i++) bal_plan_destroy(&s->plan_for, &s->plan[i]);
    for (int i = 0; s->slot && i < s->cfg.n_slots; i++) slot_close(s, &s->slot[i]);
    if (s->self) {
        blocks_close(s);
        bal_session_unfold(s);
        s->b->close(s->self);
    }
    bal_free(s->plan);
    bal_free(s->slot);
    bal_free(s->folded);
    bal_free(s->grad);
    bal_free(s->place);
    bal_free(s->host);
    bal_free(s);
    *session = NULL;
}

/* ---- handing data over ---- */
static BalStatus find_slot(BalSession *s, int slot, Slot **out, BalError *err) {
    if (slot < 0 || slot >= s->cfg.n_slots) return BAL_FAIL(err, BAL_E_ARG, "slot %d of %d", slot, s->cfg.n_slots);
    *out = &s->slot[slot];
    return BAL_OK;
}

static BalStatus check_clips(const BalSession *s, int n, BalError *err) {
    if (n < 1 || n > s->cfg.batch)
        return BAL_FAIL(err, BAL_E_ARG, "%d clips in a session made for 1 to %d", n, s->cfg.batch);
    return BAL_OK;
}

static BalShape batched(BalShape shape, int n) {
    shape.dim[0] *= n;
    return shape;
}

static BalStatus set_input(BalSession *s, Held *h, const BalShape *clip, const float *data, int n, BalError *err) {
    const BalShape full = batched(*clip, s->cfg.batch), shape = batched(*clip, n);
    const BalDtype dtype = bal_value_dtype(clip, s->cfg.dtype);
    BAL_TRY(enlarge(s, &h->at, &h->bytes, s->b->value_bytes(s->self, &full, dtype), err));
    return s->b->value_set(s->self, &shape, dtype, h->at, data, err);
}

static BalStatus set_zero(BalSession *s, Held *h, const BalShape *clip, BalError *err) {
    const BalShape full = batched(*clip, s->cfg.batch);
    BAL_TRY(enlarge(s, &h->at, &h->bytes, s->b->value_bytes(s->self, &full, bal_value_dtype(clip, s->cfg.dtype)), err));
    return s->b->zero(s->self, h->at, h->bytes, err);
}

static BalStatus set_scale(BalSession *s, Held *h, const float *data, int n, BalError *err) {
    BAL_TRY(enlarge(s, &h->at, &h->bytes, (size_t)s->cfg.batch * sizeof(float), err));
    return s->b->upload(s->self, h->at, data, (size_t)n * sizeof(float), err);
}

bool bal_session_has(const BalSession *s, const char *name) {
    for (int i = 0; i < s->g->n_nodes; i++)
        if (s->g->node[i].label && !strcmp(s->g->node[i].label, name)) return true;
    return false;
}

BalStatus bal_session_set(BalSession *s, int slot, const char *name, const float *data, int n, BalError *err) {
    Slot *at = NULL;
    BAL_TRY(find_slot(s, slot, &at, err));
    BAL_TRY(check_clips(s, n, err));
    for (int i = 0; i < s->g->n_nodes; i++) {
        const GraphNode *node = &s->g->node[i];
        Held *h = &at->held[i];
        if (!node->label || strcmp(node->label, name)) continue;
        h->n = 0;
        if (node->op.kind == BAL_OP_INPUT)
            BAL_TRY(data ? set_input(s, h, &node->op.out, data, n, err) : set_zero(s, h, &node->op.out, err));
        else if (data)
            BAL_TRY(set_scale(s, h, data, n, err));
        h->n = data || (node->op.kind == BAL_OP_INPUT && !node->optional) ? n : 0;
        return BAL_OK;
    }
    return BAL_FAIL(err, BAL_E_ARG, "the graph has no input or scale \"%s\"", name);
}

/* Inputs must have been set for n clips; coefficients that were not set become 1, optional inputs 0. */
static BalStatus check_held(BalSession *s, Slot *slot, int n, BalError *err) {
    for (int i = 0; i < s->g->n_nodes; i++) {
        const GraphNode *node = &s->g->node[i];
        Held *h = &slot->held[i];
        if (!node->label || !node->live || h->n == n) continue;
        if (h->n || (node->op.kind == BAL_OP_INPUT && !node->optional))
            return BAL_FAIL(err, BAL_E_ARG, "\"%s\" was set for %d clips, the pass has %d", node->label, h->n, n);
        if (node->optional) {
            BAL_TRY(set_zero(s, h, &node->op.out, err));
            continue;
        }
        for (int k = 0; k < n; k++) s->host[k] = 1;
        BAL_TRY(set_scale(s, h, s->host, n, err));
    }
    return BAL_OK;
}

/* ---- passes ---- */
static BalStatus find_plan(BalSession *s, int n, BalMode mode, Plan **out, BalError *err) {
    for (int i = 0; i < s->n_plans; i++) {
        *out = s->plan[i];
        if (s->plan[i]->n == n && s->plan[i]->mode == mode) return BAL_OK;
    }
    BAL_TRY(bal_grow(&s->plan, &s->cap_plans, (size_t)s->n_plans + 1, sizeof *s->plan, err));
    BAL_TRY(bal_plan_create(out, &s->plan_for, n, mode, err));
    s->plan[s->n_plans++] = *out;
    return BAL_OK;
}

/* Scratch memory for a sweep. Asked before each, because a failure to enlarge it for another plan leaves none. */
static BalStatus take_scratch(BalSession *s, const Plan *plan, BalError *err) {
    return enlarge(s, &s->scratch, &s->scratch_bytes, plan->scratch_bytes, err);
}

static void *piece_at(const Slot *slot, int piece) {
    return piece < 0 ? NULL : slot->arena + slot->plan->piece[piece].at;
}

static void *value_at(const BalSession *s, const Slot *slot, BalVal v) {
    const GraphNode *n = graph_producer(s->g, v);
    return n->op.kind == BAL_OP_INPUT ? slot->held[v - 1].at : piece_at(slot, slot->plan->value[v - 1].piece);
}

/* What forward and backward have in common: values, parameters, statistics, saved and scratch memory. */
static BalArgs op_args(const BalSession *s, const Slot *slot, const PlanOp *o) {
    const GraphNode *node = &s->g->node[o->node];
    BalArgs a = {.y = value_at(s, slot, o->out),
                 .w_version = s->version,
                 .momentum = s->settled ? (double)slot->plan->n / (double)s->settled : BN_MOMENTUM,
                 .coef = slot->held[o->node].at,
                 .saved = piece_at(slot, o->saved),
                 .scratch = s->scratch};
    for (int i = 0; i < o->op.n_in; i++) a.x[i] = value_at(s, slot, o->in[i]);
    for (int i = 0; i < 2; i++) {
        if (node->param[i] >= 0) a.w[i] = param_at(s, node->param[i]);
        if (node->param[i + 2] >= 0) a.state[i] = param_at(s, node->param[i + 2]);
    }
    if (o->norm >= 0) {
        a.w[0] = s->folded[o->node].w;
        a.w[1] = s->folded[o->node].b;
    }
    return a;
}

BalStatus bal_session_forward(BalSession *s, int slot, int n, BalMode mode, BalError *err) {
    Slot *at = NULL;
    Plan *plan = NULL;
    BAL_TRY(find_slot(s, slot, &at, err));
    BAL_TRY(check_clips(s, n, err));
    if (mode != BAL_MODE_EVAL && !s->cfg.n_grads)
        return BAL_FAIL(err, BAL_E_ARG, "a session without gradients can only run in eval mode");
    BAL_TRY(check_held(s, at, n, err));
    at->plan = NULL;
    const bool settles = mode == BAL_MODE_SETTLE;
    BAL_TRY(find_plan(s, n, settles ? BAL_MODE_TRAIN : mode, &plan, err));
    BAL_TRY(take_scratch(s, plan, err));
    BAL_TRY(enlarge(s, &at->arena, &at->arena_bytes, plan->arena_bytes, err));
    if (s->folded) BAL_TRY(bal_session_fold(s, plan, err));
    at->plan = plan;
    at->sweeps = 0;
    if (!settles || s->settled_version != s->version) s->settled = 0;
    s->settled += settles ? n : 0;
    s->settled_version = s->version;
    for (int i = 0; i < s->g->n_outputs; i++) at->seed[i].set = false;
    for (int k = 0; k < plan->n_ops; k++) {
        const BalArgs a = op_args(s, at, &plan->op[k]);
        BalStatus rc = s->b->run(s->self, plan->op[k].forward_kernel, &a, err);
        if (rc < 0) at->plan = NULL; /* half a pass answers nothing */
        BAL_TRY(rc);
    }
    s->batches += mode == BAL_MODE_TRAIN;
    if (settles) at->plan = NULL;
    return BAL_OK;
}

static BalStatus find_output(BalSession *s, int slot, const char *name, Slot **out, int *index, BalError *err) {
    BAL_TRY(find_slot(s, slot, out, err));
    if (!(*out)->plan) return BAL_FAIL(err, BAL_E_ARG, "slot %d holds no forward pass", slot);
    for (*index = 0; *index < s->g->n_outputs; *index += 1)
        if (!strcmp(s->g->output[*index].name, name)) return BAL_OK;
    return BAL_FAIL(err, BAL_E_ARG, "the graph has no output \"%s\"", name);
}

BalStatus bal_session_get(BalSession *s, int slot, const char *output, float *out, BalError *err) {
    Slot *at = NULL;
    int i;
    BAL_TRY(find_output(s, slot, output, &at, &i, err));
    const BalVal v = s->g->output[i].value;
    const BalShape shape = batched(bal_graph_shape(s->g, v), at->plan->n);
    if (s->b->sync) BAL_TRY(s->b->sync(s->self, err));
    return s->b->value_get(s->self, &shape, bal_value_dtype(&shape, s->cfg.dtype), out, value_at(s, at, v), err);
}

BalStatus bal_session_seed(BalSession *s, int slot, const char *output, const float *grad, BalError *err) {
    Slot *at = NULL;
    int i;
    BAL_TRY(find_output(s, slot, output, &at, &i, err));
    if (at->plan->mode == BAL_MODE_EVAL) return BAL_FAIL(err, BAL_E_ARG, "a pass in eval mode has no backward");
    Seed *seed = &at->seed[i];
    const BalShape clip = bal_graph_shape(s->g, s->g->output[i].value);
    const BalShape full = batched(clip, s->cfg.batch), shape = batched(clip, at->plan->n);
    const BalDtype dtype = bal_value_dtype(&clip, s->cfg.dtype);
    BAL_TRY(enlarge(s, &seed->at, &seed->bytes, s->b->value_bytes(s->self, &full, dtype), err));
    BAL_TRY(s->b->value_set(s->self, &shape, dtype, seed->at, grad, err));
    seed->set = true;
    return BAL_OK;
}

/* ---- backward ---- */
/* The shares of the gradient of v that this sweep has made, in the order of their making; seeds come last. */
static int gather(const BalSession *s, const Slot *slot, BalVal v, void *dy[PLAN_MAX_SHARES]) {
    const Plan *p = slot->plan;
    int n = 0;
    for (int k = p->n_ops - 1; k > p->value[v - 1].op; k--)
        for (int i = 0; i < p->op[k].op.n_in; i++)
            if (p->op[k].in[i] == v && p->op[k].given[i] && n < PLAN_MAX_SHARES)
                dy[n++] = piece_at(slot, p->op[k].dx[i]);
    for (int i = 0; i < s->g->n_outputs; i++)
        if (s->g->output[i].value == v && slot->seed[i].set && n < PLAN_MAX_SHARES) dy[n++] = slot->seed[i].at;
    return n;
}

/* Add shares into the first until the producer's kernel can take them. */
static BalStatus merge(BalSession *s, const PlanValue *v, void **dy, int *n, BalError *err) {
    while (*n > v->limit) {
        const BalArgs a = {.x = {dy[0], dy[*n - 1]}, .y = dy[0], .scratch = s->scratch};
        BAL_TRY(s->b->run(s->self, v->merge, &a, err));
        *n -= 1;
    }
    return BAL_OK;
}

static BalStatus clear(BalSession *s, float *grad, int i, BalError *err) {
    return s->b->zero(s->self, grad + s->place[i].at, s->place[i].floats * sizeof *grad, err);
}

static BalStatus op_backward(BalSession *s, Slot *slot, PlanOp *o, float *grad, bool add, BalError *err) {
    const GraphNode *node = &s->g->node[o->node];
    void *dy[PLAN_MAX_SHARES];
    int n = gather(s, slot, o->out, dy);
    const bool shared = node->param[0] >= 0 && s->g->param[node->param[0]].shared; /* cleared already */
    if (!n) {
        for (int i = 0; !add && !shared && i < 2; i++)
            if (node->param[i] >= 0) BAL_TRY(clear(s, grad, node->param[i], err));
        return BAL_OK;
    }
    BAL_TRY(merge(s, &slot->plan->value[o->out - 1], dy, &n, err));
    BalArgs a = op_args(s, slot, o);
    for (int i = 0; i < n; i++) a.dy[i] = dy[i];
    for (int i = 0; i < o->op.n_in; i++) a.dx[i] = piece_at(slot, o->dx[i]);
    for (int i = 0; i < 2; i++)
        if (node->param[i] >= 0) a.dw[i] = grad + s->place[node->param[i]].at;
    a.add_dw = add || shared;
    BAL_TRY(s->b->run(s->self, o->backward_kernel, &a, err));
    for (int i = 0; i < o->op.n_in; i++) o->given[i] = o->dx[i] >= 0;
    return BAL_OK;
}

BalStatus bal_session_backward(BalSession *s, int slot, int grad, bool add, BalError *err) {
    Slot *at = NULL;
    BAL_TRY(find_slot(s, slot, &at, err));
    BAL_TRY(bal_session_check_grad(s, grad, err));
    if (!at->plan || at->plan->mode == BAL_MODE_EVAL)
        return BAL_FAIL(err, BAL_E_ARG, "slot %d holds no forward pass with a backward", slot);
    if (at->sweeps >= s->cfg.n_sweeps)
        return BAL_FAIL(err, BAL_E_ARG, "the session was made for %d backward sweeps per forward pass",
                        s->cfg.n_sweeps);
    Plan *p = at->plan;
    BAL_TRY(take_scratch(s, p, err));
    at->sweeps += 1;
    for (int k = 0; k < p->n_ops; k++) memset(p->op[k].given, 0, sizeof p->op[k].given);
    for (int i = 0; !add && i < s->g->n_params; i++)
        if (s->g->param[i].shared && s->g->param[i].is.trainable) BAL_TRY(clear(s, s->grad[grad], i, err));
    for (int k = p->n_ops - 1; k >= 0; k--)
        if (p->op[k].backward) BAL_TRY(op_backward(s, at, &p->op[k], s->grad[grad], add, err));
    for (int i = 0; i < s->g->n_outputs; i++) at->seed[i].set = false;
    return BAL_OK;
}
