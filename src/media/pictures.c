/* Pictures of a clip by number, one at a time: bal_clip_take with every picture turned into upright RGB on its way. */
#include "base/mem.h"
#include "media/clip.h"

typedef struct Pictures {
    const BalPictureTaker *taker;
    BalPicture converter;
    uint8_t *rgb;
    size_t cap;
} Pictures;

static BalStatus restart(void *user, BalError *err) {
    (void)user, (void)err;
    return BAL_OK;
}

static BalStatus frame(void *user, const AVFrame *f, BalTurn turn, double at_s, int first, int n, BalError *err) {
    Pictures *p = user;
    (void)at_s;
    const bool swap = bal_turn_degrees(turn) % 180 != 0;
    const int w = swap ? f->height : f->width, h = swap ? f->width : f->height;
    BAL_TRY(bal_grow(&p->rgb, &p->cap, (size_t)w * (size_t)h * 3, 1, err));
    BAL_TRY(bal_picture_rgb(&p->converter, f, turn, p->rgb, w, h, err));
    return p->taker->take(p->taker->user, first, n, p->rgb, h, w, err);
}

BalStatus bal_clip_pictures(const char *path, const BalClipSpec *spec, const BalMediaLimits *limits,
                            const BalPictureTaker *taker, BalError *err) {
    Pictures p = {.taker = taker};
    BalClipSpec only = *spec;
    BalClipMedia media = {0};
    BalClipTaker into = {.pictures = {restart, frame, &p}, .numbers = taker};
    only.want_audio = false;
    only.want_video = true;
    BalStatus rc = bal_clip_take(path, &only, limits, &into, &media, err);
    bal_clip_media_reset(&media);
    bal_picture_reset(&p.converter);
    bal_free(p.rgb);
    return rc;
}
