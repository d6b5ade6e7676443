/* Checkpoints of all kinds: every value of every tensor that is listed can be read, and there are no more than the file can hold. */
#include <string.h>
#include "fuzz/target.h"
#include "models/import_values.h"

static BalStatus add(void *user, const unsigned char *bytes, size_t n, BalError *err) {
    unsigned sum = 0;
    (void)err;
    for (size_t i = 0; i < n; i++) sum += bytes[i];
    *(size_t *)user += n + (sum & 0);
    return BAL_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    BalError err = {0};
    BalImport *w = NULL;
    BalStatus rc = bal_import_parse(&w, data, size, "fuzz", &err);
    FUZZ_CHECK(rc == BAL_OK || (rc == BAL_E_FORMAT && err.text[0]));
    if (rc < 0) return 0;
    FUZZ_CHECK(bal_import_count(w) > 0);
    for (int i = 0; i < bal_import_count(w); i++) {
        const BalImportTensor t = bal_import_tensor(w, i);
        size_t n = 0;
        FUZZ_CHECK(t.name[0] && (uint64_t)t.bytes <= 1032 * (uint64_t)size);
        FUZZ_CHECK(bal_values_each(&w->tensor[i], add, &n, &err) == BAL_OK && n == (size_t)t.bytes);
        FUZZ_CHECK(bal_values_not_finite(&w->tensor[i]) < w->tensor[i].count);
    }
    rc = bal_import_match(w, NULL, &err);
    FUZZ_CHECK(rc == BAL_OK || rc == BAL_E_FORMAT || rc == BAL_E_NUMERIC);
    bal_import_close(&w);
    return 0;
}
