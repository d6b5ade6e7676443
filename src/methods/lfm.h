/* LFM's alignment and its curve. */
#ifndef BAL_METHODS_LFM_H
#define BAL_METHODS_LFM_H

/* Batch mean of 0.5 (KL(m||p) + KL(m||q)), p and q the softmax of a and v [n,c], m their mean. Adds `weight` times its gradient to da, dv. */
double bal_lfm_align(const float *a, const float *v, int n, int c, double weight, float *da, float *dv);
double bal_lfm_curve(double epoch); /* weight of the cross-entropy, epoch of 200 */

#endif
