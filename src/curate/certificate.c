/* Certificates: what can be checked with additions alone.
 *
 * {"schema": "avbalance/certificate/1", "settings": {...}, "digest": of the rows, "rows": their number,
 *  "labels": [...], "available": [[...]], "must_keep": [[...]], "kept": [[...]],   matrices class x bin
 *  "possible": true, "optimal": true, "level": t, "size": N,
 *  "cuts": [{"kind": "size" | "bins" | "classes", "classes": [...], "bins": [...]}],   indices of what is inside
 *  "selected_sha256": of selected.csv}
 *
 * A selection is right if its numbers are within the limits of its level. It is the largest if its cut of the kind "size" has its
 * size, which bounds this level and all below, and its cut of the kind "bins" is violated at the next level and so at all above (rule.c).
 * That nothing is possible is shown by a cut "classes", which excludes the levels up to one, and a cut "bins", which excludes those from
 * there on. The solver is not asked.
 *
 * Of a budget it is checked that the bins keep it. That the next level would not is no matter of additions: "optimal" then says that no
 * more clips fit at this level. */
#include "curate/certificate.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "curate/balance.h"
#include "curate/selection.h"
#include "curate/settings.h"
#include "curate/sieve.h"

static const char *const kinds[] = {"", "bins", "classes", "size"};

/* ---- writing ---- */

static void add_set(BalJsonOut *o, const char *key, const bool *in, int n) {
    bal_json_open(o, key, '[');
    for (int i = 0; i < n; i++)
        if (in[i]) bal_json_add_int(o, NULL, i);
    bal_json_close(o, ']');
}

static void add_cut(BalJsonOut *o, const BalCut *c, const BalSelectResult *s) {
    if (!c->kind) return;
    bal_json_open(o, NULL, '{');
    bal_json_add_text(o, "kind", kinds[c->kind]);
    add_set(o, "classes", c->class_in, s->n_classes);
    add_set(o, "bins", c->bin_in, s->n_bins);
    bal_json_close(o, '}');
}

void bal_certificate_json(const BalSelectResult *s, const char *sha256, BalText *out) {
    BalJsonOut o = bal_json_out(out, false);
    const BalPlan *p = &s->parts->plan;
    bal_json_open(&o, NULL, '{');
    bal_json_add_text(&o, "schema", "avbalance/certificate/1");
    bal_settings_add(&o, &s->spec);
    bal_json_add_digest(&o, "digest", s->digest);
    bal_json_add_int(&o, "rows", s->before.n);
    bal_json_open(&o, "labels", '[');
    for (int c = 0; c < s->n_classes; c++) bal_json_add_text(&o, NULL, s->label[c]);
    bal_json_close(&o, ']');
    bal_json_add_counts(&o, "available", s->parts->n, s->n_classes, s->n_bins);
    bal_json_add_counts(&o, "must_keep", s->must, s->n_classes, s->n_bins);
    bal_json_add_counts(&o, "kept", s->x, s->n_classes, s->n_bins);
    bal_json_add_bool(&o, "possible", s->possible);
    bal_json_add_bool(&o, "optimal", s->optimal);
    bal_json_add_int(&o, "level", s->level);
    bal_json_add_int(&o, "size", s->kept);
    bal_json_open(&o, "cuts", '[');
    if (s->possible) add_cut(&o, &p->size, s);
    add_cut(&o, &p->above, s);
    if (!s->possible) add_cut(&o, &p->conflict, s);
    bal_json_close(&o, ']');
    bal_json_add_text(&o, "selected_sha256", sha256);
    bal_json_close(&o, '}');
    bal_text_char(out, '\n');
}

/* ---- reading ---- */

static BalStatus read_set(bool *in, const BalJson *v, int n, const char *path, BalError *err) {
    for (size_t i = 0; i < bal_json_size(v); i++) {
        const int64_t k = bal_json_int(bal_json_at(v, i), -1);
        if (k < 0 || k >= n)
            return BAL_FAIL(err, BAL_E_FORMAT, "%s: a cut names the class or bin %lld of %d", path, (long long)k, n);
        in[k] = true;
    }
    return BAL_OK;
}

static BalStatus read_cuts(BalCertificate *c, const BalJson *v, const char *path, BalError *err) {
    if (bal_json_type(v) != BAL_JSON_ARRAY || bal_json_size(v) > BAL_MOST_CUTS)
        return BAL_FAIL(err, BAL_E_FORMAT, "%s: \"cuts\" is not a list of at most %d", path, BAL_MOST_CUTS);
    for (; (size_t)c->n_cuts < bal_json_size(v);) {
        const BalJson *j = bal_json_at(v, (size_t)c->n_cuts);
        const char *kind = bal_json_text(bal_json_get(j, "kind"), "");
        BalCut *cut = &c->cut[c->n_cuts++];
        BAL_TRY(bal_cut_make(cut, &c->cells, err));
        for (int k = BAL_CUT_BINS; k <= BAL_CUT_SIZE; k++)
            if (!strcmp(kind, kinds[k])) cut->kind = (BalCutKind)k;
        if (!cut->kind) return BAL_FAIL(err, BAL_E_FORMAT, "%s: there is no cut of the kind \"%.40s\"", path, kind);
        BAL_TRY(read_set(cut->class_in, bal_json_get(j, "classes"), c->cells.n_classes, path, err));
        BAL_TRY(read_set(cut->bin_in, bal_json_get(j, "bins"), c->cells.n_bins, path, err));
    }
    return BAL_OK;
}

static BalStatus read_labels(BalCertificate *c, const BalJson *v, const char *path, BalError *err) {
    const size_t n = bal_json_size(v);
    if (bal_json_type(v) != BAL_JSON_ARRAY || n > BAL_MOST_SELECT_CLASSES || !n)
        return BAL_FAIL(err, BAL_E_FORMAT, "%s: \"labels\" is not a list of 1 to %d texts", path,
                        BAL_MOST_SELECT_CLASSES);
    BAL_TRY(bal_alloc(&c->label, n, sizeof *c->label, err));
    for (size_t i = 0; i < n; i++) {
        c->label[i] = bal_json_text(bal_json_at(v, i), NULL);
        if (!c->label[i] || (i && strcmp(c->label[i - 1], c->label[i]) >= 0))
            return BAL_FAIL(err, BAL_E_FORMAT, "%s: label %zu is no text, or not behind the one before it", path, i);
    }
    c->cells.n_classes = (int)n;
    return BAL_OK;
}

static BalStatus read_matrices(BalCertificate *c, const BalJson *root, const char *path, BalError *err) {
    const int n_classes = c->cells.n_classes, n_bins = c->cells.n_bins;
    const size_t cells = (size_t)n_classes * (size_t)n_bins;
    BAL_TRY(bal_alloc(&c->n, 3 * cells, sizeof *c->n, err));
    c->must = c->n + cells;
    c->x = c->must + cells;
    BAL_TRY(bal_json_counts(c->n, bal_json_get(root, "available"), n_classes, n_bins, "available", path, err));
    BAL_TRY(bal_json_counts(c->must, bal_json_get(root, "must_keep"), n_classes, n_bins, "must_keep", path, err));
    BAL_TRY(bal_json_counts(c->x, bal_json_get(root, "kept"), n_classes, n_bins, "kept", path, err));
    c->cells.n = c->n;
    c->cells.must = c->must;
    return BAL_OK;
}

BalStatus bal_certificate_parse(BalCertificate *c, BalJson **root, const char *path, BalError *err) {
    BalJson *j = *root;
    BalStatus rc;
    *c = (BalCertificate){.root = j};
    *root = NULL;
    const char *schema = bal_json_text(bal_json_get(j, "schema"), ""),
               *sha256 = bal_json_text(bal_json_get(j, "selected_sha256"), "");
    if (strcmp(schema, "avbalance/certificate/1") != 0) {
        rc = BAL_FAIL(err, BAL_E_FORMAT, "%s: is not a certificate of select (its schema is \"%.60s\")", path, schema);
        goto fail;
    }
    BAL_TRY_OR(fail, bal_settings_read(&c->spec, j, path, err));
    c->cells.n_bins = bal_select_bins(&c->spec);
    BAL_TRY_OR(fail, read_labels(c, bal_json_get(j, "labels"), path, err));
    BAL_TRY_OR(fail, read_matrices(c, j, path, err));
    BAL_TRY_OR(fail, read_cuts(c, bal_json_get(j, "cuts"), path, err));
    BAL_TRY_OR(fail, bal_json_digest(c->digest, bal_json_get(j, "digest"), path, err));
    c->possible = bal_json_bool(bal_json_get(j, "possible"), false);
    c->optimal = bal_json_bool(bal_json_get(j, "optimal"), false);
    c->rows = bal_json_int(bal_json_get(j, "rows"), -1);
    c->level = bal_json_int(bal_json_get(j, "level"), -1);
    c->kept = bal_json_int(bal_json_get(j, "size"), -1);
    if (c->level < 0 || c->level > BAL_MOST_CLIPS || c->kept < 0 || c->rows < 0 || strlen(sha256) != 64) {
        rc = BAL_FAIL(err, BAL_E_FORMAT,
                      "%s: rows, level, size or selected_sha256 are missing or not what they are called", path);
        goto fail;
    }
    memcpy(c->sha256, sha256, sizeof c->sha256);
    return BAL_OK;
fail:
    bal_certificate_reset(c);
    return rc;
}

BalStatus bal_certificate_load(BalCertificate *c, const char *path, BalError *err) {
    BalJson *root = NULL;
    BAL_TRY(bal_json_load(&root, path, err));
    return bal_certificate_parse(c, &root, path, err);
}

void bal_certificate_reset(BalCertificate *c) {
    bal_free(c->label);
    bal_free(c->n);
    for (int i = 0; i < BAL_MOST_CUTS; i++) bal_cut_reset(&c->cut[i]);
    bal_json_free(&c->root);
    *c = (BalCertificate){0};
}

/* ---- checking ---- */

#define WRONG(...) BAL_FAIL(err, BAL_E_MISMATCH, __VA_ARGS__)

static BalStatus check_cells(const BalCertificate *c, const char *path, BalError *err) {
    const int n_bins = c->cells.n_bins;
    int64_t size = 0, all = 0;
    for (int i = 0; i < c->cells.n_classes * n_bins; i++) {
        if (c->must[i] > c->n[i] || c->x[i] > c->n[i] || (c->possible && c->x[i] < c->must[i]))
            return WRONG("%s: \"%s\" in bin %d: %lld kept of %lld, %lld of which must be", path, c->label[i / n_bins],
                         i % n_bins, (long long)c->x[i], (long long)c->n[i], (long long)c->must[i]);
        size += c->x[i];
        all += c->n[i];
    }
    if (all > c->rows || (!c->spec.per_source && all < c->rows))
        return WRONG("%s: there are %lld clips to choose from, which does not fit to %lld rows", path, (long long)all,
                     (long long)c->rows);
    if (size != c->kept)
        return WRONG("%s: the clips kept add up to %lld, not to the size %lld", path, (long long)size,
                     (long long)c->kept);
    if (!c->possible && size) return WRONG("%s: clips are kept although that is said to be impossible", path);
    return BAL_OK;
}

static BalStatus check_limits(const BalCertificate *c, const BalRule *r, const char *path, BalError *err) {
    const int n_bins = c->cells.n_bins;
    for (int k = 0; k < c->cells.n_classes; k++) {
        int64_t sum = 0;
        for (int b = 0; b < n_bins; b++) sum += c->x[k * n_bins + b];
        if (sum < r->class_low || sum > r->class_high)
            return WRONG("%s: \"%s\" keeps %lld clips, not %lld to %lld", path, c->label[k], (long long)sum,
                         (long long)r->class_low, (long long)r->class_high);
    }
    for (int b = 0; b < n_bins; b++) {
        const int64_t low = bal_rule_low(r, b, c->level), high = bal_rule_high(r, b, c->level);
        int64_t sum = 0;
        for (int k = 0; k < c->cells.n_classes; k++) sum += c->x[k * n_bins + b];
        if (sum < low || sum > high)
            return WRONG("%s: bin %d keeps %lld clips, not %lld to %lld", path, b, (long long)sum, (long long)low,
                         (long long)high);
    }
    return BAL_OK;
}

static BalStatus check_budget(const BalCertificate *c, const BalRule *r, const char *path, BalError *err) {
    const int n_bins = c->cells.n_bins;
    int64_t *bins = NULL;
    if (c->spec.budget == BAL_BUDGET_NONE) return BAL_OK;
    BAL_TRY(bal_alloc(&bins, (size_t)n_bins, sizeof *bins, err));
    for (int i = 0; i < c->cells.n_classes * n_bins; i++) bins[i % n_bins] += c->x[i];
    const BalBalance b = bal_balance_of(bins, r->eligible, n_bins);
    const double value = bal_balance_get(&b, c->spec.budget);
    bal_free(bins);
    if (isnan(b.kl) || value <= c->spec.budget_value) return BAL_OK; /* NaN: no clip that could be uneven */
    return WRONG("%s: the bins are less even than the budget: %g, not %g at most", path, value, c->spec.budget_value);
}

/* The most convincing value that a cut of this kind has at a level: largest, of sizes smallest. False: there is none. */
static bool best_cut(const BalCertificate *c, const BalRule *r, BalCutKind kind, int64_t level, int64_t *value) {
    bool found = false;
    for (int i = 0; i < c->n_cuts; i++) {
        if (c->cut[i].kind != kind) continue;
        const int64_t v = bal_cut_value(&c->cut[i], r, level);
        if (!found || (kind == BAL_CUT_SIZE ? v < *value : v > *value)) *value = v;
        found = true;
    }
    return found;
}

static BalStatus check_largest(const BalCertificate *c, const BalRule *r, const char *path, BalError *err) {
    int64_t value = 0;
    if (!best_cut(c, r, BAL_CUT_SIZE, c->level, &value) || value > c->kept)
        return WRONG("%s: nothing there proves that no more than %lld clips fit at level %lld (the cut allows %lld)",
                     path, (long long)c->kept, (long long)c->level, (long long)value);
    if (bal_rule_has_levels(r) && r->n_eligible && (!best_cut(c, r, BAL_CUT_BINS, c->level + 1, &value) || value <= 0))
        return WRONG("%s: nothing there proves that level %lld is impossible", path, (long long)c->level + 1);
    return BAL_OK;
}

/* Levels below `open` are excluded by the cuts of classes. */
static int64_t lowest_open(const BalCertificate *c, const BalRule *r, int64_t top) {
    int64_t shut = -1, open = top + 1, value = 0;
    while (open - shut > 1) {
        const int64_t middle = shut + (open - shut) / 2;
        if (best_cut(c, r, BAL_CUT_CLASSES, middle, &value) && value > 0)
            shut = middle;
        else
            open = middle;
    }
    return open;
}

static BalStatus check_impossible(const BalCertificate *c, const BalRule *r, const char *path, BalError *err) {
    int64_t value = 0, level = c->spec.level, top = 0;
    int bin;
    if (bal_rule_has_levels(r)) {
        top = bal_rule_top(r, &bin);
        level = lowest_open(c, r, top);
        if (level > top) return BAL_OK;
    } else if (best_cut(c, r, BAL_CUT_CLASSES, level, &value) && value > 0) {
        return BAL_OK;
    }
    if (best_cut(c, r, BAL_CUT_BINS, level, &value) && value > 0) return BAL_OK;
    return WRONG("%s: nothing there proves that level %lld is impossible", path, (long long)level);
}

BalStatus bal_certificate_check(const BalCertificate *c, const char *path, BalError *err) {
    BalRule r;
    BAL_TRY(check_cells(c, path, err));
    BAL_TRY(bal_rule_make(&r, &c->spec, &c->cells, err));
    BalStatus rc = c->possible ? check_limits(c, &r, path, err) : BAL_OK;
    if (rc >= 0 && c->possible) rc = check_budget(c, &r, path, err);
    if (rc >= 0 && c->optimal) rc = c->possible ? check_largest(c, &r, path, err) : check_impossible(c, &r, path, err);
    bal_rule_reset(&r);
    return rc;
}
