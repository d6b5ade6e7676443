/* avbalance clean: clips whose label is likely wrong, taken out of a table of scores. */
#include <string.h>
#include "base/file.h"
#include "base/mem.h"
#include "cli/scores_flags.h"
#include "curate/noise.h"
#include "curate/run_folders.h"

typedef struct Clean {
    BalScoresFlags scores;
    const char *out, *runs, *technical;
    BalList outputs[BAL_SIDES];
    double low, never_u, never_sd, cap;
} Clean;

static void write_text(BalText *out, const BalNoise *noise, const BalScores *s) {
    static const char *const what[BAL_NOISE_RULES] = {"in the list of unusable clips",
                                                      "both modalities name the same other label",
                                                      "both confidences low", "right in no epoch"};
    for (int k = 0; k < BAL_NOISE_RULES; k++)
        if (noise->applied[k])
            bal_text_f(out, "%-10s %8lld  %s\n", bal_noise_rule_name(k), (long long)noise->by_rule[k], what[k]);
        else
            bal_text_f(out, "%-10s %8s  %s\n", bal_noise_rule_name(k), "-",
                       k == 3   ? "needs the columns sd_* and correct_*"
                       : k == 1 ? "needs --runs, or --audio and --visual"
                                : "no list given");
    if (noise->spared)
        bal_text_f(out, "%lld clips break a rule and stay, since their label has lost its share\n",
                   (long long)noise->spared);
    bal_text_f(out, "removed %lld of %lld clips\n", (long long)noise->removed, (long long)s->n);
}

static BalStatus clean(BalCli *cli, const Clean *a, const BalRunFolders *o, const BalScores *s, BalError *err) {
    BalNoiseSpec spec = bal_noise_spec_default();
    BalNoise noise;
    spec.low = a->low;
    spec.never_u = a->never_u;
    spec.never_sd = a->never_sd;
    spec.cap = a->cap;
    spec.technical = a->technical;
    spec.seed = (uint64_t)cli->seed;
    for (int k = 0; k < BAL_SIDES; k++) {
        spec.outputs[k] = (const char *const *)o->path[k];
        spec.n_outputs[k] = o->n[k];
    }
    BAL_TRY(bal_noise_find(&noise, s, &spec, err));
    BalStatus rc = bal_noise_save(&noise, s, &spec, a->out, err);
    if (noise.n_unknown)
        bal_cli_note(cli, "%lld ids of %s are not among the scores", (long long)noise.n_unknown, a->technical);
    if (cli->json)
        bal_noise_json(&noise, s, &spec, &cli->out);
    else
        write_text(&cli->out, &noise, s);
    bal_noise_reset(&noise);
    return rc;
}

static BalStatus run(BalCli *cli, BalError *err) {
    const Clean *a = cli->self;
    BalScoresSpec spec = bal_scores_flags_spec(&a->scores, cli);
    BalScores s = {0};
    BalRunFolders *o = NULL;
    BalStatus rc = bal_cli_may_write_in(cli, a->out, bal_noise_files, err);
    if (rc >= 0) rc = bal_alloc(&o, 1, sizeof *o, err);
    for (int k = 0; k < BAL_SIDES; k++)
        for (int i = 0; i < a->outputs[k].n && rc >= 0; i++)
            rc = bal_run_folders_add(o, (BalSide)k, a->outputs[k].v[i], err);
    if (rc >= 0 && a->runs) rc = bal_run_folders_find(o, a->runs, err);
    if (rc >= 0) rc = bal_scores_load(&s, cli->args[0], &spec, err);
    if (rc >= 0) rc = clean(cli, a, o, &s, err);
    if (o) bal_run_folders_reset(o);
    bal_free(o);
    bal_scores_reset(&s);
    return rc;
}

#define AT(field) .offset = offsetof(Clean, field)
static const BalFlag flags[] = {
    {"out", 'o', BAL_FLAG_STRING, "DIR", "folder for what is made (required)", AT(out), .required = true},
    {"runs", 0, BAL_FLAG_STRING, "ESTIMATE", "folder of the estimate that the scores come from: finds wrong labels",
     AT(runs)},
    {"audio", 0, BAL_FLAG_LIST, "OUTPUTS", "in place of --runs: outputs of audio models, as for `triage`",
     AT(outputs[BAL_AUDIO])},
    {"visual", 0, BAL_FLAG_LIST, "OUTPUTS", "in place of --runs: outputs of visual models", AT(outputs[BAL_VISUAL])},
    {"technical", 0, BAL_FLAG_STRING, "FILE", "CSV with the columns id and reason: clips that go in any case",
     AT(technical)},
    {"low", 0, BAL_FLAG_REAL, NULL, "rule low: both confidences below this", AT(low), .def = "0.1", .max = 1},
    {"never-u", 0, BAL_FLAG_REAL, NULL, "rule never: both confidences below this, ...", AT(never_u), .def = "0.25",
     .max = 1},
    {"never-sd", 0, BAL_FLAG_REAL, NULL, "... both spreads over epochs below this, and right in no epoch", AT(never_sd),
     .def = "0.1", .max = 1},
    {"cap", 0, BAL_FLAG_REAL, NULL, "most that may go of a label's clips, as a share; those of --technical excepted",
     AT(cap), .def = "0.1", .max = 1},
    BAL_SCORES_FLAGS(Clean),
    {0}};

const BalCommand bal_cmd_clean = {
    .name = "clean",
    .usage = "SCORES -o DIR",
    .summary = "Take out clips whose label is likely wrong",
    .details =
        "A clip goes only where sound and picture agree: both confidences low; right in no epoch of either, steadily; "
        "or\n"
        "both models name the same other label, surer than they usually are of its clips. The least sure go first.\n\n"
        "DIR gets scores.csv (the clips that stay), rejects.csv (a line per removal, with rule and scores), "
        "noise.json.\n\n" BAL_SCORES_HELP,
    .min_args = 1,
    .max_args = 1,
    .flags = flags,
    .self_size = sizeof(Clean),
    .run = run,
};
