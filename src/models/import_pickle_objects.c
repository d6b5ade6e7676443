/* What a pickle's machine makes: nodes, the closed list of globals, and the meaning of each call of one (bounds: import_pickle.h). */
#include "models/import_pickle.h"
#include <string.h>
#include "base/mem.h"

enum { MAX_DEPTH = 64, MAX_NAME = 128 };
#define MAX_NODES   ((size_t)1 << 22)
#define MAX_TENSORS ((size_t)1 << 18)

/* ---- what a file may name ---- */
typedef enum Global {
    GLOBAL_ORDERED_DICT,
    GLOBAL_TENSOR1, /* (storage, offset, size, stride), before 0.4 */
    GLOBAL_TENSOR2, /* and requires_grad, hooks[, metadata] */
    GLOBAL_TENSOR3, /* and requires_grad, hooks, dtype[, metadata] */
    GLOBAL_PARAMETER,
    GLOBAL_STORAGE,
    GLOBAL_SIZE,
    GLOBAL_DEVICE,
    GLOBAL_TORCH_DTYPE,
    GLOBAL_RECONSTRUCT, /* an empty array, to be built */
    GLOBAL_NDARRAY,
    GLOBAL_DTYPE,
    GLOBAL_SCALAR,
    GLOBAL_ENCODE, /* bytes written as text of the characters 0 to 255 */
} Global;

static const struct {
    const char *module, *name;
    Global is;
    BalTensorType type;
} globals[] = {
    {"collections", "OrderedDict", GLOBAL_ORDERED_DICT, 0},
    {"torch._utils", "_rebuild_tensor", GLOBAL_TENSOR1, 0},
    {"torch._utils", "_rebuild_tensor_v2", GLOBAL_TENSOR2, 0},
    {"torch._utils", "_rebuild_tensor_v3", GLOBAL_TENSOR3, 0},
    {"torch._utils", "_rebuild_parameter", GLOBAL_PARAMETER, 0},
    {"torch", "FloatStorage", GLOBAL_STORAGE, BAL_T_F32},
    {"torch", "HalfStorage", GLOBAL_STORAGE, BAL_T_F16},
    {"torch", "BFloat16Storage", GLOBAL_STORAGE, BAL_T_BF16},
    {"torch", "DoubleStorage", GLOBAL_STORAGE, BAL_T_F64},
    {"torch", "LongStorage", GLOBAL_STORAGE, BAL_T_I64},
    {"torch", "IntStorage", GLOBAL_STORAGE, BAL_T_I32},
    {"torch", "ShortStorage", GLOBAL_STORAGE, BAL_T_I16},
    {"torch", "CharStorage", GLOBAL_STORAGE, BAL_T_I8},
    {"torch", "ByteStorage", GLOBAL_STORAGE, BAL_T_U8},
    {"torch", "BoolStorage", GLOBAL_STORAGE, BAL_T_BOOL},
    {"torch.storage", "UntypedStorage", GLOBAL_STORAGE, BAL_T_COUNT},
    {"torch", "Size", GLOBAL_SIZE, 0},
    {"torch", "device", GLOBAL_DEVICE, 0},
    {"torch", "float32", GLOBAL_TORCH_DTYPE, BAL_T_F32},
    {"torch", "float16", GLOBAL_TORCH_DTYPE, BAL_T_F16},
    {"torch", "bfloat16", GLOBAL_TORCH_DTYPE, BAL_T_BF16},
    {"torch", "float64", GLOBAL_TORCH_DTYPE, BAL_T_F64},
    {"torch", "int64", GLOBAL_TORCH_DTYPE, BAL_T_I64},
    {"torch", "int32", GLOBAL_TORCH_DTYPE, BAL_T_I32},
    {"torch", "int16", GLOBAL_TORCH_DTYPE, BAL_T_I16},
    {"torch", "int8", GLOBAL_TORCH_DTYPE, BAL_T_I8},
    {"torch", "uint8", GLOBAL_TORCH_DTYPE, BAL_T_U8},
    {"torch", "bool", GLOBAL_TORCH_DTYPE, BAL_T_BOOL},
    {"numpy.core.multiarray", "_reconstruct", GLOBAL_RECONSTRUCT, 0},
    {"numpy._core.multiarray", "_reconstruct", GLOBAL_RECONSTRUCT, 0},
    {"numpy.core.multiarray", "scalar", GLOBAL_SCALAR, 0},
    {"numpy._core.multiarray", "scalar", GLOBAL_SCALAR, 0},
    {"numpy", "ndarray", GLOBAL_NDARRAY, 0},
    {"numpy", "dtype", GLOBAL_DTYPE, 0},
    {"_codecs", "encode", GLOBAL_ENCODE, 0},
};
enum { N_GLOBALS = sizeof globals / sizeof *globals };

static const struct {
    const char *code;
    BalTensorType type;
} array_types[] = {{"f4", BAL_T_F32}, {"f8", BAL_T_F64}, {"f2", BAL_T_F16}, {"i8", BAL_T_I64}, {"i4", BAL_T_I32},
                   {"i2", BAL_T_I16}, {"i1", BAL_T_I8},  {"u1", BAL_T_U8},  {"b1", BAL_T_BOOL}};

/* ---- nodes ---- */
BalStatus bal_pickle_add(Pickle *p, PickleNode v, PickleRef *out, BalError *err) {
    if (p->n_nodes == MAX_NODES) return bal_pickle_bad(p, "more than 4194304 objects", err);
    BAL_TRY(bal_grow(&p->node, &p->node_cap, p->n_nodes + 1, sizeof *p->node, err));
    p->node[p->n_nodes] = v;
    *out = (PickleRef)p->n_nodes++;
    return BAL_OK;
}

static BalStatus add_kind(Pickle *p, PickleKind kind, size_t n, PickleRef *out, BalError *err) {
    return bal_pickle_add(p, (PickleNode){.kind = (unsigned char)kind, .n = (uint32_t)n}, out, err);
}

BalStatus bal_pickle_place(Pickle *p, PickleRef into, const PickleRef *from, size_t n, BalError *err) {
    PickleNode *c = &p->node[into];
    if (c->placed) return bal_pickle_bad(p, "an object is changed that is already part of another", err);
    if (c->n + n > UINT32_MAX / 2) return bal_pickle_bad(p, "too many items", err);
    BAL_TRY(bal_grow(&c->item, &c->cap, c->n + n, sizeof *c->item, err));
    for (size_t i = 0; i < n; i++) {
        PickleNode *v = &p->node[from[i]];
        if (from[i] == into) return bal_pickle_bad(p, "an object is put into itself", err);
        if (v->depth + 1 > c->depth) c->depth = (unsigned char)(v->depth + 1);
        if (c->depth > MAX_DEPTH) return bal_pickle_bad(p, "objects are nested more than 64 deep", err);
        v->placed = true;
        c->item[c->n++] = from[i];
    }
    return BAL_OK;
}

/* Bytes of a stranger's file for a message. */
static void readable(char out[MAX_NAME + 1], const unsigned char *p, size_t n) {
    size_t k = 0;
    for (; k < n && k < MAX_NAME; k++) out[k] = p[k] > ' ' && p[k] < 0x7F ? (char)p[k] : '?';
    out[k] = '\0';
}

static bool same(const unsigned char *p, size_t n, const char *text) {
    return n == strlen(text) && !memcmp(p, text, n);
}

BalStatus bal_pickle_global(Pickle *p, const unsigned char *module, size_t n_module, const unsigned char *name,
                            size_t n_name, PickleRef *out, BalError *err) {
    for (uint32_t i = 0; i < N_GLOBALS; i++)
        if (same(module, n_module, globals[i].module) && same(name, n_name, globals[i].name))
            return add_kind(p, PICKLE_GLOBAL, i, out, err);
    char where[MAX_NAME + 1], what[MAX_NAME + 1];
    readable(where, module, n_module);
    readable(what, name, n_name);
    return BAL_FAIL(
        err, BAL_E_FORMAT,
        "%s: its pickle asks for %s.%s (byte %zu), which no list of tensors needs; Python might run it. Where "
        "it is a whole model, save its state_dict() instead",
        p->file, where, what, p->at);
}

/* ---- storages and tensors ---- */
static const PickleNode *item(const Pickle *p, const PickleNode *t, size_t i) {
    return bal_pickle_item(p, t, i);
}

static bool is_string(const PickleNode *v) {
    return v->kind == PICKLE_TEXT || v->kind == PICKLE_BYTES;
}

static bool is_global(const PickleNode *v, Global which) {
    return v->kind == PICKLE_GLOBAL && globals[v->n].is == which;
}

/* ('storage', type, key, location, count[, None or (key of the view, from, count)]) */
BalStatus bal_pickle_storage(Pickle *p, PickleRef ref, PickleRef *out, BalError *err) {
    const PickleNode *id = &p->node[ref];
    if (id->kind != PICKLE_TUPLE || id->n < 5 || id->n > 6 || !bal_pickle_is(item(p, id, 0), "storage") ||
        !is_global(item(p, id, 1), GLOBAL_STORAGE) || !is_string(item(p, id, 2)) ||
        item(p, id, 4)->kind != PICKLE_INT || item(p, id, 4)->whole < 0)
        return bal_pickle_bad(p, "a persistent id that is not a storage's", err);
    const PickleNode *key = item(p, id, 2), *view = id->n == 6 ? item(p, id, 5) : NULL;
    PickleStorage s = {.key = key->bytes, .n_key = key->n, .type = globals[item(p, id, 1)->n].type};
    s.count = s.n_items = item(p, id, 4)->whole;
    if (view && view->kind != PICKLE_NONE) {
        if (view->kind != PICKLE_TUPLE || view->n != 3 || item(p, view, 1)->kind != PICKLE_INT ||
            item(p, view, 2)->kind != PICKLE_INT)
            return bal_pickle_bad(p, "a view of a storage that is none", err);
        s.from = item(p, view, 1)->whole, s.n_items = item(p, view, 2)->whole;
        if (s.from < 0 || s.n_items < 0 || s.from > s.count || s.n_items > s.count - s.from)
            return bal_pickle_bad(p, "a view that leaves its storage", err);
    }
    if (p->n_storages == MAX_TENSORS) return bal_pickle_bad(p, "more than 262144 storages", err);
    BAL_TRY(bal_grow(&p->storage, &p->storage_cap, p->n_storages + 1, sizeof *p->storage, err));
    p->storage[p->n_storages] = s;
    return add_kind(p, PICKLE_STORAGE, p->n_storages++, out, err);
}

static BalStatus add_tensor(Pickle *p, const PickleTensor *t, PickleRef *out, BalError *err) {
    if (p->n_tensors == MAX_TENSORS) return bal_pickle_bad(p, "more than 262144 tensors", err);
    BAL_TRY(bal_grow(&p->tensor, &p->tensor_cap, p->n_tensors + 1, sizeof *p->tensor, err));
    p->tensor[p->n_tensors] = *t;
    return add_kind(p, PICKLE_TENSOR, p->n_tensors++, out, err);
}

/* A tuple of sizes into out; their number, or -1. */
static int sizes(const Pickle *p, const PickleNode *t, int64_t out[BAL_TENSOR_MAX_RANK]) {
    if (t->kind != PICKLE_TUPLE || t->n > BAL_TENSOR_MAX_RANK) return -1;
    for (uint32_t i = 0; i < t->n; i++) {
        if (item(p, t, i)->kind != PICKLE_INT || item(p, t, i)->whole < 0) return -1;
        out[i] = item(p, t, i)->whole;
    }
    return (int)t->n;
}

static BalStatus rebuild_tensor(Pickle *p, const PickleNode *a, Global which, PickleRef *out, BalError *err) {
    PickleTensor t = {.filled = true};
    const uint32_t least = which == GLOBAL_TENSOR1 ? 4 : which == GLOBAL_TENSOR2 ? 6 : 7;
    if (a->n < least || a->n > least + (which != GLOBAL_TENSOR1) || item(p, a, 0)->kind != PICKLE_STORAGE ||
        item(p, a, 1)->kind != PICKLE_INT || item(p, a, 1)->whole < 0)
        return bal_pickle_bad(p, "a tensor without a storage", err);
    t.storage = item(p, a, 0)->n;
    t.offset = item(p, a, 1)->whole;
    t.rank = sizes(p, item(p, a, 2), t.dim);
    if (t.rank < 0 || sizes(p, item(p, a, 3), t.stride) != t.rank)
        return bal_pickle_bad(p, "a tensor without a shape of at most 8 axes and as many strides", err);
    t.type = p->storage[t.storage].type;
    if (which == GLOBAL_TENSOR3) {
        if (!is_global(item(p, a, 6), GLOBAL_TORCH_DTYPE)) return bal_pickle_bad(p, "a tensor of an unknown type", err);
        const BalTensorType says = globals[item(p, a, 6)->n].type;
        if (t.type != BAL_T_COUNT && t.type != says)
            return bal_pickle_bad(p, "a tensor of another type than its storage", err);
        t.type = says;
    }
    if (t.type == BAL_T_COUNT) return bal_pickle_bad(p, "a tensor without a type", err);
    return add_tensor(p, &t, out, err);
}

/* ---- NumPy ---- */
/* dtype('f4', 0, 1); a type that is not read is BAL_T_COUNT, which only matters to arrays of it */
static BalStatus dtype(Pickle *p, const PickleNode *a, PickleRef *out, BalError *err) {
    BalTensorType type = BAL_T_COUNT;
    if (!a->n || !is_string(item(p, a, 0))) return bal_pickle_bad(p, "a dtype without a name", err);
    for (size_t i = 0; i < sizeof array_types / sizeof *array_types; i++)
        if (bal_pickle_is(item(p, a, 0), array_types[i].code)) type = array_types[i].type;
    return add_kind(p, PICKLE_DTYPE, type, out, err);
}

/* (version, byte order, None, None, None, -1, -1, 0) */
static BalStatus build_dtype(Pickle *p, PickleNode *v, const PickleNode *state, BalError *err) {
    if (v->placed || state->kind != PICKLE_TUPLE || state->n < 5 || !is_string(item(p, state, 1)))
        return bal_pickle_bad(p, "a dtype in an unknown state", err);
    for (uint32_t i = 2; i < 5; i++)
        if (item(p, state, i)->kind != PICKLE_NONE) v->n = BAL_T_COUNT; /* records and their kind */
    v->big_endian = bal_pickle_is(item(p, state, 1), ">");
    return BAL_OK;
}

/* (version, shape, dtype, whether the first axis varies fastest, values) */
static BalStatus build_array(Pickle *p, PickleTensor *t, const PickleNode *state, BalError *err) {
    if (t->filled || state->kind != PICKLE_TUPLE || state->n != 5 || item(p, state, 2)->kind != PICKLE_DTYPE ||
        (t->rank = sizes(p, item(p, state, 1), t->dim)) < 0)
        return bal_pickle_bad(p, "an array in an unknown state", err);
    const PickleNode *type = item(p, state, 2), *fortran = item(p, state, 3), *values = item(p, state, 4);
    if (type->n == BAL_T_COUNT || type->big_endian || values->kind != PICKLE_BYTES)
        return bal_pickle_bad(p, "an array that is not of plain little-endian numbers", err);
    int64_t bytes = (int64_t)bal_tensor_item((BalTensorType)type->n);
    for (int i = 0; i < t->rank; i++)
        if (__builtin_mul_overflow(bytes, t->dim[i], &bytes))
            return bal_pickle_bad(p, "an array whose shape overflows", err);
    if (bytes != (int64_t)values->n) return bal_pickle_bad(p, "an array with more or fewer values than its shape", err);
    t->type = (BalTensorType)type->n;
    t->fortran = (fortran->kind == PICKLE_BOOL || fortran->kind == PICKLE_INT) && fortran->whole;
    t->data = values->bytes, t->bytes = values->n;
    t->filled = true;
    return BAL_OK;
}

/* encode(text, 'latin1'): the characters 0 to 255, two bytes in UTF-8 from 128 on. All such texts together are not longer than the
 * pickle, which they would be if one and the same was decoded again and again. */
static BalStatus encode(Pickle *p, const PickleNode *a, PickleRef *out, BalError *err) {
    if (a->n != 2 || item(p, a, 0)->kind != PICKLE_TEXT || !bal_pickle_is(item(p, a, 1), "latin1"))
        return bal_pickle_bad(p, "an encoding of what is no text", err);
    const PickleNode text = *item(p, a, 0);
    unsigned char *bytes = NULL;
    p->decoded_bytes += text.n;
    if (p->decoded_bytes > p->size) return bal_pickle_bad(p, "one text is decoded many times", err);
    BAL_TRY(bal_grow(&p->decoded, &p->decoded_cap, p->n_decoded + 1, sizeof *p->decoded, err));
    BAL_TRY(bal_alloc(&bytes, text.n, 1, err));
    p->decoded[p->n_decoded++] = bytes;
    uint32_t n = 0;
    for (uint32_t i = 0; i < text.n; i++) {
        unsigned c = text.bytes[i];
        if (c >= 0x80) {
            if ((c & 0xFE) != 0xC2 || i + 1 == text.n || (text.bytes[i + 1] & 0xC0) != 0x80)
                return bal_pickle_bad(p, "bytes in a text that holds other characters", err);
            c = (c & 3) << 6 | (text.bytes[++i] & 0x3F);
        }
        bytes[n++] = (unsigned char)c;
    }
    return bal_pickle_add(p, (PickleNode){.kind = PICKLE_BYTES, .n = n, .bytes = bytes}, out, err);
}

/* ---- calls that are none ---- */
/* OrderedDict() or, of Python 2, OrderedDict([[key, value], ...]) */
static BalStatus ordered_dict(Pickle *p, const PickleNode *args, PickleRef *out, BalError *err) {
    const PickleNode a = *args;
    BAL_TRY(add_kind(p, PICKLE_DICT, 0, out, err));
    if (a.n == 0) return BAL_OK;
    PickleNode *pairs = &p->node[a.item[0]];
    if (a.n != 1 || pairs->kind != PICKLE_LIST) return bal_pickle_bad(p, "an OrderedDict of what is no list", err);
    for (uint32_t i = 0; i < pairs->n; i++) {
        const PickleNode *pair = item(p, pairs, i);
        if ((pair->kind != PICKLE_LIST && pair->kind != PICKLE_TUPLE) || pair->n != 2)
            return bal_pickle_bad(p, "an OrderedDict of what are no pairs", err);
        BAL_TRY(bal_pickle_place(p, *out, pair->item, 2, err));
    }
    bal_free(pairs->item); /* what was read once, and lies nowhere else, cannot be copied again and again */
    *pairs = (PickleNode){.kind = PICKLE_OPAQUE, .placed = true};
    return BAL_OK;
}

static BalStatus parameter(Pickle *p, const PickleNode *a, PickleRef *out, BalError *err) {
    if (!a->n || item(p, a, 0)->kind != PICKLE_TENSOR) return bal_pickle_bad(p, "a parameter without a tensor", err);
    *out = a->item[0];
    return BAL_OK;
}

static BalStatus size(Pickle *p, const PickleNode *a, PickleRef *out, BalError *err) {
    if (a->n != 1 || item(p, a, 0)->kind != PICKLE_TUPLE)
        return bal_pickle_bad(p, "a torch.Size of what is no tuple", err);
    *out = a->item[0];
    return BAL_OK;
}

static BalStatus empty_array(Pickle *p, const PickleNode *a, PickleRef *out, BalError *err) {
    if (!a->n || !is_global(item(p, a, 0), GLOBAL_NDARRAY))
        return bal_pickle_bad(p, "an array of an unknown class", err);
    return add_tensor(p, &(PickleTensor){.storage = -1}, out, err);
}

BalStatus bal_pickle_call(Pickle *p, PickleRef what, PickleRef args, bool new_object, PickleRef *out, BalError *err) {
    const PickleNode *a = &p->node[args], *f = &p->node[what];
    if (f->kind != PICKLE_GLOBAL || a->kind != PICKLE_TUPLE)
        return bal_pickle_bad(p, "a call of what cannot be called", err);
    const Global is = globals[f->n].is;
    if (new_object && is != GLOBAL_ORDERED_DICT) return bal_pickle_bad(p, "a new object of an unknown class", err);
    switch (is) {
    case GLOBAL_ORDERED_DICT:
        return ordered_dict(p, a, out, err);
    case GLOBAL_TENSOR1:
    case GLOBAL_TENSOR2:
    case GLOBAL_TENSOR3:
        return rebuild_tensor(p, a, is, out, err);
    case GLOBAL_PARAMETER:
        return parameter(p, a, out, err);
    case GLOBAL_SIZE:
        return size(p, a, out, err);
    case GLOBAL_RECONSTRUCT:
        return empty_array(p, a, out, err);
    case GLOBAL_DTYPE:
        return dtype(p, a, out, err);
    case GLOBAL_ENCODE:
        return encode(p, a, out, err);
    case GLOBAL_DEVICE:
    case GLOBAL_SCALAR:
        return add_kind(p, PICKLE_OPAQUE, 0, out, err);
    case GLOBAL_STORAGE:
    case GLOBAL_TORCH_DTYPE:
    case GLOBAL_NDARRAY:
        break;
    }
    return bal_pickle_bad(p, "a call of a type", err);
}

/* The state of a dict (such as _metadata of a state_dict) is of no interest. */
BalStatus bal_pickle_build(Pickle *p, PickleRef what, PickleRef state, BalError *err) {
    PickleNode *v = &p->node[what];
    if (v->kind == PICKLE_DICT) return BAL_OK;
    if (v->kind == PICKLE_DTYPE) return build_dtype(p, v, &p->node[state], err);
    if (v->kind == PICKLE_TENSOR) return build_array(p, &p->tensor[v->n], &p->node[state], err);
    return bal_pickle_bad(p, "a state for what has none", err);
}

void bal_pickle_reset(Pickle *p) {
    for (size_t i = 0; i < p->n_nodes; i++)
        if (p->node[i].kind == PICKLE_TUPLE || p->node[i].kind == PICKLE_LIST || p->node[i].kind == PICKLE_DICT)
            bal_free(p->node[i].item);
    for (size_t i = 0; i < p->n_decoded; i++) bal_free(p->decoded[i]);
    bal_free(p->decoded);
    bal_free(p->node);
    bal_free(p->storage);
    bal_free(p->tensor);
    *p = (Pickle){0};
}

/* ---- the tree ---- */
const PickleNode *bal_pickle_root(const Pickle *p) {
    return &p->node[p->root];
}

const PickleNode *bal_pickle_item(const Pickle *p, const PickleNode *of, size_t i) {
    return &p->node[of->item[i]];
}

bool bal_pickle_is(const PickleNode *v, const char *text) {
    return (v->kind == PICKLE_TEXT || v->kind == PICKLE_BYTES) && same(v->bytes, v->n, text);
}

const PickleNode *bal_pickle_get(const Pickle *p, const PickleNode *dict, const char *key) {
    if (dict->kind != PICKLE_DICT) return NULL;
    for (uint32_t i = dict->n; i >= 2; i -= 2) /* Python keeps the last */
        if (bal_pickle_is(bal_pickle_item(p, dict, i - 2), key)) return bal_pickle_item(p, dict, i - 1);
    return NULL;
}
