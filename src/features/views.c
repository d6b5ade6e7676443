/* What a SlowFast sees of a video: times, crops and pixels, as PySlowFast's test mode has them (building.md 1.4).
 *
 * Times are indices into the picture at its own rate; a clip of 32 frames at 30 per second is 64 of them, and as many seconds at any other
 * rate. Normalising and scaling are both linear, so their order, which differs there, does not matter. */
#include <avbalance/features.h>
#include <math.h>

BalStatus bal_view_frames(double fps, int64_t n, int view, int views, int n_out, int64_t *index, BalError *err) {
    if (!(fps > 0) || n < 1 || views < 1 || view < 0 || view >= views || n_out < 2)
        return BAL_FAIL(err, BAL_E_ARG, "view %d of %d with %d frames of %lld at %g per second", view, views, n_out,
                        (long long)n, fps);
    const double size = fmax(1, n_out * 2.0 / 30 * fps), slack = fmax((double)n - size, 0);
    const double start = views == 1 ? floor(slack / 2) : slack * view / views;
    for (int k = 0; k < n_out; k++) {
        const int64_t i = (int64_t)(start + k * (size - 1) / (n_out - 1));
        index[k] = i < 0 ? 0 : i >= n ? n - 1 : i;
    }
    return BAL_OK;
}

void bal_view_slow(int n, int m, int *index) {
    for (int k = 0; k < m; k++) index[k] = m < 2 ? 0 : (int)((int64_t)k * (n - 1) / (m - 1));
}

/* Begin of crop `at` (0, 1, 2) of `size` among `length`. */
static int place(int length, int size, int at) {
    const int slack = length - size;
    return at == 0 ? 0 : at == 2 ? slack : (slack + 1) / 2;
}

BalStatus bal_view_crop(int h, int w, int side, int size, int crop, int scaled[2], int top_left[2], BalError *err) {
    if (h < 1 || w < 1 || size < 1 || size > side || crop < 0 || crop > 2)
        return BAL_FAIL(err, BAL_E_ARG, "crop %d of %d from a picture of %d x %d, scaled to %d", crop, size, h, w,
                        side);
    const bool upright = h > w;
    scaled[0] = upright ? (int)floor((double)h / w * side) : side;
    scaled[1] = upright ? side : (int)floor((double)w / h * side);
    top_left[0] = place(scaled[0], size, upright ? crop : 1);
    top_left[1] = place(scaled[1], size, upright ? 1 : crop);
    return BAL_OK;
}

typedef struct Tap { /* an output pixel of one axis: two neighbours and the weight of the second */
    int first, second;
    float weight;
} Tap;

static Tap tap(int at, int in, int out) {
    double x = (at + 0.5) * in / out - 0.5;
    if (x < 0) x = 0;
    const int first = (int)x < in - 1 ? (int)x : in - 1;
    return (Tap){first, first + (first < in - 1), (float)(x - first)};
}

void bal_view_pixels(const uint8_t *src, int h, int w, const int scaled[2], const int top_left[2], int size, float *out,
                     int64_t plane) {
    const float scale = 1 / (255 * 0.225F), shift = 0.45F / 0.225F;
    for (int y = 0; y < size; y++) {
        const Tap v = tap(top_left[0] + y, h, scaled[0]);
        const uint8_t *above = src + (size_t)v.first * (size_t)w * 3, *below = src + (size_t)v.second * (size_t)w * 3;
        for (int x = 0; x < size; x++) {
            const Tap u = tap(top_left[1] + x, w, scaled[1]);
            for (int c = 0; c < 3; c++) {
                const int l = u.first * 3 + c, r = u.second * 3 + c;
                const float a = (float)above[l] + u.weight * (float)(above[r] - above[l]);
                const float b = (float)below[l] + u.weight * (float)(below[r] - below[l]);
                out[c * plane + (int64_t)y * size + x] = (a + v.weight * (b - a)) * scale - shift;
            }
        }
    }
}
