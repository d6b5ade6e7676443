/* ResNet-18 (He et al. 2016) with torchvision's layout and parameter names, without its final linear layer.
 *
 * Stem 7x7/2, batch norm, ReLU, 3x3/2 max pool; four stages of two basic blocks, 64 128 256 512 channels; mean over space and over
 * the rows (frames) of a clip. Frames are folded into the batch, so they share weights and batch statistics.
 * Any number of input channels: 1 for spectrograms and grey frames, 3 for colour. */
#include <avbalance/models.h>
#include <stdio.h>

static BalVal conv(BalGraph *g, const char *name, BalVal x, int out, int kernel, int stride, unsigned tags) {
    BalConvAttr a = {.out_ch = out,
                     .kernel = {1, kernel, kernel},
                     .stride = {1, stride, stride},
                     .pad = {0, kernel / 2, kernel / 2},
                     .tags = tags};
    return bal_graph_conv(g, name, x, a);
}

/* y = relu(bn2(conv2(relu(bn1(conv1(x))))) + shortcut(x)); the shortcut is a 1x1 convolution where the shape changes. */
static BalVal block(BalGraph *g, int layer, int index, BalVal x, int out, int stride) {
    char name[48];
    const bool changes = stride != 1 || bal_graph_shape(g, x).dim[1] != out;
    BalVal shortcut = x, y;
#define NAME(what) (snprintf(name, sizeof name, "layer%d.%d." what, layer, index), name)
    y = conv(g, NAME("conv1"), x, out, 3, stride, 0);
    y = bal_graph_bn(g, NAME("bn1"), y, 0, true);
    y = conv(g, NAME("conv2"), y, out, 3, 1, 0);
    if (changes) {
        shortcut = conv(g, NAME("downsample.0"), x, out, 1, stride, BAL_TAG_SHORTCUT);
        shortcut = bal_graph_bn(g, NAME("downsample.1"), shortcut, 0, false);
    }
    return bal_graph_bn(g, NAME("bn2"), y, shortcut, true);
#undef NAME
}

/* Stage 0 is the stem, 1 to 4 are torchvision's layer1 to layer4. */
static BalVal stage(BalGraph *g, int layer, BalVal x) {
    if (layer == 0) {
        x = conv(g, "conv1", x, 64, 7, 2, BAL_TAG_STEM);
        x = bal_graph_bn(g, "bn1", x, 0, true);
        return bal_graph_maxpool(g, x, (BalPoolAttr){.kernel = {1, 3, 3}, .stride = {1, 2, 2}, .pad = {0, 1, 1}});
    }
    for (int i = 0; i < 2; i++) x = block(g, layer, i, x, 32 << layer, layer > 1 && i == 0 ? 2 : 1);
    return x;
}

const BalModelOps bal_model_resnet18 = {
    .name = "resnet18",
    .summary = "residual network of 18 layers, 11.2 million parameters, torchvision's names",
    .paper = "He et al. 2016, Deep Residual Learning for Image Recognition",
    .features = 512,
    .n_stages = 5,
    .stage = stage,
};
