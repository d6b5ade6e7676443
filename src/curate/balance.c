/* Measures of unevenness: see the public header. All are Schur-convex but the last, which knows where the bins lie. */
#include "curate/balance.h"

#include <math.h>

static BalBalance no_balance(void) {
    return (BalBalance){NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN};
}

/* Weight of a bin in the target; NULL: all are equal. */
static double weight_of(const int64_t *weight, int i) {
    return weight ? (double)weight[i] : 1;
}

/* Gini's sum of (2 rank - n - 1) x without sorting: the mean absolute difference over all pairs, of clips per weight. */
static double gini(const int64_t *x, const bool *marked, const int64_t *weight, int n, double clips, double weights) {
    double sum = 0;
    for (int i = 0; i < n; i++)
        for (int j = 0; j < i; j++)
            if (!marked || (marked[i] && marked[j]))
                sum += fabs((double)x[i] * weight_of(weight, j) - (double)x[j] * weight_of(weight, i));
    return sum / (clips * weights);
}

BalBalance bal_balance_to(const int64_t *x, const bool *marked, const int64_t *weight, int n) {
    BalBalance b = {0};
    int64_t clips = 0;
    int bins = 0;
    double weights = 0, lightest = INFINITY, least = INFINITY, most = 0; /* the last two per weight */
    double below = 0, due = 0; /* share of the clips in the bins so far; weights of these */
    for (int i = 0; i < n; i++) {
        if (marked && !marked[i]) continue;
        const double w = weight_of(weight, i);
        bins++;
        clips += x[i];
        weights += w;
        lightest = fmin(lightest, w);
        least = fmin(least, (double)x[i] / w);
        most = fmax(most, (double)x[i] / w);
    }
    if (!clips) return no_balance();
    for (int i = 0, k = 0; i < n; i++) {
        if (marked && !marked[i]) continue;
        const double w = weight_of(weight, i), q = (double)x[i] / (double)clips, even = (double)clips * w / weights,
                     gap = (double)x[i] - even;
        if (x[i]) b.kl += q * log(q * weights / w);
        b.chi2 += gap * gap / even;
        b.tv += fabs(q - w / weights) / 2;
        below += q;
        due += w;
        if (++k < bins) b.w1_bins += fabs(below - due / weights);
    }
    if (b.kl < 0) b.kl = 0; /* rounding */
    b.kl_norm = bins > 1 ? b.kl / log(weights / lightest) : 0;
    b.spread = bins > 1 ? sqrt(b.chi2 / (double)clips / (weights / lightest - 1)) : 0;
    b.gini = gini(x, marked, weight, n, (double)clips, weights);
    b.max_min = least > 0 ? most / least : NAN;
    return b;
}

BalBalance bal_balance_of(const int64_t *x, const bool *marked, int n) {
    return bal_balance_to(x, marked, NULL, n);
}

BalBalance bal_balance(const int64_t *x, int n) {
    return bal_balance_of(x, NULL, n);
}

double bal_balance_get(const BalBalance *b, BalBudget which) {
    return which == BAL_BUDGET_KL        ? b->kl
           : which == BAL_BUDGET_CHI2    ? b->chi2
           : which == BAL_BUDGET_GINI    ? b->gini
           : which == BAL_BUDGET_MAX_MIN ? b->max_min
                                         : NAN;
}
