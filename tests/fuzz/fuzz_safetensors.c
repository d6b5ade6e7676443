/* safetensors reader: what it accepts lies within the file, covers it without overlap, and its floats can be read. */
#include <string.h>
#include "base/mem.h"
#include "engine/safetensors.h"
#include "fuzz/target.h"

static void read_floats(const BalNamedTensor *t) {
    float *out;
    BalError err = {0};
    if (bal_alloc(&out, (size_t)bal_tensor_count(t), sizeof *out, &err) < 0) return;
    BalStatus rc = bal_tensor_floats(t, out, &err);
    FUZZ_CHECK(rc == BAL_OK || (rc == BAL_E_UNSUPPORTED && err.text[0]));
    bal_free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    BalError err = {0};
    BalTensorFile f;
    BalStatus rc = bal_tensors_parse(&f, data, size, "fuzz.safetensors", &err);
    FUZZ_CHECK(rc == BAL_OK || (rc == BAL_E_FORMAT && err.text[0]));
    if (rc < 0) return 0;
    size_t sum = 0;
    for (int i = 0; i < f.n; i++) {
        const BalNamedTensor *t = &f.tensor[i];
        FUZZ_CHECK(t->data >= data && t->bytes <= size && (size_t)(t->data - data) <= size - t->bytes);
        FUZZ_CHECK((size_t)bal_tensor_count(t) * bal_tensor_item(t->type) == t->bytes);
        FUZZ_CHECK(bal_tensors_find(&f, t->name) != NULL);
        read_floats(t);
        sum += t->bytes;
    }
    FUZZ_CHECK(sum <= size - 8);
    bal_tensors_close(&f);
    return 0;
}
