/* What the settings say about one row of the table: its bin, whether it must be kept, whether it is beyond the cap of its source.
 * Filled once, then read by all workers of every pass. */
#ifndef BAL_CURATE_SIEVE_H
#define BAL_CURATE_SIEVE_H

#include <stdatomic.h>
#include <avbalance/select.h>
#include "curate/caps.h"

typedef struct BalIds { /* that must be kept; zero is none */
    BalText text;
    const char **id;   /* [n] */
    int64_t n, n_must; /* the first n_must are of the list must_keep, the others of the earlier selection */
    int64_t *line;     /* [n_must] */
    BalNameIndex index;
    atomic_uchar *seen; /* [n] in the table; of equal ids that of the first */
} BalIds;

typedef struct BalSieve { /* zero, then bal_sieve_open; bal_sieve_close frees */
    const BalSelectSpec *spec;
    BalIds ids;
    BalSources sources;
    BalCaps caps;
} BalSieve;

typedef struct BalPlace {
    int32_t q_audio, q_visual;
    int bin;
    uint64_t key; /* where it was asked for, or needed to find the rest */
    bool must, capped;
} BalPlace;

/* Ids that must be kept from memory, instead of from the files that spec names: added one by one, then made ready. */
BAL_MUST_USE BalStatus bal_ids_add(BalIds *ids, const char *id, BalError *err);
BAL_MUST_USE BalStatus bal_ids_ready(BalIds *ids, BalError *err);
void bal_ids_reset(BalIds *ids);

/* Reads the files that spec names; spec is borrowed. */
BAL_MUST_USE BalStatus bal_sieve_open(BalSieve *s, const BalSelectSpec *spec, BalError *err);
void bal_sieve_close(BalSieve *s);
/* Find the clips beyond the caps by a scan of f, which must have been opened with spec->per_source's column (bal_sieve_scores). */
BAL_MUST_USE BalStatus bal_sieve_find_caps(BalSieve *s, BalScoresFile *f, BalError *err);
/* scores with the column of sources added where it is needed. */
BalScoresSpec bal_sieve_scores(const BalSelectSpec *spec, const BalScoresSpec *scores);

void bal_sieve_place(BalSieve *s, const BalScoreRow *row, bool with_key, BalPlace *out);
int bal_select_bins(const BalSelectSpec *spec);
int bal_bin_of(const BalSelectSpec *spec, int32_t q_audio, int32_t q_visual, uint64_t key);

/* Must-keep ids met by now, and of the earlier selection; BAL_E_FORMAT with file and line: a must-keep id is not in `table`. */
BAL_MUST_USE BalStatus bal_sieve_check(const BalSieve *s, const char *table, int64_t *n_gone, BalError *err);

#endif
