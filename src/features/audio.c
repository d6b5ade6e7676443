/* The audio feature of one clip: fit the sound to the recipe's length, run the pipeline, normalise.
 *
 * A pipeline is a row of functions (audio.h); what is common to all stands here, so that cutting, tiling and normalising mean the
 * same everywhere. Everything is computed in a fixed order by one thread: same bits for the same input on the same machine. */
#include "features/audio.h"
#include <math.h>
#include <string.h>
#include "base/mem.h"

static const BalAudioOps *const ops_table[] = {
    [BAL_AUDIO_LOG_STFT] = &bal_audio_log_stft,
    [BAL_AUDIO_SPECTROGRAM] = &bal_audio_spectrogram,
    [BAL_AUDIO_KALDI_FBANK] = &bal_audio_kaldi_fbank,
    [BAL_AUDIO_VGGISH] = &bal_audio_vggish,
};

const BalAudioOps *bal_audio_ops(int pipeline) {
    return ops_table[pipeline];
}

int64_t bal_audio_samples(const BalAudioRecipe *r, int rate_hz) {
    return llround(r->seconds * (r->rate_hz ? (double)r->rate_hz : rate_hz));
}

void bal_audio_shape(const BalAudioRecipe *r, int rate_hz, int64_t shape[2]) {
    bal_audio_ops(r->pipeline)->shape(r, bal_audio_samples(r, rate_hz), shape);
}

BalStatus bal_audio_feature_create(BalAudioFeature **out, const BalAudioRecipe *r, BalError *err) {
    const BalAudioOps *ops = bal_audio_ops(r->pipeline);
    BAL_TRY(ops->check(r, err));
    BalAudioFeature *f = NULL;
    BAL_TRY(bal_alloc(&f, 1, sizeof *f, err));
    f->recipe = *r;
    f->ops = ops;
    f->rate_hz = (int)r->rate_hz;
    BalStatus rc = f->rate_hz ? ops->prepare(f, err) : BAL_OK;
    if (rc < 0)
        bal_audio_feature_destroy(&f);
    else
        *out = f;
    return rc;
}

static void drop_tables(BalAudioFeature *f) {
    bal_fft_destroy(&f->fft);
    bal_free(f->window);
    bal_free(f->power);
    bal_free(f->block);
    bal_free(f->filter);
    bal_free(f->filter_weight);
    f->window = f->power = f->block = f->filter_weight = NULL;
    f->filter = NULL;
    f->rate_hz = 0;
}

void bal_audio_feature_destroy(BalAudioFeature **f) {
    if (!f || !*f) return;
    drop_tables(*f);
    bal_free((*f)->wave);
    bal_free(*f);
    *f = NULL;
}

/* Only a recipe without a rate meets several of them. */
static BalStatus follow_rate(BalAudioFeature *f, int rate_hz, BalError *err) {
    if (f->recipe.rate_hz && rate_hz != f->recipe.rate_hz)
        return BAL_FAIL(err, BAL_E_ARG, "the sound has %d Hz where the recipe asks for %lld Hz", rate_hz,
                        (long long)f->recipe.rate_hz);
    if (f->rate_hz == rate_hz) return BAL_OK;
    if (rate_hz < 1000 || rate_hz > 384000)
        return BAL_FAIL(err, BAL_E_MEDIA, "a sample rate of %d Hz: must be in 1000..384000", rate_hz);
    drop_tables(f);
    f->rate_hz = rate_hz;
    BalStatus rc = f->ops->prepare(f, err);
    if (rc < 0) drop_tables(f);
    return rc;
}

static bool all_finite(const float *x, int64_t n) {
    float sum = 0; /* 0 * x is 0 for every finite x, else NaN */
    for (int64_t i = 0; i < n; i++) sum += 0.0F * x[i];
    return sum == 0;
}

/* pcm [n] -> wave [want]: cut, tiled or padded. */
static void fit(const BalAudioFeature *f, const float *pcm, int64_t n, float *wave, int64_t want) {
    if (n >= want) pcm += f->recipe.crop == BAL_CROP_CENTRE ? (n - want) / 2 : 0;
    for (int64_t at = 0; at < want; at += n) {
        size_t some = (size_t)(want - at < n ? want - at : n);
        if (at == 0 || f->recipe.fit == BAL_FIT_TILE)
            memcpy(wave + at, pcm, some * sizeof *wave);
        else
            memset(wave + at, 0, some * sizeof *wave);
    }
    if (f->ops->clamp)
        for (int64_t i = 0; i < want; i++) wave[i] = wave[i] > 1 ? 1 : wave[i] < -1 ? -1 : wave[i];
}

static void normalise(const BalAudioFeature *f, float *x, int64_t n) {
    int how = f->recipe.normalise == BAL_NORMALISE_AUTO ? f->ops->normalise : f->recipe.normalise;
    if (how == BAL_NORMALISE_NONE) return;
    double mean = f->recipe.mean, std = f->recipe.std;
    if (how == BAL_NORMALISE_CLIP) {
        double sum = 0, sum2 = 0;
        for (int64_t i = 0; i < n; i++) sum += x[i];
        mean = sum / (double)n;
        for (int64_t i = 0; i < n; i++) sum2 += (x[i] - mean) * (x[i] - mean);
        std = sqrt(sum2 / (double)n) + 1e-9;
    }
    for (int64_t i = 0; i < n; i++) x[i] = (float)((x[i] - mean) / std);
}

BalStatus bal_audio_feature_run(BalAudioFeature *f, const float *pcm, int64_t n, int rate_hz, float *out,
                                BalError *err) {
    if (n <= 0) return BAL_FAIL(err, BAL_E_MEDIA, "the sound holds no samples");
    if (!all_finite(pcm, n)) return BAL_FAIL(err, BAL_E_NUMERIC, "the sound holds samples that are not finite numbers");
    BAL_TRY(follow_rate(f, rate_hz, err));
    int64_t want = bal_audio_samples(&f->recipe, rate_hz), shape[2];
    if (want == 0 || (n < want && f->ops->pads_frames && f->recipe.fit == BAL_FIT_PAD)) want = n;
    int64_t margin = f->ops->margin ? f->ops->margin(&f->recipe) : 0;
    BAL_TRY(bal_grow(&f->wave, &f->wave_cap, (size_t)(want + 2 * margin), sizeof *f->wave, err));
    fit(f, pcm, n, f->wave + margin, want);
    f->ops->run(f, f->wave + margin, want, out);
    bal_audio_shape(&f->recipe, rate_hz, shape);
    normalise(f, out, shape[0] * shape[1]);
    return BAL_OK;
}
