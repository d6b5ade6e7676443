/* Sample-level modality valuation and re-sampling (Wei et al., CVPR 2024).
 *
 * After each epoch from the warm-up's last on, every train clip is answered from both modalities and from each alone (the other's
 * features zeroed, in one pass, as the head is linear). What a modality contributes to a clip is its Shapley value with a right
 * answer from both counting 2. The next epoch then sees every clip, and besides it copies in which only the modality that contributes
 * too little is kept:
 *
 *   sample    by the clip's own values, up to three copies
 *   modality  by the mean over a fifth of the clips: a share of them, drawn at random, for the modality that is lower on the whole
 *
 * The list is made from scratch each time. */
#include "methods/valuation.h"
#include <math.h>
#include <string.h>
#include "base/mem.h"
#include "base/option.h"
#include "base/rng.h"
#include "methods/late.h"
#include "methods/registry.h"

typedef struct Valuation {
    int level;
    int64_t warmup;
    double alpha;
    unsigned char *right; /* of each sample of the running pass: bits 1 from both, 2 from sound, 4 from picture */
    size_t cap;
    int64_t at;
} Valuation;

enum { SAMPLE, MODALITY }; /* places in LEVELS */
static const char *const LEVELS[] = {"sample", "modality", NULL};
static const unsigned char KEEP[] = {BAL_TAG_AUDIO, BAL_TAG_VISUAL};

static BalStatus build(void *self, const BalNetSpec *net, BalGraph *g, BalMethodNeeds *needs, BalError *err) {
    (void)self, (void)needs, (void)err;
    bal_late_build_kept(net, g);
    return BAL_OK;
}

void bal_valuation(bool both, bool audio, bool visual, double phi[2]) {
    phi[0] = (audio + 2.0 * both - visual) / 2;
    phi[1] = (visual + 2.0 * both - audio) / 2;
}

int bal_valuation_copies(double phi) {
    return phi >= 1 ? 0 : phi > 0.4 ? 1 : phi > -0.1 ? 2 : 3;
}

static bool is_right(const float *z, int y, int c) {
    for (int k = 0; k < c; k++)
        if (z[k] > z[y] || (z[k] == z[y] && k < y)) return false;
    return true;
}

/* One batch of the pass that values samples, in their order. */
static BalStatus look(void *self, BalMethodCtx *c, BalError *err) {
    static const char *const answer[] = {"logits", "kept_audio", "kept_visual"};
    Valuation *v = self;
    BAL_TRY(bal_method_forward(&bal_method_valuation, c, 0, BAL_MODE_EVAL, err));
    for (int k = 0; k < 3; k++) {
        BAL_TRY(bal_session_get(c->session, 0, answer[k], c->z, err));
        for (int i = 0; i < c->batch.n; i++)
            if (is_right(c->z + (size_t)i * (size_t)c->n_classes, c->batch.label[i], c->n_classes))
                v->right[v->at + i] |= (unsigned char)(1 << k);
    }
    v->at += c->batch.n;
    return BAL_OK;
}

static void value_of(const Valuation *v, int64_t i, double phi[2]) {
    bal_valuation(v->right[i] & 1, v->right[i] & 2, v->right[i] & 4, phi);
}

/* Fill v->right for n samples. */
static BalStatus look_at(Valuation *v, BalMethodCtx *c, const BalSample *sample, int64_t n, BalError *err) {
    v->at = 0;
    memset(v->right, 0, (size_t)n);
    return bal_method_pass(c, &(BalMethodPass){.sample = sample, .n = n}, look, v, err);
}

/* Mean contributions, for the log and for the rule by modality. */
static BalStatus mean_value(const Valuation *v, BalMethodCtx *c, int64_t n, double mean[2], BalError *err) {
    double phi[2];
    mean[0] = mean[1] = 0;
    for (int64_t i = 0; i < n; i++) {
        value_of(v, i, phi);
        for (int m = 0; m < 2; m++) mean[m] += phi[m] / (double)n;
    }
    BAL_TRY(bal_method_log(c, "contribution_audio", mean[0], err));
    return bal_method_log(c, "contribution_visual", mean[1], err);
}

/* list has room for 7 n: every clip, and at most three copies for each modality. */
static BalStatus by_sample(Valuation *v, BalMethodCtx *c, const BalSample *train, int64_t n, BalSample *list,
                           int64_t *n_list, BalError *err) {
    double phi[2];
    BAL_TRY(look_at(v, c, train, n, err));
    BAL_TRY(mean_value(v, c, n, phi, err));
    for (int64_t i = 0; i < n; i++) {
        value_of(v, i, phi);
        list[(*n_list)++] = train[i];
        for (int m = 0; m < 2; m++)
            for (int k = 0; k < bal_valuation_copies(phi[m]); k++)
                list[(*n_list)++] = (BalSample){train[i].clip, KEEP[m]};
    }
    return BAL_OK;
}

static BalStatus by_modality(Valuation *v, BalMethodCtx *c, const BalSample *train, int64_t n, BalSample *list,
                             int64_t *n_list, BalError *err) {
    const int64_t looked = (n + 4) / 5;
    double mean[2];
    BalRng r = bal_rng(c->seed, BAL_RNG_METHOD, c->epoch, 0);
    for (int64_t i = 0; i < looked; i++) list[i] = train[bal_rng_below(&r, (uint64_t)n)];
    BAL_TRY(look_at(v, c, list, looked, err));
    BAL_TRY(mean_value(v, c, looked, mean, err));
    const double share = fmin(fabs(mean[0] - mean[1]) * 2 / 3 * v->alpha, 6); /* list's room; |difference| <= 1.5 */
    memcpy(list, train, (size_t)n * sizeof *list);
    *n_list = n;
    for (int64_t k = llround(share * (double)n); k > 0; k--)
        list[(*n_list)++] = (BalSample){train[bal_rng_below(&r, (uint64_t)n)].clip, KEEP[mean[0] > mean[1]]};
    return BAL_OK;
}

static BalStatus epoch_end(void *self, BalMethodCtx *c, BalError *err) {
    Valuation *v = self;
    const BalSample *train;
    BalSample *list = NULL;
    int64_t n, n_list = 0;
    if ((int64_t)c->epoch + 1 < v->warmup || c->epoch + 1 == c->n_epochs) return BAL_OK;
    BAL_TRY(bal_method_clips(c, BAL_PART_TRAIN, &train, &n, err));
    BAL_TRY(bal_grow(&v->right, &v->cap, (size_t)n, 1, err));
    BAL_TRY(bal_alloc(&list, 7 * (size_t)n, sizeof *list, err));
    BalStatus rc = (v->level == SAMPLE ? by_sample : by_modality)(v, c, train, n, list, &n_list, err);
    if (rc == BAL_OK) rc = bal_method_sample(c, list, n_list, err);
    bal_free(list);
    return rc;
}

static void reset(void *self) {
    bal_free(((Valuation *)self)->right);
}

static const BalOption OPTIONS[] = {
    {"valuation.level", "sample", "whether clips are copied by their own values or by the mean", BAL_OPT_ENUM,
     offsetof(Valuation, level), 0, 0, LEVELS},
    {"valuation.warmup", "5", "epochs before the first valuation's effect", BAL_OPT_INT, offsetof(Valuation, warmup), 1,
     100000, NULL},
    {"valuation.alpha", "1", "strength of the rule by modality", BAL_OPT_REAL, offsetof(Valuation, alpha), 0, 10, NULL},
    {0}};

const BalMethodOps bal_method_valuation = {
    .name = "valuation",
    .summary = "clips to which a modality contributes too little are seen again with that modality alone",
    .paper = "Wei et al. 2024, Enhancing Multimodal Cooperation via Sample-level Modality Valuation",
    .cost = {1, 1, "a pass over the train clips per epoch; epochs of up to seven times the clips"},
    .inputs = BAL_TAG_AUDIO | BAL_TAG_VISUAL,
    .state_size = sizeof(Valuation),
    .options = OPTIONS,
    .build = build,
    .epoch_end = epoch_end,
    .reset = reset,
};
