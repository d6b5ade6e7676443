/* avbalance build: from raw videos to a balanced dataset, by a recipe. */
#include <string.h>
#include <avbalance/build.h>
#include <avbalance/report.h>
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/option.h"
#include "cli/command.h"
#include "curate/build.h"

typedef struct Build {
    const char *out;
    BalList set;
} Build;

static BalStatus draw(const BalHeatmap *h, const char *title, const char *path, BalError *err) {
    BalFigureSpec spec = bal_figure_spec_default();
    spec.title = title;
    return bal_figure_heatmap(h, &spec, path, err);
}

static void told(void *user, const char *stage, bool was_done) {
    bal_cli_note(user, "%-9s %s", stage, was_done ? "was done" : "done");
}

static void write_counts(BalText *out, const char *what, const BalJson *o) {
    bal_text_f(out, "%s", what);
    for (void *it = bal_json_first(o); it; it = bal_json_next(o, it))
        bal_text_f(out, "  %s %lld", bal_json_key(it), (long long)bal_json_int(bal_json_value(it), 0));
    bal_text_char(out, '\n');
}

/* metrics: of the bins that the selection could fill; NULL without one */
static void write_side(BalText *out, const char *what, const BalJson *s, const BalJson *metrics) {
    const BalJson *bins = metrics ? bal_json_get(metrics, "eligible") : s, *max_min = bal_json_get(bins, "max_min");
    bal_text_f(out, "%-17s %8lld %8lld %8lld %10.3f ", what, (long long)bal_json_int(bal_json_get(s, "n"), 0),
               (long long)bal_json_int(bal_json_get(s, "audio_preferred"), 0),
               (long long)bal_json_int(bal_json_get(s, "visual_preferred"), 0),
               bal_json_real(bal_json_get(bins, "gini"), 0));
    if (bal_json_type(max_min) == BAL_JSON_NULL)
        bal_text_f(out, "%10s\n", "-");
    else
        bal_text_f(out, "%10.3g\n", bal_json_real(max_min, 0));
}

static void write_text(BalText *out, const BalJson *report, const char *dir) {
    const BalJson *balance = bal_json_get(report, "balance"), *rejected = bal_json_get(report, "rejected"),
                  *select = bal_json_get(bal_json_get(report, "stages"), "select");
    bal_text_f(out, "%-17s %8s %8s %8s %10s %10s\n", "", "clips", "audio-", "visual-", "bins: Gini", "max/min");
    bal_text_f(out, "%-17s %8s %8s %8s\n", "", "", "preferred", "preferred");
    write_side(out, "before selection", bal_json_get(balance, "before"),
               bal_json_get(bal_json_get(select, "before"), "metrics"));
    write_side(out, "dataset", bal_json_get(balance, "after"), bal_json_get(select, "metrics"));
    write_counts(out, "splits ", bal_json_get(report, "splits"));
    write_counts(out, "sources", bal_json_get(report, "sources"));
    write_counts(out, "types  ", bal_json_get(report, "types"));
    for (void *it = bal_json_first(rejected); it; it = bal_json_next(rejected, it)) {
        BalText what = {0};
        bal_text_f(&what, "left out by %s:", bal_json_key(it));
        write_counts(out, bal_text_str(&what), bal_json_value(it));
        bal_text_reset(&what);
    }
    const char *why = bal_json_text(bal_json_get(select, "why"), "");
    if (*why) bal_text_f(out, "why not more: %s\n", why);
    bal_text_f(out, "%s/manifest.tsv: %lld clips\n", dir, (long long)bal_json_int(bal_json_get(report, "n"), 0));
}

static BalStatus print(BalCli *cli, const char *dir, BalError *err) {
    BalText path = {0};
    BalJson *report = NULL;
    bal_path_join(&path, dir, "report.json");
    BalStatus rc = bal_text_ok(&path, err);
    if (rc >= 0 && cli->json) rc = bal_file_read(path.data, 0, &cli->out, err);
    if (rc >= 0 && !cli->json) rc = bal_json_load(&report, path.data, err);
    if (rc >= 0 && !cli->json) write_text(&cli->out, report, dir);
    bal_json_free(&report);
    bal_text_reset(&path);
    return rc;
}

static BalStatus run(BalCli *cli, BalError *err) {
    const Build *a = cli->self;
    BalCliRoom room = {cli, a->out, &bal_build_output};
    const char *path = cli->args[0], *slash = strrchr(path, '/');
    BalBuildRecipe *recipe = NULL;
    BalText base = {0};
    bal_text_add_n(&base, slash ? path : ".", slash ? (size_t)(slash - path + (slash == path)) : 1);
    BalStatus rc = bal_text_ok(&base, err);
    if (rc >= 0) rc = bal_alloc(&recipe, 1, sizeof *recipe, err);
    if (rc >= 0) rc = bal_build_recipe_load(recipe, path, a->set.v, a->set.n, err);
    if (rc >= 0 && cli->seed_given) recipe->seed = cli->seed;
    if (rc >= 0) bal_mem_keep();
    const BalBuildSpec spec = {.recipe = recipe,
                               .base_dir = base.data,
                               .dir = a->out,
                               .threads = cli->threads,
                               .room = {bal_cli_room, &room},
                               .progress = cli->progress,
                               .heatmap = draw,
                               .told = told,
                               .user = cli};
    if (rc >= 0) rc = bal_build(&spec, err);
    if (rc >= 0) rc = print(cli, a->out, err);
    bal_free(recipe);
    bal_text_reset(&base);
    return rc;
}

static void more_help(BalText *out) {
    bal_text_add(out,
                 "Keys of a recipe (--set KEY=VALUE); paths start from its folder, several are parted by commas:\n");
    bal_options_help(bal_build_options(), out);
}

#define AT(field) .offset = offsetof(Build, field)
static const BalFlag flags[] = {
    {"out", 'o', BAL_FLAG_STRING, "DIR", "folder of the dataset (required)", AT(out), .required = true},
    {"set", 's', BAL_FLAG_LIST, "KEY=VALUE", "override one value of the recipe", AT(set)},
    {0}};

const BalCommand bal_cmd_build = {
    .name = "build",
    .usage = "RECIPE.yaml -o DIR",
    .summary = "Build a balanced dataset from raw videos",
    .details = "Stages: clips, score, triage, ingest, estimate, noise, select, export. Each can be switched off or "
               "given from\n"
               "elsewhere by the recipe. Kill it whenever you like: the same command goes on and ends with the same "
               "bytes. Changed\n"
               "settings, and ids added to build.takedown, make anew what they change. DIR gets manifest.tsv, "
               "rejects.tsv (every\n"
               "clip that is not in it, with stage and rule), report.json, heatmaps, croissant.json, dataset.lock.json "
               "and lists.",
    .min_args = 1,
    .max_args = 1,
    .flags = flags,
    .self_size = sizeof(Build),
    .run = run,
    .more_help = more_help,
    .trains = true,
};
