/* Growable text and the few string helpers that C lacks. */
#ifndef BAL_BASE_TEXT_H
#define BAL_BASE_TEXT_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <avbalance/error.h>

/* Zero is a valid empty text. `data` is always NUL-terminated once non-NULL. Failures are sticky: after a failed append,
 * `failed` is set and further appends do nothing, so that a long run of appends needs one check at its end (bal_text_ok). */
typedef struct BalText {
    char *data;
    size_t len, cap;
    bool failed;
} BalText;

void bal_text_reset(BalText *t); /* frees; the text is empty and valid again */
void bal_text_clear(BalText *t); /* keeps the memory */
void bal_text_add(BalText *t, const char *s);
void bal_text_add_n(BalText *t, const char *s, size_t n);
void bal_text_char(BalText *t, char c);
void bal_text_f(BalText *t, const char *fmt, ...) BAL_PRINTF(2, 3);
void bal_text_vf(BalText *t, const char *fmt, va_list ap) BAL_PRINTF(2, 0);
BAL_MUST_USE BalStatus bal_text_ok(const BalText *t, BalError *err); /* BAL_E_NOMEM if an append failed */
const char *bal_text_str(const BalText *t);                          /* never NULL */

/* Shortest decimal that reads back as the same double / float ("0.1", "1e-07"); "nan", "inf", "-inf". Locale-independent. */
void bal_text_real(BalText *t, double v);
void bal_text_float(BalText *t, float v);

/* Whole-string parsers, locale-independent: false if s is empty, has trailing characters or is out of range. */
bool bal_parse_i64(const char *s, int64_t *out);
bool bal_parse_real(const char *s, double *out); /* accepts nan, inf */
bool bal_parse_real_n(const char *s, size_t n, double *out);

bool bal_has_prefix(const char *s, const char *prefix);
bool bal_has_suffix(const char *s, const char *suffix);
/* Name among n closest to `word` (edit distance <= 2), or NULL: for "did you mean". */
const char *bal_closest(const char *word, const char *const *names, int n);
/* Bytes of the UTF-8 sequence at s (NUL-terminated), 0 when it is not valid: overlong forms, surrogates and beyond U+10FFFF included. */
size_t bal_utf8_length(const char *s);
/* dir + "/" + name; name alone when dir is empty or name is absolute. */
void bal_path_join(BalText *out, const char *dir, const char *name);
/* How the folder `there` is written in a file of the folder `here`, both absolute: relative where it is the same ("", nothing), below,
 * or reached over the folder that `here` is in; else as it is. */
void bal_path_between(BalText *out, const char *here, const char *there);

#endif
