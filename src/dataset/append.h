/* A file that grows and survives kill -9: every append reaches the kernel at once, and a rerun cuts it back to what was whole.
 *
 * The opposite of BalWriter (base/file.h), whose file appears only when complete: that one is for files made in one go, this one
 * for the shard being filled and for the journal, which must outlive the process that began them. */
#ifndef BAL_DATASET_APPEND_H
#define BAL_DATASET_APPEND_H

#include <stddef.h>
#include <stdint.h>
#include <avbalance/error.h>

typedef struct BalAppend {
    int fd; /* -1: closed */
    int64_t at;
    char *path;
} BalAppend;
#define BAL_APPEND_CLOSED ((BalAppend){.fd = -1})

/* Open or create; appends go to the end. BAL_E_EXISTS: another process appends to it (it is locked while open). */
BAL_MUST_USE BalStatus bal_append_open(BalAppend *a, const char *path, BalError *err);
BAL_MUST_USE BalStatus bal_append_cut(BalAppend *a, int64_t keep, BalError *err); /* keep the first `keep` bytes */
/* All of it or BAL_E_IO; what a failed append left behind is the next open's to cut off. */
BAL_MUST_USE BalStatus bal_append_add(BalAppend *a, const void *data, size_t n, BalError *err);
BAL_MUST_USE BalStatus bal_append_sync(BalAppend *a, BalError *err); /* to the disk */
void bal_append_close(BalAppend *a);

#endif
