/* Uni-modal teacher (UMT; Du et al., ICML 2023).
 *
 * Late fusion whose encoders are also drawn to what the best unimodal encoders make of the same clip: lambda times the mean squared
 * distance of the features, per modality. The teachers are frozen copies of the encoder, in eval mode always, whose weights come from the
 * runs of the methods `audio` and `visual`: --init teacher_audio=RUN/weights.safetensors, and teacher_visual likewise. */
#include <math.h>
#include <string.h>
#include <avbalance/models.h>
#include "base/option.h"
#include "methods/late.h"
#include "methods/registry.h"
#include "methods/rows.h"

typedef struct Umt {
    double lambda;
    int fusion, width;
    Rows f, t;
} Umt;

static const char *const TEACHER[] = {"teacher_audio", "teacher_visual"};
static const char *const FEATURES[] = {"features_audio", "features_visual"};

static BalStatus build(void *self, const BalNetSpec *net, BalGraph *g, BalMethodNeeds *needs, BalError *err) {
    Umt *u = self;
    (void)needs, (void)err;
    bal_late_build(u->fusion, net, g);
    u->width = net->encoder->features;
    for (int m = 0; m < 2; m++) {
        bal_graph_scope(g, m ? "teacher_visual." : "teacher_audio.", BAL_TAG_AUX | BAL_TAG_FROZEN);
        bal_graph_output(g, TEACHER[m], bal_model_encode(net->encoder, g, bal_graph_find(g, m ? "visual" : "audio")));
    }
    return BAL_OK;
}

/* A teacher that has never been trained has statistics of batch norm as they begin: variance 1 everywhere. */
static BalStatus check_teacher(BalMethodCtx *c, const char *teacher, BalError *err) {
    bool trained = false;
    for (int i = 0; i < bal_session_n_params(c->session) && !trained; i++) {
        const BalParam *p = bal_session_param(c->session, i);
        const char *suffix = strstr(p->name, ".running_var");
        float *var = NULL;
        if (strncmp(p->name, teacher, strlen(teacher)) || !suffix) continue;
        BAL_TRY(bal_alloc(&var, (size_t)p->shape.dim[0], sizeof *var, err));
        const BalStatus rc = bal_session_param_get(c->session, i, var, err);
        for (int64_t k = 0; k < p->shape.dim[0] && rc == BAL_OK; k++) trained |= var[k] != 1;
        bal_free(var);
        BAL_TRY(rc);
    }
    return trained ? BAL_OK
                   : BAL_FAIL(err, BAL_E_ARG,
                              "umt needs a trained teacher: give --init %s=RUN/weights.safetensors of a run with "
                              "--method %s",
                              teacher, strchr(teacher, '_') + 1);
}

static BalStatus epoch_begin(void *self, BalMethodCtx *c, BalError *err) {
    (void)self;
    for (int m = 0; m < 2 && !c->epoch; m++) BAL_TRY(check_teacher(c, TEACHER[m], err));
    return BAL_OK;
}

/* Adds lambda times the mean of (f - t)^2 to the loss. */
static BalStatus distil(Umt *u, BalMethodCtx *c, int m, BalError *err) {
    const int64_t n = (int64_t)c->batch.n * u->width;
    double sum = 0;
    BAL_TRY(rows_get(&u->f, c, 0, FEATURES[m], u->width, err));
    BAL_TRY(rows_get(&u->t, c, 0, TEACHER[m], u->width, err));
    for (int64_t i = 0; i < n; i++) {
        const double d = (double)u->f.at[i] - u->t.at[i];
        sum += d * d;
        u->f.at[i] = (float)(2 * u->lambda * d / (double)n);
    }
    c->loss += u->lambda * sum / (double)n;
    return bal_session_seed(c->session, 0, FEATURES[m], u->f.at, err);
}

static BalStatus loss(void *self, BalMethodCtx *c, BalError *err) {
    BAL_TRY(bal_method_forward(&bal_method_umt, c, 0, BAL_MODE_TRAIN, err));
    BAL_TRY(bal_session_get(c->session, 0, "logits", c->z, err));
    c->loss = bal_softmax_ce(c->z, c->batch.label, c->batch.n, c->n_classes, 1, c->dz, NULL);
    BAL_TRY(bal_session_seed(c->session, 0, "logits", c->dz, err));
    for (int m = 0; m < 2; m++) BAL_TRY(distil(self, c, m, err));
    return isfinite(c->loss) ? bal_session_backward(c->session, 0, 0, false, err) : BAL_OK;
}

static void reset(void *self) {
    Umt *u = self;
    bal_free(u->f.at);
    bal_free(u->t.at);
}

static const BalOption OPTIONS[] = {
    {"umt.lambda", "10", "weight of the distance from the teachers' features", BAL_OPT_REAL, offsetof(Umt, lambda), 0,
     1000, NULL},
    {"umt.fusion", "concat", "head of the network", BAL_OPT_ENUM, offsetof(Umt, fusion), 0, 0, bal_late_choices},
    {0}};

const BalMethodOps bal_method_umt = {
    .name = "umt",
    .summary = "late fusion whose encoders also learn from the best unimodal ones",
    .paper = "Du et al. 2023, On Uni-Modal Feature Learning in Supervised Multi-Modal Learning",
    .cost = {2, 1, "two unimodal runs beforehand"},
    .inputs = BAL_TAG_AUDIO | BAL_TAG_VISUAL,
    .state_size = sizeof(Umt),
    .teacher = {"teacher_audio", "teacher_visual"},
    .options = OPTIONS,
    .build = build,
    .epoch_begin = epoch_begin,
    .loss = loss,
    .reset = reset,
};
