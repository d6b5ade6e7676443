/* The table of the oneDNN backend: open and close, memory, what is supported, and the way from an op to its kernel. */
#include <stdio.h>
#include <string.h>
#include "backends/onednn/onednn.h"
#include "base/mem.h"
#include "base/thread.h"

static const BalLoops *loops_for_this_cpu(bool *has_bf16) {
    /* asked of oneDNN, so that ONEDNN_MAX_CPU_ISA holds for both halves of the backend */
    const unsigned isa = (unsigned)dnnl_get_effective_cpu_isa();
#define HAS(set) ((isa & (unsigned)(set)) == (unsigned)(set))
    *has_bf16 = HAS(dnnl_cpu_isa_avx512_core);
#if defined(__x86_64__)
    if (HAS(dnnl_cpu_isa_avx512_core_bf16)) return &bal_loops_avx512_bf16;
    if (HAS(dnnl_cpu_isa_avx512_core)) return &bal_loops_avx512;
    if (HAS(dnnl_cpu_isa_avx2)) return &bal_loops_avx2;
#endif
#undef HAS
    return &bal_loops_base;
}

static void onednn_close(void *self) {
    BalOnednn *b = self;
    if (!b) return;
    if (b->attr) dnnl_primitive_attr_destroy(b->attr);
    if (b->stream) dnnl_stream_destroy(b->stream);
    if (b->engine) dnnl_engine_destroy(b->engine);
    bal_free(b);
}

static BalStatus onednn_open(void **self, const BalBackendConfig *cfg, BalError *err) {
    BalOnednn *b = NULL;
    BalStatus rc;
    BAL_TRY(bal_alloc(&b, 1, sizeof *b, err));
    b->threads = cfg->threads > 0 ? cfg->threads : bal_cpu_count();
    b->loops = loops_for_this_cpu(&b->has_bf16);
    bal_par_use(b->threads);
    BAL_TRY_OR(fail, BAL_DNNL(dnnl_engine_create(&b->engine, dnnl_cpu, 0), err));
    BAL_TRY_OR(fail, BAL_DNNL(dnnl_stream_create(&b->stream, b->engine, dnnl_stream_default_flags), err));
    BAL_TRY_OR(fail, BAL_DNNL(dnnl_primitive_attr_create(&b->attr), err));
    BAL_TRY_OR(fail, BAL_DNNL(dnnl_primitive_attr_set_scratchpad_mode(b->attr, dnnl_scratchpad_mode_user), err));
    *self = b;
    return BAL_OK;
fail:
    onednn_close(b);
    return rc;
}

static const char *onednn_version(void) {
    static char text[48];
    const dnnl_version_t *v = dnnl_version();
    snprintf(text, sizeof text, "oneDNN %d.%d.%d", v->major, v->minor, v->patch);
    return text;
}

/* ---- memory: the host's ---- */

static BalStatus onednn_alloc(void *self, size_t bytes, void **out, BalError *err) {
    (void)self;
    return bal_alloc_pages(out, bytes, err);
}

static void onednn_release(void *self, void *address, size_t bytes) {
    (void)self;
    bal_free_pages(address, bytes);
}

static BalStatus onednn_copy(void *self, void *dst, const void *src, size_t bytes, BalError *err) {
    (void)self;
    (void)err;
    memcpy(dst, src, bytes);
    return BAL_OK;
}

static BalStatus onednn_zero(void *self, void *dst, size_t bytes, BalError *err) {
    (void)self;
    (void)err;
    memset(dst, 0, bytes);
    return BAL_OK;
}

/* ---- ops ---- */

static BalPrepare *const prepare_of[BAL_OP_COUNT] = {
    [BAL_OP_CONV] = bal_onednn_conv,       [BAL_OP_BN] = bal_onednn_bn,           [BAL_OP_RELU] = bal_onednn_relu,
    [BAL_OP_SIGMOID] = bal_onednn_sigmoid, [BAL_OP_MAXPOOL] = bal_onednn_maxpool, [BAL_OP_AVGPOOL] = bal_onednn_avgpool,
    [BAL_OP_MEAN] = bal_onednn_mean,       [BAL_OP_LINEAR] = bal_onednn_linear,   [BAL_OP_ADD] = bal_onednn_add,
    [BAL_OP_MUL] = bal_onednn_mul,         [BAL_OP_CONCAT] = bal_onednn_concat,   [BAL_OP_SCALE] = bal_onednn_scale,
    [BAL_OP_SLICE] = bal_onednn_slice,     [BAL_OP_FLATTEN] = bal_onednn_flatten,
};

/* The winner's tap is kept in one byte. */
static bool fits_a_byte(const BalOp *op) {
    const BalPoolGeo p = bal_pool_geo(op);
    return p.kernel[0] * p.kernel[1] * p.kernel[2] <= 256;
}

static bool onednn_supports(void *self, const BalOp *op) {
    const BalOnednn *b = self;
    if (op->dtype == BAL_BF16 && !b->has_bf16) return false;
    if (op->kind == BAL_OP_CONV && op->in[0].rank != 4 && op->in[0].rank != 5) return false;
    if (op->kind == BAL_OP_LINEAR && op->in[0].rank != 2) return false;
    if ((op->kind == BAL_OP_MAXPOOL || (op->kind == BAL_OP_BN && op->pool)) && !fits_a_byte(op)) return false;
    return prepare_of[op->kind] != NULL;
}

static bool onednn_sums_dy(void *self, const BalOp *op) {
    (void)self;
    return op->kind == BAL_OP_BN || op->kind == BAL_OP_MAXPOOL || op->kind == BAL_OP_RELU;
}

static bool onednn_dx_over_dy(void *self, const BalOp *op, int i) {
    (void)self;
    switch (op->kind) {
    case BAL_OP_BN:
        return !op->pool;
    case BAL_OP_RELU:
    case BAL_OP_SIGMOID:
    case BAL_OP_SCALE:
    case BAL_OP_ADD:
        return true;
    case BAL_OP_MUL:
        return i == 0;
    default:
        return false;
    }
}

static bool onednn_dx_over_x(void *self, const BalOp *op, int i) {
    (void)self;
    return op->kind == BAL_OP_BN && i == 0;
}

/* The mask of a ReLU without residual is computed again from x. */
static unsigned onednn_reads(void *self, const BalOp *op) {
    (void)self;
    if (op->kind == BAL_OP_BN) return BAL_READS_X(0) | (op->relu && op->residual ? BAL_READS_Y : 0);
    return bal_op_reads(op);
}

static void onednn_unprepare(void *self, BalKernel *k) {
    if (!k) return;
    if (k->destroy) k->destroy(self, k);
    bal_free(k);
}

static BalStatus onednn_prepare(void *self, const BalOp *op, BalPhase phase, BalKernel **out, BalKernelNeeds *needs,
                                BalError *err) {
    BalOnednn *b = self;
    BalKernel *k = NULL;
    if (!onednn_supports(self, op))
        return BAL_FAIL(err, BAL_E_UNSUPPORTED, "layer %s: the onednn backend cannot run it", op->name);
    BAL_TRY(bal_alloc(&k, 1, sizeof *k, err));
    k->op = *op;
    k->phase = phase;
    *needs = (BalKernelNeeds){0};
    bal_par_use(b->threads);
    const BalStatus rc = prepare_of[op->kind](b, k, needs, err);
    if (rc < 0) {
        onednn_unprepare(b, k);
        return rc;
    }
    *out = k;
    return BAL_OK;
}

static BalStatus onednn_run(void *self, BalKernel *k, const BalArgs *args, BalError *err) {
    BalOnednn *b = self;
    bal_par_use(b->threads);
    const BalStatus rc = k->run(b, k, args, err);
    return rc < 0 ? bal_error_add(err, rc, "running %s", k->op.name) : rc;
}

const BalBackendOps bal_backend_onednn = {
    .name = "onednn",
    .summary = "CPU: own Winograd and fused kernels, oneDNN's for other convolutions",
    .open = onednn_open,
    .close = onednn_close,
    .version = onednn_version,
    .alloc = onednn_alloc,
    .release = onednn_release,
    .upload = onednn_copy,
    .download = onednn_copy,
    .zero = onednn_zero,
    .value_bytes = bal_onednn_value_bytes,
    .value_set = bal_onednn_value_set,
    .value_get = bal_onednn_value_get,
    .param_floats = bal_onednn_param_floats,
    .param_set = bal_onednn_param_set,
    .param_get = bal_onednn_param_get,
    .supports = onednn_supports,
    .sums_dy = onednn_sums_dy,
    .dx_over_dy = onednn_dx_over_dy,
    .dx_over_x = onednn_dx_over_x,
    .reads = onednn_reads,
    .prepare = onednn_prepare,
    .run = onednn_run,
    .unprepare = onednn_unprepare,
    .reduce = bal_onednn_reduce,
    .axpby = bal_onednn_axpby,
    .update = bal_onednn_update,
};
