/* Convolutions in 2-D and 3-D, all three directions, by oneDNN primitives where choose.c wants none of our own (winograd.c, outer.c).
 *
 * Values are handed over in our own layout (layout.c), weights in the layout each primitive asks for (weights.c), so that in the
 * usual networks nothing is reordered but weights. Where oneDNN has no fast kernel for our layout (odd channel counts, machines
 * without AVX-512) it may pick its own, and values pass through the scratch memory. Its reference kernels are never accepted: they
 * are 20 to 1000 times slower and would look like a hang.
 *
 * A residual and a ReLU behind the convolution (batch norm folded, eval mode) are part of oneDNN's pass where it has such a kernel in
 * our layout, else one more pass of ours over the output. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include "backends/onednn/onednn.h"
#include "base/mem.h"

enum { SRC, WEIGHTS, DST, N_PORTS };

typedef struct Port { /* one tensor of a primitive */
    int arg;
    BalMd ours, theirs;
    dnnl_memory_t mem;   /* as the primitive wants it */
    dnnl_memory_t outer; /* as we have it, where that differs */
    dnnl_primitive_t
        change; /* between the two; NULL for weights that are read: those have converted copies (weights.c) */
    bool differs;
    size_t at, bytes; /* place of `mem` in scratch, where it needs one */
} Port;

typedef struct Pass { /* one primitive and its tensors */
    BalDirection direction;
    dnnl_primitive_t prim;
    Port port[N_PORTS];
    dnnl_memory_t bias, scratchpad, residual; /* residual: added within the pass */
    size_t scratchpad_bytes, bias_at, sum_at; /* sum_at: weight gradient to be added */
    BalWeightCopy *copy;
} Pass;

typedef struct BalConv {
    BalOuter *outer;          /* instead of the pass for weight gradients */
    BalWinograd *winograd[3]; /* instead of the pass, by BalDirection */
    Pass pass[3];             /* by BalDirection; prim NULL: not prepared */
    size_t pad_at, pad_bytes; /* input (and its gradient) with padded channels */
    bool finish;              /* residual and ReLU are still to be done after the pass */
} BalConv;

/* What is asked of oneDNN, from the best to the last resort. Unfolding windows for a matrix product (gemm) loses more than changing the
 * layout of values does. FINISH: with residual and ReLU. */
typedef enum Attempt { OUR_DATA = 1, OUR_WEIGHTS = 2, BY_GEMM = 4, FINISH = 8 } Attempt;
static const unsigned attempts_finish[] = {OUR_DATA | FINISH, FINISH};
static const unsigned attempts[] = {OUR_DATA, 0, OUR_DATA | BY_GEMM, BY_GEMM};
static const unsigned attempts_weights[] = {OUR_DATA | OUR_WEIGHTS, OUR_DATA, 0, OUR_DATA | BY_GEMM, BY_GEMM};

static void pass_reset(BalOnednn *b, Pass *p) {
    for (int i = 0; i < N_PORTS; i++) {
        Port *o = &p->port[i];
        if (o->change) dnnl_primitive_destroy(o->change);
        if (o->outer) dnnl_memory_destroy(o->outer);
        if (o->mem) dnnl_memory_destroy(o->mem);
        bal_md_reset(&o->ours);
        bal_md_reset(&o->theirs);
    }
    if (p->bias) dnnl_memory_destroy(p->bias);
    if (p->residual) dnnl_memory_destroy(p->residual);
    if (p->scratchpad) dnnl_memory_destroy(p->scratchpad);
    if (p->prim) dnnl_primitive_destroy(p->prim);
    bal_weight_release(b, &p->copy);
    memset(p, 0, sizeof *p);
}

static void conv_destroy(BalOnednn *b, BalKernel *k) {
    if (!k->conv) return;
    for (int i = 0; i < 3; i++) {
        pass_reset(b, &k->conv->pass[i]);
        bal_winograd_destroy(k->conv->winograd[i]);
    }
    bal_outer_destroy(k->conv->outer);
    bal_free(k->conv);
    k->conv = NULL;
}

/* ---- preparation ---- */

static dnnl_status_t value_md(BalMd *md, const BalShape *shape, int64_t channels, BalDtype dtype, bool any) {
    const bool deep = shape->rank == 5;
    dnnl_format_tag_t tag = deep ? dnnl_ncdhw : dnnl_nchw;
    if (any)
        tag = dnnl_format_tag_any;
    else if (bal_is_blocked(shape))
        tag = deep ? dnnl_nCdhw16c : dnnl_nChw16c;
    dnnl_dims_t dims = {shape->dim[0], channels};
    for (int i = 2; i < shape->rank; i++) dims[i] = shape->dim[i];
    return bal_md_init(md, shape->rank, dims, dtype == BAL_BF16 ? dnnl_bf16 : dnnl_f32, tag);
}

/* What is asked of oneDNN in one attempt; all descriptors are reset by asked_reset. */
typedef struct Asked {
    BalMd src, weights, bias, dst;
    BalConvDesc desc;
} Asked;

static void asked_reset(Asked *a) {
    bal_md_reset(&a->src);
    bal_md_reset(&a->weights);
    bal_md_reset(&a->bias);
    bal_md_reset(&a->dst);
}

static dnnl_status_t ask(Asked *a, const BalOp *op, BalDirection direction, unsigned how) {
    const int rank = op->in[0].rank;
    const bool has_bias = op->bias && direction != BAL_DIR_BWD_DATA;
    dnnl_dims_t dims = {op->out.dim[1], bal_weight_channels(op)};
    for (int i = 2; i < rank; i++) dims[i] = op->kernel[i + 3 - rank];
    dnnl_status_t s = value_md(&a->src, &op->in[0], bal_weight_channels(op), op->dtype, !(how & OUR_DATA));
    if (!s) s = value_md(&a->dst, &op->out, op->out.dim[1], op->dtype, !(how & OUR_DATA));
    if (!s && (how & OUR_WEIGHTS)) s = bal_weight_md(op, &a->weights);
    if (!s && !(how & OUR_WEIGHTS))
        s = bal_md_init(&a->weights, rank, dims,
                        op->dtype == BAL_BF16 && direction != BAL_DIR_BWD_WEIGHTS ? dnnl_bf16 : dnnl_f32,
                        dnnl_format_tag_any);
    if (!s && has_bias) s = bal_md_init(&a->bias, 1, dims, dnnl_f32, dnnl_a);
    a->desc = (BalConvDesc){.direction = direction,
                            .alg = dnnl_convolution_direct,
                            .src = &a->src,
                            .weights = &a->weights,
                            .bias = has_bias ? &a->bias : NULL,
                            .dst = &a->dst};
    for (int i = 0; i < rank - 2; i++) {
        const int axis = i + 5 - rank;
        const int64_t in = op->in[0].dim[i + 2], out = op->out.dim[i + 2];
        a->desc.stride[i] = op->stride[axis];
        a->desc.pad_l[i] = op->pad[axis];
        a->desc.pad_r[i] = (out - 1) * op->stride[axis] + op->kernel[axis] - in - op->pad[axis];
    }
    return s;
}

/* The primitive's description for one attempt, NULL where oneDNN has none but its reference code (named in `info`). */
static dnnl_primitive_desc_t describe(BalOnednn *b, const BalOp *op, BalDirection direction, bool inference,
                                      unsigned how, char *info, size_t info_size) {
    Asked a = {0}, f = {0};
    dnnl_primitive_desc_t pd = NULL, hint = NULL;
    dnnl_primitive_attr_t attr = NULL;
    if ((how & FINISH) && op->residual && !(how & OUR_DATA)) return NULL; /* the residual comes in our layout */
    dnnl_status_t s = ask(&a, op, direction, how);
    a.desc.inference = inference;
    if (!s && direction != BAL_DIR_FWD) {
        s = ask(&f, op, BAL_DIR_FWD, how & ~OUR_WEIGHTS);
        if (!s) s = bal_conv_pd(&hint, b->engine, &f.desc, NULL, NULL);
    }
    if (!s && (how & FINISH)) s = bal_conv_attr(&attr, op->residual ? &a.dst : NULL, op->relu);
    if (!s) s = bal_conv_pd(&pd, b->engine, &a.desc, attr ? attr : b->attr, hint);
    if (attr) dnnl_primitive_attr_destroy(attr);
    const char *name = NULL;
    if (!s) s = dnnl_primitive_desc_query(pd, dnnl_query_impl_info_str, 0, &name);
    if (!s) snprintf(info, info_size, "%s", name);
    if (pd && (s || strstr(info, "ref") || (!(how & BY_GEMM) && strstr(info, "gemm")))) {
        dnnl_primitive_desc_destroy(pd);
        pd = NULL;
    }
    if (hint) dnnl_primitive_desc_destroy(hint);
    asked_reset(&a);
    asked_reset(&f);
    return pd;
}

static BalStatus port_init(BalOnednn *b, Port *p, const_dnnl_primitive_desc_t pd, dnnl_query_t what, int arg,
                           bool written, BalError *err) {
    p->arg = arg;
    BAL_TRY(BAL_DNNL(bal_md_query(&p->theirs, pd, what), err));
    BAL_TRY(BAL_DNNL(bal_memory_init(&p->mem, &p->theirs, b->engine), err));
    p->differs = !bal_md_same(&p->ours, &p->theirs);
    if (!p->differs || arg == DNNL_ARG_WEIGHTS) return BAL_OK;
    p->bytes = bal_round64(bal_md_bytes(&p->theirs));
    BAL_TRY(BAL_DNNL(bal_memory_init(&p->outer, &p->ours, b->engine), err));
    return BAL_DNNL(written ? bal_reorder_init(&p->change, &p->theirs, &p->ours, b->engine)
                            : bal_reorder_init(&p->change, &p->ours, &p->theirs, b->engine),
                    err);
}

/* Fill p from its description: tensors, changes of layout, scratchpad. */
static BalStatus pass_init(BalOnednn *b, const BalOp *op, Pass *p, const_dnnl_primitive_desc_t pd, bool residual,
                           BalError *err) {
    static const dnnl_query_t query[3][N_PORTS] = {
        {dnnl_query_src_md, dnnl_query_weights_md, dnnl_query_dst_md},
        {dnnl_query_diff_src_md, dnnl_query_weights_md, dnnl_query_diff_dst_md},
        {dnnl_query_src_md, dnnl_query_diff_weights_md, dnnl_query_diff_dst_md}};
    static const int arg[3][N_PORTS] = {{DNNL_ARG_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_DST},
                                        {DNNL_ARG_DIFF_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_DIFF_DST},
                                        {DNNL_ARG_SRC, DNNL_ARG_DIFF_WEIGHTS, DNNL_ARG_DIFF_DST}};
    static const int output[3] = {DST, SRC, WEIGHTS};
    const BalDirection d = p->direction;
    BalMd scratchpad = {0}, bias = {0};
    BAL_TRY(BAL_DNNL(value_md(&p->port[SRC].ours, &op->in[0], bal_weight_channels(op), op->dtype, false), err));
    BAL_TRY(BAL_DNNL(value_md(&p->port[DST].ours, &op->out, op->out.dim[1], op->dtype, false), err));
    BAL_TRY(BAL_DNNL(bal_weight_md(op, &p->port[WEIGHTS].ours), err));
    for (int i = 0; i < N_PORTS; i++)
        BAL_TRY(port_init(b, &p->port[i], pd, query[d][i], arg[d][i], i == output[d], err));
    BAL_TRY(BAL_DNNL(dnnl_primitive_create(&p->prim, pd), err));
    BAL_TRY(BAL_DNNL(bal_md_query(&scratchpad, pd, dnnl_query_scratchpad_md), err));
    p->scratchpad_bytes = bal_md_bytes(&scratchpad);
    dnnl_status_t s = bal_memory_init(&p->scratchpad, &scratchpad, b->engine);
    bal_md_reset(&scratchpad);
    if (!s && op->bias && d != BAL_DIR_BWD_DATA) {
        const dnnl_dims_t dims = {op->out.dim[1]};
        s = bal_md_init(&bias, 1, dims, dnnl_f32, dnnl_a);
        if (!s) s = bal_memory_init(&p->bias, &bias, b->engine);
        bal_md_reset(&bias);
    }
    if (!s && residual) s = bal_memory_init(&p->residual, &p->port[DST].ours, b->engine);
    return BAL_DNNL(s, err);
}

/* The first of a list of attempts that there is; BAL_END: none. */
static BalStatus pass_try(BalOnednn *b, const BalOp *op, Pass *p, bool inference, const unsigned *list, size_t n,
                          char *info, size_t info_size, BalError *err) {
    for (size_t i = 0; i < n; i++) {
        dnnl_primitive_desc_t pd = describe(b, op, p->direction, inference, list[i], info, info_size);
        if (!pd) continue;
        BalStatus rc = pass_init(b, op, p, pd, (list[i] & FINISH) && op->residual, err);
        dnnl_primitive_desc_destroy(pd);
        return rc;
    }
    return BAL_END;
}

/* *finish: residual and ReLU are left to be done after the pass. */
static BalStatus pass_prepare(BalOnednn *b, const BalOp *op, Pass *p, BalDirection direction, bool inference,
                              bool *finish, BalError *err) {
    static const char *const text[] = {"forward", "backward-data", "backward-weights"};
    const bool w = direction == BAL_DIR_BWD_WEIGHTS;
    char info[80] = "none";
    BalStatus rc = BAL_END;
    p->direction = direction;
    *finish = direction == BAL_DIR_FWD && (op->relu || op->residual);
    if (*finish) rc = pass_try(b, op, p, inference, attempts_finish, 2, info, sizeof info, err);
    if (rc == BAL_OK) *finish = false;
    if (rc == BAL_END)
        rc = pass_try(b, op, p, inference, w ? attempts_weights : attempts,
                      w ? sizeof attempts_weights / sizeof *attempts : sizeof attempts / sizeof *attempts, info,
                      sizeof info, err);
    if (rc == BAL_END)
        return BAL_FAIL(
            err, BAL_E_BACKEND,
            "layer %s: oneDNN %d.%d has no fast %s convolution in %s for it (best it offers: %s); use the backend "
            "\"reference\" or another type",
            op->name, dnnl_version()->major, dnnl_version()->minor, text[direction],
            op->dtype == BAL_BF16 ? "bf16" : "f32", info);
    return rc < 0 ? bal_error_add(err, rc, "preparing %s (%s)", op->name, text[direction]) : BAL_OK;
}

/* ---- running ---- */

typedef struct Pad { /* plain input [N,C,...] against its copy with more channels */
    const BalOp *op;
    char *few, *many;
    bool widen;
} Pad;

static void pad_part(void *arg, int t, int nt) {
    const Pad *p = arg;
    const BalView v = bal_view(&p->op->in[0], p->op->dtype);
    const size_t plane = (size_t)v.s * (v.bf16 ? 2 : 4);
    const size_t few = (size_t)v.g * plane, many = (size_t)bal_weight_channels(p->op) * plane;
    int64_t from, to;
    bal_share(v.n, t, nt, &from, &to);
    for (int64_t i = from; i < to; i++) {
        char *a = p->few + (size_t)i * few, *b = p->many + (size_t)i * many;
        memcpy(p->widen ? b : a, p->widen ? a : b, few);
        if (p->widen) memset(b + few, 0, many - few);
    }
}

static BalStatus change(BalOnednn *b, Port *p, bool written, BalError *err) {
    const dnnl_exec_arg_t args[2] = {{DNNL_ARG_FROM, written ? p->mem : p->outer},
                                     {DNNL_ARG_TO, written ? p->outer : p->mem}};
    return BAL_DNNL(dnnl_primitive_execute(p->change, b->stream, 2, args), err);
}

/* Run with each tensor at the address given; tensors whose layout differs pass through scratch. */
static BalStatus pass_run(BalOnednn *b, Pass *p, void *const at[N_PORTS], void *bias, const void *residual,
                          char *scratch, BalError *err) {
    static const int output[3] = {DST, SRC, WEIGHTS};
    dnnl_exec_arg_t args[N_PORTS + 3];
    int n = 0;
    for (int i = 0; i < N_PORTS; i++) {
        Port *o = &p->port[i];
        if (o->change) BAL_TRY(BAL_DNNL(dnnl_memory_set_data_handle(o->outer, at[i]), err));
        BAL_TRY(BAL_DNNL(dnnl_memory_set_data_handle(o->mem, o->change ? scratch + o->at : at[i]), err));
        if (o->change && i != output[p->direction]) BAL_TRY(change(b, o, false, err));
        args[n++] = (dnnl_exec_arg_t){o->arg, o->mem};
    }
    if (p->bias) {
        BAL_TRY(BAL_DNNL(dnnl_memory_set_data_handle(p->bias, bias), err));
        args[n++] = (dnnl_exec_arg_t){p->direction == BAL_DIR_FWD ? DNNL_ARG_BIAS : DNNL_ARG_DIFF_BIAS, p->bias};
    }
    if (p->residual) {
        BAL_TRY(BAL_DNNL(dnnl_memory_set_data_handle(p->residual, (void *)(uintptr_t)residual), err));
        args[n++] = (dnnl_exec_arg_t){DNNL_ARG_ATTR_MULTIPLE_POST_OP(0) | DNNL_ARG_SRC_1, p->residual};
    }
    BAL_TRY(BAL_DNNL(dnnl_memory_set_data_handle(p->scratchpad, scratch), err));
    args[n++] = (dnnl_exec_arg_t){DNNL_ARG_SCRATCHPAD, p->scratchpad};
    BAL_TRY(BAL_DNNL(dnnl_primitive_execute(p->prim, b->stream, n, args), err));
    Port *o = &p->port[output[p->direction]];
    return o->change ? change(b, o, true, err) : BAL_OK;
}

static BalStatus weights_for(BalOnednn *b, BalKernel *k, Pass *p, const BalArgs *a, void **out, BalError *err) {
    if (!p->port[WEIGHTS].differs) {
        *out = (void *)(uintptr_t)a->w[0];
        return BAL_OK;
    }
    return bal_weight_copy(b, &k->op, &p->port[WEIGHTS].theirs, a->w[0], a->w_version, &p->copy, out, err);
}

/* The input with its channels padded, where the op wants that. */
static void *padded(BalOnednn *b, BalKernel *k, const BalArgs *a) {
    if (!k->conv->pad_bytes) return (void *)(uintptr_t)a->x[0];
    Pad pad = {&k->op, (char *)(uintptr_t)a->x[0], (char *)a->scratch + k->conv->pad_at, true};
    bal_par(b->threads, pad_part, &pad);
    return pad.many;
}

typedef struct Finish { /* y = max(y + residual, low), element by element */
    const BalOnednn *b;
    const BalOp *op;
    const BalArgs *a;
} Finish;

static void finish_part(void *arg, int t, int nt) {
    static const float ones[BAL_LANES] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1}, zeros[BAL_LANES];
    const Finish *f = arg;
    const BalView v = bal_view(&f->op->out, f->op->dtype);
    const size_t size = v.bf16 ? 2 : 4;
    const char *r = f->op->residual ? f->a->x[1] : NULL;
    char *y = f->a->y;
    int64_t from, to;
    bal_share((bal_view_count(&v) + 31) / 32, t, nt, &from, &to);
    from *= 32;
    to = to * 32 < bal_view_count(&v) ? to * 32 : bal_view_count(&v);
    f->b->loops->apply(y + (size_t)from * size, r ? r + (size_t)from * size : NULL, y + (size_t)from * size, to - from,
                       v.bf16, ones, zeros, f->op->relu ? 0 : -INFINITY);
}

static BalStatus conv_forward(BalOnednn *b, BalKernel *k, const BalArgs *a, BalError *err) {
    if (k->conv->winograd[BAL_DIR_FWD]) {
        bal_winograd_run(b, k->conv->winograd[BAL_DIR_FWD], &k->op, a);
    } else {
        Pass *p = &k->conv->pass[BAL_DIR_FWD];
        void *at[N_PORTS] = {padded(b, k, a), NULL, a->y};
        BAL_TRY(weights_for(b, k, p, a, &at[WEIGHTS], err));
        BAL_TRY(pass_run(b, p, at, (void *)(uintptr_t)a->w[1], a->x[1], a->scratch, err));
    }
    Finish f = {b, &k->op, a};
    if (k->conv->finish) bal_par(b->threads, finish_part, &f);
    return BAL_OK;
}

static BalStatus conv_backward_data(BalOnednn *b, BalKernel *k, const BalArgs *a, BalError *err) {
    if (k->conv->winograd[BAL_DIR_BWD_DATA]) {
        bal_winograd_run(b, k->conv->winograd[BAL_DIR_BWD_DATA], &k->op, a);
        return BAL_OK;
    }
    Pass *p = &k->conv->pass[BAL_DIR_BWD_DATA];
    Pad pad = {&k->op, a->dx[0], (char *)a->scratch + k->conv->pad_at, false};
    void *at[N_PORTS] = {k->conv->pad_bytes ? pad.many : a->dx[0], NULL, (void *)(uintptr_t)a->dy[0]};
    BAL_TRY(weights_for(b, k, p, a, &at[WEIGHTS], err));
    BAL_TRY(pass_run(b, p, at, NULL, NULL, a->scratch, err));
    if (k->conv->pad_bytes) bal_par(b->threads, pad_part, &pad);
    return BAL_OK;
}

static BalStatus conv_backward_weights(BalOnednn *b, BalKernel *k, const BalArgs *a, BalError *err) {
    Pass *p = &k->conv->pass[BAL_DIR_BWD_WEIGHTS];
    float *sum = (float *)((char *)a->scratch + p->sum_at), *sum_bias = (float *)((char *)a->scratch + p->bias_at);
    const bool aside = a->add_dw || !a->dw[0], aside_bias = a->add_dw || !a->dw[1];
    void *at[N_PORTS] = {padded(b, k, a), aside ? sum : a->dw[0], (void *)(uintptr_t)a->dy[0]};
    BAL_TRY(pass_run(b, p, at, aside_bias ? sum_bias : a->dw[1], NULL, a->scratch, err));
    const size_t floats = bal_md_bytes(&p->port[WEIGHTS].ours) / sizeof *sum; /* behind them `sum` is not written */
    if (a->add_dw && a->dw[0]) BAL_TRY(bal_onednn_axpby(b, floats, 1, sum, 1, a->dw[0], err));
    if (a->add_dw && a->dw[1] && k->op.bias)
        BAL_TRY(bal_onednn_axpby(b, (size_t)k->op.out.dim[1], 1, sum_bias, 1, a->dw[1], err));
    return BAL_OK;
}

static BalStatus conv_backward(BalOnednn *b, BalKernel *k, const BalArgs *a, BalError *err) {
    if (k->conv->winograd[BAL_DIR_BWD_WEIGHTS] && a->dw[0])
        bal_winograd_run(b, k->conv->winograd[BAL_DIR_BWD_WEIGHTS], &k->op, a);
    else if (k->conv->outer && a->dw[0])
        bal_outer_run(b, k->conv->outer, &k->op, a);
    else if (a->dw[0] || a->dw[1])
        BAL_TRY(conv_backward_weights(b, k, a, err));
    return a->dx[0] ? conv_backward_data(b, k, a, err) : BAL_OK;
}

/* Give every tensor that needs one a place in the shared scratch memory, of which passes use the same bytes in turn. */
static size_t place(BalOnednn *b, const BalOp *op, BalConv *c) {
    size_t most = 0;
    for (int i = 0; i < 3; i++) {
        Pass *p = &c->pass[i];
        if (!p->prim) continue;
        size_t at = bal_round64(p->scratchpad_bytes);
        for (int j = 0; j < N_PORTS; j++) {
            p->port[j].at = at;
            at += p->port[j].bytes;
        }
        if (i == BAL_DIR_BWD_WEIGHTS) {
            p->sum_at = at;
            p->bias_at = at + bal_round64(bal_onednn_param_floats(b, op, 0) * sizeof(float));
            at = p->bias_at + bal_round64((size_t)op->out.dim[1] * sizeof(float));
        }
        most = most > at ? most : at;
    }
    if (c->pad_bytes) {
        c->pad_at = most;
        most += c->pad_bytes;
    }
    return most;
}

/* Prepare one direction by the algorithm chosen for it; *most: scratch memory that own kernels need. */
static BalStatus direction_prepare(BalOnednn *b, BalKernel *k, BalDirection d, size_t *most, BalError *err) {
    BalConv *c = k->conv;
    const int size = bal_choose_winograd(b, &k->op, d);
    size_t bytes = 0;
    bool no;
    if (d == BAL_DIR_FWD) c->finish = k->op.relu || k->op.residual;
    if (size)
        BAL_TRY(bal_winograd_create(&c->winograd[d], b, &k->op, d, size, &bytes, err));
    else if (d == BAL_DIR_BWD_WEIGHTS && bal_choose_outer(b, &k->op))
        BAL_TRY(bal_outer_create(&c->outer, &k->op, &bytes, err));
    else
        BAL_TRY(pass_prepare(b, &k->op, &c->pass[d], d, k->phase == BAL_FWD_EVAL, d == BAL_DIR_FWD ? &c->finish : &no,
                             err));
    *most = *most > bytes ? *most : bytes;
    return BAL_OK;
}

BalStatus bal_onednn_conv(BalOnednn *b, BalKernel *k, BalKernelNeeds *needs, BalError *err) {
    const BalOp *op = &k->op;
    BAL_TRY(bal_alloc(&k->conv, 1, sizeof *k->conv, err));
    k->destroy = conv_destroy;
    BalConv *c = k->conv;
    size_t own_bytes = 0;
    if (bal_weight_channels(op) != op->in[0].dim[1]) {
        BalShape wide = op->in[0];
        wide.dim[1] = bal_weight_channels(op);
        c->pad_bytes = bal_onednn_value_bytes(b, &wide, op->dtype);
    }
    if (!bal_is_backward(k->phase)) {
        k->run = conv_forward;
        BAL_TRY(direction_prepare(b, k, BAL_DIR_FWD, &own_bytes, err));
    } else {
        k->run = conv_backward;
        BAL_TRY(direction_prepare(b, k, BAL_DIR_BWD_WEIGHTS, &own_bytes, err));
        if (!op->no_dx) BAL_TRY(direction_prepare(b, k, BAL_DIR_BWD_DATA, &own_bytes, err));
    }
    needs->scratch_bytes = place(b, op, c);
    if (needs->scratch_bytes < own_bytes) needs->scratch_bytes = own_bytes;
    return BAL_OK;
}
