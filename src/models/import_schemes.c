/* Networks whose tensors are known by name and shape, and how others call them.
 *
 * Each network is a loop over its layers; each layer names a row of its family's table, in which column 0 is the name here and the others
 * are spellings of it. {p} {k} ... in a row stand for numbers of the layer. Sources: PySlowFast (model and Caffe2 converter),
 * pytorchvideo, torchvggish and tensorflow/models' VGGish, torchvision, VGG-Sound. */
#include <assert.h>
#include <stdio.h>
#include <string.h>
#include "base/mem.h"
#include "base/text.h"
#include "models/import.h"

typedef struct Layer { /* what the letters of a row stand for */
    int p, k, i, l; /* {p} pathway, {k} stage, {j} = k - 1, {i} block, {l} last block; {t} "t_" on the fast pathway */
    const char *x, *b, *s; /* {x} convolution, {b} tensor of a batch norm, {s} Caffe2's word for it */
} Layer;

enum { MAX_SCHEMES = 3 };
typedef const char *Row[MAX_SCHEMES];

static void spell(char *out, size_t n, const char *row, const Layer *a) {
    size_t at = 0;
    for (; *row && at + 1 < n; row++) {
        if (row[0] != '{') {
            out[at++] = *row;
            continue;
        }
        const char c = row[1];
        const char *word = c == 'x' ? a->x : c == 'b' ? a->b : c == 's' ? a->s : c == 't' ? (a->p ? "t_" : "") : NULL;
        const int number = c == 'p' ? a->p : c == 'k' ? a->k : c == 'j' ? a->k - 1 : c == 'i' ? a->i : a->l;
        if (word)
            at += (size_t)snprintf(out + at, n - at, "%s", word);
        else
            at += (size_t)snprintf(out + at, n - at, "%d", number);
        row += 2;
    }
    assert(!*row && at < n);
    out[at] = '\0';
}

typedef struct List { /* a network as it is being listed */
    BalWants *out;
    int scheme;
    BalStatus rc;
    BalError *err;
} List;

/* Append a tensor; the scheme may lack it (a batch norm's counter in Caffe2). */
static BalWant *want(List *l, const Row row, const Layer *a, int rank, const int64_t *dim) {
    BalWants *w = l->out;
    if (l->rc < 0 || !row[l->scheme]) return NULL;
    if ((l->rc = bal_grow(&w->want, &w->cap, (size_t)w->n + 1, sizeof *w->want, l->err)) < 0) return NULL;
    BalWant *t = &w->want[w->n++];
    *t = (BalWant){.rank = rank};
    spell(t->name, sizeof t->name, row[0], a);
    spell(t->source, sizeof t->source, row[l->scheme], a);
    for (int i = 0; i < rank; i++) t->dim[i] = dim[i], t->axis[i] = (unsigned char)i;
    return t;
}

#define DIM(...) ((const int64_t[]){__VA_ARGS__})

static void batch_norm(List *l, const Row row, const Row counter, Layer a, int channels) {
    static const char *const part[4][2] = {{"weight", "s"},
                                           {"bias", "b"},
                                           {"running_mean", "rm"},
                                           {"running_var", "riv"}}; /* riv: the variance, in spite of its name */
    for (int i = 0; i < 4; i++) {
        a.b = part[i][0], a.s = part[i][1];
        want(l, row, &a, 1, DIM(channels));
    }
    BalWant *t = want(l, counter, &a, 0, DIM(0));
    if (t) t->optional = true;
}

/* ---- SlowFast R50 ---- */
enum { STEM, STEM_BN, FUSE1, FUSE1_BN, FUSE, FUSE_BN, SHORTCUT, SHORTCUT_BN, CONV, CONV_BN, HEAD_W, HEAD_B };
static const Row slowfast[] = {
    /* PySlowFast, pytorchvideo, Caffe2 */
    [STEM] = {"s1.pathway{p}_stem.conv.weight", "blocks.0.multipathway_blocks.{p}.conv.weight", "{t}conv1_w"},
    [STEM_BN] = {"s1.pathway{p}_stem.bn.{b}", "blocks.0.multipathway_blocks.{p}.norm.{b}", "{t}res_conv1_bn_{s}"},
    [FUSE1] = {"s1_fuse.conv_f2s.weight", "blocks.0.multipathway_fusion.conv_fast_to_slow.weight",
               "t_pool1_subsample_w"},
    [FUSE1_BN] = {"s1_fuse.bn.{b}", "blocks.0.multipathway_fusion.norm.{b}", "t_pool1_subsample_bn_{s}"},
    [FUSE] = {"s{k}_fuse.conv_f2s.weight", "blocks.{j}.multipathway_fusion.conv_fast_to_slow.weight",
              "t_res{k}_{l}_branch2c_bn_subsample_w"},
    [FUSE_BN] = {"s{k}_fuse.bn.{b}", "blocks.{j}.multipathway_fusion.norm.{b}",
                 "t_res{k}_{l}_branch2c_bn_subsample_bn_{s}"},
    [SHORTCUT] = {"s{k}.pathway{p}_res{i}.branch1.weight",
                  "blocks.{j}.multipathway_blocks.{p}.res_blocks.{i}.branch1_conv.weight", "{t}res{k}_{i}_branch1_w"},
    [SHORTCUT_BN] = {"s{k}.pathway{p}_res{i}.branch1_bn.{b}",
                     "blocks.{j}.multipathway_blocks.{p}.res_blocks.{i}.branch1_norm.{b}",
                     "{t}res{k}_{i}_branch1_bn_{s}"},
    [CONV] = {"s{k}.pathway{p}_res{i}.branch2.{x}.weight",
              "blocks.{j}.multipathway_blocks.{p}.res_blocks.{i}.branch2.conv_{x}.weight",
              "{t}res{k}_{i}_branch2{x}_w"},
    [CONV_BN] = {"s{k}.pathway{p}_res{i}.branch2.{x}_bn.{b}",
                 "blocks.{j}.multipathway_blocks.{p}.res_blocks.{i}.branch2.norm_{x}.{b}",
                 "{t}res{k}_{i}_branch2{x}_bn_{s}"},
    [HEAD_W] = {"head.projection.weight", "blocks.6.proj.weight", "pred_w"},
    [HEAD_B] = {"head.projection.bias", "blocks.6.proj.bias", "pred_b"},
};
enum { CAFFE2 = 2 };
static const char *const slowfast_schemes[] = {"PySlowFast", "pytorchvideo", "Caffe2", NULL};

static void slowfast_bn(List *l, int row, Layer a, int channels) {
    char name[MAX_SCHEMES][128];
    Row counter = {NULL};
    for (int s = 0; s < MAX_SCHEMES; s++) { /* the same row, ending in another word */
        a.b = "num_batches_tracked";
        spell(name[s], sizeof name[s], slowfast[row][s], &a);
        counter[s] = s == CAFFE2 ? NULL : name[s];
    }
    batch_norm(l, slowfast[row], counter, a, channels);
}

static void slowfast_block(List *l, Layer a, int in, int inner, int out, int kernel) {
    static const char *const letter[3] = {"a", "b", "c"};
    const int64_t shape[3][5] = {{inner, in, kernel, 1, 1}, {inner, inner, 1, 3, 3}, {out, inner, 1, 1, 1}};
    if (a.i == 0) {
        want(l, slowfast[SHORTCUT], &a, 5, DIM(out, in, 1, 1, 1));
        slowfast_bn(l, SHORTCUT_BN, a, out);
    }
    for (int c = 0; c < 3; c++) {
        a.x = letter[c];
        want(l, slowfast[CONV], &a, 5, shape[c]);
        slowfast_bn(l, CONV_BN, a, (int)shape[c][0]);
    }
}

/* Stages 2 to 5 of 3, 4, 6, 3 blocks; the fast pathway has an eighth of the slow one's channels, and gives it twice its own. `fusion` is
 * the length in time of the convolutions in between: 7 for 8x8, 5 for 4x16. */
static BalStatus list_slowfast(BalWants *out, int fusion, int scheme, BalError *err) {
    static const int depth[6] = {0, 0, 3, 4, 6, 3}, stem[2] = {64, 8};
    List l = {out, scheme, BAL_OK, err};
    int in[2] = {stem[0] + 2 * stem[1], stem[1]};
    for (int p = 0; p < 2; p++) {
        want(&l, slowfast[STEM], &(Layer){.p = p}, 5, DIM(stem[p], 3, p ? 5 : 1, 7, 7));
        slowfast_bn(&l, STEM_BN, (Layer){.p = p}, stem[p]);
    }
    want(&l, slowfast[FUSE1], &(Layer){.k = 1}, 5, DIM(2 * stem[1], stem[1], fusion, 1, 1));
    slowfast_bn(&l, FUSE1_BN, (Layer){.k = 1}, 2 * stem[1]);
    for (int k = 2; k <= 5; k++) {
        const int inner[2] = {64 << (k - 2), 8 << (k - 2)}, made[2] = {4 * inner[0], 4 * inner[1]};
        const Layer fuse = {.k = k, .l = depth[k] - 1};
        for (int p = 0; p < 2; p++)
            for (int i = 0; i < depth[k]; i++)
                slowfast_block(&l, (Layer){.p = p, .k = k, .i = i}, i ? made[p] : in[p], inner[p], made[p],
                               p || k >= 4 ? 3 : 1);
        in[0] = made[0] + 2 * made[1], in[1] = made[1];
        if (k == 5) break;
        want(&l, slowfast[FUSE], &fuse, 5, DIM(2 * made[1], made[1], fusion, 1, 1));
        slowfast_bn(&l, FUSE_BN, fuse, 2 * made[1]);
    }
    want(&l, slowfast[HEAD_W], &(Layer){0}, 2, DIM(400, 2304));
    want(&l, slowfast[HEAD_B], &(Layer){0}, 1, DIM(400));
    return l.rc;
}

/* What the trainer kept beside the weights. */
static bool ignored_by_slowfast(int scheme, const char *name) {
    return scheme == CAFFE2 && (strstr(name, "momentum") || strstr(name, "lr") || strstr(name, "model_iter"));
}

/* ---- VGGish ---- */
static const char *const vggish_schemes[] = {"torch", "TensorFlow", NULL}, *const head_schemes[] = {"torch", NULL};
static const struct {
    Row weight, bias;
    int rank;
    int64_t dim[4];
} vggish[] = {
    {{"features.0.weight", "vggish/conv1/weights"}, {"features.0.bias", "vggish/conv1/biases"}, 4, {64, 1, 3, 3}},
    {{"features.3.weight", "vggish/conv2/weights"}, {"features.3.bias", "vggish/conv2/biases"}, 4, {128, 64, 3, 3}},
    {{"features.6.weight", "vggish/conv3/conv3_1/weights"},
     {"features.6.bias", "vggish/conv3/conv3_1/biases"},
     4,
     {256, 128, 3, 3}},
    {{"features.8.weight", "vggish/conv3/conv3_2/weights"},
     {"features.8.bias", "vggish/conv3/conv3_2/biases"},
     4,
     {256, 256, 3, 3}},
    {{"features.11.weight", "vggish/conv4/conv4_1/weights"},
     {"features.11.bias", "vggish/conv4/conv4_1/biases"},
     4,
     {512, 256, 3, 3}},
    {{"features.13.weight", "vggish/conv4/conv4_2/weights"},
     {"features.13.bias", "vggish/conv4/conv4_2/biases"},
     4,
     {512, 512, 3, 3}},
    {{"embeddings.0.weight", "vggish/fc1/fc1_1/weights"},
     {"embeddings.0.bias", "vggish/fc1/fc1_1/biases"},
     2,
     {4096, 12288}},
    {{"embeddings.2.weight", "vggish/fc1/fc1_2/weights"},
     {"embeddings.2.bias", "vggish/fc1/fc1_2/biases"},
     2,
     {4096, 4096}},
    {{"embeddings.4.weight", "vggish/fc2/weights"}, {"embeddings.4.bias", "vggish/fc2/biases"}, 2, {128, 4096}},
    {{"head.weight", NULL}, {"head.bias", NULL}, 2, {BAL_ANY, 128}},
};
enum { VGGISH_LAYERS = sizeof vggish / sizeof *vggish };

/* TensorFlow has convolutions as H W in out and matrices as in, out. Both flatten the last maps as time, mel, channel, so that the rows of
 * embeddings.0 need no other order. */
static BalStatus list_vggish(BalWants *out, int head, int scheme, BalError *err) {
    static const unsigned char hwio[4] = {3, 2, 0, 1}, io[2] = {1, 0};
    List l = {out, scheme, BAL_OK, err};
    for (int i = 0; i < VGGISH_LAYERS - !head; i++) {
        BalWant *t = want(&l, vggish[i].weight, &(Layer){0}, vggish[i].rank, vggish[i].dim);
        if (t && scheme) memcpy(t->axis, vggish[i].rank == 4 ? hwio : io, (size_t)vggish[i].rank);
        want(&l, vggish[i].bias, &(Layer){0}, 1, vggish[i].dim);
    }
    return l.rc;
}

static bool ignored_by_vggish(int scheme, const char *name) { /* torchvggish's PCA, which is not part of the network */
    return scheme == 0 && bal_has_prefix(name, "pproc.");
}

/* ---- ResNet-18 ---- */
enum {
    RES_STEM,
    RES_STEM_BN,
    RES_STEM_N,
    RES_CONV,
    RES_BN,
    RES_N,
    RES_DOWN,
    RES_DOWN_BN,
    RES_DOWN_N,
    RES_FC_W,
    RES_FC_B
};
static const char *const torchvision_schemes[] = {"torchvision", NULL}, *const vggsound_schemes[] = {"VGG-Sound", NULL};
static const Row resnet[] = {
    /* both are torchvision's, the second as part of a larger module */
    [RES_STEM] = {"conv1.weight", "audnet.conv1.weight"},
    [RES_STEM_BN] = {"bn1.{b}", "audnet.bn1.{b}"},
    [RES_STEM_N] = {"bn1.num_batches_tracked", "audnet.bn1.num_batches_tracked"},
    [RES_CONV] = {"layer{k}.{i}.conv{p}.weight", "audnet.layer{k}.{i}.conv{p}.weight"},
    [RES_BN] = {"layer{k}.{i}.bn{p}.{b}", "audnet.layer{k}.{i}.bn{p}.{b}"},
    [RES_N] = {"layer{k}.{i}.bn{p}.num_batches_tracked", "audnet.layer{k}.{i}.bn{p}.num_batches_tracked"},
    [RES_DOWN] = {"layer{k}.{i}.downsample.0.weight", "audnet.layer{k}.{i}.downsample.0.weight"},
    [RES_DOWN_BN] = {"layer{k}.{i}.downsample.1.{b}", "audnet.layer{k}.{i}.downsample.1.{b}"},
    [RES_DOWN_N] = {"layer{k}.{i}.downsample.1.num_batches_tracked",
                    "audnet.layer{k}.{i}.downsample.1.num_batches_tracked"},
    [RES_FC_W] = {"fc.weight", "audnet.fc.weight"},
    [RES_FC_B] = {"fc.bias", "audnet.fc.bias"},
};

static void resnet_block(List *l, Layer a, int in, int out) {
    for (a.p = 1; a.p <= 2; a.p++) {
        want(l, resnet[RES_CONV], &a, 4, DIM(out, a.p == 1 ? in : out, 3, 3));
        batch_norm(l, resnet[RES_BN], resnet[RES_N], a, out);
    }
    if (in == out) return;
    want(l, resnet[RES_DOWN], &a, 4, DIM(out, in, 1, 1));
    batch_norm(l, resnet[RES_DOWN_BN], resnet[RES_DOWN_N], a, out);
}

static BalStatus list_resnet(BalWants *out, int vggsound, int scheme, BalError *err) {
    List l = {out, vggsound ? 1 : scheme, BAL_OK, err};
    const int64_t classes = vggsound ? 309 : BAL_ANY;
    want(&l, resnet[RES_STEM], &(Layer){0}, 4, DIM(64, vggsound ? 1 : 3, 7, 7));
    batch_norm(&l, resnet[RES_STEM_BN], resnet[RES_STEM_N], (Layer){0}, 64);
    for (int k = 1; k <= 4; k++)
        for (int i = 0; i < 2; i++)
            resnet_block(&l, (Layer){.k = k, .i = i}, k > 1 && i == 0 ? 16 << k : 32 << k, 32 << k);
    want(&l, resnet[RES_FC_W], &(Layer){0}, 2, DIM(classes, 512));
    want(&l, resnet[RES_FC_B], &(Layer){0}, 1, DIM(classes));
    return l.rc;
}

/* ---- all ---- */
const BalNetwork bal_import_networks[] = {
    {"slowfast-8x8", "SlowFast 8x8 R50 of Kinetics-400", slowfast_schemes, 7, list_slowfast, ignored_by_slowfast},
    {"slowfast-4x16", "SlowFast 4x16 R50 of Kinetics-400", slowfast_schemes, 5, list_slowfast, ignored_by_slowfast},
    {"vggish", "VGGish up to its 128 features", vggish_schemes, 0, list_vggish, ignored_by_vggish},
    {"vggish-head", "VGGish with head.weight and head.bias for any number of classes", head_schemes, 1, list_vggish,
     ignored_by_vggish},
    {"resnet18", "torchvision's ResNet-18 of colour pictures, any number of classes", torchvision_schemes, 0,
     list_resnet, NULL},
    {"resnet18-vggsound", "VGG-Sound's ResNet-18 of spectrograms (model H)", vggsound_schemes, 1, list_resnet, NULL},
};
const int bal_import_n_networks = sizeof bal_import_networks / sizeof *bal_import_networks;
