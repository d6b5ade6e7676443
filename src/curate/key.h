/* Keys of clips: a hash of the id and a seed that decides every order which nothing else decides, and the bins of discrepancy.
 *
 * Integers throughout, so that every machine, and every order of the clips, gives the same choice. A choice of the n smallest keys
 * is nested: a larger n only adds clips. */
#ifndef BAL_CURATE_KEY_H
#define BAL_CURATE_KEY_H

#include <stddef.h>
#include <stdint.h>

/* splitmix64(fnv1a64(id) xor splitmix64(seed)); equal keys are told apart by the bytes of the ids. */
uint64_t bal_key64(const char *id, size_t n, uint64_t seed);

/* A confidence as an integer, q = round(u * 10^6), halves up; u in [0,1]. */
#define BAL_Q_ONE 1000000
int32_t bal_quantise(double u);

/* Bin of d = q_audio - q_visual among n_bins (even, at least 2) of width 2 / n_bins over [-1,1], mirror-symmetric: the positive ones
 * are (low, high], the negative ones [low, high), so that "d > T" cuts between bins where T is an edge, as the paper's subsets do.
 * d = 0 goes to one of the two in the middle, by the lowest bit of key. */
int bal_bin_of_d(int32_t q_audio, int32_t q_visual, int n_bins, uint64_t key);

#endif
