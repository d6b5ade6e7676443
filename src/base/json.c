/* JSON on jansson. Reading is strict: one document, no duplicate keys, valid UTF-8, no NUL in strings. A BalJson is jansson's
 * json_t under another name; nothing outside this file sees it. */
#include "base/json.h"
#include <assert.h>
#include <jansson.h>
#include <math.h>
#include <string.h>
#include <avbalance/version.h>
#include "base/file.h"

/* ---- reader ---- */

static json_t *J(const BalJson *v) {
    return (json_t *)(uintptr_t)v;
}

BalStatus bal_json_parse(BalJson **out, const char *text, size_t n, const char *name, BalError *err) {
    json_error_t e;
    json_t *root = json_loadb(n ? text : "", n, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &e);
    if (!root) {
        if (json_error_code(&e) == json_error_out_of_memory)
            return BAL_FAIL(err, BAL_E_NOMEM, "%s: out of memory", name);
        return BAL_FAIL(err, BAL_E_FORMAT, "%s: line %d, column %d: %s", name, e.line, e.column, e.text);
    }
    *out = (BalJson *)root;
    return BAL_OK;
}

BalStatus bal_json_load(BalJson **out, const char *path, BalError *err) {
    BalMap m = {0};
    BAL_TRY(bal_map_open(&m, path, err));
    const char *text = (const char *)m.data;
    size_t bom = m.size >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0;
    BalStatus rc = bal_json_parse(out, bom ? text + bom : text, m.size - bom, path, err);
    bal_map_close(&m);
    return rc;
}

void bal_json_free(BalJson **root) {
    json_decref(J(*root));
    *root = NULL;
}

BalJsonType bal_json_type(const BalJson *v) {
    if (!v) return BAL_JSON_NULL;
    switch (json_typeof(J(v))) {
    case JSON_OBJECT:
        return BAL_JSON_OBJECT;
    case JSON_ARRAY:
        return BAL_JSON_ARRAY;
    case JSON_STRING:
        return BAL_JSON_TEXT;
    case JSON_INTEGER:
        return BAL_JSON_INT;
    case JSON_REAL:
        return BAL_JSON_REAL;
    case JSON_TRUE:
    case JSON_FALSE:
        return BAL_JSON_BOOL;
    case JSON_NULL:
        break;
    }
    return BAL_JSON_NULL;
}

const BalJson *bal_json_get(const BalJson *object, const char *key) {
    return (const BalJson *)json_object_get(J(object), key);
}

size_t bal_json_size(const BalJson *v) {
    return json_is_array(J(v)) ? json_array_size(J(v)) : json_object_size(J(v));
}

const BalJson *bal_json_at(const BalJson *array, size_t i) {
    return (const BalJson *)json_array_get(J(array), i);
}

const char *bal_json_text(const BalJson *v, const char *otherwise) {
    return json_is_string(J(v)) ? json_string_value(J(v)) : otherwise;
}

int64_t bal_json_int(const BalJson *v, int64_t otherwise) {
    return json_is_integer(J(v)) ? (int64_t)json_integer_value(J(v)) : otherwise;
}

double bal_json_real(const BalJson *v, double otherwise) {
    return json_is_number(J(v)) ? json_number_value(J(v)) : otherwise;
}

bool bal_json_bool(const BalJson *v, bool otherwise) {
    return json_is_boolean(J(v)) ? json_is_true(J(v)) : otherwise;
}

void *bal_json_first(const BalJson *object) {
    return json_object_iter(J(object));
}

void *bal_json_next(const BalJson *object, void *it) {
    return json_object_iter_next(J(object), it);
}

const char *bal_json_key(void *it) {
    return json_object_iter_key(it);
}

const BalJson *bal_json_value(void *it) {
    return (const BalJson *)json_object_iter_value(it);
}

/* ---- writer ---- */

BalJsonOut bal_json_out(BalText *text, bool pretty) {
    return (BalJsonOut){.text = text, .pretty = pretty, .first = {true}};
}

BalJsonOut bal_json_document(BalText *text, bool pretty, const char *schema) {
    BalJsonOut o = bal_json_out(text, pretty);
    bal_json_open(&o, NULL, '{');
    bal_json_add_text(&o, "schema", schema);
    bal_json_add_text(&o, "version", bal_version());
    return o;
}

static void line(BalJsonOut *o) {
    if (!o->pretty) return;
    bal_text_char(o->text, '\n');
    for (int i = 0; i < o->depth; i++) bal_text_add(o->text, "  ");
}

/* What stands before a value: comma, new line, key */
static void lead(BalJsonOut *o, const char *key) {
    if (!o->first[o->depth]) bal_text_char(o->text, ',');
    o->first[o->depth] = false;
    if (o->depth) line(o);
    if (!key) return;
    bal_json_quote(o->text, key);
    bal_text_add(o->text, o->pretty ? ": " : ":");
}

void bal_json_open(BalJsonOut *o, const char *key, char bracket) {
    assert(o->depth + 1 < (int)(sizeof o->first / sizeof *o->first));
    lead(o, key);
    bal_text_char(o->text, bracket);
    o->first[++o->depth] = true;
}

void bal_json_close(BalJsonOut *o, char bracket) {
    assert(o->depth > 0);
    bool empty = o->first[o->depth--];
    if (!empty) line(o);
    bal_text_char(o->text, bracket);
    if (o->depth == 0 && o->pretty) bal_text_char(o->text, '\n');
}

void bal_json_add_text(BalJsonOut *o, const char *key, const char *v) {
    lead(o, key);
    if (v)
        bal_json_quote(o->text, v);
    else
        bal_text_add(o->text, "null");
}

void bal_json_add_int(BalJsonOut *o, const char *key, int64_t v) {
    lead(o, key);
    bal_text_f(o->text, "%lld", (long long)v);
}

void bal_json_add_real(BalJsonOut *o, const char *key, double v) {
    lead(o, key);
    if (!isfinite(v))
        bal_text_add(o->text, "null");
    else if (v == 0 && signbit(v))
        bal_text_add(o->text, "-0.0"); /* "-0" would come back as an integer, without its sign */
    else
        bal_text_real(o->text, v);
}

void bal_json_add_bool(BalJsonOut *o, const char *key, bool v) {
    lead(o, key);
    bal_text_add(o->text, v ? "true" : "false");
}

void bal_json_quote(BalText *out, const char *s) {
    bal_text_char(out, '"');
    for (const unsigned char *c = (const unsigned char *)s; *c;) {
        size_t n = bal_utf8_length((const char *)c);
        if (*c == '"' || *c == '\\')
            bal_text_f(out, "\\%c", *c);
        else if (*c == '\n')
            bal_text_add(out, "\\n");
        else if (*c == '\t')
            bal_text_add(out, "\\t");
        else if (*c < 0x20 || *c == 0x7F)
            bal_text_f(out, "\\u%04x", *c);
        else if (n == 0)
            bal_text_add(out, "\xEF\xBF\xBD");
        else
            bal_text_add_n(out, (const char *)c, n);
        c += n ? n : 1;
    }
    bal_text_char(out, '"');
}
