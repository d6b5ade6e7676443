/* CML's loss. */
#ifndef BAL_METHODS_CML_H
#define BAL_METHODS_CML_H

#include <stdbool.h>
#include <stdint.h>

/* Of logits z [n,c] and of those with one modality removed: half the sum of their mean cross-entropies, and weight times how much surer of its
 * answer the network became by the removal, summed over the batch and, if positive, counted (per_clip: counted clip by clip). dz, dremoved
 * [n,c]: gradients. */
double bal_cml_loss(const float *z, const float *removed, const int32_t *y, int n, int c, double weight, bool per_clip,
                    float *dz, float *dremoved);

#endif
