/* Sets of files: see file_set.h. */
#include "base/file_set.h"

#include <assert.h>

static BalStatus path_of(const BalFileSet *s, const char *name, BalText *path, BalError *err) {
    bal_text_clear(path);
    bal_path_join(path, s->dir, name);
    return bal_text_ok(path, err);
}

BalStatus bal_file_set_add(BalFileSet *s, const char *name, const BalText *text, BalError *err) {
    assert(s->n < BAL_MOST_FILES);
    BalWriter **w = &s->file[s->n].writer;
    BalText path = {0};
    s->file[s->n++].name = name;
    BalStatus rc = bal_text_ok(text, err);
    if (rc >= 0) rc = path_of(s, name, &path, err);
    if (rc >= 0) rc = bal_writer_open(w, path.data, err);
    if (rc >= 0) rc = bal_writer_add(*w, bal_text_str(text), text->len, err);
    if (rc >= 0) rc = bal_writer_sync(*w, err);
    bal_text_reset(&path);
    return rc;
}

void bal_file_set_without(BalFileSet *s, const char *name) {
    assert(s->n < BAL_MOST_FILES);
    s->file[s->n++].name = name;
}

BalStatus bal_file_set_end(BalFileSet *s, BalStatus rc, BalError *err) {
    BalText path = {0};
    for (int i = s->n - 1; i >= 0 && rc >= 0; i--) {
        if (i < s->n - 1 && s->file[i].writer) continue;
        rc = path_of(s, s->file[i].name, &path, err);
        if (rc >= 0) rc = bal_remove_tree(path.data, err);
    }
    for (int i = 0; i < s->n; i++) {
        if (rc >= 0 && s->file[i].writer) rc = bal_writer_commit(&s->file[i].writer, err);
        bal_writer_abort(&s->file[i].writer);
    }
    s->n = 0;
    bal_text_reset(&path);
    return rc;
}
