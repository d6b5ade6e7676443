/* Subset lists against a plain sort, for ids of every kind, and against the human votes on CREMA-D. */
#include "../base/check.h"

#include <math.h>

#include <avbalance/analysis.h>
#include "base/rng.h"
#include "base/text.h"

static BalError err;

typedef struct Row {
    char id[40], split[8];
    double a, v;
} Row;

static int by_id(const void *x, const void *y) {
    return strcmp(((const Row *)x)->id, ((const Row *)y)->id);
}

/* Ids of different kinds: numbered, YouTube-like, two folders with equal middles, prefixes of each other. */
static void make_id(char *out, size_t cap, int kind, int i, BalRng *r) {
    static const char letter[] = "-0aAbB_zZ9";
    switch (kind) {
    case 0:
        snprintf(out, cap, "clip%07d", i);
        break;
    case 1:
        snprintf(out, cap, "%c%c%c%08x_%06d", letter[bal_rng_below(r, 10)], letter[bal_rng_below(r, 10)],
                 letter[bal_rng_below(r, 10)], bal_rng_u32(r), i);
        break;
    case 2:
        snprintf(out, cap, "%s/a_long_middle/%d", i % 2 ? "vggsound" : "kinetics", i * 7919 % 1000003);
        break;
    default:
        memset(out, 'x', 30);
        snprintf(out + i % 11, cap - 11, "%d", i);
        break;
    }
}

static void expect_list(const Row *row, int n, const char *split, const char *name, double low, double high) {
    BalText want = {0}, got = {0};
    char path[300];
    for (int i = 0; i < n; i++) {
        double d = rint(100 * (row[i].a - row[i].v)) / 100; /* 0.9 - 0.7 is 0.2 and not more */
        if (!strcmp(row[i].split, split) && ((low >= 0 && d > low) || (high <= 0 && d < high)))
            bal_text_f(&want, "%s\n", row[i].id);
    }
    snprintf(path, sizeof path, "%s/lists/%s-%s.txt", scratch_dir, split, name);
    assert_ok(bal_file_read(path, 0, &got, &err));
    assert_int_equal(got.len, want.len);
    assert_string_equal(bal_text_str(&got), bal_text_str(&want));
    bal_text_reset(&want);
    bal_text_reset(&got);
}

static void check_kind(int kind, int n, int threads) {
    Row *row = calloc((size_t)n, sizeof *row);
    BalText t = {0};
    BalRng r = bal_rng((uint64_t)kind, BAL_RNG_TEST, 0, 0);
    bal_text_add(&t, "id,split,u_audio,u_visual,filler\n");
    for (int i = 0; i < n; i++) {
        make_id(row[i].id, sizeof row[i].id, kind, i, &r);
        strcpy(row[i].split, bal_rng_below(&r, 3) ? "train" : "test");
        row[i].a = (double)bal_rng_below(&r, 101) / 100;
        row[i].v = (double)bal_rng_below(&r, 101) / 100;
        bal_text_f(&t, "%s,%s,%.2f,%.2f,................................................\n", row[i].id, row[i].split,
                   row[i].a, row[i].v);
    }
    const char *path = scratch("scores.csv");
    char dir[300];
    snprintf(dir, sizeof dir, "%s/lists", scratch_dir);
    assert_ok(bal_file_write(path, t.data, t.len, &err));
    BalSplitResult result;
    assert_ok(
        bal_split_file(&result, path, &(BalScoresSpec){.threads = threads}, (double[]){0.4, 0.2, 0.4}, 3, dir, &err));
    assert_int_equal(result.n_thresholds, 2);
    assert_int_equal(result.n_splits, 2);
    assert_string_equal(result.split[0], "test");
    assert_int_equal(result.all.n, n);
    assert_int_equal(result.all.audio_preferred + result.all.visual_preferred + result.all.ties, n);
    assert_int_equal(result.count[0].n + result.count[1].n, n);
    qsort(row, (size_t)n, sizeof *row, by_id);
    for (int s = 0; s < 2; s++) {
        expect_list(row, n, result.split[s], "audio-preferred", 0, 1);
        expect_list(row, n, result.split[s], "visual-preferred", -1, 0);
        expect_list(row, n, result.split[s], "audio-dominated-0.2", 0.2, 1);
        expect_list(row, n, result.split[s], "visual-dominated-0.2", -1, -0.2);
        expect_list(row, n, result.split[s], "audio-dominated-0.4", 0.4, 1);
        expect_list(row, n, result.split[s], "visual-dominated-0.4", -1, -0.4);
    }
    bal_text_reset(&t);
    free(row);
}

static void test_lists(void **state) {
    (void)state;
    for (int kind = 0; kind < 4; kind++) {
        check_kind(kind, 60000, kind % 3 + 1);
        check_kind(kind, 40, 2);
    }
}

static void test_edges(void **state) {
    (void)state;
    const char *path = scratch("edges.csv"), *text = "id,u_audio,u_visual\na,0.9,0.7\nb,0.6,0.4\nc,0.5,0.5\nd,0,0.4\n";
    BalSplitResult r;
    assert_ok(bal_file_write(path, text, strlen(text), &err));
    assert_ok(bal_split_file(&r, path, NULL, (double[]){0.2, 0.4}, 2, NULL, &err));
    assert_string_equal(r.split[0], "all");
    assert_int_equal(r.all.ties, 1);
    assert_int_equal(r.all.audio_dominated[0], 0);  /* in double 0.9 - 0.7 is above 0.2 */
    assert_int_equal(r.all.visual_dominated[1], 0); /* -0.4 < -0.4 is false */
    assert_fails(bal_split_file(&r, path, NULL, (double[]){0}, 1, NULL, &err), BAL_E_ARG, "threshold 0");
    assert_fails(bal_split_file(&r, path, NULL, (double[]){1.5}, 1, NULL, &err), BAL_E_ARG, "threshold 1.5");
    const char *evil = "id,split,u_audio,u_visual\na,../../etc,0,1\n";
    assert_ok(bal_file_write(path, evil, strlen(evil), &err));
    assert_fails(bal_split_file(&r, path, NULL, NULL, 0, NULL, &err), BAL_E_FORMAT, "cannot be part of a file's name");
}

static void test_human_votes(void **state) {
    (void)state;
    const char *path = AVB_SOURCE_DIR "/../shared/data/annotations/cremad_official/human_unimodal.tsv";
    if (!bal_file_exists(path)) {
        print_message("skipped: %s is not there\n", path);
        skip();
    }
    BalScoresSpec spec = {.id = "file", .u_audio = "p_voice", .u_visual = "p_face"};
    BalSplitResult r;
    assert_ok(bal_split_file(&r, path, &spec, NULL, 0, NULL, &err));
    assert_int_equal(r.all.audio_preferred, 2320);
    assert_int_equal(r.all.visual_preferred, 4663);
    assert_int_equal(r.all.ties, 459);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_lists), cmocka_unit_test(test_edges),
                                       cmocka_unit_test(test_human_votes)};
    return cmocka_run_group_tests(tests, scratch_open, scratch_close);
}
