/* Facilitating multimodal classification via dynamically learning modality gap (LFM; Yang et al., NeurIPS 2024).
 *
 * A head per modality, whose logits are averaged. Besides the cross-entropy of the average, the two answers are drawn together, strongly at
 * first and less and less: the weight of the cross-entropy, 1 minus that of the alignment, follows the curve that the authors
 * fitted to what their bi-level optimisation learns over 200 epochs; other lengths stretch it. The alignment is theirs too: a Jensen-Shannon
 * divergence with its arguments the other way round. */
#include "methods/lfm.h"
#include <math.h>
#include "base/option.h"
#include "methods/late.h"
#include "methods/registry.h"
#include "methods/rows.h"

typedef struct Lfm {
    double cross_entropy;
    Rows z[2], dz[2];
} Lfm;

static const char *const HEAD[] = {"logits_audio", "logits_visual"};

static BalStatus build(void *self, const BalNetSpec *net, BalGraph *g, BalMethodNeeds *needs, BalError *err) {
    (void)self, (void)needs, (void)err;
    bal_late_build(LATE_SUM, net, g);
    return BAL_OK;
}

double bal_lfm_curve(double epoch) {
    static const double coefficient[] = {2.04623704e-1,  3.35472727e-3, 1.22989557e-4,
                                         -2.92947416e-6, 2.23835486e-8, -5.39717505e-11};
    double sum = 0;
    for (int i = 5; i >= 0; i--) sum = sum * epoch + coefficient[i];
    return sum;
}

static double log_sum(const float *z, int c) {
    double top = z[0], sum = 0;
    for (int k = 1; k < c; k++) top = fmax(top, z[k]);
    for (int k = 0; k < c; k++) sum += exp(z[k] - top);
    return top + log(sum);
}

/* One clip; with g_k = dA/dp_k, softmax takes it back as p_k g_k - p_k sum_j p_j g_j, and p_k g_k has no division that could overflow. */
static double align(const float *a, const float *v, int c, double weight, float *da, float *dv) {
    const double total_a = log_sum(a, c), total_v = log_sum(v, c);
    double sum = 0, back_a = 0, back_v = 0;
    for (int sweep = 0; sweep < 2; sweep++)
        for (int k = 0; k < c; k++) {
            const double log_p = a[k] - total_a, log_q = v[k] - total_v, p = exp(log_p), q = exp(log_q),
                         m = (p + q) / 2;
            const double log_m = fmax(log_p, log_q) + log1p(exp(-fabs(log_p - log_q))) - log(2);
            const double gap = log_m - (log_p + log_q) / 2;
            const double pg = (p * (gap + 1) - m) / 2, qg = (q * (gap + 1) - m) / 2;
            if (sweep) {
                da[k] += (float)(weight * (pg - p * back_a));
                dv[k] += (float)(weight * (qg - q * back_v));
                continue;
            }
            sum += m * gap;
            back_a += pg;
            back_v += qg;
        }
    return sum;
}

double bal_lfm_align(const float *a, const float *v, int n, int c, double weight, float *da, float *dv) {
    double sum = 0;
    for (int i = 0; i < n; i++, a += c, v += c, da += c, dv += c) sum += align(a, v, c, weight / n, da, dv);
    return sum / n;
}

/* Mean of the two heads' logits into z. */
static BalStatus answer(Lfm *m, BalMethodCtx *c, float *z, BalError *err) {
    for (int u = 0; u < 2; u++) BAL_TRY(rows_get(&m->z[u], c, 0, HEAD[u], c->n_classes, err));
    for (int64_t i = 0; i < (int64_t)c->batch.n * c->n_classes; i++) z[i] = (m->z[0].at[i] + m->z[1].at[i]) / 2;
    return BAL_OK;
}

static BalStatus loss(void *self, BalMethodCtx *c, BalError *err) {
    Lfm *m = self;
    const double ce = m->cross_entropy >= 0 ? m->cross_entropy : bal_lfm_curve(200.0 * c->epoch / c->n_epochs);
    const int64_t n = (int64_t)c->batch.n * c->n_classes;
    BAL_TRY(bal_method_forward(&bal_method_lfm, c, 0, BAL_MODE_TRAIN, err));
    BAL_TRY(answer(m, c, c->z, err));
    for (int u = 0; u < 2; u++) BAL_TRY(rows_room(&m->dz[u], c, c->n_classes, err));
    c->loss = 2 * ce * bal_softmax_ce(c->z, c->batch.label, c->batch.n, c->n_classes, 2 * ce, c->dz, NULL);
    for (int64_t i = 0; i < n; i++) m->dz[0].at[i] = m->dz[1].at[i] = c->dz[i] / 2;
    c->loss += 2 * (1 - ce) *
               bal_lfm_align(m->z[0].at, m->z[1].at, c->batch.n, c->n_classes, 2 * (1 - ce), m->dz[0].at, m->dz[1].at);
    if (!isfinite(c->loss)) return BAL_OK;
    for (int u = 0; u < 2; u++) BAL_TRY(bal_session_seed(c->session, 0, HEAD[u], m->dz[u].at, err));
    return bal_session_backward(c->session, 0, 0, false, err);
}

static BalStatus predict(void *self, BalMethodCtx *c, float *logits, BalError *err) {
    return answer(self, c, logits, err);
}

static void reset(void *self) {
    Lfm *m = self;
    for (int u = 0; u < 2; u++) {
        bal_free(m->z[u].at);
        bal_free(m->dz[u].at);
    }
}

static const BalOption OPTIONS[] = {
    {"lfm.cross_entropy", "-1", "weight of the cross-entropy, the rest being the alignment's; -1: the fitted curve",
     BAL_OPT_REAL, offsetof(Lfm, cross_entropy), -1, 1, NULL},
    {0}};

const BalMethodOps bal_method_lfm = {
    .name = "lfm",
    .summary = "two heads whose answers are drawn together, strongly at first",
    .paper = "Yang et al. 2024, Facilitating Multimodal Classification via Dynamically Learning Modality Gap",
    .cost = {1, 1, NULL},
    .inputs = BAL_TAG_AUDIO | BAL_TAG_VISUAL,
    .state_size = sizeof(Lfm),
    .options = OPTIONS,
    .build = build,
    .loss = loss,
    .predict = predict,
    .reset = reset,
};
