/* The backends of this build: "onednn" (fast, CPU), "reference" (plain C, the oracle). */
#ifndef AVBALANCE_BACKENDS_H
#define AVBALANCE_BACKENDS_H

#include <avbalance/error.h>

struct BalBackendOps;
/* By name; NULL: the best one built in. BAL_E_UNSUPPORTED names those that there are. *out has static storage. */
BAL_API BAL_MUST_USE BalStatus bal_backend_find(const struct BalBackendOps **out, const char *name, BalError *err);
BAL_API int bal_backend_count(void);
BAL_API const char *bal_backend_name(int i, const char **summary, const char **version); /* best first */

#endif
