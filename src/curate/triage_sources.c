/* Sources of a triage, from what command lines and recipes say. */
#include "curate/triage_sources.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "curate/places.h"

void bal_triage_sources_reset(BalTriageSources *s) {
    for (int k = 0; k < s->n; k++) {
        bal_manifest_reset(&s->manifest[k]);
        bal_free(s->place[k]);
    }
    s->n = 0;
}

/* Number of the source with this name of n bytes; s->n: none. */
static int find(const BalTriageSources *s, const char *name, size_t n) {
    int k = 0;
    while (k < s->n && (strlen(s->name[k]) != n || memcmp(s->name[k], name, n) != 0)) k++;
    return k;
}

static BalStatus find_places(const BalManifest *m, const char *table, double **out, BalError *err) {
    BalPlaces p;
    *out = NULL;
    BAL_TRY(bal_places_load(&p, m->dir, table, err));
    BalStatus rc = p.table.n ? bal_alloc(out, (size_t)m->n, sizeof **out, err) : BAL_OK;
    for (int64_t i = 0; i < m->n && *out; i++) {
        BalPlace at;
        (*out)[i] = bal_places_find(&p, m->clip[i].id, &at) ? at.start_s : m->clip[i].start_s;
    }
    bal_places_reset(&p);
    return rc;
}

static BalStatus add(BalTriageSources *s, const char *name, size_t n, BalManifest *m, const char *places,
                     BalError *err) {
    const int k = s->n;
    if (k == BAL_MOST_SOURCES)
        return BAL_FAIL(err, BAL_E_ARG, "at most %d supplements are possible", BAL_MOST_SOURCES - 1);
    if (n >= sizeof s->name[k])
        return BAL_FAIL(err, BAL_E_ARG, "\"%.*s\" is longer than %d bytes: choose a shorter name", (int)n, name,
                        (int)sizeof s->name[k] - 1);
    if (find(s, name, n) < k)
        return BAL_FAIL(err, BAL_E_ARG, "two sources are called \"%.*s\"; name them apart", (int)n, name);
    BAL_TRY(find_places(m, places, &s->place[k], err));
    memcpy(s->name[k], name, n);
    s->name[k][n] = '\0';
    s->manifest[k] = *m;
    *m = (BalManifest){0};
    s->source[k] =
        (BalTriageSource){s->name[k], &s->manifest[k], k ? bal_triage_usual_cap(s->name[k]) : -1, s->place[k]};
    s->n++;
    return BAL_OK;
}

BalStatus bal_triage_sources_own(BalTriageSources *s, const char *name, BalManifest *m, const char *places,
                                 BalError *err) {
    return add(s, name, strlen(name), m, places, err);
}

BalStatus bal_triage_sources_supplement(BalTriageSources *s, const char *what, const char *base_dir,
                                        const char *name_and_manifest, BalError *err) {
    const char *equal = strchr(name_and_manifest, '=');
    BalManifest m = {0};
    BalText path = {0};
    if (!equal || equal == name_and_manifest || !equal[1])
        return BAL_FAIL(err, BAL_E_ARG, "%s %s: give NAME=MANIFEST, such as vgg=vggsound.csv", what, name_and_manifest);
    bal_path_join(&path, base_dir, equal + 1);
    BalStatus rc = bal_text_ok(&path, err);
    if (rc >= 0) rc = bal_manifest_load(&m, path.data, NULL, err);
    if (rc >= 0) rc = add(s, name_and_manifest, (size_t)(equal - name_and_manifest), &m, BAL_PLACES_TABLE, err);
    bal_manifest_reset(&m);
    bal_text_reset(&path);
    return rc;
}

BalStatus bal_triage_sources_cap(BalTriageSources *s, const char *what, const char *name_and_number, BalError *err) {
    const char *equal = strchr(name_and_number, '=');
    int64_t cap;
    if (!equal || !bal_parse_i64(equal + 1, &cap) || cap < 0)
        return BAL_FAIL(err, BAL_E_ARG, "%s %s: give NAME=N, such as vgg=8000", what, name_and_number);
    const int k = find(s, name_and_number, (size_t)(equal - name_and_number));
    if (k == 0 || k == s->n)
        return BAL_FAIL(err, BAL_E_ARG, "%s %s: no supplement has this name", what, name_and_number);
    s->source[k].cap = cap;
    return BAL_OK;
}
