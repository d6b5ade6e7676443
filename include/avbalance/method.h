/* Learning methods: one const table per paper, hooks around a training step.
 *
 * The trainer (train.h) owns files, epochs and batches; a method owns what happens in between. It says which network it wants,
 * turns a batch into gradients, may edit the gradients, and says which logits are its answer. A NULL hook means what plain late
 * fusion does: one forward pass, mean cross-entropy of the output "logits", one backward sweep, one update of everything.
 * Methods know no files and no ranks. */
#ifndef AVBALANCE_METHOD_H
#define AVBALANCE_METHOD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <avbalance/error.h>
#include <avbalance/graph.h>
#include <avbalance/session.h>

struct BalModelOps;
struct BalOption;
struct BalWriter;
struct BalMap;

/* What the network is built for: shapes of one clip, the encoder that the recipe names. */
typedef struct BalNetSpec {
    const struct BalModelOps *encoder;
    BalShape audio, visual; /* [1,1,F,T] or a row per patch, [K,C,H,W] */
    int n_classes;
} BalNetSpec;

/* What the session must provide (session.h): passes alive at once, gradient buffers, sweeps per pass. */
typedef struct BalMethodNeeds {
    int n_slots, n_grads, n_sweeps;
} BalMethodNeeds;

typedef struct BalMethodBatch {  /* borrowed until the next batch */
    const float *audio, *visual; /* [n,1,F,T], [n,K,C,H,W]; NULL where the method does not ask for it */
    const int32_t *label;        /* [n] in [0,n_classes) */
    const int64_t *clip;         /* [n] store index */
    int n;
    /* [n] BAL_TAG_AUDIO | BAL_TAG_VISUAL: the modalities of each clip that are to be seen; NULL: both. bal_method_forward hands them
     * as 1 and 0 to the graph's scales "audio.keep" and "visual.keep" (bal_graph_scale). From the epoch's list of samples
     * (bal_method_sample); `plan` and `loss` may set their own, which last for the batch. */
    const unsigned char *keep;
} BalMethodBatch;

struct BalTrainServices;

typedef struct BalMethodCtx { /* borrowed for one hook call */
    BalSession *session;
    uint64_t seed;
    int n_classes;
    uint32_t epoch, n_epochs; /* epoch counts from 0 */
    int64_t step, n_steps;    /* of this epoch */
    BalMethodBatch batch;
    float *z, *dz; /* [n,n_classes] scratch; after `loss` z holds the logits of the running training accuracy */
    double loss;   /* written by `loss`: the scalar that is logged, a mean over the batch */
    /* one batch may take several sub-steps, each with its own loss, grad and update */
    int sub, n_subs;        /* plan may raise n_subs above 1 */
    BalOptimiser optimiser; /* of the next update; the recipe's (set before each sub-step) unless a hook changes it */
    unsigned epoch_tags;    /* parameters that this epoch trains; 0: all (train.head_epochs) */
    /* Parameters that the next update moves; epoch_tags (set before each sub-step) unless a hook changes it; BAL_TAG_NONE: none. */
    unsigned update_tags;
    const struct BalTrainServices
        *services; /* what bal_method_clips and its neighbours call; NULL outside a training */
    void *trainer;
} BalMethodCtx;

typedef BalStatus BalMethodHook(void *self, BalMethodCtx *c, BalError *err);

typedef struct BalMethodCost { /* of one training step, in forward and backward passes of plain late fusion */
    double forward, backward;
    const char *beside; /* what is done between steps, as words; NULL: nothing */
} BalMethodCost;

typedef struct BalMethodOps {
    const char *name, *summary, *paper;
    BalMethodCost cost;
    unsigned inputs;   /* BAL_TAG_AUDIO, BAL_TAG_VISUAL: what it wants to be fed */
    bool needs_val;    /* it asks for validation clips: without any a run is refused before it begins */
    size_t state_size; /* zeroed block handed to every hook as self */
    /* (optional) encoders whose first weights must be those of runs of `audio` and `visual` (BalFitSpec.init) */
    const char *teacher[2];
    const struct BalOption
        *options; /* (optional) over that block, which opens with their defaults; names "<method>.*" */
    /* Declare inputs "audio", "visual", the network and its outputs; g is unfinished. *needs is preset to 1, 1, 1. */
    BalStatus (*build)(void *self, const BalNetSpec *net, BalGraph *g, BalMethodNeeds *needs, BalError *err);
    BalMethodHook *epoch_begin, *epoch_end; /* (optional) */
    BalMethodHook *plan;                    /* (optional) before the batch: passes, masks, sub-steps */
    BalMethodHook *loss; /* (optional) forward, loss, backward into gradient buffer 0; NULL: bal_method_loss */
    BalMethodHook *grad; /* (optional) after backward, before the update: edit gradients, choose update_tags */
    /* (optional) logits [n,n_classes] of the forward pass in slot 0; NULL: the output "logits" */
    BalStatus (*predict)(void *self, BalMethodCtx *c, float *logits, BalError *err);
    /* (optional) probabilities [n,n_classes] from those logits; NULL: softmax */
    void (*confidence)(void *self, const float *logits, int n, int n_classes, float *p);
    /* (optional) what a resumed run needs beside weights and moments, through bal_method_put and bal_method_take; c holds session and
     * sizes, but no batch */
    BalStatus (*save)(void *self, BalMethodCtx *c, struct BalWriter *w, BalError *err);
    BalStatus (*load)(void *self, BalMethodCtx *c, const struct BalMap *saved, BalError *err);
    void (*reset)(void *self); /* (optional) frees what self holds */
} BalMethodOps;

/* ---- registry ---- */
/* By name; BAL_E_ARG names the closest and lists all. *out has static storage. */
BAL_API BAL_MUST_USE BalStatus bal_method_find(const BalMethodOps **out, const char *name, BalError *err);
BAL_API int bal_method_count(void);
BAL_API const BalMethodOps *bal_method_at(int i);

/* ---- what the trainer calls; each takes the NULL hooks into account ---- */
typedef struct BalMethod { /* a method with its state; zero is valid, bal_method_close frees */
    const BalMethodOps *ops;
    void *self;
} BalMethod;
BAL_API BAL_MUST_USE BalStatus bal_method_open(BalMethod *out, const char *name, BalError *err);
/* The same for a table that need not be in the registry; ops must outlive the method. */
BAL_API BAL_MUST_USE BalStatus bal_method_open_ops(BalMethod *out, const BalMethodOps *ops, BalError *err);
BAL_API void bal_method_close(BalMethod *m);
/* One batch: plan, then per sub-step loss, grad, update with `optimiser`. BAL_E_NUMERIC: the loss is not finite (c->loss has
 * it); the parameters are then as before the sub-step. */
BAL_API BAL_MUST_USE BalStatus bal_method_step(BalMethod *m, BalMethodCtx *c, const BalOptimiser *optimiser,
                                               BalError *err);
/* Forward in eval mode, then logits [n,n_classes] and probabilities of the batch; p may be NULL. */
BAL_API BAL_MUST_USE BalStatus bal_method_score(BalMethod *m, BalMethodCtx *c, float *logits, float *p, BalError *err);

/* ---- building blocks for hooks ---- */
/* Feed the batch to a slot and run it forward in mode. */
BAL_API BAL_MUST_USE BalStatus bal_method_forward(const BalMethodOps *ops, BalMethodCtx *c, int slot, BalMode mode,
                                                  BalError *err);
/* The default `loss`: forward, cross-entropy of "logits", backward. */
BAL_API BAL_MUST_USE BalStatus bal_method_loss(const BalMethodOps *ops, BalMethodCtx *c, BalError *err);

/* `save` puts pieces one after another, `load` takes them in that order. */
BAL_API BAL_MUST_USE BalStatus bal_method_put(struct BalWriter *w, const void *data, size_t bytes, BalError *err);
/* *at is 0 before the first piece. BAL_E_FORMAT: fewer bytes are left than asked for. */
BAL_API BAL_MUST_USE BalStatus bal_method_take(const struct BalMap *saved, size_t *at, void *data, size_t bytes,
                                               BalError *err);

/* ---- what hooks may ask of the trainer ----
 * Where c->services is NULL, bal_method_log does nothing and the others fail with BAL_E_UNSUPPORTED. All but bal_method_log are for
 * epoch_begin and epoch_end only (BAL_E_ARG): inside an epoch its batches are under way. */
typedef enum BalClipPart {
    BAL_PART_TRAIN,
    BAL_PART_VAL
} BalClipPart;             /* train: without the held out fold; never test */
typedef struct BalSample { /* a clip, and what of it is to be seen */
    int64_t clip;
    unsigned char keep; /* BAL_TAG_AUDIO | BAL_TAG_VISUAL */
} BalSample;
typedef struct BalMethodPass { /* over clips, each with what is to be seen of it */
    const BalSample *sample;   /* [n], borrowed for the call; repetition is allowed */
    int64_t n;
    bool
        train; /* in the shuffled order and the batches of a training epoch, with train transforms; else in the order given,
                     * in evaluation batches, with test transforms */
    uint32_t epoch; /* with `train`: names the order and the random transforms */
} BalMethodPass;

/* Value of this epoch under a name (at most 47 bytes, at most 32 names): the epoch's line in log.jsonl gets the mean of what was
 * logged since the last line. Any hook may call it. */
BAL_API BAL_MUST_USE BalStatus bal_method_log(BalMethodCtx *c, const char *name, double value, BalError *err);
/* Clips of a part in store order, nothing masked; borrowed until the run ends. n may be 0 for BAL_PART_VAL. */
BAL_API BAL_MUST_USE BalStatus bal_method_clips(BalMethodCtx *c, BalClipPart part, const BalSample **sample, int64_t *n,
                                                BalError *err);
/* Choose about `share` (0 < share < 1) of the train clips, whole sources together, classes in proportion: held[i] becomes 1 for
 * them, in the order of bal_method_clips. Depends on the seed and the clips alone. BAL_E_ARG: too few sources. */
BAL_API BAL_MUST_USE BalStatus bal_method_hold_out(BalMethodCtx *c, double share, unsigned char *held, BalError *err);
/* Call fn once per batch with c->batch set (and c->optimiser as the recipe has it for the epoch); fn runs the forward pass in the mode it
 * wants, and whatever follows. With `train`, a last batch of one clip gets the pass's first beside it. */
BAL_API BAL_MUST_USE BalStatus bal_method_pass(BalMethodCtx *c, const BalMethodPass *pass, BalMethodHook *fn,
                                               void *user, BalError *err);
/* Nested training, for probes: one epoch over the samples, whose number names its order, its transforms and its learning rate; each batch
 * is a forward and backward pass by `loss` (as the hook of that name) and an update of `tags`. It moves weights, statistics and
 * moments: take bal_session_snapshot_state before and restore it after. BAL_E_NUMERIC: the loss is not finite. */
BAL_API BAL_MUST_USE BalStatus bal_method_train(BalMethodCtx *c, const BalSample *sample, int64_t n, uint32_t epoch,
                                                BalMethodHook *loss, void *user, unsigned tags, BalError *err);
/* For work in epoch_begin that takes long: a checkpoint here, if one is due. It holds the session as it is and what `save` writes; a run
 * that is continued from it calls epoch_begin again after `load`, which then goes on from there. BAL_E_ARG in epoch_end. */
BAL_API BAL_MUST_USE BalStatus bal_method_keep(BalMethodCtx *c, BalError *err);
/* What the next epochs train on, until it is given again: copied; kept with checkpoints. The epoch shuffles it. n >= 2. */
BAL_API BAL_MUST_USE BalStatus bal_method_sample(BalMethodCtx *c, const BalSample *sample, int64_t n, BalError *err);

typedef struct BalTrainServices { /* the trainer's side of these calls; `trainer` is c->trainer */
    BalStatus (*log)(void *trainer, const char *name, double value, BalError *err);
    BalStatus (*clips)(void *trainer, BalClipPart part, const BalSample **sample, int64_t *n, BalError *err);
    BalStatus (*hold_out)(void *trainer, double share, unsigned char *held, BalError *err);
    BalStatus (*pass)(void *trainer, const BalMethodPass *pass, BalMethodHook *fn, void *user, BalError *err);
    BalStatus (*sample)(void *trainer, const BalSample *sample, int64_t n, BalError *err);
    BalStatus (*keep)(void *trainer, BalError *err);
} BalTrainServices;

#endif
