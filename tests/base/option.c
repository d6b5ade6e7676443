/* Options: recipes in, every mistake named with file, line, key and allowed range, the canonical dump out. */
#include "base/fault.h"
#include "base/option.h"

typedef struct Demo {
    bool flip;
    int64_t epochs, seed;
    double lr;
    char name[9];
    int kind;
} Demo;
static const char *const kinds[] = {"sgd", "adam", NULL};
static const BalOption demo_options[] = {
    {"train.flip", "true", "mirror frames", BAL_OPT_BOOL, offsetof(Demo, flip), 0, 0, NULL},
    {"train.epochs", "10", "passes over the data", BAL_OPT_INT, offsetof(Demo, epochs), 1, 1000, NULL},
    {"train.optimiser.lr", "0.01", "step size", BAL_OPT_REAL, offsetof(Demo, lr), 0, 10, NULL},
    {"train.optimiser.kind", "sgd", "rule", BAL_OPT_ENUM, offsetof(Demo, kind), 0, 0, kinds},
    {"train.name", "", "free text", BAL_OPT_TEXT, offsetof(Demo, name), 0, 8, NULL},
    {NULL, NULL, NULL, BAL_OPT_BOOL, 0, 0, 0, NULL},
};
typedef struct Other {
    int64_t seed;
} Other;
static const BalOption other_options[] = {
    {"seed", "0", "of everything", BAL_OPT_INT, offsetof(Other, seed), 0, 9e18, NULL},
    {NULL, NULL, NULL, BAL_OPT_BOOL, 0, 0, 0, NULL},
};

static Demo demo;
static Other other;
static const BalOptionSet sets[] = {{demo_options, &demo}, {other_options, &other}};

static int fresh(void **state) {
    (void)state;
    demo = (Demo){0};
    other = (Other){0};
    bal_options_default(demo_options, &demo);
    bal_options_default(other_options, &other);
    return 0;
}

static BalStatus parse(const char *yaml, BalError *err) {
    return bal_options_parse(sets, 2, yaml, strlen(yaml), "r.yaml", err);
}

static void test_load(void **state) {
    (void)state;
    BalError err;
    assert_true(demo.flip && demo.epochs == 10 && demo.lr == 0.01 && demo.kind == 0 && !demo.name[0]);
    assert_ok(
        parse("# a recipe\ntrain:\n  flip: no\n  optimiser: {lr: 1e-3, kind: adam}\n  name: \"a b\"\nseed: 7\n", &err));
    assert_true(!demo.flip && demo.epochs == 10 && demo.lr == 1e-3 && demo.kind == 1 && other.seed == 7);
    assert_string_equal(demo.name, "a b");
    assert_ok(parse("", &err));
    assert_ok(parse("---\n", &err));
    assert_ok(parse("train:\n", &err));
    assert_ok(parse("\xEF\xBB\xBFseed: 8\r\n", &err));
    assert_int_equal(other.seed, 8);
    assert_ok(bal_file_write(scratch("r.yaml"), "seed: 9\n", 8, &err));
    assert_ok(bal_options_load(sets, 2, scratch("r.yaml"), &err));
    assert_int_equal(other.seed, 9);
    assert_fails(bal_options_load(sets, 2, scratch("none.yaml"), &err), BAL_E_IO, "none.yaml");
}

static void test_refuse(void **state) {
    (void)state;
    static const struct {
        const char *yaml, *message;
    } bad[] = {
        {"train:\n  epochs: 0\n", "r.yaml: line 2: train.epochs: '0' is not allowed; allowed: integer from 1 to 1000"},
        {"train:\n  epochs: 1.5\n",
         "r.yaml: line 2: train.epochs: '1.5' is not allowed; allowed: integer from 1 to 1000"},
        {"\n\ntrain: {optimiser: {lr: nan}}\n",
         "r.yaml: line 3: train.optimiser.lr: 'nan' is not allowed; allowed: number from 0 to 10"},
        {"train:\n  optimiser:\n    kind: rmsprop\n",
         "line 3: train.optimiser.kind: 'rmsprop' is not allowed; allowed: one of sgd, adam"},
        {"train:\n  flip: 2\n", "line 2: train.flip: '2' is not allowed; allowed: true or false"},
        {"train:\n  name: 123456789\n", "allowed: text of at most 8 bytes"},
        {"seed: -1\n", "allowed: integer of at least 0"},
        {"train:\n  epoch: 3\n", "r.yaml: line 2: unknown key 'train.epoch'; did you mean 'train.epochs'?"},
        {"lr: 3\n", "line 1: unknown key 'lr'; did you mean 'train.optimiser.lr'?"},
        {"colour: red\n", "line 1: unknown key 'colour'; the sections are: "},
        {"train:\n  epochs: 3\n  epochs: 4\n", "line 3: epochs: this key was already given above"},
        {"seed: 1\nseed: 1\n", "line 2: seed: this key was already given above"},
        {"train.epochs: 3\ntrain:\n  epochs: 4\n", "line 1: train.epochs: a key has no dot"},
        {"train:\n  epochs: [1, 2]\n", "line 2: train.epochs: one value is wanted here"},
        {"train:\n  epochs:\n", "train.epochs: '' is not allowed"},
        {"train: 5\n", "line 1: train: a section"},
        {"- a\n- b\n", "line 1: a section"},
        {"seed: 1\n---\nseed: 2\n", "a second document"},
        {"? [a, b]\n: 1\n", "a key must be one word"},
        {"train:\n  name: \"a\\0b\"\n", "NUL"},
        {"train: {epochs: 3\n", "r.yaml: line "},
        {"seed: \"\xff\"\n", "r.yaml: line "},
        {"a: &a [*a]\n", "unknown key 'a'"},
        {"train: &t\n  optimiser: *t\n", "r.yaml: line "},
    };
    BalError err;
    for (size_t k = 0; k < sizeof bad / sizeof *bad; k++) {
        fresh(NULL);
        assert_fails(parse(bad[k].yaml, &err), BAL_E_FORMAT, bad[k].message);
    }
}

static void test_set(void **state) {
    (void)state;
    BalError err;
    assert_ok(bal_options_set(sets, 2, "train.optimiser.lr", "0.5", &err));
    assert_true(demo.lr == 0.5);
    assert_fails(bal_options_set(sets, 2, "train.optimiser.lr", "11", &err), BAL_E_ARG, "from 0 to 10");
    assert_true(demo.lr == 0.5);
    assert_fails(bal_options_set(sets, 2, "train.optimiser.lt", "1", &err), BAL_E_ARG,
                 "did you mean 'train.optimiser.lr'");
    assert_fails(bal_options_set(sets, 2, "seed", "99999999999999999999", &err), BAL_E_ARG, "integer");
}

static void test_dump(void **state) {
    (void)state;
    BalError err;
    BalText t = {0}, again = {0};
    assert_ok(bal_options_set(sets, 2, "train.name", "no: #\"", &err));
    bal_options_dump(sets, 2, &t);
    assert_string_equal(t.data, "train:\n  flip: true\n  epochs: 10\n  optimiser:\n    lr: 0.01\n    kind: sgd\n"
                                "  name: \"no: #\\\"\"\nseed: 0\n");
    fresh(NULL);
    assert_ok(bal_options_parse(sets, 2, t.data, t.len, "dump", &err));
    bal_options_dump(sets, 2, &again);
    assert_string_equal(t.data, again.data);
    static const char *const lr[][2] = {
        {"1e-5", " lr: 1.0e-05\n"}, {"1.25e-6", " lr: 1.25e-06\n"}, {"0.001", " lr: 0.001\n"}};
    for (int i = 0; i < 3; i++) { /* PyYAML takes a number without a point and with an exponent for a text */
        assert_ok(bal_options_set(sets, 2, "train.optimiser.lr", lr[i][0], &err));
        bal_text_clear(&t);
        bal_options_dump(sets, 2, &t);
        assert_non_null(strstr(t.data, lr[i][1]));
        fresh(NULL);
        assert_ok(bal_options_parse(sets, 2, t.data, t.len, "dump", &err));
        bal_text_clear(&again);
        bal_options_dump(sets, 2, &again);
        assert_string_equal(t.data, again.data);
    }
    bal_text_clear(&t);
    bal_options_help(demo_options, &t);
    assert_non_null(strstr(t.data, "train.epochs"));
    assert_non_null(strstr(t.data, "passes over the data (integer from 1 to 1000; default 10)\n"));
    assert_non_null(strstr(t.data, "(text of at most 8 bytes; default empty)\n"));
    bal_text_reset(&t);
    bal_text_reset(&again);
}

static BalStatus load_small(void *user, BalError *err) {
    (void)user;
    return parse("train:\n  optimiser: {lr: 1}\n", err);
}

static void test_no_memory(void **state) {
    (void)state;
    assert_true(fault_each_allocation(load_small, NULL) >= 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_load, fresh), cmocka_unit_test_setup(test_refuse, fresh),
        cmocka_unit_test_setup(test_set, fresh), cmocka_unit_test_setup(test_dump, fresh),
        cmocka_unit_test_setup(test_no_memory, fresh)};
    return cmocka_run_group_tests(tests, scratch_open, scratch_close);
}
