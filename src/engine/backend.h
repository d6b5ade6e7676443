/* The wall between the engine and whoever computes: one const table per backend.
 *
 * The engine knows graphs, sweeps and memory plans, but neither layouts nor kernels. A backend says how many bytes a value takes in
 * its own layout, prepares one kernel per op, shape and phase (both oneDNN and cuDNN want it so), and runs it on addresses that only
 * it can look into. Every kernel writes all of its outputs. Kernels are deterministic for a given number of threads.
 *
 * Types: values of rank 4 and 5 are of the op's dtype; values of rank 2 ([rows, C]: features, gates, logits) are float32 always
 * (bal_value_dtype). So `mean` reads bf16 and writes f32, `linear` is f32, and `mul` may spread an f32 gate over a bf16 map.
 *
 * What each op finds in BalArgs:
 *   op         x                 w             state            y        dx              dw
 *   conv       [0] in            weight,bias                    out      [0]             weight,bias
 *   bn         [0] in,[1] resid  gamma,beta    mean,var running out      [0],[1] resid   gamma,beta    (backward may read y: relu's mask)
 *   relu, sigmoid [0]                                           out      [0]                           (backward reads y, not x)
 *   maxpool    [0]                                              out      [0]                           (index in saved)
 *   avgpool, mean [0]                                           out      [0]
 *   linear     [0]               weight,bias                    out      [0]             weight,bias
 *   add        [0],[1]                                          out      [0],[1]                       (forward: y may be x[0]'s memory)
 *   mul        [0],[1]                                          out      [0],[1]       ([1]: like [0], or [clips,C], or [clips*rows,C])
 *   flatten    [0]                                              out      [0]                           (rank 2; in the order N, space, C)
 *   concat     [0..n)                                           out      [0..n)                        (channel axis)
 *   slice      [0]                                              out      [0]                           (channels from `first` on)
 *   scale      [0], coef: [n] floats of the backend's memory    out      [0]
 *
 * conv with `residual` or `relu` is y = relu(conv(x[0]) + x[1]), forward in eval mode only: what a planner that folds batch norm into
 * the convolution before it (fold.c) makes of the two.
 *
 * linear writes only the columns of dw that meet x, and with bias_share != 1 that share of the bias' gradient.
 *
 * bn with `pool` set is y = maxpool(relu(bn(x))), the window in kernel, stride and pad, never with a residual. The planner asks
 * supports() for it where a graph has that pair (the stem of a ResNet) and otherwise runs two kernels. */
#ifndef BAL_ENGINE_BACKEND_H
#define BAL_ENGINE_BACKEND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <avbalance/graph.h>

#define BAL_MAX_IN 8

typedef enum BalOpKind {
    BAL_OP_INPUT,
    BAL_OP_CONV,
    BAL_OP_BN,
    BAL_OP_RELU,
    BAL_OP_SIGMOID,
    BAL_OP_MAXPOOL,
    BAL_OP_AVGPOOL,
    BAL_OP_MEAN,
    BAL_OP_FLATTEN,
    BAL_OP_LINEAR,
    BAL_OP_ADD,
    BAL_OP_MUL,
    BAL_OP_CONCAT,
    BAL_OP_SLICE,
    BAL_OP_SCALE,
    BAL_OP_COUNT
} BalOpKind;

typedef enum BalPhase {
    BAL_FWD_TRAIN,
    BAL_FWD_FROZEN, /* running statistics, but saved is written for the backward */
    BAL_FWD_EVAL,
    BAL_BWD_TRAIN,
    BAL_BWD_FROZEN
} BalPhase;

typedef struct BalOp { /* shapes are those of the real batch: dim[0] = n * rows */
    BalOpKind kind;
    const char *name; /* for messages */
    BalShape in[BAL_MAX_IN], out;
    int n_in;
    BalDtype dtype; /* of values of rank > 2; parameters, state, dw and saved statistics are float32 */
    int rows;       /* mean, mul, scale: rows per clip of in[0] */
    int kernel[3], stride[3], pad[3]; /* conv, pools: K H W; rank 4: [0] is 1,1,0 */
    bool bias, relu, residual, pool;  /* conv, linear / bn, conv / bn, conv / bn: see above */
    bool no_dx;        /* conv: dx[0] is never wanted (x is an input); the same in all phases of a layer */
    double eps;        /* bn */
    int first;         /* slice: first channel; linear: first column of the weight that meets x */
    int columns;       /* linear: of the whole weight, which other layers may use too */
    double bias_share; /* linear: how much of the bias is added */
} BalOp;

static inline BalDtype bal_value_dtype(const BalShape *shape, BalDtype dtype) {
    return shape->rank > 2 ? dtype : BAL_F32;
}

typedef struct BalArgs {
    const void *x[BAL_MAX_IN];
    void *y;              /* written forward, read backward */
    const void *dy[2];    /* dy[1] only where sums_dy(op) said true: the kernel uses dy[0] + dy[1] */
    void *dx[BAL_MAX_IN]; /* NULL: not wanted */
    const float *w[2];
    float *dw[2];       /* NULL: not wanted */
    bool add_dw;        /* add to dw instead of writing it */
    uint64_t w_version; /* changes whenever w was changed: lets a kernel keep a converted copy */
    float *state[2];
    double momentum; /* bn, BAL_FWD_TRAIN: what the running statistics take from this batch */
    const float *coef;
    void *saved, *scratch; /* sizes as prepare said; saved lives from forward to backward */
} BalArgs;

typedef struct BalKernel BalKernel;
typedef struct BalKernelNeeds {
    size_t saved_bytes, scratch_bytes;
} BalKernelNeeds;

typedef enum BalUpdateKind { BAL_UPDATE_SGD, BAL_UPDATE_ADAM, BAL_UPDATE_ADAMW } BalUpdateKind;
typedef struct BalUpdate {
    BalUpdateKind kind;
    float lr, momentum, weight_decay, beta1, beta2, eps;
    float bias1, bias2; /* 1 - beta^t */
    bool first;         /* sgd: the momentum buffer is set, not decayed */
} BalUpdate;

typedef struct BalBackendConfig {
    int threads;
} BalBackendConfig;

typedef struct BalBackendOps {
    const char *name, *summary;
    BalStatus (*open)(void **self, const BalBackendConfig *cfg, BalError *err);
    void (*close)(void *self);
    const char *(*version)(void); /* "oneDNN 2.6.3" */

    /* memory; addresses are the backend's, arithmetic on them is allowed */
    BalStatus (*alloc)(void *self, size_t bytes, void **out, BalError *err); /* zeroed, 64-byte aligned at least */
    void (*release)(void *self, void *address, size_t bytes);
    BalStatus (*upload)(void *self, void *dst, const void *src, size_t bytes, BalError *err);
    BalStatus (*download)(void *self, void *dst, const void *src, size_t bytes, BalError *err);
    BalStatus (*zero)(void *self, void *dst, size_t bytes, BalError *err);

    /* layouts: plain host floats <-> the backend's layout and type; multiples of 64 bytes */
    size_t (*value_bytes)(void *self, const BalShape *shape, BalDtype dtype);
    BalStatus (*value_set)(void *self, const BalShape *shape, BalDtype dtype, void *dst, const float *plain,
                           BalError *err);
    BalStatus (*value_get)(void *self, const BalShape *shape, BalDtype dtype, float *plain, const void *src,
                           BalError *err);
    /* parameter `which` of an op (0 weight/gamma, 1 bias/beta, 2 and 3 running mean and variance of bn): independent of the batch
     * size; a multiple of 16 floats; padding is zero and stays zero. Gradients dw have the layout of their parameter. */
    size_t (*param_floats)(void *self, const BalOp *op, int which);
    BalStatus (*param_set)(void *self, const BalOp *op, int which, float *dst, const float *plain, BalError *err);
    BalStatus (*param_get)(void *self, const BalOp *op, int which, float *plain, const float *src, BalError *err);

    /* kernels */
    bool (*supports)(void *self, const BalOp *op);
    bool (*sums_dy)(void *self, const BalOp *op); /* optional; NULL: never */
    bool (*dx_over_dy)(void *self, const BalOp *op,
                       int i);                             /* optional: dx[i] may be the memory of dy[0]; NULL: never */
    bool (*dx_over_x)(void *self, const BalOp *op, int i); /* optional: dx[i] may be the memory of x[i]; NULL: never */
    unsigned (*reads)(void *self, const BalOp *op); /* optional: what backward reads, BAL_READS_*; NULL: bal_op_reads */
    BalStatus (*prepare)(void *self, const BalOp *op, BalPhase phase, BalKernel **out, BalKernelNeeds *needs,
                         BalError *err);
    BalStatus (*run)(void *self, BalKernel *k, const BalArgs *args, BalError *err);
    void (*unprepare)(void *self, BalKernel *k); /* accepts NULL */

    /* vectors of float32 (parameters and gradients), fixed order of summation */
    BalStatus (*reduce)(void *self, const float *a, const float *b, size_t n, double *sum_a, double *dot,
                        BalError *err); /* sum a, sum a*b */
    BalStatus (*axpby)(void *self, size_t n, double alpha, const float *x, double beta, float *y, BalError *err);
    BalStatus (*update)(void *self, const BalUpdate *u, size_t n, float *w, const float *g, float *m1, float *m2,
                        BalError *err);
    BalStatus (*sync)(void *self, BalError *err); /* optional: NULL when run is synchronous */
} BalBackendOps;

/* Values that must live until an op's backward. The default is the table above. */
#define BAL_READS_X(i) (1u << (i))
#define BAL_READS_Y    (1u << 16)
static inline unsigned bal_op_reads(const BalOp *op) {
    switch (op->kind) {
    case BAL_OP_CONV:
    case BAL_OP_LINEAR:
        return BAL_READS_X(0);
    case BAL_OP_BN:
        return BAL_READS_X(0) | (op->relu && !op->pool ? BAL_READS_Y : 0);
    case BAL_OP_RELU:
    case BAL_OP_SIGMOID:
        return BAL_READS_Y;
    case BAL_OP_MUL:
        return BAL_READS_X(0) | BAL_READS_X(1);
    default:
        return 0;
    }
}

#endif
