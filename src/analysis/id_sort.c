/* Buckets by binary search over borders, and a least-significant-digit radix sort inside a bucket (see id_sort.h). */
#include "analysis/id_sort.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static uint64_t load_be(const char *s) {
    uint64_t v;
    memcpy(&v, s, sizeof v);
    return __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? __builtin_bswap64(v) : v;
}

/* The 8 bytes of an id from `from` on, big-endian, zeros behind its end. */
static uint64_t key_at(const char *s, size_t n, size_t from) {
    uint64_t v = 0;
    if (n >= from + 8) return load_be(s + from);
    for (size_t i = 0; i < 8; i++) v = v << 8 | (from + i < n ? (unsigned char)s[from + i] : 0);
    return v;
}

/* The same where 8 bytes behind the id are readable */
static uint64_t padded_key_at(const char *s, size_t n, size_t from) {
    if (n <= from) return 0;
    uint64_t v = load_be(s + from);
    return n >= from + 8 ? v : v & ~(UINT64_MAX >> 8 * (n - from));
}

static int compare(const char *a, size_t n, const char *b, size_t m) {
    int c = memcmp(a, b, n < m ? n : m);
    return c ? c : (n > m) - (n < m);
}

static size_t shared_bytes(const char *a, size_t n, const char *b, size_t m, size_t most) {
    size_t i = 0;
    if (n < most) most = n;
    if (m < most) most = m;
    for (; i + 8 <= most; i += 8) {
        uint64_t differ = load_be(a + i) ^ load_be(b + i);
        if (differ) return i + (size_t)__builtin_clzll(differ) / 8;
    }
    while (i < most && a[i] == b[i]) i++;
    return i;
}

/* ---- borders ---- */

static int by_text(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

BalStatus bal_id_borders_make(BalIdBorders *out, const char *sample, int n, int step, BalError *err) {
    const char **id = NULL;
    BalIdBorders b = {0};
    BalStatus rc;
    size_t bytes = 0;
    BAL_TRY_OR(fail, bal_alloc(&id, (size_t)n, sizeof *id, err));
    for (int i = 0; i < n; i++) {
        id[i] = sample + bytes;
        bytes += strlen(id[i]) + 1;
    }
    if (n) qsort(id, (size_t)n, sizeof *id, by_text);
    int most = n / step;
    BAL_TRY_OR(fail, bal_alloc(&b.text, bytes, 1, err));
    BAL_TRY_OR(fail, bal_alloc(&b.at, (size_t)most, sizeof *b.at, err));
    BAL_TRY_OR(fail, bal_alloc(&b.len, (size_t)most, sizeof *b.len, err));
    BAL_TRY_OR(fail, bal_alloc(&b.key, (size_t)most, sizeof *b.key, err));
    size_t used = 0;
    for (int i = step; i < n; i += step) {
        size_t len = strlen(id[i]);
        memcpy(b.text + used, id[i], len);
        b.at[b.n] = (uint32_t)used;
        b.len[b.n++] = (uint32_t)len;
        used += len;
    }
    if (b.n) b.shared = shared_bytes(b.text, b.len[0], b.text + b.at[b.n - 1], b.len[b.n - 1], SIZE_MAX);
    for (int i = 0; i < b.n; i++) b.key[i] = key_at(b.text + b.at[i], b.len[i], b.shared);
    bal_free(id);
    *out = b;
    return BAL_OK;
fail:
    bal_free(id);
    bal_id_borders_reset(&b);
    return rc;
}

void bal_id_borders_reset(BalIdBorders *b) {
    bal_free(b->text);
    bal_free(b->at);
    bal_free(b->len);
    bal_free(b->key);
    *b = (BalIdBorders){0};
}

static bool is_below(const BalIdBorders *b, uint64_t key, const char *s, size_t n, int border) {
    if (key != b->key[border]) return key < b->key[border];
    return compare(s, n, b->text + b->at[border], b->len[border]) < 0;
}

int bal_id_bucket(const BalIdBorders *b, const char *s, size_t n, int near) {
    if (!b->n) return 0;
    size_t head = n < b->shared ? n : b->shared;
    int c = memcmp(s, b->text, head);
    if (c < 0 || (c == 0 && n < b->shared)) return 0; /* before all that begin as the borders do */
    if (c > 0) return b->n;
    uint64_t key = key_at(s, n, b->shared);
    if ((near == 0 || !is_below(b, key, s, n, near - 1)) && (near == b->n || is_below(b, key, s, n, near))) return near;
    int low = 0, high = b->n;
    while (low < high) {
        int mid = (low + high) / 2;
        if (is_below(b, key, s, n, mid))
            high = mid;
        else
            low = mid + 1;
    }
    return low;
}

/* ---- one bucket ---- */

void bal_id_sort_reset(BalIdSort *x) {
    bal_free(x->item);
    bal_free(x->spare);
    *x = (BalIdSort){0};
}

BalStatus bal_id_sort_reserve(BalIdSort *x, size_t n, BalError *err) {
    return bal_grow(&x->item, &x->item_cap, n, sizeof *x->item, err);
}

static int compare_entries(const char *a, const char *b) {
    return compare(a + BAL_ID_HEAD, bal_id_length(a), b + BAL_ID_HEAD, bal_id_length(b));
}

/* Keys behind the beginning that all ids of the bucket share; true if the ids are in order already. */
static bool make_keys(BalIdSort *x) {
    const char *first = x->item[0].entry;
    size_t shared = bal_id_length(first);
    for (size_t i = 1; i < x->n && shared; i++) {
        const char *e = x->item[i].entry;
        shared = shared_bytes(first + BAL_ID_HEAD, shared, e + BAL_ID_HEAD, bal_id_length(e), shared);
    }
    bool ordered = true;
    for (size_t i = 0; i < x->n; i++) {
        BalIdItem *b = &x->item[i];
        b->key = padded_key_at(b->entry + BAL_ID_HEAD, bal_id_length(b->entry), shared);
        if (i && ordered)
            ordered = b[-1].key < b->key || (b[-1].key == b->key && compare_entries(b[-1].entry, b->entry) < 0);
    }
    return ordered;
}

/* Bytes of the key from the last to the first; those that are the same in all keys need no pass. */
static void radix_sort(BalIdSort *x) {
    uint32_t count[8][256] = {{0}};
    for (size_t i = 0; i < x->n; i++)
        for (int d = 0; d < 8; d++) count[d][x->item[i].key >> (8 * d) & 255]++;
    for (int d = 0; d < 8; d++) {
        uint32_t sum = 0;
        if (count[d][x->item[0].key >> (8 * d) & 255] == x->n) continue;
        for (int k = 0; k < 256; k++) {
            uint32_t n = count[d][k];
            count[d][k] = sum;
            sum += n;
        }
        for (size_t i = 0; i < x->n; i++) x->spare[count[d][x->item[i].key >> (8 * d) & 255]++] = x->item[i];
        BalIdItem *item = x->item;
        size_t cap = x->item_cap;
        x->item = x->spare;
        x->item_cap = x->spare_cap;
        x->spare = item;
        x->spare_cap = cap;
    }
}

/* Merge sort of the ids themselves, for a run of equal keys: qsort has no place for the text. */
static void merge_sort(BalIdItem *a, size_t n, BalIdItem *spare) {
    if (n < 2) return;
    size_t half = n / 2, i = 0, k = half, to = 0;
    merge_sort(a, half, spare);
    merge_sort(a + half, n - half, spare);
    memcpy(spare, a, half * sizeof *a);
    while (i < half && k < n) a[to++] = compare_entries(spare[i].entry, a[k].entry) <= 0 ? spare[i++] : a[k++];
    while (i < half) a[to++] = spare[i++];
}

BalStatus bal_id_sort_run(BalIdSort *x, BalError *err) {
    if (x->n < 2 || make_keys(x)) return BAL_OK;
    BAL_TRY(bal_grow(&x->spare, &x->spare_cap, x->n, sizeof *x->spare, err));
    radix_sort(x);
    for (size_t i = 0, end; i < x->n; i = end) {
        for (end = i + 1; end < x->n && x->item[end].key == x->item[i].key;) end++;
        merge_sort(x->item + i, end - i, x->spare);
    }
    return BAL_OK;
}
