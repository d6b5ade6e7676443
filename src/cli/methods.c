/* avbalance methods: what `train --method` accepts, and what can be set. */
#include <avbalance/method.h>
#include "base/json.h"
#include "cli/command.h"

/* "1 forward, 1 backward of plain late fusion per step; three probes per estimate" */
static void print_cost(BalText *out, const BalMethodCost *cost) {
    bal_text_add(out, "cost of a step: ");
    bal_text_real(out, cost->forward);
    bal_text_add(out, " forward, ");
    bal_text_real(out, cost->backward);
    bal_text_f(out, " backward of plain late fusion%s%s\n", cost->beside ? "; " : "", cost->beside ? cost->beside : "");
}

static void print(BalText *out, const BalMethodOps *m) {
    bal_text_f(out, "%-12s %s\n%-12s %s\n%-12s ", m->name, m->summary, "", m->paper, "");
    print_cost(out, &m->cost);
    if (m->options) bal_options_help(m->options, out);
}

static const char *const TYPE[] = {"bool", "int", "real", "text", "enum"};

static void option_json(BalJsonOut *o, const BalOption *p) {
    bal_json_open(o, NULL, '{');
    bal_json_add_text(o, "name", p->name);
    bal_json_add_text(o, "type", TYPE[p->type]);
    bal_json_add_text(o, "default", p->def);
    if (p->type == BAL_OPT_INT || p->type == BAL_OPT_REAL) {
        bal_json_add_real(o, "min", p->min);
        bal_json_add_real(o, "max", p->max);
    }
    if (p->type == BAL_OPT_ENUM) {
        bal_json_open(o, "choices", '[');
        for (int i = 0; p->choices[i]; i++) bal_json_add_text(o, NULL, p->choices[i]);
        bal_json_close(o, ']');
    }
    bal_json_add_text(o, "help", p->help);
    bal_json_close(o, '}');
}

static void method_json(BalJsonOut *o, const BalMethodOps *m) {
    bal_json_open(o, NULL, '{');
    bal_json_add_text(o, "name", m->name);
    bal_json_add_text(o, "summary", m->summary);
    bal_json_add_text(o, "paper", m->paper);
    bal_json_open(o, "cost", '{');
    bal_json_add_real(o, "forward", m->cost.forward);
    bal_json_add_real(o, "backward", m->cost.backward);
    bal_json_add_text(o, "beside", m->cost.beside);
    bal_json_close(o, '}');
    bal_json_open(o, "options", '[');
    for (const BalOption *p = m->options; p && p->name; p++) option_json(o, p);
    bal_json_close(o, ']');
    bal_json_close(o, '}');
}

static BalStatus run(BalCli *cli, BalError *err) {
    (void)err;
    if (!cli->json) {
        for (int i = 0; i < bal_method_count(); i++) print(&cli->out, bal_method_at(i));
        return BAL_OK;
    }
    BalJsonOut o = bal_json_document(&cli->out, true, "avbalance/methods/1");
    bal_json_open(&o, "methods", '[');
    for (int i = 0; i < bal_method_count(); i++) method_json(&o, bal_method_at(i));
    bal_json_close(&o, ']');
    bal_json_close(&o, '}');
    bal_text_char(&cli->out, '\n');
    return BAL_OK;
}

const BalCommand bal_cmd_methods = {
    .name = "methods", .usage = "", .summary = "List the learning methods of this build", .run = run};
