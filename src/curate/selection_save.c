/* A selection as a folder. All files are on the disk under temporary names before the first is put in place, so that a full disk leaves
 * none; select.json comes last and is the first to go, so that where it stands the others are its own. */
#include "base/csv.h"
#include "base/file.h"
#include "base/hash.h"
#include "curate/certificate.h"
#include "curate/selection.h"

static void make_list(const BalSelection *s, BalText *out) {
    for (size_t i = 0; i < s->parts->picks.n; i++) {
        bal_text_add(out, s->parts->picks.pick[i].id);
        bal_text_char(out, '\n');
    }
}

static void make_table(const BalSelection *s, BalText *out) {
    bal_text_add(out, "id,label,bin,u_audio,u_visual,reason\n");
    for (size_t i = 0; i < s->parts->picks.n; i++) {
        const BalPick *p = &s->parts->picks.pick[i];
        bal_csv_quote(out, p->id);
        bal_text_char(out, ',');
        bal_csv_quote(out, s->label[p->cell / s->n_bins]);
        bal_text_f(out, ",%d,", p->cell % s->n_bins);
        bal_text_real(out, p->u_audio);
        bal_text_char(out, ',');
        bal_text_real(out, p->u_visual);
        bal_text_add(out, p->must ? ",must-keep\n" : ",quota\n");
    }
}

enum { LIST, TABLE, CERTIFICATE, LAST, OUTPUTS };
static const char *const names[OUTPUTS] = {"selected.txt", "selected.csv", "certificate.json", "select.json"};

static void make(BalText *out, int i, const BalSelection *s, char sha256[65]) {
    if (i == LIST) make_list(s, out);
    if (i == TABLE) make_table(s, out);
    if (i == TABLE) bal_sha256_text(bal_text_str(out), out->len, sha256);
    if (i == CERTIFICATE) bal_certificate_json(s, sha256, out);
    if (i == LAST) bal_selection_json(s, out);
}

static BalStatus write_one(BalWriter **w, int i, const BalSelection *s, const char *dir, char sha256[65],
                           BalError *err) {
    BalText path = {0}, bytes = {0};
    BalStatus rc;
    bal_path_join(&path, dir, names[i]);
    make(&bytes, i, s, sha256);
    BAL_TRY_OR(done, bal_text_ok(&path, err));
    BAL_TRY_OR(done, bal_text_ok(&bytes, err));
    BAL_TRY_OR(done, bal_writer_open(w, path.data, err));
    BAL_TRY_OR(done, bal_writer_add(*w, bal_text_str(&bytes), bytes.len, err));
    rc = bal_writer_sync(*w, err);
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

BalStatus bal_selection_save(const BalSelection *s, const char *dir, bool certificate, BalError *err) {
    BalWriter *w[OUTPUTS] = {NULL};
    char sha256[65];
    BalStatus rc = bal_make_dirs(dir, err);
    for (int i = 0; i < OUTPUTS && rc >= 0; i++)
        if (i != CERTIFICATE || certificate) rc = write_one(&w[i], i, s, dir, sha256, err);
    if (rc >= 0) rc = remove_one(dir, names[LAST], err);
    if (rc >= 0 && !certificate) rc = remove_one(dir, names[CERTIFICATE], err);
    for (int i = 0; i < OUTPUTS && rc >= 0; i++)
        if (w[i]) rc = bal_writer_commit(&w[i], err);
    for (int i = 0; i < OUTPUTS; i++) bal_writer_abort(&w[i]);
    return rc;
}
