/* Small tables by id: every row is found by its id, the first of equal ones. */
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "curate/sheet.h"
#include "fuzz/target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    BalSheet s = {0};
    BalError err = {0};
    char path[64];
    int fd = memfd_create("fuzz", 0);
    if (fd < 0) return 0;
    if (write(fd, data, size) != (ssize_t)size) abort();
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    BalStatus rc = bal_sheet_load(&s, path, "id", &err);
    close(fd);
    FUZZ_CHECK(rc == BAL_OK || (err.text[0] && !s.n));
    for (int64_t i = 0; i < s.n; i++) {
        const int64_t at = bal_sheet_find(&s, s.id[i]);
        FUZZ_CHECK(at >= 0 && at <= i && !strcmp(s.id[at], s.id[i]));
        for (int k = 0; k < s.n_columns; k++) FUZZ_CHECK(bal_sheet_at(&s, i, k) != NULL);
    }
    bal_sheet_reset(&s);
    return 0;
}
