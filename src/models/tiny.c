/* Three strided convolutions: an encoder that trains in seconds on the reference backend, for tests and for dry runs of a recipe. */
#include <avbalance/models.h>
#include <stdio.h>

static BalVal stage(BalGraph *g, int i, BalVal x) {
    static const int channels[] = {16, 16, 32};
    char name[16];
    const BalConvAttr a = {.out_ch = channels[i], .kernel = {1, 3, 3}, .stride = {1, 2, 2}, .pad = {0, 1, 1}};
    snprintf(name, sizeof name, "conv%d", i + 1);
    x = bal_graph_conv(g, name, x, a);
    snprintf(name, sizeof name, "bn%d", i + 1);
    return bal_graph_bn(g, name, x, 0, true);
}

const BalModelOps bal_model_tiny = {
    .name = "tiny",
    .summary = "three convolutions, 7 thousand parameters: for tests and dry runs",
    .paper = "",
    .features = 32,
    .n_stages = 3,
    .stage = stage,
};
