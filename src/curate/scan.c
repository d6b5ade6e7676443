/* The passes over a table: see scan.h. Workers fill parts of their own, which are joined at the end. */
#include "curate/scan.h"

#include <math.h>
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

/* ---- clips that are left out ---- */

typedef struct RejectScan {
    BalSieve *sieve;
    const BalPickCells *cells;
    const BalPicks *chosen;
    PickWorker *part; /* [workers] */
} RejectScan;

static bool is_chosen(const BalPicks *p, BalScoreText id) {
    size_t low = 0, high = p->n;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        const char *s = p->pick[middle].id;
        const int order = bal_id_compare((BalScoreText){s, (uint32_t)strlen(s)}, id);
        if (!order) return true;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return false;
}

static BalStatus reject_rows(void *user, int64_t chunk, int worker, const BalScoreRow *row, int n, BalError *err) {
    (void)chunk;
    const RejectScan *s = user;
    PickWorker *w = &s->part[worker];
    for (int i = 0; i < n; i++) {
        BalPlace at;
        int c;
        if (is_chosen(s->chosen, row[i].id)) continue;
        bal_sieve_place(s->sieve, &row[i], false, &at);
        BAL_TRY(bal_tally_class(&w->rows, row[i].label.s, row[i].label.n, &c, err));
        const BalPick pick = {0, row[i].u_audio, row[i].u_visual, NULL, c * s->cells->n_bins + at.bin, at.capped};
        BAL_TRY(bal_picks_add(&w->picks, pick, row[i].id.s, row[i].id.n, err));
    }
    return BAL_OK;
}

BalStatus bal_rejects_scan(BalPicks *out, BalSieve *sieve, BalScoresFile *f, const BalPickCells *cells,
                           const BalPicks *chosen, BalError *err) {
    const int n = bal_scores_workers(f);
    RejectScan s = {.sieve = sieve, .cells = cells, .chosen = chosen};
    BalStatus rc = BAL_OK;
    BAL_TRY(bal_alloc(&s.part, (size_t)n, sizeof *s.part, err));
    for (int i = 0; i < n && rc >= 0; i++) rc = name_classes(&s.part[i].rows, cells, err);
    if (rc >= 0) rc = bal_scores_scan(f, reject_rows, &s, err);
    for (int i = 0; i < n && rc >= 0; i++) rc = bal_picks_join(out, &s.part[i].picks, err);
    if (rc >= 0) rc = bal_picks_order(out, err);
    for (int i = 0; i < n; i++) {
        bal_picks_reset(&s.part[i].picks);
        bal_tally_reset(&s.part[i].rows);
    }
    bal_free(s.part);
    return rc;
}

/* ---- clips near an edge ---- */

typedef struct EdgeScan {
    const BalSelectSpec *spec;
    int64_t *n; /* [workers], in cache lines of their own */
} EdgeScan;
enum { LINE_COUNTS = 8 };

static double error_of(const BalScoreRow *row, BalScoreColumn sd, BalScoreColumn epochs) {
    const double s = row->extra[sd], e = row->extra[epochs];
    return s >= 0 && e >= 1 ? s * s / e : 0; /* unknown: none */
}

static int32_t within(double u) {
    return bal_quantise(u < 0 ? 0 : u > 1 ? 1 : u);
}

static BalStatus count_edges(void *user, int64_t chunk, int worker, const BalScoreRow *row, int n, BalError *err) {
    (void)chunk, (void)err;
    const EdgeScan *s = user;
    for (int i = 0; i < n; i++) {
        const double a = row[i].u_audio, v = row[i].u_visual;
        const double ea = error_of(&row[i], BAL_SCORE_SD_AUDIO, BAL_SCORE_EPOCHS_AUDIO),
                     ev = error_of(&row[i], BAL_SCORE_SD_VISUAL, BAL_SCORE_EPOCHS_VISUAL), e = sqrt(ea + ev);
        int low, high;
        if (s->spec->grid) { /* each confidence by its own error */
            low = bal_bin_of(s->spec, within(a - sqrt(ea)), within(v - sqrt(ev)), 0);
            high = bal_bin_of(s->spec, within(a + sqrt(ea)), within(v + sqrt(ev)), 0);
        } else { /* all of the error on one side of the difference, which is all that the bin depends on */
            const double d = a - v, from = d - e < -1 ? -1 : d - e, to = d + e > 1 ? 1 : d + e;
            low = bal_bin_of(s->spec, within(from > 0 ? from : 0), within(from < 0 ? -from : 0), 0);
            high = bal_bin_of(s->spec, within(to > 0 ? to : 0), within(to < 0 ? -to : 0), 0);
        }
        s->n[worker * LINE_COUNTS] += low != high;
    }
    return BAL_OK;
}

BalStatus bal_edges_count(int64_t *out, const char *path, const BalScoresSpec *scores, const BalSelectSpec *spec,
                          BalError *err) {
    static const BalScoreColumn needed[] = {BAL_SCORE_SD_AUDIO, BAL_SCORE_SD_VISUAL, BAL_SCORE_EPOCHS_AUDIO,
                                            BAL_SCORE_EPOCHS_VISUAL};
    EdgeScan s = {.spec = spec};
    BalScoresFile *f = NULL;
    BalStatus rc;
    BAL_TRY(bal_scores_open(&f, path, scores, true, err));
    for (int i = 0; i < 4; i++)
        if (!bal_scores_has(f, needed[i])) {
            rc = BAL_FAIL(err, BAL_E_FORMAT,
                          "%s: has no column \"%s\", without which nothing is known about edges of bins", path,
                          bal_score_column_name(needed[i]));
            goto done;
        }
    const int n = bal_scores_workers(f);
    f->finds_doubled = true; /* another pass looks for them */
    BAL_TRY_OR(done, bal_alloc(&s.n, (size_t)n * LINE_COUNTS, sizeof *s.n, err));
    BAL_TRY_OR(done, bal_scores_scan(f, count_edges, &s, err));
    *out = 0;
    for (int i = 0; i < n; i++) *out += s.n[i * LINE_COUNTS];
done:
    bal_free(s.n);
    bal_scores_close(&f);
    return rc;
}
