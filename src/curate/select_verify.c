/* Verification of a selection. Three circles, each of which needs more files: the certificate by itself (certificate.c); the lists of
 * clips against it; the table against both. What must be kept is learned from the list of clips, where it is marked: it was kept. */
#include <stdlib.h>
#include <string.h>

#include "analysis/scores_file.h"
#include "base/csv.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/mem.h"
#include "curate/certificate.h"
#include "curate/key.h"
#include "curate/scan.h"
#include "curate/selection.h"

typedef struct Clip {
    uint64_t key;
    int cell;
    bool must;
    atomic_uchar found; /* in the table */
} Clip;

typedef struct Verify {
    BalCertificate c;
    BalText path, list, table; /* of certificate.json, selected.txt, selected.csv */
    BalIds ids, must;          /* all clips; those that must be kept */
    Clip *clip;                /* [ids.n] */
    BalNameIndex label;
} Verify;

static void verify_reset(Verify *v) {
    bal_certificate_reset(&v->c);
    bal_text_reset(&v->path);
    bal_text_reset(&v->list);
    bal_text_reset(&v->table);
    bal_ids_reset(&v->ids);
    bal_ids_reset(&v->must);
    bal_free(v->clip);
    bal_name_index_reset(&v->label);
}

#define WRONG(...) BAL_FAIL(err, BAL_E_MISMATCH, __VA_ARGS__)

/* ---- files ---- */

/* The folder, or certificate.json in it. */
static BalStatus find_files(Verify *v, const char *path, BalError *err) {
    const char *slash = strrchr(path, '/');
    BalText dir = {0};
    if (bal_is_dir(path))
        bal_text_add(&dir, path);
    else
        bal_text_add_n(&dir, slash ? path : ".", slash ? (size_t)(slash - path) : 1);
    if (bal_is_dir(path))
        bal_path_join(&v->path, path, "certificate.json");
    else
        bal_text_add(&v->path, path);
    bal_path_join(&v->list, bal_text_str(&dir), "selected.txt");
    bal_path_join(&v->table, bal_text_str(&dir), "selected.csv");
    BalStatus rc = bal_text_ok(&dir, err);
    bal_text_reset(&dir);
    if (rc >= 0) rc = bal_text_ok(&v->path, err);
    if (rc >= 0) rc = bal_text_ok(&v->list, err);
    return rc < 0 ? rc : bal_text_ok(&v->table, err);
}

/* ---- lists of clips ---- */

static BalStatus take_clip(Verify *v, const BalCsv *csv, size_t *cap, BalError *err) {
    const BalField *f = csv->field;
    const char *path = v->table.data;
    int64_t bin = -1, label = -1;
    double value;
    if (csv->n_fields != 6)
        return WRONG("%s: line %lld: has %d fields, not 6", path, (long long)csv->line, csv->n_fields);
    label = bal_name_index_find(&v->label, f[1].s, f[1].n);
    if (bal_parse_real_n(f[2].s, f[2].n, &value) && value >= 0 && value < v->c.cells.n_bins) bin = (int64_t)value;
    if (label < 0 || bin < 0 || !f[0].n)
        return WRONG("%s: line %lld: no class or bin of the certificate", path, (long long)csv->line);
    BalText id = {0};
    bal_text_add_n(&id, f[0].s, f[0].n);
    BalStatus rc = bal_text_ok(&id, err);
    if (rc >= 0) rc = bal_grow(&v->clip, cap, (size_t)v->ids.n + 1, sizeof *v->clip, err);
    if (rc >= 0) {
        Clip *k = &v->clip[v->ids.n];
        k->key = bal_key64(f[0].s, f[0].n, v->c.spec.seed);
        k->cell = (int)label * v->c.cells.n_bins + (int)bin;
        k->must = bal_field_is(&f[5], "must-keep");
        atomic_init(&k->found, 0);
        if (k->must) rc = bal_ids_add(&v->must, bal_text_str(&id), err);
        if (rc >= 0) rc = bal_ids_add(&v->ids, bal_text_str(&id), err);
    }
    bal_text_reset(&id);
    return rc;
}

static BalStatus read_clips(Verify *v, BalError *err) {
    BalMap map;
    BalCsv csv = {0};
    size_t cap = 0;
    char sha256[65];
    BAL_TRY(bal_map_open(&map, v->table.data, err));
    bal_sha256_text(map.data, map.size, sha256);
    bal_csv_init(&csv, map.data, map.size, ',', v->table.data);
    BalStatus rc = bal_csv_next(&csv, err); /* header */
    while (rc == BAL_OK && (rc = bal_csv_next(&csv, err)) == BAL_OK) rc = take_clip(v, &csv, &cap, err);
    if (rc >= 0) rc = bal_ids_ready(&v->ids, err);
    if (rc >= 0) rc = bal_ids_ready(&v->must, err);
    if (rc >= 0 && strcmp(sha256, v->c.sha256) != 0)
        rc = WRONG("%s: is not the file that the certificate is for (its SHA-256 is %.12s..., not %.12s...)",
                   v->table.data, sha256, v->c.sha256);
    bal_csv_reset(&csv);
    bal_map_close(&map);
    return rc < 0 ? rc : BAL_OK;
}

/* selected.txt: the same ids, in byte order. */
static BalStatus check_list(const Verify *v, BalError *err) {
    BalLines lines;
    BalStatus rc = bal_lines_read(&lines, v->list.data, err);
    if (rc >= 0 && lines.n != v->ids.n)
        rc = WRONG("%s: has %lld ids, the table beside it %lld", v->list.data, (long long)lines.n, (long long)v->ids.n);
    for (int64_t i = 0; rc >= 0 && i < lines.n; i++) {
        if (strcmp(lines.line[i], v->ids.id[i]) != 0)
            rc = WRONG("%s: line %lld: is not the id \"%.100s\"", v->list.data, (long long)i + 1, v->ids.id[i]);
        else if (i && strcmp(lines.line[i - 1], lines.line[i]) >= 0)
            rc = WRONG("%s: line %lld: is not behind the line before it", v->list.data, (long long)i + 1);
    }
    bal_lines_reset(&lines);
    return rc;
}

/* As many clips of every cell as the certificate says; those that must be kept among them, unless nothing could be. */
static BalStatus check_numbers(const Verify *v, BalError *err) {
    const BalCertificate *c = &v->c;
    const int n = c->cells.n_classes * c->cells.n_bins;
    int64_t *count = NULL;
    BalStatus rc = BAL_OK;
    BAL_TRY(bal_alloc(&count, 2 * (size_t)n, sizeof *count, err));
    for (int64_t i = 0; i < v->ids.n; i++) {
        count[v->clip[i].cell]++;
        count[n + v->clip[i].cell] += v->clip[i].must;
    }
    for (int i = 0; i < n && rc >= 0; i++)
        if (count[i] != c->x[i] || (c->possible && count[n + i] != c->must[i]))
            rc =
                WRONG("%s: \"%s\" in bin %d: %lld clips, %lld of which must be kept; the certificate has %lld and %lld",
                      v->table.data, c->label[i / c->cells.n_bins], i % c->cells.n_bins, (long long)count[i],
                      (long long)count[n + i], (long long)c->x[i], (long long)c->must[i]);
    bal_free(count);
    return rc;
}

/* ---- the table ---- */

static BalStatus check_counts(const Verify *v, const BalTally *t, const char *table, BalError *err) {
    const BalCertificate *c = &v->c;
    int64_t rows = 0;
    for (int k = 0; k < t->n_classes; k++) {
        rows += t->classes[k].leaning.n;
        const int64_t at = bal_name_index_find(&v->label, t->classes[k].name, strlen(t->classes[k].name));
        if (at < 0) return WRONG("%s: has the class \"%.100s\", the certificate does not", table, t->classes[k].name);
        for (int b = 0; b < t->n_bins; b++) {
            const int64_t n = t->classes[k].count[BAL_COUNT_ALL][b] - t->classes[k].count[BAL_COUNT_CAPPED][b];
            const int64_t want = c->n[at * t->n_bins + b];
            if (n != want)
                return WRONG("%s: \"%s\" in bin %d: %lld clips, the certificate has %lld", table, t->classes[k].name, b,
                             (long long)n, (long long)want);
        }
    }
    if (t->n_classes != c->cells.n_classes)
        return WRONG("%s: has %d classes, the certificate %d", table, t->n_classes, c->cells.n_classes);
    if (rows != c->rows)
        return WRONG("%s: has %lld rows, the certificate %lld", table, (long long)rows, (long long)c->rows);
    if (memcmp(t->digest, c->digest, sizeof c->digest) != 0)
        return WRONG("%s: has other rows than those that were selected from, though as many of each class and bin",
                     table);
    return BAL_OK;
}

typedef struct KeyScan {
    Verify *v;
    BalSieve *sieve;
    uint64_t *least; /* [workers][cells] smallest key of a clip that is not kept */
    int n_cells;
} KeyScan;

static BalStatus compare_keys(void *user, int64_t chunk, int worker, const BalScoreRow *row, int n, BalError *err) {
    (void)chunk;
    const KeyScan *s = user;
    Verify *v = s->v;
    uint64_t *least = s->least + (size_t)worker * (size_t)s->n_cells;
    for (int i = 0; i < n; i++) {
        BalPlace at;
        bal_sieve_place(s->sieve, &row[i], true, &at);
        const int64_t label = bal_name_index_find(&v->label, row[i].label.s, row[i].label.n);
        const int64_t k = bal_name_index_find(&v->ids.index, row[i].id.s, row[i].id.n);
        if (label < 0)
            return WRONG("the class \"%.*s\" was not there when clips were counted",
                         (int)(row[i].label.n < 100 ? row[i].label.n : 100), row[i].label.s);
        const int cell = (int)label * v->c.cells.n_bins + at.bin;
        if (k < 0 && !at.capped && at.key < least[cell]) least[cell] = at.key;
        if (k < 0) continue;
        atomic_store_explicit(&v->clip[k].found, 1, memory_order_relaxed);
        if (at.capped || cell != v->clip[k].cell)
            return WRONG("the clip \"%.100s\" is kept as one of class \"%s\" in bin %d, but it %s", v->ids.id[k],
                         v->c.label[v->clip[k].cell / v->c.cells.n_bins], v->clip[k].cell % v->c.cells.n_bins,
                         at.capped ? "is beyond the cap of its source" : "is not");
    }
    return BAL_OK;
}

static BalStatus check_keys(const KeyScan *s, int n_workers, const char *table, BalError *err) {
    const Verify *v = s->v;
    for (int w = 1; w < n_workers; w++)
        for (int i = 0; i < s->n_cells; i++)
            if (s->least[w * s->n_cells + i] < s->least[i]) s->least[i] = s->least[w * s->n_cells + i];
    for (int64_t i = 0; i < v->ids.n; i++) {
        const Clip *k = &v->clip[i];
        if (!atomic_load_explicit(&k->found, memory_order_relaxed))
            return WRONG("%s: has no clip \"%.100s\", which was kept", table, v->ids.id[i]);
        if (!k->must && k->key > s->least[k->cell])
            return WRONG("the clip \"%.100s\" is kept, while one of its class and bin with a smaller key is not",
                         v->ids.id[i]);
    }
    return BAL_OK;
}

static BalStatus check_table(Verify *v, const char *table, const BalScoresSpec *scores, const char *sources, bool clips,
                             BalError *err) {
    BalSelectSpec spec = v->c.spec;
    BalSieve sieve = {0};
    BalTally tally = {0};
    BalScoresFile *f = NULL;
    KeyScan s = {.v = v, .sieve = &sieve, .n_cells = v->c.cells.n_classes * v->c.cells.n_bins};
    BalStatus rc;
    spec.sources = sources;
    BAL_TRY_OR(done, bal_sieve_open(&sieve, &spec, err));
    bal_ids_reset(&sieve.ids);
    sieve.ids = v->must;
    v->must = (BalIds){0};
    BAL_TRY_OR(done, bal_table_count(&tally, &sieve, &f, table, scores, err));
    BAL_TRY_OR(done, check_counts(v, &tally, table, err));
    if (!clips) goto done;
    const int n_workers = bal_scores_workers(f);
    BAL_TRY_OR(done, bal_alloc(&s.least, (size_t)n_workers * (size_t)s.n_cells, sizeof *s.least, err));
    memset(s.least, 0xff, (size_t)n_workers * (size_t)s.n_cells * sizeof *s.least);
    BAL_TRY_OR(done, bal_scores_scan(f, compare_keys, &s, err));
    rc = check_keys(&s, n_workers, table, err);
done:
    bal_free(s.least);
    bal_tally_reset(&tally);
    bal_sieve_close(&sieve);
    bal_scores_close(&f);
    return rc;
}

BalStatus bal_select_verify(BalSelectCheck *out, const char *path, const char *table, const BalScoresSpec *scores,
                            const char *sources, BalError *err) {
    Verify v = {0};
    BalSelectCheck check = {0};
    BalStatus rc;
    BAL_TRY_OR(done, find_files(&v, path, err));
    BAL_TRY_OR(done, bal_certificate_load(&v.c, v.path.data, err));
    BAL_TRY_OR(done, bal_certificate_check(&v.c, v.path.data, err));
    BAL_TRY_OR(done, bal_name_index_make(&v.label, v.c.label, v.c.cells.n_classes, err));
    check.clips = bal_file_exists(v.table.data);
    if (check.clips) {
        BAL_TRY_OR(done, read_clips(&v, err));
        BAL_TRY_OR(done, check_list(&v, err));
        BAL_TRY_OR(done, check_numbers(&v, err));
    } else {
        BAL_TRY_OR(done, bal_ids_ready(&v.must, err));
    }
    if (table) BAL_TRY_OR(done, check_table(&v, table, scores, sources, check.clips, err));
    check.table = table != NULL;
    check.rows = v.c.rows;
    check.kept = v.c.kept;
    check.possible = v.c.possible;
    check.optimal = v.c.optimal && v.c.spec.budget == BAL_BUDGET_NONE;
    *out = check;
done:
    verify_reset(&v);
    return rc;
}
