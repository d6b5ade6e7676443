/* avbalance estimate: the unimodal runs of every seed and fold, then scores.csv. */
#include <math.h>
#include <stdio.h>
#include <avbalance/analysis.h>
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "cli/train.h"

enum { PAPER, CROSSFIT, DEFAULT_FOLDS = 5 };
static const char *const modes[] = {"paper", "crossfit", NULL};

typedef struct Estimate {
    BalTrainFlags common;
    int mode;
    int64_t seeds, folds;
} Estimate;

void bal_cli_run_done(void *user, const char *name, const BalFitResult *r) {
    BalText line = {0};
    bal_cli_accuracies(r, &line);
    bal_cli_note(user, "%-22s %s%3d of %3d epochs count, accuracy%s", name, r->already_done ? "(already done) " : "",
                 r->epochs_used, r->epochs, bal_text_str(&line));
    bal_text_reset(&line);
}

/* Paths of the run folders of one modality, to be freed by the caller; *n counts them. */
static BalStatus run_paths(const BalEstimateSpec *spec, const char *modality, char ***paths, int *n, BalError *err) {
    int folds = spec->folds ? spec->folds : 1;
    BalText path = {0};
    BAL_TRY(bal_alloc(paths, (size_t)spec->seeds * (size_t)folds, sizeof **paths, err));
    BalStatus rc = BAL_OK;
    for (int s = 0; s < spec->seeds && rc == BAL_OK; s++)
        for (int f = 0; f < folds && rc == BAL_OK; f++) {
            char name[64];
            bal_run_name(name, sizeof name, modality, spec->recipe.train.seed + s, spec->folds ? f : -1);
            bal_text_clear(&path);
            bal_path_join(&path, spec->dir, name);
            rc = bal_text_ok(&path, err);
            if (rc == BAL_OK) rc = bal_strdup(&(*paths)[*n], path.data, err);
            if (rc == BAL_OK) ++*n;
        }
    bal_text_reset(&path);
    return rc;
}

BalStatus bal_cli_scores(const BalEstimateSpec *spec, BalScores *scores, int64_t *unscored, BalText *path,
                         BalError *err) {
    char **audio = NULL, **visual = NULL;
    int n_audio = 0, n_visual = 0;
    BalStatus rc = run_paths(spec, "audio", &audio, &n_audio, err);
    if (rc == BAL_OK) rc = run_paths(spec, "visual", &visual, &n_visual, err);
    if (rc == BAL_OK)
        rc = bal_scores_from_runs(scores, (const char *const *)audio, n_audio, (const char *const *)visual, n_visual,
                                  unscored, err);
    bal_path_join(path, spec->dir, "scores.csv");
    if (rc == BAL_OK) rc = bal_text_ok(path, err);
    if (rc == BAL_OK) rc = bal_scores_save(scores, path->data, err);
    for (int i = 0; i < n_audio; i++) bal_free(audio[i]);
    for (int i = 0; i < n_visual; i++) bal_free(visual[i]);
    bal_free(audio);
    bal_free(visual);
    return rc;
}

static void print(BalCli *cli, const Estimate *self, const BalScores *s, int64_t unscored, const char *path) {
    const double *a = s->value[BAL_SCORE_U_AUDIO], *v = s->value[BAL_SCORE_U_VISUAL];
    int64_t n_audio = 0, n_visual = 0;
    double sum_a = 0, sum_v = 0, sum_d = 0, n = s->n ? (double)s->n : 1;
    for (int64_t i = 0; i < s->n; i++) {
        n_audio += a[i] > v[i];
        n_visual += v[i] > a[i];
        sum_a += a[i];
        sum_v += v[i];
        sum_d += fabs(a[i] - v[i]);
    }
    if (!cli->json) {
        bal_text_f(
            &cli->out,
            "%s  %lld clips: mean u_audio %.3f, mean u_visual %.3f, mean |discrepancy| %.3f, audio-preferred %.1f %%",
            path, (long long)s->n, sum_a / n, sum_v / n, sum_d / n, 100.0 * (double)n_audio / n);
        if (unscored) bal_text_f(&cli->out, " (%lld clips without a score left out)", (long long)unscored);
        bal_text_char(&cli->out, '\n');
        return;
    }
    BalJsonOut o = bal_json_document(&cli->out, true, "avbalance/estimate/1");
    bal_json_add_text(&o, "scores", path);
    bal_json_add_text(&o, "mode", modes[self->mode]);
    bal_json_add_int(&o, "seeds", self->seeds);
    bal_json_add_int(&o, "folds", self->mode == CROSSFIT ? self->folds : 0);
    bal_json_add_int(&o, "n", s->n);
    bal_json_add_int(&o, "unscored", unscored);
    bal_json_add_real(&o, "mean_u_audio", sum_a / n);
    bal_json_add_real(&o, "mean_u_visual", sum_v / n);
    bal_json_add_real(&o, "mean_abs_discrepancy", sum_d / n);
    bal_json_add_int(&o, "audio_preferred", n_audio);
    bal_json_add_int(&o, "visual_preferred", n_visual);
    bal_json_add_int(&o, "ties", s->n - n_audio - n_visual);
    bal_json_close(&o, '}');
    bal_text_char(&cli->out, '\n');
}

/* scores.csv of an estimate may be written again; one that came from elsewhere is not ours. */
static BalStatus check_folder(const BalCli *cli, const char *dir, BalError *err) {
    BalText scores = {0}, summary = {0};
    bal_path_join(&scores, dir, "scores.csv");
    bal_path_join(&summary, dir, "estimate.json");
    BalStatus rc = bal_text_ok(&scores, err);
    if (rc == BAL_OK) rc = bal_text_ok(&summary, err);
    if (rc == BAL_OK && !bal_file_exists(summary.data)) rc = bal_cli_may_write(cli, scores.data, err);
    bal_text_reset(&scores);
    bal_text_reset(&summary);
    return rc;
}

static BalStatus estimate(BalCli *cli, const Estimate *self, const BalStore *store, BalError *err) {
    if (self->folds && self->mode != CROSSFIT)
        return BAL_FAIL(err, BAL_E_ARG, "--folds cuts the clips for --mode crossfit: give that too, or leave it out");
    BAL_TRY(check_folder(cli, self->common.out, err));
    BalEstimateSpec spec = bal_estimate_spec_default();
    BAL_TRY(bal_cli_check_set(&self->common, NULL, 0, err));
    BAL_TRY(bal_cli_recipe(cli, &self->common, store, &spec.recipe, err));
    spec.dir = self->common.out;
    spec.seeds = (int)self->seeds;
    if (self->mode == CROSSFIT) spec.folds = self->folds ? (int)self->folds : DEFAULT_FOLDS;
    spec.checkpoint_s = self->common.checkpoint_s;
    spec.force = cli->force;
    spec.progress = cli->progress;
    spec.init = self->common.init.v;
    spec.n_init = self->common.init.n;
    BAL_TRY(bal_estimate(store, &spec, bal_cli_run_done, cli, err));
    BalScores scores = {0};
    BalText path = {0};
    int64_t unscored = 0;
    BalStatus rc = bal_cli_scores(&spec, &scores, &unscored, &path, err);
    if (rc == BAL_OK) print(cli, self, &scores, unscored, path.data);
    bal_scores_reset(&scores);
    bal_text_reset(&path);
    return rc;
}

static BalStatus run(BalCli *cli, BalError *err) {
    BalStore *store = NULL;
    BAL_TRY(bal_store_open(&store, cli->args[0], err));
    BalStatus rc = estimate(cli, cli->self, store, err);
    bal_store_close(&store);
    return rc;
}

static const BalFlag flags[] = {
    BAL_TRAIN_FLAGS,
    {"mode", 0, BAL_FLAG_ENUM, NULL,
     "paper: as published, clips are scored by networks that trained on them; crossfit: by others",
     .offset = offsetof(Estimate, mode), .def = "paper", .choices = modes},
    {"seeds", 0, BAL_FLAG_INT, "N", "networks per modality; from 2 on every score has an interval",
     .offset = offsetof(Estimate, seeds), .def = "1", .min = 1, .max = 1000},
    {"folds", 0, BAL_FLAG_INT, "K",
     "crossfit: parts that the train clips are cut into, whole sources together (default 5)",
     .offset = offsetof(Estimate, folds), .min = 2, .max = 100},
    {0}};

const BalCommand bal_cmd_estimate = {
    .name = "estimate",
    .usage = "STORE -o DIR",
    .summary = "Score every clip: how well sound alone and picture alone predict its label",
    .details =
        "Trains an audio-only and a visual-only network per seed (and per fold), each in a run folder of its own, and\n"
        "writes DIR/scores.csv. Given again, the same command continues where it was stopped.",
    .min_args = 1,
    .max_args = 1,
    .flags = flags,
    .self_size = sizeof(Estimate),
    .run = run,
    .trains = true,
    .more_help = bal_unimodal_more_help,
};
