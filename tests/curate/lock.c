/* Locks of a few small media files made here: the same data has the same lock, and every way of being other is told. */
#include <math.h>
#include <unistd.h>
#include <avbalance/lock.h>
#include <avbalance/media.h>
#include "base/check.h"
#include "base/fault.h"
#include "base/text.h"

enum { N = 5 };
static BalClip clips[N];
static const char *const classes[] = {"dog", "cat"};
static BalManifest manifest;
static char dir[256], ids[N][8], media[N][16], lock_path[256];

static void make_media(const char *name, int grey) {
    BalError err;
    BalText path = {0};
    BalMediaWriter *w;
    uint8_t frame[32 * 32 * 3];
    float tone[800];
    bal_path_join(&path, dir, name);
    memset(frame, grey, sizeof frame);
    for (int i = 0; i < 800; i++) tone[i] = 0.3F * sinf(0.2F * (float)i);
    assert_ok(bal_media_writer_open(&w, path.data, &(BalMediaWriterSpec){32, 32, 10, 8000}, &err));
    for (int i = 0; i < 10; i++) {
        assert_ok(bal_media_writer_frame(w, frame, &err));
        assert_ok(bal_media_writer_sound(w, tone, 800, &err));
    }
    assert_ok(bal_media_writer_close(&w, &err));
    bal_text_reset(&path);
}

/* Five clips, of which the last two are stretches of one file. */
static int open_all(void **state) {
    BalError err;
    if (scratch_open(state)) return -1;
    strcpy(dir, scratch("data"));
    strcpy(lock_path, scratch("data/dataset.lock.json"));
    assert_ok(bal_make_dirs(dir, &err));
    for (int i = 0; i < N; i++) {
        snprintf(ids[i], sizeof ids[i], "c%d", N - i); /* not in order */
        snprintf(media[i], sizeof media[i], "m%d.mp4", i < 3 ? i : 3);
        if (i < 4) make_media(media[i], 40 * i);
        clips[i] = (BalClip){.id = ids[i],
                             .media = media[i],
                             .source = "",
                             .label = i % 2,
                             .split = i < 3 ? BAL_SPLIT_TRAIN : BAL_SPLIT_TEST,
                             .start_s = i < 3 ? NAN : 0.5 * (i - 3),
                             .duration_s = i < 3 ? NAN : 0.5};
    }
    manifest =
        (BalManifest){.clip = clips, .n = N, .classes = (const char **)(uintptr_t)classes, .n_classes = 2, .dir = dir};
    return 0;
}

static void write_lock(BalLockResult *r) {
    BalError err;
    const char *table = scratch("table.tsv"), text[] = "pref\tid\tlicence\na\tc1\tCC BY 4.0\nv\tc2\t\na\tc9\tx\n";
    assert_ok(bal_file_write(table, text, sizeof text - 1, &err));
    const BalLockSpec spec = {.table = table, .threads = 2};
    assert_ok(bal_lock_write(&manifest, &spec, lock_path, r, &err));
}

static void test_same(void **state) {
    (void)state;
    BalError err;
    BalLockResult first, second;
    BalLockCheck c;
    BalText a = {0}, b = {0};
    write_lock(&first);
    assert_ok(bal_file_read(lock_path, 0, &a, &err));
    assert_non_null(strstr(a.data, "\"licence\":\"CC BY 4.0\",\"pref\":\"a\",\"audio\":{\"codec\":\"aac\""));
    BalClip swapped = clips[0]; /* another order, the same dataset */
    clips[0] = clips[4];
    clips[4] = swapped;
    write_lock(&second);
    assert_ok(bal_file_read(lock_path, 0, &b, &err));
    assert_string_equal(a.data, b.data);
    assert_true(first.n == N && !strcmp(first.hash, second.hash));
    assert_ok(bal_lock_check(&c, lock_path, &(BalLockCheckSpec){.manifest = &manifest}, &err));
    assert_true(c.count[BAL_LOCK_OK] == N && !c.extra && c.n_labels == 2);
    /* test, test-audio-preferred (c1), test-visual-preferred (c2), train */
    assert_true(c.n_subsets == 4 && c.subset[1].n == 1 && c.subset[3].n == 3);
    assert_string_equal(c.subset[2].name, "test-visual-preferred");
    bal_lock_check_reset(&c);
    bal_text_reset(&a);
    bal_text_reset(&b);
}

static int64_t found(BalLockCheckSpec spec, BalLockFinding what) {
    BalError err;
    BalLockCheck c;
    assert_ok(bal_lock_check(&c, lock_path, &spec, &err));
    const int64_t n = c.count[what];
    assert_int_equal(c.count[BAL_LOCK_OK] + n, N);
    bal_lock_check_reset(&c);
    return n;
}

static void test_other(void **state) {
    (void)state;
    BalError err;
    BalLockResult r;
    BalText path = {0}, bytes = {0};
    write_lock(&r);
    bal_path_join(&path, dir, "m3.mp4"); /* two clips */
    assert_ok(bal_file_read(path.data, 0, &bytes, &err));
    bytes.data[bytes.len / 2] ^= 1; /* the same size */
    assert_ok(bal_file_write(path.data, bytes.data, bytes.len, &err));
    assert_int_equal(found((BalLockCheckSpec){0}, BAL_LOCK_CONTENT), 2);
    assert_int_equal(found((BalLockCheckSpec){.no_media = true}, BAL_LOCK_CONTENT), 0);
    bytes.data[bytes.len / 2] ^= 1;
    assert_ok(bal_file_write(path.data, bytes.data, bytes.len, &err));
    assert_int_equal(unlink(path.data), 0);
    assert_int_equal(found((BalLockCheckSpec){0}, BAL_LOCK_MISSING), 2);
    assert_int_equal(found((BalLockCheckSpec){.media_dir = "/nowhere"}, BAL_LOCK_MISSING), N);
    const BalLockSpec spec = {0};
    assert_fails(bal_lock_write(&manifest, &spec, lock_path, &r, &err), BAL_E_IO, "m3.mp4: is not there");
    assert_ok(bal_file_write(path.data, bytes.data, bytes.len, &err));
    clips[1].split = BAL_SPLIT_VAL;
    assert_int_equal(found((BalLockCheckSpec){.manifest = &manifest}, BAL_LOCK_MANIFEST), 1);
    clips[1].split = BAL_SPLIT_TRAIN;
    const double start = clips[1].start_s; /* other seconds of the file are another clip */
    clips[1].start_s = 0.125;
    assert_int_equal(found((BalLockCheckSpec){.manifest = &manifest}, BAL_LOCK_MANIFEST), 1);
    clips[1].start_s = start;
    assert_int_equal(found((BalLockCheckSpec){.manifest = &manifest}, BAL_LOCK_MANIFEST), 0);
    manifest.n = N - 1;
    assert_int_equal(found((BalLockCheckSpec){.manifest = &manifest}, BAL_LOCK_MANIFEST), 1);
    manifest.n = N;
    bal_text_reset(&path);
    bal_text_reset(&bytes);
}

/* A lock that was edited, cut, or never was one. */
static void test_refused(void **state) {
    (void)state;
    BalError err;
    BalLockResult r;
    BalLockCheck c;
    BalText text = {0};
    const BalLockCheckSpec spec = {0};
    write_lock(&r);
    assert_ok(bal_file_read(lock_path, 0, &text, &err));
    char *label = strstr(text.data, "\"cat\"");
    memcpy(label, "\"cow\"", 5);
    assert_ok(bal_file_write(scratch("edited.json"), text.data, text.len, &err));
    assert_fails(bal_lock_check(&c, scratch("edited.json"), &spec, &err), BAL_E_MISMATCH, "has been edited");
    assert_ok(bal_file_write(scratch("cut.json"), text.data, text.len / 2, &err));
    assert_fails(bal_lock_check(&c, scratch("cut.json"), &spec, &err), BAL_E_FORMAT, "cut.json");
    const char other[] = "{\"schema\": \"avbalance/store/1\"}", none[] = "{\"schema\": \"avbalance/lock/1\", \"n\": 0}";
    assert_ok(bal_file_write(scratch("other.json"), other, sizeof other - 1, &err));
    assert_fails(bal_lock_check(&c, scratch("other.json"), &spec, &err), BAL_E_FORMAT, "is not avbalance/lock/1");
    assert_ok(bal_file_write(scratch("none.json"), none, sizeof none - 1, &err));
    assert_fails(bal_lock_check(&c, scratch("none.json"), &spec, &err), BAL_E_FORMAT, "do not agree");
    bal_text_reset(&text);
}

static BalStatus write_and_check(void *user, BalError *err) {
    (void)user;
    BalLockResult r;
    BalLockCheck c = {0};
    const BalLockSpec spec = {.threads = 1};
    BalStatus rc = bal_lock_write(&manifest, &spec, lock_path, &r, err);
    if (rc >= 0) rc = bal_lock_check(&c, lock_path, &(BalLockCheckSpec){.threads = 1, .manifest = &manifest}, err);
    bal_lock_check_reset(&c);
    return rc;
}

static void test_faults(void **state) {
    (void)state;
    manifest.n = 2;
    assert_true(fault_each_allocation(write_and_check, NULL) > 20);
    manifest.n = N;
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_same), cmocka_unit_test(test_other),
                                       cmocka_unit_test(test_refused), cmocka_unit_test(test_faults)};
    return cmocka_run_group_tests(tests, open_all, scratch_close);
}
