/* Where the clips of a triage come from: own ones, and supplements as "NAME=MANIFEST" with caps as "NAME=N". */
#ifndef BAL_CURATE_TRIAGE_SOURCES_H
#define BAL_CURATE_TRIAGE_SOURCES_H

#include <avbalance/curate.h>
#include "dataset/manifest.h"

enum { BAL_MOST_SOURCES = 64 };
typedef struct BalTriageSources { /* zero is valid; large: on the heap; reset frees */
    BalTriageSource source[BAL_MOST_SOURCES];
    BalManifest manifest[BAL_MOST_SOURCES];
    char name[BAL_MOST_SOURCES][65];
    double *place[BAL_MOST_SOURCES]; /* of their clips; NULL: as the manifest says */
    int n;
} BalTriageSources;
void bal_triage_sources_reset(BalTriageSources *s);

/* The own clips, first of all; *m becomes s's. places: the table beside it that knows where they stand in their videos (places.h). */
BAL_MUST_USE BalStatus bal_triage_sources_own(BalTriageSources *s, const char *name, BalManifest *m, const char *places,
                                              BalError *err);
/* `what` names the option in messages. base_dir: where the manifest's path starts. BAL_E_ARG: no such form, a name twice. */
BAL_MUST_USE BalStatus bal_triage_sources_supplement(BalTriageSources *s, const char *what, const char *base_dir,
                                                     const char *name_and_manifest, BalError *err);
BAL_MUST_USE BalStatus bal_triage_sources_cap(BalTriageSources *s, const char *what, const char *name_and_number,
                                              BalError *err);

#endif
