/* How values lie in memory: nChw16c / nCdhw16c where the channels allow it, plain otherwise; float32 or bfloat16. */
#include <string.h>
#include "backends/onednn/onednn.h"

BalView bal_view(const BalShape *shape, BalDtype dtype) {
    BalView v = {.n = shape->dim[0], .g = shape->rank > 1 ? shape->dim[1] : 1, .s = 1, .lanes = 1};
    for (int i = 2; i < shape->rank; i++) v.s *= shape->dim[i];
    v.bf16 = bal_value_dtype(shape, dtype) == BAL_BF16;
    if (bal_is_blocked(shape)) {
        v.g /= BAL_LANES;
        v.lanes = BAL_LANES;
    }
    return v;
}

void bal_spread(const BalView *v, const float *param, int64_t g, float *lanes) {
    for (int l = 0; l < BAL_LANES; l++) lanes[l] = v->lanes == 1 ? param[g] : param[g * BAL_LANES + l];
}

size_t bal_onednn_value_bytes(void *self, const BalShape *shape, BalDtype dtype) {
    (void)self;
    const BalView v = bal_view(shape, dtype);
    return bal_round64((size_t)bal_view_count(&v) * (v.bf16 ? 2 : 4));
}

typedef struct Move {
    const BalOnednn *b;
    BalView v;
    void *value;
    float *plain;
    bool set;
} Move;

static void move_plain(const Move *m, int64_t from, int64_t to) {
    uint16_t *h = (uint16_t *)m->value + from;
    float *f = (float *)m->value + from;
    if (m->v.bf16 && m->set)
        m->b->loops->to_bf16(m->plain + from, h, to - from);
    else if (m->v.bf16)
        m->b->loops->to_f32(h, m->plain + from, to - from);
    else if (m->set)
        memcpy(f, m->plain + from, (size_t)(to - from) * sizeof *f);
    else
        memcpy(m->plain + from, f, (size_t)(to - from) * sizeof *f);
}

/* One slab of [s][16] against 16 planes of [s]. */
static void move_slab(const Move *m, int64_t slab) {
    const int64_t s = m->v.s;
    float *plain = m->plain + slab * s * BAL_LANES;
    for (int64_t i = 0; i < s; i++)
        for (int64_t l = 0; l < BAL_LANES; l++) {
            const int64_t at = (slab * s + i) * BAL_LANES + l;
            if (m->v.bf16 && m->set)
                ((uint16_t *)m->value)[at] = bal_f32_to_bf16(plain[l * s + i]);
            else if (m->v.bf16)
                plain[l * s + i] = bal_bf16_to_f32(((const uint16_t *)m->value)[at]);
            else if (m->set)
                ((float *)m->value)[at] = plain[l * s + i];
            else
                plain[l * s + i] = ((const float *)m->value)[at];
        }
}

static void move_part(void *arg, int t, int nt) {
    const Move *m = arg;
    int64_t from, to;
    if (m->v.lanes == 1) {
        bal_share((bal_view_count(&m->v) + 63) / 64, t, nt, &from, &to);
        to = to * 64 < bal_view_count(&m->v) ? to * 64 : bal_view_count(&m->v);
        move_plain(m, from * 64, to);
        return;
    }
    bal_share(m->v.n * m->v.g, t, nt, &from, &to);
    for (int64_t i = from; i < to; i++) move_slab(m, i);
}

BalStatus bal_onednn_value_set(void *self, const BalShape *shape, BalDtype dtype, void *dst, const float *plain,
                               BalError *err) {
    (void)err;
    const BalOnednn *b = self;
    Move m = {.b = b, .v = bal_view(shape, dtype), .value = dst, .plain = (float *)(uintptr_t)plain, .set = true};
    bal_par(b->threads, move_part, &m);
    return BAL_OK;
}

BalStatus bal_onednn_value_get(void *self, const BalShape *shape, BalDtype dtype, float *plain, const void *src,
                               BalError *err) {
    (void)err;
    const BalOnednn *b = self;
    Move m = {.b = b, .v = bal_view(shape, dtype), .value = (void *)(uintptr_t)src, .plain = plain};
    bal_par(b->threads, move_part, &m);
    return BAL_OK;
}
