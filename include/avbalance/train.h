/* Training: recipe, one run (fit), and the set of runs that estimates modality discrepancy.
 *
 * A run trains one method on a store and, after every epoch, records how much probability the network gives to the true label of
 * every clip (eval mode, test transforms): the quantity whose mean over epochs is u (Xia et al. 2023). */
#ifndef AVBALANCE_TRAIN_H
#define AVBALANCE_TRAIN_H

#include <stdbool.h>
#include <stdint.h>
#include <avbalance/dataset.h>
#include <avbalance/error.h>
#include <avbalance/features.h>
#include <avbalance/progress.h>

/* ---- recipe: everything that changes numbers ---- */
typedef enum BalSelection { BAL_SELECT_ACCURACY, BAL_SELECT_LOSS, BAL_SELECT_LAST } BalSelection;
typedef struct BalTrainRecipe { /* options "train.*" */
    char model[33];             /* encoder: `avbalance models` lists them */
    int optimiser;              /* BalOptimiserKind: sgd, adam, adamw */
    double lr, momentum, weight_decay;
    int schedule; /* BalSchedule.kind: constant, step, cosine */
    int64_t step; /* step: epochs between two drops by gamma */
    double gamma, lr_min;
    int64_t warmup;      /* epochs over which lr rises linearly to its value */
    int64_t head_epochs; /* unimodal methods: first epochs in which the head alone learns, at head_rate times lr */
    double head_rate;
    int64_t epochs;   /* most epochs */
    int64_t patience; /* stop after this many epochs without a better validation value; 0: never */
    int selection;    /* BalSelection, on the validation split only */
    int64_t batch, eval_batch;
    bool drop_last;   /* of an epoch's clips those that fill no batch */
    int64_t settle;   /* batches of the epoch seen again before it is evaluated, in BAL_MODE_SETTLE; 0: none */
    int dtype;        /* BalDtype: f32, bf16 */
    char backend[17]; /* "" = the best of this build */
    int64_t threads;  /* 0: all processors */
    int64_t seed;     /* initial weights, order of clips, augmentation */
} BalTrainRecipe;

typedef struct BalRecipe {
    BalFeatureRecipe feature; /* audio.*, visual.* */
    BalInputRecipe input;     /* input.* */
    BalTrainRecipe train;     /* train.* */
    /* <method>.*: what differs from the defaults of the methods of this build, as lines "key=value\n" in the order of their tables;
     * only bal_recipe_load writes it. A recipe may hold the options of many methods; a run has those of its own. */
    char method[2048];
} BalRecipe;

struct BalOption;
struct BalMethodOps;
BAL_API const struct BalOption *bal_train_options(void); /* table over BalTrainRecipe */
BAL_API BalRecipe bal_recipe_default(void);
/* Read `which` (a recipe of this build by name, or a path; NULL: nothing) over what *r holds, then n_set texts "key=value".
 * What the caller put into r->feature stays where the recipe is silent: training starts from the store's.
 * BAL_E_ARG: no such recipe or bad override; BAL_E_FORMAT: file, line, key and allowed range. *r is written only on success. */
BAL_API BAL_MUST_USE BalStatus bal_recipe_load(BalRecipe *r, const char *which, const char *const *set, int n_set,
                                               BalError *err);
/* Canonical YAML of the recipe with the options of one method (NULL: of none); *text is the caller's (bal_recipe_text_free). */
BAL_API BAL_MUST_USE BalStatus bal_recipe_text(const BalRecipe *r, const struct BalMethodOps *method, char **text,
                                               BalError *err);
BAL_API void bal_recipe_text_free(char *text);
/* SHA-256 of the canonical text without what only says how and how often it is run: seed, threads, backend. */
BAL_API BAL_MUST_USE BalStatus bal_recipe_hash(const BalRecipe *r, const struct BalMethodOps *method, char hex[65],
                                               BalError *err);
/* Options of a method, as the recipe has them, into its state: block of method->state_size that holds the defaults. */
BAL_API BAL_MUST_USE BalStatus bal_recipe_method(const BalRecipe *r, const struct BalMethodOps *method, void *state,
                                                 BalError *err);
BAL_API int bal_recipe_count(void); /* recipes inside this build */
/* Name, what it is for (ends at the first newline) and full text; static storage. */
BAL_API const char *bal_recipe_at(int i, const char **summary, const char **yaml);

/* ---- one run ---- */
typedef struct BalFitSpec {
    const char *method; /* "audio", "ogm-ge", ...: bal_method_at lists them */
    const struct BalMethodOps
        *ops;            /* (optional) a method outside the registry, in place of `method`; outlives the call */
    BalRecipe recipe;    /* .feature must equal the store's */
    const char *dir;     /* run folder */
    const int *fold;     /* per store clip, -1: none; NULL: no folds. Clips of fold `held_out` are not trained on; */
    int held_out, folds; /* those trained on are then not scored (NaN) */
    double checkpoint_s; /* seconds between two checkpoints inside an epoch (default 300); 0: after every step */
    bool force;          /* start anew in a folder that holds another run */
    BalProgressSink progress;
    const char *const
        *init; /* [n_init] "PREFIX=weights.safetensors": first weights of an encoder ("audio", "visual") from a file */
    int n_init;
} BalFitSpec;
BAL_API BalFitSpec bal_fit_spec_default(void);

typedef struct BalFitResult {
    int64_t n, n_train;               /* clips of the store, clips trained on */
    int epochs;                       /* trained */
    int epochs_used;                  /* E_m: epochs that u averages over */
    int best_epoch;                   /* 1-based, whose weights were kept */
    double accuracy[BAL_SPLIT_COUNT]; /* of the kept weights; NaN where a split is empty */
    int best_test_epoch;       /* 1-based; what selecting on test data would have reported: for comparison with */
    double best_test_accuracy; /* papers that do, never used here. 0 and NaN without test clips */
    bool already_done;
} BalFitResult;

/* Of init[n] (as in BalFitSpec, of the encoders "audio" and "visual") what is for a method with these inputs (BAL_TAG_AUDIO |
 * BAL_TAG_VISUAL), sound first, so that the order of the list is no part of a run: where several methods share one. out: borrowed.
 * BAL_E_ARG: an entry of another encoder, or a second of one. */
BAL_API BAL_MUST_USE BalStatus bal_init_for(unsigned inputs, const char *const *init, int n, const char *out[2],
                                            int *n_out, BalError *err);

/* Train one model, or continue where a killed run stopped: the files are then the same bytes as without the kill (timing.jsonl
 * excepted). Writes the run folder: run.json (last, so that its presence means complete), log.jsonl, confidence.npy f32 [E,N],
 * correct.npy u8 [E,N] (255: not scored), ids.txt, logits.npy f32 [N,C], predictions.csv, weights.safetensors, recipe.yaml.
 * BAL_E_MISMATCH: the folder holds a run of another recipe, store, seed, thread count or of a build that may compute other numbers
 * (says which; a version whose sources differ in comments and documents only is the same).
 * BAL_E_EXISTS: it holds something else. BAL_E_NUMERIC: loss or logits not finite (epoch, step, clips, remedy).
 * BAL_E_CANCELLED: stopped through `progress`, checkpoint written. */
BAL_API BAL_MUST_USE BalStatus bal_fit(const BalStore *store, const BalFitSpec *spec, BalFitResult *out, BalError *err);

/* Whether bal_fit could begin: method, options, features, encoder, backend, clips, network, first weights that fit it, and no other run in
 * spec->dir. Writes nothing; to be asked before long work. Errors as bal_fit and bal_graph_fits_under. */
BAL_API BAL_MUST_USE BalStatus bal_fit_check(const BalStore *store, const BalFitSpec *spec, BalError *err);

/* Take away what a run left in dir, all but the recipe.yaml by which the folder is known: to start several runs anew that belong
 * together, before the first of them, so that a later call without `force` continues what the new ones have done. No run there: nothing
 * to do. BAL_E_EXISTS: another process is in it. */
BAL_API BAL_MUST_USE BalStatus bal_fit_clear(const char *dir, BalError *err);

/* ---- estimate: audio-only and visual-only runs, for every seed, and for every fold when cross-fitting ---- */
typedef struct BalEstimateSpec {
    BalRecipe recipe; /* .train.seed is the first seed */
    const char *dir;
    int seeds;           /* runs seed, seed + 1, ... (default 1) */
    int folds;           /* 0: paper mode, clips are scored by models that trained on them; >= 2: cross-fitting */
    double checkpoint_s; /* as in BalFitSpec */
    bool force;          /* start all runs anew */
    BalProgressSink progress;
    const char *const
        *init; /* [n_init] as in BalFitSpec: "audio=..." for the audio runs, "visual=..." for the visual ones */
    int n_init;
} BalEstimateSpec;
BAL_API BalEstimateSpec bal_estimate_spec_default(void);

/* Make every run folder DIR/<modality>-seed<S>[-fold<K>], folds.csv when cross-fitting, and estimate.json last. Finished runs are
 * kept and unfinished ones continued. `run`, when not NULL, is told each run as it is complete. Errors as bal_fit. */
typedef void BalRunDoneFn(void *user, const char *name, const BalFitResult *r);
BAL_API BAL_MUST_USE BalStatus bal_estimate(const BalStore *store, const BalEstimateSpec *spec, BalRunDoneFn *run,
                                            void *user, BalError *err);
/* Name of the run folder inside DIR: "audio-seed0-fold2"; fold < 0: none. */
BAL_API void bal_run_name(char *out, size_t cap, const char *method, int64_t seed, int fold);

#endif
