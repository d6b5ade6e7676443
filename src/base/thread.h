/* Worker threads: a pool that runs numbered jobs, and a bounded queue of results in order.
 *
 * bal_parallel runs fn(user, index, worker) for index 0..n-1 on n_threads threads; indices are handed out in order, results belong
 * to the index, so the outcome does not depend on the number of threads. The first failure stops the handing out and is returned. */
#ifndef BAL_BASE_THREAD_H
#define BAL_BASE_THREAD_H

#include <stdint.h>
#include <avbalance/error.h>
#include <avbalance/progress.h>

typedef BalStatus BalJobFn(void *user, int64_t index, int worker, BalError *err);
/* `after`, when not NULL, is called on the calling thread for 0, 1, 2 ... in order as soon as that job and all before it are done;
 * at most `ahead` jobs run or wait ahead of it (bounded memory). It may fail, which stops everything. */
BAL_MUST_USE BalStatus bal_parallel(int n_threads, int64_t n, int64_t ahead, BalJobFn *fn, BalJobFn *after, void *user,
                                    BalError *err);
int bal_cpu_count(void); /* processors this process may use (affinity mask), at least 1 */

#endif
