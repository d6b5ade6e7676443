/* The plan of a selection: how many clips to keep per class and bin, and why not more. */
#ifndef BAL_CURATE_PLAN_H
#define BAL_CURATE_PLAN_H

#include "curate/rule.h"

typedef struct BalPlan { /* zero is valid; bal_plan_reset frees */
    bool possible;       /* else nothing is kept, and `conflict` says why */
    int64_t *x;          /* [n_classes][n_bins] clips to keep */
    int64_t kept, level; /* level: 0 where the policy has none */
    bool optimal;        /* `size` and `above` prove that no more can be kept under the policy */
    BalCut size;         /* no more clips at this level */
    BalCut above;        /* no higher level; none for policies that do not choose it */
    int64_t tried;   /* the highest level that is not excluded by `above`; where nothing is possible, of the conflict */
    BalCut conflict; /* of classes: no level is low enough */
} BalPlan;

/* Solve exactly. Among the largest selections it takes one with the most even bins (relative to their weights), among those with these
 * bins one with the most even classes, and among those one in which classes and bins have little to do with each other: no two classes
 * could exchange clips of two bins and be more even. spec must have been checked. BAL_E_NOMEM. */
BAL_MUST_USE BalStatus bal_plan_make(BalPlan *out, const BalSelectSpec *spec, const BalCells *cells, BalError *err);
/* Only how many clips can be kept, 0 where nothing is possible: faster, for those who ask often. */
BAL_MUST_USE BalStatus bal_plan_size(int64_t *kept, const BalSelectSpec *spec, const BalCells *cells, BalError *err);
void bal_plan_reset(BalPlan *p);

#endif
