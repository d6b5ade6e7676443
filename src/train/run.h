/* One run while it is being trained: what fit, evaluate, record and checkpoint share.
 *
 * Position is the whole of what a resumed run must know beside the session's state; everything else follows from the recipe. */
#ifndef BAL_TRAIN_RUN_H
#define BAL_TRAIN_RUN_H

#include <avbalance/dataset.h>
#include <avbalance/method.h>
#include <avbalance/train.h>
#include "base/text.h"

/* ---- evaluation: one pass over clips in eval mode (evaluate.c) ---- */
int bal_top(const float *z, int n_classes); /* the answer that logits give: the first of the largest */

typedef struct BalSplitScore {
    int64_t n, right;
    double loss; /* sum of -log confidence */
} BalSplitScore;

typedef struct BalScored { /* [n], [n], [n,n_classes] over all clips of the store */
    float *confidence;     /* NaN: not scored */
    uint8_t *correct;      /* 255: not scored */
    float *logits;         /* NaN: not scored */
    BalSplitScore split[BAL_SPLIT_COUNT];
} BalScored;

/* ---- what is kept of every epoch (record.c) ---- */
typedef struct BalRecord {
    int64_t n;    /* clips */
    int n_epochs; /* rows filled */
    size_t confidence_cap, correct_cap;
    float *confidence; /* [n_epochs,n] */
    uint8_t *correct;  /* [n_epochs,n] */
    BalText log, timing;
} BalRecord;

/* out becomes the path of `name` in dir. */
BAL_MUST_USE BalStatus bal_path_in(BalText *out, const char *dir, const char *name, BalError *err);

void bal_record_reset(BalRecord *r);
/* One more row, and one more line in log and timing. */
BAL_MUST_USE BalStatus bal_record_add(BalRecord *r, const BalScored *s, const char *log, const char *timing,
                                      BalError *err);
BAL_MUST_USE BalStatus bal_record_write(const BalRecord *r, const char *dir, BalError *err);
/* The first n_epochs rows of what stands in dir; later ones (written after the last checkpoint) are dropped. */
BAL_MUST_USE BalStatus bal_record_read(BalRecord *r, const char *dir, int n_epochs, BalError *err);

/* ---- where a run stands (checkpoint.c) ---- */
enum { BAL_MOST_METRICS = 32 };
typedef struct BalMetric { /* what a method logged in the running epoch */
    char name[48];
    double sum;
    int64_t n;
} BalMetric;

typedef struct BalPosition {
    int64_t epoch, step; /* epochs done, steps done of the running one */
    double loss;         /* of the running epoch: sum over clips seen */
    int64_t seen, right;
    int64_t best_epoch;               /* 1-based; 0: none yet */
    double best_value;                /* larger is better */
    double accuracy[BAL_SPLIT_COUNT]; /* of the best epoch */
    BalMetric metric[BAL_MOST_METRICS];
    int n_metrics;
    int64_t kept; /* checkpoints written while epoch_begin was at work; 0 outside */
} BalPosition;

/* ---- the clips of an epoch or pass in the order of their batches (services.c) ---- */
typedef struct BalOrder {
    int64_t *clip, *index, n; /* [n] store index, and which sample it is */
    unsigned char *keep;      /* [n] as in BalSample */
    bool masked;              /* some clip lacks a modality */
    size_t cap[3];
} BalOrder;
void bal_order_reset(BalOrder *o);
BAL_MUST_USE BalStatus bal_order_fill(BalOrder *o, const BalMethodPass *p, const BalTrainRecipe *t, BalError *err);
/* The reader's batch, with what is to be seen of it; first: place of its first clip in the order. */
BalMethodBatch bal_order_batch(const BalOrder *o, const BalBatch *b, int64_t first);

typedef struct BalRun {
    const BalStore *store;
    const BalFitSpec *spec;
    BalRecipe recipe; /* as used: threads and backend filled in */
    const char *dir;
    int lock;       /* of dir */
    char stage[64]; /* "train audio seed 0 fold 2" for progress */
    BalMethod method;
    BalMethodNeeds needs;
    BalGraph *graph;
    BalSession *session;
    BalReader *train_reader, *score_reader;
    BalMethodCtx ctx;
    BalScored scored, best;                            /* best: of the best epoch while best_weights is set */
    float *p;                                          /* [eval_batch,n_classes] */
    float *best_weights;                               /* snapshot not yet on disk, or NULL */
    BalSample *train_sample, *val_sample, *own_sample; /* own: given by the method, or NULL */
    const BalSample *sample;                           /* of the epochs: train_sample or own_sample */
    BalOrder order;
    int64_t *score_clip;
    int64_t n, n_train, n_val, n_sample, n_score, n_steps;
    BalMethodHook *between; /* epoch_begin or epoch_end while it runs, so that it may ask for passes; else NULL */
    BalRecord record;
    BalPosition at;
    int64_t done_clips, total_clips; /* progress */
    double saved_s;                  /* clock: last checkpoint */
    char note[160];
} BalRun;

/* ---- services to the method (services.c) ---- */
extern const BalTrainServices bal_train_services;
/* epoch_begin or epoch_end (NULL: nothing to do). */
BAL_MUST_USE BalStatus bal_run_hook(BalRun *run, BalMethodHook *fn, BalError *err);
/* The list of the coming epochs, borrowed. BAL_E_ARG: with train.drop_last it fills no batch. */
BAL_MUST_USE BalStatus bal_run_use(BalRun *run, const BalSample *sample, int64_t n, BalError *err);
/* The same for a list of the method's, copied. BAL_E_ARG: also where it has fewer than 2 samples or a clip that there is not. */
BAL_MUST_USE BalStatus bal_run_sample(BalRun *run, const BalSample *sample, int64_t n, BalError *err);
BalOptimiser bal_run_optimiser(const BalRun *run, int64_t epoch); /* as the recipe has it */

/* Running statistics of batch norm become those of the weights that are there, as train.settle says. BAL_E_CANCELLED. */
BAL_MUST_USE BalStatus bal_run_settle(BalRun *run, BalError *err);
int64_t bal_run_n_settle(const BalRun *run); /* clips that this takes */
/* Confidence, correctness and logits of run->score_clip after the running epoch. BAL_E_CANCELLED, BAL_E_NUMERIC (names the clip). */
BAL_MUST_USE BalStatus bal_run_evaluate(BalRun *run, BalError *err);
/* rc with where it happened (epoch from 0, ctx.step), the clips and the remedy; their ids also go to last_batch.txt. */
BalStatus bal_run_report_batch(const BalRun *run, const BalBatch *b, int64_t epoch, BalStatus rc, BalError *err);
/* Report progress after n more clips; false: asked to stop. */
bool bal_run_tick(BalRun *run, int64_t n);

/* Whether dir can be used: made, emptied of another run with spec->force, or holding this very run. *done: it is complete. */
BAL_MUST_USE BalStatus bal_run_claim(BalRun *run, bool *done, BalError *err);
/* BAL_E_MISMATCH: dir holds another run, which would be lost; changes nothing. */
BAL_MUST_USE BalStatus bal_run_check(const BalRun *run, BalError *err);
/* First weights from the files of spec->init; while there is no session, whether they fit the graph. */
BAL_MUST_USE BalStatus bal_run_init(BalRun *run, BalError *err);
/* The epoch (1-based; 0: none) with the best test accuracy: reported beside the result, never used. */
void bal_run_best_test(const BalRun *run, int *epoch, double *accuracy);
/* Continue from the newest complete checkpoint, if there is one. */
BAL_MUST_USE BalStatus bal_run_resume(BalRun *run, BalError *err);
BAL_MUST_USE BalStatus bal_run_checkpoint(BalRun *run, BalError *err);
/* A checkpoint if the last is after_s old. */
BAL_MUST_USE BalStatus bal_run_save_if_due(BalRun *run, double after_s, BalError *err);
bool bal_run_is_due(const BalRun *run, double after_s);
/* Weights, logits and predictions of the best epoch into dir, if they are not there already. */
BAL_MUST_USE BalStatus bal_run_keep_best(BalRun *run, BalError *err);
/* run.json, then the checkpoints go. */
BAL_MUST_USE BalStatus bal_run_finish(BalRun *run, BalError *err);
BAL_MUST_USE BalStatus bal_run_read_result(const char *dir, BalFitResult *out, BalError *err);

#endif
