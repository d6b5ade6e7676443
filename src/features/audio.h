/* Inside the audio features: what a pipeline is and what it may use. */
#ifndef BAL_FEATURES_AUDIO_H
#define BAL_FEATURES_AUDIO_H

#include <stdbool.h>
#include <stddef.h>
#include <avbalance/features.h>
#include "media/fft.h"

/* One triangle of a mel filterbank: weights for the spectrum's bins first .. first + n - 1. */
typedef struct BalMelFilter {
    int first, n;
    const float *weight;
} BalMelFilter;

struct BalAudioFeature {
    BalAudioRecipe recipe;
    const struct BalAudioOps *ops;
    int rate_hz; /* the tables below are for this rate; 0: not made yet */
    int n_fft;
    BalFft *fft;
    float *window; /* [window_n] */
    int window_n;
    double scale; /* spectrogram: power to density */
    float *power; /* [n_fft/2 + 1] */
    float *block; /* [BAL_STFT_BLOCK, n_fft/2 + 1] frames waiting to be turned */
    BalMelFilter *filter;
    float *filter_weight;
    float *wave; /* the fitted sound, room for padding on both sides */
    size_t wave_cap;
};
#define BAL_STFT_BLOCK 16

/* A pipeline by name. Adding one: an enum value in the public header and a row in audio.c's table. */
typedef struct BalAudioOps {
    const char *name;
    int normalise;    /* what "auto" means */
    bool clamp;       /* the wave is clipped to [-1,1] */
    bool time_first;  /* the feature is [T,F] */
    bool pads_frames; /* fit "pad" adds zero frames to the feature instead of zeros to the wave */
    BalStatus (*check)(const BalAudioRecipe *r, BalError *err);
    void (*shape)(const BalAudioRecipe *r, int64_t n_samples, int64_t shape[2]);
    int64_t (*margin)(const BalAudioRecipe *r);              /* samples of padding wanted on either side of the wave */
    BalStatus (*prepare)(BalAudioFeature *f, BalError *err); /* tables for f->rate_hz */
    void (*run)(BalAudioFeature *f, float *wave, int64_t n, float *out); /* wave: [n], margin around it writable */
} BalAudioOps;

extern const BalAudioOps bal_audio_log_stft, bal_audio_spectrogram, bal_audio_kaldi_fbank, bal_audio_vggish;
const BalAudioOps *bal_audio_ops(int pipeline);
/* f->filter: n_mel triangles, linear in mel = 1127 ln(1 + f/700) and evenly spaced in it from low_hz to high_hz, over the bins
 * 0 .. f->n_fft/2 - 1. */
BAL_MUST_USE BalStatus bal_mel_filters(BalAudioFeature *f, int n_mel, double low_hz, double high_hz, BalError *err);
int64_t bal_audio_samples(const BalAudioRecipe *r, int rate_hz); /* what `seconds` means at that rate */

#endif
