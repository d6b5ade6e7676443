/* Encoders: networks that turn the frames or the spectrogram of a clip into one feature vector. One const table per network. */
#ifndef AVBALANCE_MODELS_H
#define AVBALANCE_MODELS_H

#include <avbalance/error.h>
#include <avbalance/graph.h>

typedef struct BalModelOps BalModelOps;
struct BalModelOps {
    const char *name, *summary, *paper;
    int features; /* width of what bal_model_encode returns */
    /* The network stage by stage, 0 to n_stages - 1, so that methods can let two encoders meet in between (gates after some stages).
     * Adds stage i to g under the scope that is set: x [rows,C,H,W] (or [1,C,K,H,W] where the network is 3-D) -> maps of the same
     * rank. Mistakes are kept by the graph, as with every builder. */
    int n_stages;
    BalVal (*stage)(BalGraph *g, int i, BalVal x);
};
/* All stages, then the mean over space and over the rows of a clip: x as above -> [1,features]. */
BAL_API BalVal bal_model_encode(const BalModelOps *model, BalGraph *g, BalVal x);

/* By name; BAL_E_ARG names the closest and lists all. *out has static storage. */
BAL_API BAL_MUST_USE BalStatus bal_model_find(const BalModelOps **out, const char *name, BalError *err);
BAL_API int bal_model_count(void);
BAL_API const BalModelOps *bal_model_at(int i); /* NULL outside 0..count-1 */

#endif
