/* Zip archives, read from memory and trusted in nothing: checkpoints of PyTorch and NumPy's .npz.
 *
 *   member    50 4B 03 04, 26 more bytes, name, extra field, data                         once per member
 *   directory 50 4B 01 02, 42 more bytes, name, extra field, comment                      once per member
 *   ZIP64     50 4B 06 06 ..., then the locator 50 4B 06 07 ...                           where something needs more than 32 bits
 *   end       50 4B 05 06, 18 more bytes, comment up to the last byte of the file
 *
 * Programs disagree about archives whose member headers and directory tell different stories. The directory alone is believed here;
 * of a member's own header only the lengths of its name and extra field are taken (writers that stream leave its sizes zero), and
 * its name has to be the directory's. Refused: encryption, several disks, methods other than stored and deflated, names that are
 * doubled, absolute, climbing, longer than 512 bytes or not UTF-8, members that overlap or leave the file, more than 200,000 of
 * them, bytes behind the archive, and a comment in which a second end could be read. */
#ifndef BAL_BASE_ZIP_H
#define BAL_BASE_ZIP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <avbalance/error.h>

typedef struct BalZipMember {
    const char *name;          /* owned by the archive */
    const unsigned char *data; /* as it lies in the file */
    size_t stored_bytes, bytes;
    uint32_t crc; /* of the `bytes` */
    bool deflated;
} BalZipMember;

typedef struct BalZip {   /* zero is valid; bal_zip_close frees */
    BalZipMember *member; /* by name */
    size_t n;
    size_t first; /* the member the directory names first */
    char *names;
} BalZip;

/* Read the directory of the archive in data[n], which must outlive *out; `file` goes into messages. BAL_E_FORMAT: what is wrong. */
BAL_MUST_USE BalStatus bal_zip_open(BalZip *out, const void *data, size_t n, const char *file, BalError *err);
void bal_zip_close(BalZip *z);
const BalZipMember *bal_zip_find(const BalZip *z, const char *name); /* NULL: none */
/* Unpack into out[m->bytes]; for a member that is not deflated NULL only compares its checksum. BAL_E_FORMAT: it does not unpack to
 * exactly its size and checksum. No member claims more than 1032 bytes per stored one, the most that deflate can say. */
BAL_MUST_USE BalStatus bal_zip_extract(const BalZipMember *m, void *out, const char *file, BalError *err);

#endif
