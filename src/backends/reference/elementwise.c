/* Ops that treat every element alone: activations, add, mul, scale; and concat, slice and flatten, which only move. */
#include <math.h>
#include <string.h>
#include "backends/reference/reference.h"

static int64_t count(const BalShape *s) {
    int64_t n = 1;
    for (int i = 0; i < s->rank; i++) n *= s->dim[i];
    return n;
}

void ref_relu_forward(const RefCall *c) {
    for (int64_t i = 0, n = count(&c->op->out); i < n; i++) c->y[i] = c->x[0][i] < 0 ? 0 : c->x[0][i];
}

void ref_relu_backward(const RefCall *c) {
    for (int64_t i = 0, n = count(&c->op->out); i < n; i++) c->dx[0][i] = c->y[i] > 0 ? c->dy[i] : 0;
}

void ref_sigmoid_forward(const RefCall *c) {
    for (int64_t i = 0, n = count(&c->op->out); i < n; i++) c->y[i] = (float)(1 / (1 + exp(-(double)c->x[0][i])));
}

void ref_sigmoid_backward(const RefCall *c) {
    for (int64_t i = 0, n = count(&c->op->out); i < n; i++)
        c->dx[0][i] = (float)(c->dy[i] * (double)c->y[i] * (1 - (double)c->y[i]));
}

void ref_add_forward(const RefCall *c) {
    for (int64_t i = 0, n = count(&c->op->out); i < n; i++) c->y[i] = c->x[0][i] + c->x[1][i];
}

void ref_add_backward(const RefCall *c) {
    for (int k = 0; k < 2; k++)
        if (c->dx[k]) memcpy(c->dx[k], c->dy, (size_t)count(&c->op->out) * sizeof *c->dy);
}

/* Index of b's element that meets a's element (row r, channel ch, place s); b is like a, [rows,C] or [clips,C]. */
static int64_t mul_index(const BalOp *op, const RefDims *a, int64_t r, int64_t ch, int64_t s) {
    if (op->in[1].rank > 2) return (r * a->c + ch) * a->space + s;
    return (op->in[1].dim[0] == a->n ? r : r / op->rows) * a->c + ch;
}

void ref_mul_forward(const RefCall *c) {
    const RefDims a = ref_dims(&c->op->in[0]);
    for (int64_t p = 0; p < a.n * a.c; p++)
        for (int64_t s = 0; s < a.space; s++)
            c->y[p * a.space + s] = c->x[0][p * a.space + s] * c->x[1][mul_index(c->op, &a, p / a.c, p % a.c, s)];
}

static void mul_backward_b(const RefCall *c, const RefDims *a) {
    const int64_t n = count(&c->op->in[1]);
    double *sum = c->work;
    memset(sum, 0, (size_t)n * sizeof *sum);
    for (int64_t p = 0; p < a->n * a->c; p++)
        for (int64_t s = 0; s < a->space; s++)
            sum[mul_index(c->op, a, p / a->c, p % a->c, s)] +=
                (double)c->dy[p * a->space + s] * c->x[0][p * a->space + s];
    for (int64_t i = 0; i < n; i++) c->dx[1][i] = (float)sum[i];
}

void ref_mul_backward(const RefCall *c) {
    const RefDims a = ref_dims(&c->op->in[0]);
    for (int64_t p = 0; c->dx[0] && p < a.n * a.c; p++)
        for (int64_t s = 0; s < a.space; s++)
            c->dx[0][p * a.space + s] = c->dy[p * a.space + s] * c->x[1][mul_index(c->op, &a, p / a.c, p % a.c, s)];
    if (c->dx[1]) mul_backward_b(c, &a);
}

void ref_concat_forward(const RefCall *c) {
    const RefDims out = ref_dims(&c->op->out);
    int64_t at = 0;
    for (int k = 0; k < c->op->n_in; k++) {
        const int64_t len = ref_dims(&c->op->in[k]).c * out.space;
        for (int64_t n = 0; n < out.n; n++)
            memcpy(c->y + n * out.c * out.space + at, c->x[k] + n * len, (size_t)len * sizeof *c->y);
        at += len;
    }
}

void ref_concat_backward(const RefCall *c) {
    const RefDims out = ref_dims(&c->op->out);
    int64_t at = 0;
    for (int k = 0; k < c->op->n_in; k++) {
        const int64_t len = ref_dims(&c->op->in[k]).c * out.space;
        for (int64_t n = 0; c->dx[k] && n < out.n; n++)
            memcpy(c->dx[k] + n * len, c->dy + n * out.c * out.space + at, (size_t)len * sizeof *c->dy);
        at += len;
    }
}

void ref_slice_forward(const RefCall *c) {
    const RefDims in = ref_dims(&c->op->in[0]), out = ref_dims(&c->op->out);
    const int64_t row = in.c * in.space, len = out.c * out.space, at = c->op->first * in.space;
    for (int64_t n = 0; n < out.n; n++) memcpy(c->y + n * len, c->x[0] + n * row + at, (size_t)len * sizeof *c->y);
}

void ref_slice_backward(const RefCall *c) {
    const RefDims in = ref_dims(&c->op->in[0]), out = ref_dims(&c->op->out);
    const int64_t row = in.c * in.space, len = out.c * out.space, at = c->op->first * in.space;
    memset(c->dx[0], 0, (size_t)(in.n * row) * sizeof *c->dy);
    for (int64_t n = 0; n < out.n; n++) memcpy(c->dx[0] + n * row + at, c->dy + n * len, (size_t)len * sizeof *c->dy);
}

/* [N,C,space] -> [N,space,C] and back. */
void ref_flatten_forward(const RefCall *c) {
    const RefDims d = ref_dims(&c->op->in[0]);
    for (int64_t p = 0; p < d.n * d.c; p++)
        for (int64_t s = 0; s < d.space; s++) c->y[(p / d.c * d.space + s) * d.c + p % d.c] = c->x[0][p * d.space + s];
}

void ref_flatten_backward(const RefCall *c) {
    const RefDims d = ref_dims(&c->op->in[0]);
    for (int64_t p = 0; p < d.n * d.c; p++)
        for (int64_t s = 0; s < d.space; s++)
            c->dx[0][p * d.space + s] = c->dy[(p / d.c * d.space + s) * d.c + p % d.c];
}

static void scale(const RefCall *c, const float *from, float *to) {
    const RefDims d = ref_dims(&c->op->out);
    const int64_t row = d.c * d.space;
    for (int64_t i = 0; i < d.n * row; i++) to[i] = from[i] * c->coef[i / row / c->op->rows];
}

void ref_scale_forward(const RefCall *c) {
    scale(c, c->x[0], c->y);
}
void ref_scale_backward(const RefCall *c) {
    scale(c, c->dy, c->dx[0]);
}
