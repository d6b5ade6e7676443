/* Between the files of the noise rules. */
#ifndef BAL_CURATE_NOISE_H
#define BAL_CURATE_NOISE_H

#include <avbalance/curate.h>
#include "base/text.h"

/* R3 alone (noise_label.c): sets bits and suspects of `noise`. */
BAL_MUST_USE BalStatus bal_noise_labels(BalNoise *noise, const BalScores *s, const BalNoiseSpec *spec, BalError *err);

extern const char *const bal_noise_files[]; /* of bal_noise_save, the last one last; NULL at the end */
void bal_noise_json(const BalNoise *noise, const BalScores *s, const BalNoiseSpec *spec, BalText *out);

#endif
