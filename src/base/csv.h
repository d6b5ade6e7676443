/* Delimited text, read from memory without copying: RFC 4180 quotes, CR, LF or CRLF, UTF-8 BOM, any one-byte separator.
 *
 * A row is an array of fields that point into the text; a quoted field with doubled quotes is unescaped into a buffer of the
 * reader's. Both live until the next row. */
#ifndef BAL_BASE_CSV_H
#define BAL_BASE_CSV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <avbalance/error.h>
#include "base/text.h"

typedef struct BalField {
    const char *s; /* not NUL-terminated */
    size_t n;
    bool quoted;
} BalField;

typedef struct BalCsv { /* zero, then bal_csv_init; bal_csv_reset frees */
    const char *at, *end;
    char separator;
    const char *name; /* path for messages */
    int64_t line;     /* 1-based line where the current row begins */
    int64_t next_line;
    BalField *field;
    int n_fields;
    size_t cap;
    char *unescaped; /* text of this row's fields that held doubled quotes */
    size_t unescaped_cap;
} BalCsv;

void bal_csv_init(BalCsv *c, const void *data, size_t n, char separator, const char *name); /* skips a BOM */
BAL_MUST_USE BalStatus
bal_csv_next(BalCsv *c, BalError *err); /* BAL_OK, BAL_END; BAL_E_FORMAT: open quote, NUL byte; blank lines skipped */
void bal_csv_reset(BalCsv *c);
bool bal_field_is(const BalField *f, const char *text);
void bal_csv_quote(
    BalText *out,
    const char *s); /* quotes only where needed (separator ',', quote, CR, LF, leading or trailing space) */

#endif
