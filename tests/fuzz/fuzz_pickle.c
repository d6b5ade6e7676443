/* Pickle machine: it ends, takes memory in proportion to the file, and what it makes is a tree without a cycle. */
#include <string.h>
#include "fuzz/target.h"
#include "models/import_pickle.h"

static void walk(const Pickle *p, const PickleNode *v, int depth, long *steps) {
    FUZZ_CHECK(depth <= 64 && v >= p->node && v < p->node + p->n_nodes);
    if (v->kind == PICKLE_TENSOR) FUZZ_CHECK(v->n < p->n_tensors);
    if (v->kind == PICKLE_STORAGE) FUZZ_CHECK(v->n < p->n_storages);
    if (v->kind != PICKLE_TUPLE && v->kind != PICKLE_LIST && v->kind != PICKLE_DICT) return;
    for (uint32_t i = 0; i < v->n && --*steps > 0; i++) /* what is shared would be walked again and again */
        walk(p, bal_pickle_item(p, v, i), depth + 1, steps);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    BalError err = {0};
    Pickle p;
    long steps = 100000;
    BalStatus rc = bal_pickle_read(&p, data, size, "fuzz.pkl", &err);
    FUZZ_CHECK(rc == BAL_OK || (rc == BAL_E_FORMAT && err.text[0]));
    if (rc < 0) return 0;
    FUZZ_CHECK(p.used <= size && p.n_nodes <= size && p.n_tensors <= size && p.decoded_bytes <= size);
    walk(&p, bal_pickle_root(&p), 0, &steps);
    (void)bal_pickle_get(&p, bal_pickle_root(&p), "state_dict");
    bal_pickle_reset(&p);
    return 0;
}
