/* Which packets can be left out, from the bitstream itself.
 *
 * Containers also mark keyframes and disposable packets, but wrongly often enough (MP4 without a sync table, intra refresh marked as
 * key, disposable flags that no muxer sets) that bit-equal frames cannot rest on them. Only codecs whose picture headers are plain
 * to read are handled; the rest is decoded in full.
 *
 *   codec       restart                          disposable
 *   H.264       IDR (unit type 5)                nal_ref_idc 0 in all slices
 *   HEVC        IRAP (types 16..21)              sub-layer non-reference (even types 0..14) of the highest layer
 *   MPEG-4      I-VOP                            B-VOP
 *   MPEG-1/2    I after a sequence header        B
 *   VP8, VP9    key frame                        never (probabilities carry on from frame to frame)
 *   AV1         container's flag                 never
 *   intra only  every packet                     every packet
 *
 * HEVC's CRA and the open GOPs of the others have leading pictures, decoded after the restart and shown before it; they need the
 * group before. Hence "in order of presentation" above: clip.c starts at a restart that is not later than the wanted picture. */
#include "media/packet.h"
#include <string.h>

bool bal_packet_reader_init(BalPacketReader *r, const AVCodecParameters *par) {
    const AVCodecDescriptor *d = avcodec_descriptor_get(par->codec_id);
    *r = (BalPacketReader){.codec = par->codec_id};
    r->intra_only = d && (d->props & AV_CODEC_PROP_INTRA_ONLY) && par->codec_id != AV_CODEC_ID_FFV1;
    bool boxed = par->extradata_size >= 7 && par->extradata[0] == 1; /* avcC, hvcC; start codes begin with 0 */
    switch (par->codec_id) {
    case AV_CODEC_ID_H264:
        r->length_bytes = boxed ? (par->extradata[4] & 3) + 1 : 0;
        return true;
    case AV_CODEC_ID_HEVC:
        r->length_bytes = boxed && par->extradata_size >= 23 ? (par->extradata[21] & 3) + 1 : 0;
        return true;
    case AV_CODEC_ID_MPEG4:
    case AV_CODEC_ID_MPEG1VIDEO:
    case AV_CODEC_ID_MPEG2VIDEO:
    case AV_CODEC_ID_VP8:
    case AV_CODEC_ID_VP9:
    case AV_CODEC_ID_AV1:
        return true;
    default:
        return r->intra_only;
    }
}

/* The first byte after the next 00 00 01, or end. */
static const uint8_t *after_start_code(const uint8_t *p, const uint8_t *end) {
    for (; end - p >= 4; p++) {
        p = memchr(p, 0, (size_t)(end - p - 3));
        if (!p) return end;
        if (p[1] == 0 && p[2] == 1) return p + 3;
    }
    return end;
}

/* Step to the next unit: *unit points at its header, of which at least two bytes are there. */
static bool next_unit(int length_bytes, const uint8_t **at, const uint8_t *end, const uint8_t **unit) {
    if (!length_bytes) {
        *unit = *at = after_start_code(*at, end);
        return end - *unit >= 2;
    }
    if (end - *at < length_bytes) return false;
    size_t n = 0;
    for (int i = 0; i < length_bytes; i++) n = n << 8 | *(*at)++;
    *unit = *at;
    if (n < 2 || n > (size_t)(end - *at)) return false;
    *at += n;
    return true;
}

static unsigned read_h264(int length_bytes, const uint8_t *p, const uint8_t *end) {
    const uint8_t *unit;
    unsigned flags = 0, slices = 0, unreferenced = 0, idr = 0;
    while (next_unit(length_bytes, &p, end, &unit)) {
        int type = unit[0] & 31, ref = unit[0] >> 5 & 3;
        if (type == 7 || type == 8 || type == 13) flags |= BAL_PKT_PARAMS;
        if (type < 1 || type > 5) continue;
        slices++;
        idr += type == 5;
        unreferenced += ref == 0;
    }
    if (!slices || (idr && idr != slices)) return BAL_PKT_STRANGE;
    if (idr) flags |= BAL_PKT_RESTART;
    if (unreferenced == slices) flags |= BAL_PKT_DISPOSABLE;
    return flags;
}

static unsigned read_hevc(BalPacketReader *r, const uint8_t *p, const uint8_t *end) {
    const uint8_t *unit;
    unsigned flags = 0, slices = 0, unreferenced = 0, restarts = 0;
    while (next_unit(r->length_bytes, &p, end, &unit)) {
        int type = unit[0] >> 1 & 63, layer = (unit[1] & 7) - 1;
        if (type >= 32 && type <= 34) flags |= BAL_PKT_PARAMS;
        if (type > 31 || (unit[0] & 1) || unit[1] >> 3) continue; /* no slice, or of an enhancement layer */
        if (layer > r->max_layer) r->max_layer = layer;
        slices++;
        restarts += type >= 16 && type <= 21;
        unreferenced += type <= 14 && type % 2 == 0;
    }
    if (!slices || (restarts && restarts != slices) || r->max_layer > 0) return BAL_PKT_STRANGE;
    if (restarts) flags |= BAL_PKT_RESTART;
    if (unreferenced == slices) flags |= BAL_PKT_DISPOSABLE;
    return flags;
}

/* MPEG-1, 2 and 4 have one picture per packet; two (fields, packed B-frames) are strange. */
static unsigned read_mpeg(enum AVCodecID codec, const uint8_t *p, const uint8_t *end) {
    bool mpeg4 = codec == AV_CODEC_ID_MPEG4;
    unsigned pictures = 0, kind = 0, sequence = mpeg4;
    while ((p = after_start_code(p, end)) < end) {
        if (!mpeg4 && *p == 0xb3) sequence = 1;
        if (*p != (mpeg4 ? 0xb6 : 0x00)) continue;
        if (end - p < 3) return BAL_PKT_STRANGE;
        pictures++;
        kind = mpeg4 ? (p[1] >> 6) + 1u : p[2] >> 3 & 7u; /* 1 I, 2 P, 3 B */
    }
    if (pictures != 1) return BAL_PKT_STRANGE;
    if (kind == 1 && sequence) return BAL_PKT_RESTART;
    return kind == 3 ? BAL_PKT_DISPOSABLE : 0;
}

static unsigned read_vp9(const uint8_t *p, const uint8_t *end) {
    if (end - p < 2 || p[0] >> 6 != 2) return BAL_PKT_STRANGE;
    int profile = (p[0] >> 5 & 1) | (p[0] >> 4 & 1) << 1, at = 3 - (profile == 3); /* bits left below the profile */
    bool existing = p[0] >> at & 1, inter = p[0] >> (at - 1) & 1;
    if (existing) return 0;
    return inter ? 0 : BAL_PKT_RESTART;
}

unsigned bal_packet_read(BalPacketReader *r, const AVPacket *pkt) {
    const uint8_t *p = pkt->data, *end = pkt->data + pkt->size;
    if (pkt->size < 1) return BAL_PKT_STRANGE;
    if (r->intra_only) return BAL_PKT_RESTART | BAL_PKT_DISPOSABLE;
    switch (r->codec) {
    case AV_CODEC_ID_H264:
        return read_h264(r->length_bytes, p, end);
    case AV_CODEC_ID_HEVC:
        return read_hevc(r, p, end);
    case AV_CODEC_ID_MPEG4:
    case AV_CODEC_ID_MPEG1VIDEO:
    case AV_CODEC_ID_MPEG2VIDEO:
        return read_mpeg(r->codec, p, end);
    case AV_CODEC_ID_VP8:
        return (p[0] & 1 ? 0 : BAL_PKT_RESTART) | (p[0] & 16 ? 0 : BAL_PKT_HIDDEN);
    case AV_CODEC_ID_VP9:
        return read_vp9(p, end);
    case AV_CODEC_ID_AV1:
        return pkt->flags & AV_PKT_FLAG_KEY ? BAL_PKT_RESTART : 0;
    default:
        return BAL_PKT_STRANGE;
    }
}
