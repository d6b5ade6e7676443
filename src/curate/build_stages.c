/* The stages of a build: each calls what the command of its name calls, on what the stages before it left. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <avbalance/clips.h>
#include <avbalance/select.h>
#include <avbalance/train.h>

#include "base/csv.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/thread.h"
#include "curate/build.h"
#include "curate/key.h"
#include "curate/places.h"
#include "curate/run_folders.h"
#include "curate/sheet.h"
#include "curate/triage_sources.h"

/* ---- clips ---- */

/* Cut what is not cut. The folder goes on by itself where videos are added; other settings make it anew. */
static BalStatus cut(const BalBuilding *b, const BalPaths *videos, BalError *err) {
    const BalBuildRecipe *r = b->recipe;
    BalClipsSpec spec = bal_clips_spec_default();
    BalClipsResult result;
    BalText dir = {0};
    spec.rule = bal_cut_rule_default(r->grid);
    spec.rule.clip_s = r->clip_s;
    spec.rule.most = (int)r->clips_per_video;
    spec.workers = b->spec->threads > 0 ? b->spec->threads : bal_cpu_count();
    if (!r->technical) spec.reject = 0;
    BalStatus rc = bal_build_path(b, "clips", &dir, err);
    const char *const *path = (const char *const *)videos->path;
    if (rc >= 0) rc = bal_clips_make(path, videos->n, &spec, dir.data, b->spec->progress, &result, err);
    if (rc == BAL_E_MISMATCH) {
        rc = bal_remove_tree(dir.data, err);
        if (rc >= 0) rc = bal_clips_make(path, videos->n, &spec, dir.data, b->spec->progress, &result, err);
    }
    bal_text_reset(&dir);
    return rc;
}

/* places.csv: of clips that this build cut, or that `clip` cut for the manifests. What an older call of the build left, with videos then
 * and a manifest now, tells nothing. */
static BalStatus write_places(const BalBuilding *b, const BalManifest *m, const BalPaths *manifests, BalError *err) {
    const bool videos = b->recipe->videos[0];
    BalText dir = {0}, out = {0};
    BalStatus rc = BAL_OK;
    bal_places_head(&out);
    for (int k = 0; k < (videos ? 1 : manifests->n) && rc >= 0; k++) {
        const char *path = videos ? "" : manifests->path[k], *slash = strrchr(path, '/');
        BalPlaces places;
        bal_text_clear(&dir);
        bal_text_add_n(&dir, path, slash ? (size_t)(slash - path) + 1 : 0);
        rc = videos ? bal_build_path(b, "clips", &dir, err) : bal_text_ok(&dir, err);
        if (rc >= 0) rc = bal_places_load(&places, bal_text_str(&dir), BAL_PLACES_TABLE, err);
        if (rc >= 0) bal_places_rows(&places, m, &out);
        if (rc >= 0) bal_places_reset(&places);
    }
    if (rc >= 0) rc = bal_build_write(b, BAL_BUILD_PLACES, &out, err);
    bal_text_reset(&dir);
    bal_text_reset(&out);
    return rc;
}

static int by_id(const void *x, const void *y) {
    return strcmp(((const BalClip *)x)->id, ((const BalClip *)y)->id);
}

BalStatus bal_build_clips(const BalBuilding *b, BalError *err) {
    const bool videos = b->recipe->videos[0];
    BalManifest m = {0};
    BalPaths p;
    BAL_TRY(bal_paths_split(&p, b->spec->base_dir, videos ? b->recipe->videos : b->recipe->manifest, err));
    BalStatus rc = videos ? cut(b, &p, err) : BAL_OK;
    if (rc >= 0)
        rc = videos ? bal_build_load(b, "clips/manifest.csv", &m, err)
                    : bal_manifest_load_all(&m, (const char *const *)p.path, p.n, NULL, err);
    if (rc >= 0) qsort(m.clip, (size_t)m.n, sizeof *m.clip, by_id);
    if (rc >= 0) rc = bal_build_sift(b, &m, err);
    if (rc >= 0) rc = write_places(b, &m, &p, err);
    if (rc >= 0) rc = bal_build_save(b, "candidates.csv", &m, err);
    bal_manifest_reset(&m);
    bal_paths_reset(&p);
    return rc;
}

/* ---- triage ---- */

static BalStatus open_sources(const BalBuilding *b, BalTriageSources *s, BalError *err) {
    const BalBuildRecipe *r = b->recipe;
    BalManifest m = {0};
    BalPaths supplement = {.n = 0}, cap = {.n = 0};
    BalStatus rc = bal_build_load(b, "candidates.csv", &m, err);
    if (rc >= 0) rc = bal_triage_sources_own(s, r->origin, &m, BAL_BUILD_PLACES, err);
    if (rc >= 0) rc = bal_paths_split(&supplement, NULL, r->supplement, err);
    if (rc >= 0) rc = bal_paths_split(&cap, NULL, r->cap, err);
    for (int k = 0; k < supplement.n && rc >= 0; k++)
        rc = bal_triage_sources_supplement(s, "triage.supplement:", b->spec->base_dir, supplement.path[k], err);
    for (int k = 0; k < cap.n && rc >= 0; k++) rc = bal_triage_sources_cap(s, "triage.cap:", cap.path[k], err);
    bal_manifest_reset(&m);
    bal_paths_reset(&supplement);
    bal_paths_reset(&cap);
    return rc;
}

static BalStatus read_temperatures(const BalBuilding *b, double t[BAL_SIDES], BalError *err) {
    BalText path = {0};
    BalJson *json = NULL;
    BalStatus rc = bal_build_path(b, "score/calibration.json", &path, err);
    if (rc >= 0) rc = bal_json_load(&json, path.data, err);
    t[BAL_AUDIO] = bal_json_real(bal_json_get(bal_json_get(json, "audio"), "temperature"), 1);
    t[BAL_VISUAL] = bal_json_real(bal_json_get(bal_json_get(json, "visual"), "temperature"), 1);
    bal_json_free(&json);
    bal_text_reset(&path);
    return rc;
}

static BalStatus triage(const BalBuilding *b, const BalTriageSources *s, BalError *err) {
    const BalBuildRecipe *r = b->recipe;
    BalTriageSpec spec = bal_triage_spec_default();
    BalCategories categories = {0};
    BalPaths outputs[BAL_SIDES] = {{.n = 0}, {.n = 0}};
    BalText path = {0};
    BalTriage t = {0};
    BalStatus rc = read_temperatures(b, spec.temperature, err);
    for (int k = 0; k < BAL_SIDES && rc >= 0; k++) {
        rc = bal_build_outputs(b, k, &outputs[k], err);
        spec.outputs[k] = (const char *const *)outputs[k].path;
        spec.n_outputs[k] = outputs[k].n;
    }
    if (rc >= 0 && r->categories[0]) rc = bal_build_categories(b, &categories, err);
    if (r->categories[0]) spec.categories = &categories;
    spec.rule = r->rule;
    spec.ratio = r->proportion;
    spec.target = r->target;
    spec.per_source = r->triage_per_source;
    spec.retopic = r->retopic;
    spec.no_foreign_test = r->no_foreign_test;
    spec.seed = (uint64_t)r->seed;
    if (rc >= 0) rc = bal_triage(&t, s->source, s->n, &spec, err);
    if (rc >= 0 && !t.kept) rc = BAL_FAIL(err, BAL_E_FORMAT, "no clip is left: of none does a scorer name the label");
    if (rc >= 0) rc = bal_build_path(b, "triage", &path, err);
    if (rc >= 0) rc = bal_triage_save(&t, path.data, err);
    bal_triage_reset(&t);
    bal_categories_reset(&categories);
    for (int k = 0; k < BAL_SIDES; k++) bal_paths_reset(&outputs[k]);
    bal_text_reset(&path);
    return rc;
}

BalStatus bal_build_triage(const BalBuilding *b, BalError *err) {
    BalManifest m = {0};
    BalTriageSources *s = NULL;
    if (!b->recipe->triage) {
        BalStatus rc = bal_build_load(b, "candidates.csv", &m, err);
        if (rc >= 0) rc = bal_build_folder(b, "triage", err);
        if (rc >= 0) rc = bal_build_save(b, "triage/manifest.csv", &m, err);
        bal_manifest_reset(&m);
        return rc;
    }
    BAL_TRY(bal_alloc(&s, 1, sizeof *s, err));
    BalStatus rc = open_sources(b, s, err);
    if (rc >= 0) rc = triage(b, s, err);
    bal_triage_sources_reset(s);
    bal_free(s);
    return rc;
}

/* ---- ingest, estimate ---- */

/* All clips train, a tenth of the sources validates: which split a clip ends up in does not matter to its score. */
BalStatus bal_build_ingest(const BalBuilding *b, BalError *err) {
    BalManifest m = {0};
    BalRecipe recipe;
    if (!b->recipe->estimate) return BAL_OK;
    BalStatus rc = bal_build_training(b, b->recipe->recipe, b->recipe->recipe_set, &recipe, err);
    if (rc >= 0) rc = bal_build_load(b, "triage/manifest.csv", &m, err);
    for (int64_t i = 0; i < m.n && rc >= 0; i++) m.clip[i].split = BAL_SPLIT_TRAIN;
    if (rc >= 0) rc = bal_build_store(b, &m, &recipe.feature, "store", 0.1, err);
    bal_manifest_reset(&m);
    return rc;
}

static BalStatus train_estimate(const BalBuilding *b, BalScores *s, BalError *err) {
    BalEstimateSpec spec = bal_estimate_spec_default();
    BalStore *store = NULL;
    BalRunFolders *runs = NULL;
    BalText path = {0};
    BalStatus rc;
    BAL_TRY_OR(done, bal_build_training(b, b->recipe->recipe, b->recipe->recipe_set, &spec.recipe, err));
    BAL_TRY_OR(done, bal_build_open_store(b, "store", &store, err));
    BAL_TRY_OR(done, bal_build_path(b, "estimate", &path, err));
    spec.recipe.feature = *bal_store_recipe(store);
    spec.dir = path.data;
    spec.seeds = (int)b->recipe->seeds;
    spec.folds = b->recipe->mode ? (int)b->recipe->folds : 0;
    spec.progress = b->spec->progress;
    BAL_TRY_OR(done, bal_estimate(store, &spec, NULL, NULL, err));
    BAL_TRY_OR(done, bal_alloc(&runs, 1, sizeof *runs, err));
    BAL_TRY_OR(done, bal_run_folders_find(runs, path.data, err));
    rc = bal_scores_from_runs(s, (const char *const *)runs->path[0], runs->n[0], (const char *const *)runs->path[1],
                              runs->n[1], NULL, err);
done:
    if (runs) bal_run_folders_reset(runs);
    bal_free(runs);
    bal_store_close(&store);
    bal_text_reset(&path);
    return rc;
}

/* Scores of the clips from a table that has them: that of triage, or one from elsewhere. */
static BalStatus take_scores(const BalBuilding *b, BalError *err) {
    BalManifest m = {0};
    BalSheet sheet = {0};
    BalText path = {0}, out = {0};
    const bool given = b->recipe->scores[0];
    BalStatus rc = bal_build_load(b, "triage/manifest.csv", &m, err);
    if (rc >= 0)
        rc = given ? bal_build_given(b, b->recipe->scores, &path, err)
                   : bal_build_path(b, "triage/triage.csv", &path, err);
    if (rc >= 0) rc = bal_sheet_load(&sheet, path.data, "id", err);
    const int column[2] = {bal_sheet_column(&sheet, given ? "u_audio" : "qa_pre"),
                           bal_sheet_column(&sheet, given ? "u_visual" : "qv_pre")};
    if (rc >= 0 && (column[0] < 0 || column[1] < 0))
        rc = BAL_FAIL(err, BAL_E_FORMAT, "%s: there is no column u_audio or u_visual", path.data);
    bal_text_add(&out, "id,label,split,u_audio,u_visual\n");
    for (int64_t i = 0; i < m.n && rc >= 0; i++) {
        const BalClip *c = &m.clip[i];
        const int64_t row = bal_sheet_find(&sheet, c->id);
        if (row < 0) continue; /* a clip without scores is no candidate; export says so */
        bal_csv_quote(&out, c->id);
        bal_text_char(&out, ',');
        bal_csv_quote(&out, m.classes[c->label]);
        bal_text_f(&out, ",%s", bal_split_name(c->split));
        for (int k = 0; k < 2; k++) {
            int64_t q = 0;
            bal_text_char(&out, ',');
            if (given)
                bal_text_add(&out, bal_sheet_at(&sheet, row, column[k]));
            else if (bal_parse_i64(bal_sheet_at(&sheet, row, column[k]), &q))
                bal_text_real(&out, (double)q / BAL_Q_ONE);
        }
        bal_text_char(&out, '\n');
    }
    if (rc >= 0) rc = bal_build_write(b, "estimate/scores.csv", &out, err);
    bal_sheet_reset(&sheet);
    bal_manifest_reset(&m);
    bal_text_reset(&path);
    bal_text_reset(&out);
    return rc;
}

BalStatus bal_build_estimate(const BalBuilding *b, BalError *err) {
    BalScores s = {0};
    BalText path = {0};
    BAL_TRY(bal_build_folder(b, "estimate", err));
    if (!b->recipe->estimate) return take_scores(b, err);
    BalStatus rc = train_estimate(b, &s, err);
    if (rc >= 0) rc = bal_build_path(b, "estimate/scores.csv", &path, err);
    if (rc >= 0) rc = bal_scores_save(&s, path.data, err);
    bal_scores_reset(&s);
    bal_text_reset(&path);
    return rc;
}

/* ---- noise ---- */

/* What the list did, for report.json: whoever asked for a video to go must learn where its id was met by nothing. */
static BalStatus tell_takedown(const BalBuilding *b, const BalLines *l, const bool *met, int64_t clips, BalError *err) {
    BalText json = {0};
    BalJsonOut o = bal_json_out(&json, true);
    bal_json_open(&o, NULL, '{');
    bal_json_add_int(&o, "ids", l->n);
    bal_json_add_int(&o, "clips", clips);
    bal_json_open(&o, "not_met", '[');
    for (int64_t i = 0; i < l->n; i++)
        if (!met[i]) bal_json_add_text(&o, NULL, l->line[i]);
    bal_json_close(&o, ']');
    bal_json_close(&o, '}');
    bal_text_char(&json, '\n');
    BalStatus rc = bal_build_write(b, "noise/takedown.json", &json, err);
    bal_text_reset(&json);
    return rc;
}

/* Clips that are named themselves, or whose video is, as a list for rule R4. */
static BalStatus write_takedown(const BalBuilding *b, BalText *path, BalError *err) {
    BalManifest m = {0};
    BalLines lines = {0};
    BalNameIndex ids = {0};
    BalText out = {0};
    bool *met = NULL; /* [lines.n] */
    int64_t clips = 0;
    BalStatus rc = bal_build_given(b, b->recipe->takedown, path, err);
    if (rc >= 0) rc = bal_lines_read(&lines, path->data, err);
    if (rc >= 0) bal_lines_pack(&lines);
    if (rc >= 0) rc = bal_alloc(&met, (size_t)lines.n, sizeof *met, err);
    if (rc >= 0) rc = bal_name_index_make(&ids, lines.line, lines.n, err);
    if (rc >= 0) rc = bal_build_load(b, "triage/manifest.csv", &m, err);
    bal_text_add(&out, "id,reason\n");
    for (int64_t i = 0; i < m.n && rc >= 0; i++) {
        const char *id = m.clip[i].id, *video = m.clip[i].source;
        int64_t at = bal_name_index_find(&ids, id, strlen(id));
        if (at < 0) at = bal_name_index_find(&ids, video, strlen(video));
        if (at < 0) continue;
        met[at] = true;
        clips++;
        bal_csv_quote(&out, id);
        bal_text_add(&out, ",taken down\n");
    }
    if (rc >= 0) rc = bal_build_write(b, "noise/takedown.csv", &out, err);
    if (rc >= 0) rc = tell_takedown(b, &lines, met, clips, err);
    if (rc >= 0) rc = bal_build_path(b, "noise/takedown.csv", path, err);
    bal_free(met);
    bal_name_index_reset(&ids);
    bal_lines_reset(&lines);
    bal_manifest_reset(&m);
    bal_text_reset(&out);
    return rc;
}

static BalStatus clean(const BalBuilding *b, const BalScores *s, const BalNoiseSpec *spec, BalError *err) {
    BalNoise noise;
    BalText path = {0};
    BAL_TRY(bal_noise_find(&noise, s, spec, err));
    BalStatus rc = bal_build_path(b, "noise", &path, err);
    if (rc >= 0) rc = bal_noise_save(&noise, s, spec, path.data, err);
    bal_noise_reset(&noise);
    bal_text_reset(&path);
    return rc;
}

BalStatus bal_build_noise(const BalBuilding *b, BalError *err) {
    const BalBuildRecipe *r = b->recipe;
    BalNoiseSpec spec = {.low = r->noise ? r->low : 0,
                         .never_u = r->noise ? r->never_u : 0,
                         .never_sd = r->never_sd,
                         .cap = r->noise_cap,
                         .seed = (uint64_t)r->seed};
    BalRunFolders *runs = NULL;
    BalScores s = {0};
    BalText path = {0}, list = {0};
    BalStatus rc;
    BAL_TRY_OR(done, bal_build_folder(b, "noise", err));
    if (r->takedown[0]) {
        BAL_TRY_OR(done, write_takedown(b, &list, err));
        spec.technical = list.data;
    }
    if (r->noise && r->estimate) {
        BAL_TRY_OR(done, bal_alloc(&runs, 1, sizeof *runs, err));
        BAL_TRY_OR(done, bal_build_path(b, "estimate", &path, err));
        BAL_TRY_OR(done, bal_run_folders_find(runs, path.data, err));
        for (int k = 0; k < BAL_SIDES; k++) {
            spec.outputs[k] = (const char *const *)runs->path[k];
            spec.n_outputs[k] = runs->n[k];
        }
    }
    BAL_TRY_OR(done, bal_build_path(b, "estimate/scores.csv", &path, err));
    BAL_TRY_OR(done, bal_scores_load(&s, path.data, NULL, err));
    rc = clean(b, &s, &spec, err);
done:
    if (runs) bal_run_folders_reset(runs);
    bal_free(runs);
    bal_scores_reset(&s);
    bal_text_reset(&path);
    bal_text_reset(&list);
    return rc;
}

/* ---- select ---- */

BalStatus bal_build_select(const BalBuilding *b, BalError *err) {
    const BalBuildRecipe *r = b->recipe;
    BalSelectSpec spec = bal_select_spec_default();
    BalSelectResult s = {0};
    BalText scores = {0}, sources = {0}, keep = {0}, dir = {0};
    const BalScoresSpec table = {.threads = b->spec->threads, .progress = b->spec->progress};
    BalStatus rc;
    if (!r->select) return BAL_OK;
    BAL_TRY_OR(done, bal_build_path(b, "noise/scores.csv", &scores, err));
    BAL_TRY_OR(done, bal_build_path(b, "triage/manifest.csv", &sources, err));
    BAL_TRY_OR(done, bal_build_given(b, r->must_keep, &keep, err));
    BAL_TRY_OR(done, bal_build_path(b, "select", &dir, err));
    spec.policy = (BalPolicy)r->policy;
    spec.bins = (int)r->bins;
    spec.level = r->level;
    spec.ratio = r->ratio;
    spec.tolerance = r->tolerance;
    spec.class_min = r->class_min;
    spec.class_max = r->class_max;
    spec.min_per_bin = r->min_per_bin;
    spec.per_source = r->select_per_source;
    spec.seed = (uint64_t)r->seed;
    spec.must_keep = keep.len ? keep.data : NULL;
    spec.sources = r->select_per_source ? sources.data : NULL;
    BAL_TRY_OR(done, bal_select_spec_check(&spec, err));
    BAL_TRY_OR(done, bal_select_file(&s, scores.data, &table, &spec, err));
    BAL_TRY_OR(done, bal_selection_save(&s, NULL, dir.data, true, err));
    if (!s.kept)
        rc = BAL_FAIL(err, BAL_E_FORMAT,
                      "no selection of this kind is possible; select/select.json says which classes and bins "
                      "stand in the way: lower select.min_per_bin or select.class_min, or collect more clips");
done:
    bal_selection_reset(&s);
    bal_text_reset(&scores);
    bal_text_reset(&sources);
    bal_text_reset(&keep);
    bal_text_reset(&dir);
    return rc;
}
