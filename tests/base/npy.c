/* .npy: the bytes NumPy writes, bad headers, half precision exhaustively. */
#include <math.h>
#include "base/fault.h"
#include "base/npy.h"

/* numpy.save of numpy.arange(6, dtype='<f4').reshape(2, 3), header only */
static const char numpy_header[] = "\x93NUMPY\x01\x00v\x00{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }";

static void test_header(void **state) {
    (void)state;
    BalError err;
    BalText t = {0};
    BalNpy h;
    bal_npy_header(&t, BAL_NPY_F32, (const int64_t[]){2, 3}, 2);
    assert_int_equal(t.len, 128);
    assert_memory_equal(t.data, numpy_header, sizeof numpy_header - 1);
    assert_int_equal(t.data[127], '\n');
    assert_fails(bal_npy_parse(&h, t.data, t.len, "x.npy", &err), BAL_E_FORMAT,
                 "needs 24 bytes of values, 0 are there");
    for (int i = 0; i < 24; i++) bal_text_char(&t, (char)i);
    assert_ok(bal_npy_parse(&h, t.data, t.len, "x.npy", &err));
    assert_true(h.type == BAL_NPY_F32 && h.rank == 2 && h.dim[0] == 2 && h.dim[1] == 3);
    assert_true(h.data_at == 128 && h.data_bytes == 24);
    for (size_t n = 0; n < t.len; n++) { /* cut anywhere, in a block of its own */
        char *cut = malloc(n ? n : 1);
        memcpy(cut, t.data, n);
        assert_int_equal(bal_npy_parse(&h, cut, n, "x.npy", &err), BAL_E_FORMAT);
        free(cut);
    }
    bal_text_reset(&t);
    static const struct {
        int rank;
        int64_t dim[8];
    } shape[] = {{0, {0}}, {1, {7}}, {1, {0}}, {5, {1, 2, 3, 1, 1}}, {8, {1, 1, 1, 1, 1, 1, 1, 2}}};
    for (size_t k = 0; k < sizeof shape / sizeof *shape; k++) {
        for (int type = BAL_NPY_U8; type <= BAL_NPY_F64; type++) {
            static const char data[128];
            assert_ok(bal_npy_write(scratch("a.npy"), (BalNpyType)type, shape[k].dim, shape[k].rank, data, &err));
            BalMap m;
            assert_ok(bal_map_open(&m, scratch("a.npy"), &err));
            assert_ok(bal_npy_parse(&h, m.data, m.size, "a.npy", &err));
            assert_int_equal(h.type, type);
            assert_int_equal(h.rank, shape[k].rank);
            assert_memory_equal(h.dim, shape[k].dim, sizeof(int64_t) * (size_t)h.rank);
            assert_int_equal(h.data_at + h.data_bytes, m.size);
            assert_int_equal(h.data_at % 64, 0);
            bal_map_close(&m);
        }
    }
}

/* Readers that heed the order of axes are told of it. */
static void test_any_order(void **state) {
    (void)state;
    BalError err;
    BalNpy h;
    char file[128] = "\x93NUMPY\x01\x00\x76\x00{'descr': '<i2', 'fortran_order': True, 'shape': (1,0)}";
    memset(file + strlen(file + 10) + 10, ' ', sizeof file - strlen(file + 10) - 10);
    assert_ok(bal_npy_parse_any_order(&h, file, sizeof file, "x.npy", &err));
    assert_true(h.fortran && h.type == BAL_NPY_I16 && h.rank == 2);
    assert_fails(bal_npy_parse(&h, file, sizeof file, "x.npy", &err), BAL_E_FORMAT, "Fortran order");
    file[6] = 4;
    assert_fails(bal_npy_parse_any_order(&h, file, sizeof file, "x.npy", &err), BAL_E_FORMAT, "version");
}

static BalStatus parse_dict(const char *dict, int version, BalNpy *h, BalError *err) {
    char file[512] = "\x93NUMPY";
    size_t n = strlen(dict), at = version == 1 ? 10 : 12;
    file[6] = (char)version;
    file[8] = (char)n;
    memcpy(file + at, dict, n);
    return bal_npy_parse(h, file, sizeof file, "x.npy", err);
}

static void test_dicts(void **state) {
    (void)state;
    BalError err;
    BalNpy h;
    assert_ok(parse_dict("{\"shape\":(3L,),\"fortran_order\":False,\"descr\":\"<i8\"}", 1, &h, &err));
    assert_true(h.type == BAL_NPY_I64 && h.rank == 1 && h.dim[0] == 3);
    assert_ok(parse_dict("{'descr': '|u1', 'fortran_order': False, 'shape': (2,2), }  \n", 2, &h, &err));
    assert_ok(parse_dict("{'descr': '|b1', 'fortran_order': False, 'shape': (), }", 3, &h, &err));
    assert_true(h.type == BAL_NPY_BOOL && h.rank == 0 && h.data_bytes == 1);
    static const struct {
        const char *dict, *part;
    } bad[] = {
        {"", "not a dict"},
        {"{}", "missing"},
        {"{'descr': '<f4', 'fortran_order': True, 'shape': (2,), }", "Fortran"},
        {"{'descr': '>f4', 'fortran_order': False, 'shape': (2,), }", "type >f4"},
        {"{'descr': '|O', 'fortran_order': False, 'shape': (2,), }", "type |O"},
        {"{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2,), }", "plain"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (-2,), }", "shape"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1,1), }", "shape"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (9223372036854775808,), }", "shape"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387904,4), }", "overflows"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000000,), }", "cut short"},
        {"{'descr': '<f4', 'descr': '<f8', 'fortran_order': False, 'shape': (2,), }", "doubled"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2,), 'x': 1}", "unknown"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2,), } x", "behind"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2,)", "not end"},
        {"{'descr': '<f4' 'fortran_order': False", "not end"},
    };
    for (size_t k = 0; k < sizeof bad / sizeof *bad; k++) {
        assert_fails(parse_dict(bad[k].dict, 1, &h, &err), BAL_E_FORMAT, bad[k].part);
        assert_non_null(strstr(err.text, "x.npy"));
    }
}

/* Half -> float -> half is the identity for all 65536; float -> half picks the nearer neighbour, ties to even */
static void test_half(void **state) {
    (void)state;
    assert_true(bal_f16_to_f32(0x3C00) == 1 && bal_f16_to_f32(0x0001) == 0x1p-24f && bal_f16_to_f32(0x7BFF) == 65504);
    assert_true(isinf(bal_f16_to_f32(0xFC00)) && isnan(bal_f16_to_f32(0x7C01)) && isnan(bal_f16_to_f32(0xFE00)));
    for (uint32_t h = 0; h < 65536; h++) {
        float f = bal_f16_to_f32((uint16_t)h);
        uint16_t back = bal_f32_to_f16(f);
        if (isnan(f))
            assert_true((back & 0x7C00) == 0x7C00 && (back & 0x3FF));
        else
            assert_int_equal(back, h);
        if ((h & 0x7FFF) >= 0x7BFF) continue;
        float next = bal_f16_to_f32((uint16_t)(h + 1)), middle = (f + next) / 2; /* exact in a float */
        uint16_t even = (uint16_t)(h & 1 ? h + 1 : h);
        assert_int_equal(bal_f32_to_f16(middle), even);
        assert_int_equal(bal_f32_to_f16(nextafterf(middle, f)), h);
        assert_int_equal(bal_f32_to_f16(nextafterf(middle, next)), h + 1);
    }
    assert_int_equal(bal_f32_to_f16(65519.996f), 0x7BFF);
    assert_int_equal(bal_f32_to_f16(65520), 0x7C00);
    assert_int_equal(bal_f32_to_f16(-1e30f), 0xFC00);
    assert_int_equal(bal_f32_to_f16(0x1p-25f), 0);
    assert_int_equal(bal_f32_to_f16(0x1.8p-25f), 1);
    assert_int_equal(bal_f32_to_f16(-0.0f), 0x8000);
    uint16_t h[3];
    float f[3] = {1, -2, 0.5f}, g[3];
    bal_f32_to_f16_n(h, f, 3);
    bal_f16_to_f32_n(g, h, 3);
    assert_memory_equal(f, g, sizeof f);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_header), cmocka_unit_test(test_dicts),
                                       cmocka_unit_test(test_any_order), cmocka_unit_test(test_half)};
    return cmocka_run_group_tests(tests, scratch_open, scratch_close);
}
