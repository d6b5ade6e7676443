/* What shards hand each other: counts and quotas, from which a plan can always be made, and clips, which then lie where they should. */
#include <string.h>

#include "base/json.h"
#include "curate/shard.h"
#include "fuzz/target.h"

/* Quotas that the clips of the seeds belong to. */
static BalShardCounts *quotas(void) {
    static BalShardCounts q;
    static const char text[] =
        "{\"schema\":\"avbalance/quotas/"
        "1\",\"shards\":2,\"bins\":2,\"grid\":0,\"per_source\":0,\"seed\":0,\"settings\":{\"policy\":"
        "\"ratio\",\"bins\":2,\"grid\":0,\"ratio\":2,\"tolerance\":0,\"level\":0,\"budget\":\"none\",\"budget_value\":"
        "0,\"class_min\":0,"
        "\"class_max\":0,\"min_per_bin\":0,\"per_source\":0,\"seed\":0},\"must_keep\":{\"ids\":0,\"found\":0},"
        "\"earlier\":{\"ids\":0,"
        "\"found\":0},\"rows\":4,\"digest\":\"00000000000000000000000000000000\",\"labels\":[\"x\",\"y\"],\"all\":[[1,"
        "1],[1,1]],"
        "\"beyond_source\":[[0,0],[0,0]],\"must\":[[0,0],[0,0]],\"leaning\":[[2,1,1,0,0,0,0,0,0,0,0],[2,1,1,0,0,0,0,0,"
        "0,0,0]],"
        "\"kept\":[[1,1],[1,1]],\"digests\":[\"00000000000000000000000000000000\",\"00000000000000000000000000000001\"]"
        "}";
    if (!q.x) {
        BalJson *root = NULL;
        FUZZ_CHECK(bal_json_parse(&root, text, sizeof text - 1, "quotas", NULL) == BAL_OK);
        FUZZ_CHECK(bal_shard_counts_parse(&q, &root, "quotas", NULL) == BAL_OK);
    }
    return &q;
}

static void try_counts(const uint8_t *data, size_t size) {
    BalShardCounts c;
    BalJson *root = NULL;
    BalError err = {0};
    if (bal_json_parse(&root, (const char *)data, size, "fuzz", &err) < 0) return;
    if (bal_shard_counts_parse(&c, &root, "fuzz", &err) < 0) {
        FUZZ_CHECK(err.text[0]);
        return;
    }
    FUZZ_CHECK(c.rows >= 1 && c.shard.index <= c.shard.n && c.must_found <= c.must_ids);
    if (c.tally.n_classes * c.tally.n_bins < 1000) {
        BalSelectResult s = {0};
        FUZZ_CHECK(bal_selection_plan(&s, &c.tally, &c.spec, &err) == BAL_OK);
        FUZZ_CHECK(s.kept <= c.rows);
        bal_selection_reset(&s);
    }
    bal_shard_counts_reset(&c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    BalShardPicks p;
    BalError err = {0};
    if (size && data[0] != '#') {
        try_counts(data, size);
        return 0;
    }
    if (bal_shard_picks_parse(&p, quotas(), (const char *)data, size, "fuzz", &err) < 0) {
        FUZZ_CHECK(err.text[0]);
        return 0;
    }
    for (size_t i = 0; i < p.picks.n; i++)
        FUZZ_CHECK(p.picks.pick[i].cell >= 0 && p.picks.pick[i].cell < 4 && p.picks.pick[i].id[0]);
    bal_shard_picks_reset(&p);
    return 0;
}
