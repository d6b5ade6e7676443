/* What the steps of a selection from shards hand each other (shard_counts.c, shard_picks.c).
 *
 * counts  {"schema": "avbalance/counts/1", "shard": 3, "shards": 10, "bins": 20, "grid": 0, "per_source": 0, "seed": 0,
 *          "must_keep": {"ids": n, "found": k}, "earlier": {...},       distinct ids of both lists, those met in this shard
 *          "rows": N, "digest": "...", "labels": [...], "all": [[...]], "beyond_source": [[...]], "must": [[...]],  class x bin
 *          "leaning": [[...]]}                                          class x the numbers of BalLeaning
 * quotas  the same, added up, without "shard", with "schema": "avbalance/quotas/1", "settings", "digests": [...] one per shard,
 *         "earlier_gone", and "kept": [[...]], the plan
 * picks   a line "# {...}" with "schema": "avbalance/picks/1", shard, shards, digest of the shard and of all, number of clips; then a
 *         table like selected.csv */
#ifndef BAL_CURATE_SHARD_H
#define BAL_CURATE_SHARD_H

#include "base/json.h"
#include "curate/selection.h"

#define BAL_MOST_SHARDS 1000000
#define BAL_MOST_ROWS   ((int64_t)1 << 33) /* of all shards: sums of 10^8 per row still fit */

typedef struct BalShardCounts { /* zero is valid; bal_shard_counts_reset frees */
    BalShard shard;             /* quotas: index 0 */
    BalSelectSpec spec;         /* counts: bins, grid, per_source, seed; quotas: all */
    int64_t must_ids, must_found, earlier_ids, earlier_found, rows;
    BalTally tally;
    int64_t *x;            /* quotas: [n_classes][n_bins] */
    uint64_t (*digest)[2]; /* quotas: [shard.n] */
} BalShardCounts;
/* Either kind; takes root over. BAL_E_FORMAT: file and what is wrong. */
BAL_MUST_USE BalStatus bal_shard_counts_parse(BalShardCounts *c, BalJson **root, const char *path, BalError *err);
BAL_MUST_USE BalStatus bal_shard_counts_load(BalShardCounts *c, const char *path, BalError *err);
void bal_shard_counts_reset(BalShardCounts *c);

typedef struct BalShardPicks { /* zero is valid; bal_shard_picks_reset frees */
    BalShard shard;
    uint64_t digest[2], all[2];
    BalPicks picks;
} BalShardPicks;
/* Of the cells of q. data: the whole file. */
BAL_MUST_USE BalStatus bal_shard_picks_parse(BalShardPicks *p, const BalShardCounts *q, const char *data, size_t n,
                                             const char *path, BalError *err);
void bal_shard_picks_reset(BalShardPicks *p);

#endif
