/* The reference backend: plain C, plain N C [K] H W layout, sums in double. Slow on purpose and easy to read: it is the oracle
 * that every other backend is compared with, and it runs wherever a C compiler does.
 *
 * bfloat16 exists at the edges only: run() widens what an op reads into scratch, calls the op on floats, and rounds what it wrote. */
#include "backends/reference/reference.h"
#include <math.h>
#include <string.h>
#include "base/mem.h"
#include "base/thread.h"
#include "engine/bf16.h"

typedef struct Reference {
    int threads;
} Reference;

struct BalKernel {
    BalOp op;
    BalPhase phase;
    size_t work_bytes; /* scratch: doubles first, then widened values */
};

typedef struct RefOp {
    RefFn *forward, *backward;
} RefOp;

static const RefOp ref_ops[BAL_OP_COUNT] = {
    [BAL_OP_CONV] = {ref_conv_forward, ref_conv_backward},
    [BAL_OP_BN] = {ref_bn_forward, ref_bn_backward},
    [BAL_OP_RELU] = {ref_relu_forward, ref_relu_backward},
    [BAL_OP_SIGMOID] = {ref_sigmoid_forward, ref_sigmoid_backward},
    [BAL_OP_MAXPOOL] = {ref_maxpool_forward, ref_maxpool_backward},
    [BAL_OP_AVGPOOL] = {ref_avgpool_forward, ref_avgpool_backward},
    [BAL_OP_MEAN] = {ref_mean_forward, ref_mean_backward},
    [BAL_OP_FLATTEN] = {ref_flatten_forward, ref_flatten_backward},
    [BAL_OP_LINEAR] = {ref_linear_forward, ref_linear_backward},
    [BAL_OP_ADD] = {ref_add_forward, ref_add_backward},
    [BAL_OP_MUL] = {ref_mul_forward, ref_mul_backward},
    [BAL_OP_CONCAT] = {ref_concat_forward, ref_concat_backward},
    [BAL_OP_SLICE] = {ref_slice_forward, ref_slice_backward},
    [BAL_OP_SCALE] = {ref_scale_forward, ref_scale_backward},
};

RefDims ref_dims(const BalShape *s) {
    RefDims d = {s->dim[0], s->dim[1], 1, 1, 1, 1};
    if (s->rank == 5) d.k = s->dim[2];
    if (s->rank >= 4) {
        d.h = s->dim[s->rank - 2];
        d.w = s->dim[s->rank - 1];
    }
    d.space = d.k * d.h * d.w;
    return d;
}

static size_t count(const BalShape *s) {
    RefDims d = ref_dims(s);
    return (size_t)(d.n * d.c * d.space);
}

static size_t round64(size_t n) {
    return (n + 63) / 64 * 64;
}

/* ---- life and memory ---- */
static BalStatus ref_open(void **self, const BalBackendConfig *cfg, BalError *err) {
    Reference *r;
    BAL_TRY(bal_alloc(&r, 1, sizeof *r, err));
    r->threads = cfg->threads > 0 ? cfg->threads : bal_cpu_count();
    *self = r;
    return BAL_OK;
}

static void ref_close(void *self) {
    bal_free(self);
}
static const char *ref_version(void) {
    return "reference 1";
}

static BalStatus ref_alloc(void *self, size_t bytes, void **out, BalError *err) {
    (void)self;
    return bal_alloc_pages(out, bytes, err);
}

static void ref_release(void *self, void *address, size_t bytes) {
    (void)self;
    bal_free_pages(address, bytes);
}

static BalStatus ref_copy(void *self, void *dst, const void *src, size_t bytes, BalError *err) {
    (void)self, (void)err;
    memcpy(dst, src, bytes);
    return BAL_OK;
}

static BalStatus ref_zero(void *self, void *dst, size_t bytes, BalError *err) {
    (void)self, (void)err;
    memset(dst, 0, bytes);
    return BAL_OK;
}

/* ---- layouts ---- */
static void widen(float *dst, const uint16_t *src, size_t n) {
    for (size_t i = 0; i < n; i++) dst[i] = bal_bf16_to_f32(src[i]);
}

static void narrow(uint16_t *dst, const float *src, size_t n) {
    for (size_t i = 0; i < n; i++) dst[i] = bal_f32_to_bf16(src[i]);
}

static size_t ref_value_bytes(void *self, const BalShape *shape, BalDtype dtype) {
    (void)self;
    return round64(count(shape) * (dtype == BAL_BF16 ? 2 : 4));
}

static BalStatus ref_value_set(void *self, const BalShape *shape, BalDtype dtype, void *dst, const float *plain,
                               BalError *err) {
    (void)self, (void)err;
    if (dtype == BAL_BF16)
        narrow(dst, plain, count(shape));
    else
        memcpy(dst, plain, count(shape) * sizeof *plain);
    return BAL_OK;
}

static BalStatus ref_value_get(void *self, const BalShape *shape, BalDtype dtype, float *plain, const void *src,
                               BalError *err) {
    (void)self, (void)err;
    if (dtype == BAL_BF16)
        widen(plain, src, count(shape));
    else
        memcpy(plain, src, count(shape) * sizeof *plain);
    return BAL_OK;
}

static size_t param_count(const BalOp *op, int which) {
    const size_t out = (size_t)op->out.dim[1], in = (size_t)op->in[0].dim[1];
    if (op->kind == BAL_OP_BN) return in;
    if (which > 0) return out;
    if (op->kind == BAL_OP_LINEAR) return out * (size_t)op->columns;
    return out * in * (size_t)op->kernel[0] * (size_t)op->kernel[1] * (size_t)op->kernel[2];
}

static size_t ref_param_floats(void *self, const BalOp *op, int which) {
    (void)self;
    return (param_count(op, which) + 15) / 16 * 16;
}

static BalStatus ref_param_set(void *self, const BalOp *op, int which, float *dst, const float *plain, BalError *err) {
    return ref_copy(self, dst, plain, param_count(op, which) * sizeof *plain, err);
}

static BalStatus ref_param_get(void *self, const BalOp *op, int which, float *plain, const float *src, BalError *err) {
    return ref_copy(self, plain, src, param_count(op, which) * sizeof *plain, err);
}

/* ---- kernels ---- */
static bool ref_supports(void *self, const BalOp *op) {
    (void)self;
    return op->kind < BAL_OP_COUNT && ref_ops[op->kind].forward;
}

static bool is_backward(BalPhase p) {
    return p == BAL_BWD_TRAIN || p == BAL_BWD_FROZEN;
}

static size_t saved_bytes(const BalOp *op) {
    const size_t index = count(&op->out) * sizeof(int32_t);
    if (op->kind == BAL_OP_BN) return round64(2 * (size_t)op->in[0].dim[1] * sizeof(double) + (op->pool ? index : 0));
    return op->kind == BAL_OP_MAXPOOL ? round64(index) : 0;
}

static size_t work_doubles(const BalOp *op, int threads) {
    const RefDims in = ref_dims(&op->in[0]), out = ref_dims(&op->out);
    switch (op->kind) {
    case BAL_OP_CONV:
        return (size_t)threads * (size_t)(in.space > out.space ? in.space : out.space);
    case BAL_OP_BN:
        return 2 * (size_t)in.c + (op->pool ? count(&op->in[0]) / 2 + 1 : 0);
    case BAL_OP_MUL:
        return count(&op->in[1]);
    default:
        return 0;
    }
}

static bool is_bf16(const BalOp *op, const BalShape *s) {
    return bal_value_dtype(s, op->dtype) == BAL_BF16;
}

/* Bytes to hold as float every bf16 value of a phase: x, y forward; x, y, dy, dx backward. */
static size_t wide_bytes(const BalOp *op, BalPhase phase) {
    const size_t copies = is_backward(phase) ? 2 : 1;
    size_t n = is_bf16(op, &op->out) ? copies * round64(count(&op->out) * 4) : 0;
    for (int i = 0; i < op->n_in; i++)
        if (is_bf16(op, &op->in[i])) n += copies * round64(count(&op->in[i]) * 4);
    return n;
}

static BalStatus ref_prepare(void *self, const BalOp *op, BalPhase phase, BalKernel **out, BalKernelNeeds *needs,
                             BalError *err) {
    const Reference *r = self;
    BalKernel *k;
    if (!ref_supports(self, op)) return BAL_FAIL(err, BAL_E_UNSUPPORTED, "reference: %s: no such op", op->name);
    BAL_TRY(bal_alloc(&k, 1, sizeof *k, err));
    k->op = *op;
    k->phase = phase;
    k->work_bytes = round64(work_doubles(op, r->threads) * sizeof(double));
    needs->saved_bytes = phase == BAL_FWD_EVAL ? 0 : saved_bytes(op);
    needs->scratch_bytes = k->work_bytes + wide_bytes(op, phase);
    *out = k;
    return BAL_OK;
}

static void ref_unprepare(void *self, BalKernel *k) {
    (void)self;
    bal_free(k);
}

/* Float view of a value: itself, or (bf16) the next piece of scratch, filled when `load`. */
static float *view(const BalOp *op, const BalShape *s, void *value, bool load, char **scratch) {
    if (!value || !is_bf16(op, s)) return value;
    float *f = (float *)*scratch;
    *scratch += round64(count(s) * 4);
    if (load) widen(f, value, count(s));
    return f;
}

static const float *view_in(const BalOp *op, const BalShape *s, const void *value, char **scratch) {
    return view(op, s, (void *)(uintptr_t)value, true, scratch); /* only read through */
}

static void store(const BalOp *op, const BalShape *s, void *value, const float *f) {
    if (value && is_bf16(op, s)) narrow(value, f, count(s));
}

static BalStatus ref_run(void *self, BalKernel *k, const BalArgs *a, BalError *err) {
    (void)err;
    const BalOp *op = &k->op;
    const bool backward = is_backward(k->phase);
    char *scratch = (char *)a->scratch + k->work_bytes;
    RefCall c = {.op = op,
                 .phase = k->phase,
                 .threads = ((Reference *)self)->threads,
                 .add_dw = a->add_dw,
                 .momentum = a->momentum,
                 .coef = a->coef,
                 .saved = k->phase == BAL_FWD_EVAL ? NULL : a->saved,
                 .work = a->scratch};
    for (int i = 0; i < 2; i++) c.w[i] = a->w[i], c.dw[i] = a->dw[i], c.state[i] = a->state[i];
    for (int i = 0; i < op->n_in; i++) c.x[i] = view_in(op, &op->in[i], a->x[i], &scratch);
    c.y = view(op, &op->out, a->y, backward, &scratch);
    if (!backward) {
        ref_ops[op->kind].forward(&c);
        store(op, &op->out, a->y, c.y);
        return BAL_OK;
    }
    c.dy = view_in(op, &op->out, a->dy[0], &scratch);
    for (int i = 0; i < op->n_in; i++) c.dx[i] = view(op, &op->in[i], a->dx[i], false, &scratch);
    ref_ops[op->kind].backward(&c);
    for (int i = 0; i < op->n_in; i++) store(op, &op->in[i], a->dx[i], c.dx[i]);
    return BAL_OK;
}

/* ---- vectors ---- */
static BalStatus ref_reduce(void *self, const float *a, const float *b, size_t n, double *sum_a, double *dot,
                            BalError *err) {
    (void)self, (void)err;
    *sum_a = *dot = 0;
    for (size_t i = 0; i < n; i++) {
        *sum_a += a[i];
        *dot += (double)a[i] * b[i];
    }
    return BAL_OK;
}

static BalStatus ref_axpby(void *self, size_t n, double alpha, const float *x, double beta, float *y, BalError *err) {
    (void)self, (void)err;
    for (size_t i = 0; i < n; i++) y[i] = (float)(alpha * x[i] + (beta != 0 ? beta * y[i] : 0));
    return BAL_OK;
}

static void update_sgd(const BalUpdate *u, size_t n, float *w, const float *g, float *m) {
    for (size_t i = 0; i < n; i++) {
        double d = (double)g[i] + (double)u->weight_decay * w[i];
        if (m) d = m[i] = (float)(u->first ? d : (double)u->momentum * m[i] + d);
        w[i] = (float)(w[i] - u->lr * d);
    }
}

static void update_adam(const BalUpdate *u, size_t n, float *w, const float *g, float *m1, float *m2) {
    const bool decoupled = u->kind == BAL_UPDATE_ADAMW;
    for (size_t i = 0; i < n; i++) {
        double v = w[i], d = g[i];
        if (decoupled)
            v -= (double)u->lr * u->weight_decay * v;
        else
            d += (double)u->weight_decay * v;
        m1[i] = (float)(u->beta1 * (double)m1[i] + (1 - (double)u->beta1) * d);
        m2[i] = (float)(u->beta2 * (double)m2[i] + (1 - (double)u->beta2) * d * d);
        w[i] = (float)(v - u->lr / u->bias1 * m1[i] / (sqrt((double)m2[i] / u->bias2) + u->eps));
    }
}

static BalStatus ref_update(void *self, const BalUpdate *u, size_t n, float *w, const float *g, float *m1, float *m2,
                            BalError *err) {
    (void)self, (void)err;
    if (u->kind == BAL_UPDATE_SGD)
        update_sgd(u, n, w, g, m1);
    else
        update_adam(u, n, w, g, m1, m2);
    return BAL_OK;
}

const BalBackendOps bal_backend_reference = {
    .name = "reference",
    .summary = "plain C with sums in double: the oracle, slow",
    .open = ref_open,
    .close = ref_close,
    .version = ref_version,
    .alloc = ref_alloc,
    .release = ref_release,
    .upload = ref_copy,
    .download = ref_copy,
    .zero = ref_zero,
    .value_bytes = ref_value_bytes,
    .value_set = ref_value_set,
    .value_get = ref_value_get,
    .param_floats = ref_param_floats,
    .param_set = ref_param_set,
    .param_get = ref_param_get,
    .supports = ref_supports,
    .prepare = ref_prepare,
    .run = ref_run,
    .unprepare = ref_unprepare,
    .reduce = ref_reduce,
    .axpby = ref_axpby,
    .update = ref_update,
};
