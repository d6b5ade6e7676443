/* ReconBoost's first loss. */
#ifndef BAL_METHODS_RECONBOOST_H
#define BAL_METHODS_RECONBOOST_H

#include <stdint.h>

/* Batch mean of -(w1 - w2 q_y) log p_y / C, where p is the softmax of z [n,c], the learner's logits, and q that of the others' [n,c], which are
 * constants; dz [n,c]. */
double bal_reconboost_loss(const float *z, const float *others, const int32_t *y, int n, int c, double w1, double w2,
                           float *dz);
/* Mean squared distance of softmax(z) and softmax(before), [n,c]; adds weight times its gradient to dz where that is not NULL. */
double bal_reconboost_agreement(const float *z, const float *before, int n, int c, double weight, float *dz);

#endif
