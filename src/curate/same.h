/* Which clips are alike: pairs from fingerprints, groups from pairs. */
#ifndef BAL_CURATE_SAME_H
#define BAL_CURATE_SAME_H

#include "curate/prints.h"

typedef struct BalPair { /* a < b: numbers of clips */
    int64_t a, b;
    BalSameKind kind;
    int frames; /* that agree, of 8; 0 where pictures were not compared */
    bool mirrored;
    double bit_error, offset_s; /* of the sound, at the best offset; NaN: not compared */
} BalPair;

typedef struct BalPairs { /* zero is valid; reset frees */
    BalPair *at;
    int64_t n;
    size_t cap;
} BalPairs;
void bal_pairs_reset(BalPairs *p);
BAL_MUST_USE BalStatus bal_pairs_add(BalPairs *p, const BalPair *pair, BalError *err);

/* The kinds that fingerprints tell: FILE, BOTH, PICTURE, SOUND; ascending in (a, b). Candidates come from hash bands and from items
 * of sound that agree, so that no pair is looked at that shares nothing. */
BAL_MUST_USE BalStatus bal_pairs_alike(BalPairs *out, const BalPrints *prints, const BalDuplicatesSpec *spec,
                                       BalError *err);

/* Number of a's frames that agree with one of b's at most one place away, or of b's with a's, if that is less. *mirrored: in which way
 * more agree. Frames that tell nothing agree with none. */
int bal_frames_alike(const BalPrint *a, const BalPrint *b, int bits, bool *mirrored);
/* Share of bits that differ at the best offset over at least overlap_s; NaN: no such overlap. *offset_s: of a against b. */
double bal_sounds_differ(const BalPrint *a, const BalPrint *b, double overlap_s, double *offset_s);

/* parent [n] of a forest; the root of i, whose number is the lowest of its tree. */
int64_t bal_forest_root(int64_t *parent, int64_t i);
void bal_forest_join(int64_t *parent, int64_t i, int64_t k);

#endif
