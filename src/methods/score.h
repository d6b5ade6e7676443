/* How sure logits are of the true labels. */
#ifndef BAL_METHODS_SCORE_H
#define BAL_METHODS_SCORE_H

#include <math.h>
#include <stdint.h>

/* Sum over the batch of softmax(z)_y; z [n,c]. */
static inline double bal_sum_score(const float *z, const int32_t *y, int n, int c) {
    double score = 0;
    for (int i = 0; i < n; i++, z += c) {
        double sum = 0;
        for (int k = 0; k < c; k++) sum += exp((double)z[k] - z[y[i]]);
        score += 1 / sum;
    }
    return score;
}

#endif
