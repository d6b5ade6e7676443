/* Which clips to look for.
 *
 * The two cuts of a selection bound its size whatever happens to the cells that cross neither of them: more clips there gain nothing.
 * Of those that cross one, the gain is found by solving again. Where several bins are equally scarce no single one gains anything; then
 * the prices tell which cells have to grow together: a clip more in the cut of the next level raises the level by one over what its
 * bins need per level, each level is worth what the bins with room take per level, and a clip more in the cut of the size is one. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "curate/selection.h"

typedef struct Prices {
    bool has_above, has_size;
    double above, size; /* of a cell that crosses the cut */
} Prices;

static Prices price(const BalSelectResult *s) {
    const BalRule *r = &s->parts->rule;
    const BalPlan *p = &s->parts->plan;
    double need = 0, take = 0; /* millionths of clips per level */
    for (int b = 0; b < s->n_bins; b++) {
        if (!s->eligible[b]) continue;
        if (!p->above.bin_in[b]) need += (double)(r->weight[b] * r->low_ppm);
        if (p->size.bin_in[b]) take += (double)(r->weight[b] * r->high_ppm);
    }
    return (Prices){p->above.kind == BAL_CUT_BINS, p->size.kind == BAL_CUT_SIZE, need > 0 ? take / need : 0, 1};
}

static bool crosses(const BalCut *c, int class_index, int bin) {
    return c->class_in[class_index] && !c->bin_in[bin];
}

static BalStatus gain(BalShortage *x, const BalSelectResult *s, int64_t *n, int64_t extra, BalError *err) {
    const BalCells cells = {s->n_classes, s->n_bins, n, s->must};
    const int i = x->class_index * s->n_bins + x->bin;
    int64_t kept = 0;
    n[i] += extra;
    BalStatus rc = bal_plan_size(&kept, &s->spec, &cells, err);
    n[i] -= extra;
    x->gain = (double)(kept - s->kept) / (double)extra;
    return rc;
}

static int best_first(const void *a, const void *b) {
    const BalShortage *x = a, *y = b;
    if (x->gain != y->gain) return x->gain > y->gain ? -1 : 1;
    if (x->price != y->price) return x->price > y->price ? -1 : 1;
    if (x->class_index != y->class_index) return x->class_index - y->class_index;
    return x->bin - y->bin;
}

BalStatus bal_shortage_make(BalShortage **out, int *n, const BalSelectResult *s, int64_t extra, BalError *err) {
    const size_t cells = (size_t)s->n_classes * (size_t)s->n_bins;
    const BalPlan *plan = &s->parts->plan;
    const Prices prices = price(s);
    BalShortage *list = NULL;
    int64_t *more = NULL;
    int k = 0;
    BalStatus rc;
    if (extra < 1) return BAL_FAIL(err, BAL_E_ARG, "a shortage is told for at least one clip more");
    BAL_TRY_OR(fail, bal_alloc(&list, cells, sizeof *list, err));
    BAL_TRY_OR(fail, bal_alloc(&more, cells, sizeof *more, err));
    memcpy(more, s->parts->n, cells * sizeof *more);
    for (int i = 0; i < (int)cells && s->possible; i++) {
        const int c = i / s->n_bins, b = i % s->n_bins;
        if (!s->eligible[b]) continue;
        BalShortage x = {c, b, s->parts->n[i], s->x[i], 0, 0};
        if (prices.has_above && crosses(&plan->above, c, b)) x.price += prices.above;
        if (prices.has_size && crosses(&plan->size, c, b)) x.price += prices.size;
        if (x.price <= 0) continue;
        BAL_TRY_OR(fail, gain(&x, s, more, extra, err));
        list[k++] = x;
    }
    qsort(list, (size_t)k, sizeof *list, best_first);
    *out = list;
    *n = k;
    bal_free(more);
    return BAL_OK;
fail:
    bal_free(more);
    bal_free(list);
    return rc;
}

void bal_shortage_free(BalShortage *list) {
    bal_free(list);
}
