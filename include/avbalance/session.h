/* A session: one graph, planned for one backend and type, with its parameters, gradients and optimiser.
 *
 * Parameters are float32 in one block, gradients in n_grad blocks of the same layout, activations in one planned block per slot.
 * A slot holds the activations of one forward pass, so that several passes (other masks, other batch-norm mode) can be alive
 * before their backward sweeps. Memory is taken at creation and at the first use of a batch size, never in a step after that. */
#ifndef AVBALANCE_SESSION_H
#define AVBALANCE_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <avbalance/error.h>
#include <avbalance/graph.h>

typedef struct BalSession BalSession;
typedef struct BalSessionConfig {
    const struct BalBackendOps *backend; /* from bal_backend_find (backends.h) */
    BalDtype dtype;                      /* of activations and convolution arithmetic */
    int threads;                         /* 0: all processors this process may use */
    int batch;                           /* most clips per pass */
    int n_slots;                         /* passes alive at once (default 1) */
    int n_grads;                         /* gradient buffers (default 1; 0: inference only) */
    int n_sweeps;                        /* backward sweeps that one forward pass must survive (default 1) */
    bool fold;                           /* n_grads 0 only: batch norm and ReLU become part of the convolution before
                                            them, which changes rounding and halves the passes over memory */
    uint64_t seed;                       /* of the initial weights */
} BalSessionConfig;
BAL_API BalSessionConfig bal_session_config_default(void);
/* The graph must be finished and outlive the session. Weights: conv kaiming-normal fan-out, linear xavier-normal, biases 0,
 * bn 1 and 0, each tensor from its own stream. BAL_E_UNSUPPORTED: the backend lacks an op. */
BAL_API BAL_MUST_USE BalStatus bal_session_create(BalSession **out, const BalGraph *g, const BalSessionConfig *cfg,
                                                  BalError *err);
BAL_API void bal_session_destroy(BalSession **s);
BAL_API size_t bal_session_bytes(const BalSession *s); /* memory held, all blocks */

typedef enum BalMode {
    BAL_MODE_TRAIN,  /* batch statistics, running statistics move, backward possible   */
    BAL_MODE_FROZEN, /* running statistics, unmoved, backward possible (AGM, probes)   */
    BAL_MODE_EVAL,   /* running statistics, no backward: memory and passes are saved   */
    /* Batch statistics, and the running ones become the mean of those of this pass and the passes of this mode just before it, each clip
     * weighing the same, whatever they were: what the weights of now make of the data (PreciseBN, Wu and Johnson 2021). No backward. */
    BAL_MODE_SETTLE
} BalMode;

/* Hand data to an input (host floats [n,...], copied before the call returns; NULL: zeros) or to a scale ([n]; NULL: ones again). What
 * was set stays for later passes of the same number of clips. BAL_E_ARG: no such name, or more clips than the session was made for. */
BAL_API BAL_MUST_USE BalStatus bal_session_set(BalSession *s, int slot, const char *name, const float *data, int n,
                                               BalError *err);
BAL_API bool bal_session_has(const BalSession *s, const char *name); /* an input or a scale of the graph */
BAL_API BAL_MUST_USE BalStatus bal_session_forward(BalSession *s, int slot, int n, BalMode mode, BalError *err);
/* Output [n,...] as plain floats into the caller's memory. */
BAL_API BAL_MUST_USE BalStatus bal_session_get(BalSession *s, int slot, const char *output, float *out, BalError *err);
/* dL/d(output), [n,...]; outputs not seeded count as zero. Seeds are used up by one backward. */
BAL_API BAL_MUST_USE BalStatus bal_session_seed(BalSession *s, int slot, const char *output, const float *grad,
                                                BalError *err);
/* Sweep backward through the slot's last forward into gradient buffer `grad`; add: onto what it holds, else overwrite
 * (parameters that the sweep does not reach become 0). Only what lies between the seeded outputs and parameters is computed.
 * BAL_E_ARG: more sweeps than n_sweeps since the forward pass. */
BAL_API BAL_MUST_USE BalStatus bal_session_backward(BalSession *s, int slot, int grad, bool add, BalError *err);

/* ---- losses on the host ---- */
/* Batch mean of -log softmax(z)_y and its gradient. z, dz, p: [n,c]; dz and p may be NULL; any loss weight goes into dz. */
BAL_API double bal_softmax_ce(const float *z, const int32_t *y, int n, int c, double weight, float *dz, float *p);

/* ---- parameters ---- */
typedef struct BalParam { /* also running statistics of batch norm and what is frozen, with trainable false */
    const char *name;     /* "layer1.0.conv1.weight", torchvision's names */
    BalShape shape;       /* logical: conv [O,I,(K),H,W], linear [O,I], bn [C] */
    unsigned tags;
    bool trainable;
} BalParam;
BAL_API int bal_session_n_params(const BalSession *s);
BAL_API const BalParam *bal_session_param(const BalSession *s, int i);
BAL_API int bal_session_find_param(const BalSession *s, const char *name); /* -1: none */
BAL_API BAL_MUST_USE BalStatus bal_session_param_get(BalSession *s, int i, float *plain, BalError *err);
BAL_API BAL_MUST_USE BalStatus bal_session_param_set(BalSession *s, int i, const float *plain, BalError *err);
BAL_API BAL_MUST_USE BalStatus bal_session_grad_get(BalSession *s, int grad, int i, float *plain, BalError *err);
BAL_API BAL_MUST_USE BalStatus bal_session_grad_set(BalSession *s, int grad, int i, const float *plain, BalError *err);

/* Reductions over one parameter, in double, in a fixed order: what methods read. */
typedef struct BalParamStats {
    double sum_g, sum_gg, sum_ww, dot;
    int64_t n;
} BalParamStats; /* dot with buffer `other` */
BAL_API BAL_MUST_USE BalStatus bal_session_stats(BalSession *s, int grad, int other, int i, BalParamStats *out,
                                                 BalError *err);
BAL_API BAL_MUST_USE BalStatus bal_session_grad_scale(BalSession *s, int grad, int i, double factor, BalError *err);
/* g += N(0, sigma^2), one stream per (seed, epoch*steps+step, parameter), in logical order on every backend. */
BAL_API BAL_MUST_USE BalStatus bal_session_grad_noise(BalSession *s, int grad, int i, double sigma, uint64_t seed,
                                                      uint32_t epoch, uint64_t step, BalError *err);
BAL_API BAL_MUST_USE BalStatus bal_session_grad_axpy(BalSession *s, int to, double beta, int from, double alpha, int i,
                                                     BalError *err); /* to = beta*to + alpha*from */
BAL_API BAL_MUST_USE BalStatus bal_session_grad_param(BalSession *s, int to, double beta, double alpha, int i,
                                                      BalError *err); /* to = beta*to + alpha*parameter i */

/* Snapshot and blend of all parameters and running statistics (probes, re-learning). */
BAL_API BAL_MUST_USE BalStatus bal_session_snapshot(BalSession *s, float **out,
                                                    BalError *err); /* opaque order; bal_session_release */
BAL_API BAL_MUST_USE BalStatus bal_session_restore(BalSession *s, const float *snapshot, BalError *err);
BAL_API void bal_session_release(BalSession *s, float **snapshot);
/* The same with the optimiser's moments and step counts: what a nested training must put back. A snapshot of one kind is restored by
 * the call of that kind. */
BAL_API BAL_MUST_USE BalStatus bal_session_snapshot_state(BalSession *s, float **out, BalError *err);
BAL_API size_t bal_session_state_bytes(const BalSession *s, const float *snapshot); /* of one that holds the state */
BAL_API BAL_MUST_USE BalStatus bal_session_restore_state(BalSession *s, const float *snapshot, BalError *err);

/* ---- optimiser ---- */
typedef enum BalOptimiserKind { BAL_SGD, BAL_ADAM, BAL_ADAMW } BalOptimiserKind;
typedef struct BalOptimiser {
    BalOptimiserKind kind;
    double lr, momentum, weight_decay, beta1, beta2,
        eps; /* torch's definitions: wd before momentum; Adam L2, AdamW decoupled */
} BalOptimiser;
/* Update the parameters whose tags meet `tags` (0: all) from gradient buffer `grad`. */
BAL_API BAL_MUST_USE BalStatus bal_session_update(BalSession *s, const BalOptimiser *o, int grad, unsigned tags,
                                                  BalError *err);
BAL_API BAL_MUST_USE BalStatus bal_session_optimiser_reset(BalSession *s, unsigned tags, BalError *err);
/* Learning rate of epoch e (0-based): step: lr * gamma^floor(e/step); cosine: lr_min + (lr-lr_min)(1+cos(pi e/epochs))/2. */
typedef struct BalSchedule {
    int kind;
    int64_t step;
    double gamma, lr_min;
    int64_t epochs;
} BalSchedule; /* kind: 0 constant, 1 step, 2 cosine */
BAL_API double bal_schedule_lr(const BalSchedule *s, double lr, int64_t epoch);

/* ---- weights and state on disk: safetensors ---- */
/* Parameters and running statistics under their names, float32; opens in torch and in any safetensors reader. `metadata` is
 * a list of key, value, ..., NULL or NULL. */
BAL_API BAL_MUST_USE BalStatus bal_session_save(BalSession *s, const char *path, const char *const *metadata,
                                                BalError *err);
/* Every parameter must be there with its exact shape, as F32, F64, F16 or BF16; num_batches_tracked may be absent; any other extra
 * tensor is named in the error unless lenient. The file is checked whole before the session is touched.
 * BAL_E_FORMAT: no sound safetensors file; BAL_E_MISMATCH, BAL_E_SHAPE: weights of another network. */
BAL_API BAL_MUST_USE BalStatus bal_session_load(BalSession *s, const char *path, bool lenient, BalError *err);
/* Whether the file has every parameter of the graph in its exact shape, with the errors of bal_session_load: to be asked where shapes of the
 * graph came from that very file, before a session takes memory for them. */
BAL_API BAL_MUST_USE BalStatus bal_graph_fits(const BalGraph *g, const char *path, BalError *err);
/* Weights of one encoder into the parameters whose names begin with prefix ("audio."): their names in the file follow it. Heads and
 * gates (BAL_TAG_FC, BAL_TAG_GATE) that the file lacks or has for other classes keep their values; a stem for three colours is added up for an
 * input of one channel; all else must be there in its exact shape; the file's other tensors are passed over. Running statistics come along.
 * Errors as bal_session_load; BAL_E_ARG: the network has nothing under prefix. */
BAL_API BAL_MUST_USE BalStatus bal_session_load_under(BalSession *s, const char *prefix, const char *path,
                                                      BalError *err);
BAL_API bool bal_graph_has_under(const BalGraph *g, const char *prefix); /* a parameter whose name begins so */
/* Whether bal_session_load_under would succeed, with its errors. */
BAL_API BAL_MUST_USE BalStatus bal_graph_fits_under(const BalGraph *g, const char *prefix, const char *path,
                                                    BalError *err);
/* Everything that a resumed training needs (weights, statistics, optimiser moments, step counts): same bytes after resume. */
BAL_API BAL_MUST_USE BalStatus bal_session_save_state(BalSession *s, const char *path, const char *const *metadata,
                                                      BalError *err);
BAL_API BAL_MUST_USE BalStatus bal_session_load_state(BalSession *s, const char *path, BalError *err);

#endif
