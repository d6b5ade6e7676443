/* MMCosine's logits and their gradient, one modality: features f [n,d], weight w [c,d], dot = f w^T [n,c]. */
#ifndef BAL_METHODS_MMCOSINE_H
#define BAL_METHODS_MMCOSINE_H

/* z [n,c] = scale * cosine of f and w; a zero vector gives 0. norm [n + c]: lengths of the features, then of the weights. */
void bal_mmcosine(const float *f, const float *w, const float *dot, int n, int c, int d, double scale, double *norm,
                  float *z);
/* From dz: ddot [n,c], what goes back through the linear layer; and what the lengths add to it, df [n,d] and dw [c,d] (added). */
void bal_mmcosine_gradient(const float *f, const float *w, const float *z, const float *dz, int n, int c, int d,
                           double scale, const double *norm, float *ddot, float *df, float *dw);

#endif
