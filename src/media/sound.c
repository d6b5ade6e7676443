/* Decoded sound, placed on the clip's clock, made mono, brought to a rate.
 *
 * All channels of the clip are held at the stream's rate until its end, because which of them may be mixed is known only then
 * (antiphase, a dead channel). Mixing first and resampling one channel after is also the cheapest order; both go block by block, so
 * that the mixed sound is never held. The memory grows with samples that were decoded; a gap that timestamps claim is bounded by
 * MAX_FLOATS. */
#include "media/sound.h"
#include <inttypes.h>
#include <libswresample/swresample.h>
#include <math.h>
#include <string.h>
#include "base/mem.h"

#define MAX_FLOATS   ((int64_t)256 << 20) /* 1 GiB of samples: an hour of 48 kHz mono, half an hour of stereo */
#define RESYNC_S     0.02
#define LOUD_SHARE   1e-6 /* of the loudest channel's energy: 60 dB */
#define CANCEL_SHARE 0.02

enum {
    BLOCK = 4096, /* samples mixed at a time: they stay in the first cache */
    LANES = 8,    /* partial sums side by side: one addition need not wait for the last */
};

void bal_sound_reset(BalSound *s) {
    swr_free(&s->swr);
    av_channel_layout_uninit(&s->swr_layout);
    av_frame_free(&s->adapted);
    bal_free(s->in);
    bal_free(s->x);
    *s = (BalSound){0};
}

/* ---- samples as float ---- */

#define FLOATS(type, expr)                                                                                             \
    for (int c = 0; c < channels; c++) {                                                                               \
        const type *v = (const void *)f->extended_data[planar ? c : 0];                                                \
        int64_t step = planar ? 1 : channels, at = planar ? 0 : c;                                                     \
        for (int64_t i = 0; i < f->nb_samples; i++, at += step) x[i * channels + c] = (float)(expr);                   \
    }                                                                                                                  \
    break

BalStatus bal_sound_floats(const AVFrame *f, float **out, size_t *cap, BalError *err) {
    int channels = f->ch_layout.nb_channels;
    bool planar = av_sample_fmt_is_planar(f->format);
    BAL_TRY(bal_grow(out, cap, (size_t)f->nb_samples * channels, sizeof **out, err));
    float *x = *out;
    switch (av_get_packed_sample_fmt(f->format)) {
    case AV_SAMPLE_FMT_U8:
        FLOATS(uint8_t, (v[at] - 128) / 128.0f);
    case AV_SAMPLE_FMT_S16:
        FLOATS(int16_t, v[at] / 32768.0f);
    case AV_SAMPLE_FMT_S32:
        FLOATS(int32_t, v[at] / 2147483648.0);
    case AV_SAMPLE_FMT_S64:
        FLOATS(int64_t, (double)v[at] / 9223372036854775808.0);
    case AV_SAMPLE_FMT_FLT:
        FLOATS(float, v[at]);
    case AV_SAMPLE_FMT_DBL:
        FLOATS(double, v[at]);
    default:
        return BAL_FAIL(err, BAL_E_MEDIA, "sound: unknown sample format %d", f->format);
    }
    return BAL_OK;
}

/* ---- placing ---- */

static BalStatus check_frame(const AVFrame *f, BalError *err) {
    if (f->ch_layout.nb_channels < 1 || f->ch_layout.nb_channels > BAL_MAX_CHANNELS)
        return BAL_FAIL(err, BAL_E_MEDIA, "sound: %d channels; 1 to %d can be read", f->ch_layout.nb_channels,
                        BAL_MAX_CHANNELS);
    if (f->sample_rate < 1 || f->sample_rate > BAL_MAX_RATE_HZ)
        return BAL_FAIL(err, BAL_E_MEDIA, "sound: %d samples per second; at most %d can be read", f->sample_rate,
                        BAL_MAX_RATE_HZ);
    return BAL_OK;
}

/* A frame in another rate or layout than the first: through swr, kept open while the stream stays so. */
static BalStatus adapt(BalSound *s, const AVFrame **frame, BalError *err) {
    const AVFrame *f = *frame;
    if (f->sample_rate == s->rate_hz && f->ch_layout.nb_channels == s->channels) return BAL_OK;
    int e = 0;
    if (!s->swr || s->swr_rate != f->sample_rate || s->swr_format != f->format ||
        av_channel_layout_compare(&s->swr_layout, &f->ch_layout) != 0) {
        AVChannelLayout in = {0}, to = {0};
        av_channel_layout_default(&to, s->channels);
        if (f->ch_layout.order == AV_CHANNEL_ORDER_UNSPEC)
            av_channel_layout_default(&in, f->ch_layout.nb_channels);
        else
            e = av_channel_layout_copy(&in, &f->ch_layout);
        swr_free(&s->swr);
        if (e >= 0)
            e = swr_alloc_set_opts2(&s->swr, &to, AV_SAMPLE_FMT_FLT, s->rate_hz, &in, f->format, f->sample_rate, 0,
                                    NULL);
        if (e >= 0) e = swr_init(s->swr);
        av_channel_layout_uninit(&in);
        av_channel_layout_uninit(&to);
        if (e >= 0) e = av_channel_layout_copy(&s->swr_layout, &f->ch_layout);
        s->swr_rate = f->sample_rate, s->swr_format = f->format;
    }
    if (!s->adapted) s->adapted = av_frame_alloc();
    if (e < 0 || !s->adapted)
        return BAL_FAIL(err, e == AVERROR(ENOMEM) || !s->adapted ? BAL_E_NOMEM : BAL_E_MEDIA,
                        "sound: changes to %d channels at %d Hz on the way, which cannot be followed",
                        f->ch_layout.nb_channels, f->sample_rate);
    AVFrame *a = s->adapted;
    av_frame_unref(a);
    a->format = AV_SAMPLE_FMT_FLT;
    a->sample_rate = s->rate_hz;
    av_channel_layout_default(&a->ch_layout, s->channels);
    a->nb_samples = swr_get_out_samples(s->swr, f->nb_samples);
    if (a->nb_samples > 0 && (e = av_frame_get_buffer(a, 0)) >= 0)
        e = swr_convert(s->swr, a->extended_data, a->nb_samples, (const uint8_t **)f->extended_data, f->nb_samples);
    if (e < 0) return BAL_FAIL(err, BAL_E_MEDIA, "sound: a change of rate on the way could not be followed");
    a->nb_samples = e;
    *frame = a;
    return BAL_OK;
}

static BalStatus reserve(BalSound *s, int64_t n, BalError *err) {
    if (n > MAX_FLOATS / s->channels)
        return BAL_FAIL(err, BAL_E_MEDIA,
                        "sound: %.0f s of %d channels at %d Hz are too much for one clip (give start and duration)",
                        (double)n / s->rate_hz, s->channels, s->rate_hz);
    return bal_grow(&s->x, &s->cap, (size_t)(n * s->channels), sizeof *s->x, err);
}

static BalStatus place(BalSound *s, const float *x, int64_t n, BalError *err) {
    int64_t from = s->next < 0 ? -s->next : 0, limit = (int64_t)ceil(s->limit_s * s->rate_hz);
    int64_t to = n < limit - s->next ? n : limit - s->next, begin = s->next + from, end = s->next + to;
    size_t sample = (size_t)s->channels * sizeof *x;
    s->next += n;
    if (from >= to) return BAL_OK;
    BAL_TRY(reserve(s, end, err));
    if (begin > s->n) memset(s->x + s->n * s->channels, 0, (size_t)(begin - s->n) * sample);
    memcpy(s->x + begin * s->channels, x + from * s->channels, (size_t)(to - from) * sample);
    if (end > s->n) s->n = end;
    if (s->sounding == 0 || begin < s->begin) s->begin = begin;
    s->sounding += to - from;
    return BAL_OK;
}

BalStatus bal_sound_add(BalSound *s, const AVFrame *f, double at_s, BalError *err) {
    if (f->nb_samples <= 0) return BAL_OK;
    BAL_TRY(check_frame(f, err));
    bool first = s->channels == 0;
    if (first) s->rate_hz = f->sample_rate, s->channels = f->ch_layout.nb_channels;
    BAL_TRY(adapt(s, &f, err));
    if (isfinite(at_s) && fabs(at_s) < 1e9) {
        int64_t at = llround(at_s * s->rate_hz);
        if (first || llabs(at - s->next) > RESYNC_S * s->rate_hz) s->next = at;
    }
    BAL_TRY(bal_sound_floats(f, &s->in, &s->in_cap, err));
    for (int64_t i = 0; i < (int64_t)f->nb_samples * s->channels; i++)
        if (!isfinite(s->in[i])) s->in[i] = 0, s->not_finite++;
    return place(s, s->in, f->nb_samples, err);
}

/* ---- channels ---- */

void bal_channel_loud(const double *energy, int channels, bool *loud) {
    double most = 0;
    for (int c = 0; c < channels; c++) most = fmax(most, energy[c]);
    for (int c = 0; c < channels; c++) loud[c] = energy[c] > LOUD_SHARE * most;
}

bool bal_channel_cancels(double mean_energy, const double *energy, const bool *loud, int channels) {
    double sum = 0;
    int n = 0;
    for (int c = 0; c < channels; c++)
        if (loud[c]) sum += energy[c], n++;
    return n > 1 && mean_energy < CANCEL_SHARE * sum / n;
}

/* Add the energy of every channel of x [n,channels]. */
static void add_energy(const float *x, int64_t n, int channels, double *energy) {
    double part[LANES * BAL_MAX_CHANNELS] = {0}; /* [LANES,channels] */
    for (int64_t left = n * channels, width = (int64_t)LANES * channels; left > 0; left -= width, x += width)
        for (int64_t i = 0; i < (left < width ? left : width); i++) part[i] += (double)x[i] * x[i];
    for (int i = 0; i < LANES * channels; i++) energy[i % channels] += part[i];
}

/* Mean of the chosen channels of the n samples from `at` on into y. */
static void mix(const BalSound *s, const bool *use, int64_t at, int64_t n, float *y) {
    int k = 0;
    memset(y, 0, (size_t)n * sizeof *y);
    for (int c = 0; c < s->channels; c++) {
        const float *x = s->x + at * s->channels + c;
        if (!use[c]) continue;
        k++;
        for (int64_t i = 0; i < n; i++) y[i] += x[i * s->channels];
    }
    if (k < 2) return;
    for (int64_t i = 0; i < n; i++) y[i] /= (float)k;
}

static int64_t block_at(int64_t at, int64_t n) {
    return n - at < BLOCK ? n - at : BLOCK;
}

/* The channels whose mean is the clip's sound. */
static void choose_channels(const BalSound *s, BalChannelRule rule, bool *use) {
    double energy[BAL_MAX_CHANNELS] = {0}, mixed = 0;
    float y[BLOCK];
    int loudest = 0;
    memset(use, 0, BAL_MAX_CHANNELS * sizeof *use);
    for (int c = 0; c < s->channels; c++) use[c] = c == 0 || rule != BAL_CHANNELS_FIRST;
    if (rule != BAL_CHANNELS_AUTO || s->channels < 2) return;
    add_energy(s->x, s->n, s->channels, energy);
    bal_channel_loud(energy, s->channels, use);
    for (int64_t at = 0; at < s->n; at += BLOCK) {
        mix(s, use, at, block_at(at, s->n), y);
        add_energy(y, block_at(at, s->n), 1, &mixed);
    }
    if (!bal_channel_cancels(mixed, energy, use, s->channels)) return;
    for (int c = 1; c < s->channels; c++)
        if (energy[c] > energy[loudest]) loudest = c;
    memset(use, 0, BAL_MAX_CHANNELS * sizeof *use);
    use[loudest] = true;
}

/* ---- rate ---- */

/* The mixed sound at `to` Hz -> y[n_out]. swresample aligns its first output with the first input. */
static BalStatus resample(const BalSound *s, const bool *use, int to, float *y, int64_t n_out, BalError *err) {
    AVChannelLayout one = AV_CHANNEL_LAYOUT_MONO;
    SwrContext *swr = NULL;
    float x[BLOCK];
    int64_t done = 0, got = 1;
    int e = swr_alloc_set_opts2(&swr, &one, AV_SAMPLE_FMT_FLT, to, &one, AV_SAMPLE_FMT_FLT, s->rate_hz, 0, NULL);
    if (e >= 0) e = swr_init(swr);
    for (int64_t i = 0; e >= 0 && done < n_out && (i < s->n || got > 0);) {
        int take = (int)block_at(i, s->n), room = (int)(n_out - done < 65536 ? n_out - done : 65536);
        const uint8_t *in = (const void *)x;
        uint8_t *out = (void *)(y + done);
        mix(s, use, i, take, x);
        got = e = swr_convert(swr, &out, room, take > 0 ? &in : NULL, take);
        i += take;
        if (got > 0) done += got;
    }
    swr_free(&swr);
    if (e < 0) return BAL_FAIL(err, BAL_E_MEDIA, "sound: %d Hz cannot be brought to %d Hz", s->rate_hz, to);
    memset(y + done, 0, (size_t)(n_out - done) * sizeof *y);
    return BAL_OK;
}

BalStatus bal_sound_finish(const BalSound *s, BalChannelRule rule, int rate_hz, int64_t n_out, float **pcm,
                           int64_t *cap, BalError *err) {
    bool use[BAL_MAX_CHANNELS];
    size_t room = (size_t)*cap;
    BAL_TRY(bal_grow(pcm, &room, (size_t)n_out, sizeof **pcm, err));
    *cap = (int64_t)room;
    choose_channels(s, rule, use);
    if (rate_hz != 0 && rate_hz != s->rate_hz) return resample(s, use, rate_hz, *pcm, n_out, err);
    int64_t n = s->n < n_out ? s->n : n_out;
    mix(s, use, 0, n, *pcm);
    memset(*pcm + n, 0, (size_t)(n_out - n) * sizeof **pcm);
    return BAL_OK;
}

BalStatus bal_sound_stereo(const BalSound *s, int rate_hz, int64_t n_out, float *out, BalError *err) {
    static const double twice[2] = {1, 1};
    AVChannelLayout in = {0}, two = AV_CHANNEL_LAYOUT_STEREO;
    SwrContext *swr = NULL;
    int64_t done = 0, got = 1;
    av_channel_layout_default(&in, s->channels);
    int e = swr_alloc_set_opts2(&swr, &two, AV_SAMPLE_FMT_FLT, rate_hz, &in, AV_SAMPLE_FMT_FLT, s->rate_hz, 0, NULL);
    if (e >= 0 && s->channels == 1) e = swr_set_matrix(swr, twice, 1);
    if (e >= 0) e = swr_init(swr);
    for (int64_t i = 0; e >= 0 && done < n_out && (i < s->n || got > 0);) {
        int take = (int)block_at(i, s->n), room = (int)(n_out - done < 65536 ? n_out - done : 65536);
        const uint8_t *from = (const void *)(s->x + i * s->channels);
        uint8_t *to = (void *)(out + 2 * done);
        got = e = swr_convert(swr, &to, room, take > 0 ? &from : NULL, take);
        i += take;
        if (got > 0) done += got;
    }
    swr_free(&swr);
    if (e < 0)
        return BAL_FAIL(err, BAL_E_MEDIA, "sound: %d channels at %d Hz cannot be brought to two at %d Hz", s->channels,
                        s->rate_hz, rate_hz);
    memset(out + 2 * done, 0, (size_t)(n_out - done) * 2 * sizeof *out);
    return BAL_OK;
}
