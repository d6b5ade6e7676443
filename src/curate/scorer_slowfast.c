/* SlowFast as a scorer: views of a video, 32 frames each, as PySlowFast tests its networks (building.md 1.4).
 *
 * A clip's pictures come one after the other; each goes at once into every view and crop that it is a frame of, so that a video is decoded
 * once and no picture is kept. What the slow pathway sees are some of the frames of the fast one. */
#include "curate/scorer.h"

#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <avbalance/features.h>
#include <avbalance/models.h>
#include "base/mem.h"

enum { FRAMES = 32, SIDE = 256, MOST_VIEWS = 10, MOST_BLOCKS = 64 };

static BalStatus build(BalScorer *s, BalError *err) {
    const bool wide = s->ops->variant == 8; /* frames apart in the slow pathway */
    const int fast = bal_scorer_dim(s, "s1.pathway1_stem.conv.weight", 0);
    BalSlowfast net =
        wide ? bal_slowfast_4x16(s->n_classes, s->view->size) : bal_slowfast_8x8(s->n_classes, s->view->size);
    const int fusion = bal_scorer_dim(s, "s1_fuse.conv_f2s.weight", 2);
    net.width = bal_scorer_dim(s, "s1.pathway0_stem.conv.weight", 0);
    if (net.width < 1 || fast < 1 || net.width % fast || net.width > 4096)
        return BAL_FAIL(err, BAL_E_MISMATCH, "no SlowFast: the stems have %d and %d channels", net.width, fast);
    if (fusion != net.fusion_kernel)
        return BAL_FAIL(err, BAL_E_MISMATCH, "fusions span %d frames, this scorer's %d: these may be weights of %s",
                        fusion, net.fusion_kernel, wide ? "slowfast" : "slowfast-4x16");
    net.beta_inv = net.width / fast;
    for (int k = 0; k < 4; k++) {
        char name[64];
        for (net.depth[k] = 0; net.depth[k] < MOST_BLOCKS; net.depth[k]++) {
            snprintf(name, sizeof name, "s%d.pathway0_res%d.branch2.a.weight", k + 2, net.depth[k]);
            if (!bal_scorer_dim(s, name, 0)) break;
        }
    }
    bal_slowfast(s->g, &net);
    s->pass_floats = (size_t)3 * FRAMES * (size_t)s->view->size * (size_t)s->view->size;
    return bal_alloc(&s->scratch, s->pass_floats / (size_t)net.alpha, sizeof *s->scratch, err);
}

/* ---- in the workers ---- */
typedef struct Want { /* a frame of a view: number of the picture, place */
    int64_t index;
    int view, k;
} Want;

typedef struct Worker {
    const BalScorer *s;
    float *out;
    Want want[MOST_VIEWS * FRAMES];
    int64_t index[MOST_VIEWS * FRAMES];
} Worker;

static BalStatus worker_open(const BalScorer *s, void **worker, BalError *err) {
    Worker *w;
    BAL_TRY(bal_alloc(&w, 1, sizeof *w, err));
    w->s = s;
    *worker = w;
    return BAL_OK;
}

static void worker_close(void **worker) {
    bal_free(*worker);
    *worker = NULL;
}

static int by_index(const void *a, const void *b) {
    const Want *x = a, *y = b;
    if (x->index != y->index) return x->index < y->index ? -1 : 1;
    return x->view != y->view ? x->view - y->view : x->k - y->k;
}

static BalStatus choose(void *user, double fps, int64_t n, const int64_t **index, int *n_index, BalError *err) {
    Worker *w = user;
    const int views = w->s->view->temporal;
    for (int v = 0; v < views; v++) {
        BAL_TRY(bal_view_frames(fps, n, v, views, FRAMES, w->index, err));
        for (int k = 0; k < FRAMES; k++) w->want[v * FRAMES + k] = (Want){w->index[k], v, k};
    }
    *n_index = views * FRAMES;
    qsort(w->want, (size_t)*n_index, sizeof *w->want, by_index);
    for (int i = 0; i < *n_index; i++) w->index[i] = w->want[i].index;
    *index = w->index;
    return BAL_OK;
}

/* Place of frame want[i] in crop c. */
static float *place(const Worker *w, int i, int c) {
    const Want *f = &w->want[i];
    const int size = w->s->view->size;
    return w->out + (size_t)(f->view * w->s->view->crops + c) * w->s->pass_floats +
           (size_t)f->k * (size_t)(size * size);
}

static BalStatus take(void *user, int first, int n, const uint8_t *rgb, int h, int width, BalError *err) {
    Worker *w = user;
    const BalScorerView *view = w->s->view;
    const int64_t one = (int64_t)view->size * view->size, plane = FRAMES * one;
    for (int c = 0; c < view->crops; c++) {
        int scaled[2], at[2];
        float *to = place(w, first, c);
        BAL_TRY(bal_view_crop(h, width, SIDE, view->size, view->crops == 1 ? 1 : c, scaled, at, err));
        bal_view_pixels(rgb, h, width, scaled, at, view->size, to, plane);
        for (int i = first + 1; i < first + n; i++)
            for (int channel = 0; channel < 3; channel++)
                memcpy(place(w, i, c) + channel * plane, to + channel * plane, (size_t)one * sizeof *to);
    }
    return BAL_OK;
}

static BalStatus prepare(const BalScorer *s, void *worker, const char *path, const BalClipSpec *clip,
                         const BalMediaLimits *limits, float *out, BalError *err) {
    Worker *w = worker;
    const BalPictureTaker taker = {choose, take, w};
    (void)s;
    w->out = out;
    return bal_clip_pictures(path, clip, limits, &taker, err);
}

static BalStatus set(BalScorer *s, const float *pass, BalError *err) {
    const int n = FRAMES / s->ops->variant;
    const size_t one = (size_t)s->view->size * (size_t)s->view->size;
    int index[FRAMES];
    bal_view_slow(FRAMES, n, index);
    for (size_t c = 0; c < 3; c++)
        for (int k = 0; k < n; k++)
            memcpy(s->scratch + (c * (size_t)n + (size_t)k) * one, pass + (c * FRAMES + (size_t)index[k]) * one,
                   one * sizeof *pass);
    BAL_TRY(bal_session_set(s->session, 0, "slow", s->scratch, 1, err));
    return bal_session_set(s->session, 0, "fast", pass, 1, err);
}

static const BalScorerView views[] = {
    {"std", "3 times, the middle 256 x 256", 3, 1, 256},
    {"fast", "the middle of the time, the middle 224 x 224: for screening", 1, 1, 224},
    {"paper", "10 times, 3 crops of 256 x 256: the published accuracy", 10, 3, 256},
    {0},
};

#define SLOWFAST(id, text, apart)                                                                                      \
    {                                                                                                                  \
        .info = {.name = id,                                                                                           \
                 .summary = text,                                                                                      \
                 .paper = "Feichtenhofer et al. 2019, SlowFast Networks for Video Recognition",                        \
                 .side = BAL_VISUAL,                                                                                   \
                 .view = views,                                                                                        \
                 .before = "logits"},                                                                                  \
        .variant = apart, .head = "head.projection.weight", .build = build, .worker_open = worker_open,                \
        .worker_close = worker_close, .prepare = prepare, .set = set                                                   \
    }
const BalScorerOps bal_scorer_slowfast = SLOWFAST("slowfast", "video: SlowFast 8x8, ResNet-50 as published", 4);
const BalScorerOps bal_scorer_slowfast_4x16 =
    SLOWFAST("slowfast-4x16", "video: SlowFast 4x16, half the work of 8x8", 8);
