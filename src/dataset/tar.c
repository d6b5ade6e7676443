/* One ustar header, written and read back; the byte table stands in tar.h. */
#include "dataset/tar.h"

#include <assert.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static unsigned header_sum(const unsigned char *block) {
    unsigned sum = 0;
    for (int i = 0; i < BAL_TAR_BLOCK; i++) sum += i >= 148 && i < 156 ? ' ' : block[i];
    return sum;
}

static void put_octal(unsigned char *at, int digits, uint64_t v) {
    for (int i = digits - 1; i >= 0; i--, v >>= 3) at[i] = (unsigned char)('0' + (v & 7));
}

void bal_tar_header(unsigned char block[BAL_TAR_BLOCK], const char *name, int64_t bytes) {
    size_t length = strlen(name);
    assert(length < BAL_TAR_NAME && bytes >= 0 && bytes < INT64_C(1) << 33);
    memset(block, 0, BAL_TAR_BLOCK);
    memcpy(block, name, length);
    put_octal(block + 100, 7, 0644);
    put_octal(block + 108, 7, 0);
    put_octal(block + 116, 7, 0);
    put_octal(block + 124, 11, (uint64_t)bytes);
    put_octal(block + 136, 11, 0);
    block[156] = '0';
    memcpy(block + 257, "ustar\00000", 8);
    put_octal(block + 148, 6, header_sum(block));
    block[155] = ' ';
}

/* Octal digits up to a NUL or blank; false on anything else. */
static bool get_octal(const unsigned char *at, int n, int64_t *out) {
    int64_t v = 0;
    int i = 0;
    while (i < n && at[i] == ' ') i++;
    int first = i;
    for (; i < n && at[i] >= '0' && at[i] <= '7'; i++) v = v << 3 | (at[i] - '0');
    if (i == first || i - first > 12 || (i < n && at[i] != 0 && at[i] != ' ')) return false;
    *out = v;
    return true;
}

BalStatus bal_tar_parse(const unsigned char block[BAL_TAR_BLOCK], char name[BAL_TAR_NAME], int64_t *bytes,
                        BalError *err) {
    static const unsigned char zero[BAL_TAR_BLOCK];
    if (!memcmp(block, zero, BAL_TAR_BLOCK)) return BAL_END;
    int64_t sum, size;
    if (memcmp(block + 257, "ustar", 5)) return BAL_FAIL(err, BAL_E_FORMAT, "no tar header where one should be");
    if (!get_octal(block + 148, 8, &sum) || sum != header_sum(block))
        return BAL_FAIL(err, BAL_E_FORMAT, "tar header with a wrong checksum");
    if (block[156] != '0') return BAL_FAIL(err, BAL_E_FORMAT, "tar member that is not a plain file");
    if (!block[0] || block[99] || !get_octal(block + 124, 12, &size) || size >> 33)
        return BAL_FAIL(err, BAL_E_FORMAT, "tar header with a broken name or size");
    memcpy(name, block, BAL_TAR_NAME);
    *bytes = size;
    return BAL_OK;
}
