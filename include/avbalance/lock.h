/* Lock files: two people can prove that they have the same data.
 *
 * dataset.lock.json names every clip with the SHA-256 of its media file, what is in it, label, split, source video and licence. It holds
 * nothing of time, host or place, so that the same dataset has the same lock. */
#ifndef AVBALANCE_LOCK_H
#define AVBALANCE_LOCK_H

#include <stdbool.h>
#include <stdint.h>
#include <avbalance/dataset.h>
#include <avbalance/error.h>
#include <avbalance/progress.h>

typedef struct BalLockSpec {
    const char *
        table; /* CSV or TSV with a column id and any of licence and pref (a, v, =: the preferred modality); NULL: none */
    const char *store; /* store of the same clips, whose hash and recipe are locked too; NULL: none */
    int threads;
    BalProgressSink progress;
} BalLockSpec;
typedef struct BalLockResult {
    int64_t n, media_bytes;
    char hash[65]; /* of all clips */
} BalLockResult;
/* Read every media file of a manifest and write the lock. Paths in it are relative to its folder where the media lie under it, else as
 * the manifest has them. BAL_E_MEDIA, BAL_E_IO: a file is missing or cannot be used (the first one; nothing is written).
 * BAL_E_MISMATCH: the store holds other clips. */
BAL_API BAL_MUST_USE BalStatus bal_lock_write(const BalManifest *m, const BalLockSpec *spec, const char *path,
                                              BalLockResult *out, BalError *err);

typedef enum BalLockFinding {
    BAL_LOCK_OK,
    BAL_LOCK_MISSING, /* no such file */
    BAL_LOCK_CONTENT, /* its bytes are others */
    BAL_LOCK_MANIFEST, /* the manifest has another label, split, source or stretch of the file for it, or does not have it */
    BAL_LOCK_STORE, /* the store does not have it, or with another label, split or source */
    BAL_LOCK_FINDINGS
} BalLockFinding;
BAL_API const char *bal_lock_finding_name(BalLockFinding f);

typedef struct BalLockGroup { /* clips of a class, or of a subset */
    const char *name;
    int64_t n, ok;
} BalLockGroup;
typedef struct BalLockCheck { /* zero is valid; bal_lock_check_reset frees */
    int64_t n, count[BAL_LOCK_FINDINGS];
    uint8_t *finding; /* [n] */
    const char **id;  /* [n] */
    BalLockGroup *label,
        *subset; /* subsets: splits, and, where the lock knows preferences, <split>-audio-preferred, ... */
    int n_labels, n_subsets;
    int64_t extra;            /* clips of the manifest that the lock does not have */
    char recipe_differs[200]; /* empty, or how the store's recipe is another */
    struct BalLock *lock;
} BalLockCheck;
typedef struct BalLockCheckSpec {
    const char *media_dir;       /* where relative paths start; NULL: the lock's folder */
    const BalManifest *manifest; /* must say the same of every clip; NULL: is not asked */
    const char *store;           /* NULL: is not asked */
    bool no_media;               /* do not read media files */
    int threads;
    BalProgressSink progress;
} BalLockCheckSpec;
/* Compare what is there with a lock. What differs is a result, not an error. BAL_E_FORMAT: not a lock; BAL_E_MISMATCH: the lock's own
 * hash is wrong: it has been edited or cut. */
BAL_API BAL_MUST_USE BalStatus bal_lock_check(BalLockCheck *out, const char *path, const BalLockCheckSpec *spec,
                                              BalError *err);
BAL_API void bal_lock_check_reset(BalLockCheck *c);

#endif
