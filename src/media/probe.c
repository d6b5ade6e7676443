/* What is in a file, from one full decode: no number here is a header's claim, but for the one so named. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <libavutil/pixdesc.h>
#include "base/clock.h"
#include "base/file.h"
#include "media/extent.h"
#include "media/ff.h"
#include "media/measure.h"

#define MAX_STREAMS 8
#define SHORT_S     1.0
#define LATE_S      0.1
#define ENDS_S      0.5
#define TINY_PIXELS 32
#define LIE_S       0.5
#define LIE_SHARE   0.05

static const struct {
    const char *name, *meaning;
} findings[BAL_FIND_COUNT] = {
    [BAL_FIND_NO_AUDIO] = {"no-audio", "no sound stream"},
    [BAL_FIND_NO_VIDEO] = {"no-video", "no picture stream (attached pictures do not count)"},
    [BAL_FIND_AUDIO_BROKEN] = {"audio-broken", "a sound stream, but not one sample of it decodes"},
    [BAL_FIND_VIDEO_BROKEN] = {"video-broken", "a picture stream, but not one frame of it decodes"},
    [BAL_FIND_DECODE_ERRORS] = {"decode-errors", "the decoders reported errors on the way"},
    [BAL_FIND_TRUNCATED] = {"truncated", "the file ends before its own structure"},
    [BAL_FIND_SHORT] = {"short", "shorter than 1 s"},
    [BAL_FIND_SILENT] = {"silent",
                         "80 % of 0.1 s windows below -50 dBFS, or peak below -40 dBFS, or all samples equal"},
    [BAL_FIND_CLIPPED] = {"clipped", "more than 5 % of samples at full scale"},
    [BAL_FIND_DC] = {"dc", "mean of the samples beyond 0.1 of full scale"},
    [BAL_FIND_ANTIPHASE] = {"antiphase", "the channels cancel: their mean keeps less than 2 % of their power"},
    [BAL_FIND_ONE_SIDED] = {"one-sided", "stereo with one channel 60 dB below the other"},
    [BAL_FIND_BLACK] = {"black", "half of the time 98 % of pixels are below 10 % luma"},
    [BAL_FIND_FROZEN] = {"frozen",
                         "the picture stands still half of the time, or shows at most 3 pictures in 2 s or more"},
    [BAL_FIND_FLAT] = {"flat", "half of the time the luma's standard deviation is below 4 of 255"},
    [BAL_FIND_LATE_AUDIO] = {"late-audio", "sound begins more than 0.1 s after the picture"},
    [BAL_FIND_LATE_VIDEO] = {"late-video", "picture begins more than 0.1 s after the sound"},
    [BAL_FIND_VARIABLE_RATE] = {"variable-rate", "5 % of the gaps between frames are a fifth off the usual gap"},
    [BAL_FIND_ROTATED] = {"rotated", "the container asks for the picture to be turned or mirrored"},
    [BAL_FIND_TINY] = {"tiny", "width or height below 32 pixels"},
    [BAL_FIND_SEVERAL_AUDIO] = {"several-audio", "more than one sound stream"},
    [BAL_FIND_SEVERAL_VIDEO] = {"several-video", "more than one picture stream"},
    [BAL_FIND_DURATION_LIES] = {"duration-lies", "the header's duration is off by more than 0.5 s and 5 %"},
    [BAL_FIND_ENCRYPTED] = {"encrypted", "a stream is encrypted"},
    [BAL_FIND_SHORT_AUDIO] = {"short-audio", "sound ends more than 0.5 s before the picture"},
    [BAL_FIND_SHORT_VIDEO] = {"short-video", "picture ends more than 0.5 s before the sound"},
    [BAL_FIND_LETTERBOX] = {"letterbox", "black bars all the time on more than 15 % of the picture"},
    [BAL_FIND_CUTS] = {"cuts", "more than 3 cuts in 10 s, by scdet's measure five times a second"},
    [BAL_FIND_CHOPPY] = {"choppy", "more than 8 cuts in 10 s"},
};

const char *bal_finding_name(BalFinding f) {
    return (unsigned)f < BAL_FIND_COUNT ? findings[f].name : NULL;
}

const char *bal_finding_meaning(BalFinding f) {
    return (unsigned)f < BAL_FIND_COUNT ? findings[f].meaning : NULL;
}

#define BIT(f) (UINT64_C(1) << BAL_FIND_##f)

uint64_t bal_findings_unfit(void) {
    return BIT(NO_AUDIO) | BIT(NO_VIDEO) | BIT(AUDIO_BROKEN) | BIT(VIDEO_BROKEN) | BIT(SILENT) | BIT(CLIPPED) |
           BIT(DC) | BIT(BLACK) | BIT(FROZEN) | BIT(FLAT) | BIT(CHOPPY);
}

double bal_finding_value(const BalProbe *p, BalFinding f) {
    switch (f) {
    case BAL_FIND_DECODE_ERRORS:
        return (double)p->decode_errors;
    case BAL_FIND_SHORT:
        return p->duration_s;
    case BAL_FIND_SILENT:
        return p->audio.silent_share;
    case BAL_FIND_CLIPPED:
        return p->audio.clipped_share;
    case BAL_FIND_DC:
        return p->audio.dc;
    case BAL_FIND_ANTIPHASE:
        return p->audio.mixed_share;
    case BAL_FIND_BLACK:
        return p->video.black_share;
    case BAL_FIND_FROZEN:
        return p->video.frozen_share;
    case BAL_FIND_FLAT:
        return p->video.flat_share;
    case BAL_FIND_LATE_AUDIO:
        return p->audio.start_s;
    case BAL_FIND_LATE_VIDEO:
        return p->video.start_s;
    case BAL_FIND_ROTATED:
        return p->video.rotation_deg;
    case BAL_FIND_DURATION_LIES:
        return p->header_duration_s;
    case BAL_FIND_TINY:
        return p->video.index < 0 ? NAN : fmin(p->video.width, p->video.height);
    case BAL_FIND_SHORT_AUDIO:
        return p->video.end_s - p->audio.end_s;
    case BAL_FIND_SHORT_VIDEO:
        return p->audio.end_s - p->video.end_s;
    case BAL_FIND_LETTERBOX:
        return p->video.letterbox_share;
    case BAL_FIND_CUTS:
    case BAL_FIND_CHOPPY:
        return p->video.cuts < 0 ? NAN : (double)p->video.cuts;
    default:
        return NAN;
    }
}

typedef struct Probe {
    BalSource src;
    BalSoundMeter sound;
    BalPictureMeter picture;
    AVCodecContext *decoder[2]; /* sound, picture */
    int stream[2];              /* -1: none */
    char reason[2][160];
    AVFrame *frame;
    BalProbe *out;
    bool broken;
} Probe;

enum { SOUND, PICTURE };
static const enum AVMediaType media_type[2] = {AVMEDIA_TYPE_AUDIO, AVMEDIA_TYPE_VIDEO};

#define SET(bit) (out->findings |= UINT64_C(1) << (bit))

/* ---- one pass ---- */

static BalStatus take_sound(void *user, AVFrame *f, BalError *err) {
    Probe *p = user;
    AVRational base = p->src.fmt->streams[p->stream[SOUND]]->time_base;
    return bal_sound_meter_add(&p->sound, f, bal_ts_seconds(f->best_effort_timestamp, base), err);
}

static BalStatus take_picture(void *user, AVFrame *f, BalError *err) {
    Probe *p = user;
    const AVStream *st = p->src.fmt->streams[p->stream[PICTURE]];
    double fps = av_q2d(st->avg_frame_rate), gap = fps > 0 ? 1 / fps : 0.04;
#if LIBAVUTIL_VERSION_INT >= AV_VERSION_INT(57, 30, 100)
    int64_t ticks = f->duration;
#else
    int64_t ticks = f->pkt_duration;
#endif
    if (ticks > 0) gap = bal_ts_seconds(ticks, st->time_base);
    if (p->picture.frames == 0) {
        const char *name = av_get_pix_fmt_name(f->format);
        snprintf(p->out->video.pixel_format, sizeof p->out->video.pixel_format, "%s", name ? name : "");
        p->out->video.width = f->width;
        p->out->video.height = f->height;
    }
    return bal_picture_meter_add(&p->picture, f, bal_ts_seconds(f->best_effort_timestamp, st->time_base), gap, err);
}

static BalStatus feed(Probe *p, int kind, const AVPacket *pkt, BalError *err) {
    return bal_decoder_feed(&p->src, p->decoder[kind], pkt, p->frame, kind == SOUND ? take_sound : take_picture, p,
                            err);
}

/* Open the decoder of a kind; what stands in the way becomes the kind's reason (the first one stays). */
static void open_kind(Probe *p, int kind, int stream) {
    BalError why = {0};
    p->stream[kind] = stream;
    if (stream < 0 || bal_decoder_open(&p->decoder[kind], &p->src, stream, &why) == BAL_OK) return;
    p->stream[kind] = -1;
    if (!p->reason[kind][0]) snprintf(p->reason[kind], sizeof p->reason[kind], "%.*s", 159, why.text);
}

/* Decode two streams (-1: none) from begin to end. The file is open and stands at its begin. */
static BalStatus pass(Probe *p, int sound, int picture, BalError *err) {
    open_kind(p, SOUND, sound);
    open_kind(p, PICTURE, picture);
    bal_source_select(&p->src, p->stream[SOUND], p->stream[PICTURE]);
    AVPacket *pkt = av_packet_alloc();
    BalStatus rc = pkt ? BAL_OK : BAL_FAIL(err, BAL_E_NOMEM, "out of memory for a packet");
    while (rc == BAL_OK && (p->decoder[SOUND] || p->decoder[PICTURE])) {
        rc = bal_source_read(&p->src, pkt, &p->broken, err);
        for (int kind = 0; kind < 2 && rc == BAL_OK; kind++)
            if (p->decoder[kind] && pkt->stream_index == p->stream[kind] && pkt->size > 0) rc = feed(p, kind, pkt, err);
    }
    if (rc == BAL_END) rc = BAL_OK;
    for (int kind = 0; kind < 2 && rc == BAL_OK; kind++)
        if (p->decoder[kind]) rc = feed(p, kind, NULL, err);
    av_packet_free(&pkt);
    return rc;
}

static int64_t got(const Probe *p, int kind) {
    return kind == SOUND ? p->sound.frames : p->picture.frames;
}

/* ---- all passes ---- */

static void describe_stream(Probe *p, int kind, int stream) {
    BalProbe *out = p->out;
    const AVStream *st = p->src.fmt->streams[stream];
    char *codec = kind == SOUND ? out->audio.codec : out->video.codec;
    snprintf(codec, sizeof out->audio.codec, "%s", avcodec_get_name(st->codecpar->codec_id));
    if (kind == PICTURE) {
        BalTurn turn = bal_turn_of(bal_stream_matrix(st));
        out->video.rotation_deg = bal_turn_degrees(turn);
        if (turn) SET(BAL_FIND_ROTATED);
    }
}

static void describe_file(Probe *p) {
    BalProbe *out = p->out;
    const AVFormatContext *f = p->src.fmt;
    snprintf(out->format, sizeof out->format, "%s", f->iformat->name);
    out->n_streams = (int)f->nb_streams;
    /* Durations worked out from the last packets or the bit rate are nobody's claim. */
    if (f->duration != AV_NOPTS_VALUE &&
        (!p->src.looked_ahead || f->duration_estimation_method == AVFMT_DURATION_FROM_STREAM))
        out->header_duration_s = (double)f->duration / AV_TIME_BASE;
    for (unsigned i = 0; i < f->nb_streams; i++)
        if (bal_stream_encrypted(f->streams[i])) SET(BAL_FIND_ENCRYPTED);
}

/* Try the candidates of both kinds until each has given something or has no more. Every pass opens the file anew: not all can be
 * rewound. A second pass is rare. */
static BalStatus decode_candidates(Probe *p, const char *path, const BalMediaLimits *limits, BalError *err) {
    double deadline_s = bal_now_s() + limits->seconds;
    int index[2][MAX_STREAMS], n[2] = {1, 1}, nth[2] = {0, 0}, errors = 0;
    for (bool first = true; first || nth[SOUND] < n[SOUND] || nth[PICTURE] < n[PICTURE]; first = false) {
        BAL_TRY(bal_source_open(&p->src, path, limits, deadline_s, err));
        if (first) describe_file(p);
        for (int kind = 0; kind < 2; kind++)
            n[kind] = bal_source_streams(&p->src, media_type[kind], index[kind], MAX_STREAMS);
        int try[2];
        for (int kind = 0; kind < 2; kind++) try[kind] = nth[kind] < n[kind] ? index[kind][nth[kind]] : -1;
        BalStatus rc = pass(p, try[SOUND], try[PICTURE], err);
        for (int kind = 0; kind < 2 && rc == BAL_OK; kind++) {
            if (try[kind] < 0) continue;
            if (nth[kind] == 0 || got(p, kind)) describe_stream(p, kind, try[kind]);
            int *taken = kind == SOUND ? &p->out->audio.index : &p->out->video.index;
            if (got(p, kind))
                *taken = try[kind], nth[kind] = n[kind];
            else
                nth[kind]++;
            if (!got(p, kind) && !p->reason[kind][0])
                snprintf(p->reason[kind], sizeof p->reason[kind], "%s: nothing decodes%s%.100s",
                         bal_kind_name(media_type[kind]), p->src.log.last[0] ? ": " : "", p->src.log.last);
        }
        errors += (int)p->src.log.errors;
        avcodec_free_context(&p->decoder[SOUND]);
        avcodec_free_context(&p->decoder[PICTURE]);
        bal_source_close(&p->src);
        if (rc < 0) return rc;
    }
    BalProbe *out = p->out;
    out->decode_errors = errors;
    if (n[SOUND] == 0)
        SET(BAL_FIND_NO_AUDIO);
    else if (!got(p, SOUND))
        SET(BAL_FIND_AUDIO_BROKEN);
    if (n[PICTURE] == 0)
        SET(BAL_FIND_NO_VIDEO);
    else if (!got(p, PICTURE))
        SET(BAL_FIND_VIDEO_BROKEN);
    if (n[SOUND] > 1) SET(BAL_FIND_SEVERAL_AUDIO);
    if (n[PICTURE] > 1) SET(BAL_FIND_SEVERAL_VIDEO);
    for (int kind = 0; kind < 2; kind++)
        if (n[kind] == 0)
            snprintf(p->reason[kind], sizeof p->reason[kind], "%s: no stream", bal_kind_name(media_type[kind]));
    return BAL_OK;
}

/* ---- verdicts ---- */

static void judge_times(Probe *p) {
    BalProbe *out = p->out;
    bool sound = got(p, SOUND), picture = got(p, PICTURE);
    double a0 = sound ? p->sound.first_s : NAN, a1 = sound ? p->sound.last_s : NAN,
           v0 = picture ? p->picture.first_s : NAN, v1 = picture ? p->picture.last_s + p->picture.last_duration_s : NAN,
           origin = fmin(a0, v0);
    out->audio.start_s = a0 - origin, out->audio.end_s = a1 - origin;
    out->video.start_s = v0 - origin, out->video.end_s = v1 - origin;
    out->duration_s = fmax(a1, v1) - origin;
    if (out->duration_s < SHORT_S) SET(BAL_FIND_SHORT);
    if (picture && out->audio.start_s > LATE_S) SET(BAL_FIND_LATE_AUDIO);
    if (sound && out->video.start_s > LATE_S) SET(BAL_FIND_LATE_VIDEO);
    if (a1 < v1 - ENDS_S) SET(BAL_FIND_SHORT_AUDIO); /* comparisons with NaN are false */
    if (v1 < a1 - ENDS_S) SET(BAL_FIND_SHORT_VIDEO);
    double lie = fabs(out->header_duration_s - out->duration_s);
    if (lie > fmax(LIE_S, LIE_SHARE * out->duration_s)) SET(BAL_FIND_DURATION_LIES);
}

static BalStatus judge(Probe *p, const char *path, BalError *err) {
    BalProbe *out = p->out;
    BalMap map = {0};
    BAL_TRY(bal_map_open(&map, path, err));
    out->bytes = (int64_t)map.size;
    if (p->broken || bal_extent_truncated(map.data, map.size)) SET(BAL_FIND_TRUNCATED);
    bal_map_close(&map);
    if (out->decode_errors) SET(BAL_FIND_DECODE_ERRORS);
    snprintf(out->audio.reason, sizeof out->audio.reason, "%s", got(p, SOUND) ? "" : p->reason[SOUND]);
    snprintf(out->video.reason, sizeof out->video.reason, "%s", got(p, PICTURE) ? "" : p->reason[PICTURE]);
    if (!got(p, SOUND) && !got(p, PICTURE))
        return BAL_FAIL(err, BAL_E_MEDIA, "%s: nothing in it can be used (%s; %s)", path, p->reason[SOUND],
                        p->reason[PICTURE]);
    judge_times(p);
    if (got(p, SOUND)) bal_sound_meter_finish(&p->sound, out);
    if (!got(p, PICTURE)) return BAL_OK;
    if (out->video.width < TINY_PIXELS || out->video.height < TINY_PIXELS) SET(BAL_FIND_TINY);
    return bal_picture_meter_finish(
        &p->picture, fmin(p->picture.first_s, p->sound.frames ? p->sound.first_s : INFINITY) + out->duration_s, out,
        err);
}

static BalProbe unmeasured(void) {
    BalProbe b = {.duration_s = NAN, .header_duration_s = NAN};
    b.audio.index = b.video.index = -1;
    b.audio.start_s = b.audio.end_s = b.audio.peak = b.audio.rms = b.audio.dc = b.audio.clipped_share = NAN;
    b.audio.silent_share = b.audio.correlation = b.audio.mixed_share = NAN;
    b.video.start_s = b.video.end_s = b.video.mean_fps = b.video.mean_luma = NAN;
    b.video.black_share = b.video.frozen_share = b.video.flat_share = b.video.letterbox_share = NAN;
    b.video.cuts = -1;
    return b;
}

BalStatus bal_probe(const char *path, const BalMediaLimits *limits, BalProbe *out, BalError *err) {
    BalMediaLimits within = limits ? *limits : bal_media_limits_default();
    BalProbe result = unmeasured();
    Probe p = {.out = &result, .frame = av_frame_alloc()};
    BalStatus rc = p.frame ? BAL_OK : BAL_FAIL(err, BAL_E_NOMEM, "out of memory for a frame");
    if (rc == BAL_OK) rc = decode_candidates(&p, path, &within, err);
    if (rc == BAL_OK) rc = judge(&p, path, err);
    av_frame_free(&p.frame);
    bal_sound_meter_reset(&p.sound);
    bal_picture_meter_reset(&p.picture);
    if (rc == BAL_OK) *out = result;
    return rc;
}
