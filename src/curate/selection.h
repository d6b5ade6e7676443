/* What the files of a selection share (select.c, selection_json.c, selection_save.c, certificate.c, shard.c). */
#ifndef BAL_CURATE_SELECTION_H
#define BAL_CURATE_SELECTION_H

#include <avbalance/select.h>
#include "base/text.h"
#include "curate/pick.h"
#include "curate/plan.h"
#include "curate/tally.h"

struct BalSelectParts {
    BalTally tally;
    BalPlan plan;
    BalRule rule;
    BalCells cells;
    int64_t *n; /* [n_classes][n_bins] what is left to choose from */
    const char **label;
    BalPicks picks;
    BalPicks rejects; /* in the order of ids; must: beyond the cap of its source */
    bool has_rejects;
};

/* From counts, which are taken over, to everything but the clips. */
BAL_MUST_USE BalStatus bal_selection_plan(BalSelectResult *s, BalTally *tally, const BalSelectSpec *spec,
                                          BalError *err);
/* From the clips, chosen and in order, to what is said about them. */
void bal_selection_finish(BalSelectResult *s);

/* Clips that are left where every bin is cut at random to one level, the highest at which the classes keep within their limits on
 * average; -1: the policy has no levels. */
int64_t bal_trimmed(const BalRule *r);

extern const char *const bal_selection_files[]; /* of bal_selection_save, the last one last; NULL at the end */
/* The document select.json. */
void bal_selection_json(const BalSelectResult *s, const BalSelectMore *more, BalText *out); /* more may be NULL */
/* id,label,bin,u_audio,u_visual,reason: selected.csv. */
void bal_picks_csv(const BalPicks *p, const char *const *label, int n_bins, BalText *out);
void bal_frontier_csv(const BalFrontier *f, BalText *out);
/* What keeps the selection from being larger, or possible: one or two lines without an end. */
void bal_selection_why(const BalSelectResult *s, BalText *out);
void bal_bin_name(const BalSelectSpec *spec, int bin, BalText *out); /* "0.1 < d <= 0.2" */

#endif
