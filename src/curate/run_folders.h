/* The unimodal run folders of an estimate: those that its estimate.json lists, since runs of an earlier call in another mode may lie
 * beside them; without that file all audio-* and visual-* in its folder, by name. */
#ifndef BAL_CURATE_RUN_FOLDERS_H
#define BAL_CURATE_RUN_FOLDERS_H

#include <avbalance/curate.h>

enum { BAL_MOST_RUNS = 512 };
typedef struct BalRunFolders { /* zero is valid; bal_run_folders_reset frees; about 8 KiB */
    char *path[BAL_SIDES][BAL_MOST_RUNS];
    int n[BAL_SIDES];
} BalRunFolders;
BAL_MUST_USE BalStatus bal_run_folders_add(BalRunFolders *r, BalSide side, const char *path, BalError *err);
/* BAL_E_ARG: there is none of one modality. BAL_E_FORMAT: a listed one is not there. */
BAL_MUST_USE BalStatus bal_run_folders_find(BalRunFolders *r, const char *dir, BalError *err);
void bal_run_folders_reset(BalRunFolders *r);

#endif
