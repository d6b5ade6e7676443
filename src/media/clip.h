/* One clip for those inside the room: with the way its pictures are decoded laid open, and without ever holding them all. */
#ifndef BAL_MEDIA_CLIP_H
#define BAL_MEDIA_CLIP_H

#include "media/frames.h"
#include "media/sound.h"

BAL_MUST_USE BalStatus bal_clip_decode_by(BalFrameWay way, const char *path, const BalClipSpec *spec,
                                          const BalMediaLimits *limits, BalClipMedia *out, BalError *err);

/* What takes a clip's sound and pictures as they were decoded. Sound comes first, whole; both may come again from the beginning, when
 * a stream or a way of decoding had to be given up. */
typedef struct BalClipTaker {
    BalStatus (*sound)(void *user, const BalSound *s, BalError *err); /* borrowed for the call */
    BalFrameSink pictures;
    const BalPictureTaker *numbers; /* chooses the pictures instead of spec; NULL: spec does */
    void *user;
    /* Out: what the file holds of each, on the clip's clock from the clip's begin on (below 0: earlier); pictures by their packets. */
    double sound_from_s, sound_to_s, picture_from_s, picture_to_s;
} BalClipTaker;

/* bal_clip_decode of the wanted streams into a taker; of `out` only length_s and the counts are filled. */
BAL_MUST_USE BalStatus bal_clip_take(const char *path, const BalClipSpec *spec, const BalMediaLimits *limits,
                                     BalClipTaker *taker, BalClipMedia *out, BalError *err);

#endif
