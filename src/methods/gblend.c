/* Gradient-Blending (Wang et al., CVPR 2020).
 *
 * Two encoders with three heads (sound, picture, both), trained with a weighted sum of their cross-entropies; the joint head answers.
 * A model that overfits fast for what it gains in generalisation gets a small weight: by the overfitting-to-generalisation ratio,
 * measured by training each of the three alone from the same start, on a part of the train clips, and looking at its loss there and on
 * the clips held out.
 *
 *   offline  once, from the initial weights over the whole length of the training; the training itself then has all train clips
 *   online   before every super-epoch, from the weights of that moment and for its length. What has been trained on cannot show
 *            generalisation, so the held-out clips stay out of the training too
 *   fixed    weights that are given; the defaults are those left in the code of BML for Kinetics-Sounds
 *
 * The ratio has the square of a small difference below it. With few held-out clips and short probes a modality may by chance not overfit
 * at all: it then gets nearly all weight, and the joint head, which answers, learns nothing. The log has the weights of every epoch;
 * gblend.mode fixed is the way out.
 *
 * A probe trains the network through one head only; what the loss does not reach is put back with the rest. An estimate that is
 * interrupted goes on from the probe's last epoch that was kept. */
#include "methods/gblend.h"
#include <math.h>
#include <string.h>
#include "base/file.h"
#include "base/mem.h"
#include "base/option.h"
#include "methods/late.h"
#include "methods/registry.h"

enum { N_MODELS = BAL_GBLEND_MODELS };
typedef enum Mode { OFFLINE, ONLINE, FIXED } Mode;
static const char *const MODES[] = {"offline", "online", "fixed", NULL};
static const char *const HEAD[N_MODELS] = {"logits_audio", "logits_visual", "logits"};

typedef struct Gblend {
    int mode;
    double fixed[N_MODELS], share;
    int64_t super_epoch, probe_epochs;
    double w[N_MODELS]; /* of the running epoch */
    BalSample *part[2]; /* of train: trained on, held out */
    int64_t n_part[2];
    /* the running estimate: where it began (NULL: none runs), and how far it is */
    float *start;
    struct Progress {
        BalGblendLosses before, after;
        int64_t model, epochs; /* that is trained alone, and for how long so far */
    } at;
    double sum[N_MODELS];
    int64_t seen; /* of the running measurement */
} Gblend;

static BalStatus build(void *self, const BalNetSpec *net, BalGraph *g, BalMethodNeeds *needs, BalError *err) {
    (void)self, (void)needs, (void)err;
    bal_late_build(LATE_HEADS, net, g);
    return BAL_OK;
}

/* ---- weights ---- */

void bal_gblend_weights(const BalGblendLosses *before, const BalGblendLosses *after, double w[N_MODELS]) {
    double total = 0;
    for (int m = 0; m < N_MODELS; m++) {
        const double gain = before->held[m] - after->held[m];
        const double gap = (after->held[m] - after->train[m]) - (before->held[m] - before->train[m]);
        w[m] = fabs(gain) / pow(fmax(fabs(gap), 1e-3), 2);
        total += w[m];
    }
    for (int m = 0; m < N_MODELS; m++) w[m] = total > 0 ? w[m] / total : 1. / N_MODELS;
}

/* ---- one step: sum_m w_m CE(z_m) in one sweep; the joint logits are read last and stay in c->z ---- */

static BalStatus blended(const double w[N_MODELS], BalMethodCtx *c, BalError *err) {
    double loss = 0;
    BAL_TRY(bal_method_forward(&bal_method_gblend, c, 0, BAL_MODE_TRAIN, err));
    for (int m = 0; m < N_MODELS; m++) {
        BAL_TRY(bal_session_get(c->session, 0, HEAD[m], c->z, err));
        if (w[m] == 0) continue;
        loss += w[m] * bal_softmax_ce(c->z, c->batch.label, c->batch.n, c->n_classes, w[m], c->dz, NULL);
        BAL_TRY(bal_session_seed(c->session, 0, HEAD[m], c->dz, err));
    }
    c->loss = loss;
    return isfinite(loss) ? bal_session_backward(c->session, 0, 0, false, err) : BAL_OK;
}

static BalStatus loss(void *self, BalMethodCtx *c, BalError *err) {
    return blended(((const Gblend *)self)->w, c, err);
}

/* ---- estimate ---- */

static BalStatus probe_loss(void *self, BalMethodCtx *c, BalError *err) {
    double w[N_MODELS] = {0};
    w[((const Gblend *)self)->at.model] = 1;
    return blended(w, c, err);
}

static BalStatus add_losses(void *self, BalMethodCtx *c, BalError *err) {
    Gblend *b = self;
    BAL_TRY(bal_method_forward(&bal_method_gblend, c, 0, BAL_MODE_EVAL, err));
    for (int m = 0; m < N_MODELS; m++) {
        BAL_TRY(bal_session_get(c->session, 0, HEAD[m], c->z, err));
        b->sum[m] += c->batch.n * bal_softmax_ce(c->z, c->batch.label, c->batch.n, c->n_classes, 1, NULL, NULL);
    }
    b->seen += c->batch.n;
    return BAL_OK;
}

/* Per-clip mean losses of the models as they are now. */
static BalStatus measure(Gblend *b, BalMethodCtx *c, BalGblendLosses *out, BalError *err) {
    for (int held = 0; held < 2; held++) {
        const BalMethodPass pass = {.sample = b->part[held], .n = b->n_part[held]};
        memset(b->sum, 0, sizeof b->sum);
        b->seen = 0;
        BAL_TRY(bal_method_pass(c, &pass, add_losses, b, err));
        for (int m = 0; m < N_MODELS; m++) (held ? out->held : out->train)[m] = b->sum[m] / (double)b->seen;
    }
    return BAL_OK;
}

static BalStatus part_clips(Gblend *b, BalMethodCtx *c, BalError *err) {
    const BalSample *train;
    unsigned char *held = NULL;
    int64_t n;
    if (b->part[0]) return BAL_OK;
    BAL_TRY(bal_method_clips(c, BAL_PART_TRAIN, &train, &n, err));
    for (int k = 0; k < 2; k++) BAL_TRY(bal_alloc(&b->part[k], (size_t)n, sizeof *train, err));
    BAL_TRY(bal_alloc(&held, (size_t)n, sizeof *held, err));
    BalStatus rc = bal_method_hold_out(c, b->share, held, err);
    for (int64_t i = 0; i < n && rc == BAL_OK; i++) b->part[held[i]][b->n_part[held[i]]++] = train[i];
    bal_free(held);
    return rc;
}

static BalStatus begin(Gblend *b, BalMethodCtx *c, BalError *err) {
    memset(&b->at, 0, sizeof b->at);
    BAL_TRY(bal_session_snapshot_state(c->session, &b->start, err));
    BAL_TRY(bal_session_optimiser_reset(c->session, 0, err));
    BAL_TRY(measure(b, c, &b->at.before, err));
    return bal_method_keep(c, err);
}

/* One model alone from the start, for the epochs that are still to come; then back to the start. */
static BalStatus probe(Gblend *b, BalMethodCtx *c, int64_t n_epochs, BalError *err) {
    BalGblendLosses now;
    const int64_t m = b->at.model;
    while (b->at.epochs < n_epochs) {
        const uint32_t epoch = c->epoch + (uint32_t)b->at.epochs;
        BAL_TRY(bal_method_train(c, b->part[0], b->n_part[0], epoch, probe_loss, b, 0, err));
        b->at.epochs++;
        BAL_TRY(bal_method_keep(c, err));
    }
    BAL_TRY(measure(b, c, &now, err));
    b->at.after.train[m] = now.train[m];
    b->at.after.held[m] = now.held[m];
    BAL_TRY(bal_session_restore_state(c->session, b->start, err));
    b->at.epochs = 0;
    b->at.model++;
    return b->at.model < N_MODELS ? bal_session_optimiser_reset(c->session, 0, err) : BAL_OK;
}

static BalStatus estimate(Gblend *b, BalMethodCtx *c, int64_t n_epochs, BalError *err) {
    BAL_TRY(part_clips(b, c, err));
    if (!b->start) BAL_TRY(begin(b, c, err));
    while (b->at.model < N_MODELS) {
        BAL_TRY(probe(b, c, n_epochs, err));
        if (b->at.model < N_MODELS) BAL_TRY(bal_method_keep(c, err));
    }
    bal_gblend_weights(&b->at.before, &b->at.after, b->w);
    bal_session_release(c->session, &b->start);
    return BAL_OK;
}

/* ---- epochs ---- */

static BalStatus set_fixed(Gblend *b, BalError *err) {
    const double total = b->fixed[0] + b->fixed[1] + b->fixed[2];
    if (!(total > 0))
        return BAL_FAIL(err, BAL_E_ARG, "gblend.audio, gblend.visual and gblend.joint are all 0: give one a weight");
    for (int m = 0; m < N_MODELS; m++) b->w[m] = b->fixed[m] / total;
    return BAL_OK;
}

static BalStatus epoch_begin(void *self, BalMethodCtx *c, BalError *err) {
    Gblend *b = self;
    const int64_t left = (int64_t)c->n_epochs - c->epoch;
    if (b->mode == FIXED) {
        BAL_TRY(set_fixed(b, err));
    } else if (b->mode == OFFLINE && c->epoch == 0) {
        BAL_TRY(estimate(b, c, b->probe_epochs ? b->probe_epochs : c->n_epochs, err));
    } else if (b->mode == ONLINE && c->epoch % b->super_epoch == 0) {
        BAL_TRY(estimate(b, c, left < b->super_epoch ? left : b->super_epoch, err));
        if (c->epoch == 0) BAL_TRY(bal_method_sample(c, b->part[0], b->n_part[0], err));
    }
    BAL_TRY(bal_method_log(c, "w_audio", b->w[0], err));
    BAL_TRY(bal_method_log(c, "w_visual", b->w[1], err));
    return bal_method_log(c, "w_joint", b->w[2], err);
}

/* The weights, the size of the snapshot (0: no estimate runs), then the estimate. */
static BalStatus save(void *self, BalMethodCtx *c, struct BalWriter *w, BalError *err) {
    const Gblend *b = self;
    const uint64_t bytes = b->start ? bal_session_state_bytes(c->session, b->start) : 0;
    BAL_TRY(bal_method_put(w, b->w, sizeof b->w, err));
    BAL_TRY(bal_method_put(w, &bytes, sizeof bytes, err));
    if (!bytes) return BAL_OK;
    BAL_TRY(bal_method_put(w, &b->at, sizeof b->at, err));
    return bal_method_put(w, b->start, bytes, err);
}

static BalStatus damaged(BalError *err) {
    return BAL_FAIL(err, BAL_E_FORMAT, "the saved estimate of gblend is damaged");
}

static BalStatus load(void *self, BalMethodCtx *c, const struct BalMap *saved, BalError *err) {
    Gblend *b = self;
    size_t at = 0;
    uint64_t bytes;
    BAL_TRY(bal_method_take(saved, &at, b->w, sizeof b->w, err));
    BAL_TRY(bal_method_take(saved, &at, &bytes, sizeof bytes, err));
    if (!bytes) return BAL_OK;
    BAL_TRY(bal_method_take(saved, &at, &b->at, sizeof b->at, err));
    if (bytes < 16 || bytes != saved->size - at || b->at.model < 0 || b->at.model >= N_MODELS) return damaged(err);
    BAL_TRY(bal_alloc(&b->start, 1, bytes, err));
    BAL_TRY(bal_method_take(saved, &at, b->start, bytes, err));
    return bytes == bal_session_state_bytes(c->session, b->start) ? BAL_OK : damaged(err);
}

static void reset(void *self) {
    Gblend *b = self;
    for (int k = 0; k < 2; k++) bal_free(b->part[k]);
    bal_free(b->start);
}

#define AT(field) offsetof(Gblend, field)
static const BalOption OPTIONS[] = {
    {"gblend.mode", "offline", "when the weights are estimated", BAL_OPT_ENUM, AT(mode), 0, 0, MODES},
    {"gblend.share", "0.1", "of the train clips, held out for the estimate", BAL_OPT_REAL, AT(share), 0.001, 0.9, NULL},
    {"gblend.probe_epochs", "0", "offline: epochs of a probe; 0: those of the training", BAL_OPT_INT, AT(probe_epochs),
     0, 100000, NULL},
    {"gblend.super_epoch", "10", "online: epochs between two estimates, and of a probe", BAL_OPT_INT, AT(super_epoch),
     1, 100000, NULL},
    {"gblend.audio", "0.36", "fixed: weight of the audio head", BAL_OPT_REAL, AT(fixed[0]), 0, 1000, NULL},
    {"gblend.visual", "0.27", "fixed: weight of the visual head", BAL_OPT_REAL, AT(fixed[1]), 0, 1000, NULL},
    {"gblend.joint", "0.37", "fixed: weight of the joint head", BAL_OPT_REAL, AT(fixed[2]), 0, 1000, NULL},
    {0}};

const BalMethodOps bal_method_gblend = {
    .name = "gblend",
    .summary = "three heads, weighted by how little each overfits for what it gains",
    .paper = "Wang et al. 2020, What Makes Training Multi-Modal Classification Networks Hard?",
    .cost = {1, 1, "offline and online: three probes of as many epochs as their weights serve"},
    .inputs = BAL_TAG_AUDIO | BAL_TAG_VISUAL,
    .state_size = sizeof(Gblend),
    .options = OPTIONS,
    .build = build,
    .epoch_begin = epoch_begin,
    .loss = loss,
    .save = save,
    .load = load,
    .reset = reset,
};
