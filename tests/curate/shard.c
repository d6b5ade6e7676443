/* Selections from shards: the same bytes as from one table, however the rows are dealt; refusals; no memory. */
#include <math.h>

#include <avbalance/select.h>
#include "base/check.h"
#include "base/fault.h"
#include "base/rng.h"
#include "base/text.h"

enum { ROWS = 4000 };

static char dir[64], must[128], earlier[128];
static const char *at(const char *name, int i) {
    static char path[16][128];
    static int k;
    char *p = path[k++ % 16];
    snprintf(p, sizeof path[0], "%s/%s-%d", dir, name, i);
    return p;
}

static const char *keep(char to[128], const char *path) {
    snprintf(to, 128, "%s", path);
    return to;
}

/* Row i; sources are four neighbours. */
static void add_row(BalText *t, int i) {
    BalRng r = bal_rng(6, BAL_RNG_TEST, 0, (uint64_t)i);
    const double lean = 0.3 * bal_rng_normal(&r), level = bal_rng_uniform(&r);
    bal_text_f(t, "clip%d,\"class, %u\",%.3f,%.3f,video%d\n", i, (unsigned)bal_rng_below(&r, 6),
               fmin(1, fmax(0, level + lean / 2)), fmin(1, fmax(0, level - lean / 2)), i / 4);
}

/* Rows dealt by their source to n files part-1 .. part-n; n 1: to all-0. In file order, or backwards. */
static void deal(int n, uint64_t seed, bool backwards) {
    BalText *t = calloc((size_t)n, sizeof *t);
    BalError err = {0};
    for (int i = 0; i < n; i++) bal_text_add(&t[i], "id,label,u_audio,u_visual,source\n");
    for (int k = 0; k < ROWS; k++) {
        const int i = backwards ? ROWS - 1 - k : k;
        BalRng r = bal_rng(seed, BAL_RNG_TEST, 1, (uint64_t)i / 4);
        add_row(&t[bal_rng_below(&r, (uint64_t)n)], i);
    }
    for (int i = 0; i < n; i++) {
        assert_ok(bal_file_write(n == 1 ? at("all", 0) : at("part", i + 1), t[i].data, t[i].len, &err));
        bal_text_reset(&t[i]);
    }
    free(t);
}

static BalSelectSpec spec_of(int k) {
    BalSelectSpec s = bal_select_spec_default();
    s.policy = k == 1 ? BAL_POLICY_STRICT : k == 2 ? BAL_POLICY_PLANE : BAL_POLICY_RATIO;
    s.per_source = k == 1 ? 2 : 0;
    s.seed = (uint64_t)k;
    s.class_max = 300;
    s.must_keep = must;
    s.extend = earlier;
    return s;
}

static void read_all(const char *path, BalText *out) {
    static const char *const names[] = {"selected.txt", "selected.csv", "certificate.json", "select.json"};
    BalError err = {0};
    for (int i = 0; i < 4; i++) {
        BalText name = {0}, file = {0};
        bal_path_join(&name, path, names[i]);
        assert_ok(bal_file_read(name.data, 0, &file, &err));
        bal_text_add_n(out, file.data, file.len);
        bal_text_reset(&file);
        bal_text_reset(&name);
    }
}

static void test_same(void **state) {
    (void)state;
    BalError err = {0};
    deal(1, 0, false);
    for (int k = 0; k < 3; k++) {
        const int n = k == 0 ? 2 : k == 1 ? 5 : 9;
        const BalSelectSpec spec = spec_of(k);
        char names[2][9][128];
        const char *counts[9], *picks[9];
        BalSelectResult s;
        BalText one = {0}, all = {0};
        assert_ok(bal_select_file(&s, at("all", 0), NULL, &spec, &err));
        assert_int_equal(s.n_must, 3);
        assert_int_equal(s.n_gone, 1);
        assert_ok(bal_selection_save(&s, NULL, at("one", k), true, &err));
        bal_selection_reset(&s);
        read_all(at("one", k), &one);

        deal(n, (uint64_t)k, k != 1);
        for (int i = 0; i < n; i++) { /* in an order of their own */
            const BalShard shard = {(i + n / 2) % n + 1, n};
            counts[i] = keep(names[0][i], at("counts", shard.index));
            assert_ok(bal_shard_count(at("part", shard.index), NULL, &spec, shard, counts[i], &err));
        }
        assert_ok(bal_shard_quotas(&s, counts, n, &spec, at("quotas", k), &err));
        assert_true(s.kept > 300);
        bal_selection_reset(&s);
        for (int i = 0; i < n; i++) {
            const BalShard shard = {n - i, n};
            picks[i] = keep(names[1][i], at("picks", shard.index));
            assert_ok(bal_shard_pick(at("part", shard.index), &(BalScoresSpec){.threads = 1 + i % 3}, &spec, shard,
                                     at("quotas", k), k == 2, picks[i], &err));
        }
        assert_ok(bal_shard_merge(&s, picks, n, at("quotas", k), &err));
        assert_ok(bal_selection_save(&s, NULL, at("two", k), true, &err));
        bal_selection_reset(&s);
        read_all(at("two", k), &all);
        assert_string_equal(one.data, all.data);
        bal_text_reset(&one);
        bal_text_reset(&all);
    }
}

static void test_refusals(void **state) {
    (void)state;
    BalError err = {0};
    BalSelectResult s;
    BalSelectSpec spec = spec_of(0), other = spec_of(0);
    char c[2][128];
    const char *two[] = {keep(c[0], at("c", 1)), keep(c[1], at("c", 2))}, *one[] = {two[0]}, *same[] = {two[0], two[0]};
    deal(2, 0, false);
    assert_fails(bal_shard_count(at("part", 1), NULL, &spec, (BalShard){3, 2}, two[0], &err), BAL_E_ARG,
                 "shard 3 of 2");
    for (int i = 0; i < 2; i++)
        assert_ok(bal_shard_count(at("part", i + 1), NULL, &spec, (BalShard){i + 1, 2}, two[i], &err));
    assert_fails(bal_shard_quotas(&s, one, 1, &spec, at("q", 0), &err), BAL_E_MISMATCH, "shard 2 of 2 are missing");
    assert_fails(bal_shard_quotas(&s, same, 2, &spec, at("q", 0), &err), BAL_E_MISMATCH, "shard 1 is there twice");
    assert_ok(bal_shard_count(at("part", 1), NULL, &spec, (BalShard){2, 2}, two[1], &err));
    assert_fails(bal_shard_quotas(&s, two, 2, &spec, at("q", 0), &err), BAL_E_MISMATCH, "have the same rows");
    other.seed = 99;
    assert_ok(bal_shard_count(at("part", 2), NULL, &other, (BalShard){2, 2}, two[1], &err));
    assert_fails(bal_shard_quotas(&s, two, 2, &spec, at("q", 0), &err), BAL_E_MISMATCH, "other bins, seed");
    other = spec;
    other.must_keep = earlier;
    assert_ok(bal_shard_count(at("part", 2), NULL, &other, (BalShard){2, 2}, two[1], &err));
    assert_fails(bal_shard_quotas(&s, two, 2, &spec, at("q", 0), &err), BAL_E_MISMATCH, "lists of ids");
    assert_false(bal_file_exists(at("q", 0)));

    assert_ok(bal_shard_count(at("part", 2), NULL, &spec, (BalShard){2, 2}, two[1], &err));
    assert_ok(bal_shard_quotas(&s, two, 2, &spec, at("q", 0), &err));
    bal_selection_reset(&s);
    assert_fails(bal_shard_pick(at("part", 1), NULL, &spec, (BalShard){2, 2}, at("q", 0), false, at("p", 1), &err),
                 BAL_E_MISMATCH, "not the table that was counted as this shard");
    const char *picks[] = {at("p", 1), at("p", 2)};
    other.must_keep = other.extend = NULL;
    for (int i = 0; i < 2; i++)
        assert_ok(
            bal_shard_pick(at("part", i + 1), NULL, &other, (BalShard){i + 1, 2}, at("q", 0), false, picks[i], &err));
    assert_fails(bal_shard_merge(&s, picks, 2, at("q", 0), &err), BAL_E_MISMATCH, "the same --must-keep and --extend");
    assert_fails(bal_shard_merge(&s, picks, 1, at("q", 0), &err), BAL_E_MISMATCH, "shard 2 of 2 are missing");
    assert_fails(bal_shard_merge(&s, picks, 2, two[0], &err), BAL_E_FORMAT, "give the quotas");
}

/* ---- without memory ---- */

static BalStatus count_small(void *user, BalError *err) {
    const BalSelectSpec spec = {.policy = BAL_POLICY_RATIO, .bins = 2, .ratio = 2};
    (void)user;
    return bal_shard_count(at("small", 0), &(BalScoresSpec){.threads = 1}, &spec, (BalShard){1, 1}, at("sc", 0), err);
}

static BalStatus plan_small(void *user, BalError *err) {
    const BalSelectSpec spec = {.policy = BAL_POLICY_RATIO, .bins = 2, .ratio = 2};
    const char *counts[] = {at("sc", 0)};
    BAL_TRY(bal_shard_quotas(user, counts, 1, &spec, at("sq", 0), err));
    bal_selection_reset(user);
    return BAL_OK;
}

static BalStatus pick_small(void *user, BalError *err) {
    const BalSelectSpec files = {0};
    (void)user;
    return bal_shard_pick(at("small", 0), &(BalScoresSpec){.threads = 1}, &files, (BalShard){1, 1}, at("sq", 0), false,
                          at("sp", 0), err);
}

static BalStatus merge_small(void *user, BalError *err) {
    const char *picks[] = {at("sp", 0)};
    BAL_TRY(bal_shard_merge(user, picks, 1, at("sq", 0), err));
    bal_selection_reset(user);
    return BAL_OK;
}

static void test_memory(void **state) {
    (void)state;
    static const char text[] = "id,label,u_audio,u_visual\na,x,0.5,0.1\nb,x,0.1,0.5\nc,y,0.9,0.1\nd,y,0.2,0.5\n";
    BalError err = {0};
    BalSelectResult s;
    assert_ok(bal_file_write(at("small", 0), text, sizeof text - 1, &err));
    assert_true(fault_each_allocation(count_small, &s) > 20);
    assert_true(fault_each_allocation(plan_small, &s) > 20);
    assert_true(fault_each_allocation(pick_small, &s) > 20);
    assert_true(fault_each_allocation(merge_small, &s) > 20);
}

static int setup(void **state) {
    BalError err = {0};
    if (scratch_open(state)) return -1;
    snprintf(dir, sizeof dir, "%s", scratch_dir);
    keep(must, at("must", 0));
    keep(earlier, at("earlier", 0));
    if (bal_file_write(must, "clip7\nclip70\n", 13, &err) < 0) return -1;
    return bal_file_write(earlier, "clip9\ngone\n", 11, &err) < 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_same), cmocka_unit_test(test_refusals),
                                       cmocka_unit_test(test_memory)};
    return cmocka_run_group_tests(tests, setup, scratch_close);
}
