/* The file of fingerprints: whatever its bytes, reading returns, and what it remembers is whole. */
#include <string.h>
#include "curate/jsonl.h"
#include "curate/prints.h"
#include "fuzz/target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    BalPrintMemory *memory = NULL;
    BalError err = {0};
    char settings[65];
    size_t good = 0;
    FUZZ_CHECK(bal_print_memory_open(&memory, &err) == BAL_OK);
    BalStatus rc = bal_jsonl_read((const char *)data, size, "avbalance/prints/2", settings, bal_print_memory_line,
                                  memory, &good, &err);
    FUZZ_CHECK(rc == BAL_OK || err.text[0]);
    FUZZ_CHECK(good <= size && (good == 0 || data[good - 1] == '\n'));
    uint32_t sum = 0;
    for (int64_t i = 0; i < bal_print_memory_count(memory); i++) {
        const BalPrint *p = bal_print_memory_at(memory, i);
        FUZZ_CHECK(strlen(p->sha256) == 64 && p->n_sound >= 0);
        FUZZ_CHECK(!p->usable || p->has_picture || p->has_sound);
        for (int k = 0; k < p->n_sound; k++) sum += p->sound[k]; /* all of it is there */
    }
    FUZZ_CHECK(sum || !sum);
    bal_print_memory_close(&memory);
    return 0;
}
