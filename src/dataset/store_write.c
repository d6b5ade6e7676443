/* The growing store.
 *
 * Order of writes, for one clip: its bytes to the shard being filled, then its line to the journal. Both go to the kernel at once
 * (no buffer of ours), so a killed process loses at most the clip it was writing. A full shard is flushed to disk, renamed, and
 * only then is the next one begun; index, rejected.csv and store.json follow in this order, then the journal goes.
 *
 * A rerun therefore finds one of: a store (nothing to do), a journal (continue), neither (begin). To continue, it replays the
 * journal, checks the sizes of the finished shards and the checksums of the clips in the last one, and cuts journal and shard back
 * to the last clip that is whole: after a power cut the disk may hold less than the journal says. A finished last shard is simply
 * opened again: whether it was full is decided anew by the next clip, whose size is the same as before.
 *
 * Where shards end depends on the sizes of the clips alone: the bytes are the same for any number of workers and of restarts. */
#include "dataset/store_write.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "base/file.h"
#include "base/hash.h"
#include "base/mem.h"
#include "dataset/append.h"
#include "dataset/store_files.h"
#include "dataset/tar.h"

struct BalStoreWriter {
    BalStoreJob job;
    BalIdentity identity;
    char *dir;
    BalAppend shard, journal; /* shard: closed until the first clip arrives */
    BalIndexDraft draft;
    uint32_t *tar_crc; /* [draft.n_clips] of each clip's stretch of its shard */
    size_t tar_crc_cap;
    BalReject *reject;
    size_t n_reject, reject_cap;
    int64_t next_row, resumed;
    uint32_t shard_no; /* the one being filled */
    BalText path, line;
    BalIndexMember *moved; /* members of the clip being added, offsets from the start of its shard */
    size_t moved_cap;
};

/* ---- paths: valid until the next call ---- */

static const char *path_of(BalStoreWriter *w, const char *name) {
    bal_text_clear(&w->path);
    bal_path_join(&w->path, w->dir, name);
    return bal_text_str(&w->path);
}

static const char *shard_path(BalStoreWriter *w, uint32_t shard, bool part) {
    path_of(w, "");
    bal_shard_name(&w->path, shard);
    if (part) bal_text_add(&w->path, ".part");
    return bal_text_str(&w->path);
}

/* Rename between KEY.tar and KEY.tar.part. Flushing the folder may wait for the next BalWriter: until then a rerun copes. */
static BalStatus rename_shard(BalStoreWriter *w, uint32_t shard, bool to_part, BalError *err) {
    char *from = NULL;
    BAL_TRY(bal_strdup(&from, shard_path(w, shard, !to_part), err));
    BalStatus rc = BAL_OK;
    if (rename(from, shard_path(w, shard, to_part)) < 0)
        rc = BAL_FAIL(err, BAL_E_IO, "%s: cannot rename: %s", from, strerror(errno));
    bal_free(from);
    return rc;
}

/* ---- memory of what was done ---- */

/* e: a stored clip. */
static BalStatus remember_clip(BalStoreWriter *w, const BalJournalEntry *e, BalError *err) {
    const BalClip *c = w->job.manifest->clip + e->row;
    const char *source = c->source && c->source[0] ? c->source : c->id;
    BAL_TRY(bal_grow(&w->tar_crc, &w->tar_crc_cap, w->draft.n_clips + 1, sizeof *w->tar_crc, err));
    w->tar_crc[w->draft.n_clips] = e->tar_crc;
    BalIndexClip entry = {.n_members = e->n_members,
                          .shard = e->shard,
                          .label = c->label,
                          .split = w->job.split[e->row],
                          .row = (uint64_t)e->row};
    return bal_index_add(&w->draft, entry, c->id, source, e->member, err);
}

static BalStatus remember_reject(BalStoreWriter *w, int64_t row, BalStatus code, const char *reason, BalError *err) {
    BAL_TRY(bal_grow(&w->reject, &w->reject_cap, w->n_reject + 1, sizeof *w->reject, err));
    BalReject r = {.row = row, .code = code};
    BAL_TRY(bal_strdup(&r.reason, reason, err));
    w->reject[w->n_reject++] = r;
    return BAL_OK;
}

static void forget(BalStoreWriter *w) {
    bal_index_draft_reset(&w->draft);
    for (size_t i = 0; i < w->n_reject; i++) bal_free(w->reject[i].reason);
    w->n_reject = 0;
    w->next_row = 0;
    w->shard_no = 0;
}

/* ---- continuing ---- */

/* One journal entry. BAL_END where it cannot follow the ones before. */
static BalStatus replay_entry(void *user, const BalJournalEntry *e, BalError *err) {
    BalStoreWriter *w = user;
    if (e->stored) {
        if (e->shard != w->shard_no && !(e->shard == w->shard_no + 1 && w->draft.n_clips)) return BAL_END;
        BAL_TRY(remember_clip(w, e, err));
        w->shard_no = e->shard;
    } else {
        BAL_TRY(remember_reject(w, e->row, e->code, e->reason, err));
    }
    w->next_row = e->row + 1;
    return BAL_OK;
}

/* Where a clip's stretch of its shard begins (its first tar header) and ends. */
static uint64_t clip_begin(const BalStoreWriter *w, size_t i) {
    return w->draft.member[w->draft.clip[i].first_member].offset - BAL_TAR_BLOCK;
}
static uint64_t clip_end(const BalStoreWriter *w, size_t i) {
    const BalIndexClip *c = w->draft.clip + i;
    const BalIndexMember *m = w->draft.member + c->first_member + c->n_members - 1;
    return m->offset + (uint64_t)bal_tar_padded((int64_t)m->bytes);
}

static bool clip_intact(const BalStoreWriter *w, size_t i, const BalMap *map) {
    uint64_t begin = clip_begin(w, i), end = clip_end(w, i);
    return begin <= end && end <= map->size && bal_crc32(0, map->data + begin, end - begin) == w->tar_crc[i];
}

/* Clips [from, to) of the draft stand in one shard. Returns how many from the first on are whole; a finished shard (not the
 * last) is trusted if its size is right: it was on the disk before the next was begun. */
static size_t intact_clips(BalStoreWriter *w, size_t from, size_t to, bool last) {
    uint32_t shard = w->draft.clip[from].shard;
    BalMap map = {0};
    size_t good = from;
    if (bal_map_open(&map, shard_path(w, shard, false), NULL) < 0 &&
        (!last || bal_map_open(&map, shard_path(w, shard, true), NULL) < 0))
        return 0;
    if (!last && map.size == clip_end(w, to - 1) + BAL_TAR_TRAILER) good = to;
    while (good < to && clip_intact(w, good, &map)) good++;
    bal_map_close(&map);
    return good - from;
}

/* The number of rows that the shards on disk confirm. */
static int64_t confirmed_rows(BalStoreWriter *w) {
    for (size_t from = 0, to; from < w->draft.n_clips; from = to) {
        for (to = from; to < w->draft.n_clips && w->draft.clip[to].shard == w->draft.clip[from].shard;) to++;
        size_t good = intact_clips(w, from, to, to == w->draft.n_clips);
        if (good < to - from) return (int64_t)w->draft.clip[from + good].row;
    }
    return w->next_row;
}

static BalStatus replay(BalStoreWriter *w, int64_t max_rows, size_t *journal_bytes, BalError *err) {
    BalMap map = {0};
    BalIdentity there = {0};
    forget(w);
    BAL_TRY(bal_map_open(&map, path_of(w, BAL_STORE_JOURNAL), err));
    BalStatus rc = bal_journal_replay(map.data, map.size, max_rows, replay_entry, w, &there, journal_bytes, err);
    const bool foreign = rc >= 0 && !*journal_bytes && map.size && memchr(map.data, '\n', map.size);
    bal_map_close(&map);
    BAL_TRY(rc);
    if (foreign) /* a torn head is a begin that was killed; a whole line that is none is somebody else's */
        return BAL_FAIL(err, BAL_E_EXISTS,
                        "%s holds something else than the journal of an ingest; move it away, or give another folder",
                        path_of(w, BAL_STORE_JOURNAL));
    return *journal_bytes ? bal_store_same(&w->identity, &there, w->dir, err) : BAL_OK;
}

static BalStatus open_part(BalStoreWriter *w, int64_t keep, BalError *err) {
    BAL_TRY(bal_append_open(&w->shard, shard_path(w, w->shard_no, true), err));
    return bal_append_cut(&w->shard, keep, err);
}

/* Replay, cut back, open what is to be continued. */
static BalStatus resume(BalStoreWriter *w, BalError *err) {
    size_t journal_bytes = 0;
    BAL_TRY(replay(w, w->job.manifest->n, &journal_bytes, err));
    int64_t rows = confirmed_rows(w);
    if (rows < w->next_row) BAL_TRY(replay(w, rows, &journal_bytes, err));
    BAL_TRY(bal_append_cut(&w->journal, (int64_t)journal_bytes, err));
    if (!journal_bytes) {
        bal_text_clear(&w->line);
        bal_journal_head(&w->line, &w->identity);
        BAL_TRY(bal_text_ok(&w->line, err));
        BAL_TRY(bal_append_add(&w->journal, w->line.data, w->line.len, err));
    }
    w->resumed = w->next_row;
    if (!w->draft.n_clips) return BAL_OK;
    if (bal_file_exists(shard_path(w, w->shard_no, false))) BAL_TRY(rename_shard(w, w->shard_no, true, err));
    return open_part(w, (int64_t)clip_end(w, w->draft.n_clips - 1), err);
}

/* ---- beginning ---- */

/* Nothing of anybody else's may stand in the folder: only what an ingest leaves behind. */
static BalStatus check_folder(BalStoreWriter *w, BalError *err) {
    char **name = NULL;
    int n = 0;
    BAL_TRY(bal_list_dir(w->dir, &name, &n, err));
    BalStatus rc = BAL_OK;
    for (int i = 0; i < n && rc == BAL_OK; i++)
        if (strcmp(name[i], BAL_STORE_REJECTED))
            rc = BAL_FAIL(err, BAL_E_EXISTS, "%s holds %s but no store; give a new or empty folder", w->dir, name[i]);
    bal_names_free(name, n);
    return rc;
}

/* A store is there already: this job's, or an error. */
static BalStatus finished_before(BalStoreWriter *w, BalIngestResult *result, BalError *err) {
    BalIdentity there = {0};
    BAL_TRY(bal_store_json_summary(path_of(w, BAL_STORE_JSON), &there, result, err));
    BAL_TRY(bal_store_same(&w->identity, &there, w->dir, err));
    unlink(path_of(w, BAL_STORE_JOURNAL)); /* left where the process was killed between the last two steps */
    return BAL_END;
}

BalStatus bal_store_writer_open(BalStoreWriter **out, const BalStoreJob *job, const char *dir, BalIngestResult *result,
                                BalError *err) {
    BalStoreWriter *w = NULL;
    BalStatus rc;
    BAL_TRY(bal_alloc(&w, 1, sizeof *w, err));
    w->job = *job;
    w->shard = w->journal = BAL_APPEND_CLOSED;
    BAL_TRY_OR(fail, bal_strdup(&w->dir, dir, err));
    shard_path(w, UINT32_MAX, true); /* the longest path: none after it can lack memory */
    BAL_TRY_OR(fail, bal_text_ok(&w->path, err));
    BAL_TRY_OR(fail, bal_store_identify(job, &w->identity, err));
    BAL_TRY_OR(fail, bal_make_dirs(dir, err));
    BAL_TRY_OR(fail, bal_sweep_tmp(dir, err));
    if (bal_file_exists(path_of(w, BAL_STORE_JSON))) {
        rc = finished_before(w, result, err);
        goto fail;
    }
    if (!bal_file_exists(path_of(w, BAL_STORE_JOURNAL))) BAL_TRY_OR(fail, check_folder(w, err));
    BAL_TRY_OR(fail,
               bal_append_open(&w->journal, path_of(w, BAL_STORE_JOURNAL), err)); /* also the lock of the folder */
    if (bal_file_exists(path_of(w, BAL_STORE_JSON))) {                            /* another process ended just now */
        rc = finished_before(w, result, err);
        goto fail;
    }
    BAL_TRY_OR(fail, resume(w, err));
    *out = w;
    return BAL_OK;
fail:
    bal_store_writer_close(&w);
    return rc;
}

/* ---- adding ---- */

int64_t bal_store_writer_next(const BalStoreWriter *w) {
    return w->next_row;
}

/* End the shard being filled: from here on it is final. */
static BalStatus close_shard(BalStoreWriter *w, BalError *err) {
    static const char trailer[BAL_TAR_TRAILER];
    BAL_TRY(bal_append_add(&w->shard, trailer, sizeof trailer, err));
    BAL_TRY(bal_append_sync(&w->shard, err));
    BAL_TRY(bal_append_sync(&w->journal, err));
    bal_append_close(&w->shard);
    return rename_shard(w, w->shard_no, false, err);
}

static BalStatus make_room(BalStoreWriter *w, int64_t bytes, BalError *err) {
    if (w->shard.fd >= 0) {
        if (w->shard.at + bytes + BAL_TAR_TRAILER <= w->job.spec->shard_bytes) return BAL_OK;
        BAL_TRY(close_shard(w, err));
        w->shard_no++;
    }
    return open_part(w, 0, err);
}

static BalStatus write_line(BalStoreWriter *w, const BalJournalEntry *entry, BalError *err) {
    bal_text_clear(&w->line);
    bal_journal_line(&w->line, entry);
    BAL_TRY(bal_text_ok(&w->line, err));
    BAL_TRY(bal_append_add(&w->journal, w->line.data, w->line.len, err));
    w->next_row++;
    return BAL_OK;
}

BalStatus bal_store_writer_add(BalStoreWriter *w, const BalPacked *clip, BalError *err) {
    BAL_TRY(make_room(w, (int64_t)clip->tar.len, err));
    BAL_TRY(bal_grow(&w->moved, &w->moved_cap, clip->n_members, sizeof *w->moved, err));
    for (uint32_t k = 0; k < clip->n_members; k++) {
        w->moved[k] = clip->member[k];
        w->moved[k].offset += (uint64_t)w->shard.at;
    }
    BalJournalEntry e = {.row = w->next_row,
                         .stored = true,
                         .shard = w->shard_no,
                         .tar_crc = clip->tar_crc,
                         .n_members = clip->n_members,
                         .member = w->moved};
    BAL_TRY(bal_append_add(&w->shard, clip->tar.data, clip->tar.len, err));
    BAL_TRY(remember_clip(w, &e, err));
    return write_line(w, &e, err);
}

BalStatus bal_store_writer_reject(BalStoreWriter *w, BalStatus code, const char *reason, BalError *err) {
    BAL_TRY(remember_reject(w, w->next_row, code, reason, err));
    return write_line(w, &(BalJournalEntry){.row = w->next_row, .code = code, .reason = reason}, err);
}

BalStatus bal_store_writer_count(const BalStoreWriter *w, BalIngestResult *result, BalError *err) {
    result->n = w->job.manifest->n;
    result->stored = (int64_t)w->draft.n_clips;
    result->rejected = (int64_t)w->n_reject;
    result->resumed = w->resumed;
    return bal_reject_reasons(w->reject, (int64_t)w->n_reject, result, err);
}

/* ---- finishing ---- */

static BalStatus nothing_stored(BalStoreWriter *w, BalError *err) {
    BalIngestResult r = {0};
    BAL_TRY(bal_reject_reasons(w->reject, (int64_t)w->n_reject, &r, err));
    bal_append_close(&w->journal);
    if (unlink(path_of(w, BAL_STORE_JOURNAL)) < 0)
        return BAL_FAIL(err, BAL_E_IO, "%s: cannot remove: %s", path_of(w, BAL_STORE_JOURNAL), strerror(errno));
    return BAL_FAIL(err, BAL_E_MEDIA, "none of the %lld clips could be stored; most often: %s; all reasons are in %s",
                    (long long)w->n_reject, r.n_reasons ? r.reason[0].text : "(none)", path_of(w, BAL_STORE_REJECTED));
}

/* The index's bytes, checked by the reader's own parser before they go out. */
static BalStatus write_index(BalStoreWriter *w, char hash[65], BalText *bytes, BalIndex *index, BalError *err) {
    const BalManifest *m = w->job.manifest;
    for (size_t i = 0; i < w->draft.n_clips; i++) /* a shard ends with its last clip */
        if (i + 1 == w->draft.n_clips || w->draft.clip[i + 1].shard != w->draft.clip[i].shard)
            BAL_TRY(bal_index_add_shard(&w->draft, clip_end(w, i) + BAL_TAR_TRAILER, err));
    bal_index_encode(&w->draft, bytes);
    BAL_TRY(bal_text_ok(bytes, err));
    BAL_TRY(bal_index_parse(index, bytes->data, bytes->len, path_of(w, BAL_STORE_INDEX), err));
    bal_store_hash_of(w->identity.recipe, m->classes, m->n_classes, index, hash);
    return bal_file_write(path_of(w, BAL_STORE_INDEX), bytes->data, bytes->len, err);
}

BalStatus bal_store_writer_finish(BalStoreWriter *w, BalError *err) {
    const BalManifest *m = w->job.manifest;
    BalText bytes = {0};
    BalIndex index = {0};
    char hash[65];
    BalStatus rc;
    assert(w->next_row == m->n);
    BAL_TRY(bal_rejected_write(path_of(w, BAL_STORE_REJECTED), m, w->reject, (int64_t)w->n_reject, err));
    if (!w->draft.n_clips) return nothing_stored(w, err);
    BAL_TRY(close_shard(w, err));
    BAL_TRY_OR(fail, write_index(w, hash, &bytes, &index, err));
    BAL_TRY_OR(fail, bal_store_json_write(path_of(w, BAL_STORE_JSON), &w->job, &w->identity, hash, &index, w->reject,
                                          (int64_t)w->n_reject, err));
    BAL_TRY_OR(fail, bal_append_sync(&w->journal, err));
    bal_append_close(&w->journal);
    if (unlink(path_of(w, BAL_STORE_JOURNAL)) < 0)
        rc = BAL_FAIL(err, BAL_E_IO, "%s: cannot remove: %s", path_of(w, BAL_STORE_JOURNAL), strerror(errno));
fail:
    bal_text_reset(&bytes);
    return rc;
}

void bal_store_writer_close(BalStoreWriter **out) {
    BalStoreWriter *w = *out;
    if (!w) return;
    bal_append_close(&w->shard);
    bal_append_close(&w->journal);
    forget(w);
    bal_free(w->tar_crc);
    bal_free(w->reject);
    bal_free(w->moved);
    bal_free(w->dir);
    bal_text_reset(&w->path);
    bal_text_reset(&w->line);
    bal_free(w);
    *out = NULL;
}
