/* The counts of a split as JSON: split.json, and what `split --json` prints. */
#include "analysis/split.h"
#include "base/json.h"

static void add_counts(BalJsonOut *o, const BalSplitResult *r, const BalSubsetCounts *c) {
    bal_json_add_int(o, "n", c->n);
    bal_json_add_int(o, "audio_preferred", c->audio_preferred);
    bal_json_add_int(o, "visual_preferred", c->visual_preferred);
    bal_json_add_int(o, "ties", c->ties);
    bal_json_open(o, "thresholds", '[');
    for (int t = 0; t < r->n_thresholds; t++) {
        bal_json_open(o, NULL, '{');
        bal_json_add_real(o, "t", r->threshold[t]);
        bal_json_add_int(o, "audio_dominated", c->audio_dominated[t]);
        bal_json_add_int(o, "visual_dominated", c->visual_dominated[t]);
        bal_json_close(o, '}');
    }
    bal_json_close(o, ']');
}

void bal_split_json(BalText *out, const BalSplitResult *r) {
    BalJsonOut o = bal_json_document(out, true, "avbalance/split/1");
    add_counts(&o, r, &r->all);
    bal_json_open(&o, "splits", '{');
    for (int s = 0; s < r->n_splits; s++) {
        bal_json_open(&o, r->split[s], '{');
        add_counts(&o, r, &r->count[s]);
        bal_json_close(&o, '}');
    }
    bal_json_close(&o, '}');
    bal_json_close(&o, '}');
    bal_text_char(out, '\n');
}
