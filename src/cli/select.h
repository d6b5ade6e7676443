/* What the files of `select` share. */
#ifndef BAL_CLI_SELECT_H
#define BAL_CLI_SELECT_H

#include <avbalance/select.h>
#include "cli/scores_flags.h"

typedef struct SelectArgs {
    BalScoresFlags scores;
    const char *source, *out;
    int policy;
    int64_t bins, grid, level, class_min, class_max, min_per_bin, per_source;
    double ratio, tolerance;
    const char *budget, *must_keep, *extend, *sources;
    bool certificate;
} SelectArgs;

void bal_select_text(BalText *out, const BalSelection *s, const char *dir);

#endif
