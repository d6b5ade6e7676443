/* Pools: max (with the winner's tap as one byte), average, and the mean over space and a clip's rows. */
#include <string.h>
#include "backends/onednn/onednn.h"

BalPoolGeo bal_pool_geo(const BalOp *op) {
    BalPoolGeo p = {.lanes = bal_is_blocked(&op->in[0]) ? BAL_LANES : 1};
    for (int i = 0; i < 3; i++) {
        const int at = op->in[0].rank - 3 + i; /* of K, H, W among the dimensions */
        p.in[i] = at >= 2 ? (int)op->in[0].dim[at] : 1;
        p.out[i] = at >= 2 ? (int)op->out.dim[at] : 1;
        p.kernel[i] = at >= 2 ? op->kernel[i] : 1;
        p.stride[i] = at >= 2 ? op->stride[i] : 1;
        p.pad[i] = at >= 2 ? op->pad[i] : 0;
    }
    return p;
}

typedef struct Pool {
    const BalOnednn *b;
    const BalKernel *k;
    const BalArgs *a;
    BalView in, out;
    BalPoolGeo geo;
} Pool;

static Pool pool_of(const BalOnednn *b, const BalKernel *k, const BalArgs *a) {
    return (Pool){
        b, k, a, bal_view(&k->op.in[0], k->op.dtype), bal_view(&k->op.out, k->op.dtype), bal_pool_geo(&k->op)};
}

/* ---- max ---- */

static void maxpool_part(void *arg, int t, int nt) {
    const Pool *p = arg;
    int64_t from, to;
    bal_share(p->in.n * p->in.g, t, nt, &from, &to);
    for (int64_t i = from; i < to; i++) {
        uint8_t *index = (uint8_t *)p->a->saved + i * p->out.s * p->out.lanes;
        if (bal_is_backward(p->k->phase))
            p->b->loops->maxpool_grad(&p->geo, bal_slab(&p->out, p->a->dy[0], 0, i),
                                      p->a->dy[1] ? bal_slab(&p->out, p->a->dy[1], 0, i) : NULL, index,
                                      bal_slab(&p->in, p->a->dx[0], 0, i), p->in.bf16);
        else
            p->b->loops->maxpool(&p->geo, bal_slab(&p->in, p->a->x[0], 0, i), bal_slab(&p->out, p->a->y, 0, i),
                                 p->k->phase == BAL_FWD_EVAL ? NULL : index, p->in.bf16, NULL, NULL);
    }
}

static BalStatus maxpool_run(BalOnednn *b, BalKernel *k, const BalArgs *a, BalError *err) {
    (void)err;
    Pool p = pool_of(b, k, a);
    if (!bal_is_backward(k->phase) || a->dx[0]) bal_par(b->threads, maxpool_part, &p);
    return BAL_OK;
}

BalStatus bal_onednn_maxpool(BalOnednn *b, BalKernel *k, BalKernelNeeds *needs, BalError *err) {
    (void)err;
    const Pool p = pool_of(b, k, NULL);
    k->run = maxpool_run;
    if (k->phase != BAL_FWD_EVAL) needs->saved_bytes = bal_round64((size_t)bal_view_count(&p.out));
    return BAL_OK;
}

/* ---- average ---- */

/* Visit every (input, output) position pair of a slab: forward sums inputs, backward spreads outputs. Padding counts. */
static void avgpool_slab(const Pool *p, const void *x, void *y, bool backward) {
    const BalPoolGeo *g = &p->geo;
    const int lanes = g->lanes;
    const float inv = 1.0f / (float)(g->kernel[0] * g->kernel[1] * g->kernel[2]);
    const int *from = backward ? g->in : g->out, *over = backward ? g->out : g->in;
    int64_t at = 0;
    for (int a = 0; a < from[0]; a++)
        for (int b = 0; b < from[1]; b++)
            for (int c = 0; c < from[2]; c++, at++) {
                const int pos[3] = {a, b, c};
                int first[3], last[3];
                for (int i = 0; i < 3; i++) {
                    const int low =
                        backward ? pos[i] + g->pad[i] - g->kernel[i] + 1 : pos[i] * g->stride[i] - g->pad[i];
                    first[i] = backward && low > 0 ? (low + g->stride[i] - 1) / g->stride[i] : low;
                    last[i] = backward ? (pos[i] + g->pad[i]) / g->stride[i] : low + g->kernel[i] - 1;
                    first[i] = first[i] < 0 ? 0 : first[i];
                    last[i] = last[i] >= over[i] ? over[i] - 1 : last[i];
                }
                float sum[BAL_LANES] = {0};
                for (int d = first[0]; d <= last[0]; d++)
                    for (int e = first[1]; e <= last[1]; e++)
                        for (int f = first[2]; f <= last[2]; f++)
                            for (int l = 0; l < lanes; l++)
                                sum[l] +=
                                    bal_get(x, (((int64_t)d * over[1] + e) * over[2] + f) * lanes + l, p->in.bf16);
                for (int l = 0; l < lanes; l++) bal_put(y, at * lanes + l, p->in.bf16, sum[l] * inv);
            }
}

static void avgpool_part(void *arg, int t, int nt) {
    const Pool *p = arg;
    int64_t from, to;
    bal_share(p->in.n * p->in.g, t, nt, &from, &to);
    for (int64_t i = from; i < to; i++)
        if (bal_is_backward(p->k->phase))
            avgpool_slab(p, bal_slab(&p->out, p->a->dy[0], 0, i), bal_slab(&p->in, p->a->dx[0], 0, i), true);
        else
            avgpool_slab(p, bal_slab(&p->in, p->a->x[0], 0, i), bal_slab(&p->out, p->a->y, 0, i), false);
}

static BalStatus avgpool_run(BalOnednn *b, BalKernel *k, const BalArgs *a, BalError *err) {
    (void)err;
    Pool p = pool_of(b, k, a);
    if (!bal_is_backward(k->phase) || a->dx[0]) bal_par(b->threads, avgpool_part, &p);
    return BAL_OK;
}

BalStatus bal_onednn_avgpool(BalOnednn *b, BalKernel *k, BalKernelNeeds *needs, BalError *err) {
    (void)b;
    (void)needs;
    (void)err;
    k->run = avgpool_run;
    return BAL_OK;
}

/* ---- mean over space and rows: [clips * rows, C, ...] -> [clips, C] ---- */

static void mean_group(const Pool *p, int64_t clip, int64_t g) {
    static const float zero[BAL_LANES];
    const int64_t rows = p->k->op.rows;
    double sum[BAL_LANES] = {0}, unused[BAL_LANES] = {0};
    for (int64_t r = 0; r < rows; r++)
        p->b->loops->stats(bal_slab(&p->in, p->a->x[0], clip * rows + r, g), p->in.s * p->in.lanes, p->in.bf16, zero,
                           sum, unused);
    float *y = (float *)p->a->y + (clip * p->in.g + g) * p->in.lanes;
    const double count = (double)(rows * p->in.s);
    if (p->in.lanes == 1)
        for (int l = 1; l < BAL_LANES; l++) sum[0] += sum[l];
    for (int l = 0; l < p->in.lanes; l++) y[l] = (float)(sum[l] / count);
}

static void mean_group_grad(const Pool *p, int64_t clip, int64_t g) {
    const int64_t rows = p->k->op.rows;
    const float *dy = (const float *)p->a->dy[0] + clip * p->in.g * p->in.lanes, inv = 1.0f / (float)(rows * p->in.s);
    float lanes[BAL_LANES];
    bal_spread(&p->in, dy, g, lanes);
    for (int l = 0; l < BAL_LANES; l++) lanes[l] *= inv;
    for (int64_t r = 0; r < rows; r++)
        p->b->loops->fill(bal_slab(&p->in, p->a->dx[0], clip * rows + r, g), p->in.s * p->in.lanes, p->in.bf16, lanes);
}

static void mean_part(void *arg, int t, int nt) {
    const Pool *p = arg;
    int64_t from, to;
    bal_share(p->out.n * p->in.g, t, nt, &from, &to);
    for (int64_t i = from; i < to; i++)
        if (bal_is_backward(p->k->phase))
            mean_group_grad(p, i / p->in.g, i % p->in.g);
        else
            mean_group(p, i / p->in.g, i % p->in.g);
}

static BalStatus mean_run(BalOnednn *b, BalKernel *k, const BalArgs *a, BalError *err) {
    (void)err;
    Pool p = pool_of(b, k, a);
    if (!bal_is_backward(k->phase) || a->dx[0]) bal_par(b->threads, mean_part, &p);
    return BAL_OK;
}

BalStatus bal_onednn_mean(BalOnednn *b, BalKernel *k, BalKernelNeeds *needs, BalError *err) {
    (void)b;
    (void)needs;
    (void)err;
    k->run = mean_run;
    return BAL_OK;
}
