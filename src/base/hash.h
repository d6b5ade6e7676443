/* Identity of data: SHA-256 (recipes, runs, locks) and CRC-32 (members of a store). */
#ifndef BAL_BASE_HASH_H
#define BAL_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>
#include <avbalance/error.h>

typedef struct BalSha256 {
    _Alignas(16) unsigned char state[256];
} BalSha256; /* nettle's context inside */
void bal_sha256_init(BalSha256 *h);
void bal_sha256_add(BalSha256 *h, const void *data, size_t n);
void bal_sha256_hex(BalSha256 *h, char out[65]); /* finishes and starts anew */
void bal_sha256_text(const void *data, size_t n, char out[65]);
BAL_MUST_USE BalStatus bal_sha256_file(const char *path, char out[65], BalError *err);

uint32_t bal_crc32(uint32_t crc, const void *data, size_t n); /* start with 0; equals Python's zlib.crc32 */

#endif
