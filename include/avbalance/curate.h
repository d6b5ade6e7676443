/* Curate: from clips that pretrained networks scored to a balanced dataset (Xia et al. 2023, section 3). */
#ifndef AVBALANCE_CURATE_H
#define AVBALANCE_CURATE_H

#include <stdbool.h>
#include <stdint.h>
#include <avbalance/error.h>

typedef enum BalSide { BAL_AUDIO, BAL_VISUAL, BAL_SIDES } BalSide;

/* ---- categories: what the classes of two scorers, which know different lists, mean for one dataset ---- */
typedef struct BalCategory {
    const char *key, *display;
    const char **class_name[BAL_SIDES]; /* [n_classes] of that side's scorer */
    int n_classes[BAL_SIDES];           /* 0 only where weak */
    bool weak[BAL_SIDES];               /* the scorer has no true counterpart */
} BalCategory;
typedef struct BalCategories { /* zero is valid; bal_categories_reset frees */
    BalCategory *category;     /* [n] in the order of the table */
    int n;
    struct BalCategoriesText *text; /* owner of everything */
} BalCategories;
/* Read a table of this build by name ("balanced-av"), or a file: tab-separated columns key, display, side (audio, visual), class, and
 * optionally weak (1: no true counterpart; only then may the class be empty); lines that begin with # are comments.
 * BAL_E_FORMAT names file, line and remedy: a class twice on one side, a side without classes, an unknown side, ... */
BAL_API BAL_MUST_USE BalStatus bal_categories_load(BalCategories *out, const char *which, BalError *err);
/* Each of n names is a category, with itself as its class on both sides: for scorers that were trained on the dataset's own labels. */
BAL_API BAL_MUST_USE BalStatus bal_categories_plain(BalCategories *out, const char *const *name, int n, BalError *err);
BAL_API void bal_categories_reset(BalCategories *c);
BAL_API int bal_category_find(const BalCategories *c,
                              const char *key);                 /* by key, else by display name; -1: not there */
BAL_API int bal_categories_count(void);                         /* tables inside this build */
BAL_API const char *bal_categories_at(int i, const char **tsv); /* name; static storage */

typedef struct BalCategoryMap { /* zero is valid; bal_category_map_reset frees */
    int n_classes;              /* of the scorer */
    int n_categories;
    int32_t *category; /* [n_classes] -1: unmapped, a rival of its own */
} BalCategoryMap;
/* Find the classes of one side in a scorer's list. BAL_E_FORMAT: a class is not in the list (with the closest one), or the list has a
 * name twice; `list` names it in messages. */
BAL_API BAL_MUST_USE BalStatus bal_category_map_make(BalCategoryMap *out, const BalCategories *c, BalSide side,
                                                     const char *const *name, int n, const char *list, BalError *err);
BAL_API void bal_category_map_reset(BalCategoryMap *m);

typedef enum BalCorrectRule {
    BAL_CORRECT_SUM, /* the category's probability exceeds that of every other category and of every unmapped class; a tie is wrong */
    BAL_CORRECT_TOP1, /* the most probable class, the first of equal ones, is of the category */
} BalCorrectRule;
typedef struct BalCategoryScore {
    double p;     /* of category y: sum over its classes, not renormalised, since mass on unmapped classes is doubt */
    bool correct; /* by the rule */
    int top; /* most probable category, -1: an unmapped class is more probable (of equal ones: the category, the first) */
    double top_p;
} BalCategoryScore;
/* What one row of class probabilities q [n_classes] says about category y in [0, n_categories). p: [n_categories], the caller's, gets
 * every category's probability. BAL_E_NUMERIC: a probability outside [0,1], or not a number; the message says of which class. */
BAL_API BAL_MUST_USE BalStatus bal_category_score(BalCategoryScore *out, const BalCategoryMap *m, const float *q, int y,
                                                  BalCorrectRule rule, double *p, BalError *err);

#endif
