/* films DIR N SECONDS: N long videos per class, DIR/CLASS/NAME.mp4, with names like YouTube ids. A class is a tone and a stripe pattern;
 * every second one of the two is spoilt by noise to a degree that the second's number decides. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <avbalance/media.h>
#include "base/file.h"
#include "base/rng.h"
#include "base/text.h"

enum { SIZE = 64, FPS = 10, RATE = 8000, CLASSES = 3 };
static const char *const classes[CLASSES] = {"dog", "cat", "cow"};

static BalStatus film(const char *path, int class, int index, int seconds, BalError *err) {
    static uint8_t frame[SIZE * SIZE * 3];
    static float sound[RATE];
    BalMediaWriter *w = NULL;
    BAL_TRY(bal_media_writer_open(&w, path, &(BalMediaWriterSpec){SIZE, SIZE, FPS, RATE}, err));
    BalStatus rc = BAL_OK;
    for (int s = 0; s < seconds && rc >= 0; s++) {
        BalRng r = bal_rng(7, BAL_RNG_TEST, (uint32_t)(class * 1000 + index), (uint64_t)s);
        const double p = 2 * bal_rng_uniform(&r) - 1, spoilt_picture = p > 0 ? p : 0, spoilt_sound = p < 0 ? -p : 0;
        for (int i = 0; i < RATE; i++)
            sound[i] = (float)((1 - spoilt_sound) * 0.4 * sin(2 * 3.14159265 * (300 + 500 * class) * i / RATE) +
                               spoilt_sound * 0.25 * bal_rng_normal(&r));
        for (int k = 0; k < FPS && rc >= 0; k++) {
            for (int y = 0; y < SIZE; y++)
                for (int x = 0; x < SIZE; x++) {
                    const int along = class == 0 ? x : class == 1 ? y : x + y;
                    const double v = 128 + (1 - spoilt_picture) * (((along + 3 * k) / 8) % 2 ? 90 : -90) +
                                     spoilt_picture * 60 * bal_rng_normal(&r);
                    memset(frame + 3 * (y * SIZE + x), (int)fmin(fmax(v, 0), 255), 3);
                }
            rc = bal_media_writer_frame(w, frame, err);
        }
        if (rc >= 0) rc = bal_media_writer_sound(w, sound, RATE, err);
    }
    if (rc < 0)
        bal_media_writer_abort(&w);
    else
        rc = bal_media_writer_close(&w, err);
    return rc;
}

int main(int argc, char **argv) {
    BalError err = {0};
    BalText path = {0};
    if (argc != 4) return 2;
    for (int c = 0; c < CLASSES; c++)
        for (int i = 0; i < atoi(argv[2]); i++) {
            bal_text_clear(&path);
            bal_text_f(&path, "%s/%s", argv[1], classes[c]);
            if (bal_make_dirs(path.data, &err) < 0) goto fail;
            bal_text_f(&path, "/%sfilm%04d.mp4", classes[c], i);
            if (film(path.data, c, i, atoi(argv[3]), &err) < 0) goto fail;
        }
    bal_text_reset(&path);
    return 0;
fail:
    fprintf(stderr, "%s\n", err.text);
    return 1;
}
