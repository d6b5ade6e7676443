/* Which algorithm a convolution uses: the one place that decides, per layer, direction, type and shape.
 *
 * The rules are fixed tables drawn from measurements (test_engine_ops --bench), not timings at run time: equal runs must give equal bytes,
 * and a choice that depends on the noise of the moment would change the rounding of a whole training. */
#include "backends/onednn/onednn.h"

/* oneDNN 2 has F(4x4,3x3) in float32 on AVX-512 for all three directions, up to 2.2 times as fast as direct; oneDNN 3 dropped it
 * (preparation falls back to direct wherever it is not implemented). It loses where tiles of 4x4 cover mostly padding (2x2 maps) and
 * where there are so few of them that transforming the weights costs more than the products.
 *
 * Its rounding is coarser than direct's. Backward that does not show; forward it nearly doubles the error of a ResNet-18's logits
 * (against float64: 1.5e-6, direct 0.8e-6, PyTorch 0.8e-6 at 3x224x224), and so more ReLUs switch. Early layers matter most, for
 * their error passes through all others. Hence forward only from 256 channels on (0.9e-6), at some 5 to 10 % of a step. Gradients,
 * as multiples of PyTorch's distance from float64, all layers against this rule: 1.9 and 1.3 at 3x64x64, 1.6 and 1.2 at
 * 1x257x299 (4 networks each); at 3x224x224 1.2 and 1.2 over 10 networks, with single sets of 3 to 5 anywhere from 0.9 to
 * 1.7: switched ReLUs are few and heavy, and a handful of networks cannot tell the two apart there. */
bool bal_choose_winograd(const BalOp *op, BalDirection direction) {
    const BalShape *in = &op->in[0];
    if (DNNL_VERSION_MAJOR >= 3 || op->dtype != BAL_F32 || in->rank != 4) return false;
    if (op->kernel[1] != 3 || op->kernel[2] != 3 || op->stride[1] != 1 || op->stride[2] != 1) return false;
    if (in->dim[1] % 16 != 0 || op->out.dim[1] % 16 != 0) return false;
    if (direction == BAL_DIR_FWD && in->dim[1] < 256) return false;
    const int64_t n = op->out.dim[0], h = op->out.dim[2], w = op->out.dim[3], tiles = n * ((h + 3) / 4) * ((w + 3) / 4);
    return tiles >= 64 && n * h * w >= 8 * tiles;
}

/* The own weight gradients of outer.c: in bf16 as fast as oneDNN 2's at worst and up to 3.6 times where maps are small or the
 * stride is 2; in float32 better only where maps are so small that oneDNN spends its time on going through dw. A single row
 * has no partner for bf16's pairs. */
bool bal_choose_outer(const BalOnednn *b, const BalOp *op) {
    if (!b->has_bf16 || op->bias || !bal_is_blocked(&op->in[0]) || !bal_is_blocked(&op->out)) return false;
    if (op->dtype == BAL_BF16) return op->in[0].dim[0] > 1;
    const BalPoolGeo p = bal_pool_geo(op);
    const bool small = p.out[0] * p.out[1] * p.out[2] <= 16, single = p.kernel[0] * p.kernel[1] * p.kernel[2] == 1;
    return small && !single && !bal_choose_winograd(op, BAL_DIR_BWD_WEIGHTS);
}

/* oneDNN 3 has no fast bf16 weight gradient for a plain input of one channel (its reference code is 25 times slower than
 * the whole step): such an input is padded with channels of zeros to three, which costs one pass over it. */
int bal_choose_min_channels(const BalOp *op) {
    return DNNL_VERSION_MAJOR >= 3 && op->dtype == BAL_BF16 && op->out.dim[1] % 16 == 0 ? 3 : 1;
}
