/* Values of a batch in memory of the host, [n,width], that grows to the largest batch. Zero is valid; bal_free(r.at) frees. */
#ifndef BAL_METHODS_ROWS_H
#define BAL_METHODS_ROWS_H

#include <avbalance/method.h>
#include "base/mem.h"

typedef struct Rows {
    float *at;
    size_t cap;
} Rows;

/* Room for the batch, not set to anything. */
static inline BalStatus rows_room(Rows *r, const BalMethodCtx *c, int width, BalError *err) {
    return bal_grow(&r->at, &r->cap, (size_t)c->batch.n * (size_t)width, sizeof *r->at, err);
}

/* An output of the pass in `slot`. */
static inline BalStatus rows_get(Rows *r, const BalMethodCtx *c, int slot, const char *output, int width,
                                 BalError *err) {
    BAL_TRY(rows_room(r, c, width, err));
    return bal_session_get(c->session, slot, output, r->at, err);
}

#endif
