/* Modality dropout: now and then a clip is trained on without its sound or without its picture.
 *
 * Which clip loses what depends on (seed, epoch, clip) alone. No clip loses both: such a draw is made again. What is left is not scaled up, and
 * nothing is dropped when clips are scored. */
#include "base/mem.h"
#include "base/option.h"
#include "base/rng.h"
#include "methods/late.h"
#include "methods/registry.h"

typedef struct Dropout {
    double audio, visual; /* probability of losing it */
    int fusion;
    unsigned char *keep; /* [n] of the batch */
    size_t cap;
} Dropout;

static BalStatus build(void *self, const BalNetSpec *net, BalGraph *g, BalMethodNeeds *needs, BalError *err) {
    (void)needs, (void)err;
    bal_late_build(((Dropout *)self)->fusion, net, g);
    return BAL_OK;
}

static unsigned char draw(const Dropout *d, BalRng *r) {
    for (;;) {
        const bool audio = bal_rng_uniform(r) >= d->audio, visual = bal_rng_uniform(r) >= d->visual;
        if (audio || visual) return (unsigned char)((audio ? BAL_TAG_AUDIO : 0) | (visual ? BAL_TAG_VISUAL : 0));
    }
}

static BalStatus plan(void *self, BalMethodCtx *c, BalError *err) {
    Dropout *d = self;
    BAL_TRY(bal_grow(&d->keep, &d->cap, (size_t)c->batch.n, 1, err));
    for (int i = 0; i < c->batch.n; i++) {
        BalRng r = bal_rng(c->seed, BAL_RNG_METHOD, c->epoch, (uint64_t)c->batch.clip[i]);
        d->keep[i] = draw(d, &r);
    }
    c->batch.keep = d->keep;
    return BAL_OK;
}

static void reset(void *self) {
    bal_free(((Dropout *)self)->keep);
}

static const BalOption OPTIONS[] = {{"dropout.audio", "0.25", "probability that a clip is trained on without its sound",
                                     BAL_OPT_REAL, offsetof(Dropout, audio), 0, 0.95, NULL},
                                    {"dropout.visual", "0.25",
                                     "probability that a clip is trained on without its picture", BAL_OPT_REAL,
                                     offsetof(Dropout, visual), 0, 0.95, NULL},
                                    {"dropout.fusion", "concat", "head that joins the modalities", BAL_OPT_ENUM,
                                     offsetof(Dropout, fusion), 0, 0, bal_late_choices},
                                    {0}};

const BalMethodOps bal_method_dropout = {
    .name = "dropout",
    .summary = "modality dropout: clips are now and then trained on without sound or without picture",
    .paper = "Neverova et al. 2016, ModDrop: Adaptive Multi-Modal Gesture Recognition",
    .cost = {1, 1, NULL},
    .inputs = BAL_TAG_AUDIO | BAL_TAG_VISUAL,
    .state_size = sizeof(Dropout),
    .options = OPTIONS,
    .build = build,
    .plan = plan,
    .reset = reset,
};
