/* The wall to FFmpeg: open a file safely, list its streams, open a decoder, translate errors.
 *
 * A source reads one regular file and nothing that file names (playlists, concat lists and external references are refused), tells
 * the format by content, never by name, and stops when its time is up. What FFmpeg would print is counted and kept instead. */
#ifndef BAL_MEDIA_FF_H
#define BAL_MEDIA_FF_H

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <avbalance/media.h>

/* FFmpeg's messages of the thread between begin and end; logs nest. */
typedef struct BalFfLog {
    int64_t errors;
    char last[200]; /* the last error, one line */
    struct BalFfLog *outer;
} BalFfLog;
void bal_ff_log_begin(BalFfLog *log);
void bal_ff_log_end(BalFfLog *log);

typedef struct BalSource { /* zero, then open; close accepts zero and half-made ones */
    const char *path;      /* borrowed */
    BalMediaLimits limits;
    double deadline_s;
    BalFfLog log;
    bool logging, looked_ahead; /* looked_ahead: the header was not enough, packets were read to know the streams */
    AVIOContext *io;
    AVFormatContext *fmt;
} BalSource;

/* BAL_E_IO: not there, not a regular file. BAL_E_MEDIA: empty, or no format that FFmpeg knows. deadline_s: on bal_now_s's clock;
 * several openings in one call share it. */
BAL_MUST_USE BalStatus bal_source_open(BalSource *s, const char *path, const BalMediaLimits *limits, double deadline_s,
                                       BalError *err);
void bal_source_close(BalSource *s);
BAL_MUST_USE BalStatus bal_source_on_time(const BalSource *s, BalError *err); /* BAL_E_MEDIA when the time is up */

/* Next packet into *pkt (unreferenced first). BAL_END at the end of what can be read; *broken is set where that is not the
 * file's own end. BAL_E_MEDIA only when the time is up. */
BAL_MUST_USE BalStatus bal_source_read(BalSource *s, AVPacket *pkt, bool *broken, BalError *err);

/* Streams of a kind that might be used, best first: no attached pictures, default ones first, then file order. Returns their
 * number, at most cap. */
int bal_source_streams(const BalSource *s, enum AVMediaType type, int *index, int cap);
void bal_source_select(BalSource *s, int audio, int video); /* packets of all other streams are dropped; -1: none */
bool bal_stream_encrypted(const AVStream *st);
const int32_t *bal_stream_matrix(const AVStream *st); /* display matrix [9], or NULL */

/* One thread, pixels bounded. BAL_E_MEDIA: no decoder for it, encrypted, unusable parameters; the text is without the path. */
BAL_MUST_USE BalStatus bal_decoder_open(AVCodecContext **out, const BalSource *s, int stream, BalError *err);

/* Send one packet (NULL: drain) and hand every frame that comes out to fn, which may return BAL_END to stop. Packets that do not
 * decode are counted in the source's log and passed over. */
typedef BalStatus BalFrameFn(void *user, AVFrame *frame, BalError *err);
BAL_MUST_USE BalStatus bal_decoder_feed(BalSource *s, AVCodecContext *c, const AVPacket *pkt, AVFrame *frame,
                                        BalFrameFn *fn, void *user, BalError *err);

/* Samples that decoding drops at the packet's begin and end (encoder priming and padding). */
void bal_packet_trim(const AVPacket *pkt, int64_t *begin, int64_t *end);

const char *bal_kind_name(enum AVMediaType type);   /* "sound", "picture" */
double bal_ts_seconds(int64_t ts, AVRational base); /* NaN for AV_NOPTS_VALUE */

/* "path: what: FFmpeg's text (its last message)" */
BalStatus bal_ff_fail(BalError *err, BalStatus code, int averror, const BalFfLog *log, const char *path,
                      const char *what);

#endif
