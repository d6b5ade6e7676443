/* What differs between oneDNN 2 and 3, and nothing else: descriptors by value or by pointer, operation descriptors or none.
 *
 * The rest of the room is written against this file and the calls that are the same in both (engines, streams, memories,
 * primitives, execution). Vendor codes become BalStatus here. */
#ifndef BAL_ONEDNN_SHIM_H
#define BAL_ONEDNN_SHIM_H

#include <stdbool.h>
#include <stddef.h>
#include <dnnl.h>
#include <avbalance/error.h>

#if DNNL_VERSION_MAJOR >= 3
#define BAL_MD(m) ((m)->d)
#else
#define BAL_MD(m) (&(m)->d)
#endif

typedef struct BalMd { /* zero is valid and empty; pass it to oneDNN through BAL_MD */
    dnnl_memory_desc_t d;
} BalMd;

BalStatus bal_dnnl_check(dnnl_status_t status, const char *what, BalError *err);
#define BAL_DNNL(expr, err) bal_dnnl_check((expr), #expr, (err))

dnnl_status_t bal_md_init(BalMd *md, int rank, const dnnl_dims_t dims, dnnl_data_type_t type, dnnl_format_tag_t tag);
void bal_md_reset(BalMd *md);
dnnl_status_t bal_md_copy(BalMd *out, const BalMd *md);
/* A copy of what a primitive wants for `what` (dnnl_query_src_md, ...). */
dnnl_status_t bal_md_query(BalMd *out, const_dnnl_primitive_desc_t pd, dnnl_query_t what);
bool bal_md_same(const BalMd *a, const BalMd *b);
size_t bal_md_bytes(const BalMd *md);
/* Where the values of a blocked layout lie: strides of whole blocks by axis, then the blocks inside, the innermost last. */
typedef struct BalBlocks {
    dnnl_dims_t stride, size, axis;
    int n; /* of size and axis */
} BalBlocks;
dnnl_status_t bal_md_blocks(BalBlocks *out, const BalMd *md);

typedef enum BalDirection { BAL_DIR_FWD, BAL_DIR_BWD_DATA, BAL_DIR_BWD_WEIGHTS } BalDirection;
typedef struct BalConvDesc { /* src, weights and dst or their gradients; bias NULL: none */
    BalDirection direction;
    bool inference;
    dnnl_alg_kind_t alg;
    const BalMd *src, *weights, *bias, *dst;
    dnnl_dims_t stride, pad_l, pad_r;
} BalConvDesc;
/* hint: the forward description, for the two backward directions. */
dnnl_status_t bal_conv_pd(dnnl_primitive_desc_t *out, dnnl_engine_t engine, const BalConvDesc *desc,
                          const_dnnl_primitive_attr_t attr, const_dnnl_primitive_desc_t hint);

/* What follows the convolution in the same pass: + residual of layout `residual` (NULL: none), then (relu) max(0, .). *attr is
 * made with the scratchpad left to the user. */
dnnl_status_t bal_conv_attr(dnnl_primitive_attr_t *out, const BalMd *residual, bool relu);

dnnl_status_t bal_memory_init(dnnl_memory_t *out, const BalMd *md, dnnl_engine_t engine);
dnnl_status_t bal_reorder_init(dnnl_primitive_t *out, const BalMd *from, const BalMd *to, dnnl_engine_t engine);

#endif
