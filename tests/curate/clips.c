/* From videos to clips, end to end on films made here: what every input ends as, that the result does not depend on workers, kills and
 * damage, and that a download is what its command does. */
#include <avbalance/clips.h>
#include <math.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/fault.h"
#include "base/hash.h"
#include "media/make.h"

enum { FPS = 25, RATE = 16000 };

static float pcm[RATE * 20];

/* A film of so many pictures: moving ones, of a new brightness every `shot` pictures, with noise or silence. */
static void make_film(const char *name, int n, int shot, bool silent) {
    BalError err = {0};
    BalMediaWriter *w = NULL;
    BalMediaWriterSpec spec = {MAKE_W, MAKE_H, FPS, RATE};
    BalWriterTweaks as = {.format = "matroska", .audio_codec = "pcm_f32le", .video_options = "preset=ultrafast:g=25"};
    static uint8_t rgb[MAKE_W * MAKE_H * 3];
    static float nothing[RATE * 20];
    assert_ok(bal_media_writer_open_as(&w, scratch(name), &spec, &as, &err));
    for (int k = 0; k < n; k++) {
        make_picture(rgb, 3 * k);
        memset(rgb, 20 + 200 * (k / shot % 2), sizeof rgb / 2);
        assert_ok(bal_media_writer_frame(w, rgb, &err));
    }
    assert_ok(bal_media_writer_sound(w, silent ? nothing : pcm, (int64_t)n * RATE / FPS, &err));
    assert_ok(bal_media_writer_close(&w, &err));
}

static void put(const char *name, const char *text) {
    BalError err = {0};
    assert_ok(bal_file_write(scratch(name), text, strlen(text), &err));
}

/* Everything the tests cut. */
static int make_inputs(void **state) {
    BalError err = {0};
    scratch_open(state);
    BalRng r = bal_rng(5, BAL_RNG_TEST, 0, 0);
    for (size_t i = 0; i < sizeof pcm / sizeof *pcm; i++) pcm[i] = (float)(0.4 * (bal_rng_uniform(&r) - 0.5));
    assert_ok(bal_make_dirs(scratch("in/dog"), &err));
    assert_ok(bal_make_dirs(scratch("in/cat"), &err));
    make_film("in/dog/rex.mkv", 130, 65, false);    /* two shots of 2.6 s */
    make_film("in/cat/tom.mkv", 60, 1000, true);    /* silent */
    make_film("in/cat/kit.mkv", 20, 1000, false);   /* too short */
    make_film("abcdefghij0.mkv", 150, 1000, false); /* a YouTube id by name */
    make_film("-bcdefghij1.mkv", 110, 30, false);
    put("broken.mkv", "<html>404</html>");
    put("vgg.csv", "abcdefghij0,3,\"barking, dog\",train\n-bcdefghij1,1,meow,test\nZZZZZZZZZZ9,7,meow,train\n");
    put("kinetics.csv",
        "label,youtube_id,time_start,time_end,split\nmeow,-bcdefghij1,0,2,val\nbark,abcdefghij0,5,9,val\n");
    return 0;
}

static BalClipsSpec usual(void) {
    BalClipsSpec s = bal_clips_spec_default();
    s.rule.clip_s = 1;
    s.workers = 1;
    return s;
}

static const BalProgressSink quiet = {0};

static BalStatus make_of(const char *a, const char *b, const BalClipsSpec *s, const char *dir, BalClipsResult *r,
                         BalError *err) {
    const char *const input[] = {scratch(a), b ? scratch(b) : NULL};
    return bal_clips_make(input, b ? 2 : 1, s, scratch(dir), quiet, r, err);
}

static void has(const char *file, const char *part) {
    BalError err = {0};
    BalText text = {0};
    assert_ok(bal_file_read(scratch(file), 0, &text, &err));
    if (!strstr(bal_text_str(&text), part)) fail_msg("%s lacks '%s':\n%s", file, part, bal_text_str(&text));
    bal_text_reset(&text);
}

/* One number for everything in a folder but the journal. */
static void folder_hash(const char *dir, char out[65]) {
    static const char *const sub[] = {"", "clips"};
    BalError err = {0};
    BalText all = {0}, path = {0};
    for (int k = 0; k < 2; k++) {
        char **name, hash[65], folder[300];
        int n;
        snprintf(folder, sizeof folder, "%s/%s", scratch(dir), sub[k]);
        assert_ok(bal_list_dir(folder, &name, &n, &err));
        for (int i = 0; i < n; i++) {
            bal_text_clear(&path);
            bal_path_join(&path, folder, name[i]);
            if (bal_is_dir(path.data) || !strcmp(name[i], "journal.jsonl")) continue;
            assert_ok(bal_sha256_file(path.data, hash, &err));
            bal_text_f(&all, "%s %s\n", name[i], hash);
        }
        bal_names_free(name, n);
    }
    bal_sha256_text(all.data, all.len, out);
    bal_text_reset(&all);
    bal_text_reset(&path);
}

/* ---- inputs ---- */

static void folder_per_label(void **state) {
    (void)state;
    BalError err = {0};
    BalClipsSpec s = usual();
    BalClipsResult r = {0};
    assert_ok(make_of("in", "broken.mkv", &s, "labels", &r, &err));
    assert_int_equal(r.videos, 4);
    assert_int_equal(r.clips, 4); /* two in each shot of rex */
    assert_int_equal(r.unused, 3);
    assert_int_equal(r.rejected, 4); /* two silent, one short, one broken */
    has("labels/manifest.csv", "dog/rex_0,clips/dog_rex_0-");
    has("labels/manifest.csv", ".mp4,dog,train,0,1,dog/rex\n");
    has("labels/clips.csv", "dog/rex_2,dog/rex,2900,3900,,");
    has("labels/rejects.csv", "cat/tom_0,");
    has("labels/rejects.csv", ",200,1200,filter,silent,\"measured 1: 80 %");
    has("labels/rejects.csv", "kit.mkv,,,plan,too-short,");
    has("labels/rejects.csv", "broken.mkv,,,plan,unusable,not a media file");
    has("labels/videos.csv", "dog/rex,");
    BalManifest m = {0};
    assert_ok(bal_manifest_load(&m, scratch("labels/manifest.csv"), NULL, &err));
    assert_int_equal(m.n, 4);
    assert_int_equal(m.n_missing, 0);
    bal_manifest_reset(&m);
    BalClipsSpec all = usual();
    all.reject = 0;
    assert_ok(make_of("in/cat/tom.mkv", NULL, &all, "kept", &r, &err));
    assert_int_equal(r.clips, 2);
    has("kept/clips.csv", "local:sha256:");
    has("kept/clips.csv", "#1,");
    has("kept/clips.csv", "silent(1)");
    all.require = UINT64_C(1) << BAL_FIND_ROTATED;
    assert_fails(make_of("in/cat/tom.mkv", NULL, &all, "required", &r, &err), BAL_E_MEDIA, "not one clip");
    has("required/rejects.csv", "filter,rotated,not found: the container");
}

/* Rows that name times are cut there; their ids stay. */
static void rows(void **state) {
    (void)state;
    BalError err = {0};
    BalClipsSpec s = usual();
    BalClipsResult r = {0};
    s.rule.clip_s = 3;
    assert_ok(make_of("vgg.csv", "kinetics.csv", &s, "rows", &r, &err));
    assert_int_equal(r.videos, 3);
    assert_int_equal(r.clips, 1); /* of VGG-Sound's ten seconds nothing is left of six, of Kinetics' only the one */
    has("rows/manifest.csv", "-bcdefghij1_000000_000002,clips/-bcdefghij1_000000_000002.mp4,meow,val,0,2,-bcdefghij1");
    has("rows/rejects.csv", "abcdefghij0_000003,");
    has("rows/rejects.csv", "3000,13000,cut,unusable,sound ends 7.");
    has("rows/rejects.csv", "ZZZZZZZZZZ9_000007,");
    has("rows/rejects.csv", ",7000,17000,list,missing,the file is not there");
    put("table.csv", "id,file,label,start,end\none,abcdefghij0.mkv,x,0.5,1.5\ntwo,abcdefghij0.mkv,y,2.25,4.75\n");
    assert_ok(make_of("table.csv", NULL, &s, "table", &r, &err));
    assert_int_equal(r.videos, 1);
    assert_int_equal(r.clips, 2);
    has("table/clips.csv", "two,abcdefghij0,2250,4750,");
    has("table/manifest.csv", "two,clips/two.mp4,y,train,0,2.5,");
    /* times that no clip can have are their row's fault, not the list's */
    put("odd.csv", "id,file,label,start,duration\none,abcdefghij0.mkv,x,0.5,1\nlong,abcdefghij0.mkv,x,0,700\n"
                   "far,abcdefghij0.mkv,y,500000000,1\n");
    assert_ok(make_of("odd.csv", NULL, &s, "odd", &r, &err));
    assert_int_equal(r.clips, 1);
    assert_int_equal(r.rejected, 2);
    has("odd/rejects.csv", "cut,unusable,a clip from 0 to 700000 ms; at most 600 s are one");
    has("odd/rejects.csv", "cut,unusable,a clip that starts at 5e+08 s");
}

static void repeated(void **state) {
    (void)state;
    BalError err = {0};
    BalClipsSpec s = usual();
    BalClipsResult r = {0};
    BalText text = {0};
    assert_ok(bal_file_read(scratch("in/dog/rex.mkv"), 0, &text, &err));
    assert_ok(bal_file_write(scratch("copy.mkv"), text.data, text.len, &err));
    assert_ok(bal_make_dirs(scratch("other"), &err));
    assert_ok(bal_file_write(scratch("other/abcdefghij0.mkv"), text.data, text.len, &err));
    bal_text_reset(&text);
    const char *const input[] = {scratch("copy.mkv"), scratch("in/dog/rex.mkv"), scratch("abcdefghij0.mkv"),
                                 scratch("other/abcdefghij0.mkv"), scratch("copy.mkv")};
    s.workers = 3;
    assert_ok(bal_clips_make(input, 5, &s, scratch("twice"), quiet, &r, &err));
    assert_int_equal(r.clips, 4 + 6);
    assert_int_equal(r.rejected, 3);
    has("twice/rejects.csv", "in/dog/rex.mkv,,,list,repeated,byte for byte the same as ");
    has("twice/rejects.csv", "other/abcdefghij0.mkv,,,list,repeated,its id is that of ");
    has("twice/rejects.csv", "copy.mkv,,,list,repeated,it stands in the input twice");
}

/* ---- the same bytes ---- */

static void same_for_any(void **state) {
    (void)state;
    BalError err = {0};
    BalClipsSpec s = usual();
    BalClipsResult r = {0};
    char one[65], many[65], again[65];
    assert_ok(make_of("in", "-bcdefghij1.mkv", &s, "one", &r, &err));
    folder_hash("one", one);
    s.workers = 4;
    assert_ok(make_of("in", "-bcdefghij1.mkv", &s, "many", &r, &err));
    folder_hash("many", many);
    assert_string_equal(one, many);
    assert_int_equal(r.resumed, 0);
    int64_t clips = r.clips;
    assert_ok(make_of("in", "-bcdefghij1.mkv", &s, "many", &r, &err));
    assert_int_equal(r.resumed, clips);
    folder_hash("many", again);
    assert_string_equal(one, again);
    s.cut.fps = 25;
    assert_fails(make_of("in", NULL, &s, "many", &r, &err), BAL_E_MISMATCH, "other settings");
    assert_fails(make_of("in", NULL, &s, "in", &r, &err), BAL_E_EXISTS, "no clips of an earlier call");
}

/* The journal cut at any byte, a clip damaged, a clip gone: the same in the end. A shorter list leaves no clips of the longer. */
static void mended(void **state) {
    (void)state;
    BalError err = {0};
    BalClipsSpec s = usual();
    BalClipsResult r = {0};
    BalText journal = {0};
    char want[65], got[65], name[300];
    assert_ok(make_of("in/dog/rex.mkv", "-bcdefghij1.mkv", &s, "mended", &r, &err));
    folder_hash("mended", want);
    assert_ok(bal_file_read(scratch("mended/journal.jsonl"), 0, &journal, &err));
    for (int k = 0; k < 6; k++) {
        size_t keep = journal.len * (size_t)(k * 2 + 1) / 12;
        assert_ok(bal_file_write(scratch("mended/journal.jsonl"), journal.data, keep, &err));
        assert_ok(make_of("in/dog/rex.mkv", "-bcdefghij1.mkv", &s, "mended", &r, &err));
        if (k == 5 && r.resumed == 0) fail_msg("nothing was resumed");
        folder_hash("mended", got);
        assert_string_equal(want, got);
    }
    char **file;
    int n;
    assert_ok(bal_list_dir(scratch("mended/clips"), &file, &n, &err));
    snprintf(name, sizeof name, "%s/%s", scratch("mended/clips"), file[0]);
    assert_ok(bal_file_write(name, "half a clip", 11, &err));
    snprintf(name, sizeof name, "%s/%s", scratch("mended/clips"), file[1]);
    unlink(name);
    bal_names_free(file, n);
    assert_ok(make_of("in/dog/rex.mkv", "-bcdefghij1.mkv", &s, "mended", &r, &err));
    assert_int_equal(r.resumed, r.clips - 2);
    folder_hash("mended", got);
    assert_string_equal(want, got);
    assert_ok(make_of("-bcdefghij1.mkv", NULL, &s, "mended", &r, &err));
    assert_ok(bal_list_dir(scratch("mended/clips"), &file, &n, &err));
    assert_int_equal(n, r.clips);
    bal_names_free(file, n);
    bal_text_reset(&journal);
}

static void killed(void **state) {
    (void)state;
    BalError err = {0};
    BalClipsSpec s = usual();
    BalClipsResult r = {0};
    char want[65], got[65];
    int kills = 0;
    double began = bal_now_s();
    assert_ok(make_of("in", "abcdefghij0.mkv", &s, "whole", &r, &err));
    double took = bal_now_s() - began;
    folder_hash("whole", want);
    s.workers = 2;
    for (int k = 0; k < 10; k++) {
        pid_t child = fork();
        if (child == 0) _exit(make_of("in", "abcdefghij0.mkv", &s, "killed", &r, NULL) == BAL_OK ? 0 : 1);
        usleep((useconds_t)(1e6 * took * (k * 7 % 10 + 1) / 40));
        kill(child, SIGKILL);
        int status = 0;
        waitpid(child, &status, 0);
        kills += WIFSIGNALED(status);
    }
    assert_true(kills > 2);
    assert_ok(make_of("in", "abcdefghij0.mkv", &s, "killed", &r, &err));
    folder_hash("killed", got);
    assert_string_equal(want, got);
}

static bool stop_at_two(void *user, const BalProgress *p) {
    (void)user;
    return strcmp(p->stage, "clip") != 0 || p->done < 2;
}

static void stopped(void **state) {
    (void)state;
    BalError err = {0};
    BalClipsSpec s = usual();
    BalClipsResult r = {0};
    const char *const input[] = {scratch("in")};
    assert_fails(bal_clips_make(input, 1, &s, scratch("stopped"), (BalProgressSink){stop_at_two, NULL}, &r, &err),
                 BAL_E_CANCELLED, "after 2 of 3 videos");
    assert_false(bal_file_exists(scratch("stopped/manifest.csv")));
    assert_ok(make_of("in", NULL, &s, "stopped", &r, &err));
    s.stop_on_error = true;
    assert_fails(make_of("in", NULL, &s, "strict", &r, &err), BAL_E_MEDIA, "plan: too-short");
    s = usual();
    s.workers = 0;
    assert_fails(make_of("in", NULL, &s, "never", &r, &err), BAL_E_ARG, "0 workers");
}

/* ---- downloads ---- */

/* A stub that answers by the id's first letter, and keeps count of its calls. */
static void make_stub(void) {
    BalText t = {0};
    BalError err = {0};
    const char *dir = scratch_dir;
    bal_text_f(&t,
               "#!/bin/sh\n"
               "shift\n"
               "id=$1 out=$2\n"
               "echo \"$*\" >>%s/calls\n"
               "case $id in\n"
               "a*) cp %s/abcdefghij0.mkv \"$out\" ;;\n"
               "-*) cp -- %s/-bcdefghij1.mkv \"$out\" ;;\n"
               "t*) echo 'ERROR: HTTP Error 429: Too Many Requests' >&2; n=$(grep -c \"^$id\" %s/calls);"
               " [ \"$n\" -ge 3 ] || exit 1; cp %s/abcdefghij0.mkv \"$out\" ;;\n"
               "s*) sleep 60 & sleep 60 ;;\n"
               "n*) exit 0 ;;\n"
               "*) echo 'WARNING: x' >&2; echo 'ERROR: Video unavailable' >&2; exit 1 ;;\n"
               "esac\n",
               dir, dir, dir, dir, dir);
    assert_ok(bal_text_ok(&t, &err));
    assert_ok(bal_file_write(scratch("stub.sh"), t.data, t.len, &err));
    bal_text_reset(&t);
    unlink(scratch("calls"));
}

static int count_calls(void) {
    BalText t = {0};
    int n = 0;
    if (bal_file_read(scratch("calls"), 0, &t, NULL) == BAL_OK)
        for (size_t i = 0; i < t.len; i++) n += t.data[i] == '\n';
    bal_text_reset(&t);
    return n;
}

static BalClipsSpec with_stub(const char *arguments) {
    static char command[400];
    BalClipsSpec s = usual();
    snprintf(command, sizeof command, "sh '%s' %s", scratch("stub.sh"), arguments);
    s.download.command = command;
    s.download.wait_s = 0.01;
    return s;
}

static void downloads(void **state) {
    (void)state;
    BalError err = {0};
    BalClipsResult r = {0};
    make_stub();
    BalClipsSpec s = with_stub("-- {id} {out}");
    s.rule.clip_s = 2;
    put("ids.csv", "id,label\nabcdefghij2,x\n-bcdefghij2_000000_000001,y\n-bcdefghij2_000001_000003,y\ntryagain123,x\n"
                   "gone_123456,z\nnothing_123,z\n");
    assert_ok(make_of("ids.csv", NULL, &s, "fetched", &r, &err));
    assert_int_equal(r.clips, 3 + 2 + 3);
    assert_int_equal(r.rejected, 2);
    has("fetched/rejects.csv",
        "gone_123456,gone_123456,,,download,failed,the downloader ended with 1: ERROR: Video unavail");
    has("fetched/rejects.csv", "nothing_123,nothing_123,,,download,failed,the downloader was content but made no file");
    assert_int_equal(count_calls(), 1 + 1 + 3 + 1 + 1);
    char **name;
    int n;
    assert_ok(bal_list_dir(scratch("fetched/videos"), &name, &n, &err));
    assert_int_equal(n, 0);
    bal_names_free(name, n);
    /* Clips that are there are not fetched again; what failed is tried once more. */
    assert_ok(make_of("ids.csv", NULL, &s, "fetched", &r, &err));
    assert_int_equal(r.resumed, 8);
    assert_int_equal(count_calls(), 7 + 2);
    /* A row more, and one that means another stretch now: their video is fetched again, though a row before them needs
     * it no more. */
    put("rows.csv", "id,label,source,start,duration\nu,x,abcdefghij2,0,1\nv,x,abcdefghij2,1,1\n");
    assert_ok(make_of("rows.csv", NULL, &s, "more", &r, &err));
    assert_int_equal(r.clips, 2);
    put("rows.csv", "id,label,source,start,duration\nu,x,abcdefghij2,0,1\nv,x,abcdefghij2,2,1\nw,x,abcdefghij2,3,1\n");
    assert_ok(make_of("rows.csv", NULL, &s, "more", &r, &err));
    assert_int_equal(r.clips, 3);
    assert_int_equal(r.resumed, 1);
    assert_int_equal(count_calls(), 7 + 2 + 2);
    s.download.keep = true;
    put("one.csv", "id,label\nabcdefghij2,x\n");
    assert_ok(make_of("one.csv", NULL, &s, "keep", &r, &err));
    assert_true(bal_file_exists(scratch("keep/videos/abcdefghij2.mp4")));
}

/* With {start} each row is fetched by itself, and what comes begins there. */
static void stretches(void **state) {
    (void)state;
    BalError err = {0};
    BalClipsResult r = {0};
    make_stub();
    BalClipsSpec s = with_stub("-- {id} {out} {start} {end}");
    put("rows.csv", "id,label\nabcdefghij2_000100_000102,x\nabcdefghij2_000200_000203,y\nabcdefghij3,z\n");
    assert_ok(make_of("rows.csv", NULL, &s, "stretches", &r, &err));
    assert_int_equal(r.clips, 2);
    has("calls", " 100 102\n");
    has("calls", " 200 203\n");
    has("stretches/clips.csv", "abcdefghij2_000200_000203,abcdefghij2,200000,203000,");
    has("stretches/rejects.csv", "abcdefghij3,abcdefghij3,,,list,no-times,");
}

static void bad_downloads(void **state) {
    (void)state;
    BalError err = {0};
    BalClipsResult r = {0};
    static const struct {
        const char *command, *message;
    } bad[] = {{"x {id}", "put -- in front of the word {id}"},
               {"x -- {id}", "{out} does not stand in it"},
               {"x {out}", "{id} does not stand in it"},
               {"x '{out} -- {id}", "quote is not closed"},
               {"  ", "no word"},
               {"no-such-program-1 {out} -- {id}", "cannot be run"}};
    make_stub();
    put("one.csv", "id,label\nabcdefghij2,x\n");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        BalClipsSpec s = usual();
        s.download.command = bad[i].command;
        BalStatus rc = make_of("one.csv", NULL, &s, "bad", &r, &err);
        if (rc != BAL_E_ARG || !strstr(err.text, bad[i].message))
            fail_msg("%s: %s: %s", bad[i].command, bal_status_name(rc), err.text);
    }
    BalClipsSpec s = with_stub("-- {id} {out}");
    s.download.limit_s = 0.3, s.download.retries = 1;
    put("slow.csv", "id,label\nslow_123456,x\n");
    double began = bal_now_s();
    assert_fails(make_of("slow.csv", NULL, &s, "slow", &r, &err), BAL_E_MEDIA, "not one clip");
    has("slow/rejects.csv", "download,for-now,the download was not done within 0.3 s");
    assert_true(bal_now_s() - began < 20);
    /* Twenty in a row: the network is to blame. */
    BalText t = {0};
    bal_text_add(&t, "id,label\n");
    for (int i = 0; i < 30; i++) bal_text_f(&t, "gone_%06d,x\n", i);
    put("many.csv", bal_text_str(&t));
    bal_text_reset(&t);
    make_stub();
    assert_fails(make_of("many.csv", NULL, &s, "broken", &r, &err), BAL_E_IO, "20 downloads in a row failed");
    assert_int_equal(count_calls(), 20);
}

static bool at_once(void *user) {
    (void)user;
    return count_calls() > 0;
}

static void stopped_download(void **state) {
    (void)state;
    BalError err = {0};
    BalClipsResult r = {0};
    make_stub();
    BalClipsSpec s = with_stub("-- {id} {out}");
    s.stopped = at_once;
    double began = bal_now_s();
    assert_fails(make_of("slow.csv", NULL, &s, "interrupted", &r, &err), BAL_E_CANCELLED, "stopped while downloading");
    assert_true(bal_now_s() - began < 20);
}

/* ---- without memory ---- */

static BalStatus whole(void *user, BalError *err) {
    (void)user;
    BalClipsSpec s = usual();
    BalClipsResult r;
    BAL_TRY(bal_remove_tree(scratch("faulty"), err));
    return make_of("few.csv", NULL, &s, "faulty", &r, err);
}

static void without_memory(void **state) {
    (void)state;
    put("few.csv", "id,file,label,start,end\nq,in/cat/kit.mkv,x,0.1,0.3\nr,gone.mkv,y,,\n");
    assert_true(fault_each_allocation(whole, NULL) > 20);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(folder_per_label), cmocka_unit_test(rows),
        cmocka_unit_test(repeated),         cmocka_unit_test(same_for_any),
        cmocka_unit_test(mended),           cmocka_unit_test(killed),
        cmocka_unit_test(stopped),          cmocka_unit_test(downloads),
        cmocka_unit_test(stretches),        cmocka_unit_test(bad_downloads),
        cmocka_unit_test(stopped_download), cmocka_unit_test(without_memory),
    };
    return cmocka_run_group_tests(tests, make_inputs, getenv("KEEP") ? NULL : scratch_close);
}
