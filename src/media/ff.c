/* The wall to FFmpeg. Versions: 5.1 (Debian 12) to 7.1 (Debian 13); what differs is decided here by macro.
 *
 * The file is opened by us and handed over as a byte stream without a name. So no file name can be taken for an option, a protocol
 * or a format hint, and a demuxer that wants to open another file (HLS, concat, image sequences) asks our io_open and is refused;
 * those that ask a context of their own are stopped by the empty protocol list, which they inherit. */
#include "media/ff.h"
#include <errno.h>
#include <inttypes.h>
#include <libavutil/intreadwrite.h>
#include <math.h>
#include <pthread.h>
#include <string.h>
#include <sys/stat.h>
#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"

/* ---- messages ---- */

static _Thread_local BalFfLog *current_log;

static void log_line(void *object, int level, const char *fmt, va_list ap) {
    if (!current_log) {
        av_log_default_callback(object, level, fmt, ap);
        return;
    }
    if (level > AV_LOG_ERROR) return;
    int prefix = 0; /* it would hold an address, which differs from run to run */
    current_log->errors++;
    av_log_format_line2(object, level, fmt, ap, current_log->last, (int)sizeof current_log->last, &prefix);
    current_log->last[strcspn(current_log->last, "\r\n")] = '\0';
}

static void log_install(void) {
    av_log_set_callback(log_line);
}

void bal_ff_log_begin(BalFfLog *log) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, log_install);
    *log = (BalFfLog){.outer = current_log};
    current_log = log;
}

void bal_ff_log_end(BalFfLog *log) {
    current_log = log->outer;
}

/* "Cannot allocate memory" stays the file's fault: FFmpeg says so of sizes that a broken header claims. */
BalStatus bal_ff_fail(BalError *err, BalStatus code, int averror, const BalFfLog *log, const char *path,
                      const char *what) {
    char text[AV_ERROR_MAX_STRING_SIZE] = "";
    av_strerror(averror, text, sizeof text);
    const char *detail = log && log->last[0] ? log->last : "";
    return BAL_FAIL(err, code, "%s%s%s: %s%s%s%s", path ? path : "", path ? ": " : "", what, text, *detail ? " (" : "",
                    detail, *detail ? ")" : "");
}

/* ---- opening ---- */

BalMediaLimits bal_media_limits_default(void) {
    return (BalMediaLimits){.pixels = (int64_t)64 << 20, .seconds = 60, .media_s = 3600};
}

static int interrupt(void *opaque) {
    const BalSource *s = opaque;
    return bal_now_s() > s->deadline_s;
}

static int refuse_open(AVFormatContext *fmt, AVIOContext **io, const char *url, int flags, AVDictionary **options) {
    (void)fmt, (void)io, (void)flags, (void)options;
    av_log(NULL, AV_LOG_ERROR, "it refers to another file, %.80s, which is not opened\n", url);
    return AVERROR(EPERM);
}

BalStatus bal_source_on_time(const BalSource *s, BalError *err) {
    if (bal_now_s() <= s->deadline_s) return BAL_OK;
    return BAL_FAIL(err, BAL_E_MEDIA,
                    "%s: not done within %g s of wall time (raise the time limit, or give start and duration)", s->path,
                    s->limits.seconds);
}

/* Only regular files: a pipe or a device could block for ever before any limit applies. */
static BalStatus check_file(const char *path, BalError *err) {
    struct stat st;
    if (stat(path, &st) != 0) return BAL_FAIL(err, BAL_E_IO, "%s: cannot be opened: %s", path, strerror(errno));
    if (!S_ISREG(st.st_mode)) return BAL_FAIL(err, BAL_E_IO, "%s: not a regular file", path);
    if (st.st_size == 0) return BAL_FAIL(err, BAL_E_MEDIA, "%s: empty file (0 bytes)", path);
    return BAL_OK;
}

static BalStatus open_io(BalSource *s, const AVIOInterruptCB *stop, BalError *err) {
    BalText url = {0};
    bal_text_f(&url, "file:%s", s->path);
    BalStatus rc = bal_text_ok(&url, err);
    int e = rc == BAL_OK ? avio_open2(&s->io, url.data, AVIO_FLAG_READ, stop, NULL) : 0;
    bal_text_reset(&url);
    if (e < 0) rc = bal_ff_fail(err, BAL_E_IO, e, NULL, s->path, "cannot be opened");
    return rc;
}

/* MP4 and Matroska say in their headers all that a decoder needs; for the others FFmpeg looks into the first packets, which for
 * H.264 costs as much as decoding a keyframe. */
static bool header_is_complete(const AVFormatContext *fmt) {
    if (!strstr(fmt->iformat->name, "mp4") && !strstr(fmt->iformat->name, "matroska")) return false;
    for (unsigned i = 0; i < fmt->nb_streams; i++) {
        const AVCodecParameters *p = fmt->streams[i]->codecpar;
        if (p->codec_type == AVMEDIA_TYPE_VIDEO && (p->codec_id == AV_CODEC_ID_NONE || p->width <= 0 || p->height <= 0))
            return false;
        if (p->codec_type == AVMEDIA_TYPE_AUDIO &&
            (p->codec_id == AV_CODEC_ID_NONE || p->sample_rate <= 0 || p->ch_layout.nb_channels <= 0))
            return false;
    }
    return fmt->nb_streams > 0;
}

static BalStatus open_format(BalSource *s, BalError *err) {
    s->fmt = avformat_alloc_context();
    if (!s->fmt) return BAL_FAIL(err, BAL_E_NOMEM, "out of memory for a demuxer");
    s->fmt->interrupt_callback = (AVIOInterruptCB){interrupt, s};
    BAL_TRY(open_io(s, &s->fmt->interrupt_callback, err));
    s->fmt->pb = s->io;
    s->fmt->io_open = refuse_open;
    s->fmt->protocol_whitelist = av_strdup("none");
    int e = avformat_open_input(&s->fmt, NULL, NULL, NULL);       /* frees and clears s->fmt on failure */
    if (e >= 0 && bal_has_suffix(s->fmt->iformat->name, "_pipe")) /* before any image library looks at it */
        return BAL_FAIL(err, BAL_E_MEDIA, "%s: a still image or page (%s), neither video nor sound", s->path,
                        s->fmt->iformat->name);
    s->looked_ahead = e >= 0 && !header_is_complete(s->fmt);
    if (s->looked_ahead) e = avformat_find_stream_info(s->fmt, NULL);
    BAL_TRY(bal_source_on_time(s, err));
    if (e < 0) return bal_ff_fail(err, BAL_E_MEDIA, e, &s->log, s->path, "not a media file that can be read");
    if (s->fmt->nb_streams == 0) return BAL_FAIL(err, BAL_E_MEDIA, "%s: holds no streams", s->path);
    return BAL_OK;
}

BalStatus bal_source_open(BalSource *s, const char *path, const BalMediaLimits *limits, double deadline_s,
                          BalError *err) {
    *s = (BalSource){.path = path, .limits = *limits, .deadline_s = deadline_s};
    BAL_TRY(check_file(path, err));
    bal_ff_log_begin(&s->log);
    s->logging = true;
    BalStatus rc = open_format(s, err);
    if (rc < 0) bal_source_close(s);
    return rc;
}

void bal_source_close(BalSource *s) {
    avformat_close_input(&s->fmt);
    avio_closep(&s->io);
    if (s->logging) bal_ff_log_end(&s->log);
    s->logging = false;
}

BalStatus bal_source_read(BalSource *s, AVPacket *pkt, bool *broken, BalError *err) {
    av_packet_unref(pkt);
    BAL_TRY(bal_source_on_time(s, err));
    int e = av_read_frame(s->fmt, pkt);
    if (e >= 0) return BAL_OK;
    BAL_TRY(bal_source_on_time(s, err)); /* an interrupted read */
    if (e != AVERROR_EOF) *broken = true;
    return BAL_END;
}

/* ---- streams ---- */

const char *bal_kind_name(enum AVMediaType type) {
    return type == AVMEDIA_TYPE_AUDIO ? "sound" : "picture";
}

double bal_ts_seconds(int64_t ts, AVRational base) {
    return ts == AV_NOPTS_VALUE ? NAN : (double)ts * base.num / base.den;
}

int bal_source_streams(const BalSource *s, enum AVMediaType type, int *index, int cap) {
    int n = 0;
    for (int is_default = 1; is_default >= 0; is_default--)
        for (unsigned i = 0; i < s->fmt->nb_streams && n < cap; i++) {
            const AVStream *st = s->fmt->streams[i];
            if (st->codecpar->codec_type != type || !!(st->disposition & AV_DISPOSITION_DEFAULT) != is_default)
                continue;
            if (st->disposition & (AV_DISPOSITION_ATTACHED_PIC | AV_DISPOSITION_TIMED_THUMBNAILS)) continue;
            index[n++] = (int)i;
        }
    return n;
}

void bal_source_select(BalSource *s, int audio, int video) {
    for (int i = 0; i < (int)s->fmt->nb_streams; i++)
        s->fmt->streams[i]->discard = i == audio || i == video ? AVDISCARD_DEFAULT : AVDISCARD_ALL;
}

static const uint8_t *stream_side_data(const AVStream *st, enum AVPacketSideDataType type, size_t need) {
#if LIBAVFORMAT_VERSION_INT >= AV_VERSION_INT(60, 15, 100)
    const AVPacketSideData *d =
        av_packet_side_data_get(st->codecpar->coded_side_data, st->codecpar->nb_coded_side_data, type);
    return d && d->size >= need ? d->data : NULL;
#else
    size_t size = 0;
    const uint8_t *data = av_stream_get_side_data(st, type, &size);
    return data && size >= need ? data : NULL;
#endif
}

bool bal_stream_encrypted(const AVStream *st) {
    uint32_t tag = st->codecpar->codec_tag;
    return stream_side_data(st, AV_PKT_DATA_ENCRYPTION_INIT_INFO, 0) || tag == MKTAG('e', 'n', 'c', 'v') ||
           tag == MKTAG('e', 'n', 'c', 'a');
}

const int32_t *bal_stream_matrix(const AVStream *st) {
    return (const int32_t *)(const void *)stream_side_data(st, AV_PKT_DATA_DISPLAYMATRIX, 9 * sizeof(int32_t));
}

/* ---- decoders ---- */

BalStatus bal_decoder_open(AVCodecContext **out, const BalSource *s, int stream, BalError *err) {
    const AVStream *st = s->fmt->streams[stream];
    const AVCodecParameters *p = st->codecpar;
    const char *kind = bal_kind_name(p->codec_type), *name = avcodec_get_name(p->codec_id);
    if (bal_stream_encrypted(st)) return BAL_FAIL(err, BAL_E_MEDIA, "%s: encrypted (%s)", kind, name);
    if (p->codec_id == AV_CODEC_ID_NONE) {
        char tag[AV_FOURCC_MAX_STRING_SIZE];
        return BAL_FAIL(err, BAL_E_MEDIA, "%s: unknown codec, tag %s", kind, av_fourcc_make_string(tag, p->codec_tag));
    }
    const AVCodec *codec = avcodec_find_decoder(p->codec_id);
    if (!codec) return BAL_FAIL(err, BAL_E_MEDIA, "%s: no decoder for %s in this build of FFmpeg", kind, name);
    if (p->codec_type == AVMEDIA_TYPE_VIDEO && (int64_t)p->width * p->height > s->limits.pixels)
        return BAL_FAIL(err, BAL_E_MEDIA, "%s: %d x %d is more than the limit of %" PRId64 " pixels", kind, p->width,
                        p->height, s->limits.pixels);
    AVCodecContext *c = avcodec_alloc_context3(codec);
    int e = c ? avcodec_parameters_to_context(c, p) : AVERROR(ENOMEM);
    if (e >= 0) {
        c->thread_count = 1;
        c->max_pixels = s->limits.pixels;
        c->pkt_timebase = st->time_base;
        e = avcodec_open2(c, codec, NULL);
    }
    if (e < 0) {
        avcodec_free_context(&c);
        return bal_ff_fail(err, BAL_E_MEDIA, e, &s->log, NULL, kind);
    }
    *out = c;
    return BAL_OK;
}

BalStatus bal_decoder_feed(BalSource *s, AVCodecContext *c, const AVPacket *pkt, AVFrame *frame, BalFrameFn *fn,
                           void *user, BalError *err) {
    BAL_TRY(bal_source_on_time(s, err));
    int64_t errors = s->log.errors;
    int e = avcodec_send_packet(c, pkt);
    BalStatus rc = BAL_OK;
    while (rc == BAL_OK && (e >= 0 || e == AVERROR(EAGAIN))) {
        e = avcodec_receive_frame(c, frame);
        if (e == AVERROR(EAGAIN) || e == AVERROR_EOF) return BAL_OK;
        if (e >= 0) rc = fn(user, frame, err);
        av_frame_unref(frame);
        if (rc == BAL_OK) rc = bal_source_on_time(s, err);
    }
    if (e < 0 && s->log.errors == errors) s->log.errors++; /* failed without a word */
    return rc;
}

void bal_packet_trim(const AVPacket *pkt, int64_t *begin, int64_t *end) {
    size_t size = 0;
    const uint8_t *d = av_packet_get_side_data(pkt, AV_PKT_DATA_SKIP_SAMPLES, &size);
    *begin = d && size >= 8 ? AV_RL32(d) : 0;
    *end = d && size >= 8 ? AV_RL32(d + 4) : 0;
}

const char *bal_media_version(void) {
    static char text[64];
    unsigned v = avformat_version();
    snprintf(text, sizeof text, "%.30s (libavformat %u.%u.%u)", av_version_info(), v >> 16, v >> 8 & 255, v & 255);
    return text;
}
