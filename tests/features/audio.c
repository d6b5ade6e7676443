/* Audio pipelines: the published vectors, golden results of torch and scipy, the shapes of every published row, bad sounds. */
#include "../base/fault.h"
#include <avbalance/features.h>
#include <math.h>
#include "base/mem.h"
#include "base/option.h"
#include "golden.h"

static BalError err;

/* audio.* settings as one YAML text over the defaults */
static BalAudioRecipe recipe(const char *yaml) {
    BalFeatureRecipe r = bal_feature_recipe_default();
    BalOptionSet set = {bal_feature_options(), &r};
    assert_ok(bal_options_parse(&set, 1, yaml, strlen(yaml), "recipe", &err));
    assert_ok(bal_feature_recipe_check(&r, &err));
    return r.audio;
}

/* The feature of pcm, the caller's; its shape is checked. */
static float *feature(const BalAudioRecipe *r, const float *pcm, int64_t n, int rate, int64_t rows, int64_t columns) {
    int64_t shape[2];
    bal_audio_shape(r, rate, shape);
    assert_int_equal(shape[0], rows);
    assert_int_equal(shape[1], columns);
    float *out = NULL;
    BalAudioFeature *f = NULL;
    assert_ok(bal_alloc(&out, (size_t)(rows * columns), sizeof *out, &err));
    assert_ok(bal_audio_feature_create(&f, r, &err));
    assert_ok(bal_audio_feature_run(f, pcm, n, rate, out, &err));
    bal_audio_feature_destroy(&f);
    assert_null(f);
    return out;
}

static void assert_close(const float *got, const float *want, int64_t n, double limit) {
    for (int64_t i = 0; i < n; i++)
        if (!(fabs(got[i] - want[i]) <= limit))
            fail_msg("value %lld is %.9g instead of %.9g", (long long)i, got[i], want[i]);
}

/* vectors/methods.json "log_stft": wave beyond [-1,1], so the formula is tried at a quarter of its size: log falls by log 4 */
static void test_log_stft_vector(void **state) {
    (void)state;
    static const float x[20] = {0.3F,       0.492764F,  0.838371F,  1.163167F,  0.179202F, -0.493444F, -0.571745F,
                                -1.142528F, -0.76947F,  0.316432F,  0.492668F,  0.854461F, 1.153921F,  0.150583F,
                                -0.495652F, -0.580755F, -1.151843F, -0.742739F, 0.332098F, 0.492804F};
    static const double reflect[5][6] = {
        {0.8416773488, -0.2369842653, 0.3792962893, 0.6788345451, 0.8193705171, -0.7237534596},
        {-0.4247716468, 0.6851116581, 0.7071948134, 0.7199747745, 0.7167025999, 0.4087653115},
        {-0.6192071797, 0.1616248282, 0.2445670263, 0.2208415604, 0.08298095987, 0.2692115346},
        {-2.920270642, -0.6005566822, -0.614477302, -0.6529922698, -0.5875226441, -1.060911389},
        {-3.134681917, -1.808049213, -1.85303118, -1.098773522, -1.618634302, -1.110544165}};
    static const double zero[5][6] = {
        {0.270124725, -0.2369842653, 0.3792962893, 0.6788345451, 0.8193705171, -0.7383286286},
        {-0.03728931059, 0.6851116581, 0.7071948134, 0.7199747745, 0.7167025999, -0.6196766509},
        {-1.283050334, 0.1616248282, 0.2445670263, 0.2208415604, 0.08298095987, -0.5890823008},
        {-2.095182779, -0.6005566822, -0.614477302, -0.6529922698, -0.5875226441, -0.972096592},
        {-2.053825619, -1.808049213, -1.85303118, -1.098773522, -1.618634302, -1.925423326}};
    float quarter[20];
    for (int i = 0; i < 20; i++) quarter[i] = x[i] / 4;
    for (int centre = BAL_CENTRE_REFLECT; centre <= BAL_CENTRE_ZERO; centre++) {
        BalAudioRecipe r = recipe("audio: {pipeline: log-stft, rate_hz: 1000, seconds: 0.02, n_fft: 8, hop: 4}");
        r.centre = centre;
        float *out = feature(&r, quarter, 20, 1000, 5, 6);
        for (int i = 0; i < 30; i++) {
            double want = (centre == BAL_CENTRE_REFLECT ? reflect : zero)[i / 6][i % 6];
            want = log((exp(want) - 1e-7) / 4 + 1e-7);
            if (fabs(out[i] - want) > 1e-6)
                fail_msg("centre %d, value %d is %.9g instead of %.9g", centre, i, out[i], want);
        }
        bal_free(out);
    }
}

static void compare(const char *yaml, const char *golden, int rate, int64_t rows, int64_t columns, double limit) {
    float pcm[2000];
    BalMap map = {0};
    golden_sound(pcm, 2000);
    BalAudioRecipe r = recipe(yaml);
    float *out = feature(&r, pcm, 2000, rate, rows, columns);
    assert_close(out, golden_load(&map, golden, BAL_NPY_F32, (size_t)(rows * columns)), rows * columns, limit);
    bal_map_close(&map);
    bal_free(out);
}

static void test_golden(void **state) {
    (void)state;
    const char *stft = "audio: {pipeline: log-stft, rate_hz: 1000, seconds: 2, n_fft: 64, hop: 48, centre: none}";
    compare(stft, "log_stft_none.npy", 1000, 33, 41, 2e-5);
    compare("audio: {pipeline: log-stft, rate_hz: 1000, seconds: 2, n_fft: 64, hop: 48, centre: reflect}",
            "log_stft_reflect.npy", 1000, 33, 42, 2e-5);
    compare("audio: {pipeline: log-stft, rate_hz: 1000, seconds: 2, n_fft: 64, hop: 48, centre: zero}",
            "log_stft_zero.npy", 1000, 33, 42, 2e-5);
    compare("audio: {pipeline: spectrogram, rate_hz: 1000, seconds: 3, n_fft: 64, hop: 20, fit: tile}",
            "spectrogram.npy", 1000, 33, 147, 2e-5);
    compare("audio: {rate_hz: 0, mel_bins: 24, frames: 32}", "kaldi_fbank.npy", 8000, 32, 24, 2e-5);
}

/* Every row of the preprocessing table must be expressible; shapes from vectors/methods.json "spectrogram_shapes" where listed. */
static void test_published_rows(void **state) {
    (void)state;
    static const struct {
        const char *yaml;
        int64_t rows, columns;
    } row[] = {
        {"audio: {pipeline: log-stft, rate_hz: 22050, seconds: 3, fit: tile, n_fft: 512, hop: 353}", 257, 188},
        {"audio: {pipeline: log-stft, rate_hz: 16000, seconds: 5, fit: tile, crop: centre, n_fft: 256, hop: 128}", 129,
         626},
        {"audio: {pipeline: spectrogram, rate_hz: 16000, seconds: 10, fit: tile, n_fft: 512, hop: 159}", 257, 1004},
        {"audio: {pipeline: spectrogram, rate_hz: 16000, seconds: 3, fit: tile, n_fft: 512, hop: 159}", 257, 299},
        {"audio: {pipeline: kaldi-fbank, rate_hz: 48000}", 1024, 128},
        {"audio: {pipeline: log-stft, rate_hz: 8000, seconds: 2, n_fft: 256, hop: 128, centre: zero}", 129, 126},
    };
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        BalAudioRecipe r = recipe(row[i].yaml);
        int64_t shape[2];
        bal_audio_shape(&r, (int)r.rate_hz, shape);
        assert_int_equal(shape[0], row[i].rows);
        assert_int_equal(shape[1], row[i].columns);
    }
}

static void test_fitting(void **state) {
    (void)state;
    float ramp[40], out40[5 * 6];
    for (int i = 0; i < 40; i++) ramp[i] = (float)i / 40;
    BalAudioRecipe r = recipe("audio: {pipeline: log-stft, rate_hz: 1000, seconds: 0.02, n_fft: 8, hop: 4}");
    float *start = feature(&r, ramp, 40, 1000, 5, 6), *first = feature(&r, ramp, 20, 1000, 5, 6);
    assert_memory_equal(start, first, sizeof out40); /* cut: only the first 20 count */
    r.crop = BAL_CROP_CENTRE;
    float *centre = feature(&r, ramp, 40, 1000, 5, 6), *middle = feature(&r, ramp + 10, 20, 1000, 5, 6);
    assert_memory_equal(centre, middle, sizeof out40);
    float twice[20], padded[20] = {0};
    for (int i = 0; i < 20; i++) twice[i] = ramp[i % 7];
    memcpy(padded, ramp, 7 * sizeof *ramp);
    float *pad = feature(&r, ramp, 7, 1000, 5, 6), *by_hand = feature(&r, padded, 20, 1000, 5, 6);
    assert_memory_equal(pad, by_hand, sizeof out40);
    r.fit = BAL_FIT_TILE;
    float *tile = feature(&r, ramp, 7, 1000, 5, 6), *repeated = feature(&r, twice, 20, 1000, 5, 6);
    assert_memory_equal(tile, repeated, sizeof out40);
    float *all[] = {start, first, centre, middle, pad, by_hand, tile, repeated};
    for (int i = 0; i < 8; i++) bal_free(all[i]);
}

/* A kaldi recipe without a rate follows the sound's; frames that are missing hold the normalised zero. */
static void test_kaldi_rates_and_padding(void **state) {
    (void)state;
    BalAudioRecipe r = recipe("audio: {rate_hz: 0, frames: 40, mel_bins: 16}");
    BalAudioFeature *f = NULL;
    float pcm[4000], first[40 * 16], again[40 * 16];
    golden_sound(pcm, 4000);
    assert_ok(bal_audio_feature_create(&f, &r, &err));
    assert_ok(bal_audio_feature_run(f, pcm, 2000, 8000, first, &err));
    assert_ok(bal_audio_feature_run(f, pcm, 4000, 16000, again, &err));
    assert_memory_not_equal(first, again, sizeof first);
    assert_ok(bal_audio_feature_run(f, pcm, 2000, 8000, again, &err));
    assert_memory_equal(first, again, sizeof first);
    for (int i = 23 * 16; i < 40 * 16; i++) assert_true(fabsf(first[i] - 0.438010F) < 2e-6F);
    bal_audio_feature_destroy(&f);
}

static void test_bad_sounds(void **state) {
    (void)state;
    BalAudioRecipe r = recipe("audio: {pipeline: spectrogram, rate_hz: 1000, seconds: 0.1, n_fft: 64, hop: 20}");
    BalAudioFeature *f = NULL;
    float pcm[100] = {0}, out[33 * 2];
    assert_ok(bal_audio_feature_create(&f, &r, &err));
    assert_ok(bal_audio_feature_run(f, pcm, 100, 1000, out, &err)); /* silence: no spread to divide by, still finite */
    for (int i = 0; i < 66; i++) assert_true(isfinite(out[i]));
    assert_fails(bal_audio_feature_run(f, pcm, 100, 8000, out, &err), BAL_E_ARG, "1000 Hz");
    assert_fails(bal_audio_feature_run(f, pcm, 0, 1000, out, &err), BAL_E_MEDIA, "no samples");
    pcm[99] = NAN;
    assert_fails(bal_audio_feature_run(f, pcm, 100, 1000, out, &err), BAL_E_NUMERIC, "finite");
    pcm[99] = INFINITY;
    assert_fails(bal_audio_feature_run(f, pcm, 100, 1000, out, &err), BAL_E_NUMERIC, "finite");
    bal_audio_feature_destroy(&f);
}

static void test_recipe_checks(void **state) {
    (void)state;
    static const struct {
        const char *yaml, *part;
    } bad[] = {
        {"audio: {pipeline: log-stft, rate_hz: 0}", "needs audio.rate_hz"},
        {"audio: {pipeline: spectrogram, seconds: 0}", "audio.seconds above 0"},
        {"audio: {pipeline: log-stft, n_fft: 353}", "multiple of 4"},
        {"audio: {pipeline: log-stft, n_fft: 512, hop: 513}", "larger than audio.n_fft"},
        {"audio: {pipeline: spectrogram, seconds: 0.01, rate_hz: 8000}", "needs 512"},
        {"audio: {pipeline: log-stft, seconds: 600, rate_hz: 48000, hop: 1}", "raise audio.hop"},
        {"audio: {rate_hz: 500}", "at least 1000"},
        {"audio: {seconds: 0.01}", "one frame"},
        {"audio: {seconds: 0, fit: tile}", "audio.seconds, which is 0"},
        {"visual: {fps: 0, n_frames: 0}", "no frame would be stored"},
        {"visual: {square: true, store_size: 0}", "side of the square"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        BalFeatureRecipe r = bal_feature_recipe_default();
        BalOptionSet set = {bal_feature_options(), &r};
        assert_ok(bal_options_parse(&set, 1, bad[i].yaml, strlen(bad[i].yaml), "recipe", &err));
        assert_fails(bal_feature_recipe_check(&r, &err), BAL_E_ARG, bad[i].part);
    }
    BalInputRecipe in = bal_input_recipe_default();
    assert_ok(bal_input_recipe_check(&in, &err));
    in.crop_min = 0.9, in.crop_max = 0.5;
    assert_fails(bal_input_recipe_check(&in, &err), BAL_E_ARG, "larger than input.crop_max");
}

static BalStatus all_pipelines(void *user, BalError *e) {
    (void)user;
    static float pcm[2000], out[1024 * 128];
    BalAudioRecipe r = bal_feature_recipe_default().audio;
    r.rate_hz = 8000, r.seconds = 0.25;
    BalStatus rc = BAL_OK;
    for (r.pipeline = 0; r.pipeline <= BAL_AUDIO_KALDI_FBANK && rc == BAL_OK; r.pipeline++) {
        BalAudioFeature *f = NULL;
        rc = bal_audio_feature_create(&f, &r, e);
        if (rc == BAL_OK) rc = bal_audio_feature_run(f, pcm, 2000, 8000, out, e);
        bal_audio_feature_destroy(&f);
    }
    return rc;
}

static void test_no_memory(void **state) {
    (void)state;
    assert_true(fault_each_allocation(all_pipelines, NULL) > 12);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_log_stft_vector),         cmocka_unit_test(test_golden),
        cmocka_unit_test(test_published_rows),          cmocka_unit_test(test_fitting),
        cmocka_unit_test(test_kaldi_rates_and_padding), cmocka_unit_test(test_bad_sounds),
        cmocka_unit_test(test_recipe_checks),           cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
