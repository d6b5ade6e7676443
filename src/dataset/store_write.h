/* Writing a store, clip by clip in manifest order, so that kill -9 costs nothing that was written.
 *
 * While it grows, DIR holds the finished shards, the one being filled (shard-000003.tar.part) and the journal; when it is complete
 * it holds the shards, index, rejected.csv and store.json, the last of which makes it a store. */
#ifndef BAL_DATASET_STORE_WRITE_H
#define BAL_DATASET_STORE_WRITE_H

#include <avbalance/dataset.h>
#include "dataset/pack.h"

typedef struct BalStoreJob { /* what the store is made from; all borrowed until close */
    const BalManifest *manifest;
    const BalSplit *split; /* [manifest->n], after hold-out */
    const BalFeatureRecipe *recipe;
    const BalIngestSpec *spec;
} BalStoreJob;

typedef struct BalStoreWriter BalStoreWriter;
/* Begin in DIR, made where absent, or continue there. BAL_END: a complete store of this very job is there, nothing is left to
 * do and *result holds its counts. BAL_E_MISMATCH: DIR belongs to another recipe, manifest or other settings (the message says
 * which). BAL_E_EXISTS: DIR holds foreign files, or another process writes there. */
BAL_MUST_USE BalStatus bal_store_writer_open(BalStoreWriter **out, const BalStoreJob *job, const char *dir,
                                             BalIngestResult *result, BalError *err);
int64_t bal_store_writer_next(const BalStoreWriter *w); /* the first row not yet dealt with */
BAL_MUST_USE BalStatus bal_store_writer_add(BalStoreWriter *w, const BalPacked *clip, BalError *err);
BAL_MUST_USE BalStatus bal_store_writer_reject(BalStoreWriter *w, BalStatus code, const char *reason, BalError *err);
BAL_MUST_USE BalStatus bal_store_writer_count(const BalStoreWriter *w, BalIngestResult *result, BalError *err);
/* After the last row: close the shard, write index, rejected.csv and store.json. BAL_E_MEDIA: not one clip was stored;
 * DIR then holds rejected.csv only. */
BAL_MUST_USE BalStatus bal_store_writer_finish(BalStoreWriter *w, BalError *err);
void bal_store_writer_close(BalStoreWriter **w); /* at any time; what was added stays for the next open */

#endif
