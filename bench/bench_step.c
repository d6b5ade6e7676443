/* Time of one training step (input, forward, loss, backward, SGD update) of a ResNet-18 with its linear layer.
 *
 * bench_step CxHxW batch f32|bf16 [steps [backend]] prints one JSON line (without arguments: one for each of the usual inputs): every step's time, its median and best, the loss before
 * and after, peak memory, and the share of the processors that others used meanwhile; a run with a large share says nothing.
 * bench/peer/step_torch.py prints the same for PyTorch, bench/step.sh runs both in turn. */
#include <avbalance/backends.h>
#include <avbalance/models.h>
#include <avbalance/session.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/rng.h"
#include "bench/median.h"

enum { CLASSES = 1000, WARM = 3, MOST = 1000 };

static void must(BalStatus rc, const BalError *err) {
    if (rc >= 0) return;
    fprintf(stderr, "bench_step: %s\n", err->text);
    exit(1);
}

/* Seconds that all processors were busy, and that this process was. */
static void busy(double *all, double *own) {
    unsigned long long v[8] = {0};
    struct rusage r;
    FILE *f = fopen("/proc/stat", "r");
    if (!f || fscanf(f, "cpu %llu %llu %llu %llu %llu %llu %llu %llu", &v[0], &v[1], &v[2], &v[3], &v[4], &v[5], &v[6],
                     &v[7]) != 8)
        memset(v, 0, sizeof v);
    if (f) fclose(f);
    *all = (double)(v[0] + v[1] + v[2] + v[5] + v[6] + v[7]) / (double)sysconf(_SC_CLK_TCK);
    getrusage(RUSAGE_SELF, &r);
    *own = (double)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) + (double)(r.ru_utime.tv_usec + r.ru_stime.tv_usec) * 1e-6;
}

typedef struct Bench {
    BalSession *session;
    float *x, *logits, *grad;
    int32_t *label;
    int batch;
} Bench;

static double step(Bench *b) {
    const BalOptimiser sgd = {.kind = BAL_SGD, .lr = 0.01, .momentum = 0.9, .weight_decay = 1e-4};
    BalError err = {0};
    BalSession *s = b->session;
    must(bal_session_set(s, 0, "x", b->x, b->batch, &err), &err);
    must(bal_session_forward(s, 0, b->batch, BAL_MODE_TRAIN, &err), &err);
    must(bal_session_get(s, 0, "logits", b->logits, &err), &err);
    const double loss = bal_softmax_ce(b->logits, b->label, b->batch, CLASSES, 1, b->grad, NULL);
    must(bal_session_seed(s, 0, "logits", b->grad, &err), &err);
    must(bal_session_backward(s, 0, 0, false, &err), &err);
    must(bal_session_update(s, &sgd, 0, 0, &err), &err);
    return loss;
}

static void fill(Bench *b, const int shape[3]) {
    const int64_t n = (int64_t)b->batch * shape[0] * shape[1] * shape[2];
    BalRng r = bal_rng(1, BAL_RNG_TEST, 0, 0);
    b->x = malloc((size_t)n * sizeof *b->x);
    b->logits = malloc((size_t)b->batch * CLASSES * sizeof *b->logits);
    b->grad = malloc((size_t)b->batch * CLASSES * sizeof *b->grad);
    b->label = malloc((size_t)b->batch * sizeof *b->label);
    if (!b->x || !b->logits || !b->grad || !b->label) exit(1);
    for (int64_t i = 0; i < n; i++) b->x[i] = (float)bal_rng_normal(&r);
    for (int i = 0; i < b->batch; i++) b->label[i] = (int32_t)bal_rng_below(&r, CLASSES);
}

static BalGraph *network(const int shape[3]) {
    BalError err = {0};
    BalGraph *g;
    const BalModelOps *model;
    must(bal_graph_create(&g, &err), &err);
    must(bal_model_find(&model, "resnet18", &err), &err);
    const BalShape in = {4, {1, shape[0], shape[1], shape[2]}};
    BalVal v = bal_model_encode(model, g, bal_graph_input(g, "x", in));
    v = bal_graph_linear(g, "fc", v, CLASSES, true, BAL_TAG_FC);
    bal_graph_output(g, "logits", v);
    must(bal_graph_finish(g, &err), &err);
    return g;
}

static void measure(Bench *b, int steps, const char *shape, const char *dtype, const char *name, const char *version,
                    int threads) {
    double t[MOST], sorted[MOST], first = 0, last = 0, all[2], own[2];
    for (int i = 0; i < WARM; i++) {
        last = step(b);
        if (i == 0) first = last;
    }
    busy(&all[0], &own[0]);
    const double begin = bal_now_s();
    for (int i = 0; i < steps; i++) {
        const double from = bal_now_s();
        last = step(b);
        t[i] = sorted[i] = (bal_now_s() - from) * 1e3;
    }
    const double wall = bal_now_s() - begin;
    busy(&all[1], &own[1]);
    const double foreign = (all[1] - all[0]) - (own[1] - own[0]);
    struct rusage r;
    getrusage(RUSAGE_SELF, &r);
    const double middle = median(sorted, steps);
    printf(
        "{\"tool\":\"avbalance\",\"variant\":\"%s\",\"version\":\"%s\",\"shape\":\"%s\",\"batch\":%d,\"dtype\":\"%s\","
        "\"threads\":%d,\"median_ms\":%.2f,\"best_ms\":%.2f,\"rss_mb\":%.0f,\"planned_mb\":%.0f,\"foreign\":%.3f,"
        "\"loss\":[%.6f,%.6f],\"ms\":[",
        name, version, shape, b->batch, dtype, threads, middle, sorted[0], (double)r.ru_maxrss / 1024,
        (double)bal_session_bytes(b->session) / 1048576, foreign / (wall * (double)sysconf(_SC_NPROCESSORS_ONLN)),
        first, last);
    for (int i = 0; i < steps; i++) printf("%s%.2f", i ? "," : "", t[i]);
    printf("]}\n");
}

static void run(const char *shape_text, int batch, const char *dtype, int steps, const char *backend) {
    int shape[3];
    BalError err = {0};
    if (sscanf(shape_text, "%dx%dx%d", &shape[0], &shape[1], &shape[2]) != 3 || batch < 1) {
        fprintf(stderr, "usage: bench_step [CxHxW BATCH f32|bf16 [STEPS [BACKEND]]]\n");
        exit(2);
    }
    Bench b = {.batch = batch};
    BalSessionConfig cfg = bal_session_config_default();
    must(bal_backend_find(&cfg.backend, backend, &err), &err);
    cfg.dtype = strcmp(dtype, "bf16") ? BAL_F32 : BAL_BF16;
    cfg.threads = 2;
    cfg.batch = batch;
    BalGraph *g = network(shape);
    must(bal_session_create(&b.session, g, &cfg, &err), &err);
    fill(&b, shape);
    const char *version = NULL, *name = bal_backend_name(0, NULL, &version);
    for (int i = 0; backend && i < bal_backend_count() && strcmp(name, backend); i++)
        name = bal_backend_name(i, NULL, &version);
    measure(&b, steps < 1 ? 1 : steps > MOST ? MOST : steps, shape_text, dtype, name, version, cfg.threads);
    bal_session_destroy(&b.session);
    bal_graph_destroy(&g);
    free(b.x);
    free(b.logits);
    free(b.grad);
    free(b.label);
}

int main(int argc, char **argv) {
    static const struct {
        const char *shape;
        int batch;
    } all[] = {{"3x224x224", 32}, {"3x64x64", 64}, {"1x64x64", 64}, {"1x257x299", 32}};
    if (argc >= 4) {
        run(argv[1], atoi(argv[2]), argv[3], argc > 4 ? atoi(argv[4]) : 10, argc > 5 ? argv[5] : NULL);
        return 0;
    }
    for (int i = 0; i < 8; i++) run(all[i / 2].shape, all[i / 2].batch, i % 2 ? "bf16" : "f32", 5, NULL);
    return 0;
}
