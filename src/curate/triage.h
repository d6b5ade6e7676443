/* Between the files of triage: choosing (triage_fill.c) and telling (triage_save.c) what triage.c has typed. */
#ifndef BAL_CURATE_TRIAGE_H
#define BAL_CURATE_TRIAGE_H

#include <avbalance/curate.h>
#include "base/text.h"

/* side[source]: the scorer in whose list its labels stand, -1: in both or in none. Fills supplement, kept, taken and rules. */
BAL_MUST_USE BalStatus bal_triage_fill(BalTriage *t, const int *side, BalError *err);

static inline const char *bal_triage_video(const BalTriageClip *c) {
    return *c->clip->source ? c->clip->source : c->clip->id;
}

extern const char *const bal_triage_files[]; /* of bal_triage_save, the last one last; NULL at the end */
void bal_triage_json(const BalTriage *t, BalText *out);
void bal_triage_text(const BalTriage *t, BalText *out); /* for people */

#endif
