/* Settings of a selection as JSON: part of select.json, certificates and counts, and read back from them. */
#ifndef BAL_CURATE_SETTINGS_H
#define BAL_CURATE_SETTINGS_H

#include <avbalance/select.h>
#include "base/json.h"
#include "curate/rule.h"

/* Member "settings". Files are left out. */
void bal_settings_add(BalJsonOut *o, const BalSelectSpec *spec);
/* From that member of a document; `path` for messages. BAL_E_FORMAT: missing, of a wrong type, or not allowed. */
BAL_MUST_USE BalStatus bal_settings_read(BalSelectSpec *out, const BalJson *document, const char *path, BalError *err);

/* Helpers for matrices and the digest. */
void bal_json_add_counts(BalJsonOut *o, const char *key, const int64_t *x, int rows,
                         int columns); /* rows 0: one array */
/* Exactly so many numbers, each and all together in [0, BAL_MOST_CLIPS]; a matrix is read row by row. */
BAL_MUST_USE BalStatus bal_json_counts(int64_t *x, const BalJson *v, int rows, int columns, const char *what,
                                       const char *path, BalError *err);
void bal_json_add_digest(BalJsonOut *o, const char *key, const uint64_t digest[2]);
BAL_MUST_USE BalStatus bal_json_digest(uint64_t digest[2], const BalJson *v, const char *path, BalError *err);

#endif
