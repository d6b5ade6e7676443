/* One table of ops for three uses: parity of every backend with the reference, finite-difference gradients of the reference, and
 * `test_engine_ops --bench [part of a case's name]`, which prints time per op, type and backend. */
#ifndef BAL_TESTS_OPS_H
#define BAL_TESTS_OPS_H

#include <avbalance/backends.h>
#include "engine/backend.h"

typedef struct Case {
    const char *name;
    BalOpKind kind;
    BalShape x[BAL_MAX_IN];           /* dim[0] as tested for parity */
    int n_in;                         /* 0: 1 */
    int bench_n;                      /* dim[0] / rows when benched; 0: not benched */
    int out_ch, rows;                 /* conv, linear, slice / rows per clip; 0: 1 */
    int first, columns;               /* slice, linear / linear: of the whole weight where x meets a part of it */
    int kernel[3], stride[3], pad[3]; /* stride 0: 1 */
    bool bias, relu, residual, pool, positions;
    double tol_f32, tol_bf16; /* relative L2; 0: 3e-5 and 1e-2 */
} Case;

extern const Case cases[];
extern const int n_cases;
BalOp case_op(const Case *c, BalDtype dtype, int bench); /* shapes complete */
int bench_main(const char *filter);

/* What one op reads and writes, as plain host floats. */
typedef struct Io {
    float *x[BAL_MAX_IN], *w[2], *state[2], *dy[2], *coef;
    float *y, *dx[BAL_MAX_IN], *dw[2];
} Io;
void io_init(Io *io, const BalOp *op, uint64_t seed); /* inputs random, outputs zero */
void io_reset(Io *io);
int64_t shape_count(const BalShape *s);
BalShape param_shape(const BalOp *op, int which); /* rank 0: none */

/* Buffers of one op on one backend. */
typedef struct Rig {
    const BalBackendOps *b;
    void *self;
    BalOp op;
    void *x[BAL_MAX_IN], *y, *dy[2], *dx[BAL_MAX_IN], *saved, *scratch;
    float *w[2], *dw[2], *state[2], *coef;
    BalKernel *forward, *backward;
    struct {
        void *at;
        size_t bytes;
    } block[64];
    int n_blocks;
} Rig;
void rig_open(Rig *r, const BalBackendOps *b, void *self, const BalOp *op, BalPhase forward, BalPhase backward);
void rig_close(Rig *r);
void rig_load(Rig *r, const Io *io);
BalArgs rig_args(const Rig *r);
void rig_must(BalStatus rc, const BalError *err, const char *what);

#endif
