/* How a table of scores is filled row by row (scores.c, runs.c). */
#ifndef BAL_ANALYSIS_SCORES_BUILD_H
#define BAL_ANALYSIS_SCORES_BUILD_H

#include <avbalance/analysis.h>

/* Room for n rows with the columns has[BAL_SCORE_COLUMNS]; s->n stays 0 and is the filler's. */
BAL_MUST_USE BalStatus bal_scores_make(BalScores *s, int64_t n, const bool *has, BalError *err);
/* Text of row i, which is copied; rows are filled in order. */
BAL_MUST_USE BalStatus bal_scores_put(BalScores *s, int64_t i, BalScoreText id, BalScoreText label, BalScoreText split,
                                      BalError *err);

#endif
