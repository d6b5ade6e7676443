/* Manifests: what is refused and how it is said, where media are found, save and load, hold-out. */
#include "../base/fault.h"
#include <avbalance/dataset.h>
#include <math.h>

static BalError err;

static void put(const char *name, const char *text) {
    assert_ok(bal_file_write(scratch(name), text, strlen(text), &err));
}

static void test_refused(void **state) {
    (void)state;
    static const struct {
        const char *text, *part;
    } bad[] = {
        {"", "empty"},
        {"\n\n", "empty"},
        {"\xFF\xFEi\0d\0", "UTF-16"},
        {"id,media,label\na,b.mp4,caf\xE9\n", "line 2: byte 0xe9 is not UTF-8"},
        {"hello world\n", "no manifest dialect is recognised from its first line 'hello world'"},
        {"video_id,youtube_id,time_start,time_end,label,modality\n", "could be vggsounder, kinetics: choose with"},
        {"id,media,labl\na,b.mp4,x\n", "unknown column 'labl'"},
        {"id,media,media\na,b.mp4,x\n", "column 'media' stands twice"},
        {"id,media,label\na,b.mp4,x\na,c.mp4,x\n", "line 3: id 'a' stands already in line 2: keep"},
        {"id,media,label\na,b.mp4,x\na,b.mp4,y\n", "line 2, with different labels"},
        {"id,media,label\na,b.mp4,x\n1088_IOM_NEU_XX,NEU\n", "line 3: 2 fields under a header of 3"},
        {"id,media,label\na,b.mp4,\"x\n", "quote"},
        {"id,media,label\n,,x\n", "line 2: the row has no id"},
        {"id,media,label\na\tb,c.mp4,x\n", "line 2: the id holds a control character"},
        {"id,media,label,split\na,b.mp4,x,trian\n", "line 2: split 'trian' is none of train, val, test"},
        {"id,media,label,start\na,b.mp4,x,1s\n", "line 2, column start: '1s' is not a number"},
        {"id,media,label,start\na,b.mp4,x,nan\n", "not a number"},
        {"id,media,label,start\na,b.mp4,x,-1\n", "must be from 0 on"},
        {"id,media,label,duration\na,b.mp4,x,0\n", "above 0 long"},
        {"id,media,label\n", "no clip"},
        {"1088_IOM_NEU_XX,NEU\nglLQrEijrKg_000300.mp4,organ\n", "line 2: not a row of dialect crema-d"},
        {"1088_IOM_NEU_XX,JOY\n", "line 1: label 'JOY' is none of the 6 classes"},
        {"Bell&RUhOCu3LNXM&good&5&4\n", "above 0 long"},
        {"label,youtube_id,time_start,time_end,split\nx,0wR5jVB-WPk,20,10,val\n", "line 2: must have a youtube_id"},
        {"{\"a\":{\"label\":\"x\"},\"a\":{\"label\":\"y\"}}", "a"},
        {"{\"a\":5}", "entry of 'a' is not an object"},
        {"{\"database\":[1]}", "not an object"},
        {"{\"a\":{\"label\":\"x\"}", "line 1"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        BalManifest m = {0};
        size_t n = i == 2 ? 6 : strlen(bad[i].text);
        assert_ok(bal_file_write(scratch("bad"), bad[i].text, n, &err));
        assert_fails(bal_manifest_load(&m, scratch("bad"), NULL, &err), BAL_E_FORMAT, bad[i].part);
        assert_null(m.clip);
    }
    BalManifest m = {0};
    assert_fails(bal_manifest_load(&m, scratch("absent.csv"), NULL, &err), BAL_E_IO, "absent.csv");
}

static void test_choice_of_dialect(void **state) {
    (void)state;
    BalManifest m = {0};
    BalManifestSpec spec = bal_manifest_spec_default();
    put("own.csv", "id,media,label,colour\na,b.mp4,x,red\n");
    spec.dialect = "table"; /* the remedy that the error for unknown columns names */
    assert_ok(bal_manifest_load(&m, scratch("own.csv"), &spec, &err));
    assert_string_equal(m.dialect, "table");
    assert_non_null(strstr(m.note, "columns passed over: colour"));
    bal_manifest_reset(&m);
    spec.dialect = "tabel";
    assert_fails(bal_manifest_load(&m, scratch("own.csv"), &spec, &err), BAL_E_ARG, "did you mean 'table'");
    spec.dialect = "folders";
    assert_fails(bal_manifest_load(&m, scratch("own.csv"), &spec, &err), BAL_E_ARG, "is a file");
    spec.dialect = "crema-d";
    assert_fails(bal_manifest_load(&m, scratch("own.csv"), &spec, &err), BAL_E_FORMAT, "not a row of dialect crema-d");
    spec.dialect = NULL;
    put("both", "id.mp4,label\nx.mp4,y\n");
    assert_ok(bal_manifest_load(&m, scratch("both"), &spec, &err));
    assert_string_equal(m.dialect, "pairs");
    bal_manifest_reset(&m);
    for (int i = 0; i < bal_dialect_count(); i++) {
        const char *summary = NULL;
        assert_non_null(bal_dialect_name(i, &summary));
        assert_true(strlen(summary) > 20);
    }
    assert_null(bal_dialect_name(bal_dialect_count(), NULL));
}

static void test_media_search(void **state) {
    (void)state;
    BalManifest m = {0};
    BalManifestSpec spec = bal_manifest_spec_default();
    spec.media_dir = scratch("media");
    assert_ok(bal_make_dirs(scratch("media/sub"), &err));
    put("media/a.mkv", "x");
    put("media/sub/b.avi", "x");
    put("media/--0PQM4-hqg.mp4", "x");
    put("media/---g-f_I2yQ_000001.webm", "x");
    put("media/odd.bin", "x");
    put("list.csv", "file,label\na,x\nb.mp4,x\nc,x\nodd.bin,x\n");
    spec.dialect = "table";
    assert_ok(bal_manifest_load(&m, scratch("list.csv"), &spec, &err));
    assert_string_equal(m.clip[0].media, "a.mkv");
    assert_string_equal(m.clip[1].media, "b.mp4"); /* as written */
    assert_string_equal(m.clip[2].media, "c.mp4");
    assert_string_equal(m.clip[3].media, "odd.bin");
    assert_int_equal(m.n_missing, 2);
    assert_non_null(strstr(m.note, "2 of 4 media files are not there"));
    bal_manifest_reset(&m);
    put("yt.csv", "--0PQM4-hqg,30,x,train\n---g-f_I2yQ,1,y,test\n");
    spec.dialect = NULL;
    assert_ok(bal_manifest_load(&m, scratch("yt.csv"), &spec, &err));
    assert_string_equal(m.clip[0].media, "--0PQM4-hqg.mp4"); /* only the whole video: the clip is a stretch of it */
    assert_true(m.clip[0].start_s == 30 && m.clip[0].duration_s == 10);
    assert_string_equal(m.clip[1].media, "---g-f_I2yQ_000001.webm");
    assert_true(isnan(m.clip[1].start_s));
    bal_manifest_reset(&m);
    put("pairs.csv", "clip,label\nb,x y\n");
    assert_ok(bal_manifest_load(&m, scratch("pairs.csv"), &spec, &err));
    assert_string_equal(m.clip[0].media, "sub/b.avi"); /* one folder down, where the user named the folder */
    bal_manifest_reset(&m);
    spec.media_pattern = "{split}/{label}/{id}_{source}.mp4";
    assert_ok(bal_manifest_load(&m, scratch("pairs.csv"), &spec, &err));
    assert_string_equal(m.clip[0].media, "train/x y/b_b.mp4");
    bal_manifest_reset(&m);
    spec.media_pattern = "{clip}.mp4";
    assert_fails(bal_manifest_load(&m, scratch("pairs.csv"), &spec, &err), BAL_E_ARG, "none of {id}");
    spec.media_dir = scratch("no-such-folder");
    assert_fails(bal_manifest_load(&m, scratch("pairs.csv"), &spec, &err), BAL_E_IO, "no-such-folder");
}

/* The three spellings of a clip's time: seconds, seconds and end, milliseconds; a short number says nothing sure. */
static void test_clip_times(void **state) {
    (void)state;
    BalManifest m = {0};
    BalManifestSpec spec = bal_manifest_spec_default();
    assert_ok(bal_make_dirs(scratch("times"), &err));
    put("times/abcdefghijk.mp4", "x");
    put("times.txt",
        "abcdefghijk_000300\nabcdefghijk_000130_000142\nabcdefghijk_18000_28000\nabcdefghijk_223000_233000\n"
        "abcdefghijk_20\nabcdefghijk\n");
    spec.media_dir = scratch("times");
    assert_ok(bal_manifest_load(&m, scratch("times.txt"), &spec, &err));
    static const double start[] = {300, 130, 18, 223}, duration[] = {10, 12, 10, 10};
    for (int i = 0; i < 4; i++) assert_true(m.clip[i].start_s == start[i] && m.clip[i].duration_s == duration[i]);
    assert_string_equal(m.clip[4].media, "abcdefghijk_20.mp4");
    assert_true(isnan(m.clip[4].start_s) && isnan(m.clip[5].start_s));
    assert_string_equal(m.clip[5].media, "abcdefghijk.mp4");
    bal_manifest_reset(&m);
}

static void test_classes(void **state) {
    (void)state;
    BalManifest m = {0};
    BalManifestSpec spec = bal_manifest_spec_default();
    put("classes.txt", "\xEF\xBB\xBFz, first\r\nb_c\r\n\r\nunused\r\n");
    spec.classes = scratch("classes.txt");
    put("m.csv", "id,media,label\n1,a.mp4,b c\n2,b.mp4,\"z, first\"\n");
    assert_ok(bal_manifest_load(&m, scratch("m.csv"), &spec, &err));
    assert_int_equal(m.n_classes, 3);
    assert_string_equal(m.classes[0], "z, first");
    assert_int_equal(m.clip[0].label, 1);
    assert_int_equal(m.clip[1].label, 0);
    bal_manifest_reset(&m);
    put("m.csv", "id,media,label\n1,a.mp4,b_d\n");
    assert_fails(bal_manifest_load(&m, scratch("m.csv"), &spec, &err), BAL_E_FORMAT, "did you mean 'b_c'?");
    put("zero.csv", "file,label\na.mp4,0\nb.mp4,2\n"); /* numbers with a list: 0-based ... */
    assert_ok(bal_manifest_load(&m, scratch("zero.csv"), &spec, &err));
    assert_int_equal(m.clip[1].label, 2);
    bal_manifest_reset(&m);
    put("one.csv", "file,label\na.mp4,1\nb.mp4,3\n"); /* ... unless 1 and the last number say otherwise */
    assert_ok(bal_manifest_load(&m, scratch("one.csv"), &spec, &err));
    assert_int_equal(m.clip[1].label, 2);
    bal_manifest_reset(&m);
    put("far.csv", "file,label\na.mp4,0\nb.mp4,3\n");
    assert_fails(bal_manifest_load(&m, scratch("far.csv"), &spec, &err), BAL_E_FORMAT, "line 3: label '3'");
    put("near.csv", "file,label\nc.mp4,0\n");
    const char *both[] = {scratch("far.csv"), scratch("near.csv")}; /* the first of two files is at fault */
    assert_fails(bal_manifest_load_all(&m, both, 2, &spec, &err), BAL_E_FORMAT, "far.csv: line 3: label '3'");
    put("twice.txt", "a\nb\na\n");
    spec.classes = scratch("twice.txt");
    assert_fails(bal_manifest_load(&m, scratch("zero.csv"), &spec, &err), BAL_E_FORMAT, "class 'a' stands twice");
}

static void assert_same(const BalManifest *a, const BalManifest *b) {
    assert_int_equal(a->n, b->n);
    assert_int_equal(a->n_classes, b->n_classes);
    for (int k = 0; k < a->n_classes; k++) assert_string_equal(a->classes[k], b->classes[k]);
    for (int64_t i = 0; i < a->n; i++) {
        const BalClip *x = &a->clip[i], *y = &b->clip[i];
        assert_string_equal(x->id, y->id);
        assert_string_equal(x->media, y->media);
        assert_string_equal(x->source, y->source);
        assert_int_equal(x->label, y->label);
        assert_int_equal(x->split, y->split);
        assert_true(x->start_s == y->start_s || (isnan(x->start_s) && isnan(y->start_s)));
        assert_true(x->duration_s == y->duration_s || (isnan(x->duration_s) && isnan(y->duration_s)));
    }
}

static void test_save_is_identity(void **state) {
    (void)state;
    BalManifest m = {0}, again = {0};
    put("in.csv", "id,media,label,split,start,duration,source\n\"a \"\"q\"\"\",\"x, y.mp4\",\"c, d\",val,0.1,2.25,\n"
                  "-b,é.mp4,10,train,,,s 1\nglLQrEijrKg_000300,z.mp4,,test,,,\n");
    assert_ok(bal_manifest_load(&m, scratch("in.csv"), NULL, &err));
    assert_ok(bal_manifest_save(&m, scratch("out.csv"), &err));
    assert_false(bal_file_exists(scratch("out.csv.classes.json")));
    assert_ok(bal_manifest_load(&again, scratch("out.csv"), NULL, &err));
    assert_same(&m, &again);
    bal_manifest_reset(&m);
    bal_manifest_reset(&again);
    put("digits.txt", "999999999\n1000000000\n"); /* by value, where so long ones would be sorted by bytes */
    put("digits.csv", "id,media,label\na,a.mp4,999999999\nb,b.mp4,1000000000\n");
    BalManifestSpec spec = bal_manifest_spec_default();
    spec.classes = scratch("digits.txt");
    assert_ok(bal_manifest_load(&m, scratch("digits.csv"), &spec, &err));
    assert_ok(bal_manifest_save(&m, scratch("out.csv"), &err));
    assert_ok(bal_manifest_load(&again, scratch("out.csv"), NULL, &err));
    assert_same(&m, &again);
    bal_manifest_reset(&m);
    bal_manifest_reset(&again);
    put("crema.csv", "1088_IOM_SAD_XX,SAD\n1017_IWW_HAP_XX,HAP\n"); /* classes in a given order, some without clips */
    assert_ok(bal_manifest_load(&m, scratch("crema.csv"), NULL, &err));
    assert_ok(bal_manifest_save(&m, scratch("out.csv"), &err));
    assert_ok(bal_manifest_load(&again, scratch("out.csv"), NULL, &err));
    assert_same(&m, &again);
    bal_manifest_reset(&again);
    assert_ok(bal_make_dirs(scratch("elsewhere"), &err)); /* from another folder the media must still be found */
    assert_ok(bal_manifest_save(&m, scratch("elsewhere/out.csv"), &err));
    assert_ok(bal_manifest_load(&again, scratch("elsewhere/out.csv"), NULL, &err));
    assert_string_equal(again.clip[0].media, "../1088_IOM_SAD_XX.mp4");
    bal_manifest_reset(&again);
    assert_ok(bal_make_dirs(scratch("far/away"), &err));
    assert_ok(bal_manifest_save(&m, scratch("far/away/out.csv"), &err));
    assert_ok(bal_manifest_load(&again, scratch("far/away/out.csv"), NULL, &err));
    assert_true(bal_has_suffix(again.clip[0].media, "/1088_IOM_SAD_XX.mp4") && again.clip[0].media[0] == '/');
    bal_manifest_reset(&m);
    bal_manifest_reset(&again);
}

static void test_hold_out(void **state) {
    (void)state;
    BalManifest m = {0};
    BalText text = {0};
    bal_text_add(&text, "id,media,label,split,source\n");
    for (int i = 0; i < 400; i++)
        bal_text_f(&text, "c%d,c%d.mp4,%c,%s,v%d\n", i, i, 'a' + i % 4, i < 320 ? "train" : "test", i / 4);
    put("big.csv", text.data);
    bal_text_reset(&text);
    assert_ok(bal_manifest_load(&m, scratch("big.csv"), NULL, &err));
    assert_ok(bal_manifest_hold_out(&m, 0.1, 3, &err));
    int per_class[4] = {0}, n_val = 0;
    for (int i = 0; i < 400; i++) {
        if (m.clip[i].split == BAL_SPLIT_VAL) per_class[m.clip[i].label]++, n_val++;
        assert_int_equal(m.clip[i].split, m.clip[i - i % 4].split); /* a source stays together */
    }
    assert_int_equal(n_val, 32);
    for (int k = 0; k < 4; k++) assert_int_equal(per_class[k], 8);
    bal_manifest_reset(&m);
}

static BalStatus load_and_save(void *user, BalError *e) {
    (void)user;
    BalManifest m = {0};
    BalManifestSpec spec = bal_manifest_spec_default();
    spec.classes = scratch("list.txt");
    BalStatus rc = bal_manifest_load(&m, scratch("fault.csv"), &spec, e);
    if (rc == BAL_OK) rc = bal_manifest_save(&m, scratch("fault-out.csv"), e);
    bal_manifest_reset(&m);
    return rc;
}

static void test_no_memory(void **state) {
    (void)state;
    put("list.txt", "z\nx\n");
    put("fault.csv", "file,label,extra\na,x,1\n\"b \"\"q\"\"\",z,2\n");
    assert_true(fault_each_allocation(load_and_save, NULL) > 20);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refused),      cmocka_unit_test(test_choice_of_dialect),
        cmocka_unit_test(test_media_search), cmocka_unit_test(test_clip_times),
        cmocka_unit_test(test_classes),      cmocka_unit_test(test_save_is_identity),
        cmocka_unit_test(test_hold_out),     cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, scratch_open, scratch_close);
}
