/* Sample-level valuation's table. */
#ifndef BAL_METHODS_VALUATION_H
#define BAL_METHODS_VALUATION_H

#include <stdbool.h>

/* What sound and picture contribute to a right answer (Shapley): phi[0] audio, phi[1] visual, by whether the clip is answered rightly from
 * both, from sound alone, from picture alone. */
void bal_valuation(bool both, bool audio, bool visual, double phi[2]);
int bal_valuation_copies(double phi); /* more copies with that modality alone, the less it contributes: 0 to 3 */

#endif
