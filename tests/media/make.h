/* Media files made for the tests: every picture carries its own number, the sound is given. */
#ifndef BAL_TEST_MAKE_H
#define BAL_TEST_MAKE_H

#include "base/check.h"
#include "base/rng.h"
#include "media/writer.h"

enum { MAKE_W = 96, MAKE_H = 64, MAKE_BITS = 8 };

/* Picture number k: eight blocks across, white for the bits that are set, above moving noise that keeps the coders busy. */
static inline void make_picture(uint8_t *rgb, int k) {
    BalRng r = bal_rng(1, BAL_RNG_TEST, 0, (uint64_t)(k / 3)); /* some pictures are alike, as in real video */
    for (int y = 0; y < MAKE_H; y++)
        for (int x = 0; x < MAKE_W; x++) {
            uint8_t *p = rgb + 3 * (y * MAKE_W + x);
            if (y < MAKE_H / 2) {
                memset(p, k >> (x * MAKE_BITS / MAKE_W) & 1 ? 230 : 20, 3);
            } else {
                uint32_t v = (x / 8 + y / 8) % 5 ? bal_rng_u32(&r) % 40 : 0;
                p[0] = (uint8_t)(60 + v + (uint32_t)(x + 2 * k) % 60), p[1] = (uint8_t)(90 + v),
                p[2] = (uint8_t)(120 - v);
            }
        }
}

/* The number a decoded picture [h,w,3] carries. */
static inline int read_number(const uint8_t *rgb, int w, int h) {
    int k = 0;
    for (int b = 0; b < MAKE_BITS; b++) {
        int x = (2 * b + 1) * w / (2 * MAKE_BITS), y = h / 4;
        k |= (rgb[3 * (y * w + x) + 1] > 125) << b;
    }
    return k;
}

typedef struct Make {
    const char *name; /* of the file in the scratch folder */
    BalWriterTweaks as;
    int fps, n_frames, gap_at, gap; /* from picture gap_at on, times are `gap` frames later */
    int rate_hz;
    const float *pcm;
    int64_t n_pcm;
} Make;

/* false where this FFmpeg cannot write it. */
static inline bool make_file(const Make *m) {
    BalError err = {0};
    BalMediaWriter *w = NULL;
    BalMediaWriterSpec spec = {m->n_frames ? MAKE_W : 0, m->n_frames ? MAKE_H : 0, m->fps, m->rate_hz};
    static uint8_t rgb[MAKE_W * MAKE_H * 3];
    BalStatus rc = bal_media_writer_open_as(&w, scratch(m->name), &spec, &m->as, &err);
    if (rc == BAL_E_UNSUPPORTED) {
        print_message("no %s: %s\n", m->name, err.text);
        return false;
    }
    if (rc < 0) fail_msg("%s", err.text);
    for (int k = 0; k < m->n_frames; k++) {
        make_picture(rgb, k);
        int tick = k + (m->gap && k >= m->gap_at ? m->gap : 0);
        assert_ok(bal_media_writer_frame_at(w, rgb, (double)tick / m->fps, &err));
    }
    if (m->rate_hz) assert_ok(bal_media_writer_sound(w, m->pcm, m->n_pcm, &err));
    assert_ok(bal_media_writer_close(&w, &err));
    return true;
}

/* A WAV file of 16-bit samples, [n, channels]. */
static inline void make_wav(const char *path, int rate_hz, int channels, const int16_t *x, int64_t n) {
    BalError err = {0};
    uint32_t bytes = (uint32_t)(n * channels * 2);
    struct {
        char riff[4];
        uint32_t size;
        char wave[8];
        uint32_t fmt_size;
        uint16_t format, channels;
        uint32_t rate, byte_rate;
        uint16_t block, bits;
        char data[4];
        uint32_t data_size;
    } h = {"RIFF",
           36 + bytes,
           "WAVEfmt ",
           16,
           1,
           (uint16_t)channels,
           (uint32_t)rate_hz,
           (uint32_t)(rate_hz * channels * 2),
           (uint16_t)(channels * 2),
           16,
           "data",
           bytes};
    BalWriter *w = NULL;
    assert_ok(bal_writer_open(&w, path, &err));
    assert_ok(bal_writer_add(w, &h, 44, &err));
    assert_ok(bal_writer_add(w, x, bytes, &err));
    assert_ok(bal_writer_commit(&w, &err));
}

#endif
