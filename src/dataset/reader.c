/* Batches, prepared ahead.
 *
 * A ring of slots, each with room for one whole batch, made when the reader is opened; nothing is allocated per clip or batch after
 * that (jpeg frames excepted). Workers take the next batch number under one lock, fill slot number % n_slots, and mark it ready; the
 * caller takes them in order. What a batch holds follows from its number, the list of clips, epoch and seed alone: random draws
 * come from a stream named by (seed, epoch, clip), never from a shared generator.
 *
 *     batch number     free_from          turn               next
 *                          |                |                  |
 *     ... done, reusable   | lent to caller | ready or in work | not begun      next - free_from <= n_slots
 *
 * A whole batch per worker, not a share of one: batches are many and equal, and a batch is then written by one core. */
#include <pthread.h>
#include <avbalance/dataset.h>
#include "base/mem.h"
#include "base/npy.h"
#include "base/rng.h"
#include "dataset/store.h"
#include "features/audio.h"

typedef struct Slot {
    float *audio, *visual; /* [batch,1,F,T], [batch,K,C,H,W] or NULL */
    int32_t *label;
    int64_t *clip;
    int n;
    bool ready;
    BalStatus rc;
    BalError error;
} Slot;

typedef struct Worker {
    BalReader *reader;
    pthread_t thread;
    BalFrames scratch; /* a decoded jpeg */
    int *chosen;       /* [K] frames of a clip */
} Worker;

struct BalReader {
    const BalStore *store;
    BalReaderSpec spec;
    size_t audio_floats, visual_floats; /* per clip; 0: not wanted */
    Slot *slot;
    Worker *worker; /* worker[0] is the caller's where there are no threads */
    int n_slots, n_threads;
    BalBatch lent;

    /* fixed between two starts */
    const int64_t *clip;
    int64_t n, n_batches;
    uint32_t epoch;
    bool train;

    /* under the lock */
    pthread_mutex_t lock;
    pthread_cond_t work, done;
    int64_t free_from, turn, next;
    int busy; /* threads inside a batch */
    bool quit;
};

/* ---- filling a slot ---- */

static BalStatus fill_visual(BalReader *r, Worker *w, int64_t clip, float *out, BalError *err) {
    const BalInputRecipe *in = &r->spec.input;
    int channels = bal_store_channels(r->store), k = (int)in->frames;
    size_t one = (size_t)channels * (size_t)in->image_size * (size_t)in->image_size;
    BalRng rng = bal_rng(r->spec.seed, BAL_RNG_AUGMENT, r->epoch, (uint64_t)clip);
    BalFrameSet set;
    BAL_TRY(bal_store_frame_set(r->store, clip, &set, err));
    bal_frame_choose(set.n, k, r->train, &rng, w->chosen);
    for (int i = 0; i < k; i++) {
        const uint8_t *px;
        int height, width;
        BAL_TRY(bal_store_frame(r->store, &set, w->chosen[i], &w->scratch, &px, &height, &width, err));
        BAL_TRY(bal_frame_transform(in, px, height, width, channels, r->train, &rng, out + (size_t)i * one, err));
    }
    return BAL_OK;
}

/* The feature of a clip; in training turned in time by a random number of frames. */
static void fill_audio(const BalReader *r, int64_t clip, const uint16_t *half, float *out) {
    int64_t shape[2], most = r->spec.input.audio_shift;
    bal_store_audio_shape(r->store, shape);
    const bool rows = bal_audio_ops(bal_store_recipe(r->store)->audio.pipeline)->time_first;
    const int64_t frames = shape[rows ? 0 : 1], n = rows ? 1 : shape[0], size = rows ? shape[1] : 1;
    if (most >= frames) most = frames - 1;
    BalRng rng =
        bal_rng(r->spec.seed, BAL_RNG_AUGMENT, r->epoch, (uint64_t)clip | UINT64_C(1) << 62); /* not the frames' */
    const int64_t by = r->train && most > 0 ? (int64_t)bal_rng_below(&rng, (uint64_t)most + 1) * size : 0;
    for (int64_t i = 0; i < n; i++, half += frames * size, out += frames * size) {
        bal_f16_to_f32_n(out, half + by, (size_t)(frames * size - by));
        bal_f16_to_f32_n(out + frames * size - by, half, (size_t)by);
    }
}

static BalStatus fill(BalReader *r, Worker *w, int64_t batch, Slot *slot, BalError *err) {
    const int64_t first = batch * r->spec.batch;
    slot->n = r->n - first < r->spec.batch ? (int)(r->n - first) : r->spec.batch;
    for (int j = 0; j < slot->n; j++) {
        int64_t clip = r->clip[first + j];
        const uint16_t *half;
        slot->clip[j] = clip;
        slot->label[j] = bal_store_label(r->store, clip);
        if (slot->audio) {
            BAL_TRY(bal_store_audio_half(r->store, clip, &half, err));
            fill_audio(r, clip, half, slot->audio + (size_t)j * r->audio_floats);
        }
        if (slot->visual) BAL_TRY(fill_visual(r, w, clip, slot->visual + (size_t)j * r->visual_floats, err));
    }
    return BAL_OK;
}

static void *work(void *arg) {
    Worker *w = arg;
    BalReader *r = w->reader;
    pthread_mutex_lock(&r->lock);
    for (;;) {
        while (!r->quit && (r->next >= r->n_batches || r->next - r->free_from >= r->n_slots))
            pthread_cond_wait(&r->work, &r->lock);
        if (r->quit) break;
        int64_t batch = r->next++;
        Slot *slot = r->slot + batch % r->n_slots;
        r->busy++;
        pthread_mutex_unlock(&r->lock);
        slot->rc = fill(r, w, batch, slot, &slot->error);
        pthread_mutex_lock(&r->lock);
        slot->ready = true;
        r->busy--;
        pthread_cond_broadcast(&r->done);
    }
    pthread_mutex_unlock(&r->lock);
    return NULL;
}

/* ---- open, close ---- */

static BalStatus check_spec(const BalReaderSpec *spec, BalError *err) {
    if (!spec->want_audio && !spec->want_visual)
        return BAL_FAIL(err, BAL_E_ARG, "a reader that wants neither audio nor frames");
    if (spec->batch < 1) return BAL_FAIL(err, BAL_E_ARG, "batch is %d; must be at least 1", spec->batch);
    if (spec->want_visual && (spec->input.image_size < 1 || spec->input.frames < 1))
        return BAL_FAIL(err, BAL_E_ARG, "input.image_size and input.frames must be at least 1");
    return BAL_OK;
}

static BalStatus make_slot(const BalReader *r, Slot *slot, BalError *err) {
    size_t n = (size_t)r->spec.batch;
    if (r->audio_floats) BAL_TRY(bal_alloc_pages(&slot->audio, n * r->audio_floats * sizeof(float), err));
    if (r->visual_floats) BAL_TRY(bal_alloc_pages(&slot->visual, n * r->visual_floats * sizeof(float), err));
    BAL_TRY(bal_alloc(&slot->label, n, sizeof *slot->label, err));
    return bal_alloc(&slot->clip, n, sizeof *slot->clip, err);
}

static BalStatus start_threads(BalReader *r, BalError *err) {
    int n = r->spec.workers > 0 ? r->spec.workers : 0;
    BAL_TRY(bal_alloc(&r->worker, (size_t)(n ? n : 1), sizeof *r->worker, err));
    for (int i = 0; i < (n ? n : 1); i++) {
        r->worker[i].reader = r;
        BAL_TRY(bal_alloc(&r->worker[i].chosen, (size_t)r->spec.input.frames, sizeof(int), err));
    }
    /* fewer threads than asked for, or none, do the work all the same */
    while (r->n_threads < n && !pthread_create(&r->worker[r->n_threads].thread, NULL, work, r->worker + r->n_threads))
        r->n_threads++;
    return BAL_OK;
}

BalStatus bal_reader_open(BalReader **out, const BalStore *s, const BalReaderSpec *spec, BalError *err) {
    BAL_TRY(check_spec(spec, err));
    BalReader *r = NULL;
    BalStatus rc;
    BAL_TRY(bal_alloc(&r, 1, sizeof *r, err));
    r->store = s;
    r->spec = *spec;
    pthread_mutex_init(&r->lock, NULL);
    pthread_cond_init(&r->work, NULL);
    pthread_cond_init(&r->done, NULL);
    int64_t shape[2];
    bal_store_audio_shape(s, shape);
    if (spec->want_audio) r->audio_floats = (size_t)(shape[0] * shape[1]);
    if (spec->want_visual)
        r->visual_floats = (size_t)spec->input.frames * (size_t)bal_store_channels(s) * (size_t)spec->input.image_size *
                           (size_t)spec->input.image_size;
    int n_slots = spec->workers > 0 ? (spec->ahead > 1 ? spec->ahead : 1) + 1 : 1;
    BAL_TRY_OR(fail, bal_alloc(&r->slot, (size_t)n_slots, sizeof *r->slot, err));
    r->n_slots = n_slots;
    for (int i = 0; i < n_slots; i++) BAL_TRY_OR(fail, make_slot(r, r->slot + i, err));
    BAL_TRY_OR(fail, start_threads(r, err));
    *out = r;
    return BAL_OK;
fail:
    bal_reader_close(&r);
    return rc;
}

/* No thread is inside a batch and none will begin one. Lock held. */
static void halt(BalReader *r) {
    r->n_batches = 0;
    while (r->busy) pthread_cond_wait(&r->done, &r->lock);
}

void bal_reader_close(BalReader **out) {
    BalReader *r = *out;
    if (!r) return;
    pthread_mutex_lock(&r->lock);
    halt(r);
    r->quit = true;
    pthread_cond_broadcast(&r->work);
    pthread_mutex_unlock(&r->lock);
    for (int i = 0; i < r->n_threads; i++) pthread_join(r->worker[i].thread, NULL);
    for (int i = 0; r->worker && i < (r->spec.workers > 0 ? r->spec.workers : 1); i++) {
        bal_frames_reset(&r->worker[i].scratch);
        bal_free(r->worker[i].chosen);
    }
    for (int i = 0; i < r->n_slots; i++) {
        size_t n = (size_t)r->spec.batch * sizeof(float);
        if (r->slot[i].audio) bal_free_pages(r->slot[i].audio, n * r->audio_floats);
        if (r->slot[i].visual) bal_free_pages(r->slot[i].visual, n * r->visual_floats);
        bal_free(r->slot[i].label);
        bal_free(r->slot[i].clip);
    }
    pthread_cond_destroy(&r->work);
    pthread_cond_destroy(&r->done);
    pthread_mutex_destroy(&r->lock);
    bal_free(r->worker);
    bal_free(r->slot);
    bal_free(r);
    *out = NULL;
}

/* ---- an epoch ---- */

BalStatus bal_reader_start(BalReader *r, const int64_t *clip, int64_t n, uint32_t epoch, bool train, int64_t skip,
                           BalError *err) {
    const int64_t n_batches = (n + r->spec.batch - 1) / r->spec.batch;
    if (n < 0 || skip < 0 || skip > n_batches)
        return BAL_FAIL(err, BAL_E_ARG, "cannot skip %lld of %lld batches", (long long)skip, (long long)n_batches);
    for (int64_t i = 0; i < n; i++) {
        if (clip[i] < 0 || clip[i] >= bal_store_count(r->store))
            return BAL_FAIL(err, BAL_E_ARG, "the store has no clip %lld", (long long)clip[i]);
        if (bal_store_label(r->store, clip[i]) < 0)
            return BAL_FAIL(err, BAL_E_ARG, "clip %s has no label; leave it out", bal_store_id(r->store, clip[i]));
    }
    pthread_mutex_lock(&r->lock);
    halt(r);
    for (int i = 0; i < r->n_slots; i++) r->slot[i].ready = false;
    r->clip = clip;
    r->n = n;
    r->epoch = epoch;
    r->train = train;
    r->free_from = r->turn = r->next = skip;
    r->n_batches = n_batches;
    pthread_cond_broadcast(&r->work);
    pthread_mutex_unlock(&r->lock);
    return BAL_OK;
}

/* The slot of batch r->turn, filled. */
static Slot *wait_for_turn(BalReader *r) {
    Slot *slot = r->slot + r->turn % r->n_slots;
    if (!r->n_threads) {
        slot->rc = fill(r, r->worker, r->turn, slot, &slot->error);
        return slot;
    }
    pthread_mutex_lock(&r->lock);
    if (r->free_from < r->turn) { /* what was lent comes back */
        r->slot[r->free_from % r->n_slots].ready = false;
        r->free_from = r->turn;
        pthread_cond_signal(&r->work);
    }
    while (!slot->ready) pthread_cond_wait(&r->done, &r->lock);
    pthread_mutex_unlock(&r->lock);
    return slot;
}

BalStatus bal_reader_next(BalReader *r, const BalBatch **out, BalError *err) {
    if (r->turn >= r->n_batches) return BAL_END;
    Slot *slot = wait_for_turn(r);
    if (slot->rc < 0) { /* stays: the next call says the same */
        if (err) *err = slot->error;
        return slot->rc;
    }
    r->turn++;
    r->lent = (BalBatch){
        .audio = slot->audio, .visual = slot->visual, .label = slot->label, .clip = slot->clip, .n = slot->n};
    *out = &r->lent;
    return BAL_OK;
}
