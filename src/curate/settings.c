/* Settings of a selection as JSON: see settings.h. */
#include "curate/settings.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const budget_names[] = {"none", "kl", "chi2", "gini", "max_min"};

void bal_settings_add(BalJsonOut *o, const BalSelectSpec *s) {
    bal_json_open(o, "settings", '{');
    bal_json_add_text(o, "policy", bal_policy_names[s->policy]);
    bal_json_add_int(o, "bins", s->bins);
    bal_json_add_int(o, "grid", s->grid);
    bal_json_add_real(o, "ratio", s->ratio);
    bal_json_add_real(o, "tolerance", s->tolerance);
    bal_json_add_int(o, "level", s->level);
    bal_json_add_text(o, "budget", budget_names[s->budget]);
    bal_json_add_real(o, "budget_value", s->budget_value);
    bal_json_add_int(o, "class_min", s->class_min);
    bal_json_add_int(o, "class_max", s->class_max);
    bal_json_add_int(o, "min_per_bin", s->min_per_bin);
    bal_json_add_int(o, "per_source", s->per_source);
    bal_json_add_int(o, "seed", (int64_t)s->seed);
    bal_json_close(o, '}');
}

static int name_of(const char *const *names, int n, const char *s) {
    for (int i = 0; s && i < n; i++)
        if (!strcmp(names[i], s)) return i;
    return -1;
}

/* -1 where it is no number of clips. */
static int64_t count_of(const BalJson *v) {
    const int64_t n = bal_json_int(v, -1);
    return n <= BAL_MOST_CLIPS ? n : -1;
}

BalStatus bal_settings_read(BalSelectSpec *out, const BalJson *document, const char *path, BalError *err) {
    const BalJson *v = bal_json_get(document, "settings");
    BalSelectSpec s = {0};
    const int policy = name_of(bal_policy_names, BAL_POLICIES, bal_json_text(bal_json_get(v, "policy"), NULL));
    const int budget = name_of(budget_names, 5, bal_json_text(bal_json_get(v, "budget"), NULL));
    const struct {
        const char *name;
        int64_t *to;
    } whole[] = {{"level", &s.level},
                 {"class_min", &s.class_min},
                 {"class_max", &s.class_max},
                 {"min_per_bin", &s.min_per_bin},
                 {"per_source", &s.per_source}};
    const int64_t seed = bal_json_int(bal_json_get(v, "seed"), -1), bins = count_of(bal_json_get(v, "bins")),
                  grid = count_of(bal_json_get(v, "grid"));
    bool good = policy >= 0 && budget >= 0 && seed >= 0 && bins >= 0 && bins <= 1000 && grid >= 0 && grid <= 1000;
    for (size_t i = 0; i < sizeof whole / sizeof *whole; i++)
        good &= (*whole[i].to = count_of(bal_json_get(v, whole[i].name))) >= 0;
    if (!good)
        return BAL_FAIL(err, BAL_E_FORMAT, "%s: the settings are not those of a selection; make the file again", path);
    s.policy = (BalPolicy)policy;
    s.budget = (BalBudget)budget;
    s.bins = (int)bins;
    s.grid = (int)grid;
    s.seed = (uint64_t)seed;
    s.ratio = bal_json_real(bal_json_get(v, "ratio"), 0);
    s.tolerance = bal_json_real(bal_json_get(v, "tolerance"), -1);
    s.budget_value = bal_json_real(bal_json_get(v, "budget_value"), 0);
    BalStatus rc = bal_select_spec_check(&s, err);
    if (rc < 0) return bal_error_add(err, BAL_E_FORMAT, "in the settings of %s", path);
    *out = s;
    return BAL_OK;
}

void bal_json_add_counts(BalJsonOut *o, const char *key, const int64_t *x, int rows, int columns) {
    bal_json_open(o, key, '[');
    for (int r = 0; r < rows; r++) bal_json_add_counts(o, NULL, x + (size_t)r * (size_t)columns, 0, columns);
    for (int c = 0; rows == 0 && c < columns; c++) bal_json_add_int(o, NULL, x[c]);
    bal_json_close(o, ']');
}

BalStatus bal_json_counts(int64_t *x, const BalJson *v, int rows, int columns, const char *what, const char *path,
                          BalError *err) {
    int64_t sum = 0;
    if (bal_json_type(v) != BAL_JSON_ARRAY || bal_json_size(v) != (size_t)(rows ? rows : columns))
        return BAL_FAIL(err, BAL_E_FORMAT, "%s: \"%s\" is not %d x %d numbers", path, what, rows ? rows : 1, columns);
    for (int r = 0; r < rows; r++)
        BAL_TRY(
            bal_json_counts(x + (size_t)r * (size_t)columns, bal_json_at(v, (size_t)r), 0, columns, what, path, err));
    for (int c = 0; rows == 0 && c < columns; c++)
        if ((x[c] = count_of(bal_json_at(v, (size_t)c))) < 0)
            return BAL_FAIL(err, BAL_E_FORMAT, "%s: \"%s\" holds something that is no number of clips", path, what);
    for (size_t i = 0; i < (size_t)(rows ? rows : 1) * (size_t)columns && sum <= BAL_MOST_CLIPS; i++) sum += x[i];
    if (sum > BAL_MOST_CLIPS) return BAL_FAIL(err, BAL_E_FORMAT, "%s: \"%s\" holds too many clips", path, what);
    return BAL_OK;
}

void bal_json_add_digest(BalJsonOut *o, const char *key, const uint64_t digest[2]) {
    char text[40];
    snprintf(text, sizeof text, "%016" PRIx64 "%016" PRIx64, digest[0], digest[1]);
    bal_json_add_text(o, key, text);
}

BalStatus bal_json_digest(uint64_t digest[2], const BalJson *v, const char *path, BalError *err) {
    const char *text = bal_json_text(v, "");
    char half[17] = {0};
    if (strlen(text) != 32 || strspn(text, "0123456789abcdef") != 32)
        return BAL_FAIL(err, BAL_E_FORMAT, "%s: the digest is not 32 hexadecimal digits", path);
    for (int i = 0; i < 2; i++) {
        memcpy(half, text + 16 * i, 16);
        digest[i] = strtoull(half, NULL, 16);
    }
    return BAL_OK;
}
