/* Sorting ids in byte order: borders that deal them into buckets, and the sort of one bucket.
 *
 * Ids of a dataset begin alike ("vggsound/..."), so both compare a key first: the 8 bytes behind the beginning that all share, as a
 * big-endian number. Keys order as the ids do, except that different ids may have equal keys; the ids then decide. Ids contain no
 * NUL byte (base/csv.h refuses it), which makes a short id smaller than those it begins. */
#ifndef BAL_ANALYSIS_ID_SORT_H
#define BAL_ANALYSIS_ID_SORT_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <avbalance/error.h>

typedef struct BalIdBorders {
    int n; /* borders; buckets are n + 1 */
    char *text;
    uint32_t *at, *len; /* [n] id of each border */
    uint64_t *key;      /* [n] */
    size_t shared;      /* bytes at the beginning that all borders share */
} BalIdBorders;

/* Borders from n sample ids (one after the other, each with a NUL at its end, any order): every `step`-th of the sorted sample. */
BAL_MUST_USE BalStatus bal_id_borders_make(BalIdBorders *out, const char *sample, int n, int step, BalError *err);
void bal_id_borders_reset(BalIdBorders *b);
/* Bucket of an id: how many borders are not above it. near: a guess, such as the bucket of the id before. */
int bal_id_bucket(const BalIdBorders *b, const char *s, size_t n, int near);

/* An id on its way through the sort: 2 bytes length, 2 bytes tag, which is the caller's, then the id. Entries stand one behind the
 * other, unaligned; behind the last one BAL_ID_PADDING bytes must be readable. */
#define BAL_ID_HEAD    4
#define BAL_ID_PADDING 16
static inline uint16_t bal_id_length(const char *entry) {
    uint16_t n;
    memcpy(&n, entry, sizeof n);
    return n;
}
static inline uint16_t bal_id_tag(const char *entry) {
    uint16_t tag;
    memcpy(&tag, entry + 2, sizeof tag);
    return tag;
}

typedef struct BalIdItem {
    uint64_t key;
    const char *entry;
} BalIdItem;
typedef struct BalIdSort { /* zero is valid and empty */
    BalIdItem *item, *spare;
    size_t n, item_cap, spare_cap;
} BalIdSort;
void bal_id_sort_reset(BalIdSort *x);
BAL_MUST_USE BalStatus bal_id_sort_reserve(BalIdSort *x, size_t n, BalError *err); /* room for n items */
static inline void bal_id_sort_add(BalIdSort *x, const char *entry) {              /* borrowed; needs room */
    x->item[x->n++].entry = entry;
}
BAL_MUST_USE BalStatus bal_id_sort_run(BalIdSort *x, BalError *err); /* item[0..n) is then in order */

#endif
