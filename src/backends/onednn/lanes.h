/* Sixteen floats as one vector, loaded from and stored as float32 or bfloat16. Only for files included by isa_*.c. */
#ifndef BAL_ONEDNN_LANES_H
#define BAL_ONEDNN_LANES_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#if defined(__AVX512F__)
#include <immintrin.h>
#endif
#include "backends/onednn/loops.h"

#define INLINE static inline __attribute__((always_inline))

typedef float V16 __attribute__((vector_size(64)));
typedef int32_t I16 __attribute__((vector_size(64)));
typedef uint32_t U16 __attribute__((vector_size(64)));
typedef uint16_t H16 __attribute__((vector_size(32)));
typedef float MemV16 __attribute__((vector_size(64), aligned(4), may_alias)); /* as it lies in memory */
typedef uint16_t MemH16 __attribute__((vector_size(32), aligned(2), may_alias));

INLINE V16 all(float v) {
    return (V16){v, v, v, v, v, v, v, v, v, v, v, v, v, v, v, v};
}

/* The vector of elements [i, i + 16). */
INLINE V16 load(const void *p, int64_t i, bool bf16) {
    if (!bf16) return *(const MemV16 *)((const float *)p + i);
    const H16 h = *(const MemH16 *)((const uint16_t *)p + i);
    return (V16)(__builtin_convertvector(h, U16) << 16);
}

/* Round to nearest even; NaN stays NaN. */
INLINE H16 narrow(V16 v) {
#if defined(__AVX512BF16__)
    return (H16)_mm512_cvtneps_pbh((__m512)v);
#else
    const U16 u = (U16)v;
    const U16 rounded = (u + 0x7fffu + ((u >> 16) & 1u)) >> 16;
    const U16 nan = (U16)(v != v);
    return __builtin_convertvector((rounded & ~nan) | (nan & 0x7fc0u), H16);
#endif
}

INLINE void store(void *p, int64_t i, bool bf16, V16 v) {
    if (bf16)
        *(MemH16 *)((uint16_t *)p + i) = narrow(v);
    else
        *(MemV16 *)((float *)p + i) = v;
}

/* Ends of plain slabs: the first n < 16 lanes, the others from `rest`. */
INLINE V16 load_some(const void *p, int64_t i, int64_t n, bool bf16, V16 rest) {
    union {
        float f[16];
        uint16_t h[16];
    } t;
    const size_t size = bf16 ? 2 : 4;
    memset(&t, 0, sizeof t);
    memcpy(&t, (const char *)p + (size_t)i * size, (size_t)n * size);
    V16 v = load(&t, 0, bf16);
    for (int64_t l = n; l < 16; l++) v[l] = rest[l];
    return v;
}

INLINE void store_some(void *p, int64_t i, int64_t n, bool bf16, V16 v) {
    union {
        float f[16];
        uint16_t h[16];
    } t;
    const size_t size = bf16 ? 2 : 4;
    store(&t, 0, bf16, v);
    memcpy((char *)p + (size_t)i * size, &t, (size_t)n * size);
}

INLINE V16 keep(V16 v, I16 mask) {
    return (V16)((I16)v & mask);
}

/* The larger of v and low; NaN stays NaN. */
INLINE V16 at_least(V16 v, V16 low) {
    const I16 m = v < low;
    return (V16)(((I16)v & ~m) | ((I16)low & m));
}

INLINE void add_double(double *sum, V16 v) {
    for (int l = 0; l < 16; l++) sum[l] += (double)v[l];
}

#endif
