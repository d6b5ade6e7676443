/* A search for duplicates between its parts: what was found, and the files it is told in. */
#ifndef BAL_CURATE_DUPLICATES_H
#define BAL_CURATE_DUPLICATES_H

#include "curate/same.h"
#include "dataset/manifest.h"

/* Why a clip stays rather than another of its group: the lower, the rather. */
enum { BAL_STAYS_OTHER, BAL_STAYS_KEPT, BAL_STAYS_LABELLED, BAL_STAYS_KEY };

typedef struct BalDuplicates {
    const BalManifest *m;
    const BalDuplicatesSpec *spec;
    int64_t n_all; /* clips of m, and behind them those of the lists in spec->against */
    BalPrints prints;
    BalPairs pairs;
    int64_t *group; /* [n_all] forest of duplicates */
    int64_t *stays; /* [n_all] the clip of its group that stays */
    uint8_t *rank;  /* [n_all] BAL_STAYS_* */
    BalNameSet ids;
    BalManifestStrings *strings;
    BalDuplicatesResult result;
} BalDuplicates;

const char *bal_duplicates_id(const BalDuplicates *d, int64_t i);
bool bal_duplicates_removed(const BalDuplicates *d, int64_t i);
/* All tables; counts the leaks into d->result. */
BAL_MUST_USE BalStatus bal_duplicates_save(BalDuplicates *d, const char *dir, BalError *err);

#endif
