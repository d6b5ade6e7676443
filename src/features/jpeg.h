/* Frames as JPEG: how a store keeps them small. */
#ifndef BAL_FEATURES_JPEG_H
#define BAL_FEATURES_JPEG_H

#include <stddef.h>
#include <stdint.h>
#include <avbalance/features.h>
#include "base/text.h"

/* Append the JPEG of px [h,w,c], c = 1 or 3, to *out. quality in 1..100. Colour is kept at half size (4:2:0), as in the
 * videos it comes from. Same bytes for same input and library. BAL_E_ARG: a size JPEG cannot hold. */
BAL_MUST_USE BalStatus bal_jpeg_write(BalText *out, const uint8_t *px, int h, int w, int c, int quality, BalError *err);

/* Decode one JPEG of outside origin and append it to *out as one more frame. An empty *out (n == 0) takes size and channels from it
 * (grey: 1, colour: 3), otherwise they must agree. BAL_E_FORMAT: not a JPEG, damaged (also what libjpeg only warns of), CMYK,
 * of another size, or of more than 64 Mi pixels, which is checked before memory is taken. `name` goes into messages. */
BAL_MUST_USE BalStatus bal_jpeg_read(BalFrames *out, const void *data, size_t n, const char *name, BalError *err);

#endif
