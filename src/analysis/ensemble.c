/* The plainest way to use two modalities: average what two unimodal models say of a clip. */
#include "analysis/ensemble.h"

#include <float.h>
#include <math.h>

bool bal_match_columns(const BalPredictions *a, const BalPredictions *v, int *match) {
    if (a->n_columns != v->n_columns) return false;
    for (int k = 0; k < a->n_columns; k++) {
        int c = 0;
        while (c < v->n_columns && (v->column[c] != a->column[k] || (v->column[c] < 0 && c != k))) c++;
        if (c == v->n_columns) return false;
        match[k] = c;
    }
    return true;
}

static double sum_exp(const float *z, int n, float top) {
    double sum = 0;
    for (int k = 0; k < n; k++) sum += exp((double)(z[k] - top));
    return sum;
}

static float largest(const float *z, int n) {
    float top = z[0];
    for (int k = 1; k < n; k++) top = fmaxf(top, z[k]);
    return top;
}

/* The logarithm of a probability of 0 is -inf. Two models that are sure of different classes have it in every sum, and all classes would
 * be equal; as that of the smallest number above 0, classes of which one model is sure stay above those that both exclude. */
static double finite_logit(float z) {
    return isinf(z) ? log((double)FLT_TRUE_MIN) : z;
}

int bal_ensemble_top(const float *a, const float *v, const int *match, int n, bool probabilities) {
    const float top_a = largest(a, n), top_v = largest(v, n);
    const double sum_a = probabilities ? sum_exp(a, n, top_a) : 1, sum_v = probabilities ? sum_exp(v, n, top_v) : 1;
    double best = -INFINITY;
    int top = 0;
    for (int k = 0; k < n; k++) {
        double x = finite_logit(a[k]), y = finite_logit(v[match[k]]);
        double mean = probabilities ? exp(x - top_a) / sum_a + exp(y - top_v) / sum_v : x + y;
        if (mean > best) {
            best = mean;
            top = k;
        }
    }
    return top;
}
