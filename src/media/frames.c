/* The pictures shown at wanted times, decoding as little as possible.
 *
 * A picture needs the packets from the last restart before it on; of these, disposable ones (most B-frames) are needed only if
 * wanted themselves. So: sort the packets by presentation time, find the wanted ones, and for each in decoding order jump to its
 * restart if that lies ahead, else go on, leaving out what is disposable. No packet is decoded twice. With keyframes every second
 * that decodes one picture per second; with long groups it saves the B-frames. What cannot be left out without changing pixels (the
 * loop filter, reference frames nobody looks at) is not left out: the pictures are those of a full decode, bit for bit.
 *
 * This trusts the packets' times and kinds. Where those are incomplete or odd, or where anything fails on the way (an error, a wanted
 * picture that does not come out), everything is decoded from the list's beginning instead. */
#include "media/frames.h"
#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"

#define MAX_FRAME_BYTES ((size_t)2 << 30)

/* ---- list ---- */

BalStatus bal_coded_add(BalCodedList *l, const AVPacket *pkt, unsigned kind, BalError *err) {
    BAL_TRY(bal_grow(&l->at, &l->cap, l->n + 1, sizeof *l->at, err));
    AVPacket *own = av_packet_clone(pkt);
    if (!own) return BAL_FAIL(err, BAL_E_NOMEM, "out of memory for a packet");
    l->at[l->n++] = (BalCoded){own, kind};
    l->bytes += own->size;
    return BAL_OK;
}

void bal_coded_drop(BalCodedList *l, size_t n) {
    for (size_t i = 0; i < n; i++) {
        l->bytes -= l->at[i].pkt->size;
        av_packet_free(&l->at[i].pkt);
    }
    if (n) memmove(l->at, l->at + n, (l->n - n) * sizeof *l->at);
    l->n -= n;
}

void bal_coded_reset(BalCodedList *l) {
    bal_coded_drop(l, l->n);
    bal_free(l->at);
    *l = (BalCodedList){0};
}

/* ---- output ---- */

typedef struct Target { /* one wanted picture */
    int64_t pts;
    size_t packet, start; /* places in the list: itself, and where decoding for it begins */
    int first, n;         /* wishes it serves: t_s[first .. first + n) */
    bool done;
} Target;

typedef struct Job {
    BalSource *s;
    const AVStream *st;
    const BalCodedList *list;
    const BalFrameWish *wish;
    BalClipMedia *out;
    AVCodecContext *decoder;
    AVFrame *frame;
    BalPicture picture;
    BalTurn turn;
    bool met;      /* the first picture has come */
    int delivered; /* wishes served so far; a sink gets them in order or not at all */
    bool disorder; /* ... and here it would not have */
    double slack_s;
    /* needed pictures only */
    Target *target;
    int n_targets;
    size_t *order; /* [list->n] shown packets by time */
    size_t n_shown;
    /* all pictures */
    AVFrame *before; /* the picture on screen until `frame` */
    double before_s;
    int next; /* first wish not yet served */
} Job;

/* Some codecs carry the turn in the picture. */
static void find_turn(Job *j, const AVFrame *f) {
    const AVFrameSideData *d = j->turn ? NULL : av_frame_get_side_data(f, AV_FRAME_DATA_DISPLAYMATRIX);
    if (d && d->size >= 9 * sizeof(int32_t)) j->turn = bal_turn_of((const int32_t *)(const void *)d->data);
}

static BalStatus size_output(Job *j, const AVFrame *f, BalError *err) {
    bool swap = bal_turn_degrees(j->turn) % 180 != 0;
    BalClipMedia *o = j->out;
    o->width = swap ? f->height : f->width;
    o->height = swap ? f->width : f->height;
    o->n_frames = j->wish->n;
    size_t one = (size_t)o->width * o->height * 3, cap = (size_t)o->frame_s_cap;
    if (one == 0 || (size_t)o->n_frames > MAX_FRAME_BYTES / one)
        return BAL_FAIL(err, BAL_E_MEDIA, "picture: %d frames of %d x %d are too many for one clip (ask for fewer)",
                        o->n_frames, o->width, o->height);
    BAL_TRY(bal_grow(&o->frames, &o->frames_cap, one * o->n_frames, 1, err));
    BAL_TRY(bal_grow(&o->frame_s, &cap, (size_t)o->n_frames, sizeof *o->frame_s, err));
    o->frame_s_cap = (int)cap;
    return BAL_OK;
}

/* The picture f, shown from at_s on, for wishes [first, first + n). */
static BalStatus deliver(Job *j, const AVFrame *f, double at_s, int first, int n, BalError *err) {
    const BalFrameSink *sink = j->wish->sink;
    if (!j->met) find_turn(j, f);
    if (!j->met && !sink) BAL_TRY(size_output(j, f, err));
    j->met = true;
    if (sink) {
        j->disorder = j->disorder || first != j->delivered;
        if (j->disorder) return BAL_OK;
        j->delivered += n;
        return sink->frame(sink->user, f, j->turn, at_s - j->wish->origin_s, first, n, err);
    }
    BalClipMedia *o = j->out;
    size_t one = (size_t)o->width * o->height * 3;
    uint8_t *dst = o->frames + one * first;
    BAL_TRY(bal_picture_rgb(&j->picture, f, j->turn, dst, o->width, o->height, err));
    for (int k = 0; k < n; k++) {
        if (k) memcpy(dst + one * k, dst, one);
        o->frame_s[first + k] = at_s - j->wish->origin_s;
    }
    return BAL_OK;
}

static BalStatus restart(Job *j, BalError *err) {
    const BalFrameSink *sink = j->wish->sink;
    j->delivered = 0;
    j->disorder = false;
    return sink ? sink->restart(sink->user, err) : BAL_OK;
}

/* H.264 streams that do not say how far they reorder make the decoder guess, and lose pictures until it has guessed enough. The
 * packets' times say it. */
static int reorder_depth(const BalCodedList *l) {
    int depth = 0;
    for (size_t i = 0; i < l->n; i++) {
        int later = 0;
        for (size_t k = i > 16 ? i - 16 : 0; k < i; k++)
            later += l->at[i].pkt->pts != AV_NOPTS_VALUE && l->at[k].pkt->pts > l->at[i].pkt->pts;
        if (later > depth) depth = later;
    }
    return depth;
}

static BalStatus fresh_decoder(Job *j, BalError *err) {
    avcodec_free_context(&j->decoder);
    BAL_TRY(bal_decoder_open(&j->decoder, j->s, j->st->index, err));
    int depth = j->decoder->codec_id == AV_CODEC_ID_H264 ? reorder_depth(j->list) : 0;
    if (depth > j->decoder->has_b_frames) j->decoder->has_b_frames = depth;
    return BAL_OK;
}

static BalStatus feed(Job *j, size_t packet, BalFrameFn *take, BalError *err) {
    j->out->pictures_decoded++;
    return bal_decoder_feed(j->s, j->decoder, j->list->at[packet].pkt, j->frame, take, j, err);
}

static BalStatus drain(Job *j, BalFrameFn *take, BalError *err) {
    return bal_decoder_feed(j->s, j->decoder, NULL, j->frame, take, j, err);
}

/* ---- needed pictures only ---- */

static int64_t pts_at(const BalCodedList *l, size_t i) {
    return l->at[i].pkt->pts;
}

static int by_pts(const void *a, const void *b, void *list) {
    int64_t x = pts_at(list, *(const size_t *)a), y = pts_at(list, *(const size_t *)b);
    return (x > y) - (x < y);
}

/* Shown packets by time into j->order; false where the times or kinds cannot be trusted. */
static bool sort_shown(Job *j) {
    const BalCodedList *l = j->list;
    size_t restarts = 0, with_params = 0;
    if (!j->wish->index_known || l->n == 0 || !(l->at[0].kind & BAL_PKT_RESTART)) return false;
    for (size_t i = 0; i < l->n; i++) {
        const AVPacket *p = l->at[i].pkt;
        unsigned kind = l->at[i].kind;
        if (p->pts == AV_NOPTS_VALUE || (p->flags & AV_PKT_FLAG_CORRUPT) || (kind & BAL_PKT_STRANGE)) return false;
        if ((kind & BAL_PKT_PARAMS) && !(kind & BAL_PKT_RESTART)) return false;
        restarts += (kind & BAL_PKT_RESTART) != 0;
        with_params += (kind & BAL_PKT_PARAMS) != 0;
        if (!(p->flags & AV_PKT_FLAG_DISCARD) && !(kind & BAL_PKT_HIDDEN)) j->order[j->n_shown++] = i;
    }
    if (with_params != 0 && with_params != restarts) return false; /* parameters might change behind a jump */
    qsort_r(j->order, j->n_shown, sizeof *j->order, by_pts, (void *)(uintptr_t)l);
    for (size_t i = 1; i < j->n_shown; i++)
        if (pts_at(l, j->order[i]) == pts_at(l, j->order[i - 1])) return false;
    return j->n_shown > 0;
}

/* Place in j->order of the picture for time t: the last not later, else the first; or the nearest restart. */
static size_t shown_at(const Job *j, double t) {
    const BalCodedList *l = j->list;
    size_t lo = 0, hi = j->n_shown; /* the last with pts <= t lies in [lo, hi) */
    while (hi - lo > 1) {
        size_t mid = lo + (hi - lo) / 2;
        if (bal_ts_seconds(pts_at(l, j->order[mid]), j->st->time_base) <= t + j->slack_s)
            lo = mid;
        else
            hi = mid;
    }
    if (j->wish->way != BAL_FRAMES_NEAREST_KEY) return lo;
    size_t best = lo;
    double gap = INFINITY;
    for (size_t i = 0; i < j->n_shown; i++) {
        double d = fabs(bal_ts_seconds(pts_at(l, j->order[i]), j->st->time_base) - t);
        if (l->at[j->order[i]].kind & BAL_PKT_RESTART && d < gap) best = i, gap = d;
    }
    return best;
}

static int by_packet(const void *a, const void *b) {
    const Target *x = a, *y = b;
    return (x->packet > y->packet) - (x->packet < y->packet);
}

/* j->target: wanted pictures in decoding order, each with the packet that decoding must begin at. */
static bool plan(Job *j) {
    const BalCodedList *l = j->list;
    assert(j->target);
    for (int k = 0; k < j->wish->n; k++) {
        size_t packet = j->order[shown_at(j, j->wish->t_s[k])];
        Target *last = j->n_targets ? &j->target[j->n_targets - 1] : NULL;
        if (last && last->packet == packet)
            last->n++;
        else
            j->target[j->n_targets++] = (Target){.packet = packet, .pts = pts_at(l, packet), .first = k, .n = 1};
    }
    qsort(j->target, (size_t)j->n_targets, sizeof *j->target, by_packet);
    for (int k = 0; k < j->n_targets; k++) {
        Target *t = &j->target[k];
        size_t i = t->packet + 1;
        while (i > 0 && !((l->at[i - 1].kind & BAL_PKT_RESTART) && pts_at(l, i - 1) <= t->pts)) i--;
        if (i == 0) return false;
        t->start = i - 1;
    }
    /* A leading picture needs the group before its restart: whoever lies on that way must start as early. */
    for (int k = j->n_targets - 1; k > 0; k--)
        if (j->target[k].start <= j->target[k - 1].packet && j->target[k].start < j->target[k - 1].start)
            j->target[k - 1].start = j->target[k].start;
    return true;
}

static BalStatus take_needed(void *user, AVFrame *f, BalError *err) {
    Job *j = user;
    for (int k = 0; k < j->n_targets; k++) {
        Target *t = &j->target[k];
        if (t->done || t->pts != f->pts) continue;
        t->done = true;
        return deliver(j, f, bal_ts_seconds(f->pts, j->st->time_base), t->first, t->n, err);
    }
    return BAL_OK;
}

static BalStatus run_needed(Job *j, BalError *err) {
    size_t at = 0;
    for (int k = 0; k < j->n_targets; k++) {
        const Target *t = &j->target[k];
        if (t->start > at && at > 0) {
            BAL_TRY(drain(j, take_needed, err));
            avcodec_flush_buffers(j->decoder);
        }
        if (t->start > at) at = t->start;
        for (; at <= t->packet; at++)
            if (at == t->packet || !(j->list->at[at].kind & BAL_PKT_DISPOSABLE)) BAL_TRY(feed(j, at, take_needed, err));
    }
    return drain(j, take_needed, err);
}

/* BAL_END: not possible, or something went wrong on the way; decode all instead. */
static BalStatus decode_needed(Job *j, BalError *err) {
    if (j->wish->way == BAL_FRAMES_ALL) return BAL_END;
    BAL_TRY(bal_alloc(&j->order, j->list->n, sizeof *j->order, err));
    BAL_TRY(bal_alloc(&j->target, (size_t)j->wish->n, sizeof *j->target, err));
    if (!sort_shown(j) || !plan(j)) return BAL_END;
    BalFfLog before = j->s->log;
    BAL_TRY(restart(j, err));
    BAL_TRY(fresh_decoder(j, err));
    BAL_TRY(run_needed(j, err));
    bool good = j->s->log.errors == before.errors && !j->disorder;
    for (int k = 0; k < j->n_targets; k++) good = good && j->target[k].done;
    if (good) return BAL_OK;
    j->s->log = before; /* the full decode will count them again */
    return BAL_END;
}

/* ---- all pictures ---- */

static BalStatus take_all(void *user, AVFrame *f, BalError *err) {
    Job *j = user;
    const BalFrameWish *w = j->wish;
    double at = bal_ts_seconds(f->best_effort_timestamp, j->st->time_base), fps = av_q2d(j->st->avg_frame_rate);
    if (isnan(at)) at = isnan(j->before_s) ? w->origin_s : j->before_s + (fps > 0 ? 1 / fps : 0.04);
    int first = j->next;
    while (j->next < w->n && w->t_s[j->next] + j->slack_s < at) j->next++;
    bool any = !isnan(j->before_s);
    if (!any)
        j->next = first; /* before the first picture: that one */
    else if (j->next > first)
        BAL_TRY(deliver(j, j->before, j->before_s, first, j->next - first, err));
    av_frame_unref(j->before);
    av_frame_move_ref(j->before, f);
    j->before_s = at;
    return j->next < w->n ? BAL_OK : BAL_END;
}

static BalStatus decode_all(Job *j, BalError *err) {
    BalStatus rc = BAL_OK;
    j->next = 0;
    j->before_s = NAN;
    j->out->pictures_decoded = 0;
    BAL_TRY(restart(j, err));
    BAL_TRY(fresh_decoder(j, err));
    for (size_t i = 0; rc == BAL_OK && i < j->list->n; i++) rc = feed(j, i, take_all, err);
    if (rc == BAL_OK) rc = drain(j, take_all, err);
    if (rc < 0) return rc;
    if (isnan(j->before_s))
        return BAL_FAIL(err, BAL_E_MEDIA, "picture: not one frame of %s decodes%s%s",
                        avcodec_get_name(j->decoder->codec_id), j->s->log.last[0] ? ": " : "", j->s->log.last);
    if (j->next == j->wish->n) return BAL_OK;
    return deliver(j, j->before, j->before_s, j->next, j->wish->n - j->next, err);
}

BalStatus bal_frames_decode(BalSource *s, int stream, const BalCodedList *list, const BalFrameWish *wish,
                            BalClipMedia *out, BalError *err) {
    out->pictures_decoded = 0;
    Job j = {.s = s, .st = s->fmt->streams[stream], .list = list, .wish = wish, .out = out};
    j.turn = bal_turn_of(bal_stream_matrix(j.st));
    /* Matroska rounds times to milliseconds: a picture half a tick late is on time. */
    j.slack_s = fmin(0.5 * av_q2d(j.st->time_base), 0.0005) + 1e-6;
    j.frame = av_frame_alloc();
    j.before = av_frame_alloc();
    BalStatus rc = j.frame && j.before ? BAL_OK : BAL_FAIL(err, BAL_E_NOMEM, "out of memory for a frame");
    if (rc == BAL_OK) rc = decode_needed(&j, err);
    if (rc == BAL_END) rc = decode_all(&j, err);
    avcodec_free_context(&j.decoder);
    av_frame_free(&j.frame);
    av_frame_free(&j.before);
    bal_picture_reset(&j.picture);
    bal_free(j.order);
    bal_free(j.target);
    return rc;
}
