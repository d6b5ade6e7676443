/* Keys of clips and bins of discrepancy: see key.h. */
#include "curate/key.h"

#include <math.h>

/* Steele, Lea, Flood, "Fast splittable pseudorandom number generators" (2014). */
static uint64_t splitmix64(uint64_t z) {
    z += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

uint64_t bal_key64(const char *id, size_t n, uint64_t seed) {
    uint64_t h = 0xcbf29ce484222325u; /* FNV-1a */
    for (size_t i = 0; i < n; i++) h = (h ^ (unsigned char)id[i]) * 0x100000001b3u;
    return splitmix64(h ^ splitmix64(seed));
}

int32_t bal_quantise(double u) {
    return (int32_t)llround(u * BAL_Q_ONE);
}

int bal_bin_of_d(int32_t q_audio, int32_t q_visual, int n_bins, uint64_t key) {
    int64_t half = n_bins / 2, d = (int64_t)q_audio - q_visual, size = d < 0 ? -d : d;
    int64_t k = (size * half + BAL_Q_ONE - 1) / BAL_Q_ONE; /* steps from the middle, 1 .. half */
    if (d == 0) return (int)(half - 1 + (int64_t)(key & 1));
    return (int)(d > 0 ? half + k - 1 : half - k);
}
