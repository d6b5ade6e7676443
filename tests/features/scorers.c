/* What the pretrained networks are fed: VGGish's log-mel and SlowFast's views, against vectors worked out apart from this code. */
#define AVB_VECTORS "building.json"
#include "base/vectors.h"
#include <avbalance/features.h>
#include "features/audio.h"

static BalError err;

static const BalJson *member(const BalJson *v, const char *key) {
    const BalJson *at = bal_json_get(v, key);
    if (!at) fail_msg("there is no %s", key);
    return at;
}

/* ---- VGGish ---- */
static BalAudioRecipe vggish(double seconds, int frames) {
    BalAudioRecipe r = bal_feature_recipe_default().audio;
    r.pipeline = BAL_AUDIO_VGGISH;
    r.rate_hz = 16000;
    r.seconds = seconds;
    r.frames = frames;
    return r;
}

/* [frames,64], the caller's. */
static float *log_mel(const float *pcm, int64_t n, double seconds, int frames) {
    const BalAudioRecipe r = vggish(seconds, frames);
    BalAudioFeature *f = NULL;
    int64_t shape[2];
    float *out = malloc(sizeof *out * 64 * (size_t)frames);
    bal_audio_shape(&r, 16000, shape);
    assert_int_equal(shape[0], frames);
    assert_int_equal(shape[1], 64);
    assert_ok(bal_audio_feature_create(&f, &r, &err));
    assert_ok(bal_audio_feature_run(f, pcm, n, 16000, out, &err));
    bal_audio_feature_destroy(&f);
    return out;
}

static double sum_of(const float *x, int64_t n) {
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += x[i];
    return sum;
}

static void check_row(const char *what, const float *row, const BalJson *want) {
    for (size_t i = 0; i < bal_json_size(want); i++) {
        const double w = bal_json_real(bal_json_at(want, i), NAN);
        if (!(fabs(row[i] - w) <= 1e-4)) /* the sound is float32 */
            fail_msg("%s[%zu]: %.9g instead of %.9g", what, i, (double)row[i], w);
    }
}

static void mel_filters(void **state) {
    (void)state;
    const BalAudioRecipe r = vggish(1, 96);
    BalAudioFeature *f = NULL;
    double total = 0;
    if (!vectors) skip();
    const BalJson *mel = member(member(vectors, "vggish"), "mel");
    assert_ok(bal_audio_feature_create(&f, &r, &err));
    for (size_t m = 0; m < 64; m++) {
        double sum = 0;
        for (int k = 0; k < f->filter[m].n; k++) sum += f->filter[m].weight[k];
        total += sum;
        assert_int_equal(f->filter[m].n, bal_json_int(bal_json_at(member(mel, "nonzero_per_band"), m), -1));
        assert_int_equal(f->filter[m].first, bal_json_int(bal_json_at(member(mel, "first_bin_per_band"), m), -1));
        assert_near("band", sum, bal_json_real(bal_json_at(member(mel, "band_sums"), m), NAN), 1e-6);
    }
    assert_near("total", total, bal_json_real(member(mel, "total_sum"), NAN), 1e-7);
    assert_near("window", sum_of(f->window, f->window_n), bal_json_real(member(mel, "hann_sum"), NAN), 1e-7);
    bal_audio_feature_destroy(&f);
}

static void mel_rows(void **state) {
    (void)state;
    enum { SINE = 48000, NOISE = 16000 };
    static float x[SINE];
    if (!vectors) skip();
    const BalJson *mel = member(member(vectors, "vggish"), "mel"), *sine = member(mel, "sine1k_3s");
    for (int i = 0; i < SINE; i++) x[i] = (float)sin(2 * 3.14159265358979323846 * 1000 * i / 16000);
    float *y = log_mel(x, SINE, 3, 298);
    check_row("sine", y, member(sine, "row0"));
    assert_near("row 95", sum_of(y + 95 * 64, 64), bal_json_real(member(sine, "row95_sum"), NAN), 1e-5);
    assert_near("all", sum_of(y, 3 * 96 * 64), bal_json_real(member(sine, "sum_all"), NAN), 1e-5);
    free(y);

    memset(x, 0, sizeof x);
    x[200] = 1;
    y = log_mel(x, 400, 0.025, 2);
    check_row("impulse", y, member(mel, "impulse_at_200_frame0"));
    for (int i = 64; i < 128; i++) assert_true(fabs(y[i] - bal_json_real(member(mel, "silence_value"), NAN)) < 1e-6);
    free(y);

    const BalJson *noise = member(mel, "lcg_noise_1s");
    uint32_t s = 12345;
    for (int i = 0; i < NOISE; i++) {
        s = (1103515245u * s + 12345u) & 0x7fffffffu;
        x[i] = (float)((double)(s >> 15) / 65536 - 0.5);
    }
    y = log_mel(x, NOISE, 1, 98);
    check_row("noise", y, member(noise, "row0_first8"));
    check_row("noise end", y + 97 * 64 + 56, member(noise, "row97_last8"));
    assert_near("noise sum", sum_of(y, 98 * 64), bal_json_real(member(noise, "sum"), NAN), 1e-5);
    free(y);
}

/* A clip that is too short is silence from where its sound ends; one of 153,840 samples fills ten patches to the last frame. */
static void mel_lengths(void **state) {
    (void)state;
    static float x[160000];
    for (int i = 0; i < 160000; i++) x[i] = (float)sin(i * 0.3) * 0.5F;
    float *full = log_mel(x, 160000, 10, 960), *ten = log_mel(x, 153840, 10, 960), *half = log_mel(x, 80000, 10, 960);
    assert_memory_equal(full, ten, sizeof *full * 960 * 64);
    assert_memory_equal(full, half, sizeof *full * 498 * 64);
    for (int i = 500 * 64; i < 960 * 64; i++) assert_true(fabs(half[i] - log(0.01)) < 1e-6);
    free(full), free(ten), free(half);
    BalAudioRecipe r = vggish(10, 960);
    BalAudioFeature *f = NULL;
    r.rate_hz = 48000;
    assert_fails(bal_audio_feature_create(&f, &r, &err), BAL_E_ARG, "audio.rate_hz 16000");
}

/* The spectrogram of VGG-Sound's ResNet-18. */
static void vggsound_shape(void **state) {
    (void)state;
    BalAudioRecipe r = bal_feature_recipe_default().audio;
    int64_t shape[2];
    if (!vectors) skip();
    const BalJson *v = member(vectors, "vggsound_h_input");
    r.pipeline = BAL_AUDIO_SPECTROGRAM;
    r.rate_hz = 16000;
    r.seconds = (double)bal_json_int(member(v, "samples"), 0) / 16000;
    r.n_fft = bal_json_int(member(v, "nperseg"), 0);
    r.hop = r.n_fft - bal_json_int(member(v, "noverlap"), 0);
    bal_audio_shape(&r, 16000, shape);
    assert_int_equal(shape[0], bal_json_int(member(v, "freq_bins"), -1));
    assert_int_equal(shape[1], bal_json_int(member(v, "frames"), -1));
}

/* ---- SlowFast ---- */
static void view_times(void **state) {
    (void)state;
    int64_t index[32];
    int slow[8];
    if (!vectors) skip();
    const BalJson *v = member(vectors, "slowfast_preprocess"), *list = member(v, "temporal");
    for (size_t i = 0; i < bal_json_size(list); i++) {
        const BalJson *t = bal_json_at(list, i);
        assert_ok(bal_view_frames(bal_json_real(member(t, "fps"), NAN), bal_json_int(member(t, "frames"), -1),
                                  (int)bal_json_int(member(t, "view"), -1), (int)bal_json_int(member(t, "views"), -1),
                                  32, index, &err));
        for (size_t k = 0; k < 32; k++) assert_int_equal(index[k], bal_json_int(bal_json_at(member(t, "idx"), k), -1));
    }
    for (int m = 4; m <= 8; m += 4) {
        bal_view_slow(32, m, slow);
        for (int k = 0; k < m; k++)
            assert_int_equal(
                slow[k], bal_json_int(bal_json_at(member(v, m == 8 ? "slow_index_8" : "slow_index_4"), (size_t)k), -1));
    }
}

/* The middle view, a video shorter than a clip, one picture, and what there is not. */
static void view_edges(void **state) {
    (void)state;
    int64_t index[32];
    assert_ok(bal_view_frames(30, 300, 0, 1, 32, index, &err));
    assert_int_equal(index[0], 118); /* floor((300 - 64) / 2) */
    assert_int_equal(index[31], 181);
    assert_ok(bal_view_frames(30, 40, 2, 3, 32, index, &err));
    assert_int_equal(index[0], 0);
    assert_int_equal(index[31], 39);
    assert_ok(bal_view_frames(0.1, 1, 0, 1, 32, index, &err));
    for (int k = 0; k < 32; k++) assert_int_equal(index[k], 0);
    assert_fails(bal_view_frames(0, 10, 0, 1, 32, index, &err), BAL_E_ARG, "view 0 of 1");
    assert_fails(bal_view_frames(25, 10, 3, 3, 32, index, &err), BAL_E_ARG, "view 3 of 3");
}

static void view_crops(void **state) {
    (void)state;
    if (!vectors) skip();
    const BalJson *list = member(member(vectors, "slowfast_preprocess"), "spatial");
    int scaled[2], at[2];
    for (size_t i = 0; i < bal_json_size(list); i++)
        for (int crop = 0; crop < 3; crop++) {
            const BalJson *s = bal_json_at(list, i), *src = member(s, "src_hw"), *want = member(s, "scaled_hw");
            const BalJson *yx = bal_json_at(member(s, "crops_yx"), (size_t)crop);
            assert_ok(bal_view_crop((int)bal_json_int(bal_json_at(src, 0), 0),
                                    (int)bal_json_int(bal_json_at(src, 1), 0), 256, 256, crop, scaled, at, &err));
            for (size_t k = 0; k < 2; k++) {
                assert_int_equal(scaled[k], bal_json_int(bal_json_at(want, k), -1));
                assert_int_equal(at[k], bal_json_int(bal_json_at(yx, k), -1));
            }
        }
    assert_ok(bal_view_crop(256, 256, 256, 224, 1, scaled, at, &err));
    assert_int_equal(at[0], 16);
    assert_int_equal(at[1], 16);
    assert_fails(bal_view_crop(100, 100, 224, 256, 1, scaled, at, &err), BAL_E_ARG, "crop 1 of 256");
}

/* Pixels: nothing to scale, a doubling worked out by hand, and a crop of it. */
static void view_pixels(void **state) {
    (void)state;
    enum { H = 2, W = 3 };
    uint8_t src[H * W * 3];
    float out[3 * 16];
    const int same[2] = {2, 3}, twice[2] = {4, 6};
    for (int i = 0; i < H * W; i++)
        for (int c = 0; c < 3; c++) src[i * 3 + c] = (uint8_t)(40 * i + c);
    bal_view_pixels(src, H, W, same, (int[]){0, 1}, 2, out, 4);
    for (int c = 0; c < 3; c++)
        for (int i = 0; i < 4; i++) {
            const double x = src[((i / 2) * W + 1 + i % 2) * 3 + c];
            assert_true(fabs(out[c * 4 + i] - (x / 255 - 0.45) / 0.225) < 1e-6);
        }
    bal_view_pixels(src, H, W, twice, (int[]){0, 1}, 4, out, 16);
    /* rows at -0.25 (0), 0.25, 0.75, 1.25 (1); columns 1..4 at 0.25, 0.75, 1.25, 1.75; a step right is 40, down 120 */
    static const double v[4] = {0, 0.25, 0.75, 1}, u[4] = {0.25, 0.75, 1.25, 1.75};
    for (int i = 0; i < 16; i++) {
        const double x = 120 * v[i / 4] + 40 * u[i % 4];
        assert_true(fabs(out[i] - (x / 255 - 0.45) / 0.225) < 1e-5);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mel_filters),    cmocka_unit_test(mel_rows),    cmocka_unit_test(mel_lengths),
        cmocka_unit_test(vggsound_shape), cmocka_unit_test(view_times),  cmocka_unit_test(view_edges),
        cmocka_unit_test(view_crops),     cmocka_unit_test(view_pixels),
    };
    return cmocka_run_group_tests(tests, vectors_open, vectors_close);
}
