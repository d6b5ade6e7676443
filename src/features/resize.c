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

typedef struct Taps { /* of one axis: output i is the sum of n inputs from first[i] on, weighted with k[i][0..n) */
    int32_t *first, *k;
    int n; /* the same for all outputs (some weights are 0), so that loops over it are predictable */
} Taps;

static double triangle(double x) {
    return fabs(x) < 1 ? 1 - fabs(x) : 0;
}

static BalStatus taps_create(Taps *t, int in, int out, BalError *err) {
    double scale = (double)in / out, width = scale < 1 ? 1 : scale;
    t->n = (int)ceil(width) * 2 + 1;
    if (t->n > in) t->n = in;
    BAL_TRY(bal_alloc(&t->first, (size_t)out * (size_t)(t->n + 1), sizeof *t->first, err));
    t->k = t->first + out;
    for (int i = 0; i < out; i++) {
        double centre = (i + 0.5) * scale, sum = 0;
        int first = (int)(centre - width + 0.5), end = (int)(centre + width + 0.5);
        if (first < 0) first = 0;
        if (end > in) end = in;
        t->first[i] = first + t->n > in ? in - t->n : first;
        int32_t *k = t->k + (size_t)i * (size_t)t->n - t->first[i];
        for (int x = first; x < end; x++) sum += triangle((x - centre + 0.5) * (1 / width));
        for (int x = first; x < end; x++)
            k[x] = (int32_t)(0.5 + triangle((x - centre + 0.5) * (1 / width)) / sum * (1 << PRECISION));
    }
    return BAL_OK;
}

/* weights are never negative and add up to 1 within rounding: only 255 can be passed */
static inline uint8_t to_u8(uint32_t sum) {
    return (uint8_t)(sum >> PRECISION > 255 ? 255 : sum >> PRECISION);
}

/* The two loops below take nearly all the time. Compiled twice, the better version picked when the program starts: the same
 * integers either way. */
#if defined(__x86_64__) && defined(__gnu_linux__) && !defined(AVB_SANITIZED)
#define WIDE __attribute__((target_clones("avx2", "default")))
#else
#define WIDE
#endif
typedef uint32_t Four __attribute__((vector_size(16)));

/* One row of pixels of c bytes each: src [*,c] -> dst [out,c]. Four bytes are read for every pixel. n == t->n: written apart so that
 * the compiler can unroll for the common counts. */
static inline __attribute__((always_inline)) void row_of(const Taps *t, int n, const uint8_t *src, uint8_t *dst,
                                                         int out, int c) {
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    const Four byte = {0, 8, 16, 24};
#else
    const Four byte = {24, 16, 8, 0};
#endif
    const uint32_t half = 1U << (PRECISION - 1);
    const int32_t *k = t->k;
    for (int i = 0; i < out; i++, k += n, dst += c) {
        const uint8_t *p = src + (size_t)t->first[i] * (size_t)c;
        Four sum = {half, half, half, half};
        for (int x = 0; x < n; x++, p += c) {
            uint32_t px;
            memcpy(&px, p, sizeof px);
            sum += (((Four){px, px, px, px} >> byte) & 255U) * (uint32_t)k[x];
        }
        for (int j = 0; j < c; j++) dst[j] = to_u8(sum[j]);
    }
}

WIDE static void resize_row(const Taps *t, const uint8_t *src, uint8_t *dst, int out, int c) {
    if (c == 3 && t->n == 3)
        row_of(t, 3, src, dst, out, 3); /* enlarging */
    else if (c == 3 && t->n == 5)
        row_of(t, 5, src, dst, out, 3); /* down to a half */
    else if (c == 3)
        row_of(t, t->n, src, dst, out, 3);
    else
        row_of(t, t->n, src, dst, out, c);
}

/* One output row from n rows of `width` bytes each, with weights k. */
WIDE static void blend_rows(const uint8_t *rows, size_t width, const int32_t *k, int n, int32_t *sum, uint8_t *dst) {
    for (size_t x = 0; x < width; x++) sum[x] = 1 << (PRECISION - 1);
    for (int y = 0; y < n; y++)
        for (size_t x = 0; x < width; x++) sum[x] += rows[(size_t)y * width + x] * k[y];
    for (size_t x = 0; x < width; x++) dst[x] = to_u8((uint32_t)sum[x]);
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
    size_t box_width = (size_t)box[3] * (size_t)c;
    size_t behind = (size_t)(w - box[1] - box[3]) * (size_t)c; /* bytes of a row behind the box */
    uint8_t *last = NULL;                                      /* the picture's last rows, with room to read on */
    BalStatus rc = BAL_OK;
    BAL_TRY_OR(fail, taps_create(&across, box[3], W, err));
    BAL_TRY_OR(fail, taps_create(&down, box[2], H, err));
    BAL_TRY_OR(fail, bal_resize(&mid, (size_t)box[2], width, err));
    BAL_TRY_OR(fail, bal_resize(&sum, width, sizeof *sum, err));
    BAL_TRY_OR(fail, bal_alloc(&last, box_width + 4, 1, err));
    for (int y = 0; y < box[2]; y++) {
        const uint8_t *row = src + ((size_t)(box[0] + y) * (size_t)w + (size_t)box[1]) * (size_t)c;
        if (behind + (size_t)(h - 1 - box[0] - y) * (size_t)w * (size_t)c < 4) row = memcpy(last, row, box_width);
        if (box[3] == W)
            memcpy(mid + (size_t)y * width, row, width);
        else
            resize_row(&across, row, mid + (size_t)y * width, W, c);
    }
    for (int y = 0; y < H; y++)
        blend_rows(mid + (size_t)down.first[y] * width, width, down.k + (size_t)y * (size_t)down.n, down.n, sum,
                   dst + (size_t)y * width);
fail:
    bal_free(across.first);
    bal_free(down.first);
    bal_free(mid);
    bal_free(sum);
    bal_free(last);
    return rc;
}
