/* MLA's projection of the shared head's gradient and its dynamic fusion. */
#ifndef BAL_METHODS_MLA_H
#define BAL_METHODS_MLA_H

#include <stdbool.h>

/* Move the projection P [d,d] by the batch's mean feature r [d]; k [d] is scratch. elementwise: the denominator of the published code, a matrix
 * alpha + k r^T; else the number alpha + r.k of recursive least squares, which the paper means. */
void bal_mla_project(double *P, const double *r, double *k, int d, double alpha, bool elementwise);
/* G [c,d] <- G P^T; row [d] is scratch. */
void bal_mla_turn(float *G, const double *P, double *row, int c, int d);
/* z [n,c] of two heads, each weighed by how little entropy its answer has, clip by clip: into a. */
void bal_mla_fuse(float *a, const float *v, int n, int c);

#endif
