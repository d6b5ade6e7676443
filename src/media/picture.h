/* Decoded pictures to upright RGB or 4:2:0. */
#ifndef BAL_MEDIA_PICTURE_H
#define BAL_MEDIA_PICTURE_H

#include <libavutil/frame.h>
#include <stdint.h>
#include <avbalance/error.h>

/* How a stored picture is turned to be seen: bit 0 mirror left-right, bit 1 upside down, bit 2 swap the axes (afterwards).
 * A rotation by other than quarter turns is taken to the nearest. */
typedef unsigned BalTurn;
BalTurn bal_turn_of(const int32_t *matrix); /* display matrix [9] or NULL: 0 */
int bal_turn_degrees(BalTurn t);            /* clockwise, of the turn without its mirroring: 0, 90, 180, 270 */

typedef struct BalPicture { /* converter; zero is valid, reset frees */
    struct SwsContext *sws;
    int width, height, format, space, range, out_width, out_height, out_format;
    uint8_t *plane; /* before turning: [out_height, stride], or three planes of it one below the other */
    size_t plane_cap;
    int stride;
} BalPicture;
void bal_picture_reset(BalPicture *p);

/* frame -> dst [H,W,3] RGB, turned; W x H is the size after turning, to which the picture is scaled where it differs. */
BAL_MUST_USE BalStatus bal_picture_rgb(BalPicture *p, const AVFrame *frame, BalTurn turn, uint8_t *dst, int W, int H,
                                       BalError *err);
/* frame -> dst, a writable frame in 4:2:0, limited range, turned; the matrix is the frame's own. */
BAL_MUST_USE BalStatus bal_picture_yuv(BalPicture *p, const AVFrame *frame, BalTurn turn, AVFrame *dst, BalError *err);
/* frame -> luma [H,W], full range, as stored (not turned); borrowed until the next call. */
BAL_MUST_USE BalStatus bal_picture_luma(BalPicture *p, const AVFrame *frame, int W, int H, const uint8_t **luma,
                                        int *stride, BalError *err);

#endif
