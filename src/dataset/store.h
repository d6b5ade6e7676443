/* Inside of an open store, for the batch reader: members without copying. */
#ifndef BAL_DATASET_STORE_H
#define BAL_DATASET_STORE_H

#include <avbalance/dataset.h>

/* The audio of clip i as stored: float16 [F,T] in the mapping, borrowed while the store is open. Checksum as in bal_store_read. */
BAL_MUST_USE BalStatus bal_store_audio_half(const BalStore *s, int64_t i, const uint16_t **half, BalError *err);

typedef struct BalFrameSet { /* the frames of one clip, not yet decoded */
    int64_t clip;
    int n;
    const uint8_t *raw; /* [n,height,width,channels] in the mapping, or NULL: jpegs, whose size is known when decoded */
    int height, width;
} BalFrameSet;
BAL_MUST_USE BalStatus bal_store_frame_set(const BalStore *s, int64_t i, BalFrameSet *out, BalError *err);
/* Pixels of frame k: in the mapping, or decoded into *scratch. */
BAL_MUST_USE BalStatus bal_store_frame(const BalStore *s, const BalFrameSet *set, int k, BalFrames *scratch,
                                       const uint8_t **px, int *height, int *width, BalError *err);

#endif
