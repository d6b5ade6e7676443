/* What the settings say about one row: see sieve.h. */
#include "curate/sieve.h"

#include <string.h>

#include "analysis/scores_file.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "curate/key.h"

/* ---- lists of ids ---- */

BalStatus bal_ids_add(BalIds *ids, const char *id, BalError *err) {
    bal_text_add(&ids->text, id);
    bal_text_char(&ids->text, '\0');
    ids->n++;
    return bal_text_ok(&ids->text, err);
}

static BalStatus add_lines(BalIds *ids, const char *path, bool must, BalError *err) {
    BalLines lines;
    BalStatus rc = bal_lines_read(&lines, path, err);
    if (rc >= 0 && must) rc = bal_alloc(&ids->line, (size_t)lines.n, sizeof *ids->line, err);
    for (int64_t i = 0; rc >= 0 && i < lines.n; i++) {
        if (!lines.line[i][0]) continue;
        if (must) ids->line[ids->n] = i + 1;
        rc = bal_ids_add(ids, lines.line[i], err);
    }
    bal_lines_reset(&lines);
    return rc;
}

/* A lock file: {"clips": [{"id": ...}, ...]}, or the clips as members by id. */
static BalStatus add_lock(BalIds *ids, const char *path, BalError *err) {
    BalJson *root = NULL;
    BAL_TRY(bal_json_load(&root, path, err));
    const BalJson *clips = bal_json_get(root, "clips");
    BalStatus rc = BAL_OK;
    for (size_t i = 0; rc >= 0 && bal_json_type(clips) == BAL_JSON_ARRAY && i < bal_json_size(clips); i++) {
        const char *id = bal_json_text(bal_json_get(bal_json_at(clips, i), "id"), NULL);
        rc = id && *id ? bal_ids_add(ids, id, err) : BAL_FAIL(err, BAL_E_FORMAT, "%s: clips[%zu] has no id", path, i);
    }
    for (void *it = bal_json_first(clips); rc >= 0 && it; it = bal_json_next(clips, it))
        rc = bal_ids_add(ids, bal_json_key(it), err);
    if (rc >= 0 && !bal_json_size(clips))
        rc = BAL_FAIL(err, BAL_E_FORMAT, "%s: has no clips; give a lock file, a folder of select or a list of ids",
                      path);
    bal_json_free(&root);
    return rc;
}

static BalStatus add_earlier(BalIds *ids, const char *path, BalError *err) {
    if (bal_has_suffix(path, ".json")) return add_lock(ids, path, err);
    if (!bal_is_dir(path)) return add_lines(ids, path, false, err);
    BalText list = {0};
    bal_path_join(&list, path, "selected.txt");
    BalStatus rc = bal_text_ok(&list, err);
    if (rc >= 0) rc = add_lines(ids, list.data, false, err);
    bal_text_reset(&list);
    return rc;
}

static BalStatus load_ids(BalIds *ids, const BalSelectSpec *spec, BalError *err) {
    if (spec->must_keep) BAL_TRY(add_lines(ids, spec->must_keep, true, err));
    ids->n_must = ids->n;
    if (spec->extend) BAL_TRY(add_earlier(ids, spec->extend, err));
    return bal_ids_ready(ids, err);
}

BalStatus bal_ids_ready(BalIds *ids, BalError *err) {
    BAL_TRY(bal_alloc(&ids->id, (size_t)ids->n, sizeof *ids->id, err));
    BAL_TRY(bal_alloc(&ids->seen, (size_t)ids->n, sizeof *ids->seen, err));
    const char *s = ids->text.data;
    for (int64_t i = 0; i < ids->n; i++, s += strlen(s) + 1) ids->id[i] = s;
    return bal_name_index_make(&ids->index, ids->id, ids->n, err);
}

BalStatus bal_sieve_open(BalSieve *s, const BalSelectSpec *spec, BalError *err) {
    *s = (BalSieve){.spec = spec};
    BalStatus rc = load_ids(&s->ids, spec, err);
    if (rc >= 0 && spec->per_source && spec->sources) rc = bal_sources_load(&s->sources, spec->sources, err);
    if (rc < 0) bal_sieve_close(s);
    return rc;
}

void bal_ids_reset(BalIds *ids) {
    bal_text_reset(&ids->text);
    bal_free(ids->id);
    bal_free(ids->line);
    bal_free(ids->seen);
    bal_name_index_reset(&ids->index);
    *ids = (BalIds){0};
}

void bal_sieve_close(BalSieve *s) {
    bal_ids_reset(&s->ids);
    bal_sources_reset(&s->sources);
    bal_caps_reset(&s->caps);
    *s = (BalSieve){0};
}

BalStatus bal_sieve_check(const BalSieve *s, const char *table, int64_t *n_gone, BalError *err) {
    const BalIds *ids = &s->ids;
    *n_gone = 0;
    for (int64_t i = 0; i < ids->n; i++) {
        const int64_t first = bal_name_index_find(&ids->index, ids->id[i], strlen(ids->id[i]));
        if (atomic_load_explicit(&ids->seen[first], memory_order_relaxed)) continue;
        if (i < ids->n_must)
            return BAL_FAIL(
                err, BAL_E_FORMAT,
                "%s: line %lld: %s has no clip \"%.100s\", which must be kept; remove the line or add the clip",
                s->spec->must_keep, (long long)ids->line[i], table, ids->id[i]);
        *n_gone += first == i;
    }
    return BAL_OK;
}

/* ---- rows ---- */

int bal_select_bins(const BalSelectSpec *spec) {
    return spec->grid ? spec->grid * spec->grid : spec->bins;
}

BalScoresSpec bal_sieve_scores(const BalSelectSpec *spec, const BalScoresSpec *scores) {
    BalScoresSpec s = scores ? *scores : (BalScoresSpec){0};
    if (!spec->per_source || spec->sources)
        s.source = NULL;
    else if (!s.source)
        s.source = "source";
    return s;
}

static bool must_keep(BalSieve *s, const BalScoreRow *row) {
    const int64_t i = s->ids.n ? bal_name_index_find(&s->ids.index, row->id.s, row->id.n) : -1;
    if (i >= 0) atomic_store_explicit(&s->ids.seen[i], 1, memory_order_relaxed);
    return i >= 0;
}

/* False: the row has no source, it is one of its own. */
static bool find_source(const BalSieve *s, const BalScoreRow *row, BalSourceHash *out) {
    if (s->spec->sources) {
        const int64_t i = bal_name_index_find(&s->sources.index, row->id.s, row->id.n);
        if (i >= 0) *out = s->sources.source[i];
        return i >= 0;
    }
    if (row->source.n) *out = bal_source_hash(row->source.s, row->source.n);
    return row->source.n > 0;
}

static int cell_of(int32_t q, int grid) {
    const int k = (int)((int64_t)q * grid / BAL_Q_ONE);
    return k < grid ? k : grid - 1;
}

int bal_bin_of(const BalSelectSpec *spec, int32_t q_audio, int32_t q_visual, uint64_t key) {
    if (!spec->grid) return bal_bin_of_d(q_audio, q_visual, spec->bins, key);
    return cell_of(q_audio, spec->grid) * spec->grid + cell_of(q_visual, spec->grid);
}

void bal_sieve_place(BalSieve *s, const BalScoreRow *row, bool with_key, BalPlace *out) {
    const BalSelectSpec *spec = s->spec;
    BalSourceHash source;
    const int32_t a = bal_quantise(row->u_audio), v = bal_quantise(row->u_visual);
    *out = (BalPlace){.q_audio = a, .q_visual = v};
    if (with_key || a == v || s->caps.n) out->key = bal_key64(row->id.s, row->id.n, spec->seed);
    out->bin = bal_bin_of(spec, a, v, out->key);
    out->must = must_keep(s, row);
    if (s->caps.n && !out->must && find_source(s, row, &source)) {
        const BalSourceKey key = bal_source_key(source, row->label, out->key, false);
        out->capped = bal_caps_beyond(&s->caps, &key);
    }
}

/* ---- caps ---- */

typedef struct CapScan {
    BalSieve *sieve;
    BalCapsPart *part; /* [workers] */
} CapScan;

static BalStatus take_sources(void *user, int64_t chunk, int worker, const BalScoreRow *row, int n, BalError *err) {
    (void)chunk;
    const CapScan *c = user;
    BalCapsPart *p = &c->part[worker];
    BAL_TRY(bal_grow(&p->key, &p->cap, p->n + (size_t)n, sizeof *p->key, err));
    for (int i = 0; i < n; i++) {
        BalSourceHash source;
        if (!find_source(c->sieve, &row[i], &source)) continue;
        const uint64_t key = bal_key64(row[i].id.s, row[i].id.n, c->sieve->spec->seed);
        p->key[p->n++] = bal_source_key(source, row[i].label, key, must_keep(c->sieve, &row[i]));
    }
    return BAL_OK;
}

BalStatus bal_sieve_find_caps(BalSieve *s, BalScoresFile *f, BalError *err) {
    const int n = bal_scores_workers(f);
    CapScan c = {.sieve = s};
    BAL_TRY(bal_alloc(&c.part, (size_t)n, sizeof *c.part, err));
    BalStatus rc = bal_scores_scan(f, take_sources, &c, err);
    if (rc >= 0) rc = bal_caps_make(&s->caps, c.part, n, s->spec->per_source, err);
    for (int i = 0; i < n; i++) bal_free(c.part[i].key);
    bal_free(c.part);
    return rc;
}
