/* manifest -> store: workers make the bytes of clips, the calling thread writes them in manifest order.
 *
 * A worker does everything that costs time (decode, transform, compress, checksum) and leaves the finished tar members in a slot of
 * a ring; the calling thread appends slot after slot. Memory is bounded by the ring: four clips per worker and four more, so that
 * the others need not stop and wait where one clip takes ten times as long as they do. Since every clip's bytes depend on the clip
 * alone and the order is the manifest's, the store does not depend on the workers. */
#include "dataset/ingest.h"

#include <stdio.h>
#include <string.h>
#include "base/mem.h"
#include "base/thread.h"
#include "dataset/groups.h"
#include "dataset/store_write.h"

typedef struct Slot { /* one clip between its worker and the writer */
    BalPacked packed;
    BalStatus rejected; /* BAL_OK: packed */
    BalError reason;
} Slot;

typedef struct Ingest {
    BalStoreJob job;
    BalProduceFn *produce;
    void *user;
    BalProgressSink progress;
    BalStoreWriter *writer;
    BalClipFeatures *scratch; /* one per worker */
    Slot *slot;
    int workers, n_slots;
    int64_t first; /* row of job 0 */
} Ingest;

BalIngestSpec bal_ingest_spec_default(void) {
    return (BalIngestSpec){
        .workers = bal_cpu_count(), .clip_limit_s = 60, .val_share = 0.1, .shard_bytes = INT64_C(256) << 20};
}

static bool clip_is_to_blame(BalStatus rc) {
    return rc == BAL_E_MEDIA || rc == BAL_E_FORMAT || rc == BAL_E_IO || rc == BAL_E_UNSUPPORTED || rc == BAL_E_SHAPE ||
           rc == BAL_E_NUMERIC;
}

/* ---- in the workers ---- */

static BalStatus make_clip(Ingest *g, int64_t row, int worker, BalPacked *out, BalError *err) {
    const BalManifest *m = g->job.manifest;
    const BalClip *clip = m->clip + row;
    BalClipFeatures *f = g->scratch + worker;
    f->frames.n = 0;
    BAL_TRY(g->produce(g->user, row, worker, f, err));
    if (f->frames.n <= 0) return BAL_FAIL(err, BAL_E_MEDIA, "no frame falls into the clip");
    return bal_pack_clip(out, f, &g->job.recipe->visual, row, clip, g->job.split[row],
                         clip->label < 0 ? NULL : m->classes[clip->label], err);
}

static BalStatus run_clip(void *user, int64_t index, int worker, BalError *err) {
    Ingest *g = user;
    Slot *slot = g->slot + index % g->n_slots;
    BalError reason = {0};
    BalStatus rc = make_clip(g, g->first + index, worker, &slot->packed, &reason);
    slot->rejected = clip_is_to_blame(rc) ? rc : BAL_OK;
    slot->reason = reason;
    if (rc >= 0 || slot->rejected) return BAL_OK;
    if (err) *err = reason;
    return bal_error_add(err, rc, "while ingesting clip %s", g->job.manifest->clip[g->first + index].id);
}

/* ---- in the calling thread ---- */

/* The reason without the path in front, so that equal reasons count together. */
static const char *bare_reason(const char *text, const char *media) {
    const char *at = strstr(text, media);
    if (!*media || !at) return text;
    at += strlen(media);
    return bal_has_prefix(at, ": ") ? at + 2 : text;
}

static BalStatus write_clip(void *user, int64_t index, int worker, BalError *err) {
    Ingest *g = user;
    Slot *slot = g->slot + index % g->n_slots;
    const BalClip *clip = g->job.manifest->clip + g->first + index;
    (void)worker;
    if (slot->rejected && g->job.spec->stop_on_error)
        return BAL_FAIL(err, BAL_E_MEDIA, "%s: while ingesting clip %s (line %lld of the manifest)", slot->reason.text,
                        clip->id, (long long)clip->line);
    if (slot->rejected)
        BAL_TRY(bal_store_writer_reject(g->writer, slot->rejected, bare_reason(slot->reason.text, clip->media), err));
    else
        BAL_TRY(bal_store_writer_add(g->writer, &slot->packed, err));
    BalProgress p = {"ingest", g->first + index + 1, g->job.manifest->n, "clips", NULL};
    if (g->progress.fn && !g->progress.fn(g->progress.user, &p))
        return BAL_FAIL(err, BAL_E_CANCELLED, "stopped after %lld of %lld clips; the same call continues",
                        (long long)p.done, (long long)p.total);
    return BAL_OK;
}

/* ---- the job ---- */

static BalStatus split_clips(const BalManifest *m, const BalIngestSpec *spec, BalSplit **out, BalError *err) {
    BalSplit *split = NULL;
    BAL_TRY(bal_alloc(&split, (size_t)m->n, sizeof *split, err));
    for (int64_t i = 0; i < m->n; i++) split[i] = m->clip[i].split;
    BalStatus rc = BAL_OK;
    if (spec->val_share != 0) rc = bal_groups_hold_out(m->clip, m->n, spec->val_share, spec->seed, split, err);
    if (rc < 0)
        bal_free(split);
    else
        *out = split;
    return rc;
}

static BalStatus make_slots(Ingest *g, BalError *err) {
    const BalAudioRecipe *a = &g->job.recipe->audio;
    BAL_TRY(bal_alloc(&g->slot, (size_t)g->n_slots, sizeof *g->slot, err));
    BAL_TRY(bal_alloc(&g->scratch, (size_t)g->workers, sizeof *g->scratch, err));
    for (int i = 0; i < g->workers; i++) {
        BalClipFeatures *f = g->scratch + i;
        bal_audio_shape(a, (int)a->rate_hz, f->audio_shape);
        BAL_TRY(bal_alloc(&f->audio, (size_t)f->audio_shape[0], (size_t)f->audio_shape[1] * sizeof *f->audio, err));
    }
    return BAL_OK;
}

static void ingest_reset(Ingest *g) {
    for (int i = 0; g->slot && i < g->n_slots; i++) bal_packed_reset(&g->slot[i].packed);
    for (int i = 0; g->scratch && i < g->workers; i++) {
        bal_free(g->scratch[i].audio);
        bal_frames_reset(&g->scratch[i].frames);
    }
    bal_free(g->slot);
    bal_free(g->scratch);
    bal_store_writer_close(&g->writer);
}

BalStatus bal_ingest_run(const BalManifest *m, const BalFeatureRecipe *recipe, const BalIngestSpec *spec,
                         BalProduceFn *produce, void *user, const char *dir, BalProgressSink progress,
                         BalIngestResult *out, BalError *err) {
    if (m->n <= 0) return BAL_FAIL(err, BAL_E_ARG, "the manifest lists no clip: there is nothing to ingest");
    if (spec->workers < 1 || spec->shard_bytes < 1)
        return BAL_FAIL(err, BAL_E_ARG, "workers (%d) and shard_bytes (%lld) must be at least 1", spec->workers,
                        (long long)spec->shard_bytes);
    BAL_TRY(bal_feature_recipe_check(recipe, err));
    BalIngestResult result = {0};
    BalSplit *split = NULL;
    BAL_TRY(split_clips(m, spec, &split, err));
    Ingest g = {.job = {m, split, recipe, spec},
                .produce = produce,
                .user = user,
                .progress = progress,
                .workers = spec->workers,
                .n_slots = 4 * spec->workers + 4};
    BalStatus rc = spec->room.make ? spec->room.make(spec->room.user, err) : BAL_OK;
    if (rc == BAL_OK) rc = bal_store_writer_open(&g.writer, &g.job, dir, &result, err);
    if (rc == BAL_OK) {
        g.first = bal_store_writer_next(g.writer);
        BAL_TRY_OR(fail, make_slots(&g, err));
        BAL_TRY_OR(fail, bal_parallel(g.workers, m->n - g.first, g.n_slots, run_clip, write_clip, &g, err));
        BAL_TRY_OR(fail, bal_store_writer_finish(g.writer, err));
        BAL_TRY_OR(fail, bal_store_writer_count(g.writer, &result, err));
    }
    if (rc >= 0) *out = result;
fail:
    if (rc == BAL_E_IO)
        bal_error_add(err, rc,
                      "what is stored is kept: once the cause is mended, the same call continues (without -f)");
    ingest_reset(&g);
    bal_free(split);
    return rc < 0 ? rc : BAL_OK;
}
