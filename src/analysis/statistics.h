/* Intervals and paired tests for accuracies. */
#ifndef BAL_ANALYSIS_STATISTICS_H
#define BAL_ANALYSIS_STATISTICS_H

#include <stdint.h>
#include <avbalance/error.h>

/* Differences of decimals are off by some 1e-16: d is beyond T where it is more than T by this, so that 0.9 - 0.7 is not beyond 0.2. */
#define BAL_DECIMAL_SLACK 1e-9

/* Quantile q in [0,1] of n >= 1 ascending numbers, between neighbours linear: numpy.quantile. */
double bal_quantile(const double *sorted, int64_t n, double q);

/* McNemar's test, two-sided: p that b against c discordant pairs differ by chance. Exact (binomial with 1/2) below 1,000 pairs,
 * chi-square with continuity correction from there on; 1 without any pair. */
double bal_mcnemar(int64_t b, int64_t c);

/* Accuracies of several methods on the same resamples of the same clips. A resample draws n clips, and for each method as many
 * of its runs as it has, both with replacement; all methods see the same clips, and methods with equally many runs the same runs.
 * right: [n_runs,n], 1 where the run is right; runs first[r] .. first[r + 1] - 1 are those of method r.
 * out: [n_methods,replicates]. Draws depend on (seed, stream, replicate) alone, so neither threads nor other methods change them. */
typedef struct BalBootstrap {
    const uint8_t *right;
    const int *first; /* [n_methods + 1] */
    int n_methods;
    int64_t n;
    int replicates, threads;
    uint64_t seed;
    uint32_t stream; /* below 2^23 */
} BalBootstrap;
BAL_MUST_USE BalStatus bal_bootstrap(const BalBootstrap *b, double *out, BalError *err);

/* 2.5 % and 97.5 % quantiles of x, which is sorted by this. */
void bal_interval(double *x, int64_t n, double *low, double *high);
/* Two-sided p of a bootstrapped difference: twice the smaller share at or beyond 0, the observed one counted in (Davison & Hinkley
 * 1997, eq. 4.11); at most 1. */
double bal_bootstrap_p(const double *difference, int64_t n);

#endif
