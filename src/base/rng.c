/* Philox 4x32-10: ten rounds of multiply-and-swap turn (key, counter) into four words. Salmon et al., "Parallel random numbers:
 * as easy as 1, 2, 3", SC 2011. Key = seed; counter = {block, epoch and purpose, item}, so streams never overlap before 2^34
 * words each. */
#include "base/rng.h"
#include <assert.h>
#include <math.h>

static void philox(const uint32_t key[2], const uint32_t ctr[4], uint32_t out[4]) {
    uint32_t k0 = key[0], k1 = key[1], c0 = ctr[0], c1 = ctr[1], c2 = ctr[2], c3 = ctr[3];
    for (int round = 0; round < 10; round++) {
        uint64_t p0 = (uint64_t)0xD2511F53u * c0, p1 = (uint64_t)0xCD9E8D57u * c2;
        c0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
        c2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
        c1 = (uint32_t)p1;
        c3 = (uint32_t)p0;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    out[0] = c0;
    out[1] = c1;
    out[2] = c2;
    out[3] = c3;
}

BalRng bal_rng(uint64_t seed, BalPurpose purpose, uint32_t epoch, uint64_t item) {
    assert(epoch < 1u << 24);
    return (BalRng){.key = {(uint32_t)seed, (uint32_t)(seed >> 32)},
                    .ctr = {0, (epoch << 8) | (uint32_t)purpose, (uint32_t)item, (uint32_t)(item >> 32)}};
}

uint32_t bal_rng_u32(BalRng *r) {
    if (!r->left) {
        philox(r->key, r->ctr, r->out);
        r->ctr[0]++;
        r->left = 4;
    }
    return r->out[4 - r->left--];
}

static uint64_t next64(BalRng *r) {
    uint64_t low = bal_rng_u32(r);
    return (uint64_t)bal_rng_u32(r) << 32 | low;
}

/* Rejection: draws below 2^64 mod n are thrown away, the rest is a whole number of ranges */
uint64_t bal_rng_below(BalRng *r, uint64_t n) {
    assert(n > 0);
    uint64_t reject = (0 - n) % n, v;
    do v = next64(r);
    while (v < reject);
    return v % n;
}

double bal_rng_uniform(BalRng *r) {
    return (double)(next64(r) >> 11) * 0x1p-53;
}

double bal_rng_normal(BalRng *r) {
    if (r->has_spare) {
        r->has_spare = 0;
        return r->spare;
    }
    double radius = sqrt(-2 * log(1 - bal_rng_uniform(r))), angle = 2 * 3.14159265358979323846 * bal_rng_uniform(r);
    r->spare = radius * sin(angle);
    r->has_spare = 1;
    return radius * cos(angle);
}

void bal_rng_shuffle(BalRng *r, int64_t *x, int64_t n) {
    for (int64_t i = n - 1; i > 0; i--) {
        int64_t j = (int64_t)bal_rng_below(r, (uint64_t)i + 1), t = x[i];
        x[i] = x[j];
        x[j] = t;
    }
}
