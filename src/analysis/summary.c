/* A table of scores in the few numbers that people ask for first, overall, per split and per class. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <avbalance/analysis.h>
#include "analysis/statistics.h"
#include "base/mem.h"

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Distances between the n discrepancies d (sorted here) and the uniform distribution on [-1,1], whose distribution function is
 * F(x) = (x + 1) / 2. Both integrate or compare the step function of d exactly. */
static void distance_from_uniform(double *d, int64_t n, BalGroupSummary *g) {
    int64_t count[BAL_UNIFORM_BINS] = {0};
    double ks = 0, area = 0;
    qsort(d, (size_t)n, sizeof *d, by_value);
    for (int64_t i = 0; i < n; i++) {
        double f = (d[i] + 1) / 2, below = (double)i / (double)n, above = (double)(i + 1) / (double)n;
        ks = fmax(ks, fmax(f - below, above - f));
        int bin = (int)(f * BAL_UNIFORM_BINS);
        count[bin < BAL_UNIFORM_BINS ? bin : BAL_UNIFORM_BINS - 1]++;
    }
    /* Between two neighbours the step function is a constant h and F rises from f0 to f1; with dx = 2 df the area between them
     * is a trapezium, or two triangles where they cross. */
    for (int64_t i = 0; i <= n; i++) {
        double f0 = i ? (d[i - 1] + 1) / 2 : 0, f1 = i < n ? (d[i] + 1) / 2 : 1, h = (double)i / (double)n;
        double a = h - f0, b = h - f1;
        area += a * b < 0 ? a * a + b * b : fabs(a + b) * (f1 - f0);
    }
    g->ks = ks;
    g->wasserstein = area;
    g->kl = 0;
    for (int k = 0; k < BAL_UNIFORM_BINS; k++) {
        double p = (double)count[k] / (double)n;
        if (p > 0) g->kl += p * log(p * BAL_UNIFORM_BINS);
    }
}

/* Over the rows that say something; NaN where none does. */
static double mean_of(const double *column, const int64_t *row, int64_t n) {
    int64_t known = 0;
    double sum = 0;
    for (int64_t k = 0; column && k < n; k++) {
        if (isnan(column[row[k]])) continue;
        sum += column[row[k]];
        known++;
    }
    return known ? sum / (double)known : NAN;
}

/* Summary of n rows; d: scratch of n numbers. */
static BalGroupSummary summarise(const BalScores *s, const char *name, const int64_t *row, int64_t n, double *d) {
    static const BalScoreColumn sd[2] = {BAL_SCORE_SD_AUDIO, BAL_SCORE_SD_VISUAL};
    static const BalScoreColumn correct[2] = {BAL_SCORE_CORRECT_AUDIO, BAL_SCORE_CORRECT_VISUAL};
    BalGroupSummary g = {.name = name, .n = n, .undecided = -1};
    const double *a = s->value[BAL_SCORE_U_AUDIO], *v = s->value[BAL_SCORE_U_VISUAL];
    for (int64_t k = 0; k < n; k++) {
        double x = a[row[k]] - v[row[k]];
        d[k] = x;
        g.audio_preferred += x > 0;
        g.visual_preferred += x < 0;
        g.ties += x == 0;
        g.beyond_02 += fabs(x) > 0.2 + BAL_DECIMAL_SLACK;
        g.beyond_04 += fabs(x) > 0.4 + BAL_DECIMAL_SLACK;
        g.mean_abs_d += fabs(x);
    }
    g.mean_abs_d /= (double)n;
    g.mean_u_audio = mean_of(a, row, n);
    g.mean_u_visual = mean_of(v, row, n);
    g.mean_d = g.mean_u_audio - g.mean_u_visual;
    for (int m = 0; m < 2; m++) {
        g.sd[m] = mean_of(s->value[sd[m]], row, n);
        g.correct[m] = mean_of(s->value[correct[m]], row, n);
    }
    if (s->value[BAL_SCORE_UNDECIDED]) {
        g.undecided = 0;
        for (int64_t k = 0; k < n; k++) g.undecided += s->value[BAL_SCORE_UNDECIDED][row[k]] > 0;
    }
    distance_from_uniform(d, n, &g);
    return g;
}

static int from_heard_to_seen(const void *a, const void *b) {
    const BalGroupSummary *x = a, *y = b;
    if (x->mean_d != y->mean_d) return x->mean_d < y->mean_d ? 1 : -1;
    return strcmp(x->name, y->name);
}

static int by_name(const void *a, const void *b) {
    return strcmp(((const BalGroupSummary *)a)->name, ((const BalGroupSummary *)b)->name);
}

/* One summary per value of `group` (label or split); rows without one are left out. row, d: scratch of s->n. */
static BalStatus summarise_groups(const BalScores *s, const int32_t *group, const char *const *names, int n_groups,
                                  int64_t *row, double *d, BalGroupSummary **out, int *n_out, BalError *err) {
    int64_t *start = NULL;
    BAL_TRY(bal_alloc(out, (size_t)n_groups, sizeof **out, err));
    BAL_TRY(bal_alloc(&start, (size_t)n_groups + 2, sizeof *start, err));
    for (int64_t i = 0; i < s->n; i++) /* counting sort of the rows by group; start[g + 1] ends as the end of group g */
        if (group[i] >= 0) start[group[i] + 2]++;
    for (int g = 0; g < n_groups; g++) start[g + 2] += start[g + 1];
    for (int64_t i = 0; i < s->n; i++)
        if (group[i] >= 0) row[start[group[i] + 1]++] = i;
    for (int g = 0; g < n_groups; g++) {
        int64_t n = start[g + 1] - start[g];
        if (n) (*out)[(*n_out)++] = summarise(s, names[g], row + start[g], n, d);
    }
    bal_free(start);
    return BAL_OK;
}

BalStatus bal_summary_make(BalSummary *out, const BalScores *s, BalError *err) {
    BalSummary m = {0};
    int64_t *row = NULL;
    double *d = NULL;
    BalStatus rc;
    if (s->n < 1) return BAL_FAIL(err, BAL_E_ARG, "there are no scores to summarise");
    BAL_TRY_OR(fail, bal_alloc(&row, (size_t)s->n, sizeof *row, err));
    BAL_TRY_OR(fail, bal_alloc(&d, (size_t)s->n, sizeof *d, err));
    BAL_TRY_OR(fail, summarise_groups(s, s->split, s->splits, s->n_splits, row, d, &m.split, &m.n_splits, err));
    BAL_TRY_OR(fail, summarise_groups(s, s->label, s->labels, s->n_labels, row, d, &m.label, &m.n_labels, err));
    for (int64_t i = 0; i < s->n; i++) row[i] = i;
    m.all = summarise(s, "all", row, s->n, d);
    if (m.n_splits) qsort(m.split, (size_t)m.n_splits, sizeof *m.split, by_name);
    if (m.n_labels) qsort(m.label, (size_t)m.n_labels, sizeof *m.label, from_heard_to_seen);
    *out = m;
    m = (BalSummary){0};
fail:
    bal_summary_reset(&m);
    bal_free(row);
    bal_free(d);
    return rc;
}

void bal_summary_reset(BalSummary *s) {
    bal_free(s->split);
    bal_free(s->label);
    *s = (BalSummary){0};
}
