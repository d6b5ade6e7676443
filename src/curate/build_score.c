/* The stage score: networks for sound and for picture, trained on labelled clips if none are given, and how sure they may be. */
#include <stdio.h>
#include <string.h>

#include <avbalance/score.h>
#include <avbalance/train.h>

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "curate/build.h"
#include "dataset/manifest.h"

/* ---- networks that are trained for it ---- */

/* Labelled clips in front, as train and val; the candidates behind them, as test: no number of theirs reaches the training. Media as
 * seen from `dir`, so that the store knows nothing of where the build lies. */
static BalStatus join_manifests(const BalManifest *reference, const BalManifest *candidates, const char *dir,
                                BalManifest *out, BalText *media, BalError *err) {
    const size_t n = (size_t)(reference->n + candidates->n);
    size_t *at = NULL;
    *out = (BalManifest){.classes = reference->classes, .n_classes = reference->n_classes, .dir = (char *)dir};
    BAL_TRY(bal_alloc(&out->clip, n, sizeof *out->clip, err));
    BAL_TRY(bal_alloc(&at, n, sizeof *at, err));
    BalStatus rc = BAL_OK;
    for (int s = 0; s < 2 && rc >= 0; s++) {
        const BalManifest *m = s ? candidates : reference;
        BalText prefix = {0};
        rc = bal_manifest_prefix(m, dir, &prefix, err);
        for (int64_t i = 0; i < m->n && rc >= 0; i++) {
            BalClip c = m->clip[i];
            at[out->n] = media->len;
            bal_path_join(media, bal_text_str(&prefix), c.media);
            bal_text_char(media, '\0');
            if (s) {
                int label = 0;
                while (label < reference->n_classes && strcmp(reference->classes[label], m->classes[c.label])) label++;
                if (label == reference->n_classes)
                    rc = BAL_FAIL(err, BAL_E_FORMAT,
                                  "no clip of score.reference has the label \"%s\" of clip \"%.100s\"",
                                  m->classes[c.label], c.id);
                c.label = label;
                c.split = BAL_SPLIT_TEST;
            }
            out->clip[out->n++] = c;
        }
        bal_text_reset(&prefix);
    }
    if (rc >= 0) rc = bal_text_ok(media, err);
    for (int64_t i = 0; i < out->n && rc >= 0; i++) out->clip[i].media = media->data + at[i];
    bal_free(at);
    return rc;
}

static BalStatus train_scorers(const BalBuilding *b, const BalRecipe *recipe, BalError *err) {
    static const char *const method[BAL_SIDES] = {"audio", "visual"}, *const folder[] = {"score/audio", "score/visual"};
    BalStore *store = NULL;
    BalText path = {0};
    BAL_TRY(bal_build_open_store(b, "score/store", &store, err));
    BalStatus rc = BAL_OK;
    for (int k = 0; k < BAL_SIDES && rc >= 0; k++) {
        BalFitSpec fit = bal_fit_spec_default();
        BalFitResult r;
        rc = bal_build_path(b, folder[k], &path, err);
        fit.method = method[k];
        fit.recipe = *recipe;
        fit.dir = path.data;
        fit.progress = b->spec->progress;
        if (rc >= 0) rc = bal_fit(store, &fit, &r, err);
    }
    bal_store_close(&store);
    bal_text_reset(&path);
    return rc;
}

/* ---- networks that are there ---- */

static BalStatus score_by_network(const BalBuilding *b, int side, const BalManifest *m, const char *name,
                                  BalError *err) {
    const BalBuildRecipe *r = b->recipe;
    BalScoreSpec spec = bal_score_spec_default();
    BalScoreResult result;
    BalText weights = {0}, classes = {0}, dir = {0};
    spec.scorer = r->network[side];
    if (r->view[side][0]) spec.view = r->view[side];
    if (b->spec->threads > 0) spec.threads = b->spec->threads;
    BalStatus rc = bal_build_given(b, r->weights[side], &weights, err);
    if (rc >= 0) rc = bal_build_given(b, r->classes[side], &classes, err);
    if (rc >= 0) rc = bal_build_path(b, name, &dir, err);
    spec.weights = weights.data;
    if (classes.len) spec.classes = classes.data;
    if (rc >= 0) rc = bal_score(m, &spec, dir.data, b->spec->progress, &result, err);
    bal_text_reset(&weights);
    bal_text_reset(&classes);
    bal_text_reset(&dir);
    return rc;
}

static BalStatus score_by_networks(const BalBuilding *b, BalError *err) {
    BalManifest m = {0};
    BalStatus rc = bal_build_load(b, "candidates.csv", &m, err);
    for (int k = 0; k < BAL_SIDES && rc >= 0; k++)
        if (b->recipe->network[k][0]) rc = score_by_network(b, k, &m, k ? "score/visual" : "score/audio", err);
    bal_manifest_reset(&m);
    return rc;
}

BalStatus bal_build_outputs(const BalBuilding *b, int side, BalPaths *out, BalError *err) {
    const BalBuildRecipe *r = b->recipe;
    BalText path = {0};
    BAL_TRY(bal_paths_split(out, b->spec->base_dir, r->outputs[side], err));
    if (!r->reference[0] && !r->network[side][0]) return BAL_OK;
    BalStatus rc = bal_build_path(b, side ? "score/visual" : "score/audio", &path, err);
    if (rc >= 0) rc = bal_paths_add(out, path.data, err);
    bal_text_reset(&path);
    return rc;
}

/* ---- how sure they may be ---- */

/* Labelled clips that calibrate, and what the scorer says of them. A trained scorer's are those of `reference` that validated it. */
static BalStatus held_out_clips(const BalBuilding *b, int side, bool trained, BalManifest *m, BalPaths *outputs,
                                BalError *err) {
    static const char *const folder[] = {"score/held-out-audio", "score/held-out-visual"};
    BalText path = {0};
    BAL_TRY(bal_build_outputs(b, side, outputs, err));
    if (trained) return BAL_OK;
    BalStatus rc = bal_build_given(b, b->recipe->held_out[side], &path, err);
    if (rc >= 0) rc = bal_manifest_load(m, path.data, NULL, err);
    if (rc >= 0 && b->recipe->network[side][0]) {
        rc = score_by_network(b, side, m, folder[side], err);
        if (rc >= 0) rc = bal_build_path(b, folder[side], &path, err);
        if (rc >= 0) rc = bal_paths_add(outputs, path.data, err);
    }
    bal_text_reset(&path);
    return rc;
}

static void tell_side(int side, const BalCalibration *c, BalJsonOut *o) {
    bal_json_open(o, side ? "visual" : "audio", '{');
    bal_json_add_real(o, "temperature", c->temperature);
    bal_json_add_int(o, "clips", c->n);
    if (c->n) {
        bal_json_add_bool(o, "at_edge", c->at_edge);
        bal_json_add_real(o, "ece_before", c->before.ece);
        bal_json_add_real(o, "ece_after", c->after.ece);
        bal_json_add_real(o, "accuracy", c->after.right);
    }
    bal_json_close(o, '}');
}

static BalStatus calibrate_side(const BalBuilding *b, int side, const BalManifest *reference, BalJsonOut *o,
                                BalError *err) {
    const BalBuildRecipe *r = b->recipe;
    BalManifest held_out = {0};
    BalCategories categories = {0};
    BalPaths outputs = {.n = 0};
    BalCalibration c = {.temperature = r->temperature[side] > 0 ? r->temperature[side] : 1};
    BalCalibrateSpec spec = {.side = (BalSide)side, .split = reference ? BAL_SPLIT_VAL : BAL_SPLIT_NONE};
    BalStatus rc = BAL_OK;
    if (r->temperature[side] == 0 && (reference || r->held_out[side][0])) {
        rc = held_out_clips(b, side, reference != NULL, &held_out, &outputs, err);
        if (rc >= 0 && r->categories[0]) rc = bal_build_categories(b, &categories, err);
        if (r->categories[0]) spec.categories = &categories;
        spec.outputs = (const char *const *)outputs.path;
        spec.n_outputs = outputs.n;
        if (rc >= 0) rc = bal_calibrate(&c, reference ? reference : &held_out, &spec, err);
    }
    tell_side(side, &c, o);
    bal_manifest_reset(&held_out);
    bal_categories_reset(&categories);
    bal_paths_reset(&outputs);
    return rc;
}

/* Temperatures of both sides into score/calibration.json. */
static BalStatus calibrate(const BalBuilding *b, const BalManifest *reference, BalError *err) {
    BalText json = {0};
    BalJsonOut o = bal_json_out(&json, true);
    bal_json_open(&o, NULL, '{');
    BalStatus rc = BAL_OK;
    for (int side = 0; side < BAL_SIDES && rc >= 0; side++) rc = calibrate_side(b, side, reference, &o, err);
    bal_json_close(&o, '}');
    bal_text_char(&json, '\n');
    if (rc >= 0) rc = bal_build_write(b, "score/calibration.json", &json, err);
    bal_text_reset(&json);
    return rc;
}

static BalStatus score_by_training(const BalBuilding *b, BalError *err) {
    BalManifest reference = {0}, candidates = {0}, all = {0};
    BalText path = {0}, media = {0};
    BalRecipe recipe;
    BalStatus rc;
    BAL_TRY_OR(done, bal_build_given(b, b->recipe->reference, &path, err));
    BAL_TRY_OR(done, bal_manifest_load(&reference, path.data, NULL, err));
    BAL_TRY_OR(done, bal_manifest_hold_out(&reference, 0.1, (uint64_t)b->recipe->seed, err));
    BAL_TRY_OR(done, bal_build_load(b, "candidates.csv", &candidates, err));
    BAL_TRY_OR(done, join_manifests(&reference, &candidates, b->dir, &all, &media, err));
    BAL_TRY_OR(done, bal_build_training(b, b->recipe->scorer, b->recipe->scorer_set, &recipe, err));
    BAL_TRY_OR(done, bal_build_store(b, &all, &recipe.feature, "score/store", 0, err));
    BAL_TRY_OR(done, train_scorers(b, &recipe, err));
    rc = calibrate(b, &reference, err);
done:
    bal_free(all.clip);
    bal_manifest_reset(&reference);
    bal_manifest_reset(&candidates);
    bal_text_reset(&path);
    bal_text_reset(&media);
    return rc;
}

BalStatus bal_build_score(const BalBuilding *b, BalError *err) {
    if (!b->recipe->triage) return BAL_OK;
    BAL_TRY(bal_build_folder(b, "score", err));
    if (b->recipe->reference[0]) return score_by_training(b, err);
    BAL_TRY(score_by_networks(b, err));
    return calibrate(b, NULL, err);
}
