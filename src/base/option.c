/* Settings by table: parse, check, load from YAML, dump, describe.
 *
 * YAML is read with libyaml's document interface, which keeps the line of every node, and walked along the tables: the dotted path
 * of a key must be an option's name or the beginning of one. Depth and number of accepted keys are thereby bounded by the tables,
 * whatever the file holds (aliases included). A schema-driven reader would need a second description of every struct. */
#include "base/option.h"
#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <yaml.h>
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"

#define MAX_YAML_BYTES ((size_t)1 << 20)
#define NO_BOUND       9e18 /* a bound this large is not worth naming */

/* ---- one value ---- */

static void describe(const BalOption *o, BalText *out) {
    static const char *const type[] = {"true or false", "integer", "number", "text", "one of"};
    bal_text_add(out, type[o->type]);
    if (o->type == BAL_OPT_TEXT) bal_text_f(out, " of at most %.0f bytes", o->max);
    if (o->type == BAL_OPT_ENUM)
        for (int i = 0; o->choices[i]; i++) bal_text_f(out, "%s %s", i ? "," : "", o->choices[i]);
    if (o->type != BAL_OPT_INT && o->type != BAL_OPT_REAL) return;
    if (o->min > -NO_BOUND) {
        bal_text_add(out, o->max < NO_BOUND ? " from " : " of at least ");
        bal_text_real(out, o->min);
    }
    if (o->max < NO_BOUND) {
        bal_text_add(out, o->min > -NO_BOUND ? " to " : " of at most ");
        bal_text_real(out, o->max);
    }
}

static BalStatus refuse(const BalOption *o, const char *value, BalError *err) {
    BalText allowed = {0};
    describe(o, &allowed);
    BalStatus rc =
        BAL_FAIL(err, BAL_E_ARG, "%s: '%.60s' is not allowed; allowed: %s", o->name, value, bal_text_str(&allowed));
    bal_text_reset(&allowed);
    return rc;
}

static bool parse_bool(const char *s, bool *out) {
    static const char *const word[] = {"false", "true", "no", "yes", "off", "on"};
    for (int i = 0; i < 6; i++)
        if (!strcasecmp(s, word[i])) {
            *out = i % 2;
            return true;
        }
    return false;
}

static bool parse_choice(const BalOption *o, const char *s, int *out) {
    for (int i = 0; o->choices[i]; i++)
        if (!strcmp(s, o->choices[i])) {
            *out = i;
            return true;
        }
    return false;
}

static BalStatus set_one(const BalOption *o, void *self, const char *value, BalError *err) {
    char *at = (char *)self + o->offset;
    bool flag, ok = false;
    int64_t whole;
    double real;
    int choice;
    switch (o->type) {
    case BAL_OPT_BOOL:
        if ((ok = parse_bool(value, &flag))) memcpy(at, &flag, sizeof flag);
        break;
    case BAL_OPT_INT:
        ok = bal_parse_i64(value, &whole) && (double)whole >= o->min && (double)whole <= o->max;
        if (ok) memcpy(at, &whole, sizeof whole);
        break;
    case BAL_OPT_REAL:
        ok = bal_parse_real(value, &real) && isfinite(real) && real >= o->min && real <= o->max;
        if (ok) memcpy(at, &real, sizeof real);
        break;
    case BAL_OPT_TEXT:
        if ((ok = strlen(value) <= (size_t)o->max)) {
            memset(at, 0, (size_t)o->max + 1);
            memcpy(at, value, strlen(value));
        }
        break;
    case BAL_OPT_ENUM:
        if ((ok = parse_choice(o, value, &choice))) memcpy(at, &choice, sizeof choice);
        break;
    }
    return ok ? BAL_OK : refuse(o, value, err);
}

/* With a point before an exponent: to YAML 1.1, and so to PyYAML, "1e-05" is a text. */
static void add_real(BalText *out, double v) {
    const size_t at = out->len;
    char exponent[8];
    bal_text_real(out, v);
    char *e = out->failed ? NULL : strchr(out->data + at, 'e');
    if (!e || strchr(out->data + at, '.')) return;
    snprintf(exponent, sizeof exponent, "%s", e);
    out->len = (size_t)(e - out->data);
    bal_text_f(out, ".0%s", exponent);
}

void bal_options_value(const BalOption *o, const void *self, BalText *out) {
    const char *at = (const char *)self + o->offset;
    bool flag;
    int64_t whole;
    double real;
    int choice;
    switch (o->type) {
    case BAL_OPT_BOOL:
        memcpy(&flag, at, sizeof flag);
        bal_text_add(out, flag ? "true" : "false");
        break;
    case BAL_OPT_INT:
        memcpy(&whole, at, sizeof whole);
        bal_text_f(out, "%lld", (long long)whole);
        break;
    case BAL_OPT_REAL:
        memcpy(&real, at, sizeof real);
        add_real(out, real);
        break;
    case BAL_OPT_TEXT:
        bal_text_add(out, at);
        break;
    case BAL_OPT_ENUM:
        memcpy(&choice, at, sizeof choice);
        bal_text_add(out, o->choices[choice]);
        break;
    }
}

/* ---- by name ---- */

void bal_options_default(const BalOption *table, void *self) {
    for (const BalOption *o = table; o->name; o++) {
        BalStatus rc = set_one(o, self, o->def, NULL);
        assert(rc == BAL_OK);
        (void)rc;
    }
}

static const BalOption *find(const BalOptionSet *sets, int n_sets, const char *name, void **self) {
    for (int i = 0; i < n_sets; i++)
        for (const BalOption *o = sets[i].table; o->name; o++)
            if (!strcmp(o->name, name)) {
                *self = sets[i].self;
                return o;
            }
    return NULL;
}

/* The option somebody may have meant: the same name in another section, or a name two letters away */
static const char *meant(const BalOptionSet *sets, int n_sets, const char *name) {
    for (int i = 0; i < n_sets; i++) {
        for (const BalOption *o = sets[i].table; o->name; o++) {
            const char *dot = strrchr(o->name, '.'), *mine = strrchr(name, '.');
            if (dot && !strcmp(dot + 1, mine ? mine + 1 : name)) return o->name;
        }
    }
    const char **names = NULL, *hint = NULL;
    size_t n = 0, cap = 0;
    for (int i = 0; i < n_sets; i++)
        for (const BalOption *o = sets[i].table;
             o->name && bal_grow(&names, &cap, n + 1, sizeof *names, NULL) == BAL_OK; o++)
            names[n++] = o->name;
    hint = bal_closest(name, names, (int)n);
    bal_free(names);
    return hint;
}

/* "audio, input, train": what stands before the dots, in the order of the tables. */
static void list_sections(const BalOptionSet *sets, int n_sets, BalText *out) {
    const char *last = "";
    for (int i = 0; i < n_sets; i++)
        for (const BalOption *o = sets[i].table; o->name; o++) {
            const size_t n = strcspn(o->name, ".");
            if (!strncmp(o->name, last, n + 1)) continue;
            bal_text_f(out, "%s%.*s", out->len ? ", " : "", (int)n, o->name);
            last = o->name;
        }
}

static BalStatus unknown(const BalOptionSet *sets, int n_sets, const char *name, BalError *err) {
    const char *hint = meant(sets, n_sets, name);
    if (hint) return BAL_FAIL(err, BAL_E_ARG, "unknown key '%.80s'; did you mean '%s'?", name, hint);
    BalText sections = {0};
    list_sections(sets, n_sets, &sections);
    BAL_FAIL(err, BAL_E_ARG, "unknown key '%.80s'; the sections are: %s", name, bal_text_str(&sections));
    bal_text_reset(&sections);
    return BAL_E_ARG;
}

BalStatus bal_options_set(const BalOptionSet *sets, int n_sets, const char *name, const char *value, BalError *err) {
    void *self;
    const BalOption *o = find(sets, n_sets, name, &self);
    return o ? set_one(o, self, value, err) : unknown(sets, n_sets, name, err);
}

BalStatus bal_options_assign(const BalOptionSet *sets, int n_sets, const char *text, BalError *err) {
    const char *equal = strchr(text, '=');
    char name[64];
    if (!equal || equal == text || (size_t)(equal - text) >= sizeof name)
        return BAL_FAIL(err, BAL_E_ARG, "override \"%s\" is not of the form key=value", text);
    memcpy(name, text, (size_t)(equal - text));
    name[equal - text] = '\0';
    return bal_options_set(sets, n_sets, name, equal + 1, err);
}

/* ---- YAML in ---- */

typedef struct Load {
    const BalOptionSet *sets;
    int n_sets;
    yaml_document_t *doc;
    const char *file;
    BalError *err;
} Load;

static BalStatus at_line(const Load *l, const yaml_node_t *node, const char *what, const char *key) {
    return BAL_FAIL(l->err, BAL_E_FORMAT, "%s: line %zu: %s%s%s", l->file, node->start_mark.line + 1, key,
                    *key ? ": " : "", what);
}

static bool is_section(const Load *l, const char *path, size_t n) {
    for (int i = 0; i < l->n_sets; i++)
        for (const BalOption *o = l->sets[i].table; o->name; o++)
            if (!strncmp(o->name, path, n) && o->name[n] == '.') return true;
    return false;
}

static const char *scalar(const yaml_node_t *node) {
    return (const char *)node->data.scalar.value;
}

static bool is_empty(const yaml_node_t *node) {
    return node->type == YAML_SCALAR_NODE && node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
           (node->data.scalar.length == 0 || !strcmp(scalar(node), "~") || !strcmp(scalar(node), "null"));
}

static BalStatus load_value(const Load *l, const char *path, const yaml_node_t *node) {
    if (node->type != YAML_SCALAR_NODE)
        return at_line(l, node, "one value is wanted here, not a list or a section", path);
    if (strlen(scalar(node)) != node->data.scalar.length) return at_line(l, node, "NUL byte", path);
    BalError e = {0};
    BalStatus rc = bal_options_set(l->sets, l->n_sets, path, scalar(node), &e);
    return rc < 0 ? at_line(l, node, e.text, "") : BAL_OK;
}

static BalStatus load_section(const Load *l, BalText *path, yaml_node_t *node);

static BalStatus load_pair(const Load *l, BalText *path, const yaml_node_pair_t *pair) {
    yaml_node_t *key = yaml_document_get_node(l->doc, pair->key), *value = yaml_document_get_node(l->doc, pair->value);
    size_t before = path->len;
    void *self;
    BalStatus rc;
    if (before) bal_text_char(path, '.');
    bal_text_add(path, scalar(key));
    if ((rc = bal_text_ok(path, l->err)) < 0) return rc;
    if (find(l->sets, l->n_sets, path->data, &self)) {
        rc = load_value(l, path->data, value);
    } else if (!is_section(l, path->data, path->len)) {
        BalError e = {0};
        (void)unknown(l->sets, l->n_sets, path->data, &e);
        rc = at_line(l, key, e.text, "");
    } else if (!is_empty(value)) {
        rc = load_section(l, path, value);
    }
    path->len = before;
    path->data[before] = '\0';
    return rc;
}

static BalStatus load_section(const Load *l, BalText *path, yaml_node_t *node) {
    if (node->type != YAML_MAPPING_NODE)
        return at_line(l, node, "a section of 'key: value' lines is wanted here", bal_text_str(path));
    yaml_node_pair_t *first = node->data.mapping.pairs.start;
    for (yaml_node_pair_t *p = first; p < node->data.mapping.pairs.top; p++) {
        yaml_node_t *key = yaml_document_get_node(l->doc, p->key);
        if (key->type != YAML_SCALAR_NODE || strlen(scalar(key)) != key->data.scalar.length)
            return at_line(l, key, "a key must be one word", "");
        if (strchr(scalar(key), '.')) /* one spelling only, or a key could be given twice unseen */
            return at_line(l, key, "a key has no dot; what stands before it is a section, with the rest below it",
                           scalar(key));
        for (yaml_node_pair_t *q = first; q < p; q++) /* all of them are known keys: not many */
            if (!strcmp(scalar(key), scalar(yaml_document_get_node(l->doc, q->key))))
                return at_line(l, key, "this key was already given above", scalar(key));
        BAL_TRY(load_pair(l, path, p));
    }
    return BAL_OK;
}

static BalStatus syntax_error(const yaml_parser_t *parser, const char *file, BalError *err) {
    if (parser->error == YAML_MEMORY_ERROR) return BAL_FAIL(err, BAL_E_NOMEM, "%s: out of memory", file);
    const char *problem = parser->problem ? parser->problem : "not valid YAML";
    if (!strcmp(problem, "found character that cannot start any token"))
        problem = "a tab, or another character that no value begins with (YAML is indented with spaces):";
    return BAL_FAIL(err, BAL_E_FORMAT, "%s: line %zu: %s%s%s", file, parser->problem_mark.line + 1, problem,
                    parser->context ? " " : "", parser->context ? parser->context : "");
}

/* One document and nothing behind it; an empty file sets nothing */
static BalStatus load_document(Load *l, yaml_parser_t *parser) {
    yaml_document_t doc, next;
    BalText path = {0};
    if (!yaml_parser_load(parser, &doc)) return syntax_error(parser, l->file, l->err);
    yaml_node_t *root = yaml_document_get_root_node(&doc);
    l->doc = &doc;
    BalStatus rc = root && !is_empty(root) ? load_section(l, &path, root) : BAL_OK;
    if (rc == BAL_OK && root) {
        if (!yaml_parser_load(parser, &next)) {
            rc = syntax_error(parser, l->file, l->err);
        } else {
            yaml_node_t *more = yaml_document_get_root_node(&next);
            if (more) rc = at_line(l, more, "a second document begins; a recipe is one", "");
            yaml_document_delete(&next);
        }
    }
    yaml_document_delete(&doc);
    l->doc = NULL;
    bal_text_reset(&path);
    return rc;
}

BalStatus bal_options_parse(const BalOptionSet *sets, int n_sets, const char *yaml, size_t n, const char *name,
                            BalError *err) {
    yaml_parser_t parser;
    if (n > MAX_YAML_BYTES)
        return BAL_FAIL(err, BAL_E_FORMAT, "%s: %zu bytes; a recipe has at most %zu", name, n, MAX_YAML_BYTES);
    if (!yaml_parser_initialize(&parser)) return BAL_FAIL(err, BAL_E_NOMEM, "%s: out of memory", name);
    yaml_parser_set_input_string(&parser, (const unsigned char *)(n ? yaml : ""), n);
    Load l = {.sets = sets, .n_sets = n_sets, .file = name, .err = err};
    BalStatus rc = load_document(&l, &parser);
    yaml_parser_delete(&parser);
    return rc;
}

BalStatus bal_options_load(const BalOptionSet *sets, int n_sets, const char *path, BalError *err) {
    BalText text = {0};
    BalStatus rc = bal_file_read(path, MAX_YAML_BYTES, &text, err);
    if (rc == BAL_OK && !text.len) /* as a full disk leaves it */
        rc = BAL_FAIL(err, BAL_E_FORMAT, "%s: the file is empty; a recipe of defaults is one comment line", path);
    if (rc == BAL_OK) rc = bal_options_parse(sets, n_sets, bal_text_str(&text), text.len, path, err);
    bal_text_reset(&text);
    return rc;
}

/* ---- out ---- */

static void indent(BalText *out, int depth) {
    for (int i = 0; i < depth; i++) bal_text_add(out, "  ");
}

/* Open the sections of `name` that `last`, the option before it, was not in; returns what stands behind the last dot */
static const char *open_sections(BalText *out, const char *last, const char *name, int *depth) {
    bool shared = true;
    *depth = 0;
    for (const char *dot; (dot = strchr(name, '.')); name = dot + 1, (*depth)++) {
        size_t n = (size_t)(dot - name) + 1;
        shared = shared && !strncmp(last, name, n);
        if (shared) {
            last += n;
            continue;
        }
        indent(out, *depth);
        bal_text_add_n(out, name, n - 1);
        bal_text_add(out, ":\n");
    }
    return name;
}

void bal_options_dump(const BalOptionSet *sets, int n_sets, BalText *out) {
    const char *last = "";
    for (int i = 0; i < n_sets; i++) {
        for (const BalOption *o = sets[i].table; o->name; o++) {
            int depth;
            const char *key = open_sections(out, last, o->name, &depth);
            indent(out, depth);
            bal_text_f(out, "%s: ", key);
            if (o->type == BAL_OPT_TEXT)
                bal_json_quote(out, (const char *)sets[i].self + o->offset);
            else
                bal_options_value(o, sets[i].self, out);
            bal_text_char(out, '\n');
            last = o->name;
        }
    }
}

void bal_options_help(const BalOption *table, BalText *out) {
    for (const BalOption *o = table; o->name; o++) {
        bal_text_f(out, "  %-24s %s (", o->name, o->help);
        describe(o, out);
        bal_text_f(out, "; default %s)\n", *o->def ? o->def : "empty");
    }
}
