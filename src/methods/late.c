/* Late fusion: two encoders that meet in the head, trained with the cross-entropy of the fused logits.
 *
 * These are the baselines; "concat" is what the field calls vanilla late fusion. They need no hook. The encoders' parameters carry the
 * model's own names under "audio." and "visual.". */
#include "methods/late.h"
#include <avbalance/models.h>
#include "methods/registry.h"

const char *const bal_late_choices[] = {"concat", "sum", "film", "gated", NULL};

void bal_late_build(int fusion, const BalNetSpec *net, BalGraph *g) {
    BalVal f[2];
    bal_fusion_encode(g, net->encoder, net->audio, net->visual, f);
    bal_fusion_head(g, bal_fusion_at(fusion), f, net->n_classes);
}

void bal_late_build_kept(const BalNetSpec *net, BalGraph *g) {
    BalVal f[2];
    bal_fusion_encode(g, net->encoder, net->audio, net->visual, f);
    bal_fusion_head(g, bal_fusion_at(LATE_CONCAT), f, net->n_classes);
    const BalVal z = bal_graph_find(g, "logits");
    bal_graph_output(g, "kept_audio", bal_graph_linear_part(g, z, f[0], 0, 1));
    bal_graph_output(g, "kept_visual", bal_graph_linear_part(g, z, f[1], net->encoder->features, 1));
}

#define LATE(method, fusion, what, from)                                                                               \
    static BalStatus build_##method(void *self, const BalNetSpec *net, BalGraph *g, BalMethodNeeds *needs,             \
                                    BalError *err) {                                                                   \
        (void)self, (void)needs, (void)err;                                                                            \
        bal_late_build(fusion, net, g);                                                                                \
        return BAL_OK;                                                                                                 \
    }                                                                                                                  \
    const BalMethodOps bal_method_##method = {.name = #method,                                                         \
                                              .summary = what,                                                         \
                                              .paper = from,                                                           \
                                              .cost = {1, 1, NULL},                                                    \
                                              .inputs = BAL_TAG_AUDIO | BAL_TAG_VISUAL,                                \
                                              .build = build_##method}

LATE(concat, LATE_CONCAT, "late fusion: one linear layer over both features",
     "Peng et al. 2022, Balanced Multimodal Learning via On-the-fly Gradient Modulation");
LATE(sum, LATE_SUM, "late fusion: a linear layer per modality, logits added",
     "Peng et al. 2022, Balanced Multimodal Learning via On-the-fly Gradient Modulation");
LATE(film, LATE_FILM, "late fusion: sound scales and shifts the features of the picture",
     "Perez et al. 2018, FiLM: Visual Reasoning with a General Conditioning Layer");
LATE(gated, LATE_GATED, "late fusion: sound gates the features of the picture",
     "Kiela et al. 2018, Efficient Large-Scale Multi-Modal Classification");
