/* From fingerprints to a decision per clip: pairs, groups by union-find, one of each that stays, and sources that a split cuts apart. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "base/csv.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/thread.h"
#include "curate/duplicates.h"
#include "curate/key.h"
#include "curate/places.h"

BalDuplicatesSpec bal_duplicates_spec_default(void) {
    return (BalDuplicatesSpec){.workers = bal_cpu_count(),
                               .limit_s = 60,
                               .frame_bits = 8,
                               .frames = 6,
                               .bit_error = 0.15,
                               .overlap_s = 5,
                               .near_s = 10};
}

const char *bal_duplicates_version(void) {
    return bal_sound_print_version();
}

const char *bal_same_name(BalSameKind k) {
    static const char *const name[] = {"file", "stretch", "both", "picture", "sound"};
    return (unsigned)k < BAL_SAME_KINDS ? name[k] : "";
}

/* ---- where in which video ---- */

typedef struct Place { /* of a clip of ours (below n) or of the others */
    const char *video;
    size_t length;
    double start_s, duration_s; /* NaN: not known */
    int64_t clip;
} Place;

/* {yt}_30 and the times that ids tell; the suffix of crawled clips is taken for the second it mostly is. */
static Place place_of_id(const char *id, int64_t clip) {
    Place p = {id, 0, NAN, NAN, clip};
    BalField f = bal_field(id);
    if (bal_youtube_prefix(f) == 0) return p;
    p.length = 11;
    if (bal_clip_time(f, &p.start_s, &p.duration_s) || f.n < 13 || id[11] != '_') return p;
    BalField rest = {id + 12, f.n - 12, false};
    if (bal_all_digits(rest) && rest.n < 9) p.start_s = atof(id + 12);
    return p;
}

static int by_place(const void *x, const void *y) {
    const Place *a = x, *b = y;
    size_t n = a->length < b->length ? a->length : b->length;
    int c = memcmp(a->video, b->video, n);
    if (c == 0 && a->length != b->length) c = a->length < b->length ? -1 : 1;
    if (c) return c;
    if (isnan(a->start_s) || isnan(b->start_s)) return isnan(a->start_s) - isnan(b->start_s);
    if (a->start_s != b->start_s) return a->start_s < b->start_s ? -1 : 1;
    return (a->clip > b->clip) - (a->clip < b->clip);
}

static bool same_video(const Place *a, const Place *b) {
    return a->length && a->length == b->length && memcmp(a->video, b->video, a->length) == 0;
}

/* How far a stretch reaches: what begins nearer is of it. fmin leaves an unknown length out. */
static double reach_of(const BalDuplicates *d, const Place *p) {
    return p->start_s + fmin(d->spec->near_s, p->duration_s);
}

static BalStatus add_stretch(BalDuplicates *d, const Place *a, const Place *b, BalError *err) {
    BalPair pair = {.a = a->clip < b->clip ? a->clip : b->clip,
                    .b = a->clip < b->clip ? b->clip : a->clip,
                    .kind = BAL_SAME_STRETCH,
                    .bit_error = NAN,
                    .offset_s = NAN};
    return bal_pairs_add(&d->pairs, &pair, err);
}

/* The file itself as a video, by whatever path it is reached; a name that no source can have. */
static BalStatus place_in_file(BalDuplicates *d, const BalManifest *m, const BalClip *c, Place *out, BalError *err) {
    BalText text = {0};
    struct stat st;
    bal_path_join(&text, m->dir, c->media);
    BalStatus rc = bal_text_ok(&text, err);
    if (rc == BAL_OK && stat(text.data, &st) == 0 && S_ISREG(st.st_mode)) {
        bal_text_clear(&text);
        bal_text_f(&text, "\n%llu:%llu", (unsigned long long)st.st_dev, (unsigned long long)st.st_ino);
        rc = bal_text_ok(&text, err);
        if (rc == BAL_OK) rc = bal_string_keep(&d->strings, text.data, text.len, &out->video, err);
        out->length = text.len;
        out->start_s = isnan(c->start_s) ? 0 : c->start_s;
        out->duration_s = c->duration_s;
    }
    bal_text_reset(&text);
    return rc;
}

/* Two places of each clip of a list: in its source video, and in its file. `start` is counted from the beginning of the file; that is
 * the source's too where all its clips are of one file, or where the file is not there. Where the source was cut into several files,
 * or is a speaker with several videos, it tells no place. place: [2 * m->n], of clips from number `first` on. */
static BalStatus find_places(BalDuplicates *d, const BalManifest *m, int64_t first, Place *place, BalError *err) {
    BalNameSet sources = {0};
    BalPlaces known;
    BalPlace p;
    int64_t *of = NULL, number; /* [sources] a clip of its one file, -1: of several */
    bool added;
    BalStatus rc = bal_places_load(&known, m->dir, BAL_PLACES_TABLE, err);
    if (rc == BAL_OK) rc = bal_alloc(&of, (size_t)m->n, sizeof *of, err);
    for (int64_t i = 0; i < m->n && rc == BAL_OK; i++) {
        const BalClip *c = &m->clip[i];
        Place *file = &place[2 * i + 1];
        *file = (Place){"", 0, NAN, NAN, first + i};
        rc = place_in_file(d, m, c, file, err);
        if (rc < 0 || !file->length || !*c->source) continue;
        rc = bal_name_add(&sources, &d->strings, c->source, strlen(c->source), &number, &added, err);
        if (rc < 0) break;
        if (added)
            of[number] = i;
        else if (of[number] >= 0 && !same_video(&place[2 * of[number] + 1], file))
            of[number] = -1;
    }
    for (int64_t i = 0; i < m->n && rc == BAL_OK; i++) {
        const BalClip *c = &m->clip[i];
        Place *at = &place[2 * i];
        *at = place_of_id(c->id, first + i);
        number = bal_name_find(&sources, c->source, strlen(c->source));
        if (bal_places_find(&known, c->id, &p)) { /* the table of `clip` tells exactly */
            *at = (Place){NULL, strlen(p.video), p.start_s, p.end_s - p.start_s, first + i};
            rc = bal_string_keep(&d->strings, p.video, at->length, &at->video, err);
        } else if (isnan(at->start_s) && *c->source && !isnan(c->start_s) && (number < 0 || of[number] >= 0))
            *at = (Place){c->source, strlen(c->source), c->start_s, c->duration_s, first + i};
    }
    bal_places_reset(&known);
    bal_name_set_reset(&sources);
    bal_free(of);
    return rc;
}

/* Clips that nothing can be found of: a search among them says nothing. */
static void count_unknown(BalDuplicates *d, const Place *place) {
    BalDuplicatesResult *r = &d->result;
    for (int64_t i = 0; i < d->n_all; i++) {
        const bool placed = !isnan(place[2 * i].start_s);
        r->unplaced += i < d->m->n && !placed;
        if (i < d->m->n || d->prints.at[i].usable) continue;
        r->by_place += placed;
        r->unknown += !placed;
    }
    if (!r->by_place) r->unplaced = 0;
}

/* Clips of one stretch, in order of (video, begin). Each is compared with the earlier one that reaches furthest, which
 * need not be its neighbour: a short clip may lie between. All others that reach as far as it begins are joined with
 * that one already. Ours and the others' are kept apart, since others among themselves are their business. */
static BalStatus join_stretches(BalDuplicates *d, const Place *place, int64_t n, BalError *err) {
    const Place *far[2] = {NULL, NULL}; /* of ours, of the others */
    BalStatus rc = BAL_OK;
    for (int64_t i = 0; i < n && rc == BAL_OK; i++) {
        const Place *b = &place[i];
        const int whose = b->clip >= d->m->n;
        if (i && !same_video(b - 1, b)) far[0] = far[1] = NULL;
        if (!b->length || isnan(b->start_s)) continue;
        for (int k = 0; k < 2 - whose && rc == BAL_OK; k++)
            if (far[k] && b->start_s < reach_of(d, far[k])) rc = add_stretch(d, far[k], b, err);
        if (!far[whose] || reach_of(d, b) > reach_of(d, far[whose])) far[whose] = b;
    }
    return rc;
}

static BalStatus find_stretches(BalDuplicates *d, BalError *err) {
    const BalManifest *list;
    const int64_t n = 2 * d->n_all;
    Place *place = NULL;
    BalStatus rc = bal_alloc(&place, (size_t)n, sizeof *place, err);
    for (int64_t i = 0; i < d->n_all && rc == BAL_OK; i += list->n) {
        bal_duplicates_clip(d->m, d->spec, i, &list);
        rc = find_places(d, list, i, place + 2 * i, err);
    }
    if (rc == BAL_OK) {
        count_unknown(d, place);
        qsort(place, (size_t)n, sizeof *place, by_place);
        rc = join_stretches(d, place, n, err);
    }
    bal_free(place);
    return rc;
}

/* ---- who stays ---- */

static BalStatus mark_ids(BalDuplicates *d, const char *const *id, int64_t n, int rank, const char *what,
                          BalError *err) {
    for (int64_t k = 0; k < n; k++) {
        int64_t i = bal_name_find(&d->ids, id[k], strlen(id[k]));
        if (i < 0 && rank == BAL_STAYS_KEPT)
            return BAL_FAIL(err, BAL_E_FORMAT, "%s: id '%.60s' is none of the manifest's clips", what, id[k]);
        if (i >= 0 && d->rank[i] > rank) d->rank[i] = (uint8_t)rank;
    }
    return BAL_OK;
}

/* a rather than b: by rank, then by key, then by the bytes of the id. */
static bool rather(const BalDuplicates *d, int64_t a, int64_t b) {
    if (d->rank[a] != d->rank[b]) return d->rank[a] < d->rank[b];
    const char *x = bal_duplicates_id(d, a), *y = bal_duplicates_id(d, b);
    uint64_t kx = bal_key64(x, strlen(x), d->spec->seed), ky = bal_key64(y, strlen(y), d->spec->seed);
    return kx != ky ? kx < ky : strcmp(x, y) < 0;
}

const char *bal_duplicates_id(const BalDuplicates *d, int64_t i) {
    const BalManifest *list;
    return bal_duplicates_clip(d->m, d->spec, i, &list)->id;
}

static BalStatus choose(BalDuplicates *d, BalError *err) {
    const BalDuplicatesSpec *s = d->spec;
    int64_t n = d->n_all;
    BAL_TRY(bal_alloc(&d->group, (size_t)n, sizeof *d->group, err));
    BAL_TRY(bal_alloc(&d->stays, (size_t)n, sizeof *d->stays, err));
    BAL_TRY(bal_alloc(&d->rank, (size_t)n, sizeof *d->rank, err));
    for (int64_t i = 0; i < n; i++) {
        d->group[i] = i, d->stays[i] = -1;
        d->rank[i] = i < d->m->n ? BAL_STAYS_KEY : BAL_STAYS_OTHER;
    }
    BAL_TRY(mark_ids(d, s->labelled, s->n_labelled, BAL_STAYS_LABELLED, "labelled clips", err));
    BAL_TRY(mark_ids(d, s->keep, s->n_keep, BAL_STAYS_KEPT, "clips to keep", err));
    for (int64_t k = 0; k < d->pairs.n; k++)
        if (d->pairs.at[k].kind <= BAL_SAME_BOTH) bal_forest_join(d->group, d->pairs.at[k].a, d->pairs.at[k].b);
    for (int64_t i = 0; i < n; i++) {
        int64_t root = bal_forest_root(d->group, i);
        if (d->stays[root] < 0 || rather(d, i, d->stays[root])) d->stays[root] = i;
    }
    for (int64_t i = 0; i < n; i++) d->stays[i] = d->stays[bal_forest_root(d->group, i)];
    return BAL_OK;
}

/* Must-keep clips stay all, even two of one group. */
bool bal_duplicates_removed(const BalDuplicates *d, int64_t i) {
    return d->stays[i] != i && d->rank[i] != BAL_STAYS_KEPT;
}

static BalStatus index_ids(BalDuplicates *d, BalError *err) {
    for (int64_t i = 0; i < d->m->n; i++) {
        int64_t number;
        bool added;
        const char *id = d->m->clip[i].id;
        BAL_TRY(bal_name_add(&d->ids, &d->strings, id, strlen(id), &number, &added, err));
        if (!added) return BAL_FAIL(err, BAL_E_ARG, "id '%.60s' stands twice in the manifest", id);
    }
    return BAL_OK;
}

static void count(BalDuplicates *d) {
    BalDuplicatesResult *r = &d->result;
    r->n = d->m->n;
    r->against = d->n_all - d->m->n;
    r->unusable = d->prints.unusable, r->resumed = d->prints.resumed;
    for (int64_t k = 0; k < d->pairs.n; k++) r->pairs[d->pairs.at[k].kind]++;
    for (int64_t i = 0; i < d->m->n; i++) r->removed += bal_duplicates_removed(d, i);
    r->kept = r->n - r->removed;
}

static void duplicates_reset(BalDuplicates *d) {
    bal_prints_reset(&d->prints);
    bal_pairs_reset(&d->pairs);
    bal_free(d->group), bal_free(d->stays), bal_free(d->rank);
    bal_name_set_reset(&d->ids);
    bal_strings_free(&d->strings);
}

static int by_clips(const void *x, const void *y) {
    const BalPair *a = x, *b = y;
    if (a->a != b->a) return a->a < b->a ? -1 : 1;
    if (a->b != b->b) return a->b < b->b ? -1 : 1;
    return (int)a->kind - (int)b->kind;
}

/* Two clips may be of one stretch both of a source and of a file. */
static void sort_pairs(BalPairs *p) {
    int64_t n = 0;
    if (p->n > 1) qsort(p->at, (size_t)p->n, sizeof *p->at, by_clips);
    for (int64_t k = 0; k < p->n; k++)
        if (!n || by_clips(&p->at[n - 1], &p->at[k])) p->at[n++] = p->at[k];
    p->n = n;
}

BalStatus bal_duplicates_find(const BalManifest *m, const BalDuplicatesSpec *spec, const char *dir,
                              BalProgressSink progress, BalDuplicatesResult *out, BalError *err) {
    if (spec->workers < 1 || spec->frames < 1 || spec->frames > BAL_PRINT_FRAMES || !(spec->overlap_s > 0))
        return BAL_FAIL(err, BAL_E_ARG, "%d workers, %d frames of %d, %g s of sound: must be 1 at least", spec->workers,
                        spec->frames, BAL_PRINT_FRAMES, spec->overlap_s);
    if (!*bal_sound_print_version()) return bal_sound_print(NULL, 0, NULL, NULL, err);
    if (m->n == 0) return BAL_FAIL(err, BAL_E_ARG, "the manifest lists no clip: there is nothing to compare");
    BalDuplicates d = {.m = m, .spec = spec};
    BalStatus rc;
    BAL_TRY_OR(fail, index_ids(&d, err));
    BAL_TRY_OR(fail, bal_make_dirs(dir, err));
    BAL_TRY_OR(fail, bal_prints_make(&d.prints, m, spec, dir, progress, err));
    d.n_all = d.prints.n;
    BAL_TRY_OR(fail, bal_pairs_alike(&d.pairs, &d.prints, spec, err));
    BAL_TRY_OR(fail, find_stretches(&d, err));
    sort_pairs(&d.pairs);
    BAL_TRY_OR(fail, choose(&d, err));
    count(&d);
    BAL_TRY_OR(fail, bal_duplicates_save(&d, dir, err));
    *out = d.result;
fail:
    duplicates_reset(&d);
    return rc;
}
