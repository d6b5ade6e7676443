/* Which network a checkpoint is of, and whether it is all there: tensors of the file against what each network wants, in each spelling. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "base/text.h"
#include "models/import_values.h"

typedef struct Fit { /* a file beside one network in one spelling */
    const BalNetwork *network;
    int scheme;
    BalWants wants; /* by source name */
    int *of;        /* for each want the tensor of the file, or -1 */
    int missing, unknown, unlike, ignored;
} Fit;

static void fit_reset(Fit *f) {
    bal_free(f->wants.want);
    bal_free(f->of);
    *f = (Fit){0};
}
static int wrong(const Fit *f) {
    return f->missing + f->unknown + f->unlike;
}

/* ---- what is wrong ---- */
static BalStatus problem(BalImport *w, BalText *text, BalError *err) {
    BalStatus rc = bal_text_ok(text, err);
    if (rc >= 0) rc = bal_grow(&w->problem, &w->problem_cap, (size_t)w->n_problems + 1, sizeof *w->problem, err);
    if (rc >= 0) rc = bal_strdup(&w->problem[w->n_problems], text->data, err);
    if (rc >= 0) w->n_problems += 1;
    bal_text_reset(text);
    return rc;
}

static void add_shape(BalText *t, int rank, const int64_t *dim) {
    bal_text_add(t, " [");
    for (int i = 0; i < rank; i++) {
        if (i) bal_text_char(t, ',');
        if (dim[i] == BAL_ANY)
            bal_text_add(t, "classes");
        else
            bal_text_f(t, "%lld", (long long)dim[i]);
    }
    bal_text_char(t, ']');
}

/* Shape that a want has in the file's order of axes. */
static void source_shape(const BalWant *want, int64_t dim[5]) {
    for (int i = 0; i < want->rank; i++) dim[want->axis[i]] = want->dim[i];
}

static void add_want(BalText *t, const BalWant *want) {
    int64_t dim[5];
    source_shape(want, dim);
    add_shape(t, want->rank, dim);
}

/* ---- names ---- */
static int by_source(const void *a, const void *b) {
    return strcmp(((const BalWant *)a)->source, ((const BalWant *)b)->source);
}

static bool all_begin(const BalImport *w, size_t from, const char *prefix) {
    for (int i = 0; i < w->n; i++)
        if (!bal_has_prefix(w->tensor[i].name + from, prefix)) return false;
    return true;
}

/* What wrappers put before every name. */
static size_t wrapper(const BalImport *w) {
    static const char *const prefix[] = {"model.", "module."};
    size_t n = 0;
    for (int i = 0; i < 2; i++)
        if (all_begin(w, n, prefix[i])) n += strlen(prefix[i]), i = -1;
    return n;
}

/* TensorFlow counts the outputs of an operation: a variable's name ends with ":0". */
static const BalWant *find(const BalWants *wants, const char *name) {
    BalWant key = {0};
    const size_t n = strlen(name) - (bal_has_suffix(name, ":0") ? 2 : 0);
    if (n >= sizeof key.source) return NULL;
    memcpy(key.source, name, n);
    return bsearch(&key, wants->want, (size_t)wants->n, sizeof *wants->want, by_source);
}

/* ---- fit ---- */
static bool alike(const BalWant *want, const BalLoose *t, bool may_pad, int64_t *classes) {
    if (t->rank != want->rank && !(may_pad && t->rank < want->rank)) return false;
    for (int i = 0; i < want->rank; i++) {
        const int64_t have = want->axis[i] < t->rank ? t->dim[want->axis[i]] : 1;
        if (want->dim[i] == BAL_ANY && *classes < 0) *classes = have;
        if (have != (want->dim[i] == BAL_ANY ? *classes : want->dim[i]) || have == 0) return false;
    }
    return want->optional ? t->type == BAL_T_I64 : t->type <= BAL_T_F64;
}

/* Caffe2 leaves out axes of length 1 at the end. */
static bool pads(const Fit *f) {
    return !strcmp(f->network->scheme[f->scheme], "Caffe2");
}

static BalStatus report_unlike(BalImport *w, const BalWant *want, const BalLoose *t, BalError *err) {
    BalText text = {0};
    bal_text_f(&text, "different: %s is %s", t->name, bal_tensor_type_name(t->type));
    add_shape(&text, t->rank, t->dim);
    bal_text_add(&text, want->optional ? " instead of I64" : " instead of floats");
    add_want(&text, want);
    return problem(w, &text, err);
}

static BalStatus report_missing(BalImport *w, const BalWant *want, BalError *err) {
    BalText text = {0};
    bal_text_f(&text, "missing: %s", want->source);
    add_want(&text, want);
    return problem(w, &text, err);
}

static BalStatus report_unknown(BalImport *w, const BalLoose *t, BalError *err) {
    BalText text = {0};
    bal_text_f(&text, "unknown: %s", t->name);
    add_shape(&text, t->rank, t->dim);
    return problem(w, &text, err);
}

/* Put each tensor of the file beside what is wanted; report: also keep what is wrong as problems. */
static BalStatus compare(BalImport *w, Fit *f, bool report, BalError *err) {
    const size_t skip = wrapper(w);
    int64_t classes = -1;
    for (int i = 0; i < f->wants.n; i++) f->of[i] = -1;
    f->missing = f->unknown = f->unlike = f->ignored = 0;
    for (int i = 0; i < w->n; i++) {
        const BalLoose *t = &w->tensor[i];
        const BalWant *want = find(&f->wants, t->name + skip);
        if (want && f->of[want - f->wants.want] < 0) {
            f->of[want - f->wants.want] = i;
            if (alike(want, t, pads(f), &classes)) continue;
            f->unlike += 1;
            if (report) BAL_TRY(report_unlike(w, want, t, err));
        } else if (f->network->ignored && f->network->ignored(f->scheme, t->name + skip)) {
            f->ignored += 1;
        } else {
            f->unknown += 1;
            if (report) BAL_TRY(report_unknown(w, t, err));
        }
    }
    for (int i = 0; i < f->wants.n; i++) {
        if (f->of[i] >= 0 || f->wants.want[i].optional) continue;
        f->missing += 1;
        if (report) BAL_TRY(report_missing(w, &f->wants.want[i], err));
    }
    return BAL_OK;
}

static BalStatus fit(BalImport *w, Fit *f, const BalNetwork *network, int scheme, BalError *err) {
    *f = (Fit){.network = network, .scheme = scheme};
    BalStatus rc = network->list(&f->wants, network->variant, scheme, err);
    if (rc >= 0) rc = bal_alloc(&f->of, (size_t)f->wants.n, sizeof *f->of, err);
    if (rc >= 0) {
        qsort(f->wants.want, (size_t)f->wants.n, sizeof *f->wants.want, by_source);
        rc = compare(w, f, false, err);
    }
    if (rc < 0) fit_reset(f);
    return rc;
}

/* The best fit of all networks, or of one; how many fit without a fault. */
static BalStatus best_fit(BalImport *w, const BalNetwork *only, Fit *best, int *n_fits, BalText *fits, BalError *err) {
    *n_fits = 0;
    for (int k = 0; k < bal_import_n_networks; k++) {
        const BalNetwork *network = &bal_import_networks[k];
        if (only && only != network) continue;
        for (int s = 0; network->scheme[s]; s++) {
            Fit f;
            BAL_TRY(fit(w, &f, network, s, err));
            if (!wrong(&f)) bal_text_f(fits, "%s%s", (*n_fits)++ ? ", " : "", network->name);
            if (!best->network || wrong(&f) < wrong(best)) {
                Fit worse = *best;
                *best = f;
                f = worse;
            }
            fit_reset(&f);
        }
    }
    return BAL_OK;
}

/* ---- taking over ---- */
/* Tensor number i of the file under its name here, its axes in our order. */
static BalStatus take(BalImport *w, BalLoose *out, const BalWant *want, int i, BalError *err) {
    BalLoose *t = &w->tensor[i];
    char *name = NULL;
    BAL_TRY(bal_strdup(&name, want->name, err));
    *out = *t;
    out->name = name;
    out->source = t->name;
    t->name = NULL; /* moved */
    out->rank = want->rank;
    for (int a = 0; a < want->rank; a++) {
        const int from = want->axis[a];
        out->dim[a] = from < t->rank ? t->dim[from] : 1;
        out->stride[a] = from < t->rank ? t->stride[from] : 1;
    }
    return BAL_OK;
}

static int by_name(const void *a, const void *b) {
    return strcmp(((const BalLoose *)a)->name, ((const BalLoose *)b)->name);
}

static BalStatus check_finite(BalImport *w, const Fit *f, BalError *err) {
    BalStatus rc = BAL_OK;
    for (int i = 0; i < f->wants.n; i++) {
        if (f->of[i] < 0) continue;
        const BalLoose *t = &w->tensor[f->of[i]];
        const int64_t at = bal_values_not_finite(t);
        if (at < 0) continue;
        BalText text = {0};
        bal_text_f(&text, "not finite: %s has a NaN or an infinite value, the first as number %lld", t->name,
                   (long long)at);
        BAL_TRY(problem(w, &text, err));
        rc = BAL_E_NUMERIC;
    }
    if (rc == BAL_OK) return BAL_OK;
    return BAL_FAIL(err, BAL_E_NUMERIC, "%s: %d tensors are not finite; %s", w->path, w->n_problems, w->problem[0]);
}

static BalStatus take_all(BalImport *w, const Fit *f, BalError *err) {
    BalLoose *made = NULL;
    BalStatus rc = bal_alloc(&made, (size_t)f->wants.n, sizeof *made, err);
    int n = 0;
    for (int i = 0; rc >= 0 && i < f->wants.n; i++)
        if (f->of[i] >= 0 && (rc = take(w, &made[n], &f->wants.want[i], f->of[i], err)) >= 0) n++;
    if (rc < 0) { /* close frees what stands in the list */
        for (int i = 0; i < n; i++) bal_free(made[i].name), bal_free(made[i].source);
        bal_free(made);
        return rc;
    }
    for (int i = 0; i < w->n; i++) bal_free(w->tensor[i].name);
    bal_free(w->tensor);
    qsort(made, (size_t)n, sizeof *made, by_name);
    w->tensor = made, w->n = n, w->cap = (size_t)f->wants.n;
    w->n_ignored += f->ignored;
    w->network = f->network->name;
    w->scheme = f->network->scheme[f->scheme];
    return BAL_OK;
}

/* ---- match ---- */
static BalStatus refuse(BalImport *w, Fit *f, bool asked, BalError *err) {
    if (!asked && 2 * f->missing > f->wants.n)
        return BAL_FAIL(err, BAL_E_FORMAT,
                        "%s: its names are those of no known network; its network can be given as \"none\", which "
                        "takes it as it is",
                        w->path);
    BAL_TRY(compare(w, f, true, err));
    return BAL_FAIL(err, BAL_E_FORMAT,
                    "%s: %s %s (%s names): %d tensors missing, %d unknown, %d different; the first is %s%s", w->path,
                    asked ? "does not fit" : "fits no known network; the nearest is", f->network->name,
                    f->network->scheme[f->scheme], f->missing, f->unknown, f->unlike, w->problem[0],
                    asked ? "" : "; its network can be given as \"none\", which takes it as it is");
}

static BalStatus find_network(const BalNetwork **out, const char *name, BalError *err) {
    const char *names[16];
    int n = 0;
    for (; n < bal_import_n_networks; n++) {
        names[n] = bal_import_networks[n].name;
        if (strcmp(names[n], name) != 0) continue;
        *out = &bal_import_networks[n];
        return BAL_OK;
    }
    names[n++] = "none";
    const char *close = bal_closest(name, names, n);
    return BAL_FAIL(err, BAL_E_ARG, "no network is called \"%s\"%s%s%s", name, close ? "; did you mean \"" : "",
                    close ? close : "", close ? "\"?" : "");
}

static BalStatus decide(BalImport *w, const BalNetwork *only, Fit *best, int n_fits, const BalText *fits,
                        BalError *err) {
    assert(best->network); /* there is at least one */
    if (n_fits > 1 && !only)
        return BAL_FAIL(err, BAL_E_ARG, "%s: several networks fit (%s): name the one that is meant", w->path,
                        bal_text_str(fits));
    if (n_fits < 1) return refuse(w, best, only != NULL, err);
    BAL_TRY(check_finite(w, best, err));
    return take_all(w, best, err);
}

BalStatus bal_import_match(BalImport *w, const char *network, BalError *err) {
    const BalNetwork *only = NULL;
    BalText fits = {0};
    Fit best = {0};
    int n_fits = 0;
    if (w->network) return BAL_FAIL(err, BAL_E_ARG, "%s: it has been matched already", w->path);
    while (w->n_problems) bal_free(w->problem[--w->n_problems]);
    if (network && !strcmp(network, "none")) return BAL_OK;
    if (network) BAL_TRY(find_network(&only, network, err));
    BalStatus rc = best_fit(w, only, &best, &n_fits, &fits, err);
    if (rc >= 0) rc = bal_text_ok(&fits, err);
    if (rc >= 0) rc = decide(w, only, &best, n_fits, &fits, err);
    fit_reset(&best);
    bal_text_reset(&fits);
    return rc;
}

int bal_import_network_count(void) {
    return bal_import_n_networks;
}

const char *bal_import_network_at(int i, const char **summary) {
    if (summary) *summary = bal_import_networks[i].summary;
    return bal_import_networks[i].name;
}
