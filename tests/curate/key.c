/* Keys and bins against numbers worked out by another implementation (Python), from the project's vectors. */
#include "curate/key.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

static void test_keys(void **state) {
    (void)state;
    static const struct {
        const char *id;
        uint64_t seed0, seed1;
    } want[] = {{"M_3Mk2nMydQ_30", 0xf60e9a9adb2db689u, 0x53cce7237cc58deau},
                {"1oR8FSr-eyw_000184_000194", 0x1d54f7e919c77214u, 0x154f5acc3b303072u},
                {"a9nPldzIq-k_20", 0x7b43f0dd0c0bba26u, 0xea6b4e990ab7cfd3u},
                {"pHT6uU1-7FY", 0xaee96de0ca3f42acu, 0xd6a49316e726b63bu},
                {"yWfzoGN7c0I_0", 0x69760ad189fe44d4u, 0xbd43118034a734f7u},
                {"local:sha256:0011#0", 0x3937f548e969b63au, 0x96099ade75a03185u}};
    for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
        assert_int_equal(bal_key64(want[i].id, strlen(want[i].id), 0), want[i].seed0);
        assert_int_equal(bal_key64(want[i].id, strlen(want[i].id), 1), want[i].seed1);
    }
}

static void test_bins(void **state) {
    (void)state;
    static const struct {
        double u_audio, u_visual;
        unsigned parity;
        int bin;
    } want[] = {{1, 0, 0, 19},      {0, 1, 0, 0},           {0.5, 0.5, 0, 9},      {0.5, 0.5, 1, 10},
                {0.6, 0.5, 0, 10},  {0.600001, 0.5, 0, 11}, {0.5, 0.6, 0, 9},      {0.5, 0.600001, 0, 8},
                {0.7, 0.5, 0, 11},  {0.3, 0.1, 0, 11},      {0.30001, 0.1, 0, 12}, {0.05, 0.04, 0, 10},
                {0.04, 0.05, 0, 9}, {0.9, 0.1, 1, 17}};
    for (size_t i = 0; i < sizeof want / sizeof *want; i++)
        assert_int_equal(
            bal_bin_of_d(bal_quantise(want[i].u_audio), bal_quantise(want[i].u_visual), 20, want[i].parity),
            want[i].bin);
}

/* Whatever is heard as much better as it is seen worse lies in the bin mirrored. */
static void test_bins_mirror(void **state) {
    (void)state;
    for (int n_bins = 2; n_bins <= 40; n_bins += 2)
        for (int32_t a = 0; a <= BAL_Q_ONE; a += 4999)
            for (int32_t v = 0; v < a; v += 7919)
                assert_int_equal(bal_bin_of_d(a, v, n_bins, 0), n_bins - 1 - bal_bin_of_d(v, a, n_bins, 1));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_keys), cmocka_unit_test(test_bins),
                                       cmocka_unit_test(test_bins_mirror)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
