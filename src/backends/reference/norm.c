/* Batch norm with its fused residual, ReLU and max pool; pools; the mean over a clip. */
#include <math.h>
#include <string.h>
#include "backends/reference/reference.h"

/* ---- batch norm ---- saved: mean [C], 1/std [C] as doubles; with pool then the index of each maximum, -1 where it is not positive */
typedef struct Sums {
    double mean, var;
} Sums;

static Sums channel_sums(const float *x, const RefDims *d, int64_t ch) {
    const double count = (double)(d->n * d->space);
    Sums s = {0, 0};
    for (int64_t n = 0; n < d->n; n++)
        for (int64_t i = 0; i < d->space; i++) s.mean += x[(n * d->c + ch) * d->space + i];
    s.mean /= count;
    for (int64_t n = 0; n < d->n; n++)
        for (int64_t i = 0; i < d->space; i++) {
            double v = x[(n * d->c + ch) * d->space + i] - s.mean;
            s.var += v * v;
        }
    s.var /= count;
    return s;
}

static void statistics(const RefCall *c, const RefDims *d, double *mean, double *istd) {
    for (int64_t ch = 0; ch < d->c; ch++) {
        Sums s = {c->state[0][ch], c->state[1][ch]};
        if (c->phase == BAL_FWD_TRAIN) {
            s = channel_sums(c->x[0], d, ch);
            const double count = (double)(d->n * d->space), m = c->momentum;
            const double unbiased = count > 1 ? s.var * count / (count - 1) : s.var;
            c->state[0][ch] = (float)((1 - m) * c->state[0][ch] + m * s.mean);
            c->state[1][ch] = (float)((1 - m) * c->state[1][ch] + m * unbiased);
        }
        mean[ch] = s.mean;
        istd[ch] = 1 / sqrt(s.var + c->op->eps);
    }
}

static void normalise(const RefCall *c, const RefDims *d, const double *mean, const double *istd, float *y) {
#pragma omp parallel for num_threads(c->threads) schedule(static)
    for (int64_t p = 0; p < d->n * d->c; p++) {
        const int64_t ch = p % d->c;
        const double a = c->w[0][ch] * istd[ch], b = c->w[1][ch] - mean[ch] * a;
        for (int64_t i = p * d->space; i < (p + 1) * d->space; i++) {
            double v = a * c->x[0][i] + b + (c->op->residual ? c->x[1][i] : 0);
            y[i] = (float)(c->op->relu && v < 0 ? 0 : v);
        }
    }
}

static void pool_max(const BalOp *op, const RefDims *in, const RefDims *out, const float *x, float *y, int32_t *index,
                     int threads);

void ref_bn_forward(const RefCall *c) {
    const RefDims d = ref_dims(&c->op->in[0]), out = ref_dims(&c->op->out);
    double *mean = c->saved ? c->saved : c->work, *istd = mean + d.c;
    statistics(c, &d, mean, istd);
    if (!c->op->pool) {
        normalise(c, &d, mean, istd, c->y);
        return;
    }
    float *z = (float *)(c->work + 2 * d.c);
    normalise(c, &d, mean, istd, z);
    int32_t *index = c->saved ? (int32_t *)(istd + d.c) : NULL;
    pool_max(c->op, &d, &out, z, c->y, index, c->threads);
    for (int64_t i = 0; index && i < out.n * out.c * out.space; i++)
        if (!(c->y[i] > 0)) index[i] = -1;
}

/* Gradient after the ReLU's mask; y: what forward wrote, or NULL where the gradient is masked already. */
static double masked(const float *dy, const float *y, int64_t i) {
    return y && !(y[i] > 0) ? 0 : dy[i];
}

static void channel_backward(const RefCall *c, const RefDims *d, int64_t ch, const float *dy, const float *y) {
    const double *mean = c->saved, *istd = mean + d->c;
    const double count = (double)(d->n * d->space), m = mean[ch], r = istd[ch];
    double sum = 0, dot = 0;
    for (int64_t n = 0; n < d->n; n++)
        for (int64_t s = 0, i = (n * d->c + ch) * d->space; s < d->space; s++, i++) {
            double g = masked(dy, y, i);
            sum += g;
            dot += g * (c->x[0][i] - m) * r;
        }
    const bool batch = c->phase == BAL_BWD_TRAIN;
    const double scale = c->w[0][ch] * r, a = batch ? sum / count : 0, b = batch ? dot / count : 0;
    for (int64_t n = 0; n < d->n; n++)
        for (int64_t s = 0, i = (n * d->c + ch) * d->space; s < d->space; s++, i++) {
            double g = masked(dy, y, i);
            if (c->dx[0]) c->dx[0][i] = (float)(scale * (g - a - (c->x[0][i] - m) * r * b));
            if (c->op->residual && c->dx[1]) c->dx[1][i] = (float)g;
        }
    if (c->dw[0]) c->dw[0][ch] = (float)(c->add_dw ? c->dw[0][ch] + dot : dot);
    if (c->dw[1]) c->dw[1][ch] = (float)(c->add_dw ? c->dw[1][ch] + sum : sum);
}

/* dL/d(relu(bn(x))) from the pooled gradient: where no maximum was positive the ReLU passes nothing. */
static const float *unpool(const RefCall *c, const RefDims *d) {
    const RefDims out = ref_dims(&c->op->out);
    const int32_t *index = (const int32_t *)((const double *)c->saved + 2 * d->c);
    float *g = (float *)(c->work + 2 * d->c);
    memset(g, 0, (size_t)(d->n * d->c * d->space) * sizeof *g);
    for (int64_t i = 0; i < out.n * out.c * out.space; i++)
        if (index[i] >= 0) g[i / out.space * d->space + index[i]] += c->dy[i];
    return g;
}

void ref_bn_backward(const RefCall *c) {
    const RefDims d = ref_dims(&c->op->in[0]);
    const float *dy = c->op->pool ? unpool(c, &d) : c->dy;
    const float *y = c->op->relu && !c->op->pool ? c->y : NULL;
#pragma omp parallel for num_threads(c->threads) schedule(static)
    for (int64_t ch = 0; ch < d.c; ch++) channel_backward(c, &d, ch, dy, y);
}

/* ---- pools ---- */
typedef struct Window { /* [0] lowest, [1] one past the highest input index on K, H, W */
    int64_t k[2], h[2], w[2];
} Window;

static void clip_axis(int64_t o, int kernel, int stride, int pad, int64_t size, int64_t out[2]) {
    int64_t from = o * stride - pad, to = from + kernel;
    out[0] = from < 0 ? 0 : from;
    out[1] = to > size ? size : to;
}

static Window window(const BalOp *op, const RefDims *in, const RefDims *out, int64_t at) {
    Window w;
    clip_axis(at / (out->h * out->w), op->kernel[0], op->stride[0], op->pad[0], in->k, w.k);
    clip_axis(at / out->w % out->h, op->kernel[1], op->stride[1], op->pad[1], in->h, w.h);
    clip_axis(at % out->w, op->kernel[2], op->stride[2], op->pad[2], in->w, w.w);
    return w;
}

static int32_t window_max(const float *x, const RefDims *in, const Window *w) {
    int64_t best = -1;
    for (int64_t k = w->k[0]; k < w->k[1]; k++)
        for (int64_t h = w->h[0]; h < w->h[1]; h++)
            for (int64_t i = w->w[0]; i < w->w[1]; i++) {
                int64_t at = (k * in->h + h) * in->w + i;
                if (best < 0 || x[at] > x[best] || isnan(x[at])) best = at;
            }
    return (int32_t)best;
}

static void pool_max(const BalOp *op, const RefDims *in, const RefDims *out, const float *x, float *y, int32_t *index,
                     int threads) {
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int64_t p = 0; p < out->n * out->c; p++)
        for (int64_t s = 0; s < out->space; s++) {
            Window w = window(op, in, out, s);
            int32_t best = window_max(x + p * in->space, in, &w);
            y[p * out->space + s] = x[p * in->space + best];
            if (index) index[p * out->space + s] = best;
        }
}

void ref_maxpool_forward(const RefCall *c) {
    const RefDims in = ref_dims(&c->op->in[0]), out = ref_dims(&c->op->out);
    pool_max(c->op, &in, &out, c->x[0], c->y, c->saved, c->threads);
}

void ref_maxpool_backward(const RefCall *c) {
    const RefDims in = ref_dims(&c->op->in[0]), out = ref_dims(&c->op->out);
    const int32_t *index = c->saved;
    memset(c->dx[0], 0, (size_t)(in.n * in.c * in.space) * sizeof *c->dx[0]);
    for (int64_t i = 0; i < out.n * out.c * out.space; i++) c->dx[0][i / out.space * in.space + index[i]] += c->dy[i];
}

static double window_sum(const float *x, const RefDims *in, const Window *w) {
    double sum = 0;
    for (int64_t k = w->k[0]; k < w->k[1]; k++)
        for (int64_t h = w->h[0]; h < w->h[1]; h++)
            for (int64_t i = w->w[0]; i < w->w[1]; i++) sum += x[(k * in->h + h) * in->w + i];
    return sum;
}

static double volume(const BalOp *op) {
    return (double)op->kernel[0] * op->kernel[1] * op->kernel[2];
}

void ref_avgpool_forward(const RefCall *c) {
    const RefDims in = ref_dims(&c->op->in[0]), out = ref_dims(&c->op->out);
    for (int64_t i = 0; i < out.n * out.c * out.space; i++) {
        Window w = window(c->op, &in, &out, i % out.space);
        c->y[i] = (float)(window_sum(c->x[0] + i / out.space * in.space, &in, &w) / volume(c->op));
    }
}

void ref_avgpool_backward(const RefCall *c) {
    const RefDims in = ref_dims(&c->op->in[0]), out = ref_dims(&c->op->out);
    memset(c->dx[0], 0, (size_t)(in.n * in.c * in.space) * sizeof *c->dx[0]);
    for (int64_t i = 0; i < out.n * out.c * out.space; i++) {
        Window w = window(c->op, &in, &out, i % out.space);
        float *dx = c->dx[0] + i / out.space * in.space, g = (float)(c->dy[i] / volume(c->op));
        for (int64_t k = w.k[0]; k < w.k[1]; k++)
            for (int64_t h = w.h[0]; h < w.h[1]; h++)
                for (int64_t x = w.w[0]; x < w.w[1]; x++) dx[(k * in.h + h) * in.w + x] += g;
    }
}

/* ---- mean over space and the rows of a clip: [n*rows,C,...] -> [n,C] ---- */
void ref_mean_forward(const RefCall *c) {
    const RefDims in = ref_dims(&c->op->in[0]);
    const int64_t rows = c->op->rows;
    for (int64_t i = 0; i < in.n / rows * in.c; i++) {
        const int64_t n = i / in.c, ch = i % in.c;
        double sum = 0;
        for (int64_t r = n * rows; r < (n + 1) * rows; r++)
            for (int64_t s = 0; s < in.space; s++) sum += c->x[0][(r * in.c + ch) * in.space + s];
        c->y[i] = (float)(sum / (double)(rows * in.space));
    }
}

void ref_mean_backward(const RefCall *c) {
    const RefDims in = ref_dims(&c->op->in[0]);
    const double share = 1.0 / (double)(c->op->rows * in.space);
    for (int64_t p = 0; p < in.n * in.c; p++) {
        const float g = (float)(c->dy[p / in.c / c->op->rows * in.c + p % in.c] * share);
        for (int64_t s = 0; s < in.space; s++) c->dx[0][p * in.space + s] = g;
    }
}
