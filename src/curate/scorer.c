/* The scorers of this build, and what is the same for all: weights to session, answers to probabilities. */
#include "curate/scorer.h"

#include <math.h>
#include <string.h>
#include <avbalance/backends.h>
#include "base/mem.h"
#include "base/text.h"

static const BalScorerOps *const scorers[] = {&bal_scorer_slowfast, &bal_scorer_slowfast_4x16, &bal_scorer_vggish,
                                              &bal_scorer_vggsound};
enum { N_SCORERS = sizeof scorers / sizeof *scorers };

int bal_scorer_count(void) {
    return N_SCORERS;
}
const BalScorerInfo *bal_scorer_at(int i) {
    return i < 0 || i >= N_SCORERS ? NULL : &scorers[i]->info;
}

static BalStatus find(const BalScorerOps **out, const char *name, BalError *err) {
    const char *names[N_SCORERS];
    BalText known = {0};
    for (int i = 0; i < N_SCORERS; i++) {
        names[i] = scorers[i]->info.name;
        *out = scorers[i];
        if (!strcmp(name, names[i])) return BAL_OK;
    }
    *out = NULL;
    for (int i = 0; i < N_SCORERS; i++) bal_text_f(&known, "%s%s", i ? ", " : "", names[i]);
    const char *near = bal_closest(name, names, N_SCORERS);
    BalStatus rc = BAL_FAIL(err, BAL_E_ARG, "no scorer is called \"%s\"%s%s%s; there are: %s", name,
                            near ? ": did you mean \"" : "", near ? near : "", near ? "\"" : "", bal_text_str(&known));
    bal_text_reset(&known);
    return rc;
}

static BalStatus find_view(BalScorer *s, const char *name, BalError *err) {
    const BalScorerView *view = s->ops->info.view;
    BalText known = {0};
    for (s->view = view; s->view->name; s->view++)
        if (!name || !strcmp(s->view->name, name)) return BAL_OK;
    for (const BalScorerView *v = view; v->name; v++) bal_text_f(&known, "%s%s", v == view ? "" : ", ", v->name);
    BalStatus rc = BAL_FAIL(err, BAL_E_ARG, "the scorer %s has no view \"%s\"; there are: %s", s->ops->info.name, name,
                            bal_text_str(&known));
    bal_text_reset(&known);
    return rc;
}

/* ---- weights ---- */
int bal_scorer_dim(const BalScorer *s, const char *tensor, int axis) {
    for (int i = 0; i < bal_import_count(s->weights); i++) {
        const BalImportTensor t = bal_import_tensor(s->weights, i);
        if (!strcmp(t.name, tensor)) return axis < t.rank && t.dim[axis] <= 1 << 24 ? (int)t.dim[axis] : 0;
    }
    return 0;
}

static BalStatus open_weights(BalScorer *s, const char *path, BalError *err) {
    BAL_TRY(bal_import_open(&s->weights, path, err));
    if (strcmp(bal_import_container(s->weights), "safetensors") != 0)
        return BAL_FAIL(err, BAL_E_FORMAT,
                        "%s: is of the kind %s; make safetensors of it first: avbalance import %s -o W.safetensors",
                        path, bal_import_container(s->weights), path);
    s->head = s->ops->head;
    s->n_classes = bal_scorer_dim(s, s->head, 0);
    if (!s->n_classes && s->ops->head_in_runs) {
        s->head = s->ops->head_in_runs;
        s->n_classes = bal_scorer_dim(s, s->head, 0);
    }
    if (s->n_classes > 1) return BAL_OK;
    return BAL_FAIL(err, BAL_E_MISMATCH,
                    "%s: has no \"%s\" with two classes at least, so these are no weights of the scorer %s", path,
                    s->ops->head, s->ops->info.name);
}

/* ---- life ---- */
static BalStatus build(BalScorer *s, BalError *err) {
    BAL_TRY(bal_graph_create(&s->g, err));
    BAL_TRY(s->ops->build(s, err));
    BAL_TRY(bal_graph_finish(s->g, err));
    s->rows = bal_graph_shape(s->g, bal_graph_find(s->g, "logits")).dim[0];
    s->n_passes = s->view->temporal * s->view->crops;
    BAL_TRY(bal_alloc(&s->logits, (size_t)s->rows * (size_t)s->n_classes, sizeof *s->logits, err));
    BAL_TRY(bal_alloc(&s->mean, (size_t)s->n_classes, sizeof *s->mean, err));
    return bal_alloc(&s->p, (size_t)s->n_classes, sizeof *s->p, err);
}

static BalStatus open_all(BalScorer *s, const BalScoreSpec *spec, const char *path, BalError *err) {
    BalSessionConfig cfg = bal_session_config_default();
    BAL_TRY(find(&s->ops, spec->scorer, err));
    BAL_TRY(find_view(s, spec->view, err));
    s->before = spec->average == BAL_AVERAGE_AUTO ? s->ops->info.average_before : spec->average == BAL_AVERAGE_BEFORE;
    BAL_TRY(open_weights(s, path, err));
    BalStatus rc = build(s, err);
    if (rc < 0) return bal_error_add(err, rc, "making the scorer %s of %s", spec->scorer, path);
    BAL_TRY(bal_graph_fits(s->g, path, err)); /* what the file only claims takes no memory */
    BAL_TRY(bal_backend_find(&cfg.backend, spec->backend, err));
    cfg.dtype = spec->dtype;
    cfg.threads = spec->threads;
    cfg.batch = 1;
    cfg.n_grads = 0;
    cfg.fold = true;
    BAL_TRY(bal_session_create(&s->session, s->g, &cfg, err));
    return bal_session_load(s->session, path, false, err);
}

BalStatus bal_scorer_open(BalScorer *s, const BalScoreSpec *spec, const char *path, BalError *err) {
    *s = (BalScorer){0};
    BalStatus rc = open_all(s, spec, path, err);
    if (rc < 0) bal_scorer_close(s);
    return rc;
}

void bal_scorer_close(BalScorer *s) {
    bal_session_destroy(&s->session);
    bal_graph_destroy(&s->g);
    bal_import_close(&s->weights);
    bal_free(s->logits);
    bal_free(s->scratch);
    bal_free(s->mean);
    bal_free(s->p);
    *s = (BalScorer){0};
}

/* ---- answers ---- */
/* p += share * softmax(z), z [n]; false: some value is no number. */
static bool add_softmax(const double *z, int n, double share, double *p) {
    double top = z[0], sum = 0;
    for (int k = 1; k < n; k++) top = z[k] > top ? z[k] : top;
    for (int k = 0; k < n; k++) sum += exp(z[k] - top);
    if (!(sum >= 1) || !isfinite(top)) return false;
    for (int k = 0; k < n; k++) p[k] += share * exp(z[k] - top) / sum;
    return true;
}

/* One pass's rows of logits, averaged before or after the softmax, into s->p. */
static bool add_pass(BalScorer *s) {
    const int n = s->n_classes;
    const double share = 1.0 / s->n_passes, part = 1.0 / (double)s->rows;
    bool good = true;
    for (int k = 0; k < n; k++) s->mean[k] = 0;
    for (int64_t r = 0; r < s->rows; r++) {
        const float *z = s->logits + r * n;
        for (int k = 0; k < n; k++) s->mean[k] = s->before ? s->mean[k] + part * z[k] : z[k];
        if (!s->before) good = add_softmax(s->mean, n, share * part, s->p) && good;
    }
    return s->before ? add_softmax(s->mean, n, share, s->p) : good;
}

BalStatus bal_scorer_run(BalScorer *s, const float *input, float *p, BalError *err) {
    for (int k = 0; k < s->n_classes; k++) s->p[k] = 0;
    for (int i = 0; i < s->n_passes; i++) {
        BAL_TRY(s->ops->set(s, input + (size_t)i * s->pass_floats, err));
        BAL_TRY(bal_session_forward(s->session, 0, 1, BAL_MODE_EVAL, err));
        BAL_TRY(bal_session_get(s->session, 0, "logits", s->logits, err));
        if (!add_pass(s))
            return BAL_FAIL(err, BAL_E_NUMERIC,
                            "the scorer %s answers with values that are not finite: see its weights",
                            s->ops->info.name);
    }
    for (int k = 0; k < s->n_classes; k++) p[k] = (float)s->p[k];
    return BAL_OK;
}
