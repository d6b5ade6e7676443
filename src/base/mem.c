/* Allocation with checked sizes. One counter, off in normal use, makes the n-th allocation fail for the fault tests. */
#include "base/mem.h"
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

#define LINE      64
#define HUGE_PAGE ((size_t)2 << 20)
#define HUGE_FROM ((size_t)1 << 20) /* smaller blocks gain nothing from huge pages */

static atomic_long made, fail_at;

long bal_mem_fail_at(long n) {
    atomic_store(&fail_at, n);
    return atomic_exchange(&made, 0);
}

static bool must_fail(void) {
    return atomic_fetch_add(&made, 1) + 1 == atomic_load(&fail_at);
}

static BalStatus no_memory(size_t n, size_t size, BalError *err) {
    return BAL_FAIL(err, BAL_E_NOMEM, "out of memory: cannot take %zu x %zu bytes", n, size);
}

/* false where n * size overflows or exceeds what any block can have */
static bool product(size_t n, size_t size, size_t *bytes) {
    return !__builtin_mul_overflow(n, size, bytes) && *bytes <= PTRDIFF_MAX;
}

BalStatus bal_alloc(void *out, size_t n, size_t size, BalError *err) {
    size_t bytes;
    void *p = NULL;
    if (product(n, size, &bytes) && !must_fail()) p = calloc(1, bytes ? bytes : 1);
    if (!p) return no_memory(n, size, err);
    memcpy(out, &p, sizeof p);
    return BAL_OK;
}

BalStatus bal_resize(void *block, size_t n, size_t size, BalError *err) {
    size_t bytes;
    void *old, *p = NULL;
    memcpy(&old, block, sizeof old);
    if (product(n, size, &bytes) && !must_fail()) p = realloc(old, bytes ? bytes : 1);
    if (!p) return no_memory(n, size, err);
    memcpy(block, &p, sizeof p);
    return BAL_OK;
}

BalStatus bal_grow(void *block, size_t *cap, size_t need, size_t size, BalError *err) {
    if (need <= *cap) return BAL_OK;
    size_t wish = *cap + *cap / 2 < need ? need : *cap + *cap / 2;
    if (wish < 8) wish = 8;
    BAL_TRY(bal_resize(block, wish, size, err));
    *cap = wish;
    return BAL_OK;
}

BalStatus bal_strdup(char **out, const char *text, BalError *err) {
    size_t n = strlen(text) + 1;
    char *p = NULL;
    BAL_TRY(bal_alloc(&p, n, 1, err));
    memcpy(p, text, n);
    *out = p;
    return BAL_OK;
}

void bal_free(void *block) {
    free(block);
}

void bal_mem_keep(void) {
#ifdef __GLIBC__
    mallopt(M_MMAP_THRESHOLD, 32 << 20); /* the most it takes */
    mallopt(M_TRIM_THRESHOLD, 1 << 30);
#endif
}

static size_t round_up(size_t n, size_t unit) {
    return (n + unit - 1) / unit * unit;
}

/* Small blocks come from the heap. Large ones are mapped with room to spare, cut to a 2 MiB boundary, and offered to the kernel
 * as huge pages; fresh mappings are zero already. */
BalStatus bal_alloc_pages(void *out, size_t bytes, BalError *err) {
    char *p = NULL;
    if (bytes > PTRDIFF_MAX - 2 * HUGE_PAGE || must_fail()) return no_memory(1, bytes, err);
    if (bytes < HUGE_FROM) {
        size_t n = round_up(bytes ? bytes : 1, LINE);
        if ((p = aligned_alloc(LINE, n))) memset(p, 0, n);
    } else {
        size_t n = round_up(bytes, HUGE_PAGE);
        char *raw = mmap(NULL, n + HUGE_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (raw == MAP_FAILED) return no_memory(1, bytes, err);
        p = raw + (HUGE_PAGE - (uintptr_t)raw % HUGE_PAGE) % HUGE_PAGE;
        if (p != raw) munmap(raw, (size_t)(p - raw));
        if (p + n != raw + n + HUGE_PAGE) munmap(p + n, (size_t)(raw + HUGE_PAGE - p));
        madvise(p, n, MADV_HUGEPAGE);
    }
    if (!p) return no_memory(1, bytes, err);
    memcpy(out, &p, sizeof p);
    return BAL_OK;
}

void bal_free_pages(void *block, size_t bytes) {
    if (!block) return;
    if (bytes < HUGE_FROM)
        free(block);
    else
        munmap(block, round_up(bytes, HUGE_PAGE));
}
