/* Which algorithm a convolution uses: the one place that decides, per layer, direction, type and shape.
 *
 * The rules are fixed tables drawn from measurements (test_engine_ops --bench), not timings at run time: equal runs must give equal bytes,
 * and a choice that depends on the noise of the moment would change the rounding of a whole training. */
#include "backends/onednn/onednn.h"

/* The own Winograd of winograd.c, in float32 and bfloat16 (where only what lies in memory is bfloat16). oneDNN 2 has one of its own, which
 * is slower and whose points round twice as coarsely; oneDNN 3 has none.
 *
 * Tiles of 4x4 are the fastest. Their forward rounding with few channels is coarser than a direct convolution's: the early layers'
 * error passes through all others, switches ReLUs and so moves gradients. There tiles of 2x2 serve, whose rounding is half of a direct
 * convolution's. Backward it does not show, nor beside bfloat16's. On a 2x2 map a tile of 4x4 is mostly padding. With few tiles,
 * transforming the weights costs more than the products. */
int bal_choose_winograd(const BalOnednn *b, const BalOp *op, BalDirection direction) {
    const BalShape *in = &op->in[0];
    if (!b->has_bf16 || in->rank != 4 || !bal_is_blocked(in) || !bal_is_blocked(&op->out)) return 0;
    if (op->kernel[1] != 3 || op->kernel[2] != 3 || op->stride[1] != 1 || op->stride[2] != 1) return 0;
    if (op->pad[1] != op->pad[2] || op->pad[1] > 2) return 0;
    const int64_t n = op->out.dim[0], h = op->out.dim[2], w = op->out.dim[3], tiles = n * ((h + 3) / 4) * ((w + 3) / 4);
    const bool tiny = n * h * w <= 4 * tiles;
    if (tiles < 64) return 0;
    if (direction == BAL_DIR_BWD_WEIGHTS) return op->bias || tiny ? 0 : 4;
    return tiny || (direction == BAL_DIR_FWD && op->dtype == BAL_F32 && in->dim[1] < 256) ? 2 : 4;
}

/* The own weight gradients of outer.c: in bf16 as fast as oneDNN 2's at worst and up to 3.6 times where maps are small or the
 * stride is 2; in float32 better only where maps are so small that oneDNN spends its time on going through dw. A single row
 * has no partner for bf16's pairs. */
bool bal_choose_outer(const BalOnednn *b, const BalOp *op) {
    if (!b->has_bf16 || op->bias || !bal_is_blocked(&op->in[0]) || !bal_is_blocked(&op->out)) return false;
    if (op->dtype == BAL_BF16) return op->in[0].dim[0] > 1;
    const BalPoolGeo p = bal_pool_geo(op);
    const bool small = p.out[0] * p.out[1] * p.out[2] <= 16, single = p.kernel[0] * p.kernel[1] * p.kernel[2] == 1;
    return small && !single;
}

/* oneDNN 3 has no fast bf16 weight gradient for a plain input of one channel (its reference code is 25 times slower than
 * the whole step): such an input is padded with channels of zeros to three, which costs one pass over it. */
int bal_choose_min_channels(const BalOp *op) {
    return DNNL_VERSION_MAJOR >= 3 && op->dtype == BAL_BF16 && op->out.dim[1] % 16 == 0 ? 3 : 1;
}
