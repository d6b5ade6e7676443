/* The journal of a score. The first byte says how many classes its rows have. */
#include "curate/score_journal.h"
#include <math.h>
#include "fuzz/target.h"

typedef struct Seen {
    int64_t rows;
    int n_classes;
} Seen;

static BalStatus see(void *user, const BalScoreEntry *e, BalError *err) {
    Seen *s = user;
    (void)err;
    FUZZ_CHECK(e->row == s->rows++);
    FUZZ_CHECK(e->p || (e->code < 0 && e->reason));
    for (int k = 0; e->p && k < s->n_classes; k++) FUZZ_CHECK(isfinite(e->p[k]));
    return BAL_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (!size) return 0;
    Seen s = {.n_classes = 1 + data[0] % 4};
    char identity[65] = "";
    size_t good = 0;
    BalError err = {0};
    if (bal_score_journal_replay(data + 1, size - 1, 8, s.n_classes, see, &s, identity, &good, &err) >= 0)
        FUZZ_CHECK(good <= size - 1 && s.rows <= 8);
    return 0;
}
