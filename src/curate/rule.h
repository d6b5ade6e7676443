/* What a policy asks, as limits on classes and bins, and what a cut proves under them. Shared by those who solve (plan.c), those who
 * check (verify.c) and those who explain; it knows no solver. */
#ifndef BAL_CURATE_RULE_H
#define BAL_CURATE_RULE_H

#include <avbalance/select.h>
#include "curate/flow.h"

typedef struct BalCells { /* clips per class and bin; borrowed everywhere */
    int n_classes, n_bins;
    const int64_t *n, *must; /* [n_classes][n_bins]; must <= n */
} BalCells;

extern const char *const bal_policy_names[BAL_POLICIES + 1]; /* NULL at the end */

#define BAL_MOST_CLIPS ((int64_t)1 << 48) /* times 10,000 classes it is still a number */

typedef struct BalRule { /* zero, then bal_rule_make; bal_rule_reset frees */
    const BalSelectSpec *spec;
    const BalCells *cells;
    int64_t all;               /* clips; no limit is above it by more than one */
    int64_t *bin_n, *bin_must; /* [n_bins] */
    int64_t *weight;           /* [n_bins] share of a bin in the target */
    bool *eligible;            /* [n_bins] */
    int n_eligible;
    int64_t low_ppm, high_ppm; /* a bin of weight w at level t has low_ppm t w .. high_ppm t w millionths */
    int64_t class_low, class_high;
} BalRule;

/* spec, cells: borrowed while the rule lives. BAL_E_NOMEM. */
BAL_MUST_USE BalStatus bal_rule_make(BalRule *r, const BalSelectSpec *spec, const BalCells *cells, BalError *err);
void bal_rule_reset(BalRule *r);

/* Does the policy choose its level (strict, ratio, plane)? A larger level raises all limits of bins. */
bool bal_rule_has_levels(const BalRule *r);
int64_t bal_rule_low(const BalRule *r, int b, int64_t level);
int64_t bal_rule_high(const BalRule *r, int b, int64_t level);
/* The largest level at which every eligible bin has enough clips for its lower limit, and the first bin that stops the next one. */
int64_t bal_rule_top(const BalRule *r, int *bin);

typedef struct BalCut { /* see flow.h; zero is no cut */
    BalCutKind kind;
    bool *class_in, *bin_in; /* [n_classes], [n_bins] */
} BalCut;
BAL_MUST_USE BalStatus bal_cut_make(BalCut *c, const BalCells *cells, BalError *err);
void bal_cut_reset(BalCut *c);
/* BAL_CUT_BINS, BAL_CUT_CLASSES: by how many clips a selection at this level would break its limits; above 0 there is none. Such a cut
 * of bins excludes all higher levels too, one of classes all lower ones. BAL_CUT_SIZE: no selection at this level, nor at a lower one,
 * has more clips than this. */
int64_t bal_cut_value(const BalCut *c, const BalRule *r, int64_t level);

#endif
