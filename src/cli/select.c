/* avbalance select: the largest balanced subset. */
#include "cli/select.h"

#include <string.h>

#include <avbalance/report.h>
#include "base/file.h"
#include "curate/selection.h"

#define CLIPS 281474976710656.0

static const BalFlag flags[] = {
    {"out", 'o', BAL_FLAG_STRING, "DIR", "folder for the selection; without it, it is only described",
     .offset = offsetof(SelectArgs, out)},
    {"policy", 'p', BAL_FLAG_ENUM, NULL, "what balanced means, see below", .offset = offsetof(SelectArgs, policy),
     .def = "ratio", .choices = bal_policy_names},
    {"bins", 0, BAL_FLAG_INT, "B", "bins of d over [-1,1], an even number", .offset = offsetof(SelectArgs, bins),
     .def = "20", .min = 2, .max = 200},
    {"grid", 0, BAL_FLAG_INT, "G", "bins are the G x G cells of (u_audio, u_visual) instead",
     .offset = offsetof(SelectArgs, grid), .def = "0", .min = 0, .max = 30},
    {"ratio", 0, BAL_FLAG_REAL, "R", "ratio, plane: largest bin by smallest", .offset = offsetof(SelectArgs, ratio),
     .def = "1.5", .min = 1, .max = 1000},
    {"tolerance", 0, BAL_FLAG_REAL, "E", "strict: bins may differ from the level by this share",
     .offset = offsetof(SelectArgs, tolerance), .def = "0", .min = 0, .max = 0.999},
    {"level", 0, BAL_FLAG_INT, "N", "waterfill: most clips per bin", .offset = offsetof(SelectArgs, level), .def = "0",
     .min = 0, .max = CLIPS},
    {"budget", 0, BAL_FLAG_STRING, "M=X", "waterfill: the highest level with kl, chi2, gini or max_min up to X",
     .offset = offsetof(SelectArgs, budget)},
    {"class-min", 0, BAL_FLAG_INT, "N", "fewest clips per class", .offset = offsetof(SelectArgs, class_min), .def = "0",
     .min = 0, .max = CLIPS},
    {"class-max", 0, BAL_FLAG_INT, "N", "most clips per class, 0: no limit; 1600 where it is not given (mirror: none)",
     .offset = offsetof(SelectArgs, class_max), .def = "-1", .min = -1, .max = CLIPS},
    {"min-per-bin", 0, BAL_FLAG_INT, "N", "bins with fewer clips are left out", .def = "30", .min = 0, .max = CLIPS,
     .offset = offsetof(SelectArgs, min_per_bin)},
    {"must-keep", 0, BAL_FLAG_STRING, "FILE", "ids that must be kept, one per line",
     .offset = offsetof(SelectArgs, must_keep)},
    {"extend", 0, BAL_FLAG_STRING, "OLD", "keep an earlier selection: its folder, list of ids, or lock file",
     .offset = offsetof(SelectArgs, extend)},
    {"per-source", 0, BAL_FLAG_INT, "N", "most clips of one class from one source, 0: all",
     .offset = offsetof(SelectArgs, per_source), .def = "0", .min = 0, .max = CLIPS},
    {"sources", 0, BAL_FLAG_STRING, "FILE", "CSV with id and source, where SCORES has no column of sources",
     .offset = offsetof(SelectArgs, sources)},
    {"certificate", 0, BAL_FLAG_SWITCH, NULL, "also write certificate.json, which `verify` checks without the solver",
     .offset = offsetof(SelectArgs, certificate)},
    {"rejects", 0, BAL_FLAG_SWITCH, NULL, "also write rejects.csv: the clips that are not kept, each with the reason",
     .offset = offsetof(SelectArgs, rejects)},
    {"edges", 0, BAL_FLAG_SWITCH, NULL, "how many clips might as well lie in another bin, by their spread over epochs",
     .offset = offsetof(SelectArgs, edges)},
    {"frontier", 0, BAL_FLAG_LIST, "FILE", "size against evenness as a figure (.png .svg .pdf) or numbers (.csv)",
     .offset = offsetof(SelectArgs, frontier)},
    {"shortage", 0, BAL_FLAG_INT, "N", "which clips to look for: what N more in one class and bin would gain",
     .offset = offsetof(SelectArgs, shortage), .def = "0", .min = 0, .max = 1e9},
    {"shard", 0, BAL_FLAG_STRING, "I/N", "SCORES is one of N parts of a table, see below",
     .offset = offsetof(SelectArgs, shard)},
    {"counts", 0, BAL_FLAG_STRING, "FILE", "write the counts of a shard", .offset = offsetof(SelectArgs, counts)},
    {"picks", 0, BAL_FLAG_STRING, "FILE", "write the clips of a shard that may be kept",
     .offset = offsetof(SelectArgs, picks)},
    {"quotas", 0, BAL_FLAG_STRING, "FILE", "what the counts of all shards are merged into",
     .offset = offsetof(SelectArgs, quotas)},
    {"merge", 0, BAL_FLAG_SWITCH, NULL, "arguments are counts, or with -o clips, of all shards",
     .offset = offsetof(SelectArgs, merge)},
    {"wide", 0, BAL_FLAG_SWITCH, NULL, "picks: of any key, once a merge has asked for it",
     .offset = offsetof(SelectArgs, wide)},
    BAL_SCORES_FLAG(SelectArgs, source, "source-column", "column that holds the source"),
    BAL_SCORES_FLAGS(SelectArgs),
    {0}};

static BalStatus read_budget(BalSelectSpec *s, const char *text, BalError *err) {
    static const char *const names[] = {NULL, "kl=", "chi2=", "gini=", "max_min="};
    for (int k = BAL_BUDGET_KL; k <= BAL_BUDGET_MAX_MIN; k++)
        if (bal_has_prefix(text, names[k]) && bal_parse_real(text + strlen(names[k]), &s->budget_value) &&
            s->budget_value >= 0) {
            s->budget = (BalBudget)k;
            return BAL_OK;
        }
    return BAL_FAIL(err, BAL_E_ARG, "--budget %s: give kl=X, chi2=X, gini=X or max_min=X with X at least 0", text);
}

static int64_t usual_class_max(const SelectArgs *a) {
    const int64_t usual = bal_select_spec_default().class_max;
    return a->policy == BAL_POLICY_MIRROR ? 0 : a->class_min > usual ? a->class_min : usual;
}

static BalStatus make_spec(BalSelectSpec *s, const BalCli *cli, BalError *err) {
    const SelectArgs *a = cli->self;
    *s = (BalSelectSpec){.policy = (BalPolicy)a->policy,
                         .bins = (int)a->bins,
                         .grid = (int)a->grid,
                         .ratio = a->ratio,
                         .tolerance = a->tolerance,
                         .level = a->level,
                         .class_min = a->class_min,
                         .class_max = a->class_max >= 0 ? a->class_max : usual_class_max(a),
                         .min_per_bin = a->min_per_bin,
                         .per_source = a->per_source,
                         .seed = (uint64_t)cli->seed,
                         .must_keep = a->must_keep,
                         .extend = a->extend,
                         .sources = a->sources,
                         .edges = a->edges,
                         .rejects = a->rejects && a->out};
    if (a->budget) BAL_TRY(read_budget(s, a->budget, err));
    return bal_select_spec_check(s, err);
}

static BalStatus may_write(const BalCli *cli, const SelectArgs *a, BalError *err) {
    for (int i = 0; i < a->frontier.n; i++) {
        if (!bal_has_suffix(a->frontier.v[i], ".csv")) BAL_TRY(bal_figure_may_be(a->frontier.v[i], err));
        BAL_TRY(bal_cli_may_write(cli, a->frontier.v[i], err));
    }
    return a->out ? bal_cli_may_write_in(cli, a->out, bal_selection_files, err) : BAL_OK;
}

static BalStatus save_frontier(const BalSelectResult *s, const BalFrontier *f, const char *path, BalError *err) {
    BalFigureSpec spec = bal_figure_spec_default();
    BalText csv = {0};
    if (!bal_has_suffix(path, ".csv")) return bal_figure_frontier(s, f, &spec, path, err);
    bal_frontier_csv(f, &csv);
    BalStatus rc = bal_text_ok(&csv, err);
    if (rc >= 0) rc = bal_file_write(path, csv.data, csv.len, err);
    bal_text_reset(&csv);
    return rc;
}

static BalStatus write_all(BalCli *cli, const BalSelectResult *s, const BalSelectMore *more, BalError *err) {
    const SelectArgs *a = cli->self;
    for (int i = 0; i < a->frontier.n; i++) BAL_TRY(save_frontier(s, more->frontier, a->frontier.v[i], err));
    if (a->out) BAL_TRY(bal_selection_save(s, more, a->out, a->certificate, err));
    if (cli->json)
        bal_selection_json(s, more, &cli->out);
    else
        bal_select_text(&cli->out, s, more, a->out);
    return BAL_OK;
}

enum { FRONTIER_POINTS = 100 };

static BalStatus run(BalCli *cli, BalError *err) {
    const SelectArgs *a = cli->self;
    BalSelectSpec spec;
    BalSelectResult s = {0};
    BalFrontier frontier = {0};
    BalShortage *shortage = NULL;
    BalSelectMore more = {.extra = a->shortage};
    BalScoresSpec scores = bal_scores_flags_spec(&a->scores, cli);
    BalStatus rc;
    scores.source = a->source;
    BAL_TRY(make_spec(&spec, cli, err));
    if (a->shard || a->merge) return bal_select_shards(cli, &spec, err);
    if (a->counts || a->picks || a->quotas)
        return BAL_FAIL(err, BAL_E_ARG,
                        "--counts, --picks and --quotas are for shards; say which one with --shard I/N");
    if (cli->n_args > 1)
        return BAL_FAIL(err, BAL_E_ARG, "one table of scores is selected from; --merge takes more files");
    BAL_TRY(may_write(cli, a, err));
    BAL_TRY_OR(done, bal_select_file(&s, cli->args[0], &scores, &spec, err));
    if (a->frontier.n) {
        BAL_TRY_OR(done, bal_frontier_make(&frontier, &s, FRONTIER_POINTS, err));
        more.frontier = &frontier;
    }
    if (a->shortage) {
        BAL_TRY_OR(done, bal_shortage_make(&shortage, &more.n_shortage, &s, a->shortage, err));
        more.shortage = shortage;
    }
    rc = write_all(cli, &s, &more, err);
done:
    bal_selection_reset(&s);
    bal_frontier_reset(&frontier);
    bal_shortage_free(shortage);
    return rc;
}

const BalCommand bal_cmd_select = {
    "select",
    "SCORES -o DIR | --merge FILE...",
    "Keep the largest balanced subset, and prove that there is no larger one",
    BAL_SCORES_HELP
    "\n\n"
    "Bins are those of d = u_audio - u_visual; a clip's class is its label. Policies:\n"
    "  ratio      no eligible bin has more than R times the clips of another (--ratio)\n"
    "  strict     all eligible bins have equally many clips (--tolerance)\n"
    "  plane      as ratio, in proportion to 1 - |d|, as clips have that are uniform over the square (u_visual, "
    "u_audio)\n"
    "  waterfill  no bin has more than --level clips, or as many as a --budget of unevenness allows\n"
    "  mirror     only the dominating side is cut: no bin has more clips than the one mirrored at d = 0\n"
    "Among the largest subsets it keeps one with the most even bins, and among those one with the most even classes. "
    "Of\n"
    "each bin and class the clips with the smallest keys (hash of --seed and id) are kept: more clips only add to "
    "them.\n\n"
    "A table too large for one machine, or in parts already, gives the same selection to the byte in four steps:\n"
    "  avbalance select part-3.csv --shard 3/8 --counts counts-3.json                       each shard\n"
    "  avbalance select --merge counts-*.json --policy P ... --quotas quotas.json           once\n"
    "  avbalance select part-3.csv --shard 3/8 --quotas quotas.json --picks picks-3.csv     each shard\n"
    "  avbalance select --merge picks-*.csv --quotas quotas.json -o DIR                     once\n"
    "--bins, --grid, --seed, --per-source belong to the first step, lists of ids and names of columns to both that "
    "read\n"
    "a shard. No clip may be in two shards, and all clips of one source must be in one if --per-source is given.\n\n"
    "DIR gets selected.txt (ids in byte order), selected.csv and select.json. That nothing is possible is a result: 0\n"
    "clips, and the classes and bins in conflict.",
    1,
    -1,
    flags,
    sizeof(SelectArgs),
    run,
    NULL,
    false};
