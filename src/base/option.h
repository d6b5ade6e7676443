/* One option table per settings struct drives YAML recipes, command-line flags, --help and the dump stored with every run.
 *
 * Names are dotted ("train.lr"): in YAML each dot is a nested mapping, on the command line `--set train.lr=0.01`. The default is
 * text and goes through the same parser as everything else, so a table cannot hold a default that its own range forbids. */
#ifndef BAL_BASE_OPTION_H
#define BAL_BASE_OPTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <avbalance/error.h>
#include "base/text.h"

typedef enum BalOptionType {
    BAL_OPT_BOOL, /* bool                                        */
    BAL_OPT_INT,  /* int64_t, in [min,max]                       */
    BAL_OPT_REAL, /* double, in [min,max], finite                */
    BAL_OPT_TEXT, /* char[max+1], at most max bytes              */
    BAL_OPT_ENUM, /* int: index into choices (NULL-terminated)   */
} BalOptionType;

typedef struct BalOption {
    const char *name, *def, *help;
    BalOptionType type;
    size_t offset;
    double min, max;
    const char *const *choices;
} BalOption; /* a table ends with name == NULL */

typedef struct BalOptionSet { /* a table and the struct it describes */
    const BalOption *table;
    void *self;
} BalOptionSet;

void bal_options_default(const BalOption *table, void *self); /* asserts that every default parses */
/* BAL_E_ARG: unknown name (with the closest one), wrong type, out of range (with the allowed range). */
BAL_MUST_USE BalStatus bal_options_set(const BalOptionSet *sets, int n_sets, const char *name, const char *value,
                                       BalError *err);
/* The same from one text "name=value", as --set gives it. */
BAL_MUST_USE BalStatus bal_options_assign(const BalOptionSet *sets, int n_sets, const char *text, BalError *err);
/* Read a YAML file into the sets. Unknown key, doubled key, wrong type or range: BAL_E_FORMAT with file, line, key, allowed range.
 * Keys that are absent keep their value. */
BAL_MUST_USE BalStatus bal_options_load(const BalOptionSet *sets, int n_sets, const char *path, BalError *err);
BAL_MUST_USE BalStatus bal_options_parse(const BalOptionSet *sets, int n_sets, const char *yaml, size_t n,
                                         const char *name, BalError *err);
/* Every option with its value as nested YAML, in table order: the canonical text, whose SHA-256 is the recipe's hash. */
void bal_options_dump(const BalOptionSet *sets, int n_sets, BalText *out);
void bal_options_value(const BalOption *o, const void *self, BalText *out); /* value as text */
void bal_options_help(const BalOption *table, BalText *out); /* one line each: name, type and range, default, help */

#endif
