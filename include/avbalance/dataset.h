/* Datasets: manifests in, stores of features on disk, batches out. */
#ifndef AVBALANCE_DATASET_H
#define AVBALANCE_DATASET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <avbalance/error.h>
#include <avbalance/features.h>
#include <avbalance/progress.h>

typedef enum BalSplit { BAL_SPLIT_NONE = -1, BAL_SPLIT_TRAIN, BAL_SPLIT_VAL, BAL_SPLIT_TEST, BAL_SPLIT_COUNT } BalSplit;
BAL_API const char *bal_split_name(BalSplit s); /* "train", "val", "test"; "" for NONE */

/* ---- manifest: a table of clips, all strings owned by it ---- */
typedef struct BalClip {
    const char *id;    /* stable, unique                                     */
    const char *media; /* path as written; relative to the manifest's folder */
    /* Source video or speaker: never on both sides of a cut; "" = the id itself. Where no column says it, the form of the id may tell it,
     * or of the file's name. */
    const char *source;
    int label;                  /* index into classes, -1 unknown                        */
    BalSplit split;             /* of a loaded manifest never NONE                       */
    double start_s, duration_s; /* NaN: from the beginning / to the end             */
    int64_t line;               /* where it stood, for messages                          */
} BalClip;
typedef struct BalManifest {
    BalClip *clip;
    int64_t n;
    const char **classes; /* in the order of the class list, else sorted: numbers by value, names by bytes */
    int n_classes;
    char *dir; /* folder that relative media paths start from           */
    char dialect[32];
    struct BalManifestStrings *strings; /* owner of all text                        */
    int64_t n_multi_label; /* rows dropped because the clip was already there with another label (first kept) */
    int64_t n_missing;     /* clips whose media file is not there (they stay in: ingest rejects each with its reason) */
    const char *note; /* what a user should know, one line each: columns passed over, files missing; "" if nothing */
} BalManifest;
typedef struct BalManifestSpec {
    const char *dialect;   /* NULL: recognised from the file; `avbalance ingest --dialect help` lists the names */
    const char *classes;   /* path of a class list where the dialect needs one, else NULL */
    const char *media_dir; /* folder of the media; NULL: the manifest's */
    const char
        *media_pattern; /* "{label}/{id}.mp4" ({id}, {label}, {source}, {split}); NULL: as written, or the file id.* */
    BalSplit split;     /* for rows that name none; NONE: the word train, val or test in the file's name, else train */
} BalManifestSpec;
BAL_API BalManifestSpec bal_manifest_spec_default(void); /* everything found out from the file */
/* Read a manifest (a file, or a folder with one folder per class). spec NULL: the default. An id that stands in several rows is an
 * error except where the dialect means several labels by it. BAL_E_FORMAT names file, line, column and remedy: unknown or ambiguous
 * dialect, wrong number of fields, unknown column of our own dialect, bad number, repeated id, unknown label or split, not UTF-8. */
BAL_API BAL_MUST_USE BalStatus bal_manifest_load(BalManifest *out, const char *path, const BalManifestSpec *spec,
                                                 BalError *err);
/* The clips of several files (a train list and a test list) as one manifest, relative to one folder of media. BAL_E_FORMAT where an
 * id stands in two of them. */
BAL_API BAL_MUST_USE BalStatus bal_manifest_load_all(BalManifest *out, const char *const *path, int n,
                                                     const BalManifestSpec *spec, BalError *err);
/* Write our own dialect; loading it gives the same clips and classes. Where their order cannot be told from the clips, the classes
 * go to path + ".classes.json", which is read together with it. Media paths are written relative to the new file's folder where
 * they are near it (below it, or beside it), else absolute. */
BAL_API BAL_MUST_USE BalStatus bal_manifest_save(const BalManifest *m, const char *path, BalError *err);
BAL_API void bal_manifest_reset(BalManifest *m);
BAL_API int bal_dialect_count(void);
BAL_API const char *bal_dialect_name(int i, const char **summary);

/* Give a val split of `share` of train, whole sources together, classes in proportion, drawn by seed. No-op where val exists. */
BAL_API BAL_MUST_USE BalStatus bal_manifest_hold_out(BalManifest *m, double share, uint64_t seed, BalError *err);

/* ---- ingest: manifest -> store ---- */
/* Called once all that can be refused before the work begins was refused, and before anything of the output's folder changes: an
 * older output that is to be overwritten makes room then, and not for a call that does not begin. make NULL: nothing. */
typedef struct BalRoom {
    BalStatus (*make)(void *user, BalError *err);
    void *user;
} BalRoom;
typedef struct BalIngestSpec {
    int workers;         /* threads that decode                                        */
    bool stop_on_error;  /* first rejected clip ends the job: BAL_E_MEDIA (default: record, go on) */
    double clip_limit_s; /* wall time per clip                                         */
    double val_share;    /* held out of train where the manifest has no val; 0: none   */
    uint64_t seed;
    int64_t shard_bytes; /* a shard is closed after this many (default 256 MiB)        */
    BalRoom room;
} BalIngestSpec;
enum { BAL_INGEST_REASONS = 8 };
typedef struct BalIngestResult {
    int64_t n, stored, rejected;
    int64_t resumed; /* of n: dealt with by an earlier, interrupted call */
    int n_reasons;   /* the most frequent reasons of rejection */
    struct {
        char text[160];
        int64_t n;
    } reason[BAL_INGEST_REASONS];
} BalIngestResult;
BAL_API BalIngestSpec bal_ingest_spec_default(void);
/* Decode every clip once and write its features to DIR, in manifest order, the same bytes for any number of workers. Resumable: a
 * killed ingest continues with the next call and ends with the same bytes; one that was complete is left alone. Rejected clips stand
 * in DIR/rejected.csv (id,media,reason,code) and in store.json's counts.
 * BAL_E_MEDIA: nothing could be stored (DIR then holds rejected.csv only). BAL_E_MISMATCH: DIR belongs to another recipe or
 * manifest, or is unfinished and was begun by a build or with an FFmpeg that may decode otherwise. BAL_E_EXISTS: DIR holds something
 * else, or another process writes there. BAL_E_IO: disk full and the like; what is stored is kept. BAL_E_CANCELLED: through
 * `progress`. */
BAL_API BAL_MUST_USE BalStatus bal_ingest(const BalManifest *m, const BalFeatureRecipe *recipe,
                                          const BalIngestSpec *spec, const char *dir, BalProgressSink progress,
                                          BalIngestResult *out, BalError *err);

/* ---- store ---- */
/* A folder of WebDataset shards (KEY.json, KEY.audio.npy float16, KEY.frames.npy uint8 [K,H,W,C] or KEY.frame-00000.jpg ...; KEY is
 * the manifest row, '-', and the id made safe), beside them index, store.json and rejected.csv. In Python:
 *
 *     clips = {}
 *     for shard in sorted(glob.glob(store + "/shard-*.tar")):
 *         for m in (tar := tarfile.open(shard)):
 *             key, ext = m.name.split(".", 1)
 *             clips.setdefault(key, {})[ext] = tar.extractfile(m).read()      # numpy.load(io.BytesIO(...)) for *.npy
 */
typedef struct BalStore BalStore; /* mapped; may be read by several threads */
/* BAL_E_IO: not a store, or its ingest has not ended. BAL_E_MISMATCH: a shard is cut short, a checksum or the recipe's hash is wrong. */
BAL_API BAL_MUST_USE BalStatus bal_store_open(BalStore **out, const char *dir, BalError *err);
BAL_API void bal_store_close(BalStore **s);
BAL_API int64_t bal_store_count(const BalStore *s);
BAL_API int bal_store_n_classes(const BalStore *s);
/* Texts, recipe and hash are borrowed while the store is open. */
BAL_API const char *bal_store_class(const BalStore *s, int k);
BAL_API const char *bal_store_id(const BalStore *s, int64_t i);
BAL_API const char *bal_store_source(const BalStore *s, int64_t i); /* never empty */
BAL_API int bal_store_label(const BalStore *s, int64_t i);
BAL_API BalSplit bal_store_split(const BalStore *s, int64_t i);
BAL_API const BalFeatureRecipe *bal_store_recipe(const BalStore *s);
BAL_API const char *bal_store_hash(const BalStore *s); /* 64 hex digits: recipe, clips, checksums */
BAL_API const char *bal_store_recipe_hash(const BalStore *s);
BAL_API void bal_store_audio_shape(const BalStore *s, int64_t shape[2]);
BAL_API int bal_store_channels(const BalStore *s); /* of the frames: 1 or 3 */
/* Read one clip; a checksum is compared when this process first uses the member: BAL_E_MISMATCH names shard and clip.
 * audio: [F,T] or NULL; frames or NULL. */
BAL_API BAL_MUST_USE BalStatus bal_store_read(const BalStore *s, int64_t i, float *audio, BalFrames *frames,
                                              BalError *err);
BAL_API BAL_MUST_USE BalStatus bal_store_verify(const BalStore *s, BalProgressSink progress,
                                                BalError *err); /* every member */

/* ---- reader: batches in a fixed order, prepared ahead by threads ---- */
typedef struct BalBatch { /* host memory, borrowed until the reader's next call */
    const float *audio;   /* [n,1,F,T]     or NULL */
    const float *visual;  /* [n,K,C,H,W]   or NULL */
    const int32_t *label; /* [n] in [0,n_classes) */
    const int64_t *clip;  /* [n] index into the store */
    int n;
} BalBatch;
typedef struct BalReaderSpec {
    bool want_audio, want_visual;
    BalInputRecipe input;
    int batch, workers, ahead; /* ahead: batches prepared in advance */
    uint64_t seed;             /* of augmentation and shuffle */
} BalReaderSpec;
typedef struct BalReader BalReader;
BAL_API BAL_MUST_USE BalStatus bal_reader_open(BalReader **out, const BalStore *s, const BalReaderSpec *spec,
                                               BalError *err);
BAL_API void bal_reader_close(BalReader **r);
/* Start over clip[0..n) (borrowed until the epoch ends), in that order, from batch number `skip` on (resume).
 * train: random transforms keyed by (seed, epoch, clip); else test transforms. The last batch may be smaller. */
BAL_API BAL_MUST_USE BalStatus bal_reader_start(BalReader *r, const int64_t *clip, int64_t n, uint32_t epoch,
                                                bool train, int64_t skip, BalError *err);
BAL_API BAL_MUST_USE BalStatus bal_reader_next(BalReader *r, const BalBatch **out,
                                               BalError *err); /* BAL_OK, BAL_END or failure */

/* ---- samplers: lists of clips ---- */
/* Clips of a split in store order; *out is the caller's (bal_clips_free). split NONE: all. */
BAL_API BAL_MUST_USE BalStatus bal_clips_of_split(const BalStore *s, BalSplit split, int64_t **out, int64_t *n,
                                                  BalError *err);
BAL_API void bal_clips_shuffle(int64_t *clip, int64_t n, uint64_t seed,
                               uint32_t epoch); /* same permutation wherever it is called */
/* fold[n] in [0,k): whole sources together, classes in proportion, sizes as equal as that allows. BAL_E_ARG: k < 2 or more folds than sources. */
BAL_API BAL_MUST_USE BalStatus bal_clips_fold(const BalStore *s, const int64_t *clip, int64_t n, int k, uint64_t seed,
                                              int *fold, BalError *err);
BAL_API void bal_clips_free(int64_t *clip);

#endif
