/* Tables of scorers' outputs: what is accepted gives probabilities row by row. */
#include <math.h>
#include <sys/mman.h>
#include <unistd.h>

#include "curate/outputs.h"
#include "fuzz/target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    BalOutputs o = {0};
    BalError err = {0};
    char path[64];
    int fd = memfd_create("fuzz", 0);
    if (fd < 0) return 0;
    if (write(fd, data, size) != (ssize_t)size) abort();
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    BalStatus rc = bal_outputs_open(&o, path, &err);
    close(fd);
    if (rc < 0) {
        FUZZ_CHECK(err.text[0] && !o.n);
        return 0;
    }
    float *q = calloc((size_t)o.n_classes + 1, sizeof *q);
    for (int64_t i = 0; q && o.n_classes && i < o.n; i++) {
        if (!bal_outputs_row(&o, i, 1.5, q)) continue;
        double sum = 0;
        for (int k = 0; k < o.n_classes; k++) sum += (double)q[k];
        FUZZ_CHECK(fabs(sum - 1) < 1e-4);
    }
    free(q);
    bal_outputs_reset(&o);
    return 0;
}
