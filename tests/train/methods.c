/* Methods in a training: each learns what can be heard and seen, and one that keeps state ends with the same bytes after stops. */
#include <math.h>
#include <avbalance/method.h>
#include "base/json.h"
#include "base/mem.h"
#include "base/option.h"
#include "train/toy.h"

static BalStore *store;

static int open_store(void **state) {
    return toy_open(state, &(Toy){.n = 240, .heard = true, .seen = true, .n_train = 6, .n_val = 2}, &store);
}
static int close_store(void **state) {
    return toy_close(state, &store);
}

static BalRecipe recipe_with(const char *const *set, int n) {
    BalError err = {0};
    BalRecipe r = toy_recipe(store);
    assert_ok(bal_recipe_load(&r, NULL, set, n, &err));
    return r;
}

static const struct Case {
    const char *method, *set[6];
    int n_set;
    const char *metric; /* logged in every epoch */
} CASES[] = {
    {"ogm", {"ogm.alpha=0.3"}, 1, "k_audio"},
    {"ogm-ge", {"ogm-ge.alpha=0.3", "ogm-ge.fusion=gated"}, 2, "k_visual"},
    {"gblend", {"gblend.probe_epochs=1"}, 1, "w_joint"},
    {"gblend", {"gblend.mode=online", "gblend.super_epoch=2"}, 2, "w_joint"},
    {"greedy", {"greedy.utilisation=1"}, 1, "d_util"},
    {"greedy", {"greedy.variant=random", "greedy.utilisation=0"}, 2, "held_audio"},
};
enum { N_CASES = sizeof CASES / sizeof *CASES };

static void each_learns(void **state) {
    (void)state;
    for (int i = 0; i < N_CASES; i++) {
        const struct Case *c = &CASES[i];
        BalError err = {0};
        BalFitResult f;
        char dir[16], path[32];
        BalRecipe r = recipe_with(c->set, c->n_set);
        snprintf(dir, sizeof dir, "learn%d", i);
        assert_ok(toy_fit(store, c->method, &r, scratch(dir), &f, &err));
        if (!(f.accuracy[BAL_SPLIT_TEST] > 0.9))
            fail_msg("%s: test accuracy %.3f", c->method, f.accuracy[BAL_SPLIT_TEST]);
        snprintf(path, sizeof path, "%s/log.jsonl", dir);
        char *log = load_text(scratch(path));
        for (int e = 0; e < f.epochs; e++) assert_true(isfinite(logged(log, e, c->metric)));
        if (!strcmp(c->method, "gblend"))
            for (int e = 0; e < f.epochs; e++)
                assert_true(fabs(logged(log, e, "w_audio") + logged(log, e, "w_visual") + logged(log, e, "w_joint") -
                                 1) < 1e-9);
        bal_free(log);
    }
}

typedef struct Stopper {
    int left;
} Stopper;
static bool stop_after(void *user, const BalProgress *p) {
    (void)p;
    return --((Stopper *)user)->left > 0;
}

static BalStatus fit(const struct Case *c, const char *dir, BalProgressSink progress, BalError *err) {
    BalFitSpec spec = bal_fit_spec_default();
    BalFitResult f;
    spec.method = c->method;
    spec.recipe = recipe_with(c->set, c->n_set);
    spec.recipe.train.epochs = 3;
    spec.dir = dir;
    spec.checkpoint_s = progress.fn ? 0 : 1e9;
    spec.progress = progress;
    return bal_fit(store, &spec, &f, err);
}

static void stopped_anywhere_it_ends_with_the_same_bytes(void **state) {
    (void)state;
    for (int i = 1; i < N_CASES; i += 1 + (i == 1)) { /* those with noise, weights or a schedule to remember */
        BalError err = {0};
        char whole[24], cut[24];
        int stops = 0;
        snprintf(whole, sizeof whole, "whole%d", i);
        snprintf(cut, sizeof cut, "cut%d", i);
        assert_ok(fit(&CASES[i], scratch(whole), (BalProgressSink){0}, &err));
        for (;; stops++) {
            Stopper s = {4 + 3 * stops};
            BalStatus rc = fit(&CASES[i], scratch(cut), (BalProgressSink){stop_after, &s}, &err);
            if (rc == BAL_OK) break;
            if (rc != BAL_E_CANCELLED) fail_msg("%s", err.text);
            assert_true(stops < 100);
        }
        assert_true(stops > 3);
        assert_same_folder(scratch(whole), scratch(cut));
    }
}

/* An estimate goes on where its last checkpoint was, in the middle of a probe: with so few reports at a time that it could never end if it
 * began anew, it ends, with the same bytes. */
static void an_estimate_is_continued(void **state) {
    (void)state;
    static const struct Case c = {"gblend", {"gblend.probe_epochs=2"}, 1, NULL};
    BalError err = {0};
    int stops = 0;
    assert_ok(fit(&c, scratch("estimate"), (BalProgressSink){0}, &err));
    for (;; stops++) {
        Stopper s = {13}; /* a probe's epoch has 9 batches, a measurement 6, the estimate 78 */
        BalStatus rc = fit(&c, scratch("continued"), (BalProgressSink){stop_after, &s}, &err);
        if (rc == BAL_OK) break;
        if (rc != BAL_E_CANCELLED) fail_msg("%s", err.text);
        assert_true(stops < 60);
    }
    assert_true(stops > 8);
    assert_same_folder(scratch("estimate"), scratch("continued"));
}

/* A probe that explodes says where, as a step of the training would. */
static void a_probe_that_explodes_names_step_clips_and_remedy(void **state) {
    (void)state;
    static const char *const set[] = {"train.lr=100", "train.weight_decay=10", "train.epochs=30"};
    BalError err = {0};
    BalFitResult f;
    BalRecipe r = recipe_with(set, 3);
    assert_fails(toy_fit(store, "gblend", &r, scratch("nan"), &f, &err), BAL_E_NUMERIC, "nested training");
    assert_non_null(strstr(err.text, "lower train.lr"));
    assert_non_null(strstr(err.text, "last_batch.txt"));
}

/* Options are part of what a run is: of its identity, its hash and its run.json. */
static void options_are_part_of_the_run(void **state) {
    (void)state;
    static const char *const weak[] = {"ogm.alpha=0.1"}, *const strong[] = {"ogm.alpha=0.5", "gblend.share=0.5"};
    BalError err = {0};
    BalFitResult f;
    BalRecipe r = recipe_with(weak, 1);
    r.train.epochs = 1;
    assert_ok(toy_fit(store, "ogm", &r, scratch("options"), &f, &err));
    r = recipe_with(strong, 2);
    r.train.epochs = 1;
    assert_fails(toy_fit(store, "ogm", &r, scratch("options"), &f, &err), BAL_E_MISMATCH, "ogm.alpha: 0.1");
    assert_ok(toy_fit(store, "ogm", &r, scratch("strong"), &f, &err));
    BalJson *j[2] = {NULL, NULL};
    assert_ok(bal_json_load(&j[0], scratch("options/run.json"), &err));
    assert_ok(bal_json_load(&j[1], scratch("strong/run.json"), &err));
    const BalJson *options = bal_json_get(j[1], "method_options");
    assert_string_equal(bal_json_text(bal_json_get(options, "ogm.alpha"), ""), "0.5");
    assert_null(bal_json_get(options, "gblend.share"));
    const char *text[2][2];
    for (int k = 0; k < 2; k++) {
        text[0][k] = bal_json_text(bal_json_get(j[k], "recipe_hash"), "");
        text[1][k] = bal_json_text(bal_json_get(j[k], "protocol_hash"), "");
    }
    assert_string_not_equal(text[0][0], text[0][1]);
    assert_string_equal(text[1][0], text[1][1]);
    bal_json_free(&j[0]);
    bal_json_free(&j[1]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_learns),
        cmocka_unit_test(stopped_anywhere_it_ends_with_the_same_bytes),
        cmocka_unit_test(an_estimate_is_continued),
        cmocka_unit_test(a_probe_that_explodes_names_step_clips_and_remedy),
        cmocka_unit_test(options_are_part_of_the_run),
    };
    return cmocka_run_group_tests(tests, open_store, close_store);
}
