/* What `evaluate` is told: by its flags, or by `compare`, which ends in it. */
#ifndef BAL_CLI_EVALUATE_H
#define BAL_CLI_EVALUATE_H

#include "cli/scores_flags.h"

typedef struct BalEvaluateArgs {
    BalScoresFlags scores;
    const char *table_of_scores, *out, *figure, *ids, *classes, *published, *title;
    BalList threshold, predictions;
    int64_t replicates;
    int format;
    bool mixed, ignore_unknown;
} BalEvaluateArgs;

/* --threshold sorted, without doubles, into t: [BAL_CLI_THRESHOLDS], and *spec, which borrows it. BAL_E_ARG outside (0,1). */
enum { BAL_CLI_THRESHOLDS = 16 };
BAL_MUST_USE BalStatus bal_cli_thresholds(const BalEvaluateArgs *a, double *t, BalEvaluateSpec *spec, BalError *err);

extern const BalCommand bal_cmd_evaluate;

#endif
