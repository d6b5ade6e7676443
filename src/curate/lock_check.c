/* Locks, read and compared with what is there. */
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "analysis/predictions.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/mem.h"
#include "curate/keep.h"
#include "curate/lock.h"

const char *bal_lock_finding_name(BalLockFinding f) {
    static const char *const name[BAL_LOCK_FINDINGS] = {"ok", "missing", "content", "manifest", "store"};
    return name[f];
}

/* ---- reading ---- */

static void take_text(char *out, size_t cap, const BalJson *v) {
    snprintf(out, cap, "%s", bal_json_text(v, ""));
}

static int take_int(const BalJson *v) {
    const int64_t n = bal_json_int(v, 0);
    return n < 0 || n > INT32_MAX ? 0 : (int)n;
}

static BalStatus parse_clip(BalLockClip *c, const BalJson *v, const char *path, int64_t i, BalError *err) {
    const BalJson *audio = bal_json_get(v, "audio"), *video = bal_json_get(v, "video");
    *c = (BalLockClip){.id = bal_json_text(bal_json_get(v, "id"), ""),
                       .media = bal_json_text(bal_json_get(v, "media"), ""),
                       .label = bal_json_text(bal_json_get(v, "label"), ""),
                       .split = bal_json_text(bal_json_get(v, "split"), ""),
                       .source = bal_json_text(bal_json_get(v, "source"), ""),
                       .licence = bal_json_text(bal_json_get(v, "licence"), ""),
                       .pref = bal_json_text(bal_json_get(v, "pref"), ""),
                       .start_s = bal_json_real(bal_json_get(v, "start"), NAN),
                       .duration_s = bal_json_real(bal_json_get(v, "duration"), NAN),
                       .bytes = bal_json_int(bal_json_get(v, "bytes"), -1),
                       .has_audio = audio != NULL,
                       .has_video = video != NULL,
                       .rate_hz = take_int(bal_json_get(audio, "rate_hz")),
                       .channels = take_int(bal_json_get(audio, "channels")),
                       .audio_s = bal_json_real(bal_json_get(audio, "seconds"), NAN),
                       .width = take_int(bal_json_get(video, "width")),
                       .height = take_int(bal_json_get(video, "height")),
                       .frames = bal_json_int(bal_json_get(video, "frames"), 0),
                       .video_s = bal_json_real(bal_json_get(video, "seconds"), NAN)};
    take_text(c->sha256, sizeof c->sha256, bal_json_get(v, "sha256"));
    take_text(c->audio_codec, sizeof c->audio_codec, bal_json_get(audio, "codec"));
    take_text(c->video_codec, sizeof c->video_codec, bal_json_get(video, "codec"));
    if (!*c->id || !*c->media || strlen(c->sha256) != 64 || c->bytes < 0)
        return BAL_FAIL(err, BAL_E_FORMAT, "%s: clip number %lld: id, media, sha256 or bytes is missing", path,
                        (long long)i + 1);
    return BAL_OK;
}

/* The lock's hash is of its lines as bal_lock_line writes them: whatever was changed by hand shows. */
static BalStatus check_hash(const BalLock *l, const char *path, BalError *err) {
    BalSha256 h;
    BalText line = {0};
    BalStatus rc = BAL_OK;
    char hex[65];
    bal_sha256_init(&h);
    for (int64_t i = 0; i < l->n && rc >= 0; i++) {
        bal_text_clear(&line);
        bal_lock_line(&line, &l->clip[i]);
        bal_text_char(&line, '\n');
        rc = bal_text_ok(&line, err);
        bal_sha256_add(&h, bal_text_str(&line), line.len);
        if (rc >= 0 && i && strcmp(l->clip[i - 1].id, l->clip[i].id) >= 0)
            rc = BAL_FAIL(err, BAL_E_FORMAT, "%s: clip \"%.100s\" is not in byte order of the ids, or there twice",
                          path, l->clip[i].id);
    }
    bal_sha256_hex(&h, hex);
    bal_text_reset(&line);
    if (rc >= 0 && strcmp(hex, bal_json_text(bal_json_get(l->json, "hash"), "")))
        rc = BAL_FAIL(
            err, BAL_E_MISMATCH,
            "%s: its clips do not have the hash that it states: it has been edited or is damaged; get it again", path);
    return rc;
}

BalStatus bal_lock_load(BalLock *out, const char *path, BalError *err) {
    BalLock l = {0};
    BalStatus rc;
    BAL_TRY_OR(fail, bal_json_load(&l.json, path, err));
    const BalJson *clips = bal_json_get(l.json, "clips");
    if (strcmp(bal_json_text(bal_json_get(l.json, "schema"), ""), "avbalance/lock/1")) {
        rc = BAL_FAIL(err, BAL_E_FORMAT,
                      "%s: \"schema\" is not avbalance/lock/1: not a lock, or one of a newer version", path);
        goto fail;
    }
    l.n = (int64_t)bal_json_size(clips);
    if (!l.n || bal_json_type(clips) != BAL_JSON_ARRAY || l.n != bal_json_int(bal_json_get(l.json, "n"), -1)) {
        rc = BAL_FAIL(err, BAL_E_FORMAT, "%s: \"n\" and the number of clips do not agree", path);
        goto fail;
    }
    BAL_TRY_OR(fail, bal_alloc(&l.clip, (size_t)l.n, sizeof *l.clip, err));
    for (int64_t i = 0; i < l.n; i++)
        BAL_TRY_OR(fail, parse_clip(&l.clip[i], bal_json_at(clips, (size_t)i), path, i, err));
    BAL_TRY_OR(fail, check_hash(&l, path, err));
    l.recipe_hash = bal_json_text(bal_json_get(l.json, "recipe_hash"), NULL);
    l.store_hash = bal_json_text(bal_json_get(l.json, "store_hash"), NULL);
    *out = l;
    return BAL_OK;
fail:
    bal_lock_reset(&l);
    return rc;
}

void bal_lock_reset(BalLock *l) {
    bal_json_free(&l->json);
    bal_free(l->clip);
    *l = (BalLock){0};
}

/* ---- media ---- */

typedef struct Check {
    BalLockCheck *c;
    const BalLock *lock;
    const char **media; /* [n] paths to open */
    BalArena text;
} Check;

static BalStatus check_file(void *user, const int64_t *clip, int64_t n, BalError *err) {
    Check *k = user;
    const char *path = k->media[clip[0]];
    struct stat st;
    char hex[65] = "";
    const bool there = stat(path, &st) == 0 && S_ISREG(st.st_mode);
    if (there && st.st_size == k->lock->clip[clip[0]].bytes) BAL_TRY(bal_sha256_file(path, hex, err));
    for (int64_t i = 0; i < n; i++)
        if (!there || strcmp(hex, k->lock->clip[clip[i]].sha256))
            k->c->finding[clip[i]] = there ? BAL_LOCK_CONTENT : BAL_LOCK_MISSING;
    return BAL_OK;
}

static BalStatus check_media(Check *k, const char *lock_path, const BalLockCheckSpec *spec, BalError *err) {
    BalText path = {0};
    const char *slash = strrchr(lock_path, '/');
    BalStatus rc = BAL_OK;
    for (int64_t i = 0; i < k->lock->n && rc >= 0; i++) {
        const char *media = k->lock->clip[i].media;
        bal_text_clear(&path);
        if (spec->media_dir)
            bal_path_join(&path, spec->media_dir, *media == '/' ? strrchr(media, '/') + 1 : media);
        else if (*media != '/' && slash)
            bal_text_f(&path, "%.*s/%s", (int)(slash - lock_path), lock_path, media);
        else
            bal_text_add(&path, media);
        rc = bal_text_ok(&path, err);
        if (rc >= 0) rc = bal_keep(&k->text, path.data, path.len, &k->media[i], err);
    }
    bal_text_reset(&path);
    if (rc < 0) return rc;
    return bal_lock_each_file(k->media, k->lock->n, spec->threads, "verify", spec->progress, check_file, k, err);
}

/* ---- manifest and store ---- */

static void note(Check *k, int64_t i, BalLockFinding what) {
    if (k->c->finding[i] == BAL_LOCK_OK) k->c->finding[i] = (uint8_t)what;
}

static bool same_time(double a, double b) { /* NaN: not given */
    return a == b || (isnan(a) && isnan(b));
}

static bool same_clip(const BalManifest *m, const BalClip *c, const BalLockClip *want) {
    return !strcmp(c->label < 0 ? "" : m->classes[c->label], want->label) &&
           !strcmp(bal_split_name(c->split), want->split) && !strcmp(*c->source ? c->source : c->id, want->source) &&
           same_time(c->start_s, want->start_s) && same_time(c->duration_s, want->duration_s);
}

static BalStatus check_manifest(Check *k, const BalNameIndex *ids, const BalManifest *m, BalError *err) {
    bool *seen = NULL;
    BAL_TRY(bal_alloc(&seen, (size_t)k->lock->n, sizeof *seen, err));
    for (int64_t r = 0; r < m->n; r++) {
        const BalClip *c = &m->clip[r];
        const int64_t i = bal_name_index_find(ids, c->id, strlen(c->id));
        if (i < 0) {
            k->c->extra++;
            continue;
        }
        seen[i] = true;
        if (!same_clip(m, c, &k->lock->clip[i])) note(k, i, BAL_LOCK_MANIFEST);
    }
    for (int64_t i = 0; i < k->lock->n; i++)
        if (!seen[i]) note(k, i, BAL_LOCK_MANIFEST);
    bal_free(seen);
    return BAL_OK;
}

static void check_store_clip(Check *k, const BalStore *s, int64_t r, int64_t i) {
    const BalLockClip *want = &k->lock->clip[i];
    if (strcmp(bal_store_class(s, bal_store_label(s, r)), want->label) ||
        strcmp(bal_split_name(bal_store_split(s, r)), want->split) || strcmp(bal_store_source(s, r), want->source))
        note(k, i, BAL_LOCK_STORE);
}

static BalStatus check_store(Check *k, const BalNameIndex *ids, const char *dir, BalError *err) {
    BalStore *s = NULL;
    bool *seen = NULL;
    BAL_TRY(bal_store_open(&s, dir, err));
    BalStatus rc = bal_alloc(&seen, (size_t)k->lock->n, sizeof *seen, err);
    for (int64_t r = 0; r < bal_store_count(s) && rc >= 0; r++) {
        const char *id = bal_store_id(s, r);
        const int64_t i = bal_name_index_find(ids, id, strlen(id));
        if (i < 0) continue;
        seen[i] = true;
        check_store_clip(k, s, r, i);
    }
    for (int64_t i = 0; i < k->lock->n && rc >= 0; i++)
        if (!seen[i]) note(k, i, BAL_LOCK_STORE);
    const char *recipe = bal_store_recipe_hash(s);
    if (rc >= 0 && k->lock->recipe_hash && strcmp(recipe, k->lock->recipe_hash))
        snprintf(k->c->recipe_differs, sizeof k->c->recipe_differs, "features by recipe %.12s..., locked is %.12s...",
                 recipe, k->lock->recipe_hash);
    bal_store_close(&s);
    bal_free(seen);
    return rc;
}

/* ---- coverage ---- */

static BalStatus count_in(BalLockGroup **group, int *n, size_t *cap, const char *name, bool ok, BalError *err) {
    int g = 0;
    while (g < *n && strcmp((*group)[g].name, name)) g++;
    if (g == *n) {
        BAL_TRY(bal_grow(group, cap, (size_t)*n + 1, sizeof **group, err));
        (*group)[(*n)++] = (BalLockGroup){.name = name};
    }
    (*group)[g].n++;
    (*group)[g].ok += ok;
    return BAL_OK;
}

/* Static names of what a split and a preference are together. */
static const char *subset_name(const char *split, const char *pref) {
    static const char *const name[3][2] = {{"train-audio-preferred", "train-visual-preferred"},
                                           {"val-audio-preferred", "val-visual-preferred"},
                                           {"test-audio-preferred", "test-visual-preferred"}};
    for (int s = 0; s < BAL_SPLIT_COUNT; s++)
        if (!strcmp(split, bal_split_name((BalSplit)s)) && (*pref == 'a' || *pref == 'v') && !pref[1])
            return name[s][*pref == 'v'];
    return NULL;
}

static int by_name(const void *x, const void *y) {
    return strcmp(((const BalLockGroup *)x)->name, ((const BalLockGroup *)y)->name);
}

static BalStatus count_groups(BalLockCheck *c, const BalLock *l, BalError *err) {
    size_t labels = 0, subsets = 0;
    for (int64_t i = 0; i < l->n; i++) {
        const bool ok = c->finding[i] == BAL_LOCK_OK;
        const char *subset = subset_name(l->clip[i].split, l->clip[i].pref);
        c->count[c->finding[i]]++;
        BAL_TRY(count_in(&c->label, &c->n_labels, &labels, l->clip[i].label, ok, err));
        BAL_TRY(count_in(&c->subset, &c->n_subsets, &subsets, l->clip[i].split, ok, err));
        if (subset) BAL_TRY(count_in(&c->subset, &c->n_subsets, &subsets, subset, ok, err));
    }
    qsort(c->label, (size_t)c->n_labels, sizeof *c->label, by_name);
    qsort(c->subset, (size_t)c->n_subsets, sizeof *c->subset, by_name);
    return BAL_OK;
}

/* ---- all of it ---- */

static BalStatus check(Check *k, const char *path, const BalLockCheckSpec *spec, BalError *err) {
    BalNameIndex ids = {0};
    BalLockCheck *c = k->c;
    const size_t n = (size_t)k->lock->n;
    c->n = k->lock->n;
    BAL_TRY(bal_alloc(&c->finding, n, sizeof *c->finding, err));
    BAL_TRY(bal_alloc(&c->id, n, sizeof *c->id, err));
    BAL_TRY(bal_alloc(&k->media, n, sizeof *k->media, err));
    for (int64_t i = 0; i < c->n; i++) c->id[i] = k->lock->clip[i].id;
    if (!spec->no_media) BAL_TRY(check_media(k, path, spec, err));
    BalStatus rc = bal_name_index_make(&ids, c->id, c->n, err);
    if (rc >= 0 && spec->manifest) rc = check_manifest(k, &ids, spec->manifest, err);
    if (rc >= 0 && spec->store) rc = check_store(k, &ids, spec->store, err);
    if (rc >= 0) rc = count_groups(c, k->lock, err);
    bal_name_index_reset(&ids);
    return rc;
}

BalStatus bal_lock_check(BalLockCheck *out, const char *path, const BalLockCheckSpec *spec, BalError *err) {
    BalLockCheck c = {0};
    Check k = {.c = &c};
    BalStatus rc = bal_alloc(&c.lock, 1, sizeof *c.lock, err);
    if (rc >= 0) rc = bal_lock_load(c.lock, path, err);
    k.lock = c.lock;
    if (rc >= 0) rc = check(&k, path, spec, err);
    bal_free(k.media);
    bal_arena_reset(&k.text);
    if (rc < 0)
        bal_lock_check_reset(&c);
    else
        *out = c;
    return rc;
}

void bal_lock_check_reset(BalLockCheck *c) {
    if (c->lock) bal_lock_reset(c->lock);
    bal_free(c->lock);
    bal_free(c->finding);
    bal_free(c->id);
    bal_free(c->label);
    bal_free(c->subset);
    *c = (BalLockCheck){0};
}
