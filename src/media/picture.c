/* Decoded pictures to upright RGB or 4:2:0: libswscale with the matrix and range the picture names, then a copy that turns.
 *
 * The scaler's flags are those of the ffmpeg program: the same pixels as `ffmpeg -pix_fmt rgb24`, and its fast path for 4:2:0. */
#include "media/picture.h"
#include <libavutil/imgutils.h>
#include <libavutil/pixdesc.h>
#include <libswscale/swscale.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"

enum { MIRROR = 1, FLIP = 2, SWAP = 4 };

/* The matrix takes a stored point (x, y) to (a x + c y, b x + d y) on screen; its entries are a, b, -, c, d, -, ... */
BalTurn bal_turn_of(const int32_t *m) {
    if (!m) return 0;
    int64_t a = m[0], b = m[1], c = m[3], d = m[4];
    if (llabs(a) >= llabs(b)) return (a < 0 ? MIRROR : 0u) | (d < 0 ? FLIP : 0u);
    return (b < 0 ? MIRROR : 0u) | (c < 0 ? FLIP : 0u) | SWAP;
}

int bal_turn_degrees(BalTurn t) {
    static const int degrees[8] = {0, 0, 180, 180, 90, 270, 90, 270};
    /* A quarter turn clockwise takes (x, y) to (-y, x): FLIP and SWAP. */
    return degrees[t & 7];
}

void bal_picture_reset(BalPicture *p) {
    sws_freeContext(p->sws);
    bal_free(p->plane);
    *p = (BalPicture){0};
}

/* The deprecated yuvj formats are their yuv twins in full range. */
static int plain_format(int format, int *range) {
    static const int twin[][2] = {{AV_PIX_FMT_YUVJ420P, AV_PIX_FMT_YUV420P},
                                  {AV_PIX_FMT_YUVJ422P, AV_PIX_FMT_YUV422P},
                                  {AV_PIX_FMT_YUVJ444P, AV_PIX_FMT_YUV444P},
                                  {AV_PIX_FMT_YUVJ440P, AV_PIX_FMT_YUV440P},
                                  {AV_PIX_FMT_YUVJ411P, AV_PIX_FMT_YUV411P}};
    for (size_t i = 0; i < sizeof twin / sizeof *twin; i++)
        if (twin[i][0] == format) {
            *range = 1;
            return twin[i][1];
        }
    return format;
}

/* Make p->sws fit the frame and the wanted output; a no-op while nothing changes. */
static BalStatus prepare(BalPicture *p, const AVFrame *f, int W, int H, int out_format, BalError *err) {
    int range = f->color_range == AVCOL_RANGE_JPEG, format = plain_format(f->format, &range);
    if (p->sws && p->width == f->width && p->height == f->height && p->format == format &&
        p->space == (int)f->colorspace && p->range == range && p->out_width == W && p->out_height == H &&
        p->out_format == out_format)
        return BAL_OK;
    int flags = out_format == AV_PIX_FMT_GRAY8 ? SWS_AREA : SWS_BICUBIC;
    sws_freeContext(p->sws);
    p->sws = sws_getContext(f->width, f->height, format, W, H, out_format, flags, NULL, NULL, NULL);
    if (!p->sws) {
        const char *name = av_get_pix_fmt_name(f->format);
        return BAL_FAIL(err, BAL_E_MEDIA, "picture: %d x %d in pixel format %s cannot be converted", f->width,
                        f->height, name ? name : "unknown");
    }
    const int *matrix = sws_getCoefficients(f->colorspace == AVCOL_SPC_RGB ? SWS_CS_DEFAULT : (int)f->colorspace);
    bool yuv = out_format == AV_PIX_FMT_YUV420P;
    sws_setColorspaceDetails(p->sws, matrix, range, yuv ? matrix : sws_getCoefficients(SWS_CS_DEFAULT), !yuv, 0,
                             1 << 16, 1 << 16);
    p->width = f->width, p->height = f->height, p->format = format, p->space = (int)f->colorspace, p->range = range;
    p->out_width = W, p->out_height = H, p->out_format = out_format;
    /* Vector code writes whole registers: room behind every row. */
    p->stride = (av_image_get_linesize(out_format, W, 0) + 64 + 63) & ~63;
    return BAL_OK;
}

/* frame -> rows, p->out_height of them, in one or three planes */
static BalStatus scale(BalPicture *p, const AVFrame *f, uint8_t *const rows[4], const int strides[4], BalError *err) {
    int H = p->out_height;
    if (sws_scale(p->sws, (const uint8_t *const *)f->data, f->linesize, 0, f->height, rows, strides) == H)
        return BAL_OK;
    return BAL_FAIL(err, BAL_E_MEDIA, "picture: %d x %d could not be converted", f->width, f->height);
}

static BalStatus convert(BalPicture *p, const AVFrame *f, int W, int H, int out_format, BalError *err) {
    BAL_TRY(prepare(p, f, W, H, out_format, err));
    BAL_TRY(bal_grow(&p->plane, &p->plane_cap, (size_t)p->stride * H + 64, 1, err));
    return scale(p, f, (uint8_t *const[4]){p->plane}, (const int[4]){p->stride}, err);
}

/* src [h, w] of `bytes` wide points -> dst, turned */
static void turn_plane(const uint8_t *src, int stride, int w, int h, int bytes, BalTurn turn, uint8_t *dst, int to) {
    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++) {
            int X = turn & MIRROR ? w - 1 - x : x, Y = turn & FLIP ? h - 1 - y : y;
            size_t at = turn & SWAP ? (size_t)X * to + (size_t)Y * bytes : (size_t)Y * to + (size_t)X * bytes;
            memcpy(dst + at, src + (size_t)y * stride + (size_t)x * bytes, (size_t)bytes);
        }
}

BalStatus bal_picture_rgb(BalPicture *p, const AVFrame *f, BalTurn turn, uint8_t *dst, int W, int H, BalError *err) {
    int w = turn & SWAP ? H : W, h = turn & SWAP ? W : H; /* size before turning */
    BAL_TRY(convert(p, f, w, h, AV_PIX_FMT_RGB24, err));
    if (!turn) {
        for (int y = 0; y < h; y++) memcpy(dst + (size_t)y * w * 3, p->plane + (size_t)y * p->stride, (size_t)w * 3);
        return BAL_OK;
    }
    turn_plane(p->plane, p->stride, w, h, 3, turn, dst, 3 * W);
    return BAL_OK;
}

BalStatus bal_picture_yuv(BalPicture *p, const AVFrame *f, BalTurn turn, AVFrame *dst, BalError *err) {
    int w = turn & SWAP ? dst->height : dst->width, h = turn & SWAP ? dst->width : dst->height;
    BAL_TRY(prepare(p, f, w, h, AV_PIX_FMT_YUV420P, err));
    if (!turn) return scale(p, f, dst->data, dst->linesize, err);
    BAL_TRY(bal_grow(&p->plane, &p->plane_cap, (size_t)p->stride * h * 2 + 64, 1, err));
    uint8_t *plane[4] = {p->plane, p->plane + (size_t)p->stride * h, p->plane + (size_t)p->stride * (h + h / 2)};
    BAL_TRY(scale(p, f, plane, (const int[4]){p->stride, p->stride, p->stride}, err));
    for (int k = 0; k < 3; k++)
        turn_plane(plane[k], p->stride, k ? w / 2 : w, k ? h / 2 : h, 1, turn, dst->data[k], dst->linesize[k]);
    return BAL_OK;
}

BalStatus bal_picture_luma(BalPicture *p, const AVFrame *f, int W, int H, const uint8_t **luma, int *stride,
                           BalError *err) {
    BAL_TRY(convert(p, f, W, H, AV_PIX_FMT_GRAY8, err));
    *luma = p->plane;
    *stride = p->stride;
    return BAL_OK;
}
