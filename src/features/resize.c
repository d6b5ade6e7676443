/* Bilinear resize with antialiasing, bit-equal to PIL's (and so to torchvision's on PIL images).
 *
 * PIL's rule: the triangle filter is as wide as the reduction (never narrower than one source pixel); weights are rounded to 22
 * fractional bits; rows are resampled first and rounded to 8 bits, then columns. Doing the same in the same order gives the same
 * bytes. The box is cut out first: pixels outside it are never seen, as with torchvision's crop-then-resize. */
#include <avbalance/features.h>
#include <math.h>
#include <string.h>
#include "base/mem.h"

enum { PRECISION = 32 - 8 - 2 };

typedef struct Taps {       /* of one axis: output i is the sum of n[i] inputs from first[i] on */
    int32_t *first, *n, *k; /* k: [out][size] */
    int size;
} Taps;

static BalStatus taps_create(Taps *t, int in, int out, BalError *err) {
    double scale = (double)in / out, width = scale < 1 ? 1 : scale;
    t->size = (int)ceil(width) * 2 + 1;
    BAL_TRY(bal_alloc(&t->first, (size_t)out * (size_t)(t->size + 2), sizeof *t->first, err));
    t->n = t->first + out;
    t->k = t->n + out;
    for (int i = 0; i < out; i++) {
        double centre = (i + 0.5) * scale, sum = 0;
        int first = (int)(centre - width + 0.5), end = (int)(centre + width + 0.5);
        if (first < 0) first = 0;
        if (end > in) end = in;
        t->first[i] = first;
        t->n[i] = end - first;
        for (int pass = 0; pass < 2; pass++)
            for (int x = first; x < end; x++) {
                double w = 1 - fabs((x - centre + 0.5) * (1 / width));
                if (w < 0) w = 0;
                if (pass == 0)
                    sum += w;
                else
                    t->k[i * t->size + x - first] = (int32_t)(0.5 + w / sum * (1 << PRECISION));
            }
    }
    return BAL_OK;
}

static uint8_t to_u8(
    int32_t sum) { /* weights are never negative and add up to 1 within rounding: only 255 can be passed */
    int32_t v = sum >> PRECISION;
    return (uint8_t)(v > 255 ? 255 : v);
}

/* One row: src [*,c] -> dst [out,c]. */
static inline void row_of(const Taps *t, const uint8_t *src, uint8_t *dst, int out, int c) {
    for (int i = 0; i < out; i++) {
        const int32_t *k = t->k + (size_t)i * (size_t)t->size;
        const uint8_t *p = src + (size_t)t->first[i] * (size_t)c;
        int32_t sum[4] = {1 << (PRECISION - 1), 1 << (PRECISION - 1), 1 << (PRECISION - 1), 1 << (PRECISION - 1)};
        for (int x = 0; x < t->n[i]; x++, p += c)
            for (int j = 0; j < c; j++) sum[j] += p[j] * k[x];
        for (int j = 0; j < c; j++) dst[i * c + j] = to_u8(sum[j]);
    }
}

static void resize_row(const Taps *t, const uint8_t *src, uint8_t *dst, int out, int c) {
    if (c == 3)
        row_of(t, src, dst, out, 3); /* constant counts let the compiler unroll */
    else if (c == 1)
        row_of(t, src, dst, out, 1);
    else
        row_of(t, src, dst, out, c);
}

/* One output row from n rows of `width` bytes each, with weights k. */
static void blend_rows(const uint8_t *rows, size_t width, const int32_t *k, int n, int32_t *sum, uint8_t *dst) {
    for (size_t x = 0; x < width; x++) sum[x] = 1 << (PRECISION - 1);
    for (int y = 0; y < n; y++)
        for (size_t x = 0; x < width; x++) sum[x] += rows[(size_t)y * width + x] * k[y];
    for (size_t x = 0; x < width; x++) dst[x] = to_u8(sum[x]);
}

BalStatus bal_resize_u8(const uint8_t *src, int h, int w, int c, const int box[4], uint8_t *dst, int H, int W,
                        BalError *err) {
    if (H < 1 || W < 1 || c < 1 || c > 4 || box[0] < 0 || box[1] < 0 || box[2] < 1 || box[3] < 1 ||
        box[2] > h - box[0] || box[3] > w - box[1])
        return BAL_FAIL(err, BAL_E_ARG, "cannot resize box %d,%d %dx%d of a %dx%d picture to %dx%d", box[0], box[1],
                        box[2], box[3], h, w, H, W);
    Taps across = {0}, down = {0};
    uint8_t *mid = NULL; /* [box height, W, c] */
    int32_t *sum = NULL; /* [W, c] */
    size_t width = (size_t)W * (size_t)c;
    BalStatus rc = BAL_OK;
    BAL_TRY_OR(fail, taps_create(&across, box[3], W, err));
    BAL_TRY_OR(fail, taps_create(&down, box[2], H, err));
    BAL_TRY_OR(fail, bal_resize(&mid, (size_t)box[2], width, err));
    BAL_TRY_OR(fail, bal_resize(&sum, width, sizeof *sum, err));
    for (int y = 0; y < box[2]; y++) {
        const uint8_t *row = src + ((size_t)(box[0] + y) * (size_t)w + (size_t)box[1]) * (size_t)c;
        if (box[3] == W)
            memcpy(mid + (size_t)y * width, row, width);
        else
            resize_row(&across, row, mid + (size_t)y * width, W, c);
    }
    for (int y = 0; y < H; y++)
        blend_rows(mid + (size_t)down.first[y] * width, width, down.k + (size_t)y * (size_t)down.size, down.n[y], sum,
                   dst + (size_t)y * width);
fail:
    bal_free(across.first);
    bal_free(down.first);
    bal_free(mid);
    bal_free(sum);
    return rc;
}
