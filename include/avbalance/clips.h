/* From videos to clips: a folder of short files with a manifest, out of whatever videos there are. */
#ifndef AVBALANCE_CLIPS_H
#define AVBALANCE_CLIPS_H

#include <avbalance/cut.h>
#include <avbalance/dataset.h>
#include <avbalance/progress.h>

/* Videos that are not there may be fetched by a program of the user's. The library itself never opens the network. */
typedef struct BalDownloadSpec {
    const char
        *command;  /* NULL: none. Words as a shell would part them ('...' and "..." group), run without a shell; in them
                            {id} is the video's YouTube id, {start} and {end} are seconds, {out} is the file to make. With {start}
                            or {end} each clip is fetched by itself, and what comes is taken to begin at its start. A word that
                            begins with {id} stands behind "--", so that no id is taken for an option. */
    int retries;   /* of a failure that may pass (default 3) */
    double wait_s; /* before the first of them; four times as long before each next (default 60) */
    double limit_s; /* for one call of the command (default 600) */
    bool keep;      /* what was fetched, in DIR/videos (default: removed once its clips are made) */
} BalDownloadSpec;

typedef struct BalClipsSpec {
    BalCutRule rule; /* for videos whose list names no times */
    BalCutSpec cut;
    uint64_t reject,
        require; /* findings that a clip must not have, must have: a bit per BalFinding (default: bal_findings_unfit) */
    double limit_s; /* wall time for the plan of one video, and for one clip (default 600) */
    int workers;
    bool stop_on_error;    /* the first rejected clip or video ends the job: BAL_E_MEDIA (default: record, go on) */
    BalManifestSpec lists; /* how lists are read */
    BalDownloadSpec download;
    BalRoom room;                /* once the inputs were read */
    bool (*stopped)(void *user); /* asked from any thread, also while waiting for a download; may be NULL */
    void *user;
} BalClipsSpec;
BAL_API BalClipsSpec bal_clips_spec_default(void);

typedef struct BalClipsResult {
    int64_t videos, unused;  /* unused: gave no clip */
    int64_t clips, rejected; /* clips made; videos and clips with a row in rejects.csv */
    int64_t resumed;         /* of the clips: made by an earlier call */
} BalClipsResult;

/* Cut the videos of `input` (n files, folders and lists) into clips below dir. A file with the extension of a list (csv, tsv, txt,
 * json) is a manifest in any dialect; rows that name times, in columns or in a YouTube clip id, are cut there, all others where
 * `rule` says. A folder holds videos, or one folder of them per label. Written are
 *
 *   clips/NAME.mp4   the clips, as bal_cut makes them
 *   manifest.csv     id,media,label,split,start,duration,source: what bal_ingest reads
 *   clips.csv        id,video,start_ms,end_ms,flags,findings,bytes,sha256: where each comes from and what was measured
 *   videos.csv       id,path,duration_s,cuts,clips,rejected: each video of the input
 *   rejects.csv      id,media,start_ms,end_ms,stage,rule,reason: what there is no clip of, and why
 *   journal.jsonl    what is done: a call that was killed is continued by the next
 *
 * Ids: VIDEO_SECOND (VIDEO_SECOND.MS of a second clip in one second), VIDEO being the YouTube id that the file is
 * called by; of other files local:sha256:HEX#INDEX, by the first 16 digits of their hash; of list rows their own. The
 * same files for any number of workers, and after any number of kills. BAL_E_MEDIA: not one clip could be made.
 * BAL_E_MISMATCH: dir was begun with other settings or another FFmpeg. BAL_E_EXISTS: dir holds something else, or
 * another process works there. BAL_E_IO: disk full, or 20 downloads failed in a row; what is made is kept.
 * BAL_E_CANCELLED: through `progress` or `stopped`. */
BAL_API BAL_MUST_USE BalStatus bal_clips_make(const char *const *input, int n, const BalClipsSpec *spec,
                                              const char *dir, BalProgressSink progress, BalClipsResult *out,
                                              BalError *err);

#endif
