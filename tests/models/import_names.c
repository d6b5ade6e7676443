/* Networks whose names are known: names and shapes of each scheme, beside the graphs they are for, and files that do not fit. */
#include <avbalance/models.h>
#include <math.h>
#include <unistd.h>
#include "base/fault.h"
#include "base/hash.h"
#include "engine/graph.h"
#include "models/import_values.h"

static const BalNetwork *network(const char *name) {
    for (int i = 0; i < bal_import_n_networks; i++)
        if (!strcmp(bal_import_networks[i].name, name)) return &bal_import_networks[i];
    fail_msg("there is no network %s", name);
    return NULL;
}

static BalWants wants_of(const char *name, int scheme) {
    BalError err = {0};
    BalWants w = {0};
    const BalNetwork *n = network(name);
    assert_ok(n->list(&w, n->variant, scheme, &err));
    return w;
}

static int by_source(const void *a, const void *b) {
    return strcmp(((const BalWant *)a)->source, ((const BalWant *)b)->source);
}

/* SHA-256 of lines "name 64x3x7x7", sorted, as the specification has them; parameters in all floats */
static void check_listing(const char *name, int scheme, int n, int64_t n_floats, const char *sha256) {
    BalWants w = wants_of(name, scheme);
    BalText t = {0};
    int64_t floats = 0;
    char hex[65];
    qsort(w.want, (size_t)w.n, sizeof *w.want, by_source);
    for (int i = 0; i < w.n; i++) {
        int64_t count = 1;
        bal_text_f(&t, "%s ", w.want[i].source);
        for (int k = 0; k < w.want[i].rank; k++) {
            bal_text_f(&t, k ? "x%lld" : "%lld", (long long)w.want[i].dim[k]);
            count *= w.want[i].dim[k];
        }
        bal_text_char(&t, '\n');
        if (!w.want[i].optional) floats += count;
    }
    bal_sha256_text(t.data, t.len, hex);
    assert_int_equal(w.n, n);
    assert_int_equal(floats, n_floats);
    if (sha256) assert_string_equal(hex, sha256);
    bal_text_reset(&t);
    bal_free(w.want);
}

static void listings(void **state) {
    (void)state;
    enum { RUNNING = 60688 };
    check_listing("slowfast-8x8", 0, 662, 34566488 + RUNNING,
                  "7617397fb4cfa2bfad96794b34991e208a43912e090cd626cc3ec609afce1bdd");
    check_listing("slowfast-4x16", 0, 662, 34480216 + RUNNING,
                  "411152b84cc97c69612b7ccdafb8db9dff5da565905bc5b73346b066cc3a1de1");
    check_listing("slowfast-8x8", 1, 662, 34566488 + RUNNING,
                  "495f9f15fd520ca7692d96cad2a19904352b6a9382972cf50937431bd8e1996f");
    check_listing("slowfast-8x8", 2, 552, 34566488 + RUNNING, NULL);
    check_listing("vggish", 0, 18, 72141184, NULL);
    check_listing("vggish", 1, 18, 72141184, NULL);
    check_listing("resnet18-vggsound", 0, 122, 11689512 + 9600 - 64 * 2 * 49 - 691 * 513, NULL);
}

/* Every tensor of the graph is wanted in its shape, and apart from counters and `more` others nothing else. */
static void expect_graph(BalGraph *g, const char *name, int more) {
    BalError err = {0};
    BalWants w = wants_of(name, 0);
    int found = 0, wanted = 0;
    assert_ok(bal_graph_finish(g, &err));
    for (int i = 0; i < w.n; i++) wanted += !w.want[i].optional;
    for (int p = 0; p < g->n_params; p++) {
        const BalParam *have = &g->param[p].is;
        for (int i = 0; i < w.n; i++) {
            if (strcmp(w.want[i].name, have->name) != 0) continue;
            assert_int_equal(w.want[i].rank, have->shape.rank);
            assert_memory_equal(w.want[i].dim, have->shape.dim, sizeof(int64_t) * (size_t)have->shape.rank);
            found++;
        }
    }
    assert_int_equal(found, g->n_params);
    assert_int_equal(wanted, found + more);
    bal_free(w.want);
    bal_graph_destroy(&g);
}

static BalGraph *new_graph(void) {
    BalError err = {0};
    BalGraph *g = NULL;
    assert_ok(bal_graph_create(&g, &err));
    return g;
}

static void graphs_agree(void **state) {
    (void)state;
    BalError err = {0};
    BalGraph *g = new_graph();
    BalSlowfast net = bal_slowfast_8x8(400, 224);
    bal_slowfast(g, &net);
    expect_graph(g, "slowfast-8x8", 0);
    g = new_graph();
    net = bal_slowfast_4x16(400, 224);
    bal_slowfast(g, &net);
    expect_graph(g, "slowfast-4x16", 0);
    g = new_graph();
    const BalVggish vggish = bal_vggish_default();
    bal_graph_output(g, "y", bal_vggish(g, &vggish, bal_graph_input(g, "x", (BalShape){4, {1, 1, 96, 64}})));
    expect_graph(g, "vggish", 0);
    const BalModelOps *resnet = NULL;
    assert_ok(bal_model_find(&resnet, "resnet18", &err));
    g = new_graph();
    bal_graph_output(g, "y", bal_model_encode(resnet, g, bal_graph_input(g, "x", (BalShape){4, {1, 3, 64, 64}})));
    expect_graph(g, "resnet18", 2); /* the linear layer */
}

/* Caffe2's names for ours, from the public converter. */
static void caffe2_names(void **state) {
    (void)state;
    static const char *const pair[][2] = {
        {"conv1_w", "s1.pathway0_stem.conv.weight"},
        {"res_conv1_bn_riv", "s1.pathway0_stem.bn.running_var"},
        {"t_conv1_w", "s1.pathway1_stem.conv.weight"},
        {"t_res_conv1_bn_s", "s1.pathway1_stem.bn.weight"},
        {"t_pool1_subsample_w", "s1_fuse.conv_f2s.weight"},
        {"t_pool1_subsample_bn_rm", "s1_fuse.bn.running_mean"},
        {"t_res4_5_branch2c_bn_subsample_bn_b", "s4_fuse.bn.bias"},
        {"t_res3_3_branch2c_bn_subsample_w", "s3_fuse.conv_f2s.weight"},
        {"res2_0_branch1_w", "s2.pathway0_res0.branch1.weight"},
        {"res2_0_branch1_bn_s", "s2.pathway0_res0.branch1_bn.weight"},
        {"res4_5_branch2b_w", "s4.pathway0_res5.branch2.b.weight"},
        {"t_res5_2_branch2c_bn_rm", "s5.pathway1_res2.branch2.c_bn.running_mean"},
        {"pred_w", "head.projection.weight"},
    };
    BalWants w = wants_of("slowfast-8x8", 2);
    for (size_t k = 0; k < sizeof pair / sizeof *pair; k++) {
        int found = 0;
        for (int i = 0; i < w.n; i++)
            if (!strcmp(w.want[i].source, pair[k][0])) {
                assert_string_equal(w.want[i].name, pair[k][1]);
                found++;
            }
        assert_int_equal(found, 1);
    }
    bal_free(w.want);
}

/* ---- whole networks, whose values are holes in a file ---- */
typedef struct Sparse {
    BalNamedTensor t[700];
    char name[700][128];
    int n;
} Sparse;

static Sparse *sparse_of(const char *name, int scheme, const char *prefix, bool counters) {
    BalWants w = wants_of(name, scheme);
    Sparse *s = calloc(1, sizeof *s);
    for (int i = 0; i < w.n; i++) {
        if (w.want[i].optional && !counters) continue;
        BalNamedTensor *t = &s->t[s->n];
        snprintf(s->name[s->n], sizeof s->name[0], "%s%s", prefix, w.want[i].source);
        *t = (BalNamedTensor){.name = s->name[s->n++], .rank = w.want[i].rank};
        t->type = w.want[i].optional ? BAL_T_I64 : BAL_T_F32;
        for (int k = 0; k < t->rank; k++) t->dim[w.want[i].axis[k]] = w.want[i].dim[k] < 0 ? 7 : w.want[i].dim[k];
    }
    bal_free(w.want);
    return s;
}

static BalNamedTensor *tensor(Sparse *s, const char *name) {
    for (int i = 0; i < s->n; i++)
        if (!strcmp(s->name[i], name)) return &s->t[i];
    fail_msg("there is no tensor %s", name);
    return NULL;
}

/* Where in the file the values of each tensor begin: at[i], and at[n] is its end. Written by hand: nobody waits for the disk. */
static const char *sparse_write(const Sparse *s, int64_t at[]) {
    BalText t = {0};
    FILE *f = fopen(scratch("sparse"), "wb");
    assert_non_null(f);
    at[0] = 0;
    for (int i = 0; i < s->n; i++) {
        at[i + 1] = at[i] + bal_tensor_count(&s->t[i]) * (int64_t)bal_tensor_item(s->t[i].type);
        bal_text_f(&t, "%c\"%s\":{\"dtype\":\"%s\",\"shape\":[", i ? ',' : '{', s->name[i],
                   bal_tensor_type_name(s->t[i].type));
        for (int k = 0; k < s->t[i].rank; k++) bal_text_f(&t, k ? ",%lld" : "%lld", (long long)s->t[i].dim[k]);
        bal_text_f(&t, "],\"data_offsets\":[%lld,%lld]}", (long long)at[i], (long long)at[i + 1]);
    }
    bal_text_char(&t, '}');
    const uint64_t length = t.len;
    assert_int_equal(fwrite(&length, 8, 1, f) + fwrite(t.data, 1, t.len, f), 1 + t.len);
    fclose(f);
    for (int i = 0; i <= s->n; i++) at[i] += 8 + (int64_t)t.len;
    assert_int_equal(truncate(scratch("sparse"), at[s->n]), 0);
    bal_text_reset(&t);
    return scratch("sparse");
}

static void poke(int64_t at, float v) {
    FILE *f = fopen(scratch("sparse"), "r+b");
    assert_non_null(f);
    assert_int_equal(fseek(f, (long)at, SEEK_SET), 0);
    assert_int_equal(fwrite(&v, sizeof v, 1, f), 1);
    fclose(f);
}

static void expect_network(const char *name, int scheme, const char *prefix, bool counters, const char *first) {
    BalError err = {0};
    BalImport *w = NULL;
    int64_t at[701];
    Sparse *s = sparse_of(name, scheme, prefix, counters);
    assert_ok(bal_import_open(&w, sparse_write(s, at), &err));
    assert_ok(bal_import_match(w, NULL, &err));
    assert_string_equal(bal_import_network(w), name);
    assert_string_equal(bal_import_scheme(w), network(name)->scheme[scheme]);
    assert_int_equal(bal_import_count(w), s->n);
    assert_string_equal(bal_import_tensor(w, 0).name, first);
    assert_int_equal(bal_import_problems(w), 0);
    assert_fails(bal_import_match(w, NULL, &err), BAL_E_ARG, "already");
    bal_import_close(&w);
    free(s);
}

static void networks_are_known(void **state) {
    (void)state;
    expect_network("slowfast-8x8", 1, "model.", true, "head.projection.bias");
    expect_network("vggish-head", 0, "module.model.", false, "embeddings.0.bias");
    expect_network("resnet18", 0, "", false, "bn1.bias");
    expect_network("resnet18-vggsound", 0, "module.", true, "bn1.bias");
}

/* Problems of a ResNet-18 that one thing is wrong with. */
static void expect_problem(Sparse *s, const char *as, BalStatus code, const char *says, int n, const char *first) {
    BalError err = {0};
    BalImport *w = NULL;
    int64_t at[701];
    assert_ok(bal_import_open(&w, sparse_write(s, at), &err));
    assert_fails(bal_import_match(w, as, &err), code, says);
    assert_int_equal(bal_import_problems(w), n);
    if (n) assert_string_equal(bal_import_problem(w, 0), first);
    assert_null(bal_import_network(w));
    bal_import_close(&w);
    free(s);
}

static void misfits(void **state) {
    (void)state;
    Sparse *s = sparse_of("resnet18", 0, "", true);
    strcpy(s->name[0], "conv0.weight");
    expect_problem(s, "resnet18", BAL_E_FORMAT, "1 tensors missing, 1 unknown, 0 different", 2,
                   "unknown: conv0.weight [64,3,7,7]");
    s = sparse_of("resnet18", 0, "", true);
    s->n--; /* fc.bias */
    expect_problem(s, NULL, BAL_E_FORMAT, "nearest is resnet18", 1, "missing: fc.bias [classes]");
    s = sparse_of("resnet18", 0, "", true);
    tensor(s, "bn1.weight")->dim[0] = 65;
    expect_problem(s, "resnet18", BAL_E_FORMAT, "1 different", 1,
                   "different: bn1.weight is F32 [65] instead of floats [64]");
    s = sparse_of("resnet18", 0, "", true);
    tensor(s, "fc.bias")->dim[0] = 8; /* fc.weight has 7 */
    expect_problem(s, "resnet18", BAL_E_FORMAT, "1 different", 1,
                   "different: fc.weight is F32 [7,512] instead of floats [classes,512]");
    s = sparse_of("resnet18", 0, "", true);
    tensor(s, "fc.bias")->dim[0] = tensor(s, "fc.weight")->dim[0] = 0;
    expect_problem(s, "resnet18", BAL_E_FORMAT, "2 different", 2,
                   "different: fc.bias is F32 [0] instead of floats [classes]");
    s = sparse_of("resnet18", 0, "", true);
    tensor(s, "bn1.weight")->type = BAL_T_I32;
    expect_problem(s, "resnet18", BAL_E_FORMAT, "1 different", 1,
                   "different: bn1.weight is I32 [64] instead of floats [64]");
    s = sparse_of("resnet18", 0, "", true);
    tensor(s, "bn1.num_batches_tracked")->type = BAL_T_F32;
    expect_problem(s, "resnet18", BAL_E_FORMAT, "1 different", 1,
                   "different: bn1.num_batches_tracked is F32 [] instead of I64 []");
    s = sparse_of("resnet18", 0, "", false);
    strcpy(s->name[s->n], "extra");
    s->t[s->n] = (BalNamedTensor){.name = s->name[s->n], .type = BAL_T_F32}, s->n++;
    expect_problem(s, NULL, BAL_E_FORMAT, "nearest is resnet18", 1, "unknown: extra []");
    s = sparse_of("resnet18", 0, "", true);
    s->n = 3;
    expect_problem(s, NULL, BAL_E_FORMAT, "those of no known network", 0, NULL);
    s = sparse_of("resnet18", 0, "", true);
    expect_problem(s, "resnet81", BAL_E_ARG, "did you mean \"resnet18\"?", 0, NULL);
}

/* Caffe2 leaves out axes of length 1 at the end, and its trainer leaves its own blobs. */
static void caffe2_files(void **state) {
    (void)state;
    BalError err = {0};
    BalImport *w = NULL;
    int64_t at[701];
    Sparse *s = sparse_of("slowfast-4x16", 2, "", false);
    tensor(s, "res2_0_branch1_w")->rank = 2;
    const char *const extra[] = {"conv1_w_momentum", "lr", "model_iter"};
    for (int i = 0; i < 3; i++, s->n++) {
        strcpy(s->name[s->n], extra[i]);
        s->t[s->n] = (BalNamedTensor){.name = s->name[s->n], .type = BAL_T_F32, .rank = 1, .dim = {1}};
    }
    assert_ok(bal_import_open(&w, sparse_write(s, at), &err));
    assert_ok(bal_import_match(w, NULL, &err));
    assert_string_equal(bal_import_network(w), "slowfast-4x16");
    assert_int_equal(bal_import_count(w), 552);
    assert_int_equal(bal_import_ignored(w), 3);
    for (int i = 0; i < w->n; i++)
        if (!strcmp(w->tensor[i].name, "s2.pathway0_res0.branch1.weight"))
            assert_true(w->tensor[i].rank == 5 && w->tensor[i].dim[1] == 80 && w->tensor[i].dim[4] == 1);
    bal_import_close(&w);
    free(s);
}

static void not_finite(void **state) {
    (void)state;
    BalError err = {0};
    BalImport *w = NULL;
    int64_t at[701];
    Sparse *s = sparse_of("resnet18", 0, "", false);
    const char *path = sparse_write(s, at);
    const int64_t i = tensor(s, "layer1.0.conv1.weight") - s->t;
    poke(at[i] + 4 * 1000, NAN);
    poke(at[i + 1] + 4 * 3, -INFINITY); /* layer1.0.bn1.weight */
    assert_ok(bal_import_open(&w, path, &err));
    assert_fails(bal_import_match(w, NULL, &err), BAL_E_NUMERIC, "2 tensors are not finite");
    assert_int_equal(bal_import_problems(w), 2);
    assert_string_equal(bal_import_problem(w, 1),
                        "not finite: layer1.0.conv1.weight has a NaN or an infinite value, the first as number 1000");
    bal_import_close(&w);
    free(s);
}

/* TensorFlow's [H,W,in,out] and [in,out] in our order; ":0" behind names. */
static void axes_are_moved(void **state) {
    (void)state;
    BalError err = {0};
    BalImport *w = NULL;
    int64_t at[701];
    Sparse *s = sparse_of("vggish", 1, "", false);
    for (int i = 0; i < s->n; i++) strcat(s->name[i], ":0");
    const char *path = sparse_write(s, at);
    const int64_t conv = tensor(s, "vggish/conv1/weights:0") - s->t, fc = tensor(s, "vggish/fc2/weights:0") - s->t;
    poke(at[conv] + 4 * ((2 * 3 + 1) * 64 + 5), 7); /* H 2, W 1, in 0, out 5 */
    poke(at[fc] + 4 * (4000 * 128 + 3), 9);         /* in 4000, out 3 */
    assert_ok(bal_import_open(&w, path, &err));
    assert_ok(bal_import_match(w, NULL, &err));
    for (int i = 0; i < w->n; i++) {
        const BalLoose *t = &w->tensor[i];
        float v;
        int64_t where = -1;
        if (!strcmp(t->name, "features.0.weight")) {
            assert_true(t->dim[0] == 64 && t->dim[1] == 1 && t->dim[2] == 3 && t->dim[3] == 3);
            where = 5 * t->stride[0] + 2 * t->stride[2] + t->stride[3];
        } else if (!strcmp(t->name, "embeddings.4.weight")) {
            assert_true(t->dim[0] == 128 && t->dim[1] == 4096);
            where = 3 * t->stride[0] + 4000 * t->stride[1];
        }
        if (where < 0) continue;
        memcpy(&v, t->data + 4 * where, 4);
        assert_true(v == 7 || v == 9);
    }
    bal_import_close(&w);
    free(s);
}

/* ---- memory ---- */
static BalStatus match(void *user, BalError *err) {
    BalImport *w = NULL;
    BAL_TRY(bal_import_open(&w, user, err));
    BalStatus rc = bal_import_match(w, "resnet18", err);
    bal_import_close(&w);
    return rc;
}

static void memory_runs_out(void **state) {
    (void)state;
    int64_t at[701];
    Sparse *s = sparse_of("resnet18", 0, "module.", true);
    char path[256];
    snprintf(path, sizeof path, "%s", sparse_write(s, at));
    assert_true(fault_each_allocation(match, path) > 100);
    free(s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(listings),           cmocka_unit_test(graphs_agree),   cmocka_unit_test(caffe2_names),
        cmocka_unit_test(networks_are_known), cmocka_unit_test(misfits),        cmocka_unit_test(caffe2_files),
        cmocka_unit_test(not_finite),         cmocka_unit_test(axes_are_moved), cmocka_unit_test(memory_runs_out)};
    return cmocka_run_group_tests(tests, scratch_open, scratch_close);
}
