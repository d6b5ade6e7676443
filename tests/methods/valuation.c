/* Valuation: the table against its vector, and the list that an epoch's end makes. */
#include "base/vectors.h"
#include "methods/fd.h"
#include "methods/valuation.h"

static void table(void **state) {
    (void)state;
    const BalJson *rows = bal_json_get(vector("sample_valuation", "out"), "table");
    assert_int_equal(bal_json_size(rows), 8);
    for (size_t i = 0; i < bal_json_size(rows); i++) {
        const BalJson *row = bal_json_at(rows, i);
        double phi[2];
#define GET(key) bal_json_real(bal_json_get(row, key), NAN)
        bal_valuation(GET("correct_both") > 0, GET("correct_a") > 0, GET("correct_v") > 0, phi);
        assert_float_equal(phi[0], GET("contrib_a"), 0);
        assert_float_equal(phi[1], GET("contrib_v"), 0);
        assert_int_equal(bal_valuation_copies(phi[0]), (int)GET("extra_copies_audio_only"));
        assert_int_equal(bal_valuation_copies(phi[1]), (int)GET("extra_copies_visual_only"));
#undef GET
    }
}

static bool right(Fd *f, const char *output, int i) {
    float z[FD_N * FD_CLASSES];
    BalError err = {0};
    assert_ok(bal_session_get(f->c.session, 0, output, z, &err));
    for (int k = 0; k < FD_CLASSES; k++)
        if (z[i * FD_CLASSES + k] > z[i * FD_CLASSES + f->label[i]]) return false;
    return true;
}

/* Every clip once, and the copies that its own answers ask for. */
static void the_list_of_the_next_epoch(void **state) {
    (void)state;
    static const char *const set[] = {"valuation.warmup", "2", NULL};
    BalError err = {0};
    Fd f;
    float z[FD_N * FD_CLASSES];
    fd_open(&f, "valuation", set);
    fd_train(&f);
    assert_true(fd_check(&f) >= 20);
    assert_ok(f.m.ops->epoch_end(f.m.self, &f.c, &err));
    assert_int_equal(f.n_list, 0); /* warming up */
    f.c.epoch = 1;
    assert_ok(f.m.ops->epoch_end(f.m.self, &f.c, &err));
    assert_true(f.n_list >= FD_N);
    assert_ok(bal_method_score(&f.m, &f.c, z, NULL, &err));
    for (int i = 0; i < FD_N; i++) {
        int found[4] = {0};
        double phi[2];
        for (int64_t k = 0; k < f.n_list; k++)
            if (f.list[k].clip == f.clip[i]) found[f.list[k].keep]++;
        bal_valuation(right(&f, "logits", i), right(&f, "kept_audio", i), right(&f, "kept_visual", i), phi);
        assert_int_equal(found[BAL_TAG_AUDIO | BAL_TAG_VISUAL], 1);
        assert_int_equal(found[BAL_TAG_AUDIO], bal_valuation_copies(phi[0]));
        assert_int_equal(found[BAL_TAG_VISUAL], bal_valuation_copies(phi[1]));
    }
    fd_close(&f);
}

static void by_modality_one_of_them_is_added(void **state) {
    (void)state;
    static const char *const set[] = {
        "valuation.level", "modality", "valuation.warmup", "1", "valuation.alpha", "3", NULL};
    BalError err = {0};
    Fd f;
    int added = 0;
    fd_open(&f, "valuation", set);
    fd_train(&f);
    for (f.c.epoch = 0; f.c.epoch < 9; f.c.epoch++) {
        assert_ok(f.m.ops->epoch_end(f.m.self, &f.c, &err));
        for (int64_t k = 0; k < f.n_list; k++) {
            assert_int_equal(f.list[k].keep == (BAL_TAG_AUDIO | BAL_TAG_VISUAL), k < FD_N);
            if (k > FD_N) assert_int_equal(f.list[k].keep, f.list[FD_N].keep);
        }
        added += f.n_list > FD_N;
    }
    assert_true(added > 0);
    f.n_list = 0; /* after the last epoch there is nothing to prepare */
    assert_ok(f.m.ops->epoch_end(f.m.self, &f.c, &err));
    assert_int_equal(f.n_list, 0);
    fd_close(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(table),
        cmocka_unit_test(the_list_of_the_next_epoch),
        cmocka_unit_test(by_modality_one_of_them_is_added),
    };
    return cmocka_run_group_tests(tests, vectors_open, vectors_close);
}
