/* The features of a clip from its media file: decode, then the audio pipeline and the frames of the recipe. */
#include "dataset/ingest.h"

#include <math.h>
#include "base/mem.h"
#include "base/text.h"

typedef struct Worker { /* one per thread: nothing is shared while decoding */
    BalClipMedia media;
    BalAudioFeature *audio;
    BalText path;
} Worker;

typedef struct Source {
    const BalManifest *m;
    const BalFeatureRecipe *recipe;
    BalMediaLimits limits;
    Worker *worker;
    int n_workers;
} Source;

static BalClipSpec clip_spec(const BalFeatureRecipe *r, const BalClip *clip) {
    return (BalClipSpec){.start_s = isnan(clip->start_s) ? 0 : clip->start_s,
                         .duration_s = isnan(clip->duration_s) ? 0 : clip->duration_s,
                         .want_audio = true,
                         .want_video = true,
                         .rate_hz = (int)r->audio.rate_hz,
                         .channels = BAL_CHANNELS_AUTO,
                         .fps = r->visual.fps,
                         .n_frames = (int)r->visual.n_frames,
                         .exact = true};
}

static BalStatus produce(void *user, int64_t row, int worker, BalClipFeatures *out, BalError *err) {
    Source *s = user;
    Worker *w = s->worker + worker;
    const BalClip *clip = s->m->clip + row;
    const BalClipSpec spec = clip_spec(s->recipe, clip);
    bal_text_clear(&w->path);
    bal_path_join(&w->path, s->m->dir, clip->media);
    BAL_TRY(bal_text_ok(&w->path, err));
    BAL_TRY(bal_clip_decode(w->path.data, &spec, &s->limits, &w->media, err));
    BAL_TRY(bal_audio_feature_run(w->audio, w->media.pcm, w->media.n_samples, w->media.rate_hz, out->audio, err));
    out->length_s = w->media.length_s;
    return bal_frames_prepare(&s->recipe->visual, &w->media, &out->frames, err);
}

BalStatus bal_ingest(const BalManifest *m, const BalFeatureRecipe *recipe, const BalIngestSpec *spec, const char *dir,
                     BalProgressSink progress, BalIngestResult *out, BalError *err) {
    Source s = {.m = m, .recipe = recipe, .limits = bal_media_limits_default(), .n_workers = spec->workers};
    if (spec->clip_limit_s > 0) s.limits.seconds = spec->clip_limit_s;
    BAL_TRY(bal_feature_recipe_check(recipe, err));
    BAL_TRY(bal_alloc(&s.worker, (size_t)(s.n_workers > 0 ? s.n_workers : 0), sizeof *s.worker, err));
    BalStatus rc = BAL_OK;
    for (int i = 0; i < s.n_workers && rc >= 0; i++)
        rc = bal_audio_feature_create(&s.worker[i].audio, &recipe->audio, err);
    if (rc >= 0) rc = bal_ingest_run(m, recipe, spec, produce, &s, dir, progress, out, err);
    for (int i = 0; i < s.n_workers; i++) {
        bal_clip_media_reset(&s.worker[i].media);
        bal_audio_feature_destroy(&s.worker[i].audio);
        bal_text_reset(&s.worker[i].path);
    }
    bal_free(s.worker);
    return rc;
}
