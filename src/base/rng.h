/* Random numbers as counter-based streams: Philox 4x32-10 (Salmon et al., SC 2011).
 *
 * A stream is named by (seed, purpose, epoch, item), never by what was drawn before. Hence the order of clips, the number of
 * threads or ranks and a restart in the middle of an epoch cannot change a single number. */
#ifndef BAL_BASE_RNG_H
#define BAL_BASE_RNG_H

#include <stdint.h>

typedef enum BalPurpose {                   /* part of the file formats in effect: never renumber */
                          BAL_RNG_INIT = 1, /* item = parameter index   */
                          BAL_RNG_SHUFFLE = 2,
                          BAL_RNG_AUGMENT = 3, /* item = clip (or clip and frame) */
                          BAL_RNG_SPLIT = 4,
                          BAL_RNG_FOLD = 5,
                          BAL_RNG_BOOTSTRAP = 6,
                          BAL_RNG_DEMO = 7,
                          BAL_RNG_METHOD = 8,
                          BAL_RNG_TEST = 9,
                          BAL_RNG_HOLD_OUT = 10, /* of train clips, by a method */
} BalPurpose;

typedef struct BalRng {
    uint32_t key[2], ctr[4], out[4];
    int left;     /* unused words in out */
    double spare; /* second normal of a pair */
    int has_spare;
} BalRng;

BalRng bal_rng(uint64_t seed, BalPurpose purpose, uint32_t epoch, uint64_t item); /* epoch < 2^24 */
uint32_t bal_rng_u32(BalRng *r);
uint64_t bal_rng_below(BalRng *r, uint64_t n); /* uniform in [0,n), unbiased; n > 0 */
double bal_rng_uniform(BalRng *r);             /* [0,1), 53 bits */
double bal_rng_normal(BalRng *r);              /* N(0,1), Box-Muller */
/* n numbers of N(0,1), as floats, much faster and with the same bits on every machine; other numbers than bal_rng_normal's. Takes
 * whole blocks of four of the stream, of which nothing else must have been drawn. */
void bal_rng_normals(BalRng *r, float *out, int64_t n);
void bal_rng_shuffle(BalRng *r, int64_t *x, int64_t n); /* Fisher-Yates */

#endif
