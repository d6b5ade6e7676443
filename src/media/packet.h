/* What a coded picture means for its neighbours, read from the first bytes of its packet. */
#ifndef BAL_MEDIA_PACKET_H
#define BAL_MEDIA_PACKET_H

#include <libavcodec/avcodec.h>
#include <stdbool.h>

enum {
    BAL_PKT_RESTART = 1,    /* decoding may begin here: right from this picture on, in order of presentation */
    BAL_PKT_DISPOSABLE = 2, /* no other picture is predicted from it */
    BAL_PKT_PARAMS = 4,     /* carries parameter sets that later packets may need */
    BAL_PKT_HIDDEN = 8,     /* is decoded but never shown */
    BAL_PKT_STRANGE = 16,   /* not understood: trust nothing in this stream */
};

typedef struct BalPacketReader {
    enum AVCodecID codec;
    bool intra_only;
    int length_bytes; /* H.264, HEVC: size of a unit's length field; 0: start codes */
    int max_layer;    /* HEVC: highest temporal layer seen */
} BalPacketReader;

/* false: pictures of this codec cannot be told apart; then every packet must be decoded. */
bool bal_packet_reader_init(BalPacketReader *r, const AVCodecParameters *par);
unsigned bal_packet_read(BalPacketReader *r, const AVPacket *pkt);

#endif
