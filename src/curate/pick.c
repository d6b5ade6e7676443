/* The smallest keys of every cell.
 *
 * Keys are uniform, so the q smallest of n lie below about q/n of their range. A margin of eight standard deviations above that makes it
 * all but certain that the q smallest are among those below the limit, and the list stays short; should it ever fail, it is seen, and all
 * are looked at. A list of candidates is mergeable: what is among the q smallest of the whole is so in its part too. */
#include "curate/pick.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

void bal_picks_reset(BalPicks *p) {
    bal_free(p->pick);
    bal_arena_reset(&p->text);
    *p = (BalPicks){0};
}

BalStatus bal_picks_add(BalPicks *p, BalPick pick, const char *id, size_t n, BalError *err) {
    char *text;
    BAL_TRY(bal_grow(&p->pick, &p->cap, p->n + 1, sizeof *p->pick, err));
    BAL_TRY(bal_arena_take(&p->text, &text, n + 1, 1, err));
    memcpy(text, id, n);
    text[n] = '\0';
    pick.id = text;
    p->pick[p->n++] = pick;
    return BAL_OK;
}

BalStatus bal_picks_join(BalPicks *to, BalPicks *from, BalError *err) {
    BAL_TRY(bal_grow(&to->pick, &to->cap, to->n + from->n, sizeof *to->pick, err));
    if (from->n) memcpy(to->pick + to->n, from->pick, from->n * sizeof *to->pick);
    to->n += from->n;
    bal_arena_join(&to->text, &from->text);
    bal_picks_reset(from);
    return BAL_OK;
}

void bal_pick_limits(const BalCells *cells, const int64_t *x, uint64_t *limit) {
    for (int i = 0; i < cells->n_classes * cells->n_bins; i++) {
        const double q = (double)(x[i] - cells->must[i]), n = (double)(cells->n[i] - cells->must[i]);
        const double share = (q + 8 * sqrt(q) + 32) / n;
        limit[i] = q <= 0 ? 0 : share >= 1 ? UINT64_MAX : (uint64_t)(share * 0x1p64);
    }
}

static int by_cell(const void *a, const void *b) {
    const BalPick *x = a, *y = b;
    if (x->cell != y->cell) return x->cell < y->cell ? -1 : 1;
    if (x->must != y->must) return x->must ? -1 : 1;
    if (x->key != y->key) return x->key < y->key ? -1 : 1;
    return strcmp(x->id, y->id);
}

static int by_id(const void *a, const void *b) {
    return strcmp(((const BalPick *)a)->id, ((const BalPick *)b)->id);
}

void bal_picks_trim(BalPicks *p, const int64_t *x, int n_cells, int *lacking) {
    size_t kept = 0, i = 0;
    *lacking = -1;
    if (p->n) qsort(p->pick, p->n, sizeof *p->pick, by_cell);
    for (int cell = 0; cell < n_cells; cell++) {
        int64_t got = 0;
        for (; i < p->n && p->pick[i].cell == cell; i++)
            if (got < x[cell]) {
                p->pick[kept++] = p->pick[i];
                got++;
            }
        if (got < x[cell] && *lacking < 0) *lacking = cell;
    }
    p->n = kept;
}

BalStatus bal_picks_order(BalPicks *p, BalError *err) {
    if (p->n) qsort(p->pick, p->n, sizeof *p->pick, by_id);
    for (size_t i = 1; i < p->n; i++)
        if (!strcmp(p->pick[i - 1].id, p->pick[i].id))
            return BAL_FAIL(err, BAL_E_FORMAT, "the id \"%.100s\" is there twice; every clip needs one row",
                            p->pick[i].id);
    return BAL_OK;
}

BalStatus bal_picks_choose(BalPicks *p, const int64_t *x, int n_cells, int *lacking, BalError *err) {
    bal_picks_trim(p, x, n_cells, lacking);
    return bal_picks_order(p, err);
}
