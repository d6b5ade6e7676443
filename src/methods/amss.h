/* AMSS' keep ratios and filters. */
#ifndef BAL_METHODS_AMSS_H
#define BAL_METHODS_AMSS_H

#include <stdint.h>
#include <stdbool.h>
#include "base/rng.h"

/* Cross-entropy of the batch's label frequencies with the softmax of these frequencies, as the published code has it. */
double bal_amss_label_entropy(const int32_t *y, int n, int c);
double bal_amss_feature_entropy(const float *f, int n, int d); /* batch mean of the entropy of softmax(f), f [n,d] */
/* keep[0] audio, keep[1] visual: share of filters to be taught, by the cross-entropy of each modality's logits, the label entropy and
 * the feature entropies: the weaker keeps more. */
void bal_amss_ratios(const double ce[2], double labels, const double features[2], double temperature, double keep[2]);
/* factor [n]: 0 for the filters left out; 1 (plus: 1 / (importance + 1/n)) for `kept` of them, drawn without replacement in proportion
 * to their importance [n], which sums to 1. */
void bal_amss_draw(const double *importance, int n, int kept, bool plus, BalRng *r, float *factor);

#endif
