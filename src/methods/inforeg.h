/* InfoReg's window and strength. */
#ifndef BAL_METHODS_INFOREG_H
#define BAL_METHODS_INFOREG_H

/* Growth of the Fisher information: (T - T') / T of the means over the last ten traces and over the ten before the last one; trace[10] is the
 * newest of the last eleven, 0 where there is none yet. 1 while all are 0. */
double bal_inforeg_growth(const double trace[11]);
/* Strength for each modality by the batch's sum-scores: the surer one is held back, the other has 0. */
void bal_inforeg_strength(const double score[2], const double strength[2], double beta[2]);

#endif
