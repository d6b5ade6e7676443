/* Between the files of build: the state that stages share. */
#ifndef BAL_CURATE_BUILD_H
#define BAL_CURATE_BUILD_H

#include <avbalance/build.h>
#include <avbalance/curate.h>
#include <avbalance/train.h>
#include "base/output.h"
#include "base/text.h"

enum { BAL_MOST_LIST = 64 };
typedef struct BalPaths { /* a comma-separated list of the recipe */
    char *path[BAL_MOST_LIST];
    int n;
} BalPaths;
/* base_dir: where the paths start; NULL: they are no paths, but texts. */
BAL_MUST_USE BalStatus bal_paths_split(BalPaths *p, const char *base_dir, const char *list, BalError *err);
void bal_paths_reset(BalPaths *p);

extern const BalOutput bal_build_output;
#define BAL_BUILD_PLACES "places.csv" /* of the candidates, beside candidates.csv */

typedef struct BalBuilding {
    const BalBuildSpec *spec;
    const BalBuildRecipe *recipe;
    const char *dir;
} BalBuilding;

/* DIR/name; *path is cleared first. */
BAL_MUST_USE BalStatus bal_build_path(const BalBuilding *b, const char *name, BalText *path, BalError *err);
/* A path of the recipe; empty stays empty. */
BAL_MUST_USE BalStatus bal_build_given(const BalBuilding *b, const char *name, BalText *path, BalError *err);
/* The same of what may also be a name (of a training recipe, a table of categories): that stays as it is. No name of ours has a dot. */
bool bal_build_is_file(const char *which);
BAL_MUST_USE BalStatus bal_build_named(const BalBuilding *b, const char *which, BalText *path, BalError *err);

typedef struct BalBuildStage {
    const char *name;
    const char *options; /* prefixes of the options that it depends on, parted by blanks */
    const char *folder;  /* in DIR, removed before it is made anew; NULL: none */
    bool resumes;        /* goes on in its folder by itself, as long as its settings and inputs are the same */
    const char
        *outputs; /* files whose content is its result, parted by blanks; those that are not there are none. =FILE
                          * only tells about the stage: no later stage but the last reads it */
    BalStatus (*run)(const BalBuilding *b, BalError *err);
} BalBuildStage;

BalStatus bal_build_clips(const BalBuilding *b, BalError *err);
BalStatus bal_build_score(const BalBuilding *b, BalError *err);
BalStatus bal_build_triage(const BalBuilding *b, BalError *err);
BalStatus bal_build_ingest(const BalBuilding *b, BalError *err);
BalStatus bal_build_estimate(const BalBuilding *b, BalError *err);
BalStatus bal_build_noise(const BalBuilding *b, BalError *err);
BalStatus bal_build_select(const BalBuilding *b, BalError *err);
BalStatus bal_build_export(const BalBuilding *b, BalError *err);

/* Take clips out of the candidates (by id) that cannot be used, or are there twice, with a line each in candidates-rejects.csv. */
BAL_MUST_USE BalStatus bal_build_sift(const BalBuilding *b, BalManifest *m, BalError *err);

/* Paths of one side's outputs: what the recipe names, and what the stage score made. */
BAL_MUST_USE BalStatus bal_build_outputs(const BalBuilding *b, int side, BalPaths *out, BalError *err);
BAL_MUST_USE BalStatus bal_paths_add(BalPaths *p, const char *path, BalError *err);

/* ---- parts of stages; names are files and folders in DIR ---- */
BAL_MUST_USE BalStatus bal_build_load(const BalBuilding *b, const char *name, BalManifest *m, BalError *err);
BAL_MUST_USE BalStatus bal_build_save(const BalBuilding *b, const char *name, const BalManifest *m, BalError *err);
BAL_MUST_USE BalStatus bal_build_write(const BalBuilding *b, const char *name, const BalText *text, BalError *err);
BAL_MUST_USE BalStatus bal_build_folder(const BalBuilding *b, const char *name, BalError *err);
BAL_MUST_USE BalStatus bal_build_categories(const BalBuilding *b, BalCategories *out, BalError *err);
/* A training recipe (name, or path from the recipe's folder) with "key=value,key=value" set; the build's seed is added to its own. */
BAL_MUST_USE BalStatus bal_build_training(const BalBuilding *b, const char *which, const char *set, BalRecipe *out,
                                          BalError *err);
BAL_MUST_USE BalStatus bal_build_store(const BalBuilding *b, const BalManifest *m, const BalFeatureRecipe *recipe,
                                       const char *name, double val_share, BalError *err);
BAL_MUST_USE BalStatus bal_build_open_store(const BalBuilding *b, const char *name, BalStore **out, BalError *err);

#endif
