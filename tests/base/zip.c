/* Zip archives: good ones, and each field of their headers spoilt. */
#include "base/zip_make.h"
#include "base/fault.h"
#include "base/zip.h"

/* zlib.compress(b"x" * 1000, wbits=-15) */
static const unsigned char xs[] = {0xab, 0xa8, 0x18, 0x05, 0xa3, 0x60, 0x14, 0x0c, 0x77, 0x00, 0x00};
enum { N_XS = 1000 };
static char plain_xs[N_XS];

/* Two members; *directory is where the entries of 46 bytes and a name lie. */
static BalText two(size_t *directory) {
    ZipMake z = {0};
    memset(plain_xs, 'x', N_XS);
    zip_store(&z, "top/b", "hello", 5);
    zip_add(&z, "a", 8, xs, sizeof xs, N_XS, bal_crc32(0, plain_xs, N_XS));
    *directory = zip_end(&z);
    return z.file;
}

static void reads_members(void **state) {
    (void)state;
    BalError err = {0};
    BalZip z;
    size_t at;
    char out[N_XS];
    BalText t = two(&at);
    assert_ok(bal_zip_open(&z, t.data, t.len, "t.zip", &err));
    assert_int_equal(z.n, 2);
    assert_string_equal(z.member[z.first].name, "top/b");
    assert_null(bal_zip_find(&z, "c"));
    const BalZipMember *a = bal_zip_find(&z, "a"), *b = bal_zip_find(&z, "top/b");
    assert_true(a->deflated && a->bytes == N_XS && a->stored_bytes == sizeof xs);
    assert_ok(bal_zip_extract(a, out, "t.zip", &err));
    assert_memory_equal(out, plain_xs, N_XS);
    assert_ok(bal_zip_extract(b, NULL, "t.zip", &err));
    assert_ok(bal_zip_extract(b, out, "t.zip", &err));
    assert_memory_equal(out, "hello", 5);
    bal_zip_close(&z);
    bal_text_reset(&t);
    ZipMake none = {0};
    zip_end(&none);
    assert_ok(bal_zip_open(&z, none.file.data, none.file.len, "t.zip", &err));
    assert_null(bal_zip_find(&z, ""));
    bal_zip_close(&z);
    bal_text_reset(&none.file);
}

/* One field of the archive overwritten: `bytes` of `value` at `at`, counted from the first entry, or from the end record if negative */
static void spoilt_fields(void **state) {
    (void)state;
    enum { SECOND = 51 }; /* entry of "a", behind that of "top/b" */
    static const struct {
        int at, bytes;
        uint64_t value;
        const char *says;
    } spoil[] = {
        {0, 4, 0, "fewer entries"},
        {8, 2, 1, "is encrypted"},
        {8, 2, 0x40, "is encrypted"},
        {10, 2, 12, "method other than deflate"},
        {10, 2, 8, "does not unpack"},
        {16, 4, 1, "does not match its checksum"},
        {20, 4, 6, "two sizes"},
        {24, 4, 4, "two sizes"},
        {28, 2, 4, "another name in its own header"},
        {28, 2, 600, "directory is cut short"},
        {30, 2, 65000, "directory is cut short"},
        {34, 2, 1, "several disks"},
        {42, 4, 1, "does not lie where"},
        {42, 4, 0x7FFFFFFF, "does not lie where"},
        {46, 1, '/', "name is not acceptable"},
        {46, 1, '\\', "name is not acceptable"},
        {46, 1, 0, "name is not acceptable"},
        {46, 1, 0xFF, "not UTF-8"},
        {46, 3, 0x2F2E2E, "name is not acceptable"}, /* "../" */
        {46, 1, 'T', "another name in its own header"},
        {SECOND + 20, 4, 0, "does not unpack"},
        {SECOND + 20, 4, 8, "does not unpack"},
        {SECOND + 20, 4, 100000, "runs into the directory"},
        {SECOND + 24, 4, 999, "does not unpack"},
        {SECOND + 24, 4, 1001, "does not unpack"},
        {SECOND + 24, 4, 0x7FFFFFFF, "more bytes than deflate"},
        {SECOND + 42, 4, 0, "another name in its own header"},
        {-22, 4, 0, "its end is missing"},
        {-18, 2, 1, "several disks"},
        {-12, 2, 1, "several disks"},
        {-14, 4, 0x00010001, "more entries"},
        {-14, 4, 0x00030003, "fewer entries"},
        {-10, 4, 1, "before its end"},
        {-6, 4, 1, "before its end"},
        {-6, 4, 0x7FFFFFFF, "before its end"},
        {-2, 2, 1, "bytes follow its end"},
    };
    for (size_t k = 0; k < sizeof spoil / sizeof *spoil; k++) {
        BalError err = {0};
        BalZip z;
        size_t directory;
        char out[N_XS + 8];
        BalText t = two(&directory);
        const size_t at = spoil[k].at < 0 ? t.len - (size_t)-spoil[k].at : directory + (size_t)spoil[k].at;
        for (int i = 0; i < spoil[k].bytes; i++) t.data[at + (size_t)i] = (char)(spoil[k].value >> 8 * i);
        BalStatus rc = bal_zip_open(&z, t.data, t.len, "t.zip", &err);
        if (rc >= 0) {
            for (size_t i = 0; rc >= 0 && i < z.n; i++) {
                assert_true(z.member[i].bytes <= sizeof out);
                rc = bal_zip_extract(&z.member[i], out, "t.zip", &err);
            }
            bal_zip_close(&z);
        }
        if (rc != BAL_E_FORMAT || !strstr(err.text, spoil[k].says) || !strstr(err.text, "t.zip"))
            fail_msg("case %zu: '%s' instead of '%s'", k, err.text, spoil[k].says);
        bal_text_reset(&t);
    }
}

static void refuse(ZipMake *z, const char *says) {
    BalError err = {0};
    BalZip out;
    assert_fails(bal_zip_open(&out, z->file.data, z->file.len, "t.zip", &err), BAL_E_FORMAT, says);
    bal_text_reset(&z->file);
}

static void tricks(void **state) {
    (void)state;
    ZipMake z = {0};
    zip_store(&z, "same", "1", 1), zip_store(&z, "same", "2", 1);
    zip_end(&z);
    refuse(&z, "two members \"same\"");

    z = (ZipMake){0}; /* both entries point to the first member */
    zip_store(&z, "m", "1", 1), zip_store(&z, "m", "1", 1);
    const size_t at = zip_end(&z);
    memset(z.file.data + at + 47 + 42, 0, 4);
    refuse(&z, "overlap");

    z = (ZipMake){0}; /* a second end in the comment of the first */
    zip_store(&z, "m", "1", 1);
    zip_end(&z);
    const size_t end = z.file.len - 22;
    char copy[22];
    memcpy(copy, z.file.data + end, 22);
    bal_text_add_n(&z.file, copy, 22);
    z.file.data[end + 20] = 22;
    refuse(&z, "two ends");

    z = (ZipMake){0};
    bal_text_add(&z.file,
                 "bytes before"); /* as of programs that unpack themselves: offsets count from the file's first byte */
    zip_store(&z, "m", "1", 1);
    zip_end(&z);
    BalError err = {0};
    BalZip out;
    assert_ok(bal_zip_open(&out, z.file.data, z.file.len, "t.zip", &err));
    bal_zip_close(&out);
    bal_text_reset(&z.file);

    char name[514];
    memset(name, 'n', 513);
    name[513] = '\0';
    z = (ZipMake){0};
    zip_store(&z, name, "1", 1);
    zip_end(&z);
    refuse(&z, "name is not acceptable");
}

/* ZIP64: sizes in an extra field, the end in a record of its own. */
static BalText big(uint64_t bytes, uint64_t record_at_delta) {
    BalText t = {0};
    bal_text_add(&t, "PK\3\4");
    zip_facts(&t, 0, bal_crc32(0, "data", 4), 0, 0, 1);
    bal_text_add(&t, "mdata");
    const size_t directory = t.len;
    bal_text_add(&t, "PK\1\2");
    zip_little(&t, 45, 2);
    zip_facts(&t, 0, bal_crc32(0, "data", 4), 0xFFFFFFFF, 0xFFFFFFFF, 1);
    memcpy(t.data + directory + 30, "\x1c\0", 2);
    zip_little(&t, 0, 10), zip_little(&t, 0xFFFFFFFF, 4);
    bal_text_add(&t, "m");
    zip_little(&t, 1, 2), zip_little(&t, 24, 2), zip_little(&t, bytes, 8), zip_little(&t, 4, 8), zip_little(&t, 0, 8);
    const size_t record = t.len;
    bal_text_add(&t, "PK\6\6");
    zip_little(&t, 44, 8), zip_little(&t, 45, 2), zip_little(&t, 45, 2), zip_little(&t, 0, 8);
    zip_little(&t, 1, 8), zip_little(&t, 1, 8), zip_little(&t, record - directory, 8), zip_little(&t, directory, 8);
    bal_text_add(&t, "PK\6\7");
    zip_little(&t, 0, 4), zip_little(&t, record + record_at_delta, 8), zip_little(&t, 1, 4);
    bal_text_add(&t, "PK\5\6");
    zip_little(&t, 0, 4), zip_little(&t, 0xFFFFFFFF, 4), zip_little(&t, 0xFFFFFFFF, 4), zip_little(&t, 0xFFFFFFFF, 4);
    zip_little(&t, 0, 2);
    return t;
}

static void zip64(void **state) {
    (void)state;
    BalError err = {0};
    BalZip z;
    BalText t = big(4, 0);
    assert_ok(bal_zip_open(&z, t.data, t.len, "t.zip", &err));
    assert_int_equal(z.member[0].bytes, 4);
    assert_ok(bal_zip_extract(&z.member[0], NULL, "t.zip", &err));
    bal_zip_close(&z);
    for (size_t n = 0; n < t.len; n++) { /* cut anywhere, in a block of its own */
        char *cut = malloc(n ? n : 1);
        memcpy(cut, t.data, n);
        assert_int_equal(bal_zip_open(&z, cut, n, "t.zip", &err), BAL_E_FORMAT);
        free(cut);
    }
    bal_text_reset(&t);
    t = big(UINT64_MAX, 0);
    assert_fails(bal_zip_open(&z, t.data, t.len, "t.zip", &err), BAL_E_FORMAT, "two sizes");
    bal_text_reset(&t);
    t = big(4, 1);
    assert_fails(bal_zip_open(&z, t.data, t.len, "t.zip", &err), BAL_E_FORMAT, "ZIP64 record is not where");
    bal_text_reset(&t);
}

static BalStatus open_and_extract(void *user, BalError *err) {
    const BalText *t = user;
    char out[N_XS];
    BalZip z;
    BAL_TRY(bal_zip_open(&z, t->data, t->len, "t.zip", err));
    BalStatus rc = bal_zip_extract(bal_zip_find(&z, "a"), out, "t.zip", err);
    bal_zip_close(&z);
    return rc;
}

static void memory_runs_out(void **state) {
    (void)state;
    size_t at;
    BalText t = two(&at);
    assert_true(fault_each_allocation(open_and_extract, &t) > 3);
    bal_text_reset(&t);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(reads_members), cmocka_unit_test(spoilt_fields),
                                       cmocka_unit_test(tricks), cmocka_unit_test(zip64),
                                       cmocka_unit_test(memory_runs_out)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
