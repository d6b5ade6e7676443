/* The feature recipe and the input recipe: every number that shapes what a network sees, with range, default and help.
 *
 * Defaults are the row the field uses for Kinetics-Sounds and the balanced set: 48 kHz Kaldi log-mel 128 x 1024, one frame per
 * second, ResNet's 224 x 224 input. */
#include <avbalance/features.h>
#include <stddef.h>
#include "base/option.h"
#include "features/audio.h"

static const char *const pipelines[] = {"log-stft", "spectrogram", "kaldi-fbank", "vggish", NULL};
static const char *const fits[] = {"pad", "tile", NULL};
static const char *const crops[] = {"start", "centre", NULL};
static const char *const centres[] = {"none", "reflect", "zero", NULL};
static const char *const normalisations[] = {"auto", "none", "clip", "fixed", NULL};
static const char *const codecs[] = {"raw", "jpeg", NULL};
static const char *const colours[] = {"imagenet", "half", "none", NULL};

#define AUDIO(field)  offsetof(BalFeatureRecipe, audio.field)
#define VISUAL(field) offsetof(BalFeatureRecipe, visual.field)
#define INPUT(field)  offsetof(BalInputRecipe, field)

static const BalOption feature_table[] = {
    {"audio.pipeline", "kaldi-fbank",
     "how sound becomes a picture: log|STFT|, scipy's log spectrogram, Kaldi log-mel, VGGish log-mel", BAL_OPT_ENUM,
     AUDIO(pipeline), 0, 0, pipelines},
    {"audio.rate_hz", "48000", "sample rate; 0: the stream's own (kaldi-fbank only)", BAL_OPT_INT, AUDIO(rate_hz), 0,
     384000, NULL},
    {"audio.seconds", "10", "length of the sound used; longer is cut, shorter fitted; 0: all of it (kaldi-fbank only)",
     BAL_OPT_REAL, AUDIO(seconds), 0, 600, NULL},
    {"audio.fit", "pad", "sound that is too short: zeros after it, or repeated", BAL_OPT_ENUM, AUDIO(fit), 0, 0, fits},
    {"audio.crop", "start", "sound that is too long: keep its start or its centre", BAL_OPT_ENUM, AUDIO(crop), 0, 0,
     crops},
    {"audio.n_fft", "512", "samples per frame (log-stft, spectrogram), a multiple of 4", BAL_OPT_INT, AUDIO(n_fft), 8,
     65536, NULL},
    {"audio.hop", "159", "samples from frame to frame (log-stft, spectrogram: nperseg - noverlap)", BAL_OPT_INT,
     AUDIO(hop), 1, 65536, NULL},
    {"audio.centre", "reflect",
     "log-stft: padding by half a frame on both sides (librosa before 0.10: reflect, since: zero)", BAL_OPT_ENUM,
     AUDIO(centre), 0, 0, centres},
    {"audio.mel_bins", "128", "kaldi-fbank: mel bands", BAL_OPT_INT, AUDIO(mel_bins), 4, 512, NULL},
    {"audio.frames", "1024", "kaldi-fbank, vggish: frames kept, 100 per second", BAL_OPT_INT, AUDIO(frames), 1, 65536,
     NULL},
    {"audio.normalise", "auto",
     "clip: by each clip's mean and deviation; fixed: by audio.mean and audio.std; auto: log-stft and vggish none, "
     "spectrogram clip, kaldi-fbank fixed",
     BAL_OPT_ENUM, AUDIO(normalise), 0, 0, normalisations},
    {"audio.mean", "-4.503877", "fixed normalisation: subtracted", BAL_OPT_REAL, AUDIO(mean), -1e6, 1e6, NULL},
    {"audio.std", "10.282552", "fixed normalisation: divided by", BAL_OPT_REAL, AUDIO(std), 1e-6, 1e6, NULL},
    {"visual.fps", "1", "frames stored per second; 0: visual.n_frames per clip", BAL_OPT_REAL, VISUAL(fps), 0, 240,
     NULL},
    {"visual.n_frames", "3", "frames stored per clip where visual.fps is 0, evenly spread", BAL_OPT_INT,
     VISUAL(n_frames), 0, 1024, NULL},
    {"visual.store_size", "256", "shorter side of a stored frame in pixels, larger ones are reduced; 0: as decoded",
     BAL_OPT_INT, VISUAL(store_size), 0, 4096, NULL},
    {"visual.square", "false", "resize straight to a square of visual.store_size, as networks are tested", BAL_OPT_BOOL,
     VISUAL(square), 0, 0, NULL},
    {"visual.grey", "false", "store one channel (luma) instead of three", BAL_OPT_BOOL, VISUAL(grey), 0, 0, NULL},
    {"visual.codec", "jpeg", "stored frames: raw (exact, fast, large) or jpeg", BAL_OPT_ENUM, VISUAL(codec), 0, 0,
     codecs},
    {"visual.jpeg_quality", "95", "quality of jpeg frames", BAL_OPT_INT, VISUAL(jpeg_quality), 1, 100, NULL},
    {NULL, NULL, NULL, BAL_OPT_BOOL, 0, 0, 0, NULL},
};

static const BalOption input_table[] = {
    {"input.image_size", "224", "height and width of the network's picture input", BAL_OPT_INT, INPUT(image_size), 8,
     1024, NULL},
    {"input.frames", "3",
     "frames per clip, one of each equal part of those stored: random in training, else the middle", BAL_OPT_INT,
     INPUT(frames), 1, 256, NULL},
    {"input.crop_min", "0.08", "training: smallest share of the frame's area in a random crop; 1: no random crop",
     BAL_OPT_REAL, INPUT(crop_min), 0.001, 1, NULL},
    {"input.crop_max", "1", "training: largest share of the frame's area in a random crop", BAL_OPT_REAL,
     INPUT(crop_max), 0.001, 1, NULL},
    {"input.flip", "0.5", "training: probability of a horizontal flip", BAL_OPT_REAL, INPUT(flip), 0, 1, NULL},
    {"input.audio_shift", "0",
     "training: sound begins up to so many feature frames later, what was before coming behind its end", BAL_OPT_INT,
     INPUT(audio_shift), 0, 65536, NULL},
    {"input.colour", "imagenet",
     "normalisation of pixels: imagenet's mean and deviation, half: to [-1,1], none: to [0,1]", BAL_OPT_ENUM,
     INPUT(colour), 0, 0, colours},
    {NULL, NULL, NULL, BAL_OPT_BOOL, 0, 0, 0, NULL},
};

const BalOption *bal_feature_options(void) {
    return feature_table;
}

const BalOption *bal_input_options(void) {
    return input_table;
}

BalFeatureRecipe bal_feature_recipe_default(void) {
    BalFeatureRecipe r = {0};
    bal_options_default(feature_table, &r);
    return r;
}

BalInputRecipe bal_input_recipe_default(void) {
    BalInputRecipe r = {0};
    bal_options_default(input_table, &r);
    return r;
}

BalStatus bal_feature_recipe_check(const BalFeatureRecipe *r, BalError *err) {
    BAL_TRY(bal_audio_ops(r->audio.pipeline)->check(&r->audio, err));
    const BalVisualRecipe *v = &r->visual;
    if (v->fps <= 0 && v->n_frames <= 0)
        return BAL_FAIL(err, BAL_E_ARG, "visual.fps and visual.n_frames are both 0: no frame would be stored");
    if (v->square && v->store_size == 0)
        return BAL_FAIL(err, BAL_E_ARG, "visual.square needs visual.store_size above 0: the side of the square");
    return BAL_OK;
}

BalStatus bal_input_recipe_check(const BalInputRecipe *r, BalError *err) {
    if (r->crop_min > r->crop_max)
        return BAL_FAIL(err, BAL_E_ARG, "input.crop_min (%g) is larger than input.crop_max (%g)", r->crop_min,
                        r->crop_max);
    return BAL_OK;
}
