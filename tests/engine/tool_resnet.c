/* One step of ResNet-18 for comparison with another implementation (tests/peer/resnet.py):
 *
 *   tool_resnet BACKEND f32|bf16 train|eval WEIGHTS.safetensors INPUT.npy LABELS.npy FOLDER
 *
 * INPUT f32 [N,C,H,W] or [N,K,C,H,W], LABELS i32 [N]. Writes FOLDER/logits.npy; after train also gradients.safetensors and, with the
 * running statistics moved, weights.safetensors. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <avbalance/backends.h>
#include <avbalance/models.h>
#include <avbalance/session.h>
#include "base/mem.h"
#include "base/npy.h"
#include "base/text.h"
#include "engine/safetensors.h"

typedef struct Job {
    char **arg;
    BalMap input_map, label_map;
    BalNpy input, label;
    BalGraph *g;
    BalSession *s;
    int n, classes;
    float *logits, *dz;
} Job;

static const char *in_folder(const Job *j, const char *name) {
    static char path[4096];
    snprintf(path, sizeof path, "%s/%s", j->arg[6], name);
    return path;
}

static BalStatus read_npy(const char *path, BalMap *m, BalNpy *h, BalNpyType type, BalError *err) {
    BAL_TRY(bal_map_open(m, path, err));
    BAL_TRY(bal_npy_parse(h, m->data, m->size, path, err));
    return h->type == type ? BAL_OK : BAL_FAIL(err, BAL_E_FORMAT, "%s: wrong type of values", path);
}

static BalStatus count_classes(Job *j, BalError *err) {
    BalTensorFile f;
    BAL_TRY(bal_tensors_open(&f, j->arg[3], err));
    const BalNamedTensor *fc = bal_tensors_find(&f, "fc.weight");
    j->classes = fc ? (int)fc->dim[0] : 0;
    bal_tensors_close(&f);
    return fc ? BAL_OK : BAL_FAIL(err, BAL_E_FORMAT, "%s: no fc.weight", j->arg[3]);
}

static BalStatus build(Job *j, BalError *err) {
    const BalModelOps *model = NULL;
    const BalNpy *x = &j->input;
    const int64_t rows = x->rank == 5 ? x->dim[1] : 1, *chw = x->dim + x->rank - 3;
    BalSessionConfig cfg = bal_session_config_default();
    BAL_TRY(bal_model_find(&model, "resnet18", err));
    BAL_TRY(bal_graph_create(&j->g, err));
    BalVal v = bal_model_encode(model, j->g, bal_graph_input(j->g, "x", (BalShape){4, {rows, chw[0], chw[1], chw[2]}}));
    bal_graph_output(j->g, "logits", bal_graph_linear(j->g, "fc", v, j->classes, true, 0));
    BAL_TRY(bal_graph_finish(j->g, err));
    BAL_TRY(bal_backend_find(&cfg.backend, j->arg[0], err));
    cfg.dtype = !strcmp(j->arg[1], "bf16") ? BAL_BF16 : BAL_F32;
    cfg.batch = j->n;
    cfg.threads = 2;
    return bal_session_create(&j->s, j->g, &cfg, err);
}

static BalStatus write_gradients(Job *j, BalError *err) {
    BalWriter *w = NULL;
    BalNamedTensor t[256];
    int of[256], n = 0;
    float *plain;
    BAL_TRY(bal_alloc(&plain, (size_t)16 << 20, sizeof *plain, err));
    for (int i = 0; i < bal_session_n_params(j->s); i++) {
        const BalParam *p = bal_session_param(j->s, i);
        if (!p->trainable || n == 256) continue;
        t[n] = (BalNamedTensor){.name = p->name, .type = BAL_T_F32, .rank = p->shape.rank};
        for (int k = 0; k < p->shape.rank; k++) t[n].dim[k] = p->shape.dim[k];
        of[n++] = i;
    }
    BAL_TRY(bal_writer_open(&w, in_folder(j, "gradients.safetensors"), err));
    BAL_TRY(bal_tensors_begin(w, t, n, NULL, err));
    for (int i = 0; i < n; i++) {
        BAL_TRY(bal_session_grad_get(j->s, 0, of[i], plain, err));
        BAL_TRY(bal_writer_add(w, plain, (size_t)bal_tensor_count(&t[i]) * sizeof *plain, err));
    }
    bal_free(plain);
    return bal_writer_commit(&w, err);
}

static BalStatus run(Job *j, BalError *err) {
    const bool train = !strcmp(j->arg[2], "train");
    BAL_TRY(read_npy(j->arg[4], &j->input_map, &j->input, BAL_NPY_F32, err));
    BAL_TRY(read_npy(j->arg[5], &j->label_map, &j->label, BAL_NPY_I32, err));
    j->n = (int)j->input.dim[0];
    BAL_TRY(count_classes(j, err));
    BAL_TRY(build(j, err));
    BAL_TRY(bal_session_load(j->s, j->arg[3], false, err));
    BAL_TRY(bal_session_set(j->s, 0, "x", (const float *)(j->input_map.data + j->input.data_at), j->n, err));
    BAL_TRY(bal_session_forward(j->s, 0, j->n, train ? BAL_MODE_TRAIN : BAL_MODE_EVAL, err));
    BAL_TRY(bal_alloc(&j->logits, (size_t)j->n * (size_t)j->classes, sizeof(float), err));
    BAL_TRY(bal_alloc(&j->dz, (size_t)j->n * (size_t)j->classes, sizeof(float), err));
    BAL_TRY(bal_session_get(j->s, 0, "logits", j->logits, err));
    const int64_t shape[2] = {j->n, j->classes};
    BAL_TRY(bal_npy_write(in_folder(j, "logits.npy"), BAL_NPY_F32, shape, 2, j->logits, err));
    const int32_t *y = (const int32_t *)(j->label_map.data + j->label.data_at);
    printf("loss %.9g bytes %zu\n", bal_softmax_ce(j->logits, y, j->n, j->classes, 1, j->dz, NULL),
           bal_session_bytes(j->s));
    if (!train) return BAL_OK;
    BAL_TRY(bal_session_seed(j->s, 0, "logits", j->dz, err));
    BAL_TRY(bal_session_backward(j->s, 0, 0, false, err));
    BAL_TRY(write_gradients(j, err));
    const char *meta[] = {"format", "pt", NULL};
    return bal_session_save(j->s, in_folder(j, "weights.safetensors"), meta, err);
}

int main(int argc, char **argv) {
    BalError err = {0};
    Job j = {.arg = argv + 1};
    if (argc != 8) {
        fprintf(stderr, "usage: tool_resnet BACKEND f32|bf16 train|eval WEIGHTS INPUT LABELS FOLDER\n");
        return 2;
    }
    BalStatus rc = run(&j, &err);
    if (rc < 0) fprintf(stderr, "%s\n", err.text);
    bal_session_destroy(&j.s);
    bal_graph_destroy(&j.g);
    bal_free(j.logits);
    bal_free(j.dz);
    bal_map_close(&j.input_map);
    bal_map_close(&j.label_map);
    return rc < 0;
}
