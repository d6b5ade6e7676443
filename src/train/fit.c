/* Fit: one model from its first step to its run.json.
 *
 * An epoch is: the train clips in an order that depends on (seed, epoch) alone, one method step per batch, with train.settle some of these
 * batches again for batch norm's statistics, then an evaluation of all clips, one row in the record, and the decision whether this epoch is the
 * best so far. A stop while they settle repeats all of that: its first pass overwrites what there was. Because order, augmentation and initial
 * weights are counter-based and the session's state is saved whole, the position (epoch, step) is all that a resumed run needs to
 * go on exactly as if it had never stopped. Checkpoints, and with them the record, are written inside an epoch every checkpoint_s seconds, and at its end
 * unless the last is only moments old: a small network would otherwise spend its time writing.
 *
 * A last batch of one clip has no batch statistics worth the name (with a 1x1 map the variance is 0/0), so the epoch's first clip is
 * then seen a second time beside it; every clip is trained on in every epoch, unless train.drop_last leaves out what fills no batch. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <avbalance/backends.h>
#include <avbalance/models.h>
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/option.h"
#include "base/thread.h"
#include "train/run.h"

#define EPOCH_END_GAP_S 15.0 /* a checkpoint costs about half a second for two ResNet-18 */

BalFitSpec bal_fit_spec_default(void) {
    return (BalFitSpec){.method = "audio", .recipe = bal_recipe_default(), .held_out = -1, .checkpoint_s = 300};
}

/* ---- progress ---- */

bool bal_run_tick(BalRun *run, int64_t n) {
    run->done_clips += n;
    const BalProgressSink *sink = &run->spec->progress;
    if (!sink->fn) return true;
    int64_t epoch = run->at.epoch + 1 < run->recipe.train.epochs ? run->at.epoch + 1 : run->recipe.train.epochs;
    char note[200];
    snprintf(note, sizeof note, "epoch %lld/%lld%s", (long long)epoch, (long long)run->recipe.train.epochs, run->note);
    const BalProgress p = {run->stage, run->done_clips, run->total_clips, "clips", note};
    return sink->fn(sink->user, &p);
}

/* ---- setting up ---- */

static BalStatus check_features(const BalRun *run, BalError *err) {
    const BalFeatureRecipe *have = bal_store_recipe(run->store), *want = &run->spec->recipe.feature;
    BalText a = {0}, b = {0};
    BalStatus rc = BAL_OK;
    for (const BalOption *o = bal_feature_options(); o->name && rc == BAL_OK; o++) {
        bal_text_clear(&a);
        bal_text_clear(&b);
        bal_options_value(o, have, &a);
        bal_options_value(o, want, &b);
        rc = bal_text_ok(&a, err);
        if (rc == BAL_OK) rc = bal_text_ok(&b, err);
        if (rc == BAL_OK && strcmp(bal_text_str(&a), bal_text_str(&b)))
            rc = BAL_FAIL(
                err, BAL_E_MISMATCH,
                "the recipe asks for %s = %s, the store was made with %s: ingest with this recipe, or leave the "
                "line out",
                o->name, bal_text_str(&b), bal_text_str(&a));
    }
    bal_text_reset(&a);
    bal_text_reset(&b);
    return rc;
}

/* A class that no train clip has cannot be learnt, only be got wrong. Where a fold is held out, that goes for a class whose clips are all
 * in it (of one source, say): what the run would say of them were no measurement. */
static BalStatus check_classes(const BalRun *run, BalError *err) {
    const int n_classes = bal_store_n_classes(run->store);
    int64_t *n = NULL;
    int missing = 0, first = 0;
    char outside[48] = "";
    BAL_TRY(bal_alloc(&n, (size_t)n_classes, sizeof *n, err));
    for (int64_t i = 0; i < run->n_train; i++) n[bal_store_label(run->store, run->train_sample[i].clip)]++;
    for (int k = n_classes - 1; k >= 0; k--) {
        if (n[k]) continue;
        missing++;
        first = k;
    }
    bal_free(n);
    if (!missing) return BAL_OK;
    if (run->spec->fold)
        snprintf(outside, sizeof outside, " outside of fold %d of %d", run->spec->held_out + 1, run->spec->folds);
    return BAL_FAIL(
        err, BAL_E_ARG,
        "no train clip%s is of class %s (%d of %d classes), which hence cannot be learnt: give it train clips%s or "
        "leave it out of the manifest",
        outside, bal_store_class(run->store, first), missing, n_classes, *outside ? " of more sources" : "");
}

/* The train split without the held out fold, the validation split, and what is scored: all but the former, when there are folds. */
static BalStatus choose_clips(BalRun *run, BalError *err) {
    const int *fold = run->spec->fold;
    run->n = bal_store_count(run->store);
    if (bal_store_n_classes(run->store) == 1)
        return BAL_FAIL(
            err, BAL_E_ARG,
            "every clip of the store is of one class (%s), which is right without looking: see the label column "
            "of its manifest",
            bal_store_class(run->store, 0));
    BAL_TRY(bal_alloc(&run->train_sample, (size_t)run->n, sizeof *run->train_sample, err));
    BAL_TRY(bal_alloc(&run->val_sample, (size_t)run->n, sizeof *run->val_sample, err));
    BAL_TRY(bal_alloc(&run->score_clip, (size_t)run->n, sizeof *run->score_clip, err));
    for (int64_t i = 0; i < run->n; i++) {
        BalSplit split = bal_store_split(run->store, i);
        bool train = split == BAL_SPLIT_TRAIN && !(fold && fold[i] == run->spec->held_out);
        if (bal_store_label(run->store, i) < 0)
            return BAL_FAIL(err, BAL_E_ARG, "clip %s has no label: training needs one for every clip",
                            bal_store_id(run->store, i));
        const BalSample sample = {i, BAL_TAG_AUDIO | BAL_TAG_VISUAL};
        if (train) run->train_sample[run->n_train++] = sample;
        if (split == BAL_SPLIT_VAL) run->val_sample[run->n_val++] = sample;
        if (!train || !fold) run->score_clip[run->n_score++] = i;
    }
    if (run->method.ops->needs_val && !run->n_val)
        return BAL_FAIL(err, BAL_E_ARG,
                        "the method %s looks at validation clips, and the store has none: ingest with --val-share, or "
                        "mark clips as val in the manifest",
                        run->method.ops->name);
    if (run->n_train < 2)
        return BAL_FAIL(
            err, BAL_E_ARG,
            "the store has %lld clips to train on, at least 2 are needed: see the split column of its manifest",
            (long long)run->n_train);
    BAL_TRY(check_classes(run, err));
    return bal_run_use(run, run->train_sample, run->n_train, err);
}

static BalStatus build(BalRun *run, BalError *err) {
    int64_t audio[2], size = run->recipe.input.image_size;
    bal_store_audio_shape(run->store, audio);
    BalNetSpec net = {
        .visual = {4, {run->recipe.input.frames, bal_store_channels(run->store), size, size}},
        .n_classes = bal_store_n_classes(run->store),
    };
    BAL_TRY(bal_model_find(&net.encoder, run->recipe.train.model, err));
    BAL_TRY(bal_model_audio(net.encoder, audio, &net.audio, err));
    BAL_TRY(bal_graph_create(&run->graph, err));
    BAL_TRY(run->method.ops->build(run->method.self, &net, run->graph, &run->needs, err));
    return bal_graph_finish(run->graph, err);
}

static BalStatus open_session(BalRun *run, const struct BalBackendOps *backend, BalError *err) {
    const BalTrainRecipe *t = &run->recipe.train;
    BalSessionConfig cfg = bal_session_config_default();
    cfg.backend = backend;
    cfg.dtype = (BalDtype)t->dtype;
    cfg.threads = (int)t->threads;
    cfg.batch = (int)(t->batch > t->eval_batch ? t->batch : t->eval_batch);
    cfg.n_slots = run->needs.n_slots;
    cfg.n_grads = run->needs.n_grads;
    cfg.n_sweeps = run->needs.n_sweeps;
    cfg.seed = (uint64_t)t->seed;
    return bal_session_create(&run->session, run->graph, &cfg, err);
}

static BalStatus open_readers(BalRun *run, BalError *err) {
    const BalTrainRecipe *t = &run->recipe.train;
    BalReaderSpec spec = {
        .want_audio = run->method.ops->inputs & BAL_TAG_AUDIO,
        .want_visual = run->method.ops->inputs & BAL_TAG_VISUAL,
        .input = run->recipe.input,
        .batch = (int)t->batch,
        .workers = t->threads > 3 ? (int)t->threads / 2 : 1,
        .ahead = 4,
        .seed = (uint64_t)t->seed,
    };
    BAL_TRY(bal_reader_open(&run->train_reader, run->store, &spec, err));
    spec.batch = (int)t->eval_batch;
    return bal_reader_open(&run->score_reader, run->store, &spec, err);
}

static BalStatus alloc_scored(BalScored *s, int64_t n, int c, BalError *err) {
    BAL_TRY(bal_alloc(&s->confidence, (size_t)n, sizeof *s->confidence, err));
    BAL_TRY(bal_alloc(&s->correct, (size_t)n, sizeof *s->correct, err));
    return bal_alloc(&s->logits, (size_t)n * (size_t)c, sizeof *s->logits, err);
}

static BalStatus take_memory(BalRun *run, BalError *err) {
    const BalTrainRecipe *t = &run->recipe.train;
    int c = bal_store_n_classes(run->store);
    size_t rows = (size_t)(t->batch > t->eval_batch ? t->batch : t->eval_batch);
    run->ctx = (BalMethodCtx){.session = run->session,
                              .services = &bal_train_services,
                              .trainer = run,
                              .seed = (uint64_t)t->seed,
                              .n_classes = c,
                              .n_epochs = (uint32_t)t->epochs,
                              .n_steps = run->n_steps};
    run->record.n = run->n;
    run->at.best_value = -INFINITY;
    for (int k = 0; k < BAL_SPLIT_COUNT; k++) run->at.accuracy[k] = NAN;
    BAL_TRY(bal_alloc(&run->ctx.z, rows * (size_t)c, sizeof(float), err));
    BAL_TRY(bal_alloc(&run->ctx.dz, rows * (size_t)c, sizeof(float), err));
    BAL_TRY(bal_alloc(&run->p, rows * (size_t)c, sizeof(float), err));
    BAL_TRY(alloc_scored(&run->scored, run->n, c, err));
    return alloc_scored(&run->best, run->n, c, err);
}

static BalStatus write_ids(const BalRun *run, BalError *err) {
    BalText ids = {0}, path = {0};
    for (int64_t i = 0; i < run->n; i++) bal_text_f(&ids, "%s\n", bal_store_id(run->store, i));
    BalStatus rc = bal_text_ok(&ids, err);
    if (rc == BAL_OK) rc = bal_path_in(&path, run->dir, "ids.txt", err);
    if (rc == BAL_OK) rc = bal_file_write(path.data, ids.data, ids.len, err);
    bal_text_reset(&ids);
    bal_text_reset(&path);
    return rc;
}

/* The recipe as used: what "all processors" and "the best backend" mean here becomes part of the run. */
static BalStatus effective(BalRun *run, const struct BalBackendOps **backend, BalError *err) {
    BalTrainRecipe *t = &run->recipe.train;
    BAL_TRY(bal_backend_find(backend, *t->backend ? t->backend : NULL, err));
    for (int i = 0; i < bal_backend_count() && !*t->backend; i++) {
        const struct BalBackendOps *b;
        const char *name = bal_backend_name(i, NULL, NULL);
        BAL_TRY(bal_backend_find(&b, name, err));
        if (b == *backend) snprintf(t->backend, sizeof t->backend, "%s", name);
    }
    if (!t->threads) t->threads = bal_cpu_count();
    return BAL_OK;
}

static void name_stage(BalRun *run) {
    int n = snprintf(run->stage, sizeof run->stage, "train %s, seed %lld", run->method.ops->name,
                     (long long)run->recipe.train.seed);
    if (run->spec->fold)
        snprintf(run->stage + n, sizeof run->stage - (size_t)n, ", fold %d of %d", run->spec->held_out + 1,
                 run->spec->folds);
}

/* ---- one epoch ---- */

/* As it is used in an epoch. */
static double lr_of(const BalTrainRecipe *t, int64_t epoch) {
    const BalSchedule s = {t->schedule, t->step, t->gamma, t->lr_min, t->epochs};
    double rise = epoch < t->warmup ? (double)(epoch + 1) / (double)(t->warmup + 1) : 1;
    return rise * bal_schedule_lr(&s, t->lr, epoch) * (epoch < t->head_epochs ? t->head_rate : 1);
}

/* The loss or the weights are no numbers any more: say where, write the batch's clips down, keep the last checkpoint. */
BalStatus bal_run_report_batch(const BalRun *run, const BalBatch *b, int64_t epoch, BalStatus rc, BalError *err) {
    const BalTrainRecipe *t = &run->recipe.train;
    BalText ids = {0}, path = {0};
    for (int i = 0; i < b->n; i++) bal_text_f(&ids, "%s\n", bal_store_id(run->store, b->clip[i]));
    bool written = bal_text_ok(&ids, NULL) == BAL_OK &&
                   bal_path_in(&path, run->dir, "last_batch.txt", NULL) == BAL_OK &&
                   bal_file_write(path.data, ids.data, ids.len, NULL) == BAL_OK;
    bal_text_reset(&ids);
    bal_text_reset(&path);
    return bal_error_add(err, rc,
                         "in epoch %lld, step %lld of %lld, clips %s, ...%s: lower train.lr (now %g)%s and give -f",
                         (long long)epoch + 1, (long long)run->ctx.step + 1, (long long)run->ctx.n_steps,
                         bal_store_id(run->store, b->clip[0]), written ? " (all in last_batch.txt)" : "",
                         lr_of(t, epoch), t->dtype == BAL_BF16 ? " or set train.dtype=f32" : "");
}

static int64_t count_right(const BalMethodCtx *c) {
    int64_t right = 0;
    for (int i = 0; i < c->batch.n; i++) {
        const float *z = c->z + (size_t)i * (size_t)c->n_classes;
        right += bal_top(z, c->n_classes) == c->batch.label[i];
    }
    return right;
}

static BalStatus train_step(BalRun *run, const BalBatch *b, const BalOptimiser *o, BalError *err) {
    BalMethodCtx *c = &run->ctx;
    c->batch = bal_order_batch(&run->order, b, run->at.step * run->recipe.train.batch);
    c->step = run->at.step;
    BalStatus rc = bal_method_step(&run->method, c, o, err);
    if (rc < 0) return rc == BAL_E_NUMERIC ? bal_run_report_batch(run, b, run->at.epoch, rc, err) : rc;
    run->at.step++;
    run->at.loss += c->loss * b->n;
    run->at.seen += b->n;
    run->at.right += count_right(c);
    return BAL_OK;
}

bool bal_run_is_due(const BalRun *run, double after_s) {
    return bal_now_s() - run->saved_s >= after_s;
}

BalStatus bal_run_save_if_due(BalRun *run, double after_s, BalError *err) {
    if (!bal_run_is_due(run, after_s)) return BAL_OK;
    BalStatus rc = bal_run_checkpoint(run, err);
    run->saved_s = bal_now_s();
    return rc;
}

/* Stopped by the user: what was done so far is kept. */
static BalStatus stop(BalRun *run, BalError *err) {
    BAL_TRY(bal_run_checkpoint(run, err));
    return BAL_FAIL(err, BAL_E_CANCELLED, "stopped in epoch %lld of %s; the same command continues",
                    (long long)run->at.epoch + 1, run->dir);
}

BalOptimiser bal_run_optimiser(const BalRun *run, int64_t epoch) {
    const BalTrainRecipe *t = &run->recipe.train;
    return (BalOptimiser){.kind = (BalOptimiserKind)t->optimiser,
                          .lr = lr_of(t, epoch),
                          .momentum = t->momentum,
                          .weight_decay = t->weight_decay,
                          .beta1 = 0.9,
                          .beta2 = 0.999,
                          .eps = 1e-8};
}

/* ", loss 0.693, acc 0.512", and the first of what the method measures. */
static void note_running(BalRun *run) {
    const BalPosition *at = &run->at;
    int n = snprintf(run->note, sizeof run->note, ", loss %.3f, acc %.3f", at->loss / (double)at->seen,
                     (double)at->right / (double)at->seen);
    for (int i = 0; i < at->n_metrics && i < 3 && n < (int)sizeof run->note; i++)
        n += snprintf(run->note + n, sizeof run->note - (size_t)n, ", %s %.3g", at->metric[i].name,
                      at->metric[i].sum / (double)at->metric[i].n);
}

static BalStatus train_epoch(BalRun *run, BalError *err) {
    const BalTrainRecipe *t = &run->recipe.train;
    const BalMethodPass epoch = {run->sample, run->n_sample, true, (uint32_t)run->at.epoch};
    const BalOptimiser o = bal_run_optimiser(run, run->at.epoch);
    run->ctx.epoch_tags = run->at.epoch < t->head_epochs ? BAL_TAG_HEAD : 0;
    const BalBatch *b;
    BalStatus rc;
    BAL_TRY(bal_order_fill(&run->order, &epoch, t, err));
    BAL_TRY(bal_reader_start(run->train_reader, run->order.clip, run->order.n, epoch.epoch, true, run->at.step, err));
    while ((rc = bal_reader_next(run->train_reader, &b, err)) == BAL_OK) {
        BAL_TRY(train_step(run, b, &o, err));
        note_running(run);
        if (!bal_run_tick(run, b->n)) return stop(run, err);
        BAL_TRY(bal_run_save_if_due(run, run->spec->checkpoint_s, err));
    }
    return rc == BAL_END ? BAL_OK : rc;
}

/* ---- after an epoch ---- */

static double accuracy(const BalSplitScore *s) {
    return s->n ? (double)s->right / (double)s->n : NAN;
}

static bool is_better(const BalRun *run, double *value) {
    const BalSplitScore *val = &run->scored.split[BAL_SPLIT_VAL];
    int rule = run->recipe.train.selection;
    if (rule == BAL_SELECT_LAST || !val->n) return true;
    *value = rule == BAL_SELECT_LOSS ? -val->loss / (double)val->n : accuracy(val);
    return *value > run->at.best_value;
}

static void log_line(const BalRun *run, bool best, BalText *out) {
    BalJsonOut o = bal_json_out(out, false);
    bal_json_open(&o, NULL, '{');
    bal_json_add_int(&o, "epoch", run->at.epoch + 1);
    bal_json_add_real(&o, "lr", lr_of(&run->recipe.train, run->at.epoch));
    bal_json_add_real(&o, "running_loss", run->at.loss / (double)run->at.seen);
    bal_json_add_real(&o, "running_accuracy", (double)run->at.right / (double)run->at.seen);
    for (int k = 0; k < BAL_SPLIT_COUNT; k++) {
        const BalSplitScore *s = &run->scored.split[k];
        if (!s->n) continue;
        bal_json_open(&o, bal_split_name((BalSplit)k), '{');
        bal_json_add_int(&o, "n", s->n);
        bal_json_add_real(&o, "loss", s->loss / (double)s->n);
        bal_json_add_real(&o, "accuracy", accuracy(s));
        bal_json_close(&o, '}');
    }
    if (run->at.n_metrics) bal_json_open(&o, "metrics", '{');
    for (int i = 0; i < run->at.n_metrics; i++)
        bal_json_add_real(&o, run->at.metric[i].name, run->at.metric[i].sum / (double)run->at.metric[i].n);
    if (run->at.n_metrics) bal_json_close(&o, '}');
    bal_json_add_bool(&o, "best", best);
    bal_json_close(&o, '}');
}

/* Keep the weights in memory until the next checkpoint; the scores change places with those of the best so far. */
static BalStatus keep_epoch(BalRun *run, double value, BalError *err) {
    if (run->best_weights) bal_session_release(run->session, &run->best_weights);
    BAL_TRY(bal_session_snapshot(run->session, &run->best_weights, err));
    BalScored s = run->best;
    run->best = run->scored;
    run->scored = s;
    run->at.best_epoch = run->at.epoch + 1;
    run->at.best_value = value;
    for (int k = 0; k < BAL_SPLIT_COUNT; k++) run->at.accuracy[k] = accuracy(&run->best.split[k]);
    return BAL_OK;
}

static BalStatus close_epoch(BalRun *run, double train_s, double score_s, BalError *err) {
    BalText log = {0}, timing = {0};
    double value = -INFINITY;
    bool best = is_better(run, &value);
    log_line(run, best, &log);
    bal_text_f(&timing, "{\"epoch\":%lld,\"train_s\":%.3f,\"score_s\":%.3f}", (long long)run->at.epoch + 1, train_s,
               score_s);
    BalStatus rc = bal_text_ok(&log, err);
    if (rc == BAL_OK) rc = bal_text_ok(&timing, err);
    if (rc == BAL_OK) rc = bal_record_add(&run->record, &run->scored, log.data, timing.data, err);
    bal_text_reset(&log);
    bal_text_reset(&timing);
    if (rc < 0) return rc;

    int shown = run->n_val ? BAL_SPLIT_VAL : BAL_SPLIT_TRAIN;
    snprintf(run->note, sizeof run->note, ", loss %.3f, %s acc %.3f", run->at.loss / (double)run->at.seen,
             bal_split_name((BalSplit)shown), accuracy(&run->scored.split[shown]));
    if (best) BAL_TRY(keep_epoch(run, value, err));
    run->at.epoch++;
    run->at.step = run->at.seen = run->at.right = run->at.n_metrics = 0;
    run->at.loss = 0;
    return BAL_OK;
}

static BalStatus one_epoch(BalRun *run, BalError *err) {
    double s0 = bal_now_s(), gap = fmin(run->spec->checkpoint_s, EPOCH_END_GAP_S);
    run->ctx.epoch = (uint32_t)run->at.epoch;
    if (!run->at.step) BAL_TRY(bal_run_hook(run, run->method.ops->epoch_begin, err));
    run->at.kept = 0;
    BAL_TRY(train_epoch(run, err));
    double s1 = bal_now_s();
    BalStatus rc = bal_run_settle(run, err);
    if (rc == BAL_OK) rc = bal_run_evaluate(run, err);
    if (rc == BAL_E_CANCELLED) return stop(run, err);
    BAL_TRY(rc);
    BAL_TRY(bal_run_hook(run, run->method.ops->epoch_end, err));
    BAL_TRY(close_epoch(run, s1 - s0, bal_now_s() - s1, err));
    return bal_run_save_if_due(run, gap, err);
}

static bool is_over(const BalRun *run) {
    const BalTrainRecipe *t = &run->recipe.train;
    if (run->at.epoch >= t->epochs) return true;
    return t->patience && run->at.epoch && run->at.epoch - run->at.best_epoch >= t->patience;
}

/* ---- the whole ---- */

static BalStatus begin(BalRun *run, const struct BalBackendOps *backend, BalError *err) {
    BAL_TRY(open_session(run, backend, err));
    BAL_TRY(take_memory(run, err));
    BAL_TRY(open_readers(run, err));
    BAL_TRY(bal_run_init(run, err));
    BAL_TRY(bal_run_resume(run, err));
    if (run->at.step > run->n_steps || run->at.epoch > run->recipe.train.epochs)
        return BAL_FAIL(err, BAL_E_FORMAT, "%s: the checkpoint's position lies outside the run; start anew with -f",
                        run->dir);
    BAL_TRY(write_ids(run, err));
    run->saved_s = bal_now_s();
    const int64_t epoch = run->n_sample + bal_run_n_settle(run) + run->n_score;
    run->total_clips = run->recipe.train.epochs * epoch;
    run->done_clips = run->at.epoch * epoch + run->at.seen;
    return BAL_OK;
}

static BalStatus check_encoder(const BalRun *run, BalError *err) {
    const BalModelOps *encoder = NULL;
    BalShape shape;
    int64_t audio[2];
    BAL_TRY(bal_model_find(&encoder, run->recipe.train.model, err));
    if (encoder->patch[0] && run->method.ops->inputs != BAL_TAG_AUDIO)
        return BAL_FAIL(err, BAL_E_ARG, "the encoder %s is for sound, the method %s wants one for pictures: see models",
                        encoder->name, run->method.ops->name);
    if (run->recipe.train.head_epochs && strcmp(run->method.ops->name, "audio") &&
        strcmp(run->method.ops->name, "visual"))
        return BAL_FAIL(err, BAL_E_ARG, "train.head_epochs is for the methods audio and visual; set it to 0 for %s",
                        run->method.ops->name);
    bal_store_audio_shape(run->store, audio);
    return bal_model_audio(encoder, audio, &shape, err);
}

/* What is known to be impossible before anything is written. */
static BalStatus check(BalRun *run, const struct BalBackendOps **backend, BalError *err) {
    const BalFitSpec *spec = run->spec;
    if (spec->ops)
        BAL_TRY(bal_method_open_ops(&run->method, spec->ops, err));
    else
        BAL_TRY(bal_method_open(&run->method, spec->method, err));
    BAL_TRY(bal_recipe_method(&spec->recipe, run->method.ops, run->method.self, err));
    BAL_TRY(check_features(run, err));
    BAL_TRY(bal_input_recipe_check(&spec->recipe.input, err));
    BAL_TRY(effective(run, backend, err));
    BAL_TRY(check_encoder(run, err));
    BAL_TRY(choose_clips(run, err));
    BAL_TRY(build(run, err));
    return bal_run_init(run, err); /* whether the files fit */
}

static BalStatus fit(BalRun *run, BalFitResult *out, BalError *err) {
    const struct BalBackendOps *backend;
    bool done = false;
    BAL_TRY(check(run, &backend, err));
    name_stage(run);
    BAL_TRY(bal_run_claim(run, &done, err));
    if (done) return bal_run_read_result(run->dir, out, err);
    BAL_TRY(begin(run, backend, err));
    while (!is_over(run)) BAL_TRY(one_epoch(run, err));
    BAL_TRY(bal_run_finish(run, err));
    BalFitResult r = {.n = run->n, .n_train = run->n_train, .epochs = (int)run->at.epoch};
    r.epochs_used = r.best_epoch = (int)run->at.best_epoch;
    memcpy(r.accuracy, run->at.accuracy, sizeof r.accuracy);
    bal_run_best_test(run, &r.best_test_epoch, &r.best_test_accuracy);
    *out = r;
    return BAL_OK;
}

static void free_scored(BalScored *s) {
    bal_free(s->confidence);
    bal_free(s->correct);
    bal_free(s->logits);
}

static void close_run(BalRun *run) {
    bal_reader_close(&run->train_reader);
    bal_reader_close(&run->score_reader);
    if (run->best_weights) bal_session_release(run->session, &run->best_weights);
    bal_session_destroy(&run->session);
    bal_graph_destroy(&run->graph);
    bal_method_close(&run->method);
    bal_record_reset(&run->record);
    free_scored(&run->scored);
    free_scored(&run->best);
    bal_free(run->ctx.z);
    bal_free(run->ctx.dz);
    bal_free(run->p);
    bal_free(run->train_sample);
    bal_free(run->val_sample);
    bal_free(run->own_sample);
    bal_free(run->score_clip);
    bal_order_reset(&run->order);
    bal_unlock_dir(&run->lock);
}

static BalRun new_run(const BalStore *store, const BalFitSpec *spec) {
    return (BalRun){.store = store,
                    .spec = spec,
                    .recipe = spec->recipe,
                    .dir = spec->dir,
                    .lock = -1,
                    .needs = {.n_slots = 1, .n_grads = 1, .n_sweeps = 1}};
}

BalStatus bal_fit(const BalStore *store, const BalFitSpec *spec, BalFitResult *out, BalError *err) {
    BalRun run = new_run(store, spec);
    BalStatus rc = fit(&run, out, err);
    if (rc == BAL_E_IO) bal_error_add(err, rc, "once the cause is mended, the same command continues (without -f)");
    close_run(&run);
    return rc;
}

BalStatus bal_fit_check(const BalStore *store, const BalFitSpec *spec, BalError *err) {
    BalRun run = new_run(store, spec);
    const struct BalBackendOps *backend;
    BalStatus rc = check(&run, &backend, err);
    if (rc == BAL_OK) rc = bal_run_check(&run, err);
    close_run(&run);
    return rc;
}
