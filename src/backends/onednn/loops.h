/* The inner loops over memory: one const table per instruction set, chosen once at open.
 *
 * Everything that is not a convolution is bound by memory, so each loop does in one pass what a framework does in three. They work
 * on *slabs*: `n` consecutive elements that share their channels. In a blocked tensor (nChw16c) a slab is one group of 16 channels of
 * one row, and lane l of every vector of 16 is channel l of the group; in a plain tensor it is one channel of one row, and the 16
 * lanes of a parameter hold the same number. So one loop serves both layouts; sums over lanes are finished by the caller.
 *
 * loops_body.h is compiled once per isa_*.c with that set's compiler flags (no ifunc, no target attribute on OpenMP's outlined
 * functions, the same under sanitizers and clang). Sums run in float over at most 256 vectors and in double above that. */
#ifndef BAL_ONEDNN_LOOPS_H
#define BAL_ONEDNN_LOOPS_H

#include <stdbool.h>
#include <stdint.h>
#include "engine/backend.h"

#define BAL_LANES 16

typedef struct BalSlabGrad { /* what a gradient pass over one slab reads */
    const void *dy[2];       /* dy[1] may be NULL */
    const void *x;
    const void *y;              /* not NULL: g is 0 where y <= 0 */
    bool relu;                  /* without y: g is 0 where x * scale + shift <= 0 */
    const float *scale, *shift; /* [16], read with relu only */
    const float *mean;          /* [16] */
    void *g;                    /* not NULL: the masked gradient is written here (may be dy[0]) */
} BalSlabGrad;

typedef struct BalPoolGeo { /* one pooling window over [K,H,W]; lanes is 16 (blocked) or 1 (plain) */
    int in[3], out[3], kernel[3], stride[3], pad[3], lanes;
} BalPoolGeo;

typedef struct BalRun { /* positions of a map: x, x + step, ... meets dy, dy + 1, ... */
    int x, dy, n, step;
} BalRun;

typedef struct
    BalTiles { /* a blocked value [n][groups][h][w][16], and the tiles of the map that a convolution writes */
    int64_t groups;
    int h, w, ty, tx;
    int size; /* of a tile: 2 or 4; `points` below are (size + 2)^2 */
    int pad;  /* a tile's window begins at (size * y - pad, size * x - pad) */
} BalTiles;

typedef struct BalLoops {
    /* sum += sum(x - at), sq += sum((x - at)^2), per lane */
    void (*stats)(const void *x, int64_t n, bool bf16, const float *at, double *sum, double *sq);
    /* y = max(x * scale + shift + r, low); r may be NULL; y may be x or r */
    void (*apply)(const void *x, const void *r, void *y, int64_t n, bool bf16, const float *scale, const float *shift,
                  float low);
    /* sum_g += sum(g), sum_gx += sum(g * (x - mean)), per lane */
    void (*grad_sums)(const BalSlabGrad *s, int64_t n, bool bf16, double *sum_g, double *sum_gx);
    /* dx = g * k + (x - mean) * a + b; dx may be dy[0] or x */
    void (*grad_apply)(const BalSlabGrad *s, void *dx, int64_t n, bool bf16, const float *k, const float *a,
                       const float *b);
    /* dx = (dy[0] + dy[1]) where y > 0, else 0; y NULL: everywhere */
    void (*mask)(const void *dy0, const void *dy1, const void *y, void *dx, int64_t n, bool bf16);
    void (*mul)(const void *a, const void *b, void *y, int64_t n, bool bf16);
    void (*fill)(void *y, int64_t n, bool bf16, const float *lanes);
    void (*sigmoid)(const float *x, float *y, int64_t n);
    void (*sigmoid_grad)(const float *dy, const float *y, float *dx, int64_t n);
    void (*to_bf16)(const float *x, uint16_t *y, int64_t n);
    void (*to_f32)(const uint16_t *x, float *y, int64_t n);

    /* One slab of a max pool. x: [in] positions of `lanes`, y and index: [out]. With scale: x is first max(x * scale + shift, 0).
     * index: number of the tap that won, the first of equals. */
    void (*maxpool)(const BalPoolGeo *p, const void *x, void *y, uint8_t *index, bool bf16, const float *scale,
                    const float *shift);
    /* dx = sum of dy over the windows in which the position won (dy[1] may be NULL) */
    void (*maxpool_grad)(const BalPoolGeo *p, const void *dy0, const void *dy1, const uint8_t *index, void *dx,
                         bool bf16);

    /* dw[16 in][16 out] (+)= sum over units and runs of x (x) dy. x: [units][x_s][16], dy: [units][dy_s][16] of float, or of pairs
     * of bf16 (rows 2u and 2u+1), whose products are summed. */
    void (*outer)(const void *x, const void *dy, bool pairs, int64_t units, int64_t x_s, int64_t dy_s,
                  const BalRun *run, int n_runs, float *dw, bool add);
    /* y[2i] = a[i], y[2i+1] = b[i] (b NULL: 0); n a multiple of 16 */
    void (*pair)(const uint16_t *a, const uint16_t *b, uint16_t *y, int64_t n);

    /* Winograd's transforms and products (winograd.c). `stride`: floats between two points. */
    /* v[points][n][16] = B^T x B for the windows of group g in tiles [first, first + n) */
    void (*wino_data)(const BalTiles *m, const void *x, int64_t g, int64_t first, int n, float *v, int64_t stride,
                      bool bf16);
    /* z[36][n][16] = A dy A^T for those tiles, of size 4 */
    void (*wino_grad)(const BalTiles *m, const void *dy, int64_t g, int64_t first, int n, float *z, int64_t stride,
                      bool bf16);
    /* y = A^T m A + bias (16, or NULL) in those tiles */
    void (*wino_result)(const BalTiles *m, const float *product, int64_t stride, int64_t g, int64_t first, int n,
                        void *y, const float *bias, bool bf16);
    /* u[points][16 rows, u_row apart][16] = G w G^T for a block w[9][16][16] */
    void (*wino_weights)(const float *w, float *u, int64_t u_row, int64_t stride, int size);
    void (*wino_turn)(const float *w, float *turned); /* the block as backward-data wants it */
    /* a block of dw [9][16][16] (+)= G^T du G; du: [36][16][2][16], of which k chooses one of the two */
    void (*wino_weight_grad)(const float *du, int k, float *dw, bool add);
    /* m[groups <= 4][tiles][16] (+)= sum over n channels of u [n][64] (x) v [n / 16][tiles][16] */
    void (*wino_product)(const float *u, const float *v, int64_t stride_v, int n, int groups, int tiles, float *m,
                         int64_t stride_m, bool add);
    /* du[16][2][16] = sum over tiles of v [tiles][16] (x) z [groups <= 2][tiles][16] */
    void (*wino_outer)(const float *v, const float *z, int64_t stride_z, int groups, int tiles, float *du);

    void (*reduce)(const float *a, const float *b, int64_t n, double *sum_a, double *dot);
    void (*axpby)(int64_t n, float alpha, const float *x, float beta, float *y);
    void (*update)(const BalUpdate *u, int64_t n, float *w, const float *g, float *m1, float *m2);
} BalLoops;

extern const BalLoops bal_loops_base, bal_loops_avx2, bal_loops_avx512, bal_loops_avx512_bf16;

#endif
