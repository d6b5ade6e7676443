/* Ensemble of an audio-only and a visual-only model. */
#ifndef BAL_ANALYSIS_ENSEMBLE_H
#define BAL_ANALYSIS_ENSEMBLE_H

#include <avbalance/analysis.h>

/* match: [a->n_columns] column of v for each column of a; false where they do not have the same classes. */
bool bal_match_columns(const BalPredictions *a, const BalPredictions *v, int *match);
/* Column of a with the largest mean: of the logits a and v, [n] each, or of their softmax. The first of equal ones. */
int bal_ensemble_top(const float *a, const float *v, const int *match, int n, bool probabilities);

#endif
