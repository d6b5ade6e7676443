/* Where a video is to be cut: shots from the differences of pictures, spans from shots.
 *
 * The measure is that of FFmpeg's scdet (libavfilter/vf_scdet.c, after Lucas' shotdetect): D = mean |Y - Y before| in percent of the
 * range; score = min(D, |D - D before|), so that steady motion, where D is large but stays so, is no cut. Every picture counts, at
 * the times of the clips' clock. Only packets of the sound are looked at. */
#include "media/shots.h"
#include <avbalance/cut.h>
#include <libavutil/avconfig.h>
#include <libavutil/pixdesc.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/mem.h"
#include "media/ff.h"
#include "media/packet.h"
#include "media/track.h"

#define MOST_S 1e5 /* of a video: in clips of a tenth of a second that is a million */

enum {
    MAX_STREAMS = 8,
    MAX_CUTS = 1 << 22,
    SLACK_MS = 100 /* a video that is as long as a clip, but for this, is one: much that is called 10 s has 9.98 */
};

BalCutRule bal_cut_rule_default(bool grid) {
    return grid ? (BalCutRule){.grid = true, .clip_s = 10}
                : (BalCutRule){.clip_s = 10, .threshold = 10, .edge_s = 5, .edge_from_s = 60, .most = 12};
}

/* ---- the measure ---- */

double bal_scene_score(double difference, double *before) {
    double change = fabs(difference - *before);
    *before = difference;
    return fmin(100, fmin(difference, change));
}

void bal_scene_reset(BalScene *s) {
    av_frame_free(&s->before);
    bal_picture_reset(&s->picture);
    bal_free(s->luma);
    *s = (BalScene){0};
}

static uint64_t difference8(const uint8_t *a, ptrdiff_t a_step, const uint8_t *b, ptrdiff_t b_step, int W, int H) {
    uint64_t sum = 0;
    for (int y = 0; y < H; y++, a += a_step, b += b_step) {
        uint32_t row = 0;
        for (int x = 0; x < W; x++) row += (uint32_t)abs(a[x] - b[x]);
        sum += row;
    }
    return sum;
}

static uint64_t difference16(const uint8_t *a, ptrdiff_t a_step, const uint8_t *b, ptrdiff_t b_step, int W, int H) {
    uint64_t sum = 0;
    for (int y = 0; y < H; y++, a += a_step, b += b_step) {
        const uint16_t *p = (const void *)a, *q = (const void *)b;
        for (int x = 0; x < W; x++) sum += (uint64_t)abs(p[x] - q[x]);
    }
    return sum;
}

/* Bits of luma samples that stand one behind the other in plane 0, 8 to 16; 0 where they do not. */
static int plain_luma(int format) {
    const AVPixFmtDescriptor *d = av_pix_fmt_desc_get(format);
    uint64_t odd = AV_PIX_FMT_FLAG_RGB | AV_PIX_FMT_FLAG_PAL | AV_PIX_FMT_FLAG_BITSTREAM | AV_PIX_FMT_FLAG_HWACCEL |
                   AV_PIX_FMT_FLAG_FLOAT;
    if (!d || (d->flags & odd) || d->comp[0].plane != 0 || d->comp[0].offset != 0 || d->comp[0].shift != 0) return 0;
    int bits = d->comp[0].depth, bytes = bits > 8 ? 2 : 1;
    bool native = bytes == 1 || !!(d->flags & AV_PIX_FMT_FLAG_BE) == AV_HAVE_BIGENDIAN;
    return bits >= 8 && bits <= 16 && d->comp[0].step == bytes && native ? bits : 0;
}

/* D of f and s->before, both of one size and format */
static BalStatus difference(BalScene *s, const AVFrame *f, double *out, BalError *err) {
    const AVFrame *b = s->before;
    int bits = plain_luma(f->format), W = f->width, H = f->height;
    uint64_t sum = 0;
    if (bits) {
        sum = (bits > 8 ? difference16 : difference8)(b->data[0], b->linesize[0], f->data[0], f->linesize[0], W, H);
    } else {
        size_t n = (size_t)W * H;
        const uint8_t *luma;
        int stride;
        BAL_TRY(bal_grow(&s->luma, &s->luma_cap, n, 1, err));
        BAL_TRY(bal_picture_luma(&s->picture, b, W, H, &luma, &stride, err));
        for (int y = 0; y < H; y++) memcpy(s->luma + (size_t)y * W, luma + (size_t)y * stride, (size_t)W);
        BAL_TRY(bal_picture_luma(&s->picture, f, W, H, &luma, &stride, err));
        sum = difference8(s->luma, W, luma, stride, W, H);
    }
    *out = 100.0 * (double)sum / ((double)W * H) / (double)(1 << (bits ? bits : 8));
    return BAL_OK;
}

BalStatus bal_scene_add(BalScene *s, const AVFrame *f, double *score, BalError *err) {
    if (!s->before && !(s->before = av_frame_alloc())) return BAL_FAIL(err, BAL_E_NOMEM, "out of memory for a frame");
    double d, result = 0;
    if (s->before->width == f->width && s->before->height == f->height && s->before->format == f->format) {
        BAL_TRY(difference(s, f, &d, err));
        result = bal_scene_score(d, &s->difference);
    }
    av_frame_unref(s->before);
    if (av_frame_ref(s->before, f) < 0) return BAL_FAIL(err, BAL_E_NOMEM, "out of memory for a frame");
    *score = result;
    return BAL_OK;
}

/* ---- spans ---- */

/* The k-th of `most` evenly spread among n. */
static int64_t spread(int64_t k, int64_t most, int64_t n) {
    return (2 * k + 1) * n / (2 * most);
}

typedef struct Spans {
    BalSpan *at;
    size_t cap;
    int64_t n;
} Spans;

/* The clips that fit between two times, behind each other; centred: margins of one size on both sides. */
static BalStatus fill(Spans *s, int64_t from_ms, int64_t to_ms, int64_t clip_ms, bool centred, unsigned flags,
                      BalError *err) {
    int64_t n = to_ms > from_ms ? (to_ms - from_ms) / clip_ms : 0;
    if (centred) from_ms += (to_ms - from_ms - n * clip_ms) / 2;
    BAL_TRY(bal_grow(&s->at, &s->cap, (size_t)(s->n + n + 1), sizeof *s->at, err));
    for (int64_t k = 0; k < n; k++, from_ms += clip_ms) s->at[s->n++] = (BalSpan){from_ms, from_ms + clip_ms, flags};
    return BAL_OK;
}

static BalStatus fill_shots(Spans *s, const BalCutRule *r, int64_t from_ms, int64_t to_ms, const double *cut_s,
                            int64_t n_cuts, BalError *err) {
    int64_t clip_ms = llround(r->clip_s * 1000), begin = from_ms;
    for (int64_t k = 0; k < n_cuts; k++) {
        int64_t end = (int64_t)floor(cut_s[k] * 1000), next = (int64_t)ceil(cut_s[k] * 1000);
        if (end > begin && end < to_ms) BAL_TRY(fill(s, begin, end, clip_ms, true, 0, err));
        if (next > begin && next < to_ms) begin = next;
    }
    return fill(s, begin, to_ms, clip_ms, true, 0, err);
}

BalStatus bal_cut_spans(const BalCutRule *r, double from_s, double to_s, const double *cut_s, int64_t n_cuts,
                        BalSpan **out, int *n, BalError *err) {
    if (!(r->clip_s >= 0.1 && r->clip_s <= 600) || !(r->edge_s >= 0) || r->most < 0 || !(to_s < 1e8))
        return BAL_FAIL(err, BAL_E_ARG, "clips of %g s (0.1 to 600), edges of %g s, at most %d, of a video of %g s",
                        r->clip_s, r->edge_s, r->most, to_s);
    double edge_s = r->edge_s > 0 && to_s > r->edge_from_s ? r->edge_s : 0;
    double begin_s = fmax(from_s, edge_s), end_s = fmin(to_s, to_s - edge_s);
    /* A stream that begins a few milliseconds late is no reason to leave the first clip. */
    int64_t from_ms = begin_s <= 0.05 ? 0 : (int64_t)ceil(begin_s * 1000), to_ms = (int64_t)floor(end_s * 1000 + 0.5),
            clip_ms = llround(r->clip_s * 1000);
    if (to_ms - from_ms < clip_ms && to_ms - from_ms >= clip_ms - SLACK_MS) to_ms = from_ms + clip_ms;
    Spans s = {0};
    BalStatus rc = BAL_OK;
    if (!r->grid) BAL_TRY_OR(fail, fill_shots(&s, r, from_ms, to_ms, cut_s, n_cuts, err));
    if (s.n == 0) BAL_TRY_OR(fail, fill(&s, from_ms, to_ms, clip_ms, false, r->grid ? 0 : BAL_SPAN_MIXED, err));
    int64_t kept = r->most && s.n > r->most ? r->most : s.n;
    for (int64_t k = 0; k < kept; k++) s.at[k] = s.at[spread(k, kept, s.n)];
    *out = s.at;
    *n = (int)kept;
    return BAL_OK;
fail:
    bal_free(s.at);
    return rc;
}

void bal_spans_free(BalSpan *span) {
    bal_free(span);
}

void bal_cut_plan_reset(BalCutPlan *p) {
    bal_free(p->cut_s);
    bal_free(p->span);
    *p = (BalCutPlan){0};
}

/* ---- one pass over the video ---- */

typedef struct Plan {
    const BalCutRule *rule;
    BalSource src;
    BalTrack sound, picture;
    BalPacketReader reader;
    bool index_known, broken;
    AVCodecContext *decoder; /* of the pictures; NULL with a grid */
    AVFrame *frame;
    BalScene scene;
    double at_s; /* of the last picture, on the stream's clock */
    size_t cap;
    BalCutPlan out;
} Plan;

static BalStatus take_picture(void *user, AVFrame *f, BalError *err) {
    Plan *p = user;
    const AVStream *st = p->src.fmt->streams[p->picture.stream];
    double score, fps = av_q2d(st->avg_frame_rate), at = bal_ts_seconds(f->best_effort_timestamp, st->time_base);
    BAL_TRY(bal_scene_add(&p->scene, f, &score, err));
    if (isnan(at)) at = isnan(p->at_s) ? 0 : p->at_s + (fps > 0 ? 1 / fps : 0.04);
    bool later = isnan(p->at_s) || at > p->at_s;
    p->at_s = at;
    p->out.frames++;
    if (score < p->rule->threshold || !later) return BAL_OK;
    if (p->out.n_cuts >= MAX_CUTS) return BAL_FAIL(err, BAL_E_MEDIA, "picture: more than %d cuts", MAX_CUTS);
    BAL_TRY(bal_grow(&p->out.cut_s, &p->cap, (size_t)p->out.n_cuts + 1, sizeof *p->out.cut_s, err));
    p->out.cut_s[p->out.n_cuts++] = at;
    return BAL_OK;
}

static BalStatus take_packet(Plan *p, const AVPacket *pkt, BalError *err) {
    double from, to;
    if (pkt->size <= 0) return BAL_OK;
    if (pkt->stream_index == p->sound.stream) bal_track_see(&p->sound, &p->src, pkt, false, &from, &to);
    if (pkt->stream_index != p->picture.stream) return BAL_OK;
    bool hidden = p->index_known && (bal_packet_read(&p->reader, pkt) & BAL_PKT_HIDDEN);
    bal_track_see(&p->picture, &p->src, pkt, hidden, &from, &to);
    return p->decoder ? bal_decoder_feed(&p->src, p->decoder, pkt, p->frame, take_picture, p, err) : BAL_OK;
}

/* Read the open file to its end with these streams. */
static BalStatus pass(Plan *p, int sound, int picture, BalError *err) {
    p->sound = bal_track(&p->src, sound), p->picture = bal_track(&p->src, picture);
    p->at_s = NAN;
    p->out.n_cuts = p->out.frames = 0;
    p->index_known = bal_packet_reader_init(&p->reader, p->src.fmt->streams[picture]->codecpar);
    bal_source_select(&p->src, sound, picture);
    AVCodecContext *decoder = NULL;
    BAL_TRY(bal_decoder_open(&decoder, &p->src, sound, err)); /* what cannot be decoded shall not be cut */
    avcodec_free_context(&decoder);
    BAL_TRY(bal_decoder_open(&p->decoder, &p->src, picture, err));
    if (p->rule->grid) avcodec_free_context(&p->decoder);
    AVPacket *pkt = av_packet_alloc();
    BalStatus rc = pkt ? BAL_OK : BAL_FAIL(err, BAL_E_NOMEM, "out of memory for a packet");
    while (rc == BAL_OK && (rc = bal_source_read(&p->src, pkt, &p->broken, err)) == BAL_OK)
        rc = take_packet(p, pkt, err);
    av_packet_free(&pkt);
    if (rc == BAL_END) rc = BAL_OK;
    if (rc == BAL_OK && p->decoder) rc = bal_decoder_feed(&p->src, p->decoder, NULL, p->frame, take_picture, p, err);
    if (rc == BAL_OK && (isnan(p->sound.first_s) || isnan(p->picture.first_s) || (p->decoder && !p->out.frames)))
        rc = BAL_FAIL(err, BAL_E_MEDIA, "%s: nothing decodes%s%s", isnan(p->sound.first_s) ? "sound" : "picture",
                      p->src.log.last[0] ? ": " : "", p->src.log.last);
    return rc;
}

/* The nth candidates for picture and sound; *n: how many pictures there are. */
static BalStatus attempt(Plan *p, const char *path, const BalMediaLimits *limits, double deadline_s, int nth, int *n,
                         BalError *err) {
    int sound[MAX_STREAMS], picture[MAX_STREAMS];
    BAL_TRY(bal_source_open(&p->src, path, limits, deadline_s, err));
    int n_sound = bal_source_streams(&p->src, AVMEDIA_TYPE_AUDIO, sound, MAX_STREAMS);
    *n = bal_source_streams(&p->src, AVMEDIA_TYPE_VIDEO, picture, MAX_STREAMS);
    BalStatus rc = n_sound > 0 && *n > 0
                       ? pass(p, sound[nth < n_sound ? nth : 0], picture[nth < *n ? nth : 0], err)
                       : BAL_FAIL(err, BAL_E_MEDIA, "has no %s stream", n_sound ? "picture" : "sound");
    if (n_sound > *n) *n = n_sound;
    avcodec_free_context(&p->decoder);
    bal_scene_reset(&p->scene);
    bal_source_close(&p->src);
    if (rc < 0 && err && strncmp(err->text, path, strlen(path)) != 0) { /* put the file's name in front */
        BalError cause = *err;
        return BAL_FAIL(err, cause.code, "%s: %s", path, cause.text);
    }
    return rc;
}

/* Times are what the file claims: a packet a few years on must neither ask for a year of clips nor end the work on
 * other videos. */
static BalStatus finish(Plan *p, const char *path, BalError *err) {
    BalCutPlan *o = &p->out;
    double origin = fmin(p->sound.first_s, p->picture.first_s);
    o->duration_s = fmax(p->sound.last_s, p->picture.last_s) - origin;
    o->from_s = fmax(p->sound.first_s, p->picture.first_s) - origin;
    o->to_s = fmin(p->sound.last_s, p->picture.last_s) - origin;
    for (int64_t k = 0; k < o->n_cuts; k++) o->cut_s[k] -= origin;
    if (!(o->to_s <= MOST_S))
        return BAL_FAIL(err, BAL_E_MEDIA, "%s: %g s long by its times; at most %g s are planned", path, o->to_s,
                        MOST_S);
    return bal_cut_spans(p->rule, o->from_s, o->to_s, o->cut_s, o->n_cuts, &o->span, &o->n_spans, err);
}

BalStatus bal_cut_plan(const char *path, const BalCutRule *rule, const BalMediaLimits *limits, BalCutPlan *out,
                       BalError *err) {
    BalMediaLimits within = limits ? *limits : bal_media_limits_default();
    double deadline_s = bal_now_s() + within.seconds;
    Plan p = {.rule = rule, .frame = av_frame_alloc()};
    BalError first = {0};
    int n = 1;
    BalStatus rc = p.frame ? BAL_E_MEDIA : BAL_FAIL(err, BAL_E_NOMEM, "out of memory for a frame");
    for (int nth = 0; nth < n && rc == BAL_E_MEDIA; nth++) {
        rc = attempt(&p, path, &within, deadline_s, nth, &n, err);
        if (rc == BAL_E_MEDIA && nth == 0 && err) first = *err;
        if (bal_now_s() > deadline_s) break;
    }
    if (rc == BAL_E_MEDIA && err) *err = first;
    if (rc == BAL_OK) rc = finish(&p, path, err);
    av_frame_free(&p.frame);
    if (rc < 0)
        bal_cut_plan_reset(&p.out);
    else
        *out = p.out;
    return rc;
}
