/* The recipe of a build: one table of options. */
#include <stddef.h>
#include <string.h>

#include <avbalance/select.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/option.h"
#include "curate/build.h"

static const char *const MODES[] = {"paper", "crossfit", NULL};
static const char *const RULES[] = {"sum", "top1", NULL};
static const char *const POLICIES[] = {"strict", "ratio", "waterfill", "mirror", "plane", NULL}; /* as BalPolicy */
static const char *const SPLITS[] = {"source", "manifest", NULL};

#define AT(field) offsetof(BalBuildRecipe, field)
#define TEXT(name, field, help)                                                                                        \
    { name, "", help, BAL_OPT_TEXT, AT(field), 0, sizeof((BalBuildRecipe *)0)->field - 1, NULL }
#define YES_NO(name, def, field, help)                                                                                 \
    { name, def, help, BAL_OPT_BOOL, AT(field), 0, 0, NULL }
#define INT(name, def, field, max, help)                                                                               \
    { name, def, help, BAL_OPT_INT, AT(field), 0, max, NULL }
#define REAL(name, def, field, max, help)                                                                              \
    { name, def, help, BAL_OPT_REAL, AT(field), 0, max, NULL }
static const BalOption OPTIONS[] = {
    TEXT("build.name", name, "of the dataset"),
    TEXT("build.description", description, "what it is, for the card"),
    TEXT("build.licence", licence, "of the annotations, for the card"),
    TEXT("build.creator", creator, "for the card"),
    TEXT("build.url", url, "for the card"),
    TEXT("build.version", version, "for the card"),
    TEXT("build.date", date, "of publication, for the card: 2026-01-31"),
    TEXT("build.cite", cite, "how to cite it, for the card"),
    TEXT("build.takedown", takedown, "file of ids of clips or videos that must go, one per line"),
    INT("build.seed", "0", seed, 1e15, "of the keys that choose between clips, and of what is trained"),
    TEXT("clips.videos", videos, "videos, folders, lists: what `clip` takes"),
    TEXT("clips.manifest", manifest, "in place of videos: manifests of clips that are there"),
    {"clips.origin", "own", "name of the clips in the provenance", BAL_OPT_TEXT, AT(origin), 0, 32, NULL},
    TEXT("clips.licences", licences, "CSV with id (of clip or video) and licence"),
    YES_NO("clips.grid", "false", grid, "cut without looking at the pictures"),
    {"clips.seconds", "10", "length of a clip", BAL_OPT_REAL, AT(clip_s), 0.5, 600, NULL},
    INT("clips.per_video", "12", clips_per_video, 1e6, "most clips of a video; 0: any number"),
    YES_NO("clips.technical", "true", technical,
           "leave out clips that are silent, black, frozen, ...; those of manifest are judged by their whole file"),
    YES_NO("clips.duplicates", "true", duplicates, "leave out clips that are there twice"),
    TEXT("score.audio", outputs[0], "what an audio scorer put out, as for `triage`"),
    TEXT("score.visual", outputs[1], "what a visual scorer put out"),
    {"score.audio_network", "", "or a network of `score` that hears them, such as vggish", BAL_OPT_TEXT, AT(network[0]),
     0, 32, NULL},
    TEXT("score.audio_weights", weights[0], "its weights: safetensors, or a run folder"),
    TEXT("score.audio_classes", classes[0], "its classes, where the weights do not say: a name per line"),
    {"score.audio_view", "", "how much of a clip it hears", BAL_OPT_TEXT, AT(view[0]), 0, 16, NULL},
    {"score.visual_network", "", "or a network of `score` that sees them, such as slowfast", BAL_OPT_TEXT,
     AT(network[1]), 0, 32, NULL},
    TEXT("score.visual_weights", weights[1], "its weights: safetensors, or a run folder"),
    TEXT("score.visual_classes", classes[1], "its classes, where the weights do not say: a name per line"),
    {"score.visual_view", "", "how much of a clip it sees", BAL_OPT_TEXT, AT(view[1]), 0, 16, NULL},
    TEXT("score.reference", reference, "in place of all these: manifest of labelled clips that scorers are trained on"),
    {"score.recipe", "paper", "of that training", BAL_OPT_TEXT, AT(scorer), 0, BAL_BUILD_TEXT - 1, NULL},
    TEXT("score.set", scorer_set, "values of that recipe, key=value, parted by commas"),
    TEXT("score.audio_held_out", held_out[0], "manifest of labelled clips that calibrate the audio scorer"),
    TEXT("score.visual_held_out", held_out[1], "manifest of labelled clips that calibrate the visual scorer"),
    REAL("score.audio_temperature", "0", temperature[0], 20, "0: by calibration where there are clips for it, else 1"),
    REAL("score.visual_temperature", "0", temperature[1], 20, "0: by calibration where there are clips for it, else 1"),
    YES_NO("triage.run", "true", triage, "sort clips by which scorer names their label"),
    TEXT("triage.categories", categories, "what the scorers' classes mean; empty: both know the labels"),
    {"triage.rule", "sum", "when a scorer names a label", BAL_OPT_ENUM, AT(rule), 0, 0, RULES},
    REAL("triage.ratio", "1.25", proportion, 1e6,
         "most clips of a type per clip of its category's rarest; 0: any number"),
    INT("triage.target", "1200", target, 1e12, "clips wanted per category"),
    INT("triage.per_source", "3", triage_per_source, 1e9, "most clips of a category from one video; 0: any number"),
    YES_NO("triage.retopic", "false", retopic, "where both scorers agree on another category, that is the label"),
    TEXT("triage.supplement", supplement, "other datasets, NAME=MANIFEST"),
    TEXT("triage.cap", cap, "most clips from them, NAME=N"),
    YES_NO("triage.no_foreign_test", "false", no_foreign_test, "take none of their test clips"),
    YES_NO("estimate.run", "true", estimate, "train unimodal networks on the clips; else scores are those of triage"),
    {"estimate.recipe", "paper", "of features and training", BAL_OPT_TEXT, AT(recipe), 0, BAL_BUILD_TEXT - 1, NULL},
    TEXT("estimate.set", recipe_set, "values of that recipe, key=value, parted by commas"),
    {"estimate.mode", "crossfit", "who scores a clip: networks that trained on it, or that did not", BAL_OPT_ENUM,
     AT(mode), 0, 0, MODES},
    {"estimate.folds", "5", "of crossfit", BAL_OPT_INT, AT(folds), 2, 100, NULL},
    {"estimate.seeds", "1", "runs of each network", BAL_OPT_INT, AT(seeds), 1, 100, NULL},
    TEXT("estimate.scores", scores, "in place of training: a table of scores"),
    YES_NO("noise.run", "true", noise, "take out labels that are likely wrong"),
    REAL("noise.low", "0.1", low, 1, "both confidences below this"),
    REAL("noise.never_u", "0.25", never_u, 1, "both confidences below this ..."),
    REAL("noise.never_sd", "0.1", never_sd, 1, "... and both spreads below this, and right in no epoch"),
    REAL("noise.cap", "0.1", noise_cap, 1, "most of a label's clips that may go"),
    YES_NO("select.run", "true", select, "cut down to the largest balanced subset"),
    {"select.policy", "ratio", "what balanced means", BAL_OPT_ENUM, AT(policy), 0, 0, POLICIES},
    INT("select.bins", "20", bins, 200, "of the discrepancy, an even number"),
    INT("select.level", "0", level, 1e12, "waterfill: most clips per bin"),
    REAL("select.ratio", "1.5", ratio, 1000, "ratio, plane: largest bin by smallest"),
    REAL("select.tolerance", "0", tolerance, 0.999, "strict: bins may differ by this share"),
    INT("select.class_min", "0", class_min, 1e12, "fewest clips of a class"),
    INT("select.class_max", "1600", class_max, 1e12, "most clips of a class; 0: any number"),
    INT("select.min_per_bin", "30", min_per_bin, 1e12, "bins with fewer clips are left out"),
    INT("select.per_source", "0", select_per_source, 1e9, "most clips of a class from one video; 0: any number"),
    TEXT("select.must_keep", must_keep, "file of ids that must be kept"),
    {"split.by", "source", "a hash of the source video, or what the manifest says", BAL_OPT_ENUM, AT(split), 0, 0,
     SPLITS},
    REAL("split.train", "0.80748", train_share, 1, "by source: share of videos"),
    REAL("split.val", "0.08418", val_share, 1, "by source: share of videos; the rest is test"),
    YES_NO("export.lock", "true", lock, "write dataset.lock.json, which reads all media"),
    {0}};

const BalOption *bal_build_options(void) {
    return OPTIONS;
}

/* What readers of the card take: 2026, 2026-01, 2026-01-31, and a time behind that. */
static bool is_date(const char *s) {
    static const char form[] = "0000-00-00";
    const size_t n = strcspn(s, "T");
    for (size_t i = 0; i < n; i++)
        if (i >= sizeof form - 1 || (form[i] == '0' ? s[i] < '0' || s[i] > '9' : s[i] != form[i])) return false;
    if (n >= 7 && (strncmp(s + 5, "01", 2) < 0 || strncmp(s + 5, "12", 2) > 0)) return false;
    if (n == 10 && (strncmp(s + 8, "01", 2) < 0 || strncmp(s + 8, "31", 2) > 0)) return false;
    return s[n] ? n == 10 : n == 4 || n == 7 || n == 10;
}

static BalStatus check(const BalBuildRecipe *r, const char *path, BalError *err) {
    const bool any[2] = {r->outputs[0][0] || r->network[0][0], r->outputs[1][0] || r->network[1][0]};
    const bool reference = r->reference[0];
    if (!r->videos[0] == !r->manifest[0])
        return BAL_FAIL(err, BAL_E_FORMAT, "%s: give either clips.videos or clips.manifest", path);
    if (r->triage && (reference ? any[0] || any[1] : !any[0] || !any[1]))
        return BAL_FAIL(err, BAL_E_FORMAT,
                        "%s: give score.audio and score.visual, or networks for them, or else score.reference to train "
                        "scorers on; or "
                        "set triage.run to no",
                        path);
    for (int k = 0; k < 2; k++)
        if (!r->network[k][0] != !r->weights[k][0])
            return BAL_FAIL(err, BAL_E_FORMAT, "%s: score.%s_network and score.%s_weights belong together", path,
                            k ? "visual" : "audio", k ? "visual" : "audio");
    if (!r->triage && !r->estimate && !r->scores[0])
        return BAL_FAIL(err, BAL_E_FORMAT, "%s: without triage and estimate, scores must come from estimate.scores",
                        path);
    if (r->bins % 2 || r->bins < 2)
        return BAL_FAIL(err, BAL_E_FORMAT, "%s: select.bins is %lld, it must be even and at least 2", path,
                        (long long)r->bins);
    if (*r->date && !is_date(r->date))
        return BAL_FAIL(err, BAL_E_FORMAT, "%s: build.date is '%s', it must be like 2026-01-31", path, r->date);
    if (r->train_share + r->val_share > 1)
        return BAL_FAIL(err, BAL_E_FORMAT, "%s: split.train and split.val are more than 1 together", path);
    return BAL_OK;
}

BalStatus bal_build_recipe_load(BalBuildRecipe *r, const char *path, const char *const *set, int n_set, BalError *err) {
    BalBuildRecipe *made = NULL;
    BAL_TRY(bal_alloc(&made, 1, sizeof *made, err));
    bal_options_default(OPTIONS, made);
    const BalOptionSet options = {OPTIONS, made};
    BalStatus rc = bal_options_load(&options, 1, path, err);
    for (int i = 0; i < n_set && rc >= 0; i++) rc = bal_options_assign(&options, 1, set[i], err);
    if (rc >= 0) rc = check(made, path, err);
    if (rc >= 0) *r = *made;
    bal_free(made);
    return rc;
}
