/* Checkpoints of other programs: every container read value by value, every byte of each spoilt, pickles that want to do harm. */
#define AVB_VECTORS "building.json"
#include <math.h>
#include "base/fault.h"
#include "base/vectors.h"
#include "models/import_make.h"
#include "models/import_values.h"

/* ---- reading values ---- */
typedef struct Values {
    BalTensorType type;
    double v[64];
    int n;
} Values;

static BalStatus add_values(void *user, const unsigned char *bytes, size_t n, BalError *err) {
    Values *out = user;
    const size_t item = bal_tensor_item(out->type);
    for (size_t i = 0; i < n; i += item) {
        float real = 0;
        int16_t i16;
        int32_t i32;
        assert_true(out->n < 64);
        const BalNamedTensor one = {.name = "one", .type = out->type, .data = bytes + i, .bytes = item};
        if (out->type == BAL_T_I16)
            memcpy(&i16, bytes + i, 2), real = i16;
        else if (out->type == BAL_T_I32)
            memcpy(&i32, bytes + i, 4), real = (float)i32;
        else if (out->type >= BAL_T_U8)
            real = bytes[i];
        else
            BAL_TRY(bal_tensor_floats(&one, &real, err));
        out->v[out->n++] = real;
    }
    return BAL_OK;
}

static Values values(const BalImport *w, const char *name) {
    BalError err = {0};
    for (int i = 0; i < w->n; i++) {
        if (strcmp(w->tensor[i].name, name) != 0) continue;
        Values v = {.type = w->tensor[i].type};
        assert_ok(bal_values_each(&w->tensor[i], add_values, &v, &err));
        assert_int_equal(v.n, w->tensor[i].count);
        return v;
    }
    fail_msg("there is no tensor %s", name);
    return (Values){0};
}

/* ---- vectors ---- */
static size_t unhex(const char *hex, unsigned char *out) {
    size_t n = strlen(hex) / 2;
    for (size_t i = 0; i < n; i++) {
        unsigned byte;
        assert_int_equal(sscanf(hex + 2 * i, "%2x", &byte), 1);
        out[i] = (unsigned char)byte;
    }
    return n;
}

static const BalJson *in_vectors(const char *a, const char *b) {
    if (!vectors) skip();
    const BalJson *v = bal_json_get(vectors, a);
    if (b) v = bal_json_get(v, b);
    if (!v) fail_msg("there is no vector %s.%s", a, b ? b : "");
    return v;
}

/* Tensors of *w are those of the vector, by name; then written and read back, they are still. */
static void check_tensors(const BalImport *w, const BalJson *tensors, int n_others) {
    int n = 0;
    for (void *it = bal_json_first(tensors); it; it = bal_json_next(tensors, it), n++) {
        const BalJson *t = bal_json_value(it), *shape = bal_json_get(t, "shape"), *want = bal_json_get(t, "values");
        if (!want) want = bal_json_get(t, "values_c_order");
        if (bal_json_type(t) == BAL_JSON_ARRAY) want = t;
        const Values v = values(w, bal_json_key(it));
        assert_int_equal(v.n, bal_json_size(want));
        for (int i = 0; i < v.n; i++) assert_true(v.v[i] == bal_json_real(bal_json_at(want, (size_t)i), NAN));
        for (int i = 0; shape && i < w->n; i++) {
            const BalImportTensor have = bal_import_tensor(w, i);
            if (strcmp(have.name, bal_json_key(it)) != 0) continue;
            assert_int_equal(have.rank, bal_json_size(shape));
            for (int k = 0; k < have.rank; k++)
                assert_int_equal(have.dim[k], bal_json_int(bal_json_at(shape, (size_t)k), -1));
            const char *type = bal_json_text(bal_json_get(t, "dtype"), "");
            if (type[0] && type[0] != '<') assert_string_equal(have.type, type);
        }
    }
    assert_int_equal(n + n_others, w->n);
}

static void read_vector(const char *hex, const BalJson *tensors, int n_others, const char *container) {
    BalError err = {0};
    BalImport *w = NULL;
    unsigned char *data = malloc(strlen(hex) / 2);
    const size_t n = unhex(hex, data);
    assert_ok(bal_import_parse(&w, data, n, "vector", &err));
    assert_string_equal(bal_import_container(w), container);
    check_tensors(w, tensors, n_others);
    assert_ok(bal_import_match(w, "none", &err));
    assert_ok(bal_import_save(w, scratch("out"), &err));
    bal_import_close(&w);
    free(data);
    assert_ok(bal_import_open(&w, scratch("out"), &err));
    assert_string_equal(bal_import_container(w), "safetensors");
    check_tensors(w, tensors, n_others);
    bal_import_close(&w);
}

static const char *text_of(const BalJson *v, const char *key) {
    return bal_json_text(bal_json_get(v, key), "");
}

static void vectors_are_read(void **state) {
    (void)state;
    const BalJson *good = in_vectors("safetensors", "good"), *zip = in_vectors("torch_zip", NULL);
    const BalJson *legacy = in_vectors("torch_legacy", NULL), *npz = in_vectors("npz", NULL);
    for (size_t i = 0; i < bal_json_size(good); i++)
        read_vector(text_of(bal_json_at(good, i), "hex"), bal_json_get(bal_json_at(good, i), "tensors"), 0,
                    "safetensors");
    read_vector(text_of(zip, "file_hex"), bal_json_get(zip, "tensors"), 0, "torch zip");
    read_vector(text_of(zip, "file_miniz_style_hex"), bal_json_get(zip, "tensors"), 0, "torch zip");
    read_vector(text_of(legacy, "file_hex"), bal_json_get(legacy, "tensors"), 0, "torch before 1.6");
    read_vector(text_of(npz, "npz_stored_hex"), bal_json_get(npz, "tensors"), 0, "npz");
    const BalJson *c2 = in_vectors("caffe2_pkl", NULL);
    read_vector(text_of(c2, "hex"), bal_json_get(c2, "blobs"), 1, "Caffe2 pickle");
}

/* Of the deflated archive the vectors have only the first tensor. */
static void deflated_is_read(void **state) {
    (void)state;
    BalError err = {0};
    BalImport *w = NULL;
    assert_ok(bal_import_open(&w, AVB_SOURCE_DIR "/tests/fuzz/corpus/import/npz-deflated", &err));
    const Values v = values(w, "w");
    assert_true(v.n == 4 && v.v[0] == 1 && v.v[3] == 4);
    bal_import_close(&w);
}

static void views_are_read(void **state) {
    (void)state;
    BalError err = {0};
    BalImport *w = NULL;
    assert_ok(bal_import_open(&w, AVB_SOURCE_DIR "/tests/fuzz/corpus/import/torch-legacy-views", &err));
    static const double a[] = {1, 2, 3}, b[] = {0, 3, 1, 4, 2, 5};
    Values v = values(w, "a");
    assert_memory_equal(v.v, a, sizeof a);
    v = values(w, "b");
    assert_memory_equal(v.v, b, sizeof b);
    bal_import_close(&w);
    for (int protocol = 2; protocol <= 4; protocol++) {
        char path[256];
        snprintf(path, sizeof path, AVB_SOURCE_DIR "/tests/fuzz/corpus/import/arrays-protocol%d", protocol);
        assert_ok(bal_import_open(&w, path, &err));
        static const double c[] = {0, 1, 2, 3, 4, 5}, d[] = {200, 100, 0};
        v = values(w, "a");
        assert_memory_equal(v.v, c, sizeof c);
        v = values(w, "b"); /* bytes above 127, which protocol 2 writes as text */
        assert_memory_equal(v.v, d, sizeof d);
        bal_import_close(&w);
    }
}

static void refuse_hex(const char *what, const char *hex, const char *says) {
    unsigned char *data = malloc(strlen(hex) / 2 + 1);
    refuse_bytes(what, data, unhex(hex, data), says);
    free(data);
}

static void vectors_are_refused(void **state) {
    (void)state;
    const BalJson *bad = in_vectors("safetensors", "must_refuse"), *pickles = in_vectors("pickle_must_refuse", NULL);
    for (size_t i = 0; i < bal_json_size(bad); i++)
        refuse_hex(text_of(bal_json_at(bad, i), "name"), text_of(bal_json_at(bad, i), "hex"), "");
    for (size_t i = 0; i < bal_json_size(pickles); i++)
        refuse_hex(text_of(bal_json_at(pickles, i), "name"), text_of(bal_json_at(pickles, i), "hex"), "");
    refuse_hex("object npy", bal_json_text(in_vectors("npz", "must_refuse_object_npy_hex"), ""), "numpy.savez");
}

/* ---- views ---- */
static void views_stay_inside(void **state) {
    (void)state;
    const float six[7] = {0, 1, 2, 3, 4, 5, 6}; /* and one more */
    static const struct {
        const char *what, *pickle;
        size_t n;
        const char *says;
    } cases[] = {
#define CASE(what, says, ...) {what, NAMED(__VA_ARGS__), sizeof NAMED(__VA_ARGS__) - 1, says}
        CASE("past the end", "reaches beyond its values", "K\x02K\x02K\x03\x86K\x03K\x01\x86"),
        CASE("offset past the end", "reaches beyond its values", "K\x06K\x01\x85K\x01\x85"),
        CASE("huge offset", "shape that overflows", "\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7fK\x01\x85K\x01\x85"),
        CASE("huge shape", "shape that overflows",
             "K\x00\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7fK\x02\x86K\x01K\x01\x86"),
        CASE("huge stride", "shape that overflows",
             "K\x00K\x02K\x03\x86\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7fK\x01\x86"),
        CASE("expanded", "repeats its values", "K\x00J\xff\xff\xff\x7f\x85K\x00\x85"),
        CASE("negative offset", "tensor without a storage", "J\xff\xff\xff\xffK\x01\x85K\x01\x85"),
        CASE("negative size", "tensor without a shape", "K\x00J\xff\xff\xff\xff\x85K\x01\x85"),
        CASE("negative stride", "tensor without a shape", "K\x00K\x02\x85J\xff\xff\xff\xff\x85"),
        CASE("fewer strides", "tensor without a shape", "K\x00K\x02K\x01\x86K\x01\x85"),
        CASE("nine axes", "tensor without a shape", "K\x00(K\x01K\x01K\x01K\x01K\x01K\x01K\x01K\x01K\x01tK\x01\x85"),
#undef CASE
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        refuse_zip(cases[i].what, cases[i].pickle, cases[i].n, six, 24, cases[i].says);
    static const char good[] = NAMED("K\x01K\x02K\x02\x86K\x03K\x01\x86");
    refuse_zip("short storage", good, sizeof good - 1, six, 20, "another size");
    refuse_zip("long storage", good, sizeof good - 1, six, 25, "another size");
    refuse_zip("trailing bytes", good, sizeof good, six, 24, "bytes follow the pickle");
    BalText t = torch_zip(good, sizeof good - 1, six, 24);
    BalError err = {0};
    BalImport *w = NULL;
    assert_ok(bal_import_parse(&w, t.data, t.len, "w.pth", &err));
    const Values v = values(w, "w");
    assert_true(v.n == 4 && v.v[0] == 1 && v.v[1] == 2 && v.v[2] == 4 && v.v[3] == 5);
    bal_import_close(&w);
    bal_text_reset(&t);
    if (!vectors) return;
    unsigned char pickle[512];
    const size_t n = unhex(bal_json_text(in_vectors("torch_view_past_storage_pickle_hex", NULL), ""), pickle);
    refuse_zip("vector", (const char *)pickle, n, six, 24, "reaches beyond its values");
}

/* ---- pickles that want to do harm, or break in the middle ---- */
static void hostile_pickles(void **state) {
    (void)state;
    static const struct {
        const char *pickle;
        size_t n;
        const char *says;
    } cases[] = {
#define CASE(says, pickle) {PROTO pickle, sizeof(PROTO pickle) - 1, says}
        CASE("asks for os.system", "cos\nsystem\nX\x04\0\0\0echo\x85R."),
        CASE("asks for posix.system", "cposix\nsystem\n."),
        CASE("asks for builtins.exec", "cbuiltins\nexec\n."),
        CASE("asks for torch._utils._rebuild_tensor_v2x", "ctorch._utils\n_rebuild_tensor_v2x\n."),
        CASE("asks for collections.OrderedDict.__init__", "ccollections\nOrderedDict.__init__\n."),
        CASE("asks for collections.?1m?", "ccollections\n\x1b"
                                          "1m\x07\n."),
        CASE("asks for os.system", "X\x02\0\0\0osX\x06\0\0\0system\x93."),
        CASE("a global without a name", "K\x01K\x02\x93."),
        CASE("instruction 0x69", "(X\x02\0\0\0lsios\nsystem\n."), /* INST */
        CASE("instruction 0x6f", "(cnumpy\nndarray\no."),         /* OBJ */
        CASE("instruction 0x50", "Pid\n."),                       /* PERSID */
        CASE("instruction 0x82", "\x82\x01."),                    /* EXT1 */
        CASE("instruction 0x92", "\x92."),                        /* NEWOBJ_EX */
        CASE("instruction 0x8b", "\x8b\xff\xff\xff\x7f."),        /* LONG4 */
        CASE("instruction 0x32", "N2."),                          /* DUP */
        CASE("instruction 0x30", "N0."),                          /* POP */
        CASE("instruction 0x49", "I1\n."),                        /* INT in text */
        CASE("instruction 0x80", "\x80\x02."),
        CASE("instruction 0x8d", "\x8d\xff\xff\xff\xff\xff\xff\xff\xff."), /* BINUNICODE8 */
        CASE("more than 80 bits", "\x8a\xff\x01."),
        CASE("a call of what cannot be called", "K\x01)R."),
        CASE("a call of a type", "ctorch\nfloat32\n)R."),
        CASE("a new object of an unknown class", "cnumpy\ndtype\n)\x81."),
        CASE("a state for what has none", "K\x01}b."),
        CASE("put into itself", "]q\0h\0a."),
        CASE("put into itself", "}q\0K\x01h\0s."),
        CASE("already part of another", "]q\0]q\1h\0ah\0h\1a."), /* a in b, then b in a */
        CASE("already part of another", "]q\0\x85q\1h\0h\1a."),  /* by way of a tuple */
        CASE("memo number", "Nr\xff\xff\xff\x7f."),
        CASE("memo number", "Nr\x3f\x42\x0f\0."),
        CASE("nothing was remembered", "h\0."),
        CASE("the stack is empty", "q\0."),
        CASE("the stack is empty", "\x86."),
        CASE("the stack is empty", "K\x01(\x85."), /* not from below the mark */
        CASE("the stack is empty", "]a."),
        CASE("there is no mark", "t."),
        CASE("a key without a value", "}(K\x01u."),
        CASE("what cannot hold them", "K\x01(K\x01"
                                      "e."),
        CASE("end with one object", "K\x01K\x02."),
        CASE("end with one object", "K\x01(."),
        CASE("end with one object", "."),
        CASE("before its end is said", "N"),
        CASE("within this instruction", "J\1\2"),
        CASE("within this instruction", "X\xff\xff\xff\xff"
                                        "a."),
        CASE("within this instruction", "T\xff\xff\xff\xff"
                                        "a."),
        CASE("within this instruction", "cno newline"),
        CASE("not a storage's", "X\1\0\0\0aQ."),
        CASE("not a storage's", "(X\x07\0\0\0storagectorch\nfloat32\nX\1\0\0\0"
                                "0NK\1tQ."),
        CASE("not a storage's", "(X\x07\0\0\0storagectorch\nFloatStorage\nX\1\0\0\0"
                                "0NJ\xff\xff\xff\xfftQ."),
        CASE("leaves its storage", "(X\x07\0\0\0storagectorch\nFloatStorage\nX\1\0\0\0"
                                   "0NK\4(NK\3K\2ttQ."),
        CASE("an array of an unknown class", "cnumpy.core.multiarray\n_reconstruct\ncnumpy\ndtype\n\x85R."),
        CASE("no dict of tensors", "}X\1\0\0\0aK\1s."),
        CASE("no dict of tensors", "]."),
        CASE("in another file", "}X\1\0\0\0w" TENSOR FLOATS "K\0K\1\x85K\1\x85" REST "s."),
#undef CASE
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        refuse_bytes(cases[i].says, cases[i].pickle, cases[i].n, cases[i].says);
}

/* A dict with one array, its dtype and values as given. */
static void refuse_array(const char *type, const char *order, const char *values_op, size_t n, const char *says) {
    BalText t = {0};
    ADD(&t, PROTO "}X\1\0\0\0wcnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\nK\0\x85U\1btR(K\1K\2\x85"
                  "cnumpy\ndtype\n");
    bal_text_f(&t, "(U%c%s", (char)strlen(type), type);
    ADD(&t, "K\0K\1tR(K\3U\1");
    bal_text_add(&t, order);
    ADD(&t, "NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\0tb\x89");
    bal_text_add_n(&t, values_op, n);
    bal_text_add(&t, "tbs.");
    refuse_bytes(type, t.data, t.len, says);
    bal_text_reset(&t);
}

static void hostile_arrays(void **state) {
    (void)state;
    refuse_array("f4", ">",
                 "U\10"
                 "12345678",
                 10, "plain little-endian");
    refuse_array("O8", "|", "]", 1, "plain little-endian");
    refuse_array("O8", "|",
                 "U\10"
                 "12345678",
                 10, "plain little-endian");
    refuse_array("f4", "<", "]", 1, "plain little-endian");
    refuse_array("f4", "<",
                 "X\10\0\0\0"
                 "12345678",
                 13, "plain little-endian"); /* text */
    refuse_array("f4", "<",
                 "U\7"
                 "1234567",
                 9, "more or fewer values");
    refuse_array("f8", "<",
                 "U\10"
                 "12345678",
                 10, "more or fewer values");
    /* no values at all */
    static const char empty[] =
        PROTO "}X\1\0\0\0wcnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\nK\0\x85U\1btRs.";
    refuse_bytes("empty", empty, sizeof empty - 1, "an array without values");
}

/* What is small in the file must be small in memory: nesting, doubling, repeated decoding, one list read again and again. */
static void bombs(void **state) {
    (void)state;
    BalText t = {0};
    ADD(&t, PROTO); /* a list in a list in a list ... */
    for (int i = 0; i < 70; i++) bal_text_add(&t, "]");
    for (int i = 0; i < 69; i++) bal_text_add(&t, "a");
    bal_text_add(&t, ".");
    refuse_bytes("nesting", t.data, t.len, "nested more than 64 deep");
    bal_text_clear(&t);

    ADD(&t, PROTO); /* a tuple of 2^60 leaves: read in no time, as nobody walks it */
    bal_text_add(&t, "N");
    for (int i = 0; i < 60; i++) {
        const char twice[] = {'q', (char)i, 'h', (char)i, '\x86'};
        bal_text_add_n(&t, twice, sizeof twice);
    }
    bal_text_add(&t, ".");
    refuse_bytes("doubling", t.data, t.len, "no dict of tensors");
    bal_text_clear(&t);

    ADD(&t, PROTO);
    for (int i = 0; i < 70; i++) bal_text_add(&t, "(");
    bal_text_add(&t, ".");
    refuse_bytes("marks", t.data, t.len, "more than 64 marks");
    bal_text_clear(&t);

    ADD(&t, PROTO);
    for (int i = 0; i < 100001; i++) bal_text_add(&t, "N");
    refuse_bytes("stack", t.data, t.len, "more than 100000 values on the stack");
    bal_text_clear(&t);

    ADD(&t, PROTO "]c_codecs\nencode\n(X\x64\0\0\0");
    for (int i = 0; i < 100; i++) bal_text_add(&t, "a");
    ADD(&t, "X\6\0\0\0latin1tq\0Ra");
    for (int i = 0; i < 100; i++) ADD(&t, "c_codecs\nencode\nh\0Ra");
    bal_text_add(&t, ".");
    refuse_bytes("decoding", t.data, t.len, "decoded many times");
    bal_text_clear(&t);

    static const char list_twice[] = PROTO "](ccollections\nOrderedDict\n](K\1K\2\x86"
                                           "e\x85q\1R"
                                           "ccollections\nOrderedDict\nh\1Re.";
    refuse_bytes("one list", list_twice, sizeof list_twice - 1, "of what is no list");
    static const char list_once[] = PROTO "](ccollections\nOrderedDict\n](K\1K\2\x86"
                                          "e\x85q\1Re.";
    refuse_bytes("one list", list_once, sizeof list_once - 1, "no dict of tensors");
    bal_text_reset(&t);
}

/* ---- every byte of every good file spoilt ---- */
static bool same_values(const BalImport *a, const BalImport *b) {
    if (a->n != b->n) return false;
    for (int i = 0; i < a->n; i++) {
        if (strcmp(a->tensor[i].name, b->tensor[i].name) != 0) return false;
        const Values x = values(a, a->tensor[i].name), y = values(b, a->tensor[i].name);
        if (x.n != y.n || memcmp(x.v, y.v, sizeof(double) * (size_t)x.n) != 0) return false;
    }
    return true;
}

/* checked: the container has checksums, so that a change is noticed wherever it matters */
static int spoil(const unsigned char *data, size_t n, bool checked, const BalImport *good, size_t at,
                 unsigned char with) {
    BalError err = {0};
    BalImport *w = NULL;
    unsigned char *copy = malloc(n ? n : 1);
    memcpy(copy, data, n);
    if (at < n) copy[at] ^= with;
    BalStatus rc = bal_import_parse(&w, copy, n, "spoilt", &err);
    if (rc >= 0 && checked && !same_values(w, good)) fail_msg("byte %zu changed by %02x gives other values", at, with);
    for (int i = 0; rc >= 0 && i < w->n; i++)
        if (w->tensor[i].count <= 64) (void)values(w, w->tensor[i].name);
    if (rc < 0) assert_true(rc == BAL_E_FORMAT && err.text[0]);
    bal_import_close(&w);
    free(copy);
    return rc >= 0;
}

static void spoil_file(const char *path, bool checked) {
    static const unsigned char with[] = {0x01, 0x04, 0x20, 0x80, 0xFF};
    BalError err = {0};
    BalMap m;
    BalImport *good = NULL;
    int accepted = 0;
    assert_ok(bal_map_open(&m, path, &err));
    assert_ok(bal_import_open(&good, path, &err));
    for (size_t at = 0; at < m.size; at++)
        for (size_t k = 0; k < sizeof with; k++) accepted += spoil(m.data, m.size, checked, good, at, with[k]);
    assert_true(accepted > 0 || !checked); /* dates of members, for example */
    for (size_t n = 0; n < m.size; n++)    /* cut short */
        if (spoil(m.data, n, true, good, n, 0)) fail_msg("%s: cut to %zu bytes it is accepted", path, n);
    unsigned char *longer = malloc(m.size + 1);
    memcpy(longer, m.data, m.size);
    for (int c = 0; c < 256; c += 5) {
        longer[m.size] = (unsigned char)c;
        if (spoil(longer, m.size + 1, true, good, m.size + 1, 0)) fail_msg("%s: a byte more is accepted", path);
    }
    free(longer);
    bal_import_close(&good);
    bal_map_close(&m);
}

static void every_byte_spoilt(void **state) {
    (void)state;
    BalError err = {0};
    char **names, path[512];
    int n;
    assert_ok(bal_list_dir(AVB_SOURCE_DIR "/tests/fuzz/corpus/import", &names, &n, &err));
    assert_true(n > 10);
    for (int i = 0; i < n; i++) {
        snprintf(path, sizeof path, AVB_SOURCE_DIR "/tests/fuzz/corpus/import/%s", names[i]);
        spoil_file(path, strstr(names[i], "zip") || strstr(names[i], "npz") || strstr(names[i], "1.13"));
    }
    bal_names_free(names, n);
}

/* ---- memory ---- */
static BalStatus convert(void *user, BalError *err) {
    BalImport *w = NULL;
    BalStatus rc;
    BAL_TRY(bal_import_open(&w, user, err));
    BAL_TRY_OR(done, bal_import_match(w, "none", err));
    rc = bal_import_save(w, scratch("fault"), err);
done:
    bal_import_close(&w);
    return rc;
}

static void memory_runs_out(void **state) {
    (void)state;
    static const char *const file[] = {
        "torch-zip", "torch-legacy", "npz-deflated", "caffe2", "safetensors-f16_with_metadata", "arrays-protocol2"};
    char path[512];
    for (size_t i = 0; i < sizeof file / sizeof *file; i++) {
        snprintf(path, sizeof path, AVB_SOURCE_DIR "/tests/fuzz/corpus/import/%s", file[i]);
        assert_true(fault_each_allocation(convert, path) > 5);
    }
}

static int open_all(void **state) {
    return scratch_open(state) || vectors_open(state);
}
static int close_all(void **state) {
    return scratch_close(state) || vectors_close(state);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(vectors_are_read),  cmocka_unit_test(deflated_is_read),
                                       cmocka_unit_test(views_are_read),    cmocka_unit_test(vectors_are_refused),
                                       cmocka_unit_test(views_stay_inside), cmocka_unit_test(hostile_pickles),
                                       cmocka_unit_test(hostile_arrays),    cmocka_unit_test(bombs),
                                       cmocka_unit_test(every_byte_spoilt), cmocka_unit_test(memory_runs_out)};
    return cmocka_run_group_tests(tests, open_all, close_all);
}
