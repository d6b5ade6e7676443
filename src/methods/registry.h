/* The methods of this build; each is defined in the file of its paper. */
#ifndef BAL_METHODS_REGISTRY_H
#define BAL_METHODS_REGISTRY_H

#include <avbalance/method.h>

extern const BalMethodOps bal_method_audio, bal_method_visual;

#endif
