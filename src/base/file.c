/* Files: mapped or read whole on the way in; written under a temporary name, flushed and renamed on the way out.
 *
 * Temporaries are called NAME.tmp-PID (one writer per name and process): bal_sweep_tmp knows from the PID whether their owner
 * still lives. A process number that was reused keeps a temporary longer than needed, never removes one too early. */
#include "base/file.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/mem.h"

#define BUFFER_BYTES ((size_t)1 << 18)
#define DIRECT_BYTES (BUFFER_BYTES / 4) /* from here on a copy costs more than a call */

static BalStatus io_error(const char *path, const char *what, BalError *err) {
    return BAL_FAIL(err, BAL_E_IO, "%s: cannot %s: %s", path, what, strerror(errno));
}

/* ---- in ---- */

BalStatus bal_file_open(const char *path, int *fd, size_t *size, BalError *err) {
    struct stat st;
    int f = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a FIFO must not hang us */
    if (f < 0) return io_error(path, "open", err);
    BalStatus rc = BAL_OK;
    if (fstat(f, &st) < 0)
        rc = io_error(path, "stat", err);
    else if (!S_ISREG(st.st_mode))
        rc = BAL_FAIL(err, BAL_E_IO, "%s: is %s, not a regular file", path,
                      S_ISDIR(st.st_mode) ? "a folder" : "a device or pipe");
    if (rc < 0) {
        close(f);
        return rc;
    }
    *fd = f;
    *size = (size_t)st.st_size;
    return BAL_OK;
}

BalStatus bal_map_open(BalMap *m, const char *path, BalError *err) {
    int fd = -1;
    size_t size = 0;
    BAL_TRY(bal_file_open(path, &fd, &size, err));
    void *p = NULL;
    if (size) p = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
    int why = errno;
    close(fd);
    errno = why;
    if (p == MAP_FAILED) return io_error(path, "map", err);
    *m = (BalMap){.data = p, .size = size};
    return BAL_OK;
}

void bal_map_close(BalMap *m) {
    if (m->data) munmap((void *)(uintptr_t)m->data, m->size);
    *m = (BalMap){0};
}

BalStatus bal_file_read(const char *path, size_t max_bytes, BalText *out, BalError *err) {
    BalMap m = {0};
    if (!max_bytes) max_bytes = (size_t)1 << 30;
    bal_text_clear(out);
    BAL_TRY(bal_map_open(&m, path, err));
    BalStatus rc = BAL_OK;
    if (m.size > max_bytes)
        rc = BAL_FAIL(err, BAL_E_FORMAT, "%s: %zu bytes, at most %zu are read", path, m.size, max_bytes);
    if (rc == BAL_OK) {
        bal_text_add_n(out, (const char *)m.data, m.size);
        rc = bal_text_ok(out, err);
    }
    bal_map_close(&m);
    return rc;
}

/* ---- out ---- */

struct BalWriter {
    int fd;
    int64_t at; /* bytes accepted, buffered ones included */
    size_t used;
    char *path, *tmp, *buffer;
};

static void writer_free(BalWriter *w) {
    if (w->fd >= 0) close(w->fd);
    bal_free(w->path);
    bal_free(w->tmp);
    bal_free(w->buffer);
    bal_free(w);
}

/* The file behind a link, which stays one; path itself otherwise. A device or a pipe would be replaced by a file. */
static BalStatus target_of(const char *path, BalText *out, BalError *err) {
    struct stat st;
    char *real = NULL;
    if (stat(path, &st) == 0 && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
        return BAL_FAIL(err, BAL_E_ARG, "%s: is no regular file and would be replaced by one; give another name", path);
    if (lstat(path, &st) == 0 && S_ISLNK(st.st_mode) && !(real = realpath(path, NULL)))
        return io_error(path, "follow the link", err);
    bal_text_add(out, real ? real : path);
    free(real);
    return bal_text_ok(out, err);
}

BalStatus bal_writer_open(BalWriter **out, const char *path, BalError *err) {
    BalWriter *w = NULL;
    BalText target = {0}, tmp = {0};
    BalStatus rc;
    BAL_TRY_OR(fail, target_of(path, &target, err));
    path = target.data;
    bal_text_f(&tmp, "%s" BAL_TMP_MARK "%ld", path, (long)getpid());
    BAL_TRY_OR(fail, bal_text_ok(&tmp, err));
    BAL_TRY_OR(fail, bal_alloc(&w, 1, sizeof *w, err));
    w->fd = -1;
    BAL_TRY_OR(fail, bal_strdup(&w->path, path, err));
    BAL_TRY_OR(fail, bal_alloc(&w->buffer, BUFFER_BYTES, 1, err));
    BAL_TRY_OR(fail, bal_strdup(&w->tmp, tmp.data, err));
    w->fd = open(w->tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (w->fd < 0) {
        rc = io_error(path, "create", err);
        goto fail;
    }
    bal_text_reset(&target);
    bal_text_reset(&tmp);
    *out = w;
    return BAL_OK;
fail:
    bal_text_reset(&target);
    bal_text_reset(&tmp);
    if (w) writer_free(w);
    return rc;
}

static BalStatus put(BalWriter *w, const char *data, size_t n, BalError *err) {
    while (n) {
        ssize_t k = write(w->fd, data, n);
        if (k < 0 && errno == EINTR) continue;
        if (k < 0) return io_error(w->path, "write", err);
        data += k;
        n -= (size_t)k;
    }
    return BAL_OK;
}

static BalStatus flush(BalWriter *w, BalError *err) {
    size_t n = w->used;
    w->used = 0;
    return put(w, w->buffer, n, err);
}

BalStatus bal_writer_add(BalWriter *w, const void *data, size_t n, BalError *err) {
    if (n > BUFFER_BYTES - w->used || n >= DIRECT_BYTES) BAL_TRY(flush(w, err));
    if (n >= DIRECT_BYTES)
        BAL_TRY(put(w, data, n, err));
    else if (n) {
        memcpy(w->buffer + w->used, data, n);
        w->used += n;
    }
    w->at += (int64_t)n;
    return BAL_OK;
}

BalStatus bal_writer_f(BalWriter *w, BalError *err, const char *fmt, ...) {
    BalText t = {0};
    va_list ap;
    va_start(ap, fmt);
    bal_text_vf(&t, fmt, ap);
    va_end(ap);
    BalStatus rc = bal_text_ok(&t, err);
    if (rc == BAL_OK) rc = bal_writer_add(w, bal_text_str(&t), t.len, err);
    bal_text_reset(&t);
    return rc;
}

int64_t bal_writer_at(const BalWriter *w) {
    return w->at;
}

/* Length of the folder part of path: "a/b" -> 1, "/b" -> 1, "b" -> 0 */
static size_t folder_length(const char *path) {
    const char *slash = strrchr(path, '/');
    return !slash ? 0 : slash == path ? 1 : (size_t)(slash - path);
}

/* The rename itself must reach the disk: flush the folder that holds the name. Some file systems cannot (EINVAL); they are
 * left alone, for there is nothing else to do. */
static BalStatus flush_folder(const char *path, BalError *err) {
    BalText dir = {0};
    size_t n = folder_length(path);
    if (n)
        bal_text_add_n(&dir, path, n);
    else
        bal_text_add(&dir, ".");
    BalStatus rc = bal_text_ok(&dir, err);
    if (rc == BAL_OK) {
        int fd = open(dir.data, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd >= 0 && fsync(fd) < 0 && errno != EINVAL) rc = io_error(dir.data, "flush", err);
        if (fd >= 0) close(fd);
    }
    bal_text_reset(&dir);
    return rc;
}

BalStatus bal_writer_sync(BalWriter *w, BalError *err) {
    BAL_TRY(flush(w, err));
    return fsync(w->fd) < 0 ? io_error(w->path, "flush", err) : BAL_OK;
}

BalStatus bal_writer_commit(BalWriter **pw, BalError *err) {
    BalWriter *w = *pw;
    BalStatus rc;
    BAL_TRY_OR(fail, bal_writer_sync(w, err));
    int fd = w->fd;
    w->fd = -1;
    if (close(fd) < 0) {
        rc = io_error(w->path, "close", err);
        goto fail;
    }
    if (rename(w->tmp, w->path) < 0) {
        rc = io_error(w->path, "rename into place", err);
        goto fail;
    }
    rc = flush_folder(w->path, err);
    writer_free(w);
    *pw = NULL;
    return rc;
fail:
    bal_writer_abort(pw);
    return rc;
}

void bal_writer_abort(BalWriter **w) {
    if (!*w) return;
    unlink((*w)->tmp);
    writer_free(*w);
    *w = NULL;
}

BalStatus bal_file_write(const char *path, const void *data, size_t n, BalError *err) {
    BalWriter *w = NULL;
    BAL_TRY(bal_writer_open(&w, path, err));
    BalStatus rc = bal_writer_add(w, data, n, err);
    if (rc == BAL_OK) return bal_writer_commit(&w, err);
    bal_writer_abort(&w);
    return rc;
}

/* ---- folders ---- */

bool bal_file_exists(const char *path) {
    struct stat st;
    return stat(path, &st) == 0;
}

bool bal_is_dir(const char *path) {
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

BalStatus bal_make_dirs(const char *path, BalError *err) {
    char *copy;
    if (!*path) return BAL_OK;
    BAL_TRY(bal_strdup(&copy, path, err));
    BalStatus rc = BAL_OK;
    for (char *c = copy + 1; rc == BAL_OK; c++) {
        if (*c && *c != '/') continue;
        char was = *c;
        *c = '\0';
        if (mkdir(copy, 0777) < 0 && (errno != EEXIST || !bal_is_dir(copy)))
            rc = errno == EEXIST ? BAL_FAIL(err, BAL_E_EXISTS, "%s is a file; name a folder", copy)
                                 : io_error(copy, "make folder", err);
        *c = was;
        if (!was) break;
    }
    bal_free(copy);
    return rc;
}

static BalStatus lock(const char *path, int kind, int *fd, BalError *err) {
    *fd = open(path, O_RDONLY | O_CLOEXEC | kind);
    if (*fd < 0) return io_error(path, kind ? "open folder" : "open", err);
    if (flock(*fd, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK) return BAL_OK;
    close(*fd);
    *fd = -1;
    return BAL_FAIL(err, BAL_E_EXISTS, "%s: another process is writing it; wait for it to end", path);
}

BalStatus bal_lock_dir(const char *path, int *fd, BalError *err) {
    return lock(path, O_DIRECTORY, fd, err);
}

BalStatus bal_lock_file(const char *path, int *fd, BalError *err) {
    return lock(path, 0, fd, err);
}

void bal_unlock_dir(int *fd) {
    if (*fd >= 0) close(*fd);
    *fd = -1;
}

static int by_name(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

BalStatus bal_list_dir(const char *path, char ***names, int *n, BalError *err) {
    char **list = NULL;
    size_t cap = 0;
    int count = 0;
    BalStatus rc = BAL_OK;
    DIR *d = opendir(path);
    if (!d) return io_error(path, "open folder", err);
    for (;;) {
        errno = 0;
        struct dirent *e = readdir(d);
        if (!e) {
            if (errno) rc = io_error(path, "read folder", err);
            break;
        }
        if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, "..")) continue;
        BAL_TRY_OR(done, bal_grow(&list, &cap, (size_t)count + 1, sizeof *list, err));
        BAL_TRY_OR(done, bal_strdup(&list[count], e->d_name, err));
        count++;
    }
done:
    closedir(d);
    if (rc < 0) {
        bal_names_free(list, count);
        return rc;
    }
    if (count) qsort(list, (size_t)count, sizeof *list, by_name);
    *names = list;
    *n = count;
    return BAL_OK;
}

void bal_names_free(char **names, int n) {
    for (int i = 0; i < n; i++) bal_free(names[i]);
    bal_free(names);
}

bool bal_same_file(const char *a, const char *b) {
    struct stat x, y;
    return !stat(a, &x) && !stat(b, &y) && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

BalStatus bal_empty_dir(const char *path, const char *last, BalError *err) {
    char **names;
    int n;
    BalText inner = {0};
    BAL_TRY(bal_list_dir(path, &names, &n, err));
    BalStatus rc = BAL_OK;
    for (int k = 0; k < 2 * n && rc == BAL_OK; k++) {
        const int i = k % n;
        if ((last && !strcmp(names[i], last)) != (k >= n)) continue;
        bal_text_clear(&inner);
        bal_path_join(&inner, path, names[i]);
        rc = bal_text_ok(&inner, err);
        if (rc == BAL_OK) rc = bal_remove_tree(inner.data, err);
    }
    bal_text_reset(&inner);
    bal_names_free(names, n);
    return rc;
}

BalStatus bal_remove_tree(const char *path, BalError *err) {
    struct stat st;
    if (lstat(path, &st) < 0) return errno == ENOENT ? BAL_OK : io_error(path, "stat", err);
    if (!S_ISDIR(st.st_mode)) return unlink(path) < 0 ? io_error(path, "remove", err) : BAL_OK;
    BAL_TRY(bal_empty_dir(path, NULL, err));
    return rmdir(path) < 0 ? io_error(path, "remove folder", err) : BAL_OK;
}

/* PID of a temporary's owner; 0 when the name is not a temporary's */
static pid_t tmp_owner(const char *name) {
    const char *last = NULL;
    int64_t pid;
    for (const char *c = name; (c = strstr(c, BAL_TMP_MARK)); c++) last = c;
    if (!last || last == name || !bal_parse_i64(last + strlen(BAL_TMP_MARK), &pid) || pid <= 0 || pid > INT32_MAX)
        return 0;
    return (pid_t)pid;
}

/* A process that has ended is a zombie until its parent, or an init that may be slow, takes note of it. */
static bool is_alive(pid_t pid) {
    char path[32], text[512];
    if (kill(pid, 0) < 0 && errno == ESRCH) return false;
    snprintf(path, sizeof path, "/proc/%ld/stat", (long)pid);
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    const ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof text - 1);
    if (fd >= 0) close(fd);
    text[n > 0 ? n : 0] = '\0';
    const char *state = strrchr(text, ')'); /* "123 (name) Z ..." */
    return !state || (state[1] && state[2] != 'Z' && state[2] != 'X');
}

BalStatus bal_sweep_tmp(const char *dir, BalError *err) {
    char **names;
    int n;
    BalText path = {0};
    BAL_TRY(bal_list_dir(dir, &names, &n, err));
    BalStatus rc = BAL_OK;
    for (int i = 0; i < n && rc == BAL_OK; i++) {
        pid_t pid = tmp_owner(names[i]);
        if (!pid || is_alive(pid)) continue;
        bal_text_clear(&path);
        bal_path_join(&path, dir, names[i]);
        rc = bal_text_ok(&path, err);
        if (rc == BAL_OK) rc = bal_remove_tree(path.data, err);
    }
    bal_text_reset(&path);
    bal_names_free(names, n);
    return rc;
}
