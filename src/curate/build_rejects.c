/* Everything that is not in the dataset, and why: the rejects of all stages in one table. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "curate/build_export.h"
#include "curate/key.h"

typedef struct Line {
    size_t at; /* in the text of lines */
    const char *text;
} Line;

typedef struct Lines {
    BalText text; /* lines, each with a NUL */
    Line *line;
    size_t cap;
    int64_t n;
    BalBuildExport *e;
} Lines;

static BalStatus count(BalBuildExport *e, const char *stage, const char *rule, BalError *err) {
    for (int k = 0; k < e->n_counts; k++)
        if (!strcmp(e->count[k].stage, stage) && !strcmp(e->count[k].rule, rule)) {
            e->count[k].n++;
            return BAL_OK;
        }
    BAL_TRY(bal_grow(&e->count, &e->count_cap, (size_t)e->n_counts + 1, sizeof *e->count, err));
    BalRejectCount *c = &e->count[e->n_counts++];
    *c = (BalRejectCount){.n = 1};
    snprintf(c->stage, sizeof c->stage, "%s", stage);
    snprintf(c->rule, sizeof c->rule, "%s", rule);
    return BAL_OK;
}

static BalStatus add(Lines *l, const char *id, const char *stage, const char *rule, const char *values, BalError *err) {
    BAL_TRY(bal_grow(&l->line, &l->cap, (size_t)l->n + 1, sizeof *l->line, err));
    l->line[l->n++].at = l->text.len;
    bal_build_cell(&l->text, id, '\t');
    bal_build_cell(&l->text, stage, '\t');
    bal_build_cell(&l->text, rule, '\t');
    bal_build_cell(&l->text, values, '\0');
    BAL_TRY(count(l->e, stage, rule, err));
    return bal_text_ok(&l->text, err);
}

/* A stage's own table: columns id, rule, and what else says why. */
static BalStatus add_sheet(Lines *l, const char *name, const char *stage, const char *rule, const char *values,
                           BalError *err) {
    BalText path = {0};
    BalSheet s = {0};
    BalStatus rc = bal_build_path(l->e->b, name, &path, err);
    if (rc >= 0 && bal_file_exists(path.data)) rc = bal_sheet_load(&s, path.data, "id", err);
    const int by_rule = bal_sheet_column(&s, "rule"), why = bal_sheet_column(&s, values);
    for (int64_t i = 0; i < s.n && rc >= 0; i++)
        rc = add(l, s.id[i], stage, by_rule < 0 ? rule : bal_sheet_at(&s, i, by_rule), bal_sheet_at(&s, i, why), err);
    bal_sheet_reset(&s);
    bal_text_reset(&path);
    return rc;
}

/* Scored clips that were not chosen. */
static BalStatus add_unselected(Lines *l, BalError *err) {
    const BalBuildExport *e = l->e;
    const BalBuildRecipe *r = e->b->recipe;
    char values[128];
    for (int64_t i = 0; i < e->scores.n && r->select; i++) {
        const char *id = e->scores.id[i];
        if (bal_sheet_find(&e->selected, id) >= 0) continue;
        const int32_t a = bal_quantise(e->scores.value[BAL_SCORE_U_AUDIO][i]),
                      v = bal_quantise(e->scores.value[BAL_SCORE_U_VISUAL][i]);
        snprintf(values, sizeof values, "qa=%d qv=%d bin=%d", a, v,
                 bal_bin_of_d(a, v, (int)r->bins, bal_key64(id, strlen(id), (uint64_t)r->seed)));
        BAL_TRY(add(l, id, "select", "not-selected", values, err));
    }
    return BAL_OK;
}

/* Clips that went into the estimate and have no score. */
static BalStatus add_unscored(Lines *l, BalError *err) {
    BalNameIndex ids = {0};
    BalSheet stored = {0};
    BalText path = {0};
    const BalBuildExport *e = l->e;
    BalStatus rc = bal_build_path(e->b, "store/rejected.csv", &path, err);
    if (rc >= 0 && bal_file_exists(path.data)) rc = bal_sheet_load(&stored, path.data, "id", err);
    if (rc >= 0) rc = bal_name_index_make(&ids, e->before.id, e->before.n, err);
    for (int64_t i = 0; i < e->manifest.n && rc >= 0; i++) {
        const char *id = e->manifest.clip[i].id;
        if (bal_name_index_find(&ids, id, strlen(id)) < 0 && bal_sheet_find(&stored, id) < 0)
            rc = add(l, id, "estimate", "unscored", "", err);
    }
    bal_name_index_reset(&ids);
    bal_sheet_reset(&stored);
    bal_text_reset(&path);
    return rc;
}

static int by_text(const void *x, const void *y) {
    return strcmp(((const Line *)x)->text, ((const Line *)y)->text);
}

static int by_stage_and_rule(const void *x, const void *y) {
    const BalRejectCount *a = x, *b = y;
    const int order = strcmp(a->stage, b->stage);
    return order ? order : strcmp(a->rule, b->rule);
}

BalStatus bal_build_rejects(BalBuildExport *e, BalError *err) {
    Lines l = {.e = e};
    BalStatus rc;
    if (e->b->recipe->videos[0]) /* else it may be there from older settings */
        BAL_TRY_OR(done, add_sheet(&l, "clips/rejects.csv", "cut", "unusable", "reason", err));
    BAL_TRY_OR(done, add_sheet(&l, "candidates-rejects.csv", "clips", "", "values", err));
    BAL_TRY_OR(done, add_sheet(&l, "triage/rejects.csv", "triage", "", "values", err));
    BAL_TRY_OR(done, add_sheet(&l, "store/rejected.csv", "ingest", "unusable", "reason", err));
    BAL_TRY_OR(done, add_sheet(&l, "noise/rejects.csv", "noise", "", "values", err));
    BAL_TRY_OR(done, add_unscored(&l, err));
    BAL_TRY_OR(done, add_unselected(&l, err));
    for (int64_t i = 0; i < l.n; i++) l.line[i].text = l.text.data + l.line[i].at;
    if (l.n) qsort(l.line, (size_t)l.n, sizeof *l.line, by_text);
    if (e->n_counts) qsort(e->count, (size_t)e->n_counts, sizeof *e->count, by_stage_and_rule);
    bal_text_add(&e->rejects, "id\tstage\trule\tvalues\n");
    for (int64_t i = 0; i < l.n; i++) bal_text_f(&e->rejects, "%s\n", l.line[i].text);
    rc = bal_text_ok(&e->rejects, err);
done:
    bal_text_reset(&l.text);
    bal_free(l.line);
    return rc;
}
