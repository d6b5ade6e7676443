/* The greedy learner's schedule and rates, apart from networks. Side 0 is sound, side 1 picture. */
#ifndef BAL_METHODS_GREEDY_H
#define BAL_METHODS_GREEDY_H

#include <stdbool.h>
#include <stdint.h>

typedef struct BalGreedyNorms { /* of one regular step: sums of squares over a group's tensors */
    double bypass_gg[2], bypass_ww[2], main_gg[2], main_ww[2];
} BalGreedyNorms;

typedef struct BalGreedySchedule { /* plain data: saved as it is */
    double bypass[2], main[2];     /* sums since the first step of gg / ww */
    int32_t side, left; /* re-balancing steps to come, with the gate of `side` held; left 0: a regular step comes */
} BalGreedySchedule;

/* Add a regular step's ratios; returns the difference of conditional learning speeds, log10(bypass / main) of sound minus picture's. */
double bal_greedy_speed(BalGreedySchedule *s, const BalGreedyNorms *n);
/* After a step: a regular one begins `window` re-balancing steps where the speeds differ by more than `tolerance`, a re-balancing
 * one counts down. */
void bal_greedy_next(BalGreedySchedule *s, double d_speed, double tolerance, int window, bool decide);
/* Mean over batches, each with equal weight: mean [c] of n batches so far takes in gates [rows,c]. */
void bal_greedy_take_in(float *mean, int64_t n, const float *gate, int rows, int c);
/* Conditional utilisation rates from accuracies of both branches with the other modality (on) and without (off): u[0] of picture
 * given sound, u[1] of sound given picture; returns u[0] - u[1]. */
double bal_greedy_utilisation(const double on[2], const double off[2], double u[2]);

#endif
