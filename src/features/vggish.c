/* VGGish's log-mel, [T,64], as the AudioSet code computes it (tensorflow/models, research/audioset/vggish).
 *
 * Mono at 16 kHz. Frames of 400 samples every 160 that lie wholly inside; periodic Hann window; magnitude (not power) of the FFT over
 * 512; 64 triangles between 125 and 7500 Hz, linear in mel, not normalised by their area; ln(x + 0.01). Silence is ln 0.01. Cut to
 * audio.frames, or followed by silence: a network takes patches of 96 frames. In double, since beside a loud tone the logarithm of
 * quiet bands shows the rounding of a float32 transform. */
#include <math.h>
#include <string.h>
#include "features/audio.h"
#include "base/mem.h"

enum { RATE = 16000, WINDOW = 400, HOP = 160, N_FFT = 512, BANDS = 64 };
static const double pi = 3.14159265358979323846, offset = 0.01;

static BalStatus check(const BalAudioRecipe *r, BalError *err) {
    if (r->rate_hz != RATE || r->seconds <= 0)
        return BAL_FAIL(err, BAL_E_ARG, "audio.pipeline vggish needs audio.rate_hz %d and audio.seconds above 0", RATE);
    return BAL_OK;
}

static void shape(const BalAudioRecipe *r, int64_t n, int64_t s[2]) {
    (void)n;
    s[0] = r->frames;
    s[1] = BANDS;
}

static BalStatus prepare(BalAudioFeature *f, BalError *err) {
    f->window_n = WINDOW;
    f->n_fft = N_FFT;
    BAL_TRY(bal_fft_create_double(&f->fft, f->n_fft, err));
    BAL_TRY(bal_alloc(&f->window, WINDOW, sizeof *f->window, err));
    for (int i = 0; i < WINDOW; i++) f->window[i] = (float)(0.5 - 0.5 * cos(2 * pi * i / WINDOW));
    return bal_mel_filters(f, BANDS, 125, 7500, err);
}

/* WINDOW samples at x -> row [BANDS] */
static void frame(BalAudioFeature *f, const float *x, float *row) {
    double *in = bal_fft_input_double(f->fft), magnitude[N_FFT / 2];
    for (int i = 0; i < WINDOW; i++) in[i] = (double)x[i] * f->window[i];
    memset(in + WINDOW, 0, (N_FFT - WINDOW) * sizeof *in);
    const double *z = bal_fft_run_double(f->fft);
    for (int k = 0; k < N_FFT / 2; k++) magnitude[k] = sqrt(z[2 * k] * z[2 * k] + z[2 * k + 1] * z[2 * k + 1]);
    for (int m = 0; m < BANDS; m++) {
        const BalMelFilter *filter = &f->filter[m];
        double sum = offset;
        for (int k = 0; k < filter->n; k++) sum += filter->weight[k] * magnitude[filter->first + k];
        row[m] = (float)log(sum);
    }
}

static void run(BalAudioFeature *f, float *wave, int64_t n, float *out) {
    int64_t n_frames = n < WINDOW ? 0 : 1 + (n - WINDOW) / HOP;
    if (n_frames > f->recipe.frames) n_frames = f->recipe.frames;
    for (int64_t t = 0; t < n_frames; t++) frame(f, wave + t * HOP, out + t * BANDS);
    for (int64_t i = n_frames * BANDS; i < f->recipe.frames * BANDS; i++) out[i] = (float)log(offset);
}

const BalAudioOps bal_audio_vggish = {
    .name = "vggish",
    .normalise = BAL_NORMALISE_NONE,
    .clamp = true,
    .time_first = true,
    .check = check,
    .shape = shape,
    .prepare = prepare,
    .run = run,
};
