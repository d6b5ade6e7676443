/* OGM and OGM-GE: coefficients against vectors, what of the gradient is modulated, and with what noise. */
#include "methods/ogm.h"
#include "methods/score.h"
#include "base/vectors.h"
#include "methods/fd.h"

static const double ALPHA[] = {0.1, 0.8};
static const char *const VECTOR[] = {"ogm_audio_dominant_alpha0.1", "ogm_visual_dominant_alpha0.8"};

static double real(const BalJson *v, const char *key) {
    return bal_json_real(bal_json_get(v, key), NAN);
}

static void check_k(const BalJson *want, BalOgmVariant variant, double alpha, const double score[2]) {
    double k[2];
    bal_ogm_coefficients(variant, alpha, score, k);
    assert_near("k_a", k[0], real(want, "k_a"), 1e-6);
    assert_near("k_v", k[1], real(want, "k_v"), 1e-6);
}

static void coefficients_of_every_release(void **state) {
    (void)state;
    for (int i = 0; i < 2; i++) {
        const BalJson *in = vector(VECTOR[i], "in"), *out = vector(VECTOR[i], "out");
        float z[2][12], y[4];
        int32_t label[4];
        double score[2];
        numbers(in, "out_a", z[0]);
        numbers(in, "out_v", z[1]);
        numbers(in, "label", y);
        for (int k = 0; k < 4; k++) label[k] = (int32_t)y[k];
        for (int m = 0; m < 2; m++) score[m] = bal_sum_score(z[m], label, 4, 3);
        assert_near("score_a", score[0], real(out, "score_a"), 1e-6);
        assert_near("score_v", score[1], real(out, "score_v"), 1e-6);
        check_k(out, BAL_OGM_2022_05, ALPHA[i], score);
        check_k(out, BAL_OGM_PAPER, ALPHA[i], score);
        check_k(bal_json_get(out, "first_release_minus1"), BAL_OGM_FIRST, ALPHA[i], score);
        check_k(bal_json_get(out, "benchmark_eps"), BAL_OGM_BENCHMARK, ALPHA[i], score);
    }
}

static void a_tie_is_nobodys_but_in_the_code(void **state) {
    (void)state;
    const double even[2] = {3, 3};
    double k[2];
    bal_ogm_coefficients(BAL_OGM_2022_05, 0.8, even, k);
    assert_true(fabs(k[0] - (1 - tanh(0.8))) < 1e-12 && k[1] == 1);
    for (BalOgmVariant v = BAL_OGM_PAPER; v <= BAL_OGM_BENCHMARK; v++) {
        bal_ogm_coefficients(v, 0.8, even, k);
        assert_true(k[0] == 1 && k[1] == 1);
    }
}

/* A network as small as the vector: one convolution of its shape per modality. */
static void small_network(Fd *f, const char *method) {
    BalError err = {0};
    BalSessionConfig cfg = bal_session_config_default();
    BalVal z[2];
    *f = (Fd){0};
    assert_ok(bal_method_open(&f->m, method, &err));
    assert_ok(bal_backend_find(&cfg.backend, "reference", &err));
    assert_ok(bal_graph_create(&f->g, &err));
    for (int m = 0; m < 2; m++) {
        bal_graph_scope(f->g, m ? "visual." : "audio.", m ? BAL_TAG_VISUAL : BAL_TAG_AUDIO);
        const BalConvAttr a = {.out_ch = 2, .kernel = {1, 2, 2}, .stride = {1, 1, 1}, .tags = BAL_TAG_CONV};
        z[m] =
            bal_graph_conv(f->g, "conv", bal_graph_input(f->g, m ? "visual" : "audio", (BalShape){4, {1, 1, 2, 2}}), a);
        z[m] = bal_graph_linear(f->g, "fc", bal_graph_mean(f->g, z[m]), FD_CLASSES, true, 0);
        bal_graph_output(f->g, m ? "logits_visual" : "logits_audio", z[m]);
    }
    bal_graph_output(f->g, "logits", bal_graph_add(f->g, z[0], z[1]));
    assert_ok(bal_graph_finish(f->g, &err));
    cfg.batch = FD_N;
    assert_ok(bal_session_create(&f->c.session, f->g, &cfg, &err));
    for (int i = 0; i < 4 * FD_N; i++) f->audio[i] = (float)(i % 7 - 3), f->visual[i] = (float)(i % 5 - 2);
    f->c.n_classes = FD_CLASSES;
    f->c.z = f->z, f->c.dz = f->dz;
    f->c.batch = (BalMethodBatch){.audio = f->audio, .visual = f->visual, .label = f->label, .n = FD_N};
}

static void set_option(Fd *f, const char *name, const char *value) {
    BalError err = {0};
    const BalOptionSet set = {f->m.ops->options, f->m.self};
    assert_ok(bal_options_set(&set, 1, name, value, &err));
}

/* The logits of a modality after a forward pass, as a score. */
static double score_of(Fd *f, const char *output) {
    BalError err = {0};
    float z[FD_N * FD_CLASSES];
    assert_ok(bal_session_get(f->c.session, 0, output, z, &err));
    return bal_sum_score(z, f->label, FD_N, FD_CLASSES);
}

/* With the vector's normal numbers in the place of ours, what the hook leaves is the vector's: k * g + std * n. */
static void noise_has_the_gradients_own_deviation(void **state) {
    (void)state;
    const BalJson *in = vector("ogm_ge_noise", "in"), *out = vector("ogm_ge_noise", "out");
    BalError err = {0};
    Fd f;
    char alpha[32];
    float g[8], normal[8], own[8], got[8];
    small_network(&f, "ogm-ge");
    numbers(in, "grad", g);
    numbers(in, "standard_normal", normal);
    fd_loss(&f);
    const double rho = score_of(&f, "logits_audio") / score_of(&f, "logits_visual");
    const int i = bal_session_find_param(f.c.session, rho > 1 ? "audio.conv.weight" : "visual.conv.weight");
    snprintf(alpha, sizeof alpha, "%.17g", atanh(1 - real(in, "k")) / (rho > 1 ? rho : 1 / rho));
    set_option(&f, "ogm-ge.alpha", alpha);
    assert_ok(bal_session_grad_set(f.c.session, 0, i, g, &err));
    f.c.seed = 9, f.c.epoch = 2, f.c.step = 3;
    assert_ok(f.m.ops->grad(f.m.self, &f.c, &err));
    assert_ok(bal_session_grad_get(f.c.session, 0, i, got, &err));
    BalRng r = bal_rng(9, BAL_RNG_METHOD, 2, 3 * (uint64_t)bal_session_n_params(f.c.session) + (uint64_t)i);
    bal_rng_normals(&r, own, 8);
    for (int k = 0; k < 8; k++) got[k] += (float)(real(out, "unbiased_std") * (normal[k] - own[k]));
    assert_numbers(got, out, "grad_new", 1e-6);
    fd_close(&f);
}

static float before[64][8192];

/* How many tensors' gradients are no longer what they were; with k, that they are k times that. */
static int tensors_changed(Fd *f, const double k[2], unsigned *tags) {
    static float now[8192];
    BalError err = {0};
    int changed = 0;
    *tags = 0;
    for (int i = 0; i < bal_session_n_params(f->c.session); i++) {
        const BalParam *p = bal_session_param(f->c.session, i);
        if (!p->trainable) continue;
        assert_ok(bal_session_grad_get(f->c.session, 0, i, now, &err));
        const int64_t n = fd_count(f, i);
        if (!memcmp(before[i], now, (size_t)n * sizeof *now)) continue;
        for (int64_t j = 0; j < n && k; j++) {
            const double want = k[p->tags & BAL_TAG_AUDIO ? 0 : 1] * before[i][j];
            assert_true(fabs(now[j] - want) <= 1e-6 * fabs(want) + 1e-12);
        }
        assert_int_equal(p->shape.rank, 4);
        *tags |= p->tags;
        changed++;
    }
    return changed;
}

/* Three convolutions of the surer encoder and nothing else, inside the window only; with noise both encoders' convolutions. */
static void convolutions_of_the_surer_encoder_are_slowed(void **state) {
    (void)state;
    static const struct {
        bool noise;
        const char *variant;
        uint32_t epoch;
        int changed;
    } cases[] = {{false, "2022-05", 5, 3},   {false, "2022-05", 51, 0}, {false, "first", 51, 3},
                 {true, "2022-05", 50, 6},   {true, "2022-05", 51, 0},  {true, "first", 70, 6},
                 {false, "benchmark", 5, 3}, {true, "paper", 0, 6}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *const set[] = {cases[i].noise ? "ogm-ge.variant" : "ogm.variant", cases[i].variant, NULL};
        BalError err = {0};
        Fd f;
        unsigned tags;
        fd_open(&f, cases[i].noise ? "ogm-ge" : "ogm", set);
        f.c.epoch = cases[i].epoch;
        fd_loss(&f);
        const double score[2] = {score_of(&f, "logits_audio"), score_of(&f, "logits_visual")};
        const BalOgmVariant variant = !strcmp(cases[i].variant, "first")       ? BAL_OGM_FIRST
                                      : !strcmp(cases[i].variant, "benchmark") ? BAL_OGM_BENCHMARK
                                                                               : BAL_OGM_2022_05;
        double k[2];
        bal_ogm_coefficients(variant, 0.1, score, k);
        for (int p = 0; p < bal_session_n_params(f.c.session); p++)
            if (bal_session_param(f.c.session, p)->trainable)
                assert_ok(bal_session_grad_get(f.c.session, 0, p, before[p], &err));
        assert_ok(f.m.ops->grad(f.m.self, &f.c, &err));
        assert_int_equal(tensors_changed(&f, cases[i].noise ? NULL : k, &tags), cases[i].changed);
        if (cases[i].changed == 3) assert_int_equal(!!(tags & BAL_TAG_AUDIO), score[0] > score[1]);
        fd_close(&f);
    }
}

static void the_loss_changes_as_its_gradient_says(void **state) {
    (void)state;
    static const char *const set[] = {"ogm.fusion", "sum", NULL};
    Fd f;
    fd_open(&f, "ogm", set);
    assert_true(fd_check(&f) > 14);
    fd_close(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(coefficients_of_every_release),
        cmocka_unit_test(a_tie_is_nobodys_but_in_the_code),
        cmocka_unit_test(noise_has_the_gradients_own_deviation),
        cmocka_unit_test(convolutions_of_the_surer_encoder_are_slowed),
        cmocka_unit_test(the_loss_changes_as_its_gradient_says),
    };
    return cmocka_run_group_tests(tests, vectors_open, vectors_close);
}
