#include <string.h>
#include "backends/onednn/shim.h"

BalStatus bal_dnnl_check(dnnl_status_t status, const char *what, BalError *err) {
    static const char *const text[] = {"success",   "out of memory", "invalid arguments", "unimplemented",
                                       "last impl", "runtime error", "not required"};
    if (status == dnnl_success) return BAL_OK;
    const unsigned i = (unsigned)status;
    return BAL_FAIL(err, status == dnnl_out_of_memory ? BAL_E_NOMEM : BAL_E_BACKEND, "oneDNN: %s: %.120s",
                    i < sizeof text / sizeof *text ? text[i] : "unknown failure", what);
}

#if DNNL_VERSION_MAJOR >= 3

dnnl_status_t bal_md_init(BalMd *md, int rank, const dnnl_dims_t dims, dnnl_data_type_t type, dnnl_format_tag_t tag) {
    return dnnl_memory_desc_create_with_tag(&md->d, rank, dims, type, tag);
}

void bal_md_reset(BalMd *md) {
    if (md->d) dnnl_memory_desc_destroy(md->d);
    md->d = NULL;
}

dnnl_status_t bal_md_copy(BalMd *out, const BalMd *md) {
    return dnnl_memory_desc_clone(&out->d, md->d);
}

dnnl_status_t bal_md_query(BalMd *out, const_dnnl_primitive_desc_t pd, dnnl_query_t what) {
    return dnnl_memory_desc_clone(&out->d, dnnl_primitive_desc_query_md(pd, what, 0));
}

dnnl_status_t bal_md_blocks(BalBlocks *out, const BalMd *md) {
    const dnnl_dims_t *stride, *size, *axis;
    dnnl_status_t s = dnnl_memory_desc_query(md->d, dnnl_query_strides, (void *)&stride);
    if (!s) s = dnnl_memory_desc_query(md->d, dnnl_query_inner_nblks_s32, &out->n);
    if (!s) s = dnnl_memory_desc_query(md->d, dnnl_query_inner_blks, (void *)&size);
    if (!s) s = dnnl_memory_desc_query(md->d, dnnl_query_inner_idxs, (void *)&axis);
    if (s) return s;
    memcpy(out->stride, *stride, sizeof *stride);
    memcpy(out->size, *size, sizeof *size);
    memcpy(out->axis, *axis, sizeof *axis);
    return dnnl_success;
}

dnnl_status_t bal_conv_pd(dnnl_primitive_desc_t *out, dnnl_engine_t engine, const BalConvDesc *c,
                          const_dnnl_primitive_attr_t attr, const_dnnl_primitive_desc_t hint) {
    const dnnl_dims_t dilation = {0};
    const_dnnl_memory_desc_t bias = c->bias ? c->bias->d : NULL;
    switch (c->direction) {
    case BAL_DIR_FWD:
        return dnnl_convolution_forward_primitive_desc_create(
            out, engine, c->inference ? dnnl_forward_inference : dnnl_forward_training, c->alg, c->src->d,
            c->weights->d, bias, c->dst->d, c->stride, dilation, c->pad_l, c->pad_r, attr);
    case BAL_DIR_BWD_DATA:
        return dnnl_convolution_backward_data_primitive_desc_create(out, engine, c->alg, c->src->d, c->weights->d,
                                                                    c->dst->d, c->stride, dilation, c->pad_l, c->pad_r,
                                                                    hint, attr);
    default:
        return dnnl_convolution_backward_weights_primitive_desc_create(out, engine, c->alg, c->src->d, c->weights->d,
                                                                       bias, c->dst->d, c->stride, dilation, c->pad_l,
                                                                       c->pad_r, hint, attr);
    }
}

#else

dnnl_status_t bal_md_init(BalMd *md, int rank, const dnnl_dims_t dims, dnnl_data_type_t type, dnnl_format_tag_t tag) {
    return dnnl_memory_desc_init_by_tag(&md->d, rank, dims, type, tag);
}

void bal_md_reset(BalMd *md) {
    memset(md, 0, sizeof *md);
}

dnnl_status_t bal_md_copy(BalMd *out, const BalMd *md) {
    out->d = md->d;
    return dnnl_success;
}

dnnl_status_t bal_md_query(BalMd *out, const_dnnl_primitive_desc_t pd, dnnl_query_t what) {
    const dnnl_memory_desc_t *d = dnnl_primitive_desc_query_md(pd, what, 0);
    if (!d) return dnnl_invalid_arguments;
    out->d = *d;
    return dnnl_success;
}

dnnl_status_t bal_md_blocks(BalBlocks *out, const BalMd *md) {
    const dnnl_blocking_desc_t *b = &md->d.format_desc.blocking;
    if (md->d.format_kind != dnnl_blocked) return dnnl_invalid_arguments;
    memcpy(out->stride, b->strides, sizeof b->strides);
    memcpy(out->size, b->inner_blks, sizeof b->inner_blks);
    memcpy(out->axis, b->inner_idxs, sizeof b->inner_idxs);
    out->n = b->inner_nblks;
    return dnnl_success;
}

dnnl_status_t bal_conv_pd(dnnl_primitive_desc_t *out, dnnl_engine_t engine, const BalConvDesc *c,
                          const_dnnl_primitive_attr_t attr, const_dnnl_primitive_desc_t hint) {
    dnnl_convolution_desc_t d;
    dnnl_status_t s;
    const dnnl_memory_desc_t *bias = c->bias ? &c->bias->d : NULL;
    switch (c->direction) {
    case BAL_DIR_FWD:
        s = dnnl_convolution_forward_desc_init(&d, c->inference ? dnnl_forward_inference : dnnl_forward_training,
                                               c->alg, &c->src->d, &c->weights->d, bias, &c->dst->d, c->stride,
                                               c->pad_l, c->pad_r);
        break;
    case BAL_DIR_BWD_DATA:
        s = dnnl_convolution_backward_data_desc_init(&d, c->alg, &c->src->d, &c->weights->d, &c->dst->d, c->stride,
                                                     c->pad_l, c->pad_r);
        break;
    default:
        s = dnnl_convolution_backward_weights_desc_init(&d, c->alg, &c->src->d, &c->weights->d, bias, &c->dst->d,
                                                        c->stride, c->pad_l, c->pad_r);
    }
    return s == dnnl_success ? dnnl_primitive_desc_create(out, &d, attr, engine, hint) : s;
}

#endif

static dnnl_status_t append_relu(dnnl_post_ops_t ops) {
#if DNNL_VERSION_MAJOR >= 3
    return dnnl_post_ops_append_eltwise(ops, dnnl_eltwise_relu, 0, 0);
#else
    return dnnl_post_ops_append_eltwise(ops, 1, dnnl_eltwise_relu, 0, 0);
#endif
}

dnnl_status_t bal_conv_attr(dnnl_primitive_attr_t *out, const BalMd *residual, bool relu) {
    dnnl_primitive_attr_t attr = NULL;
    dnnl_post_ops_t ops = NULL;
    dnnl_status_t s = dnnl_primitive_attr_create(&attr);
    if (!s) s = dnnl_primitive_attr_set_scratchpad_mode(attr, dnnl_scratchpad_mode_user);
    if (!s) s = dnnl_post_ops_create(&ops);
    if (!s && residual) s = dnnl_post_ops_append_binary(ops, dnnl_binary_add, BAL_MD(residual));
    if (!s && relu) s = append_relu(ops);
    if (!s) s = dnnl_primitive_attr_set_post_ops(attr, ops);
    if (ops) dnnl_post_ops_destroy(ops);
    if (s && attr) dnnl_primitive_attr_destroy(attr);
    if (!s) *out = attr;
    return s;
}

bool bal_md_same(const BalMd *a, const BalMd *b) {
    return dnnl_memory_desc_equal(BAL_MD(a), BAL_MD(b));
}

size_t bal_md_bytes(const BalMd *md) {
    return dnnl_memory_desc_get_size(BAL_MD(md));
}

dnnl_status_t bal_memory_init(dnnl_memory_t *out, const BalMd *md, dnnl_engine_t engine) {
    return dnnl_memory_create(out, BAL_MD(md), engine, DNNL_MEMORY_NONE);
}

dnnl_status_t bal_reorder_init(dnnl_primitive_t *out, const BalMd *from, const BalMd *to, dnnl_engine_t engine) {
    dnnl_primitive_desc_t pd = NULL;
    dnnl_status_t s = dnnl_reorder_primitive_desc_create(&pd, BAL_MD(from), engine, BAL_MD(to), engine, NULL);
    if (s == dnnl_success) s = dnnl_primitive_create(out, pd);
    if (pd) dnnl_primitive_desc_destroy(pd);
    return s;
}
