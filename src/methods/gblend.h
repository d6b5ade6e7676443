/* Gradient-Blending's weights, apart from networks. */
#ifndef BAL_METHODS_GBLEND_H
#define BAL_METHODS_GBLEND_H

enum { BAL_GBLEND_MODELS = 3 }; /* audio, visual, joint */

typedef struct BalGblendLosses { /* per-clip means in eval mode: on the clips trained on, on those held out */
    double train[BAL_GBLEND_MODELS], held[BAL_GBLEND_MODELS];
} BalGblendLosses;

/* w_m = |dG| / max(|dO|, 1e-3)^2, normalised to sum 1, between two checkpoints of each model: dG is how much the held-out loss fell,
 * dO how much the gap between the two losses grew. The absolute value and the floor are ours: a loss that rose, or a gap that did not
 * move, would otherwise give a weight that is no weight. Thirds where nothing fell. */
void bal_gblend_weights(const BalGblendLosses *before, const BalGblendLosses *after, double w[BAL_GBLEND_MODELS]);

#endif
