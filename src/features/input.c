/* From stored frames to a network's input: which frames, which crop, mirrored or not, normalised.
 *
 * torchvision's semantics: RandomResizedCrop, RandomHorizontalFlip, ToTensor, Normalize in training; a plain resize to the square
 * in testing. Random numbers come from the caller's stream, always in the order crop, flip, so that a clip's augmentation depends
 * on its key alone. */
#include <avbalance/features.h>
#include <math.h>
#include "base/mem.h"
#include "base/rng.h"

enum { COLOUR_IMAGENET, COLOUR_HALF, COLOUR_NONE };

void bal_frame_choose(int n, int k, bool train, BalRng *rng, int *index) {
    for (int i = 0; i < k; i++) {
        int64_t first = (int64_t)i * n / k, end = (int64_t)(i + 1) * n / k;
        if (train && end > first)
            index[i] = (int)(first + (int64_t)bal_rng_below(rng, (uint64_t)(end - first)));
        else
            index[i] = (int)((2 * (int64_t)i + 1) * n / (2 * (int64_t)k)); /* the middle; repeats where n < k */
    }
}

/* torchvision's RandomResizedCrop.get_params: {top, left, height, width} */
static void random_crop(const BalInputRecipe *r, int h, int w, BalRng *rng, int box[4]) {
    const double narrow = 3.0 / 4, wide = 4.0 / 3, area = (double)h * w;
    for (int tries = 0; tries < 10; tries++) {
        double part = area * (r->crop_min + (r->crop_max - r->crop_min) * bal_rng_uniform(rng));
        double aspect = exp(log(narrow) + (log(wide) - log(narrow)) * bal_rng_uniform(rng));
        double cw = rint(sqrt(part * aspect)), ch = rint(sqrt(part / aspect));
        if (cw < 1 || cw > w || ch < 1 || ch > h) continue;
        box[2] = (int)ch;
        box[3] = (int)cw;
        box[0] = (int)bal_rng_below(rng, (uint64_t)(h - box[2] + 1));
        box[1] = (int)bal_rng_below(rng, (uint64_t)(w - box[3] + 1));
        return;
    }
    box[2] = h;
    box[3] = w;
    if ((double)w / h < narrow)
        box[2] = (int)rint(w / narrow);
    else if ((double)w / h > wide)
        box[3] = (int)rint(h * wide);
    box[0] = (h - box[2]) / 2;
    box[1] = (w - box[3]) / 2;
}

/* value of every byte after /255 and (x - mean) / std, in float as torch computes it: [c,256] */
static void colour_table(int colour, int c, float *table) {
    static const float mean3[3] = {0.485F, 0.456F, 0.406F}, std3[3] = {0.229F, 0.224F, 0.225F};
    for (int j = 0; j < c; j++) {
        float mean = 0, std = 1;
        if (colour == COLOUR_IMAGENET) mean = c == 3 ? mean3[j] : 0.449F, std = c == 3 ? std3[j] : 0.226F;
        if (colour == COLOUR_HALF) mean = std = 0.5F;
        for (int v = 0; v < 256; v++) table[j * 256 + v] = ((float)v / 255.0F - mean) / std;
    }
}

/* px [n,n,c] -> out [c,n,n] */
static void normalise(const uint8_t *px, int n, int c, bool flip, const float *table, float *out) {
    for (int y = 0; y < n; y++) {
        const uint8_t *row = px + (size_t)y * (size_t)n * (size_t)c;
        for (int j = 0; j < c; j++) {
            const float *t = table + (ptrdiff_t)j * 256;
            float *o = out + ((size_t)j * (size_t)n + (size_t)y) * (size_t)n;
            if (flip)
                for (int x = 0; x < n; x++) o[x] = t[row[(n - 1 - x) * c + j]];
            else
                for (int x = 0; x < n; x++) o[x] = t[row[x * c + j]];
        }
    }
}

BalStatus bal_frame_transform(const BalInputRecipe *r, const uint8_t *src, int h, int w, int c, bool train, BalRng *rng,
                              float *out, BalError *err) {
    if (c != 1 && c != 3) return BAL_FAIL(err, BAL_E_ARG, "a frame of %d channels: must be 1 or 3", c);
    int box[4] = {0, 0, h, w}, n = (int)r->image_size;
    if (train && r->crop_min < 1) random_crop(r, h, w, rng, box);
    bool flip = train && r->flip > 0 && bal_rng_uniform(rng) < r->flip;
    uint8_t *px = NULL;
    BAL_TRY(bal_resize(&px, (size_t)n * (size_t)n, (size_t)c, err));
    BalStatus rc = bal_resize_u8(src, h, w, c, box, px, n, n, err);
    if (rc == BAL_OK) {
        float table[3 * 256];
        colour_table(r->colour, c, table);
        normalise(px, n, c, flip, table, out);
    }
    bal_free(px);
    return rc;
}
