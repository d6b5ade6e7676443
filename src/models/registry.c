/* The encoders of this build. A new one is a file and a line here. */
#include <avbalance/models.h>
#include <string.h>
#include "base/text.h"

extern const BalModelOps bal_model_resnet18, bal_model_tiny, bal_model_vggish;

static const BalModelOps *const models[] = {&bal_model_resnet18, &bal_model_tiny, &bal_model_vggish};
enum { N_MODELS = sizeof models / sizeof *models };

int bal_model_count(void) {
    return N_MODELS;
}
const BalModelOps *bal_model_at(int i) {
    return i < 0 || i >= N_MODELS ? NULL : models[i];
}

BalStatus bal_model_find(const BalModelOps **out, const char *name, BalError *err) {
    const char *names[N_MODELS];
    BalText known = {0};
    for (int i = 0; i < N_MODELS; i++) {
        *out = models[i];
        names[i] = models[i]->name;
        if (!strcmp(name, names[i])) return BAL_OK;
    }
    for (int i = 0; i < N_MODELS; i++) bal_text_f(&known, "%s%s", i ? ", " : "", names[i]);
    const char *near = bal_closest(name, names, N_MODELS);
    BalStatus rc = BAL_FAIL(err, BAL_E_ARG, "no encoder is called \"%s\"%s%s%s; there are: %s", name,
                            near ? ": did you mean \"" : "", near ? near : "", near ? "\"" : "", bal_text_str(&known));
    bal_text_reset(&known);
    *out = NULL;
    return rc;
}

BalStatus bal_model_audio(const BalModelOps *model, const int64_t feature[2], BalShape *out, BalError *err) {
    const int *patch = model->patch;
    if (!patch[0]) {
        *out = (BalShape){4, {1, 1, feature[0], feature[1]}};
        return BAL_OK;
    }
    if (feature[1] != patch[1] || feature[0] < patch[0] || feature[0] % patch[0])
        return BAL_FAIL(err, BAL_E_ARG,
                        "the encoder %s takes patches of %d frames x %d bands, the feature is %lld x %lld: use a "
                        "recipe made for it, such as vggsound-vggish",
                        model->name, patch[0], patch[1], (long long)feature[0], (long long)feature[1]);
    *out = (BalShape){4, {feature[0] / patch[0], 1, patch[0], patch[1]}};
    return BAL_OK;
}

BalVal bal_model_encode(const BalModelOps *model, BalGraph *g, BalVal x) {
    for (int i = 0; i < model->n_stages; i++) x = model->stage(g, i, x);
    return bal_graph_mean(g, x);
}
