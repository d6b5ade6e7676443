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

extern const BalCommand bal_cmd_evaluate;

#endif
