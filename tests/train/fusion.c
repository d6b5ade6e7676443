/* Methods of two modalities, trained end to end on a small store: they learn, and a run that was stopped ends with the same bytes. */
#include "train/toy.h"

static const Toy TOY = {.n = 120, .heard = true, .seen = true, .n_train = 6, .n_val = 2};
static BalStore *store;

static int open_store(void **state) {
    return toy_open(state, &TOY, &store);
}
static int close_store(void **state) {
    return toy_close(state, &store);
}

static const char *const METHOD[] = {"concat", "sum", "film", "gated", "tmc", "etmc", "dropout"};
enum { N_METHODS = sizeof METHOD / sizeof *METHOD };

static bool stop_after(void *user, const BalProgress *p) {
    int *left = user;
    (void)p;
    return --*left > 0;
}

/* With a budget of progress reports, 0: none. */
static BalStatus fit(const char *method, const char *dir, int budget, BalFitResult *out, BalError *err) {
    BalFitSpec spec = bal_fit_spec_default();
    spec.method = method;
    spec.recipe = toy_recipe(store);
    spec.recipe.train.epochs = 6;
    spec.dir = dir;
    if (budget) spec.progress = (BalProgressSink){stop_after, &budget};
    return bal_fit(store, &spec, out, err);
}

static void every_method_learns(void **state) {
    (void)state;
    BalError err = {0};
    for (int i = 0; i < N_METHODS; i++) {
        BalFitResult r;
        assert_ok(fit(METHOD[i], scratch(METHOD[i]), 0, &r, &err));
        if (!(r.accuracy[BAL_SPLIT_TEST] > 0.8)) /* of three classes */
            fail_msg("%s: test accuracy %.3f", METHOD[i], r.accuracy[BAL_SPLIT_TEST]);
    }
}

/* Stopped every few batches, in the middle of epochs and of evaluations. */
static void a_stopped_run_ends_with_the_same_bytes(void **state) {
    (void)state;
    BalError err = {0};
    for (int i = 0; i < N_METHODS; i++) {
        char dir[32];
        int stops = 0;
        BalFitResult r;
        snprintf(dir, sizeof dir, "%s-stopped", METHOD[i]);
        for (BalStatus rc = BAL_E_CANCELLED; rc != BAL_OK; stops++) {
            rc = fit(METHOD[i], scratch(dir), 4 + stops % 5, &r, &err);
            if (rc != BAL_OK && rc != BAL_E_CANCELLED) fail_msg("%s: %s", METHOD[i], err.text);
            assert_true(stops < 200);
        }
        assert_true(stops > 5);
        assert_same_folder(scratch(METHOD[i]), scratch(dir));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_method_learns),
        cmocka_unit_test(a_stopped_run_ends_with_the_same_bytes),
    };
    return cmocka_run_group_tests(tests, open_store, close_store);
}
