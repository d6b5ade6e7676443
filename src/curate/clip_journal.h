/* The journal of `clip`: one JSON line per video looked at and per clip made or refused, appended at once.
 *
 *   {"journal":"avbalance/clip/1","settings":SHA-256}
 *   {"video":PATH,"of":[BYTES,MTIME],"id":..,"duration_ms":..,"cuts":..,"spans":[[START_MS,END_MS,FLAGS],..]}
 *   {"clip":ID,"of":[BYTES,MTIME],"at":[START_MS,END_MS,FLAGS],"findings":..,"file":..,"bytes":..,"sha256":..}
 *   either with "stage", "rule" and "reason" where there is nothing to go on with
 *
 * Of several lines of one video or clip the last counts. */
#ifndef BAL_CURATE_CLIP_JOURNAL_H
#define BAL_CURATE_CLIP_JOURNAL_H

#include <avbalance/cut.h>
#include "curate/jsonl.h"
#include "dataset/manifest.h"

#define BAL_CLIP_JOURNAL "avbalance/clip/1"

typedef struct BalClipRefusal { /* rule NULL: none */
    const char *stage, *rule, *reason;
} BalClipRefusal;

typedef struct BalClipRecord {  /* texts are borrowed: for a record that was read, from the journal */
    const char *video, *clip;   /* one of them: path of the video, id of the clip */
    int64_t of_bytes, of_mtime; /* of the video's file; 0: it was fetched and is gone */
    const char *id;             /* of the video */
    int64_t duration_ms, n_cuts;
    BalSpan *span; /* [n_spans] */
    int n_spans;
    bool planned; /* spans are there, if only none */
    BalSpan at;   /* of the clip */
    const char *findings, *file, *sha256;
    int64_t bytes;
    BalClipRefusal no;
} BalClipRecord;

typedef struct BalClipJournal { /* zero but file = BAL_APPEND_CLOSED; close frees */
    BalAppend file;
    BalNameSet names;      /* "v" + path, "c" + id */
    BalClipRecord *record; /* [names.n] */
    size_t cap;
    BalManifestStrings *strings;
} BalClipJournal;

/* Open or begin DIR/journal.jsonl, which also locks DIR. BAL_E_MISMATCH: begun with other settings (a SHA-256). */
BAL_MUST_USE BalStatus bal_clip_journal_open(BalClipJournal *j, const char *path, const char *settings, BalError *err);
/* What it says of a video or clip, or NULL. Safe while no other thread opens or closes. */
const BalClipRecord *bal_clip_journal_video(const BalClipJournal *j, const char *path);
const BalClipRecord *bal_clip_journal_clip(const BalClipJournal *j, const char *id);
/* Append; what was read before stays as it is. One thread at a time. */
BAL_MUST_USE BalStatus bal_clip_journal_add(BalClipJournal *j, const BalClipRecord *r, BalError *err);
void bal_clip_journal_close(BalClipJournal *j);

/* One line into the memory: what open does with each, and the fuzzer. */
BalJsonLineFn bal_clip_journal_line;

#endif
