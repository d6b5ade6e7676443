/* Caps per source: see caps.h. The clips of a source are brought together by sorting, which depends on no order of theirs. */
#include "curate/caps.h"

#include <stdlib.h>
#include <string.h>

#include "analysis/scores_file.h"
#include "base/file.h"
#include "base/mem.h"
#include "curate/key.h"

BalSourceHash bal_source_hash(const char *s, size_t n) {
    return (BalSourceHash){{bal_id_hash(s, n), bal_key64(s, n, 0)}};
}

static int by_hash(const BalSourceHash *a, const BalSourceHash *b) {
    for (int i = 0; i < 2; i++)
        if (a->hash[i] != b->hash[i]) return a->hash[i] < b->hash[i] ? -1 : 1;
    return 0;
}

/* ---- sources from a file ---- */

static BalStatus find_columns(BalCsv *csv, int column[2], BalError *err) {
    static const char *const name[2] = {"id", "source"};
    BalStatus rc = bal_csv_next(csv, err);
    if (rc < 0) return rc;
    for (int k = 0; k < 2; k++) {
        column[k] = -1;
        for (int i = 0; rc == BAL_OK && i < csv->n_fields; i++)
            if (bal_field_is(&csv->field[i], name[k])) column[k] = i;
        if (column[k] < 0)
            return BAL_FAIL(err, BAL_E_FORMAT, "%s: there is no column \"%s\"; a table of sources has id and source",
                            csv->name, name[k]);
    }
    return BAL_OK;
}

static BalStatus read_sources(BalSources *s, BalCsv *csv, size_t **at, BalError *err) {
    size_t at_cap = 0, source_cap = 0;
    BalStatus rc;
    int column[2];
    BAL_TRY(find_columns(csv, column, err));
    while ((rc = bal_csv_next(csv, err)) == BAL_OK) {
        if (csv->n_fields <= column[0] || csv->n_fields <= column[1])
            return BAL_FAIL(err, BAL_E_FORMAT, "%s: line %lld: has only %d fields", csv->name, (long long)csv->line,
                            csv->n_fields);
        const BalField *id = &csv->field[column[0]], *source = &csv->field[column[1]];
        if (!id->n || !source->n)
            return BAL_FAIL(err, BAL_E_FORMAT, "%s: line %lld: the %s is empty", csv->name, (long long)csv->line,
                            id->n ? "source" : "id");
        BAL_TRY(bal_grow(at, &at_cap, (size_t)s->n + 1, sizeof **at, err));
        BAL_TRY(bal_grow(&s->source, &source_cap, (size_t)s->n + 1, sizeof *s->source, err));
        (*at)[s->n] = s->ids.len;
        s->source[s->n++] = bal_source_hash(source->s, source->n);
        bal_text_add_n(&s->ids, id->s, id->n);
        bal_text_char(&s->ids, '\0');
    }
    return rc < 0 ? rc : bal_text_ok(&s->ids, err);
}

/* Of a doubled id the index finds the first. */
static BalStatus index_sources(BalSources *s, const char *path, const size_t *at, BalError *err) {
    BAL_TRY(bal_alloc(&s->id, (size_t)s->n, sizeof *s->id, err));
    for (int64_t i = 0; at && i < s->n; i++) s->id[i] = s->ids.data + at[i];
    BAL_TRY(bal_name_index_make(&s->index, s->id, s->n, err));
    for (int64_t i = 0; i < s->n; i++) {
        const int64_t first = bal_name_index_find(&s->index, s->id[i], strlen(s->id[i]));
        if (by_hash(&s->source[first], &s->source[i]))
            return BAL_FAIL(err, BAL_E_FORMAT, "%s: the id \"%s\" has two different sources", path, s->id[i]);
    }
    return BAL_OK;
}

BalStatus bal_sources_load(BalSources *s, const char *path, BalError *err) {
    BalMap map;
    BalCsv csv = {0};
    size_t *at = NULL;
    BalStatus rc;
    *s = (BalSources){0};
    BAL_TRY(bal_map_open(&map, path, err));
    bal_csv_init(&csv, map.data, map.size, bal_table_separator((const char *)map.data, map.size), path);
    rc = read_sources(s, &csv, &at, err);
    if (rc >= 0) rc = index_sources(s, path, at, err);
    if (rc < 0) bal_sources_reset(s);
    bal_free(at);
    bal_csv_reset(&csv);
    bal_map_close(&map);
    return rc;
}

void bal_sources_reset(BalSources *s) {
    bal_text_reset(&s->ids);
    bal_free(s->id);
    bal_free(s->source);
    bal_name_index_reset(&s->index);
    *s = (BalSources){0};
}

/* ---- caps ---- */

BalSourceKey bal_source_key(BalSourceHash source, BalScoreText label, uint64_t key, bool must) {
    const uint64_t l = bal_id_hash(label.s, label.n);
    return (BalSourceKey){{{source.hash[0] + l, source.hash[1] ^ (l << 32 | l >> 32)}}, must ? 0 : key ? key : 1};
}

static int by_order(const void *a, const void *b) {
    const BalSourceKey *x = a, *y = b;
    const int c = by_hash(&x->of, &y->of);
    return c ? c : (x->order > y->order) - (x->order < y->order);
}

static BalStatus gather(BalCapsPart *part, int n_parts, BalSourceKey **out, size_t *n, BalError *err) {
    *n = 0;
    for (int i = 0; i < n_parts; i++) *n += part[i].n;
    BAL_TRY(bal_alloc(out, *n, sizeof **out, err));
    *n = 0;
    for (int i = 0; i < n_parts; i++) {
        if (part[i].n) memcpy(*out + *n, part[i].key, part[i].n * sizeof **out);
        *n += part[i].n;
        bal_free(part[i].key);
        part[i] = (BalCapsPart){0};
    }
    return BAL_OK;
}

BalStatus bal_caps_make(BalCaps *c, BalCapsPart *part, int n_parts, int64_t most, BalError *err) {
    BalSourceKey *key = NULL;
    size_t n, cap = 0;
    BalStatus rc = BAL_OK;
    BAL_TRY(gather(part, n_parts, &key, &n, err));
    qsort(key, n, sizeof *key, by_order);
    for (size_t i = 0, end; i < n; i = end) {
        for (end = i + 1; end < n && !by_hash(&key[i].of, &key[end].of);) end++;
        if (end - i <= (size_t)most) continue;
        size_t first = i + (size_t)most; /* that is too many */
        while (first < end && !key[first].order) first++;
        if (first == end) continue;
        BAL_TRY_OR(done, bal_grow(&c->over, &cap, (size_t)c->n + 1, sizeof *c->over, err));
        c->over[c->n++] = key[first];
    }
done:
    bal_free(key);
    return rc;
}

bool bal_caps_beyond(const BalCaps *c, const BalSourceKey *key) {
    int64_t low = 0, high = c->n;
    while (low < high) {
        const int64_t middle = low + (high - low) / 2;
        const int order = by_hash(&c->over[middle].of, &key->of);
        if (!order) return key->order >= c->over[middle].order;
        *(order < 0 ? &low : &high) = order < 0 ? middle + 1 : middle;
    }
    return false;
}

void bal_caps_reset(BalCaps *c) {
    bal_free(c->over);
    *c = (BalCaps){0};
}
