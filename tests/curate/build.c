/* Build without media: the journal, what invalidates which stage, splits, and memory that runs out anywhere. */
#include <math.h>
#include <avbalance/build.h>
#include <avbalance/select.h>
#include "base/check.h"
#include "base/mem.h"
#include "base/option.h"
#include "base/text.h"
#include "curate/key.h"
#include "curate/sheet.h"

enum { N = 60, STAGES = 8 };
static char was_done[STAGES + 1]; /* a letter per stage: d done now, w was done */
static int n_told;

static void told(void *user, const char *stage, bool was) {
    (void)user;
    (void)stage;
    if (n_told < STAGES) was_done[n_told++] = was ? 'w' : 'd';
}

static void write_text(const char *name, const BalText *t) {
    BalError err;
    assert_ok(bal_file_write(scratch(name), t->data, t->len, &err));
}

static void make_inputs(void) {
    BalText m = {0}, a = {0}, v = {0};
    bal_text_add(&m, "id,media,label,split,start,duration,source\n");
    bal_text_add(&a, "id,dog,cat\n");
    bal_text_add(&v, "id,dog,cat\n");
    for (int i = 0; i < N; i++) {
        const double p = 0.3 + (i * 37 % 70) / 100.0, q = 0.3 + (i * 53 % 70) / 100.0;
        bal_text_f(&m, "c%02d,c%02d.mp4,%s,train,%d,10,abcdefghij%c\n", i, i, i % 2 ? "dog" : "cat", 10 * (i % 4),
                   'A' + i / 4);
        bal_text_f(&a, "c%02d,%.2f,%.2f\n", i, i % 2 ? p : 1 - p, i % 2 ? 1 - p : p);
        bal_text_f(&v, "c%02d,%.2f,%.2f\n", i, i % 2 ? q : 1 - q, i % 2 ? 1 - q : q);
    }
    write_text("m.csv", &m);
    write_text("a.csv", &a);
    write_text("v.csv", &v);
    bal_text_clear(&m);
    bal_text_add(&m, "clips: {manifest: m.csv, technical: no, duplicates: no}\nscore: {audio: a.csv, visual: v.csv}\n"
                     "estimate: {run: no}\nselect: {bins: 4, min_per_bin: 1}\n");
    write_text("r.yaml", &m);
    bal_text_reset(&m);
    bal_text_reset(&a);
    bal_text_reset(&v);
}

static BalStatus build(const char *dir, const char *const *set, int n, BalError *err) {
    BalBuildRecipe *r = NULL;
    BAL_TRY(bal_alloc(&r, 1, sizeof *r, err));
    BalStatus rc = bal_build_recipe_load(r, scratch("r.yaml"), set, n, err);
    const BalBuildSpec spec = {.recipe = r, .base_dir = scratch_dir, .dir = dir, .threads = 1, .told = told};
    n_told = 0;
    memset(was_done, 0, sizeof was_done);
    if (rc >= 0) rc = bal_build(&spec, err);
    bal_free(r);
    return rc;
}

static void expect(const char *const *set, int n, const char *stages) {
    BalError err;
    char dir[256];
    snprintf(dir, sizeof dir, "%s/out", scratch_dir);
    assert_ok(build(dir, set, n, &err));
    assert_string_equal(was_done, stages);
}

/* clips, score, triage, ingest, estimate, noise, select, export */
static void test_what_is_done_again(void **state) {
    (void)state;
    make_inputs();
    expect(NULL, 0, "dddddddd");
    expect(NULL, 0, "wwwwwwww");
    expect((const char *[]){"build.name=other"}, 1, "wwwwwwwd");
    expect((const char *[]){"noise.cap=0.5"}, 1,
           "wwwwwdwd"); /* nothing is noise: noise.json says so with another cap */
    expect((const char *[]){"select.ratio=1"}, 1, "wwwwwddd");
    expect((const char *[]){"triage.ratio=0"}, 1, "wwdddddd"); /* other clips go on */
    expect(NULL, 0, "wwdddddd");
    expect((const char *[]){"build.seed=3"}, 1, "dddddddd"); /* which of two equal clips stays is by a key */
}

/* Values that are the same one behind the other are still others. */
static void test_values_have_ends(void **state) {
    (void)state;
    BalError err;
    char dir[256];
    snprintf(dir, sizeof dir, "%s/ends", scratch_dir);
    make_inputs();
    assert_ok(build(dir, (const char *[]){"triage.target=1", "triage.per_source=23"}, 2, &err));
    assert_ok(build(dir, (const char *[]){"triage.target=12", "triage.per_source=3"}, 2, &err));
    assert_memory_equal(was_done, "wwd", 3);
    assert_ok(build(dir, (const char *[]){"estimate.folds=2", "estimate.seeds=11"}, 2, &err));
    assert_ok(build(dir, (const char *[]){"estimate.folds=21", "estimate.seeds=1"}, 2, &err));
    assert_int_equal(was_done[4], 'd');
    const char *const same[2][2] = {{"clips.manifest=m.csv", "clips.videos="},
                                    {"clips.manifest=", "clips.videos=m.csv"}};
    assert_ok(build(dir, same[0], 2, &err));
    assert_fails(build(dir, same[1], 2, &err), BAL_E_MEDIA, "stage clips"); /* not one of them is there */
}

/* Files of the recipe lie in its folder, also those that might be names; what they hold, and what uses them, is seen to change. */
static void test_files_of_the_recipe(void **state) {
    (void)state;
    BalError err;
    BalText t = {0};
    char dir[256];
    snprintf(dir, sizeof dir, "%s/out", scratch_dir);
    make_inputs();
    assert_ok(bal_remove_tree(dir, &err));
    bal_text_add(&t, "id,label,u_audio,u_visual\n");
    for (int i = 0; i < N; i++) bal_text_f(&t, "c%02d,dog,0.%d,0.%d\n", i, 10 + i, 90 - i);
    write_text("s.csv", &t);
    expect((const char *[]){"triage.run=no", "estimate.scores=s.csv"}, 2, "dddddddd");
    expect(NULL, 0, "wddddddd"); /* scorers are asked only now */
    bal_text_clear(&t);
    bal_text_add(&t, "key\tdisplay\tside\tclass\n");
    for (int k = 0; k < 4; k++)
        bal_text_f(&t, "%s\t\t%s\t%s\n", k / 2 ? "dog" : "cat", k % 2 ? "audio" : "visual", k / 2 ? "dog" : "cat");
    write_text("categories.tsv", &t);
    expect((const char *[]){"triage.categories=categories.tsv"}, 1, "wddwwwwd");
    bal_text_add(&t, "# a remark\n");
    write_text("categories.tsv", &t);
    expect((const char *[]){"triage.categories=categories.tsv"}, 1, "wddwwwww");
    /* a recipe of training: what it says of features is seen by ingest, all else by estimate */
    bal_text_clear(&t);
    bal_text_add(&t, "train: {epochs: 3}\n");
    write_text("own.yaml", &t);
    assert_ok(build(dir, (const char *[]){"estimate.recipe=own.yaml"}, 1, &err));
    bal_text_clear(&t);
    bal_text_add(&t, "train: {epochs: 4}\n");
    write_text("own.yaml", &t);
    assert_ok(build(dir, (const char *[]){"estimate.recipe=own.yaml"}, 1, &err));
    assert_int_equal(was_done[4], 'd');
    assert_fails(build(dir, (const char *[]){"estimate.run=yes", "estimate.recipe=none.yaml"}, 2, &err), BAL_E_IO,
                 scratch_dir);
    bal_text_reset(&t);
}

/* Whoever changes an output has it made again; a journal that is not there is a folder of something else. */
static void test_outputs_are_compared(void **state) {
    (void)state;
    BalError err;
    char dir[256], file[300];
    snprintf(dir, sizeof dir, "%s/out", scratch_dir);
    make_inputs();
    assert_ok(bal_remove_tree(dir, &err));
    expect(NULL, 0, "dddddddd");
    snprintf(file, sizeof file, "%s/noise/scores.csv", dir);
    assert_ok(bal_file_write(file, "x", 1, &err));
    expect(NULL, 0, "wwwwwdww");
    snprintf(file, sizeof file, "%s/build.jsonl", dir);
    assert_ok(bal_remove_tree(file, &err));
    assert_fails(build(dir, NULL, 0, &err), BAL_E_EXISTS, "something else than a build");
    assert_ok(bal_remove_tree(dir, &err));
}

/* Whole videos, by a hash of their name; the same for every selection. */
static void test_splits(void **state) {
    (void)state;
    BalError err;
    char dir[256], path[300];
    BalSheet s;
    snprintf(dir, sizeof dir, "%s/splits", scratch_dir);
    snprintf(path, sizeof path, "%s/manifest.tsv", dir);
    make_inputs();
    assert_ok(build(dir, (const char *[]){"select.run=no"}, 1, &err));
    assert_ok(bal_sheet_load(&s, path, "id", &err));
    assert_true(s.n > N / 3);
    for (int64_t i = 0; i < s.n; i++) {
        const char *video = bal_sheet_at(&s, i, bal_sheet_column(&s, "video"));
        const double u = ldexp((double)bal_key64(video, strlen(video), 2023), -64);
        const char *want = u < 0.80748 ? "train" : u < 0.89166 ? "val" : "test";
        assert_string_equal(bal_sheet_at(&s, i, bal_sheet_column(&s, "split")), want);
        assert_string_equal(bal_sheet_at(&s, i, bal_sheet_column(&s, "qa")),
                            bal_sheet_at(&s, i, bal_sheet_column(&s, "qa_pre")));
    }
    bal_sheet_reset(&s);
}

static void test_policies(void **state) {
    (void)state;
    const BalOption *o = bal_build_options();
    while (strcmp(o->name, "select.policy")) o++;
    int n = 0;
    for (; o->choices[n]; n++) assert_string_equal(o->choices[n], bal_policy_name((BalPolicy)n));
    assert_int_equal(n, BAL_POLICY_PLANE + 1);
}

/* Every 83rd allocation fails; then the next call goes on. */
static void test_faults(void **state) {
    (void)state;
    BalError err;
    char dir[256];
    snprintf(dir, sizeof dir, "%s/fault", scratch_dir);
    make_inputs();
    long failed = 0;
    for (long n = 1;; n += 83) {
        err = (BalError){0};
        assert_ok(bal_remove_tree(dir, &err));
        bal_mem_fail_at(n);
        BalStatus rc = build(dir, NULL, 0, &err);
        const long made = bal_mem_fail_at(0);
        if (made < n) {
            assert_int_equal(rc, BAL_OK);
            break;
        }
        if (rc >= 0 || !err.text[0]) fail_msg("allocation %ld failed and nobody noticed", n);
        failed++;
    }
    assert_true(failed > 8);
    assert_ok(build(dir, NULL, 0, &err));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_what_is_done_again),
                                       cmocka_unit_test(test_values_have_ends),
                                       cmocka_unit_test(test_files_of_the_recipe),
                                       cmocka_unit_test(test_outputs_are_compared),
                                       cmocka_unit_test(test_splits),
                                       cmocka_unit_test(test_policies),
                                       cmocka_unit_test(test_faults)};
    return cmocka_run_group_tests(tests, scratch_open, scratch_close);
}
