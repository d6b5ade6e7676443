/* The table of ops, and what it takes to run one of them on one backend. */
#include "ops.h"
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/rng.h"

#define S2(n, c)                                                                                                       \
    {                                                                                                                  \
        2, {                                                                                                           \
            n, c, 1, 1, 1                                                                                              \
        }                                                                                                              \
    }
#define S4(n, c, h, w)                                                                                                 \
    {                                                                                                                  \
        4, {                                                                                                           \
            n, c, h, w, 1                                                                                              \
        }                                                                                                              \
    }
#define S5(n, c, k, h, w)                                                                                              \
    {                                                                                                                  \
        5, {                                                                                                           \
            n, c, k, h, w                                                                                              \
        }                                                                                                              \
    }
#define K2(k, s, p) .kernel = {1, k, k}, .stride = {1, s, s}, .pad = {0, p, p}
#define CONV(title, n, ci, co, h, w, k, s, p, bench)                                                                   \
    { .name = title, .kind = BAL_OP_CONV, .x = {S4(n, ci, h, w)}, .out_ch = co, K2(k, s, p), .bench_n = bench }

const Case cases[] = {
    CONV("conv stem 3x224", 1, 3, 64, 224, 224, 7, 2, 3, 32),
    CONV("conv stem 1x257x299", 1, 1, 64, 257, 299, 7, 2, 3, 32),
    CONV("conv stem 1x64", 2, 1, 64, 64, 64, 7, 2, 3, 64),
    CONV("conv 64x56 3x3", 1, 64, 64, 56, 56, 3, 1, 1, 32),
    CONV("conv 64-128x56 3x3/2", 1, 64, 128, 56, 56, 3, 2, 1, 32),
    CONV("conv 64-128x56 1x1/2", 1, 64, 128, 56, 56, 1, 2, 0, 32),
    CONV("conv 128x28 3x3", 1, 128, 128, 28, 28, 3, 1, 1, 32),
    CONV("conv 256x14 3x3", 2, 256, 256, 14, 14, 3, 1, 1, 32),
    CONV("conv 512x7 3x3", 2, 512, 512, 7, 7, 3, 1, 1, 32),
    CONV("conv 64x16 3x3", 3, 64, 64, 16, 16, 3, 1, 1, 64),
    CONV("conv 512x2 3x3", 5, 512, 512, 2, 2, 3, 1, 1, 64),
    CONV("conv 64x65x75 3x3", 1, 64, 64, 65, 75, 3, 1, 1, 32),
    /* 3x3 of stride 1 is cut into tiles of 4x4 or 2x2, from 64 tiles on: one tile per map, ends of 1, 2 and 3, several chunks of tiles
     * and every number of tiles left over, channel groups that fill no 32 or 64, all paddings; below 64 tiles one image */
    CONV("conv 3x3 one image", 1, 16, 16, 3, 4, 3, 1, 1, 0),
    CONV("conv 3x3 one tile", 67, 16, 16, 3, 4, 3, 1, 1, 0),
    CONV("conv 3x3 map of 2x2", 65, 48, 16, 2, 2, 3, 1, 1, 0),
    CONV("conv 3x3 one row", 13, 32, 16, 1, 23, 3, 1, 1, 0),
    CONV("conv 3x3 ends of 1 and 2", 12, 16, 48, 5, 10, 3, 1, 1, 0),
    CONV("conv 3x3 ends of 3", 11, 80, 112, 7, 11, 3, 1, 1, 0),
    CONV("conv 3x3 many tiles", 17, 16, 32, 17, 19, 3, 1, 1, 0),
    CONV("conv 3x3 one large image", 1, 16, 16, 65, 75, 3, 1, 1, 0),
    CONV("conv 3x3 no padding", 19, 48, 16, 9, 8, 3, 1, 0, 0),
    CONV("conv 3x3 padding 2", 18, 16, 64, 6, 7, 3, 1, 2, 0),
    CONV("conv 16-512 3x3", 16, 16, 512, 6, 5, 3, 1, 1, 0),
    CONV("conv 512-16 3x3", 16, 512, 16, 5, 6, 3, 1, 1, 0),
    CONV("conv 256x4 3x3", 66, 256, 256, 4, 4, 3, 1, 1, 64),
    {.name = "conv 3x3 bias", .kind = BAL_OP_CONV, .x = {S4(12, 32, 9, 10)}, .out_ch = 80, .bias = true, K2(3, 1, 1)},
    CONV("conv odd channels", 3, 5, 7, 9, 11, 3, 2, 1, 0),
    {.name = "conv bias, oblong",
     .kind = BAL_OP_CONV,
     .x = {S4(2, 16, 12, 10)},
     .out_ch = 24,
     .bias = true,
     .kernel = {1, 5, 3},
     .stride = {1, 3, 1},
     .pad = {0, 2, 0}},
    {.name = "conv 3-D",
     .kind = BAL_OP_CONV,
     .x = {S5(2, 16, 6, 10, 9)},
     .out_ch = 32,
     .kernel = {3, 3, 3},
     .stride = {1, 2, 2},
     .pad = {1, 1, 1},
     .bench_n = 16},
    {.name = "conv 3-D 1x7x7 stem",
     .kind = BAL_OP_CONV,
     .x = {S5(1, 3, 4, 28, 28)},
     .out_ch = 64,
     .kernel = {1, 7, 7},
     .stride = {1, 2, 2},
     .pad = {0, 3, 3},
     .bias = true},
    {.name = "conv 3-D 5x1x1",
     .kind = BAL_OP_CONV,
     .x = {S5(2, 8, 8, 6, 6)},
     .out_ch = 16,
     .kernel = {5, 1, 1},
     .stride = {4, 1, 1},
     .pad = {2, 0, 0}},
    /* what folding a batch norm leaves: in our layout and not, by Winograd and not */
    {.name = "conv folded relu", .kind = BAL_OP_CONV, .x = {S4(3, 16, 9, 8)}, .out_ch = 32, .bias = true, .relu = true},
    {.name = "conv folded residual",
     .kind = BAL_OP_CONV,
     .n_in = 2,
     .x = {S4(2, 32, 9, 8), S4(2, 48, 9, 8)},
     .out_ch = 48,
     .bias = true,
     .residual = true},
    {.name = "conv folded both, 3-D",
     .kind = BAL_OP_CONV,
     .n_in = 2,
     .x = {S5(1, 48, 4, 7, 7), S5(1, 32, 4, 7, 7)},
     .out_ch = 32,
     .bias = true,
     .relu = true,
     .residual = true},
    {.name = "conv folded both, few channels",
     .kind = BAL_OP_CONV,
     .n_in = 2,
     .x = {S5(2, 4, 5, 6, 7), S5(2, 8, 5, 6, 7)},
     .out_ch = 8,
     .bias = true,
     .relu = true,
     .residual = true,
     .kernel = {3, 1, 1},
     .pad = {1, 0, 0}},
    {.name = "conv folded both, Winograd",
     .kind = BAL_OP_CONV,
     .n_in = 2,
     .x = {S4(11, 16, 9, 10), S4(11, 32, 9, 10)},
     .out_ch = 32,
     .bias = true,
     .relu = true,
     .residual = true,
     K2(3, 1, 1)},
    {.name = "bn", .kind = BAL_OP_BN, .x = {S4(4, 64, 56, 56)}, .bench_n = 32},
    {.name = "bn relu", .kind = BAL_OP_BN, .x = {S4(4, 64, 28, 28)}, .relu = true, .bench_n = 32},
    {.name = "bn residual relu",
     .kind = BAL_OP_BN,
     .n_in = 2,
     .x = {S4(4, 64, 14, 14), S4(4, 64, 14, 14)},
     .relu = true,
     .residual = true,
     .bench_n = 32},
    {.name = "bn residual", .kind = BAL_OP_BN, .n_in = 2, .x = {S4(3, 24, 7, 5), S4(3, 24, 7, 5)}, .residual = true},
    {.name = "bn odd relu", .kind = BAL_OP_BN, .x = {S4(5, 7, 3, 5)}, .relu = true},
    {.name = "bn 3-D relu", .kind = BAL_OP_BN, .x = {S5(2, 16, 3, 5, 4)}, .relu = true},
    {.name = "bn relu pool",
     .kind = BAL_OP_BN,
     .x = {S4(2, 64, 32, 32)},
     .relu = true,
     .pool = true,
     K2(3, 2, 1),
     .bench_n = 32},
    {.name = "bn relu pool odd", .kind = BAL_OP_BN, .x = {S4(3, 16, 13, 15)}, .relu = true, .pool = true, K2(3, 2, 1)},
    {.name = "relu", .kind = BAL_OP_RELU, .x = {S4(2, 16, 9, 9)}},
    {.name = "relu flat", .kind = BAL_OP_RELU, .x = {S2(6, 130)}},
    {.name = "sigmoid", .kind = BAL_OP_SIGMOID, .x = {S2(6, 130)}},
    {.name = "sigmoid map", .kind = BAL_OP_SIGMOID, .x = {S4(2, 16, 5, 5)}},
    {.name = "maxpool", .kind = BAL_OP_MAXPOOL, .x = {S4(2, 64, 32, 32)}, K2(3, 2, 1), .bench_n = 32},
    {.name = "maxpool 2x2 odd", .kind = BAL_OP_MAXPOOL, .x = {S4(2, 9, 7, 10)}, K2(2, 2, 0)},
    {.name = "maxpool 3-D",
     .kind = BAL_OP_MAXPOOL,
     .x = {S5(2, 16, 4, 9, 9)},
     .kernel = {1, 3, 3},
     .stride = {1, 2, 2},
     .pad = {0, 1, 1}},
    {.name = "maxpool 3-D odd",
     .kind = BAL_OP_MAXPOOL,
     .x = {S5(2, 5, 4, 10, 7)},
     .kernel = {3, 3, 5},
     .stride = {1, 2, 3},
     .pad = {1, 2, 4}},
    {.name = "avgpool padded", .kind = BAL_OP_AVGPOOL, .x = {S4(2, 16, 9, 9)}, K2(3, 2, 1)},
    {.name = "avgpool 3-D",
     .kind = BAL_OP_AVGPOOL,
     .x = {S5(2, 16, 4, 7, 7)},
     .kernel = {4, 7, 7},
     .stride = {1, 1, 1}},
    {.name = "mean", .kind = BAL_OP_MEAN, .x = {S4(4, 512, 7, 7)}, .bench_n = 32},
    {.name = "mean of 3 rows", .kind = BAL_OP_MEAN, .x = {S4(6, 48, 5, 3)}, .rows = 3},
    {.name = "mean 3-D", .kind = BAL_OP_MEAN, .x = {S5(2, 20, 3, 4, 2)}},
    {.name = "mean of flat rows", .kind = BAL_OP_MEAN, .x = {S2(6, 20)}, .rows = 2},
    {.name = "flatten", .kind = BAL_OP_FLATTEN, .x = {S4(3, 32, 6, 4)}},
    {.name = "flatten odd", .kind = BAL_OP_FLATTEN, .x = {S4(2, 5, 3, 7)}},
    {.name = "positions 3-D", .kind = BAL_OP_FLATTEN, .x = {S5(2, 48, 1, 2, 3)}, .positions = true},
    {.name = "linear", .kind = BAL_OP_LINEAR, .x = {S2(8, 512)}, .out_ch = 31, .bias = true, .bench_n = 64},
    {.name = "linear no bias", .kind = BAL_OP_LINEAR, .x = {S2(3, 37)}, .out_ch = 5},
    {.name = "linear part",
     .kind = BAL_OP_LINEAR,
     .x = {S2(4, 12)},
     .out_ch = 7,
     .bias = true,
     .first = 5,
     .columns = 20},
    {.name = "add", .kind = BAL_OP_ADD, .n_in = 2, .x = {S4(2, 24, 7, 7), S4(2, 24, 7, 7)}, .bench_n = 32},
    {.name = "add flat", .kind = BAL_OP_ADD, .n_in = 2, .x = {S2(5, 6), S2(5, 6)}},
    {.name = "mul", .kind = BAL_OP_MUL, .n_in = 2, .x = {S4(2, 24, 5, 5), S4(2, 24, 5, 5)}},
    {.name = "mul flat", .kind = BAL_OP_MUL, .n_in = 2, .x = {S2(5, 6), S2(5, 6)}},
    {.name = "mul gate per clip", .kind = BAL_OP_MUL, .n_in = 2, .x = {S4(6, 24, 5, 5), S2(2, 24)}, .rows = 3},
    {.name = "mul gate per row", .kind = BAL_OP_MUL, .n_in = 2, .x = {S4(6, 24, 5, 5), S2(6, 24)}, .rows = 3},
    {.name = "concat", .kind = BAL_OP_CONCAT, .n_in = 3, .x = {S4(2, 16, 3, 3), S4(2, 5, 3, 3), S4(2, 32, 3, 3)}},
    {.name = "concat flat", .kind = BAL_OP_CONCAT, .n_in = 2, .x = {S2(5, 512), S2(5, 6)}},
    {.name = "slice", .kind = BAL_OP_SLICE, .x = {S4(2, 48, 3, 3)}, .out_ch = 16, .first = 16},
    {.name = "slice across", .kind = BAL_OP_SLICE, .x = {S4(2, 48, 3, 3)}, .out_ch = 21, .first = 7},
    {.name = "slice flat", .kind = BAL_OP_SLICE, .x = {S2(5, 32)}, .out_ch = 10, .first = 22},
    {.name = "scale", .kind = BAL_OP_SCALE, .x = {S4(6, 24, 5, 5)}, .rows = 3},
    {.name = "scale flat", .kind = BAL_OP_SCALE, .x = {S2(4, 10)}},
};
const int n_cases = (int)(sizeof cases / sizeof *cases);

static void space_out(BalOp *op) { /* output sizes of a window op */
    const BalShape *in = &op->in[0];
    for (int i = 2; i < in->rank; i++) {
        const int k = i - in->rank + 3; /* K H W */
        op->out.dim[i] = (in->dim[i] + 2 * op->pad[k] - op->kernel[k]) / op->stride[k] + 1;
    }
}

BalOp case_op(const Case *c, BalDtype dtype, int bench) {
    BalOp op = {.kind = c->kind,
                .name = c->name,
                .n_in = c->n_in ? c->n_in : 1,
                .dtype = dtype,
                .rows = c->rows ? c->rows : 1,
                .bias = c->bias,
                .relu = c->relu,
                .residual = c->residual,
                .pool = c->pool,
                .first = c->first,
                .columns = c->columns ? c->columns : (int)c->x[0].dim[1],
                .bias_share = c->columns ? 0.5 : 1,
                .eps = 1e-5};
    for (int i = 0; i < op.n_in; i++) {
        op.in[i] = c->x[i];
        if (bench) op.in[i].dim[0] = (int64_t)c->bench_n * op.rows;
    }
    for (int i = 0; i < 3; i++) {
        op.kernel[i] = c->kernel[i] ? c->kernel[i] : 1;
        op.stride[i] = c->stride[i] ? c->stride[i] : 1;
        op.pad[i] = c->pad[i];
    }
    op.out = op.in[0];
    if (c->out_ch) op.out.dim[1] = c->out_ch;
    if (c->kind == BAL_OP_CONV || c->kind == BAL_OP_MAXPOOL || c->kind == BAL_OP_AVGPOOL || c->pool) space_out(&op);
    for (int i = 1; c->kind == BAL_OP_CONCAT && i < op.n_in; i++) op.out.dim[1] += op.in[i].dim[1];
    if (c->kind == BAL_OP_MEAN) op.out = (BalShape){2, {op.in[0].dim[0] / op.rows, op.in[0].dim[1], 1, 1, 1}};
    const int64_t space = shape_count(&op.in[0]) / (op.in[0].dim[0] * op.in[0].dim[1]);
    if (c->kind == BAL_OP_FLATTEN && c->positions)
        op.out = (BalShape){2, {op.in[0].dim[0] * space, op.in[0].dim[1], 1, 1, 1}};
    else if (c->kind == BAL_OP_FLATTEN)
        op.out = (BalShape){2, {op.in[0].dim[0], op.in[0].dim[1] * space, 1, 1, 1}};
    return op;
}

int64_t shape_count(const BalShape *s) {
    int64_t n = s->rank > 0;
    for (int i = 0; i < s->rank; i++) n *= s->dim[i];
    return n;
}

BalShape param_shape(const BalOp *op, int which) {
    const int64_t out = op->out.dim[1], in = op->in[0].dim[1];
    if (op->kind == BAL_OP_BN) return (BalShape){1, {in, 1, 1, 1, 1}};
    if ((op->kind != BAL_OP_CONV && op->kind != BAL_OP_LINEAR) || (which && !op->bias) || which > 1)
        return (BalShape){0};
    if (which) return (BalShape){1, {out, 1, 1, 1, 1}};
    if (op->kind == BAL_OP_LINEAR) return (BalShape){2, {out, op->columns, 1, 1, 1}};
    return (BalShape){5, {out, in, op->kernel[0], op->kernel[1], op->kernel[2]}};
}

/* ---- host data ---- */
static float *filled(int64_t n, uint64_t seed, uint64_t item, double scale, double shift) {
    float *p = calloc((size_t)n + 1, sizeof *p);
    BalRng r = bal_rng(seed, BAL_RNG_TEST, 0, item);
    for (int64_t i = 0; i < n; i++) p[i] = (float)(shift + scale * bal_rng_normal(&r));
    return p;
}

void io_init(Io *io, const BalOp *op, uint64_t seed) {
    *io = (Io){0};
    const double fan =
        (double)shape_count(&(BalShape){5, {op->in[0].dim[1], op->kernel[0], op->kernel[1], op->kernel[2], 1}});
    const double scale = op->kind == BAL_OP_BN ? 0.3 : sqrt(2 / fan), shift = op->kind == BAL_OP_BN ? 1 : 0;
    for (int i = 0; i < op->n_in; i++) {
        io->x[i] = filled(shape_count(&op->in[i]), seed, (uint64_t)i, 1, 0.1);
        io->dx[i] = calloc((size_t)shape_count(&op->in[i]), sizeof(float));
    }
    io->y = calloc((size_t)shape_count(&op->out), sizeof(float));
    for (int i = 0; i < 2; i++) {
        io->dy[i] = filled(shape_count(&op->out), seed, 20 + (uint64_t)i, 1, 0.05);
        BalShape s = param_shape(op, i);
        if (!s.rank) continue;
        io->w[i] = filled(shape_count(&s), seed, 10 + (uint64_t)i, i ? 0.3 : scale, i ? 0 : shift);
        io->dw[i] = calloc((size_t)shape_count(&s), sizeof(float));
    }
    for (int i = 0; op->kind == BAL_OP_BN && i < 2; i++) {
        io->state[i] = filled(op->in[0].dim[1], seed, 30 + (uint64_t)i, 0.2, 0);
        for (int64_t k = 0; i && k < op->in[0].dim[1]; k++) io->state[1][k] = fabsf(io->state[1][k]) + 0.8f;
    }
    if (op->kind == BAL_OP_SCALE) io->coef = filled(op->in[0].dim[0] / op->rows, seed, 40, 1, 0);
}

void io_reset(Io *io) {
    for (int i = 0; i < BAL_MAX_IN; i++) free(io->x[i]), free(io->dx[i]);
    for (int i = 0; i < 2; i++) free(io->w[i]), free(io->dw[i]), free(io->state[i]), free(io->dy[i]);
    free(io->coef), free(io->y);
    *io = (Io){0};
}

/* ---- one op on one backend ---- */
void rig_must(BalStatus rc, const BalError *err, const char *what) {
    if (rc >= 0) return;
    fprintf(stderr, "%s: %s\n", what, err->text);
    abort();
}

/* Memory filled with NaN bits: a kernel that leaves an output unwritten is found out. */
static void *block(Rig *r, size_t bytes, bool poison) {
    BalError err = {0};
    void *p, *bad;
    if (!bytes) return NULL;
    rig_must(r->b->alloc(r->self, bytes, &p, &err), &err, "alloc");
    if (poison) {
        bad = malloc(bytes);
        memset(bad, 0xff, bytes);
        rig_must(r->b->upload(r->self, p, bad, bytes, &err), &err, "upload");
        free(bad);
    }
    r->block[r->n_blocks].at = p;
    r->block[r->n_blocks++].bytes = bytes;
    return p;
}

/* NaN in every gradient, zero in its padding, as a session's buffers have it; zero too where the op writes a part of it. */
static void poison_param(Rig *r, int which) {
    BalError err = {0};
    BalShape s = param_shape(&r->op, which);
    float *bad = malloc((size_t)shape_count(&s) * sizeof *bad);
    const bool part = r->op.kind == BAL_OP_LINEAR && r->op.columns != r->op.in[0].dim[1];
    for (int64_t i = 0; i < shape_count(&s); i++) bad[i] = part ? 0 : NAN;
    rig_must(r->b->param_set(r->self, &r->op, which, r->dw[which], bad, &err), &err, "poison");
    free(bad);
}

static void *value(Rig *r, const BalShape *s) {
    return block(r, r->b->value_bytes(r->self, s, bal_value_dtype(s, r->op.dtype)), true);
}

void rig_open(Rig *r, const BalBackendOps *b, void *self, const BalOp *op, BalPhase forward, BalPhase backward) {
    *r = (Rig){.b = b, .self = self, .op = *op};
    BalError err = {0};
    BalKernelNeeds f = {0}, g = {0};
    for (int i = 0; i < op->n_in; i++) r->x[i] = value(r, &op->in[i]), r->dx[i] = value(r, &op->in[i]);
    r->y = value(r, &op->out);
    for (int i = 0; i < 2; i++) {
        r->dy[i] = value(r, &op->out);
        if (!param_shape(op, i).rank) continue;
        const size_t bytes = b->param_floats(self, op, i) * sizeof(float);
        r->w[i] = block(r, bytes, false);
        r->dw[i] = block(r, bytes, false);
        poison_param(r, i);
        if (op->kind == BAL_OP_BN) r->state[i] = block(r, b->param_floats(self, op, i + 2) * sizeof(float), false);
    }
    if (op->kind == BAL_OP_SCALE) r->coef = block(r, (size_t)(op->in[0].dim[0] / op->rows) * sizeof(float), false);
    rig_must(b->prepare(self, op, forward, &r->forward, &f, &err), &err, op->name);
    if (backward != forward) rig_must(b->prepare(self, op, backward, &r->backward, &g, &err), &err, op->name);
    r->saved = block(r, f.saved_bytes > g.saved_bytes ? f.saved_bytes : g.saved_bytes, true);
    r->scratch = block(r, f.scratch_bytes > g.scratch_bytes ? f.scratch_bytes : g.scratch_bytes, true);
}

void rig_close(Rig *r) {
    r->b->unprepare(r->self, r->forward);
    r->b->unprepare(r->self, r->backward);
    for (int i = 0; i < r->n_blocks; i++) r->b->release(r->self, r->block[i].at, r->block[i].bytes);
}

void rig_load(Rig *r, const Io *io) {
    BalError err = {0};
    const BalOp *op = &r->op;
    for (int i = 0; i < op->n_in; i++)
        rig_must(r->b->value_set(r->self, &op->in[i], bal_value_dtype(&op->in[i], op->dtype), r->x[i], io->x[i], &err),
                 &err, "x");
    for (int i = 0; i < 2; i++) {
        rig_must(r->b->value_set(r->self, &op->out, bal_value_dtype(&op->out, op->dtype), r->dy[i], io->dy[i], &err),
                 &err, "dy");
        if (r->w[i]) rig_must(r->b->param_set(r->self, op, i, r->w[i], io->w[i], &err), &err, "w");
        if (r->state[i]) rig_must(r->b->param_set(r->self, op, i + 2, r->state[i], io->state[i], &err), &err, "state");
    }
    if (r->coef)
        rig_must(r->b->upload(r->self, r->coef, io->coef, (size_t)(op->in[0].dim[0] / op->rows) * sizeof(float), &err),
                 &err, "coef");
}

BalArgs rig_args(const Rig *r) {
    BalArgs a = {.y = r->y,
                 .dy = {r->dy[0], NULL},
                 .w_version = 1,
                 .momentum = 0.1,
                 .coef = r->coef,
                 .saved = r->saved,
                 .scratch = r->scratch};
    for (int i = 0; i < r->op.n_in; i++) a.x[i] = r->x[i], a.dx[i] = r->dx[i];
    for (int i = 0; i < 2; i++) a.w[i] = r->w[i], a.dw[i] = r->dw[i], a.state[i] = r->state[i];
    return a;
}
