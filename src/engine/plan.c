/* Planning: which kernels run, and where every value lives.
 *
 * Time is counted in steps: op k runs forward at step k and backward at step 2m-1-k. Every value, every block that a forward kernel
 * saves for its backward and every share of a gradient is a piece with a first and a last step. Pieces that are never needed at the
 * same step may share memory: they are placed by decreasing size, each at the lowest offset that is free during its life. So the
 * gradients of early layers lie where the activations of late layers were. Where the backend can write a gradient over the value or
 * the gradient that it reads last, the two become one piece (`root`).
 *
 * A value used by several ops has one share of gradient per use. The plan keeps them apart until the producer runs backward: its
 * kernel then takes two shares (sums_dy) or they are merged by add kernels first. A sweep that does not reach all of them, because
 * fewer outputs were seeded, needs no other plan. */
#include "engine/plan.h"
#include <stdlib.h>
#include "base/mem.h"

static bool in_training(const Plan *p) {
    return p->mode != BAL_MODE_EVAL;
}
static int time_backward(const Plan *p, int op) {
    return 2 * p->n_ops - 1 - op;
}
static int time_end(const Plan *p) {
    return 2 * p->n_ops;
}

/* ---- ops ---- */
BalOp bal_plan_op(const PlanFor *f, int node, int n) {
    BalOp op = f->graph->node[node].op;
    op.dtype = f->dtype;
    op.out.dim[0] *= n;
    for (int i = 0; i < op.n_in; i++) op.in[i].dim[0] *= n;
    return op;
}

static int uses(const BalGraph *g, BalVal v, int *last_node) {
    int count = 0;
    for (int i = 0; i < g->n_nodes; i++)
        for (int k = 0; g->node[i].live && k < g->node[i].op.n_in; k++)
            if (g->node[i].in[k] == v) count += 1, *last_node = i;
    for (int i = 0; i < g->n_outputs; i++) count += g->output[i].value == v;
    return count;
}

/* A batch norm whose ReLU feeds nothing but a max pool becomes one op where the backend has it; -1: not so. */
static int fused_pool(const PlanFor *f, const BalOp *bn, int node, int n, BalOp *fused) {
    const BalGraph *g = f->graph;
    int pool = -1;
    if (bn->kind != BAL_OP_BN || !bn->relu || bn->residual || uses(g, g->node[node].out, &pool) != 1 || pool < 0)
        return -1;
    const BalOp next = bal_plan_op(f, pool, n);
    if (next.kind != BAL_OP_MAXPOOL) return -1;
    *fused = *bn;
    fused->pool = true;
    fused->out = next.out;
    for (int i = 0; i < 3; i++) {
        fused->kernel[i] = next.kernel[i];
        fused->stride[i] = next.stride[i];
        fused->pad[i] = next.pad[i];
    }
    return f->backend->supports(f->self, fused) ? pool : -1;
}

/* What the convolution `conv` becomes when what follows is folded into it, at the place of that node, whose other input has been computed
 * by then; -1: nothing is folded. *norm: the batch norm, -1: a ReLU alone. */
static int folded(const PlanFor *f, int conv, int n, BalOp *fused, int *norm) {
    const BalGraph *g = f->graph;
    int next = -1;
    if (!f->fold || g->node[conv].op.kind != BAL_OP_CONV || uses(g, g->node[conv].out, &next) != 1 || next < 0)
        return -1;
    const BalOp after = bal_plan_op(f, next, n);
    if ((after.kind != BAL_OP_BN && after.kind != BAL_OP_RELU) || g->node[next].in[0] != g->node[conv].out) return -1;
    *norm = after.kind == BAL_OP_BN ? next : -1;
    *fused = bal_plan_op(f, conv, n);
    fused->bias = fused->bias || *norm >= 0;
    fused->relu = after.relu || after.kind == BAL_OP_RELU;
    fused->residual = after.residual;
    fused->n_in = after.n_in;
    fused->in[1] = after.in[1];
    return f->backend->supports(f->self, fused) ? next : -1;
}

static bool tracked(const PlanFor *f, BalVal v) {
    return graph_producer(f->graph, v)->tracked;
}

/* The node `next`, folded into the convolution before it. */
static void list_folded(Plan *p, const PlanFor *f, int next, int conv, const BalOp *op, int norm) {
    const GraphNode *node = &f->graph->node[conv], *last = &f->graph->node[next];
    PlanOp *o = &p->op[p->n_ops];
    *o = (PlanOp){.op = *op, .node = conv, .norm = norm, .out = last->out, .saved = -1};
    for (int k = 0; k < BAL_MAX_IN; k++) o->in[k] = last->in[k], o->dx[k] = -1;
    o->in[0] = node->in[0];
    p->value[o->out - 1].op = p->n_ops++;
}

static void list_ops(Plan *p, const PlanFor *f) {
    const BalGraph *g = f->graph;
    for (int i = 0; i < g->n_nodes; i++) {
        const GraphNode *node = &g->node[i];
        if (!node->live || node->op.kind == BAL_OP_INPUT) continue;
        if (p->value[node->out - 1].op >= 0) continue; /* the pool of a fused pair */
        BalOp fold;
        int norm = -1;
        if (p->mode == BAL_MODE_EVAL && folded(f, i, p->n, &fold, &norm) >= 0) continue; /* comes with the next */
        const int before = node->op.n_in ? (int)node->in[0] - 1 : -1;
        if (p->mode == BAL_MODE_EVAL && before >= 0 && folded(f, before, p->n, &fold, &norm) == i) {
            list_folded(p, f, i, before, &fold, norm);
            continue;
        }
        PlanOp *o = &p->op[p->n_ops];
        BalOp fused;
        *o = (PlanOp){.op = bal_plan_op(f, i, p->n), .node = i, .norm = -1, .out = node->out, .saved = -1};
        o->op.no_dx = !tracked(f, node->in[0]);
        o->backward = in_training(p) && node->tracked;
        for (int k = 0; k < BAL_MAX_IN; k++) o->in[k] = node->in[k], o->dx[k] = -1;
        int pool = fused_pool(f, &o->op, i, p->n, &fused);
        if (pool >= 0) {
            o->op = fused;
            o->out = g->node[pool].out;
        }
        p->value[o->out - 1].op = p->n_ops++;
    }
}

static bool is_output(const BalGraph *g, BalVal v) {
    for (int i = 0; i < g->n_outputs; i++)
        if (g->output[i].value == v) return true;
    return false;
}

/* ---- pieces ---- */
static BalStatus piece_add(Plan *p, size_t bytes, int from, int to, int *out, BalError *err) {
    BAL_TRY(bal_grow(&p->piece, &p->cap_pieces, (size_t)p->n_pieces + 1, sizeof *p->piece, err));
    p->piece[p->n_pieces] = (Piece){(bytes + 63) / 64 * 64, 0, from, to, p->n_pieces};
    *out = p->n_pieces++;
    return BAL_OK;
}

static size_t value_bytes(const PlanFor *f, const BalShape *s) {
    return f->backend->value_bytes(f->self, s, bal_value_dtype(s, f->dtype));
}

static BalPhase forward_phase(const Plan *p, const PlanOp *o) {
    if (!o->backward) return BAL_FWD_EVAL;
    return p->mode == BAL_MODE_TRAIN ? BAL_FWD_TRAIN : BAL_FWD_FROZEN;
}

static void scratch_need(Plan *p, size_t bytes) {
    if (bytes > p->scratch_bytes) p->scratch_bytes = bytes;
}

/* Prepare both kernels of op k, and the piece that carries what forward saves. */
static BalStatus prepare(Plan *p, const PlanFor *f, int k, BalError *err) {
    PlanOp *o = &p->op[k];
    BalKernelNeeds fwd = {0}, bwd = {0};
    const BalPhase back = p->mode == BAL_MODE_TRAIN ? BAL_BWD_TRAIN : BAL_BWD_FROZEN;
    BAL_TRY(f->backend->prepare(f->self, &o->op, forward_phase(p, o), &o->forward_kernel, &fwd, err));
    if (o->backward) BAL_TRY(f->backend->prepare(f->self, &o->op, back, &o->backward_kernel, &bwd, err));
    scratch_need(p, fwd.scratch_bytes);
    scratch_need(p, bwd.scratch_bytes);
    const size_t saved = fwd.saved_bytes > bwd.saved_bytes ? fwd.saved_bytes : bwd.saved_bytes;
    if (!saved) return BAL_OK;
    const int last = f->n_sweeps > 1 ? time_end(p) : time_backward(p, k);
    return piece_add(p, saved, k, o->backward ? last : k, &o->saved, err);
}

static unsigned reads(const PlanFor *f, const BalOp *op) {
    return f->backend->reads ? f->backend->reads(f->self, op) : bal_op_reads(op);
}

static void live_until(Plan *p, BalVal v, int step) {
    const int piece = p->value[v - 1].piece;
    if (piece >= 0 && p->piece[piece].to < step) p->piece[piece].to = step;
}

/* A value lives until its last reader, forward or backward; an output until the end, so that it can be read at any time. */
static BalStatus place_values(Plan *p, const PlanFor *f, BalError *err) {
    for (int k = 0; k < p->n_ops; k++) {
        const PlanOp *o = &p->op[k];
        BAL_TRY(piece_add(p, value_bytes(f, &o->op.out), k, k, &p->value[o->out - 1].piece, err));
        for (int i = 0; i < o->op.n_in; i++) live_until(p, o->in[i], k);
    }
    for (int k = 0; k < p->n_ops; k++) {
        const PlanOp *o = &p->op[k];
        if (is_output(f->graph, o->out)) live_until(p, o->out, time_end(p));
        if (!o->backward) continue;
        const unsigned r = reads(f, &o->op);
        const int last = f->n_sweeps > 1 ? time_end(p) : time_backward(p, k);
        for (int i = 0; i < o->op.n_in; i++)
            if (r & BAL_READS_X(i)) live_until(p, o->in[i], last);
        if (r & BAL_READS_Y) live_until(p, o->out, last);
    }
    return BAL_OK;
}

/* ---- gradients ---- */
static int root_of(const Plan *p, int piece) {
    while (p->piece[piece].root != piece) piece = p->piece[piece].root;
    return piece;
}

static void share(Plan *p, int piece, int with) {
    const int root = root_of(p, with);
    p->piece[piece].root = root;
    if (p->piece[root].to < p->piece[piece].to) p->piece[root].to = p->piece[piece].to;
}

static int occurrences(const PlanOp *o, BalVal v) {
    int n = 0;
    for (int i = 0; i < o->op.n_in; i++) n += o->in[i] == v;
    return n;
}

/* The memory of x[i], if this is the last step that needs it. */
static int over_x(const Plan *p, const PlanFor *f, int k, int i) {
    const PlanOp *o = &p->op[k];
    const int piece = p->value[o->in[i] - 1].piece;
    if (f->n_sweeps > 1 || piece < 0 || !f->backend->dx_over_x || !f->backend->dx_over_x(f->self, &o->op, i)) return -1;
    if (occurrences(o, o->in[i]) > 1 || p->piece[piece].to > time_backward(p, k)) return -1;
    return piece;
}

/* The memory of dy[0], the first share of the output's gradient, unless an earlier input has taken it. */
static int over_dy(const Plan *p, const PlanFor *f, int k, int i) {
    const PlanOp *o = &p->op[k];
    if (!f->backend->dx_over_dy || !f->backend->dx_over_dy(f->self, &o->op, i)) return -1;
    for (int c = p->n_ops - 1; c > k; c--)
        for (int j = 0; j < p->op[c].op.n_in; j++) {
            const int dy = p->op[c].dx[j];
            if (p->op[c].in[j] != o->out || dy < 0) continue;
            for (int e = 0; e < i; e++)
                if (o->dx[e] >= 0 && root_of(p, o->dx[e]) == root_of(p, dy)) return -1;
            return dy;
        }
    return -1;
}

static BalStatus place_gradients(Plan *p, const PlanFor *f, BalError *err) {
    for (int k = p->n_ops - 1; k >= 0; k--) {
        PlanOp *o = &p->op[k];
        for (int i = 0; o->backward && i < o->op.n_in; i++) {
            if (!tracked(f, o->in[i])) continue;
            const int to = time_backward(p, p->value[o->in[i] - 1].op);
            BAL_TRY(piece_add(p, value_bytes(f, &o->op.in[i]), time_backward(p, k), to, &o->dx[i], err));
            int with = over_x(p, f, k, i);
            if (with < 0) with = over_dy(p, f, k, i);
            if (with >= 0 && p->piece[with].bytes == p->piece[o->dx[i]].bytes) share(p, o->dx[i], with);
        }
    }
    return BAL_OK;
}

/* Shares of the gradient of v that may exist at once: one per use, one per output. */
static int shares(const Plan *p, const BalGraph *g, BalVal v) {
    int n = 0;
    for (int k = 0; k < p->n_ops; k++)
        for (int i = 0; i < p->op[k].op.n_in; i++) n += p->op[k].in[i] == v && p->op[k].dx[i] >= 0;
    for (int i = 0; i < g->n_outputs; i++) n += g->output[i].value == v;
    return n;
}

static BalStatus prepare_merges(Plan *p, const PlanFor *f, BalError *err) {
    for (int k = 0; k < p->n_ops; k++) {
        const PlanOp *o = &p->op[k];
        PlanValue *v = &p->value[o->out - 1];
        if (!o->backward) continue;
        v->limit = f->backend->sums_dy && f->backend->sums_dy(f->self, &o->op) ? 2 : 1;
        const int most = shares(p, f->graph, o->out);
        if (most > PLAN_MAX_SHARES)
            return BAL_FAIL(err, BAL_E_UNSUPPORTED,
                            "layer \"%s\": its output is used %d times, at most %d are possible", o->op.name, most,
                            PLAN_MAX_SHARES);
        if (most <= v->limit) continue;
        BalKernelNeeds needs = {0};
        const BalShape s = o->op.out;
        const BalOp add = {
            .kind = BAL_OP_ADD, .name = o->op.name, .in = {s, s}, .out = s, .n_in = 2, .dtype = f->dtype, .rows = 1};
        BAL_TRY(f->backend->prepare(f->self, &add, BAL_FWD_EVAL, &v->merge, &needs, err));
        scratch_need(p, needs.scratch_bytes);
    }
    return BAL_OK;
}

/* ---- layout ---- */
static int by_size(const void *a, const void *b) {
    const Piece *x = *(Piece *const *)a, *y = *(Piece *const *)b;
    if (x->bytes != y->bytes) return x->bytes < y->bytes ? 1 : -1;
    return x->root - y->root;
}

/* Lowest offset at which piece q fits among the placed ones that live at the same time. */
static size_t lowest(Piece *const *placed, int n, const Piece *q) {
    size_t at = 0;
    for (bool moved = true; moved;) {
        moved = false;
        for (int i = 0; i < n; i++) {
            const Piece *o = placed[i];
            if (o->from > q->to || q->from > o->to || at >= o->at + o->bytes || o->at >= at + q->bytes) continue;
            at = o->at + o->bytes;
            moved = true;
        }
    }
    return at;
}

static BalStatus lay_out(Plan *p, BalError *err) {
    Piece **list;
    int n = 0;
    BAL_TRY(bal_alloc(&list, (size_t)p->n_pieces, sizeof *list, err));
    for (int i = 0; i < p->n_pieces; i++)
        if (p->piece[i].root == i) list[n++] = &p->piece[i];
    qsort(list, (size_t)n, sizeof *list, by_size);
    for (int i = 0; i < n; i++) {
        list[i]->at = lowest(list, i, list[i]);
        if (list[i]->at + list[i]->bytes > p->arena_bytes) p->arena_bytes = list[i]->at + list[i]->bytes;
    }
    for (int i = 0; i < p->n_pieces; i++) p->piece[i].at = p->piece[root_of(p, i)].at;
    bal_free(list);
    return BAL_OK;
}

static BalStatus build(Plan *p, const PlanFor *f, BalError *err) {
    BAL_TRY(bal_alloc(&p->op, (size_t)f->graph->n_nodes, sizeof *p->op, err));
    BAL_TRY(bal_alloc(&p->value, (size_t)f->graph->n_nodes, sizeof *p->value, err));
    for (int i = 0; i < f->graph->n_nodes; i++) p->value[i] = (PlanValue){.piece = -1, .op = -1, .limit = 1};
    list_ops(p, f);
    for (int k = 0; k < p->n_ops; k++) BAL_TRY(prepare(p, f, k, err));
    BAL_TRY(place_values(p, f, err));
    BAL_TRY(place_gradients(p, f, err));
    BAL_TRY(prepare_merges(p, f, err));
    return lay_out(p, err);
}

BalStatus bal_plan_create(Plan **out, const PlanFor *f, int n, BalMode mode, BalError *err) {
    Plan *p;
    BAL_TRY(bal_alloc(&p, 1, sizeof *p, err));
    p->n = n;
    p->mode = mode;
    BalStatus rc = build(p, f, err);
    if (rc < 0) bal_plan_destroy(f, &p);
    *out = p;
    return rc;
}

void bal_plan_destroy(const PlanFor *f, Plan **plan) {
    Plan *p = *plan;
    if (!p) return;
    for (int k = 0; p->op && k < p->n_ops; k++) {
        f->backend->unprepare(f->self, p->op[k].forward_kernel);
        f->backend->unprepare(f->self, p->op[k].backward_kernel);
    }
    for (int i = 0; p->value && i < f->graph->n_nodes; i++) f->backend->unprepare(f->self, p->value[i].merge);
    bal_free(p->op);
    bal_free(p->value);
    bal_free(p->piece);
    bal_free(p);
    *plan = NULL;
}
