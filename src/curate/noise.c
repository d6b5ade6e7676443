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

#include "base/mem.h"
#include "curate/key.h"
#include "curate/sheet.h"

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

static BalStatus find_technical(BalNoise *noise, const BalScores *s, const BalNoiseSpec *spec, BalError *err) {
    if (!spec->technical) return BAL_OK;
    BAL_TRY(bal_alloc(&noise->table, 1, sizeof *noise->table, err));
    BAL_TRY(bal_sheet_load(noise->table, spec->technical, "id", err));
    const int reason = bal_sheet_column(noise->table, "reason");
    int64_t found = 0, ids = 0; /* a clip may be listed for several reasons; the first is told */
    for (int64_t i = 0; i < noise->table->n; i++) ids += bal_sheet_find(noise->table, noise->table->id[i]) == i;
    for (int64_t i = 0; i < s->n; i++) {
        const int64_t row = bal_sheet_find(noise->table, s->id[i]);
        if (row < 0) continue;
        noise->rules[i] |= BAL_NOISE_TECHNICAL;
        noise->reason[i] = bal_sheet_at(noise->table, row, reason);
        found++;
    }
    noise->applied[0] = true;
    noise->n_unknown = ids - found;
    return BAL_OK;
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
    if (noise->table) bal_sheet_reset(noise->table);
    bal_free(noise->table);
    *noise = (BalNoise){0};
}
