/* Subset lists: the ids of a table of any size, sorted, in one file per split and subset.
 *
 * A distribution sort of the ids themselves, so that no step jumps through memory:
 *
 *   sample      some thousand ids, spread over the file, sorted: every eighth one borders a bucket of about 1 MiB of rows
 *   scan        each chunk notes its rows as entries (cell, split, length, id) and deals them out by bucket (counting sort)
 *   buckets     each bucket gathers its entries from all chunks, sorts them and makes the text of every list
 *   write       the texts are appended to the lists in the order of the buckets
 *
 * Equal ids become neighbours in the third step, so the scan needs no hashes to find a doubled id; where there is one, the file is read
 * again for the message. A cell is one of the 2 T + 3 intervals that 0 and the thresholds cut d into: every list is a union of cells. Memory is what the
 * entries take; lists of several buckets are in flight. The outcome depends on neither threads nor chunks. */
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "analysis/scores_file.h"
#include "analysis/id_sort.h"
#include "analysis/split.h"
#include "analysis/statistics.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/thread.h"

#define MARKER             "split.json"
#define MAX_BUCKETS        4096
#define SAMPLES_PER_BUCKET 8
#define AHEAD              8
#define MAX_CELLS          (2 * BAL_SPLIT_MAX_THRESHOLDS + 3)
#define MAX_LISTS          (BAL_SPLIT_MAX_SPLITS * (2 + 2 * BAL_SPLIT_MAX_THRESHOLDS))

typedef struct Part { /* a chunk's entries, by bucket; in an arena */
    char *entries;
    uint32_t *bucket_at; /* [n_buckets + 1] bytes */
} Part;

typedef struct Scratch { /* a worker's */
    char *entries;       /* of the chunk in work, in file order */
    uint16_t *bucket;    /* of each */
    uint32_t *bytes;     /* [n_buckets] of the entries of each */
    size_t cap, used, bucket_cap, n;
    BalText split_name; /* what the last row's field said, and which split that is */
    int last_split;
    int64_t count[BAL_SPLIT_MAX_SPLITS][MAX_CELLS];
    BalArena arena;
    BalIdSort sort;
} Scratch;

typedef struct Output { /* what one bucket adds to the lists */
    char *text;
    size_t cap, at[MAX_LISTS], n[MAX_LISTS];
} Output;

typedef struct Split {
    BalSplitResult *out;
    BalScoresFile *f;
    int n_cells;
    BalIdBorders borders;
    pthread_mutex_t lock; /* of split names */
    Part *part;           /* [chunks] */
    Scratch *scratch;     /* [workers] */
    Output *output;       /* [AHEAD] of the buckets in flight */
    BalWriter **list;     /* [n_lists] split-major: audio-preferred, visual-preferred, then two per threshold */
    int n_lists;
    const char *dir;
    BalText marker; /* DIR/split.json */
    BalWriter *marker_file;
    bool placing;        /* lists come into place */
    atomic_bool doubled; /* two ids are equal */
} Split;

/* ---- entries: those of id_sort.h with the tag split * 256 + cell ---- */

static size_t entry_size(const char *e) {
    return BAL_ID_HEAD + (size_t)bal_id_length(e);
}

/* memcpy for lengths that are small and alike: a call per id would cost more than its bytes. */
static void copy_short(char *to, const char *from, size_t n) {
    if (n > 32) {
        memcpy(to, from, n);
    } else if (n >= 16) {
        memcpy(to, from, 16);
        memcpy(to + n - 16, from + n - 16, 16);
    } else if (n >= 8) {
        memcpy(to, from, 8);
        memcpy(to + n - 8, from + n - 8, 8);
    } else {
        for (size_t i = 0; i < n; i++) to[i] = from[i];
    }
}

/* Cells from most visual to most audio: d < -t[T-1], ..., -t[0] <= d < 0, 0, 0 < d <= t[0], ..., d > t[T-1]. Which one it is
 * cannot be foreseen, so this adds up comparisons instead of branching on them. */
static int cell_of(const BalSplitResult *r, double d) {
    double size = fabs(d) - BAL_DECIMAL_SLACK;
    int beyond = d != 0;
    for (int t = 0; t < r->n_thresholds; t++) beyond += size > r->threshold[t];
    return r->n_thresholds + 1 + ((d > 0) - (d < 0)) * beyond;
}

static bool is_file_word(const BalScoreText *t) {
    if (t->n == 0 || t->n > 31 || t->s[0] == '.') return false;
    for (uint32_t i = 0; i < t->n; i++) {
        char c = t->s[i];
        bool fine = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || strchr("._-", c);
        if (!fine || c == '\0') return false;
    }
    return true;
}

/* Number of a split's name, in order of first sight; the result sorts them at the end. */
static BalStatus find_split(Split *s, Scratch *w, BalScoreText field, int *out, BalError *err) {
    BalSplitResult *r = s->out;
    BalScoreText name = field;
    if (!name.n) name = s->f->has_split ? (BalScoreText){"none", 4} : (BalScoreText){"all", 3};
    if (!is_file_word(&name))
        return BAL_FAIL(err, BAL_E_FORMAT,
                        "%s: the split \"%.*s\" cannot be part of a file's name; use up to 31 letters, digits, . _ -",
                        s->f->path, (int)(name.n < 60 ? name.n : 60), name.s);
    BalStatus rc = BAL_OK;
    int i = 0;
    pthread_mutex_lock(&s->lock);
    while (i < r->n_splits && (strlen(r->split[i]) != name.n || memcmp(r->split[i], name.s, name.n) != 0)) i++;
    if (i == BAL_SPLIT_MAX_SPLITS)
        rc =
            BAL_FAIL(err, BAL_E_FORMAT, "%s: more than %d different splits; is that the right column? (--split-column)",
                     s->f->path, BAL_SPLIT_MAX_SPLITS);
    else if (i == r->n_splits) {
        memcpy(r->split[i], name.s, name.n);
        r->split[i][name.n] = '\0';
        r->n_splits++;
    }
    pthread_mutex_unlock(&s->lock);
    BAL_TRY(rc);
    bal_text_clear(&w->split_name);
    bal_text_add_n(&w->split_name, field.s, field.n);
    *out = w->last_split = i;
    return bal_text_ok(&w->split_name, err);
}

static bool is_last_split(const Scratch *w, BalScoreText field) {
    return w->last_split >= 0 && field.n == w->split_name.len &&
           (!field.n || !memcmp(field.s, w->split_name.data, field.n));
}

static BalStatus add_entry(Split *s, Scratch *w, BalScoreText id, int cell, int split, BalError *err) {
    if (id.n > UINT16_MAX)
        return BAL_FAIL(err, BAL_E_FORMAT, "%s: an id is longer than %d bytes", s->f->path, UINT16_MAX);
    const uint16_t n = (uint16_t)id.n, tag = (uint16_t)(split << 8 | cell);
    if (w->cap - w->used < BAL_ID_HEAD + (size_t)n)
        BAL_TRY(bal_grow(&w->entries, &w->cap, w->used + BAL_ID_HEAD + n, 1, err));
    if (w->n == w->bucket_cap) BAL_TRY(bal_grow(&w->bucket, &w->bucket_cap, w->n + 1, sizeof *w->bucket, err));
    char *e = w->entries + w->used;
    memcpy(e, &n, sizeof n);
    memcpy(e + 2, &tag, sizeof tag);
    copy_short(e + BAL_ID_HEAD, id.s, n);
    int bucket = bal_id_bucket(&s->borders, id.s, n, w->n ? w->bucket[w->n - 1] : 0);
    w->bucket[w->n++] = (uint16_t)bucket;
    w->used += BAL_ID_HEAD + (size_t)n;
    w->bytes[bucket] += BAL_ID_HEAD + (uint32_t)n;
    return BAL_OK;
}

/* End of a chunk: its entries into their place by bucket. */
static BalStatus deal_entries(Split *s, Scratch *w, Part *p, BalError *err) {
    int n_buckets = s->borders.n + 1;
    uint32_t *next = w->bytes, sum = 0;
    BAL_TRY(bal_arena_take(&w->arena, &p->bucket_at, (size_t)n_buckets + 1, sizeof *p->bucket_at, err));
    BAL_TRY(bal_arena_take(&w->arena, &p->entries, w->used + BAL_ID_PADDING, 1, err));
    for (int b = 0; b < n_buckets; b++) {
        p->bucket_at[b] = sum;
        sum += next[b];
        next[b] = p->bucket_at[b];
    }
    p->bucket_at[n_buckets] = sum;
    const char *e = w->entries;
    for (size_t i = 0; i < w->n; i++) {
        size_t size = entry_size(e);
        copy_short(p->entries + next[w->bucket[i]], e, size);
        next[w->bucket[i]] += (uint32_t)size;
        e += size;
    }
    memset(w->bytes, 0, (size_t)n_buckets * sizeof *w->bytes);
    w->n = w->used = 0;
    return BAL_OK;
}

static BalStatus take_rows(void *user, int64_t chunk, int worker, const BalScoreRow *row, int n, BalError *err) {
    Split *s = user;
    Scratch *w = &s->scratch[worker];
    for (int i = 0; i < n; i++) {
        int split = w->last_split, cell = cell_of(s->out, row[i].u_audio - row[i].u_visual);
        if (!is_last_split(w, row[i].split)) BAL_TRY(find_split(s, w, row[i].split, &split, err));
        w->count[split][cell]++;
        if (s->dir) BAL_TRY(add_entry(s, w, row[i].id, cell, split, err));
    }
    return n == 0 && s->dir ? deal_entries(s, w, &s->part[chunk], err) : BAL_OK;
}

/* ---- counts ---- */

static void add_counts(const BalSplitResult *r, const int64_t *cell, BalSubsetCounts *c) {
    int middle = r->n_thresholds + 1;
    c->ties += cell[middle];
    for (int k = 0; k <= r->n_thresholds; k++) {
        int64_t heard = 0, seen = 0; /* beyond the k-th of 0, t[0], t[1], ... */
        for (int j = k; j <= r->n_thresholds; j++) {
            heard += cell[middle + 1 + j];
            seen += cell[middle - 1 - j];
        }
        *(k ? &c->audio_dominated[k - 1] : &c->audio_preferred) += heard;
        *(k ? &c->visual_dominated[k - 1] : &c->visual_preferred) += seen;
    }
    c->n = c->audio_preferred + c->visual_preferred + c->ties;
}

/* Counts per split and overall, the splits in byte order. */
static void finish_counts(Split *s, BalSplitResult *out) {
    const BalSplitResult *r = s->out;
    int order[BAL_SPLIT_MAX_SPLITS];
    for (int i = 0; i < r->n_splits; i++) {
        int k = i;
        for (; k > 0 && strcmp(r->split[order[k - 1]], r->split[i]) > 0; k--) order[k] = order[k - 1];
        order[k] = i;
    }
    *out = *r;
    for (int i = 0; i < r->n_splits; i++) {
        memcpy(out->split[i], r->split[order[i]], sizeof out->split[i]);
        for (int w = 0; w < s->f->threads; w++) {
            add_counts(r, s->scratch[w].count[order[i]], &out->count[i]);
            add_counts(r, s->scratch[w].count[order[i]], &out->all);
        }
    }
}

/* ---- buckets ---- */

/* Bytes of the lists' lines by split and cell */
typedef size_t CellBytes[BAL_SPLIT_MAX_SPLITS][MAX_CELLS];

static BalStatus gather(const Split *s, BalIdSort *x, int64_t bucket, CellBytes bytes, BalError *err) {
    x->n = 0;
    for (int64_t i = 0; i < s->f->n_chunks; i++) {
        const Part *p = &s->part[i];
        const char *e = p->entries + p->bucket_at[bucket], *end = p->entries + p->bucket_at[bucket + 1];
        BAL_TRY(bal_id_sort_reserve(x, x->n + (size_t)(end - e) / (BAL_ID_HEAD + 1), err));
        while (e < end) {
            bytes[bal_id_tag(e) >> 8][bal_id_tag(e) & 255] += bal_id_length(e) + 1u;
            bal_id_sort_add(x, e);
            e += entry_size(e);
        }
    }
    return bal_id_sort_run(x, err);
}

static bool any_doubled(const BalIdSort *x) {
    for (size_t i = 1; i < x->n; i++) {
        const char *a = x->item[i - 1].entry, *b = x->item[i].entry;
        if (x->item[i - 1].key != x->item[i].key || bal_id_length(a) != bal_id_length(b)) continue;
        if (!memcmp(a + BAL_ID_HEAD, b + BAL_ID_HEAD, bal_id_length(a))) return true;
    }
    return false;
}

#define SLACK BAL_ID_PADDING /* bytes behind each list's text that a copy of a whole word may spoil */

/* Bytes that each list gets from this bucket, and where its text begins. */
static BalStatus lay_out(const Split *s, CellBytes bytes, Output *o, BalError *err) {
    const int middle = s->out->n_thresholds + 1, per_split = 2 + 2 * s->out->n_thresholds;
    size_t sum = 0;
    for (int l = 0; l < s->n_lists; l++) {
        int level = l % per_split / 2 + 1, side = l % 2 ? -1 : 1;
        o->at[l] = sum;
        o->n[l] = 0;
        for (int k = level; k < middle + 1; k++) o->n[l] += bytes[l / per_split][middle + side * k];
        sum += o->n[l] + SLACK;
    }
    return bal_grow(&o->text, &o->cap, sum, 1, err);
}

/* The text of all lists of one bucket. An id belongs to the first so many lists of its side; it is copied to all of them and only
 * counted where it belongs, because copying 16 bytes is cheaper than a branch that cannot be foreseen. */
static BalStatus make_output(void *user, int64_t bucket, int worker, BalError *err) {
    Split *s = user;
    BalIdSort *x = &s->scratch[worker].sort;
    Output *o = &s->output[bucket % AHEAD];
    const int levels = s->out->n_thresholds + 1, per_split = 2 * levels;
    CellBytes bytes = {{0}};
    char *to[MAX_LISTS];
    BAL_TRY(gather(s, x, bucket, bytes, err));
    if (any_doubled(x)) {
        s->doubled = true;
        return BAL_FAIL(err, BAL_E_FORMAT, "%s: an id is there twice", s->f->path);
    }
    BAL_TRY(lay_out(s, bytes, o, err));
    for (int l = 0; l < s->n_lists; l++) to[l] = o->text + o->at[l];
    for (size_t i = 0; i < x->n; i++) {
        const char *id = x->item[i].entry + BAL_ID_HEAD;
        const size_t n = bal_id_length(x->item[i].entry);
        const int tag = bal_id_tag(x->item[i].entry), cell = (tag & 255) - levels, belongs = abs(cell);
        char **list = to + (tag >> 8) * per_split + (cell < 0);
        for (int k = 0; k < levels; k++) {
            char *p = list[2 * k];
            if (n < SLACK)
                memcpy(p, id, SLACK);
            else if (k < belongs)
                memcpy(p, id, n);
            if (n < SLACK || k < belongs) p[n] = '\n';
            list[2 * k] = p + (k < belongs ? n + 1 : 0);
        }
    }
    return BAL_OK;
}

static BalStatus write_output(void *user, int64_t bucket, int worker, BalError *err) {
    (void)worker;
    Split *s = user;
    const Output *o = &s->output[bucket % AHEAD];
    for (int l = 0; l < s->n_lists; l++) BAL_TRY(bal_writer_add(s->list[l], o->text + o->at[l], o->n[l], err));
    BalProgress p = {.stage = "write lists", .done = bucket + 1, .total = s->borders.n + 1, .unit = "buckets"};
    if (s->f->progress.fn && !s->f->progress.fn(s->f->progress.user, &p))
        return BAL_FAIL(err, BAL_E_CANCELLED, "writing the lists was interrupted");
    return BAL_OK;
}

/* ---- files ---- */

/* k of a split: audio-preferred, visual-preferred, then audio- and visual-dominated of each threshold in turn */
static BalStatus list_path(BalText *path, const char *dir, const char *split, int k, const double *threshold,
                           BalError *err) {
    bal_text_clear(path);
    bal_path_join(path, dir, split);
    bal_text_f(path, "-%s-%s", k % 2 ? "visual" : "audio", k < 2 ? "preferred" : "dominated-");
    if (k >= 2) bal_text_real(path, threshold[k / 2 - 1]);
    bal_text_add(path, ".txt");
    return bal_text_ok(path, err);
}

/* Lists in the folder are ours where a split.json says so, or what a split left that was killed while it put them in place. */
static BalStatus has_ours(const Split *s, bool *ours, BalError *err) {
    char **names = NULL;
    int n = 0;
    BAL_TRY(bal_list_dir(s->dir, &names, &n, err));
    *ours = false;
    for (int i = 0; i < n; i++) *ours |= !strcmp(names[i], MARKER) || bal_has_prefix(names[i], MARKER BAL_TMP_MARK);
    bal_names_free(names, n);
    return BAL_OK;
}

static BalStatus may_be_list(const Split *s, const char *path, bool ours, BalError *err) {
    if (bal_same_file(path, s->f->path))
        return BAL_FAIL(err, BAL_E_ARG, "%s is read here and would be written; give another folder", path);
    if (ours || !bal_file_exists(path)) return BAL_OK;
    return BAL_FAIL(err, BAL_E_EXISTS,
                    "%s is already there, and no %s says that it is a list of ours; move it or "
                    "give another folder",
                    path, MARKER);
}

static BalStatus open_lists(Split *s, BalError *err) {
    const BalSplitResult *r = s->out;
    int per_split = 2 + 2 * r->n_thresholds;
    bool ours;
    s->n_lists = r->n_splits * per_split;
    BAL_TRY(bal_make_dirs(s->dir, err));
    BAL_TRY(has_ours(s, &ours, err));
    BAL_TRY(bal_writer_open(&s->marker_file, s->marker.data, err)); /* from here on the lists are known to be ours */
    BAL_TRY(bal_sweep_tmp(s->dir, err));
    BAL_TRY(bal_alloc(&s->list, (size_t)s->n_lists, sizeof *s->list, err));
    BalText path = {0};
    BalStatus rc = BAL_OK;
    for (int l = 0; l < s->n_lists && rc >= 0; l++) {
        rc = list_path(&path, s->dir, r->split[l / per_split], l % per_split, r->threshold, err);
        if (rc >= 0) rc = may_be_list(s, path.data, ours, err);
        if (rc >= 0) rc = bal_writer_open(&s->list[l], path.data, err);
    }
    bal_text_reset(&path);
    return rc;
}

/* The lists that an older split.json names, which would pass for those of this table, and then the file itself: it says that
 * lists are complete. */
static BalStatus remove_older(const char *dir, const char *marker, BalError *err) {
    BalText path = {0};
    BalJson *older = NULL;
    BalStatus rc;
    rc = bal_json_load(&older, marker, err);
    if (rc == BAL_E_NOMEM) goto done;
    if (rc < 0) older = NULL; /* none, or not ours: it names no list */
    const BalJson *splits = bal_json_get(older, "splits"), *thresholds = bal_json_get(older, "thresholds");
    double threshold[BAL_SPLIT_MAX_THRESHOLDS];
    int n = 0;
    for (size_t k = 0; k < bal_json_size(thresholds) && n < BAL_SPLIT_MAX_THRESHOLDS; k++)
        threshold[n++] = bal_json_real(bal_json_get(bal_json_at(thresholds, k), "t"), 0);
    for (void *it = bal_json_first(splits); it; it = bal_json_next(splits, it)) {
        if (strchr(bal_json_key(it), '/')) continue; /* not one of ours */
        for (int k = 0; k < 2 + 2 * n; k++) {
            BAL_TRY_OR(done, list_path(&path, dir, bal_json_key(it), k, threshold, err));
            BAL_TRY_OR(done, bal_remove_tree(path.data, err));
        }
    }
    rc = bal_remove_tree(marker, err);
done:
    bal_json_free(&older);
    bal_text_reset(&path);
    return rc;
}

/* Most of the time of this is the disk's, hence several at once. */
static BalStatus sync_list(void *user, int64_t list, int worker, BalError *err) {
    (void)worker;
    return bal_writer_sync(((Split *)user)->list[list], err);
}

static BalStatus commit_list(void *user, int64_t list, int worker, BalError *err) {
    (void)worker;
    return bal_writer_commit(&((Split *)user)->list[list], err);
}

/* Some lists of many would pass for all. */
static void withdraw(const Split *s) {
    const BalSplitResult *r = s->out;
    BalText path = {0};
    for (int l = 0, per_split = 2 + 2 * r->n_thresholds; l < s->n_lists; l++)
        if (!s->list[l] && !list_path(&path, s->dir, r->split[l / per_split], l % per_split, r->threshold, NULL))
            unlink(path.data);
    bal_text_reset(&path);
}

static BalStatus write_lists(Split *s, BalError *err) {
    BAL_TRY(open_lists(s, err));
    BAL_TRY(bal_alloc(&s->output, AHEAD, sizeof *s->output, err));
    BAL_TRY(bal_parallel(s->f->threads < AHEAD ? s->f->threads : AHEAD, s->borders.n + 1, AHEAD, make_output,
                         write_output, s, err));
    BAL_TRY(bal_parallel(4, s->n_lists, s->n_lists, sync_list, NULL, s, err));
    BAL_TRY(remove_older(s->dir, s->marker.data, err));
    s->placing = true;
    return bal_parallel(4, s->n_lists, s->n_lists, commit_list, NULL, s, err);
}

/* Last: where it stands, the lists beside it are its own. */
static BalStatus write_marker(Split *s, const BalSplitResult *r, BalError *err) {
    BalText json = {0};
    bal_split_json(&json, r);
    BalStatus rc = bal_text_ok(&json, err);
    if (rc >= 0) rc = bal_writer_add(s->marker_file, json.data, json.len, err);
    if (rc >= 0) rc = bal_writer_commit(&s->marker_file, err);
    bal_text_reset(&json);
    return rc;
}

/* Borders of the buckets from a sample of the ids. */
static BalStatus choose_borders(Split *s, BalError *err) {
    int64_t n_buckets = s->f->n_chunks < MAX_BUCKETS ? s->f->n_chunks : MAX_BUCKETS;
    BalText sample = {0};
    int n = 0;
    BalStatus rc = bal_scores_sample(s->f, (int)n_buckets * SAMPLES_PER_BUCKET, &sample, &n, err);
    if (rc >= 0) rc = bal_id_borders_make(&s->borders, sample.data, n, SAMPLES_PER_BUCKET, err);
    bal_text_reset(&sample);
    return rc;
}

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static BalStatus take_thresholds(BalSplitResult *r, const double *threshold, int n, BalError *err) {
    if (n > BAL_SPLIT_MAX_THRESHOLDS)
        return BAL_FAIL(err, BAL_E_ARG, "%d thresholds are given, at most %d are possible", n,
                        BAL_SPLIT_MAX_THRESHOLDS);
    for (int i = 0; i < n; i++) {
        if (!(threshold[i] > 0 && threshold[i] < 1))
            return BAL_FAIL(
                err, BAL_E_ARG,
                "threshold %g: give a number between 0 and 1 (T = 0 is the preferred subset, always written)",
                threshold[i]);
        r->threshold[i] = threshold[i];
    }
    qsort(r->threshold, (size_t)n, sizeof *r->threshold, by_value);
    for (int i = 0; i < n; i++)
        if (!i || r->threshold[i] != r->threshold[i - 1]) r->threshold[r->n_thresholds++] = r->threshold[i];
    return BAL_OK;
}

static void split_reset(Split *s) {
    for (int w = 0; s->scratch && w < s->f->threads; w++) {
        bal_free(s->scratch[w].entries);
        bal_free(s->scratch[w].bucket);
        bal_free(s->scratch[w].bytes);
        bal_text_reset(&s->scratch[w].split_name);
        bal_arena_reset(&s->scratch[w].arena);
        bal_id_sort_reset(&s->scratch[w].sort);
    }
    for (int b = 0; s->output && b < AHEAD; b++) bal_free(s->output[b].text);
    for (int l = 0; s->list && l < s->n_lists; l++) bal_writer_abort(&s->list[l]);
    bal_writer_abort(&s->marker_file);
    bal_free(s->part);
    bal_free(s->scratch);
    bal_free(s->output);
    bal_free(s->list);
    bal_id_borders_reset(&s->borders);
    bal_text_reset(&s->marker);
    pthread_mutex_destroy(&s->lock);
    bal_scores_close(&s->f);
}

static BalStatus ignore_rows(void *user, int64_t chunk, int worker, const BalScoreRow *row, int n, BalError *err) {
    (void)user, (void)chunk, (void)worker, (void)row, (void)n, (void)err;
    return BAL_OK;
}

/* Which id, and in which lines: the first that a scan with hashes finds, whatever bucket was the first to fail. */
static BalStatus name_doubled(Split *s, BalError *err) {
    s->f->finds_doubled = false;
    return bal_scores_scan(s->f, ignore_rows, NULL, err);
}

BalStatus bal_split_file(BalSplitResult *out, const char *path, const BalScoresSpec *spec, const double *threshold,
                         int n_thresholds, const char *dir, BalError *err) {
    BalSplitResult found = {0}; /* splits in order of first sight */
    Split s = {.out = &found, .dir = dir};
    BalStatus rc;
    pthread_mutex_init(&s.lock, NULL);
    BAL_TRY_OR(done, take_thresholds(&found, threshold, n_thresholds, err));
    BAL_TRY_OR(done, bal_scores_open(&s.f, path, spec, false, err));
    BAL_TRY_OR(done, bal_alloc(&s.part, (size_t)s.f->n_chunks, sizeof *s.part, err));
    BAL_TRY_OR(done, bal_alloc(&s.scratch, (size_t)s.f->threads, sizeof *s.scratch, err));
    for (int w = 0; w < s.f->threads; w++) s.scratch[w].last_split = -1;
    s.f->finds_doubled = dir && !s.f->only_split; /* rows that are left out are not sorted */
    if (dir) {
        bal_path_join(&s.marker, dir, MARKER);
        BAL_TRY_OR(done, bal_text_ok(&s.marker, err));
        BAL_TRY_OR(done, choose_borders(&s, err));
    }
    for (int w = 0; w < s.f->threads; w++)
        BAL_TRY_OR(done, bal_alloc(&s.scratch[w].bytes, (size_t)s.borders.n + 1, sizeof(uint32_t), err));
    BAL_TRY_OR(done, bal_scores_scan(s.f, take_rows, &s, err));
    if (dir) rc = write_lists(&s, err);
    if (s.doubled) rc = name_doubled(&s, err);
    if (rc >= 0) finish_counts(&s, out);
    if (rc >= 0 && dir) rc = write_marker(&s, out, err);
    if (rc < 0 && s.placing) withdraw(&s);
done:
    split_reset(&s);
    return rc;
}
