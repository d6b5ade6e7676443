/* Score: what pretrained networks hear and see in clips, as probabilities of all the classes that they know. */
#ifndef AVBALANCE_SCORE_H
#define AVBALANCE_SCORE_H

#include <stdbool.h>
#include <stdint.h>
#include <avbalance/curate.h>
#include <avbalance/dataset.h>
#include <avbalance/error.h>
#include <avbalance/graph.h>

/* ---- scorers of this build ---- */
typedef struct BalScorerView { /* how much of a clip is looked at */
    const char *name, *summary;
    int temporal, crops, size; /* pictures: times, crops of each, their height and width; sound: 1, 1, 0 */
} BalScorerView;
typedef struct BalScorerInfo {
    const char *name, *summary, *paper;
    BalSide side;
    const BalScorerView *view; /* the first is the default; one without a name ends the list */
    const char *before;  /* what is averaged where not probabilities are: "logits", "embeddings"; NULL: nothing is */
    bool average_before; /* the default */
} BalScorerInfo;
BAL_API int bal_scorer_count(void);
BAL_API const BalScorerInfo *bal_scorer_at(int i); /* NULL outside 0..count-1 */

typedef enum BalScoreAverage {
    BAL_AVERAGE_AUTO,          /* as the scorer's authors do */
    BAL_AVERAGE_PROBABILITIES, /* softmax at each position or patch, then the mean */
    BAL_AVERAGE_BEFORE         /* the mean of what comes before it: logits of positions, embeddings of patches */
} BalScoreAverage;

typedef struct BalScoreSpec {
    const char *scorer; /* name */
    /* A safetensors file with the scorer's own names (`import` makes one), or a run folder of `train`. Sizes of the network are taken
     * from the shapes: number of classes, widths, depths. */
    const char *weights;
    const char *classes;    /* file with a class name per line; NULL: the run's, else numbers from 0 */
    const char *view;       /* of the scorer's; NULL: its default */
    const char *categories; /* as bal_categories_load takes it; NULL: none */
    int average;            /* BalScoreAverage */
    const char *backend;    /* NULL: the best of this build */
    BalDtype dtype;
    int threads, workers; /* of the network; that decode */
    int top;              /* classes per clip in topk.csv */
    bool stop_on_error;   /* the first clip that cannot be scored ends the job */
    double clip_limit_s;  /* wall time of decoding a clip */
    BalRoom room;         /* once the weights and all that belongs to them were read */
} BalScoreSpec;
BAL_API BalScoreSpec bal_score_spec_default(void);

typedef struct BalScoreResult {
    BalIngestResult clips; /* stored: scored */
    int n_classes;
    char average[16]; /* "probabilities", "logits", "embeddings" */
    char view[16], weights_sha256[65];
    int64_t macs; /* multiply-accumulates per clip */
} BalScoreResult;
/* Score every clip of a manifest into DIR: probabilities.npy f32 [N,C] (NaN: rejected), ids.txt, classes.txt, topk.csv
 * (id,rank,class,probability), with categories also categories.csv (id, then a column per category), rejected.csv, and last score.json.
 * Views are averaged as probabilities. Resumable: what a killed call has scored stands in DIR/score.journal; the next one ends with the
 * same bytes. The same bytes for any number of workers; for another number of threads rounding may differ.
 * BAL_E_FORMAT, BAL_E_SHAPE, BAL_E_MISMATCH: weights of another network, classes that are not as many, a clip's label list; BAL_E_MEDIA: nothing could be
 * scored, or stop_on_error; BAL_E_MISMATCH: DIR was begun with something else; BAL_E_EXISTS: DIR holds something else, or another process
 * writes there; BAL_E_CANCELLED: through `progress`. */
BAL_API BAL_MUST_USE BalStatus bal_score(const BalManifest *m, const BalScoreSpec *spec, const char *dir,
                                         BalProgressSink progress, BalScoreResult *out, BalError *err);

#endif
