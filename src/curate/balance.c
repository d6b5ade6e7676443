/* Measures of unevenness: see the public header. All are Schur-convex but the last, which knows where the bins lie. */
#include "curate/balance.h"

#include <math.h>

static BalBalance no_balance(void) {
    return (BalBalance){NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN};
}

/* Gini's sum of (2 rank - n - 1) x without sorting: the mean absolute difference over all pairs. */
static double gini(const int64_t *x, const bool *marked, int n, double clips, int bins) {
    double sum = 0;
    for (int i = 0; i < n; i++)
        for (int j = 0; j < i; j++)
            if (!marked || (marked[i] && marked[j])) sum += fabs((double)(x[i] - x[j]));
    return sum / (clips * bins);
}

BalBalance bal_balance_of(const int64_t *x, const bool *marked, int n) {
    BalBalance b = {0};
    int64_t clips = 0, least = INT64_MAX, most = 0;
    int bins = 0;
    double below = 0; /* share of the clips in the bins so far */
    for (int i = 0; i < n; i++) {
        if (marked && !marked[i]) continue;
        bins++;
        clips += x[i];
        if (x[i] < least) least = x[i];
        if (x[i] > most) most = x[i];
    }
    if (!clips) return no_balance();
    for (int i = 0, k = 0; i < n; i++) {
        if (marked && !marked[i]) continue;
        double q = (double)x[i] / (double)clips, even = (double)clips / bins, gap = (double)x[i] - even;
        if (x[i]) b.kl += q * log(q * bins);
        b.chi2 += gap * gap / even;
        b.tv += fabs(q - 1.0 / bins) / 2;
        below += q;
        if (++k < bins) b.w1_bins += fabs(below - (double)k / bins);
    }
    if (b.kl < 0) b.kl = 0; /* rounding */
    b.kl_norm = bins > 1 ? b.kl / log(bins) : 0;
    b.spread = bins > 1 ? sqrt(b.chi2 / (double)clips / (bins - 1)) : 0;
    b.gini = gini(x, marked, n, (double)clips, bins);
    b.max_min = least ? (double)most / (double)least : NAN;
    return b;
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
