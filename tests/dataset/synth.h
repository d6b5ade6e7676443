/* A dataset made of numbers: a manifest, features that follow from the row alone, and what folders hold. */
#ifndef BAL_TEST_SYNTH_H
#define BAL_TEST_SYNTH_H

#include <avbalance/dataset.h>
#include "base/check.h"
#include "dataset/ingest.h"

typedef struct Synth {
    BalManifest manifest;
    BalFeatureRecipe recipe;
    BalIngestSpec spec;
    int64_t bad_every;    /* > 0: row % bad_every == 3 is rejected           */
    int64_t fatal_row;    /* this row fails with BAL_E_NOMEM; -1: none        */
    int64_t overflow_row; /* this row's audio is beyond float16; -1: none     */
    int delay_us;         /* a clip takes up to this long, by row             */
} Synth;

/* n clips, 4 classes, sources of 1 to 5 clips, splits train and test; small raw grey or jpeg colour frames. */
void synth_open(Synth *s, int64_t n, bool jpeg);
void synth_close(Synth *s);
BalStatus synth_produce(void *user, int64_t row, int worker, BalClipFeatures *out, BalError *err);
BalStatus synth_ingest(Synth *s, const char *dir, BalIngestResult *out, BalError *err); /* bal_ingest_run, silent */

/* SHA-256 over names and bytes of all files of a folder. */
void folder_hash(const char *dir, char hex[65]);
/* Flip one bit of a file. */
void flip_byte(const char *path, long at);
long file_size(const char *path);

#endif
