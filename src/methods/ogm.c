/* OGM and OGM-GE: on-the-fly gradient modulation with generalisation enhancement (Peng et al., CVPR 2022).
 *
 * Each step compares how sure each modality alone is of the true labels (sums over the batch, from the head's split logits) and slows the
 * encoder of the surer one down: its convolutions' gradients are multiplied by k, before momentum and weight decay. GE adds Gaussian
 * noise of the gradient's own standard deviation, one per tensor, to both encoders, also where k = 1.
 *
 * Four algorithms go by this name:
 *   2022-05    the published code since then: k = 1 - tanh(alpha rho) on the side whose ratio rho exceeds 1 (a tie counts as sound);
 *              sigma before scaling; epochs first..last
 *   paper      equation 10, where a tie is nobody's. Its noise has the covariance of single clips' gradients, which no code computes:
 *              the one of 2022-05 stands in
 *   first      the first release: k = 1 - tanh(alpha max(rho - 1, 0)); sigma after scaling; in every epoch, as its comparison was inverted
 *   benchmark  BalanceBenchmark: 1e-5 in the denominators, each side by itself; every tensor of more than one axis whose name holds the
 *              modality's (its settings: alpha 0.3, epochs 10 to 80) */
#include "methods/ogm.h"
#include <math.h>
#include <string.h>
#include "base/option.h"
#include "methods/late.h"
#include "methods/registry.h"
#include "methods/score.h"

typedef struct Ogm {
    double alpha;
    int64_t first, last;
    int fusion, variant; /* places in bal_late_choices and VARIANTS */
} Ogm;

static const char *const VARIANTS[] = {"2022-05", "paper", "first", "benchmark", NULL};
static const char *const MODALITY[] = {"audio", "visual"};
static const unsigned TAG[] = {BAL_TAG_AUDIO, BAL_TAG_VISUAL};

static BalStatus build(void *self, const BalNetSpec *net, BalGraph *g, BalMethodNeeds *needs, BalError *err) {
    (void)needs, (void)err;
    bal_late_build(((const Ogm *)self)->fusion, net, g);
    return BAL_OK;
}

/* ---- coefficients ---- */

void bal_ogm_coefficients(BalOgmVariant variant, double alpha, const double score[2], double k[2]) {
    const double eps = variant == BAL_OGM_BENCHMARK ? 1e-5 : 0;
    for (int m = 0; m < 2; m++) {
        const double rho = score[m] / (score[1 - m] + eps);
        const bool tie = variant == BAL_OGM_2022_05 && m == 0 && rho == 1;
        const double x = variant == BAL_OGM_FIRST ? fmax(rho - 1, 0) : rho > 1 || tie ? rho : 0;
        k[m] = 1 - tanh(alpha * x);
    }
}

/* ---- gradients ---- */

static bool is_modulated(const Ogm *o, const BalParam *p, int m) {
    if (!p->trainable) return false;
    if (o->variant == BAL_OGM_BENCHMARK) return p->shape.rank > 1 && strstr(p->name, MODALITY[m]);
    return p->shape.rank > 2 && p->tags & TAG[m]; /* convolutions, shortcuts' and the stem's too */
}

static BalStatus modulate(const Ogm *o, BalMethodCtx *c, int i, double k, bool noise, BalError *err) {
    BalParamStats s;
    BAL_TRY(bal_session_stats(c->session, 0, 0, i, &s, err));
    BAL_TRY(bal_session_grad_scale(c->session, 0, i, k, err));
    if (!noise || s.n < 2) return BAL_OK;
    const double n = (double)s.n, std = sqrt(fmax(s.sum_gg - s.sum_g * s.sum_g / n, 0) / (n - 1));
    const double sigma = std * (o->variant == BAL_OGM_FIRST ? k : 1) + 1e-8;
    return bal_session_grad_noise(c->session, 0, i, sigma, c->seed, c->epoch, (uint64_t)c->step, err);
}

/* The logits are as of the forward pass; c->dz has been used up by the sweep. */
static BalStatus coefficients(const Ogm *o, BalMethodCtx *c, double k[2], BalError *err) {
    double score[2];
    for (int m = 0; m < 2; m++) {
        BAL_TRY(bal_session_get(c->session, 0, m ? "logits_visual" : "logits_audio", c->dz, err));
        score[m] = bal_sum_score(c->dz, c->batch.label, c->batch.n, c->n_classes);
    }
    bal_ogm_coefficients((BalOgmVariant)o->variant, o->alpha, score, k);
    BAL_TRY(bal_method_log(c, "k_audio", k[0], err));
    BAL_TRY(bal_method_log(c, "k_visual", k[1], err));
    return bal_method_log(c, "log_ratio_audio", log(score[0] / score[1]), err);
}

static BalStatus grad(const Ogm *o, BalMethodCtx *c, bool noise, BalError *err) {
    double k[2];
    BAL_TRY(coefficients(o, c, k, err));
    if (o->variant != BAL_OGM_FIRST && ((int64_t)c->epoch < o->first || (int64_t)c->epoch > o->last)) return BAL_OK;
    for (int i = 0; i < bal_session_n_params(c->session); i++)
        for (int m = 0; m < 2; m++)
            if (is_modulated(o, bal_session_param(c->session, i), m)) BAL_TRY(modulate(o, c, i, k[m], noise, err));
    return BAL_OK;
}

static BalStatus grad_ogm(void *self, BalMethodCtx *c, BalError *err) {
    return grad(self, c, false, err);
}
static BalStatus grad_ogm_ge(void *self, BalMethodCtx *c, BalError *err) {
    return grad(self, c, true, err);
}

#define AT(field) offsetof(Ogm, field)
#define OPTIONS_OF(method)                                                                                               \
    {                                                                                                                    \
        {method ".fusion", "concat", "head of the network", BAL_OPT_ENUM, AT(fusion), 0, 0, bal_late_choices},           \
            {method ".variant", "2022-05", "which release of the algorithm", BAL_OPT_ENUM, AT(variant), 0, 0, VARIANTS}, \
            {method ".alpha", "0.1", "strength of the modulation", BAL_OPT_REAL, AT(alpha), 0, 100, NULL},               \
            {method ".first", "0", "first epoch of modulation, from 0", BAL_OPT_INT, AT(first), 0, 100000, NULL},        \
            {method ".last", "50", "last epoch of modulation", BAL_OPT_INT, AT(last), 0, 100000, NULL}, {                \
            0                                                                                                            \
        }                                                                                                                \
    }
static const BalOption OPTIONS_OGM[] = OPTIONS_OF("ogm"), OPTIONS_OGM_GE[] = OPTIONS_OF("ogm-ge");

#define PAPER "Peng et al. 2022, Balanced Multimodal Learning via On-the-fly Gradient Modulation"

const BalMethodOps bal_method_ogm = {
    .name = "ogm",
    .summary = "late fusion whose surer encoder is slowed down",
    .paper = PAPER,
    .cost = {1, 1, NULL},
    .inputs = BAL_TAG_AUDIO | BAL_TAG_VISUAL,
    .state_size = sizeof(Ogm),
    .options = OPTIONS_OGM,
    .build = build,
    .grad = grad_ogm,
};

const BalMethodOps bal_method_ogm_ge = {
    .name = "ogm-ge",
    .summary = "OGM with noise added to both encoders' gradients",
    .paper = PAPER,
    .cost = {1, 1, NULL},
    .inputs = BAL_TAG_AUDIO | BAL_TAG_VISUAL,
    .state_size = sizeof(Ogm),
    .options = OPTIONS_OGM_GE,
    .build = build,
    .grad = grad_ogm_ge,
};
