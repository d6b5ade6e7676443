/* Selection: the largest subset of scored clips whose modality discrepancy is spread as a target asks and whose classes keep within
 * limits, with a proof that no larger one exists.
 *
 * Clips are counted per class and bin of d = u_audio - u_visual; a flow over these counts says how many of each to keep, and the clips
 * with the smallest keys (a hash of id and seed) are kept. Everything is in integers: the result depends on the set of rows, the settings
 * and the seed, not on their order, on threads or on the machine. */
#ifndef AVBALANCE_SELECT_H
#define AVBALANCE_SELECT_H

#include <stdbool.h>
#include <stdint.h>
#include <avbalance/analysis.h>
#include <avbalance/error.h>

/* What is asked of the clips x_b in each eligible bin b, for a common level t of clips per unit of the bin's weight w_b. */
typedef enum BalPolicy {
    BAL_POLICY_STRICT,    /* x_b = t w_b; with a tolerance (1 - e) t w_b <= x_b <= (1 + e) t w_b */
    BAL_POLICY_RATIO,     /* t <= x_b <= R t: no bin more than R times another */
    BAL_POLICY_WATERFILL, /* x_b <= t */
    BAL_POLICY_MIRROR,    /* x_b <= clips in the mirrored bin: only the dominating side is cut */
    BAL_POLICY_PLANE /* as RATIO, in proportion to 1 - |d|: what clips that are uniform over the square (u_visual, u_audio) have */
} BalPolicy;
enum { BAL_POLICIES = BAL_POLICY_PLANE + 1 };
BAL_API const char *bal_policy_name(BalPolicy policy); /* "strict", ... */

/* Which measure of unevenness a waterfill may reach, over the eligible bins. */
typedef enum BalBudget {
    BAL_BUDGET_NONE,
    BAL_BUDGET_KL,
    BAL_BUDGET_CHI2,
    BAL_BUDGET_GINI,
    BAL_BUDGET_MAX_MIN
} BalBudget;

typedef struct BalSelectSpec {
    BalPolicy policy;
    int bins;                /* of d over [-1,1], even, 2 .. 200 */
    int grid;                /* 0; else bins are the grid x grid cells of (u_audio, u_visual), row by row; 2 .. 30 */
    double ratio, tolerance; /* R of ratio and plane, >= 1; e of strict, in [0,1); both count to six decimals */
    int64_t level;           /* t of waterfill; 0: the largest that the budget allows */
    BalBudget budget;
    double budget_value;
    int64_t class_min, class_max; /* clips per class; 0: no limit */
    int64_t min_per_bin;          /* a bin with fewer clips is not eligible: only must-keep clips of it are kept */
    int64_t
        per_source; /* clips per source and class, those with the smallest keys, before anything is counted; 0: all */
    uint64_t seed;  /* of the keys */
    /* Files; NULL: none. Ids that must be kept, one per line, all of them in the table; those of an earlier selection (its folder, its
     * list of ids, or a lock file), kept where the table still has them; sources of ids (CSV with id and source) where the table has
     * no such column. */
    const char *must_keep, *extend, *sources;
    bool edges;   /* also find out how many clips might as well lie in another bin, from their spread over epochs */
    bool rejects; /* also list the clips that are not kept, with the reason: memory for all ids */
} BalSelectSpec;
BAL_API BalSelectSpec bal_select_spec_default(void); /* ratio 1.5, 20 bins, at most 1600 per class, 30 per bin */
/* BAL_E_ARG with the setting, its value and what is allowed. */
BAL_API BAL_MUST_USE BalStatus bal_select_spec_check(const BalSelectSpec *s, BalError *err);

/* How far n numbers x_b of clips, N together, are from equal; q_b = x_b / N. NaN where there is no clip. Of a target with shares p_b every
 * 1 / n below is p_b, the largest n in a norm is 1 over the least p_b, and gini and max_min are of x_b / p_b. */
typedef struct BalBalance {
    double kl;      /* sum of q ln(n q), nats, in [0, ln n] */
    double kl_norm; /* kl / ln n, in [0,1] */
    double chi2;    /* sum of (x - N/n)^2 / (N/n) */
    double spread;  /* sqrt(chi2 / N / (n - 1)), in [0,1] */
    double gini;    /* in [0, 1 - 1/n] */
    double max_min; /* largest by smallest; NaN where a bin is empty */
    double tv;      /* total variation distance to uniform, in [0,1) */
    double w1_bins; /* Wasserstein-1 distance to uniform, in bins; times 2/n in units of d */
} BalBalance;

/* One side of a selection, before or after. */
typedef struct BalSelectSide {
    int64_t n;
    int64_t *per_bin, *per_class;       /* [n_bins], [n_classes] */
    BalBalance bins, eligible, classes; /* over all bins, those that are eligible, the classes */
    /* The first two from what the policy asks for: plane 1 - |d|, all others equal. */
    BalBalance target, target_eligible;
    /* d > 0, d < 0, d = 0, |d| > 0.2, |d| > 0.4; -1 where the clips are not chosen yet (bal_shard_quotas) */
    int64_t audio_preferred, visual_preferred, ties, beyond_02, beyond_04;
    double pearson; /* of u_audio and u_visual */
} BalSelectSide;

/* A set of classes and bins that stands in the way (curate/flow.h says how it is read). kind 0: nothing does. */
typedef struct BalObstacle {
    int kind;
    const bool *class_in, *bin_in; /* [n_classes], [n_bins] borrowed */
} BalObstacle;

typedef struct BalSelectResult { /* zero is valid; bal_selection_reset frees */
    BalSelectSpec spec;          /* without its files */
    int n_classes, n_bins;
    const char *const *label; /* [n_classes] in byte order; "" where the table names none */
    bool *eligible;           /* [n_bins] */
    /* [n_classes][n_bins]: clips of the table; those beyond the cap of their source; those that must be kept; those kept */
    int64_t *all, *capped, *must, *x;
    int64_t kept, level;
    bool possible; /* else nothing is kept, and limit says why */
    int64_t
        trimmed; /* clips that are left where every bin is cut at random, as far down as limits of classes ask; -1: the policy
                        has no level to cut to */
    bool optimal; /* no selection of more clips meets the policy */
    /* Why not more: `limit` why the level cannot rise (or, where nothing is possible, why none can be met), `size` why there are no
     * more clips at this level. */
    BalObstacle limit, size;
    BalSelectSide before, after;
    int64_t
        on_edge; /* clips of the table whose d plus or minus its standard error lies in another bin; -1: was not asked for */
    int64_t n_must, n_gone; /* clips that were to be kept; ids of the earlier selection that the table no longer has */
    int64_t not_eligible, beyond_source, beyond_quota; /* clips not kept, by reason */
    uint64_t digest[2];
    struct BalSelectParts *parts; /* owner of the rest; the clips */
} BalSelectResult;

/* Select from a table of scores: reads it two or three times, at most in as much memory as 8 bytes per row and the clips that are kept (24
 * bytes more per row with caps per source). scores->source: name of the column of sources ("source"), read where caps need it.
 * That nothing is possible is a result. BAL_E_ARG: a setting; BAL_E_FORMAT, BAL_E_NUMERIC: the table or another file;
 * BAL_E_MISMATCH: the table changed while it was read. */
BAL_API BAL_MUST_USE BalStatus bal_select_file(BalSelectResult *out, const char *path, const BalScoresSpec *scores,
                                               const BalSelectSpec *spec, BalError *err);
BAL_API void bal_selection_reset(BalSelectResult *s);

/* ---- what more could be had ---- */
typedef struct BalFrontierPoint {
    int64_t level, kept; /* at most `level` clips per bin, and the most clips then */
    BalBalance bins;     /* of the eligible bins */
} BalFrontierPoint;
typedef struct BalFrontier { /* zero is valid; bal_frontier_reset frees */
    BalFrontierPoint *point; /* [n] ascending levels; the last one keeps all that the other limits allow */
    int n;
} BalFrontier;
/* Size against evenness under the limits of a selection: for up to `most` water levels the largest selection and the most even of that
 * size, which no other one of that size is more even than, by any measure. Levels that limits exclude are left out. */
BAL_API BAL_MUST_USE BalStatus bal_frontier_make(BalFrontier *out, const BalSelectResult *s, int most, BalError *err);
BAL_API void bal_frontier_reset(BalFrontier *f);

typedef struct BalShortage { /* a class in a bin */
    int class_index, bin;
    int64_t n, kept; /* clips there now, and kept of them */
    double gain;     /* clips kept more per clip, if `extra` clips more were there and nowhere else; exact */
    double
        price; /* the same for the very next clip, if all cells that stand in the way together grew as their limits ask: what is
                        gained where several bins are equally scarce, so that more of one alone changes nothing */
} BalShortage;
/* Which clips to look for: cells of eligible bins whose growth would let more clips be kept, best first (gain, price, class, bin). All
 * others gain nothing. *out: [*n], free with bal_shortage_free. */
BAL_API BAL_MUST_USE BalStatus bal_shortage_make(BalShortage **out, int *n, const BalSelectResult *s, int64_t extra,
                                                 BalError *err);
BAL_API void bal_shortage_free(BalShortage *list);

/* What else is told about a selection. */
typedef struct BalSelectMore {
    const BalFrontier *frontier; /* NULL: nothing */
    const BalShortage *shortage; /* [n_shortage] for so many clips more per cell; extra 0: nothing */
    int n_shortage;
    int64_t extra;
} BalSelectMore;
/* Write DIR/selected.txt (ids, one per line, in byte order), selected.csv (id, label, bin, u_audio, u_visual, reason), with `certificate`
 * certificate.json, with more frontier.csv and shortage.csv, rejects.csv (id, stage, rule, values) where they were asked for, and select.json
 * last; all or none. more may be NULL. */
BAL_API BAL_MUST_USE BalStatus bal_selection_save(const BalSelectResult *s, const BalSelectMore *more, const char *dir,
                                                  bool certificate, BalError *err);

/* ---- tables in shards ---- */
/* The same selection from any number of shards, each read twice, wherever and in whatever order: counts of every shard are merged into
 * quotas, with these every shard names its clips with small keys, and these are merged. What comes out is, byte for byte, what
 * bal_select_file makes of all shards in one table. All clips of a source must be in one shard where there are caps per source. No clip
 * may be in two shards: that is found where both rows could be kept, or the clip must be, and else counts it twice.
 * Files appear whole or not at all, so that a shard that failed is done again. */
typedef struct BalShard {
    int index, n; /* 1 .. n */
} BalShard;
/* Count a shard: bins, grid, per_source, seed and the files of spec are used. */
BAL_API BAL_MUST_USE BalStatus bal_shard_count(const char *path, const BalScoresSpec *scores, const BalSelectSpec *spec,
                                               BalShard shard, const char *out, BalError *err);
/* Plan a selection for the counts of all shards, in any order, and write the quotas. Of spec all else is used. *out: the selection without
 * its clips; must be reset. BAL_E_MISMATCH: a shard is missing, there twice, or was counted with other settings or lists of ids. */
BAL_API BAL_MUST_USE BalStatus bal_shard_quotas(BalSelectResult *out, const char *const *counts, int n,
                                                const BalSelectSpec *spec, const char *quotas, BalError *err);
/* Clips of a shard that may be kept. spec: only its files. wide: all keys, after a merge has asked for it. */
BAL_API BAL_MUST_USE BalStatus bal_shard_pick(const char *path, const BalScoresSpec *scores, const BalSelectSpec *spec,
                                              BalShard shard, const char *quotas, bool wide, const char *out,
                                              BalError *err);
/* The selection, from the clips of all shards. */
BAL_API BAL_MUST_USE BalStatus bal_shard_merge(BalSelectResult *out, const char *const *picks, int n,
                                               const char *quotas, BalError *err);

/* ---- verification, without the solver ---- */
typedef struct BalSelectCheck {
    int64_t rows, kept;
    bool possible, optimal; /* what was claimed, and has been found true; not optimal with a budget, see there */
    bool clips, table;      /* the list of clips was there to be checked; the table was counted again */
} BalSelectCheck;
/* Check the folder of a selection, or its certificate.json alone: that its numbers keep all limits, that its cuts prove that there is no
 * larger one (with a budget: no larger one at its level; that a higher level would break the budget takes the solver), and that
 * selected.csv and selected.txt are what was written. With `table`, the scores it was made from, all counts are made again, and of every
 * class and bin the clips kept must be those with the smallest keys. sources as in BalSelectSpec.
 * BAL_E_MISMATCH names the first thing that does not hold; BAL_E_FORMAT: a file is not what it should be. */
BAL_API BAL_MUST_USE BalStatus bal_select_verify(BalSelectCheck *out, const char *path, const char *table,
                                                 const BalScoresSpec *scores, const char *sources, BalError *err);

#endif
