/* Estimate: the unimodal runs whose confidences give every clip its u_audio and u_visual.
 *
 * Paper mode is what Xia et al. published: one audio-only and one visual-only network, each scoring the clips it was trained on as
 * well as the others. A network memorises noisy training clips, though, and then finds them easy; cross-fitting removes that: the
 * train clips are cut into K folds by source, and each fold is scored by a network that has seen neither it nor its sources.
 * Validation and test clips are scored by all K networks. Both modalities and all seeds use the same folds.
 *
 * Every run is a folder of its own and resumable by itself (fit.c), so nothing here needs a checkpoint: runs that are complete are
 * recognised, the first incomplete one goes on. */
#include <stdio.h>
#include <string.h>
#include "base/csv.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/text.h"
#include "train/run.h"

static const char *const MODALITIES[] = {"audio", "visual"};
static const unsigned INPUTS[] = {BAL_TAG_AUDIO, BAL_TAG_VISUAL};

BalEstimateSpec bal_estimate_spec_default(void) {
    return (BalEstimateSpec){.recipe = bal_recipe_default(), .seeds = 1, .checkpoint_s = 300};
}

void bal_run_name(char *out, size_t cap, const char *method, int64_t seed, int fold) {
    int n = snprintf(out, cap, "%s-seed%lld", method, (long long)seed);
    if (fold >= 0 && (size_t)n < cap) snprintf(out + n, cap - (size_t)n, "-fold%d", fold);
}

/* ---- folds ---- */

/* fold[clip] for the train clips, -1 for the others. */
static BalStatus make_folds(const BalStore *store, int k, uint64_t seed, int *fold, BalError *err) {
    int64_t *clip = NULL, n = 0;
    int *part = NULL;
    for (int64_t i = 0; i < bal_store_count(store); i++) fold[i] = -1;
    BalStatus rc = bal_clips_of_split(store, BAL_SPLIT_TRAIN, &clip, &n, err);
    if (rc == BAL_OK) rc = bal_alloc(&part, (size_t)n, sizeof *part, err);
    if (rc == BAL_OK) rc = bal_clips_fold(store, clip, n, k, seed, part, err);
    if (rc == BAL_E_ARG) bal_error_add(err, rc, "while cutting the %lld train clips into --folds", (long long)n);
    for (int64_t i = 0; i < n && rc == BAL_OK; i++) fold[clip[i]] = part[i];
    bal_free(part);
    bal_clips_free(clip);
    return rc;
}

/* folds.csv, which must not change under runs that are already there; dry: written nowhere, but refused where it would be. */
static BalStatus keep_folds(const char *path, const BalText *csv, bool force, bool dry, BalError *err) {
    BalText old = {0};
    if (!force && bal_file_exists(path)) {
        BalStatus rc = bal_file_read(path, 0, &old, err);
        bool same = rc == BAL_OK && !strcmp(bal_text_str(&old), bal_text_str(csv));
        bal_text_reset(&old);
        if (rc < 0 || same) return rc;
        return BAL_FAIL(
            err, BAL_E_MISMATCH,
            "%s holds other folds than these settings make: give the same --folds and --seed, another folder, "
            "or -f to start anew",
            path);
    }
    return dry ? BAL_OK : bal_file_write(path, csv->data, csv->len, err);
}

static BalStatus write_folds(const BalStore *store, const int *fold, const BalEstimateSpec *spec, bool dry,
                             BalError *err) {
    BalText csv = {0}, path = {0};
    bal_text_add(&csv, "id,fold\n");
    for (int64_t i = 0; i < bal_store_count(store); i++) {
        if (fold[i] < 0) continue;
        bal_csv_quote(&csv, bal_store_id(store, i));
        bal_text_f(&csv, ",%d\n", fold[i]);
    }
    BalStatus rc = bal_text_ok(&csv, err);
    if (rc == BAL_OK) rc = bal_path_in(&path, spec->dir, "folds.csv", err);
    if (rc == BAL_OK) rc = keep_folds(path.data, &csv, spec->force, dry, err);
    bal_text_reset(&csv);
    bal_text_reset(&path);
    return rc;
}

/* ---- runs ---- */

typedef struct Estimate {
    const BalStore *store;
    const BalEstimateSpec *spec;
    int *fold; /* NULL in paper mode */
    BalRunDoneFn *told;
    void *user;
    BalText names; /* of the runs, each ended by a newline */
} Estimate;

/* What is done of every run, for all before the next. CHECK: whether it could begin. CLEAR: with force, an older one goes. */
typedef enum Step { CHECK, CLEAR, TRAIN } Step;

static BalStatus one_run(Estimate *e, int modality, int64_t seed, int fold, Step step, BalError *err) {
    const BalEstimateSpec *spec = e->spec;
    const char *init[2];
    char name[64];
    BalText dir = {0};
    BalFitResult r;
    BalFitSpec fit = bal_fit_spec_default();
    BAL_TRY(bal_init_for(INPUTS[modality], spec->init, spec->n_init, init, &fit.n_init, err));
    fit.method = MODALITIES[modality];
    fit.init = init;
    bal_run_name(name, sizeof name, fit.method, seed, fold);
    BalStatus rc = bal_path_in(&dir, spec->dir, name, err);
    fit.recipe = spec->recipe;
    fit.recipe.train.seed = seed;
    fit.dir = dir.data;
    fit.fold = e->fold;
    fit.held_out = fold;
    fit.folds = spec->folds;
    fit.checkpoint_s = spec->checkpoint_s;
    fit.force = spec->force && step == CHECK;
    fit.progress = spec->progress;
    if (rc == BAL_OK && step == CHECK) rc = bal_fit_check(e->store, &fit, err);
    if (rc == BAL_OK && step == CLEAR) rc = spec->force ? bal_fit_clear(fit.dir, err) : BAL_OK;
    if (rc == BAL_OK && step == TRAIN) rc = bal_fit(e->store, &fit, &r, err);
    if (rc < 0) bal_error_add(err, rc, "in run %s", name);
    if (rc == BAL_OK && step == TRAIN && e->told) e->told(e->user, name, &r);
    if (step == TRAIN) bal_text_f(&e->names, "%s\n", name);
    bal_text_reset(&dir);
    return rc;
}

static BalStatus all_runs(Estimate *e, Step step, BalError *err) {
    int n_fold = e->fold ? e->spec->folds : 1;
    for (int s = 0; s < e->spec->seeds; s++)
        for (int f = 0; f < n_fold; f++)
            for (int m = 0; m < 2; m++)
                BAL_TRY(one_run(e, m, e->spec->recipe.train.seed + s, e->fold ? f : -1, step, err));
    return bal_text_ok(&e->names, err);
}

static BalStatus write_summary(const Estimate *e, BalText *json, BalText *path, BalError *err) {
    char hash[65];
    BAL_TRY(bal_recipe_hash(&e->spec->recipe, NULL, hash, err));
    BalJsonOut o = bal_json_document(json, true, "avbalance/estimate/1");
    bal_json_add_text(&o, "mode", e->fold ? "crossfit" : "paper");
    bal_json_add_int(&o, "folds", e->spec->folds);
    bal_json_open(&o, "seeds", '[');
    for (int s = 0; s < e->spec->seeds; s++) bal_json_add_int(&o, NULL, e->spec->recipe.train.seed + s);
    bal_json_close(&o, ']');
    bal_json_open(&o, "runs", '[');
    char name[64];
    for (const char *at = e->names.data; *at; at = strchr(at, '\n') + 1) {
        snprintf(name, sizeof name, "%.*s", (int)strcspn(at, "\n"), at);
        bal_json_add_text(&o, NULL, name);
    }
    bal_json_close(&o, ']');
    bal_json_add_int(&o, "n", bal_store_count(e->store));
    bal_json_add_text(&o, "store_hash", bal_store_hash(e->store));
    bal_json_add_text(&o, "recipe_hash", hash);
    bal_json_close(&o, '}');
    bal_text_char(json, '\n');
    BAL_TRY(bal_text_ok(json, err));
    BAL_TRY(bal_path_in(path, e->spec->dir, "estimate.json", err));
    return bal_file_write(path->data, json->data, json->len, err);
}

/* With force: what says that an older estimate is complete goes before anything of it does. */
static BalStatus forget(const BalEstimateSpec *spec, BalText *path, BalError *err) {
    static const char *const last[] = {"scores.csv", "estimate.json"};
    for (int i = 0; spec->force && i < 2; i++) {
        BAL_TRY(bal_path_in(path, spec->dir, last[i], err));
        BAL_TRY(bal_remove_tree(path->data, err));
    }
    return BAL_OK;
}

/* Folders of runs in somebody else's folder would be lost among what is there: a run's, a store's, anything. */
static BalStatus must_be_ours(const char *dir, BalError *err) {
    char **names = NULL;
    int n = 0;
    bool ours = false;
    if (!bal_is_dir(dir)) return BAL_OK;
    BAL_TRY(bal_sweep_tmp(dir, err)); /* of an estimate that was killed before its first file was whole */
    BAL_TRY(bal_list_dir(dir, &names, &n, err));
    for (int i = 0; i < n; i++)
        ours |= !strcmp(names[i], "folds.csv") || !strcmp(names[i], "estimate.json") ||
                bal_has_prefix(names[i], "audio-seed");
    BalStatus rc = BAL_OK;
    if (n && !ours)
        rc = BAL_FAIL(err, BAL_E_EXISTS, "%s exists and holds no estimate (found %s): choose another folder", dir,
                      names[0]);
    bal_names_free(names, n);
    return rc;
}

BalStatus bal_estimate(const BalStore *store, const BalEstimateSpec *spec, BalRunDoneFn *run, void *user,
                       BalError *err) {
    Estimate e = {.store = store, .spec = spec, .told = run, .user = user};
    BalText json = {0}, path = {0};
    BalStatus rc = BAL_OK;
    if (spec->seeds < 1 || spec->folds < 0 || spec->folds == 1)
        return BAL_FAIL(err, BAL_E_ARG, "an estimate needs at least 1 seed and, when cross-fitting, at least 2 folds");
    BAL_TRY_OR(fail, must_be_ours(spec->dir, err));
    if (spec->folds) {
        BAL_TRY_OR(fail, bal_alloc(&e.fold, (size_t)bal_store_count(store), sizeof *e.fold, err));
        BAL_TRY_OR(fail, make_folds(store, spec->folds, (uint64_t)spec->recipe.train.seed, e.fold, err));
        BAL_TRY_OR(fail, write_folds(store, e.fold, spec, true, err));
    }
    BAL_TRY_OR(fail, all_runs(&e, CHECK, err)); /* what is known to be impossible is said before anything is written */
    BAL_TRY_OR(fail, bal_make_dirs(spec->dir, err));
    BAL_TRY_OR(fail, forget(spec, &path, err));
    BAL_TRY_OR(fail, all_runs(&e, CLEAR, err));
    if (e.fold) BAL_TRY_OR(fail, write_folds(store, e.fold, spec, false, err));
    BAL_TRY_OR(fail, all_runs(&e, TRAIN, err));
    BAL_TRY_OR(fail, write_summary(&e, &json, &path, err));
fail:
    bal_free(e.fold);
    bal_text_reset(&e.names);
    bal_text_reset(&json);
    bal_text_reset(&path);
    return rc;
}
