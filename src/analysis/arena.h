/* Memory that is taken piece by piece and given back as a whole. Its blocks are such that huge pages can back them: with 4 KiB
 * pages, faults cost more than everything that is done to the bytes. */
#ifndef BAL_ANALYSIS_ARENA_H
#define BAL_ANALYSIS_ARENA_H

#include <stddef.h>
#include <avbalance/error.h>

typedef struct BalArena { /* zero is valid and empty; one thread */
    struct BalArenaBlock *last;
} BalArena;
/* n * size bytes in *out, aligned to 16, zero in a fresh arena; they live until the reset. */
BAL_MUST_USE BalStatus bal_arena_take(BalArena *a, void *out, size_t n, size_t size, BalError *err);
void bal_arena_join(BalArena *to, BalArena *from); /* what was taken from `from` lives as long as `to` now */
void bal_arena_reset(BalArena *a);

#endif
