/* Prototypical modal rebalance (PMR; Fan et al., CVPR 2023).
 *
 * A prototype of a class is the mean of a modality's features over its clips. Softmax over minus the distances from the prototypes is what a
 * modality alone would answer; the one whose summed score over the batch is lower gets a second loss, the cross-entropy of that answer,
 * with the prototypes as constants. They are made anew before the training and after each epoch, from a share of the train clips, in
 * eval mode; from the second epoch on they keep a share of their old place. What was made before the training is dropped whole: it is
 * of random features. A class that is not among the clips keeps the prototype it had; clips of one that never had any take no part.
 *
 * The published code is followed. The paper's clipped coefficients and its entropy term are not in it. */
#include "methods/pmr.h"
#include <math.h>
#include <string.h>
#include <avbalance/models.h>
#include "base/option.h"
#include "base/rng.h"
#include "methods/late.h"
#include "methods/registry.h"
#include "methods/rows.h"

typedef struct Pmr {
    double alpha, momentum, share;
    int64_t first, last;
    int fusion;
    int width, n_classes;
    float *prototype[2]; /* [n_classes,width], kept with checkpoints */
    float *fresh[2];     /* the same, of the running pass */
    int64_t *count;      /* [n_classes] of the running pass */
    Rows f[2], sim[2], dsim[2], df;
} Pmr;

static const char *const FEATURES[] = {"features_audio", "features_visual"};

static BalStatus build(void *self, const BalNetSpec *net, BalGraph *g, BalMethodNeeds *needs, BalError *err) {
    Pmr *p = self;
    (void)needs;
    bal_late_build(p->fusion, net, g);
    p->n_classes = net->n_classes;
    p->width = net->encoder->features;
    BAL_TRY(bal_alloc(&p->count, (size_t)p->n_classes, sizeof *p->count, err));
    for (int m = 0; m < 2; m++) {
        const size_t n = (size_t)p->n_classes * (size_t)p->width;
        BAL_TRY(bal_alloc(&p->prototype[m], n, sizeof(float), err));
        BAL_TRY(bal_alloc(&p->fresh[m], n, sizeof(float), err));
        for (size_t i = 0; i < n; i++) p->prototype[m][i] = NAN;
    }
    return BAL_OK;
}

/* ---- prototypes ---- */
static BalStatus add_features(void *self, BalMethodCtx *c, BalError *err) {
    Pmr *p = self;
    BAL_TRY(bal_method_forward(&bal_method_pmr, c, 0, BAL_MODE_EVAL, err));
    for (int i = 0; i < c->batch.n; i++) p->count[c->batch.label[i]]++;
    for (int m = 0; m < 2; m++) {
        BAL_TRY(rows_get(&p->f[m], c, 0, FEATURES[m], p->width, err));
        for (int i = 0; i < c->batch.n; i++) {
            float *sum = p->fresh[m] + (size_t)c->batch.label[i] * (size_t)p->width;
            const float *f = p->f[m].at + (size_t)i * (size_t)p->width;
            for (int k = 0; k < p->width; k++) sum[k] += f[k];
        }
    }
    return BAL_OK;
}

static size_t size(const Pmr *p) {
    return (size_t)p->n_classes * (size_t)p->width;
}

/* p <- (1 - momentum) mean + momentum p, where there is a p. */
static void renew(Pmr *p, double momentum) {
    for (int m = 0; m < 2; m++)
        for (size_t i = 0; i < size(p); i++) {
            const int64_t n = p->count[i / (size_t)p->width];
            float *old = &p->prototype[m][i];
            const double mean = n ? p->fresh[m][i] / (double)n : 0;
            if (n) *old = (float)(isnan(*old) ? mean : (1 - momentum) * mean + momentum * *old);
        }
}

/* `part` names the draw: 0 before the training, e + 1 after epoch e. */
static BalStatus make(Pmr *p, BalMethodCtx *c, uint32_t part, BalError *err) {
    const BalSample *train;
    BalSample *chosen = NULL;
    int64_t n, *order = NULL;
    BalRng r = bal_rng(c->seed, BAL_RNG_METHOD, part, 0);
    BAL_TRY(bal_method_clips(c, BAL_PART_TRAIN, &train, &n, err));
    for (int m = 0; m < 2; m++) memset(p->fresh[m], 0, size(p) * sizeof(float));
    memset(p->count, 0, (size_t)p->n_classes * sizeof *p->count);
    const int64_t k = (int64_t)ceil(p->share * (double)n);
    BalStatus rc = bal_alloc(&order, (size_t)n, sizeof *order, err);
    if (rc == BAL_OK) rc = bal_alloc(&chosen, (size_t)k, sizeof *chosen, err);
    for (int64_t i = 0; rc == BAL_OK && i < n; i++) order[i] = i;
    if (rc == BAL_OK) bal_rng_shuffle(&r, order, n);
    for (int64_t i = 0; rc == BAL_OK && i < k; i++) chosen[i] = train[order[i]];
    if (rc == BAL_OK) rc = bal_method_pass(c, &(BalMethodPass){.sample = chosen, .n = k}, add_features, p, err);
    bal_free(order);
    bal_free(chosen);
    if (rc == BAL_OK) renew(p, part > 1 ? p->momentum : 0); /* plain before the training and after epoch 0 */
    return rc;
}

static BalStatus epoch_begin(void *self, BalMethodCtx *c, BalError *err) {
    return c->epoch ? BAL_OK : make(self, c, 0, err);
}
static BalStatus epoch_end(void *self, BalMethodCtx *c, BalError *err) {
    return make(self, c, c->epoch + 1, err);
}

/* ---- loss ---- */
void bal_pmr_similarity(const float *f, const float *p, int n, int c, int d, float *sim) {
    for (int64_t i = 0; i < (int64_t)n * c; i++) {
        const float *x = f + i / c * d, *at = p + i % c * d;
        double sum = 0;
        for (int k = 0; k < d; k++) sum += ((double)x[k] - at[k]) * ((double)x[k] - at[k]);
        sim[i] = isnan(at[0]) ? -INFINITY : (float)-sqrt(sum);
    }
}

void bal_pmr_gradient(const float *f, const float *p, const float *sim, const float *dsim, int n, int c, int d,
                      float *df) {
    memset(df, 0, (size_t)n * (size_t)d * sizeof *df);
    for (int64_t i = 0; i < (int64_t)n * c; i++) {
        if (dsim[i] == 0 || sim[i] == 0) continue;
        const float *x = f + i / c * d, *at = p + i % c * d;
        for (int k = 0; k < d; k++)
            df[i / c * d + k] += dsim[i] * (x[k] - at[k]) / sim[i]; /* sim is minus the distance */
    }
}

/* Sum over the batch of the softmax of sim at the label; dsim of alpha times the mean cross-entropy, which *loss becomes. */
static double prototype_ce(const BalMethodCtx *c, const float *sim, double alpha, float *dsim, double *loss) {
    const int n = c->n_classes;
    double score = 0;
    *loss = 0;
    for (int i = 0; i < c->batch.n; i++, sim += n, dsim += n) {
        memset(dsim, 0, (size_t)n * sizeof *dsim);
        if (isinf(sim[c->batch.label[i]])) continue;
        const double ce = bal_softmax_ce(sim, &c->batch.label[i], 1, n, alpha / c->batch.n, dsim, NULL);
        *loss += alpha * ce / c->batch.n;
        score += exp(-ce);
    }
    return score;
}

static BalStatus rebalance(Pmr *p, BalMethodCtx *c, BalError *err) {
    double score[2], ce[2];
    for (int m = 0; m < 2; m++) {
        BAL_TRY(rows_get(&p->f[m], c, 0, FEATURES[m], p->width, err));
        BAL_TRY(rows_room(&p->sim[m], c, c->n_classes, err));
        BAL_TRY(rows_room(&p->dsim[m], c, c->n_classes, err));
        bal_pmr_similarity(p->f[m].at, p->prototype[m], c->batch.n, c->n_classes, p->width, p->sim[m].at);
        score[m] = prototype_ce(c, p->sim[m].at, p->alpha, p->dsim[m].at, &ce[m]);
    }
    BAL_TRY(bal_method_log(c, "score_audio", score[0] / c->batch.n, err));
    BAL_TRY(bal_method_log(c, "score_visual", score[1] / c->batch.n, err));
    if (score[0] == score[1]) return BAL_OK;
    const int slow = score[0] > score[1];
    BAL_TRY(rows_room(&p->df, c, p->width, err));
    bal_pmr_gradient(p->f[slow].at, p->prototype[slow], p->sim[slow].at, p->dsim[slow].at, c->batch.n, c->n_classes,
                     p->width, p->df.at);
    c->loss += ce[slow];
    return bal_session_seed(c->session, 0, FEATURES[slow], p->df.at, err);
}

static BalStatus loss(void *self, BalMethodCtx *c, BalError *err) {
    Pmr *p = self;
    BAL_TRY(bal_method_forward(&bal_method_pmr, c, 0, BAL_MODE_TRAIN, err));
    BAL_TRY(bal_session_get(c->session, 0, "logits", c->z, err));
    c->loss = bal_softmax_ce(c->z, c->batch.label, c->batch.n, c->n_classes, 1, c->dz, NULL);
    if (!isfinite(c->loss)) return BAL_OK;
    BAL_TRY(bal_session_seed(c->session, 0, "logits", c->dz, err));
    if ((int64_t)c->epoch >= p->first && (int64_t)c->epoch <= p->last) BAL_TRY(rebalance(p, c, err));
    return bal_session_backward(c->session, 0, 0, false, err);
}

/* ---- life ---- */
static BalStatus save(void *self, BalMethodCtx *c, struct BalWriter *w, BalError *err) {
    const Pmr *p = self;
    (void)c;
    BAL_TRY(bal_method_put(w, p->prototype[0], size(p) * sizeof(float), err));
    return bal_method_put(w, p->prototype[1], size(p) * sizeof(float), err);
}

static BalStatus load(void *self, BalMethodCtx *c, const struct BalMap *saved, BalError *err) {
    Pmr *p = self;
    size_t at = 0;
    (void)c;
    BAL_TRY(bal_method_take(saved, &at, p->prototype[0], size(p) * sizeof(float), err));
    return bal_method_take(saved, &at, p->prototype[1], size(p) * sizeof(float), err);
}

static void reset(void *self) {
    Pmr *p = self;
    for (int m = 0; m < 2; m++) {
        bal_free(p->prototype[m]);
        bal_free(p->fresh[m]);
        bal_free(p->f[m].at);
        bal_free(p->sim[m].at);
        bal_free(p->dsim[m].at);
    }
    bal_free(p->df.at);
    bal_free(p->count);
}

static const BalOption OPTIONS[] = {
    {"pmr.alpha", "1", "weight of the prototypes' loss", BAL_OPT_REAL, offsetof(Pmr, alpha), 0, 100, NULL},
    {"pmr.momentum", "0.2", "share of its old place that a prototype keeps", BAL_OPT_REAL, offsetof(Pmr, momentum), 0,
     1, NULL},
    {"pmr.share", "0.1", "share of the train clips that prototypes are made of", BAL_OPT_REAL, offsetof(Pmr, share),
     1e-6, 1, NULL},
    {"pmr.first", "0", "first epoch with that loss, from 0", BAL_OPT_INT, offsetof(Pmr, first), 0, 100000, NULL},
    {"pmr.last", "70", "last epoch with it", BAL_OPT_INT, offsetof(Pmr, last), 0, 100000, NULL},
    {"pmr.fusion", "concat", "head of the network", BAL_OPT_ENUM, offsetof(Pmr, fusion), 0, 0, bal_late_choices},
    {0}};

const BalMethodOps bal_method_pmr = {
    .name = "pmr",
    .summary = "the slower modality also learns to tell class prototypes apart",
    .paper = "Fan et al. 2023, PMR: Prototypical Modal Rebalance for Multimodal Learning",
    .cost = {1, 1, "a pass over a tenth of the train clips per epoch"},
    .inputs = BAL_TAG_AUDIO | BAL_TAG_VISUAL,
    .state_size = sizeof(Pmr),
    .options = OPTIONS,
    .build = build,
    .epoch_begin = epoch_begin,
    .epoch_end = epoch_end,
    .loss = loss,
    .save = save,
    .load = load,
    .reset = reset,
};
