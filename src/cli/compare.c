/* avbalance compare: every method on one store under one recipe, and what evaluate says of them.
 *
 *     DIR/<name>-seed<S>/        a run folder per method and seed, as train makes it; names "audio" and "visual" are always among them
 *     DIR/scores.csv             from the runs of those two, as estimate makes it; not made where --scores was given
 *     DIR/evaluate.*, curves.*, classes.csv      as evaluate makes them
 *
 * What can be known to be wrong is found before the first run. After that the command needs no memory of its own: runs that are complete
 * are recognised, others continued, and the rest is made anew from them. Hence methods and seeds may be added later. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <avbalance/method.h>
#include "base/file.h"
#include "base/mem.h"
#include "cli/compare.h"
#include "cli/evaluate.h"
#include "cli/train.h"
#include "report/tables.h"

enum { MOST_ROWS = 64, MOST_OPTIONS = 16 };

typedef struct CompareArgs {
    BalTrainFlags common;
    BalEvaluateArgs evaluate;
    const char *methods;
    int64_t seeds, jobs, run_threads;
} CompareArgs;

typedef struct Row { /* of the tables: a method with its options */
    char name[41];
    BalRecipe recipe; /* with those options */
    const BalMethodOps *ops;
} Row;

typedef struct Compare {
    BalCli *cli;
    const CompareArgs *args;
    const BalStore *store;
    BalRecipe recipe;
    Row *row; /* [n_rows] */
    BalCompareRun *run;
    char **dir;             /* [n_runs] */
    char *(*teacher)[2];    /* [n_runs] "teacher_audio=DIR/audio-seed0/weights.safetensors", or NULL */
    const char *(*init)[4]; /* [n_runs] of --init, then teachers */
    int n_rows, n_runs;
} Compare;

/* ---- methods ---- */

static BalStatus bad_row(const char *entry, const char *why, BalError *err) {
    return BAL_FAIL(err, BAL_E_ARG, "--methods: \"%s\" %s; an entry is METHOD or NAME=METHOD:KEY=VALUE:...", entry,
                    why);
}

static BalStatus add_row(Compare *c, const char *name, const char *method, const char *const *set, int n,
                         BalError *err) {
    const BalMethodOps *ops;
    for (const char *s = name; *s; s++)
        if (!isalnum((unsigned char)*s) && !strchr("._+-", *s))
            return bad_row(name, "cannot be the name of a folder and a row: letters, digits and . _ + - can", err);
    if (!*name || *name == '.' || strlen(name) >= sizeof c->row->name)
        return bad_row(name, "is no name: 1 to 40 characters, the first of which is not a dot", err);
    for (int i = 0; i < c->n_rows; i++)
        if (!strcmp(c->row[i].name, name))
            return bad_row(name, "stands for two rows: give one of them another name", err);
    if (c->n_rows == MOST_ROWS) return BAL_FAIL(err, BAL_E_ARG, "more than %d methods", MOST_ROWS);
    Row *row = &c->row[c->n_rows];
    snprintf(row->name, sizeof row->name, "%s", name);
    row->recipe = c->recipe;
    BAL_TRY(bal_method_find(&ops, method, err));
    BAL_TRY(bal_recipe_load(&row->recipe, NULL, set, n, err));
    row->ops = ops;
    c->n_rows++;
    return BAL_OK;
}

/* "ogm-ge", "weak=ogm-ge:alpha=0.1:variant=paper"; entry is cut up. */
static BalStatus parse_row(Compare *c, char *entry, BalError *err) {
    const char *set[MOST_OPTIONS];
    char whole[256], text[MOST_OPTIONS][128], *option = strchr(entry, ':'), *sign;
    int n = 0;
    snprintf(whole, sizeof whole, "%s", entry);
    if (option) *option++ = '\0';
    sign = strchr(entry, '=');
    const char *method = sign ? sign + 1 : entry;
    if (sign) *sign = '\0';
    for (char *next; option; option = next) {
        if (n == MOST_OPTIONS) return bad_row(whole, "has too many options", err);
        next = strchr(option, ':');
        if (next) *next++ = '\0';
        if (!strchr(option, '=')) return bad_row(whole, "has an option without a value", err);
        if (snprintf(text[n], sizeof *text, "%s.%s", method, option) >= (int)sizeof *text)
            return bad_row(whole, "has an option that is too long", err);
        set[n] = text[n];
        n++;
    }
    if (!n && !sign && (!strcmp(method, "audio") || !strcmp(method, "visual"))) return BAL_OK; /* always there */
    BalStatus rc = add_row(c, entry, method, set, n, err);
    return rc < 0 && n ? bal_error_add(err, rc, "in \"%s\" of --methods", whole) : rc;
}

static BalStatus parse_rows(Compare *c, BalError *err) {
    char entry[256];
    BAL_TRY(bal_alloc(&c->row, MOST_ROWS, sizeof *c->row, err));
    BAL_TRY(add_row(c, "audio", "audio", NULL, 0, err));
    BAL_TRY(add_row(c, "visual", "visual", NULL, 0, err));
    for (const char *at = c->args->methods;; at++) {
        at += strspn(at, " ");
        size_t n = strcspn(at, ","), used = n;
        while (used && at[used - 1] == ' ') used--;
        if (!used || used >= sizeof entry)
            return BAL_FAIL(err, BAL_E_ARG, "--methods %s: an entry is %s", c->args->methods,
                            used ? "too long" : "empty");
        snprintf(entry, sizeof entry, "%.*s", (int)used, at);
        BAL_TRY(parse_row(c, entry, err));
        at += n;
        if (!*at) return BAL_OK;
    }
}

/* ---- runs ---- */

/* The first weights that the method wants from the unimodal runs of its seed, which come first. */
static BalStatus give_teachers(Compare *c, int i, BalText *text, BalError *err) {
    const int seeds = (int)c->args->seeds;
    const char *const *teacher = c->row[i / seeds].ops->teacher;
    if (!teacher[0]) return BAL_OK;
    for (int m = 0; m < 2; m++) {
        bal_text_clear(text);
        bal_text_f(text, "%s=%s/weights.safetensors", teacher[m], c->dir[m * seeds + i % seeds]);
        BAL_TRY(bal_text_ok(text, err));
        BAL_TRY(bal_strdup(&c->teacher[i][m], text->data, err));
        c->init[i][c->run[i].fit.n_init++] = c->teacher[i][m];
    }
    c->run[i].after = 2 * seeds;
    return BAL_OK;
}

static BalStatus plan_run(Compare *c, int i, BalText *text, BalError *err) {
    const CompareArgs *a = c->args;
    const Row *row = &c->row[i / (int)a->seeds];
    BalCompareRun *run = &c->run[i];
    run->fit = bal_fit_spec_default();
    run->fit.method = row->ops->name;
    run->fit.recipe = row->recipe;
    run->fit.recipe.train.seed += i % (int)a->seeds;
    run->fit.checkpoint_s = a->common.checkpoint_s;
    run->fit.force = c->cli->force;
    run->fit.init = c->init[i];
    BAL_TRY(bal_init_for(row->ops->inputs, a->common.init.v, a->common.init.n, c->init[i], &run->fit.n_init, err));
    bal_run_name(run->name, sizeof run->name, row->name, run->fit.recipe.train.seed, -1);
    bal_text_clear(text);
    bal_path_join(text, a->common.out, run->name);
    BAL_TRY(bal_text_ok(text, err));
    BAL_TRY(bal_strdup(&c->dir[i], text->data, err));
    run->fit.dir = c->dir[i];
    return give_teachers(c, i, text, err);
}

static BalStatus plan(Compare *c, BalError *err) {
    BalText text = {0};
    const size_t n = (size_t)c->n_rows * (size_t)c->args->seeds;
    BAL_TRY(bal_alloc(&c->run, n, sizeof *c->run, err));
    BAL_TRY(bal_alloc(&c->dir, n, sizeof *c->dir, err));
    BAL_TRY(bal_alloc(&c->teacher, n, sizeof *c->teacher, err));
    BAL_TRY(bal_alloc(&c->init, n, sizeof *c->init, err));
    c->n_runs = (int)n;
    BalStatus rc = BAL_OK;
    for (int i = 0; i < c->n_runs && rc == BAL_OK; i++) rc = plan_run(c, i, &text, err);
    bal_text_reset(&text);
    return rc;
}

/* ---- what can be known before the first run ---- */

/* A folder of runs, perhaps of an estimate; anything else would be lost among them. The scores of an estimate that is cross-fitted are others
 * than those that would be written over them. */
static BalStatus check_folder(const Compare *c, BalError *err) {
    const char *dir = c->args->common.out;
    char **names = NULL;
    int n = 0;
    bool ours = false, cross = false;
    if (!bal_is_dir(dir)) return BAL_OK;
    BAL_TRY(bal_list_dir(dir, &names, &n, err));
    for (int i = 0; i < n; i++) {
        ours |= bal_has_prefix(names[i], "audio-seed") || bal_has_prefix(names[i], "visual-seed");
        cross |= !strcmp(names[i], "folds.csv");
    }
    BalStatus rc = BAL_OK;
    if (n && !ours)
        rc = BAL_FAIL(err, BAL_E_EXISTS, "%s exists and holds no comparison (found %s): choose another folder", dir,
                      names[0]);
    else if (cross && !c->args->evaluate.table_of_scores)
        rc =
            BAL_FAIL(err, BAL_E_EXISTS,
                     "%s holds a cross-fitted estimate, whose scores.csv would be written over: choose another folder, "
                     "and give --scores %s/scores.csv to compare by it",
                     dir, dir);
    bal_names_free(names, n);
    return rc;
}

/* Which clips are compared on: --split, else the test clips. */
static BalStatus check_split(const Compare *c, BalError *err) {
    const char *wanted = c->args->evaluate.scores.only ? c->args->evaluate.scores.only : "test";
    if (!strcmp(wanted, "all")) return BAL_OK;
    for (int64_t i = 0; i < bal_store_count(c->store); i++)
        if (!strcmp(bal_split_name(bal_store_split(c->store, i)), wanted)) return BAL_OK;
    return BAL_FAIL(
        err, BAL_E_ARG,
        "no clip of the store is of the split \"%s\", on which methods are to be compared: name one with --split "
        "(train, val, test, all)",
        wanted);
}

typedef struct Known { /* a clip of the store */
    const char *id, *label;
} Known;

static int by_id(const void *a, const void *b) {
    return strcmp(((const Known *)a)->id, ((const Known *)b)->id);
}

/* Clips of foreign scores that no run will have an answer for, or another label. */
static BalStatus check_clips(const Compare *c, const BalScores *s, const Known *known, BalError *err) {
    const char *path = c->args->evaluate.table_of_scores, *only = c->args->evaluate.scores.only;
    int64_t shared = 0;
    if (!only && s->n_splits) only = "test";
    if (only && !strcmp(only, "all")) only = NULL;
    for (int64_t i = 0; i < s->n; i++) {
        if (only && (s->split[i] < 0 || strcmp(s->splits[s->split[i]], only))) continue;
        const Known wanted = {.id = s->id[i]},
                    *clip = bsearch(&wanted, known, (size_t)bal_store_count(c->store), sizeof *known, by_id);
        const char *label = s->label[i] < 0 ? "" : s->labels[s->label[i]];
        if (!clip)
            return BAL_FAIL(err, BAL_E_FORMAT, "%s: the store has no clip \"%s\": leave it out or choose with --split",
                            path, s->id[i]);
        if (strcmp(label, clip->label))
            return BAL_FAIL(err, BAL_E_FORMAT, "%s: clip \"%s\" has the label \"%s\", in the store \"%s\"", path,
                            s->id[i], label, clip->label);
        shared++;
    }
    if (!shared) return BAL_FAIL(err, BAL_E_ARG, "%s has no clip of the split \"%s\": see --split", path, only);
    return BAL_OK;
}

static BalStatus check_scores(const Compare *c, BalError *err) {
    const BalEvaluateArgs *e = &c->args->evaluate;
    const int64_t n = bal_store_count(c->store);
    BalScoresSpec spec = bal_scores_flags_spec(&e->scores, c->cli);
    BalScores s = {0};
    Known *known = NULL;
    spec.only_split = NULL;
    if (!e->table_of_scores) return BAL_OK;
    BAL_TRY(bal_scores_load(&s, e->table_of_scores, &spec, err));
    BalStatus rc = bal_alloc(&known, (size_t)n, sizeof *known, err);
    for (int64_t i = 0; i < n && rc == BAL_OK; i++) {
        const int label = bal_store_label(c->store, i);
        known[i] = (Known){bal_store_id(c->store, i), label < 0 ? "" : bal_store_class(c->store, label)};
    }
    if (rc == BAL_OK) {
        qsort(known, (size_t)n, sizeof *known, by_id);
        rc = check_clips(c, &s, known, err);
    }
    bal_free(known);
    bal_scores_reset(&s);
    return rc;
}

/* Whether its teachers' weights are there to be looked at: with -f those of an older comparison go before the first run. */
static bool is_taught(const Compare *c, int i) {
    for (int m = 0; c->teacher[i][0] && m < 2; m++)
        if (c->run[i].fit.force || !bal_file_exists(strchr(c->teacher[i][m], '=') + 1)) return false;
    return true;
}

static BalStatus check(const Compare *c, BalError *err) {
    const char *method[MOST_ROWS];
    double threshold[BAL_CLI_THRESHOLDS];
    BalEvaluateSpec unused = bal_evaluate_spec_default();
    BAL_TRY(bal_cli_thresholds(&c->args->evaluate, threshold, &unused, err));
    for (int i = 0; i < c->n_rows; i++) method[i] = c->row[i].ops->name;
    BAL_TRY(bal_cli_check_set(&c->args->common, method, c->n_rows, err));
    BAL_TRY(check_folder(c, err));
    BAL_TRY(check_split(c, err));
    BAL_TRY(check_scores(c, err));
    for (int i = 0; i < c->n_runs; i++) {
        BalFitSpec fit = c->run[i].fit;
        if (!is_taught(c, i)) fit.n_init -= 2;
        BAL_TRY(bal_fit_check(c->store, &fit, err));
    }
    return BAL_OK;
}

/* ---- the whole ---- */

/* Runs of a command that was killed a moment ago keep its lock until they have died with it. */
static BalStatus lock(const char *dir, int *fd, BalError *err) {
    for (int tries = 0;; tries++) {
        BalStatus rc = bal_lock_dir(dir, fd, err);
        if (rc != BAL_E_EXISTS || tries == 40) return rc;
        nanosleep(&(struct timespec){0, 50 * 1000 * 1000}, NULL);
    }
}

static int jobs(const Compare *c) {
    const int64_t threads = c->recipe.train.threads;
    int64_t n = c->args->jobs ? c->args->jobs : c->cli->threads / threads;
    if (n > c->n_runs) n = c->n_runs;
    if (n > BAL_PROGRESS_LANES) n = BAL_PROGRESS_LANES;
    return n > 1 ? (int)n : 1;
}

/* DIR/scores.csv, whose path is set. */
static BalStatus make_scores(const Compare *c, BalText *path, BalError *err) {
    BalEstimateSpec spec = bal_estimate_spec_default();
    BalScores scores = {0};
    int64_t unscored = 0;
    spec.recipe = c->recipe;
    spec.dir = c->args->common.out;
    spec.seeds = (int)c->args->seeds;
    BalStatus rc = bal_cli_scores(&spec, &scores, &unscored, path, err);
    bal_scores_reset(&scores);
    return rc;
}

/* What `evaluate --scores SCORES -o DIR NAME=DIR/NAME-seed0 ...` does. */
static BalStatus evaluate(const Compare *c, const char *scores, BalError *err) {
    BalEvaluateArgs e = c->args->evaluate;
    BalCli cli = *c->cli;
    BalText arg = {0};
    char **args = NULL;
    BalStatus rc = bal_alloc(&args, (size_t)c->n_runs, sizeof *args, err);
    for (int i = 0; i < c->n_runs && rc == BAL_OK; i++) {
        bal_text_clear(&arg);
        bal_text_f(&arg, "%s=%s", c->row[i / (int)c->args->seeds].name, c->dir[i]);
        rc = bal_text_ok(&arg, err);
        if (rc == BAL_OK) rc = bal_strdup(&args[i], arg.data, err);
    }
    e.ignore_unknown = e.table_of_scores != NULL; /* which may be of the test clips alone */
    e.table_of_scores = scores;
    e.out = c->args->common.out;
    cli.command = &bal_cmd_evaluate;
    cli.self = &e;
    cli.args = (const char *const *)args;
    cli.n_args = c->n_runs;
    cli.force = true; /* its files are ours */
    if (rc == BAL_OK) rc = bal_cmd_evaluate.run(&cli, err);
    c->cli->out = cli.out;
    for (int i = 0; args && i < c->n_runs; i++) bal_free(args[i]);
    bal_free(args);
    bal_text_reset(&arg);
    return rc;
}

/* With -f all runs start anew, and a later call without it continues them: the older ones go before the first begins. */
static BalStatus clear(Compare *c, BalError *err) {
    for (int i = 0; i < c->n_runs; i++) {
        if (c->run[i].fit.force) BAL_TRY(bal_fit_clear(c->dir[i], err));
        c->run[i].fit.force = false;
    }
    return BAL_OK;
}

static BalStatus train_and_evaluate(Compare *c, BalText *scores, BalError *err) {
    const CompareArgs *a = c->args;
    const int n_jobs = jobs(c);
    bal_cli_note(c->cli, "%d runs, %d at once, %lld thread%s each", c->n_runs, n_jobs,
                 (long long)c->recipe.train.threads, c->recipe.train.threads == 1 ? "" : "s");
    BAL_TRY(bal_cli_train_all(c->cli, c->store, c->run, c->n_runs, n_jobs, err));
    if (a->evaluate.table_of_scores)
        bal_text_add(scores, a->evaluate.table_of_scores);
    else
        BAL_TRY(make_scores(c, scores, err));
    BAL_TRY(bal_text_ok(scores, err));
    return evaluate(c, scores->data, err);
}

static BalStatus compare(Compare *c, BalError *err) {
    const CompareArgs *a = c->args;
    BalCli cli = *c->cli;
    BalText scores = {0};
    int fd = -1;
    cli.threads_given = a->run_threads > 0; /* all processors would make the numbers depend on the machine */
    cli.threads = cli.threads_given ? (int)a->run_threads : 1;
    BAL_TRY(bal_cli_recipe(&cli, &a->common, c->store, &c->recipe, err));
    BAL_TRY(parse_rows(c, err));
    BAL_TRY(plan(c, err));
    BAL_TRY(check(c, err));
    BAL_TRY(bal_make_dirs(a->common.out, err));
    BAL_TRY(lock(a->common.out, &fd, err));
    BalStatus rc = bal_sweep_tmp(a->common.out, err);
    if (rc == BAL_OK) rc = clear(c, err);
    if (rc == BAL_OK) rc = train_and_evaluate(c, &scores, err);
    bal_unlock_dir(&fd);
    bal_text_reset(&scores);
    return rc;
}

static BalStatus run(BalCli *cli, BalError *err) {
    BalStore *store = NULL;
    BAL_TRY(bal_store_open(&store, cli->args[0], err));
    Compare c = {.cli = cli, .args = cli->self, .store = store};
    BalStatus rc = compare(&c, err);
    for (int i = 0; i < c.n_runs; i++) {
        bal_free(c.dir[i]);
        for (int m = 0; m < 2; m++) bal_free(c.teacher[i][m]);
    }
    bal_free(c.dir);
    bal_free(c.teacher);
    bal_free(c.init);
    bal_free(c.run);
    bal_free(c.row);
    bal_store_close(&store);
    return rc;
}

#define AT(member) .offset = offsetof(CompareArgs, member)
static const BalFlag flags[] = {
    BAL_TRAIN_FLAGS,
    {"methods", 'm', BAL_FLAG_STRING, "M,...", "METHOD or NAME=METHOD:KEY=VALUE:... (required); `methods` lists them",
     AT(methods), .required = true},
    {"seeds", 0, BAL_FLAG_INT, "N", "runs per method, of seed, seed + 1, ...", AT(seeds), .def = "3", .min = 1,
     .max = 1000},
    {"jobs", 'j', BAL_FLAG_INT, "N", "runs at once; 0: processors / run-threads. Changes no number", AT(jobs),
     .def = "0", .min = 0, .max = BAL_PROGRESS_LANES},
    {"run-threads", 0, BAL_FLAG_INT, "N",
     "threads of each run, which its rounding depends on; 0: train.threads of the recipe, where that is 0 too: 1",
     AT(run_threads), .def = "0", .min = 0, .max = 1024},
    {"scores", 0, BAL_FLAG_STRING, "SCORES", "scores from elsewhere in place of those of the audio and visual runs",
     AT(evaluate.table_of_scores)},
    {"threshold", 't', BAL_FLAG_LIST, "T", "dominated means |d| > T; 0.2 and 0.4 where none is given",
     AT(evaluate.threshold)},
    {"format", 0, BAL_FLAG_ENUM, NULL, "what is printed; DIR gets all", AT(evaluate.format), .def = "text",
     .choices = bal_table_names},
    {"title", 0, BAL_FLAG_STRING, "TEXT", "title of the figure", AT(evaluate.title), .may_be_empty = true},
    {"replicates", 0, BAL_FLAG_INT, "N", "bootstrap resamples behind each interval", AT(evaluate.replicates),
     .def = "2000", .min = 100, .max = 1e6},
    BAL_SCORES_FLAG(CompareArgs, evaluate.scores.only, "split", "clips that are compared on, or \"all\" (test)"),
    {0}};

const BalCommand bal_cmd_compare = {
    .name = "compare",
    .usage = "STORE --methods M,... -o DIR",
    .summary = "Train methods and compare them on every subset, in one resumable command",
    .details = "Trains the unimodal models (always) and each method with every seed, a run folder each; makes "
               "DIR/scores.csv of\n"
               "the unimodal runs, in paper mode (for another one give the --scores of an `estimate`); writes what "
               "`evaluate -o DIR`\n"
               "writes. Given again, the same command continues where it was stopped; with more methods or seeds it "
               "adds them.\n\n"
               "A method may stand several times with different options: --methods "
               "ogm-ge,weak=ogm-ge:alpha=0.1:variant=paper\n"
               "Other options of methods stand in the recipe or in --set ogm-ge.alpha=0.3.\n\n"
               "--threads is what --jobs shares out; it changes no number.",
    .min_args = 1,
    .max_args = 1,
    .flags = flags,
    .self_size = sizeof(CompareArgs),
    .run = run,
    .trains = true,
    .more_help = bal_train_more_help,
};
