/* The two short-time Fourier pipelines, [F,T] with F = n_fft/2 + 1.
 *
 * log-stft: librosa's stft with a periodic Hann window, then log(|X| + 1e-7); T = 1 + N/hop when padded by n_fft/2 on both sides (by
 *   reflection, as librosa before 0.10, or by zeros, as it does since), 1 + (N - n_fft)/hop when not. The published CREMA-D and
 *   VGGSound code.
 * spectrogram: scipy.signal.spectrogram as called by the VGGSound reference code: Tukey(0.25) window, the mean of every segment
 *   removed, power spectral density, then log(P + 1e-7); T = (N - n_fft)/hop + 1.
 *
 * Frames come out of the transform one by one but are stored frequency-major; they are turned in blocks, so that writes do not
 * stride over memory once per value. */
#include "features/audio.h"
#include <math.h>
#include "base/mem.h"

static const double pi = 3.14159265358979323846;

static int64_t n_bins(const BalAudioRecipe *r) {
    return r->n_fft / 2 + 1;
}

static int64_t margin(const BalAudioRecipe *r) {
    return r->pipeline == BAL_AUDIO_LOG_STFT && r->centre != BAL_CENTRE_NONE ? r->n_fft / 2 : 0;
}

static void shape(const BalAudioRecipe *r, int64_t n, int64_t s[2]) {
    s[0] = n_bins(r);
    s[1] = 1 + (n + 2 * margin(r) - r->n_fft) / r->hop;
}

static BalStatus check(const BalAudioRecipe *r, BalError *err) {
    const char *name = bal_audio_ops(r->pipeline)->name;
    if (r->rate_hz <= 0 || r->seconds <= 0)
        return BAL_FAIL(err, BAL_E_ARG,
                        "audio.pipeline %s needs audio.rate_hz and audio.seconds above 0: its shape depends on both",
                        name);
    if (r->n_fft % 4)
        return BAL_FAIL(err, BAL_E_ARG, "audio.n_fft is %lld: must be a multiple of 4", (long long)r->n_fft);
    if (r->hop > r->n_fft)
        return BAL_FAIL(err, BAL_E_ARG, "audio.hop (%lld) is larger than audio.n_fft (%lld): samples would be skipped",
                        (long long)r->hop, (long long)r->n_fft);
    int64_t n = bal_audio_samples(r, 0), least = margin(r) ? r->n_fft / 2 + 1 : r->n_fft, s[2];
    if (n < least)
        return BAL_FAIL(err, BAL_E_ARG, "audio.seconds %g at %lld Hz are %lld samples: audio.n_fft %lld needs %lld",
                        r->seconds, (long long)r->rate_hz, (long long)n, (long long)r->n_fft, (long long)least);
    shape(r, n, s);
    if (s[0] * s[1] > (int64_t)1 << 26)
        return BAL_FAIL(err, BAL_E_ARG, "the audio feature would have %lld x %lld values: raise audio.hop",
                        (long long)s[0], (long long)s[1]);
    return BAL_OK;
}

static double hann_periodic(int i, int n) {
    return 0.5 - 0.5 * cos(2 * pi * i / n);
}

static double tukey_periodic(int i, int n) {
    const double alpha = 0.25;
    double edge = floor(alpha * n / 2), x = i <= edge ? i : i >= n - edge ? n - i : -1;
    return x < 0 ? 1 : 0.5 * (1 + cos(pi * (2 * x / (alpha * n) - 1)));
}

static BalStatus prepare_with(BalAudioFeature *f, double (*window)(int, int), BalError *err) {
    f->n_fft = f->window_n = (int)f->recipe.n_fft;
    BAL_TRY(bal_fft_create(&f->fft, f->n_fft, err));
    BAL_TRY(bal_alloc(&f->window, (size_t)f->n_fft, sizeof *f->window, err));
    BAL_TRY(bal_alloc(&f->block, (size_t)(BAL_STFT_BLOCK * n_bins(&f->recipe)), sizeof *f->block, err));
    double sum2 = 0;
    for (int i = 0; i < f->n_fft; i++) {
        double w = window(i, f->n_fft);
        f->window[i] = (float)w;
        sum2 += w * w;
    }
    f->scale = 1 / (f->rate_hz * sum2);
    return BAL_OK;
}

static BalStatus prepare_hann(BalAudioFeature *f, BalError *err) {
    return prepare_with(f, hann_periodic, err);
}

static BalStatus prepare_tukey(BalAudioFeature *f, BalError *err) {
    return prepare_with(f, tukey_periodic, err);
}

/* n_fft samples at x -> log magnitude, row [F] */
static void frame_log_stft(BalAudioFeature *f, const float *x, float *row) {
    float *in = bal_fft_input(f->fft);
    for (int i = 0; i < f->n_fft; i++) in[i] = x[i] * f->window[i];
    const float *z = bal_fft_run(f->fft);
    int bins = f->n_fft / 2 + 1;
    for (int k = 0; k < bins; k++) row[k] = sqrtf(z[2 * k] * z[2 * k] + z[2 * k + 1] * z[2 * k + 1]);
    for (int k = 0; k < bins; k++) row[k] = logf(row[k] + 1e-7F);
}

/* n_fft samples at x -> log power density, row [F]; one-sided, so all but the first and last bin count twice */
static void frame_spectrogram(BalAudioFeature *f, const float *x, float *row) {
    float *in = bal_fft_input(f->fft);
    double sum = 0;
    for (int i = 0; i < f->n_fft; i++) sum += x[i];
    float mean = (float)(sum / f->n_fft), scale = (float)f->scale;
    for (int i = 0; i < f->n_fft; i++) in[i] = (x[i] - mean) * f->window[i];
    const float *z = bal_fft_run(f->fft);
    int last = f->n_fft / 2;
    for (int k = 0; k <= last; k++)
        row[k] = (z[2 * k] * z[2 * k] + z[2 * k + 1] * z[2 * k + 1]) * (k == 0 || k == last ? scale : 2 * scale);
    for (int k = 0; k <= last; k++) row[k] = logf(row[k] + 1e-7F);
}

/* Every frame of the padded wave through `frame`, turned to [F,T]. */
static void run_frames(BalAudioFeature *f, const float *padded, int64_t n_frames, float *out,
                       void (*frame)(BalAudioFeature *, const float *, float *)) {
    int bins = f->n_fft / 2 + 1;
    for (int64_t t0 = 0; t0 < n_frames; t0 += BAL_STFT_BLOCK) {
        int some = (int)(n_frames - t0 < BAL_STFT_BLOCK ? n_frames - t0 : BAL_STFT_BLOCK);
        for (int j = 0; j < some; j++) frame(f, padded + (t0 + j) * f->recipe.hop, f->block + (int64_t)j * bins);
        for (int k = 0; k < bins; k++)
            for (int j = 0; j < some; j++) out[k * n_frames + t0 + j] = f->block[(int64_t)j * bins + k];
    }
}

static void run_log_stft(BalAudioFeature *f, float *wave, int64_t n, float *out) {
    int64_t pad = margin(&f->recipe), s[2];
    bool reflect = f->recipe.centre == BAL_CENTRE_REFLECT;
    for (int64_t i = 1; i <= pad; i++) {
        wave[-i] = reflect ? wave[i] : 0;
        wave[n - 1 + i] = reflect ? wave[n - 1 - i] : 0;
    }
    shape(&f->recipe, n, s);
    run_frames(f, wave - pad, s[1], out, frame_log_stft);
}

static void run_spectrogram(BalAudioFeature *f, float *wave, int64_t n, float *out) {
    int64_t s[2];
    shape(&f->recipe, n, s);
    run_frames(f, wave, s[1], out, frame_spectrogram);
}

const BalAudioOps bal_audio_log_stft = {
    .name = "log-stft",
    .normalise = BAL_NORMALISE_NONE,
    .clamp = true,
    .check = check,
    .shape = shape,
    .margin = margin,
    .prepare = prepare_hann,
    .run = run_log_stft,
};

const BalAudioOps bal_audio_spectrogram = {
    .name = "spectrogram",
    .normalise = BAL_NORMALISE_CLIP,
    .clamp = true,
    .check = check,
    .shape = shape,
    .prepare = prepare_tukey,
    .run = run_spectrogram,
};
