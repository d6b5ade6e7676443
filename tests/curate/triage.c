/* Triage on small sets of clips whose outcome can be told by hand. */
#include <math.h>
#include <avbalance/curate.h>
#include "base/check.h"
#include "base/fault.h"
#include "base/json.h"
#include "base/text.h"

enum { MOST = 4096 };

typedef struct Set { /* clips and the two scorers' narrow tables */
    BalManifest m;
    BalClip clip[MOST];
    char id[MOST][16], video[MOST][16];
    const char *classes[4];
    BalText table[BAL_SIDES];
    char path[BAL_SIDES][256];
    const char *outputs[BAL_SIDES];
} Set;

static Set *set_new(const char *name, const char *const *classes, int n_classes) {
    Set *s = calloc(1, sizeof *s);
    memcpy(s->classes, classes, (size_t)n_classes * sizeof *classes);
    s->m = (BalManifest){.clip = s->clip, .classes = s->classes, .n_classes = n_classes, .dir = scratch_dir};
    for (int k = 0; k < BAL_SIDES; k++) {
        snprintf(s->path[k], sizeof s->path[k], "%s/%s-%d.csv", scratch_dir, name, k);
        s->outputs[k] = s->path[k];
        bal_text_add(&s->table[k], "id,confidence,correct\n");
    }
    return s;
}

static void set_free(Set *s) {
    for (int k = 0; k < BAL_SIDES; k++) bal_text_reset(&s->table[k]);
    free(s);
}

/* n clips PREFIX000, ... of a class and a type; video: one for all, or NULL: each its own */
static void set_add(Set *s, const char *prefix, int n, int label, char type, const char *video) {
    for (int i = 0; i < n; i++) {
        const int64_t k = s->m.n++;
        snprintf(s->id[k], sizeof s->id[k], "%s%03d", prefix, i);
        snprintf(s->video[k], sizeof s->video[k], "%s", video ? video : "");
        s->clip[k] = (BalClip){.id = s->id[k],
                               .media = "",
                               .source = s->video[k],
                               .label = label,
                               .split = BAL_SPLIT_TRAIN,
                               .start_s = NAN,
                               .duration_s = NAN};
        if (type == '-') continue; /* unscored */
        bal_text_f(&s->table[BAL_AUDIO], "%s,0.25,%d\n", s->id[k], type == 'H' || type == 'A');
        bal_text_f(&s->table[BAL_VISUAL], "%s,0.75,%d\n", s->id[k], type == 'H' || type == 'V');
    }
}

static void set_write(Set *s) {
    BalError err;
    for (int k = 0; k < BAL_SIDES; k++) assert_ok(bal_file_write(s->path[k], s->table[k].data, s->table[k].len, &err));
}

/* Specification over up to two sets, whose tables it names. */
static const char *paths[BAL_SIDES][2];
static BalTriageSpec spec_of(Set *a, Set *b) {
    BalTriageSpec spec = bal_triage_spec_default();
    for (int k = 0; k < BAL_SIDES; k++) {
        paths[k][0] = a->path[k];
        if (b) paths[k][1] = b->path[k];
        spec.outputs[k] = paths[k];
        spec.n_outputs[k] = b ? 2 : 1;
    }
    set_write(a);
    if (b) set_write(b);
    return spec;
}

static const char *const one[] = {"dog"};

static void test_types(void **state) {
    (void)state;
    BalError err;
    BalTriage t;
    Set *s = set_new("types", one, 1);
    set_add(s, "h", 1, 0, 'H', NULL);
    set_add(s, "a", 1, 0, 'A', NULL);
    set_add(s, "v", 1, 0, 'V', NULL);
    set_add(s, "n", 1, 0, 'N', NULL);
    set_add(s, "u", 1, 0, '-', NULL);
    BalTriageSpec spec = spec_of(s, NULL);
    BalTriageSource source = {"own", &s->m, -1, NULL};
    assert_ok(bal_triage(&t, &source, 1, &spec, &err));
    assert_int_equal(t.n, 5);
    for (int i = 0; i < 5; i++) /* in the order of ids */
        if (t.clip[i].rule != BAL_TRIAGE_UNSCORED)
            assert_int_equal(bal_type_letter((BalClipType)t.clip[i].type), "AHNNV"[i]);
    assert_true(t.rejected[BAL_TRIAGE_UNSCORED] == 1 && t.rejected[BAL_TRIAGE_NEITHER] == 1 && t.kept == 3);
    const int64_t want[BAL_TYPE_COUNT] = {1, 1, 1, 1};
    assert_memory_equal(t.category[0].typed, want, sizeof want);
    bal_triage_reset(&t);
    set_free(s);
}

static void test_proportion(void **state) {
    (void)state;
    BalError err;
    BalTriage t;
    Set *s = set_new("proportion", one, 1);
    set_add(s, "h", 100, 0, 'H', NULL);
    set_add(s, "a", 20, 0, 'A', NULL);
    set_add(s, "v", 23, 0, 'V', NULL);
    BalTriageSpec spec = spec_of(s, NULL);
    BalTriageSource source = {"own", &s->m, -1, NULL};
    spec.target = 90;
    spec.ratio = 1.15; /* 1.15 * 20 is 23, in double a little less */
    assert_ok(bal_triage(&t, &source, 1, &spec, &err));
    const BalTriageCategory *c = t.category;
    assert_true(c->kept[BAL_TYPE_H] == 23 && c->kept[BAL_TYPE_A] == 20 && c->kept[BAL_TYPE_V] == 23);
    assert_true(c->missing[BAL_TYPE_H] == 0 && c->missing[BAL_TYPE_A] == 10 && c->missing[BAL_TYPE_V] == 7);
    assert_true(t.kept == 66 && t.rejected[BAL_TRIAGE_PROPORTION] == 77 && !c->deficient);
    /* the smallest keys stay: whoever was left out has a larger one than all of its type who stayed */
    uint64_t top = 0;
    for (int64_t i = 0; i < t.n; i++)
        if (t.clip[i].type == BAL_TYPE_H && t.clip[i].rule == BAL_TRIAGE_KEPT && t.clip[i].key > top)
            top = t.clip[i].key;
    for (int64_t i = 0; i < t.n; i++) assert_true(t.clip[i].rule == BAL_TRIAGE_KEPT || t.clip[i].key > top);
    bal_triage_reset(&t);
    spec.ratio = 0;
    assert_ok(bal_triage(&t, &source, 1, &spec, &err));
    assert_int_equal(t.kept, 143);
    bal_triage_reset(&t);
    set_free(s);
}

static void test_empty_type(void **state) {
    (void)state;
    BalError err;
    BalTriage t;
    Set *s = set_new("empty", one, 1);
    set_add(s, "h", 50, 0, 'H', NULL);
    set_add(s, "v", 8, 0, 'V', NULL);
    BalTriageSpec spec = spec_of(s, NULL);
    BalTriageSource source = {"own", &s->m, -1, NULL};
    assert_ok(bal_triage(&t, &source, 1, &spec, &err));
    assert_true(t.category[0].deficient && t.category[0].kept[BAL_TYPE_H] == 10 && t.category[0].kept[BAL_TYPE_V] == 8);
    assert_int_equal(t.category[0].missing[BAL_TYPE_A], 400);
    bal_triage_reset(&t);
    set_free(s);
}

static void test_per_source(void **state) {
    (void)state;
    BalError err;
    BalTriage t;
    Set *s = set_new("videos", one, 1);
    set_add(s, "p", 9, 0, 'H', "p");
    set_add(s, "q", 2, 0, 'H', "q");
    BalTriageSpec spec = spec_of(s, NULL);
    BalTriageSource source = {"own", &s->m, -1, NULL};
    spec.per_source = 3;
    assert_ok(bal_triage(&t, &source, 1, &spec, &err));
    assert_true(t.kept == 5 && t.rejected[BAL_TRIAGE_PER_SOURCE] == 6);
    bal_triage_reset(&t);
    set_free(s);
}

static const char *const ours[] = {"singing", "eating"};
static const char *const theirs[] = {"female singing", "people eating", "chainsawing trees"};

static void add_supplement(Set *s) {
    set_add(s, "xa", 40, 0, 'A', NULL);
    set_add(s, "xh", 40, 0, 'H', NULL);
    set_add(s, "xv", 40, 0, 'V', NULL);
    set_add(s, "ya", 40, 1, 'A', NULL);
    set_add(s, "z", 5, 2, 'A', NULL);
}

static void test_supplement(void **state) {
    (void)state;
    BalError err;
    BalTriage t;
    BalCategories c;
    Set *own = set_new("own", ours, 2), *vgg = set_new("vgg", theirs, 3);
    set_add(own, "h", 30, 0, 'H', NULL);
    set_add(own, "a", 5, 0, 'A', NULL);
    set_add(own, "v", 25, 0, 'V', NULL);
    add_supplement(vgg);
    set_add(vgg, "h", 1, 0, 'A', NULL); /* h000 is known */
    BalTriageSource source[2] = {{"own", &own->m, -1, NULL}, {"vgg", &vgg->m, -1, NULL}};
    BalTriageSpec spec = spec_of(own, vgg);
    assert_ok(bal_categories_load(&c, "balanced-av", &err));
    spec.categories = &c;
    spec.target = 90;
    spec.ratio = 0;
    assert_ok(bal_triage(&t, source, 2, &spec, &err));
    const BalTriageCategory *singing = &t.category[bal_category_find(&c, "singing")],
                            *eating = &t.category[bal_category_find(&c, "eating")];
    assert_true(singing->supplement[BAL_TYPE_A] == 25 && singing->supplement[BAL_TYPE_H] == 0 &&
                singing->supplement[BAL_TYPE_V] == 5);
    assert_true(eating->supplement[BAL_TYPE_A] == 30 && eating->deficient);
    assert_true(t.unmapped[1] == 5 && t.taken[1] == 60 && t.rejected[BAL_TRIAGE_KNOWN] == 1);
    bal_triage_reset(&t);
    /* an audio dataset's cap is spent on type A of all categories before it goes elsewhere */
    source[1].cap = 55;
    assert_ok(bal_triage(&t, source, 2, &spec, &err));
    assert_true(t.taken[1] == 55 && t.category[bal_category_find(&c, "singing")].supplement[BAL_TYPE_V] == 0);
    assert_int_equal(t.rejected[BAL_TRIAGE_CAP], 40); /* the 40 of type V, of which 5 were wanted */
    bal_triage_reset(&t);
    /* test clips */
    for (int64_t i = 0; i < vgg->m.n; i++) vgg->clip[i].split = BAL_SPLIT_TEST;
    spec.no_foreign_test = true;
    assert_ok(bal_triage(&t, source, 2, &spec, &err));
    assert_int_equal(t.taken[1], 0);
    bal_triage_reset(&t);
    bal_categories_reset(&c);
    set_free(own);
    set_free(vgg);
}

/* A clip of a supplement that begins less than 10 s from an own one of the same video is the same clip. */
static void test_same_place(void **state) {
    (void)state;
    BalError err;
    BalTriage t;
    Set *own = set_new("place", one, 1), *more = set_new("more", one, 1);
    set_add(own, "o", 2, 0, 'H', "video");
    set_add(more, "m", 3, 0, 'H', "video");
    own->clip[0].start_s = 30;
    own->clip[1].start_s = 100;
    more->clip[0].start_s = 39.5;
    more->clip[1].start_s = 40;
    more->clip[2].start_s = 91;
    BalTriageSource source[2] = {{"own", &own->m, -1, NULL}, {"more", &more->m, -1, NULL}};
    BalTriageSpec spec = spec_of(own, more);
    assert_ok(bal_triage(&t, source, 2, &spec, &err));
    assert_true(t.rejected[BAL_TRIAGE_KNOWN] == 2 && t.taken[1] == 1);
    bal_triage_reset(&t);
    set_free(own);
    set_free(more);
}

/* ---- outputs of all classes ---- */

static const char *wide(const char *name, const char *text) {
    BalError err;
    const char *path = scratch(name);
    assert_ok(bal_file_write(path, text, strlen(text), &err));
    return path;
}

static void test_retopic(void **state) {
    (void)state;
    static const char *const pets[] = {"dog", "cat"};
    BalError err;
    BalTriage t;
    Set *s = set_new("retopic", pets, 2);
    set_add(s, "c", 3, 0, '-', NULL);
    const char *audio = wide("a.csv", "id,dog,cat\nc000,0.2,0.8\nc001,0.9,0.1\nc002,0.5,0.5\n"),
               *visual = wide("v.csv", "id,cat,dog\nc000,0.6,0.4\nc001,0.2,0.8\nc002,0.1,0.9\n");
    BalTriageSpec spec = bal_triage_spec_default();
    spec.outputs[BAL_AUDIO] = &audio;
    spec.outputs[BAL_VISUAL] = &visual;
    spec.n_outputs[BAL_AUDIO] = spec.n_outputs[BAL_VISUAL] = 1;
    BalTriageSource source = {"own", &s->m, -1, NULL};
    assert_ok(bal_triage(&t, &source, 1, &spec, &err));
    assert_true(t.clip[0].type == BAL_TYPE_N && t.clip[0].q[BAL_AUDIO] == 200000 && t.clip[0].q[BAL_VISUAL] == 400000);
    assert_true(t.clip[1].type == BAL_TYPE_H && t.clip[2].type == BAL_TYPE_V); /* a tie is wrong */
    bal_triage_reset(&t);
    spec.retopic = true;
    assert_ok(bal_triage(&t, &source, 1, &spec, &err));
    assert_true(t.clip[0].type == BAL_TYPE_H && t.clip[0].from == 0 && t.clip[0].category == 1 &&
                t.clip[0].q[BAL_AUDIO] == 800000);
    bal_triage_reset(&t);
    spec.retopic = false;
    spec.temperature[BAL_AUDIO] = 2; /* sqrt(0.2) : sqrt(0.8) */
    assert_ok(bal_triage(&t, &source, 1, &spec, &err));
    assert_int_equal(t.clip[0].q[BAL_AUDIO], 333333);
    bal_triage_reset(&t);
    set_free(s);
}

/* ---- order does not matter, and what is written ---- */

static void read_all(const char *dir, BalText *out) {
    static const char *const names[] = {"manifest.csv", "triage.csv", "rejects.csv", "triage.json"};
    BalError err;
    for (int k = 0; k < 4; k++) {
        BalText path = {0}, one_file = {0};
        bal_path_join(&path, dir, names[k]);
        assert_ok(bal_file_read(path.data, 0, &one_file, &err));
        bal_text_add(out, one_file.data);
        bal_text_reset(&path);
        bal_text_reset(&one_file);
    }
}

static void test_order(void **state) {
    (void)state;
    BalError err;
    BalTriage t;
    BalText first = {0}, second = {0};
    Set *s = set_new("order", one, 1);
    set_add(s, "h", 60, 0, 'H', NULL);
    set_add(s, "a", 20, 0, 'A', "video");
    set_add(s, "v", 13, 0, 'V', NULL);
    set_add(s, "n", 3, 0, 'N', NULL);
    BalTriageSpec spec = spec_of(s, NULL);
    BalTriageSource source = {"own", &s->m, -1, NULL};
    spec.per_source = 15;
    assert_ok(bal_triage(&t, &source, 1, &spec, &err));
    assert_ok(bal_triage_save(&t, scratch("first"), &err));
    bal_triage_reset(&t);
    for (int64_t i = 0; i < s->m.n / 2; i++) {
        BalClip c = s->clip[i];
        s->clip[i] = s->clip[s->m.n - 1 - i];
        s->clip[s->m.n - 1 - i] = c;
    }
    assert_ok(bal_triage(&t, &source, 1, &spec, &err));
    assert_ok(bal_triage_save(&t, scratch("second"), &err));
    bal_triage_reset(&t);
    read_all(scratch("first"), &first);
    read_all(scratch("second"), &second);
    assert_string_equal(first.data, second.data);
    assert_non_null(
        strstr(first.data, "n000,triage,neither,category=dog source=own qa_pre=250000 qv_pre=750000 type=N"));
    bal_text_reset(&first);
    bal_text_reset(&second);
    set_free(s);
}

/* ---- what is refused ---- */

static void test_refused(void **state) {
    (void)state;
    BalError err;
    BalTriage t;
    BalCategories c;
    Set *s = set_new("refused", one, 1);
    set_add(s, "h", 2, 0, 'H', NULL);
    BalTriageSpec spec = spec_of(s, NULL);
    BalTriageSource source = {"own", &s->m, -1, NULL};
    assert_ok(bal_categories_load(&c, "balanced-av", &err));
    spec.categories = &c;
    assert_fails(bal_triage(&t, &source, 1, &spec, &err), BAL_E_FORMAT, "the label \"dog\" of clip \"h000\"");
    spec.categories = NULL;
    static const struct {
        const char *text;
        BalStatus code;
        const char *says;
    } bad[] = {{"id,dog\nh000,1\n", BAL_E_FORMAT, "at least two"},
               {"id,dog,cat\nh000,0.5,0.6\n", BAL_E_NUMERIC, "add up to 1.1"},
               {"id,dog,cat\nh000,0.5,nan\n", BAL_E_NUMERIC, "is NaN"},
               {"id,dog,cat\nh000,inf,0\n", BAL_E_NUMERIC, "is infinite"},
               {"id,dog,cat\nh000,0.5\n", BAL_E_FORMAT, "line 2: has 2 fields"},
               {"id,dog,cat\nh000,0.5,half\n", BAL_E_FORMAT, "\"half\" is not a number"},
               {"id,dog,cat\nh000,0,1\nh000,0,1\n", BAL_E_FORMAT, "\"h000\" is there twice"},
               {"id,cow,cat\nh000,0,1\n", BAL_E_FORMAT, "has no class \"dog\""},
               {"id,dog,cat\nx,0,1\n", BAL_E_FORMAT, "are the ids the same?"},
               {"name,dog,cat\nx,0,1\n", BAL_E_FORMAT, "no column \"id\""},
               {"id,confidence\nh000,0\n", BAL_E_FORMAT, "needs the column correct"},
               {"id,confidence,correct\nh000,1.5,1\n", BAL_E_NUMERIC, "confidence is 1.5"},
               {"", BAL_E_FORMAT, "is empty"}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const char *path = wide("bad.csv", bad[i].text);
        spec.outputs[BAL_VISUAL] = &path;
        assert_fails(bal_triage(&t, &source, 1, &spec, &err), bad[i].code, bad[i].says);
    }
    bal_categories_reset(&c);
    set_free(s);
}

static BalStatus whole(void *user, BalError *err) {
    Set *s = user;
    BalTriage t = {0};
    BalTriageSpec spec = bal_triage_spec_default();
    for (int k = 0; k < BAL_SIDES; k++) {
        spec.outputs[k] = &s->outputs[k];
        spec.n_outputs[k] = 1;
    }
    const BalTriageSource source = {"own", &s->m, -1, NULL};
    BalStatus rc = bal_triage(&t, &source, 1, &spec, err);
    if (rc >= 0) rc = bal_triage_save(&t, scratch("fault"), err);
    bal_triage_reset(&t);
    return rc;
}

static void test_faults(void **state) {
    (void)state;
    Set *s = set_new("fault", one, 1);
    set_add(s, "h", 3, 0, 'H', NULL);
    set_add(s, "n", 3, 0, 'N', NULL);
    set_write(s);
    assert_true(fault_each_allocation(whole, s) > 20);
    set_free(s);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_types),      cmocka_unit_test(test_proportion),
                                       cmocka_unit_test(test_empty_type), cmocka_unit_test(test_per_source),
                                       cmocka_unit_test(test_supplement), cmocka_unit_test(test_same_place),
                                       cmocka_unit_test(test_retopic),    cmocka_unit_test(test_order),
                                       cmocka_unit_test(test_refused),    cmocka_unit_test(test_faults)};
    return cmocka_run_group_tests(tests, scratch_open, scratch_close);
}
