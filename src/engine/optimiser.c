/* SGD with momentum, Adam and AdamW with torch's arithmetic, and learning-rate schedules.
 *
 * Parameters that are neighbours in memory and have seen the same number of updates are updated by one call. */
#include "engine/session.h"
#include <math.h>
#include "base/mem.h"

/* The moments are taken at the first update that needs them. */
static BalStatus moments(BalSession *s, const BalOptimiser *o, BalError *err) {
    const size_t bytes = s->w_floats * sizeof(float);
    const bool first = o->kind != BAL_SGD || o->momentum != 0, second = o->kind != BAL_SGD;
    if (first && !s->m1) BAL_TRY(bal_session_take(s, bytes, &s->m1, err));
    if (second && !s->m2) BAL_TRY(bal_session_take(s, bytes, &s->m2, err));
    return BAL_OK;
}

static BalUpdate update_for(const BalOptimiser *o, int64_t step) {
    static const BalUpdateKind kind[] = {BAL_UPDATE_SGD, BAL_UPDATE_ADAM, BAL_UPDATE_ADAMW};
    return (BalUpdate){
        .kind = kind[o->kind],
        .lr = (float)o->lr,
        .momentum = (float)o->momentum,
        .weight_decay = (float)o->weight_decay,
        .beta1 = (float)o->beta1,
        .beta2 = (float)o->beta2,
        .eps = (float)o->eps,
        .bias1 = (float)(1 - pow(o->beta1, (double)step)),
        .bias2 = (float)(1 - pow(o->beta2, (double)step)),
        .first = step == 1,
    };
}

/* Length in floats of the stretch that begins at parameter *i: matching neighbours in memory with equal step counts. *i moves to the
 * first parameter after it. */
static size_t stretch(BalSession *s, unsigned tags, int *i) {
    const ParamPlace *first = &s->place[*i];
    size_t n = 0;
    for (; *i < s->g->n_params; *i += 1) {
        ParamPlace *p = &s->place[*i];
        if (!s->g->param[*i].is.trainable) continue; /* lies in another block */
        if (!param_meets(&s->g->param[*i], tags) || (p != first && p->steps + 1 != first->steps)) break;
        p->steps += 1;
        n += p->floats;
    }
    return n;
}

BalStatus bal_session_update(BalSession *s, const BalOptimiser *o, int grad, unsigned tags, BalError *err) {
    BAL_TRY(bal_session_check_grad(s, grad, err));
    BAL_TRY(moments(s, o, err));
    s->version += 1;
    for (int i = 0; i < s->g->n_params;) {
        if (!param_meets(&s->g->param[i], tags)) {
            i += 1;
            continue;
        }
        const ParamPlace *p = &s->place[i];
        const size_t n = stretch(s, tags, &i);
        const BalUpdate u = update_for(o, p->steps);
        BAL_TRY(s->b->update(s->self, &u, n, s->w + p->at, s->grad[grad] + p->at, s->m1 ? s->m1 + p->at : NULL,
                             s->m2 ? s->m2 + p->at : NULL, err));
    }
    return BAL_OK;
}

BalStatus bal_session_optimiser_reset(BalSession *s, unsigned tags, BalError *err) {
    for (int i = 0; i < s->g->n_params; i++) {
        ParamPlace *p = &s->place[i];
        if (!param_meets(&s->g->param[i], tags)) continue;
        p->steps = 0;
        if (s->m1) BAL_TRY(s->b->zero(s->self, s->m1 + p->at, p->floats * sizeof(float), err));
        if (s->m2) BAL_TRY(s->b->zero(s->self, s->m2 + p->at, p->floats * sizeof(float), err));
    }
    return BAL_OK;
}

double bal_schedule_lr(const BalSchedule *s, double lr, int64_t epoch) {
    const double pi = 3.14159265358979323846;
    if (s->kind == 1 && s->step > 0) return lr * pow(s->gamma, (double)(epoch / s->step));
    if (s->kind == 2 && s->epochs > 0)
        return s->lr_min + (lr - s->lr_min) * (1 + cos(pi * (double)epoch / (double)s->epochs)) / 2;
    return lr;
}
