/* The files of a store that are made at its end or tell whose it is: names, identity, store.json, rejected.csv. */
#ifndef BAL_DATASET_STORE_FILES_H
#define BAL_DATASET_STORE_FILES_H

#include "base/json.h"
#include "base/output.h"
#include "dataset/journal.h"
#include "dataset/store_write.h"

#define BAL_STORE_JSON     "store.json"
#define BAL_STORE_INDEX    "index"
#define BAL_STORE_REJECTED "rejected.csv"
#define BAL_STORE_JOURNAL  "journal"
void bal_shard_name(BalText *out, uint32_t shard); /* appends "shard-000007.tar" */

typedef struct BalReject {
    int64_t row;
    BalStatus code;
    char *reason;
} BalReject;

/* recipe: the YAML's hash; manifest: classes and all that is used of every clip, after hold-out; settings: shard size. */
BAL_MUST_USE BalStatus bal_store_identify(const BalStoreJob *job, BalIdentity *out, BalError *err);
/* Does what DIR holds belong to this job? `there` is its identity. BAL_E_MISMATCH says what differs and what to do. */
BAL_MUST_USE BalStatus bal_store_same(const BalIdentity *job, const BalIdentity *there, const char *dir, BalError *err);

extern const BalOutput bal_store_output;
BAL_MUST_USE BalStatus bal_store_json_write(const char *path, const BalStoreJob *job, const BalIdentity *id,
                                            const char *hash, const BalIndex *index, const BalReject *reject,
                                            int64_t n_reject, BalError *err);
/* Identity and counts of a store.json that is already there. */
BAL_MUST_USE BalStatus bal_store_json_summary(const char *path, BalIdentity *id, BalIngestResult *result,
                                              BalError *err);
BAL_MUST_USE BalStatus bal_rejected_write(const char *path, const BalManifest *m, const BalReject *reject, int64_t n,
                                          BalError *err);
/* The most frequent reasons, those of equal count in order of text. */
BAL_MUST_USE BalStatus bal_reject_reasons(const BalReject *reject, int64_t n, BalIngestResult *result, BalError *err);
/* SHA-256 over recipe, classes and every clip's id, label, split, source and member checksums: what a store *is*. */
void bal_store_hash_of(const char *recipe_hash, const char *const *classes, int n_classes, const BalIndex *index,
                       char out[65]);

#endif
