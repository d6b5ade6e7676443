/* The first steps of a training, for another implementation to repeat (tests/peer/methods.py, bench/peer/compare_torch.py):
 *
 *   steps_tool STORE METHOD RECIPE.yaml STEPS OUT [KEY=VALUE ...]
 *
 * OUT gets the run's folder `run`, whose recipe.yaml is the whole recipe, and first.safetensors, the weights before the first step.
 * On stdout a line of JSON: the parameters in the order that names their noise; then one per step: its loss and the rows of its clips.
 * While there are lines on stdin it waits for one behind each of its own, and the weights before a step stand in now.safetensors when
 * its line is printed: so another implementation can take every step from our weights.
 * The method is wrapped: a table of hooks of which `loss` looks at what the method's own does. */
#include <stdio.h>
#include <stdlib.h>
#include <avbalance/method.h>
#include <avbalance/train.h>
#include "base/json.h"
#include "base/text.h"

static const BalMethodOps *method;
static const char *out;
static long done, wanted;

static bool led = true; /* somebody answers on stdin */

static void print(BalText *line) {
    printf("%s\n", bal_text_str(line));
    fflush(stdout);
    bal_text_reset(line);
    for (int c = 0; led && c != '\n';)
        if ((c = getchar()) == EOF) led = false;
}

static BalStatus save(BalSession *s, const char *name, BalError *err) {
    BalText path = {0};
    bal_path_join(&path, out, name);
    BalStatus rc = bal_text_ok(&path, err);
    if (rc == BAL_OK) rc = bal_session_save(s, path.data, NULL, err);
    bal_text_reset(&path);
    return rc;
}

static BalStatus first(BalSession *s, BalError *err) {
    BalText line = {0};
    BalJsonOut o = bal_json_out(&line, false);
    bal_json_open(&o, NULL, '{');
    bal_json_open(&o, "params", '[');
    for (int i = 0; i < bal_session_n_params(s); i++) bal_json_add_text(&o, NULL, bal_session_param(s, i)->name);
    bal_json_close(&o, ']');
    bal_json_close(&o, '}');
    print(&line);
    return save(s, "first.safetensors", err);
}

static BalStatus loss(void *self, BalMethodCtx *c, BalError *err) {
    BalText line = {0};
    if (!done) BAL_TRY(first(c->session, err));
    if (led && done < wanted) BAL_TRY(save(c->session, "now.safetensors", err));
    BAL_TRY(method->loss ? method->loss(self, c, err) : bal_method_loss(method, c, err));
    if (done++ >= wanted) return BAL_OK;
    BalJsonOut o = bal_json_out(&line, false);
    bal_json_open(&o, NULL, '{');
    bal_json_add_int(&o, "epoch", c->epoch);
    bal_json_add_int(&o, "step", c->step);
    bal_json_add_real(&o, "loss", c->loss);
    bal_json_open(&o, "clips", '[');
    for (int i = 0; i < c->batch.n; i++) bal_json_add_int(&o, NULL, c->batch.clip[i]);
    bal_json_close(&o, ']');
    bal_json_close(&o, '}');
    print(&line);
    return BAL_OK;
}

static bool more(void *user, const BalProgress *p) {
    (void)user, (void)p;
    return done < wanted;
}

static BalStatus run(int argc, char **argv, BalStore *store, BalText *dir, BalError *err) {
    BalFitSpec spec = bal_fit_spec_default();
    BalFitResult r;
    BAL_TRY(bal_method_find(&method, argv[2], err));
    BalMethodOps watched = *method;
    watched.loss = loss;
    wanted = atol(argv[4]);
    out = argv[5];
    bal_path_join(dir, out, "run");
    BAL_TRY(bal_text_ok(dir, err));
    spec.ops = &watched;
    spec.dir = dir->data;
    spec.recipe.feature = *bal_store_recipe(store);
    spec.progress = (BalProgressSink){more, NULL};
    spec.checkpoint_s = 1e9;
    BAL_TRY(bal_recipe_load(&spec.recipe, argv[3], (const char *const *)argv + 6, argc - 6, err));
    BalStatus rc = bal_fit(store, &spec, &r, err);
    return rc == BAL_E_CANCELLED ? BAL_OK : rc;
}

int main(int argc, char **argv) {
    BalError err = {0};
    BalStore *store = NULL;
    BalText dir = {0};
    if (argc < 6) return fprintf(stderr, "usage: steps_tool STORE METHOD RECIPE STEPS OUT [KEY=VALUE ...]\n"), 2;
    BalStatus rc = bal_store_open(&store, argv[1], &err);
    if (rc == BAL_OK) rc = run(argc, argv, store, &dir, &err);
    bal_store_close(&store);
    bal_text_reset(&dir);
    if (rc < 0) fprintf(stderr, "steps_tool: %s\n", err.text);
    return rc < 0;
}
