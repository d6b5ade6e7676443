/* Calibrating multimodal learning (CML; Ma et al., ICML 2023).
 *
 * A network should not become surer of its answer when a modality is taken away. In each epoch one modality, drawn at random, is removed by
 * leaving its columns out of the head (the bias stays whole), which takes no second pass; the answer without it is trained too, and where it
 * is more confident than the whole one, the difference is penalised: over the batch as BalanceBenchmark codes it, or clip by clip
 * as the paper has it. */
#include "methods/cml.h"
#include <math.h>
#include "base/option.h"
#include "base/rng.h"
#include "methods/late.h"
#include "methods/registry.h"
#include "methods/rows.h"

typedef struct Cml {
    double weight;
    int hinge;
    Rows removed, dremoved;
} Cml;

enum { BATCH, CLIP }; /* places in HINGES */
static const char *const HINGES[] = {"batch", "clip", NULL};

static BalStatus build(void *self, const BalNetSpec *net, BalGraph *g, BalMethodNeeds *needs, BalError *err) {
    (void)self, (void)needs, (void)err;
    bal_late_build_kept(net, g);
    return BAL_OK;
}

typedef struct Sure { /* the class that is answered, and how surely */
    int top;
    double p;
} Sure;

static double share(const float *z, int k, int c) { /* softmax(z)_k */
    double sum = 0;
    for (int j = 0; j < c; j++) sum += exp((double)z[j] - z[k]);
    return 1 / sum;
}

static Sure sure(const float *z, int c) {
    Sure s = {0};
    for (int k = 1; k < c; k++)
        if (z[k] > z[s.top]) s.top = k;
    s.p = share(z, s.top, c);
    return s;
}

/* dz += scale * d confidence / dz */
static void add_slope(const float *z, const Sure *s, int c, double scale, float *dz) {
    for (int k = 0; k < c; k++) dz[k] += (float)(scale * s->p * ((k == s->top) - share(z, k, c)));
}

double bal_cml_loss(const float *z, const float *removed, const int32_t *y, int n, int c, double weight, bool per_clip,
                    float *dz, float *dremoved) {
    double loss = bal_softmax_ce(z, y, n, c, 0.5, dz, NULL) + bal_softmax_ce(removed, y, n, c, 0.5, dremoved, NULL);
    double gain = 0, all = 0;
    for (int i = 0; i < n; i++) {
        const double d = sure(removed + (int64_t)i * c, c).p - sure(z + (int64_t)i * c, c).p;
        all += d;
        gain += fmax(d, 0);
    }
    if (!per_clip) gain = fmax(all, 0);
    for (int i = 0; i < n; i++) {
        const int64_t at = (int64_t)i * c;
        const Sure without = sure(removed + at, c), with = sure(z + at, c);
        if (per_clip ? without.p <= with.p : all <= 0) continue;
        add_slope(removed + at, &without, c, weight, dremoved + at);
        add_slope(z + at, &with, c, -weight, dz + at);
    }
    return loss / 2 + weight * gain;
}

static BalStatus loss(void *self, BalMethodCtx *c, BalError *err) {
    Cml *m = self;
    BalRng r = bal_rng(c->seed, BAL_RNG_METHOD, c->epoch, 0);
    const char *kept = bal_rng_below(&r, 2) ? "kept_visual" : "kept_audio";
    BAL_TRY(bal_method_forward(&bal_method_cml, c, 0, BAL_MODE_TRAIN, err));
    BAL_TRY(bal_session_get(c->session, 0, "logits", c->z, err));
    BAL_TRY(rows_get(&m->removed, c, 0, kept, c->n_classes, err));
    BAL_TRY(rows_room(&m->dremoved, c, c->n_classes, err));
    c->loss = bal_cml_loss(c->z, m->removed.at, c->batch.label, c->batch.n, c->n_classes, m->weight, m->hinge == CLIP,
                           c->dz, m->dremoved.at);
    if (!isfinite(c->loss)) return BAL_OK;
    BAL_TRY(bal_session_seed(c->session, 0, "logits", c->dz, err));
    BAL_TRY(bal_session_seed(c->session, 0, kept, m->dremoved.at, err));
    return bal_session_backward(c->session, 0, 0, false, err);
}

static void reset(void *self) {
    Cml *m = self;
    bal_free(m->removed.at);
    bal_free(m->dremoved.at);
}

static const BalOption OPTIONS[] = {{"cml.weight", "0.1", "of the confidence that a removal must not add", BAL_OPT_REAL,
                                     offsetof(Cml, weight), 0, 100, NULL},
                                    {"cml.hinge", "batch",
                                     "where that is cut off at zero: summed over the batch, or clip by clip",
                                     BAL_OPT_ENUM, offsetof(Cml, hinge), 0, 0, HINGES},
                                    {0}};

const BalMethodOps bal_method_cml = {
    .name = "cml",
    .summary = "late fusion that must not become surer when a modality is removed",
    .paper = "Ma et al. 2023, Calibrating Multimodal Learning",
    .cost = {1, 1, NULL},
    .inputs = BAL_TAG_AUDIO | BAL_TAG_VISUAL,
    .state_size = sizeof(Cml),
    .options = OPTIONS,
    .build = build,
    .loss = loss,
    .reset = reset,
};
