/* Six classes, each a shape that moves and a vowel that is sung. Both name the label, so a clip is as informative in one
 * modality as that modality is clean. A planted discrepancy p, uniform in [-1,1], decides which one is spoilt: p > 0 spoils
 * the picture with severity p, p < 0 the sound with severity -p; at severity 1 nothing is left of the shape or the vowel. An estimator
 * that works must therefore find u_audio - u_visual rising with p, and the demo prints how well it does.
 *
 * Sound is made as a voice is (a pulse train through two resonators, the formants; values after Peterson & Barney 1952),
 * pictures as signed distance functions, which give smooth edges at any size. The last few ids are broken on purpose, one for
 * each way in which real collections break: an ingest that loses or hides them is seen at once. */
#include <math.h>
#include <string.h>

#include <avbalance/media.h>

#include "base/csv.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/thread.h"
#include "cli/demo_clips.h"

enum { N_CLASSES = 6, SIZE = 64, FPS = 8, N_FRAMES = 8, RATE = 8000, N_BROKEN = 6 };
#define PI 3.14159265358979323846

static const struct {
    const char *name;
    double formant[2]; /* Hz */
} classes[N_CLASSES] = {
    {"circle", {730, 1090}}, {"square", {270, 2290}}, {"triangle", {570, 840}},
    {"cross", {300, 870}},   {"ring", {530, 1840}},   {"bars", {490, 1350}},
};

static const char *const broken[N_BROKEN] = {"empty", "webpage", "truncated", "no-sound", "no-picture", "missing"};

typedef struct Clip {
    int label;
    double audio_severity, visual_severity;
} Clip;

typedef struct Demo {
    const char *dir;
    uint64_t seed;
    int64_t n;
    BalProgressSink progress;
} Demo;

static double between(BalRng *r, double lo, double hi) {
    return lo + (hi - lo) * bal_rng_uniform(r);
}

/* What is planted in clip i: independent of every other clip. */
static Clip clip_plan(uint64_t seed, int64_t i, BalRng *r) {
    *r = bal_rng(seed, BAL_RNG_DEMO, 0, (uint64_t)i);
    double p = between(r, -1, 1), rest = 0.15 * (1 - fabs(p)) * bal_rng_uniform(r);
    Clip c = {.label = (int)(i % N_CLASSES), .audio_severity = rest, .visual_severity = rest};
    if (p > 0)
        c.visual_severity += p;
    else
        c.audio_severity -= p;
    return c;
}

/* ---- sound ---- */

/* Add a vowel to pcm[n], unit peak before `gain`: pulses of pitch f0 with a slow glide through two resonators in series. */
static void sing(float *pcm, int n, const double formant[2], double gain, BalRng *r) {
    double f0 = between(r, 95, 230), glide = between(r, -0.2, 0.2), phase = bal_rng_uniform(r);
    double begin = between(r, 0, 0.25) * n, length = between(r, 0.55, 0.75) * n;
    double y[2][2] = {{0}};
    float peak = 1e-9f, voice[RATE];
    for (int i = 0; i < n; i++) {
        double t = (i - begin) / length;
        double envelope = t > 0 && t < 1 ? sin(PI * t) : 0;
        phase += f0 * (1 + glide * t) / RATE;
        double x = phase >= 1 ? envelope : 0;
        phase -= floor(phase);
        for (int k = 0; k < 2; k++) {
            double radius = exp(-PI * 80 / RATE), cosine = cos(2 * PI * formant[k] / RATE);
            x += 2 * radius * cosine * y[k][0] - radius * radius * y[k][1];
            y[k][1] = y[k][0];
            y[k][0] = x;
        }
        voice[i] = (float)x;
        peak = fmaxf(peak, fabsf(voice[i]));
    }
    for (int i = 0; i < n; i++) pcm[i] += (float)(gain * voice[i] / peak);
}

/* The clip's sound, [RATE] samples: the vowel sinks into white noise, a babble of other vowels, or silence in pieces. */
static void sound(const Clip *c, BalRng *r, float *pcm) {
    double s = c->audio_severity, keep = fmin(1, 1.5 * (1 - s));
    memset(pcm, 0, RATE * sizeof *pcm);
    sing(pcm, RATE, classes[c->label].formant, 0.5 * keep, r);
    uint64_t kind = bal_rng_below(r, 3);
    double level = s <= 0 ? 0 : 0.5 * pow(10, (40 * s - 24) / 20);
    if (kind == 0)
        for (int i = 0; i < RATE; i++) pcm[i] += (float)(level * 0.4 * bal_rng_normal(r));
    if (kind == 1)
        for (int i = 0; i < 5; i++) sing(pcm, RATE, classes[bal_rng_below(r, N_CLASSES)].formant, level * 0.6, r);
    if (kind == 2)
        for (int at = 0; at < RATE; at += RATE / 25)
            if (bal_rng_uniform(r) < s) memset(pcm + at, 0, RATE / 25 * sizeof *pcm);
    for (int i = 0; i < RATE; i++) pcm[i] = fmaxf(-0.98f, fminf(0.98f, pcm[i] + 0.002f * (float)bal_rng_normal(r)));
}

/* ---- picture ---- */

static double box(double x, double y, double w, double h) {
    double dx = fabs(x) - w, dy = fabs(y) - h;
    return hypot(fmax(dx, 0), fmax(dy, 0)) + fmin(fmax(dx, dy), 0);
}

/* Signed distance from (x,y) to the shape of a class, unit size; negative inside. */
static double distance(int label, double x, double y) {
    switch (label) {
    case 0:
        return hypot(x, y) - 0.9;
    case 1:
        return box(x, y, 0.75, 0.75);
    case 2:
        return fmax(y - 0.7, 0.866 * fabs(x) - 0.5 * y - 0.6);
    case 3:
        return fmin(box(x, y, 1, 0.25), box(x, y, 0.25, 1));
    case 4:
        return fabs(hypot(x, y) - 0.75) - 0.2;
    default:
        return fmin(box(x, y - 0.5, 0.95, 0.22), box(x, y + 0.5, 0.95, 0.22));
    }
}

typedef struct Pose {
    double x, y, vx, vy, size, angle, spin, colour[3];
} Pose;

static Pose pose(BalRng *r) {
    Pose p = {.x = between(r, 0.42, 0.58),
              .y = between(r, 0.42, 0.58),
              .vx = between(r, -0.1, 0.1),
              .vy = between(r, -0.1, 0.1)};
    p.size = between(r, 0.22, 0.3);
    p.angle = between(r, -0.2, 0.2);
    p.spin = between(r, -0.2, 0.2);
    for (int k = 0; k < 3; k++) p.colour[k] = between(r, 130, 255);
    return p;
}

/* Lay a shape over rgb[SIZE,SIZE,3] at time t in [0,1] with opacity alpha. */
static void draw(double *rgb, int label, const Pose *p, double t, double alpha) {
    double c = cos(p->angle + p->spin * t), s = sin(p->angle + p->spin * t), pixel = 1.0 / SIZE;
    for (int i = 0; i < SIZE * SIZE; i++) {
        double x = ((i % SIZE + 0.5) * pixel - p->x - p->vx * t) / p->size,
               y = ((i / SIZE + 0.5) * pixel - p->y - p->vy * t) / p->size;
        double edge = 0.5 - distance(label, c * x + s * y, c * y - s * x) * p->size * SIZE;
        double cover = alpha * fmax(0, fmin(1, edge));
        for (int k = 0; k < 3; k++) rgb[3 * i + k] += cover * (p->colour[k] - rgb[3 * i + k]);
    }
}

/* Frames [N_FRAMES,SIZE,SIZE,3]: the shape fades into noise, under other shapes, or out of contrast. */
static void picture(const Clip *c, BalRng *r, uint8_t *frames) {
    double s = c->visual_severity, ground = between(r, 10, 90), rgb[SIZE * SIZE * 3];
    uint64_t kind = bal_rng_below(r, 3);
    Pose self = pose(r), other[4];
    int other_label[4];
    for (int k = 0; k < 4; k++) {
        other[k] = pose(r);
        other_label[k] = (int)bal_rng_below(r, N_CLASSES);
    }
    for (int f = 0; f < N_FRAMES; f++) {
        double t = (double)f / N_FRAMES, alpha = kind == 2 ? pow(1 - s, 2) : fmin(1, 1.6 * (1 - s));
        for (int i = 0; i < SIZE * SIZE * 3; i++) rgb[i] = ground;
        draw(rgb, c->label, &self, t, alpha);
        for (int k = 0; kind == 1 && k < 4; k++) draw(rgb, other_label[k], &other[k], t, fmin(1, 1.1 * s));
        double noise = 4 + (kind == 0 ? 110 * s : 8 * s);
        for (int i = 0; i < SIZE * SIZE * 3; i++)
            frames[f * SIZE * SIZE * 3 + i] = (uint8_t)fmax(0, fmin(255, rgb[i] + noise * bal_rng_normal(r)));
    }
}

/* ---- files ---- */

static BalStatus clip_write(const char *path, const float *pcm, const uint8_t *frames, BalError *err) {
    BalMediaWriterSpec spec = {.width = SIZE, .height = SIZE, .fps = FPS, .rate_hz = RATE};
    if (!pcm) spec.rate_hz = 0;
    if (!frames) spec.width = spec.height = spec.fps = 0;
    BalMediaWriter *w = NULL;
    BalStatus rc = bal_media_writer_open(&w, path, &spec, err);
    for (int f = 0; rc == BAL_OK && frames && f < N_FRAMES; f++)
        rc = bal_media_writer_frame(w, frames + f * SIZE * SIZE * 3, err);
    if (rc == BAL_OK && pcm) rc = bal_media_writer_sound(w, pcm, RATE, err);
    if (rc == BAL_OK) return bal_media_writer_close(&w, err);
    bal_media_writer_abort(&w);
    return rc;
}

static void clip_id(BalText *out, const Demo *d, int64_t i) {
    if (i < d->n)
        bal_text_f(out, "clip-%04lld", (long long)i);
    else
        bal_text_f(out, "broken-%s", broken[i - d->n]);
}

/* Write a spoilt file as kind says. */
static BalStatus break_file(const char *kind, const char *path, const float *pcm, const uint8_t *frames,
                            BalError *err) {
    static const char page[] = "<!DOCTYPE html><html><body>404: this video is no longer available</body></html>\n";
    if (!strcmp(kind, "missing")) return BAL_OK;
    if (!strcmp(kind, "empty")) return bal_file_write(path, "", 0, err);
    if (!strcmp(kind, "webpage")) return bal_file_write(path, page, sizeof page - 1, err);
    if (!strcmp(kind, "no-sound")) return clip_write(path, NULL, frames, err);
    if (!strcmp(kind, "no-picture")) return clip_write(path, pcm, NULL, err);
    BalText whole = {0}, tmp = {0}; /* truncated: the index at the end of the file is lost */
    bal_text_f(&tmp, "%s.whole", path);
    BalStatus rc = bal_text_ok(&tmp, err);
    if (rc == BAL_OK) rc = clip_write(tmp.data, pcm, frames, err);
    if (rc == BAL_OK) rc = bal_file_read(tmp.data, 0, &whole, err);
    if (rc == BAL_OK) rc = bal_remove_tree(tmp.data, err);
    if (rc == BAL_OK) rc = bal_file_write(path, whole.data, whole.len / 2, err);
    bal_text_reset(&whole);
    bal_text_reset(&tmp);
    return rc;
}

static BalStatus make_one(void *user, int64_t i, int worker, BalError *err) {
    (void)worker;
    const Demo *d = user;
    float pcm[RATE];
    uint8_t *frames = NULL;
    BalText path = {0}, id = {0};
    BalRng r;
    Clip c = clip_plan(d->seed, i, &r);
    clip_id(&id, d, i);
    bal_text_f(&path, "%s/clips/%s.mp4", d->dir, bal_text_str(&id));
    BalStatus rc = bal_text_ok(&path, err);
    if (rc < 0 || bal_file_exists(path.data)) goto done;
    BAL_TRY_OR(done, bal_alloc(&frames, (size_t)N_FRAMES * SIZE * SIZE, 3, err));
    sound(&c, &r, pcm);
    picture(&c, &r, frames);
    rc = i < d->n ? clip_write(path.data, pcm, frames, err) : break_file(broken[i - d->n], path.data, pcm, frames, err);
done:
    bal_free(frames);
    bal_text_reset(&path);
    bal_text_reset(&id);
    return rc;
}

static BalStatus made_one(void *user, int64_t i, int worker, BalError *err) {
    (void)worker;
    const Demo *d = user;
    BalProgress p = {.stage = "make clips", .done = i + 1, .total = d->n + N_BROKEN, .unit = "clips"};
    if (d->progress.fn && !d->progress.fn(d->progress.user, &p)) return BAL_FAIL(err, BAL_E_CANCELLED, "stopped");
    return BAL_OK;
}

/* Splits go round by class so that each holds all classes: 70 % train, 10 % val, 20 % test. */
static const char *split_of(int64_t i) {
    int64_t k = i / N_CLASSES % 10;
    return k == 3 ? "val" : k == 6 || k == 9 ? "test" : "train";
}

/* Write the table, unless another one is there: that of a demo with other settings, whose clips must not be mixed with these, or
 * somebody's own. */
static BalStatus table_write(const char *path, const BalText *t, BalError *err) {
    BalText old = {0};
    if (!bal_file_exists(path)) return bal_file_write(path, t->data, t->len, err);
    BalStatus rc = bal_file_read(path, 0, &old, err);
    if (rc == BAL_OK && strcmp(bal_text_str(&old), t->data))
        rc = BAL_FAIL(err, BAL_E_EXISTS,
                      "%s is there already, and not from a demo with these --clips and --seed: choose another folder",
                      path);
    bal_text_reset(&old);
    return rc;
}

static BalStatus tables_write(const Demo *d, BalError *err) {
    BalText manifest = {0}, planted = {0}, path = {0};
    bal_text_add(&manifest, "id,media,label,split\n");
    bal_text_add(&planted, BAL_DEMO_PLANTED_HEAD);
    for (int64_t i = 0; i < d->n + N_BROKEN; i++) {
        BalRng r;
        Clip c = clip_plan(d->seed, i, &r);
        BalText id = {0};
        clip_id(&id, d, i);
        bal_text_f(&manifest, "%s,clips/%s.mp4,%s,%s\n", bal_text_str(&id), bal_text_str(&id), classes[c.label].name,
                   split_of(i));
        if (i < d->n)
            bal_text_f(&planted, "%s,%.4f,%.4f,%.4f\n", bal_text_str(&id), c.audio_severity, c.visual_severity,
                       c.visual_severity - c.audio_severity);
        bal_text_reset(&id);
    }
    bal_path_join(&path, d->dir, "manifest.csv");
    BalStatus rc = bal_text_ok(&manifest, err);
    if (rc == BAL_OK) rc = table_write(path.data, &manifest, err);
    bal_text_clear(&path);
    bal_path_join(&path, d->dir, "planted.csv");
    if (rc == BAL_OK) rc = bal_text_ok(&planted, err);
    if (rc == BAL_OK) rc = table_write(path.data, &planted, err);
    bal_text_reset(&manifest);
    bal_text_reset(&planted);
    bal_text_reset(&path);
    return rc;
}

BalStatus bal_demo_make(const char *dir, int64_t n, uint64_t seed, int threads, BalProgressSink progress,
                        BalError *err) {
    Demo d = {.dir = dir, .seed = seed, .n = n, .progress = progress};
    BalText clips = {0};
    bal_path_join(&clips, dir, "clips");
    BalStatus rc = bal_text_ok(&clips, err);
    if (rc == BAL_OK) rc = bal_make_dirs(clips.data, err);
    if (rc == BAL_OK) rc = tables_write(&d, err);
    if (rc == BAL_OK) rc = bal_parallel(threads, n + N_BROKEN, 64, make_one, made_one, &d, err);
    bal_text_reset(&clips);
    return rc;
}
