/* How every function of the library says that it failed.
 *
 * A function returns a BalStatus and takes a BalError last, which may be NULL. The error is raised once, where the cause is
 * known, and gains context on the way up ("...: while reading store.json"). The text is meaningful only when the status is
 * negative. The library never prints and never exits: the program prints the text once and picks the exit code. */
#ifndef AVBALANCE_ERROR_H
#define AVBALANCE_ERROR_H

#include <avbalance/export.h>

typedef enum BalStatus {
    BAL_END = 1, /* iterator is exhausted; not a failure                          */
    BAL_OK = 0,
    BAL_E_ARG = -1,         /* the caller broke a documented precondition                    */
    BAL_E_NOMEM = -2,       /* memory ran out                                                */
    BAL_E_IO = -3,          /* the operating system refused to read or write                 */
    BAL_E_FORMAT = -4,      /* a file's bytes are not what its format promises               */
    BAL_E_SHAPE = -5,       /* tensors do not fit together                                   */
    BAL_E_UNSUPPORTED = -6, /* a fair request that this build or backend cannot serve        */
    BAL_E_MEDIA = -7,       /* a media file cannot be used: broken, empty, missing streams   */
    BAL_E_BACKEND = -8,     /* a vendor's library failed; its own text is in the message     */
    BAL_E_COMM = -9,        /* a rank is lost                                                */
    BAL_E_NUMERIC = -10,    /* NaN or Inf where a finite number is promised                  */
    BAL_E_CANCELLED = -11,  /* the progress callback asked to stop; the work can be resumed  */
    BAL_E_MISMATCH = -12,   /* a checksum, a hash or a lock does not match                   */
    BAL_E_EXISTS = -13,     /* the output is already there and overwriting was not asked for */
} BalStatus;

typedef struct BalError {
    BalStatus code;
    int line;         /* where it was raised, for a bug report */
    const char *file; /* static storage */
    char text[480];   /* one line, no newline at the end; cut with "..." where longer */
} BalError;

/* Set code and text of err (which may be NULL); returns code. Use BAL_FAIL. */
BAL_API BalStatus bal_error_set(BalError *err, BalStatus code, const char *file, int line, const char *fmt, ...)
    BAL_PRINTF(5, 6);

/* Append ": <context>" to the text of err (which may be NULL); returns rc unchanged. */
BAL_API BalStatus bal_error_add(BalError *err, BalStatus rc, const char *fmt, ...) BAL_PRINTF(3, 4);

/* Name of a status for logs: "BAL_E_IO". Static storage, never NULL. */
BAL_API const char *bal_status_name(BalStatus status);

/* Passes the code on where compilers and analysers see its value: that a failed function has failed is what they reason from. */
static inline BalStatus bal_error_code(BalStatus set, BalStatus code) {
    (void)set;
    return code;
}
#define BAL_FAIL(err, code, ...) bal_error_code(bal_error_set((err), (code), __FILE__, __LINE__, __VA_ARGS__), (code))
#define BAL_TRY(expr)                                                                                                  \
    do {                                                                                                               \
        BalStatus rc_ = (expr);                                                                                        \
        if (rc_ < 0) return rc_;                                                                                       \
    } while (0)
#define BAL_TRY_OR(label, expr)                                                                                        \
    do {                                                                                                               \
        if ((rc = (expr)) < 0) goto label;                                                                             \
    } while (0)

#endif
