/* JSON reader; what was read is written again and must be read as the same. */
#include <string.h>
#include "base/json.h"
#include "fuzz/target.h"

static void write_value(BalJsonOut *o, const char *key, const BalJson *v) {
    switch (bal_json_type(v)) {
    case BAL_JSON_NULL:
        bal_json_add_text(o, key, NULL);
        break;
    case BAL_JSON_BOOL:
        bal_json_add_bool(o, key, bal_json_bool(v, false));
        break;
    case BAL_JSON_INT:
        bal_json_add_int(o, key, bal_json_int(v, 0));
        break;
    case BAL_JSON_REAL:
        bal_json_add_real(o, key, bal_json_real(v, 0));
        break;
    case BAL_JSON_TEXT:
        bal_json_add_text(o, key, bal_json_text(v, ""));
        break;
    case BAL_JSON_ARRAY:
        bal_json_open(o, key, '[');
        for (size_t i = 0; i < bal_json_size(v); i++) write_value(o, NULL, bal_json_at(v, i));
        bal_json_close(o, ']');
        break;
    case BAL_JSON_OBJECT:
        bal_json_open(o, key, '{');
        for (void *it = bal_json_first(v); it; it = bal_json_next(v, it))
            write_value(o, bal_json_key(it), bal_json_value(it));
        bal_json_close(o, '}');
        break;
    }
}

/* The writer nests 63 deep at most: that is its callers' shape, not the data's */
static int depth(const BalJson *v) {
    int deepest = 0;
    if (bal_json_type(v) == BAL_JSON_ARRAY)
        for (size_t i = 0; i < bal_json_size(v); i++) {
            int d = depth(bal_json_at(v, i));
            deepest = d > deepest ? d : deepest;
        }
    if (bal_json_type(v) == BAL_JSON_OBJECT)
        for (void *it = bal_json_first(v); it; it = bal_json_next(v, it)) {
            int d = depth(bal_json_value(it));
            deepest = d > deepest ? d : deepest;
        }
    return deepest + 1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    BalError err = {0};
    BalJson *root = NULL;
    BalStatus rc = bal_json_parse(&root, (const char *)data, size, "fuzz.json", &err);
    FUZZ_CHECK(rc == BAL_OK || (rc == BAL_E_FORMAT && err.text[0]));
    if (rc < 0) return 0;
    if (depth(root) < 60) {
        BalText once = {0}, twice = {0};
        BalJson *again = NULL;
        BalJsonOut o = bal_json_out(&once, data[0] % 2);
        write_value(&o, NULL, root);
        FUZZ_CHECK(bal_json_parse(&again, once.data, once.len, "again", &err) == BAL_OK);
        o = bal_json_out(&twice, data[0] % 2);
        write_value(&o, NULL, again);
        FUZZ_CHECK(!strcmp(once.data, twice.data));
        bal_json_free(&again);
        bal_text_reset(&once);
        bal_text_reset(&twice);
    }
    bal_json_free(&root);
    return 0;
}
