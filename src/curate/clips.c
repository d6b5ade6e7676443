/* From videos to clips: read the lists, open the folder, let workers take video after video, write the tables.
 *
 * A video is one job, since its clips share a file that may have to be fetched and a plan that costs as much as decoding it. Bytes of
 * a clip depend on its span and the settings alone, and tables follow the order of the input, so that neither the number of workers
 * nor a kill at any moment shows in the result. */
#include <avbalance/clips.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>
#include "base/file.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/thread.h"
#include "curate/clip_work.h"

BalClipsSpec bal_clips_spec_default(void) {
    return (BalClipsSpec){.rule = bal_cut_rule_default(false),
                          .cut = bal_cut_spec_default(),
                          .reject = bal_findings_unfit(),
                          .limit_s = 600,
                          .workers = bal_cpu_count(),
                          .lists = bal_manifest_spec_default(),
                          .download = {.retries = 3, .wait_s = 60, .limit_s = 600}};
}

/* ---- settings ---- */

static const char code[] =
#include "curate/clips_code.inc"
    ;

/* Hash of all that changes a clip or a refusal: a folder is continued only with the same. */
static BalStatus settings_hash(const BalClipsSpec *s, char out[65], BalError *err) {
    BalText t = {0};
    bal_text_f(&t, "avbalance/clip/1 code %s %s %s\nrule %d", code, bal_media_version(), bal_cut_encoders(),
               s->rule.grid);
    const double real[] = {s->rule.clip_s, s->rule.threshold, s->rule.edge_s, s->rule.edge_from_s};
    for (int i = 0; i < 4; i++) {
        bal_text_char(&t, ' ');
        bal_text_real(&t, real[i]);
    }
    bal_text_f(&t, " %d\ncut %d %d %d %d\nfilter %" PRIx64 " %" PRIx64 "\n", s->rule.most, s->cut.short_side,
               s->cut.fps, s->cut.rate_hz, s->cut.crf, s->reject, s->require);
    BalStatus rc = bal_text_ok(&t, err);
    if (rc == BAL_OK) bal_sha256_text(t.data, t.len, out);
    bal_text_reset(&t);
    return rc;
}

/* ---- the folder ---- */

static BalStatus in_dir(BalText *out, const char *dir, const char *name, BalError *err) {
    bal_text_clear(out);
    bal_path_join(out, dir, name);
    return bal_text_ok(out, err);
}

/* Nothing of anybody else's may stand in a folder that is begun. */
static BalStatus check_empty(const char *dir, BalError *err) {
    char **name = NULL;
    int n = 0;
    BAL_TRY(bal_list_dir(dir, &name, &n, err));
    BalStatus rc =
        n == 0 ? BAL_OK
               : BAL_FAIL(err, BAL_E_EXISTS, "%s holds %s but no clips of an earlier call; give a new or empty folder",
                          dir, name[0]);
    bal_names_free(name, n);
    return rc;
}

static BalStatus open_folder(BalClipWork *w, BalError *err) {
    static const char *const folder[] = {"clips", "videos"};
    char settings[65];
    BalText path = {0};
    BalStatus rc;
    BAL_TRY(settings_hash(w->spec, settings, err));
    if (w->spec->room.make) BAL_TRY(w->spec->room.make(w->spec->room.user, err));
    BAL_TRY(bal_make_dirs(w->dir, err));
    BAL_TRY_OR(done, in_dir(&path, w->dir, "journal.jsonl", err));
    if (!bal_file_exists(path.data)) BAL_TRY_OR(done, check_empty(w->dir, err));
    BAL_TRY_OR(done, bal_clip_journal_open(&w->journal, path.data, settings, err));
    BAL_TRY_OR(done, bal_sweep_tmp(w->dir, err));
    for (int i = 0; i < (w->downloader ? 2 : 1); i++) {
        BAL_TRY_OR(done, in_dir(&path, w->dir, folder[i], err));
        BAL_TRY_OR(done, bal_make_dirs(path.data, err));
        BAL_TRY_OR(done, bal_sweep_tmp(path.data, err));
    }
    BAL_TRY_OR(done, in_dir(&path, w->dir, "manifest.csv", err));
    unlink(path.data); /* it says that all is there */
done:
    bal_text_reset(&path);
    return rc;
}

/* ---- jobs ---- */

static BalStatus order_wishes(BalClipWork *w, BalError *err) {
    const BalClipList *l = &w->list;
    BAL_TRY(bal_alloc(&w->order, (size_t)l->n, sizeof *w->order, err));
    BAL_TRY(bal_alloc(&w->done, (size_t)l->n, sizeof *w->done, err));
    BAL_TRY(bal_alloc(&w->video, (size_t)l->n_videos, sizeof *w->video, err));
    for (int64_t i = 0; i < l->n; i++) w->video[l->wish[i].video].n_wishes++;
    for (int64_t i = 1; i < l->n_videos; i++)
        w->video[i].first_wish = w->video[i - 1].first_wish + w->video[i - 1].n_wishes;
    for (int64_t i = 0; i < l->n_videos; i++) w->video[i].n_wishes = 0;
    for (int64_t i = 0; i < l->n; i++) {
        BalCutVideo *v = &w->video[l->wish[i].video];
        w->order[v->first_wish + v->n_wishes++] = i;
    }
    return BAL_OK;
}

static BalStatus report(const BalClipWork *w, const char *stage, int64_t done, BalError *err) {
    BalProgress p = {stage, done, w->list.n_videos, "videos", NULL};
    if (!w->progress.fn || w->progress.fn(w->progress.user, &p)) return BAL_OK;
    return BAL_FAIL(err, BAL_E_CANCELLED, "stopped after %" PRId64 " of %" PRId64 " videos; the same call continues",
                    done, w->list.n_videos);
}

static BalStatus identify(void *user, int64_t index, int worker, BalError *err) {
    (void)worker;
    return bal_clip_identify(user, index, err);
}

static BalStatus identified(void *user, int64_t index, int worker, BalError *err) {
    (void)worker;
    return report(user, "identify", index + 1, err);
}

static BalStatus cut(void *user, int64_t index, int worker, BalError *err) {
    (void)worker;
    return bal_clip_video(user, index, err);
}

/* Count what became of video `index`; on the calling thread, in order. */
static BalStatus counted(void *user, int64_t index, int worker, BalError *err) {
    (void)worker;
    BalClipWork *w = user;
    const BalCutVideo *v = &w->video[index];
    int64_t clips = 0;
    const BalNo *first = NULL;
    const char *what = "";
    for (int64_t k = 0; k < v->n_wishes; k++) {
        int64_t i = w->order[v->first_wish + k];
        const BalDone *d = &w->done[i];
        const BalClipWish *wish = &w->list.wish[i];
        if (d->no.rule && !first) first = &d->no, what = *wish->path ? wish->path : wish->id;
        w->result.rejected += d->no.rule != NULL;
        for (int m = 0; m < d->n_made; m++) {
            const BalMade *made = &d->made[m];
            if (made->no.rule && !first) first = &made->no, what = made->id;
            w->result.rejected += made->no.rule != NULL;
            w->result.resumed += made->resumed;
            clips += !made->no.rule;
        }
    }
    w->result.clips += clips;
    w->result.unused += clips == 0;
    if (first && w->spec->stop_on_error)
        return BAL_FAIL(err, BAL_E_MEDIA, "%s: %s (%s: %s)", what, first->reason, first->stage, first->rule);
    return report(w, "clip", index + 1, err);
}

static BalStatus run(BalClipWork *w, BalError *err) {
    int64_t n = w->list.n_videos, ahead = 4 * (int64_t)w->spec->workers;
    BAL_TRY(order_wishes(w, err));
    BAL_TRY(open_folder(w, err));
    BAL_TRY(bal_parallel(w->spec->workers, n, ahead, identify, identified, w, err));
    BAL_TRY(bal_clip_compare(w, err));
    BAL_TRY(bal_parallel(w->spec->workers, n, ahead, cut, counted, w, err));
    BAL_TRY(bal_append_sync(&w->journal.file, err));
    w->result.videos = n;
    BAL_TRY(bal_clip_tables(w, err));
    if (w->result.clips > 0) return BAL_OK;
    return BAL_FAIL(err, BAL_E_MEDIA,
                    "not one clip could be made of %" PRId64 " videos; each stands with its reason in %s/rejects.csv",
                    n, w->dir);
}

static void free_work(BalClipWork *w) {
    for (int64_t i = 0; w->done && i < w->list.n; i++) {
        BalDone *d = &w->done[i];
        for (int k = 0; k < d->n_made; k++) {
            BalMade *m = &d->made[k];
            bal_free(m->id), bal_free(m->findings), bal_free(m->file), bal_free(m->no.rule), bal_free(m->no.reason);
        }
        bal_free(d->made), bal_free(d->no.rule), bal_free(d->no.reason);
    }
    for (int64_t i = 0; w->video && i < w->list.n_videos; i++) bal_free(w->video[i].id);
    bal_free(w->done);
    bal_free(w->video);
    bal_free(w->order);
    bal_clip_list_reset(&w->list);
    bal_clip_journal_close(&w->journal);
    bal_downloader_close(&w->downloader);
    bal_strings_free(&w->strings);
    pthread_mutex_destroy(&w->lock);
}

BalStatus bal_clips_make(const char *const *input, int n, const BalClipsSpec *spec, const char *dir,
                         BalProgressSink progress, BalClipsResult *out, BalError *err) {
    if (spec->workers < 1 || !(spec->limit_s > 0))
        return BAL_FAIL(err, BAL_E_ARG, "%d workers, %g s: must be at least 1, and above 0", spec->workers,
                        spec->limit_s);
    BalClipWork w = {.spec = spec, .dir = dir, .progress = progress, .journal = {.file = BAL_APPEND_CLOSED}};
    pthread_mutex_init(&w.lock, NULL);
    BalStatus rc = BAL_OK;
    if (spec->download.command) rc = bal_downloader_open(&w.downloader, spec, err);
    if (rc == BAL_OK) rc = bal_clip_list_read(&w.list, input, n, spec, err);
    if (rc == BAL_OK) rc = run(&w, err);
    if (rc == BAL_OK) *out = w.result;
    free_work(&w);
    return rc;
}
