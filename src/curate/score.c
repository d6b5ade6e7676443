/* Clips to probabilities: workers prepare clips, the calling thread runs the network over them in the order of the manifest.
 *
 * What a clip gives goes into the journal at once; the files a user sees are made from it at the end. A job that was killed reads its
 * journal, cuts it back to the last whole line and goes on behind it, so that its files have the bytes they would have had. */
#include <avbalance/score.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "base/file.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/thread.h"
#include "curate/score_job.h"

enum { SYNC_EVERY = 64 }; /* clips between two flushes of the journal to the disk */

typedef struct Slot { /* one clip between its worker and the network */
    float *input;
    BalStatus rejected; /* BAL_OK: prepared */
    BalError reason;
} Slot;

typedef struct Pool {
    BalScoreJob *job;
    BalProgressSink progress;
    Slot *slot;
    void **worker;
    BalText *path; /* per worker */
    float *p;      /* [n_classes] */
    int n_workers, n_slots;
    int64_t first; /* row of job 0 */
} Pool;

BalScoreSpec bal_score_spec_default(void) {
    return (BalScoreSpec){.scorer = "slowfast", .threads = 1, .workers = 1, .top = 5, .clip_limit_s = 60};
}

const char *bal_score_path(BalScoreJob *j, const char *name) {
    bal_text_clear(&j->path);
    bal_path_join(&j->path, j->dir, name);
    return bal_text_str(&j->path);
}

/* ---- in the workers ---- */
static bool clip_is_to_blame(BalStatus rc) {
    return rc == BAL_E_MEDIA || rc == BAL_E_FORMAT || rc == BAL_E_IO || rc == BAL_E_UNSUPPORTED || rc == BAL_E_SHAPE ||
           rc == BAL_E_NUMERIC;
}

static BalStatus prepare(Pool *p, int64_t row, int worker, float *out, BalError *err) {
    const BalManifest *m = p->job->m;
    const BalClip *clip = m->clip + row;
    BalMediaLimits limits = bal_media_limits_default();
    BalClipSpec spec = bal_clip_spec_default();
    if (p->job->spec->clip_limit_s > 0) limits.seconds = p->job->spec->clip_limit_s;
    spec.start_s = isnan(clip->start_s) ? 0 : clip->start_s;
    spec.duration_s = isnan(clip->duration_s) ? 0 : clip->duration_s;
    BalText *path = &p->path[worker];
    bal_text_clear(path);
    bal_path_join(path, m->dir ? m->dir : "", clip->media);
    BAL_TRY(bal_text_ok(path, err));
    return p->job->scorer.ops->prepare(&p->job->scorer, p->worker[worker], path->data, &spec, &limits, out, err);
}

static BalStatus run_clip(void *user, int64_t index, int worker, BalError *err) {
    Pool *p = user;
    Slot *slot = p->slot + index % p->n_slots;
    slot->reason = (BalError){0};
    BalStatus rc = prepare(p, p->first + index, worker, slot->input, &slot->reason);
    slot->rejected = clip_is_to_blame(rc) ? rc : BAL_OK;
    if (rc >= 0 || slot->rejected) return BAL_OK;
    if (err) *err = slot->reason;
    return bal_error_add(err, rc, "while preparing clip %s", p->job->m->clip[p->first + index].id);
}

/* ---- in the calling thread ---- */
/* The reason without the path in front, so that equal reasons count together. */
static const char *bare_reason(const char *text, const char *media) {
    const char *at = strstr(text, media);
    if (!*media || !at) return text;
    at += strlen(media);
    return bal_has_prefix(at, ": ") ? at + 2 : text;
}

static BalStatus remember(BalScoreJob *j, const BalScoreEntry *e, BalError *err) {
    j->n_done = e->row + 1;
    j->n_scored += e->p != NULL;
    if (e->p) return BAL_OK;
    BAL_TRY(bal_grow(&j->reject, &j->reject_cap, j->n_reject + 1, sizeof *j->reject, err));
    BalReject r = {.row = e->row, .code = e->code};
    BAL_TRY(bal_strdup(&r.reason, e->reason, err));
    j->reject[j->n_reject++] = r;
    return BAL_OK;
}

static BalStatus write_entry(BalScoreJob *j, const BalScoreEntry *e, BalError *err) {
    bal_text_clear(&j->line);
    bal_score_journal_line(&j->line, e, j->scorer.n_classes);
    BAL_TRY(bal_text_ok(&j->line, err));
    BAL_TRY(bal_append_add(&j->journal, j->line.data, j->line.len, err));
    BAL_TRY(remember(j, e, err));
    return j->n_done % SYNC_EVERY ? BAL_OK : bal_append_sync(&j->journal, err);
}

static BalStatus score_clip(void *user, int64_t index, int worker, BalError *err) {
    Pool *p = user;
    BalScoreJob *j = p->job;
    Slot *slot = p->slot + index % p->n_slots;
    const BalClip *clip = j->m->clip + p->first + index;
    BalScoreEntry e = {.row = p->first + index};
    (void)worker;
    if (slot->rejected && j->spec->stop_on_error)
        return BAL_FAIL(err, BAL_E_MEDIA, "%s: while scoring clip %s (line %lld of the manifest)", slot->reason.text,
                        clip->id, (long long)clip->line);
    if (slot->rejected) {
        e.code = slot->rejected;
        e.reason = bare_reason(slot->reason.text, clip->media);
    } else {
        BalStatus rc = bal_scorer_run(&j->scorer, slot->input, p->p, err);
        if (rc < 0) return bal_error_add(err, rc, "scoring clip %s", clip->id);
        e.p = p->p;
    }
    BAL_TRY(write_entry(j, &e, err));
    BalProgress at = {"score", e.row + 1, j->m->n, "clips", NULL};
    if (p->progress.fn && !p->progress.fn(p->progress.user, &at))
        return BAL_FAIL(err, BAL_E_CANCELLED, "stopped after %lld of %lld clips; the same call continues",
                        (long long)at.done, (long long)at.total);
    return BAL_OK;
}

static BalStatus pool_open(Pool *p, BalError *err) {
    const BalScorer *s = &p->job->scorer;
    BAL_TRY(bal_alloc(&p->slot, (size_t)p->n_slots, sizeof *p->slot, err));
    BAL_TRY(bal_alloc(&p->worker, (size_t)p->n_workers, sizeof *p->worker, err));
    BAL_TRY(bal_alloc(&p->path, (size_t)p->n_workers, sizeof *p->path, err));
    BAL_TRY(bal_alloc(&p->p, (size_t)s->n_classes, sizeof *p->p, err));
    for (int i = 0; i < p->n_slots; i++)
        BAL_TRY(bal_alloc(&p->slot[i].input, (size_t)s->n_passes * s->pass_floats, sizeof(float), err));
    for (int i = 0; i < p->n_workers; i++) BAL_TRY(s->ops->worker_open(s, &p->worker[i], err));
    return BAL_OK;
}

static void pool_close(Pool *p) {
    for (int i = 0; p->slot && i < p->n_slots; i++) bal_free(p->slot[i].input);
    for (int i = 0; p->worker && i < p->n_workers; i++) p->job->scorer.ops->worker_close(&p->worker[i]);
    for (int i = 0; p->path && i < p->n_workers; i++) bal_text_reset(&p->path[i]);
    bal_free(p->slot);
    bal_free(p->worker);
    bal_free(p->path);
    bal_free(p->p);
}

static BalStatus score_rest(BalScoreJob *j, BalProgressSink progress, BalError *err) {
    Pool p = {.job = j, .progress = progress, .n_workers = j->spec->workers, .first = j->n_done};
    if (j->n_done == j->m->n) return BAL_OK;
    p.n_slots = p.n_workers + 1;
    BalStatus rc = pool_open(&p, err);
    if (rc >= 0) rc = bal_parallel(p.n_workers, j->m->n - j->n_done, p.n_slots, run_clip, score_clip, &p, err);
    pool_close(&p);
    return rc < 0 ? rc : BAL_OK;
}

/* ---- beginning and continuing ---- */
static BalStatus replay_entry(void *user, const BalScoreEntry *e, BalError *err) {
    return remember(user, e, err);
}

static BalStatus refuse_other(const BalScoreJob *j, BalError *err) {
    return BAL_FAIL(err, BAL_E_MISMATCH,
                    "%s: was begun with another manifest, scorer, weights, setting or build; give -f to begin anew, or "
                    "another folder",
                    j->dir);
}

/* Whether the folder holds this very score, finished. */
static BalStatus check_finished(BalScoreJob *j, bool *finished, BalError *err) {
    BalJson *json = NULL;
    *finished = bal_file_exists(bal_score_path(j, "score.json"));
    if (!*finished) return BAL_OK;
    BAL_TRY(bal_json_load(&json, bal_score_path(j, "score.json"), err));
    const bool same = !strcmp(bal_json_text(bal_json_get(json, "identity"), ""), j->identity);
    j->n_done = bal_json_int(bal_json_get(json, "n"), 0);
    j->n_scored = bal_json_int(bal_json_get(json, "scored"), 0);
    bal_json_free(&json);
    return same ? BAL_OK : refuse_other(j, err);
}

/* What a kill behind the last file leaves: a finished score has no journal. */
static BalStatus drop_journal(BalScoreJob *j, BalError *err) {
    if (unlink(bal_score_path(j, "score.journal")) == 0 || errno == ENOENT) return BAL_OK;
    return BAL_FAIL(err, BAL_E_IO, "%s: cannot remove the journal: %s", j->dir, strerror(errno));
}

static BalStatus check_empty(const BalScoreJob *j, BalError *err) {
    char **names = NULL;
    int n = 0;
    BAL_TRY(bal_list_dir(j->dir, &names, &n, err));
    BalStatus rc = BAL_OK;
    for (int i = 0; i < n && rc >= 0; i++)
        if (strcmp(names[i], "rejected.csv") != 0) /* what a score of nothing leaves */
            rc = BAL_FAIL(err, BAL_E_EXISTS, "%s: holds %s, which is no score; give another folder", j->dir, names[i]);
    bal_names_free(names, n);
    return rc;
}

static BalStatus open_journal(BalScoreJob *j, BalError *err) {
    BalMap map = {0};
    char identity[65] = "";
    size_t good = 0;
    const bool there = bal_file_exists(bal_score_path(j, "score.journal"));
    if (!there) BAL_TRY(check_empty(j, err));
    BAL_TRY(bal_append_open(&j->journal, bal_score_path(j, "score.journal"), err));
    BalStatus rc = there ? bal_map_open(&map, bal_score_path(j, "score.journal"), err) : BAL_OK;
    if (rc >= 0)
        rc = bal_score_journal_replay(map.data, map.size, j->m->n, j->scorer.n_classes, replay_entry, j, identity,
                                      &good, err);
    bal_map_close(&map);
    BAL_TRY(rc);
    if (good && strcmp(identity, j->identity) != 0) return refuse_other(j, err);
    BAL_TRY(bal_append_cut(&j->journal, (int64_t)good, err));
    if (good) return BAL_OK;
    bal_text_clear(&j->line);
    bal_score_journal_head(&j->line, j->identity);
    BAL_TRY(bal_text_ok(&j->line, err));
    return bal_append_add(&j->journal, j->line.data, j->line.len, err);
}

static BalStatus weights_path(BalScoreJob *j, BalError *err) {
    if (!j->spec->weights) return BAL_FAIL(err, BAL_E_ARG, "a scorer needs its weights");
    if (bal_is_dir(j->spec->weights)) {
        bal_path_join(&j->weights, j->spec->weights, "run.json");
        BAL_TRY(bal_text_ok(&j->weights, err));
        BAL_TRY(bal_json_load(&j->run, j->weights.data, err));
        bal_text_clear(&j->weights);
        bal_path_join(&j->weights, j->spec->weights, "weights.safetensors");
    } else {
        bal_text_add(&j->weights, j->spec->weights);
    }
    BAL_TRY(bal_text_ok(&j->weights, err));
    return bal_sha256_file(j->weights.data, j->weights_sha256, err);
}

static BalStatus check_spec(const BalManifest *m, const BalScoreSpec *spec, BalError *err) {
    if (m->n < 1) return BAL_FAIL(err, BAL_E_ARG, "there is no clip to score");
    if (spec->threads < 1 || spec->workers < 1 || spec->top < 0)
        return BAL_FAIL(err, BAL_E_ARG, "%d threads, %d workers, the %d most probable classes are not possible",
                        spec->threads, spec->workers, spec->top);
    return BAL_OK;
}

static BalStatus tell(const BalScoreJob *j, int64_t resumed, BalScoreResult *out, BalError *err) {
    const BalScorer *s = &j->scorer;
    *out = (BalScoreResult){.n_classes = s->n_classes, .macs = bal_graph_macs(s->g) * s->n_passes};
    snprintf(out->average, sizeof out->average, "%s", bal_score_average_name(s));
    snprintf(out->view, sizeof out->view, "%s", s->view->name);
    memcpy(out->weights_sha256, j->weights_sha256, sizeof out->weights_sha256);
    BAL_TRY(bal_reject_reasons(j->reject, (int64_t)j->n_reject, &out->clips, err));
    out->clips.n = j->m->n;
    out->clips.stored = j->n_scored;
    out->clips.rejected = j->m->n - j->n_scored;
    out->clips.resumed = resumed;
    return BAL_OK;
}

static BalStatus score(BalScoreJob *j, BalProgressSink progress, BalScoreResult *out, BalError *err) {
    bool finished = false;
    BAL_TRY(check_spec(j->m, j->spec, err));
    BAL_TRY(weights_path(j, err));
    BAL_TRY(bal_scorer_open(&j->scorer, j->spec, j->weights.data, err));
    BAL_TRY(bal_score_classes(j, err));
    BAL_TRY(bal_score_check_categories(j, err));
    BAL_TRY(bal_score_identify(j, err));
    if (j->spec->room.make) BAL_TRY(j->spec->room.make(j->spec->room.user, err));
    BAL_TRY(bal_make_dirs(j->dir, err));
    BAL_TRY(check_finished(j, &finished, err));
    if (finished) {
        BAL_TRY(drop_journal(j, err));
        return tell(j, j->m->n, out, err);
    }
    BAL_TRY(open_journal(j, err));
    BAL_TRY(bal_sweep_tmp(j->dir, err));
    const int64_t resumed = j->n_done;
    BAL_TRY(score_rest(j, progress, err));
    BalStatus rc = bal_score_write(j, err);
    if (rc < 0 && rc != BAL_E_MEDIA) return rc;
    const BalStatus dropped = drop_journal(j, rc < 0 ? NULL : err);
    BAL_TRY(rc); /* nothing was scored: the next call begins anew */
    BAL_TRY(dropped);
    return tell(j, resumed, out, err);
}

BalStatus bal_score(const BalManifest *m, const BalScoreSpec *spec, const char *dir, BalProgressSink progress,
                    BalScoreResult *out, BalError *err) {
    BalScoreJob j = {.m = m, .spec = spec, .dir = dir, .journal = BAL_APPEND_CLOSED};
    BalStatus rc = score(&j, progress, out, err);
    if (rc == BAL_E_IO) bal_error_add(err, rc, "once the cause is mended, the same command continues");
    bal_append_close(&j.journal);
    bal_scorer_close(&j.scorer);
    for (size_t i = 0; i < j.n_reject; i++) bal_free(j.reject[i].reason);
    bal_free(j.reject);
    bal_free(j.class_name);
    bal_lines_reset(&j.lines);
    bal_json_free(&j.run);
    bal_text_reset(&j.weights);
    bal_text_reset(&j.numbers);
    bal_text_reset(&j.path);
    bal_text_reset(&j.line);
    return rc;
}
