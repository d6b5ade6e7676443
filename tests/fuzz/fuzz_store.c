/* The readers of a store's own formats. The first byte chooses: 'i' index (its checksums are made right, to get past them),
 * 't' tar header, 'j' journal. */
#include <string.h>
#include "base/hash.h"
#include "base/mem.h"
#include "dataset/index.h"
#include "dataset/journal.h"
#include "dataset/tar.h"
#include "fuzz/target.h"

static void mend_checksums(unsigned char *p, size_t n) {
    if (n < 64) return;
    uint32_t crc = bal_crc32(0, p + 64, n - 64);
    memcpy(p + 40, &crc, 4);
    crc = bal_crc32(0, p, 44);
    memcpy(p + 44, &crc, 4);
}

/* What is accepted can be walked to its end without another check. */
static void walk(const BalIndex *x, const unsigned char *end) {
    for (int64_t i = 0; i < x->n_clips; i++) {
        const BalIndexClip *c = x->clip + i;
        FUZZ_CHECK((const unsigned char *)(x->text + c->id_at) < end &&
                   (const unsigned char *)(x->text + c->source_at) < end);
        FUZZ_CHECK(strlen(x->text + c->id_at) < 1 << 20 && strlen(x->text + c->source_at) < 1 << 20);
        for (uint32_t k = 0; k < c->n_members; k++) {
            const BalIndexMember *m = x->member + c->first_member + k;
            FUZZ_CHECK(m->offset + m->bytes <= x->shard_bytes[c->shard] && m->offset + m->bytes >= m->offset);
        }
    }
}

static void fuzz_index(const uint8_t *data, size_t n) {
    unsigned char *copy = NULL;
    BalIndex x;
    BalError err = {0};
    if (bal_alloc(&copy, n, 1, NULL) < 0) return;
    memcpy(copy, data, n);
    mend_checksums(copy, n);
    BalStatus rc = bal_index_parse(&x, copy, n, "index", &err);
    FUZZ_CHECK(rc == BAL_OK || err.text[0]);
    if (rc == BAL_OK) walk(&x, copy + n);
    bal_free(copy);
}

static void fuzz_tar(const uint8_t *data, size_t n) {
    unsigned char block[BAL_TAR_BLOCK] = {0};
    char name[BAL_TAR_NAME];
    int64_t bytes;
    memcpy(block, data, n < sizeof block ? n : sizeof block);
    if (bal_tar_parse(block, name, &bytes, NULL) == BAL_OK)
        FUZZ_CHECK(bytes >= 0 && strlen(name) < BAL_TAR_NAME && name[0]);
}

static BalStatus see(void *user, const BalJournalEntry *e, BalError *err) {
    int64_t *rows = user;
    (void)err;
    FUZZ_CHECK(e->row == (*rows)++ && (e->stored ? e->n_members > 0 : e->code < 0) && e->reason);
    return BAL_OK;
}

/* The checksum of every line is made right, as for the index. */
static void fuzz_journal(const uint8_t *data, size_t n) {
    char *copy = NULL, crc[9];
    int64_t rows = 0;
    size_t good = 0;
    BalIdentity id;
    if (bal_alloc(&copy, n + 1, 1, NULL) < 0) return;
    memcpy(copy, data, n);
    for (char *line = copy, *end; (end = memchr(line, '\n', (size_t)(copy + n - line))); line = end + 1) {
        if (end - line < 10) continue;
        snprintf(crc, sizeof crc, "%08x", (unsigned)bal_crc32(0, line + 9, (size_t)(end - line - 9)));
        memcpy(line, crc, 8);
    }
    FUZZ_CHECK(bal_journal_replay(copy, n, 1000, see, &rows, &id, &good, NULL) == BAL_OK && good <= n);
    bal_free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (!size) return 0;
    if (data[0] == 'i') fuzz_index(data + 1, size - 1);
    if (data[0] == 't') fuzz_tar(data + 1, size - 1);
    if (data[0] == 'j') fuzz_journal(data + 1, size - 1);
    return 0;
}
