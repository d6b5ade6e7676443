/* Growable text, numbers to text and back without the locale, edit distance for "did you mean". */
#include "base/text.h"
#include <errno.h>
#include <locale.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "base/mem.h"

/* ---- growable text ---- */

void bal_text_reset(BalText *t) {
    bal_free(t->data);
    *t = (BalText){0};
}

void bal_text_clear(BalText *t) {
    t->len = 0;
    t->failed = false;
    if (t->data) t->data[0] = '\0';
}

/* room for n more bytes and the NUL */
static bool reserve(BalText *t, size_t n) {
    if (!t->failed && (n > SIZE_MAX - t->len - 1 || bal_grow(&t->data, &t->cap, t->len + n + 1, 1, NULL) < 0))
        t->failed = true;
    return !t->failed;
}

void bal_text_add_n(BalText *t, const char *s, size_t n) {
    if (!reserve(t, n)) return;
    if (n) memcpy(t->data + t->len, s, n);
    t->len += n;
    t->data[t->len] = '\0';
}

void bal_text_add(BalText *t, const char *s) {
    bal_text_add_n(t, s, strlen(s));
}

void bal_text_char(BalText *t, char c) {
    bal_text_add_n(t, &c, 1);
}

void bal_text_vf(BalText *t, const char *fmt, va_list ap) {
    va_list again;
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, ap);
    if (n < 0)
        t->failed = true;
    else if (reserve(t, (size_t)n)) {
        vsnprintf(t->data + t->len, (size_t)n + 1, fmt, again);
        t->len += (size_t)n;
    }
    va_end(again);
}

void bal_text_f(BalText *t, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    bal_text_vf(t, fmt, ap);
    va_end(ap);
}

BalStatus bal_text_ok(const BalText *t, BalError *err) {
    return t->failed ? BAL_FAIL(err, BAL_E_NOMEM, "out of memory: cannot grow a text of %zu bytes", t->len) : BAL_OK;
}

const char *bal_text_str(const BalText *t) {
    return t->data ? t->data : "";
}

/* ---- numbers ---- */

/* The C locale, whatever the program has set. newlocale of "C" takes no memory and cannot fail in glibc and musl; where it does,
 * 0 keeps the thread's own locale. */
static locale_t c_locale;
static void make_c_locale(void) {
    c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
}
static locale_t enter_c_locale(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, make_c_locale);
    return uselocale(c_locale);
}

static void add_special(BalText *t, double v) {
    bal_text_add(t, isnan(v) ? "nan" : v < 0 ? "-inf" : "inf");
}

void bal_text_real(BalText *t, double v) {
    if (!isfinite(v)) {
        add_special(t, v);
        return;
    }
    char s[40];
    locale_t old = enter_c_locale();
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(s, sizeof s, "%.*g", digits, v);
        if (strtod(s, NULL) == v) break;
    }
    uselocale(old);
    bal_text_add(t, s);
}

void bal_text_float(BalText *t, float v) {
    if (!isfinite(v)) {
        add_special(t, (double)v);
        return;
    }
    char s[40];
    locale_t old = enter_c_locale();
    for (int digits = 6; digits <= 9; digits++) {
        snprintf(s, sizeof s, "%.*g", digits, (double)v);
        if (strtof(s, NULL) == v) break;
    }
    uselocale(old);
    bal_text_add(t, s);
}

bool bal_parse_i64(const char *s, int64_t *out) {
    const char *digits = *s == '-' || *s == '+' ? s + 1 : s;
    if (*digits < '0' || *digits > '9') return false; /* strtoll would accept leading blanks */
    char *end;
    errno = 0;
    long long v = strtoll(s, &end, 10);
    if (*end || errno == ERANGE) return false;
    *out = v;
    return true;
}

static const double pow10_exact[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                     1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

/* m / 10^k for 0 < m, 0 < k <= 19, correctly rounded: an integer quotient of 63 or 64 bits whose lowest bit says "and more" loses
 * nothing when the conversion to double rounds it to 53. */
static double divide_exactly(uint64_t m, int k) {
    __extension__ typedef unsigned __int128 U128;
    static const uint64_t p10[20] = {1u,
                                     10u,
                                     100u,
                                     1000u,
                                     10000u,
                                     100000u,
                                     1000000u,
                                     10000000u,
                                     100000000u,
                                     1000000000u,
                                     10000000000u,
                                     100000000000u,
                                     1000000000000u,
                                     10000000000000u,
                                     100000000000000u,
                                     1000000000000000u,
                                     10000000000000000u,
                                     100000000000000000u,
                                     1000000000000000000u,
                                     10000000000000000000u};
    int m_zeros = __builtin_clzll(m), d_zeros = __builtin_clzll(p10[k]);
    U128 n = (U128)(m << m_zeros) << 63;
    uint64_t d = p10[k] << d_zeros, q = (uint64_t)(n / d);
    return ldexp((double)(q | (n % d != 0)), d_zeros - m_zeros - 63);
}

/* Decimals without an exponent part. Up to 15 significant digits and 22 decimals they are one exact integer divided by one exact
 * power of ten, hence correctly rounded (Clinger 1990); up to 19 digits an integer division does it. False: let strtod try. */
static bool parse_short(const char *s, size_t n, double *out) {
    size_t i = 0;
    bool negative = n && s[0] == '-';
    if (n && (s[0] == '-' || s[0] == '+')) i++;
    uint64_t mantissa = 0;
    int digits = 0, exponent = 0;
    bool point = false, any = false;
    for (; i < n; i++) {
        unsigned d = (unsigned char)s[i] - (unsigned)'0';
        if (d < 10) {
            any = true;
            if (mantissa || d) digits++;
            if (digits > 19) return false;
            mantissa = mantissa * 10 + d;
            exponent -= point;
        } else if (s[i] == '.' && !point) {
            point = true;
        } else {
            return false;
        }
    }
    if (!any) return false;
    double v;
    if (digits <= 15 && exponent >= -22)
        v = (double)mantissa / pow10_exact[-exponent];
    else if (exponent == 0)
        v = (double)mantissa;
    else if (exponent >= -19)
        v = divide_exactly(mantissa, -exponent);
    else
        return false;
    *out = negative ? -v : v;
    return true;
}

bool bal_parse_real(const char *s, double *out) {
    if (parse_short(s, strlen(s), out)) return true;
    const char *c = *s == '-' || *s == '+' ? s + 1 : s;
    bool number = (*c >= '0' && *c <= '9') || *c == '.';
    bool word = !strcasecmp(c, "nan") || !strcasecmp(c, "inf") || !strcasecmp(c, "infinity");
    if (!word && (!number || strpbrk(c, "xXpP"))) return false; /* no blanks, no hexadecimal */
    char *end;
    locale_t old = enter_c_locale();
    double v = strtod(s, &end);
    uselocale(old);
    if (*end || (!word && isinf(v))) return false;
    *out = v;
    return true;
}

bool bal_parse_real_n(const char *s, size_t n, double *out) {
    if (parse_short(s, n, out)) return true;
    char copy
        [400]; /* longer than any decimal that means something: DBL_TRUE_MIN written out has some 770 digits, nobody writes it */
    if (!n || n >= sizeof copy || memchr(s, '\0', n)) return false;
    memcpy(copy, s, n);
    copy[n] = '\0';
    return bal_parse_real(copy, out);
}

/* ---- names ---- */

bool bal_has_prefix(const char *s, const char *prefix) {
    return strncmp(s, prefix, strlen(prefix)) == 0;
}

bool bal_has_suffix(const char *s, const char *suffix) {
    size_t n = strlen(s), k = strlen(suffix);
    return n >= k && memcmp(s + n - k, suffix, k) == 0;
}

#define LONGEST_WORD 63

/* Levenshtein distance by two rolling rows; words are at most LONGEST_WORD long */
static int edit_distance(const char *a, size_t n, const char *b, size_t m) {
    int row[LONGEST_WORD + 1];
    for (size_t j = 0; j <= m; j++) row[j] = (int)j;
    for (size_t i = 1; i <= n; i++) {
        int diagonal = row[0];
        row[0] = (int)i;
        for (size_t j = 1; j <= m; j++) {
            int best = diagonal + (a[i - 1] != b[j - 1]);
            if (row[j] + 1 < best) best = row[j] + 1;
            if (row[j - 1] + 1 < best) best = row[j - 1] + 1;
            diagonal = row[j];
            row[j] = best;
        }
    }
    return row[m];
}

const char *bal_closest(const char *word, const char *const *names, int n) {
    const char *best = NULL;
    int best_d = 3;
    size_t len = strlen(word);
    if (len > LONGEST_WORD) return NULL;
    for (int i = 0; i < n; i++) {
        size_t m = strlen(names[i]);
        int d = m > LONGEST_WORD ? 3 : edit_distance(word, len, names[i], m);
        if (d < best_d && (size_t)d < m) {
            best_d = d;
            best = names[i];
        }
    }
    return best;
}

void bal_path_join(BalText *out, const char *dir, const char *name) {
    if (*dir && *name != '/') {
        bal_text_add(out, dir);
        if (!bal_has_suffix(dir, "/")) bal_text_char(out, '/');
    }
    bal_text_add(out, name);
}

/* The NUL at the end stops every comparison in time. */
size_t bal_utf8_length(const char *text) {
    const unsigned char *s = (const unsigned char *)text;
    static const struct {
        unsigned char first, last, low, high; /* of the first byte; of the second */
        size_t n;
    } form[] = {{0x01, 0x7F, 0, 0, 1},       {0xC2, 0xDF, 0x80, 0xBF, 2}, {0xE0, 0xE0, 0xA0, 0xBF, 3},
                {0xE1, 0xEC, 0x80, 0xBF, 3}, {0xED, 0xED, 0x80, 0x9F, 3}, {0xEE, 0xEF, 0x80, 0xBF, 3},
                {0xF0, 0xF0, 0x90, 0xBF, 4}, {0xF1, 0xF3, 0x80, 0xBF, 4}, {0xF4, 0xF4, 0x80, 0x8F, 4}};
    for (size_t f = 0; f < sizeof form / sizeof *form; f++) {
        if (s[0] < form[f].first || s[0] > form[f].last) continue;
        if (form[f].n > 1 && (s[1] < form[f].low || s[1] > form[f].high)) return 0;
        for (size_t i = 2; i < form[f].n; i++)
            if ((s[i] & 0xC0) != 0x80) return 0;
        return form[f].n;
    }
    return 0;
}

void bal_path_between(BalText *out, const char *here, const char *there) {
    size_t same = 0, up = 0; /* bytes of the folders that both are in */
    while (here[same] && here[same] == there[same]) same++;
    if ((here[same] && here[same] != '/') || (there[same] && there[same] != '/'))
        while (same && here[same] != '/') same--;
    for (const char *s = here + same; (s = strchr(s, '/')); s++) up++;
    if (up > 1 || (up && !same)) {
        bal_text_add(out, there);
        return;
    }
    if (up) bal_text_add(out, "..");
    if (there[same]) bal_path_join(out, "", there + same + (up ? 0 : 1));
}
