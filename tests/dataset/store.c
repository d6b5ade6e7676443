/* A store as a whole: same bytes for any number of workers, reads back what went in, and says what is wrong with a damaged one. */
#include "dataset/synth.h"

#include <unistd.h>
#include "base/fault.h"
#include "base/mem.h"
#include "base/npy.h"
#include "base/text.h"
#include "dataset/store.h"

static void ingest(const char *dir, int workers, bool jpeg, int64_t n) {
    Synth s;
    BalError err = {0};
    BalIngestResult r;
    synth_open(&s, n, jpeg);
    s.spec.workers = workers;
    s.bad_every = 7;
    s.delay_us = 300;
    assert_ok(synth_ingest(&s, dir, &r, &err));
    assert_int_equal(r.n, n);
    assert_int_equal(r.stored + r.rejected, n);
    assert_int_equal(r.resumed, 0);
    synth_close(&s);
}

static void same_bytes_for_any_workers(void **state) {
    (void)state;
    char one[65], other[65];
    ingest(scratch("w1"), 1, false, 200);
    folder_hash(scratch("w1"), one);
    for (int workers = 2; workers <= 5; workers++) {
        const char *dir = scratch(workers == 2 ? "w2" : workers == 3 ? "w3" : workers == 4 ? "w4" : "w5");
        ingest(dir, workers, false, 200);
        folder_hash(dir, other);
        assert_string_equal(one, other);
    }
    assert_true(file_size(scratch("w1/shard-000002.tar")) > 0); /* more than one shard */
    assert_true(file_size(scratch("w1/shard-000000.tar")) <= 64 << 10);
}

static void read_back(bool jpeg) {
    Synth s;
    BalError err = {0};
    BalIngestResult r;
    BalStore *store = NULL;
    const char *dir = scratch(jpeg ? "back-jpeg" : "back-raw");
    synth_open(&s, 60, jpeg);
    s.bad_every = 7;
    s.overflow_row = 20;
    s.manifest.clip[8].label = -1;
    assert_ok(synth_ingest(&s, dir, &r, &err));
    assert_ok(bal_store_open(&store, dir, &err));
    assert_ok(bal_store_verify(store, (BalProgressSink){0}, &err));
    assert_int_equal(bal_store_count(store), r.stored);
    assert_int_equal(bal_store_n_classes(store), 4);
    assert_string_equal(bal_store_class(store, 0), "bark, dog");
    assert_int_equal(bal_store_channels(store), jpeg ? 3 : 1);
    assert_int_equal(strlen(bal_store_hash(store)), 64);

    int64_t shape[2], n_val = 0;
    bal_store_audio_shape(store, shape);
    size_t n = (size_t)(shape[0] * shape[1]);
    BalClipFeatures want = {.audio_shape = {shape[0], shape[1]}};
    BalFrames got = {0};
    float *audio = NULL;
    assert_ok(bal_alloc(&want.audio, n, sizeof(float), &err));
    assert_ok(bal_alloc(&audio, n, sizeof(float), &err));
    for (int64_t row = 0, i = 0; row < s.manifest.n; row++) {
        if (row == 20 || synth_produce(&s, row, 0, &want, NULL) < 0) continue;
        const BalClip *c = s.manifest.clip + row;
        assert_string_equal(bal_store_id(store, i), c->id);
        assert_string_equal(bal_store_source(store, i), c->source ? c->source : c->id);
        assert_int_equal(bal_store_label(store, i), c->label);
        n_val += bal_store_split(store, i) == BAL_SPLIT_VAL;
        assert_int_equal(bal_store_split(store, i) == BAL_SPLIT_TEST, c->split == BAL_SPLIT_TEST);
        assert_ok(bal_store_read(store, i, audio, &got, &err));
        for (size_t k = 0; k < n; k++) assert_true(audio[k] == bal_f16_to_f32(bal_f32_to_f16(want.audio[k])));
        assert_int_equal(got.n, want.frames.n);
        assert_int_equal(got.height, want.frames.height);
        assert_int_equal(got.width, want.frames.width);
        assert_int_equal(got.channels, want.frames.channels);
        size_t bytes = (size_t)got.n * (size_t)got.height * (size_t)got.width * (size_t)got.channels;
        if (!jpeg) assert_memory_equal(got.data, want.frames.data, bytes);
        i++;
    }
    assert_true(n_val >= 2 && n_val <= 8); /* a tenth of about 40 */
    bal_free(want.audio);
    bal_free(audio);
    bal_frames_reset(&want.frames);
    bal_frames_reset(&got);
    bal_store_close(&store);
    synth_close(&s);
}

static void reads_back_raw(void **state) {
    (void)state;
    read_back(false);
}
static void reads_back_jpeg(void **state) {
    (void)state;
    read_back(true);
}

static void rejects_are_recorded(void **state) {
    (void)state;
    Synth s;
    BalError err = {0};
    BalIngestResult r;
    BalText t = {0};
    synth_open(&s, 30, false);
    s.bad_every = 7; /* rows 3, 10, 17, 24 */
    s.overflow_row = 5;
    assert_ok(synth_ingest(&s, scratch("rejects"), &r, &err));
    assert_int_equal(r.rejected, 5);
    assert_int_equal(r.n_reasons, 3);
    assert_int_equal(r.reason[0].n, 2);
    assert_ok(bal_file_read(scratch("rejects/rejected.csv"), 0, &t, &err));
    assert_string_equal(t.data,
                        "id,media,reason,code\n"
                        "-cl.ip/3 \xc3\xbc,media/3.mp4,no audio stream,BAL_E_MEDIA\n"
                        "-cl.ip/5 \xc3\xbc,media/5.mp4,audio feature 70000 is beyond float16,BAL_E_NUMERIC\n"
                        "-cl.ip/10 \xc3\xbc,media/10.mp4,\"cannot open: \"\"No such\"\" file really\",BAL_E_IO\n"
                        "-cl.ip/17 \xc3\xbc,media/17.mp4,no audio stream,BAL_E_MEDIA\n"
                        "-cl.ip/24 \xc3\xbc,media/24.mp4,\"cannot open: \"\"No such\"\" file really\",BAL_E_IO\n");
    bal_text_reset(&t);
    synth_close(&s);
}

static void nothing_stored_fails(void **state) {
    (void)state;
    Synth s;
    BalError err = {0};
    BalIngestResult r;
    char **name;
    int n;
    synth_open(&s, 1, false);
    s.spec.val_share = 0;
    s.overflow_row = 0;
    assert_fails(synth_ingest(&s, scratch("none"), &r, &err), BAL_E_MEDIA, "none of the 1 clips could be stored");
    assert_ok(bal_list_dir(scratch("none"), &name, &n, &err));
    assert_int_equal(n, 1);
    assert_string_equal(name[0], "rejected.csv");
    bal_names_free(name, n);
    s.overflow_row = -1; /* what was wrong is mended: the same folder will do */
    assert_ok(synth_ingest(&s, scratch("none"), &r, &err));
    synth_close(&s);
}

/* ---- a second ingest into the same folder ---- */

static void another_job_is_refused(void **state) {
    (void)state;
    Synth s;
    BalError err = {0};
    BalIngestResult r;
    char before[65], after[65];
    synth_open(&s, 20, false);
    s.bad_every = 5;
    assert_ok(synth_ingest(&s, scratch("again"), &r, &err));
    folder_hash(scratch("again"), before);
    assert_ok(synth_ingest(&s, scratch("again"), &r, &err)); /* nothing to do */
    assert_int_equal(r.resumed, 20);
    assert_int_equal(r.rejected, 4);
    s.recipe.audio.hop = 16;
    assert_fails(synth_ingest(&s, scratch("again"), &r, &err), BAL_E_MISMATCH, "another feature recipe");
    s.recipe.audio.hop = 32;
    s.manifest.clip[4].label = 0;
    s.manifest.clip[5].label = 0;
    s.manifest.clip[6].label = 0;
    assert_fails(synth_ingest(&s, scratch("again"), &r, &err), BAL_E_MISMATCH, "another manifest");
    folder_hash(scratch("again"), after);
    assert_string_equal(before, after);
    synth_close(&s);
}

static void foreign_folder_is_refused(void **state) {
    (void)state;
    Synth s;
    BalError err = {0};
    BalIngestResult r;
    synth_open(&s, 5, false);
    assert_ok(bal_make_dirs(scratch("home"), &err));
    assert_ok(bal_file_write(scratch("home/thesis.tex"), "x", 1, &err));
    assert_fails(synth_ingest(&s, scratch("home"), &r, &err), BAL_E_EXISTS, "thesis.tex");
    s.manifest.n = 0;
    assert_fails(synth_ingest(&s, scratch("empty"), &r, &err), BAL_E_ARG, "lists no clip");
    s.manifest.n = 5;
    synth_close(&s);
}

/* ---- damage ---- */

static void flipped_byte_names_the_clip(void **state) {
    (void)state;
    Synth s;
    BalError err = {0};
    BalIngestResult r;
    BalStore *store = NULL;
    synth_open(&s, 12, false);
    assert_ok(synth_ingest(&s, scratch("flip"), &r, &err));
    assert_ok(bal_store_open(&store, scratch("flip"), &err));
    int64_t shape[2];
    bal_store_audio_shape(store, shape);
    const uint16_t *half;
    assert_ok(
        bal_store_audio_half(store, 2, &half, &err)); /* its values: two bytes each, found in the file by content */
    BalText file = {0};
    assert_ok(bal_file_read(scratch("flip/shard-000000.tar"), 0, &file, &err));
    const char *at = memmem(file.data, file.len, half, (size_t)(shape[0] * shape[1]) * 2);
    assert_non_null(at);
    long offset = at - file.data + 100;
    bal_text_reset(&file);
    bal_store_close(&store);

    flip_byte(scratch("flip/shard-000000.tar"), offset);
    assert_ok(bal_store_open(&store, scratch("flip"), &err));
    float *audio = NULL;
    BalFrames frames = {0};
    assert_ok(bal_alloc(&audio, (size_t)(shape[0] * shape[1]), sizeof(float), &err));
    assert_ok(bal_store_read(store, 1, audio, &frames, &err));
    assert_fails(bal_store_read(store, 2, audio, NULL, &err), BAL_E_MISMATCH, s.manifest.clip[2].id);
    assert_fails(bal_store_read(store, 2, audio, NULL, &err), BAL_E_MISMATCH, "shard-000000.tar"); /* and again */
    assert_ok(bal_store_read(store, 2, NULL, &frames, &err)); /* its frames are whole */
    assert_fails(bal_store_read(store, 12, NULL, &frames, &err), BAL_E_ARG, "clip 12");
    assert_fails(bal_store_verify(store, (BalProgressSink){0}, &err), BAL_E_MISMATCH, s.manifest.clip[2].id);
    bal_store_close(&store);
    bal_free(audio);
    bal_frames_reset(&frames);
    synth_close(&s);
}

/* Every byte of a shard matters to verify: headers, data; only the padding and the trailer do not. */
static void verify_sees_any_damage(void **state) {
    (void)state;
    Synth s;
    BalError err = {0};
    BalIngestResult r;
    BalStore *store = NULL;
    synth_open(&s, 2, false);
    s.spec.val_share = 0;
    s.recipe.audio.seconds = 0.05;
    assert_ok(synth_ingest(&s, scratch("bits"), &r, &err));
    char shard[256], dir[256]; /* scratch() keeps sixteen paths */
    snprintf(shard, sizeof shard, "%s", scratch("bits/shard-000000.tar"));
    snprintf(dir, sizeof dir, "%s", scratch("bits"));
    long size = file_size(shard);
    int seen = 0, all = 0;
    BalText file = {0};
    assert_ok(bal_file_read(shard, 0, &file, &err));
    for (long at = 0; at < size; at += 13) {
        if (!file.data[at]) continue; /* padding is zero */
        flip_byte(shard, at);
        assert_ok(bal_store_open(&store, dir, &err));
        all++;
        if (bal_store_verify(store, (BalProgressSink){0}, NULL) == BAL_E_MISMATCH) seen++;
        bal_store_close(&store);
        flip_byte(shard, at);
    }
    assert_true(all > 100);
    assert_int_equal(seen, all);
    bal_text_reset(&file);
    synth_close(&s);
}

static void damaged_files_are_refused(void **state) {
    (void)state;
    Synth s;
    BalError err = {0};
    BalIngestResult r;
    BalStore *store = NULL;
    BalText json = {0};
    synth_open(&s, 40, false);
    assert_ok(synth_ingest(&s, scratch("hurt"), &r, &err));

    char shard[256], index[256], dir[256];
    snprintf(shard, sizeof shard, "%s", scratch("hurt/shard-000001.tar"));
    snprintf(index, sizeof index, "%s", scratch("hurt/index"));
    snprintf(dir, sizeof dir, "%s", scratch("hurt"));
    long size = file_size(shard);
    assert_int_equal(truncate(shard, size - 512), 0);
    assert_fails(bal_store_open(&store, dir, &err), BAL_E_MISMATCH, "shard-000001.tar has");
    assert_int_equal(truncate(shard, size), 0);
    assert_ok(bal_store_open(&store, dir, &err));
    bal_store_close(&store);

    for (long at = 0; at < file_size(index); at += 5) {
        flip_byte(index, at);
        if (bal_store_open(&store, dir, &err) == BAL_OK) fail_msg("a flip at %ld of the index went unseen", at);
        flip_byte(index, at);
    }
    assert_int_equal(rename(index, scratch("hurt-index")), 0);
    assert_fails(bal_store_open(&store, dir, &err), BAL_E_IO, "hurt/index");
    assert_ok(bal_make_dirs(index, &err));
    assert_fails(bal_store_open(&store, dir, &err), BAL_E_IO, "hurt/index");
    assert_int_equal(rmdir(index), 0);
    assert_int_equal(rename(scratch("hurt-index"), index), 0);

    assert_ok(bal_file_read(scratch("hurt/store.json"), 0, &json, &err));
    char *hop = strstr(json.data, "hop: 32");
    assert_non_null(hop);
    hop[5] = '6';
    assert_ok(bal_file_write(scratch("hurt/store.json"), json.data, json.len, &err));
    assert_fails(bal_store_open(&store, dir, &err), BAL_E_MISMATCH, "recipe");
    assert_ok(bal_file_write(scratch("hurt/store.json"), "{}", 2, &err));
    assert_fails(bal_store_open(&store, dir, &err), BAL_E_FORMAT, "schema");
    assert_int_equal(unlink(scratch("hurt/store.json")), 0);
    assert_fails(bal_store_open(&store, dir, &err), BAL_E_IO, "not a store");
    assert_fails(bal_store_open(&store, scratch("nowhere"), &err), BAL_E_IO, "no such folder");
    assert_null(store);
    bal_text_reset(&json);
    synth_close(&s);
}

static BalStatus open_and_close(void *user, BalError *err) {
    BalStore *s = NULL;
    BalStatus rc = bal_store_open(&s, user, err);
    bal_store_close(&s);
    return rc;
}

static void any_allocation_of_open_may_fail(void **state) {
    (void)state;
    ingest(scratch("lean"), 1, false, 40);
    assert_true(fault_each_allocation(open_and_close, (void *)(uintptr_t)scratch("lean")) > 5);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_bytes_for_any_workers),
        cmocka_unit_test(reads_back_raw),
        cmocka_unit_test(reads_back_jpeg),
        cmocka_unit_test(rejects_are_recorded),
        cmocka_unit_test(nothing_stored_fails),
        cmocka_unit_test(another_job_is_refused),
        cmocka_unit_test(foreign_folder_is_refused),
        cmocka_unit_test(flipped_byte_names_the_clip),
        cmocka_unit_test(verify_sees_any_damage),
        cmocka_unit_test(damaged_files_are_refused),
        cmocka_unit_test(any_allocation_of_open_may_fail),
    };
    return cmocka_run_group_tests_name("dataset.store", tests, scratch_open, scratch_close);
}
