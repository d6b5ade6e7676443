/* Delimited text. The plain field, which is nearly every field, is found by looking for the next separator or control byte eight
 * bytes at a time and costs no copy; only a quoted field with doubled quotes is rewritten, once its row is complete. */
#include "base/csv.h"
#include <limits.h>
#include <string.h>
#include "base/mem.h"

#define EACH(byte) (0x0101010101010101u * (uint64_t)(unsigned char)(byte))

void bal_csv_init(BalCsv *c, const void *data, size_t n, char separator, const char *name) {
    const char *s = n ? data : "";
    if (n >= 3 && memcmp(s, "\xEF\xBB\xBF", 3) == 0) {
        s += 3;
        n -= 3;
    }
    *c = (BalCsv){.at = s, .end = s + n, .separator = separator, .name = name, .line = 1, .next_line = 1};
}

void bal_csv_reset(BalCsv *c) {
    bal_free(c->field);
    bal_free(c->unescaped);
    *c = (BalCsv){0};
}

static uint64_t load_le(const char *s) {
    uint64_t v;
    memcpy(&v, s, sizeof v);
    return __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? v : __builtin_bswap64(v);
}

/* First separator, CR, LF, NUL or end from s on. (v - n) & ~v & 0x80 marks bytes below n (n <= 128); borrows make false marks above
 * a true one only, so the lowest mark is right. */
static const char *field_end(const char *s, const char *end, char separator) {
    const uint64_t top = EACH(0x80), control = EACH(0x20), one = EACH(1), sep = EACH(separator);
    for (;;) {
        while (end - s >= 8) {
            uint64_t v = load_le(s), x = v ^ sep;
            uint64_t hit = (((v - control) & ~v) | ((x - one) & ~x)) & top;
            if (hit) {
                s += __builtin_ctzll(hit) / 8;
                break;
            }
            s += 8;
        }
        if (s == end || *s == separator || *s == '\n' || *s == '\r' || *s == '\0') return s;
        s++; /* another control byte, or one of the last seven */
    }
}

static BalStatus add_field(BalCsv *c, const char *s, size_t n, bool quoted, BalError *err) {
    if ((size_t)c->n_fields == c->cap) {
        if (c->n_fields == INT_MAX)
            return BAL_FAIL(err, BAL_E_FORMAT, "%s: line %lld: too many fields", c->name, (long long)c->line);
        BAL_TRY(bal_grow(&c->field, &c->cap, c->cap + 1, sizeof *c->field, err));
    }
    c->field[c->n_fields++] = (BalField){.s = s, .n = n, .quoted = quoted};
    return BAL_OK;
}

/* Position just behind a line end at s: CR, LF or CRLF */
static const char *behind_line_end(const char *s, const char *end) {
    return s + (*s == '\r' && end - s > 1 && s[1] == '\n' ? 2 : 1);
}

static int64_t count_line_ends(const char *s, const char *end) {
    int64_t n = 0;
    while (s < end) {
        if (*s == '\n' || *s == '\r') {
            s = behind_line_end(s, end);
            n++;
        } else {
            s++;
        }
    }
    return n;
}

/* A quoted field that opens at *at; adds its inner text as it stands and moves *at behind the closing quote */
static BalStatus quoted_field(BalCsv *c, const char **at, BalError *err) {
    const char *s = *at + 1, *q = s;
    for (;; q += 2) {
        q = memchr(q, '"', (size_t)(c->end - q));
        if (!q)
            return BAL_FAIL(err, BAL_E_FORMAT, "%s: line %lld: a quote is opened and never closed", c->name,
                            (long long)c->next_line);
        if (c->end - q < 2 || q[1] != '"') break;
    }
    if (memchr(s, '\0', (size_t)(q - s)))
        return BAL_FAIL(err, BAL_E_FORMAT, "%s: line %lld: NUL byte", c->name, (long long)c->next_line);
    BAL_TRY(add_field(c, s, (size_t)(q - s), true, err));
    c->next_line += count_line_ends(s, q);
    *at = q + 1;
    if (q + 1 < c->end && q[1] != c->separator && q[1] != '\n' && q[1] != '\r')
        return BAL_FAIL(err, BAL_E_FORMAT,
                        "%s: line %lld: text behind a closing quote (a quote inside quotes is doubled)", c->name,
                        (long long)c->next_line);
    return BAL_OK;
}

/* Rewrite the fields that hold doubled quotes into c->unescaped */
static BalStatus unescape(BalCsv *c, BalError *err) {
    size_t need = 0;
    for (int i = 0; i < c->n_fields; i++)
        if (c->field[i].quoted) need += c->field[i].n;
    BAL_TRY(bal_grow(&c->unescaped, &c->unescaped_cap, need, 1, err));
    char *to = c->unescaped;
    for (int i = 0; i < c->n_fields; i++) {
        BalField *f = &c->field[i];
        if (!f->quoted || !memchr(f->s, '"', f->n)) continue;
        char *start = to;
        for (size_t k = 0; k < f->n; k++) {
            *to++ = f->s[k];
            if (f->s[k] == '"') k++;
        }
        f->s = start;
        f->n = (size_t)(to - start);
    }
    return BAL_OK;
}

static void skip_blank_lines(BalCsv *c) {
    while (c->at < c->end && (*c->at == '\n' || *c->at == '\r')) {
        c->at = behind_line_end(c->at, c->end);
        c->next_line++;
    }
}

BalStatus bal_csv_next(BalCsv *c, BalError *err) {
    skip_blank_lines(c);
    c->n_fields = 0;
    c->line = c->next_line;
    if (c->at == c->end) return BAL_END;
    bool any_quoted = false;
    for (const char *s = c->at;; s++) {
        if (s < c->end && *s == '"') {
            BAL_TRY(quoted_field(c, &s, err));
            any_quoted = true;
        } else {
            const char *e = field_end(s, c->end, c->separator);
            BAL_TRY(add_field(c, s, (size_t)(e - s), false, err));
            s = e;
        }
        if (s < c->end && *s == c->separator) continue;
        if (s < c->end && *s == '\0')
            return BAL_FAIL(err, BAL_E_FORMAT, "%s: line %lld: NUL byte", c->name, (long long)c->next_line);
        c->at = s < c->end ? behind_line_end(s, c->end) : s;
        c->next_line++;
        return any_quoted ? unescape(c, err) : BAL_OK;
    }
}

bool bal_field_is(const BalField *f, const char *text) {
    return strlen(text) == f->n && memcmp(f->s, text, f->n) == 0;
}

void bal_csv_quote(BalText *out, const char *s) {
    size_t n = strlen(s);
    bool plain = !strpbrk(s, ",\"\r\n") && (n == 0 || (s[0] != ' ' && s[n - 1] != ' '));
    if (plain) {
        bal_text_add_n(out, s, n);
        return;
    }
    bal_text_char(out, '"');
    for (; *s; s++) {
        if (*s == '"') bal_text_char(out, '"');
        bal_text_char(out, *s);
    }
    bal_text_char(out, '"');
}
