/* What `select` says to people. */
#include <math.h>
#include <string.h>

#include "cli/select.h"
#include "curate/selection.h"

enum { BAR = 40 };

static void add_real(BalText *out, double v, const char *unit) {
    if (isnan(v))
        bal_text_f(out, " %12s", "-");
    else
        bal_text_f(out, " %12.4g%s", v, unit);
}

static void add_row(BalText *out, const char *name, double before, double after, const char *unit) {
    bal_text_f(out, "%-34s", name);
    add_real(out, before, unit);
    add_real(out, after, unit);
    bal_text_char(out, '\n');
}

static double percent(int64_t n, int64_t all) {
    return all ? 100.0 * (double)n / (double)all : NAN;
}

static void add_metrics(BalText *out, const BalSelectResult *s) {
    const BalSelectSide *a = &s->before, *b = &s->after;
    bal_text_f(out, "\n%-34s %12s %12s\n", "", "before", "after");
    bal_text_f(out, "%-34s %12lld %12lld\n", "clips", (long long)a->n, (long long)b->n);
    add_row(out, "KL / ln B to uniform", a->bins.kl_norm, b->bins.kl_norm, "");
    add_row(out, "KL / ln B, eligible bins", a->eligible.kl_norm, b->eligible.kl_norm, "");
    add_row(out, "chi2", a->bins.chi2, b->bins.chi2, "");
    add_row(out, "Gini of bins", a->bins.gini, b->bins.gini, "");
    add_row(out, "largest by smallest eligible bin", a->eligible.max_min, b->eligible.max_min, "");
    if (s->spec.policy == BAL_POLICY_PLANE) {
        add_row(out, "KL to 1 - |d| / most, eligible bins", a->target_eligible.kl_norm, b->target_eligible.kl_norm, "");
        add_row(out, "largest by smallest, per 1 - |d|", a->target_eligible.max_min, b->target_eligible.max_min, "");
    }
    if (!s->spec.grid)
        add_row(out, "Wasserstein-1 to uniform, in d", a->bins.w1_bins * 2 / s->n_bins, b->bins.w1_bins * 2 / s->n_bins,
                "");
    add_row(out, "audio-preferred, %", percent(a->audio_preferred, a->n), percent(b->audio_preferred, b->n), "");
    add_row(out, "|d| > 0.2, %", percent(a->beyond_02, a->n), percent(b->beyond_02, b->n), "");
    add_row(out, "|d| > 0.4, %", percent(a->beyond_04, a->n), percent(b->beyond_04, b->n), "");
    add_row(out, "Pearson r of u_audio and u_visual", a->pearson, b->pearson, "");
    add_row(out, "largest by smallest class", a->classes.max_min, b->classes.max_min, "");
    add_row(out, "Gini of classes", a->classes.gini, b->classes.gini, "");
}

/* The bins as bars, # kept and - left out, in units of the largest. */
static void add_bins(BalText *out, const BalSelectResult *s) {
    int64_t most = 1;
    for (int b = 0; b < s->n_bins; b++)
        if (s->before.per_bin[b] > most) most = s->before.per_bin[b];
    bal_text_f(out, "\n%3s %-20s %9s %9s\n", "bin", s->spec.grid ? "" : "u_audio - u_visual", "clips", "kept");
    for (int b = 0; b < s->n_bins; b++) {
        BalText name = {0};
        const int64_t n = s->before.per_bin[b], x = s->after.per_bin[b];
        const int kept = (int)((double)x * BAR / (double)most + 0.5), all = (int)((double)n * BAR / (double)most + 0.5);
        bal_bin_name(&s->spec, b, &name);
        bal_text_f(out, "%3d %-20s %9lld %9lld  ", b, bal_text_str(&name), (long long)n, (long long)x);
        for (int i = 0; i < all; i++) bal_text_char(out, i < kept ? '#' : '-');
        bal_text_add(out, s->eligible[b] ? "\n" : " not eligible\n");
        bal_text_reset(&name);
    }
}

void bal_select_head(BalText *out, const BalSelectResult *s) {
    BalText why = {0};
    bal_selection_why(s, &why);
    bal_text_f(out, "kept %lld of %lld clip%s (%.1f %%), %d class%s: ", (long long)s->kept, (long long)s->before.n,
               s->before.n == 1 ? "" : "s", percent(s->kept, s->before.n), s->n_classes, s->n_classes == 1 ? "" : "es");
    if (!s->possible)
        bal_text_add(out, "no selection is possible\n");
    else
        bal_text_f(out, "%s\n", s->optimal ? "no larger selection is possible" : "the largest that was found");
    for (const char *line = bal_text_str(&why); *line;) {
        const size_t n = strcspn(line, "\n");
        bal_text_f(out, "  %.*s\n", (int)n, line);
        line += n + (line[n] == '\n');
    }
    if (s->trimmed >= 0 && s->possible)
        bal_text_f(out, "  cutting every bin at random to one level within the same limits would keep %lld\n",
                   (long long)s->trimmed);
    bal_text_reset(&why);
}

enum { SHOWN = 20 };

static void add_shortage(BalText *out, const BalSelectResult *s, const BalSelectMore *m) {
    bal_text_f(out, "\nclips to look for, by what each of %lld more would add to the %lld kept\n", (long long)m->extra,
               (long long)s->kept);
    if (!m->n_shortage) bal_text_add(out, "  none: no single class in one bin holds the selection back\n");
    if (m->n_shortage) bal_text_f(out, "%8s %8s %9s  %-22s %s\n", "gain", "together", "there now", "bin", "class");
    for (int i = 0; i < m->n_shortage && i < SHOWN; i++) {
        const BalShortage *x = &m->shortage[i];
        BalText name = {0};
        bal_bin_name(&s->spec, x->bin, &name);
        bal_text_f(out, "%8.3g %8.3g %9lld  %2d %-19s %s\n", x->gain, x->price, (long long)x->n, x->bin,
                   bal_text_str(&name), s->label[x->class_index]);
        bal_text_reset(&name);
    }
    if (m->n_shortage > SHOWN)
        bal_text_f(out, "  and %d more; --json and shortage.csv have all\n", m->n_shortage - SHOWN);
    if (m->n_shortage)
        bal_text_add(
            out, "  together: of one clip, if the other classes and bins that hold the selection back grow as well\n");
    for (int b = 0; b < s->n_bins; b++)
        if (!s->eligible[b])
            bal_text_f(out, "  bin %d lacks %lld clips to count (--min-per-bin)\n", b,
                       (long long)(s->spec.min_per_bin - s->parts->rule.bin_n[b]));
}

void bal_select_text(BalText *out, const BalSelectResult *s, const BalSelectMore *more, const char *dir) {
    bal_select_head(out, s);
    add_metrics(out, s);
    if (s->n_bins <= 40) add_bins(out, s);
    bal_text_f(out,
               "\nnot kept: %lld beyond what their bin and class may have, %lld in bins with fewer than %lld clips",
               (long long)s->beyond_quota, (long long)s->not_eligible, (long long)s->spec.min_per_bin);
    if (s->spec.per_source)
        bal_text_f(out, ", %lld beyond %lld of one source and class", (long long)s->beyond_source,
                   (long long)s->spec.per_source);
    bal_text_char(out, '\n');
    if (s->on_edge >= 0)
        bal_text_f(out, "near an edge: %.1f %% of all clips lie in another bin one standard error away\n",
                   percent(s->on_edge, s->before.n));
    if (s->n_must) bal_text_f(out, "kept because they had to be: %lld\n", (long long)s->n_must);
    if (s->n_gone) bal_text_f(out, "of the earlier selection %lld are no longer in the table\n", (long long)s->n_gone);
    if (more->extra) add_shortage(out, s, more);
    if (dir) bal_text_f(out, "written: %s\n", dir);
}
