/* Information regulation (InfoReg; Huang et al., CVPR 2025).
 *
 * While a network is young, its information about the data grows fast, and a modality that is learnt quickly then leaves the other nothing to
 * learn. In this window, which the growth of the audio encoder's Fisher trace tells (as in the published code, which looks at this
 * encoder only), the encoder of the surer modality is drawn back to where it was when the epoch began: g += beta (theta - theta_epoch).
 * The loss is the cross-entropy of the fused logits and of each modality's share of them.
 *
 * The trace of an epoch is the sum, over steps and over convolutions' and linear layers' weights, of the mean squared gradient.
 * Gradient buffer 1 holds the weights of the epoch's beginning, in the backend's own layout. */
#include "methods/inforeg.h"
#include <math.h>
#include <string.h>
#include "base/option.h"
#include "methods/keep.h"
#include "methods/late.h"
#include "methods/registry.h"
#include "methods/score.h"

enum { N_TRACES = 11, START = 1 /* gradient buffer */ };

typedef struct Inforeg {
    double threshold, strength[2];
    double trace[N_TRACES], running; /* kept with checkpoints, as is the buffer */
} Inforeg;

static const char *const HEAD[] = {"logits_audio", "logits_visual", "logits"};

static BalStatus build(void *self, const BalNetSpec *net, BalGraph *g, BalMethodNeeds *needs, BalError *err) {
    (void)self, (void)err;
    needs->n_grads = 2;
    bal_late_build(LATE_CONCAT, net, g);
    return BAL_OK;
}

double bal_inforeg_growth(const double trace[N_TRACES]) {
    double now = 0, before = 0;
    for (int i = 1; i < N_TRACES; i++) now += trace[i], before += trace[i - 1];
    return now > 0 ? (now - before) / now : 1;
}

void bal_inforeg_strength(const double score[2], const double strength[2], double beta[2]) {
    for (int m = 0; m < 2; m++)
        beta[m] = score[m] > score[1 - m] ? strength[m] * exp(tanh(score[m] - score[1 - m])) : 0;
}

static bool is_encoder(const BalParam *p) {
    return p->trainable && p->tags & (BAL_TAG_AUDIO | BAL_TAG_VISUAL);
}

static BalStatus epoch_begin(void *self, BalMethodCtx *c, BalError *err) {
    Inforeg *r = self;
    r->running = 0;
    BAL_TRY(bal_method_log(c, "growth", bal_inforeg_growth(r->trace), err));
    for (int i = 0; i < bal_session_n_params(c->session); i++)
        if (is_encoder(bal_session_param(c->session, i)))
            BAL_TRY(bal_session_grad_param(c->session, START, 0, 1, i, err));
    return BAL_OK;
}

static BalStatus epoch_end(void *self, BalMethodCtx *c, BalError *err) {
    Inforeg *r = self;
    (void)c, (void)err;
    memmove(r->trace, r->trace + 1, (N_TRACES - 1) * sizeof *r->trace);
    r->trace[N_TRACES - 1] = r->running;
    return BAL_OK;
}

static BalStatus loss(void *self, BalMethodCtx *c, BalError *err) {
    (void)self;
    BAL_TRY(bal_method_forward(&bal_method_inforeg, c, 0, BAL_MODE_TRAIN, err));
    c->loss = 0;
    for (int k = 0; k < 3; k++) { /* the fused logits last: c->z holds the answer */
        BAL_TRY(bal_session_get(c->session, 0, HEAD[k], c->z, err));
        c->loss += bal_softmax_ce(c->z, c->batch.label, c->batch.n, c->n_classes, 1, c->dz, NULL);
        BAL_TRY(bal_session_seed(c->session, 0, HEAD[k], c->dz, err));
    }
    return isfinite(c->loss) ? bal_session_backward(c->session, 0, 0, false, err) : BAL_OK;
}

/* Mean squared gradients of the audio encoder's weights, as they came back. */
static BalStatus add_trace(Inforeg *r, BalMethodCtx *c, BalError *err) {
    BalParamStats s;
    for (int i = 0; i < bal_session_n_params(c->session); i++) {
        const BalParam *p = bal_session_param(c->session, i);
        if (!p->trainable || !(p->tags & BAL_TAG_AUDIO) || p->shape.rank < 2) continue;
        BAL_TRY(bal_session_stats(c->session, 0, 0, i, &s, err));
        r->running += s.sum_gg / (double)s.n;
    }
    return BAL_OK;
}

static BalStatus grad(void *self, BalMethodCtx *c, BalError *err) {
    Inforeg *r = self;
    double score[2], beta[2];
    BAL_TRY(add_trace(r, c, err));
    if (bal_inforeg_growth(r->trace) <= r->threshold) return BAL_OK;
    for (int m = 0; m < 2; m++) {
        BAL_TRY(bal_session_get(c->session, 0, HEAD[m], c->dz, err));
        score[m] = bal_sum_score(c->dz, c->batch.label, c->batch.n, c->n_classes);
    }
    bal_inforeg_strength(score, r->strength, beta);
    for (int i = 0; i < bal_session_n_params(c->session); i++) {
        const BalParam *p = bal_session_param(c->session, i);
        const double b = beta[p->tags & BAL_TAG_VISUAL ? 1 : 0];
        if (!is_encoder(p) || b == 0) continue;
        BAL_TRY(bal_session_grad_param(c->session, 0, 1, b, i, err));
        BAL_TRY(bal_session_grad_axpy(c->session, 0, 1, START, -b, i, err));
    }
    return BAL_OK;
}

/* ---- life ---- */
static BalStatus save(void *self, BalMethodCtx *c, struct BalWriter *w, BalError *err) {
    const Inforeg *r = self;
    BAL_TRY(bal_method_put(w, r->trace, sizeof r->trace, err));
    BAL_TRY(bal_method_put(w, &r->running, sizeof r->running, err));
    return bal_keep_put(w, c, START, BAL_TAG_AUDIO | BAL_TAG_VISUAL, err);
}

static BalStatus load(void *self, BalMethodCtx *c, const struct BalMap *saved, BalError *err) {
    Inforeg *r = self;
    size_t at = 0;
    BAL_TRY(bal_method_take(saved, &at, r->trace, sizeof r->trace, err));
    BAL_TRY(bal_method_take(saved, &at, &r->running, sizeof r->running, err));
    return bal_keep_take(saved, &at, c, START, BAL_TAG_AUDIO | BAL_TAG_VISUAL, err);
}

static const BalOption OPTIONS[] = {{"inforeg.threshold", "0.05",
                                     "growth of information below which encoders are left alone", BAL_OPT_REAL,
                                     offsetof(Inforeg, threshold), 0, 1, NULL},
                                    {"inforeg.audio", "0.95", "strength for the sound's encoder", BAL_OPT_REAL,
                                     offsetof(Inforeg, strength[0]), 0, 100, NULL},
                                    {"inforeg.visual", "0.1", "strength for the picture's encoder", BAL_OPT_REAL,
                                     offsetof(Inforeg, strength[1]), 0, 100, NULL},
                                    {0}};

const BalMethodOps bal_method_inforeg = {
    .name = "inforeg",
    .summary = "early in training the surer encoder is drawn back to where the epoch began",
    .paper = "Huang et al. 2025, Adaptive Unimodal Regulation for Balanced Multimodal Information Acquisition",
    .cost = {1, 1, NULL},
    .inputs = BAL_TAG_AUDIO | BAL_TAG_VISUAL,
    .state_size = sizeof(Inforeg),
    .options = OPTIONS,
    .build = build,
    .epoch_begin = epoch_begin,
    .epoch_end = epoch_end,
    .loss = loss,
    .grad = grad,
    .save = save,
    .load = load,
};
