/* Locks, written: see lock.h for the form. */
#include "curate/lock.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <avbalance/media.h>

#include "analysis/predictions.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/thread.h"
#include "curate/keep.h"
#include "curate/sheet.h"

/* ---- each file once ---- */

typedef struct Files {
    const char *const *media;
    int64_t *order, *first, n_files; /* [n] clips by media; [n_files + 1] where each file's begin */
    BalLockFileFn *fn;
    void *user;
    const char *stage;
    BalProgressSink progress;
} Files;

static int by_media(const void *x, const void *y, void *user) {
    const char *const *media = user;
    const int64_t a = *(const int64_t *)x, b = *(const int64_t *)y;
    const int order = strcmp(media[a], media[b]);
    return order ? order : a < b ? -1 : a > b;
}

static BalStatus read_file(void *user, int64_t index, int worker, BalError *err) {
    Files *f = user;
    (void)worker;
    return f->fn(f->user, f->order + f->first[index], f->first[index + 1] - f->first[index], err);
}

static BalStatus tell(void *user, int64_t index, int worker, BalError *err) {
    Files *f = user;
    (void)worker;
    const BalProgress p = {.stage = f->stage, .done = index + 1, .total = f->n_files, .unit = "files"};
    if (!f->progress.fn || f->progress.fn(f->progress.user, &p)) return BAL_OK;
    return BAL_FAIL(err, BAL_E_CANCELLED, "stopped");
}

BalStatus bal_lock_each_file(const char *const *media, int64_t n, int threads, const char *stage,
                             BalProgressSink progress, BalLockFileFn *fn, void *user, BalError *err) {
    Files f = {.media = media, .fn = fn, .user = user, .stage = stage, .progress = progress};
    BalStatus rc;
    BAL_TRY_OR(done, bal_alloc(&f.order, (size_t)n, sizeof *f.order, err));
    BAL_TRY_OR(done, bal_alloc(&f.first, (size_t)n + 1, sizeof *f.first, err));
    for (int64_t i = 0; i < n; i++) f.order[i] = i;
    qsort_r(f.order, (size_t)n, sizeof *f.order, by_media, (void *)(uintptr_t)media);
    for (int64_t i = 0; i < n; i++)
        if (!i || strcmp(media[f.order[i]], media[f.order[i - 1]])) f.first[f.n_files++] = i;
    f.first[f.n_files] = n;
    if (threads < 1) threads = bal_cpu_count();
    rc = bal_parallel(threads, f.n_files, 64, read_file, tell, &f, err);
done:
    bal_free(f.order);
    bal_free(f.first);
    return rc;
}

/* ---- a clip's line ---- */

static void add_seconds(BalJsonOut *o, const char *key, double v) {
    if (!isnan(v)) bal_json_add_real(o, key, v);
}

void bal_lock_line(BalText *out, const BalLockClip *c) {
    BalJsonOut o = bal_json_out(out, false);
    bal_json_open(&o, NULL, '{');
    bal_json_add_text(&o, "id", c->id);
    bal_json_add_text(&o, "media", c->media);
    bal_json_add_text(&o, "sha256", c->sha256);
    bal_json_add_int(&o, "bytes", c->bytes);
    bal_json_add_text(&o, "label", c->label);
    bal_json_add_text(&o, "split", c->split);
    bal_json_add_text(&o, "source", c->source);
    add_seconds(&o, "start", c->start_s);
    add_seconds(&o, "duration", c->duration_s);
    if (*c->licence) bal_json_add_text(&o, "licence", c->licence);
    if (*c->pref) bal_json_add_text(&o, "pref", c->pref);
    if (c->has_audio) {
        bal_json_open(&o, "audio", '{');
        bal_json_add_text(&o, "codec", c->audio_codec);
        bal_json_add_int(&o, "rate_hz", c->rate_hz);
        bal_json_add_int(&o, "channels", c->channels);
        add_seconds(&o, "seconds", c->audio_s);
        bal_json_close(&o, '}');
    }
    if (c->has_video) {
        bal_json_open(&o, "video", '{');
        bal_json_add_text(&o, "codec", c->video_codec);
        bal_json_add_int(&o, "width", c->width);
        bal_json_add_int(&o, "height", c->height);
        bal_json_add_int(&o, "frames", c->frames);
        add_seconds(&o, "seconds", c->video_s);
        bal_json_close(&o, '}');
    }
    bal_json_close(&o, '}');
}

/* ---- facts of a file ---- */

typedef struct Job {
    const BalManifest *m;
    BalLockClip *clip;  /* [n] by id */
    const char **media; /* [n] paths to open */
    BalArena text;      /* of media, as they are opened and as they are written */
    BalSheet table;
} Job;

static double milliseconds(double s) {
    return round(s * 1000) / 1000;
}

static BalStatus read_facts(void *user, const int64_t *clip, int64_t n, BalError *err) {
    Job *j = user;
    BalLockClip *c = &j->clip[clip[0]];
    const char *path = j->media[clip[0]];
    struct stat st;
    BalProbe p;
    if (stat(path, &st) != 0)
        return BAL_FAIL(err, BAL_E_IO, "%s: is not there (clip \"%.100s\"); a lock is of data that one has", path,
                        c->id);
    BAL_TRY(bal_sha256_file(path, c->sha256, err));
    BalStatus rc = bal_probe(path, NULL, &p, err);
    if (rc < 0)
        return bal_error_add(err, rc, "clip \"%.100s\"%s", c->id,
                             rc == BAL_E_MEDIA ? ": leave it out of the manifest" : "");
    c->bytes = st.st_size;
    c->has_audio = p.audio.index >= 0;
    c->has_video = p.video.index >= 0;
    memcpy(c->audio_codec, p.audio.codec, sizeof c->audio_codec);
    memcpy(c->video_codec, p.video.codec, sizeof c->video_codec);
    c->rate_hz = p.audio.rate_hz;
    c->channels = p.audio.channels;
    c->audio_s = milliseconds(p.audio.end_s - p.audio.start_s);
    c->width = p.video.width;
    c->height = p.video.height;
    c->frames = p.video.frames;
    c->video_s = milliseconds(p.video.end_s - p.video.start_s);
    for (int64_t k = 1; k < n; k++) { /* other stretches of the same file */
        BalLockClip own = j->clip[clip[k]], *to = &j->clip[clip[k]];
        *to = *c;
        to->id = own.id, to->media = own.media, to->label = own.label, to->split = own.split, to->source = own.source;
        to->start_s = own.start_s, to->duration_s = own.duration_s, to->licence = own.licence, to->pref = own.pref;
    }
    return BAL_OK;
}

/* ---- what the table adds ---- */

static BalStatus read_table(Job *j, const char *path, BalError *err) {
    BalSheet *t = &j->table;
    BAL_TRY(bal_sheet_load(t, path, "id", err));
    const int licence = bal_sheet_column(t, "licence"), pref = bal_sheet_column(t, "pref");
    if (licence < 0 && pref < 0) return BAL_FAIL(err, BAL_E_FORMAT, "%s: needs a column licence or pref", path);
    for (int64_t i = 0; i < j->m->n; i++) {
        const int64_t row = bal_sheet_find(t, j->clip[i].id);
        j->clip[i].licence = bal_sheet_at(t, row, licence);
        j->clip[i].pref = bal_sheet_at(t, row, pref);
    }
    return BAL_OK;
}

/* ---- the whole ---- */

static int by_id(const void *x, const void *y) {
    return strcmp(((const BalLockClip *)x)->id, ((const BalLockClip *)y)->id);
}

/* `media` as it is opened, and as it is written: from the lock's folder `here` where it lies under it, else as the manifest has it. */
static BalStatus name_media(Job *j, BalLockClip *c, const char *there, const char *here, const char **opened,
                            BalError *err) {
    BalText path = {0};
    const size_t n = strlen(here);
    bal_path_join(&path, there, c->media);
    BalStatus rc = bal_text_ok(&path, err);
    if (rc >= 0) rc = bal_keep(&j->text, path.data, path.len, opened, err);
    if (rc >= 0 && bal_has_prefix(path.data, here) && path.data[n] == '/')
        rc = bal_keep(&j->text, path.data + n + 1, path.len - n - 1, &c->media, err);
    bal_text_reset(&path);
    return rc;
}

static BalStatus folder_of(const char *path, char out[PATH_MAX], BalError *err) {
    BalText folder = {0};
    const char *slash = strrchr(path, '/');
    bal_text_add_n(&folder, slash ? path : ".", slash ? (size_t)(slash - path + (slash == path)) : 1);
    BalStatus rc = bal_text_ok(&folder, err);
    if (rc >= 0 && !realpath(folder.data, out))
        rc = BAL_FAIL(err, BAL_E_IO, "%s: there is no such folder", folder.data);
    bal_text_reset(&folder);
    return rc;
}

static BalStatus take_clips(Job *j, const char *path, BalError *err) {
    char here[PATH_MAX], there[PATH_MAX];
    const BalManifest *m = j->m;
    BAL_TRY(folder_of(path, here, err));
    if (!realpath(m->dir, there)) return BAL_FAIL(err, BAL_E_IO, "%s is not there", m->dir);
    for (int64_t i = 0; i < m->n; i++) {
        const BalClip *c = &m->clip[i];
        j->clip[i] = (BalLockClip){.id = c->id,
                                   .media = c->media,
                                   .label = c->label < 0 ? "" : m->classes[c->label],
                                   .split = bal_split_name(c->split),
                                   .source = *c->source ? c->source : c->id,
                                   .licence = "",
                                   .pref = "",
                                   .start_s = c->start_s,
                                   .duration_s = c->duration_s};
    }
    qsort(j->clip, (size_t)m->n, sizeof *j->clip, by_id);
    for (int64_t i = 0; i < m->n; i++) BAL_TRY(name_media(j, &j->clip[i], there, here, &j->media[i], err));
    return BAL_OK;
}

/* The store must be of these clips; its clips that ingest rejected are missing in it. */
static BalStatus read_store(const Job *j, const char *dir, char hash[65], char recipe[65], BalError *err) {
    BalStore *store = NULL;
    BalNameIndex ids = {0};
    const char **name = NULL;
    BalStatus rc;
    BAL_TRY(bal_store_open(&store, dir, err));
    BAL_TRY_OR(done, bal_alloc(&name, (size_t)j->m->n, sizeof *name, err));
    for (int64_t i = 0; i < j->m->n; i++) name[i] = j->clip[i].id;
    BAL_TRY_OR(done, bal_name_index_make(&ids, name, j->m->n, err));
    for (int64_t i = 0; i < bal_store_count(store) && rc >= 0; i++) {
        const char *id = bal_store_id(store, i);
        if (bal_name_index_find(&ids, id, strlen(id)) >= 0) continue;
        rc = BAL_FAIL(err, BAL_E_MISMATCH,
                      "%s: its clip \"%.100s\" is not in the manifest; lock the one it was made from", dir, id);
    }
    if (rc >= 0) {
        snprintf(hash, 65, "%s", bal_store_hash(store));
        snprintf(recipe, 65, "%s", bal_store_recipe_hash(store));
    }
done:
    bal_store_close(&store);
    bal_name_index_reset(&ids);
    bal_free(name);
    return rc;
}

static void write_text(BalText *out, const char *store_hash, const char *recipe_hash, const char *lines,
                       const BalLockResult *r) {
    BalJsonOut o = bal_json_out(out, true);
    bal_json_open(&o, NULL, '{');
    bal_json_add_text(&o, "schema", "avbalance/lock/1");
    bal_json_add_int(&o, "n", r->n);
    bal_json_add_int(&o, "media_bytes", r->media_bytes);
    bal_json_add_text(&o, "recipe_hash", *recipe_hash ? recipe_hash : NULL);
    bal_json_add_text(&o, "store_hash", *store_hash ? store_hash : NULL);
    bal_json_add_text(&o, "hash", r->hash);
    bal_text_add(out, ",\n  \"clips\": [\n"); /* a clip is a line, which the writer would not do */
    for (const char *line = lines; *line; line = strchr(line, '\n') + 1) {
        const size_t n = (size_t)(strchr(line, '\n') - line);
        bal_text_add_n(out, line, n);
        bal_text_add(out, line[n + 1] ? ",\n" : "\n");
    }
    bal_text_add(out, "]}\n");
}

static BalStatus write_lock(const Job *j, const char *store_hash, const char *recipe_hash, const char *path,
                            BalLockResult *out, BalError *err) {
    BalText lines = {0}, text = {0};
    BalLockResult r = {.n = j->m->n};
    for (int64_t i = 0; i < r.n; i++) {
        bal_lock_line(&lines, &j->clip[i]);
        bal_text_char(&lines, '\n');
        r.media_bytes += j->clip[i].bytes;
    }
    BalStatus rc = bal_text_ok(&lines, err);
    if (rc >= 0) {
        bal_sha256_text(bal_text_str(&lines), lines.len, r.hash);
        write_text(&text, store_hash, recipe_hash, bal_text_str(&lines), &r);
        rc = bal_text_ok(&text, err);
    }
    if (rc >= 0) rc = bal_file_write(path, text.data, text.len, err);
    if (rc >= 0) *out = r;
    bal_text_reset(&lines);
    bal_text_reset(&text);
    return rc;
}

BalStatus bal_lock_write(const BalManifest *m, const BalLockSpec *spec, const char *path, BalLockResult *out,
                         BalError *err) {
    Job j = {.m = m};
    char store_hash[65] = "", recipe_hash[65] = "";
    BalStatus rc;
    if (!m->n) return BAL_FAIL(err, BAL_E_ARG, "there are no clips to lock");
    BAL_TRY_OR(done, bal_alloc(&j.clip, (size_t)m->n, sizeof *j.clip, err));
    BAL_TRY_OR(done, bal_alloc(&j.media, (size_t)m->n, sizeof *j.media, err));
    BAL_TRY_OR(done, take_clips(&j, path, err));
    if (spec->table) BAL_TRY_OR(done, read_table(&j, spec->table, err));
    if (spec->store) BAL_TRY_OR(done, read_store(&j, spec->store, store_hash, recipe_hash, err));
    BAL_TRY_OR(done, bal_lock_each_file(j.media, m->n, spec->threads, "lock", spec->progress, read_facts, &j, err));
    rc = write_lock(&j, store_hash, recipe_hash, path, out, err);
done:
    bal_free(j.clip);
    bal_free(j.media);
    bal_sheet_reset(&j.table);
    bal_arena_reset(&j.text);
    return rc;
}
