/* From fingerprints to a decision per clip: pairs, groups by union-find, one of each that stays, and sources that a split cuts apart. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
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

/* The table of `clip` tells exactly, where it lies beside the manifest; its texts are borrowed. */
static void read_places(const BalDuplicates *d, const BalPlaces *known, Place *place) {
    BalPlace p;
    for (int64_t i = 0; i < d->m->n; i++)
        if (bal_places_find(known, d->m->clip[i].id, &p))
            place[i] = (Place){p.video, strlen(p.video), p.start_s, p.end_s - p.start_s, i};
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

/* Clips of one stretch, in order of (video, begin). Each is compared with the earlier one that reaches furthest, which
 * need not be its neighbour: a short clip may lie between. All others that reach as far as it begins are joined with
 * that one already. Ours and the others' are kept apart, since others among themselves are their business. */
static BalStatus find_stretches(BalDuplicates *d, BalError *err) {
    const BalManifest *other = d->spec->against;
    int64_t n = d->m->n + (other ? other->n : 0);
    Place *place = NULL;
    BalPlaces known;
    const Place *far[2] = {NULL, NULL}; /* of ours, of the others */
    BAL_TRY(bal_alloc(&place, (size_t)n, sizeof *place, err));
    for (int64_t i = 0; i < n; i++)
        place[i] = place_of_id(i < d->m->n ? d->m->clip[i].id : other->clip[i - d->m->n].id, i);
    BalStatus rc = bal_places_load(&known, d->m->dir, BAL_PLACES_TABLE, err);
    if (rc == BAL_OK) read_places(d, &known, place);
    if (rc == BAL_OK && n > 1) qsort(place, (size_t)n, sizeof *place, by_place);
    for (int64_t i = 0; i < n && rc == BAL_OK; i++) {
        const Place *b = &place[i];
        const int whose = b->clip >= d->m->n;
        if (i && !same_video(b - 1, b)) far[0] = far[1] = NULL;
        if (!b->length || isnan(b->start_s)) continue;
        for (int k = 0; k < 2 - whose && rc == BAL_OK; k++)
            if (far[k] && b->start_s < reach_of(d, far[k])) rc = add_stretch(d, far[k], b, err);
        if (!far[whose] || reach_of(d, b) > reach_of(d, far[whose])) far[whose] = b;
    }
    bal_places_reset(&known);
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
    return i < d->m->n ? d->m->clip[i].id : d->spec->against->clip[i - d->m->n].id;
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

BalStatus bal_duplicates_find(const BalManifest *m, const BalDuplicatesSpec *spec, const char *dir,
                              BalProgressSink progress, BalDuplicatesResult *out, BalError *err) {
    if (spec->workers < 1 || spec->frames < 1 || spec->frames > BAL_PRINT_FRAMES || !(spec->overlap_s > 0))
        return BAL_FAIL(err, BAL_E_ARG, "%d workers, %d frames of %d, %g s of sound: must be 1 at least", spec->workers,
                        spec->frames, BAL_PRINT_FRAMES, spec->overlap_s);
    if (!*bal_sound_print_version()) return bal_sound_print(NULL, 0, NULL, NULL, err);
    if (m->n == 0) return BAL_FAIL(err, BAL_E_ARG, "the manifest lists no clip: there is nothing to compare");
    BalDuplicates d = {.m = m, .spec = spec, .n_all = m->n + (spec->against ? spec->against->n : 0)};
    BalStatus rc;
    BAL_TRY_OR(fail, index_ids(&d, err));
    BAL_TRY_OR(fail, bal_make_dirs(dir, err));
    BAL_TRY_OR(fail, bal_prints_make(&d.prints, m, spec, dir, progress, err));
    BAL_TRY_OR(fail, bal_pairs_alike(&d.pairs, &d.prints, spec, err));
    BAL_TRY_OR(fail, find_stretches(&d, err));
    if (d.pairs.n > 1) qsort(d.pairs.at, (size_t)d.pairs.n, sizeof *d.pairs.at, by_clips);
    BAL_TRY_OR(fail, choose(&d, err));
    count(&d);
    BAL_TRY_OR(fail, bal_duplicates_save(&d, dir, err));
    *out = d.result;
fail:
    duplicates_reset(&d);
    return rc;
}
