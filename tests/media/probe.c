/* Probe: every finding on a file made to have it, the limits, and what must not be opened. */
#include <math.h>
#include <sys/stat.h>
#include <unistd.h>
#include "media/extent.h"
#include "media/make.h"

#define PI 3.14159265358979323846
enum { RATE = 8000, SECONDS = 3, N_PCM = RATE * SECONDS };

static bool has(const BalProbe *p, BalFinding f) {
    return p->findings >> f & 1;
}

/* The findings of p are exactly those listed (BAL_FIND_COUNT ends the list). */
static void check_findings(const char *what, const BalProbe *p, const BalFinding *want) {
    uint64_t mask = 0;
    for (; *want != BAL_FIND_COUNT; want++) mask |= UINT64_C(1) << *want;
    for (int f = 0; f < BAL_FIND_COUNT; f++)
        if ((mask >> f & 1) != (p->findings >> f & 1))
            fail_msg("%s: %s '%s'", what, mask >> f & 1 ? "lacks" : "wrongly has", bal_finding_name((BalFinding)f));
}

static void names(void **state) {
    (void)state;
    for (int f = 0; f < BAL_FIND_COUNT; f++) {
        assert_non_null(bal_finding_name((BalFinding)f));
        assert_non_null(bal_finding_meaning((BalFinding)f));
        for (int g = 0; g < f; g++)
            assert_string_not_equal(bal_finding_name((BalFinding)f), bal_finding_name((BalFinding)g));
    }
    assert_null(bal_finding_name(BAL_FIND_COUNT));
}

static void sounds(void **state) {
    (void)state;
    static int16_t x[2 * N_PCM];
    static const struct {
        const char *what;
        double level, offset, right; /* of the right channel, in levels of the left */
        BalFinding want[4];
    } cases[] = {
        {"good", 0.5, 0, 0.5, {BAL_FIND_NO_VIDEO, BAL_FIND_COUNT}},
        {"silent", 0, 0, 0, {BAL_FIND_NO_VIDEO, BAL_FIND_SILENT, BAL_FIND_COUNT}},
        {"faint", 0.001, 0, 1, {BAL_FIND_NO_VIDEO, BAL_FIND_SILENT, BAL_FIND_COUNT}},
        {"clipped", 2, 0, 1, {BAL_FIND_NO_VIDEO, BAL_FIND_CLIPPED, BAL_FIND_COUNT}},
        {"shifted", 0.2, 0.3, 1, {BAL_FIND_NO_VIDEO, BAL_FIND_DC, BAL_FIND_COUNT}},
        {"antiphase", 0.5, 0, -1, {BAL_FIND_NO_VIDEO, BAL_FIND_ANTIPHASE, BAL_FIND_COUNT}},
        {"one-sided", 0.5, 0, 0, {BAL_FIND_NO_VIDEO, BAL_FIND_ONE_SIDED, BAL_FIND_COUNT}},
    };
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        for (int i = 0; i < N_PCM; i++) {
            double v = cases[c].level * sin(2 * PI * 440 * i / RATE) + cases[c].offset, r = v * cases[c].right;
            x[2 * i] = (int16_t)fmax(-32768, fmin(32767, 32768 * v));
            x[2 * i + 1] = (int16_t)fmax(-32768, fmin(32767, 32768 * r));
        }
        make_wav(scratch("sound.wav"), RATE, 2, x, N_PCM);
        BalProbe p;
        BalError err = {0};
        assert_ok(bal_probe(scratch("sound.wav"), NULL, &p, &err));
        check_findings(cases[c].what, &p, cases[c].want);
        assert_true(fabs(p.duration_s - SECONDS) < 1e-9);
        assert_int_equal(p.audio.channels, 2);
        assert_int_equal(p.audio.rate_hz, RATE);
        assert_int_equal(p.video.index, -1);
    }
}

enum Look { GOOD, BLACK, GREY, STILL, SLIDES, CUTS, CHOPPY, BARS };

static void paint(uint8_t *rgb, int look, int k) {
    size_t half = (size_t)MAKE_W * MAKE_H * 3 / 2, bar = half / 2;
    if (look == GOOD || look >= CUTS) make_picture(rgb, k * 3);
    if (look == GOOD || look >= CUTS) memset(rgb, 128, half); /* else numbers would be cuts */
    if (look == CUTS) memset(rgb, k / 6 % 2 ? 230 : 30, half);
    if (look == CHOPPY) memset(rgb, k / 4 % 2 ? 230 : 30, half);
    if (look == BARS) memset(rgb, 1, bar), memset(rgb + half + bar, 1, bar);
    if (look == STILL) make_picture(rgb, 0);
    if (look == SLIDES) make_picture(rgb, 3 * (k / 10));
    if (look == BLACK || look == GREY)
        for (int i = 0; i < MAKE_W * MAKE_H * 3; i++) rgb[i] = look == BLACK ? 3 : 120;
}

static void pictures(void **state) {
    (void)state;
    static uint8_t rgb[MAKE_W * MAKE_H * 3];
    static const struct {
        const char *what;
        int look, n;
        BalFinding want[5];
    } cases[] = {
        {"good", GOOD, 30, {BAL_FIND_NO_AUDIO, BAL_FIND_COUNT}},
        {"short", GOOD, 5, {BAL_FIND_NO_AUDIO, BAL_FIND_SHORT, BAL_FIND_COUNT}},
        {"black", BLACK, 30, {BAL_FIND_NO_AUDIO, BAL_FIND_BLACK, BAL_FIND_FLAT, BAL_FIND_FROZEN, BAL_FIND_COUNT}},
        {"grey", GREY, 30, {BAL_FIND_NO_AUDIO, BAL_FIND_FLAT, BAL_FIND_FROZEN, BAL_FIND_COUNT}},
        {"still", STILL, 30, {BAL_FIND_NO_AUDIO, BAL_FIND_FROZEN, BAL_FIND_COUNT}},
        {"slides", SLIDES, 30, {BAL_FIND_NO_AUDIO, BAL_FIND_FROZEN, BAL_FIND_COUNT}},
        {"cuts", CUTS, 30, {BAL_FIND_NO_AUDIO, BAL_FIND_CUTS, BAL_FIND_COUNT}},
        {"choppy", CHOPPY, 60, {BAL_FIND_NO_AUDIO, BAL_FIND_CUTS, BAL_FIND_CHOPPY, BAL_FIND_COUNT}},
        {"bars", BARS, 30, {BAL_FIND_NO_AUDIO, BAL_FIND_LETTERBOX, BAL_FIND_COUNT}},
    };
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        BalError err = {0};
        BalMediaWriter *w = NULL;
        BalMediaWriterSpec spec = {MAKE_W, MAKE_H, 10, 0};
        assert_ok(bal_media_writer_open(&w, scratch("picture.mp4"), &spec, &err));
        for (int k = 0; k < cases[c].n; k++) {
            paint(rgb, cases[c].look, k);
            assert_ok(bal_media_writer_frame(w, rgb, &err));
        }
        assert_ok(bal_media_writer_close(&w, &err));
        BalProbe p;
        assert_ok(bal_probe(scratch("picture.mp4"), NULL, &p, &err));
        check_findings(cases[c].what, &p, cases[c].want);
        assert_int_equal(p.video.frames, cases[c].n);
        assert_true(fabs(p.duration_s - cases[c].n / 10.0) < 1e-6);
        assert_true(fabs(p.video.mean_fps - 10) < 1e-6);
        assert_int_equal(p.video.width, MAKE_W);
        int cuts = cases[c].look == CUTS ? 4 : cases[c].look == CHOPPY ? 14 : 0;
        if (cases[c].look >= CUTS || cases[c].look == GOOD) assert_int_equal(p.video.cuts, cuts);
        if (cases[c].look == CUTS) assert_true(bal_finding_value(&p, BAL_FIND_CUTS) == 4);
        bool bars = cases[c].look == BARS;
        assert_true(fabs(p.video.letterbox_share - (bars ? 0.5 : 0)) < 1e-9);
        assert_int_equal(p.video.crop_y, bars ? MAKE_H / 4 : 0);
        assert_int_equal(p.video.crop_height, bars ? MAKE_H / 2 : MAKE_H);
        assert_int_equal(p.video.crop_width, MAKE_W);
    }
}

/* Streams that end at different times; numbers that decide are there whether or not they decide. */
static void ends(void **state) {
    (void)state;
    static float pcm[RATE * 6];
    for (int i = 0; i < RATE * 6; i++) pcm[i] = (float)(0.3 * sin(2 * PI * 440 * i / RATE));
    for (int k = 0; k < 3; k++) {
        BalProbe p;
        BalError err = {0};
        Make m = {.name = "ends.mp4", .fps = 10, .n_frames = 30, .rate_hz = RATE, .pcm = pcm, .n_pcm = RATE * (2 + k)};
        assert_true(make_file(&m));
        assert_ok(bal_probe(scratch("ends.mp4"), NULL, &p, &err));
        assert_int_equal(has(&p, BAL_FIND_SHORT_AUDIO), k == 0);
        assert_int_equal(has(&p, BAL_FIND_SHORT_VIDEO), k == 2);
        assert_true(fabs(bal_finding_value(&p, BAL_FIND_SHORT_VIDEO) - (k - 1)) < 0.15);
        assert_true(bal_finding_value(&p, BAL_FIND_SILENT) < 0.1);
        assert_true(isnan(bal_finding_value(&p, BAL_FIND_NO_AUDIO)));
    }
}

static void containers(void **state) {
    (void)state;
    BalProbe p;
    BalError err = {0};
    Make turned = {.name = "turned.mp4", .as = {.quarter_turns = 1}, .fps = 10, .n_frames = 20};
    assert_true(make_file(&turned));
    assert_ok(bal_probe(scratch("turned.mp4"), NULL, &p, &err));
    assert_true(has(&p, BAL_FIND_ROTATED));
    assert_int_equal(p.video.rotation_deg, 90);
    Make uneven = {.name = "uneven.mkv",
                   .as = {.format = "matroska", .video_codec = "mpeg4", .any_time = true},
                   .fps = 10,
                   .n_frames = 20,
                   .gap_at = 7,
                   .gap = 8};
    assert_true(make_file(&uneven));
    assert_ok(bal_probe(scratch("uneven.mkv"), NULL, &p, &err));
    assert_true(has(&p, BAL_FIND_VARIABLE_RATE));
    /* Cut in the middle: what is there is used, and said to be cut. */
    BalText whole = {0};
    assert_ok(bal_file_read(scratch("uneven.mkv"), 0, &whole, &err));
    assert_false(bal_extent_truncated((const uint8_t *)whole.data, whole.len));
    assert_ok(bal_file_write(scratch("cut.mkv"), whole.data, whole.len * 2 / 3, &err));
    assert_ok(bal_probe(scratch("cut.mkv"), NULL, &p, &err));
    assert_true(has(&p, BAL_FIND_TRUNCATED));
    assert_true(p.video.frames > 5 && p.video.frames < 20);
    bal_text_reset(&whole);
}

static void limits(void **state) {
    (void)state;
    BalProbe p;
    BalError err = {0};
    BalClipMedia m = {0};
    BalClipSpec s = bal_clip_spec_default();
    BalMediaLimits l = bal_media_limits_default();
    Make make = {.name = "limits.mp4", .fps = 10, .n_frames = 40};
    assert_true(make_file(&make));
    const char *path = scratch("limits.mp4");
    s.want_audio = false;
    l.pixels = MAKE_W * MAKE_H - 1;
    assert_fails(bal_probe(path, &l, &p, &err), BAL_E_MEDIA, "more than the limit of");
    assert_fails(bal_clip_decode(path, &s, &l, &m, &err), BAL_E_MEDIA, "more than the limit of");
    l = bal_media_limits_default();
    l.seconds = 0;
    assert_fails(bal_probe(path, &l, &p, &err), BAL_E_MEDIA, "of wall time");
    assert_fails(bal_clip_decode(path, &s, &l, &m, &err), BAL_E_MEDIA, "of wall time");
    l = bal_media_limits_default();
    l.media_s = 3;
    assert_fails(bal_clip_decode(path, &s, &l, &m, &err), BAL_E_MEDIA, "give start and duration");
    s.duration_s = 4;
    assert_fails(bal_clip_decode(path, &s, &l, &m, &err), BAL_E_MEDIA, "at most 3 s");
    s.duration_s = 2;
    assert_ok(bal_clip_decode(path, &s, &l, &m, &err));
    s.fps = 0;
    assert_fails(bal_clip_decode(path, &s, &l, &m, &err), BAL_E_ARG, "frames");
    s.want_audio = true, s.fps = 1;
    assert_fails(bal_clip_decode(path, &s, &l, &m, &err), BAL_E_MEDIA, "has no sound stream");
    bal_clip_media_reset(&m);
}

static void not_opened(void **state) {
    (void)state;
    BalProbe p;
    BalError err = {0};
    Make make = {.name = "real.mp4", .fps = 10, .n_frames = 20};
    assert_true(make_file(&make));
    assert_fails(bal_probe(scratch("absent.mp4"), NULL, &p, &err), BAL_E_IO, "cannot be opened");
    assert_fails(bal_probe(scratch_dir, NULL, &p, &err), BAL_E_IO, "not a regular file");
    assert_int_equal(mkfifo(scratch("pipe.mp4"), 0600), 0); /* nobody writes: opening it would wait for ever */
    assert_fails(bal_probe(scratch("pipe.mp4"), NULL, &p, &err), BAL_E_IO, "not a regular file");
    static const char png[] = "\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x10\0\0\0\x10\x08\x02\0\0\0";
    assert_ok(bal_file_write(scratch("picture.mp4"), png, sizeof png, &err));
    assert_fails(bal_probe(scratch("picture.mp4"), NULL, &p, &err), BAL_E_MEDIA, "still image");
    /* Lists that name other files are not followed. */
    static const char *const lists[] = {
        "#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:2,\nreal.mp4\n#EXT-X-ENDLIST\n",
        "ffconcat version 1.0\nfile real.mp4\n",
        "<?xml version=\"1.0\"?><MPD xmlns=\"urn:mpeg:dash:schema:mpd:2011\" type=\"static\" "
        "profiles=\"dash:profile:isoff\">"
        "<Period><AdaptationSet mimeType=\"video/mp4\"><Representation "
        "id=\"1\"><BaseURL>real.mp4</BaseURL></Representation>"
        "</AdaptationSet></Period></MPD>",
    };
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        assert_ok(bal_file_write(scratch("list.mp4"), lists[i], strlen(lists[i]), &err));
        if (bal_probe(scratch("list.mp4"), NULL, &p, &err) != BAL_E_MEDIA) fail_msg("list %zu was followed", i);
    }
}

static void odd_names(void **state) {
    (void)state;
    static const char *const name[] = {
        "-i.mp4", "http:x.mp4", "a:b.mp4", "%03d.mp4", "pipe:", "sp ace'\"&,\xc3\xbc.avi", "|ls"};
    BalProbe p;
    BalError err = {0};
    char *here = getcwd(NULL, 0);
    assert_non_null(here);
    assert_int_equal(chdir(scratch_dir), 0);
    Make make = {.name = "odd.mp4", .fps = 10, .n_frames = 20};
    assert_true(make_file(&make));
    for (size_t i = 0; i < sizeof name / sizeof *name; i++) {
        assert_int_equal(rename(i ? name[i - 1] : "odd.mp4", name[i]), 0);
        assert_ok(bal_probe(name[i], NULL, &p, &err));
        assert_int_equal(p.video.frames, 20);
    }
    assert_int_equal(chdir(here), 0);
    free(here);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names),      cmocka_unit_test(sounds),     cmocka_unit_test(pictures),
        cmocka_unit_test(ends),       cmocka_unit_test(containers), cmocka_unit_test(limits),
        cmocka_unit_test(not_opened), cmocka_unit_test(odd_names),
    };
    return cmocka_run_group_tests(tests, scratch_open, scratch_close);
}
