/* What a store says about itself. Everything is a function of job and clips: no time, no host, no absolute path. */
#include "dataset/store_files.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <avbalance/media.h>
#include "base/csv.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/option.h"

const BalOutput bal_store_output = {.mark = {{"store.json", "avbalance/store/"}, {"journal", " avbalance-journal "}},
                                    .holds = "store.json index rejected.csv journal shard-*.tar"};

void bal_shard_name(BalText *out, uint32_t shard) {
    bal_text_f(out, "shard-%06u.tar", (unsigned)shard);
}

/* ---- identity ---- */

static void hash_text(BalSha256 *h, const char *s) { /* with its NUL: "ab","c" is not "a","bc" */
    if (!s) s = "";
    bal_sha256_add(h, s, strlen(s) + 1);
}

static BalStatus recipe_yaml(const BalFeatureRecipe *recipe, BalText *out, BalError *err) {
    BalFeatureRecipe copy = *recipe;
    const BalOptionSet set = {bal_feature_options(), &copy};
    bal_options_dump(&set, 1, out);
    return bal_text_ok(out, err);
}

static void hash_clip(BalSha256 *h, const BalClip *c, BalSplit split) {
    const double times[2] = {isnan(c->start_s) ? -1 : c->start_s, isnan(c->duration_s) ? -1 : c->duration_s};
    const int32_t number[2] = {c->label, split};
    hash_text(h, c->id);
    hash_text(h, c->media);
    hash_text(h, c->source);
    bal_sha256_add(h, number, sizeof number);
    bal_sha256_add(h, times, sizeof times);
}

/* What determines the numbers that a clip becomes: the code of this build, and FFmpeg. */
static BalStatus code_hash(char out[65], BalError *err) {
    static const char code[] =
#include "dataset/code.inc"
        ;
    BalText text = {0};
    bal_text_f(&text, "%s %s", code, bal_media_version());
    BalStatus rc = bal_text_ok(&text, err);
    if (rc == BAL_OK) bal_sha256_text(text.data, text.len, out);
    bal_text_reset(&text);
    return rc;
}

BalStatus bal_store_identify(const BalStoreJob *job, BalIdentity *out, BalError *err) {
    BalText text = {0};
    BalSha256 h;
    BalStatus rc = recipe_yaml(job->recipe, &text, err);
    if (rc == BAL_OK) {
        bal_sha256_text(text.data, text.len, out->recipe);
        bal_text_clear(&text);
        bal_text_f(&text, "shard_bytes %lld", (long long)job->spec->shard_bytes);
        rc = bal_text_ok(&text, err);
    }
    if (rc == BAL_OK) bal_sha256_text(text.data, text.len, out->settings);
    bal_text_reset(&text);
    BAL_TRY(rc);
    bal_sha256_init(&h);
    for (int k = 0; k < job->manifest->n_classes; k++) hash_text(&h, job->manifest->classes[k]);
    for (int64_t i = 0; i < job->manifest->n; i++) hash_clip(&h, job->manifest->clip + i, job->split[i]);
    bal_sha256_hex(&h, out->manifest);
    return code_hash(out->code, err);
}

BalStatus bal_store_same(const BalIdentity *job, const BalIdentity *there, const char *dir, BalError *err) {
    const char *what = NULL;
    if (strcmp(job->recipe, there->recipe))
        what = "feature recipe";
    else if (strcmp(job->manifest, there->manifest))
        what = "manifest or hold-out";
    else if (strcmp(job->settings, there->settings))
        what = "shard size";
    if (!what && there->code[0] && strcmp(job->code, there->code))
        return BAL_FAIL(
            err, BAL_E_MISMATCH,
            "%s was begun by another build or with another FFmpeg, which may decode otherwise: continue with "
            "that one, give another folder, or -f to begin anew",
            dir);
    if (!what) return BAL_OK;
    return BAL_FAIL(err, BAL_E_MISMATCH,
                    "%s belongs to another %s; give the one it was begun with, another folder, or overwrite it (-f)",
                    dir, what);
}

void bal_store_hash_of(const char *recipe_hash, const char *const *classes, int n_classes, const BalIndex *index,
                       char out[65]) {
    BalSha256 h;
    bal_sha256_init(&h);
    hash_text(&h, recipe_hash);
    for (int k = 0; k < n_classes; k++) hash_text(&h, classes[k]);
    for (int64_t i = 0; i < index->n_clips; i++) {
        const BalIndexClip *c = index->clip + i;
        const int32_t number[2] = {c->label, c->split};
        hash_text(&h, index->text + c->id_at);
        hash_text(&h, index->text + c->source_at);
        bal_sha256_add(&h, number, sizeof number);
        for (uint32_t k = 0; k < c->n_members; k++) {
            const BalIndexMember *m = index->member + c->first_member + k;
            bal_sha256_add(&h, &m->bytes, sizeof m->bytes);
            bal_sha256_add(&h, &m->crc, sizeof m->crc);
        }
    }
    bal_sha256_hex(&h, out);
}

/* ---- rejected clips ---- */

BalStatus bal_rejected_write(const char *path, const BalManifest *m, const BalReject *reject, int64_t n,
                             BalError *err) {
    BalText t = {0};
    bal_text_add(&t, "id,media,reason,code\n");
    for (int64_t i = 0; i < n; i++) {
        bal_csv_quote(&t, m->clip[reject[i].row].id);
        bal_text_char(&t, ',');
        bal_csv_quote(&t, m->clip[reject[i].row].media);
        bal_text_char(&t, ',');
        bal_csv_quote(&t, reject[i].reason);
        bal_text_f(&t, ",%s\n", bal_status_name(reject[i].code));
    }
    BalStatus rc = bal_text_ok(&t, err);
    if (rc == BAL_OK) rc = bal_file_write(path, t.data, t.len, err);
    bal_text_reset(&t);
    return rc;
}

static int by_text(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Put (text, n) where it belongs among the most frequent so far. */
static void rank_reason(BalIngestResult *r, const char *text, int64_t n) {
    int at = r->n_reasons;
    while (at > 0 && r->reason[at - 1].n < n) at--;
    if (at == BAL_INGEST_REASONS) return;
    int moved = r->n_reasons - at;
    if (r->n_reasons == BAL_INGEST_REASONS)
        moved--;
    else
        r->n_reasons++;
    memmove(r->reason + at + 1, r->reason + at, (size_t)moved * sizeof r->reason[0]);
    r->reason[at].n = n;
    snprintf(r->reason[at].text, sizeof r->reason[at].text, "%s", text);
}

BalStatus bal_reject_reasons(const BalReject *reject, int64_t n, BalIngestResult *result, BalError *err) {
    const char **text = NULL;
    BAL_TRY(bal_alloc(&text, (size_t)n, sizeof *text, err));
    for (int64_t i = 0; i < n; i++) text[i] = reject[i].reason;
    qsort(text, (size_t)n, sizeof *text, by_text);
    result->n_reasons = 0;
    for (int64_t i = 0, j; i < n; i = j) {
        for (j = i; j < n && !strcmp(text[i], text[j]);) j++;
        rank_reason(result, text[i], j - i);
    }
    bal_free(text);
    return BAL_OK;
}

/* ---- store.json ---- */

static void json_recipe(BalJsonOut *o, const BalStoreJob *job, const BalIdentity *id, const char *yaml) {
    const BalAudioRecipe *a = &job->recipe->audio;
    int64_t shape[2];
    bal_audio_shape(a, (int)a->rate_hz, shape);
    bal_json_open(o, "recipe", '{');
    bal_json_add_text(o, "hash", id->recipe);
    bal_json_add_text(o, "yaml", yaml);
    bal_json_close(o, '}');
    bal_json_open(o, "audio_shape", '[');
    for (int i = 0; i < 2; i++) bal_json_add_int(o, NULL, shape[i]);
    bal_json_close(o, ']');
    bal_json_add_int(o, "channels", job->recipe->visual.grey ? 1 : 3);
}

static void json_splits(BalJsonOut *o, const BalIndex *index) {
    int64_t n[BAL_SPLIT_COUNT + 1] = {0};
    for (int64_t i = 0; i < index->n_clips; i++) n[index->clip[i].split + 1]++;
    bal_json_open(o, "splits", '{');
    for (int s = 0; s < BAL_SPLIT_COUNT; s++) bal_json_add_int(o, bal_split_name((BalSplit)s), n[s + 1]);
    bal_json_add_int(o, "none", n[0]);
    bal_json_close(o, '}');
}

static void json_reasons(BalJsonOut *o, const BalIngestResult *r) {
    bal_json_open(o, "reasons", '[');
    for (int i = 0; i < r->n_reasons; i++) {
        bal_json_open(o, NULL, '{');
        bal_json_add_text(o, "reason", r->reason[i].text);
        bal_json_add_int(o, "n", r->reason[i].n);
        bal_json_close(o, '}');
    }
    bal_json_close(o, ']');
}

static void json_shards(BalJsonOut *o, const BalIndex *index) {
    bal_json_open(o, "shards", '[');
    for (int64_t s = 0; s < index->n_shards; s++) {
        char name[32];
        snprintf(name, sizeof name, "shard-%06u.tar", (unsigned)s);
        bal_json_open(o, NULL, '{');
        bal_json_add_text(o, "name", name);
        bal_json_add_int(o, "bytes", (int64_t)index->shard_bytes[s]);
        bal_json_close(o, '}');
    }
    bal_json_close(o, ']');
}

BalStatus bal_store_json_write(const char *path, const BalStoreJob *job, const BalIdentity *id, const char *hash,
                               const BalIndex *index, const BalReject *reject, int64_t n_reject, BalError *err) {
    const BalManifest *m = job->manifest;
    BalText text = {0}, yaml = {0};
    BalIngestResult reasons = {0};
    BalStatus rc;
    BAL_TRY_OR(fail, recipe_yaml(job->recipe, &yaml, err));
    BAL_TRY_OR(fail, bal_reject_reasons(reject, n_reject, &reasons, err));
    BalJsonOut o = bal_json_document(&text, true, "avbalance/store/1");
    bal_json_add_text(&o, "hash", hash);
    bal_json_add_text(&o, "manifest_hash", id->manifest);
    bal_json_add_text(&o, "settings_hash", id->settings);
    bal_json_add_text(&o, "dialect", m->dialect);
    bal_json_add_int(&o, "n", m->n);
    bal_json_add_int(&o, "stored", index->n_clips);
    bal_json_add_int(&o, "rejected", n_reject);
    json_reasons(&o, &reasons);
    bal_json_add_int(&o, "multi_label_rows", m->n_multi_label);
    json_splits(&o, index);
    json_recipe(&o, job, id, yaml.data);
    bal_json_open(&o, "classes", '[');
    for (int k = 0; k < m->n_classes; k++) bal_json_add_text(&o, NULL, m->classes[k]);
    bal_json_close(&o, ']');
    json_shards(&o, index);
    bal_json_close(&o, '}');
    bal_text_char(&text, '\n');
    BAL_TRY_OR(fail, bal_text_ok(&text, err));
    rc = bal_file_write(path, text.data, text.len, err);
fail:
    bal_text_reset(&text);
    bal_text_reset(&yaml);
    return rc;
}

BalStatus bal_store_json_summary(const char *path, BalIdentity *id, BalIngestResult *result, BalError *err) {
    BalJson *root = NULL;
    BAL_TRY(bal_json_load(&root, path, err));
    const BalJson *reasons = bal_json_get(root, "reasons");
    snprintf(id->recipe, sizeof id->recipe, "%s",
             bal_json_text(bal_json_get(bal_json_get(root, "recipe"), "hash"), ""));
    snprintf(id->manifest, sizeof id->manifest, "%s", bal_json_text(bal_json_get(root, "manifest_hash"), ""));
    snprintf(id->settings, sizeof id->settings, "%s", bal_json_text(bal_json_get(root, "settings_hash"), ""));
    *result = (BalIngestResult){.n = bal_json_int(bal_json_get(root, "n"), 0),
                                .stored = bal_json_int(bal_json_get(root, "stored"), 0),
                                .rejected = bal_json_int(bal_json_get(root, "rejected"), 0)};
    for (size_t i = 0; i < bal_json_size(reasons) && i < BAL_INGEST_REASONS; i++) {
        const BalJson *one = bal_json_at(reasons, i);
        rank_reason(result, bal_json_text(bal_json_get(one, "reason"), ""), bal_json_int(bal_json_get(one, "n"), 0));
    }
    result->resumed = result->n;
    bal_json_free(&root);
    return BAL_OK;
}
