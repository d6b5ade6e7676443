/* SHA-256 from nettle, CRC-32 from zlib. */
#include "base/hash.h"
#include <nettle/sha2.h>
#include <zlib.h>
#include "base/file.h"

_Static_assert(sizeof(struct sha256_ctx) <= sizeof(BalSha256), "BalSha256 holds nettle's context");

static struct sha256_ctx *context(BalSha256 *h) {
    return (struct sha256_ctx *)(void *)h->state;
}

void bal_sha256_init(BalSha256 *h) {
    sha256_init(context(h));
}

void bal_sha256_add(BalSha256 *h, const void *data, size_t n) {
    sha256_update(context(h), n, data);
}

void bal_sha256_hex(BalSha256 *h, char out[65]) {
    static const char hex[] = "0123456789abcdef";
    uint8_t digest[SHA256_DIGEST_SIZE];
    sha256_digest(context(h), sizeof digest, digest);
    for (int i = 0; i < SHA256_DIGEST_SIZE; i++) {
        out[2 * i] = hex[digest[i] >> 4];
        out[2 * i + 1] = hex[digest[i] & 15];
    }
    out[64] = '\0';
}

void bal_sha256_text(const void *data, size_t n, char out[65]) {
    BalSha256 h;
    bal_sha256_init(&h);
    bal_sha256_add(&h, data, n);
    bal_sha256_hex(&h, out);
}

BalStatus bal_sha256_file(const char *path, char out[65], BalError *err) {
    BalMap m = {0};
    BAL_TRY(bal_map_open(&m, path, err));
    bal_sha256_text(m.data, m.size, out);
    bal_map_close(&m);
    return BAL_OK;
}

uint32_t bal_crc32(uint32_t crc, const void *data, size_t n) {
    return n ? (uint32_t)crc32_z(crc, data, n) : crc; /* zlib resets on a NULL pointer */
}
