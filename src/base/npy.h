/* NumPy's .npy, versions 1 to 3, little endian: what numpy.load opens.
 *
 *   offset  bytes  meaning
 *   0       6      \x93NUMPY
 *   6       2      version major, minor
 *   8       2 (4)  header length, little endian
 *   10 (12) ...    Python dict text: descr, fortran_order, shape; padded with blanks to a multiple of 64, then '\n'
 *   ...            the values */
#ifndef BAL_BASE_NPY_H
#define BAL_BASE_NPY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <avbalance/error.h>
#include "base/text.h"

typedef enum BalNpyType {
    BAL_NPY_U8,
    BAL_NPY_I8,
    BAL_NPY_BOOL,
    BAL_NPY_I16,
    BAL_NPY_I32,
    BAL_NPY_I64,
    BAL_NPY_F16,
    BAL_NPY_F32,
    BAL_NPY_F64
} BalNpyType;
typedef struct BalNpy {
    BalNpyType type;
    bool fortran; /* the first axis varies fastest */
    int rank;
    int64_t dim[8];
    size_t data_at; /* byte offset of the values; 128 or 64, fixed for given type and shape */
    size_t data_bytes;
} BalNpy;

size_t bal_npy_item(BalNpyType type);
void bal_npy_header(BalText *out, BalNpyType type, const int64_t *dim, int rank); /* appends */
/* Check a whole file in memory: the values must be all there. BAL_E_FORMAT names what is wrong; Fortran order is refused but by the
 * second, for readers that heed `fortran`. */
BAL_MUST_USE BalStatus bal_npy_parse(BalNpy *out, const void *data, size_t n, const char *name, BalError *err);
BAL_MUST_USE BalStatus bal_npy_parse_any_order(BalNpy *out, const void *data, size_t n, const char *name,
                                               BalError *err);
BAL_MUST_USE BalStatus bal_npy_write(const char *path, BalNpyType type, const int64_t *dim, int rank, const void *data,
                                     BalError *err);
/* n values of a parsed file of f16, f32 or f64 in memory, from value number `at` on, as floats. */
void bal_npy_floats(const BalNpy *npy, const void *data, int64_t at, int64_t n, float *out);

float bal_f16_to_f32(uint16_t h);
uint16_t bal_f32_to_f16(float f); /* round to nearest even; overflow saturates to infinity */
void bal_f16_to_f32_n(float *dst, const uint16_t *src, size_t n);
void bal_f32_to_f16_n(uint16_t *dst, const float *src, size_t n);

#endif
