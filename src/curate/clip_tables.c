/* What `clip` leaves beside the clips: four tables, in the order of the input, the manifest last: where it is, everything is. */
#include <inttypes.h>
#include <math.h>
#include <string.h>
#include <unistd.h>
#include "base/csv.h"
#include "base/file_set.h"
#include "curate/clip_work.h"

enum { CLIPS, VIDEOS, REJECTS, MANIFEST, N_TABLES };
static const char *const name[N_TABLES] = {"clips.csv", "videos.csv", "rejects.csv", "manifest.csv"},
                         *const header[N_TABLES] = {
                             [CLIPS] = "id,video,start_ms,end_ms,flags,findings,bytes,sha256\n",
                             [VIDEOS] = "id,path,duration_s,cuts,clips,rejected\n",
                             [REJECTS] = "id,media,start_ms,end_ms,stage,rule,reason\n",
                             [MANIFEST] = "id,media,label,split,start,duration,source\n",
};

const BalOutput bal_clips_output = {.mark = {{"journal.jsonl", "avbalance/clip/"}},
                                    .holds =
                                        "journal.jsonl clips videos clips.csv videos.csv rejects.csv manifest.csv"};

typedef struct Tables {
    BalClipWork *w;
    BalText table[N_TABLES];
    BalNameSet kept; /* files */
} Tables;

static void field(BalText *t, const char *s) {
    bal_csv_quote(t, s);
    bal_text_char(t, ',');
}

/* The video itself, whoever asks for stretches of it: not the source, which may be a speaker with many videos. */
static const char *video_id(const BalClipWork *w, const BalClipWish *wish) {
    const BalCutVideo *v = &w->video[wish->video];
    return *wish->youtube ? wish->youtube : v->id ? v->id : w->list.wish[w->order[v->first_wish]].id;
}

/* ---- rows ---- */

static void add_reject(Tables *t, const char *id, const BalClipWish *wish, const BalSpan *at, const BalNo *no) {
    BalText *r = &t->table[REJECTS];
    field(r, id);
    field(r, *wish->path ? wish->path : wish->youtube);
    if (at->end_ms)
        bal_text_f(r, "%" PRId64 ",%" PRId64 ",", at->start_ms, at->end_ms);
    else
        bal_text_add(r, ",,");
    bal_text_f(r, "%s,%s,", no->stage, no->rule);
    bal_csv_quote(r, no->reason);
    bal_text_char(r, '\n');
}

static BalStatus add_clip(Tables *t, const BalClipWish *wish, const BalMade *m, BalError *err) {
    BalText *c = &t->table[CLIPS], *f = &t->table[MANIFEST];
    int64_t number;
    bool added;
    field(c, m->id);
    field(c, video_id(t->w, wish));
    bal_text_f(c, "%" PRId64 ",%" PRId64 ",%s,", m->at.start_ms, m->at.end_ms,
               m->at.flags & BAL_SPAN_MIXED ? "mixed" : "");
    field(c, m->findings ? m->findings : "");
    bal_text_f(c, "%" PRId64 ",%s\n", m->bytes, m->sha256);
    field(f, m->id);
    bal_text_add(f, "clips/");
    field(f, m->file);
    field(f, wish->label);
    bal_text_f(f, "%s,0,", bal_split_name(wish->split));
    bal_text_real(f, (double)(m->at.end_ms - m->at.start_ms) / 1000);
    bal_text_char(f, ',');
    bal_csv_quote(f, *wish->source ? wish->source : video_id(t->w, wish));
    bal_text_char(f, '\n');
    return bal_name_add(&t->kept, &t->w->strings, m->file, strlen(m->file), &number, &added, err);
}

static BalStatus add_wish(Tables *t, int64_t i, BalError *err) {
    const BalClipWish *wish = &t->w->list.wish[i];
    const BalDone *d = &t->w->done[i];
    BalSpan none = {0};
    if (d->no.rule) add_reject(t, *wish->id ? wish->id : video_id(t->w, wish), wish, &wish->span, &d->no);
    for (int k = 0; k < d->n_made; k++) {
        const BalMade *m = &d->made[k];
        if (m->no.rule)
            add_reject(t, m->id, wish, m->at.end_ms ? &m->at : &none, &m->no);
        else
            BAL_TRY(add_clip(t, wish, m, err));
    }
    return BAL_OK;
}

static void add_video(Tables *t, int64_t index) {
    const BalClipWork *w = t->w;
    const BalCutVideo *v = &w->video[index];
    const BalClipWish *first = &w->list.wish[w->order[v->first_wish]];
    BalText *r = &t->table[VIDEOS];
    int64_t clips = 0, rejected = 0;
    for (int64_t k = 0; k < v->n_wishes; k++) {
        const BalDone *d = &w->done[w->order[v->first_wish + k]];
        rejected += d->no.rule != NULL;
        for (int i = 0; i < d->n_made; i++) d->made[i].no.rule ? rejected++ : clips++;
    }
    field(r, video_id(w, first));
    field(r, first->path);
    if (!isnan(v->duration_s)) bal_text_real(r, v->duration_s);
    bal_text_char(r, ',');
    if (v->n_cuts >= 0) bal_text_f(r, "%" PRId64, v->n_cuts);
    bal_text_f(r, ",%" PRId64 ",%" PRId64 "\n", clips, rejected);
}

/* ---- files ---- */

/* Clips that the journal says were made for an earlier list. */
static BalStatus remove_others(Tables *t, BalError *err) {
    const BalClipJournal *j = &t->w->journal;
    BalText path = {0};
    BalStatus rc = BAL_OK;
    for (int64_t i = 0; i < j->names.n && rc == BAL_OK; i++) {
        const char *file = j->record[i].file;
        if (!file || bal_name_find(&t->kept, file, strlen(file)) >= 0) continue;
        bal_text_clear(&path);
        bal_path_join(&path, t->w->dir, "clips/");
        bal_text_add(&path, file);
        rc = bal_text_ok(&path, err);
        if (rc == BAL_OK) unlink(path.data);
    }
    bal_text_reset(&path);
    return rc;
}

BalStatus bal_clip_tables(BalClipWork *w, BalError *err) {
    Tables t = {.w = w};
    BalStatus rc = BAL_OK;
    BalFileSet files = {.dir = w->dir};
    for (int i = 0; i < N_TABLES; i++) bal_text_add(&t.table[i], header[i]);
    for (int64_t i = 0; i < w->list.n && rc == BAL_OK; i++) rc = add_wish(&t, i, err);
    for (int64_t i = 0; i < w->list.n_videos; i++) add_video(&t, i);
    if (rc == BAL_OK) rc = remove_others(&t, err);
    for (int i = 0; i < N_TABLES && rc == BAL_OK; i++) rc = bal_file_set_add(&files, name[i], &t.table[i], err);
    rc = bal_file_set_end(&files, rc, err);
    for (int i = 0; i < N_TABLES; i++) bal_text_reset(&t.table[i]);
    bal_name_set_reset(&t.kept);
    return rc;
}
