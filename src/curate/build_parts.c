/* What several stages of a build do: manifests, files, stores, recipes of its folder. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <avbalance/train.h>

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "curate/build.h"

BalStatus bal_build_load(const BalBuilding *b, const char *name, BalManifest *m, BalError *err) {
    BalText path = {0};
    BalStatus rc = bal_build_path(b, name, &path, err);
    if (rc >= 0) rc = bal_manifest_load(m, path.data, NULL, err);
    bal_text_reset(&path);
    return rc;
}

BalStatus bal_build_save(const BalBuilding *b, const char *name, const BalManifest *m, BalError *err) {
    BalText path = {0};
    BalStatus rc = bal_build_path(b, name, &path, err);
    if (rc >= 0) rc = bal_manifest_save(m, path.data, err);
    bal_text_reset(&path);
    return rc;
}

BalStatus bal_build_write(const BalBuilding *b, const char *name, const BalText *text, BalError *err) {
    BalText path = {0};
    BalStatus rc = bal_text_ok(text, err);
    if (rc >= 0) rc = bal_build_path(b, name, &path, err);
    if (rc >= 0) rc = bal_file_write(path.data, bal_text_str(text), text->len, err);
    bal_text_reset(&path);
    return rc;
}

BalStatus bal_build_folder(const BalBuilding *b, const char *name, BalError *err) {
    BalText path = {0};
    BalStatus rc = bal_build_path(b, name, &path, err);
    if (rc >= 0) rc = bal_make_dirs(path.data, err);
    bal_text_reset(&path);
    return rc;
}

BalStatus bal_build_training(const BalBuilding *b, const char *which, const char *set, BalRecipe *out, BalError *err) {
    BalPaths values;
    BalText path = {0};
    BAL_TRY(bal_paths_split(&values, NULL, set, err));
    BalStatus rc = bal_build_named(b, which, &path, err);
    *out = bal_recipe_default();
    if (rc >= 0) rc = bal_recipe_load(out, path.data, (const char *const *)values.path, values.n, err);
    if (rc >= 0) out->train.seed += b->recipe->seed;
    bal_paths_reset(&values);
    bal_text_reset(&path);
    return rc;
}

BalStatus bal_build_store(const BalBuilding *b, const BalManifest *m, const BalFeatureRecipe *recipe, const char *name,
                          double val_share, BalError *err) {
    BalIngestSpec spec = bal_ingest_spec_default();
    BalIngestResult r;
    BalText path = {0};
    spec.workers = b->spec->threads;
    spec.val_share = val_share;
    spec.seed = (uint64_t)b->recipe->seed;
    BalStatus rc = bal_build_path(b, name, &path, err);
    if (rc >= 0) rc = bal_ingest(m, recipe, &spec, path.data, b->spec->progress, &r, err);
    bal_text_reset(&path);
    return rc;
}

BalStatus bal_build_open_store(const BalBuilding *b, const char *name, BalStore **out, BalError *err) {
    BalText path = {0};
    BalStatus rc = bal_build_path(b, name, &path, err);
    if (rc >= 0) rc = bal_store_open(out, path.data, err);
    bal_text_reset(&path);
    return rc;
}

BalStatus bal_build_categories(const BalBuilding *b, BalCategories *out, BalError *err) {
    BalText path = {0};
    BalStatus rc = bal_build_named(b, b->recipe->categories, &path, err);
    if (rc >= 0) rc = bal_categories_load(out, path.data, err);
    bal_text_reset(&path);
    return rc;
}
