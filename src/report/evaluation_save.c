/* An evaluation as a folder: the figure in three kinds, then the tables, JSON last. All of it is made in memory and brought to disk
 * under temporary names before the first file is put in place, so that a full disk leaves none. */
#include "base/file.h"
#include "report/figure.h"
#include "report/tables.h"

enum { FIGURES = 3, FILES = FIGURES + BAL_TABLES };
static const char *const figures[FIGURES] = {"curves.png", "curves.svg", "curves.pdf"};

const char *bal_evaluation_file(int i) {
    return i < FIGURES ? figures[i] : i < FILES ? bal_table_formats[i - FIGURES].file : NULL;
}

static BalStatus make_bytes(BalText *out, int i, const BalEvaluation *e, const BalFigureSpec *spec, const char *path,
                            BalError *err) {
    if (i >= FIGURES) {
        bal_table_formats[i - FIGURES].write(out, e);
        return bal_text_ok(out, err);
    }
    BalFigure f;
    BAL_TRY(bal_curves_draw(&f, e, spec, path, err));
    BalStatus rc = bal_figure_finish(&f, path, err);
    if (rc >= 0) { /* the bytes change their owner */
        *out = f.bytes;
        f.bytes = (BalText){0};
    }
    bal_figure_drop(&f);
    return rc;
}

static BalStatus write_one(BalWriter **w, int i, const BalEvaluation *e, const BalFigureSpec *spec, const char *dir,
                           BalError *err) {
    BalText path = {0}, bytes = {0};
    bal_path_join(&path, dir, bal_evaluation_file(i));
    BalStatus rc = bal_text_ok(&path, err);
    if (rc >= 0) rc = make_bytes(&bytes, i, e, spec, path.data, err);
    if (rc >= 0) rc = bal_writer_open(w, path.data, err);
    if (rc >= 0) rc = bal_writer_add(*w, bytes.data, bytes.len, err);
    if (rc >= 0) rc = bal_writer_sync(*w, err);
    bal_text_reset(&path);
    bal_text_reset(&bytes);
    return rc;
}

/* An older evaluation's last file goes before the first of this one comes: where it stands, the others are its own. */
static BalStatus drop_last(const char *dir, BalError *err) {
    BalText path = {0};
    bal_path_join(&path, dir, bal_evaluation_file(FILES - 1));
    BalStatus rc = bal_text_ok(&path, err);
    if (rc >= 0) rc = bal_remove_tree(path.data, err);
    bal_text_reset(&path);
    return rc;
}

BalStatus bal_evaluation_save(const BalEvaluation *e, const BalFigureSpec *spec, const char *dir, BalError *err) {
    BalWriter *w[FILES] = {NULL};
    BalStatus rc = bal_make_dirs(dir, err);
    for (int i = 0; i < FILES && rc >= 0; i++) rc = write_one(&w[i], i, e, spec, dir, err);
    if (rc >= 0) rc = drop_last(dir, err);
    for (int i = 0; i < FILES && rc >= 0; i++) rc = bal_writer_commit(&w[i], err);
    for (int i = 0; i < FILES; i++) bal_writer_abort(&w[i]);
    return rc;
}
