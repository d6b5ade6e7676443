/* The last stage: what the stages left becomes a dataset.
 *
 *   manifest.tsv       a line per clip, everything that is known about it; by id
 *   manifest.csv       the same clips as `ingest` reads them
 *   train.csv ...      id,label per split
 *   vggsound.csv, kinetics.csv   clips with a YouTube id in the forms of those datasets, for those who fetch their own copies
 *   rejects.tsv        a line per clip that is not in it: id, stage, rule, values
 *   heatmap.json, heatmap-before.png, heatmap-after.png
 *   croissant.json     the dataset card
 *   dataset.lock.json  where all media are there
 *   report.json        last
 *
 * Nothing in them depends on time, host or place. Media are not part of a dataset that is handed on: ids, times, labels and scores are. */
#include "curate/build_export.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <avbalance/lock.h>

#include "base/csv.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "curate/key.h"
#include "dataset/manifest.h"

#define SPLIT_SEED 2023

const BalBuildColumn bal_build_columns[] = {
    {"id", "sc:Text", "of the clip"},
    {"video", "sc:Text", "source video: never in two splits"},
    {"start_ms", "sc:Integer", "where the clip begins in it; empty: unknown"},
    {"end_ms", "sc:Integer", "where it ends"},
    {"category", "sc:Text", "label"},
    {"source", "sc:Text", "collection that the clip comes from"},
    {"origin_label", "sc:Text", "label there"},
    {"origin_split", "sc:Text", "split there"},
    {"type", "sc:Text", "H: both scorers name the label, A: the audio scorer only, V: the visual scorer only"},
    {"qa_pre", "sc:Integer", "confidence of the audio scorer in the label, times 10^6"},
    {"qv_pre", "sc:Integer", "confidence of the visual scorer in the label, times 10^6"},
    {"qa", "sc:Integer", "u_audio, times 10^6"},
    {"qv", "sc:Integer", "u_visual, times 10^6"},
    {"sd_a", "sc:Integer", "spread of u_audio over epochs, times 10^6"},
    {"sd_v", "sc:Integer", "spread of u_visual over epochs, times 10^6"},
    {"bin", "sc:Integer", "of the discrepancy qa - qv, from 0 (better seen)"},
    {"pref", "sc:Text", "a: audio-preferred, v: visual-preferred, =: neither"},
    {"split", "sc:Text", "train, val, test"},
    {"key64", "sc:Text", "hash that decided between clips, 16 hex digits"},
    {"licence", "sc:Text", "of the media, where known"},
    {"flags", "sc:Text", "what should be known"},
    {NULL, NULL, NULL}};

/* ---- gathering ---- */

static BalStatus load_sheet(const BalBuilding *b, const char *name, const char *id, BalSheet *out, BalError *err) {
    BalText path = {0};
    BalStatus rc = bal_build_path(b, name, &path, err);
    if (rc >= 0 && bal_file_exists(path.data)) rc = bal_sheet_load(out, path.data, id, err);
    bal_text_reset(&path);
    return rc;
}

static BalStatus load_scores(const BalBuilding *b, const char *name, BalScores *out, BalError *err) {
    BalText path = {0};
    BalStatus rc = bal_build_path(b, name, &path, err);
    if (rc >= 0) rc = bal_scores_load(out, path.data, NULL, err);
    bal_text_reset(&path);
    return rc;
}

static BalStatus load_all(BalBuildExport *e, BalError *err) {
    const BalBuilding *b = e->b;
    BalText path = {0};
    BalStatus rc = bal_build_path(b, "triage/manifest.csv", &path, err);
    if (rc >= 0) rc = bal_manifest_load(&e->manifest, path.data, NULL, err);
    if (rc >= 0) rc = load_sheet(b, "triage/triage.csv", "id", &e->triage, err);
    if (rc >= 0) rc = bal_places_load(&e->places, b->dir, BAL_BUILD_PLACES, err);
    if (rc >= 0) rc = load_scores(b, "estimate/scores.csv", &e->before, err);
    if (rc >= 0) rc = load_scores(b, "noise/scores.csv", &e->scores, err);
    if (rc >= 0 && b->recipe->select) rc = load_sheet(b, "select/selected.csv", "id", &e->selected, err);
    if (rc >= 0) rc = bal_build_given(b, b->recipe->licences, &path, err);
    if (rc >= 0 && path.len) rc = bal_sheet_load(&e->licences, path.data, "id", err);
    bal_text_reset(&path);
    return rc;
}

/* Whole source videos, by a hash of their name: a clip's split depends on no other clip. */
static BalSplit split_of(const BalBuildRecipe *r, const char *video, BalSplit given) {
    if (r->split) return given;
    const double u = ldexp((double)(bal_key64(video, strlen(video), SPLIT_SEED) >> 11), -53);
    return u < r->train_share ? BAL_SPLIT_TRAIN : u < r->train_share + r->val_share ? BAL_SPLIT_VAL : BAL_SPLIT_TEST;
}

static const char *licence_of(const BalBuildExport *e, const BalBuildRow *r) {
    const int column = bal_sheet_column(&e->licences, "licence");
    int64_t row = bal_sheet_find(&e->licences, r->clip->id);
    if (row < 0) row = bal_sheet_find(&e->licences, r->video);
    return bal_sheet_at(&e->licences, row, column);
}

static int32_t quantised(const double *v, int64_t i) {
    return v && !isnan(v[i]) ? bal_quantise(fmin(fmax(v[i], 0), 1)) : -1;
}

static void fill_row(const BalBuildExport *e, BalBuildRow *r, const BalClip *c, int64_t score) {
    const BalBuildRecipe *recipe = e->b->recipe;
    const int64_t triage = bal_sheet_find(&e->triage, c->id);
    BalPlace at = {"", "", c->start_s, c->start_s + c->duration_s};
    const BalSheet *t = &e->triage;
    const double *const *v = (const double *const *)e->scores.value;
    *r = (BalBuildRow){.clip = c,
                       .category = e->manifest.classes[c->label],
                       .video = *c->source ? c->source : c->id,
                       .origin = triage < 0 ? recipe->origin : bal_sheet_at(t, triage, bal_sheet_column(t, "source")),
                       .origin_label = bal_sheet_at(t, triage, bal_sheet_column(t, "origin_label")),
                       .origin_split = bal_sheet_at(t, triage, bal_sheet_column(t, "origin_split")),
                       .qa_pre = bal_sheet_at(t, triage, bal_sheet_column(t, "qa_pre")),
                       .qv_pre = bal_sheet_at(t, triage, bal_sheet_column(t, "qv_pre")),
                       .key = bal_key64(c->id, strlen(c->id), (uint64_t)recipe->seed)};
    r->type[0] = *bal_sheet_at(t, triage, bal_sheet_column(t, "type"));
    bal_places_find(&e->places, c->id, &at);
    r->start_s = at.start_s;
    r->end_s = at.end_s;
    r->flags = bal_sheet_at(t, triage, bal_sheet_column(t, "flags"));
    if (!*r->flags) r->flags = at.flags;
    r->licence = licence_of(e, r);
    for (int k = 0; k < 2; k++) {
        r->q[k] = bal_quantise(v[k ? BAL_SCORE_U_VISUAL : BAL_SCORE_U_AUDIO][score]);
        r->sd[k] = quantised(v[k ? BAL_SCORE_SD_VISUAL : BAL_SCORE_SD_AUDIO], score);
    }
    r->bin = bal_bin_of_d(r->q[0], r->q[1], (int)recipe->bins, r->key);
    r->pref = r->q[0] > r->q[1] ? 'a' : r->q[0] < r->q[1] ? 'v' : '=';
    r->split = split_of(recipe, r->video, c->split);
}

static int by_id(const void *x, const void *y) {
    return strcmp(((const BalBuildRow *)x)->clip->id, ((const BalBuildRow *)y)->clip->id);
}

static BalStatus make_rows(BalBuildExport *e, BalError *err) {
    BalNameIndex scores = {0};
    BAL_TRY(bal_alloc(&e->row, (size_t)e->manifest.n, sizeof *e->row, err));
    BAL_TRY(bal_name_index_make(&scores, e->scores.id, e->scores.n, err));
    for (int64_t i = 0; i < e->manifest.n; i++) {
        const BalClip *c = &e->manifest.clip[i];
        const int64_t at = bal_name_index_find(&scores, c->id, strlen(c->id));
        if (at < 0 || (e->b->recipe->select && bal_sheet_find(&e->selected, c->id) < 0)) continue;
        fill_row(e, &e->row[e->n++], c, at);
    }
    bal_name_index_reset(&scores);
    qsort(e->row, (size_t)e->n, sizeof *e->row, by_id);
    return e->n ? BAL_OK : BAL_FAIL(err, BAL_E_FORMAT, "the dataset is empty");
}

/* ---- writing ---- */

void bal_build_cell(BalText *out, const char *s, char end) {
    for (; *s; s++) bal_text_char(out, *s == '\t' || *s == '\n' || *s == '\r' ? ' ' : *s);
    bal_text_char(out, end);
}

static void cell(BalText *out, const char *s) {
    bal_build_cell(out, s, '\t');
}

static void milliseconds(BalText *out, double s) {
    if (!isnan(s)) bal_text_f(out, "%lld", (long long)llround(s * 1000));
    bal_text_char(out, '\t');
}

void bal_build_manifest_tsv(const BalBuildExport *e, BalText *out) {
    for (int k = 0; bal_build_columns[k].name; k++) bal_text_f(out, "%s%s", k ? "\t" : "", bal_build_columns[k].name);
    bal_text_char(out, '\n');
    for (int64_t i = 0; i < e->n; i++) {
        const BalBuildRow *r = &e->row[i];
        cell(out, r->clip->id);
        cell(out, r->video);
        milliseconds(out, r->start_s);
        milliseconds(out, r->end_s);
        cell(out, r->category);
        cell(out, r->origin);
        cell(out, r->origin_label);
        cell(out, r->origin_split);
        cell(out, r->type);
        cell(out, r->qa_pre);
        cell(out, r->qv_pre);
        bal_text_f(out, "%d\t%d\t", r->q[0], r->q[1]);
        for (int k = 0; k < 2; k++) {
            if (r->sd[k] >= 0) bal_text_f(out, "%d", r->sd[k]);
            bal_text_char(out, '\t');
        }
        bal_text_f(out, "%d\t%c\t%s\t%016llx\t", r->bin, r->pref, bal_split_name(r->split), (unsigned long long)r->key);
        cell(out, r->licence);
        cell(out, r->flags);
        if (!out->failed) out->data[out->len - 1] = '\n'; /* in place of the last tab */
    }
}

static BalStatus put(const BalBuildExport *e, const char *name, BalText *text, BalError *err) {
    BalStatus rc = bal_build_write(e->b, name, text, err);
    bal_text_clear(text);
    return rc;
}

/* Lists for those who have loaders of their own. */
static BalStatus write_lists(const BalBuildExport *e, BalText *text, BalError *err) {
    char name[16];
    for (int s = 0; s < BAL_SPLIT_COUNT; s++) {
        bal_text_add(text, "id,label\n");
        for (int64_t i = 0; i < e->n; i++) {
            if (e->row[i].split != (BalSplit)s) continue;
            bal_csv_quote(text, e->row[i].clip->id);
            bal_text_char(text, ',');
            bal_csv_quote(text, e->row[i].category);
            bal_text_char(text, '\n');
        }
        snprintf(name, sizeof name, "%s.csv", bal_split_name((BalSplit)s));
        BAL_TRY(put(e, name, text, err));
    }
    return BAL_OK;
}

static bool on_youtube(const BalBuildRow *r) {
    return !isnan(r->start_s) && strlen(r->video) == 11 && bal_youtube_prefix(bal_field(r->video));
}

/* VGG-Sound: ytid,start,label,split without a header; Kinetics: with one. Seconds are whole ones in both. */
static BalStatus write_dialects(const BalBuildExport *e, BalText *text, BalError *err) {
    for (int64_t i = 0; i < e->n; i++) {
        const BalBuildRow *r = &e->row[i];
        if (!on_youtube(r)) continue;
        bal_text_f(text, "%s,%lld,", r->video, (long long)floor(r->start_s));
        bal_csv_quote(text, r->category);
        bal_text_f(text, ",%s\n", bal_split_name(r->split));
    }
    BAL_TRY(put(e, "vggsound.csv", text, err));
    bal_text_add(text, "label,youtube_id,time_start,time_end,split\n");
    for (int64_t i = 0; i < e->n; i++) {
        const BalBuildRow *r = &e->row[i];
        if (!on_youtube(r)) continue;
        bal_csv_quote(text, r->category);
        bal_text_f(text, ",%s,%lld,%lld,%s\n", r->video, (long long)floor(r->start_s),
                   (long long)floor(isnan(r->end_s) ? r->start_s + 10 : r->end_s), bal_split_name(r->split));
    }
    return put(e, "kinetics.csv", text, err);
}

static BalStatus write_manifest(const BalBuildExport *e, BalManifest *m, BalError *err) {
    BalText path = {0};
    *m = e->manifest;
    m->n = 0;
    BAL_TRY(bal_alloc(&m->clip, (size_t)e->n, sizeof *m->clip, err));
    for (int64_t i = 0; i < e->n; i++) {
        m->clip[m->n] = *e->row[i].clip;
        m->clip[m->n].source = e->row[i].video;
        m->clip[m->n++].split = e->row[i].split;
    }
    BalStatus rc = bal_build_path(e->b, "manifest.csv", &path, err);
    if (rc >= 0) rc = bal_manifest_save(m, path.data, err);
    bal_text_reset(&path);
    return rc;
}

/* ---- heatmaps ---- */

static void add_matrix(BalJsonOut *o, const char *key, const BalHeatmap *h) {
    bal_json_open(o, key, '[');
    for (int a = 0; a < BAL_HEATMAP_BINS; a++) {
        bal_json_open(o, NULL, '[');
        for (int v = 0; v < BAL_HEATMAP_BINS; v++) bal_json_add_int(o, NULL, h->counts[a][v]);
        bal_json_close(o, ']');
    }
    bal_json_close(o, ']');
}

static BalStatus write_heatmaps(const BalBuildExport *e, BalText *text, BalError *err) {
    static const char *const file[2] = {"heatmap-before.png", "heatmap-after.png"};
    static const char *const title[2] = {"Before selection", "After selection"};
    BalHeatmap *h = NULL;
    BalText path = {0};
    BAL_TRY(bal_alloc(&h, 2, sizeof *h, err));
    for (int64_t i = 0; i < e->before.n; i++)
        bal_heatmap_add(&h[0], e->before.value[BAL_SCORE_U_AUDIO][i], e->before.value[BAL_SCORE_U_VISUAL][i]);
    for (int64_t i = 0; i < e->n; i++)
        bal_heatmap_add(&h[1], (double)e->row[i].q[0] / BAL_Q_ONE, (double)e->row[i].q[1] / BAL_Q_ONE);
    BalStatus rc = BAL_OK;
    for (int k = 0; k < 2 && rc >= 0 && e->b->spec->heatmap; k++) {
        rc = bal_build_path(e->b, file[k], &path, err);
        if (rc >= 0) rc = e->b->spec->heatmap(&h[k], title[k], path.data, err);
    }
    BalJsonOut o = bal_json_document(text, false, "avbalance/heatmaps/1");
    add_matrix(&o, "before", &h[0]);
    add_matrix(&o, "after", &h[1]);
    bal_json_close(&o, '}');
    bal_text_char(text, '\n');
    if (rc >= 0) rc = put(e, "heatmap.json", text, err);
    bal_free(h);
    bal_text_reset(&path);
    return rc;
}

/* ---- lock ---- */

static BalStatus write_lock(const BalBuildExport *e, const BalManifest *m, BalError *err) {
    BalText path = {0}, table = {0};
    BalLockResult r;
    bool all = e->b->recipe->lock;
    BalStatus rc = BAL_OK;
    for (int64_t i = 0; i < m->n && all && rc >= 0; i++) {
        bal_text_clear(&path);
        bal_path_join(&path, m->dir, m->clip[i].media);
        rc = bal_text_ok(&path, err);
        all = rc >= 0 && access(path.data, R_OK) == 0;
    }
    if (rc >= 0) rc = bal_build_path(e->b, "dataset.lock.json", &path, err);
    if (rc >= 0) rc = bal_build_path(e->b, "manifest.tsv", &table, err);
    const BalLockSpec spec = {.table = table.data, .threads = e->b->spec->threads, .progress = e->b->spec->progress};
    if (rc >= 0) rc = all ? bal_lock_write(m, &spec, path.data, &r, err) : bal_remove_tree(path.data, err);
    bal_text_reset(&path);
    bal_text_reset(&table);
    return rc;
}

/* ---- all of it ---- */

static BalStatus write_all(BalBuildExport *e, BalText *text, BalError *err) {
    BalManifest m = {0};
    BalStatus rc;
    bal_build_manifest_tsv(e, text);
    BAL_TRY(put(e, "manifest.tsv", text, err));
    BAL_TRY(put(e, "rejects.tsv", &e->rejects, err));
    BAL_TRY(write_lists(e, text, err));
    BAL_TRY(write_dialects(e, text, err));
    BAL_TRY(write_heatmaps(e, text, err));
    rc = write_manifest(e, &m, err);
    if (rc >= 0) rc = write_lock(e, &m, err);
    bal_free(m.clip);
    if (rc >= 0) rc = bal_build_card(e, text, err);
    if (rc >= 0) rc = put(e, "croissant.json", text, err);
    if (rc >= 0) rc = bal_build_report(e, text, err);
    return rc < 0 ? rc : put(e, "report.json", text, err);
}

BalStatus bal_build_export(const BalBuilding *b, BalError *err) {
    BalBuildExport *e = NULL;
    BalText text = {0};
    BAL_TRY(bal_alloc(&e, 1, sizeof *e, err));
    e->b = b;
    BalStatus rc = load_all(e, err);
    if (rc >= 0) rc = make_rows(e, err);
    if (rc >= 0) rc = bal_build_rejects(e, err);
    if (rc >= 0) rc = write_all(e, &text, err);
    bal_manifest_reset(&e->manifest);
    bal_sheet_reset(&e->triage);
    bal_places_reset(&e->places);
    bal_sheet_reset(&e->selected);
    bal_sheet_reset(&e->licences);
    bal_scores_reset(&e->before);
    bal_scores_reset(&e->scores);
    bal_text_reset(&e->rejects);
    bal_text_reset(&text);
    bal_free(e->count);
    bal_free(e->row);
    bal_free(e);
    return rc;
}
