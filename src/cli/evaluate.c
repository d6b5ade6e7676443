/* avbalance evaluate: every method on every subset, with intervals and paired tests. */
#include <stdio.h>
#include <string.h>

#include <avbalance/report.h>
#include "base/file_set.h"
#include "base/mem.h"
#include "cli/evaluate.h"
#include "report/tables.h"

typedef BalEvaluateArgs EvaluateArgs;

static const BalFlag flags[] = {
    {"scores", 0, BAL_FLAG_STRING, "SCORES", "table of scores: which clips, their labels, u_audio and u_visual",
     .offset = offsetof(EvaluateArgs, table_of_scores)},
    {"predictions", 'p', BAL_FLAG_LIST, "[NAME=]PATH", "the same as an argument",
     .offset = offsetof(EvaluateArgs, predictions)},
    {"threshold", 't', BAL_FLAG_LIST, "T", "dominated means |d| > T; 0.2 and 0.4 where none is given",
     .offset = offsetof(EvaluateArgs, threshold)},
    {"format", 0, BAL_FLAG_ENUM, NULL, "what is printed", .offset = offsetof(EvaluateArgs, format), .def = "text",
     .choices = bal_table_names},
    {"out", 'o', BAL_FLAG_STRING, "DIR", "folder for all formats and the figure as PNG, SVG and PDF",
     .offset = offsetof(EvaluateArgs, out)},
    {"figure", 0, BAL_FLAG_STRING, "FILE", "accuracy over T as .png, .svg or .pdf",
     .offset = offsetof(EvaluateArgs, figure)},
    {"title", 0, BAL_FLAG_STRING, "TEXT", "title of the figure", .offset = offsetof(EvaluateArgs, title),
     .may_be_empty = true},
    {"replicates", 0, BAL_FLAG_INT, "N", "bootstrap resamples behind each interval",
     .offset = offsetof(EvaluateArgs, replicates), .def = "2000", .min = 100, .max = 1e6},
    {"ids", 0, BAL_FLAG_STRING, "FILE", "ids of the rows of an .npy, one per line",
     .offset = offsetof(EvaluateArgs, ids)},
    {"classes", 0, BAL_FLAG_STRING, "FILE", "class names of a model's outputs, one per line",
     .offset = offsetof(EvaluateArgs, classes)},
    {"ignore-unknown", 0, BAL_FLAG_SWITCH, NULL, "leave out predictions of clips that the scores do not have",
     .offset = offsetof(EvaluateArgs, ignore_unknown)},
    {"mixed", 0, BAL_FLAG_SWITCH, NULL, "allow runs of different stores or recipes in one table",
     .offset = offsetof(EvaluateArgs, mixed)},
    {"table", 0, BAL_FLAG_STRING, "FILE",
     "instead: check a published table method,overall,audio_preferred,visual_preferred",
     .offset = offsetof(EvaluateArgs, published)},
    BAL_SCORES_FLAGS(EvaluateArgs),
    {0}};

/* ---- input ---- */

/* "NAME=PATH", unless all of it is a path. */
static BalStatus load_one(BalPredictions *p, const EvaluateArgs *a, const char *arg, const BalScores *scores,
                          BalError *err) {
    BalPredictionsSpec spec = {.ids = a->ids, .classes = a->classes, .ignore_unknown = a->ignore_unknown};
    const char *sign = strchr(arg, '=');
    char *name = NULL;
    if (sign && !sign[1] && !bal_file_exists(arg))
        return BAL_FAIL(err, BAL_E_ARG, "%s: no path follows; give NAME=PATH", arg);
    if (sign && sign > arg && !memchr(arg, '/', (size_t)(sign - arg)) && !bal_file_exists(arg)) {
        BAL_TRY(bal_strdup(&name, arg, err));
        name[sign - arg] = '\0';
        spec.name = name;
        arg = sign + 1;
    }
    BalStatus rc = bal_predictions_load(p, arg, scores, &spec, err);
    bal_free(name);
    return rc;
}

/* The split named by --split; else test, where the table has splits; "all" is every clip. */
static BalStatus choose_split(const BalScores *s, const char *wanted, const char **split, BalError *err) {
    BalText have = {0};
    *split = NULL;
    if (wanted && !strcmp(wanted, "all")) return BAL_OK;
    if (!wanted && !s->n_splits) return BAL_OK;
    *split = wanted ? wanted : "test";
    for (int k = 0; k < s->n_splits; k++)
        if (!strcmp(s->splits[k], *split)) return BAL_OK;
    for (int k = 0; k < s->n_splits && have.len < 200; k++) bal_text_f(&have, "%s%s", k ? ", " : "", s->splits[k]);
    BalStatus rc =
        BAL_FAIL(err, BAL_E_ARG, "no clip of the scores has the split \"%s\"; name another one with --split (%s%sall)",
                 *split, bal_text_str(&have), have.len ? ", " : "");
    bal_text_reset(&have);
    return rc;
}

BalStatus bal_cli_thresholds(const EvaluateArgs *a, double *t, BalEvaluateSpec *spec, BalError *err) {
    if (!a->threshold.n) return BAL_OK;
    int n = 0;
    for (int i = 0; i < a->threshold.n; i++) {
        double v;
        if (!bal_parse_real(a->threshold.v[i], &v) || !(v > 0 && v < 1))
            return BAL_FAIL(err, BAL_E_ARG, "--threshold %s: give a number between 0 and 1", a->threshold.v[i]);
        int k = n;
        while (k > 0 && t[k - 1] > v) k--;
        if (k > 0 && t[k - 1] == v) continue;
        if (n == BAL_CLI_THRESHOLDS) return BAL_FAIL(err, BAL_E_ARG, "more than %d different thresholds", n);
        memmove(t + k + 1, t + k, (size_t)(n++ - k) * sizeof *t);
        t[k] = v;
    }
    spec->threshold = t;
    spec->n_thresholds = n;
    return BAL_OK;
}

/* An empty subset that was asked for is a mistake; one of the usual ones is only said. */
static BalStatus check_subsets(BalCli *cli, const BalEvaluation *e, bool asked, BalError *err) {
    for (int x = 0; x < e->n_subsets; x++) {
        const BalSubset *s = &e->subset[x];
        if (!s->tabled || !s->side || s->n) continue;
        if (asked && s->t > 0)
            return BAL_FAIL(err, BAL_E_ARG,
                            "the subset %s of split %s is empty: no clip has %s > %g; give a smaller --threshold",
                            s->name, e->split, s->side > 0 ? "d" : "-d", s->t);
        bal_cli_warn(cli, "the subset %s of split %s is empty and is left out", s->name, e->split);
    }
    return BAL_OK;
}

static BalStatus load_all(BalCli *cli, BalPredictions *p, int *n, const BalScores *scores, BalError *err) {
    const EvaluateArgs *a = cli->self;
    for (int k = 0; k < cli->n_args + a->predictions.n; k++) {
        const char *arg = k < cli->n_args ? cli->args[k] : a->predictions.v[k - cli->n_args];
        BAL_TRY(load_one(&p[*n], a, arg, scores, err));
        if (p[*n].n_unknown)
            bal_cli_note(cli, "%s: %lld clips that the scores do not have are left out", arg,
                         (long long)p[*n].n_unknown);
        ++*n;
    }
    return BAL_OK;
}

/* ---- output ---- */

static BalStatus may_write(BalCli *cli, const EvaluateArgs *a, BalError *err) {
    const char *name[BAL_MOST_FILES + 1] = {NULL};
    if (a->figure) BAL_TRY(bal_figure_may_be(a->figure, err));
    if (a->figure) BAL_TRY(bal_cli_may_write(cli, a->figure, err));
    for (int i = 0; bal_evaluation_file(i); i++) name[i] = bal_evaluation_file(i);
    return a->out ? bal_cli_may_write_in(cli, a->out, name, err) : BAL_OK;
}

static BalStatus evaluate(BalCli *cli, BalPredictions *p, int *n, BalScores *scores, BalEvaluation *e, BalError *err) {
    const EvaluateArgs *a = cli->self;
    double threshold[BAL_CLI_THRESHOLDS];
    BalEvaluateSpec spec = bal_evaluate_spec_default();
    BalFigureSpec figure = bal_figure_spec_default();
    BalScoresSpec table = bal_scores_flags_spec(&a->scores, cli);
    table.only_split = NULL; /* all clips are known, those of one split count */
    spec.replicates = (int)a->replicates;
    spec.seed = (uint64_t)cli->seed;
    spec.threads = cli->threads;
    spec.mixed = a->mixed;
    figure.title = a->title;
    BAL_TRY(bal_cli_thresholds(a, threshold, &spec, err));
    BAL_TRY(may_write(cli, a, err));
    BAL_TRY(bal_scores_load(scores, a->table_of_scores, &table, err));
    BAL_TRY(choose_split(scores, a->scores.only, &spec.split, err));
    BAL_TRY(load_all(cli, p, n, scores, err));
    BAL_TRY(bal_evaluate(e, scores, p, *n, &spec, err));
    BAL_TRY(check_subsets(cli, e, a->threshold.n > 0, err));
    if (e->mixed_stores || e->mixed_recipes)
        bal_cli_warn(cli, "runs of different stores or recipes stand in one table");
    if (e->no_ensemble[0] && !cli->json && a->format != BAL_TABLE_TEXT) /* those say it themselves */
        bal_cli_note(cli, "no ensemble of the unimodal models: %s", e->no_ensemble);
    if (a->figure) BAL_TRY(bal_figure_curves(e, &figure, a->figure, err));
    if (a->out) BAL_TRY(bal_evaluation_save(e, &figure, a->out, err));
    bal_table_formats[cli->json ? BAL_TABLE_JSON : a->format].write(&cli->out, e);
    return BAL_OK;
}

static BalStatus check_published(BalCli *cli, const char *path, bool json, BalError *err) {
    BalPublished p = {0};
    BAL_TRY(bal_published_load(&p, path, err));
    if (json)
        bal_published_json(&cli->out, &p);
    else
        bal_published_text(&cli->out, &p);
    bal_published_reset(&p);
    return BAL_OK;
}

static BalStatus run(BalCli *cli, BalError *err) {
    const EvaluateArgs *a = cli->self;
    const int most = cli->n_args + a->predictions.n;
    BalPredictions *p = NULL;
    BalScores scores = {0};
    BalEvaluation e = {0};
    int n = 0;
    if (a->published && (most || a->table_of_scores))
        return BAL_FAIL(err, BAL_E_ARG,
                        "--table checks a published table by itself; leave out --scores and predictions");
    if (a->published && (a->out || a->figure || (a->format != BAL_TABLE_TEXT && a->format != BAL_TABLE_JSON)))
        return BAL_FAIL(err, BAL_E_ARG,
                        "--table prints text or JSON and draws nothing; leave out --out, --figure and other formats");
    if (a->published) return check_published(cli, a->published, cli->json || a->format == BAL_TABLE_JSON, err);
    if (!a->table_of_scores || !most)
        return BAL_FAIL(err, BAL_E_ARG, "%s missing: avbalance evaluate %s",
                        a->table_of_scores ? "a run or a file of predictions is" : "--scores is", cli->command->usage);
    BAL_TRY(bal_alloc(&p, (size_t)most, sizeof *p, err));
    BalStatus rc = evaluate(cli, p, &n, &scores, &e, err);
    for (int k = 0; k < n; k++) bal_predictions_reset(&p[k]);
    bal_free(p);
    bal_scores_reset(&scores);
    bal_evaluation_reset(&e);
    return rc;
}

const BalCommand bal_cmd_evaluate = {
    "evaluate",
    "--scores SCORES [NAME=]RUN|PREDICTIONS...",
    "Compare methods with the unimodal models on every subset",
    BAL_SCORES_HELP
    "\n"
    "Clips of its split \"test\" count unless --split names another one, or \"all\".\n\n"
    "A model is given by its run folder; a CSV with columns id and prediction; an .npy of logits or probabilities\n"
    "[clips, classes] with ids.txt and classes.txt beside it (or --ids, --classes); or dynamics_epoch_K.jsonl of "
    "dataset\n"
    "cartography. Runs of one method with different seeds are one row; give foreign ones the same NAME. The models "
    "called\n"
    "\"audio\" and \"visual\" are the unimodal ones; where both have logits, the ensemble of the two is added.\n\n"
    "Subsets: overall, audio-preferred (d > 0), visual-preferred (d < 0), ties, dominated (|d| > T). Each method is "
    "compared\n"
    "with the unimodal model that is best on the subset: paired bootstrap and McNemar's test over the same clips.\n\n"
    "--table checks numbers that others have published: whether overall can be the mean of the subsets.",
    0,
    -1,
    flags,
    sizeof(EvaluateArgs),
    run,
    NULL,
    false};
