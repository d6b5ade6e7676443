/* Noise rules on tables small enough to tell by hand. */
#include <math.h>
#include <avbalance/curate.h>
#include "base/check.h"
#include "base/fault.h"
#include "base/text.h"

static const char *write_file(const char *name, const char *text) {
    BalError err;
    const char *path = scratch(name);
    assert_ok(bal_file_write(path, text, strlen(text), &err));
    return path;
}

static BalScores load(const char *text) {
    BalError err;
    BalScores s;
    assert_ok(bal_scores_load(&s, write_file("scores.csv", text), NULL, &err));
    return s;
}

static const char table[] = "id,label,split,u_audio,u_visual,sd_audio,sd_visual,correct_audio,correct_visual\n"
                            "low,dog,train,0.05,0.0999999,0.2,0.2,0.1,0\n"
                            "one,dog,train,0.05,0.1,0.2,0.2,0,0\n"     /* 0.1 is not below 0.1; spread too large */
                            "never,dog,train,0.2,0.2,0.05,0.05,0,0\n"  /* steadily wrong */
                            "once,dog,train,0.2,0.2,0.05,0.05,0.1,0\n" /* right once */
                            "seen,dog,train,0.01,0.9,0.01,0.01,0,1\n"  /* discrepancy, not noise */
                            "good,cat,train,0.9,0.8,0.1,0.1,1,1\n";

static void test_low_and_never(void **state) {
    (void)state;
    BalError err;
    BalNoise noise;
    BalScores s = load(table);
    BalNoiseSpec spec = bal_noise_spec_default();
    spec.cap = 1;
    assert_ok(bal_noise_find(&noise, &s, &spec, &err));
    static const uint8_t want[] = {BAL_NOISE_LOW, 0, BAL_NOISE_NEVER, 0, 0, 0};
    assert_memory_equal(noise.rules, want, sizeof want);
    assert_true(noise.removed == 2 && noise.applied[2] && noise.applied[3] && !noise.applied[0] && !noise.applied[1]);
    assert_ok(bal_noise_save(&noise, &s, &spec, scratch("out"), &err));
    bal_noise_reset(&noise);
    bal_scores_reset(&s);
    BalText rejects = {0};
    assert_ok(bal_file_read(scratch("out/rejects.csv"), 0, &rejects, &err));
    assert_string_equal(rejects.data,
                        "id,stage,rule,values\n"
                        "low,noise,low,label=dog u_audio=0.05 u_visual=0.0999999 sd_audio=0.2 sd_visual=0.2 "
                        "correct_audio=0.1 correct_visual=0\n"
                        "never,noise,never,label=dog u_audio=0.2 u_visual=0.2 sd_audio=0.05 sd_visual=0.05 "
                        "correct_audio=0 correct_visual=0\n");
    bal_text_reset(&rejects);
    BalScores kept;
    assert_ok(bal_scores_load(&kept, scratch("out/scores.csv"), NULL, &err));
    assert_true(kept.n == 4 && kept.value[BAL_SCORE_CORRECT_VISUAL][2] == 1);
    bal_scores_reset(&kept);
}

/* Ten of forty are low; a tenth may go: the four least sure, of equal ones by key. */
static void test_cap(void **state) {
    (void)state;
    BalError err;
    BalNoise noise;
    BalText t = {0};
    bal_text_add(&t, "id,label,u_audio,u_visual\n");
    for (int i = 0; i < 40; i++)
        bal_text_f(&t, "c%02d,dog,%g,%g\n", i, i < 10 ? 0.09 - 0.005 * i : 0.9, i < 10 ? 0.01 : 0.5);
    BalScores s = load(t.data);
    bal_text_reset(&t);
    BalNoiseSpec spec = bal_noise_spec_default();
    assert_ok(bal_noise_find(&noise, &s, &spec, &err));
    assert_true(noise.removed == 4 && noise.spared == 6 && noise.by_rule[2] == 10);
    for (int i = 0; i < 40; i++) assert_true(noise.out[i] == (i >= 6 && i < 10));
    bal_noise_reset(&noise);
    spec.technical = write_file("list.csv", "reason,id\nsilent,c39\n\"black, frozen\",c00\n,c01\ntwice,gone\n");
    assert_ok(bal_noise_find(&noise, &s, &spec, &err)); /* outside of the cap */
    assert_true(noise.removed == 7 && noise.out[39] && noise.out[0] && noise.out[1] && noise.n_unknown == 1);
    assert_string_equal(noise.reason[0], "black, frozen");
    bal_noise_reset(&noise);
    spec.technical = write_file("list.csv", "name\nc39\n");
    assert_fails(bal_noise_find(&noise, &s, &spec, &err), BAL_E_FORMAT, "no column \"id\"");
    bal_scores_reset(&s);
}

/* t_dog = (0.9 + 0.8 + 0.1) / 3 = 0.6 in sound and in picture; t_cat = 0.7. */
static const char said[] = "id,dog,cat,cow\nd0,0.9,0.1,0\nd1,0.8,0.2,0\nd2,0.1,0.9,0\nc0,0.2,0.8,0\nc1,0.4,0.6,0\n";

static void test_labels(void **state) {
    (void)state;
    BalError err;
    BalNoise noise;
    BalScores s = load("id,label,u_audio,u_visual\nd0,dog,0.5,0.5\nd1,dog,0.5,0.5\nd2,dog,0.5,0.5\nc0,cat,0.5,0.5\n"
                       "c1,cat,0.5,0.5\n");
    BalNoiseSpec spec = bal_noise_spec_default();
    const char *audio[2] = {write_file("audio.csv", said), write_file("fold.csv", "id,dog,cat\nd0,nan,nan\n")};
    const char *visual = write_file("visual.csv", said);
    spec.cap = 1;
    spec.outputs[BAL_AUDIO] = audio;
    spec.n_outputs[BAL_AUDIO] = 2; /* another fold's file, which did not score the clip: changes nothing */
    assert_fails(bal_noise_find(&noise, &s, &spec, &err), BAL_E_ARG, "of the visual one are missing");
    spec.outputs[BAL_VISUAL] = &visual;
    spec.n_outputs[BAL_VISUAL] = 1;
    assert_ok(bal_noise_find(&noise, &s, &spec, &err));
    assert_true(noise.removed == 1 && noise.out[2] && noise.rules[2] == BAL_NOISE_LABEL);
    assert_string_equal(s.labels[noise.suspect[2]], "cat");
    bal_noise_reset(&noise);
    /* the picture thinks of a dog: that is discrepancy */
    visual = write_file("visual.csv", "id,dog,cat\nd0,0.9,0.1\nd1,0.8,0.2\nd2,0.6,0.4\nc0,0.2,0.8\nc1,0.4,0.6\n");
    assert_ok(bal_noise_find(&noise, &s, &spec, &err));
    assert_int_equal(noise.removed, 0);
    bal_noise_reset(&noise);
    visual = write_file("visual.csv", "id,dog,cow\nd0,0.9,0.1\n");
    assert_fails(bal_noise_find(&noise, &s, &spec, &err), BAL_E_FORMAT, "none of its 2 classes is \"cat\"");
    bal_scores_reset(&s);
}

typedef struct Whole {
    BalScores s;
    BalNoiseSpec spec;
} Whole;

static BalStatus whole(void *user, BalError *err) {
    Whole *w = user;
    BalNoise noise = {0};
    BalStatus rc = bal_noise_find(&noise, &w->s, &w->spec, err);
    if (rc >= 0) rc = bal_noise_save(&noise, &w->s, &w->spec, scratch("fault"), err);
    bal_noise_reset(&noise);
    return rc;
}

static void test_faults(void **state) {
    (void)state;
    static char path[2][256]; /* copies: the rounds below ask for more paths than are kept */
    const char *outputs = path[0];
    strcpy(path[0], write_file("outputs.csv", "id,dog,cat\nlow,0.1,0.9\ngood,0.2,0.8\nseen,1,0\n"));
    strcpy(path[1], write_file("list.csv", "id,reason\nonce,silent\n"));
    Whole w = {.s = load(table), .spec = bal_noise_spec_default()};
    w.spec.cap = 1;
    w.spec.technical = path[1];
    for (int k = 0; k < BAL_SIDES; k++) {
        w.spec.outputs[k] = &outputs;
        w.spec.n_outputs[k] = 1;
    }
    assert_true(fault_each_allocation(whole, &w) > 20);
    bal_scores_reset(&w.s);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_low_and_never), cmocka_unit_test(test_cap),
                                       cmocka_unit_test(test_labels), cmocka_unit_test(test_faults)};
    return cmocka_run_group_tests(tests, scratch_open, scratch_close);
}
