/* One clip: its packets, its clock, its sound and pictures.
 *
 * The file is read once. Packets of the clip's stretch are held in memory (a clip is small while it is coded), which gives the index
 * that frames.c plans with, and makes every later "seek" free. Far into a long file the demuxer seeks; where it then stands is not
 * believed but checked, and a seek that did not land before the clip is repeated as a linear read.
 *
 * The clip's clock starts at the earliest presentation time of the chosen sound and picture streams, whether or not both are wanted:
 * so a clip's pictures lie at the same times with and without its sound. */
#include "media/clip.h"
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/mem.h"
#include "media/sound.h"
#include "media/track.h"

#define MAX_BYTES     ((int64_t)512 << 20) /* of packets held for one clip */
#define MAX_STREAMS   8                    /* of a kind, that are tried */
#define HEAD_PICTURES 24                   /* packets after which no earlier picture is expected */
#define MAX_FRAMES    1000000
#define HEAD_S        10.0 /* a stream that has not begun by then does not set the clock */
#define SEEK_FROM_S   8.0  /* nearer clips are reached by reading */
#define PREROLL_S     1.0  /* sound decoders need some packets before they are right */

typedef struct Track {
    BalTrack at;
    bool wanted;
    int behind; /* packets in a row that lie behind the clip's end */
    BalCodedList list;
} Track;

typedef struct Clip {
    const BalClipSpec *spec;
    BalFrameWay way;
    BalSource src;
    Track sound, picture;
    BalPacketReader reader;
    bool index_known, may_seek, sought, broken;
    double origin_s;       /* NaN: not known yet */
    double start_s, end_s; /* of the clip on the streams' clock; end +inf while unknown */
    BalClipMedia *out;
    BalClipTaker *taker; /* NULL: everything into out */
} Clip;

BalClipSpec bal_clip_spec_default(void) {
    return (BalClipSpec){
        .want_audio = true, .want_video = true, .channels = BAL_CHANNELS_AUTO, .fps = 1, .exact = true};
}

void bal_clip_media_reset(BalClipMedia *m) {
    bal_free(m->pcm);
    bal_free(m->channels);
    bal_free(m->frames);
    bal_free(m->frame_s);
    *m = (BalClipMedia){0};
}

/* ---- packets ---- */

static BalStatus track_add(Clip *c, Track *t, const AVPacket *pkt, BalError *err) {
    double from, to;
    bool is_picture = t == &c->picture;
    unsigned kind = is_picture && c->index_known ? bal_packet_read(&c->reader, pkt) : 0;
    bal_track_see(&t->at, &c->src, pkt, kind & BAL_PKT_HIDDEN, &from, &to);
    t->behind = from >= c->end_s ? t->behind + 1 : 0;
    if (!t->wanted) return BAL_OK;
    /* What lies before the clip is dropped as soon as it is known to be of no use. */
    if (is_picture && (c->index_known ? kind & BAL_PKT_RESTART : c->sought && (pkt->flags & AV_PKT_FLAG_KEY)) &&
        from <= c->start_s)
        bal_coded_drop(&t->list, t->list.n);
    if (!is_picture && to < c->start_s - PREROLL_S) return BAL_OK;
    if (c->sound.list.bytes + c->picture.list.bytes > MAX_BYTES)
        return BAL_FAIL(err, BAL_E_MEDIA,
                        "more than %" PRId64 " MiB of coded data in one clip (give start and duration)",
                        MAX_BYTES >> 20);
    return bal_coded_add(&t->list, pkt, kind, err);
}

/* ---- clock ---- */

static bool track_begun(const Track *t, int64_t packets) {
    return t->at.stream < 0 || t->at.packets >= packets;
}

/* Fix the clock once the begin of both streams has been seen, or at the end of the file. */
static void fix_clock(Clip *c, bool at_end) {
    double first = fmin(c->sound.at.first_s, c->picture.at.first_s), now = fmax(c->sound.at.dts_s, c->picture.at.dts_s);
    bool begun = track_begun(&c->sound, 1) && track_begun(&c->picture, HEAD_PICTURES);
    if (!isnan(c->origin_s) || (!at_end && !begun && !(now - first > HEAD_S))) return;
    c->origin_s = isnan(first) ? 0 : first;
    c->start_s = c->origin_s + c->spec->start_s;
    if (c->spec->duration_s > 0) c->end_s = c->start_s + c->spec->duration_s;
    if (!c->may_seek || c->sought || at_end || !(c->start_s - now > SEEK_FROM_S)) return;
    /* Far ahead: jump. What was held is of no use. */
    Track *by = c->picture.at.stream >= 0 ? &c->picture : &c->sound;
    int64_t ts = (int64_t)((c->start_s - PREROLL_S) * by->at.base.den / by->at.base.num);
    if (avformat_seek_file(c->src.fmt, by->at.stream, INT64_MIN, ts, ts, 0) < 0) return;
    c->sought = true;
    bal_coded_drop(&c->sound.list, c->sound.list.n);
    bal_coded_drop(&c->picture.list, c->picture.list.n);
    c->sound.at.dts_s = c->picture.at.dts_s = NAN;
    c->sound.behind = c->picture.behind = 0;
}

/* Nothing of the clip will come any more. Pictures are reordered, by at most 16 places in all codecs; decoding times would tell sooner
 * but are guesses in Matroska. */
static bool track_past(const Track *t, const Track *picture) {
    return t->at.stream < 0 || t->behind > (t == picture ? 16 : 0);
}

static BalStatus collect(Clip *c, BalError *err) {
    AVPacket *pkt = av_packet_alloc();
    BalStatus rc = pkt ? BAL_OK : BAL_FAIL(err, BAL_E_NOMEM, "out of memory for a packet");
    while (rc == BAL_OK && !(track_past(&c->sound, &c->picture) && track_past(&c->picture, &c->picture))) {
        rc = bal_source_read(&c->src, pkt, &c->broken, err);
        if (rc != BAL_OK) break;
        Track *t = pkt->stream_index == c->sound.at.stream     ? &c->sound
                   : pkt->stream_index == c->picture.at.stream ? &c->picture
                                                               : NULL;
        if (t && pkt->size > 0) rc = track_add(c, t, pkt, err);
        if (rc == BAL_OK) fix_clock(c, false);
    }
    av_packet_free(&pkt);
    if (rc < 0) return rc;
    fix_clock(c, true);
    return BAL_OK;
}

/* After a seek the pictures held must begin at a restart that is not behind the clip's begin. */
static bool seek_landed(const Clip *c) {
    const BalCodedList *l = &c->picture.list;
    if (!c->sought || c->picture.at.stream < 0 || !c->picture.wanted) return true;
    if (l->n == 0 || l->at[0].pkt->pts == AV_NOPTS_VALUE) return false;
    bool restart = c->index_known ? l->at[0].kind & BAL_PKT_RESTART : l->at[0].pkt->flags & AV_PKT_FLAG_KEY;
    return restart && bal_ts_seconds(l->at[0].pkt->pts, c->picture.at.base) <= c->start_s;
}

/* ---- sound ---- */

typedef struct SoundJob {
    const Clip *c;
    BalSound sound;
} SoundJob;

static BalStatus take_sound(void *user, AVFrame *f, BalError *err) {
    SoundJob *j = user;
    double at = bal_ts_seconds(f->best_effort_timestamp, j->c->sound.at.base) - j->c->start_s;
    return bal_sound_add(&j->sound, f, at, err);
}

static BalStatus decode_sound(Clip *c, BalError *err) {
    BalClipMedia *o = c->out;
    SoundJob j = {.c = c, .sound = {.limit_s = o->length_s, .x = o->channels, .cap = o->channels_cap}};
    AVCodecContext *decoder = NULL;
    AVFrame *frame = av_frame_alloc();
    int64_t n_out;
    const BalCodedList *l = &c->sound.list;
    BalStatus rc = frame ? bal_decoder_open(&decoder, &c->src, c->sound.at.stream, err)
                         : BAL_FAIL(err, BAL_E_NOMEM, "out of memory for a frame");
    for (size_t i = 0; rc == BAL_OK && i <= l->n; i++) /* the last turn drains */
        rc = bal_decoder_feed(&c->src, decoder, i < l->n ? l->at[i].pkt : NULL, frame, take_sound, &j, err);
    if (rc < 0) goto fail;
    if (j.sound.sounding == 0) {
        rc = BAL_FAIL(err, BAL_E_MEDIA, "sound: not one sample of %s decodes within the clip%s%s",
                      avcodec_get_name(decoder->codec_id), c->src.log.last[0] ? ": " : "", c->src.log.last);
        goto fail;
    }
    if (c->taker) {
        c->taker->sound_from_s = (double)j.sound.begin / j.sound.rate_hz;
        c->taker->sound_to_s = (double)j.sound.n / j.sound.rate_hz;
        BAL_TRY_OR(fail, c->taker->sound(c->taker->user, &j.sound, err));
    } else {
        o->rate_hz = c->spec->rate_hz ? c->spec->rate_hz : j.sound.rate_hz;
        n_out = llround(o->length_s * o->rate_hz);
        BAL_TRY_OR(fail, bal_sound_finish(&j.sound, c->spec->channels, o->rate_hz, n_out, &o->pcm, &o->pcm_cap, err));
        o->n_samples = n_out;
    }
    o->has_audio = true;
    c->src.log.errors += j.sound.not_finite > 0;
fail:
    av_frame_free(&frame);
    avcodec_free_context(&decoder);
    o->channels = j.sound.x, o->channels_cap = j.sound.cap;
    j.sound.x = NULL;
    bal_sound_reset(&j.sound);
    return rc;
}

/* ---- pictures ---- */

/* Times of the wish, on the stream's clock, as the spec has them; *t is the caller's. */
static BalStatus times_of_spec(const Clip *c, double **t, int *n, BalError *err) {
    const BalClipSpec *s = c->spec;
    const double length = c->out->length_s;
    *n = s->fps > 0 ? (int)fmax(1, round(length * s->fps)) : s->n_frames;
    BAL_TRY(bal_alloc(t, (size_t)*n, sizeof **t, err));
    for (int k = 0; k < *n; k++) (*t)[k] = c->start_s + (s->fps > 0 ? k / s->fps : (k + 0.5) * length / *n);
    return BAL_OK;
}

static int by_number(const void *a, const void *b) {
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* The usual distance of the packets held: the mean of those distances that are not longer than one and a half times the median. */
static BalStatus fps_of_packets(const Clip *c, double *fps, BalError *err) {
    const BalCodedList *l = &c->picture.list;
    int64_t *pts, n = 0, sum = 0, some = 0;
    *fps = 25;
    BAL_TRY(bal_alloc(&pts, l->n + 1, sizeof *pts, err));
    for (size_t i = 0; i < l->n; i++)
        if (l->at[i].pkt->pts != AV_NOPTS_VALUE) pts[n++] = l->at[i].pkt->pts;
    qsort(pts, (size_t)n, sizeof *pts, by_number);
    for (int64_t i = 0; i + 1 < n; i++) pts[i] = pts[i + 1] - pts[i];
    if (n > 1) qsort(pts, (size_t)n - 1, sizeof *pts, by_number);
    for (int64_t i = 0; i + 1 < n; i++)
        if (2 * pts[i] <= 3 * pts[(n - 1) / 2]) sum += pts[i], some++;
    if (sum > 0) *fps = (double)some / bal_ts_seconds(sum, c->src.fmt->streams[c->picture.at.stream]->time_base);
    bal_free(pts);
    return BAL_OK;
}

/* Pictures per second that the stream states, else those that came. */
static BalStatus native_fps(const Clip *c, double *fps, BalError *err) {
    const AVStream *st = c->src.fmt->streams[c->picture.at.stream];
    const double stated[2] = {av_q2d(st->avg_frame_rate), av_q2d(st->r_frame_rate)};
    for (int i = 0; i < 2; i++) {
        *fps = stated[i];
        if (stated[i] > 0 && stated[i] <= 1000) return BAL_OK;
    }
    return fps_of_packets(c, fps, err);
}

static BalStatus times_by_number(const Clip *c, double **t, int *n, BalError *err) {
    const double from = fmax(c->start_s, c->picture.at.first_s), to = fmin(c->end_s, c->picture.at.last_s);
    double fps;
    BAL_TRY(native_fps(c, &fps, err));
    const BalPictureTaker *taker = c->taker->numbers;
    const int64_t *index = NULL;
    const int64_t all = to > from ? llround((to - from) * fps) : 1;
    BAL_TRY(taker->choose(taker->user, fps, all > 0 ? all : 1, &index, n, err));
    BAL_TRY(bal_alloc(t, (size_t)*n, sizeof **t, err));
    for (int k = 0; k < *n; k++) (*t)[k] = from + (double)index[k] / fps;
    return BAL_OK;
}

static BalStatus decode_pictures(Clip *c, BalError *err) {
    double *t = NULL;
    int n = 0;
    BalStatus rc = c->taker && c->taker->numbers ? times_by_number(c, &t, &n, err) : times_of_spec(c, &t, &n, err);
    BalFrameWish wish = {t, n, c->origin_s, c->way, c->index_known, c->taker ? &c->taker->pictures : NULL};
    if (c->taker) {
        c->taker->picture_from_s = c->picture.at.first_s - c->start_s;
        c->taker->picture_to_s = c->picture.at.last_s - c->start_s;
    }
    if (rc == BAL_OK) rc = bal_frames_decode(&c->src, c->picture.at.stream, &c->picture.list, &wish, c->out, err);
    bal_free(t);
    c->out->has_video = rc == BAL_OK;
    return rc;
}

/* ---- all of it ---- */

/* Where not a packet came of a wanted stream, its decoder may know why (encrypted, unknown, too large). */
static BalStatus explain_nothing(const Clip *c, BalError *err) {
    const Track *both[2] = {&c->sound, &c->picture};
    for (int i = 0; i < 2; i++) {
        AVCodecContext *decoder = NULL;
        if (!both[i]->wanted || both[i]->at.stream < 0) continue;
        BAL_TRY(bal_decoder_open(&decoder, &c->src, both[i]->at.stream, err));
        avcodec_free_context(&decoder);
    }
    return BAL_FAIL(err, BAL_E_MEDIA, "no packet with a time in it%s%s", c->src.log.last[0] ? ": " : "",
                    c->src.log.last);
}

static BalStatus fix_length(Clip *c, BalError *err) {
    double last = fmax(c->sound.at.last_s, c->picture.at.last_s) - c->origin_s;
    if (isnan(last)) return explain_nothing(c, err);
    if (!(last > c->spec->start_s))
        return BAL_FAIL(err, BAL_E_MEDIA, "the clip begins at %g s, but the file ends at %.3f s", c->spec->start_s,
                        last);
    c->out->length_s = c->spec->duration_s > 0 ? c->spec->duration_s : last - c->spec->start_s;
    if (c->out->length_s > c->src.limits.media_s)
        return BAL_FAIL(err, BAL_E_MEDIA, "%.0f s long, more than the limit of %g s (give start and duration)",
                        c->out->length_s, c->src.limits.media_s);
    return BAL_OK;
}

/* Choose the nth candidate of a kind; *n_all tells how many there are. */
static BalStatus choose(const Clip *c, enum AVMediaType type, int nth, bool wanted, Track *out, int *n_all,
                        BalError *err) {
    int index[MAX_STREAMS];
    *n_all = bal_source_streams(&c->src, type, index, MAX_STREAMS);
    *out = (Track){.at = bal_track(&c->src, nth < *n_all ? index[nth] : -1), .wanted = wanted};
    if (wanted && *n_all == 0) return BAL_FAIL(err, BAL_E_MEDIA, "has no %s stream", bal_kind_name(type));
    return BAL_OK;
}

/* nth[2] in: which candidates for sound and picture; n_all[2] out. *failed says which of the two gave up. */
static BalStatus attempt(Clip *c, const char *path, const BalMediaLimits *limits, double deadline_s, const int nth[2],
                         int n_all[2], int *failed, BalError *err) {
    BAL_TRY(bal_source_open(&c->src, path, limits, deadline_s, err));
    *failed = -1;
    c->sound.at.stream = c->picture.at.stream = -1;
    c->origin_s = c->start_s = NAN;
    c->end_s = INFINITY;
    BalStatus rc = choose(c, AVMEDIA_TYPE_AUDIO, nth[0], c->spec->want_audio, &c->sound, &n_all[0], err);
    if (rc == BAL_OK) rc = choose(c, AVMEDIA_TYPE_VIDEO, nth[1], c->spec->want_video, &c->picture, &n_all[1], err);
    if (rc < 0) goto done;
    bal_source_select(&c->src, c->sound.at.stream, c->picture.at.stream);
    c->index_known = c->picture.at.stream >= 0 &&
                     bal_packet_reader_init(&c->reader, c->src.fmt->streams[c->picture.at.stream]->codecpar);
    BAL_TRY_OR(done, collect(c, err));
    if (!seek_landed(c)) {
        rc = BAL_END;
        goto done;
    }
    BAL_TRY_OR(done, fix_length(c, err));
    if (c->spec->want_audio) {
        *failed = 0;
        BAL_TRY_OR(done, decode_sound(c, err));
    }
    if (c->spec->want_video) {
        *failed = 1;
        BAL_TRY_OR(done, decode_pictures(c, err));
    }
    c->out->decode_errors = c->src.log.errors;
done:
    bal_coded_reset(&c->sound.list);
    bal_coded_reset(&c->picture.list);
    bal_source_close(&c->src);
    if (rc < 0 && err && strncmp(err->text, path, strlen(path)) != 0) { /* put the file's name in front */
        BalError cause = *err;
        return BAL_FAIL(err, cause.code, "%s: %s", path, cause.text);
    }
    return rc;
}

/* Times stand in lists: one that no file can have is that clip's fault, and must not end the work on all others. */
static BalStatus check_spec(const char *path, const BalClipSpec *s, double most, BalError *err) {
    if (!(s->start_s >= 0)) return BAL_FAIL(err, BAL_E_ARG, "%s: a clip that starts at %g s", path, s->start_s);
    if (isnan(s->duration_s)) return BAL_FAIL(err, BAL_E_ARG, "%s: a clip of %g s", path, s->duration_s);
    if (s->start_s > 1e8)
        return BAL_FAIL(err, BAL_E_MEDIA, "%s: a clip that starts at %g s: no file is that long", path, s->start_s);
    if (s->duration_s > most)
        return BAL_FAIL(err, BAL_E_MEDIA, "%s: a clip of %g s; at most %g s", path, s->duration_s, most);
    if (s->rate_hz < 0 || s->rate_hz > BAL_MAX_RATE_HZ)
        return BAL_FAIL(err, BAL_E_ARG, "%s: %d samples per second; 0 to %d", path, s->rate_hz, BAL_MAX_RATE_HZ);
    if (s->want_video && (!(s->fps <= 1000) || (s->fps <= 0 && (s->n_frames < 1 || s->n_frames > MAX_FRAMES))))
        return BAL_FAIL(err, BAL_E_ARG, "%s: %g frames per second (at most 1000) or else %d frames (1 to %d)", path,
                        s->fps, s->n_frames, MAX_FRAMES);
    return BAL_OK;
}

/* Try the candidates until one of each kind serves. */
static BalStatus decode(BalFrameWay way, const char *path, const BalClipSpec *spec, const BalMediaLimits *limits,
                        BalClipTaker *taker, BalClipMedia *out, BalError *err) {
    BalMediaLimits within = limits ? *limits : bal_media_limits_default();
    double deadline_s = bal_now_s() + within.seconds;
    BAL_TRY(check_spec(path, spec, within.media_s, err));
    int nth[2] = {0, 0}, n_all[2] = {0, 0}, failed = -1;
    bool may_seek = true;
    BalError first = {0};
    for (;;) {
        Clip c = {.spec = spec, .way = way, .out = out, .taker = taker, .may_seek = may_seek};
        out->has_audio = out->has_video = false;
        out->n_samples = out->n_frames = 0;
        BalStatus rc = attempt(&c, path, &within, deadline_s, nth, n_all, &failed, err);
        if (rc == BAL_OK) return BAL_OK;
        if (rc == BAL_END) { /* the seek missed: read from the beginning */
            may_seek = false;
            continue;
        }
        /* A stream that gives nothing is taken as absent: try the next of its kind, and in the end report the first. */
        if (rc == BAL_E_MEDIA && err && first.code == BAL_OK) first = *err;
        if (rc != BAL_E_MEDIA || failed < 0 || nth[failed] + 1 >= n_all[failed] || bal_now_s() > deadline_s) {
            if (rc == BAL_E_MEDIA && err) *err = first;
            return rc;
        }
        nth[failed]++;
    }
}

BalStatus bal_clip_decode_by(BalFrameWay way, const char *path, const BalClipSpec *spec, const BalMediaLimits *limits,
                             BalClipMedia *out, BalError *err) {
    return decode(way, path, spec, limits, NULL, out, err);
}

BalStatus bal_clip_take(const char *path, const BalClipSpec *spec, const BalMediaLimits *limits, BalClipTaker *taker,
                        BalClipMedia *out, BalError *err) {
    return decode(BAL_FRAMES_NEEDED, path, spec, limits, taker, out, err);
}

BalStatus bal_clip_decode(const char *path, const BalClipSpec *spec, const BalMediaLimits *limits, BalClipMedia *out,
                          BalError *err) {
    return bal_clip_decode_by(spec->exact ? BAL_FRAMES_NEEDED : BAL_FRAMES_NEAREST_KEY, path, spec, limits, out, err);
}
