/* Lists of clips: by split, shuffled, dealt into folds. */
#include <avbalance/dataset.h>
#include "base/mem.h"
#include "base/rng.h"
#include "dataset/groups.h"

BalStatus bal_clips_of_split(const BalStore *s, BalSplit split, int64_t **out, int64_t *n, BalError *err) {
    int64_t count = bal_store_count(s), *clip = NULL, used = 0;
    BAL_TRY(bal_alloc(&clip, (size_t)count, sizeof *clip, err));
    for (int64_t i = 0; i < count; i++)
        if (split == BAL_SPLIT_NONE || bal_store_split(s, i) == split) clip[used++] = i;
    *out = clip;
    *n = used;
    return BAL_OK;
}

void bal_clips_shuffle(int64_t *clip, int64_t n, uint64_t seed, uint32_t epoch) {
    BalRng r = bal_rng(seed, BAL_RNG_SHUFFLE, epoch, 0);
    bal_rng_shuffle(&r, clip, n);
}

BalStatus bal_clips_fold(const BalStore *s, const int64_t *clip, int64_t n, int k, uint64_t seed, int *fold,
                         BalError *err) {
    if (k < 2) return BAL_FAIL(err, BAL_E_ARG, "%d folds; at least 2 are needed", k);
    BalStatus rc;
    const char **source = NULL;
    int *label = NULL;
    double *share = NULL;
    BAL_TRY_OR(fail, bal_alloc(&source, (size_t)n, sizeof *source, err));
    BAL_TRY_OR(fail, bal_alloc(&label, (size_t)n, sizeof *label, err));
    BAL_TRY_OR(fail, bal_alloc(&share, (size_t)k, sizeof *share, err));
    for (int64_t i = 0; i < n; i++) {
        source[i] = bal_store_source(s, clip[i]);
        label[i] = bal_store_label(s, clip[i]);
    }
    for (int p = 0; p < k; p++) share[p] = 1;
    rc = bal_groups_assign(source, label, n, share, k, seed, BAL_RNG_FOLD, fold, err);
fail:
    bal_free(source);
    bal_free(label);
    bal_free(share);
    return rc;
}

void bal_clips_free(int64_t *clip) {
    bal_free(clip);
}
