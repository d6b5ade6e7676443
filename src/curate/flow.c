/* Flow through classes into bins.
 *
 *            [class_low, class_high]        [low, high]        [bin_low, bin_high]
 *     source ----------------------> class ------------> bin ----------------------> sink
 *
 * A selection is a flow: the clips of a cell flow through its arc. The matrix of such a problem is totally unimodular, so integral limits
 * have integral optima and nothing is rounded. Three questions are answered, all with residual paths:
 *
 *  1. Is there a flow within the limits? Lower limits become supplies and demands of two extra nodes, whose maximum flow (Dinic 1970)
 *     meets them all or leaves a set of nodes that violates Hoffman's condition (1960).
 *  2. How large can it be? Augmenting from source to sink from there; the last search reaches one side of a minimum cut.
 *  3. Which of the largest is the most even? The bins' totals of all flows of one size form an M-convex set, on which a separable
 *     convex function is least where no single exchange improves it, and the least sum of squares is the least majorised vector
 *     (Frank and Murota, arXiv:1808.07600). An exchange is a residual path from one bin to another. It moves as many clips at once as
 *     improve the sum, so that the time depends on the number of cells, not of clips. The same holds for the totals of the classes.
 *
 * Arcs have a fixed order and ties go to the lower index: the same counts give the same flow. */
#include "curate/flow.h"

#include <string.h>

#include "base/mem.h"

enum { SOURCE, SINK, SUPPLY, DEMAND, N_HUBS };
#define PLENTY ((int64_t)1 << 61)

static int class_node(int c) {
    return N_HUBS + c;
}

static int bin_node(const BalFlow *f, int b) {
    return N_HUBS + f->n_classes + b;
}

/* Arcs in this order: of the classes, of the bins, supply and demand of every node, sink to source, of the cells that have clips. */
static int class_arc(int c) {
    return 2 * c;
}

static int bin_arc(const BalFlow *f, int b) {
    return 2 * (f->n_classes + b);
}

static int supply_arc(const BalFlow *f, int node) {
    int inner = f->n_classes + f->n_bins, i = node < N_HUBS ? inner + node : node - N_HUBS;
    return 2 * (inner + 2 * i);
}

static int back_arc(const BalFlow *f) {
    return 2 * (3 * (f->n_classes + f->n_bins) + 4);
}

static void add_arc(BalFlow *f, int from, int to) {
    f->from[f->n_arcs] = f->to[f->n_arcs + 1] = from;
    f->to[f->n_arcs] = f->from[f->n_arcs + 1] = to;
    f->n_arcs += 2;
}

static void add_arcs(BalFlow *f) {
    for (int c = 0; c < f->n_classes; c++) add_arc(f, SOURCE, class_node(c));
    for (int b = 0; b < f->n_bins; b++) add_arc(f, bin_node(f, b), SINK);
    for (int i = 0; i < f->n_classes + f->n_bins + 2; i++) {
        int node = i < f->n_classes + f->n_bins ? N_HUBS + i : i - f->n_classes - f->n_bins;
        add_arc(f, SUPPLY, node);
        add_arc(f, node, DEMAND);
    }
    add_arc(f, SINK, SOURCE);
    for (int c = 0; c < f->n_classes; c++)
        for (int b = 0; b < f->n_bins; b++) {
            int i = c * f->n_bins + b;
            f->cell[i] = f->high[i] > 0 ? f->n_arcs : -1;
            if (f->high[i] > 0) add_arc(f, class_node(c), bin_node(f, b));
        }
}

static void index_arcs(BalFlow *f) {
    for (int a = 0; a < f->n_arcs; a++) f->first[f->from[a] + 1]++;
    for (int v = 0; v < f->n_nodes; v++) f->first[v + 1] += f->first[v];
    memcpy(f->next, f->first, (size_t)f->n_nodes * sizeof *f->next);
    for (int a = 0; a < f->n_arcs; a++) f->arc[f->next[f->from[a]]++] = a;
}

BalStatus bal_flow_make(BalFlow *f, int n_classes, int n_bins, const int64_t *low, const int64_t *high, BalError *err) {
    const size_t inner = (size_t)n_classes + (size_t)n_bins, cells = (size_t)n_classes * (size_t)n_bins;
    const size_t nodes = N_HUBS + inner, arcs = 2 * (3 * inner + 5 + cells);
    BalStatus rc;
    *f = (BalFlow){.n_classes = n_classes, .n_bins = n_bins, .n_nodes = (int)nodes, .low = low, .high = high};
    BAL_TRY_OR(fail, bal_alloc(&f->from, arcs, sizeof *f->from, err));
    BAL_TRY_OR(fail, bal_alloc(&f->to, arcs, sizeof *f->to, err));
    BAL_TRY_OR(fail, bal_alloc(&f->cap, arcs, sizeof *f->cap, err));
    BAL_TRY_OR(fail, bal_alloc(&f->arc, arcs, sizeof *f->arc, err));
    BAL_TRY_OR(fail, bal_alloc(&f->cell, cells, sizeof *f->cell, err));
    BAL_TRY_OR(fail, bal_alloc(&f->first, nodes + 1, sizeof *f->first, err));
    BAL_TRY_OR(fail, bal_alloc(&f->level, nodes, sizeof *f->level, err));
    BAL_TRY_OR(fail, bal_alloc(&f->next, nodes, sizeof *f->next, err));
    BAL_TRY_OR(fail, bal_alloc(&f->via, nodes, sizeof *f->via, err));
    BAL_TRY_OR(fail, bal_alloc(&f->total, nodes, sizeof *f->total, err));
    BAL_TRY_OR(fail, bal_alloc(&f->closed, nodes, sizeof *f->closed, err));
    add_arcs(f);
    index_arcs(f);
    return BAL_OK;
fail:
    bal_flow_reset(f);
    return rc;
}

void bal_flow_reset(BalFlow *f) {
    bal_free(f->from);
    bal_free(f->to);
    bal_free(f->cap);
    bal_free(f->arc);
    bal_free(f->cell);
    bal_free(f->first);
    bal_free(f->level);
    bal_free(f->next);
    bal_free(f->via);
    bal_free(f->total);
    bal_free(f->closed);
    *f = (BalFlow){0};
}

/* ---- Dinic's maximum flow ---- */

/* Steps from `from` to every node that can be reached without passing the hubs shut; via: the arc a node was reached by. */
static void search(BalFlow *f, int from, bool shut_source, bool shut_sink) {
    int *queue = f->next, head = 0, tail = 0;
    for (int v = 0; v < f->n_nodes; v++) f->level[v] = -1;
    f->level[from] = 0;
    queue[tail++] = from;
    while (head < tail) {
        int v = queue[head++];
        for (int i = f->first[v]; i < f->first[v + 1]; i++) {
            int a = f->arc[i], w = f->to[a];
            if (!f->cap[a] || f->level[w] >= 0 || (w == SOURCE && shut_source) || (w == SINK && shut_sink)) continue;
            f->level[w] = f->level[v] + 1;
            f->via[w] = a;
            queue[tail++] = w;
        }
    }
}

/* Along arcs that lead one step on; as deep as the shortest path is long. */
static int64_t advance(BalFlow *f, int v, int end, int64_t most) {
    int64_t sent = 0;
    if (v == end) return most;
    for (int *i = &f->next[v]; *i < f->first[v + 1]; ++*i) {
        int a = f->arc[*i], w = f->to[a];
        if (!f->cap[a] || f->level[w] != f->level[v] + 1) continue;
        int64_t got = advance(f, w, end, most - sent < f->cap[a] ? most - sent : f->cap[a]);
        f->cap[a] -= got;
        f->cap[a ^ 1] += got;
        sent += got;
        if (sent == most) break; /* the arc may have room left: it stays the next one */
    }
    return sent;
}

static int64_t push_all(BalFlow *f, int from, int end) {
    int64_t sent = 0;
    for (;;) {
        search(f, from, false, false);
        if (f->level[end] < 0) return sent;
        memcpy(f->next, f->first, (size_t)f->n_nodes * sizeof *f->next);
        sent += advance(f, from, end, PLENTY);
    }
}

/* ---- the three questions ---- */

static void set_arc(BalFlow *f, int a, int64_t cap) {
    f->cap[a] = cap;
    f->cap[a ^ 1] = 0;
}

/* Room of every arc above its lower limit. f->total: by how much lower limits bring a node more than they take from it. */
static void set_limits(BalFlow *f, const BalLimits *l) {
    int64_t *more = f->total;
    memset(more, 0, (size_t)f->n_nodes * sizeof *more);
    for (int c = 0; c < f->n_classes; c++) {
        set_arc(f, class_arc(c), l->class_high[c] - l->class_low[c]);
        more[SOURCE] -= l->class_low[c];
        more[class_node(c)] += l->class_low[c];
    }
    for (int b = 0; b < f->n_bins; b++) {
        set_arc(f, bin_arc(f, b), l->bin_high[b] - l->bin_low[b]);
        more[bin_node(f, b)] -= l->bin_low[b];
        more[SINK] += l->bin_low[b];
    }
    for (int i = 0; i < f->n_classes * f->n_bins; i++) {
        int a = f->cell[i];
        if (a < 0) continue;
        set_arc(f, a, f->high[i] - f->low[i]);
        more[f->from[a]] -= f->low[i];
        more[f->to[a]] += f->low[i];
    }
    set_arc(f, back_arc(f), PLENTY);
}

bool bal_flow_find(BalFlow *f, const BalLimits *l) {
    int64_t wanted = 0;
    set_limits(f, l);
    for (int v = 0; v < f->n_nodes; v++) {
        if (v == SUPPLY || v == DEMAND) continue;
        int64_t more = f->total[v];
        set_arc(f, supply_arc(f, v), more > 0 ? more : 0);
        set_arc(f, supply_arc(f, v) + 2, more < 0 ? -more : 0);
        wanted += more > 0 ? more : 0;
    }
    bool found = push_all(f, SUPPLY, DEMAND) == wanted;
    f->cut = found ? BAL_CUT_NONE : f->level[SOURCE] >= 0 ? BAL_CUT_BINS : BAL_CUT_CLASSES;
    set_arc(f, back_arc(f), 0);
    return found;
}

static int64_t class_total(const BalFlow *f, int c) {
    int64_t sum = 0;
    for (int b = 0; b < f->n_bins; b++) {
        int i = c * f->n_bins + b;
        if (f->cell[i] >= 0) sum += f->low[i] + f->cap[f->cell[i] ^ 1];
    }
    return sum;
}

static int64_t bin_total(const BalFlow *f, int b) {
    int64_t sum = 0;
    for (int i = b; i < f->n_classes * f->n_bins; i += f->n_bins)
        if (f->cell[i] >= 0) sum += f->low[i] + f->cap[f->cell[i] ^ 1];
    return sum;
}

int64_t bal_flow_maximise(BalFlow *f) {
    int64_t sum = 0;
    push_all(f, SOURCE, SINK);
    f->cut = BAL_CUT_SIZE;
    for (int c = 0; c < f->n_classes; c++) sum += class_total(f, c);
    return sum;
}

bool bal_cut_has_class(const BalFlow *f, int c) {
    return f->level[class_node(c)] >= 0;
}

bool bal_cut_has_bin(const BalFlow *f, int b) {
    return f->level[bin_node(f, b)] >= 0;
}

void bal_flow_read(const BalFlow *f, int64_t *x) {
    for (int i = 0; i < f->n_classes * f->n_bins; i++) x[i] = f->cell[i] < 0 ? 0 : f->low[i] + f->cap[f->cell[i] ^ 1];
}

/* ---- evenness ---- */

/* The nodes of one side. An exchange goes from `start` along a residual path to `end`. Bins: start gives, end takes; classes: the flow that
 * enters at start leaves where it came from, so start takes and end gives. */
typedef struct Side {
    bool bins;
    int first, n;          /* nodes */
    const int64_t *weight; /* NULL: all 1 */
} Side;

static int64_t weight_of(const Side *s, int node) {
    return s->weight ? s->weight[node - s->first] : 1;
}

/* Arcs whose room says how many clips fewer, or more, a node of the side may get. */
static int64_t room(const BalFlow *f, const Side *s, int node, bool fewer) {
    int a = s->bins ? bin_arc(f, node - s->first) : class_arc(node - s->first);
    return f->cap[fewer ? a ^ 1 : a];
}

/* How many clips to move from one node to another: the last of them still lowers the sum of x^2 / w. */
static int64_t improving(const BalFlow *f, const Side *s, int giver, int taker) {
    int64_t wg = weight_of(s, giver), wt = weight_of(s, taker);
    int64_t above = (2 * f->total[giver] + 1) * wt - (2 * f->total[taker] - 1) * wg;
    return above > 0 ? (above - 1) / (2 * (wg + wt)) : 0;
}

/* Does u give, or take, more readily than v? By what the next clip changes in the sum; equal ones keep their order. */
static bool is_farther(const BalFlow *f, const Side *s, bool giver, int u, int v) {
    const int64_t step = giver ? -1 : 1;
    int64_t xu = (2 * f->total[u] + step) * weight_of(s, v), xv = (2 * f->total[v] + step) * weight_of(s, u);
    return giver ? xu > xv : xu < xv;
}

/* The best exchange that starts at a node; 0 where none improves anything. */
static int64_t exchange(BalFlow *f, const Side *s, int start) {
    int64_t n = room(f, s, start, s->bins);
    int end = -1;
    if (!n) return 0;
    search(f, start, !s->bins, true);
    for (int v = s->first; v < s->first + s->n; v++)
        if (v != start && f->level[v] >= 0 && room(f, s, v, !s->bins) &&
            (end < 0 || is_farther(f, s, !s->bins, v, end)))
            end = v;
    if (end < 0) return 0;
    int64_t better = s->bins ? improving(f, s, start, end) : improving(f, s, end, start);
    if (better < n) n = better;
    if (room(f, s, end, !s->bins) < n) n = room(f, s, end, !s->bins);
    for (int v = end; v != start; v = f->from[f->via[v]])
        if (f->cap[f->via[v]] < n) n = f->cap[f->via[v]];
    for (int v = end; v != start; v = f->from[f->via[v]]) {
        f->cap[f->via[v]] -= n;
        f->cap[f->via[v] ^ 1] += n;
    }
    const int a = s->bins ? bin_arc(f, start - s->first) : class_arc(start - s->first);
    const int e = s->bins ? bin_arc(f, end - s->first) : class_arc(end - s->first);
    const int64_t more = s->bins ? -n : n; /* clips that start gets */
    f->cap[a] -= more;
    f->cap[a ^ 1] += more;
    f->cap[e] += more;
    f->cap[e ^ 1] -= more;
    f->total[start] += more;
    f->total[end] -= more;
    return n;
}

/* Farthest out first; a round without any exchange ends it, because what was tried early may have become possible later. */
static void even_out(BalFlow *f, const Side *s) {
    bool moved = true;
    while (moved) {
        moved = false;
        memset(f->closed, 0, (size_t)f->n_nodes * sizeof *f->closed);
        for (;;) {
            int start = -1;
            for (int v = s->first; v < s->first + s->n; v++)
                if (!f->closed[v] && (start < 0 || is_farther(f, s, s->bins, v, start))) start = v;
            if (start < 0) break;
            if (exchange(f, s, start) > 0)
                moved = true;
            else
                f->closed[start] = true;
        }
    }
}

void bal_flow_even_bins(BalFlow *f, const int64_t *weight) {
    const Side s = {true, bin_node(f, 0), f->n_bins, weight};
    for (int b = 0; b < f->n_bins; b++) f->total[bin_node(f, b)] = bin_total(f, b);
    even_out(f, &s);
}

void bal_flow_even_classes(BalFlow *f) {
    const Side s = {false, class_node(0), f->n_classes, NULL};
    for (int c = 0; c < f->n_classes; c++) f->total[class_node(c)] = class_total(f, c);
    even_out(f, &s);
}
