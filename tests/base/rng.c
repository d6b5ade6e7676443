/* Philox against the known answers of its authors (Random123's kat_vectors, philox4x32 with 10 rounds), then the distributions. */
#include <math.h>
#include "base/check.h"
#include "base/rng.h"

static void expect(BalRng r, uint32_t a, uint32_t b, uint32_t c, uint32_t d) {
    assert_int_equal(bal_rng_u32(&r), a);
    assert_int_equal(bal_rng_u32(&r), b);
    assert_int_equal(bal_rng_u32(&r), c);
    assert_int_equal(bal_rng_u32(&r), d);
}

static void test_known(void **state) {
    (void)state;
    expect((BalRng){0}, 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8);
    expect((BalRng){.key = {~0u, ~0u}, .ctr = {~0u, ~0u, ~0u, ~0u}}, 0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd);
    expect((BalRng){.key = {0xa4093822, 0x299f31d0}, .ctr = {0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}},
           0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1);
}

static void test_streams(void **state) {
    (void)state;
    BalRng a = bal_rng(5, BAL_RNG_AUGMENT, 3, 1ull << 40), b = a;
    for (int i = 0; i < 9; i++) assert_int_equal(bal_rng_u32(&a), bal_rng_u32(&b));
    const BalRng other[] = {bal_rng(6, BAL_RNG_AUGMENT, 3, 1ull << 40), bal_rng(5, BAL_RNG_SHUFFLE, 3, 1ull << 40),
                            bal_rng(5, BAL_RNG_AUGMENT, 4, 1ull << 40), bal_rng(5, BAL_RNG_AUGMENT, 3, 1ull << 41),
                            bal_rng(5 | 1ull << 32, BAL_RNG_AUGMENT, 3, 1ull << 40)};
    for (size_t k = 0; k < sizeof other / sizeof *other; k++) {
        BalRng first = bal_rng(5, BAL_RNG_AUGMENT, 3, 1ull << 40), r = other[k];
        assert_int_not_equal(bal_rng_u32(&first), bal_rng_u32(&r));
    }
}

static void test_distributions(void **state) {
    (void)state;
    enum { N = 200000 };
    BalRng r = bal_rng(1, BAL_RNG_TEST, 0, 0);
    double sum = 0, square = 0;
    int bin[7] = {0};
    for (int i = 0; i < N; i++) {
        double z = bal_rng_normal(&r), u = bal_rng_uniform(&r);
        assert_true(isfinite(z) && u >= 0 && u < 1);
        sum += z;
        square += z * z;
        bin[bal_rng_below(&r, 7)]++;
    }
    assert_true(fabs(sum / N) < 0.01 && fabs(square / N - 1) < 0.015);
    for (int k = 0; k < 7; k++) assert_true(abs(bin[k] - N / 7) < 900); /* five standard deviations are 780 */
    assert_int_equal(bal_rng_below(&r, 1), 0);
    assert_true(bal_rng_below(&r, UINT64_MAX) < UINT64_MAX);
}

/* Against the same formula in double, from the words that another function draws; and in pieces as whole. */
static void test_normals(void **state) {
    (void)state;
    enum { N = 200002 };
    static float z[N], piece[N];
    BalRng whole = bal_rng(1, BAL_RNG_TEST, 2, 1ull << 33), words = whole, cut = whole;
    bal_rng_normals(&whole, z, N);
    double sum = 0, square = 0, fourth = 0, most = 0;
    for (int i = 0; i < N; i += 2) {
        const double u = ((bal_rng_u32(&words) >> 9) + 0.5) * 0x1p-23, turn = bal_rng_u32(&words) * 0x1p-32;
        const double radius = sqrt(-2 * log(u)), angle = 2 * 3.14159265358979323846 * turn;
        most = fmax(most, fmax(fabs(z[i] - radius * cos(angle)), fabs(z[i + 1] - radius * sin(angle))) / radius);
    }
    assert_true(most > 0 && most < 1e-6);
    for (int i = 0; i < N; i++) sum += z[i], square += z[i] * z[i], fourth += z[i] * z[i] * z[i] * z[i];
    assert_true(fabs(sum / N) < 0.01 && fabs(square / N - 1) < 0.015 && fabs(fourth / N - 3) < 0.1);
    for (int at = 0, n; at < N; at += n) {
        n = at % 3 ? 1028 : 36;
        bal_rng_normals(&cut, piece + at, n < N - at ? n : N - at);
    }
    assert_memory_equal(z, piece, sizeof z);
}

static void test_shuffle(void **state) {
    (void)state;
    int64_t x[100];
    int seen[100] = {0}, moved = 0;
    for (int i = 0; i < 100; i++) x[i] = i;
    BalRng r = bal_rng(1, BAL_RNG_SHUFFLE, 0, 0);
    bal_rng_shuffle(&r, x, 100);
    for (int i = 0; i < 100; i++) {
        seen[x[i]]++;
        moved += x[i] != i;
    }
    for (int i = 0; i < 100; i++) assert_int_equal(seen[i], 1);
    assert_true(moved > 90);
    bal_rng_shuffle(&r, x, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_known), cmocka_unit_test(test_streams),
                                       cmocka_unit_test(test_normals), cmocka_unit_test(test_distributions),
                                       cmocka_unit_test(test_shuffle)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
