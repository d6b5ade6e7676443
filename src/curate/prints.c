/* Making fingerprints, and the file that keeps them:
 *
 *   {"journal":"avbalance/prints/2","settings":SHA-256}
 *   {"clip":PATH@START+LENGTH,"of":[BYTES,MTIME],"sha256":..,"frames":HEX,"mirrored":HEX,"blank":..,"sound":HEX}
 *   {"clip":..,"of":..,"sha256":..,"nothing":REASON}
 *
 * frames and mirrored are absent without a picture, sound is absent without one. */
#include "curate/prints.h"
#include <inttypes.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include "base/clock.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/thread.h"
#include "curate/jsonl.h"
#include "dataset/manifest.h"

#define JOURNAL "avbalance/prints/2"

enum { MAX_ITEMS = 1 << 16, SAME_ITEMS = 4 /* distinct ones at most of a sound that tells nothing */ };

typedef struct Entry {
    int64_t of_bytes, of_mtime;
    BalPrint print;
} Entry;

struct BalPrintMemory {
    BalNameSet names;
    Entry *entry; /* [names.n] */
    size_t cap;
    BalManifestStrings *strings;
};

/* ---- what was made before ---- */

/* Hex digits, `digits` a number, into out[*n]; false where they are something else. */
static bool read_hex(const char *s, int digits, int max, uint64_t *out, int *n) {
    size_t length = strlen(s);
    if (length % (size_t)digits || length / (size_t)digits > (size_t)max) return false;
    for (*n = 0; *s; (*n)++) {
        out[*n] = 0;
        for (int k = 0; k < digits; k++, s++) {
            int v = *s >= '0' && *s <= '9' ? *s - '0' : *s >= 'a' && *s <= 'f' ? *s - 'a' + 10 : -1;
            if (v < 0) return false;
            out[*n] = out[*n] << 4 | (unsigned)v;
        }
    }
    return true;
}

/* BAL_END: not as it should be. */
static BalStatus read_sound(const char *hex, BalPrint *p, BalError *err) {
    size_t n = strlen(hex) / 8;
    if (n > MAX_ITEMS) return BAL_END;
    p->has_sound = true;
    BAL_TRY(bal_alloc(&p->sound, n, sizeof *p->sound, err));
    for (; p->n_sound < (int)n; p->n_sound++) {
        char one[9] = "";
        uint64_t value;
        int got;
        memcpy(one, hex + 8 * (size_t)p->n_sound, 8);
        if (!read_hex(one, 8, 1, &value, &got) || got != 1) return BAL_END;
        p->sound[p->n_sound] = (uint32_t)value;
    }
    return hex[8 * n] ? BAL_END : BAL_OK;
}

static BalStatus read_print(const BalJson *line, BalPrint *p, BalError *err) {
    const char *sha = bal_json_text(bal_json_get(line, "sha256"), ""),
               *frames = bal_json_text(bal_json_get(line, "frames"), NULL),
               *mirrored = bal_json_text(bal_json_get(line, "mirrored"), NULL),
               *sound = bal_json_text(bal_json_get(line, "sound"), NULL);
    int n = 0, m = 0;
    if (strlen(sha) != 64 || !frames != !mirrored) return BAL_END;
    memcpy(p->sha256, sha, 65);
    p->usable = bal_json_text(bal_json_get(line, "nothing"), NULL) == NULL;
    if (p->usable && !frames && !sound) return BAL_END;
    if (frames) {
        p->has_picture = true;
        p->blank = (unsigned)bal_json_int(bal_json_get(line, "blank"), 0);
        if (!read_hex(frames, 16, BAL_PRINT_FRAMES, p->bits, &n) || n != BAL_PRINT_FRAMES) return BAL_END;
        if (!read_hex(mirrored, 16, BAL_PRINT_FRAMES, p->mirrored, &m) || m != BAL_PRINT_FRAMES) return BAL_END;
    }
    return sound ? read_sound(sound, p, err) : BAL_OK;
}

BalStatus bal_print_memory_line(void *user, const BalJson *line, BalError *err) {
    BalPrintMemory *m = user;
    const char *name = bal_json_text(bal_json_get(line, "clip"), NULL);
    const BalJson *of = bal_json_get(line, "of");
    int64_t number;
    bool added;
    if (!name || bal_json_size(of) != 2) return BAL_END;
    Entry e = {bal_json_int(bal_json_at(of, 0), -1), bal_json_int(bal_json_at(of, 1), -1), {0}};
    BalStatus rc = read_print(line, &e.print, err);
    if (rc == BAL_OK) rc = bal_grow(&m->entry, &m->cap, (size_t)m->names.n + 1, sizeof *m->entry, err);
    if (rc == BAL_OK) rc = bal_name_add(&m->names, &m->strings, name, strlen(name), &number, &added, err);
    if (rc != BAL_OK) {
        bal_free(e.print.sound);
        return rc;
    }
    if (!added) bal_free(m->entry[number].print.sound);
    m->entry[number] = e;
    return BAL_OK;
}

BalStatus bal_print_memory_open(BalPrintMemory **out, BalError *err) {
    return bal_alloc(out, 1, sizeof **out, err);
}

int64_t bal_print_memory_count(const BalPrintMemory *m) {
    return m->names.n;
}

const BalPrint *bal_print_memory_at(const BalPrintMemory *m, int64_t i) {
    return &m->entry[i].print;
}

void bal_print_memory_close(BalPrintMemory **pm) {
    BalPrintMemory *m = *pm;
    if (!m) return;
    for (int64_t i = 0; i < m->names.n; i++) bal_free(m->entry[i].print.sound);
    bal_free(m->entry);
    bal_name_set_reset(&m->names);
    bal_strings_free(&m->strings);
    bal_free(m);
    *pm = NULL;
}

/* ---- one clip ---- */

typedef struct Work {
    const BalManifest *m;
    const BalDuplicatesSpec *spec;
    BalProgressSink progress;
    BalPrintMemory *memory;
    BalAppend file;
    pthread_mutex_t lock;
    BalClipMedia *media; /* one per worker */
    BalPrints *out;
} Work;

/* Sound that is one value throughout is silence or a steady tone: it would agree with all of its like. */
static bool tells_nothing(const uint32_t *x, int n) {
    uint32_t seen[SAME_ITEMS];
    int distinct = 0;
    for (int i = 0; i < n; i++) {
        int k = 0;
        while (k < distinct && seen[k] != x[i]) k++;
        if (k < distinct) continue;
        if (distinct == SAME_ITEMS) return false;
        seen[distinct++] = x[i];
    }
    return true;
}

static BalStatus print_media(const BalClipMedia *media, BalPrint *p, BalError *err) {
    size_t one = (size_t)media->width * media->height * 3;
    for (int k = 0; media->has_video && k < BAL_PRINT_FRAMES; k++) {
        BalPictureHash h = bal_picture_hash(media->frames + one * k, media->width, media->height);
        p->bits[k] = h.bits, p->mirrored[k] = h.mirrored;
        p->blank |= (unsigned)h.blank << k;
        p->has_picture = true;
    }
    if (!media->has_audio) return BAL_OK;
    BAL_TRY(bal_sound_print(media->pcm, media->n_samples, &p->sound, &p->n_sound, err));
    p->has_sound = true;
    if (p->n_sound > MAX_ITEMS) p->n_sound = MAX_ITEMS;
    if (tells_nothing(p->sound, p->n_sound)) p->n_sound = 0;
    return BAL_OK;
}

/* Both streams, or the one there is. */
static BalStatus decode(const char *path, const BalClip *clip, double limit_s, BalClipMedia *media, BalError *err) {
    BalMediaLimits limits = bal_media_limits_default();
    BalClipSpec s = bal_clip_spec_default();
    limits.seconds = limit_s;
    if (!isnan(clip->start_s)) s.start_s = clip->start_s;
    if (!isnan(clip->duration_s)) s.duration_s = clip->duration_s;
    s.rate_hz = BAL_PRINT_RATE_HZ, s.fps = 0, s.n_frames = BAL_PRINT_FRAMES;
    BalStatus rc = bal_clip_decode(path, &s, &limits, media, err);
    for (int k = 0; k < 2 && rc == BAL_E_MEDIA; k++) {
        BalError other = {0};
        s.want_audio = k, s.want_video = !k;
        BalStatus again = bal_clip_decode(path, &s, &limits, media, &other);
        if (again != BAL_E_MEDIA) rc = again;
        if (again < 0 && again != BAL_E_MEDIA && err) *err = other;
    }
    return rc;
}

static void write_hex(BalJsonOut *o, const char *key, const uint64_t *x, int n) {
    char hex[16 * BAL_PRINT_FRAMES + 1] = "";
    for (int k = 0; k < n; k++) snprintf(hex + 16 * (size_t)k, 17, "%016" PRIx64, x[k]);
    bal_json_add_text(o, key, hex);
}

static void write_line(BalText *line, const char *name, const Entry *e, const char *nothing) {
    const BalPrint *p = &e->print;
    BalText hex = {0};
    BalJsonOut o = bal_json_out(line, false);
    bal_json_open(&o, NULL, '{');
    bal_json_add_text(&o, "clip", name);
    bal_json_open(&o, "of", '[');
    bal_json_add_int(&o, NULL, e->of_bytes);
    bal_json_add_int(&o, NULL, e->of_mtime);
    bal_json_close(&o, ']');
    bal_json_add_text(&o, "sha256", p->sha256);
    if (nothing) bal_json_add_text(&o, "nothing", nothing);
    if (p->has_picture) {
        write_hex(&o, "frames", p->bits, BAL_PRINT_FRAMES);
        write_hex(&o, "mirrored", p->mirrored, BAL_PRINT_FRAMES);
        bal_json_add_int(&o, "blank", p->blank);
    }
    if (p->has_sound) {
        for (int k = 0; k < p->n_sound; k++) bal_text_f(&hex, "%08" PRIx32, p->sound[k]);
        bal_json_add_text(&o, "sound", bal_text_str(&hex));
    }
    bal_json_close(&o, '}');
    line->failed |= hex.failed;
    bal_text_reset(&hex);
}

static void clip_name(BalText *out, const char *path, const BalClip *c) {
    bal_text_f(out, "%s@", path);
    bal_text_real(out, isnan(c->start_s) ? 0 : c->start_s);
    bal_text_char(out, '+');
    if (!isnan(c->duration_s)) bal_text_real(out, c->duration_s);
}

/* The file's hash and the stretch: equal where bytes and times are. */
static BalStatus hash_clip(const char *path, const char *name, char out[65], BalError *err) {
    char file[65];
    BalSha256 h;
    const char *stretch = strrchr(name, '@');
    BAL_TRY(bal_sha256_file(path, file, err));
    bal_sha256_init(&h);
    bal_sha256_add(&h, file, 64);
    bal_sha256_add(&h, stretch, strlen(stretch));
    bal_sha256_hex(&h, out);
    return BAL_OK;
}

static BalStatus make(Work *w, const char *path, const char *name, const BalClip *clip, int worker, Entry *e,
                      BalError *err) {
    BalError why = {0};
    BalText line = {0};
    BAL_TRY(hash_clip(path, name, e->print.sha256, err));
    double began_s = bal_now_s();
    BalStatus rc = decode(path, clip, w->spec->limit_s, &w->media[worker], &why);
    bool lasting = rc == BAL_OK || bal_now_s() - began_s < w->spec->limit_s;
    if (rc == BAL_E_MEDIA || rc == BAL_E_FORMAT) {
        write_line(&line, name, e, why.text);
        rc = BAL_OK;
    } else if (rc == BAL_OK) {
        e->print.usable = true;
        rc = print_media(&w->media[worker], &e->print, &why);
        if (rc == BAL_OK) write_line(&line, name, e, NULL);
    }
    if (rc < 0 && err) *err = why;
    pthread_mutex_lock(&w->lock);
    if (rc == BAL_OK && lasting) rc = bal_jsonl_add(&w->file, &line, err);
    pthread_mutex_unlock(&w->lock);
    bal_text_reset(&line);
    return rc;
}

/* Of the memory, if the file is still the one that was looked at; its sound changes hands. */
static bool recall(Work *w, const char *name, Entry *e) {
    int64_t i = bal_name_find(&w->memory->names, name, strlen(name));
    if (i < 0) return false;
    Entry *known = &w->memory->entry[i];
    if (known->of_bytes != e->of_bytes || known->of_mtime != e->of_mtime) return false;
    e->print = known->print;
    e->print.sound = NULL, e->print.n_sound = 0;
    return known->print.n_sound == 0 ||
           (bal_alloc(&e->print.sound, (size_t)known->print.n_sound, sizeof(uint32_t), NULL) == BAL_OK &&
            memcpy(e->print.sound, known->print.sound, (size_t)known->print.n_sound * sizeof(uint32_t)) &&
            (e->print.n_sound = known->print.n_sound));
}

const BalClip *bal_duplicates_clip(const BalManifest *m, const BalDuplicatesSpec *spec, int64_t i,
                                   const BalManifest **list) {
    *list = m;
    for (int k = 0; i >= (*list)->n; k++) i -= (*list)->n, *list = &spec->against[k];
    return &(*list)->clip[i];
}

static BalStatus print_one(void *user, int64_t i, int worker, BalError *err) {
    Work *w = user;
    const BalManifest *list;
    const BalClip *clip = bal_duplicates_clip(w->m, w->spec, i, &list);
    BalText path = {0}, name = {0};
    struct stat st;
    Entry e = {0};
    bal_path_join(&path, list->dir, clip->media);
    clip_name(&name, bal_text_str(&path), clip);
    BalStatus rc = bal_text_ok(&name, err);
    if (rc == BAL_OK) rc = bal_text_ok(&path, err);
    if (rc == BAL_OK && stat(path.data, &st) == 0 && S_ISREG(st.st_mode)) {
        e.of_bytes = st.st_size;
        e.of_mtime = (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec;
        bool known = recall(w, name.data, &e);
        if (!known) rc = make(w, path.data, name.data, clip, worker, &e, err);
        pthread_mutex_lock(&w->lock);
        w->out->resumed += known;
        pthread_mutex_unlock(&w->lock);
    }
    w->out->at[i] = e.print;
    bal_text_reset(&path);
    bal_text_reset(&name);
    return rc;
}

static BalStatus printed(void *user, int64_t i, int worker, BalError *err) {
    Work *w = user;
    (void)worker;
    w->out->unusable += i < w->m->n && !w->out->at[i].usable;
    BalProgress p = {"fingerprints", i + 1, w->out->n, "clips", NULL};
    if (!w->progress.fn || w->progress.fn(w->progress.user, &p)) return BAL_OK;
    return BAL_FAIL(err, BAL_E_CANCELLED, "stopped after %lld of %lld fingerprints; the same call continues",
                    (long long)p.done, (long long)p.total);
}

/* ---- all ---- */

static const char code[] =
#include "curate/clips_code.inc"
    ;

static BalStatus open_file(Work *w, const char *dir, BalError *err) {
    BalText path = {0}, settings = {0};
    char hash[65];
    bal_path_join(&path, dir, "fingerprints.jsonl");
    bal_text_f(&settings, JOURNAL " %s %s %s", code, bal_media_version(), bal_sound_print_version());
    BalStatus rc = bal_text_ok(&path, err);
    if (rc == BAL_OK) rc = bal_text_ok(&settings, err);
    if (rc == BAL_OK) {
        bal_sha256_text(settings.data, settings.len, hash);
        rc = bal_jsonl_open(&w->file, path.data, JOURNAL, hash, bal_print_memory_line, w->memory, err);
    }
    bal_text_reset(&path);
    bal_text_reset(&settings);
    return rc;
}

BalStatus bal_prints_make(BalPrints *out, const BalManifest *m, const BalDuplicatesSpec *spec, const char *dir,
                          BalProgressSink progress, BalError *err) {
    BalPrints prints = {.n = m->n};
    Work w = {.m = m, .spec = spec, .progress = progress, .file = BAL_APPEND_CLOSED, .out = &prints};
    BalStatus rc;
    for (int k = 0; k < spec->n_against; k++) prints.n_others += spec->against[k].n;
    prints.n += prints.n_others;
    pthread_mutex_init(&w.lock, NULL);
    BAL_TRY_OR(fail, bal_alloc(&prints.at, (size_t)prints.n, sizeof *prints.at, err));
    BAL_TRY_OR(fail, bal_alloc(&w.media, (size_t)spec->workers, sizeof *w.media, err));
    BAL_TRY_OR(fail, bal_print_memory_open(&w.memory, err));
    BAL_TRY_OR(fail, open_file(&w, dir, err));
    BAL_TRY_OR(fail, bal_parallel(spec->workers, prints.n, 8 * (int64_t)spec->workers, print_one, printed, &w, err));
    BAL_TRY_OR(fail, bal_append_sync(&w.file, err));
fail:
    for (int i = 0; w.media && i < spec->workers; i++) bal_clip_media_reset(&w.media[i]);
    bal_free(w.media);
    bal_append_close(&w.file);
    bal_print_memory_close(&w.memory);
    pthread_mutex_destroy(&w.lock);
    if (rc < 0)
        bal_prints_reset(&prints);
    else
        *out = prints;
    return rc;
}

void bal_prints_reset(BalPrints *p) {
    for (int64_t i = 0; p->at && i < p->n; i++) bal_free(p->at[i].sound);
    bal_free(p->at);
    *p = (BalPrints){0};
}
