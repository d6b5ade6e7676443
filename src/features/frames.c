/* Frames as a store keeps them: grey first where asked (fewer bytes to resize, and PIL's order), then resized. */
#include <avbalance/features.h>
#include <string.h>
#include "base/mem.h"

void bal_frames_reset(BalFrames *f) {
    bal_free(f->data);
    *f = (BalFrames){0};
}

/* ITU-R 601 luma in PIL's 16-bit fixed point */
static void to_grey(const uint8_t *rgb, size_t n, uint8_t *grey) {
    for (size_t i = 0; i < n; i++)
        grey[i] = (uint8_t)((rgb[3 * i] * 19595U + rgb[3 * i + 1] * 38470U + rgb[3 * i + 2] * 7471U + 0x8000U) >> 16);
}

/* The size frames of h x w are stored at; the longer side is rounded down, as torchvision's Resize does. */
static void stored_size(const BalVisualRecipe *r, int h, int w, int *H, int *W) {
    int s = (int)r->store_size, shorter = h < w ? h : w;
    *H = h;
    *W = w;
    if (r->square)
        *H = *W = s;
    else if (s > 0 && s < shorter) {
        *H = h <= w ? s : (int)((int64_t)s * h / w);
        *W = w <= h ? s : (int)((int64_t)s * w / h);
    }
}

BalStatus bal_frames_prepare(const BalVisualRecipe *r, const BalClipMedia *m, BalFrames *out, BalError *err) {
    if (m->n_frames < 1) return BAL_FAIL(err, BAL_E_MEDIA, "the clip holds no frame");
    int h = m->height, w = m->width, c = r->grey ? 1 : 3, H, W;
    const int whole[4] = {0, 0, h, w};
    stored_size(r, h, w, &H, &W);
    size_t in = (size_t)h * (size_t)w, frame = (size_t)H * (size_t)W * (size_t)c;
    BAL_TRY(bal_grow(&out->data, &out->cap, frame * (size_t)m->n_frames, 1, err));
    uint8_t *grey = NULL;
    if (r->grey) BAL_TRY(bal_resize(&grey, in, 1, err));
    BalStatus rc = BAL_OK;
    for (int k = 0; k < m->n_frames && rc == BAL_OK; k++) {
        const uint8_t *src = m->frames + 3 * in * (size_t)k;
        if (grey) to_grey(src, in, grey);
        rc = bal_resize_u8(grey ? grey : src, h, w, c, whole, out->data + frame * (size_t)k, H, W, err);
    }
    bal_free(grey);
    if (rc < 0) return rc;
    out->n = m->n_frames;
    out->height = H;
    out->width = W;
    out->channels = c;
    return BAL_OK;
}
