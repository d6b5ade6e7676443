/* The greedy learner: speeds, schedule, means and rates against vectors; the schedule at work on a network; gradients in both modes. */
#include "methods/greedy.h"
#include "base/fault.h"
#include "base/vectors.h"
#include "methods/fd.h"

static void pair(const BalJson *v, const char *key, double out[2]) {
    for (size_t k = 0; k < 2; k++) out[k] = bal_json_real(bal_json_at(bal_json_get(v, key), k), NAN);
}

static void learning_speeds(void **state) {
    (void)state;
    const BalJson *steps = bal_json_get(vector("greedy_learning_speed", "in"), "steps");
    const BalJson *after = bal_json_get(vector("greedy_learning_speed", "out"), "after_each_step");
    BalGreedySchedule s = {.left = 0};
    for (size_t i = 0; i < bal_json_size(steps); i++) {
        const BalJson *in = bal_json_at(steps, i), *out = bal_json_at(after, i);
        BalGreedyNorms n;
        double cum[4];
        pair(in, "gn_by", n.bypass_gg), pair(in, "wn_by", n.bypass_ww);
        pair(in, "gn_main", n.main_gg), pair(in, "wn_main", n.main_ww);
        const double d = bal_greedy_speed(&s, &n);
        numbers_add(bal_json_get(out, "cum"), cum, 0);
        assert_near("M_bypass_0", s.bypass[0], cum[0], 1e-6);
        assert_near("M_bypass_1", s.bypass[1], cum[1], 1e-6);
        assert_near("M_main_0", s.main[0], cum[2], 1e-6);
        assert_near("M_main_1", s.main[1], cum[3], 1e-6);
        assert_near("d_speed", d, bal_json_real(bal_json_get(out, "d_speed"), NAN), 1e-6);
    }
}

static void schedule(void **state) {
    (void)state;
    const BalJson *in = vector("greedy_schedule", "in");
    const BalJson *timeline = bal_json_get(vector("greedy_schedule", "out"), "timeline");
    const BalJson *speeds = bal_json_get(in, "d_speed_at_regular_steps");
    const int window = (int)bal_json_int(bal_json_get(in, "window"), 0);
    BalGreedySchedule s = {.left = 0};
    size_t regular = 0;
    assert_int_equal(bal_json_size(timeline), 14);
    for (size_t i = 0; i < bal_json_size(timeline); i++) {
        const BalJson *want = bal_json_at(timeline, i);
        const bool held = s.left > 0;
        assert_int_equal(held, !strcmp(bal_json_text(bal_json_get(want, "mode"), ""), "rebalance"));
        assert_int_equal(held ? s.side : -1, bal_json_int(bal_json_get(want, "frozen_gate"), -1));
        const double d = held ? 0 : bal_json_real(bal_json_at(speeds, regular++), NAN);
        bal_greedy_next(&s, d, bal_json_real(bal_json_get(in, "tolerance"), NAN), window, true);
    }
    bal_greedy_next(&s, 1, 0.01, window, false); /* the first epoch only adds up */
    assert_int_equal(s.left, 0);
}

/* Gates of the first batch are in a vector; those of the second come from its means, which must then be met again. */
static void means_of_gates(void **state) {
    (void)state;
    const BalJson *gates = vector("mmtm_forward_backward", "out"), *out = vector("mmtm_curation", "out");
    static const char *const gate[] = {"gate_a", "gate_v"};
    static const char *const first[] = {"run_avg_a_after1", "run_avg_v_after1_corrected"};
    static const char *const second[] = {"run_avg_a_after2", "run_avg_v_after2_corrected"};
    for (int k = 0; k < 2; k++) {
        float rows[4], mean[2] = {7, 7}, after[2], again[2];
        numbers(gates, gate[k], rows);
        bal_greedy_take_in(mean, 0, rows, 2, 2);
        assert_numbers(mean, out, first[k], 1e-6);
        numbers(out, second[k], after);
        for (int c = 0; c < 2; c++) again[c] = 2 * after[c] - mean[c];
        bal_greedy_take_in(mean, 1, again, 1, 2);
        assert_numbers(mean, out, second[k], 1e-6);
    }
}

static void utilisation(void **state) {
    (void)state;
    const BalJson *in = vector("greedy_cur", "in"), *out = vector("greedy_cur", "out");
    double u[2];
    const double on[2] = {bal_json_real(bal_json_get(in, "A0"), NAN), bal_json_real(bal_json_get(in, "A1"), NAN)};
    const double off[2] = {bal_json_real(bal_json_get(in, "A0_off"), NAN),
                           bal_json_real(bal_json_get(in, "A1_off"), NAN)};
    const double d = bal_greedy_utilisation(on, off, u);
    assert_near("u0", u[0], bal_json_real(bal_json_get(out, "u_m1_given_m0"), NAN), 1e-6);
    assert_near("u1", u[1], bal_json_real(bal_json_get(out, "u_m0_given_m1"), NAN), 1e-6);
    assert_near("d_util", d, bal_json_real(bal_json_get(out, "d_util"), NAN), 1e-6);
}

static bool learns(Fd *f, const char *param) {
    BalError err = {0};
    static float g[8192];
    const int i = bal_session_find_param(f->c.session, param);
    bool any = false;
    assert_true(i >= 0);
    assert_ok(bal_session_grad_get(f->c.session, 0, i, g, &err));
    for (int64_t k = 0; k < fd_count(f, i); k++) any |= g[k] != 0;
    return any;
}

/* No step of the first epoch is held; then one regular step, `window` held ones, one regular step, ... A held gate learns nothing, its
 * squeeze learns for the other side, and the next batch, of another size, is scored with gates that work. */
static void steps_take_turns(void **state) {
    (void)state;
    static const char *const set[] = {"greedy.window", "3", "greedy.tolerance", "0", NULL};
    static const BalOptimiser sgd = {.kind = BAL_SGD, .lr = 0.01};
    BalError err = {0};
    Fd f;
    fd_open(&f, "greedy", set);
    for (int step = 0; step < 20; step++) {
        f.c.epoch = step >= 4;
        f.c.batch.n = FD_N;
        assert_ok(bal_method_step(&f.m, &f.c, &sgd, &err));
        const int held = !learns(&f, "mmtm2.excite_audio.weight") + !learns(&f, "mmtm2.excite_visual.weight");
        assert_int_equal(held, step > 4 && (step - 4) % 4 != 0);
        assert_true(learns(&f, "mmtm2.squeeze.weight"));
        f.c.batch.n = FD_N - 1;
        float z[FD_N * FD_CLASSES], a[FD_N * FD_CLASSES], v[FD_N * FD_CLASSES];
        assert_ok(bal_method_score(&f.m, &f.c, z, NULL, &err));
        assert_ok(bal_session_get(f.c.session, 0, "logits_audio", a, &err));
        assert_ok(bal_session_get(f.c.session, 0, "logits_visual", v, &err));
        for (int i = 0; i < (FD_N - 1) * FD_CLASSES; i++) assert_true(fabsf(z[i] - (a[i] + v[i]) / 2) < 1e-5f);
    }
    fd_close(&f);
}

static void random_turns(void **state) {
    (void)state;
    static const char *const set[] = {"greedy.variant", "random", NULL};
    static const BalOptimiser sgd = {.kind = BAL_SGD, .lr = 0.001};
    BalError err = {0};
    Fd f;
    int count[3] = {0};
    fd_open(&f, "greedy", set);
    for (f.c.step = 0; f.c.step < 90; f.c.step++) {
        f.c.epoch = 1;
        assert_ok(bal_method_step(&f.m, &f.c, &sgd, &err));
        count[!learns(&f, "mmtm1.excite_audio.weight") ? 0 : !learns(&f, "mmtm1.excite_visual.weight") ? 1 : 2]++;
    }
    for (int k = 0; k < 3; k++) assert_true(count[k] > 15);
    fd_close(&f);
}

static void the_loss_changes_as_its_gradient_says(void **state) {
    (void)state;
    static const char *const set[] = {"greedy.tolerance", "0", NULL};
    static const BalOptimiser still = {.kind = BAL_SGD, .lr = 0};
    BalError err = {0};
    Fd f;
    fd_open(&f, "greedy", set);
    assert_true(fd_check(&f) > 20);
    f.c.epoch = 1; /* the means are of hundreds of passes by now, so that one more does not move them */
    assert_ok(bal_method_step(&f.m, &f.c, &still, &err));
    fd_loss(&f);
    assert_true(learns(&f, "mmtm1.excite_audio.weight") != learns(&f, "mmtm1.excite_visual.weight"));
    assert_true(fd_check(&f) > 16);
    fd_close(&f);
}

/* A life with each allocation failing once, the gates' means among them: a failure with a message, and nothing leaks. */
typedef struct Life {
    Fd f;
    const BalModelOps *encoder;
    const struct BalBackendOps *backend;
} Life;

static BalStatus whole_life(void *user, BalError *err) {
    static const BalOptimiser sgd = {.kind = BAL_SGD, .lr = 0.01};
    Life *life = user;
    Fd *f = &life->f;
    BalNetSpec net = {.audio = {4, {1, 1, FD_SIDE, FD_SIDE}}, .visual = {4, {2, 1, FD_SIDE, FD_SIDE}}, .n_classes = 3};
    BalMethodNeeds needs = {1, 1, 1};
    BalSessionConfig cfg = bal_session_config_default();
    BalStatus rc;
    net.encoder = life->encoder;
    cfg.backend = life->backend;
    BAL_TRY_OR(done, bal_method_open(&f->m, "greedy", err));
    BAL_TRY_OR(done, bal_graph_create(&f->g, err));
    BAL_TRY_OR(done, f->m.ops->build(f->m.self, &net, f->g, &needs, err));
    BAL_TRY_OR(done, bal_graph_finish(f->g, err));
    cfg.batch = FD_N;
    cfg.threads = 1;
    BAL_TRY_OR(done, bal_session_create(&f->c.session, f->g, &cfg, err));
    BAL_TRY_OR(done, bal_method_step(&f->m, &f->c, &sgd, err));
done:
    fd_close(f);
    return rc;
}

static void failing_allocations(void **state) {
    (void)state;
    static Life life;
    Fd *f = &life.f;
    BalError err = {0};
    assert_ok(bal_model_find(&life.encoder, "tiny", &err));
    assert_ok(bal_backend_find(&life.backend, "reference", &err));
    f->c.n_classes = FD_CLASSES;
    f->c.z = f->z, f->c.dz = f->dz;
    f->c.batch = (BalMethodBatch){.audio = f->audio, .visual = f->visual, .label = f->label, .n = FD_N};
    assert_true(fault_each_allocation(whole_life, &life) > 50);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(learning_speeds),     cmocka_unit_test(schedule),
        cmocka_unit_test(means_of_gates),      cmocka_unit_test(utilisation),
        cmocka_unit_test(steps_take_turns),    cmocka_unit_test(random_turns),
        cmocka_unit_test(failing_allocations), cmocka_unit_test(the_loss_changes_as_its_gradient_says),
    };
    return cmocka_run_group_tests(tests, vectors_open, vectors_close);
}
