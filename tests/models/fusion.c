/* Heads of late fusion: their logits and those of each modality alone against vectors, their gradients by finite differences, and the
 * whole network's parameters, tags, masks. */
#include "models/small.h"

enum { CLIPS = 2, CLASSES = 3, WIDTH = 2 };

/* The head alone, on two inputs of features. */
static Small head_of(const char *fusion, const char *backend) {
    BalError err = {0};
    const BalFusionOps *f;
    Small t = {0};
    assert_ok(bal_graph_create(&t.g, &err));
    assert_ok(bal_fusion_find(&f, fusion, &err));
    const BalVal x[2] = {bal_graph_input(t.g, "x0", (BalShape){2, {1, WIDTH}}),
                         bal_graph_input(t.g, "x1", (BalShape){2, {1, WIDTH}})};
    bal_fusion_head(t.g, f, x, CLASSES);
    small_open(&t, backend, CLIPS);
    return t;
}

static void feed(Small *t, const BalJson *in, const char *audio, const char *visual) {
    float x[CLIPS * WIDTH];
    numbers(in, audio, x);
    small_set(t, "x0", x);
    numbers(in, visual, x);
    small_set(t, "x1", x);
}

static void concat_is_the_sum_of_its_halves(const char *backend) {
    const BalJson *in = vector("fusion_concat_split", "in"), *out = vector("fusion_concat_split", "out");
    Small t = head_of("concat", backend);
    feed(&t, in, "a", "v");
    small_param(&t, "head.fc.weight", in, "W");
    small_param(&t, "head.fc.bias", in, "b");
    small_forward(&t, BAL_MODE_EVAL);
    assert_numbers(small_get(&t, "logits"), out, "out", 1e-6);
    assert_numbers(small_get(&t, "logits_audio"), out, "out_a", 1e-6);
    assert_numbers(small_get(&t, "logits_visual"), out, "out_v", 1e-6);
    small_close(&t);
}

static void sum_keeps_each_bias(const char *backend) {
    const BalJson *in = vector("fusion_sum", "in"), *out = vector("fusion_sum", "out");
    Small t = head_of("sum", backend);
    feed(&t, in, "a", "v");
    small_param(&t, "head.audio.weight", in, "Wx");
    small_param(&t, "head.audio.bias", in, "bx");
    small_param(&t, "head.visual.weight", in, "Wy");
    small_param(&t, "head.visual.bias", in, "by");
    small_forward(&t, BAL_MODE_EVAL);
    assert_numbers(small_get(&t, "logits"), out, "out", 1e-6);
    assert_numbers(small_get(&t, "logits_audio"), out, "out_a_train", 1e-6);
    assert_numbers(small_get(&t, "logits_visual"), out, "out_v_train", 1e-6);
    small_close(&t);
}

/* Logits of a modality alone are those of the head when the other's features are zero. */
static void alone_is_with_zeros(Small *t, const BalJson *in) {
    static const float zero[CLIPS * WIDTH];
    float alone[2][CLIPS * CLASSES];
    memcpy(alone[0], small_get(t, "logits_audio"), sizeof alone[0]);
    memcpy(alone[1], small_get(t, "logits_visual"), sizeof alone[1]);
    for (int m = 0; m < 2; m++) {
        feed(t, in, "x", "y");
        small_set(t, m ? "x0" : "x1", zero);
        small_forward(t, BAL_MODE_EVAL);
        assert_memory_equal(small_get(t, "logits"), alone[m], sizeof alone[m]);
    }
}

static void film_and_gated(const char *backend) {
    const BalJson *in = vector("fusion_film_gated", "in"), *out = vector("fusion_film_gated", "out");
    Small t = head_of("film", backend);
    feed(&t, in, "x", "y");
    small_param(&t, "head.film.weight", in, "film_W");
    small_param(&t, "head.film.bias", in, "film_b");
    small_param(&t, "head.fc.weight", in, "Wout");
    small_param(&t, "head.fc.bias", in, "bout");
    small_forward(&t, BAL_MODE_EVAL);
    assert_numbers(small_get(&t, "logits"), out, "film_out", 1e-6);
    alone_is_with_zeros(&t, in);
    small_close(&t);
    t = head_of("gated", backend);
    feed(&t, in, "x", "y");
    small_param(&t, "head.audio.weight", in, "gate_Wx");
    small_param(&t, "head.audio.bias", in, "gate_bx");
    small_param(&t, "head.visual.weight", in, "gate_Wy");
    small_param(&t, "head.visual.bias", in, "gate_by");
    small_param(&t, "head.fc.weight", in, "Wout");
    small_param(&t, "head.fc.bias", in, "bout");
    small_forward(&t, BAL_MODE_EVAL);
    assert_numbers(small_get(&t, "logits"), out, "gated_out", 1e-6);
    alone_is_with_zeros(&t, in);
    small_close(&t);
}

static void vectors_of_every_head(void **state) {
    (void)state;
    for (int i = 0; i < bal_backend_count(); i++) {
        const char *backend = bal_backend_name(i, NULL, NULL);
        concat_is_the_sum_of_its_halves(backend);
        sum_keeps_each_bias(backend);
        film_and_gated(backend);
    }
}

/* Sum over outputs of weight * output. */
static double weighed(Small *t, float weight[3][CLIPS * CLASSES]) {
    static const char *const name[3] = {"logits", "logits_audio", "logits_visual"};
    double sum = 0;
    small_forward(t, BAL_MODE_TRAIN);
    for (int o = 0; o < 3; o++) {
        const float *z = small_get(t, name[o]);
        for (int i = 0; i < CLIPS * CLASSES; i++) sum += (double)weight[o][i] * z[i];
        small_seed(t, name[o], weight[o]);
    }
    return sum;
}

/* Every value of every parameter moves the three outputs as its gradient says, which shared weights get from all three. */
static void gradients_of_every_head(void **state) {
    (void)state;
    BalError err = {0};
    BalRng r = bal_rng(3, BAL_RNG_TEST, 0, 0);
    float x[CLIPS * WIDTH], weight[3][CLIPS * CLASSES], w[64], g[64];
    for (int f = 0; f < bal_fusion_count(); f++) {
        Small t = head_of(bal_fusion_at(f)->name, "reference");
        for (int m = 0; m < 2; m++) {
            for (int i = 0; i < CLIPS * WIDTH; i++) x[i] = (float)bal_rng_normal(&r);
            small_set(&t, m ? "x1" : "x0", x);
        }
        for (int o = 0; o < 3; o++)
            for (int i = 0; i < CLIPS * CLASSES; i++) weight[o][i] = (float)bal_rng_normal(&r);
        for (int p = 0; p < bal_session_n_params(t.s); p++) {
            const BalShape s = bal_session_param(t.s, p)->shape;
            const int n = (int)(s.dim[0] * (s.rank > 1 ? s.dim[1] : 1));
            assert_ok(bal_session_param_get(t.s, p, w, &err));
            for (int i = 0; i < n; i++) w[i] += 0.3f * (float)bal_rng_normal(&r); /* biases too */
            assert_ok(bal_session_param_set(t.s, p, w, &err));
            weighed(&t, weight);
            assert_ok(bal_session_backward(t.s, 0, 0, false, &err));
            assert_ok(bal_session_grad_get(t.s, 0, p, g, &err));
            for (int i = 0; i < n; i++) {
                const float was = w[i];
                double step[2];
                for (int k = 0; k < 2; k++) {
                    w[i] = was + (k ? 0.01f : -0.01f);
                    assert_ok(bal_session_param_set(t.s, p, w, &err));
                    step[k] = weighed(&t, weight);
                }
                w[i] = was;
                assert_true(fabs((step[1] - step[0]) / 0.02 - g[i]) < 1e-3 * (1 + fabs(g[i])));
            }
            assert_ok(bal_session_param_set(t.s, p, w, &err));
        }
        small_close(&t);
    }
}

static void a_wrong_name_is_met_with_the_right_ones(void **state) {
    (void)state;
    BalError err = {0};
    const BalFusionOps *f;
    assert_fails(bal_fusion_find(&f, "gatted", &err), BAL_E_ARG, "did you mean \"gated\"");
}

/* Every parameter is under one of three scopes with its tag; frames are rows, so both encoders give one feature vector per clip. */
static void a_network_has_two_encoders_and_a_head(void **state) {
    (void)state;
    BalError err = {0};
    const BalModelOps *encoder;
    const BalFusionOps *fusion;
    Small t = {0};
    BalVal f[2];
    assert_ok(bal_model_find(&encoder, "tiny", &err));
    assert_ok(bal_fusion_find(&fusion, "concat", &err));
    assert_ok(bal_graph_create(&t.g, &err));
    bal_fusion_encode(t.g, encoder, (BalShape){4, {1, 1, 12, 12}}, (BalShape){4, {3, 1, 12, 12}}, f);
    bal_fusion_head(t.g, fusion, f, CLASSES);
    small_open(&t, "reference", CLIPS);
    int found[3] = {0};
    for (int i = 0; i < bal_session_n_params(t.s); i++) {
        const BalParam *p = bal_session_param(t.s, i);
        const int k = !strncmp(p->name, "audio.", 6) ? 0 : !strncmp(p->name, "visual.", 7) ? 1 : 2;
        assert_int_equal(strncmp(p->name, "head.", 5) == 0, k == 2);
        assert_int_equal(p->tags & 7, 1 << k);
        found[k]++;
    }
    assert_true(found[0] == found[1] && found[0] > 10 && found[2] == 2);
    float x[CLIPS * 3 * 144];
    BalRng r = bal_rng(1, BAL_RNG_TEST, 0, 0);
    for (int i = 0; i < CLIPS * 3 * 144; i++) x[i] = (float)bal_rng_normal(&r);
    small_set(&t, "audio", x);
    small_set(&t, "visual", x);
    small_set(&t, "visual.keep", (float[]){1, 0});
    small_forward(&t, BAL_MODE_EVAL);
    float z[CLIPS * CLASSES], b[CLASSES];
    memcpy(z, small_get(&t, "logits"), sizeof z);
    assert_ok(bal_session_param_get(t.s, bal_session_find_param(t.s, "head.fc.bias"), b, &err));
    const float *v = small_get(&t, "logits_visual"), *a;
    for (int c = 0; c < CLASSES; c++) {
        assert_true(fabsf(v[c] - b[c] / 2) > 1e-6f);
        assert_float_equal(v[CLASSES + c], b[c] / 2, 1e-7);
    }
    a = small_get(&t, "logits_audio");
    for (int c = 0; c < CLASSES; c++) assert_float_equal(a[CLASSES + c] + b[c] / 2, z[CLASSES + c], 1e-6);
    small_close(&t);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vectors_of_every_head),
        cmocka_unit_test(gradients_of_every_head),
        cmocka_unit_test(a_wrong_name_is_met_with_the_right_ones),
        cmocka_unit_test(a_network_has_two_encoders_and_a_head),
    };
    return cmocka_run_group_tests(tests, vectors_open, vectors_close);
}
