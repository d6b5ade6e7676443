/* Zip reader: members lie within the file and do not overlap; what unpacks has the size and the checksum it says. */
#include <string.h>
#include "base/hash.h"
#include "base/mem.h"
#include "base/zip.h"
#include "fuzz/target.h"

static void extract(const BalZipMember *m) {
    unsigned char *out = NULL;
    BalError err = {0};
    if (m->bytes > (1 << 22) || bal_alloc(&out, m->bytes, 1, &err) < 0) return;
    BalStatus rc = bal_zip_extract(m, out, "fuzz.zip", &err);
    FUZZ_CHECK(rc == BAL_OK || (rc == BAL_E_FORMAT && err.text[0]));
    if (rc == BAL_OK) FUZZ_CHECK(bal_crc32(0, out, m->bytes) == m->crc);
    bal_free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    BalError err = {0};
    BalZip z;
    BalStatus rc = bal_zip_open(&z, data, size, "fuzz.zip", &err);
    FUZZ_CHECK(rc == BAL_OK || (rc == BAL_E_FORMAT && err.text[0]));
    if (rc < 0) return 0;
    size_t sum = 0;
    for (size_t i = 0; i < z.n; i++) {
        const BalZipMember *m = &z.member[i];
        FUZZ_CHECK(m->data >= data && m->stored_bytes <= size && (size_t)(m->data - data) <= size - m->stored_bytes);
        FUZZ_CHECK(bal_zip_find(&z, m->name) == m && m->bytes / 1032 <= m->stored_bytes);
        sum += m->stored_bytes;
        extract(m);
    }
    FUZZ_CHECK(sum <= size && (!z.n || z.first < z.n));
    bal_zip_close(&z);
    return 0;
}
