/* MMCosine (Xu et al., ICASSP 2023).
 *
 * Each modality's logits are the cosines of its features and its class weights, times a scale, without a bias, so that neither length can win
 * the fusion for one of them; the two are added, in training and in scoring. The linear layers give the dot products; lengths are
 * divided out on the host, and their share of the gradient is added to the features' and to the weights'. */
#include "methods/mmcosine.h"
#include <math.h>
#include <stdint.h>
#include <string.h>
#include <avbalance/models.h>
#include "base/option.h"
#include "methods/registry.h"
#include "methods/rows.h"

typedef struct Side {
    Rows f, dot, z, ddot, df;
    float *w, *dw, *g; /* [n_classes,width] */
    double *norm;
    size_t cap;
} Side;

typedef struct Cosine {
    double scale;
    int width;
    Side side[2];
} Cosine;

static const char *const FEATURES[] = {"features_audio", "features_visual"};
static const char *const DOT[] = {"dot_audio", "dot_visual"};
static const char *const WEIGHT[] = {"head.audio.weight", "head.visual.weight"};

static BalStatus build(void *self, const BalNetSpec *net, BalGraph *g, BalMethodNeeds *needs, BalError *err) {
    Cosine *m = self;
    BalVal f[2];
    (void)needs;
    bal_fusion_encode(g, net->encoder, net->audio, net->visual, f);
    bal_graph_scope(g, "head.", BAL_TAG_SHARED);
    m->width = net->encoder->features;
    for (int u = 0; u < 2; u++) {
        const size_t n = (size_t)net->n_classes * (size_t)m->width;
        bal_graph_output(g, DOT[u], bal_graph_linear(g, u ? "visual" : "audio", f[u], net->n_classes, false, 0));
        BAL_TRY(bal_alloc(&m->side[u].w, n, sizeof(float), err));
        BAL_TRY(bal_alloc(&m->side[u].dw, n, sizeof(float), err));
        BAL_TRY(bal_alloc(&m->side[u].g, n, sizeof(float), err));
    }
    return BAL_OK;
}

static double length(const float *x, int d) {
    double sum = 0;
    for (int k = 0; k < d; k++) sum += (double)x[k] * x[k];
    return sqrt(sum);
}

void bal_mmcosine(const float *f, const float *w, const float *dot, int n, int c, int d, double scale, double *norm,
                  float *z) {
    for (int i = 0; i < n; i++) norm[i] = length(f + (int64_t)i * d, d);
    for (int k = 0; k < c; k++) norm[n + k] = length(w + (int64_t)k * d, d);
    for (int64_t i = 0; i < (int64_t)n * c; i++) {
        const double product = norm[i / c] * norm[n + i % c];
        z[i] = product > 0 ? (float)(scale * dot[i] / product) : 0;
    }
}

/* to += factor * x, nothing for a zero vector */
static void add_scaled(float *to, const float *x, double factor, double norm, int d) {
    for (int k = 0; k < d && norm > 0; k++) to[k] += (float)(factor / (norm * norm) * x[k]);
}

void bal_mmcosine_gradient(const float *f, const float *w, const float *z, const float *dz, int n, int c, int d,
                           double scale, const double *norm, float *ddot, float *df, float *dw) {
    memset(df, 0, (size_t)n * (size_t)d * sizeof *df);
    for (int64_t i = 0; i < (int64_t)n * c; i++) {
        const double product = norm[i / c] * norm[n + i % c];
        ddot[i] = product > 0 ? (float)(scale * dz[i] / product) : 0;
    }
    for (int i = 0; i < n; i++) {
        double sum = 0;
        for (int k = 0; k < c; k++) sum += (double)dz[(int64_t)i * c + k] * z[(int64_t)i * c + k];
        add_scaled(df + (int64_t)i * d, f + (int64_t)i * d, -sum, norm[i], d);
    }
    for (int k = 0; k < c; k++) {
        double sum = 0;
        for (int i = 0; i < n; i++) sum += (double)dz[(int64_t)i * c + k] * z[(int64_t)i * c + k];
        add_scaled(dw + (int64_t)k * d, w + (int64_t)k * d, -sum, norm[n + k], d);
    }
}

/* The sum of both sides' logits. */
static BalStatus answer(Cosine *m, BalMethodCtx *c, float *logits, BalError *err) {
    const int n = c->n_classes;
    memset(logits, 0, (size_t)c->batch.n * (size_t)n * sizeof *logits);
    for (int u = 0; u < 2; u++) {
        Side *s = &m->side[u];
        BAL_TRY(rows_get(&s->f, c, 0, FEATURES[u], m->width, err));
        BAL_TRY(rows_get(&s->dot, c, 0, DOT[u], n, err));
        BAL_TRY(rows_room(&s->z, c, n, err));
        BAL_TRY(bal_grow(&s->norm, &s->cap, (size_t)c->batch.n + (size_t)n, sizeof *s->norm, err));
        BAL_TRY(bal_session_param_get(c->session, bal_session_find_param(c->session, WEIGHT[u]), s->w, err));
        bal_mmcosine(s->f.at, s->w, s->dot.at, c->batch.n, n, m->width, m->scale, s->norm, s->z.at);
        for (int64_t i = 0; i < (int64_t)c->batch.n * n; i++) logits[i] += s->z.at[i];
    }
    return BAL_OK;
}

static BalStatus seed(Cosine *m, BalMethodCtx *c, int u, BalError *err) {
    Side *s = &m->side[u];
    BAL_TRY(rows_room(&s->ddot, c, c->n_classes, err));
    BAL_TRY(rows_room(&s->df, c, m->width, err));
    memset(s->dw, 0, (size_t)c->n_classes * (size_t)m->width * sizeof *s->dw);
    bal_mmcosine_gradient(s->f.at, s->w, s->z.at, c->dz, c->batch.n, c->n_classes, m->width, m->scale, s->norm,
                          s->ddot.at, s->df.at, s->dw);
    BAL_TRY(bal_session_seed(c->session, 0, DOT[u], s->ddot.at, err));
    return bal_session_seed(c->session, 0, FEATURES[u], s->df.at, err);
}

/* Gradient of the head's weight: what came back through the dot products, and what the lengths add. */
static BalStatus add_lengths(Cosine *m, BalMethodCtx *c, int u, BalError *err) {
    Side *s = &m->side[u];
    const int i = bal_session_find_param(c->session, WEIGHT[u]);
    BAL_TRY(bal_session_grad_get(c->session, 0, i, s->g, err));
    for (int64_t k = 0; k < (int64_t)c->n_classes * m->width; k++) s->g[k] += s->dw[k];
    return bal_session_grad_set(c->session, 0, i, s->g, err);
}

static BalStatus loss(void *self, BalMethodCtx *c, BalError *err) {
    Cosine *m = self;
    BAL_TRY(bal_method_forward(&bal_method_mmcosine, c, 0, BAL_MODE_TRAIN, err));
    BAL_TRY(answer(m, c, c->z, err));
    c->loss = bal_softmax_ce(c->z, c->batch.label, c->batch.n, c->n_classes, 1, c->dz, NULL);
    if (!isfinite(c->loss)) return BAL_OK;
    for (int u = 0; u < 2; u++) BAL_TRY(seed(m, c, u, err));
    BAL_TRY(bal_session_backward(c->session, 0, 0, false, err));
    for (int u = 0; u < 2; u++) BAL_TRY(add_lengths(m, c, u, err));
    return BAL_OK;
}

static BalStatus predict(void *self, BalMethodCtx *c, float *logits, BalError *err) {
    return answer(self, c, logits, err);
}

static void reset(void *self) {
    for (int u = 0; u < 2; u++) {
        Side *s = &((Cosine *)self)->side[u];
        bal_free(s->f.at);
        bal_free(s->dot.at);
        bal_free(s->z.at);
        bal_free(s->ddot.at);
        bal_free(s->df.at);
        bal_free(s->w);
        bal_free(s->dw);
        bal_free(s->g);
        bal_free(s->norm);
    }
}

static const BalOption OPTIONS[] = {
    {"mmcosine.scale", "10", "what cosines are multiplied by", BAL_OPT_REAL, offsetof(Cosine, scale), 0.1, 1000, NULL},
    {0}};

const BalMethodOps bal_method_mmcosine = {
    .name = "mmcosine",
    .summary = "late fusion by cosines, so that no modality wins by the length of its features",
    .paper = "Xu et al. 2023, MMCosine: Multi-Modal Cosine Loss Towards Balanced Audio-Visual Fine-Grained Learning",
    .cost = {1, 1, NULL},
    .inputs = BAL_TAG_AUDIO | BAL_TAG_VISUAL,
    .state_size = sizeof(Cosine),
    .options = OPTIONS,
    .build = build,
    .loss = loss,
    .predict = predict,
    .reset = reset,
};
