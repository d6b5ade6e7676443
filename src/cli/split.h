/* What `split` leaves beside its lists, for the demo too. */
#ifndef BAL_CLI_SPLIT_H
#define BAL_CLI_SPLIT_H

#include <avbalance/analysis.h>

/* DIR/split.json: the counts, and that the lists beside it are complete. */
BAL_MUST_USE BalStatus bal_cli_split_save(const BalSplitResult *r, const char *dir, BalError *err);

#endif
