/* Convolutions 3x3 of stride 1 by Winograd's algorithms F(4x4,3x3) and F(2x2,3x3), by our own kernels.
 *
 * The output is cut into tiles of 4x4 (2x2). Each tile's 6x6 (4x4) window of the input, and each pair of channels' 3x3 weights, are
 * transformed to 36 (16) points (Lavin and Gray 2016); there a convolution is one product per point, so a tile costs 36
 * multiplications instead of 144 (16 instead of 36), and the sum over input channels is 36 (16) matrix products:
 *
 *   forward           y = A^T [ sum over c (G w G^T) . (B^T x B) ] A
 *   backward-data     the same with dy for x, and w turned: taps reversed, channels swapped
 *   backward-weights  dw = G^T [ sum over tiles (A dy A^T) . (B^T x B) ] G      (tiles of 4x4 only)
 *
 * Everything is float32 inside, also where values are bfloat16: on processors with AVX-512 that is still faster than direct bf16
 * products, and their rounding stays away. Float32's own rounding is kept near a direct convolution's, or below it, by the points
 * of F(4x4), 0, +-5/8, +-3/2 and infinity, whose error is less than half of that of the usual 0, +-1, +-2 and infinity; and by adding
 * up products over SUM channels at a stretch and then these sums. Multiples of the error of a sum in one chain over channels and taps
 * (normal weights, inputs max(normal, 0), against float64), for 64, 128 and 256 channels: F(4x4) 1.6, 1.2, 0.8 (in one stretch
 * 2.0, 2.0, 1.9; with the usual points 4 and more), F(2x2) 0.5, 0.45, 0.3.
 *
 * Forward and backward-data: transformed weights u [points][group of 64 out][in][64] lie in scratch memory; they are made anew in each run,
 * because a training changes the weights in each step anyway and keeping all layers' u would cost up to 8 times the memory of the
 * weights. Each thread then takes its share of the tiles, a chunk at a time so that what it works on stays in its cache:
 * v [points][in / 16][chunk][16], the products m [points][4][chunk][16] of one group of 64 output channels, and the result.
 *
 * Backward-weights: chunk by chunk, z [36][out / 16][chunk][16] of dy, then for two groups of input channels at a time their v, and
 * from both the blocks of dw at their 36 points, which are transformed back at once and added to dw: so the gradient at its points, 4
 * times as large as dw, never lies in memory. Where dw is small each thread sums its own tiles into a dw of its own, and these
 * are added in the end; where it is large there are few tiles, and threads share z and each sums other input channels. */
#include <string.h>
#include "backends/onednn/onednn.h"
#include "base/mem.h"

enum {
    LINE = 16,                /* floats in a cache line */
    SUM = 32,                 /* input channels; a multiple of 16 */
    CHUNK = 96,               /* tiles of 4x4; of 2x2 twice as many */
    IN_BLOCK = 2,             /* groups of input channels whose v serves one pass over z */
    DU_FLOATS = 36 * 16 * 32, /* a block of dw at its points: 16 input by 32 output channels */
    APART_FLOATS = 1 << 18,   /* of dw, up to which each thread has its own */
};

typedef struct BalWinograd {
    BalDirection direction;
    BalTiles x, y; /* the value that is read through 6x6 windows, and the one in tiles of 4x4 */
    int64_t points, tiles, chunk;
    bool apart; /* each thread sums its own tiles into its own dw */
    /* Between points, in floats: odd numbers of cache lines, which spreads them over the cache's sets. m: the products, or z. */
    int64_t u_stride, v_stride, m_stride;
    size_t v_floats, m_floats, dw_floats;
    size_t shared_floats,
        thread_floats; /* of the scratch memory: what all threads use lies first, then each thread's own */
} BalWinograd;

static int64_t odd_lines(int64_t floats) {
    return (floats / LINE | 1) * LINE;
}

static BalTiles tiles_of(const BalShape *map, const BalShape *tiled, int size, int pad) {
    return (BalTiles){.groups = map->dim[1] / 16,
                      .h = (int)map->dim[2],
                      .w = (int)map->dim[3],
                      .size = size,
                      .pad = pad,
                      .ty = ((int)tiled->dim[2] + size - 1) / size,
                      .tx = ((int)tiled->dim[3] + size - 1) / size};
}

static int64_t at_most(int64_t n, int64_t most) {
    return n < most ? n : most;
}

BalStatus bal_winograd_create(BalWinograd **out, const BalOnednn *b, const BalOp *op, BalDirection direction, int size,
                              size_t *scratch_bytes, BalError *err) {
    BalWinograd *w = NULL;
    BAL_TRY(bal_alloc(&w, 1, sizeof *w, err));
    const bool turned = direction == BAL_DIR_BWD_DATA;
    const BalShape *read = turned ? &op->out : &op->in[0], *tiled = turned ? &op->in[0] : &op->out;
    w->direction = direction;
    w->points = (size + 2) * (size + 2);
    w->x = tiles_of(read, tiled, size, turned ? 2 - op->pad[1] : op->pad[1]);
    w->y = tiles_of(tiled, tiled, size, 0);
    w->tiles = tiled->dim[0] * w->y.ty * w->y.tx;
    w->chunk = at_most(size == 2 ? 2 * CHUNK : CHUNK, w->tiles);
    const bool weights = direction == BAL_DIR_BWD_WEIGHTS;
    const int64_t c = read->dim[1], k = tiled->dim[1];
    w->v_stride = odd_lines((weights ? IN_BLOCK * 16 : c) * w->chunk);
    w->m_stride = odd_lines((weights ? k : 64) * w->chunk);
    w->v_floats = (size_t)(w->points * w->v_stride);
    w->m_floats = (size_t)(w->points * w->m_stride);
    if (weights) {
        w->dw_floats = (size_t)(9 * c * k);
        w->apart = w->dw_floats <= APART_FLOATS;
        w->shared_floats = w->apart ? 0 : w->m_floats;
        w->thread_floats = w->v_floats + (size_t)IN_BLOCK * DU_FLOATS + (w->apart ? w->m_floats + w->dw_floats : 0);
    } else {
        w->u_stride = odd_lines((k + 63) / 64 * 64 * c);
        w->shared_floats = (size_t)(w->points * w->u_stride);
        w->thread_floats = w->v_floats + w->m_floats;
    }
    const size_t floats = w->shared_floats + (size_t)b->threads * w->thread_floats;
    *scratch_bytes = floats * sizeof(float);
    *out = w;
    return BAL_OK;
}

void bal_winograd_destroy(BalWinograd *w) {
    bal_free(w);
}

typedef struct Work {
    const BalWinograd *g;
    const BalLoops *f;
    const void *x;
    void *y; /* written, or read by backward-weights */
    const float *w, *bias;
    float *dw, *scratch;
    bool add, bf16;
} Work;

static float *own_scratch(const Work *w, int t) {
    return w->scratch + w->g->shared_floats + (size_t)t * w->g->thread_floats;
}

/* ---- forward and backward-data ---- */

static void transform_weights(const Work *w, int t, int nt) {
    const BalWinograd *g = w->g;
    const bool turned = g->direction == BAL_DIR_BWD_DATA;
    const int64_t in = g->x.groups, out = g->y.groups; /* of this direction */
    int64_t from, to;
    bal_share(in * out, t, nt, &from, &to);
    for (int64_t i = from; i < to; i++) {
        const int64_t k = i / in, c = i % in;
        float turn[9 * 256];
        const float *block = w->w + (turned ? c * out + k : k * in + c) * 9 * 256;
        if (turned) w->f->wino_turn(block, turn);
        w->f->wino_weights(turned ? turn : block, w->scratch + (k / 4 * in + c) * 16 * 64 + k % 4 * 16, 64, g->u_stride,
                           g->y.size);
    }
}

/* Tiles [first, first + n), for all output channels. */
static void convolve(const Work *w, int64_t first, int n, float *v, float *m) {
    const BalWinograd *g = w->g;
    const int64_t in = g->x.groups, row = g->chunk * 16;
    for (int64_t c = 0; c < in; c++) w->f->wino_data(&g->x, w->x, c, first, n, v + c * row, g->v_stride, w->bf16);
    for (int64_t k = 0; k < g->y.groups; k += 4) {
        const int groups = (int)at_most(g->y.groups - k, 4);
        for (int64_t p = 0; p < g->points; p++)
            for (int64_t c = 0; c < in; c += SUM / 16)
                w->f->wino_product(w->scratch + p * g->u_stride + (k / 4 * in + c) * 16 * 64,
                                   v + p * g->v_stride + c * row, row, (int)at_most(in - c, SUM / 16) * 16, groups, n,
                                   m + p * g->m_stride, row, c > 0);
        for (int i = 0; i < groups; i++)
            w->f->wino_result(&g->y, m + i * row, g->m_stride, k + i, first, n, w->y,
                              w->bias ? w->bias + (k + i) * 16 : NULL, w->bf16);
    }
}

static void data_part(void *arg, int t, int nt) {
    const Work *w = arg;
    const BalWinograd *g = w->g;
    float *v = own_scratch(w, t), *m = v + g->v_floats;
    int64_t from, to;
    transform_weights(w, t, nt);
    bal_par_barrier();
    bal_share(g->tiles, t, nt, &from, &to);
    for (int64_t i = from; i < to; i += g->chunk) convolve(w, i, (int)at_most(to - i, g->chunk), v, m);
}

/* ---- backward-weights ---- */

/* All of dw for up to IN_BLOCK groups of input channels from c on, from the n tiles that v and z hold. */
static void weight_blocks(const Work *w, int64_t c, int64_t in, const float *v, const float *z, int n, float *du,
                          float *dw, bool add) {
    const BalWinograd *g = w->g;
    const int64_t row = g->chunk * 16;
    for (int64_t k = 0; k < g->y.groups; k += 2) {
        const int groups = (int)at_most(g->y.groups - k, 2);
        for (int64_t p = 0; p < g->points; p++)
            for (int64_t i = 0; i < in; i++)
                w->f->wino_outer(v + p * g->v_stride + i * row, z + p * g->m_stride + k * row, row, groups, n,
                                 du + (i * g->points + p) * 16 * 32);
        for (int64_t i = 0; i < in; i++)
            for (int j = 0; j < groups; j++)
                w->f->wino_weight_grad(du + i * g->points * 16 * 32, j, dw + ((k + j) * g->x.groups + c + i) * 9 * 256,
                                       add);
    }
}

/* The sum over tiles [first, last) into dw by thread t of the nt that share z and dw. */
static void weights_of(const Work *w, int64_t first, int64_t last, int t, int nt, float *z, float *v, float *dw,
                       bool add) {
    const BalWinograd *g = w->g;
    const int64_t row = g->chunk * 16;
    float *du = v + g->v_floats;
    for (int64_t i = first; i < last; i += g->chunk) {
        const int n = (int)at_most(last - i, g->chunk);
        int64_t from, to;
        bal_share(g->y.groups, t, nt, &from, &to);
        for (int64_t k = from; k < to; k++) w->f->wino_grad(&g->y, w->y, k, i, n, z + k * row, g->m_stride, w->bf16);
        if (nt > 1) bal_par_barrier();
        bal_share(g->x.groups, t, nt, &from, &to);
        for (int64_t c = from; c < to; c += IN_BLOCK) {
            for (int64_t j = 0; j < IN_BLOCK && c + j < to; j++)
                w->f->wino_data(&g->x, w->x, c + j, i, n, v + j * row, g->v_stride, w->bf16);
            weight_blocks(w, c, at_most(to - c, IN_BLOCK), v, z, n, du, dw, add || i > first);
        }
        if (nt > 1) bal_par_barrier();
    }
}

static void weights_shared(void *arg, int t, int nt) {
    const Work *w = arg;
    weights_of(w, 0, w->g->tiles, t, nt, w->scratch, own_scratch(w, t), w->dw, w->add);
}

/* A thread's own: v, the blocks, z, and last its dw, which the first thread does not need. */
static void weights_apart(void *arg, int t, int nt) {
    const Work *w = arg;
    const BalWinograd *g = w->g;
    float *v = own_scratch(w, t), *part = v + g->thread_floats - g->dw_floats, *z = part - g->m_floats;
    float *dw = t ? part : w->dw;
    const bool add = !t && w->add;
    int64_t from, to;
    bal_share(g->tiles, t, nt, &from, &to);
    weights_of(w, from, to, 0, 1, z, v, dw, add);
    if (from == to && !add) memset(dw, 0, g->dw_floats * sizeof *dw);
    bal_par_barrier();
    bal_share((int64_t)g->dw_floats / 16, t, nt, &from, &to);
    for (int i = 1; i < nt; i++)
        w->f->axpby((to - from) * 16, 1, own_scratch(w, i) + g->thread_floats - g->dw_floats + from * 16, 1,
                    w->dw + from * 16);
}

void bal_winograd_run(const BalOnednn *b, const BalWinograd *g, const BalOp *op, const BalArgs *a) {
    Work w = {.g = g,
              .f = b->loops,
              .x = g->direction == BAL_DIR_BWD_DATA ? a->dy[0] : a->x[0],
              .w = a->w[0],
              .dw = a->dw[0],
              .scratch = a->scratch,
              .add = a->add_dw,
              .bf16 = op->dtype == BAL_BF16};
    w.y = g->direction == BAL_DIR_FWD        ? a->y
          : g->direction == BAL_DIR_BWD_DATA ? a->dx[0]
                                             : (void *)(uintptr_t)a->dy[0];
    if (g->direction == BAL_DIR_FWD && op->bias) w.bias = a->w[1];
    bal_par(b->threads,
            g->direction != BAL_DIR_BWD_WEIGHTS ? data_part
            : g->apart                          ? weights_apart
                                                : weights_shared,
            &w);
}
