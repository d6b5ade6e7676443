/* One clip, with the way its pictures are decoded laid open: for the tests and benchmarks that compare the ways. */
#ifndef BAL_MEDIA_CLIP_H
#define BAL_MEDIA_CLIP_H

#include "media/frames.h"

BAL_MUST_USE BalStatus bal_clip_decode_by(BalFrameWay way, const char *path, const BalClipSpec *spec,
                                          const BalMediaLimits *limits, BalClipMedia *out, BalError *err);

#endif
