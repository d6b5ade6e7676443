/* The passes over a table of scores. Each takes the rows in any order on any number of threads; what comes out is the same. */
#ifndef BAL_CURATE_SCAN_H
#define BAL_CURATE_SCAN_H

#include "curate/pick.h"
#include "curate/sieve.h"
#include "curate/tally.h"

/* Open a table, find the clips beyond the caps where there are any, and count; classes in order. f is the caller's to close. The sieve
 * stays in use for the next pass. */
BAL_MUST_USE BalStatus bal_table_count(BalTally *out, BalSieve *sieve, BalScoresFile **f, const char *path,
                                       const BalScoresSpec *scores, BalError *err);

typedef struct BalPickCells {
    const char *const *label; /* [n_classes] */
    int n_classes, n_bins;
    const uint64_t *limit; /* [n_classes][n_bins] see pick.h */
} BalPickCells;
/* Must-keep clips, and clips with keys up to the limit of their cell. BAL_E_MISMATCH: a class is not in the list. */
BAL_MUST_USE BalStatus bal_picks_scan(BalPicks *out, uint64_t digest[2], BalSieve *sieve, BalScoresFile *f,
                                      const BalPickCells *cells, BalError *err);

/* Clips of a table whose d, plus or minus one standard error, lies in another bin. The error of a mean over E epochs is their standard
 * deviation by the root of E. BAL_E_FORMAT: the table has no sd_audio, sd_visual, epochs_audio, epochs_visual. */
BAL_MUST_USE BalStatus bal_edges_count(int64_t *out, const char *path, const BalScoresSpec *scores,
                                       const BalSelectSpec *spec, BalError *err);
/* All clips that are not among the chosen ones, in the order of ids; `must` says that a clip is beyond the cap of its source. */
BAL_MUST_USE BalStatus bal_rejects_scan(BalPicks *out, BalSieve *sieve, BalScoresFile *f, const BalPickCells *cells,
                                        const BalPicks *chosen, BalError *err);

#endif
