/* report.json: what became of how many clips, how balanced the dataset is, and what every stage said about itself. */
#include <math.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/option.h"
#include "curate/balance.h"
#include "curate/build_export.h"
#include "curate/key.h"

/* ---- copies of other documents ---- */

static void add_value(BalJsonOut *o, const char *key, const BalJson *v) {
    switch (bal_json_type(v)) {
    case BAL_JSON_BOOL:
        bal_json_add_bool(o, key, bal_json_bool(v, false));
        return;
    case BAL_JSON_INT:
        bal_json_add_int(o, key, bal_json_int(v, 0));
        return;
    case BAL_JSON_REAL:
        bal_json_add_real(o, key, bal_json_real(v, 0));
        return;
    case BAL_JSON_ARRAY:
        bal_json_open(o, key, '[');
        for (size_t i = 0; i < bal_json_size(v); i++) add_value(o, NULL, bal_json_at(v, i));
        bal_json_close(o, ']');
        return;
    case BAL_JSON_OBJECT:
        bal_json_open(o, key, '{');
        for (void *it = bal_json_first(v); it; it = bal_json_next(v, it))
            add_value(o, bal_json_key(it), bal_json_value(it));
        bal_json_close(o, '}');
        return;
    default:
        bal_json_add_text(o, key, bal_json_text(v, NULL));
    }
}

static BalStatus add_document(const BalBuilding *b, BalJsonOut *o, const char *key, const char *name, BalError *err) {
    BalText path = {0};
    BalJson *json = NULL;
    BalStatus rc = bal_build_path(b, name, &path, err);
    if (rc >= 0 && bal_file_exists(path.data)) {
        rc = bal_json_load(&json, path.data, err);
        if (rc >= 0) add_value(o, key, json);
    }
    bal_json_free(&json);
    bal_text_reset(&path);
    return rc;
}

/* Which networks scored: what of their score.json does not depend on the machine. */
static BalStatus add_scorers(const BalBuilding *b, BalJsonOut *o, BalError *err) {
    static const char *const key[] = {"scorer", "weights_sha256", "view", "average", "dtype"},
                             *const file[] = {"score/audio/score.json", "score/visual/score.json"};
    BalText path = {0};
    BalStatus rc = BAL_OK;
    bal_json_open(o, "scorers", '{');
    for (int side = 0; side < BAL_SIDES && rc >= 0; side++) {
        BalJson *json = NULL;
        rc = bal_build_path(b, file[side], &path, err);
        if (rc < 0 || !bal_file_exists(path.data)) continue;
        rc = bal_json_load(&json, path.data, err);
        bal_json_open(o, side ? "visual" : "audio", '{');
        for (size_t k = 0; k < sizeof key / sizeof *key && rc >= 0; k++)
            bal_json_add_text(o, key[k], bal_json_text(bal_json_get(json, key[k]), NULL));
        bal_json_close(o, '}');
        bal_json_free(&json);
    }
    bal_json_close(o, '}');
    bal_text_reset(&path);
    return rc;
}

/* ---- balance ---- */

typedef struct Side {
    int64_t n, per_bin[200], heard, seen, ties;
} Side;

static void add_clip(Side *s, int32_t a, int32_t v, int bin) {
    s->n++;
    s->per_bin[bin]++;
    s->heard += a > v;
    s->seen += a < v;
    s->ties += a == v;
}

static BalBalance add_side(BalJsonOut *o, const char *key, const Side *s, int bins) {
    const BalBalance m = bal_balance(s->per_bin, bins);
    bal_json_open(o, key, '{');
    bal_json_add_int(o, "n", s->n);
    bal_json_add_int(o, "audio_preferred", s->heard);
    bal_json_add_int(o, "visual_preferred", s->seen);
    bal_json_add_int(o, "ties", s->ties);
    bal_json_open(o, "per_bin", '[');
    for (int k = 0; k < bins; k++) bal_json_add_int(o, NULL, s->per_bin[k]);
    bal_json_close(o, ']');
    bal_json_add_real(o, "kl_norm", m.kl_norm);
    bal_json_add_real(o, "gini", m.gini);
    bal_json_add_real(o, "max_min", m.max_min);
    bal_json_add_real(o, "w1_bins", m.w1_bins);
    bal_json_close(o, '}');
    return m;
}

static void add_balance(const BalBuildExport *e, BalJsonOut *o) {
    const BalBuildRecipe *r = e->b->recipe;
    Side before = {0}, after = {0};
    const BalScores *s = &e->before;
    for (int64_t i = 0; i < s->n; i++) {
        const int32_t a = bal_quantise(s->value[BAL_SCORE_U_AUDIO][i]),
                      v = bal_quantise(s->value[BAL_SCORE_U_VISUAL][i]);
        const uint64_t key = bal_key64(s->id[i], strlen(s->id[i]), (uint64_t)r->seed);
        add_clip(&before, a, v, bal_bin_of_d(a, v, (int)r->bins, key));
    }
    for (int64_t i = 0; i < e->n; i++) add_clip(&after, e->row[i].q[0], e->row[i].q[1], e->row[i].bin);
    bal_json_open(o, "balance", '{');
    (void)add_side(o, "before", &before, (int)r->bins);
    (void)add_side(o, "after", &after, (int)r->bins);
    bal_json_close(o, '}');
}

/* ---- counts ---- */

typedef const char *NameOf(const BalBuildRow *r);
static const char *split_name(const BalBuildRow *r) {
    return bal_split_name(r->split);
}
static const char *origin_name(const BalBuildRow *r) {
    return r->origin;
}
static const char *type_name(const BalBuildRow *r) {
    return *r->type ? r->type : "untyped";
}

/* Few different names: rows of each, in order of first appearance. Returns the most rows that one has. */
static int64_t add_counts(const BalBuildExport *e, BalJsonOut *o, const char *key, NameOf *name) {
    const char *seen[64];
    int64_t most = 0;
    int n = 0;
    bal_json_open(o, key, '{');
    for (int64_t i = 0; i < e->n; i++) {
        const char *one = name(&e->row[i]);
        int k = 0;
        while (k < n && strcmp(seen[k], one)) k++;
        if (k < n || n == 64) continue;
        seen[n++] = one;
        int64_t count = 0;
        for (int64_t j = i; j < e->n; j++) count += !strcmp(name(&e->row[j]), one);
        bal_json_add_int(o, one, count);
        if (count > most) most = count;
    }
    bal_json_close(o, '}');
    return most;
}

static BalStatus add_categories(const BalBuildExport *e, BalJsonOut *o, BalError *err) {
    int64_t(*count)[3] = NULL; /* clips, heard, seen */
    BAL_TRY(bal_alloc(&count, (size_t)e->manifest.n_classes, sizeof *count, err));
    for (int64_t i = 0; i < e->n; i++) {
        int64_t *c = count[e->row[i].clip->label];
        c[0]++;
        c[1] += e->row[i].pref == 'a';
        c[2] += e->row[i].pref == 'v';
    }
    bal_json_open(o, "categories", '{');
    for (int k = 0; k < e->manifest.n_classes; k++) {
        bal_json_open(o, e->manifest.classes[k], '{');
        bal_json_add_int(o, "n", count[k][0]);
        bal_json_add_int(o, "audio_preferred", count[k][1]);
        bal_json_add_int(o, "visual_preferred", count[k][2]);
        bal_json_close(o, '}');
    }
    bal_json_close(o, '}');
    bal_free(count);
    return BAL_OK;
}

static void add_rejected(const BalBuildExport *e, BalJsonOut *o) {
    bal_json_open(o, "rejected", '{');
    for (int k = 0; k < e->n_counts; k++) {
        if (!k || strcmp(e->count[k].stage, e->count[k - 1].stage)) bal_json_open(o, e->count[k].stage, '{');
        bal_json_add_int(o, e->count[k].rule, e->count[k].n);
        if (k + 1 == e->n_counts || strcmp(e->count[k].stage, e->count[k + 1].stage)) bal_json_close(o, '}');
    }
    bal_json_close(o, '}');
}

static void add_recipe(const BalBuildExport *e, BalJsonOut *o) {
    BalText value = {0};
    bal_json_open(o, "recipe", '{');
    for (const BalOption *option = bal_build_options(); option->name; option++) {
        bal_text_clear(&value);
        bal_options_value(option, e->b->recipe, &value);
        o->text->failed |= value.failed;
        bal_json_add_text(o, option->name, bal_text_str(&value));
    }
    bal_json_close(o, '}');
    bal_text_reset(&value);
}

BalStatus bal_build_report(const BalBuildExport *e, BalText *out, BalError *err) {
    BalJsonOut o = bal_json_document(out, true, "avbalance/build/1");
    bal_json_add_text(&o, "name", e->b->recipe->name);
    bal_json_add_int(&o, "n", e->n);
    (void)add_counts(e, &o, "splits", split_name);
    const int64_t most = add_counts(e, &o, "sources", origin_name);
    (void)add_counts(e, &o, "types", type_name);
    bal_json_open(&o, "acceptance", '{'); /* select.json has what can be said of the bins */
    bal_json_add_bool(&o, "no_source_above_0.6", 5 * most <= 3 * e->n);
    bal_json_close(&o, '}');
    BAL_TRY(add_categories(e, &o, err));
    add_rejected(e, &o);
    add_balance(e, &o);
    BAL_TRY(add_scorers(e->b, &o, err));
    bal_json_open(&o, "stages", '{');
    BAL_TRY(add_document(e->b, &o, "score", "score/calibration.json", err));
    BAL_TRY(add_document(e->b, &o, "triage", "triage/triage.json", err));
    BAL_TRY(add_document(e->b, &o, "estimate", "estimate/estimate.json", err));
    BAL_TRY(add_document(e->b, &o, "noise", "noise/noise.json", err));
    BAL_TRY(add_document(e->b, &o, "takedown", "noise/takedown.json", err));
    BAL_TRY(add_document(e->b, &o, "select", "select/select.json", err));
    bal_json_close(&o, '}');
    add_recipe(e, &o);
    bal_json_close(&o, '}');
    bal_text_char(out, '\n');
    return bal_text_ok(out, err);
}
