/* Batches per second from a store: bench_reader STORE [IMAGE_SIZE] [FRAMES]. One JSON line per (streams, workers): clips per second of
 * the best of five passes over all clips, training transforms; the first pass also checks every checksum and is not counted. */
#include <stdio.h>
#include <stdlib.h>
#include <avbalance/dataset.h>
#include "base/clock.h"

static BalStatus one_pass(BalReader *r, const int64_t *clip, int64_t n, uint32_t epoch, double *seconds,
                          BalError *err) {
    const BalBatch *b;
    BalStatus rc;
    double begin = bal_now_s();
    BAL_TRY(bal_reader_start(r, clip, n, epoch, true, 0, err));
    while ((rc = bal_reader_next(r, &b, err)) == BAL_OK) continue;
    *seconds = bal_now_s() - begin;
    return rc < 0 ? rc : BAL_OK;
}

static BalStatus measure(const BalStore *s, BalReaderSpec spec, const int64_t *clip, int64_t n, BalError *err) {
    BalReader *r = NULL;
    BalStatus rc = BAL_OK;
    double best = 0, seconds;
    BAL_TRY(bal_reader_open(&r, s, &spec, err));
    for (uint32_t epoch = 0; epoch < 6 && rc >= 0; epoch++) {
        rc = one_pass(r, clip, n, epoch, &seconds, err);
        if (epoch && (best == 0 || seconds < best)) best = seconds;
    }
    bal_reader_close(&r);
    if (rc >= 0)
        printf("{\"bench\":\"reader\",\"audio\":%d,\"visual\":%d,\"workers\":%d,\"clips_per_s\":%.0f}\n",
               spec.want_audio, spec.want_visual, spec.workers, (double)n / best);
    return rc;
}

int main(int argc, char **argv) {
    BalError err = {0};
    BalStore *s = NULL;
    int64_t *clip = NULL, n = 0;
    if (argc < 2) {
        fprintf(stderr, "usage: bench_reader STORE [IMAGE_SIZE] [FRAMES]\n");
        return 2;
    }
    BalStatus rc = bal_store_open(&s, argv[1], &err);
    if (rc >= 0) rc = bal_clips_of_split(s, BAL_SPLIT_NONE, &clip, &n, &err);
    for (int streams = 1; rc >= 0 && streams <= 3; streams++)
        for (int workers = 0; rc >= 0 && workers <= 2; workers++) {
            BalReaderSpec spec = {
                .want_audio = streams & 1, .want_visual = streams & 2, .batch = 64, .workers = workers, .ahead = 4};
            spec.input = bal_input_recipe_default();
            if (argc > 2) spec.input.image_size = atoi(argv[2]);
            spec.input.frames = argc > 3 ? atoi(argv[3]) : 1;
            rc = measure(s, spec, clip, n, &err);
        }
    if (rc < 0) fprintf(stderr, "%s\n", err.text);
    bal_clips_free(clip);
    bal_store_close(&s);
    return rc < 0;
}
