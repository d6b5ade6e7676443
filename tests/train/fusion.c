/* Methods of two modalities, trained end to end on a small store: they learn, and a run that was stopped ends with the same bytes. */
#include "engine/safetensors.h"
#include "train/toy.h"

static const Toy TOY = {.n = 120, .heard = true, .seen = true, .n_train = 6, .n_val = 2};
static BalStore *store;

static int open_store(void **state) {
    return toy_open(state, &TOY, &store);
}
static int close_store(void **state) {
    return toy_close(state, &store);
}

static const char *const METHOD[] = {"concat",    "sum", "film",    "gated", "tmc",        "etmc",      "dropout",
                                     "mmpareto",  "agm", "pmr",     "opm",   "mla",        "cml",       "mmcosine",
                                     "valuation", "lfm", "inforeg", "amss",  "relearning", "reconboost"};
enum { N_METHODS = sizeof METHOD / sizeof *METHOD };

static bool stop_after(void *user, const BalProgress *p) {
    int *left = user;
    (void)p;
    return --*left > 0;
}

/* What usually begins later begins within these few epochs. */
static const char *const EARLY[] = {"opm.first=1",
                                    "valuation.warmup=2",
                                    "relearning.interval=2",
                                    "reconboost.learner_epochs=1",
                                    "reconboost.ensemble_epochs=2",
                                    "tmc.anneal=2"};

/* With a budget of progress reports, 0: none. */
static BalStatus fit(const char *method, const char *dir, int budget, BalFitResult *out, BalError *err) {
    BalFitSpec spec = bal_fit_spec_default();
    spec.method = method;
    spec.recipe = toy_recipe(store);
    spec.recipe.train.epochs = 6;
    for (size_t i = 0; i < sizeof EARLY / sizeof *EARLY; i++)
        if (!strncmp(EARLY[i], method, strlen(method)) && EARLY[i][strlen(method)] == '.')
            BAL_TRY(bal_recipe_load(&spec.recipe, NULL, &EARLY[i], 1, err));
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

/* Encoders and head under their scopes, batch norm's statistics with them: what a framework would load. */
static void weights_lie_under_scopes(void **state) {
    (void)state;
    static const char *const name[] = {"audio.conv1.weight", "visual.bn3.running_var", "head.fc.weight",
                                       "head.fc.bias"};
    BalError err = {0};
    BalFitResult r;
    BalTensorFile file = {0};
    char path[256];
    assert_ok(fit("concat", scratch("concat"), 0, &r, &err));
    snprintf(path, sizeof path, "%s/weights.safetensors", scratch("concat"));
    assert_ok(bal_tensors_open(&file, path, &err));
    for (int i = 0; i < 4; i++) assert_non_null(bal_tensors_find(&file, name[i]));
    const BalNamedTensor *fc = bal_tensors_find(&file, "head.fc.weight");
    assert_int_equal(fc->dim[0], 3);
    assert_int_equal(fc->dim[1], 64);
    bal_tensors_close(&file);
}

/* UMT without teachers is refused; with those of unimodal runs it learns, and they stay as they were. */
static void teachers_come_from_unimodal_runs(void **state) {
    (void)state;
    BalError err = {0};
    BalFitResult r;
    BalTensorFile was = {0}, is = {0};
    char path[2][256], init[2][300];
    for (int m = 0; m < 2; m++) {
        const char *name = m ? "visual" : "audio";
        assert_ok(fit(name, scratch(name), 0, &r, &err));
        snprintf(path[m], sizeof path[m], "%s/weights.safetensors", scratch(name));
        snprintf(init[m], sizeof init[m], "teacher_%s=%s", name, path[m]);
    }
    assert_fails(fit("umt", scratch("untaught"), 0, &r, &err), BAL_E_ARG, "--init teacher_audio=RUN");
    BalFitSpec spec = bal_fit_spec_default();
    const char *const list[] = {init[0], init[1]};
    spec.method = "umt";
    spec.recipe = toy_recipe(store);
    spec.recipe.train.epochs = 6;
    spec.dir = scratch("umt");
    spec.init = list;
    spec.n_init = 2;
    assert_ok(bal_fit(store, &spec, &r, &err));
    assert_true(r.accuracy[BAL_SPLIT_TEST] > 0.8);
    assert_ok(bal_tensors_open(&was, path[1], &err));
    snprintf(path[0], sizeof path[0], "%s/weights.safetensors", scratch("umt"));
    assert_ok(bal_tensors_open(&is, path[0], &err));
    const BalNamedTensor *a = bal_tensors_find(&was, "bn2.running_mean");
    const BalNamedTensor *b = bal_tensors_find(&is, "teacher_visual.bn2.running_mean");
    assert_non_null(a);
    assert_non_null(b);
    assert_memory_equal(a->data, b->data, 16 * sizeof(float));
    bal_tensors_close(&was);
    bal_tensors_close(&is);
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
            rc = fit(METHOD[i], scratch(dir), 5 + stops % 9, &r, &err);
            if (rc != BAL_OK && rc != BAL_E_CANCELLED) fail_msg("%s: %s", METHOD[i], err.text);
            if (stops == 200) fail_msg("%s does not come to an end", METHOD[i]);
        }
        assert_true(stops > 5);
        assert_same_folder(scratch(METHOD[i]), scratch(dir));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_method_learns),
        cmocka_unit_test(weights_lie_under_scopes),
        cmocka_unit_test(teachers_come_from_unimodal_runs),
        cmocka_unit_test(a_stopped_run_ends_with_the_same_bytes),
    };
    return cmocka_run_group_tests(tests, open_store, close_store);
}
