/* An evaluation as a folder: the figure in three kinds, then the tables, JSON last. */
#include "base/file_set.h"
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

static BalStatus add_one(BalFileSet *files, int i, const BalEvaluation *e, const BalFigureSpec *spec, BalError *err) {
    BalText path = {0}, bytes = {0};
    bal_path_join(&path, files->dir, bal_evaluation_file(i)); /* for messages */
    BalStatus rc = bal_text_ok(&path, err);
    if (rc >= 0) rc = make_bytes(&bytes, i, e, spec, path.data, err);
    if (rc >= 0) rc = bal_file_set_add(files, bal_evaluation_file(i), &bytes, err);
    bal_text_reset(&path);
    bal_text_reset(&bytes);
    return rc;
}

BalStatus bal_evaluation_save(const BalEvaluation *e, const BalFigureSpec *spec, const char *dir, BalError *err) {
    BalFileSet files = {.dir = dir};
    BalStatus rc = bal_make_dirs(dir, err);
    for (int i = 0; i < FILES && rc >= 0; i++) rc = add_one(&files, i, e, spec, err);
    return bal_file_set_end(&files, rc, err);
}
