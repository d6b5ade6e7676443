/* Files: whole or not at all.
 *
 * An output is written as NAME.tmp-PID beside its place, flushed to disk, then renamed; the folder is flushed too. A reader
 * therefore sees the old file, the new file or none. Inputs are mapped or read whole; sizes are checked before memory is taken. */
#ifndef BAL_BASE_FILE_H
#define BAL_BASE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <avbalance/error.h>
#include "base/text.h"

typedef struct BalMap { /* read-only view of a file; zero is a valid empty map */
    const unsigned char *data;
    size_t size;
} BalMap;
BAL_MUST_USE BalStatus bal_map_open(BalMap *m, const char *path, BalError *err);
void bal_map_close(BalMap *m);

/* Descriptor and size of a regular file, for those who read by position (pread); BAL_E_IO for folders, pipes and devices. */
BAL_MUST_USE BalStatus bal_file_open(const char *path, int *fd, size_t *size, BalError *err);

/* Whole file as text into *out (cleared first); BAL_E_FORMAT when larger than max_bytes (0: 1 GiB). */
BAL_MUST_USE BalStatus bal_file_read(const char *path, size_t max_bytes, BalText *out, BalError *err);

typedef struct BalWriter BalWriter; /* buffered; not for several threads */
BAL_MUST_USE BalStatus bal_writer_open(BalWriter **out, const char *path, BalError *err);
BAL_MUST_USE BalStatus bal_writer_add(BalWriter *w, const void *data, size_t n, BalError *err);
BAL_MUST_USE BalStatus bal_writer_f(BalWriter *w, BalError *err, const char *fmt, ...) BAL_PRINTF(3, 4);
int64_t bal_writer_at(const BalWriter *w); /* bytes written so far */
/* Bring everything to disk, under the temporary name still: files that belong together are all synced before the first is committed,
 * so that a full disk leaves none of them. */
BAL_MUST_USE BalStatus bal_writer_sync(BalWriter *w, BalError *err);
/* Flush, fsync, rename into place; *w becomes NULL also on failure (the temporary is then removed). */
BAL_MUST_USE BalStatus bal_writer_commit(BalWriter **w, BalError *err);
void bal_writer_abort(BalWriter **w); /* removes the temporary; accepts NULL inside */
BAL_MUST_USE BalStatus bal_file_write(const char *path, const void *data, size_t n,
                                      BalError *err); /* all of the above */

#define BAL_TMP_MARK ".tmp-" /* in the name of a temporary, before the process that writes it */

bool bal_file_exists(const char *path);
bool bal_same_file(const char *a, const char *b); /* both are there, and one, by whatever name or link */
bool bal_is_dir(const char *path);
BAL_MUST_USE BalStatus bal_make_dirs(const char *path, BalError *err); /* mkdir -p */
/* Keep other processes out of a folder until bal_unlock_dir or the end of the process; BAL_E_EXISTS: another one is in it. A file
 * system that knows no locks grants all. */
BAL_MUST_USE BalStatus bal_lock_dir(const char *path, int *fd, BalError *err);
BAL_MUST_USE BalStatus bal_lock_file(const char *path, int *fd, BalError *err); /* the same for a file that is there */
void bal_unlock_dir(int *fd);                                                   /* fd < 0: nothing */
BAL_MUST_USE BalStatus bal_remove_tree(const char *path, BalError *err);        /* rm -rf of our own output */
/* The folder itself stays. last: the name that goes after all others, because the folder is known by it; NULL: none. */
BAL_MUST_USE BalStatus bal_empty_dir(const char *path, const char *last, BalError *err);
/* Sorted names in a folder (no . and ..); *names has n entries, free with bal_names_free. */
BAL_MUST_USE BalStatus bal_list_dir(const char *path, char ***names, int *n, BalError *err);
void bal_names_free(char **names, int n);
/* Remove temporaries NAME.tmp-* in a folder whose process is gone (after kill -9). */
BAL_MUST_USE BalStatus bal_sweep_tmp(const char *dir, BalError *err);

#endif
