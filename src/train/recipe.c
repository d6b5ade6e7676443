/* The training recipe: one option table, the YAML files of this build, overrides, canonical text and hash.
 *
 * A recipe file has up to four sections, audio, visual, input and train, each described by the option table of the room that uses
 * it. The files in recipes/ are compiled in, so that an installed program has them at hand and `--recipe av-digits` means the
 * same bytes everywhere. The hash leaves out what does not define an experiment but only its execution: seed, threads, backend;
 * a run states those beside it. */
#include <stddef.h>
#include <string.h>
#include <avbalance/session.h>
#include <avbalance/train.h>
#include "base/file.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/option.h"
#include "base/text.h"

static const char *const OPTIMISERS[] = {"sgd", "adam", "adamw", NULL};
static const char *const SCHEDULES[] = {"constant", "step", "cosine", NULL};
static const char *const SELECTIONS[] = {"accuracy", "loss", "last", NULL};
static const char *const DTYPES[] = {"f32", "bf16", NULL};

#define AT(field) offsetof(BalTrainRecipe, field)
static const BalOption OPTIONS[] = {
    {"train.model", "resnet18", "encoder of each modality", BAL_OPT_TEXT, AT(model), 0, 32, NULL},
    {"train.optimiser", "sgd", "update rule", BAL_OPT_ENUM, AT(optimiser), 0, 0, OPTIMISERS},
    {"train.lr", "0.001", "learning rate", BAL_OPT_REAL, AT(lr), 0, 100, NULL},
    {"train.momentum", "0.9", "momentum of sgd", BAL_OPT_REAL, AT(momentum), 0, 0.9999, NULL},
    {"train.weight_decay", "0.0001", "on all parameters; adamw: decoupled", BAL_OPT_REAL, AT(weight_decay), 0, 10,
     NULL},
    {"train.schedule", "step", "how the learning rate falls", BAL_OPT_ENUM, AT(schedule), 0, 0, SCHEDULES},
    {"train.step", "70", "step: epochs between two drops", BAL_OPT_INT, AT(step), 1, 100000, NULL},
    {"train.gamma", "0.1", "step: factor of a drop", BAL_OPT_REAL, AT(gamma), 0, 1, NULL},
    {"train.lr_min", "0", "cosine: learning rate at the end", BAL_OPT_REAL, AT(lr_min), 0, 100, NULL},
    {"train.warmup", "0", "epochs over which the learning rate rises to its value", BAL_OPT_INT, AT(warmup), 0, 1000,
     NULL},
    {"train.epochs", "100", "most epochs", BAL_OPT_INT, AT(epochs), 1, 100000, NULL},
    {"train.patience", "10", "stop after so many epochs without a better validation value; 0: never", BAL_OPT_INT,
     AT(patience), 0, 100000, NULL},
    {"train.selection", "accuracy", "what on the validation split chooses the epoch that counts", BAL_OPT_ENUM,
     AT(selection), 0, 0, SELECTIONS},
    {"train.batch", "64", "clips per step", BAL_OPT_INT, AT(batch), 2, 65536, NULL},
    {"train.eval_batch", "128", "clips per pass of an evaluation", BAL_OPT_INT, AT(eval_batch), 1, 65536, NULL},
    {"train.dtype", "f32", "type of activations and convolutions; weights are always f32", BAL_OPT_ENUM, AT(dtype), 0,
     0, DTYPES},
    {"train.backend", "", "who computes; empty: the best of this build", BAL_OPT_TEXT, AT(backend), 0, 16, NULL},
    {"train.threads", "0", "0: all processors", BAL_OPT_INT, AT(threads), 0, 1024, NULL},
    {"train.seed", "0", "of weights, order and augmentation", BAL_OPT_INT, AT(seed), 0, 1e15, NULL},
    {0}};

const BalOption *bal_train_options(void) {
    return OPTIONS;
}

enum { N_SETS = 3 };
static void sets_of(BalRecipe *r, BalOptionSet sets[N_SETS]) {
    sets[0] = (BalOptionSet){bal_feature_options(), &r->feature};
    sets[1] = (BalOptionSet){bal_input_options(), &r->input};
    sets[2] = (BalOptionSet){OPTIONS, &r->train};
}

BalRecipe bal_recipe_default(void) {
    BalRecipe r = {.feature = bal_feature_recipe_default(), .input = bal_input_recipe_default()};
    bal_options_default(OPTIONS, &r.train);
    return r;
}

/* ---- the recipes of this build ---- */

static const struct Embedded {
    const char *name, *yaml;
} EMBEDDED[] = {
#include "train/recipes.inc"
};
enum { N_EMBEDDED = sizeof EMBEDDED / sizeof *EMBEDDED };

int bal_recipe_count(void) {
    return N_EMBEDDED;
}

/* The first line of every file is a comment that says what it is for; it ends where the text says so. */
const char *bal_recipe_at(int i, const char **summary, const char **yaml) {
    if (summary) *summary = EMBEDDED[i].yaml + strspn(EMBEDDED[i].yaml, "# ");
    if (yaml) *yaml = EMBEDDED[i].yaml;
    return EMBEDDED[i].name;
}

static BalStatus load_named(const BalOptionSet *sets, const char *name, BalError *err) {
    const char *names[N_EMBEDDED];
    BalText list = {0};
    for (int i = 0; i < N_EMBEDDED; i++) {
        names[i] = EMBEDDED[i].name;
        bal_text_f(&list, "%s%s", i ? ", " : "", names[i]);
        if (!strcmp(names[i], name)) {
            bal_text_reset(&list);
            return bal_options_parse(sets, N_SETS, EMBEDDED[i].yaml, strlen(EMBEDDED[i].yaml), name, err);
        }
    }
    const char *near = bal_closest(name, names, N_EMBEDDED);
    BAL_FAIL(err, BAL_E_ARG, "there is no recipe \"%s\"%s%s%s: give the path of a YAML file or one of %s", name,
             near ? " (did you mean \"" : "", near ? near : "", near ? "\"?)" : "", bal_text_str(&list));
    bal_text_reset(&list);
    return BAL_E_ARG;
}

static BalStatus override(const BalOptionSet *sets, const char *set, BalError *err) {
    const char *eq = strchr(set, '=');
    char name[64];
    if (!eq || eq == set || (size_t)(eq - set) >= sizeof name)
        return BAL_FAIL(err, BAL_E_ARG, "override \"%s\" is not of the form key=value", set);
    memcpy(name, set, (size_t)(eq - set));
    name[eq - set] = '\0';
    return bal_options_set(sets, N_SETS, name, eq + 1, err);
}

BalStatus bal_recipe_load(BalRecipe *r, const char *which, const char *const *set, int n_set, BalError *err) {
    BalRecipe made = *r;
    BalOptionSet sets[N_SETS];
    sets_of(&made, sets);
    if (which && (strchr(which, '/') || bal_has_suffix(which, ".yaml") || bal_has_suffix(which, ".yml")))
        BAL_TRY(bal_options_load(sets, N_SETS, which, err));
    else if (which)
        BAL_TRY(load_named(sets, which, err));
    for (int i = 0; i < n_set; i++) BAL_TRY(override(sets, set[i], err));
    *r = made;
    return BAL_OK;
}

/* ---- canonical text and hash ---- */

static BalStatus dump(const BalRecipe *r, BalText *out, BalError *err) {
    BalRecipe copy = *r;
    BalOptionSet sets[N_SETS];
    sets_of(&copy, sets);
    bal_options_dump(sets, N_SETS, out);
    return bal_text_ok(out, err);
}

BalStatus bal_recipe_text(const BalRecipe *r, char **text, BalError *err) {
    BalText t = {0};
    BalStatus rc = dump(r, &t, err);
    if (rc < 0)
        bal_text_reset(&t);
    else
        *text = t.data;
    return rc;
}

void bal_recipe_text_free(char *text) {
    bal_free(text);
}

BalStatus bal_recipe_hash(const BalRecipe *r, char hex[65], BalError *err) {
    BalRecipe what = *r;
    what.train.seed = what.train.threads = 0;
    memset(what.train.backend, 0, sizeof what.train.backend);
    BalText t = {0};
    BalStatus rc = dump(&what, &t, err);
    if (rc == BAL_OK) bal_sha256_text(t.data, t.len, hex);
    bal_text_reset(&t);
    return rc;
}
