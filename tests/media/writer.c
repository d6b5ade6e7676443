/* The writer: same input, same bytes; what goes in comes out; nothing half-written. */
#include <math.h>
#include "media/make.h"

static float pcm[16000];

static Make clip(const char *name) {
    for (int i = 0; i < 16000; i++) pcm[i] = (float)(0.4 * sin(i * 0.17));
    return (Make){.name = name, .fps = 10, .n_frames = 10, .rate_hz = 16000, .pcm = pcm, .n_pcm = 16000};
}

static void same_bytes(void **state) {
    (void)state;
    BalError err = {0};
    BalText a = {0}, b = {0};
    Make one = clip("one.mp4"), two = clip("two.mp4");
    assert_true(make_file(&one) && make_file(&two));
    assert_ok(bal_file_read(scratch("one.mp4"), 0, &a, &err));
    assert_ok(bal_file_read(scratch("two.mp4"), 0, &b, &err));
    assert_int_equal(a.len, b.len);
    assert_memory_equal(a.data, b.data, a.len);
    bal_text_reset(&a);
    bal_text_reset(&b);
}

static void round_trip(void **state) {
    (void)state;
    BalError err = {0};
    BalClipMedia m = {0};
    BalClipSpec s = bal_clip_spec_default();
    Make make = clip("trip.mp4");
    s.fps = 10;
    assert_true(make_file(&make));
    assert_ok(bal_clip_decode(scratch("trip.mp4"), &s, NULL, &m, &err));
    assert_int_equal(m.n_frames, 10);
    assert_true(fabs(m.length_s - 1) < 0.03);
    for (int k = 0; k < 10; k++)
        assert_int_equal(read_number(m.frames + (size_t)k * m.width * m.height * 3, m.width, m.height), k);
    double dot = 0, own = 0;
    for (int i = 1000; i < 15000; i++) dot += (double)m.pcm[i] * pcm[i], own += (double)pcm[i] * pcm[i];
    assert_true(dot / own > 0.95 && dot / own < 1.05);
    bal_clip_media_reset(&m);
}

static void refused_and_aborted(void **state) {
    (void)state;
    BalError err = {0};
    BalMediaWriter *w = NULL;
    static const BalMediaWriterSpec bad[] = {{33, 32, 10, 0}, {32, 32, 0, 0}, {0, 0, 0, 0}, {32, 32, 10, -1}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_fails(bal_media_writer_open(&w, scratch("bad.mp4"), &bad[i], &err), BAL_E_ARG, "cannot write");
    BalMediaWriterSpec good = {MAKE_W, MAKE_H, 10, 0};
    static uint8_t rgb[MAKE_W * MAKE_H * 3];
    assert_ok(bal_media_writer_open(&w, scratch("aborted.mp4"), &good, &err));
    assert_ok(bal_media_writer_frame(w, rgb, &err));
    assert_fails(bal_media_writer_sound(w, pcm, 1, &err), BAL_E_ARG, "without sound");
    bal_media_writer_abort(&w);
    assert_null(w);
    assert_false(bal_file_exists(scratch("aborted.mp4")));
    assert_ok(bal_media_writer_open(&w, scratch("no/such/folder.mp4"), &good, &err));
    assert_ok(bal_media_writer_frame(w, rgb, &err));
    assert_true(bal_media_writer_close(&w, &err) == BAL_E_IO);
    assert_null(w);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(same_bytes), cmocka_unit_test(round_trip),
                                       cmocka_unit_test(refused_and_aborted)};
    return cmocka_run_group_tests(tests, scratch_open, scratch_close);
}
