/* The network of late fusion, for every method that trains it in another way. */
#ifndef BAL_METHODS_LATE_H
#define BAL_METHODS_LATE_H

#include <avbalance/method.h>

enum { LATE_CONCAT, LATE_SUM, LATE_FILM, LATE_GATED, LATE_HEADS }; /* places in the registry of heads (models.h) */
extern const char *const bal_late_choices[]; /* concat, sum, film, gated, NULL: of an option that names the head */

/* Two encoders and a head, with everything that bal_fusion_encode and bal_fusion_head declare. */
void bal_late_build(int fusion, const BalNetSpec *net, BalGraph *g);
/* The same with the concat head, and its logits with the other modality's features zeroed: "kept_audio", "kept_visual". */
void bal_late_build_kept(const BalNetSpec *net, BalGraph *g);

#endif
