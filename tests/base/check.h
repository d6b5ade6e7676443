/* What the test programs share: cmocka's includes in their order, status assertions that print the message, a scratch folder. */
#ifndef BAL_TEST_CHECK_H
#define BAL_TEST_CHECK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <avbalance/error.h>
#include "base/file.h"

/* `expr` uses a BalError called err, declared by the test */
#define assert_ok(expr)                                                                                                \
    do {                                                                                                               \
        BalStatus got_ = (expr);                                                                                       \
        if (got_ != BAL_OK) fail_msg("%s: %s: %s", #expr, bal_status_name(got_), got_ < 0 ? err.text : "");            \
    } while (0)
/* fails with exactly `code` and a message that holds `part` */
#define assert_fails(expr, want, part)                                                                                 \
    do {                                                                                                               \
        BalStatus got_ = (expr);                                                                                       \
        if (got_ != (want)) fail_msg("%s: %s instead of %s", #expr, bal_status_name(got_), #want);                     \
        if (!strstr(err.text, (part))) fail_msg("%s: message '%s' does not hold '%s'", #expr, err.text, (part));       \
    } while (0)

/* Make and remove a folder of this program's own; path of a file in it, valid until the sixteenth next call */
static char scratch_dir[64];
static inline int scratch_open(void **state) {
    (void)state;
    strcpy(scratch_dir, "/tmp/avbalance-test-XXXXXX");
    return mkdtemp(scratch_dir) ? 0 : -1;
}
static inline int scratch_close(void **state) {
    (void)state;
    return bal_remove_tree(scratch_dir, NULL);
}
static inline const char *scratch(const char *name) {
    static char path[16][256];
    static int k;
    char *p = path[k++ % 16];
    if (!scratch_dir[0]) fail_msg("scratch(\"%s\") before scratch_open", name);
    snprintf(p, sizeof path[0], "%s/%s", scratch_dir, name);
    return p;
}

#endif
