/* Lines of the journal of a score, written and replayed: see score_journal.h. */
#include "curate/score_journal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "base/hash.h"
#include "base/mem.h"

static const char magic[] = "avbalance-score 1 ";
enum { CRC = 9 }; /* eight digits and a blank */

static void add_hex(BalText *out, uint32_t v) {
    static const char digit[] = "0123456789abcdef";
    char text[8];
    for (int i = 0; i < 8; i++) text[i] = digit[v >> (28 - 4 * i) & 15];
    bal_text_add_n(out, text, sizeof text);
}

static bool read_hex(const char *s, uint32_t *out) {
    *out = 0;
    for (int i = 0; i < 8; i++) {
        const char c = s[i];
        const int v = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
        if (v < 0) return false;
        *out = *out << 4 | (uint32_t)v;
    }
    return true;
}

/* Put the checksum in front of the line that begins at `from` and end it. */
static void seal(BalText *out, size_t from) {
    BalText crc = {0};
    if (out->failed) return;
    add_hex(&crc, bal_crc32(0, out->data + from + CRC, out->len - from - CRC));
    if (crc.failed) out->failed = true;
    if (!crc.failed) memcpy(out->data + from, crc.data, 8);
    bal_text_reset(&crc);
    bal_text_char(out, '\n');
}

void bal_score_journal_head(BalText *out, const char identity[65]) {
    const size_t from = out->len;
    bal_text_f(out, "00000000 %s%s", magic, identity);
    seal(out, from);
}

void bal_score_journal_line(BalText *out, const BalScoreEntry *e, int n_classes) {
    const size_t from = out->len;
    if (e->p) {
        bal_text_f(out, "00000000 scored %" PRId64 " ", e->row);
        for (int k = 0; k < n_classes; k++) {
            uint32_t bits;
            memcpy(&bits, &e->p[k], sizeof bits);
            add_hex(out, bits);
        }
    } else {
        bal_text_f(out, "00000000 rejected %" PRId64 " %d ", e->row, (int)e->code);
        for (const char *s = e->reason; *s; s++) bal_text_char(out, *s == '\n' || *s == '\r' ? ' ' : *s);
    }
    seal(out, from);
}

/* ---- reading ---- */
/* Next line of [*at, end) without checksum and end into `line`; false where it is torn or damaged. */
static bool next_line(BalText *line, const char **at, const char *end) {
    const char *stop = memchr(*at, '\n', (size_t)(end - *at));
    uint32_t crc;
    if (!stop || stop - *at < CRC + 1 || (*at)[8] != ' ' || !read_hex(*at, &crc)) return false;
    const size_t n = (size_t)(stop - *at) - CRC;
    if (memchr(*at, 0, (size_t)(stop - *at)) || crc != bal_crc32(0, *at + CRC, n)) return false;
    bal_text_clear(line);
    bal_text_add_n(line, *at + CRC, n);
    *at = stop + 1;
    return !line->failed;
}

/* A decimal number and the blank behind it, from *s on. */
static bool read_number(char **s, int64_t *out) {
    char *blank = strchr(*s, ' ');
    if (!blank) return false;
    *blank = '\0';
    const bool good = bal_parse_i64(*s, out);
    *s = blank + 1;
    return good;
}

static bool read_values(const char *s, int n, float *p) {
    if (strlen(s) != (size_t)n * 8) return false;
    for (int k = 0; k < n; k++) {
        uint32_t bits;
        if (!read_hex(s + 8 * (size_t)k, &bits)) return false;
        memcpy(&p[k], &bits, sizeof bits);
        if (!(p[k] >= 0 && p[k] <= 1.0001F)) return false;
    }
    return true;
}

static bool read_entry(char *line, int n_classes, float *p, BalScoreEntry *e) {
    char *s = line;
    int64_t code;
    if (bal_has_prefix(line, "scored ")) {
        s += strlen("scored ");
        e->p = p;
        return read_number(&s, &e->row) && read_values(s, n_classes, p);
    }
    if (!bal_has_prefix(line, "rejected ")) return false;
    s += strlen("rejected ");
    if (!read_number(&s, &e->row) || !read_number(&s, &code) || code > -1 || code < -100) return false;
    e->code = (BalStatus)code;
    e->reason = s;
    return true;
}

BalStatus bal_score_journal_replay(const void *data, size_t n, int64_t n_rows, int n_classes, BalScoreEntryFn *fn,
                                   void *user, char identity[65], size_t *good_bytes, BalError *err) {
    const char *at = data, *end = at + n;
    BalText line = {0};
    BalStatus rc = BAL_OK;
    float *p = NULL;
    *good_bytes = 0;
    BAL_TRY(bal_alloc(&p, (size_t)n_classes, sizeof *p, err));
    if (n && next_line(&line, &at, end) && bal_has_prefix(line.data, magic) && line.len == strlen(magic) + 64) {
        memcpy(identity, line.data + strlen(magic), 65);
        *good_bytes = (size_t)(at - (const char *)data);
    }
    for (int64_t row = 0; *good_bytes && rc == BAL_OK && row < n_rows && at < end && next_line(&line, &at, end);
         row++) {
        BalScoreEntry e = {0};
        if (!read_entry(line.data, n_classes, p, &e) || e.row != row) break;
        rc = fn(user, &e, err);
        if (rc == BAL_OK) *good_bytes = (size_t)(at - (const char *)data);
    }
    if (rc >= 0) rc = line.failed ? bal_text_ok(&line, err) : BAL_OK;
    bal_text_reset(&line);
    bal_free(p);
    return rc;
}
