/* Learning methods: one const table per paper, hooks around a training step (methods.md 10.2).
 *
 * The trainer (train.h) owns files, epochs and batches; a method owns what happens in between. It says which network it wants,
 * turns a batch into gradients, may edit the gradients, and says which logits are its answer. A NULL hook means what plain late
 * fusion does: one forward pass, mean cross-entropy of the output "logits", one backward sweep, one update of everything.
 * Methods know no files and no ranks. */
#ifndef AVBALANCE_METHOD_H
#define AVBALANCE_METHOD_H

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
    BalShape audio, visual; /* [1,1,F,T], [K,C,H,W] */
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
} BalMethodBatch;

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
    unsigned update_tags;   /* parameters that the next update moves; 0 (set before each sub-step): all */
} BalMethodCtx;

typedef BalStatus BalMethodHook(void *self, BalMethodCtx *c, BalError *err);

typedef struct BalMethodOps {
    const char *name, *summary, *paper;
    unsigned inputs;   /* BAL_TAG_AUDIO, BAL_TAG_VISUAL: what it wants to be fed */
    size_t state_size; /* zeroed block handed to every hook as self */
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
    /* (optional) what a resumed run needs beside weights and moments; c holds session and sizes, but no batch */
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

#endif
