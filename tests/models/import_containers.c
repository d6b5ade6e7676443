/* What is around the pickles and arrays of a checkpoint: names, archives, the older files of PyTorch part by part, names of Caffe2. */
#include <float.h>
#include <unistd.h>
#include "models/import_make.h"
#include "models/import_values.h"

static const float seven[7] = {0, 1, 2, 3, 4, 5, 6};
#define WHOLE "K\0K\6\x85K\1\x85" /* all six floats */

#define W_TWICE  PROTO "}(X\1\0\0\0w" TENSOR FLOATS WHOLE REST "X\1\0\0\0w" TENSOR FLOATS WHOLE REST "u."
#define BAD_NAME PROTO "}X\2\0\0\0\x1bw" TENSOR FLOATS WHOLE REST "s."
#define NO_UTF8  PROTO "}X\2\0\0\0\xc3w" TENSOR FLOATS WHOLE REST "s."
#define NO_NAME  PROTO "}X\0\0\0\0" TENSOR FLOATS WHOLE REST "s."
#define NUMBER   PROTO "}K\1" TENSOR FLOATS WHOLE REST "s."
#define METADATA PROTO "}X\x0c\0\0\0__metadata__" TENSOR FLOATS WHOLE REST "s."

static void names(void **state) {
    (void)state;
    refuse_zip("twice", W_TWICE, sizeof W_TWICE - 1, seven, 24, "\"w\" is there twice");
    refuse_zip("escape", BAD_NAME, sizeof BAD_NAME - 1, seven, 24, "not printable UTF-8");
    refuse_zip("no UTF-8", NO_UTF8, sizeof NO_UTF8 - 1, seven, 24, "not printable UTF-8");
    refuse_zip("no name", NO_NAME, sizeof NO_NAME - 1, seven, 24, "name has 0 bytes");
    refuse_zip("number", NUMBER, sizeof NUMBER - 1, seven, 24, "whose name is no text");
    refuse_zip("metadata", METADATA, sizeof METADATA - 1, seven, 24, "keeps for itself");
}

/* ---- archives ---- */
static void refuse_archive(ZipMake *z, const char *says) {
    zip_end(z);
    refuse_bytes(says, z->file.data, z->file.len, says);
    bal_text_reset(&z->file);
}

static void archives(void **state) {
    (void)state;
    static const char w[] = NAMED(WHOLE);
    ZipMake z = {0};
    zip_store(&z, "top/data.pkl", w, sizeof w - 1), zip_store(&z, "top/data/0", seven, 24);
    zip_store(&z, "top/byteorder", "biggie", 6);
    refuse_archive(&z, "little-endian machine");
    z = (ZipMake){0};
    zip_store(&z, "top/data.pkl", w, sizeof w - 1), zip_store(&z, "top/data/1", seven, 24);
    refuse_archive(&z, "storage \"0\" is not in the archive");
    z = (ZipMake){0};
    zip_store(&z, "other/data/0", seven, 24), zip_store(&z, "top/data.pkl", w, sizeof w - 1);
    refuse_archive(&z, "other/data.pkl is missing");
    z = (ZipMake){0};
    zip_store(&z, "top/data.pkl", w, sizeof w - 1), zip_store(&z, "top/code/x.py", "", 0);
    refuse_archive(&z, "TorchScript");
    z = (ZipMake){0};
    zip_store(&z, "top/data.pkl", w, sizeof w - 1), zip_store(&z, "top/constants.pkl", "", 0);
    refuse_archive(&z, "TorchScript");
    z = (ZipMake){0};
    zip_store(&z, "readme.txt", "hello", 5);
    refuse_archive(&z, "neither PyTorch's data.pkl nor .npy");

    char npy[130] = "\x93NUMPY\x01\x00\x76\x00{'descr': '<i2', 'fortran_order': False, 'shape': ()}";
    memset(npy + 10 + strlen(npy + 10), ' ', 118 - strlen(npy + 10));
    z = (ZipMake){0};
    zip_store(&z, "a.npy", npy, 130), zip_store(&z, "b.txt", "", 0);
    zip_end(&z);
    BalError err = {0};
    BalImport *v = NULL;
    assert_ok(bal_import_parse(&v, z.file.data, z.file.len, "w.npz", &err));
    assert_int_equal(bal_import_ignored(v), 1);
    bal_import_close(&v);
    bal_text_reset(&z.file);
    z = (ZipMake){0};
    zip_store(&z, "a.npy", npy, 129);
    refuse_archive(&z, "cut short");
    memset(npy + 118, ' ', 11);
    memcpy(npy + 8, "\x75\0", 2); /* the header is shorter by one */
    z = (ZipMake){0};
    zip_store(&z, "a.npy", npy, 130);
    refuse_archive(&z, "bytes follow its values");
}

static void other_kinds(void **state) {
    (void)state;
    char tar[600] = "name", tf[64] = "\n\n";
    memcpy(tar + 257, "ustar", 5);
    memcpy(tf + 56, "\x57\xfb\x80\x8b\x24\x75\x47\xdb", 8);
    refuse_bytes("tar", tar, sizeof tar, "before 0.1.10");
    refuse_bytes("TensorFlow", tf, sizeof tf, "TensorFlow");
    refuse_bytes("script", "PYTORCH1........", 16, "TorchScript");
    refuse_bytes("HDF5", "\x89HDF\r\n\x1a\n........", 16, "HDF5");
    refuse_bytes("npy", "\x93NUMPY\1\0", 8, "numpy.savez(file, name=array)");
    refuse_bytes("text", "hello", 5, "no checkpoint of a known kind");
    refuse_bytes("nothing", "", 0, "no checkpoint of a known kind");
    refuse_bytes("protocol 5", "\x80\5}.", 4, "write it with protocol=2");
}

/* ---- before 1.6 ---- */
#define MAGIC   PROTO "\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19."
#define VERSION PROTO "M\xe9\3."
#define MACHINE PROTO "}X\x0d\0\0\0little_endian\x88s."
#define OBJECT  NAMED(WHOLE)
#define KEYS                                                                                                           \
    PROTO "]X\1\0\0\0"                                                                                                 \
          "0a."
#define SIX                                                                                                            \
    "\6\0\0\0\0\0\0\0"                                                                                                 \
    "111122223333444455556666"
#define PERSID(type, key, count, view) "((X\x07\0\0\0storagectorch\n" type "Storage\nX\1\0\0\0" key "NK" count view "tQ"
#define TWO(second)                                                                                                    \
    PROTO "}(X\1\0\0\0v" TENSOR PERSID("Float", "0", "\6", "") WHOLE REST "X\1\0\0\0w" TENSOR second WHOLE REST "u."

static void older_files(void **state) {
    (void)state;
    static const struct {
        const char *file;
        size_t n;
        const char *says; /* NULL: it is good */
    } cases[] = {
#define CASE(says, file) {file, sizeof(file) - 1, says}
        CASE(NULL, MAGIC VERSION MACHINE OBJECT KEYS SIX),
        CASE("protocol is not 1001", MAGIC PROTO "M\xe8\3." MACHINE OBJECT KEYS SIX),
        CASE("little-endian machine", MAGIC VERSION PROTO "}X\x0d\0\0\0little_endian\x89s." OBJECT KEYS SIX),
        CASE("little-endian machine", MAGIC VERSION PROTO "}." OBJECT KEYS SIX),
        CASE("list of its storages is missing", MAGIC VERSION MACHINE OBJECT PROTO "}." SIX),
        CASE("key is no text", MAGIC VERSION MACHINE OBJECT PROTO "]K\0a." SIX),
        CASE("no tensor names", MAGIC VERSION MACHINE OBJECT PROTO "]X\1\0\0\0"
                                                                   "1a." SIX),
        CASE("\"0\" is not in the file", MAGIC VERSION MACHINE OBJECT PROTO "]."),
        CASE("\"0\" is listed twice", MAGIC VERSION MACHINE OBJECT PROTO "](X\1\0\0\0"
                                                                         "0X\1\0\0\0"
                                                                         "0e." SIX SIX),
        CASE("another size than the file says", MAGIC VERSION MACHINE OBJECT KEYS "\7\0\0\0\0\0\0\0"
                                                                                  "1111222233334444555566667777"),
        CASE("is missing: is the file complete?", MAGIC VERSION MACHINE OBJECT KEYS "\6\0\0"),
        CASE("is cut short: is the file complete?", MAGIC VERSION MACHINE OBJECT KEYS "\6\0\0\0\0\0\0\0"
                                                                                      "1111"),
        CASE("bytes follow its last storage", MAGIC VERSION MACHINE OBJECT KEYS SIX "x"),
        CASE("with two types or sizes", MAGIC VERSION MACHINE TWO(PERSID("Int", "0", "\6", "")) KEYS SIX),
        CASE("with two types or sizes", MAGIC VERSION MACHINE TWO(PERSID("Float", "0", "\5", "")) KEYS SIX),
        CASE("reaches beyond its values",
             MAGIC VERSION MACHINE TWO(PERSID("Float", "0", "\6", "(X\1\0\0\0vK\1K\5t")) KEYS SIX),
        CASE("leaves its storage",
             MAGIC VERSION MACHINE TWO(PERSID("Float", "0", "\6", "(X\1\0\0\0vK\1K\6t")) KEYS SIX),
        CASE(NULL, MAGIC VERSION MACHINE TWO(PERSID("Float", "0", "\6", "N")) KEYS SIX),
        CASE(NULL, MAGIC VERSION MACHINE TWO(PERSID("Float", "0", "\6", "(X\1\0\0\0vK\0K\6t")) KEYS SIX),
        CASE(NULL,
             MAGIC VERSION MACHINE PROTO "}X\1\0\0\0wctorch._utils\n_rebuild_tensor\n" FLOATS WHOLE "tRs." KEYS SIX),
        CASE("tensor without a storage",
             MAGIC VERSION MACHINE PROTO "}X\1\0\0\0wctorch._utils\n_rebuild_tensor\n" FLOATS WHOLE "NtRs." KEYS SIX),
#undef CASE
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        BalError err = {0};
        BalImport *w = NULL;
        if (cases[i].says) {
            refuse_bytes(cases[i].says, cases[i].file, cases[i].n, cases[i].says);
            continue;
        }
        assert_ok(bal_import_parse(&w, cases[i].file, cases[i].n, "w.pth", &err));
        bal_import_close(&w);
    }
}

/* Twenty names for one storage of 256 MiB, which is a hole in the file: 5 GiB to write. */
static void views_add_up(void **state) {
    (void)state;
    BalError err = {0};
    BalImport *w = NULL;
    BalText t = {0};
    ADD(&t, MAGIC VERSION MACHINE PROTO "}(");
    for (int i = 0; i < 20; i++) {
        const char name[] = {'X', 1, 0, 0, 0, (char)('a' + i)};
        bal_text_add_n(&t, name, sizeof name);
        ADD(&t, TENSOR "((X\x07\0\0\0storagectorch\nFloatStorage\nX\1\0\0\0"
                       "0NJ\0\0\0\4tQK\0J\0\0\0\4\x85K\1\x85" REST);
    }
    ADD(&t, "u." KEYS "\0\0\0\4\0\0\0\0");
    assert_ok(bal_file_write(scratch("views"), t.data, t.len, &err));
    assert_int_equal(truncate(scratch("views"), (off_t)t.len + (256 << 20)), 0);
    assert_fails(bal_import_open(&w, scratch("views"), &err), BAL_E_FORMAT,
                 "more than twice as large as the file, and 4 GiB");
    bal_text_reset(&t);
}

/* ---- values ---- */
static void finite_as_floats(void **state) {
    (void)state;
    const double wide[3] = {FLT_MAX, -FLT_MAX, 1e39};
    const uint16_t half[2] = {0x7bff, 0x7c00}, brain[2] = {0x7f7f, 0xffc0};
    BalLoose t = {
        .type = BAL_T_F64, .rank = 1, .dim = {3}, .stride = {1}, .count = 3, .data = (const unsigned char *)wide};
    assert_int_equal(bal_values_not_finite(&t), 2);
    t.count = t.dim[0] = 2;
    assert_int_equal(bal_values_not_finite(&t), -1);
    t.type = BAL_T_F16, t.data = (const unsigned char *)half;
    assert_int_equal(bal_values_not_finite(&t), 1);
    t.type = BAL_T_BF16, t.data = (const unsigned char *)brain;
    assert_int_equal(bal_values_not_finite(&t), 1);
    t.type = BAL_T_I16;
    assert_int_equal(bal_values_not_finite(&t), -1);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(names),        cmocka_unit_test(archives),
                                       cmocka_unit_test(other_kinds),  cmocka_unit_test(older_files),
                                       cmocka_unit_test(views_add_up), cmocka_unit_test(finite_as_floats)};
    return cmocka_run_group_tests(tests, scratch_open, scratch_close);
}
