/* Files: whole or not at all, also when the disk is full or the process dies. */
#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/fault.h"
#include "base/file_set.h"

static void expect_content(const char *path, const char *want) {
    BalError err;
    BalText t = {0};
    assert_ok(bal_file_read(path, 0, &t, &err));
    assert_string_equal(bal_text_str(&t), want);
    bal_text_reset(&t);
}

static int count(const char *dir) {
    BalError err;
    char **names;
    int n;
    assert_ok(bal_list_dir(dir, &names, &n, &err));
    for (int i = 1; i < n; i++) assert_true(strcmp(names[i - 1], names[i]) < 0);
    bal_names_free(names, n);
    return n;
}

static void test_atomic(void **state) {
    (void)state;
    BalError err;
    BalWriter *w;
    const char *dir = scratch("atomic"), *path = scratch("atomic/f");
    assert_ok(bal_make_dirs(dir, &err));
    assert_ok(bal_file_write(path, "old", 3, &err));
    assert_ok(bal_writer_open(&w, path, &err));
    assert_ok(bal_writer_f(w, &err, "new %d", 1));
    expect_content(path, "old");
    assert_int_equal(bal_writer_at(w), 5);
    assert_ok(bal_writer_commit(&w, &err));
    assert_null(w);
    expect_content(path, "new 1");
    assert_ok(bal_writer_open(&w, path, &err));
    assert_ok(bal_writer_add(w, "lost", 4, &err));
    bal_writer_abort(&w);
    bal_writer_abort(&w);
    expect_content(path, "new 1");
    assert_int_equal(count(dir), 1);
    assert_fails(bal_writer_open(&w, scratch("no/folder"), &err), BAL_E_IO, "no/folder");
    /* a target that cannot be replaced: nothing is left behind */
    assert_ok(bal_make_dirs(scratch("atomic/d/x"), &err));
    assert_fails(bal_file_write(scratch("atomic/d"), "x", 1, &err), BAL_E_IO, "rename");
    assert_int_equal(count(dir), 2);
}

static void test_large(void **state) {
    (void)state;
    BalError err;
    BalWriter *w;
    static char block[300000];
    assert_ok(bal_writer_open(&w, scratch("large"), &err));
    for (int i = 0; i < 5; i++) {
        memset(block, 'a' + i, sizeof block);
        assert_ok(bal_writer_add(w, block, i == 2 ? 10 : sizeof block, &err));
    }
    assert_ok(bal_writer_commit(&w, &err));
    BalMap m;
    assert_ok(bal_map_open(&m, scratch("large"), &err));
    assert_int_equal(m.size, 4 * sizeof block + 10);
    assert_int_equal(m.data[2 * sizeof block + 9], 'c');
    assert_int_equal(m.data[m.size - 1], 'e');
    bal_map_close(&m);
    BalText t = {0};
    assert_fails(bal_file_read(scratch("large"), 1000, &t, &err), BAL_E_FORMAT, "1000");
    bal_text_reset(&t);
}

/* A file size limit stands for the full disk: write fails with EFBIG */
static void test_full_disk(void **state) {
    (void)state;
    BalError err;
    assert_ok(bal_make_dirs(scratch("full"), &err));
    assert_ok(bal_file_write(scratch("full/f"), "old", 3, &err));
    struct rlimit was, small;
    getrlimit(RLIMIT_FSIZE, &was);
    small = (struct rlimit){.rlim_cur = 100000, .rlim_max = was.rlim_max};
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &small);
    static char block[200000];
    BalStatus rc = bal_file_write(scratch("full/f"), block, sizeof block, &err);
    setrlimit(RLIMIT_FSIZE, &was);
    assert_int_equal(rc, BAL_E_IO);
    assert_non_null(strstr(err.text, "full/f: cannot write"));
    expect_content(scratch("full/f"), "old");
    assert_int_equal(count(scratch("full")), 1);
}

static BalStatus put_set(const char *dir, const char *a, const char *last, BalError *err) {
    BalFileSet s = {.dir = dir};
    BalText text[2] = {{0}};
    bal_text_add(&text[0], a);
    bal_text_add(&text[1], last);
    BalStatus rc = bal_file_set_add(&s, "a", &text[0], err);
    bal_file_set_without(&s, "b");
    if (rc >= 0) rc = bal_file_set_add(&s, "last", &text[1], err);
    rc = bal_file_set_end(&s, rc, err);
    bal_text_reset(&text[0]);
    bal_text_reset(&text[1]);
    return rc;
}

/* Files that belong together: none changes where one cannot be written; an older last file does not stand beside newer others. */
static void test_set(void **state) {
    (void)state;
    BalError err;
    const char *dir = scratch("set");
    assert_ok(bal_make_dirs(dir, &err));
    assert_ok(bal_file_write(scratch("set/a"), "old", 3, &err));
    assert_ok(bal_file_write(scratch("set/b"), "of another set", 14, &err));
    assert_ok(bal_file_write(scratch("set/last"), "old last", 8, &err));
    BalFileSet s = {.dir = dir};
    const BalText failed = {.failed = true};
    assert_fails(bal_file_set_end(&s, bal_file_set_add(&s, "a", &failed, &err), &err), BAL_E_NOMEM, "");
    assert_fails(bal_file_set_end(&s, BAL_E_MEDIA, &err), BAL_E_MEDIA, "");
    expect_content(scratch("set/a"), "old");
    expect_content(scratch("set/last"), "old last");
    assert_int_equal(count(dir), 3);
    assert_ok(put_set(dir, "new", "new last", &err));
    expect_content(scratch("set/a"), "new");
    expect_content(scratch("set/last"), "new last");
    assert_int_equal(count(dir), 2); /* b is gone */
    assert_ok(bal_remove_tree(scratch("set/a"), &err));
    assert_ok(bal_make_dirs(scratch("set/a/x"), &err)); /* cannot be replaced, which shows only in the end */
    assert_fails(put_set(dir, "newer", "newer last", &err), BAL_E_IO, "rename");
    assert_int_equal(count(dir), 1);
}

static void test_kill_and_sweep(void **state) {
    (void)state;
    BalError err;
    BalWriter *mine;
    assert_ok(bal_make_dirs(scratch("kill"), &err));
    assert_ok(bal_file_write(scratch("kill/f"), "old", 3, &err));
    assert_ok(bal_file_write(scratch("kill/x.tmp-y"), "user", 4, &err)); /* not one of ours */
    pid_t child = fork();
    if (!child) {
        BalWriter *w;
        if (bal_writer_open(&w, scratch("kill/f"), NULL) < 0 || bal_writer_add(w, "half", 4, NULL) < 0) _exit(1);
        raise(SIGKILL);
    }
    siginfo_t how;
    assert_int_equal(waitid(P_PID, (id_t)child, &how, WEXITED | WNOWAIT), 0); /* it has ended, and is a zombie still */
    assert_int_equal(how.si_code, CLD_KILLED);
    expect_content(scratch("kill/f"), "old");
    assert_int_equal(count(scratch("kill")), 3);
    assert_ok(bal_writer_open(&mine, scratch("kill/g"), &err));
    assert_ok(bal_sweep_tmp(scratch("kill"), &err));
    assert_int_equal(count(scratch("kill")), 3); /* f, x.tmp-y and the writer that lives */
    assert_ok(bal_writer_commit(&mine, &err));
    expect_content(scratch("kill/g"), "");
    assert_int_equal(waitpid(child, NULL, 0), child);
}

static void test_inputs(void **state) {
    (void)state;
    BalError err;
    BalMap m = {0};
    assert_fails(bal_map_open(&m, scratch("absent"), &err), BAL_E_IO, "No such file");
    assert_fails(bal_map_open(&m, scratch_dir, &err), BAL_E_IO, "a folder");
    assert_int_equal(mkfifo(scratch("fifo"), 0600), 0);
    assert_fails(bal_map_open(&m, scratch("fifo"), &err), BAL_E_IO, "pipe"); /* and does not hang */
    assert_ok(bal_file_write(scratch("empty"), NULL, 0, &err));
    assert_ok(bal_map_open(&m, scratch("empty"), &err));
    assert_int_equal(m.size, 0);
    bal_map_close(&m);
    expect_content(scratch("empty"), "");
}

static void test_folders(void **state) {
    (void)state;
    BalError err;
    assert_ok(bal_make_dirs(scratch("a/b//c/"), &err));
    assert_ok(bal_make_dirs(scratch("a/b/c"), &err));
    assert_true(bal_is_dir(scratch("a/b/c")));
    assert_ok(bal_file_write(scratch("a/b/f"), "", 0, &err));
    assert_fails(bal_make_dirs(scratch("a/b/f/g"), &err), BAL_E_EXISTS, "a/b/f is a file");
    assert_int_equal(symlink("/", scratch("a/link")), 0); /* removed, not followed */
    assert_ok(bal_remove_tree(scratch("a"), &err));
    assert_false(bal_file_exists(scratch("a")));
    assert_ok(bal_remove_tree(scratch("a"), &err));
}

static BalStatus everything(void *user, BalError *err) {
    char **names;
    int n;
    BalText t = {0};
    (void)user;
    BAL_TRY(bal_make_dirs(scratch("fault/x"), err));
    BAL_TRY(put_set(scratch("fault/x"), "a", "last", err));
    BAL_TRY(bal_file_write(scratch("fault/x/f"), "text", 4, err));
    BalStatus rc = bal_file_read(scratch("fault/x/f"), 0, &t, err);
    bal_text_reset(&t);
    BAL_TRY(rc);
    BAL_TRY(bal_list_dir(scratch("fault/x"), &names, &n, err));
    bal_names_free(names, n);
    BAL_TRY(bal_sweep_tmp(scratch("fault/x"), err));
    return bal_remove_tree(scratch("fault"), err);
}

static void test_no_memory(void **state) {
    (void)state;
    assert_true(fault_each_allocation(everything, NULL) > 8);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_atomic),  cmocka_unit_test(test_large),          cmocka_unit_test(test_full_disk),
        cmocka_unit_test(test_set),     cmocka_unit_test(test_kill_and_sweep), cmocka_unit_test(test_inputs),
        cmocka_unit_test(test_folders), cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, scratch_open, scratch_close);
}
