/* A lock file in memory, and the reading of many files at once, each once.
 *
 *   {"schema": "avbalance/lock/1", "n": .., "media_bytes": .., "recipe_hash": text or null, "store_hash": text or null, "hash": ..,
 *    "clips": [
 *   {"id": .., "media": .., "sha256": .., "bytes": .., "label": .., "split": .., "source": .., "start": s, "duration": s,
 *    "licence": .., "pref": .., "audio": {"codec", "rate_hz", "channels", "seconds"}, "video": {"codec", "width", "height", "frames",
 *    "seconds"}}
 *   ...]}
 *
 * A clip is a line, in byte order of the ids; what is not known is left out. "hash" is the SHA-256 over the lines, each ended by a
 * newline, without their commas. */
#ifndef BAL_CURATE_LOCK_H
#define BAL_CURATE_LOCK_H

#include <avbalance/lock.h>
#include "base/json.h"
#include "base/text.h"

typedef struct BalLockClip { /* texts are borrowed: from a manifest, or from the JSON */
    const char *id, *media, *label, *split, *source, *licence, *pref;
    double start_s, duration_s; /* NaN: whole file */
    int64_t bytes;
    char sha256[65];
    bool has_audio, has_video;
    char audio_codec[32], video_codec[32];
    int rate_hz, channels, width, height;
    int64_t frames;
    double audio_s, video_s;
} BalLockClip;

typedef struct BalLock {
    BalJson *json;
    BalLockClip *clip; /* [n] */
    int64_t n;
    const char *recipe_hash, *store_hash; /* NULL: none */
} BalLock;
BAL_MUST_USE BalStatus bal_lock_load(BalLock *out, const char *path, BalError *err);
void bal_lock_reset(BalLock *l);

void bal_lock_line(BalText *out, const BalLockClip *c); /* without comma and newline */

/* fn for each distinct media path of clips, by several threads: user, then the indices of all clips of that path. */
typedef BalStatus BalLockFileFn(void *user, const int64_t *clip, int64_t n, BalError *err);
BAL_MUST_USE BalStatus bal_lock_each_file(const char *const *media, int64_t n, int threads, const char *stage,
                                          BalProgressSink progress, BalLockFileFn *fn, void *user, BalError *err);

#endif
