/* From counts to a plan.
 *
 * Policies that choose their level: the highest possible one allows the most clips (rule.c). It is found from above by Newton's method
 * on cuts: where the flow fails because bins need too much, its cut excludes this level and says how far down one has to go for it not
 * to; the need of its bins falls strictly from cut to cut, so that there are at most as many steps as bins (three on all random
 * instances). Bisection would be wrong: with must-keep clips and least numbers per class low levels are impossible too. Where the flow
 * fails because classes must give more than bins may take, no lower level helps, and nothing is possible at all. */
#include "curate/plan.h"

#include <string.h>

#include "base/mem.h"
#include "curate/balance.h"

typedef struct Solve {
    BalRule rule;
    BalFlow flow;
    int64_t *class_low, *class_high, *bin_low, *bin_high;
    BalPlan plan;
} Solve;

static void copy_cut(BalCut *to, const BalFlow *f) {
    to->kind = f->cut;
    for (int c = 0; c < f->n_classes; c++) to->class_in[c] = bal_cut_has_class(f, c);
    for (int b = 0; b < f->n_bins; b++) to->bin_in[b] = bal_cut_has_bin(f, b);
}

static bool find_at(Solve *s, int64_t level) {
    const BalLimits l = {s->class_low, s->class_high, s->bin_low, s->bin_high};
    for (int b = 0; b < s->flow.n_bins; b++) {
        s->bin_low[b] = bal_rule_low(&s->rule, b, level);
        s->bin_high[b] = bal_rule_high(&s->rule, b, level);
    }
    return bal_flow_find(&s->flow, &l);
}

/* ---- policies that choose their level ---- */

/* The highest level below `level` that the last cut leaves open, -1 where there is none. */
static int64_t next_level(const BalCut *cut, const BalRule *r, int64_t level) {
    int64_t open = -1, shut = level;
    while (shut - open > 1) {
        int64_t middle = open + (shut - open) / 2;
        if (bal_cut_value(cut, r, middle) > 0)
            shut = middle;
        else
            open = middle;
    }
    return open;
}

/* The bin that ends the levels, as a cut: it needs more clips than it has. */
static void cut_bin(BalCut *cut, const BalCells *cells, int bin) {
    cut->kind = BAL_CUT_BINS;
    for (int c = 0; c < cells->n_classes; c++) cut->class_in[c] = true;
    for (int b = 0; b < cells->n_bins; b++) cut->bin_in[b] = b != bin;
}

static void find_level(Solve *s) {
    BalPlan *p = &s->plan;
    int bin;
    p->level = bal_rule_top(&s->rule, &bin);
    if (bin >= 0) cut_bin(&p->above, s->rule.cells, bin);
    while (!(p->possible = find_at(s, p->level))) {
        if (s->flow.cut == BAL_CUT_CLASSES) {
            copy_cut(&p->conflict, &s->flow);
            return;
        }
        copy_cut(&p->above, &s->flow);
        p->level = next_level(&p->above, &s->rule, p->level);
        if (p->level < 0) return;
    }
}

/* ---- waterfill, mirror ---- */

static bool flow_at(Solve *s, int64_t level) {
    if (!find_at(s, level)) {
        copy_cut(&s->plan.conflict, &s->flow);
        return false;
    }
    s->plan.kept = bal_flow_maximise(&s->flow);
    copy_cut(&s->plan.size, &s->flow);
    return true;
}

static bool within_budget(Solve *s, int64_t level) {
    const BalRule *r = &s->rule;
    if (!flow_at(s, level)) return false;
    bal_flow_even_bins(&s->flow, r->weight);
    bal_flow_read(&s->flow, s->plan.x);
    for (int b = 0; b < s->flow.n_bins; b++) s->bin_low[b] = 0;
    for (int i = 0; i < s->flow.n_classes * s->flow.n_bins; i++) s->bin_low[i % s->flow.n_bins] += s->plan.x[i];
    BalBalance now = bal_balance_of(s->bin_low, r->eligible, s->flow.n_bins);
    return bal_balance_get(&now, r->spec->budget) <= r->spec->budget_value;
}

/* The lowest level from low on that is possible; below high. */
static int64_t least_level(Solve *s, int64_t low, int64_t high) {
    int64_t shut = low - 1, open = high - 1;
    while (open - shut > 1) {
        int64_t middle = shut + (open - shut) / 2;
        if (find_at(s, middle))
            open = middle;
        else
            shut = middle;
    }
    return open;
}

/* Without must-keep clips and least numbers of clips the selections of all levels are ordered: each is more even than the next by every
 * measure. With must-keep clips that is so from the level on at which all of them fit; where that level is over the budget, a lower one
 * may keep it, which is not looked for. With least numbers it is not proven, and the outcome is known to be the largest only where no
 * level would keep more. */
static void find_budget(Solve *s) {
    const BalRule *r = &s->rule;
    int64_t must = 0, high = 1, low;
    for (int b = 0; b < r->cells->n_bins; b++) {
        if (!r->eligible[b]) continue;
        if (r->bin_must[b] > must) must = r->bin_must[b];
        if (r->bin_n[b] >= high) high = r->bin_n[b] + 1;
    }
    const int64_t top = high - 1; /* all clips that the other limits allow */
    low = least_level(s, must, high);
    s->plan.possible = flow_at(s, low) && (!low || within_budget(s, low));
    while (s->plan.possible && high - low > 1) {
        int64_t middle = low + (high - low) / 2;
        if (within_budget(s, middle))
            low = middle;
        else
            high = middle;
    }
    s->plan.level = low;
    if (s->plan.possible)
        s->plan.optimal = !r->class_low || low == top;
    else
        s->plan.optimal = s->plan.conflict.kind || (!r->class_low && !must);
}

/* ---- cells ---- */

/* Exchange clips of two classes in two bins, which leaves all totals as they are, as long as that lowers the sum of squares of these
 * cells. `gap` of a bin is what the first class has there more than the second. */
static bool spread_two(const BalCells *cells, int64_t *x, int c, int k) {
    const int n = cells->n_bins, p = c * n, q = k * n;
    bool moved = false;
    for (;;) {
        int give = -1, take = -1; /* bins in which the first class gives clips to the second, and takes some */
        for (int b = 0; b < n; b++) {
            const int64_t gap = x[p + b] - x[q + b];
            if (x[p + b] > cells->must[p + b] && x[q + b] < cells->n[q + b] &&
                (give < 0 || gap > x[p + give] - x[q + give]))
                give = b;
            if (x[p + b] < cells->n[p + b] && x[q + b] > cells->must[q + b] &&
                (take < 0 || gap < x[p + take] - x[q + take]))
                take = b;
        }
        if (give < 0 || take < 0) return moved;
        int64_t most = (x[p + give] - x[q + give] - x[p + take] + x[q + take] + 1) / 4;
        const int64_t room[] = {x[p + give] - cells->must[p + give], cells->n[q + give] - x[q + give],
                                cells->n[p + take] - x[p + take], x[q + take] - cells->must[q + take]};
        for (int i = 0; i < 4; i++)
            if (room[i] < most) most = room[i];
        if (most <= 0) return moved;
        x[p + give] -= most;
        x[q + give] += most;
        x[p + take] += most;
        x[q + take] -= most;
        moved = true;
    }
}

/* A flow is a corner of what is possible: it gives one bin clips of few classes, and a dataset in which the class tells the discrepancy
 * is balanced in name only. */
static void spread_cells(const BalCells *cells, int64_t *x) {
    for (bool moved = true; moved;) {
        moved = false;
        for (int c = 0; c < cells->n_classes; c++)
            for (int k = c + 1; k < cells->n_classes; k++) moved |= spread_two(cells, x, c, k);
    }
}

/* ---- all of it ---- */

static BalStatus solve_make(Solve *s, const BalSelectSpec *spec, const BalCells *cells, BalError *err) {
    const size_t n_classes = (size_t)cells->n_classes, n_bins = (size_t)cells->n_bins;
    BAL_TRY(bal_rule_make(&s->rule, spec, cells, err));
    BAL_TRY(bal_flow_make(&s->flow, cells->n_classes, cells->n_bins, cells->must, cells->n, err));
    BAL_TRY(bal_alloc(&s->class_low, n_classes, sizeof *s->class_low, err));
    BAL_TRY(bal_alloc(&s->class_high, n_classes, sizeof *s->class_high, err));
    BAL_TRY(bal_alloc(&s->bin_low, n_bins, sizeof *s->bin_low, err));
    BAL_TRY(bal_alloc(&s->bin_high, n_bins, sizeof *s->bin_high, err));
    BAL_TRY(bal_alloc(&s->plan.x, n_classes * n_bins, sizeof *s->plan.x, err));
    BAL_TRY(bal_cut_make(&s->plan.size, cells, err));
    BAL_TRY(bal_cut_make(&s->plan.above, cells, err));
    BAL_TRY(bal_cut_make(&s->plan.conflict, cells, err));
    for (size_t c = 0; c < n_classes; c++) {
        s->class_low[c] = s->rule.class_low;
        s->class_high[c] = s->rule.class_high;
    }
    return BAL_OK;
}

static void solve_reset(Solve *s) {
    bal_plan_reset(&s->plan);
    bal_rule_reset(&s->rule);
    bal_flow_reset(&s->flow);
    bal_free(s->class_low);
    bal_free(s->class_high);
    bal_free(s->bin_low);
    bal_free(s->bin_high);
}

static void find_plan(Solve *s) {
    const BalSelectSpec *spec = s->rule.spec;
    s->plan.optimal = true;
    if (bal_rule_has_levels(&s->rule)) {
        find_level(s);
    } else {
        s->plan.possible = true;
        s->plan.level = spec->level;
        if (spec->budget != BAL_BUDGET_NONE) find_budget(s);
    }
    s->plan.tried = s->plan.level;
    if (s->plan.possible) s->plan.possible = flow_at(s, s->plan.level);
    if (!s->plan.possible) s->plan.level = s->plan.kept = 0;
}

BalStatus bal_plan_make(BalPlan *out, const BalSelectSpec *spec, const BalCells *cells, BalError *err) {
    Solve s = {0};
    BalStatus rc = solve_make(&s, spec, cells, err);
    if (rc >= 0) {
        find_plan(&s);
        memset(s.plan.x, 0, (size_t)(cells->n_classes * cells->n_bins) * sizeof *s.plan.x);
        if (s.plan.possible) {
            bal_flow_even_bins(&s.flow, s.rule.weight);
            bal_flow_even_classes(&s.flow);
            bal_flow_read(&s.flow, s.plan.x);
            spread_cells(cells, s.plan.x);
        }
        *out = s.plan;
        s.plan = (BalPlan){0};
    }
    solve_reset(&s);
    return rc;
}

BalStatus bal_plan_size(int64_t *kept, const BalSelectSpec *spec, const BalCells *cells, BalError *err) {
    Solve s = {0};
    BalStatus rc = solve_make(&s, spec, cells, err);
    if (rc >= 0) {
        find_plan(&s);
        *kept = s.plan.kept;
    }
    solve_reset(&s);
    return rc;
}

void bal_plan_reset(BalPlan *p) {
    bal_free(p->x);
    bal_cut_reset(&p->size);
    bal_cut_reset(&p->above);
    bal_cut_reset(&p->conflict);
    *p = (BalPlan){0};
}
