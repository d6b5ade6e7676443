/* MMPareto (Wei and Hu, ICML 2024).
 *
 * A joint head and one per modality. Each encoder gets two gradients, of the joint loss and of its modality's own; where they conflict
 * over the whole encoder, they are weighed so that the merged step helps both (the point of least norm between them). Every
 * tensor of it is then made at least as long as the plain sum of the two would be, times gamma, which keeps the noise of SGD up. Two sweeps of one
 * pass suffice, as the encoders are disjoint; heads get the sum of all three. */
#include "methods/mmpareto.h"
#include <math.h>
#include "base/option.h"
#include "methods/late.h"
#include "methods/registry.h"

typedef struct Pareto {
    double gamma;
} Pareto;

enum { JOINT, OWN }; /* gradient buffers */

static BalStatus build(void *self, const BalNetSpec *net, BalGraph *g, BalMethodNeeds *needs, BalError *err) {
    (void)self, (void)err;
    *needs = (BalMethodNeeds){.n_slots = 1, .n_grads = 2, .n_sweeps = 2};
    bal_late_build(LATE_HEADS, net, g);
    return BAL_OK;
}

static BalStatus seed_ce(BalMethodCtx *c, const char *output, BalError *err) {
    BAL_TRY(bal_session_get(c->session, 0, output, c->z, err));
    c->loss += bal_softmax_ce(c->z, c->batch.label, c->batch.n, c->n_classes, 1, c->dz, NULL);
    return bal_session_seed(c->session, 0, output, c->dz, err);
}

static BalStatus loss(void *self, BalMethodCtx *c, BalError *err) {
    (void)self;
    BAL_TRY(bal_method_forward(&bal_method_mmpareto, c, 0, BAL_MODE_TRAIN, err));
    c->loss = 0;
    BAL_TRY(seed_ce(c, "logits_audio", err));
    BAL_TRY(seed_ce(c, "logits_visual", err));
    BAL_TRY(bal_session_backward(c->session, 0, OWN, false, err));
    BAL_TRY(seed_ce(c, "logits", err)); /* last: c->z holds the answer */
    return bal_session_backward(c->session, 0, JOINT, false, err);
}

double bal_mmpareto_min_norm(double a11, double a12, double a22) {
    if (a12 >= a11) return 0.999;
    return a12 >= a22 ? 0.001 : (a22 - a12) / (a11 + a22 - 2 * a12);
}

void bal_mmpareto_factors(double a11, double a12, double a22, const double w[2], double gamma, double f[2]) {
    const double sum = a11 + a22 + 2 * a12;
    const double merged = 4 * (w[0] * w[0] * a11 + w[1] * w[1] * a22 + 2 * w[0] * w[1] * a12);
    const double longer = merged > 0 && sum > merged ? sqrt(sum / merged) : 1;
    for (int i = 0; i < 2; i++) f[i] = gamma * longer * 2 * w[i];
}

static BalStatus products(BalMethodCtx *c, int i, double a[3], BalError *err) {
    BalParamStats s, own;
    BAL_TRY(bal_session_stats(c->session, JOINT, OWN, i, &s, err));
    BAL_TRY(bal_session_stats(c->session, OWN, OWN, i, &own, err));
    a[0] = s.sum_gg, a[1] = s.dot, a[2] = own.sum_gg;
    return BAL_OK;
}

static BalStatus merge(const Pareto *p, BalMethodCtx *c, unsigned tag, BalError *err) {
    double a[3], all[3] = {0}, f[2];
    const int n = bal_session_n_params(c->session);
    for (int i = 0; i < n; i++) {
        const BalParam *q = bal_session_param(c->session, i);
        if (!q->trainable || !(q->tags & tag)) continue;
        BAL_TRY(products(c, i, a, err));
        for (int k = 0; k < 3; k++) all[k] += a[k];
    }
    const double joint = all[1] > 0 ? 0.5 : bal_mmpareto_min_norm(all[0], all[1], all[2]), w[2] = {joint, 1 - joint};
    BAL_TRY(bal_method_log(c, tag == BAL_TAG_AUDIO ? "weight_joint_audio" : "weight_joint_visual", joint, err));
    for (int i = 0; i < n; i++) {
        const BalParam *q = bal_session_param(c->session, i);
        if (!q->trainable || !(q->tags & tag)) continue;
        BAL_TRY(products(c, i, a, err));
        bal_mmpareto_factors(a[0], a[1], a[2], w, p->gamma, f);
        BAL_TRY(bal_session_grad_axpy(c->session, JOINT, f[0], OWN, f[1], i, err));
    }
    return BAL_OK;
}

static BalStatus grad(void *self, BalMethodCtx *c, BalError *err) {
    BAL_TRY(merge(self, c, BAL_TAG_AUDIO, err));
    BAL_TRY(merge(self, c, BAL_TAG_VISUAL, err));
    for (int i = 0; i < bal_session_n_params(c->session); i++) {
        const BalParam *q = bal_session_param(c->session, i);
        if (q->trainable && (q->tags & BAL_TAG_SHARED))
            BAL_TRY(bal_session_grad_axpy(c->session, JOINT, 1, OWN, 1, i, err));
    }
    return BAL_OK;
}

static const BalOption OPTIONS[] = {{"mmpareto.gamma", "1.5", "how much longer the merged gradient is made",
                                     BAL_OPT_REAL, offsetof(Pareto, gamma), 0.01, 100, NULL},
                                    {0}};

const BalMethodOps bal_method_mmpareto = {
    .name = "mmpareto",
    .summary = "a joint and an own loss per encoder, merged so that neither is hurt",
    .paper = "Wei and Hu 2024, MMPareto: Boosting Multimodal Learning with Innocent Unimodal Assistance",
    .cost = {1, 2, NULL},
    .inputs = BAL_TAG_AUDIO | BAL_TAG_VISUAL,
    .state_size = sizeof(Pareto),
    .options = OPTIONS,
    .build = build,
    .loss = loss,
    .grad = grad,
};
