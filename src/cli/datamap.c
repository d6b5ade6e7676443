/* avbalance datamap: how sure and how steady the networks were of each clip, and the histogram of d. */
#include <avbalance/report.h>
#include "base/json.h"
#include "cli/scores_flags.h"

enum { MAP, DISCREPANCY };
static const char *const figures[] = {"map", "discrepancy", NULL};

typedef struct DatamapArgs {
    BalScoresFlags scores;
    const char *out, *title;
    int figure;
} DatamapArgs;

static const BalFlag flags[] = {{"out", 'o', BAL_FLAG_STRING, "FILE", "figure: .png, .svg or .pdf (required)",
                                 .offset = offsetof(DatamapArgs, out), .required = true},
                                {"figure", 0, BAL_FLAG_ENUM, NULL,
                                 "spread against confidence, or the histogram of d per split",
                                 .offset = offsetof(DatamapArgs, figure), .def = "map", .choices = figures},
                                {"title", 0, BAL_FLAG_STRING, "TEXT", "title of the figure",
                                 .offset = offsetof(DatamapArgs, title), .may_be_empty = true},
                                BAL_SCORES_FLAGS(DatamapArgs),
                                {0}};

static BalStatus run(BalCli *cli, BalError *err) {
    const DatamapArgs *a = cli->self;
    BalScoresSpec spec = bal_scores_flags_spec(&a->scores, cli);
    BalFigureSpec figure = bal_figure_spec_default();
    BalScores s = {0};
    BalStatus rc;
    figure.title = a->title;
    BAL_TRY(bal_figure_may_be(a->out, err));
    BAL_TRY(bal_cli_may_write(cli, a->out, err));
    BAL_TRY_OR(done, bal_scores_load(&s, cli->args[0], &spec, err));
    if (a->figure == MAP && !(s.value[BAL_SCORE_SD_AUDIO] && s.value[BAL_SCORE_SD_VISUAL])) {
        rc = BAL_FAIL(err, BAL_E_FORMAT,
                      "%s: a data map needs the columns sd_audio and sd_visual, as `estimate` writes them; "
                      "--figure discrepancy does without",
                      cli->args[0]);
        goto done;
    }
    BAL_TRY_OR(done, a->figure == MAP ? bal_figure_datamap(&s, &figure, a->out, err)
                                      : bal_figure_discrepancy(&s, &figure, a->out, err));
    if (cli->json) {
        BalJsonOut o = bal_json_document(&cli->out, true, "avbalance/datamap/1");
        bal_json_add_int(&o, "n", s.n);
        bal_json_add_text(&o, "figure", figures[a->figure]);
        bal_json_close(&o, '}');
        bal_text_char(&cli->out, '\n');
    } else
        bal_text_f(&cli->out, "%lld clip%s; figure: %s\n", (long long)s.n, s.n == 1 ? "" : "s", a->out);
done:
    bal_scores_reset(&s);
    return rc;
}

const BalCommand bal_cmd_datamap = {"datamap",
                                    "SCORES -o FILE.{png,svg,pdf}",
                                    "Draw how sure and how steady the networks were of each clip",
                                    BAL_SCORES_HELP "\n\n"
                                                    "The map needs sd_audio and sd_visual (and correct_audio, "
                                                    "correct_visual for the colours), as `estimate` writes them:\n"
                                                    "easy clips lie top left, hard or wrongly labelled ones bottom "
                                                    "left, ambiguous ones right (Swayamdipta et al. 2020).",
                                    1,
                                    1,
                                    flags,
                                    sizeof(DatamapArgs),
                                    run,
                                    NULL,
                                    false};
