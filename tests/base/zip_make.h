/* Archives for tests: stored members, written by hand so that each field can be spoilt. */
#ifndef BAL_TEST_ZIP_MAKE_H
#define BAL_TEST_ZIP_MAKE_H

#include "base/check.h"
#include "base/hash.h"
#include "base/text.h"

typedef struct ZipMake {
    BalText file, directory;
    int n;
} ZipMake;

static inline void zip_little(BalText *t, uint64_t v, int bytes) {
    for (int i = 0; i < bytes; i++) bal_text_char(t, i < 8 ? (char)(v >> 8 * i) : 0);
}

/* What both headers share: version, flags, method, time, date, checksum, sizes, lengths. */
static inline void zip_facts(BalText *t, int method, uint32_t crc, size_t stored, size_t bytes, size_t n_name) {
    zip_little(t, 20, 2), zip_little(t, 0, 2), zip_little(t, (uint64_t)method, 2), zip_little(t, 0, 4);
    zip_little(t, crc, 4), zip_little(t, stored, 4), zip_little(t, bytes, 4), zip_little(t, n_name, 2),
        zip_little(t, 0, 2);
}

static inline void zip_add(ZipMake *z, const char *name, int method, const void *data, size_t stored, size_t bytes,
                           uint32_t crc) {
    const size_t at = z->file.len;
    bal_text_add(&z->file, "PK\3\4");
    zip_facts(&z->file, method, crc, stored, bytes, strlen(name));
    bal_text_add(&z->file, name);
    bal_text_add_n(&z->file, data, stored);
    bal_text_add(&z->directory, "PK\1\2");
    zip_little(&z->directory, 20, 2);
    zip_facts(&z->directory, method, crc, stored, bytes, strlen(name));
    zip_little(&z->directory, 0, 10), zip_little(&z->directory, at, 4);
    bal_text_add(&z->directory, name);
    z->n++;
}

static inline void zip_store(ZipMake *z, const char *name, const void *data, size_t n) {
    zip_add(z, name, 0, data, n, n, bal_crc32(0, data, n));
}

/* The whole archive in z->file; its directory begins at the returned place. */
static inline size_t zip_end(ZipMake *z) {
    const size_t at = z->file.len;
    bal_text_add_n(&z->file, z->directory.data, z->directory.len);
    bal_text_add(&z->file, "PK\5\6");
    zip_little(&z->file, 0, 4), zip_little(&z->file, (uint64_t)z->n, 2), zip_little(&z->file, (uint64_t)z->n, 2);
    zip_little(&z->file, z->directory.len, 4), zip_little(&z->file, at, 4), zip_little(&z->file, 0, 2);
    assert_false(z->file.failed || z->directory.failed);
    bal_text_reset(&z->directory);
    return at;
}

#endif
