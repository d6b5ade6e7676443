/* Triage: clips sorted by which scorer names their label (Xia et al. 2023, section 4).
 *
 * A clip whose label both scorers name is of type H, one that only the audio scorer names of type A, only the visual one of type V; one
 * that neither names is dropped, as its label is likely wrong or shows in neither sound nor picture. What "names" means is the rule of
 * categories.c. Supplements are typed by the scorers like all clips, not by where they come from: a clip of an audio dataset may well
 * be seen better.
 *
 * The paper wants "similar proportions" of the types. Here: of a category's clips no type may be more than `ratio` times its rarest
 * one. The rarest types are filled from the supplements first, so that the proportion is that of the outcome (triage_fill.c). */
#include "curate/triage.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/option.h"
#include "curate/key.h"
#include "curate/side.h"

#define SAME_S    10.0 /* clips of one video that begin less than this apart are the same clip */
#define RETOPIC_P 0.5

char bal_type_letter(BalClipType t) {
    return "HAVN"[t];
}

const char *bal_triage_rule_name(BalTriageRule r) {
    static const char *const name[BAL_TRIAGE_RULES] = {"kept",       "unscored", "neither", "known",     "foreign-test",
                                                       "per-source", "no-need",  "cap",     "proportion"};
    return name[r];
}

int64_t bal_triage_usual_cap(const char *source) {
    return !strcmp(source, "k400") ? 10000 : !strcmp(source, "vgg") ? 8000 : -1;
}

BalTriageSpec bal_triage_spec_default(void) {
    return (BalTriageSpec){.temperature = {1, 1}, .ratio = 1.25, .target = 1200};
}

/* ---- clips ---- */

/* Category of each of a manifest's classes; *side: whose list they stand in. */
static BalStatus map_labels(const BalCategories *c, const BalManifest *m, int32_t **out, int *side, BalError *err) {
    int found[BAL_SIDES] = {0};
    BAL_TRY(bal_alloc(out, (size_t)m->n_classes, sizeof **out, err));
    for (int k = 0; k < m->n_classes; k++) {
        (*out)[k] = bal_category_of_label(c, m->classes[k]);
        if ((*out)[k] < 0) continue;
        const BalCategory *of = &c->category[(*out)[k]];
        for (int s = 0; s < BAL_SIDES; s++)
            for (int i = 0; i < of->n_classes[s]; i++) found[s] += !strcmp(of->class_name[s][i], m->classes[k]);
    }
    *side = found[BAL_AUDIO] == found[BAL_VISUAL] ? -1 : found[BAL_VISUAL] > found[BAL_AUDIO];
    return BAL_OK;
}

static BalStatus no_category(const BalTriage *t, const BalManifest *m, const BalClip *c, BalError *err) {
    if (c->label < 0)
        return BAL_FAIL(err, BAL_E_FORMAT,
                        "line %lld: clip \"%.100s\" has no label; triage needs the topic that it was "
                        "collected for",
                        (long long)c->line, c->id);
    const char *label = m->classes[c->label], *near = bal_closest(label, t->category_key, t->n_categories);
    return BAL_FAIL(err, BAL_E_FORMAT,
                    "line %lld: the label \"%s\" of clip \"%.100s\" is neither a category nor a class of "
                    "one%s%s%s",
                    (long long)c->line, label, c->id, near ? "; did you mean \"" : "", near ? near : "",
                    near ? "\"?" : "");
}

static BalStatus take_clips(BalTriage *t, const BalCategories *categories, int source, int *side, BalError *err) {
    const BalManifest *m = t->source[source].clips;
    const double *place = t->source[source].place_s;
    int32_t *category = NULL;
    BAL_TRY(map_labels(categories, m, &category, side, err));
    BalStatus rc = BAL_OK;
    for (int64_t i = 0; i < m->n && rc >= 0; i++) {
        const BalClip *c = &m->clip[i];
        const int32_t of = c->label < 0 ? -1 : category[c->label];
        if (of < 0 && source) {
            t->unmapped[source]++;
            continue;
        }
        if (of < 0) {
            rc = no_category(t, m, c, err);
            break;
        }
        t->clip[t->n++] = (BalTriageClip){.clip = c,
                                          .origin_label = m->classes[c->label],
                                          .source = source,
                                          .category = of,
                                          .from = -1,
                                          .place_s = place ? place[i] : c->start_s,
                                          .q = {-1, -1},
                                          .type = BAL_TYPE_N,
                                          .key = bal_key64(c->id, strlen(c->id), t->spec.seed)};
    }
    bal_free(category);
    return rc;
}

static int by_id(const void *x, const void *y) {
    const BalTriageClip *a = x, *b = y;
    const int order = strcmp(a->clip->id, b->clip->id);
    return order ? order : a->source - b->source;
}

static int by_place(const void *x, const void *y) {
    const BalTriageClip *a = *(BalTriageClip *const *)x, *b = *(BalTriageClip *const *)y;
    int order = strcmp(bal_triage_video(a), bal_triage_video(b));
    if (order) return order;
    if (a->place_s != b->place_s) return a->place_s < b->place_s ? -1 : 1;
    return strcmp(a->clip->id, b->clip->id);
}

static bool same_place(const BalTriageClip *a, const BalTriageClip *b) {
    return !strcmp(bal_triage_video(a), bal_triage_video(b)) && fabs(a->place_s - b->place_s) < SAME_S;
}

/* Clips of supplements that an earlier source has: by id, or by place in their video where that is known. */
static BalStatus find_known(BalTriage *t, BalError *err) {
    BalTriageClip **at = NULL;
    int64_t n = 0;
    for (int64_t i = 1; i < t->n; i++)
        if (!strcmp(t->clip[i].clip->id, t->clip[i - 1].clip->id)) t->clip[i].rule = BAL_TRIAGE_KNOWN;
    BAL_TRY(bal_alloc(&at, (size_t)t->n, sizeof(BalTriageClip *), err));
    for (int64_t i = 0; i < t->n; i++)
        if (!isnan(t->clip[i].place_s)) at[n++] = &t->clip[i];
    qsort(at, (size_t)n, sizeof *at, by_place);
    for (int64_t i = 0; i < n; i++)
        for (int step = -1; step <= 1; step += 2)
            for (int64_t k = i + step; k >= 0 && k < n && same_place(at[i], at[k]); k += step)
                if (at[k]->source < at[i]->source) at[i]->rule = BAL_TRIAGE_KNOWN;
    bal_free(at);
    return BAL_OK;
}

static BalStatus gather(BalTriage *t, const BalCategories *categories, int *side, BalError *err) {
    size_t n = 0;
    for (int s = 0; s < t->n_sources; s++) n += (size_t)t->source[s].clips->n;
    BAL_TRY(bal_alloc(&t->clip, n, sizeof *t->clip, err));
    for (int s = 0; s < t->n_sources; s++) BAL_TRY(take_clips(t, categories, s, &side[s], err));
    qsort(t->clip, (size_t)t->n, sizeof *t->clip, by_id);
    for (int64_t i = 0; i < t->n; i++) {
        BalTriageClip *c = &t->clip[i];
        if (!c->source) t->category[c->category].n++;
        if (c->source && t->spec.no_foreign_test && c->clip->split == BAL_SPLIT_TEST) c->rule = BAL_TRIAGE_FOREIGN;
    }
    return t->n_sources > 1 ? find_known(t, err) : BAL_OK;
}

/* ---- typing ---- */

static BalStatus type_clip(const BalTriage *t, const BalSideOutputs side[BAL_SIDES], BalTriageClip *c, double *p,
                           BalError *err) {
    BalCategoryScore s[BAL_SIDES];
    bool said[BAL_SIDES];
    const BalCorrectRule rule = (BalCorrectRule)t->spec.rule;
    for (int k = 0; k < BAL_SIDES; k++)
        BAL_TRY(bal_side_ask(&side[k], c->clip->id, c->category, rule, p, &s[k], &said[k], err));
    if (said[0] && said[1] && t->spec.retopic && s[0].top >= 0 && s[0].top == s[1].top && s[0].top != c->category &&
        s[0].top_p >= RETOPIC_P && s[1].top_p >= RETOPIC_P) {
        c->from = c->category;
        c->category = s[0].top;
        for (int k = 0; k < BAL_SIDES; k++)
            BAL_TRY(bal_side_ask(&side[k], c->clip->id, c->category, rule, p, &s[k], &said[k], err));
    }
    for (int k = 0; k < BAL_SIDES; k++)
        if (said[k]) c->q[k] = bal_quantise(fmin(s[k].p, 1));
    if (!said[0] || !said[1]) {
        c->rule = BAL_TRIAGE_UNSCORED;
        return BAL_OK;
    }
    static const BalClipType type[2][2] = {{BAL_TYPE_N, BAL_TYPE_V}, {BAL_TYPE_A, BAL_TYPE_H}}; /* [audio][visual] */
    c->type = (int8_t)type[s[BAL_AUDIO].correct][s[BAL_VISUAL].correct];
    if (c->type == BAL_TYPE_N) c->rule = BAL_TRIAGE_NEITHER;
    return BAL_OK;
}

static BalStatus type_clips(BalTriage *t, const BalCategories *categories, BalError *err) {
    BalSideOutputs side[BAL_SIDES] = {{0}};
    double *p = NULL;
    int64_t scored = 0;
    BalStatus rc = bal_alloc(&p, (size_t)t->n_categories, sizeof *p, err);
    for (int k = 0; k < BAL_SIDES && rc >= 0; k++)
        rc = bal_side_open(&side[k], categories, (BalSide)k, t->spec.outputs[k], t->spec.n_outputs[k],
                           t->spec.temperature[k], err);
    for (int64_t i = 0; i < t->n && rc >= 0; i++)
        if (t->clip[i].rule == BAL_TRIAGE_KEPT) {
            rc = type_clip(t, side, &t->clip[i], p, err);
            scored += t->clip[i].rule != BAL_TRIAGE_UNSCORED;
        }
    if (rc >= 0 && !scored)
        rc = BAL_FAIL(err, BAL_E_FORMAT,
                      "no clip of the manifest has outputs of both scorers; are the ids the same? The "
                      "manifest begins with \"%.60s\", %s with \"%.60s\"",
                      t->n ? t->clip[0].clip->id : "", t->spec.outputs[0][0],
                      side[0].outputs->n ? side[0].outputs->id[0] : "");
    for (int k = 0; k < BAL_SIDES; k++) bal_side_close(&side[k]);
    bal_free(p);
    return rc;
}

/* ---- all of it ---- */

static BalStatus prepare(BalTriage *t, const BalCategories *categories, BalError *err) {
    t->n_categories = categories->n;
    BAL_TRY(bal_alloc(&t->category, (size_t)categories->n, sizeof *t->category, err));
    BAL_TRY(bal_alloc(&t->category_key, (size_t)categories->n, sizeof *t->category_key, err));
    BAL_TRY(bal_alloc(&t->unmapped, (size_t)t->n_sources, sizeof *t->unmapped, err));
    BAL_TRY(bal_alloc(&t->taken, (size_t)t->n_sources, sizeof *t->taken, err));
    for (int i = 0; i < categories->n; i++) t->category_key[i] = categories->category[i].key;
    return BAL_OK;
}

static void count_own(BalTriage *t) {
    for (int64_t i = 0; i < t->n; i++) {
        const BalTriageClip *c = &t->clip[i];
        if (c->source || c->rule == BAL_TRIAGE_UNSCORED) continue;
        BalTriageCategory *of = &t->category[c->category];
        of->typed[c->type]++;
        for (int side = 0; side < BAL_SIDES; side++) {
            if (c->type == BAL_TYPE_H || c->type == (side == BAL_AUDIO ? BAL_TYPE_A : BAL_TYPE_V)) continue;
            of->mean_wrong[side] += (double)c->q[side] / BAL_Q_ONE;
            of->wrong[side]++;
        }
    }
    for (int k = 0; k < t->n_categories; k++)
        for (int side = 0; side < BAL_SIDES; side++) {
            BalTriageCategory *of = &t->category[k];
            of->mean_wrong[side] /= (double)of->wrong[side]; /* 0/0: NaN */
        }
}

static BalStatus triage(BalTriage *t, const BalCategories *categories, BalError *err) {
    int *side = NULL;
    BAL_TRY(bal_alloc(&side, (size_t)t->n_sources, sizeof *side, err));
    BalStatus rc = prepare(t, categories, err);
    if (rc >= 0) rc = gather(t, categories, side, err);
    if (rc >= 0) rc = type_clips(t, categories, err);
    if (rc >= 0) {
        count_own(t);
        rc = bal_triage_fill(t, side, err);
    }
    bal_free(side);
    for (int64_t i = 0; i < t->n && rc >= 0; i++) t->rejected[t->clip[i].rule]++;
    t->kept = t->rejected[BAL_TRIAGE_KEPT];
    t->rejected[BAL_TRIAGE_KEPT] = 0;
    return rc;
}

BalStatus bal_triage(BalTriage *out, const BalTriageSource *source, int n, const BalTriageSpec *spec, BalError *err) {
    BalTriage t = {.spec = *spec, .source = source, .n_sources = n};
    BalStatus rc = BAL_OK;
    if (n < 1 || !source[0].clips->n) return BAL_FAIL(err, BAL_E_ARG, "there are no clips to sort");
    if (!spec->categories) rc = bal_categories_plain(&t.own, source[0].clips->classes, source[0].clips->n_classes, err);
    if (rc >= 0) rc = triage(&t, spec->categories ? spec->categories : &t.own, err);
    if (rc < 0)
        bal_triage_reset(&t);
    else
        *out = t;
    return rc;
}

void bal_triage_reset(BalTriage *t) {
    bal_free(t->clip);
    bal_free(t->category);
    bal_free(t->category_key);
    bal_free(t->unmapped);
    bal_free(t->taken);
    bal_categories_reset(&t->own);
    *t = (BalTriage){0};
}
