/* JSON: a strict reader (duplicate keys rejected) and a streaming writer. jansson stays inside json.c. */
#ifndef BAL_BASE_JSON_H
#define BAL_BASE_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <avbalance/error.h>
#include "base/text.h"

typedef struct BalJson BalJson; /* a value inside a document, borrowed from it */
/* Parse; `name` (a path) goes into messages with line and column. *out is the root, freed with bal_json_free. */
BAL_MUST_USE BalStatus bal_json_parse(BalJson **out, const char *text, size_t n, const char *name, BalError *err);
BAL_MUST_USE BalStatus bal_json_load(BalJson **out, const char *path, BalError *err);
void bal_json_free(BalJson **root);

typedef enum BalJsonType {
    BAL_JSON_NULL,
    BAL_JSON_BOOL,
    BAL_JSON_INT,
    BAL_JSON_REAL,
    BAL_JSON_TEXT,
    BAL_JSON_ARRAY,
    BAL_JSON_OBJECT
} BalJsonType;
BalJsonType bal_json_type(const BalJson *v);                         /* NULL value: BAL_JSON_NULL */
const BalJson *bal_json_get(const BalJson *object, const char *key); /* NULL if absent or not an object */
size_t bal_json_size(const BalJson *v);                              /* elements or members; 0 for the rest */
const BalJson *bal_json_at(const BalJson *array, size_t i);
const char *bal_json_text(const BalJson *v, const char *otherwise); /* otherwise: if not a text */
int64_t bal_json_int(const BalJson *v, int64_t otherwise);
double bal_json_real(const BalJson *v, double otherwise); /* int or real */
bool bal_json_bool(const BalJson *v, bool otherwise);
/* Members in file order: for (void *it = bal_json_first(o); it; it = bal_json_next(o, it)) ... */
void *bal_json_first(const BalJson *object);
void *bal_json_next(const BalJson *object, void *it);
const char *bal_json_key(void *it);
const BalJson *bal_json_value(void *it);

/* Writer: commas, quoting and indentation are its business. key is NULL inside arrays. Non-finite reals become null. */
typedef struct BalJsonOut {
    BalText *text;
    int depth;
    bool pretty, first[64];
} BalJsonOut;
BalJsonOut bal_json_out(BalText *text, bool pretty);
/* A document of ours, opened: {"schema": "avbalance/split/1", "version": this program's. To be closed by the caller. */
BalJsonOut bal_json_document(BalText *text, bool pretty, const char *schema);
void bal_json_open(BalJsonOut *o, const char *key, char bracket);      /* '{' or '[' */
void bal_json_close(BalJsonOut *o, char bracket);                      /* '}' or ']' */
void bal_json_add_text(BalJsonOut *o, const char *key, const char *v); /* NULL v: null */
void bal_json_add_int(BalJsonOut *o, const char *key, int64_t v);
void bal_json_add_real(BalJsonOut *o, const char *key, double v);
void bal_json_add_bool(BalJsonOut *o, const char *key, bool v);
void bal_json_quote(BalText *out, const char *s); /* with quotes; invalid UTF-8 becomes U+FFFD */

#endif
