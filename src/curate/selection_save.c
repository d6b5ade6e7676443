/* A selection as a folder, select.json last. */
#include <math.h>
#include <stdio.h>

#include "base/csv.h"
#include "base/file_set.h"
#include "base/hash.h"
#include "curate/certificate.h"
#include "curate/rejects.h"
#include "curate/selection.h"

static void make_list(const BalSelectResult *s, BalText *out) {
    for (size_t i = 0; i < s->parts->picks.n; i++) {
        bal_text_add(out, s->parts->picks.pick[i].id);
        bal_text_char(out, '\n');
    }
}

void bal_picks_csv(const BalPicks *p, const char *const *label, int n_bins, BalText *out) {
    bal_text_add(out, "id,label,bin,u_audio,u_visual,reason\n");
    for (size_t i = 0; i < p->n; i++) {
        const BalPick *k = &p->pick[i];
        bal_csv_quote(out, k->id);
        bal_text_char(out, ',');
        bal_csv_quote(out, label[k->cell / n_bins]);
        bal_text_f(out, ",%d,", k->cell % n_bins);
        bal_text_real(out, k->u_audio);
        bal_text_char(out, ',');
        bal_text_real(out, k->u_visual);
        bal_text_add(out, k->must ? ",must-keep\n" : ",quota\n");
    }
}

void bal_frontier_csv(const BalFrontier *f, BalText *out) {
    bal_text_add(out, "level,kept,kl,kl_norm,chi2,gini,max_min\n");
    for (int i = 0; i < f->n; i++) {
        const BalBalance *b = &f->point[i].bins;
        const double v[] = {b->kl, b->kl_norm, b->chi2, b->gini, b->max_min};
        bal_text_f(out, "%lld,%lld", (long long)f->point[i].level, (long long)f->point[i].kept);
        for (int k = 0; k < 5; k++) {
            bal_text_char(out, ',');
            if (!isnan(v[k])) bal_text_real(out, v[k]);
        }
        bal_text_char(out, '\n');
    }
}

static void make_shortage(const BalSelectResult *s, const BalSelectMore *m, BalText *out) {
    bal_text_add(out, "label,bin,n,kept,gain,price\n");
    for (int i = 0; i < m->n_shortage; i++) {
        const BalShortage *x = &m->shortage[i];
        bal_csv_quote(out, s->label[x->class_index]);
        bal_text_f(out, ",%d,%lld,%lld,", x->bin, (long long)x->n, (long long)x->kept);
        bal_text_real(out, x->gain);
        bal_text_char(out, ',');
        bal_text_real(out, x->price);
        bal_text_char(out, '\n');
    }
}

static void make_rejects(const BalSelectResult *s, BalText *out) {
    bal_text_add(out, BAL_REJECTS_HEADER);
    for (size_t i = 0; i < s->parts->rejects.n; i++) {
        const BalPick *p = &s->parts->rejects.pick[i];
        char where[32];
        snprintf(where, sizeof where, "bin=%d", p->cell % s->n_bins);
        bal_reject_line(out, p->id, "select",
                        p->must                            ? "beyond_source"
                        : s->eligible[p->cell % s->n_bins] ? "beyond_quota"
                                                           : "bin_not_eligible",
                        where);
    }
}

enum { LIST, TABLE, CERTIFICATE, FRONTIER, SHORTAGE, REJECTS, LAST, OUTPUTS };
const char *const bal_selection_files[OUTPUTS + 1] = {
    "selected.txt", "selected.csv", "certificate.json", "frontier.csv",
    "shortage.csv", "rejects.csv",  "select.json",      NULL};

static void make(const BalSelectResult *s, const BalSelectMore *more, int i, char sha256[65], BalText *out) {
    if (i == LIST) make_list(s, out);
    if (i == TABLE) bal_picks_csv(&s->parts->picks, s->label, s->n_bins, out);
    if (i == TABLE) bal_sha256_text(bal_text_str(out), out->len, sha256); /* for the certificate behind it */
    if (i == CERTIFICATE) bal_certificate_json(s, sha256, out);
    if (i == FRONTIER) bal_frontier_csv(more->frontier, out);
    if (i == SHORTAGE) make_shortage(s, more, out);
    if (i == REJECTS) make_rejects(s, out);
    if (i == LAST) bal_selection_json(s, more, out);
}

BalStatus bal_selection_save(const BalSelectResult *s, const BalSelectMore *more, const char *dir, bool certificate,
                             BalError *err) {
    const bool wanted[OUTPUTS] = {[LIST] = true,
                                  [TABLE] = true,
                                  [CERTIFICATE] = certificate,
                                  [FRONTIER] = more && more->frontier,
                                  [SHORTAGE] = more && more->extra,
                                  [REJECTS] = s->parts->has_rejects,
                                  [LAST] = true};
    BalFileSet files = {.dir = dir};
    BalText text = {0};
    char sha256[65];
    BalStatus rc = bal_make_dirs(dir, err);
    for (int i = 0; i < OUTPUTS && rc >= 0; i++) {
        if (!wanted[i]) {
            bal_file_set_without(&files, bal_selection_files[i]);
            continue;
        }
        bal_text_reset(&text);
        make(s, more, i, sha256, &text);
        rc = bal_file_set_add(&files, bal_selection_files[i], &text, err);
    }
    bal_text_reset(&text);
    return bal_file_set_end(&files, rc, err);
}
