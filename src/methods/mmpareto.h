/* MMPareto's merging of two gradients, apart from where they lie. a11, a12, a22: inner products of the multimodal gradient (1) and the
 * unimodal one (2). */
#ifndef BAL_METHODS_MMPARETO_H
#define BAL_METHODS_MMPARETO_H

/* Weight of gradient 1 in the shortest vector w g1 + (1 - w) g2. */
double bal_mmpareto_min_norm(double a11, double a12, double a22);
/* Factors of one tensor's gradients, by its own products, for weights w of the encoder: f[0] g1 + f[1] g2 is gamma times 2 w[0] g1 +
 * 2 w[1] g2, made at least as long as g1 + g2. */
void bal_mmpareto_factors(double a11, double a12, double a22, const double w[2], double gamma, double f[2]);

#endif
