/* One clip's features as the bytes of its tar members: what a worker makes and the writer appends in one piece. */
#ifndef BAL_DATASET_PACK_H
#define BAL_DATASET_PACK_H

#include <avbalance/dataset.h>
#include "base/text.h"
#include "dataset/index.h"
#include "dataset/tar.h"

enum { BAL_KEY_NAME = 60 }; /* bytes of the id that go into a key */

typedef struct BalClipFeatures { /* what is known of one clip; a worker reuses one for all its clips */
    float *audio;                /* [audio_shape[0], audio_shape[1]], all finite */
    int64_t audio_shape[2];
    BalFrames frames;
    double length_s;
} BalClipFeatures;

typedef struct BalPacked {       /* zero is empty; a reused one keeps its memory */
    BalText tar;                 /* headers, data and padding of all members, without the archive's trailer */
    BalIndexMember *member;      /* offsets from the start of `tar` */
    uint32_t n_members, tar_crc; /* CRC-32 of `tar` */
    size_t member_cap;
    uint16_t *half;
    size_t half_cap;
} BalPacked;

/* The key of a clip: its row in the manifest, eight digits or more, '-', then the id with every byte outside [A-Za-z0-9_-]
 * made '_' and cut to BAL_KEY_NAME bytes. Unique through the row; no dot, no slash: WebDataset cuts names at the first dot. */
void bal_pack_key(char key[BAL_TAR_NAME], int64_t row, const char *id);

/* Members: KEY.json, KEY.audio.npy (float16), KEY.frames.npy (uint8 [K,H,W,C]) or KEY.frame-00000.jpg ...
 * class_name: NULL for an unknown label. BAL_E_NUMERIC: an audio value that float16 cannot hold. */
BAL_MUST_USE BalStatus bal_pack_clip(BalPacked *out, const BalClipFeatures *f, const BalVisualRecipe *recipe,
                                     int64_t row, const BalClip *clip, BalSplit split, const char *class_name,
                                     BalError *err);
void bal_packed_reset(BalPacked *p);

#endif
