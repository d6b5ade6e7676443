/* Files of a folder that belong together: where the last one stands, the others are its own.
 *
 * All are on the disk under temporary names before anything of the folder changes, so that a full disk changes nothing. Then the last
 * file of an older set goes first, and the new ones come in the order in which they were added. */
#ifndef BAL_BASE_FILE_SET_H
#define BAL_BASE_FILE_SET_H

#include "base/file.h"

enum { BAL_MOST_FILES = 16 };
typedef struct BalFileSet { /* zero but for dir is valid; bal_file_set_end ends it */
    const char *dir;        /* exists; borrowed */
    struct {
        const char *name;  /* borrowed */
        BalWriter *writer; /* NULL: an older file of this name goes */
    } file[BAL_MOST_FILES];
    int n;
} BalFileSet;

BAL_MUST_USE BalStatus bal_file_set_add(BalFileSet *s, const char *name, const BalText *text, BalError *err);
/* The set has no file of this name: one of an older set would pass for it. */
void bal_file_set_without(BalFileSet *s, const char *name);
/* Bring all into place, or with rc < 0, where what came before failed, change nothing and return rc. Again: nothing to do. */
BAL_MUST_USE BalStatus bal_file_set_end(BalFileSet *s, BalStatus rc, BalError *err);

#endif
