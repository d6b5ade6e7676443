/* Build: the whole way from raw videos to a balanced dataset, in stages that can be killed (Xia et al. 2023, section 4).
 *
 *   clips      videos are cut into clips, or a manifest of clips is taken         clips/, candidates.csv
 *   score      networks for sound and for picture say what they hear and see      score/
 *   triage     clips by which of them names the label; supplements                triage/
 *   ingest     features of the clips that are left                                store/
 *   estimate   unimodal training on them: u_audio, u_visual                       estimate/
 *   noise      labels that are likely wrong, and clips to be taken down           noise/
 *   select     the largest balanced subset                                        select/
 *   export     manifest.tsv, rejects.tsv, report.json, heatmaps, card, lock, lists
 *
 * A stage is done when build.jsonl says so for its present settings and inputs and its outputs are those it left. Changed settings
 * make a stage and, where what it leaves is then other, the later ones anew. */
#ifndef AVBALANCE_BUILD_H
#define AVBALANCE_BUILD_H

#include <stdbool.h>
#include <stdint.h>
#include <avbalance/analysis.h>
#include <avbalance/dataset.h>
#include <avbalance/error.h>
#include <avbalance/progress.h>

enum { BAL_BUILD_PATHS = 2048, BAL_BUILD_TEXT = 256 };
/* Options in the order of `avbalance build --help`; paths start from the recipe's folder, several are parted by commas. */
typedef struct BalBuildRecipe {
    char name[BAL_BUILD_TEXT], description[BAL_BUILD_PATHS], licence[BAL_BUILD_TEXT], creator[BAL_BUILD_TEXT],
        url[BAL_BUILD_TEXT];
    char version[33], date[33], cite[BAL_BUILD_PATHS], takedown[BAL_BUILD_TEXT];
    int64_t seed;
    char videos[BAL_BUILD_PATHS], manifest[BAL_BUILD_PATHS], origin[33], licences[BAL_BUILD_TEXT];
    bool grid, duplicates, technical;
    double clip_s;
    int64_t clips_per_video;
    char outputs[2][BAL_BUILD_PATHS], reference[BAL_BUILD_TEXT], scorer[BAL_BUILD_TEXT], scorer_set[BAL_BUILD_PATHS];
    char network[2][33], weights[2][BAL_BUILD_TEXT], classes[2][BAL_BUILD_TEXT], view[2][17];
    char held_out[2][BAL_BUILD_TEXT];
    double temperature[2]; /* 0: by calibration, where clips for it are named; else 1 */
    bool triage, retopic, no_foreign_test;
    char categories[BAL_BUILD_TEXT], supplement[BAL_BUILD_PATHS], cap[BAL_BUILD_PATHS];
    int rule;
    double proportion;
    int64_t target, triage_per_source;
    bool estimate;
    char recipe[BAL_BUILD_TEXT], recipe_set[BAL_BUILD_PATHS], scores[BAL_BUILD_TEXT];
    int mode;
    int64_t folds, seeds;
    bool noise;
    double low, never_u, never_sd, noise_cap;
    bool select;
    int policy;
    int64_t bins, level, class_min, class_max, min_per_bin, select_per_source;
    double ratio, tolerance;
    char must_keep[BAL_BUILD_TEXT];
    int split;
    double train_share, val_share;
    bool lock;
} BalBuildRecipe;

struct BalOption;
BAL_API const struct BalOption *bal_build_options(void); /* table over BalBuildRecipe */
/* Read a YAML file over the defaults, then n_set texts "key=value". */
BAL_API BAL_MUST_USE BalStatus bal_build_recipe_load(BalBuildRecipe *r, const char *path, const char *const *set,
                                                     int n_set, BalError *err);

typedef struct BalBuildSpec {
    const BalBuildRecipe *recipe;
    const char *base_dir; /* where the recipe's paths start */
    const char *dir;      /* folder of the dataset */
    int threads;          /* 0: all processors */
    BalRoom room;         /* once every file that the recipe names was seen */
    BalProgressSink progress;
    /* Draws the heatmaps; NULL: none. A room above this one can (bal_figure_heatmap). */
    BalStatus (*heatmap)(const BalHeatmap *h, const char *title, const char *path, BalError *err);
    void (*told)(void *user, const char *stage, bool was_done); /* a stage is complete; may be NULL */
    void *user;
} BalBuildSpec;
/* Make, or go on making, the dataset in spec->dir. Killed at any moment and called again, it ends with the same bytes; so it does for any
 * number of threads in all stages but the training, which uses the threads of its own recipe. BAL_E_EXISTS: another process
 * works in the folder, or it holds something else. Other errors are those of the stages, whose name is in the message. */
BAL_API BAL_MUST_USE BalStatus bal_build(const BalBuildSpec *spec, BalError *err);

#endif
