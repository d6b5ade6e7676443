/* avbalance methods: what `train --method` accepts. */
#include <avbalance/method.h>
#include "base/json.h"
#include "cli/command.h"

static BalStatus run(BalCli *cli, BalError *err) {
    (void)err;
    BalJsonOut o = bal_json_out(&cli->out, true);
    if (cli->json) {
        bal_json_open(&o, NULL, '{');
        bal_json_add_text(&o, "schema", "avbalance/methods/1");
        bal_json_open(&o, "methods", '[');
    }
    for (int i = 0; i < bal_method_count(); i++) {
        const BalMethodOps *m = bal_method_at(i);
        if (!cli->json) {
            bal_text_f(&cli->out, "%-12s %s\n%-12s %s\n", m->name, m->summary, "", m->paper);
            continue;
        }
        bal_json_open(&o, NULL, '{');
        bal_json_add_text(&o, "name", m->name);
        bal_json_add_text(&o, "summary", m->summary);
        bal_json_add_text(&o, "paper", m->paper);
        bal_json_close(&o, '}');
    }
    if (!cli->json) return BAL_OK;
    bal_json_close(&o, ']');
    bal_json_close(&o, '}');
    bal_text_char(&cli->out, '\n');
    return BAL_OK;
}

const BalCommand bal_cmd_methods = {
    .name = "methods", .usage = "", .summary = "List the learning methods of this build", .run = run};
