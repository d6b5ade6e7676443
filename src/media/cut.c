/* One span of a video as a clip of its own.
 *
 * Copying packets would be a hundred times cheaper and wrong: cuts would move to keyframes, sound and picture apart. So the span is
 * decoded by what decodes clips for the features (clip.c), which knows variable frame rates, edit lists, rotation and streams that
 * begin late, and encoded again. Keyframes stand a second apart: whoever samples one frame per second then decodes nothing else.
 *
 * What the file lacks of the span is not made up: silence at an end is a reason to refuse it, not to pad it. */
#include <avbalance/cut.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "base/file.h"
#include "base/hash.h"
#include "base/mem.h"
#include "media/clip.h"
#include "media/writer.h"

#define BEGIN_S  0.05 /* sound and picture of a clip begin together within this */
#define LENGTH_S 0.1  /* and are as long as it within this; so much of a span may a video lack at either end */

enum { SOUND_BITS = 128000, MOST_S = 600 };

BalCutSpec bal_cut_spec_default(void) {
    return (BalCutSpec){.short_side = 360, .fps = 30, .rate_hz = 48000, .crf = 23};
}

const char *bal_cut_encoders(void) {
    return avcodec_find_encoder_by_name("libx264") ? "libx264 aac" : "mpeg4 aac";
}

typedef struct Cut {
    const char *path, *out_path;
    const BalCutSpec *spec;
    BalClipTaker taker;
    double length_s;
    float *pcm; /* [n_samples, 2] */
    int64_t n_samples;
    size_t pcm_cap;
    BalMediaWriter *writer; /* opened by the first picture, whose size it takes */
    BalPicture picture;
} Cut;

/* ---- while decoding ---- */

static BalStatus check_cover(const Cut *c, const char *kind, double from_s, double to_s, BalError *err) {
    if (!(from_s <= LENGTH_S))
        return BAL_FAIL(err, BAL_E_MEDIA, "%s: %s begins %.3f s after the clip's begin", c->path, kind, from_s);
    if (!(to_s >= c->length_s - LENGTH_S))
        return BAL_FAIL(err, BAL_E_MEDIA, "%s: %s ends %.3f s before the clip's end", c->path, kind,
                        c->length_s - to_s);
    return BAL_OK;
}

static BalStatus take_sound(void *user, const BalSound *s, BalError *err) {
    Cut *c = user;
    BAL_TRY(check_cover(c, "sound", c->taker.sound_from_s, c->taker.sound_to_s, err));
    double missing_s = c->length_s - (double)s->sounding / s->rate_hz;
    if (missing_s > LENGTH_S)
        return BAL_FAIL(err, BAL_E_MEDIA, "%s: sound has gaps of %.3f s within the clip", c->path, missing_s);
    c->n_samples = llround(c->length_s * c->spec->rate_hz);
    BAL_TRY(bal_grow(&c->pcm, &c->pcm_cap, (size_t)c->n_samples * 2, sizeof *c->pcm, err));
    return bal_sound_stereo(s, c->spec->rate_hz, c->n_samples, c->pcm, err);
}

static BalStatus restart(void *user, BalError *err) {
    (void)err;
    Cut *c = user;
    bal_media_writer_abort(&c->writer);
    return BAL_OK;
}

static int even(double x) {
    return (int)fmax(2, 2 * round(x / 2));
}

static BalStatus open_writer(Cut *c, const AVFrame *f, BalTurn turn, BalError *err) {
    BAL_TRY(check_cover(c, "picture", c->taker.picture_from_s, c->taker.picture_to_s, err));
    bool swap = bal_turn_degrees(turn) % 180 != 0;
    int w = swap ? f->height : f->width, h = swap ? f->width : f->height, side = w < h ? w : h;
    double scale = side > c->spec->short_side ? (double)c->spec->short_side / side : 1;
    BalMediaWriterSpec spec = {even(w * scale), even(h * scale), c->spec->fps, c->spec->rate_hz};
    AVFrame like = {.colorspace = f->colorspace, .color_primaries = f->color_primaries, .color_trc = f->color_trc};
    AVRational shape = f->sample_aspect_ratio;
    like.sample_aspect_ratio = swap && shape.num > 0 ? (AVRational){shape.den, shape.num} : shape;
    BalWriterTweaks as = {.channels = 2, .sound_bits = SOUND_BITS, .fast_start = true, .colours = &like};
    char x264[48]; /* no macroblock tree: writer.c says why */
    snprintf(x264, sizeof x264, "preset=veryfast:crf=%d:mbtree=0", c->spec->crf);
    if (!strcmp(bal_cut_encoders(), "libx264 aac")) as.video_options = x264;
    BAL_TRY(bal_media_writer_open_as(&c->writer, c->out_path, &spec, &as, err));
    return bal_media_writer_sound(c->writer, c->pcm, c->n_samples, err);
}

static BalStatus take_picture(void *user, const AVFrame *f, BalTurn turn, double at_s, int first, int n,
                              BalError *err) {
    Cut *c = user;
    AVFrame *canvas;
    (void)at_s;
    if (!c->writer) BAL_TRY(open_writer(c, f, turn, err));
    BAL_TRY(bal_media_writer_canvas(c->writer, &canvas, err));
    BAL_TRY(bal_picture_yuv(&c->picture, f, turn, canvas, err));
    for (int k = 0; k < n; k++) BAL_TRY(bal_media_writer_show(c->writer, first + k, err));
    return BAL_OK;
}

/* ---- judging ---- */

static BalStatus check_written(const Cut *c, const BalProbe *p, BalError *err) {
    double sound = p->audio.end_s - p->audio.start_s, picture = p->video.end_s - p->video.start_s,
           apart = fabs(p->audio.start_s - p->video.start_s);
    if (p->audio.index < 0 || p->video.index < 0)
        return BAL_FAIL(err, BAL_E_MEDIA, "%s: the clip was written without its %s", c->path,
                        p->audio.index < 0 ? "sound" : "picture");
    if (!(fabs(sound - c->length_s) <= LENGTH_S && fabs(picture - c->length_s) <= LENGTH_S && apart < BEGIN_S))
        return BAL_FAIL(err, BAL_E_MEDIA,
                        "%s: the clip was written with %.3f s of sound and %.3f s of picture, beginning %.3f s apart",
                        c->path, sound, picture, apart);
    return BAL_OK;
}

static BalStatus describe(const Cut *c, const BalMediaLimits *limits, BalCutResult *out, BalError *err) {
    BalCutResult r = {0};
    BAL_TRY(bal_probe(c->out_path, limits, &r.probe, err));
    BAL_TRY(check_written(c, &r.probe, err));
    BAL_TRY(bal_sha256_file(c->out_path, r.sha256, err));
    r.bytes = r.probe.bytes;
    *out = r;
    return BAL_OK;
}

static BalStatus check_span(const char *path, const BalSpan *span, const BalCutSpec *s, BalError *err) {
    if (span->start_ms < 0 || span->end_ms <= span->start_ms)
        return BAL_FAIL(err, BAL_E_ARG, "%s: a clip from %" PRId64 " to %" PRId64 " ms", path, span->start_ms,
                        span->end_ms);
    if (span->end_ms - span->start_ms > MOST_S * 1000)
        return BAL_FAIL(err, BAL_E_MEDIA, "%s: a clip from %" PRId64 " to %" PRId64 " ms; at most %d s are one", path,
                        span->start_ms, span->end_ms, MOST_S);
    if (s->short_side < 2 || s->fps < 1 || s->fps > 240 || s->rate_hz < 8000 || s->rate_hz > 96000 || s->crf < 0 ||
        s->crf > 51)
        return BAL_FAIL(err, BAL_E_ARG, "%s: cannot write %d pixels, %d pictures per second, %d Hz, crf %d", path,
                        s->short_side, s->fps, s->rate_hz, s->crf);
    return BAL_OK;
}

BalStatus bal_cut(const char *path, const BalSpan *span, const BalCutSpec *spec, const BalMediaLimits *limits,
                  const char *out_path, BalCutResult *out, BalError *err) {
    BalMediaLimits within = limits ? *limits : bal_media_limits_default();
    BAL_TRY(check_span(path, span, spec, err));
    Cut c = {.path = path, .out_path = out_path, .spec = spec};
    c.length_s = (double)(span->end_ms - span->start_ms) / 1000;
    c.taker = (BalClipTaker){take_sound, {restart, take_picture, &c}, NULL, &c, NAN, NAN, NAN, NAN};
    BalClipSpec clip = bal_clip_spec_default();
    BalClipMedia media = {0};
    clip.start_s = (double)span->start_ms / 1000, clip.duration_s = c.length_s, clip.fps = spec->fps;
    BalStatus rc = bal_clip_take(path, &clip, &within, &c.taker, &media, err);
    if (rc == BAL_OK) rc = bal_media_writer_close(&c.writer, err);
    if (rc == BAL_OK) {
        rc = describe(&c, &within, out, err);
        if (rc < 0)
            unlink(out_path);
        else
            out->decode_errors = media.decode_errors;
    }
    bal_media_writer_abort(&c.writer);
    bal_picture_reset(&c.picture);
    bal_clip_media_reset(&media);
    bal_free(c.pcm);
    return rc;
}
