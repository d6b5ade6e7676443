/* Recipes: those of the build load, mistakes are named with their place and remedy, the hash knows what matters. */
#include <avbalance/method.h>
#include <avbalance/train.h>
#include "base/check.h"

static void every_recipe_of_the_build_loads(void **state) {
    (void)state;
    BalError err = {0};
    assert_true(bal_recipe_count() >= 7);
    for (int i = 0; i < bal_recipe_count(); i++) {
        const char *summary, *yaml, *name = bal_recipe_at(i, &summary, &yaml);
        BalRecipe r = bal_recipe_default();
        assert_ok(bal_recipe_load(&r, name, NULL, 0, &err));
        assert_ok(bal_feature_recipe_check(&r.feature, &err));
        assert_ok(bal_input_recipe_check(&r.input, &err));
        assert_int_equal(yaml[0], '#');
        assert_true(strcspn(summary, "\n") > 20);
    }
}

static void a_recipe_by_name_and_by_path_is_the_same(void **state) {
    (void)state;
    BalError err = {0};
    BalRecipe a = bal_recipe_default(), b = bal_recipe_default();
    char hash_a[65], hash_b[65];
    assert_ok(bal_recipe_load(&a, "av-digits", NULL, 0, &err));
    assert_ok(bal_recipe_load(&b, AVB_SOURCE_DIR "/recipes/av-digits.yaml", NULL, 0, &err));
    assert_ok(bal_recipe_hash(&a, NULL, hash_a, &err));
    assert_ok(bal_recipe_hash(&b, NULL, hash_b, &err));
    assert_string_equal(hash_a, hash_b);
    assert_int_equal(a.train.epochs, 10);
    assert_true(a.train.lr == 0.01);
}

static void the_canonical_text_reads_back(void **state) {
    (void)state;
    BalError err = {0};
    BalRecipe a = bal_recipe_default(), b = bal_recipe_default();
    char *first = NULL, *second = NULL;
    const char *path = scratch("whole.yaml");
    assert_ok(bal_recipe_load(&a, "cremad", NULL, 0, &err));
    assert_ok(bal_recipe_text(&a, NULL, &first, &err));
    assert_ok(bal_file_write(path, first, strlen(first), &err));
    assert_ok(bal_recipe_load(&b, path, NULL, 0, &err));
    assert_ok(bal_recipe_text(&b, NULL, &second, &err));
    assert_string_equal(first, second);
    bal_recipe_text_free(first);
    bal_recipe_text_free(second);
}

static void the_hash_leaves_out_seed_threads_and_backend_only(void **state) {
    (void)state;
    static const char *const same[] = {"train.seed=7", "train.threads=3", "train.backend=reference"};
    static const char *const other[] = {"train.lr=0.5", "input.flip=0.25", "audio.hop=100", "train.dtype=bf16"};
    BalError err = {0};
    char base[65], hash[65];
    BalRecipe r = bal_recipe_default();
    assert_ok(bal_recipe_hash(&r, NULL, base, &err));
    for (int i = 0; i < 3; i++) {
        r = bal_recipe_default();
        assert_ok(bal_recipe_load(&r, NULL, &same[i], 1, &err));
        assert_ok(bal_recipe_hash(&r, NULL, hash, &err));
        assert_string_equal(hash, base);
    }
    for (int i = 0; i < 4; i++) {
        r = bal_recipe_default();
        assert_ok(bal_recipe_load(&r, NULL, &other[i], 1, &err));
        assert_ok(bal_recipe_hash(&r, NULL, hash, &err));
        assert_string_not_equal(hash, base);
    }
}

/* A recipe may hold the options of many methods; text and hash of a run hold its own. */
static void options_of_methods_stand_in_recipes(void **state) {
    (void)state;
    static const char yaml[] = "train:\n  lr: 0.02\nogm:\n  alpha: 0.8\n  variant: first\ngblend:\n  mode: online\n";
    BalError err = {0};
    const BalMethodOps *ogm, *gblend, *audio;
    BalRecipe plain = bal_recipe_default(), r = plain, back = plain;
    char a[65], b[65], *text = NULL, *again = NULL;
    assert_ok(bal_method_find(&ogm, "ogm", &err));
    assert_ok(bal_method_find(&gblend, "gblend", &err));
    assert_ok(bal_method_find(&audio, "audio", &err));
    assert_ok(bal_file_write(scratch("methods.yaml"), yaml, strlen(yaml), &err));
    assert_ok(bal_recipe_load(&r, scratch("methods.yaml"), NULL, 0, &err));
    plain.train.lr = 0.02;
    assert_string_equal(r.method, "ogm.variant=first\nogm.alpha=0.8\ngblend.mode=online\n");
    assert_ok(bal_recipe_hash(&plain, audio, a, &err));
    assert_ok(bal_recipe_hash(&r, audio, b, &err));
    assert_string_equal(a, b);
    assert_ok(bal_recipe_hash(&plain, ogm, a, &err));
    assert_ok(bal_recipe_hash(&r, ogm, b, &err));
    assert_string_not_equal(a, b);

    assert_ok(bal_recipe_text(&r, ogm, &text, &err));
    assert_non_null(strstr(text, "ogm:\n  fusion: concat\n  variant: first\n  alpha: 0.8\n"));
    assert_null(strstr(text, "gblend"));
    assert_ok(bal_file_write(scratch("methods2.yaml"), text, strlen(text), &err));
    assert_ok(bal_recipe_load(&back, scratch("methods2.yaml"), NULL, 0, &err));
    assert_ok(bal_recipe_text(&back, ogm, &again, &err));
    assert_string_equal(text, again);
    bal_recipe_text_free(text);
    bal_recipe_text_free(again);

    const char *const set[] = {"ogm.alpha=0.1", "gblend.mode=offline"}; /* back to the defaults: as if never said */
    assert_ok(bal_recipe_load(&r, NULL, set, 2, &err));
    assert_string_equal(r.method, "ogm.variant=first\n");
    const char *const bad[] = {"ogm.variant=second"};
    assert_fails(bal_recipe_load(&r, NULL, bad, 1, &err), BAL_E_ARG, "one of 2022-05, paper, first, benchmark");
    static const char wrong[] = "train:\n  lr: 0.1\ngblend:\n  share: 2\n";
    assert_ok(bal_file_write(scratch("methods3.yaml"), wrong, strlen(wrong), &err));
    assert_fails(bal_recipe_load(&r, scratch("methods3.yaml"), NULL, 0, &err), BAL_E_FORMAT, "line 4: gblend.share");
}

static void mistakes_are_named(void **state) {
    (void)state;
    static const struct {
        const char *yaml, *says;
    } bad[] = {
        {"train:\n  lr: 0.1\n  learning_rate: 3\n", "train.learning_rate"},
        {"train:\n  lr: 0.1\n  batch: 1\n", "3"},
        {"train:\n  optimiser: sgdd\n", "sgd"},
        {"train:\n  epochs: many\n", "epochs"},
        {"train:\n  lr: 0.1\n  lr: 0.2\n", "lr"},
        {"trian:\n  lr: 0.1\n", "trian"},
        {"train: [1, 2\n", "bad.yaml"},
    };
    BalError err = {0};
    const char *path = scratch("bad.yaml");
    BalRecipe r = bal_recipe_default();
    char before[65], after[65];
    assert_ok(bal_recipe_hash(&r, NULL, before, &err));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_ok(bal_file_write(path, bad[i].yaml, strlen(bad[i].yaml), &err));
        assert_fails(bal_recipe_load(&r, path, NULL, 0, &err), BAL_E_FORMAT, bad[i].says);
        if (!strstr(err.text, "bad.yaml")) fail_msg("no file name in: %s", err.text);
    }
    static const struct {
        const char *set, *says;
    } set[] = {{"train.lr", "key=value"},   {"train.lr=-1", "train.lr"}, {"train.lrr=1", "train.lr"},
               {"train.dtype=f16", "bf16"}, {"=3", "key=value"},         {"train.epochs=0", "train.epochs"}};
    for (size_t i = 0; i < sizeof set / sizeof *set; i++)
        assert_fails(bal_recipe_load(&r, NULL, &set[i].set, 1, &err), BAL_E_ARG, set[i].says);
    assert_fails(bal_recipe_load(&r, "av-digit", NULL, 0, &err), BAL_E_ARG, "av-digits");
    assert_fails(bal_recipe_load(&r, "no/such.yaml", NULL, 0, &err), BAL_E_IO, "no/such.yaml");
    assert_ok(bal_recipe_hash(&r, NULL, after, &err));
    assert_string_equal(before, after); /* untouched by all of these */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_recipe_of_the_build_loads),
        cmocka_unit_test(a_recipe_by_name_and_by_path_is_the_same),
        cmocka_unit_test(the_canonical_text_reads_back),
        cmocka_unit_test(the_hash_leaves_out_seed_threads_and_backend_only),
        cmocka_unit_test(options_of_methods_stand_in_recipes),
        cmocka_unit_test(mistakes_are_named),
    };
    return cmocka_run_group_tests(tests, scratch_open, scratch_close);
}
