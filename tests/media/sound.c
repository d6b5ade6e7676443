/* Sound: on the clip's clock, mono by the rule, at the wanted rate, exactly as long as the clip. */
#include <math.h>
#include "media/make.h"

#define PI 3.14159265358979323846
enum { RATE = 8000 };

static void decode(const char *name, const BalClipSpec *s, BalClipMedia *m) {
    BalError err = {0};
    assert_ok(bal_clip_decode(scratch(name), s, NULL, m, &err));
    assert_true(m->has_audio);
}

static BalClipSpec sound_only(int rate_hz) {
    BalClipSpec s = bal_clip_spec_default();
    s.want_video = false;
    s.rate_hz = rate_hz;
    return s;
}

static double rms(const float *x, int64_t from, int64_t to) {
    double sum = 0;
    for (int64_t i = from; i < to; i++) sum += (double)x[i] * x[i];
    return sqrt(sum / (double)(to - from));
}

/* left and right of a stereo file; NULL: silence */
static void stereo(const char *name, const double *left, const double *right, int n) {
    int16_t *x = test_malloc((size_t)n * 4);
    for (int i = 0; i < n; i++) {
        x[2 * i] = (int16_t)lrint(left ? 32767 * left[i] : 0);
        x[2 * i + 1] = (int16_t)lrint(right ? 32767 * right[i] : 0);
    }
    make_wav(scratch(name), RATE, 2, x, n);
    test_free(x);
}

static void channel_rule(void **state) {
    (void)state;
    static double a[RATE], b[RATE], minus[RATE];
    for (int i = 0; i < RATE; i++) {
        a[i] = 0.5 * sin(2 * PI * 440 * i / RATE);
        b[i] = 0.3 * sin(2 * PI * 1000 * i / RATE);
        minus[i] = -a[i];
    }
    const struct {
        const double *left, *right;
        BalChannelRule rule;
        double rms;
    } cases[] = {
        {a, a, BAL_CHANNELS_AUTO, 0.35355},     {a, b, BAL_CHANNELS_AUTO, 0.20616}, /* sqrt(0.25/2 + 0.09/2) / 2 */
        {a, NULL, BAL_CHANNELS_AUTO, 0.35355},  {NULL, b, BAL_CHANNELS_AUTO, 0.21213},
        {a, minus, BAL_CHANNELS_AUTO, 0.35355}, {NULL, NULL, BAL_CHANNELS_AUTO, 0},
        {a, minus, BAL_CHANNELS_MEAN, 0},       {a, NULL, BAL_CHANNELS_MEAN, 0.17678},
        {NULL, b, BAL_CHANNELS_FIRST, 0},       {b, a, BAL_CHANNELS_FIRST, 0.21213},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        BalClipMedia m = {0}, again = {0};
        BalClipSpec s = sound_only(0);
        s.channels = cases[i].rule;
        stereo("stereo.wav", cases[i].left, cases[i].right, RATE);
        decode("stereo.wav", &s, &m);
        assert_int_equal(m.n_samples, RATE);
        assert_int_equal(m.rate_hz, RATE);
        if (fabs(rms(m.pcm, 0, RATE) - cases[i].rms) > 1e-3)
            fail_msg("case %zu: rms %g instead of %g", i, rms(m.pcm, 0, RATE), cases[i].rms);
        decode("stereo.wav", &s, &again);
        assert_memory_equal(m.pcm, again.pcm, RATE * sizeof *m.pcm);
        bal_clip_media_reset(&m);
        bal_clip_media_reset(&again);
    }
}

/* More channels than have names: the mean of those that sound, to the last bit and across the blocks it is made in. */
static void many_channels(void **state) {
    (void)state;
    enum { N = 10001, C = 5 };
    static int16_t x[N][C]; /* the third is silent */
    for (int i = 0; i < N; i++) {
        x[i][0] = x[i][4] = (int16_t)lrint(16384 * sin(2 * PI * 440 * i / RATE));
        x[i][1] = x[i][3] = (int16_t)lrint(9000 * sin(2 * PI * 1000 * i / RATE));
    }
    BalClipMedia m = {0};
    BalClipSpec s = sound_only(0);
    make_wav(scratch("five.wav"), RATE, C, x[0], N);
    for (int again = 0; again < 2; again++) { /* the second time in the first one's memory */
        decode("five.wav", &s, &m);
        assert_int_equal(m.n_samples, N);
        for (int i = 0; i < N; i++) assert_true(m.pcm[i] == (float)(2 * x[i][0] + 2 * x[i][1]) / 4 / 32768);
    }
    bal_clip_media_reset(&m);
}

/* A tone keeps its frequency, phase and level through every rate; the length is that of the clip to the sample. */
static void rates(void **state) {
    (void)state;
    static int16_t x[RATE];
    static const int to[] = {0, 8000, 16000, 11025, 44100, 48000, 5000};
    for (int i = 0; i < RATE; i++) x[i] = (int16_t)lrint(16384 * sin(2 * PI * 500 * i / RATE));
    make_wav(scratch("tone.wav"), RATE, 1, x, RATE);
    for (size_t k = 0; k < sizeof to / sizeof *to; k++) {
        BalClipMedia m = {0};
        BalClipSpec s = sound_only(to[k]);
        decode("tone.wav", &s, &m);
        int rate = to[k] ? to[k] : RATE;
        assert_int_equal(m.n_samples, rate);
        double worst = 0;
        for (int i = rate / 10; i < rate * 9 / 10; i++)
            worst = fmax(worst, fabs(m.pcm[i] - 0.5 * sin(2 * PI * 500 * i / rate)));
        if (worst > 0.01) fail_msg("%d Hz: off by %g", rate, worst);
        bal_clip_media_reset(&m);
    }
}

static void window(void **state) {
    (void)state;
    static int16_t x[RATE];
    for (int i = 0; i < RATE; i++) x[i] = (int16_t)i;
    make_wav(scratch("ramp.wav"), RATE, 1, x, RATE);
    BalClipMedia m = {0};
    BalClipSpec s = sound_only(0);
    s.start_s = 0.25, s.duration_s = 0.5;
    decode("ramp.wav", &s, &m);
    assert_int_equal(m.n_samples, RATE / 2);
    for (int i = 0; i < RATE / 2; i++) assert_true(m.pcm[i] == (float)(i + RATE / 4) / 32768);
    s.duration_s = 2; /* longer than the file: zeros behind its end */
    decode("ramp.wav", &s, &m);
    assert_int_equal(m.n_samples, 2 * RATE);
    for (int i = 0; i < 2 * RATE; i++) assert_true(m.pcm[i] == (i < RATE * 3 / 4 ? (float)(i + RATE / 4) / 32768 : 0));
    bal_clip_media_reset(&m);
}

/* A burst in the middle of coded sound comes out where it went in beside the picture. Where the container cannot say that the coder's
 * priming is to be left out, the picture is late by as much. */
static void priming(void **state) {
    (void)state;
    static const struct {
        const char *name, *format, *codec;
        double most_s;
    } cases[] = {{"burst.mp4", "mp4", "aac", 0.003},
                 {"burst.mkv", "matroska", "aac", 0.003},
                 {"burst.ts", "mpegts", "aac", 0.003}};
    static float pcm[44100];
    for (int i = 0; i < 44100; i++) pcm[i] = i >= 20000 && i < 30000 ? (float)(0.5 * sin(i * 0.2)) : 0;
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        Make make = {.name = cases[k].name,
                     .as = {.format = cases[k].format, .audio_codec = cases[k].codec, .video_codec = "mpeg4"},
                     .fps = 25,
                     .n_frames = 25,
                     .rate_hz = 44100,
                     .pcm = pcm,
                     .n_pcm = 44100};
        if (!make_file(&make)) continue;
        BalClipMedia m = {0};
        BalClipSpec s = bal_clip_spec_default();
        s.duration_s = 1;
        decode(cases[k].name, &s, &m);
        assert_int_equal(m.n_samples, 44100);
        int first = 0;
        while (first < 44100 && fabsf(m.pcm[first]) < 0.2f) first++;
        double off = (first - 20000) / 44100.0 - m.frame_s[0];
        if (fabs(off) > cases[k].most_s) fail_msg("%s: the burst is off by %g s", cases[k].name, off);
        bal_clip_media_reset(&m);
    }
}

/* The sound of a clip does not depend on whether its pictures are wanted, and the other way round. */
static void one_clock(void **state) {
    (void)state;
    const char *path = AVB_SOURCE_DIR "/../shared/data/messy/own_audio_starts_late.mkv";
    if (!bal_file_exists(path)) {
        print_message("no ../shared/data: skipped\n");
        skip();
    }
    BalError err = {0};
    BalClipMedia both = {0}, sound = {0}, picture = {0};
    BalClipSpec s = bal_clip_spec_default();
    s.rate_hz = 16000;
    assert_ok(bal_clip_decode(path, &s, NULL, &both, &err));
    s.want_video = false;
    assert_ok(bal_clip_decode(path, &s, NULL, &sound, &err));
    s.want_audio = false, s.want_video = true;
    assert_ok(bal_clip_decode(path, &s, NULL, &picture, &err));
    assert_int_equal(both.n_samples, sound.n_samples);
    assert_memory_equal(both.pcm, sound.pcm, (size_t)both.n_samples * sizeof *both.pcm);
    assert_int_equal(both.n_frames, picture.n_frames);
    assert_memory_equal(both.frames, picture.frames, (size_t)both.n_frames * both.width * both.height * 3);
    assert_true(rms(both.pcm, 0, 16000) == 0); /* the sound begins at 1.48 s */
    assert_true(rms(both.pcm, 24000, 32000) > 0.01);
    bal_clip_media_reset(&both);
    bal_clip_media_reset(&sound);
    bal_clip_media_reset(&picture);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(channel_rule), cmocka_unit_test(many_channels),
                                       cmocka_unit_test(rates),        cmocka_unit_test(window),
                                       cmocka_unit_test(priming),      cmocka_unit_test(one_clock)};
    return cmocka_run_group_tests(tests, scratch_open, scratch_close);
}
