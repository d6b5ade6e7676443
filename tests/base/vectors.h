/* The numbers of shared/vectors/methods.json, or of another file there that AVB_VECTORS names: each formula worked out apart from this
 * code. Tests that need them are skipped where the file is absent. */
#ifndef BAL_TEST_VECTORS_H
#define BAL_TEST_VECTORS_H

#include <math.h>
#include "base/check.h"
#include "base/json.h"

#ifndef AVB_VECTORS
#define AVB_VECTORS "methods.json"
#endif

static BalJson *vectors;

static inline int vectors_open(void **state) {
    (void)state;
    BalError err = {0};
    const char *path = AVB_SOURCE_DIR "/../shared/vectors/" AVB_VECTORS;
    if (bal_file_exists(path)) return bal_json_load(&vectors, path, &err) == BAL_OK ? 0 : -1;
    print_message("shared/vectors/" AVB_VECTORS " is absent: vectors are not compared\n");
    return 0;
}

static inline int vectors_close(void **state) {
    (void)state;
    bal_json_free(&vectors);
    return 0;
}

/* One side, "in" or "out", of a vector. */
static inline const BalJson *vector(const char *name, const char *side) {
    if (!vectors) skip();
    const BalJson *v = bal_json_get(bal_json_get(vectors, name), side);
    if (!v) fail_msg("there is no vector %s.%s", name, side);
    return v;
}

/* Numbers of nested arrays, outermost first, behind out[n]; returns how many there are then. */
static inline int numbers_add(const BalJson *v, double *out, int n) {
    if (bal_json_type(v) != BAL_JSON_ARRAY) {
        out[n] = bal_json_real(v, NAN);
        assert_true(isfinite(out[n]));
        return n + 1;
    }
    for (size_t i = 0; i < bal_json_size(v); i++) n = numbers_add(bal_json_at(v, i), out, n);
    return n;
}
/* Member `key` of an object of vectors (NULL: the value itself) as floats. */
static inline int numbers(const BalJson *v, const char *key, float *out) {
    double x[256];
    const BalJson *at = key ? bal_json_get(v, key) : v;
    if (!at) fail_msg("there is no %s", key);
    const int n = numbers_add(at, x, 0);
    for (int i = 0; i < n; i++) out[i] = (float)x[i];
    return n;
}

static inline void assert_near(const char *what, double got, double want, double relative) {
    if (!(fabs(got - want) <= relative * fabs(want) + relative * 1e-3))
        fail_msg("%s: %.10g instead of %.10g", what, got, want);
}
/* got[0], got[1], ... against member `key`, to a relative error, measured against the largest of them. */
static inline void assert_numbers(const float *got, const BalJson *v, const char *key, double relative) {
    double want[256], top = 0;
    const BalJson *at = bal_json_get(v, key);
    if (!at) fail_msg("there is no %s", key);
    const int n = numbers_add(at, want, 0);
    for (int i = 0; i < n; i++) top = fmax(top, fabs(want[i]));
    for (int i = 0; i < n; i++)
        if (!(fabs(got[i] - want[i]) <= relative * top))
            fail_msg("%s[%d]: %.10g instead of %.10g", key, i, got[i], want[i]);
}

#endif
