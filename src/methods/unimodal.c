/* One modality alone: encoder, global mean, linear head, cross-entropy.
 *
 * These two are what modality discrepancy is measured with, and the baselines that every fusion must beat. They need no hook:
 * the defaults train them. The encoder's parameters carry the model's own names ("layer1.0.conv1.weight", "fc.weight"), so that
 * the weights of a run open in torchvision unchanged. */
#include "methods/registry.h"
#include <avbalance/models.h>

static BalStatus build(BalShape shape, const char *input, unsigned tag, const BalNetSpec *net, BalGraph *g) {
    bal_graph_scope(g, "", tag);
    BalVal x = bal_graph_input(g, input, shape);
    BalVal f = bal_model_encode(net->encoder, g, x);
    bal_graph_output(g, "features", f);
    bal_graph_output(g, "logits", bal_graph_linear(g, "fc", f, net->n_classes, true, BAL_TAG_HEAD));
    return BAL_OK;
}

static BalStatus build_audio(void *self, const BalNetSpec *net, BalGraph *g, BalMethodNeeds *needs, BalError *err) {
    (void)self, (void)needs, (void)err;
    return build(net->audio, "audio", BAL_TAG_AUDIO, net, g);
}

static BalStatus build_visual(void *self, const BalNetSpec *net, BalGraph *g, BalMethodNeeds *needs, BalError *err) {
    (void)self, (void)needs, (void)err;
    return build(net->visual, "visual", BAL_TAG_VISUAL, net, g);
}

const BalMethodOps bal_method_audio = {
    .name = "audio",
    .summary = "sound alone: encoder, linear head, cross-entropy",
    .paper = "Xia et al. 2023, Balanced Audiovisual Dataset for Imbalance Analysis",
    .cost = {0.5, 0.5, NULL},
    .inputs = BAL_TAG_AUDIO,
    .build = build_audio,
};

const BalMethodOps bal_method_visual = {
    .name = "visual",
    .summary = "picture alone: encoder, linear head, cross-entropy",
    .paper = "Xia et al. 2023, Balanced Audiovisual Dataset for Imbalance Analysis",
    .cost = {0.5, 0.5, NULL},
    .inputs = BAL_TAG_VISUAL,
    .build = build_visual,
};
