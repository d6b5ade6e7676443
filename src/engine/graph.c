/* Builders of static graphs.
 *
 * Each builder adds one node whose shapes are complete, so that a mistake is found where it is made. The first one is kept with the
 * layer's name, later builders do nothing, and bal_graph_finish returns it: a network reads as a list of layers, without a check
 * after every line. */
#include "engine/graph.h"
#include <stdarg.h>
#include <string.h>
#include "base/mem.h"
#include "base/text.h"

#define MAX_COUNT ((int64_t)1 << 40) /* elements of one value for one clip: far beyond use, far below overflow */

int64_t bal_shape_count(const BalShape *s) {
    int64_t n = 1;
    for (int i = 0; i < s->rank; i++) n *= s->dim[i];
    return n;
}

BalStatus bal_graph_create(BalGraph **out, BalError *err) {
    BalGraph *g;
    BAL_TRY(bal_alloc(&g, 1, sizeof *g, err));
    *out = g;
    return BAL_OK;
}

void bal_graph_destroy(BalGraph **graph) {
    BalGraph *g = *graph;
    if (!g) return;
    for (int i = 0; i < g->n_texts; i++) bal_free(g->text[i]);
    bal_free(g->text);
    bal_free(g->node);
    bal_free(g->param);
    bal_free(g->output);
    bal_free(g->prefix);
    bal_free(g);
    *graph = NULL;
}

/* ---- mistakes, names, shapes ---- */
static void fail(BalGraph *g, BalStatus rc, const char *layer, const char *fmt, ...) BAL_PRINTF(4, 5);
static void fail(BalGraph *g, BalStatus rc, const char *layer, const char *fmt, ...) {
    if (g->rc < 0) return;
    BalText t = {0};
    va_list ap;
    va_start(ap, fmt);
    bal_text_vf(&t, fmt, ap);
    va_end(ap);
    g->rc = BAL_FAIL(&g->err, rc, "layer \"%s\": %s", layer, bal_text_str(&t));
    bal_text_reset(&t);
}

static void keep(BalGraph *g, BalStatus rc) { /* a failure that is already described in g->err */
    if (g->rc >= 0 && rc < 0) g->rc = rc;
}

/* prefix + name + suffix, owned by the graph; "" after a failure. */
static const char *name_make(BalGraph *g, const char *prefix, const char *name, const char *suffix) {
    BalText t = {0};
    if (g->rc < 0) return "";
    bal_text_f(&t, "%s%s%s", prefix ? prefix : "", name, suffix);
    BalStatus rc = bal_text_ok(&t, &g->err);
    if (rc >= 0) rc = bal_grow(&g->text, &g->cap_texts, (size_t)g->n_texts + 1, sizeof *g->text, &g->err);
    if (rc >= 0) rc = bal_strdup(&g->text[g->n_texts], bal_text_str(&t), &g->err);
    bal_text_reset(&t);
    keep(g, rc);
    return rc < 0 ? "" : g->text[g->n_texts++];
}

static bool shape_equal(const BalShape *a, const BalShape *b) {
    if (a->rank != b->rank) return false;
    for (int i = 0; i < a->rank; i++)
        if (a->dim[i] != b->dim[i]) return false;
    return true;
}

static void shape_text(BalText *t, const BalShape *s) {
    for (int i = 0; i < s->rank; i++) bal_text_f(t, "%s%lld", i ? "x" : "", (long long)s->dim[i]);
}

static void fail_shapes(BalGraph *g, const BalOp *op, const char *why) {
    BalText t = {0};
    for (int i = 0; i < op->n_in; i++) {
        if (i) bal_text_add(&t, " and ");
        shape_text(&t, &op->in[i]);
    }
    fail(g, BAL_E_SHAPE, op->name, "%s (per clip: %s)", why, bal_text_str(&t));
    bal_text_reset(&t);
}

static bool shape_valid(const BalShape *s) {
    int64_t n = 1;
    if (s->rank != 2 && s->rank != 4 && s->rank != 5) return false;
    for (int i = 0; i < s->rank; i++) {
        if (s->dim[i] < 1 || s->dim[i] > MAX_COUNT / n) return false;
        n *= s->dim[i];
    }
    return true;
}

/* ---- nodes ---- */
/* Start an op on `n` values; false when the graph has failed already or an input is missing. */
static bool op_begin(BalGraph *g, BalOp *op, BalOpKind kind, const char *name, const BalVal *x, int n) {
    *op = (BalOp){.kind = kind, .n_in = n, .kernel = {1, 1, 1}, .stride = {1, 1, 1}};
    op->name = name_make(g, g->prefix, name, "");
    if (g->rc < 0) return false;
    if (g->finished) fail(g, BAL_E_ARG, op->name, "added after the graph was finished");
    if (n > BAL_MAX_IN) fail(g, BAL_E_ARG, op->name, "%d inputs, at most %d are possible", n, BAL_MAX_IN);
    for (int i = 0; g->rc >= 0 && i < n; i++) {
        if (x[i] < 1 || x[i] > g->n_nodes)
            fail(g, BAL_E_ARG, op->name, "input %d is not a value of this graph", i);
        else
            op->in[i] = graph_producer(g, x[i])->op.out;
    }
    if (g->rc < 0) return false;
    op->rows = n ? (int)op->in[0].dim[0] : 1;
    op->out = op->in[0];
    return true;
}

static BalVal node_add(BalGraph *g, const BalOp *op, const BalVal *x, const char *label) {
    if (g->rc >= 0 && !shape_valid(&op->out)) fail_shapes(g, op, "its output would be empty or too large");
    if (g->rc < 0) return 0;
    keep(g, bal_grow(&g->node, &g->cap_nodes, (size_t)g->n_nodes + 1, sizeof *g->node, &g->err));
    if (g->rc < 0) return 0;
    GraphNode *n = &g->node[g->n_nodes++];
    *n = (GraphNode){.op = *op, .out = g->n_nodes, .param = {-1, -1, -1, -1}, .label = label};
    for (int i = 0; i < op->n_in; i++) {
        n->in[i] = x[i];
        n->tracked = n->tracked || graph_producer(g, x[i])->tracked;
    }
    return n->out;
}

/* Parameter `which` of the node that was added last. */
static void param_add(BalGraph *g, int which, const char *suffix, BalShape shape, unsigned tags) {
    if (g->rc < 0) return;
    GraphNode *n = &g->node[g->n_nodes - 1];
    const char *name = name_make(g, n->op.name, suffix, "");
    for (int i = 0; i < g->n_params; i++)
        if (!strcmp(g->param[i].is.name, name))
            fail(g, BAL_E_ARG, n->op.name, "there is another parameter \"%s\"", name);
    if (g->rc < 0) return;
    keep(g, bal_grow(&g->param, &g->cap_params, (size_t)g->n_params + 1, sizeof *g->param, &g->err));
    if (g->rc < 0) return;
    for (int i = shape.rank; i < BAL_MAX_DIMS; i++) shape.dim[i] = 1;
    const bool frozen = g->tags & BAL_TAG_FROZEN, trainable = which < 2 && !frozen;
    if (frozen && n->tracked) fail(g, BAL_E_ARG, n->op.name, "a frozen layer cannot follow a trainable one");
    g->param[g->n_params] =
        (GraphParam){.is = {name, shape, g->tags | tags, trainable}, .node = g->n_nodes - 1, .which = which};
    n->param[which] = g->n_params++;
    n->tracked |= trainable;
}

void bal_graph_scope(BalGraph *g, const char *prefix, unsigned tags) {
    char *copy = NULL;
    if (g->rc < 0) return;
    keep(g, bal_strdup(&copy, prefix, &g->err));
    if (g->rc < 0) return;
    bal_free(g->prefix);
    g->prefix = copy;
    g->tags = tags;
}

BalVal bal_graph_input(BalGraph *g, const char *name, BalShape shape) {
    BalOp op;
    for (int i = 0; i < g->n_nodes; i++)
        if (g->node[i].label && !strcmp(g->node[i].label, name))
            fail(g, BAL_E_ARG, name, "there is another input of that name");
    if (!op_begin(g, &op, BAL_OP_INPUT, name, NULL, 0)) return 0;
    for (int i = shape.rank; i >= 0 && i < BAL_MAX_DIMS; i++) shape.dim[i] = 1;
    op.out = shape;
    op.rows = (int)shape.dim[0];
    return node_add(g, &op, NULL, name_make(g, NULL, name, ""));
}

BalVal bal_graph_optional(BalGraph *g, const char *name, BalShape shape) {
    const BalVal y = bal_graph_input(g, name, shape);
    if (y) graph_producer(g, y)->optional = true;
    return y;
}

/* ---- window ops: convolution and pools ---- */
static void window_set(BalGraph *g, BalOp *op, const int kernel[3], const int stride[3], const int pad[3]) {
    const int rank = op->in[0].rank;
    if (rank < 4) {
        fail_shapes(g, op, "needs maps: N C H W or N C K H W");
        return;
    }
    for (int k = rank == 4; k < 3; k++) {
        const int axis = rank - 3 + k;
        const int64_t size = op->in[0].dim[axis] + 2 * (int64_t)pad[k];
        if (kernel[k] < 1 || stride[k] < 1 || pad[k] < 0 || pad[k] >= kernel[k]) {
            fail(g, BAL_E_ARG, op->name, "kernel %d, stride %d, padding %d do not make a window", kernel[k], stride[k],
                 pad[k]);
            return;
        }
        op->kernel[k] = kernel[k], op->stride[k] = stride[k], op->pad[k] = pad[k];
        op->out.dim[axis] = size < kernel[k] ? 0 : (size - kernel[k]) / stride[k] + 1;
    }
}

BalVal bal_graph_conv(BalGraph *g, const char *name, BalVal x, BalConvAttr a) {
    BalOp op;
    if (!op_begin(g, &op, BAL_OP_CONV, name, &x, 1)) return 0;
    window_set(g, &op, a.kernel, a.stride, a.pad);
    op.bias = a.bias;
    op.out.dim[1] = a.out_ch;
    const BalVal y = node_add(g, &op, &x, NULL);
    BalShape w = {op.in[0].rank, {a.out_ch, op.in[0].dim[1], op.kernel[0], op.kernel[1], op.kernel[2]}};
    if (w.rank == 4) w.dim[2] = op.kernel[1], w.dim[3] = op.kernel[2];
    param_add(g, 0, ".weight", w, BAL_TAG_CONV | a.tags);
    if (a.bias) param_add(g, 1, ".bias", (BalShape){1, {a.out_ch}}, BAL_TAG_CONV | a.tags);
    return g->rc < 0 ? 0 : y;
}

static BalVal pool(BalGraph *g, BalOpKind kind, const char *name, BalVal x, const BalPoolAttr *a) {
    BalOp op;
    if (!op_begin(g, &op, kind, name, &x, 1)) return 0;
    window_set(g, &op, a->kernel, a->stride, a->pad);
    return node_add(g, &op, &x, NULL);
}

BalVal bal_graph_maxpool(BalGraph *g, BalVal x, BalPoolAttr a) {
    return pool(g, BAL_OP_MAXPOOL, "maxpool", x, &a);
}
BalVal bal_graph_avgpool(BalGraph *g, BalVal x, BalPoolAttr a) {
    return pool(g, BAL_OP_AVGPOOL, "avgpool", x, &a);
}

/* ---- the rest ---- */
BalVal bal_graph_bn(BalGraph *g, const char *name, BalVal x, BalVal residual, bool relu) {
    const BalVal in[2] = {x, residual};
    BalOp op;
    if (!op_begin(g, &op, BAL_OP_BN, name, in, residual ? 2 : 1)) return 0;
    if (op.in[0].rank < 4) fail_shapes(g, &op, "needs maps: N C H W or N C K H W");
    if (residual && !shape_equal(&op.in[0], &op.in[1])) fail_shapes(g, &op, "input and residual differ");
    op.relu = relu;
    op.residual = residual != 0;
    op.eps = 1e-5;
    const BalVal y = node_add(g, &op, in, NULL);
    static const char *const suffix[4] = {".weight", ".bias", ".running_mean", ".running_var"};
    for (int i = 0; i < 4; i++) param_add(g, i, suffix[i], (BalShape){1, {op.in[0].dim[1]}}, BAL_TAG_BN);
    return g->rc < 0 ? 0 : y;
}

static BalVal unary(BalGraph *g, BalOpKind kind, const char *name, BalVal x) {
    BalOp op;
    return op_begin(g, &op, kind, name, &x, 1) ? node_add(g, &op, &x, NULL) : 0;
}

BalVal bal_graph_relu(BalGraph *g, BalVal x) {
    return unary(g, BAL_OP_RELU, "relu", x);
}
BalVal bal_graph_sigmoid(BalGraph *g, BalVal x) {
    return unary(g, BAL_OP_SIGMOID, "sigmoid", x);
}

BalVal bal_graph_mean(BalGraph *g, BalVal x) {
    BalOp op;
    if (!op_begin(g, &op, BAL_OP_MEAN, "mean", &x, 1)) return 0;
    op.out = (BalShape){2, {1, op.in[0].dim[1], 1, 1, 1}};
    return node_add(g, &op, &x, NULL);
}

static BalVal flatten(BalGraph *g, const char *name, BalVal x, bool positions) {
    BalOp op;
    if (!op_begin(g, &op, BAL_OP_FLATTEN, name, &x, 1)) return 0;
    const BalShape *in = &op.in[0];
    const int64_t space = bal_shape_count(in) / (in->dim[0] * in->dim[1]);
    op.out = (BalShape){2, {in->dim[0] * (positions ? space : 1), in->dim[1] * (positions ? 1 : space), 1, 1, 1}};
    return node_add(g, &op, &x, NULL);
}

BalVal bal_graph_flatten(BalGraph *g, BalVal x) {
    return flatten(g, "flatten", x, false);
}
BalVal bal_graph_positions(BalGraph *g, BalVal x) {
    return flatten(g, "positions", x, true);
}

BalVal bal_graph_linear(BalGraph *g, const char *name, BalVal x, int out, bool bias, unsigned tags) {
    BalOp op;
    if (!op_begin(g, &op, BAL_OP_LINEAR, name, &x, 1)) return 0;
    if (op.in[0].rank != 2) fail_shapes(g, &op, "needs features [rows, C]: put a mean before it");
    op.bias = bias;
    op.bias_share = 1;
    op.columns = (int)op.in[0].dim[1];
    op.out.dim[1] = out;
    const BalVal y = node_add(g, &op, &x, NULL);
    param_add(g, 0, ".weight", (BalShape){2, {out, op.in[0].dim[1]}}, BAL_TAG_FC | tags);
    if (bias) param_add(g, 1, ".bias", (BalShape){1, {out}}, BAL_TAG_FC | tags);
    return g->rc < 0 ? 0 : y;
}

BalVal bal_graph_linear_part(BalGraph *g, BalVal of, BalVal x, int first, double bias_share) {
    const GraphNode *layer = of < 1 || of > g->n_nodes ? NULL : graph_producer(g, of);
    BalOp op;
    if (!op_begin(g, &op, BAL_OP_LINEAR, "linear_part", &x, 1)) return 0;
    if (!layer || layer->op.kind != BAL_OP_LINEAR) {
        fail(g, BAL_E_ARG, op.name, "the layer whose weights it uses is no linear layer");
        return 0;
    }
    const int at[2] = {layer->param[0], layer->param[1]};
    op.name = layer->op.name;
    op.bias = layer->op.bias;
    op.bias_share = bias_share;
    op.columns = layer->op.columns;
    op.first = first;
    if (op.in[0].rank != 2 || first < 0 || first + op.in[0].dim[1] > op.columns)
        fail_shapes(g, &op, "needs features [rows, C] that meet as many columns of the weight");
    op.out.dim[1] = layer->op.out.dim[1];
    const BalVal y = node_add(g, &op, &x, NULL);
    if (!y) return 0;
    GraphNode *n = graph_producer(g, y);
    for (int i = 0; i < 2 && at[i] >= 0; i++) {
        n->param[i] = at[i];
        if (n->tracked && !g->param[at[i]].is.trainable)
            fail(g, BAL_E_ARG, op.name, "a frozen layer cannot follow a trainable one");
        n->tracked |= g->param[at[i]].is.trainable;
        g->param[at[i]].shared = true;
    }
    return y;
}

BalVal bal_graph_add(BalGraph *g, BalVal a, BalVal b) {
    const BalVal in[2] = {a, b};
    BalOp op;
    if (!op_begin(g, &op, BAL_OP_ADD, "add", in, 2)) return 0;
    if (!shape_equal(&op.in[0], &op.in[1])) fail_shapes(g, &op, "the two inputs differ");
    return node_add(g, &op, in, NULL);
}

BalVal bal_graph_mul(BalGraph *g, BalVal a, BalVal b) {
    const BalVal in[2] = {a, b};
    BalOp op;
    if (!op_begin(g, &op, BAL_OP_MUL, "mul", in, 2)) return 0;
    const BalShape *x = &op.in[0], *y = &op.in[1];
    const bool spread = y->rank == 2 && y->dim[1] == x->dim[1] && (y->dim[0] == 1 || y->dim[0] == x->dim[0]);
    if (!spread && !shape_equal(x, y))
        fail_shapes(g, &op, "the second input is neither like the first nor [1,C] nor [rows,C]");
    return node_add(g, &op, in, NULL);
}

BalVal bal_graph_concat(BalGraph *g, const BalVal *x, int n) {
    BalOp op;
    if (n < 1) fail(g, BAL_E_ARG, "concat", "no inputs");
    if (!op_begin(g, &op, BAL_OP_CONCAT, "concat", x, n)) return 0;
    for (int i = 1; i < n; i++) {
        BalShape s = op.in[i];
        s.dim[1] = op.in[0].dim[1];
        if (!shape_equal(&s, &op.in[0])) fail_shapes(g, &op, "the inputs differ in more than their channels");
        op.out.dim[1] += op.in[i].dim[1];
    }
    return node_add(g, &op, x, NULL);
}

BalVal bal_graph_slice(BalGraph *g, BalVal x, int first, int n) {
    BalOp op;
    if (!op_begin(g, &op, BAL_OP_SLICE, "slice", &x, 1)) return 0;
    if (first < 0 || n < 1 || first + (int64_t)n > op.in[0].dim[1])
        fail_shapes(g, &op, "the input has no such channels");
    op.first = first;
    op.out.dim[1] = n;
    return node_add(g, &op, &x, NULL);
}

BalVal bal_graph_scale(BalGraph *g, const char *name, BalVal x) {
    BalOp op;
    for (int i = 0; i < g->n_nodes; i++)
        if (g->node[i].label && !strcmp(g->node[i].label, name))
            fail(g, BAL_E_ARG, name, "there is another input of that name");
    if (!op_begin(g, &op, BAL_OP_SCALE, name, &x, 1)) return 0;
    return node_add(g, &op, &x, name_make(g, NULL, name, ""));
}

void bal_graph_output(BalGraph *g, const char *name, BalVal x) {
    if (g->rc < 0) return;
    if (g->finished) return; /* sessions count on the outputs that there were */
    if (x < 1 || x > g->n_nodes) fail(g, BAL_E_ARG, name, "the output is not a value of this graph");
    for (int i = 0; i < g->n_outputs; i++)
        if (!strcmp(g->output[i].name, name)) fail(g, BAL_E_ARG, name, "there is another output of that name");
    const char *copy = name_make(g, NULL, name, "");
    if (g->rc < 0) return;
    keep(g, bal_grow(&g->output, &g->cap_outputs, (size_t)g->n_outputs + 1, sizeof *g->output, &g->err));
    if (g->rc >= 0) g->output[g->n_outputs++] = (GraphOutput){copy, x};
}

BalVal bal_graph_find(const BalGraph *g, const char *name) {
    for (int i = 0; i < g->n_outputs; i++)
        if (!strcmp(g->output[i].name, name)) return g->output[i].value;
    for (int i = 0; i < g->n_nodes; i++)
        if (g->node[i].label && !strcmp(g->node[i].label, name)) return g->node[i].out;
    return 0;
}

BalStatus bal_graph_finish(BalGraph *g, BalError *err) {
    if (g->rc >= 0 && !g->n_outputs) fail(g, BAL_E_ARG, "", "the graph has no output");
    if (g->rc >= 0 && g->n_outputs > 32) fail(g, BAL_E_ARG, g->output[32].name, "more than 32 outputs");
    if (g->rc < 0) {
        if (err) *err = g->err;
        return g->rc;
    }
    for (int i = 0; i < g->n_outputs; i++) graph_producer(g, g->output[i].value)->live = true;
    for (int i = g->n_nodes - 1; i >= 0; i--)
        for (int k = 0; g->node[i].live && k < g->node[i].op.n_in; k++)
            graph_producer(g, g->node[i].in[k])->live = true;
    for (int i = 0; i < g->n_params; i++)
        if (!g->node[g->param[i].node].live)
            return BAL_FAIL(err, BAL_E_ARG, "layer \"%s\": no output depends on it", g->node[g->param[i].node].op.name);
    g->finished = true;
    return BAL_OK;
}

BalShape bal_graph_shape(const BalGraph *g, BalVal x) {
    return x < 1 || x > g->n_nodes ? (BalShape){0} : graph_producer(g, x)->op.out;
}

int64_t bal_graph_macs(const BalGraph *g) {
    int64_t sum = 0;
    for (int i = 0; i < g->n_nodes; i++) {
        const BalOp *op = &g->node[i].op;
        if (op->kind == BAL_OP_CONV)
            sum += bal_shape_count(&op->out) * op->in[0].dim[1] * op->kernel[0] * op->kernel[1] * op->kernel[2];
        if (op->kind == BAL_OP_LINEAR) sum += bal_shape_count(&op->out) * op->in[0].dim[1];
    }
    return sum;
}
