/* Where clips that `clip` has cut stand in their source videos. Each is a file of its own, which begins at 0; the table clips.csv beside
 * their manifest knows more. */
#ifndef BAL_CURATE_PLACES_H
#define BAL_CURATE_PLACES_H

#include "base/text.h"
#include "curate/sheet.h"
#include "dataset/manifest.h"

#define BAL_PLACES_TABLE "clips.csv"

typedef struct BalPlace {      /* texts of the table */
    const char *video, *flags; /* flags: what should be known of the clip */
    double start_s, end_s;
} BalPlace;

typedef struct BalPlaces { /* zero is valid: it knows no clip; reset frees */
    BalSheet table;
} BalPlaces;
/* dir/name. A table that is not there, or another one of this name (a manifest may be called so), knows no clip. */
BAL_MUST_USE BalStatus bal_places_load(BalPlaces *p, const char *dir, const char *name, BalError *err);
void bal_places_reset(BalPlaces *p);
bool bal_places_find(const BalPlaces *p, const char *id, BalPlace *out); /* false, and nothing set: not known */
/* A table of the same form: its head, and rows of those clips of m that p knows. */
void bal_places_head(BalText *out);
void bal_places_rows(const BalPlaces *p, const BalManifest *m, BalText *out);

#endif
