/* What a sound is like: a number per eighth of a second, by libchromaprint. */
#ifndef BAL_CURATE_SOUND_PRINT_H
#define BAL_CURATE_SOUND_PRINT_H

#include <stdint.h>
#include <avbalance/error.h>

enum { BAL_PRINT_RATE_HZ = 11025 };
#define BAL_PRINT_ITEM_S 0.1238095238095238 /* 1365 samples */

/* pcm [n] mono at BAL_PRINT_RATE_HZ -> *out [*n_out], the caller's (bal_free). The library tells nothing of the first 2.6 s: what is
 * shorter than 8 s is repeated up to that. n = 0 gives none. BAL_E_UNSUPPORTED: a build without the library. */
BAL_MUST_USE BalStatus bal_sound_print(const float *pcm, int64_t n, uint32_t **out, int *n_out, BalError *err);
const char *bal_sound_print_version(void); /* "" without */

#endif
