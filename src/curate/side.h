/* One side of the question "does the scorer name this label": the outputs of a scorer, in one file or several, and what its classes
 * mean for the categories. */
#ifndef BAL_CURATE_SIDE_H
#define BAL_CURATE_SIDE_H

#include "curate/outputs.h"

extern const char *const bal_side_names[BAL_SIDES + 1]; /* "audio", "visual"; NULL at the end */

typedef struct BalSideOutputs { /* zero is valid; bal_side_close frees */
    BalOutputs *outputs;        /* [n] */
    BalCategoryMap *map;        /* [n] empty for narrow tables */
    int n;
    double temperature;
    float *q; /* a row */
} BalSideOutputs;
BAL_MUST_USE BalStatus bal_side_open(BalSideOutputs *out, const BalCategories *categories, BalSide side,
                                     const char *const *path, int n, double temperature, BalError *err);
void bal_side_close(BalSideOutputs *s); /* what bal_side_open left, also where it failed */

/* What it says about a clip and category y; *said false: nothing. p: [n_categories], the caller's; unchanged by narrow tables, which
 * know no rival (score.top is -1). */
BAL_MUST_USE BalStatus bal_side_ask(const BalSideOutputs *s, const char *id, int y, BalCorrectRule rule, double *p,
                                    BalCategoryScore *score, bool *said, BalError *err);

#endif
