/* Kaldi's log-mel filterbank, [T,mel], as torchaudio.compliance.kaldi.fbank computes it when Kinetics-Sounds is prepared.
 *
 * The wave loses its mean. Frames of 25 ms every 10 ms that lie wholly inside ("snip edges"); per frame: mean removed, pre-emphasis
 * x[i] - 0.97 x[i-1] (x[0] - 0.97 x[0] first), symmetric Hann window, zeros up to a power of two, power spectrum, triangles that
 * are linear in mel = 1127 ln(1 + f/700) between 20 Hz and half the rate (the last bin, at exactly half, is left out), then
 * log(max(x, 1.1920929e-7)). No dither, no energy. Cut to `frames`, or followed by frames of zeros, which the normalisation that
 * comes after moves too: 0.438 with the published constants. */
#include "features/audio.h"
#include <math.h>
#include <string.h>
#include "base/mem.h"

static const double pi = 3.14159265358979323846;

static BalStatus check(const BalAudioRecipe *r, BalError *err) {
    if (r->rate_hz != 0 && r->rate_hz < 1000)
        return BAL_FAIL(err, BAL_E_ARG,
                        "audio.rate_hz is %lld: kaldi-fbank needs 0 (the stream's own) or at least 1000",
                        (long long)r->rate_hz);
    if (r->seconds > 0 && r->seconds < 0.025)
        return BAL_FAIL(err, BAL_E_ARG, "audio.seconds is %g: kaldi-fbank needs 0 (all) or at least one frame, 0.025",
                        r->seconds);
    if (r->seconds == 0 && r->fit == BAL_FIT_TILE)
        return BAL_FAIL(err, BAL_E_ARG, "audio.fit tile repeats the sound up to audio.seconds, which is 0");
    return BAL_OK;
}

static void shape(const BalAudioRecipe *r, int64_t n, int64_t s[2]) {
    (void)n;
    s[0] = r->frames;
    s[1] = r->mel_bins;
}

static double mel(double hz) {
    return 1127 * log(1 + hz / 700);
}

/* Weights are stored densely, each filter points to its share. */
BalStatus bal_mel_filters(BalAudioFeature *f, int n_mel, double low_hz, double high_hz, BalError *err) {
    const int bins = f->n_fft / 2;
    const double low = mel(low_hz), step = (mel(high_hz) - low) / (n_mel + 1);
    BAL_TRY(bal_alloc(&f->filter, (size_t)n_mel, sizeof *f->filter, err));
    BAL_TRY(
        bal_alloc(&f->filter_weight, 2 * (size_t)bins, sizeof *f->filter_weight, err)); /* a bin is in two at most */
    float *w = f->filter_weight;
    for (int m = 0; m < n_mel; m++) {
        double left = low + m * step;
        BalMelFilter *filter = &f->filter[m];
        filter->weight = w;
        for (int k = 0; k < bins; k++) {
            double at =
                (mel((double)k * f->rate_hz / f->n_fft) - left) / step; /* 0 left edge, 1 centre, 2 right edge */
            if (at < 1e-9 || at > 2 - 1e-9) continue;                   /* an edge, but for rounding */
            if (filter->n++ == 0) filter->first = k;
            *w++ = (float)(at < 1 ? at : 2 - at);
        }
    }
    return BAL_OK;
}

static BalStatus prepare(BalAudioFeature *f, BalError *err) {
    f->window_n = (int)(f->rate_hz * 25.0 * 0.001);
    for (f->n_fft = 4; f->n_fft < f->window_n;) f->n_fft *= 2;
    BAL_TRY(bal_fft_create(&f->fft, f->n_fft, err));
    BAL_TRY(bal_alloc(&f->window, (size_t)f->window_n, sizeof *f->window, err));
    BAL_TRY(bal_alloc(&f->power, (size_t)f->n_fft / 2 + 1, sizeof *f->power, err));
    for (int i = 0; i < f->window_n; i++) f->window[i] = (float)(0.5 - 0.5 * cos(2 * pi * i / (f->window_n - 1)));
    return bal_mel_filters(f, (int)f->recipe.mel_bins, 20, 0.5 * f->rate_hz, err);
}

static float mean_of(const float *x, int64_t n) {
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += x[i];
    return (float)(sum / (double)n);
}

/* window_n samples at x -> row [mel] */
static void frame(BalAudioFeature *f, const float *x, float *row) {
    float *in = bal_fft_input(f->fft), mean = mean_of(x, f->window_n);
    in[0] = 0.03F * (x[0] - mean) * f->window[0];
    for (int i = 1; i < f->window_n; i++) in[i] = ((x[i] - mean) - 0.97F * (x[i - 1] - mean)) * f->window[i];
    memset(in + f->window_n, 0, (size_t)(f->n_fft - f->window_n) * sizeof *in);
    const float *z = bal_fft_run(f->fft);
    for (int k = 0; k < f->n_fft / 2; k++) f->power[k] = z[2 * k] * z[2 * k] + z[2 * k + 1] * z[2 * k + 1];
    for (int m = 0; m < f->recipe.mel_bins; m++) {
        const BalMelFilter *filter = &f->filter[m];
        float sum = 0;
        for (int k = 0; k < filter->n; k++) sum += filter->weight[k] * f->power[filter->first + k];
        row[m] = logf(sum > 1.1920929e-7F ? sum : 1.1920929e-7F);
    }
}

static void run(BalAudioFeature *f, float *wave, int64_t n, float *out) {
    int64_t hop = (int64_t)(f->rate_hz * 10.0 * 0.001), mel_bins = f->recipe.mel_bins;
    int64_t n_frames = n < f->window_n ? 0 : 1 + (n - f->window_n) / hop;
    if (n_frames > f->recipe.frames) n_frames = f->recipe.frames;
    float mean = mean_of(wave, n);
    for (int64_t i = 0; i < n; i++) wave[i] -= mean;
    for (int64_t t = 0; t < n_frames; t++) frame(f, wave + t * hop, out + t * mel_bins);
    memset(out + n_frames * mel_bins, 0, (size_t)((f->recipe.frames - n_frames) * mel_bins) * sizeof *out);
}

const BalAudioOps bal_audio_kaldi_fbank = {
    .name = "kaldi-fbank",
    .normalise = BAL_NORMALISE_FIXED,
    .time_first = true,
    .pads_frames = true,
    .check = check,
    .shape = shape,
    .prepare = prepare,
    .run = run,
};
