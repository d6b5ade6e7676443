/* Buffers in checkpoints: plain floats, tensor after tensor. */
#include "methods/keep.h"
#include "base/mem.h"

static BalStatus put_one(struct BalWriter *w, const BalMethodCtx *c, int buffer, int i, float *plain, size_t bytes,
                         BalError *err) {
    BAL_TRY(bal_session_grad_get(c->session, buffer, i, plain, err));
    return bal_method_put(w, plain, bytes, err);
}

static BalStatus take_one(const struct BalMap *saved, size_t *at, const BalMethodCtx *c, int buffer, int i,
                          float *plain, size_t bytes, BalError *err) {
    BAL_TRY(bal_method_take(saved, at, plain, bytes, err));
    return bal_session_grad_set(c->session, buffer, i, plain, err);
}

/* Write to w, or (w NULL) read from saved. */
static BalStatus each(struct BalWriter *w, const struct BalMap *saved, size_t *at, const BalMethodCtx *c, int buffer,
                      unsigned tags, BalError *err) {
    for (int i = 0; i < bal_session_n_params(c->session); i++) {
        const BalParam *p = bal_session_param(c->session, i);
        float *plain = NULL;
        size_t n = 1;
        if (!p->trainable || !(p->tags & tags)) continue;
        for (int k = 0; k < p->shape.rank; k++) n *= (size_t)p->shape.dim[k];
        BAL_TRY(bal_alloc(&plain, n, sizeof *plain, err));
        const BalStatus rc = w ? put_one(w, c, buffer, i, plain, n * sizeof *plain, err)
                               : take_one(saved, at, c, buffer, i, plain, n * sizeof *plain, err);
        bal_free(plain);
        BAL_TRY(rc);
    }
    return BAL_OK;
}

BalStatus bal_keep_put(struct BalWriter *w, const BalMethodCtx *c, int buffer, unsigned tags, BalError *err) {
    return each(w, NULL, NULL, c, buffer, tags, err);
}

BalStatus bal_keep_take(const struct BalMap *saved, size_t *at, const BalMethodCtx *c, int buffer, unsigned tags,
                        BalError *err) {
    return each(NULL, saved, at, c, buffer, tags, err);
}
