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
    BalList frontier;
    int64_t shortage;
    const char *shard, *counts, *quotas, *picks;
    bool merge, wide, rejects, edges;
} SelectArgs;

BalStatus bal_select_shards(BalCli *cli, const BalSelectSpec *spec, BalError *err);
void bal_select_head(BalText *out, const BalSelectResult *s);
void bal_select_text(BalText *out, const BalSelectResult *s, const BalSelectMore *more, const char *dir);

#endif
