/* An evaluation as text for people, JSON, CSV, Markdown and LaTeX; and the verdict on published tables.
 *
 * Accuracies are shares in [0,1] where programs read them and per cent where people do. */
#include "report/tables.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/csv.h"
#include "base/json.h"

static int widest_name(const BalEvaluation *e) {
    int width = 8;
    for (int r = 0; r < e->n_rows; r++)
        if ((int)strlen(e->row[r].name) > width) width = (int)strlen(e->row[r].name);
    return width;
}

/* "audio-dominated 0.2" */
static void subset_title(BalText *out, const BalSubset *x) {
    for (const char *s = x->name; *s; s++)
        bal_text_char(out, *s == '_' && x->t > 0 && strchr("0123456789", s[1]) ? ' ' : *s == '_' ? '-' : *s);
}

static bool is_shown(const BalSubset *x) {
    return x->tabled && x->n > 0;
}

/* ---- text ---- */

static void text_head(BalText *out, const BalEvaluation *e) {
    bal_text_f(out, "split %s: %lld clips, %lld audio-preferred, %lld visual-preferred, %lld ties\n", e->split,
               (long long)e->n, (long long)e->subset[1].n, (long long)e->subset[2].n, (long long)e->subset[3].n);
    bal_text_f(
        out,
        "accuracy and macro-F1 in %%; 95 %% intervals from %d bootstrap replicates over clips and runs, seed %llu\n",
        e->replicates, (unsigned long long)e->seed);
    if (e->mixed_stores || e->mixed_recipes)
        bal_text_f(out, "CAUTION: runs of different %s stand in this table\n",
                   e->mixed_stores && e->mixed_recipes ? "stores and recipes"
                   : e->mixed_stores                   ? "stores"
                                                       : "recipes");
}

static const char *p_text(char out[16], double p) {
    if (p < 0.0001)
        memcpy(out, "  <.0001", 9);
    else
        snprintf(out, 16, "  %6.4f", p);
    return out;
}

static void text_subset(BalText *out, const BalEvaluation *e, int x, int width) {
    bal_text_char(out, '\n');
    subset_title(out, &e->subset[x]);
    bal_text_f(out, ", %lld clip%s\n%-*s  runs  accuracy  interval          macro-F1", (long long)e->subset[x].n,
               e->subset[x].n == 1 ? "" : "s", width, "method");
    bool compared = false;
    for (int r = 0; r < e->n_rows; r++) compared |= e->row[r].cell[x].versus >= 0;
    if (compared) bal_text_add(out, "  against best unimodal   interval        p boot.  p McN.");
    bal_text_char(out, '\n');
    for (int r = 0; r < e->n_rows; r++) {
        const BalCell *c = &e->row[r].cell[x];
        char p[2][16];
        bal_text_f(out, "%-*s  %4d  %8.2f  [%6.2f, %6.2f]  %8.2f", width, e->row[r].name, e->row[r].n_runs,
                   100 * c->accuracy, 100 * c->low, 100 * c->high, 100 * c->macro_f1);
        if (c->versus >= 0)
            bal_text_f(out, "  %+7.2f to %-12.12s [%+6.2f, %+6.2f]%s%s", 100 * c->difference, e->row[c->versus].name,
                       100 * c->difference_low, 100 * c->difference_high, p_text(p[0], c->p_bootstrap),
                       p_text(p[1], c->p_mcnemar));
        bal_text_char(out, '\n');
    }
}

static void text_verdict(BalText *out, const BalEvaluation *e, int width) {
    if (e->audio < 0 || e->visual < 0) return;
    bal_text_add(out, "\nbetter than all unimodal models on every subset?\n");
    for (int r = 0; r < e->n_rows; r++) {
        const BalEvaluationRow *row = &e->row[r];
        if (row->beats_all < 0) continue;
        bal_text_f(out, "%-*s  %s", width, row->name, row->beats_all ? "yes" : "no");
        for (int x = 0, n = 0; x < e->n_subsets; x++) {
            if (!is_shown(&e->subset[x]) || row->cell[x].difference > 0) continue;
            bal_text_add(out, n++ ? ", " : ", not on ");
            subset_title(out, &e->subset[x]);
            bal_text_f(out, " (%+.2f)", 100 * row->cell[x].difference);
        }
        bal_text_char(out, '\n');
    }
}

static double percent(double part, double whole) {
    return whole > 0 ? 100 * part / whole : 0;
}

static void text_confusion(BalText *out, const BalEvaluation *e, int width) {
    if (e->audio < 0 || e->visual < 0) return;
    bal_text_f(out,
               "\nmodality confusion: right answers of one modality alone that are lost by adding the other\n"
               "%-*s  of the sound   of the picture   gained (both alone were wrong)\n",
               width, "method");
    for (int r = 0; r < e->n_rows; r++) {
        const BalConfusion *c = e->row[r].confusion;
        if (!c) continue;
        double n = (double)e->n;
        bal_text_f(out, "%-*s  %9.2f %%     %9.2f %%       %9.2f %%\n", width, e->row[r].name,
                   percent(c->audio_lost, c->audio_right), percent(c->visual_lost, c->visual_right),
                   percent(c->gained, n - c->either_right));
    }
}

static void write_text(BalText *out, const BalEvaluation *e) {
    const int width = widest_name(e);
    text_head(out, e);
    for (int x = 0; x < e->n_subsets; x++)
        if (is_shown(&e->subset[x])) text_subset(out, e, x, width);
    text_verdict(out, e, width);
    text_confusion(out, e, width);
    if (e->no_ensemble[0]) bal_text_f(out, "\nno ensemble of the unimodal models: %s\n", e->no_ensemble);
}

/* ---- JSON ---- */

static void json_row(BalJsonOut *o, const BalEvaluation *e, const BalEvaluationRow *row, int x) {
    const BalCell *c = &row->cell[x];
    bal_json_open(o, NULL, '{');
    bal_json_add_text(o, "name", row->name);
    bal_json_add_text(o, "subset", e->subset[x].name);
    if (e->subset[x].side) bal_json_add_real(o, "t", e->subset[x].t);
    bal_json_add_int(o, "n", e->subset[x].n);
    bal_json_add_real(o, "accuracy", c->accuracy);
    bal_json_add_real(o, "macro_f1", c->macro_f1);
    bal_json_add_real(o, "low", c->low);
    bal_json_add_real(o, "high", c->high);
    bal_json_add_int(o, "runs", row->n_runs);
    bal_json_add_real(o, "sd_runs", c->sd_runs);
    bal_json_add_text(o, "versus", c->versus >= 0 ? e->row[c->versus].name : NULL);
    if (c->versus >= 0) {
        bal_json_add_real(o, "difference", c->difference);
        bal_json_add_real(o, "difference_low", c->difference_low);
        bal_json_add_real(o, "difference_high", c->difference_high);
        bal_json_add_real(o, "p_bootstrap", c->p_bootstrap);
        bal_json_add_real(o, "p_mcnemar", c->p_mcnemar);
        bal_json_add_int(o, "gained", c->gained);
        bal_json_add_int(o, "lost", c->lost);
    }
    bal_json_close(o, '}');
}

static void json_confusion(BalJsonOut *o, const BalEvaluation *e, const BalEvaluationRow *row) {
    bal_json_open(o, "modality_confusion", '[');
    for (int x = 0; x < e->n_subsets; x++) {
        const BalConfusion *c = &row->confusion[x];
        if (!is_shown(&e->subset[x])) continue;
        bal_json_open(o, NULL, '{');
        bal_json_add_text(o, "subset", e->subset[x].name);
        bal_json_add_real(o, "audio_right", c->audio_right);
        bal_json_add_real(o, "audio_lost", c->audio_lost);
        bal_json_add_real(o, "visual_right", c->visual_right);
        bal_json_add_real(o, "visual_lost", c->visual_lost);
        bal_json_add_real(o, "either_right", c->either_right);
        bal_json_add_real(o, "either_lost", c->either_lost);
        bal_json_add_real(o, "gained", c->gained);
        bal_json_close(o, '}');
    }
    bal_json_close(o, ']');
}

static void json_curves(BalJsonOut *o, const BalEvaluation *e, const BalEvaluationRow *row) {
    bal_json_open(o, "curves", '[');
    for (int m = 0; m < 2; m++)
        for (int k = 0; k < BAL_CURVE_POINTS; k++) {
            const int x = e->curve[m][k];
            bal_json_open(o, NULL, '{');
            bal_json_add_text(o, "side", m ? "visual" : "audio");
            bal_json_add_real(o, "t", e->subset[x].t);
            bal_json_add_int(o, "n", e->subset[x].n);
            bal_json_add_real(o, "accuracy", row->cell[x].accuracy);
            bal_json_add_real(o, "low", row->cell[x].low);
            bal_json_add_real(o, "high", row->cell[x].high);
            bal_json_close(o, '}');
        }
    bal_json_close(o, ']');
}

static void json_method(BalJsonOut *o, const BalEvaluation *e, const BalEvaluationRow *row) {
    static const char *const modality[] = {"both", "audio", "visual"};
    bal_json_open(o, NULL, '{');
    bal_json_add_text(o, "name", row->name);
    bal_json_add_text(o, "modality", modality[row->modality]);
    bal_json_add_bool(o, "ensemble", row->ensemble);
    if (row->beats_all >= 0) bal_json_add_bool(o, "beats_all_unimodal", row->beats_all);
    if (row->beats_all >= 0) {
        bal_json_open(o, "not_on", '[');
        for (int x = 0; x < e->n_subsets; x++)
            if (is_shown(&e->subset[x]) && !(row->cell[x].difference > 0))
                bal_json_add_text(o, NULL, e->subset[x].name);
        bal_json_close(o, ']');
    }
    bal_json_open(o, "runs", '[');
    for (int k = row->first_run; k < row->first_run + row->n_runs; k++) {
        bal_json_open(o, NULL, '{');
        bal_json_add_text(o, "path", e->run[k].path);
        if (e->run[k].seed >= 0) bal_json_add_int(o, "seed", e->run[k].seed);
        if (e->run[k].fold >= 0) bal_json_add_int(o, "fold", e->run[k].fold);
        bal_json_add_real(o, "accuracy", e->run[k].accuracy);
        bal_json_close(o, '}');
    }
    bal_json_close(o, ']');
    if (row->confusion) json_confusion(o, e, row);
    json_curves(o, e, row);
    bal_json_open(o, "classes", '[');
    for (int l = 0; l < e->n_labels; l++) {
        bal_json_open(o, NULL, '{');
        bal_json_add_text(o, "label", e->label[l]);
        bal_json_add_int(o, "n", e->label_n[l]);
        bal_json_add_real(o, "recall", row->by_class[l].recall);
        bal_json_add_real(o, "precision", row->by_class[l].precision);
        bal_json_add_real(o, "f1", row->by_class[l].f1);
        bal_json_close(o, '}');
    }
    bal_json_close(o, ']');
    bal_json_close(o, '}');
}

static void write_json(BalText *out, const BalEvaluation *e) {
    BalJsonOut o = bal_json_document(out, true, "avbalance/evaluate/1");
    bal_json_add_text(&o, "store_hash", e->store_hash[0] ? e->store_hash : NULL);
    bal_json_add_text(&o, "protocol_hash", e->protocol_hash[0] ? e->protocol_hash : NULL);
    bal_json_add_text(&o, "split", e->split);
    bal_json_add_int(&o, "n", e->n);
    bal_json_add_int(&o, "audio_preferred", e->subset[1].n);
    bal_json_add_int(&o, "visual_preferred", e->subset[2].n);
    bal_json_add_int(&o, "ties", e->subset[3].n);
    bal_json_add_int(&o, "replicates", e->replicates);
    bal_json_add_int(&o, "seed", (int64_t)e->seed);
    bal_json_add_bool(&o, "mixed_stores", e->mixed_stores);
    bal_json_add_bool(&o, "mixed_recipes", e->mixed_recipes);
    bal_json_add_bool(&o, "recombines", bal_evaluation_check(e, NULL) >= 0);
    bal_json_add_text(&o, "no_ensemble", e->no_ensemble[0] ? e->no_ensemble : NULL);
    bal_json_open(&o, "rows", '[');
    for (int r = 0; r < e->n_rows; r++)
        for (int x = 0; x < e->n_subsets; x++)
            if (e->subset[x].tabled) json_row(&o, e, &e->row[r], x);
    bal_json_close(&o, ']');
    bal_json_open(&o, "methods", '[');
    for (int r = 0; r < e->n_rows; r++) json_method(&o, e, &e->row[r]);
    bal_json_close(&o, ']');
    bal_json_close(&o, '}');
    bal_text_char(out, '\n');
}

/* ---- CSV ---- */

static void csv_numbers(BalText *out, const double *v, int n) {
    for (int k = 0; k < n; k++) {
        bal_text_char(out, ',');
        if (!isnan(v[k])) bal_text_real(out, v[k]);
    }
}

static void write_csv(BalText *out, const BalEvaluation *e) {
    bal_text_add(out, "name,subset,n,runs,accuracy,macro_f1,low,high,sd_runs,versus,difference,difference_low,"
                      "difference_high,p_bootstrap,p_mcnemar,gained,lost,beats_all_unimodal\n");
    for (int r = 0; r < e->n_rows; r++)
        for (int x = 0; x < e->n_subsets; x++) {
            const BalCell *c = &e->row[r].cell[x];
            if (!e->subset[x].tabled) continue;
            bal_csv_quote(out, e->row[r].name);
            bal_text_f(out, ",%s,%lld,%d", e->subset[x].name, (long long)e->subset[x].n, e->row[r].n_runs);
            csv_numbers(out, (const double[]){c->accuracy, c->macro_f1, c->low, c->high, c->sd_runs}, 5);
            bal_text_char(out, ',');
            if (c->versus >= 0) bal_csv_quote(out, e->row[c->versus].name);
            csv_numbers(
                out,
                (const double[]){c->difference, c->difference_low, c->difference_high, c->p_bootstrap, c->p_mcnemar},
                5);
            if (c->versus >= 0)
                bal_text_f(out, ",%lld,%lld,", (long long)c->gained, (long long)c->lost);
            else
                bal_text_add(out, ",,,");
            if (e->row[r].beats_all >= 0) bal_text_add(out, e->row[r].beats_all ? "true" : "false");
            bal_text_char(out, '\n');
        }
}

static void write_curves(BalText *out, const BalEvaluation *e) {
    bal_text_add(out, "name,side,t,n,accuracy,low,high\n");
    for (int r = 0; r < e->n_rows; r++)
        for (int m = 0; m < 2; m++)
            for (int k = 0; k < BAL_CURVE_POINTS; k++) {
                const int x = e->curve[m][k];
                const BalCell *c = &e->row[r].cell[x];
                bal_csv_quote(out, e->row[r].name);
                bal_text_f(out, ",%s,%.1f,%lld", m ? "visual" : "audio", e->subset[x].t, (long long)e->subset[x].n);
                csv_numbers(out, (const double[]){c->accuracy, c->low, c->high}, 3);
                bal_text_char(out, '\n');
            }
}

static void write_classes(BalText *out, const BalEvaluation *e) {
    bal_text_add(out, "name,label,n,recall,precision,f1\n");
    for (int r = 0; r < e->n_rows; r++)
        for (int l = 0; l < e->n_labels; l++) {
            const BalClassResult *c = &e->row[r].by_class[l];
            bal_csv_quote(out, e->row[r].name);
            bal_text_char(out, ',');
            bal_csv_quote(out, e->label[l]);
            bal_text_f(out, ",%lld", (long long)e->label_n[l]);
            csv_numbers(out, (const double[]){c->recall, c->precision, c->f1}, 3);
            bal_text_char(out, '\n');
        }
}

/* ---- Markdown and LaTeX: methods down, subsets across ---- */

typedef struct Markup { /* what differs between the two; the quoted text goes through `quote` */
    const char *begin, *between, *end, *bold[2], *below, *interval[2];
    void (*quote)(BalText *out, const char *s);
} Markup;

static void quote_markdown(BalText *out, const char *s) {
    for (; *s; s++) {
        if (strchr("\\`*_[]<>|", *s)) bal_text_char(out, '\\');
        bal_text_char(out, *s);
    }
}

static void quote_latex(BalText *out, const char *s) {
    for (; *s; s++) {
        if (*s == '\\')
            bal_text_add(out, "\\textbackslash{}");
        else if (*s == '~' || *s == '^')
            bal_text_f(out, "\\%c{}", *s);
        else if (strchr("&%$#_{}", *s))
            bal_text_f(out, "\\%c", *s);
        else
            bal_text_char(out, *s);
    }
}

static const Markup markdown = {"| ", " | ", " |\n", {"**", "**"}, " ↓", {" [", "]"}, quote_markdown};
static const Markup latex = {
    "", " & ", " \\\\\n", {"\\textbf{", "}"}, "$^\\downarrow$", {" {\\scriptsize[", "]}"}, quote_latex};

/* The best accuracy of a column is bold; an arrow marks those below the best unimodal model. */
static void markup_cell(BalText *out, const Markup *m, const BalEvaluation *e, int r, int x) {
    const BalCell *c = &e->row[r].cell[x];
    bool best = true;
    for (int k = 0; k < e->n_rows; k++) best &= !(e->row[k].cell[x].accuracy > c->accuracy);
    bal_text_f(out, "%s%.2f%s%s%s%.1f, %.1f%s", best ? m->bold[0] : "", 100 * c->accuracy, best ? m->bold[1] : "",
               c->difference < 0 ? m->below : "", m->interval[0], 100 * c->low, 100 * c->high, m->interval[1]);
}

static void markup_row(BalText *out, const Markup *m, const BalEvaluation *e, int r) {
    bal_text_add(out, m->begin);
    m->quote(out, e->row[r].name);
    bal_text_f(out, "%s%d", m->between, e->row[r].n_runs);
    for (int x = 0; x < e->n_subsets; x++) {
        if (!is_shown(&e->subset[x])) continue;
        bal_text_add(out, m->between);
        markup_cell(out, m, e, r, x);
    }
    bal_text_f(out, "%s%s%s", m->between, e->row[r].beats_all < 0 ? "" : e->row[r].beats_all ? "yes" : "no", m->end);
}

/* The two lines of a head: what the columns are, and of how many clips. */
static void markup_titles(BalText *out, const Markup *m, const BalEvaluation *e) {
    bal_text_f(out, "%smethod%sruns", m->begin, m->between);
    for (int x = 0; x < e->n_subsets; x++) {
        if (!is_shown(&e->subset[x])) continue;
        bal_text_add(out, m->between);
        subset_title(out, &e->subset[x]);
    }
    bal_text_f(out, "%sbeats all unimodal%s", m->between, m->end);
}

static void markup_sizes(BalText *out, const Markup *m, const BalEvaluation *e) {
    bal_text_f(out, "%sclips%s", m->begin, m->between);
    for (int x = 0; x < e->n_subsets; x++)
        if (is_shown(&e->subset[x])) bal_text_f(out, "%s%lld", m->between, (long long)e->subset[x].n);
    bal_text_f(out, "%s%s", m->between, m->end);
}

static int n_shown(const BalEvaluation *e) {
    int n = 0;
    for (int x = 0; x < e->n_subsets; x++) n += is_shown(&e->subset[x]);
    return n;
}

static void write_markdown(BalText *out, const BalEvaluation *e) {
    markup_titles(out, &markdown, e);
    bal_text_add(out, "|---|---:|");
    for (int k = n_shown(e); k; k--) bal_text_add(out, "---:|");
    bal_text_add(out, "---|\n");
    markup_sizes(out, &markdown, e);
    for (int r = 0; r < e->n_rows; r++) markup_row(out, &markdown, e, r);
    bal_text_add(out, "\nAccuracy in %, split ");
    quote_markdown(out, e->split);
    bal_text_f(out,
               "; brackets: 95 %% interval (%d bootstrap replicates over clips and runs). Bold: best of the column. ↓: "
               "below the "
               "best unimodal model.\n",
               e->replicates);
}

static void write_latex(BalText *out, const BalEvaluation *e) {
    bal_text_add(out, "% needs \\usepackage{booktabs}\n\\begin{tabular}{lr");
    for (int k = n_shown(e); k; k--) bal_text_char(out, 'r');
    bal_text_add(out, "c}\n\\toprule\n");
    markup_titles(out, &latex, e);
    markup_sizes(out, &latex, e);
    for (int r = 0; r < e->n_rows; r++) {
        bool begins = r == 0 ||
                      (e->row[r].modality == BAL_MODALITY_BOTH) != (e->row[r - 1].modality == BAL_MODALITY_BOTH) ||
                      e->row[r].ensemble != e->row[r - 1].ensemble;
        if (begins) bal_text_add(out, "\\midrule\n");
        markup_row(out, &latex, e, r);
    }
    bal_text_add(out, "\\bottomrule\n\\end{tabular}\n");
}

const char *const bal_table_names[BAL_TABLES + 1] = {"text",   "csv",     "markdown", "latex",
                                                     "curves", "classes", "json",     NULL};
const BalTableFormat bal_table_formats[BAL_TABLES] = {
    [BAL_TABLE_TEXT] = {"evaluate.txt", write_text},        [BAL_TABLE_CSV] = {"evaluate.csv", write_csv},
    [BAL_TABLE_MARKDOWN] = {"evaluate.md", write_markdown}, [BAL_TABLE_LATEX] = {"evaluate.tex", write_latex},
    [BAL_TABLE_CURVES] = {"curves.csv", write_curves},      [BAL_TABLE_CLASSES] = {"classes.csv", write_classes},
    [BAL_TABLE_JSON] = {"evaluate.json", write_json}};

/* ---- published tables ---- */

void bal_published_text(BalText *out, const BalPublished *p) {
    int width = 8;
    char best[16] = ""; /* where one share is */
    if (!isnan(p->share)) snprintf(best, sizeof best, ", %.3f", p->share);
    for (int i = 0; i < p->n; i++)
        if ((int)strlen(p->row[i].method) > width) width = (int)strlen(p->row[i].method);
    bal_text_f(out, "%-*s  overall  audio-pref.  visual-pref.  implied audio share      off by\n", width, "method");
    for (int i = 0; i < p->n; i++) {
        const BalPublishedRow *r = &p->row[i];
        bal_text_f(out, "%-*s  %7.2f  %11.2f  %12.2f", width, r->method, 100 * r->overall, 100 * r->audio_preferred,
                   100 * r->visual_preferred);
        if (isnan(r->share))
            bal_text_f(out, "  %-19s", fabs(r->residual) > 2 * p->rounding ? "none" : "any");
        else
            bal_text_f(out, "  %.3f (%.3f-%.3f)", r->share, r->share_low, r->share_high);
        bal_text_f(out, "  %+10.2f\n", fabs(r->residual) < 5e-5 ? 0 : 100 * r->residual);
    }
    bal_text_f(out, "\nThe rows %srecombine: ", p->recombines ? "" : "do not ");
    if (p->recombines && isnan(p->share))
        bal_text_add(out, "both subsets are equal everywhere, and so is overall, up to rounding; any share does.\n");
    else if (p->recombines)
        bal_text_f(out, "overall is the mean of the subsets, of which %.3f are audio-preferred, up to rounding.\n",
                   p->share);
    else
        bal_text_f(out,
                   "no share of audio-preferred clips makes overall the mean of the subsets in all of them.\n"
                   "With the best one%s, overall is off by up to %.2f points (rounding leaves %.2f): the columns are\n"
                   "not of the same clips and models, or clips in neither subset count overall.\n",
                   best, 100 * p->max_residual, 200 * p->rounding);
}

void bal_published_json(BalText *out, const BalPublished *p) {
    BalJsonOut o = bal_json_document(out, true, "avbalance/recombine/1");
    bal_json_add_bool(&o, "recombines", p->recombines);
    bal_json_add_real(&o, "share", p->share);
    bal_json_add_real(&o, "rounding", p->rounding);
    bal_json_add_real(&o, "max_residual", p->max_residual);
    bal_json_open(&o, "rows", '[');
    for (int i = 0; i < p->n; i++) {
        const BalPublishedRow *r = &p->row[i];
        bal_json_open(&o, NULL, '{');
        bal_json_add_text(&o, "name", r->method);
        bal_json_add_real(&o, "overall", r->overall);
        bal_json_add_real(&o, "audio_preferred", r->audio_preferred);
        bal_json_add_real(&o, "visual_preferred", r->visual_preferred);
        bal_json_add_real(&o, "share", r->share);
        bal_json_add_real(&o, "share_low", r->share_low);
        bal_json_add_real(&o, "share_high", r->share_high);
        bal_json_add_real(&o, "residual", r->residual);
        bal_json_close(&o, '}');
    }
    bal_json_close(&o, ']');
    bal_json_close(&o, '}');
    bal_text_char(out, '\n');
}
