/* OPM's drop rates. */
#ifndef BAL_METHODS_OPM_H
#define BAL_METHODS_OPM_H

/* q[0] audio, q[1] visual: probability of dropping a feature, by the summed scores of the two; returns theta, the share of features that is
 * expected to be lost, for features of width[0], width[1]. */
double bal_opm_rates(const double score[2], double base, double lambda, const int width[2], double q[2]);

#endif
