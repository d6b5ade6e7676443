/* Weights and state on disk: what is written is read back bit by bit; what does not fit is refused with the session untouched. */
#include "engine/net.h"
#include "base/fault.h"
#include "engine/safetensors.h"

static const BalOptimiser sgd = {.kind = BAL_SGD, .lr = 0.01, .momentum = 0.9, .weight_decay = 1e-4};
static const BalOptimiser adamw = {BAL_ADAMW, 1e-3, 0, 1e-2, 0.9, 0.999, 1e-8};

static void train(Net *n, const BalOptimiser *o, int from, int to) {
    BalError err = {0};
    for (int i = from; i < to; i++) {
        net_forward(n, 0, NET_CLIPS, BAL_MODE_TRAIN, (uint64_t)i);
        net_backward(n, 0, NET_CLIPS, 1, 0, false);
        assert_ok(bal_session_update(n->s, o, 0, i == 1 ? BAL_TAG_AUDIO : 0, &err)); /* step counts differ */
    }
}

static void read_file(const char *path, BalText *out) {
    BalError err = {0};
    assert_ok(bal_file_read(path, 0, out, &err));
}

static void assert_same_files(const char *a, const char *b) {
    BalText x = {0}, y = {0};
    read_file(a, &x), read_file(b, &y);
    assert_int_equal(x.len, y.len);
    assert_memory_equal(x.data, y.data, x.len);
    bal_text_reset(&x), bal_text_reset(&y);
}

/* Train 5 steps; or 3, save, load elsewhere, 2 more: the same file. */
static void resume(const struct BalBackendOps *b, const BalOptimiser *o) {
    BalError err = {0};
    Net whole = net_open(b, 1, 1), first = net_open(b, 1, 1), second = net_open(b, 1, 1);
    train(&whole, o, 0, 5);
    train(&first, o, 0, 3);
    assert_ok(bal_session_save_state(first.s, scratch("half"), NULL, &err));
    train(&second, &sgd, 7, 9); /* what is loaded replaces everything */
    assert_ok(bal_session_load_state(second.s, scratch("half"), &err));
    train(&second, o, 3, 5);
    assert_ok(bal_session_save_state(whole.s, scratch("whole"), NULL, &err));
    assert_ok(bal_session_save_state(second.s, scratch("resumed"), NULL, &err));
    assert_same_files(scratch("whole"), scratch("resumed"));
    net_close(&whole), net_close(&first), net_close(&second);
}

static void resumed_training_is_the_same(void **state) {
    (void)state;
    for (int b = 0; b < bal_backend_count(); b++) {
        resume(net_backend(b), &sgd);
        resume(net_backend(b), &adamw);
    }
}

/* Counts that no training reaches: refused before anything is taken over. */
static void counts_out_of_range(void **state) {
    (void)state;
    BalError err = {0};
    Net net = net_open(net_backend(0), 1, 1);
    const int64_t count = 3, spoilt[] = {-1, INT64_MAX};
    train(&net, &adamw, 0, (int)count);
    assert_ok(bal_session_save_state(net.s, scratch("counts"), NULL, &err));
    for (int k = 0; k < 2; k++) {
        BalText file = {0};
        size_t at = 0;
        read_file(scratch("counts"), &file);
        while (at + sizeof count <= file.len && memcmp(file.data + at, &count, sizeof count)) at++;
        assert_true(at + sizeof count <= file.len);
        memcpy(file.data + at, &spoilt[k], sizeof count);
        assert_ok(bal_file_write(scratch("spoilt"), file.data, file.len, &err));
        assert_fails(bal_session_load_state(net.s, scratch("spoilt"), &err), BAL_E_FORMAT, "the file is damaged");
        bal_text_reset(&file);
    }
    assert_ok(bal_session_load_state(net.s, scratch("counts"), &err));
    net_close(&net);
}

static void weights_move_between_backends(void **state) {
    (void)state;
    BalError err = {0};
    const char *meta[] = {"format", "pt", "note", "quoted \"text\"", NULL};
    for (int b = 0; b < bal_backend_count(); b++) {
        Net from = net_open(net_backend(b), 1, 1), to = net_open(net_backend(bal_backend_count() - 1 - b), 1, 1);
        train(&from, &sgd, 0, 2);
        assert_ok(bal_session_save(from.s, scratch("a"), meta, &err));
        assert_ok(bal_session_load(to.s, scratch("a"), false, &err));
        assert_ok(bal_session_save(to.s, scratch("b"), meta, &err));
        assert_same_files(scratch("a"), scratch("b"));
        net_close(&from), net_close(&to);
    }
    BalTensorFile f;
    assert_ok(bal_tensors_open(&f, scratch("a"), &err));
    assert_string_equal(bal_tensors_metadata(&f, "note"), "quoted \"text\"");
    const BalNamedTensor *t = bal_tensors_find(&f, "audio.bn1.num_batches_tracked");
    assert_non_null(t);
    assert_int_equal(t->type, BAL_T_I64);
    assert_int_equal(t->data[0], 2);
    assert_int_equal((uintptr_t)bal_tensors_find(&f, "visual.conv1.weight")->data % 4, 0);
    bal_tensors_close(&f);
}

/* Write a file of one or two tensors by hand. */
static const char *file_of(const char *header, size_t n_data) {
    BalError err = {0};
    BalText t = {0};
    const uint64_t length = strlen(header);
    for (int i = 0; i < 8; i++) bal_text_char(&t, (char)(length >> 8 * i));
    bal_text_add(&t, header);
    for (size_t i = 0; i < n_data; i++) bal_text_char(&t, (char)i);
    assert_ok(bal_file_write(scratch("hand"), t.data, t.len, &err));
    bal_text_reset(&t);
    return scratch("hand");
}

static void bad_files(void **state) {
    (void)state;
    static const struct {
        const char *header;
        size_t n;
        const char *says;
    } cases[] = {
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 7, "is the file complete"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 9, "belong to no tensor"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[0,8]}}", 8,
         "has 8 bytes, its shape and type need 12"},
        {"{\"a\":{\"dtype\":\"F31\",\"shape\":[2],\"data_offsets\":[0,8]}}", 8, "unknown type \"F31\""},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[-2],\"data_offsets\":[0,8]}}", 8, "in no size or place"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[-0],\"data_offsets\":[0,0]}}", 0, "in no size or place"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2e0],\"data_offsets\":[0,8]}}", 8, "axis 0"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[\"2\"],\"data_offsets\":[0,8]}}", 8, "axis 0"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8],\"x\":1}}", 8,
         "not dtype, shape and data_offsets"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[[2]],\"data_offsets\":[0,8]}}", 8, "nested too deeply"},
        {" {\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 8, "begin with {"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":2,\"data_offsets\":[0,8]}}", 8, "no shape"},
        {"{\"a\":{\"dtype\":\"F64\",\"shape\":[4294967296,4294967296],\"data_offsets\":[0,8]}}", 8, "too large"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[8,0]}}", 8, "data_offsets"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]},\"b\":{\"dtype\":\"U8\",\"shape\":[2],\"data_"
         "offsets\":[1,3]}}",
         3, "overlaps"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]},\"b\":{\"dtype\":\"U8\",\"shape\":[2],\"data_"
         "offsets\":[3,5]}}",
         5, "gap"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[],\"data_offsets\":[0,1]},\"a\":{\"dtype\":\"U8\",\"shape\":[],\"data_"
         "offsets\":[0,1]}}",
         1, "duplicate"},
        {"[1]", 0, "begin with {"},
        {"{\"__metadata__\":{\"a\":1}}", 0, "__metadata__"},
        {"{", 0, "line 1"},
    };
    BalError err = {0};
    BalTensorFile f;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_fails(bal_tensors_open(&f, file_of(cases[i].header, cases[i].n), &err), BAL_E_FORMAT, cases[i].says);
    assert_ok(bal_file_write(scratch("short"), "1234", 4, &err));
    assert_fails(bal_tensors_open(&f, scratch("short"), &err), BAL_E_FORMAT, "too few");
    assert_ok(bal_file_write(scratch("long"), "\xff\xff\xff\xff\xff\xff\xff\x7f{}", 10, &err));
    assert_fails(bal_tensors_open(&f, scratch("long"), &err), BAL_E_FORMAT, "header");
    assert_fails(bal_tensors_open(&f, scratch("absent"), &err), BAL_E_IO, "absent");
}

static void halves_and_doubles(void **state) {
    (void)state;
    BalError err = {0};
    BalTensorFile f;
    BalText t = {0};
    const uint16_t f16[2] = {0x3c00, 0xc000}, bf16[2] = {0x3f80, 0xc000}; /* 1, -2 */
    const double f64[2] = {1, -2};
    float out[2];
    static const char *const header = "{\"h\":{\"dtype\":\"F16\",\"shape\":[2],\"data_offsets\":[0,4]},"
                                      "\"b\":{\"dtype\":\"BF16\",\"shape\":[2],\"data_offsets\":[4,8]},"
                                      "\"d\":{\"dtype\":\"F64\",\"shape\":[2],\"data_offsets\":[8,24]}}";
    for (int i = 0; i < 8; i++) bal_text_char(&t, i ? 0 : (char)strlen(header));
    bal_text_add(&t, header);
    bal_text_add_n(&t, (const char *)f16, 4), bal_text_add_n(&t, (const char *)bf16, 4),
        bal_text_add_n(&t, (const char *)f64, 16);
    assert_ok(bal_tensors_parse(&f, t.data, t.len, "memory", &err));
    for (int i = 0; i < 3; i++) {
        const char *const name[] = {"h", "b", "d"};
        assert_ok(bal_tensor_floats(bal_tensors_find(&f, name[i]), out, &err));
        assert_true(out[0] == 1 && out[1] == -2);
    }
    bal_tensors_close(&f);
    bal_text_reset(&t);
}

static float *weights(Net *n) {
    int64_t count;
    return net_vector(n, -1, &count);
}

/* Files of another network: named, and nothing of them is taken over. */
static void foreign_weights(void **state) {
    (void)state;
    BalError err = {0};
    Net net = net_open(net_backend(0), 1, 1);
    BalGraph *g;
    BalSession *other;
    BalSessionConfig cfg = bal_session_config_default();
    cfg.backend = net_backend(0);
    assert_ok(bal_graph_create(&g, &err));
    BalVal x = bal_graph_input(g, "x", (BalShape){2, {1, 2 * NET_FEATURES}});
    bal_graph_output(g, "y", bal_graph_linear(g, "fc", x, NET_CLASSES, true, 0));
    assert_ok(bal_graph_finish(g, &err));
    assert_ok(bal_session_create(&other, g, &cfg, &err));
    assert_ok(bal_session_save(other, scratch("small"), NULL, &err));
    assert_ok(bal_session_save(net.s, scratch("full"), NULL, &err));
    float *before = weights(&net), *after;
    int64_t n;
    assert_fails(bal_session_load(net.s, scratch("small"), true, &err), BAL_E_MISMATCH,
                 "\"audio.conv1.weight\" is missing");
    assert_fails(bal_session_load(other, scratch("full"), false, &err), BAL_E_MISMATCH, "is not in the network");
    assert_ok(bal_session_load(other, scratch("full"), true, &err));
    assert_fails(bal_session_load_state(net.s, scratch("full"), &err), BAL_E_MISMATCH, "optimizer.steps");
    after = net_vector(&net, -1, &n);
    assert_memory_equal(before, after, (size_t)n * sizeof *after);
    free(before), free(after);
    bal_session_destroy(&other);
    bal_graph_destroy(&g);
    net_close(&net);
}

/* The audio branch of one network into another that has it too, from a file that knows nothing of prefixes. */
static void weights_under_a_prefix(void **state) {
    (void)state;
    BalError err = {0};
    BalGraph *g;
    BalSession *alone;
    BalSessionConfig cfg = bal_session_config_default();
    cfg.backend = net_backend(0);
    cfg.seed = 77;
    assert_ok(bal_graph_create(&g, &err));
    bal_graph_scope(g, "", BAL_TAG_AUDIO);
    BalVal x = bal_graph_input(g, "audio", (BalShape){4, {1, 1, 17, 13}});
    for (int i = 0; i < 3; i++) {
        static const char *const conv[] = {"conv1", "conv2", "conv3"}, *const bn[] = {"bn1", "bn2", "bn3"};
        x = bal_graph_bn(g, bn[i], net_conv(g, conv[i], x, NET_FEATURES, 1), 0, true);
    }
    bal_graph_output(g, "y",
                     bal_graph_linear(g, "fc", bal_graph_mean(g, x), 7, true, 0)); /* another head: passed over */
    assert_ok(bal_graph_finish(g, &err));
    assert_ok(bal_session_create(&alone, g, &cfg, &err));
    assert_ok(bal_session_save(alone, scratch("alone"), NULL, &err));
    Net net = net_open(net_backend(0), 1, 1);
    float *before = weights(&net), *after, a[NET_FEATURES * NET_FEATURES * 9], b[NET_FEATURES * NET_FEATURES * 9];
    int64_t n;
    assert_fails(bal_session_load_under(net.s, "visual.", scratch("alone"), &err), BAL_E_SHAPE, "conv1.weight");
    assert_fails(bal_session_load_under(net.s, "sound.", scratch("alone"), &err), BAL_E_ARG, "\"sound.\"");
    after = net_vector(&net, -1, &n);
    assert_memory_equal(before, after, (size_t)n * sizeof *after); /* untouched by what does not fit */
    assert_ok(bal_session_load_under(net.s, "audio.", scratch("alone"), &err));
    assert_ok(bal_session_param_get(net.s, bal_session_find_param(net.s, "audio.conv3.weight"), a, &err));
    assert_ok(bal_session_param_get(alone, bal_session_find_param(alone, "conv3.weight"), b, &err));
    assert_memory_equal(a, b, sizeof a);
    free(after);
    after = net_vector(&net, -1, &n);
    assert_memory_equal(before + n - 8, after + n - 8, 8 * sizeof *after); /* the heads stay */
    free(before), free(after);
    bal_session_destroy(&alone);
    bal_graph_destroy(&g);
    net_close(&net);
}

/* A stem and a head alone: `channels` in, `classes` out. */
static BalSession *stem_net(BalGraph **g, int channels, int classes) {
    BalError err = {0};
    BalSession *s;
    BalSessionConfig cfg = bal_session_config_default();
    cfg.backend = net_backend(0);
    cfg.seed = (uint64_t)channels;
    assert_ok(bal_graph_create(g, &err));
    BalVal x = bal_graph_input(*g, "x", (BalShape){4, {1, channels, 9, 9}});
    x = bal_graph_conv(
        *g, "conv1", x,
        (BalConvAttr){.out_ch = 4, .kernel = {1, 3, 3}, .stride = {1, 1, 1}, .pad = {0, 1, 1}, .tags = BAL_TAG_STEM});
    bal_graph_output(*g, "y", bal_graph_linear(*g, "fc", bal_graph_mean(*g, x), classes, true, BAL_TAG_FC));
    assert_ok(bal_graph_finish(*g, &err));
    assert_ok(bal_session_create(&s, *g, &cfg, &err));
    return s;
}

/* Weights of a colour network of other classes begin a grey one: its stem is the sum over colours, its head stays. */
static void colours_of_a_stem_are_added(void **state) {
    (void)state;
    BalError err = {0};
    BalGraph *g[3];
    BalSession *grey = stem_net(&g[0], 1, 5), *colour = stem_net(&g[1], 3, 7), *two = stem_net(&g[2], 2, 5);
    float w[4 * 9], c[4 * 3 * 9], head[2][5 * 4];
    assert_ok(bal_session_save(colour, scratch("colour"), NULL, &err));
    assert_ok(bal_session_param_get(grey, bal_session_find_param(grey, "fc.weight"), head[0], &err));
    assert_ok(bal_session_load_under(grey, "", scratch("colour"), &err));
    assert_ok(bal_session_param_get(grey, bal_session_find_param(grey, "fc.weight"), head[1], &err));
    assert_ok(bal_session_param_get(grey, bal_session_find_param(grey, "conv1.weight"), w, &err));
    assert_ok(bal_session_param_get(colour, bal_session_find_param(colour, "conv1.weight"), c, &err));
    assert_memory_equal(head[0], head[1], sizeof head[0]);
    for (int o = 0; o < 4; o++)
        for (int k = 0; k < 9; k++) assert_true(w[o * 9 + k] == c[o * 27 + k] + c[o * 27 + 9 + k] + c[o * 27 + 18 + k]);
    assert_fails(bal_session_load_under(two, "", scratch("colour"), &err), BAL_E_SHAPE, "conv1.weight");
    assert_fails(bal_session_load(grey, scratch("colour"), true, &err), BAL_E_SHAPE, "conv1.weight");
    for (int i = 0; i < 3; i++) {
        bal_session_destroy(i == 0 ? &grey : i == 1 ? &colour : &two);
        bal_graph_destroy(&g[i]);
    }
}

static void wrong_shape(void **state) {
    (void)state;
    BalError err = {0};
    BalGraph *g;
    BalSession *s;
    BalSessionConfig cfg = bal_session_config_default();
    cfg.backend = net_backend(0);
    assert_ok(bal_graph_create(&g, &err));
    BalVal x = bal_graph_input(g, "x", (BalShape){2, {1, 3}});
    bal_graph_output(g, "y", bal_graph_linear(g, "fc", x, 2, false, 0));
    assert_ok(bal_graph_finish(g, &err));
    assert_ok(bal_session_create(&s, g, &cfg, &err));
    const char *path = file_of("{\"fc.weight\":{\"dtype\":\"F32\",\"shape\":[3,2],\"data_offsets\":[0,24]}}", 24);
    assert_fails(bal_session_load(s, path, false, &err), BAL_E_SHAPE,
                 "\"fc.weight\" is [3,2], the network needs [2,3]");
    path = file_of("{\"fc.weight\":{\"dtype\":\"I64\",\"shape\":[2,3],\"data_offsets\":[0,48]}}", 48);
    assert_fails(bal_session_load(s, path, false, &err), BAL_E_FORMAT, "of type I64");
    bal_session_destroy(&s);
    bal_graph_destroy(&g);
}

/* Everything that a session does, with each allocation failing once: a failure with a message, no leak (address sanitizer). */
static BalStatus whole_life(void *user, BalError *err) {
    const BalSessionConfig *cfg = user;
    BalGraph *g = NULL;
    BalSession *s = NULL;
    float x[4] = {1, 2, 3, 4}, dy[2] = {1, -1}, *snapshot = NULL;
    BalStatus rc = bal_graph_create(&g, err);
    if (rc < 0) return rc;
    BalVal v = bal_graph_input(g, "x", (BalShape){4, {1, 1, 2, 2}});
    v = bal_graph_bn(g, "bn", net_conv(g, "conv", v, 2, 1), 0, true);
    bal_graph_output(g, "y", bal_graph_linear(g, "fc", bal_graph_scale(g, "keep", bal_graph_mean(g, v)), 2, true, 0));
    BAL_TRY_OR(done, bal_graph_finish(g, err));
    BAL_TRY_OR(done, bal_session_create(&s, g, cfg, err));
    BAL_TRY_OR(done, bal_session_set(s, 0, "x", x, 1, err));
    BAL_TRY_OR(done, bal_session_forward(s, 0, 1, BAL_MODE_FROZEN, err));
    BAL_TRY_OR(done, bal_session_seed(s, 0, "y", dy, err));
    BAL_TRY_OR(done, bal_session_backward(s, 0, 0, false, err));
    BAL_TRY_OR(done, bal_session_update(s, &adamw, 0, 0, err));
    BAL_TRY_OR(done, bal_session_snapshot(s, &snapshot, err));
    bal_session_release(s, &snapshot);
    BAL_TRY_OR(done, bal_session_snapshot_state(s, &snapshot, err));
    BAL_TRY_OR(done, bal_session_save_state(s, scratch("fault"), NULL, err));
    BAL_TRY_OR(done, bal_session_load_state(s, scratch("fault"), err));
done:
    if (snapshot) bal_session_release(s, &snapshot);
    bal_session_destroy(&s);
    bal_graph_destroy(&g);
    return rc;
}

static void failing_allocations(void **state) {
    (void)state;
    for (int b = 0; b < bal_backend_count(); b++) {
        BalSessionConfig cfg = bal_session_config_default();
        cfg.backend = net_backend(b);
        cfg.batch = 2;
        assert_true(fault_each_allocation(whole_life, &cfg) > 20);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(resumed_training_is_the_same),
        cmocka_unit_test(counts_out_of_range),
        cmocka_unit_test(weights_move_between_backends),
        cmocka_unit_test(bad_files),
        cmocka_unit_test(halves_and_doubles),
        cmocka_unit_test(foreign_weights),
        cmocka_unit_test(weights_under_a_prefix),
        cmocka_unit_test(colours_of_a_stem_are_added),
        cmocka_unit_test(wrong_shape),
        cmocka_unit_test(failing_allocations),
    };
    return cmocka_run_group_tests(tests, scratch_open, scratch_close);
}
