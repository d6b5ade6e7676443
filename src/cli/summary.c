/* avbalance summary: a table of scores in the numbers that people ask for first. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "cli/scores_flags.h"
#include "cli/summary.h"

typedef struct SummaryArgs {
    BalScoresFlags scores;
    int64_t classes;
} SummaryArgs;

static const BalFlag flags[] = {{"classes", 0, BAL_FLAG_INT, "N", "most classes to list in the text",
                                 .offset = offsetof(SummaryArgs, classes), .def = "40", .min = 0, .max = 1e9},
                                BAL_SCORES_FLAGS(SummaryArgs),
                                {0}};

/* ---- JSON ---- */

static void json_group(BalJsonOut *o, const BalGroupSummary *g) {
    const double n = (double)g->n;
    bal_json_add_int(o, "n", g->n);
    bal_json_add_int(o, "audio_preferred", g->audio_preferred);
    bal_json_add_int(o, "visual_preferred", g->visual_preferred);
    bal_json_add_int(o, "ties", g->ties);
    bal_json_add_real(o, "share_audio_preferred", (double)g->audio_preferred / n);
    bal_json_add_real(o, "share_beyond_0.2", (double)g->beyond_02 / n);
    bal_json_add_real(o, "share_beyond_0.4", (double)g->beyond_04 / n);
    bal_json_add_real(o, "mean_u_audio", g->mean_u_audio);
    bal_json_add_real(o, "mean_u_visual", g->mean_u_visual);
    bal_json_add_real(o, "mean_discrepancy", g->mean_d);
    bal_json_add_real(o, "mean_abs_discrepancy", g->mean_abs_d);
    bal_json_open(o, "distance_from_uniform", '{');
    bal_json_add_real(o, "ks", g->ks);
    bal_json_add_real(o, "wasserstein", g->wasserstein);
    bal_json_add_real(o, "kl", g->kl);
    bal_json_close(o, '}');
    bal_json_open(o, "data_map", '{');
    bal_json_add_real(o, "sd_audio", g->sd[0]);
    bal_json_add_real(o, "sd_visual", g->sd[1]);
    bal_json_add_real(o, "correct_audio", g->correct[0]);
    bal_json_add_real(o, "correct_visual", g->correct[1]);
    bal_json_close(o, '}');
    if (g->undecided >= 0) bal_json_add_int(o, "undecided", g->undecided);
}

static void json_groups(BalJsonOut *o, const char *key, const BalGroupSummary *g, int n) {
    bal_json_open(o, key, '[');
    for (int i = 0; i < n; i++) {
        bal_json_open(o, NULL, '{');
        bal_json_add_text(o, "name", g[i].name);
        json_group(o, &g[i]);
        bal_json_close(o, '}');
    }
    bal_json_close(o, ']');
}

static void write_json(BalText *out, const BalSummary *s) {
    BalJsonOut o = bal_json_document(out, true, "avbalance/summary/1");
    json_group(&o, &s->all);
    json_groups(&o, "splits", s->split, s->n_splits);
    json_groups(&o, "classes", s->label, s->n_labels);
    bal_json_close(&o, '}');
    bal_text_char(out, '\n');
}

/* ---- text ---- */

static double percent(int64_t part, int64_t all) {
    return 100.0 * (double)part / (double)all;
}

static void header_row(BalText *out, const char *what, int width) {
    bal_text_f(out, "\n%-*s %9s %8s %8s %9s %8s %8s %8s %7s %7s\n", width, what, "clips", "heard %", "seen %", "mean d",
               "mean|d|", ">0.2 %", ">0.4 %", "u_a", "u_v");
}

static void text_row(BalText *out, const BalGroupSummary *g, int width) {
    bal_text_f(out, "%-*s %9lld %8.1f %8.1f %+9.3f %8.3f %8.1f %8.1f %7.3f %7.3f\n", width, g->name, (long long)g->n,
               percent(g->audio_preferred, g->n), percent(g->visual_preferred, g->n), g->mean_d, g->mean_abs_d,
               percent(g->beyond_02, g->n), percent(g->beyond_04, g->n), g->mean_u_audio, g->mean_u_visual);
}

static int widest(const BalGroupSummary *g, int n, int width) {
    for (int i = 0; i < n; i++)
        if ((int)strlen(g[i].name) > width) width = (int)strlen(g[i].name);
    return width > 40 ? 40 : width;
}

/* Classes from the most heard to the most seen; of a long list its two ends. */
static void text_classes(BalText *out, const BalSummary *s, int most, int width) {
    header_row(out, "class", width);
    int head = s->n_labels <= most ? s->n_labels : (most + 1) / 2, tail = s->n_labels <= most ? 0 : most / 2;
    for (int i = 0; i < head; i++) text_row(out, &s->label[i], width);
    if (head + tail < s->n_labels)
        bal_text_f(out, "... %d more (--classes N, or --json for all)\n", s->n_labels - head - tail);
    for (int i = s->n_labels - tail; i < s->n_labels; i++) text_row(out, &s->label[i], width);
}

void bal_cli_summary(BalText *out, const BalSummary *s, int most) {
    const BalGroupSummary *g = &s->all;
    bal_text_f(out,
               "%lld clip%s: %.1f %% are better heard (audio-preferred), %.1f %% better seen (visual-preferred), %.1f "
               "%% tie.\n",
               (long long)g->n, g->n == 1 ? "" : "s", percent(g->audio_preferred, g->n),
               percent(g->visual_preferred, g->n), percent(g->ties, g->n));
    bal_text_f(out,
               "Discrepancy d = u_audio - u_visual: mean %+.3f, mean |d| %.3f; |d| > 0.2 in %.1f %%, > 0.4 in %.1f %% "
               "of the clips.\n",
               g->mean_d, g->mean_abs_d, percent(g->beyond_02, g->n), percent(g->beyond_04, g->n));
    bal_text_f(out,
               "Distance of d from evenly spread over [-1,1]: Kolmogorov-Smirnov %.3f, Wasserstein %.3f, "
               "Kullback-Leibler %.3f nats (0 is even).\n",
               g->ks, g->wasserstein, g->kl);
    if (!isnan(g->sd[0]) && !isnan(g->correct[0]))
        bal_text_f(out,
                   "Over epochs: confidence spreads by %.3f (sound) and %.3f (picture); right in %.1f %% and %.1f %% "
                   "of the epochs.\n",
                   g->sd[0], g->sd[1], 100 * g->correct[0], 100 * g->correct[1]);
    if (g->undecided >= 0)
        bal_text_f(out,
                   "Undecided, because the seeds disagree or their interval of d contains 0: %lld clips (%.1f %%).\n",
                   (long long)g->undecided, percent(g->undecided, g->n));
    int width = widest(s->label, s->n_labels, widest(s->split, s->n_splits, 12));
    if (s->n_splits) {
        header_row(out, "split", width);
        for (int i = 0; i < s->n_splits; i++) text_row(out, &s->split[i], width);
    }
    if (s->n_labels && most) text_classes(out, s, most, width);
}

static BalStatus run(BalCli *cli, BalError *err) {
    const SummaryArgs *a = cli->self;
    BalScoresSpec spec = bal_scores_flags_spec(&a->scores, cli);
    BalScores scores = {0};
    BalSummary s = {0};
    BalStatus rc;
    BAL_TRY_OR(done, bal_scores_load(&scores, cli->args[0], &spec, err));
    BAL_TRY_OR(done, bal_summary_make(&s, &scores, err));
    if (cli->json)
        write_json(&cli->out, &s);
    else
        bal_cli_summary(&cli->out, &s, (int)(a->classes < INT32_MAX ? a->classes : INT32_MAX));
done:
    bal_summary_reset(&s);
    bal_scores_reset(&scores);
    return rc;
}

const BalCommand bal_cmd_summary = {"summary",
                                    "SCORES",
                                    "Say in a few numbers how balanced a dataset is",
                                    BAL_SCORES_HELP "\n\n"
                                                    "Overall, per split, and per class from the best heard to the best "
                                                    "seen. heard %: share of clips with d > 0, seen %: d < 0.\n"
                                                    "Distances compare the distribution of d with the uniform one on "
                                                    "[-1,1]: Kolmogorov-Smirnov is the largest gap between the\n"
                                                    "distribution functions, Wasserstein the mean distance that mass "
                                                    "would have to move, Kullback-Leibler is over 20 bins.",
                                    1,
                                    1,
                                    flags,
                                    sizeof(SummaryArgs),
                                    run,
                                    NULL,
                                    false};
