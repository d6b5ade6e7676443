/* Intervals and paired tests for accuracies.
 *
 * The bootstrap turns each resample into a count per clip; the accuracy of a run is then one product of two arrays, for all runs on
 * the same counts, which is what makes the comparison of methods a paired one. */
#include "analysis/statistics.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "base/thread.h"

#define EXACT_BELOW 1000
#define BLOCK       32 /* replicates per job */

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double bal_quantile(const double *sorted, int64_t n, double q) {
    double at = q * (double)(n - 1);
    int64_t k = (int64_t)at;
    return k + 1 < n ? sorted[k] + (at - (double)k) * (sorted[k + 1] - sorted[k]) : sorted[n - 1];
}

void bal_interval(double *x, int64_t n, double *low, double *high) {
    qsort(x, (size_t)n, sizeof *x, by_value);
    *low = bal_quantile(x, n, 0.025);
    *high = bal_quantile(x, n, 0.975);
}

double bal_bootstrap_p(const double *difference, int64_t n) {
    int64_t below = 0, above = 0;
    for (int64_t i = 0; i < n; i++) {
        below += difference[i] <= 0;
        above += difference[i] >= 0;
    }
    return fmin(1, 2 * (double)((below < above ? below : above) + 1) / (double)(n + 1));
}

double bal_mcnemar(int64_t b, int64_t c) {
    const int64_t n = b + c, least = b < c ? b : c;
    if (n == 0) return 1;
    if (n >= EXACT_BELOW) {
        double gap = fmax(0, fabs((double)(b - c)) - 1);
        return erfc(sqrt(gap * gap / (double)n / 2)); /* chi-square with one degree of freedom */
    }
    double sum = 0;
    for (int64_t k = 0; k <= least; k++)
        sum += exp(lgamma((double)n + 1) - lgamma((double)k + 1) - lgamma((double)(n - k) + 1) - (double)n * log(2));
    return fmin(1, 2 * sum);
}

typedef struct Resampling {
    const BalBootstrap *b;
    double *out;
    int most_runs;
    uint16_t *count; /* [threads,n] */
    double *share;   /* [threads,runs] of each run */
    double *pick;    /* [threads,most_runs] */
} Resampling;

/* Clips on which a run is right, each as often as it was drawn. Sums of 16 bits would overflow, those of a block do not. */
static int64_t weigh(const uint16_t *count, const uint8_t *right, int64_t n) {
    int64_t sum = 0;
    for (int64_t i = 0; i < n;) {
        uint32_t part = 0;
        for (int64_t end = i + 4096 < n ? i + 4096 : n; i < end; i++) part += (uint32_t)count[i] * right[i];
        sum += part;
    }
    return sum;
}

static void resample(const Resampling *s, int replicate, int worker) {
    const BalBootstrap *b = s->b;
    const int runs = b->first[b->n_methods];
    uint16_t *count = s->count + worker * b->n;
    double *share = s->share + (int64_t)worker * runs, *pick = s->pick + (int64_t)worker * s->most_runs;
    BalRng clips = bal_rng(b->seed, BAL_RNG_BOOTSTRAP, 2 * b->stream, (uint64_t)replicate),
           picks = bal_rng(b->seed, BAL_RNG_BOOTSTRAP, 2 * b->stream + 1, (uint64_t)replicate);
    memset(count, 0, (size_t)b->n * sizeof *count);
    for (int64_t i = 0; i < b->n; i++) count[bal_rng_below(&clips, (uint64_t)b->n)]++;
    for (int k = 0; k < s->most_runs; k++) pick[k] = bal_rng_uniform(&picks);
    for (int k = 0; k < runs; k++) share[k] = (double)weigh(count, b->right + k * b->n, b->n) / (double)b->n;
    for (int m = 0; m < b->n_methods; m++) {
        const int first = b->first[m], n_runs = b->first[m + 1] - first;
        double sum = 0;
        for (int k = 0; k < n_runs; k++) sum += share[first + (int)(pick[k] * n_runs)];
        s->out[(int64_t)m * b->replicates + replicate] = sum / n_runs;
    }
}

static BalStatus resample_block(void *user, int64_t block, int worker, BalError *err) {
    (void)err;
    const Resampling *s = user;
    for (int k = (int)block * BLOCK; k < (int)(block + 1) * BLOCK && k < s->b->replicates; k++) resample(s, k, worker);
    return BAL_OK;
}

BalStatus bal_bootstrap(const BalBootstrap *b, double *out, BalError *err) {
    Resampling s = {.b = b, .out = out, .most_runs = 1};
    const size_t threads = (size_t)(b->threads > 0 ? b->threads : bal_cpu_count());
    BalStatus rc;
    if (b->n < 1) return BAL_FAIL(err, BAL_E_ARG, "there are no clips to resample");
    for (int m = 0; m < b->n_methods; m++)
        if (b->first[m + 1] - b->first[m] > s.most_runs) s.most_runs = b->first[m + 1] - b->first[m];
    BAL_TRY_OR(done, bal_alloc(&s.count, threads * (size_t)b->n, sizeof *s.count, err));
    BAL_TRY_OR(done, bal_alloc(&s.share, threads * (size_t)b->first[b->n_methods], sizeof *s.share, err));
    BAL_TRY_OR(done, bal_alloc(&s.pick, threads * (size_t)s.most_runs, sizeof *s.pick, err));
    rc = bal_parallel((int)threads, (b->replicates + BLOCK - 1) / BLOCK, 64, resample_block, NULL, &s, err);
done:
    bal_free(s.count);
    bal_free(s.share);
    bal_free(s.pick);
    return rc;
}
