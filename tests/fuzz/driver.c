/* Stands in for libFuzzer in the normal build: PROGRAM RUNS FOLDER feeds every file of FOLDER, every shorter beginning of the small
 * ones, and RUNS mutations drawn from a fixed stream. Each input lies in a block of exactly its size, so that the address
 * sanitizer sees the first byte too far. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/file.h"
#include "base/rng.h"
#include "fuzz/target.h"

enum { MAX_SEEDS = 64, MAX_BYTES = 1 << 18, EVERY_CUT_BELOW = 2048 };

static BalMap seed[MAX_SEEDS];
static int n_seeds;

static void feed(const unsigned char *data, size_t n) {
    unsigned char *exact = malloc(n ? n : 1);
    if (!exact) abort();
    if (n) memcpy(exact, data, n);
    LLVMFuzzerTestOneInput(exact, n);
    free(exact);
}

/* One change: a bit, an interesting byte, a run removed, a run doubled, a piece of another seed, a cut */
static size_t mutate(BalRng *r, unsigned char *b, size_t n) {
    static const unsigned char byte[] = {0,   1,   0x7F, 0x80, 0xFF, '"', ',',  '\n', '\r', '{',
                                         '}', '[', ']',  ':',  '-',  '9', '\\', ' ',  '.',  '\''};
    size_t at = n ? bal_rng_below(r, n) : 0, len = n ? 1 + bal_rng_below(r, n - at < 64 ? n - at : 64) : 0;
    const BalMap *other = &seed[bal_rng_below(r, (uint64_t)n_seeds)];
    switch (n ? bal_rng_below(r, 6) : 4) {
    case 0:
        b[at] ^= (unsigned char)(1u << bal_rng_below(r, 8));
        return n;
    case 1:
        b[at] = byte[bal_rng_below(r, sizeof byte)];
        return n;
    case 2:
        memmove(b + at, b + at + len, n - at - len);
        return n - len;
    case 3:
        if (n + len > MAX_BYTES) return n;
        memmove(b + at + len, b + at, n - at);
        return n + len;
    case 4: {
        size_t from = other->size ? bal_rng_below(r, other->size) : 0, take = other->size - from;
        if (take > MAX_BYTES - at) take = MAX_BYTES - at;
        if (take) memcpy(b + at, other->data + from, take);
        return at + take > n ? at + take : n;
    }
    default:
        return at;
    }
}

static void open_seeds(const char *dir) {
    BalError err;
    char **names;
    int n;
    if (bal_list_dir(dir, &names, &n, &err) < 0) {
        fprintf(stderr, "%s\n", err.text);
        exit(1);
    }
    for (int i = 0; i < n && n_seeds < MAX_SEEDS; i++) {
        BalText path = {0};
        bal_path_join(&path, dir, names[i]);
        if (bal_map_open(&seed[n_seeds], path.data, &err) == BAL_OK && seed[n_seeds].size <= MAX_BYTES) n_seeds++;
        bal_text_reset(&path);
    }
    bal_names_free(names, n);
    if (n_seeds) return;
    fprintf(stderr, "%s: no seeds\n", dir);
    exit(1);
}

int main(int argc, char **argv) {
    static unsigned char b[MAX_BYTES];
    if (argc != 3) return 2;
    open_seeds(argv[2]);
    for (int i = 0; i < n_seeds; i++) {
        feed(seed[i].data, seed[i].size);
        if (seed[i].size < EVERY_CUT_BELOW)
            for (size_t n = 0; n < seed[i].size; n++) feed(seed[i].data, n);
    }
    for (long run = 0; run < atol(argv[1]); run++) {
        BalRng r = bal_rng(1, BAL_RNG_TEST, 0, (uint64_t)run);
        const BalMap *s = &seed[run % n_seeds];
        size_t n = s->size;
        if (n) memcpy(b, s->data, n);
        for (uint64_t k = 1 + bal_rng_below(&r, 6); k; k--) n = mutate(&r, b, n);
        feed(b, n);
    }
    printf("%d seeds, %s mutations\n", n_seeds, argv[1]);
    for (int i = 0; i < n_seeds; i++) bal_map_close(&seed[i]);
    return 0;
}
