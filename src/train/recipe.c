/* The training recipe: one option table, the YAML files of this build, overrides, canonical text and hash.
 *
 * A recipe file has up to four sections, audio, visual, input and train, each described by the option table of the room that uses
 * it, and one for each method that has options: `ogm-ge: {alpha: 0.8}`. Those are checked against the methods' own tables when
 * the recipe is read, kept as text, and handed to the one method that is run; canonical text and hash hold no other's. The files
 * in recipes/ are compiled in, so that an installed program has them at hand and `--recipe av-digits` means the same bytes
 * everywhere. The hash leaves out what does not define an experiment but only its execution: seed, threads, backend; a run states
 * those beside it. */
#include <assert.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <avbalance/method.h>
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
    {"train.head_epochs", "0",
     "first epochs in which the head alone learns, at train.head_rate times lr (audio, visual)", BAL_OPT_INT,
     AT(head_epochs), 0, 1000, NULL},
    {"train.head_rate", "10", "see train.head_epochs", BAL_OPT_REAL, AT(head_rate), 0, 1000, NULL},
    {"train.epochs", "100", "most epochs", BAL_OPT_INT, AT(epochs), 1, 100000, NULL},
    {"train.patience", "10", "stop after so many epochs without a better validation value; 0: never", BAL_OPT_INT,
     AT(patience), 0, 100000, NULL},
    {"train.selection", "accuracy", "what on the validation split chooses the epoch that counts", BAL_OPT_ENUM,
     AT(selection), 0, 0, SELECTIONS},
    {"train.batch", "64", "clips per step", BAL_OPT_INT, AT(batch), 2, 65536, NULL},
    {"train.drop_last", "false", "leave out the clips of an epoch that fill no batch", BAL_OPT_BOOL, AT(drop_last), 0,
     0, NULL},
    {"train.settle", "0",
     "batches seen again before each evaluation, for batch norm's running statistics to be those of its weights "
     "(PreciseBN); 0: none",
     BAL_OPT_INT, AT(settle), 0, 1000000, NULL},
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

enum { N_SETS = 3, MOST_SETS = 64 };
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

typedef struct Sets { /* of a recipe and of the states of all methods with options */
    BalOptionSet set[MOST_SETS];
    BalMethod method[MOST_SETS]; /* by index of its set */
    int n;
} Sets;

static void sets_close(Sets *s) {
    for (int i = 0; i < s->n; i++) bal_method_close(&s->method[i]);
}

/* r->method, line by line, into states of which each table knows its own. */
static BalStatus apply(const BalRecipe *r, const BalOptionSet *sets, int n_sets, bool others, BalError *err) {
    char key[64], value[256];
    for (const char *line = r->method; *line; line = strchr(line, '\n') + 1) {
        const size_t n_key = strcspn(line, "="), n_value = strcspn(line + n_key + 1, "\n");
        snprintf(key, sizeof key, "%.*s", (int)n_key, line);
        snprintf(value, sizeof value, "%.*s", (int)n_value, line + n_key + 1);
        const size_t section = strcspn(key, ".") + 1;
        if (!others || !strncmp(sets->table->name, key, section))
            BAL_TRY(bal_options_set(sets, n_sets, key, value, err));
    }
    return BAL_OK;
}

static BalStatus sets_open(Sets *s, BalRecipe *r, BalError *err) {
    sets_of(r, s->set);
    s->n = N_SETS;
    for (int i = 0; i < bal_method_count(); i++) {
        const BalMethodOps *ops = bal_method_at(i);
        if (!ops->options) continue;
        assert(s->n < MOST_SETS);
        BAL_TRY(bal_method_open_ops(&s->method[s->n], ops, err));
        s->set[s->n] = (BalOptionSet){ops->options, s->method[s->n].self};
        s->n++;
    }
    return apply(r, s->set, s->n, false, err);
}

/* What differs from a method's defaults, as lines. */
static BalStatus add_changed(const BalMethod *m, BalText *out, BalError *err) {
    BalMethod fresh = {0};
    BalText a = {0}, b = {0};
    BAL_TRY(bal_method_open_ops(&fresh, m->ops, err));
    BalStatus rc = BAL_OK;
    for (const BalOption *o = m->ops->options; o->name && rc == BAL_OK; o++) {
        assert(o->type != BAL_OPT_TEXT); /* could hold a newline */
        bal_text_clear(&a);
        bal_text_clear(&b);
        bal_options_value(o, fresh.self, &a);
        bal_options_value(o, m->self, &b);
        rc = bal_text_ok(&a, err);
        if (rc == BAL_OK) rc = bal_text_ok(&b, err);
        if (strcmp(bal_text_str(&a), bal_text_str(&b))) bal_text_f(out, "%s=%s\n", o->name, bal_text_str(&b));
    }
    bal_method_close(&fresh);
    bal_text_reset(&a);
    bal_text_reset(&b);
    return rc;
}

static BalStatus keep_methods(const Sets *s, BalRecipe *r, BalError *err) {
    BalText lines = {0};
    BalStatus rc = BAL_OK;
    for (int i = N_SETS; i < s->n && rc == BAL_OK; i++) rc = add_changed(&s->method[i], &lines, err);
    if (rc == BAL_OK) rc = bal_text_ok(&lines, err);
    if (rc == BAL_OK && lines.len >= sizeof r->method)
        rc = BAL_FAIL(err, BAL_E_ARG, "the recipe's options of methods take %zu bytes, %zu are possible", lines.len,
                      sizeof r->method - 1);
    if (rc == BAL_OK) {
        memset(r->method, 0, sizeof r->method);
        memcpy(r->method, bal_text_str(&lines), lines.len);
    }
    bal_text_reset(&lines);
    return rc;
}

static BalStatus load_named(const Sets *s, const char *name, BalError *err) {
    const char *names[N_EMBEDDED];
    BalText list = {0};
    for (int i = 0; i < N_EMBEDDED; i++) {
        names[i] = EMBEDDED[i].name;
        bal_text_f(&list, "%s%s", i ? ", " : "", names[i]);
        if (!strcmp(names[i], name)) {
            bal_text_reset(&list);
            return bal_options_parse(s->set, s->n, EMBEDDED[i].yaml, strlen(EMBEDDED[i].yaml), name, err);
        }
    }
    const char *near = bal_closest(name, names, N_EMBEDDED);
    BAL_FAIL(err, BAL_E_ARG, "there is no recipe \"%s\"%s%s%s: give the path of a YAML file or one of %s", name,
             near ? " (did you mean \"" : "", near ? near : "", near ? "\"?)" : "", bal_text_str(&list));
    bal_text_reset(&list);
    return BAL_E_ARG;
}

static BalStatus load(const Sets *s, const char *which, const char *const *set, int n_set, BalError *err) {
    if (which && (strchr(which, '/') || bal_has_suffix(which, ".yaml") || bal_has_suffix(which, ".yml")))
        BAL_TRY(bal_options_load(s->set, s->n, which, err));
    else if (which)
        BAL_TRY(load_named(s, which, err));
    for (int i = 0; i < n_set; i++) BAL_TRY(bal_options_assign(s->set, s->n, set[i], err));
    return BAL_OK;
}

BalStatus bal_recipe_load(BalRecipe *r, const char *which, const char *const *set, int n_set, BalError *err) {
    BalRecipe made = *r;
    Sets s = {.n = 0};
    BalStatus rc = sets_open(&s, &made, err);
    if (rc == BAL_OK) rc = load(&s, which, set, n_set, err);
    if (rc == BAL_OK) rc = keep_methods(&s, &made, err);
    sets_close(&s);
    if (rc == BAL_OK) *r = made;
    return rc;
}

BalStatus bal_recipe_method(const BalRecipe *r, const BalMethodOps *method, void *state, BalError *err) {
    const BalOptionSet set = {method->options, state};
    return method->options ? apply(r, &set, 1, true, err) : BAL_OK;
}

/* ---- canonical text and hash ---- */

static BalStatus dump(const BalRecipe *r, const BalMethodOps *method, BalText *out, BalError *err) {
    BalRecipe copy = *r;
    BalOptionSet sets[N_SETS + 1];
    BalMethod m = {0};
    int n = N_SETS;
    sets_of(&copy, sets);
    if (method && method->options) {
        BAL_TRY(bal_method_open_ops(&m, method, err));
        sets[n++] = (BalOptionSet){method->options, m.self};
    }
    BalStatus rc = n > N_SETS ? bal_recipe_method(r, method, m.self, err) : BAL_OK;
    if (rc == BAL_OK) bal_options_dump(sets, n, out);
    bal_method_close(&m);
    return rc < 0 ? rc : bal_text_ok(out, err);
}

BalStatus bal_recipe_text(const BalRecipe *r, const BalMethodOps *method, char **text, BalError *err) {
    BalText t = {0};
    BalStatus rc = dump(r, method, &t, err);
    if (rc < 0)
        bal_text_reset(&t);
    else
        *text = t.data;
    return rc;
}

void bal_recipe_text_free(char *text) {
    bal_free(text);
}

BalStatus bal_recipe_hash(const BalRecipe *r, const BalMethodOps *method, char hex[65], BalError *err) {
    BalRecipe what = *r;
    what.train.seed = what.train.threads = 0;
    memset(what.train.backend, 0, sizeof what.train.backend);
    BalText t = {0};
    BalStatus rc = dump(&what, method, &t, err);
    if (rc == BAL_OK) bal_sha256_text(t.data, t.len, hex);
    bal_text_reset(&t);
    return rc;
}
