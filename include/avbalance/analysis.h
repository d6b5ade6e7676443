/* Analysis: from confidences to modality discrepancy, heatmap, subsets and a summary (Xia et al. 2023, sections 2 and 4).
 *
 * u_a and u_v of a clip are the mean probabilities that an audio-only and a visual-only network gave to its true label over their
 * training epochs; d = u_a - u_v. Everything here works on a table of scores, wherever it came from: our own runs (scores.h part) or
 * any CSV or TSV with an id, u_audio and u_visual. All arithmetic on u is in double, as numpy does it on the same file. */
#ifndef AVBALANCE_ANALYSIS_H
#define AVBALANCE_ANALYSIS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <avbalance/error.h>
#include <avbalance/progress.h>

/* ---- scores: numeric columns of the table, in the order in which they are written ---- */
typedef enum BalScoreColumn {
    BAL_SCORE_U_AUDIO,
    BAL_SCORE_U_VISUAL,
    BAL_SCORE_SD_AUDIO, /* standard deviation of the confidence over epochs (population) */
    BAL_SCORE_SD_VISUAL,
    BAL_SCORE_CORRECT_AUDIO, /* share of epochs in which the network was right */
    BAL_SCORE_CORRECT_VISUAL,
    BAL_SCORE_EPOCHS_AUDIO, /* epochs averaged over */
    BAL_SCORE_EPOCHS_VISUAL,
    BAL_SCORE_LOW, /* several seeds only: interval of d, share of seed pairs that disagree on its sign, 0/1 */
    BAL_SCORE_HIGH,
    BAL_SCORE_FLIP_RATE,
    BAL_SCORE_UNDECIDED,
    BAL_SCORE_COLUMNS
} BalScoreColumn;
BAL_API const char *bal_score_column_name(BalScoreColumn c); /* "u_audio", ... */

/* How to read a table: names of its columns (NULL: id, label, split, u_audio, u_visual) and which rows count. */
typedef struct BalScoresSpec {
    const char *id, *label, *split, *u_audio, *u_visual;
    const char *source;     /* column that names the source video; NULL: not read */
    const char *only_split; /* rows of other splits are checked but left out; NULL: all rows */
    int threads;            /* 0: all processors */
    BalProgressSink progress;
} BalScoresSpec;

typedef struct BalScores { /* zero is valid; bal_scores_reset frees */
    int64_t n;
    const char **id;        /* [n] unique */
    int32_t *label, *split; /* [n] index into labels / splits, -1: none */
    const char **labels;    /* [n_labels], in order of first appearance; splits alike */
    const char **splits;
    int n_labels, n_splits;
    double *value[BAL_SCORE_COLUMNS]; /* [n] each; NULL where the table has no such column (u_audio, u_visual: never) */
    int n_seeds;                      /* where known, else 0 */
    struct BalScoresText *text;       /* owner of all text */
} BalScores;

/* Read a whole table into memory. Needed are columns for id, u_audio and u_visual; further ones are taken where known and skipped
 * where not. Separator (comma, tab, semicolon), BOM, CRLF and quotes are recognised; one row per line.
 * BAL_E_FORMAT: a column is missing, doubled, a row is too short or long, an id is empty or doubled; BAL_E_NUMERIC: u is not a
 * number in [0,1]. The message names file, line and remedy, and is that of the first bad line. */
BAL_API BAL_MUST_USE BalStatus bal_scores_load(BalScores *out, const char *path, const BalScoresSpec *spec,
                                               BalError *err);
/* Write scores.csv: id,label,split,u_audio,u_visual,discrepancy, then the columns that there are. Numbers read back exactly. */
BAL_API BAL_MUST_USE BalStatus bal_scores_save(const BalScores *s, const char *path, BalError *err);
BAL_API void bal_scores_reset(BalScores *s);

/* The rows of a table without keeping them: for tables of any size. */
typedef struct BalScoreText { /* not NUL-terminated; borrowed for the call */
    const char *s;
    uint32_t n;
} BalScoreText;
typedef struct BalScoreRow {
    BalScoreText id, label, split, source; /* empty where there is none */
    double u_audio, u_visual;
    double extra
        [BAL_SCORE_COLUMNS]; /* by column, NaN where there is none; filled only when the file was opened with `extras` */
} BalScoreRow;
typedef struct BalScoresFile BalScoresFile;
BAL_API BAL_MUST_USE BalStatus bal_scores_open(BalScoresFile **out, const char *path, const BalScoresSpec *spec,
                                               bool extras, BalError *err);
BAL_API void bal_scores_close(BalScoresFile **f);
BAL_API bool bal_scores_has(const BalScoresFile *f, BalScoreColumn c);
BAL_API int64_t
bal_scores_chunks(const BalScoresFile *f); /* the file is cut into so many pieces, whatever the threads */
/* Call fn for blocks of rows. The rows of one chunk come in file order from one thread, and then once n = 0 for its end; different
 * chunks come from several threads at once, each worker numbered from 0 to bal_scores_workers() - 1. Doubled ids are found last, so
 * that a caller must not act for good before this has returned BAL_OK. */
typedef BalStatus BalScoresFn(void *user, int64_t chunk, int worker, const BalScoreRow *row, int n, BalError *err);
BAL_API int bal_scores_workers(const BalScoresFile *f);
BAL_API BAL_MUST_USE BalStatus bal_scores_scan(BalScoresFile *f, BalScoresFn *fn, void *user, BalError *err);

/* ---- scores from run folders (ARCHITECTURE.md says what is in one) ---- */
/* u over epochs 1..epochs_used of each run. Runs of one seed and several folds are joined: a clip counts in those runs that did not
 * train on it (not NaN), and what several runs say of it is averaged. Seeds are then averaged; with at least two seeds in both
 * modalities the columns low, high, flip_rate and undecided appear (bal_seed_statistics over the seeds that both have).
 * Clips that no run of one modality scored are left out and counted in *n_unscored.
 * Labels and splits come from the first run. BAL_E_MISMATCH: runs over different clips, of another modality, or whose files do not
 * fit together; BAL_E_FORMAT, BAL_E_NUMERIC: bad files. */
BAL_API BAL_MUST_USE BalStatus bal_scores_from_runs(BalScores *out, const char *const *audio, int n_audio,
                                                    const char *const *visual, int n_visual, int64_t *n_unscored,
                                                    BalError *err);

/* Average the true-label confidence of each clip over epochs: the u of Xia et al. 2023, section 2.1.
 * conf: [E,N] row major, each in [0,1], NaN where a clip was not scored; u, sd: [N], the caller's, NaN if never scored; sd (may be
 * NULL) divides by the number of epochs. Sums run over epochs in order, as numpy's do for fewer than 8.
 * BAL_E_ARG if E is 0; BAL_E_NUMERIC if a value lies outside [0,1]. */
BAL_API BAL_MUST_USE BalStatus bal_confidence_mean(const double *conf, int64_t n_epochs, int64_t n_clips, double *u,
                                                   double *sd, BalError *err);

/* What several seeds say about one clip. d: [n], n >= 2. Interval: mean +- t(0.975, n - 1) * s / sqrt(n), s with n - 1, cut to
 * [-1,1]. flip_rate: share of the n (n - 1) / 2 pairs with different signs (0 is a sign of its own). undecided: the interval
 * contains 0, or two seeds disagree. */
typedef struct BalSeedStatistics {
    double mean, low, high, flip_rate;
    bool undecided;
} BalSeedStatistics;
BAL_API BalSeedStatistics bal_seed_statistics(const double *d, int n);

/* ---- heatmap: share of clips per 0.01 x 0.01 cell ---- */
#define BAL_HEATMAP_BINS 100
typedef struct BalHeatmap {
    int64_t n;
    int64_t counts[BAL_HEATMAP_BINS][BAL_HEATMAP_BINS]; /* [bin of u_audio][bin of u_visual] */
    int64_t audio_preferred, visual_preferred, ties;
    double sum_abs; /* of d */
} BalHeatmap;
/* Bin of u in [0,1]: numpy.histogram's with 100 bins over (0,1), hence bin k is [k * 0.01, (k + 1) * 0.01) with the edges computed
 * in double; 1 is in the last. 0.4 is in bin 40, 0.39999999999999997 (numpy's mean of 0.1, 0.4, 0.7) in bin 39. */
BAL_API int bal_heatmap_bin(double u);
BAL_API void bal_heatmap_add(BalHeatmap *h, double u_audio, double u_visual);
BAL_API BAL_MUST_USE BalStatus bal_heatmap_file(BalHeatmap *out, const char *path, const BalScoresSpec *spec,
                                                BalError *err);

/* ---- split: who is better heard, who is better seen ---- */
#define BAL_SPLIT_MAX_THRESHOLDS 16
#define BAL_SPLIT_MAX_SPLITS     16
typedef struct BalSubsetCounts {
    int64_t n, audio_preferred, visual_preferred, ties; /* d > 0, d < 0, d == 0 */
    int64_t audio_dominated[BAL_SPLIT_MAX_THRESHOLDS];  /* d > T  */
    int64_t visual_dominated[BAL_SPLIT_MAX_THRESHOLDS]; /* d < -T */
} BalSubsetCounts;
typedef struct BalSplitResult {
    int n_thresholds, n_splits;
    double threshold[BAL_SPLIT_MAX_THRESHOLDS]; /* ascending, without duplicates */
    char split[BAL_SPLIT_MAX_SPLITS]
              [32]; /* in byte order; "all" where the table has no split column, "none" where the row names none */
    BalSubsetCounts count[BAL_SPLIT_MAX_SPLITS], all;
} BalSplitResult;
/* Write DIR/<split>-audio-preferred.txt, -visual-preferred.txt and per threshold T -audio-dominated-<T>.txt and
 * -visual-dominated-<T>.txt: one id per line, in byte order (LC_ALL=C sort). Thresholds lie in (0,1). dir NULL: count only.
 * Last comes DIR/split.json with the counts. An older one goes, with the lists that it names, once all new lists are on the disk and
 * before the first is put in place: where it stands, the lists beside it are its own.
 * d is u_audio - u_visual; beyond T as decimals have it: 0.9 - 0.7 is not more than 0.2. A file under the name of a list that no split.json
 * says to be ours is BAL_E_EXISTS, the table itself BAL_E_ARG. Memory: about 5 bytes per row more than its id. */
BAL_API BAL_MUST_USE BalStatus bal_split_file(BalSplitResult *out, const char *path, const BalScoresSpec *spec,
                                              const double *threshold, int n_thresholds, const char *dir,
                                              BalError *err);

/* ---- summary ---- */
#define BAL_UNIFORM_BINS 20
typedef struct BalGroupSummary {
    const char *name;                                                         /* borrowed from the scores */
    int64_t n, audio_preferred, visual_preferred, ties, beyond_02, beyond_04; /* beyond: |d| > 0.2, |d| > 0.4 */
    double mean_u_audio, mean_u_visual, mean_d, mean_abs_d;
    /* How far the d are from evenly spread over [-1,1]: Kolmogorov-Smirnov (largest gap of the distribution functions, in [0,1)),
     * Wasserstein-1 (mean distance that mass would move, in [0,1]), Kullback-Leibler over 20 bins (nats, in [0, ln 20]). */
    double ks, wasserstein, kl;
    /* Data map (Swayamdipta et al. 2020): means of spread and correctness over the clips where they are known, NaN where of none. */
    double sd[2], correct[2]; /* audio, visual */
    int64_t undecided;        /* -1 where unknown */
} BalGroupSummary;
typedef struct BalSummary {
    BalGroupSummary all, *split, *label; /* label: from the most heard (mean d) to the most seen */
    int n_splits, n_labels;
} BalSummary;
BAL_API BAL_MUST_USE BalStatus bal_summary_make(BalSummary *out, const BalScores *s, BalError *err);
BAL_API void bal_summary_reset(BalSummary *s);

/* ---- predictions: what a model answered for each clip of a table of scores ---- */
typedef enum BalModality { BAL_MODALITY_BOTH, BAL_MODALITY_AUDIO, BAL_MODALITY_VISUAL } BalModality;
enum { BAL_ANSWER_OTHER = -1, BAL_ANSWER_NONE = -2 }; /* a class that no clip of the scores has; no answer */

typedef struct BalPredictions { /* zero is valid; bal_predictions_reset frees */
    char *name, *path;          /* of the method; what was read */
    bool named;                 /* the caller chose the name: equal names are runs of one method */
    BalModality modality;
    int64_t seed, fold;                     /* -1: unknown, none */
    char store_hash[65], protocol_hash[65]; /* empty where unknown; protocol: recipe without the method's options */
    int64_t n;                              /* clips of the scores */
    int32_t *answer;                        /* [n] index into the scores' labels, or BAL_ANSWER_* */
    /* Of unimodal models only, whose ensemble needs them, and NULL where the file has none. */
    int n_columns;
    int32_t *column;   /* [n_columns] index into the scores' labels, or BAL_ANSWER_OTHER */
    float *logits;     /* [n,n_columns], NaN where there is no answer; probabilities come as their logarithms */
    int64_t n_unknown; /* ids that the scores do not have, left out on request */
} BalPredictions;

typedef struct BalPredictionsSpec {
    const char *
        name; /* of the method; NULL: that of the run, else of the file. "audio" and "visual" are the unimodal models */
    const char *ids;     /* logits: file of ids, one per line; NULL: NAME.ids.txt, then ids.txt, beside the .npy */
    const char *classes; /* class names, one per line, in the order of the model's outputs; NULL: NAME.classes.txt, then
                            classes.txt, beside the .npy; needed where the scores' labels are not 0, 1, 2, ...; run
                            folders list their own */
    bool ignore_unknown; /* leave out ids that the scores do not have instead of refusing them */
} BalPredictionsSpec;

/* Read the answers of one model for the clips of `scores`. What path may be: a run folder; a CSV with columns id and prediction; an
 * .npy of logits or probabilities [N,C]; a file dynamics_epoch_K.jsonl of dataset cartography (Swayamdipta et al. 2020), or a folder
 * of them, whose last epoch counts. A clip without an answer gets BAL_ANSWER_NONE: whether it is needed is bal_evaluate's to say.
 * BAL_E_FORMAT: an id is unknown or doubled, a label contradicts the scores, an answer is no class, files do not fit together;
 * BAL_E_NUMERIC: a logit is not finite. The message names file, line, id and remedy. */
BAL_API BAL_MUST_USE BalStatus bal_predictions_load(BalPredictions *out, const char *path, const BalScores *scores,
                                                    const BalPredictionsSpec *spec, BalError *err);
BAL_API void bal_predictions_reset(BalPredictions *p);

/* ---- evaluate: every method on every subset ---- */
#define BAL_CURVE_POINTS 10 /* T = 0, 0.1, ..., 0.9 */

typedef struct BalEvaluateSpec {
    const char *split;       /* clips of this split of the scores; NULL: all */
    const double *threshold; /* ascending, in (0,1): dominated subsets of the table */
    int n_thresholds;
    int replicates; /* of the bootstrap */
    uint64_t seed;
    int threads; /* 0: all processors; the outcome does not depend on it */
    bool mixed;  /* allow runs of different stores or recipes in one table */
} BalEvaluateSpec;
BAL_API BalEvaluateSpec bal_evaluate_spec_default(void); /* all clips, T = 0.2 and 0.4, 2000 replicates */

typedef struct BalSubset {
    char name[40]; /* "overall", "audio_preferred", "visual_preferred", "ties", "audio_dominated_0.2", ... */
    int side;      /* 1 audio, -1 visual, 0 neither */
    double t;      /* d beyond t on that side */
    int64_t n;
    bool tabled; /* else for the curves only */
} BalSubset;

/* One method on one subset; NaN where the subset is empty. Accuracy and macro-F1 are means over the method's runs. Macro-F1
 * averages over the classes that have clips in the subset, so that it averages over the same ones for every method; it has no
 * interval, because resampling few clips per class biases it downwards.
 * [low, high]: 95 % percentile interval of the accuracy, resampling clips and, where there are several, runs.
 * versus: row of the unimodal model that is best on this subset, -1 where there is none or this is a unimodal model. difference =
 * accuracy - its accuracy, with its interval from the same resamples (paired) and p_bootstrap = twice the share of them beyond 0.
 * p_mcnemar: of gained against lost, the clips on which this method is more often right than that model over their runs, and less
 * often: McNemar's test for one run each, a sign test else. */
typedef struct BalCell {
    double accuracy, macro_f1, low, high, sd_runs; /* sd_runs: over runs, n - 1; NaN for one */
    int versus;
    double difference, difference_low, difference_high, p_bootstrap, p_mcnemar;
    int64_t gained, lost;
} BalCell;

typedef struct BalClassResult { /* one method on the clips of one label; means over runs */
    double recall, precision, f1;
} BalClassResult;

/* Modality confusion: right answers of the sound alone and of the picture alone that the method lost, on all clips of a subset,
 * as expected numbers of clips over all pairs of runs. */
typedef struct BalConfusion {
    double audio_right, visual_right, either_right; /* by the unimodal models */
    double audio_lost, visual_lost, either_lost;    /* of those, wrong in the method */
    double gained;                                  /* right although both unimodal models are wrong */
} BalConfusion;

typedef struct BalEvaluationRow {
    const char *name; /* borrowed from the evaluation */
    BalModality modality;
    bool ensemble;
    int first_run, n_runs;
    BalCell *cell;            /* [n_subsets] */
    BalConfusion *confusion;  /* [n_subsets]; NULL for unimodal models and where one of them is missing */
    BalClassResult *by_class; /* [n_labels] on all clips */
    int beats_all; /* better than every unimodal model on every tabled subset that has clips: 1 yes, 0 no, -1 unknown */
} BalEvaluationRow;

typedef struct BalEvaluationRun {
    const char *path; /* borrowed from the evaluation; of an ensemble: of its audio run */
    int64_t seed, fold;
    double accuracy; /* on all clips */
} BalEvaluationRun;

typedef struct BalEvaluation { /* zero is valid; bal_evaluation_reset frees */
    int64_t n;
    const char *split;     /* "all" where every clip counts */
    int n_subsets, n_rows; /* rows: audio, visual, their ensembles, then the methods in the order given */
    BalSubset *subset;     /* [n_subsets]: overall, audio_preferred, visual_preferred, ties, then by t */
    BalEvaluationRow *row; /* [n_rows] */
    BalEvaluationRun *run; /* [n_runs], those of a row one behind the other */
    int n_runs, n_labels;
    const char **label;             /* [n_labels] with clips, in order of first appearance in the scores */
    int64_t *label_n;               /* [n_labels] clips */
    int curve[2][BAL_CURVE_POINTS]; /* subset of each point: audio, visual */
    int audio, visual;              /* first row of each modality, of which ensembles and confusion are; -1 */
    int replicates;
    uint64_t seed;
    char store_hash[65], protocol_hash[65]; /* of the runs; empty where unknown or mixed */
    bool mixed_stores, mixed_recipes;
    char no_ensemble[200]; /* why there is no such row; empty where there is one */
    char *text;
} BalEvaluation;

/* Evaluate predictions on the subsets of `scores`, the same ones that these were read for. Runs of one name are one row. The ensemble
 * of the two unimodal models (mean of logits, mean of probabilities; run by run, paired by seed) is added where their logits are there.
 * That overall accuracy is the n-weighted mean of audio_preferred, visual_preferred and ties is checked for every row.
 * BAL_E_ARG: no clip in the split, two runs of one method and seed, runs of different stores or recipes; BAL_E_FORMAT: a clip without
 * label or without an answer; BAL_E_NUMERIC: a row does not recombine. */
BAL_API BAL_MUST_USE BalStatus bal_evaluate(BalEvaluation *out, const BalScores *scores, const BalPredictions *p, int n,
                                            const BalEvaluateSpec *spec, BalError *err);
/* The identity itself, which bal_evaluate has checked: BAL_E_NUMERIC names the first row that does not recombine. */
BAL_API BAL_MUST_USE BalStatus bal_evaluation_check(const BalEvaluation *e, BalError *err);
BAL_API void bal_evaluation_reset(BalEvaluation *e);

/* ---- published tables: do their subsets recombine? ---- */
/* overall = s * audio_preferred + (1 - s) * visual_preferred holds for one share s in all rows of a table, up to rounding, unless
 * subsets and overall come from different clips, runs or epochs. */
typedef struct BalPublishedRow {
    const char *method;                                /* borrowed from the table */
    double overall, audio_preferred, visual_preferred; /* accuracies in [0,1] */
    double share, share_low,
        share_high;  /* of audio-preferred clips that the row implies, and what rounding leaves open; NaN
                                                 where both subsets are equal, outside [0,1] where no share fits */
    double residual; /* overall minus what the table's common share makes of the subsets */
} BalPublishedRow;
typedef struct BalPublished { /* zero is valid; bal_published_reset frees */
    int n;
    BalPublishedRow *row;
    double share;        /* that leaves the smallest squared residuals */
    double rounding;     /* half a unit of the last digit, in [0,1] units */
    double max_residual; /* largest |residual| */
    bool recombines;     /* one share fits all rows within rounding */
    char *text;
} BalPublished;
/* A CSV with the columns method, overall, audio_preferred, visual_preferred; per cent where a number is above 1. BAL_E_FORMAT,
 * BAL_E_NUMERIC: file, line and remedy. */
BAL_API BAL_MUST_USE BalStatus bal_published_load(BalPublished *out, const char *path, BalError *err);
BAL_API void bal_published_reset(BalPublished *p);

/* ---- agreement with a truth that is known ---- */
/* Spearman's rank correlation of x and y, [n] each, in [-1,1]; ties share their mean rank; 0 where one side is constant.
 * BAL_E_ARG if n < 2; BAL_E_NUMERIC if a value is not finite. */
BAL_API BAL_MUST_USE BalStatus bal_spearman(const double *x, const double *y, int64_t n, double *rho, BalError *err);

#endif
