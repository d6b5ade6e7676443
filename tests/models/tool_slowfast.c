/* One forward pass of a SlowFast, batch norm folded, for comparison with another implementation (tests/peer/slowfast.py):
 *
 *   tool_slowfast BACKEND f32|bf16 WEIGHTS.safetensors FAST.npy OUT.npy \
 *                 WIDTH BETA_INV ALPHA FUSION_KERNEL DEPTH2 DEPTH3 DEPTH4 DEPTH5 POOL CLASSES
 *
 * FAST f32 [1,3,K,H,W]; the slow pathway sees every ALPHA-th of its frames. OUT: logits f32 [positions,CLASSES]. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <avbalance/backends.h>
#include <avbalance/models.h>
#include <avbalance/session.h>
#include "base/file.h"
#include "base/mem.h"
#include "base/npy.h"

typedef struct Job {
    char **arg;
    BalMap map;
    BalNpy fast;
    BalGraph *g;
    BalSession *s;
    float *slow, *logits;
    int64_t shape[2];
} Job;

static BalStatus build(Job *j, BalError *err) {
    BalSlowfast net = {0};
    int *const field[] = {&net.width,    &net.beta_inv, &net.alpha,    &net.fusion_kernel, &net.depth[0],
                          &net.depth[1], &net.depth[2], &net.depth[3], &net.pool,          &net.n_classes};
    for (int i = 0; i < 10; i++) *field[i] = atoi(j->arg[5 + i]);
    net.frames = (int)j->fast.dim[2];
    net.height = (int)j->fast.dim[3];
    BalSessionConfig cfg = bal_session_config_default();
    BAL_TRY(bal_graph_create(&j->g, err));
    bal_slowfast(j->g, &net);
    BAL_TRY(bal_graph_finish(j->g, err));
    const BalShape out = bal_graph_shape(j->g, bal_graph_find(j->g, "logits"));
    j->shape[0] = out.dim[0], j->shape[1] = out.dim[1];
    BAL_TRY(bal_backend_find(&cfg.backend, j->arg[0], err));
    cfg.dtype = strcmp(j->arg[1], "bf16") ? BAL_F32 : BAL_BF16;
    cfg.threads = 2;
    cfg.batch = 1;
    cfg.n_grads = 0;
    cfg.fold = true;
    return bal_session_create(&j->s, j->g, &cfg, err);
}

static BalStatus set_inputs(Job *j, BalError *err) {
    const float *fast = (const float *)(j->map.data + j->fast.data_at);
    const int64_t k = j->fast.dim[2], plane = j->fast.dim[3] * j->fast.dim[4], alpha = atoi(j->arg[7]);
    BAL_TRY(bal_alloc(&j->slow, (size_t)(3 * k * plane), sizeof *j->slow, err));
    for (int64_t c = 0; c < 3; c++)
        for (int64_t i = 0; i < k / alpha; i++)
            memcpy(j->slow + (c * (k / alpha) + i) * plane, fast + (c * k + i * alpha) * plane,
                   (size_t)plane * sizeof *fast);
    BAL_TRY(bal_session_set(j->s, 0, "slow", j->slow, 1, err));
    return bal_session_set(j->s, 0, "fast", fast, 1, err);
}

static BalStatus run(Job *j, BalError *err) {
    BAL_TRY(bal_map_open(&j->map, j->arg[3], err));
    BAL_TRY(bal_npy_parse(&j->fast, j->map.data, j->map.size, j->arg[3], err));
    if (j->fast.rank != 5 || j->fast.type != BAL_NPY_F32)
        return BAL_FAIL(err, BAL_E_FORMAT, "%s: not f32 [1,3,K,H,W]", j->arg[3]);
    BAL_TRY(build(j, err));
    BAL_TRY(bal_session_load(j->s, j->arg[2], false, err));
    BAL_TRY(set_inputs(j, err));
    BAL_TRY(bal_session_forward(j->s, 0, 1, BAL_MODE_EVAL, err));
    BAL_TRY(bal_alloc(&j->logits, (size_t)(j->shape[0] * j->shape[1]), sizeof *j->logits, err));
    BAL_TRY(bal_session_get(j->s, 0, "logits", j->logits, err));
    return bal_npy_write(j->arg[4], BAL_NPY_F32, j->shape, 2, j->logits, err);
}

int main(int argc, char **argv) {
    BalError err = {0};
    Job j = {.arg = argv + 1};
    if (argc != 16) {
        fprintf(stderr, "usage: see tests/models/tool_slowfast.c\n");
        return 2;
    }
    BalStatus rc = run(&j, &err);
    if (rc < 0) fprintf(stderr, "%s\n", err.text);
    bal_session_destroy(&j.s);
    bal_graph_destroy(&j.g);
    bal_free(j.slow);
    bal_free(j.logits);
    bal_map_close(&j.map);
    return rc < 0;
}
