/* Cutting: where a long video is to be cut into clips, and one clip of it as a file of its own.
 *
 * Times are on the video's clock, which begins at the earliest presentation time of its sound and picture (as in media.h), in whole
 * milliseconds, so that a list of spans is the same on every machine. */
#ifndef AVBALANCE_CUT_H
#define AVBALANCE_CUT_H

#include <avbalance/media.h>

/* ---- where ---- */
typedef struct BalCutRule {
    bool grid;          /* one clip behind the other, without looking at the pictures (default false)             */
    double clip_s;      /* length of a clip                                                      (default 10)     */
    double threshold;   /* score from which a picture begins a new shot, of scdet's 0..100       (default 10)     */
    double edge_s;      /* left out at begin and end, of videos ...                              (default 5)      */
    double edge_from_s; /* ... longer than this: titles and credits                            (default 60)     */
    int most;           /* clips per video, spread evenly; 0: all                                (default 12)     */
} BalCutRule;
BAL_API BalCutRule bal_cut_rule_default(bool grid); /* grid: neither edges nor a limit */

enum { BAL_SPAN_MIXED = 1 }; /* no shot is long enough: the span holds cuts */
typedef struct BalSpan {
    int64_t start_ms, end_ms;
    unsigned flags;
} BalSpan;

/* Spans for a video whose sound and picture are both there from from_s to to_s, with new shots at cut_s[n_cuts], ascending: as many
 * clips as fit into each shot, centred in it; where no shot holds one, a grid, flagged MIXED. *out is the caller's, freed with
 * bal_spans_free; *n may be 0. */
BAL_API BAL_MUST_USE BalStatus bal_cut_spans(const BalCutRule *rule, double from_s, double to_s, const double *cut_s,
                                             int64_t n_cuts, BalSpan **out, int *n, BalError *err);
BAL_API void bal_spans_free(BalSpan *span);

typedef struct BalCutPlan {          /* zero is valid; bal_cut_plan_reset frees */
    double duration_s, from_s, to_s; /* of the whole; where sound and picture are both there */
    int64_t frames;                  /* looked at: 0 with a grid, which needs the packets' times only */
    double *cut_s;                   /* [n_cuts] */
    int64_t n_cuts;
    BalSpan *span; /* [n_spans]; none where the video is too short */
    int n_spans;
} BalCutPlan;
/* Read the video once and plan its clips. A picture begins a new shot where scdet of FFmpeg says so: the mean absolute difference of
 * luma to the picture before, in percent, or its change if that is less, reaches the threshold; every picture is looked at, in full
 * size. limits->seconds is for the whole video. BAL_E_MEDIA: no sound, no picture, or neither decodes. */
BAL_API BAL_MUST_USE BalStatus bal_cut_plan(const char *path, const BalCutRule *rule, const BalMediaLimits *limits,
                                            BalCutPlan *out, BalError *err);
BAL_API void bal_cut_plan_reset(BalCutPlan *p);

/* ---- one clip ---- */
typedef struct BalCutSpec {
    int short_side; /* larger pictures are made smaller, never the other way round (default 360) */
    int fps;        /* (default 30)                                                              */
    int rate_hz;    /* of the sound, two channels (default 48000)                                */
    int crf;        /* x264's constant quality, 0 best (default 23)                              */
} BalCutSpec;
BAL_API BalCutSpec bal_cut_spec_default(void);

typedef struct BalCutResult {
    int64_t bytes;
    char sha256[65];
    int64_t decode_errors; /* of the video, on the way */
    BalProbe probe;        /* of the file written */
} BalCutResult;
/* Write the span as an MP4: H.264 (MPEG-4 where the build of FFmpeg has no libx264), 4:2:0, upright, even sizes, picture k the one on
 * screen at start + k / fps; AAC, its samples from start to end exactly. Only what the span needs is decoded. The file is complete or
 * absent, and the same bytes on every call on the same machine. It is read again before this returns: both streams there, each of
 * the span's length within 0.1 s, begins no more than 50 ms apart.
 * BAL_E_MEDIA: sound or picture do not cover the span (the message says by how much), or do not decode. */
BAL_API BAL_MUST_USE BalStatus bal_cut(const char *path, const BalSpan *span, const BalCutSpec *spec,
                                       const BalMediaLimits *limits, const char *out_path, BalCutResult *out,
                                       BalError *err);
/* "libx264 aac": what encodes in this build. Static storage. */
BAL_API const char *bal_cut_encoders(void);

#endif
