/* ReconBoost (Hua et al., ICML 2024).
 *
 * Alternating boosting: in each stage one modality is the learner, sound first. For some epochs its encoder and the head that both share
 * learn most from the clips of which the other is unsure; then, for some more, all learn the cross-entropy of the ensemble
 * z = beta (z_audio + z_visual), beta being learnt too. In the first stage the ensemble is the sound alone. Each phase begins with
 * fresh moments of the optimiser.
 *
 * From the second stage on the learner's answer is also compared with that of the modality that rests. In the published code this term has
 * no gradient and so changes nothing but the number that is logged; `agreement` = gradient gives it one, as the paper means it. The
 * encoder that rests is run in train mode with the other: its weights stay, its running statistics go on. Unimodal pretraining is
 * --init audio=RUN/weights.safetensors and visual likewise. */
#include "methods/reconboost.h"
#include <math.h>
#include <avbalance/models.h>
#include "base/mem.h"
#include "base/option.h"
#include "methods/registry.h"
#include "methods/rows.h"

typedef struct Boost {
    int64_t epochs[2], hidden; /* of the two phases */
    double w1, w2, alpha, first_beta;
    int agreement;
    double beta, momentum; /* kept with checkpoints; beta is learnt in double, beside the graph */
    bool begun;
    Rows z[2], others, dlearner;
} Boost;

enum { VALUE, GRADIENT }; /* places in AGREEMENTS */
static const char *const AGREEMENTS[] = {"value", "gradient", NULL};
static const char *const HEAD[] = {"logits_audio", "logits_visual"};
static const unsigned TAG[] = {BAL_TAG_AUDIO, BAL_TAG_VISUAL};

static BalStatus build(void *self, const BalNetSpec *net, BalGraph *g, BalMethodNeeds *needs, BalError *err) {
    Boost *b = self;
    BalVal f[2], h[2];
    (void)needs, (void)err;
    bal_fusion_encode(g, net->encoder, net->audio, net->visual, f);
    bal_graph_scope(g, "head.", BAL_TAG_SHARED);
    h[0] = bal_graph_linear(g, "fc1", f[0], (int)b->hidden, true, 0);
    h[1] = bal_graph_linear_part(g, h[0], f[1], 0, 1);
    for (int m = 0; m < 2; m++) h[m] = bal_graph_relu(g, h[m]);
    h[0] = bal_graph_linear(g, "fc2", h[0], net->n_classes, true, 0);
    h[1] = bal_graph_linear_part(g, h[0], h[1], 0, 1);
    for (int m = 0; m < 2; m++) bal_graph_output(g, HEAD[m], h[m]);
    return BAL_OK;
}

/* ---- losses ---- */
static double log_share(const float *z, int k, int c) { /* log softmax(z)_k */
    double sum = 0;
    for (int j = 0; j < c; j++) sum += exp((double)z[j] - z[k]);
    return -log(sum);
}

double bal_reconboost_loss(const float *z, const float *others, const int32_t *y, int n, int c, double w1, double w2,
                           float *dz) {
    double loss = 0;
    for (int i = 0; i < n; i++, z += c, others += c, dz += c) {
        const double w = (w1 - w2 * exp(log_share(others, y[i], c))) / c;
        loss += w * bal_softmax_ce(z, &y[i], 1, c, w / n, dz, NULL) / n;
    }
    return loss;
}

double bal_reconboost_agreement(const float *z, const float *before, int n, int c, double weight, float *dz) {
    double sum = 0;
    for (int64_t i = 0; i < n; i++, z += c, before += c) {
        double along = 0; /* sum_j dA/dp_j p_j */
        for (int k = 0; k < c; k++) {
            const double p = exp(log_share(z, k, c)), d = p - exp(log_share(before, k, c));
            sum += d * d;
            along += 2 * d * p;
        }
        for (int k = 0; k < c && dz; k++) {
            const double p = exp(log_share(z, k, c)), d = p - exp(log_share(before, k, c));
            dz[i * c + k] += (float)(weight * p * (2 * d - along) / ((double)n * c));
        }
    }
    return sum / ((double)n * c);
}

/* ---- where the training stands ---- */
typedef struct Place {
    int64_t stage;
    int learner, phase;
    bool fresh; /* a phase's first epoch */
} Place;

static Place place_of(const Boost *b, uint32_t epoch) {
    const int64_t period = b->epochs[0] + b->epochs[1], in_stage = epoch % period;
    const int phase = in_stage >= b->epochs[0];
    return (Place){.stage = epoch / period,
                   .learner = (int)(epoch / period % 2),
                   .phase = phase,
                   .fresh = in_stage == (phase ? b->epochs[0] : 0)};
}

static BalStatus epoch_begin(void *self, BalMethodCtx *c, BalError *err) {
    Boost *b = self;
    if (!b->begun) b->beta = b->first_beta;
    b->begun = true;
    BAL_TRY(bal_method_log(c, "beta", b->beta, err));
    if (!place_of(b, c->epoch).fresh) return BAL_OK;
    b->momentum = 0;
    return bal_session_optimiser_reset(c->session, 0, err);
}

/* Both heads' logits, and the ensemble's. */
static BalStatus answer(Boost *b, BalMethodCtx *c, int64_t stage, float *z, BalError *err) {
    for (int m = 0; m < 2; m++) BAL_TRY(rows_get(&b->z[m], c, 0, HEAD[m], c->n_classes, err));
    for (int64_t i = 0; i < (int64_t)c->batch.n * c->n_classes; i++)
        z[i] = (float)(b->beta * ((double)b->z[0].at[i] + (stage ? b->z[1].at[i] : 0)));
    return BAL_OK;
}

static BalStatus loss_learner(Boost *b, BalMethodCtx *c, const Place *p, BalError *err) {
    const int64_t n = (int64_t)c->batch.n * c->n_classes;
    const float *z = b->z[p->learner].at, *before = b->z[1 - p->learner].at;
    BAL_TRY(rows_room(&b->others, c, c->n_classes, err));
    BAL_TRY(rows_room(&b->dlearner, c, c->n_classes, err));
    for (int64_t i = 0; i < n; i++) b->others.at[i] = p->stage ? (float)(b->beta * before[i]) : 0;
    c->loss =
        bal_reconboost_loss(z, b->others.at, c->batch.label, c->batch.n, c->n_classes, b->w1, b->w2, b->dlearner.at);
    if (p->stage)
        c->loss += b->alpha * bal_reconboost_agreement(z, before, c->batch.n, c->n_classes, b->alpha,
                                                       b->agreement == GRADIENT ? b->dlearner.at : NULL);
    return bal_session_seed(c->session, 0, HEAD[p->learner], b->dlearner.at, err);
}

/* Cross-entropy of c->z; what goes back is split between the members, and c->dz stays for beta. */
static BalStatus loss_ensemble(Boost *b, BalMethodCtx *c, const Place *p, BalError *err) {
    const int64_t n = (int64_t)c->batch.n * c->n_classes;
    BAL_TRY(rows_room(&b->dlearner, c, c->n_classes, err));
    c->loss = bal_softmax_ce(c->z, c->batch.label, c->batch.n, c->n_classes, 1, c->dz, NULL);
    for (int64_t i = 0; i < n; i++) b->dlearner.at[i] = (float)(b->beta * c->dz[i]);
    for (int m = 0; m < (p->stage ? 2 : 1); m++) BAL_TRY(bal_session_seed(c->session, 0, HEAD[m], b->dlearner.at, err));
    return BAL_OK;
}

static BalStatus loss(void *self, BalMethodCtx *c, BalError *err) {
    Boost *b = self;
    const Place p = place_of(b, c->epoch);
    BAL_TRY(bal_method_forward(&bal_method_reconboost, c, 0, BAL_MODE_TRAIN, err));
    BAL_TRY(answer(b, c, p.stage, c->z, err));
    BAL_TRY(p.phase ? loss_ensemble(b, c, &p, err) : loss_learner(b, c, &p, err));
    return isfinite(c->loss) ? bal_session_backward(c->session, 0, 0, false, err) : BAL_OK;
}

/* SGD of beta by dL/dbeta = sum dz z / beta, with the recipe's rate, momentum and weight decay. */
static void learn_beta(Boost *b, const BalMethodCtx *c) {
    const BalOptimiser *o = &c->optimiser;
    double g = o->weight_decay * b->beta;
    for (int64_t i = 0; i < (int64_t)c->batch.n * c->n_classes; i++) g += (double)c->dz[i] * c->z[i] / b->beta;
    b->momentum = o->momentum * b->momentum + g;
    b->beta = fmax(b->beta - o->lr * b->momentum, 1e-3);
}

static BalStatus grad(void *self, BalMethodCtx *c, BalError *err) {
    Boost *b = self;
    const Place p = place_of(b, c->epoch);
    (void)err;
    c->update_tags = BAL_TAG_SHARED | (p.phase && p.stage ? TAG[0] | TAG[1] : TAG[p.learner]);
    if (p.phase) learn_beta(b, c);
    return BAL_OK;
}

/* ---- life ---- */
static BalStatus predict(void *self, BalMethodCtx *c, float *logits, BalError *err) {
    return answer(self, c, place_of(self, c->epoch).stage, logits, err);
}

static BalStatus save(void *self, BalMethodCtx *c, struct BalWriter *w, BalError *err) {
    const Boost *b = self;
    (void)c;
    BAL_TRY(bal_method_put(w, &b->begun, sizeof b->begun, err));
    BAL_TRY(bal_method_put(w, &b->beta, sizeof b->beta, err));
    return bal_method_put(w, &b->momentum, sizeof b->momentum, err);
}

static BalStatus load(void *self, BalMethodCtx *c, const struct BalMap *saved, BalError *err) {
    Boost *b = self;
    size_t at = 0;
    (void)c;
    BAL_TRY(bal_method_take(saved, &at, &b->begun, sizeof b->begun, err));
    BAL_TRY(bal_method_take(saved, &at, &b->beta, sizeof b->beta, err));
    return bal_method_take(saved, &at, &b->momentum, sizeof b->momentum, err);
}

static void reset(void *self) {
    Boost *b = self;
    for (int m = 0; m < 2; m++) bal_free(b->z[m].at);
    bal_free(b->others.at);
    bal_free(b->dlearner.at);
}

static const BalOption OPTIONS[] = {
    {"reconboost.learner_epochs", "4", "epochs of a stage in which its modality learns", BAL_OPT_INT,
     offsetof(Boost, epochs[0]), 1, 10000, NULL},
    {"reconboost.ensemble_epochs", "4", "epochs of a stage in which all learn", BAL_OPT_INT, offsetof(Boost, epochs[1]),
     1, 10000, NULL},
    {"reconboost.hidden", "256", "width of the head's hidden layer", BAL_OPT_INT, offsetof(Boost, hidden), 1, 65536,
     NULL},
    {"reconboost.w1", "5", "weight of every clip", BAL_OPT_REAL, offsetof(Boost, w1), 0, 100, NULL},
    {"reconboost.w2", "1", "what is taken off it where the other modality is sure", BAL_OPT_REAL, offsetof(Boost, w2),
     0, 100, NULL},
    {"reconboost.alpha", "0.5", "weight of the agreement with the other modality", BAL_OPT_REAL, offsetof(Boost, alpha),
     0, 100, NULL},
    {"reconboost.agreement", "value", "whether that term has a gradient", BAL_OPT_ENUM, offsetof(Boost, agreement), 0,
     0, AGREEMENTS},
    {"reconboost.beta", "1", "first scale of the ensemble's logits", BAL_OPT_REAL, offsetof(Boost, first_beta), 0.001,
     1000, NULL},
    {0}};

const BalMethodOps bal_method_reconboost = {
    .name = "reconboost",
    .summary = "modalities learn in turn, each from the clips of which the other is unsure",
    .paper = "Hua et al. 2024, ReconBoost: Boosting Can Achieve Modality Reconcilement",
    .cost = {1, 1, NULL},
    .inputs = BAL_TAG_AUDIO | BAL_TAG_VISUAL,
    .state_size = sizeof(Boost),
    .options = OPTIONS,
    .build = build,
    .epoch_begin = epoch_begin,
    .loss = loss,
    .grad = grad,
    .predict = predict,
    .save = save,
    .load = load,
    .reset = reset,
};
