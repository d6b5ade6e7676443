/* Linear layers in float32 by oneDNN's sgemm: y = x w^T + bias, dx = dy w, dw = dy^T x. x: [n,in], y: [n,out], w: [out,in], or `in`
 * columns of a [out,columns] that other layers use too. */
#include "backends/onednn/onednn.h"

static BalStatus forward(const BalOp *op, const BalArgs *a, BalError *err) {
    const dnnl_dim_t n = op->out.dim[0], in = op->in[0].dim[1], out = op->out.dim[1], columns = op->columns;
    float *y = a->y;
    for (dnnl_dim_t i = 0; op->bias && i < n * out; i++) y[i] = (float)op->bias_share * a->w[1][i % out];
    return BAL_DNNL(
        dnnl_sgemm('N', 'T', n, out, in, 1, a->x[0], in, a->w[0] + op->first, columns, op->bias ? 1 : 0, y, out), err);
}

static void bias_grad(const BalOp *op, const BalArgs *a) {
    const int64_t n = op->out.dim[0], out = op->out.dim[1];
    const float *dy = a->dy[0];
    for (int64_t o = 0; o < out; o++) {
        double sum = 0;
        for (int64_t i = 0; i < n; i++) sum += dy[i * out + o];
        a->dw[1][o] = (float)(op->bias_share * sum + (a->add_dw ? a->dw[1][o] : 0));
    }
}

static BalStatus backward(const BalOp *op, const BalArgs *a, BalError *err) {
    const dnnl_dim_t n = op->out.dim[0], in = op->in[0].dim[1], out = op->out.dim[1], columns = op->columns;
    const float *dy = a->dy[0];
    if (a->dw[0])
        BAL_TRY(BAL_DNNL(
            dnnl_sgemm('T', 'N', out, in, n, 1, dy, out, a->x[0], in, a->add_dw ? 1 : 0, a->dw[0] + op->first, columns),
            err));
    if (a->dw[1] && op->bias) bias_grad(op, a);
    if (!a->dx[0]) return BAL_OK;
    return BAL_DNNL(dnnl_sgemm('N', 'N', n, in, out, 1, dy, out, a->w[0] + op->first, columns, 0, a->dx[0], in), err);
}

static BalStatus linear_run(BalOnednn *b, BalKernel *k, const BalArgs *a, BalError *err) {
    (void)b;
    return bal_is_backward(k->phase) ? backward(&k->op, a, err) : forward(&k->op, a, err);
}

BalStatus bal_onednn_linear(BalOnednn *b, BalKernel *k, BalKernelNeeds *needs, BalError *err) {
    (void)b, (void)needs, (void)err;
    k->run = linear_run;
    return BAL_OK;
}
