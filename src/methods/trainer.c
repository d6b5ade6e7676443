/* What hooks ask of the trainer: forwarded to its table, where there is one; nested training, which is made of its passes; and the
 * pieces of a method's saved state. */
#include <math.h>
#include <string.h>
#include <avbalance/method.h>
#include "base/file.h"

BalStatus bal_method_put(BalWriter *w, const void *data, size_t bytes, BalError *err) {
    return bal_writer_add(w, data, bytes, err);
}

BalStatus bal_method_take(const BalMap *saved, size_t *at, void *data, size_t bytes, BalError *err) {
    if (saved->size - *at < bytes)
        return BAL_FAIL(err, BAL_E_FORMAT, "the saved state of the method has %zu bytes, more are needed", saved->size);
    memcpy(data, saved->data + *at, bytes);
    *at += bytes;
    return BAL_OK;
}

static BalStatus need_trainer(const BalMethodCtx *c, const char *what, BalError *err) {
    return c->services ? BAL_OK : BAL_FAIL(err, BAL_E_UNSUPPORTED, "%s needs a trainer, and there is none here", what);
}

BalStatus bal_method_log(BalMethodCtx *c, const char *name, double value, BalError *err) {
    return c->services ? c->services->log(c->trainer, name, value, err) : BAL_OK;
}

BalStatus bal_method_clips(BalMethodCtx *c, BalClipPart part, const BalSample **sample, int64_t *n, BalError *err) {
    BAL_TRY(need_trainer(c, "a list of clips", err));
    return c->services->clips(c->trainer, part, sample, n, err);
}

BalStatus bal_method_hold_out(BalMethodCtx *c, double share, unsigned char *held, BalError *err) {
    BAL_TRY(need_trainer(c, "holding clips out", err));
    return c->services->hold_out(c->trainer, share, held, err);
}

BalStatus bal_method_pass(BalMethodCtx *c, const BalMethodPass *pass, BalMethodHook *fn, void *user, BalError *err) {
    BAL_TRY(need_trainer(c, "a pass over clips", err));
    return c->services->pass(c->trainer, pass, fn, user, err);
}

BalStatus bal_method_sample(BalMethodCtx *c, const BalSample *sample, int64_t n, BalError *err) {
    BAL_TRY(need_trainer(c, "a list of samples", err));
    return c->services->sample(c->trainer, sample, n, err);
}

BalStatus bal_method_keep(BalMethodCtx *c, BalError *err) {
    BAL_TRY(need_trainer(c, "a checkpoint", err));
    return c->services->keep(c->trainer, err);
}

typedef struct Nested {
    BalMethodHook *loss;
    void *user;
    unsigned tags;
} Nested;

static BalStatus nested_step(void *self, BalMethodCtx *c, BalError *err) {
    const Nested *t = self;
    c->sub = 0;
    c->n_subs = 1;
    BAL_TRY(t->loss(t->user, c, err));
    if (!isfinite(c->loss)) return BAL_FAIL(err, BAL_E_NUMERIC, "the loss of a nested training is not a finite number");
    return bal_session_update(c->session, &c->optimiser, 0, t->tags, err);
}

BalStatus bal_method_train(BalMethodCtx *c, const BalSample *sample, int64_t n, uint32_t epoch, BalMethodHook *loss,
                           void *user, unsigned tags, BalError *err) {
    Nested t = {loss, user, tags};
    const BalMethodPass pass = {.sample = sample, .n = n, .train = true, .epoch = epoch};
    return bal_method_pass(c, &pass, nested_step, &t, err);
}
