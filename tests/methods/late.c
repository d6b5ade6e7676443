/* Late fusion and modality dropout: gradients of the whole loss, masks. */
#include "methods/fd.h"
#include "methods/late.h"

static void the_loss_changes_as_its_gradient_says(void **state) {
    (void)state;
    static const char *const name[] = {"concat", "sum", "film", "gated"};
    for (int i = 0; i < 4; i++) {
        Fd f;
        fd_open(&f, name[i], NULL);
        assert_true(fd_check(&f) >= 20);
        fd_close(&f);
    }
}

/* The places that methods name heads by are those of the registry. */
static void heads_are_where_methods_look(void **state) {
    (void)state;
    for (int i = 0; bal_late_choices[i]; i++) assert_string_equal(bal_late_choices[i], bal_fusion_at(i)->name);
    assert_string_equal(bal_fusion_at(LATE_GATED)->name, "gated");
    assert_string_equal(bal_fusion_at(LATE_HEADS)->name, "heads");
}

static void dropout_loses_one_or_the_other(void **state) {
    (void)state;
    static const char *const set[] = {"dropout.audio", "0.5", "dropout.visual", "0.3", "dropout.fusion", "film", NULL};
    enum { ROUNDS = 2000 };
    BalError err = {0};
    Fd f;
    int count[4] = {0};
    unsigned char first[FD_N];
    fd_open(&f, "dropout", set);
    assert_true(fd_check(&f) > 10);
    memcpy(first, f.c.batch.keep, sizeof first);
    for (int k = 0; k < ROUNDS; k++) {
        f.c.epoch = (uint32_t)k;
        assert_ok(f.m.ops->plan(f.m.self, &f.c, &err));
        for (int i = 0; i < FD_N; i++) count[f.c.batch.keep[i]]++;
    }
    /* P(both lost) = 0.15 is drawn again */
    const double n = ROUNDS * FD_N;
    assert_int_equal(count[0], 0);
    assert_true(fabs(count[BAL_TAG_VISUAL] / n - 0.5 * 0.7 / 0.85) < 0.02);
    assert_true(fabs(count[BAL_TAG_AUDIO] / n - 0.5 * 0.3 / 0.85) < 0.02);
    f.c.epoch = 0;
    for (int i = 0; i < FD_N; i++) f.clip[i] = 10 + FD_N - 1 - i; /* the same clips in another order */
    assert_ok(f.m.ops->plan(f.m.self, &f.c, &err));
    for (int i = 0; i < FD_N; i++) assert_int_equal(f.c.batch.keep[i], first[FD_N - 1 - i]);
    fd_close(&f);
}

/* What was dropped from the last batch is there again when clips are scored. */
static void nothing_is_dropped_from_scores(void **state) {
    (void)state;
    static const char *const set[] = {"dropout.audio", "0.9", NULL};
    BalError err = {0};
    Fd f;
    float z[2][FD_N * FD_CLASSES], *snapshot;
    fd_open(&f, "dropout", set);
    assert_ok(bal_session_snapshot(f.c.session, &snapshot, &err));
    assert_ok(bal_method_score(&f.m, &f.c, z[0], NULL, &err));
    fd_loss(&f); /* moves running statistics */
    assert_ok(bal_session_restore(f.c.session, snapshot, &err));
    bal_session_release(f.c.session, &snapshot);
    f.c.batch.keep = NULL; /* as the trainer's next batch has it */
    assert_ok(bal_method_score(&f.m, &f.c, z[1], NULL, &err));
    assert_memory_equal(z[0], z[1], sizeof z[0]);
    fd_close(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_loss_changes_as_its_gradient_says),
        cmocka_unit_test(heads_are_where_methods_look),
        cmocka_unit_test(dropout_loses_one_or_the_other),
        cmocka_unit_test(nothing_is_dropped_from_scores),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
