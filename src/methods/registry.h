/* The methods of this build; each is defined in the file of its paper. */
#ifndef BAL_METHODS_REGISTRY_H
#define BAL_METHODS_REGISTRY_H

#include <avbalance/method.h>

extern const BalMethodOps bal_method_audio, bal_method_visual;
extern const BalMethodOps bal_method_concat, bal_method_sum, bal_method_film, bal_method_gated;
extern const BalMethodOps bal_method_ogm, bal_method_ogm_ge;
extern const BalMethodOps bal_method_gblend;
extern const BalMethodOps bal_method_greedy;
extern const BalMethodOps bal_method_tmc, bal_method_etmc;
extern const BalMethodOps bal_method_dropout;
extern const BalMethodOps bal_method_mmpareto;
extern const BalMethodOps bal_method_agm;
extern const BalMethodOps bal_method_pmr;
extern const BalMethodOps bal_method_opm;
extern const BalMethodOps bal_method_umt;
extern const BalMethodOps bal_method_mla;
extern const BalMethodOps bal_method_cml;
extern const BalMethodOps bal_method_mmcosine;
extern const BalMethodOps bal_method_valuation;
extern const BalMethodOps bal_method_lfm;
extern const BalMethodOps bal_method_inforeg;
extern const BalMethodOps bal_method_amss;
extern const BalMethodOps bal_method_relearning;
extern const BalMethodOps bal_method_reconboost;

#endif
