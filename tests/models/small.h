/* A small graph on a backend by name: sessions, inputs and outputs in a line each. */
#ifndef BAL_TEST_SMALL_H
#define BAL_TEST_SMALL_H

#include <avbalance/backends.h>
#include <avbalance/models.h>
#include <avbalance/session.h>
#include "base/rng.h"
#include "base/vectors.h"

typedef struct Small {
    BalGraph *g;
    BalSession *s;
    int clips;
} Small;

static inline void small_open(Small *t, const char *backend, int clips) {
    BalError err = {0};
    BalSessionConfig cfg = bal_session_config_default();
    assert_ok(bal_graph_finish(t->g, &err));
    assert_ok(bal_backend_find(&cfg.backend, backend, &err));
    cfg.batch = t->clips = clips;
    cfg.threads = 1;
    assert_ok(bal_session_create(&t->s, t->g, &cfg, &err));
}

static inline void small_close(Small *t) {
    bal_session_destroy(&t->s);
    bal_graph_destroy(&t->g);
}

static inline void small_set(Small *t, const char *name, const float *data) {
    BalError err = {0};
    assert_ok(bal_session_set(t->s, 0, name, data, t->clips, &err));
}

static inline void small_param(Small *t, const char *name, const BalJson *in, const char *key) {
    BalError err = {0};
    float w[256];
    numbers(in, key, w);
    assert_ok(bal_session_param_set(t->s, bal_session_find_param(t->s, name), w, &err));
}

static inline void small_forward(Small *t, BalMode mode) {
    BalError err = {0};
    assert_ok(bal_session_forward(t->s, 0, t->clips, mode, &err));
}

static inline const float *small_get(Small *t, const char *output) {
    static float out[4096];
    BalError err = {0};
    assert_ok(bal_session_get(t->s, 0, output, out, &err));
    return out;
}

static inline void small_seed(Small *t, const char *output, const float *grad) {
    BalError err = {0};
    assert_ok(bal_session_seed(t->s, 0, output, grad, &err));
}

#endif
