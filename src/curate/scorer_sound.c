/* Scorers of sound: one decoded stretch, one feature, one pass (building.md 2.2 to 2.6).
 *
 * VGGish answers for each of ten patches of 0.96 s. Its authors and those who average over a clip do so before the head, on the embedding
 * after its ReLU; averaging probabilities instead is kinder to a short event. VGG-Sound's ResNet-18 sees the spectrogram whole. */
#include "curate/scorer.h"

#include <string.h>
#include <avbalance/features.h>
#include <avbalance/models.h>
#include "base/mem.h"

enum { VGGISH, RESNET };
enum { RATE = 16000, PATCHES = 10 };

static BalAudioRecipe recipe(const BalScorer *s) {
    BalAudioRecipe r = bal_feature_recipe_default().audio;
    r.rate_hz = RATE;
    r.seconds = 10;
    r.crop = BAL_CROP_START;
    r.normalise = BAL_NORMALISE_AUTO;
    if (s->ops->variant == VGGISH) {
        r.pipeline = BAL_AUDIO_VGGISH;
        r.fit = BAL_FIT_PAD;
        r.frames = (int64_t)PATCHES * 96;
    } else {
        r.pipeline = BAL_AUDIO_SPECTROGRAM;
        r.fit = BAL_FIT_TILE;
        r.n_fft = 512;
        r.hop = 159;
    }
    return r;
}

static BalShape input_of(BalScorer *s) {
    const BalAudioRecipe r = recipe(s);
    int64_t shape[2];
    bal_audio_shape(&r, RATE, shape);
    s->pass_floats = (size_t)(shape[0] * shape[1]);
    if (s->ops->variant == VGGISH) return (BalShape){4, {PATCHES, 1, 96, 64, 1}};
    return (BalShape){4, {1, 1, shape[0], shape[1], 1}};
}

/* "head.weight" -> "head" */
static const char *head_layer(const BalScorer *s) {
    return !strcmp(s->head, "head.weight") ? "head" : "fc";
}

static BalStatus build_vggish(BalScorer *s, BalError *err) {
    static const char *const conv[6] = {"features.0.weight", "features.3.weight",  "features.6.weight",
                                        "features.8.weight", "features.11.weight", "features.13.weight"};
    BalVggish net = {.fc = {bal_scorer_dim(s, "embeddings.0.weight", 0), bal_scorer_dim(s, "embeddings.2.weight", 0)},
                     .embedding = bal_scorer_dim(s, "embeddings.4.weight", 0)};
    int least = net.embedding;
    for (int i = 0; i < 6; i++) net.channels[i] = bal_scorer_dim(s, conv[i], 0);
    for (int i = 0; i < 6; i++) least = net.channels[i] < least ? net.channels[i] : least;
    if (least < 1 || net.fc[0] < 1 || net.fc[1] < 1)
        return BAL_FAIL(err, BAL_E_MISMATCH, "no VGGish: a layer of features.* or embeddings.* is missing");
    BalVal e = bal_graph_relu(s->g, bal_vggish(s->g, &net, bal_graph_input(s->g, "audio", input_of(s))));
    if (s->before) e = bal_graph_mean(s->g, e);
    bal_graph_output(s->g, "logits", bal_graph_linear(s->g, head_layer(s), e, s->n_classes, true, 0));
    return BAL_OK;
}

static BalStatus build_resnet(BalScorer *s, BalError *err) {
    const BalModelOps *model = NULL;
    BAL_TRY(bal_model_find(&model, "resnet18", err));
    const BalVal f = bal_model_encode(model, s->g, bal_graph_input(s->g, "audio", input_of(s)));
    bal_graph_output(s->g, "logits", bal_graph_linear(s->g, "fc", f, s->n_classes, true, 0));
    return BAL_OK;
}

/* ---- in the workers ---- */
typedef struct Worker {
    BalAudioFeature *feature;
    BalClipMedia media;
} Worker;

static void worker_close(void **worker) {
    Worker *w = *worker;
    if (!w) return;
    bal_audio_feature_destroy(&w->feature);
    bal_clip_media_reset(&w->media);
    bal_free(w);
    *worker = NULL;
}

static BalStatus worker_open(const BalScorer *s, void **worker, BalError *err) {
    const BalAudioRecipe r = recipe(s);
    Worker *w;
    BAL_TRY(bal_alloc(&w, 1, sizeof *w, err));
    *worker = w;
    BalStatus rc = bal_audio_feature_create(&w->feature, &r, err);
    if (rc < 0) worker_close(worker);
    return rc;
}

static BalStatus prepare(const BalScorer *s, void *worker, const char *path, const BalClipSpec *clip,
                         const BalMediaLimits *limits, float *out, BalError *err) {
    Worker *w = worker;
    BalClipSpec only = *clip;
    (void)s;
    only.want_audio = true;
    only.want_video = false;
    only.rate_hz = RATE;
    BAL_TRY(bal_clip_decode(path, &only, limits, &w->media, err));
    return bal_audio_feature_run(w->feature, w->media.pcm, w->media.n_samples, w->media.rate_hz, out, err);
}

static BalStatus set(BalScorer *s, const float *pass, BalError *err) {
    return bal_session_set(s->session, 0, "audio", pass, 1, err);
}

static const BalScorerView views[] = {{"clip", "the first 10 s", 1, 1, 0}, {0}};

const BalScorerOps bal_scorer_vggish = {
    .info = {.name = "vggish",
             .summary = "sound: VGGish with a linear head, ten patches of 0.96 s",
             .paper = "Hershey et al. 2017, CNN Architectures for Large-Scale Audio Classification",
             .side = BAL_AUDIO,
             .view = views,
             .before = "embeddings",
             .average_before = true},
    .variant = VGGISH,
    .head = "head.weight",
    .head_in_runs = "fc.weight",
    .build = build_vggish,
    .worker_open = worker_open,
    .worker_close = worker_close,
    .prepare = prepare,
    .set = set,
};

const BalScorerOps bal_scorer_vggsound = {
    .info = {.name = "vggsound-resnet18",
             .summary = "sound: VGG-Sound's ResNet-18 \"H\" on a spectrogram of 10 s",
             .paper = "Chen et al. 2020, VGGSound: A Large-Scale Audio-Visual Dataset",
             .side = BAL_AUDIO,
             .view = views},
    .variant = RESNET,
    .head = "fc.weight",
    .build = build_resnet,
    .worker_open = worker_open,
    .worker_close = worker_close,
    .prepare = prepare,
    .set = set,
};
