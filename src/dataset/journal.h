/* The journal of an ingest: one line per clip, in manifest order, appended as soon as the clip's bytes are in its shard.
 *
 *   avbalance-journal 1 RECIPE MANIFEST SETTINGS CODE       four SHA-256
 *   stored ROW SHARD CRC KIND:OFFSET:BYTES:CRC ...          a clip (checksum with tar headers and padding), its members
 *   rejected ROW CODE REASON                                a clip that gave nothing; the reason ends the line
 *
 * Each line begins with the CRC-32 of the rest, eight hex digits and a blank. Reading stops at the first line that is torn,
 * damaged or out of order: everything from there on is done again. */
#ifndef BAL_DATASET_JOURNAL_H
#define BAL_DATASET_JOURNAL_H

#include <stdbool.h>
#include <stdint.h>
#include <avbalance/error.h>
#include "base/text.h"
#include "dataset/index.h"

typedef struct BalJournalEntry {
    int64_t row;
    bool stored;
    uint32_t shard, n_members, tar_crc;
    const BalIndexMember *member; /* [n_members] */
    BalStatus code;               /* of a rejected clip */
    const char *reason;
} BalJournalEntry;

typedef struct BalIdentity { /* what a store is made from: it can be continued only with the same */
    char recipe[65], manifest[65], settings[65];
    char code[65]; /* of this build and its FFmpeg; empty for a finished store: that stays what it is */
} BalIdentity;

void bal_journal_head(BalText *out, const BalIdentity *id); /* appends a line */
void bal_journal_line(BalText *out,
                      const BalJournalEntry *entry); /* appends a line; line breaks in the reason become blanks */

/* Call fn for the good entries of a journal's bytes, rows 0, 1, 2 ... below max_rows. *good_bytes: length of what was
 * used, 0 if not even the head is whole; *id: from the head. A failure of fn is returned. */
typedef BalStatus BalJournalFn(void *user, const BalJournalEntry *entry, BalError *err);
BAL_MUST_USE BalStatus bal_journal_replay(const void *data, size_t n, int64_t max_rows, BalJournalFn *fn, void *user,
                                          BalIdentity *id, size_t *good_bytes, BalError *err);

#endif
