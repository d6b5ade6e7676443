/* Clips of shards, and the selection from them: see shard.h. */
#include <string.h>

#include "analysis/scores_file.h"
#include "base/csv.h"
#include "base/file.h"
#include "base/mem.h"
#include "curate/key.h"
#include "curate/scan.h"
#include "curate/settings.h"
#include "curate/shard.h"

static BalStatus load_quotas(BalShardCounts *q, const char *path, BalError *err) {
    BAL_TRY(bal_shard_counts_load(q, path, err));
    if (q->x) return BAL_OK;
    bal_shard_counts_reset(q);
    return BAL_FAIL(err, BAL_E_FORMAT, "%s: are the counts of a shard; give the quotas that were merged from all",
                    path);
}

/* The plan of the quotas, made again from their counts; takes the tally over. */
static BalStatus plan_again(BalSelectResult *s, BalShardCounts *q, const char *path, BalError *err) {
    BAL_TRY(bal_selection_plan(s, &q->tally, &q->spec, err));
    s->n_gone = q->earlier_ids - q->earlier_found;
    if (memcmp(s->x, q->x, (size_t)s->n_classes * (size_t)s->n_bins * sizeof *s->x) != 0)
        return BAL_FAIL(err, BAL_E_MISMATCH,
                        "%s: another version of this program made other quotas; merge the counts again", path);
    return BAL_OK;
}

/* ---- a shard ---- */

static BalStatus save_picks(const BalPicks *p, const BalSelectResult *s, BalShard shard, const uint64_t digest[2],
                            const char *path, BalError *err) {
    BalText out = {0};
    BalJsonOut o = bal_json_out(&out, false);
    bal_text_add(&out, "# ");
    bal_json_open(&o, NULL, '{');
    bal_json_add_text(&o, "schema", "avbalance/picks/1");
    bal_json_add_int(&o, "shard", shard.index);
    bal_json_add_int(&o, "shards", shard.n);
    bal_json_add_digest(&o, "digest", digest);
    bal_json_add_digest(&o, "all", s->digest);
    bal_json_add_int(&o, "clips", (int64_t)p->n);
    bal_json_close(&o, '}');
    bal_text_char(&out, '\n');
    bal_picks_csv(p, s->label, s->n_bins, &out);
    BalStatus rc = bal_text_ok(&out, err);
    if (rc >= 0) rc = bal_file_write(path, out.data, out.len, err);
    bal_text_reset(&out);
    return rc;
}

static BalStatus pick_shard(BalPicks *picks, const BalSelectResult *s, const char *path, const BalScoresSpec *scores,
                            const BalSelectSpec *spec, const uint64_t digest[2], bool wide, BalError *err) {
    const int n_cells = s->n_classes * s->n_bins;
    BalSieve sieve = {0};
    BalScoresFile *f = NULL;
    uint64_t *limit = NULL, read[2];
    int lacking;
    BalStatus rc;
    BAL_TRY_OR(done, bal_alloc(&limit, (size_t)n_cells, sizeof *limit, err));
    bal_pick_limits(&s->parts->cells, s->x, limit);
    for (int i = 0; wide && i < n_cells; i++) limit[i] = UINT64_MAX;
    BAL_TRY_OR(done, bal_sieve_open(&sieve, spec, err));
    const BalScoresSpec with_source = bal_sieve_scores(spec, scores);
    BAL_TRY_OR(done, bal_scores_open(&f, path, &with_source, false, err));
    if (spec->per_source) BAL_TRY_OR(done, bal_sieve_find_caps(&sieve, f, err));
    f->finds_doubled = true; /* there are none: it was counted, and the digest will tell if it is another table */
    const BalPickCells cells = {s->label, s->n_classes, s->n_bins, limit};
    BAL_TRY_OR(done, bal_picks_scan(picks, read, &sieve, f, &cells, err));
    if (memcmp(read, digest, sizeof read) != 0) {
        rc = BAL_FAIL(err, BAL_E_MISMATCH, "%s: is not the table that was counted as this shard", path);
        goto done;
    }
    bal_picks_trim(picks, s->x, n_cells, &lacking); /* that a shard has less than the whole is as it should be */
done:
    bal_free(limit);
    bal_sieve_close(&sieve);
    bal_scores_close(&f);
    return rc;
}

BalStatus bal_shard_pick(const char *path, const BalScoresSpec *scores, const BalSelectSpec *spec, BalShard shard,
                         const char *quotas, bool wide, const char *out, BalError *err) {
    BalShardCounts q = {0};
    BalSelectResult s = {0};
    BalPicks picks = {0};
    BalStatus rc;
    BAL_TRY_OR(done, load_quotas(&q, quotas, err));
    if (shard.n != q.shard.n || shard.index < 1 || shard.index > shard.n) {
        rc = BAL_FAIL(err, BAL_E_ARG, "shard %d of %d: the quotas are for shards 1 to %d", shard.index, shard.n,
                      q.shard.n);
        goto done;
    }
    BAL_TRY_OR(done, plan_again(&s, &q, quotas, err));
    BalSelectSpec with_files = q.spec;
    with_files.must_keep = spec->must_keep;
    with_files.extend = spec->extend;
    with_files.sources = spec->sources;
    BAL_TRY_OR(done, pick_shard(&picks, &s, path, scores, &with_files, q.digest[shard.index - 1], wide, err));
    rc = save_picks(&picks, &s, shard, q.digest[shard.index - 1], out, err);
done:
    bal_picks_reset(&picks);
    bal_selection_reset(&s);
    bal_shard_counts_reset(&q);
    return rc;
}

/* ---- reading ---- */

static BalStatus read_head(BalShardPicks *p, int64_t *clips, const BalJson *v, const char *path, BalError *err) {
    const int64_t shard = bal_json_int(bal_json_get(v, "shard"), -1), n = bal_json_int(bal_json_get(v, "shards"), -1);
    *clips = bal_json_int(bal_json_get(v, "clips"), -1);
    if (strcmp(bal_json_text(bal_json_get(v, "schema"), ""), "avbalance/picks/1") != 0 || n < 1 ||
        n > BAL_MOST_SHARDS || shard < 1 || shard > n || *clips < 0)
        return BAL_FAIL(err, BAL_E_FORMAT, "%s: its first line is not that of the clips of a shard", path);
    p->shard = (BalShard){(int)shard, (int)n};
    BAL_TRY(bal_json_digest(p->digest, bal_json_get(v, "digest"), path, err));
    return bal_json_digest(p->all, bal_json_get(v, "all"), path, err);
}

/* A clip must lie in the class and the bin that it is said to. */
static BalStatus read_pick(BalShardPicks *p, const BalShardCounts *q, const BalNameIndex *labels, const BalCsv *csv,
                           BalError *err) {
    const BalField *f = csv->field;
    BalPick pick = {0};
    double bin;
    if (csv->n_fields != 6 || !f[0].n || !bal_parse_real_n(f[2].s, f[2].n, &bin) ||
        !bal_parse_real_n(f[3].s, f[3].n, &pick.u_audio) || !bal_parse_real_n(f[4].s, f[4].n, &pick.u_visual) ||
        !(pick.u_audio >= 0 && pick.u_audio <= 1 && pick.u_visual >= 0 && pick.u_visual <= 1))
        return BAL_FAIL(err, BAL_E_FORMAT, "%s: line %lld: is no clip", csv->name, (long long)csv->line + 1);
    const int64_t label = bal_name_index_find(labels, f[1].s, f[1].n);
    pick.key = bal_key64(f[0].s, f[0].n, q->spec.seed);
    pick.must = bal_field_is(&f[5], "must-keep");
    const int at = bal_bin_of(&q->spec, bal_quantise(pick.u_audio), bal_quantise(pick.u_visual), pick.key);
    if (label < 0 || bin != at)
        return BAL_FAIL(err, BAL_E_FORMAT, "%s: line %lld: the clip is of no class of the quotas, or in another bin",
                        csv->name, (long long)csv->line + 1);
    pick.cell = (int)label * q->tally.n_bins + at;
    return bal_picks_add(&p->picks, pick, f[0].s, f[0].n, err);
}

static BalStatus read_table(BalShardPicks *p, const BalShardCounts *q, BalCsv *csv, int64_t clips, BalError *err) {
    const char **names = NULL;
    BalNameIndex labels = {0};
    BalStatus rc;
    BAL_TRY(bal_alloc(&names, (size_t)q->tally.n_classes, sizeof *names, err));
    for (int c = 0; c < q->tally.n_classes; c++) names[c] = q->tally.classes[c].name;
    BAL_TRY_OR(done, bal_name_index_make(&labels, names, q->tally.n_classes, err));
    BAL_TRY_OR(done, bal_csv_next(csv, err)); /* header */
    while (rc == BAL_OK && (rc = bal_csv_next(csv, err)) == BAL_OK)
        BAL_TRY_OR(done, read_pick(p, q, &labels, csv, err));
    if (rc >= 0 && (int64_t)p->picks.n != clips)
        rc = BAL_FAIL(err, BAL_E_FORMAT, "%s: has %zu clips, its first line says %lld; the file is not whole",
                      csv->name, p->picks.n, (long long)clips);
done:
    bal_free(names);
    bal_name_index_reset(&labels);
    return rc < 0 ? rc : BAL_OK;
}

BalStatus bal_shard_picks_parse(BalShardPicks *p, const BalShardCounts *q, const char *data, size_t n, const char *path,
                                BalError *err) {
    const char *end = n > 2 && !memcmp(data, "# ", 2) ? memchr(data, '\n', n) : NULL;
    BalJson *head = NULL;
    BalCsv csv = {0};
    int64_t clips = 0;
    BalStatus rc;
    *p = (BalShardPicks){0};
    if (!end) return BAL_FAIL(err, BAL_E_FORMAT, "%s: are not the clips of a shard", path);
    BAL_TRY_OR(fail, bal_json_parse(&head, data + 2, (size_t)(end - data - 2), path, err));
    BAL_TRY_OR(fail, read_head(p, &clips, head, path, err));
    bal_csv_init(&csv, end + 1, n - (size_t)(end + 1 - data), ',', path);
    BAL_TRY_OR(fail, read_table(p, q, &csv, clips, err));
    bal_json_free(&head);
    bal_csv_reset(&csv);
    return BAL_OK;
fail:
    bal_json_free(&head);
    bal_csv_reset(&csv);
    bal_shard_picks_reset(p);
    return rc;
}

void bal_shard_picks_reset(BalShardPicks *p) {
    bal_picks_reset(&p->picks);
    *p = (BalShardPicks){0};
}

/* ---- all shards ---- */

static BalStatus add_picks(BalPicks *all, const BalShardCounts *q, bool *seen, const uint64_t digest[2],
                           const char *path, BalError *err) {
    BalShardPicks p = {0};
    BalMap map;
    BAL_TRY(bal_map_open(&map, path, err));
    BalStatus rc = bal_shard_picks_parse(&p, q, (const char *)map.data, map.size, path, err);
    bal_map_close(&map);
    BAL_TRY(rc);
    const int i = p.shard.index - 1;
    if (p.shard.n != q->shard.n || memcmp(p.all, digest, sizeof p.all) != 0 ||
        memcmp(p.digest, q->digest[i], sizeof p.digest) != 0)
        rc = BAL_FAIL(err, BAL_E_MISMATCH, "%s: was made for other quotas", path);
    else if (seen[i])
        rc = BAL_FAIL(err, BAL_E_MISMATCH, "%s: the clips of shard %d are there twice", path, i + 1);
    else
        rc = bal_picks_join(all, &p.picks, err);
    if (rc >= 0) seen[i] = true;
    bal_shard_picks_reset(&p);
    return rc;
}

/* Every clip that must be kept has come, which it has not where --must-keep was forgotten for a shard. */
static BalStatus check_must(const BalSelectResult *s, BalError *err) {
    int64_t n = 0;
    for (size_t i = 0; i < s->parts->picks.n; i++) n += s->parts->picks.pick[i].must;
    if (n == s->n_must) return BAL_OK;
    return BAL_FAIL(err, BAL_E_MISMATCH,
                    "%lld clips must be kept, the shards name %lld; give all of them the same --must-keep and --extend",
                    (long long)s->n_must, (long long)n);
}

/* No clip is in two shards. Clips that no shard named are not seen here; whether one of them was counted twice nobody knows. */
static BalStatus check_once(BalSelectResult *s, BalError *err) {
    const BalStatus rc = bal_picks_order(&s->parts->picks, err);
    return rc < 0 ? bal_error_add(err, rc, "two shards have the same clip; part the table anew and count again") : rc;
}

static BalStatus merge(BalSelectResult *s, BalShardCounts *q, const char *const *picks, int n, bool *seen,
                       BalError *err) {
    int lacking;
    for (int i = 0; i < n; i++) BAL_TRY(add_picks(&s->parts->picks, q, seen, s->digest, picks[i], err));
    for (int i = 0; i < q->shard.n; i++)
        if (!seen[i])
            return BAL_FAIL(err, BAL_E_MISMATCH, "the clips of shard %d of %d are missing", i + 1, q->shard.n);
    BAL_TRY(check_once(s, err));
    BAL_TRY(check_must(s, err));
    BAL_TRY(bal_picks_choose(&s->parts->picks, s->x, s->n_classes * s->n_bins, &lacking, err));
    if (lacking >= 0)
        return BAL_FAIL(
            err, BAL_E_MISMATCH,
            "\"%.100s\" in bin %d has fewer clips with small keys than all but one in 10^13 do; pick from all "
            "shards again with --wide",
            s->label[lacking / s->n_bins], lacking % s->n_bins);
    bal_selection_finish(s);
    return BAL_OK;
}

BalStatus bal_shard_merge(BalSelectResult *out, const char *const *picks, int n, const char *quotas, BalError *err) {
    BalShardCounts q = {0};
    BalSelectResult s = {0};
    BalTally labels = {0};
    bool *seen = NULL;
    BalStatus rc;
    BAL_TRY_OR(done, load_quotas(&q, quotas, err));
    BAL_TRY_OR(done, bal_alloc(&seen, (size_t)q.shard.n, sizeof *seen, err));
    labels.n_bins = q.tally.n_bins; /* the plan takes the counts over, readers of clips need the classes */
    BAL_TRY_OR(done, bal_tally_join(&labels, &q.tally, err));
    bal_tally_sort(&labels);
    BAL_TRY_OR(done, plan_again(&s, &q, quotas, err));
    q.tally = labels;
    labels = (BalTally){0};
    BAL_TRY_OR(done, merge(&s, &q, picks, n, seen, err));
    *out = s;
    s = (BalSelectResult){0};
done:
    bal_free(seen);
    bal_tally_reset(&labels);
    bal_selection_reset(&s);
    bal_shard_counts_reset(&q);
    return rc;
}
