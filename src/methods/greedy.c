/* The greedy learner, re-balanced by conditional learning speed (Wu et al., ICML 2022).
 *
 * Two encoders that gate each other (MMTM), each with a head; both heads are trained and their mean answers. A branch whose gates learn
 * faster than its encoder leans on the other modality: for a while its gates are held at their means over past batches, so that it
 * hears nothing of the other and has to learn by itself. The speeds are ratios of squared norms of gradients and weights, summed over
 * all regular steps.
 *
 * Two choices of ours: a held gate is the mean over the batches before the current one (the authors take that one in first, which moves
 * it by one part in the number of steps so far); and each branch has its own mean, where their code fills both from the first. First weights
 * and optimiser are the recipe's. */
#include "methods/greedy.h"
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <avbalance/models.h>
#include "base/option.h"
#include "base/rng.h"
#include "methods/registry.h"
#include "methods/rows.h"

enum { MOST_GATES = 3 };
static const char *const MODALITY[] = {"audio", "visual"};
static const char *const HEAD[] = {"logits_audio", "logits_visual"};
static const unsigned TAG[] = {BAL_TAG_AUDIO, BAL_TAG_VISUAL};
static const char *const VARIANTS[] = {"guided", "random", NULL};

typedef struct Vector { /* of one side of one gate */
    float *mean, *squeeze;
    int channels;
} Vector;

typedef struct Greedy {
    int variant;
    double tolerance;
    int64_t window, utilisation;
    int n_gates, first_gate; /* behind which stages */
    Vector gate[MOST_GATES][2];
    Rows rows; /* of one gate */
    BalGreedySchedule at;
    int64_t n_means;
    /* utilisation: right answers of each branch with both modalities, and with the other's squeeze replaced */
    int64_t seen, right[2][2];
} Greedy;

/* ---- schedule ---- */

double bal_greedy_speed(BalGreedySchedule *s, const BalGreedyNorms *n) {
    double speed[2];
    for (int k = 0; k < 2; k++) {
        s->bypass[k] += n->bypass_gg[k] / n->bypass_ww[k];
        s->main[k] += n->main_gg[k] / n->main_ww[k];
        speed[k] = log10(s->bypass[k] / s->main[k]);
    }
    return speed[0] - speed[1];
}

void bal_greedy_next(BalGreedySchedule *s, double d_speed, double tolerance, int window, bool decide) {
    if (s->left > 0) {
        s->left--;
    } else if (decide && fabs(d_speed) > tolerance) {
        s->side = d_speed < 0;
        s->left = window;
    }
}

void bal_greedy_take_in(float *mean, int64_t n, const float *gate, int rows, int c) {
    for (int k = 0; k < c; k++) {
        double sum = 0;
        for (int i = 0; i < rows; i++) sum += gate[(size_t)i * (size_t)c + (size_t)k];
        mean[k] = (float)((mean[k] * (double)n + sum / rows) / (double)(n + 1));
    }
}

double bal_greedy_utilisation(const double on[2], const double off[2], double u[2]) {
    for (int k = 0; k < 2; k++) u[k] = (on[k] - off[k]) / on[k];
    return u[0] - u[1];
}

/* ---- network ---- */

static BalStatus build(void *self, const BalNetSpec *net, BalGraph *g, BalMethodNeeds *needs, BalError *err) {
    Greedy *s = self;
    const BalFusionOps *heads;
    BalVal f[2];
    (void)needs;
    s->n_gates = net->encoder->n_stages > MOST_GATES ? MOST_GATES : net->encoder->n_stages - 1;
    s->first_gate = net->encoder->n_stages - s->n_gates;
    bal_fusion_encode_gated(g, net->encoder, net->audio, net->visual, s->n_gates, f);
    BAL_TRY(bal_fusion_find(&heads, "sum", err));
    bal_fusion_head(g, heads, f, net->n_classes);
    return BAL_OK;
}

/* "mmtm2.keep_gate_audio" */
static const char *name_of(const Greedy *s, int gate, const char *what, int side, char name[64]) {
    snprintf(name, 64, "mmtm%d.%s_%s", s->first_gate + gate, what, MODALITY[side]);
    return name;
}

/* Memory for the means, once there is a session that knows how wide the gates are. */
static BalStatus open_means(Greedy *s, BalMethodCtx *c, BalError *err) {
    char name[64];
    if (s->gate[0][0].mean) return BAL_OK;
    for (int i = 0; i < s->n_gates; i++)
        for (int k = 0; k < 2; k++) {
            Vector *v = &s->gate[i][k];
            snprintf(name, sizeof name, "mmtm%d.excite_%s.bias", s->first_gate + i, MODALITY[k]);
            v->channels = (int)bal_session_param(c->session, bal_session_find_param(c->session, name))->shape.dim[0];
            BAL_TRY(bal_alloc(&v->squeeze, (size_t)v->channels, sizeof(float), err));
            BAL_TRY(bal_alloc(&v->mean, (size_t)v->channels, sizeof(float), err));
        }
    return BAL_OK;
}

/* Put `value` [channels] in the place of what the graph computes, for every clip; NULL: no longer. */
static BalStatus replace(Greedy *s, BalMethodCtx *c, int gate, const char *what, int side, const float *value,
                         BalError *err) {
    char name[64], verb[32];
    const int n = c->batch.n, channels = s->gate[gate][side].channels;
    BAL_TRY(rows_room(&s->rows, c, channels + 1, err));
    float *rows = s->rows.at, *keep = rows + (ptrdiff_t)n * channels;
    for (int i = 0; i < n; i++) {
        keep[i] = 0;
        if (value) memcpy(rows + (ptrdiff_t)i * channels, value, (size_t)channels * sizeof *value);
    }
    snprintf(verb, sizeof verb, "keep_%s", what);
    BAL_TRY(bal_session_set(c->session, 0, name_of(s, gate, verb, side, name), value ? keep : NULL, n, err));
    snprintf(verb, sizeof verb, "set_%s", what);
    return bal_session_set(c->session, 0, name_of(s, gate, verb, side, name), value ? rows : NULL, n, err);
}

/* Hold the gates of a side at their means, or let them go. */
static BalStatus hold(Greedy *s, BalMethodCtx *c, int side, bool on, BalError *err) {
    for (int i = 0; i < s->n_gates; i++)
        BAL_TRY(replace(s, c, i, "gate", side, on ? s->gate[i][side].mean : NULL, err));
    return BAL_OK;
}

/* ---- one step ---- */

static BalStatus take_in_gates(Greedy *s, BalMethodCtx *c, BalError *err) {
    char name[64];
    for (int i = 0; i < s->n_gates; i++)
        for (int k = 0; k < 2; k++) {
            Vector *v = &s->gate[i][k];
            BAL_TRY(rows_get(&s->rows, c, 0, name_of(s, i, "gate", k, name), v->channels, err));
            bal_greedy_take_in(v->mean, s->n_means, s->rows.at, c->batch.n, v->channels);
        }
    s->n_means++;
    return BAL_OK;
}

/* CE(z_audio) + CE(z_visual); the sum of both logits in c->z. */
static BalStatus both_heads(BalMethodCtx *c, BalError *err) {
    c->loss = 0;
    for (int k = 0; k < 2; k++) {
        BAL_TRY(bal_session_get(c->session, 0, HEAD[k], c->z, err));
        c->loss += bal_softmax_ce(c->z, c->batch.label, c->batch.n, c->n_classes, 1, c->dz, NULL);
        BAL_TRY(bal_session_seed(c->session, 0, HEAD[k], c->dz, err));
    }
    BAL_TRY(bal_session_get(c->session, 0, "logits", c->z, err));
    return isfinite(c->loss) ? bal_session_backward(c->session, 0, 0, false, err) : BAL_OK;
}

static BalStatus plan(void *self, BalMethodCtx *c, BalError *err) {
    Greedy *s = self;
    BAL_TRY(open_means(s, c, err));
    if (!s->variant || c->epoch == 0) return BAL_OK;
    BalRng r = bal_rng(c->seed, BAL_RNG_METHOD, c->epoch, (uint64_t)c->step);
    const uint64_t draw = bal_rng_below(&r, 3);
    s->at.left = draw > 0;
    s->at.side = draw == 2;
    return BAL_OK;
}

static BalStatus loss(void *self, BalMethodCtx *c, BalError *err) {
    Greedy *s = self;
    const bool held = s->at.left > 0;
    if (held) BAL_TRY(hold(s, c, s->at.side, true, err));
    BAL_TRY(bal_method_forward(&bal_method_greedy, c, 0, BAL_MODE_TRAIN, err));
    BAL_TRY(take_in_gates(s, c, err));
    BAL_TRY(both_heads(c, err));
    return held ? hold(s, c, s->at.side, false, err) : BAL_OK;
}

/* A branch is its encoder and its head; its bypass are its own excitations and the squeezes, which both share. */
static bool is_main(const BalParam *p, int k) {
    char head[16];
    const int n = snprintf(head, sizeof head, "head.%s.", MODALITY[k]);
    return (p->tags & TAG[k] && !(p->tags & BAL_TAG_GATE)) || !strncmp(p->name, head, (size_t)n);
}
static bool is_bypass(const BalParam *p, int k) {
    return p->tags & BAL_TAG_GATE && p->tags & (TAG[k] | BAL_TAG_SHARED);
}

static BalStatus norms(BalMethodCtx *c, BalGreedyNorms *out, BalError *err) {
    BalParamStats g;
    *out = (BalGreedyNorms){.bypass_gg = {0}};
    for (int i = 0; i < bal_session_n_params(c->session); i++) {
        const BalParam *p = bal_session_param(c->session, i);
        if (!p->trainable) continue;
        BAL_TRY(bal_session_stats(c->session, 0, 0, i, &g, err));
        for (int k = 0; k < 2; k++) {
            if (is_main(p, k)) out->main_gg[k] += g.sum_gg, out->main_ww[k] += g.sum_ww;
            if (is_bypass(p, k)) out->bypass_gg[k] += g.sum_gg, out->bypass_ww[k] += g.sum_ww;
        }
    }
    return BAL_OK;
}

static BalStatus grad(void *self, BalMethodCtx *c, BalError *err) {
    Greedy *s = self;
    BalGreedyNorms n;
    const bool held = s->at.left > 0;
    double d_speed = 0;
    BAL_TRY(bal_method_log(c, "held_audio", held && s->at.side == 0, err));
    BAL_TRY(bal_method_log(c, "held_visual", held && s->at.side == 1, err));
    if (s->variant) return BAL_OK;
    if (!held) {
        BAL_TRY(norms(c, &n, err));
        d_speed = bal_greedy_speed(&s->at, &n);
        BAL_TRY(bal_method_log(c, "d_speed", d_speed, err));
    }
    bal_greedy_next(&s->at, d_speed, s->tolerance, (int)s->window, c->epoch > 0);
    return BAL_OK;
}

static BalStatus predict(void *self, BalMethodCtx *c, float *logits, BalError *err) {
    (void)self;
    BAL_TRY(bal_session_get(c->session, 0, "logits", logits, err));
    for (int i = 0; i < c->batch.n * c->n_classes; i++) logits[i] /= 2;
    return BAL_OK;
}

/* ---- conditional utilisation rate: what each branch loses when it sees the other modality's mean in its place ---- */

static BalStatus add_squeezes(void *self, BalMethodCtx *c, BalError *err) {
    Greedy *s = self;
    char name[64];
    BAL_TRY(bal_method_forward(&bal_method_greedy, c, 0, BAL_MODE_EVAL, err));
    for (int i = 0; i < s->n_gates; i++)
        for (int k = 0; k < 2; k++) {
            Vector *v = &s->gate[i][k];
            BAL_TRY(rows_get(&s->rows, c, 0, name_of(s, i, "squeeze", k, name), v->channels, err));
            for (int r = 0; r < c->batch.n; r++)
                for (int j = 0; j < v->channels; j++) {
                    const double was = v->squeeze[j], x = s->rows.at[(size_t)r * (size_t)v->channels + (size_t)j];
                    v->squeeze[j] = (float)(was + (x - was) / (double)(s->seen + r + 1));
                }
        }
    s->seen += c->batch.n;
    return BAL_OK;
}

static BalStatus count_right(BalMethodCtx *c, int branch, int64_t *right, BalError *err) {
    BAL_TRY(bal_session_get(c->session, 0, HEAD[branch], c->z, err));
    for (int i = 0; i < c->batch.n; i++) {
        const float *z = c->z + (size_t)i * (size_t)c->n_classes;
        int top = 0;
        for (int k = 1; k < c->n_classes; k++)
            if (z[k] > z[top]) top = k;
        *right += top == c->batch.label[i];
    }
    return BAL_OK;
}

static BalStatus cut(Greedy *s, BalMethodCtx *c, int side, bool on, BalError *err) {
    for (int i = 0; i < s->n_gates; i++)
        BAL_TRY(replace(s, c, i, "squeeze", side, on ? s->gate[i][side].squeeze : NULL, err));
    return BAL_OK;
}

static BalStatus add_answers(void *self, BalMethodCtx *c, BalError *err) {
    Greedy *s = self;
    BAL_TRY(bal_method_forward(&bal_method_greedy, c, 0, BAL_MODE_EVAL, err));
    for (int k = 0; k < 2; k++) BAL_TRY(count_right(c, k, &s->right[0][k], err));
    for (int k = 0; k < 2; k++) {
        BAL_TRY(cut(s, c, 1 - k, true, err));
        BAL_TRY(bal_method_forward(&bal_method_greedy, c, 0, BAL_MODE_EVAL, err));
        BAL_TRY(count_right(c, k, &s->right[1][k], err));
        BAL_TRY(cut(s, c, 1 - k, false, err));
    }
    s->seen += c->batch.n;
    return BAL_OK;
}

static BalStatus epoch_end(void *self, BalMethodCtx *c, BalError *err) {
    Greedy *s = self;
    BalMethodPass train = {0}, val = {0};
    if (!s->utilisation || (c->epoch + 1) % s->utilisation) return BAL_OK;
    BAL_TRY(open_means(s, c, err));
    BAL_TRY(bal_method_clips(c, BAL_PART_TRAIN, &train.sample, &train.n, err));
    BAL_TRY(bal_method_clips(c, BAL_PART_VAL, &val.sample, &val.n, err));
    s->seen = 0;
    BAL_TRY(bal_method_pass(c, &train, add_squeezes, s, err));
    s->seen = 0;
    memset(s->right, 0, sizeof s->right);
    BAL_TRY(bal_method_pass(c, val.n ? &val : &train, add_answers, s, err));
    double a[2][2], u[2];
    for (int off = 0; off < 2; off++)
        for (int k = 0; k < 2; k++) a[off][k] = (double)s->right[off][k] / (double)s->seen;
    const double d = bal_greedy_utilisation(a[0], a[1], u);
    BAL_TRY(bal_method_log(c, "u_visual_given_audio", u[0], err));
    BAL_TRY(bal_method_log(c, "u_audio_given_visual", u[1], err));
    return bal_method_log(c, "d_util", d, err);
}

/* ---- state ---- */

static BalStatus save(void *self, BalMethodCtx *c, struct BalWriter *w, BalError *err) {
    Greedy *s = self;
    BAL_TRY(open_means(s, c, err));
    BAL_TRY(bal_method_put(w, &s->at, sizeof s->at, err));
    BAL_TRY(bal_method_put(w, &s->n_means, sizeof s->n_means, err));
    for (int i = 0; i < 2 * s->n_gates; i++) {
        const Vector *v = &s->gate[i / 2][i % 2];
        BAL_TRY(bal_method_put(w, v->mean, (size_t)v->channels * sizeof *v->mean, err));
    }
    return BAL_OK;
}

static BalStatus load(void *self, BalMethodCtx *c, const struct BalMap *saved, BalError *err) {
    Greedy *s = self;
    size_t at = 0;
    BAL_TRY(open_means(s, c, err));
    BAL_TRY(bal_method_take(saved, &at, &s->at, sizeof s->at, err));
    BAL_TRY(bal_method_take(saved, &at, &s->n_means, sizeof s->n_means, err));
    for (int i = 0; i < 2 * s->n_gates; i++) {
        const Vector *v = &s->gate[i / 2][i % 2];
        BAL_TRY(bal_method_take(saved, &at, v->mean, (size_t)v->channels * sizeof *v->mean, err));
    }
    return BAL_OK;
}

static void reset(void *self) {
    Greedy *s = self;
    for (int i = 0; i < 2 * MOST_GATES; i++) {
        bal_free(s->gate[i / 2][i % 2].mean);
        bal_free(s->gate[i / 2][i % 2].squeeze);
    }
    bal_free(s->rows.at);
}

#define AT(field) offsetof(Greedy, field)
static const BalOption OPTIONS[] = {
    {"greedy.variant", "guided", "what chooses the re-balancing steps", BAL_OPT_ENUM, AT(variant), 0, 0, VARIANTS},
    {"greedy.tolerance", "0.01", "guided: difference of speeds that is let be", BAL_OPT_REAL, AT(tolerance), 0, 100,
     NULL},
    {"greedy.window", "5", "guided: re-balancing steps in a row", BAL_OPT_INT, AT(window), 1, 100000, NULL},
    {"greedy.utilisation", "10", "epochs between two measurements of the conditional utilisation rate; 0: none",
     BAL_OPT_INT, AT(utilisation), 0, 100000, NULL},
    {0}};

const BalMethodOps bal_method_greedy = {
    .name = "greedy",
    .summary = "two gated encoders; the one that leans on the other has to learn by itself",
    .paper = "Wu et al. 2022, Characterizing and Overcoming the Greedy Nature of Learning in Multi-modal Deep Neural "
             "Networks",
    .cost = {1.05, 1.05, "a pass over train and three over val per measured utilisation rate"},
    .inputs = BAL_TAG_AUDIO | BAL_TAG_VISUAL,
    .state_size = sizeof(Greedy),
    .options = OPTIONS,
    .build = build,
    .epoch_end = epoch_end,
    .plan = plan,
    .loss = loss,
    .grad = grad,
    .predict = predict,
    .save = save,
    .load = load,
    .reset = reset,
};
