/* avbalance train: one model, one run folder. */
#include "cli/train.h"
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <avbalance/method.h>
#include "base/json.h"

BalStatus bal_cli_recipe(const BalCli *cli, const BalTrainFlags *flags, const BalStore *store, BalRecipe *out,
                         BalError *err) {
    const struct {
        const char *key, *value;
    } shorts[] = {{"epochs", flags->epochs}, {"backend", flags->backend}, {"dtype", flags->dtype}};
    const char *set[68];
    char text[3][80];
    int n = 0;
    for (int i = 0; i < flags->set.n; i++) set[n++] = flags->set.v[i];
    for (int i = 0; i < 3; i++) {
        if (!shorts[i].value) continue;
        snprintf(text[i], sizeof text[i], "train.%s=%s", shorts[i].key, shorts[i].value);
        set[n++] = text[i];
    }
    BalRecipe r = bal_recipe_default();
    r.feature = *bal_store_recipe(store);
    BAL_TRY(bal_recipe_load(&r, flags->recipe, set, n, err));
    if (cli->seed_given) r.train.seed = cli->seed;
    if (!r.train.threads || cli->threads_given) r.train.threads = cli->threads;
    *out = r;
    return BAL_OK;
}

static bool is_among(const char *name, const char *const *names, int n) {
    for (int i = 0; i < n; i++)
        if (!strcmp(names[i], name)) return true;
    return false;
}

BalStatus bal_cli_check_set(const BalTrainFlags *flags, const char *const *methods, int n_methods, BalError *err) {
    for (int i = 0; i < flags->set.n; i++) {
        const size_t n = strcspn(flags->set.v[i], ".=");
        for (int k = 0; k < bal_method_count(); k++) {
            const BalMethodOps *m = bal_method_at(k);
            if (!m->options || strlen(m->name) != n || strncmp(m->name, flags->set.v[i], n)) continue;
            if (!is_among(m->name, methods, n_methods))
                return BAL_FAIL(err, BAL_E_ARG, "--set %s is an option of the method %s, which does not run here",
                                flags->set.v[i], m->name);
        }
    }
    return BAL_OK;
}

void bal_unimodal_more_help(BalText *out) {
    bal_text_add(out, "Keys of a recipe (--set KEY=VALUE), beside the audio.* and visual.* of the store:\n");
    bal_options_help(bal_input_options(), out);
    bal_options_help(bal_train_options(), out);
}

void bal_train_more_help(BalText *out) {
    bal_unimodal_more_help(out);
    bal_text_add(out, "Options of the methods, as --set KEY=VALUE or in a recipe as a section of the method's name:\n");
    for (int i = 0; i < bal_method_count(); i++)
        if (bal_method_at(i)->options) bal_options_help(bal_method_at(i)->options, out);
}

void bal_cli_accuracies(const BalFitResult *r, BalText *out) {
    for (int k = 0; k < BAL_SPLIT_COUNT; k++)
        if (isfinite(r->accuracy[k])) bal_text_f(out, "  %s %.3f", bal_split_name((BalSplit)k), r->accuracy[k]);
}

typedef struct Train {
    BalTrainFlags common;
    const char *method;
    bool best_test;
} Train;

#define BEST_TEST_NOTE "selected on test data, as many repositories report; not used"

static void print_json(BalText *out, const Train *self, const BalFitResult *r) {
    BalJsonOut o = bal_json_document(out, true, "avbalance/train/1");
    bal_json_add_text(&o, "run", self->common.out);
    bal_json_add_text(&o, "method", self->method);
    bal_json_add_int(&o, "n", r->n);
    bal_json_add_int(&o, "n_train", r->n_train);
    bal_json_add_int(&o, "epochs", r->epochs);
    bal_json_add_int(&o, "epochs_used", r->epochs_used);
    bal_json_open(&o, "accuracy", '{');
    for (int k = 0; k < BAL_SPLIT_COUNT; k++) bal_json_add_real(&o, bal_split_name((BalSplit)k), r->accuracy[k]);
    bal_json_close(&o, '}');
    if (self->best_test) {
        bal_json_open(&o, "best_test", '{');
        bal_json_add_int(&o, "epoch", r->best_test_epoch);
        bal_json_add_real(&o, "accuracy", r->best_test_accuracy);
        bal_json_add_text(&o, "note", BEST_TEST_NOTE);
        bal_json_close(&o, '}');
    }
    bal_json_add_bool(&o, "already_done", r->already_done);
    bal_json_close(&o, '}');
    bal_text_char(out, '\n');
}

static BalStatus train(BalCli *cli, const Train *self, const BalStore *store, BalFitResult *r, BalError *err) {
    BalFitSpec spec = bal_fit_spec_default();
    BAL_TRY(bal_cli_check_set(&self->common, &self->method, 1, err));
    BAL_TRY(bal_cli_recipe(cli, &self->common, store, &spec.recipe, err));
    spec.method = self->method;
    spec.dir = self->common.out;
    spec.checkpoint_s = self->common.checkpoint_s;
    spec.force = cli->force;
    spec.progress = cli->progress;
    spec.init = self->common.init.v;
    spec.n_init = self->common.init.n;
    return bal_fit(store, &spec, r, err);
}

static BalStatus run(BalCli *cli, BalError *err) {
    const Train *self = cli->self;
    BalStore *store = NULL;
    BalFitResult r;
    BAL_TRY(bal_store_open(&store, cli->args[0], err));
    BalStatus rc = train(cli, self, store, &r, err);
    bal_store_close(&store);
    if (rc < 0) return rc;
    if (cli->json) {
        print_json(&cli->out, self, &r);
        return BAL_OK;
    }
    bal_text_f(&cli->out, "%s  %s%d epochs, weights of epoch %d, accuracy", self->common.out,
               r.already_done ? "already done: " : "", r.epochs, r.best_epoch);
    bal_cli_accuracies(&r, &cli->out);
    bal_text_char(&cli->out, '\n');
    if (self->best_test && r.best_test_epoch)
        bal_text_f(&cli->out, "%s  best test accuracy of any epoch: %.3f, epoch %d (%s)\n", self->common.out,
                   r.best_test_accuracy, r.best_test_epoch, BEST_TEST_NOTE);
    return BAL_OK;
}

static const BalFlag flags[] = {
    BAL_TRAIN_FLAGS,
    {"method", 'm', BAL_FLAG_STRING, "NAME", "what to train: `methods` lists them (required)",
     .offset = offsetof(Train, method), .required = true},
    {"report-best-test", 0, BAL_FLAG_SWITCH, NULL,
     "also print the best test accuracy of any epoch; nothing is chosen by it", .offset = offsetof(Train, best_test)},
    {0}};

const BalCommand bal_cmd_train = {
    .name = "train",
    .usage = "STORE --method NAME -o RUN",
    .summary = "Train one model and record every clip's confidence after every epoch",
    .details = "Given again, the same command continues where it was stopped, and says so where nothing is left to do.",
    .min_args = 1,
    .max_args = 1,
    .flags = flags,
    .self_size = sizeof(Train),
    .run = run,
    .trains = true,
    .more_help = bal_train_more_help,
};
