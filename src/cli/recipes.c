/* avbalance recipes: the recipes of this build, or the text of one, to start an own file from. */
#include <string.h>
#include <avbalance/train.h>
#include "base/json.h"
#include "cli/command.h"

static BalStatus show(BalCli *cli, const char *name, BalError *err) {
    const char *yaml, *names[64];
    for (int i = 0; i < bal_recipe_count(); i++) {
        names[i % 64] = bal_recipe_at(i, NULL, &yaml);
        if (strcmp(names[i % 64], name)) continue;
        bal_text_add(&cli->out, yaml);
        return BAL_OK;
    }
    const char *near = bal_closest(name, names, bal_recipe_count());
    return BAL_FAIL(err, BAL_E_ARG, "there is no recipe \"%s\"%s%s", name, near ? "; did you mean " : "",
                    near ? near : "");
}

static BalStatus run(BalCli *cli, BalError *err) {
    if (cli->n_args) return show(cli, cli->args[0], err);
    BalJsonOut o = bal_json_out(&cli->out, true);
    if (cli->json) {
        bal_json_open(&o, NULL, '{');
        bal_json_add_text(&o, "schema", "avbalance/recipes/1");
        bal_json_open(&o, "recipes", '[');
    }
    for (int i = 0; i < bal_recipe_count(); i++) {
        const char *summary, *yaml, *name = bal_recipe_at(i, &summary, &yaml);
        if (!cli->json) {
            bal_text_f(&cli->out, "%-16s %.*s\n", name, (int)strcspn(summary, "\n"), summary);
            continue;
        }
        bal_json_open(&o, NULL, '{');
        bal_json_add_text(&o, "name", name);
        bal_json_add_text(&o, "yaml", yaml);
        bal_json_close(&o, '}');
    }
    if (cli->json) {
        bal_json_close(&o, ']');
        bal_json_close(&o, '}');
        bal_text_char(&cli->out, '\n');
    }
    return BAL_OK;
}

const BalCommand bal_cmd_recipes = {
    .name = "recipes",
    .usage = "[NAME]",
    .summary = "List the recipes of this build, or print one",
    .details = "`avbalance recipes paper > mine.yaml` is how an own recipe begins; --recipe takes a name or a file.",
    .max_args = 1,
    .run = run,
};
