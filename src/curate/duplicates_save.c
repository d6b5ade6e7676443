/* What a search for duplicates leaves: tables in the order of the manifest, the manifest of what stays last. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "base/csv.h"
#include "base/file_set.h"
#include "base/mem.h"
#include "curate/duplicates.h"
#include "curate/rejects.h"

enum { PAIRS, GROUPS, REJECTS, LEAKS, N_TABLES };
static const char *const name[N_TABLES] = {"pairs.csv", "groups.csv", "rejects.csv", "leaks.csv"},
                         *const header[N_TABLES] = {
                             [PAIRS] = "a,b,kind,frames,mirrored,bit_error,offset_s\n",
                             [GROUPS] = "group,id,kept,why\n",
                             [REJECTS] = BAL_REJECTS_HEADER,
                             [LEAKS] = "kind,a,b,split_a,split_b\n",
};

static void field(BalText *t, const char *s) {
    bal_csv_quote(t, s);
    bal_text_char(t, ',');
}

static void add_pair(const BalDuplicates *d, const BalPair *p, BalText *out) {
    field(out, bal_duplicates_id(d, p->a));
    field(out, bal_duplicates_id(d, p->b));
    bal_text_f(out, "%s,%d,%d,", bal_same_name(p->kind), p->frames, p->mirrored);
    if (!isnan(p->bit_error)) bal_text_f(out, "%.4f", p->bit_error);
    bal_text_char(out, ',');
    if (!isnan(p->bit_error)) bal_text_f(out, "%.2f", p->offset_s);
    bal_text_char(out, '\n');
}

/* ---- groups ---- */

typedef struct Member {
    int64_t root, clip;
} Member;

static int by_root(const void *x, const void *y) {
    const Member *a = x, *b = y;
    if (a->root != b->root) return a->root < b->root ? -1 : 1;
    return (a->clip > b->clip) - (a->clip < b->clip);
}

static BalStatus add_groups(BalDuplicates *d, BalText *out, BalError *err) {
    static const char *const why[] = {[BAL_STAYS_OTHER] = "of another dataset",
                                      [BAL_STAYS_KEPT] = "must be kept",
                                      [BAL_STAYS_LABELLED] = "labelled by people",
                                      [BAL_STAYS_KEY] = "lowest key"};
    Member *member = NULL;
    BAL_TRY(bal_alloc(&member, (size_t)d->n_all, sizeof *member, err));
    for (int64_t i = 0; i < d->n_all; i++) member[i] = (Member){bal_forest_root(d->group, i), i};
    qsort(member, (size_t)d->n_all, sizeof *member, by_root);
    d->result.groups = 0;
    for (int64_t from = 0, to; from < d->n_all; from = to) {
        for (to = from + 1; to < d->n_all && member[to].root == member[from].root;) to++;
        if (to - from < 2) continue;
        if (member[from].clip >= d->m->n) continue; /* others among themselves */
        d->result.groups++;
        for (int64_t k = from; k < to; k++) {
            int64_t i = member[k].clip;
            bool kept = i >= d->m->n || !bal_duplicates_removed(d, i);
            bal_text_f(out, "%" PRId64 ",", d->result.groups);
            field(out, bal_duplicates_id(d, i));
            bal_text_f(out, "%d,%s\n", kept, kept ? why[d->rank[i]] : "");
        }
    }
    bal_free(member);
    return BAL_OK;
}

/* The strongest pair that ties clip i to its group. */
static const BalPair **first_pairs(const BalDuplicates *d, BalError *err) {
    const BalPair **first = NULL;
    if (bal_alloc(&first, (size_t)d->n_all, sizeof *first, err) < 0) return NULL;
    for (int64_t k = 0; k < d->pairs.n; k++) {
        const BalPair *p = &d->pairs.at[k];
        if (p->kind > BAL_SAME_BOTH) continue;
        for (int side = 0; side < 2; side++) {
            int64_t i = side ? p->b : p->a;
            if (!first[i] || p->kind < first[i]->kind) first[i] = p;
        }
    }
    return first;
}

static BalStatus add_rejects(const BalDuplicates *d, BalText *out, BalError *err) {
    const BalPair **first = first_pairs(d, err);
    if (!first) return BAL_E_NOMEM;
    BalText values = {0};
    for (int64_t i = 0; i < d->m->n; i++) {
        const BalPair *p = first[i];
        if (!bal_duplicates_removed(d, i) || !p) continue;
        bal_text_clear(&values);
        bal_text_f(&values, "stays=%s like=%s", bal_duplicates_id(d, d->stays[i]),
                   bal_duplicates_id(d, p->a == i ? p->b : p->a));
        if (p->frames) bal_text_f(&values, " frames=%d", p->frames);
        if (p->mirrored) bal_text_add(&values, " mirrored=1");
        if (!isnan(p->bit_error)) bal_text_f(&values, " bit_error=%.4f", p->bit_error);
        bal_reject_line(out, d->m->clip[i].id, "duplicates", bal_same_name(p->kind), bal_text_str(&values));
        out->failed |= values.failed; /* which clearing forgets */
    }
    bal_text_reset(&values);
    bal_free(first);
    return BAL_OK;
}

/* ---- leaks ---- */

static void leak(BalDuplicates *d, BalText *out, const char *kind, const char *a, const char *b, BalSplit x,
                 BalSplit y) {
    bal_text_f(out, "%s,", kind);
    field(out, a);
    field(out, b);
    bal_text_f(out, "%s,%s\n", bal_split_name(x), bal_split_name(y));
    d->result.leaks++;
}

/* Among what stays: a source in two splits, each pair of splits once. Clips that are alike in one stream only may be in two. */
static BalStatus add_leaks(BalDuplicates *d, BalText *out, BalError *err) {
    BalNameSet sources = {0};
    int64_t *first = NULL, number; /* clip of each source that was first seen in a split */
    BalStatus rc = bal_alloc(&first, (size_t)d->m->n * BAL_SPLIT_COUNT, sizeof *first, err);
    for (int64_t i = 0; i < d->m->n && rc == BAL_OK; i++) {
        const BalClip *c = &d->m->clip[i];
        const char *source = *c->source ? c->source : c->id;
        bool added;
        if (bal_duplicates_removed(d, i) || c->split < 0) continue;
        rc = bal_name_add(&sources, &d->strings, source, strlen(source), &number, &added, err);
        if (rc < 0) break;
        int64_t *at = first + number * BAL_SPLIT_COUNT;
        for (int s = 0; s < BAL_SPLIT_COUNT && !at[c->split]; s++)
            if (at[s] && s != (int)c->split)
                leak(d, out, "source", d->m->clip[at[s] - 1].id, c->id, (BalSplit)s, c->split);
        if (!at[c->split]) at[c->split] = i + 1;
    }
    for (int64_t k = 0; k < d->pairs.n && rc == BAL_OK; k++) { /* of one group, if both must be kept */
        const BalPair *p = &d->pairs.at[k];
        if (p->kind > BAL_SAME_BOTH || p->b >= d->m->n) continue;
        const BalClip *a = &d->m->clip[p->a], *b = &d->m->clip[p->b];
        if (!bal_duplicates_removed(d, p->a) && !bal_duplicates_removed(d, p->b) && a->split != b->split)
            leak(d, out, "duplicates", a->id, b->id, a->split, b->split);
    }
    bal_name_set_reset(&sources);
    bal_free(first);
    return rc;
}

/* ---- files ---- */

/* The manifest's clips that stay, borrowed. */
static BalStatus save_manifest(const BalDuplicates *d, const char *path, BalError *err) {
    BalManifest kept = *d->m;
    BAL_TRY(bal_alloc(&kept.clip, (size_t)d->m->n, sizeof *kept.clip, err));
    kept.n = 0;
    for (int64_t i = 0; i < d->m->n; i++)
        if (!bal_duplicates_removed(d, i)) kept.clip[kept.n++] = d->m->clip[i];
    BalStatus rc = bal_manifest_save(&kept, path, err);
    bal_free(kept.clip);
    return rc;
}

BalStatus bal_duplicates_save(BalDuplicates *d, const char *dir, BalError *err) {
    BalText t[N_TABLES] = {{0}}, path = {0};
    BalFileSet files = {.dir = dir};
    BalStatus rc;
    for (int i = 0; i < N_TABLES; i++) bal_text_add(&t[i], header[i]);
    for (int64_t k = 0; k < d->pairs.n; k++) add_pair(d, &d->pairs.at[k], &t[PAIRS]);
    BAL_TRY_OR(done, add_groups(d, &t[GROUPS], err));
    BAL_TRY_OR(done, add_rejects(d, &t[REJECTS], err));
    BAL_TRY_OR(done, add_leaks(d, &t[LEAKS], err));
    for (int i = 0; i < N_TABLES; i++) BAL_TRY_OR(done, bal_file_set_add(&files, name[i], &t[i], err));
    bal_file_set_without(&files, "manifest.csv"); /* that comes last */
    BAL_TRY_OR(done, bal_file_set_end(&files, BAL_OK, err));
    bal_path_join(&path, dir, "manifest.csv");
    BAL_TRY_OR(done, bal_text_ok(&path, err));
    rc = save_manifest(d, path.data, err);
done:
    rc = bal_file_set_end(&files, rc, err);
    for (int i = 0; i < N_TABLES; i++) bal_text_reset(&t[i]);
    bal_text_reset(&path);
    return rc;
}
