/* Clips counted per class and bin, in a way that any parts of a table, counted apart, add up to the counts of the whole. */
#ifndef BAL_CURATE_TALLY_H
#define BAL_CURATE_TALLY_H

#include <avbalance/analysis.h>
#include <avbalance/select.h>

typedef struct
    BalLeaning { /* of one class; sums are of u in units of 10^-4, so that they are exact up to 10^10 clips */
    int64_t n, audio, visual, ties, beyond_02, beyond_04; /* d > 0, d < 0, d = 0, |d| > 0.2, |d| > 0.4 */
    int64_t sum_a, sum_v, sum_aa, sum_vv, sum_av;
} BalLeaning;
void bal_leaning_add(BalLeaning *s, int32_t q_audio, int32_t q_visual);
void bal_leaning_join(BalLeaning *to, const BalLeaning *from);
double bal_leaning_pearson(const BalLeaning *s); /* of u_audio and u_visual; NaN where one of them is constant */

/* All clips; those beyond the cap of their source; those that must be kept. */
enum { BAL_COUNT_ALL, BAL_COUNT_CAPPED, BAL_COUNT_MUST, BAL_COUNTS };

typedef struct BalClassTally {
    char *name;
    size_t length;
    uint64_t hash; /* of the name */
    BalLeaning leaning;
    int64_t *count[BAL_COUNTS]; /* [n_bins] each */
} BalClassTally;

typedef struct BalTally {        /* zero and n_bins; bal_tally_reset frees */
    int n_bins, n_classes, last; /* last: the class looked up before */
    BalClassTally *classes;
    size_t cap;
    int *slot; /* [n_slots] open addressing by name, -1: free */
    size_t n_slots;
    uint64_t digest
        [2]; /* sum over rows of a hash of id, label and confidences: which rows, in whatever order. It finds accidents,
                           not forgery, for which everything is counted again */
} BalTally;
void bal_tally_reset(BalTally *t);

#define BAL_MOST_SELECT_CLASSES 10000
/* Index of the class with this name, which is added where it is new. BAL_E_FORMAT: too many. */
BAL_MUST_USE BalStatus bal_tally_class(BalTally *t, const char *name, size_t n, int *out, BalError *err);
/* Into the digest: a row of class c. */
void bal_tally_row(BalTally *t, int c, BalScoreText id, int32_t q_audio, int32_t q_visual);
BAL_MUST_USE BalStatus bal_tally_join(BalTally *to, const BalTally *from, BalError *err);
void bal_tally_sort(
    BalTally *t); /* classes by the bytes of their names; nothing may be looked up or added afterwards */

#endif
