/* Which version this is. */
#ifndef AVBALANCE_VERSION_H
#define AVBALANCE_VERSION_H

#include <avbalance/export.h>

/* "0.1.0", built from a checkout "0.1.0+g1a2b3c4d", with uncommitted changes "0.1.0+g1a2b3c4d.dirty". Static storage. */
BAL_API const char *bal_version(void);

#endif
