/* A plan: one graph, instantiated for a number of clips and a mode, with its kernels prepared and its memory laid out. */
#ifndef BAL_ENGINE_PLAN_H
#define BAL_ENGINE_PLAN_H

#include "engine/graph.h"

enum { PLAN_MAX_SHARES = 64 }; /* uses of one value */

typedef struct Piece { /* a stretch of the arena, needed from step `from` to step `to` */
    size_t bytes, at;
    int from, to;
    int root; /* index of the piece whose memory this one shares; itself if none */
} Piece;

typedef struct PlanOp {
    BalOp op; /* shapes of the real batch */
    int node; /* of the parameters */
    int norm; /* of the batch norm that is folded into this convolution's parameters (fold.c), -1: none */
    BalVal in[BAL_MAX_IN], out;
    bool backward; /* its output has a gradient */
    BalKernel *forward_kernel, *backward_kernel;
    int saved, dx[BAL_MAX_IN]; /* pieces, -1: none; dx[i] is this op's share of the gradient of in[i] */
    bool given[BAL_MAX_IN];    /* within a sweep: dx[i] has been written */
} PlanOp;

typedef struct PlanValue {
    int piece;        /* -1: held by the slot (inputs), or fused away */
    int op;           /* producer, -1: none */
    int limit;        /* gradient shares that the producer's kernel adds itself: 1 or 2 */
    BalKernel *merge; /* add of two shares, where there may be more than `limit` */
} PlanValue;

typedef struct Plan {
    int n; /* clips */
    BalMode mode;
    PlanOp *op;
    PlanValue *value; /* by BalVal - 1 */
    Piece *piece;
    int n_ops, n_pieces;
    size_t cap_pieces, arena_bytes, scratch_bytes;
} Plan;

typedef struct PlanFor { /* what a plan is made for */
    const BalGraph *graph;
    const BalBackendOps *backend;
    void *self;
    BalDtype dtype;
    int n_sweeps;
    bool fold; /* in eval mode batch norms and ReLUs become part of the convolution before them */
} PlanFor;

BAL_MUST_USE BalStatus bal_plan_create(Plan **out, const PlanFor *f, int n, BalMode mode, BalError *err);
void bal_plan_destroy(const PlanFor *f, Plan **plan);
/* The op of a node for n clips. */
BalOp bal_plan_op(const PlanFor *f, int node, int n);

#endif
