/* Every allocation of the readers and of the analysis fails once: each time a message, no crash, no leak, no half-written list. */
#include "../base/fault.h"

#include <avbalance/analysis.h>

static const char *table(void) {
    static const char text[] = "id,label,split,u_audio,u_visual,sd_audio\n\"b,1\",x,train,0.9,0.1,0.1\na,y,test,0."
                               "30000000000000004,0.5,\nc,x,test,0,1,0.2\n";
    const char *path = scratch("scores.csv");
    if (!bal_file_exists(path) && bal_file_write(path, text, sizeof text - 1, NULL) < 0) fail();
    return path;
}

static BalStatus load_and_save(void *user, BalError *err) {
    (void)user;
    BalScores s = {0};
    BalSummary m = {0};
    BalStatus rc = bal_scores_load(&s, table(), NULL, err);
    if (rc >= 0) rc = bal_summary_make(&m, &s, err);
    if (rc >= 0) rc = bal_scores_save(&s, scratch("saved.csv"), err);
    bal_summary_reset(&m);
    bal_scores_reset(&s);
    return rc;
}

static BalStatus count(void *user, BalError *err) {
    return bal_heatmap_file(user, table(), &(BalScoresSpec){.threads = 1}, err);
}

static BalStatus split(void *user, BalError *err) {
    return bal_split_file(user, table(), &(BalScoresSpec){.threads = 1}, (double[]){0.2}, 1, scratch("lists"), err);
}

static void test_faults(void **state) {
    (void)state;
    static BalHeatmap h;
    static BalSplitResult r;
    char **names;
    int n;
    BalError err = {0};
    table();
    assert_in_range(fault_each_allocation(load_and_save, NULL), 10, 1000);
    assert_in_range(fault_each_allocation(count, &h), 5, 1000);
    assert_in_range(fault_each_allocation(split, &r), 20, 1000);
    assert_ok(bal_list_dir(scratch("lists"), &names, &n, &err));
    assert_int_equal(n, 9); /* two splits, four lists each, split.json; no temporaries */
    bal_names_free(names, n);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_faults)};
    return cmocka_run_group_tests(tests, scratch_open, scratch_close);
}
