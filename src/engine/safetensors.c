/* safetensors reader and writer (format: safetensors.h). */
#include "engine/safetensors.h"
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "base/npy.h"
#include "engine/bf16.h"

#define MAX_HEADER                                                                                                     \
    ((uint64_t)16 << 20) /* some 100,000 tensors; bounds what the JSON reader may take (others read 100 MB) */
#define MAX_DEPTH 3      /* file, tensor, shape */

static const struct {
    const char *name;
    size_t item;
} types[BAL_T_COUNT] = {
    [BAL_T_F32] = {"F32", 4}, [BAL_T_F16] = {"F16", 2},   [BAL_T_BF16] = {"BF16", 2}, [BAL_T_F64] = {"F64", 8},
    [BAL_T_I64] = {"I64", 8}, [BAL_T_I32] = {"I32", 4},   [BAL_T_I16] = {"I16", 2},   [BAL_T_I8] = {"I8", 1},
    [BAL_T_U8] = {"U8", 1},   [BAL_T_BOOL] = {"BOOL", 1},
};

size_t bal_tensor_item(BalTensorType type) {
    return types[type].item;
}
const char *bal_tensor_type_name(BalTensorType type) {
    return types[type].name;
}

int64_t bal_tensor_count(const BalNamedTensor *t) {
    int64_t n = 1;
    for (int i = 0; i < t->rank; i++) n *= t->dim[i];
    return n;
}

/* ---- reader ---- */
static uint64_t little64(const unsigned char *p) {
    uint64_t v = 0;
    for (int i = 7; i >= 0; i--) v = v << 8 | p[i];
    return v;
}

static BalStatus parse_type(BalNamedTensor *t, const char *text, const char *file, BalError *err) {
    for (int i = 0; i < BAL_T_COUNT; i++)
        if (!strcmp(text, types[i].name)) {
            t->type = (BalTensorType)i;
            return BAL_OK;
        }
    return BAL_FAIL(err, BAL_E_FORMAT, "%s: tensor \"%s\" has the unknown type \"%s\"", file, t->name, text);
}

static BalStatus parse_shape(BalNamedTensor *t, const BalJson *shape, const char *file, BalError *err) {
    const size_t rank = bal_json_size(shape);
    uint64_t bytes = types[t->type].item;
    if (bal_json_type(shape) != BAL_JSON_ARRAY || rank > BAL_TENSOR_MAX_RANK)
        return BAL_FAIL(err, BAL_E_FORMAT, "%s: tensor \"%s\" has no shape of at most %d axes", file, t->name,
                        BAL_TENSOR_MAX_RANK);
    t->rank = (int)rank;
    for (int i = 0; i < t->rank; i++) {
        const BalJson *d = bal_json_at(shape, (size_t)i);
        t->dim[i] = bal_json_int(d, -1);
        if (bal_json_type(d) != BAL_JSON_INT || t->dim[i] < 0 || t->dim[i] > INT64_MAX / 16)
            return BAL_FAIL(err, BAL_E_FORMAT, "%s: tensor \"%s\": axis %d is not a size", file, t->name, i);
        if (t->dim[i] && bytes > (uint64_t)INT64_MAX / (uint64_t)t->dim[i])
            return BAL_FAIL(err, BAL_E_FORMAT, "%s: tensor \"%s\" is too large", file, t->name);
        bytes *= (uint64_t)t->dim[i];
    }
    t->bytes = (size_t)bytes;
    return BAL_OK;
}

static BalStatus parse_offsets(BalNamedTensor *t, const BalJson *at, const unsigned char *data, size_t n,
                               const char *file, BalError *err) {
    const int64_t from = bal_json_int(bal_json_at(at, 0), -1), to = bal_json_int(bal_json_at(at, 1), -1);
    if (bal_json_type(at) != BAL_JSON_ARRAY || bal_json_size(at) != 2 || from < 0 || to < from)
        return BAL_FAIL(err, BAL_E_FORMAT, "%s: tensor \"%s\" has no data_offsets [from, to]", file, t->name);
    if ((uint64_t)to > n)
        return BAL_FAIL(err, BAL_E_FORMAT,
                        "%s: tensor \"%s\" ends at byte %lld of the data, which has %zu: is the file complete?", file,
                        t->name, (long long)to, n);
    if ((uint64_t)(to - from) != t->bytes)
        return BAL_FAIL(err, BAL_E_FORMAT, "%s: tensor \"%s\" has %lld bytes, its shape and type need %zu", file,
                        t->name, (long long)(to - from), t->bytes);
    t->data = data + from;
    return BAL_OK;
}

static BalStatus parse_tensor(BalNamedTensor *t, void *it, const unsigned char *data, size_t n, const char *file,
                              BalError *err) {
    const BalJson *v = bal_json_value(it);
    t->name = bal_json_key(it);
    if (bal_json_type(v) != BAL_JSON_OBJECT || bal_json_size(v) != 3)
        return BAL_FAIL(err, BAL_E_FORMAT, "%s: \"%s\" is not dtype, shape and data_offsets of a tensor", file,
                        t->name);
    BAL_TRY(parse_type(t, bal_json_text(bal_json_get(v, "dtype"), ""), file, err));
    BAL_TRY(parse_shape(t, bal_json_get(v, "shape"), file, err));
    return parse_offsets(t, bal_json_get(v, "data_offsets"), data, n, file, err);
}

static int by_place(const void *a, const void *b) {
    const BalNamedTensor *x = a, *y = b;
    if (x->data != y->data) return x->data < y->data ? -1 : 1;
    return (x->bytes > y->bytes) - (x->bytes < y->bytes);
}

static int by_name(const void *a, const void *b) {
    const BalNamedTensor *x = a, *y = b;
    return strcmp(x->name, y->name);
}

/* Every byte of the data must belong to exactly one tensor. */
static BalStatus check_cover(BalTensorFile *f, const unsigned char *data, size_t n, const char *file, BalError *err) {
    const unsigned char *at = data;
    qsort(f->tensor, (size_t)f->n, sizeof *f->tensor, by_place);
    for (int i = 0; i < f->n; i++) {
        if (f->tensor[i].data != at)
            return BAL_FAIL(err, BAL_E_FORMAT, "%s: tensor \"%s\" %s", file, f->tensor[i].name,
                            f->tensor[i].data < at ? "overlaps another" : "leaves a gap before it");
        at += f->tensor[i].bytes;
    }
    if (at != data + n)
        return BAL_FAIL(err, BAL_E_FORMAT, "%s: %zu bytes at its end belong to no tensor", file,
                        (size_t)(data + n - at));
    qsort(f->tensor, (size_t)f->n, sizeof *f->tensor, by_name);
    return BAL_OK;
}

static BalStatus check_metadata(const BalJson *m, const char *file, BalError *err) {
    if (!m) return BAL_OK;
    if (bal_json_type(m) != BAL_JSON_OBJECT)
        return BAL_FAIL(err, BAL_E_FORMAT, "%s: __metadata__ is not a table", file);
    for (void *it = bal_json_first(m); it; it = bal_json_next(m, it))
        if (bal_json_type(bal_json_value(it)) != BAL_JSON_TEXT)
            return BAL_FAIL(err, BAL_E_FORMAT, "%s: __metadata__ \"%s\" is not a text", file, bal_json_key(it));
    return BAL_OK;
}

/* What JSON allows and no writer of tensors says: blanks before the brace, deep nesting, numbers with a sign, a point or an exponent
 * ("-0" is a whole number to a JSON reader). */
static BalStatus check_text(const char *text, size_t n, const char *file, BalError *err) {
    bool quoted = false;
    int depth = 0;
    if (!n || text[0] != '{') return BAL_FAIL(err, BAL_E_FORMAT, "%s: its header does not begin with {", file);
    for (size_t i = 0; i < n; i++) {
        const char c = text[i];
        if (c == '"') quoted = !quoted;
        if (quoted && c == '\\') i++;
        if (quoted) continue;
        depth += (c == '{' || c == '[') - (c == '}' || c == ']');
        if (depth > MAX_DEPTH) return BAL_FAIL(err, BAL_E_FORMAT, "%s: its header is nested too deeply", file);
        if (c == '-' || c == '+' || c == '.')
            return BAL_FAIL(err, BAL_E_FORMAT, "%s: byte %zu of its header is in no size or place", file, i);
    }
    return BAL_OK;
}

static BalStatus parse(BalTensorFile *f, const unsigned char *bytes, size_t n, const char *file, BalError *err) {
    if (n < 8) return BAL_FAIL(err, BAL_E_FORMAT, "%s: %zu bytes are too few for a safetensors file", file, n);
    const uint64_t length = little64(bytes);
    if (length > n - 8 || length > MAX_HEADER)
        return BAL_FAIL(err, BAL_E_FORMAT,
                        "%s: its header of %llu bytes does not fit: no safetensors file, or a truncated one", file,
                        (unsigned long long)length);
    const unsigned char *data = bytes + 8 + length;
    const size_t n_data = n - 8 - (size_t)length;
    BAL_TRY(check_text((const char *)bytes + 8, (size_t)length, file, err));
    BAL_TRY(bal_json_parse(&f->header, (const char *)bytes + 8, (size_t)length, file, err));
    if (bal_json_type(f->header) != BAL_JSON_OBJECT)
        return BAL_FAIL(err, BAL_E_FORMAT, "%s: its header is not a table", file);
    BAL_TRY(check_metadata(bal_json_get(f->header, "__metadata__"), file, err));
    BAL_TRY(bal_alloc(&f->tensor, bal_json_size(f->header), sizeof *f->tensor, err));
    for (void *it = bal_json_first(f->header); it; it = bal_json_next(f->header, it)) {
        if (!strcmp(bal_json_key(it), "__metadata__")) continue;
        BAL_TRY(parse_tensor(&f->tensor[f->n], it, data, n_data, file, err));
        f->n += 1;
    }
    return check_cover(f, data, n_data, file, err);
}

BalStatus bal_tensors_parse(BalTensorFile *out, const void *data, size_t n, const char *name, BalError *err) {
    *out = (BalTensorFile){0};
    BalStatus rc = parse(out, data, n, name, err);
    if (rc < 0) bal_tensors_close(out);
    return rc;
}

BalStatus bal_tensors_open(BalTensorFile *out, const char *path, BalError *err) {
    BalMap map = {0};
    *out = (BalTensorFile){0};
    BAL_TRY(bal_map_open(&map, path, err));
    BalStatus rc = bal_tensors_parse(out, map.data, map.size, path, err);
    if (rc < 0)
        bal_map_close(&map);
    else
        out->map = map;
    return rc;
}

void bal_tensors_close(BalTensorFile *f) {
    bal_free(f->tensor);
    bal_json_free(&f->header);
    bal_map_close(&f->map);
    *f = (BalTensorFile){0};
}

const BalNamedTensor *bal_tensors_find(const BalTensorFile *f, const char *name) {
    const BalNamedTensor key = {.name = name};
    return f->n ? bsearch(&key, f->tensor, (size_t)f->n, sizeof *f->tensor, by_name) : NULL;
}

const char *bal_tensors_metadata(const BalTensorFile *f, const char *key) {
    return bal_json_text(bal_json_get(bal_json_get(f->header, "__metadata__"), key), NULL);
}

BalStatus bal_tensor_floats(const BalNamedTensor *t, float *out, BalError *err) {
    const int64_t n = bal_tensor_count(t);
    const size_t item = types[t->type].item;
    if (t->type == BAL_T_F32) {
        memcpy(out, t->data, t->bytes);
        return BAL_OK;
    }
    if (t->type > BAL_T_I64)
        return BAL_FAIL(err, BAL_E_UNSUPPORTED, "tensor \"%s\" is of type %s, floats are needed", t->name,
                        types[t->type].name);
    for (int64_t i = 0; i < n; i++) {
        uint16_t half;
        double real;
        int64_t whole;
        const unsigned char *at = t->data + (size_t)i * item;
        if (item == 2)
            memcpy(&half, at, 2), out[i] = t->type == BAL_T_F16 ? bal_f16_to_f32(half) : bal_bf16_to_f32(half);
        else if (t->type == BAL_T_F64)
            memcpy(&real, at, 8), out[i] = (float)real;
        else
            memcpy(&whole, at, 8), out[i] = (float)whole;
    }
    return BAL_OK;
}

/* ---- writer ---- */
static void add_metadata(BalJsonOut *o, const char *const *metadata) {
    if (!metadata) return;
    bal_json_open(o, "__metadata__", '{');
    for (; metadata[0]; metadata += 2) bal_json_add_text(o, metadata[0], metadata[1]);
    bal_json_close(o, '}');
}

static void header_text(BalText *text, const BalNamedTensor *t, int n, const char *const *metadata) {
    BalJsonOut o = bal_json_out(text, false);
    int64_t at = 0;
    bal_json_open(&o, NULL, '{');
    add_metadata(&o, metadata);
    for (int i = 0; i < n; i++) {
        bal_json_open(&o, t[i].name, '{');
        bal_json_add_text(&o, "dtype", types[t[i].type].name);
        bal_json_open(&o, "shape", '[');
        for (int k = 0; k < t[i].rank; k++) bal_json_add_int(&o, NULL, t[i].dim[k]);
        bal_json_close(&o, ']');
        bal_json_open(&o, "data_offsets", '[');
        bal_json_add_int(&o, NULL, at);
        at += bal_tensor_count(&t[i]) * (int64_t)types[t[i].type].item;
        bal_json_add_int(&o, NULL, at);
        bal_json_close(&o, ']');
        bal_json_close(&o, '}');
    }
    bal_json_close(&o, '}');
    while (text->len % 8 && !text->failed) bal_text_char(text, ' ');
}

BalStatus bal_tensors_begin(BalWriter *w, const BalNamedTensor *t, int n, const char *const *metadata, BalError *err) {
    BalText text = {0};
    unsigned char length[8];
    header_text(&text, t, n, metadata);
    BalStatus rc = bal_text_ok(&text, err);
    for (int i = 0; i < 8; i++) length[i] = (unsigned char)((uint64_t)text.len >> 8 * i);
    if (rc >= 0) rc = bal_writer_add(w, length, 8, err);
    if (rc >= 0) rc = bal_writer_add(w, text.data, text.len, err);
    bal_text_reset(&text);
    return rc;
}
