/* What a scorer is: a network, how a clip becomes its input, and how its answers become probabilities.
 *
 * A new one is a const table in a file of its own and a line in scorer.c. Workers prepare clips, each into one block of floats; the
 * thread that holds the session runs the network over the block's passes. */
#ifndef BAL_CURATE_SCORER_H
#define BAL_CURATE_SCORER_H

#include <avbalance/import.h>
#include <avbalance/score.h>
#include <avbalance/session.h>

typedef struct BalScorer BalScorer;
typedef struct BalScorerOps {
    BalScorerInfo info;
    int variant;              /* the scorer's own */
    const char *head;         /* weight of the layer whose rows are the classes */
    const char *head_in_runs; /* its name in weights of `train`; NULL: the same */
    /* The network into s->g, from the shapes of s->weights: inputs, and the output "logits" [rows,n_classes]. Sets pass_floats. */
    BalStatus (*build)(BalScorer *s, BalError *err);
    BalStatus (*worker_open)(const BalScorer *s, void **worker, BalError *err);
    void (*worker_close)(void **worker); /* accepts NULL inside */
    /* One clip of a file into out [n_passes, pass_floats]. Errors are the clip's. */
    BalStatus (*prepare)(const BalScorer *s, void *worker, const char *path, const BalClipSpec *clip,
                         const BalMediaLimits *limits, float *out, BalError *err);
    BalStatus (*set)(BalScorer *s, const float *pass, BalError *err); /* hand a pass to the session */
} BalScorerOps;

struct BalScorer { /* zero is valid; bal_scorer_close frees */
    const BalScorerOps *ops;
    const BalScorerView *view;
    bool before; /* average before the softmax */
    BalImport *weights;
    const char *head;
    int n_classes, n_passes;
    size_t pass_floats;
    int64_t rows;
    BalGraph *g;
    BalSession *session;
    float *logits, *scratch; /* [rows,n_classes]; the scorer's own */
    double *mean, *p;        /* [n_classes] */
};

/* path: the weight file itself. */
BAL_MUST_USE BalStatus bal_scorer_open(BalScorer *s, const BalScoreSpec *spec, const char *path, BalError *err);
/* Probabilities [n_classes] of one prepared clip. BAL_E_NUMERIC: the network answers with what is no number. */
BAL_MUST_USE BalStatus bal_scorer_run(BalScorer *s, const float *input, float *p, BalError *err);
void bal_scorer_close(BalScorer *s);

/* For build: size `axis` of a tensor of the weights; 0: no such tensor or axis. */
int bal_scorer_dim(const BalScorer *s, const char *tensor, int axis);

extern const BalScorerOps bal_scorer_slowfast, bal_scorer_slowfast_4x16, bal_scorer_vggish, bal_scorer_vggsound;

#endif
