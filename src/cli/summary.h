/* The summary as text: what `summary` prints and the demo ends with. */
#ifndef BAL_CLI_SUMMARY_H
#define BAL_CLI_SUMMARY_H

#include <avbalance/analysis.h>
#include "base/text.h"

void bal_cli_summary(BalText *out, const BalSummary *s, int most_classes);

#endif
