/* avbalance split: id lists of the preferred and dominated subsets. */
#include <stdio.h>

#include "analysis/split.h"
#include "base/file.h"
#include "cli/scores_flags.h"

typedef struct SplitArgs {
    BalScoresFlags scores;
    const char *out;
    BalList threshold;
} SplitArgs;

static const BalFlag flags[] = {
    {"out", 'o', BAL_FLAG_STRING, "DIR", "folder for the lists; without it they are only counted",
     .offset = offsetof(SplitArgs, out)},
    {"threshold", 't', BAL_FLAG_LIST, "T", "dominated means |d| > T; 0.2 and 0.4 where none is given",
     .offset = offsetof(SplitArgs, threshold)},
    BAL_SCORES_FLAGS(SplitArgs),
    {0}};

static void text_row(BalText *out, const char *name, const BalSplitResult *r, const BalSubsetCounts *c) {
    bal_text_f(out, "%-12s %10lld %10lld %10lld %10lld", name, (long long)c->n, (long long)c->audio_preferred,
               (long long)c->visual_preferred, (long long)c->ties);
    for (int t = 0; t < r->n_thresholds; t++)
        bal_text_f(out, "  %10lld %10lld", (long long)c->audio_dominated[t], (long long)c->visual_dominated[t]);
    bal_text_char(out, '\n');
}

static void write_text(BalText *out, const BalSplitResult *r, const char *dir) {
    char above[24], below[24];
    bal_text_f(out, "%-12s %10s %10s %10s %10s", "", "clips", "audio-", "visual-", "ties");
    for (int t = 0; t < r->n_thresholds; t++) {
        snprintf(above, sizeof above, "d > %g", r->threshold[t]);
        snprintf(below, sizeof below, "d < -%g", r->threshold[t]);
        bal_text_f(out, "  %10s %10s", above, below);
    }
    bal_text_f(out, "\n%-12s %10s %10s %10s %10s", "split", "", "preferred", "preferred", "");
    for (int t = 0; t < r->n_thresholds; t++) bal_text_f(out, "  %10s %10s", "(audio)", "(visual)");
    bal_text_char(out, '\n');
    for (int s = 0; s < r->n_splits; s++) text_row(out, r->split[s], r, &r->count[s]);
    if (r->n_splits > 1) text_row(out, "together", r, &r->all);
    if (dir) bal_text_f(out, "lists: %s\n", dir);
}

static BalStatus run(BalCli *cli, BalError *err) {
    SplitArgs *a = cli->self;
    static const double usual[] = {0.2, 0.4};
    double threshold[BAL_SPLIT_MAX_THRESHOLDS];
    int n = a->threshold.n;
    if (n > BAL_SPLIT_MAX_THRESHOLDS)
        return BAL_FAIL(err, BAL_E_ARG, "--threshold is given %d times, at most %d are possible", n,
                        BAL_SPLIT_MAX_THRESHOLDS);
    for (int i = 0; i < n; i++)
        if (!bal_parse_real(a->threshold.v[i], &threshold[i]))
            return BAL_FAIL(err, BAL_E_ARG, "--threshold %s: give a number between 0 and 1", a->threshold.v[i]);

    BalText marker = {0};
    BalScoresSpec spec = bal_scores_flags_spec(&a->scores, cli);
    BalSplitResult r;
    BalStatus rc;
    if (a->out) {
        bal_path_join(&marker, a->out, "split.json");
        BAL_TRY_OR(done, bal_text_ok(&marker, err));
        BAL_TRY_OR(done, bal_cli_may_write(cli, marker.data, err));
    }
    BAL_TRY_OR(done, bal_split_file(&r, cli->args[0], &spec, n ? threshold : usual, n ? n : 2, a->out, err));
    if (cli->json)
        bal_split_json(&cli->out, &r);
    else
        write_text(&cli->out, &r, a->out);
done:
    bal_text_reset(&marker);
    return rc;
}

const BalCommand bal_cmd_split = {
    "split",
    "SCORES -o DIR [--threshold T]...",
    "Sort clips into those better heard and those better seen",
    BAL_SCORES_HELP
    "\n\n"
    "d = u_audio - u_visual. Audio-preferred: d > 0, visual-preferred: d < 0; ties are in neither and are counted.\n"
    "Dominated(T): |d| > T. DIR gets <split>-audio-preferred.txt, <split>-audio-dominated-<T>.txt and so on, one id "
    "per\n"
    "line in byte order, and split.json with the counts; <split> is \"all\" where the table has no such column.",
    1,
    1,
    flags,
    sizeof(SplitArgs),
    run,
    NULL,
    false};
