/* What a picture looks like in 64 bits, and in a mirror. */
#ifndef BAL_CURATE_PICTURE_HASH_H
#define BAL_CURATE_PICTURE_HASH_H

#include <stdbool.h>
#include <stdint.h>

typedef struct BalPictureHash {
    uint64_t bits, mirrored;
    bool blank; /* of one brightness: the bits tell nothing */
} BalPictureHash;
/* rgb [H,W,3]. Integers throughout: the same bits on every machine. */
BalPictureHash bal_picture_hash(const uint8_t *rgb, int W, int H);

#endif
