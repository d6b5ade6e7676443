/* Memory: overflow, failure on demand, pages. */
#include "base/fault.h"
#include "base/mem.h"

static void test_overflow(void **state) {
    (void)state;
    BalError err;
    char *p = (char *)1;
    assert_fails(bal_alloc(&p, SIZE_MAX / 2, 3, &err), BAL_E_NOMEM, "memory");
    assert_fails(bal_alloc(&p, SIZE_MAX, 1, &err), BAL_E_NOMEM, "memory");
    assert_ptr_equal(p, (char *)1);
    assert_ok(bal_alloc(&p, 0, 8, &err));
    assert_non_null(p);
    assert_ok(bal_resize(&p, 100, 1, &err));
    memset(p, 7, 100);
    char *before = p;
    assert_fails(bal_resize(&p, SIZE_MAX / 4, 8, &err), BAL_E_NOMEM, "memory");
    assert_ptr_equal(p, before);
    assert_int_equal(p[99], 7);
    bal_free(p);
    size_t cap = 0;
    int *items = NULL;
    for (int i = 0; i < 1000; i++) {
        assert_ok(bal_grow(&items, &cap, (size_t)i + 1, sizeof *items, &err));
        items[i] = i;
    }
    assert_true(cap >= 1000 && cap < 2000 && items[999] == 999);
    bal_free(items);
}

static void test_pages(void **state) {
    (void)state;
    BalError err;
    static const size_t size[] = {0, 1, 63, 65, (1 << 20) - 1, 1 << 20, (2 << 20) + 1, 9 << 20};
    for (size_t k = 0; k < sizeof size / sizeof *size; k++) {
        unsigned char *p;
        assert_ok(bal_alloc_pages(&p, size[k], &err));
        assert_int_equal((uintptr_t)p % (size[k] < 1 << 20 ? 64 : 2 << 20), 0);
        for (size_t i = 0; i < size[k]; i++) assert_int_equal(p[i], 0);
        memset(p, 1, size[k]);
        bal_free_pages(p, size[k]);
    }
    void *p;
    assert_fails(bal_alloc_pages(&p, SIZE_MAX, &err), BAL_E_NOMEM, "memory");
    bal_free_pages(NULL, 5);
}

static BalStatus three(void *user, BalError *err) {
    void *a = NULL, *b = NULL, *c = NULL;
    (void)user;
    BalStatus rc;
    BAL_TRY_OR(done, bal_alloc(&a, 1, 1, err));
    BAL_TRY_OR(done, bal_alloc_pages(&b, 8, err));
    BAL_TRY_OR(done, bal_resize(&c, 8, 8, err));
done:
    bal_free(a);
    bal_free_pages(b, 8);
    bal_free(c);
    return rc;
}

static void test_failure_on_demand(void **state) {
    (void)state;
    assert_int_equal(fault_each_allocation(three, NULL), 3);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_overflow), cmocka_unit_test(test_pages),
                                       cmocka_unit_test(test_failure_on_demand)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
