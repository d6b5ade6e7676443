/* avbalance demo: the whole way from media files to a heatmap on a dataset whose answer is known.
 *
 * Every step is what the command of the same name does, on the folder below; the commands that would do it are printed, so that the
 * demo is also the tutorial. Each step keeps what is complete, so a killed demo continues when it is started again.
 *
 *     DIR/clips/ manifest.csv planted.csv    made here (demo_clips.c)
 *     DIR/store/                             ingest
 *     DIR/estimate/                          estimate; scores.csv in it
 *     DIR/subsets/                           split
 *     DIR/heatmap.png discrepancy.png datamap.png */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <avbalance/analysis.h>
#include <avbalance/dataset.h>
#include <avbalance/report.h>
#include <avbalance/train.h>

#include "base/clock.h"
#include "base/csv.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "cli/command.h"
#include "cli/demo_clips.h"
#include "cli/summary.h"
#include "cli/train.h"

typedef struct Demo {
    const char *out;
    int64_t clips;
} Demo;

typedef struct Truth { /* how the estimate compares with what was planted, over one split or all clips */
    const char *split;
    int64_t n, n_clear, n_agree; /* clear: |planted| > 0.3 */
    double rho;
} Truth;

static const double thresholds[] = {0.2, 0.4};

static BalStatus place(const BalCli *cli, const char *name, BalText *out, BalError *err) {
    bal_text_clear(out);
    bal_path_join(out, ((const Demo *)cli->self)->out, name);
    return bal_text_ok(out, err);
}

/* ---- the steps ---- */

/* With -f an older demo makes room; the head of planted.csv, which goes last, tells that the folder is one. */
static BalStatus make_room(const BalCli *cli, BalError *err) {
    static const char *const made[] = {"clips", "store", "estimate", "subsets", "manifest.csv", "planted.csv"};
    BalText path = {0}, planted = {0};
    BalStatus rc = place(cli, "planted.csv", &path, err);
    const bool is_demo = rc == BAL_OK && bal_file_read(path.data, 0, &planted, NULL) == BAL_OK &&
                         bal_has_prefix(bal_text_str(&planted), BAL_DEMO_PLANTED_HEAD);
    bal_text_reset(&planted);
    for (int i = 0; rc == BAL_OK && is_demo && i < 6; i++) {
        rc = place(cli, made[i], &path, err);
        if (rc == BAL_OK && bal_file_exists(path.data)) rc = bal_remove_tree(path.data, err);
    }
    bal_text_reset(&path);
    return rc;
}

static BalStatus make(const BalCli *cli, BalError *err) {
    const Demo *self = cli->self;
    if (cli->force) BAL_TRY(make_room(cli, err));
    bal_cli_note(cli, "# %lld clips of six classes, a discrepancy planted in each, and six broken files",
                 (long long)self->clips);
    return bal_demo_make(self->out, self->clips, (uint64_t)cli->seed, cli->threads, cli->progress, err);
}

static BalStatus ingest(const BalCli *cli, const BalRecipe *recipe, const char *store, BalIngestResult *r,
                        BalError *err) {
    BalText path = {0};
    BalManifest m = {0};
    BalIngestSpec spec = bal_ingest_spec_default();
    spec.workers = cli->threads;
    BalStatus rc = place(cli, "manifest.csv", &path, err);
    if (rc == BAL_OK) {
        bal_cli_note(cli, "\n$ avbalance ingest %s --recipe demo -o %s", path.data, store);
        rc = bal_manifest_load(&m, path.data, &(BalManifestSpec){.split = BAL_SPLIT_NONE}, err);
    }
    if (rc == BAL_OK) rc = bal_ingest(&m, &recipe->feature, &spec, store, cli->progress, r, err);
    if (rc == BAL_OK)
        bal_cli_note(cli, "%lld of %lld clips stored, %lld rejected: %s/rejected.csv says why", (long long)r->stored,
                     (long long)r->n, (long long)r->rejected, store);
    bal_manifest_reset(&m);
    bal_text_reset(&path);
    return rc;
}

static BalStatus estimate(BalCli *cli, const BalRecipe *recipe, const char *store_dir, const char *dir,
                          BalScores *scores, BalText *path, BalError *err) {
    BalStore *store = NULL;
    int64_t unscored = 0;
    BalEstimateSpec spec = bal_estimate_spec_default();
    spec.recipe = *recipe;
    spec.dir = dir;
    spec.progress = cli->progress;
    char threads[32] = "", seed[32] = ""; /* what the run depends on, as it was given */
    if (cli->threads_given) snprintf(threads, sizeof threads, " --threads %d", cli->threads);
    if (cli->seed_given) snprintf(seed, sizeof seed, " --seed %lld", (long long)cli->seed);
    bal_cli_note(cli, "\n$ avbalance estimate %s --recipe demo -o %s%s%s", store_dir, dir, threads, seed);
    BAL_TRY(bal_store_open(&store, store_dir, err));
    BalStatus rc = bal_estimate(store, &spec, bal_cli_run_done, cli, err);
    if (rc == BAL_OK) rc = bal_cli_scores(&spec, scores, &unscored, path, err);
    bal_store_close(&store);
    return rc;
}

static BalStatus figures(const BalCli *cli, const BalScores *scores, const char *scores_path, BalError *err) {
    BalText path = {0};
    BalHeatmap *map = NULL;
    BalFigureSpec spec = bal_figure_spec_default();
    spec.threshold = thresholds;
    spec.n_thresholds = 2;
    BalStatus rc = bal_alloc(&map, 1, sizeof *map, err);
    if (rc == BAL_OK) rc = bal_heatmap_file(map, scores_path, &(BalScoresSpec){.threads = cli->threads}, err);
    if (rc == BAL_OK) rc = place(cli, "heatmap.png", &path, err);
    if (rc == BAL_OK) {
        bal_cli_note(cli, "\n$ avbalance heatmap %s -o %s", scores_path, path.data);
        rc = bal_figure_heatmap(map, &spec, path.data, err);
    }
    if (rc == BAL_OK) rc = place(cli, "discrepancy.png", &path, err);
    if (rc == BAL_OK) {
        bal_cli_note(cli, "$ avbalance datamap %s --figure discrepancy -o %s", scores_path, path.data);
        rc = bal_figure_discrepancy(scores, &spec, path.data, err);
    }
    if (rc == BAL_OK) rc = place(cli, "datamap.png", &path, err);
    if (rc == BAL_OK) {
        bal_cli_note(cli, "$ avbalance datamap %s -o %s", scores_path, path.data);
        rc = bal_figure_datamap(scores, &spec, path.data, err);
    }
    bal_text_reset(&path);
    bal_free(map);
    return rc;
}

static BalStatus subsets(const BalCli *cli, const char *scores_path, BalError *err) {
    BalText dir = {0};
    BalSplitResult *r = NULL;
    BalStatus rc = place(cli, "subsets", &dir, err);
    if (rc == BAL_OK) rc = bal_alloc(&r, 1, sizeof *r, err);
    if (rc == BAL_OK) {
        bal_cli_note(cli, "$ avbalance split %s --threshold 0.2 --threshold 0.4 -o %s", scores_path, dir.data);
        rc = bal_split_file(r, scores_path, &(BalScoresSpec){.threads = cli->threads}, thresholds, 2, dir.data, err);
    }
    bal_free(r);
    bal_text_reset(&dir);
    return rc;
}

/* ---- the estimate against the truth ---- */

/* Planted discrepancy of clip "clip-NNNN" into planted[NNNN]. */
static BalStatus read_planted(const BalCli *cli, double *planted, int64_t n, BalError *err) {
    BalText path = {0};
    BalMap map = {0};
    BalCsv csv = {0};
    BalStatus rc = place(cli, "planted.csv", &path, err);
    if (rc == BAL_OK) rc = bal_map_open(&map, path.data, err);
    if (rc < 0) goto done;
    bal_csv_init(&csv, map.data, map.size, ',', path.data);
    rc = bal_csv_next(&csv, err); /* the header */
    for (int64_t i = 0; i < n && rc == BAL_OK; i++) {
        rc = bal_csv_next(&csv, err);
        if (rc == BAL_OK && (csv.n_fields != 4 || !bal_parse_real_n(csv.field[3].s, csv.field[3].n, &planted[i])))
            rc = BAL_FAIL(err, BAL_E_FORMAT, "%s:%lld: not a row that the demo wrote", path.data, (long long)csv.line);
    }
    if (rc == BAL_END) rc = BAL_FAIL(err, BAL_E_FORMAT, "%s: fewer rows than clips", path.data);
done:
    bal_csv_reset(&csv);
    bal_map_close(&map);
    bal_text_reset(&path);
    return rc;
}

static BalStatus compare(const BalScores *s, const double *planted, Truth *t, BalError *err) {
    double *d = NULL, *p = NULL;
    BalStatus rc;
    BAL_TRY_OR(done, bal_alloc(&d, (size_t)s->n, sizeof *d, err));
    BAL_TRY_OR(done, bal_alloc(&p, (size_t)s->n, sizeof *p, err));
    for (int64_t i = 0; i < s->n; i++) {
        if (t->split && (s->split[i] < 0 || strcmp(s->splits[s->split[i]], t->split) != 0)) continue;
        if (!bal_has_prefix(s->id[i], "clip-")) continue;
        d[t->n] = s->value[BAL_SCORE_U_AUDIO][i] - s->value[BAL_SCORE_U_VISUAL][i];
        p[t->n] = planted[atoll(s->id[i] + 5)];
        t->n_clear += fabs(p[t->n]) > 0.3;
        t->n_agree += fabs(p[t->n]) > 0.3 && (d[t->n] > 0) == (p[t->n] > 0);
        t->n++;
    }
    rc = bal_spearman(d, p, t->n, &t->rho, err);
done:
    bal_free(d);
    bal_free(p);
    return rc;
}

static BalStatus against_truth(const BalCli *cli, const BalScores *scores, Truth truth[2], BalError *err) {
    const Demo *self = cli->self;
    double *planted = NULL;
    BAL_TRY(bal_alloc(&planted, (size_t)self->clips, sizeof *planted, err));
    BalStatus rc = read_planted(cli, planted, self->clips, err);
    for (int i = 0; i < 2 && rc == BAL_OK; i++) rc = compare(scores, planted, &truth[i], err);
    bal_free(planted);
    return rc;
}

/* ---- what is said at the end ---- */

static void put_truth(BalText *out, const Truth *t) {
    bal_text_f(out, "  %-10s %4lld clips   rank correlation %.3f   sides right where clear %.1f %%\n",
               t->split ? t->split : "all", (long long)t->n, t->rho,
               t->n_clear ? 100.0 * (double)t->n_agree / (double)t->n_clear : 0.0);
}

static void put_json(BalText *out, const Demo *self, const BalIngestResult *r, const Truth truth[2]) {
    BalJsonOut o = bal_json_document(out, true, "avbalance/demo/1");
    bal_json_add_text(&o, "dir", self->out);
    bal_json_add_int(&o, "stored", r->stored);
    bal_json_add_int(&o, "rejected", r->rejected);
    bal_json_open(&o, "planted", '[');
    for (int i = 0; i < 2; i++) {
        bal_json_open(&o, NULL, '{');
        bal_json_add_text(&o, "split", truth[i].split ? truth[i].split : "all");
        bal_json_add_int(&o, "n", truth[i].n);
        bal_json_add_real(&o, "spearman", truth[i].rho);
        bal_json_add_real(&o, "sign_agreement",
                          truth[i].n_clear ? (double)truth[i].n_agree / (double)truth[i].n_clear : NAN);
        bal_json_close(&o, '}');
    }
    bal_json_close(&o, ']');
    bal_json_close(&o, '}');
    bal_text_char(out, '\n');
}

static BalStatus report(BalCli *cli, const BalScores *scores, const char *scores_path, const BalIngestResult *ingested,
                        double seconds, BalError *err) {
    const Demo *self = cli->self;
    Truth truth[2] = {{.split = NULL}, {.split = "test"}};
    BalSummary summary = {0};
    BAL_TRY(against_truth(cli, scores, truth, err));
    if (cli->json) {
        put_json(&cli->out, self, ingested, truth);
        return BAL_OK;
    }
    BAL_TRY(bal_summary_make(&summary, scores, err));
    bal_cli_note(cli, "$ avbalance summary %s\n\nmade in %.0f s\n", scores_path, seconds);
    bal_cli_summary(&cli->out, &summary, 40);
    bal_summary_reset(&summary);
    bal_text_add(&cli->out, "\nPlanted against estimated discrepancy (clear: planted beyond 0.3)\n");
    for (int i = 0; i < 2; i++) put_truth(&cli->out, &truth[i]);
    bal_text_f(
        &cli->out,
        "\nScores: %s/estimate/scores.csv   subsets: %s/subsets\n"
        "Figures: %s/heatmap.png, discrepancy.png, datamap.png\n"
        "The same with your own videos: a manifest with the header id,media,label,split and the commands above.\n",
        self->out, self->out, self->out);
    return BAL_OK;
}

static BalStatus run(BalCli *cli, BalError *err) {
    double begin = bal_now_s();
    BalRecipe recipe = bal_recipe_default();
    BalIngestResult ingested = {0};
    BalScores scores = {0};
    BalText store = {0}, dir = {0}, path = {0};
    BalStatus rc;
    BAL_TRY_OR(done, bal_recipe_load(&recipe, "demo", NULL, 0, err));
    recipe.train.seed = cli->seed;
    recipe.train.threads = cli->threads;
    BAL_TRY_OR(done, place(cli, "store", &store, err));
    BAL_TRY_OR(done, place(cli, "estimate", &dir, err));
    BAL_TRY_OR(done, make(cli, err));
    BAL_TRY_OR(done, ingest(cli, &recipe, store.data, &ingested, err));
    BAL_TRY_OR(done, estimate(cli, &recipe, store.data, dir.data, &scores, &path, err));
    BAL_TRY_OR(done, figures(cli, &scores, path.data, err));
    BAL_TRY_OR(done, subsets(cli, path.data, err));
    BAL_TRY_OR(done, report(cli, &scores, path.data, &ingested, bal_now_s() - begin, err));
done:
    bal_scores_reset(&scores);
    bal_text_reset(&store);
    bal_text_reset(&dir);
    bal_text_reset(&path);
    return rc;
}

static const BalFlag flags[] = {{"out", 'o', BAL_FLAG_STRING, "DIR", "folder for everything that is made (required)",
                                 .offset = offsetof(Demo, out), .required = true},
                                {"clips", 0, BAL_FLAG_INT, "N", "videos to make", .offset = offsetof(Demo, clips),
                                 .def = "480", .min = 60, .max = 1e6},
                                {0}};

const BalCommand bal_cmd_demo = {
    .name = "demo",
    .usage = "-o DIR",
    .summary = "Make a small dataset with a known answer and run everything on it",
    .details = "Some hundreds of MP4 files in which a vowel is sung while a shape moves; noise makes one of the two "
               "useless to a\n"
               "known degree. They are ingested, scored, drawn and split, and the estimate is compared with the truth. "
               "Given again,\n"
               "the same command continues; with -f it begins anew.",
    .flags = flags,
    .self_size = sizeof(Demo),
    .run = run,
    .trains = true,
};
