/* Measuring decoded sound and pictures as they pass by. Memory does not grow with the file, but for one time per picture. */
#include "media/measure.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"

#define SET(bit) (out->findings |= UINT64_C(1) << (bit))

/* ---- sound ---- */

static void window_end(BalSoundMeter *m) {
    if (!m->in_window) return;
    m->windows++;
    m->silent += sqrt(m->window_square / (double)(m->in_window * m->channels)) < BAL_SILENT_RMS;
    m->in_window = 0;
    m->window_square = 0;
}

static void add_samples(BalSoundMeter *m, const float *x, int64_t n, int channels) {
    int64_t window = m->rate_hz >= 10 ? m->rate_hz / 10 : 1;
    for (int64_t i = 0; i < n; i++, x += channels) {
        double mean = 0, square = 0;
        for (int c = 0; c < channels; c++) {
            double v = isfinite(x[c]) ? x[c] : 0;
            m->low = fmin(m->low, v), m->high = fmax(m->high, v);
            m->sum += v, mean += v, square += v * v;
            m->energy[c] += v * v;
            m->clipped += fabs(v) >= BAL_CLIPPED_LEVEL;
        }
        if (channels > 1) {
            m->left += x[0], m->right += x[1], m->cross += (double)x[0] * x[1];
            m->left2 += (double)x[0] * x[0], m->right2 += (double)x[1] * x[1];
        }
        m->mean_energy += mean / channels * (mean / channels);
        m->square += square, m->window_square += square;
        if (++m->in_window == window) window_end(m);
    }
    m->n += n;
}

/* A stream that changes its channels on the way is measured in those it began with. */
BalStatus bal_sound_meter_add(BalSoundMeter *m, const AVFrame *f, double at_s, BalError *err) {
    int channels = f->ch_layout.nb_channels;
    if (f->nb_samples <= 0 || f->sample_rate <= 0) return BAL_OK;
    if (m->frames == 0) {
        if (channels > BAL_MAX_CHANNELS) return BAL_FAIL(err, BAL_E_MEDIA, "sound: %d channels", channels);
        m->rate_hz = f->sample_rate, m->channels = channels;
        m->low = INFINITY, m->high = -INFINITY;
        m->first_s = isnan(at_s) ? 0 : at_s;
    }
    if (isnan(at_s)) at_s = m->frames ? m->last_s : m->first_s;
    m->frames++;
    m->first_s = fmin(m->first_s, at_s);
    m->last_s = fmax(m->last_s, at_s + (double)f->nb_samples / f->sample_rate);
    if (channels != m->channels) return BAL_OK;
    BAL_TRY(bal_sound_floats(f, &m->x, &m->cap, err));
    add_samples(m, m->x, f->nb_samples, channels);
    return BAL_OK;
}

static double correlation(const BalSoundMeter *m) {
    double n = (double)m->n, a = m->left2 - m->left * m->left / n, b = m->right2 - m->right * m->right / n;
    return a > 0 && b > 0 ? (m->cross - m->left * m->right / n) / sqrt(a * b) : NAN;
}

void bal_sound_meter_finish(BalSoundMeter *m, BalProbe *out) {
    window_end(m);
    double values = (double)m->n * m->channels;
    out->audio.rate_hz = m->rate_hz, out->audio.channels = m->channels;
    out->audio.peak = fmax(fabs(m->low), fabs(m->high));
    out->audio.rms = sqrt(m->square / values);
    out->audio.dc = m->sum / values;
    out->audio.clipped_share = (double)m->clipped / values;
    out->audio.silent_share = (double)m->silent / (double)m->windows;
    out->audio.correlation = m->channels > 1 ? correlation(m) : NAN;
    if (out->audio.silent_share >= BAL_SILENT_SHARE || out->audio.peak < BAL_SILENT_PEAK || m->low == m->high)
        SET(BAL_FIND_SILENT);
    if (out->audio.clipped_share > BAL_CLIPPED_SHARE) SET(BAL_FIND_CLIPPED);
    if (fabs(out->audio.dc) > BAL_DC_LEVEL) SET(BAL_FIND_DC);
    bool loud[BAL_MAX_CHANNELS];
    int n_loud = 0;
    double power = 0;
    bal_channel_loud(m->energy, m->channels, loud);
    for (int c = 0; c < m->channels; c++)
        if (loud[c]) n_loud++, power += m->energy[c];
    if (n_loud == 0) return;
    /* The mean of the loud ones, from the mean of all: the others add next to nothing. */
    double scale = (double)m->channels / n_loud;
    out->audio.mixed_share = m->mean_energy * scale * scale / (power / n_loud);
    if (bal_channel_cancels(m->mean_energy * scale * scale, m->energy, loud, m->channels)) SET(BAL_FIND_ANTIPHASE);
    if (m->channels == 2 && n_loud == 1) SET(BAL_FIND_ONE_SIDED);
}

void bal_sound_meter_reset(BalSoundMeter *m) {
    bal_free(m->x);
    *m = (BalSoundMeter){0};
}

/* ---- pictures ---- */

#define GRID_S 0.2

enum { BLOCK = 8 };

/* The picture stands still from `last` to `now`, both [H,W]: little changes on the whole, and nowhere much. */
static bool stands_still(const uint8_t *now, const uint8_t *last, int W, int H) {
    int64_t all = 0;
    for (int y = 0; y < H; y += BLOCK)
        for (int x = 0; x < W; x += BLOCK) {
            int h = H - y < BLOCK ? H - y : BLOCK, w = W - x < BLOCK ? W - x : BLOCK, sum = 0;
            for (int i = y; i < y + h; i++)
                for (int k = x; k < x + w; k++) sum += abs(now[(size_t)i * W + k] - last[(size_t)i * W + k]);
            if (sum > BAL_FROZEN_BLOCK * w * h) return false;
            all += sum;
        }
    return (double)all < BAL_FROZEN_DIFF * W * H;
}

/* A new shot: by the measure that shots.c has for every picture. */
static bool cuts_here(BalPictureMeter *m, const uint8_t *now, const uint8_t *last, size_t n, int64_t times) {
    int64_t sum = 0;
    for (size_t i = 0; i < n; i++) sum += abs(now[i] - last[i]);
    double score = bal_scene_score(100.0 * (double)sum / (double)n / 256, &m->difference);
    if (times > 1) m->difference = 0; /* it stays */
    return score >= BAL_CUT_SCORE;
}

static bool bright(const uint8_t *x, int n, int step) {
    int64_t sum = 0;
    for (int i = 0; i < n; i++) sum += x[(size_t)i * step];
    return (double)sum > BAL_LETTERBOX_LUMA * n;
}

/* Widen what is no bar by the rows and columns of a picture [H,W] that are bright. */
static void look_for_bars(BalPictureMeter *m, const uint8_t *x) {
    int W = m->W, H = m->H;
    for (int y = 0; y < m->top; y++)
        if (bright(x + (size_t)y * W, W, 1)) m->top = y;
    for (int y = H; y > m->bottom; y--)
        if (bright(x + (size_t)(y - 1) * W, W, 1)) m->bottom = y;
    for (int c = 0; c < m->left; c++)
        if (bright(x + c, H, W)) m->left = c;
    for (int c = W; c > m->right; c--)
        if (bright(x + c - 1, H, W)) m->right = c;
}

/* Look at m->before, which is on screen at `times` points of the grid. */
static BalStatus sample(BalPictureMeter *m, int64_t times, BalError *err) {
    const AVFrame *f = m->before;
    if (!m->W) {
        m->W = f->width < 160 ? f->width : 160;
        m->H = (int)fmin(1080, fmax(1, round((double)f->height * m->W / f->width)));
        BAL_TRY(bal_grow(&m->proxy, &m->proxy_cap, (size_t)2 * m->W * m->H, 1, err));
        m->top = m->H, m->left = m->W;
    }
    size_t n = (size_t)m->W * m->H;
    uint8_t *now = m->proxy, *last = m->proxy + n;
    const uint8_t *luma;
    int stride;
    memcpy(last, now, n);
    BAL_TRY(bal_picture_luma(&m->picture, f, m->W, m->H, &luma, &stride, err));
    for (int y = 0; y < m->H; y++) memcpy(now + (size_t)y * m->W, luma + (size_t)y * stride, (size_t)m->W);
    int64_t sum = 0, square = 0, black = 0;
    for (size_t i = 0; i < n; i++) sum += now[i], square += now[i] * now[i], black += now[i] <= BAL_BLACK_LUMA;
    double mean = (double)sum / (double)n, variance = (double)square / (double)n - mean * mean;
    bool same = m->samples > 0 && stands_still(now, last, m->W, m->H);
    m->cuts += m->samples > 0 && cuts_here(m, now, last, n, times);
    look_for_bars(m, now);
    m->distinct += !same;
    m->frozen += times - 1 + same;
    m->black += (double)black >= BAL_BLACK_PIXELS * (double)n ? times : 0;
    m->flat += variance < BAL_FLAT_STD * BAL_FLAT_STD ? times : 0;
    m->luma += mean * (double)times;
    m->samples += times;
    return BAL_OK;
}

static BalStatus show_until(BalPictureMeter *m, double until_s, BalError *err) {
    double points = ceil((until_s - m->first_s) / GRID_S - 1e-6); /* grid points before until_s */
    if (!(points < 1e9) || (int64_t)points <= m->grid) return BAL_OK;
    int64_t times = (int64_t)points - m->grid;
    m->grid += times;
    return sample(m, times, err);
}

BalStatus bal_picture_meter_add(BalPictureMeter *m, AVFrame *f, double at_s, double duration_s, BalError *err) {
    if (!m->before && !(m->before = av_frame_alloc())) return BAL_FAIL(err, BAL_E_NOMEM, "out of memory for a frame");
    if (m->frames == 0) m->first_s = isnan(at_s) ? 0 : at_s;
    if (isnan(at_s)) at_s = m->frames ? m->last_s + duration_s : m->first_s;
    if (m->frames > 0) BAL_TRY(show_until(m, at_s, err));
    BAL_TRY(bal_grow(&m->time, &m->time_cap, (size_t)m->frames + 1, sizeof *m->time, err));
    m->time[m->frames++] = at_s;
    m->last_s = m->frames == 1 ? at_s : fmax(m->last_s, at_s);
    m->last_duration_s = duration_s;
    av_frame_unref(m->before);
    av_frame_move_ref(m->before, f);
    return BAL_OK;
}

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* More than 5 % of the gaps between pictures are off the usual gap by a fifth and by more than times are rounded. */
static bool rate_varies(BalPictureMeter *m) {
    int64_t n = m->frames - 1, off = 0;
    if (n < 2) return false;
    for (int64_t i = 0; i < n; i++) m->time[i] = m->time[i + 1] - m->time[i];
    qsort(m->time, (size_t)n, sizeof *m->time, by_value);
    double usual = m->time[n / 2];
    for (int64_t i = 0; i < n; i++) off += fabs(m->time[i] - usual) > fmax(0.2 * fabs(usual), 0.0025);
    return (double)off > 0.05 * (double)n;
}

/* The crop in pixels of the picture; a picture that is black throughout has none. */
static void judge_bars(const BalPictureMeter *m, BalProbe *out) {
    int w = out->video.width, h = out->video.height;
    bool dark = m->top >= m->bottom || m->left >= m->right;
    int x0 = dark ? 0 : m->left * w / m->W, x1 = dark ? w : (m->right * w + m->W - 1) / m->W;
    int y0 = dark ? 0 : m->top * h / m->H, y1 = dark ? h : (m->bottom * h + m->H - 1) / m->H;
    out->video.crop_x = x0, out->video.crop_y = y0;
    out->video.crop_width = x1 - x0, out->video.crop_height = y1 - y0;
    out->video.letterbox_share = 1 - (double)(x1 - x0) * (y1 - y0) / ((double)w * h);
    if (out->video.letterbox_share > BAL_LETTERBOX_SHARE) SET(BAL_FIND_LETTERBOX);
}

BalStatus bal_picture_meter_finish(BalPictureMeter *m, double until_s, BalProbe *out, BalError *err) {
    BAL_TRY(show_until(m, fmax(until_s, m->last_s + 1e-3), err));
    double n = (double)m->samples;
    out->video.frames = m->frames;
    out->video.mean_fps =
        m->frames > 1 && m->last_s > m->first_s ? (double)(m->frames - 1) / (m->last_s - m->first_s) : NAN;
    if (rate_varies(m)) SET(BAL_FIND_VARIABLE_RATE);
    if (m->samples == 0) return BAL_OK;
    out->video.mean_luma = m->luma / n;
    out->video.black_share = (double)m->black / n;
    out->video.flat_share = (double)m->flat / n;
    out->video.frozen_share = m->samples > 1 ? (double)m->frozen / (n - 1) : 0;
    out->video.cuts = m->cuts;
    double tens = fmax(1, n * GRID_S / 10);
    if ((double)m->cuts > BAL_CUTS_MOST * tens) SET(BAL_FIND_CUTS);
    if ((double)m->cuts > BAL_CHOPPY_MOST * tens) SET(BAL_FIND_CHOPPY);
    judge_bars(m, out);
    if (out->video.black_share >= BAL_BLACK_SHARE) SET(BAL_FIND_BLACK);
    if (out->video.flat_share >= BAL_FLAT_SHARE) SET(BAL_FIND_FLAT);
    bool slides = m->distinct <= BAL_FROZEN_DISTINCT && n * GRID_S >= 2;
    if (m->samples > 1 && (out->video.frozen_share >= BAL_FROZEN_SHARE || slides)) SET(BAL_FIND_FROZEN);
    return BAL_OK;
}

void bal_picture_meter_reset(BalPictureMeter *m) {
    bal_free(m->time);
    bal_free(m->proxy);
    av_frame_free(&m->before);
    bal_picture_reset(&m->picture);
    *m = (BalPictureMeter){0};
}
