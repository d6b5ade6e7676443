/* libchromaprint, and nothing else, behind one call. Making a context plans a transform, which not every build of the library may do
 * in two threads at once. */
#include "curate/sound_print.h"
#include <chromaprint.h>
#include <math.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include "base/mem.h"

static pthread_mutex_t planning = PTHREAD_MUTEX_INITIALIZER;

const char *bal_sound_print_version(void) {
    static char text[40];
    snprintf(text, sizeof text, "chromaprint %.20s", chromaprint_get_version());
    return text;
}

enum { LEAST = 8 * BAL_PRINT_RATE_HZ };

static bool feed(ChromaprintContext *c, const float *pcm, int64_t n) {
    int16_t block[4096];
    const int64_t all = n > 0 && n < LEAST ? LEAST : n;
    if (!chromaprint_start(c, BAL_PRINT_RATE_HZ, 1)) return false;
    for (int64_t at = 0; at < all; at += 4096) {
        int take = (int)(all - at < 4096 ? all - at : 4096);
        for (int i = 0; i < take; i++) block[i] = (int16_t)lrintf(32767 * fmaxf(-1, fminf(1, pcm[(at + i) % n])));
        if (!chromaprint_feed(c, block, take)) return false;
    }
    return chromaprint_finish(c) != 0;
}

BalStatus bal_sound_print(const float *pcm, int64_t n, uint32_t **out, int *n_out, BalError *err) {
    uint32_t *raw = NULL, *own = NULL;
    int size = 0;
    pthread_mutex_lock(&planning);
    ChromaprintContext *c = chromaprint_new(CHROMAPRINT_ALGORITHM_DEFAULT);
    pthread_mutex_unlock(&planning);
    if (!c) return BAL_FAIL(err, BAL_E_NOMEM, "out of memory for a fingerprint");
    BalStatus rc = feed(c, pcm, n) && chromaprint_get_raw_fingerprint(c, &raw, &size)
                       ? BAL_OK
                       : BAL_FAIL(err, BAL_E_BACKEND, "libchromaprint failed on %lld samples", (long long)n);
    if (rc == BAL_OK) rc = bal_alloc(&own, (size_t)size, sizeof *own, err);
    if (rc == BAL_OK) {
        if (size > 0) memcpy(own, raw, (size_t)size * sizeof *own);
        *out = own, *n_out = size;
    }
    chromaprint_dealloc(raw);
    chromaprint_free(c);
    return rc;
}
