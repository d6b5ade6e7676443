/* Grouped, stratified assignment: greedy, largest source first.
 *
 * Sources are sorted by size (largest first; equal ones in an order drawn from seed and name), then each goes to the part whose
 * distance from the wish grows least. The distance is chi-square like: with x(p,c) clips of class c in part p and t(p,c) wanted,
 *
 *     sum over p, c of (x - t)^2 / t   +   sum over p of (X - T)^2 / T        (X, T: all classes together)
 *
 * so that small classes count as much as large ones and the sizes break ties. Adding a source with g(c) clips changes only its
 * own classes: g (2 (x - t) + g) / t each, hence n log n for the sort and k times the number of (source, class) pairs for the
 * rest. An exact optimum is a bin packing problem; nobody needs it. Order of the input does not matter: sources are named, the
 * pseudo-random order is a function of seed and name, and sums run over sorted lists. */
#include "dataset/groups.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"

typedef struct Member { /* one clip on its way through the sorts */
    const char *source;
    int label;
    int64_t clip;
} Member;

typedef struct Group { /* a run of members with the same source */
    int64_t first, n;
    uint64_t draw;
    const char *source;
} Group;

static int by_source(const void *a, const void *b) {
    const Member *x = a, *y = b;
    int d = strcmp(x->source, y->source);
    if (d) return d;
    if (x->label != y->label) return x->label < y->label ? -1 : 1;
    return (x->clip > y->clip) - (x->clip < y->clip);
}

static int by_size(const void *a, const void *b) {
    const Group *x = a, *y = b;
    if (x->n != y->n) return x->n > y->n ? -1 : 1;
    if (x->draw != y->draw) return x->draw < y->draw ? -1 : 1;
    return strcmp(x->source, y->source);
}

static uint64_t name_hash(const char *s) { /* FNV-1a */
    uint64_t h = 14695981039346656037u;
    for (; *s; s++) h = (h ^ (unsigned char)*s) * 1099511628211u;
    return h;
}

static int64_t find_groups(const Member *m, int64_t n, uint64_t seed, BalPurpose purpose, Group *g) {
    int64_t n_groups = 0;
    for (int64_t i = 0; i < n; i++) {
        if (i == 0 || strcmp(m[i].source, m[i - 1].source)) {
            BalRng r = bal_rng(seed, purpose, 0, name_hash(m[i].source));
            g[n_groups++] = (Group){.first = i, .source = m[i].source, .draw = bal_rng_u32(&r)};
        }
        g[n_groups - 1].n++;
    }
    return n_groups;
}

/* What the distance grows by when g clips join a cell that holds x and wants t. */
static double growth(double x, double t, double g) {
    return g * (2 * (x - t) + g) / t;
}

/* x: [k, n_classes + 1] clips dealt so far, the last column for all classes; want: [n_classes + 1] clips of each class. */
static int best_part(const Member *m, int64_t n, const double *x, const double *want, int n_classes,
                     const double *share, int k) {
    int best = 0;
    double least = 0;
    for (int p = 0; p < k; p++) {
        const double *row = x + (size_t)p * (size_t)(n_classes + 1);
        double sum = growth(row[n_classes], want[n_classes] * share[p], (double)n);
        for (int64_t i = 0, j; i < n; i = j) { /* members are sorted by label: one run per class */
            for (j = i; j < n && m[j].label == m[i].label;) j++;
            sum += growth(row[m[i].label], want[m[i].label] * share[p], (double)(j - i));
        }
        if (p == 0 || sum < least) best = p, least = sum;
    }
    return best;
}

static void deal(const Member *m, const Group *g, int64_t n_groups, double *x, const double *want, int n_classes,
                 const double *share, int k, int *part) {
    for (int64_t i = 0; i < n_groups; i++) {
        const Member *own = m + g[i].first;
        int p = best_part(own, g[i].n, x, want, n_classes, share, k);
        double *row = x + (size_t)p * (size_t)(n_classes + 1);
        for (int64_t j = 0; j < g[i].n; j++) {
            row[own[j].label]++;
            part[own[j].clip] = p;
        }
        row[n_classes] += (double)g[i].n;
    }
}

/* With unequal shares the greedy rule may leave a small part empty: it then gets the smallest source of the fullest part. */
static void fill_empty(const Member *m, const Group *g, int64_t n_groups, int k, int *part, int64_t *n_sources) {
    memset(n_sources, 0, (size_t)k * sizeof *n_sources);
    for (int64_t i = 0; i < n_groups; i++) n_sources[part[m[g[i].first].clip]]++;
    for (int p = 0; p < k; p++) {
        if (n_sources[p]) continue;
        int from = 0;
        for (int q = 1; q < k; q++)
            if (n_sources[q] > n_sources[from]) from = q;
        int64_t i = n_groups - 1; /* sorted by size: the last of `from` is its smallest */
        while (part[m[g[i].first].clip] != from) i--;
        for (int64_t j = 0; j < g[i].n; j++) part[m[g[i].first + j].clip] = p;
        n_sources[from]--;
        n_sources[p]++;
    }
}

BalStatus bal_groups_assign(const char *const *source, const int *label, int64_t n, const double *share, int k,
                            uint64_t seed, BalPurpose purpose, int *part, BalError *err) {
    BalStatus rc = BAL_OK;
    Member *m = NULL;
    Group *g = NULL;
    double *x = NULL, *want = NULL, *wish = NULL, total = 0;
    int64_t *n_sources = NULL;
    int n_classes = 1;
    for (int64_t i = 0; i < n; i++)
        if (label[i] + 2 > n_classes) n_classes = label[i] + 2; /* column 0 is "unknown" */
    BAL_TRY_OR(fail, bal_alloc(&m, (size_t)n, sizeof *m, err));
    BAL_TRY_OR(fail, bal_alloc(&g, (size_t)n, sizeof *g, err));
    BAL_TRY_OR(fail, bal_alloc(&x, (size_t)k * (size_t)(n_classes + 1), sizeof *x, err));
    BAL_TRY_OR(fail, bal_alloc(&want, (size_t)(n_classes + 1), sizeof *want, err));
    BAL_TRY_OR(fail, bal_alloc(&wish, (size_t)k, sizeof *wish, err));
    BAL_TRY_OR(fail, bal_alloc(&n_sources, (size_t)k, sizeof *n_sources, err));

    for (int64_t i = 0; i < n; i++) {
        m[i] = (Member){.source = source[i], .label = label[i] < 0 ? 0 : label[i] + 1, .clip = i};
        want[m[i].label]++;
    }
    want[n_classes] = (double)n;
    for (int p = 0; p < k; p++) total += share[p];
    for (int p = 0; p < k; p++) {
        assert(share[p] > 0);
        wish[p] = share[p] / total;
    }
    if (n) qsort(m, (size_t)n, sizeof *m, by_source);
    int64_t n_groups = find_groups(m, n, seed, purpose, g);
    if (n_groups < k) {
        rc = BAL_FAIL(err, BAL_E_ARG, "cannot deal %lld sources into %d parts: clips of one source stay together",
                      (long long)n_groups, k);
        goto fail;
    }
    qsort(g, (size_t)n_groups, sizeof *g, by_size);
    deal(m, g, n_groups, x, want, n_classes, wish, k, part);
    fill_empty(m, g, n_groups, k, part, n_sources);
fail:
    bal_free(m);
    bal_free(g);
    bal_free(x);
    bal_free(want);
    bal_free(wish);
    bal_free(n_sources);
    return rc;
}

BalStatus bal_groups_hold_out(const BalClip *clip, int64_t n, double share, uint64_t seed, BalSplit *split,
                              BalError *err) {
    if (!(share > 0 && share < 1))
        return BAL_FAIL(err, BAL_E_ARG, "share to hold out is %g; it must lie between 0 and 1", share);
    BalStatus rc = BAL_OK;
    const char **source = NULL;
    int *label = NULL, *held = NULL;
    int64_t n_train = 0;
    for (int64_t i = 0; i < n; i++)
        if (split[i] == BAL_SPLIT_VAL) return BAL_OK;
    BAL_TRY_OR(fail, bal_alloc(&source, (size_t)n, sizeof *source, err));
    BAL_TRY_OR(fail, bal_alloc(&label, (size_t)n, sizeof *label, err));
    BAL_TRY_OR(fail, bal_alloc(&held, (size_t)n, sizeof *held, err));
    for (int64_t i = 0; i < n; i++) {
        if (split[i] != BAL_SPLIT_TRAIN) continue;
        source[n_train] = clip[i].source && clip[i].source[0] ? clip[i].source : clip[i].id;
        label[n_train++] = clip[i].label;
    }
    if (n_train) {
        const double shares[2] = {1 - share, share};
        rc = bal_groups_assign(source, label, n_train, shares, 2, seed, BAL_RNG_SPLIT, held, err);
        if (rc < 0)
            bal_error_add(err, rc, "while holding out %g of train for validation (--val-share 0 holds nothing out)",
                          share);
    }
    for (int64_t i = 0, k = 0; rc >= 0 && i < n; i++)
        if (split[i] == BAL_SPLIT_TRAIN && held[k++]) split[i] = BAL_SPLIT_VAL;
fail:
    bal_free(source);
    bal_free(label);
    bal_free(held);
    return rc;
}
