/* Inputs of `clip`. Everything that stands in a list, an argument or a folder becomes a wish; whether it can be granted is for later,
 * so that each can be answered with a clip or a reason. */
#include "curate/clip_list.h"
#include <math.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>
#include "base/file.h"
#include "base/mem.h"
#include "dataset/manifest.h"

void bal_clip_list_reset(BalClipList *l) {
    bal_free(l->wish);
    bal_strings_free(&l->strings);
    *l = (BalClipList){0};
}

static BalStatus keep(BalClipList *l, const char *text, const char **out, BalError *err) {
    return bal_string_keep(&l->strings, text, strlen(text), out, err);
}

/* Add a copy of w, whose texts may be anybody's. */
static BalStatus add(BalClipList *l, const BalClipWish *w, BalError *err) {
    BAL_TRY(bal_grow(&l->wish, &l->cap, (size_t)l->n + 1, sizeof *l->wish, err));
    BalClipWish own = *w;
    BAL_TRY(keep(l, w->id, &own.id, err));
    BAL_TRY(keep(l, w->path, &own.path, err));
    BAL_TRY(keep(l, w->youtube, &own.youtube, err));
    BAL_TRY(keep(l, w->label, &own.label, err));
    BAL_TRY(keep(l, w->source, &own.source, err));
    l->wish[l->n++] = own;
    return BAL_OK;
}

/* ---- files and folders ---- */

/* A file that is called after its YouTube id has that id, any other one is known by its content. */
static BalStatus add_file(BalClipList *l, const char *path, BalError *err) {
    char id[12] = "";
    BalField stem = bal_stem(bal_field(path));
    if (stem.n == 11 && bal_youtube_prefix(stem) == 11) memcpy(id, stem.s, 11);
    BalClipWish w = {.id = id, .path = path, .youtube = "", .label = "", .source = id, .split = BAL_SPLIT_NONE};
    return add(l, &w, err);
}

static BalStatus add_manifest(BalClipList *l, const char *path, const BalClipsSpec *spec, BalError *err);

/* Videos that lie in the folder itself; where none does, one folder per label. */
static BalStatus add_folder(BalClipList *l, const char *dir, const BalClipsSpec *spec, BalError *err) {
    BalText path = {0};
    char **names = NULL;
    int n = 0;
    int64_t before = l->n;
    BalStatus rc;
    BAL_TRY_OR(fail, bal_list_dir(dir, &names, &n, err));
    for (int i = 0; i < n; i++) {
        if (!bal_has_media_extension(bal_field(names[i]))) continue;
        bal_text_clear(&path);
        bal_path_join(&path, dir, names[i]);
        BAL_TRY_OR(fail, bal_text_ok(&path, err));
        if (!bal_is_dir(path.data)) BAL_TRY_OR(fail, add_file(l, path.data, err));
    }
    if (l->n == before) rc = add_manifest(l, dir, spec, err);
fail:
    bal_names_free(names, n);
    bal_text_reset(&path);
    return rc;
}

/* ---- lists ---- */

static bool file_is_there(const char *path) {
    return access(path, F_OK) == 0 && !bal_is_dir(path);
}

/* The stretch that a row wants. Times in its columns, or in an id whose whole video lies there, are times of the file. Where the id
 * tells times and a file has just its name, that file is the stretch; where there is none, it can be fetched. */
static void find_span(BalClipWish *w, const BalClip *c, double usual_s, bool there) {
    double start_s = c->start_s, duration_s = c->duration_s;
    BalField id = bal_field(c->id);
    bool told = isnan(start_s) && isnan(duration_s) && bal_clip_time(id, &start_s, &duration_s);
    if (told && there && bal_stem(bal_field(c->media)).n != 11) start_s = 0;
    if (isnan(start_s) && isnan(duration_s)) return;
    if (isnan(start_s)) start_s = 0;
    if (isnan(duration_s)) duration_s = usual_s;
    w->span.start_ms = llround(fmin(start_s, 1e9) * 1000);
    w->span.end_ms = w->span.start_ms + (int64_t)fmax(1, round(fmin(duration_s, 1e6) * 1000));
}

static BalStatus add_clip(BalClipList *l, const BalManifest *m, const BalClip *c, const BalClipsSpec *spec,
                          BalText *path, BalError *err) {
    char youtube[12] = "";
    const char *source = c->source;
    BalField stem = bal_stem(bal_field(c->media));
    bal_text_clear(path);
    bal_path_join(path, m->dir, c->media);
    BAL_TRY(bal_text_ok(path, err));
    bool there = file_is_there(path->data);
    BalClipWish w = {.id = c->id, .label = c->label < 0 ? "" : m->classes[c->label], .split = c->split};
    find_span(&w, c, spec->rule.clip_s, there);
    /* Clips of one video are of one source, also where only the video's name says so. */
    if (!*source && w.span.end_ms) BAL_TRY(bal_string_keep(&l->strings, stem.s, stem.n, &source, err));
    if (!*source) source = c->id;
    if (bal_youtube_prefix(bal_field(source)) == 11) memcpy(youtube, source, 11);
    w.path = !there && *youtube && spec->download.command ? "" : path->data;
    w.youtube = youtube, w.source = source;
    return add(l, &w, err);
}

static BalStatus add_manifest(BalClipList *l, const char *path, const BalClipsSpec *spec, BalError *err) {
    BalManifest m = {0};
    BalText text = {0};
    BAL_TRY(bal_manifest_load(&m, path, &spec->lists, err));
    BalStatus rc = BAL_OK;
    for (int64_t i = 0; i < m.n && rc == BAL_OK; i++) rc = add_clip(l, &m, &m.clip[i], spec, &text, err);
    bal_text_reset(&text);
    bal_manifest_reset(&m);
    return rc;
}

static bool is_list(const char *path) {
    static const char *const extension[] = {".csv", ".tsv", ".txt", ".json"};
    size_t n = strlen(path);
    for (int i = 0; i < 4; i++) {
        size_t k = strlen(extension[i]);
        if (n > k && strcasecmp(path + n - k, extension[i]) == 0) return true;
    }
    return false;
}

/* Wishes of one file, or of one YouTube id that is to be fetched, belong together. */
static BalStatus number_videos(BalClipList *l, BalError *err) {
    BalNameSet names = {0};
    BalStatus rc = BAL_OK;
    for (int64_t i = 0; i < l->n && rc == BAL_OK; i++) {
        const char *key = *l->wish[i].path ? l->wish[i].path : l->wish[i].youtube;
        bool added;
        rc = bal_name_add(&names, &l->strings, key, strlen(key), &l->wish[i].video, &added, err);
    }
    l->n_videos = names.n;
    bal_name_set_reset(&names);
    return rc;
}

/* Id VIDEO_SECOND is what a clip of a planned video gets: such a row and the video's own plan may meet. */
static size_t planned_prefix(const char *id) {
    const char *line = strrchr(id, '_');
    bool number = line && bal_all_digits(bal_field(line + 1)) && (line[1] != '0' || !line[2]);
    return number ? (size_t)(line - id) : 0;
}

static BalStatus find_repeated(BalClipList *l, BalError *err) {
    BalNameSet ids = {0};
    BalText key = {0};
    int64_t *first = NULL, number;
    bool added;
    BalStatus rc = bal_alloc(&first, (size_t)l->n, sizeof *first, err);
    for (int pass = 0; pass < 2; pass++) /* whole videos first: rows give way to them */
        for (int64_t i = 0; rc == BAL_OK && i < l->n; i++) {
            BalClipWish *w = &l->wish[i];
            bool whole = w->span.end_ms == 0;
            if (pass == 0) w->same_as = -1;
            if (whole == (pass == 1)) continue;
            bal_text_clear(&key);
            bal_text_f(&key, "%c%s", !*w->id ? 'p' : whole ? 'v' : 'c', *w->id ? w->id : w->path);
            rc = bal_text_ok(&key, err);
            if (rc < 0) break;
            rc = bal_name_add(&ids, &l->strings, key.data, key.len, &number, &added, err);
            if (rc < 0) break;
            if (added)
                first[number] = i;
            else
                w->same_as = first[number];
            key.data[0] = 'v';
            size_t n = whole ? 0 : planned_prefix(w->id);
            int64_t video = n ? bal_name_find(&ids, key.data, n + 1) : -1;
            if (video >= 0) w->same_as = first[video];
        }
    bal_name_set_reset(&ids);
    bal_text_reset(&key);
    bal_free(first);
    return rc;
}

BalStatus bal_clip_list_read(BalClipList *out, const char *const *input, int n, const BalClipsSpec *spec,
                             BalError *err) {
    BalClipList l = {0};
    BalStatus rc = BAL_OK;
    for (int i = 0; i < n && rc == BAL_OK; i++)
        rc = bal_is_dir(input[i]) ? add_folder(&l, input[i], spec, err)
             : is_list(input[i])  ? add_manifest(&l, input[i], spec, err)
                                  : add_file(&l, input[i], err);
    if (rc == BAL_OK && l.n == 0) rc = BAL_FAIL(err, BAL_E_ARG, "no video is named: there is nothing to cut");
    if (rc == BAL_OK) rc = number_videos(&l, err);
    if (rc == BAL_OK) rc = find_repeated(&l, err);
    if (rc < 0)
        bal_clip_list_reset(&l);
    else
        *out = l;
    return rc;
}
