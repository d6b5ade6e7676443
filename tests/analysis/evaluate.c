/* An evaluation whose every number was worked out by hand, what it refuses, and the tables of the paper, which do not recombine. */
#include "../base/fault.h"

#include <math.h>
#include <avbalance/analysis.h>
#include "analysis/ensemble.h"
#include "base/npy.h"

static BalError err;
static BalScores scores;

enum { N = 11 }; /* the last one is of another split */
static const char table[] = "id,label,split,u_audio,u_visual\n"
                            "c0,A,test,0.9,0.1\nc1,B,test,0.75,0.25\nc2,A,test,0.5,0.2\nc3,B,test,0.5,0.4\n"
                            "c4,A,test,0.1,0.9\nc5,B,test,0.25,0.75\nc6,A,test,0.2,0.5\nc7,B,test,0.4,0.5\n"
                            "c8,A,test,0.5,0.5\nc9,B,test,1,1\nc10,A,train,0.5,0\n";

static int open_scores(void **state) {
    if (scratch_open(state)) return -1;
    const char *path = scratch("scores.csv");
    if (bal_file_write(path, table, sizeof table - 1, &err) < 0) return -1;
    return bal_scores_load(&scores, path, NULL, &err) == BAL_OK ? 0 : -1;
}

static int close_scores(void **state) {
    bal_scores_reset(&scores);
    return scratch_close(state);
}

typedef struct Model { /* predictions that live in this test */
    BalPredictions p;
    char name[32], path[32];
    int32_t answer[N], column[2];
    float logits[2 * N];
} Model;

/* right: one letter per clip, '1' right, '0' the other class, '-' a class of no clip, '?' no answer. */
static BalPredictions *make(Model *m, const char *name, BalModality modality, int64_t seed, const char *right) {
    *m = (Model){.p = {.name = m->name,
                       .path = m->path,
                       .modality = modality,
                       .seed = seed,
                       .fold = -1,
                       .n = N,
                       .answer = m->answer,
                       .named = seed < 0}};
    snprintf(m->name, sizeof m->name, "%s", name);
    snprintf(m->path, sizeof m->path, "%s-%d", name, (int)seed);
    for (int i = 0; i < N; i++)
        m->answer[i] = right[i] == '1'   ? scores.label[i]
                       : right[i] == '0' ? 1 - scores.label[i]
                       : right[i] == '-' ? BAL_ANSWER_OTHER
                                         : BAL_ANSWER_NONE;
    return &m->p;
}

/* Logits of (A, B): `sure` for the answer, 0 for the other. */
static void add_logits(Model *m, const float *sure) {
    m->p.n_columns = 2;
    m->p.column = m->column;
    m->p.logits = m->logits;
    m->column[1] = 1;
    for (int i = 0; i < N; i++) {
        m->logits[2 * i] = m->logits[2 * i + 1] = 0;
        if (m->answer[i] >= 0) m->logits[2 * i + m->answer[i]] = sure[i];
    }
}

static BalEvaluateSpec spec_of_test(void) {
    BalEvaluateSpec spec = bal_evaluate_spec_default();
    spec.split = "test";
    spec.threads = 1;
    spec.replicates = 200;
    return spec;
}

static const BalEvaluationRow *row_of(const BalEvaluation *e, const char *name) {
    for (int r = 0; r < e->n_rows; r++)
        if (!strcmp(e->row[r].name, name)) return &e->row[r];
    fail_msg("no row %s", name);
    return NULL;
}

static int subset_of(const BalEvaluation *e, const char *name) {
    for (int x = 0; x < e->n_subsets; x++)
        if (!strcmp(e->subset[x].name, name)) return x;
    fail_msg("no subset %s", name);
    return -1;
}

static const BalCell *cell_of(const BalEvaluation *e, const char *name, const char *subset) {
    return &row_of(e, name)->cell[subset_of(e, subset)];
}

#define assert_near(a, b)                                                                                              \
    do {                                                                                                               \
        double a_ = (a), b_ = (b);                                                                                     \
        if (!(fabs(a_ - b_) < 1e-12)) fail_msg("%s is %.15g instead of %.15g", #a, a_, b_);                            \
    } while (0)

static void test_numbers(void **state) {
    (void)state;
    Model m[4];
    const BalPredictions p[4] = {*make(&m[0], "fusion", BAL_MODALITY_BOTH, 0, "11101100110"),
                                 *make(&m[1], "visual", BAL_MODALITY_VISUAL, 0, "10001111010"),
                                 *make(&m[2], "audio", BAL_MODALITY_AUDIO, 0, "11110000100"),
                                 *make(&m[3], "fusion", BAL_MODALITY_BOTH, 1, "11001000110")};
    BalEvaluation e;
    BalEvaluateSpec spec = spec_of_test();
    assert_ok(bal_evaluate(&e, &scores, p, 4, &spec, &err));
    assert_int_equal(e.n, 10);
    assert_int_equal(e.n_rows, 3);
    assert_string_equal(e.row[0].name, "audio");
    assert_string_equal(e.row[1].name, "visual");
    assert_int_equal(row_of(&e, "fusion")->n_runs, 2);
    static const struct {
        const char *subset;
        int64_t n;
        double audio, visual, fusion;
    } want[] = {{"overall", 10, 0.5, 0.6, 0.6},
                {"audio_preferred", 4, 1, 0.25, 0.625},
                {"visual_preferred", 4, 0, 1, 0.375},
                {"ties", 2, 0.5, 0.5, 1},
                {"audio_dominated_0.2", 3, 1, 1 / 3.0, 5 / 6.0},
                {"visual_dominated_0.4", 2, 0, 1, 0.75},
                {"audio_dominated_0.5", 1, 1, 1, 1}}; /* d = 0.5 is not above 0.5 */
    for (size_t k = 0; k < sizeof want / sizeof *want; k++) {
        assert_int_equal(e.subset[subset_of(&e, want[k].subset)].n, want[k].n);
        assert_near(cell_of(&e, "audio", want[k].subset)->accuracy, want[k].audio);
        assert_near(cell_of(&e, "visual", want[k].subset)->accuracy, want[k].visual);
        assert_near(cell_of(&e, "fusion", want[k].subset)->accuracy, want[k].fusion);
    }
    assert_int_equal(e.curve[0][5], subset_of(&e, "audio_dominated_0.5"));
    assert_int_equal(e.curve[1][0], subset_of(&e, "visual_preferred"));
    assert_true(isnan(row_of(&e, "fusion")->cell[e.curve[0][9]].accuracy)); /* empty */
    assert_false(e.subset[subset_of(&e, "audio_dominated_0.5")].tabled);

    const BalCell *c = cell_of(&e, "fusion", "overall");
    assert_near(c->macro_f1, ((8 / 11.0 + 2 / 3.0) / 2 + (6 / 11.0 + 4 / 9.0) / 2) / 2);
    assert_near(c->sd_runs, sqrt(0.02));
    assert_string_equal(e.row[c->versus].name, "visual");
    assert_near(c->difference, 0);
    assert_true(c->gained == 3 && c->lost == 3 && c->p_mcnemar == 1);
    c = cell_of(&e, "fusion", "audio_preferred");
    assert_string_equal(e.row[c->versus].name, "audio");
    assert_near(c->difference, -0.375);
    assert_true(c->gained == 0 && c->lost == 2);
    assert_near(c->p_mcnemar, 0.5);
    assert_true(c->low <= c->accuracy && c->accuracy <= c->high && c->difference_high <= 0);
    assert_int_equal(row_of(&e, "fusion")->beats_all, 0);
    assert_int_equal(row_of(&e, "audio")->beats_all, -1);

    const BalConfusion *f = &row_of(&e, "fusion")->confusion[0];
    assert_near(f->audio_right, 5);
    assert_near(f->audio_lost, 1.5);
    assert_near(f->visual_right, 6);
    assert_near(f->visual_lost, 2.5);
    assert_near(f->either_right, 10);
    assert_near(f->either_lost, 4);
    assert_near(f->gained, 0);
    const BalClassResult *by = row_of(&e, "audio")->by_class; /* audio is right on A: 0, 2, 8; on B: 1, 3 */
    assert_string_equal(e.label[0], "A");
    assert_near(by[0].recall, 3 / 5.0);
    assert_near(by[0].precision, 3 / 6.0);
    assert_near(by[1].f1, 2 * 2 / (2.0 * 2 + 2 + 3));
    assert_true(strstr(e.no_ensemble, "has no logits"));

    /* The identity is checked, not only stated. */
    assert_ok(bal_evaluation_check(&e, &err));
    e.row[2].cell[1].accuracy += 1e-6;
    assert_fails(bal_evaluation_check(&e, &err), BAL_E_NUMERIC,
                 "fusion: the overall accuracy 0.600000 is not the mean");
    bal_evaluation_reset(&e);
}

/* Sound says A with 2, picture says B with 3: the mean of logits is B. That of probabilities may be another one. */
static void test_ensemble(void **state) {
    (void)state;
    Model m[3];
    float strong[N], weak[N];
    for (int i = 0; i < N; i++) {
        strong[i] = 3;
        weak[i] = 2;
    }
    BalPredictions p[3] = {*make(&m[0], "audio", BAL_MODALITY_AUDIO, 0, "11110000100"),
                           *make(&m[1], "visual", BAL_MODALITY_VISUAL, 0, "10001111010"),
                           *make(&m[2], "best", BAL_MODALITY_BOTH, 0, "11111111110")};
    add_logits(&m[0], strong);
    add_logits(&m[1], weak);
    p[0] = m[0].p;
    p[1] = m[1].p;
    BalEvaluation e;
    BalEvaluateSpec spec = spec_of_test();
    spec.n_thresholds = 0;
    assert_ok(bal_evaluate(&e, &scores, p, 3, &spec, &err));
    assert_int_equal(e.n_rows, 5);
    assert_near(cell_of(&e, "ensemble-logits", "overall")->accuracy, 0.5); /* where they differ, the sound wins */
    assert_near(cell_of(&e, "ensemble-probabilities", "overall")->accuracy, 0.5);
    assert_true(row_of(&e, "ensemble-logits")->ensemble && !e.no_ensemble[0]);
    assert_int_equal(row_of(&e, "ensemble-logits")->beats_all, 0);
    assert_int_equal(row_of(&e, "best")->beats_all, 0); /* equal to the best is not better */
    bal_evaluation_reset(&e);

    /* Columns in another order are matched by their classes. */
    for (int i = 0; i < N; i++) {
        float z = m[1].logits[2 * i];
        m[1].logits[2 * i] = m[1].logits[2 * i + 1];
        m[1].logits[2 * i + 1] = z;
    }
    m[1].column[0] = 1;
    m[1].column[1] = 0;
    assert_ok(bal_evaluate(&e, &scores, p, 3, &spec, &err));
    assert_near(cell_of(&e, "ensemble-logits", "visual_preferred")->accuracy, 0);
    assert_near(cell_of(&e, "ensemble-logits", "ties")->accuracy, 0.5);
    bal_evaluation_reset(&e);
    for (int k = 0; k < 2; k++) p[k].seed = -1; /* foreign files have no seeds: they go together in their order */
    assert_ok(bal_evaluate(&e, &scores, p, 3, &spec, &err));
    assert_int_equal(row_of(&e, "ensemble-probabilities")->n_runs, 1);
    bal_evaluation_reset(&e);
    p[0].seed = 0;
    p[1].seed = 3;
    assert_ok(bal_evaluate(&e, &scores, p, 3, &spec, &err));
    assert_int_equal(e.n_rows, 3);
    assert_true(strstr(e.no_ensemble, "no seed in common"));
    bal_evaluation_reset(&e);
}

/* Probabilities of 0: what only one of two certain models excludes is above what both exclude, and the first of equal ones. */
static void test_certain_ensemble(void **state) {
    (void)state;
    const int match[3] = {0, 1, 2};
    const float a[3] = {-INFINITY, 0, -INFINITY}, v[3] = {-INFINITY, -INFINITY, 0},
                unsure[3] = {logf(0.25F), logf(0.25F), logf(0.5F)};
    for (int k = 0; k < 2; k++) {
        assert_int_equal(bal_ensemble_top(a, v, match, 3, k), 1);
        assert_int_equal(bal_ensemble_top(v, a, match, 3, k), 1);
        assert_int_equal(bal_ensemble_top(v, v, match, 3, k), 2);
        assert_int_equal(bal_ensemble_top(a, unsure, match, 3, k), 1);
    }
}

static void test_same_bytes(void **state) {
    (void)state;
    Model m[2];
    const BalPredictions p[2] = {*make(&m[0], "audio", BAL_MODALITY_AUDIO, 0, "11110000100"),
                                 *make(&m[1], "fusion", BAL_MODALITY_BOTH, 0, "11101100110")};
    BalEvaluation e[3];
    BalEvaluateSpec spec = spec_of_test();
    assert_ok(bal_evaluate(&e[0], &scores, p, 2, &spec, &err));
    spec.threads = 2;
    spec.n_thresholds = 1;
    assert_ok(bal_evaluate(&e[1], &scores, p, 2, &spec, &err));
    spec.seed = 1;
    assert_ok(bal_evaluate(&e[2], &scores, p, 2, &spec, &err));
    const BalCell *a = cell_of(&e[0], "fusion", "overall"), *b = cell_of(&e[1], "fusion", "overall"),
                  *c = cell_of(&e[2], "fusion", "overall");
    assert_memory_equal(a, b, sizeof *a);
    assert_true(a->p_bootstrap != c->p_bootstrap || a->difference_high != c->difference_high || a->low != c->low);
    assert_int_equal(row_of(&e[0], "fusion")->beats_all, -1); /* a unimodal model is missing */
    assert_true(strstr(e[0].no_ensemble, "visual-only"));
    for (int k = 0; k < 3; k++) bal_evaluation_reset(&e[k]);
}

static void test_refused(void **state) {
    (void)state;
    Model m[2];
    BalEvaluation e;
    BalEvaluateSpec spec = spec_of_test();
    BalPredictions p[2] = {*make(&m[0], "a", BAL_MODALITY_BOTH, 0, "1111?0000?1"), {0}};
    assert_fails(bal_evaluate(&e, &scores, p, 1, &spec, &err), BAL_E_FORMAT,
                 "a-0: has no answer for 2 of 10 clips of split test, the first being \"c4\"");
    p[0] = *make(&m[0], "a", BAL_MODALITY_BOTH, 0, "11110-0000?"); /* a train clip is not needed */
    assert_ok(bal_evaluate(&e, &scores, p, 1, &spec, &err));
    assert_near(e.row[0].cell[0].accuracy, 0.4);
    bal_evaluation_reset(&e);
    p[1] = *make(&m[1], "a", BAL_MODALITY_BOTH, 0, "11110000001");
    assert_fails(bal_evaluate(&e, &scores, p, 2, &spec, &err), BAL_E_ARG, "are both seed 0 of \"a\"");
    p[1].seed = -1;
    p[1].named = false;
    assert_fails(bal_evaluate(&e, &scores, p, 2, &spec, &err), BAL_E_ARG, "are both called \"a\"; name them NAME=PATH");
    p[1].seed = 1;
    p[1].modality = BAL_MODALITY_AUDIO;
    assert_fails(bal_evaluate(&e, &scores, p, 2, &spec, &err), BAL_E_ARG, "different modalities");
    p[1].modality = BAL_MODALITY_BOTH;
    strcpy(p[0].store_hash, "0123456789abcdef");
    strcpy(p[1].store_hash, "fedcba9876543210");
    assert_fails(bal_evaluate(&e, &scores, p, 2, &spec, &err), BAL_E_ARG,
                 "a-0 was made from another store (fedcba987654) than a-0 (0123456789ab)");
    strcpy(p[1].store_hash, p[0].store_hash);
    strcpy(p[0].protocol_hash, "1");
    strcpy(p[1].protocol_hash, "2");
    assert_fails(bal_evaluate(&e, &scores, p, 2, &spec, &err), BAL_E_ARG, "another recipe (2)");
    spec.mixed = true;
    assert_ok(bal_evaluate(&e, &scores, p, 2, &spec, &err));
    assert_true(e.mixed_recipes && !e.mixed_stores && !e.protocol_hash[0]);
    assert_string_equal(e.store_hash, p[0].store_hash);
    bal_evaluation_reset(&e);
    spec.split = "val";
    assert_fails(bal_evaluate(&e, &scores, p, 2, &spec, &err), BAL_E_ARG, "split \"val\"");
    spec.split = NULL;
    assert_fails(bal_evaluate(&e, &scores, p, 2, &spec, &err), BAL_E_FORMAT, "of split all, the first being \"c10\"");
    const double falling[2] = {0.4, 0.2};
    spec.threshold = falling;
    assert_fails(bal_evaluate(&e, &scores, p, 2, &spec, &err), BAL_E_ARG, "threshold 0.2");
}

static BalStatus evaluate_once(void *user, BalError *e) {
    const BalPredictions *p = user;
    BalEvaluation out = {0};
    BalEvaluateSpec spec = spec_of_test();
    spec.replicates = 1;
    BalStatus rc = bal_evaluate(&out, &scores, p, 2, &spec, e);
    bal_evaluation_reset(&out);
    return rc;
}

static BalStatus load_once(void *user, BalError *e) {
    BalPredictions p = {0};
    BalStatus rc = bal_predictions_load(&p, user, &scores, NULL, e);
    bal_predictions_reset(&p);
    return rc;
}

static BalStatus publish_once(void *user, BalError *e) {
    BalPublished p = {0};
    BalStatus rc = bal_published_load(&p, user, e);
    bal_published_reset(&p);
    return rc;
}

static void test_faults(void **state) {
    (void)state;
    Model m[2];
    BalPredictions p[2] = {*make(&m[0], "audio", BAL_MODALITY_AUDIO, 0, "11110000100"),
                           *make(&m[1], "visual", BAL_MODALITY_VISUAL, 0, "10001111010")};
    const float sure[N] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
    for (int k = 0; k < 2; k++) {
        add_logits(&m[k], sure);
        p[k] = m[k].p;
    }
    char csv[300], published[300];
    snprintf(csv, sizeof csv, "%s", scratch("f.csv"));
    snprintf(published, sizeof published, "%s", scratch("published.csv"));
    const char *text = "id,prediction\nc0,\"A\"\nc1,B\n";
    assert_ok(bal_file_write(csv, text, strlen(text), &err));
    text = "method,overall,audio_preferred,visual_preferred\n\"a\"\"b\",0.5,0.4,0.6\n";
    assert_ok(bal_file_write(published, text, strlen(text), &err));
    assert_in_range(fault_each_allocation(evaluate_once, p), 20, 1000);
    assert_in_range(fault_each_allocation(load_once, csv), 8, 1000);
    assert_in_range(fault_each_allocation(publish_once, published), 3, 1000);

    const float z[4] = {0, 1, 1, 0};
    const int64_t dim[2] = {2, 2};
    char npy[300], dynamics[300], run[300];
    snprintf(npy, sizeof npy, "%s", scratch("audio.npy"));
    snprintf(dynamics, sizeof dynamics, "%s", scratch("dyn"));
    assert_ok(bal_npy_write(npy, BAL_NPY_F32, dim, 2, z, &err));
    assert_ok(bal_file_write(scratch("audio.ids.txt"), "c0\nc1\n", 6, &err));
    assert_ok(bal_file_write(scratch("audio.classes.txt"), "A\nB\n", 4, &err));
    text = "{\"guid\":\"c0\",\"logits_epoch_1\":[0,1],\"gold\":1}\n";
    assert_ok(bal_make_dirs(dynamics, &err));
    assert_ok(bal_file_write(scratch("dyn/dynamics_epoch_1.jsonl"), text, strlen(text), &err));
    assert_in_range(fault_each_allocation(load_once, npy), 12, 1000);
    assert_in_range(fault_each_allocation(load_once, dynamics), 12, 1000);

    snprintf(run, sizeof run, "%s", scratch("run"));
    assert_ok(bal_make_dirs(run, &err));
    text = "{\"schema\":\"avbalance/run/1\",\"method\":\"audio\",\"modality\":\"audio\",\"classes\":[\"A\",\"B\"]}";
    assert_ok(bal_file_write(scratch("run/run.json"), text, strlen(text), &err));
    text = "id,prediction\nc0,B\nc1,A\n";
    assert_ok(bal_file_write(scratch("run/predictions.csv"), text, strlen(text), &err));
    assert_ok(bal_npy_write(scratch("run/logits.npy"), BAL_NPY_F32, dim, 2, z, &err));
    assert_ok(bal_file_write(scratch("run/ids.txt"), "c0\nc1\n", 6, &err));
    assert_in_range(fault_each_allocation(load_once, run), 15, 1000);
}

/* Xia et al. 2023, tables 1 and 2. */
static void test_published(void **state) {
    (void)state;
    static const struct {
        const char *file;
        double share, residual, first; /* fitted with numpy.linalg.lstsq; first: (o - v) / (a - v) of the first row */
    } known[] = {{"kinetics-sounds", 0.877858, 0.005021, 0.905289},
                 {"vgg-sound", 0.861525, 0.006416, 0.850080},
                 {"balanced", 0.566463, 0.005063, 0.576623}};
    char path[500];
    BalPublished p;
    for (int k = 0; k < 3; k++) {
        snprintf(path, sizeof path, AVB_SOURCE_DIR "/tests/cli/data/paper-%s.csv", known[k].file);
        assert_ok(bal_published_load(&p, path, &err));
        assert_int_equal(p.n, 6);
        assert_false(p.recombines);
        assert_true(fabs(p.share - known[k].share) < 1e-6 && fabs(p.max_residual - known[k].residual) < 1e-6);
        assert_true(fabs(p.row[0].share - known[k].first) < 1e-6);
        bal_published_reset(&p);
    }
    const char *file = scratch("t.csv");
    const char *good =
        "overall,method,audio_preferred,visual_preferred\n0.55,x,0.7,0.4\n0.5,y,0.5,0.5\n0.30,z,0.2,0.4\n";
    assert_ok(bal_file_write(file, good, strlen(good), &err));
    assert_ok(bal_published_load(&p, file, &err));
    assert_true(p.recombines && fabs(p.share - 0.5) < 1e-12 && p.max_residual < 1e-12 && isnan(p.row[1].share));
    assert_true(p.rounding == 0.005);
    assert_string_equal(p.row[2].method, "z");
    bal_published_reset(&p);
    static const struct {
        const char *text, *says;
        BalStatus rc;
    } bad[] = {
        {"method,overall,audio_preferred\nx,1,1\n", "no column \"visual_preferred\"", BAL_E_FORMAT},
        {"method,overall,audio_preferred,visual_preferred\nx,1,1,n/a\n", "line 2: visual_preferred is \"n/a\"",
         BAL_E_NUMERIC},
        {"method,overall,audio_preferred,visual_preferred\nx,1,101,1\n", "audio_preferred is \"101\"", BAL_E_NUMERIC},
        {"method,overall,audio_preferred,visual_preferred\nx,1\n", "line 2: has 2 fields", BAL_E_FORMAT},
        {"method,overall,audio_preferred,visual_preferred\n", "has no rows", BAL_E_FORMAT}};
    for (size_t k = 0; k < sizeof bad / sizeof *bad; k++) {
        assert_ok(bal_file_write(file, bad[k].text, strlen(bad[k].text), &err));
        assert_fails(bal_published_load(&p, file, &err), bad[k].rc, bad[k].says);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_numbers),          cmocka_unit_test(test_ensemble),
                                       cmocka_unit_test(test_certain_ensemble), cmocka_unit_test(test_same_bytes),
                                       cmocka_unit_test(test_refused),          cmocka_unit_test(test_faults),
                                       cmocka_unit_test(test_published)};
    return cmocka_run_group_tests(tests, open_scores, close_scores);
}
