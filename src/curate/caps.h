/* At most so many clips of one class from one source video: which clips are beyond that. */
#ifndef BAL_CURATE_CAPS_H
#define BAL_CURATE_CAPS_H

#include <avbalance/analysis.h>
#include "analysis/predictions.h"

typedef struct BalSourceHash { /* equal ones by chance once in 10^24 tables of 10^7 sources */
    uint64_t hash[2];
} BalSourceHash;
BalSourceHash bal_source_hash(const char *s, size_t n);

typedef struct BalSources { /* sources of ids from a file of its own; zero is none */
    BalText ids;
    const char **id;
    BalSourceHash *source; /* [n] */
    int64_t n;
    BalNameIndex index;
} BalSources;
/* CSV with the columns id and source. BAL_E_FORMAT: file, line, remedy. */
BAL_MUST_USE BalStatus bal_sources_load(BalSources *s, const char *path, BalError *err);
void bal_sources_reset(BalSources *s);

typedef struct BalSourceKey {
    BalSourceHash of; /* source and class */
    uint64_t order;   /* of the clip: 0 where it must be kept, else its key and at least 1 */
} BalSourceKey;

typedef struct BalCaps { /* zero caps nothing */
    BalSourceKey *over;  /* [n] sources with too many clips, ascending; order: of the first clip that is too many */
    int64_t n;
} BalCaps;

/* What one worker sees: the key of every clip that has a source. 24 bytes per clip. */
typedef struct BalCapsPart {
    BalSourceKey *key;
    size_t n, cap;
} BalCapsPart;
BalSourceKey bal_source_key(BalSourceHash source, BalScoreText label, uint64_t key, bool must);
/* The `most` clips of lowest order of every source and class stay; of equal keys at the border none. The parts are emptied. */
BAL_MUST_USE BalStatus bal_caps_make(BalCaps *c, BalCapsPart *part, int n_parts, int64_t most, BalError *err);
bool bal_caps_beyond(const BalCaps *c, const BalSourceKey *key);
void bal_caps_reset(BalCaps *c);

#endif
