/* Readers of predictions: what each takes, and what each refuses with which words. */
#include "../base/check.h"

#include <math.h>
#include <avbalance/analysis.h>
#include "base/npy.h"

static BalError err;
static BalScores scores;

static const char *write_text(const char *name, const char *text) {
    const char *path = scratch(name);
    assert_ok(bal_file_write(path, text, strlen(text), &err));
    return path;
}

static int open_scores(void **state) {
    if (scratch_open(state)) return -1;
    const char *path = write_text("scores.csv", "id,label,split,u_audio,u_visual\n"
                                                "a,dog,test,0.9,0.1\nb,cat,test,0.2,0.8\nc,dog,test,0.5,0.5\n"
                                                "d,owl,train,0.3,0.4\n");
    return bal_scores_load(&scores, path, NULL, &err) == BAL_OK ? 0 : -1;
}

static int close_scores(void **state) {
    bal_scores_reset(&scores);
    return scratch_close(state);
}

static BalStatus load(BalPredictions *p, const char *path, const BalPredictionsSpec *spec) {
    return bal_predictions_load(p, path, &scores, spec, &err);
}

enum { DOG, CAT, OWL }; /* order of first appearance */

static void expect(const BalPredictions *p, int a, int b, int c, int d) {
    const int want[4] = {a, b, c, d};
    for (int i = 0; i < 4; i++) assert_int_equal(p->answer[i], want[i]);
}

static void test_csv(void **state) {
    (void)state;
    BalPredictions p;
    const char *classes = write_text("names.txt", "\xEF\xBB\xBF"
                                                  "cat\r\nowl\r\ndog\r\nfox\r\n");
    assert_ok(load(&p, write_text("late-fusion.csv", "prediction;id;confidence\ncat;b;0.4\n\"dog\";a;1\n;c;\n"), NULL));
    expect(&p, DOG, CAT, BAL_ANSWER_NONE, BAL_ANSWER_NONE);
    assert_string_equal(p.name, "late-fusion");
    assert_int_equal(p.modality, BAL_MODALITY_BOTH);
    assert_true(p.seed == -1 && !p.named && !p.logits && !p.store_hash[0]);
    bal_predictions_reset(&p);
    assert_ok(load(&p, write_text("n.csv", "id,prediction,label\na,2,dog\nb,0,\nc,3,0\nd,fox,owl\n"),
                   &(BalPredictionsSpec){.name = "audio", .classes = classes}));
    expect(&p, DOG, CAT, BAL_ANSWER_OTHER, BAL_ANSWER_OTHER);
    assert_true(p.modality == BAL_MODALITY_AUDIO && p.named);
    bal_predictions_reset(&p);
}

static void test_bad_csv(void **state) {
    (void)state;
    static const struct {
        const char *text, *says;
    } bad[] = {
        {"id,prediction\na,dog\nb,cat\na,dog\n", "line 4: the id \"a\" stands in line 2 already"},
        {"id,prediction\na,dog\nz,cat\ny,cat\n", "line 3: the scores have no clip \"z\" (2 such ids)"},
        {"id,prediction\na,dgo\n", "line 2: \"dgo\" is no label of the scores; did you mean \"dog\""},
        {"id,prediction\na,1\n", "line 2: \"1\" is no label"},
        {"id,prediction\na\n", "line 2: has 1 fields"},
        {"id,prediction\n,dog\n", "line 2: the id is empty"},
        {"id,label\na,dog\n", "no column \"prediction\""},
        {"clip,prediction\na,dog\n", "no column \"id\""},
        {"id,prediction,id\na,dog,a\n", "\"id\" is there twice"},
        {"id,prediction,label\na,cat,cat\n", "line 2: clip \"a\" has the label \"cat\" here and \"dog\" in the scores"},
        {"", "is empty"}};
    BalPredictions p;
    for (size_t k = 0; k < sizeof bad / sizeof *bad; k++)
        assert_fails(load(&p, write_text("bad.csv", bad[k].text), NULL), BAL_E_FORMAT, bad[k].says);
    const char *path = write_text("more.csv", "id,prediction\na,dog\nz,cat\ny,cat\n");
    assert_ok(load(&p, path, &(BalPredictionsSpec){.ignore_unknown = true}));
    assert_int_equal(p.n_unknown, 2);
    expect(&p, DOG, BAL_ANSWER_NONE, BAL_ANSWER_NONE, BAL_ANSWER_NONE);
    bal_predictions_reset(&p);
    assert_fails(load(&p, scratch("nothing.csv"), NULL), BAL_E_IO, "nothing.csv");
    assert_fails(load(&p, scratch_dir, NULL), BAL_E_FORMAT, "neither run.json");
}

static const char *write_npy(const char *name, BalNpyType type, int64_t rows, int64_t columns, const void *data) {
    const int64_t dim[2] = {rows, columns};
    const char *path = scratch(name);
    assert_ok(bal_npy_write(path, type, dim, 2, data, &err));
    return path;
}

static void test_logits(void **state) {
    (void)state;
    BalPredictions p;
    const float z[8] = {0, 3, 5, 5, NAN, NAN, 1, -2};
    assert_fails(load(&p, write_npy("visual.npy", BAL_NPY_F32, 4, 2, z), NULL), BAL_E_FORMAT,
                 "which row is which clip");
    write_text("visual.ids.txt", "b\na\nc\nd");
    assert_fails(load(&p, scratch("visual.npy"), NULL), BAL_E_FORMAT, "none of its 2 classes is \"dog\"");
    const char *classes = write_text("classes.txt", "owl\ncat\ndog\n");
    assert_fails(load(&p, scratch("visual.npy"), NULL), BAL_E_FORMAT, "has 2 columns, but there are 3 classes in ");
    const double w[12] = {0, 3, 0, 5, 5, 1, NAN, NAN, NAN, -3, -2, -1};
    assert_ok(load(&p, write_npy("visual.npy", BAL_NPY_F64, 4, 3, w), NULL));
    expect(&p, OWL, CAT, BAL_ANSWER_NONE, DOG); /* of equal ones the first */
    assert_true(p.modality == BAL_MODALITY_VISUAL && p.n_columns == 3);
    assert_true(p.column[0] == OWL && p.logits[0] == 5 && p.logits[4] == 3 && isnan(p.logits[6]));
    bal_predictions_reset(&p);

    uint16_t half[12]; /* probabilities, rows b a c d */
    const float share[12] = {0.25F, 0.5F, 0.25F, 1, 0, 0, 0.5F, 0.25F, 0.25F, 0, 0, 1};
    bal_f32_to_f16_n(half, share, 12);
    assert_ok(load(&p, write_npy("visual.npy", BAL_NPY_F16, 4, 3, half), &(BalPredictionsSpec){.classes = classes}));
    expect(&p, OWL, CAT, OWL, DOG);
    assert_true(fabsf(p.logits[3] + logf(4)) < 1e-6 && isinf(p.logits[1]));
    bal_predictions_reset(&p);
    assert_ok(load(&p, scratch("visual.npy"), &(BalPredictionsSpec){.name = "late"}));
    assert_null(p.logits); /* nobody needs them */
    bal_predictions_reset(&p);
}

static void test_bad_logits(void **state) {
    (void)state;
    BalPredictions p;
    float z[12] = {0};
    const char *classes = write_text("order.txt", "owl\ncat\ndog\n"), *ids = write_text("order.ids", "a\nb\nc\nd\n");
    const BalPredictionsSpec spec = {.ids = ids, .classes = classes};
    z[4] = NAN;
    assert_fails(load(&p, write_npy("z.npy", BAL_NPY_F32, 4, 3, z), &spec), BAL_E_NUMERIC,
                 "row 2: output 1 of clip \"b\" is NaN");
    z[4] = INFINITY;
    assert_fails(load(&p, write_npy("z.npy", BAL_NPY_F32, 4, 3, z), &spec), BAL_E_NUMERIC, "clip \"b\" is infinite");
    z[4] = 0;
    assert_fails(load(&p, write_npy("z.npy", BAL_NPY_F32, 3, 3, z), &spec), BAL_E_FORMAT, "has 3 rows, but");
    assert_fails(load(&p, write_npy("z.npy", BAL_NPY_U8, 4, 3, z), &spec), BAL_E_FORMAT, "must be [clips, classes]");
    write_npy("z.npy", BAL_NPY_F32, 4, 3, z);
    assert_fails(
        load(&p, scratch("z.npy"), &(BalPredictionsSpec){.ids = write_text("i", "a\nb\na\nd\n"), .classes = classes}),
        BAL_E_FORMAT, "row 3: the id \"a\" stands in row 1 already");
    assert_fails(
        load(&p, scratch("z.npy"), &(BalPredictionsSpec){.ids = write_text("i", "a\nb\nx\nd\n"), .classes = classes}),
        BAL_E_FORMAT, "row 3: the scores have no clip \"x\"");
    assert_fails(
        load(&p, scratch("z.npy"), &(BalPredictionsSpec){.ids = ids, .classes = write_text("k", "dog\ncat\ndog\n")}),
        BAL_E_FORMAT, "\"dog\" is there twice, as number 0 and 2");
    assert_fails(load(&p, scratch("z.npy"), &(BalPredictionsSpec){.ids = write_text("e", ""), .classes = classes}),
                 BAL_E_FORMAT, "has 0 ids");
    assert_fails(load(&p, scratch("z.npy"), &(BalPredictionsSpec){.ids = scratch("none"), .classes = classes}),
                 BAL_E_IO, "none");
}

static void test_dynamics(void **state) {
    (void)state;
    BalPredictions p;
    assert_ok(bal_make_dirs(scratch("dyn"), &err));
    write_text("dyn/dynamics_epoch_9.jsonl", "not read");
    write_text("dyn/dynamics_epoch_10.jsonl", "{\"guid\":\"a\",\"logits_epoch_10\":[0,1,2],\"gold\":2}\r\n\n"
                                              "{\"guid\":\"b\",\"logits_epoch_10\":[0,1,2.5],\"gold\":0}\n"
                                              "{\"guid\":\"c\",\"logits_epoch_10\":[0,1,-2],\"gold\":2}");
    assert_ok(load(&p, scratch("dyn"), NULL));
    expect(&p, DOG, DOG, BAL_ANSWER_OTHER, BAL_ANSWER_NONE); /* which class 1 is, nobody said */
    assert_string_equal(p.name, "dyn");
    bal_predictions_reset(&p);
    static const struct {
        const char *text, *says;
    } bad[] = {
        {"{\"guid\":\"a\",\"logits_epoch_3\":[0,1],\"gold\":1}\n{\"guid\":\"b\",\"logits_epoch_3\":[0,1],\"gold\":1}\n",
         "line 2: \"gold\" is 1 for clip \"b\" of label \"cat\", but for one of \"dog\" in line 1"},
        {"{\"guid\":\"a\",\"logits_epoch_3\":[0,1],\"gold\":1}\n{\"guid\":\"c\",\"logits_epoch_3\":[0,1],\"gold\":0}\n",
         "line 2: \"gold\" is 0 for clip \"c\" of label \"dog\", which is class 1 in line 1"},
        {"{\"guid\":\"a\",\"logits_epoch_3\":[0,1],\"gold\":2}\n", "line 1: needs \"gold\""},
        {"{\"guid\":\"a\",\"logits_epoch_4\":[0,1],\"gold\":0}\n", "line 1: needs \"logits_epoch_3\""},
        {"{\"guid\":\"q\",\"logits_epoch_3\":[0,1],\"gold\":0}\n", "no clip \"q\""},
        {"{\"guid\":7,\"logits_epoch_3\":[0,1],\"gold\":0}\n", "no clip \"7\""},
        {"{\"logits_epoch_3\":[0,1],\"gold\":0}\n", "the id is empty"},
        {"{\"guid\":\"a\",\"logits_epoch_3\":[0,1],\"gold\":0}\n{\"guid\":\"b\",\"logits_epoch_3\":[0],\"gold\":0}\n",
         "line 2: needs"},
        {"{\"guid\":\"a\"", "line 1"},
        {"{\"guid\":\"a\",\"logits_epoch_3\":[0,NaN],\"gold\":0}\n", "NaN is no number; predict that clip again"}};
    for (size_t k = 0; k < sizeof bad / sizeof *bad; k++)
        assert_fails(load(&p, write_text("dynamics_epoch_3.jsonl", bad[k].text), NULL), BAL_E_FORMAT, bad[k].says);
    assert_fails(load(&p,
                      write_text("dynamics_epoch_3.jsonl", "{\"guid\":\"a\",\"logits_epoch_3\":[0,null],\"gold\":1}\n"),
                      NULL),
                 BAL_E_NUMERIC, "output 1 of clip \"a\" is NaN");
    assert_fails(load(&p, write_text("other.jsonl", "{}\n"), NULL), BAL_E_FORMAT, "dynamics_epoch_K.jsonl");
}

static void test_run(void **state) {
    (void)state;
    BalPredictions p;
    const float z[12] = {0, 1, 2, 2, 1, 0, 0, 3, 1, NAN, NAN, NAN};
    static const char run[] =
        "{\"schema\":\"avbalance/run/1\",\"method\":\"audio\",\"modality\":\"audio\",\"seed\":4,\"fold\":-1,"
        "\"store_hash\":\"abc\",\"protocol_hash\":\"def\",\"classes\":[\"cat\",\"owl\",\"dog\"]}";
    assert_ok(bal_make_dirs(scratch("run"), &err));
    write_text("run/run.json", run);
    write_text("run/ids.txt", "a\nb\nc\nd\n");
    write_text("run/predictions.csv", "id,label,split,prediction,confidence\na,dog,test,dog,0.9\nb,cat,test,cat,0.5\n"
                                      "c,dog,test,owl,0.1\nd,owl,train,,\n");
    write_npy("run/logits.npy", BAL_NPY_F32, 4, 3, z);
    assert_ok(load(&p, scratch("run"), NULL));
    expect(&p, DOG, CAT, OWL, BAL_ANSWER_NONE);
    assert_string_equal(p.name, "audio");
    assert_string_equal(p.store_hash, "abc");
    assert_true(p.modality == BAL_MODALITY_AUDIO && p.seed == 4 && p.logits[2] == 2);
    bal_predictions_reset(&p);
    assert_ok(load(&p, scratch("run"), &(BalPredictionsSpec){.name = "mine"}));
    assert_string_equal(p.name, "mine");
    bal_predictions_reset(&p);
    write_text("run/ids.txt", "a\nb\n");
    write_npy("run/logits.npy", BAL_NPY_F32, 2, 3, z);
    assert_fails(load(&p, scratch("run"), NULL), BAL_E_FORMAT, "logits.npy: has no row for clip \"c\"");
    write_text("run/predictions.csv", "id,label,split,prediction,confidence\na,dog,test,owl,0.9\n");
    assert_fails(load(&p, scratch("run"), NULL), BAL_E_FORMAT, "another answer for clip \"a\"");
    write_text("run/run.json", "{\"schema\":\"avbalance/run/1\",\"method\":\"concat\",\"classes\":[\"cat\",\"fox\"]}");
    write_text("run/predictions.csv", "id,label,split,prediction,confidence\na,dog,test,fox,0.9\nb,cat,test,cat,0.9\n");
    assert_ok(load(&p, scratch("run"), NULL)); /* run.json lists its classes, whether the scores have them or not */
    expect(&p, BAL_ANSWER_OTHER, CAT, BAL_ANSWER_NONE, BAL_ANSWER_NONE);
    bal_predictions_reset(&p);
    write_text("run/predictions.csv", "id,label,split,prediction,confidence\na,fox,test,fox,0.9\n");
    assert_fails(load(&p, scratch("run"), NULL), BAL_E_FORMAT,
                 "clip \"a\" has the label \"fox\" here and \"dog\" in the scores");
    write_text("run/run.json", "{\"schema\":\"other\"}");
    assert_fails(load(&p, scratch("run"), NULL), BAL_E_FORMAT, "schema");
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_csv),      cmocka_unit_test(test_bad_csv),
                                       cmocka_unit_test(test_logits),   cmocka_unit_test(test_bad_logits),
                                       cmocka_unit_test(test_dynamics), cmocka_unit_test(test_run)};
    return cmocka_run_group_tests(tests, open_scores, close_scores);
}
