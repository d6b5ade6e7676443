/* Batches: the same for any number of workers, resumable, faithful to the store; and lists of clips. */
#include "dataset/synth.h"

#include <unistd.h>
#include "base/mem.h"
#include "base/rng.h"

static BalStore *store;

static int setup(void **state) {
    if (scratch_open(state)) return -1;
    Synth s;
    BalError err = {0};
    BalIngestResult r;
    synth_open(&s, 150, false);
    s.bad_every = 9;
    if (synth_ingest(&s, scratch("raw"), &r, &err) < 0) return -1;
    synth_close(&s);
    synth_open(&s, 40, true);
    if (synth_ingest(&s, scratch("jpeg"), &r, &err) < 0) return -1;
    synth_close(&s);
    return bal_store_open(&store, scratch("raw"), &err) < 0 ? -1 : 0;
}

static int teardown(void **state) {
    bal_store_close(&store);
    return scratch_close(state);
}

static BalReaderSpec spec_of(int workers, int ahead) {
    BalReaderSpec spec = {
        .want_audio = true, .want_visual = true, .batch = 16, .workers = workers, .ahead = ahead, .seed = 5};
    spec.input = bal_input_recipe_default();
    spec.input.image_size = 10;
    spec.input.frames = 2;
    return spec;
}

static uint64_t mix(uint64_t h, const void *data, size_t n) {
    const unsigned char *p = data;
    for (size_t i = 0; i < n; i++) h = (h ^ p[i]) * 1099511628211u;
    return h;
}

/* Hash of every batch from `skip` on; out: [n_batches]. Returns how many came. */
static int epoch_hashes(const BalStore *s, const BalReaderSpec *spec, const int64_t *clip, int64_t n, uint32_t epoch,
                        bool train, int64_t skip, uint64_t *out) {
    BalReader *r = NULL;
    BalError err = {0};
    const BalBatch *b;
    BalStatus rc;
    int64_t shape[2], seen = skip * spec->batch;
    int count = 0;
    bal_store_audio_shape(s, shape);
    size_t visual =
        (size_t)(spec->input.frames * spec->input.image_size * spec->input.image_size * bal_store_channels(s));
    assert_ok(bal_reader_open(&r, s, spec, &err));
    assert_ok(bal_reader_start(r, clip, n, epoch, train, skip, &err));
    while ((rc = bal_reader_next(r, &b, &err)) == BAL_OK) {
        size_t k = (size_t)b->n;
        uint64_t h = mix(1, b->label, k * sizeof *b->label);
        h = mix(h, b->clip, k * sizeof *b->clip);
        if (b->audio) h = mix(h, b->audio, k * (size_t)(shape[0] * shape[1]) * sizeof(float));
        if (b->visual) h = mix(h, b->visual, k * visual * sizeof(float));
        assert_memory_equal(b->clip, clip + seen, k * sizeof *clip);
        seen += b->n;
        out[count++] = h;
        if (count % 3 == 0) usleep(500); /* a caller that is sometimes slow */
    }
    assert_int_equal(rc, BAL_END);
    assert_int_equal(bal_reader_next(r, &b, &err), BAL_END);
    assert_int_equal(seen < n ? seen : n, n);
    bal_reader_close(&r);
    return count;
}

static void same_batches_for_any_workers(void **state) {
    (void)state;
    BalError err = {0};
    int64_t *clip = NULL, n;
    uint64_t want[16], got[16], other[16];
    assert_ok(bal_clips_of_split(store, BAL_SPLIT_NONE, &clip, &n, &err));
    bal_clips_shuffle(clip, n, 5, 3);
    BalReaderSpec spec = spec_of(0, 0);
    int count = epoch_hashes(store, &spec, clip, n, 3, true, 0, want);
    assert_int_equal(count, (n + 15) / 16);
    for (int workers = 1; workers <= 4; workers++)
        for (int ahead = 1; ahead <= 5; ahead += 2) {
            spec = spec_of(workers, ahead);
            assert_int_equal(epoch_hashes(store, &spec, clip, n, 3, true, 0, got), count);
            assert_memory_equal(got, want, (size_t)count * sizeof *want);
            assert_int_equal(epoch_hashes(store, &spec, clip, n, 3, true, 4, got), count - 4); /* resume */
            assert_memory_equal(got, want + 4, (size_t)(count - 4) * sizeof *want);
            assert_int_equal(epoch_hashes(store, &spec, clip, n, 3, true, count, got), 0);
        }
    epoch_hashes(store, &spec, clip, n, 4, true, 0, other);
    for (int i = 0; i < count; i++) assert_true(other[i] != want[i]); /* another epoch, other crops */
    epoch_hashes(store, &spec, clip, n, 3, false, 0, want);
    epoch_hashes(store, &spec, clip, n, 4, false, 0, other);
    assert_memory_equal(other, want, (size_t)count * sizeof *want); /* the test transform knows no epoch */
    bal_clips_free(clip);
}

/* Training turns sound in time by up to audio_shift frames, each clip by its own number; tests never. */
static void sound_is_turned(void **state) {
    (void)state;
    BalError err = {0};
    BalReader *r = NULL;
    const BalBatch *b;
    int64_t *clip = NULL, n, shape[2], turned = 0;
    assert_ok(bal_clips_of_split(store, BAL_SPLIT_NONE, &clip, &n, &err));
    bal_store_audio_shape(store, shape);
    const bool rows = bal_store_recipe(store)->audio.pipeline == BAL_AUDIO_KALDI_FBANK;
    const int64_t frames = shape[rows ? 0 : 1], bands = shape[rows ? 1 : 0], most = 3;
    assert_true(frames > most + 1);
    BalReaderSpec spec = spec_of(2, 2);
    spec.want_visual = false;
    spec.input.audio_shift = most;
    float *still = malloc(sizeof *still * (size_t)(shape[0] * shape[1]));
    assert_ok(bal_reader_open(&r, store, &spec, &err));
    for (int train = 0; train < 2; train++) {
        assert_ok(bal_reader_start(r, clip, n, 1, train, 0, &err));
        while (bal_reader_next(r, &b, &err) == BAL_OK)
            for (int i = 0; i < b->n; i++) {
                const float *x = b->audio + (int64_t)i * shape[0] * shape[1];
                int64_t by = -1;
                assert_ok(bal_store_read(store, b->clip[i], still, NULL, &err));
                for (int64_t k = 0; k <= (train ? most : 0) && by < 0; k++) {
                    bool same = true;
                    for (int64_t t = 0; t < frames; t++)
                        for (int64_t f = 0; f < bands; f++) {
                            const int64_t from = (t + k) % frames;
                            same = same && x[rows ? t * bands + f : f * frames + t] ==
                                               still[rows ? from * bands + f : f * frames + from];
                        }
                    if (same) by = k;
                }
                assert_true(by >= 0);
                turned += by > 0;
            }
    }
    assert_true(turned > n / 2 && turned < n);
    bal_reader_close(&r);
    bal_clips_free(clip);
    free(still);
}

static void a_clip_is_the_same_in_any_batch(void **state) {
    (void)state;
    BalError err = {0};
    BalReader *r = NULL;
    const BalBatch *b;
    const int64_t one[] = {7, 11, 12}, two[] = {3, 12, 9, 7};
    float copy[200];
    BalReaderSpec spec = spec_of(2, 2);
    spec.batch = 4;
    spec.want_audio = false;
    assert_ok(bal_reader_open(&r, store, &spec, &err));
    assert_ok(bal_reader_start(r, one, 3, 1, true, 0, &err));
    assert_ok(bal_reader_next(r, &b, &err));
    assert_null(b->audio);
    assert_int_equal(b->n, 3);
    memcpy(copy, b->visual + 2 * 200, sizeof copy); /* clip 12: [2,1,10,10] */
    assert_ok(bal_reader_start(r, two, 4, 1, true, 0, &err));
    assert_ok(bal_reader_next(r, &b, &err));
    assert_memory_equal(copy, b->visual + 200, sizeof copy);
    bal_reader_close(&r);
}

static void test_batches_hold_the_store(void **state) {
    (void)state;
    BalError err = {0};
    BalReader *r = NULL;
    const BalBatch *b;
    const int64_t clip[] = {20, 4};
    int64_t shape[2];
    float *audio = NULL, image[400];
    BalFrames frames = {0};
    BalReaderSpec spec = spec_of(1, 1);
    spec.input.frames = 1;
    spec.input.image_size = 20;
    bal_store_audio_shape(store, shape);
    size_t n = (size_t)(shape[0] * shape[1]);
    assert_ok(bal_alloc(&audio, n, sizeof *audio, &err));
    assert_ok(bal_reader_open(&r, store, &spec, &err));
    assert_ok(bal_reader_start(r, clip, 2, 0, false, 0, &err));
    assert_ok(bal_reader_next(r, &b, &err));
    for (int j = 0; j < 2; j++) {
        assert_ok(bal_store_read(store, clip[j], audio, &frames, &err));
        assert_memory_equal(audio, b->audio + (size_t)j * n, n * sizeof *audio);
        assert_int_equal(b->label[j], bal_store_label(store, clip[j]));
        int k;
        bal_frame_choose(frames.n, 1, false, NULL, &k);
        size_t one = (size_t)frames.height * (size_t)frames.width;
        assert_ok(bal_frame_transform(&spec.input, frames.data + (size_t)k * one, frames.height, frames.width, 1, false,
                                      NULL, image, &err));
        assert_memory_equal(image, b->visual + (ptrdiff_t)j * 400, sizeof image);
    }
    bal_free(audio);
    bal_frames_reset(&frames);
    bal_reader_close(&r);
}

static void jpeg_stores_are_read(void **state) {
    (void)state;
    BalError err = {0};
    BalStore *s = NULL;
    int64_t *clip = NULL, n;
    uint64_t want[16], got[16];
    assert_ok(bal_store_open(&s, scratch("jpeg"), &err));
    assert_ok(bal_clips_of_split(s, BAL_SPLIT_TRAIN, &clip, &n, &err));
    BalReaderSpec spec = spec_of(0, 0);
    int count = epoch_hashes(s, &spec, clip, n, 1, true, 0, want);
    spec = spec_of(3, 2);
    epoch_hashes(s, &spec, clip, n, 1, true, 0, got);
    assert_memory_equal(got, want, (size_t)count * sizeof *want);
    bal_clips_free(clip);
    bal_store_close(&s);
}

static void restart_in_the_middle(void **state) {
    (void)state;
    BalError err = {0};
    BalReader *r = NULL;
    const BalBatch *b;
    int64_t *clip = NULL, n;
    BalReaderSpec spec = spec_of(3, 4);
    assert_ok(bal_clips_of_split(store, BAL_SPLIT_NONE, &clip, &n, &err));
    assert_ok(bal_reader_open(&r, store, &spec, &err));
    for (int round = 0; round < 50; round++) {
        assert_ok(bal_reader_start(r, clip, n, 0, true, 0, &err));
        for (int i = 0; i < round % 5; i++) assert_ok(bal_reader_next(r, &b, &err));
    }
    assert_ok(bal_reader_start(r, clip, 5, 0, true, 0, &err));
    assert_ok(bal_reader_next(r, &b, &err));
    assert_int_equal(b->n, 5);
    assert_int_equal(bal_reader_next(r, &b, &err), BAL_END);
    bal_reader_close(&r); /* also with batches in work */
    assert_ok(bal_reader_open(&r, store, &spec, &err));
    assert_ok(bal_reader_start(r, clip, n, 0, true, 0, &err));
    bal_reader_close(&r);
    bal_clips_free(clip);
}

static void damage_reaches_the_caller(void **state) {
    (void)state;
    BalError err = {0};
    BalStore *s = NULL;
    BalReader *r = NULL;
    const BalBatch *b;
    BalStatus rc;
    int64_t *clip = NULL, n;
    Synth synth;
    BalIngestResult result;
    synth_open(&synth, 60, false);
    assert_ok(synth_ingest(&synth, scratch("hurt"), &result, &err));
    flip_byte(scratch("hurt/shard-000003.tar"), 2500); /* in the audio of its first clip */
    assert_ok(bal_store_open(&s, scratch("hurt"), &err));
    assert_ok(bal_clips_of_split(s, BAL_SPLIT_NONE, &clip, &n, &err));
    for (int workers = 0; workers < 3; workers++) {
        BalReaderSpec spec = spec_of(workers, 3);
        assert_ok(bal_reader_open(&r, s, &spec, &err));
        assert_ok(bal_reader_start(r, clip, n, 0, true, 0, &err));
        int good = 0;
        while ((rc = bal_reader_next(r, &b, &err)) == BAL_OK) good++;
        assert_int_equal(rc, BAL_E_MISMATCH);
        assert_true(good >= 1 && good < 4);
        assert_fails(bal_reader_next(r, &b, &err), BAL_E_MISMATCH, "shard-000003.tar: clip -cl.ip/");
        assert_ok(bal_reader_start(r, clip, 16, 0, true, 0, &err)); /* the rest is still of use */
        assert_ok(bal_reader_next(r, &b, &err));
        bal_reader_close(&r);
    }
    bal_clips_free(clip);
    bal_store_close(&s);
    synth_close(&synth);
}

static void wrong_calls_are_refused(void **state) {
    (void)state;
    BalError err = {0};
    BalReader *r = NULL;
    const int64_t far = bal_store_count(store);
    BalReaderSpec spec = spec_of(1, 1);
    spec.want_audio = spec.want_visual = false;
    assert_fails(bal_reader_open(&r, store, &spec, &err), BAL_E_ARG, "neither");
    spec = spec_of(1, 1);
    spec.batch = 0;
    assert_fails(bal_reader_open(&r, store, &spec, &err), BAL_E_ARG, "batch");
    spec = spec_of(1, 1);
    assert_ok(bal_reader_open(&r, store, &spec, &err));
    assert_fails(bal_reader_start(r, &far, 1, 0, true, 0, &err), BAL_E_ARG, "no clip");
    assert_fails(bal_reader_start(r, &far, 1, 0, true, 2, &err), BAL_E_ARG, "skip 2 of 1");
    bal_reader_close(&r);
    for (long n = 1; n < 40; n++) {
        bal_mem_fail_at(n);
        BalStatus rc = bal_reader_open(&r, store, &spec, &err);
        if (bal_mem_fail_at(0) < n) {
            assert_int_equal(rc, BAL_OK);
            bal_reader_close(&r);
            return;
        }
        assert_int_equal(rc, BAL_E_NOMEM);
        assert_null(r);
    }
    fail_msg("opening a reader takes more allocations than this test tries");
}

/* ---- lists of clips ---- */

static void splits_partition_the_store(void **state) {
    (void)state;
    BalError err = {0};
    int64_t *clip = NULL, n, sum = 0;
    for (int s = 0; s < BAL_SPLIT_COUNT; s++) {
        assert_ok(bal_clips_of_split(store, (BalSplit)s, &clip, &n, &err));
        for (int64_t i = 0; i < n; i++) {
            assert_int_equal(bal_store_split(store, clip[i]), s);
            assert_true(i == 0 || clip[i] > clip[i - 1]);
        }
        assert_true(n > 0);
        sum += n;
        bal_clips_free(clip);
    }
    assert_int_equal(sum, bal_store_count(store));
}

static void shuffle_is_a_permutation(void **state) {
    (void)state;
    int64_t a[100], b[100], c[100];
    bool seen[100] = {0};
    for (int i = 0; i < 100; i++) a[i] = b[i] = c[i] = i;
    bal_clips_shuffle(a, 100, 1, 1);
    bal_clips_shuffle(b, 100, 1, 1);
    bal_clips_shuffle(c, 100, 1, 2);
    assert_memory_equal(a, b, sizeof a);
    assert_memory_not_equal(a, c, sizeof a);
    for (int i = 0; i < 100; i++) seen[a[i]] = true;
    for (int i = 0; i < 100; i++) assert_true(seen[i]);
}

static void folds_keep_sources_together(void **state) {
    (void)state;
    BalError err = {0};
    int64_t *clip = NULL, n;
    int fold[200];
    assert_ok(bal_clips_of_split(store, BAL_SPLIT_TRAIN, &clip, &n, &err));
    assert_ok(bal_clips_fold(store, clip, n, 5, 0, fold, &err));
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < i; j++)
            if (!strcmp(bal_store_source(store, clip[i]), bal_store_source(store, clip[j])))
                assert_int_equal(fold[i], fold[j]);
    assert_fails(bal_clips_fold(store, clip, n, 1, 0, fold, &err), BAL_E_ARG, "at least 2");
    assert_fails(bal_clips_fold(store, clip, n, 150, 0, fold, &err), BAL_E_ARG, "sources into 150 parts");
    bal_clips_free(clip);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_batches_for_any_workers),
        cmocka_unit_test(sound_is_turned),
        cmocka_unit_test(a_clip_is_the_same_in_any_batch),
        cmocka_unit_test(test_batches_hold_the_store),
        cmocka_unit_test(jpeg_stores_are_read),
        cmocka_unit_test(restart_in_the_middle),
        cmocka_unit_test(damage_reaches_the_caller),
        cmocka_unit_test(wrong_calls_are_refused),
        cmocka_unit_test(splits_partition_the_store),
        cmocka_unit_test(shuffle_is_a_permutation),
        cmocka_unit_test(folds_keep_sources_together),
    };
    return cmocka_run_group_tests_name("dataset.reader", tests, setup, teardown);
}
