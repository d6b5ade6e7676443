/* One forward pass of SlowFast 8x8 as `score` runs it, on one core, beside the most that this core can multiply.
 *
 * bench_slowfast [HEIGHT [f32|bf16 [PASSES [BACKEND]]]] prints one JSON line: median and best time, GMAC/s (multiply-accumulates as the
 * literature counts them), the peak of float32 and bfloat16 products measured just before, and the share of it that was reached.
 * Times are those that the processor gave to this program, so that others on the machine disturb less.
 * bench/peer/slowfast_torch.py prints the same for PyTorch. */
#include <avbalance/backends.h>
#include <avbalance/models.h>
#include <avbalance/session.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "base/rng.h"
#include "bench/median.h"

enum { CLASSES = 400, MOST = 100 };

static void must(BalStatus rc, const BalError *err) {
    if (rc >= 0) return;
    fprintf(stderr, "bench_slowfast: %s\n", err->text);
    exit(1);
}

static double cpu_s(void) {
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

#if defined(__x86_64__) && defined(__GNUC__)
/* Rounds of 12 chains of multiply-adds, as many as hide the latency of one; in assembly, so that nobody merges them or keeps them in
 * memory. The registers hold zeros. */
#define CHAINS(name, instruction, r)                                                                                   \
    static void name(long rounds) {                                                                                    \
        __asm__ volatile("vzeroall\n"                                                                                  \
                         "1:\n"                                                                                        \
                         ".irp k,1,2,3,4,5,6,7,8,9,10,11,12\n" instruction " %%" r "0, %%" r "0, %%" r "\\k\n"         \
                         ".endr\n"                                                                                     \
                         "dec %0\n"                                                                                    \
                         "jnz 1b\n"                                                                                    \
                         "vzeroupper\n"                                                                                \
                         : "+r"(rounds)                                                                                \
                         :                                                                                             \
                         : "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9",       \
                           "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15");                                      \
    }
CHAINS(chains_512, "vfmadd231ps", "zmm")
CHAINS(chains_bf16, "vdpbf16ps", "zmm")
CHAINS(chains_256, "vfmadd231ps", "ymm")

/* Multiply-accumulates per second of one core, best of some; 0: this processor has none of it. */
static double peak(bool bf16) {
    __builtin_cpu_init();
    const bool wide = __builtin_cpu_supports("avx512f");
    if (bf16 ? !__builtin_cpu_supports("avx512bf16") : !__builtin_cpu_supports("fma")) return 0;
    void (*chains)(long) = bf16 ? chains_bf16 : wide ? chains_512 : chains_256;
    const double per_round = 12 * (bf16 ? 32 : wide ? 16 : 8);
    double best = 0;
    for (int i = 0; i < 20; i++) {
        const double from = cpu_s();
        chains(2000000);
        const double rate = per_round * 2e6 / (cpu_s() - from);
        best = rate > best ? rate : best;
    }
    return best;
}
#else
static double peak(bool bf16) {
    (void)bf16;
    return 0;
}
#endif

static void set(BalSession *s, const BalGraph *g, const char *name) {
    const BalShape shape = bal_graph_shape(g, bal_graph_find(g, name));
    BalRng r = bal_rng(1, BAL_RNG_TEST, 0, 0);
    BalError err = {0};
    int64_t n = 1;
    for (int i = 0; i < shape.rank; i++) n *= shape.dim[i];
    float *x = malloc((size_t)n * sizeof *x);
    if (!x) exit(1);
    for (int64_t i = 0; i < n; i++) x[i] = (float)bal_rng_normal(&r);
    must(bal_session_set(s, 0, name, x, 1, &err), &err);
    free(x);
}

int main(int argc, char **argv) {
    const int height = argc > 1 ? atoi(argv[1]) : 224, passes = argc > 3 ? atoi(argv[3]) : 7;
    const bool bf16 = argc > 2 && !strcmp(argv[2], "bf16");
    const BalSlowfast net = bal_slowfast_8x8(CLASSES, height);
    BalError err = {0};
    BalGraph *g;
    BalSession *s;
    double t[MOST];
    const double most[2] = {peak(false), peak(true)};
    BalSessionConfig cfg = bal_session_config_default();
    must(bal_backend_find(&cfg.backend, argc > 4 ? argv[4] : NULL, &err), &err);
    cfg.dtype = bf16 ? BAL_BF16 : BAL_F32;
    cfg.threads = 1;
    cfg.batch = 1;
    cfg.n_grads = 0;
    cfg.fold = true;
    must(bal_graph_create(&g, &err), &err);
    bal_slowfast(g, &net);
    must(bal_graph_finish(g, &err), &err);
    must(bal_session_create(&s, g, &cfg, &err), &err);
    set(s, g, "slow");
    set(s, g, "fast");
    must(bal_session_forward(s, 0, 1, BAL_MODE_EVAL, &err), &err);
    const int n = passes < 1 ? 1 : passes > MOST ? MOST : passes;
    for (int i = 0; i < n; i++) {
        const double from = cpu_s();
        must(bal_session_forward(s, 0, 1, BAL_MODE_EVAL, &err), &err);
        t[i] = cpu_s() - from;
    }
    const double middle = median(t, n), macs = (double)bal_graph_macs(g);
    printf("{\"bench\":\"slowfast\",\"tool\":\"avbalance\",\"height\":%d,\"dtype\":\"%s\",\"threads\":1,\"median_ms\":%"
           ".1f,"
           "\"best_ms\":%.1f,\"gmac\":%.3f,\"gmac_per_s\":%.1f,\"best_gmac_per_s\":%.1f,\"peak_f32_gmac_per_s\":%.1f,"
           "\"peak_bf16_gmac_per_s\":%.1f,\"of_peak\":%.3f,\"planned_mb\":%.0f}\n",
           height, bf16 ? "bf16" : "f32", middle * 1e3, t[0] * 1e3, macs * 1e-9, macs / middle * 1e-9,
           macs / t[0] * 1e-9, most[0] * 1e-9, most[1] * 1e-9, most[bf16] > 0 ? macs / t[0] / most[bf16] : 0,
           (double)bal_session_bytes(s) / 1048576);
    bal_session_destroy(&s);
    bal_graph_destroy(&g);
    return 0;
}
