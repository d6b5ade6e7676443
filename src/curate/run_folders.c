/* Run folders of an estimate: see run_folders.h. */
#include "curate/run_folders.h"

#include <string.h>

#include "base/file.h"
#include "base/json.h"
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

static BalStatus take(BalRunFolders *r, const char *dir, const char *name, BalError *err) {
    static const char *const prefix[BAL_SIDES] = {"audio-", "visual-"};
    BalText path = {0};
    bal_path_join(&path, dir, name);
    BalStatus rc = bal_text_ok(&path, err);
    for (int k = 0; k < BAL_SIDES && rc >= 0; k++)
        if (bal_has_prefix(name, prefix[k]) && bal_is_dir(path.data))
            rc = bal_run_folders_add(r, (BalSide)k, path.data, err);
    bal_text_reset(&path);
    return rc;
}

static BalStatus take_all(BalRunFolders *r, const char *dir, BalError *err) {
    char **names = NULL;
    int n = 0;
    BAL_TRY(bal_list_dir(dir, &names, &n, err));
    BalStatus rc = BAL_OK;
    for (int i = 0; i < n && rc >= 0; i++) rc = take(r, dir, names[i], err);
    bal_names_free(names, n);
    return rc;
}

static BalStatus take_listed(BalRunFolders *r, const char *dir, const char *list, BalError *err) {
    BalJson *json = NULL;
    BAL_TRY(bal_json_load(&json, list, err));
    const BalJson *runs = bal_json_get(json, "runs");
    BalStatus rc = BAL_OK;
    for (size_t i = 0; i < bal_json_size(runs) && rc >= 0; i++) {
        const char *name = bal_json_text(bal_json_at(runs, i), "");
        const int before = r->n[BAL_AUDIO] + r->n[BAL_VISUAL];
        rc = strchr(name, '/') ? BAL_OK : take(r, dir, name, err);
        if (rc >= 0 && r->n[BAL_AUDIO] + r->n[BAL_VISUAL] == before)
            rc = BAL_FAIL(err, BAL_E_FORMAT, "%s: the run \"%.60s\" is no folder audio-* or visual-* beside it", list,
                          name);
    }
    bal_json_free(&json);
    return rc;
}

BalStatus bal_run_folders_find(BalRunFolders *r, const char *dir, BalError *err) {
    BalText list = {0};
    bal_path_join(&list, dir, "estimate.json");
    BalStatus rc = bal_text_ok(&list, err);
    if (rc >= 0) rc = bal_file_exists(list.data) ? take_listed(r, dir, list.data, err) : take_all(r, dir, err);
    if (rc >= 0 && (!r->n[BAL_AUDIO] || !r->n[BAL_VISUAL]))
        rc = BAL_FAIL(err, BAL_E_ARG, "%s: holds no run folders audio-* and visual-*; name the folder of an `estimate`",
                      dir);
    bal_text_reset(&list);
    return rc;
}
