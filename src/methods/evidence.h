/* Subjective logic on class evidence, in double: what TMC's loss is made of. */
#ifndef BAL_METHODS_EVIDENCE_H
#define BAL_METHODS_EVIDENCE_H

#include <stdint.h>

enum { EVIDENCE_VIEWS = 3 }; /* most views */

double bal_digamma(double x); /* x > 0; relative error below 1e-12 away from digamma's zero */
double bal_trigamma(double x);

/* Views z[0..n_views), each logits [n,c], whose evidence is softplus(z). log_alpha [n,c]: ln(1 + combined evidence), whose softmax is
 * the expected class probability under the combined Dirichlet distribution. */
void bal_evidence_combine(const float *const *z, int n_views, int n, int c, float *log_alpha);

/* Batch mean, over labels y [n], of the losses of all views and of their combination; each is the expected cross-entropy plus
 * lambda times the divergence of what speaks for wrong classes from no evidence at all. dz[v] [n,c]: gradient by z[v]. */
double bal_evidence_loss(const float *const *z, int n_views, const int32_t *y, int n, int c, double lambda,
                         float *const *dz);

#endif
