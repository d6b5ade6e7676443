/* Multimodal transfer: gates by which the encoders of sound and picture hear of each other between their stages.
 *
 * Vaezi Joze et al. 2020 in the form of Wu et al. 2022: a plain sigmoid, no residual. Both the vectors that are squeezed
 * and the gates can be replaced from outside, keep * computed + set, which is all that freezing a gate and cutting the flow
 * across take. A gate acts on all rows of a clip, so on all of its frames. */
#include <avbalance/models.h>
#include <stdio.h>

static const char *const MODALITY[2] = {"audio", "visual"};
static const unsigned TAG[2] = {BAL_TAG_AUDIO, BAL_TAG_VISUAL};

/* x [1,C] as an output, then keep * x + set. */
static BalVal steered(BalGraph *g, const char *mmtm, const char *what, const char *modality, BalVal x) {
    char name[64];
#define NAME(verb) (snprintf(name, sizeof name, "%s." verb "%s_%s", mmtm, what, modality), name)
    bal_graph_output(g, NAME(""), x);
    x = bal_graph_scale(g, NAME("keep_"), x);
    return bal_graph_add(g, x, bal_graph_optional(g, NAME("set_"), bal_graph_shape(g, x)));
#undef NAME
}

void bal_mmtm(BalGraph *g, const char *name, BalVal x[2]) {
    char layer[64];
    BalVal s[2];
    int width = 0;
    bal_graph_scope(g, "", BAL_TAG_SHARED);
    for (int m = 0; m < 2; m++) {
        s[m] = steered(g, name, "squeeze", MODALITY[m], bal_graph_mean(g, x[m]));
        width += (int)bal_graph_shape(g, s[m]).dim[1];
    }
    snprintf(layer, sizeof layer, "%s.squeeze", name);
    const BalVal h =
        bal_graph_relu(g, bal_graph_linear(g, layer, bal_graph_concat(g, s, 2), width / 2, true, BAL_TAG_GATE));
    for (int m = 0; m < 2; m++) {
        bal_graph_scope(g, "", TAG[m]);
        snprintf(layer, sizeof layer, "%s.excite_%s", name, MODALITY[m]);
        const int channels = (int)bal_graph_shape(g, x[m]).dim[1];
        const BalVal gate = bal_graph_sigmoid(g, bal_graph_linear(g, layer, h, channels, true, BAL_TAG_GATE));
        x[m] = bal_graph_mul(g, x[m], steered(g, name, "gate", MODALITY[m], gate));
    }
}
