/* Is any id in the table twice? Ascending ids cannot be. Otherwise the 64-bit hashes noted by the scan are dealt into 256 heaps by
 * their top byte, first inside each chunk, then each heap is gathered and put into a small hash table that fits the cache.
 * Equal hashes are only a suspicion (one in a million tables of ten million rows has such a pair by chance): the file is then read
 * again for the ids themselves, which also tells their lines. */
#include <string.h>

#include "analysis/scores_file.h"
#include "base/mem.h"
#include "base/thread.h"

#define HEAPS    256
#define MAX_SEEN 1024

typedef struct Doubled {
    const BalScoresFile *f;
    uint32_t (*heap_at)[HEAPS + 1]; /* [n_chunks] where each heap begins among the chunk's hashes */
    uint64_t suspect[HEAPS];        /* per heap the first hash that came twice; 0: none */
} Doubled;

static bool is_ascending(const BalScoresFile *f) {
    const BalScoresChunk *before = NULL;
    for (int64_t i = 0; i < f->n_chunks; i++) {
        const BalScoresChunk *c = &f->chunk[i];
        if (!c->n) continue;
        if (!c->ascending) return false;
        if (before) {
            size_t n = before->last_n < c->first_n ? before->last_n : c->first_n;
            int order = memcmp(before->last, c->first, n);
            if (order > 0 || (order == 0 && before->last_n >= c->first_n)) return false;
        }
        before = c;
    }
    return true;
}

/* Counting sort of one chunk's hashes by their top byte. */
static BalStatus deal_chunk(void *user, int64_t chunk, int worker, BalError *err) {
    (void)worker;
    Doubled *d = user;
    BalScoresChunk *c = &d->f->chunk[chunk];
    uint32_t *at = d->heap_at[chunk], next[HEAPS] = {0}, sum = 0;
    uint64_t *sorted = NULL;
    BAL_TRY(bal_alloc(&sorted, (size_t)c->n, sizeof *sorted, err));
    for (int64_t i = 0; i < c->n; i++) next[c->hash[i] >> 56]++;
    for (int h = 0; h < HEAPS; h++) {
        at[h] = sum;
        sum += next[h];
        next[h] = at[h];
    }
    at[HEAPS] = sum;
    for (int64_t i = 0; i < c->n; i++) sorted[next[c->hash[i] >> 56]++] = c->hash[i];
    bal_free(c->hash);
    c->hash = sorted;
    return BAL_OK;
}

/* Open addressing; 0 marks a free place, and the hash 0 itself is stored as 1 (a suspicion more, never one less). */
static BalStatus check_heap(void *user, int64_t heap, int worker, BalError *err) {
    (void)worker;
    Doubled *d = user;
    uint64_t n = 0, places = 16, *table = NULL;
    for (int64_t i = 0; i < d->f->n_chunks; i++) n += d->heap_at[i][heap + 1] - d->heap_at[i][heap];
    while (places < 2 * n) places *= 2;
    BAL_TRY(bal_alloc(&table, places, sizeof *table, err));
    for (int64_t i = 0; i < d->f->n_chunks && !d->suspect[heap]; i++) {
        for (uint32_t k = d->heap_at[i][heap]; k < d->heap_at[i][heap + 1]; k++) {
            uint64_t h = d->f->chunk[i].hash[k], place = h;
            if (!h) h = 1;
            while (table[place &= places - 1] && table[place] != h) place++;
            if (table[place] == h) {
                d->suspect[heap] = h;
                break;
            }
            table[place] = h;
        }
    }
    bal_free(table);
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
    if (s->d->suspect[h >> 56] != h) return BAL_OK;
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
    BAL_TRY(bal_alloc(&d.heap_at, (size_t)f->n_chunks, sizeof *d.heap_at, err));
    BAL_TRY_OR(done, bal_parallel(f->threads, f->n_chunks, 64, deal_chunk, NULL, &d, err));
    BAL_TRY_OR(done, bal_parallel(f->threads, HEAPS, 64, check_heap, NULL, &d, err));
    bool any = false;
    for (int h = 0; h < HEAPS; h++) any |= d.suspect[h] != 0;
    if (any) {
        Search s = {.d = &d, .path = f->path};
        rc = bal_scores_lines(f, search_row, &s, err);
        bal_text_reset(&s.ids);
    }
done:
    bal_free(d.heap_at);
    return rc;
}
