/* Noise, told: the scores that stay, a line per removal, a summary. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/scores_build.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "curate/key.h"
#include "curate/noise.h"
#include "curate/rejects.h"

static BalScoreText text_of(const char *const *names, int32_t k) {
    return k < 0 ? (BalScoreText){"", 0} : (BalScoreText){names[k], (uint32_t)strlen(names[k])};
}

static BalStatus write_scores(const BalNoise *noise, const BalScores *s, const char *path, BalError *err) {
    BalScores kept = {0};
    bool has[BAL_SCORE_COLUMNS];
    for (int c = 0; c < BAL_SCORE_COLUMNS; c++) has[c] = s->value[c] != NULL;
    BalStatus rc = bal_scores_make(&kept, s->n - noise->removed, has, err);
    for (int64_t i = 0; i < s->n && rc >= 0; i++) {
        if (noise->out[i]) continue;
        rc = bal_scores_put(&kept, kept.n, text_of(&s->id[i], 0), text_of(s->labels, s->label[i]),
                            text_of(s->splits, s->split[i]), err);
        for (int c = 0; c < BAL_SCORE_COLUMNS && rc >= 0; c++)
            if (has[c]) kept.value[c][kept.n] = s->value[c][i];
        kept.n++;
    }
    if (rc >= 0) rc = bal_scores_save(&kept, path, err);
    bal_scores_reset(&kept);
    return rc;
}

static void add_value(BalText *out, const char *name, const double *v, int64_t i) {
    if (!v || isnan(v[i])) return;
    bal_text_f(out, " %s=", name);
    bal_text_real(out, v[i]);
}

static void add_reject(const BalNoise *noise, const BalScores *s, int64_t i, BalText *rule, BalText *values,
                       BalText *out) {
    bal_text_clear(rule);
    bal_text_clear(values);
    for (int k = 0; k < BAL_NOISE_RULES; k++)
        if (noise->rules[i] >> k & 1) bal_text_f(rule, "%s%s", rule->len ? "+" : "", bal_noise_rule_name(k));
    bal_text_f(values, "label=%s", s->label[i] < 0 ? "" : s->labels[s->label[i]]);
    if (noise->suspect[i] >= 0) bal_text_f(values, " suspect=%s", s->labels[noise->suspect[i]]);
    for (int c = 0; c <= BAL_SCORE_CORRECT_VISUAL; c++)
        add_value(values, bal_score_column_name((BalScoreColumn)c), s->value[c], i);
    if (noise->reason[i] && *noise->reason[i]) bal_text_f(values, " reason=%s", noise->reason[i]);
    bal_reject_line(out, s->id[i], "noise", bal_text_str(rule), bal_text_str(values));
    out->failed |= rule->failed || values->failed; /* which clearing forgets */
}

static int by_id(const void *x, const void *y, void *ids) {
    const char *const *id = ids;
    return strcmp(id[*(const int64_t *)x], id[*(const int64_t *)y]);
}

static BalStatus write_rejects(const BalNoise *noise, const BalScores *s, const char *path, BalError *err) {
    BalText out = {0}, rule = {0}, values = {0};
    int64_t *at = NULL, n = 0;
    BAL_TRY(bal_alloc(&at, (size_t)noise->removed, sizeof *at, err));
    for (int64_t i = 0; i < s->n; i++)
        if (noise->out[i]) at[n++] = i;
    qsort_r(at, (size_t)n, sizeof *at, by_id, s->id);
    bal_text_add(&out, BAL_REJECTS_HEADER);
    for (int64_t k = 0; k < n; k++) add_reject(noise, s, at[k], &rule, &values, &out);
    BalStatus rc = bal_text_ok(&out, err);
    if (rc >= 0) rc = bal_file_write(path, out.data, out.len, err);
    bal_text_reset(&out);
    bal_text_reset(&rule);
    bal_text_reset(&values);
    bal_free(at);
    return rc;
}

void bal_noise_json(const BalNoise *noise, const BalScores *s, const BalNoiseSpec *spec, BalText *out) {
    BalJsonOut o = bal_json_document(out, true, "avbalance/clean/1");
    bal_json_add_int(&o, "n", noise->n);
    bal_json_add_int(&o, "kept", noise->n - noise->removed);
    bal_json_add_int(&o, "removed", noise->removed);
    bal_json_add_int(&o, "spared_by_cap", noise->spared);
    bal_json_open(&o, "rules", '{');
    for (int k = 0; k < BAL_NOISE_RULES; k++) {
        bal_json_open(&o, bal_noise_rule_name(k), '{');
        bal_json_add_bool(&o, "applied", noise->applied[k]);
        bal_json_add_int(&o, "clips", noise->by_rule[k]);
        bal_json_close(&o, '}');
    }
    bal_json_close(&o, '}');
    bal_json_add_real(&o, "low", spec->low);
    bal_json_add_real(&o, "never_u", spec->never_u);
    bal_json_add_real(&o, "never_sd", spec->never_sd);
    bal_json_add_real(&o, "cap", spec->cap);
    bal_json_open(&o, "labels", '{');
    for (int k = 0; k < s->n_labels; k++) {
        bal_json_open(&o, s->labels[k], '{');
        bal_json_add_int(&o, "n", noise->of_label[k]);
        bal_json_add_int(&o, "removed", noise->out_of_label[k]);
        bal_json_close(&o, '}');
    }
    bal_json_close(&o, '}');
    bal_json_close(&o, '}');
    bal_text_char(out, '\n');
}

const char *const bal_noise_files[] = {"scores.csv", "rejects.csv", "noise.json", NULL};

BalStatus bal_noise_save(const BalNoise *noise, const BalScores *s, const BalNoiseSpec *spec, const char *dir,
                         BalError *err) {
    BalText path[3] = {{0}}, json = {0};
    BalStatus rc = bal_make_dirs(dir, err);
    for (int k = 0; k < 3 && rc >= 0; k++) {
        bal_path_join(&path[k], dir, bal_noise_files[k]);
        rc = bal_text_ok(&path[k], err);
    }
    if (rc >= 0) rc = bal_remove_tree(path[2].data, err); /* of an older one: its presence says that all are whole */
    if (rc >= 0) rc = write_rejects(noise, s, path[1].data, err);
    if (rc >= 0) rc = write_scores(noise, s, path[0].data, err);
    bal_noise_json(noise, s, spec, &json);
    if (rc >= 0) rc = bal_text_ok(&json, err);
    if (rc >= 0) rc = bal_file_write(path[2].data, json.data, json.len, err);
    for (int k = 0; k < 3; k++) bal_text_reset(&path[k]);
    bal_text_reset(&json);
    return rc;
}
