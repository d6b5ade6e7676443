/* Batch norm folded into the convolution before it, for inference.
 *
 * In eval mode batch norm is an affine map per channel with constants, so that
 *
 *   gamma (w * x - mean) / sqrt(var + eps) + beta = w' * x + b',   w' = w s,  b' = beta + (b - mean) s,  s = gamma / sqrt(var + eps)
 *
 * The planner (plan.c) puts the two in one op, together with the residual and the ReLU, and asks for w' and b' here: computed in
 * double, stored as float, once per version of the weights. The weights themselves stay as they are, and are what is saved. */
#include <math.h>
#include "base/mem.h"
#include "engine/session.h"

static BalStatus take(BalSession *s, const BalOp *op, Folded *f, BalError *err) {
    if (!f->w) {
        f->w_floats = s->b->param_floats(s->self, op, 0);
        BAL_TRY(bal_session_take(s, f->w_floats * sizeof *f->w, &f->w, err));
    }
    if (f->b) return BAL_OK;
    f->b_floats = s->b->param_floats(s->self, op, 1);
    return bal_session_take(s, f->b_floats * sizeof *f->b, &f->b, err);
}

/* norm [4,C]: gamma, beta, mean, variance; w [C,n] in place; bias [C] in and out. */
static void fold(const float *norm, int64_t channels, int64_t n, double eps, float *w, float *bias) {
    for (int64_t c = 0; c < channels; c++) {
        const double scale = norm[c] / sqrt((double)norm[3 * channels + c] + eps);
        for (int64_t i = c * n; i < (c + 1) * n; i++) w[i] = (float)(w[i] * scale);
        bias[c] = (float)(norm[channels + c] + ((double)bias[c] - norm[2 * channels + c]) * scale);
    }
}

static BalStatus fold_one(BalSession *s, const PlanOp *o, float *norm, float *bias, BalError *err) {
    const GraphNode *conv = &s->g->node[o->node], *bn = &s->g->node[o->norm];
    Folded *f = &s->folded[o->node];
    const BalOp op = o->op;
    const int64_t channels = op.out.dim[1];
    BAL_TRY(take(s, &op, f, err));
    for (int k = 0; k < 4; k++)
        BAL_TRY(bal_session_unpack(s, bn->param[k], norm + k * channels, param_at(s, bn->param[k]), err));
    for (int64_t c = 0; c < channels; c++) bias[c] = 0;
    if (conv->param[1] >= 0) BAL_TRY(bal_session_unpack(s, conv->param[1], bias, param_at(s, conv->param[1]), err));
    BAL_TRY(bal_session_unpack(s, conv->param[0], s->host, param_at(s, conv->param[0]), err));
    fold(norm, channels, s->place[conv->param[0]].count / channels, bn->op.eps, s->host, bias);
    BAL_TRY(s->b->param_set(s->self, &op, 0, f->w, s->host, err));
    BAL_TRY(s->b->param_set(s->self, &op, 1, f->b, bias, err));
    f->version = s->version;
    return BAL_OK;
}

BalStatus bal_session_fold(BalSession *s, const Plan *plan, BalError *err) {
    float *norm = NULL;
    int64_t channels = 0;
    BalStatus rc = BAL_OK;
    for (int k = 0; k < plan->n_ops; k++) {
        const PlanOp *o = &plan->op[k];
        if (o->norm >= 0 && s->folded[o->node].version != s->version && o->op.out.dim[1] > channels)
            channels = o->op.out.dim[1];
    }
    if (!channels) return BAL_OK;
    BAL_TRY(bal_alloc(&norm, 5 * (size_t)channels, sizeof *norm, err));
    for (int k = 0; rc >= 0 && k < plan->n_ops; k++)
        if (plan->op[k].norm >= 0 && s->folded[plan->op[k].node].version != s->version)
            rc = fold_one(s, &plan->op[k], norm, norm + 4 * channels, err);
    bal_free(norm);
    return rc;
}

void bal_session_unfold(BalSession *s) {
    for (int i = 0; s->folded && i < s->g->n_nodes; i++) {
        bal_session_give(s, s->folded[i].w, s->folded[i].w_floats * sizeof(float));
        bal_session_give(s, s->folded[i].b, s->folded[i].b_floats * sizeof(float));
    }
}
