/* Build, between cutting and scoring: clips that cannot be used, and clips that are there twice. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <avbalance/duplicates.h>
#include <avbalance/media.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/thread.h"
#include "curate/build.h"
#include "curate/rejects.h"
#include "curate/sheet.h"

typedef struct Sifted {
    char rule[24]; /* empty: stays */
    char values[200];
} Sifted;

typedef struct Sift {
    const BalBuilding *b;
    const BalManifest *m;
    Sifted *sifted; /* [n] */
} Sift;

static int threads_of(const BalBuilding *b) {
    return b->spec->threads > 0 ? b->spec->threads : bal_cpu_count();
}

/* ---- what is in the file ---- */

static void name_findings(uint64_t findings, char *out, size_t cap) {
    BalText text = {0};
    for (int f = 0; f < BAL_FIND_COUNT; f++)
        if (findings >> f & 1) bal_text_f(&text, "%s%s", text.len ? " " : "", bal_finding_name((BalFinding)f));
    snprintf(out, cap, "%s", bal_text_str(&text));
    bal_text_reset(&text);
}

static BalStatus look(void *user, int64_t i, int worker, BalError *err) {
    const Sift *s = user;
    Sifted *to = &s->sifted[i];
    BalText path = {0};
    BalProbe p;
    BalError why = {0};
    (void)worker;
    bal_path_join(&path, s->m->dir, s->m->clip[i].media);
    BalStatus rc = bal_text_ok(&path, err);
    if (rc < 0) return rc;
    rc = bal_probe(path.data, NULL, &p, &why);
    bal_text_reset(&path);
    if (rc == BAL_E_MEDIA || rc == BAL_E_IO || rc == BAL_E_FORMAT) {
        strcpy(to->rule, "unusable");
        snprintf(to->values, sizeof to->values, "%.199s", why.text);
        return BAL_OK;
    }
    if (rc < 0) {
        if (err) *err = why;
        return rc;
    }
    if (p.findings & bal_findings_unfit()) {
        strcpy(to->rule, "technical");
        name_findings(p.findings & bal_findings_unfit(), to->values, sizeof to->values);
    }
    return BAL_OK;
}

static BalStatus tell(void *user, int64_t i, int worker, BalError *err) {
    const Sift *s = user;
    const BalProgressSink sink = s->b->spec->progress;
    const BalProgress p = {.stage = "sift", .done = i + 1, .total = s->m->n, .unit = "clips"};
    (void)worker;
    if (!sink.fn || sink.fn(sink.user, &p)) return BAL_OK;
    return BAL_FAIL(err, BAL_E_CANCELLED, "stopped");
}

/* ---- what is there twice ---- */

/* Rules and values of the clips that bal_duplicates_find leaves out. */
static BalStatus take_rejects(Sift *s, const char *dir, BalError *err) {
    BalSheet sheet = {0};
    BalText path = {0};
    bal_path_join(&path, dir, "rejects.csv");
    BalStatus rc = bal_text_ok(&path, err);
    if (rc >= 0) rc = bal_sheet_load(&sheet, path.data, "id", err);
    const int values = bal_sheet_column(&sheet, "values"), rule = bal_sheet_column(&sheet, "rule");
    for (int64_t i = 0; i < s->m->n && rc >= 0; i++) {
        const int64_t row = bal_sheet_find(&sheet, s->m->clip[i].id);
        if (row < 0) continue;
        snprintf(s->sifted[i].rule, sizeof s->sifted[i].rule, "same-%s", bal_sheet_at(&sheet, row, rule));
        snprintf(s->sifted[i].values, sizeof s->sifted[i].values, "%s", bal_sheet_at(&sheet, row, values));
    }
    bal_sheet_reset(&sheet);
    bal_text_reset(&path);
    return rc;
}

/* Only clips that can be used are compared: of two equals the usable one must stay. */
static BalStatus find_doubled(Sift *s, BalError *err) {
    BalDuplicatesSpec spec = bal_duplicates_spec_default();
    BalDuplicatesResult r;
    BalManifest usable = *s->m;
    BalText dir = {0};
    spec.workers = threads_of(s->b);
    spec.seed = (uint64_t)s->b->recipe->seed;
    usable.n = 0;
    BAL_TRY(bal_alloc(&usable.clip, (size_t)s->m->n, sizeof *usable.clip, err));
    for (int64_t i = 0; i < s->m->n; i++)
        if (!s->sifted[i].rule[0]) usable.clip[usable.n++] = s->m->clip[i];
    BalStatus rc = bal_build_path(s->b, "duplicates", &dir, err);
    if (rc >= 0 && usable.n) rc = bal_duplicates_find(&usable, &spec, dir.data, s->b->spec->progress, &r, err);
    if (rc == BAL_E_MISMATCH) { /* fingerprints of another build: made anew */
        rc = bal_remove_tree(dir.data, err);
        if (rc >= 0) rc = bal_duplicates_find(&usable, &spec, dir.data, s->b->spec->progress, &r, err);
    }
    if (rc == BAL_E_UNSUPPORTED) bal_error_add(err, rc, "set clips.duplicates to no, or build with libchromaprint");
    if (rc >= 0 && usable.n) rc = take_rejects(s, dir.data, err);
    bal_free(usable.clip);
    bal_text_reset(&dir);
    return rc;
}

/* ---- all of it ---- */

static BalStatus write_rejects(const Sift *s, BalError *err) {
    BalText out = {0}, path = {0};
    bal_text_add(&out, BAL_REJECTS_HEADER);
    for (int64_t i = 0; i < s->m->n; i++)
        if (s->sifted[i].rule[0])
            bal_reject_line(&out, s->m->clip[i].id, "clips", s->sifted[i].rule, s->sifted[i].values);
    BalStatus rc = bal_text_ok(&out, err);
    if (rc >= 0) rc = bal_build_path(s->b, "candidates-rejects.csv", &path, err);
    if (rc >= 0) rc = bal_file_write(path.data, out.data, out.len, err);
    bal_text_reset(&out);
    bal_text_reset(&path);
    return rc;
}

BalStatus bal_build_sift(const BalBuilding *b, BalManifest *m, BalError *err) {
    Sift s = {.b = b, .m = m};
    BAL_TRY(bal_alloc(&s.sifted, (size_t)m->n, sizeof *s.sifted, err));
    BalStatus rc = BAL_OK;
    if (b->recipe->technical && !b->recipe->videos[0]) /* cutting has looked already */
        rc = bal_parallel(threads_of(b), m->n, 64, look, tell, &s, err);
    if (rc >= 0 && b->recipe->duplicates) rc = find_doubled(&s, err);
    if (rc >= 0) rc = write_rejects(&s, err);
    int64_t n = 0;
    for (int64_t i = 0; i < m->n && rc >= 0; i++)
        if (!s.sifted[i].rule[0]) m->clip[n++] = m->clip[i];
    if (rc >= 0 && !n)
        rc = BAL_FAIL(err, BAL_E_MEDIA, "not one clip can be used; candidates-rejects.csv has the reasons");
    if (rc >= 0) m->n = n;
    bal_free(s.sifted);
    return rc;
}
