/* Weight gradients of blocked convolutions as sums of outer products, by our own kernel.
 *
 * For one 16x16 block of dw (output group, input group, tap) the gradient is the sum over rows and positions of x (x) dy: 16
 * vectors that stay in registers while the sum runs over a whole chunk of rows. oneDNN's kernels go through dw once per row
 * instead, which for small maps with many channels (512 channels of 2x2: 9 MB of dw) is all they do, and they multiply the padding
 * as well. In bf16 two rows are interleaved, so that the dot-product instruction sums them.
 *
 * Chunks of rows are first packed so that a group's rows lie side by side ([group][row][position][16]); without that, rows are
 * a power of two apart and fight for the same cache sets. Each block of dw belongs to one thread: no reduction, and the result
 * does not depend on the number of threads. */
#include <string.h>
#include "backends/onednn/onednn.h"
#include "base/mem.h"

enum { CHUNK_BYTES = 1024 << 10 }; /* of packed x and of packed dy */

typedef struct BalOuter {
    BalRun *runs;
    int *first;     /* [taps + 1]: runs of each tap */
    int taps, unit; /* unit: rows that are packed together: 1 float32, 2 bf16 */
    int64_t chunk;  /* rows per chunk, a multiple of unit */
    size_t x_bytes, dy_bytes;
} BalOuter;

/* The runs of tap (a, b, c): output rows whose input lies inside, cut to the valid columns. */
static void list_runs(const BalOp *op, const int tap[3], BalRun *runs, int *n) {
    const BalPoolGeo p = bal_pool_geo(op);
    for (int k = 0; k < p.out[0]; k++)
        for (int h = 0; h < p.out[1]; h++) {
            const int ik = k * p.stride[0] - p.pad[0] + tap[0], ih = h * p.stride[1] - p.pad[1] + tap[1];
            int from = 0, to = p.out[2];
            while (from < to && from * p.stride[2] - p.pad[2] + tap[2] < 0) from++;
            while (to > from && (to - 1) * p.stride[2] - p.pad[2] + tap[2] >= p.in[2]) to--;
            if (ik < 0 || ik >= p.in[0] || ih < 0 || ih >= p.in[1] || from == to) continue;
            runs[(*n)++] = (BalRun){.x = (ik * p.in[1] + ih) * p.in[2] + from * p.stride[2] - p.pad[2] + tap[2],
                                    .dy = (k * p.out[1] + h) * p.out[2] + from,
                                    .n = to - from,
                                    .step = p.stride[2]};
        }
}

void bal_outer_destroy(BalOuter *o) {
    if (!o) return;
    bal_free(o->runs);
    bal_free(o->first);
    bal_free(o);
}

BalStatus bal_outer_create(BalOuter **out, const BalOp *op, size_t *scratch_bytes, BalError *err) {
    const BalPoolGeo p = bal_pool_geo(op);
    const BalView x = bal_view(&op->in[0], op->dtype), dy = bal_view(&op->out, op->dtype);
    BalOuter *o = NULL;
    BalStatus rc;
    int n = 0;
    BAL_TRY(bal_alloc(&o, 1, sizeof *o, err));
    o->taps = p.kernel[0] * p.kernel[1] * p.kernel[2];
    o->unit = x.bf16 ? 2 : 1;
    BAL_TRY_OR(fail, bal_alloc(&o->runs, (size_t)o->taps * (size_t)(p.out[0] * p.out[1]), sizeof *o->runs, err));
    BAL_TRY_OR(fail, bal_alloc(&o->first, (size_t)o->taps + 1, sizeof *o->first, err));
    for (int t = 0; t < o->taps; t++) {
        const int tap[3] = {t / (p.kernel[1] * p.kernel[2]), t / p.kernel[2] % p.kernel[1], t % p.kernel[2]};
        list_runs(op, tap, o->runs, &n);
        o->first[t + 1] = n;
    }
    const int64_t size = x.bf16 ? 2 : 4, row = (x.g * x.s > dy.g * dy.s ? x.g * x.s : dy.g * dy.s) * BAL_LANES * size;
    o->chunk = CHUNK_BYTES / row / o->unit * o->unit;
    o->chunk = o->chunk < o->unit ? o->unit : o->chunk;
    if (o->chunk > x.n) o->chunk = (x.n + o->unit - 1) / o->unit * o->unit;
    o->x_bytes = bal_round64((size_t)(o->chunk * x.g * x.s * BAL_LANES * size));
    o->dy_bytes = bal_round64((size_t)(o->chunk * dy.g * dy.s * BAL_LANES * size));
    *scratch_bytes = o->x_bytes + o->dy_bytes;
    *out = o;
    return BAL_OK;
fail:
    bal_outer_destroy(o);
    return rc;
}

typedef struct Work {
    const BalOnednn *b;
    const BalOuter *o;
    BalView x, dy;
    const void *x_in, *dy_in;
    char *x_packed, *dy_packed;
    float *dw;
    bool add;
} Work;

/* Rows [n, n + rows) of group g, side by side; in bf16 as pairs of rows, an odd last one paired with zeros. */
static void pack(const Work *w, const BalView *v, const void *from, char *to, int64_t n, int64_t rows, int64_t g) {
    const int64_t count = v->s * BAL_LANES, unit = w->o->unit;
    const int64_t units = (rows + unit - 1) / unit;
    for (int64_t u = 0; u < units; u++) {
        char *at = to + (size_t)((g * units + u) * count * unit) * (v->bf16 ? 2 : 4);
        const void *a = bal_slab(v, from, n + u * unit, g);
        if (!v->bf16)
            memcpy(at, a, (size_t)count * sizeof(float));
        else
            w->b->loops->pair(a, 2 * u + 1 < rows ? bal_slab(v, from, n + 2 * u + 1, g) : NULL, (uint16_t *)at, count);
    }
}

static void block(const Work *w, int64_t units, int64_t og, int64_t ig, bool add) {
    const BalOuter *o = w->o;
    const size_t size = 4; /* a float, or a pair of bf16 */
    const char *x = w->x_packed + (size_t)(ig * units * w->x.s * BAL_LANES) * size;
    const char *dy = w->dy_packed + (size_t)(og * units * w->dy.s * BAL_LANES) * size;
    float *dw = w->dw + (og * w->x.g + ig) * o->taps * 256;
    for (int t = 0; t < o->taps; t++)
        w->b->loops->outer(x, dy, w->x.bf16, units, w->x.s, w->dy.s, o->runs + o->first[t],
                           o->first[t + 1] - o->first[t], dw + t * 256, add);
}

static void outer_part(void *arg, int t, int nt) {
    const Work *w = arg;
    for (int64_t n = 0; n < w->x.n; n += w->o->chunk) {
        const int64_t rows = w->x.n - n < w->o->chunk ? w->x.n - n : w->o->chunk;
        const int64_t units = (rows + w->o->unit - 1) / w->o->unit;
        int64_t from, to;
        bal_share(w->x.g, t, nt, &from, &to);
        for (int64_t g = from; g < to; g++) pack(w, &w->x, w->x_in, w->x_packed, n, rows, g);
        bal_share(w->dy.g, t, nt, &from, &to);
        for (int64_t g = from; g < to; g++) pack(w, &w->dy, w->dy_in, w->dy_packed, n, rows, g);
        bal_par_barrier();
        bal_share(w->dy.g * w->x.g, t, nt, &from, &to);
        for (int64_t i = from; i < to; i++) block(w, units, i / w->x.g, i % w->x.g, w->add || n > 0);
        bal_par_barrier();
    }
}

void bal_outer_run(const BalOnednn *b, const BalOuter *o, const BalOp *op, const BalArgs *a) {
    Work w = {.b = b,
              .o = o,
              .x = bal_view(&op->in[0], op->dtype),
              .dy = bal_view(&op->out, op->dtype),
              .x_in = a->x[0],
              .dy_in = a->dy[0],
              .x_packed = a->scratch,
              .dy_packed = (char *)a->scratch + o->x_bytes,
              .dw = a->dw[0],
              .add = a->add_dw};
    bal_par(b->threads, outer_part, &w);
}
