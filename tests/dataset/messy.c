/* Real odd and broken files through ingest: each ends stored or rejected with its reason, the same for any number of workers. */
#include "dataset/synth.h"

#include "base/mem.h"
#include "base/text.h"

static const char dir[] = AVB_SOURCE_DIR "/../shared/data/messy";

static void make_manifest(BalManifest *m, char ***name, int *n) {
    static const char *classes[] = {"any"};
    BalError err = {0};
    assert_ok(bal_list_dir(dir, name, n, &err));
    *m = (BalManifest){.classes = classes, .n_classes = 1, .dir = (char *)(uintptr_t)dir};
    assert_ok(bal_alloc(&m->clip, (size_t)*n, sizeof *m->clip, &err));
    for (int i = 0; i < *n; i++) {
        if (!strcmp((*name)[i], "MANIFEST.tsv")) continue;
        m->clip[m->n] = (BalClip){.id = (*name)[i], .media = (*name)[i], .split = BAL_SPLIT_TRAIN, .line = m->n + 1};
        m->clip[m->n].start_s = m->clip[m->n].duration_s = 0;
        m->n++;
    }
}

static BalFeatureRecipe recipe(void) {
    BalFeatureRecipe r = bal_feature_recipe_default();
    r.audio.pipeline = BAL_AUDIO_LOG_STFT;
    r.audio.rate_hz = 16000;
    r.audio.seconds = 2;
    r.visual.store_size = 64;
    return r;
}

static void every_file_ends_somewhere(void **state) {
    (void)state;
    if (!bal_is_dir(dir)) {
        printf("skipped: %s is not there\n", dir);
        skip();
    }
    BalManifest m;
    BalError err = {0};
    BalIngestResult r;
    BalStore *store = NULL;
    BalText text = {0};
    char **name, one[65], two[65];
    int n;
    BalFeatureRecipe rec = recipe();
    BalIngestSpec spec = bal_ingest_spec_default();
    spec.val_share = 0;
    make_manifest(&m, &name, &n);
    spec.workers = 1;
    assert_ok(bal_ingest(&m, &rec, &spec, scratch("one"), (BalProgressSink){0}, &r, &err));
    spec.workers = 3;
    assert_ok(bal_ingest(&m, &rec, &spec, scratch("two"), (BalProgressSink){0}, &r, &err));
    folder_hash(scratch("one"), one);
    folder_hash(scratch("two"), two);
    assert_string_equal(one, two);
    assert_int_equal(r.n, m.n);
    assert_int_equal(r.stored + r.rejected, r.n);
    assert_true(r.stored >= 35 && r.rejected >= 50);

    assert_ok(bal_store_open(&store, scratch("two"), &err));
    assert_ok(bal_store_verify(store, (BalProgressSink){0}, &err));
    assert_ok(bal_file_read(scratch("two/rejected.csv"), 0, &text, &err));
    static const char *const good[] = {"am_sample.mp4", "own_antiphase_stereo.mkv", "own_mp4_named.avi",
                                       "own_2x2_pixels.mp4",
                                       "own name with  spaces, comma & 'quote' \xc3\xbc\xe4\xb8\xad.mp4"};
    static const char *const bad[] = {"\nam_sample_audio_only.mp4,am_sample_audio_only.mp4,has no picture stream",
                                      "\nam_sample_video_only.mp4,am_sample_video_only.mp4,has no sound stream",
                                      "\nown_zero_length.mp4,own_zero_length.mp4,empty file",
                                      "\nown_html_error_page.mp4,"};
    for (size_t k = 0; k < sizeof good / sizeof *good; k++) {
        bool found = false;
        for (int64_t i = 0; i < bal_store_count(store); i++) found = found || !strcmp(bal_store_id(store, i), good[k]);
        if (!found) fail_msg("%s was not stored", good[k]);
    }
    for (size_t k = 0; k < sizeof bad / sizeof *bad; k++)
        if (!strstr(text.data, bad[k])) fail_msg("rejected.csv does not hold '%s'", bad[k]);
    bal_text_reset(&text);
    bal_store_close(&store);
    bal_free(m.clip);
    bal_names_free(name, n);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_file_ends_somewhere)};
    return cmocka_run_group_tests_name("dataset.messy", tests, scratch_open, scratch_close);
}
