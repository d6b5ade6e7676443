/* Weights that other programs have trained: read from the containers people publish them in, checked, given the names that the
 * networks here use, written as safetensors.
 *
 * Read are safetensors, PyTorch's zip files and the older ones it replaced, Caffe2's and other pickles of NumPy arrays, and .npz.
 * A checkpoint is data: nothing in it is ever run, whatever it asks for, and no claim of it is believed about more bytes than it
 * has. The order of calls is open, match, save. */
#ifndef AVBALANCE_IMPORT_H
#define AVBALANCE_IMPORT_H

#include <stdint.h>
#include <avbalance/error.h>

typedef struct BalImport BalImport; /* a checkpoint that is open: a list of named tensors, by name */

typedef struct BalImportTensor {
    const char *name;   /* UTF-8 without control characters */
    const char *source; /* its name in the file */
    const char *type;   /* F32 F16 BF16 F64 I64 I32 I16 I8 U8 BOOL */
    int rank;
    int64_t dim[8];
    int64_t bytes; /* when packed */
} BalImportTensor;

/* Read the list of tensors of the file at `path`; *out is the caller's. Their values stay in the file, mapped, but for those of
 * compressed .npz. BAL_E_FORMAT: the file is damaged, of an unknown kind, or asks for what is not a tensor. */
BAL_API BAL_MUST_USE BalStatus bal_import_open(BalImport **out, const char *path, BalError *err);
BAL_API void bal_import_close(BalImport **w); /* accepts NULL inside */

BAL_API const char *bal_import_container(const BalImport *w); /* "safetensors", "torch zip", ... */
BAL_API int bal_import_count(const BalImport *w);
BAL_API BalImportTensor bal_import_tensor(const BalImport *w,
                                          int i); /* i in [0,count); borrowed until match or close */
/* Entries of the file beside the tensors, such as an epoch, and tensors that match has found to be no part of the network. */
BAL_API int bal_import_ignored(const BalImport *w);

/* Give the tensors the names and the order of axes of `network`, from any naming scheme known for it; prefixes "model." and "module."
 * that all names have are taken off. Every tensor of the network must be there exactly once, in its exact shape, as finite floats.
 * NULL: find the one network that fits. "none": keep everything as it is.
 * BAL_E_FORMAT, BAL_E_NUMERIC (NaN, infinite): it does not fit; bal_import_problem then says why, tensor by tensor. BAL_E_ARG: there is no such
 * network, or several fit. */
BAL_API BAL_MUST_USE BalStatus bal_import_match(BalImport *w, const char *network, BalError *err);
BAL_API const char *bal_import_network(const BalImport *w); /* after match; NULL: none */
BAL_API const char *bal_import_scheme(const BalImport *w);  /* whose names the file has; NULL: none */
BAL_API int bal_import_problems(const BalImport *w);
BAL_API const char *bal_import_problem(const BalImport *w, int i); /* "missing: fc.bias [1000]" */

/* Write all tensors, in the types they have, packed, large types first and then by name, with the SHA-256 of the file they come from.
 * Same file and network, same bytes. */
BAL_API BAL_MUST_USE BalStatus bal_import_save(const BalImport *w, const char *path, BalError *err);

/* Networks whose names are known. */
BAL_API int bal_import_network_count(void);
BAL_API const char *bal_import_network_at(int i, const char **summary); /* summary may be NULL */

#endif
