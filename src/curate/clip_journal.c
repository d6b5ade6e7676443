/* Lines of the journal of clip_journal.h, written and read. */
#include "curate/clip_journal.h"
#include <string.h>
#include "base/mem.h"

enum { MAX_SPANS = 1 << 20 };

/* ---- writing ---- */

static void write_span(BalJsonOut *o, const char *key, const BalSpan *s) {
    bal_json_open(o, key, '[');
    bal_json_add_int(o, NULL, s->start_ms);
    bal_json_add_int(o, NULL, s->end_ms);
    bal_json_add_int(o, NULL, s->flags);
    bal_json_close(o, ']');
}

static void write_video(BalJsonOut *o, const BalClipRecord *r) {
    if (r->id) bal_json_add_text(o, "id", r->id);
    if (!r->planned) return;
    bal_json_add_int(o, "duration_ms", r->duration_ms);
    bal_json_add_int(o, "cuts", r->n_cuts);
    bal_json_open(o, "spans", '[');
    for (int i = 0; i < r->n_spans; i++) write_span(o, NULL, &r->span[i]);
    bal_json_close(o, ']');
}

static void write_clip(BalJsonOut *o, const BalClipRecord *r) {
    write_span(o, "at", &r->at);
    if (r->findings) bal_json_add_text(o, "findings", r->findings);
    if (!r->file) return;
    bal_json_add_text(o, "file", r->file);
    bal_json_add_int(o, "bytes", r->bytes);
    bal_json_add_text(o, "sha256", r->sha256);
}

BalStatus bal_clip_journal_add(BalClipJournal *j, const BalClipRecord *r, BalError *err) {
    BalText line = {0};
    BalJsonOut o = bal_json_out(&line, false);
    bal_json_open(&o, NULL, '{');
    bal_json_add_text(&o, r->video ? "video" : "clip", r->video ? r->video : r->clip);
    bal_json_open(&o, "of", '[');
    bal_json_add_int(&o, NULL, r->of_bytes);
    bal_json_add_int(&o, NULL, r->of_mtime);
    bal_json_close(&o, ']');
    if (r->video)
        write_video(&o, r);
    else
        write_clip(&o, r);
    if (r->no.rule) {
        bal_json_add_text(&o, "stage", r->no.stage);
        bal_json_add_text(&o, "rule", r->no.rule);
        bal_json_add_text(&o, "reason", r->no.reason);
    }
    bal_json_close(&o, '}');
    return bal_jsonl_add(&j->file, &line, err);
}

/* ---- reading ---- */

static bool read_span(const BalJson *v, BalSpan *out) {
    *out = (BalSpan){bal_json_int(bal_json_at(v, 0), -1), bal_json_int(bal_json_at(v, 1), -1),
                     (unsigned)bal_json_int(bal_json_at(v, 2), 0)};
    return bal_json_size(v) == 3 && out->start_ms >= 0 && out->end_ms > out->start_ms;
}

/* Member `key` as a text of the journal's; NULL where it is none. */
static BalStatus text_of(BalClipJournal *j, const BalJson *o, const char *key, const char **out, BalError *err) {
    const char *text = bal_json_text(bal_json_get(o, key), NULL);
    *out = NULL;
    return text ? bal_string_keep(&j->strings, text, strlen(text), out, err) : BAL_OK;
}

/* BAL_END: not as it should be. */
static BalStatus read_spans(const BalJson *o, BalClipRecord *r, BalError *err) {
    const BalJson *spans = bal_json_get(o, "spans");
    size_t n = bal_json_size(spans);
    if (!spans) return BAL_OK;
    if (n > MAX_SPANS || bal_json_type(spans) != BAL_JSON_ARRAY) return BAL_END;
    BAL_TRY(bal_alloc(&r->span, n, sizeof *r->span, err));
    r->planned = true;
    r->duration_ms = bal_json_int(bal_json_get(o, "duration_ms"), 0);
    r->n_cuts = bal_json_int(bal_json_get(o, "cuts"), 0);
    for (; r->n_spans < (int)n; r->n_spans++)
        if (!read_span(bal_json_at(spans, (size_t)r->n_spans), &r->span[r->n_spans])) return BAL_END;
    return BAL_OK;
}

static BalStatus read_record(BalClipJournal *j, const BalJson *o, BalClipRecord *r, BalError *err) {
    const BalJson *of = bal_json_get(o, "of");
    BAL_TRY(text_of(j, o, "video", &r->video, err));
    BAL_TRY(text_of(j, o, "clip", &r->clip, err));
    if (!r->video == !r->clip || bal_json_size(of) != 2) return BAL_END;
    r->of_bytes = bal_json_int(bal_json_at(of, 0), -1), r->of_mtime = bal_json_int(bal_json_at(of, 1), -1);
    BAL_TRY(text_of(j, o, "id", &r->id, err));
    BAL_TRY(text_of(j, o, "findings", &r->findings, err));
    BAL_TRY(text_of(j, o, "file", &r->file, err));
    BAL_TRY(text_of(j, o, "sha256", &r->sha256, err));
    BAL_TRY(text_of(j, o, "stage", &r->no.stage, err));
    BAL_TRY(text_of(j, o, "rule", &r->no.rule, err));
    BAL_TRY(text_of(j, o, "reason", &r->no.reason, err));
    r->bytes = bal_json_int(bal_json_get(o, "bytes"), -1);
    if (r->no.rule && (!r->no.stage || !r->no.reason)) return BAL_END;
    if (r->clip && !read_span(bal_json_get(o, "at"), &r->at)) return BAL_END;
    if (r->clip && !r->no.rule && (!r->file || strchr(r->file, '/') || !r->sha256 || r->bytes < 0)) return BAL_END;
    return read_spans(o, r, err);
}

static BalStatus remember(BalClipJournal *j, const BalClipRecord *r, BalError *err) {
    BalText name = {0};
    int64_t number = 0;
    bool added = true;
    bal_text_char(&name, r->video ? 'v' : 'c');
    bal_text_add(&name, r->video ? r->video : r->clip);
    BalStatus rc = bal_text_ok(&name, err);
    if (rc == BAL_OK) rc = bal_grow(&j->record, &j->cap, (size_t)j->names.n + 1, sizeof *j->record, err);
    if (rc == BAL_OK) rc = bal_name_add(&j->names, &j->strings, name.data, name.len, &number, &added, err);
    bal_text_reset(&name);
    if (rc < 0) return rc;
    if (!added) bal_free(j->record[number].span);
    j->record[number] = *r;
    return BAL_OK;
}

BalStatus bal_clip_journal_line(void *user, const BalJson *line, BalError *err) {
    BalClipJournal *j = user;
    BalClipRecord r = {0};
    BalStatus rc = read_record(j, line, &r, err);
    if (rc == BAL_OK) rc = remember(j, &r, err);
    if (rc != BAL_OK) bal_free(r.span);
    return rc;
}

/* ---- the file ---- */

BalStatus bal_clip_journal_open(BalClipJournal *j, const char *path, const char *settings, BalError *err) {
    return bal_jsonl_open(&j->file, path, BAL_CLIP_JOURNAL, settings, bal_clip_journal_line, j, err);
}

static const BalClipRecord *find(const BalClipJournal *j, char kind, const char *name) {
    char text[4200] = {kind};
    size_t n = strlen(name);
    if (n + 1 >= sizeof text) return NULL;
    memcpy(text + 1, name, n);
    int64_t i = bal_name_find(&j->names, text, n + 1);
    return i < 0 ? NULL : &j->record[i];
}

const BalClipRecord *bal_clip_journal_video(const BalClipJournal *j, const char *path) {
    return find(j, 'v', path);
}

const BalClipRecord *bal_clip_journal_clip(const BalClipJournal *j, const char *id) {
    return find(j, 'c', id);
}

void bal_clip_journal_close(BalClipJournal *j) {
    bal_append_close(&j->file);
    for (int64_t i = 0; i < j->names.n; i++) bal_free(j->record[i].span);
    bal_free(j->record);
    bal_name_set_reset(&j->names);
    bal_strings_free(&j->strings);
    *j = (BalClipJournal){.file = BAL_APPEND_CLOSED};
}
