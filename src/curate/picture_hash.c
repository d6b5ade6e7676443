/* A hash that survives coding and scaling: brightness averaged to 32 x 32, its cosine transform, and of the 8 x 8 lowest coefficients
 * one bit each: above their median or not (Zauner, Implementation and Benchmarking of Perceptual Image Hash Functions, 2010).
 *
 * A mirrored picture has the same coefficients, those of odd horizontal frequency with the other sign; so its hash costs a sort. */
#include "curate/picture_hash.h"
#include <math.h>
#include <stdlib.h>

enum { SIDE = 32, LOW = 8, ONE = 1 << 14, BLANK_VARIANCE = 16 };

/* Brightness, 0..255 * 1000, of each of 32 x 32 cells. */
static void shrink(const uint8_t *rgb, int W, int H, int32_t cell[SIDE][SIDE]) {
    for (int y = 0; y < SIDE; y++)
        for (int x = 0; x < SIDE; x++) {
            int y0 = y * H / SIDE, y1 = (y + 1) * H / SIDE, x0 = x * W / SIDE, x1 = (x + 1) * W / SIDE;
            int64_t sum = 0;
            if (y1 <= y0) y1 = y0 + 1;
            if (x1 <= x0) x1 = x0 + 1;
            for (int i = y0; i < y1; i++)
                for (int k = x0; k < x1; k++) {
                    const uint8_t *p = rgb + ((int64_t)i * W + k) * 3;
                    sum += 299 * p[0] + 587 * p[1] + 114 * p[2];
                }
            cell[y][x] = (int32_t)(sum / ((int64_t)(y1 - y0) * (x1 - x0)));
        }
}

/* c[v][u] = sum over y, x of cell cos(pi (2x+1) u / 64) cos(pi (2y+1) v / 64), up to scale */
static void transform(int32_t cell[SIDE][SIDE], int64_t c[LOW][LOW]) {
    int32_t wave[LOW][SIDE];
    int64_t row[SIDE][LOW];
    for (int u = 0; u < LOW; u++)
        for (int x = 0; x < SIDE; x++)
            wave[u][x] = (int32_t)lround(ONE * cos(3.14159265358979323846 * (2 * x + 1) * u / (2 * SIDE)));
    for (int y = 0; y < SIDE; y++)
        for (int u = 0; u < LOW; u++) {
            row[y][u] = 0;
            for (int x = 0; x < SIDE; x++) row[y][u] += (int64_t)cell[y][x] * wave[u][x];
        }
    for (int v = 0; v < LOW; v++)
        for (int u = 0; u < LOW; u++) {
            c[v][u] = 0;
            for (int y = 0; y < SIDE; y++) c[v][u] += row[y][u] / 64 * wave[v][y];
        }
}

static int by_value(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static uint64_t above_median(int64_t c[LOW][LOW]) {
    int64_t sorted[LOW * LOW];
    uint64_t bits = 0;
    for (int i = 0; i < LOW * LOW; i++) sorted[i] = c[i / LOW][i % LOW];
    qsort(sorted, LOW * LOW, sizeof *sorted, by_value);
    for (int i = 0; i < LOW * LOW; i++)
        if (c[i / LOW][i % LOW] > sorted[LOW * LOW / 2 - 1]) bits |= UINT64_C(1) << i;
    return bits;
}

static bool is_blank(int32_t cell[SIDE][SIDE]) {
    int64_t sum = 0, square = 0, n = SIDE * SIDE;
    for (int i = 0; i < n; i++) {
        int64_t v = cell[i / SIDE][i % SIDE] / 1000;
        sum += v, square += v * v;
    }
    return n * square - sum * sum < BLANK_VARIANCE * n * n;
}

BalPictureHash bal_picture_hash(const uint8_t *rgb, int W, int H) {
    int32_t cell[SIDE][SIDE];
    int64_t c[LOW][LOW];
    BalPictureHash h = {0};
    shrink(rgb, W, H, cell);
    transform(cell, c);
    h.blank = is_blank(cell);
    h.bits = above_median(c);
    for (int v = 0; v < LOW; v++)
        for (int u = 1; u < LOW; u += 2) c[v][u] = -c[v][u];
    h.mirrored = above_median(c);
    return h;
}
