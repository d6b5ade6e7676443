/* Recipe reader; what it accepts is dumped, and the dump is accepted and dumps the same. */
#include <string.h>
#include "base/option.h"
#include "fuzz/target.h"

typedef struct Settings {
    bool flip;
    int64_t epochs;
    double lr;
    char name[9];
    int kind;
} Settings;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char *const kinds[] = {"sgd", "adam", NULL};
    static const BalOption table[] = {
        {"train.flip", "true", "", BAL_OPT_BOOL, offsetof(Settings, flip), 0, 0, NULL},
        {"train.epochs", "10", "", BAL_OPT_INT, offsetof(Settings, epochs), 1, 1000, NULL},
        {"train.optimiser.lr", "0.01", "", BAL_OPT_REAL, offsetof(Settings, lr), 0, 10, NULL},
        {"train.optimiser.kind", "sgd", "", BAL_OPT_ENUM, offsetof(Settings, kind), 0, 0, kinds},
        {"train.name", "", "", BAL_OPT_TEXT, offsetof(Settings, name), 0, 8, NULL},
        {NULL, NULL, NULL, BAL_OPT_BOOL, 0, 0, 0, NULL},
    };
    Settings s, t;
    const BalOptionSet set = {table, &s}, again = {table, &t};
    BalError err = {0};
    bal_options_default(table, &s);
    bal_options_default(table, &t);
    BalStatus rc = bal_options_parse(&set, 1, (const char *)data, size, "fuzz.yaml", &err);
    FUZZ_CHECK(rc == BAL_OK || (rc == BAL_E_FORMAT && err.text[0]));
    FUZZ_CHECK(s.epochs >= 1 && s.epochs <= 1000 && s.lr >= 0 && s.lr <= 10 && s.kind >= 0 && s.kind < 2);
    FUZZ_CHECK(memchr(s.name, '\0', sizeof s.name));
    if (rc < 0) return 0;
    BalText once = {0}, twice = {0};
    bal_options_dump(&set, 1, &once);
    rc = bal_options_parse(&again, 1, once.data, once.len, "dump.yaml", &err);
    FUZZ_CHECK(rc == BAL_OK);
    bal_options_dump(&again, 1, &twice);
    FUZZ_CHECK(!strcmp(once.data, twice.data) || strstr(once.data, "\xEF\xBF\xBD")); /* invalid UTF-8 was replaced */
    bal_text_reset(&once);
    bal_text_reset(&twice);
    return 0;
}
