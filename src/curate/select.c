/* Select from a table of scores, or from counts and clips that were made of its shards.
 *
 * Pass 1 counts clips per class and bin, the plan is made from the counts, pass 2 collects the clips with small keys of the cells that
 * the plan takes from. Caps per source need a pass before: which clips are beyond them. Nothing but numbers is kept of the table
 * between the passes; a digest of its rows finds out when it changes. */
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "curate/balance.h"
#include "curate/key.h"
#include "curate/scan.h"
#include "curate/selection.h"

/* ---- the plan ---- */

static BalStatus take_counts(BalSelectResult *s, BalError *err) {
    struct BalSelectParts *p = s->parts;
    const int n_classes = p->tally.n_classes, n_bins = p->tally.n_bins;
    const size_t cells = (size_t)n_classes * (size_t)n_bins;
    BAL_TRY(bal_alloc(&s->all, 5 * cells, sizeof *s->all, err));
    s->capped = s->all + cells;
    s->must = s->capped + cells;
    s->x = s->must + cells;
    p->n = s->x + cells;
    BAL_TRY(bal_alloc(&p->label, (size_t)n_classes, sizeof *p->label, err));
    for (int c = 0; c < n_classes; c++) {
        p->label[c] = p->tally.classes[c].name;
        for (int b = 0; b < n_bins; b++) {
            const int i = c * n_bins + b;
            int64_t *const *count = p->tally.classes[c].count;
            s->all[i] = count[BAL_COUNT_ALL][b];
            s->capped[i] = count[BAL_COUNT_CAPPED][b];
            s->must[i] = count[BAL_COUNT_MUST][b];
            p->n[i] = s->all[i] - s->capped[i];
            s->n_must += s->must[i];
            s->beyond_source += s->capped[i];
        }
    }
    s->label = p->label;
    s->n_classes = n_classes;
    s->n_bins = n_bins;
    p->cells = (BalCells){n_classes, n_bins, p->n, s->must};
    return BAL_OK;
}

static BalStatus side_make(BalSelectSide *side, const BalSelectResult *s, const int64_t *count, BalError *err) {
    BAL_TRY(bal_alloc(&side->per_bin, (size_t)(s->n_bins + s->n_classes), sizeof *side->per_bin, err));
    side->per_class = side->per_bin + s->n_bins;
    for (int i = 0; i < s->n_classes * s->n_bins; i++) {
        side->n += count[i];
        side->per_bin[i % s->n_bins] += count[i];
        side->per_class[i / s->n_bins] += count[i];
    }
    side->bins = bal_balance(side->per_bin, s->n_bins);
    side->eligible = bal_balance_of(side->per_bin, s->eligible, s->n_bins);
    side->target = bal_balance_to(side->per_bin, NULL, s->parts->rule.weight, s->n_bins);
    side->target_eligible = bal_balance_to(side->per_bin, s->eligible, s->parts->rule.weight, s->n_bins);
    side->classes = bal_balance(side->per_class, s->n_classes);
    side->audio_preferred = side->visual_preferred = side->ties = side->beyond_02 = side->beyond_04 = -1;
    side->pearson = NAN;
    return BAL_OK;
}

static void side_set(BalSelectSide *side, const BalLeaning *leaning) {
    side->audio_preferred = leaning->audio;
    side->visual_preferred = leaning->visual;
    side->ties = leaning->ties;
    side->beyond_02 = leaning->beyond_02;
    side->beyond_04 = leaning->beyond_04;
    side->pearson = bal_leaning_pearson(leaning);
}

static BalObstacle obstacle(const BalCut *c) {
    return (BalObstacle){(int)c->kind, c->class_in, c->bin_in};
}

BalStatus bal_selection_plan(BalSelectResult *s, BalTally *tally, const BalSelectSpec *spec, BalError *err) {
    struct BalSelectParts *p;
    BalLeaning leaning = {0};
    BAL_TRY(bal_alloc(&s->parts, 1, sizeof *s->parts, err));
    p = s->parts;
    p->tally = *tally;
    *tally = (BalTally){0};
    s->spec = *spec;
    s->on_edge = -1;
    s->spec.must_keep = s->spec.extend = s->spec.sources = NULL;
    memcpy(s->digest, p->tally.digest, sizeof s->digest);
    BAL_TRY(take_counts(s, err));
    BAL_TRY(bal_rule_make(&p->rule, &s->spec, &p->cells, err));
    BAL_TRY(bal_plan_make(&p->plan, &s->spec, &p->cells, err));
    s->eligible = p->rule.eligible;
    memcpy(s->x, p->plan.x, (size_t)(s->n_classes * s->n_bins) * sizeof *s->x);
    s->kept = p->plan.kept;
    s->level = p->plan.level;
    s->possible = p->plan.possible;
    s->optimal = p->plan.optimal;
    s->trimmed = bal_trimmed(&p->rule);
    s->limit = obstacle(p->plan.conflict.kind && !s->possible ? &p->plan.conflict : &p->plan.above);
    s->size = obstacle(&p->plan.size);
    BAL_TRY(side_make(&s->before, s, s->all, err));
    BAL_TRY(side_make(&s->after, s, s->x, err));
    for (int c = 0; c < s->n_classes; c++) bal_leaning_join(&leaning, &p->tally.classes[c].leaning);
    side_set(&s->before, &leaning);
    for (int i = 0; i < s->n_classes * s->n_bins; i++)
        *(s->eligible[i % s->n_bins] ? &s->beyond_quota : &s->not_eligible) += p->n[i] - s->x[i];
    return BAL_OK;
}

void bal_selection_finish(BalSelectResult *s) {
    BalLeaning leaning = {0};
    for (size_t i = 0; i < s->parts->picks.n; i++) {
        const BalPick *k = &s->parts->picks.pick[i];
        bal_leaning_add(&leaning, bal_quantise(k->u_audio), bal_quantise(k->u_visual));
    }
    side_set(&s->after, &leaning);
}

/* ---- one table ---- */

/* Eight times in 10^14 a cell has fewer clips below its limit than it needs; then every clip is looked at. */
static BalStatus pick_clips(BalSelectResult *s, BalSieve *sieve, BalScoresFile *f, const char *path, BalError *err) {
    struct BalSelectParts *p = s->parts;
    const int n_cells = s->n_classes * s->n_bins;
    uint64_t *limit = NULL, digest[2];
    int lacking = 0;
    BalStatus rc = BAL_OK;
    BAL_TRY(bal_alloc(&limit, (size_t)n_cells, sizeof *limit, err));
    bal_pick_limits(&p->cells, s->x, limit);
    for (int round = 0; round < 2 && lacking >= 0; round++) {
        const BalPickCells cells = {p->label, s->n_classes, s->n_bins, limit};
        bal_picks_reset(&p->picks);
        BAL_TRY_OR(done, bal_picks_scan(&p->picks, digest, sieve, f, &cells, err));
        BAL_TRY_OR(done, bal_picks_choose(&p->picks, s->x, n_cells, &lacking, err));
        for (int i = 0; i < n_cells; i++) limit[i] = UINT64_MAX;
    }
    if (lacking >= 0 || memcmp(digest, s->digest, sizeof digest) != 0)
        rc = BAL_FAIL(err, BAL_E_MISMATCH, "%s: changed while it was read; select again", path);
done:
    bal_free(limit);
    return rc;
}

BalStatus bal_select_file(BalSelectResult *out, const char *path, const BalScoresSpec *scores,
                          const BalSelectSpec *spec, BalError *err) {
    BalSelectResult s = {0};
    BalSieve sieve = {0};
    BalTally tally = {0};
    BalScoresFile *f = NULL;
    BalStatus rc;
    BAL_TRY_OR(done, bal_select_spec_check(spec, err));
    BAL_TRY_OR(done, bal_sieve_open(&sieve, spec, err));
    BAL_TRY_OR(done, bal_table_count(&tally, &sieve, &f, path, scores, err));
    BAL_TRY_OR(done, bal_sieve_check(&sieve, path, &s.n_gone, err));
    BAL_TRY_OR(done, bal_selection_plan(&s, &tally, spec, err));
    if (s.kept) BAL_TRY_OR(done, pick_clips(&s, &sieve, f, path, err));
    if (spec->edges) BAL_TRY_OR(done, bal_edges_count(&s.on_edge, path, scores, spec, err));
    if (spec->rejects) {
        const BalPickCells cells = {s.label, s.n_classes, s.n_bins, NULL};
        BAL_TRY_OR(done, bal_rejects_scan(&s.parts->rejects, &sieve, f, &cells, &s.parts->picks, err));
        s.parts->has_rejects = true;
    }
    bal_selection_finish(&s);
    *out = s;
    s = (BalSelectResult){0};
done:
    bal_selection_reset(&s);
    bal_tally_reset(&tally);
    bal_sieve_close(&sieve);
    bal_scores_close(&f);
    return rc;
}

void bal_selection_reset(BalSelectResult *s) {
    struct BalSelectParts *p = s->parts;
    bal_free(s->all);
    bal_free(s->before.per_bin);
    bal_free(s->after.per_bin);
    if (p) {
        bal_tally_reset(&p->tally);
        bal_plan_reset(&p->plan);
        bal_rule_reset(&p->rule);
        bal_picks_reset(&p->picks);
        bal_picks_reset(&p->rejects);
        bal_free(p->label);
        bal_free(p);
    }
    *s = (BalSelectResult){0};
}
