/* SlowFast networks (Feichtenhofer et al. 2019) with bottlenecks and without their training: the published Kinetics models.
 *
 * Structure and names are PySlowFast's, so that its weights load by name:
 *
 *   s1.pathway{p}_stem.conv|bn, s{1..4}_fuse.conv_f2s|bn, s{2..5}.pathway{p}_res{i}.branch1|branch1_bn (i = 0 only),
 *   s{2..5}.pathway{p}_res{i}.branch2.{a,b,c}|{a,b,c}_bn, head.projection
 *
 * A bottleneck is a: kt x 1 x 1, b: 1 x 3 x 3 with the stride in space, c: 1 x 1 x 1. The slow pathway looks at time only in the stages
 * 4 and 5 (kt = 3), the fast one in all. After stages 1 to 4 the fast maps, brought to the slow rate by a convolution of stride
 * alpha in time with twice the channels, are put behind the slow ones. The head pools over time and pool x pool positions and answers at
 * each place that is left. */
#include <avbalance/models.h>
#include <stdio.h>

enum { SLOW, FAST, PATHWAYS };

typedef struct Build {
    BalGraph *g;
    const BalSlowfast *net;
    BalVal x[PATHWAYS];
} Build;

BalSlowfast bal_slowfast_8x8(int n_classes, int height) {
    return (BalSlowfast){.width = 64,
                         .beta_inv = 8,
                         .alpha = 4,
                         .fusion_kernel = 7,
                         .depth = {3, 4, 6, 3},
                         .frames = 32,
                         .height = height,
                         .pool = 7,
                         .n_classes = n_classes};
}

BalSlowfast bal_slowfast_4x16(int n_classes, int height) {
    BalSlowfast net = bal_slowfast_8x8(n_classes, height);
    net.alpha = 8;
    net.fusion_kernel = 5;
    return net;
}

/* A convolution with the padding that keeps sizes at stride 1, and its batch norm: the layers conv and bn of a module. */
static BalVal conv_bn(const Build *b, const char *module, const char *conv, const char *bn, BalVal x, BalConvAttr a,
                      BalVal residual, bool relu) {
    char name[64];
    for (int i = 0; i < 3; i++) a.pad[i] = a.kernel[i] / 2;
    snprintf(name, sizeof name, "%s.%s", module, conv);
    x = bal_graph_conv(b->g, name, x, a);
    snprintf(name, sizeof name, "%s.%s", module, bn);
    return bal_graph_bn(b->g, name, x, residual, relu);
}

static void trace(const Build *b, const char *stage, int p) {
    char name[40];
    snprintf(name, sizeof name, "%.20s.p%d", stage, p);
    if (b->net->trace) bal_graph_output(b->g, name, b->x[p]);
}

static int width(const Build *b, int p) {
    return p == SLOW ? b->net->width : b->net->width / b->net->beta_inv;
}

static void stem(Build *b) {
    static const BalPoolAttr pool = {.kernel = {1, 3, 3}, .stride = {1, 2, 2}, .pad = {0, 1, 1}};
    char module[32];
    for (int p = 0; p < PATHWAYS; p++) {
        const BalConvAttr a = {
            .out_ch = width(b, p), .kernel = {p == SLOW ? 1 : 5, 7, 7}, .stride = {1, 2, 2}, .tags = BAL_TAG_STEM};
        snprintf(module, sizeof module, "s1.pathway%d_stem", p);
        b->x[p] = bal_graph_maxpool(b->g, conv_bn(b, module, "conv", "bn", b->x[p], a, 0, true), pool);
        trace(b, "s1", p);
    }
}

/* The fast maps at the slow rate, behind the slow ones. */
static void fuse(Build *b, int stage) {
    const BalConvAttr a = {.out_ch = 2 * (int)bal_graph_shape(b->g, b->x[FAST]).dim[1],
                           .kernel = {b->net->fusion_kernel, 1, 1},
                           .stride = {b->net->alpha, 1, 1}};
    char module[16];
    snprintf(module, sizeof module, "s%d_fuse", stage);
    const BalVal across = conv_bn(b, module, "conv_f2s", "bn", b->x[FAST], a, 0, true);
    b->x[SLOW] = bal_graph_concat(b->g, (BalVal[]){b->x[SLOW], across}, 2);
    trace(b, module, SLOW);
}

static BalVal block(const Build *b, int stage, int p, int i, BalVal x) {
    const int inner = width(b, p) << (stage - 2), s = i == 0 && stage > 2 ? 2 : 1;
    const BalConvAttr one = {.out_ch = 4 * inner, .kernel = {1, 1, 1}, .stride = {1, 1, 1}};
    const BalConvAttr branch1 = {
        .out_ch = 4 * inner, .kernel = {1, 1, 1}, .stride = {1, s, s}, .tags = BAL_TAG_SHORTCUT};
    const BalConvAttr a = {.out_ch = inner, .kernel = {p == FAST || stage > 3 ? 3 : 1, 1, 1}, .stride = {1, 1, 1}};
    const BalConvAttr square = {.out_ch = inner, .kernel = {1, 3, 3}, .stride = {1, s, s}};
    char module[32];
    snprintf(module, sizeof module, "s%d.pathway%d_res%d", stage, p, i);
    const BalVal shortcut = i ? x : conv_bn(b, module, "branch1", "branch1_bn", x, branch1, 0, false);
    x = conv_bn(b, module, "branch2.a", "branch2.a_bn", x, a, 0, true);
    x = conv_bn(b, module, "branch2.b", "branch2.b_bn", x, square, 0, true);
    return conv_bn(b, module, "branch2.c", "branch2.c_bn", x, one, shortcut, true);
}

static void stage(Build *b, int k) {
    char name[16];
    snprintf(name, sizeof name, "s%d", k);
    for (int p = 0; p < PATHWAYS; p++) {
        for (int i = 0; i < b->net->depth[k - 2]; i++) b->x[p] = block(b, k, p, i, b->x[p]);
        trace(b, name, p);
    }
}

static BalVal head(Build *b) {
    for (int p = 0; p < PATHWAYS; p++) {
        const BalPoolAttr pool = {.kernel = {(int)bal_graph_shape(b->g, b->x[p]).dim[2], b->net->pool, b->net->pool},
                                  .stride = {1, 1, 1}};
        b->x[p] = bal_graph_avgpool(b->g, b->x[p], pool);
    }
    const BalVal f = bal_graph_positions(b->g, bal_graph_concat(b->g, b->x, PATHWAYS));
    return bal_graph_linear(b->g, "head.projection", f, b->net->n_classes, true, 0);
}

void bal_slowfast(BalGraph *g, const BalSlowfast *net) {
    const int t = net->frames, h = net->height;
    Build b = {.g = g, .net = net};
    b.x[SLOW] = bal_graph_input(g, "slow", (BalShape){5, {1, 3, t / net->alpha, h, h}});
    b.x[FAST] = bal_graph_input(g, "fast", (BalShape){5, {1, 3, t, h, h}});
    stem(&b);
    for (int k = 2; k <= 5; k++) {
        fuse(&b, k - 1);
        stage(&b, k);
    }
    bal_graph_output(g, "logits", head(&b));
}
