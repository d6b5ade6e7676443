/* What the packets of one stream tell about when it is seen or heard. */
#ifndef BAL_MEDIA_TRACK_H
#define BAL_MEDIA_TRACK_H

#include "media/ff.h"

typedef struct BalTrack {
    int stream; /* -1: none */
    AVRational base;
    int64_t packets;        /* seen, shown ones */
    double first_s, last_s; /* presentation: earliest, end of the latest; NaN: none yet */
    double dts_s, gap_s;    /* of the last packet, and from the one before to it; NaN: unknown */
    double shown_s,
        shortest_s; /* begin of the last packet; shortest step from one to the next, either way; NaN: none yet */
} BalTrack;

BalTrack bal_track(const BalSource *s, int stream);
/* Take note of a packet; *from and *to: presentation time of its first moment and behind its last, NaN where unknown. hidden: it is
 * decoded but never shown. */
void bal_track_see(BalTrack *t, const BalSource *s, const AVPacket *pkt, bool hidden, double *from, double *to);

#endif
