/* Tables of categories: the one of this build against the vectors, what is refused, and what probabilities say about categories. */
#include <math.h>
#include <avbalance/curate.h>
#include "base/check.h"
#include "base/fault.h"
#include "base/json.h"
#include "base/text.h"

static int n_strings(const BalCategories *c, BalSide side) {
    int n = 0;
    for (int i = 0; i < c->n; i++) n += c->category[i].n_classes[side];
    return n;
}

static void test_built_in(void **state) {
    (void)state;
    BalError err;
    BalCategories c;
    assert_ok(bal_categories_load(&c, "balanced-av", &err));
    assert_int_equal(c.n, 30);
    assert_int_equal(n_strings(&c, BAL_VISUAL), 53);
    assert_int_equal(n_strings(&c, BAL_AUDIO), 44);
    const int shaving = bal_category_find(&c, "shaving");
    assert_string_equal(c.category[shaving].class_name[BAL_AUDIO][0], "electric shaver, electric razor shaving");
    assert_int_equal(bal_category_find(&c, "Hair drying"), bal_category_find(&c, "hair_drying"));
    assert_true(c.category[bal_category_find(&c, "hair_drying")].weak[BAL_VISUAL]);
    assert_false(c.category[bal_category_find(&c, "hair_drying")].weak[BAL_AUDIO]);
    assert_int_equal(bal_category_find(&c, "nothing"), -1);
    bal_categories_reset(&c);
}

static void compare_side(const BalCategory *c, BalSide side, const BalJson *want) {
    assert_int_equal(c->n_classes[side], bal_json_size(want));
    for (int k = 0; k < c->n_classes[side]; k++)
        assert_string_equal(c->class_name[side][k], bal_json_text(bal_json_at(want, (size_t)k), ""));
}

static void test_vectors(void **state) {
    (void)state;
    const char *path = AVB_SOURCE_DIR "/../shared/vectors/building.json";
    if (!bal_file_exists(path)) {
        print_message("shared/vectors/building.json is absent: the table is not compared\n");
        skip();
    }
    BalError err;
    BalCategories c;
    BalJson *root;
    assert_ok(bal_categories_load(&c, "balanced-av", &err));
    assert_ok(bal_json_load(&root, path, &err));
    const BalJson *all = bal_json_get(root, "categories");
    assert_int_equal(bal_json_size(all), c.n);
    for (int i = 0; i < c.n; i++) {
        const BalJson *want = bal_json_at(all, (size_t)i);
        assert_string_equal(c.category[i].key, bal_json_text(bal_json_get(want, "key"), ""));
        assert_string_equal(c.category[i].display, bal_json_text(bal_json_get(want, "figure_name"), ""));
        compare_side(&c.category[i], BAL_VISUAL, bal_json_get(want, "k400"));
        compare_side(&c.category[i], BAL_AUDIO, bal_json_get(want, "vggsound"));
    }
    bal_json_free(&root);
    bal_categories_reset(&c);
}

/* ---- confidences ---- */

/* Score of `label` for a softmax over the whole VGG-Sound side, whose mass lies on n_named classes and the unmapped "rival". */
static BalCategoryScore score(const char *label, const char *const *name, const float *q, int n_named,
                              BalCorrectRule rule) {
    BalError err;
    BalCategories c;
    BalCategoryMap m;
    BalCategoryScore s;
    const char *list[64];
    float p[64] = {0};
    double sums[64];
    int n = 0;
    assert_ok(bal_categories_load(&c, "balanced-av", &err));
    for (int i = 0; i < c.n; i++)
        for (int k = 0; k < c.category[i].n_classes[BAL_AUDIO]; k++) list[n++] = c.category[i].class_name[BAL_AUDIO][k];
    list[n++] = "playing banjo";
    list[n++] = "people crowd";
    for (int i = 0; i < n_named; i++)
        for (int k = 0; k < n; k++)
            if (!strcmp(list[k], name[i])) p[k] = q[i];
    assert_ok(bal_category_map_make(&m, &c, BAL_AUDIO, list, n, "list", &err));
    assert_ok(bal_category_score(&s, &m, p, bal_category_find(&c, label), rule, sums, &err));
    bal_category_map_reset(&m);
    bal_categories_reset(&c);
    return s;
}

static void test_confidence(void **state) {
    (void)state;
    static const char *const guitar[] = {"playing acoustic guitar", "playing electric guitar", "playing banjo"},
                             *const clap[] = {"people clapping", "people cheering"},
                             *const bowl[] = {"striking bowling", "bowling impact", "people crowd"};
    BalCategoryScore s = score("playing_guitar", guitar, (float[]){0.28F, 0.27F, 0.35F}, 3, BAL_CORRECT_SUM);
    assert_true(fabs(s.p - 0.55) < 1e-6 && s.correct && s.top >= 0);
    s = score("playing_guitar", guitar, (float[]){0.28F, 0.27F, 0.35F}, 3, BAL_CORRECT_TOP1);
    assert_true(fabs(s.p - 0.55) < 1e-6 && !s.correct);
    s = score("clapping", clap, (float[]){0.4F, 0.4F}, 2, BAL_CORRECT_SUM);
    assert_true(fabs(s.p - 0.4) < 1e-6 && !s.correct);
    s = score("bowling", bowl, (float[]){0.2F, 0.15F, 0.5F}, 3, BAL_CORRECT_SUM);
    assert_true(fabs(s.p - 0.35) < 1e-6 && !s.correct && s.top == -1 && fabs(s.top_p - 0.5) < 1e-6);
    s = score("bowling", bowl, (float[]){0.4F, 0.15F, 0.4F}, 3, BAL_CORRECT_TOP1); /* of equal ones the first */
    assert_true(s.correct);
}

static void test_bad_probability(void **state) {
    (void)state;
    BalError err;
    int32_t category[2] = {0, -1};
    BalCategoryMap m = {.n_classes = 2, .n_categories = 1, .category = category};
    BalCategoryScore s;
    double p;
    assert_fails(bal_category_score(&s, &m, (float[]){0.5F, NAN}, 0, BAL_CORRECT_SUM, &p, &err), BAL_E_NUMERIC,
                 "class 1");
    assert_fails(bal_category_score(&s, &m, (float[]){-0.5F, 1}, 0, BAL_CORRECT_SUM, &p, &err), BAL_E_NUMERIC,
                 "outside [0,1]");
}

/* ---- what is refused ---- */

static const char *table(const char *body) {
    BalError err;
    BalText t = {0};
    const char *path = scratch("table.tsv");
    bal_text_f(&t, "# of a test\nkey\tdisplay\tside\tclass\tweak\n%s", body);
    assert_ok(bal_file_write(path, t.data, t.len, &err));
    bal_text_reset(&t);
    return path;
}

static void test_refused(void **state) {
    (void)state;
    static const struct {
        const char *body, *says;
    } bad[] = {
        {"", "holds no categories"},
        {"a\tA\tvisual\tx\na\tA\tvisual\ty\n", "\"a\" has no audio class"},
        {"a\tA\tvisual\tx\na\tA\taudio\t\n", "line 4: the class is empty"},
        {"a\tA\tvisual\tx\na\tA\taudio\ty\nb\tB\tvisual\tx\n", "line 5: the visual class \"x\" stands in line 3"},
        {"a\tA\tside\tx\n", "line 3: the side \"side\""},
        {"\tA\taudio\tx\n", "line 3: the key is empty"},
        {"a\tA\taudio\tx\tyes\n", "weak is \"yes\""},
        {"a\tA\taudio\tx\na\tB\tvisual\tx\n", "displayed as \"B\" here and as \"A\""}};
    BalError err;
    BalCategories c;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_fails(bal_categories_load(&c, table(bad[i].body), &err), BAL_E_FORMAT, bad[i].says);
    assert_fails(bal_categories_load(&c, "balanced", &err), BAL_E_ARG, "balanced-av");
    assert_fails(bal_categories_load(&c, scratch("none.tsv"), &err), BAL_E_IO, "none.tsv");
}

static void test_weak(void **state) {
    (void)state;
    BalError err;
    BalCategories c;
    BalCategoryMap m;
    BalCategoryScore s;
    double p[2];
    assert_ok(bal_categories_load(
        &c, table("a\tA\tvisual\tx\na\tA\taudio\t\t1\nb\t\tvisual\t\"y, z\"\nb\t\taudio\ty\n"), &err));
    assert_true(c.category[0].weak[BAL_AUDIO] && !c.category[0].n_classes[BAL_AUDIO]);
    assert_string_equal(c.category[1].class_name[BAL_VISUAL][0], "y, z");
    assert_string_equal(c.category[1].display, "b");
    assert_fails(bal_category_map_make(&m, &c, BAL_VISUAL, (const char *[]){"x", "y,z"}, 2, "net", &err), BAL_E_FORMAT,
                 "net: has no class \"y, z\", but \"y,z\"");
    assert_fails(bal_category_map_make(&m, &c, BAL_AUDIO, (const char *[]){"y", "y"}, 2, "net", &err), BAL_E_FORMAT,
                 "\"y\" is there twice");
    assert_ok(bal_category_map_make(&m, &c, BAL_AUDIO, (const char *[]){"y"}, 1, "net", &err));
    assert_ok(bal_category_score(&s, &m, (float[]){0}, 0, BAL_CORRECT_SUM, p, &err)); /* never heard, never right */
    assert_true(s.p == 0 && !s.correct);
    bal_category_map_reset(&m);
    bal_categories_reset(&c);
}

static void test_plain(void **state) {
    (void)state;
    BalError err;
    BalCategories c;
    BalCategoryMap m;
    static const char *const labels[] = {"dog", "cat\tand \"mouse\"", "0"};
    assert_ok(bal_categories_plain(&c, labels, 3, &err));
    assert_ok(bal_category_map_make(&m, &c, BAL_VISUAL, labels, 3, "labels", &err));
    for (int k = 0; k < 3; k++) assert_true(m.category[k] == k && !strcmp(c.category[k].key, labels[k]));
    bal_category_map_reset(&m);
    bal_categories_reset(&c);
}

static BalStatus load_and_map(void *user, BalError *err) {
    (void)user;
    BalCategories c = {0};
    BalCategoryMap m = {0};
    BalStatus rc = bal_categories_load(&c, "balanced-av", err);
    if (rc >= 0) rc = bal_category_map_make(&m, &c, BAL_VISUAL, c.category[13].class_name[BAL_VISUAL], 0, "l", err);
    if (rc == BAL_E_FORMAT) rc = BAL_OK; /* an empty list has no class: how far it came without memory is the test */
    bal_category_map_reset(&m);
    bal_categories_reset(&c);
    return rc;
}

static void test_faults(void **state) {
    (void)state;
    assert_true(fault_each_allocation(load_and_map, NULL) > 4);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_built_in),   cmocka_unit_test(test_vectors),
                                       cmocka_unit_test(test_confidence), cmocka_unit_test(test_bad_probability),
                                       cmocka_unit_test(test_refused),    cmocka_unit_test(test_weak),
                                       cmocka_unit_test(test_plain),      cmocka_unit_test(test_faults)};
    return cmocka_run_group_tests(tests, scratch_open, scratch_close);
}
