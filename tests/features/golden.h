/* Reference results made by golden/make.py, and the inputs they belong to. */
#ifndef BAL_TEST_GOLDEN_H
#define BAL_TEST_GOLDEN_H

#include "base/file.h"
#include "base/npy.h"

#define GOLDEN_DIR AVB_SOURCE_DIR "/tests/features/golden/"

/* the inputs' integer generator: 16 bits per call */
static inline int golden_lcg(uint32_t *x) {
    *x = *x * 1664525U + 1013904223U;
    return (int)(*x >> 16);
}

static inline void golden_sound(float *x, int n) {
    uint32_t s = 1;
    for (int i = 0; i < n; i++)
        x[i] = (float)(abs(i % 50 - 25) - 12) / 16.0F + (float)(golden_lcg(&s) - 32768) / 65536.0F;
}

static inline void golden_picture(uint8_t *px, int h, int w, int c) {
    uint32_t s = 1;
    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++)
            for (int k = 0; k < c; k++) *px++ = (uint8_t)((x * 7 + y * 5 + k * 60 + golden_lcg(&s) % 64) % 256);
}

/* Values of GOLDEN_DIR/name, borrowed until the map is closed; fails the test if type or size differ. */
static inline const void *golden_load(BalMap *map, const char *name, BalNpyType type, size_t n) {
    BalError err;
    BalNpy npy;
    char path[512];
    snprintf(path, sizeof path, GOLDEN_DIR "%s", name);
    assert_ok(bal_map_open(map, path, &err));
    assert_ok(bal_npy_parse(&npy, map->data, map->size, path, &err));
    assert_int_equal(npy.type, type);
    assert_int_equal(npy.data_bytes, n * bal_npy_item(type));
    return map->data + npy.data_at;
}

#endif
