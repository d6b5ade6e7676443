/* Which clips: of every class and bin those that must be kept and the ones with the smallest keys, from any number of parts. */
#ifndef BAL_CURATE_PICK_H
#define BAL_CURATE_PICK_H

#include "analysis/arena.h"
#include "curate/rule.h"

typedef struct BalPick {
    uint64_t key;
    double u_audio, u_visual;
    const char *id; /* NUL-terminated */
    int cell;       /* class * n_bins + bin */
    bool must;
} BalPick;

typedef struct BalPicks { /* zero is valid and empty; bal_picks_reset frees */
    BalPick *pick;
    size_t n, cap;
    BalArena text;
} BalPicks;
void bal_picks_reset(BalPicks *p);
/* The id is copied. */
BAL_MUST_USE BalStatus bal_picks_add(BalPicks *p, BalPick pick, const char *id, size_t n, BalError *err);

BAL_MUST_USE BalStatus bal_picks_join(BalPicks *to, BalPicks *from, BalError *err); /* from is then empty */

/* limit: [n_classes * n_bins] keys above which no clip of a cell can be among the x - must smallest, with a chance of error below 10^-13:
 * what is looked at stays close to what is kept. 0 where none is needed. */
void bal_pick_limits(const BalCells *cells, const int64_t *x, uint64_t *limit);
/* Of every cell at most x clips, must-keep clips and smallest keys first. *lacking: a cell that has fewer, -1. */
void bal_picks_trim(BalPicks *p, const int64_t *x, int n_cells, int *lacking);
/* In the order of ids. BAL_E_FORMAT: one is there twice. */
BAL_MUST_USE BalStatus bal_picks_order(BalPicks *p, BalError *err);
/* Keep of every cell the must-keep clips and the smallest keys, x clips in all, equal keys by id; in the order of ids. The outcome does not
 * depend on the order of the picks. *lacking: a cell that has fewer, -1. BAL_E_FORMAT: an id is there twice. */
BAL_MUST_USE BalStatus bal_picks_choose(BalPicks *p, const int64_t *x, int n_cells, int *lacking, BalError *err);

#endif
