/* The pictures shown at wanted times, out of the coded packets of one clip. */
#ifndef BAL_MEDIA_FRAMES_H
#define BAL_MEDIA_FRAMES_H

#include "media/ff.h"
#include "media/packet.h"
#include "media/picture.h"

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

/* Takes the pictures instead of BalClipMedia's frames: as they were decoded, one after the other. */
typedef struct BalFrameSink {
    BalStatus (*restart)(void *user, BalError *err); /* pictures come from the first wish on; earlier ones are void */
    /* f, to be turned so, is on screen for wishes first .. first + n - 1, and has been since at_s (clip clock). */
    BalStatus (*frame)(void *user, const AVFrame *f, BalTurn turn, double at_s, int first, int n, BalError *err);
    void *user;
} BalFrameSink;

typedef enum BalFrameWay { BAL_FRAMES_NEEDED, BAL_FRAMES_NEAREST_KEY, BAL_FRAMES_ALL } BalFrameWay;
typedef struct BalFrameWish {
    const double *t_s; /* [n] ascending, on the stream's own clock */
    int n;
    double origin_s;          /* subtracted from the times in out->frame_s */
    BalFrameWay way;          /* ALL: decode every packet, the yardstick of the other two */
    bool index_known;         /* the reader tells the packets of this codec apart */
    const BalFrameSink *sink; /* NULL: into out */
} BalFrameWish;

/* Fills out->frames, frame_s, n_frames, width, height, or feeds the sink. BAL_E_MEDIA where no picture comes out. */
BAL_MUST_USE BalStatus bal_frames_decode(BalSource *s, int stream, const BalCodedList *list, const BalFrameWish *wish,
                                         BalClipMedia *out, BalError *err);

#endif
