/* One score while it is made: what the job (score.c) and the files at its end (score_files.c) share. */
#ifndef BAL_CURATE_SCORE_JOB_H
#define BAL_CURATE_SCORE_JOB_H

#include "analysis/predictions.h"
#include "base/json.h"
#include "base/output.h"
#include "curate/score_journal.h"
#include "curate/scorer.h"
#include "dataset/append.h"
#include "dataset/store_files.h"

typedef struct BalScoreJob {
    const BalManifest *m;
    const BalScoreSpec *spec;
    const char *dir;
    BalScorer scorer;
    BalText weights;         /* path of the file */
    BalLines lines;          /* of the class list */
    BalJson *run;            /* run.json, where weights are a run */
    BalText numbers;         /* names made of numbers */
    const char **class_name; /* [n_classes] */
    char weights_sha256[65], identity[65];
    BalAppend journal;
    int64_t n_done, n_scored; /* rows in the journal */
    BalReject *reject;
    size_t n_reject, reject_cap;
    BalText path, line;
} BalScoreJob;

extern const BalOutput bal_score_output;
const char *bal_score_path(BalScoreJob *j, const char *name); /* in dir; valid until the next call */
BAL_MUST_USE BalStatus bal_score_classes(BalScoreJob *j, BalError *err);
BAL_MUST_USE BalStatus bal_score_check_categories(const BalScoreJob *j, BalError *err); /* before any clip is scored */
BAL_MUST_USE BalStatus bal_score_identify(BalScoreJob *j, BalError *err);
/* All files from the journal, score.json last. */
BAL_MUST_USE BalStatus bal_score_write(BalScoreJob *j, BalError *err);
/* "probabilities", or what the scorer averages before them. */
const char *bal_score_average_name(const BalScorer *s);

#endif
