/* kill -9 at any moment, then the same command again: the same bytes as a run that was never stopped.
 *
 * Every run is made in a child process. The clock of the machine chooses where the kills fall; what must come out does not depend
 * on it. Checkpoints are written after every step, so that most kills land in the middle of one. */
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <avbalance/version.h>
#include "base/mem.h"
#include "train/toy.h"

static const Toy TOY = {.n = 120, .heard = true, .seen = true, .n_train = 6, .n_val = 2};

static BalStatus fit(const char *store_dir, const char *dir, double checkpoint_s, BalProgressSink progress,
                     BalError *err) {
    BalStore *store = NULL;
    BalFitResult f;
    BAL_TRY(bal_store_open(&store, store_dir, err));
    BalFitSpec spec = bal_fit_spec_default();
    BalStatus rc;
    BAL_TRY_OR(done, toy_recipe_load(&spec.recipe, store, err));
    spec.recipe.train.epochs = 5;
    spec.recipe.train.patience = 3;
    spec.recipe.train.optimiser = 2; /* adamw: moments and step counts must survive */
    spec.recipe.train.lr = 0.01;
    spec.recipe.train.settle = 2;
    spec.recipe.input.flip = 0.5;
    spec.method = "visual";
    spec.dir = dir;
    spec.checkpoint_s = checkpoint_s;
    spec.progress = progress;
    rc = bal_fit(store, &spec, &f, err);
done:
    bal_store_close(&store);
    return rc;
}

/* Run fit in a child and kill it after `us`; < 0: let it live. True when it ended well by itself. */
static bool child(const char *dir, double checkpoint_s, long us) {
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        BalError err = {0};
        BalStatus rc = fit(scratch("store"), dir, checkpoint_s, (BalProgressSink){0}, &err);
        if (rc < 0) fprintf(stderr, "%s\n", err.text);
        _exit(rc < 0 ? 1 : 0);
    }
    if (us >= 0) {
        const struct timespec t = {us / 1000000, us % 1000000 * 1000};
        nanosleep(&t, NULL);
        kill(pid, SIGKILL);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (WIFEXITED(status)) assert_int_equal(WEXITSTATUS(status), 0);
    return WIFEXITED(status);
}

static void killed_anywhere_it_ends_with_the_same_bytes(void **state) {
    (void)state;
    struct timespec t0, t1;
    clock_gettime(CLOCK_MONOTONIC, &t0);
    assert_true(child(scratch("whole"), 1e9, -1));
    clock_gettime(CLOCK_MONOTONIC, &t1);
    long whole_us = (t1.tv_sec - t0.tv_sec) * 1000000 + (t1.tv_nsec - t0.tv_nsec) / 1000;
    int kills = 0;
    for (int round = 0; round < 3; round++) {
        char name[16];
        snprintf(name, sizeof name, "cut%d", round);
        const char *dir = scratch(name);
        /* ever longer lives, so that it gets to its end even on a slow machine */
        for (long us = 2000 + 700 * round;; us += 1000 + whole_us / 60, kills++)
            if (child(dir, 0, us)) break;
        assert_same_folder(scratch("whole"), dir);
    }
    assert_true(kills > 10);
}

typedef struct Stopper {
    int left;
} Stopper;
static bool stop_after(void *user, const BalProgress *p) {
    Stopper *s = user;
    assert_true(p->done <= p->total);
    return --s->left > 0;
}

/* The same through the progress callback, at every single point where it is asked. */
static void stopped_at_any_point_it_ends_with_the_same_bytes(void **state) {
    (void)state;
    if (!bal_is_dir(scratch("whole"))) assert_true(child(scratch("whole"), 1e9, -1));
    BalError err = {0};
    int stops = 0;
    for (;;) {
        Stopper s = {1 + stops % 7}; /* settling and an evaluation take six calls */
        BalStatus rc = fit(scratch("store"), scratch("stopped"), 1e9, (BalProgressSink){stop_after, &s}, &err);
        if (rc == BAL_OK) break;
        if (rc != BAL_E_CANCELLED) fail_msg("%s", err.text);
        assert_true(++stops < 500);
    }
    assert_true(stops > 10);
    assert_same_folder(scratch("whole"), scratch("stopped"));
}

static void a_damaged_checkpoint_is_named(void **state) {
    (void)state;
    BalError err = {0};
    Stopper s = {9};
    const char *dir = scratch("damaged");
    assert_int_equal(fit(scratch("store"), dir, 1e9, (BalProgressSink){stop_after, &s}, &err), BAL_E_CANCELLED);
    char **names = NULL, path[512];
    int n = 0;
    snprintf(path, sizeof path, "%s/checkpoint", dir);
    assert_ok(bal_list_dir(path, &names, &n, &err));
    assert_int_equal(n, 1); /* older ones are gone */
    snprintf(path, sizeof path, "%s/checkpoint/%s/state.safetensors", dir, names[0]);
    bal_names_free(names, n);
    FILE *f = fopen(path, "r+b"); /* a byte of a tensor, which no parser would miss */
    assert_non_null(f);
    assert_int_equal(fseek(f, -100, SEEK_END), 0);
    int was = fgetc(f);
    assert_int_equal(fseek(f, -100, SEEK_END), 0);
    assert_int_equal(fputc(was ^ 4, f), was ^ 4);
    assert_int_equal(fclose(f), 0);
    assert_fails(fit(scratch("store"), dir, 1e9, (BalProgressSink){0}, &err), BAL_E_FORMAT, "state.safetensors");
    assert_int_equal(truncate(path, 1000), 0);
    assert_fails(fit(scratch("store"), dir, 1e9, (BalProgressSink){0}, &err), BAL_E_FORMAT, "-f starts it anew");
}

/* A disk that is full, at ever later moments: a clear failure, then the same bytes once there is room. */
static void a_full_disk_costs_nothing_that_was_kept(void **state) {
    (void)state;
    if (!bal_is_dir(scratch("whole"))) assert_true(child(scratch("whole"), 1e9, -1));
    const char *dir = scratch("full");
    int failed = 0;
    for (rlim_t most = 1000;; most *= 2) { /* bytes that a file may have */
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
            BalError err = {0};
            signal(SIGXFSZ, SIG_IGN);
            setrlimit(RLIMIT_FSIZE, &(struct rlimit){most, most});
            BalStatus rc = fit(scratch("store"), dir, 0.001, (BalProgressSink){0}, &err);
            bool told = strstr(err.text, dir) && strstr(err.text, "(without -f)");
            _exit(rc == BAL_OK ? 0 : rc == BAL_E_IO && told ? 1 : 2);
        }
        int status;
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFEXITED(status));
        if (WEXITSTATUS(status) == 0) break;
        assert_int_equal(WEXITSTATUS(status), 1);
        assert_false(bal_file_exists(scratch("full/run.json")));
        failed++;
    }
    assert_true(failed >= 3);
    assert_same_folder(scratch("whole"), dir);
}

/* Memory that runs out at any moment: a failure with a message, then the same bytes. */
static void memory_that_runs_out_costs_nothing_that_was_kept(void **state) {
    (void)state;
    if (!bal_is_dir(scratch("whole"))) assert_true(child(scratch("whole"), 1e9, -1));
    BalError err = {0};
    const BalProgressSink silent = {0};
    bal_mem_fail_at(0);
    assert_ok(fit(scratch("store"), scratch("counted"), 1e9, silent, &err));
    long made = bal_mem_fail_at(0);
    assert_true(made > 100);
    for (int i = 0; i < 60; i++) {
        err.text[0] = '\0';
        bal_mem_fail_at(1 + i * made / 60);
        BalStatus rc = fit(scratch("store"), scratch("starved"), 1e9, silent, &err);
        long used = bal_mem_fail_at(0);
        if (rc == BAL_OK && used < 1 + i * made / 60) break; /* it went on from a checkpoint and needed less */
        assert_int_equal(rc, BAL_E_NOMEM);
        assert_true(err.text[0]);
    }
    assert_ok(fit(scratch("store"), scratch("starved"), 1e9, silent, &err));
    assert_same_folder(scratch("whole"), scratch("starved"));
}

static void a_flipped_byte_in_the_store_names_the_clip(void **state) {
    (void)state;
    BalError err = {0};
    char path[512];
    BalStore *s = toy_store(&TOY, scratch("bad-store"));
    bal_store_close(&s);
    snprintf(path, sizeof path, "%s/shard-000000.tar", scratch("bad-store"));
    char *tar = NULL, name[] = ".frames.npy";
    BalMap map = {0};
    assert_ok(bal_map_open(&map, path, &err));
    assert_ok(bal_alloc(&tar, map.size, 1, &err));
    memcpy(tar, map.data, map.size);
    char *member = memmem(tar, map.size, name, strlen(name)); /* of the first clip: its header, then its bytes */
    assert_non_null(member);
    member[512 + 200] ^= 4;
    assert_ok(bal_file_write(path, tar, map.size, &err));
    bal_map_close(&map);
    bal_free(tar);
    assert_fails(fit(scratch("bad-store"), scratch("bad-run"), 1e9, (BalProgressSink){0}, &err), BAL_E_MISMATCH,
                 "clip");
    assert_false(bal_file_exists(scratch("bad-run/run.json")));
}

/* Put `to` in the place of `from` in a text file. */
static void replace(const char *path, const char *from, const char *to) {
    BalError err = {0};
    BalText old = {0}, now = {0};
    assert_ok(bal_file_read(path, 0, &old, &err));
    const char *at = strstr(old.data, from);
    assert_non_null(at);
    bal_text_add_n(&now, old.data, (size_t)(at - old.data));
    bal_text_f(&now, "%s%s", to, at + strlen(from));
    assert_ok(bal_file_write(path, now.data, now.len, &err));
    bal_text_reset(&old);
    bal_text_reset(&now);
}

/* A version that computes the same continues a run, whatever its commit is called; one that may not says so and changes nothing. */
static void another_version_continues_only_with_the_same_code(void **state) {
    (void)state;
    if (!bal_is_dir(scratch("whole"))) assert_true(child(scratch("whole"), 1e9, -1));
    BalError err = {0};
    Stopper s = {9};
    const char *dir = scratch("older");
    char path[512], version[128];
    snprintf(path, sizeof path, "%s/recipe.yaml", dir);
    snprintf(version, sizeof version, "version: %s\n", bal_version());
    assert_int_equal(fit(scratch("store"), dir, 1e9, (BalProgressSink){stop_after, &s}, &err), BAL_E_CANCELLED);
    replace(path, version, "version: 0.0.1+g0123456789\n");
    replace(path, "# code: ", "# code: 0");
    assert_fails(fit(scratch("store"), dir, 1e9, (BalProgressSink){0}, &err), BAL_E_MISMATCH,
                 "begun by version 0.0.1+g0123456789, this is ");
    replace(path, "# code: 0", "# code: ");
    assert_ok(fit(scratch("store"), dir, 1e9, (BalProgressSink){0}, &err));
    replace(path, "version: 0.0.1+g0123456789\n", version);
    assert_same_folder(scratch("whole"), dir);
}

static int open_store(void **state) {
    BalStore *s = NULL;
    int failed = toy_open(state, &TOY, &s);
    bal_store_close(&s);
    return failed;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(killed_anywhere_it_ends_with_the_same_bytes),
        cmocka_unit_test(stopped_at_any_point_it_ends_with_the_same_bytes),
        cmocka_unit_test(a_damaged_checkpoint_is_named),
        cmocka_unit_test(another_version_continues_only_with_the_same_code),
        cmocka_unit_test(a_full_disk_costs_nothing_that_was_kept),
        cmocka_unit_test(memory_that_runs_out_costs_nothing_that_was_kept),
        cmocka_unit_test(a_flipped_byte_in_the_store_names_the_clip),
    };
    return cmocka_run_group_tests(tests, open_store, scratch_close);
}
