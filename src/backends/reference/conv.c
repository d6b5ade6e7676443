/* Convolution (2-D as 3-D with one frame) and linear layers by their definition. Inner loops run along W. */
#include <omp.h>
#include <string.h>
#include "backends/reference/reference.h"
#include "engine/bf16.h"

typedef struct Tap { /* one kernel position: its output ranges and the input index of output (0,0,0) */
    int64_t k0, k1, h0, h1, w0, w1, at;
} Tap;

static Tap tap(const BalOp *op, const RefDims *in, const RefDims *out, int kk, int kh, int kw) {
    Tap t;
    ref_range(in->k, out->k, op->stride[0], op->pad[0], kk, &t.k0, &t.k1);
    ref_range(in->h, out->h, op->stride[1], op->pad[1], kh, &t.h0, &t.h1);
    ref_range(in->w, out->w, op->stride[2], op->pad[2], kw, &t.w0, &t.w1);
    t.at = ((kk - op->pad[0]) * in->h + kh - op->pad[1]) * in->w + kw - op->pad[2];
    return t;
}

/* Offset in the input plane of output row (ok, oh) for a tap. */
static int64_t tap_row(const BalOp *op, const RefDims *in, const Tap *t, int64_t ok, int64_t oh) {
    return t->at + (ok * op->stride[0] * in->h + oh * op->stride[1]) * in->w;
}

static int64_t taps(const BalOp *op) {
    return (int64_t)op->kernel[0] * op->kernel[1] * op->kernel[2];
}

/* Weights enter bfloat16 products rounded, as the arithmetic of the fast backends has it. */
static double weight(const BalOp *op, const float *w, int64_t i) {
    return op->dtype == BAL_BF16 ? bal_bf16_round(w[i]) : w[i];
}

/* acc[out space] += sum over taps of w * x for one input plane. */
static void plane_forward(const BalOp *op, const RefDims *in, const RefDims *out, const float *x, const float *w,
                          double *acc) {
    int64_t i = 0;
    for (int kk = 0; kk < op->kernel[0]; kk++)
        for (int kh = 0; kh < op->kernel[1]; kh++)
            for (int kw = 0; kw < op->kernel[2]; kw++) {
                Tap t = tap(op, in, out, kk, kh, kw);
                double f = weight(op, w, i++);
                for (int64_t ok = t.k0; ok < t.k1; ok++)
                    for (int64_t oh = t.h0; oh < t.h1; oh++) {
                        const int64_t from = tap_row(op, in, &t, ok, oh), s = op->stride[2];
                        double *a = acc + (ok * out->h + oh) * out->w;
                        for (int64_t ow = t.w0; ow < t.w1; ow++) a[ow] += f * x[from + ow * s];
                    }
            }
}

void ref_conv_forward(const RefCall *c) {
    const BalOp *op = c->op;
    const RefDims in = ref_dims(&op->in[0]), out = ref_dims(&op->out);
    const int64_t n_taps = taps(op);
#pragma omp parallel for num_threads(c->threads) schedule(static)
    for (int64_t i = 0; i < out.n * out.c; i++) {
        int64_t n = i / out.c, oc = i % out.c;
        double *acc = c->work + omp_get_thread_num() * out.space;
        for (int64_t s = 0; s < out.space; s++) acc[s] = op->bias ? c->w[1][oc] : 0;
        for (int64_t ic = 0; ic < in.c; ic++)
            plane_forward(op, &in, &out, c->x[0] + (n * in.c + ic) * in.space, c->w[0] + (oc * in.c + ic) * n_taps,
                          acc);
        for (int64_t s = 0; s < out.space; s++) {
            const double v = acc[s] + (op->residual ? c->x[1][i * out.space + s] : 0);
            c->y[i * out.space + s] = (float)(op->relu && v < 0 ? 0 : v);
        }
    }
}

/* acc[in space] += sum over taps of w * dy for one output plane. */
static void plane_data(const BalOp *op, const RefDims *in, const RefDims *out, const float *dy, const float *w,
                       double *acc) {
    int64_t i = 0;
    for (int kk = 0; kk < op->kernel[0]; kk++)
        for (int kh = 0; kh < op->kernel[1]; kh++)
            for (int kw = 0; kw < op->kernel[2]; kw++) {
                Tap t = tap(op, in, out, kk, kh, kw);
                double f = weight(op, w, i++);
                for (int64_t ok = t.k0; ok < t.k1; ok++)
                    for (int64_t oh = t.h0; oh < t.h1; oh++) {
                        const float *d = dy + (ok * out->h + oh) * out->w;
                        const int64_t to = tap_row(op, in, &t, ok, oh), s = op->stride[2];
                        for (int64_t ow = t.w0; ow < t.w1; ow++) acc[to + ow * s] += f * d[ow];
                    }
            }
}

static void conv_data(const RefCall *c, const RefDims *in, const RefDims *out) {
    const int64_t n_taps = taps(c->op);
#pragma omp parallel for num_threads(c->threads) schedule(static)
    for (int64_t i = 0; i < in->n * in->c; i++) {
        int64_t n = i / in->c, ic = i % in->c;
        double *acc = c->work + omp_get_thread_num() * in->space;
        memset(acc, 0, (size_t)in->space * sizeof *acc);
        for (int64_t oc = 0; oc < out->c; oc++)
            plane_data(c->op, in, out, c->dy + (n * out->c + oc) * out->space, c->w[0] + (oc * in->c + ic) * n_taps,
                       acc);
        for (int64_t s = 0; s < in->space; s++) c->dx[0][i * in->space + s] = (float)acc[s];
    }
}

static double tap_dot(const BalOp *op, const RefDims *in, const RefDims *out, const Tap *t, const float *x,
                      const float *dy) {
    double sum = 0;
    for (int64_t ok = t->k0; ok < t->k1; ok++)
        for (int64_t oh = t->h0; oh < t->h1; oh++) {
            const float *d = dy + (ok * out->h + oh) * out->w;
            const int64_t from = tap_row(op, in, t, ok, oh), s = op->stride[2];
#pragma omp simd reduction(+ : sum)
            for (int64_t ow = t->w0; ow < t->w1; ow++) sum += (double)d[ow] * x[from + ow * s];
        }
    return sum;
}

static void put(float *dw, bool add, double v) {
    *dw = (float)(add ? *dw + v : v);
}

static void conv_weights(const RefCall *c, const RefDims *in, const RefDims *out) {
    const BalOp *op = c->op;
    const int64_t n_taps = taps(op);
#pragma omp parallel for num_threads(c->threads) schedule(static)
    for (int64_t i = 0; i < out->c * in->c; i++) {
        int64_t oc = i / in->c, ic = i % in->c, at = i * n_taps;
        for (int kk = 0; kk < op->kernel[0]; kk++)
            for (int kh = 0; kh < op->kernel[1]; kh++)
                for (int kw = 0; kw < op->kernel[2]; kw++) {
                    Tap t = tap(op, in, out, kk, kh, kw);
                    double sum = 0;
                    for (int64_t n = 0; n < in->n; n++)
                        sum += tap_dot(op, in, out, &t, c->x[0] + (n * in->c + ic) * in->space,
                                       c->dy + (n * out->c + oc) * out->space);
                    put(&c->dw[0][at++], c->add_dw, sum);
                }
    }
}

/* Bias gradient: the sum of dy over rows and space, per channel. */
static void bias_grad(const RefCall *c, const RefDims *out) {
    for (int64_t oc = 0; oc < out->c; oc++) {
        double sum = 0;
        for (int64_t n = 0; n < out->n; n++)
            for (int64_t s = 0; s < out->space; s++) sum += c->dy[(n * out->c + oc) * out->space + s];
        put(&c->dw[1][oc], c->add_dw, sum);
    }
}

void ref_conv_backward(const RefCall *c) {
    const RefDims in = ref_dims(&c->op->in[0]), out = ref_dims(&c->op->out);
    if (c->dx[0]) conv_data(c, &in, &out);
    if (c->dw[0]) conv_weights(c, &in, &out);
    if (c->op->bias && c->dw[1]) bias_grad(c, &out);
}

/* Column k of x meets column first + k of the weight [out, columns]. */
void ref_linear_forward(const RefCall *c) {
    const BalOp *op = c->op;
    const int64_t n = op->out.dim[0], out = op->out.dim[1], in = op->in[0].dim[1];
    for (int64_t i = 0; i < n * out; i++) {
        const float *x = c->x[0] + i / out * in, *w = c->w[0] + i % out * op->columns + op->first;
        double sum = op->bias ? op->bias_share * c->w[1][i % out] : 0;
        for (int64_t k = 0; k < in; k++) sum += (double)x[k] * w[k];
        c->y[i] = (float)sum;
    }
}

void ref_linear_backward(const RefCall *c) {
    const BalOp *op = c->op;
    const int64_t n = op->out.dim[0], out = op->out.dim[1], in = op->in[0].dim[1];
    for (int64_t i = 0; c->dx[0] && i < n * in; i++) {
        double sum = 0;
        const float *w = c->w[0] + op->first + i % in;
        for (int64_t o = 0; o < out; o++) sum += (double)c->dy[i / in * out + o] * w[o * op->columns];
        c->dx[0][i] = (float)sum;
    }
    for (int64_t i = 0; c->dw[0] && i < out * in; i++) {
        double sum = 0;
        for (int64_t r = 0; r < n; r++) sum += (double)c->dy[r * out + i / in] * c->x[0][r * in + i % in];
        put(&c->dw[0][i / in * op->columns + op->first + i % in], c->add_dw, sum);
    }
    for (int64_t o = 0; op->bias && c->dw[1] && o < out; o++) {
        double sum = 0;
        for (int64_t r = 0; r < n; r++) sum += c->dy[r * out + o];
        put(&c->dw[1][o], c->add_dw, op->bias_share * sum);
    }
}
