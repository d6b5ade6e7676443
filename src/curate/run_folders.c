/* Run folders of an estimate: see run_folders.h. */
#include "curate/run_folders.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/text.h"

void bal_run_folders_reset(BalRunFolders *r) {
    for (int k = 0; k < BAL_SIDES; k++) {
        for (int i = 0; i < r->n[k]; i++) bal_free(r->path[k][i]);
        r->n[k] = 0;
    }
}

BalStatus bal_run_folders_add(BalRunFolders *r, BalSide side, const char *path, BalError *err) {
    if (r->n[side] == BAL_MOST_RUNS) return BAL_FAIL(err, BAL_E_ARG, "more than %d runs", BAL_MOST_RUNS);
    BAL_TRY(bal_strdup(&r->path[side][r->n[side]], path, err));
    r->n[side]++;
    return BAL_OK;
}

BalStatus bal_run_folders_find(BalRunFolders *r, const char *dir, BalError *err) {
    static const char *const prefix[BAL_SIDES] = {"audio-", "visual-"};
    BalText path = {0};
    char **names = NULL;
    int n = 0;
    BAL_TRY(bal_list_dir(dir, &names, &n, err));
    BalStatus rc = BAL_OK;
    for (int i = 0; i < n; i++)
        for (int k = 0; k < BAL_SIDES && rc >= 0; k++) {
            bal_text_clear(&path);
            bal_path_join(&path, dir, names[i]);
            rc = bal_text_ok(&path, err);
            if (rc >= 0 && bal_has_prefix(names[i], prefix[k]) && bal_is_dir(path.data))
                rc = bal_run_folders_add(r, (BalSide)k, path.data, err);
        }
    if (rc >= 0 && (!r->n[BAL_AUDIO] || !r->n[BAL_VISUAL]))
        rc = BAL_FAIL(err, BAL_E_ARG, "%s: holds no run folders audio-* and visual-*; name the folder of an `estimate`",
                      dir);
    bal_names_free(names, n);
    bal_text_reset(&path);
    return rc;
}
