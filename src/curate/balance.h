/* How far numbers of clips per bin are from equal, or from a target. */
#ifndef BAL_CURATE_BALANCE_H
#define BAL_CURATE_BALANCE_H

#include <avbalance/select.h>

/* x: [n] clips per bin, each >= 0. Every measure is NaN without a clip. */
BalBalance bal_balance(const int64_t *x, int n);
/* Of the bins that are marked. */
BalBalance bal_balance_of(const int64_t *x, const bool *marked, int n);
/* From clips in proportion to weight [n], each >= 1; NULL: equal. marked NULL: of all bins. */
BalBalance bal_balance_to(const int64_t *x, const bool *marked, const int64_t *weight, int n);
/* The one a budget is about. */
double bal_balance_get(const BalBalance *b, BalBudget which);

#endif
