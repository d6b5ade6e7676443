/* Which part does each clip go to: the one grouped, stratified assignment behind the hold-out split and the K folds. */
#ifndef BAL_DATASET_GROUPS_H
#define BAL_DATASET_GROUPS_H

#include <stdint.h>
#include <avbalance/dataset.h>
#include "base/rng.h"

/* Deal n clips into k parts: clips of one source always together, every class in proportion, sizes as asked.
 * source: [n] names, none empty; label: [n], -1 (unknown) is a class of its own; share: [k] wanted shares, positive;
 * part: [n], written on success. purpose: BAL_RNG_SPLIT or BAL_RNG_FOLD. No part stays empty.
 * Depends on the set of (source, label) and on seed, not on the order of the clips. BAL_E_ARG: more parts than sources. */
BAL_MUST_USE BalStatus bal_groups_assign(const char *const *source, const int *label, int64_t n, const double *share,
                                         int k, uint64_t seed, BalPurpose purpose, int *part, BalError *err);

/* The hold-out on top of it: about `share` of the clips whose split is train become val. No-op where a clip is val already or
 * none is train. split: [n], changed on success only. BAL_E_ARG: share not in (0,1), or all of train is one source. */
BAL_MUST_USE BalStatus bal_groups_hold_out(const BalClip *clip, int64_t n, double share, uint64_t seed, BalSplit *split,
                                           BalError *err);

#endif
