/* Build, between cutting and scoring: clips that cannot be used, and clips that are there twice. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <avbalance/media.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/thread.h"
#include "curate/build.h"
#include "curate/key.h"
#include "curate/rejects.h"

#define SAME_S 10.0

typedef struct Sifted {
    const char *rule; /* NULL: stays */
    char values[200];
    char sha256[65];
} Sifted;

typedef struct Sift {
    const BalBuilding *b;
    const BalManifest *m;
    Sifted *sifted; /* [n] */
    uint64_t *key;  /* [n] */
    int64_t *order; /* [n] */
    const double *place_s;
} Sift;

/* ---- what is in the file ---- */

static void name_findings(uint64_t findings, char *out, size_t cap) {
    BalText text = {0};
    for (int f = 0; f < BAL_FIND_COUNT; f++)
        if (findings >> f & 1) bal_text_f(&text, "%s%s", text.len ? " " : "", bal_finding_name((BalFinding)f));
    snprintf(out, cap, "%s", bal_text_str(&text));
    bal_text_reset(&text);
}

static BalStatus look(void *user, int64_t i, int worker, BalError *err) {
    Sift *s = user;
    BalText path = {0};
    BalProbe p;
    BalError why = {0};
    (void)worker;
    bal_path_join(&path, s->m->dir, s->m->clip[i].media);
    BalStatus rc = bal_text_ok(&path, err);
    if (rc >= 0 && s->b->recipe->technical && !s->b->recipe->videos[0]) { /* cutting has looked already */
        rc = bal_probe(path.data, NULL, &p, &why);
        if (rc == BAL_E_MEDIA || rc == BAL_E_IO || rc == BAL_E_FORMAT) {
            s->sifted[i].rule = "unusable";
            snprintf(s->sifted[i].values, sizeof s->sifted[i].values, "%.199s", why.text);
            rc = BAL_OK;
        } else if (rc < 0) {
            if (err) *err = why;
        } else if (p.findings & bal_findings_unfit()) {
            s->sifted[i].rule = "technical";
            name_findings(p.findings & bal_findings_unfit(), s->sifted[i].values, sizeof s->sifted[i].values);
        }
    }
    if (rc >= 0 && !s->sifted[i].rule && s->b->recipe->duplicates && bal_file_exists(path.data))
        rc = bal_sha256_file(path.data, s->sifted[i].sha256, err);
    bal_text_reset(&path);
    return rc;
}

static BalStatus tell(void *user, int64_t i, int worker, BalError *err) {
    const Sift *s = user;
    const BalProgressSink sink = s->b->spec->progress;
    const BalProgress p = {.stage = "sift", .done = i + 1, .total = s->m->n, .unit = "clips"};
    (void)worker;
    if (!sink.fn || sink.fn(sink.user, &p)) return BAL_OK;
    return BAL_FAIL(err, BAL_E_CANCELLED, "stopped");
}

/* ---- what is there twice: of equal ones the smallest key stays ---- */

static bool comes_first(const Sift *s, int64_t a, int64_t b) {
    return s->key[a] != s->key[b] ? s->key[a] < s->key[b] : strcmp(s->m->clip[a].id, s->m->clip[b].id) < 0;
}

static void drop(Sift *s, int64_t a, int64_t b, const char *rule) {
    if (s->sifted[a].rule || s->sifted[b].rule) return;
    const int64_t out = comes_first(s, a, b) ? b : a;
    s->sifted[out].rule = rule;
    snprintf(s->sifted[out].values, sizeof s->sifted[out].values, "same=%s", s->m->clip[out == a ? b : a].id);
}

static int by_content(const void *x, const void *y, void *user) {
    const Sift *s = user;
    const int64_t a = *(const int64_t *)x, b = *(const int64_t *)y;
    const int order = strcmp(s->sifted[a].sha256, s->sifted[b].sha256);
    if (order) return order;
    const double u = s->m->clip[a].start_s, v = s->m->clip[b].start_s; /* stretches of one file */
    if (u != v && !(isnan(u) && isnan(v))) return isnan(u) || u < v ? -1 : 1;
    return comes_first(s, a, b) ? -1 : a != b;
}

static int by_place(const void *x, const void *y, void *user) {
    const Sift *s = user;
    const BalClip *a = &s->m->clip[*(const int64_t *)x], *b = &s->m->clip[*(const int64_t *)y];
    const int order = strcmp(a->source, b->source);
    if (order) return order;
    const double u = s->place_s[*(const int64_t *)x], v = s->place_s[*(const int64_t *)y];
    if (u != v) return u < v ? -1 : 1;
    return strcmp(a->id, b->id);
}

static bool same_stretch(const BalClip *a, const BalClip *b) {
    return (isnan(a->start_s) && isnan(b->start_s)) || a->start_s == b->start_s;
}

static void find_doubled(Sift *s) {
    const BalManifest *m = s->m;
    int64_t n = 0;
    for (int64_t i = 0; i < m->n; i++)
        if (s->sifted[i].sha256[0]) s->order[n++] = i;
    qsort_r(s->order, (size_t)n, sizeof *s->order, by_content, s);
    for (int64_t k = 1, first = 0; k < n; k++) {
        const int64_t a = s->order[first], b = s->order[k];
        if (!strcmp(s->sifted[a].sha256, s->sifted[b].sha256) && same_stretch(&m->clip[a], &m->clip[b]))
            drop(s, a, b, "same-content");
        else
            first = k;
    }
    n = 0;
    for (int64_t i = 0; i < m->n; i++)
        if (!s->sifted[i].rule && *m->clip[i].source && !isnan(s->place_s[i])) s->order[n++] = i;
    qsort_r(s->order, (size_t)n, sizeof *s->order, by_place, s);
    for (int64_t k = 1, last = 0; k < n; k++) {
        const BalClip *a = &m->clip[s->order[last]], *b = &m->clip[s->order[k]];
        const double length = isnan(a->duration_s) ? SAME_S : fmin(a->duration_s, SAME_S);
        if (!strcmp(a->source, b->source) && s->place_s[s->order[k]] - s->place_s[s->order[last]] < length)
            drop(s, s->order[last], s->order[k], "same-place");
        if (!s->sifted[s->order[k]].rule) last = k;
    }
}

/* ---- all of it ---- */

static BalStatus write_rejects(const Sift *s, BalError *err) {
    BalText out = {0}, path = {0};
    bal_text_add(&out, BAL_REJECTS_HEADER);
    for (int64_t i = 0; i < s->m->n; i++)
        if (s->sifted[i].rule) bal_reject_line(&out, s->m->clip[i].id, "clips", s->sifted[i].rule, s->sifted[i].values);
    BalStatus rc = bal_text_ok(&out, err);
    if (rc >= 0) rc = bal_build_path(s->b, "candidates-rejects.csv", &path, err);
    if (rc >= 0) rc = bal_file_write(path.data, out.data, out.len, err);
    bal_text_reset(&out);
    bal_text_reset(&path);
    return rc;
}

BalStatus bal_build_sift(const BalBuilding *b, BalManifest *m, const double *place_s, BalError *err) {
    Sift s = {.b = b, .m = m, .place_s = place_s};
    BalStatus rc;
    const int threads = b->spec->threads > 0 ? b->spec->threads : bal_cpu_count();
    BAL_TRY_OR(done, bal_alloc(&s.sifted, (size_t)m->n, sizeof *s.sifted, err));
    BAL_TRY_OR(done, bal_alloc(&s.key, (size_t)m->n, sizeof *s.key, err));
    BAL_TRY_OR(done, bal_alloc(&s.order, (size_t)m->n, sizeof *s.order, err));
    for (int64_t i = 0; i < m->n; i++)
        s.key[i] = bal_key64(m->clip[i].id, strlen(m->clip[i].id), (uint64_t)b->recipe->seed);
    if (b->recipe->technical || b->recipe->duplicates)
        BAL_TRY_OR(done, bal_parallel(threads, m->n, 64, look, tell, &s, err));
    if (b->recipe->duplicates) find_doubled(&s);
    BAL_TRY_OR(done, write_rejects(&s, err));
    int64_t n = 0;
    for (int64_t i = 0; i < m->n; i++)
        if (!s.sifted[i].rule) m->clip[n++] = m->clip[i];
    m->n = n;
    if (!n) rc = BAL_FAIL(err, BAL_E_MEDIA, "not one clip can be used; candidates-rejects.csv has the reasons");
done:
    bal_free(s.sifted);
    bal_free(s.key);
    bal_free(s.order);
    return rc;
}
