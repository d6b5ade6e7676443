/* Cutting: where clips lie, that a clip holds the pictures and samples of its span, and what is refused. */
#include <avbalance/cut.h>
#include <math.h>
#include "base/fault.h"
#include "media/make.h"
#include "media/shots.h"

enum { RATE = 16000, FPS = 25 };

/* ---- spans ---- */

typedef struct Case {
    const char *name;
    bool grid;
    double from_s, to_s, cut_s[16];
    int n_cuts, n;
    int64_t start_ms[12];
    unsigned flags;
} Case;

static const Case cases[] = {
    {"one shot, centred", false, 0, 45.5, {0}, 0, 4, {2750, 12750, 22750, 32750}, 0},
    {"short shots are left out", false, 0, 40, {12.5, 17, 39}, 3, 3, {1250, 18000, 28000}, 0},
    {"no shot is long enough", false, 0, 25.9, {6, 12, 18, 24}, 4, 2, {0, 10000}, BAL_SPAN_MIXED},
    {"edges of long videos", false, 0, 61, {0}, 0, 5, {5500, 15500, 25500, 35500, 45500}, 0},
    {"none of short ones", false, 0, 60, {0}, 0, 6, {0, 10000, 20000, 30000, 40000, 50000}, 0},
    {"twelve, spread evenly",
     false,
     0,
     250,
     {0},
     0,
     12,
     {5000, 25000, 45000, 65000, 85000, 105000, 125000, 145000, 165000, 185000, 205000, 225000},
     0},
    {"grid", true, 0, 65.5, {30}, 1, 6, {0, 10000, 20000, 30000, 40000, 50000}, 0},
    {"too short", false, 0, 9.89, {0}, 0, 0, {0}, 0},
    {"nearly ten seconds", false, 0, 9.91, {0}, 0, 1, {0}, 0},
    {"a late stream moves the first clip", true, 0.3, 20.1, {0}, 0, 1, {300}, 0},
    {"a hardly late one does not", true, 0.04, 20, {0}, 0, 2, {0, 10000}, 0},
    {"cuts fall between milliseconds", false, 0, 20.0004, {9.9996}, 1, 1, {10000}, 0},
    {"cuts outside, out of order, not numbers", false, 0, 20, {-3, 50, 5, NAN, 4}, 5, 1, {7500}, 0},
};

static void spans(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const Case *c = &cases[i];
        BalCutRule rule = bal_cut_rule_default(c->grid);
        BalError err = {0};
        BalSpan *at = NULL;
        int n = -1;
        assert_ok(bal_cut_spans(&rule, c->from_s, c->to_s, c->cut_s, c->n_cuts, &at, &n, &err));
        if (n != c->n) fail_msg("%s: %d spans instead of %d", c->name, n, c->n);
        for (int k = 0; k < n; k++) {
            /* 24 clips fit into 240 s, of which every second is taken: the later of each pair */
            int64_t want = c->n == 12 ? c->start_ms[k] + 10000 : c->start_ms[k];
            if (at[k].start_ms != want || at[k].end_ms != want + 10000 || at[k].flags != c->flags)
                fail_msg("%s: span %d is %d..%d (%u), wanted %d", c->name, k, (int)at[k].start_ms, (int)at[k].end_ms,
                         at[k].flags, (int)want);
        }
        bal_spans_free(at);
    }
    BalCutRule odd = bal_cut_rule_default(false);
    BalSpan *at;
    BalError err = {0};
    int n;
    odd.clip_s = 0;
    assert_fails(bal_cut_spans(&odd, 0, 20, NULL, 0, &at, &n, &err), BAL_E_ARG, "clips of 0 s");
    odd.clip_s = NAN;
    assert_fails(bal_cut_spans(&odd, 0, 20, NULL, 0, &at, &n, &err), BAL_E_ARG, "clips of nan s");
}

/* min(D, |D - D before|): steady motion is no cut, nor is the picture after a flash. */
static void score(void **state) {
    (void)state;
    static const double d[] = {2, 2, 40, 3, 30, 30, 30}, want[] = {2, 0, 38, 3, 27, 0, 0};
    double before = 0;
    for (int i = 0; i < 7; i++) assert_true(bal_scene_score(d[i], &before) == want[i]);
}

/* ---- files ---- */

static float pcm[RATE * 20];

/* Noise that tells every moment, and a click on every whole second. */
static void make_sound(void) {
    BalRng r = bal_rng(3, BAL_RNG_TEST, 0, 0);
    for (int i = 0; i < RATE * 20; i++)
        pcm[i] = i % RATE == 0 ? 0.9f : (float)(0.02 * (bal_rng_uniform(&r) - 0.5) + 0.05 * sin(i * 0.05));
}

static Make film(const char *name, int n_frames) {
    return (Make){.name = name,
                  .as = {.format = "matroska", .any_time = true, .audio_codec = "pcm_f32le"},
                  .fps = FPS,
                  .n_frames = n_frames,
                  .rate_hz = RATE,
                  .pcm = pcm,
                  .n_pcm = (int64_t)n_frames * RATE / FPS};
}

static void decode(const char *name, double fps, BalClipMedia *m) {
    BalError err = {0};
    BalClipSpec s = bal_clip_spec_default();
    s.fps = fps;
    assert_ok(bal_clip_decode(scratch(name), &s, NULL, m, &err));
}

static void cut(const char *name, int64_t start_ms, int64_t end_ms, const char *to, BalCutResult *out) {
    BalError err = {0};
    BalCutSpec spec = bal_cut_spec_default();
    BalSpan span = {start_ms, end_ms, 0};
    assert_ok(bal_cut(scratch(name), &span, &spec, NULL, scratch(to), out, &err));
}

/* Every picture of the clip is the one on screen at its time in the video, whatever the rate does. */
static void pictures(void **state) {
    (void)state;
    static const struct {
        const char *name, *format, *options;
        int gap_at, gap;
        double start_s, shift_s; /* shift: of the pictures, by the sound coder's priming */
    } film_of[] = {
        {"plain.mp4", "mp4", "preset=fast:g=50:bf=3", 0, 0, 3.21, 0},
        {"vfr.mkv", "matroska", "preset=fast:g=40:bf=2", 100, 31, 3.3, 0},
        {"vfr.mp4", "mp4", "preset=fast:g=250:bf=2", 90, 20, 2.005, 0},
        {"open.mkv", "matroska", "preset=medium:g=15:bf=3:x264-params=open-gop=1", 0, 0, 5.5, 0},
        {"stream.ts", "mpegts", "preset=fast:g=25:bf=2", 0, 0, 4, 1024.0 / RATE},
        {"far.mkv", "matroska", "preset=fast:g=25:bf=2", 0, 0, 9.6, 0},
    };
    for (size_t i = 0; i < sizeof film_of / sizeof *film_of; i++) {
        BalClipMedia m = {0};
        BalCutResult r;
        Make f = film(film_of[i].name, 250);
        f.as.format = film_of[i].format, f.as.video_options = film_of[i].options;
        if (!strcmp(f.as.format, "mp4") || !strcmp(f.as.format, "mpegts")) f.as.audio_codec = NULL;
        f.gap_at = film_of[i].gap_at, f.gap = film_of[i].gap;
        f.as.any_time = f.gap > 0;
        f.n_pcm = (int64_t)20 * RATE;
        if (!make_file(&f)) continue;
        bool far = film_of[i].start_s > 9;
        double length = far ? 0.4 : 2;
        cut(f.name, llround(film_of[i].start_s * 1000), llround((film_of[i].start_s + length) * 1000), "clip.mp4", &r);
        decode("clip.mp4", 30, &m);
        assert_int_equal(m.n_frames, llround(length * 30));
        for (int k = 0; k < m.n_frames; k++) {
            int tick = (int)floor((film_of[i].start_s - film_of[i].shift_s + k / 30.0) * FPS + 0.02), want = tick;
            if (f.gap && tick >= f.gap_at) want = tick < f.gap_at + f.gap ? f.gap_at - 1 : tick - f.gap;
            int got = read_number(m.frames + (size_t)k * MAKE_W * MAKE_H * 3, m.width, m.height);
            if (got != want) fail_msg("%s: picture %d of the clip is %d instead of %d", f.name, k, got, want);
        }
        bal_clip_media_reset(&m);
    }
}

/* The clip's sound is the video's from the sample on that belongs to its begin: clicks stay where they were. */
static void sound(void **state) {
    (void)state;
    Make f = film("clicks.mkv", 200);
    BalClipMedia m = {0};
    BalCutResult r;
    assert_true(make_file(&f));
    cut(f.name, 1730, 4230, "clicks.mp4", &r);
    decode("clicks.mp4", 1, &m);
    assert_int_equal(m.rate_hz, 48000);
    for (int second = 2; second <= 4; second++) {
        int64_t want = llround((second - 1.73) * 48000), best = 0;
        for (int64_t k = want - 2000; k < want + 2000 && k < m.n_samples; k++)
            if (k >= 0 && fabsf(m.pcm[k]) > fabsf(m.pcm[best])) best = k;
        if (llabs(best - want) > 24) fail_msg("click at sample %lld instead of %lld", (long long)best, (long long)want);
    }
    assert_true(fabs(r.probe.audio.end_s - 2.5) < 0.03 && fabs(r.probe.video.end_s - 2.5) < 1e-3);
    assert_int_equal(r.probe.audio.channels, 2);
    bal_clip_media_reset(&m);
}

/* A clip of a turned or mirrored video is upright, of the shape people see. */
static void turned(void **state) {
    (void)state;
    for (int k = 0; k < 8; k++) {
        Make f = film("turned.mp4", 60);
        BalClipMedia was = {0}, is = {0};
        BalCutResult r;
        f.as = (BalWriterTweaks){.quarter_turns = k % 4, .mirrored = k > 3};
        assert_true(make_file(&f));
        cut(f.name, 400, 1400, "upright.mp4", &r);
        assert_int_equal(r.probe.video.rotation_deg, 0);
        decode("turned.mp4", 5, &was);
        decode("upright.mp4", 5, &is);
        assert_int_equal(is.width, was.width);
        size_t n = (size_t)is.width * is.height * 3;
        double sum = 0;
        for (size_t i = 0; i < n; i++) sum += abs(is.frames[i] - was.frames[2 * n + i]);
        if (sum / (double)n > 12) fail_msg("turn %d: pictures differ by %.1f on average", k, sum / (double)n);
        bal_clip_media_reset(&was);
        bal_clip_media_reset(&is);
    }
}

static void same_bytes(void **state) {
    (void)state;
    Make f = film("twice.mkv", 100);
    BalCutResult a, b;
    assert_true(make_file(&f));
    cut(f.name, 500, 3500, "a.mp4", &a);
    cut(f.name, 500, 3500, "b.mp4", &b);
    assert_string_equal(a.sha256, b.sha256);
    assert_true(a.bytes > 1000 && a.bytes == b.bytes);
    BalError err = {0};
    BalText text = {0};
    assert_ok(bal_file_read(scratch("a.mp4"), 0, &text, &err));
    assert_int_equal((int64_t)text.len, a.bytes);
    assert_memory_equal(text.data + 36, "moov", 4); /* the index comes before the media */
    bal_text_reset(&text);
}

/* ---- plans ---- */

static void make_scenes(const char *name, int n, int every) {
    BalError err = {0};
    BalMediaWriter *w = NULL;
    BalMediaWriterSpec spec = {MAKE_W, MAKE_H, FPS, RATE};
    BalWriterTweaks as = {.format = "matroska", .any_time = true, .audio_codec = "pcm_f32le"};
    static uint8_t rgb[MAKE_W * MAKE_H * 3];
    assert_ok(bal_media_writer_open_as(&w, scratch(name), &spec, &as, &err));
    for (int k = 0; k < n; k++) {
        memset(rgb, 40 + 150 * (k / every % 2), sizeof rgb);
        for (int i = 0; i < 300; i++) rgb[(i * 31 + 3 * k) % sizeof rgb] ^= 64;
        assert_ok(bal_media_writer_frame_at(w, rgb, (k + (k > 60 ? 5 : 0)) / (double)FPS, &err));
    }
    assert_ok(bal_media_writer_sound(w, pcm, (int64_t)(n + 5) * RATE / FPS, &err));
    assert_ok(bal_media_writer_close(&w, &err));
}

static void plans(void **state) {
    (void)state;
    BalError err = {0};
    BalCutPlan p = {0};
    BalCutRule rule = bal_cut_rule_default(false), grid = bal_cut_rule_default(true);
    make_scenes("scenes.mkv", 300, 80); /* cuts at pictures 80, 160, 240: five pictures late on the clock */
    rule.clip_s = grid.clip_s = 2;
    assert_ok(bal_cut_plan(scratch("scenes.mkv"), &rule, NULL, &p, &err));
    assert_int_equal(p.frames, 300);
    assert_int_equal(p.n_cuts, 3);
    for (int k = 0; k < 3; k++) assert_true(fabs(p.cut_s[k] - (80 * (k + 1) + 5) / 25.0) < 1e-3);
    if (!(fabs(p.duration_s - 12.2) < 0.02)) fail_msg("%g s long", p.duration_s);
    static const int64_t start[] = {700, 4000, 7200, 9900}; /* shots of 3.4, 3.2, 3.2, 2.4 s: centred */
    assert_int_equal(p.n_spans, 4);
    for (int k = 0; k < 4; k++)
        if (llabs(p.span[k].start_ms - start[k]) > 120) fail_msg("span %d at %d", k, (int)p.span[k].start_ms);
    bal_cut_plan_reset(&p);
    assert_ok(bal_cut_plan(scratch("scenes.mkv"), &grid, NULL, &p, &err));
    assert_int_equal(p.n_spans, 6);
    assert_int_equal(p.frames, 0);
    bal_cut_plan_reset(&p);
}

/* ---- what is refused ---- */

static void refused(void **state) {
    (void)state;
    BalError err = {0};
    BalCutPlan p = {0};
    BalCutResult r = {.bytes = -5};
    BalCutRule rule = bal_cut_rule_default(false);
    BalCutSpec spec = bal_cut_spec_default();
    BalSpan span = {1000, 3000, 0}, late = {3000, 5000, 0}, wrong = {2000, 2000, 0};
    Make f = film("four.mkv", 100), mute = film("mute.mkv", 100), blind = film("blind.mkv", 0);
    assert_true(make_file(&f));
    mute.rate_hz = 0;
    assert_true(make_file(&mute));
    blind.n_pcm = 4 * RATE;
    assert_true(make_file(&blind));
    const char *path = scratch("four.mkv"), *to = scratch("never.mp4");
    assert_fails(bal_cut(path, &late, &spec, NULL, to, &r, &err), BAL_E_MEDIA, "ends 1.0");
    assert_fails(bal_cut(path, &wrong, &spec, NULL, to, &r, &err), BAL_E_ARG, "from 2000 to 2000");
    assert_fails(bal_cut(scratch("mute.mkv"), &span, &spec, NULL, to, &r, &err), BAL_E_MEDIA, "no sound stream");
    assert_fails(bal_cut(scratch("blind.mkv"), &span, &spec, NULL, to, &r, &err), BAL_E_MEDIA, "no picture stream");
    assert_fails(bal_cut_plan(scratch("mute.mkv"), &rule, NULL, &p, &err), BAL_E_MEDIA, "mute.mkv: has no sound");
    assert_fails(bal_cut_plan(scratch("blind.mkv"), &rule, NULL, &p, &err), BAL_E_MEDIA, "has no picture");
    assert_fails(bal_cut_plan(scratch("absent.mkv"), &rule, NULL, &p, &err), BAL_E_IO, "absent.mkv");
    BalMediaLimits small = bal_media_limits_default(), quick = small;
    small.pixels = 1000, quick.seconds = 1e-6;
    assert_fails(bal_cut_plan(path, &rule, &small, &p, &err), BAL_E_MEDIA, "more than the limit");
    assert_fails(bal_cut(path, &span, &spec, &small, to, &r, &err), BAL_E_MEDIA, "more than the limit");
    assert_fails(bal_cut_plan(path, &rule, &quick, &p, &err), BAL_E_MEDIA, "wall time");
    assert_fails(bal_cut(path, &span, &spec, &quick, to, &r, &err), BAL_E_MEDIA, "wall time");
    assert_false(bal_file_exists(to));
    assert_int_equal(r.bytes, -5);
    assert_ok(bal_cut_plan(path, &rule, NULL, &p, &err)); /* four seconds: nothing to cut, which is an answer */
    assert_int_equal(p.n_spans, 0);
    bal_cut_plan_reset(&p);
}

/* Sound that begins or ends within the span is not padded. */
static void uncovered(void **state) {
    (void)state;
    BalError err = {0};
    BalCutPlan p = {0};
    BalCutResult r;
    BalCutSpec spec = bal_cut_spec_default();
    BalCutRule grid = bal_cut_rule_default(true);
    BalSpan first = {0, 2000, 0}, last = {3000, 5000, 0};
    Make f = film("late.mkv", 150);
    f.as.sound_at_s = 0.3, f.n_pcm = 4 * RATE;
    assert_true(make_file(&f));
    const char *path = scratch(f.name), *to = scratch("never.mp4");
    assert_fails(bal_cut(path, &first, &spec, NULL, to, &r, &err), BAL_E_MEDIA, "sound begins 0.3");
    assert_fails(bal_cut(path, &last, &spec, NULL, to, &r, &err), BAL_E_MEDIA, "sound ends 0.");
    grid.clip_s = 2;
    assert_ok(bal_cut_plan(path, &grid, NULL, &p, &err));
    assert_int_equal(p.n_spans, 2);
    assert_true(p.span[0].start_ms >= 300 && p.span[0].start_ms < 330);
    assert_ok(bal_cut(path, &p.span[0], &spec, NULL, to, &r, &err));
    bal_cut_plan_reset(&p);
}

/* Headers that claim hours change nothing. */
static void lying(void **state) {
    (void)state;
    BalError err = {0};
    BalCutPlan p = {0};
    BalCutResult r;
    BalText text = {0};
    BalCutRule grid = bal_cut_rule_default(true);
    grid.clip_s = 2;
    Make f = film("lies.mp4", 150);
    f.as = (BalWriterTweaks){0};
    assert_true(make_file(&f));
    assert_ok(bal_file_read(scratch(f.name), 0, &text, &err));
    char *mvhd = memmem(text.data, text.len, "mvhd", 4);
    assert_non_null(mvhd);
    memcpy(mvhd + 20, "\x7f\xff\xff\xff", 4); /* duration: 24 days */
    assert_ok(bal_file_write(scratch(f.name), text.data, text.len, &err));
    bal_text_reset(&text);
    assert_ok(bal_cut_plan(scratch(f.name), &grid, NULL, &p, &err));
    assert_true(fabs(p.duration_s - 6) < 0.1);
    assert_int_equal(p.n_spans, 3);
    cut(f.name, 4000, 6000, "true.mp4", &r);
    bal_cut_plan_reset(&p);
}

/* Two pictures are a video: what they show lasts as long as the file says. */
static void two_pictures(void **state) {
    (void)state;
    BalError err = {0};
    BalMediaWriter *w = NULL;
    BalMediaWriterSpec spec = {MAKE_W, MAKE_H, 1, RATE};
    BalWriterTweaks as = {.format = "matroska", .any_time = true, .audio_codec = "pcm_f32le"};
    static uint8_t rgb[MAKE_W * MAKE_H * 3];
    BalClipMedia m = {0};
    BalCutResult r;
    assert_ok(bal_media_writer_open_as(&w, scratch("two.mkv"), &spec, &as, &err));
    for (int k = 0; k < 2; k++) {
        make_picture(rgb, 20 + k);
        assert_ok(bal_media_writer_frame_at(w, rgb, 2 * k, &err));
    }
    assert_ok(bal_media_writer_sound(w, pcm, 3 * RATE, &err));
    assert_ok(bal_media_writer_close(&w, &err));
    cut("two.mkv", 1000, 3000, "two.mp4", &r);
    decode("two.mp4", 2, &m);
    for (int k = 0; k < 4; k++)
        assert_int_equal(read_number(m.frames + (size_t)k * MAKE_W * MAKE_H * 3, MAKE_W, MAKE_H), 20 + k / 2);
    assert_true(r.probe.findings >> BAL_FIND_FROZEN & 1);
    bal_clip_media_reset(&m);
}

static BalStatus whole(void *user, BalError *err) {
    (void)user;
    BalCutRule rule = bal_cut_rule_default(false);
    BalCutSpec spec = bal_cut_spec_default();
    BalCutPlan p = {0};
    BalCutResult r;
    rule.clip_s = 0.5;
    BAL_TRY(bal_cut_plan(scratch("small.mkv"), &rule, NULL, &p, err));
    BalStatus rc = bal_cut(scratch("small.mkv"), &p.span[0], &spec, NULL, scratch("small.mp4"), &r, err);
    bal_cut_plan_reset(&p);
    return rc;
}

static void without_memory(void **state) {
    (void)state;
    Make f = film("small.mkv", 20);
    assert_true(make_file(&f));
    assert_true(fault_each_allocation(whole, NULL) > 10);
}

int main(void) {
    make_sound();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spans), cmocka_unit_test(score),        cmocka_unit_test(pictures),
        cmocka_unit_test(sound), cmocka_unit_test(turned),       cmocka_unit_test(same_bytes),
        cmocka_unit_test(plans), cmocka_unit_test(refused),      cmocka_unit_test(uncovered),
        cmocka_unit_test(lying), cmocka_unit_test(two_pictures), cmocka_unit_test(without_memory),
    };
    return cmocka_run_group_tests(tests, scratch_open, scratch_close);
}
