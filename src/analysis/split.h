/* What `split` leaves beside its lists and prints. */
#ifndef BAL_ANALYSIS_SPLIT_H
#define BAL_ANALYSIS_SPLIT_H

#include <avbalance/analysis.h>
#include "base/text.h"

void bal_split_json(BalText *out, const BalSplitResult *r);

#endif
