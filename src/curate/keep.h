/* Copies of short texts that live as long as their arena. */
#ifndef BAL_CURATE_KEEP_H
#define BAL_CURATE_KEEP_H

#include <string.h>
#include "analysis/arena.h"

BAL_MUST_USE static inline BalStatus bal_keep(BalArena *a, const char *s, size_t n, const char **out, BalError *err) {
    char *to;
    BAL_TRY(bal_arena_take(a, &to, n + 1, 1, err));
    if (n) memcpy(to, s, n);
    to[n] = '\0';
    *out = to;
    return BAL_OK;
}

#endif
