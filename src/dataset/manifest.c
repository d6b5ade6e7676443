/* Loading a manifest: look at the file, find its dialect, let it hand over rows, finish. */
#include "dataset/manifest.h"
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include "base/file.h"
#include "base/mem.h"
#include "dataset/groups.h"

const char *bal_split_name(BalSplit s) {
    static const char *const name[] = {"train", "val", "test"};
    return s >= 0 && s < BAL_SPLIT_COUNT ? name[s] : "";
}

BalManifestSpec bal_manifest_spec_default(void) {
    return (BalManifestSpec){.split = BAL_SPLIT_NONE};
}

void bal_manifest_reset(BalManifest *m) {
    bal_free(m->clip);
    bal_free(m->classes);
    bal_free(m->dir);
    bal_strings_free(&m->strings);
    *m = (BalManifest){0};
}

/* Does a file's name hold the word for split k? A word begins where no small letter stands before it: "latest" is no
 * test. */
static bool names_split(const char *name, BalSplit k) {
    for (const char *at = name; (at = strcasestr(at, bal_split_name(k))); at++) {
        if (at > name && islower((unsigned char)at[-1])) continue;
        if (k == BAL_SPLIT_VAL && islower((unsigned char)at[3]) && strncmp(at, "valid", 5) != 0) continue; /* "value" */
        return true;
    }
    return false;
}

/* The split a file's name tells ("my_train.csv", "trainlist01.txt", "AStest.csv"), if it tells just one. */
static BalSplit split_of_name(const char *path) {
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    BalSplit found = BAL_SPLIT_NONE;
    for (int k = 0; k < BAL_SPLIT_COUNT; k++) {
        if (!names_split(name, (BalSplit)k)) continue;
        if (found != BAL_SPLIT_NONE) return BAL_SPLIT_NONE;
        found = (BalSplit)k;
    }
    return found;
}

/* Length of the UTF-8 sequence at s, 0 if it is none. Overlong forms and surrogates are none. */
static int utf8_length(const unsigned char *s, size_t left) {
    int n = s[0] < 0x80 ? 1 : s[0] < 0xC2 ? 0 : s[0] < 0xE0 ? 2 : s[0] < 0xF0 ? 3 : s[0] < 0xF5 ? 4 : 0;
    if (n == 0 || (size_t)n > left) return 0;
    for (int i = 1; i < n; i++)
        if ((s[i] & 0xC0) != 0x80) return 0;
    if (n == 3 && ((s[0] == 0xE0 && s[1] < 0xA0) || (s[0] == 0xED && s[1] >= 0xA0))) return 0;
    if (n == 4 && ((s[0] == 0xF0 && s[1] < 0x90) || (s[0] == 0xF4 && s[1] >= 0x90))) return 0;
    return n;
}

static BalStatus check_utf8(const BalSniff *s, BalError *err) {
    const unsigned char *p = (const unsigned char *)s->text, *end = p + s->size;
    if (s->size >= 2 && ((p[0] == 0xFF && p[1] == 0xFE) || (p[0] == 0xFE && p[1] == 0xFF)))
        return BAL_FAIL(err, BAL_E_FORMAT, "%s: the text is UTF-16: save it as UTF-8", s->path);
    int64_t line = 1;
    for (int n; p < end; p += n) {
        line += *p == '\n' || (*p == '\r' && (p + 1 == end || p[1] != '\n'));
        if ((n = utf8_length(p, (size_t)(end - p))) == 0)
            return BAL_FAIL(err, BAL_E_FORMAT, "%s: line %lld: byte 0x%02x is not UTF-8 text: save the file as UTF-8",
                            s->path, (long long)line, *p);
    }
    return BAL_OK;
}

static BalStatus sniff(BalSniff *s, BalMap *map, const char *path, BalError *err) {
    *s = (BalSniff){.path = path, .is_dir = bal_is_dir(path), .text = ""};
    s->line[0] = s->line[1] = bal_field("");
    if (s->is_dir) return BAL_OK;
    BAL_TRY(bal_map_open(map, path, err));
    if (map->size) s->text = (const char *)map->data;
    s->size = map->size;
    if (s->size >= 3 && memcmp(s->text, "\xEF\xBB\xBF", 3) == 0) s->text += 3, s->size -= 3;
    BAL_TRY(check_utf8(s, err));
    const char *p = s->text, *end = s->text + s->size;
    for (int i = 0; i < 2 && p < end; p++) {
        const char *start = p;
        while (p < end && *p != '\n' && *p != '\r') p++;
        if (p > start) s->line[i++] = (BalField){start, (size_t)(p - start), false};
    }
    return s->line[0].n ? BAL_OK : BAL_FAIL(err, BAL_E_FORMAT, "%s: the file is empty", path);
}

static BalStatus read_file(BalBuild *b, const char *path, BalError *err) {
    BalSniff s;
    BalMap map = {0};
    BalStatus rc = BAL_OK;
    b->path = b->file_path[b->n_files] = path;
    b->file_first[b->n_files++] = b->m->n;
    b->file_split = b->spec->split != BAL_SPLIT_NONE ? b->spec->split : split_of_name(path);
    if (b->file_split == BAL_SPLIT_NONE) b->file_split = BAL_SPLIT_TRAIN;
    BAL_TRY_OR(fail, sniff(&s, &map, path, err));
    BAL_TRY_OR(fail, bal_dialect_find(&b->dialect, &s, b->spec->dialect, err));
    if (b->n_files == 1) {
        snprintf(b->m->dialect, sizeof b->m->dialect, "%s", b->dialect->name);
        if (b->spec->classes) BAL_TRY_OR(fail, bal_build_class_file(b, b->spec->classes, err));
    }
    BAL_TRY_OR(fail, b->dialect->read(b, &s, err));
fail:
    bal_map_close(&map);
    return rc;
}

/* Folder of a file ("." for a bare name); of a folder, itself */
static BalStatus folder_of(char **out, const char *path, BalError *err) {
    BAL_TRY(bal_strdup(out, path, err));
    if (bal_is_dir(path)) return BAL_OK;
    char *slash = strrchr(*out, '/');
    if (slash == *out) slash++;
    if (slash)
        *slash = '\0';
    else if (*path)
        memcpy(*out, ".", 2); /* a bare name has room for it */
    return BAL_OK;
}

static BalStatus choose_dir(BalBuild *b, const char *const *path, int n, BalError *err) {
    const char *given = b->spec->media_dir;
    if (given)
        return bal_is_dir(given) ? bal_strdup(&b->m->dir, given, err)
                                 : BAL_FAIL(err, BAL_E_IO, "the media folder %s is not there", given);
    BAL_TRY(folder_of(&b->m->dir, path[0], err));
    for (int i = 1; i < n; i++) {
        char *other = NULL;
        BAL_TRY(folder_of(&other, path[i], err));
        bool same = strcmp(other, b->m->dir) == 0;
        bal_free(other);
        if (!same)
            return BAL_FAIL(err, BAL_E_ARG, "%s and %s lie in different folders: say where the media are (--media-dir)",
                            path[0], path[i]);
    }
    return BAL_OK;
}

BalStatus bal_manifest_load_all(BalManifest *out, const char *const *path, int n, const BalManifestSpec *spec,
                                BalError *err) {
    const BalManifestSpec usual = bal_manifest_spec_default();
    BalManifest m = {.note = ""};
    BalBuild b = {.m = &m, .spec = spec ? spec : &usual, .path = ""};
    BalStatus rc = BAL_OK;
    int most = (int)(sizeof b.file_path / sizeof *b.file_path);
    if (n < 1 || n > most) return BAL_FAIL(err, BAL_E_ARG, "%d manifests: must be 1..%d", n, most);
    BAL_TRY_OR(fail, choose_dir(&b, path, n, err));
    for (int i = 0; i < n; i++) BAL_TRY_OR(fail, read_file(&b, path[i], err));
    BAL_TRY_OR(fail, bal_build_finish(&b, err));
fail:
    bal_name_set_reset(&b.ids);
    bal_name_set_reset(&b.labels);
    bal_name_set_reset(&b.classes);
    bal_free(b.label_at);
    bal_text_reset(&b.note);
    if (rc < 0)
        bal_manifest_reset(&m);
    else
        *out = m;
    return rc;
}

BalStatus bal_manifest_load(BalManifest *out, const char *path, const BalManifestSpec *spec, BalError *err) {
    return bal_manifest_load_all(out, &path, 1, spec, err);
}

BalStatus bal_manifest_hold_out(BalManifest *m, double share, uint64_t seed, BalError *err) {
    BalSplit *split = NULL;
    BAL_TRY(bal_alloc(&split, (size_t)m->n, sizeof *split, err));
    for (int64_t i = 0; i < m->n; i++) split[i] = m->clip[i].split;
    BalStatus rc = bal_groups_hold_out(m->clip, m->n, share, seed, split, err);
    if (rc == BAL_OK)
        for (int64_t i = 0; i < m->n; i++) m->clip[i].split = split[i];
    bal_free(split);
    return rc;
}
