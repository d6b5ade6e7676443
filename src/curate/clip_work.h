/* One run of `clip`: what its workers share, and what they leave for the tables. */
#ifndef BAL_CURATE_CLIP_WORK_H
#define BAL_CURATE_CLIP_WORK_H

#include <pthread.h>
#include "base/output.h"
#include "curate/clip_journal.h"
#include "curate/clip_list.h"
#include "curate/download.h"

typedef struct BalNo { /* why there is no clip; rule NULL: there is one */
    const char *stage; /* "list", "download", "plan", "cut", "filter" */
    char *rule, *reason;
} BalNo;

typedef struct BalMade { /* a clip, or the refusal of one */
    char *id;
    BalSpan at; /* in the video */
    char *findings, *file;
    char sha256[65];
    int64_t bytes;
    bool resumed;
    BalNo no;
} BalMade;

typedef struct BalDone { /* what became of a wish */
    BalMade *made;
    int n_made;
    size_t cap;
    BalNo no; /* of the wish as a whole */
} BalDone;

typedef struct BalCutVideo {
    int64_t first_wish, n_wishes; /* places in BalClipWork.order */
    char *id;                     /* where it is planned; NULL: the file is not there */
    int64_t same_as;              /* an earlier video of the same bytes, or -1 */
    double duration_s;            /* NaN: not looked at */
    int64_t n_cuts;               /* -1: not looked at */
} BalCutVideo;

typedef struct BalClipWork {
    const BalClipsSpec *spec;
    const char *dir;
    BalClipList list;
    int64_t *order;     /* [list.n] wishes, those of a video together, else in the list's order */
    BalDone *done;      /* [list.n] of each wish */
    BalCutVideo *video; /* [list.n_videos] */
    BalClipJournal journal;
    pthread_mutex_t lock; /* of appending to it */
    BalDownloader *downloader;
    BalProgressSink progress;
    BalManifestStrings *strings;
    BalClipsResult result;
} BalClipWork;

/* Find out the id of video `index`; then, with those of all, which are the same. */
BAL_MUST_USE BalStatus bal_clip_identify(BalClipWork *w, int64_t index, BalError *err);
BAL_MUST_USE BalStatus bal_clip_compare(BalClipWork *w, BalError *err);
/* Cut everything that is wished of video `index`. What is wrong with the video becomes its refusal. */
BAL_MUST_USE BalStatus bal_clip_video(BalClipWork *w, int64_t index, BalError *err);
/* The tables, once all videos are through; clips of earlier runs that are no longer wished are removed. */
extern const BalOutput bal_clips_output;
BAL_MUST_USE BalStatus bal_clip_tables(BalClipWork *w, BalError *err);

#endif
