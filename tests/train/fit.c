/* One run: it learns what can be learnt, records what it promises, stops where it should, and says what is wrong. */
#include <math.h>
#include "base/json.h"
#include "base/mem.h"
#include "base/text.h"
#include "engine/safetensors.h"
#include "train/toy.h"

static BalStore *heard;

static int open_store(void **state) {
    return toy_open(state, &(Toy){.n = 240, .heard = true, .n_train = 6, .n_val = 2}, &heard);
}
static int close_store(void **state) {
    return toy_close(state, &heard);
}

static void sound_alone_learns_what_can_be_heard_and_picture_does_not(void **state) {
    (void)state;
    BalError err = {0};
    BalRecipe r = toy_recipe(heard);
    BalFitResult a, v;
    assert_ok(toy_fit(heard, "audio", &r, scratch("a"), &a, &err));
    assert_ok(toy_fit(heard, "visual", &r, scratch("v"), &v, &err));
    assert_true(a.accuracy[BAL_SPLIT_TEST] > 0.9);
    assert_true(v.accuracy[BAL_SPLIT_TEST] < 0.6); /* chance is 1/3 */
    assert_int_equal(a.n, 240);
    assert_int_equal(a.n_train, 144);
}

static void the_record_is_complete_and_agrees_with_itself(void **state) {
    (void)state;
    BalError err = {0};
    BalRecipe r = toy_recipe(heard);
    BalFitResult f;
    const char *dir = scratch("record");
    assert_ok(toy_fit(heard, "audio", &r, dir, &f, &err));
    int64_t dc[2], dk[2], dz[2];
    float *confidence = load_npy(scratch("record/confidence.npy"), dc);
    float *correct = load_npy(scratch("record/correct.npy"), dk), *z = load_npy(scratch("record/logits.npy"), dz);
    assert_int_equal(dc[0], f.epochs);
    assert_int_equal(dc[1], 240);
    assert_int_equal(dk[0], f.epochs);
    assert_int_equal(dz[0], 240);
    assert_int_equal(dz[1], 3);
    const float *row = confidence + (int64_t)(f.best_epoch - 1) * 240,
                *right = correct + (int64_t)(f.best_epoch - 1) * 240;
    int64_t n_right = 0, n_test = 0;
    for (int i = 0; i < 240; i++) { /* confidence of the kept epoch = softmax of the kept logits */
        double sum = 0;
        int label = bal_store_label(heard, i), top = 0;
        for (int k = 0; k < 3; k++) sum += exp(z[i * 3 + k] - z[i * 3 + label]);
        for (int k = 1; k < 3; k++)
            if (z[i * 3 + k] > z[i * 3 + top]) top = k;
        assert_true(fabs(row[i] - 1 / sum) < 1e-5);
        assert_int_equal(right[i], top == label);
        if (bal_store_split(heard, i) != BAL_SPLIT_TEST) continue;
        n_test++;
        n_right += top == label;
    }
    assert_true(fabs(f.accuracy[BAL_SPLIT_TEST] - (double)n_right / (double)n_test) < 1e-12);
    bal_free(confidence);
    bal_free(correct);
    bal_free(z);
    char *ids = load_text(scratch("record/ids.txt")), *csv = load_text(scratch("record/predictions.csv"));
    assert_true(bal_has_prefix(ids, "clip000\nclip001\n"));
    assert_true(bal_has_prefix(csv, "id,label,split,prediction,confidence\nclip000,low,train,low,0."));
    assert_false(bal_is_dir(scratch("record/checkpoint")));
    bal_free(ids);
    bal_free(csv);
    BalJson *j = NULL;
    assert_ok(bal_json_load(&j, scratch("record/run.json"), &err));
    assert_string_equal(bal_json_text(bal_json_get(j, "schema"), ""), "avbalance/run/1");
    assert_string_equal(bal_json_text(bal_json_get(j, "modality"), ""), "audio");
    assert_string_equal(bal_json_text(bal_json_get(j, "store_hash"), ""), bal_store_hash(heard));
    assert_int_equal(bal_json_int(bal_json_get(j, "epochs_used"), 0), f.epochs_used);
    assert_int_equal(bal_json_int(bal_json_get(j, "fold"), 0), -1);
    bal_json_free(&j);
}

/* From the log: the best epoch is the first with the highest validation accuracy, and the run ends `patience` after it. */
static void it_stops_when_validation_no_longer_improves(void **state) {
    (void)state;
    BalError err = {0};
    BalRecipe r = toy_recipe(heard);
    r.train.epochs = 40;
    r.train.patience = 3;
    BalFitResult f;
    assert_ok(toy_fit(heard, "visual", &r, scratch("stop"), &f, &err));
    assert_true(f.epochs < 40);
    assert_int_equal(f.epochs, f.best_epoch + 3);
    assert_int_equal(f.epochs_used, f.best_epoch);
    char *log = load_text(scratch("stop/log.jsonl"));
    double best = -1;
    int at = 0, epoch = 0;
    for (char *line = strtok(log, "\n"); line; line = strtok(NULL, "\n")) {
        BalJson *j = NULL;
        assert_ok(bal_json_parse(&j, line, strlen(line), "log", &err));
        double acc = bal_json_real(bal_json_get(bal_json_get(j, "val"), "accuracy"), NAN);
        assert_int_equal(bal_json_int(bal_json_get(j, "epoch"), 0), ++epoch);
        assert_int_equal(bal_json_bool(bal_json_get(j, "best"), false), acc > best);
        if (acc > best) best = acc, at = epoch;
        bal_json_free(&j);
    }
    assert_int_equal(epoch, f.epochs);
    assert_int_equal(at, f.best_epoch);
    bal_free(log);
}

static void without_validation_all_epochs_count_and_it_says_so(void **state) {
    (void)state;
    static const Toy toy = {.n = 60, .heard = true, .n_train = 8};
    BalError err = {0};
    BalStore *s = toy_store(&toy, scratch("noval"));
    BalRecipe r = toy_recipe(s);
    r.train.patience = 1;
    BalFitResult f;
    assert_ok(toy_fit(s, "audio", &r, scratch("noval-run"), &f, &err));
    assert_int_equal(f.epochs_used, 4);
    assert_true(isnan(f.accuracy[BAL_SPLIT_VAL]));
    char *json = load_text(scratch("noval-run/run.json"));
    assert_non_null(strstr(json, "no validation split"));
    bal_free(json);
    bal_store_close(&s);
}

static void a_last_batch_of_one_clip_trains(void **state) {
    (void)state;
    BalError err = {0};
    BalRecipe r = toy_recipe(heard);
    r.train.batch = 11; /* 144 = 13 * 11 + 1 */
    r.train.epochs = 2;
    BalFitResult f;
    assert_ok(toy_fit(heard, "audio", &r, scratch("one"), &f, &err));
    assert_true(isfinite(f.accuracy[BAL_SPLIT_TRAIN]));
}

static void a_loss_that_explodes_names_step_clips_and_remedy(void **state) {
    (void)state;
    BalError err = {0};
    BalRecipe r = toy_recipe(heard);
    r.train.lr = 100;
    r.train.weight_decay = 10;
    r.train.epochs = 50;
    BalFitResult f;
    assert_fails(toy_fit(heard, "audio", &r, scratch("nan"), &f, &err), BAL_E_NUMERIC, "train.lr");
    assert_non_null(strstr(err.text, "epoch"));
    assert_non_null(strstr(err.text, "clip"));
    assert_false(bal_file_exists(scratch("nan/run.json")));
}

/* The checkpoint before the step that failed stays, with sound weights; the batch's clips are all written down. */
static void the_last_good_checkpoint_stays(void **state) {
    (void)state;
    BalError err = {0};
    BalFitSpec spec = bal_fit_spec_default();
    BalFitResult f;
    spec.recipe = toy_recipe(heard);
    spec.recipe.train.lr = 100;
    spec.recipe.train.weight_decay = 10;
    spec.recipe.train.epochs = 50;
    spec.method = "audio";
    spec.dir = scratch("good");
    spec.checkpoint_s = 0;
    assert_fails(bal_fit(heard, &spec, &f, &err), BAL_E_NUMERIC, "last_batch.txt");
    char **names = NULL, path[512];
    int n = 0, clips = 0;
    assert_ok(bal_list_dir(scratch("good/checkpoint"), &names, &n, &err));
    assert_int_equal(n, 1);
    snprintf(path, sizeof path, "%s/%s/state.safetensors", scratch("good/checkpoint"), names[0]);
    bal_names_free(names, n);
    BalTensorFile t;
    float w[16 * 16 * 9];
    assert_ok(bal_tensors_open(&t, path, &err));
    assert_ok(bal_tensor_floats(bal_tensors_find(&t, "fc.bias"), w, &err));
    for (int i = 0; i < 3; i++) assert_true(isfinite(w[i]));
    bal_tensors_close(&t);
    char *list = load_text(scratch("good/last_batch.txt"));
    for (const char *c = list; *c; c++) clips += *c == '\n';
    assert_int_equal(clips, 16);
    bal_free(list);
}

/* What selection on test data would have said stands beside the result, from the log, and chooses nothing. */
static void the_best_test_epoch_is_reported_and_not_used(void **state) {
    (void)state;
    BalError err = {0};
    BalRecipe r = toy_recipe(heard);
    r.train.epochs = 6;
    r.train.patience = 0;
    BalFitResult f, again;
    assert_ok(toy_fit(heard, "visual", &r, scratch("best"), &f, &err));
    char *log = load_text(scratch("best/log.jsonl"));
    double best_test = -1, best_val = -1;
    int test_at = 0, val_at = 0, epoch = 0;
    for (char *line = strtok(log, "\n"); line; line = strtok(NULL, "\n")) {
        BalJson *j = NULL;
        assert_ok(bal_json_parse(&j, line, strlen(line), "log", &err));
        double test = bal_json_real(bal_json_get(bal_json_get(j, "test"), "accuracy"), NAN);
        double val = bal_json_real(bal_json_get(bal_json_get(j, "val"), "accuracy"), NAN);
        epoch++;
        if (test > best_test) best_test = test, test_at = epoch;
        if (val > best_val) best_val = val, val_at = epoch;
        bal_json_free(&j);
    }
    bal_free(log);
    assert_int_equal(f.best_test_epoch, test_at);
    assert_true(fabs(f.best_test_accuracy - best_test) < 1e-12);
    assert_int_equal(f.best_epoch, val_at);
    assert_ok(toy_fit(heard, "visual", &r, scratch("best"), &again, &err));
    assert_true(again.already_done);
    assert_int_equal(again.best_test_epoch, test_at);
    assert_true(fabs(again.best_test_accuracy - best_test) < 1e-12);
}

static void given_again_it_is_done_or_differs(void **state) {
    (void)state;
    BalError err = {0};
    BalRecipe r = toy_recipe(heard);
    r.train.epochs = 1;
    BalFitResult f;
    const char *dir = scratch("again");
    assert_ok(toy_fit(heard, "audio", &r, dir, &f, &err));
    assert_false(f.already_done);
    double acc = f.accuracy[BAL_SPLIT_VAL];
    assert_ok(toy_fit(heard, "audio", &r, dir, &f, &err));
    assert_true(f.already_done);
    assert_true(f.accuracy[BAL_SPLIT_VAL] == acc);

    r.train.lr = 0.02;
    assert_fails(toy_fit(heard, "audio", &r, dir, &f, &err), BAL_E_MISMATCH, "train.lr: 0.05");
    assert_non_null(strstr(err.text, "-f"));
    r.train.lr = 0.05;
    r.train.seed = 5;
    assert_fails(toy_fit(heard, "audio", &r, dir, &f, &err), BAL_E_MISMATCH, "train.seed: 5");
    assert_fails(toy_fit(heard, "visual", &r, dir, &f, &err), BAL_E_MISMATCH, "method: audio");
    static const Toy other = {.n = 60, .seen = true, .n_train = 8, .n_val = 1};
    BalStore *s = toy_store(&other, scratch("other"));
    assert_fails(toy_fit(s, "audio", &r, dir, &f, &err), BAL_E_MISMATCH, "store: ");
    bal_store_close(&s);

    BalFitSpec spec = bal_fit_spec_default();
    spec.method = "visual";
    spec.recipe = r;
    spec.dir = dir;
    spec.force = true;
    assert_ok(bal_fit(heard, &spec, &f, &err));
    assert_ok(toy_fit(heard, "visual", &r, dir, &f, &err));
    assert_true(f.already_done);
}

/* All values of a weight file's tensors whose names begin with `prefix` (or, negated, do not), end to end. */
static float *values(const char *path, const char *prefix, bool begin, int64_t *n) {
    BalError err = {0};
    BalTensorFile f = {0};
    float *out = NULL;
    *n = 0;
    assert_ok(bal_tensors_open(&f, path, &err));
    for (int i = 0; i < f.n; i++) {
        if (bal_has_prefix(f.tensor[i].name, prefix) != begin || f.tensor[i].type != BAL_T_F32) continue;
        out = realloc(out, sizeof *out * (size_t)(*n + bal_tensor_count(&f.tensor[i])));
        assert_ok(bal_tensor_floats(&f.tensor[i], out + *n, &err));
        *n += bal_tensor_count(&f.tensor[i]);
    }
    bal_tensors_close(&f);
    return out;
}

static void one_epoch(const char *dir, double lr, int head_epochs, const char *init) {
    BalError err = {0};
    BalFitResult r;
    BalFitSpec spec = bal_fit_spec_default();
    spec.method = "audio";
    spec.recipe = toy_recipe(heard);
    spec.recipe.train.epochs = 1;
    spec.recipe.train.lr = lr;
    spec.recipe.train.head_epochs = head_epochs;
    spec.dir = scratch(dir);
    spec.init = &init;
    spec.n_init = init != NULL;
    assert_ok(bal_fit(heard, &spec, &r, &err));
}

static bool same_values(const char *a, const char *b, const char *prefix, bool begin) {
    char path[2][300];
    int64_t n, m;
    snprintf(path[0], sizeof path[0], "%s/weights.safetensors", scratch(a));
    snprintf(path[1], sizeof path[1], "%s/weights.safetensors", scratch(b));
    float *x = values(path[0], prefix, begin, &n), *y = values(path[1], prefix, begin, &m);
    assert_int_equal(n, m);
    const bool same = n > 0 && !memcmp(x, y, (size_t)n * sizeof *x);
    free(x), free(y);
    return same;
}

/* While the head learns alone, the trunk (running statistics apart, which the learning rate cannot change) stays as it began. */
static void the_head_learns_first(void **state) {
    (void)state;
    BalError err = {0};
    BalFitResult r;
    one_epoch("still", 0, 0, NULL);
    one_epoch("headed", 0.05, 1, NULL);
    one_epoch("whole", 0.05, 0, NULL);
    assert_true(same_values("still", "headed", "conv", true));
    assert_false(same_values("still", "headed", "fc", true));
    assert_false(same_values("still", "whole", "conv", true));
    char *log = load_text(scratch("headed/log.jsonl"));
    assert_non_null(strstr(log, "\"lr\":0.5,")); /* train.head_rate times train.lr */
    bal_free(log);
    BalRecipe recipe = toy_recipe(heard);
    recipe.train.head_epochs = 1;
    assert_fails(toy_fit(heard, "concat", &recipe, scratch("x"), &r, &err), BAL_E_ARG, "train.head_epochs is for");
}

/* Batches that are seen again move what an evaluation sees, not what is learnt. */
static void statistics_settle_before_an_evaluation(void **state) {
    (void)state;
    BalError err = {0};
    BalFitResult r;
    BalRecipe recipe = toy_recipe(heard);
    int64_t dim[2];
    recipe.train.epochs = 2;
    recipe.train.selection = 2; /* last */
    assert_ok(toy_fit(heard, "audio", &recipe, scratch("moved"), &r, &err));
    recipe.train.settle = 1000; /* more than there are: all of the epoch */
    assert_ok(toy_fit(heard, "audio", &recipe, scratch("settled"), &r, &err));
    assert_true(same_values("moved", "settled", "conv", true));
    assert_true(same_values("moved", "settled", "fc", true));
    float *a = load_npy(scratch("moved/confidence.npy"), dim), *b = load_npy(scratch("settled/confidence.npy"), dim);
    assert_memory_not_equal(a, b, (size_t)dim[1] * sizeof *a);
    bal_free(a), bal_free(b);
}

/* First weights of a unimodal network are those of its encoder's name. */
static void a_unimodal_run_begins_from_a_file(void **state) {
    (void)state;
    char init[300];
    one_epoch("first", 0.05, 0, NULL);
    snprintf(init, sizeof init, "audio=%s/weights.safetensors", scratch("first"));
    one_epoch("second", 0, 0, init);
    assert_true(same_values("first", "second", "conv", true));
    assert_true(same_values("first", "second", "fc", true));
    BalError err = {0};
    BalFitResult r;
    BalFitSpec spec = bal_fit_spec_default();
    const char *const wrong[] = {init};
    spec.method = "visual";
    spec.recipe = toy_recipe(heard);
    spec.dir = scratch("x");
    spec.init = wrong;
    spec.n_init = 1;
    assert_fails(bal_fit(heard, &spec, &r, &err), BAL_E_ARG, "no parameters under \"audio.\"");
    assert_false(bal_is_dir(spec.dir));
}

/* An encoder of patches, and of sound alone. */
static void vggish_needs_its_feature(void **state) {
    (void)state;
    BalError err = {0};
    BalFitResult f;
    BalRecipe r = toy_recipe(heard);
    snprintf(r.train.model, sizeof r.train.model, "vggish");
    assert_fails(toy_fit(heard, "audio", &r, scratch("x"), &f, &err), BAL_E_ARG, "vggsound-vggish");
    assert_fails(toy_fit(heard, "visual", &r, scratch("x"), &f, &err), BAL_E_ARG, "is for sound");
    assert_false(bal_is_dir(scratch("x")));
}

static void what_cannot_be_done_is_refused(void **state) {
    (void)state;
    BalError err = {0};
    BalRecipe r = toy_recipe(heard);
    BalFitResult f;
    assert_ok(bal_make_dirs(scratch("foreign"), &err));
    assert_ok(bal_file_write(scratch("foreign/thesis.tex"), "x", 1, &err));
    assert_fails(toy_fit(heard, "audio", &r, scratch("foreign"), &f, &err), BAL_E_EXISTS, "thesis.tex");
    assert_ok(bal_make_dirs(scratch("own"), &err)); /* a recipe that somebody wrote is no sign of a run */
    assert_ok(bal_file_write(scratch("own/recipe.yaml"), "train:\n  lr: 1\n", 15, &err));
    assert_ok(bal_file_write(scratch("own/predictions.csv"), "x", 1, &err));
    BalFitSpec spec = bal_fit_spec_default();
    spec.recipe = r;
    spec.dir = scratch("own");
    for (int force = 0; force < 2; force++) {
        spec.force = force;
        assert_fails(bal_fit(heard, &spec, &f, &err), BAL_E_EXISTS, "recipe.yaml of somebody's own");
        assert_true(bal_file_exists(scratch("own/predictions.csv")));
    }
    assert_ok(bal_fit_clear(scratch("own"), &err));
    assert_true(bal_file_exists(scratch("own/predictions.csv")));
    assert_fails(toy_fit(heard, "odio", &r, scratch("x"), &f, &err), BAL_E_ARG, "audio");
    snprintf(r.train.model, sizeof r.train.model, "resnet19");
    assert_fails(toy_fit(heard, "audio", &r, scratch("x"), &f, &err), BAL_E_ARG, "resnet18");
    r = toy_recipe(heard);
    snprintf(r.train.backend, sizeof r.train.backend, "abacus");
    assert_fails(toy_fit(heard, "audio", &r, scratch("x"), &f, &err), BAL_E_UNSUPPORTED, "abacus");
    r = toy_recipe(heard);
    r.feature.audio.hop = 16;
    assert_fails(toy_fit(heard, "audio", &r, scratch("x"), &f, &err), BAL_E_MISMATCH, "audio.hop = 16");
    r = toy_recipe(heard);
    r.input.crop_min = 0.5;
    r.input.crop_max = 0.2;
    assert_fails(toy_fit(heard, "audio", &r, scratch("x"), &f, &err), BAL_E_ARG, "input.crop_min (0.5) is larger");
    static const Toy untrained = {.n = 60, .n_val = 5};
    BalStore *s = toy_store(&untrained, scratch("untrained"));
    r = toy_recipe(s);
    assert_fails(toy_fit(s, "audio", &r, scratch("x"), &f, &err), BAL_E_ARG, "0 clips to train on");
    bal_store_close(&s);
}

/* A class whose train clips are all held out would be scored by a network that has never met it. */
static void a_fold_with_a_whole_class_is_refused(void **state) {
    (void)state;
    enum { N = 240 };
    BalError err = {0};
    BalFitResult f;
    int fold[N];
    for (int i = 0; i < N; i++)
        fold[i] = bal_store_split(heard, i) == BAL_SPLIT_TRAIN ? bal_store_label(heard, i) != 2 : -1;
    BalFitSpec spec = bal_fit_spec_default();
    spec.recipe = toy_recipe(heard);
    spec.dir = scratch("x");
    spec.fold = fold;
    spec.held_out = 0;
    spec.folds = 2;
    assert_fails(bal_fit(heard, &spec, &f, &err), BAL_E_ARG, "outside of fold 1 of 2");
    assert_non_null(strstr(err.text, "(1 of 3 classes)"));
    assert_false(bal_is_dir(spec.dir));
}

/* Known before anything is written, and by `compare` before the first of many runs. */
static void a_method_that_needs_validation_clips_says_so(void **state) {
    (void)state;
    static const Toy no_val = {.n = 60, .heard = true, .n_train = 8};
    BalError err = {0};
    BalStore *s = toy_store(&no_val, scratch("no-val"));
    BalRecipe r = toy_recipe(s);
    BalFitResult f;
    assert_fails(toy_fit(s, "relearning", &r, scratch("x"), &f, &err), BAL_E_ARG, "--val-share");
    assert_false(bal_is_dir(scratch("x")));
    bal_store_close(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sound_alone_learns_what_can_be_heard_and_picture_does_not),
        cmocka_unit_test(the_record_is_complete_and_agrees_with_itself),
        cmocka_unit_test(it_stops_when_validation_no_longer_improves),
        cmocka_unit_test(without_validation_all_epochs_count_and_it_says_so),
        cmocka_unit_test(a_last_batch_of_one_clip_trains),
        cmocka_unit_test(a_loss_that_explodes_names_step_clips_and_remedy),
        cmocka_unit_test(the_last_good_checkpoint_stays),
        cmocka_unit_test(the_best_test_epoch_is_reported_and_not_used),
        cmocka_unit_test(given_again_it_is_done_or_differs),
        cmocka_unit_test(statistics_settle_before_an_evaluation),
        cmocka_unit_test(the_head_learns_first),
        cmocka_unit_test(a_unimodal_run_begins_from_a_file),
        cmocka_unit_test(vggish_needs_its_feature),
        cmocka_unit_test(what_cannot_be_done_is_refused),
        cmocka_unit_test(a_fold_with_a_whole_class_is_refused),
        cmocka_unit_test(a_method_that_needs_validation_clips_says_so),
    };
    return cmocka_run_group_tests(tests, open_store, close_store);
}
