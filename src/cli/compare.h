/* Runs of `compare` side by side (compare_runs.c). */
#ifndef BAL_CLI_COMPARE_H
#define BAL_CLI_COMPARE_H

#include <avbalance/train.h>
#include "cli/command.h"

typedef struct BalCompareRun {
    char name[64]; /* of its folder and its line of progress */
    BalFitSpec fit;
    int after; /* runs at the head of the list that must be complete before this one begins */
} BalCompareRun;

/* Train run[0..n-1], at most `jobs` at once, each in a process of its own; a line is said of every one that is done. When one fails or the
 * user stops the command, the others are asked to stop and have written their checkpoints when this returns; the message is that of the
 * first that failed, BAL_E_CANCELLED of the user's. Must be called while this process has one thread. */
BAL_MUST_USE BalStatus bal_cli_train_all(const BalCli *cli, const BalStore *store, const BalCompareRun *run, int n,
                                         int jobs, BalError *err);

#endif
