/* Audio-visual networks: two encoders, and the heads of late fusion (after the code of Peng et al. 2022).
 *
 * Every head also says what each modality alone contributes, from the same weights: methods balance by it, and no table of a fused
 * model can be read without it. For concat and sum the fused logits are the sum of two terms; for FiLM and gated, where they are not,
 * the head is applied once more with zero in the other modality's place. */
#include <avbalance/models.h>
#include <stdio.h>
#include <string.h>
#include "base/text.h"

static const char *const MODALITY[2] = {"audio", "visual"};
static const unsigned TAG[2] = {BAL_TAG_AUDIO, BAL_TAG_VISUAL};

static int width(const BalGraph *g, BalVal x) {
    return (int)bal_graph_shape(g, x).dim[1];
}

static BalVal nothing(BalGraph *g, const char *name, BalVal like) {
    return bal_graph_optional(g, name, bal_graph_shape(g, like));
}

/* ---- heads ---- */
/* z = W [f_a; f_v] + b; each modality has its columns of W and half of b, so that the two add up to z. */
static BalVal concat(BalGraph *g, const BalVal f[2], int n_classes, BalVal alone[2]) {
    const BalVal z = bal_graph_linear(g, "fc", bal_graph_concat(g, f, 2), n_classes, true, 0);
    alone[0] = bal_graph_linear_part(g, z, f[0], 0, 0.5);
    alone[1] = bal_graph_linear_part(g, z, f[1], width(g, f[0]), 0.5);
    return z;
}

/* z = (W_a f_a + b_a) + (W_v f_v + b_v) */
static BalVal sum(BalGraph *g, const BalVal f[2], int n_classes, BalVal alone[2]) {
    for (int m = 0; m < 2; m++) alone[m] = bal_graph_linear(g, MODALITY[m], f[m], n_classes, true, 0);
    return bal_graph_add(g, alone[0], alone[1]);
}

/* gamma * f_v + beta, [gamma; beta] = `film`, which has twice the width of f_v */
static BalVal modulate(BalGraph *g, BalVal film, BalVal f_v) {
    const int n = width(g, film) / 2;
    const BalVal beta = bal_graph_slice(g, film, n, n);
    return f_v ? bal_graph_add(g, bal_graph_mul(g, bal_graph_slice(g, film, 0, n), f_v), beta) : beta;
}

/* The sound modulates the picture: z = W (gamma * f_v + beta) + b, [gamma; beta] = W_f f_a + b_f */
static BalVal film(BalGraph *g, const BalVal f[2], int n_classes, BalVal alone[2]) {
    const BalVal both = bal_graph_linear(g, "film", f[0], 2 * width(g, f[1]), true, 0);
    const BalVal unheard = bal_graph_linear_part(g, both, nothing(g, "no_audio", f[0]), 0, 1);
    const BalVal z = bal_graph_linear(g, "fc", modulate(g, both, f[1]), n_classes, true, 0);
    alone[0] = bal_graph_linear_part(g, z, modulate(g, both, 0), 0, 1);
    alone[1] = bal_graph_linear_part(g, z, modulate(g, unheard, f[1]), 0, 1);
    return z;
}

/* z = W (sigmoid(W_a f_a + b_a) * (W_v f_v + b_v)) + b */
static BalVal gated(BalGraph *g, const BalVal f[2], int n_classes, BalVal alone[2]) {
    static const char *const no[2] = {"no_audio", "no_visual"};
    BalVal h[2], without[2];
    for (int m = 0; m < 2; m++) {
        h[m] = bal_graph_linear(g, MODALITY[m], f[m], width(g, f[1]), true, 0);
        without[m] = bal_graph_linear_part(g, h[m], nothing(g, no[m], f[m]), 0, 1);
    }
    h[0] = bal_graph_sigmoid(g, h[0]);
    without[0] = bal_graph_sigmoid(g, without[0]);
    const BalVal z = bal_graph_linear(g, "fc", bal_graph_mul(g, h[0], h[1]), n_classes, true, 0);
    alone[0] = bal_graph_linear_part(g, z, bal_graph_mul(g, h[0], without[1]), 0, 1);
    alone[1] = bal_graph_linear_part(g, z, bal_graph_mul(g, without[0], h[1]), 0, 1);
    return z;
}

/* concat, and for each modality a linear layer of its own */
static BalVal heads(BalGraph *g, const BalVal f[2], int n_classes, BalVal alone[2]) {
    const BalVal z = bal_graph_linear(g, "fc", bal_graph_concat(g, f, 2), n_classes, true, 0);
    for (int m = 0; m < 2; m++) alone[m] = bal_graph_linear(g, MODALITY[m], f[m], n_classes, true, 0);
    return z;
}

#define OGM "Peng et al. 2022, Balanced Multimodal Learning via On-the-fly Gradient Modulation"
static const BalFusionOps fusions[] = {
    {"concat", "one linear layer over both features", OGM, concat},
    {"sum", "a linear layer per modality, logits added", OGM, sum},
    {"film", "sound scales and shifts the features of the picture", "Perez et al. 2018, FiLM: Visual Reasoning", film},
    {"gated", "sound gates the features of the picture",
     "Kiela et al. 2018, Efficient Large-Scale Multi-Modal Classification", gated},
    {"heads", "one linear layer over both features, and one for each: three logits to be trained",
     "Wang et al. 2020, What Makes Training Multi-Modal Classification Networks Hard?", heads},
};
enum { N_FUSIONS = sizeof fusions / sizeof *fusions };

int bal_fusion_count(void) {
    return N_FUSIONS;
}
const BalFusionOps *bal_fusion_at(int i) {
    return i < 0 || i >= N_FUSIONS ? NULL : &fusions[i];
}

BalStatus bal_fusion_find(const BalFusionOps **out, const char *name, BalError *err) {
    const char *names[N_FUSIONS];
    for (int i = 0; i < N_FUSIONS; i++) {
        names[i] = fusions[i].name;
        if (strcmp(name, names[i])) continue;
        *out = &fusions[i];
        return BAL_OK;
    }
    const char *near = bal_closest(name, names, N_FUSIONS);
    return BAL_FAIL(err, BAL_E_ARG, "no fusion is called \"%s\"%s%s%s; there are concat, sum, film, gated, heads", name,
                    near ? ": did you mean \"" : "", near ? near : "", near ? "\"" : "");
}

/* ---- networks ---- */
static void inputs(BalGraph *g, BalShape audio, BalShape visual, BalVal x[2]) {
    bal_graph_scope(g, "", 0);
    x[0] = bal_graph_input(g, "audio", audio);
    x[1] = bal_graph_input(g, "visual", visual);
}

static void scope(BalGraph *g, int m) {
    bal_graph_scope(g, m ? "visual." : "audio.", TAG[m]);
}

/* Maps to features, with their outputs and masks. */
static void features(BalGraph *g, BalVal x[2]) {
    bal_graph_scope(g, "", 0);
    for (int m = 0; m < 2; m++) {
        x[m] = bal_graph_mean(g, x[m]);
        bal_graph_output(g, m ? "features_visual" : "features_audio", x[m]);
        x[m] = bal_graph_scale(g, m ? "visual.keep" : "audio.keep", x[m]);
    }
}

void bal_fusion_encode(BalGraph *g, const BalModelOps *encoder, BalShape audio, BalShape visual, BalVal f[2]) {
    bal_fusion_encode_gated(g, encoder, audio, visual, 0, f);
}

void bal_fusion_encode_gated(BalGraph *g, const BalModelOps *encoder, BalShape audio, BalShape visual, int n_gates,
                             BalVal f[2]) {
    char name[16];
    inputs(g, audio, visual, f);
    for (int i = 0; i < encoder->n_stages; i++) {
        for (int m = 0; m < 2; m++) {
            scope(g, m);
            f[m] = encoder->stage(g, i, f[m]);
        }
        if (i < encoder->n_stages - n_gates) continue;
        snprintf(name, sizeof name, "mmtm%d", i);
        bal_mmtm(g, name, f);
    }
    features(g, f);
}

void bal_fusion_head(BalGraph *g, const BalFusionOps *fusion, const BalVal f[2], int n_classes) {
    BalVal alone[2];
    bal_graph_scope(g, "head.", BAL_TAG_SHARED);
    bal_graph_output(g, "logits", fusion->head(g, f, n_classes, alone));
    bal_graph_output(g, "logits_audio", alone[0]);
    bal_graph_output(g, "logits_visual", alone[1]);
}
