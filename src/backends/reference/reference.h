/* The reference backend's inside: ops on plain float arrays, N C [K] H W, sums in double.
 *
 * An op never sees bfloat16: reference.c widens inputs before and narrows outputs after it, so there is one text per op. */
#ifndef BAL_BACKENDS_REFERENCE_H
#define BAL_BACKENDS_REFERENCE_H

#include "engine/backend.h"

typedef struct RefCall { /* BalArgs with every value as float */
    const BalOp *op;
    BalPhase phase;
    int threads;
    const float *x[BAL_MAX_IN];
    float *y;
    const float *dy;
    float *dx[BAL_MAX_IN];
    const float *w[2];
    float *dw[2];
    bool add_dw;
    float *state[2];
    double momentum;
    const float *coef;
    void *saved;
    double *work; /* ref_work_doubles(op, threads) */
} RefCall;

typedef struct RefDims { /* a shape as rows, channels, space; missing axes are 1 */
    int64_t n, c, k, h, w, space;
} RefDims;
RefDims ref_dims(const BalShape *s);

typedef void RefFn(const RefCall *c);
RefFn ref_conv_forward, ref_conv_backward, ref_linear_forward, ref_linear_backward;
RefFn ref_bn_forward, ref_bn_backward;
RefFn ref_maxpool_forward, ref_maxpool_backward, ref_avgpool_forward, ref_avgpool_backward;
RefFn ref_mean_forward, ref_mean_backward, ref_flatten_forward, ref_flatten_backward;
RefFn ref_relu_forward, ref_relu_backward, ref_sigmoid_forward, ref_sigmoid_backward;
RefFn ref_add_forward, ref_add_backward, ref_mul_forward, ref_mul_backward;
RefFn ref_concat_forward, ref_concat_backward, ref_slice_forward, ref_slice_backward;
RefFn ref_scale_forward, ref_scale_backward;

/* Window positions o of one axis whose input index o*stride - pad + k lies in [0,size): *lo <= o < *hi. */
static inline void ref_range(int64_t size, int64_t out, int stride, int pad, int k, int64_t *lo, int64_t *hi) {
    int64_t first = pad - k, last = size - 1 + pad - k;
    *lo = first <= 0 ? 0 : (first + stride - 1) / stride;
    *hi = last < 0 ? 0 : last / stride + 1;
    if (*hi > out) *hi = out;
    if (*lo > *hi) *lo = *hi;
}

#endif
