/* CSV reader; the first byte chooses the separator. */
#include "base/csv.h"
#include "fuzz/target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char separator[] = ",\t; ";
    if (!size) return 0;
    BalCsv c;
    BalError err = {0};
    BalStatus rc;
    size_t total = 0;
    int64_t line = 0;
    bal_csv_init(&c, data + 1, size - 1, separator[data[0] % 4], "fuzz.csv");
    while ((rc = bal_csv_next(&c, &err)) == BAL_OK) {
        FUZZ_CHECK(c.n_fields > 0 && c.line > line);
        line = c.line;
        for (int i = 0; i < c.n_fields; i++)
            for (size_t k = 0; k < c.field[i].n; k++) total += c.field[i].s[k] != '\0';
        FUZZ_CHECK(total < size);
    }
    FUZZ_CHECK(rc == BAL_END || (rc == BAL_E_FORMAT && err.text[0]));
    bal_csv_reset(&c);
    return 0;
}
