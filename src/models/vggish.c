/* VGGish (Hershey et al. 2017, CNN Architectures for Large-Scale Audio Classification), in the names of its torch port.
 *
 * Six convolutions of 3x3 with bias and ReLU and four pools of 2x2 turn a patch of 96 frames x 64 mel bands into 6x4x512, flattened in
 * the order time, mel, channel, as its authors' channels-last code does; three linear layers give the embedding of 128. Names count all layers
 * of the port's sequences, so features.0 3 6 8 11 13 and embeddings.0 2 4. There is no batch norm. As an encoder it ends in the
 * ReLU that the port puts on the embedding, and a clip's feature is the mean over its patches. */
#include <avbalance/models.h>
#include <stdio.h>

enum { GROUPS = 4, LAYERS = 6 };
static const int FIRST[GROUPS + 1] = {0, 1, 2, 4, LAYERS}; /* layers of each group; a pool behind each */
static const int INDEX[LAYERS] = {0, 3, 6, 8, 11, 13};     /* among the port's layers */

BalVggish bal_vggish_default(void) {
    return (BalVggish){{64, 128, 256, 256, 512, 512}, {4096, 4096}, 128};
}

static BalVal group(BalGraph *g, const BalVggish *net, int i, BalVal x) {
    static const BalPoolAttr pool = {.kernel = {1, 2, 2}, .stride = {1, 2, 2}};
    char name[24];
    for (int k = FIRST[i]; k < FIRST[i + 1]; k++) {
        const BalConvAttr a = {.out_ch = net->channels[k],
                               .kernel = {1, 3, 3},
                               .stride = {1, 1, 1},
                               .pad = {0, 1, 1},
                               .bias = true,
                               .tags = k == 0 ? BAL_TAG_STEM : 0};
        snprintf(name, sizeof name, "features.%d", INDEX[k]);
        x = bal_graph_relu(g, bal_graph_conv(g, name, x, a));
    }
    return bal_graph_maxpool(g, x, pool);
}

static BalVal embed(BalGraph *g, const BalVggish *net, BalVal x) {
    x = bal_graph_flatten(g, x);
    x = bal_graph_relu(g, bal_graph_linear(g, "embeddings.0", x, net->fc[0], true, BAL_TAG_TRUNK));
    x = bal_graph_relu(g, bal_graph_linear(g, "embeddings.2", x, net->fc[1], true, BAL_TAG_TRUNK));
    return bal_graph_linear(g, "embeddings.4", x, net->embedding, true, BAL_TAG_TRUNK);
}

BalVal bal_vggish(BalGraph *g, const BalVggish *net, BalVal x) {
    for (int i = 0; i < GROUPS; i++) x = group(g, net, i, x);
    return embed(g, net, x);
}

static BalVal stage(BalGraph *g, int i, BalVal x) {
    const BalVggish net = bal_vggish_default();
    return i < GROUPS ? group(g, &net, i, x) : bal_graph_relu(g, embed(g, &net, x));
}

const BalModelOps bal_model_vggish = {
    .name = "vggish",
    .summary = "VGG of 6 convolutions and 3 linear layers on patches of 96 x 64 log-mel, 72.1 million parameters",
    .paper = "Hershey et al. 2017, CNN Architectures for Large-Scale Audio Classification",
    .features = 128,
    .n_stages = GROUPS + 1,
    .stage = stage,
    .patch = {96, 64},
};
