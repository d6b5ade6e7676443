/* Losses on the host: logits are few, so they need no backend. */
#include <avbalance/session.h>
#include <math.h>

double bal_softmax_ce(const float *z, const int32_t *y, int n, int c, double weight, float *dz, float *p) {
    double loss = 0;
    for (int i = 0; i < n; i++, z += c) {
        double top = z[0], sum = 0;
        for (int k = 1; k < c; k++) top = z[k] > top ? z[k] : top;
        for (int k = 0; k < c; k++) sum += exp(z[k] - top);
        loss += log(sum) + top - z[y[i]];
        for (int k = 0; k < c; k++) {
            const double q = exp(z[k] - top) / sum;
            if (p) p[(int64_t)i * c + k] = (float)q;
            if (dz) dz[(int64_t)i * c + k] = (float)(weight * (q - (k == y[i])) / n);
        }
    }
    return loss / n;
}
