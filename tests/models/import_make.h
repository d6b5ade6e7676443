/* Checkpoints written by hand, one instruction after another, so that each can be wrong. */
#ifndef BAL_TEST_IMPORT_MAKE_H
#define BAL_TEST_IMPORT_MAKE_H

#include "base/zip_make.h"
#include "models/import.h"

/* bytes that hold NULs */
#define ADD(text, bytes) bal_text_add_n((text), (bytes), sizeof(bytes) - 1)
#define PROTO            "\x80\x02"
#define TENSOR           "ctorch._utils\n_rebuild_tensor_v2\n"
#define FLOATS                                                                                                         \
    "((X\x07\0\0\0storagectorch\nFloatStorage\nX\x01\0\0\0"                                                            \
    "0X\x03\0\0\0"                                                                                                     \
    "cpuK\x06tQ" /* six floats */
#define REST       "\x89)tR"
#define NAMED(...) PROTO "}X\x01\0\0\0w" TENSOR FLOATS __VA_ARGS__ REST "s."

/* The bytes, in a block of exactly their size, are refused with a message that holds `says`. */
static inline void refuse_bytes(const char *what, const void *data, size_t n, const char *says) {
    BalError err = {0};
    BalImport *w = NULL;
    void *exact = malloc(n ? n : 1);
    memcpy(exact, data, n);
    BalStatus rc = bal_import_parse(&w, exact, n, "w.pth", &err);
    free(exact);
    if (rc != BAL_E_FORMAT || !strstr(err.text, says) || !strstr(err.text, "w.pth"))
        fail_msg("%s: %s '%s' instead of '%s'", what, bal_status_name(rc), err.text, says);
}

static inline BalText torch_zip(const char *pickle, size_t n, const void *storage, size_t n_storage) {
    ZipMake z = {0};
    zip_store(&z, "top/data.pkl", pickle, n);
    zip_store(&z, "top/data/0", storage, n_storage);
    zip_end(&z);
    return z.file;
}

static inline void refuse_zip(const char *what, const char *pickle, size_t n, const void *storage, size_t n_storage,
                              const char *says) {
    BalText t = torch_zip(pickle, n, storage, n_storage);
    refuse_bytes(what, t.data, t.len, says);
    bal_text_reset(&t);
}

#endif
