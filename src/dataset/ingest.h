/* The loop of an ingest, apart from where the features come from: the media (ingest_media.c) or a test. */
#ifndef BAL_DATASET_INGEST_H
#define BAL_DATASET_INGEST_H

#include <avbalance/dataset.h>
#include "dataset/pack.h"

/* Fill *out with the features of clip `row`. Called from several threads, `worker` in [0, workers) tells them apart; out->audio has
 * room for the recipe's shape, out->frames is reused. Must depend on row alone. A clip's own fault (BAL_E_MEDIA, BAL_E_FORMAT,
 * BAL_E_IO, BAL_E_UNSUPPORTED, BAL_E_SHAPE, BAL_E_NUMERIC) rejects the clip, any other failure ends the job. */
typedef BalStatus BalProduceFn(void *user, int64_t row, int worker, BalClipFeatures *out, BalError *err);

/* bal_ingest (avbalance/dataset.h) with the features from `produce`. */
BAL_MUST_USE BalStatus bal_ingest_run(const BalManifest *m, const BalFeatureRecipe *recipe, const BalIngestSpec *spec,
                                      BalProduceFn *produce, void *user, const char *dir, BalProgressSink progress,
                                      BalIngestResult *out, BalError *err);

#endif
