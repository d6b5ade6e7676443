/* The loops of winograd.c, compiled once per instruction set together with loops_body.h.
 *
 * One-dimensional transforms for F(m,3), m outputs from n = m + 2 inputs, on the points 0, A, -A, B, -B and infinity (m = 4) or 0, 1, -1 and
 * infinity (m = 2); the two-dimensional ones apply them to rows and to columns. B^T has as rows the coefficients of the polynomials
 * that vanish on all points but one, A^T as columns the points' powers, G the powers up to the second divided by those polynomials'
 * values at their own points. Because points come in pairs, every transform shares an even and an odd half between p and -p. */
#ifndef BAL_ONEDNN_WINOGRAD_BODY_H
#define BAL_ONEDNN_WINOGRAD_BODY_H

#include "backends/onednn/lanes.h"

#define A  0.625f
#define B  1.5f
#define A2 (A * A)
#define B2 (B * B)
#define N0 (1 / (A2 * B2))
#define NA (1 / (2 * A2 * (A2 - B2)))
#define NB (1 / (2 * B2 * (B2 - A2)))

/* v[n] = B^T d[n] */
INLINE void of_data(const int m, const V16 *d, V16 *v) {
    if (m == 2) {
        v[0] = d[2] - d[0];
        v[1] = d[2] + d[1];
        v[2] = d[2] - d[1];
        v[3] = d[3] - d[1];
        return;
    }
    const V16 even_a = d[4] - B2 * d[2], odd_a = d[3] - B2 * d[1];
    const V16 even_b = d[4] - A2 * d[2], odd_b = d[3] - A2 * d[1];
    v[0] = (d[4] - (A2 + B2) * d[2]) + A2 * B2 * d[0];
    v[1] = even_a + A * odd_a;
    v[2] = even_a - A * odd_a;
    v[3] = even_b + B * odd_b;
    v[4] = even_b - B * odd_b;
    v[5] = (d[5] - (A2 + B2) * d[3]) + A2 * B2 * d[1];
}

/* y[m] = A^T p[n] */
INLINE void of_product(const int m, const V16 *p, V16 *y) {
    if (m == 2) {
        y[0] = p[0] + (p[1] + p[2]);
        y[1] = p[3] + (p[1] - p[2]);
        return;
    }
    const V16 sum_a = p[1] + p[2], sum_b = p[3] + p[4], dif_a = p[1] - p[2], dif_b = p[3] - p[4];
    y[0] = p[0] + (sum_a + sum_b);
    y[1] = A * dif_a + B * dif_b;
    y[2] = A2 * sum_a + B2 * sum_b;
    y[3] = p[5] + (A2 * A * dif_a + B2 * B * dif_b);
}

/* u[n] = G g[3] */
INLINE void of_weights(const int m, const V16 *g, V16 *u) {
    if (m == 2) {
        const V16 even = 0.5f * (g[0] + g[2]), odd = 0.5f * g[1];
        u[0] = -g[0];
        u[1] = even + odd;
        u[2] = even - odd;
        u[3] = g[2];
        return;
    }
    const V16 even_a = NA * (g[0] + A2 * g[2]), even_b = NB * (g[0] + B2 * g[2]);
    u[0] = N0 * g[0];
    u[1] = even_a + NA * A * g[1];
    u[2] = even_a - NA * A * g[1];
    u[3] = even_b + NB * B * g[1];
    u[4] = even_b - NB * B * g[1];
    u[5] = g[2];
}

/* z[6] = A dy[4] */
INLINE void of_grad(const V16 *y, V16 *z) {
    const V16 even_a = y[0] + A2 * y[2], odd_a = A * (y[1] + A2 * y[3]);
    const V16 even_b = y[0] + B2 * y[2], odd_b = B * (y[1] + B2 * y[3]);
    z[0] = y[0];
    z[1] = even_a + odd_a;
    z[2] = even_a - odd_a;
    z[3] = even_b + odd_b;
    z[4] = even_b - odd_b;
    z[5] = y[3];
}

/* g[3] = G^T u[6] */
INLINE void of_weight_grad(const V16 *u, V16 *g) {
    const V16 sum_a = NA * (u[1] + u[2]), sum_b = NB * (u[3] + u[4]);
    g[0] = N0 * u[0] + (sum_a + sum_b);
    g[1] = NA * A * (u[1] - u[2]) + NB * B * (u[3] - u[4]);
    g[2] = u[5] + (A2 * sum_a + B2 * sum_b);
}

/* ---- tiles ---- */

typedef struct Tile { /* where a tile lies; moves along with the tile's number */
    int64_t n;
    int y, x;
} Tile;

INLINE Tile tile_at(const BalTiles *m, int64_t t) {
    const int64_t per = (int64_t)m->ty * m->tx, r = t % per;
    return (Tile){t / per, (int)(r / m->tx), (int)(r % m->tx)};
}

INLINE void tile_next(const BalTiles *m, Tile *t) {
    if (++t->x < m->tx) return;
    t->x = 0;
    if (++t->y < m->ty) return;
    t->y = 0;
    t->n++;
}

/* `n` vectors from (y, x) on in a map, zero outside; `inside`: known to be no border. */
INLINE void take(V16 *d, const int n, const void *map, int h, int w, int y, int x, bool inside, const bool bf16) {
    const int64_t at = ((int64_t)y * w + x) * 16;
    const bool row = y >= 0 && y < h;
    if (inside)
        for (int j = 0; j < n; j++) d[j] = load(map, at + 16 * j, bf16);
    else
        for (int j = 0; j < n; j++) d[j] = row && x + j >= 0 && x + j < w ? load(map, at + 16 * j, bf16) : all(0);
}

INLINE void data_of(const BalTiles *m, const void *x, int64_t g, int64_t first, int n_tiles, float *v, int64_t stride,
                    const int size, const bool bf16) {
    const int n = size + 2;
    const int64_t plane = (int64_t)m->h * m->w * 16 * (bf16 ? 2 : 4);
    Tile t = tile_at(m, first);
    for (int i = 0; i < n_tiles; i++, tile_next(m, &t)) {
        const void *map = (const char *)x + (t.n * m->groups + g) * plane;
        const int y0 = size * t.y - m->pad, x0 = size * t.x - m->pad;
        const bool inside = y0 >= 0 && x0 >= 0 && y0 + n <= m->h && x0 + n <= m->w;
        V16 row[36];
        for (int k = 0; k < n; k++) {
            V16 d[6];
            take(d, n, map, m->h, m->w, y0 + k, x0, inside, bf16);
            of_data(size, d, row + n * k);
        }
        for (int k = 0; k < n; k++) {
            V16 in[6], out[6];
            for (int l = 0; l < n; l++) in[l] = row[n * l + k];
            of_data(size, in, out);
            for (int l = 0; l < n; l++) store(v + (n * l + k) * stride, 16 * i, false, out[l]);
        }
    }
}

static void wino_data(const BalTiles *m, const void *x, int64_t g, int64_t first, int n, float *v, int64_t stride,
                      bool bf16) {
    if (m->size == 2 && bf16)
        data_of(m, x, g, first, n, v, stride, 2, true);
    else if (m->size == 2)
        data_of(m, x, g, first, n, v, stride, 2, false);
    else if (bf16)
        data_of(m, x, g, first, n, v, stride, 4, true);
    else
        data_of(m, x, g, first, n, v, stride, 4, false);
}

INLINE void grad_of(const BalTiles *m, const void *dy, int64_t g, int64_t first, int n, float *z, int64_t stride,
                    const bool bf16) {
    const int64_t plane = (int64_t)m->h * m->w * 16, size = bf16 ? 2 : 4;
    Tile t = tile_at(m, first);
    for (int i = 0; i < n; i++, tile_next(m, &t)) {
        const void *map = (const char *)dy + (t.n * m->groups + g) * plane * size;
        const bool inside = 4 * t.y + 4 <= m->h && 4 * t.x + 4 <= m->w;
        V16 row[24];
        for (int k = 0; k < 4; k++) {
            V16 d[4];
            take(d, 4, map, m->h, m->w, 4 * t.y + k, 4 * t.x, inside, bf16);
            of_grad(d, row + 6 * k);
        }
        for (int k = 0; k < 6; k++) {
            const V16 in[4] = {row[k], row[6 + k], row[12 + k], row[18 + k]};
            V16 out[6];
            of_grad(in, out);
            for (int l = 0; l < 6; l++) store(z + (6 * l + k) * stride, 16 * i, false, out[l]);
        }
    }
}

static void wino_grad(const BalTiles *m, const void *dy, int64_t g, int64_t first, int n, float *z, int64_t stride,
                      bool bf16) {
    if (bf16)
        grad_of(m, dy, g, first, n, z, stride, true);
    else
        grad_of(m, dy, g, first, n, z, stride, false);
}

INLINE void result_of(const BalTiles *m, const float *product, int64_t stride, int64_t g, int64_t first, int n_tiles,
                      void *y, const float *bias, const int size, const bool bf16) {
    const int n = size + 2;
    const int64_t plane = (int64_t)m->h * m->w * 16 * (bf16 ? 2 : 4);
    const V16 b = bias ? load(bias, 0, false) : all(0);
    Tile t = tile_at(m, first);
    for (int i = 0; i < n_tiles; i++, tile_next(m, &t)) {
        V16 row[24];
        for (int k = 0; k < n; k++) {
            V16 in[6], out[4];
            for (int l = 0; l < n; l++) in[l] = load(product + (n * l + k) * stride, 16 * i, false);
            of_product(size, in, out);
            for (int l = 0; l < size; l++) row[n * l + k] = out[l];
        }
        void *to = (char *)y + (t.n * m->groups + g) * plane;
        const int rows = m->h - size * t.y, columns = m->w - size * t.x;
        for (int k = 0; k < size && k < rows; k++) {
            V16 out[4];
            const int64_t at = ((int64_t)(size * t.y + k) * m->w + size * t.x) * 16;
            of_product(size, row + n * k, out);
            for (int l = 0; l < size; l++)
                if (l < columns) store(to, at + 16 * l, bf16, out[l] + b);
        }
    }
}

static void wino_result(const BalTiles *m, const float *product, int64_t stride, int64_t g, int64_t first, int n,
                        void *y, const float *bias, bool bf16) {
    if (m->size == 2 && bf16)
        result_of(m, product, stride, g, first, n, y, bias, 2, true);
    else if (m->size == 2)
        result_of(m, product, stride, g, first, n, y, bias, 2, false);
    else if (bf16)
        result_of(m, product, stride, g, first, n, y, bias, 4, true);
    else
        result_of(m, product, stride, g, first, n, y, bias, 4, false);
}

/* ---- weights ---- */

/* One block [9 taps][16][16] of weights, vectors along the last axis, into rows of u: row r at u + r * u_row. */
INLINE void weights_of(const float *w, float *u, int64_t u_row, int64_t stride, const int size) {
    const int n = size + 2;
    for (int r = 0; r < 16; r++) {
        V16 mid[18]; /* [3 columns of taps][n] */
        for (int j = 0; j < 3; j++) {
            V16 in[3];
            for (int i = 0; i < 3; i++) in[i] = load(w, (3 * i + j) * 256 + 16 * r, false);
            of_weights(size, in, mid + n * j);
        }
        for (int i = 0; i < n; i++) {
            const V16 in[3] = {mid[i], mid[n + i], mid[2 * n + i]};
            V16 out[6];
            of_weights(size, in, out);
            for (int j = 0; j < n; j++) store(u + (n * i + j) * stride, r * u_row, false, out[j]);
        }
    }
}

static void wino_weights(const float *w, float *u, int64_t u_row, int64_t stride, int size) {
    if (size == 2)
        weights_of(w, u, u_row, stride, 2);
    else
        weights_of(w, u, u_row, stride, 4);
}

/* The block as backward-data wants it: taps reversed, axes swapped. */
static void wino_turn(const float *w, float *turned) {
    for (int t = 0; t < 9; t++)
        for (int i = 0; i < 16; i++)
            for (int o = 0; o < 16; o++) turned[(8 - t) * 256 + o * 16 + i] = w[t * 256 + i * 16 + o];
}

/* du: [36 points][16 in][2 groups][16 out], of which group `k` belongs to this block of dw [9 taps][16 in][16 out]. */
static void wino_weight_grad(const float *du, int k, float *dw, bool add) {
    for (int c = 0; c < 16; c++) {
        V16 mid[18]; /* [3 rows of taps][6] */
        for (int j = 0; j < 6; j++) {
            V16 in[6], out[3];
            for (int i = 0; i < 6; i++) in[i] = load(du, ((6 * i + j) * 16 + c) * 32 + 16 * k, false);
            of_weight_grad(in, out);
            for (int i = 0; i < 3; i++) mid[6 * i + j] = out[i];
        }
        for (int i = 0; i < 3; i++) {
            V16 out[3];
            of_weight_grad(mid + 6 * i, out);
            for (int j = 0; j < 3; j++) {
                const int64_t at = (3 * i + j) * 256 + 16 * c;
                store(dw, at, false, add ? load(dw, at, false) + out[j] : out[j]);
            }
        }
    }
}

/* ---- products ---- */

#if defined(__AVX512F__)
enum { GROUPS = 4, TILES = 6, IN = 8, OUT = 2 }; /* accumulators: groups x tiles, input channels x groups */
#else
enum { GROUPS = 1, TILES = 6, IN = 4, OUT = 1 };
#endif

/* m[groups][tiles] (+)= sum over `n` input channels; u: [n][64], v: [n / 16][stride_v / 16 tiles][16] */
INLINE void product_of(const int groups, const int tiles, const float *u, const float *v, int64_t stride_v, int n,
                       float *m, int64_t stride_m, bool add) {
    V16 acc[4][6];
    for (int k = 0; k < groups; k++)
        for (int t = 0; t < tiles; t++) acc[k][t] = all(0);
    for (int c0 = 0; c0 < n; c0 += 16, v += stride_v)
        for (int c = 0; c < 16; c++, u += 64) {
            V16 w[4];
            for (int k = 0; k < groups; k++) w[k] = load(u, 16 * k, false);
            for (int t = 0; t < tiles; t++) {
                const V16 x = all(v[16 * t + c]);
                for (int k = 0; k < groups; k++) acc[k][t] += w[k] * x;
            }
        }
    for (int k = 0; k < groups; k++)
        for (int t = 0; t < tiles; t++) {
            float *to = m + k * stride_m + 16 * t;
            store(to, 0, false, add ? load(to, 0, false) + acc[k][t] : acc[k][t]);
        }
}

INLINE void product_tiles(const int groups, int tiles, const float *u, const float *v, int64_t stride_v, int n,
                          float *m, int64_t stride_m, bool add) {
    int t = 0;
    for (; t + TILES <= tiles; t += TILES)
        product_of(groups, TILES, u, v + 16 * t, stride_v, n, m + 16 * t, stride_m, add);
    v += 16 * t;
    m += 16 * t;
    switch (tiles - t) {
    case 5:
        product_of(groups, 5, u, v, stride_v, n, m, stride_m, add);
        break;
    case 4:
        product_of(groups, 4, u, v, stride_v, n, m, stride_m, add);
        break;
    case 3:
        product_of(groups, 3, u, v, stride_v, n, m, stride_m, add);
        break;
    case 2:
        product_of(groups, 2, u, v, stride_v, n, m, stride_m, add);
        break;
    case 1:
        product_of(groups, 1, u, v, stride_v, n, m, stride_m, add);
        break;
    }
}

static void wino_product(const float *u, const float *v, int64_t stride_v, int n, int groups, int tiles, float *m,
                         int64_t stride_m, bool add) {
    int k = 0;
    for (; k + GROUPS <= groups; k += GROUPS)
        product_tiles(GROUPS, tiles, u + 16 * k, v, stride_v, n, m + k * stride_m, stride_m, add);
    for (; k < groups; k++) product_tiles(1, tiles, u + 16 * k, v, stride_v, n, m + k * stride_m, stride_m, add);
}

/* du[16 in][2 groups][16 out] = sum over tiles of v (x) z; v: [tiles][16], z: [groups][tiles][16] */
INLINE void outer_tiles(const int in, const int out, const float *v, const float *z, int64_t stride_z, int tiles,
                        float *du) {
    V16 acc[8][2];
    for (int c = 0; c < in; c++)
        for (int k = 0; k < out; k++) acc[c][k] = all(0);
    for (int64_t t = 0; t < tiles; t++) {
        V16 d[2];
        for (int k = 0; k < out; k++) d[k] = load(z, k * stride_z + 16 * t, false);
        for (int c = 0; c < in; c++) {
            const V16 x = all(v[16 * t + c]);
            for (int k = 0; k < out; k++) acc[c][k] += x * d[k];
        }
    }
    for (int c = 0; c < in; c++)
        for (int k = 0; k < out; k++) store(du, c * 32 + 16 * k, false, acc[c][k]);
}

static void wino_outer(const float *v, const float *z, int64_t stride_z, int groups, int tiles, float *du) {
    int k = 0;
    for (; k + OUT <= groups; k += OUT)
        for (int c = 0; c < 16; c += IN)
            outer_tiles(IN, OUT, v + c, z + k * stride_z, stride_z, tiles, du + c * 32 + 16 * k);
    for (; k < groups; k++)
        for (int c = 0; c < 16; c += IN)
            outer_tiles(IN, 1, v + c, z + k * stride_z, stride_z, tiles, du + c * 32 + 16 * k);
}

#undef A
#undef B
#undef A2
#undef B2
#undef N0
#undef NA
#undef NB

#endif
