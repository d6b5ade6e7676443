/* AGM's coefficients, apart from where logits come from. */
#ifndef BAL_METHODS_AGM_H
#define BAL_METHODS_AGM_H

#include <stdint.h>

/* Logits [n,c]: of the whole network, without picture, without sound; running: mean scores so far. score[0] audio, score[1] visual: mean of -log p
 * of the label by what that modality adds to the logits (Shapley); k: factors of its gradient. */
void bal_agm_coefficients(const float *z, const float *unseen, const float *unheard, const int32_t *y, int n, int c,
                          double alpha, const double running[2], double score[2], double k[2]);

#endif
