/* Elementwise ops, concat, slice and flatten. All but the last three are one pass over flat memory or over slabs. */
#include <math.h>
#include <string.h>
#include "backends/onednn/onednn.h"

static const float ones[BAL_LANES] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1}, zeros[BAL_LANES];

typedef struct Each {
    const BalOnednn *b;
    const BalOp *op;
    const BalArgs *a;
    bool backward, bf16;
    BalView v;
} Each;

static BalStatus each(BalOnednn *b, const BalKernel *k, const BalArgs *a, BalParFn *fn) {
    Each e = {b, &k->op, a, bal_is_backward(k->phase), false, bal_view(&k->op.in[0], k->op.dtype)};
    e.bf16 = e.v.bf16;
    bal_par(b->threads, fn, &e);
    return BAL_OK;
}

/* This thread's elements [from, to) of a flat value, whole cache lines but for the last. */
static void flat(const Each *e, int t, int nt, int64_t *from, int64_t *to) {
    const int64_t n = bal_view_count(&e->v);
    bal_share((n + 31) / 32, t, nt, from, to);
    *from *= 32;
    *to = *to * 32 < n ? *to * 32 : n;
}

static void *off(const Each *e, const void *p, int64_t i) {
    return p ? (char *)(uintptr_t)p + (size_t)i * (e->bf16 ? 2 : 4) : NULL;
}

/* ---- relu ---- */

static void relu_part(void *arg, int t, int nt) {
    const Each *e = arg;
    const BalArgs *a = e->a;
    int64_t i, to;
    flat(e, t, nt, &i, &to);
    if (e->backward)
        e->b->loops->mask(off(e, a->dy[0], i), off(e, a->dy[1], i), off(e, a->y, i), off(e, a->dx[0], i), to - i,
                          e->bf16);
    else
        e->b->loops->apply(off(e, a->x[0], i), NULL, off(e, a->y, i), to - i, e->bf16, ones, zeros, 0);
}

static BalStatus relu_run(BalOnednn *b, BalKernel *k, const BalArgs *a, BalError *err) {
    (void)err;
    return bal_is_backward(k->phase) && !a->dx[0] ? BAL_OK : each(b, k, a, relu_part);
}

BalStatus bal_onednn_relu(BalOnednn *b, BalKernel *k, BalKernelNeeds *needs, BalError *err) {
    (void)b, (void)needs, (void)err;
    k->run = relu_run;
    return BAL_OK;
}

/* ---- sigmoid: gates, small; bf16 maps go through float in pieces ---- */

static void sigmoid_piece(const Each *e, int64_t i, int64_t n) {
    const BalLoops *f = e->b->loops;
    const BalArgs *a = e->a;
    float u[256], v[256];
    if (!e->bf16) {
        if (e->backward)
            f->sigmoid_grad(off(e, a->dy[0], i), off(e, a->y, i), off(e, a->dx[0], i), n);
        else
            f->sigmoid(off(e, a->x[0], i), off(e, a->y, i), n);
        return;
    }
    f->to_f32(off(e, e->backward ? a->dy[0] : a->x[0], i), u, n);
    if (e->backward) {
        f->to_f32(off(e, a->y, i), v, n);
        f->sigmoid_grad(u, v, u, n);
    } else {
        f->sigmoid(u, u, n);
    }
    f->to_bf16(u, off(e, e->backward ? a->dx[0] : a->y, i), n);
}

static void sigmoid_part(void *arg, int t, int nt) {
    const Each *e = arg;
    int64_t i, to;
    for (flat(e, t, nt, &i, &to); i < to; i += 256) sigmoid_piece(e, i, to - i < 256 ? to - i : 256);
}

static BalStatus sigmoid_run(BalOnednn *b, BalKernel *k, const BalArgs *a, BalError *err) {
    (void)err;
    return bal_is_backward(k->phase) && !a->dx[0] ? BAL_OK : each(b, k, a, sigmoid_part);
}

BalStatus bal_onednn_sigmoid(BalOnednn *b, BalKernel *k, BalKernelNeeds *needs, BalError *err) {
    (void)b, (void)needs, (void)err;
    k->run = sigmoid_run;
    return BAL_OK;
}

/* ---- add ---- */

static void add_part(void *arg, int t, int nt) {
    const Each *e = arg;
    const BalArgs *a = e->a;
    int64_t i, to;
    flat(e, t, nt, &i, &to);
    if (!e->backward) {
        e->b->loops->apply(off(e, a->x[0], i), off(e, a->x[1], i), off(e, a->y, i), to - i, e->bf16, ones, zeros,
                           -INFINITY);
        return;
    }
    for (int j = 0; j < 2; j++)
        if (a->dx[j] && a->dx[j] != a->dy[0])
            memcpy(off(e, a->dx[j], i), off(e, a->dy[0], i), (size_t)(to - i) * (e->bf16 ? 2 : 4));
}

static BalStatus add_run(BalOnednn *b, BalKernel *k, const BalArgs *a, BalError *err) {
    (void)err;
    return each(b, k, a, add_part);
}

BalStatus bal_onednn_add(BalOnednn *b, BalKernel *k, BalKernelNeeds *needs, BalError *err) {
    (void)b, (void)needs, (void)err;
    k->run = add_run;
    return BAL_OK;
}

/* ---- mul: like with like, or a gate [clips or clips * rows, C] spread over a map ---- */

static bool is_gate(const BalOp *op) {
    for (int i = 0; i < op->in[0].rank; i++)
        if (op->in[1].rank != op->in[0].rank || op->in[1].dim[i] != op->in[0].dim[i]) return true;
    return false;
}

static void mul_part(void *arg, int t, int nt) {
    const Each *e = arg;
    const BalArgs *a = e->a;
    int64_t i, to;
    flat(e, t, nt, &i, &to);
    const void *x[2] = {off(e, a->x[0], i), off(e, a->x[1], i)};
    if (!e->backward) {
        e->b->loops->mul(x[0], x[1], off(e, a->y, i), to - i, e->bf16);
        return;
    }
    for (int64_t end; i < to; i = end) { /* in pieces: one gradient may lie over dy, so dy is kept */
        char dy[1024];
        end = to - i < 256 ? to : i + 256;
        memcpy(dy, off(e, a->dy[0], i), (size_t)(end - i) * (e->bf16 ? 2 : 4));
        for (int j = 0; j < 2; j++)
            if (a->dx[j]) e->b->loops->mul(dy, off(e, a->x[1 - j], i), off(e, a->dx[j], i), end - i, e->bf16);
    }
}

/* One row of the gate: the rows of the map that it multiplies, group by group. */
static void gate_group(const Each *e, int64_t row, int64_t rows, int64_t g) {
    const BalArgs *a = e->a;
    const BalView *v = &e->v;
    const int64_t n = v->s * v->lanes, channels = v->g * v->lanes;
    float gate[BAL_LANES];
    double unused[BAL_LANES] = {0}, sum[BAL_LANES] = {0};
    bal_spread(v, (const float *)a->x[1] + row * channels, g, gate);
    for (int64_t r = row * rows; r < (row + 1) * rows; r++) {
        const void *x = bal_slab(v, a->x[0], r, g);
        if (!e->backward) {
            e->b->loops->apply(x, NULL, bal_slab(v, a->y, r, g), n, e->bf16, gate, zeros, -INFINITY);
            continue;
        }
        const void *dy = bal_slab(v, a->dy[0], r, g);
        const BalSlabGrad s = {.dy = {dy}, .x = x, .mean = zeros};
        if (a->dx[1]) e->b->loops->grad_sums(&s, n, e->bf16, unused, sum);
        if (a->dx[0]) e->b->loops->apply(dy, NULL, bal_slab(v, a->dx[0], r, g), n, e->bf16, gate, zeros, -INFINITY);
    }
    if (!e->backward || !a->dx[1]) return;
    if (v->lanes == 1)
        for (int l = 1; l < BAL_LANES; l++) sum[0] += sum[l];
    for (int l = 0; l < v->lanes; l++) ((float *)a->dx[1])[row * channels + g * v->lanes + l] = (float)sum[l];
}

static void gate_part(void *arg, int t, int nt) {
    const Each *e = arg;
    const int64_t gates = e->op->in[1].dim[0], rows = e->v.n / gates;
    int64_t from, to;
    bal_share(gates * e->v.g, t, nt, &from, &to);
    for (int64_t i = from; i < to; i++) gate_group(e, i / e->v.g, rows, i % e->v.g);
}

static BalStatus mul_run(BalOnednn *b, BalKernel *k, const BalArgs *a, BalError *err) {
    (void)err;
    return each(b, k, a, is_gate(&k->op) ? gate_part : mul_part);
}

BalStatus bal_onednn_mul(BalOnednn *b, BalKernel *k, BalKernelNeeds *needs, BalError *err) {
    (void)b, (void)needs, (void)err;
    k->run = mul_run;
    return BAL_OK;
}

/* ---- scale: each clip's rows by its coefficient ---- */

static void scale_part(void *arg, int t, int nt) {
    const Each *e = arg;
    const int64_t row = e->v.g * e->v.s * e->v.lanes;
    int64_t from, to;
    bal_share(e->v.n, t, nt, &from, &to);
    for (int64_t n = from; n < to; n++) {
        float coef[BAL_LANES];
        for (int l = 0; l < BAL_LANES; l++) coef[l] = e->a->coef[n / e->op->rows];
        e->b->loops->apply(off(e, e->backward ? e->a->dy[0] : e->a->x[0], n * row), NULL,
                           off(e, e->backward ? e->a->dx[0] : e->a->y, n * row), row, e->bf16, coef, zeros, -INFINITY);
    }
}

static BalStatus scale_run(BalOnednn *b, BalKernel *k, const BalArgs *a, BalError *err) {
    (void)err;
    return bal_is_backward(k->phase) && !a->dx[0] ? BAL_OK : each(b, k, a, scale_part);
}

BalStatus bal_onednn_scale(BalOnednn *b, BalKernel *k, BalKernelNeeds *needs, BalError *err) {
    (void)b, (void)needs, (void)err;
    k->run = scale_run;
    return BAL_OK;
}

/* ---- concat and slice on the channel axis ---- */

/* Place of (channel, position) inside one row of a value. */
static int64_t in_row(const BalView *v, int64_t c, int64_t s) {
    return v->lanes == 1 ? c * v->s + s : ((c / BAL_LANES) * v->s + s) * BAL_LANES + c % BAL_LANES;
}

/* Row n of part `part` to or (apart) from its channels [first, ...) of the whole, whose view is e->v. */
static void concat_row(const Each *e, bool apart, const BalView *part, int64_t n, int64_t first, char *piece,
                       char *whole) {
    const size_t size = e->bf16 ? 2 : 4;
    const int64_t row = part->g * part->s * part->lanes;
    char *a = piece + (size_t)(n * row) * size, *b = whole + (size_t)(n * e->v.g * e->v.s * e->v.lanes) * size;
    if (part->lanes == e->v.lanes && (part->lanes == 1 || first % BAL_LANES == 0)) {
        b += (size_t)(first * part->s) * size;
        memcpy(apart ? a : b, apart ? b : a, (size_t)row * size);
        return;
    }
    for (int64_t c = 0; c < part->g * part->lanes; c++)
        for (int64_t s = 0; s < part->s; s++) {
            char *p = a + (size_t)in_row(part, c, s) * size, *q = b + (size_t)in_row(&e->v, first + c, s) * size;
            memcpy(apart ? p : q, apart ? q : p, size);
        }
}

static void concat_part(void *arg, int t, int nt) {
    const Each *e = arg;
    int64_t from, to, first = 0;
    bal_share(e->v.n, t, nt, &from, &to);
    for (int i = 0; i < e->op->n_in; i++) {
        const BalView part = bal_view(&e->op->in[i], e->op->dtype);
        char *piece = e->backward ? e->a->dx[i] : (char *)(uintptr_t)e->a->x[i];
        char *whole = e->backward ? (char *)(uintptr_t)e->a->dy[0] : e->a->y;
        for (int64_t n = from; n < to && piece; n++) concat_row(e, e->backward, &part, n, first, piece, whole);
        first += e->op->in[i].dim[1];
    }
}

static BalStatus concat_run(BalOnednn *b, BalKernel *k, const BalArgs *a, BalError *err) {
    (void)err;
    Each e = {b, &k->op, a, bal_is_backward(k->phase), false, bal_view(&k->op.out, k->op.dtype)};
    e.bf16 = e.v.bf16;
    bal_par(b->threads, concat_part, &e);
    return BAL_OK;
}

BalStatus bal_onednn_concat(BalOnednn *b, BalKernel *k, BalKernelNeeds *needs, BalError *err) {
    (void)b, (void)needs, (void)err;
    k->run = concat_run;
    return BAL_OK;
}

static void slice_part(void *arg, int t, int nt) {
    const Each *e = arg;
    const BalView part = bal_view(&e->op->out, e->op->dtype);
    const int64_t row = e->v.g * e->v.s * e->v.lanes;
    char *piece = e->backward ? (char *)(uintptr_t)e->a->dy[0] : e->a->y;
    char *whole = e->backward ? e->a->dx[0] : (char *)(uintptr_t)e->a->x[0];
    int64_t from, to;
    bal_share(e->v.n, t, nt, &from, &to);
    for (int64_t n = from; n < to; n++) {
        if (e->backward) memset(off(e, whole, n * row), 0, (size_t)row * (e->bf16 ? 2 : 4));
        concat_row(e, !e->backward, &part, n, e->op->first, piece, whole);
    }
}

static BalStatus slice_run(BalOnednn *b, BalKernel *k, const BalArgs *a, BalError *err) {
    (void)err;
    return bal_is_backward(k->phase) && !a->dx[0] ? BAL_OK : each(b, k, a, slice_part);
}

BalStatus bal_onednn_slice(BalOnednn *b, BalKernel *k, BalKernelNeeds *needs, BalError *err) {
    (void)b, (void)needs, (void)err;
    k->run = slice_run;
    return BAL_OK;
}

/* ---- flatten: a map of any layout and type against float32 in the order N, space, channel ---- */

static void flatten_part(void *arg, int t, int nt) {
    const Each *e = arg;
    const BalView *v = &e->v;
    const int64_t channels = v->g * v->lanes;
    int64_t from, to;
    bal_share(v->n * v->s, t, nt, &from, &to);
    for (int64_t i = from; i < to; i++) {
        const int64_t row = i / v->s * channels * v->s, s = i % v->s;
        for (int64_t c = 0; c < channels; c++) {
            const int64_t at = row + in_row(v, c, s);
            if (e->backward)
                bal_put(e->a->dx[0], at, e->bf16, ((const float *)e->a->dy[0])[i * channels + c]);
            else
                ((float *)e->a->y)[i * channels + c] = bal_get(e->a->x[0], at, e->bf16);
        }
    }
}

static BalStatus flatten_run(BalOnednn *b, BalKernel *k, const BalArgs *a, BalError *err) {
    (void)err;
    return bal_is_backward(k->phase) && !a->dx[0] ? BAL_OK : each(b, k, a, flatten_part);
}

BalStatus bal_onednn_flatten(BalOnednn *b, BalKernel *k, BalKernelNeeds *needs, BalError *err) {
    (void)b, (void)needs, (void)err;
    k->run = flatten_run;
    return BAL_OK;
}
