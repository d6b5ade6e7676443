/* Counts per class and bin: see tally.h. Every worker fills one of its own; classes are put in order when all is joined. */
#include "curate/tally.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/scores_file.h"
#include "base/mem.h"
#include "base/text.h"
#include "curate/key.h"

void bal_leaning_add(BalLeaning *s, int32_t q_audio, int32_t q_visual) {
    const int32_t d = q_audio - q_visual, size = d < 0 ? -d : d;
    const int64_t a = (q_audio + 50) / 100, v = (q_visual + 50) / 100;
    s->n++;
    s->audio += d > 0;
    s->visual += d < 0;
    s->ties += d == 0;
    s->beyond_02 += size > BAL_Q_ONE / 5;
    s->beyond_04 += size > BAL_Q_ONE / 5 * 2;
    s->sum_a += a;
    s->sum_v += v;
    s->sum_aa += a * a;
    s->sum_vv += v * v;
    s->sum_av += a * v;
}

void bal_leaning_join(BalLeaning *to, const BalLeaning *from) {
    to->n += from->n;
    to->audio += from->audio;
    to->visual += from->visual;
    to->ties += from->ties;
    to->beyond_02 += from->beyond_02;
    to->beyond_04 += from->beyond_04;
    to->sum_a += from->sum_a;
    to->sum_v += from->sum_v;
    to->sum_aa += from->sum_aa;
    to->sum_vv += from->sum_vv;
    to->sum_av += from->sum_av;
}

double bal_leaning_pearson(const BalLeaning *s) {
    const double n = (double)s->n, a = (double)s->sum_a, v = (double)s->sum_v;
    const double va = n * (double)s->sum_aa - a * a, vv = n * (double)s->sum_vv - v * v;
    return va > 0 && vv > 0 ? (n * (double)s->sum_av - a * v) / sqrt(va * vv) : NAN;
}

void bal_tally_reset(BalTally *t) {
    for (int c = 0; c < t->n_classes; c++) {
        bal_free(t->classes[c].name);
        bal_free(t->classes[c].count[0]);
    }
    bal_free(t->classes);
    bal_free(t->slot);
    *t = (BalTally){.n_bins = t->n_bins};
}

/* ---- classes by name ---- */

static bool is_called(const BalClassTally *k, const char *name, size_t n) {
    return k->length == n && !memcmp(k->name, name, n);
}

static int *slot_of(const BalTally *t, const char *name, size_t n, uint64_t hash) {
    size_t k = hash & (t->n_slots - 1);
    while (t->slot[k] >= 0 && !is_called(&t->classes[t->slot[k]], name, n)) k = (k + 1) & (t->n_slots - 1);
    return &t->slot[k];
}

static BalStatus grow_slots(BalTally *t, BalError *err) {
    const size_t n = t->n_slots ? 2 * t->n_slots : 64;
    BAL_TRY(bal_resize(&t->slot, n, sizeof *t->slot, err));
    t->n_slots = n;
    for (size_t k = 0; k < n; k++) t->slot[k] = -1;
    for (int c = 0; c < t->n_classes; c++)
        *slot_of(t, t->classes[c].name, t->classes[c].length, t->classes[c].hash) = c;
    return BAL_OK;
}

static bool is_utf8(const char *s) {
    for (size_t n; *s; s += n)
        if (!(n = bal_utf8_length(s))) return false;
    return true;
}

static BalStatus add_class(BalTally *t, const char *name, size_t n, uint64_t hash, BalError *err) {
    BalClassTally k = {.length = n, .hash = hash};
    BalStatus rc;
    if (t->n_classes == BAL_MOST_SELECT_CLASSES)
        return BAL_FAIL(err, BAL_E_FORMAT, "there are more than %d classes; is that the right column? (--label-column)",
                        BAL_MOST_SELECT_CLASSES);
    BAL_TRY_OR(fail, bal_grow(&t->classes, &t->cap, (size_t)t->n_classes + 1, sizeof *t->classes, err));
    BAL_TRY_OR(fail, bal_alloc(&k.name, n + 1, 1, err));
    memcpy(k.name, name, n);
    if (!is_utf8(k.name)) { /* JSON could not tell it from others, and a certificate would not be of these labels */
        rc = BAL_FAIL(err, BAL_E_FORMAT, "the label \"%.100s\" is not UTF-8; convert the table (iconv -t UTF-8)",
                      k.name);
        goto fail;
    }
    BAL_TRY_OR(fail, bal_alloc(&k.count[0], BAL_COUNTS * (size_t)t->n_bins, sizeof **k.count, err));
    if ((size_t)t->n_classes * 2 >= t->n_slots) BAL_TRY_OR(fail, grow_slots(t, err));
    for (int i = 1; i < BAL_COUNTS; i++) k.count[i] = k.count[0] + i * t->n_bins;
    *slot_of(t, name, n, hash) = t->n_classes;
    t->classes[t->n_classes++] = k;
    return BAL_OK;
fail:
    bal_free(k.name);
    bal_free(k.count[0]);
    return rc;
}

BalStatus bal_tally_class(BalTally *t, const char *name, size_t n, int *out, BalError *err) {
    if (!t->n_classes || !is_called(&t->classes[t->last], name, n)) { /* neighbours are often of one class */
        const uint64_t hash = bal_id_hash(name, n);
        const int *slot = t->n_slots ? slot_of(t, name, n, hash) : NULL;
        if (!slot || *slot < 0) BAL_TRY(add_class(t, name, n, hash, err));
        t->last = slot && *slot >= 0 ? *slot : t->n_classes - 1;
    }
    *out = t->last;
    return BAL_OK;
}

/* ---- rows ---- */

void bal_tally_row(BalTally *t, int c, BalScoreText id, int32_t q_audio, int32_t q_visual) {
    const uint64_t i = bal_id_hash(id.s, id.n), label = t->classes[c].hash;
    const uint64_t q = (uint64_t)q_audio << 32 | (uint32_t)q_visual;
    uint64_t h = (i ^ (label << 23 | label >> 41)) + q * 0x9e3779b97f4a7c15u;
    h = (h ^ h >> 30) * 0xbf58476d1ce4e5b9u;
    t->digest[0] += h ^ h >> 27;
    t->digest[1] += (h ^ h >> 31 ^ i) * 0x94d049bb133111ebu;
}

BalStatus bal_tally_join(BalTally *to, const BalTally *from, BalError *err) {
    for (int c = 0; c < from->n_classes; c++) {
        const BalClassTally *k = &from->classes[c];
        int same;
        BAL_TRY(bal_tally_class(to, k->name, k->length, &same, err));
        bal_leaning_join(&to->classes[same].leaning, &k->leaning);
        for (int i = 0; i < BAL_COUNTS * to->n_bins; i++) to->classes[same].count[0][i] += k->count[0][i];
    }
    to->digest[0] += from->digest[0];
    to->digest[1] += from->digest[1];
    return BAL_OK;
}

static int by_name(const void *a, const void *b) {
    return strcmp(((const BalClassTally *)a)->name, ((const BalClassTally *)b)->name);
}

void bal_tally_sort(BalTally *t) {
    if (t->n_classes) qsort(t->classes, (size_t)t->n_classes, sizeof *t->classes, by_name);
    bal_free(t->slot);
    t->slot = NULL;
    t->n_slots = 0;
    t->last = 0;
}
