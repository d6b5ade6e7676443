/* Text, numbers as text, errors as text. */
#include <float.h>
#include <math.h>
#include "base/check.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/text.h"

static void test_error(void **state) {
    (void)state;
    BalError err = {0};
    assert_int_equal(BAL_FAIL(&err, BAL_E_IO, "%s: bad\nline", "a"), BAL_E_IO);
    assert_string_equal(err.text, "a: bad line");
    assert_non_null(strstr(err.file, "text.c"));
    assert_int_equal(bal_error_add(&err, BAL_E_IO, "while %s", "testing"), BAL_E_IO);
    assert_string_equal(err.text, "a: bad line: while testing");
    assert_int_equal(BAL_FAIL(NULL, BAL_E_ARG, "x"), BAL_E_ARG);
    BAL_FAIL(&err, BAL_E_FORMAT, "\x89PNG \xc3\xa4 \xe2\x82 \xed\xa0\x80");
    assert_string_equal(err.text, "?PNG \xc3\xa4 ?? ???");

    char longer[1000];
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    BAL_FAIL(&err, BAL_E_ARG, "%s", longer);
    assert_int_equal(strlen(err.text), sizeof err.text - 1);
    assert_string_equal(err.text + sizeof err.text - 5, "x...");
    bal_error_add(&err, BAL_E_ARG, "no room");
    assert_int_equal(strlen(err.text), sizeof err.text - 1);
    for (int s = 1; s >= BAL_E_EXISTS; s--) assert_string_not_equal(bal_status_name((BalStatus)s), "BAL_E_?");
}

static void test_text(void **state) {
    (void)state;
    BalError err;
    BalText t = {0};
    assert_string_equal(bal_text_str(&t), "");
    for (int i = 0; i < 1000; i++) bal_text_f(&t, "%d,", i);
    assert_ok(bal_text_ok(&t, &err));
    assert_int_equal(t.len, strlen(t.data));
    assert_int_equal(t.len, 10 * 2 + 90 * 3 + 900 * 4);
    bal_text_clear(&t);
    bal_mem_fail_at(1);
    while (!t.failed) bal_text_add(&t, "0123456789");
    bal_mem_fail_at(0);
    size_t len = t.len;
    bal_text_add(&t, "more");
    assert_int_equal(t.len, len);
    assert_fails(bal_text_ok(&t, &err), BAL_E_NOMEM, "memory");
    bal_text_reset(&t);
    bal_path_join(&t, "", "a");
    bal_path_join(&t, "/d/", "b");
    bal_path_join(&t, "d", "/abs");
    bal_path_join(&t, "d", "c");
    assert_string_equal(t.data, "a/d/b/absd/c");
    bal_text_reset(&t);
}

static void test_between(void **state) {
    (void)state;
    static const struct {
        const char *here, *there, *want;
    } path[] = {{"/b", "/b", ""},
                {"/b", "/b/c/d", "c/d"},
                {"/b/x", "/b", ".."},
                {"/b/x", "/b/c/d", "../c/d"},
                {"/b/x/y", "/b", "/b"},
                {"/a", "/b", "/b"},
                {"/b", "/bc", "/bc"},
                {"/b/cat", "/b/car", "../car"},
                {"/b/ca", "/b/car", "../car"},
                {"/b/car", "/b/ca", "../ca"},
                {"/b/car/x", "/b/cat/x", "/b/cat/x"}};
    for (size_t i = 0; i < sizeof path / sizeof *path; i++) {
        BalText t = {0};
        bal_path_between(&t, path[i].here, path[i].there);
        assert_string_equal(bal_text_str(&t), path[i].want);
        bal_text_reset(&t);
    }
}

static void expect_real(double v, const char *want) {
    BalText t = {0};
    bal_text_real(&t, v);
    assert_string_equal(bal_text_str(&t), want);
    bal_text_reset(&t);
}

static void test_shortest(void **state) {
    (void)state;
    expect_real(0.1, "0.1");
    expect_real(1e-7, "1e-07");
    expect_real(1.0 / 3, "0.3333333333333333");
    expect_real(5e-324, "4.94065645841247e-324");
    expect_real(-0.0, "-0");
    expect_real(NAN, "nan");
    expect_real(-INFINITY, "-inf");
    BalRng r = bal_rng(1, BAL_RNG_TEST, 0, 0);
    BalText t = {0};
    for (int i = 0; i < 20000; i++) {
        uint64_t bits = (uint64_t)bal_rng_u32(&r) << 32 | bal_rng_u32(&r);
        double v, back;
        memcpy(&v, &bits, sizeof v);
        if (!isfinite(v)) continue;
        bal_text_clear(&t);
        bal_text_real(&t, v);
        assert_true(bal_parse_real(t.data, &back));
        assert_memory_equal(&v, &back, sizeof v);
        float f = (float)bal_rng_normal(&r);
        bal_text_clear(&t);
        bal_text_float(&t, f);
        assert_true(strtof(t.data, NULL) == f);
        assert_true(t.len <= 15);
    }
    bal_text_clear(&t);
    bal_text_float(&t, 0.1f);
    assert_string_equal(t.data, "0.1");
    bal_text_reset(&t);
}

static void test_parse(void **state) {
    (void)state;
    int64_t i = 7;
    double d = 7;
    static const char *const bad_int[] = {"", " 1", "1 ", "-", "1.0", "0x10", "9223372036854775808", "1e3", "--1"};
    for (size_t k = 0; k < sizeof bad_int / sizeof *bad_int; k++) assert_false(bal_parse_i64(bad_int[k], &i));
    assert_int_equal(i, 7);
    assert_true(bal_parse_i64("-9223372036854775808", &i) && i == INT64_MIN);
    assert_true(bal_parse_i64("+12", &i) && i == 12);
    static const char *const bad_real[] = {"",      " 1", "1 ",    ".",      "-",     "1,5",
                                           "0x1p3", "1e", "1e999", "nan(1)", "1.2.3", "infx"};
    for (size_t k = 0; k < sizeof bad_real / sizeof *bad_real; k++) assert_false(bal_parse_real(bad_real[k], &d));
    assert_true(d == 7);
    assert_true(bal_parse_real("NaN", &d) && isnan(d));
    assert_true(bal_parse_real("-inf", &d) && isinf(d) && d < 0);
    assert_true(bal_parse_real(".5", &d) && d == 0.5);
    assert_true(bal_parse_real("5.", &d) && d == 5);
    assert_true(bal_parse_real("1.7976931348623157e308", &d) && d == DBL_MAX);
    assert_true(bal_parse_real("0.30000000000000004", &d) && d == 0.1 + 0.2);
    assert_true(bal_parse_real_n("0.25,x", 4, &d) && d == 0.25);
    assert_false(bal_parse_real_n("1\0002", 3, &d));

    /* the fast path against strtod */
    BalRng r = bal_rng(2, BAL_RNG_TEST, 0, 0);
    for (int k = 0; k < 50000; k++) {
        char s[40];
        snprintf(s, sizeof s, "%.*f", (int)bal_rng_below(&r, 21), bal_rng_normal(&r));
        assert_true(bal_parse_real(s, &d));
        assert_true(d == strtod(s, NULL));
    }
}

static void test_names(void **state) {
    (void)state;
    static const char *const name[] = {"train.lr", "train.momentum", "audio.hop"};
    assert_string_equal(bal_closest("train.ls", name, 3), "train.lr");
    assert_string_equal(bal_closest("train.momentun", name, 3), "train.momentum");
    assert_null(bal_closest("video.size", name, 3));
    assert_null(bal_closest("", name, 3));
    assert_true(bal_has_prefix("abc", "ab") && !bal_has_prefix("a", "ab"));
    assert_true(bal_has_suffix("abc", "bc") && !bal_has_suffix("c", "bc"));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_error),   cmocka_unit_test(test_text),
                                       cmocka_unit_test(test_between), cmocka_unit_test(test_shortest),
                                       cmocka_unit_test(test_parse),   cmocka_unit_test(test_names)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
