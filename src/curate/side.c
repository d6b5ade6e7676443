/* Outputs of a scorer in terms of categories: see side.h. */
#include "curate/side.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"

const char *const bal_side_names[BAL_SIDES + 1] = {[BAL_AUDIO] = "audio", [BAL_VISUAL] = "visual", NULL};

void bal_side_close(BalSideOutputs *s) {
    for (int k = 0; k < s->n; k++) {
        bal_outputs_reset(&s->outputs[k]);
        bal_category_map_reset(&s->map[k]);
    }
    bal_free(s->outputs);
    bal_free(s->map);
    bal_free(s->q);
    *s = (BalSideOutputs){0};
}

BalStatus bal_side_open(BalSideOutputs *s, const BalCategories *categories, BalSide side, const char *const *path,
                        int n, double temperature, BalError *err) {
    int most = 1;
    if (n < 1)
        return BAL_FAIL(err, BAL_E_ARG, "outputs of both scorers are needed; those of the %s one are missing",
                        side == BAL_AUDIO ? "audio" : "visual");
    if (!(temperature > 0)) return BAL_FAIL(err, BAL_E_ARG, "a temperature must be above 0");
    s->temperature = temperature;
    BAL_TRY(bal_alloc(&s->outputs, (size_t)n, sizeof *s->outputs, err));
    BAL_TRY(bal_alloc(&s->map, (size_t)n, sizeof *s->map, err));
    for (int k = 0; k < n; k++) {
        BalOutputs *o = &s->outputs[k];
        s->n = k + 1;
        BAL_TRY(bal_outputs_open(o, path[k], err));
        if (o->n_classes > most) most = o->n_classes;
        if (o->n_classes)
            BAL_TRY(bal_category_map_make(&s->map[k], categories, side, o->class_name, o->n_classes, o->path, err));
        else if (temperature != 1)
            return BAL_FAIL(err, BAL_E_ARG,
                            "%s: one confidence per clip cannot be brought to another temperature; give the "
                            "probabilities of all classes",
                            o->path);
    }
    return bal_alloc(&s->q, (size_t)most, sizeof *s->q, err);
}

BalStatus bal_side_ask(const BalSideOutputs *s, const char *id, int y, BalCorrectRule rule, double *p,
                       BalCategoryScore *score, bool *said, BalError *err) {
    *said = false;
    for (int k = 0; k < s->n && !*said; k++) {
        const BalOutputs *o = &s->outputs[k];
        const int64_t i = bal_name_index_find(&o->by_id, id, strlen(id));
        if (i < 0) continue;
        if (!o->n_classes) {
            const float *v = o->value + 2 * i;
            *score = (BalCategoryScore){.p = (double)v[0], .correct = v[1] != 0, .top = -1};
            *said = !isnan(v[0]);
            continue;
        }
        *said = bal_outputs_row(o, i, s->temperature, s->q);
        if (!*said) continue;
        BalStatus rc = bal_category_score(score, &s->map[k], s->q, y, rule, p, err);
        if (rc < 0) return bal_error_add(err, rc, "clip \"%.100s\" in %s", id, o->path);
    }
    return BAL_OK;
}
