/* Memory: checked sizes, huge pages for large blocks, and allocation failure on demand for tests.
 *
 * Every allocation of the library goes through here, so that the fault tests can make the n-th one fail and so that no size
 * computed from a file can overflow unseen. */
#ifndef BAL_BASE_MEM_H
#define BAL_BASE_MEM_H

#include <stddef.h>
#include <avbalance/error.h>

/* n * size zeroed bytes in *out, the caller's, to be freed with bal_free. n == 0 gives a valid unique block.
 * BAL_E_NOMEM on overflow or lack of memory; *out is then unchanged. */
BAL_MUST_USE BalStatus bal_alloc(void *out, size_t n, size_t size, BalError *err);

/* Grow or shrink *block (may hold NULL) to n * size bytes; new bytes are not zeroed. On failure *block is unchanged. */
BAL_MUST_USE BalStatus bal_resize(void *block, size_t n, size_t size, BalError *err);

/* Make room for at least `need` items in *block of capacity *cap, growing by half again. */
BAL_MUST_USE BalStatus bal_grow(void *block, size_t *cap, size_t need, size_t size, BalError *err);

BAL_MUST_USE BalStatus bal_strdup(char **out, const char *text, BalError *err);
void bal_free(void *block);

/* Large aligned blocks: 64-byte aligned; from 1 MiB on 2 MiB aligned with huge pages asked for (15-30 % of a training step).
 * Zeroed. Freed with bal_free_pages and the same size. */
BAL_MUST_USE BalStatus bal_alloc_pages(void *out, size_t bytes, BalError *err);
void bal_free_pages(void *block, size_t bytes);

/* For programs that do one large thing after another: memory that is freed stays with the process, for the next. By itself the heap
 * hands it back to the kernel and takes it again page by page, clip after clip, and while one thread does the others wait. */
void bal_mem_keep(void);

/* Tests only: the n-th allocation from now on (1-based) fails; 0 switches it off. Returns how many were made since the last call. */
long bal_mem_fail_at(long n);

#endif
