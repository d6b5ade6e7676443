/* avbalance recipes: the recipes of this build, or the text of one, to start an own file from. */
#include <string.h>
#include <avbalance/curate.h>
#include <avbalance/train.h>
#include "base/json.h"
#include "cli/command.h"

static void add_json(BalJsonOut *o, int i) {
    const char *yaml, *name = bal_recipe_at(i, NULL, &yaml);
    bal_json_add_text(o, "name", name);
    bal_json_add_text(o, "yaml", yaml);
}

#define CATEGORIES "categories/" /* before the names of tables of categories */

static void categories_json(BalText *out, const char *name, const char *tsv) {
    BalJsonOut o = bal_json_document(out, true, "avbalance/categories/1");
    bal_json_add_text(&o, "name", name);
    bal_json_add_text(&o, "tsv", tsv);
    bal_json_close(&o, '}');
    bal_text_char(out, '\n');
}

static bool show_categories(BalCli *cli, const char *wanted) {
    for (int i = 0; i < bal_categories_count() && bal_has_prefix(wanted, CATEGORIES); i++) {
        const char *tsv;
        if (strcmp(bal_categories_at(i, &tsv), wanted + strlen(CATEGORIES))) continue;
        if (cli->json)
            categories_json(&cli->out, wanted, tsv);
        else
            bal_text_add(&cli->out, tsv);
        return true;
    }
    return false;
}

static BalStatus show(BalCli *cli, const char *wanted, BalError *err) {
    BalText list = {0};
    if (show_categories(cli, wanted)) return BAL_OK;
    for (int i = 0; i < bal_recipe_count(); i++) {
        const char *yaml, *name = bal_recipe_at(i, NULL, &yaml);
        bal_text_f(&list, "%s%s", i ? ", " : "", name);
        if (strcmp(name, wanted)) continue;
        bal_text_reset(&list);
        if (!cli->json) {
            bal_text_add(&cli->out, yaml);
            return BAL_OK;
        }
        BalJsonOut o = bal_json_document(&cli->out, true, "avbalance/recipe/1");
        add_json(&o, i);
        bal_json_close(&o, '}');
        bal_text_char(&cli->out, '\n');
        return BAL_OK;
    }
    BAL_FAIL(err, BAL_E_ARG, "there is no recipe \"%s\"; there are: %s", wanted, bal_text_str(&list));
    bal_text_reset(&list);
    return BAL_E_ARG;
}

static void list_json(BalText *out) {
    BalText name = {0};
    BalJsonOut o = bal_json_document(out, true, "avbalance/recipes/1");
    bal_json_open(&o, "recipes", '[');
    for (int i = 0; i < bal_recipe_count(); i++) {
        bal_json_open(&o, NULL, '{');
        add_json(&o, i);
        bal_json_close(&o, '}');
    }
    bal_json_close(&o, ']');
    bal_json_open(&o, "categories", '[');
    for (int i = 0; i < bal_categories_count(); i++) {
        bal_text_clear(&name);
        bal_text_f(&name, CATEGORIES "%s", bal_categories_at(i, NULL));
        bal_json_add_text(&o, NULL, bal_text_str(&name));
    }
    bal_json_close(&o, ']');
    bal_json_close(&o, '}');
    bal_text_char(out, '\n');
    out->failed |= name.failed;
    bal_text_reset(&name);
}

static BalStatus run(BalCli *cli, BalError *err) {
    if (cli->n_args) return show(cli, cli->args[0], err);
    if (cli->json) {
        list_json(&cli->out);
        return BAL_OK;
    }
    for (int i = 0; i < bal_recipe_count(); i++) {
        const char *summary, *name = bal_recipe_at(i, &summary, NULL);
        bal_text_f(&cli->out, "%-18s %.*s\n", name, (int)strcspn(summary, "\n"), summary);
    }
    for (int i = 0; i < bal_categories_count(); i++)
        bal_text_f(&cli->out, CATEGORIES "%s: a table of categories, for `triage`\n", bal_categories_at(i, NULL));
    return BAL_OK;
}

const BalCommand bal_cmd_recipes = {
    .name = "recipes",
    .usage = "[NAME]",
    .summary = "List the recipes of this build, or print one",
    .details = "`avbalance recipes paper > mine.yaml` is how an own recipe begins; --recipe takes a name or a file. "
               "Tables of\n"
               "categories, which `triage` takes, are printed by `avbalance recipes categories/NAME`.",
    .max_args = 1,
    .run = run,
};
