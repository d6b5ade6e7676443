/* Counts of shards, and quotas from them: see shard.h. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "curate/scan.h"
#include "curate/settings.h"
#include "curate/shard.h"

enum { LEANING = sizeof(BalLeaning) / sizeof(int64_t) };
static const char *const matrices[BAL_COUNTS] = {"all", "beyond_source", "must"};

/* ---- writing ---- */

static void add_list(BalJsonOut *o, const char *key, int64_t ids, int64_t found) {
    bal_json_open(o, key, '{');
    bal_json_add_int(o, "ids", ids);
    bal_json_add_int(o, "found", found);
    bal_json_close(o, '}');
}

static void add_tally(BalJsonOut *o, const BalTally *t) {
    bal_json_add_digest(o, "digest", t->digest);
    bal_json_open(o, "labels", '[');
    for (int c = 0; c < t->n_classes; c++) bal_json_add_text(o, NULL, t->classes[c].name);
    bal_json_close(o, ']');
    for (int i = 0; i < BAL_COUNTS; i++) {
        bal_json_open(o, matrices[i], '[');
        for (int c = 0; c < t->n_classes; c++) bal_json_add_counts(o, NULL, t->classes[c].count[i], 0, t->n_bins);
        bal_json_close(o, ']');
    }
    bal_json_open(o, "leaning", '[');
    for (int c = 0; c < t->n_classes; c++)
        bal_json_add_counts(o, NULL, (const int64_t *)&t->classes[c].leaning, 0, LEANING);
    bal_json_close(o, ']');
}

static void write_counts(const BalShardCounts *c, BalText *out) {
    BalJsonOut o = bal_json_out(out, false);
    bal_json_open(&o, NULL, '{');
    bal_json_add_text(&o, "schema", c->x ? "avbalance/quotas/1" : "avbalance/counts/1");
    if (!c->x) bal_json_add_int(&o, "shard", c->shard.index);
    bal_json_add_int(&o, "shards", c->shard.n);
    bal_json_add_int(&o, "bins", c->spec.bins);
    bal_json_add_int(&o, "grid", c->spec.grid);
    bal_json_add_int(&o, "per_source", c->spec.per_source);
    bal_json_add_int(&o, "seed", (int64_t)c->spec.seed);
    if (c->x) bal_settings_add(&o, &c->spec);
    add_list(&o, "must_keep", c->must_ids, c->must_found);
    add_list(&o, "earlier", c->earlier_ids, c->earlier_found);
    bal_json_add_int(&o, "rows", c->rows);
    add_tally(&o, &c->tally);
    if (c->x) {
        bal_json_add_counts(&o, "kept", c->x, c->tally.n_classes, c->tally.n_bins);
        bal_json_open(&o, "digests", '[');
        for (int i = 0; i < c->shard.n; i++) bal_json_add_digest(&o, NULL, c->digest[i]);
        bal_json_close(&o, ']');
    }
    bal_json_close(&o, '}');
    bal_text_char(out, '\n');
}

static BalStatus save_counts(const BalShardCounts *c, const char *path, BalError *err) {
    BalText text = {0};
    write_counts(c, &text);
    BalStatus rc = bal_text_ok(&text, err);
    if (rc >= 0) rc = bal_file_write(path, text.data, text.len, err);
    bal_text_reset(&text);
    return rc;
}

/* ---- reading ---- */

static int64_t whole(const BalJson *object, const char *key, int64_t most) {
    const int64_t n = bal_json_int(bal_json_get(object, key), -1);
    return n <= most ? n : -1;
}

static BalStatus read_leaning(BalLeaning *to, const BalJson *v, int64_t rows, const char *path, BalError *err) {
    int64_t *x = (int64_t *)to;
    for (int i = 0; i < LEANING; i++) {
        x[i] = bal_json_int(bal_json_at(v, (size_t)i), -1);
        if (x[i] < 0 || x[i] / 100000000 > rows)
            return BAL_FAIL(err, BAL_E_FORMAT, "%s: \"leaning\" holds something that is not a sum over its clips",
                            path);
    }
    return BAL_OK;
}

static BalStatus read_tally(BalShardCounts *c, const BalJson *root, const char *path, BalError *err) {
    const BalJson *labels = bal_json_get(root, "labels");
    const size_t n = bal_json_size(labels);
    int64_t rows = 0;
    if (bal_json_type(labels) != BAL_JSON_ARRAY || !n || n > BAL_MOST_SELECT_CLASSES)
        return BAL_FAIL(err, BAL_E_FORMAT, "%s: \"labels\" is not a list of 1 to %d texts", path,
                        BAL_MOST_SELECT_CLASSES);
    for (size_t k = 0; k < n; k++) {
        const char *name = bal_json_text(bal_json_at(labels, k), NULL);
        int at;
        if (!name || (k && strcmp(name, c->tally.classes[k - 1].name) <= 0))
            return BAL_FAIL(err, BAL_E_FORMAT, "%s: label %zu is no text, or not behind the one before it", path, k);
        BAL_TRY(bal_tally_class(&c->tally, name, strlen(name), &at, err));
        BalClassTally *t = &c->tally.classes[k];
        for (int i = 0; i < BAL_COUNTS; i++)
            BAL_TRY(bal_json_counts(t->count[i], bal_json_at(bal_json_get(root, matrices[i]), k), 0, c->tally.n_bins,
                                    matrices[i], path, err));
        for (int b = 0; b < c->tally.n_bins; b++) {
            rows += t->count[BAL_COUNT_ALL][b];
            if (rows > c->rows || t->count[BAL_COUNT_CAPPED][b] > t->count[BAL_COUNT_ALL][b] ||
                t->count[BAL_COUNT_MUST][b] > t->count[BAL_COUNT_ALL][b] - t->count[BAL_COUNT_CAPPED][b])
                return BAL_FAIL(err, BAL_E_FORMAT,
                                "%s: \"%.100s\" in bin %d has numbers of clips that do not fit together", path, name,
                                b);
        }
        BAL_TRY(read_leaning(&t->leaning, bal_json_at(bal_json_get(root, "leaning"), k), c->rows, path, err));
    }
    if (rows != c->rows) return BAL_FAIL(err, BAL_E_FORMAT, "%s: the clips add up to other than \"rows\"", path);
    return bal_json_digest(c->tally.digest, bal_json_get(root, "digest"), path, err);
}

static BalStatus read_plan(BalShardCounts *c, const BalJson *root, const char *path, BalError *err) {
    const int n_classes = c->tally.n_classes, n_bins = c->tally.n_bins;
    const BalJson *digests = bal_json_get(root, "digests");
    const BalSelectSpec counted = c->spec;
    BAL_TRY(bal_settings_read(&c->spec, root, path, err));
    if (c->spec.bins != counted.bins || c->spec.grid != counted.grid || c->spec.seed != counted.seed ||
        c->spec.per_source != counted.per_source)
        return BAL_FAIL(err, BAL_E_FORMAT, "%s: the settings are not those of the counts", path);
    BAL_TRY(bal_alloc(&c->x, (size_t)n_classes * (size_t)n_bins, sizeof *c->x, err));
    BAL_TRY(bal_json_counts(c->x, bal_json_get(root, "kept"), n_classes, n_bins, "kept", path, err));
    if (bal_json_size(digests) != (size_t)c->shard.n)
        return BAL_FAIL(err, BAL_E_FORMAT, "%s: there is not one digest per shard", path);
    BAL_TRY(bal_alloc(&c->digest, (size_t)c->shard.n, sizeof *c->digest, err));
    for (int i = 0; i < c->shard.n; i++)
        BAL_TRY(bal_json_digest(c->digest[i], bal_json_at(digests, (size_t)i), path, err));
    return BAL_OK;
}

static BalStatus read_counts(BalShardCounts *c, const BalJson *root, const char *path, BalError *err) {
    const char *schema = bal_json_text(bal_json_get(root, "schema"), "");
    const bool quotas = !strcmp(schema, "avbalance/quotas/1");
    const BalJson *must = bal_json_get(root, "must_keep"), *earlier = bal_json_get(root, "earlier");
    if (!quotas && strcmp(schema, "avbalance/counts/1") != 0)
        return BAL_FAIL(err, BAL_E_FORMAT, "%s: are no counts of a shard, nor quotas (its schema is \"%.60s\")", path,
                        schema);
    const int64_t shard = quotas ? 0 : whole(root, "shard", BAL_MOST_SHARDS),
                  n = whole(root, "shards", BAL_MOST_SHARDS), bins = whole(root, "bins", 200),
                  grid = whole(root, "grid", 30);
    c->shard = (BalShard){(int)shard, (int)n};
    c->spec = bal_select_spec_default();
    c->spec.bins = (int)bins;
    c->spec.grid = (int)grid;
    c->spec.per_source = whole(root, "per_source", BAL_MOST_CLIPS);
    c->spec.seed = (uint64_t)whole(root, "seed", INT64_MAX);
    c->rows = whole(root, "rows", BAL_MOST_ROWS);
    c->must_ids = whole(must, "ids", BAL_MOST_ROWS);
    c->must_found = whole(must, "found", c->must_ids);
    c->earlier_ids = whole(earlier, "ids", BAL_MOST_ROWS);
    c->earlier_found = whole(earlier, "found", c->earlier_ids);
    if (n < 1 || shard < !quotas || shard > n || bins < 2 || grid < 0 || c->spec.per_source < 0 || c->rows < 1 ||
        (int64_t)c->spec.seed < 0 || c->must_found < 0 || c->earlier_found < 0)
        return BAL_FAIL(err, BAL_E_FORMAT, "%s: a number is missing or not what it is called; make the file again",
                        path);
    BAL_TRY(bal_select_spec_check(&c->spec, err));
    c->tally.n_bins = grid ? (int)(grid * grid) : (int)bins;
    BAL_TRY(read_tally(c, root, path, err));
    return quotas ? read_plan(c, root, path, err) : BAL_OK;
}

BalStatus bal_shard_counts_parse(BalShardCounts *c, BalJson **root, const char *path, BalError *err) {
    *c = (BalShardCounts){0};
    BalStatus rc = read_counts(c, *root, path, err);
    bal_json_free(root);
    if (rc < 0) bal_shard_counts_reset(c);
    return rc;
}

BalStatus bal_shard_counts_load(BalShardCounts *c, const char *path, BalError *err) {
    BalJson *root = NULL;
    BAL_TRY(bal_json_load(&root, path, err));
    return bal_shard_counts_parse(c, &root, path, err);
}

void bal_shard_counts_reset(BalShardCounts *c) {
    bal_tally_reset(&c->tally);
    bal_free(c->x);
    bal_free(c->digest);
    *c = (BalShardCounts){0};
}

/* ---- a shard ---- */

static void count_lists(BalShardCounts *c, const BalIds *ids) {
    for (int64_t i = 0; i < ids->n; i++) {
        if (bal_name_index_find(&ids->index, ids->id[i], strlen(ids->id[i])) != i) continue; /* the same once more */
        const bool found = atomic_load_explicit(&ids->seen[i], memory_order_relaxed);
        *(i < ids->n_must ? &c->must_ids : &c->earlier_ids) += 1;
        *(i < ids->n_must ? &c->must_found : &c->earlier_found) += found;
    }
}

BalStatus bal_shard_count(const char *path, const BalScoresSpec *scores, const BalSelectSpec *spec, BalShard shard,
                          const char *out, BalError *err) {
    BalShardCounts c = {.shard = shard, .spec = *spec};
    BalSieve sieve = {0};
    BalScoresFile *f = NULL;
    BalStatus rc;
    if (shard.n < 1 || shard.n > BAL_MOST_SHARDS || shard.index < 1 || shard.index > shard.n)
        return BAL_FAIL(err, BAL_E_ARG,
                        "shard %d of %d: give a number from 1 to the number of shards, which is at most %d",
                        shard.index, shard.n, BAL_MOST_SHARDS);
    BAL_TRY_OR(done, bal_select_spec_check(spec, err));
    BAL_TRY_OR(done, bal_sieve_open(&sieve, spec, err));
    BAL_TRY_OR(done, bal_table_count(&c.tally, &sieve, &f, path, scores, err));
    count_lists(&c, &sieve.ids);
    for (int k = 0; k < c.tally.n_classes; k++) c.rows += c.tally.classes[k].leaning.n;
    rc = save_counts(&c, out, err);
done:
    bal_sieve_close(&sieve);
    bal_scores_close(&f);
    bal_shard_counts_reset(&c);
    return rc;
}

/* ---- all shards ---- */

#define DIFFERS(...) BAL_FAIL(err, BAL_E_MISMATCH, __VA_ARGS__)

/* The place of a shard must be free, and its settings those of the first; its digest goes there. */
static BalStatus place_shard(BalShardCounts *sum, const BalShardCounts *c, bool *seen, const char *path,
                             BalError *err) {
    if (c->x) return BAL_FAIL(err, BAL_E_FORMAT, "%s: are quotas, not counts of a shard", path);
    if (c->shard.n != sum->shard.n)
        return DIFFERS("%s: is one of %d shards, the first file is one of %d", path, c->shard.n, sum->shard.n);
    if (c->spec.bins != sum->spec.bins || c->spec.grid != sum->spec.grid || c->spec.seed != sum->spec.seed ||
        c->spec.per_source != sum->spec.per_source || c->must_ids != sum->must_ids ||
        c->earlier_ids != sum->earlier_ids)
        return DIFFERS("%s: was counted with other bins, seed, caps or lists of ids than the first file", path);
    if (seen[c->shard.index - 1]) return DIFFERS("%s: shard %d is there twice", path, c->shard.index);
    seen[c->shard.index - 1] = true;
    memcpy(sum->digest[c->shard.index - 1], c->tally.digest, sizeof sum->digest[0]);
    if (sum->rows + c->rows > BAL_MOST_ROWS)
        return BAL_FAIL(err, BAL_E_FORMAT, "%s: the shards have more than %lld clips", path, (long long)BAL_MOST_ROWS);
    return BAL_OK;
}

static BalStatus add_shard(BalShardCounts *sum, bool **seen, const char *path, BalError *err) {
    BalShardCounts c = {0};
    BalStatus rc;
    BAL_TRY(bal_shard_counts_load(&c, path, err));
    if (!*seen) {
        sum->shard.n = c.shard.n;
        sum->spec = c.spec;
        sum->must_ids = c.must_ids;
        sum->earlier_ids = c.earlier_ids;
        sum->tally.n_bins = c.tally.n_bins;
        BAL_TRY_OR(done, bal_alloc(seen, (size_t)c.shard.n, sizeof **seen, err));
        BAL_TRY_OR(done, bal_alloc(&sum->digest, (size_t)c.shard.n, sizeof *sum->digest, err));
    }
    BAL_TRY_OR(done, place_shard(sum, &c, *seen, path, err));
    BAL_TRY_OR(done, bal_tally_join(&sum->tally, &c.tally, err));
    sum->rows += c.rows;
    sum->must_found += c.must_found;
    sum->earlier_found += c.earlier_found;
done:
    bal_shard_counts_reset(&c);
    return rc;
}

typedef struct Rows {
    uint64_t digest[2];
    int shard;
} Rows;

static int by_digest(const void *a, const void *b) {
    return memcmp(((const Rows *)a)->digest, ((const Rows *)b)->digest, sizeof((const Rows *)a)->digest);
}

/* One table that was counted as two shards. */
static BalStatus find_same(const BalShardCounts *sum, BalError *err) {
    Rows *rows = NULL;
    BalStatus rc = BAL_OK;
    BAL_TRY(bal_alloc(&rows, (size_t)sum->shard.n, sizeof *rows, err));
    for (int i = 0; i < sum->shard.n; i++) rows[i] = (Rows){{sum->digest[i][0], sum->digest[i][1]}, i + 1};
    qsort(rows, (size_t)sum->shard.n, sizeof *rows, by_digest);
    for (int i = 1; i < sum->shard.n && rc >= 0; i++)
        if (!by_digest(&rows[i - 1], &rows[i]))
            rc = DIFFERS("the shards %d and %d have the same rows", rows[i - 1].shard, rows[i].shard);
    bal_free(rows);
    return rc;
}

static BalStatus add_shards(BalShardCounts *sum, const char *const *path, int n, BalError *err) {
    bool *seen = NULL;
    BalStatus rc = BAL_OK;
    for (int i = 0; i < n && rc >= 0; i++) rc = add_shard(sum, &seen, path[i], err);
    for (int i = 0; i < sum->shard.n && rc >= 0; i++)
        if (!seen[i]) rc = DIFFERS("the counts of shard %d of %d are missing", i + 1, sum->shard.n);
    if (rc >= 0) rc = find_same(sum, err);
    if (rc >= 0 && (sum->must_found > sum->must_ids || sum->earlier_found > sum->earlier_ids))
        rc = DIFFERS("a clip of --must-keep or --extend is in two shards; part the table anew and count again");
    if (rc >= 0 && sum->must_found != sum->must_ids)
        rc =
            BAL_FAIL(err, BAL_E_FORMAT,
                     "of %lld clips that must be kept the shards have %lld; take the others out of --must-keep, or add "
                     "them to a shard",
                     (long long)sum->must_ids, (long long)sum->must_found);
    bal_free(seen);
    return rc;
}

BalStatus bal_shard_quotas(BalSelectResult *out, const char *const *counts, int n, const BalSelectSpec *spec,
                           const char *quotas, BalError *err) {
    BalShardCounts sum = {0};
    BalSelectResult s = {0};
    BalTally copy = {0};
    BalStatus rc;
    if (n < 1) return BAL_FAIL(err, BAL_E_ARG, "there are no counts to merge");
    BAL_TRY_OR(done, add_shards(&sum, counts, n, err));
    bal_tally_sort(&sum.tally);
    const BalSelectSpec counted = sum.spec;
    sum.spec = *spec;
    sum.spec.bins = counted.bins;
    sum.spec.grid = counted.grid;
    sum.spec.per_source = counted.per_source;
    sum.spec.seed = counted.seed;
    sum.spec.must_keep = sum.spec.extend = sum.spec.sources = NULL;
    BAL_TRY_OR(done, bal_select_spec_check(&sum.spec, err));
    copy.n_bins = sum.tally.n_bins;
    BAL_TRY_OR(done, bal_tally_join(&copy, &sum.tally, err));
    bal_tally_sort(&copy);
    BAL_TRY_OR(done, bal_selection_plan(&s, &copy, &sum.spec, err));
    s.n_gone = sum.earlier_ids - sum.earlier_found;
    BAL_TRY_OR(done, bal_alloc(&sum.x, (size_t)s.n_classes * (size_t)s.n_bins, sizeof *sum.x, err));
    memcpy(sum.x, s.x, (size_t)s.n_classes * (size_t)s.n_bins * sizeof *sum.x);
    BAL_TRY_OR(done, save_counts(&sum, quotas, err));
    *out = s;
    s = (BalSelectResult){0};
done:
    bal_tally_reset(&copy);
    bal_selection_reset(&s);
    bal_shard_counts_reset(&sum);
    return rc;
}
