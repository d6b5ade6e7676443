/* Adaptive mask subnetwork sampling (AMSS; Yang et al., TPAMI 2025).
 *
 * After the plain backward sweep of late fusion, only some filters of each encoder are taught: drawn in proportion to their squared
 * gradient, more of them for the modality that says less about the label. The measure of that is an estimate of mutual information over the
 * entropy of the features, with the label entropy as the published code computes it. Convolutions of the stages are masked, neither stem nor
 * shortcuts, nor batch norm. AMSS+ weighs the kept filters so that the draw is unbiased. */
#include "methods/amss.h"
#include <math.h>
#include <string.h>
#include <avbalance/models.h>
#include "base/mem.h"
#include "base/option.h"
#include "methods/late.h"
#include "methods/registry.h"
#include "methods/rows.h"

typedef struct Amss {
    double temperature;
    int variant, width;
    Rows f;
    float *g, *factor; /* a tensor's gradient; per filter */
    double *importance;
    size_t cap[3];
} Amss;

enum { PLAIN, PLUS }; /* places in VARIANTS */
static const char *const VARIANTS[] = {"amss", "amss+", NULL};
static const char *const FEATURES[] = {"features_audio", "features_visual"};
static const char *const LOGITS[] = {"logits_audio", "logits_visual"};

static BalStatus build(void *self, const BalNetSpec *net, BalGraph *g, BalMethodNeeds *needs, BalError *err) {
    Amss *a = self;
    (void)needs, (void)err;
    a->width = net->encoder->features;
    bal_late_build(LATE_CONCAT, net, g);
    return BAL_OK;
}

/* ---- how much of each modality is taught ---- */
double bal_amss_label_entropy(const int32_t *y, int n, int c) {
    double sum = 0, rest = 0;
    for (int k = 0; k < c; k++) {
        double p = 0;
        for (int i = 0; i < n; i++) p += y[i] == k;
        sum += exp(p / n);
        rest += p / n * (p / n);
    }
    return log(sum) - rest;
}

double bal_amss_feature_entropy(const float *f, int n, int d) {
    double total = 0;
    for (int i = 0; i < n; i++, f += d) {
        double top = f[0], sum = 0, mean = 0;
        for (int k = 1; k < d; k++) top = fmax(top, f[k]);
        for (int k = 0; k < d; k++) sum += exp(f[k] - top), mean += exp(f[k] - top) * (f[k] - top);
        total += log(sum) - mean / sum;
    }
    return total / n;
}

void bal_amss_ratios(const double ce[2], double labels, const double features[2], double temperature, double keep[2]) {
    const double says[2] = {labels + 0.5 - ce[0], labels + 0.5 - ce[1]};
    keep[0] = keep[1] = 0.5;
    if (says[0] <= 0 || says[1] <= 0) return;
    const double lead = (says[0] / features[0] - says[1] / features[1]) / temperature;
    keep[0] = fmin(fmax(1 / (1 + exp(lead)), 0.1), 0.9);
    keep[1] = 1 - keep[0];
}

static BalStatus ratios(Amss *a, BalMethodCtx *c, double keep[2], BalError *err) {
    double ce[2], entropy[2];
    for (int m = 0; m < 2; m++) {
        BAL_TRY(bal_session_get(c->session, 0, LOGITS[m], c->dz, err));
        ce[m] = bal_softmax_ce(c->dz, c->batch.label, c->batch.n, c->n_classes, 1, NULL, NULL);
        BAL_TRY(rows_get(&a->f, c, 0, FEATURES[m], a->width, err));
        entropy[m] = bal_amss_feature_entropy(a->f.at, c->batch.n, a->width);
    }
    bal_amss_ratios(ce, bal_amss_label_entropy(c->batch.label, c->batch.n, c->n_classes), entropy, a->temperature,
                    keep);
    BAL_TRY(bal_method_log(c, "keep_audio", keep[0], err));
    return bal_method_log(c, "keep_visual", keep[1], err);
}

/* ---- which filters ---- */
/* Each filter's time of arrival is exponential with its importance as the rate: the first `kept` are the draw (Efraimidis and Spirakis 2006).
 * Filters without a gradient never arrive, but fill up a draw that has too few. */
void bal_amss_draw(const double *importance, int n, int kept, bool plus, BalRng *r, float *factor) {
    for (int i = 0; i < n; i++) { /* factor holds times first */
        const double u = 1 - bal_rng_uniform(r);
        factor[i] = importance[i] > 0 ? (float)fmin(-log(u) / importance[i], 1e37) : 2e37f;
    }
    for (int k = 0; k < kept; k++) {
        int first = -1;
        for (int i = 0; i < n; i++)
            if (factor[i] >= 0 && (first < 0 || factor[i] < factor[first])) first = i;
        factor[first] = (float)(plus ? -1 / (importance[first] + 1.0 / n) : -1);
    }
    for (int i = 0; i < n; i++) factor[i] = factor[i] < 0 ? -factor[i] : 0;
}

static BalStatus mask(Amss *a, BalMethodCtx *c, int i, double keep, BalError *err) {
    const BalShape *s = &bal_session_param(c->session, i)->shape;
    const int64_t filters = s->dim[0];
    int64_t per_filter = 1;
    double total = 0;
    for (int k = 1; k < s->rank; k++) per_filter *= s->dim[k];
    BAL_TRY(bal_grow(&a->g, &a->cap[0], (size_t)(filters * per_filter), sizeof *a->g, err));
    BAL_TRY(bal_grow(&a->factor, &a->cap[1], (size_t)filters, sizeof *a->factor, err));
    BAL_TRY(bal_grow(&a->importance, &a->cap[2], (size_t)filters, sizeof *a->importance, err));
    BAL_TRY(bal_session_grad_get(c->session, 0, i, a->g, err));
    memset(a->importance, 0, (size_t)filters * sizeof *a->importance);
    for (int64_t k = 0; k < filters * per_filter; k++) a->importance[k / per_filter] += (double)a->g[k] * a->g[k];
    for (int64_t k = 0; k < filters; k++) total += a->importance[k];
    for (int64_t k = 0; k < filters; k++)
        a->importance[k] = total > 0 ? a->importance[k] / total : 1.0 / (double)filters;
    BalRng r = bal_rng(c->seed, BAL_RNG_METHOD, c->epoch,
                       (uint64_t)c->step * (uint64_t)bal_session_n_params(c->session) + (uint64_t)i);
    bal_amss_draw(a->importance, (int)filters, (int)ceil((double)filters * keep - 1e-9), a->variant == PLUS, &r,
                  a->factor);
    for (int64_t k = 0; k < filters * per_filter; k++) a->g[k] *= a->factor[k / per_filter];
    return bal_session_grad_set(c->session, 0, i, a->g, err);
}

static BalStatus grad(void *self, BalMethodCtx *c, BalError *err) {
    double keep[2];
    BAL_TRY(ratios(self, c, keep, err));
    for (int i = 0; i < bal_session_n_params(c->session); i++) {
        const BalParam *p = bal_session_param(c->session, i);
        if (!p->trainable || !(p->tags & (BAL_TAG_AUDIO | BAL_TAG_VISUAL)) || !(p->tags & BAL_TAG_CONV) ||
            p->tags & (BAL_TAG_STEM | BAL_TAG_SHORTCUT) || p->shape.rank < 4)
            continue;
        BAL_TRY(mask(self, c, i, keep[p->tags & BAL_TAG_VISUAL ? 1 : 0], err));
    }
    return BAL_OK;
}

static void reset(void *self) {
    Amss *a = self;
    bal_free(a->f.at);
    bal_free(a->g);
    bal_free(a->factor);
    bal_free(a->importance);
}

static const BalOption OPTIONS[] = {{"amss.temperature", "0.2", "how sharply the weaker modality is preferred",
                                     BAL_OPT_REAL, offsetof(Amss, temperature), 0.01, 100, NULL},
                                    {"amss.variant", "amss",
                                     "amss+ weighs the kept filters, so that the draw is unbiased", BAL_OPT_ENUM,
                                     offsetof(Amss, variant), 0, 0, VARIANTS},
                                    {0}};

const BalMethodOps bal_method_amss = {
    .name = "amss",
    .summary = "late fusion of whose encoders only some filters are taught, more of the weaker one",
    .paper = "Yang et al. 2025, Learning to Rebalance Multi-Modal Optimization by Adaptively Masking Subnetworks",
    .cost = {1, 1, NULL},
    .inputs = BAL_TAG_AUDIO | BAL_TAG_VISUAL,
    .state_size = sizeof(Amss),
    .options = OPTIONS,
    .build = build,
    .grad = grad,
    .reset = reset,
};
