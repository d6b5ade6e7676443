/* Batch norm with residual, ReLU and (for stems) max pool: two passes over memory forward, two backward.
 *
 * Forward: sums; then y = relu(x * scale + shift + residual). Backward: the masked gradient g, its two sums, and the residual's
 * gradient (which is g) in one pass; then dx = scale * (g - mean(g) - xhat * mean(g * xhat)). Without a residual the ReLU's mask
 * is computed again from x, so that y is not read. With a pool, its gradient is gathered slab by slab into cache.
 *
 * Threads take whole channel groups where there are enough of them: then both passes of a group run while it is in cache, and
 * nobody waits. Otherwise all threads share each group's rows and meet after its sums. Either way the order of summation is fixed
 * by the shape and the number of threads. Sums are of (x - x0) with x0 the channel's first value, so that a large mean does not
 * cancel the variance. Source: Ioffe and Szegedy 2015; eps, momentum and the unbiased running variance as in torch. */
#include <math.h>
#include <string.h>
#include "backends/onednn/onednn.h"

enum { MEAN, RSTD, SCALE, SHIFT, N_LANES };

typedef float Group[N_LANES][BAL_LANES]; /* what `saved` holds per channel group */

typedef struct Norm {
    BalOnednn *b;
    const BalOp *op;
    BalPhase phase;
    const BalArgs *a;
    BalView v, out; /* out differs from v with a pool only */
    BalPoolGeo geo;
    Group *group;                 /* [g] */
    uint8_t *index;               /* pool: [n][g][out.s][lanes] */
    double (*part)[2][BAL_LANES]; /* [g][threads]: partial sums */
    char *slab;                   /* pool: one slab of gradient per thread */
    size_t slab_bytes;
} Norm;

/* How one thread walks: groups [g0,g1), rows [n0,n1); `shared`: with the others in the same group. */
typedef struct Walk {
    int64_t g0, g1, n0, n1;
    int t, nt;
    bool shared;
} Walk;

static Walk walk_of(const Norm *m, int t, int nt) {
    Walk w = {.g1 = m->v.g, .n1 = m->v.n, .t = t, .nt = nt};
    w.shared = !(m->v.g % nt == 0 || m->v.g >= 4 * (int64_t)nt);
    if (w.shared)
        bal_share(m->v.n, t, nt, &w.n0, &w.n1);
    else
        bal_share(m->v.g, t, nt, &w.g0, &w.g1);
    return w;
}

/* This thread's partial sums of group g, zeroed. */
static double (*part_of(const Norm *m, const Walk *w, int64_t g))[BAL_LANES] {
    double(*part)[BAL_LANES] = m->part[g * w->nt + w->t];
    memset(part, 0, sizeof *m->part);
    return part;
}

/* Both sums of group g over all its rows, per lane; waits for the other threads where they share it. */
static void combine(const Norm *m, const Walk *w, int64_t g, double sum[2][BAL_LANES]) {
    if (w->shared) bal_par_barrier();
    memset(sum, 0, 2 * sizeof *sum);
    const int from = w->shared ? 0 : w->t, to = w->shared ? w->nt : w->t + 1;
    for (int t = from; t < to; t++)
        for (int q = 0; q < 2; q++)
            for (int l = 0; l < BAL_LANES; l++) sum[q][l] += m->part[g * w->nt + t][q][l];
    if (m->v.lanes == BAL_LANES) return;
    for (int q = 0; q < 2; q++) {
        double total = 0;
        for (int l = 0; l < BAL_LANES; l++) total += sum[q][l];
        for (int l = 0; l < BAL_LANES; l++) sum[q][l] = total;
    }
}

static int64_t channel(const Norm *m, int64_t g, int lane) {
    return m->v.lanes == 1 ? g : g * BAL_LANES + lane;
}

static uint8_t *index_of(const Norm *m, int64_t n, int64_t g) {
    return m->index + (n * m->out.g + g) * m->out.s * m->out.lanes;
}

/* ---- forward ---- */

static void lanes_from(const Norm *m, int64_t g, const double *mean, const double *var, Group out) {
    float gamma[BAL_LANES], beta[BAL_LANES];
    bal_spread(&m->v, m->a->w[0], g, gamma);
    bal_spread(&m->v, m->a->w[1], g, beta);
    for (int l = 0; l < BAL_LANES; l++) {
        const double rstd = 1 / sqrt(var[l] + m->op->eps);
        out[MEAN][l] = (float)mean[l];
        out[RSTD][l] = (float)rstd;
        out[SCALE][l] = (float)(gamma[l] * rstd);
        out[SHIFT][l] = (float)(beta[l] - mean[l] * gamma[l] * rstd);
    }
}

/* Mean and variance of the batch; moves the running statistics. */
static void batch_lanes(const Norm *m, const Walk *w, int64_t g, Group out) {
    float first[BAL_LANES];
    double(*part)[BAL_LANES] = part_of(m, w, g), sum[2][BAL_LANES], mean[BAL_LANES], var[BAL_LANES];
    const void *x0 = bal_slab(&m->v, m->a->x[0], 0, g);
    for (int l = 0; l < BAL_LANES; l++) first[l] = bal_get(x0, m->v.lanes == 1 ? 0 : l, m->v.bf16);
    for (int64_t n = w->n0; n < w->n1; n++)
        m->b->loops->stats(bal_slab(&m->v, m->a->x[0], n, g), m->v.s * m->v.lanes, m->v.bf16, first, part[0], part[1]);
    combine(m, w, g, sum);
    const double count = (double)(m->v.n * m->v.s);
    for (int l = 0; l < BAL_LANES; l++) {
        const double off = sum[0][l] / count, v = sum[1][l] / count - off * off;
        mean[l] = first[l] + off;
        var[l] = v > 0 || isnan(v) ? v : 0;
    }
    lanes_from(m, g, mean, var, out);
    if (w->shared && w->t != 0) return;
    const double keep = 1 - m->a->momentum, move = m->a->momentum, unbiased = count > 1 ? count / (count - 1) : 1;
    for (int l = 0; l < m->v.lanes; l++) {
        float *mean_run = &m->a->state[0][channel(m, g, l)], *var_run = &m->a->state[1][channel(m, g, l)];
        *mean_run = (float)(keep * *mean_run + move * mean[l]);
        *var_run = (float)(keep * *var_run + move * var[l] * unbiased);
    }
}

static void running_lanes(const Norm *m, int64_t g, Group out) {
    double mean[BAL_LANES], var[BAL_LANES];
    for (int l = 0; l < BAL_LANES; l++) {
        mean[l] = m->a->state[0][channel(m, g, l)];
        var[l] = m->a->state[1][channel(m, g, l)];
    }
    lanes_from(m, g, mean, var, out);
}

static void forward_slab(const Norm *m, int64_t n, int64_t g, Group lanes) {
    const BalLoops *f = m->b->loops;
    const void *x = bal_slab(&m->v, m->a->x[0], n, g);
    void *y = bal_slab(&m->out, m->a->y, n, g);
    if (m->op->pool) {
        f->maxpool(&m->geo, x, y, m->phase == BAL_FWD_EVAL ? NULL : index_of(m, n, g), m->v.bf16, lanes[SCALE],
                   lanes[SHIFT]);
        return;
    }
    f->apply(x, m->op->residual ? bal_slab(&m->v, m->a->x[1], n, g) : NULL, y, m->v.s * m->v.lanes, m->v.bf16,
             lanes[SCALE], lanes[SHIFT], m->op->relu ? 0 : -INFINITY);
}

static void forward_part(void *arg, int t, int nt) {
    const Norm *m = arg;
    const Walk w = walk_of(m, t, nt);
    for (int64_t g = w.g0; g < w.g1; g++) {
        Group lanes;
        if (m->phase == BAL_FWD_TRAIN)
            batch_lanes(m, &w, g, lanes);
        else
            running_lanes(m, g, lanes);
        if (m->phase != BAL_FWD_EVAL && (!w.shared || t == 0)) memcpy(m->group[g], lanes, sizeof lanes);
        for (int64_t n = w.n0; n < w.n1; n++) forward_slab(m, n, g, lanes);
    }
}

/* ---- backward ---- */

/* What the passes over slab (n, g) read. A pool's gradient is gathered into this thread's slab first. */
static BalSlabGrad grad_of(const Norm *m, const Walk *w, int64_t n, int64_t g, bool second) {
    const BalArgs *a = m->a;
    const BalOp *op = m->op;
    BalSlabGrad s = {.x = bal_slab(&m->v, a->x[0], n, g),
                     .scale = m->group[g][SCALE],
                     .shift = m->group[g][SHIFT],
                     .mean = m->group[g][MEAN]};
    if (second && a->dx[1]) { /* the first pass left the masked sum here */
        s.dy[0] = bal_slab(&m->v, a->dx[1], n, g);
        return s;
    }
    const void *dy1 = a->dy[1] ? bal_slab(&m->out, a->dy[1], n, g) : NULL;
    s.dy[0] = bal_slab(&m->out, a->dy[0], n, g);
    if (op->pool) {
        void *slab = m->slab + (size_t)w->t * m->slab_bytes;
        m->b->loops->maxpool_grad(&m->geo, s.dy[0], dy1, index_of(m, n, g), slab, m->v.bf16);
        s.dy[0] = slab;
    } else {
        s.dy[1] = dy1;
    }
    s.relu = (op->relu || op->pool) && !op->residual;
    if (op->relu && op->residual) s.y = bal_slab(&m->v, a->y, n, g);
    if (a->dx[1]) s.g = bal_slab(&m->v, a->dx[1], n, g);
    return s;
}

static void backward_params(const Norm *m, int64_t g, double sum[2][BAL_LANES]) {
    const BalArgs *a = m->a;
    for (int l = 0; l < m->v.lanes; l++) {
        const int64_t c = channel(m, g, l);
        const float d_gamma = (float)(sum[1][l] * m->group[g][RSTD][l]), d_beta = (float)sum[0][l];
        if (a->dw[0]) a->dw[0][c] = d_gamma + (a->add_dw ? a->dw[0][c] : 0);
        if (a->dw[1]) a->dw[1][c] = d_beta + (a->add_dw ? a->dw[1][c] : 0);
    }
}

static void backward_part(void *arg, int t, int nt) {
    const Norm *m = arg;
    const Walk w = walk_of(m, t, nt);
    const double count = (double)(m->v.n * m->v.s);
    for (int64_t g = w.g0; g < w.g1; g++) {
        double(*part)[BAL_LANES] = part_of(m, &w, g), sum[2][BAL_LANES];
        for (int64_t n = w.n0; n < w.n1; n++) {
            const BalSlabGrad s = grad_of(m, &w, n, g, false);
            m->b->loops->grad_sums(&s, m->v.s * m->v.lanes, m->v.bf16, part[0], part[1]);
        }
        combine(m, &w, g, sum);
        if (!w.shared || t == 0) backward_params(m, g, sum);
        if (!m->a->dx[0]) continue;
        float a[BAL_LANES] = {0}, b[BAL_LANES] = {0};
        for (int l = 0; l < BAL_LANES && m->phase == BAL_BWD_TRAIN; l++) {
            const double scale = m->group[g][SCALE][l], rstd = m->group[g][RSTD][l];
            a[l] = (float)(-scale * rstd * rstd * sum[1][l] / count);
            b[l] = (float)(-scale * sum[0][l] / count);
        }
        for (int64_t n = w.n0; n < w.n1; n++) {
            const BalSlabGrad s = grad_of(m, &w, n, g, true);
            m->b->loops->grad_apply(&s, bal_slab(&m->v, m->a->dx[0], n, g), m->v.s * m->v.lanes, m->v.bf16,
                                    m->group[g][SCALE], a, b);
        }
    }
}

/* ---- the kernel ---- */

/* saved: groups, then the pool's index. scratch: partial sums, then a slab per thread for the pool's gradient. */
static Norm norm_of(BalOnednn *b, const BalKernel *k, const BalArgs *a) {
    Norm m = {.b = b, .op = &k->op, .phase = k->phase, .a = a};
    m.v = bal_view(&k->op.in[0], k->op.dtype);
    m.out = bal_view(&k->op.out, k->op.dtype);
    if (k->op.pool) m.geo = bal_pool_geo(&k->op);
    m.slab_bytes = k->op.pool ? bal_round64((size_t)(m.v.s * m.v.lanes) * (m.v.bf16 ? 2 : 4)) : 0;
    if (!a) return m;
    m.group = (Group *)a->saved;
    m.index = (uint8_t *)a->saved + (size_t)m.v.g * sizeof(Group);
    m.part = (double(*)[2][BAL_LANES])a->scratch;
    m.slab = (char *)a->scratch + (size_t)m.v.g * (size_t)b->threads * sizeof *m.part;
    return m;
}

static BalStatus bn_run(BalOnednn *b, BalKernel *k, const BalArgs *a, BalError *err) {
    (void)err;
    Norm m = norm_of(b, k, a);
    bal_par(b->threads, bal_is_backward(k->phase) ? backward_part : forward_part, &m);
    return BAL_OK;
}

BalStatus bal_onednn_bn(BalOnednn *b, BalKernel *k, BalKernelNeeds *needs, BalError *err) {
    (void)err;
    const Norm m = norm_of(b, k, NULL);
    k->run = bn_run;
    needs->scratch_bytes = (size_t)m.v.g * (size_t)b->threads * sizeof *m.part +
                           (bal_is_backward(k->phase) ? (size_t)b->threads * m.slab_bytes : 0);
    if (k->phase == BAL_FWD_EVAL) return BAL_OK;
    needs->saved_bytes = (size_t)m.v.g * sizeof(Group);
    if (k->op.pool) needs->saved_bytes += bal_round64((size_t)bal_view_count(&m.out));
    return BAL_OK;
}
