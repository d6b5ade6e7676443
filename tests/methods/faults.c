/* Memory that runs out at any moment of any method's life: a failure that says so, and nothing is left behind (which the sanitizers see). */
#include "base/mem.h"
#include "methods/fd.h"

/* Build, begin, two steps (of other sizes, so that buffers grow), score, end, close. */
static BalStatus live(Fd *f, BalError *err) {
    const BalMethodOps *ops = f->m.ops;
    const BalOptimiser sgd = {.kind = BAL_SGD, .lr = 0.01, .momentum = 0.9};
    float z[FD_N * FD_CLASSES];
    if (ops->epoch_begin) BAL_TRY(ops->epoch_begin(f->m.self, &f->c, err));
    for (int k = 0; k < 2; k++) {
        f->c.batch.n = k ? FD_N : 3;
        BAL_TRY(bal_method_step(&f->m, &f->c, &sgd, err));
    }
    BAL_TRY(bal_method_score(&f->m, &f->c, z, NULL, err));
    f->c.epoch = 8;
    return ops->epoch_end ? ops->epoch_end(f->m.self, &f->c, err) : BAL_OK;
}

static void failing_allocations(void **state) {
    (void)state;
    for (int i = 0; i < bal_method_count(); i++) {
        const char *name = bal_method_at(i)->name;
        BalError err = {0};
        /* gblend trains whole runs here; umt has no teachers */
        if (!strcmp(name, "gblend") || !strcmp(name, "umt")) continue;
        for (long at = 0, made = 0; at <= made; at += 1 + made / 16) {
            Fd f;
            fd_open(&f, name, NULL);
            fd_train(&f);
            err.text[0] = '\0';
            bal_mem_fail_at(at);
            const BalStatus rc = live(&f, &err);
            const long used = bal_mem_fail_at(0);
            if (!at) made = used;
            if (at ? rc != BAL_E_NOMEM || !err.text[0] : rc != BAL_OK)
                fail_msg("%s, allocation %ld of %ld: %s: %s", name, at, made, bal_status_name(rc), err.text);
            fd_close(&f);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(failing_allocations)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
