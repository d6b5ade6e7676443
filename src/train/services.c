/* What the trainer does for a method's hooks between epochs (method.h): lists of clips, passes, metrics.
 *
 * Passes use the readers and the order of the epochs, so they are for the time when no epoch is under way. What a hook does this way
 * is repeated from the last checkpoint where a run is killed in the middle of it; epoch_begin may ask for checkpoints of its own. */
#include <math.h>
#include <string.h>
#include "base/mem.h"
#include "dataset/groups.h"
#include "train/run.h"

static const unsigned char BOTH = BAL_TAG_AUDIO | BAL_TAG_VISUAL;

static BalStatus between_epochs(const BalRun *run, BalError *err) {
    return run->between ? BAL_OK : BAL_FAIL(err, BAL_E_ARG, "lists and passes are for epoch_begin and epoch_end only");
}

/* ---- the order of an epoch or pass ---- */

void bal_order_reset(BalOrder *o) {
    bal_free(o->clip);
    bal_free(o->index);
    bal_free(o->keep);
    *o = (BalOrder){0};
}

/* Of a training pass over n samples: a last batch that is not full is kept, and one of one clip gets the first beside it (fit.c); or it
 * is left out. */
static BalStatus order_length(int64_t n, const BalTrainRecipe *t, int64_t *length, BalError *err) {
    *length = t->drop_last ? n - n % t->batch : n + (n % t->batch == 1);
    if (!n || *length) return BAL_OK;
    return BAL_FAIL(err, BAL_E_ARG, "%lld clips make no batch of %lld: lower train.batch or set train.drop_last=no",
                    (long long)n, (long long)t->batch);
}

BalStatus bal_order_fill(BalOrder *o, const BalMethodPass *p, const BalTrainRecipe *t, BalError *err) {
    o->n = p->n;
    o->masked = false;
    if (p->train) BAL_TRY(order_length(p->n, t, &o->n, err));
    BAL_TRY(bal_grow(&o->clip, &o->cap[0], (size_t)o->n, sizeof *o->clip, err));
    BAL_TRY(bal_grow(&o->index, &o->cap[1], (size_t)(p->n > o->n ? p->n : o->n), sizeof *o->index, err));
    BAL_TRY(bal_grow(&o->keep, &o->cap[2], (size_t)o->n, sizeof *o->keep, err));
    for (int64_t i = 0; i < p->n; i++) o->index[i] = i;
    if (p->train) bal_clips_shuffle(o->index, p->n, (uint64_t)t->seed, p->epoch);
    if (o->n > p->n) o->index[p->n] = o->index[0];
    for (int64_t i = 0; i < o->n; i++) {
        const BalSample *s = &p->sample[o->index[i]];
        o->clip[i] = s->clip;
        o->keep[i] = s->keep;
        o->masked |= (s->keep & BOTH) != BOTH;
    }
    return BAL_OK;
}

BalMethodBatch bal_order_batch(const BalOrder *o, const BalBatch *b, int64_t first) {
    return (BalMethodBatch){.audio = b->audio,
                            .visual = b->visual,
                            .label = b->label,
                            .clip = b->clip,
                            .n = b->n,
                            .keep = o->masked ? o->keep + first : NULL};
}

/* ---- the table ---- */

static BalStatus log_metric(void *trainer, const char *name, double value, BalError *err) {
    BalPosition *at = &((BalRun *)trainer)->at;
    int i = 0;
    while (i < at->n_metrics && strcmp(at->metric[i].name, name)) i++;
    if (strlen(name) >= sizeof at->metric->name || i == BAL_MOST_METRICS)
        return BAL_FAIL(err, BAL_E_ARG, "metric \"%s\": at most %d names of at most %zu bytes", name, BAL_MOST_METRICS,
                        sizeof at->metric->name - 1);
    BalMetric *m = &at->metric[i];
    if (i == at->n_metrics) {
        *m = (BalMetric){0};
        memcpy(m->name, name, strlen(name));
        at->n_metrics++;
    }
    m->sum += value;
    m->n++;
    return BAL_OK;
}

static BalStatus clips(void *trainer, BalClipPart part, const BalSample **sample, int64_t *n, BalError *err) {
    const BalRun *run = trainer;
    BAL_TRY(between_epochs(run, err));
    *sample = part == BAL_PART_TRAIN ? run->train_sample : run->val_sample;
    *n = part == BAL_PART_TRAIN ? run->n_train : run->n_val;
    return BAL_OK;
}

typedef struct Grouping {
    const char **source;
    int *label, *part;
} Grouping;

static BalStatus group(const BalRun *run, double share, Grouping *g, BalError *err) {
    const double shares[2] = {share, 1 - share};
    BAL_TRY(bal_alloc(&g->source, (size_t)run->n_train, sizeof *g->source, err));
    BAL_TRY(bal_alloc(&g->label, (size_t)run->n_train, sizeof *g->label, err));
    BAL_TRY(bal_alloc(&g->part, (size_t)run->n_train, sizeof *g->part, err));
    for (int64_t i = 0; i < run->n_train; i++) {
        g->source[i] = bal_store_source(run->store, run->train_sample[i].clip);
        g->label[i] = bal_store_label(run->store, run->train_sample[i].clip);
    }
    return bal_groups_assign(g->source, g->label, run->n_train, shares, 2, (uint64_t)run->recipe.train.seed,
                             BAL_RNG_HOLD_OUT, g->part, err);
}

static BalStatus hold_out(void *trainer, double share, unsigned char *held, BalError *err) {
    const BalRun *run = trainer;
    Grouping g = {0};
    BAL_TRY(between_epochs(run, err));
    if (!(share > 0 && share < 1)) return BAL_FAIL(err, BAL_E_ARG, "a share of %g of the train clips", share);
    BalStatus rc = group(run, share, &g, err);
    for (int64_t i = 0; i < run->n_train && rc == BAL_OK; i++) held[i] = g.part[i] == 0;
    bal_free(g.source);
    bal_free(g.label);
    bal_free(g.part);
    return rc;
}

/* Over run->order, which the caller has filled. */
static BalStatus run_pass(BalRun *run, const BalMethodPass *pass, BalMethodHook *fn, void *user, BalError *err) {
    const BalTrainRecipe *t = &run->recipe.train;
    const int64_t batch = pass->train ? t->batch : t->eval_batch;
    BalReader *reader = pass->train ? run->train_reader : run->score_reader;
    BalMethodCtx *c = &run->ctx;
    const BalBatch *b;
    BalStatus rc;
    BAL_TRY(bal_reader_start(reader, run->order.clip, run->order.n, pass->epoch, pass->train, 0, err));
    c->n_steps = (run->order.n + batch - 1) / batch;
    for (c->step = 0; (rc = bal_reader_next(reader, &b, err)) == BAL_OK; c->step++) {
        c->batch = bal_order_batch(&run->order, b, c->step * batch);
        c->optimiser = bal_run_optimiser(run, pass->train ? pass->epoch : run->at.epoch);
        c->update_tags = 0;
        const BalStatus done = fn(user, c, err);
        if (done == BAL_E_NUMERIC) return bal_run_report_batch(run, b, pass->train ? pass->epoch : c->epoch, done, err);
        BAL_TRY(done);
        if (!bal_run_tick(run, b->n))
            return BAL_FAIL(err, BAL_E_CANCELLED, "stopped between two epochs of %s; the same command continues",
                            run->dir);
    }
    return rc == BAL_END ? BAL_OK : rc;
}

static BalStatus pass(void *trainer, const BalMethodPass *p, BalMethodHook *fn, void *user, BalError *err) {
    BalRun *run = trainer;
    BAL_TRY(between_epochs(run, err));
    BAL_TRY(bal_order_fill(&run->order, p, &run->recipe.train, err));
    run->total_clips += run->order.n;
    const BalMethodCtx was = run->ctx;
    BalStatus rc = run_pass(run, p, fn, user, err);
    run->ctx = was;
    return rc;
}

static BalStatus settle_batch(void *user, BalMethodCtx *c, BalError *err) {
    return bal_method_forward(user, c, 0, BAL_MODE_SETTLE, err);
}

int64_t bal_run_n_settle(const BalRun *run) {
    const int64_t most = run->recipe.train.settle * run->recipe.train.batch;
    return most < run->n_sample ? most : run->n_sample;
}

/* The batches of the epoch that has just ended, again: the same clips under the same transforms. */
BalStatus bal_run_settle(BalRun *run, BalError *err) {
    const BalMethodPass p = {run->sample, run->n_sample, true, (uint32_t)run->at.epoch};
    const BalMethodCtx was = run->ctx;
    if (!run->recipe.train.settle) return BAL_OK;
    BAL_TRY(bal_order_fill(&run->order, &p, &run->recipe.train, err));
    if (bal_run_n_settle(run) < run->n_sample) run->order.n = bal_run_n_settle(run);
    BalStatus rc = run_pass(run, &p, settle_batch, (void *)run->method.ops, err);
    run->ctx = was;
    return rc;
}

BalStatus bal_run_use(BalRun *run, const BalSample *sample, int64_t n, BalError *err) {
    const BalTrainRecipe *t = &run->recipe.train;
    int64_t length;
    BAL_TRY(order_length(n, t, &length, err));
    run->sample = sample;
    run->n_sample = n;
    run->n_steps = run->ctx.n_steps = (length + t->batch - 1) / t->batch;
    return BAL_OK;
}

BalStatus bal_run_sample(BalRun *run, const BalSample *sample, int64_t n, BalError *err) {
    BalSample *copy;
    if (n < 2) return BAL_FAIL(err, BAL_E_ARG, "a list of %lld samples; an epoch needs at least 2", (long long)n);
    for (int64_t i = 0; i < n; i++)
        if (sample[i].clip < 0 || sample[i].clip >= run->n)
            return BAL_FAIL(err, BAL_E_ARG, "sample %lld: the store has no clip %lld", (long long)i,
                            (long long)sample[i].clip);
    BAL_TRY(bal_alloc(&copy, (size_t)n, sizeof *copy, err));
    memcpy(copy, sample, (size_t)n * sizeof *copy);
    BalStatus rc = bal_run_use(run, copy, n, err);
    if (rc < 0) {
        bal_free(copy);
        return rc;
    }
    bal_free(run->own_sample);
    run->own_sample = copy;
    return BAL_OK;
}

static BalStatus sample(void *trainer, const BalSample *list, int64_t n, BalError *err) {
    BAL_TRY(between_epochs(trainer, err));
    return bal_run_sample(trainer, list, n, err);
}

static BalStatus keep(void *trainer, BalError *err) {
    BalRun *run = trainer;
    if (!run->between || run->between != run->method.ops->epoch_begin)
        return BAL_FAIL(err, BAL_E_ARG, "checkpoints of a method's own are for epoch_begin");
    if (!bal_run_is_due(run, run->spec->checkpoint_s)) return BAL_OK;
    run->at.kept++; /* another place than the end of the epoch before */
    return bal_run_save_if_due(run, 0, err);
}

const BalTrainServices bal_train_services = {log_metric, clips, hold_out, pass, sample, keep};

BalStatus bal_run_hook(BalRun *run, BalMethodHook *fn, BalError *err) {
    if (!fn) return BAL_OK;
    run->between = fn;
    run->ctx.optimiser = bal_run_optimiser(run, run->at.epoch);
    BalStatus rc = fn(run->method.self, &run->ctx, err);
    run->between = NULL;
    return rc;
}
