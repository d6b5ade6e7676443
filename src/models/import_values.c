/* Values of a loose tensor: straight from the file where they are packed there, else gathered through a buffer on the stack. */
#include "models/import_values.h"
#include <float.h>
#include <math.h>
#include <string.h>
#include "base/npy.h"
#include "engine/bf16.h"

enum { PIECE_BYTES = 1 << 15 };

static bool packed(const BalLoose *t) {
    int64_t step = 1;
    for (int i = t->rank; i-- > 0; step *= t->dim[i])
        if (t->dim[i] != 1 && t->stride[i] != step) return false;
    return true;
}

/* The next place in the order of the axes: *at moves by strides, at the end of an axis back to its beginning. */
static void advance(const BalLoose *t, int64_t index[BAL_TENSOR_MAX_RANK], int64_t *at) {
    for (int i = t->rank; i-- > 0;) {
        *at += t->stride[i];
        if (++index[i] < t->dim[i]) return;
        *at -= t->stride[i] * t->dim[i];
        index[i] = 0;
    }
}

static BalStatus each_gathered(const BalLoose *t, BalPieceFn *fn, void *user, BalError *err) {
    const size_t item = bal_tensor_item(t->type);
    unsigned char piece[PIECE_BYTES];
    int64_t index[BAL_TENSOR_MAX_RANK] = {0}, at = 0;
    size_t n = 0;
    for (int64_t k = 0; k < t->count; k++) {
        memcpy(piece + n, t->data + (size_t)at * item, item);
        n += item;
        if (n == sizeof piece || k + 1 == t->count) {
            BAL_TRY(fn(user, piece, n, err));
            n = 0;
        }
        advance(t, index, &at);
    }
    return BAL_OK;
}

BalStatus bal_values_each(const BalLoose *t, BalPieceFn *fn, void *user, BalError *err) {
    if (!t->count) return BAL_OK;
    return packed(t) ? fn(user, t->data, (size_t)t->count * bal_tensor_item(t->type), err)
                     : each_gathered(t, fn, user, err);
}

/* ---- finite? ---- */
typedef struct Search {
    BalTensorType type;
    int64_t at, found;
} Search;

static bool finite_at(BalTensorType type, const unsigned char *p) {
    float real;
    double wide;
    uint16_t half;
    switch (type) {
    case BAL_T_F32:
        memcpy(&real, p, sizeof real);
        return isfinite(real);
    case BAL_T_F64: /* as the float it will be */
        memcpy(&wide, p, sizeof wide);
        return fabs(wide) <= FLT_MAX;
    case BAL_T_F16:
        memcpy(&half, p, sizeof half);
        return isfinite(bal_f16_to_f32(half));
    case BAL_T_BF16:
        memcpy(&half, p, sizeof half);
        return isfinite(bal_bf16_to_f32(half));
    default:
        return true;
    }
}

static BalStatus search(void *user, const unsigned char *bytes, size_t n, BalError *err) {
    Search *s = user;
    const size_t item = bal_tensor_item(s->type);
    (void)err;
    for (size_t i = 0; i < n && s->found < 0; i += item, s->at++)
        if (!finite_at(s->type, bytes + i)) s->found = s->at;
    return BAL_OK;
}

int64_t bal_values_not_finite(const BalLoose *t) {
    Search s = {t->type, 0, -1};
    if (t->type > BAL_T_F64) return -1;
    return bal_values_each(t, search, &s, NULL) < 0 ? -1 : s.found; /* searching does not fail */
}
