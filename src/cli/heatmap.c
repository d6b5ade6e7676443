/* avbalance heatmap: the 0.01 heatmap as figure and as matrix. */
#include "base/json.h"
#include "cli/scores_flags.h"
#include <avbalance/report.h>

typedef struct HeatmapArgs {
    BalScoresFlags scores;
    const char *out, *title;
    BalList threshold;
} HeatmapArgs;

static const BalFlag flags[] = {
    {"out", 'o', BAL_FLAG_STRING, "FILE", "figure: .png, .svg or .pdf; without it only the numbers are printed",
     .offset = offsetof(HeatmapArgs, out)},
    {"threshold", 't', BAL_FLAG_LIST, "T", "draw lines at |d| = T", .offset = offsetof(HeatmapArgs, threshold)},
    {"title", 0, BAL_FLAG_STRING, "TEXT", "title of the figure", .offset = offsetof(HeatmapArgs, title),
     .may_be_empty = true},
    BAL_SCORES_FLAGS(HeatmapArgs),
    {0}};

static void write_json(BalText *out, const BalHeatmap *h) {
    BalJsonOut o = bal_json_document(out, false, "avbalance/heatmap/1");
    bal_json_add_int(&o, "bins", BAL_HEATMAP_BINS);
    bal_json_add_int(&o, "n", h->n);
    bal_json_add_int(&o, "audio_preferred", h->audio_preferred);
    bal_json_add_int(&o, "visual_preferred", h->visual_preferred);
    bal_json_add_int(&o, "ties", h->ties);
    bal_json_add_real(&o, "mean_abs_discrepancy", h->sum_abs / (double)h->n);
    bal_json_open(&o, "counts", '[');
    for (int r = 0; r < BAL_HEATMAP_BINS; r++) {
        bal_json_open(&o, NULL, '[');
        for (int c = 0; c < BAL_HEATMAP_BINS; c++) bal_json_add_int(&o, NULL, h->counts[r][c]);
        bal_json_close(&o, ']');
    }
    bal_json_close(&o, ']');
    bal_json_close(&o, '}');
    bal_text_char(out, '\n');
}

static void write_text(BalText *out, const BalHeatmap *h, const char *path) {
    int64_t cells = 0;
    for (int r = 0; r < BAL_HEATMAP_BINS; r++)
        for (int c = 0; c < BAL_HEATMAP_BINS; c++) cells += h->counts[r][c] > 0;
    bal_text_f(out,
               "%lld clip%s in %lld of 10000 cells; audio-preferred %.1f %%, visual-preferred %.1f %%, ties %.1f %%; "
               "mean |d| %.4f\n",
               (long long)h->n, h->n == 1 ? "" : "s", (long long)cells,
               100.0 * (double)h->audio_preferred / (double)h->n, 100.0 * (double)h->visual_preferred / (double)h->n,
               100.0 * (double)h->ties / (double)h->n, h->sum_abs / (double)h->n);
    if (path) bal_text_f(out, "figure: %s\n", path);
}

static BalStatus run(BalCli *cli, BalError *err) {
    static BalHeatmap h;
    const HeatmapArgs *a = cli->self;
    double threshold[64];
    BalFigureSpec figure = bal_figure_spec_default();
    for (int i = 0; i < a->threshold.n; i++)
        if (!bal_parse_real(a->threshold.v[i], &threshold[i]) || !(threshold[i] > 0 && threshold[i] < 1))
            return BAL_FAIL(err, BAL_E_ARG, "--threshold %s: give a number between 0 and 1", a->threshold.v[i]);
    figure.threshold = threshold;
    figure.n_thresholds = a->threshold.n;
    figure.title = a->title;
    BalScoresSpec spec = bal_scores_flags_spec(&a->scores, cli);
    if (a->out) {
        BAL_TRY(bal_figure_may_be(a->out, err));
        BAL_TRY(bal_cli_may_write(cli, a->out, err));
    }
    BAL_TRY(bal_heatmap_file(&h, cli->args[0], &spec, err));
    if (a->out) BAL_TRY(bal_figure_heatmap(&h, &figure, a->out, err));
    if (cli->json)
        write_json(&cli->out, &h);
    else
        write_text(&cli->out, &h, a->out);
    return BAL_OK;
}

const BalCommand bal_cmd_heatmap = {
    "heatmap",
    "SCORES -o FILE.{png,svg,pdf}",
    "Draw how the clips lie between well heard and well seen",
    BAL_SCORES_HELP
    "\n\n"
    "Cells of 0.01 x 0.01: u_visual on x, u_audio on y, colour by the share of clips. With --json the matrix is\n"
    "printed: counts[row][column], row = bin of u_audio, column = bin of u_visual; bins as numpy.histogram's.",
    1,
    1,
    flags,
    sizeof(HeatmapArgs),
    run,
    NULL,
    false};
