/* A journal of JSON lines that grows and survives kill -9: a head that says what it is of and with which settings, then a line per
 * thing done. Reading stops at the first line that is torn or not understood; it and all behind it are cut off and done again. */
#ifndef BAL_CURATE_JSONL_H
#define BAL_CURATE_JSONL_H

#include "base/json.h"
#include "dataset/append.h"

/* One line behind the head. BAL_END: not as it should be. */
typedef BalStatus BalJsonLineFn(void *user, const BalJson *line, BalError *err);

/* Open or begin the file, which stays locked, and hand over its good lines. Head: {"journal":KIND,"settings":SHA-256}. BAL_E_MISMATCH:
 * begun with other settings. BAL_E_EXISTS: another process writes it, or it is somebody else's file. */
BAL_MUST_USE BalStatus bal_jsonl_open(BalAppend *file, const char *path, const char *kind, const char *settings,
                                      BalJsonLineFn *fn, void *user, BalError *err);
/* End the line (a JSON document without line breaks), append it, clear it. One thread at a time. */
BAL_MUST_USE BalStatus bal_jsonl_add(BalAppend *file, BalText *line, BalError *err);

/* Apart from the file, for the fuzzer: the good lines of n bytes; settings: "" where there is no head; *good_bytes: their length. */
BAL_MUST_USE BalStatus bal_jsonl_read(const char *data, size_t n, const char *kind, char settings[65],
                                      BalJsonLineFn *fn, void *user, size_t *good_bytes, BalError *err);

#endif
