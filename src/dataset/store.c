/* Opening, reading and checking a store.
 *
 * Shards and index are mapped; the kernel loads the pages that are touched, so an epoch over the audio never reads a frame. A
 * member's checksum is compared when it is first used by this process and remembered in one byte: later epochs cost nothing, and
 * two threads that check the same member at once both write the same byte. */
#include "dataset/store.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/npy.h"
#include "base/option.h"
#include "dataset/index.h"
#include "dataset/pack.h"
#include "dataset/store_files.h"
#include "dataset/tar.h"
#include "features/jpeg.h"

struct BalStore {
    char *dir;
    BalJson *json; /* owns the names of the classes */
    const char **classes;
    int n_classes, channels;
    int64_t audio_shape[2];
    BalFeatureRecipe recipe;
    char hash[65], recipe_hash[65];
    BalMap index_map, *shard; /* [index.n_shards] */
    BalIndex index;
    atomic_uchar *checked; /* [index.n_members] 1: the checksum matched */
};

/* ---- open ---- */

static BalStatus bad_json(const BalStore *s, const char *what, BalError *err) {
    return BAL_FAIL(err, BAL_E_FORMAT, "%s/" BAL_STORE_JSON ": %s", s->dir, what);
}

static BalStatus parse_recipe(BalStore *s, BalError *err) {
    const BalJson *recipe = bal_json_get(s->json, "recipe");
    const char *yaml = bal_json_text(bal_json_get(recipe, "yaml"), NULL);
    const char *hash = bal_json_text(bal_json_get(recipe, "hash"), "");
    if (!yaml) return bad_json(s, "the recipe is missing", err);
    s->recipe = bal_feature_recipe_default();
    const BalOptionSet set = {bal_feature_options(), &s->recipe};
    BAL_TRY(bal_options_parse(&set, 1, yaml, strlen(yaml), BAL_STORE_JSON " (recipe)", err));
    BAL_TRY(bal_feature_recipe_check(&s->recipe, err));
    bal_sha256_text(yaml, strlen(yaml), s->recipe_hash);
    if (strcmp(hash, s->recipe_hash))
        return BAL_FAIL(err, BAL_E_MISMATCH, "%s/" BAL_STORE_JSON ": the recipe does not have the hash beside it",
                        s->dir);
    bal_audio_shape(&s->recipe.audio, (int)s->recipe.audio.rate_hz, s->audio_shape);
    s->channels = s->recipe.visual.grey ? 1 : 3;
    return BAL_OK;
}

static BalStatus parse_json(BalStore *s, BalError *err) {
    if (strcmp(bal_json_text(bal_json_get(s->json, "schema"), ""), "avbalance/store/1"))
        return bad_json(s, "schema is not avbalance/store/1: not a store, or one of a newer version", err);
    const char *hash = bal_json_text(bal_json_get(s->json, "hash"), "");
    if (strlen(hash) != 64) return bad_json(s, "the hash is missing", err);
    memcpy(s->hash, hash, sizeof s->hash);
    const BalJson *classes = bal_json_get(s->json, "classes");
    size_t n = bal_json_size(classes);
    if (n > 1 << 24) return bad_json(s, "more classes than can be", err);
    BAL_TRY(bal_alloc(&s->classes, n, sizeof *s->classes, err));
    s->n_classes = (int)n;
    for (size_t k = 0; k < n; k++)
        if (!(s->classes[k] = bal_json_text(bal_json_at(classes, k), NULL)))
            return bad_json(s, "a class is not a text", err);
    return parse_recipe(s, err);
}

/* Path of store.json; an error where the folder is no store, or not yet. */
static BalStatus find_json(const BalStore *s, BalText *path, BalError *err) {
    BalText journal = {0};
    bal_path_join(path, s->dir, BAL_STORE_JSON);
    bal_path_join(&journal, s->dir, BAL_STORE_JOURNAL);
    BalStatus rc = bal_text_ok(path, err);
    if (rc >= 0) rc = bal_text_ok(&journal, err);
    bool begun = rc >= 0 && bal_file_exists(journal.data);
    bal_text_reset(&journal);
    if (rc < 0 || bal_file_exists(path->data)) return rc;
    if (begun)
        return BAL_FAIL(err, BAL_E_IO, "%s: its ingest has not ended; run the same ingest again, it continues", s->dir);
    return BAL_FAIL(err, BAL_E_IO, "%s: %s; `avbalance ingest` makes one", s->dir,
                    bal_is_dir(s->dir) ? "not a store (it has no " BAL_STORE_JSON ")" : "there is no such folder");
}

static BalStatus map_file(const BalStore *s, const char *name, BalMap *map, BalError *err) {
    BalText path = {0};
    bal_path_join(&path, s->dir, name);
    BalStatus rc = bal_text_ok(&path, err);
    if (rc >= 0) rc = bal_map_open(map, path.data, err);
    bal_text_reset(&path);
    return rc;
}

static BalStatus map_shards(BalStore *s, BalError *err) {
    BAL_TRY(bal_alloc(&s->shard, (size_t)s->index.n_shards, sizeof *s->shard, err));
    for (int64_t k = 0; k < s->index.n_shards; k++) {
        char name[32];
        snprintf(name, sizeof name, "shard-%06u.tar", (unsigned)k);
        BAL_TRY(map_file(s, name, s->shard + k, err));
        if (s->shard[k].size != s->index.shard_bytes[k])
            return BAL_FAIL(err, BAL_E_MISMATCH, "%s/%s has %zu bytes, its index says %llu: cut short or changed",
                            s->dir, name, s->shard[k].size, (unsigned long long)s->index.shard_bytes[k]);
    }
    return BAL_OK;
}

static BalStatus load_index(BalStore *s, BalError *err) {
    BalText name = {0};
    BAL_TRY(map_file(s, BAL_STORE_INDEX, &s->index_map, err));
    bal_path_join(&name, s->dir, BAL_STORE_INDEX);
    BalStatus rc = bal_text_ok(&name, err);
    if (rc >= 0) rc = bal_index_parse(&s->index, s->index_map.data, s->index_map.size, name.data, err);
    bal_text_reset(&name);
    BAL_TRY(rc);
    if (bal_json_int(bal_json_get(s->json, "stored"), -1) != s->index.n_clips)
        return bad_json(s, "its number of clips is not that of the index: files of two stores were mixed", err);
    for (int64_t i = 0; i < s->index.n_clips; i++)
        if (s->index.clip[i].label >= s->n_classes) return bad_json(s, "fewer classes than the index uses", err);
    char hash[65];
    bal_store_hash_of(s->recipe_hash, s->classes, s->n_classes, &s->index, hash);
    if (strcmp(hash, s->hash))
        return BAL_FAIL(err, BAL_E_MISMATCH,
                        "%s/" BAL_STORE_JSON ": its hash is not that of recipe, classes and clips: it was changed",
                        s->dir);
    return bal_alloc(&s->checked, (size_t)s->index.n_members, sizeof *s->checked, err);
}

BalStatus bal_store_open(BalStore **out, const char *dir, BalError *err) {
    BalStore *s = NULL;
    BalStatus rc;
    BalText json = {0};
    BAL_TRY(bal_alloc(&s, 1, sizeof *s, err));
    BAL_TRY_OR(fail, bal_strdup(&s->dir, dir, err));
    BAL_TRY_OR(fail, find_json(s, &json, err));
    BAL_TRY_OR(damaged, bal_json_load(&s->json, json.data, err));
    BAL_TRY_OR(damaged, parse_json(s, err));
    BAL_TRY_OR(damaged, load_index(s, err));
    BAL_TRY_OR(damaged, map_shards(s, err));
    bal_text_reset(&json);
    *out = s;
    return BAL_OK;
damaged:
    bal_error_add(err, rc, "the store is not whole: copy it again or ingest anew (-f)");
fail:
    bal_text_reset(&json);
    bal_store_close(&s);
    return rc;
}

void bal_store_close(BalStore **out) {
    BalStore *s = *out;
    if (!s) return;
    for (int64_t k = 0; s->shard && k < s->index.n_shards; k++) bal_map_close(s->shard + k);
    bal_map_close(&s->index_map);
    bal_json_free(&s->json);
    bal_free(s->shard);
    bal_free(s->classes);
    bal_free(s->checked);
    bal_free(s->dir);
    bal_free(s);
    *out = NULL;
}

/* ---- what is in it ---- */

int64_t bal_store_count(const BalStore *s) {
    return s->index.n_clips;
}
int bal_store_n_classes(const BalStore *s) {
    return s->n_classes;
}
const char *bal_store_class(const BalStore *s, int k) {
    return s->classes[k];
}
const char *bal_store_id(const BalStore *s, int64_t i) {
    return s->index.text + s->index.clip[i].id_at;
}
const char *bal_store_source(const BalStore *s, int64_t i) {
    return s->index.text + s->index.clip[i].source_at;
}
int bal_store_label(const BalStore *s, int64_t i) {
    return s->index.clip[i].label;
}
BalSplit bal_store_split(const BalStore *s, int64_t i) {
    return (BalSplit)s->index.clip[i].split;
}
const BalFeatureRecipe *bal_store_recipe(const BalStore *s) {
    return &s->recipe;
}
const char *bal_store_recipe_hash(const BalStore *s) {
    return s->recipe_hash;
}

const char *bal_store_hash(const BalStore *s) {
    return s->hash;
}
void bal_store_audio_shape(const BalStore *s, int64_t shape[2]) {
    memcpy(shape, s->audio_shape, sizeof s->audio_shape);
}
int bal_store_channels(const BalStore *s) {
    return s->channels;
}

/* ---- members ---- */

static BalStatus damaged(const BalStore *s, int64_t i, const char *what, BalStatus code, BalError *err) {
    return BAL_FAIL(err, code, "%s/shard-%06u.tar: clip %s: %s; copy the shard again or ingest anew", s->dir,
                    (unsigned)s->index.clip[i].shard, bal_store_id(s, i), what);
}

static BalStatus check_crc(const BalStore *s, int64_t i, const BalIndexMember *m, const unsigned char *data,
                           BalError *err) {
    if (bal_crc32(0, data, m->bytes) == m->crc) return BAL_OK;
    static const char *const what[] = {
        "the checksum of its description does not match", "the checksum of its audio does not match",
        "the checksum of its frames does not match", "the checksum of a frame does not match"};
    return damaged(s, i, what[m->kind], BAL_E_MISMATCH, err);
}

/* Bytes of the k-th member of clip i. */
static BalStatus member(const BalStore *s, int64_t i, uint32_t k, const unsigned char **data, size_t *n,
                        BalError *err) {
    const BalIndexClip *c = s->index.clip + i;
    const BalIndexMember *m = s->index.member + c->first_member + k;
    const unsigned char *at = s->shard[c->shard].data + m->offset;
    atomic_uchar *checked = s->checked + c->first_member + k;
    if (!atomic_load_explicit(checked, memory_order_relaxed)) {
        BAL_TRY(check_crc(s, i, m, at, err));
        atomic_store_explicit(checked, 1, memory_order_relaxed);
    }
    *data = at;
    *n = m->bytes;
    return BAL_OK;
}

static BalStatus npy_member(const BalStore *s, int64_t i, uint32_t k, BalNpyType type, int rank, BalNpy *npy,
                            const unsigned char **values, BalError *err) {
    const unsigned char *data;
    size_t n;
    BAL_TRY(member(s, i, k, &data, &n, err));
    BAL_TRY(bal_npy_parse(npy, data, n, bal_store_id(s, i), err));
    if (npy->type != type || npy->rank != rank)
        return damaged(s, i, "an array is not of the recipe's type", BAL_E_FORMAT, err);
    *values = data + npy->data_at;
    return BAL_OK;
}

BalStatus bal_store_audio_half(const BalStore *s, int64_t i, const uint16_t **half, BalError *err) {
    BalNpy npy;
    const unsigned char *values;
    BAL_TRY(npy_member(s, i, 1, BAL_NPY_F16, 2, &npy, &values, err));
    if (npy.dim[0] != s->audio_shape[0] || npy.dim[1] != s->audio_shape[1] || (uintptr_t)values % 2)
        return damaged(s, i, "the audio does not have the recipe's shape", BAL_E_FORMAT, err);
    *half = (const uint16_t *)(const void *)values;
    return BAL_OK;
}

BalStatus bal_store_frame_set(const BalStore *s, int64_t i, BalFrameSet *out, BalError *err) {
    const BalIndexClip *c = s->index.clip + i;
    if (s->index.member[c->first_member + 2].kind == BAL_MEMBER_JPEG) {
        *out = (BalFrameSet){.clip = i, .n = (int)c->n_members - 2};
        return BAL_OK;
    }
    BalNpy npy;
    const unsigned char *values;
    BAL_TRY(npy_member(s, i, 2, BAL_NPY_U8, 4, &npy, &values, err));
    for (int d = 0; d < 3; d++)
        if (npy.dim[d] < 1 || npy.dim[d] > INT32_MAX)
            return damaged(s, i, "frames of impossible size", BAL_E_FORMAT, err);
    if (npy.dim[3] != s->channels) return damaged(s, i, "frames with wrong channels", BAL_E_FORMAT, err);
    *out = (BalFrameSet){
        .clip = i, .n = (int)npy.dim[0], .raw = values, .height = (int)npy.dim[1], .width = (int)npy.dim[2]};
    return BAL_OK;
}

/* Decode the k-th jpeg of the set as one more frame of *out. */
static BalStatus read_jpeg(const BalStore *s, const BalFrameSet *set, int k, BalFrames *out, BalError *err) {
    const unsigned char *data;
    size_t n;
    BAL_TRY(member(s, set->clip, (uint32_t)k + 2, &data, &n, err));
    BAL_TRY(bal_jpeg_read(out, data, n, bal_store_id(s, set->clip), err));
    return out->channels == s->channels ? BAL_OK
                                        : damaged(s, set->clip, "frames with wrong channels", BAL_E_FORMAT, err);
}

BalStatus bal_store_frame(const BalStore *s, const BalFrameSet *set, int k, BalFrames *scratch, const uint8_t **px,
                          int *height, int *width, BalError *err) {
    if (set->raw) {
        *px = set->raw + (size_t)k * (size_t)set->height * (size_t)set->width * (size_t)s->channels;
        *height = set->height;
        *width = set->width;
        return BAL_OK;
    }
    scratch->n = 0;
    BAL_TRY(read_jpeg(s, set, k, scratch, err));
    *px = scratch->data;
    *height = scratch->height;
    *width = scratch->width;
    return BAL_OK;
}

/* ---- whole clips ---- */

static BalStatus read_frames(const BalStore *s, int64_t i, BalFrames *out, BalError *err) {
    BalFrameSet set;
    BAL_TRY(bal_store_frame_set(s, i, &set, err));
    out->n = 0;
    for (int k = 0; !set.raw && k < set.n; k++) BAL_TRY(read_jpeg(s, &set, k, out, err));
    if (!set.raw) return BAL_OK;
    size_t bytes = (size_t)set.n * (size_t)set.height * (size_t)set.width * (size_t)s->channels;
    BAL_TRY(bal_grow(&out->data, &out->cap, bytes, 1, err));
    memcpy(out->data, set.raw, bytes);
    out->n = set.n;
    out->height = set.height;
    out->width = set.width;
    out->channels = s->channels;
    return BAL_OK;
}

BalStatus bal_store_read(const BalStore *s, int64_t i, float *audio, BalFrames *frames, BalError *err) {
    if (i < 0 || i >= s->index.n_clips)
        return BAL_FAIL(err, BAL_E_ARG, "clip %lld of a store of %lld", (long long)i, (long long)s->index.n_clips);
    if (audio) {
        const uint16_t *half;
        BAL_TRY(bal_store_audio_half(s, i, &half, err));
        bal_f16_to_f32_n(audio, half, (size_t)(s->audio_shape[0] * s->audio_shape[1]));
    }
    return frames ? read_frames(s, i, frames, err) : BAL_OK;
}

/* One member as any tar reader would meet it: header, name, size, data. */
static BalStatus verify_member(const BalStore *s, int64_t i, const BalIndexMember *m, const char *key, BalError *err) {
    const unsigned char *data = s->shard[s->index.clip[i].shard].data + m->offset;
    unsigned char block[BAL_TAR_BLOCK];
    char name[BAL_TAR_NAME] = "";
    int64_t bytes = -1;
    size_t n = strlen(key);
    BalStatus rc = bal_tar_parse(data - BAL_TAR_BLOCK, name, &bytes, NULL);
    if (rc == BAL_OK) bal_tar_header(block, name, bytes);
    if (rc != BAL_OK || memcmp(block, data - BAL_TAR_BLOCK, sizeof block) || bytes != (int64_t)m->bytes ||
        strncmp(name, key, n) || name[n] != '.')
        return damaged(s, i, "the tar header of a member is not the one expected", BAL_E_MISMATCH, err);
    return check_crc(s, i, m, data, err);
}

static BalStatus verify_clip(const BalStore *s, int64_t i, BalError *err) {
    const BalIndexClip *c = s->index.clip + i;
    char key[BAL_TAR_NAME];
    const uint16_t *half;
    BalFrameSet set;
    bal_pack_key(key, (int64_t)c->row, bal_store_id(s, i));
    for (uint32_t k = 0; k < c->n_members; k++)
        BAL_TRY(verify_member(s, i, s->index.member + c->first_member + k, key, err));
    BAL_TRY(bal_store_audio_half(s, i, &half, err));
    return bal_store_frame_set(s, i, &set, err);
}

BalStatus bal_store_verify(const BalStore *s, BalProgressSink progress, BalError *err) {
    for (int64_t i = 0; i < s->index.n_clips; i++) {
        BAL_TRY(verify_clip(s, i, err));
        BalProgress p = {"verify", i + 1, s->index.n_clips, "clips", NULL};
        if (progress.fn && !progress.fn(progress.user, &p)) return BAL_FAIL(err, BAL_E_CANCELLED, "stopped");
    }
    return BAL_OK;
}
