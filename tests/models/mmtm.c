/* MMTM gates: forward and backward, a gate that is frozen, and cross-flow that is cut, against vectors (Wu et al. 2022's own code). */
#include "models/small.h"

enum { CLIPS = 2, CHANNELS = 2, PLACES = 2, MAP = CLIPS * CHANNELS * PLACES };

static Small gates(const char *backend, const BalJson *in) {
    BalError err = {0};
    Small t = {0};
    assert_ok(bal_graph_create(&t.g, &err));
    bal_graph_scope(t.g, "", BAL_TAG_AUX);
    BalVal x[2] = {bal_graph_input(t.g, "x0", (BalShape){4, {1, CHANNELS, 1, PLACES}}),
                   bal_graph_input(t.g, "x1", (BalShape){4, {1, CHANNELS, 1, PLACES}})};
    /* a 1x1 convolution with the identity as its weight, whose gradient shows that of the maps */
    for (int m = 0; m < 2; m++)
        x[m] = bal_graph_conv(t.g, m ? "v" : "a", x[m],
                              (BalConvAttr){.out_ch = CHANNELS, .kernel = {1, 1, 1}, .stride = {1, 1, 1}});
    bal_mmtm(t.g, "gate", x);
    bal_graph_output(t.g, "y0", x[0]);
    bal_graph_output(t.g, "y1", x[1]);
    small_open(&t, backend, CLIPS);
    for (int m = 0; m < 2; m++)
        assert_ok(bal_session_param_set(t.s, bal_session_find_param(t.s, m ? "v.weight" : "a.weight"),
                                        (float[]){1, 0, 0, 1}, &err));
    small_param(&t, "gate.squeeze.weight", in, "Ws");
    small_param(&t, "gate.squeeze.bias", in, "bs");
    small_param(&t, "gate.excite_audio.weight", in, "Wa");
    small_param(&t, "gate.excite_audio.bias", in, "ba");
    small_param(&t, "gate.excite_visual.weight", in, "Wv");
    small_param(&t, "gate.excite_visual.bias", in, "bv");
    return t;
}

static void feed(Small *t, const BalJson *in, const char *a, const char *v) {
    float x[MAP];
    numbers(in, a, x);
    small_set(t, "x0", x);
    numbers(in, v, x);
    small_set(t, "x1", x);
}

static void check_grad(Small *t, const char *param, const BalJson *out, const char *key) {
    BalError err = {0};
    float g[64];
    assert_ok(bal_session_grad_get(t->s, 0, bal_session_find_param(t->s, param), g, &err));
    assert_numbers(g, out, key, 1e-5);
}

/* dW[o][i] of the identity convolution is the sum over clips and places of dmap[o] * map[i]. */
static void check_map_grad(Small *t, const char *param, const BalJson *in, const char *map, const BalJson *out,
                           const char *key) {
    BalError err = {0};
    float x[MAP], d[MAP], g[CHANNELS * CHANNELS];
    numbers(in, map, x);
    numbers(out, key, d);
    assert_ok(bal_session_grad_get(t->s, 0, bal_session_find_param(t->s, param), g, &err));
    for (int o = 0; o < CHANNELS; o++)
        for (int i = 0; i < CHANNELS; i++) {
            double want = 0;
            for (int n = 0; n < CLIPS; n++)
                for (int p = 0; p < PLACES; p++)
                    want += (double)d[(n * CHANNELS + o) * PLACES + p] * x[(n * CHANNELS + i) * PLACES + p];
            assert_near(key, g[o * CHANNELS + i], want, 1e-5);
        }
}

static void forward_and_backward(void **state) {
    (void)state;
    BalError err = {0};
    const BalJson *in = vector("mmtm_forward_backward", "in"), *out = vector("mmtm_forward_backward", "out");
    for (int b = 0; b < bal_backend_count(); b++) {
        float up[MAP], squeeze[CLIPS * CHANNELS];
        double want[CLIPS * 2 * CHANNELS];
        Small t = gates(bal_backend_name(b, NULL, NULL), in);
        feed(&t, in, "fa", "fv");
        small_forward(&t, BAL_MODE_TRAIN);
        numbers_add(bal_json_get(out, "squeeze"), want, 0);
        for (int m = 0; m < 2; m++) {
            memcpy(squeeze, small_get(&t, m ? "gate.squeeze_visual" : "gate.squeeze_audio"), sizeof squeeze);
            for (int i = 0; i < CLIPS * CHANNELS; i++)
                assert_near("squeeze", squeeze[i], want[i / CHANNELS * 2 * CHANNELS + m * CHANNELS + i % CHANNELS],
                            1e-6);
        }
        assert_numbers(small_get(&t, "gate.gate_audio"), out, "gate_a", 1e-6);
        assert_numbers(small_get(&t, "gate.gate_visual"), out, "gate_v", 1e-6);
        assert_numbers(small_get(&t, "y0"), out, "out_a", 1e-6);
        assert_numbers(small_get(&t, "y1"), out, "out_v", 1e-6);
        numbers(in, "up_a", up);
        small_seed(&t, "y0", up);
        numbers(in, "up_v", up);
        small_seed(&t, "y1", up);
        assert_ok(bal_session_backward(t.s, 0, 0, false, &err));
        check_map_grad(&t, "a.weight", in, "fa", out, "d_fa");
        check_map_grad(&t, "v.weight", in, "fv", out, "d_fv");
        check_grad(&t, "gate.squeeze.weight", out, "d_Ws");
        check_grad(&t, "gate.squeeze.bias", out, "d_bs");
        check_grad(&t, "gate.excite_audio.weight", out, "d_Wa");
        check_grad(&t, "gate.excite_audio.bias", out, "d_ba");
        check_grad(&t, "gate.excite_visual.weight", out, "d_Wv");
        check_grad(&t, "gate.excite_visual.bias", out, "d_bv");
        small_close(&t);
    }
}

/* The same row for every clip. */
static void spread(float *rows, const float *row) {
    for (int n = 0; n < CLIPS; n++) memcpy(rows + n * CHANNELS, row, CHANNELS * sizeof *row);
}

/* A frozen gate is the same for all clips, and nothing goes back through it: the excitation that it replaces learns nothing. */
static void a_frozen_gate(void **state) {
    (void)state;
    BalError err = {0};
    const BalJson *in = vector("mmtm_curation", "in"), *out = vector("mmtm_curation", "out");
    Small t = gates("reference", vector("mmtm_forward_backward", "in"));
    float mean[CHANNELS], rows[CLIPS * CHANNELS], g[4], one[MAP];
    feed(&t, in, "fa2", "fv2");
    numbers(out, "run_avg_a_after2", mean);
    spread(rows, mean);
    small_set(&t, "gate.keep_gate_audio", (float[]){0, 0});
    small_set(&t, "gate.set_gate_audio", rows);
    small_forward(&t, BAL_MODE_TRAIN);
    assert_numbers(small_get(&t, "y0"), out, "out_a2", 1e-6);
    assert_numbers(small_get(&t, "y1"), out, "out_v2", 1e-6);
    for (int i = 0; i < MAP; i++) one[i] = 1;
    small_seed(&t, "y0", one);
    assert_ok(bal_session_backward(t.s, 0, 0, false, &err));
    assert_ok(bal_session_grad_get(t.s, 0, bal_session_find_param(t.s, "gate.excite_audio.weight"), g, &err));
    for (int i = 0; i < 4; i++) assert_float_equal(g[i], 0, 0);
    assert_ok(bal_session_grad_get(t.s, 0, bal_session_find_param(t.s, "v.weight"), g, &err));
    for (int i = 0; i < 4; i++) assert_float_equal(g[i], 0, 0);
    small_set(&t, "gate.keep_gate_audio", NULL); /* and it thaws */
    small_set(&t, "gate.set_gate_audio", NULL);
    in = vector("mmtm_forward_backward", "in"), out = vector("mmtm_forward_backward", "out");
    feed(&t, in, "fa", "fv");
    small_forward(&t, BAL_MODE_EVAL);
    assert_numbers(small_get(&t, "y0"), out, "out_a", 1e-6);
    small_close(&t);
}

/* A branch that sees the mean in the other's place: one pass per branch. */
static void cross_flow_is_cut(void **state) {
    (void)state;
    const BalJson *in = vector("mmtm_cross_flow_off", "in"), *out = vector("mmtm_cross_flow_off", "out");
    Small t = gates("reference", vector("mmtm_forward_backward", "in"));
    float mean[CHANNELS], rows[CLIPS * CHANNELS];
    feed(&t, in, "fa", "fv");
    for (int branch = 0; branch < 2; branch++) {
        numbers(in, branch ? "avg_squeeze_a" : "avg_squeeze_v", mean);
        spread(rows, mean);
        small_set(&t, "gate.keep_squeeze_audio", branch ? (float[]){0, 0} : NULL);
        small_set(&t, "gate.keep_squeeze_visual", branch ? NULL : (float[]){0, 0});
        small_set(&t, "gate.set_squeeze_audio", branch ? rows : NULL);
        small_set(&t, "gate.set_squeeze_visual", branch ? NULL : rows);
        small_forward(&t, BAL_MODE_EVAL);
        assert_numbers(small_get(&t, branch ? "gate.gate_visual" : "gate.gate_audio"), out,
                       branch ? "gate_v" : "gate_a", 1e-6);
    }
    small_close(&t);
}

/* Two encoders in step: gates behind the last stages, tagged so that a branch and its gates can be told apart. */
static void encoders_meet(void **state) {
    (void)state;
    BalError err = {0};
    const BalModelOps *encoder;
    Small t = {0};
    BalVal f[2];
    assert_ok(bal_model_find(&encoder, "tiny", &err));
    assert_ok(bal_graph_create(&t.g, &err));
    bal_fusion_encode_gated(t.g, encoder, (BalShape){4, {1, 1, 12, 12}}, (BalShape){4, {2, 1, 12, 12}}, 2, f);
    small_open(&t, "reference", CLIPS);
    assert_int_equal(bal_session_find_param(t.s, "mmtm0.squeeze.weight"), -1);
    const BalParam *p = bal_session_param(t.s, bal_session_find_param(t.s, "mmtm2.squeeze.weight"));
    assert_int_equal(p->shape.dim[0], 32); /* half of both widths */
    assert_int_equal(p->shape.dim[1], 64);
    assert_int_equal(p->tags, BAL_TAG_SHARED | BAL_TAG_GATE | BAL_TAG_FC);
    p = bal_session_param(t.s, bal_session_find_param(t.s, "mmtm1.excite_visual.bias"));
    assert_int_equal(p->tags, BAL_TAG_VISUAL | BAL_TAG_GATE | BAL_TAG_FC);
    small_close(&t);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forward_and_backward),
        cmocka_unit_test(a_frozen_gate),
        cmocka_unit_test(cross_flow_is_cut),
        cmocka_unit_test(encoders_meet),
    };
    return cmocka_run_group_tests(tests, vectors_open, vectors_close);
}
