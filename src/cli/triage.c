/* avbalance triage: clips sorted by which scorer names their label, brought into proportion, filled from supplements. */
#include <stdlib.h>
#include <string.h>
#include <avbalance/curate.h>
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "cli/command.h"
#include "curate/places.h"
#include "curate/side.h"
#include "curate/triage.h"
#include "curate/triage_sources.h"

typedef struct Triage {
    const char *out, *categories, *source, *media_dir, *temperature[BAL_SIDES];
    BalList outputs[BAL_SIDES], supplement, cap;
    double ratio;
    int64_t target, per_source;
    int rule;
    bool retopic, no_foreign_test;
} Triage;

static BalStatus open_sources(BalTriageSources *s, const BalCli *cli, const Triage *a, BalError *err) {
    BalManifestSpec spec = bal_manifest_spec_default();
    BalManifest m = {0};
    spec.media_dir = a->media_dir;
    BalStatus rc = bal_manifest_load(&m, cli->args[0], &spec, err);
    if (rc >= 0) rc = bal_triage_sources_own(s, a->source, &m, BAL_PLACES_TABLE, err);
    bal_manifest_reset(&m);
    for (int k = 0; k < a->supplement.n && rc >= 0; k++)
        rc = bal_triage_sources_supplement(s, "--supplement", "", a->supplement.v[k], err);
    for (int k = 0; k < a->cap.n && rc >= 0; k++) rc = bal_triage_sources_cap(s, "--cap", a->cap.v[k], err);
    for (int k = 0; k < s->n && rc >= 0 && cli->verbose; k++)
        if (s->manifest[k].note && *s->manifest[k].note) bal_cli_note(cli, "%s", s->manifest[k].note);
    return rc;
}

/* A number, or the file that `calibrate` wrote for a scorer of this side. */
static BalStatus temperature(const char *text, BalSide side, double *out, BalError *err) {
    BalJson *json = NULL;
    *out = 1;
    if (!text) return BAL_OK;
    if (!bal_parse_real(text, out)) {
        BAL_TRY(bal_json_load(&json, text, err));
        *out = bal_json_real(bal_json_get(json, "temperature"), 0);
        const bool other = !strcmp(bal_json_text(bal_json_get(json, "side"), ""), bal_side_names[!side]);
        bal_json_free(&json);
        if (other)
            return BAL_FAIL(err, BAL_E_ARG, "%s: is the temperature of the %s scorer; give it with --%s-temperature",
                            text, bal_side_names[!side], bal_side_names[!side]);
    }
    if (*out >= 0.01 && *out <= 100) return BAL_OK;
    return BAL_FAIL(err, BAL_E_ARG, "\"%s\" is no temperature between 0.01 and 100, and no calibration.json with one",
                    text);
}

static BalStatus triage(BalCli *cli, const Triage *a, const BalTriageSources *s, const BalTriageSpec *spec,
                        BalError *err) {
    BalTriage t = {0};
    BAL_TRY(bal_triage(&t, s->source, s->n, spec, err));
    BalStatus rc = bal_triage_save(&t, a->out, err);
    if (t.rejected[BAL_TRIAGE_UNSCORED])
        bal_cli_warn(cli, "%lld clips have no outputs of one of the scorers and are left out; see rejects.csv",
                     (long long)t.rejected[BAL_TRIAGE_UNSCORED]);
    if (cli->json)
        bal_triage_json(&t, &cli->out);
    else
        bal_triage_text(&t, &cli->out);
    bal_triage_reset(&t);
    return rc;
}

static BalStatus run(BalCli *cli, BalError *err) {
    const Triage *a = cli->self;
    BalTriageSpec spec = bal_triage_spec_default();
    BalCategories categories = {0};
    BalTriageSources *s = NULL;
    BalStatus rc = bal_cli_may_write_in(cli, a->out, bal_triage_files, err);
    for (int k = 0; k < BAL_SIDES && rc >= 0; k++) {
        spec.outputs[k] = a->outputs[k].v;
        spec.n_outputs[k] = a->outputs[k].n;
        rc = temperature(a->temperature[k], (BalSide)k, &spec.temperature[k], err);
    }
    if (rc >= 0 && a->categories) rc = bal_categories_load(&categories, a->categories, err);
    spec.categories = a->categories ? &categories : NULL;
    spec.ratio = a->ratio;
    spec.target = a->target;
    spec.per_source = a->per_source;
    spec.rule = a->rule;
    spec.retopic = a->retopic;
    spec.no_foreign_test = a->no_foreign_test;
    spec.seed = (uint64_t)cli->seed;
    if (rc >= 0) rc = bal_alloc(&s, 1, sizeof *s, err);
    if (rc >= 0) rc = open_sources(s, cli, a, err);
    if (rc >= 0) rc = triage(cli, a, s, &spec, err);
    if (s) bal_triage_sources_reset(s);
    bal_free(s);
    bal_categories_reset(&categories);
    return rc;
}

#define AT(field) .offset = offsetof(Triage, field)
static const char *const rules[] = {"sum", "top1", NULL};
static const BalFlag flags[] = {
    {"out", 'o', BAL_FLAG_STRING, "DIR", "folder for what is made (required)", AT(out), .required = true},
    {"audio", 0, BAL_FLAG_LIST, "OUTPUTS", "what the audio scorer put out (required)", AT(outputs[BAL_AUDIO])},
    {"visual", 0, BAL_FLAG_LIST, "OUTPUTS", "what the visual scorer put out (required)", AT(outputs[BAL_VISUAL])},
    {"categories", 'c', BAL_FLAG_STRING, "NAME|FILE",
     "what the scorers' classes mean; without it both know the labels of MANIFEST", AT(categories)},
    {"audio-temperature", 0, BAL_FLAG_STRING, "T|FILE", "of the audio scorer; a number or calibration.json",
     AT(temperature[BAL_AUDIO])},
    {"visual-temperature", 0, BAL_FLAG_STRING, "T|FILE", "of the visual scorer", AT(temperature[BAL_VISUAL])},
    {"rule", 0, BAL_FLAG_ENUM, NULL,
     "a label is named by the largest sum over a category's classes, or by the most probable class", AT(rule),
     .def = "sum", .choices = rules},
    {"ratio", 0, BAL_FLAG_REAL, NULL, "most clips of a type per clip of its category's rarest type; 0: any number",
     AT(ratio), .def = "1.25", .min = 0, .max = 1e6},
    {"target", 0, BAL_FLAG_INT, "N",
     "clips wanted per category, a third of each type: what is missing is told, and filled", AT(target), .def = "1200",
     .min = 0, .max = 1e12},
    {"per-source", 0, BAL_FLAG_INT, "N", "most clips of one category from one source video; 0: any number",
     AT(per_source), .def = "0", .min = 0, .max = 1e9},
    {"supplement", 0, BAL_FLAG_LIST, "NAME=MANIFEST", "another dataset to fill what is missing from", AT(supplement)},
    {"cap", 0, BAL_FLAG_LIST, "NAME=N", "most clips from a supplement (vgg: 8000, k400: 10000, others: any number)",
     AT(cap)},
    {"no-foreign-test", 0, BAL_FLAG_SWITCH, NULL, "take no test clips of supplements", AT(no_foreign_test)},
    {"retopic", 0, BAL_FLAG_SWITCH, NULL,
     "where both scorers name another category with at least 0.5 each, make that the label", AT(retopic)},
    {"source", 0, BAL_FLAG_STRING, "NAME", "name of MANIFEST in the provenance", AT(source), .def = "own"},
    {"media-dir", 0, BAL_FLAG_STRING, "DIR", "folder of the media (default: the manifest's)", AT(media_dir)},
    {0}};

const BalCommand bal_cmd_triage = {
    .name = "triage",
    .usage = "MANIFEST --audio OUTPUTS --visual OUTPUTS -o DIR",
    .summary = "Sort clips by which pretrained scorer names their label",
    .details = "Type H: both scorers name the label, A: only the audio scorer, V: only the visual one; clips that "
               "neither names\n"
               "are left out. Of every category the types are brought into similar proportion; what is missing can be "
               "filled from\n"
               "other datasets, whose clips are typed by the scorers like all others.\n\n"
               "OUTPUTS is a folder of `score` or a run folder of `train`; NAME.npy [clips, classes] of probabilities "
               "or logits with\n"
               "ids.txt and classes.txt beside it; a table id,<class>,<class>,...; or a table id,confidence,correct, "
               "which speaks of\n"
               "the clip's own label only. It may be given several times, for clips in several files.\n\n"
               "DIR gets manifest.csv (for `ingest`), triage.csv (type, confidences times 10^6, provenance), "
               "rejects.csv (with the\n"
               "rule and the scores) and triage.json.",
    .min_args = 1,
    .max_args = 1,
    .flags = flags,
    .self_size = sizeof(Triage),
    .run = run,
};
