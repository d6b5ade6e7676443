/* Near-duplicates: the hashes by themselves, pairs against all-with-all, and whole searches on clips that were coded again, scaled,
 * mirrored, shifted, given other sound or another picture. */
#include <avbalance/duplicates.h>
#include <math.h>
#include <unistd.h>
#include "base/fault.h"
#include "base/hash.h"
#include "curate/same.h"
#include "media/make.h"

enum { FPS = 10, RATE = 11025, SECONDS = 12, W = 128, H = 96 };

/* ---- pictures ---- */

/* A picture that is smooth, of many shades, and another one for each film and every few moments. */
static void paint(uint8_t *rgb, int w, int h, uint64_t film, double t, bool mirrored) {
    int scene = (int)(t / 2);
    double c[8][3];
    BalRng r = bal_rng(7, BAL_RNG_TEST, 0, film * 1000 + (uint64_t)scene);
    for (int i = 0; i < 8; i++)
        for (int k = 0; k < 3; k++) c[i][k] = bal_rng_uniform(&r);
    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++) {
            double u = (mirrored ? w - 1 - x + 0.5 : x + 0.5) / w, v = (y + 0.5) / h, sum = 0;
            for (int i = 0; i < 8; i++)
                sum += sin(6.28 * (c[i][0] * 3 * u + c[i][1] * 3 * v + c[i][2] + 0.01 * fmod(t, 2)));
            uint8_t *p = rgb + 3 * (y * w + x);
            p[0] = p[1] = p[2] = (uint8_t)fmax(0, fmin(255, 128 + 25 * sum));
        }
}

static void hashes(void **state) {
    (void)state;
    static uint8_t rgb[W * H * 3], flip[W * H * 3];
    for (int k = 0; k < 20; k++) {
        paint(rgb, W, H, (uint64_t)k, 0, false);
        for (int y = 0; y < H; y++)
            for (int x = 0; x < W; x++) memcpy(flip + 3 * (y * W + x), rgb + 3 * (y * W + W - 1 - x), 3);
        BalPictureHash a = bal_picture_hash(rgb, W, H), b = bal_picture_hash(flip, W, H);
        assert_true(a.mirrored == b.bits && b.mirrored == a.bits && !a.blank);
        assert_true(__builtin_popcountll(a.bits ^ a.mirrored) > 8);
        int ones = __builtin_popcountll(a.bits);
        assert_true(ones >= 30 && ones <= 32);
    }
    memset(rgb, 90, sizeof rgb);
    assert_true(bal_picture_hash(rgb, W, H).blank);
    BalPictureHash dot = bal_picture_hash(rgb, 1, 1), line = bal_picture_hash(rgb, 3, 1);
    assert_true(dot.blank && line.blank);
}

/* Half a second apart, and the best offset is found; too short an overlap is none. */
static void offsets(void **state) {
    (void)state;
    BalRng r = bal_rng(9, BAL_RNG_TEST, 0, 0);
    uint32_t x[100], other[60];
    for (int i = 0; i < 100; i++) x[i] = bal_rng_u32(&r);
    for (int i = 0; i < 60; i++) other[i] = bal_rng_u32(&r);
    BalPrint a = {.sound = x, .n_sound = 70}, b = {.sound = x + 7, .n_sound = 70}, c = {.sound = other, .n_sound = 60},
             d = {.sound = x, .n_sound = 30};
    double at = NAN;
    assert_true(bal_sounds_differ(&a, &b, 5, &at) == 0 && fabs(at - 7 * BAL_PRINT_ITEM_S) < 1e-9);
    assert_true(bal_sounds_differ(&b, &a, 5, &at) == 0 && fabs(at + 7 * BAL_PRINT_ITEM_S) < 1e-9);
    assert_true(bal_sounds_differ(&a, &c, 5, &at) > 0.4);
    assert_true(isnan(bal_sounds_differ(&a, &d, 5, &at)));
    assert_true(bal_sounds_differ(&a, &d, 3, &at) == 0);
}

static void forest(void **state) {
    (void)state;
    int64_t parent[10];
    for (int i = 0; i < 10; i++) parent[i] = i;
    static const int join[][2] = {{8, 9}, {1, 8}, {3, 4}, {9, 3}, {5, 6}};
    for (int k = 0; k < 5; k++) bal_forest_join(parent, join[k][0], join[k][1]);
    static const int root[10] = {0, 1, 2, 1, 1, 5, 5, 7, 1, 1};
    for (int i = 0; i < 10; i++) assert_int_equal(bal_forest_root(parent, i), root[i]);
}

/* ---- pairs against all with all ---- */

enum { MANY = 120, ITEMS = 60 };

/* Prints of which some are noisy copies of others, in picture, in sound, or both. */
static void make_prints(BalPrint *p, uint32_t (*sound)[ITEMS], uint64_t seed) {
    BalRng r = bal_rng(seed, BAL_RNG_TEST, 1, 0);
    for (int i = 0; i < MANY; i++) {
        int of = i > 10 && bal_rng_below(&r, 2) ? (int)bal_rng_below(&r, (uint64_t)i) : -1,
            kind = (int)bal_rng_below(&r, 4);
        p[i] = (BalPrint){.usable = true, .has_picture = true, .has_sound = true, .sound = sound[i], .n_sound = ITEMS};
        snprintf(p[i].sha256, sizeof p[i].sha256, "%016llx", (unsigned long long)bal_rng_u32(&r) << 32 | (unsigned)i);
        for (int k = 0; k < BAL_PRINT_FRAMES; k++) {
            p[i].bits[k] = (uint64_t)bal_rng_u32(&r) << 32 | bal_rng_u32(&r);
            p[i].mirrored[k] = ~p[i].bits[k];
            if (of < 0 || kind == 1) continue;
            p[i].bits[k] = kind == 2 ? p[of].mirrored[k] : p[of].bits[k];
            for (uint64_t n = bal_rng_below(&r, 9); n > 0; n--) p[i].bits[k] ^= UINT64_C(1) << bal_rng_below(&r, 64);
            p[i].mirrored[k] = ~p[i].bits[k];
        }
        for (int k = 0; k < ITEMS; k++) {
            sound[i][k] = bal_rng_u32(&r);
            if (of < 0 || kind == 0) continue;
            sound[i][k] = sound[of][k];
            for (uint64_t n = bal_rng_below(&r, 6); n > 0; n--) sound[i][k] ^= 1U << bal_rng_below(&r, 32);
        }
    }
}

static void pairs(void **state) {
    (void)state;
    static BalPrint p[MANY];
    static uint32_t sound[MANY][ITEMS];
    BalDuplicatesSpec spec = bal_duplicates_spec_default();
    int64_t found = 0, missed = 0;
    for (uint64_t seed = 0; seed < 8; seed++) {
        BalError err = {0};
        BalPairs pair = {0};
        BalPrints all = {.at = p, .n = MANY};
        make_prints(p, sound, seed);
        assert_ok(bal_pairs_alike(&pair, &all, &spec, &err));
        int64_t at = 0;
        for (int64_t a = 0; a < MANY; a++)
            for (int64_t b = a + 1; b < MANY; b++) {
                bool mirrored = false;
                double offset;
                bool picture = bal_frames_alike(&p[a], &p[b], 8, &mirrored) >= 6,
                     heard = bal_sounds_differ(&p[a], &p[b], 5, &offset) < 0.15;
                bool listed = at < pair.n && pair.at[at].a == a && pair.at[at].b == b;
                if (listed && !picture && !heard) fail_msg("pair %d, %d is none", (int)a, (int)b);
                if (listed) {
                    BalSameKind want = picture && heard ? BAL_SAME_BOTH : picture ? BAL_SAME_PICTURE : BAL_SAME_SOUND;
                    assert_int_equal(pair.at[at].kind, want);
                    assert_int_equal(pair.at[at].mirrored, picture && mirrored);
                }
                found += picture || heard;
                missed += (picture || heard) && !listed;
                at += listed;
            }
        assert_int_equal(at, pair.n); /* sorted, and nothing twice */
        bal_pairs_reset(&pair);
    }
    if (found < 200 || missed * 30 > found) /* of those at the very limit; groups join them all the same */
        fail_msg("%d of %d pairs missed", (int)missed, (int)found);
}

/* Thousands with one title card: a bounded number of looks, and no crash. */
static void crowd(void **state) {
    (void)state;
    enum { N = 3000 };
    static BalPrint p[N];
    BalError err = {0};
    BalPairs pair = {0};
    BalPrints all = {.at = p, .n = N};
    BalDuplicatesSpec spec = bal_duplicates_spec_default();
    for (int i = 0; i < N; i++) {
        p[i] = (BalPrint){.usable = true, .has_picture = true};
        snprintf(p[i].sha256, sizeof p[i].sha256, "%016x", i);
        for (int k = 0; k < BAL_PRINT_FRAMES; k++) p[i].bits[k] = 0x123456789abcdef0, p[i].mirrored[k] = ~p[i].bits[k];
    }
    assert_ok(bal_pairs_alike(&pair, &all, &spec, &err));
    assert_true(pair.n >= N - 1 && pair.n < 100 * N);
    int64_t parent[N];
    for (int i = 0; i < N; i++) parent[i] = i;
    for (int64_t k = 0; k < pair.n; k++) bal_forest_join(parent, pair.at[k].a, pair.at[k].b);
    for (int i = 0; i < N; i++) assert_int_equal(bal_forest_root(parent, i), 0); /* all of them, all the same */
    bal_pairs_reset(&pair);
}

/* ---- files ---- */

static float pcm[RATE * (SECONDS + 4)];

/* A melody of each film's own: notes of a quarter of a second, two at a time. */
static void play(uint64_t film) {
    BalRng r = bal_rng(11, BAL_RNG_TEST, 2, film);
    double f = 440, g = 660;
    for (int i = 0; i < RATE * (SECONDS + 4); i++) {
        if (i % (RATE / 4) == 0)
            f = 220 * pow(2, (double)bal_rng_below(&r, 24) / 12), g = f * (1 + (double)bal_rng_below(&r, 4) / 4);
        pcm[i] = (float)(0.3 * sin(6.2831853 * f * i / RATE) + 0.2 * sin(6.2831853 * g * i / RATE));
    }
}

typedef struct Film {
    const char *name;
    uint64_t picture, sound; /* sound 0: silence; picture 0: black */
    double from_s;
    int w, h;
    bool mirrored;
    const char *options;
} Film;

static void make_film(const Film *f) {
    BalError err = {0};
    BalMediaWriter *w = NULL;
    BalMediaWriterSpec spec = {f->w, f->h, FPS, RATE};
    BalWriterTweaks as = {.video_options = f->options};
    static uint8_t rgb[W * H * 3];
    static const float silence[RATE * 10];
    assert_ok(bal_media_writer_open_as(&w, scratch(f->name), &spec, &as, &err));
    for (int k = 0; k < 10 * FPS; k++) {
        if (f->picture)
            paint(rgb, f->w, f->h, f->picture, f->from_s + (double)k / FPS, f->mirrored);
        else
            memset(rgb, 2, sizeof rgb);
        assert_ok(bal_media_writer_frame(w, rgb, &err));
    }
    play(f->sound);
    assert_ok(bal_media_writer_sound(w, f->sound ? pcm + (int)(f->from_s * RATE) : silence, RATE * 10, &err));
    assert_ok(bal_media_writer_close(&w, &err));
}

#define GOOD "preset=fast:crf=18"
#define BAD  "preset=ultrafast:crf=38"
static const Film films[] = {
    {"a.mp4", 1, 1, 0, W, H, false, GOOD},          {"a-coded.mp4", 1, 1, 0, W, H, false, BAD},
    {"a-small.mp4", 1, 1, 0, 64, 48, false, GOOD},  {"a-mirror.mp4", 1, 1, 0, W, H, true, GOOD},
    {"a-shift.mp4", 1, 1, 1.25, W, H, false, GOOD}, {"a-sound-b.mp4", 1, 2, 0, W, H, false, GOOD},
    {"b-sound-a.mp4", 2, 1, 0, W, H, false, GOOD},  {"c.mp4", 3, 3, 0, W, H, false, GOOD},
    {"c-silent.mp4", 3, 0, 0, W, H, false, GOOD},   {"c-silent-too.mp4", 3, 0, 0, W, H, false, BAD},
    {"black-d.mp4", 0, 4, 0, W, H, false, GOOD},    {"black-d-too.mp4", 0, 4, 0, 64, 48, false, BAD},
    {"e.mp4", 5, 5, 0, W, H, false, GOOD},          {"black.mp4", 0, 6, 0, W, H, false, GOOD},
};
enum { N_FILMS = sizeof films / sizeof *films };

static void put(const char *name, const char *text) {
    BalError err = {0};
    assert_ok(bal_file_write(scratch(name), text, strlen(text), &err));
}

static int make_films(void **state) {
    scratch_open(state);
    for (int i = 0; i < N_FILMS; i++) make_film(&films[i]);
    BalText t = {0};
    bal_text_add(&t, "id,media,label,split,source\n");
    for (int i = 0; i < N_FILMS; i++)
        bal_text_f(&t, "%.*s,%s,x,train,\n", (int)strlen(films[i].name) - 4, films[i].name, films[i].name);
    bal_text_add(&t, "e-copy,e.mp4,x,train,\ngone,gone.mp4,x,train,\n");
    put("all.csv", bal_text_str(&t));
    bal_text_reset(&t);
    return 0;
}

static BalStatus search(const char *list, const char *dir, BalDuplicatesSpec *spec, BalDuplicatesResult *r,
                        BalError *err) {
    BalManifest m = {0};
    BAL_TRY(bal_manifest_load(&m, scratch(list), NULL, err));
    BalStatus rc = bal_duplicates_find(&m, spec, scratch(dir), (BalProgressSink){0}, r, err);
    bal_manifest_reset(&m);
    return rc;
}

static bool holds(const char *file, const char *part) {
    BalError err = {0};
    BalText text = {0};
    assert_ok(bal_file_read(scratch(file), 0, &text, &err));
    bool found = strstr(bal_text_str(&text), part) != NULL;
    bal_text_reset(&text);
    return found;
}

static void has(const char *file, const char *part) {
    if (!holds(file, part)) fail_msg("%s lacks '%s'", file, part);
}

static void folder_hash(const char *dir, char out[65]) {
    static const char *const name[] = {"pairs.csv", "groups.csv", "rejects.csv", "leaks.csv", "manifest.csv"};
    BalText all = {0};
    BalError err = {0};
    for (int i = 0; i < 5; i++) {
        char path[300], hash[65];
        snprintf(path, sizeof path, "%s/%s", scratch(dir), name[i]);
        assert_ok(bal_sha256_file(path, hash, &err));
        bal_text_add(&all, hash);
    }
    bal_sha256_text(all.data, all.len, out);
    bal_text_reset(&all);
}

static void found(void **state) {
    (void)state;
    BalError err = {0};
    BalDuplicatesSpec s = bal_duplicates_spec_default();
    BalDuplicatesResult r = {0};
    s.workers = 2;
    assert_ok(search("all.csv", "found", &s, &r, &err));
    /* one of the five a's, of the two silent c's, of the two black d's, of the two names of e */
    assert_int_equal(r.n, N_FILMS + 2);
    assert_int_equal(r.groups, 4);
    assert_int_equal(r.removed, 4 + 1 + 1 + 1);
    assert_int_equal(r.unusable, 1);
    assert_int_equal(r.pairs[BAL_SAME_FILE], 1);
    assert_int_equal(r.pairs[BAL_SAME_BOTH], 10 + 1 + 1);
    assert_int_equal(r.pairs[BAL_SAME_PICTURE], 5 + 2); /* a's with the sound of b; c with its silent ones */
    assert_int_equal(r.pairs[BAL_SAME_SOUND], 5);       /* a's with the picture of b */
    has("found/pairs.csv", "a,a-mirror,both,");
    has("found/pairs.csv", "e,e-copy,file,8,0,0.0000,0.00\n");
    has("found/pairs.csv", "c,c-silent,picture,");
    has("found/manifest.csv", "a-sound-b,");
    has("found/manifest.csv", "gone,");
    has("found/rejects.csv", "duplicates,both,stays=");
    has("found/rejects.csv", "mirrored=1");
    BalManifest m = {0};
    assert_ok(bal_manifest_load(&m, scratch("found/manifest.csv"), NULL, &err));
    assert_int_equal(m.n, r.kept);
    bal_manifest_reset(&m);
}

/* Who stays: must-keep, labelled, lowest key. All of two must-keep ones. */
static void chosen(void **state) {
    (void)state;
    BalError err = {0};
    BalDuplicatesResult r = {0};
    static const char *const ids[] = {"a", "a-small", "a-coded", "a-mirror", "a-shift"};
    BalDuplicatesSpec s = bal_duplicates_spec_default();
    put("a.csv", "id,media,label,split\na,a.mp4,x,train\na-small,a-small.mp4,x,train\na-coded,a-coded.mp4,x,test\n");
    for (int k = 0; k < 3; k++) {
        char want[40];
        s.labelled = ids + k, s.n_labelled = 1;
        assert_ok(search("a.csv", "chosen", &s, &r, &err));
        assert_int_equal(r.kept, 1);
        snprintf(want, sizeof want, "%s,1,labelled by people\n", ids[k]);
        has("chosen/groups.csv", want);
        s.keep = ids + (k + 1) % 3, s.n_keep = 1;
        assert_ok(search("a.csv", "chosen", &s, &r, &err));
        snprintf(want, sizeof want, "%s,1,must be kept\n", ids[(k + 1) % 3]);
        has("chosen/groups.csv", want);
        s.n_keep = 0;
    }
    s.keep = ids, s.n_keep = 3, s.n_labelled = 0;
    assert_ok(search("a.csv", "chosen", &s, &r, &err));
    assert_int_equal(r.kept, 3);
    assert_true(r.leaks >= 1);
    has("chosen/leaks.csv", "duplicates,a,a-coded,train,test\n");
    s.n_keep = 4;
    assert_fails(search("a.csv", "chosen", &s, &r, &err), BAL_E_FORMAT, "id 'a-mirror' is none of the manifest's");
}

/* Clips of one video that begin within ten seconds, in any way of writing their ids; other datasets come first. */
static void stretches(void **state) {
    (void)state;
    BalError err = {0};
    BalDuplicatesResult r = {0};
    BalDuplicatesSpec s = bal_duplicates_spec_default();
    put("yt.csv", "id,media,label,split\nabcdefghij0_000010,a.mp4,x,train\nabcdefghij0_19,c.mp4,x,train\n"
                  "abcdefghij0_000029_000039,e.mp4,x,test\nabcdefghij1_12,b-sound-a.mp4,x,train\nabcdefghij2_50,black."
                  "mp4,x,train\n");
    assert_ok(search("yt.csv", "yt", &s, &r, &err));
    assert_int_equal(r.pairs[BAL_SAME_STRETCH], 1); /* 10 and 19; 29 is ten further */
    assert_int_equal(r.kept, 4);
    has("yt/leaks.csv", "source,");
    assert_int_equal(r.leaks, 1);
    put("vgg.csv", "abcdefghij1,20,x,test\nabcdefghij2,100,x,test\nabcdefghij1,24,x,train\n");
    BalManifest other = {0};
    assert_ok(bal_manifest_load(&other, scratch("vgg.csv"), NULL, &err));
    s.against = &other, s.n_against = 1;
    assert_ok(search("yt.csv", "yt", &s, &r, &err));
    assert_int_equal(r.kept, 3);
    has("yt/rejects.csv", "abcdefghij1_12,duplicates,stretch,stays=abcdefghij1_0000");
    has("yt/groups.csv", ",1,of another dataset\n");
    assert_false(holds("yt/manifest.csv", "abcdefghij1"));
    bal_manifest_reset(&other);
}

/* Clips of two seconds, which libchromaprint by itself tells nothing of: the same picture with another sound is no duplicate, and
 * neighbours in a video are not of one stretch. */
static void short_clips(void **state) {
    (void)state;
    BalError err = {0};
    BalDuplicatesResult r = {0};
    BalDuplicatesSpec s = bal_duplicates_spec_default();
    put("short.csv", "id,media,label,split,start,duration\np,a.mp4,x,train,0,2\nq,a-coded.mp4,x,train,0,2\n"
                     "r,a-sound-b.mp4,x,train,0,2\nabcdefghij3_000010_000012,c.mp4,x,train,2,2\n"
                     "abcdefghij3_000013_000015,c.mp4,x,train,5,2\n");
    assert_ok(search("short.csv", "short", &s, &r, &err));
    has("short/pairs.csv", "p,q,both,8,0,");
    has("short/pairs.csv", "p,r,picture,8,0,");
    assert_int_equal(r.pairs[BAL_SAME_BOTH], 1);
    assert_int_equal(r.pairs[BAL_SAME_STRETCH], 0);
    assert_int_equal(r.kept, 4);
    /* a short clip between two that overlap */
    put("between.csv", "id,media,label,split,start,duration\nabcdefghij4_000010_000020,a.mp4,x,train,0,2\n"
                       "abcdefghij4_000012_000013,c.mp4,x,train,2,2\nabcdefghij4_000016_000026,e.mp4,x,train,0,2\n");
    assert_ok(search("between.csv", "between", &s, &r, &err));
    assert_int_equal(r.pairs[BAL_SAME_STRETCH], 2);
    assert_int_equal(r.kept, 1);
    has("between/pairs.csv", "abcdefghij4_000010_000020,abcdefghij4_000016_000026,stretch,");
}

/* Places that the list tells: in a file, in a source that is one file or none; not in a source of several, each from its own 0. */
static void listed_places(void **state) {
    (void)state;
    BalError err = {0};
    BalDuplicatesResult r = {0};
    BalDuplicatesSpec s = bal_duplicates_spec_default();
    put("file.csv", "id,media,label,split,start,duration,source\np,a.mp4,x,train,0,0.5,\nq,./a.mp4,x,train,0.2,0.5,\n"
                    "r,a.mp4,x,train,0.7,0.5,\n");
    assert_ok(search("file.csv", "listed", &s, &r, &err));
    assert_int_equal(r.pairs[BAL_SAME_STRETCH], 1);
    has("listed/pairs.csv", "p,q,stretch,");
    put("cut.csv", "id,media,label,split,start,duration,source\np,a.mp4,x,train,0,2,film\nq,c.mp4,x,train,0,2,film\n"
                   "r,e.mp4,x,train,3,2,other\n");
    assert_ok(search("cut.csv", "listed", &s, &r, &err));
    assert_int_equal(r.pairs[BAL_SAME_STRETCH], 0);
    /* another list without files: of `other` the place is known, of `film` not */
    put("bench.csv", "id,media,label,split,start,duration,source\nx,x.mp4,x,test,4,2,other\ny,y.mp4,x,test,0,2,film\n"
                     "z,z.mp4,x,test,,,\n");
    put("copies.csv", "id,media,label,split\nk,a-coded.mp4,x,test\nl,a-coded.mp4,x,test\n");
    BalManifest other[2] = {{0}};
    assert_ok(bal_manifest_load(&other[0], scratch("bench.csv"), NULL, &err));
    assert_ok(bal_manifest_load(&other[1], scratch("copies.csv"), NULL, &err));
    s.against = other, s.n_against = 1;
    assert_ok(search("cut.csv", "listed", &s, &r, &err));
    assert_int_equal(r.removed, 1);
    has("listed/rejects.csv", "r,duplicates,stretch,stays=x");
    assert_true(r.against == 3 && r.unknown == 1 && r.by_place == 2 && r.unplaced == 2 && r.unusable == 0);
    /* and one with files: alike in picture and sound; others among themselves are no pair */
    s.n_against = 2;
    put("whole.csv", "id,media,label,split\nw,a.mp4,x,train\nv,c.mp4,x,train\n");
    assert_ok(search("whole.csv", "listed", &s, &r, &err));
    assert_int_equal(r.removed, 1);
    assert_int_equal(r.pairs[BAL_SAME_BOTH], 2);
    assert_true(r.pairs[BAL_SAME_FILE] == 0 && r.pairs[BAL_SAME_STRETCH] == 0 && r.against == 5);
    for (int k = 0; k < 2; k++) bal_manifest_reset(&other[k]);
}

/* Any number of workers, and a file of fingerprints cut anywhere, give the same tables; only what is missing is made. */
static void same_for_any(void **state) {
    (void)state;
    BalError err = {0};
    BalDuplicatesResult r = {0};
    BalDuplicatesSpec s = bal_duplicates_spec_default();
    BalText prints = {0};
    char one[65], other[65];
    s.workers = 1;
    assert_ok(search("all.csv", "one", &s, &r, &err));
    assert_int_equal(r.resumed, 0);
    folder_hash("one", one);
    folder_hash("found", other);
    assert_string_equal(one, other);
    assert_ok(search("all.csv", "one", &s, &r, &err));
    assert_int_equal(r.resumed, N_FILMS + 1);
    assert_ok(bal_file_read(scratch("one/fingerprints.jsonl"), 0, &prints, &err));
    for (int k = 1; k < 4; k++) {
        assert_ok(bal_file_write(scratch("one/fingerprints.jsonl"), prints.data, prints.len * (size_t)k / 4, &err));
        assert_ok(search("all.csv", "one", &s, &r, &err));
        assert_true(r.resumed > 0 && r.resumed < N_FILMS + 1);
        folder_hash("one", other);
        assert_string_equal(one, other);
    }
    bal_text_reset(&prints);
    s.frames = 9;
    assert_fails(search("all.csv", "one", &s, &r, &err), BAL_E_ARG, "9 frames of 8");
}

static BalStatus whole(void *user, BalError *err) {
    (void)user;
    BalDuplicatesSpec s = bal_duplicates_spec_default();
    BalDuplicatesResult r;
    s.workers = 1;
    BAL_TRY(bal_remove_tree(scratch("faulty"), err));
    return search("a.csv", "faulty", &s, &r, err);
}

static void without_memory(void **state) {
    (void)state;
    put("a.csv", "id,media,label,split\na,a-small.mp4,x,train\nb,a-small.mp4,x,test\n");
    assert_true(fault_each_allocation(whole, NULL) > 20);
}

int main(void) {
    if (!*bal_duplicates_version()) {
        printf("built without libchromaprint: skipped\n");
        return 77;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hashes),        cmocka_unit_test(offsets),     cmocka_unit_test(forest),
        cmocka_unit_test(pairs),         cmocka_unit_test(crowd),       cmocka_unit_test(found),
        cmocka_unit_test(same_for_any),  cmocka_unit_test(chosen),      cmocka_unit_test(stretches),
        cmocka_unit_test(listed_places), cmocka_unit_test(short_clips), cmocka_unit_test(without_memory),
    };
    return cmocka_run_group_tests(tests, make_films, scratch_close);
}
