/* Threads: libgomp's, because oneDNN runs on them and one pool must not wait for another. */
#include <omp.h>
#include "backends/onednn/onednn.h"

void bal_par_use(int threads) {
    if (omp_get_max_threads() != threads) omp_set_num_threads(threads);
}

void bal_par(int threads, BalParFn *fn, void *arg) {
#pragma omp parallel num_threads(threads)
    fn(arg, omp_get_thread_num(), omp_get_num_threads());
}

void bal_par_barrier(void) {
#pragma omp barrier
}
