/* Networks as static graphs: described once without data, then planned and run by a session (session.h).
 *
 * Builders return a value id and never fail; bal_graph_finish reports the first mistake with the name of the layer.
 * Shapes are per clip: the leading dimension is the number of rows that one clip gives (1, or K where K frames are folded into
 * the batch); a session with n clips sees n * rows rows. Axes: N C [K] H W. */
#ifndef AVBALANCE_GRAPH_H
#define AVBALANCE_GRAPH_H

#include <stdbool.h>
#include <stdint.h>
#include <avbalance/error.h>

#define BAL_MAX_DIMS 5
typedef enum BalDtype { BAL_F32, BAL_BF16 } BalDtype;
typedef struct BalShape {
    int rank;
    int64_t dim[BAL_MAX_DIMS];
} BalShape; /* outermost first; unused = 1 */

typedef struct BalGraph BalGraph;
typedef int32_t BalVal; /* a value; 0 = none or a builder's failure */

/* Tags of parameters, by which methods choose what to modulate (any bits may be combined in a query). */
typedef enum BalTag {
    BAL_TAG_AUDIO = 1,
    BAL_TAG_VISUAL = 2,
    BAL_TAG_SHARED = 4,
    BAL_TAG_AUX = 8, /* whose encoder it is */
    BAL_TAG_STEM = 16,
    BAL_TAG_CONV = 32,
    BAL_TAG_SHORTCUT = 64,
    BAL_TAG_BN = 128, /* what it is          */
    BAL_TAG_FC = 256,
    BAL_TAG_GATE = 512,
    BAL_TAG_FROZEN = 1024, /* a scope whose parameters are never trained: teachers */
    BAL_TAG_NONE = 2048,   /* of queries: no parameter has it */
    BAL_TAG_TRUNK = 4096,  /* a linear layer inside an encoder, which is no head */
    BAL_TAG_HEAD = 8192,   /* the layer that answers, of the unimodal methods */
} BalTag;

BAL_API BAL_MUST_USE BalStatus bal_graph_create(BalGraph **out, BalError *err);
BAL_API void bal_graph_destroy(BalGraph **g);
/* Parameters made from here on: names begin with prefix ("" or "audio."), tags hold `tags` besides what the layer adds. With
 * BAL_TAG_FROZEN they are constants: no gradient, no update, and batch norm uses its running statistics in every mode, unmoved; no
 * trainable layer may come before them. */
BAL_API void bal_graph_scope(BalGraph *g, const char *prefix, unsigned tags);

BAL_API BalVal bal_graph_input(BalGraph *g, const char *name, BalShape shape);
/* An input that is zero until it is set, and again once it is set to NULL: what takes the place of a gate or of a modality. */
BAL_API BalVal bal_graph_optional(BalGraph *g, const char *name, BalShape shape);
typedef struct BalConvAttr {
    int out_ch, kernel[3], stride[3], pad[3];
    bool bias;
    unsigned tags;
} BalConvAttr; /* K H W; rank 4 uses [1],[2] */
BAL_API BalVal bal_graph_conv(BalGraph *g, const char *name, BalVal x, BalConvAttr attr);
/* y = act(bn(x) + residual); residual 0: none. eps 1e-5, momentum 0.1, unbiased running variance, as torch. */
BAL_API BalVal bal_graph_bn(BalGraph *g, const char *name, BalVal x, BalVal residual, bool relu);
BAL_API BalVal bal_graph_relu(BalGraph *g, BalVal x);
BAL_API BalVal bal_graph_sigmoid(BalGraph *g, BalVal x);
typedef struct BalPoolAttr {
    int kernel[3], stride[3], pad[3];
} BalPoolAttr;
BAL_API BalVal bal_graph_maxpool(BalGraph *g, BalVal x, BalPoolAttr attr);
BAL_API BalVal bal_graph_avgpool(BalGraph *g, BalVal x,
                                 BalPoolAttr attr); /* padding counts in the mean, as torch's default */
/* Mean over all spatial axes and over the rows of a clip: [rows,C,...] -> [1,C]. */
BAL_API BalVal bal_graph_mean(BalGraph *g, BalVal x);
/* All values of a row in the order space, channel, as networks with channels last flatten: [rows,C,...] -> [rows,space*C]. */
BAL_API BalVal bal_graph_flatten(BalGraph *g, BalVal x);
/* Every position as a row of its own, for a head that answers at each: [rows,C,...] -> [rows*space,C]. */
BAL_API BalVal bal_graph_positions(BalGraph *g, BalVal x);
BAL_API BalVal bal_graph_linear(BalGraph *g, const char *name, BalVal x, int out, bool bias, unsigned tags);
/* The weight W [O,I] and bias b of the linear layer that made `of`, used once more: y = W[:, first : first + C] x + bias_share b for
 * x [rows,C]; without a bias there is none. Its gradients are added to those of that layer. */
BAL_API BalVal bal_graph_linear_part(BalGraph *g, BalVal of, BalVal x, int first, double bias_share);
BAL_API BalVal bal_graph_add(BalGraph *g, BalVal a, BalVal b);
/* Elementwise; b may be [1,C] or [rows,C] against a's [rows,C,...]: then b is spread over space (and frames). */
BAL_API BalVal bal_graph_mul(BalGraph *g, BalVal a, BalVal b);
BAL_API BalVal bal_graph_concat(BalGraph *g, const BalVal *x, int n);    /* on the channel axis */
BAL_API BalVal bal_graph_slice(BalGraph *g, BalVal x, int first, int n); /* channels first to first + n - 1 */
/* Multiply each clip's rows by a coefficient that the session holds under `name` ([n] floats, 1 until set): masks, dropout. */
BAL_API BalVal bal_graph_scale(BalGraph *g, const char *name, BalVal x);
/* A value that can be read after forward and be given a gradient before backward: logits, features. */
BAL_API void bal_graph_output(BalGraph *g, const char *name, BalVal x);
BAL_API BalVal bal_graph_find(const BalGraph *g,
                              const char *name); /* an output, an input or a scale by name; 0: none */
/* After it builders make 0, and outputs are not added. */
BAL_API BAL_MUST_USE BalStatus bal_graph_finish(BalGraph *g, BalError *err);
BAL_API BalShape bal_graph_shape(const BalGraph *g, BalVal x);
/* Multiply-accumulates of the convolutions and linear layers for one clip, padding counted, as the literature does. */
BAL_API int64_t bal_graph_macs(const BalGraph *g);

#endif
