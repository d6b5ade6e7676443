/* Trusted multi-view classification (TMC) and its successor with a pseudo view (ETMC).
 *
 * Each modality is a view whose head gives evidence for the classes; the opinions are combined by Dempster's rule, and all of them are
 * trained. ETMC adds the concatenated features as a third view. The weight lambda of the term that takes evidence from wrong classes
 * rises from epoch to epoch: t / anneal up to 1, where TMC's code counts t from 1 and ETMC's from 0. The answer is
 * ln(alpha) of the combination: its softmax is the expected class probability, so every reader of logits gets the right one. */
#include <math.h>
#include "base/option.h"
#include "methods/evidence.h"
#include "methods/late.h"
#include "methods/registry.h"
#include "methods/rows.h"

typedef struct Tmc {
    int64_t anneal;
    Rows z[EVIDENCE_VIEWS], dz[EVIDENCE_VIEWS]; /* [n,n_classes] of each view */
} Tmc;

static const char *const VIEW[EVIDENCE_VIEWS] = {"logits_audio", "logits_visual",
                                                 "logits"}; /* of LATE_SUM, LATE_HEADS */

static BalStatus build_tmc(void *self, const BalNetSpec *net, BalGraph *g, BalMethodNeeds *needs, BalError *err) {
    (void)self, (void)needs, (void)err;
    bal_late_build(LATE_SUM, net, g);
    return BAL_OK;
}

static BalStatus build_etmc(void *self, const BalNetSpec *net, BalGraph *g, BalMethodNeeds *needs, BalError *err) {
    (void)self, (void)needs, (void)err;
    bal_late_build(LATE_HEADS, net, g);
    return BAL_OK;
}

static BalStatus answer(Tmc *t, BalMethodCtx *c, int n_views, float *logits, BalError *err) {
    const float *z[EVIDENCE_VIEWS];
    for (int v = 0; v < n_views; v++) {
        BAL_TRY(rows_get(&t->z[v], c, 0, VIEW[v], c->n_classes, err));
        z[v] = t->z[v].at;
    }
    bal_evidence_combine(z, n_views, c->batch.n, c->n_classes, logits);
    return BAL_OK;
}

static BalStatus loss(Tmc *t, const BalMethodOps *ops, BalMethodCtx *c, int n_views, uint32_t epoch, BalError *err) {
    const double lambda = fmin(1, (double)epoch / (double)t->anneal);
    const float *z[EVIDENCE_VIEWS];
    float *dz[EVIDENCE_VIEWS];
    BAL_TRY(bal_method_forward(ops, c, 0, BAL_MODE_TRAIN, err));
    BAL_TRY(answer(t, c, n_views, c->z, err));
    for (int v = 0; v < n_views; v++) {
        BAL_TRY(rows_room(&t->dz[v], c, c->n_classes, err));
        z[v] = t->z[v].at, dz[v] = t->dz[v].at;
    }
    c->loss = bal_evidence_loss(z, n_views, c->batch.label, c->batch.n, c->n_classes, lambda, dz);
    if (!isfinite(c->loss)) return BAL_OK;
    for (int v = 0; v < n_views; v++) BAL_TRY(bal_session_seed(c->session, 0, VIEW[v], dz[v], err));
    return bal_session_backward(c->session, 0, 0, false, err);
}

static BalStatus loss_tmc(void *self, BalMethodCtx *c, BalError *err) {
    return loss(self, &bal_method_tmc, c, 2, c->epoch + 1, err);
}
static BalStatus loss_etmc(void *self, BalMethodCtx *c, BalError *err) {
    return loss(self, &bal_method_etmc, c, 3, c->epoch, err);
}
static BalStatus predict_tmc(void *self, BalMethodCtx *c, float *logits, BalError *err) {
    return answer(self, c, 2, logits, err);
}
static BalStatus predict_etmc(void *self, BalMethodCtx *c, float *logits, BalError *err) {
    return answer(self, c, 3, logits, err);
}

static void reset(void *self) {
    Tmc *t = self;
    for (int v = 0; v < EVIDENCE_VIEWS; v++) {
        bal_free(t->z[v].at);
        bal_free(t->dz[v].at);
    }
}

#define ANNEAL "epochs over which the penalty on evidence for wrong classes rises to its full weight"
static const BalOption OPTIONS_TMC[] = {
    {"tmc.anneal", "10", ANNEAL, BAL_OPT_INT, offsetof(Tmc, anneal), 1, 100000, NULL}, {0}};
static const BalOption OPTIONS_ETMC[] = {
    {"etmc.anneal", "10", ANNEAL, BAL_OPT_INT, offsetof(Tmc, anneal), 1, 100000, NULL}, {0}};

const BalMethodOps bal_method_tmc = {
    .name = "tmc",
    .summary = "evidence of each modality, combined by Dempster's rule",
    .paper = "Han et al. 2021, Trusted Multi-View Classification",
    .cost = {1, 1, NULL},
    .inputs = BAL_TAG_AUDIO | BAL_TAG_VISUAL,
    .state_size = sizeof(Tmc),
    .options = OPTIONS_TMC,
    .build = build_tmc,
    .loss = loss_tmc,
    .predict = predict_tmc,
    .reset = reset,
};

const BalMethodOps bal_method_etmc = {
    .name = "etmc",
    .summary = "TMC with both features together as a third view",
    .paper = "Han et al. 2022, Trusted Multi-View Classification with Dynamic Evidential Fusion",
    .cost = {1, 1, NULL},
    .inputs = BAL_TAG_AUDIO | BAL_TAG_VISUAL,
    .state_size = sizeof(Tmc),
    .options = OPTIONS_ETMC,
    .build = build_etmc,
    .loss = loss_etmc,
    .predict = predict_etmc,
    .reset = reset,
};
