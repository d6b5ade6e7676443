/* Weights of scorers that nobody has trained: small networks in the structure and names of the real ones, with lively numbers. */
#ifndef BAL_TEST_WEIGHTS_H
#define BAL_TEST_WEIGHTS_H

#include <math.h>
#include <string.h>
#include <avbalance/backends.h>
#include <avbalance/models.h>
#include <avbalance/session.h>
#include "base/mem.h"
#include "base/rng.h"

static inline void weights_build(BalGraph *g, const char *scorer, int classes, int width) {
    if (bal_has_prefix(scorer, "slowfast")) {
        BalSlowfast net =
            !strcmp(scorer, "slowfast") ? bal_slowfast_8x8(classes, 224) : bal_slowfast_4x16(classes, 224);
        net.width = width;
        if (width < 64) net.depth[0] = net.depth[1] = net.depth[2] = net.depth[3] = 1;
        bal_slowfast(g, &net);
        return;
    }
    const bool vggish = !strcmp(scorer, "vggish");
    BalVal f;
    if (vggish) {
        BalVggish net = bal_vggish_default();
        for (int i = 0; i < 6; i++) net.channels[i] = net.channels[i] * width / 64;
        for (int i = 0; i < 2; i++) net.fc[i] = net.fc[i] * width / 64;
        f = bal_vggish(g, &net, bal_graph_input(g, "audio", (BalShape){4, {1, 1, 96, 64}}));
    } else {
        const BalModelOps *model = NULL;
        if (bal_model_find(&model, "resnet18", NULL) < 0) return;
        f = bal_model_encode(model, g, bal_graph_input(g, "audio", (BalShape){4, {1, 1, 257, 1004}}));
    }
    bal_graph_output(g, "logits", bal_graph_linear(g, vggish ? "head" : "fc", f, classes, true, 0));
}

/* Heads are made large, so that probabilities are not all alike; statistics of batch norm are not their defaults. */
static inline BalStatus weights_stir(BalSession *s, BalError *err) {
    for (int i = 0; i < bal_session_n_params(s); i++) {
        const BalParam *p = bal_session_param(s, i);
        BalRng r = bal_rng(7, BAL_RNG_TEST, 0, (uint64_t)i);
        float x[4096];
        int64_t n = 1;
        for (int k = 0; k < p->shape.rank; k++) n *= p->shape.dim[k];
        if (p->shape.rank != 1 || n > 4096 || bal_has_suffix(p->name, ".weight")) continue;
        const bool var = bal_has_suffix(p->name, "running_var");
        for (int64_t k = 0; k < n; k++) x[k] = (float)(var ? 0.5 + bal_rng_uniform(&r) : 0.3 * bal_rng_normal(&r));
        BAL_TRY(bal_session_param_set(s, i, x, err));
    }
    return BAL_OK;
}

static inline BalStatus weights_make(const char *scorer, int classes, int width, const char *path, BalError *err) {
    BalGraph *g = NULL;
    BalSession *s = NULL;
    BalSessionConfig cfg = bal_session_config_default();
    BalStatus rc = bal_graph_create(&g, err);
    if (rc < 0) return rc;
    weights_build(g, scorer, classes, width);
    rc = bal_graph_finish(g, err);
    if (rc >= 0) rc = bal_backend_find(&cfg.backend, "reference", err);
    cfg.n_grads = 0;
    cfg.batch = 1;
    cfg.seed = 3;
    if (rc >= 0) rc = bal_session_create(&s, g, &cfg, err);
    if (rc >= 0) rc = weights_stir(s, err);
    if (rc >= 0) rc = bal_session_save(s, path, NULL, err);
    bal_session_destroy(&s);
    bal_graph_destroy(&g);
    return rc;
}

#endif
