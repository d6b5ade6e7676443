/* Time per op, as JSON lines: median over runs, for every backend, type and direction of the cases with a bench size. */
#include "ops.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "bench/median.h"

static double median_s(Rig *r, BalKernel *k, const BalArgs *a) {
    double t[200], begin = bal_now_s();
    int n = 0;
    BalError err = {0};
    rig_must(r->b->run(r->self, k, a, &err), &err, r->op.name);
    while (n < 3 || (n < 200 && bal_now_s() - begin < 0.5)) {
        double from = bal_now_s();
        rig_must(r->b->run(r->self, k, a, &err), &err, r->op.name);
        if (r->b->sync) rig_must(r->b->sync(r->self, &err), &err, "sync");
        t[n++] = bal_now_s() - from;
    }
    return median(t, n);
}

static double flops(const BalOp *op) {
    BalShape w = param_shape(op, 0);
    if (op->kind != BAL_OP_CONV && op->kind != BAL_OP_LINEAR) return 0;
    return 2.0 * (double)shape_count(&w) * (double)(shape_count(&op->out) / op->out.dim[1]);
}

static void print_row(const Rig *r, const char *direction, double s, double work) {
    printf(
        "{\"bench\":\"op\",\"backend\":\"%s\",\"op\":\"%s\",\"dtype\":\"%s\",\"direction\":\"%s\",\"median_ms\":%.3f",
        r->b->name, r->op.name, r->op.dtype == BAL_BF16 ? "bf16" : "f32", direction, s * 1e3);
    if (work > 0) printf(",\"gflops\":%.1f", work / s * 1e-9);
    printf("}\n");
    fflush(stdout);
}

static void bench_case(const BalBackendOps *b, void *self, const Case *c, BalDtype dtype) {
    const BalOp op = case_op(c, dtype, 1);
    if (!b->supports(self, &op)) return;
    Rig r;
    Io io;
    io_init(&io, &op, 7);
    rig_open(&r, b, self, &op, BAL_FWD_TRAIN, BAL_BWD_TRAIN);
    rig_load(&r, &io);
    BalArgs a = rig_args(&r);
    print_row(&r, "forward", median_s(&r, r.forward, &a), flops(&op));
    if (op.kind == BAL_OP_CONV) {
        a.dw[0] = a.dw[1] = NULL;
        print_row(&r, "data", median_s(&r, r.backward, &a), flops(&op));
        a = rig_args(&r);
        a.dx[0] = NULL;
        print_row(&r, "weights", median_s(&r, r.backward, &a), flops(&op));
    } else
        print_row(&r, "backward", median_s(&r, r.backward, &a), 2 * flops(&op));
    rig_close(&r);
    io_reset(&io);
}

int bench_main(const char *filter) {
    const BalBackendConfig cfg = {.threads = 2};
    BalError err = {0};
    for (int k = 0; k < bal_backend_count(); k++) {
        const BalBackendOps *b = NULL;
        void *self;
        rig_must(bal_backend_find(&b, bal_backend_name(k, NULL, NULL), &err), &err, "find");
        if (!strcmp(b->name, "reference") && !getenv("AVB_BENCH_REFERENCE")) continue; /* minutes */
        rig_must(b->open(&self, &cfg, &err), &err, "open");
        for (int i = 0; i < n_cases; i++)
            for (int d = 0; d < 2; d++)
                if (cases[i].bench_n && strstr(cases[i].name, filter))
                    bench_case(b, self, &cases[i], d ? BAL_BF16 : BAL_F32);
        b->close(self);
    }
    return 0;
}
