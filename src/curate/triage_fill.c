/* Triage, second half: which of the typed clips are kept.
 *
 *   1  per video    of one category's clips from one video the per_source smallest keys
 *   2  deficits     a category lacks target / 3 minus what it has of a type
 *   3  supplements  clips of audio datasets first for type A, of visual ones for type V, then all for H, then what is still missing
 *                   from wherever it comes; by key, each source up to its cap, so that a cap costs every category alike
 *   4  proportion   of each type at most ratio times the rarest that is there; own clips go last, the largest key first */
#include "curate/triage.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static int compare_keys(const BalTriageClip *a, const BalTriageClip *b) {
    if (a->key != b->key) return a->key < b->key ? -1 : 1;
    return strcmp(a->clip->id, b->clip->id);
}

static int compare_rank(const BalTriageClip *a, const BalTriageClip *b) { /* own before supplements, then by key */
    if (!a->source != !b->source) return a->source ? 1 : -1;
    return compare_keys(a, b);
}

static int by_video(const void *x, const void *y) {
    const BalTriageClip *a = *(BalTriageClip *const *)x, *b = *(BalTriageClip *const *)y;
    const int order = strcmp(bal_triage_video(a), bal_triage_video(b));
    if (order) return order;
    return a->category != b->category ? a->category - b->category : compare_rank(a, b);
}

static int by_key(const void *x, const void *y) {
    return compare_keys(*(BalTriageClip *const *)x, *(BalTriageClip *const *)y);
}

static int by_type(const void *x, const void *y) {
    const BalTriageClip *a = *(BalTriageClip *const *)x, *b = *(BalTriageClip *const *)y;
    if (a->category != b->category) return a->category - b->category;
    return a->type != b->type ? a->type - b->type : compare_rank(a, b);
}

/* Clips that are still in, all of them or those of supplements, into at[]. */
static int64_t list_kept(BalTriage *t, bool supplements_only, BalTriageClip **at) {
    int64_t n = 0;
    for (int64_t i = 0; i < t->n; i++)
        if (t->clip[i].rule == BAL_TRIAGE_KEPT && (!supplements_only || t->clip[i].source)) at[n++] = &t->clip[i];
    return n;
}

static void cap_videos(BalTriage *t, BalTriageClip **at) {
    const int64_t n = list_kept(t, false, at);
    int64_t run = 0;
    qsort(at, (size_t)n, sizeof *at, by_video);
    for (int64_t i = 0; i < n; i++) {
        const bool same = i && at[i]->category == at[i - 1]->category &&
                          !strcmp(bal_triage_video(at[i]), bal_triage_video(at[i - 1]));
        run = same ? run + 1 : 0;
        if (run >= t->spec.per_source) at[i]->rule = BAL_TRIAGE_PER_SOURCE;
    }
}

static void count_missing(BalTriage *t) {
    for (int k = 0; k < t->n_categories; k++)
        for (int type = 0; type < BAL_TYPE_N; type++) t->category[k].missing[type] = t->spec.target / 3;
    for (int64_t i = 0; i < t->n; i++) {
        const BalTriageClip *c = &t->clip[i];
        int64_t *missing = &t->category[c->category].missing[c->type];
        if (!c->source && c->rule == BAL_TRIAGE_KEPT && *missing > 0) --*missing;
    }
}

static int64_t still_missing(const BalTriage *t, const BalTriageClip *c) {
    const BalTriageCategory *of = &t->category[c->category];
    return of->missing[c->type] - of->supplement[c->type];
}

static bool has_room(const BalTriage *t, int source) {
    return t->source[source].cap < 0 || t->taken[source] < t->source[source].cap;
}

/* Candidates of one type from sources of one side (and of no side; -1: from all) while something is missing. */
static void take(BalTriage *t, BalTriageClip **at, int64_t n, BalClipType type, const int *side, int wanted) {
    for (int64_t i = 0; i < n; i++) {
        BalTriageClip *c = at[i];
        const bool fits = wanted < 0 || side[c->source] < 0 || side[c->source] == wanted;
        if (c->type != (int)type || !fits || c->rule == BAL_TRIAGE_KEPT) continue;
        if (still_missing(t, c) <= 0 || !has_room(t, c->source)) continue;
        c->rule = BAL_TRIAGE_KEPT;
        t->taken[c->source]++;
        t->category[c->category].supplement[type]++;
    }
}

static void take_supplements(BalTriage *t, BalTriageClip **at, const int *side) {
    const int64_t n = list_kept(t, true, at);
    qsort(at, (size_t)n, sizeof *at, by_key);
    for (int64_t i = 0; i < n; i++) at[i]->rule = BAL_TRIAGE_NO_NEED;
    take(t, at, n, BAL_TYPE_A, side, BAL_AUDIO);
    take(t, at, n, BAL_TYPE_V, side, BAL_VISUAL);
    take(t, at, n, BAL_TYPE_H, side, -1);
    take(t, at, n, BAL_TYPE_A, side, -1);
    take(t, at, n, BAL_TYPE_V, side, -1);
    for (int64_t i = 0; i < n; i++)
        if (at[i]->rule == BAL_TRIAGE_NO_NEED && still_missing(t, at[i]) > 0) at[i]->rule = BAL_TRIAGE_CAP;
}

static void proportion(BalTriage *t, BalTriageClip **at) {
    const int64_t n = list_kept(t, false, at);
    for (int64_t i = 0; i < n; i++) t->category[at[i]->category].kept[at[i]->type]++;
    qsort(at, (size_t)n, sizeof *at, by_type);
    for (int64_t i = 0; i < n;) {
        BalTriageCategory *of = &t->category[at[i]->category];
        int64_t end = i, rarest = INT64_MAX;
        while (end < n && at[end]->category == at[i]->category) end++;
        for (int type = 0; type < BAL_TYPE_N; type++)
            if (of->kept[type] && of->kept[type] < rarest) rarest = of->kept[type];
        const double most =
            t->spec.ratio > 0 ? floor(t->spec.ratio * (double)rarest + 1e-9) : INFINITY; /* 1.15 * 20 is 23 */
        for (int64_t k = end; k-- > i;) /* the last of its type goes first */
            if ((double)of->kept[at[k]->type] > most) {
                of->kept[at[k]->type]--;
                at[k]->rule = BAL_TRIAGE_PROPORTION;
            }
        i = end;
    }
    for (int k = 0; k < t->n_categories; k++)
        for (int type = 0; type < BAL_TYPE_N; type++) t->category[k].deficient |= !t->category[k].kept[type];
}

BalStatus bal_triage_fill(BalTriage *t, const int *side, BalError *err) {
    BalTriageClip **at = NULL;
    BAL_TRY(bal_alloc(&at, (size_t)t->n, sizeof(BalTriageClip *), err));
    if (t->spec.per_source > 0) cap_videos(t, at);
    count_missing(t);
    take_supplements(t, at, side);
    proportion(t, at);
    /* a clip of a supplement that was taken and then left out again was not taken */
    for (int64_t i = 0; i < t->n; i++) {
        const BalTriageClip *c = &t->clip[i];
        if (!c->source || c->rule != BAL_TRIAGE_PROPORTION) continue;
        t->taken[c->source]--;
        t->category[c->category].supplement[c->type]--;
    }
    bal_free(at);
    return BAL_OK;
}
