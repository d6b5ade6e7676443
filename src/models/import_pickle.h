/* A reader of Python's pickles that knows data only.
 *
 * A pickle is a program for a stack machine, and Python's own machine will call what the file names: loading a stranger's checkpoint
 * there may run a stranger's code. This one has no way to call anything. A global is an entry of a closed list, refused by its name where
 * the list does not have it; what a REDUCE or a BUILD means for each entry is written out in a switch. What results is a tree of nodes in
 * which tensors are descriptions (type, shape, strides, place in a storage) that nobody has read yet.
 *
 * Bounds: time is linear in the bytes of the pickle, each of which is read once. Strings are not copied. A node and its place in a
 * container take less than 100 bytes for at least one byte of the file, and there are at most 2^22 of them (of tensors, which take
 * 200 bytes more, 2^18). A container that lies in another one cannot be changed any more, so that nothing can contain itself, and
 * nesting ends at 64.
 *
 * import_pickle.c is the machine: instructions, stack, memo. import_pickle_objects.c is what it makes: nodes, and what calls stand
 * for. */
#ifndef BAL_MODELS_IMPORT_PICKLE_H
#define BAL_MODELS_IMPORT_PICKLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <avbalance/error.h>
#include "engine/safetensors.h"

typedef enum PickleKind {
    PICKLE_NONE,
    PICKLE_BOOL,
    PICKLE_INT,
    PICKLE_REAL,
    PICKLE_TEXT,  /* of Python 3, UTF-8 */
    PICKLE_BYTES, /* also what Python 2 calls str, and integers beyond 64 bits */
    PICKLE_TUPLE,
    PICKLE_LIST,
    PICKLE_DICT,
    PICKLE_GLOBAL,
    PICKLE_DTYPE,
    PICKLE_STORAGE,
    PICKLE_TENSOR,
    PICKLE_OPAQUE, /* harmless and of no interest */
} PickleKind;

typedef uint32_t PickleRef; /* index of a node */

typedef struct PickleNode {
    unsigned char kind; /* PickleKind */
    unsigned char depth;
    bool placed; /* part of another node: not to be changed */
    bool big_endian;
    uint32_t
        n; /* bytes; items; of a dict keys and values together; type of a dtype; row of a storage or tensor, or of the globals */
    size_t cap;
    union {
        int64_t whole;
        double real;
        const unsigned char *bytes;
        PickleRef *item; /* a dict's are key, value, key, value, ... */
    };
} PickleNode;

typedef struct PickleStorage { /* a block of values of one type that lies outside of the pickle */
    const unsigned char *key;
    uint32_t n_key;
    BalTensorType type;        /* BAL_T_COUNT: bytes, of the type that the tensor says */
    int64_t count;             /* items */
    int64_t from, n_items;     /* the part of them that this view has */
    const unsigned char *data; /* for the container to find */
} PickleStorage;

typedef struct PickleTensor {
    BalTensorType type;
    int rank;
    bool filled;  /* NumPy's arrays come empty, their values later */
    bool fortran; /* of an array: the first axis varies fastest */
    int64_t dim[BAL_TENSOR_MAX_RANK], stride[BAL_TENSOR_MAX_RANK], offset; /* in items; arrays have none */
    int64_t storage;                                                       /* row, or -1: the values are data */
    const unsigned char *data;
    size_t bytes;
} PickleTensor;

typedef struct Pickle { /* zero is valid; bal_pickle_reset frees. Strings point into the bytes that were read. */
    PickleNode *node;
    PickleStorage *storage;
    PickleTensor *tensor;
    size_t n_nodes, n_storages, n_tensors, node_cap, storage_cap, tensor_cap;
    unsigned char **decoded; /* arrays that were written as text */
    size_t n_decoded, decoded_cap, decoded_bytes;
    const char *file;
    size_t size, at; /* bytes there are; the instruction that is being done */
    PickleRef root;
    size_t used; /* bytes up to and with STOP */
} Pickle;

/* Run one pickle at the beginning of data[n], which must outlive *p. BAL_E_FORMAT names file, byte and reason. */
BAL_MUST_USE BalStatus bal_pickle_read(Pickle *p, const void *data, size_t n, const char *file, BalError *err);
void bal_pickle_reset(Pickle *p);

const PickleNode *bal_pickle_root(const Pickle *p);
const PickleNode *bal_pickle_item(const Pickle *p, const PickleNode *of, size_t i);
bool bal_pickle_is(const PickleNode *v, const char *text); /* a text or bytes of exactly these characters */
const PickleNode *bal_pickle_get(const Pickle *p, const PickleNode *dict, const char *key); /* NULL: none, or no dict */

/* ---- between the two files ---- */
static inline BalStatus bal_pickle_bad(const Pickle *p, const char *what, BalError *err) {
    return BAL_FAIL(err, BAL_E_FORMAT, "%s: its pickle cannot be used: byte %zu: %s", p->file, p->at, what);
}
BAL_MUST_USE BalStatus bal_pickle_add(Pickle *p, PickleNode v, PickleRef *out, BalError *err);
/* Put n nodes behind those of container `into`. */
BAL_MUST_USE BalStatus bal_pickle_place(Pickle *p, PickleRef into, const PickleRef *from, size_t n, BalError *err);
BAL_MUST_USE BalStatus bal_pickle_global(Pickle *p, const unsigned char *module, size_t n_module,
                                         const unsigned char *name, size_t n_name, PickleRef *out, BalError *err);
/* What f(args) stands for; new_object: f.__new__(*args). */
BAL_MUST_USE BalStatus bal_pickle_call(Pickle *p, PickleRef f, PickleRef args, bool new_object, PickleRef *out,
                                       BalError *err);
BAL_MUST_USE BalStatus bal_pickle_build(Pickle *p, PickleRef what, PickleRef state, BalError *err);
BAL_MUST_USE BalStatus bal_pickle_storage(Pickle *p, PickleRef id, PickleRef *out, BalError *err);

#endif
