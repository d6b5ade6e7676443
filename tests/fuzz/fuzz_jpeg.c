/* JPEG reader of stored frames: what it accepts has a size its bytes can hold. */
#include "features/jpeg.h"
#include "fuzz/target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    BalFrames f = {0};
    BalError err = {0};
    BalStatus rc = bal_jpeg_read(&f, data, size, "fuzz", &err);
    FUZZ_CHECK(rc == BAL_OK || (rc == BAL_E_FORMAT && err.text[0]) || rc == BAL_E_NOMEM);
    FUZZ_CHECK(f.n == (rc == BAL_OK));
    FUZZ_CHECK(f.cap <= 3 * 512 * (size + 1));
    if (rc == BAL_OK) {
        FUZZ_CHECK(f.height > 0 && f.width > 0 && (f.channels == 1 || f.channels == 3));
        rc = bal_jpeg_read(&f, data, size, "fuzz", &err); /* the same picture fits behind itself */
        FUZZ_CHECK((rc == BAL_OK && f.n == 2) || rc == BAL_E_NOMEM);
    }
    bal_frames_reset(&f);
    return 0;
}
