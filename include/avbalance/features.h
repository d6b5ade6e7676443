/* Features: what the networks see of a clip. The feature recipe fixes every number that shapes them. */
#ifndef AVBALANCE_FEATURES_H
#define AVBALANCE_FEATURES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <avbalance/error.h>
#include <avbalance/media.h>

typedef enum BalAudioPipeline {
    BAL_AUDIO_LOG_STFT,
    BAL_AUDIO_SPECTROGRAM,
    BAL_AUDIO_KALDI_FBANK,
    BAL_AUDIO_VGGISH
} BalAudioPipeline;
typedef enum BalAudioFit { BAL_FIT_PAD, BAL_FIT_TILE } BalAudioFit; /* too short: zeros after / repeat the wave */
typedef enum BalAudioCrop { BAL_CROP_START, BAL_CROP_CENTRE } BalAudioCrop; /* too long: which part is kept */
typedef enum BalAudioCentre { BAL_CENTRE_NONE, BAL_CENTRE_REFLECT, BAL_CENTRE_ZERO } BalAudioCentre;
typedef enum BalAudioNormalise { /* AUTO: as the pipeline's authors do: log-stft and vggish none, spectrogram clip, kaldi-fbank fixed */
                                 BAL_NORMALISE_AUTO,
                                 BAL_NORMALISE_NONE,
                                 BAL_NORMALISE_CLIP,
                                 BAL_NORMALISE_FIXED
} BalAudioNormalise;

typedef struct BalAudioRecipe { /* options "audio.*" */
    int pipeline;               /* BalAudioPipeline: log-stft, spectrogram, kaldi-fbank, vggish */
    int64_t rate_hz;            /* what the decoder is asked for; 0: the stream's own (kaldi-fbank only) */
    double seconds;     /* length fed to the pipeline; longer sound is cut, shorter is fitted; 0 (kaldi-fbank): all */
    int fit;            /* BalAudioFit; kaldi-fbank with pad: zero frames after the filterbank, as its users do */
    int crop;           /* BalAudioCrop */
    int64_t n_fft, hop; /* samples; spectrogram: nperseg and nperseg - noverlap */
    int centre;         /* BalAudioCentre, log-stft only */
    int64_t mel_bins, frames; /* kaldi-fbank: bins and frames kept; vggish: frames kept */
    int normalise;            /* BalAudioNormalise: clip = per-clip mean and std, fixed = mean and std below */
    double mean, std;         /* fixed: (x - mean) / std */
} BalAudioRecipe;

typedef enum BalFrameCodec { BAL_FRAMES_RAW, BAL_FRAMES_JPEG } BalFrameCodec;

typedef struct BalVisualRecipe { /* options "visual.*" */
    double fps;                  /* > 0: frames stored per second; else n_frames per clip */
    int64_t n_frames;
    int64_t store_size; /* stored frames: shorter side reduced to this many pixels, never enlarged; 0: as decoded */
    bool square;        /* resize straight to store_size x store_size, smaller frames too */
    bool grey;          /* one channel (ITU-R 601 luma, as PIL's "L") */
    int codec;          /* BalFrameCodec */
    int64_t jpeg_quality;
} BalVisualRecipe;

typedef struct BalFeatureRecipe {
    BalAudioRecipe audio;
    BalVisualRecipe visual;
} BalFeatureRecipe;

struct BalOption;
BAL_API const struct BalOption *bal_feature_options(
    void); /* table over BalFeatureRecipe, names "audio.*", "visual.*" */
BAL_API BalFeatureRecipe bal_feature_recipe_default(void);
/* Combinations that no single range can check (hop > n_fft, fps and n_frames both 0, ...): BAL_E_ARG. */
BAL_API BAL_MUST_USE BalStatus bal_feature_recipe_check(const BalFeatureRecipe *r, BalError *err);

/* [F,T] of the audio feature ([T,F] for kaldi-fbank and vggish: time x mel, as their users store it). rate_hz: of the sound, where the recipe
 * leaves it open. */
BAL_API void bal_audio_shape(const BalAudioRecipe *r, int rate_hz, int64_t shape[2]);

/* One per thread: FFT plan, window, scratch. */
typedef struct BalAudioFeature BalAudioFeature;
BAL_API BAL_MUST_USE BalStatus bal_audio_feature_create(BalAudioFeature **out, const BalAudioRecipe *r, BalError *err);
BAL_API void bal_audio_feature_destroy(BalAudioFeature **f);
/* pcm: [n] mono at rate_hz; out: [F,T] (or [T,F]) as bal_audio_shape says, caller's, always finite.
 * BAL_E_NUMERIC if pcm holds NaN or Inf. Same bits for same input on the same machine. */
BAL_API BAL_MUST_USE BalStatus bal_audio_feature_run(BalAudioFeature *f, const float *pcm, int64_t n, int rate_hz,
                                                     float *out, BalError *err);

/* Bilinear, antialiased resize of the box {top, left, height, width} of src [h,w,c] to dst [H,W,c], c in 1..4: crop, then resize,
 * bit-equal to PIL's (the support grows with the reduction). BAL_E_ARG: a size below 1 or a box that leaves the picture. */
BAL_API BAL_MUST_USE BalStatus bal_resize_u8(const uint8_t *src, int h, int w, int c, const int box[4], uint8_t *dst,
                                             int H, int W, BalError *err);

/* ---- frames of a video network, as PySlowFast's test mode takes them ---- */
/* Native frames of temporal view `view` of `views`: n_out indices spread over n_out * 2 frames at 30 per second, in a picture of n frames
 * at fps. The first of 10 begins at the begin and the last one a tenth before the end; a single view is the middle. Each is in
 * [0,n) and not less than the one before. BAL_E_ARG: a number below 1, a view that there is not, fps not above 0. */
BAL_API BAL_MUST_USE BalStatus bal_view_frames(double fps, int64_t n, int view, int views, int n_out, int64_t *index,
                                               BalError *err);
/* Which m of n frames the slow pathway sees: trunc(k (n - 1) / (m - 1)). */
BAL_API void bal_view_slow(int n, int m, int *index);
/* A frame [h,w] with its shorter side scaled to `side` is scaled[2] (height, width), and crop 0, 1, 2 of it begins at top_left[2]: along
 * the longer side at its begin, middle, end; across it in the middle. BAL_E_ARG: a crop that is larger than side. */
BAL_API BAL_MUST_USE BalStatus bal_view_crop(int h, int w, int side, int size, int crop, int scaled[2], int top_left[2],
                                             BalError *err);
/* That crop of src [h,w,3] into the 3 planes at out, `plane` floats apart, [size,size] each: bilinear without antialiasing, pixel
 * centres aligned, (x / 255 - 0.45) / 0.225. */
BAL_API void bal_view_pixels(const uint8_t *src, int h, int w, const int scaled[2], const int top_left[2], int size,
                             float *out, int64_t plane);

/* Frames as stored: resized, grey where asked. dst is grown by the callee (bal_free'd by the caller through bal_frames_reset). */
typedef struct BalFrames {
    uint8_t *data;
    size_t cap;
    int n, height, width, channels;
} BalFrames; /* [n,height,width,channels] */
BAL_API BAL_MUST_USE BalStatus bal_frames_prepare(const BalVisualRecipe *r, const BalClipMedia *m, BalFrames *out,
                                                  BalError *err);
BAL_API void bal_frames_reset(BalFrames *f);

/* What a network is fed. Part of the training recipe, not of the store: options "input.*". */
typedef struct BalInputRecipe {
    int64_t image_size; /* H = W of the network's input */
    int64_t frames; /* K per clip, taken from those stored; 1 of each K segments (random in train, middle in test) */
    double crop_min, crop_max; /* area share of RandomResizedCrop, train; 1,1: no crop */
    double flip;               /* probability, train */
    int64_t audio_shift; /* train: sound is turned by up to so many feature frames, its begin coming behind its end */
    int colour; /* normalisation of x in [0,1]: imagenet, half ((x-0.5)/0.5), none; grey imagenet: (x-0.449)/0.226 */
} BalInputRecipe;
BAL_API const struct BalOption *bal_input_options(void);
BAL_API BalInputRecipe bal_input_recipe_default(void);
BAL_API BAL_MUST_USE BalStatus bal_input_recipe_check(const BalInputRecipe *r, BalError *err); /* BAL_E_ARG */

struct BalRng;
/* Which K of n stored frames: train draws within each of K equal segments, test takes their middle; repeats where n < K. */
BAL_API void bal_frame_choose(int n, int k, bool train, struct BalRng *rng, int *index);
/* One stored frame [h,w,c] u8 -> [c,image_size,image_size] float, normalised. train: RandomResizedCrop (area crop_min..crop_max,
 * aspect 3/4..4/3 log-uniform, 10 tries, then centre) and flip, drawn from rng; test: resize straight to the square. */
BAL_API BAL_MUST_USE BalStatus bal_frame_transform(const BalInputRecipe *r, const uint8_t *src, int h, int w, int c,
                                                   bool train, struct BalRng *rng, float *out, BalError *err);

#endif
