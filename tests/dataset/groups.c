/* Dealing clips into parts: whole sources, classes in proportion, equal sizes, whatever the order of the clips. */
#include "dataset/groups.h"

#include "base/check.h"
#include "base/mem.h"
#include "base/rng.h"

enum { N = 2000, CLASSES = 7 };

typedef struct Clips {
    char name[N][16];
    const char *source[N];
    int label[N];
} Clips;
static Clips clips;

/* Sources of 1 to max_size clips, all of one class, classes of unequal size. Returns the number of sources. */
static int make(int max_size) {
    BalRng r = bal_rng(max_size, BAL_RNG_TEST, 0, 0);
    int n_sources = 0;
    for (int i = 0; i < N; n_sources++) {
        int size = 1 + (int)bal_rng_below(&r, (uint64_t)max_size),
            label = (int)bal_rng_below(&r, 1 + bal_rng_below(&r, CLASSES));
        for (int j = 0; j < size && i < N; j++, i++) {
            snprintf(clips.name[i], sizeof clips.name[i], "s%d", n_sources);
            clips.source[i] = clips.name[i];
            clips.label[i] = label;
        }
    }
    return n_sources;
}

static void check_folds(int k, int max_size, int slack) {
    static int part[N];
    BalError err = {0};
    double share[16];
    int count[16][CLASSES + 1] = {{0}}, total[CLASSES + 1] = {0};
    make(max_size);
    for (int p = 0; p < k; p++) share[p] = 1;
    assert_ok(bal_groups_assign(clips.source, clips.label, N, share, k, 3, BAL_RNG_FOLD, part, &err));
    for (int i = 0; i < N; i++) {
        assert_in_range(part[i], 0, k - 1);
        if (i && !strcmp(clips.source[i], clips.source[i - 1])) assert_int_equal(part[i], part[i - 1]);
        count[part[i]][clips.label[i]]++;
        count[part[i]][CLASSES]++;
        total[clips.label[i]]++;
        total[CLASSES]++;
    }
    for (int p = 0; p < k; p++)
        for (int c = 0; c <= CLASSES; c++)
            if (abs(count[p][c] * k - total[c]) > slack * k)
                fail_msg("k %d, sources up to %d: part %d has %d of the %d of class %d", k, max_size, p, count[p][c],
                         total[c], c);
}

static void folds_are_even(void **state) {
    (void)state;
    for (int k = 2; k <= 10; k++) {
        check_folds(k, 1, 2); /* every clip its own source: within two of exact */
        check_folds(k, 4, 4);
        check_folds(k, 20, 20);
    }
}

static void order_does_not_matter(void **state) {
    (void)state;
    static int part[N], moved[N], label[N];
    static const char *source[N];
    static int64_t order[N];
    BalError err = {0};
    const double share[3] = {0.5, 0.3, 0.2};
    make(6);
    assert_ok(bal_groups_assign(clips.source, clips.label, N, share, 3, 1, BAL_RNG_FOLD, part, &err));
    for (int i = 0; i < N; i++) order[i] = i;
    BalRng r = bal_rng(4, BAL_RNG_TEST, 0, 0);
    bal_rng_shuffle(&r, order, N);
    for (int i = 0; i < N; i++) source[i] = clips.source[order[i]], label[i] = clips.label[order[i]];
    assert_ok(bal_groups_assign(source, label, N, share, 3, 1, BAL_RNG_FOLD, moved, &err));
    for (int i = 0; i < N; i++) assert_int_equal(moved[i], part[order[i]]);
    assert_ok(bal_groups_assign(clips.source, clips.label, N, share, 3, 2, BAL_RNG_FOLD, moved, &err));
    assert_memory_not_equal(part, moved, sizeof part); /* another seed */
}

static void no_part_is_empty(void **state) {
    (void)state;
    static const char *const source[] = {"a", "b", "c", "a", "a", "b"};
    static const int label[] = {0, 0, -1, 1, 1, 0};
    const double share[3] = {0.98, 0.01, 0.01};
    BalError err = {0};
    int part[6], seen[3] = {0};
    assert_ok(bal_groups_assign(source, label, 6, share, 3, 0, BAL_RNG_FOLD, part, &err));
    for (int i = 0; i < 6; i++) seen[part[i]] = 1;
    for (int p = 0; p < 3; p++) assert_true(seen[p]);
    assert_fails(bal_groups_assign(source, label, 2, share, 3, 0, BAL_RNG_FOLD, part, &err), BAL_E_ARG,
                 "2 sources into 3");
}

static void hold_out_takes_a_share_of_train(void **state) {
    (void)state;
    static BalClip clip[N];
    static BalSplit split[N];
    BalError err = {0};
    int n_train = 0, n_val = 0;
    make(3);
    for (int i = 0; i < N; i++) {
        clip[i] = (BalClip){.id = clips.name[i], .source = clips.source[i], .label = clips.label[i]};
        split[i] = i % 4 ? BAL_SPLIT_TRAIN : BAL_SPLIT_TEST;
    }
    assert_ok(bal_groups_hold_out(clip, N, 0.1, 9, split, &err));
    for (int i = 0; i < N; i++) {
        assert_int_equal(split[i] == BAL_SPLIT_TEST, i % 4 == 0);
        n_train += split[i] == BAL_SPLIT_TRAIN;
        n_val += split[i] == BAL_SPLIT_VAL;
        for (int j = i - 3; j < i; j++) /* no source on both sides */
            if (j >= 0 && i % 4 && j % 4 && !strcmp(clips.source[i], clips.source[j]))
                assert_int_equal(split[i], split[j]);
    }
    assert_in_range(n_val, 145, 155);
    int64_t before = n_train;
    assert_ok(bal_groups_hold_out(clip, N, 0.5, 9, split, &err)); /* there is a val already */
    for (int i = n_train = 0; i < N; i++) n_train += split[i] == BAL_SPLIT_TRAIN;
    assert_int_equal(n_train, before);
    for (int i = 0; i < N; i++) split[i] = BAL_SPLIT_TRAIN, clip[i].source = "one";
    assert_fails(bal_groups_hold_out(clip, N, 0.1, 9, split, &err), BAL_E_ARG, "1 sources");
    assert_fails(bal_groups_hold_out(clip, N, 1, 9, split, &err), BAL_E_ARG, "between 0 and 1");
    for (int i = 0; i < N; i++) assert_int_equal(split[i], BAL_SPLIT_TRAIN);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(folds_are_even),
        cmocka_unit_test(order_does_not_matter),
        cmocka_unit_test(no_part_is_empty),
        cmocka_unit_test(hold_out_takes_a_share_of_train),
    };
    return cmocka_run_group_tests_name("dataset.groups", tests, NULL, NULL);
}
