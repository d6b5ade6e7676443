/* Does the container claim more bytes than the file has? */
#ifndef BAL_MEDIA_EXTENT_H
#define BAL_MEDIA_EXTENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* data: the whole file. true for MP4/MOV, RIFF (WAV, AVI), Matroska/WebM and MPEG-TS files that end before their own structure. */
bool bal_extent_truncated(const uint8_t *data, size_t size);

#endif
