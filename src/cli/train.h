/* Flags that `train`, `estimate` and `compare` share, and the recipe they make. */
#ifndef BAL_CLI_TRAIN_H
#define BAL_CLI_TRAIN_H

#include <avbalance/analysis.h>
#include <avbalance/train.h>
#include "cli/command.h"

typedef struct BalTrainFlags { /* first member of a command's struct */
    const char *out, *recipe, *epochs, *backend, *dtype;
    BalList set, init;
    double checkpoint_s;
} BalTrainFlags;

#define BAL_TRAIN_FLAGS                                                                                                 \
    {"out",                                                                                                             \
     'o',                                                                                                               \
     BAL_FLAG_STRING,                                                                                                   \
     "DIR",                                                                                                             \
     "folder for what is made (required)",                                                                              \
     .offset = offsetof(BalTrainFlags, out),                                                                            \
     .required = true},                                                                                                 \
        {"recipe",                                                                                                      \
         'r',                                                                                                           \
         BAL_FLAG_STRING,                                                                                               \
         "NAME|FILE",                                                                                                   \
         "a recipe of this build (see `recipes`) or a YAML file",                                                       \
         .offset = offsetof(BalTrainFlags, recipe)},                                                                    \
        {"set",                                                                                                         \
         's',                                                                                                           \
         BAL_FLAG_LIST,                                                                                                 \
         "KEY=VALUE",                                                                                                   \
         "override one value of the recipe",                                                                            \
         .offset = offsetof(BalTrainFlags, set)},                                                                       \
        {"epochs", 0, BAL_FLAG_STRING, "N", "same as --set train.epochs=N", .offset = offsetof(BalTrainFlags, epochs)}, \
        {"backend",                                                                                                     \
         0,                                                                                                             \
         BAL_FLAG_STRING,                                                                                               \
         "NAME",                                                                                                        \
         "same as --set train.backend=NAME",                                                                            \
         .offset = offsetof(BalTrainFlags, backend)},                                                                   \
        {"dtype",                                                                                                       \
         0,                                                                                                             \
         BAL_FLAG_STRING,                                                                                               \
         "f32|bf16",                                                                                                    \
         "same as --set train.dtype=...",                                                                               \
         .offset = offsetof(BalTrainFlags, dtype)},                                                                     \
        {"init",                                                                                                        \
         0,                                                                                                             \
         BAL_FLAG_LIST,                                                                                                 \
         "ENCODER=FILE",                                                                                                \
         "first weights of an encoder, as audio=RUN/weights.safetensors",                                               \
         .offset = offsetof(BalTrainFlags, init)},                                                                      \
    {                                                                                                                   \
        "checkpoint-every", 0, BAL_FLAG_REAL, "SECONDS",                                                                \
            "between two checkpoints inside an epoch; 0: after every step",                                             \
            .offset = offsetof(BalTrainFlags, checkpoint_s), .def = "300", .min = 0, .max = 1e6                         \
    }

/* The store's features, then the recipe, then --set, then the flags above, --seed and --threads. */
BAL_MUST_USE BalStatus bal_cli_recipe(const BalCli *cli, const BalTrainFlags *flags, const BalStore *store,
                                      BalRecipe *out, BalError *err);
/* BAL_E_ARG where --set names an option of a method that is not among those that run: it would do nothing. */
BAL_MUST_USE BalStatus bal_cli_check_set(const BalTrainFlags *flags, const char *const *methods, int n_methods,
                                         BalError *err);
void bal_unimodal_more_help(BalText *out); /* the keys of input.* and train.* */
void bal_train_more_help(BalText *out);    /* and the options of all methods */
/* "train 0.981  val 0.870  test 0.861": accuracies of the splits that there are. */
void bal_cli_accuracies(const BalFitResult *r, BalText *out);

/* A line per finished run; user is the BalCli. */
void bal_cli_run_done(void *user, const char *name, const BalFitResult *r);
/* Scores of an estimate's finished runs into *scores (the caller's, bal_scores_reset) and DIR/scores.csv, whose path is set. */
BAL_MUST_USE BalStatus bal_cli_scores(const BalEstimateSpec *spec, BalScores *scores, int64_t *unscored, BalText *path,
                                      BalError *err);

#endif
