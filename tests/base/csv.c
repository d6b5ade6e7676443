/* CSV: one table of texts, separators and the rows they hold; then errors, quoting, and random tables there and back. */
#include "base/csv.h"
#include "base/fault.h"
#include "base/rng.h"

/* Rows as "[a|b][c]", quoted fields as "'a'"; "!" and the message where reading fails */
static void rows_of(BalText *t, const char *data, size_t n, char separator) {
    BalError err;
    BalCsv c;
    BalStatus rc;
    bal_csv_init(&c, data, n, separator, "t.csv");
    while ((rc = bal_csv_next(&c, &err)) == BAL_OK) {
        bal_text_char(t, '[');
        for (int i = 0; i < c.n_fields; i++) {
            const char *q = c.field[i].quoted ? "'" : "";
            bal_text_f(t, "%s%s%.*s%s", i ? "|" : "", q, (int)c.field[i].n, c.field[i].s, q);
        }
        bal_text_char(t, ']');
    }
    if (rc < 0)
        bal_text_f(t, "!%s", err.text);
    else
        assert_int_equal(rc, BAL_END);
    bal_csv_reset(&c);
}

static void test_table(void **state) {
    (void)state;
    static const struct {
        const char *text, *want;
        size_t n; /* 0: strlen */
        char separator;
    } row[] = {
        {"a,b\nc,d\n", "[a|b][c|d]", 0, ','},
        {"a,b\r\nc,d", "[a|b][c|d]", 0, ','},
        {"a,b\rc,d\r", "[a|b][c|d]", 0, ','},
        {"\xEF\xBB\xBFid\n1", "[id][1]", 0, ','},
        {"\n\r\na\n\n\nb\n\n", "[a][b]", 0, ','},
        {"", "", 0, ','},
        {"\n", "", 0, ','},
        {",", "[|]", 0, ','},
        {"a,,\n,", "[a||][|]", 0, ','},
        {"\"a,b\",c", "['a,b'|c]", 0, ','},
        {"\"a \"\"x\"\" b\",\"\"\"\"", "['a \"x\" b'|'\"']", 0, ','},
        {"\"\"\n", "['']", 0, ','},
        {"\"a\r\nb\"\r\nc", "['a\r\nb'][c]", 0, ','},
        {" \"a\" ,b", "[ \"a\" |b]", 0, ','},
        {"a\tb c\td", "[a|b c|d]", 0, '\t'},
        {"a;b,c\n", "[a|b,c]", 0, ';'},
        {"long field with \x01 control \x1f bytes in it,x", "[long field with \x01 control \x1f bytes in it|x]", 0,
         ','},
        {"-abc,-1\n", "[-abc|-1]", 0, ','},
        {"\xc3\xa9t\xc3\xa9,\xff\xfe\x80,\xac\xac", "[\xc3\xa9t\xc3\xa9|\xff\xfe\x80|\xac\xac]", 0, ','},
        {"a\n\"b", "[a]!t.csv: line 2: a quote is opened and never closed", 0, ','},
        {"\"a\nb\",c\n\"d", "['a\nb'|c]!t.csv: line 3: a quote is opened and never closed", 0, ','},
        {"\"a\"b", "!t.csv: line 1: text behind a closing quote (a quote inside quotes is doubled)", 0, ','},
        {"a\nb\0c", "[a]!t.csv: line 2: NUL byte", 5, ','},
        {"\"b\0c\"", "!t.csv: line 1: NUL byte", 5, ','},
        {"\"", "!t.csv: line 1: a quote is opened and never closed", 0, ','},
    };
    for (size_t k = 0; k < sizeof row / sizeof *row; k++) {
        /* in a block of exactly its size, so that the address sanitizer sees a step too far */
        size_t n = row[k].n ? row[k].n : strlen(row[k].text);
        char *copy = malloc(n ? n : 1);
        memcpy(copy, row[k].text, n);
        BalText t = {0};
        rows_of(&t, copy, n, row[k].separator);
        assert_string_equal(bal_text_str(&t), row[k].want);
        bal_text_reset(&t);
        free(copy);
    }
}

static void test_lines(void **state) {
    (void)state;
    BalError err;
    BalCsv c;
    static const char text[] = "a\n\n\"x\ny\"\nb\r\nc";
    static const int line[] = {1, 3, 5, 6};
    bal_csv_init(&c, text, sizeof text - 1, ',', "t.csv");
    for (int k = 0; k < 4; k++) {
        assert_ok(bal_csv_next(&c, &err));
        assert_int_equal(c.line, line[k]);
    }
    assert_true(bal_field_is(&c.field[0], "c") && !bal_field_is(&c.field[0], "cc") && !bal_field_is(&c.field[0], ""));
    bal_csv_reset(&c);
}

/* Random fields of the awkward bytes, written with bal_csv_quote, come back */
static void test_round_trip(void **state) {
    (void)state;
    static const char byte[] = "ab ,\"\r\n;\t\xc3\xa9";
    BalRng r = bal_rng(1, BAL_RNG_TEST, 0, 0);
    for (int k = 0; k < 3000; k++) {
        BalError err;
        BalText text = {0};
        char field[4][24];
        int n = 1 + (int)bal_rng_below(&r, 4);
        for (int i = 0; i < n; i++) {
            size_t len = bal_rng_below(&r, 20);
            for (size_t j = 0; j < len; j++) field[i][j] = byte[bal_rng_below(&r, sizeof byte - 1)];
            field[i][len] = '\0';
            if (i) bal_text_char(&text, ',');
            bal_csv_quote(&text, field[i]);
        }
        BalCsv c;
        bal_csv_init(&c, text.data, text.len, ',', "t.csv");
        BalStatus rc = bal_csv_next(&c, &err);
        if (n == 1 && !field[0][0]) {
            assert_int_equal(rc, BAL_END); /* one empty field is a blank line */
        } else {
            assert_int_equal(rc, BAL_OK);
            assert_int_equal(c.n_fields, n);
            for (int i = 0; i < n; i++) assert_true(bal_field_is(&c.field[i], field[i]));
        }
        bal_csv_reset(&c);
        bal_text_reset(&text);
    }
}

static BalStatus read_small(void *user, BalError *err) {
    static const char text[] = "a,b,c,d,e,f,g,h,i,j\n\"x\"\"y\",z\n";
    BalCsv c;
    BalStatus rc;
    (void)user;
    bal_csv_init(&c, text, sizeof text - 1, ',', "t.csv");
    while ((rc = bal_csv_next(&c, err)) == BAL_OK) {
    }
    bal_csv_reset(&c);
    return rc;
}

static void test_no_memory(void **state) {
    (void)state;
    assert_int_equal(fault_each_allocation(read_small, NULL), 3);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_table), cmocka_unit_test(test_lines),
                                       cmocka_unit_test(test_round_trip), cmocka_unit_test(test_no_memory)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
