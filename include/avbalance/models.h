/* Networks, described on the engine's graph alone: encoders, which turn the frames or the spectrogram of a clip into one feature
 * vector, heads that fuse two of them, and gates by which two encoders talk. One const table per encoder and per head. */
#ifndef AVBALANCE_MODELS_H
#define AVBALANCE_MODELS_H

#include <avbalance/error.h>
#include <avbalance/graph.h>

typedef struct BalModelOps BalModelOps;
struct BalModelOps {
    const char *name, *summary, *paper;
    int features; /* width of what bal_model_encode returns */
    /* The network stage by stage, 0 to n_stages - 1, so that methods can let two encoders meet in between (gates after some stages).
     * Adds stage i to g under the scope that is set: x [rows,C,H,W] (or [1,C,K,H,W] where the network is 3-D) -> maps of the same
     * rank. Mistakes are kept by the graph, as with every builder. */
    int n_stages;
    BalVal (*stage)(BalGraph *g, int i, BalVal x);
    int patch
        [2]; /* sound only, cut in time into rows of so many frames x bands; 0: a spectrogram of any size is one row */
};
/* Shape of the input "audio" for a feature of shape [frames,bands] (or [F,T]) per clip: [1,1,F,T], or a row per patch.
 * BAL_E_ARG: the encoder needs another feature. */
BAL_API BAL_MUST_USE BalStatus bal_model_audio(const BalModelOps *model, const int64_t feature[2], BalShape *out,
                                               BalError *err);
/* All stages, then the mean over space and over the rows of a clip: x as above -> [1,features]. */
BAL_API BalVal bal_model_encode(const BalModelOps *model, BalGraph *g, BalVal x);

/* By name; BAL_E_ARG names the closest and lists all. *out has static storage. */
BAL_API BAL_MUST_USE BalStatus bal_model_find(const BalModelOps **out, const char *name, BalError *err);
BAL_API int bal_model_count(void);
BAL_API const BalModelOps *bal_model_at(int i); /* NULL outside 0..count-1 */

/* ---- audio-visual networks ---- */
/* Inputs "audio" and "visual" ([1,1,F,T], [K,C,H,W] per clip) and an encoder for each, parameters under "audio." and "visual.".
 * f[0] audio, f[1] visual: features [1,encoder->features], readable as "features_audio" and "features_visual"; on their way to the
 * head each clip's are multiplied by the coefficients "audio.keep" and "visual.keep", 1 until set: 0 drops a modality. */
BAL_API void bal_fusion_encode(BalGraph *g, const BalModelOps *encoder, BalShape audio, BalShape visual, BalVal f[2]);
/* The same with gates (bal_mmtm) behind each of the last n_gates stages, "mmtm<stage>"; the paper's 3 of a ResNet-18 are
 * "mmtm2" to "mmtm4". */
BAL_API void bal_fusion_encode_gated(BalGraph *g, const BalModelOps *encoder, BalShape audio, BalShape visual,
                                     int n_gates, BalVal f[2]);

typedef struct BalFusionOps {
    const char *name, *summary, *paper;
    /* Layers under the scope that is set, from f as above to logits [1,n_classes]; alone[0], alone[1]: what audio, what visual alone
     * says, from the same weights and differentiable too. */
    BalVal (*head)(BalGraph *g, const BalVal f[2], int n_classes, BalVal alone[2]);
} BalFusionOps;
/* The head's parameters under "head.", its outputs "logits", "logits_audio" and "logits_visual" [1,n_classes]. */
BAL_API void bal_fusion_head(BalGraph *g, const BalFusionOps *fusion, const BalVal f[2], int n_classes);
/* By name: concat, sum, film, gated, heads; BAL_E_ARG names the closest and lists all. *out has static storage. */
BAL_API BAL_MUST_USE BalStatus bal_fusion_find(const BalFusionOps **out, const char *name, BalError *err);
BAL_API int bal_fusion_count(void);
BAL_API const BalFusionOps *bal_fusion_at(int i); /* NULL outside 0..count-1 */

/* Gates between the maps x[0] audio [rows,Ca,...] and x[1] visual [rows,Cv,...] of two encoders, which x then names: with s the means
 * over space and rows, h = relu(squeeze [s_audio; s_visual]) of width (Ca + Cv) / 2, x_m <- x_m * sigmoid(excite_m h) (MMTM, Joze et
 * al. 2020, in the form of Wu et al. 2022). Tags: GATE with SHARED (squeeze), AUDIO, VISUAL (excite).
 * Outputs [1,Cm]: "<name>.squeeze_audio", "<name>.gate_audio", ..."_visual" as computed. What is used instead is
 * keep * computed + set, with "<name>.keep_squeeze_audio" ([n], 1 until set) and "<name>.set_squeeze_audio" ([n,Cm], 0 until set), and so
 * on for "gate" and for visual: keep 0 and a mean to set freeze a gate, or cut what flows across, without a gradient. */
BAL_API void bal_mmtm(BalGraph *g, const char *name, BalVal x[2]);

/* ---- pretrained networks ---- */
/* SlowFast (Feichtenhofer et al. 2019) with bottleneck blocks, in PySlowFast's structure and names: a slow pathway that sees few
 * frames with many channels, a fast one that sees all of them with few, joined sideways after each stage but the last. */
typedef struct BalSlowfast {
    int width, beta_inv;      /* channels of the slow stem; the fast pathway has width / beta_inv */
    int alpha, fusion_kernel; /* frames of the fast pathway per slow one; taps in time of a sideways convolution */
    int depth[4];             /* blocks of stages 2 to 5 */
    int frames, height,
        pool; /* of the input of the fast pathway, height = width; positions a side under the head's pool */
    int n_classes;
    bool trace; /* every stage is an output, "s1.p0", "s1.p1", "s1_fuse.p0", ...: for tests */
} BalSlowfast;
BAL_API BalSlowfast bal_slowfast_8x8(int n_classes, int height); /* R50: 8 slow and 32 fast frames */
BAL_API BalSlowfast bal_slowfast_4x16(int n_classes, int height);
/* Inputs "slow" [1,3,frames/alpha,height,height] and "fast" [1,3,frames,height,height], output "logits" [positions,n_classes]: the head
 * answers at every position that its pool leaves (1 for a height of 224, 4 for 256). The softmax is taken at each, before the
 * mean (PySlowFast) or after it (pytorchvideo). Parameters under the scope that is set. */
BAL_API void bal_slowfast(BalGraph *g, const BalSlowfast *net);

/* VGGish (Hershey et al. 2017) in the names of its torch port: [patches,1,96,64] log-mel, time before frequency, one row per 0.96 s
 * -> [patches,embedding], before the activation that older code and the encoder "vggish" put on it. */
typedef struct BalVggish {
    int channels[6], fc[2], embedding;
} BalVggish;
BAL_API BalVggish bal_vggish_default(void); /* 64 128 256 256 512 512, 4096 4096, 128: 72.1 million parameters */
BAL_API BalVal bal_vggish(BalGraph *g, const BalVggish *net, BalVal patches);

#endif
