/* What several stages of a build do: manifests, files, stores, recipes of its folder. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <avbalance/train.h>

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "curate/build.h"

enum { MOST_SET = 64 };

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

/* "key=value,key=value" into texts of *text; what they override is a training recipe. */
BalStatus bal_build_training(const BalBuilding *b, const char *which, const char *set, BalRecipe *out, BalError *err) {
    BalText text = {0}, path = {0};
    const char *one[MOST_SET];
    int n = 0;
    BalStatus rc = BAL_OK;
    bal_text_add(&text, set);
    rc = bal_text_ok(&text, err);
    for (char *s = text.data; rc >= 0 && s && *s;) {
        char *comma = strchr(s, ',');
        if (n == MOST_SET) rc = BAL_FAIL(err, BAL_E_ARG, "more than %d values of a recipe", MOST_SET);
        if (rc >= 0) one[n++] = s + strspn(s, " ");
        if (comma) *comma = '\0';
        s = comma ? comma + 1 : NULL;
    }
    bal_text_add(&path, which);
    if (rc >= 0 && strchr(which, '/')) rc = bal_build_given(b, which, &path, err);
    *out = bal_recipe_default();
    if (rc >= 0) rc = bal_recipe_load(out, path.data, one, n, err);
    if (rc >= 0) out->train.seed += b->recipe->seed;
    bal_text_reset(&text);
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
    const char *which = b->recipe->categories;
    BalText path = {0};
    bal_text_add(&path, which);
    BalStatus rc =
        strchr(which, '/') || strchr(which, '.') ? bal_build_given(b, which, &path, err) : bal_text_ok(&path, err);
    if (rc >= 0) rc = bal_categories_load(out, path.data, err);
    bal_text_reset(&path);
    return rc;
}
