/* The builder: rows in, a checked manifest out. */
#include "dataset/manifest.h"
#include <assert.h>
#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"

/* ---- strings and sets of them ---- */

typedef struct Chunk {
    struct Chunk *next;
    size_t used, size;
    char text[];
} Chunk;
struct BalManifestStrings {
    Chunk *first;
};

BalStatus bal_string_keep(BalManifestStrings **all, const char *s, size_t n, const char **out, BalError *err) {
    enum { USUAL = 1 << 16 };
    if (!*all) BAL_TRY(bal_alloc(all, 1, sizeof **all, err));
    Chunk *c = (*all)->first;
    if (!c || c->size - c->used < n + 1) {
        size_t size = n + 1 > USUAL ? n + 1 : USUAL;
        BAL_TRY(bal_alloc(&c, 1, sizeof *c + size, err));
        c->size = size;
        c->next = (*all)->first;
        (*all)->first = c;
    }
    char *to = c->text + c->used;
    if (n) memcpy(to, s, n);
    to[n] = '\0';
    c->used += n + 1;
    *out = to;
    return BAL_OK;
}

void bal_strings_free(BalManifestStrings **all) {
    if (!*all) return;
    for (Chunk *c = (*all)->first, *next; c; c = next) {
        next = c->next;
        bal_free(c);
    }
    bal_free(*all);
    *all = NULL;
}

static uint64_t fnv1a(const char *s, size_t n) {
    uint64_t h = 14695981039346656037U;
    for (size_t i = 0; i < n; i++) h = (h ^ (unsigned char)s[i]) * 1099511628211U;
    return h ^ h >> 32;
}

/* Slot that holds s or the empty one where it belongs */
static int64_t slot_of(const BalNameSet *set, const char *s, size_t n) {
    int64_t i = (int64_t)(fnv1a(s, n) & (uint64_t)(set->n_slots - 1));
    for (; set->slot[i]; i = (i + 1) & (set->n_slots - 1)) {
        assert(set->name);
        const char *have = set->name[set->slot[i] - 1];
        if (strncmp(have, s, n) == 0 && have[n] == '\0') break;
    }
    return i;
}

int64_t bal_name_find(const BalNameSet *set, const char *s, size_t n) {
    return set->n_slots ? set->slot[slot_of(set, s, n)] - 1 : -1;
}

BalStatus bal_name_add(BalNameSet *set, BalManifestStrings **all, const char *s, size_t n, int64_t *number, bool *added,
                       BalError *err) {
    if (2 * (set->n + 1) > set->n_slots) {
        int64_t more = set->n_slots ? 2 * set->n_slots : 64, *slot = NULL;
        BAL_TRY(bal_alloc(&slot, (size_t)more, sizeof *slot, err));
        bal_free(set->slot);
        set->slot = slot;
        set->n_slots = more;
        for (int64_t i = 0; i < set->n; i++) slot[slot_of(set, set->name[i], strlen(set->name[i]))] = i + 1;
    }
    int64_t at = slot_of(set, s, n);
    *added = set->slot[at] == 0;
    if (*added) {
        BAL_TRY(bal_grow(&set->name, &set->cap, (size_t)set->n + 1, sizeof *set->name, err));
        BAL_TRY(bal_string_keep(all, s, n, &set->name[set->n], err));
        set->slot[at] = ++set->n;
    }
    *number = set->slot[at] - 1;
    return BAL_OK;
}

void bal_name_set_reset(BalNameSet *set) {
    bal_free(set->name);
    bal_free(set->slot);
    *set = (BalNameSet){0};
}

/* ---- one row ---- */

BalRow bal_row(int64_t line) {
    return (BalRow){.start_s = NAN, .duration_s = NAN, .line = line};
}

static const char *const split_words[BAL_SPLIT_COUNT][6] = {
    [BAL_SPLIT_TRAIN] = {"train", "training", "trn"},
    [BAL_SPLIT_VAL] = {"val", "validation", "valid", "validate", "dev"},
    [BAL_SPLIT_TEST] = {"test", "testing", "tst"},
};

BalSplit bal_split_named(const char *s, size_t n) {
    for (int k = 0; k < BAL_SPLIT_COUNT; k++)
        for (int i = 0; i < 6 && split_words[k][i]; i++)
            if (strlen(split_words[k][i]) == n && strncasecmp(s, split_words[k][i], n) == 0) return (BalSplit)k;
    return BAL_SPLIT_NONE;
}

static BalField trimmed(BalField f) {
    while (f.n && (f.s[0] == ' ' || f.s[0] == '\t')) f.s++, f.n--;
    while (f.n && (f.s[f.n - 1] == ' ' || f.s[f.n - 1] == '\t')) f.n--;
    return f;
}

static BalStatus check_text(const BalBuild *b, const char *what, BalField f, int64_t line, BalError *err) {
    bool bad = f.n > 1000;
    assert(f.s || !f.n);
    for (size_t i = 0; i < f.n && !bad; i++) bad = (unsigned char)f.s[i] < ' ' || f.s[i] == 127;
    return bad ? BAL_FAIL(err, BAL_E_FORMAT,
                          "%s: line %lld: the %s holds a control character or is longer than 1000 bytes", b->path,
                          (long long)line, what)
               : BAL_OK;
}

static BalStatus repeated(const BalBuild *b, int64_t clip, const BalRow *row, int64_t label, BalError *err) {
    const BalClip *first = &b->m->clip[clip];
    int file = b->n_files - 1;
    while (file > 0 && clip < b->file_first[file]) file--;
    const char *other = row->label.s && first->label != label ? ", with different labels" : "";
    return BAL_FAIL(err, BAL_E_FORMAT,
                    "%s: line %lld: id '%s' stands already in %s%sline %lld%s: keep one of the rows, or give the clips "
                    "different ids",
                    b->path, (long long)row->line, first->id, file == b->n_files - 1 ? "" : b->file_path[file],
                    file == b->n_files - 1 ? "" : " ", (long long)first->line, other);
}

static BalStatus add_label(BalBuild *b, const BalRow *row, int64_t *label, BalError *err) {
    BalField f = trimmed(row->label);
    *label = -1;
    if (f.n == 0) return BAL_OK;
    bool added;
    BAL_TRY(check_text(b, "label", f, row->line, err));
    BAL_TRY(bal_name_add(&b->labels, &b->m->strings, f.s, f.n, label, &added, err));
    if (!added) return BAL_OK;
    BAL_TRY(bal_grow(&b->label_at, &b->label_at_cap, (size_t)b->labels.n, sizeof *b->label_at, err));
    b->label_at[*label] = (BalLineOf){b->path, row->line};
    return BAL_OK;
}

static BalStatus row_split(const BalBuild *b, const BalRow *row, BalSplit *split, BalError *err) {
    BalField f = trimmed(row->split);
    *split = f.n ? bal_split_named(f.s, f.n) : b->file_split;
    if (f.n && *split == BAL_SPLIT_NONE)
        return BAL_FAIL(err, BAL_E_FORMAT, "%s: line %lld: split '%.*s' is none of train, val, test", b->path,
                        (long long)row->line, (int)(f.n < 60 ? f.n : 60), f.s);
    return BAL_OK;
}

static BalStatus check_times(const BalBuild *b, const BalRow *row, BalError *err) {
    if (row->start_s < 0 || isinf(row->start_s) || row->duration_s <= 0 || isinf(row->duration_s))
        return BAL_FAIL(err, BAL_E_FORMAT,
                        "%s: line %lld: a clip from %g s on, %g s long: must be from 0 on, above 0 long", b->path,
                        (long long)row->line, row->start_s, row->duration_s);
    return BAL_OK;
}

BalStatus bal_build_add(BalBuild *b, const BalRow *row, BalError *err) {
    BalManifest *m = b->m;
    BalField id = trimmed(row->id.n ? row->id : bal_stem(row->media.s ? row->media : bal_field("")));
    BalField source = row->source.s ? trimmed(row->source) : bal_source_of(id);
    if (!row->source.s && row->media.s && !source.n) source = bal_source_of(bal_stem(row->media)); /* dog/YOUTUBE-ID */
    if (id.n == 0)
        return BAL_FAIL(err, BAL_E_FORMAT, "%s: line %lld: the row has no id", b->path, (long long)row->line);
    BAL_TRY(check_text(b, "id", id, row->line, err));
    BAL_TRY(check_text(b, "media path", row->media, row->line, err));
    BAL_TRY(check_text(b, "source", source, row->line, err));
    BAL_TRY(check_times(b, row, err));
    int64_t label, number;
    bool added;
    BalSplit split;
    BAL_TRY(row_split(b, row, &split, err));
    BAL_TRY(add_label(b, row, &label, err));
    BAL_TRY(bal_name_add(&b->ids, &m->strings, id.s, id.n, &number, &added, err));
    if (!added) {
        if (!b->dialect->several_labels || number < b->file_first[b->n_files - 1])
            return repeated(b, number, row, label, err);
        m->n_multi_label += m->clip[number].label != label;
        return BAL_OK;
    }
    BAL_TRY(bal_grow(&m->clip, &b->clip_cap, (size_t)m->n + 1, sizeof *m->clip, err));
    BalClip *c = &m->clip[m->n];
    *c = (BalClip){.id = b->ids.name[number],
                   .media = "",
                   .source = "",
                   .label = (int)label,
                   .split = split,
                   .start_s = row->start_s,
                   .duration_s = row->duration_s,
                   .line = row->line};
    if (row->media.n) BAL_TRY(bal_string_keep(&m->strings, row->media.s, row->media.n, &c->media, err));
    if (source.n) BAL_TRY(bal_string_keep(&m->strings, source.s, source.n, &c->source, err));
    m->n++;
    return BAL_OK;
}

/* ---- classes ---- */

BalStatus bal_build_class(BalBuild *b, const char *s, size_t n, BalError *err) {
    int64_t number;
    bool added;
    BAL_TRY(bal_name_add(&b->classes, &b->m->strings, s, n, &number, &added, err));
    return added ? BAL_OK : BAL_FAIL(err, BAL_E_FORMAT, "%s: class '%.*s' stands twice", b->path, (int)n, s);
}

static BalStatus classes_of_json(BalBuild *b, const char *path, BalError *err) {
    BalJson *root = NULL;
    BAL_TRY(bal_json_load(&root, path, err));
    const BalJson *list = bal_json_type(root) == BAL_JSON_ARRAY ? root : bal_json_get(root, "labels");
    BalStatus rc = BAL_OK;
    for (size_t i = 0; i < bal_json_size(list) && rc == BAL_OK; i++) {
        const char *name = bal_json_text(bal_json_at(list, i), "");
        rc = bal_build_class(b, name, strlen(name), err);
    }
    bal_json_free(&root);
    return rc;
}

/* Name of the class in one line of a class list: "name", "1 name", "name,count,group", "index,mid,name" */
static BalField class_in_line(BalField line) {
    BalField f[4];
    int n = bal_split_line(line, ',', f, 4);
    if (n == 3 && bal_all_digits(f[0])) return trimmed(f[2]);
    if (n == 3 && bal_all_digits(f[1])) return trimmed(f[0]);
    if (n == 1 && f[0].quoted) return f[0];
    const char *space = memchr(line.s, ' ', line.n);
    if (space && bal_all_digits((BalField){line.s, (size_t)(space - line.s), false}))
        return trimmed((BalField){space, line.n - (size_t)(space - line.s), false});
    return trimmed(line); /* commas in it belong to the name */
}

BalStatus bal_build_class_file(BalBuild *b, const char *path, BalError *err) {
    b->classes_path = path;
    if (bal_has_suffix(path, ".json")) return classes_of_json(b, path, err);
    BalMap map = {0};
    BAL_TRY(bal_map_open(&map, path, err));
    const char *s = (const char *)map.data, *end = s + map.size;
    if (map.size >= 3 && memcmp(s, "\xEF\xBB\xBF", 3) == 0) s += 3;
    BalStatus rc = BAL_OK;
    for (bool first = true; s < end && rc == BAL_OK; first = false) {
        const char *stop = s;
        while (stop < end && *stop != '\n' && *stop != '\r') stop++;
        BalField line = trimmed((BalField){s, (size_t)(stop - s), false});
        bool header = first && line.n >= 10 && strncmp(line.s, "index,mid,", 10) == 0;
        BalField name = class_in_line(line);
        if (name.n && !header) rc = bal_build_class(b, name.s, name.n, err);
        s = stop + 1;
    }
    if (rc == BAL_OK && b->classes.n == 0) rc = BAL_FAIL(err, BAL_E_FORMAT, "it holds no class");
    if (rc < 0) rc = bal_error_add(err, rc, "while reading the class list %s", path);
    bal_map_close(&map);
    return rc;
}

/* "lawn_mowing" and "lawn mowing" are one class; case counts. */
static void plain_spelling(BalText *out, const char *s) {
    bal_text_clear(out);
    for (; *s; s++) bal_text_char(out, *s == '_' ? ' ' : *s);
}

static bool all_integers(const BalNameSet *set) {
    for (int64_t i = 0; i < set->n; i++)
        if (!bal_all_digits(bal_field(set->name[i])) || strlen(set->name[i]) > 9) return false;
    return set->n > 0;
}

static int by_number(const void *a, const void *b) {
    long x = atol(*(const char *const *)a), y = atol(*(const char *const *)b);
    return (x > y) - (x < y);
}

static int by_bytes(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* No list: the labels themselves, sorted, the first spelling of each. */
static BalStatus classes_from_labels(BalBuild *b, BalError *err) {
    BalNameSet plain = {0};
    BalText text = {0};
    const char **sorted = NULL;
    int64_t n = 0, number;
    BalStatus rc = BAL_OK;
    BAL_TRY_OR(fail, bal_alloc(&sorted, (size_t)b->labels.n, sizeof *sorted, err));
    for (int64_t i = 0; i < b->labels.n; i++) {
        bool added;
        plain_spelling(&text, b->labels.name[i]);
        BAL_TRY_OR(fail, bal_text_ok(&text, err));
        BAL_TRY_OR(fail, bal_name_add(&plain, &b->m->strings, text.data, text.len, &number, &added, err));
        if (added) sorted[n++] = b->labels.name[i];
    }
    qsort(sorted, (size_t)n, sizeof *sorted, all_integers(&b->labels) ? by_number : by_bytes);
    for (int64_t i = 0; i < n; i++) BAL_TRY_OR(fail, bal_build_class(b, sorted[i], strlen(sorted[i]), err));
fail:
    bal_free(sorted);
    bal_text_reset(&text);
    bal_name_set_reset(&plain);
    return rc;
}

static BalStatus unknown_label(const BalBuild *b, int64_t label, BalError *err) {
    const char *name = b->labels.name[label];
    const char *close = bal_closest(name, b->classes.name, (int)b->classes.n);
    return BAL_FAIL(err, BAL_E_FORMAT, "%s: line %lld: label '%s' is none of the %lld classes%s%s%s%s%s%s",
                    b->label_at[label].path, (long long)b->label_at[label].line, name, (long long)b->classes.n,
                    b->classes_path ? " of " : "", b->classes_path ? b->classes_path : "",
                    close ? " (did you mean '" : "", close ? close : "", close ? "'?)" : "",
                    b->classes_path ? "" : ": give the class list with --classes FILE");
}

/* Labels that are numbers: 0- or 1-based where the dialect leaves it open; 1-based needs its last class and no 0. */
static BalStatus labels_by_index(const BalBuild *b, int64_t *class_of, BalError *err) {
    long base = b->dialect->index_base, least = 1, most = 0;
    for (int64_t i = 0; i < b->labels.n; i++) {
        long v = atol(b->labels.name[i]);
        least = v < least ? v : least;
        most = v > most ? v : most;
    }
    if (base < 0) base = least == 1 && most == b->classes.n;
    for (int64_t i = 0; i < b->labels.n; i++) {
        class_of[i] = atol(b->labels.name[i]) - base;
        if (class_of[i] < 0 || class_of[i] >= b->classes.n) return unknown_label(b, i, err);
    }
    return BAL_OK;
}

static BalStatus labels_by_name(BalBuild *b, int64_t *class_of, BalError *err) {
    BalNameSet plain = {0}; /* same numbers as b->classes unless two differ by '_' and ' ' only */
    BalText text = {0};
    BalStatus rc = BAL_OK;
    int64_t number;
    for (int64_t i = 0; i < b->classes.n; i++) {
        bool added;
        plain_spelling(&text, b->classes.name[i]);
        BAL_TRY_OR(fail, bal_text_ok(&text, err));
        BAL_TRY_OR(fail, bal_name_add(&plain, &b->m->strings, text.data, text.len, &number, &added, err));
        if (!added) {
            rc = BAL_FAIL(err, BAL_E_FORMAT, "%s: classes '%s' and '%s' differ only by '_' and ' '", b->path,
                          b->classes.name[number], b->classes.name[i]);
            goto fail;
        }
    }
    for (int64_t i = 0; i < b->labels.n; i++) {
        plain_spelling(&text, b->labels.name[i]);
        BAL_TRY_OR(fail, bal_text_ok(&text, err));
        class_of[i] = bal_name_find(&plain, text.data, text.len);
        if (class_of[i] < 0) {
            rc = unknown_label(b, i, err);
            goto fail;
        }
    }
fail:
    bal_text_reset(&text);
    bal_name_set_reset(&plain);
    return rc;
}

static bool are_indices(const BalBuild *b) {
    if (!all_integers(&b->labels)) return false;
    for (int64_t i = 0; i < b->labels.n; i++)
        if (bal_name_find(&b->classes, b->labels.name[i], strlen(b->labels.name[i])) < 0) return true;
    return false;
}

BalStatus bal_build_finish(BalBuild *b, BalError *err) {
    BalManifest *m = b->m;
    if (m->n == 0) return BAL_FAIL(err, BAL_E_FORMAT, "%s: it holds no clip", b->path);
    int64_t *class_of = NULL;
    BalStatus rc = BAL_OK;
    BAL_TRY_OR(fail, bal_alloc(&class_of, (size_t)b->labels.n, sizeof *class_of, err));
    if (b->classes.n == 0) BAL_TRY_OR(fail, classes_from_labels(b, err));
    BAL_TRY_OR(fail, are_indices(b) ? labels_by_index(b, class_of, err) : labels_by_name(b, class_of, err));
    for (int64_t i = 0; i < m->n; i++)
        if (m->clip[i].label >= 0) m->clip[i].label = (int)class_of[m->clip[i].label];
    m->n_classes = (int)b->classes.n;
    m->classes = b->classes.name; /* moves */
    b->classes.name = NULL;
    if (m->n_multi_label)
        bal_text_f(&b->note, "%lld rows gave a clip another label: the first one counts\n",
                   (long long)m->n_multi_label);
    BAL_TRY_OR(fail, bal_build_media(b, err));
    BAL_TRY_OR(fail, bal_text_ok(&b->note, err));
    while (b->note.len && b->note.data[b->note.len - 1] == '\n') b->note.len--;
    BAL_TRY_OR(fail, bal_string_keep(&m->strings, bal_text_str(&b->note), b->note.len, &m->note, err));
fail:
    bal_free(class_of);
    return rc;
}
