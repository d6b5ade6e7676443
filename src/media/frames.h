/* The pictures shown at wanted times, out of the coded packets of one clip. */
#ifndef BAL_MEDIA_FRAMES_H
#define BAL_MEDIA_FRAMES_H

#include "media/ff.h"
#include "media/packet.h"

typedef struct BalCoded {
    AVPacket *pkt; /* owned */
    unsigned kind; /* BAL_PKT_* */
} BalCoded;
typedef struct BalCodedList { /* in decoding order */
    BalCoded *at;
    size_t n, cap;
    int64_t bytes;
} BalCodedList;
BAL_MUST_USE BalStatus bal_coded_add(BalCodedList *l, const AVPacket *pkt, unsigned kind, BalError *err);
void bal_coded_drop(BalCodedList *l, size_t n); /* the first n */
void bal_coded_reset(BalCodedList *l);

typedef enum BalFrameWay { BAL_FRAMES_NEEDED, BAL_FRAMES_NEAREST_KEY, BAL_FRAMES_ALL } BalFrameWay;
typedef struct BalFrameWish {
    const double *t_s; /* [n] ascending, on the stream's own clock */
    int n;
    double origin_s;  /* subtracted from the times in out->frame_s */
    BalFrameWay way;  /* ALL: decode every packet, the yardstick of the other two */
    bool index_known; /* the reader tells the packets of this codec apart */
} BalFrameWish;

/* Fills out->frames, frame_s, n_frames, width, height. BAL_E_MEDIA where no picture comes out. */
BAL_MUST_USE BalStatus bal_frames_decode(BalSource *s, int stream, const BalCodedList *list, const BalFrameWish *wish,
                                         BalClipMedia *out, BalError *err);

#endif
