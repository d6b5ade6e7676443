/* The growing file of append.h: POSIX calls, each checked. */
#include "dataset/append.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>
#include "base/mem.h"

static BalStatus io_error(const BalAppend *a, const char *what, BalError *err) {
    return BAL_FAIL(err, BAL_E_IO, "%s: cannot %s: %s", a->path, what, strerror(errno));
}

BalStatus bal_append_open(BalAppend *a, const char *path, BalError *err) {
    BalStatus rc;
    *a = BAL_APPEND_CLOSED;
    BAL_TRY(bal_strdup(&a->path, path, err));
    a->fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
    if (a->fd < 0) {
        rc = io_error(a, "open", err);
        goto fail;
    }
    if (flock(a->fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK) {
        rc = BAL_FAIL(err, BAL_E_EXISTS, "%s: another process is writing it; wait for it to end", path);
        goto fail;
    }
    a->at = lseek(a->fd, 0, SEEK_END);
    return BAL_OK;
fail:
    bal_append_close(a);
    return rc;
}

BalStatus bal_append_cut(BalAppend *a, int64_t keep, BalError *err) {
    if (ftruncate(a->fd, keep) < 0 || lseek(a->fd, keep, SEEK_SET) < 0) return io_error(a, "cut back", err);
    a->at = keep;
    return BAL_OK;
}

BalStatus bal_append_add(BalAppend *a, const void *data, size_t n, BalError *err) {
    const char *p = data;
    while (n) {
        ssize_t k = write(a->fd, p, n);
        if (k < 0 && errno == EINTR) continue;
        if (k < 0) return io_error(a, "write", err);
        p += k;
        n -= (size_t)k;
        a->at += k;
    }
    return BAL_OK;
}

BalStatus bal_append_sync(BalAppend *a, BalError *err) {
    if (fdatasync(a->fd) < 0) return io_error(a, "flush", err);
    return BAL_OK;
}

void bal_append_close(BalAppend *a) {
    if (a->fd >= 0) close(a->fd);
    bal_free(a->path);
    *a = BAL_APPEND_CLOSED;
}
