/* avbalance models: encoders and backends of this build. */
#include <avbalance/backends.h>
#include <avbalance/models.h>
#include "base/json.h"
#include "cli/command.h"

static void as_json(BalText *out) {
    BalJsonOut o = bal_json_document(out, true, "avbalance/models/1");
    bal_json_open(&o, "models", '[');
    for (int i = 0; i < bal_model_count(); i++) {
        const BalModelOps *m = bal_model_at(i);
        bal_json_open(&o, NULL, '{');
        bal_json_add_text(&o, "name", m->name);
        bal_json_add_text(&o, "summary", m->summary);
        bal_json_add_text(&o, "paper", m->paper);
        bal_json_add_int(&o, "features", m->features);
        bal_json_close(&o, '}');
    }
    bal_json_close(&o, ']');
    bal_json_open(&o, "backends", '[');
    for (int i = 0; i < bal_backend_count(); i++) {
        const char *summary, *version, *name = bal_backend_name(i, &summary, &version);
        bal_json_open(&o, NULL, '{');
        bal_json_add_text(&o, "name", name);
        bal_json_add_text(&o, "summary", summary);
        bal_json_add_text(&o, "version", version);
        bal_json_close(&o, '}');
    }
    bal_json_close(&o, ']');
    bal_json_close(&o, '}');
    bal_text_char(out, '\n');
}

static BalStatus run(BalCli *cli, BalError *err) {
    (void)err;
    if (cli->json) {
        as_json(&cli->out);
        return BAL_OK;
    }
    for (int i = 0; i < bal_model_count(); i++) {
        const BalModelOps *m = bal_model_at(i);
        bal_text_f(&cli->out, "%-12s %s\n", m->name, m->summary);
        if (*m->paper) bal_text_f(&cli->out, "%-12s %s\n", "", m->paper);
    }
    bal_text_add(&cli->out, "\nComputed by (--backend, best first):\n");
    for (int i = 0; i < bal_backend_count(); i++) {
        const char *summary, *version, *name = bal_backend_name(i, &summary, &version);
        bal_text_f(&cli->out, "%-12s %s (%s)\n", name, summary, version);
    }
    return BAL_OK;
}

const BalCommand bal_cmd_models = {
    .name = "models", .usage = "", .summary = "List the encoders and backends of this build", .run = run};
