/* Diagnosing & Re-learning's measures. */
#ifndef BAL_METHODS_RELEARNING_H
#define BAL_METHODS_RELEARNING_H

#include "base/rng.h"
#include <avbalance/error.h>

/* Per dimension to [-1,1], x [n,d]; a dimension without spread becomes 0. */
void bal_relearning_rescale(float *x, int64_t n, int d);
/* Lloyd's k-means from k-means++ seeds, at most 100 rounds: cluster [n] in [0,k). k <= n. BAL_E_NOMEM. */
BAL_MUST_USE BalStatus bal_relearning_cluster(const float *x, int64_t n, int d, int k, BalRng *r, int *cluster,
                                              BalError *err);
/* Share of the clips whose label is the most frequent of their cluster; count [k * c] is scratch. */
double bal_relearning_purity(const int *cluster, const int32_t *label, int64_t n, int k, int c, int64_t *count);
/* How far an encoder goes back to its first weights: tanh(lambda |train - val|). */
double bal_relearning_weight(double train, double val, double lambda);

#endif
