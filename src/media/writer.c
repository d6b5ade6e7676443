/* Writing small media files: clips, the demo's videos, the tests'.
 *
 * The file grows in memory and reaches the disk whole, through base/file.h, when it is closed. One thread and FFmpeg's bit-exact flags:
 * the same input gives the same bytes with the same libraries. (FFmpeg's own memory stream is of no use here: muxers that end with
 * the writing position inside the file, as AVI and FLV do, get its padding in the middle.) */
#include "media/writer.h"
#include <errno.h>
#include <libavutil/opt.h>
#include <libswscale/swscale.h>
#include <math.h>
#include <string.h>
#include "base/file.h"
#include "base/mem.h"
#include "media/ff.h"

struct BalMediaWriter {
    char *path;
    BalMediaWriterSpec spec;
    BalFfLog log;
    AVFormatContext *fmt;
    AVCodecContext *video, *audio;
    AVStream *video_stream, *audio_stream;
    AVFrame *picture, *sound; /* sound: filled up to `held` samples */
    AVPacket *pkt;
    struct SwsContext *sws;
    int held;
    int64_t frames, samples, sound_at;
    uint8_t *file; /* [size] so far */
    size_t size, cap, at;
};

static BalStatus failed(const BalMediaWriter *w, int e, const char *what, BalError *err) {
    return bal_ff_fail(err, BAL_E_BACKEND, e, &w->log, w->path, what);
}

/* ---- the file in memory ---- */

#if LIBAVFORMAT_VERSION_MAJOR >= 61
typedef const uint8_t WrittenBytes;
#else
typedef uint8_t WrittenBytes;
#endif

static int file_write(void *user, WrittenBytes *data, int n) {
    BalMediaWriter *w = user;
    size_t end = w->at + (size_t)n;
    if (bal_grow(&w->file, &w->cap, end, 1, NULL) < 0) return AVERROR(ENOMEM);
    if (w->at > w->size) memset(w->file + w->size, 0, w->at - w->size);
    memcpy(w->file + w->at, data, (size_t)n);
    w->at = end;
    if (end > w->size) w->size = end;
    return n;
}

static int64_t file_seek(void *user, int64_t to, int whence) {
    BalMediaWriter *w = user;
    if (whence == AVSEEK_SIZE) return (int64_t)w->size;
    if (whence != SEEK_SET || to < 0) return AVERROR(EINVAL);
    w->at = (size_t)to;
    return to;
}

enum { BUFFER = 32768 };

/* To put the index in front, the muxer reads the file again from its beginning while it moves it on. */
typedef struct Reread {
    const BalMediaWriter *w;
    size_t at;
} Reread;

static int reread(void *user, uint8_t *data, int n) {
    Reread *r = user;
    size_t left = r->w->size - r->at, take = (size_t)n < left ? (size_t)n : left;
    if (take == 0) return AVERROR_EOF;
    memcpy(data, r->w->file + r->at, take);
    r->at += take;
    return (int)take;
}

static int64_t reread_seek(void *user, int64_t to, int whence) {
    Reread *r = user;
    if (whence == AVSEEK_SIZE) return (int64_t)r->w->size;
    if (whence != SEEK_SET || to < 0 || to > (int64_t)r->w->size) return AVERROR(EINVAL);
    r->at = (size_t)to;
    return to;
}

static int reread_close(AVFormatContext *fmt, AVIOContext *io) {
    (void)fmt;
    bal_free(io->opaque);
    av_freep(&io->buffer);
    avio_context_free(&io);
    return 0;
}

static int reread_open(AVFormatContext *fmt, AVIOContext **io, const char *url, int flags, AVDictionary **options) {
    (void)url, (void)options;
    Reread *r = NULL;
    if (flags & AVIO_FLAG_WRITE) return AVERROR(EPERM);
    if (bal_alloc(&r, 1, sizeof *r, NULL) < 0) return AVERROR(ENOMEM);
    r->w = fmt->opaque;
    uint8_t *buffer = av_malloc(BUFFER);
    *io = buffer ? avio_alloc_context(buffer, BUFFER, 0, r, reread, NULL, reread_seek) : NULL;
    if (*io) return 0;
    av_free(buffer);
    bal_free(r);
    return AVERROR(ENOMEM);
}

static int file_open(BalMediaWriter *w) {
    w->fmt->opaque = w;
    w->fmt->io_open = reread_open;
    w->fmt->io_close2 = reread_close;
    uint8_t *buffer = av_malloc(BUFFER);
    w->fmt->pb = buffer ? avio_alloc_context(buffer, BUFFER, 1, w, NULL, file_write, file_seek) : NULL;
    if (!w->fmt->pb) av_free(buffer);
    return w->fmt->pb ? 0 : AVERROR(ENOMEM);
}

static void file_close(BalMediaWriter *w) {
    if (!w->fmt || !w->fmt->pb) return;
    av_freep(&w->fmt->pb->buffer);
    avio_context_free(&w->fmt->pb);
}

/* ---- opening ---- */

static const AVCodec *find_encoder(const char *wish, enum AVCodecID otherwise) {
    const AVCodec *c = avcodec_find_encoder_by_name(wish);
    return c ? c : otherwise ? avcodec_find_encoder(otherwise) : NULL;
}

/* Make an encoder's stream; options as "key=value:key=value". */
static BalStatus add_stream(BalMediaWriter *w, AVCodecContext *c, const char *options, AVStream **out, BalError *err) {
    if (w->fmt->oformat->flags & AVFMT_GLOBALHEADER) c->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
    c->flags |= AV_CODEC_FLAG_BITEXACT;
    c->thread_count = 1;
    AVDictionary *d = NULL;
    int e = options ? av_dict_parse_string(&d, options, "=", ":", 0) : 0;
    if (e >= 0) e = avcodec_open2(c, c->codec, &d);
    const AVDictionaryEntry *unused = av_dict_get(d, "", NULL, AV_DICT_IGNORE_SUFFIX);
    if (e >= 0 && unused) e = AVERROR_OPTION_NOT_FOUND;
    av_dict_free(&d);
    if (e >= 0 && !(*out = avformat_new_stream(w->fmt, NULL))) e = AVERROR(ENOMEM);
    if (e >= 0) e = avcodec_parameters_from_context((*out)->codecpar, c);
    if (e < 0) return failed(w, e, c->codec->name, err);
    (*out)->time_base = c->time_base;
    return BAL_OK;
}

static BalStatus add_matrix(AVStream *st, const BalWriterTweaks *t, BalError *err) {
    if (!t->quarter_turns && !t->mirrored) return BAL_OK;
    static const int cosine[4] = {1, 0, -1, 0}, sine[4] = {0, 1, 0, -1};
    int k = t->quarter_turns & 3, m = t->mirrored ? -1 : 1, one = 1 << 16;
    int32_t matrix[9] = {m * cosine[k] * one, m * sine[k] * one, 0, -sine[k] * one, cosine[k] * one, 0, 0, 0, 1 << 30};
#if LIBAVFORMAT_VERSION_INT >= AV_VERSION_INT(60, 15, 100)
    AVPacketSideData *d = av_packet_side_data_new(&st->codecpar->coded_side_data, &st->codecpar->nb_coded_side_data,
                                                  AV_PKT_DATA_DISPLAYMATRIX, sizeof matrix, 0);
    uint8_t *data = d ? d->data : NULL;
#else
    uint8_t *data = av_stream_new_side_data(st, AV_PKT_DATA_DISPLAYMATRIX, sizeof matrix);
#endif
    if (!data) return BAL_FAIL(err, BAL_E_NOMEM, "out of memory for a display matrix");
    memcpy(data, matrix, sizeof matrix);
    return BAL_OK;
}

static BalStatus add_video(BalMediaWriter *w, const BalWriterTweaks *t, BalError *err) {
    const BalMediaWriterSpec *s = &w->spec;
    const char *wish = t->video_codec ? t->video_codec : "libx264";
    const AVCodec *codec = find_encoder(wish, t->video_codec ? AV_CODEC_ID_NONE : AV_CODEC_ID_MPEG4);
    if (!codec) return BAL_FAIL(err, BAL_E_UNSUPPORTED, "%s: this build of FFmpeg has no encoder %s", w->path, wish);
    AVCodecContext *c = w->video = avcodec_alloc_context3(codec);
    w->picture = av_frame_alloc();
    if (!c || !w->picture) return BAL_FAIL(err, BAL_E_NOMEM, "out of memory for an encoder");
    c->width = s->width, c->height = s->height;
    if (t->colours) {
        const AVFrame *f = t->colours;
        bool rgb = f->colorspace == AVCOL_SPC_RGB;
        c->colorspace = rgb ? AVCOL_SPC_UNSPECIFIED : f->colorspace;
        c->color_primaries = f->color_primaries, c->color_trc = f->color_trc;
        c->sample_aspect_ratio = f->sample_aspect_ratio;
        c->color_range = AVCOL_RANGE_MPEG;
    }
    c->time_base = t->any_time ? (AVRational){1, 1000} : (AVRational){1, s->fps};
    c->framerate = (AVRational){s->fps, 1};
    c->gop_size = s->fps;
    c->pix_fmt = codec->id == AV_CODEC_ID_MJPEG ? AV_PIX_FMT_YUVJ420P : AV_PIX_FMT_YUV420P;
    if (codec->id == AV_CODEC_ID_MPEG4) c->flags |= AV_CODEC_FLAG_QSCALE, c->global_quality = 3 * FF_QP2LAMBDA;
    /* x264's macroblock tree reads memory it never wrote at many widths (320, 360, 480): the same pictures gave other bytes, depending
     * on what the heap held before. */
    const char *options = t->video_options                  ? t->video_options
                          : !strcmp(codec->name, "libx264") ? "preset=veryfast:crf=20:mbtree=0"
                                                            : NULL;
    BAL_TRY(add_stream(w, c, options, &w->video_stream, err));
    BAL_TRY(add_matrix(w->video_stream, t, err));
    w->picture->format = c->pix_fmt, w->picture->width = c->width, w->picture->height = c->height;
    int e = av_frame_get_buffer(w->picture, 0);
    if (e < 0) return failed(w, e, "frame", err);
    w->sws = sws_getContext(c->width, c->height, AV_PIX_FMT_RGB24, c->width, c->height, c->pix_fmt,
                            SWS_BICUBIC | SWS_ACCURATE_RND | SWS_BITEXACT, NULL, NULL, NULL);
    return w->sws ? BAL_OK : BAL_FAIL(err, BAL_E_NOMEM, "out of memory for a converter");
}

static BalStatus add_audio(BalMediaWriter *w, const BalWriterTweaks *t, BalError *err) {
    const char *wish = t->audio_codec ? t->audio_codec : "aac";
    const AVCodec *codec = find_encoder(wish, AV_CODEC_ID_NONE);
    if (!codec) return BAL_FAIL(err, BAL_E_UNSUPPORTED, "%s: this build of FFmpeg has no encoder %s", w->path, wish);
    AVCodecContext *c = w->audio = avcodec_alloc_context3(codec);
    w->sound = av_frame_alloc();
    if (!c || !w->sound) return BAL_FAIL(err, BAL_E_NOMEM, "out of memory for an encoder");
    c->sample_rate = w->spec.rate_hz;
    c->time_base = (AVRational){1, c->sample_rate};
    c->sample_fmt = codec->id == AV_CODEC_ID_AAC ? AV_SAMPLE_FMT_FLTP : AV_SAMPLE_FMT_FLT;
    c->bit_rate = t->sound_bits ? t->sound_bits : 96000;
    av_channel_layout_default(&c->ch_layout, t->channels ? t->channels : 1);
    w->sound_at = llround(t->sound_at_s * c->sample_rate);
    BAL_TRY(add_stream(w, c, NULL, &w->audio_stream, err));
    AVFrame *f = w->sound;
    f->format = c->sample_fmt, f->sample_rate = c->sample_rate;
    f->nb_samples = c->frame_size > 0 ? c->frame_size : 1024;
    av_channel_layout_default(&f->ch_layout, c->ch_layout.nb_channels);
    int e = av_frame_get_buffer(f, 0);
    return e < 0 ? failed(w, e, "frame", err) : BAL_OK;
}

static BalStatus open_file(BalMediaWriter *w, const BalWriterTweaks *t, BalError *err) {
    const char *format = t->format ? t->format : "mp4";
    int e = avformat_alloc_output_context2(&w->fmt, NULL, format, NULL);
    if (e < 0) return BAL_FAIL(err, BAL_E_UNSUPPORTED, "%s: this build of FFmpeg writes no %s", w->path, format);
    w->fmt->flags |= AVFMT_FLAG_BITEXACT;
    w->pkt = av_packet_alloc();
    if (!w->pkt) return BAL_FAIL(err, BAL_E_NOMEM, "out of memory for a packet");
    if (w->spec.width) BAL_TRY(add_video(w, t, err));
    if (w->spec.rate_hz) BAL_TRY(add_audio(w, t, err));
    e = file_open(w);
    /* All sound may come before the first picture, and is to lie among them all the same. */
    w->fmt->max_interleave_delta = 0;
    AVDictionary *d = NULL;
    if (e >= 0 && t->fast_start) e = av_dict_set(&d, "movflags", "+faststart", 0);
    if (e >= 0) e = avformat_write_header(w->fmt, &d);
    av_dict_free(&d);
    return e < 0 ? failed(w, e, "header", err) : BAL_OK;
}

BalStatus bal_media_writer_open_as(BalMediaWriter **out, const char *path, const BalMediaWriterSpec *s,
                                   const BalWriterTweaks *t, BalError *err) {
    bool odd = (s->width | s->height) & 1, picture = s->width > 0 && s->height > 0 && s->fps > 0 && !odd;
    if ((s->width != 0 && !picture) || s->rate_hz < 0 || (s->width == 0 && s->rate_hz == 0))
        return BAL_FAIL(err, BAL_E_ARG, "%s: cannot write %d x %d at %d fps (even sizes) with sound at %d Hz", path,
                        s->width, s->height, s->fps, s->rate_hz);
    BalMediaWriter *w = NULL;
    BAL_TRY(bal_alloc(&w, 1, sizeof *w, err));
    w->spec = *s;
    BalStatus rc = bal_strdup(&w->path, path, err);
    bal_ff_log_begin(&w->log);
    if (rc == BAL_OK) rc = open_file(w, t, err);
    bal_ff_log_end(&w->log);
    if (rc < 0)
        bal_media_writer_abort(&w);
    else
        *out = w;
    return rc;
}

BalStatus bal_media_writer_open(BalMediaWriter **out, const char *path, const BalMediaWriterSpec *spec, BalError *err) {
    return bal_media_writer_open_as(out, path, spec, &(BalWriterTweaks){0}, err);
}

/* ---- writing ---- */

/* One frame (NULL: drain) through an encoder into the file. */
static BalStatus encode(BalMediaWriter *w, AVCodecContext *c, const AVStream *st, const AVFrame *f, BalError *err) {
    bal_ff_log_begin(&w->log);
    int e = avcodec_send_frame(c, f);
    while (e >= 0 && (e = avcodec_receive_packet(c, w->pkt)) >= 0) {
        if (c == w->video && w->pkt->duration <= 0) /* else MP4's edit list cuts the last picture off */
            w->pkt->duration = av_rescale_q(1, (AVRational){1, w->spec.fps}, c->time_base);
        av_packet_rescale_ts(w->pkt, c->time_base, st->time_base);
        w->pkt->stream_index = st->index;
        e = av_interleaved_write_frame(w->fmt, w->pkt);
    }
    bal_ff_log_end(&w->log);
    return e == AVERROR(EAGAIN) || e == AVERROR_EOF ? BAL_OK : failed(w, e, c->codec->name, err);
}

BalStatus bal_media_writer_frame_at(BalMediaWriter *w, const uint8_t *rgb, double at_s, BalError *err) {
    if (!w->video) return BAL_FAIL(err, BAL_E_ARG, "%s: was opened without a picture", w->path);
    int e = av_frame_make_writable(w->picture);
    if (e < 0) return failed(w, e, "frame", err);
    sws_scale(w->sws, &rgb, &(int){3 * w->spec.width}, 0, w->spec.height, w->picture->data, w->picture->linesize);
    w->picture->pts = llround(at_s * w->video->time_base.den / w->video->time_base.num);
    w->frames++;
    return encode(w, w->video, w->video_stream, w->picture, err);
}

BalStatus bal_media_writer_canvas(BalMediaWriter *w, AVFrame **out, BalError *err) {
    int e = av_frame_make_writable(w->picture);
    if (e < 0) return failed(w, e, "frame", err);
    *out = w->picture;
    return BAL_OK;
}

BalStatus bal_media_writer_show(BalMediaWriter *w, int64_t tick, BalError *err) {
    w->picture->pts = tick;
    w->frames++;
    return encode(w, w->video, w->video_stream, w->picture, err);
}

BalStatus bal_media_writer_frame(BalMediaWriter *w, const uint8_t *rgb, BalError *err) {
    return bal_media_writer_frame_at(w, rgb, w->spec.fps ? (double)w->frames / w->spec.fps : 0, err);
}

static BalStatus send_sound(BalMediaWriter *w, BalError *err) {
    AVFrame *f = w->sound;
    int full = f->nb_samples;
    f->nb_samples = w->held; /* the last one may be short */
    f->pts = w->sound_at + w->samples;
    w->samples += w->held;
    w->held = 0;
    BalStatus rc = encode(w, w->audio, w->audio_stream, f, err);
    f->nb_samples = full;
    return rc;
}

/* x [n, channels] into the frame from sample `at` on */
static void copy_samples(AVFrame *f, int at, const float *x, int64_t n) {
    int channels = f->ch_layout.nb_channels;
    bool planar = av_sample_fmt_is_planar(f->format);
    for (int c = 0; c < channels; c++) {
        float *to = (float *)(void *)f->extended_data[planar ? c : 0] + (planar ? at : at * channels + c);
        for (int64_t i = 0; i < n; i++) to[planar ? i : i * channels] = x[i * channels + c];
    }
}

BalStatus bal_media_writer_sound(BalMediaWriter *w, const float *pcm, int64_t n, BalError *err) {
    if (!w->audio) return BAL_FAIL(err, BAL_E_ARG, "%s: was opened without sound", w->path);
    for (int64_t at = 0; at < n;) {
        int e = av_frame_make_writable(w->sound);
        if (e < 0) return failed(w, e, "frame", err);
        int64_t room = w->sound->nb_samples - w->held, take = n - at < room ? n - at : room;
        copy_samples(w->sound, w->held, pcm + at * w->sound->ch_layout.nb_channels, take);
        w->held += (int)take;
        at += take;
        if (w->held == w->sound->nb_samples) BAL_TRY(send_sound(w, err));
    }
    return BAL_OK;
}

static BalStatus finish(BalMediaWriter *w, BalError *err) {
    if (w->held) BAL_TRY(send_sound(w, err));
    if (w->video) BAL_TRY(encode(w, w->video, w->video_stream, NULL, err));
    if (w->audio) BAL_TRY(encode(w, w->audio, w->audio_stream, NULL, err));
    bal_ff_log_begin(&w->log);
    int e = av_write_trailer(w->fmt);
    bal_ff_log_end(&w->log);
    if (e < 0) return failed(w, e, "trailer", err);
    avio_flush(w->fmt->pb);
    if (w->fmt->pb->error < 0) return failed(w, w->fmt->pb->error, "file", err);
    return bal_file_write(w->path, w->file, w->size, err);
}

BalStatus bal_media_writer_close(BalMediaWriter **w, BalError *err) {
    BalStatus rc = finish(*w, err);
    bal_media_writer_abort(w);
    return rc;
}

void bal_media_writer_abort(BalMediaWriter **pw) {
    BalMediaWriter *w = *pw;
    if (!w) return;
    BalFfLog log; /* encoders report what they did when they are closed */
    bal_ff_log_begin(&log);
    file_close(w);
    avformat_free_context(w->fmt);
    avcodec_free_context(&w->video);
    avcodec_free_context(&w->audio);
    av_frame_free(&w->picture);
    av_frame_free(&w->sound);
    av_packet_free(&w->pkt);
    sws_freeContext(w->sws);
    bal_ff_log_end(&log);
    bal_free(w->file);
    bal_free(w->path);
    bal_free(w);
    *pw = NULL;
}
