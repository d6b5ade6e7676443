/* Media files: what is in them (probe) and what one clip looks and sounds like (decode).
 *
 * FFmpeg does the work and stays inside src/media. Nothing here trusts a header: durations, sizes and counts are claims until
 * packets confirm them, every allocation is bounded by the limits, and every call returns within limits.seconds. */
#ifndef AVBALANCE_MEDIA_H
#define AVBALANCE_MEDIA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <avbalance/error.h>

typedef struct BalMediaLimits {
    int64_t pixels; /* per frame; larger is refused before anything is allocated  (default 64 Mi) */
    double seconds; /* wall time per call                                         (default 60)    */
    double media_s; /* longest stretch of sound or picture decoded in one call    (default 3600)  */
} BalMediaLimits;
BAL_API BalMediaLimits bal_media_limits_default(void);

/* Findings: one bit each, with a name ("no-audio") usable as a filter. Values that were measured stand in BalProbe. */
typedef enum BalFinding {
    BAL_FIND_NO_AUDIO,
    BAL_FIND_NO_VIDEO,
    BAL_FIND_AUDIO_BROKEN,
    BAL_FIND_VIDEO_BROKEN, /* no stream / stream that does not decode */
    BAL_FIND_DECODE_ERRORS,
    BAL_FIND_TRUNCATED,
    BAL_FIND_SHORT,
    BAL_FIND_SILENT,
    BAL_FIND_CLIPPED,
    BAL_FIND_DC,
    BAL_FIND_ANTIPHASE,
    BAL_FIND_ONE_SIDED,
    BAL_FIND_BLACK,
    BAL_FIND_FROZEN,
    BAL_FIND_FLAT,
    BAL_FIND_LATE_AUDIO,
    BAL_FIND_LATE_VIDEO,
    BAL_FIND_VARIABLE_RATE,
    BAL_FIND_ROTATED,
    BAL_FIND_TINY,
    BAL_FIND_SEVERAL_AUDIO,
    BAL_FIND_SEVERAL_VIDEO,
    BAL_FIND_DURATION_LIES,
    BAL_FIND_ENCRYPTED,
    BAL_FIND_SHORT_AUDIO,
    BAL_FIND_SHORT_VIDEO,
    BAL_FIND_LETTERBOX,
    BAL_FIND_CUTS,
    BAL_FIND_CHOPPY,
    BAL_FIND_COUNT
} BalFinding;
BAL_API const char *bal_finding_name(BalFinding f);    /* "no-audio"; NULL outside the enum */
BAL_API const char *bal_finding_meaning(BalFinding f); /* with the rule and its threshold, one line */
/* Findings that make a clip useless for learning from sound and picture: a bit each. */
BAL_API uint64_t bal_findings_unfit(void);

typedef struct BalProbe {
    char format[32];
    int64_t bytes;
    double duration_s;        /* from decoded packets, not from the header               */
    double header_duration_s; /* what the container claims; NaN where it claims nothing  */
    int n_streams;
    struct {
        int index; /* -1: none that decodes */
        char codec[32];
        char reason[160]; /* why there is none, or "" */
        double start_s, end_s;
        int rate_hz, channels;
        double peak, rms, dc, clipped_share, silent_share,
            correlation, /* of the decoded sound; correlation of left and right */
            mixed_share; /* power of the mean of the channels, of what they have on average: 0 where they cancel */
    } audio;
    struct {
        int index;
        char codec[32], pixel_format[32], reason[160];
        double start_s, end_s, mean_fps;
        int64_t frames;
        int width, height, rotation_deg;
        double mean_luma, black_share, frozen_share, flat_share;
        int64_t cuts;                                /* new shots, looked for five times a second; -1: not measured */
        double letterbox_share;                      /* of the picture that is black bars all the time */
        int crop_x, crop_y, crop_width, crop_height; /* what is left without them, in stored pixels */
    } video;
    int64_t decode_errors;
    uint64_t findings; /* bit per BalFinding */
} BalProbe;
/* Decode the whole file once and measure it. BAL_E_MEDIA with a reason where nothing in it can be used; BAL_E_IO where it
 * cannot be opened. A file with findings is a success.
 *
 * Here and in bal_clip_decode: the format is told from the content, never from the name. Attached pictures are not video. Of
 * several streams of a kind those marked default come first, then file order; the first that decodes is taken. Times are on the
 * clip's clock (see BalClipSpec). What was not measured is NaN. */
BAL_API BAL_MUST_USE BalStatus bal_probe(const char *path, const BalMediaLimits *limits, BalProbe *out, BalError *err);

/* The number that decides on a finding, whether or not it was found; NaN where none does, or it was not measured. */
BAL_API double bal_finding_value(const BalProbe *p, BalFinding f);

/* How several channels become one. AUTO: mean of the channels, except that (a) silent channels (60 dB below the loudest) are left
 * out and (b) where the mean keeps less than 2 % of the channels' mean power (antiphase), the loudest channel alone is taken. The
 * choice is made once per clip from the clip's own samples. */
typedef enum BalChannelRule { BAL_CHANNELS_AUTO, BAL_CHANNELS_MEAN, BAL_CHANNELS_FIRST } BalChannelRule;

typedef struct BalClipSpec {
    double start_s,
        duration_s; /* on the clip's clock: 0 = the earliest presentation time of either stream; duration <= 0: to the end */
    bool want_audio, want_video;
    int rate_hz; /* 0: the stream's own */
    BalChannelRule channels;
    double fps;   /* > 0: frames at start + k/fps, k = 0 .. round(length * fps) - 1 (at least one): the first frame of
                     every second at 1 fps, as the field extracts them and as ffmpeg's fps filter starts */
    int n_frames; /* else, > 0: this many, at start + (k + 0.5) * length / n */
    bool exact;   /* frames bit-equal to a full decode (default true); false: the nearest keyframe will do */
} BalClipSpec;
BAL_API BalClipSpec bal_clip_spec_default(void); /* whole clip, both streams, stream's rate, AUTO, 1 fps, exact */

typedef struct BalClipMedia { /* zero is valid; bal_clip_media_reset frees; a reused one keeps its memory */
    float *pcm; /* [n_samples] mono, in [-1,1] as decoded (not clipped); zeros where the stream has no sound */
    int64_t n_samples, pcm_cap;
    float *channels; /* memory of the sound before it is mixed; nothing for callers */
    size_t channels_cap;
    int rate_hz;
    bool has_audio, has_video;
    uint8_t *frames; /* [n_frames, height, width, 3] RGB, upright (rotation applied), full range */
    size_t frames_cap;
    int n_frames, height, width;
    double *frame_s; /* [n_frames] presentation time of the frame taken, clip clock */
    int frame_s_cap;
    double length_s; /* of the clip: duration_s, or what the file holds from start_s on */
    int64_t decode_errors;
    int64_t pictures_decoded; /* coded pictures it took to get the frames: the less, the faster */
} BalClipMedia;
/* One pass over the file, both streams. The frame at time t is the one on screen at t (the last with pts <= t; the first where
 * none is). Pixels are those stored (no aspect correction); colour without a tag is taken as ITU-R 601, limited range, as ffmpeg
 * does. A picture that changes size on the way is scaled to the first. Same bytes on every call on the same machine.
 * BAL_E_MEDIA: a wanted stream is missing or gives nothing, the clip starts behind the file's end, or a limit is exceeded; the
 * message says which. `out` is the caller's and keeps its memory also on failure, its content then is undefined. */
BAL_API BAL_MUST_USE BalStatus bal_clip_decode(const char *path, const BalClipSpec *spec, const BalMediaLimits *limits,
                                               BalClipMedia *out, BalError *err);
BAL_API void bal_clip_media_reset(BalClipMedia *m);

/* Pictures by their number, each handed over as soon as it is decoded, so that none need be held. */
typedef struct BalPictureTaker {
    /* Which of n pictures at fps: *index [*n_index] is the taker's, ascending (a number may stand there several times), each in [0,n).
     * Asked again from the beginning where a stream had to be given up. */
    BalStatus (*choose)(void *user, double fps, int64_t n, const int64_t **index, int *n_index, BalError *err);
    /* rgb [height,width,3], as in BalClipMedia, borrowed for the call, is what index[first .. first + n - 1] stand for; in that
     * order, but all may come again from the first on. */
    BalStatus (*take)(void *user, int first, int n, const uint8_t *rgb, int height, int width, BalError *err);
    void *user;
} BalPictureTaker;
/* Of spec, start_s and duration_s count. The picture's rate is that which the stream states (its mean where the rate varies), else the
 * usual distance of its pictures; number i is what is on screen i / fps after the picture begins within the clip. Errors as bal_clip_decode, and the taker's. */
BAL_API BAL_MUST_USE BalStatus bal_clip_pictures(const char *path, const BalClipSpec *spec,
                                                 const BalMediaLimits *limits, const BalPictureTaker *taker,
                                                 BalError *err);

/* Write a small MP4 (H.264 where the build has an encoder, else MPEG-4; AAC): for the demo and the tests. A width of 0 leaves
 * the picture out, a rate_hz of 0 the sound. */
typedef struct BalMediaWriter BalMediaWriter;
typedef struct BalMediaWriterSpec {
    int width, height, fps, rate_hz;
} BalMediaWriterSpec;
BAL_API BAL_MUST_USE BalStatus bal_media_writer_open(BalMediaWriter **out, const char *path,
                                                     const BalMediaWriterSpec *spec, BalError *err);
BAL_API BAL_MUST_USE BalStatus bal_media_writer_frame(BalMediaWriter *w, const uint8_t *rgb,
                                                      BalError *err); /* [height,width,3] */
BAL_API BAL_MUST_USE BalStatus bal_media_writer_sound(BalMediaWriter *w, const float *pcm, int64_t n,
                                                      BalError *err); /* [n], mono */
BAL_API BAL_MUST_USE BalStatus bal_media_writer_close(BalMediaWriter **w,
                                                      BalError *err); /* atomic: the file appears here */
BAL_API void bal_media_writer_abort(BalMediaWriter **w);

/* "5.1.6 (libavformat 59.27.100)": what does the decoding. Static storage. */
BAL_API const char *bal_media_version(void);

#endif
