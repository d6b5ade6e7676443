/* Multimodal learning with alternating unimodal adaptation (MLA; Zhang et al., CVPR 2024).
 *
 * One head serves both modalities, and each batch is two steps: first the sound's encoder and the head, then the picture's with the head as the
 * first step left it. So that the second does not undo what the first taught, the head's gradient is turned away from the features that it has
 * seen so far: a projection P, moved by each batch's mean feature as in recursive least squares, is multiplied onto it. P begins as
 * the identity, is shared by both modalities and never starts anew; the very first step is taken as it is, and so is the bias.
 *
 * The encoders are disjoint, so one forward pass serves both steps: only the head's answer to the picture is made again, on the host. The
 * encoder that is not being taught is left alone (with plain SGD in torch before 2.0 it drifts by momentum and weight decay). */
#include "methods/mla.h"
#include <math.h>
#include <string.h>
#include <avbalance/models.h>
#include "base/option.h"
#include "methods/registry.h"
#include "methods/rows.h"

typedef struct Mla {
    int fusion, denominator;
    double audio_weight;
    int width;
    bool begun;                 /* kept with checkpoints, as is P */
    double *P, *mean, *k, *row; /* [width,width], [width] */
    float *w, *g;               /* [n_classes,width]: the head and its gradient */
    Rows f, v;
} Mla;

enum { MEAN, DYNAMIC }; /* places in FUSIONS */
static const char *const FUSIONS[] = {"mean", "dynamic", NULL};
enum { CODE, SCALAR }; /* and in DENOMINATORS */
static const char *const DENOMINATORS[] = {"code", "scalar", NULL};
static const char *const FEATURES[] = {"features_audio", "features_visual"};

static BalStatus build(void *self, const BalNetSpec *net, BalGraph *g, BalMethodNeeds *needs, BalError *err) {
    Mla *a = self;
    BalVal f[2];
    needs->n_sweeps = 2;
    bal_fusion_encode(g, net->encoder, net->audio, net->visual, f);
    bal_graph_scope(g, "head.", BAL_TAG_SHARED);
    f[0] = bal_graph_linear(g, "fc", f[0], net->n_classes, true, 0);
    bal_graph_output(g, "logits_audio", f[0]);
    bal_graph_output(g, "logits_visual", bal_graph_linear_part(g, f[0], f[1], 0, 1));
    a->width = net->encoder->features;
    const size_t d = (size_t)a->width, c = (size_t)net->n_classes;
    BAL_TRY(bal_alloc(&a->P, d * d, sizeof *a->P, err));
    BAL_TRY(bal_alloc(&a->mean, d, sizeof *a->mean, err));
    BAL_TRY(bal_alloc(&a->k, d, sizeof *a->k, err));
    BAL_TRY(bal_alloc(&a->row, d, sizeof *a->row, err));
    BAL_TRY(bal_alloc(&a->w, c * d + c, sizeof *a->w, err)); /* and the bias */
    BAL_TRY(bal_alloc(&a->g, c * d, sizeof *a->g, err));
    for (size_t i = 0; i < d; i++) a->P[i * d + i] = 1;
    return BAL_OK;
}

static BalStatus plan(void *self, BalMethodCtx *c, BalError *err) {
    (void)self, (void)err;
    c->n_subs = 2;
    return BAL_OK;
}

/* z = W f + b with the head as it is now. */
static BalStatus head(Mla *a, BalMethodCtx *c, const float *f, float *z, BalError *err) {
    const int d = a->width;
    float *bias = a->w + (size_t)c->n_classes * (size_t)d;
    BAL_TRY(bal_session_param_get(c->session, bal_session_find_param(c->session, "head.fc.weight"), a->w, err));
    BAL_TRY(bal_session_param_get(c->session, bal_session_find_param(c->session, "head.fc.bias"), bias, err));
    for (int64_t i = 0; i < (int64_t)c->batch.n * c->n_classes; i++) {
        const float *x = f + i / c->n_classes * d, *w = a->w + i % c->n_classes * d;
        double sum = bias[i % c->n_classes];
        for (int k = 0; k < d; k++) sum += (double)x[k] * w[k];
        z[i] = (float)sum;
    }
    return BAL_OK;
}

/* Entropy of softmax(z). */
static double entropy(const float *z, int c) {
    double sum = 0, mean = 0, top = z[0];
    for (int k = 1; k < c; k++) top = fmax(top, z[k]);
    for (int k = 0; k < c; k++) sum += exp(z[k] - top), mean += exp(z[k] - top) * (z[k] - top);
    return log(sum) - mean / sum;
}

void bal_mla_fuse(float *a, const float *v, int n, int c) {
    for (int i = 0; i < n; i++, a += c, v += c) {
        const double w = 1 / (1 + exp(entropy(a, c) - entropy(v, c)));
        for (int k = 0; k < c; k++) a[k] = (float)(w * a[k] + (1 - w) * v[k]);
    }
}

/* The answer of both into a. */
static void fuse(const Mla *m, float *a, const float *v, int n, int c) {
    if (m->fusion == DYNAMIC) {
        bal_mla_fuse(a, v, n, c);
        return;
    }
    for (int64_t i = 0; i < (int64_t)n * c; i++) a[i] = (float)(m->audio_weight * a[i] + (1 - m->audio_weight) * v[i]);
}

static BalStatus loss(void *self, BalMethodCtx *c, BalError *err) {
    Mla *a = self;
    const int m = c->sub;
    if (m == 0) BAL_TRY(bal_method_forward(&bal_method_mla, c, 0, BAL_MODE_TRAIN, err));
    BAL_TRY(rows_get(&a->f, c, 0, FEATURES[m], a->width, err));
    BAL_TRY(rows_room(&a->v, c, c->n_classes, err));
    float *z = m ? a->v.at : c->z;
    BAL_TRY(head(a, c, a->f.at, z, err));
    const double ce = bal_softmax_ce(z, c->batch.label, c->batch.n, c->n_classes, 1, c->dz, NULL);
    c->loss = m ? c->loss + ce : ce;
    if (!isfinite(c->loss)) return BAL_OK;
    BAL_TRY(bal_session_seed(c->session, 0, m ? "logits_visual" : "logits_audio", c->dz, err));
    if (m) fuse(a, c->z, a->v.at, c->batch.n, c->n_classes); /* the answer, for the running accuracy */
    return bal_session_backward(c->session, 0, 0, false, err);
}

/* ---- the head's gradient ---- */
static void times(const double *P, const double *x, double *y, int d) {
    for (int i = 0; i < d; i++) {
        double sum = 0;
        for (int j = 0; j < d; j++) sum += P[(size_t)i * (size_t)d + (size_t)j] * x[j];
        y[i] = sum;
    }
}

void bal_mla_project(double *P, const double *r, double *k, int d, double alpha, bool elementwise) {
    double rk = 0, norm = 0;
    times(P, r, k, d);
    for (int i = 0; i < d; i++) rk += r[i] * k[i];
    for (int i = 0; i < d; i++)
        for (int j = 0; j < d; j++) {
            double *p = &P[(size_t)i * (size_t)d + (size_t)j];
            *p -= k[i] * k[j] / (alpha + (elementwise ? k[i] * r[j] : rk));
            norm += *p * *p;
        }
    norm = sqrt(norm);
    for (size_t i = 0; norm > 0 && i < (size_t)d * (size_t)d; i++) P[i] /= norm;
}

void bal_mla_turn(float *G, const double *P, double *row, int c, int d) {
    for (int i = 0; i < c; i++, G += d) {
        for (int j = 0; j < d; j++) row[j] = 0;
        for (int j = 0; j < d; j++)
            for (int k = 0; k < d; k++) row[j] += P[(size_t)j * (size_t)d + (size_t)k] * G[k];
        for (int j = 0; j < d; j++) G[j] = (float)row[j];
    }
}

static BalStatus grad(void *self, BalMethodCtx *c, BalError *err) {
    Mla *a = self;
    const int d = a->width, head_weight = bal_session_find_param(c->session, "head.fc.weight");
    c->update_tags = BAL_TAG_SHARED | (c->sub ? BAL_TAG_VISUAL : BAL_TAG_AUDIO);
    if (a->begun) {
        memset(a->mean, 0, (size_t)d * sizeof *a->mean);
        for (int64_t i = 0; i < (int64_t)c->batch.n * d; i++) a->mean[i % d] += (double)a->f.at[i] / c->batch.n;
        bal_mla_project(a->P, a->mean, a->k, d, pow(0.1, (double)c->step / (double)c->n_steps + 1),
                        a->denominator == CODE);
        BAL_TRY(bal_session_grad_get(c->session, 0, head_weight, a->g, err));
        bal_mla_turn(a->g, a->P, a->row, c->n_classes, d);
        BAL_TRY(bal_session_grad_set(c->session, 0, head_weight, a->g, err));
    }
    a->begun = true;
    return BAL_OK;
}

/* ---- life ---- */
static BalStatus predict(void *self, BalMethodCtx *c, float *logits, BalError *err) {
    Mla *a = self;
    BAL_TRY(bal_session_get(c->session, 0, "logits_audio", logits, err));
    BAL_TRY(rows_get(&a->v, c, 0, "logits_visual", c->n_classes, err));
    fuse(a, logits, a->v.at, c->batch.n, c->n_classes);
    return BAL_OK;
}

static BalStatus save(void *self, BalMethodCtx *c, struct BalWriter *w, BalError *err) {
    const Mla *a = self;
    (void)c;
    BAL_TRY(bal_method_put(w, &a->begun, sizeof a->begun, err));
    return bal_method_put(w, a->P, (size_t)a->width * (size_t)a->width * sizeof *a->P, err);
}

static BalStatus load(void *self, BalMethodCtx *c, const struct BalMap *saved, BalError *err) {
    Mla *a = self;
    size_t at = 0;
    (void)c;
    BAL_TRY(bal_method_take(saved, &at, &a->begun, sizeof a->begun, err));
    return bal_method_take(saved, &at, a->P, (size_t)a->width * (size_t)a->width * sizeof *a->P, err);
}

static void reset(void *self) {
    Mla *a = self;
    bal_free(a->P);
    bal_free(a->mean);
    bal_free(a->k);
    bal_free(a->row);
    bal_free(a->w);
    bal_free(a->g);
    bal_free(a->f.at);
    bal_free(a->v.at);
}

static const BalOption OPTIONS[] = {
    {"mla.fusion", "mean", "how the two answers are joined: weighed alike, or clip by clip by how sure they are",
     BAL_OPT_ENUM, offsetof(Mla, fusion), 0, 0, FUSIONS},
    {"mla.audio_weight", "0.5", "of the sound's answer in the mean", BAL_OPT_REAL, offsetof(Mla, audio_weight), 0, 1,
     NULL},
    {"mla.denominator", "code", "of the projection: a matrix, as published, or a number, as derived", BAL_OPT_ENUM,
     offsetof(Mla, denominator), 0, 0, DENOMINATORS},
    {0}};

const BalMethodOps bal_method_mla = {
    .name = "mla",
    .summary = "one head for both modalities, which are taught in turn",
    .paper = "Zhang et al. 2024, Multimodal Representation Learning by Alternating Unimodal Adaptation",
    .cost = {1, 1, NULL},
    .inputs = BAL_TAG_AUDIO | BAL_TAG_VISUAL,
    .state_size = sizeof(Mla),
    .options = OPTIONS,
    .build = build,
    .plan = plan,
    .loss = loss,
    .grad = grad,
    .predict = predict,
    .save = save,
    .load = load,
    .reset = reset,
};
