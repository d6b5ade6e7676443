/* Which methods there are, by name. A new method is one file and one line here. */
#include "methods/registry.h"
#include <string.h>
#include "base/mem.h"
#include "base/option.h"
#include "base/text.h"

static const BalMethodOps *const METHODS[] = {
    &bal_method_audio,      &bal_method_visual,     &bal_method_concat,  &bal_method_sum,      &bal_method_film,
    &bal_method_gated,      &bal_method_ogm,        &bal_method_ogm_ge,  &bal_method_gblend,   &bal_method_greedy,
    &bal_method_tmc,        &bal_method_etmc,       &bal_method_dropout, &bal_method_mmpareto, &bal_method_agm,
    &bal_method_pmr,        &bal_method_opm,        &bal_method_umt,     &bal_method_mla,      &bal_method_cml,
    &bal_method_mmcosine,   &bal_method_valuation,  &bal_method_lfm,     &bal_method_inforeg,  &bal_method_amss,
    &bal_method_relearning, &bal_method_reconboost,
};
enum { N_METHODS = sizeof METHODS / sizeof *METHODS };

int bal_method_count(void) {
    return N_METHODS;
}

const BalMethodOps *bal_method_at(int i) {
    return METHODS[i];
}

BalStatus bal_method_find(const BalMethodOps **out, const char *name, BalError *err) {
    const char *names[N_METHODS];
    char list[512] = "";
    for (int i = 0; i < N_METHODS; i++) {
        if (!strcmp(name, METHODS[i]->name)) {
            *out = METHODS[i];
            return BAL_OK;
        }
        names[i] = METHODS[i]->name;
        strncat(list, i ? ", " : "", sizeof list - strlen(list) - 1);
        strncat(list, names[i], sizeof list - strlen(list) - 1);
    }
    const char *near = bal_closest(name, names, N_METHODS);
    return BAL_FAIL(err, BAL_E_ARG, "there is no method \"%s\"%s%s%s; this build has %s", name,
                    near ? " (did you mean \"" : "", near ? near : "", near ? "\"?)" : "", list);
}

BalStatus bal_method_open_ops(BalMethod *out, const BalMethodOps *ops, BalError *err) {
    BalMethod m = {.ops = ops};
    BAL_TRY(bal_alloc(&m.self, 1, ops->state_size, err));
    if (ops->options) bal_options_default(ops->options, m.self);
    *out = m;
    return BAL_OK;
}

BalStatus bal_method_open(BalMethod *out, const char *name, BalError *err) {
    const BalMethodOps *ops;
    BAL_TRY(bal_method_find(&ops, name, err));
    return bal_method_open_ops(out, ops, err);
}

void bal_method_close(BalMethod *m) {
    if (m->ops && m->ops->reset) m->ops->reset(m->self);
    bal_free(m->self);
    *m = (BalMethod){0};
}
