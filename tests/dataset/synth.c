#include "dataset/synth.h"

#include <math.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/hash.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/text.h"

static char *text(const char *before, int64_t v, const char *after) {
    char line[64], *out = NULL;
    snprintf(line, sizeof line, "%s%lld%s", before, (long long)v, after);
    assert_int_equal(bal_strdup(&out, line, NULL), BAL_OK);
    return out;
}

void synth_open(Synth *s, int64_t n, bool jpeg) {
    static const char *classes[] = {"bark, dog", "bell", "b\xc3\xa4r", "drum"};
    *s = (Synth){.fatal_row = -1, .overflow_row = -1};
    s->recipe = bal_feature_recipe_default();
    s->recipe.audio.pipeline = BAL_AUDIO_LOG_STFT;
    s->recipe.audio.rate_hz = 8000;
    s->recipe.audio.seconds = 0.25;
    s->recipe.audio.n_fft = 64;
    s->recipe.audio.hop = 32;
    s->recipe.visual.codec = jpeg ? BAL_FRAMES_JPEG : BAL_FRAMES_RAW;
    s->recipe.visual.grey = !jpeg;
    s->spec = bal_ingest_spec_default();
    s->spec.workers = 1;
    s->spec.shard_bytes = 64 << 10;
    BalManifest *m = &s->manifest;
    m->n = n;
    m->classes = classes;
    m->n_classes = 4;
    snprintf(m->dialect, sizeof m->dialect, "csv");
    assert_int_equal(bal_alloc(&m->clip, (size_t)n, sizeof *m->clip, NULL), BAL_OK);
    for (int64_t i = 0, source = 0, left = 0; i < n; i++) {
        if (left-- == 0) source++, left = (source * 7) % 5;
        m->clip[i] = (BalClip){.id = text("-cl.ip/", i, " \xc3\xbc"),
                               .media = text("media/", i, ".mp4"),
                               .source = source % 3 ? text("source ", source, "") : NULL,
                               .label = (int)((source * 5 + i) % 4),
                               .split = source % 6 == 5 ? BAL_SPLIT_TEST : BAL_SPLIT_TRAIN,
                               .start_s = i % 2 ? NAN : 1.5,
                               .duration_s = NAN,
                               .line = i + 2};
    }
}

void synth_close(Synth *s) {
    for (int64_t i = 0; i < s->manifest.n; i++) {
        bal_free((void *)(uintptr_t)s->manifest.clip[i].id);
        bal_free((void *)(uintptr_t)s->manifest.clip[i].media);
        bal_free((void *)(uintptr_t)s->manifest.clip[i].source);
    }
    bal_free(s->manifest.clip);
}

BalStatus synth_produce(void *user, int64_t row, int worker, BalClipFeatures *out, BalError *err) {
    Synth *s = user;
    (void)worker;
    BalRng r = bal_rng(1, BAL_RNG_TEST, 0, (uint64_t)row);
    if (s->delay_us) usleep((useconds_t)((uint64_t)row * 2654435761u % (uint64_t)s->delay_us));
    if (row == s->fatal_row) return BAL_FAIL(err, BAL_E_NOMEM, "out of memory");
    if (s->bad_every && row % s->bad_every == 3) {
        const char *media = s->manifest.clip[row].media;
        if (row % 2) return BAL_FAIL(err, BAL_E_MEDIA, "/data/%s: no audio stream", media);
        return BAL_FAIL(err, BAL_E_IO, "/data/%s: cannot open: \"No such\" file\nreally", media);
    }
    for (int64_t i = 0; i < out->audio_shape[0] * out->audio_shape[1]; i++)
        out->audio[i] = (float)(bal_rng_u32(&r) % 4096) / 64 - 20;
    if (row == s->overflow_row) out->audio[5] = 7e4F;
    BalFrames *f = &out->frames;
    f->n = 1 + (int)(row % 3);
    f->height = 12 + (int)(row % 2);
    f->width = 16;
    f->channels = s->recipe.visual.grey ? 1 : 3;
    size_t bytes = (size_t)f->n * (size_t)f->height * (size_t)f->width * (size_t)f->channels;
    BAL_TRY(bal_grow(&f->data, &f->cap, bytes, 1, err));
    for (size_t i = 0; i < bytes; i++) f->data[i] = (uint8_t)(bal_rng_u32(&r) >> 8);
    out->length_s = 0.25 + (double)row;
    return BAL_OK;
}

BalStatus synth_ingest(Synth *s, const char *dir, BalIngestResult *out, BalError *err) {
    return bal_ingest_run(&s->manifest, &s->recipe, &s->spec, synth_produce, s, dir, (BalProgressSink){0}, out, err);
}

void folder_hash(const char *dir, char hex[65]) {
    char **name = NULL, one[65], path[512];
    int n = 0;
    BalSha256 h;
    bal_sha256_init(&h);
    assert_int_equal(bal_list_dir(dir, &name, &n, NULL), BAL_OK);
    for (int i = 0; i < n; i++) {
        snprintf(path, sizeof path, "%s/%s", dir, name[i]);
        assert_int_equal(bal_sha256_file(path, one, NULL), BAL_OK);
        bal_sha256_add(&h, name[i], strlen(name[i]) + 1);
        bal_sha256_add(&h, one, 64);
    }
    bal_names_free(name, n);
    bal_sha256_hex(&h, hex);
}

void flip_byte(const char *path, long at) {
    FILE *f = fopen(path, "r+b");
    assert_non_null(f);
    assert_int_equal(fseek(f, at, SEEK_SET), 0);
    int c = fgetc(f);
    assert_int_not_equal(c, EOF);
    fseek(f, at, SEEK_SET);
    fputc(c ^ 0x10, f);
    fclose(f);
}

long file_size(const char *path) {
    struct stat st;
    return stat(path, &st) ? -1 : (long)st.st_size;
}
