/* A store of numbers whose labels can be heard, seen, both or neither, as each test wishes. */
#ifndef BAL_TEST_TOY_H
#define BAL_TEST_TOY_H

#include <avbalance/dataset.h>
#include <avbalance/train.h>
#include "base/check.h"

typedef struct Toy {
    int64_t n;          /* clips, in sources of two; 3 classes */
    bool heard, seen;   /* where the label is */
    int n_train, n_val; /* of every 10 sources; the rest is test */
    bool same;          /* all clips are of the first class, the only one */
    bool untrained;     /* no train clip is of the last class */
} Toy;

/* Make the store DIR (features depend on `toy` alone) and open it. */
BalStore *toy_store(const Toy *toy, const char *dir);
/* For a program whose tests share one store, named "store" in its scratch folder. Inline, since that folder belongs to a file. */
static inline int toy_open(void **state, const Toy *toy, BalStore **store) {
    if (scratch_open(state)) return -1;
    *store = toy_store(toy, scratch("store"));
    return 0;
}
static inline int toy_close(void **state, BalStore **store) {
    bal_store_close(store);
    return scratch_close(state);
}
/* The tiny encoder, few epochs, one thread. */
BalRecipe toy_recipe(const BalStore *store);
/* The same where memory may run out. */
BalStatus toy_recipe_load(BalRecipe *r, const BalStore *store, BalError *err);
/* bal_fit of `method` into dir with that recipe. */
BalStatus toy_fit(const BalStore *store, const char *method, const BalRecipe *recipe, const char *dir,
                  BalFitResult *out, BalError *err);

/* Values of an .npy file of floats or bytes as float; *n counts them, dim has two axes. */
float *load_npy(const char *path, int64_t dim[2]);
char *load_text(const char *path); /* NULL: absent */
/* A metric in a line (from 0) of a run's log. */
double logged(const char *log, int line, const char *name);
/* Fail unless both folders hold the same names and bytes, timing.jsonl excepted. */
void assert_same_folder(const char *a, const char *b);

#endif
