/* Selections of whole tables: the same files whatever the order of rows and the threads, the clips that a plain program would keep, and
 * certificates that do not survive being changed. */
#include <math.h>

#include <avbalance/select.h>
#include "base/check.h"
#include "base/fault.h"
#include "base/rng.h"
#include "base/text.h"
#include "curate/key.h"
#include "curate/selection.h"

enum { ROWS = 6000, CLASSES = 5, SOURCES = 1500 };

typedef struct Row {
    char id[24];
    int label, source;
    double a, v;
    uint64_t key;
} Row;
static Row row[ROWS];

static void make_rows(void) {
    for (int i = 0; i < ROWS; i++) {
        BalRng r = bal_rng(5, BAL_RNG_TEST, 0, (uint64_t)i);
        const double lean = 0.25 * bal_rng_normal(&r);
        snprintf(row[i].id, sizeof row[i].id, "clip-%04d%s", i * 7 % ROWS, i % 3 ? "" : ".x");
        row[i].label = (int)(bal_rng_below(&r, CLASSES) * bal_rng_below(&r, 2));
        row[i].source = (int)bal_rng_below(&r, SOURCES);
        row[i].a = fmin(1, fmax(0, floor((0.5 + lean) * 1000) / 1000));
        row[i].v = i % 50 ? fmin(1, fmax(0, floor((0.5 - lean + 0.1 * bal_rng_normal(&r)) * 1000) / 1000)) : row[i].a;
        row[i].key = bal_key64(row[i].id, strlen(row[i].id), 7);
    }
}

/* The rows from `first` on, in steps that visit all of them, with long columns so that the table has several chunks. */
static const char *table(const char *name, int first, int step) {
    const char *path = scratch(name);
    BalText t = {0};
    BalError err = {0};
    bal_text_add(&t, "id,label,u_audio,u_visual,source,more\n");
    for (int k = 0; k < ROWS; k++) {
        const Row *x = &row[(first + (int64_t)k * step) % ROWS];
        bal_text_f(&t, "%s,class%d,%g,%g,video%d,%0*d\n", x->id, x->label, x->a, x->v, x->source, 400, 0);
    }
    assert_ok(bal_file_write(path, t.data, t.len, &err));
    bal_text_reset(&t);
    return path;
}

static BalSelectSpec spec_of(BalPolicy policy) {
    BalSelectSpec s = bal_select_spec_default();
    s.policy = policy;
    s.seed = 7;
    if (policy == BAL_POLICY_WATERFILL) s.level = 150;
    s.class_max = policy == BAL_POLICY_MIRROR ? 0 : 800;
    return s;
}

static void read_all(const char *dir, BalText *out) {
    static const char *const names[] = {"selected.txt", "selected.csv", "certificate.json", "select.json",
                                        "rejects.csv"};
    BalError err = {0};
    for (int i = 0; i < 5; i++) {
        BalText path = {0}, file = {0};
        bal_path_join(&path, dir, names[i]);
        if (i < 4 || bal_file_exists(path.data)) /* the last only where it was asked for */
            assert_ok(bal_file_read(path.data, 0, &file, &err));
        bal_text_add_n(out, bal_text_str(&file), file.len);
        bal_text_reset(&file);
        bal_text_reset(&path);
    }
}

static void select_into(const char *dir, const char *path, const BalSelectSpec *spec, int threads, BalText *out) {
    BalSelectResult s;
    BalError err = {0};
    assert_ok(bal_select_file(&s, path, &(BalScoresSpec){.threads = threads}, spec, &err));
    assert_ok(bal_selection_save(&s, NULL, dir, true, &err));
    bal_selection_reset(&s);
    read_all(dir, out);
}

static void test_order(void **state) {
    (void)state;
    const char *one = table("one.csv", 0, 1), *other = table("other.csv", 99, 7);
    for (int p = 0; p < BAL_POLICIES; p++) {
        BalSelectSpec spec = spec_of((BalPolicy)p);
        BalText a = {0}, b = {0};
        spec.per_source = p % 2 ? 3 : 0;
        spec.rejects = p < 2;
        select_into(scratch("a"), one, &spec, 1, &a);
        select_into(scratch("b"), other, &spec, 3, &b);
        assert_true(a.len > 10000);
        assert_string_equal(a.data, b.data);
        bal_text_reset(&a);
        bal_text_reset(&b);
    }
}

/* ---- beside a plain program ---- */

static int by_key(const void *a, const void *b) {
    const Row *x = a, *y = b;
    return (x->key > y->key) - (x->key < y->key);
}

static int bin_of(const Row *x) {
    return bal_bin_of_d(bal_quantise(x->a), bal_quantise(x->v), 20, x->key);
}

static bool is_in(const BalSelectResult *s, const char *id) {
    for (size_t i = 0; i < s->parts->picks.n; i++)
        if (!strcmp(s->parts->picks.pick[i].id, id)) return true;
    return false;
}

static int label_of(const BalSelectResult *s, const Row *x) {
    char name[16];
    snprintf(name, sizeof name, "class%d", x->label);
    for (int c = 0; c < s->n_classes; c++)
        if (!strcmp(s->label[c], name)) return c;
    fail_msg("there is no %s", name);
    return -1;
}

/* With must: every tenth row of the source's order is to be kept. */
static void compare(const BalSelectSpec *spec, const char *path, bool must) {
    BalSelectResult s;
    BalError err = {0};
    static Row sorted[ROWS];
    static int from_source[SOURCES][CLASSES], taken[CLASSES * 20];
    int64_t n = 0, musts = 0;
    assert_ok(bal_select_file(&s, path, NULL, spec, &err));
    assert_true(s.possible && s.kept > 500);
    memcpy(sorted, row, sizeof row);
    memset(from_source, 0, sizeof from_source);
    memset(taken, 0, sizeof taken);
    qsort(sorted, ROWS, sizeof *sorted, by_key);
    for (int round = must ? 0 : 1; round < 2; round++) /* those that must be kept come first */
        for (int i = 0; i < ROWS; i++) {
            const Row *x = &sorted[i];
            const bool is_must = must && x->key % 40 == 0;
            const int cell = label_of(&s, x) * 20 + bin_of(x);
            if (is_must != (round == 0)) continue;
            musts += is_must;
            if (spec->per_source && from_source[x->source][x->label]++ >= spec->per_source && !is_must) continue;
            const bool keep = taken[cell] < s.x[cell];
            taken[cell] += keep;
            n += keep;
            if (keep != is_in(&s, x->id)) fail_msg("%s is %skept", x->id, keep ? "not " : "");
        }
    assert_int_equal(n, s.kept);
    assert_int_equal(s.parts->picks.n, s.kept);
    assert_int_equal(musts, s.n_must);
    bal_selection_reset(&s);
}

static void test_clips(void **state) {
    (void)state;
    const char *path = table("clips.csv", 0, 1), *list = scratch("must.txt");
    BalSelectSpec spec = spec_of(BAL_POLICY_RATIO);
    BalText ids = {0};
    BalError err = {0};
    compare(&spec, path, false);
    spec.per_source = 1;
    compare(&spec, path, false);
    for (int i = 0; i < ROWS; i++)
        if (row[i].key % 40 == 0) bal_text_f(&ids, "%s\n", row[i].id);
    assert_ok(bal_file_write(list, ids.data, ids.len, &err));
    spec.must_keep = list;
    spec.min_per_bin = 100;
    compare(&spec, path, true);
    spec.per_source = 0;
    compare(&spec, path, true);
    bal_text_reset(&ids);
}

/* A larger table keeps what a smaller one kept, where it is told to; and what only it has is new. */
static void test_extend(void **state) {
    (void)state;
    const char *path = table("extend.csv", 0, 1), *dir = scratch("extend");
    BalSelectSpec spec = spec_of(BAL_POLICY_STRICT);
    BalSelectResult s, t;
    BalError err = {0};
    BalText ids = {0};
    spec.class_max = 300;
    assert_ok(bal_select_file(&s, path, NULL, &spec, &err));
    assert_ok(bal_selection_save(&s, NULL, dir, false, &err));
    spec.class_max = 400;
    spec.seed = 8;
    spec.extend = dir;
    assert_ok(bal_select_file(&t, path, NULL, &spec, &err));
    assert_int_equal(t.n_must, s.kept);
    assert_true(t.kept > s.kept);
    for (size_t i = 0; i < s.parts->picks.n; i++) assert_true(is_in(&t, s.parts->picks.pick[i].id));
    bal_selection_reset(&t);

    bal_text_f(&ids, "{\"clips\": [{\"id\": \"%s\"}, {\"id\": \"gone\"}]}", s.parts->picks.pick[0].id);
    spec.extend = scratch("lock.json");
    assert_ok(bal_file_write(spec.extend, ids.data, ids.len, &err));
    assert_ok(bal_select_file(&t, path, NULL, &spec, &err));
    assert_int_equal(t.n_must, 1);
    assert_int_equal(t.n_gone, 1);
    bal_selection_reset(&t);
    spec.must_keep = scratch("gone.txt");
    assert_ok(bal_file_write(spec.must_keep, "\nclip-x\n", 8, &err));
    assert_fails(bal_select_file(&t, path, NULL, &spec, &err), BAL_E_FORMAT, "gone.txt: line 2: ");
    bal_selection_reset(&s);
    bal_text_reset(&ids);
}

static void test_sources(void **state) {
    (void)state;
    const char *path = table("sources.csv", 0, 1), *file = scratch("sources.tsv");
    BalSelectSpec spec = spec_of(BAL_POLICY_RATIO);
    BalText t = {0}, a = {0}, b = {0};
    BalError err = {0};
    BalSelectResult s;
    bal_text_add(&t, "id\tsource\n");
    for (int i = 0; i < ROWS; i++) bal_text_f(&t, "%s\tvideo%d\n", row[i].id, row[i].source);
    assert_ok(bal_file_write(file, t.data, t.len, &err));
    spec.per_source = 2;
    select_into(scratch("c"), path, &spec, 2, &a);
    spec.sources = file;
    select_into(scratch("d"), path, &spec, 2, &b);
    assert_string_equal(a.data, b.data);
    bal_text_f(&t, "%s\tanother\n", row[3].id);
    assert_ok(bal_file_write(file, t.data, t.len, &err));
    assert_fails(bal_select_file(&s, path, NULL, &spec, &err), BAL_E_FORMAT, "two different sources");
    spec.sources = NULL;
    const BalScoresSpec scores = {.source = "video"};
    assert_fails(bal_select_file(&s, path, &scores, &spec, &err), BAL_E_FORMAT, "--source-column");
    bal_text_reset(&t);
    bal_text_reset(&a);
    bal_text_reset(&b);
}

/* ---- frontier and shortage ---- */

static void test_frontier(void **state) {
    (void)state;
    BalSelectSpec spec = spec_of(BAL_POLICY_RATIO);
    BalSelectResult s;
    BalFrontier f;
    BalError err = {0};
    assert_ok(bal_select_file(&s, table("frontier.csv", 0, 1), NULL, &spec, &err));
    assert_ok(bal_frontier_make(&f, &s, 60, &err));
    assert_in_range(f.n, 20, 62);
    int64_t most = 0;
    for (int b = 0; b < s.n_bins; b++)
        if (s.eligible[b] && s.before.per_bin[b] > most) most = s.before.per_bin[b];
    assert_int_equal(f.point[0].level, 1);
    assert_int_equal(f.point[f.n - 1].level, most);
    for (int i = 1; i < f.n; i++) { /* more clips are never more even, by any measure */
        const BalFrontierPoint *a = &f.point[i - 1], *b = &f.point[i];
        assert_true(a->level < b->level && a->kept <= b->kept);
        assert_true(a->bins.kl <= b->bins.kl + 1e-3 / (double)b->kept);
        assert_true(a->bins.max_min <= b->bins.max_min + 1e-9 || a->kept < 400);
    }
    bal_frontier_reset(&f);
    bal_selection_reset(&s);
}

/* Beside solving again for every cell. */
static void test_shortage(void **state) {
    (void)state;
    const char *path = table("shortage.csv", 0, 1);
    BalError err = {0};
    int gaining = 0;
    for (int p = 0; p < BAL_POLICIES; p++)
        for (int64_t extra = 1; extra <= 40; extra += 39) {
            BalSelectSpec spec = spec_of((BalPolicy)p);
            BalSelectResult s;
            BalShortage *list;
            int n;
            if (p == BAL_POLICY_STRICT) spec.class_max = 300;
            assert_ok(bal_select_file(&s, path, NULL, &spec, &err));
            assert_ok(bal_shortage_make(&list, &n, &s, extra, &err));
            for (int i = 0; i < s.n_classes * s.n_bins; i++) {
                const BalShortage *x = NULL;
                int64_t kept = 0;
                double gain = 0;
                if (!s.eligible[i % s.n_bins]) continue;
                for (int k = 0; k < n; k++)
                    if (list[k].class_index * s.n_bins + list[k].bin == i) x = &list[k];
                s.parts->n[i] += extra;
                assert_ok(bal_plan_size(&kept, &spec, &s.parts->cells, &err));
                s.parts->n[i] -= extra;
                gain = (double)(kept - s.kept) / (double)extra;
                gaining += gain > 0;
                if (gain != (x ? x->gain : 0))
                    fail_msg("%s, cell %d: gain %g instead of %g", bal_policy_name((BalPolicy)p), i, x ? x->gain : 0,
                             gain);
            }
            for (int k = 1; k < n; k++) assert_true(list[k - 1].gain >= list[k].gain);
            bal_shortage_free(list);
            bal_selection_reset(&s);
        }
    assert_true(gaining > 20);
}

/* ---- certificates ---- */

static BalStatus verify(const char *dir, const char *path, BalError *err) {
    BalSelectCheck c;
    return bal_select_verify(&c, dir, path, NULL, NULL, err);
}

static void write_plainly(const char *path, const char *text) { /* base/file.h waits for the disk, a hundred times */
    FILE *f = fopen(path, "wb");
    if (!f || fputs(text, f) < 0 || fclose(f)) fail_msg("cannot write %s", path);
}

/* The file with `from`, which must be there, replaced; what it was before into *before. */
static void change(const char *path, const char *from, const char *to, BalText *before) {
    BalText out = {0};
    BalError err = {0};
    assert_ok(bal_file_read(path, 0, before, &err));
    const char *at = strstr(before->data, from);
    if (!at) fail_msg("%s does not hold %s", path, from);
    bal_text_add_n(&out, before->data, (size_t)(at - before->data));
    bal_text_add(&out, to);
    bal_text_add(&out, at + strlen(from));
    write_plainly(path, out.data);
    bal_text_reset(&out);
}

static int by_id(const void *a, const void *b) {
    return strcmp(((const BalPick *)a)->id, ((const BalPick *)b)->id);
}

static void swap_one(BalSelectResult *s) {
    BalPicks *p = &s->parts->picks;
    for (int i = 0; i < ROWS; i++) {
        if (is_in(s, row[i].id)) continue;
        for (size_t k = 0; k < p->n; k++) {
            if (p->pick[k].cell != label_of(s, &row[i]) * 20 + bin_of(&row[i])) continue;
            p->pick[k].id = row[i].id;
            qsort(p->pick, p->n, sizeof *p->pick, by_id);
            return;
        }
    }
    fail_msg("no clip to swap");
}

static void test_tampering(void **state) {
    (void)state;
    char path[80], dir[80]; /* scratch() forgets */
    snprintf(dir, sizeof dir, "%s/tamper", scratch_dir);
    snprintf(path, sizeof path, "%s", table("tamper.csv", 0, 1));
    BalSelectSpec spec = spec_of(BAL_POLICY_RATIO);
    BalText all = {0};
    BalError err = {0};
    BalSelectResult s;
    static const struct {
        const char *file, *from, *to, *says;
    } cases[] = {{"certificate.json", "true,\"level\":", "true,\"level\":1", "keeps"},
                 {"certificate.json", "\"size\":", "\"size\":1", "add up to"},
                 {"certificate.json", "\"kept\":[[", "\"kept\":[[1", "kept"},
                 {"certificate.json", "\"available\":[[", "\"available\":[[1", ""},
                 {"certificate.json", "\"must_keep\":[[0", "\"must_keep\":[[1", ""},
                 {"certificate.json", "\"kind\":\"bins\"", "\"kind\":\"size\"", "level"},
                 {"certificate.json", "\"kind\":\"size\"", "\"kind\":\"classes\"", "proves"},
                 {"certificate.json", "\"ratio\":1.5", "\"ratio\":1.4", "keeps"},
                 {"certificate.json", "\"ratio\":1.5", "\"ratio\":1.6", "proves"},
                 {"certificate.json", "\"class_max\":800", "\"class_max\":900", "proves"},
                 {"certificate.json", "\"class_max\":800", "\"class_max\":700", "keeps"},
                 {"certificate.json", "\"seed\":7", "\"seed\":8", ""},
                 {"certificate.json", "\"digest\":\"", "\"digest\":\"f", "digest"},
                 {"selected.csv", "\nclip-", "\nclop-", "SHA-256"},
                 {"selected.txt", "clip-", "clop-", "line 1: is not the id"},
                 {"selected.txt", "\n", "\n\n", "ids"}};
    select_into(dir, path, &spec, 1, &all);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        BalText file = {0}, before = {0};
        bal_path_join(&file, dir, cases[i].file);
        assert_ok(verify(dir, path, &err));
        change(file.data, cases[i].from, cases[i].to, &before);
        BalStatus rc = verify(dir, path, &err);
        write_plainly(file.data, before.data);
        bal_text_reset(&file);
        bal_text_reset(&before);
        if ((rc != BAL_E_MISMATCH && rc != BAL_E_FORMAT) || !strstr(err.text, cases[i].says))
            fail_msg("%s: %s: %s: %s", cases[i].file, cases[i].to, bal_status_name(rc), rc < 0 ? err.text : "");
    }

    /* another table: one row moved to another bin, one renamed */
    const Row before = row[17];
    row[17].a = row[17].a > 0.5 ? row[17].a - 0.1 : row[17].a + 0.1;
    assert_fails(verify(dir, table("moved.csv", 0, 1), &err), BAL_E_MISMATCH, "in bin ");
    row[17] = before;
    strcpy(row[17].id, "renamed");
    assert_fails(verify(dir, table("renamed.csv", 0, 1), &err), BAL_E_MISMATCH, "other rows");
    row[17] = before;

    /* another clip of the same class and bin instead of a kept one, in lists that fit together */
    assert_ok(bal_select_file(&s, path, NULL, &spec, &err));
    swap_one(&s);
    assert_ok(bal_selection_save(&s, NULL, dir, true, &err));
    bal_selection_reset(&s);
    assert_fails(verify(dir, path, &err), BAL_E_MISMATCH, "smaller key");

    /* nothing is possible, and that is proven */
    spec.policy = BAL_POLICY_STRICT;
    spec.class_min = 700;
    assert_ok(bal_select_file(&s, path, NULL, &spec, &err));
    assert_false(s.possible);
    assert_int_equal(s.kept, 0);
    assert_ok(bal_selection_save(&s, NULL, dir, true, &err));
    bal_selection_reset(&s);
    assert_ok(verify(dir, path, &err));
    bal_text_clear(&all);
    change(scratch("tamper/certificate.json"), "\"class_min\":700", "\"class_min\":1", &all);
    assert_fails(verify(dir, path, &err), BAL_E_MISMATCH, "impossible");
    bal_text_reset(&all);
}

/* ---- a small table without memory ---- */

static char small_path[80], small_must[80], small_dir[80];

static BalStatus select_small(void *user, BalError *err) {
    BalSelectSpec spec = spec_of(BAL_POLICY_RATIO);
    BalText json = {0};
    spec.min_per_bin = 0;
    spec.ratio = 3;
    spec.bins = 2;
    spec.per_source = 1;
    spec.rejects = true;
    spec.must_keep = small_must;
    BAL_TRY(bal_select_file(user, small_path, &(BalScoresSpec){.threads = 1}, &spec, err));
    bal_selection_json(user, NULL, &json);
    BalStatus rc = bal_text_ok(&json, err);
    bal_text_reset(&json);
    if (rc < 0) bal_selection_reset(user);
    return rc;
}

static BalStatus select_and_drop(void *user, BalError *err) {
    BAL_TRY(select_small(user, err));
    bal_selection_reset(user);
    return BAL_OK;
}

static BalStatus save_small(void *user, BalError *err) {
    return bal_selection_save(user, NULL, small_dir, true, err);
}

static BalStatus verify_small(void *user, BalError *err) {
    (void)user;
    BalSelectCheck c;
    return bal_select_verify(&c, small_dir, small_path, &(BalScoresSpec){.threads = 1}, NULL, err);
}

static void test_memory(void **state) {
    (void)state;
    static const char text[] = "id,label,u_audio,u_visual,source\n"
                               "a,x,0.5,0.1,v\nb,x,0.1,0.5,w\nc,y,0.9,0.1,v\nd,y,0.2,0.5,v\ne,x,0.5,0.1,v\n";
    BalError err = {0};
    BalSelectResult s;
    char **names;
    int n;
    snprintf(small_path, sizeof small_path, "%s/small.csv", scratch_dir);
    snprintf(small_must, sizeof small_must, "%s/small-must.txt", scratch_dir);
    snprintf(small_dir, sizeof small_dir, "%s/small", scratch_dir);
    assert_ok(bal_file_write(small_path, text, sizeof text - 1, &err));
    assert_ok(bal_file_write(small_must, "b\n", 2, &err));
    assert_true(fault_each_allocation(select_and_drop, &s) > 50);
    assert_ok(select_small(&s, &err));
    assert_true(fault_each_allocation(save_small, &s) > 10);
    assert_ok(bal_list_dir(small_dir, &names, &n, &err));
    assert_int_equal(n, 5); /* no temporaries */
    bal_names_free(names, n);
    assert_true(fault_each_allocation(verify_small, NULL) > 50);
    bal_selection_reset(&s);
}

static int setup(void **state) {
    make_rows();
    return scratch_open(state);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_order),     cmocka_unit_test(test_clips),
                                       cmocka_unit_test(test_extend),    cmocka_unit_test(test_sources),
                                       cmocka_unit_test(test_frontier),  cmocka_unit_test(test_shortage),
                                       cmocka_unit_test(test_tampering), cmocka_unit_test(test_memory)};
    return cmocka_run_group_tests(tests, setup, scratch_close);
}
