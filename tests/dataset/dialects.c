/* Every manifest dialect: a small case with its peculiarities, then the real annotation files beside the project with the counts
 * that data/README.md gives for them (skipped where ../shared is absent). */
#include "../base/check.h"
#include <avbalance/dataset.h>
#include <math.h>
#include "dataset/manifest.h"

#define ANNOTATIONS AVB_SOURCE_DIR "/../shared/data/annotations/"

static BalError err;

/* `text` as a file in the scratch folder, loaded */
static BalManifest load(const char *name, const char *text) {
    BalManifest m = {0};
    assert_ok(bal_file_write(scratch(name), text, strlen(text), &err));
    assert_ok(bal_manifest_load(&m, scratch(name), NULL, &err));
    return m;
}

static void assert_clip(const BalManifest *m, int64_t i, const char *id, const char *media, const char *label,
                        BalSplit split, const char *source) {
    assert_true(i < m->n);
    assert_string_equal(m->clip[i].id, id);
    assert_string_equal(m->clip[i].media, media);
    assert_string_equal(m->clip[i].label < 0 ? "" : m->classes[m->clip[i].label], label);
    assert_int_equal(m->clip[i].split, split);
    assert_string_equal(m->clip[i].source, source);
}

static void test_own(void **state) {
    (void)state;
    BalManifest m = load("own.csv", "\xEF\xBB\xBFid,media,label,split,start,duration\r\n"
                                    "-a b,\"x, y.mp4\",\"dog, barking\",train,1.5,2\r\n\r\n"
                                    "c,/abs/z.mkv,cat,validation,,\r\n"
                                    "glLQrEijrKg_000300,v.mp4,,test,,\r\n");
    assert_string_equal(m.dialect, "avbalance");
    assert_int_equal(m.n, 3);
    assert_int_equal(m.n_classes, 2);
    assert_string_equal(m.classes[0], "cat");
    assert_clip(&m, 0, "-a b", "x, y.mp4", "dog, barking", BAL_SPLIT_TRAIN, "");
    assert_clip(&m, 1, "c", "/abs/z.mkv", "cat", BAL_SPLIT_VAL, "");
    assert_clip(&m, 2, "glLQrEijrKg_000300", "v.mp4", "", BAL_SPLIT_TEST, "glLQrEijrKg");
    assert_true(m.clip[0].start_s == 1.5 && m.clip[0].duration_s == 2 && isnan(m.clip[1].start_s));
    assert_int_equal(m.clip[0].line, 2);
    assert_int_equal(m.clip[1].line, 4);
    assert_int_equal(m.n_missing, 3);
    bal_manifest_reset(&m);
}

static void test_table(void **state) {
    (void)state;
    BalManifest m = load("pairs.tsv", "id\tfile\tlabel\taudio_class\tsplit\tvideo_file\tv_start\n"
                                      "ird0\tclips/ird0.mkv\t10\tBG\ttrain\tIR_1.mp4\t8.3\n"
                                      "ird1\tclips/ird1.mkv\t9\tBG\ttest\tIR_1.mp4\t0\n");
    assert_string_equal(m.dialect, "table");
    assert_clip(&m, 0, "ird0", "clips/ird0.mkv", "10", BAL_SPLIT_TRAIN, "IR_1.mp4");
    assert_string_equal(m.classes[0], "9"); /* numbers by value */
    assert_non_null(strstr(m.note, "audio_class, v_start"));
    bal_manifest_reset(&m);
    m = load("other.csv", "Path,Class,start_time,end_time\na/b.avi,x,1,3.5\na/c.avi,y_z,,\na/d.avi,y z,,\n");
    assert_clip(&m, 0, "b", "a/b.avi", "x", BAL_SPLIT_TRAIN, "");
    assert_true(m.clip[0].duration_s == 2.5);
    assert_int_equal(m.n_classes, 2); /* '_' and ' ' are one */
    assert_clip(&m, 2, "d", "a/d.avi", "y_z", BAL_SPLIT_TRAIN, "");
    bal_manifest_reset(&m);
    /* a quote and a comma inside of a column's name: as many columns as its rows have, which are as many as there is room for */
    m = load("quoted.csv", "\"a \"\"b, c\",p,q,r,s,t,id,label\n1,2,3,4,5,6,x,dog\n");
    assert_clip(&m, 0, "x", "x.mp4", "dog", BAL_SPLIT_TRAIN, "");
    bal_manifest_reset(&m);
}

static void test_vggsound(void **state) {
    (void)state;
    BalManifest m = load("AStest.csv", "-lLQrEijrKg_000300.mp4,playing hammond organ\r\n"
                                       "LDoXsip0BEQ_000177.mp4,\"bird chirping, tweeting\"\r\n");
    assert_string_equal(m.dialect, "vggsound");
    assert_clip(&m, 0, "-lLQrEijrKg_000300", "-lLQrEijrKg_000300.mp4", "playing hammond organ", BAL_SPLIT_TEST,
                "-lLQrEijrKg");
    assert_clip(&m, 1, "LDoXsip0BEQ_000177", "LDoXsip0BEQ_000177.mp4", "bird chirping, tweeting", BAL_SPLIT_TEST,
                "LDoXsip0BEQ");
    bal_manifest_reset(&m);
    m = load("latest_test.csv", "-lLQrEijrKg_000300.mp4,organ\n"); /* the second "test" counts */
    assert_clip(&m, 0, "-lLQrEijrKg_000300", "-lLQrEijrKg_000300.mp4", "organ", BAL_SPLIT_TEST, "-lLQrEijrKg");
    bal_manifest_reset(&m);
    m = load("vggsound.csv", "---g-f_I2yQ,1,people marching,test\n--0PQM4-hqg,30,\"a, b\",train\n");
    assert_clip(&m, 0, "---g-f_I2yQ_000001", "---g-f_I2yQ_000001.mp4", "people marching", BAL_SPLIT_TEST,
                "---g-f_I2yQ");
    assert_clip(&m, 1, "--0PQM4-hqg_000030", "--0PQM4-hqg_000030.mp4", "a, b", BAL_SPLIT_TRAIN, "--0PQM4-hqg");
    bal_manifest_reset(&m);
}

static void test_vggsounder(void **state) {
    (void)state;
    BalManifest m = load("v.csv", "video_id,label,modality,background_music,static_image,voice_over\n"
                                  "--i-y1v8Hy8_000000,child singing,AV,False,False,True\n"
                                  "--i-y1v8Hy8_000000,\"child speech, kid speaking\",AV,False,False,True\n"
                                  "glLQrEijrKg_000300,zebra,A,False,False,False\n");
    assert_string_equal(m.dialect, "vggsounder");
    assert_int_equal(m.n, 2);
    assert_int_equal(m.n_multi_label, 1);
    assert_clip(&m, 0, "--i-y1v8Hy8_000000", "--i-y1v8Hy8_000000.mp4", "child singing", BAL_SPLIT_TRAIN, "--i-y1v8Hy8");
    assert_int_equal(m.n_classes, 3);
    bal_manifest_reset(&m);
}

static void test_crema_d(void **state) {
    (void)state;
    BalManifest m = load("my_train.csv", "1088_IOM_NEU_XX,NEU\r\n1017_IWW_ANG_LO,ANG\r\n");
    assert_string_equal(m.dialect, "crema-d");
    assert_clip(&m, 1, "1017_IWW_ANG_LO", "1017_IWW_ANG_LO.mp4", "ANG", BAL_SPLIT_TRAIN, "1017");
    assert_int_equal(m.n_classes, 6);
    assert_string_equal(m.classes[0], "NEU");
    bal_manifest_reset(&m);
    m = load("val.csv", "name,label\r\n1041_TIE_NEU_XX,NEU\r\n");
    assert_clip(&m, 0, "1041_TIE_NEU_XX", "1041_TIE_NEU_XX.mp4", "NEU", BAL_SPLIT_VAL, "1041");
    bal_manifest_reset(&m);
}

static void test_kinetics(void **state) {
    (void)state;
    BalManifest m =
        load("k400.csv", "label,youtube_id,time_start,time_end,split,is_cc\n"
                         "\"drop kicking (x)\",-wR5jVB-WPk,417,427,val,0\nabseiling,3caPS4FHFF8,36,46,val,0\n");
    assert_string_equal(m.dialect, "kinetics");
    assert_clip(&m, 0, "-wR5jVB-WPk_000417_000427", "-wR5jVB-WPk_000417_000427.mp4", "drop kicking (x)", BAL_SPLIT_VAL,
                "-wR5jVB-WPk");
    assert_true(isnan(m.clip[0].start_s));
    bal_manifest_reset(&m);
    m = load("k.csv", "youtube_id,time_start,time_end,split\n--6bJUbfpnQ,17,27,test\n");
    assert_clip(&m, 0, "--6bJUbfpnQ_000017_000027", "--6bJUbfpnQ_000017_000027.mp4", "", BAL_SPLIT_TEST, "--6bJUbfpnQ");
    bal_manifest_reset(&m);
}

static void test_kinetics_sounds(void **state) {
    (void)state;
    BalManifest m = load("my_test.txt", "-3Mwkq-7TV4_2,10,23\r\n--4-0ihtnBU_000058_000068,10,4\r\n");
    assert_string_equal(m.dialect, "kinetics-sounds");
    assert_int_equal(m.n_classes, 31);
    assert_clip(&m, 0, "-3Mwkq-7TV4_2", "-3Mwkq-7TV4_2.mp4", "shoveling_snow", BAL_SPLIT_TEST, "-3Mwkq-7TV4");
    assert_clip(&m, 1, "--4-0ihtnBU_000058_000068", "--4-0ihtnBU_000058_000068.mp4", "dribbling_basketball",
                BAL_SPLIT_TEST, "--4-0ihtnBU");
    bal_manifest_reset(&m);
    assert_ok(bal_file_write(scratch("bad.txt"), "-3Mwkq-7TV4_2,10,31\n", 20, &err));
    assert_fails(bal_manifest_load(&m, scratch("bad.txt"), NULL, &err), BAL_E_FORMAT, "'31' is none of the 31 classes");
}

static void test_ave(void **state) {
    (void)state;
    BalManifest m =
        load("Annotations.txt", "Category&VideoID&Quality&StartTime&EndTime\n"
                                "Church bell&RUhOCu3LNXM&good&0&10\nMale speech, man speaking&MH3m4AwEcRY&good&6&8\n"
                                "Horse&RUhOCu3LNXM&good&2&5\n");
    assert_string_equal(m.dialect, "ave");
    assert_int_equal(m.n, 2);
    assert_int_equal(m.n_multi_label, 1);
    assert_clip(&m, 1, "MH3m4AwEcRY", "MH3m4AwEcRY.mp4", "Male speech, man speaking", BAL_SPLIT_TRAIN, "MH3m4AwEcRY");
    assert_true(m.clip[1].start_s == 6 && m.clip[1].duration_s == 2);
    bal_manifest_reset(&m);
}

static void test_ucf101(void **state) {
    (void)state;
    assert_ok(bal_make_dirs(scratch("ucf"), &err));
    BalManifest m = load("ucf/trainlist01.txt", "Archery/v_Archery_g08_c01.avi 1\r\nDiving/v_Diving_g09_c02.avi 2\r\n");
    assert_string_equal(m.dialect, "ucf101");
    assert_clip(&m, 1, "v_Diving_g09_c02", "Diving/v_Diving_g09_c02.avi", "Diving", BAL_SPLIT_TRAIN, "v_Diving_g09");
    bal_manifest_reset(&m);
    assert_ok(bal_file_write(scratch("ucf/classInd.txt"), "1 Diving\r\n2 Archery\r\n", 21, &err));
    m = load("ucf/testlist01.txt", "Archery/v_Archery_g01_c01.avi\n");
    assert_clip(&m, 0, "v_Archery_g01_c01", "Archery/v_Archery_g01_c01.avi", "Archery", BAL_SPLIT_TEST,
                "v_Archery_g01");
    assert_int_equal(m.clip[0].label, 1);
    assert_int_equal(m.n_classes, 2);
    bal_manifest_reset(&m);
}

static void test_json(void **state) {
    (void)state;
    BalManifest m =
        load("ks.json", "{\"labels\":[\"z_z\",\"a\"],\"database\":{\"--4-0ihtnBU_000058_000068\":"
                        "{\"subset\":\"training\",\"label\":\"a\"},\"x\":{\"subset\":\"testing\",\"annotations\":"
                        "[{\"segment\":[1,3.5],\"label\":\"z z\"}]}}}");
    assert_string_equal(m.dialect, "activitynet");
    assert_clip(&m, 0, "--4-0ihtnBU_000058_000068", "--4-0ihtnBU_000058_000068.mp4", "a", BAL_SPLIT_TRAIN,
                "--4-0ihtnBU");
    assert_clip(&m, 1, "x", "x.mp4", "z_z", BAL_SPLIT_TEST, "");
    assert_int_equal(m.clip[0].label, 1);
    assert_true(m.clip[1].start_s == 1 && m.clip[1].duration_s == 2.5);
    bal_manifest_reset(&m);
    m = load("d.json", " {\"ZUJ5LJGX9oc_20\": {\"subset\": \"validation\", \"label\": \"lawn mowing\"},"
                       "\"5\":{\"vid\":\"xCwDi3Vqm0s\",\"label\":\"bowling\"}}");
    assert_string_equal(m.dialect, "id-json");
    assert_clip(&m, 0, "ZUJ5LJGX9oc_20", "ZUJ5LJGX9oc_20.mp4", "lawn mowing", BAL_SPLIT_VAL, "ZUJ5LJGX9oc");
    assert_clip(&m, 1, "xCwDi3Vqm0s", "xCwDi3Vqm0s.mp4", "bowling", BAL_SPLIT_TRAIN, "xCwDi3Vqm0s");
    bal_manifest_reset(&m);
}

/* What is published of the balanced set: forms of ids, from the project's vectors. */
static void test_published_ids(void **state) {
    (void)state;
    static const struct {
        const char *vid, *video;
        double start_s; /* NaN: the id does not say */
    } good[] = {{"1oR8FSr-eyw_000184_000194", "1oR8FSr-eyw", 184},
                {"M_3Mk2nMydQ_30", "M_3Mk2nMydQ", NAN},
                {"pHT6uU1-7FY", "pHT6uU1-7FY", NAN},
                {"I4_zfEBZRSg_588", "I4_zfEBZRSg", NAN},
                {"Lq_NbIUNZ2s_14", "Lq_NbIUNZ2s", NAN}};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        const BalField id = bal_field(good[i].vid), source = bal_source_of(id);
        double start_s = NAN, duration_s;
        assert_true(bal_youtube_prefix(id) == 11 && bal_field_is(&source, good[i].video));
        assert_true(bal_clip_time(id, &start_s, &duration_s) == !isnan(good[i].start_s));
        assert_true(isnan(good[i].start_s) || (start_s == good[i].start_s && duration_s == 10));
    }
    static const char *const bad[][2] = {
        {"{\"5\": {\"vid\": \"short_1\", \"label\": \"a\"}}", "does not begin with a YouTube id"},
        {"{\"5\": {\"vid\": \"1oR8FSr-eyw_000194_000184\", \"label\": \"a\"}}", "ends before it begins"}};
    for (int i = 0; i < 2; i++) {
        BalManifest m;
        assert_ok(bal_file_write(scratch("p.json"), bad[i][0], strlen(bad[i][0]), &err));
        assert_fails(bal_manifest_load(&m, scratch("p.json"), NULL, &err), BAL_E_FORMAT, bad[i][1]);
    }
}

static void test_pairs_and_ids(void **state) {
    (void)state;
    BalManifest m = load("list.txt", "a/one.mp4\tdog\nb/two.webm\tcat\n");
    assert_string_equal(m.dialect, "pairs");
    assert_clip(&m, 0, "one", "a/one.mp4", "dog", BAL_SPLIT_TRAIN, "");
    bal_manifest_reset(&m);
    m = load("ids.txt", "-3gU1bPU7_8_0_10000\nG1x66WZKZKQ_215000_225000.mp4\n");
    assert_string_equal(m.dialect, "ids");
    assert_clip(&m, 0, "-3gU1bPU7_8_0_10000", "-3gU1bPU7_8_0_10000.mp4", "", BAL_SPLIT_TRAIN, "-3gU1bPU7_8");
    assert_clip(&m, 1, "G1x66WZKZKQ_215000_225000", "G1x66WZKZKQ_215000_225000.mp4", "", BAL_SPLIT_TRAIN,
                "G1x66WZKZKQ");
    bal_manifest_reset(&m);
}

static void test_folders(void **state) {
    (void)state;
    BalManifest m = {0};
    assert_ok(bal_make_dirs(scratch("tree/train/dog"), &err));
    assert_ok(bal_make_dirs(scratch("tree/test/cat"), &err));
    assert_ok(bal_file_write(scratch("tree/train/dog/1.mp4"), "x", 1, &err));
    assert_ok(bal_file_write(scratch("tree/train/dog/notes.txt"), "x", 1, &err));
    assert_ok(bal_file_write(scratch("tree/test/cat/1.mkv"), "x", 1, &err));
    assert_ok(bal_manifest_load(&m, scratch("tree"), NULL, &err));
    assert_string_equal(m.dialect, "folders");
    assert_int_equal(m.n, 2);
    assert_clip(&m, 0, "cat/1", "test/cat/1.mkv", "cat", BAL_SPLIT_TEST, "");
    assert_clip(&m, 1, "dog/1", "train/dog/1.mp4", "dog", BAL_SPLIT_TRAIN, "");
    assert_int_equal(m.n_missing, 0);
    bal_manifest_reset(&m);
    /* a file that is called after its YouTube id is of that source, in whatever folder it lies */
    assert_ok(bal_file_write(scratch("tree/train/dog/abcdefghij0.mp4"), "x", 1, &err));
    assert_ok(bal_manifest_load(&m, scratch("tree"), NULL, &err));
    assert_clip(&m, 2, "dog/abcdefghij0", "train/dog/abcdefghij0.mp4", "dog", BAL_SPLIT_TRAIN, "abcdefghij0");
    bal_manifest_reset(&m);
    assert_ok(bal_remove_tree(scratch("tree/train/dog/abcdefghij0.mp4"), &err));
    assert_ok(bal_manifest_load(&m, scratch("tree/train"), NULL,
                                &err)); /* classes at the top; the folder's name is the split */
    assert_int_equal(m.n, 1);
    assert_clip(&m, 0, "dog/1", "dog/1.mp4", "dog", BAL_SPLIT_TRAIN, "");
    bal_manifest_reset(&m);
    assert_ok(bal_make_dirs(scratch("vehicles/train"), &err)); /* a class that is called as a split is */
    assert_ok(bal_make_dirs(scratch("vehicles/bus"), &err));
    assert_ok(bal_file_write(scratch("vehicles/train/1.mp4"), "x", 1, &err));
    assert_ok(bal_file_write(scratch("vehicles/bus/1.mp4"), "x", 1, &err));
    assert_ok(bal_manifest_load(&m, scratch("vehicles"), NULL, &err));
    assert_int_equal(m.n, 2);
    assert_clip(&m, 1, "train/1", "train/1.mp4", "train", BAL_SPLIT_TRAIN, "");
    bal_manifest_reset(&m);
    assert_ok(bal_make_dirs(scratch("vehicles/train/bus"), &err));
    assert_fails(bal_manifest_load(&m, scratch("vehicles"), NULL, &err), BAL_E_FORMAT, "the class or the split train");
    assert_ok(bal_make_dirs(scratch("nothing"), &err));
    assert_fails(bal_manifest_load(&m, scratch("nothing"), NULL, &err), BAL_E_FORMAT,
                 "nothing/CLASS/CLIP.mp4 is wanted");
}

static int64_t in_split(const BalManifest *m, BalSplit s) {
    int64_t n = 0;
    for (int64_t i = 0; i < m->n; i++) n += m->clip[i].split == s;
    return n;
}

static void test_real_annotations(void **state) {
    (void)state;
    static const struct {
        const char *file, *dialect;
        int64_t n, n_classes, multi_label, train, val, test;
    } real[] = {
        {"ave/Annotations.txt", "ave", 4097, 28, 46, 4097, 0, 0},
        {"balanced/MM-Debiased.json", "id-json", 14025, 10, 0, 11368, 1185, 1472},
        {"balanced/corresponding.json", "id-json", 39, -1, 0, 39, 0, 0},
        {"cremad_mmcosine/test.csv", "crema-d", 744, 6, 0, 0, 0, 744},
        {"cremad_mmcosine/train.csv", "crema-d", 6698, 6, 0, 6698, 0, 0},
        {"cremad_official/human_unimodal.tsv", "table", 7442, 6, 0, 7442, 0, 0},
        {"cremad_ogm/data.csv", "crema-d", 7442, 6, 0, 7442, 0, 0},
        {"cremad_ogm/test.csv", "crema-d", 744, 6, 0, 0, 0, 744},
        {"cremad_ogm/train.csv", "crema-d", 6698, 6, 0, 6698, 0, 0},
        {"cremad_relearn/my_train.csv", "crema-d", 5954, 6, 0, 5954, 0, 0},
        {"cremad_relearn/test.csv", "crema-d", 744, 6, 0, 0, 0, 744},
        {"cremad_relearn/val.csv", "crema-d", 744, 6, 0, 0, 744, 0},
        {"kinetics/kinetics-400_test.csv", "kinetics", 38685, 0, 0, 0, 0, 38685},
        {"kinetics/kinetics-400_val.csv", "kinetics", 19906, 400, 0, 0, 19906, 0},
        {"kinetics/kinetics-600_val.csv", "kinetics", 30000, 600, 0, 0, 30000, 0},
        {"kinetics_sound/KS.json", "activitynet", 18716, 31, 0, 17396, 1320, 0},
        {"kinetics_sound/KS_train_val.json", "activitynet", 18716, 31, 0, 14799, 1320, 2597},
        {"kinetics_sound/my_test.txt", "kinetics-sounds", 2597, 31, 0, 0, 0, 2597},
        {"kinetics_sound/my_train.txt", "kinetics-sounds", 14799, 31, 0, 14799, 0, 0},
        {"ucf101/testlist01.txt", "ucf101", 3783, 101, 0, 0, 0, 3783},
        {"ucf101/trainlist01.txt", "ucf101", 9537, 101, 0, 9537, 0, 0},
        {"vggsound/AStest.csv", "vggsound", 6927, 155, 0, 0, 0, 6927},
        {"vggsound/test.csv", "vggsound", 15446, 309, 0, 0, 0, 15446},
        {"vggsound_bad_lists/145.txt", "ids", 427, 0, 0, 427, 0, 0},
        {"vggsound_bad_lists/190.txt", "ids", 358, 0, 0, 358, 0, 0},
        {"vggsound_bad_lists/299.txt", "ids", 566, 0, 0, 566, 0, 0},
        {"vggsound_bad_lists/filtered_80_video_has_still_frames.txt", "ids", 70, 0, 0, 70, 0, 0},
        {"vggsound_bad_lists/filtered_audio_has_0_std.txt", "ids", 1010, 0, 0, 1010, 0, 0},
        {"vggsound_bad_lists/filtered_broken.txt", "ids", 16, 0, 0, 16, 0, 0},
        {"vggsound_bad_lists/filtered_in_0_dists_group.txt", "ids", 408, 0, 0, 408, 0, 0},
        {"vggsound_bad_lists/filtered_manually_found.txt", "ids", 23, 0, 0, 23, 0, 0},
        {"vggsound_bad_lists/less_than_9s_frames_segments.txt", "ids", 701, 0, 0, 701, 0, 0},
        {"vggsounder/vggsound-but-vggsounder-format.csv", "vggsounder", 15446, 309, 0, 15446, 0, 0},
        {"vggsounder/vggsounder.csv", "vggsounder", 12014, 309, 17495, 12014, 0, 0},
        {"../avdigits/sample_clips/labels.tsv", "table", 24, -1, 0, -1, -1, -1},
        {"../avdigits/labels_default_uniform.tsv", "table", 3000, 10, 0, 2400, 300, 300},
        {"../drones/pairs_default.tsv", "table", 800, 4, 0, 560, 80, 160},
    };
    if (!bal_is_dir(ANNOTATIONS)) {
        print_message("skipped: %s is absent\n", ANNOTATIONS);
        skip();
    }
    for (size_t i = 0; i < sizeof real / sizeof *real; i++) {
        char path[512];
        BalManifest m = {0};
        snprintf(path, sizeof path, ANNOTATIONS "%s", real[i].file);
        assert_ok(bal_manifest_load(&m, path, NULL, &err));
        int64_t got[] = {m.n,
                         m.n_classes,
                         m.n_multi_label,
                         in_split(&m, BAL_SPLIT_TRAIN),
                         in_split(&m, BAL_SPLIT_VAL),
                         in_split(&m, BAL_SPLIT_TEST)};
        int64_t want[] = {real[i].n, real[i].n_classes, real[i].multi_label, real[i].train, real[i].val, real[i].test};
        if (strcmp(m.dialect, real[i].dialect) != 0) fail_msg("%s: dialect %s", real[i].file, m.dialect);
        for (int k = 0; k < 6; k++)
            if (want[k] >= 0 && got[k] != want[k])
                fail_msg("%s: count %d is %lld instead of %lld", real[i].file, k, (long long)got[k],
                         (long long)want[k]);
        bal_manifest_reset(&m);
    }
}

/* Tables that are no manifests must be refused, not guessed at. */
static void test_real_non_manifests(void **state) {
    (void)state;
    static const char *const files[] = {"cremad_official/VideoDemographics.csv",
                                        "cremad_official/summaryTable.csv",
                                        "cremad_official/SentenceFilenames.csv",
                                        "cremad_official/LICENSE.txt",
                                        "cremad_official/tabulatedVotes_first3000.csv",
                                        "cremad_ogm/stat.csv",
                                        "vggsound/stat.csv",
                                        "vggsound/Common.txt",
                                        "vggsounder/classes.csv",
                                        "ucf101/classInd.txt"};
    if (!bal_is_dir(ANNOTATIONS)) skip();
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char path[512];
        BalManifest m = {0};
        snprintf(path, sizeof path, ANNOTATIONS "%s", files[i]);
        assert_fails(bal_manifest_load(&m, path, NULL, &err), BAL_E_FORMAT, "no manifest dialect");
    }
}

/* Class lists in all their forms, each against a list of clips. */
static void test_real_class_lists(void **state) {
    (void)state;
    static const struct {
        const char *list, *clips;
        int n_classes;
        const char *first;
    } real[] = {
        {"cremad_ogm/stat.csv", "cremad_ogm/test.csv", 6, "NEU"},
        {"cremad_mmcosine/stat.csv", "cremad_mmcosine/test.csv", 6, "NEU"},
        {"vggsound/stat.csv", "vggsound/test.csv", 309, "ambulance siren"},
        {"vggsounder/classes.csv", "vggsound/test.csv", 309, "ambulance siren"},
        {"ucf101/classInd.txt", "ucf101/testlist01.txt", 101, "ApplyEyeMakeup"},
        {"kinetics_sound/KS.json", "kinetics_sound/my_train.txt", 31, "blowing_nose"},
    };
    if (!bal_is_dir(ANNOTATIONS)) skip();
    for (size_t i = 0; i < sizeof real / sizeof *real; i++) {
        char list[512], clips[512];
        BalManifest m = {0};
        BalManifestSpec spec = bal_manifest_spec_default();
        snprintf(list, sizeof list, ANNOTATIONS "%s", real[i].list);
        snprintf(clips, sizeof clips, ANNOTATIONS "%s", real[i].clips);
        spec.classes = list;
        assert_ok(bal_manifest_load(&m, clips, &spec, &err));
        assert_int_equal(m.n_classes, real[i].n_classes);
        assert_string_equal(m.classes[0], real[i].first);
        bal_manifest_reset(&m);
    }
}

static void test_real_train_and_test_together(void **state) {
    (void)state;
    if (!bal_is_dir(ANNOTATIONS)) skip();
    const char *path[] = {ANNOTATIONS "cremad_relearn/my_train.csv", ANNOTATIONS "cremad_relearn/val.csv",
                          ANNOTATIONS "cremad_relearn/test.csv"};
    BalManifest m = {0};
    assert_ok(bal_manifest_load_all(&m, path, 3, NULL, &err));
    assert_int_equal(m.n, 7442);
    assert_int_equal(in_split(&m, BAL_SPLIT_TRAIN), 5954);
    assert_int_equal(in_split(&m, BAL_SPLIT_VAL), 744);
    assert_int_equal(m.n_classes, 6);
    bal_manifest_reset(&m);
    const char *twice[] = {ANNOTATIONS "cremad_relearn/my_train.csv", ANNOTATIONS "cremad_relearn/my_train.csv"};
    assert_fails(bal_manifest_load_all(&m, twice, 2, NULL, &err), BAL_E_FORMAT, "stands already in");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_own),
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_vggsound),
        cmocka_unit_test(test_vggsounder),
        cmocka_unit_test(test_crema_d),
        cmocka_unit_test(test_kinetics),
        cmocka_unit_test(test_kinetics_sounds),
        cmocka_unit_test(test_ave),
        cmocka_unit_test(test_ucf101),
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_published_ids),
        cmocka_unit_test(test_pairs_and_ids),
        cmocka_unit_test(test_folders),
        cmocka_unit_test(test_real_annotations),
        cmocka_unit_test(test_real_non_manifests),
        cmocka_unit_test(test_real_class_lists),
        cmocka_unit_test(test_real_train_and_test_together),
    };
    return cmocka_run_group_tests(tests, scratch_open, scratch_close);
}
