/* Decoded sound, placed on the clip's clock, made mono, brought to a rate. */
#ifndef BAL_MEDIA_SOUND_H
#define BAL_MEDIA_SOUND_H

#include <libavutil/frame.h>
#include <stdbool.h>
#include <stdint.h>
#include <avbalance/media.h>

#define BAL_MAX_CHANNELS 64
#define BAL_MAX_RATE_HZ  768000

typedef struct BalSound {
    int rate_hz, channels; /* of the first frame; later ones are brought to it */
    int64_t n, next;       /* samples held per channel; where the next frame goes if its time agrees */
    int64_t sounding;      /* samples inside the clip that came from the stream */
    int64_t begin;         /* place of the earliest of them */
    int64_t not_finite;    /* NaN or Inf replaced by 0 */
    float *x;              /* [n, channels]; may come with memory of an earlier clip */
    size_t cap;
    float *in; /* the frame being added */
    size_t in_cap;
    double limit_s; /* nothing behind this is kept */
    /* Frames in another rate or layout than the first pass through swr. */
    struct SwrContext *swr;
    int swr_rate, swr_format;
    AVChannelLayout swr_layout;
    AVFrame *adapted;
} BalSound; /* zero but limit_s; reset frees */

/* Where sample 0 of a frame lies, in seconds on the clip's clock; NaN: right behind the frame before. Frames that agree with the
 * running count within 20 ms continue it (containers round times); else a gap is left or what was there is overwritten. */
BAL_MUST_USE BalStatus bal_sound_add(BalSound *s, const AVFrame *frame, double at_s, BalError *err);
void bal_sound_reset(BalSound *s);

/* Mono by `rule`, at rate_hz (0: own), exactly n_out samples into *pcm (grown), zeros behind the end. */
BAL_MUST_USE BalStatus bal_sound_finish(const BalSound *s, BalChannelRule rule, int rate_hz, int64_t n_out, float **pcm,
                                        int64_t *cap, BalError *err);

/* All of it as [n_out, 2] interleaved at rate_hz, zeros behind the end: mono twice, stereo as it is, more channels mixed down in their
 * usual layout. */
BAL_MUST_USE BalStatus bal_sound_stereo(const BalSound *s, int rate_hz, int64_t n_out, float *out, BalError *err);

/* [samples, channels] interleaved float in *out (grown, *cap floats) from any sample format. */
BAL_MUST_USE BalStatus bal_sound_floats(const AVFrame *f, float **out, size_t *cap, BalError *err);

/* The channel rule AUTO, from energies: which channels are within 60 dB of the loudest; whether their mean cancels. */
void bal_channel_loud(const double *energy, int channels, bool *loud);
bool bal_channel_cancels(double mean_energy, const double *energy, const bool *loud, int channels);

#endif
