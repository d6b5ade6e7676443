/* Manifests: the first byte chooses the dialect, the rest is the file. Whatever is accepted keeps the header's promises. */
#include <avbalance/dataset.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "fuzz/target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static int fd = -1;
    char path[32];
    if (fd < 0) fd = memfd_create("manifest", 0); /* a file that is only memory, so that runs are fast */
    if (!size || fd < 0 || ftruncate(fd, 0) || pwrite(fd, data + 1, size - 1, 0) != (ssize_t)size - 1) return 0;
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    BalManifest m = {0};
    BalError err = {0};
    BalManifestSpec spec = bal_manifest_spec_default();
    spec.dialect = bal_dialect_name(data[0] % (bal_dialect_count() + 1), NULL);
    BalStatus rc = bal_manifest_load(&m, path, &spec, &err);
    FUZZ_CHECK(rc == BAL_OK || err.text[0]);
    FUZZ_CHECK((rc == BAL_OK) == (m.n > 0));
    for (int64_t i = 0; i < m.n; i++) {
        const BalClip *c = &m.clip[i];
        FUZZ_CHECK(c->id[0] && c->media[0] && strlen(c->id) <= 1000);
        FUZZ_CHECK(c->label >= -1 && c->label < m.n_classes);
        FUZZ_CHECK(c->split >= 0 && c->split < BAL_SPLIT_COUNT);
        FUZZ_CHECK(!(c->start_s < 0) && !(c->duration_s <= 0));
    }
    bal_manifest_reset(&m);
    return 0;
}
