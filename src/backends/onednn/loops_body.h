/* The loops of loops.h, compiled once per instruction set: isa_*.c defines LOOPS (the table's name), then includes this. */
#include <math.h>
#include "backends/onednn/lanes.h"
#include "backends/onednn/winograd_body.h"

#define FLUSH 1024 /* elements per lane-wise float sum = 64 vectors in each of 4 chains */

/* ---- batch norm and everything that is y = f(x * scale + shift + r) ---- */

INLINE void stats_of(const void *x, int64_t n, const bool bf16, const float *at, double *sum, double *sq) {
    const V16 k = load(at, 0, false);
    int64_t i = 0;
    while (n - i >= 64) {
        V16 s[4] = {0}, q[4] = {0};
        const int64_t end = n - i < 4 * FLUSH ? i + (n - i) / 64 * 64 : i + 4 * FLUSH;
        for (; i < end; i += 64)
            for (int u = 0; u < 4; u++) {
                const V16 d = load(x, i + 16 * u, bf16) - k;
                s[u] += d;
                q[u] += d * d;
            }
        add_double(sum, (s[0] + s[1]) + (s[2] + s[3]));
        add_double(sq, (q[0] + q[1]) + (q[2] + q[3]));
    }
    for (; i < n; i += 16) {
        const V16 d = (n - i >= 16 ? load(x, i, bf16) : load_some(x, i, n - i, bf16, k)) - k;
        add_double(sum, d);
        add_double(sq, d * d);
    }
}

static void stats(const void *x, int64_t n, bool bf16, const float *at, double *sum, double *sq) {
    if (bf16)
        stats_of(x, n, true, at, sum, sq);
    else
        stats_of(x, n, false, at, sum, sq);
}

INLINE void apply_of(const void *x, const void *r, void *y, int64_t n, const bool bf16, const float *scale,
                     const float *shift, float low) {
    const V16 a = load(scale, 0, false), b = load(shift, 0, false), floor = all(low);
    int64_t i = 0;
    if (r)
        for (; n - i >= 16; i += 16) store(y, i, bf16, at_least(load(x, i, bf16) * a + b + load(r, i, bf16), floor));
    else
        for (; n - i >= 16; i += 16) store(y, i, bf16, at_least(load(x, i, bf16) * a + b, floor));
    if (i == n) return;
    V16 v = load_some(x, i, n - i, bf16, all(0)) * a + b;
    if (r) v += load_some(r, i, n - i, bf16, all(0));
    store_some(y, i, n - i, bf16, at_least(v, floor));
}

static void apply(const void *x, const void *r, void *y, int64_t n, bool bf16, const float *scale, const float *shift,
                  float low) {
    if (bf16)
        apply_of(x, r, y, n, true, scale, shift, low);
    else
        apply_of(x, r, y, n, false, scale, shift, low);
}

/* The masked gradient at element i: n = 16, or fewer at the end of a plain slab (the other lanes are 0). */
INLINE V16 grad_at(const BalSlabGrad *s, int64_t i, int64_t n, const bool bf16, V16 x) {
    V16 g = n == 16 ? load(s->dy[0], i, bf16) : load_some(s->dy[0], i, n, bf16, all(0));
    if (s->dy[1]) g += n == 16 ? load(s->dy[1], i, bf16) : load_some(s->dy[1], i, n, bf16, all(0));
    if (s->y)
        g = keep(g, (n == 16 ? load(s->y, i, bf16) : load_some(s->y, i, n, bf16, all(0))) > 0);
    else if (s->relu)
        g = keep(g, x * load(s->scale, 0, false) + load(s->shift, 0, false) > 0);
    return g;
}

INLINE void grad_sums_of(const BalSlabGrad *in, int64_t n, const bool bf16, double *sum_g, double *sum_gx) {
    const BalSlabGrad s = *in;
    const V16 mean = load(s.mean, 0, false);
    int64_t i = 0;
    while (n - i >= 32) {
        V16 a[2] = {0}, b[2] = {0};
        const int64_t end = n - i < 2 * FLUSH ? i + (n - i) / 32 * 32 : i + 2 * FLUSH;
        for (; i < end; i += 32)
            for (int u = 0; u < 2; u++) {
                const V16 x = load(s.x, i + 16 * u, bf16), g = grad_at(&s, i + 16 * u, 16, bf16, x);
                if (s.g) store(s.g, i + 16 * u, bf16, g);
                a[u] += g;
                b[u] += g * (x - mean);
            }
        add_double(sum_g, a[0] + a[1]);
        add_double(sum_gx, b[0] + b[1]);
    }
    for (; i < n; i += 16) {
        const int64_t m = n - i < 16 ? n - i : 16;
        const V16 x = load_some(s.x, i, m, bf16, mean), g = grad_at(&s, i, m, bf16, x);
        if (s.g) store_some(s.g, i, m, bf16, g);
        add_double(sum_g, g);
        add_double(sum_gx, g * (x - mean));
    }
}

static void grad_sums(const BalSlabGrad *s, int64_t n, bool bf16, double *sum_g, double *sum_gx) {
    if (bf16)
        grad_sums_of(s, n, true, sum_g, sum_gx);
    else
        grad_sums_of(s, n, false, sum_g, sum_gx);
}

INLINE void grad_apply_of(const BalSlabGrad *in, void *dx, int64_t n, const bool bf16, const float *ks, const float *as,
                          const float *bs) {
    const BalSlabGrad s = *in;
    const V16 mean = load(s.mean, 0, false), k = load(ks, 0, false), a = load(as, 0, false), b = load(bs, 0, false);
    int64_t i = 0;
    for (; n - i >= 16; i += 16) {
        const V16 x = load(s.x, i, bf16);
        store(dx, i, bf16, grad_at(&s, i, 16, bf16, x) * k + ((x - mean) * a + b));
    }
    if (i == n) return;
    const V16 x = load_some(s.x, i, n - i, bf16, mean);
    store_some(dx, i, n - i, bf16, grad_at(&s, i, n - i, bf16, x) * k + ((x - mean) * a + b));
}

static void grad_apply(const BalSlabGrad *s, void *dx, int64_t n, bool bf16, const float *k, const float *a,
                       const float *b) {
    if (bf16)
        grad_apply_of(s, dx, n, true, k, a, b);
    else
        grad_apply_of(s, dx, n, false, k, a, b);
}

/* ---- elementwise ---- */

INLINE void mask_of(const void *dy0, const void *dy1, const void *y, void *dx, int64_t n, const bool bf16) {
    const BalSlabGrad s = {.dy = {dy0, dy1}, .y = y};
    int64_t i = 0;
    for (; n - i >= 16; i += 16) store(dx, i, bf16, grad_at(&s, i, 16, bf16, all(0)));
    if (i < n) store_some(dx, i, n - i, bf16, grad_at(&s, i, n - i, bf16, all(0)));
}

static void mask(const void *dy0, const void *dy1, const void *y, void *dx, int64_t n, bool bf16) {
    if (bf16)
        mask_of(dy0, dy1, y, dx, n, true);
    else
        mask_of(dy0, dy1, y, dx, n, false);
}

INLINE void mul_of(const void *a, const void *b, void *y, int64_t n, const bool bf16) {
    int64_t i = 0;
    for (; n - i >= 16; i += 16) store(y, i, bf16, load(a, i, bf16) * load(b, i, bf16));
    if (i < n)
        store_some(y, i, n - i, bf16, load_some(a, i, n - i, bf16, all(0)) * load_some(b, i, n - i, bf16, all(0)));
}

static void mul(const void *a, const void *b, void *y, int64_t n, bool bf16) {
    if (bf16)
        mul_of(a, b, y, n, true);
    else
        mul_of(a, b, y, n, false);
}

static void fill(void *y, int64_t n, bool bf16, const float *lanes) {
    const V16 v = load(lanes, 0, false);
    int64_t i = 0;
    for (; n - i >= 16; i += 16) store(y, i, bf16, v);
    if (i < n) store_some(y, i, n - i, bf16, v);
}

static void sigmoid(const float *x, float *y, int64_t n) {
    for (int64_t i = 0; i < n; i++) y[i] = 1.0f / (1.0f + expf(-x[i]));
}

static void sigmoid_grad(const float *dy, const float *y, float *dx, int64_t n) {
    for (int64_t i = 0; i < n; i++) dx[i] = dy[i] * y[i] * (1.0f - y[i]);
}

static void to_bf16(const float *x, uint16_t *y, int64_t n) {
    int64_t i = 0;
    for (; n - i >= 16; i += 16) store(y, i, true, load(x, i, false));
    if (i < n) store_some(y, i, n - i, true, load_some(x, i, n - i, false, all(0)));
}

static void to_f32(const uint16_t *x, float *y, int64_t n) {
    int64_t i = 0;
    for (; n - i >= 16; i += 16) store(y, i, false, load(x, i, true));
    if (i < n) store_some(y, i, n - i, false, load_some(x, i, n - i, true, all(0)));
}

/* ---- max pool ---- */

/* One position of 16 lanes, or of one (then every lane holds it). */
INLINE V16 at(const void *p, int64_t pos, const int lanes, const bool bf16) {
    return lanes == 16 ? load(p, pos * 16, bf16) : all(load_some(p, pos, 1, bf16, all(0))[0]);
}

INLINE void put(void *p, int64_t pos, const int lanes, const bool bf16, V16 v) {
    if (lanes == 16)
        store(p, pos * 16, bf16, v);
    else
        store_some(p, pos, 1, bf16, v);
}

typedef uint8_t B16 __attribute__((vector_size(16)));

/* Bytes to 32-bit lanes and back: gcc does __builtin_convertvector lane by lane here. */
INLINE I16 widen_bytes(B16 b) {
#if defined(__AVX512F__)
    return (I16)_mm512_cvtepu8_epi32((__m128i)b);
#else
    return __builtin_convertvector(b, I16);
#endif
}

INLINE B16 narrow_bytes(I16 v) {
#if defined(__AVX512F__)
    return (B16)_mm512_cvtepi32_epi8((__m512i)v);
#else
    return __builtin_convertvector(v, B16);
#endif
}

INLINE I16 tap_at(const uint8_t *index, int64_t pos, const int lanes) {
    B16 b;
    if (lanes == 1) return (I16){0} + (int32_t)index[pos];
    memcpy(&b, index + pos * 16, sizeof b);
    return widen_bytes(b);
}

INLINE void put_tap(uint8_t *index, int64_t pos, const int lanes, I16 tap) {
    const B16 b = narrow_bytes(tap);
    memcpy(index + pos * lanes, &b, (size_t)lanes);
}

typedef struct Span {
    int from, to;
} Span; /* [from, to) */

/* Taps of output position o that fall inside the input. */
INLINE Span taps_of(const BalPoolGeo *p, int axis, int o) {
    const int first = o * p->stride[axis] - p->pad[axis], over = first + p->kernel[axis] - p->in[axis];
    return (Span){first < 0 ? -first : 0, over > 0 ? p->kernel[axis] - over : p->kernel[axis]};
}

/* Output positions whose window holds input position i. */
INLINE Span windows_of(const BalPoolGeo *p, int axis, int i) {
    const int at_pad = i + p->pad[axis], first = at_pad - p->kernel[axis] + 1;
    const int to = at_pad / p->stride[axis] + 1;
    return (Span){first <= 0 ? 0 : (first + p->stride[axis] - 1) / p->stride[axis],
                  to < p->out[axis] ? to : p->out[axis]};
}

INLINE void pool_one(const BalPoolGeo *p, const void *x, void *y, uint8_t *index, const bool bf16, const int lanes,
                     const float *scale, const float *shift, const int o[3], int64_t out) {
    const Span tk = taps_of(p, 0, o[0]), th = taps_of(p, 1, o[1]), tw = taps_of(p, 2, o[2]);
    V16 best = all(0);
    I16 won = {0};
    bool first = true;
    for (int a = tk.from; a < tk.to; a++)
        for (int b = th.from; b < th.to; b++) {
            const int64_t row =
                ((int64_t)(o[0] * p->stride[0] - p->pad[0] + a) * p->in[1] + (o[1] * p->stride[1] - p->pad[1] + b)) *
                    p->in[2] +
                o[2] * p->stride[2] - p->pad[2];
            for (int c = tw.from; c < tw.to; c++) {
                const int tap = (a * p->kernel[1] + b) * p->kernel[2] + c;
                V16 v = at(x, row + c, lanes, bf16);
                if (scale) v = at_least(v * load(scale, 0, false) + load(shift, 0, false), all(0));
                const I16 take = first ? (I16){0} - 1 : (v > best) | (v != v); /* NaN stays */
                best = (V16)(((I16)v & take) | ((I16)best & ~take));
                won = (take & tap) | (won & ~take);
                first = false;
            }
        }
    put(y, out, lanes, bf16, best);
    if (index) put_tap(index, out, lanes, won);
}

INLINE void maxpool_of(const BalPoolGeo *p, const void *x, void *y, uint8_t *index, const bool bf16, const int lanes,
                       const float *scale, const float *shift) {
    int64_t out = 0;
    int o[3];
    for (o[0] = 0; o[0] < p->out[0]; o[0]++)
        for (o[1] = 0; o[1] < p->out[1]; o[1]++)
            for (o[2] = 0; o[2] < p->out[2]; o[2]++) pool_one(p, x, y, index, bf16, lanes, scale, shift, o, out++);
}

/* Output positions whose tap k falls inside the input. */
INLINE Span inside_of(const BalPoolGeo *p, int axis, int k) {
    const int low = p->pad[axis] - k, high = p->in[axis] - 1 + low, s = p->stride[axis];
    const int to = high < 0 ? 0 : high / s + 1;
    return (Span){low <= 0 ? 0 : (low + s - 1) / s, to < p->out[axis] ? to : p->out[axis]};
}

/* A plain map whose winners nobody asks for: row by row and tap by tap, as the compiler can make it fast. */
static void maxpool_rows(const BalPoolGeo *p, const float *x, float *y) {
    for (int i = 0; i < p->out[0] * p->out[1]; i++, y += p->out[2]) {
        const int o[2] = {i / p->out[1], i % p->out[1]};
        const Span tk = taps_of(p, 0, o[0]), th = taps_of(p, 1, o[1]);
        for (int k = 0; k < p->out[2]; k++) y[k] = -INFINITY;
        for (int a = tk.from; a < tk.to; a++)
            for (int b = th.from; b < th.to; b++)
                for (int c = 0; c < p->kernel[2]; c++) {
                    const int64_t at_k = o[0] * p->stride[0] - p->pad[0] + a,
                                  at_h = o[1] * p->stride[1] - p->pad[1] + b;
                    const float *row = x + (at_k * p->in[1] + at_h) * p->in[2] + c - p->pad[2];
                    const Span w = inside_of(p, 2, c);
                    for (int k = w.from; k < w.to; k++) {
                        const float v = row[k * p->stride[2]];
                        y[k] = v > y[k] || v != v ? v : y[k];
                    }
                }
    }
}

static void maxpool(const BalPoolGeo *p, const void *x, void *y, uint8_t *index, bool bf16, const float *scale,
                    const float *shift) {
    if (p->lanes == 1 && !index && !bf16 && !scale)
        maxpool_rows(p, x, y);
    else if (p->lanes == 1)
        maxpool_of(p, x, y, index, bf16, 1, scale, shift);
    else if (bf16)
        maxpool_of(p, x, y, index, true, 16, scale, shift);
    else
        maxpool_of(p, x, y, index, false, 16, scale, shift);
}

INLINE V16 unpool_one(const BalPoolGeo *p, const void *dy0, const void *dy1, const uint8_t *index, const bool bf16,
                      const int lanes, const int i[3], Span wk, Span wh, Span ww) {
    V16 g = all(0);
    for (int a = wk.from; a < wk.to; a++)
        for (int b = wh.from; b < wh.to; b++) {
            const int64_t row = ((int64_t)a * p->out[1] + b) * p->out[2];
            const int tap =
                ((i[0] + p->pad[0] - a * p->stride[0]) * p->kernel[1] + i[1] + p->pad[1] - b * p->stride[1]) *
                    p->kernel[2] +
                i[2] + p->pad[2];
            for (int c = ww.from; c < ww.to; c++) {
                V16 d = at(dy0, row + c, lanes, bf16);
                if (dy1) d += at(dy1, row + c, lanes, bf16);
                g += keep(d, tap_at(index, row + c, lanes) == tap - c * p->stride[2]);
            }
        }
    return g;
}

INLINE void maxpool_grad_of(const BalPoolGeo *p, const void *dy0, const void *dy1, const uint8_t *index, void *dx,
                            const bool bf16, const int lanes) {
    int64_t pos = 0;
    int i[3];
    for (i[0] = 0; i[0] < p->in[0]; i[0]++)
        for (i[1] = 0; i[1] < p->in[1]; i[1]++) {
            const Span wk = windows_of(p, 0, i[0]), wh = windows_of(p, 1, i[1]);
            Span ww = {0, 0}; /* moves along with i[2], which saves two divisions per position */
            for (i[2] = 0; i[2] < p->in[2]; i[2]++) {
                while (ww.from * p->stride[2] + p->kernel[2] <= i[2] + p->pad[2]) ww.from++;
                while (ww.to < p->out[2] && ww.to * p->stride[2] <= i[2] + p->pad[2]) ww.to++;
                put(dx, pos++, lanes, bf16, unpool_one(p, dy0, dy1, index, bf16, lanes, i, wk, wh, ww));
            }
        }
}

static void maxpool_grad(const BalPoolGeo *p, const void *dy0, const void *dy1, const uint8_t *index, void *dx,
                         bool bf16) {
    if (p->lanes == 1)
        maxpool_grad_of(p, dy0, dy1, index, dx, bf16, 1);
    else if (bf16)
        maxpool_grad_of(p, dy0, dy1, index, dx, true, 16);
    else
        maxpool_grad_of(p, dy0, dy1, index, dx, false, 16);
}

/* ---- weight gradients as outer products ---- */

/* acc[i] += x[i] * dy for the 16 input channels i; with pairs both halves of each 32-bit lane. */
INLINE void outer_step(V16 acc[16], const void *x, const void *dy, int64_t at_x, int64_t at_dy, const bool pairs) {
    const V16 d = load(dy, at_dy, false);
    const float *v = (const float *)x + at_x;
    if (!pairs) {
        for (int i = 0; i < 16; i++) acc[i] += d * v[i];
        return;
    }
#if defined(__AVX512BF16__)
    for (int i = 0; i < 16; i++)
        acc[i] = (V16)_mm512_dpbf16_ps((__m512)acc[i], (__m512bh)_mm512_set1_ps(v[i]), (__m512bh)d);
#else
    const V16 low = (V16)((U16)d << 16), high = (V16)((U16)d & 0xffff0000u);
    const V16 x16 = load(v, 0, false), x_low = (V16)((U16)x16 << 16), x_high = (V16)((U16)x16 & 0xffff0000u);
    for (int i = 0; i < 16; i++) acc[i] += low * x_low[i] + high * x_high[i];
#endif
}

INLINE void outer_of(const void *x, const void *dy, const bool pairs, int64_t units, int64_t x_s, int64_t dy_s,
                     const BalRun *run, int n_runs, float *dw, bool add) {
    V16 acc[16];
    for (int i = 0; i < 16; i++) acc[i] = add ? load(dw, 16 * i, false) : all(0);
    for (int64_t u = 0; u < units; u++)
        for (const BalRun *r = run; r < run + n_runs; r++) {
            int64_t at_x = (u * x_s + r->x) * 16, at_dy = (u * dy_s + r->dy) * 16;
            for (int k = 0; k < r->n; k++, at_x += 16 * r->step, at_dy += 16)
                outer_step(acc, x, dy, at_x, at_dy, pairs);
        }
    for (int i = 0; i < 16; i++) store(dw, 16 * i, false, acc[i]);
}

static void outer(const void *x, const void *dy, bool pairs, int64_t units, int64_t x_s, int64_t dy_s,
                  const BalRun *run, int n_runs, float *dw, bool add) {
    if (pairs)
        outer_of(x, dy, true, units, x_s, dy_s, run, n_runs, dw, add);
    else
        outer_of(x, dy, false, units, x_s, dy_s, run, n_runs, dw, add);
}

static void pair(const uint16_t *a, const uint16_t *b, uint16_t *y, int64_t n) {
    for (int64_t i = 0; i < n; i += 16) {
        const U16 low = __builtin_convertvector(*(const MemH16 *)(a + i), U16);
        const U16 high = b ? __builtin_convertvector(*(const MemH16 *)(b + i), U16) << 16 : (U16){0};
        const U16 both = low | high;
        memcpy(y + 2 * i, &both, sizeof both);
    }
}

/* ---- vectors of parameters ---- */

static void reduce(const float *a, const float *b, int64_t n, double *sum_a, double *dot) {
    double s[16] = {0}, d[16] = {0};
    int64_t i = 0;
    for (; n - i >= 16; i += 16)
        for (int l = 0; l < 16; l++) {
            s[l] += (double)a[i + l];
            d[l] += (double)a[i + l] * (double)b[i + l];
        }
    for (int l = 0; i < n; i++, l++) {
        s[l] += (double)a[i];
        d[l] += (double)a[i] * (double)b[i];
    }
    *sum_a = *dot = 0;
    for (int l = 0; l < 16; l++) {
        *sum_a += s[l];
        *dot += d[l];
    }
}

static void axpby(int64_t n, float alpha, const float *x, float beta, float *y) {
    if (beta == 0) /* y may hold anything */
        for (int64_t i = 0; i < n; i++) y[i] = alpha * x[i];
    else
        for (int64_t i = 0; i < n; i++) y[i] = alpha * x[i] + beta * y[i];
}

static void update_sgd(const BalUpdate *u, int64_t n, float *restrict w, const float *restrict g, float *restrict m) {
    const float lr = u->lr, wd = u->weight_decay, mu = u->first ? 0.0f : u->momentum;
    if (u->momentum == 0)
        for (int64_t i = 0; i < n; i++) w[i] -= lr * (g[i] + wd * w[i]);
    else if (u->first)
        for (int64_t i = 0; i < n; i++) {
            m[i] = g[i] + wd * w[i];
            w[i] -= lr * m[i];
        }
    else
        for (int64_t i = 0; i < n; i++) {
            m[i] = mu * m[i] + (g[i] + wd * w[i]);
            w[i] -= lr * m[i];
        }
}

static void update_adam(const BalUpdate *u, int64_t n, float *restrict w, const float *restrict g, float *restrict m,
                        float *restrict v) {
    const bool decoupled = u->kind == BAL_UPDATE_ADAMW;
    const float l2 = decoupled ? 0 : u->weight_decay, shrink = decoupled ? 1 - u->lr * u->weight_decay : 1;
    const float b1 = u->beta1, b2 = u->beta2, eps = u->eps, step = u->lr / u->bias1, root = 1 / sqrtf(u->bias2);
    for (int64_t i = 0; i < n; i++) {
        const float wi = w[i] * shrink, gi = g[i] + l2 * w[i];
        m[i] = b1 * m[i] + (1 - b1) * gi;
        v[i] = b2 * v[i] + (1 - b2) * gi * gi;
        w[i] = wi - step * m[i] / (sqrtf(v[i]) * root + eps);
    }
}

static void update(const BalUpdate *u, int64_t n, float *w, const float *g, float *m1, float *m2) {
    if (u->kind == BAL_UPDATE_SGD)
        update_sgd(u, n, w, g, m1);
    else
        update_adam(u, n, w, g, m1, m2);
}

const BalLoops LOOPS = {
    .stats = stats,
    .apply = apply,
    .grad_sums = grad_sums,
    .grad_apply = grad_apply,
    .mask = mask,
    .mul = mul,
    .fill = fill,
    .sigmoid = sigmoid,
    .sigmoid_grad = sigmoid_grad,
    .to_bf16 = to_bf16,
    .to_f32 = to_f32,
    .maxpool = maxpool,
    .maxpool_grad = maxpool_grad,
    .outer = outer,
    .pair = pair,
    .wino_data = wino_data,
    .wino_grad = wino_grad,
    .wino_result = wino_result,
    .wino_weights = wino_weights,
    .wino_turn = wino_turn,
    .wino_weight_grad = wino_weight_grad,
    .wino_product = wino_product,
    .wino_outer = wino_outer,
    .reduce = reduce,
    .axpby = axpby,
    .update = update,
};
