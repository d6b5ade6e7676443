#include "train/toy.h"

#include <math.h>
#include "base/json.h"
#include "base/mem.h"
#include "base/npy.h"
#include "base/rng.h"
#include "base/text.h"
#include "dataset/ingest.h"

enum { CLASSES = 3, SIDE = 16 };

static int label_of(int64_t row) {
    return (int)((row / 2) % CLASSES);
}

/* A loud band of frequencies, or a bright bar, whose place is the class; noise all over. */
static BalStatus produce(void *user, int64_t row, int worker, BalClipFeatures *out, BalError *err) {
    const Toy *toy = user;
    (void)worker;
    BalRng r = bal_rng(11, BAL_RNG_TEST, 0, (uint64_t)row);
    int label = label_of(row);
    int64_t bins = out->audio_shape[0], columns = out->audio_shape[1];
    for (int64_t f = 0; f < bins; f++) {
        bool band = toy->heard && f * CLASSES / bins == label;
        for (int64_t t = 0; t < columns; t++)
            out->audio[f * columns + t] = (float)(bal_rng_normal(&r) + (band ? 1.5 : 0));
    }
    BalFrames *p = &out->frames;
    *p = (BalFrames){.data = p->data, .cap = p->cap, .n = 1, .height = SIDE, .width = SIDE, .channels = 1};
    BAL_TRY(bal_grow(&p->data, &p->cap, SIDE * SIDE, 1, err));
    for (int i = 0; i < SIDE * SIDE; i++) {
        bool bar = toy->seen && i / SIDE * CLASSES / SIDE == label;
        p->data[i] = (uint8_t)(40 + bal_rng_below(&r, 100) + (bar ? 90 : 0));
    }
    out->length_s = 0.1;
    return BAL_OK;
}

static BalSplit split_of(const Toy *toy, int64_t row) {
    int64_t k = row / 2 / CLASSES % 10;
    if (toy->untrained && label_of(row) == CLASSES - 1) k = 9;
    return k < toy->n_train ? BAL_SPLIT_TRAIN : k < toy->n_train + toy->n_val ? BAL_SPLIT_VAL : BAL_SPLIT_TEST;
}

static char *text(const char *before, long long v, const char *after) {
    char line[64], *out = NULL;
    snprintf(line, sizeof line, "%s%03lld%s", before, v, after);
    assert_int_equal(bal_strdup(&out, line, NULL), BAL_OK);
    return out;
}

BalStore *toy_store(const Toy *toy, const char *dir) {
    static const char *classes[CLASSES] = {"low", "middle", "high"};
    BalError err = {0};
    BalFeatureRecipe recipe = bal_feature_recipe_default();
    recipe.audio.pipeline = BAL_AUDIO_LOG_STFT;
    recipe.audio.rate_hz = 8000;
    recipe.audio.seconds = 0.1;
    recipe.audio.n_fft = 32;
    recipe.audio.hop = 32;
    recipe.visual.fps = 0;
    recipe.visual.n_frames = 1;
    recipe.visual.codec = 0;
    recipe.visual.grey = true;
    BalManifest m = {.n = toy->n, .classes = classes, .n_classes = toy->same ? 1 : CLASSES, .dialect = "csv"};
    assert_ok(bal_alloc(&m.clip, (size_t)m.n, sizeof *m.clip, &err));
    for (int64_t i = 0; i < m.n; i++)
        m.clip[i] = (BalClip){.id = text("clip", i, ""),
                              .media = text("", i, ".mp4"),
                              .source = text("video", i / 2, ""),
                              .label = toy->same ? 0 : label_of(i),
                              .split = split_of(toy, i),
                              .start_s = NAN,
                              .duration_s = NAN,
                              .line = i + 2};
    BalIngestSpec spec = bal_ingest_spec_default();
    spec.workers = 1;
    spec.val_share = 0;
    BalIngestResult made;
    assert_ok(
        bal_ingest_run(&m, &recipe, &spec, produce, (void *)(uintptr_t)toy, dir, (BalProgressSink){0}, &made, &err));
    assert_int_equal(made.stored, toy->n);
    for (int64_t i = 0; i < m.n; i++) {
        bal_free((void *)(uintptr_t)m.clip[i].id);
        bal_free((void *)(uintptr_t)m.clip[i].media);
        bal_free((void *)(uintptr_t)m.clip[i].source);
    }
    bal_free(m.clip);
    BalStore *store = NULL;
    assert_ok(bal_store_open(&store, dir, &err));
    return store;
}

BalStatus toy_recipe_load(BalRecipe *r, const BalStore *store, BalError *err) {
    static const char *const set[] = {
        "input.image_size=16",     "input.frames=1",   "input.crop_min=1", "input.flip=0",
        "input.colour=half",       "train.model=tiny", "train.epochs=4",   "train.lr=0.05",
        "train.schedule=constant", "train.batch=16",   "train.threads=1",  "train.eval_batch=32",
    };
    *r = bal_recipe_default();
    r->feature = *bal_store_recipe(store);
    return bal_recipe_load(r, NULL, set, sizeof set / sizeof *set, err);
}

BalRecipe toy_recipe(const BalStore *store) {
    BalError err = {0};
    BalRecipe r;
    assert_ok(toy_recipe_load(&r, store, &err));
    return r;
}

BalStatus toy_fit(const BalStore *store, const char *method, const BalRecipe *recipe, const char *dir,
                  BalFitResult *out, BalError *err) {
    BalFitSpec spec = bal_fit_spec_default();
    spec.method = method;
    spec.recipe = *recipe;
    spec.dir = dir;
    return bal_fit(store, &spec, out, err);
}

float *load_npy(const char *path, int64_t dim[2]) {
    BalError err = {0};
    BalMap map = {0};
    BalNpy npy;
    float *out = NULL;
    assert_ok(bal_map_open(&map, path, &err));
    assert_ok(bal_npy_parse(&npy, map.data, map.size, path, &err));
    assert_int_equal(npy.rank, 2);
    dim[0] = npy.dim[0];
    dim[1] = npy.dim[1];
    size_t n = (size_t)(dim[0] * dim[1]);
    assert_ok(bal_alloc(&out, n, sizeof *out, &err));
    for (size_t i = 0; i < n; i++) {
        if (npy.type == BAL_NPY_U8)
            out[i] = map.data[npy.data_at + i];
        else
            memcpy(out + i, map.data + npy.data_at + i * sizeof *out, sizeof *out);
    }
    bal_map_close(&map);
    return out;
}

char *load_text(const char *path) {
    BalText t = {0};
    if (!bal_file_exists(path) || bal_file_read(path, 0, &t, NULL) < 0) return NULL;
    return t.data;
}

double logged(const char *log, int line, const char *name) {
    BalError err = {0};
    BalJson *j = NULL;
    while (line--) log = strchr(log, '\n') + 1;
    assert_ok(bal_json_parse(&j, log, strcspn(log, "\n"), "log", &err));
    double v = bal_json_real(bal_json_get(bal_json_get(j, "metrics"), name), NAN);
    bal_json_free(&j);
    return v;
}

void assert_same_folder(const char *a, const char *b) {
    char **in_a = NULL, **in_b = NULL, path[512];
    int n_a = 0, n_b = 0;
    BalError err = {0};
    assert_ok(bal_list_dir(a, &in_a, &n_a, &err));
    assert_ok(bal_list_dir(b, &in_b, &n_b, &err));
    if (n_a != n_b) fail_msg("%s holds %d files, %s %d", a, n_a, b, n_b);
    for (int i = 0; i < n_a; i++) {
        assert_string_equal(in_a[i], in_b[i]);
        if (!strcmp(in_a[i], "timing.jsonl")) continue;
        BalMap x = {0}, y = {0};
        snprintf(path, sizeof path, "%s/%s", a, in_a[i]);
        assert_ok(bal_map_open(&x, path, &err));
        snprintf(path, sizeof path, "%s/%s", b, in_a[i]);
        assert_ok(bal_map_open(&y, path, &err));
        if (x.size != y.size || memcmp(x.data, y.data, x.size)) fail_msg("%s differs between %s and %s", in_a[i], a, b);
        bal_map_close(&x);
        bal_map_close(&y);
    }
    bal_names_free(in_a, n_a);
    bal_names_free(in_b, n_b);
}
