/* safetensors: named arrays in one file, without code in it.
 *
 *   offset  bytes  meaning
 *   0       8      H, length of the header, little endian
 *   8       H      JSON {"name": {"dtype": "F32", "shape": [..], "data_offsets": [from, to]}, ..., "__metadata__": {text: text}},
 *                  padded with blanks so that the data begins at a multiple of 8
 *   8+H     ...    the data: every byte belongs to exactly one tensor; offsets count from here
 *
 * The reader maps the file and trusts nothing: header length, JSON (doubled keys), types, shapes, sizes, gaps and overlaps are
 * checked before the first value is touched. */
#ifndef BAL_ENGINE_SAFETENSORS_H
#define BAL_ENGINE_SAFETENSORS_H

#include <stdint.h>
#include <avbalance/error.h>
#include "base/file.h"
#include "base/json.h"

typedef enum BalTensorType {
    BAL_T_F32,
    BAL_T_F16,
    BAL_T_BF16,
    BAL_T_F64,
    BAL_T_I64,
    BAL_T_I32,
    BAL_T_I16,
    BAL_T_I8,
    BAL_T_U8,
    BAL_T_BOOL,
    BAL_T_COUNT
} BalTensorType;
#define BAL_TENSOR_MAX_RANK 8

typedef struct BalNamedTensor {
    const char *name; /* in a file that was read: owned by it */
    BalTensorType type;
    int rank;
    int64_t dim[BAL_TENSOR_MAX_RANK];
    const unsigned char *data; /* any alignment; NULL when writing */
    size_t bytes;
} BalNamedTensor;

size_t bal_tensor_item(BalTensorType type);
const char *bal_tensor_type_name(BalTensorType type); /* "F32" */
int64_t bal_tensor_count(const BalNamedTensor *t);

typedef struct BalTensorFile { /* zero is valid; bal_tensors_close frees */
    BalMap map;
    BalJson *header;
    BalNamedTensor *tensor; /* by name */
    int n;
} BalTensorFile;

/* Check bytes in memory, which must outlive *out; `name` goes into messages. BAL_E_FORMAT says what is wrong. */
BAL_MUST_USE BalStatus bal_tensors_parse(BalTensorFile *out, const void *data, size_t n, const char *name,
                                         BalError *err);
BAL_MUST_USE BalStatus bal_tensors_open(BalTensorFile *out, const char *path, BalError *err);
void bal_tensors_close(BalTensorFile *f);
const BalNamedTensor *bal_tensors_find(const BalTensorFile *f, const char *name); /* NULL: none */
const char *bal_tensors_metadata(const BalTensorFile *f, const char *key);        /* NULL: none */
/* All values as float: F32, F64 (rounded), F16, BF16, I64. BAL_E_UNSUPPORTED for the rest. */
BAL_MUST_USE BalStatus bal_tensor_floats(const BalNamedTensor *t, float *out, BalError *err);

/* Write the header of `n` tensors (bytes and data are ignored); their values must follow, in that order, through bal_writer_add.
 * `metadata` is key, value, ..., NULL; or NULL. */
BAL_MUST_USE BalStatus bal_tensors_begin(BalWriter *w, const BalNamedTensor *t, int n, const char *const *metadata,
                                         BalError *err);

#endif
