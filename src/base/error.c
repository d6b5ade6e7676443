/* Statuses and their messages: one line of fixed size, so that raising an error never allocates and never fails. */
#include <avbalance/error.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "base/text.h"

#define MARK "..."

/* Append to err->text from `at` on; where it does not fit, the text ends with "...". Line ends and control bytes of hostile
 * names become blanks, bytes that are no UTF-8 become question marks: a message is one line that any terminal can show. */
static void BAL_PRINTF(3, 0) append(BalError *err, size_t at, const char *fmt, va_list ap) {
    size_t room = sizeof err->text - at;
    int n = vsnprintf(err->text + at, room, fmt, ap);
    if (n < 0)
        err->text[at] = '\0';
    else if ((size_t)n >= room)
        memcpy(err->text + sizeof err->text - sizeof MARK, MARK, sizeof MARK);
    for (char *c = err->text + at; *c;) {
        size_t bytes = bal_utf8_length(c);
        if (!bytes)
            *c = '?';
        else if ((unsigned char)*c < 0x20 || *c == 0x7f)
            *c = ' ';
        c += bytes ? bytes : 1;
    }
}

BalStatus bal_error_set(BalError *err, BalStatus code, const char *file, int line, const char *fmt, ...) {
    if (!err) return code;
    err->code = code;
    err->file = file;
    err->line = line;
    va_list ap;
    va_start(ap, fmt);
    append(err, 0, fmt, ap);
    va_end(ap);
    return code;
}

BalStatus bal_error_add(BalError *err, BalStatus rc, const char *fmt, ...) {
    if (!err) return rc;
    size_t at = strnlen(err->text, sizeof err->text - 1);
    if (at + 2 >= sizeof err->text) return rc;
    memcpy(err->text + at, ": ", 3);
    va_list ap;
    va_start(ap, fmt);
    append(err, at + 2, fmt, ap);
    va_end(ap);
    return rc;
}

const char *bal_status_name(BalStatus status) {
    switch (status) {
    case BAL_END:
        return "BAL_END";
    case BAL_OK:
        return "BAL_OK";
    case BAL_E_ARG:
        return "BAL_E_ARG";
    case BAL_E_NOMEM:
        return "BAL_E_NOMEM";
    case BAL_E_IO:
        return "BAL_E_IO";
    case BAL_E_FORMAT:
        return "BAL_E_FORMAT";
    case BAL_E_SHAPE:
        return "BAL_E_SHAPE";
    case BAL_E_UNSUPPORTED:
        return "BAL_E_UNSUPPORTED";
    case BAL_E_MEDIA:
        return "BAL_E_MEDIA";
    case BAL_E_BACKEND:
        return "BAL_E_BACKEND";
    case BAL_E_COMM:
        return "BAL_E_COMM";
    case BAL_E_NUMERIC:
        return "BAL_E_NUMERIC";
    case BAL_E_CANCELLED:
        return "BAL_E_CANCELLED";
    case BAL_E_MISMATCH:
        return "BAL_E_MISMATCH";
    case BAL_E_EXISTS:
        return "BAL_E_EXISTS";
    }
    return "BAL_E_?";
}
