/* An ingest that is killed, cancelled, out of memory or out of disk, and run again: the same bytes as one that was not. */
#include "dataset/synth.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/file.h"
#include "base/mem.h"
#include "base/rng.h"
#include "dataset/append.h"
#include "dataset/journal.h"

enum { CLIPS = 120 };

static char whole[65]; /* hash of the folder of an uninterrupted run */

static void open_job(Synth *s) {
    synth_open(s, CLIPS, false);
    s->spec.workers = 2;
    s->spec.shard_bytes = 256 << 10;
    s->bad_every = 7;
}

static int setup(void **state) {
    if (scratch_open(state)) return -1;
    Synth s;
    BalError err = {0};
    BalIngestResult r;
    open_job(&s);
    if (synth_ingest(&s, scratch("whole"), &r, &err) < 0) return -1;
    folder_hash(scratch("whole"), whole);
    synth_close(&s);
    return file_size(scratch("whole/shard-000001.tar")) > 0 ? 0 : -1;
}

static void finish_and_compare(const char *dir) {
    Synth s;
    BalError err = {0};
    BalIngestResult r;
    char hex[65];
    open_job(&s);
    assert_ok(synth_ingest(&s, dir, &r, &err));
    folder_hash(dir, hex);
    assert_string_equal(hex, whole);
    assert_int_equal(r.stored + r.rejected, CLIPS);
    synth_close(&s);
}

/* ---- kill -9 ---- */

static pid_t start_child(const char *dir) {
    pid_t pid = fork();
    if (pid) return pid;
    Synth s;
    BalIngestResult r;
    open_job(&s);
    s.delay_us = 400;
    _exit(synth_ingest(&s, dir, &r, NULL) == BAL_OK ? 0 : 1);
}

/* Kill again and again at random moments until one run gets through. Returns the number of kills. */
static int kill_until_done(const char *dir, BalRng *rng) {
    for (int kills = 0;; kills++) {
        int status;
        pid_t pid = start_child(dir);
        assert_true(pid > 0);
        usleep((useconds_t)bal_rng_below(rng, 15000 + 2000 * (uint64_t)kills)); /* a busy machine gets through, too */
        kill(pid, SIGKILL);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        if (WIFEXITED(status)) {
            assert_int_equal(WEXITSTATUS(status), 0);
            return kills;
        }
    }
}

static void killed_at_random(void **state) {
    (void)state;
    BalRng rng = bal_rng(3, BAL_RNG_TEST, 0, 0);
    int kills = 0;
    for (int round = 0; round < 12; round++) {
        char dir[256], hex[65];
        snprintf(dir, sizeof dir, "%s/kill-%d", scratch_dir, round);
        kills += kill_until_done(dir, &rng);
        folder_hash(dir, hex);
        assert_string_equal(hex, whole);
    }
    printf("killed %d times in 12 rounds\n", kills);
    assert_true(kills > 12);
}

/* ---- torn and lost bytes: what a power cut leaves ---- */

typedef struct Stop {
    int64_t at;
} Stop;
static bool stop_at(void *user, const BalProgress *p) {
    return p->done < ((Stop *)user)->at;
}

static void cancel_at(const char *dir, int64_t at) {
    Synth s;
    BalError err = {0};
    BalIngestResult r;
    Stop stop = {at};
    open_job(&s);
    BalStatus rc = bal_ingest_run(&s.manifest, &s.recipe, &s.spec, synth_produce, &s, dir,
                                  (BalProgressSink){stop_at, &stop}, &r, &err);
    assert_fails(rc, BAL_E_CANCELLED, "the same call continues");
    synth_close(&s);
}

static void cancelled(void **state) {
    (void)state;
    for (int64_t at = 1; at <= CLIPS; at += 17) {
        char dir[256];
        snprintf(dir, sizeof dir, "%s/cancel-%d", scratch_dir, (int)at);
        cancel_at(dir, at);
        BalStore *store = NULL;
        BalError err = {0};
        assert_fails(bal_store_open(&store, dir, &err), BAL_E_IO, "has not ended");
        finish_and_compare(dir);
    }
}

static void journal_torn_anywhere(void **state) {
    (void)state;
    for (int cut = 1; cut < 4000; cut += 97) {
        char dir[256], journal[300];
        snprintf(dir, sizeof dir, "%s/torn-%d", scratch_dir, cut);
        snprintf(journal, sizeof journal, "%s/journal", dir);
        cancel_at(dir, 60);
        long size = file_size(journal);
        assert_int_equal(truncate(journal, size > cut ? size - cut : 0), 0);
        finish_and_compare(dir);
    }
}

static void shard_lost_its_end(void **state) {
    (void)state;
    for (int round = 0; round < 4; round++) {
        char dir[256], first[300], part[300];
        snprintf(dir, sizeof dir, "%s/lost-%d", scratch_dir, round);
        snprintf(first, sizeof first, "%s/shard-000000.tar", dir);
        snprintf(part, sizeof part, "%s/shard-000001.tar.part", dir);
        cancel_at(dir, 60);
        assert_true(file_size(part) > 4000);
        if (round == 0) assert_int_equal(truncate(part, file_size(part) - 3000), 0);
        if (round == 1) flip_byte(part, 700);
        if (round == 2) assert_int_equal(unlink(part), 0);
        if (round == 3) assert_int_equal(truncate(first, 9000), 0);
        finish_and_compare(dir);
    }
}

/* ---- running out ---- */

static void out_of_memory_for_one_clip(void **state) {
    (void)state;
    Synth s;
    BalError err = {0};
    BalIngestResult r;
    open_job(&s);
    s.fatal_row = 50;
    assert_fails(synth_ingest(&s, scratch("oom"), &r, &err), BAL_E_NOMEM, s.manifest.clip[50].id);
    synth_close(&s);
    finish_and_compare(scratch("oom"));
}

/* Let the n-th allocation fail, for every n; then let a second run finish. */
static void any_allocation_may_fail(void **state) {
    (void)state;
    Synth s;
    BalError err = {0};
    BalIngestResult r;
    char want[65], got[65], dir[256];
    snprintf(dir, sizeof dir, "%s/fault", scratch_dir);
    open_job(&s);
    s.manifest.n = 12;
    s.spec.workers = 1;
    s.spec.shard_bytes = 20000;
    assert_ok(synth_ingest(&s, scratch("small"), &r, &err));
    folder_hash(scratch("small"), want);
    long n = 0;
    for (bool hit = true; hit;) {
        assert_ok(bal_remove_tree(dir, &err));
        bal_mem_fail_at(++n);
        BalStatus rc = synth_ingest(&s, dir, &r, &err);
        hit = bal_mem_fail_at(0) >= n;
        if (hit) assert_fails(rc, BAL_E_NOMEM, "out of memory");
        if (hit && n % 3) continue;
        assert_ok(synth_ingest(&s, dir, &r, &err));
        folder_hash(dir, got);
        assert_string_equal(got, want);
    }
    printf("%ld allocations\n", n - 1);
    assert_true(n > 50);
    s.manifest.n = CLIPS;
    synth_close(&s);
}

static void disk_full(void **state) {
    (void)state;
    static const rlim_t limits[] = {50, 300, 3000, 20000, 200000, 262000};
    struct rlimit old, tight;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    int failed = 0;
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        char dir[256];
        Synth s;
        BalError err = {0};
        BalIngestResult r;
        snprintf(dir, sizeof dir, "%s/full-%d", scratch_dir, (int)limits[i]);
        open_job(&s);
        tight = (struct rlimit){.rlim_cur = limits[i], .rlim_max = old.rlim_max};
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &tight), 0);
        BalStatus rc = synth_ingest(&s, dir, &r, &err);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
        if (rc != BAL_OK) {
            failed++;
            assert_fails(rc, BAL_E_IO, "cannot write: File too large");
            assert_non_null(strstr(err.text, "the same call continues (without -f)"));
            assert_false(bal_file_exists(scratch("full/store.json")));
        }
        synth_close(&s);
        finish_and_compare(dir);
    }
    assert_true(failed >= 4);
}

static void stops_on_error(void **state) {
    (void)state;
    for (int workers = 1; workers <= 3; workers++) {
        char dir[256];
        Synth s;
        BalError err = {0};
        BalIngestResult r;
        snprintf(dir, sizeof dir, "%s/stop-%d", scratch_dir, workers);
        open_job(&s);
        s.spec.workers = workers;
        s.spec.stop_on_error = true;
        assert_fails(synth_ingest(&s, dir, &r, &err), BAL_E_MEDIA, "no audio stream");
        assert_non_null(strstr(err.text, s.manifest.clip[3].id));
        assert_non_null(strstr(err.text, "line 5"));
        synth_close(&s);
        finish_and_compare(dir);
    }
}

static void one_writer_at_a_time(void **state) {
    (void)state;
    char dir[256], journal[300];
    Synth s;
    BalError err = {0};
    BalIngestResult r;
    snprintf(dir, sizeof dir, "%s/two", scratch_dir);
    snprintf(journal, sizeof journal, "%s/journal", dir);
    cancel_at(dir, 20);
    BalAppend other;
    assert_ok(bal_append_open(&other, journal, &err));
    open_job(&s);
    assert_fails(synth_ingest(&s, dir, &r, &err), BAL_E_EXISTS, "another process");
    synth_close(&s);
    bal_append_close(&other);
    finish_and_compare(dir);
}

/* An unfinished store that another build began is not continued: half of its clips might be decoded otherwise. */
static void another_build_does_not_continue(void **state) {
    (void)state;
    char journal[300];
    const char *dir = scratch("older");
    Synth s;
    BalError err = {0};
    BalIngestResult r;
    BalIdentity id;
    BalText text = {0}, head = {0};
    snprintf(journal, sizeof journal, "%s/journal", dir);
    cancel_at(dir, 20);
    assert_ok(bal_file_read(journal, 0, &text, &err));
    open_job(&s);
    size_t used;
    assert_ok(bal_journal_replay(text.data, text.len, 0, NULL, NULL, &id, &used, &err));
    id.code[0] = id.code[0] == 'a' ? 'b' : 'a';
    bal_journal_head(&head, &id);
    assert_int_equal(head.len, used);
    memcpy(text.data, head.data, used);
    assert_ok(bal_file_write(journal, text.data, text.len, &err));
    assert_fails(synth_ingest(&s, dir, &r, &err), BAL_E_MISMATCH, "begun by another build");
    synth_close(&s);
    bal_text_reset(&text);
    bal_text_reset(&head);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(killed_at_random),
        cmocka_unit_test(cancelled),
        cmocka_unit_test(journal_torn_anywhere),
        cmocka_unit_test(shard_lost_its_end),
        cmocka_unit_test(out_of_memory_for_one_clip),
        cmocka_unit_test(any_allocation_may_fail),
        cmocka_unit_test(disk_full),
        cmocka_unit_test(stops_on_error),
        cmocka_unit_test(one_writer_at_a_time),
        cmocka_unit_test(another_build_does_not_continue),
    };
    return cmocka_run_group_tests_name("dataset.resume", tests, setup, scratch_close);
}
