/* On-the-fly prediction modulation (OPM; Wei et al., TPAMI 2024).
 *
 * The modality that is surer of the true labels has its features dropped from some clips of some batches, so that the other must answer.
 * What is left is scaled up by 1 / (1 - theta), theta being the share that is expected to be lost. Of two modalities only one is surer, so no
 * clip loses both. Nothing is dropped when clips are scored.
 *
 * The drop rates depend on the scores of the same forward pass. That takes no second one: the logits are linear in what each modality
 * adds, so those with features dropped and scaled are made from the parts of one pass (outputs "term_audio", "term_visual", "bias"),
 * and the gradient goes back by the same factors. */
#include "methods/opm.h"
#include <math.h>
#include <avbalance/models.h>
#include "base/option.h"
#include "base/rng.h"
#include "methods/late.h"
#include "methods/registry.h"
#include "methods/rows.h"
#include "methods/score.h"

typedef struct Opm {
    double base, lambda, share;
    int64_t first, last;
    int width[2];
    Rows term[3], factor[2]; /* [n,n_classes] of audio, visual, bias; [n] */
} Opm;

static const char *const TERM[] = {"term_audio", "term_visual", "bias"};

static BalStatus build(void *self, const BalNetSpec *net, BalGraph *g, BalMethodNeeds *needs, BalError *err) {
    Opm *o = self;
    BalVal f[2];
    (void)needs, (void)err;
    bal_fusion_encode(g, net->encoder, net->audio, net->visual, f);
    bal_fusion_head(g, bal_fusion_at(LATE_CONCAT), f, net->n_classes);
    const BalVal z = bal_graph_find(g, "logits");
    for (int m = 0; m < 2; m++) {
        o->width[m] = net->encoder->features;
        bal_graph_output(g, TERM[m], bal_graph_linear_part(g, z, f[m], m ? o->width[0] : 0, 0));
    }
    const BalVal nothing = bal_graph_optional(g, "nothing", bal_graph_shape(g, f[0]));
    bal_graph_output(g, TERM[2], bal_graph_linear_part(g, z, nothing, 0, 1));
    return BAL_OK;
}

double bal_opm_rates(const double score[2], double base, double lambda, const int width[2], double q[2]) {
    for (int m = 0; m < 2; m++) {
        const double rho = score[m] / score[1 - m];
        q[m] = rho > 1 ? fmin(fmax(base * (1 + lambda * tanh(rho - 1)), 0), 1) : 0;
    }
    return (width[0] * q[0] + width[1] * q[1]) / (width[0] + width[1]);
}

/* What each clip's features are multiplied by. */
static void draw(Opm *o, const BalMethodCtx *c, const double q[2], double theta, BalRng *r) {
    for (int i = 0; i < c->batch.n; i++)
        for (int m = 0; m < 2; m++) o->factor[m].at[i] = bal_rng_uniform(r) < q[m] ? 0 : (float)(1 / (1 - theta));
}

/* Logits of what is left into c->z, their gradient into the terms. */
static void modulated_ce(const Opm *o, BalMethodCtx *c) {
    const int64_t n = (int64_t)c->batch.n * c->n_classes;
    float *const term[3] = {o->term[0].at, o->term[1].at, o->term[2].at};
    for (int64_t i = 0; i < n; i++)
        c->z[i] = o->factor[0].at[i / c->n_classes] * term[0][i] + o->factor[1].at[i / c->n_classes] * term[1][i] +
                  term[2][i];
    c->loss = bal_softmax_ce(c->z, c->batch.label, c->batch.n, c->n_classes, 1, c->dz, NULL);
    for (int64_t i = 0; i < n; i++) {
        for (int m = 0; m < 2; m++) term[m][i] = o->factor[m].at[i / c->n_classes] * c->dz[i];
        term[2][i] = c->dz[i];
    }
}

static BalStatus scores(BalMethodCtx *c, double score[2], BalError *err) {
    for (int m = 0; m < 2; m++) {
        BAL_TRY(bal_session_get(c->session, 0, m ? "logits_visual" : "logits_audio", c->dz, err));
        score[m] = bal_sum_score(c->dz, c->batch.label, c->batch.n, c->n_classes);
    }
    return BAL_OK;
}

/* The batch with features dropped at rates q; the pass is in slot 0. */
static BalStatus drop(Opm *o, BalMethodCtx *c, const double q[2], double theta, BalRng *r, BalError *err) {
    for (int m = 0; m < 2; m++) BAL_TRY(rows_room(&o->factor[m], c, 1, err));
    for (int t = 0; t < 3; t++) BAL_TRY(rows_get(&o->term[t], c, 0, TERM[t], c->n_classes, err));
    draw(o, c, q, theta, r);
    modulated_ce(o, c);
    if (!isfinite(c->loss)) return BAL_OK;
    for (int t = 0; t < 3; t++) BAL_TRY(bal_session_seed(c->session, 0, TERM[t], o->term[t].at, err));
    return bal_session_backward(c->session, 0, 0, false, err);
}

static BalStatus loss(void *self, BalMethodCtx *c, BalError *err) {
    Opm *o = self;
    double score[2], q[2];
    BalRng r = bal_rng(c->seed, BAL_RNG_METHOD, c->epoch, (uint64_t)c->step);
    const bool active = (int64_t)c->epoch >= o->first && (int64_t)c->epoch <= o->last;
    if (!active || bal_rng_uniform(&r) >= o->share) return bal_method_loss(&bal_method_opm, c, err);
    BAL_TRY(bal_method_forward(&bal_method_opm, c, 0, BAL_MODE_TRAIN, err));
    BAL_TRY(scores(c, score, err));
    const double theta = bal_opm_rates(score, o->base, o->lambda, o->width, q);
    BAL_TRY(bal_method_log(c, "drop_audio", q[0], err));
    BAL_TRY(bal_method_log(c, "drop_visual", q[1], err));
    return drop(o, c, q, theta, &r, err);
}

static void reset(void *self) {
    Opm *o = self;
    for (int t = 0; t < 3; t++) bal_free(o->term[t].at);
    for (int m = 0; m < 2; m++) bal_free(o->factor[m].at);
}

static const BalOption OPTIONS[] = {
    {"opm.base", "0.5", "drop rate of a modality that is barely surer", BAL_OPT_REAL, offsetof(Opm, base), 0, 0.95,
     NULL},
    {"opm.lambda", "0.5", "how much the rate grows with the lead", BAL_OPT_REAL, offsetof(Opm, lambda), 0, 1, NULL},
    {"opm.share", "0.7", "probability that a batch is modulated", BAL_OPT_REAL, offsetof(Opm, share), 0, 1, NULL},
    {"opm.first", "6", "first epoch of modulation, from 0", BAL_OPT_INT, offsetof(Opm, first), 0, 100000, NULL},
    {"opm.last", "100000", "last epoch of modulation", BAL_OPT_INT, offsetof(Opm, last), 0, 100000, NULL},
    {0}};

const BalMethodOps bal_method_opm = {
    .name = "opm",
    .summary = "late fusion that drops the features of the surer modality now and then",
    .paper = "Wei et al. 2024, On-the-fly Modulation for Balanced Multimodal Learning",
    .cost = {1, 1, NULL},
    .inputs = BAL_TAG_AUDIO | BAL_TAG_VISUAL,
    .state_size = sizeof(Opm),
    .options = OPTIONS,
    .build = build,
    .loss = loss,
    .reset = reset,
};
