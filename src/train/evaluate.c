/* Evaluation: every clip to be scored once, in eval mode, with test transforms, in store order.
 *
 * This is the measurement that everything stands on, so it is the same code after every epoch and for every split; clips that are
 * not to be scored (those a cross-fitted run has trained on) keep NaN. */
#include <float.h>
#include <math.h>
#include "train/run.h"

static void forget(BalScored *s, int64_t n, int n_classes) {
    for (int64_t i = 0; i < n; i++) s->confidence[i] = NAN;
    for (int64_t i = 0; i < n; i++) s->correct[i] = 255;
    for (int64_t i = 0; i < n * n_classes; i++) s->logits[i] = NAN;
    for (int k = 0; k < BAL_SPLIT_COUNT; k++) s->split[k] = (BalSplitScore){0};
}

int bal_top(const float *z, int n_classes) {
    int best = 0;
    for (int k = 1; k < n_classes; k++)
        if (z[k] > z[best]) best = k;
    return best;
}

/* One clip's logits z and probabilities p into the record. */
static BalStatus keep(BalRun *run, int64_t clip, int label, const float *z, const float *p, BalError *err) {
    BalScored *s = &run->scored;
    int c = run->ctx.n_classes;
    for (int k = 0; k < c; k++) {
        s->logits[clip * c + k] = z[k];
        if (!isfinite(z[k]))
            return BAL_FAIL(
                err, BAL_E_NUMERIC,
                "epoch %lld gives clip %s a logit that is not finite; lower train.lr (now %g)%s, and give -f",
                (long long)run->at.epoch + 1, bal_store_id(run->store, clip), run->recipe.train.lr,
                run->recipe.train.dtype == BAL_BF16 ? " or use train.dtype=f32" : "");
    }
    bool right = bal_top(z, c) == label;
    s->confidence[clip] = p[label];
    s->correct[clip] = right;
    BalSplit split = bal_store_split(run->store, clip);
    if (split == BAL_SPLIT_NONE) return BAL_OK;
    s->split[split].n++;
    s->split[split].right += right;
    s->split[split].loss -= log((double)fmaxf(p[label], FLT_MIN));
    return BAL_OK;
}

BalStatus bal_run_evaluate(BalRun *run, BalError *err) {
    const BalBatch *b;
    BalMethodCtx *c = &run->ctx;
    BalStatus rc;
    forget(&run->scored, run->n, c->n_classes);
    BAL_TRY(bal_reader_start(run->score_reader, run->score_clip, run->n_score, (uint32_t)run->at.epoch, false, 0, err));
    while ((rc = bal_reader_next(run->score_reader, &b, err)) == BAL_OK) {
        c->batch =
            (BalMethodBatch){.audio = b->audio, .visual = b->visual, .label = b->label, .clip = b->clip, .n = b->n};
        BAL_TRY(bal_method_score(&run->method, c, c->z, run->p, err));
        for (int i = 0; i < b->n; i++) {
            size_t row = (size_t)i * (size_t)c->n_classes;
            BAL_TRY(keep(run, b->clip[i], b->label[i], c->z + row, run->p + row, err));
        }
        if (!bal_run_tick(run, b->n)) return BAL_FAIL(err, BAL_E_CANCELLED, "stopped");
    }
    return rc == BAL_END ? BAL_OK : rc;
}
