/* Adaptive gradient modulation (AGM; Li et al., ICCV 2023).
 *
 * What a modality adds to the logits is its Shapley value: m_audio = (z - z_unheard + z_unseen) / 2, where z_unseen is the network's answer
 * with a blank picture and z_unheard with silence; the two add up to z. So the loss is the plain cross-entropy, but the gradient that
 * goes back through m_u is multiplied by k_u, by which the modality that runs ahead of its own history is slowed and the other hurried.
 * The gradient flows through all three passes; those with an input missing leave the statistics of batch norm alone. A head whose
 * gradient has an element above 1 has the whole gradient clipped to norm 1, also in epochs without modulation, as in the published code.
 *
 * Running scores are means over all steps since the start, and are used before they are moved. */
#include "methods/agm.h"
#include <math.h>
#include <string.h>
#include "base/option.h"
#include "methods/late.h"
#include "methods/registry.h"
#include "methods/rows.h"

enum { WHOLE, UNSEEN, UNHEARD, N_PASSES }; /* slots */

typedef struct Agm {
    double alpha;
    int64_t first, last;
    int fusion;
    double running[2]; /* kept with checkpoints, as is what follows */
    int64_t steps;
    Rows z[N_PASSES];
} Agm;

static BalStatus build(void *self, const BalNetSpec *net, BalGraph *g, BalMethodNeeds *needs, BalError *err) {
    (void)err;
    *needs = (BalMethodNeeds){.n_slots = N_PASSES, .n_grads = 1, .n_sweeps = 1};
    bal_late_build(((const Agm *)self)->fusion, net, g);
    return BAL_OK;
}

/* Mean of -log p of the label, p held above 1e-8, by m = (z + add - take) / 2. */
static double score_of(const float *z, const float *add, const float *take, const int32_t *y, int n, int c) {
    double score = 0;
    for (int i = 0; i < n; i++, z += c, add += c, take += c) {
        const double right = (double)z[y[i]] + add[y[i]] - take[y[i]];
        double sum = 0;
        for (int k = 0; k < c; k++) sum += exp(((double)z[k] + add[k] - take[k] - right) / 2);
        score -= log(fmax(1 / sum, 1e-8)) / n;
    }
    return score;
}

void bal_agm_coefficients(const float *z, const float *unseen, const float *unheard, const int32_t *y, int n, int c,
                          double alpha, const double running[2], double score[2], double k[2]) {
    score[0] = score_of(z, unseen, unheard, y, n, c);
    score[1] = score_of(z, unheard, unseen, y, n, c);
    for (int u = 0; u < 2; u++) {
        const double ratio = exp(score[1 - u] - score[u]), target = exp(running[1 - u] - running[u]);
        k[u] = exp(alpha * fmin(target - ratio, 10));
    }
}

/* The pass of a slot, without picture or without sound, and its logits. */
static BalStatus pass(Agm *a, BalMethodCtx *c, int slot, BalError *err) {
    const BalMethodBatch batch = c->batch;
    if (slot == UNSEEN) c->batch.visual = NULL;
    if (slot == UNHEARD) c->batch.audio = NULL;
    const BalStatus rc =
        bal_method_forward(&bal_method_agm, c, slot, slot == WHOLE ? BAL_MODE_TRAIN : BAL_MODE_FROZEN, err);
    c->batch = batch;
    return rc < 0 ? rc : rows_get(&a->z[slot], c, slot, "logits", c->n_classes, err);
}

/* dz, the gradient of the cross-entropy, goes back through the passes in the shares that k gives them. */
static BalStatus sweep(BalMethodCtx *c, const double k[2], int slot, BalError *err) {
    const double share[N_PASSES] = {(k[0] + k[1]) / 2, (k[0] - k[1]) / 2, (k[1] - k[0]) / 2};
    if (share[slot] == 0) return BAL_OK;
    bal_softmax_ce(c->z, c->batch.label, c->batch.n, c->n_classes, share[slot], c->dz, NULL);
    BAL_TRY(bal_session_seed(c->session, slot, "logits", c->dz, err));
    return bal_session_backward(c->session, slot, 0, slot != WHOLE, err);
}

static BalStatus loss(void *self, BalMethodCtx *c, BalError *err) {
    Agm *a = self;
    double score[2], k[2];
    if ((int64_t)c->epoch > a->last) return bal_method_loss(&bal_method_agm, c, err);
    for (int slot = 0; slot < N_PASSES; slot++) BAL_TRY(pass(a, c, slot, err));
    memcpy(c->z, a->z[WHOLE].at, (size_t)c->batch.n * (size_t)c->n_classes * sizeof *c->z);
    c->loss = bal_softmax_ce(c->z, c->batch.label, c->batch.n, c->n_classes, 1, NULL, NULL);
    if (!isfinite(c->loss)) return BAL_OK;
    bal_agm_coefficients(c->z, a->z[UNSEEN].at, a->z[UNHEARD].at, c->batch.label, c->batch.n, c->n_classes,
                         (int64_t)c->epoch < a->first ? 0 : a->alpha, a->running, score, k);
    a->steps++;
    for (int u = 0; u < 2; u++) a->running[u] += (score[u] - a->running[u]) / (double)a->steps;
    BAL_TRY(bal_method_log(c, "k_audio", k[0], err));
    BAL_TRY(bal_method_log(c, "k_visual", k[1], err));
    for (int slot = 0; slot < N_PASSES; slot++) BAL_TRY(sweep(c, k, slot, err));
    return BAL_OK;
}

/* Largest element of the gradients of the head's weights. */
static BalStatus head_peak(BalMethodCtx *c, double *peak, BalError *err) {
    *peak = 0;
    for (int i = 0; i < bal_session_n_params(c->session); i++) {
        const BalParam *p = bal_session_param(c->session, i);
        if (!(p->tags & BAL_TAG_SHARED) || p->shape.rank != 2) continue;
        const int64_t n = p->shape.dim[0] * p->shape.dim[1];
        float *g = NULL;
        BAL_TRY(bal_alloc(&g, (size_t)n, sizeof *g, err));
        const BalStatus rc = bal_session_grad_get(c->session, 0, i, g, err);
        for (int64_t k = 0; k < n && rc == BAL_OK; k++) *peak = fmax(*peak, fabs((double)g[k]));
        bal_free(g);
        BAL_TRY(rc);
    }
    return BAL_OK;
}

static BalStatus grad(void *self, BalMethodCtx *c, BalError *err) {
    double peak, sum = 0;
    (void)self;
    BAL_TRY(head_peak(c, &peak, err));
    if (peak <= 1) return BAL_OK;
    for (int scale = 0; scale < 2; scale++)
        for (int i = 0; i < bal_session_n_params(c->session); i++) {
            BalParamStats s;
            if (!bal_session_param(c->session, i)->trainable) continue;
            if (scale) {
                BAL_TRY(bal_session_grad_scale(c->session, 0, i, fmin(1, 1 / (sqrt(sum) + 1e-6)), err));
                continue;
            }
            BAL_TRY(bal_session_stats(c->session, 0, 0, i, &s, err));
            sum += s.sum_gg;
        }
    return BAL_OK;
}

static BalStatus save(void *self, BalMethodCtx *c, struct BalWriter *w, BalError *err) {
    const Agm *a = self;
    (void)c;
    BAL_TRY(bal_method_put(w, a->running, sizeof a->running, err));
    return bal_method_put(w, &a->steps, sizeof a->steps, err);
}

static BalStatus load(void *self, BalMethodCtx *c, const struct BalMap *saved, BalError *err) {
    Agm *a = self;
    size_t at = 0;
    (void)c;
    BAL_TRY(bal_method_take(saved, &at, a->running, sizeof a->running, err));
    return bal_method_take(saved, &at, &a->steps, sizeof a->steps, err);
}

static void reset(void *self) {
    for (int i = 0; i < N_PASSES; i++) bal_free(((Agm *)self)->z[i].at);
}

static const BalOption OPTIONS[] = {
    {"agm.alpha", "1", "strength of the modulation; 0: none", BAL_OPT_REAL, offsetof(Agm, alpha), 0, 100, NULL},
    {"agm.first", "0", "first epoch of modulation, from 0", BAL_OPT_INT, offsetof(Agm, first), 0, 100000, NULL},
    {"agm.last", "19", "last epoch of modulation", BAL_OPT_INT, offsetof(Agm, last), 0, 100000, NULL},
    {"agm.fusion", "concat", "head of the network", BAL_OPT_ENUM, offsetof(Agm, fusion), 0, 0, bal_late_choices},
    {0}};

const BalMethodOps bal_method_agm = {
    .name = "agm",
    .summary = "gradients through what each modality adds to the answer are speeded up or slowed down",
    .paper = "Li et al. 2023, Boosting Multi-modal Model Performance with Adaptive Gradient Modulation",
    .cost = {3, 3, NULL},
    .inputs = BAL_TAG_AUDIO | BAL_TAG_VISUAL,
    .state_size = sizeof(Agm),
    .options = OPTIONS,
    .build = build,
    .loss = loss,
    .grad = grad,
    .save = save,
    .load = load,
    .reset = reset,
};
