/* Which file belongs to a clip: as written, by the user's pattern, or the one named like the clip (id.mp4, id.mkv, ...).
 *
 * Where the clip's own file is not there but its whole source video is ({yt}.mp4 for {yt}_000030_000040), the clip is a stretch of
 * that one, if its id tells the time. Folders are listed once, not asked once per clip. */
#include "dataset/manifest.h"
#include <assert.h>
#include <math.h>
#include <string.h>
#include <unistd.h>
#include "base/file.h"
#include "base/mem.h"

typedef struct Listing { /* media files by stem */
    BalNameSet stems;
    const char **file; /* [stems] path relative to the folder */
    size_t cap;
} Listing;

/* Files of dir/sub into the listing; with folders one level deeper if `deep`. */
static BalStatus list(Listing *l, BalManifest *m, const char *sub, bool deep, BalError *err) {
    BalText path = {0}, file = {0};
    char **names = NULL;
    int n = 0;
    BalStatus rc = BAL_OK;
    bal_path_join(&path, m->dir, sub);
    BAL_TRY_OR(fail, bal_text_ok(&path, err));
    BAL_TRY_OR(fail, bal_list_dir(path.data, &names, &n, err));
    for (int i = 0; i < n; i++) {
        bal_text_clear(&file);
        bal_path_join(&file, sub, names[i]);
        BAL_TRY_OR(fail, bal_text_ok(&file, err));
        BalField name = {file.data, file.len, false}, stem = bal_stem(name);
        if (bal_has_media_extension(name)) {
            int64_t number;
            bool added;
            BAL_TRY_OR(fail, bal_name_add(&l->stems, &m->strings, stem.s, stem.n, &number, &added, err));
            if (!added) continue;
            BAL_TRY_OR(fail, bal_grow(&l->file, &l->cap, (size_t)l->stems.n, sizeof *l->file, err));
            BAL_TRY_OR(fail, bal_string_keep(&m->strings, file.data, file.len, &l->file[number], err));
        } else if (deep) {
            bal_text_clear(&path);
            bal_path_join(&path, m->dir, file.data);
            BAL_TRY_OR(fail, bal_text_ok(&path, err));
            if (bal_is_dir(path.data)) BAL_TRY_OR(fail, list(l, m, file.data, false, err));
        }
    }
fail:
    bal_names_free(names, n);
    bal_text_reset(&path);
    bal_text_reset(&file);
    return rc;
}

static const char *listed(const Listing *l, BalField stem) {
    int64_t i = stem.n ? bal_name_find(&l->stems, stem.s, stem.n) : -1;
    assert(i < 0 || l->file);
    return i < 0 ? NULL : l->file[i];
}

/* "{label}/{id}.mp4" for one clip */
static BalStatus expand(BalText *out, const char *pattern, const BalManifest *m, const BalClip *c, BalError *err) {
    const struct {
        const char *key, *value;
    } word[] = {{"{id}", c->id},
                {"{label}", c->label < 0 ? "" : m->classes[c->label]},
                {"{source}", *c->source ? c->source : c->id},
                {"{split}", bal_split_name(c->split)}};
    bal_text_clear(out);
    while (*pattern) {
        size_t k = 0, n_words = sizeof word / sizeof *word;
        while (k < n_words && !bal_has_prefix(pattern, word[k].key)) k++;
        if (k == n_words && *pattern == '{')
            return BAL_FAIL(err, BAL_E_ARG, "media pattern: '%s' is none of {id}, {label}, {source}, {split}", pattern);
        if (k < n_words)
            bal_text_add(out, word[k].value);
        else
            bal_text_char(out, *pattern);
        pattern += k < n_words ? strlen(word[k].key) : 1;
    }
    return bal_text_ok(out, err);
}

/* A file for a clip whose row names none that could be one */
static BalStatus search(const Listing *l, BalManifest *m, BalClip *c, BalText *text, BalError *err) {
    BalField id = bal_field(c->id), written = bal_stem(bal_field(c->media)),
             video = {id.s, bal_youtube_prefix(id), false};
    const char *file = listed(l, written.n ? written : id);
    double start_s, duration_s;
    if (!file) file = listed(l, id);
    if (!file && isnan(c->start_s) && bal_clip_time(id, &start_s, &duration_s) && (file = listed(l, video))) {
        c->start_s = start_s;
        c->duration_s = duration_s;
    }
    if (file) {
        c->media = file;
        return BAL_OK;
    }
    bal_text_clear(text); /* nothing there: name what was looked for */
    bal_text_f(text, "%s.mp4", *c->media ? c->media : c->id);
    BAL_TRY(bal_text_ok(text, err));
    return bal_string_keep(&m->strings, text->data, text->len, &c->media, err);
}

static BalStatus count_missing(BalBuild *b, BalText *text, BalError *err) {
    BalManifest *m = b->m;
    for (int64_t i = 0; i < m->n; i++) {
        bal_text_clear(text);
        bal_path_join(text, m->dir, m->clip[i].media);
        BAL_TRY(bal_text_ok(text, err));
        if (access(text->data, F_OK) == 0) continue;
        if (m->n_missing++ == 0) bal_text_f(&b->note, "media missing, first: %s\n", text->data);
    }
    if (m->n_missing)
        bal_text_f(&b->note, "%lld of %lld media files are not there: is the media folder right (--media-dir)?\n",
                   (long long)m->n_missing, (long long)m->n);
    return BAL_OK;
}

BalStatus bal_build_media(BalBuild *b, BalError *err) {
    BalManifest *m = b->m;
    Listing l = {0};
    BalText text = {0};
    BalStatus rc = BAL_OK;
    bool listed_once = false;
    for (int64_t i = 0; i < m->n; i++) {
        BalClip *c = &m->clip[i];
        if (b->spec->media_pattern) {
            BAL_TRY_OR(fail, expand(&text, b->spec->media_pattern, m, c, err));
            BAL_TRY_OR(fail, bal_string_keep(&m->strings, text.data, text.len, &c->media, err));
        } else if (!bal_has_media_extension(bal_field(c->media))) {
            bal_text_clear(&text);
            bal_path_join(&text, m->dir, c->media);
            BAL_TRY_OR(fail, bal_text_ok(&text, err));
            if (*c->media && access(text.data, F_OK) == 0 && !bal_is_dir(text.data))
                continue; /* an unusual name, but it is there */
            if (!listed_once) BAL_TRY_OR(fail, list(&l, m, "", b->spec->media_dir != NULL, err));
            listed_once = true;
            BAL_TRY_OR(fail, search(&l, m, c, &text, err));
        }
    }
    BAL_TRY_OR(fail, count_missing(b, &text, err));
fail:
    bal_text_reset(&text);
    bal_name_set_reset(&l.stems);
    bal_free(l.file);
    return rc;
}
