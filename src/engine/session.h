/* A session's inside: the graph's parameters on a backend, and slots that hold passes. */
#ifndef BAL_ENGINE_SESSION_H
#define BAL_ENGINE_SESSION_H

#include "engine/plan.h"

typedef struct ParamPlace { /* in the block of weights (and of every gradient and moment), or of running statistics */
    size_t at, floats;      /* with the backend's padding */
    int64_t count;          /* logical */
    int64_t steps;          /* updates so far */
} ParamPlace;

typedef struct Held { /* what the caller handed over: an input in the backend's layout, the coefficients of a scale */
    void *at;
    size_t bytes;
    int n; /* clips; 0: nothing, or all coefficients 1 */
} Held;

typedef struct Seed {
    void *at;
    size_t bytes;
    bool set;
} Seed;

typedef struct Slot {
    char *arena;
    size_t arena_bytes;
    Held *held; /* by node */
    Seed *seed; /* by output */
    Plan *plan; /* of the last forward, NULL: none */
    int sweeps; /* backward sweeps since then */
} Slot;

typedef struct Folded { /* weight and bias of a convolution with the batch norm behind it folded in */
    float *w, *b;
    size_t w_floats, b_floats;
    uint64_t version; /* of the parameters that they are made from */
} Folded;

struct BalSession {
    BalSessionConfig cfg;
    const BalGraph *g;
    const BalBackendOps *b;
    void *self; /* the backend's */
    PlanFor plan_for;
    ParamPlace *place;
    float *w, *state, **grad, *m1, *m2; /* m1, m2: from the first update that needs them */
    size_t w_floats, state_floats;
    uint64_t version; /* of w */
    int64_t batches;  /* forward passes in train mode: torch's num_batches_tracked */
    int64_t settled;  /* clips of the passes in settle mode just before, with weights of settled_version */
    uint64_t settled_version;
    Slot *slot;
    Folded *folded; /* by node, with cfg.fold */
    Plan **plan;
    int n_plans;
    size_t cap_plans;
    void *scratch;
    size_t scratch_bytes, bytes;
    float *host; /* of the largest parameter */
};

BAL_MUST_USE BalStatus bal_session_take(BalSession *s, size_t bytes, void *out, BalError *err);
void bal_session_give(BalSession *s, void *address, size_t bytes);
/* param.c */
BAL_MUST_USE BalStatus bal_session_params_open(BalSession *s, BalError *err);
BAL_MUST_USE BalStatus bal_session_init(BalSession *s, BalError *err);
BAL_MUST_USE BalStatus bal_session_check_grad(const BalSession *s, int grad, BalError *err);
static inline bool param_meets(const GraphParam *p, unsigned tags) {
    return p->is.trainable && (!tags || (p->is.tags & tags));
}
/* fold.c: the folded parameters of a plan, made anew where they are older than the weights. */
BAL_MUST_USE BalStatus bal_session_fold(BalSession *s, const Plan *plan, BalError *err);
void bal_session_unfold(BalSession *s); /* frees */
/* Where parameter i is, in the block of weights or of running statistics. */
static inline float *param_at(const BalSession *s, int i) {
    return (s->g->param[i].is.trainable ? s->w : s->state) + s->place[i].at;
}
/* Layout changes of parameter i: `at` is its place in any block of its kind. */
BAL_MUST_USE BalStatus bal_session_pack(BalSession *s, int i, float *at, const float *plain, BalError *err);
BAL_MUST_USE BalStatus bal_session_unpack(BalSession *s, int i, float *plain, const float *at, BalError *err);

#endif
