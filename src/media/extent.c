/* Truncation, from the outermost structure alone; FFmpeg plays cut files without a word.
 *
 *   MP4/MOV   boxes: u32 size, 4 bytes type [, u64 size if the first is 1]; size 0: to the end of the file
 *   RIFF      "RIFF", u32le size of the rest, 4 bytes form, then chunks: 4 bytes id, u32le size; 0 and 0xffffffff: not known
 *             when written
 *   Matroska  EBML head, then elements: id and size as variable-length numbers, all ones: not known
 *   MPEG-TS   packets of 188 bytes that begin with 0x47 */
#include "media/extent.h"
#include <string.h>

static uint64_t be(const uint8_t *p, int n) {
    uint64_t v = 0;
    for (int i = 0; i < n; i++) v = v << 8 | p[i];
    return v;
}

static bool printable(const uint8_t *p) {
    for (int i = 0; i < 4; i++)
        if ((p[i] < 0x20 || p[i] > 0x7e) && p[i] != 0xa9) return false;
    return true;
}

/* Stops, without a verdict, at what is no box: garbage behind the last one is not truncation. */
static bool mp4_truncated(const uint8_t *p, size_t size) {
    for (size_t at = 0; size - at >= 8;) {
        uint64_t n = be(p + at, 4), head = 8;
        if (!printable(p + at + 4) || n == 0) return false;
        if (n == 1) {
            if (size - at < 16) return true;
            n = be(p + at + 8, 8), head = 16;
        }
        if (n < head) return false;
        if (n > size - at) return true;
        at += n;
    }
    return false;
}

static uint32_t le32(const uint8_t *p) {
    return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static bool riff_too_long(uint32_t claim, size_t room) {
    return claim != 0 && claim != 0xffffffffu && claim > room;
}

/* The whole, or the first chunk inside that runs over the end. */
static bool riff_truncated(const uint8_t *p, size_t size) {
    if (riff_too_long(le32(p + 4), size - 8)) return true;
    for (size_t at = 12; size - at >= 8;) {
        uint64_t n = le32(p + at + 4);
        if (riff_too_long((uint32_t)n, size - at - 8)) return true;
        if (n == 0 || n + (n & 1) > size - at - 8) return false;
        at += 8 + n + (n & 1);
    }
    return false;
}

/* A variable-length number at p: its length in bytes (0: does not fit), its value without the marker, whether it is all ones. */
static int ebml_number(const uint8_t *p, size_t room, uint64_t *value, bool *unknown) {
    if (room == 0 || p[0] == 0) return 0;
    int n = __builtin_clz(p[0]) - 24 + 1;
    if ((size_t)n > room) return 0;
    uint64_t ones = (UINT64_C(1) << (7 * n)) - 1;
    *value = be(p, n) & ones;
    *unknown = *value == ones;
    return n;
}

static bool matroska_truncated(const uint8_t *p, size_t size) {
    for (size_t at = 0; at < size;) {
        uint64_t id, n;
        bool unknown;
        int id_bytes = ebml_number(p + at, size - at, &id, &unknown);
        if (!id_bytes) return false;
        int n_bytes = ebml_number(p + at + id_bytes, size - at - (size_t)id_bytes, &n, &unknown);
        if (!n_bytes || unknown) return false;
        at += (size_t)(id_bytes + n_bytes);
        if (n > size - at) return true;
        at += n;
    }
    return false;
}

static bool ts_truncated(const uint8_t *p, size_t size) {
    for (size_t at = 0; at < 5 * 188; at += 188)
        if (p[at] != 0x47) return false;
    return size % 188 != 0 && p[size - size % 188] == 0x47;
}

bool bal_extent_truncated(const uint8_t *p, size_t size) {
    static const char *const first_box[] = {"ftyp", "moov", "mdat", "free", "skip", "wide", "styp", "moof", "sidx"};
    if (size < 12) return false;
    if (!memcmp(p, "RIFF", 4)) return riff_truncated(p, size);
    if (be(p, 4) == 0x1a45dfa3) return matroska_truncated(p, size);
    if (p[0] == 0x47 && size >= 5 * 188) return ts_truncated(p, size);
    for (size_t i = 0; i < sizeof first_box / sizeof *first_box; i++)
        if (!memcmp(p + 4, first_box[i], 4)) return mp4_truncated(p, size);
    return false;
}
