/* Diagnosing and re-learning (Wei et al., ECCV 2024).
 *
 * Plain late fusion, but now and then each encoder is examined: its features of train and of validation clips are clustered, and where the
 * clusters match the labels much better in training than in validation, the encoder has learnt too much by heart. It is then moved
 * towards its first weights, theta <- w theta_0 + (1 - w) theta with w = tanh(lambda |purity_train - purity_val|), and learns again. The
 * head, the running statistics and the optimiser's moments stay. As in the published code the first examination follows the epoch whose
 * number, from 0, is the interval.
 *
 * Gradient buffer 1 holds the first weights. At most `clips` clips of each part are looked at, drawn anew each time: clustering a large dataset
 * whole would take longer than training on it. Only a gap counts, so test data has no part in it, and validation labels do: accuracies of
 * this method on validation clips are a little flattered. */
#include "methods/relearning.h"
#include <math.h>
#include <string.h>
#include <avbalance/models.h>
#include "base/mem.h"
#include "base/option.h"
#include "methods/keep.h"
#include "methods/late.h"
#include "methods/registry.h"

enum { FIRST = 1 /* gradient buffer */, MAX_ROUNDS = 100 };

typedef struct Relearning {
    int64_t interval, times, clips;
    double lambda;
    int fusion, width;
    float *f[2]; /* [clips of the running pass,width] */
    int32_t *label;
    int64_t at;
} Relearning;

static const char *const FEATURES[] = {"features_audio", "features_visual"};
static const unsigned TAG[] = {BAL_TAG_AUDIO, BAL_TAG_VISUAL};

static BalStatus build(void *self, const BalNetSpec *net, BalGraph *g, BalMethodNeeds *needs, BalError *err) {
    Relearning *r = self;
    (void)err;
    needs->n_grads = 2;
    r->width = net->encoder->features;
    bal_late_build(r->fusion, net, g);
    return BAL_OK;
}

/* ---- measures ---- */
void bal_relearning_rescale(float *x, int64_t n, int d) {
    for (int k = 0; k < d; k++) {
        double low = INFINITY, high = -INFINITY;
        for (int64_t i = 0; i < n; i++) {
            low = fmin(low, x[i * d + k]);
            high = fmax(high, x[i * d + k]);
        }
        for (int64_t i = 0; i < n; i++)
            x[i * d + k] = high > low ? (float)(2 * (x[i * d + k] - low) / (high - low) - 1) : 0;
    }
}

static double distance(const float *a, const float *b, int d) {
    double sum = 0;
    for (int k = 0; k < d; k++) sum += ((double)a[k] - b[k]) * ((double)a[k] - b[k]);
    return sum;
}

/* k-means++: each next centre is a clip drawn in proportion to its squared distance from the nearest centre so far. */
static void seed_centres(const float *x, int64_t n, int d, int k, BalRng *r, double *nearest, float *centre) {
    int64_t chosen = (int64_t)bal_rng_below(r, (uint64_t)n);
    for (int64_t i = 0; i < n; i++) nearest[i] = INFINITY;
    for (int c = 0; c < k; c++) {
        double total = 0;
        memcpy(centre + (int64_t)c * d, x + chosen * d, (size_t)d * sizeof *x);
        for (int64_t i = 0; i < n; i++) {
            nearest[i] = fmin(nearest[i], distance(x + i * d, centre + (int64_t)c * d, d));
            total += nearest[i];
        }
        double left = bal_rng_uniform(r) * total;
        for (chosen = 0; chosen < n - 1 && left >= nearest[chosen]; chosen++) left -= nearest[chosen];
    }
}

/* Give each clip to its nearest centre; how many changed. */
static int64_t assign(const float *x, int64_t n, int d, int k, const float *centre, int *cluster) {
    int64_t changed = 0;
    for (int64_t i = 0; i < n; i++) {
        int best = 0;
        double least = INFINITY;
        for (int c = 0; c < k; c++) {
            const double at = distance(x + i * d, centre + (int64_t)c * d, d);
            if (at < least) least = at, best = c;
        }
        changed += cluster[i] != best;
        cluster[i] = best;
    }
    return changed;
}

/* Centres to the means of their clips; one without clips stays. */
static void move_centres(const float *x, int64_t n, int d, int k, const int *cluster, double *sum, float *centre) {
    for (int c = 0; c < k; c++) {
        int64_t count = 0;
        memset(sum, 0, (size_t)d * sizeof *sum);
        for (int64_t i = 0; i < n; i++) {
            if (cluster[i] != c) continue;
            count++;
            for (int j = 0; j < d; j++) sum[j] += x[i * d + j];
        }
        for (int j = 0; j < d && count; j++) centre[(int64_t)c * d + j] = (float)(sum[j] / (double)count);
    }
}

BalStatus bal_relearning_cluster(const float *x, int64_t n, int d, int k, BalRng *r, int *cluster, BalError *err) {
    float *centre = NULL;
    double *work = NULL;
    BAL_TRY(bal_alloc(&centre, (size_t)k * (size_t)d, sizeof *centre, err));
    const BalStatus rc = bal_alloc(&work, (size_t)(n > d ? n : d), sizeof *work, err);
    if (rc == BAL_OK) {
        for (int64_t i = 0; i < n; i++) cluster[i] = -1;
        seed_centres(x, n, d, k, r, work, centre);
        for (int round = 0; round < MAX_ROUNDS && assign(x, n, d, k, centre, cluster); round++)
            move_centres(x, n, d, k, cluster, work, centre);
    }
    bal_free(centre);
    bal_free(work);
    return rc;
}

double bal_relearning_purity(const int *cluster, const int32_t *label, int64_t n, int k, int c, int64_t *count) {
    int64_t right = 0;
    memset(count, 0, (size_t)k * (size_t)c * sizeof *count);
    for (int64_t i = 0; i < n; i++) count[(int64_t)cluster[i] * c + label[i]]++;
    for (int i = 0; i < k; i++) {
        int64_t most = 0;
        for (int j = 0; j < c; j++)
            if (count[(int64_t)i * c + j] > most) most = count[(int64_t)i * c + j];
        right += most;
    }
    return (double)right / (double)n;
}

double bal_relearning_weight(double train, double val, double lambda) {
    return tanh(lambda * fabs(train - val));
}

/* ---- one part of the data ---- */
static BalStatus collect(void *self, BalMethodCtx *c, BalError *err) {
    Relearning *r = self;
    BAL_TRY(bal_method_forward(&bal_method_relearning, c, 0, BAL_MODE_EVAL, err));
    for (int m = 0; m < 2; m++) BAL_TRY(bal_session_get(c->session, 0, FEATURES[m], r->f[m] + r->at * r->width, err));
    memcpy(r->label + r->at, c->batch.label, (size_t)c->batch.n * sizeof *r->label);
    r->at += c->batch.n;
    return BAL_OK;
}

/* Purities of both encoders' features of n samples. */
static BalStatus measure(Relearning *r, BalMethodCtx *c, const BalSample *sample, int64_t n, BalRng *rng, int *cluster,
                         int64_t *count, double purity[2], BalError *err) {
    const int k = n < c->n_classes ? (int)n : c->n_classes;
    r->at = 0;
    BAL_TRY(bal_method_pass(c, &(BalMethodPass){.sample = sample, .n = n}, collect, r, err));
    for (int m = 0; m < 2; m++) {
        bal_relearning_rescale(r->f[m], n, r->width);
        BAL_TRY(bal_relearning_cluster(r->f[m], n, r->width, k, rng, cluster, err));
        purity[m] = bal_relearning_purity(cluster, r->label, n, k, c->n_classes, count);
    }
    return BAL_OK;
}

static void forget(Relearning *r) {
    for (int m = 0; m < 2; m++) {
        bal_free(r->f[m]);
        r->f[m] = NULL;
    }
    bal_free(r->label);
    r->label = NULL;
}

static BalStatus examine(Relearning *r, BalMethodCtx *c, BalClipPart part, double purity[2], BalError *err) {
    const BalSample *clips;
    BalSample *sample = NULL;
    int64_t n, *order = NULL, *count = NULL;
    int *cluster = NULL;
    BalRng rng = bal_rng(c->seed, BAL_RNG_METHOD, c->epoch, (uint64_t)part);
    BAL_TRY(bal_method_clips(c, part, &clips, &n, err));
    const int64_t k = n < r->clips ? n : r->clips;
    BalStatus rc = bal_alloc(&order, (size_t)n, sizeof *order, err);
    if (rc == BAL_OK) rc = bal_alloc(&sample, (size_t)k, sizeof *sample, err);
    if (rc == BAL_OK) rc = bal_alloc(&cluster, (size_t)k, sizeof *cluster, err);
    if (rc == BAL_OK) rc = bal_alloc(&count, (size_t)c->n_classes * (size_t)c->n_classes, sizeof *count, err);
    if (rc == BAL_OK) rc = bal_alloc(&r->label, (size_t)k, sizeof *r->label, err);
    for (int m = 0; m < 2 && rc == BAL_OK; m++)
        rc = bal_alloc(&r->f[m], (size_t)k * (size_t)r->width, sizeof(float), err);
    if (rc == BAL_OK) {
        for (int64_t i = 0; i < n; i++) order[i] = i;
        bal_rng_shuffle(&rng, order, n);
        for (int64_t i = 0; i < k; i++) sample[i] = clips[order[i]];
        rc = measure(r, c, sample, k, &rng, cluster, count, purity, err);
    }
    bal_free(order);
    bal_free(sample);
    bal_free(cluster);
    bal_free(count);
    forget(r);
    return rc;
}

/* ---- epochs ---- */
static BalStatus go_back(BalMethodCtx *c, int i, double w, BalError *err) {
    const BalShape *s = &bal_session_param(c->session, i)->shape;
    float *plain = NULL;
    size_t n = 1;
    for (int k = 0; k < s->rank; k++) n *= (size_t)s->dim[k];
    BAL_TRY(bal_session_grad_param(c->session, 0, 0, 1 - w, i, err));
    BAL_TRY(bal_session_grad_axpy(c->session, 0, 1, FIRST, w, i, err));
    BAL_TRY(bal_alloc(&plain, n, sizeof *plain, err));
    BalStatus rc = bal_session_grad_get(c->session, 0, i, plain, err);
    if (rc == BAL_OK) rc = bal_session_param_set(c->session, i, plain, err);
    bal_free(plain);
    return rc;
}

static BalStatus remember(BalMethodCtx *c, BalError *err) {
    const BalSample *val;
    int64_t n;
    BAL_TRY(bal_method_clips(c, BAL_PART_VAL, &val, &n, err));
    if (!n)
        return BAL_FAIL(err, BAL_E_ARG,
                        "relearning compares train with validation clips, and the store has none of these: ingest with "
                        "--val-share, or mark clips as val in the manifest");
    for (int i = 0; i < bal_session_n_params(c->session); i++) {
        const BalParam *p = bal_session_param(c->session, i);
        if (p->trainable && p->tags & (TAG[0] | TAG[1]))
            BAL_TRY(bal_session_grad_param(c->session, FIRST, 0, 1, i, err));
    }
    return BAL_OK;
}

/* After an epoch, but with the next: what was scored and kept is what was trained. */
static BalStatus epoch_begin(void *self, BalMethodCtx *c, BalError *err) {
    Relearning *r = self;
    const int64_t ended = (int64_t)c->epoch - 1;
    double train[2] = {0}, val[2] = {0};
    if (!c->epoch) return remember(c, err);
    if (!ended || ended % r->interval || ended / r->interval > r->times) return BAL_OK;
    BAL_TRY(examine(r, c, BAL_PART_TRAIN, train, err));
    BAL_TRY(examine(r, c, BAL_PART_VAL, val, err));
    for (int m = 0; m < 2; m++) {
        const double w = bal_relearning_weight(train[m], val[m], r->lambda);
        BAL_TRY(bal_method_log(c, m ? "relearn_visual" : "relearn_audio", w, err));
        for (int i = 0; i < bal_session_n_params(c->session); i++) {
            const BalParam *p = bal_session_param(c->session, i);
            if (p->trainable && p->tags & TAG[m]) BAL_TRY(go_back(c, i, w, err));
        }
    }
    return BAL_OK;
}

/* ---- life ---- */
static BalStatus save(void *self, BalMethodCtx *c, struct BalWriter *w, BalError *err) {
    (void)self;
    return bal_keep_put(w, c, FIRST, TAG[0] | TAG[1], err);
}

static BalStatus load(void *self, BalMethodCtx *c, const struct BalMap *saved, BalError *err) {
    size_t at = 0;
    (void)self;
    return bal_keep_take(saved, &at, c, FIRST, TAG[0] | TAG[1], err);
}

static void reset(void *self) {
    forget(self);
}

static const BalOption OPTIONS[] = {
    {"relearning.interval", "20", "epochs from one examination to the next", BAL_OPT_INT,
     offsetof(Relearning, interval), 1, 100000, NULL},
    {"relearning.times", "3", "examinations in all", BAL_OPT_INT, offsetof(Relearning, times), 0, 1000, NULL},
    {"relearning.clips", "10000", "clips of each part that are looked at, at most", BAL_OPT_INT,
     offsetof(Relearning, clips), 2, 1e9, NULL},
    {"relearning.lambda", "3", "how far a gap takes an encoder back", BAL_OPT_REAL, offsetof(Relearning, lambda), 0,
     100, NULL},
    {"relearning.fusion", "concat", "head of the network", BAL_OPT_ENUM, offsetof(Relearning, fusion), 0, 0,
     bal_late_choices},
    {0}};

const BalMethodOps bal_method_relearning = {
    .name = "relearning",
    .summary = "encoders that cluster much better in training than in validation go back towards their first weights",
    .paper = "Wei et al. 2024, Diagnosing and Re-learning for Balanced Multimodal Learning",
    .cost = {1, 1, "three times a pass over train and validation clips, and a clustering"},
    .inputs = BAL_TAG_AUDIO | BAL_TAG_VISUAL,
    .needs_val = true,
    .state_size = sizeof(Relearning),
    .options = OPTIONS,
    .build = build,
    .epoch_begin = epoch_begin,
    .save = save,
    .load = load,
    .reset = reset,
};
