/* .npy headers and half precision. The header's Python dict is read by a scanner for exactly the three keys that NumPy writes. */
#include "base/npy.h"
#include <stdio.h>
#include <string.h>
#include "base/file.h"

#define MAGIC       "\x93NUMPY"
#define MAGIC_BYTES 6
#define MAX_RANK    8

static const struct {
    const char *descr;
    size_t bytes;
} type_of[] = {[BAL_NPY_U8] = {"|u1", 1},  [BAL_NPY_I8] = {"|i1", 1},  [BAL_NPY_BOOL] = {"|b1", 1},
               [BAL_NPY_I16] = {"<i2", 2}, [BAL_NPY_I32] = {"<i4", 4}, [BAL_NPY_I64] = {"<i8", 8},
               [BAL_NPY_F16] = {"<f2", 2}, [BAL_NPY_F32] = {"<f4", 4}, [BAL_NPY_F64] = {"<f8", 8}};

size_t bal_npy_item(BalNpyType type) {
    return type_of[type].bytes;
}

void bal_npy_header(BalText *out, BalNpyType type, const int64_t *dim, int rank) {
    BalText dict = {0};
    bal_text_f(&dict, "{'descr': '%s', 'fortran_order': False, 'shape': (", type_of[type].descr);
    for (int i = 0; i < rank; i++) bal_text_f(&dict, i ? ", %lld" : "%lld", (long long)dim[i]);
    bal_text_add(&dict, rank == 1 ? ",), }" : "), }");
    size_t before = MAGIC_BYTES + 4, total = (before + dict.len + 1 + 63) / 64 * 64,
           pad = total - before - dict.len - 1;
    size_t header = total - before;
    bal_text_add_n(out, MAGIC "\x01\x00", 8);
    bal_text_char(out, (char)(header & 255));
    bal_text_char(out, (char)(header >> 8));
    bal_text_add_n(out, bal_text_str(&dict), dict.len);
    for (size_t i = 0; i < pad; i++) bal_text_char(out, ' ');
    bal_text_char(out, '\n');
    if (dict.failed) out->failed = true;
    bal_text_reset(&dict);
}

/* ---- reader ---- */

typedef struct Scan {
    const char *at, *end;
} Scan;

static void blanks(Scan *s) {
    while (s->at < s->end && (*s->at == ' ' || *s->at == '\n' || *s->at == '\t')) s->at++;
}

static bool take(Scan *s, const char *text) {
    blanks(s);
    size_t n = strlen(text);
    if ((size_t)(s->end - s->at) < n || memcmp(s->at, text, n)) return false;
    s->at += n;
    return true;
}

/* 'text' or "text", at most 15 bytes */
static bool take_string(Scan *s, char out[16]) {
    blanks(s);
    if (s->at == s->end || (*s->at != '\'' && *s->at != '"')) return false;
    const char *start = s->at + 1, *stop = memchr(start, *s->at, (size_t)(s->end - start));
    if (!stop || stop - start > 15) return false;
    memcpy(out, start, (size_t)(stop - start));
    out[stop - start] = '\0';
    s->at = stop + 1;
    return true;
}

static bool take_shape(Scan *s, BalNpy *h) {
    if (!take(s, "(")) return false;
    h->rank = 0;
    while (!take(s, ")")) {
        int64_t v = 0;
        blanks(s);
        const char *start = s->at;
        for (; s->at < s->end && *s->at >= '0' && *s->at <= '9'; s->at++)
            if (__builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, *s->at - '0', &v)) return false;
        if (s->at == start || h->rank == MAX_RANK) return false;
        h->dim[h->rank++] = v;
        (void)take(s, "L"); /* Python 2 */
        if (!take(s, ",")) return take(s, ")");
    }
    return true;
}

static BalStatus bad(const char *name, const char *what, BalError *err) {
    return BAL_FAIL(err, BAL_E_FORMAT, "%s: not a usable .npy: %s", name, what);
}

static BalStatus parse_dict(BalNpy *h, Scan s, const char *name, BalError *err) {
    bool type = false, order = false, shape = false;
    char text[16];
    if (!take(&s, "{")) return bad(name, "the header is not a dict", err);
    while (!take(&s, "}")) {
        if (!take_string(&s, text) || !take(&s, ":"))
            return bad(name, "the header is not a dict of the known keys", err);
        if (!strcmp(text, "descr") && !type) {
            if (!take_string(&s, text)) return bad(name, "the type is not a plain one", err);
            for (int t = 0; t < (int)(sizeof type_of / sizeof *type_of); t++)
                if (!strcmp(text, type_of[t].descr)) {
                    h->type = (BalNpyType)t;
                    type = true;
                }
            if (!type)
                return BAL_FAIL(err, BAL_E_FORMAT,
                                "%s: .npy of type %s; |u1, |i1, |b1, <i2, <i4, <i8, <f2, <f4, <f8 are read", name,
                                text);
        } else if (!strcmp(text, "fortran_order") && !order) {
            h->fortran = take(&s, "True");
            if (!h->fortran && !take(&s, "False")) return bad(name, "fortran_order is neither True nor False", err);
            order = true;
        } else if (!strcmp(text, "shape") && !shape) {
            if (!take_shape(&s, h)) return bad(name, "the shape is not a tuple of at most 8 sizes", err);
            shape = true;
        } else {
            return bad(name, "an unknown or doubled key in the header", err);
        }
        if (!take(&s, ",")) {
            if (!take(&s, "}")) return bad(name, "the header's dict does not end", err);
            break;
        }
    }
    blanks(&s);
    if (s.at != s.end) return bad(name, "text behind the header's dict", err);
    return type && order && shape ? BAL_OK : bad(name, "descr, fortran_order or shape is missing", err);
}

BalStatus bal_npy_parse_any_order(BalNpy *out, const void *data, size_t n, const char *name, BalError *err) {
    const unsigned char *b = data;
    BalNpy h = {0};
    if (n < 12 || memcmp(b, MAGIC, MAGIC_BYTES)) return bad(name, "it does not begin with \\x93NUMPY", err);
    if (b[6] < 1 || b[6] > 3) return bad(name, "its version is none of 1, 2 and 3", err);
    size_t at = b[6] == 1 ? 10 : 12, header = b[8] | (size_t)b[9] << 8;
    if (b[6] > 1) header |= (size_t)b[10] << 16 | (size_t)b[11] << 24;
    if (header > n - at) return bad(name, "it ends within its header", err);
    BAL_TRY(parse_dict(&h, (Scan){(const char *)b + at, (const char *)b + at + header}, name, err));
    h.data_at = at + header;
    h.data_bytes = type_of[h.type].bytes;
    for (int i = 0; i < h.rank; i++)
        if (__builtin_mul_overflow(h.data_bytes, (size_t)h.dim[i], &h.data_bytes))
            return bad(name, "its shape overflows", err);
    if (h.data_bytes > n - h.data_at)
        return BAL_FAIL(err, BAL_E_FORMAT, "%s: .npy is cut short: its shape needs %zu bytes of values, %zu are there",
                        name, h.data_bytes, n - h.data_at);
    *out = h;
    return BAL_OK;
}

BalStatus bal_npy_parse(BalNpy *out, const void *data, size_t n, const char *name, BalError *err) {
    BalNpy h;
    BAL_TRY(bal_npy_parse_any_order(&h, data, n, name, err));
    if (h.fortran) return bad(name, "Fortran order (save it with numpy.ascontiguousarray)", err);
    *out = h;
    return BAL_OK;
}

BalStatus bal_npy_write(const char *path, BalNpyType type, const int64_t *dim, int rank, const void *data,
                        BalError *err) {
    BalText header = {0};
    BalWriter *w = NULL;
    BalStatus rc;
    size_t bytes = type_of[type].bytes;
    for (int i = 0; i < rank; i++) bytes *= (size_t)dim[i];
    bal_npy_header(&header, type, dim, rank);
    BAL_TRY_OR(done, bal_text_ok(&header, err));
    BAL_TRY_OR(done, bal_writer_open(&w, path, err));
    BAL_TRY_OR(done, bal_writer_add(w, header.data, header.len, err));
    BAL_TRY_OR(done, bal_writer_add(w, data, bytes, err));
    rc = bal_writer_commit(&w, err);
done:
    bal_writer_abort(&w);
    bal_text_reset(&header);
    return rc;
}

void bal_npy_floats(const BalNpy *npy, const void *data, int64_t at, int64_t n, float *out) {
    const size_t item = bal_npy_item(npy->type);
    const unsigned char *from = (const unsigned char *)data + npy->data_at + (size_t)at * item;
    for (int64_t k = 0; k < n; k++, from += item) {
        uint16_t half;
        double wide;
        switch (npy->type) {
        case BAL_NPY_F16:
            memcpy(&half, from, 2);
            out[k] = bal_f16_to_f32(half);
            break;
        case BAL_NPY_F64:
            memcpy(&wide, from, 8);
            out[k] = (float)wide;
            break;
        default:
            memcpy(&out[k], from, 4);
        }
    }
}

/* ---- half precision ---- */

static float from_bits(uint32_t u) {
    float f;
    memcpy(&f, &u, sizeof f);
    return f;
}

static uint32_t to_bits(float f) {
    uint32_t u;
    memcpy(&u, &f, sizeof u);
    return u;
}

/* Shift the half's exponent and mantissa into a float's place and scale by 2^112: subnormals come out right by themselves */
float bal_f16_to_f32(uint16_t h) {
    uint32_t sign = (uint32_t)(h & 0x8000) << 16, rest = (uint32_t)(h & 0x7FFF) << 13;
    if (rest >= 0x7C00u << 13) return from_bits(sign | 0x7F800000u | rest);
    return from_bits(sign | to_bits(from_bits(rest) * 0x1p112f));
}

uint16_t bal_f32_to_f16(float f) {
    uint32_t u = to_bits(f), sign = u >> 16 & 0x8000, a = u & 0x7FFFFFFF;
    if (a > 0x7F800000) return (uint16_t)(sign | 0x7E00 | (a >> 13 & 0x3FF)); /* NaN stays quiet */
    if (a >= 0x477FF000) return (uint16_t)(sign | 0x7C00);                    /* 65520 and above round to infinity */
    if (a < 0x38800000) { /* subnormal: let the addition round at 2^-24 */
        uint32_t r = to_bits(from_bits(a) + 0.5f) - to_bits(0.5f);
        return (uint16_t)(sign | r);
    }
    a += 0xFFF + (a >> 13 & 1); /* half of the last place kept, ties to even */
    return (uint16_t)(sign | ((a - 0x38000000) >> 13));
}

void bal_f16_to_f32_n(float *dst, const uint16_t *src, size_t n) {
    for (size_t i = 0; i < n; i++) dst[i] = bal_f16_to_f32(src[i]);
}

void bal_f32_to_f16_n(uint16_t *dst, const float *src, size_t n) {
    for (size_t i = 0; i < n; i++) dst[i] = bal_f32_to_f16(src[i]);
}
