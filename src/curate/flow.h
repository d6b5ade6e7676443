/* Flow through classes into bins: which numbers of clips per class and bin are possible under limits on both, which is the most, and
 * which sets of classes and bins stand in the way. How it is found: flow.c. */
#ifndef BAL_CURATE_FLOW_H
#define BAL_CURATE_FLOW_H

#include <stdbool.h>
#include <stdint.h>
#include <avbalance/error.h>

/* Limits on the number of clips; those of cells are fixed when the flow is made. All are inclusive and within [0, 2^60]. */
typedef struct BalLimits {
    const int64_t *class_low, *class_high; /* [n_classes] */
    const int64_t *bin_low, *bin_high;     /* [n_bins] */
} BalLimits;

/* A set of classes and bins. With what crosses its border it shows that something is impossible, to whoever adds up the limits:
 *
 * BAL_CUT_BINS     the bins outside need more than the classes outside may give and those inside have there
 * BAL_CUT_CLASSES  the classes inside must give more than they have outside its bins and its bins may take
 * BAL_CUT_SIZE     no more clips: the limits of the classes outside, what those inside have in bins outside, the limits of bins inside
 *
 * Must-keep clips of classes outside in bins inside count for the first two and against the last. */
typedef enum BalCutKind { BAL_CUT_NONE, BAL_CUT_BINS, BAL_CUT_CLASSES, BAL_CUT_SIZE } BalCutKind;

typedef struct BalFlow { /* zero, then bal_flow_make; bal_flow_reset frees */
    int n_classes, n_bins, n_nodes, n_arcs;
    const int64_t *low; /* [n_classes][n_bins] the caller's */
    const int64_t *high;
    int *from, *to;  /* [n_arcs]; arc a ^ 1 leads back */
    int64_t *cap;    /* [n_arcs] what still fits */
    int *first;      /* [n_nodes + 1] arcs of a node in `arc` */
    int *arc;        /* [n_arcs] */
    int *cell;       /* [n_classes * n_bins] arc of a cell, -1 where it has no clip */
    int *level;      /* [n_nodes] steps from where the last search began, -1: not reached */
    int *next, *via; /* [n_nodes] arcs to try, arcs reached by */
    int64_t *total;  /* [n_nodes] */
    bool *closed;    /* [n_nodes] */
    BalCutKind cut;  /* what the last failure or the last maximum shows */
} BalFlow;

/* low, high: [n_classes][n_bins] clips that must be kept and that there are, 0 <= low <= high; borrowed. BAL_E_NOMEM. */
BAL_MUST_USE BalStatus bal_flow_make(BalFlow *f, int n_classes, int n_bins, const int64_t *low, const int64_t *high,
                                     BalError *err);
void bal_flow_reset(BalFlow *f);

/* Find any flow within the limits. False where there is none; the cut says why. */
bool bal_flow_find(BalFlow *f, const BalLimits *l);
/* From a flow found under the same limits to one of the most clips, which it returns; the cut says why there is not one more. */
int64_t bal_flow_maximise(BalFlow *f);
bool bal_cut_has_class(const BalFlow *f, int c);
bool bal_cut_has_bin(const BalFlow *f, int b);

/* Among the flows of as many clips, the one whose bins are least apart: the sum of x_b^2 / weight_b is the least possible (weight NULL:
 * all 1; the bins are then least majorised, so that no other choice of that size is more even by any measure). */
void bal_flow_even_bins(BalFlow *f, const int64_t *weight);
/* Among the flows with the same clips in every bin, the one whose classes are least apart. */
void bal_flow_even_classes(BalFlow *f);

void bal_flow_read(const BalFlow *f, int64_t *x); /* [n_classes][n_bins] */

#endif
