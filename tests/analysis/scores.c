/* Reading and writing tables of scores: dialects, what is refused and with which words, equal outcomes for any number of threads. */
#include "../base/check.h"

#include <math.h>
#include <avbalance/analysis.h>
#include "base/rng.h"
#include "base/text.h"

static BalError err;

static const char *file_of(const char *text) {
    const char *path = scratch("scores.csv");
    assert_ok(bal_file_write(path, text, strlen(text), &err));
    return path;
}

static BalStatus load(const char *text, const BalScoresSpec *spec, BalScores *s) {
    return bal_scores_load(s, file_of(text), spec, &err);
}

static void expect_two_rows(const char *text) {
    BalScores s = {0};
    assert_ok(load(text, NULL, &s));
    assert_int_equal(s.n, 2);
    assert_string_equal(s.id[0], "-a,1");
    assert_string_equal(s.id[1], "b \"2\"");
    assert_string_equal(s.labels[s.label[1]], "dog & cat");
    assert_int_equal(s.label[0], s.label[1]);
    assert_true(s.value[BAL_SCORE_U_AUDIO][0] == 0.25 && s.value[BAL_SCORE_U_VISUAL][0] == 1);
    assert_true(s.value[BAL_SCORE_U_AUDIO][1] == 0.30000000000000004 && s.value[BAL_SCORE_U_VISUAL][1] == 1e-7);
    bal_scores_reset(&s);
}

static void test_dialects(void **state) {
    (void)state;
    expect_two_rows(
        "id,label,u_audio,u_visual\n\"-a,1\",dog & cat,0.25,1\n\"b \"\"2\"\"\",dog & cat,0.30000000000000004,1e-7\n");
    expect_two_rows("\xEF\xBB\xBFid,label,u_audio,u_visual\r\n\"-a,1\",dog & cat,.25,1.0\r\n\"b \"\"2\"\"\",dog & "
                    "cat,0.30000000000000004,1e-7");
    expect_two_rows("u_visual\tx\tid\tlabel\tu_audio\n1.000\t9\t-a,1\tdog & cat\t0.250000\n\n0.0000001\t\t\"b "
                    "\"\"2\"\"\"\tdog & cat\t"
                    "0.30000000000000004\n");
    expect_two_rows(
        "id;u_audio;u_visual;label\n-a,1;2.5e-1;1;dog & cat\n\"b \"\"2\"\"\";3.0000000000000004e-1;1e-7;dog & cat\n");
}

static void test_columns(void **state) {
    (void)state;
    BalScores s = {0};
    BalScoresSpec spec = {.id = "file", .u_audio = "voice", .u_visual = "face", .split = "part"};
    assert_ok(load("file,voice,face,part\na,0,1,train\nb,1,0,test\n", &spec, &s));
    assert_int_equal(s.n_splits, 2);
    assert_int_equal(s.label[0], -1);
    bal_scores_reset(&s);
    spec.only_split = "test";
    assert_ok(load("file,voice,face,part\na,0,1,train\nb,1,0,test\n", &spec, &s));
    assert_int_equal(s.n, 1);
    assert_string_equal(s.id[0], "b");
    bal_scores_reset(&s);
    spec.only_split = "tset";
    assert_fails(load("file,voice,face,part\na,0,1,train\n", &spec, &s), BAL_E_ARG, "no row has the split \"tset\"");
    assert_fails(load("file,voice,face,part\na,0,7,train\n", &spec, &s), BAL_E_NUMERIC, "line 2: face is 7, outside");
    assert_fails(load("id,face,part\na,0,train\n", &spec, &s), BAL_E_FORMAT,
                 "no column \"file\", \"voice\" (columns: id, face, part); name them with --id-column, --audio-column");
}

static void test_refusals(void **state) {
    (void)state;
    static const struct {
        const char *text;
        BalStatus code;
        const char *says;
    } bad[] = {
        {"", BAL_E_FORMAT, "is empty"},
        {"id,u_audio,u_visual\n", BAL_E_FORMAT, "no rows"},
        {"id,u_audio\na,1\n", BAL_E_FORMAT,
         "no column \"u_visual\" (columns: id, u_audio); name it with --visual-column"},
        {"clip,u_audio,u_visual\n", BAL_E_FORMAT, "no column \"id\""},
        {"id,u_audio,u_visual,id\n", BAL_E_FORMAT, "\"id\" is there twice"},
        {"id,u_audio,u_visual\na,0.5,0.5\nb,1.5,0\n", BAL_E_NUMERIC, "line 3: u_audio is 1.5, outside [0,1]"},
        {"id,u_audio,u_visual\na,0.5,-0.1\n", BAL_E_NUMERIC, "line 2: u_visual is -0.1, outside"},
        {"id,u_audio,u_visual\na,0.5,nan\n", BAL_E_NUMERIC, "line 2: u_visual is nan, outside"},
        {"id,u_audio,u_visual\na,0.5,\n", BAL_E_NUMERIC, "not a number"},
        {"id,u_audio,u_visual\na,0x1,0\n", BAL_E_NUMERIC, "not a number"},
        {"id,u_audio,u_visual\n\na,0.5\n", BAL_E_FORMAT, "line 3: has 2 fields, the header has 3"},
        {"id,u_audio,u_visual\n,0,0\n", BAL_E_FORMAT, "line 2: the id is empty"},
        {"id,u_audio,u_visual\nb,0,0\na,0,0\nc,0,0\na,1,1\n", BAL_E_FORMAT,
         "line 5: the id \"a\" stands in line 3 already"},
        {"id,u_audio,u_visual\na,0,0\na,1,1\n", BAL_E_FORMAT, "line 3: the id \"a\" stands in line 2"},
        {"id,u_audio,u_visual\n\"a\nb\",0,0\n", BAL_E_FORMAT, "several lines"},
        {"id,u_audio,u_visual\n\"a,0,0\n", BAL_E_FORMAT, "never closed"},
        {"id,u_audio,u_visual,sd_audio\na,0,0,x\n", BAL_E_NUMERIC, "sd_audio is \"x\""},
    };
    BalScores s = {0};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_fails(load(bad[i].text, NULL, &s), bad[i].code, bad[i].says);
        assert_null(s.id);
    }
    const char *path = scratch("nul.csv");
    assert_ok(bal_file_write(path, "id,u_audio,u_visual\na\0b,0,0\n", 28, &err));
    assert_fails(bal_scores_load(&s, path, NULL, &err), BAL_E_FORMAT, "NUL");
    assert_fails(bal_scores_load(&s, scratch("none.csv"), NULL, &err), BAL_E_IO, "none.csv");
    assert_fails(bal_scores_load(&s, scratch_dir, NULL, &err), BAL_E_IO, "folder");
}

/* Many chunks: sums and lines are right whatever the threads, and a bad row deep in the file is named by its line. */
static void test_large(void **state) {
    (void)state;
    enum { N = 120000 };
    BalText t = {0};
    BalRng r = bal_rng(1, BAL_RNG_TEST, 0, 0);
    bal_text_add(&t, "id,u_audio,u_visual,note\n");
    for (int i = 0; i < N; i++) {
        bal_text_f(&t, "clip%06d,%.*f,%.*f,", i * 7919 % N, (int)bal_rng_below(&r, 19), bal_rng_uniform(&r),
                   (int)bal_rng_below(&r, 19), bal_rng_uniform(&r));
        for (int k = (int)bal_rng_below(&r, 40); k > 0; k--) bal_text_char(&t, '.');
        bal_text_char(&t, '\n');
    }
    const char *path = scratch("large.csv");
    assert_ok(bal_file_write(path, t.data, t.len, &err));
    static BalHeatmap one, three;
    assert_ok(bal_heatmap_file(&one, path, &(BalScoresSpec){.threads = 1}, &err));
    assert_ok(bal_heatmap_file(&three, path, &(BalScoresSpec){.threads = 3}, &err));
    assert_int_equal(one.n, N);
    assert_memory_equal(&one, &three, sizeof one);

    char *at = strstr(t.data + t.len * 3 / 4, "\nclip") + 1;
    int line = 1;
    for (const char *c = t.data; c < at; c++) line += *c == '\n';
    char was = *strchr(at, ','), want[64];
    *strchr(at, ',') = ';';
    snprintf(want, sizeof want, "line %d: has 3 fields", line);
    assert_ok(bal_file_write(path, t.data, t.len, &err));
    assert_fails(bal_heatmap_file(&one, path, &(BalScoresSpec){.threads = 3}, &err), BAL_E_FORMAT, want);
    *strchr(at, ';') = was;

    memcpy(at, t.data + strlen("id,u_audio,u_visual,note\n"), strlen("clip000000")); /* the first id once more */
    snprintf(want, sizeof want, "line %d: the id \"clip000000\" stands in line 2", line);
    assert_ok(bal_file_write(path, t.data, t.len, &err));
    assert_fails(bal_heatmap_file(&one, path, &(BalScoresSpec){.threads = 2}, &err), BAL_E_FORMAT, want);
    bal_text_reset(&t);
}

/* Rows longer than a chunk's slack, a table of one line, a last row without its end. */
static void test_odd_shapes(void **state) {
    (void)state;
    BalText t = {0};
    BalScores s = {0};
    bal_text_add(&t, "note,id,u_audio,u_visual\n");
    for (int i = 0; i < 5; i++) {
        for (int k = 0; k < 500000; k++) bal_text_char(&t, 'x');
        bal_text_f(&t, ",c%d,0.5,0.%d%s", i, i, i < 4 ? "\n" : "");
    }
    assert_ok(load(t.data, NULL, &s));
    assert_int_equal(s.n, 5);
    assert_string_equal(s.id[4], "c4");
    assert_true(s.value[BAL_SCORE_U_VISUAL][4] == 0.4);
    bal_scores_reset(&s);
    for (int k = 0; k < 6000000; k++) bal_text_char(&t, 'x');
    assert_fails(load(t.data, NULL, &s), BAL_E_FORMAT, "a line is longer than");
    bal_text_reset(&t);
}

/* Between the count of the rows and the reading the file gets more of them, in as many bytes. */
static bool rewrite(void *user, const BalProgress *p) {
    (void)p;
    FILE *f = fopen(user, "r+");
    assert_non_null(f);
    assert_int_equal(fputs("id,u_audio,u_visual\na,0,1\nb,0,1\nc,0,1\n", f) >= 0, true);
    assert_int_equal(fclose(f), 0);
    return true;
}

static void test_changed_file(void **state) {
    (void)state;
    BalScores s = {0};
    char path[256];
    snprintf(path, sizeof path, "%s", file_of("id,u_audio,u_visual\na,0.00000000001,1\n"));
    BalScoresSpec spec = {.progress = {rewrite, path}};
    assert_fails(bal_scores_load(&s, path, &spec, &err), BAL_E_IO, "was changed while it was read");
    assert_null(s.id);
}

static bool stop(void *user, const BalProgress *p) {
    (void)p;
    ++*(int *)user;
    return false;
}

static void test_cancel(void **state) {
    (void)state;
    static BalHeatmap h;
    int calls = 0;
    BalScoresSpec spec = {.progress = {stop, &calls}};
    const char *path = file_of("id,u_audio,u_visual\na,0,1\n");
    assert_fails(bal_heatmap_file(&h, path, &spec, &err), BAL_E_CANCELLED, "interrupted");
    assert_int_equal(calls, 1);
}

static void test_round_trip(void **state) {
    (void)state;
    BalScores s = {0}, back = {0};
    assert_ok(load("id,label,split,u_audio,u_visual,sd_audio,correct_visual,epochs_audio\n\"a,b\",\"x "
                   "\"\"y\"\"\",train,0.1,0.7,0.333,1,7\nc,,,"
                   "0.39999999999999997,0,,0.5,8\n",
                   NULL, &s));
    const char *path = scratch("saved.csv");
    assert_ok(bal_scores_save(&s, path, &err));
    assert_ok(bal_scores_load(&back, path, NULL, &err));
    BalText text = {0};
    assert_ok(bal_file_read(path, 0, &text, &err));
    assert_non_null(
        strstr(text.data, "id,label,split,u_audio,u_visual,discrepancy,sd_audio,correct_visual,epochs_audio\n"));
    assert_non_null(
        strstr(text.data, "\n\"a,b\",\"x \"\"y\"\"\",train,0.1,0.7,-0.6,0.333,1,7\nc,,,0.39999999999999997,0,"));
    assert_int_equal(back.n, 2);
    assert_string_equal(back.id[0], "a,b");
    assert_string_equal(back.labels[0], "x \"y\"");
    assert_int_equal(back.split[1], -1);
    assert_true(back.value[BAL_SCORE_U_AUDIO][1] == 0.39999999999999997);
    assert_true(isnan(back.value[BAL_SCORE_SD_AUDIO][1]) && back.value[BAL_SCORE_EPOCHS_AUDIO][1] == 8);
    assert_null(back.value[BAL_SCORE_LOW]);
    bal_text_reset(&text);
    bal_scores_reset(&s);
    bal_scores_reset(&back);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_dialects),   cmocka_unit_test(test_columns),
                                       cmocka_unit_test(test_refusals),   cmocka_unit_test(test_large),
                                       cmocka_unit_test(test_odd_shapes), cmocka_unit_test(test_changed_file),
                                       cmocka_unit_test(test_cancel),     cmocka_unit_test(test_round_trip)};
    return cmocka_run_group_tests(tests, scratch_open, scratch_close);
}
