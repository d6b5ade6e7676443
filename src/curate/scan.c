/* The passes over a table: see scan.h. Workers fill parts of their own, which are joined at the end. */
#include "curate/scan.h"

#include <string.h>

#include "analysis/scores_file.h"
#include "base/mem.h"
#include "curate/key.h"

/* ---- counts ---- */

typedef struct CountScan {
    BalSieve *sieve;
    const char *path;
    BalTally *part; /* [workers] */
} CountScan;

static BalStatus count_rows(void *user, int64_t chunk, int worker, const BalScoreRow *row, int n, BalError *err) {
    (void)chunk;
    const CountScan *s = user;
    BalTally *t = &s->part[worker];
    for (int i = 0; i < n; i++) {
        BalPlace at;
        int c;
        bal_sieve_place(s->sieve, &row[i], false, &at);
        BalStatus rc = bal_tally_class(t, row[i].label.s, row[i].label.n, &c, err);
        if (rc < 0) return bal_error_add(err, rc, "while reading %s", s->path);
        bal_tally_row(t, c, row[i].id, at.q_audio, at.q_visual);
        bal_leaning_add(&t->classes[c].leaning, at.q_audio, at.q_visual);
        t->classes[c].count[BAL_COUNT_ALL][at.bin]++;
        t->classes[c].count[BAL_COUNT_CAPPED][at.bin] += at.capped;
        t->classes[c].count[BAL_COUNT_MUST][at.bin] += at.must;
    }
    return BAL_OK;
}

static BalStatus count(BalTally *out, BalSieve *sieve, BalScoresFile *f, const char *path, BalError *err) {
    const int n = bal_scores_workers(f), n_bins = bal_select_bins(sieve->spec);
    CountScan s = {.sieve = sieve, .path = path};
    *out = (BalTally){.n_bins = n_bins};
    BAL_TRY(bal_alloc(&s.part, (size_t)n, sizeof *s.part, err));
    for (int i = 0; i < n; i++) s.part[i].n_bins = n_bins;
    BalStatus rc = bal_scores_scan(f, count_rows, &s, err);
    for (int i = 0; i < n && rc >= 0; i++) rc = bal_tally_join(out, &s.part[i], err);
    if (rc >= 0) bal_tally_sort(out);
    for (int i = 0; i < n; i++) bal_tally_reset(&s.part[i]);
    bal_free(s.part);
    return rc;
}

BalStatus bal_table_count(BalTally *out, BalSieve *sieve, BalScoresFile **f, const char *path,
                          const BalScoresSpec *scores, BalError *err) {
    const BalScoresSpec read = bal_sieve_scores(sieve->spec, scores);
    BAL_TRY(bal_scores_open(f, path, &read, false, err));
    if (sieve->spec->per_source) {
        BAL_TRY(bal_sieve_find_caps(sieve, *f, err));
        (*f)->finds_doubled = true; /* it has looked for doubled ids, and need not again */
    }
    BAL_TRY(count(out, sieve, *f, path, err));
    (*f)->finds_doubled = true;
    return BAL_OK;
}

/* ---- clips ---- */

typedef struct PickWorker {
    BalPicks picks;
    BalTally rows; /* classes in the order of the list, and the digest */
} PickWorker;

typedef struct PickScan {
    BalSieve *sieve;
    const BalPickCells *cells;
    PickWorker *part; /* [workers] */
} PickScan;

static BalStatus pick_rows(void *user, int64_t chunk, int worker, const BalScoreRow *row, int n, BalError *err) {
    (void)chunk;
    const PickScan *s = user;
    PickWorker *w = &s->part[worker];
    for (int i = 0; i < n; i++) {
        BalPlace at;
        int c;
        bal_sieve_place(s->sieve, &row[i], false, &at);
        BAL_TRY(bal_tally_class(&w->rows, row[i].label.s, row[i].label.n, &c, err));
        if (c >= s->cells->n_classes)
            return BAL_FAIL(err, BAL_E_MISMATCH, "the class \"%.*s\" was not there when clips were counted",
                            (int)(row[i].label.n < 100 ? row[i].label.n : 100), row[i].label.s);
        bal_tally_row(&w->rows, c, row[i].id, at.q_audio, at.q_visual);
        const int cell = c * s->cells->n_bins + at.bin;
        if (at.capped || (!at.must && !s->cells->limit[cell])) continue;
        const uint64_t key = bal_key64(row[i].id.s, row[i].id.n, s->sieve->spec->seed);
        if (!at.must && key > s->cells->limit[cell]) continue;
        const BalPick pick = {key, row[i].u_audio, row[i].u_visual, NULL, cell, at.must};
        BAL_TRY(bal_picks_add(&w->picks, pick, row[i].id.s, row[i].id.n, err));
    }
    return BAL_OK;
}

static BalStatus name_classes(BalTally *t, const BalPickCells *cells, BalError *err) {
    int same;
    for (int c = 0; c < cells->n_classes; c++)
        BAL_TRY(bal_tally_class(t, cells->label[c], strlen(cells->label[c]), &same, err));
    return BAL_OK;
}

BalStatus bal_picks_scan(BalPicks *out, uint64_t digest[2], BalSieve *sieve, BalScoresFile *f,
                         const BalPickCells *cells, BalError *err) {
    const int n = bal_scores_workers(f);
    PickScan s = {.sieve = sieve, .cells = cells};
    BalStatus rc = BAL_OK;
    digest[0] = digest[1] = 0;
    BAL_TRY(bal_alloc(&s.part, (size_t)n, sizeof *s.part, err));
    for (int i = 0; i < n && rc >= 0; i++) rc = name_classes(&s.part[i].rows, cells, err);
    if (rc >= 0) rc = bal_scores_scan(f, pick_rows, &s, err);
    for (int i = 0; i < n && rc >= 0; i++) {
        digest[0] += s.part[i].rows.digest[0];
        digest[1] += s.part[i].rows.digest[1];
        rc = bal_picks_join(out, &s.part[i].picks, err);
    }
    for (int i = 0; i < n; i++) {
        bal_picks_reset(&s.part[i].picks);
        bal_tally_reset(&s.part[i].rows);
    }
    bal_free(s.part);
    return rc;
}
