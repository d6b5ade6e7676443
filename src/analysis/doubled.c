/* Is any id in the table twice? Ascending ids cannot be. Otherwise the 64-bit hashes noted by the scan, which each chunk has dealt into
 * heaps by their top bits while they were in the cache, go heap by heap into a small hash table that fits the cache.
 * Equal hashes are only a suspicion (one in a million tables of ten million rows has such a pair by chance): the file is then read
 * again for the ids themselves, which also tells their lines. */
#include <string.h>

#include "analysis/scores_file.h"
#include "base/mem.h"
#include "base/thread.h"

#define HEAPS         512
#define HEAPS_PER_JOB 16
#define HEAP(hash)    ((hash) >> 55)
#define MAX_SEEN      1024

typedef struct Table {
    uint64_t *place;
    size_t cap;
} Table;

typedef struct Doubled {
    const BalScoresFile *f;
    Table *table;            /* [threads] */
    uint64_t suspect[HEAPS]; /* per heap the first hash that came twice; 0: none */
} Doubled;

static bool is_ascending(const BalScoresFile *f) {
    const BalScoresChunk *before = NULL;
    for (int64_t i = 0; i < f->n_chunks; i++) {
        const BalScoresChunk *c = &f->chunk[i];
        if (!c->n) continue;
        if (!c->ascending || (before && bal_id_compare(before->last, c->first) >= 0)) return false;
        before = c;
    }
    return true;
}

/* Counting sort by the top bits. */
BalStatus bal_scores_deal_hashes(BalScoresChunk *c, const uint64_t *hash, BalArena *arena, BalError *err) {
    uint32_t next[HEAPS] = {0}, sum = 0;
    BAL_TRY(bal_arena_take(arena, &c->hash, (size_t)c->n, sizeof *c->hash, err));
    BAL_TRY(bal_arena_take(arena, &c->heap_at, HEAPS + 1, sizeof *c->heap_at, err));
    for (int64_t i = 0; i < c->n; i++) next[HEAP(hash[i])]++;
    for (int h = 0; h < HEAPS; h++) {
        c->heap_at[h] = sum;
        sum += next[h];
        next[h] = c->heap_at[h];
    }
    c->heap_at[HEAPS] = sum;
    for (int64_t i = 0; i < c->n; i++) c->hash[next[HEAP(hash[i])]++] = hash[i];
    return BAL_OK;
}

/* Open addressing; 0 marks a free place, and the hash 0 itself is stored as 1 (a suspicion more, never one less). */
static BalStatus check_heap(Doubled *d, int heap, Table *t, BalError *err) {
    const BalScoresFile *f = d->f;
    uint64_t n = 0, places = 16;
    for (int64_t i = 0; i < f->n_chunks; i++) n += f->chunk[i].heap_at[heap + 1] - f->chunk[i].heap_at[heap];
    while (places < 2 * n) places *= 2;
    BAL_TRY(bal_grow(&t->place, &t->cap, places, sizeof *t->place, err));
    memset(t->place, 0, places * sizeof *t->place);
    for (int64_t i = 0; i < f->n_chunks; i++) {
        const BalScoresChunk *c = &f->chunk[i];
        for (uint32_t k = c->heap_at[heap]; k < c->heap_at[heap + 1]; k++) {
            uint64_t h = c->hash[k], place = h;
            if (!h) h = 1;
            while (t->place[place &= places - 1] && t->place[place] != h) place++;
            if (t->place[place] == h) {
                d->suspect[heap] = h;
                return BAL_OK;
            }
            t->place[place] = h;
        }
    }
    return BAL_OK;
}

static BalStatus check_heaps(void *user, int64_t job, int worker, BalError *err) {
    Doubled *d = user;
    for (int h = 0; h < HEAPS_PER_JOB; h++)
        BAL_TRY(check_heap(d, (int)job * HEAPS_PER_JOB + h, &d->table[worker], err));
    return BAL_OK;
}

typedef struct Search {
    const Doubled *d;
    const char *path;
    BalText ids; /* of the suspects met so far, one after the other */
    struct {
        size_t at, n;
        int64_t line;
    } seen[MAX_SEEN];
    int n_seen;
} Search;

static BalStatus search_row(void *user, const BalScoreRow *row, int64_t line, BalError *err) {
    Search *s = user;
    uint64_t h = bal_id_hash(row->id.s, row->id.n);
    if (!h) h = 1;
    if (s->d->suspect[HEAP(h)] != h) return BAL_OK;
    for (int i = 0; i < s->n_seen; i++)
        if (s->seen[i].n == row->id.n && !memcmp(s->ids.data + s->seen[i].at, row->id.s, row->id.n))
            return BAL_FAIL(err, BAL_E_FORMAT,
                            "%s: line %lld: the id \"%.*s\" stands in line %lld already; every clip needs one row",
                            s->path, (long long)line, (int)(row->id.n < 100 ? row->id.n : 100), row->id.s,
                            (long long)s->seen[i].line);
    if (s->n_seen < (int)(sizeof s->seen / sizeof *s->seen)) {
        s->seen[s->n_seen].at = s->ids.len;
        s->seen[s->n_seen].n = row->id.n;
        s->seen[s->n_seen++].line = line;
        bal_text_add_n(&s->ids, row->id.s, row->id.n);
    }
    return bal_text_ok(&s->ids, err);
}

BalStatus bal_scores_check_doubled(const BalScoresFile *f, BalError *err) {
    if (is_ascending(f)) return BAL_OK;
    Doubled d = {.f = f};
    BalStatus rc;
    BAL_TRY(bal_alloc(&d.table, (size_t)f->threads, sizeof *d.table, err));
    BAL_TRY_OR(done, bal_parallel(f->threads, HEAPS / HEAPS_PER_JOB, HEAPS, check_heaps, NULL, &d, err));
    bool any = false;
    for (int h = 0; h < HEAPS; h++) any |= d.suspect[h] != 0;
    if (any) {
        Search s = {.d = &d, .path = f->path};
        rc = bal_scores_lines(f, search_row, &s, err);
        bal_text_reset(&s.ids);
    }
done:
    for (int i = 0; i < f->threads; i++) bal_free(d.table[i].place);
    bal_free(d.table);
    return rc;
}
