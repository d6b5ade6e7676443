/* What the readers of checkpoints produce, and what the naming schemes want. */
#ifndef BAL_MODELS_IMPORT_H
#define BAL_MODELS_IMPORT_H

#include <avbalance/import.h>
#include "base/file.h"
#include "base/zip.h"
#include "engine/safetensors.h"
#include "models/import_pickle.h"

enum { BAL_IMPORT_NAME = 512 }; /* bytes of a name at most */

typedef struct BalLoose { /* a tensor that lies anywhere, in any order of axes */
    char *name;           /* owned */
    char *source;         /* owned; NULL: name */
    BalTensorType type;
    int rank;
    int64_t dim[BAL_TENSOR_MAX_RANK], stride[BAL_TENSOR_MAX_RANK]; /* strides in items */
    int64_t count;
    const unsigned char *data; /* item 0, 0, ...; any alignment */
} BalLoose;

struct BalImport {
    char *path;
    BalMap map;
    bool borrowed; /* the map is somebody else's memory */
    const char *container, *network, *scheme;
    BalLoose *tensor; /* by name */
    int n, n_ignored;
    size_t cap;
    uint64_t bytes;        /* of all tensors, packed */
    unsigned char **block; /* what had to be unpacked */
    size_t n_blocks, block_cap;
    Pickle pickle; /* holds values that were written as text */
    char **problem;
    int n_problems;
    size_t problem_cap;
};

/* bal_import_open of a file that lies in memory, which must outlive *out; `name` goes into messages. */
BAL_MUST_USE BalStatus bal_import_parse(BalImport **out, const void *data, size_t n, const char *name, BalError *err);

/* Tensor `name` of values that lie, as offset and strides say, in the `bytes` bytes at data. This is where every reader's tensors are
 * checked: name, shape, every item within those bytes, no more items than they hold, 4 GiB (or twice the file) in all. */
typedef struct BalView {
    BalTensorType type;
    int rank;
    const int64_t *dim, *stride; /* stride NULL: packed, the last axis or (fortran) the first fastest */
    bool fortran;
    int64_t offset; /* items */
    const unsigned char *data;
    size_t bytes;
} BalView;
BAL_MUST_USE BalStatus bal_import_add(BalImport *w, const char *name, size_t n_name, const BalView *v, BalError *err);

/* Readers, one per container: they add tensors and say what the container is. */
BAL_MUST_USE BalStatus bal_import_zip(BalImport *w, BalError *err);
BAL_MUST_USE BalStatus bal_import_torch(BalImport *w, const BalZip *zip,
                                        BalError *err); /* an archive with a data.pkl */
BAL_MUST_USE BalStatus bal_import_legacy(BalImport *w, BalError *err);
BAL_MUST_USE BalStatus bal_import_pickle(BalImport *w, BalError *err);

/* ---- networks and how others call their tensors ---- */
typedef struct BalWant {        /* a tensor of a network */
    char name[80], source[104]; /* here; in the scheme */
    int rank;
    int64_t dim[5];        /* here; BAL_ANY: the number of classes, the same in all */
    unsigned char axis[5]; /* of the file's tensor, for each axis here */
    bool optional;         /* a batch norm's counter: int64 */
} BalWant;
enum { BAL_ANY = -1 };

typedef struct BalWants {
    BalWant *want;
    int n;
    size_t cap;
} BalWants;

typedef struct BalNetwork {
    const char *name, *summary;
    const char *const *scheme; /* ends with NULL */
    int variant;
    /* What the network wants, spelled as scheme number `scheme` has it. */
    BalStatus (*list)(BalWants *out, int variant, int scheme, BalError *err);
    /* Whether a tensor that is not wanted is known to be of no use; may be NULL. */
    bool (*ignored)(int scheme, const char *name);
} BalNetwork;
extern const BalNetwork bal_import_networks[];
extern const int bal_import_n_networks;

#endif
