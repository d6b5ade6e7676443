/* avbalance calibrate: the temperature of a scorer, from clips whose labels are known. */
#include <avbalance/curate.h>
#include <avbalance/report.h>
#include "base/file.h"
#include "base/json.h"
#include "cli/command.h"
#include "curate/side.h"

typedef struct Calibrate {
    const char *out, *figure, *categories, *media_dir;
    BalList outputs;
    int side, split;
} Calibrate;

static void add_reliability(BalJsonOut *o, const char *key, const BalReliability *r) {
    bal_json_open(o, key, '{');
    bal_json_add_real(o, "nll", r->nll);
    bal_json_add_real(o, "ece", r->ece);
    bal_json_add_real(o, "mean_confidence", r->mean);
    bal_json_open(o, "bins", '[');
    for (int k = 0; k < BAL_RELIABILITY_BINS; k++) {
        bal_json_open(o, NULL, '{');
        bal_json_add_int(o, "n", r->count[k]);
        bal_json_add_real(o, "confidence", r->confidence[k]);
        bal_json_add_real(o, "accuracy", r->accuracy[k]);
        bal_json_close(o, '}');
    }
    bal_json_close(o, ']');
    bal_json_close(o, '}');
}

static void write_json(BalText *out, const BalCalibration *c, int side) {
    BalJsonOut o = bal_json_document(out, true, "avbalance/calibrate/1");
    bal_json_add_text(&o, "side", bal_side_names[side]);
    bal_json_add_int(&o, "n", c->n);
    bal_json_add_int(&o, "unscored", c->unscored);
    bal_json_add_real(&o, "temperature", c->temperature);
    bal_json_add_bool(&o, "at_edge", c->at_edge);
    bal_json_add_real(&o, "accuracy", c->after.right);
    add_reliability(&o, "before", &c->before);
    add_reliability(&o, "after", &c->after);
    bal_json_close(&o, '}');
    bal_text_char(out, '\n');
}

static void write_text(BalText *out, const BalCalibration *c) {
    bal_text_f(out, "temperature %g from %lld clips, of which %.1f %% are answered right\n", c->temperature,
               (long long)c->n, 100 * c->after.right);
    bal_text_f(out, "%-26s %10s %10s\n", "", "before", "after");
    bal_text_f(out, "%-26s %10.4f %10.4f\n", "mean confidence", c->before.mean, c->after.mean);
    bal_text_f(out, "%-26s %10.4f %10.4f\n", "calibration error", c->before.ece, c->after.ece);
    bal_text_f(out, "%-26s %10.4f %10.4f\n", "negative log-likelihood", c->before.nll, c->after.nll);
}

static BalStatus save(const Calibrate *a, const BalCalibration *c, BalError *err) {
    BalText json = {0};
    BalFigureSpec spec = bal_figure_spec_default();
    spec.title = a->side == BAL_AUDIO ? "Reliability of the audio scorer" : "Reliability of the visual scorer";
    if (a->figure) BAL_TRY(bal_figure_calibration(c, &spec, a->figure, err));
    write_json(&json, c, a->side);
    BalStatus rc = bal_text_ok(&json, err);
    if (rc >= 0) rc = bal_file_write(a->out, json.data, json.len, err);
    bal_text_reset(&json);
    return rc;
}

static BalStatus run(BalCli *cli, BalError *err) {
    const Calibrate *a = cli->self;
    BalManifestSpec manifest = bal_manifest_spec_default();
    BalManifest m = {0};
    BalCategories categories = {0};
    BalCalibration c;
    BalStatus rc;
    manifest.media_dir = a->media_dir;
    BAL_TRY(bal_cli_may_write(cli, a->out, err));
    if (a->figure) BAL_TRY(bal_figure_may_be(a->figure, err));
    if (a->figure) BAL_TRY(bal_cli_may_write(cli, a->figure, err));
    BAL_TRY_OR(done, bal_manifest_load(&m, cli->args[0], &manifest, err));
    if (a->categories) BAL_TRY_OR(done, bal_categories_load(&categories, a->categories, err));
    const BalCalibrateSpec spec = {.categories = a->categories ? &categories : NULL,
                                   .side = (BalSide)a->side,
                                   .outputs = a->outputs.v,
                                   .n_outputs = a->outputs.n,
                                   .split = (BalSplit)(a->split - 1)};
    BAL_TRY_OR(done, bal_calibrate(&c, &m, &spec, err));
    BAL_TRY_OR(done, save(a, &c, err));
    if (c.at_edge)
        bal_cli_warn(cli,
                     "the likelihood is best at the end of the range, temperature %g: these clips cannot tell the "
                     "temperature (too few, or all answered right or wrong)",
                     c.temperature);
    if (c.unscored) bal_cli_warn(cli, "%lld clips have no outputs and do not count", (long long)c.unscored);
    if (cli->json)
        write_json(&cli->out, &c, a->side);
    else
        write_text(&cli->out, &c);
done:
    bal_categories_reset(&categories);
    bal_manifest_reset(&m);
    return rc;
}

#define AT(field) .offset = offsetof(Calibrate, field)
static const char *const splits[] = {"all", "train", "val", "test", NULL};
static const BalFlag flags[] = {
    {"out", 'o', BAL_FLAG_STRING, "FILE.json", "where the temperature goes, for `triage` (required)", AT(out),
     .required = true},
    {"figure", 0, BAL_FLAG_STRING, "FILE", "reliability diagrams before and after: .png, .svg, .pdf", AT(figure)},
    {"side", 0, BAL_FLAG_ENUM, NULL, "whose classes the categories mean", AT(side), .def = "audio",
     .choices = bal_side_names},
    {"outputs", 0, BAL_FLAG_LIST, "OUTPUTS", "what the scorer put out, as for `triage` (required)", AT(outputs),
     .required = true},
    {"categories", 'c', BAL_FLAG_STRING, "NAME|FILE", "what the scorer's classes mean; without it they are the labels",
     AT(categories)},
    {"split", 0, BAL_FLAG_ENUM, NULL, "clips of this split count", AT(split), .def = "all", .choices = splits},
    {"media-dir", 0, BAL_FLAG_STRING, "DIR", "folder of the media (default: the manifest's)", AT(media_dir)},
    {0}};

const BalCommand bal_cmd_calibrate = {
    .name = "calibrate",
    .usage = "MANIFEST --outputs OUTPUTS --side audio|visual -o FILE.json",
    .summary = "Find the temperature at which a scorer's confidences mean what they say",
    .details =
        "MANIFEST: clips with labels by people that the scorer was not trained on, such as the test list of VGG-Sound "
        "for an\n"
        "audio scorer and the validation list of Kinetics-400 for a visual one. The temperature divides the scorer's "
        "logits;\n"
        "it is the one at which the clips' categories are most likely. Give FILE.json to `triage --audio-temperature`.",
    .min_args = 1,
    .max_args = 1,
    .flags = flags,
    .self_size = sizeof(Calibrate),
    .run = run,
};
