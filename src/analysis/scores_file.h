/* What the readers of score tables share (scores_file.c, doubled.c, split.c). */
#ifndef BAL_ANALYSIS_SCORES_FILE_H
#define BAL_ANALYSIS_SCORES_FILE_H

#include <avbalance/analysis.h>
#include "base/text.h"

enum { BAL_COLUMN_SKIP = -1, BAL_COLUMN_ID = -2, BAL_COLUMN_LABEL = -3, BAL_COLUMN_SPLIT = -4 };

typedef struct BalScoresChunk {
    int64_t n, n_kept;        /* rows; those of the wanted split */
    uint64_t *hash;           /* [n] of the ids */
    char first[64], last[64]; /* ids; longer ones make the chunk count as not ascending */
    uint8_t first_n, last_n;
    bool ascending; /* ids strictly ascending in byte order */
} BalScoresChunk;

struct BalScoresFile {
    char *path;
    int fd, threads;
    int64_t size, data_at; /* bytes; where the rows begin */
    int64_t header_lines;
    char separator;
    int n_columns;
    int *column; /* [n_columns] a BalScoreColumn or BAL_COLUMN_* */
    bool has_label, has_split, has[BAL_SCORE_COLUMNS], extras;
    char *only_split;
    BalProgressSink progress;
    int64_t n_chunks;
    BalScoresChunk *chunk; /* [n_chunks], filled by a scan */
};

uint64_t bal_id_hash(const char *s, size_t n);

/* All rows in order with their lines, on one thread: for those who look for something in the file again. */
typedef BalStatus BalScoresLineFn(void *user, const BalScoreRow *row, int64_t line, BalError *err);
BAL_MUST_USE BalStatus bal_scores_lines(const BalScoresFile *f, BalScoresLineFn *fn, void *user, BalError *err);

/* BAL_E_FORMAT with both lines where an id of the scanned file appears twice. */
BAL_MUST_USE BalStatus bal_scores_check_doubled(const BalScoresFile *f, BalError *err);

/* Ids of about n rows spread evenly over the file, in file order, one after the other in *out, each with a NUL at its end. */
BAL_MUST_USE BalStatus bal_scores_sample(const BalScoresFile *f, int n, BalText *out, int *n_out, BalError *err);

#endif
