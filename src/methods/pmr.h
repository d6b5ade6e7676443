/* PMR's comparison of features with class prototypes. */
#ifndef BAL_METHODS_PMR_H
#define BAL_METHODS_PMR_H

#include <stdint.h>

/* sim [n,c] = minus the distance of feature f [n,d] from prototype p [c,d]; a class whose prototype is missing (NaN in its first place) is
 * infinitely far. */
void bal_pmr_similarity(const float *f, const float *p, int n, int c, int d, float *sim);
/* df [n,d] for dsim [n,c]; a feature on its prototype gives none. */
void bal_pmr_gradient(const float *f, const float *p, const float *sim, const float *dsim, int n, int c, int d,
                      float *df);

#endif
