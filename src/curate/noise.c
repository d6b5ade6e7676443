/* Noise rules. The paper removes noise and does not say how; the rules here are those that two modalities make safe: a clip goes only
 * where sound and picture agree that something is wrong. Where one of them alone objects, that is modality discrepancy, the very thing
 * the dataset is about.
 *
 *   R1 low        neither network gives the label much probability
 *   R2 never      neither was right in any epoch, steadily (Swayamdipta et al. 2020)
 *   R3 label      both name the same other label, surer than clips of that label usually are (Northcutt et al. 2021); noise_label.c
 *   R4 technical  a list from elsewhere: probe's findings, duplicates
 *
 * R1 to R3 judge by networks that learned from the same clips, so what they remove is bounded per label; the least sure clips go first.
 * R1 empties the corner where both are low; that lies at d = 0 and leaves the tails of the discrepancy as they are. */
#include "curate/noise.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/predictions.h"
#include "analysis/scores_file.h"
#include "base/csv.h"
#include "base/file.h"
#include "base/mem.h"
#include "curate/key.h"

const char *bal_noise_rule_name(int k) {
    static const char *const name[BAL_NOISE_RULES] = {"technical", "label", "low", "never"};
    return name[k];
}

BalNoiseSpec bal_noise_spec_default(void) {
    return (BalNoiseSpec){.low = 0.1, .never_u = 0.25, .never_sd = 0.1, .cap = 0.1};
}

/* ---- R1, R2 ---- */

static void find_low(BalNoise *noise, const BalScores *s, const BalNoiseSpec *spec) {
    const double *const *v = (const double *const *)s->value;
    noise->applied[2] = true;
    noise->applied[3] =
        v[BAL_SCORE_SD_AUDIO] && v[BAL_SCORE_SD_VISUAL] && v[BAL_SCORE_CORRECT_AUDIO] && v[BAL_SCORE_CORRECT_VISUAL];
    for (int64_t i = 0; i < s->n; i++) {
        const double a = v[BAL_SCORE_U_AUDIO][i], b = v[BAL_SCORE_U_VISUAL][i];
        if (a < spec->low && b < spec->low) noise->rules[i] |= BAL_NOISE_LOW;
        if (!noise->applied[3]) continue;
        const bool steady = v[BAL_SCORE_SD_AUDIO][i] < spec->never_sd && v[BAL_SCORE_SD_VISUAL][i] < spec->never_sd;
        const bool never = v[BAL_SCORE_CORRECT_AUDIO][i] == 0 && v[BAL_SCORE_CORRECT_VISUAL][i] == 0;
        if (a < spec->never_u && b < spec->never_u && steady && never) noise->rules[i] |= BAL_NOISE_NEVER;
    }
}

/* ---- R4 ---- */

static BalStatus find_columns(BalCsv *csv, const char *path, int *id, int *reason, BalError *err) {
    BalStatus rc = bal_csv_next(csv, err);
    *id = *reason = -1;
    for (int k = 0; rc == BAL_OK && k < csv->n_fields; k++) {
        if (bal_field_is(&csv->field[k], "id")) *id = k;
        if (bal_field_is(&csv->field[k], "reason")) *reason = k;
    }
    if (rc < 0 || *id >= 0) return rc;
    return BAL_FAIL(err, BAL_E_FORMAT, "%s: there is no column \"id\"; the header must be id,reason", path);
}

static BalStatus read_technical(BalNoise *noise, const BalScores *s, BalCsv *csv, BalText *text, size_t *at,
                                BalError *err) {
    BalNameIndex ids = {0};
    int id, reason;
    BalStatus rc;
    BAL_TRY(bal_name_index_make(&ids, s->id, s->n, err));
    BAL_TRY_OR(done, find_columns(csv, csv->name, &id, &reason, err));
    while ((rc = bal_csv_next(csv, err)) == BAL_OK) {
        if (csv->n_fields <= id) {
            rc = BAL_FAIL(err, BAL_E_FORMAT, "%s: line %lld: has %d fields, the header has more", csv->name,
                          (long long)csv->line, csv->n_fields);
            goto done;
        }
        const int64_t i = bal_name_index_find(&ids, csv->field[id].s, csv->field[id].n);
        if (i < 0) {
            noise->n_unknown++;
            continue;
        }
        noise->rules[i] |= BAL_NOISE_TECHNICAL;
        at[i] = text->len + 1;
        if (reason >= 0 && reason < csv->n_fields) bal_text_add_n(text, csv->field[reason].s, csv->field[reason].n);
        bal_text_char(text, '\0');
        BAL_TRY_OR(done, bal_text_ok(text, err));
    }
done:
    bal_name_index_reset(&ids);
    return rc < 0 ? rc : BAL_OK;
}

static BalStatus find_technical(BalNoise *noise, const BalScores *s, const BalNoiseSpec *spec, BalError *err) {
    BalText text = {0};
    BalMap map = {0};
    BalCsv csv = {0};
    size_t *at = NULL; /* 1 + where each clip's reason begins */
    BalStatus rc;
    if (!spec->technical) return BAL_OK;
    noise->applied[0] = true;
    BAL_TRY_OR(done, bal_alloc(&at, (size_t)s->n, sizeof *at, err));
    BAL_TRY_OR(done, bal_map_open(&map, spec->technical, err));
    bal_csv_init(&csv, map.data, map.size, bal_table_separator((const char *)map.data, map.size), spec->technical);
    BAL_TRY_OR(done, read_technical(noise, s, &csv, &text, at, err));
    for (int64_t i = 0; i < s->n; i++)
        if (at[i]) noise->reason[i] = text.data + at[i] - 1;
    noise->text = text.data;
    text = (BalText){0};
done:
    bal_csv_reset(&csv);
    bal_map_close(&map);
    bal_text_reset(&text);
    bal_free(at);
    return rc;
}

/* ---- what goes ---- */

typedef struct Candidate {
    int64_t clip;
    int32_t label, q; /* q_audio + q_visual */
    uint64_t key;
    const char *id;
} Candidate;

static int by_worst(const void *x, const void *y) {
    const Candidate *a = x, *b = y;
    if (a->label != b->label) return a->label < b->label ? -1 : 1;
    if (a->q != b->q) return a->q < b->q ? -1 : 1;
    if (a->key != b->key) return a->key < b->key ? -1 : 1;
    return strcmp(a->id, b->id);
}

static int label_of(const BalScores *s, int64_t i) {
    return s->label[i] < 0 ? s->n_labels : s->label[i];
}

/* What no cap protects goes first, and does not count against it. */
static BalStatus remove_worst(BalNoise *noise, const BalScores *s, const BalNoiseSpec *spec, BalError *err) {
    Candidate *c = NULL;
    int64_t n = 0;
    BAL_TRY(bal_alloc(&c, (size_t)s->n, sizeof *c, err));
    for (int64_t i = 0; i < s->n; i++) {
        noise->of_label[label_of(s, i)]++;
        noise->out[i] = noise->rules[i] & BAL_NOISE_TECHNICAL;
        if (noise->out[i] || !noise->rules[i]) continue;
        c[n++] = (Candidate){.clip = i,
                             .label = label_of(s, i),
                             .q = bal_quantise(s->value[BAL_SCORE_U_AUDIO][i]) +
                                  bal_quantise(s->value[BAL_SCORE_U_VISUAL][i]),
                             .key = bal_key64(s->id[i], strlen(s->id[i]), spec->seed),
                             .id = s->id[i]};
    }
    qsort(c, (size_t)n, sizeof *c, by_worst);
    for (int64_t k = 0; k < n; k++) {
        int64_t *gone = &noise->out_of_label[c[k].label];
        if ((double)(*gone + 1) > spec->cap * (double)noise->of_label[c[k].label] + 1e-9) {
            noise->spared++;
            continue;
        }
        noise->out[c[k].clip] = true;
        ++*gone;
    }
    bal_free(c);
    return BAL_OK;
}

static BalStatus make_room(BalNoise *noise, const BalScores *s, BalError *err) {
    const size_t n = (size_t)s->n, labels = (size_t)s->n_labels + 1;
    noise->n = s->n;
    BAL_TRY(bal_alloc(&noise->rules, n, sizeof *noise->rules, err));
    BAL_TRY(bal_alloc(&noise->out, n, sizeof *noise->out, err));
    BAL_TRY(bal_alloc(&noise->suspect, n, sizeof *noise->suspect, err));
    BAL_TRY(bal_alloc(&noise->reason, n, sizeof *noise->reason, err));
    BAL_TRY(bal_alloc(&noise->of_label, labels, sizeof *noise->of_label, err));
    BAL_TRY(bal_alloc(&noise->out_of_label, labels, sizeof *noise->out_of_label, err));
    for (size_t i = 0; i < n; i++) noise->suspect[i] = -1;
    return BAL_OK;
}

static BalStatus find(BalNoise *noise, const BalScores *s, const BalNoiseSpec *spec, BalError *err) {
    BAL_TRY(make_room(noise, s, err));
    find_low(noise, s, spec);
    BAL_TRY(bal_noise_labels(noise, s, spec, err));
    BAL_TRY(find_technical(noise, s, spec, err));
    BAL_TRY(remove_worst(noise, s, spec, err));
    for (int64_t i = 0; i < s->n; i++) {
        noise->removed += noise->out[i];
        for (int k = 0; k < BAL_NOISE_RULES; k++) noise->by_rule[k] += noise->rules[i] >> k & 1;
    }
    return BAL_OK;
}

BalStatus bal_noise_find(BalNoise *out, const BalScores *s, const BalNoiseSpec *spec, BalError *err) {
    BalNoise noise = {0};
    if (!(spec->cap >= 0 && spec->cap <= 1)) return BAL_FAIL(err, BAL_E_ARG, "a cap is a share, from 0 to 1");
    BalStatus rc = find(&noise, s, spec, err);
    if (rc < 0)
        bal_noise_reset(&noise);
    else
        *out = noise;
    return rc;
}

void bal_noise_reset(BalNoise *noise) {
    bal_free(noise->rules);
    bal_free(noise->out);
    bal_free(noise->suspect);
    bal_free(noise->reason);
    bal_free(noise->of_label);
    bal_free(noise->out_of_label);
    bal_free(noise->text);
    *noise = (BalNoise){0};
}
