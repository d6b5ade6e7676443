/* The demo's dataset: real MP4 files of sung vowels and moving shapes, with a known discrepancy planted in every clip. */
#ifndef BAL_CLI_DEMO_CLIPS_H
#define BAL_CLI_DEMO_CLIPS_H

#include <stdint.h>
#include <avbalance/error.h>
#include <avbalance/progress.h>

#define BAL_DEMO_PLANTED_HEAD "id,audio_severity,visual_severity,planted\n" /* of planted.csv */

/* Write n clips below dir/clips, dir/manifest.csv (id,media,label,split,start,duration,source) and dir/planted.csv
 * (id,audio_severity,visual_severity,planted), and a handful of broken files that the manifest names too.
 * Clips that are already there are kept, so a killed call continues. Same bytes for the same n and seed. */
BAL_MUST_USE BalStatus bal_demo_make(const char *dir, int64_t n, uint64_t seed, int threads, BalProgressSink progress,
                                     BalError *err);

#endif
