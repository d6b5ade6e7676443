/* The room's inner contract: the open backend, its kernels, and one prepare function per family of ops. */
#ifndef BAL_ONEDNN_H
#define BAL_ONEDNN_H

#include "backends/onednn/loops.h"
#include "backends/onednn/shim.h"
#include "engine/backend.h"
#include "engine/bf16.h"

typedef struct BalWeightCopy BalWeightCopy;

typedef struct BalOnednn {
    int threads;
    const BalLoops *loops;
    bool has_bf16; /* oneDNN's own bf16 convolutions need AVX-512 */
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    dnnl_primitive_attr_t attr; /* scratchpad by the user */
    BalWeightCopy *copies;      /* converted weights, shared by kernels (weights.c) */
} BalOnednn;

typedef BalStatus BalKernelRun(BalOnednn *b, BalKernel *k, const BalArgs *a, BalError *err);
struct BalKernel {
    BalOp op;
    BalPhase phase;
    BalKernelRun *run;
    void (*destroy)(BalOnednn *b, BalKernel *k); /* NULL: nothing but the block itself */
    struct BalConv *conv;
};

/* Each sets k->run (and needs) for k->op in k->phase. */
typedef BalStatus BalPrepare(BalOnednn *b, BalKernel *k, BalKernelNeeds *needs, BalError *err);
BalPrepare bal_onednn_conv, bal_onednn_linear, bal_onednn_bn, bal_onednn_maxpool, bal_onednn_avgpool, bal_onednn_mean,
    bal_onednn_relu, bal_onednn_sigmoid, bal_onednn_add, bal_onednn_mul, bal_onednn_concat, bal_onednn_slice,
    bal_onednn_scale, bal_onednn_flatten;

static inline bool bal_is_backward(BalPhase p) {
    return p == BAL_BWD_TRAIN || p == BAL_BWD_FROZEN;
}
static inline size_t bal_round64(size_t n) {
    return (n + 63) / 64 * 64;
}

/* ---- par.c: the threads ---- */
/* fn(arg, t, nt) on each of nt threads of libgomp's pool, which oneDNN uses too; inside, bal_par_barrier waits for all. */
typedef void BalParFn(void *arg, int t, int nt);
void bal_par(int threads, BalParFn *fn, void *arg);
void bal_par_barrier(void);
static inline void bal_share(int64_t n, int t, int nt, int64_t *from, int64_t *to) {
    *from = n * t / nt;
    *to = n * (t + 1) / nt;
}
void bal_par_use(int threads); /* how many oneDNN takes when called from this thread */

BalPoolGeo bal_pool_geo(const BalOp *op); /* pool.c */

/* ---- layout.c: values ---- */
typedef struct BalView { /* a value as [n][g][s][lanes]: lanes 16 where channels are blocked, else 1 */
    int64_t n, g, s;
    int lanes;
    bool bf16;
} BalView;
BalView bal_view(const BalShape *shape, BalDtype dtype);
static inline bool bal_is_blocked(const BalShape *s) {
    return s->rank >= 4 && s->dim[1] % 16 == 0;
}
static inline int64_t bal_view_count(const BalView *v) {
    return v->n * v->g * v->s * v->lanes;
}
/* Address of slab (n, g). */
static inline void *bal_slab(const BalView *v, const void *base, int64_t n, int64_t g) {
    return (char *)(uintptr_t)base + (size_t)((n * v->g + g) * v->s * v->lanes) * (v->bf16 ? 2 : 4);
}
static inline float bal_get(const void *p, int64_t i, bool bf16) {
    return bf16 ? bal_bf16_to_f32(((const uint16_t *)p)[i]) : ((const float *)p)[i];
}
static inline void bal_put(void *p, int64_t i, bool bf16, float v) {
    if (bf16)
        ((uint16_t *)p)[i] = bal_f32_to_bf16(v);
    else
        ((float *)p)[i] = v;
}
/* The lanes of group g's parameter vector: 16 channels, or one channel 16 times. */
void bal_spread(const BalView *v, const float *param, int64_t g, float *lanes);
size_t bal_onednn_value_bytes(void *self, const BalShape *shape, BalDtype dtype);
BalStatus bal_onednn_value_set(void *self, const BalShape *shape, BalDtype dtype, void *dst, const float *plain,
                               BalError *err);
BalStatus bal_onednn_value_get(void *self, const BalShape *shape, BalDtype dtype, float *plain, const void *src,
                               BalError *err);

/* ---- weights.c: parameters and their converted copies ---- */
size_t bal_onednn_param_floats(void *self, const BalOp *op, int which);
BalStatus bal_onednn_param_set(void *self, const BalOp *op, int which, float *dst, const float *plain, BalError *err);
BalStatus bal_onednn_param_get(void *self, const BalOp *op, int which, float *plain, const float *src, BalError *err);
int64_t bal_weight_channels(const BalOp *op);            /* input channels as stored, with padding */
dnnl_status_t bal_weight_md(const BalOp *op, BalMd *md); /* the layout that parameters and gradients are kept in */
/* The copy of w in layout md, made or refreshed as needed. *held keeps it between calls; release with bal_weight_release. */
BalStatus bal_weight_copy(BalOnednn *b, const BalOp *op, const BalMd *md, const float *w, uint64_t version,
                          BalWeightCopy **held, void **data, BalError *err);
void bal_weight_release(BalOnednn *b, BalWeightCopy **held);

/* ---- outer.c: own weight gradients ---- */
typedef struct BalOuter BalOuter;
BalStatus bal_outer_create(BalOuter **out, const BalOp *op, size_t *scratch_bytes, BalError *err);
void bal_outer_destroy(BalOuter *o); /* accepts NULL */
void bal_outer_run(const BalOnednn *b, const BalOuter *o, const BalOp *op, const BalArgs *a);

/* ---- winograd.c: own 3x3 convolutions of stride 1 ---- */
typedef struct BalWinograd BalWinograd;
BalStatus bal_winograd_create(BalWinograd **out, const BalOnednn *b, const BalOp *op, BalDirection direction, int size,
                              size_t *scratch_bytes, BalError *err);
void bal_winograd_destroy(BalWinograd *w); /* accepts NULL */
void bal_winograd_run(const BalOnednn *b, const BalWinograd *w, const BalOp *op, const BalArgs *a);

/* ---- choose.c: which algorithm ---- */
/* Size of the tiles with which winograd.c is to do it: 4, 2, or 0: not at all. */
int bal_choose_winograd(const BalOnednn *b, const BalOp *op, BalDirection direction);
bool bal_choose_outer(const BalOnednn *b, const BalOp *op); /* outer.c for the weight gradient */
int bal_choose_min_channels(const BalOp *op); /* fewer input channels are padded with zeros to this many */

/* ---- vector.c ---- */
BalStatus bal_onednn_reduce(void *self, const float *a, const float *b, size_t n, double *sum_a, double *dot,
                            BalError *err);
BalStatus bal_onednn_axpby(void *self, size_t n, double alpha, const float *x, double beta, float *y, BalError *err);
BalStatus bal_onednn_update(void *self, const BalUpdate *u, size_t n, float *w, const float *g, float *m1, float *m2,
                            BalError *err);

extern const BalBackendOps bal_backend_onednn;

#endif
