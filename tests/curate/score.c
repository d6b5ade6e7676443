/* Scoring, end to end with small networks in the structure of the published ones: what each clip ends as, that the result does not depend on
 * workers, stops and damage, what the averages and views mean, and what is refused. */
#include <avbalance/score.h>
#include "base/fault.h"
#include "base/hash.h"
#include "base/npy.h"
#include "curate/score_journal.h"
#include "curate/scorer.h"
#include "curate/weights.h"
#include "media/make.h"

enum { RATE = 16000, SECONDS = 3, CLIPS = 6 };
static BalClip clip[CLIPS] = {
    {.id = "a", .media = "a.mkv"},         {.id = "b", .media = "b.mkv"},       {.id = "gone", .media = "gone.mkv"},
    {.id = "silent", .media = "mute.mkv"}, {.id = "c,\"1\"", .media = "a.mkv"}, {.id = "d", .media = "b.mkv"},
};

static const char names[] = "w\nx\ny\nz, \"z\"\n";

static void make_film(const char *name, int first, bool sound) {
    BalError err = {0};
    BalMediaWriter *w = NULL;
    const BalMediaWriterSpec spec = {MAKE_W, MAKE_H, 25, sound ? RATE : 0};
    const BalWriterTweaks as = {.format = "matroska", .video_codec = "mpeg4", .audio_codec = "pcm_f32le"};
    static uint8_t rgb[MAKE_W * MAKE_H * 3];
    static float pcm[RATE * SECONDS];
    for (int i = 0; i < RATE * SECONDS; i++) pcm[i] = (float)(0.5 * sin(i * 0.002 * (first + 1) * (1 + i / 20000.0)));
    assert_ok(bal_media_writer_open_as(&w, scratch(name), &spec, &as, &err));
    for (int k = 0; k < 25 * SECONDS; k++) {
        make_picture(rgb, first + k);
        assert_ok(bal_media_writer_frame(w, rgb, &err));
    }
    if (sound) assert_ok(bal_media_writer_sound(w, pcm, RATE * SECONDS, &err));
    assert_ok(bal_media_writer_close(&w, &err));
}

static int open_all(void **state) {
    BalError err = {0};
    scratch_open(state);
    make_film("a.mkv", 0, true);
    make_film("b.mkv", 90, true);
    make_film("mute.mkv", 40, false);
    for (int i = 0; i < CLIPS; i++) {
        clip[i].source = "";
        clip[i].label = -1;
        clip[i].start_s = i >= 4 ? 0.5 : NAN;
        clip[i].duration_s = i >= 4 ? 1.5 : NAN;
        clip[i].line = i + 2;
    }
    assert_ok(weights_make("slowfast", 5, 8, scratch("slowfast"), &err));
    assert_ok(weights_make("slowfast-4x16", 5, 8, scratch("slowfast-4x16"), &err));
    assert_ok(weights_make("vggish", 4, 4, scratch("vggish"), &err));
    assert_ok(bal_file_write(scratch("names"), names, strlen(names), &err));
    return 0;
}

static BalManifest manifest(int n) {
    return (BalManifest){.clip = clip, .n = n, .dir = scratch_dir};
}

static BalScoreSpec spec(const char *scorer) {
    BalScoreSpec s = bal_score_spec_default();
    static char weights[3][256], classes[256];
    const int k = !strcmp(scorer, "vggish") ? 0 : !strcmp(scorer, "slowfast") ? 1 : 2;
    snprintf(weights[k], sizeof weights[k], "%s/%s", scratch_dir, scorer);
    snprintf(classes, sizeof classes, "%s/names", scratch_dir);
    s.scorer = scorer;
    s.weights = weights[k];
    if (bal_has_prefix(scorer, "slowfast")) s.view = "fast";
    if (!strcmp(scorer, "vggish")) s.classes = classes;
    return s;
}

static const char *const files[] = {"probabilities.npy", "ids.txt",      "classes.txt",
                                    "topk.csv",          "rejected.csv", "score.json"};
enum { FILES = sizeof files / sizeof *files };

static const char *in(const char *dir, const char *name) {
    static char path[8][300];
    static int k;
    snprintf(path[k = (k + 1) % 8], sizeof path[0], "%s/%s", scratch(dir), name);
    return path[k];
}

static void assert_same_files(const char *a, const char *b) {
    BalError err = {0};
    for (int i = 0; i < FILES; i++) {
        char x[65], y[65];
        assert_ok(bal_sha256_file(in(a, files[i]), x, &err));
        assert_ok(bal_sha256_file(in(b, files[i]), y, &err));
        if (strcmp(x, y) != 0) fail_msg("%s differs between %s and %s", files[i], a, b);
    }
    assert_false(bal_file_exists(in(a, "score.journal")));
}

/* [n,classes] of a folder, the caller's. */
static float *matrix(const char *dir, int64_t n, int64_t classes) {
    BalError err = {0};
    BalMap m = {0};
    BalNpy h = {0};
    float *p = malloc((size_t)(n * classes) * sizeof *p);
    assert_ok(bal_map_open(&m, in(dir, "probabilities.npy"), &err));
    assert_ok(bal_npy_parse(&h, m.data, m.size, "probabilities", &err));
    assert_int_equal(h.rank, 2);
    assert_int_equal(h.dim[0], n);
    assert_int_equal(h.dim[1], classes);
    memcpy(p, m.data + h.data_at, (size_t)(n * classes) * sizeof *p);
    bal_map_close(&m);
    return p;
}

/* ---- what comes out ---- */
static void every_clip_ends_somewhere(void **state) {
    (void)state;
    BalError err = {0};
    BalScoreResult r;
    BalText t = {0};
    const BalManifest m = manifest(CLIPS);
    BalScoreSpec s = spec("vggish");
    s.top = 2;
    assert_ok(bal_score(&m, &s, scratch("all"), (BalProgressSink){0}, &r, &err));
    assert_int_equal(r.clips.n, CLIPS);
    assert_int_equal(r.clips.stored, 4);
    assert_int_equal(r.clips.rejected, 2);
    assert_string_equal(r.average, "embeddings");
    float *p = matrix("all", CLIPS, 4);
    for (int i = 0; i < CLIPS; i++) {
        double sum = 0;
        for (int k = 0; k < 4; k++) sum += p[i * 4 + k];
        if (i == 2 || i == 3)
            assert_true(isnan(sum));
        else
            assert_true(fabs(sum - 1) < 1e-5);
    }
    assert_true(fabs(p[0] - p[4]) > 1e-6); /* clips differ */
    free(p);
    assert_ok(bal_file_read(in("all", "rejected.csv"), 0, &t, &err));
    assert_non_null(strstr(t.data, "gone,gone.mkv,"));
    assert_non_null(strstr(t.data, "silent,mute.mkv,has no "));
    assert_ok(bal_file_read(in("all", "topk.csv"), 0, &t, &err));
    assert_int_equal(strncmp(t.data, "id,rank,class,probability\na,1,", 30), 0);
    assert_non_null(strstr(t.data, "\n\"c,\"\"1\"\"\",2,"));
    assert_null(strstr(t.data, ",3,"));
    assert_ok(bal_file_read(in("all", "classes.txt"), 0, &t, &err));
    assert_string_equal(t.data, names);
    bal_text_reset(&t);
    /* once more: nothing to do but to remove the journal, where a kill came just before that; with something else: refused */
    assert_ok(bal_file_write(in("all", "score.journal"), "x", 1, &err));
    assert_ok(bal_score(&m, &s, scratch("all"), (BalProgressSink){0}, &r, &err));
    assert_false(bal_file_exists(in("all", "score.journal")));
    assert_int_equal(r.clips.resumed, CLIPS);
    assert_int_equal(r.clips.stored, 4);
    s.average = BAL_AVERAGE_PROBABILITIES;
    assert_fails(bal_score(&m, &s, scratch("all"), (BalProgressSink){0}, &r, &err), BAL_E_MISMATCH, "give -f");
}

/* ---- the same bytes ---- */
typedef struct StopAt {
    int64_t after;
} StopAt;

static bool stop_at(void *user, const BalProgress *p) {
    return p->done != ((StopAt *)user)->after;
}

static void workers_and_stops(void **state) {
    (void)state;
    BalError err = {0};
    BalScoreResult r;
    const BalManifest m = manifest(CLIPS);
    BalScoreSpec s = spec("vggish");
    assert_ok(bal_score(&m, &s, scratch("one"), (BalProgressSink){0}, &r, &err));
    s.workers = 3;
    assert_ok(bal_score(&m, &s, scratch("three"), (BalProgressSink){0}, &r, &err));
    assert_same_files("one", "three");
    for (int64_t k = 1; k < CLIPS; k += 2) {
        StopAt at = {k};
        const char *dir = k == 1 ? "stop1" : k == 3 ? "stop3" : "stop5";
        assert_fails(bal_score(&m, &s, scratch(dir), (BalProgressSink){stop_at, &at}, &r, &err), BAL_E_CANCELLED,
                     "the same call continues");
        assert_true(bal_file_exists(in(dir, "score.journal")));
        assert_ok(bal_score(&m, &s, scratch(dir), (BalProgressSink){0}, &r, &err));
        assert_int_equal(r.clips.resumed, k);
        assert_same_files("one", dir);
    }
}

/* A journal cut or damaged anywhere is used as far as it is whole. */
static void torn_journal(void **state) {
    (void)state;
    BalError err = {0};
    BalScoreResult r;
    BalText whole = {0};
    StopAt at = {5};
    const BalManifest m = manifest(CLIPS);
    const BalScoreSpec s = spec("vggish");
    assert_fails(bal_score(&m, &s, scratch("torn"), (BalProgressSink){stop_at, &at}, &r, &err), BAL_E_CANCELLED, "");
    assert_ok(bal_file_read(in("torn", "score.journal"), 0, &whole, &err));
    assert_ok(bal_remove_tree(scratch("torn"), &err));
    for (int i = 0; i < 10; i++) {
        const size_t cut = whole.len * (size_t)i / 9;
        char *bytes = malloc(whole.len + 1);
        memcpy(bytes, whole.data, whole.len);
        if (i % 3 == 2 && cut < whole.len) bytes[cut] ^= 1;
        assert_ok(bal_make_dirs(scratch("torn"), &err));
        assert_ok(bal_file_write(in("torn", "score.journal"), bytes, i % 3 == 2 ? whole.len : cut, &err));
        assert_ok(bal_score(&m, &s, scratch("torn"), (BalProgressSink){0}, &r, &err));
        assert_same_files("one", "torn");
        assert_ok(bal_remove_tree(scratch("torn"), &err));
        free(bytes);
    }
    bal_text_reset(&whole);
}

/* ---- views and averages ---- */
static void views(void **state) {
    (void)state;
    static const char *const view[] = {"fast", "std"};
    BalError err = {0};
    BalScoreResult r;
    const BalManifest m = manifest(1);
    float *p[3];
    for (int i = 0; i < 3; i++) {
        BalScoreSpec s = spec("slowfast");
        s.view = view[i < 2 ? i : 1];
        s.average = i == 2 ? BAL_AVERAGE_BEFORE : BAL_AVERAGE_AUTO;
        s.threads = 2;
        const char *dir = i == 2 ? "before" : view[i];
        assert_ok(bal_score(&m, &s, scratch(dir), (BalProgressSink){0}, &r, &err));
        assert_string_equal(r.average, i == 2 ? "logits" : "probabilities");
        p[i] = matrix(dir, 1, 5);
        double sum = 0;
        for (int k = 0; k < 5; k++) sum += p[i][k];
        assert_true(fabs(sum - 1) < 1e-5);
        for (int k = 0; k < i; k++)
            if (!memcmp(p[i], p[k], 5 * sizeof **p)) fail_msg("%s gives what %d gives", dir, k);
    }
    for (int i = 0; i < 3; i++) free(p[i]);
    BalScorer paper;
    BalScoreSpec s = spec("slowfast-4x16");
    s.view = "paper";
    assert_ok(bal_scorer_open(&paper, &s, s.weights, &err));
    assert_int_equal(paper.n_passes, 30);
    bal_scorer_close(&paper);
}

/* What a scorer is fed: frames by number and place, the slow ones among them. */
static void slowfast_input(void **state) {
    (void)state;
    BalError err = {0};
    BalScorer s;
    void *worker = NULL;
    BalScoreSpec how = spec("slowfast");
    how.view = "std";
    assert_ok(bal_scorer_open(&s, &how, how.weights, &err));
    assert_int_equal(s.n_passes, 3);
    assert_int_equal(s.rows, 4);
    assert_int_equal(s.n_classes, 5);
    float *x = malloc((size_t)s.n_passes * s.pass_floats * sizeof *x);
    const BalMediaLimits limits = bal_media_limits_default();
    const BalClipSpec all = bal_clip_spec_default();
    assert_ok(s.ops->worker_open(&s, &worker, &err));
    assert_ok(s.ops->prepare(&s, worker, scratch("a.mkv"), &all, &limits, x, &err));
    for (int view = 0; view < 3; view++) {
        int64_t index[32];
        assert_ok(bal_view_frames(25, 75, view, 3, 32, index, &err));
        for (int k = 0; k < 32; k++) {
            const float *y =
                x + (size_t)view * s.pass_floats + (size_t)k * 256 * 256; /* red, 96 x 64 scaled to 384 x 256 */
            int number = 0;
            for (int b = 0; b < MAKE_BITS; b++) { /* blocks of 48, of which the middle 256 columns show 64 .. 320 */
                const int at = b * 48 + 24 - 64;
                if (at >= 0 && at < 256) number |= (y[64 * 256 + at] > 0.2F) << b;
            }
            const int seen = 0x7e; /* blocks 1 to 6 */
            if ((number & seen) != ((int)index[k] & seen)) fail_msg("view %d, frame %d: %d", view, k, number);
        }
    }
    s.ops->worker_close(&worker);
    bal_scorer_close(&s);
    free(x);
}

/* ---- what is refused ---- */
static void refusals(void **state) {
    (void)state;
    BalError err = {0};
    BalScoreResult r;
    const BalManifest m = manifest(CLIPS), none = {.clip = clip + 2, .n = 1, .dir = scratch_dir};
    const BalProgressSink quiet = {0};
    BalScoreSpec s = spec("vggish");
#define REFUSED(manifest, code, says) assert_fails(bal_score(manifest, &s, scratch("no"), quiet, &r, &err), code, says)
    s.scorer = "vgish";
    REFUSED(&m, BAL_E_ARG, "did you mean \"vggish\"");
    s = spec("slowfast");
    s.view = "fats";
    REFUSED(&m, BAL_E_ARG, "no view \"fats\"; there are: std, fast, paper");
    s = spec("slowfast");
    s.weights = scratch("slowfast-4x16");
    REFUSED(&m, BAL_E_MISMATCH, "slowfast-4x16");
    s.weights = scratch("vggish");
    REFUSED(&m, BAL_E_MISMATCH, "head.projection.weight");
    s.weights = scratch("names");
    REFUSED(&m, BAL_E_FORMAT, "names");
    s = spec("vggish");
    assert_ok(bal_file_write(scratch("few"), "w\nx\n", 4, &err));
    s.classes = scratch("few");
    REFUSED(&m, BAL_E_FORMAT, "lists 2 classes, the weights answer for 4");
    s = spec("vggish");
    s.categories = "balanced-av";
    REFUSED(&m, BAL_E_FORMAT, "names");
    assert_false(bal_is_dir(scratch("no"))); /* nothing was begun */
    s = spec("vggish");
    s.stop_on_error = true;
    REFUSED(&m, BAL_E_MEDIA, "clip gone (line 4");
    assert_ok(bal_remove_tree(scratch("no"), &err));
    s = spec("vggish");
    REFUSED(&none, BAL_E_MEDIA, "none of 1 clips");
    REFUSED(&none, BAL_E_MEDIA, "none of 1 clips"); /* begins anew */
    assert_true(bal_file_exists(in("no", "rejected.csv")));
    assert_false(bal_file_exists(in("no", "score.journal")));
    assert_ok(bal_file_write(in("no", "mine"), "x", 1, &err));
    REFUSED(&m, BAL_E_EXISTS, "holds mine, which is no score");
}

/* Weights of NaN make no probabilities. */
static void poisoned(void **state) {
    (void)state;
    BalError err = {0};
    BalScoreResult r;
    BalText t = {0};
    const BalManifest m = manifest(1);
    assert_ok(bal_file_read(scratch("vggish"), 0, &t, &err));
    memset(t.data + t.len - 400, 0xff, 400);
    assert_ok(bal_file_write(scratch("nan"), t.data, t.len, &err));
    BalScoreSpec s = spec("vggish");
    s.weights = scratch("nan");
    assert_fails(bal_score(&m, &s, scratch("poisoned"), (BalProgressSink){0}, &r, &err), BAL_E_NUMERIC,
                 "not finite: see its weights: scoring clip a");
    bal_text_reset(&t);
}

/* ---- faults ---- */
static BalStatus open_once(void *user, BalError *err) {
    BalScorer s;
    BalStatus rc = bal_scorer_open(&s, user, ((const BalScoreSpec *)user)->weights, err);
    if (rc >= 0) bal_scorer_close(&s);
    return rc;
}

static BalStatus see(void *user, const BalScoreEntry *e, BalError *err) {
    (void)err;
    *(int64_t *)user += e->p ? 1 : 100;
    return BAL_OK;
}

static BalStatus replay_once(void *user, BalError *err) {
    const float p[2] = {0.25F, 0.75F};
    const BalScoreEntry entry[2] = {{.row = 0, .p = p}, {.row = 1, .code = BAL_E_MEDIA, .reason = "two\nlines"}};
    BalText t = {0};
    char identity[65], zeros[65];
    int64_t seen = 0;
    size_t good;
    (void)user;
    memset(zeros, '0', 64);
    zeros[64] = '\0';
    bal_score_journal_head(&t, zeros);
    for (int i = 0; i < 2; i++) bal_score_journal_line(&t, &entry[i], 2);
    BalStatus rc = bal_text_ok(&t, err);
    if (rc >= 0) rc = bal_score_journal_replay(t.data, t.len, 2, 2, see, &seen, identity, &good, err);
    if (rc >= 0) assert_int_equal(seen, 101);
    bal_text_reset(&t);
    return rc;
}

static void every_allocation_may_fail(void **state) {
    (void)state;
    BalScoreSpec s = spec("vggish");
    assert_true(fault_each_allocation(replay_once, NULL) > 3);
    assert_true(fault_each_allocation(open_once, &s) > 50);
}

static void registry(void **state) {
    (void)state;
    assert_int_equal(bal_scorer_count(), 4);
    assert_null(bal_scorer_at(4));
    assert_null(bal_scorer_at(-1));
    for (int i = 0; i < bal_scorer_count(); i++) assert_non_null(bal_scorer_at(i)->view->name);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_clip_ends_somewhere),
        cmocka_unit_test(workers_and_stops),
        cmocka_unit_test(torn_journal),
        cmocka_unit_test(views),
        cmocka_unit_test(slowfast_input),
        cmocka_unit_test(refusals),
        cmocka_unit_test(poisoned),
        cmocka_unit_test(every_allocation_may_fail),
        cmocka_unit_test(registry),
    };
    return cmocka_run_group_tests(tests, open_all, scratch_close);
}
