/* Spearman's rank correlation, ties at their mean rank: how well estimated discrepancies order clips by a truth that is known. */
#include <math.h>
#include <stdlib.h>

#include <avbalance/analysis.h>

#include "base/mem.h"

typedef struct Ranked {
    double value, rank;
    int64_t at;
} Ranked;

static int by_value(const void *a, const void *b) {
    double x = ((const Ranked *)a)->value, y = ((const Ranked *)b)->value;
    return (x > y) - (x < y);
}

static int by_place(const void *a, const void *b) {
    int64_t x = ((const Ranked *)a)->at, y = ((const Ranked *)b)->at;
    return (x > y) - (x < y);
}

/* Ranks 0..n-1 of x, equal values sharing the mean of their ranks, back in the order of x. */
static void ranks(const double *x, int64_t n, Ranked *r) {
    for (int64_t i = 0; i < n; i++) r[i] = (Ranked){.value = x[i], .at = i};
    qsort(r, (size_t)n, sizeof *r, by_value);
    for (int64_t i = 0, end; i < n; i = end) {
        for (end = i + 1; end < n && !(r[end].value > r[i].value); end++) {
        }
        for (int64_t k = i; k < end; k++) r[k].rank = 0.5 * (double)(i + end - 1);
    }
    qsort(r, (size_t)n, sizeof *r, by_place);
}

BalStatus bal_spearman(const double *x, const double *y, int64_t n, double *rho, BalError *err) {
    if (n < 2)
        return BAL_FAIL(err, BAL_E_ARG, "a rank correlation needs at least two pairs, there are %lld", (long long)n);
    for (int64_t i = 0; i < n; i++)
        if (!isfinite(x[i]) || !isfinite(y[i]))
            return BAL_FAIL(err, BAL_E_NUMERIC, "pair %lld of a rank correlation is not finite", (long long)i);
    Ranked *a = NULL, *b = NULL;
    BalStatus rc;
    BAL_TRY_OR(done, bal_alloc(&a, (size_t)n, sizeof *a, err));
    BAL_TRY_OR(done, bal_alloc(&b, (size_t)n, sizeof *b, err));
    ranks(x, n, a);
    ranks(y, n, b);
    double mean = 0.5 * (double)(n - 1), xx = 0, yy = 0, xy = 0;
    for (int64_t i = 0; i < n; i++) {
        xx += (a[i].rank - mean) * (a[i].rank - mean);
        yy += (b[i].rank - mean) * (b[i].rank - mean);
        xy += (a[i].rank - mean) * (b[i].rank - mean);
    }
    *rho = xx > 0 && yy > 0 ? xy / sqrt(xx * yy) : 0;
done:
    bal_free(a);
    bal_free(b);
    return rc;
}
