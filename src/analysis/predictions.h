/* What the readers of predictions share (predictions.c, predictions_read.c, dynamics.c): clips by id, classes by name. */
#ifndef BAL_ANALYSIS_PREDICTIONS_H
#define BAL_ANALYSIS_PREDICTIONS_H

#include <avbalance/analysis.h>
#include "base/text.h"

typedef struct BalNameIndex { /* position of a name in a list; open addressing */
    const char *const *name;
    int64_t n, *slot; /* [mask + 1] position, -1: free */
    uint64_t mask;
} BalNameIndex;
BAL_MUST_USE BalStatus bal_name_index_make(BalNameIndex *x, const char *const *name, int64_t n, BalError *err);
int64_t bal_name_index_find(const BalNameIndex *x, const char *s,
                            size_t n); /* -1: not there; of equal names the first */
void bal_name_index_reset(BalNameIndex *x);

typedef struct BalLines { /* the lines of a text file, without their ends and without blanks around them */
    BalText text;
    const char **line;
    int64_t n;
} BalLines;
BAL_MUST_USE BalStatus bal_lines_read(BalLines *l, const char *path, BalError *err);
void bal_lines_pack(BalLines *l); /* leave out empty lines: of lists of names, whose places say nothing */
void bal_lines_reset(BalLines *l);

/* The list of names that belongs to a file .npy: `given`, else STEM.WHAT.txt, else WHAT.txt in its folder; empty where there is none. */
BAL_MUST_USE BalStatus bal_find_beside(BalText *out, const char *given, const char *path, const char *what,
                                       BalError *err);

/* One file on its way into BalPredictions. */
typedef struct BalJoin {
    const BalScores *scores;
    const BalPredictionsSpec *spec;
    BalPredictions *out;
    const char *path; /* of the file in work, for messages */
    const char *unit; /* what its positions count: "line", "row" */
    BalNameIndex id, label;
    int64_t *at; /* [n] position where the clip stands in the file, 0: not yet */
    int64_t n_unknown, unknown_at;
    BalText unknown; /* the first such id */
} BalJoin;

/* Clip of an id, -1 where the scores do not have it. BAL_E_FORMAT: it was there before. */
BAL_MUST_USE BalStatus bal_join_clip(BalJoin *j, const char *id, size_t n, int64_t at, int64_t *clip, BalError *err);
/* End of a file: complains about unknown ids, or counts them in *out. */
BAL_MUST_USE BalStatus bal_join_end(BalJoin *j, BalError *err);
/* Begin a file: no clip was there yet. */
void bal_join_begin(BalJoin *j, const char *path, const char *unit);

/* Column of the largest of n outputs, the first of equal ones; -1 where all are NaN: the clip was not scored. BAL_E_NUMERIC: one is
 * not finite. */
#define BAL_MOST_CLASSES 1000000
BAL_MUST_USE BalStatus bal_top_output(const BalJoin *j, const float *z, int n, const char *id, int64_t at, int *top,
                                      BalError *err);

typedef BalStatus BalPredictionsReader(BalJoin *j, const char *path, BalError *err);
BalPredictionsReader bal_read_csv_predictions, bal_read_npy_predictions, bal_read_dynamics, bal_read_run;

#endif
