/* What a method may ask of its trainer, tried by one that asks for everything: held-out clips, nested training that leaves no trace,
 * passes, a list of samples with masks and repetition, metrics, state of its own; and the same bytes after every stop. */
#include <math.h>
#include <avbalance/method.h>
#include <avbalance/models.h>
#include "base/mem.h"
#include "engine/safetensors.h"
#include "train/toy.h"

static BalStore *store;
static bool with_probe = true; /* nested training happens, or does not */

static int open_store(void **state) {
    return toy_open(state, &(Toy){.n = 120, .heard = true, .seen = true, .n_train = 6, .n_val = 2}, &store);
}
static int close_store(void **state) {
    return toy_close(state, &store);
}

typedef struct Curious {
    int64_t steps; /* saved and loaded */
    double sum;    /* of the losses of a pass */
    int64_t seen;
} Curious;

extern const BalMethodOps curious;

static BalStatus build(void *self, const BalNetSpec *net, BalGraph *g, BalMethodNeeds *needs, BalError *err) {
    (void)self, (void)needs, (void)err;
    bal_graph_scope(g, "visual.", BAL_TAG_VISUAL);
    BalVal f = bal_model_encode(net->encoder, g, bal_graph_input(g, "visual", net->visual));
    bal_graph_output(g, "logits",
                     bal_graph_linear(g, "fc", bal_graph_scale(g, "visual.keep", f), net->n_classes, true, 0));
    return BAL_OK;
}

static BalStatus plain_loss(void *self, BalMethodCtx *c, BalError *err) {
    (void)self;
    return bal_method_loss(&curious, c, err);
}

static BalStatus measure(void *self, BalMethodCtx *c, BalError *err) {
    Curious *m = self;
    BAL_TRY(bal_method_forward(&curious, c, 0, BAL_MODE_EVAL, err));
    BAL_TRY(bal_session_get(c->session, 0, "logits", c->z, err));
    m->sum += bal_softmax_ce(c->z, c->batch.label, c->batch.n, c->n_classes, 1, NULL, NULL) * c->batch.n;
    m->seen += c->batch.n;
    return BAL_OK;
}

/* Train on a copy without the held-out clips and see how well those are then known. */
static BalStatus probe(Curious *m, BalMethodCtx *c, const BalSample *part[2], const int64_t n[2], BalError *err) {
    float *before = NULL;
    const BalMethodPass held = {.sample = part[1], .n = n[1]};
    BAL_TRY(bal_session_snapshot_state(c->session, &before, err));
    m->sum = 0, m->seen = 0;
    BalStatus rc = bal_session_optimiser_reset(c->session, 0, err);
    for (uint32_t e = 0; e < 2 && rc == BAL_OK; e++)
        rc = bal_method_train(c, part[0], n[0], c->epoch + e, plain_loss, m, 0, err);
    if (rc == BAL_OK) rc = bal_method_pass(c, &held, measure, m, err);
    if (rc == BAL_OK) rc = bal_session_restore_state(c->session, before, err);
    bal_session_release(c->session, &before);
    if (rc == BAL_OK) assert_int_equal(m->seen, n[1]);
    return rc == BAL_OK ? bal_method_log(c, "held_loss", m->sum / (double)m->seen, err) : rc;
}

/* Everything once; of clips with an odd index a second time with nothing to be seen. */
static BalStatus choose(BalMethodCtx *c, const BalSample *train, int64_t n, BalError *err) {
    BalSample list[256];
    int64_t n_list = 0;
    for (int64_t i = 0; i < n; i++) {
        list[n_list++] = train[i];
        if (i % 2) list[n_list++] = (BalSample){train[i].clip, BAL_TAG_AUDIO};
    }
    assert_int_equal(n_list % 16, 12); /* epochs are longer now, and end in a batch of another size */
    return bal_method_sample(c, list, n_list, err);
}

static BalStatus epoch_begin(void *self, BalMethodCtx *c, BalError *err) {
    const BalSample *train, *part[2];
    BalSample split[2][256];
    unsigned char held[256];
    int64_t n, count[2] = {0, 0};
    BAL_TRY(bal_method_clips(c, BAL_PART_TRAIN, &train, &n, err));
    BAL_TRY(bal_method_hold_out(c, 0.25, held, err));
    for (int64_t i = 0; i < n; i++) split[held[i]][count[held[i]]++] = train[i];
    part[0] = split[0], part[1] = split[1];
    if (with_probe) BAL_TRY(probe(self, c, part, count, err));
    return c->epoch ? BAL_OK : choose(c, train, n, err);
}

static BalStatus loss(void *self, BalMethodCtx *c, BalError *err) {
    Curious *m = self;
    assert_non_null(c->batch.keep);
    int masked = 0;
    for (int i = 0; i < c->batch.n; i++) masked += c->batch.keep[i] == BAL_TAG_AUDIO;
    m->steps++;
    BAL_TRY(bal_method_log(c, "masked", (double)masked / c->batch.n, err));
    BAL_TRY(bal_method_log(c, "steps", (double)m->steps, err));
    return bal_method_loss(&curious, c, err);
}

static BalStatus save(void *self, BalMethodCtx *c, struct BalWriter *w, BalError *err) {
    (void)c;
    return bal_method_put(w, self, sizeof(Curious), err);
}

static BalStatus load(void *self, BalMethodCtx *c, const struct BalMap *saved, BalError *err) {
    size_t at = 0;
    BalError mine = {0};
    char more;
    (void)c;
    BAL_TRY(bal_method_take(saved, &at, self, sizeof(Curious), err));
    assert_int_equal(bal_method_take(saved, &at, &more, 1, &mine), BAL_E_FORMAT);
    return BAL_OK;
}

const BalMethodOps curious = {.name = "curious",
                              .summary = "asks for everything",
                              .paper = "none",
                              .cost = {1, 1, "a probe per epoch"},
                              .inputs = BAL_TAG_VISUAL,
                              .state_size = sizeof(Curious),
                              .build = build,
                              .epoch_begin = epoch_begin,
                              .loss = loss,
                              .save = save,
                              .load = load};

static BalStatus fit(const BalMethodOps *ops, const char *dir, BalProgressSink progress, BalError *err) {
    BalFitSpec spec = bal_fit_spec_default();
    BalFitResult f;
    spec.ops = ops;
    spec.recipe = toy_recipe(store);
    spec.recipe.train.epochs = 3;
    spec.dir = dir;
    spec.checkpoint_s = progress.fn ? 0 : 1e9;
    spec.progress = progress;
    return bal_fit(store, &spec, &f, err);
}

static void lists_masks_and_metrics_arrive(void **state) {
    (void)state;
    BalError err = {0};
    assert_ok(fit(&curious, scratch("whole"), (BalProgressSink){0}, &err));
    char *log = load_text(scratch("whole/log.jsonl"));
    for (int e = 0; e < 3; e++) {
        assert_true(logged(log, e, "held_loss") > 0);
        assert_true(fabs(logged(log, e, "masked") - 1. / 3) < 0.05);     /* mean over batches, the last is smaller */
        assert_true(fabs(logged(log, e, "steps") - (7 * e + 4)) < 1e-9); /* 108 samples in 7 steps */
    }
    bal_free(log);
    char *json = load_text(scratch("whole/run.json"));
    assert_non_null(strstr(json, "\"method\": \"curious\""));
    bal_free(json);
}

static void nested_training_leaves_no_trace(void **state) {
    (void)state;
    BalError err = {0};
    if (!bal_is_dir(scratch("whole"))) assert_ok(fit(&curious, scratch("whole"), (BalProgressSink){0}, &err));
    with_probe = false;
    assert_ok(fit(&curious, scratch("plain"), (BalProgressSink){0}, &err));
    with_probe = true;
    char *a = load_text(scratch("whole/predictions.csv")), *b = load_text(scratch("plain/predictions.csv"));
    assert_string_equal(a, b);
    bal_free(a), bal_free(b);
}

typedef struct Stopper {
    int left;
} Stopper;
static bool stop_after(void *user, const BalProgress *p) {
    (void)p;
    return --((Stopper *)user)->left > 0;
}

/* At every place where it asks: in nested training, in passes, in epochs, in evaluations. */
static void stopped_anywhere_it_ends_with_the_same_bytes(void **state) {
    (void)state;
    BalError err = {0};
    if (!bal_is_dir(scratch("whole"))) assert_ok(fit(&curious, scratch("whole"), (BalProgressSink){0}, &err));
    int stops = 0;
    for (;; stops++) {
        Stopper s = {1 + stops}; /* ever later: a stop between epochs goes back to their end */
        BalStatus rc = fit(&curious, scratch("stopped"), (BalProgressSink){stop_after, &s}, &err);
        if (rc == BAL_OK) break;
        if (rc != BAL_E_CANCELLED) fail_msg("%s", err.text);
        assert_true(stops < 200);
    }
    assert_true(stops > 8);
    assert_same_folder(scratch("whole"), scratch("stopped"));
}

static void flip(const char *path) {
    FILE *f = fopen(path, "r+b");
    assert_non_null(f);
    assert_int_equal(fseek(f, -3, SEEK_END), 0);
    int was = fgetc(f);
    assert_int_equal(fseek(f, -3, SEEK_END), 0);
    assert_int_equal(fputc(was ^ 1, f), was ^ 1);
    assert_int_equal(fclose(f), 0);
}

/* One bit of any part of it: the part is named; with the bit turned back, the run goes on to the same bytes. */
static void a_damaged_checkpoint_is_refused_whichever_part_it_is(void **state) {
    (void)state;
    static const char *const part[] = {"state.safetensors", "method.bin", "samples.npy"};
    BalError err = {0};
    Stopper s = {40};
    if (!bal_is_dir(scratch("whole"))) assert_ok(fit(&curious, scratch("whole"), (BalProgressSink){0}, &err));
    const char *dir = scratch("damaged");
    assert_int_equal(fit(&curious, dir, (BalProgressSink){stop_after, &s}, &err), BAL_E_CANCELLED);
    char **names = NULL, path[512];
    int n = 0;
    assert_ok(bal_list_dir(scratch("damaged/checkpoint"), &names, &n, &err));
    assert_int_equal(n, 1);
    for (size_t i = 0; i < sizeof part / sizeof *part; i++) {
        snprintf(path, sizeof path, "%s/checkpoint/%s/%s", dir, names[0], part[i]);
        flip(path);
        assert_fails(fit(&curious, dir, (BalProgressSink){0}, &err), BAL_E_FORMAT, part[i]);
        flip(path);
    }
    bal_names_free(names, n);
    assert_ok(fit(&curious, dir, (BalProgressSink){0}, &err));
    assert_same_folder(scratch("whole"), dir);
}

static BalStatus check_held(void *self, BalMethodCtx *c, BalError *err) {
    const BalSample *train;
    unsigned char held[256], again[256];
    int64_t n, n_held = 0;
    (void)self;
    BAL_TRY(bal_method_clips(c, BAL_PART_TRAIN, &train, &n, err));
    assert_int_equal(n, 72);
    BAL_TRY(bal_method_hold_out(c, 0.25, held, err));
    BAL_TRY(bal_method_hold_out(c, 0.25, again, err));
    assert_memory_equal(held, again, (size_t)n);
    int per_class[3] = {0};
    for (int64_t i = 0; i < n; i++) {
        n_held += held[i];
        per_class[bal_store_label(store, train[i].clip)] += held[i];
        for (int64_t k = 0; k < i; k++) /* sources stay together */
            if (!strcmp(bal_store_source(store, train[i].clip), bal_store_source(store, train[k].clip)))
                assert_int_equal(held[i], held[k]);
    }
    assert_int_equal(n_held, 18);
    for (int k = 0; k < 3; k++) assert_int_equal(per_class[k], 6);
    assert_int_equal(bal_method_clips(c, BAL_PART_VAL, &train, &n, err), BAL_OK);
    assert_int_equal(n, 24);
    BalError mine = {0};
    assert_int_equal(bal_method_hold_out(c, 1, held, &mine), BAL_E_ARG);
    assert_int_equal(bal_method_sample(c, train, 1, &mine), BAL_E_ARG);
    const BalSample nowhere[2] = {{0, 3}, {120, 3}};
    assert_int_equal(bal_method_sample(c, nowhere, 2, &mine), BAL_E_ARG);
    return bal_method_log(c, "checked", 1, err);
}

static BalStatus early_pass(void *self, BalMethodCtx *c, BalError *err) {
    const BalSample *train;
    int64_t n;
    (void)self;
    return bal_method_clips(c, BAL_PART_TRAIN, &train, &n, err);
}

static BalStatus keep_late(void *self, BalMethodCtx *c, BalError *err) {
    (void)self;
    return bal_method_keep(c, err);
}

static void held_out_clips_are_whole_sources_in_proportion(void **state) {
    (void)state;
    BalError err = {0};
    BalMethodOps m = curious;
    m.epoch_begin = check_held;
    m.loss = NULL;
    assert_ok(fit(&m, scratch("held"), (BalProgressSink){0}, &err));
    m.epoch_end = keep_late;
    assert_fails(fit(&m, scratch("late"), (BalProgressSink){0}, &err), BAL_E_ARG, "are for epoch_begin");
    m.epoch_end = NULL;
    m.plan = early_pass;
    assert_fails(fit(&m, scratch("early"), (BalProgressSink){0}, &err), BAL_E_ARG, "epoch_begin and epoch_end only");
}

/* The run of an encoder begins where the file ends; the file's bytes are part of what the run is. */
static BalStatus full_batches(void *self, BalMethodCtx *c, BalError *err) {
    (void)self;
    assert_int_equal(c->batch.n, 16);
    assert_int_equal(c->n_steps, 4);
    return bal_method_loss(&curious, c, err);
}

static void what_fills_no_batch_can_be_left_out(void **state) {
    (void)state;
    BalError err = {0};
    BalFitResult f;
    const BalMethodOps ops = {
        .name = "full", .inputs = BAL_TAG_VISUAL, .state_size = sizeof(Curious), .build = build, .loss = full_batches};
    BalFitSpec spec = bal_fit_spec_default();
    spec.ops = &ops;
    spec.recipe = toy_recipe(store);
    spec.recipe.train.drop_last = true;
    spec.dir = scratch("full");
    assert_ok(bal_fit(store, &spec, &f, &err));
    assert_int_equal(f.n_train, 72); /* 4 batches of 16 and 8 clips */
    spec.recipe.train.batch = 100;
    spec.dir = scratch("none");
    assert_fails(bal_fit(store, &spec, &f, &err), BAL_E_ARG, "72 clips make no batch of 100");
}

static void first_weights_come_from_a_file(void **state) {
    (void)state;
    BalError err = {0};
    BalRecipe r = toy_recipe(store);
    BalFitResult f;
    r.train.epochs = 1;
    assert_ok(toy_fit(store, "visual", &r, scratch("visual"), &f, &err));
    char init[512], wrong[512];
    snprintf(init, sizeof init, "visual=%s", scratch("visual/weights.safetensors"));
    const char *const list[] = {init}, *const bad[] = {"visual"}, *const other[] = {wrong};
    BalMethodOps m = curious;
    m.epoch_begin = NULL;
    m.loss = NULL;
    BalFitSpec spec = bal_fit_spec_default();
    spec.ops = &m;
    spec.recipe = r;
    spec.recipe.train.lr = 0; /* what it ends with is what it began with */
    spec.dir = scratch("init");
    spec.init = list;
    spec.n_init = 1;
    assert_ok(bal_fit(store, &spec, &f, &err));
    BalTensorFile from, to;
    assert_ok(bal_tensors_open(&from, scratch("visual/weights.safetensors"), &err));
    assert_ok(bal_tensors_open(&to, scratch("init/weights.safetensors"), &err));
    const BalNamedTensor *a = bal_tensors_find(&from, "conv1.weight"),
                         *b = bal_tensors_find(&to, "visual.conv1.weight");
    assert_int_equal(a->bytes, b->bytes);
    assert_memory_equal(a->data, b->data, a->bytes);
    bal_tensors_close(&from);
    bal_tensors_close(&to);
    char *yaml = load_text(scratch("init/recipe.yaml"));
    assert_non_null(strstr(yaml, "# first weights of visual: "));
    bal_free(yaml);
    spec.n_init = 0;
    assert_fails(bal_fit(store, &spec, &f, &err), BAL_E_MISMATCH, "first weights of visual");
    spec.n_init = 1;
    spec.init = bad;
    spec.dir = scratch("init2");
    assert_fails(bal_fit(store, &spec, &f, &err), BAL_E_ARG, "ENCODER=FILE");
    snprintf(wrong, sizeof wrong, "sound=%s", scratch("visual/weights.safetensors"));
    spec.init = other;
    assert_fails(bal_fit(store, &spec, &f, &err), BAL_E_ARG, "no parameters under \"sound.\"");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists_masks_and_metrics_arrive),
        cmocka_unit_test(nested_training_leaves_no_trace),
        cmocka_unit_test(stopped_anywhere_it_ends_with_the_same_bytes),
        cmocka_unit_test(a_damaged_checkpoint_is_refused_whichever_part_it_is),
        cmocka_unit_test(held_out_clips_are_whole_sources_in_proportion),
        cmocka_unit_test(what_fills_no_batch_can_be_left_out),
        cmocka_unit_test(first_weights_come_from_a_file),
    };
    return cmocka_run_group_tests(tests, open_store, close_store);
}
