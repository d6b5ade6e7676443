/* Tables of categories: whatever is accepted meets a list of its own classes. */
#include <sys/mman.h>
#include <unistd.h>

#include <avbalance/curate.h>
#include "fuzz/target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    BalCategories c;
    BalError err = {0};
    char path[64];
    int fd = memfd_create("fuzz", 0);
    if (fd < 0) return 0;
    if (write(fd, data, size) != (ssize_t)size) abort();
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    BalStatus rc = bal_categories_load(&c, path, &err);
    close(fd);
    if (rc < 0) {
        FUZZ_CHECK(err.text[0]);
        return 0;
    }
    FUZZ_CHECK(c.n > 0);
    for (int i = 0; i < c.n; i++)
        for (int side = 0; side < BAL_SIDES; side++)
            FUZZ_CHECK(c.category[i].n_classes[side] > 0 || c.category[i].weak[side]);
    bal_categories_reset(&c);
    return 0;
}
