/* JSON: strict in, tidy out. */
#include <math.h>
#include "base/fault.h"
#include "base/json.h"

static BalStatus parse(const char *text, BalJson **out, BalError *err) {
    return bal_json_parse(out, text, strlen(text), "t.json", err);
}

static void test_read(void **state) {
    (void)state;
    BalError err;
    BalJson *root;
    assert_ok(parse("{\"z\":1,\"a\":[1.5,null,true,\"x\"],\"o\":{\"k\":-9007199254740993}}", &root, &err));
    const BalJson *a = bal_json_get(root, "a");
    assert_int_equal(bal_json_size(a), 4);
    assert_true(bal_json_real(bal_json_at(a, 0), 0) == 1.5);
    assert_int_equal(bal_json_type(bal_json_at(a, 1)), BAL_JSON_NULL);
    assert_true(bal_json_bool(bal_json_at(a, 2), false));
    assert_string_equal(bal_json_text(bal_json_at(a, 3), ""), "x");
    assert_null(bal_json_at(a, 4));
    assert_int_equal(bal_json_int(bal_json_get(bal_json_get(root, "o"), "k"), 0), -9007199254740993);
    assert_int_equal(bal_json_int(bal_json_get(root, "none"), 5), 5);
    assert_string_equal(bal_json_text(bal_json_get(root, "z"), "no"), "no");
    assert_true(bal_json_real(bal_json_get(root, "z"), 0) == 1);
    assert_int_equal(bal_json_size(bal_json_get(root, "z")), 0);
    assert_int_equal(bal_json_type(NULL), BAL_JSON_NULL);
    char order[8] = "";
    for (void *it = bal_json_first(root); it; it = bal_json_next(root, it)) strcat(order, bal_json_key(it));
    assert_string_equal(order, "zao");
    bal_json_free(&root);
    assert_null(root);
}

static void test_refuse(void **state) {
    (void)state;
    static const char *const bad[] = {
        "",         "{",     "{\"a\":1,\"a\":2}",   "[1,]",    "{\"a\":1} x", "\"\xff\"",
        "[1e999]",  "[nan]", "\"a\\u0000b\"",       "{'a':1}", "[01]",        "[\"\xed\xa0\x80\"]",
        "\"\x01\"", "[1 2]", "99999999999999999999"};
    BalError err;
    BalJson *root;
    for (size_t k = 0; k < sizeof bad / sizeof *bad; k++) {
        err.text[0] = '\0';
        assert_fails(parse(bad[k], &root, &err), BAL_E_FORMAT, "t.json: line 1");
    }
    assert_fails(parse("{\n\n\"a\":1,\n\"a\":2}", &root, &err), BAL_E_FORMAT, "line 4");
    char deep[10001]; /* an attack on the stack */
    memset(deep, '[', 10000);
    deep[10000] = '\0';
    assert_fails(parse(deep, &root, &err), BAL_E_FORMAT, "depth");
    assert_ok(bal_file_write(scratch("bom.json"), "\xEF\xBB\xBF{}", 5, &err));
    assert_ok(bal_json_load(&root, scratch("bom.json"), &err));
    bal_json_free(&root);
}

static void write_all(BalText *t, bool pretty) {
    BalJsonOut o = bal_json_out(t, pretty);
    bal_json_open(&o, NULL, '{');
    bal_json_add_text(&o, "s", "a\"\\\n\xc3\xa9\xff\x01");
    bal_json_add_text(&o, "none", NULL);
    bal_json_open(&o, "list", '[');
    bal_json_add_int(&o, NULL, INT64_MIN);
    bal_json_add_real(&o, NULL, 0.1);
    bal_json_add_real(&o, NULL, NAN);
    bal_json_add_real(&o, NULL, -0.0);
    bal_json_close(&o, ']');
    bal_json_open(&o, "empty", '{');
    bal_json_close(&o, '}');
    bal_json_add_bool(&o, "yes", true);
    bal_json_close(&o, '}');
}

static void test_write(void **state) {
    (void)state;
    BalError err;
    BalText t = {0};
    write_all(&t, false);
    assert_string_equal(
        t.data, "{\"s\":\"a\\\"\\\\\\n\xc3\xa9\xEF\xBF\xBD\\u0001\",\"none\":null,\"list\":[-9223372036854775808,0.1,"
                "null,-0.0],\"empty\":{},\"yes\":true}");
    BalJson *root;
    assert_ok(parse(t.data, &root, &err));
    bal_json_free(&root);
    bal_text_clear(&t);
    write_all(&t, true);
    assert_non_null(strstr(t.data, "{\n  \"s\": "));
    assert_non_null(strstr(t.data, "\n    0.1,\n"));
    assert_non_null(strstr(t.data, "\"empty\": {},"));
    assert_ok(parse(t.data, &root, &err));
    bal_json_free(&root);
    bal_text_reset(&t);
    bal_json_quote(&t, "\xC0\x80\xE0\x80\x80\xED\xA0\x80\xF4\x90\x80\x80\xF0\x9F\x98\x80\xE2");
    assert_ok(parse(t.data, &root, &err)); /* whatever came in, valid UTF-8 goes out */
    assert_non_null(strstr(bal_json_text(root, ""), "\xF0\x9F\x98\x80"));
    bal_json_free(&root);
    bal_text_reset(&t);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_read), cmocka_unit_test(test_refuse),
                                       cmocka_unit_test(test_write)};
    return cmocka_run_group_tests(tests, scratch_open, scratch_close);
}
