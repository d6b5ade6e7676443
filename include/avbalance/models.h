/* Encoders: networks that turn the frames or the spectrogram of a clip into one feature vector. One const table per network. */
#ifndef AVBALANCE_MODELS_H
#define AVBALANCE_MODELS_H

#include <avbalance/error.h>
#include <avbalance/graph.h>

typedef struct BalModelOps BalModelOps;
struct BalModelOps {
    const char *name, *summary, *paper;
    int features; /* width of what encode returns */
    /* Add the encoder to g under the scope that is set: x [rows,C,H,W] (or [1,C,K,H,W] where the network is 3-D) -> [1,features],
     * the mean over space and over the rows of a clip. Mistakes are kept by the graph, as with every builder. */
    BalVal (*encode)(BalGraph *g, BalVal x, const BalModelOps *self);
};

/* By name; BAL_E_ARG names the closest and lists all. *out has static storage. */
BAL_API BAL_MUST_USE BalStatus bal_model_find(const BalModelOps **out, const char *name, BalError *err);
BAL_API int bal_model_count(void);
BAL_API const BalModelOps *bal_model_at(int i); /* NULL outside 0..count-1 */

#endif
