/* One training step and one scoring pass, with every NULL hook replaced by what plain late fusion does. */
#include <math.h>
#include <avbalance/method.h>

/* What the batch wants to be seen of one modality, as the coefficients of the graph's scale. */
static BalStatus set_keep(BalMethodCtx *c, int slot, const char *scale, unsigned tag, BalError *err) {
    const BalMethodBatch *b = &c->batch;
    if (!bal_session_has(c->session, scale)) {
        for (int i = 0; b->keep && i < b->n; i++)
            if (!(b->keep[i] & tag))
                return BAL_FAIL(err, BAL_E_ARG, "clip %d of the batch is to be masked, the network has no scale \"%s\"",
                                i, scale);
        return BAL_OK;
    }
    if (!b->keep) return bal_session_set(c->session, slot, scale, NULL, b->n, err);
    for (int i = 0; i < b->n; i++) c->dz[i] = (b->keep[i] & tag) != 0;
    return bal_session_set(c->session, slot, scale, c->dz, b->n, err);
}

BalStatus bal_method_forward(const BalMethodOps *ops, BalMethodCtx *c, int slot, BalMode mode, BalError *err) {
    const BalMethodBatch *b = &c->batch;
    if (ops->inputs & BAL_TAG_AUDIO) BAL_TRY(bal_session_set(c->session, slot, "audio", b->audio, b->n, err));
    if (ops->inputs & BAL_TAG_VISUAL) BAL_TRY(bal_session_set(c->session, slot, "visual", b->visual, b->n, err));
    BAL_TRY(set_keep(c, slot, "audio.keep", BAL_TAG_AUDIO, err));
    BAL_TRY(set_keep(c, slot, "visual.keep", BAL_TAG_VISUAL, err));
    return bal_session_forward(c->session, slot, b->n, mode, err);
}

BalStatus bal_method_loss(const BalMethodOps *ops, BalMethodCtx *c, BalError *err) {
    BAL_TRY(bal_method_forward(ops, c, 0, BAL_MODE_TRAIN, err));
    BAL_TRY(bal_session_get(c->session, 0, "logits", c->z, err));
    c->loss = bal_softmax_ce(c->z, c->batch.label, c->batch.n, c->n_classes, 1, c->dz, NULL);
    if (!isfinite(c->loss)) return BAL_OK; /* the caller reports it; there is nothing to sweep */
    BAL_TRY(bal_session_seed(c->session, 0, "logits", c->dz, err));
    return bal_session_backward(c->session, 0, 0, false, err);
}

static BalStatus hook(BalMethodHook *fn, BalMethod *m, BalMethodCtx *c, BalError *err) {
    return fn ? fn(m->self, c, err) : BAL_OK;
}

BalStatus bal_method_step(BalMethod *m, BalMethodCtx *c, const BalOptimiser *optimiser, BalError *err) {
    c->n_subs = 1;
    BAL_TRY(hook(m->ops->plan, m, c, err));
    for (c->sub = 0; c->sub < c->n_subs; c->sub++) {
        c->optimiser = *optimiser;
        c->update_tags = c->epoch_tags;
        BAL_TRY(m->ops->loss ? m->ops->loss(m->self, c, err) : bal_method_loss(m->ops, c, err));
        if (!isfinite(c->loss)) return BAL_FAIL(err, BAL_E_NUMERIC, "the loss is not a finite number");
        BAL_TRY(hook(m->ops->grad, m, c, err));
        BAL_TRY(bal_session_update(c->session, &c->optimiser, 0, c->update_tags, err));
    }
    return BAL_OK;
}

/* Softmax of each row in double, its largest logit taken out. */
static void softmax(const float *z, int n, int c, float *p) {
    for (int i = 0; i < n; i++, z += c, p += c) {
        double top = z[0], sum = 0;
        for (int k = 1; k < c; k++) top = fmax(top, z[k]);
        for (int k = 0; k < c; k++) sum += exp(z[k] - top);
        for (int k = 0; k < c; k++) p[k] = (float)(exp(z[k] - top) / sum);
    }
}

BalStatus bal_method_score(BalMethod *m, BalMethodCtx *c, float *logits, float *p, BalError *err) {
    BAL_TRY(bal_method_forward(m->ops, c, 0, BAL_MODE_EVAL, err));
    if (m->ops->predict)
        BAL_TRY(m->ops->predict(m->self, c, logits, err));
    else
        BAL_TRY(bal_session_get(c->session, 0, "logits", logits, err));
    if (p && m->ops->confidence)
        m->ops->confidence(m->self, logits, c->batch.n, c->n_classes, p);
    else if (p)
        softmax(logits, c->batch.n, c->n_classes, p);
    return BAL_OK;
}
