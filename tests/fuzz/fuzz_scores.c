/* Tables of scores, through the loader and, with another number of threads, through the heatmap: both must say the same. */
#include <math.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <avbalance/analysis.h>
#include "fuzz/target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static BalHeatmap h;
    char path[64];
    BalError err = {0};
    BalScores s = {0};
    int fd = memfd_create("fuzz", 0);
    if (fd < 0) return 0;
    if (write(fd, data, size) != (ssize_t)size) abort();
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    BalStatus rc = bal_scores_load(&s, path, &(BalScoresSpec){.threads = 1}, &err);
    FUZZ_CHECK(rc == BAL_OK || (err.text[0] && !s.id));
    BalStatus counted = bal_heatmap_file(&h, path, &(BalScoresSpec){.threads = 1}, NULL);
    if (rc == BAL_OK) {
        FUZZ_CHECK(counted == BAL_OK && h.n == s.n); /* the fast path has read what the slow one did */
        BalHeatmap *again = calloc(1, sizeof *again);
        for (int64_t i = 0; again && i < s.n; i++) {
            FUZZ_CHECK(s.id[i][0] && s.label[i] < s.n_labels && s.split[i] < s.n_splits);
            bal_heatmap_add(again, s.value[BAL_SCORE_U_AUDIO][i], s.value[BAL_SCORE_U_VISUAL][i]);
        }
        FUZZ_CHECK(!again || !memcmp(again->counts, h.counts, sizeof h.counts));
        free(again);
    }
    bal_scores_reset(&s);
    close(fd);
    return 0;
}
