/* A selection as select.json, and in words what limits it. */
#include <math.h>
#include <stdio.h>

#include "base/json.h"
#include "curate/balance.h"
#include "curate/selection.h"
#include "curate/settings.h"

/* ---- names ---- */

/* Edges of bins are multiples of 2 / n_bins; the middle two share 0, where clips are dealt by their keys. */
void bal_bin_name(const BalSelectSpec *spec, int bin, BalText *out) {
    if (spec->grid) {
        const int a = bin / spec->grid, v = bin % spec->grid;
        bal_text_f(out, "u_audio %g..%g, u_visual %g..%g", (double)a / spec->grid, (double)(a + 1) / spec->grid,
                   (double)v / spec->grid, (double)(v + 1) / spec->grid);
        return;
    }
    const double low = 2.0 * bin / spec->bins - 1, high = 2.0 * (bin + 1) / spec->bins - 1;
    const bool heard = bin >= spec->bins / 2;
    bal_text_f(out, "%.3g %s d %s %.3g", low, heard ? "<" : "<=", heard ? "<=" : "<", high);
}

/* ---- why not more ---- */

enum { NAMED = 4 };

/* Bins that are not eligible belong to a cut by chance, unless something of them must be kept. */
static bool matters(const BalSelectResult *s, int b) {
    return s->eligible[b] || s->parts->rule.bin_must[b];
}

static void add_bins(BalText *out, const BalSelectResult *s, const bool *in, bool inside) {
    int n = 0;
    for (int b = 0; b < s->n_bins; b++) {
        if (in[b] != inside || !matters(s, b)) continue;
        if (n < NAMED) bal_text_f(out, "%s%d", n ? ", " : "", b);
        n++;
    }
    if (n > NAMED) bal_text_f(out, " and %d more", n - NAMED);
}

static void add_classes(BalText *out, const BalSelectResult *s, const bool *in, bool inside) {
    int n = 0;
    for (int c = 0; c < s->n_classes; c++) {
        if (in[c] != inside) continue;
        if (n < NAMED) bal_text_f(out, "%s%s", n ? ", " : "", s->label[c][0] ? s->label[c] : "(no label)");
        n++;
    }
    if (n > NAMED) bal_text_f(out, " and %d more", n - NAMED);
}

static int count_classes(const BalSelectResult *s, const bool *in, bool inside) {
    int sum = 0;
    for (int c = 0; c < s->n_classes; c++) sum += in[c] == inside;
    return sum;
}

static int count_bins(const BalSelectResult *s, const bool *in, bool inside) {
    int sum = 0;
    for (int b = 0; b < s->n_bins; b++) sum += in[b] == inside && matters(s, b);
    return sum;
}

/* Clips of the classes inside in the bins outside. */
static int64_t leaving(const BalSelectResult *s, const BalObstacle *o) {
    int64_t sum = 0;
    for (int i = 0; i < s->n_classes * s->n_bins; i++)
        if (o->class_in[i / s->n_bins] && !o->bin_in[i % s->n_bins]) sum += s->all[i] - s->capped[i];
    return sum;
}

static int64_t needed(const BalSelectResult *s, const BalObstacle *o, int64_t level) {
    int64_t sum = 0;
    for (int b = 0; b < s->n_bins; b++)
        if (!o->bin_in[b]) sum += bal_rule_low(&s->parts->rule, b, level);
    return sum;
}

static void say_bins(BalText *out, const BalSelectResult *s, const BalObstacle *o, int64_t level) {
    const int bins = count_bins(s, o->bin_in, false), classes = count_classes(s, o->class_in, false);
    bal_text_f(out, "%s ", bins == 1 ? "bin" : "bins");
    add_bins(out, s, o->bin_in, false);
    if (bins == 1) {
        for (int b = 0; b < s->n_bins; b++)
            if (!o->bin_in[b] && matters(s, b)) {
                bal_text_add(out, " (");
                bal_bin_name(&s->spec, b, out);
                bal_text_char(out, ')');
            }
    }
    bal_text_f(out, " would need %lld clips", (long long)needed(s, o, level));
    if (classes) {
        bal_text_add(out, ", while ");
        add_classes(out, s, o->class_in, false);
        bal_text_f(out, " may give %lld%s", (long long)s->parts->rule.class_high, classes > 1 ? " each" : "");
        if (classes < s->n_classes) bal_text_f(out, " and the other classes have %lld there", (long long)leaving(s, o));
    } else {
        bal_text_f(out, " and %s %lld", bins == 1 ? "has" : "have", (long long)leaving(s, o));
    }
}

static void say_classes(BalText *out, const BalSelectResult *s, const BalObstacle *o) {
    const struct BalSelectParts *p = s->parts;
    const int classes = count_classes(s, o->class_in, true), bins = count_bins(s, o->bin_in, true);
    int64_t need = classes * p->rule.class_low;
    for (int i = 0; i < s->n_classes * s->n_bins; i++)
        if (!o->class_in[i / s->n_bins] && o->bin_in[i % s->n_bins]) need += s->must[i];
    if (classes && p->rule.class_low) {
        add_classes(out, s, o->class_in, true);
        bal_text_f(out, " must give %lld clip%s%s, %lld together%s", (long long)p->rule.class_low,
                   p->rule.class_low > 1 ? "s" : "", classes > 1 ? " each" : "", (long long)need,
                   need > classes * p->rule.class_low ? " with clips that must be kept" : "");
    } else {
        bal_text_f(out, "%lld clips must be kept", (long long)need);
    }
    bal_text_f(out, ", and no more than %lld fit",
               (long long)(need - bal_cut_value(&p->plan.conflict, &p->rule, p->plan.tried)));
    if (!bins) return;
    bal_text_f(out, " at the level of %lld, the highest that the bins allow: bin%s ", (long long)p->plan.tried,
               bins > 1 ? "s" : "");
    add_bins(out, s, o->bin_in, true);
    bal_text_f(out, " hold%s no more there", bins > 1 ? "" : "s");
}

static void say_size(BalText *out, const BalSelectResult *s) {
    const BalObstacle *o = &s->size;
    const int classes = count_classes(s, o->class_in, false);
    const int bins = count_bins(s, o->bin_in, true), rest = count_bins(s, o->bin_in, false);
    if (classes) {
        add_classes(out, s, o->class_in, false);
        bal_text_f(out, " %s at the limit of %lld", classes > 1 ? "are" : "is", (long long)s->parts->rule.class_high);
    }
    if (bins) {
        bal_text_f(out, "%sbin%s ", classes ? "; " : "", bins > 1 ? "s" : "");
        add_bins(out, s, o->bin_in, true);
        bal_text_f(out, " hold%s what %s allows", bins > 1 ? "" : "s",
                   bal_rule_has_levels(&s->parts->rule) ? "this level" : "the policy");
    }
    if (rest && classes < s->n_classes) {
        bal_text_f(out, "%severy clip of bin%s ", classes || bins ? "; " : "", rest > 1 ? "s" : "");
        add_bins(out, s, o->bin_in, false);
        bal_text_f(out, " is kept%s", classes ? " where its class is not at the limit" : "");
    }
}

void bal_selection_why(const BalSelectResult *s, BalText *out) {
    const BalObstacle *o = &s->limit;
    if (o->kind == BAL_CUT_CLASSES) {
        say_classes(out, s, o);
    } else if (!s->possible && o->kind == BAL_CUT_BINS) {
        bal_text_add(out, "clips that must be kept are more than a limit allows: ");
        say_bins(out, s, o, 0);
    } else if (o->kind == BAL_CUT_BINS) {
        bal_text_f(out, "for a level of %lld, ", (long long)s->level + 1);
        say_bins(out, s, o, s->level + 1);
    } else if (!s->possible) {
        bal_text_add(out, "even the lowest level that its other limits allow is less even than the budget");
    } else if (!s->parts->rule.n_eligible) {
        bal_text_f(out, "no bin has %lld clips (--min-per-bin)", (long long)s->spec.min_per_bin);
    }
    if (s->possible && s->parts->rule.n_eligible) {
        if (o->kind) bal_text_add(out, "\n");
        say_size(out, s);
    }
}

/* ---- the document ---- */

static void add_balance(BalJsonOut *o, const char *key, const BalBalance *b) {
    if (key) bal_json_open(o, key, '{');
    bal_json_add_real(o, "kl", b->kl);
    bal_json_add_real(o, "kl_norm", b->kl_norm);
    bal_json_add_real(o, "chi2", b->chi2);
    bal_json_add_real(o, "spread", b->spread);
    bal_json_add_real(o, "gini", b->gini);
    bal_json_add_real(o, "max_min", b->max_min);
    bal_json_add_real(o, "tv", b->tv);
    bal_json_add_real(o, "w1_bins", b->w1_bins);
    if (key) bal_json_close(o, '}');
}

static double share(int64_t n, int64_t all) { /* n -1: not known */
    return all && n >= 0 ? (double)n / (double)all : NAN;
}

static void add_metrics(BalJsonOut *o, const BalSelectResult *s, const BalSelectSide *side) {
    bal_json_open(o, "metrics", '{');
    add_balance(o, NULL, &side->bins);
    if (!s->spec.grid) bal_json_add_real(o, "w1_d", side->bins.w1_bins * 2 / s->n_bins);
    bal_json_add_real(o, "audio_preferred", share(side->audio_preferred, side->n));
    bal_json_add_real(o, "visual_preferred", share(side->visual_preferred, side->n));
    bal_json_add_real(o, "beyond_02", share(side->beyond_02, side->n));
    bal_json_add_real(o, "beyond_04", share(side->beyond_04, side->n));
    bal_json_add_real(o, "pearson", side->pearson);
    bal_json_add_real(o, "coverage", share(s->parts->rule.n_eligible, s->n_bins));
    add_balance(o, "eligible", &side->eligible);
    if (s->spec.policy == BAL_POLICY_PLANE) { /* elsewhere they are what the two before are */
        add_balance(o, "target", &side->target);
        add_balance(o, "target_eligible", &side->target_eligible);
    }
    add_balance(o, "classes", &side->classes);
    bal_json_close(o, '}');
}

static void add_side(BalJsonOut *o, const BalSelectResult *s, const BalSelectSide *side) {
    bal_json_add_counts(o, "per_bin", side->per_bin, 0, s->n_bins);
    bal_json_open(o, "per_class", '{');
    for (int c = 0; c < s->n_classes; c++) bal_json_add_int(o, s->label[c], side->per_class[c]);
    bal_json_close(o, '}');
    add_metrics(o, s, side);
}

static void add_classes_apart(BalJsonOut *o, const BalSelectResult *s) {
    bal_json_open(o, "classes", '[');
    for (int c = 0; c < s->n_classes; c++) {
        const int64_t *row[2] = {s->all + (size_t)c * (size_t)s->n_bins, s->x + (size_t)c * (size_t)s->n_bins};
        bal_json_open(o, NULL, '{');
        bal_json_add_text(o, "label", s->label[c]);
        for (int k = 0; k < 2; k++) {
            const BalBalance b = bal_balance(row[k], s->n_bins);
            bal_json_open(o, k ? "after" : "before", '{');
            bal_json_add_counts(o, "per_bin", row[k], 0, s->n_bins);
            add_balance(o, "metrics", &b);
            bal_json_close(o, '}');
        }
        bal_json_close(o, '}');
    }
    bal_json_close(o, ']');
}

/* Is it as balanced as a dataset that calls itself so should be? By what its policy asks for. */
static void add_acceptance(BalJsonOut *o, const BalSelectResult *s) {
    const BalSelectSide *a = &s->after;
    const double heard = share(a->audio_preferred, a->n);
    bal_json_open(o, "acceptance", '{');
    bal_json_add_bool(o, "kl_norm_at_most_0.01", a->target.kl_norm <= 0.01);
    bal_json_add_bool(o, "max_min_at_most_1.5", a->target_eligible.max_min <= 1.5);
    if (!isnan(heard)) bal_json_add_bool(o, "audio_preferred_within_0.02_of_half", fabs(heard - 0.5) <= 0.02);
    bal_json_close(o, '}');
}

static void add_obstacle(BalJsonOut *o, const BalSelectResult *s, const char *key, const BalObstacle *x) {
    static const char *const kinds[] = {NULL, "bins", "classes", "size"};
    if (!x->kind) return;
    bal_json_open(o, key, '{');
    bal_json_add_text(o, "kind", kinds[x->kind]);
    bal_json_open(o, "classes", '[');
    for (int c = 0; c < s->n_classes; c++)
        if (x->class_in[c]) bal_json_add_text(o, NULL, s->label[c]);
    bal_json_close(o, ']');
    bal_json_open(o, "bins", '[');
    for (int b = 0; b < s->n_bins; b++)
        if (x->bin_in[b]) bal_json_add_int(o, NULL, b);
    bal_json_close(o, ']');
    bal_json_close(o, '}');
}

static void add_frontier(BalJsonOut *o, const BalFrontier *f) {
    bal_json_open(o, "frontier", '[');
    for (int i = 0; i < f->n; i++) {
        bal_json_open(o, NULL, '{');
        bal_json_add_int(o, "level", f->point[i].level);
        bal_json_add_int(o, "kept", f->point[i].kept);
        add_balance(o, NULL, &f->point[i].bins);
        bal_json_close(o, '}');
    }
    bal_json_close(o, ']');
}

static void add_shortage(BalJsonOut *o, const BalSelectResult *s, const BalSelectMore *m) {
    bal_json_open(o, "shortage", '{');
    bal_json_add_int(o, "extra", m->extra);
    bal_json_open(o, "cells", '[');
    for (int i = 0; i < m->n_shortage; i++) {
        const BalShortage *x = &m->shortage[i];
        bal_json_open(o, NULL, '{');
        bal_json_add_text(o, "label", s->label[x->class_index]);
        bal_json_add_int(o, "bin", x->bin);
        bal_json_add_int(o, "n", x->n);
        bal_json_add_int(o, "kept", x->kept);
        bal_json_add_real(o, "gain", x->gain);
        bal_json_add_real(o, "price", x->price);
        bal_json_close(o, '}');
    }
    bal_json_close(o, ']');
    bal_json_open(o, "not_eligible", '['); /* what each of these bins lacks to be one that counts */
    for (int b = 0; b < s->n_bins; b++) {
        if (s->eligible[b]) continue;
        bal_json_open(o, NULL, '{');
        bal_json_add_int(o, "bin", b);
        bal_json_add_int(o, "n", s->parts->rule.bin_n[b]);
        bal_json_add_int(o, "lacks", s->spec.min_per_bin - s->parts->rule.bin_n[b]);
        bal_json_close(o, '}');
    }
    bal_json_close(o, ']');
    bal_json_close(o, '}');
}

void bal_selection_json(const BalSelectResult *s, const BalSelectMore *more, BalText *out) {
    BalJsonOut o = bal_json_document(out, true, "avbalance/select/1");
    BalText why = {0};
    bal_json_add_int(&o, "n", s->before.n);
    bal_json_add_int(&o, "kept", s->kept);
    add_side(&o, s, &s->after);
    bal_json_add_bool(&o, "possible", s->possible);
    bal_json_add_bool(&o, "optimal", s->optimal);
    bal_json_add_int(&o, "level", s->level);
    if (s->trimmed >= 0) bal_json_add_int(&o, "trimmed", s->trimmed);
    bal_settings_add(&o, &s->spec);
    bal_json_open(&o, "eligible", '[');
    for (int b = 0; b < s->n_bins; b++)
        if (s->eligible[b]) bal_json_add_int(&o, NULL, b);
    bal_json_close(&o, ']');
    bal_json_open(&o, "left_out", '{');
    bal_json_add_int(&o, "bin_not_eligible", s->not_eligible);
    bal_json_add_int(&o, "beyond_source", s->beyond_source);
    bal_json_add_int(&o, "beyond_quota", s->beyond_quota);
    bal_json_close(&o, '}');
    if (s->on_edge >= 0) bal_json_add_real(&o, "on_edge", share(s->on_edge, s->before.n));
    bal_json_add_int(&o, "must_keep", s->n_must);
    bal_json_add_int(&o, "earlier_gone", s->n_gone);
    bal_selection_why(s, &why);
    bal_json_add_text(&o, "why", bal_text_str(&why));
    add_obstacle(&o, s, "limit", &s->limit);
    if (s->possible) add_obstacle(&o, s, "size", &s->size);
    if (s->kept) add_acceptance(&o, s);
    bal_json_open(&o, "before", '{');
    add_side(&o, s, &s->before);
    bal_json_close(&o, '}');
    add_classes_apart(&o, s);
    if (more && more->frontier) add_frontier(&o, more->frontier);
    if (more && more->extra) add_shortage(&o, s, more);
    bal_json_add_digest(&o, "digest", s->digest);
    bal_json_close(&o, '}');
    bal_text_char(out, '\n');
    out->failed |= why.failed;
    bal_text_reset(&why);
}
