/* The journal of a score: one line per clip, in the order of the manifest, appended as soon as the clip is scored.
 *
 *   avbalance-score 1 IDENTITY                       SHA-256 over all that determines the numbers
 *   scored ROW HEX                                   probabilities as the bits of floats, eight hex digits each
 *   rejected ROW CODE REASON                         a clip that gave nothing; the reason ends the line
 *
 * Each line begins with the CRC-32 of the rest, eight hex digits and a blank. Reading stops at the first line that is torn, damaged
 * or out of order: everything from there on is done again. */
#ifndef BAL_CURATE_SCORE_JOURNAL_H
#define BAL_CURATE_SCORE_JOURNAL_H

#include <stddef.h>
#include <stdint.h>
#include <avbalance/error.h>
#include "base/text.h"

typedef struct BalScoreEntry {
    int64_t row;
    const float *p; /* [n_classes], borrowed; NULL: rejected, then: */
    BalStatus code;
    const char *reason; /* borrowed */
} BalScoreEntry;

void bal_score_journal_head(BalText *out, const char identity[65]); /* appends a line */
void bal_score_journal_line(BalText *out, const BalScoreEntry *e, int n_classes);

/* Call fn for the good entries of a journal's bytes, rows 0, 1, 2 ... below n_rows. *good_bytes: length of what was used, 0 if not even the
 * head is whole; identity: from the head. A failure of fn is returned. */
typedef BalStatus BalScoreEntryFn(void *user, const BalScoreEntry *e, BalError *err);
BAL_MUST_USE BalStatus bal_score_journal_replay(const void *data, size_t n, int64_t n_rows, int n_classes,
                                                BalScoreEntryFn *fn, void *user, char identity[65], size_t *good_bytes,
                                                BalError *err);

#endif
