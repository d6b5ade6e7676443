/* A list of blocks, the newest in use. The first is small for the sake of small tables. */
#include "analysis/arena.h"

#include <stdint.h>
#include <string.h>

#include "base/mem.h"

#define FIRST_BYTES ((size_t)1 << 18)
#define BLOCK_BYTES ((size_t)4 << 20)
#define UNIT        16

typedef struct BalArenaBlock {
    struct BalArenaBlock *before;
    size_t used, bytes; /* this head included */
    size_t unused;      /* makes the head a multiple of UNIT */
} BalArenaBlock;

BalStatus bal_arena_take(BalArena *a, void *out, size_t n, size_t size, BalError *err) {
    if (n > (SIZE_MAX / 2 - BLOCK_BYTES) / size)
        return BAL_FAIL(err, BAL_E_NOMEM, "out of memory for %zu items of %zu bytes", n, size);
    size_t need = (n * size + UNIT - 1) / UNIT * UNIT;
    BalArenaBlock *b = a->last;
    if (!b || b->bytes - b->used < need) {
        size_t bytes = b ? BLOCK_BYTES : FIRST_BYTES;
        if (bytes < sizeof *b + need) bytes = sizeof *b + need;
        BAL_TRY(bal_alloc_pages(&b, bytes, err));
        *b = (BalArenaBlock){.before = a->last, .used = sizeof *b, .bytes = bytes};
        a->last = b;
    }
    char *p = (char *)b + b->used;
    b->used += need;
    memcpy(out, &p, sizeof p);
    return BAL_OK;
}

void bal_arena_join(BalArena *to, BalArena *from) {
    BalArenaBlock **end = &to->last;
    while (*end) end = &(*end)->before;
    *end = from->last;
    from->last = NULL;
}

void bal_arena_reset(BalArena *a) {
    for (BalArenaBlock *b = a->last, *before; b; b = before) {
        before = b->before;
        bal_free_pages(b, b->bytes);
    }
    a->last = NULL;
}
