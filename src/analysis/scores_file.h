/* What the readers of score tables share (scores_file.c, scores_row.c, doubled.c, split.c). */
#ifndef BAL_ANALYSIS_SCORES_FILE_H
#define BAL_ANALYSIS_SCORES_FILE_H

#include <string.h>
#include <avbalance/analysis.h>
#include "analysis/arena.h"
#include "base/csv.h"
#include "base/text.h"

enum { BAL_COLUMN_SKIP = -1, BAL_COLUMN_ID = -2, BAL_COLUMN_LABEL = -3, BAL_COLUMN_SPLIT = -4, BAL_COLUMN_SOURCE = -5 };

typedef struct BalScoresChunk {
    int64_t n, n_kept;        /* rows; those of the wanted split */
    uint64_t *hash;           /* [n] of the ids, dealt into heaps; like all pointers here for the time of a scan */
    uint32_t *heap_at;        /* [heaps + 1] where each heap begins */
    BalScoreText first, last; /* ids */
    bool ascending;           /* ids strictly ascending in byte order */
} BalScoresChunk;

struct BalScoresFile {
    char *path;
    int fd, threads;
    int64_t size, data_at; /* bytes; where the rows begin */
    int64_t header_lines;
    char separator;
    int n_columns;
    int *column; /* [n_columns] a BalScoreColumn or BAL_COLUMN_* */
    bool has_label, has_split, has_source, has[BAL_SCORE_COLUMNS], extras;
    char *only_split, *u_name[2]; /* what the file calls u_audio and u_visual */
    BalProgressSink progress;
    bool finds_doubled; /* the caller of a scan compares all ids itself: they are not hashed and not checked */
    int64_t n_chunks;
    BalScoresChunk *chunk; /* [n_chunks], filled by a scan */
};

/* Eight bytes as a little-endian number: the first byte is the lowest. */
static inline uint64_t bal_load_le(const char *s) {
    uint64_t v;
    memcpy(&v, s, sizeof v);
    return __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? v : __builtin_bswap64(v);
}

/* Tab, comma or semicolon, by the first line of the n bytes. */
char bal_table_separator(const char *s, size_t n);

uint64_t bal_id_hash(const char *s, size_t n);
int bal_id_compare(BalScoreText a, BalScoreText b); /* byte order: < 0, 0, > 0 */

/* Up to `most` rows into row[0..*n), until the end (BAL_END, where there is no row at all) or a row of which csv has rewritten text:
 * that text lives until the next call, all other text as long as the bytes csv reads. Columns that are not there are not touched.
 * Behind csv's end BAL_SCORES_PADDING line ends must be readable. */
#define BAL_SCORES_PADDING 16
BAL_MUST_USE BalStatus bal_scores_rows(const BalScoresFile *f, BalCsv *csv, BalScoreRow *row, int most, int *n,
                                       bool *rewritten, BalError *err);

/* All rows in order with their lines, on one thread: for those who look for something in the file again. */
typedef BalStatus BalScoresLineFn(void *user, const BalScoreRow *row, int64_t line, BalError *err);
BAL_MUST_USE BalStatus bal_scores_lines(const BalScoresFile *f, BalScoresLineFn *fn, void *user, BalError *err);

/* End of a chunk: its n hashes into the arena, dealt by heap. */
BAL_MUST_USE BalStatus bal_scores_deal_hashes(BalScoresChunk *c, const uint64_t *hash, BalArena *arena, BalError *err);
/* BAL_E_FORMAT with both lines where an id of the scanned file appears twice. */
BAL_MUST_USE BalStatus bal_scores_check_doubled(const BalScoresFile *f, BalError *err);

/* Ids of about n rows spread evenly over the file, in file order, one after the other in *out, each with a NUL at its end. */
BAL_MUST_USE BalStatus bal_scores_sample(const BalScoresFile *f, int n, BalText *out, int *n_out, BalError *err);

#endif
