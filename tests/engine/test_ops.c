/* Every op of every backend against the reference, and the reference against finite differences (table: ops_cases.c). */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "ops.h"
#include "base/rng.h"
#include "base/thread.h"

static int failures;

static double rel_l2(const float *a, const float *b, int64_t n) {
    double diff = 0, norm = 0;
    for (int64_t i = 0; i < n; i++) {
        diff += ((double)a[i] - b[i]) * ((double)a[i] - b[i]);
        norm += (double)b[i] * b[i];
    }
    return sqrt(diff / (norm > 0 ? norm : 1));
}

static void check(const char *backend, const BalOp *op, const char *what, double error, double tolerance) {
    if (error <= tolerance) return; /* NaN fails */
    failures += 1;
    print_error("%s %s %s: %s is off by %.3g (allowed %.3g)\n", backend, op->dtype == BAL_BF16 ? "bf16" : "f32",
                op->name, what, error, tolerance);
}

/* ---- running one op ---- */
static void forward(Rig *r, Io *io) {
    BalError err = {0};
    BalArgs a = rig_args(r);
    rig_must(r->b->run(r->self, r->forward, &a, &err), &err, r->op.name);
    rig_must(r->b->value_get(r->self, &r->op.out, bal_value_dtype(&r->op.out, r->op.dtype), io->y, r->y, &err), &err,
             "y");
    for (int i = 0; i < 2; i++)
        if (r->state[i])
            rig_must(r->b->param_get(r->self, &r->op, i + 2, io->state[i], r->state[i], &err), &err, "state");
}

static void backward(Rig *r, Io *io, BalArgs a) {
    BalError err = {0};
    rig_must(r->b->run(r->self, r->backward, &a, &err), &err, r->op.name);
    for (int i = 0; i < r->op.n_in; i++)
        if (a.dx[i])
            rig_must(r->b->value_get(r->self, &r->op.in[i], bal_value_dtype(&r->op.in[i], r->op.dtype), io->dx[i],
                                     a.dx[i], &err),
                     &err, "dx");
    for (int i = 0; i < 2; i++)
        if (a.dw[i]) rig_must(r->b->param_get(r->self, &r->op, i, io->dw[i], a.dw[i], &err), &err, "dw");
}

static void compare_forward(const char *name, const BalOp *op, const Io *got, const Io *want, double tol) {
    check(name, op, "y", rel_l2(got->y, want->y, shape_count(&op->out)), tol);
    for (int i = 0; i < 2; i++)
        if (got->state[i])
            check(name, op, "running statistics", rel_l2(got->state[i], want->state[i], op->in[0].dim[1]), tol);
}

static void compare_backward(const char *name, const BalOp *op, const Io *got, const Io *want, double tol,
                             const char *how) {
    char what[64];
    for (int i = 0; i < op->n_in; i++) {
        snprintf(what, sizeof what, "dx[%d]%s", i, how);
        check(name, op, what, rel_l2(got->dx[i], want->dx[i], shape_count(&op->in[i])), tol);
    }
    for (int i = 0; i < 2; i++) {
        BalShape s = param_shape(op, i);
        snprintf(what, sizeof what, "dw[%d]%s", i, how);
        if (s.rank) check(name, op, what, rel_l2(got->dw[i], want->dw[i], shape_count(&s)), tol);
    }
}

/* ---- the ways in which the planner may call a backward kernel; each must give what the plain call gave ---- */
static void check_padding(Rig *r) {
    BalError err = {0};
    for (int i = 0; i < 2; i++) {
        if (!r->dw[i]) continue;
        const int64_t n = shape_count(&(BalShape){1, {(int64_t)r->b->param_floats(r->self, &r->op, i)}});
        BalShape s = param_shape(&r->op, i);
        double raw = 0, plain = 0, sum;
        float *host = calloc((size_t)shape_count(&s), sizeof *host);
        rig_must(r->b->param_get(r->self, &r->op, i, host, r->dw[i], &err), &err, "dw");
        for (int64_t k = 0; k < shape_count(&s); k++) plain += (double)host[k] * host[k];
        rig_must(r->b->reduce(r->self, r->dw[i], r->dw[i], (size_t)n, &sum, &raw, &err), &err, "reduce");
        check(r->b->name, &r->op, "padding of dw", fabs(raw - plain) / (plain + 1e-30), 1e-6);
        free(host);
    }
}

static void check_dw_added(Rig *r, Io *io, const Io *plain) {
    BalArgs a = rig_args(r);
    backward(r, io, a);
    a.add_dw = true;
    backward(r, io, a);
    for (int i = 0; i < 2; i++) {
        BalShape s = param_shape(&r->op, i);
        for (int64_t k = 0; s.rank && k < shape_count(&s); k++) io->dw[i][k] /= 2;
        if (s.rank) check(r->b->name, &r->op, "dw added", rel_l2(io->dw[i], plain->dw[i], shape_count(&s)), 1e-5);
    }
    check_padding(r);
}

static void check_partial(Rig *r, Io *io, const Io *plain, double tol) {
    BalArgs a = rig_args(r);
    for (int i = 0; i < r->op.n_in; i++) a.dx[i] = NULL;
    if (r->dw[0]) backward(r, io, a);
    a = rig_args(r);
    a.dw[0] = a.dw[1] = NULL;
    backward(r, io, a);
    compare_backward(r->b->name, &r->op, io, plain, tol, " asked alone");
    for (int i = 1; i < r->op.n_in; i++) { /* one input of several */
        a.dx[i - 1] = NULL;
        backward(r, io, a);
    }
    compare_backward(r->b->name, &r->op, io, plain, tol, " asked one by one");
}

/* dx over dy[0], dx over x[0]: both destroy what they read, so the rig is filled again each time. */
static void check_in_place(Rig *r, const Io *in, Io *io, const Io *plain) {
    for (int i = 0; i < r->op.n_in; i++)
        for (int over_x = 0; over_x < 2; over_x++) {
            bool (*may)(void *, const BalOp *, int) = over_x ? r->b->dx_over_x : r->b->dx_over_dy;
            if (!may || !may(r->self, &r->op, i)) continue;
            rig_load(r, in);
            forward(r, io);
            BalArgs a = rig_args(r);
            a.dx[i] = over_x ? r->x[i] : r->dy[0];
            backward(r, io, a);
            compare_backward(r->b->name, &r->op, io, plain, 0, over_x ? " over x" : " over dy");
        }
}

static void check_summed(Rig *r, Rig *ref, Io *in, Io *io, Io *want, double tol) {
    if (!r->b->sums_dy || !r->b->sums_dy(r->self, &r->op)) return;
    rig_load(r, in);
    forward(r, io);
    BalArgs a = rig_args(r);
    a.dy[1] = r->dy[1];
    backward(r, io, a);
    for (int64_t i = 0; i < shape_count(&r->op.out); i++) in->dy[0][i] += in->dy[1][i];
    rig_load(ref, in);
    forward(ref, want);
    backward(ref, want, rig_args(ref));
    compare_backward(r->b->name, &r->op, io, want, tol, " of dy[0]+dy[1]");
}

static void parity(const BalBackendOps *b, void *self, const BalBackendOps *rb, void *rself, const Case *c,
                   BalDtype dtype, BalPhase fwd, BalPhase bwd) {
    const BalOp op = case_op(c, dtype, 0);
    double tol = dtype == BAL_BF16 ? (c->tol_bf16 > 0 ? c->tol_bf16 : 1e-2) : (c->tol_f32 > 0 ? c->tol_f32 : 3e-5);
    const bool optional = op.pool || dtype == BAL_BF16; /* a fusion; a type that not every processor has */
    if (optional && !b->supports(self, &op)) {
        if (!op.pool) print_message("%s: bf16 is not supported here, skipped\n", op.name);
        return;
    }
    Rig r, ref;
    Io in, got, want, again;
    io_init(&in, &op, 7), io_init(&got, &op, 7), io_init(&want, &op, 7), io_init(&again, &op, 7);
    rig_open(&r, b, self, &op, fwd, bwd);
    rig_open(&ref, rb, rself, &op, fwd, bwd);
    rig_load(&r, &in), rig_load(&ref, &in);
    forward(&r, &got), forward(&ref, &want);
    compare_forward(b->name, &op, &got, &want, tol);
    if (bwd != fwd) {
        backward(&r, &got, rig_args(&r)), backward(&ref, &want, rig_args(&ref));
        compare_backward(b->name, &op, &got, &want, tol, "");
        check_padding(&r);
        check_dw_added(&r, &again, &got);
        check_partial(&r, &again, &got, 1e-6);
        check_in_place(&r, &in, &again, &got);
        check_summed(&r, &ref, &in, &got, &want, tol);
    }
    rig_close(&r), rig_close(&ref);
    io_reset(&in), io_reset(&got), io_reset(&want), io_reset(&again);
}

static bool is_folded(const Case *c) { /* exists in eval mode only */
    return c->kind == BAL_OP_CONV && (c->relu || c->residual);
}

static void parity_all(BalDtype dtype) {
    const BalBackendConfig cfg = {.threads = 2};
    const BalBackendOps *ref = NULL;
    BalError err = {0};
    void *rself, *self;
    rig_must(bal_backend_find(&ref, "reference", &err), &err, "reference");
    rig_must(ref->open(&rself, &cfg, &err), &err, "open");
    failures = 0;
    for (int k = 0; k < bal_backend_count();
         k++) { /* the reference too: how it may be called is checked there as well */
        const BalBackendOps *b = NULL;
        rig_must(bal_backend_find(&b, bal_backend_name(k, NULL, NULL), &err), &err, "find");
        rig_must(b->open(&self, &cfg, &err), &err, "open");
        for (int i = 0; i < n_cases; i++) {
            if (b == ref && cases[i].bench_n) continue; /* the large ones would only take time */
            const bool bn = cases[i].kind == BAL_OP_BN, pool = cases[i].kind == BAL_OP_MAXPOOL;
            if (!is_folded(&cases[i])) parity(b, self, ref, rself, &cases[i], dtype, BAL_FWD_TRAIN, BAL_BWD_TRAIN);
            if (bn) parity(b, self, ref, rself, &cases[i], dtype, BAL_FWD_FROZEN, BAL_BWD_FROZEN);
            if (bn || pool || is_folded(&cases[i]))
                parity(b, self, ref, rself, &cases[i], dtype, BAL_FWD_EVAL, BAL_FWD_EVAL);
        }
        b->close(self);
    }
    ref->close(rself);
    assert_int_equal(failures, 0);
}

/* What is no number is the maximum of every window it lies in, at whichever place, as in torch. */
static void maxpool_of_nan(const BalBackendOps *b, void *self, const Case *c, BalPhase phase, bool *is, int *found) {
    const BalOp op = case_op(c, BAL_F32, 0);
    Rig r;
    Io io;
    io_init(&io, &op, 7);
    for (int64_t i = 3; i < shape_count(&op.in[0]); i += 29) io.x[0][i] = NAN;
    rig_open(&r, b, self, &op, phase, phase);
    rig_load(&r, &io);
    forward(&r, &io);
    *found = 0;
    for (int64_t i = 0; i < shape_count(&op.out); i++) {
        is[i] = isnan(io.y[i]);
        *found += is[i];
    }
    rig_close(&r);
    io_reset(&io);
}

static void maxpools_keep_nan(void) {
    const BalBackendConfig cfg = {.threads = 2};
    const BalBackendOps *b = NULL;
    BalError err = {0};
    void *self;
    for (int i = 0; i < n_cases; i++) {
        if (cases[i].kind != BAL_OP_MAXPOOL) continue;
        const BalOp op = case_op(&cases[i], BAL_F32, 0);
        const size_t n = (size_t)shape_count(&op.out);
        bool *want = calloc(n, sizeof *want), *got = calloc(n, sizeof *got);
        int found = 0;
        for (int k = bal_backend_count() - 1; k >= 0; k--) { /* the reference is the last */
            rig_must(bal_backend_find(&b, bal_backend_name(k, NULL, NULL), &err), &err, "find");
            rig_must(b->open(&self, &cfg, &err), &err, "open");
            for (int eval = 0; eval < 2; eval++) {
                maxpool_of_nan(b, self, &cases[i], eval ? BAL_FWD_EVAL : BAL_FWD_TRAIN, got, &found);
                assert_true(found > 0);
                if (k == bal_backend_count() - 1) memcpy(want, got, n * sizeof *want);
                assert_memory_equal(got, want, n * sizeof *want);
            }
            b->close(self);
        }
        free(want), free(got);
    }
}

static void parity_f32(void **state) {
    (void)state;
    parity_all(BAL_F32);
    maxpools_keep_nan();
}

static void parity_bf16(void **state) {
    (void)state;
    parity_all(BAL_BF16);
}

/* ---- finite differences ---- */
static double loss(Rig *r, Io *io, const double *weight) { /* sum of weight * y */
    double sum = 0;
    rig_load(r, io);
    float *keep[2] = {io->state[0], io->state[1]}, *y = io->y;
    Io out = {.y = y};
    for (int i = 0; i < 2; i++)
        if (keep[i]) out.state[i] = calloc((size_t)r->op.in[0].dim[1], sizeof(float));
    forward(r, &out);
    for (int64_t i = 0; i < shape_count(&r->op.out); i++) sum += weight[i] * y[i];
    free(out.state[0]), free(out.state[1]);
    return sum;
}

/* dL along a direction in `v` by a central difference, against the product with the gradient g. Direction 0 is g itself, where the
 * agreement must be close; the rest are random, where it is measured against the norm of g (looser
 * where one element at a kink may fall on the other side). */
static void check_direction(Rig *r, Io *io, const double *weight, float *v, const float *g, int64_t n, int which,
                            const char *what) {
    const bool kinks = r->op.relu || r->op.kind == BAL_OP_RELU || r->op.kind == BAL_OP_MAXPOOL;
    const double eps = kinks ? 1e-4 : 1e-3;
    float *keep = malloc((size_t)n * sizeof *keep);
    double *d = malloc((size_t)n * sizeof *d), norm = 0, want = 0, step = 0;
    BalRng rng = bal_rng(3, BAL_RNG_TEST, (uint32_t)which, 0);
    for (int64_t i = 0; i < n; i++) norm += (double)g[i] * g[i];
    norm = sqrt(norm);
    for (int64_t i = 0; i < n; i++) {
        d[i] = which ? bal_rng_normal(&rng) : g[i] / (norm + 1e-30) * sqrt((double)n);
        keep[i] = v[i];
        want += d[i] * g[i];
    }
    for (int64_t i = 0; i < n; i++) v[i] = (float)(keep[i] + eps * d[i]);
    step = loss(r, io, weight);
    for (int64_t i = 0; i < n; i++) v[i] = (float)(keep[i] - eps * d[i]);
    step = (step - loss(r, io, weight)) / (2 * eps);
    memcpy(v, keep, (size_t)n * sizeof *keep);
    check("difference", &r->op, what, fabs(step - want) / (which ? norm : fabs(want)),
          which ? (kinks ? 6e-2 : 2e-2) : 4e-3);
    free(keep), free(d);
}

static void gradient(const BalBackendOps *b, void *self, const Case *c, BalPhase fwd, BalPhase bwd) {
    const BalOp op = case_op(c, BAL_F32, 0);
    Rig r;
    Io io;
    io_init(&io, &op, 11);
    rig_open(&r, b, self, &op, fwd, bwd);
    double *weight = malloc((size_t)shape_count(&op.out) * sizeof *weight);
    for (int64_t i = 0; i < shape_count(&op.out); i++) weight[i] = io.dy[0][i];
    (void)loss(&r, &io, weight);
    backward(&r, &io, rig_args(&r));
    for (int k = 0; k < 3; k++) {
        for (int i = 0; i < op.n_in; i++)
            check_direction(&r, &io, weight, io.x[i], io.dx[i], shape_count(&op.in[i]), k, i ? "dx[1..]" : "dx[0]");
        for (int i = 0; i < 2; i++) {
            BalShape s = param_shape(&op, i);
            if (s.rank) check_direction(&r, &io, weight, io.w[i], io.dw[i], shape_count(&s), k, i ? "dw[1]" : "dw[0]");
        }
    }
    free(weight);
    rig_close(&r);
    io_reset(&io);
}

static void gradients(void **state) {
    (void)state;
    const BalBackendConfig cfg = {.threads = 2};
    const BalBackendOps *b = NULL;
    BalError err = {0};
    void *self;
    failures = 0;
    rig_must(bal_backend_find(&b, "reference", &err), &err, "reference");
    rig_must(b->open(&self, &cfg, &err), &err, "open");
    for (int i = 0; i < n_cases; i++) {
        if (cases[i].bench_n || is_folded(&cases[i])) continue;
        gradient(b, self, &cases[i], BAL_FWD_TRAIN, BAL_BWD_TRAIN);
        if (cases[i].kind == BAL_OP_BN) gradient(b, self, &cases[i], BAL_FWD_FROZEN, BAL_BWD_FROZEN);
    }
    b->close(self);
    assert_int_equal(failures, 0);
}

static size_t scratch_of(const BalBackendOps *b, const BalOp *op, int threads) {
    const BalBackendConfig cfg = {.threads = threads};
    BalKernelNeeds needs = {0};
    BalKernel *k = NULL;
    BalError err = {0};
    void *self;
    rig_must(b->open(&self, &cfg, &err), &err, "open");
    rig_must(b->prepare(self, op, BAL_FWD_TRAIN, &k, &needs, &err), &err, op->name);
    b->unprepare(self, k);
    b->close(self);
    return needs.scratch_bytes;
}

/* Threads that are not given are all that there are: seen in the scratch memory, of which each has its part. */
static void threads_at_hand(void **state) {
    (void)state;
    for (int k = 0; k < bal_backend_count(); k++) {
        const BalBackendOps *b = NULL;
        BalError err = {0};
        rig_must(bal_backend_find(&b, bal_backend_name(k, NULL, NULL), &err), &err, "find");
        for (int i = 0; i < n_cases; i++) {
            if (cases[i].bench_n || is_folded(&cases[i])) continue;
            const BalOp op = case_op(&cases[i], BAL_F32, 0);
            if (op.pool) continue; /* a fusion, which a backend need not have */
            assert_int_equal(scratch_of(b, &op, 0), scratch_of(b, &op, bal_cpu_count()));
        }
    }
}

int main(int argc, char **argv) {
    if (argc > 1 && !strcmp(argv[1], "--bench")) return bench_main(argc > 2 ? argv[2] : "");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gradients),
        cmocka_unit_test(parity_f32),
        cmocka_unit_test(parity_bf16),
        cmocka_unit_test(threads_at_hand),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
