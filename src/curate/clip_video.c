/* One video's clips: find the file or fetch it, plan, cut, judge.
 *
 * What the journal knows of the same file (size and time of change) is not done again, but a clip must be there with its size and
 * hash. Only what would come out the same next time is written to the journal: a time limit, a download that may succeed later and a
 * missing file are not. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/mem.h"
#include "curate/clip_work.h"

typedef struct Source { /* the file that is cut */
    char *path;
    int64_t bytes, mtime; /* 0 for a fetched one: what matters is its id */
    int64_t begin_ms;     /* where in the video it begins */
    bool fetched, absent; /* absent: not fetched, since the wishes so far were granted before */
} Source;

/* ---- refusals ---- */

static BalStatus refuse(BalNo *no, const char *stage, const char *rule, const char *reason, BalError *err) {
    no->stage = stage;
    BAL_TRY(bal_strdup(&no->reason, reason, err));
    return bal_strdup(&no->rule, rule, err);
}

static void forget(BalNo *no) {
    bal_free(no->rule);
    bal_free(no->reason);
    *no = (BalNo){0};
}

/* The reason without the path in front, so that equal reasons count together. */
static const char *bare(const char *text, const char *path) {
    size_t n = strlen(path);
    return strncmp(text, path, n) == 0 && strncmp(text + n, ": ", 2) == 0 ? text + n + 2 : text;
}

static bool video_is_to_blame(BalStatus rc) {
    return rc == BAL_E_MEDIA || rc == BAL_E_FORMAT || rc == BAL_E_BACKEND || rc == BAL_E_SHAPE;
}

static BalClipRefusal written(const BalNo *no) {
    return (BalClipRefusal){no->stage, no->rule, no->reason};
}

static BalStatus note(BalClipWork *w, const BalClipRecord *r, BalError *err) {
    pthread_mutex_lock(&w->lock);
    BalStatus rc = bal_clip_journal_add(&w->journal, r, err);
    pthread_mutex_unlock(&w->lock);
    return rc;
}

static const char *stage_named(const char *name) {
    static const char *const stage[] = {"list", "download", "plan", "cut", "filter"};
    for (size_t i = 0; i < sizeof stage / sizeof *stage; i++)
        if (!strcmp(stage[i], name)) return stage[i];
    return "cut";
}

static BalStatus recall(BalNo *no, const BalClipRefusal *r, BalError *err) {
    return r->rule ? refuse(no, stage_named(r->stage), r->rule, r->reason, err) : BAL_OK;
}

/* ---- one clip ---- */

/* "silent(0.93) late-audio(0.21)" */
static void findings_text(BalText *out, const BalProbe *p) {
    for (int f = 0; f < BAL_FIND_COUNT; f++) {
        if (!(p->findings >> f & 1)) continue;
        double value = bal_finding_value(p, (BalFinding)f);
        bal_text_f(out, "%s%s", out->len ? " " : "", bal_finding_name((BalFinding)f));
        if (!isnan(value)) bal_text_f(out, "(%.4g)", value);
    }
}

/* A file's name: the id where it can be one, else with part of a hash, so that no two ids meet. */
static void file_name(BalText *out, const char *id) {
    char hash[65];
    size_t n = strlen(id);
    bool plain = n <= 150;
    for (size_t i = 0; i < n && i < 150; i++) {
        char c = id[i];
        bool safe =
            (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (c && strchr("_-.", c));
        safe = safe && !(i == 0 && c == '.');
        plain = plain && (safe || c == ':' || c == '#');
        bal_text_char(out, safe ? c : '_');
    }
    plain = plain && (bal_has_prefix(id, "local:sha256:") || !strpbrk(id, ":#"));
    bal_sha256_text(id, n, hash);
    if (!plain) bal_text_f(out, "-%.8s", hash);
    bal_text_add(out, ".mp4");
}

static BalStatus path_in(BalText *out, const BalClipWork *w, const char *folder, const char *name, BalError *err) {
    bal_text_clear(out);
    bal_path_join(out, w->dir, folder);
    bal_text_f(out, "/%s", name);
    return bal_text_ok(out, err);
}

/* Is the clip there as the journal says? */
static bool intact(const char *path, const BalClipRecord *r) {
    char sha256[65];
    struct stat st;
    return stat(path, &st) == 0 && st.st_size == r->bytes && bal_sha256_file(path, sha256, NULL) == BAL_OK &&
           !strcmp(sha256, r->sha256);
}

static bool same_span(const BalSpan *a, const BalSpan *b) {
    return a->start_ms == b->start_ms && a->end_ms == b->end_ms && a->flags == b->flags;
}

/* What the journal knows of this clip; false: nothing that holds. */
static BalStatus recall_clip(const BalClipWork *w, const Source *s, const char *path, BalMade *m, bool *known,
                             BalError *err) {
    const BalClipRecord *r = bal_clip_journal_clip(&w->journal, m->id);
    *known = r && same_span(&r->at, &m->at) && r->of_bytes == s->bytes && r->of_mtime == s->mtime &&
             (r->no.rule || intact(path, r));
    if (!*known) return BAL_OK;
    BAL_TRY(recall(&m->no, &r->no, err));
    if (r->findings) BAL_TRY(bal_strdup(&m->findings, r->findings, err));
    if (!r->file) return BAL_OK;
    m->bytes = r->bytes;
    m->resumed = true;
    memcpy(m->sha256, r->sha256, 65);
    return bal_strdup(&m->file, r->file, err);
}

static BalStatus judge(const BalClipWork *w, BalMade *m, const BalProbe *p, BalError *err) {
    uint64_t bad = (p->findings & w->spec->reject) | (w->spec->require & ~p->findings);
    if (!bad) return BAL_OK;
    BalFinding f = (BalFinding)__builtin_ctzll(bad);
    BalText reason = {0};
    bool lacks = !(p->findings >> f & 1);
    double value = bal_finding_value(p, f);
    if (lacks)
        bal_text_add(&reason, "not found: ");
    else if (!isnan(value))
        bal_text_f(&reason, "measured %.4g: ", value);
    bal_text_add(&reason, bal_finding_meaning(f));
    BalStatus rc = bal_text_ok(&reason, err);
    if (rc == BAL_OK) rc = refuse(&m->no, "filter", bal_finding_name(f), reason.data, err);
    bal_text_reset(&reason);
    return rc;
}

static BalMediaLimits limits_of(const BalClipWork *w) {
    BalMediaLimits l = bal_media_limits_default();
    l.seconds = w->spec->limit_s;
    return l;
}

/* A failure of the video becomes *no; *lasting: it would be the same next time. */
static BalStatus blame(BalStatus rc, BalNo *no, const char *stage, const Source *s, double began_s,
                       const BalClipWork *w, bool *lasting, const BalError *why, BalError *err) {
    if (!video_is_to_blame(rc)) {
        if (err) *err = *why;
        return rc;
    }
    bool late = bal_now_s() - began_s >= w->spec->limit_s;
    const char *rule = late                                           ? "time-limit"
                       : strstr(why->text, ": has no sound stream")   ? "no-audio"
                       : strstr(why->text, ": has no picture stream") ? "no-video"
                                                                      : "unusable";
    *lasting = !late;
    return refuse(no, stage, rule, bare(why->text, s->path), err);
}

static BalStatus cut_clip(BalClipWork *w, const Source *s, const char *path, BalMade *m, BalError *err) {
    BalMediaLimits limits = limits_of(w);
    BalSpan in_file = {m->at.start_ms - s->begin_ms, m->at.end_ms - s->begin_ms, m->at.flags};
    BalCutResult r;
    BalError why = {0};
    BalText text = {0};
    bool lasting = true;
    double began_s = bal_now_s();
    BalStatus rc = bal_cut(s->path, &in_file, &w->spec->cut, &limits, path, &r, &why);
    if (rc < 0) {
        BAL_TRY(blame(rc, &m->no, "cut", s, began_s, w, &lasting, &why, err));
    } else {
        if (r.decode_errors)
            r.probe.findings |= UINT64_C(1) << BAL_FIND_DECODE_ERRORS, r.probe.decode_errors = r.decode_errors;
        findings_text(&text, &r.probe);
        rc = bal_text_ok(&text, err);
        if (rc == BAL_OK) rc = bal_strdup(&m->findings, bal_text_str(&text), err);
        bal_text_reset(&text);
        if (rc == BAL_OK) rc = judge(w, m, &r.probe, err);
        if (rc == BAL_OK && !m->no.rule) {
            rc = bal_strdup(&m->file, strrchr(path, '/') + 1, err);
            memcpy(m->sha256, r.sha256, 65);
            m->bytes = r.bytes;
        }
        if (rc < 0 || m->no.rule) unlink(path);
        if (rc < 0) return rc;
    }
    BalClipRecord record = {.clip = m->id,
                            .of_bytes = s->bytes,
                            .of_mtime = s->mtime,
                            .at = m->at,
                            .findings = m->findings,
                            .file = m->file,
                            .sha256 = m->sha256,
                            .bytes = m->bytes,
                            .no = written(&m->no)};
    return lasting ? note(w, &record, err) : BAL_OK;
}

/* Add a clip to what became of a wish, and make it. */
static BalStatus make_clip(BalClipWork *w, const Source *s, BalDone *d, const char *id, BalSpan at, BalError *err) {
    BalText name = {0}, path = {0};
    bool known = false;
    BalStatus rc;
    BAL_TRY_OR(fail, bal_grow(&d->made, &d->cap, (size_t)d->n_made + 1, sizeof *d->made, err));
    BalMade *m = &d->made[d->n_made++];
    *m = (BalMade){.at = at};
    BAL_TRY_OR(fail, bal_strdup(&m->id, id, err));
    file_name(&name, id);
    BAL_TRY_OR(fail, bal_text_ok(&name, err));
    BAL_TRY_OR(fail, path_in(&path, w, "clips", name.data, err));
    BAL_TRY_OR(fail, recall_clip(w, s, path.data, m, &known, err));
    if (!known) BAL_TRY_OR(fail, cut_clip(w, s, path.data, m, err));
fail:
    bal_text_reset(&name);
    bal_text_reset(&path);
    return rc;
}

/* ---- a whole video ---- */

/* VIDEO_SECOND; where clips are so short that two begin in one second, VIDEO_SECOND.MS from the second of them on. */
static void planned_id(BalText *out, const char *video, const BalSpan *span, int k) {
    const int64_t ms = span[k].start_ms;
    bal_text_clear(out);
    bal_text_f(out, "%s_%" PRId64, video, ms / 1000);
    if (k && span[k - 1].start_ms / 1000 == ms / 1000) bal_text_f(out, ".%03d", (int)(ms % 1000));
}

static BalStatus make_planned(BalClipWork *w, const BalCutVideo *v, const BalClipWish *wish, const Source *s,
                              BalDone *d, const BalClipRecord *plan, BalError *err) {
    BalText id = {0};
    BalStatus rc = recall(&d->no, &plan->no, err);
    for (int k = 0; rc == BAL_OK && k < plan->n_spans; k++) {
        bal_text_clear(&id);
        if (*wish->id)
            planned_id(&id, v->id, plan->span, k);
        else
            bal_text_f(&id, "%s#%d", v->id, k);
        rc = bal_text_ok(&id, err);
        if (rc == BAL_OK) rc = make_clip(w, s, d, id.data, plan->span[k], err);
    }
    bal_text_reset(&id);
    return rc;
}

/* The plan, as a record for the journal that owns its spans; *lasting: it belongs there. */
static BalStatus plan_video(BalClipWork *w, const Source *s, BalClipRecord *r, BalNo *no, bool *lasting,
                            BalError *err) {
    BalMediaLimits limits = limits_of(w);
    BalCutPlan plan = {0};
    BalError why = {0};
    char text[120];
    double began_s = bal_now_s();
    BalStatus rc = bal_cut_plan(s->path, &w->spec->rule, &limits, &plan, &why);
    if (rc == BAL_E_IO) return refuse(no, "list", "unreadable", bare(why.text, s->path), err);
    if (rc < 0) return blame(rc, no, "plan", s, began_s, w, lasting, &why, err);
    *lasting = true;
    r->planned = true;
    r->duration_ms = llround(plan.duration_s * 1000), r->n_cuts = plan.frames ? plan.n_cuts : -1;
    r->span = plan.span, r->n_spans = plan.n_spans;
    plan.span = NULL;
    snprintf(text, sizeof text, "%.3f s of sound and picture together, and a clip takes %g s",
             fmax(0, plan.to_s - plan.from_s), w->spec->rule.clip_s);
    if (r->n_spans == 0) rc = refuse(no, "plan", "too-short", text, err);
    bal_cut_plan_reset(&plan);
    return rc;
}

static BalStatus whole_video(BalClipWork *w, BalCutVideo *v, const BalClipWish *wish, const Source *s, BalDone *d,
                             BalError *err) {
    const char *key = s->fetched ? wish->youtube : s->path;
    const BalClipRecord *known = bal_clip_journal_video(&w->journal, key);
    if (known && (known->of_bytes != s->bytes || known->of_mtime != s->mtime)) known = NULL;
    BalClipRecord r = {.video = key, .of_bytes = s->bytes, .of_mtime = s->mtime, .id = v->id};
    BalNo no = {0};
    bool lasting = false;
    BalStatus rc = BAL_OK;
    if (!known || (!known->planned && !known->no.rule)) {
        rc = plan_video(w, s, &r, &no, &lasting, err);
        r.no = written(&no);
        if (rc == BAL_OK && lasting) rc = note(w, &r, err);
        known = &r;
    }
    if (known->planned) v->duration_s = (double)known->duration_ms / 1000, v->n_cuts = known->n_cuts;
    if (rc == BAL_OK) rc = make_planned(w, v, wish, s, d, known, err);
    forget(&no);
    bal_free(r.span);
    return rc;
}

static BalStatus grant(BalClipWork *w, BalCutVideo *v, const BalClipWish *wish, const Source *s, BalDone *d,
                       BalError *err) {
    if (wish->span.end_ms == 0) return whole_video(w, v, wish, s, d, err);
    return make_clip(w, s, d, wish->id, wish->span, err);
}

/* ---- where the file is ---- */

static BalStatus find_file(Source *s, const BalClipWish *wish, BalNo *no, BalError *err) {
    struct stat st;
    if (stat(wish->path, &st) != 0) return refuse(no, "list", "missing", "the file is not there", err);
    if (access(wish->path, R_OK) != 0) return refuse(no, "list", "unreadable", "the file may not be read", err);
    s->bytes = st.st_size;
    s->mtime = (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec;
    return bal_strdup(&s->path, wish->path, err);
}

/* Nothing of the wish needs its video any more: the journal and the clips answer, as recall_clip will ask them. */
static bool granted_before(const BalClipWork *w, const BalClipWish *wish) {
    const BalClipRecord *v = bal_clip_journal_video(&w->journal, wish->youtube), *c;
    if (v && (v->of_bytes || v->of_mtime)) v = NULL;
    BalText id = {0}, name = {0}, path = {0};
    int n = wish->span.end_ms ? 1 : v && (v->planned || v->no.rule) ? v->n_spans : -1;
    bool all = n >= 0;
    for (int k = 0; k < n && all; k++) {
        bal_text_clear(&id), bal_text_clear(&name);
        if (wish->span.end_ms)
            bal_text_add(&id, wish->id);
        else
            planned_id(&id, wish->id, v->span, k);
        c = id.failed ? NULL : bal_clip_journal_clip(&w->journal, bal_text_str(&id));
        file_name(&name, bal_text_str(&id));
        all = c && c->of_bytes == 0 && c->of_mtime == 0 &&
              same_span(&c->at, wish->span.end_ms ? &wish->span : &v->span[k]) && !name.failed &&
              path_in(&path, w, "clips", name.data, NULL) == BAL_OK && (c->no.rule || intact(path.data, c));
    }
    bal_text_reset(&id);
    bal_text_reset(&name);
    bal_text_reset(&path);
    return all;
}

/* Fetch the whole video or, where the command cuts, the wish's stretch. */
static BalStatus fetch(BalClipWork *w, Source *s, const BalClipWish *wish, BalNo *no, BalError *err) {
    BalText name = {0}, path = {0};
    BalError why = {0};
    bool cuts = bal_downloader_cuts(w->downloader);
    s->fetched = true;
    if (cuts && wish->span.end_ms == 0)
        return refuse(no, "list", "no-times", "the download command fetches stretches, and the row names none", err);
    bal_text_f(&name, "%s", wish->youtube);
    if (cuts) bal_text_f(&name, "_%" PRId64 "_%" PRId64, wish->span.start_ms, wish->span.end_ms);
    bal_text_add(&name, ".mp4");
    BalStatus rc = bal_text_ok(&name, err);
    if (rc == BAL_OK) rc = path_in(&path, w, "videos", name.data, err);
    s->absent = rc == BAL_OK && !bal_file_exists(path.data);
    if (s->absent && !granted_before(w, wish)) {
        s->absent = false;
        rc = bal_download(w->downloader, wish->youtube, cuts ? &wish->span : NULL, path.data, &why);
        bool failed = rc == BAL_E_MEDIA || rc == BAL_E_COMM;
        if (failed) {
            rc = refuse(no, "download", rc == BAL_E_COMM ? "for-now" : "failed", bare(why.text, wish->youtube), err);
        } else if (rc < 0 && err) {
            *err = why;
        }
    }
    bal_free(s->path);
    s->path = NULL;
    if (rc == BAL_OK) rc = bal_strdup(&s->path, path.data, err);
    if (cuts) s->begin_ms = wish->span.start_ms;
    bal_text_reset(&name);
    bal_text_reset(&path);
    return rc;
}

/* done: the clips that wanted it are made, it need not be fetched again. */
static void let_go(const BalClipWork *w, Source *s, bool done) {
    if (s->path && s->fetched && done && !w->spec->download.keep) unlink(s->path);
    bal_free(s->path);
    *s = (Source){0};
}

/* ---- who is who ---- */

BalStatus bal_clip_identify(BalClipWork *w, int64_t index, BalError *err) {
    BalCutVideo *v = &w->video[index];
    const BalClipWish *wish = NULL;
    for (int64_t k = v->n_wishes - 1; k >= 0; k--) { /* the first that is to be planned */
        const BalClipWish *this = &w->list.wish[w->order[v->first_wish + k]];
        if (this->span.end_ms == 0) wish = this;
    }
    if (!wish) return BAL_OK;
    if (*wish->id) return bal_strdup(&v->id, wish->id, err);
    Source s = {0};
    BalNo no = {0};
    BalText id = {0};
    char hash[65];
    BalStatus rc = find_file(&s, wish, &no, err);
    if (rc < 0 || no.rule) goto done;
    const BalClipRecord *known = bal_clip_journal_video(&w->journal, s.path);
    if (known && known->id && known->of_bytes == s.bytes && known->of_mtime == s.mtime) {
        rc = bal_strdup(&v->id, known->id, err);
        goto done;
    }
    if (bal_sha256_file(s.path, hash, NULL) < 0) goto done; /* not a regular file: cutting it will say so */
    bal_text_f(&id, "local:sha256:%.16s", hash);
    rc = bal_text_ok(&id, err);
    if (rc == BAL_OK) rc = bal_strdup(&v->id, id.data, err);
    BalClipRecord r = {.video = s.path, .of_bytes = s.bytes, .of_mtime = s.mtime, .id = v->id};
    if (rc == BAL_OK) rc = note(w, &r, err);
done:
    bal_text_reset(&id);
    bal_free(s.path);
    forget(&no);
    return rc;
}

BalStatus bal_clip_compare(BalClipWork *w, BalError *err) {
    BalNameSet ids = {0};
    int64_t *first = NULL, number;
    BalStatus rc = bal_alloc(&first, (size_t)w->list.n_videos, sizeof *first, err);
    for (int64_t i = 0; i < w->list.n_videos && rc == BAL_OK; i++) {
        bool added = false;
        w->video[i].same_as = -1;
        if (!w->video[i].id) continue;
        rc = bal_name_add(&ids, &w->strings, w->video[i].id, strlen(w->video[i].id), &number, &added, err);
        if (rc == BAL_OK && added)
            first[number] = i;
        else if (rc == BAL_OK)
            w->video[i].same_as = first[number];
    }
    bal_name_set_reset(&ids);
    bal_free(first);
    return rc;
}

/* ---- a video ---- */

/* Another wish, or another video, got this id before. */
static BalStatus refuse_repeated(const BalClipWork *w, const BalCutVideo *v, const BalClipWish *wish, BalNo *no,
                                 BalError *err) {
    const BalClipWish *other =
        wish->same_as >= 0 ? &w->list.wish[wish->same_as] : &w->list.wish[w->order[w->video[v->same_as].first_wish]];
    const char *name = *other->path ? other->path : other->id;
    BalText text = {0};
    if (wish->same_as < 0)
        bal_text_f(&text, "byte for byte the same as %s", name);
    else if (*wish->id)
        bal_text_f(&text, "its id is that of %s", name);
    else
        bal_text_add(&text, "it stands in the input twice");
    BalStatus rc = bal_text_ok(&text, err);
    if (rc == BAL_OK) rc = refuse(no, "list", "repeated", text.data, err);
    bal_text_reset(&text);
    return rc;
}

/* Find the file unless it is there from the wish before, and cut. */
static BalStatus serve(BalClipWork *w, BalCutVideo *v, int64_t i, Source *s, BalNo *no, BalError *err) {
    const BalClipWish *wish = &w->list.wish[i];
    BalDone *d = &w->done[i];
    if (wish->same_as >= 0 || (wish->span.end_ms == 0 && v->same_as >= 0))
        return refuse_repeated(w, v, wish, &d->no, err);
    if ((!s->path || s->absent) && !no->rule)
        BAL_TRY(*wish->path ? find_file(s, wish, no, err) : fetch(w, s, wish, no, err));
    return no->rule ? refuse(&d->no, no->stage, no->rule, no->reason, err) : grant(w, v, wish, s, d, err);
}

BalStatus bal_clip_video(BalClipWork *w, int64_t index, BalError *err) {
    BalCutVideo *v = &w->video[index];
    Source s = {0};
    BalNo no = {0}; /* of the file */
    BalStatus rc = BAL_OK;
    v->duration_s = NAN, v->n_cuts = -1;
    for (int64_t k = 0; k < v->n_wishes && rc == BAL_OK; k++) {
        int64_t i = w->order[v->first_wish + k];
        if (w->spec->stopped && w->spec->stopped(w->spec->user))
            rc = BAL_FAIL(err, BAL_E_CANCELLED, "stopped; the same call continues");
        if (rc == BAL_OK) rc = serve(w, v, i, &s, &no, err);
        if (!*w->list.wish[i].path && bal_downloader_cuts(w->downloader)) { /* each wish has a file of its own */
            let_go(w, &s, rc == BAL_OK);
            forget(&no);
        }
    }
    let_go(w, &s, rc == BAL_OK);
    forget(&no);
    return rc;
}
