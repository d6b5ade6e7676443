/* What a scorer put out for clips, wherever it came from: the one reader behind triage, calibration and noise rules. */
#ifndef BAL_CURATE_OUTPUTS_H
#define BAL_CURATE_OUTPUTS_H

#include <stdbool.h>
#include <stdint.h>
#include <avbalance/curate.h>
#include "analysis/predictions.h"
#include "base/file.h"
#include "base/npy.h"

/* Rows are clips, columns are classes, values are probabilities or logits. Paths may be
 *
 *   a folder of `score`     probabilities.npy (or logits.npy) [N,C], ids.txt, classes.txt
 *   a run folder of `train` logits.npy, ids.txt, and run.json, which lists the classes
 *   NAME.npy                with NAME.ids.txt or ids.txt, NAME.classes.txt or classes.txt beside it
 *   a table, wide           id,<class>,<class>,... with probabilities or logits; columns label and split are passed over
 *   a table, narrow         id,confidence,correct: of the clip's own label only, for those who have no more; correct is 1 or 0
 *
 * A matrix all of whose values lie in [0,1] must hold probabilities, each row adding up to 1; any other holds logits. Rows of NaN are
 * clips that were not scored. */
typedef struct BalOutputs { /* zero is valid; bal_outputs_reset frees */
    char *path;
    int64_t n;
    const char *const *id;   /* [n] */
    const char **class_name; /* [n_classes]; n_classes 0: narrow */
    int n_classes;
    bool logits;
    float *value; /* [n,n_classes] of a table; narrow: [n,2] confidence and correct; NULL: mapped */
    BalMap map;
    BalNpy npy;
    BalNameIndex by_id; /* position of an id */
    BalLines ids, classes;
    BalText text; /* of names in a table, or in run.json */
    const char **table_id;
} BalOutputs;
BAL_MUST_USE BalStatus bal_outputs_open(BalOutputs *out, const char *path, BalError *err);
void bal_outputs_reset(BalOutputs *o);

/* Probabilities of row i at a temperature T > 0 (softmax of logits / T, of logarithms / T) into q [n_classes]; false: the clip was
 * not scored. Not for narrow tables. */
bool bal_outputs_row(const BalOutputs *o, int64_t i, double temperature, float *q);

#endif
