/* Parameters: kept in float32 in the layout in which oneDNN likes to write weight gradients, so that the optimiser is elementwise
 * and no gradient is ever reordered; and copies of them in the layouts and types that the forward and backward-data primitives
 * want, refreshed when the parameter changed.
 *
 * Convolution weights are OIhw16i16o where both channel counts are multiples of 16, Ohwi16o where only the output's is (stems), else
 * plain; the rule knows nothing of batch sizes or phases. Everything else is plain. */
#include <string.h>
#include "backends/onednn/onednn.h"
#include "base/mem.h"

typedef enum WeightForm { FORM_PLAIN, FORM_STEM, FORM_BLOCKED } WeightForm;

typedef struct WeightShape {
    int64_t out, in, taps, stored_in; /* stored_in >= in: channels with padding */
    WeightForm form;
} WeightShape;

int64_t bal_weight_channels(const BalOp *op) {
    const int64_t real = op->in[0].dim[1], least = bal_choose_min_channels(op);
    return real < least ? least : real;
}

static WeightShape weight_shape(const BalOp *op) {
    WeightShape w = {.out = op->out.dim[1], .in = op->in[0].dim[1], .taps = 1};
    if (op->kind == BAL_OP_CONV) w.taps = (int64_t)op->kernel[0] * op->kernel[1] * op->kernel[2];
    w.stored_in = op->kind == BAL_OP_CONV ? bal_weight_channels(op) : w.in;
    if (op->kind != BAL_OP_CONV || w.out % 16 != 0)
        w.form = FORM_PLAIN;
    else if (w.in % 16 == 0)
        w.form = FORM_BLOCKED;
    else
        w.form = w.in < 16 ? FORM_STEM : FORM_PLAIN;
    return w;
}

static int64_t weight_at(const WeightShape *w, int64_t o, int64_t i, int64_t tap) {
    switch (w->form) {
    case FORM_BLOCKED:
        return (((o / 16) * (w->in / 16) + i / 16) * w->taps + tap) * 256 + (i % 16) * 16 + o % 16;
    case FORM_STEM:
        return (((o / 16) * w->taps + tap) * w->stored_in + i) * 16 + o % 16;
    default:
        return (o * w->stored_in + i) * w->taps + tap;
    }
}

dnnl_status_t bal_weight_md(const BalOp *op, BalMd *md) {
    const WeightShape w = weight_shape(op);
    const bool deep = op->in[0].rank == 5;
    const dnnl_format_tag_t tag[3][2] = {
        {dnnl_oihw, dnnl_oidhw}, {dnnl_Ohwi16o, dnnl_Odhwi16o}, {dnnl_OIhw16i16o, dnnl_OIdhw16i16o}};
    dnnl_dims_t dims = {w.out, w.stored_in};
    for (int i = 2; i < op->in[0].rank; i++) dims[i] = op->kernel[i + 3 - op->in[0].rank];
    return bal_md_init(md, op->in[0].rank, dims, dnnl_f32, tag[w.form][deep]);
}

size_t bal_onednn_param_floats(void *self, const BalOp *op, int which) {
    (void)self;
    size_t n = (size_t)op->out.dim[1];
    if (which == 0 && op->kind != BAL_OP_BN) {
        const WeightShape w = weight_shape(op);
        n = (size_t)(w.out * w.stored_in * w.taps);
    }
    return (n + 15) / 16 * 16;
}

BalStatus bal_onednn_param_set(void *self, const BalOp *op, int which, float *dst, const float *plain, BalError *err) {
    (void)err;
    memset(dst, 0, bal_onednn_param_floats(self, op, which) * sizeof *dst);
    const WeightShape w = weight_shape(op);
    if (which != 0 || op->kind == BAL_OP_BN) {
        memcpy(dst, plain, (size_t)op->out.dim[1] * sizeof *dst);
        return BAL_OK;
    }
    for (int64_t o = 0; o < w.out; o++)
        for (int64_t i = 0; i < w.in; i++)
            for (int64_t t = 0; t < w.taps; t++) dst[weight_at(&w, o, i, t)] = plain[(o * w.in + i) * w.taps + t];
    return BAL_OK;
}

BalStatus bal_onednn_param_get(void *self, const BalOp *op, int which, float *plain, const float *src, BalError *err) {
    (void)self;
    (void)err;
    const WeightShape w = weight_shape(op);
    if (which != 0 || op->kind == BAL_OP_BN) {
        memcpy(plain, src, (size_t)op->out.dim[1] * sizeof *src);
        return BAL_OK;
    }
    for (int64_t o = 0; o < w.out; o++)
        for (int64_t i = 0; i < w.in; i++)
            for (int64_t t = 0; t < w.taps; t++) plain[(o * w.in + i) * w.taps + t] = src[weight_at(&w, o, i, t)];
    return BAL_OK;
}

/* ---- converted copies ---- */

struct BalWeightCopy {
    const float *w;
    BalMd md;
    uint64_t version;
    bool fresh;
    int holders;
    void *data;
    size_t bytes;
    dnnl_memory_t from, to;
    dnnl_primitive_t reorder;
    BalWeightCopy *next;
};

static void copy_destroy(BalWeightCopy *c) {
    if (c->reorder) dnnl_primitive_destroy(c->reorder);
    if (c->from) dnnl_memory_destroy(c->from);
    if (c->to) dnnl_memory_destroy(c->to);
    bal_free_pages(c->data, c->bytes);
    bal_md_reset(&c->md);
    bal_free(c);
}

static BalStatus copy_create(BalOnednn *b, const BalOp *op, const BalMd *md, const float *w, BalWeightCopy **out,
                             BalError *err) {
    BalWeightCopy *c = NULL;
    BalMd master = {0};
    BalStatus rc;
    BAL_TRY(bal_alloc(&c, 1, sizeof *c, err));
    c->w = w;
    c->bytes = bal_round64(bal_md_bytes(md));
    BAL_TRY_OR(fail, bal_alloc_pages(&c->data, c->bytes, err));
    BAL_TRY_OR(fail, BAL_DNNL(bal_md_copy(&c->md, md), err));
    BAL_TRY_OR(fail, BAL_DNNL(bal_weight_md(op, &master), err));
    BAL_TRY_OR(fail, BAL_DNNL(bal_memory_init(&c->from, &master, b->engine), err));
    BAL_TRY_OR(fail, BAL_DNNL(bal_memory_init(&c->to, md, b->engine), err));
    BAL_TRY_OR(fail, BAL_DNNL(bal_reorder_init(&c->reorder, &master, md, b->engine), err));
    BAL_TRY_OR(fail, BAL_DNNL(dnnl_memory_set_data_handle(c->from, (void *)(uintptr_t)w), err));
    BAL_TRY_OR(fail, BAL_DNNL(dnnl_memory_set_data_handle(c->to, c->data), err));
    bal_md_reset(&master);
    c->next = b->copies;
    *out = b->copies = c;
    return BAL_OK;
fail:
    bal_md_reset(&master);
    copy_destroy(c);
    return rc;
}

BalStatus bal_weight_copy(BalOnednn *b, const BalOp *op, const BalMd *md, const float *w, uint64_t version,
                          BalWeightCopy **held, void **data, BalError *err) {
    if (*held && (*held)->w != w) bal_weight_release(b, held);
    if (!*held) {
        BalWeightCopy *c = b->copies;
        while (c && !(c->w == w && bal_md_same(&c->md, md))) c = c->next;
        if (!c) BAL_TRY(copy_create(b, op, md, w, &c, err));
        c->holders++;
        *held = c;
    }
    BalWeightCopy *c = *held;
    if (!c->fresh || c->version != version) {
        const dnnl_exec_arg_t args[2] = {{DNNL_ARG_FROM, c->from}, {DNNL_ARG_TO, c->to}};
        BAL_TRY(BAL_DNNL(dnnl_primitive_execute(c->reorder, b->stream, 2, args), err));
        c->version = version;
        c->fresh = true;
    }
    *data = c->data;
    return BAL_OK;
}

void bal_weight_release(BalOnednn *b, BalWeightCopy **held) {
    BalWeightCopy *c = *held;
    *held = NULL;
    if (!c || --c->holders > 0) return;
    BalWeightCopy **at = &b->copies;
    while (*at != c) at = &(*at)->next;
    *at = c->next;
    copy_destroy(c);
}
