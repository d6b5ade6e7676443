/* Three strided convolutions: an encoder that trains in seconds on the reference backend, for tests and for dry runs of a recipe. */
#include <avbalance/models.h>
#include <stdio.h>

static BalVal encode(BalGraph *g, BalVal x, const BalModelOps *self) {
    (void)self;
    static const int channels[] = {16, 16, 32};
    for (int i = 0; i < 3; i++) {
        char name[8];
        const BalConvAttr a = {.out_ch = channels[i], .kernel = {1, 3, 3}, .stride = {1, 2, 2}, .pad = {0, 1, 1}};
        snprintf(name, sizeof name, "conv%d", i + 1);
        x = bal_graph_conv(g, name, x, a);
        snprintf(name, sizeof name, "bn%d", i + 1);
        x = bal_graph_bn(g, name, x, 0, true);
    }
    return bal_graph_mean(g, x);
}

const BalModelOps bal_model_tiny = {
    .name = "tiny",
    .summary = "three convolutions, 7 thousand parameters: for tests and dry runs",
    .paper = "",
    .features = 32,
    .encode = encode,
};
