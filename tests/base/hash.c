/* SHA-256 (FIPS 180-4 examples) and CRC-32 (the check value of "123456789"). */
#include "base/check.h"
#include "base/hash.h"

static void test_sha256(void **state) {
    (void)state;
    BalError err;
    char hex[65];
    bal_sha256_text("abc", 3, hex);
    assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    bal_sha256_text("", 0, hex);
    assert_string_equal(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    BalSha256 h;
    bal_sha256_init(&h);
    char block[1000];
    memset(block, 'a', sizeof block);
    for (int i = 0; i < 1000; i++) bal_sha256_add(&h, block, sizeof block);
    bal_sha256_hex(&h, hex);
    assert_string_equal(hex, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    bal_sha256_add(&h, "abc", 3); /* it starts anew */
    bal_sha256_hex(&h, hex);
    assert_memory_equal(hex, "ba7816bf", 8);
    assert_ok(bal_file_write(scratch("f"), "abc", 3, &err));
    assert_ok(bal_sha256_file(scratch("f"), hex, &err));
    assert_memory_equal(hex, "ba7816bf", 8);
    assert_fails(bal_sha256_file(scratch("none"), hex, &err), BAL_E_IO, "none");
}

static void test_crc32(void **state) {
    (void)state;
    assert_int_equal(bal_crc32(0, "123456789", 9), 0xCBF43926);
    assert_int_equal(bal_crc32(bal_crc32(0, "1234", 4), "56789", 5), 0xCBF43926);
    assert_int_equal(bal_crc32(0xCBF43926, NULL, 0), 0xCBF43926);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_sha256), cmocka_unit_test(test_crc32)};
    return cmocka_run_group_tests(tests, scratch_open, scratch_close);
}
