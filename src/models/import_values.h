/* Values of a loose tensor in the order of its axes, piece by piece. */
#ifndef BAL_MODELS_IMPORT_VALUES_H
#define BAL_MODELS_IMPORT_VALUES_H

#include "models/import.h"

typedef BalStatus BalPieceFn(void *user, const unsigned char *bytes, size_t n, BalError *err);
/* All values, packed, last axis fastest, to fn in pieces of whole items; stops where it fails. */
BAL_MUST_USE BalStatus bal_values_each(const BalLoose *t, BalPieceFn *fn, void *user, BalError *err);
/* Index of the first value that is NaN or infinite as a float, -1: none; integers are finite. */
int64_t bal_values_not_finite(const BalLoose *t);

#endif
