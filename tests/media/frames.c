/* Frames by time: the right picture at every time, the same bytes as a full decode, and no more decoded than needed. */
#include <math.h>
#include "base/fault.h"
#include "media/clip.h"
#include "media/make.h"

#ifdef AVB_SANITIZED
__attribute__((visibility("default"), used)) const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void) {
    return "leak:libx265"; /* the encoder's own */
}
#endif

enum { FPS = 25, N = 125 }; /* 5 s */

typedef struct Case {
    const char *name, *format, *codec, *options;
    int gap_at, gap; /* as in Make */
    int most;        /* coded pictures that one frame per second may take at most */
} Case;

static const Case cases[] = {
    {"short-groups.mp4", "mp4", "libx264", "preset=ultrafast:g=25:bf=0", 0, 0, 5},
    {"b-frames.mp4", "mp4", "libx264", "preset=medium:g=40:bf=3", 0, 0, 70},
    {"one-group.mp4", "mp4", "libx264", "preset=medium:g=250:bf=3", 0, 0, 80},
    {"open-groups.mkv", "matroska", "libx264", "preset=medium:g=15:bf=3:x264-params=open-gop=1", 0, 0, N},
    {"intra-refresh.mp4", "mp4", "libx264", "preset=fast:g=30:bf=0:intra-refresh=1", 0, 0, N},
    {"variable.mkv", "matroska", "libx264", "preset=fast:g=30:bf=2", 30, 45, 90},
    {"variable.mp4", "mp4", "libx264", "preset=fast:g=30:bf=2", 7, 33, 90},
    {"stream.ts", "mpegts", "libx264", "preset=fast:g=25:bf=2", 0, 0, N},
    {"hevc.mp4", "mp4", "libx265", "preset=ultrafast:g=25:x265-params=log-level=none", 0, 0, 70},
    {"hevc-open.mkv", "matroska", "libx265", "preset=fast:g=15:x265-params=log-level=none", 0, 0, N},
    {"mpeg4.mp4", "mp4", "mpeg4", "g=20:bf=2", 0, 0, 40},
    {"mpeg4.avi", "avi", "mpeg4", "g=12", 0, 0, N}, /* with B-frames AVI cannot say when pictures are shown */
    {"mpeg2.ts", "mpegts", "mpeg2video", "g=12:bf=2:b=2M", 0, 0, N},
    {"mpeg2.mkv", "matroska", "mpeg2video", "g=10:bf=2:b=2M", 0, 0, N},
    {"vp8.webm", "webm", "libvpx", "g=20:deadline=realtime:cpu-used=8:b=1M", 0, 0, N},
    {"vp9.webm", "webm", "libvpx-vp9", "g=20:deadline=realtime:cpu-used=8:b=1M", 0, 0, N},
    {"motion.mkv", "matroska", "mjpeg", "b=3M", 0, 0, 5},
    {"ffv1.mkv", "matroska", "ffv1", "g=10", 0, 0, N},
    {"flash.flv", "flv", "libx264", "preset=fast:g=25:bf=2", 0, 0, N},
    {"flv1.flv", "flv", "flv", "g=20:b=4M:qmax=4", 0, 0, N},
};

static bool make_case(const Case *c, int fps, int n) {
    BalWriterTweaks as = {
        .format = c->format, .video_codec = c->codec, .video_options = c->options, .any_time = c->gap > 0};
    Make make = {.name = c->name, .as = as, .fps = fps, .n_frames = n, .gap_at = c->gap_at, .gap = c->gap};
    return make_file(&make);
}

/* The picture on screen at t of a file of n pictures. */
static int number_at(const Case *c, double t, int fps, int n) {
    int tick = (int)floor(t * fps + 0.02);
    if (c->gap && tick >= c->gap_at) tick = tick < c->gap_at + c->gap ? c->gap_at - 1 : tick - c->gap;
    return tick < n ? tick : n - 1;
}

static void check_numbers(const Case *c, int fps, int n, const BalClipMedia *m, const BalClipSpec *s) {
    for (int k = 0; k < m->n_frames; k++) {
        double t = s->start_s + (s->fps > 0 ? k / s->fps : (k + 0.5) * m->length_s / m->n_frames);
        int want = number_at(c, t, fps, n);
        int got = read_number(m->frames + (size_t)k * m->width * m->height * 3, m->width, m->height);
        if (got != want) fail_msg("%s: at %g s picture %d instead of %d", c->name, t, got, want);
        if (!(m->frame_s[k] <= t + 0.002)) fail_msg("%s: at %g s a picture of %g s", c->name, t, m->frame_s[k]);
    }
}

/* Decode both ways; the frames must agree in every byte. Returns what the quick way decoded. */
static int64_t check_ways(const Case *c, int fps, int n, const BalClipSpec *s) {
    BalError err = {0};
    BalClipMedia quick = {0}, full = {0};
    const char *path = scratch(c->name);
    assert_ok(bal_clip_decode(path, s, NULL, &quick, &err));
    assert_ok(bal_clip_decode_by(BAL_FRAMES_ALL, path, s, NULL, &full, &err));
    assert_int_equal(quick.n_frames, full.n_frames);
    assert_int_equal(quick.width, full.width);
    for (int k = 0; k < full.n_frames; k++) {
        size_t one = (size_t)full.width * full.height * 3;
        if (memcmp(quick.frames + k * one, full.frames + k * one, one) != 0)
            fail_msg("%s: frame %d differs from a full decode", c->name, k);
        assert_true(fabs(quick.frame_s[k] - full.frame_s[k]) < 1e-9);
    }
    assert_true(fabs(quick.length_s - full.length_s) < 1e-12);
    check_numbers(c, fps, n, &quick, s);
    int64_t decoded = quick.pictures_decoded;
    assert_true(decoded <= full.pictures_decoded);
    bal_clip_media_reset(&quick);
    bal_clip_media_reset(&full);
    return decoded;
}

static void exact_frames(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const Case *c = &cases[i];
        if (!make_case(c, FPS, N)) continue;
        BalClipSpec s = bal_clip_spec_default();
        s.want_audio = false;
        int64_t decoded = check_ways(c, FPS, N, &s);
        if (decoded > c->most) fail_msg("%s: %d pictures decoded for one per second", c->name, (int)decoded);
        s.fps = 3;
        check_ways(c, FPS, N, &s);
        s.fps = FPS;
        check_ways(c, FPS, N, &s);
        s.fps = 0, s.n_frames = 7;
        check_ways(c, FPS, N, &s);
        s.start_s = 1.5, s.duration_s = 1.5;
        check_ways(c, FPS, N, &s);
    }
}

/* ---- by number ---- */
typedef struct Numbers {
    const Case *c;
    double fps;
    int64_t n, index[64];
    int n_index, seen, chosen;
} Numbers;

static BalStatus choose(void *user, double fps, int64_t n, const int64_t **index, int *n_index, BalError *err) {
    Numbers *u = user;
    (void)err;
    u->fps = fps;
    u->n = n;
    u->n_index = u->seen = 0;
    u->chosen++;
    for (int64_t i = 0; i < n; i += 7) u->index[u->n_index++] = i;
    u->index[u->n_index++] = n - 1;
    u->index[u->n_index++] = n - 1; /* one picture twice */
    *index = u->index;
    *n_index = u->n_index;
    return BAL_OK;
}

static BalStatus take(void *user, int first, int n, const uint8_t *rgb, int height, int width, BalError *err) {
    Numbers *u = user;
    if (n < 1 || first < 0 || first + n > u->n_index) fail_msg("%s: pictures %d and %d more", u->c->name, first, n);
    if (first == 0) u->seen = 0;
    assert_int_equal(first, u->seen);
    u->seen += n;
    for (int k = first; k < first + n; k++) {
        const int want = number_at(u->c, (double)u->index[k] / u->fps, FPS, N), got = read_number(rgb, width, height);
        if (got != want) fail_msg("%s: number %d is picture %d", u->c->name, want, got);
    }
    return u->n < 0 ? BAL_FAIL(err, BAL_E_FORMAT, "enough") : BAL_OK;
}

static BalStatus take_nothing(void *user, int first, int n, const uint8_t *rgb, int height, int width, BalError *err) {
    (void)user, (void)first, (void)n, (void)rgb, (void)height, (void)width, (void)err;
    return BAL_OK;
}

static void by_number(void **state) {
    (void)state;
    BalError err = {0};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Numbers u = {.c = &cases[i]};
        const BalPictureTaker taker = {choose, take, &u};
        BalClipSpec s = bal_clip_spec_default();
        if (!make_case(u.c, FPS, N)) continue;
        assert_ok(bal_clip_pictures(scratch(u.c->name), &s, NULL, &taker, &err));
        assert_int_equal(u.seen, u.n_index);
        if (u.c->gap) continue;                             /* its mean rate is not the number on a picture */
        if (fabs(u.fps - FPS) > 0.01 || llabs(u.n - N) > 4) /* the last one's length may be a guess */
            fail_msg("%s: %lld pictures at %g", u.c->name, (long long)u.n, u.fps);
        s.start_s = 2, s.duration_s = 2;
        u.c = &(Case){.name = u.c->name, .gap = -2 * FPS, .gap_at = 0}; /* numbers count from the clip's begin */
        assert_ok(bal_clip_pictures(scratch(u.c->name), &s, NULL, &taker, &err));
        if (u.n != 2 * FPS) fail_msg("%s: %lld pictures at %g", u.c->name, (long long)u.n, u.fps);
    }
}

static void nearest_keyframe(void **state) {
    (void)state;
    const Case *c = &cases[1]; /* keyframes 1.6 s apart */
    BalError err = {0};
    BalClipMedia m = {0};
    BalClipSpec s = bal_clip_spec_default();
    s.want_audio = s.exact = false;
    if (!make_case(c, FPS, N)) skip();
    assert_ok(bal_clip_decode(scratch(c->name), &s, NULL, &m, &err));
    assert_int_equal(m.n_frames, 5);
    assert_true(m.pictures_decoded <= 5);
    for (int k = 0; k < 5; k++) assert_true(fabs(m.frame_s[k] - k) <= 0.801);
    bal_clip_media_reset(&m);
}

/* A clip far inside a long file is reached by a seek, and is the same as when everything before it is read. */
static void far_inside(void **state) {
    (void)state;
    static const char *const format[] = {"mp4", "matroska", "mpegts", "avi"};
    static const char *const options[] = {"g=50:bf=2", "g=50:bf=2", "g=50:bf=2", "g=50"};
    for (int i = 0; i < 4; i++) {
        Case c = {"long", format[i], "mpeg4", options[i], 0, 0, 0};
        if (!make_case(&c, 5, 250)) continue; /* 50 s */
        BalClipSpec s = bal_clip_spec_default();
        s.want_audio = false;
        s.start_s = 30.4, s.duration_s = 6;
        int64_t decoded = check_ways(&c, 5, 250, &s);
        if (i < 2) assert_true(decoded < 60);
        s.start_s = 48, s.duration_s = 10; /* reaches over the end: the last picture stays */
        check_ways(&c, 5, 250, &s);
        BalError err = {0};
        BalClipMedia m = {0};
        s.start_s = 60;
        assert_fails(bal_clip_decode(scratch("long"), &s, NULL, &m, &err), BAL_E_MEDIA, "begins at 60 s");
        bal_clip_media_reset(&m);
    }
}

/* A container that asks for quarter turns and mirroring: the picture comes out as the eye should see it. */
static void turned(void **state) {
    (void)state;
    for (int turns = 0; turns < 4; turns++)
        for (int mirrored = 0; mirrored < 2; mirrored++) {
            Make make = {
                .name = "turned.mp4", .as = {.quarter_turns = turns, .mirrored = mirrored}, .fps = 5, .n_frames = 3};
            BalError err = {0};
            BalClipMedia m = {0};
            BalClipSpec s = bal_clip_spec_default();
            s.want_audio = false;
            assert_true(make_file(&make));
            assert_ok(bal_clip_decode(scratch(make.name), &s, NULL, &m, &err));
            assert_int_equal(m.width, turns % 2 ? MAKE_H : MAKE_W);
            assert_int_equal(m.height, turns % 2 ? MAKE_W : MAKE_H);
            static uint8_t want[MAKE_W * MAKE_H * 3];
            make_picture(want, 0);
            double off = 0;
            for (int y = 0; y < MAKE_H; y++)
                for (int x = 0; x < MAKE_W; x++) {
                    int u = mirrored ? MAKE_W - 1 - x : x, v = y, w = MAKE_W, h = MAKE_H;
                    for (int k = 0; k < turns; k++) { /* a quarter turn clockwise */
                        int t = u;
                        u = h - 1 - v, v = t;
                        t = w, w = h, h = t;
                    }
                    off += abs(m.frames[3 * (v * m.width + u) + 1] - want[3 * (y * MAKE_W + x) + 1]);
                }
            off /= MAKE_W * MAKE_H;
            if (off > 12) fail_msg("%d turns%s: off by %g on average", turns, mirrored ? ", mirrored" : "", off);
            bal_clip_media_reset(&m);
        }
}

static BalStatus decode_once(void *user, BalError *err) {
    BalClipMedia m = {0};
    BalClipSpec s = bal_clip_spec_default();
    s.rate_hz = 8000;
    BalStatus rc = bal_clip_decode(user, &s, NULL, &m, err);
    bal_clip_media_reset(&m);
    return rc;
}

static BalStatus pictures_once(void *user, BalError *err) {
    Numbers u = {.c = &(Case){.name = "fault"}};
    const BalPictureTaker taker = {choose, take_nothing, &u};
    const BalClipSpec s = bal_clip_spec_default();
    return bal_clip_pictures(user, &s, NULL, &taker, err);
}

static void every_allocation_may_fail(void **state) {
    (void)state;
    float pcm[8000] = {0};
    for (int i = 0; i < 8000; i++) pcm[i] = (float)sin(i * 0.1);
    Make make = {.name = "fault.mp4", .fps = 10, .n_frames = 10, .rate_hz = 16000, .pcm = pcm, .n_pcm = 8000};
    assert_true(make_file(&make));
    assert_true(fault_each_allocation(decode_once, (void *)scratch("fault.mp4")) > 5);
    assert_true(fault_each_allocation(pictures_once, (void *)scratch("fault.mp4")) > 5);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exact_frames), cmocka_unit_test(by_number), cmocka_unit_test(nearest_keyframe),
        cmocka_unit_test(far_inside),   cmocka_unit_test(turned),    cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, scratch_open, scratch_close);
}
