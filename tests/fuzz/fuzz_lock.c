/* Lock files: what is accepted has the hash that it states, and is compared without reading media. */
#include <sys/mman.h>
#include <unistd.h>

#include <avbalance/lock.h>
#include "fuzz/target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    BalLockCheck c = {0};
    BalError err = {0};
    char path[64];
    int fd = memfd_create("fuzz", 0);
    if (fd < 0) return 0;
    if (write(fd, data, size) != (ssize_t)size) abort();
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    BalStatus rc = bal_lock_check(&c, path, &(BalLockCheckSpec){.no_media = true}, &err);
    close(fd);
    FUZZ_CHECK(rc == BAL_OK ? c.count[BAL_LOCK_OK] == c.n && c.n > 0 : err.text[0] && !c.n);
    bal_lock_check_reset(&c);
    return 0;
}
