/* On-the-fly gradient modulation: the coefficients, apart from networks. */
#ifndef BAL_METHODS_OGM_H
#define BAL_METHODS_OGM_H

typedef enum BalOgmVariant { BAL_OGM_2022_05, BAL_OGM_PAPER, BAL_OGM_FIRST, BAL_OGM_BENCHMARK } BalOgmVariant;

/* score: sums of audio, visual; k: factor of each encoder's gradient, in [0,1]. */
void bal_ogm_coefficients(BalOgmVariant variant, double alpha, const double score[2], double k[2]);

#endif
