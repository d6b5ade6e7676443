/* Times of a stream from its packets: containers leave durations out, and sound decoders drop samples at both ends. */
#include "media/track.h"
#include <math.h>

BalTrack bal_track(const BalSource *s, int stream) {
    return (BalTrack){.stream = stream,
                      .base = stream >= 0 ? s->fmt->streams[stream]->time_base : (AVRational){0, 1},
                      .first_s = NAN,
                      .last_s = NAN,
                      .dts_s = NAN,
                      .gap_s = NAN,
                      .shown_s = NAN,
                      .shortest_s = NAN};
}

/* at: of the packet as the container tells it */
static void packet_times(const BalTrack *t, const AVStream *st, const AVPacket *pkt, double at, double *from,
                         double *to) {
    double fps = av_q2d(st->avg_frame_rate), length = bal_ts_seconds(pkt->duration, t->base);
    *from = at;
    if (pkt->duration <= 0)
        length = t->gap_s > 0 ? t->gap_s : fps > 0 ? 1 / fps : t->shortest_s > 0 ? t->shortest_s : 0.02;
    *to = *from + length;
    if (st->codecpar->codec_type != AVMEDIA_TYPE_AUDIO || st->codecpar->sample_rate <= 0) return;
    int64_t begin, end;
    bal_packet_trim(pkt, &begin, &end);
    *from += (double)begin / st->codecpar->sample_rate;
    *to -= (double)end / st->codecpar->sample_rate;
}

void bal_track_see(BalTrack *t, const BalSource *s, const AVPacket *pkt, bool hidden, double *from, double *to) {
    if (pkt->dts != AV_NOPTS_VALUE) {
        t->gap_s = bal_ts_seconds(pkt->dts, t->base) - t->dts_s;
        t->dts_s = bal_ts_seconds(pkt->dts, t->base);
    }
    double at = bal_ts_seconds(pkt->pts != AV_NOPTS_VALUE ? pkt->pts : pkt->dts, t->base);
    if (at != t->shown_s) t->shortest_s = fmin(t->shortest_s, fabs(at - t->shown_s));
    t->shown_s = at;
    packet_times(t, s->fmt->streams[t->stream], pkt, at, from, to);
    if ((pkt->flags & AV_PKT_FLAG_DISCARD) || hidden) return;
    t->packets++;
    t->first_s = fmin(t->first_s, *from); /* fmin and fmax pass over NaN */
    t->last_s = fmax(t->last_s, *to);
}
