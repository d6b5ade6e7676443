/* Tar members as WebDataset readers expect them: POSIX ustar, plain files, the same bytes on every machine.
 *
 *   offset  bytes  meaning (one 512-byte block before the data; numbers are octal text)
 *   0       100    name, NUL-padded: KEY.EXT, at most 99 bytes
 *   100     8      mode 0000644
 *   108     16     uid, gid: 0
 *   124     12     size of the data
 *   136     12     mtime: 0, so that the same clips give the same bytes
 *   148     8      sum of the header's bytes, these eight taken as blanks
 *   156     1      '0', a plain file
 *   257     8      "ustar\0" "00"
 *
 * Data follow, padded with zeros to a multiple of 512. Two zero blocks end the archive. */
#ifndef BAL_DATASET_TAR_H
#define BAL_DATASET_TAR_H

#include <stddef.h>
#include <stdint.h>
#include <avbalance/error.h>

enum { BAL_TAR_BLOCK = 512, BAL_TAR_TRAILER = 1024, BAL_TAR_NAME = 100 };

/* name: shorter than BAL_TAR_NAME; bytes below 8 GiB (both are our own doing: asserted). */
void bal_tar_header(unsigned char block[BAL_TAR_BLOCK], const char *name, int64_t bytes);

/* Read one header back. BAL_END: a zero block. BAL_E_FORMAT: wrong sum, not a plain file, size that is no number. */
BAL_MUST_USE BalStatus bal_tar_parse(const unsigned char block[BAL_TAR_BLOCK], char name[BAL_TAR_NAME], int64_t *bytes,
                                     BalError *err);

static inline int64_t bal_tar_padded(int64_t bytes) {
    return (bytes + BAL_TAR_BLOCK - 1) / BAL_TAR_BLOCK * BAL_TAR_BLOCK;
}

#endif
