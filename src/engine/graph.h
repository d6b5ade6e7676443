/* A graph's inside, for the planner: nodes in the order in which they were built, which is an order in which they can run. */
#ifndef BAL_ENGINE_GRAPH_H
#define BAL_ENGINE_GRAPH_H

#include <avbalance/session.h>
#include "engine/backend.h"

typedef struct GraphNode {
    BalOp op; /* shapes per clip: dim[0] is the rows that one clip gives */
    BalVal in[BAL_MAX_IN], out;
    int param[4];      /* indices by BalOp's `which`, -1: none */
    const char *label; /* input and scale: the name under which the session is handed data */
    bool live;         /* an output depends on it */
    bool optional;     /* input: zero where it was not set */
    bool tracked;      /* depends on a trainable parameter, so that its output has a gradient */
} GraphNode;

typedef struct GraphParam {
    BalParam is;
    int node, which; /* the layer that declared it */
    bool shared;     /* other layers use it too: each adds its gradient to a buffer that was cleared */
} GraphParam;

typedef struct GraphOutput {
    const char *name;
    BalVal value;
} GraphOutput;

struct BalGraph {
    GraphNode *node; /* node i makes value i + 1 */
    GraphParam *param;
    GraphOutput *output;
    char **text; /* every name, owned */
    int n_nodes, n_params, n_outputs, n_texts;
    size_t cap_nodes, cap_params, cap_outputs, cap_texts;
    char *prefix;
    unsigned tags;
    BalStatus rc; /* the first mistake */
    BalError err;
    bool finished;
};

static inline GraphNode *graph_producer(const BalGraph *g, BalVal v) {
    return &g->node[v - 1];
}
int64_t bal_shape_count(const BalShape *s); /* product of the axes in use */

#endif
