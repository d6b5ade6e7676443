/* .npy header reader: what it accepts lies within the file. */
#include "base/npy.h"
#include "fuzz/target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    BalError err = {0};
    BalNpy h;
    BalStatus rc = bal_npy_parse(&h, data, size, "fuzz.npy", &err);
    FUZZ_CHECK(rc == BAL_OK || (rc == BAL_E_FORMAT && err.text[0]));
    if (rc < 0) return 0;
    size_t items = 1;
    FUZZ_CHECK(h.rank >= 0 && h.rank <= 8);
    for (int i = 0; i < h.rank; i++) {
        FUZZ_CHECK(h.dim[i] >= 0);
        items *= (size_t)h.dim[i];
    }
    FUZZ_CHECK(items * bal_npy_item(h.type) == h.data_bytes && h.data_at <= size && h.data_bytes <= size - h.data_at);
    return 0;
}
