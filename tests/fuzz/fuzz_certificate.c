/* Certificates of selections: whatever is read is either refused or can be checked, and what is found to hold does so when added up here. */
#include <avbalance/select.h>
#include "curate/certificate.h"
#include "fuzz/target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    BalCertificate c;
    BalJson *root = NULL;
    BalError err = {0};
    if (bal_json_parse(&root, (const char *)data, size, "fuzz", &err) < 0) return 0;
    if (bal_certificate_parse(&c, &root, "fuzz", &err) < 0) {
        FUZZ_CHECK(err.text[0]);
        return 0;
    }
    if (bal_certificate_check(&c, "fuzz", &err) >= 0 && c.possible) {
        int64_t sum = 0;
        for (int i = 0; i < c.cells.n_classes * c.cells.n_bins; i++) {
            FUZZ_CHECK(c.must[i] <= c.x[i] && c.x[i] <= c.n[i]);
            sum += c.x[i];
        }
        FUZZ_CHECK(sum == c.kept);
    }
    bal_certificate_reset(&c);
    return 0;
}
