/* The features of this library for other languages: arrays in and out as .npy. Used by tests/peer/features.py; `bench` times them.
 *
 *   feature_tool audio IN.npy[n] RATE_HZ OUT.npy [name=value]...
 *   feature_tool resize IN.npy[h,w,c] OUT.npy TOP LEFT HEIGHT WIDTH OUT_HEIGHT OUT_WIDTH
 *   feature_tool prepare IN.npy[n,h,w,3] OUT.npy [name=value]...
 *   feature_tool transform IN.npy[h,w,c] OUT.npy SEED [name=value]...       SEED -1: the test transform
 *   feature_tool jpeg-write IN.npy[h,w,c] OUT.jpg QUALITY
 *   feature_tool jpeg-read IN.jpg OUT.npy
 *   feature_tool bench */
#include <avbalance/features.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/npy.h"
#include "base/option.h"
#include "base/rng.h"
#include "features/jpeg.h"

static BalError err;

static void need(BalStatus rc) {
    if (rc >= 0) return;
    fprintf(stderr, "feature_tool: %s\n", err.text);
    exit(1);
}

static const void *load(const char *path, BalNpyType type, BalNpy *npy) {
    static BalMap map;
    need(bal_map_open(&map, path, &err));
    need(bal_npy_parse(npy, map.data, map.size, path, &err));
    if (npy->type != type) exit(2);
    return map.data + npy->data_at;
}

static void *block(int64_t n, size_t size) {
    void *p = NULL;
    need(bal_alloc(&p, (size_t)n, size, &err));
    return p;
}

static void set_all(const BalOption *table, void *self, char **arg) {
    BalOptionSet set = {table, self};
    for (; *arg; arg++) {
        char *value = strchr(*arg, '=');
        if (!value) exit(2);
        *value++ = '\0';
        need(bal_options_set(&set, 1, *arg, value, &err));
    }
}

static void audio(char **arg) {
    BalFeatureRecipe r = bal_feature_recipe_default();
    set_all(bal_feature_options(), &r, arg + 3);
    need(bal_feature_recipe_check(&r, &err));
    BalNpy in;
    const float *pcm = load(arg[0], BAL_NPY_F32, &in);
    BalAudioFeature *f = NULL;
    int64_t shape[2];
    bal_audio_shape(&r.audio, atoi(arg[1]), shape);
    float *out = block(shape[0] * shape[1], sizeof *out);
    need(bal_audio_feature_create(&f, &r.audio, &err));
    need(bal_audio_feature_run(f, pcm, in.dim[0], atoi(arg[1]), out, &err));
    need(bal_npy_write(arg[2], BAL_NPY_F32, shape, 2, out, &err));
    bal_audio_feature_destroy(&f);
    bal_free(out);
}

static void resize(char **arg) {
    BalNpy in;
    const uint8_t *px = load(arg[0], BAL_NPY_U8, &in);
    int box[4];
    for (int i = 0; i < 4; i++) box[i] = atoi(arg[2 + i]);
    int64_t dim[3] = {atoi(arg[6]), atoi(arg[7]), in.dim[2]};
    uint8_t *out = block(dim[0] * dim[1] * dim[2], 1);
    need(bal_resize_u8(px, (int)in.dim[0], (int)in.dim[1], (int)in.dim[2], box, out, (int)dim[0], (int)dim[1], &err));
    need(bal_npy_write(arg[1], BAL_NPY_U8, dim, 3, out, &err));
    bal_free(out);
}

static void write_frames(const char *path, const BalFrames *f) {
    int64_t dim[4] = {f->n, f->height, f->width, f->channels};
    need(bal_npy_write(path, BAL_NPY_U8, dim, 4, f->data, &err));
}

static void prepare(char **arg) {
    BalFeatureRecipe r = bal_feature_recipe_default();
    set_all(bal_feature_options(), &r, arg + 2);
    BalNpy in;
    const uint8_t *px = load(arg[0], BAL_NPY_U8, &in);
    BalClipMedia m = {.n_frames = (int)in.dim[0], .height = (int)in.dim[1], .width = (int)in.dim[2]};
    m.frames = block((int64_t)in.data_bytes, 1);
    memcpy(m.frames, px, in.data_bytes);
    BalFrames out = {0};
    need(bal_frames_prepare(&r.visual, &m, &out, &err));
    write_frames(arg[1], &out);
    bal_frames_reset(&out);
    bal_free(m.frames);
}

static void transform(char **arg) {
    BalInputRecipe r = bal_input_recipe_default();
    set_all(bal_input_options(), &r, arg + 3);
    BalNpy in;
    const uint8_t *px = load(arg[0], BAL_NPY_U8, &in);
    long seed = atol(arg[2]);
    BalRng rng = bal_rng((uint64_t)seed, BAL_RNG_TEST, 0, 0);
    int64_t dim[3] = {in.dim[2], r.image_size, r.image_size};
    float *out = block(dim[0] * dim[1] * dim[2], sizeof *out);
    need(bal_frame_transform(&r, px, (int)in.dim[0], (int)in.dim[1], (int)in.dim[2], seed >= 0, &rng, out, &err));
    need(bal_npy_write(arg[1], BAL_NPY_F32, dim, 3, out, &err));
    bal_free(out);
}

static void jpeg_write(char **arg) {
    BalNpy in;
    const uint8_t *px = load(arg[0], BAL_NPY_U8, &in);
    BalText out = {0};
    need(bal_jpeg_write(&out, px, (int)in.dim[0], (int)in.dim[1], (int)in.dim[2], atoi(arg[2]), &err));
    need(bal_file_write(arg[1], out.data, out.len, &err));
    bal_text_reset(&out);
}

static void jpeg_read(char **arg) {
    BalText in = {0};
    BalFrames out = {0};
    need(bal_file_read(arg[0], 0, &in, &err));
    need(bal_jpeg_read(&out, in.data, in.len, arg[0], &err));
    write_frames(arg[1], &out);
    bal_frames_reset(&out);
    bal_text_reset(&in);
}

/* A picture with edges and texture: noise would flatter no codec, flatness would flatter all. */
static void picture(uint8_t *px, int h, int w) {
    BalRng rng = bal_rng(1, BAL_RNG_TEST, 0, 0);
    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++)
            for (int c = 0; c < 3; c++)
                px[(y * w + x) * 3 + c] =
                    (uint8_t)(((x / 16 + y / 16 + c) % 5) * 40 + (x * y >> 8) % 40 + (int)bal_rng_below(&rng, 16));
}

static void report(const char *name, double seconds, int n) {
    printf("{\"bench\":\"%s\",\"us\":%.1f}\n", name, 1e6 * seconds / n);
}

static void bench(void) {
    enum { H = 256, W = 340, N = 300 };
    uint8_t *px = block(H * W * 3, 1);
    float *out = block(3 * 224 * 224, sizeof *out);
    picture(px, H, W);
    BalInputRecipe in = bal_input_recipe_default();
    BalRng rng = bal_rng(2, BAL_RNG_TEST, 0, 0);
    double t = bal_now_s();
    for (int i = 0; i < N; i++) need(bal_frame_transform(&in, px, H, W, 3, true, &rng, out, &err));
    report("train transform 340x256 -> 224x224", bal_now_s() - t, N);
    t = bal_now_s();
    for (int i = 0; i < N; i++) need(bal_frame_transform(&in, px, H, W, 3, false, &rng, out, &err));
    report("test transform 340x256 -> 224x224", bal_now_s() - t, N);
    BalText jpeg = {0};
    BalFrames f = {0};
    t = bal_now_s();
    for (int i = 0; i < N; i++) {
        bal_text_clear(&jpeg);
        need(bal_jpeg_write(&jpeg, px, H, W, 3, 95, &err));
    }
    report("jpeg write 340x256 q95", bal_now_s() - t, N);
    t = bal_now_s();
    for (int i = 0; i < N; i++, f.n = 0) need(bal_jpeg_read(&f, jpeg.data, jpeg.len, "bench", &err));
    report("jpeg read 340x256 q95", bal_now_s() - t, N);
    BalFeatureRecipe r = bal_feature_recipe_default();
    for (r.audio.pipeline = 0; r.audio.pipeline <= BAL_AUDIO_KALDI_FBANK; r.audio.pipeline++) {
        int rate = r.audio.pipeline == BAL_AUDIO_KALDI_FBANK ? 48000 : 16000;
        r.audio.rate_hz = rate;
        int64_t shape[2], n = 10 * rate;
        bal_audio_shape(&r.audio, rate, shape);
        float *pcm = block(n, sizeof *pcm), *spectrum = block(shape[0] * shape[1], sizeof *spectrum);
        for (int64_t i = 0; i < n; i++) pcm[i] = (float)(bal_rng_uniform(&rng) - 0.5);
        BalAudioFeature *af = NULL;
        need(bal_audio_feature_create(&af, &r.audio, &err));
        t = bal_now_s();
        for (int i = 0; i < 20; i++) need(bal_audio_feature_run(af, pcm, n, rate, spectrum, &err));
        report(bal_feature_options()[0].choices[r.audio.pipeline], bal_now_s() - t, 20);
        bal_audio_feature_destroy(&af);
        bal_free(pcm);
        bal_free(spectrum);
    }
    bal_frames_reset(&f);
    bal_text_reset(&jpeg);
    bal_free(px);
    bal_free(out);
}

int main(int argc, char **argv) {
    const char *what = argc > 1 ? argv[1] : "";
    char **arg = argv + 2;
    if (strcmp(what, "audio") == 0 && argc >= 5)
        audio(arg);
    else if (strcmp(what, "resize") == 0 && argc == 10)
        resize(arg);
    else if (strcmp(what, "prepare") == 0 && argc >= 4)
        prepare(arg);
    else if (strcmp(what, "transform") == 0 && argc >= 5)
        transform(arg);
    else if (strcmp(what, "jpeg-write") == 0 && argc == 5)
        jpeg_write(arg);
    else if (strcmp(what, "jpeg-read") == 0 && argc == 4)
        jpeg_read(arg);
    else if (strcmp(what, "bench") == 0)
        bench();
    else {
        fputs("usage: feature_tool audio|resize|prepare|transform|jpeg-write|jpeg-read|bench ...\n", stderr);
        return 2;
    }
    return 0;
}
