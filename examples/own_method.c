/* A learning method of one's own, outside the library: public headers only.
 *
 *     own_method STORE RUN [KEY=VALUE]...
 *
 * trains it on a store and leaves a run folder like any other, which `avbalance evaluate` reads. The method is late fusion with a head
 * per modality besides; each step, the modality that the batch is harder for gets the larger share of their losses:
 *
 *     loss = CE(joint) + 2 (w CE(audio) + (1 - w) CE(visual)),   w = L_audio / (L_audio + L_visual) as running means, no gradient
 *
 * It shows what most methods need: several heads with one backward sweep, state that survives a kill, and numbers in the log. */
#include <math.h>
#include <stdio.h>
#include <avbalance/dataset.h>
#include <avbalance/method.h>
#include <avbalance/models.h>
#include <avbalance/train.h>

typedef struct Harder {
    double loss[2]; /* running means of audio, visual; 0 before the first step */
} Harder;

static const char *const HEADS[] = {"logits_audio", "logits_visual"};

extern const BalMethodOps harder;

/* Two encoders under "audio." and "visual.", three heads. Inputs must be called "audio" and "visual", the answer "logits". */
static BalStatus build(void *self, const BalNetSpec *net, BalGraph *g, BalMethodNeeds *needs, BalError *err) {
    (void)self, (void)needs, (void)err;
    BalVal f[2];
    bal_graph_scope(g, "audio.", BAL_TAG_AUDIO);
    f[0] = bal_model_encode(net->encoder, g, bal_graph_input(g, "audio", net->audio));
    bal_graph_scope(g, "visual.", BAL_TAG_VISUAL);
    f[1] = bal_model_encode(net->encoder, g, bal_graph_input(g, "visual", net->visual));
    bal_graph_scope(g, "head.", BAL_TAG_SHARED);
    bal_graph_output(g, "logits", bal_graph_linear(g, "joint", bal_graph_concat(g, f, 2), net->n_classes, true, 0));
    bal_graph_output(g, HEADS[0], bal_graph_linear(g, "audio", f[0], net->n_classes, true, 0));
    bal_graph_output(g, HEADS[1], bal_graph_linear(g, "visual", f[1], net->n_classes, true, 0));
    return BAL_OK; /* the graph keeps the first mistake and the trainer reports it */
}

/* Cross-entropy of one head, and its gradient times `weight` for the sweep to come. */
static BalStatus add_head(BalMethodCtx *c, const char *head, double weight, double *ce, BalError *err) {
    BAL_TRY(bal_session_get(c->session, 0, head, c->z, err));
    *ce = bal_softmax_ce(c->z, c->batch.label, c->batch.n, c->n_classes, weight, c->dz, NULL);
    return bal_session_seed(c->session, 0, head, c->dz, err);
}

static BalStatus loss(void *self, BalMethodCtx *c, BalError *err) {
    Harder *h = self;
    const double sum = h->loss[0] + h->loss[1], w = sum > 0 ? h->loss[0] / sum : 0.5;
    const double weight[2] = {2 * w, 2 * (1 - w)};
    double ce[2], joint;
    BAL_TRY(bal_method_forward(&harder, c, 0, BAL_MODE_TRAIN, err));
    for (int m = 0; m < 2; m++) BAL_TRY(add_head(c, HEADS[m], weight[m], &ce[m], err));
    BAL_TRY(add_head(c, "logits", 1, &joint, err)); /* last: c->z holds the logits of the training accuracy */
    c->loss = joint + weight[0] * ce[0] + weight[1] * ce[1];
    if (!isfinite(c->loss)) return BAL_OK; /* the trainer stops with step, clips and remedy */
    for (int m = 0; m < 2; m++) h->loss[m] = sum > 0 ? 0.9 * h->loss[m] + 0.1 * ce[m] : ce[m];
    BAL_TRY(bal_method_log(c, "w_audio", w, err)); /* the epoch's mean stands in log.jsonl */
    return bal_session_backward(c->session, 0, 0, false, err);
}

static BalStatus save(void *self, BalMethodCtx *c, struct BalWriter *w, BalError *err) {
    (void)c;
    return bal_method_put(w, self, sizeof(Harder), err);
}

static BalStatus load(void *self, BalMethodCtx *c, const struct BalMap *saved, BalError *err) {
    size_t at = 0;
    (void)c;
    return bal_method_take(saved, &at, self, sizeof(Harder), err);
}

const BalMethodOps harder = {
    .name = "harder",
    .summary = "late fusion that cares for the modality it finds harder",
    .paper = "none: an example",
    .cost = {1, 1, NULL},
    .inputs = BAL_TAG_AUDIO | BAL_TAG_VISUAL,
    .state_size = sizeof(Harder),
    .build = build,
    .loss = loss,
    .save = save,
    .load = load,
};

static BalStatus train(int argc, char **argv, BalFitResult *result, BalError *err) {
    BalStore *store = NULL;
    BAL_TRY(bal_store_open(&store, argv[1], err));
    BalFitSpec spec = bal_fit_spec_default();
    spec.ops = &harder;
    spec.dir = argv[2];
    spec.recipe.feature = *bal_store_recipe(store);
    BalStatus rc = bal_recipe_load(&spec.recipe, NULL, (const char *const *)argv + 3, argc - 3, err);
    if (rc == BAL_OK) rc = bal_fit(store, &spec, result, err);
    bal_store_close(&store);
    return rc;
}

int main(int argc, char **argv) {
    BalFitResult r;
    BalError err = {0};
    if (argc < 3) return fprintf(stderr, "usage: own_method STORE RUN [KEY=VALUE]...\n"), 2;
    if (train(argc, argv, &r, &err) < 0) return fprintf(stderr, "own_method: %s\n", err.text), 1;
    printf("%s: %d epochs, weights of epoch %d, test accuracy %.3f\n", argv[2], r.epochs, r.best_epoch,
           r.accuracy[BAL_SPLIT_TEST]);
    return 0;
}
