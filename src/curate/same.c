/* Pairs of clips that are alike.
 *
 * Comparing all with all would be a billion pairs for 50,000 clips. Two pictures whose hashes differ in few bits agree whole in one of
 * four bands of 16 bits, mostly, and of eight pictures some will; two recordings of one sound share some of their items exactly. So:
 * sort all (band, bits) and all items, and look at those who meet. Bands one after the other: memory is that of one.
 *
 * A value that very many share (a title card, a test tone) says little: of such a crowd only near neighbours are compared. */
#include "curate/same.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"

enum { BANDS = 4, CROWD = 256, NEIGHBOURS = 32 };

void bal_pairs_reset(BalPairs *p) {
    bal_free(p->at);
    *p = (BalPairs){0};
}

BalStatus bal_pairs_add(BalPairs *p, const BalPair *pair, BalError *err) {
    BAL_TRY(bal_grow(&p->at, &p->cap, (size_t)p->n + 1, sizeof *p->at, err));
    p->at[p->n++] = *pair;
    return BAL_OK;
}

/* ---- forest ---- */

int64_t bal_forest_root(int64_t *parent, int64_t i) {
    while (parent[i] != i) i = parent[i] = parent[parent[i]];
    return i;
}

void bal_forest_join(int64_t *parent, int64_t i, int64_t k) {
    i = bal_forest_root(parent, i), k = bal_forest_root(parent, k);
    if (i < k)
        parent[k] = i;
    else
        parent[i] = k;
}

/* ---- comparing two ---- */

/* Frames of a that agree with one of b's (mirrored or not) at most one place away. */
static int agree(const BalPrint *a, const BalPrint *b, const uint64_t *b_bits, int bits) {
    int n = 0;
    for (int k = 0; k < BAL_PRINT_FRAMES; k++) {
        bool found = false;
        for (int i = k - 1; i <= k + 1 && !(a->blank >> k & 1); i++)
            found = found || (i >= 0 && i < BAL_PRINT_FRAMES && !(b->blank >> i & 1) &&
                              __builtin_popcountll(a->bits[k] ^ b_bits[i]) <= bits);
        n += found;
    }
    return n;
}

static int least(int a, int b) {
    return a < b ? a : b;
}

int bal_frames_alike(const BalPrint *a, const BalPrint *b, int bits, bool *mirrored) {
    if (!a->has_picture || !b->has_picture) return 0;
    int plain = least(agree(a, b, b->bits, bits), agree(b, a, a->bits, bits)),
        turned = least(agree(a, b, b->mirrored, bits), agree(b, a, a->mirrored, bits));
    *mirrored = turned > plain;
    return turned > plain ? turned : plain;
}

double bal_sounds_differ(const BalPrint *a, const BalPrint *b, double overlap_s, double *offset_s) {
    int least_items = (int)fmax(1, floor(overlap_s / BAL_PRINT_ITEM_S));
    double best = NAN;
    for (int shift = least_items - b->n_sound; shift <= a->n_sound - least_items; shift++) {
        /* a[i] beside b[i - shift] */
        int from = shift > 0 ? shift : 0, to = least(a->n_sound, b->n_sound + shift);
        int64_t wrong = 0;
        for (int i = from; i < to; i++) wrong += __builtin_popcount(a->sound[i] ^ b->sound[i - shift]);
        double error = (double)wrong / (32.0 * (to - from));
        if (to - from >= least_items && !(error >= best)) best = error, *offset_s = shift * BAL_PRINT_ITEM_S;
    }
    return best;
}

/* ---- candidates ---- */

typedef struct Looked { /* set of pairs, a * n + b + 1 */
    uint64_t *slot;
    int64_t n, n_slots;
} Looked;

static uint64_t scramble(uint64_t x) {
    x = (x ^ x >> 31) * 0x9e3779b97f4a7c15U;
    return x ^ x >> 29;
}

/* Note a pair; *new tells whether it was not there. */
static BalStatus look(Looked *l, uint64_t pair, bool *new, BalError *err) {
    if (2 * (l->n + 1) > l->n_slots) {
        Looked more = {.n = l->n, .n_slots = l->n_slots ? 2 * l->n_slots : 1024};
        BAL_TRY(bal_alloc(&more.slot, (size_t)more.n_slots, sizeof *more.slot, err));
        for (int64_t i = 0; i < l->n_slots; i++) {
            if (!l->slot[i]) continue;
            uint64_t at = scramble(l->slot[i]) & (uint64_t)(more.n_slots - 1);
            while (more.slot[at]) at = (at + 1) & (uint64_t)(more.n_slots - 1);
            more.slot[at] = l->slot[i];
        }
        bal_free(l->slot);
        *l = more;
    }
    uint64_t at = scramble(pair) & (uint64_t)(l->n_slots - 1);
    while (l->slot[at] && l->slot[at] != pair) at = (at + 1) & (uint64_t)(l->n_slots - 1);
    *new = l->slot[at] == 0;
    l->slot[at] = pair;
    l->n += *new;
    return BAL_OK;
}

typedef struct Mark { /* one value of one clip */
    uint64_t value;
    int64_t clip;
    int place; /* of a frame, -1: of sound */
    bool mirrored;
} Mark;

static int by_mark(const void *x, const void *y) {
    const Mark *a = x, *b = y;
    if (a->value != b->value) return a->value < b->value ? -1 : 1;
    if (a->clip != b->clip) return a->clip < b->clip ? -1 : 1;
    return a->place != b->place ? a->place - b->place : a->mirrored - b->mirrored;
}

typedef struct Search {
    const BalPrints *prints;
    const BalDuplicatesSpec *spec;
    Looked looked;
    Mark *mark;
    size_t n_marks, cap;
    BalPairs *out;
} Search;

/* What two clips are to each other; false: nothing. Where neither has sound, or neither a picture that tells anything, they agree in
 * that. */
static bool compare(const Search *s, const BalPrint *a, const BalPrint *b, BalPair *pair) {
    const BalDuplicatesSpec *spec = s->spec;
    const unsigned all = (1U << BAL_PRINT_FRAMES) - 1;
    bool no_picture = (!a->has_picture || a->blank == all) && (!b->has_picture || b->blank == all);
    bool no_sound = a->n_sound == 0 && b->n_sound == 0;
    pair->frames = bal_frames_alike(a, b, spec->frame_bits, &pair->mirrored);
    pair->bit_error = bal_sounds_differ(a, b, spec->overlap_s, &pair->offset_s);
    bool picture = pair->frames >= spec->frames, sound = pair->bit_error < spec->bit_error;
    if (!picture) pair->mirrored = false;
    if (!strcmp(a->sha256, b->sha256))
        pair->kind = BAL_SAME_FILE;
    else if ((picture && (sound || no_sound)) || (sound && no_picture))
        pair->kind = BAL_SAME_BOTH;
    else if (picture || sound)
        pair->kind = picture ? BAL_SAME_PICTURE : BAL_SAME_SOUND;
    else
        return false;
    return true;
}

static BalStatus meet(Search *s, int64_t a, int64_t b, BalError *err) {
    bool new;
    if (a > b) return meet(s, b, a, err);
    if (a >= s->prints->n - s->prints->n_others) return BAL_OK; /* others among themselves are their business */
    BAL_TRY(look(&s->looked, (uint64_t)(a * s->prints->n + b + 1), &new, err));
    BalPair pair = {.a = a, .b = b, .bit_error = NAN, .offset_s = NAN};
    if (!new || !compare(s, &s->prints->at[a], &s->prints->at[b], &pair)) return BAL_OK;
    return bal_pairs_add(s->out, &pair, err);
}

/* Everybody who has a value in common meets. */
static BalStatus meet_all(Search *s, BalError *err) {
    if (s->n_marks > 1) qsort(s->mark, s->n_marks, sizeof *s->mark, by_mark);
    for (size_t from = 0, to; from < s->n_marks; from = to) {
        for (to = from + 1; to < s->n_marks && s->mark[to].value == s->mark[from].value;) to++;
        size_t far = to - from > CROWD ? NEIGHBOURS : CROWD;
        for (size_t i = from; i < to; i++)
            for (size_t k = i + 1; k < to && k - i <= far; k++) {
                const Mark *a = &s->mark[i], *b = &s->mark[k];
                bool apart = a->place >= 0 && abs(a->place - b->place) > 1;
                if (a->clip == b->clip || apart || (a->mirrored && b->mirrored)) continue;
                BAL_TRY(meet(s, a->clip, b->clip, err));
            }
    }
    s->n_marks = 0;
    return BAL_OK;
}

static BalStatus mark(Search *s, uint64_t value, int64_t clip, int place, bool mirrored, BalError *err) {
    BAL_TRY(bal_grow(&s->mark, &s->cap, s->n_marks + 1, sizeof *s->mark, err));
    s->mark[s->n_marks++] = (Mark){value, clip, place, mirrored};
    return BAL_OK;
}

static BalStatus mark_frames(Search *s, int64_t i, int band, BalError *err) {
    const BalPrint *p = &s->prints->at[i];
    for (int k = 0; k < BAL_PRINT_FRAMES && p->has_picture; k++) {
        if (p->blank >> k & 1) continue;
        BAL_TRY(mark(s, p->bits[k] >> 16 * band & 0xffff, i, k, false, err));
        BAL_TRY(mark(s, p->mirrored[k] >> 16 * band & 0xffff, i, k, true, err));
    }
    return BAL_OK;
}

static BalStatus mark_sound(Search *s, int64_t i, BalError *err) {
    const BalPrint *p = &s->prints->at[i];
    for (int k = 0; k < p->n_sound; k++)
        if (k == 0 || p->sound[k] != p->sound[k - 1]) BAL_TRY(mark(s, p->sound[k], i, -1, false, err));
    return BAL_OK;
}

/* Of a hash's first 16 digits: equal files meet. */
static BalStatus mark_file(Search *s, int64_t i, BalError *err) {
    char head[17];
    memcpy(head, s->prints->at[i].sha256, 16);
    head[16] = '\0';
    return mark(s, strtoull(head, NULL, 16), i, -1, false, err);
}

static int by_clips(const void *x, const void *y) {
    const BalPair *a = x, *b = y;
    if (a->a != b->a) return a->a < b->a ? -1 : 1;
    return (a->b > b->b) - (a->b < b->b);
}

BalStatus bal_pairs_alike(BalPairs *out, const BalPrints *prints, const BalDuplicatesSpec *spec, BalError *err) {
    BalPairs pairs = {0};
    Search s = {.prints = prints, .spec = spec, .out = &pairs};
    BalStatus rc = BAL_OK;
    for (int round = 0; round < BANDS + 2; round++) {
        for (int64_t i = 0; i < prints->n; i++) {
            if (!prints->at[i].usable) continue;
            BAL_TRY_OR(fail, round < BANDS    ? mark_frames(&s, i, round, err)
                             : round == BANDS ? mark_sound(&s, i, err)
                                              : mark_file(&s, i, err));
        }
        BAL_TRY_OR(fail, meet_all(&s, err));
    }
    if (pairs.n > 1) qsort(pairs.at, (size_t)pairs.n, sizeof *pairs.at, by_clips);
    *out = pairs;
    pairs = (BalPairs){0};
fail:
    bal_pairs_reset(&pairs);
    bal_free(s.looked.slot);
    bal_free(s.mark);
    return rc;
}
