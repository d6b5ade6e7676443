/* Normal numbers by the million: what noise on every gradient needs at every step.
 *
 * Block b of the stream, Philox's four words, gives numbers 4b to 4b + 3, by Box-Muller in float: a word of each pair is a uniform
 * number for the radius, the other one for the angle. Blocks are taken LANES at a time, in loops that compilers turn into vectors;
 * logarithm, sine and cosine are polynomials written out here, so that no libm and no instruction set changes a bit. A radius has 23
 * bits, hence no number lies beyond 5.8 standard deviations, where one in 1e8 would. */
#include <math.h>
#include <string.h>
#include "base/rng.h"

enum { LANES = 16 };

static void philox(const BalRng *r, uint32_t w[4][LANES]) {
    for (int i = 0; i < LANES; i++)
        w[0][i] = r->ctr[0] + (uint32_t)i, w[1][i] = r->ctr[1], w[2][i] = r->ctr[2], w[3][i] = r->ctr[3];
    uint32_t k0 = r->key[0], k1 = r->key[1];
    for (int round = 0; round < 10; round++, k0 += 0x9E3779B9u, k1 += 0xBB67AE85u)
        for (int i = 0; i < LANES; i++) {
            uint64_t p0 = (uint64_t)0xD2511F53u * w[0][i], p1 = (uint64_t)0xCD9E8D57u * w[2][i];
            w[0][i] = (uint32_t)(p1 >> 32) ^ w[1][i] ^ k0;
            w[2][i] = (uint32_t)(p0 >> 32) ^ w[3][i] ^ k1;
            w[1][i] = (uint32_t)p1;
            w[3][i] = (uint32_t)p0;
        }
}

/* sqrt(-2 ln u) of u = (upper 23 bits + 1/2) / 2^23, which is never 0 and never 1. */
static inline float radius_of(uint32_t word) {
    const float u = ((float)(word >> 9) + 0.5f) * 0x1p-23f;
    uint32_t bits;
    memcpy(&bits, &u, sizeof bits);
    const uint32_t from = bits - 0x3f3504f3u; /* exponent as if mantissas began at sqrt(1/2) */
    const float e = (float)((int32_t)from >> 23);
    bits = (from & 0x007fffffu) + 0x3f3504f3u;
    float m;
    memcpy(&m, &bits, sizeof m);
    const float s = (m - 1) / (m + 1), z = s * s; /* ln m = 2 artanh s, |s| < 0.172 */
    const float ln = e * 0.69314718f + 2 * s * (1 + z * (1.f / 3 + z * (1.f / 5 + z * (1.f / 7 + z * (1.f / 9)))));
    return sqrtf(-2 * ln);
}

/* Cosine and sine of a turn's 2^32th parts: a quarter by the upper two bits, x in [-pi/4, pi/4) within it. */
static inline void turn_of(uint32_t word, float *cosine, float *sine) {
    const uint32_t quarter = (word + 0x20000000u) >> 30;
    const float x = (float)(int32_t)(word - (quarter << 30)) * (1.57079633f * 0x1p-30f), z = x * x;
    const float s = x * (1 + z * (-1.f / 6 + z * (1.f / 120 + z * (-1.f / 5040 + z * (1.f / 362880)))));
    const float c = 1 + z * (-1.f / 2 + z * (1.f / 24 + z * (-1.f / 720 + z * (1.f / 40320))));
    const float a = quarter & 1 ? s : c, b = quarter & 1 ? c : s;
    *cosine = (quarter + 1) & 2 ? -a : a;
    *sine = quarter & 2 ? -b : b;
}

void bal_rng_normals(BalRng *r, float *out, int64_t n) {
    for (int64_t at = 0; at < n; at += 4 * LANES) {
        const int64_t count = n - at < 4 * LANES ? n - at : 4 * LANES;
        uint32_t w[4][LANES];
        float z[4 * LANES];
        philox(r, w);
        for (int i = 0; i < LANES; i++) {
            float radius[2] = {radius_of(w[0][i]), radius_of(w[2][i])}, c[2], s[2];
            turn_of(w[1][i], &c[0], &s[0]);
            turn_of(w[3][i], &c[1], &s[1]);
            z[4 * i] = radius[0] * c[0], z[4 * i + 1] = radius[0] * s[0];
            z[4 * i + 2] = radius[1] * c[1], z[4 * i + 3] = radius[1] * s[1];
        }
        memcpy(out + at, z, sizeof(float) * (size_t)count);
        r->ctr[0] += (uint32_t)((count + 3) / 4);
    }
}
