/* Measuring decoded sound and pictures as they pass by; the thresholds that turn numbers into findings. */
#ifndef BAL_MEDIA_MEASURE_H
#define BAL_MEDIA_MEASURE_H

#include "media/picture.h"
#include "media/shots.h"
#include "media/sound.h"

/* Findings' thresholds. Sound: per window of 0.1 s. Pictures: luma at full range, 160 pixels wide, the one on screen at every 0.2 s. */
#define BAL_SILENT_RMS      0.0031622776601683794 /* -50 dBFS */
#define BAL_SILENT_SHARE    0.8
#define BAL_SILENT_PEAK     0.01 /* -40 dBFS */
#define BAL_CLIPPED_LEVEL   0.999
#define BAL_CLIPPED_SHARE   0.05
#define BAL_DC_LEVEL        0.1
#define BAL_BLACK_LUMA      25 /* 10 % of full scale */
#define BAL_BLACK_PIXELS    0.98
#define BAL_BLACK_SHARE     0.5
#define BAL_FLAT_STD        4.0
#define BAL_FLAT_SHARE      0.5
#define BAL_FROZEN_DIFF     0.255 /* mean absolute luma difference: 0.001 of full scale */
#define BAL_FROZEN_BLOCK    3.0 /* ... and of no 8 x 8 block more than this: a small thing that moves is no standstill */
#define BAL_FROZEN_SHARE    0.5
#define BAL_LETTERBOX_LUMA  10.0 /* mean of a row or column of a bar: 24 of limited range, as cropdetect's */
#define BAL_LETTERBOX_SHARE 0.15
#define BAL_CUT_SCORE       10.0 /* scdet's, of pictures 0.2 s apart */
#define BAL_CUTS_MOST       3    /* in 10 s */
#define BAL_CHOPPY_MOST     8
#define BAL_FROZEN_DISTINCT 3 /* a slide show of at most so many pictures, from 2 s on */

typedef struct BalSoundMeter {
    int rate_hz, channels;
    int64_t n, clipped, frames, windows, silent, in_window;
    double first_s, last_s, sum, square, low, high, window_square, energy[BAL_MAX_CHANNELS], mean_energy;
    double left, right, left2, right2, cross; /* of the first two channels */
    float *x;
    size_t cap;
} BalSoundMeter;
BAL_MUST_USE BalStatus bal_sound_meter_add(BalSoundMeter *m, const AVFrame *f, double at_s, BalError *err);
void bal_sound_meter_finish(BalSoundMeter *m, BalProbe *out);
void bal_sound_meter_reset(BalSoundMeter *m);

typedef struct BalPictureMeter {
    int64_t frames;
    double first_s, last_s, last_duration_s;
    double *time; /* [frames] */
    size_t time_cap;
    AVFrame *before; /* on screen until the next one */
    int64_t grid;    /* next multiple of 0.2 s after first_s that was not looked at */
    int64_t samples, frozen, black, flat, distinct, cuts;
    double difference;            /* of the last two samples, in percent */
    int top, bottom, left, right; /* of the proxy, what was ever brighter than a bar; bottom and right behind it */
    double luma;
    uint8_t *proxy; /* [2, H, W]: the picture sampled last, and the one before it */
    size_t proxy_cap;
    int W, H;
    BalPicture picture;
} BalPictureMeter;
BAL_MUST_USE BalStatus bal_picture_meter_add(BalPictureMeter *m, AVFrame *f, double at_s, double duration_s,
                                             BalError *err);
/* until_s: what the last picture stays on screen for. */
BAL_MUST_USE BalStatus bal_picture_meter_finish(BalPictureMeter *m, double until_s, BalProbe *out, BalError *err);
void bal_picture_meter_reset(BalPictureMeter *m);

#endif
