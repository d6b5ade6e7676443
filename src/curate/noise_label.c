/* Confident learning in two modalities (Northcutt, Jiang, Chuang, "Confident learning", 2021).
 *
 * t_j is the mean probability of label j over the clips that carry it: what the network usually gives it. A clip of another label whose
 * p_j reaches t_j, j the most probable of all such, is suspected to be a j. Suspected by one network alone it may simply be better
 * heard than seen; suspected of the same j by both it carries the wrong label.
 *
 * Probabilities are those of the weights that each run kept, from runs that did not train on the clip where there are such (their
 * rows of clips they trained on are NaN), averaged over runs. */
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "curate/noise.h"
#include "curate/outputs.h"

typedef struct Side {
    float *p;      /* [n,labels] mean over outputs; NaN where none scored the clip */
    int32_t *said; /* [n] outputs that did */
    double *usual; /* [labels] t_j; infinite where no clip has the label */
} Side;

static void side_reset(Side *x) {
    bal_free(x->p);
    bal_free(x->said);
    bal_free(x->usual);
}

static BalStatus column_of(const BalOutputs *o, const BalScores *s, int32_t **out, BalError *err) {
    BalNameIndex names = {0};
    BAL_TRY(bal_alloc(out, (size_t)s->n_labels, sizeof **out, err));
    BalStatus rc = bal_name_index_make(&names, o->class_name, o->n_classes, err);
    for (int k = 0; k < s->n_labels && rc >= 0; k++) {
        const int64_t at = bal_name_index_find(&names, s->labels[k], strlen(s->labels[k]));
        (*out)[k] = (int32_t)at;
        if (at < 0)
            rc = BAL_FAIL(err, BAL_E_FORMAT, "%s: none of its %d classes is \"%s\", a label of the scores", o->path,
                          o->n_classes, s->labels[k]);
    }
    bal_name_index_reset(&names);
    return rc;
}

static BalStatus add_outputs(Side *x, const BalScores *s, const BalOutputs *o, BalError *err) {
    int32_t *column = NULL;
    float *q = NULL;
    if (!o->n_classes)
        return BAL_FAIL(err, BAL_E_ARG, "%s: has one confidence per clip; the probabilities of all labels are needed",
                        o->path);
    BalStatus rc = column_of(o, s, &column, err);
    if (rc >= 0) rc = bal_alloc(&q, (size_t)o->n_classes, sizeof *q, err);
    for (int64_t i = 0; i < s->n && rc >= 0; i++) {
        const int64_t row = bal_name_index_find(&o->by_id, s->id[i], strlen(s->id[i]));
        if (row < 0 || !bal_outputs_row(o, row, 1, q)) continue;
        for (int k = 0; k < s->n_labels; k++) x->p[i * s->n_labels + k] += q[column[k]];
        x->said[i]++;
    }
    bal_free(column);
    bal_free(q);
    return rc;
}

static BalStatus side_open(Side *x, const BalScores *s, const char *const *path, int n, BalError *err) {
    const size_t labels = (size_t)s->n_labels;
    BAL_TRY(bal_alloc(&x->p, (size_t)s->n * labels, sizeof *x->p, err));
    BAL_TRY(bal_alloc(&x->said, (size_t)s->n, sizeof *x->said, err));
    BAL_TRY(bal_alloc(&x->usual, labels, sizeof *x->usual, err));
    for (int k = 0; k < n; k++) {
        BalOutputs o;
        BAL_TRY(bal_outputs_open(&o, path[k], err));
        BalStatus rc = add_outputs(x, s, &o, err);
        bal_outputs_reset(&o);
        BAL_TRY(rc);
    }
    return BAL_OK;
}

static void find_usual(Side *x, const BalScores *s) {
    for (int j = 0; j < s->n_labels; j++) {
        double sum = 0;
        int64_t n = 0;
        for (int64_t i = 0; i < s->n; i++) {
            if (s->label[i] != j || !x->said[i]) continue;
            sum += (double)x->p[i * s->n_labels + j] / x->said[i];
            n++;
        }
        x->usual[j] = n ? sum / (double)n : INFINITY;
    }
}

/* The other label that a clip is suspected of, -1: none. */
static int suspect(const Side *x, const BalScores *s, int64_t i) {
    int best = -1;
    double best_p = -1;
    for (int j = 0; j < s->n_labels && x->said[i]; j++) {
        const double p = (double)x->p[i * s->n_labels + j] / x->said[i];
        if (j == s->label[i] || p < x->usual[j] || p <= best_p) continue;
        best = j;
        best_p = p;
    }
    return best;
}

BalStatus bal_noise_labels(BalNoise *noise, const BalScores *s, const BalNoiseSpec *spec, BalError *err) {
    Side side[BAL_SIDES] = {{0}};
    BalStatus rc = BAL_OK;
    if (!spec->n_outputs[BAL_AUDIO] && !spec->n_outputs[BAL_VISUAL]) return BAL_OK;
    if (!spec->n_outputs[BAL_AUDIO] || !spec->n_outputs[BAL_VISUAL])
        return BAL_FAIL(err, BAL_E_ARG,
                        "wrong labels are found where both modalities agree; the outputs of the %s one are "
                        "missing",
                        spec->n_outputs[BAL_AUDIO] ? "visual" : "audio");
    if (s->n_labels < 2) return BAL_OK;
    for (int k = 0; k < BAL_SIDES && rc >= 0; k++) {
        rc = side_open(&side[k], s, spec->outputs[k], spec->n_outputs[k], err);
        if (rc >= 0) find_usual(&side[k], s);
    }
    for (int64_t i = 0; i < s->n && rc >= 0; i++) {
        const int a = suspect(&side[BAL_AUDIO], s, i);
        if (s->label[i] < 0 || a < 0 || a != suspect(&side[BAL_VISUAL], s, i)) continue;
        noise->suspect[i] = a;
        noise->rules[i] |= BAL_NOISE_LABEL;
    }
    noise->applied[1] = true;
    for (int k = 0; k < BAL_SIDES; k++) side_reset(&side[k]);
    return rc;
}
