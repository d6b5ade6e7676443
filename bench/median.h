/* The median of measured times. */
#ifndef BAL_BENCH_MEDIAN_H
#define BAL_BENCH_MEDIAN_H

#include <stdlib.h>

static inline int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Of n > 0 values; sorts them, the least first. */
static inline double median(double *x, int n) {
    qsort(x, (size_t)n, sizeof *x, by_value);
    return x[n / 2];
}

#endif
