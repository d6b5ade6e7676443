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
    if (op->kind == BAL_OP_LINEAR) w.in = op->columns;
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

/* ---- converted copies ----
 *
 * Whole blocks are converted by oneDNN's reorder. Layouts whose last block is partly padding (stems, odd channel counts) are
 * written here, value by value: with AVX-512, oneDNN 3.7's reorder loses values there. Such weights are few. */

struct BalWeightCopy {
    const float *w;
    WeightShape shape;
    bool bf16;
    int rank, kernel[3];
    BalBlocks blocks; /* used where reorder is NULL */
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

/* Place of one value in a blocked layout; at: its coordinates, outermost first. */
static int64_t place(const BalBlocks *b, const int64_t *at, int rank) {
    int64_t outer[DNNL_MAX_NDIMS], offset = 0, inner = 1;
    for (int a = 0; a < rank; a++) outer[a] = at[a];
    for (int k = b->n - 1; k >= 0; k--) {
        int64_t *x = &outer[b->axis[k]];
        offset += *x % b->size[k] * inner;
        *x /= b->size[k];
        inner *= b->size[k];
    }
    for (int a = 0; a < rank; a++) offset += outer[a] * b->stride[a];
    return offset;
}

static void copy_fill(BalWeightCopy *c) {
    const WeightShape *s = &c->shape;
    const int64_t hw = (int64_t)c->kernel[1] * c->kernel[2];
    for (int64_t o = 0; o < s->out; o++)
        for (int64_t i = 0; i < s->stored_in; i++)
            for (int64_t t = 0; t < s->taps; t++) {
                const int64_t at[] = {o, i, t / hw, t / c->kernel[2] % c->kernel[1], t % c->kernel[2]};
                const int64_t flat[] = {o, i, at[3], at[4]};
                const int64_t to = c->rank == 5 ? place(&c->blocks, at, 5) : place(&c->blocks, flat, 4);
                const float w = c->w[weight_at(s, o, i, t)];
                if (c->bf16)
                    ((uint16_t *)c->data)[to] = bal_f32_to_bf16(w);
                else
                    ((float *)c->data)[to] = w;
            }
}

static void copy_destroy(BalWeightCopy *c) {
    if (c->reorder) dnnl_primitive_destroy(c->reorder);
    if (c->from) dnnl_memory_destroy(c->from);
    if (c->to) dnnl_memory_destroy(c->to);
    bal_free_pages(c->data, c->bytes);
    bal_md_reset(&c->md);
    bal_free(c);
}

/* Whether the layout is one for copy_fill. Winograd's are of another kind and have no padding of channels. */
static bool is_padded(BalWeightCopy *c, const BalMd *md) {
    const size_t n = (size_t)(c->shape.out * c->shape.stored_in * c->shape.taps);
    if (bal_md_blocks(&c->blocks, md) != dnnl_success) return false;
    return bal_md_bytes(md) != n * (c->bf16 ? sizeof(uint16_t) : sizeof(float));
}

static BalStatus reorder_create(BalOnednn *b, const BalOp *op, BalWeightCopy *c, BalError *err) {
    BalMd master = {0};
    BalStatus rc;
    BAL_TRY_OR(done, BAL_DNNL(bal_weight_md(op, &master), err));
    BAL_TRY_OR(done, BAL_DNNL(bal_memory_init(&c->from, &master, b->engine), err));
    BAL_TRY_OR(done, BAL_DNNL(bal_memory_init(&c->to, &c->md, b->engine), err));
    BAL_TRY_OR(done, BAL_DNNL(bal_reorder_init(&c->reorder, &master, &c->md, b->engine), err));
    BAL_TRY_OR(done, BAL_DNNL(dnnl_memory_set_data_handle(c->from, (void *)(uintptr_t)c->w), err));
    BAL_TRY_OR(done, BAL_DNNL(dnnl_memory_set_data_handle(c->to, c->data), err));
done:
    bal_md_reset(&master);
    return rc;
}

static BalStatus copy_create(BalOnednn *b, const BalOp *op, const BalMd *md, const float *w, BalWeightCopy **out,
                             BalError *err) {
    BalWeightCopy *c = NULL;
    BalStatus rc;
    BAL_TRY(bal_alloc(&c, 1, sizeof *c, err));
    c->w = w;
    c->shape = weight_shape(op);
    c->bf16 = op->dtype == BAL_BF16;
    c->rank = op->in[0].rank;
    memcpy(c->kernel, op->kernel, sizeof c->kernel);
    c->bytes = bal_round64(bal_md_bytes(md));
    BAL_TRY_OR(fail, bal_alloc_pages(&c->data, c->bytes, err)); /* zeros, as padding must be */
    BAL_TRY_OR(fail, BAL_DNNL(bal_md_copy(&c->md, md), err));
    if (!is_padded(c, md)) BAL_TRY_OR(fail, reorder_create(b, op, c, err));
    c->next = b->copies;
    *out = b->copies = c;
    return BAL_OK;
fail:
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
        if (c->reorder)
            BAL_TRY(BAL_DNNL(dnnl_primitive_execute(c->reorder, b->stream, 2, args), err));
        else
            copy_fill(c);
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
