/* Tables of one stage, written whole and together. */
#include "curate/tables.h"
#include <assert.h>
#include "base/file.h"

enum { MOST = 8 };

static BalStatus prepare(BalTable *t, const char *dir, BalText *path, BalWriter **file, BalError *err) {
    bal_text_clear(path);
    bal_path_join(path, dir, t->name);
    BAL_TRY(bal_text_ok(path, err));
    BAL_TRY(bal_text_ok(&t->text, err));
    BAL_TRY(bal_writer_open(file, path->data, err));
    BAL_TRY(bal_writer_add(*file, bal_text_str(&t->text), t->text.len, err));
    return bal_writer_sync(*file, err);
}

BalStatus bal_tables_write(BalTable *table, int n, const char *dir, BalError *err) {
    BalWriter *file[MOST] = {NULL};
    BalText path = {0};
    BalStatus rc = BAL_OK;
    assert(n <= MOST);
    for (int i = 0; i < n && rc == BAL_OK; i++) rc = prepare(&table[i], dir, &path, &file[i], err);
    for (int i = 0; i < n && rc == BAL_OK; i++) rc = bal_writer_commit(&file[i], err);
    for (int i = 0; i < n; i++) bal_writer_abort(&file[i]);
    bal_text_reset(&path);
    return rc;
}

void bal_tables_reset(BalTable *table, int n) {
    for (int i = 0; i < n; i++) bal_text_reset(&table[i].text);
}
