/* A gradient buffer that holds something to be remembered (weights of an earlier moment), in checkpoints. */
#ifndef BAL_METHODS_KEEP_H
#define BAL_METHODS_KEEP_H

#include <avbalance/method.h>

/* The tensors of `buffer` whose tags meet `tags`; as bal_method_put and bal_method_take. */
BalStatus bal_keep_put(struct BalWriter *w, const BalMethodCtx *c, int buffer, unsigned tags, BalError *err);
BalStatus bal_keep_take(const struct BalMap *saved, size_t *at, const BalMethodCtx *c, int buffer, unsigned tags,
                        BalError *err);

#endif
