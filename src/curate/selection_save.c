/* A selection as a folder. All files are on the disk under temporary names before the first is put in place, so that a full disk leaves
 * none; select.json comes last and is the first to go, so that where it stands the others are its own. */
#include <math.h>
#include <stdio.h>

#include "base/csv.h"
#include "base/file.h"
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
static const char *const names[OUTPUTS] = {"selected.txt", "selected.csv", "certificate.json", "frontier.csv",
                                           "shortage.csv", "rejects.csv",  "select.json"};

typedef struct Save {
    const BalSelectResult *s;
    const BalSelectMore *more;
    const char *dir;
    bool wanted[OUTPUTS];
    char sha256[65]; /* of the table, for the certificate behind it */
    BalWriter *w[OUTPUTS];
} Save;

static void make(Save *v, int i, BalText *out) {
    if (i == LIST) make_list(v->s, out);
    if (i == TABLE) bal_picks_csv(&v->s->parts->picks, v->s->label, v->s->n_bins, out);
    if (i == TABLE) bal_sha256_text(bal_text_str(out), out->len, v->sha256);
    if (i == CERTIFICATE) bal_certificate_json(v->s, v->sha256, out);
    if (i == FRONTIER) bal_frontier_csv(v->more->frontier, out);
    if (i == SHORTAGE) make_shortage(v->s, v->more, out);
    if (i == REJECTS) make_rejects(v->s, out);
    if (i == LAST) bal_selection_json(v->s, v->more, out);
}

static BalStatus write_one(Save *v, int i, BalError *err) {
    BalText path = {0}, bytes = {0};
    BalStatus rc;
    bal_path_join(&path, v->dir, names[i]);
    make(v, i, &bytes);
    BAL_TRY_OR(done, bal_text_ok(&path, err));
    BAL_TRY_OR(done, bal_text_ok(&bytes, err));
    BAL_TRY_OR(done, bal_writer_open(&v->w[i], path.data, err));
    BAL_TRY_OR(done, bal_writer_add(v->w[i], bal_text_str(&bytes), bytes.len, err));
    rc = bal_writer_sync(v->w[i], err);
done:
    bal_text_reset(&path);
    bal_text_reset(&bytes);
    return rc;
}

static BalStatus remove_one(const char *dir, const char *name, BalError *err) {
    BalText path = {0};
    bal_path_join(&path, dir, name);
    BalStatus rc = bal_text_ok(&path, err);
    if (rc >= 0) rc = bal_remove_tree(path.data, err);
    bal_text_reset(&path);
    return rc;
}

BalStatus bal_selection_save(const BalSelectResult *s, const BalSelectMore *more, const char *dir, bool certificate,
                             BalError *err) {
    Save v = {.s = s, .more = more, .dir = dir, .wanted = {[LIST] = true, [TABLE] = true, [LAST] = true}};
    BalStatus rc = bal_make_dirs(dir, err);
    v.wanted[CERTIFICATE] = certificate;
    v.wanted[FRONTIER] = more && more->frontier;
    v.wanted[REJECTS] = s->parts->has_rejects;
    v.wanted[SHORTAGE] = more && more->extra;
    for (int i = 0; i < OUTPUTS && rc >= 0; i++)
        if (v.wanted[i]) rc = write_one(&v, i, err);
    if (rc >= 0) rc = remove_one(dir, names[LAST], err);
    for (int i = 0; i < OUTPUTS && rc >= 0; i++) /* those of a selection before would pass for ours */
        if (!v.wanted[i]) rc = remove_one(dir, names[i], err);
    for (int i = 0; i < OUTPUTS && rc >= 0; i++)
        if (v.w[i]) rc = bal_writer_commit(&v.w[i], err);
    for (int i = 0; i < OUTPUTS; i++) bal_writer_abort(&v.w[i]);
    return rc;
}
