/* The parallel loop: order, bounds, failure. */
#include <stdatomic.h>
#include <unistd.h>
#include "base/check.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/thread.h"

enum { N = 500 };
typedef struct Run {
    int64_t value[N];
    int64_t seen, fail_job, fail_after, ahead;
    atomic_llong behind; /* indices whose `after` has run */
    atomic_int too_far;
} Run;

static BalStatus job(void *user, int64_t i, int worker, BalError *err) {
    Run *r = user;
    (void)worker;
    if (i - atomic_load(&r->behind) >= r->ahead) atomic_fetch_add(&r->too_far, 1);
    BalRng g = bal_rng(1, BAL_RNG_TEST, 0, (uint64_t)i);
    if (bal_rng_below(&g, 10) == 0) usleep(300);
    if (r->fail_job >= 0 && i >= r->fail_job) return BAL_FAIL(err, BAL_E_MEDIA, "job %d", (int)i);
    r->value[i] = i * i;
    return BAL_OK;
}

static BalStatus after(void *user, int64_t i, int worker, BalError *err) {
    Run *r = user;
    (void)worker;
    assert_int_equal(i, r->seen);
    assert_int_equal(r->value[i], i * i);
    if (i == r->fail_after) return BAL_FAIL(err, BAL_E_CANCELLED, "after %d", (int)i);
    r->seen++;
    atomic_fetch_add(&r->behind, 1);
    return BAL_OK;
}

static void test_order(void **state) {
    (void)state;
    BalError err;
    for (int threads = 1; threads <= 8; threads *= 2) {
        Run r = {.fail_job = -1, .fail_after = -1, .ahead = 10};
        assert_ok(bal_parallel(threads, N, 10, job, after, &r, &err));
        assert_int_equal(r.seen, N);
        assert_int_equal(atomic_load(&r.too_far), 0);
        r.ahead = N;
        assert_ok(bal_parallel(threads, N, 0, job, NULL, &r, &err));
    }
    assert_ok(bal_parallel(4, 0, 1, job, after, NULL, &err));
}

/* Job 100 and all after it fail: the first one is reported, and everything before it has been handed on */
static void test_failure(void **state) {
    (void)state;
    BalError err;
    for (int threads = 1; threads <= 8; threads *= 2) {
        Run r = {.fail_job = 100, .fail_after = -1, .ahead = N};
        assert_fails(bal_parallel(threads, N, 64, job, after, &r, &err), BAL_E_MEDIA, "job 100");
        assert_int_equal(r.seen, 100);
        Run s = {.fail_job = -1, .fail_after = 50, .ahead = N};
        assert_fails(bal_parallel(threads, N, 64, job, after, &s, &err), BAL_E_CANCELLED, "after 50");
        assert_int_equal(s.seen, 50);
    }
    Run r = {.fail_job = 0, .fail_after = -1, .ahead = N};
    assert_int_equal(bal_parallel(2, N, 4, job, after, &r, NULL), BAL_E_MEDIA);
}

static void test_no_memory(void **state) {
    (void)state;
    BalError err;
    Run r = {.fail_job = -1, .fail_after = -1, .ahead = N};
    for (long n = 1; n <= 2; n++) {
        bal_mem_fail_at(n);
        assert_fails(bal_parallel(2, N, 4, job, NULL, &r, &err), BAL_E_NOMEM, "memory");
        bal_mem_fail_at(0);
    }
    assert_true(bal_cpu_count() >= 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_order), cmocka_unit_test(test_failure),
                                       cmocka_unit_test(test_no_memory)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
