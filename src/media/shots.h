/* How much a picture differs from the one before: what tells a cut from motion. */
#ifndef BAL_MEDIA_SHOTS_H
#define BAL_MEDIA_SHOTS_H

#include "media/picture.h"

typedef struct BalScene { /* zero is valid; reset frees */
    AVFrame *before;
    double difference; /* of the last two pictures */
    BalPicture picture;
    uint8_t *luma; /* [2, H, W] of pictures whose samples cannot be read in place */
    size_t luma_cap;
} BalScene;
/* scdet's score of f against the picture before, 0..100; 0 for the first, and where the size changes. Takes a reference to f. */
BAL_MUST_USE BalStatus bal_scene_add(BalScene *s, const AVFrame *f, double *score, BalError *err);
void bal_scene_reset(BalScene *s);

/* The same measure from mean absolute differences in percent: the smaller of the difference and its change. */
double bal_scene_score(double difference, double *before);

#endif
