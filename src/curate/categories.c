/* Tables of categories, and what class probabilities say about them.
 *
 * A table is data: the same program serves another dataset, or another pair of scorers, with another table. What can be wrong in it
 * (a class that no list has, one that two categories claim) would silently shift confidences from one category to another; hence
 * everything is checked when it is loaded and when it meets a scorer's list.
 *
 * Classes of a softmax exclude each other, so that the sum over a category's classes is the exact probability of their union.
 * Unmapped classes stay rivals one by one: "anything else" is not a class. */
#include <math.h>
#include <string.h>
#include <avbalance/curate.h>
#include "analysis/predictions.h"
#include "base/csv.h"
#include "base/file.h"
#include "base/mem.h"
#include "curate/keep.h"
#include "curate/side.h"

static const struct Embedded {
    const char *name, *tsv;
} embedded[] = {
#include "curate/categories.inc"
};
enum { N_EMBEDDED = sizeof embedded / sizeof *embedded };

int bal_categories_count(void) {
    return N_EMBEDDED;
}

const char *bal_categories_at(int i, const char **tsv) {
    if (tsv) *tsv = embedded[i].tsv;
    return embedded[i].name;
}

/* ---- reading a table ---- */

enum { KEY, DISPLAY, SIDE, CLASS, WEAK, COLUMNS };
static const char *const column_name[COLUMNS] = {"key", "display", "side", "class", "weak"};

struct BalCategoriesText {
    BalArena arena;
};

typedef struct Row { /* of the table; texts are of the arena */
    int category, side;
    const char *class_name; /* NULL: says only that the side is weak */
    int64_t line;
} Row;

typedef struct Table {
    BalCsv csv;
    int column[COLUMNS];
    BalCategories *out;
    size_t category_cap, row_cap;
    Row *row;
    int n_rows;
} Table;

static BalStatus keep(Table *t, const BalField *f, const char **out, BalError *err) {
    return bal_keep(&t->out->text->arena, f->s, f->n, out, err);
}

static bool is_comment(const BalCsv *csv) {
    return csv->field[0].n && csv->field[0].s[0] == '#' && !csv->field[0].quoted;
}

static BalStatus next_row(BalCsv *csv, BalError *err) {
    BalStatus rc;
    while ((rc = bal_csv_next(csv, err)) == BAL_OK && is_comment(csv)) {
    }
    return rc;
}

static BalStatus read_header(Table *t, BalError *err) {
    BalCsv *csv = &t->csv;
    BalStatus rc = next_row(csv, err);
    if (rc == BAL_END) return BAL_FAIL(err, BAL_E_FORMAT, "%s: holds no categories", csv->name);
    BAL_TRY(rc);
    for (int c = 0; c < COLUMNS; c++) {
        t->column[c] = -1;
        for (int k = 0; k < csv->n_fields; k++)
            if (bal_field_is(&csv->field[k], column_name[c])) t->column[c] = k;
        if (t->column[c] < 0 && c != WEAK)
            return BAL_FAIL(err, BAL_E_FORMAT,
                            "%s: line %lld: there is no column \"%s\"; the header must be key, display, side, class "
                            "and optionally weak, with tabs between",
                            csv->name, (long long)csv->line, column_name[c]);
    }
    return BAL_OK;
}

/* Field of a column; rows may leave out empty fields at their end. */
static BalField field(const Table *t, int column) {
    const int k = t->column[column];
    return k >= 0 && k < t->csv.n_fields ? t->csv.field[k] : (BalField){.s = ""};
}

static BalStatus find_category(Table *t, int *out, BalError *err) {
    BalCategories *c = t->out;
    const BalField key = field(t, KEY), display = field(t, DISPLAY);
    if (!key.n)
        return BAL_FAIL(err, BAL_E_FORMAT, "%s: line %lld: the key is empty", t->csv.name, (long long)t->csv.line);
    for (*out = 0; *out < c->n; ++*out) {
        if (!bal_field_is(&key, c->category[*out].key)) continue;
        if (!display.n || bal_field_is(&display, c->category[*out].display)) return BAL_OK;
        return BAL_FAIL(err, BAL_E_FORMAT, "%s: line %lld: \"%s\" is displayed as \"%.*s\" here and as \"%s\" before",
                        t->csv.name, (long long)t->csv.line, c->category[*out].key, (int)display.n, display.s,
                        c->category[*out].display);
    }
    BAL_TRY(bal_grow(&c->category, &t->category_cap, (size_t)c->n + 1, sizeof *c->category, err));
    BalCategory *new = &c->category[c->n];
    *new = (BalCategory){0};
    BAL_TRY(keep(t, &key, &new->key, err));
    BAL_TRY(keep(t, display.n ? &display : &key, &new->display, err));
    c->n++;
    return BAL_OK;
}

static BalStatus read_row(Table *t, BalError *err) {
    const char *file = t->csv.name;
    const long long line = t->csv.line;
    const BalField side = field(t, SIDE), class_name = field(t, CLASS), weak = field(t, WEAK);
    Row r = {.side = bal_field_is(&side, "visual"), .line = line};
    if (!r.side && !bal_field_is(&side, "audio"))
        return BAL_FAIL(err, BAL_E_FORMAT, "%s: line %lld: the side \"%.*s\" is neither audio nor visual", file, line,
                        (int)(side.n < 60 ? side.n : 60), side.s);
    const bool is_weak = bal_field_is(&weak, "1");
    if (!is_weak && weak.n && !bal_field_is(&weak, "0"))
        return BAL_FAIL(err, BAL_E_FORMAT, "%s: line %lld: weak is \"%.*s\", it may be 1, 0 or empty", file, line,
                        (int)(weak.n < 60 ? weak.n : 60), weak.s);
    if (!class_name.n && !is_weak)
        return BAL_FAIL(err, BAL_E_FORMAT,
                        "%s: line %lld: the class is empty; set weak to 1 if the scorer knows nothing of the kind",
                        file, line);
    BAL_TRY(find_category(t, &r.category, err));
    if (class_name.n) BAL_TRY(keep(t, &class_name, &r.class_name, err));
    BAL_TRY(bal_grow(&t->row, &t->row_cap, (size_t)t->n_rows + 1, sizeof *t->row, err));
    t->row[t->n_rows++] = r;
    BalCategory *c = &t->out->category[r.category];
    c->weak[r.side] |= is_weak;
    c->n_classes[r.side] += r.class_name != NULL;
    return BAL_OK;
}

/* ---- checking it ---- */

static BalStatus check_doubled(const Table *t, BalError *err) {
    for (int i = 0; i < t->n_rows; i++)
        for (int k = 0; k < i && t->row[i].class_name; k++) {
            const Row *a = &t->row[k], *b = &t->row[i];
            if (a->side == b->side && a->class_name && !strcmp(a->class_name, b->class_name))
                return BAL_FAIL(err, BAL_E_FORMAT,
                                "%s: line %lld: the %s class \"%s\" stands in line %lld already, for \"%s\"; it can "
                                "belong to one category only",
                                t->csv.name, (long long)b->line, bal_side_names[b->side], b->class_name,
                                (long long)a->line, t->out->category[a->category].key);
        }
    return BAL_OK;
}

static BalStatus check_sides(const Table *t, BalError *err) {
    if (!t->out->n) return BAL_FAIL(err, BAL_E_FORMAT, "%s: holds no categories", t->csv.name);
    for (int i = 0; i < t->out->n; i++)
        for (int side = 0; side < BAL_SIDES; side++) {
            const BalCategory *c = &t->out->category[i];
            if (!c->n_classes[side] && !c->weak[side])
                return BAL_FAIL(err, BAL_E_FORMAT,
                                "%s: \"%s\" has no %s class; add one, or a row with an empty class and weak 1",
                                t->csv.name, c->key, bal_side_names[side]);
        }
    return BAL_OK;
}

/* The rows' classes into the categories' own lists. */
static BalStatus hand_out(Table *t, BalError *err) {
    BalCategories *c = t->out;
    for (int i = 0; i < c->n; i++)
        for (int side = 0; side < BAL_SIDES; side++) {
            BalCategory *of = &c->category[i];
            const size_t n = (size_t)of->n_classes[side];
            BAL_TRY(bal_arena_take(&c->text->arena, &of->class_name[side], n + 1, sizeof(char *), err));
            of->n_classes[side] = 0;
        }
    for (int i = 0; i < t->n_rows; i++) {
        const Row *r = &t->row[i];
        BalCategory *of = &c->category[r->category];
        if (r->class_name) of->class_name[r->side][of->n_classes[r->side]++] = r->class_name;
    }
    return BAL_OK;
}

static BalStatus read_table(Table *t, BalError *err) {
    BalStatus rc;
    BAL_TRY(read_header(t, err));
    while ((rc = next_row(&t->csv, err)) == BAL_OK) BAL_TRY(read_row(t, err));
    BAL_TRY(rc);
    BAL_TRY(check_doubled(t, err));
    BAL_TRY(check_sides(t, err));
    return hand_out(t, err);
}

static BalStatus parse(BalCategories *out, const char *tsv, size_t n, const char *name, BalError *err) {
    BalCategories c = {0};
    Table t = {.out = &c};
    bal_csv_init(&t.csv, tsv, n, '\t', name);
    BalStatus rc = bal_alloc(&c.text, 1, sizeof *c.text, err);
    if (rc >= 0) rc = read_table(&t, err);
    bal_csv_reset(&t.csv);
    bal_free(t.row);
    if (rc < 0)
        bal_categories_reset(&c);
    else
        *out = c;
    return rc;
}

BalStatus bal_categories_load(BalCategories *out, const char *which, BalError *err) {
    for (int i = 0; i < N_EMBEDDED; i++)
        if (!strcmp(which, embedded[i].name))
            return parse(out, embedded[i].tsv, strlen(embedded[i].tsv), embedded[i].name, err);
    if (!strchr(which, '/') && !strchr(which, '.') && !bal_file_exists(which)) {
        BalText list = {0};
        for (int i = 0; i < N_EMBEDDED; i++) bal_text_f(&list, "%s%s", i ? ", " : "", embedded[i].name);
        BAL_FAIL(err, BAL_E_ARG, "there are no categories \"%s\"; give a file, or one of this build: %s", which,
                 bal_text_str(&list));
        bal_text_reset(&list);
        return BAL_E_ARG;
    }
    BalText text = {0};
    BalStatus rc = bal_file_read(which, 0, &text, err);
    if (rc >= 0) rc = parse(out, bal_text_str(&text), text.len, which, err);
    bal_text_reset(&text);
    return rc;
}

BalStatus bal_categories_plain(BalCategories *out, const char *const *name, int n, BalError *err) {
    BalText tsv = {0};
    bal_text_add(&tsv, "key\tdisplay\tside\tclass\n");
    for (int i = 0; i < n; i++)
        for (int side = 0; side < BAL_SIDES; side++) {
            bal_csv_quote(&tsv, name[i]);
            bal_text_f(&tsv, "\t\t%s\t", bal_side_names[side]);
            bal_csv_quote(&tsv, name[i]);
            bal_text_char(&tsv, '\n');
        }
    BalStatus rc = bal_text_ok(&tsv, err);
    if (rc >= 0) rc = parse(out, tsv.data, tsv.len, "labels", err);
    bal_text_reset(&tsv);
    return rc;
}

void bal_categories_reset(BalCategories *c) {
    if (c->text) bal_arena_reset(&c->text->arena);
    bal_free(c->text);
    bal_free(c->category);
    *c = (BalCategories){0};
}

int bal_category_find(const BalCategories *c, const char *key) {
    for (int i = 0; i < c->n; i++)
        if (!strcmp(c->category[i].key, key)) return i;
    for (int i = 0; i < c->n; i++)
        if (!strcmp(c->category[i].display, key)) return i;
    return -1;
}

int bal_category_of_label(const BalCategories *c, const char *label) {
    const int named = bal_category_find(c, label);
    for (int i = 0; i < c->n && named < 0; i++)
        for (int side = 0; side < BAL_SIDES; side++)
            for (int k = 0; k < c->category[i].n_classes[side]; k++)
                if (!strcmp(c->category[i].class_name[side][k], label)) return i;
    return named;
}

/* ---- meeting a scorer's list ---- */

static BalStatus map_class(BalCategoryMap *m, const BalNameIndex *names, const char *wanted, int category,
                           const char *list, BalError *err) {
    int64_t k = bal_name_index_find(names, wanted, strlen(wanted));
    if (k >= 0) {
        m->category[k] = category;
        return BAL_OK;
    }
    const char *near = bal_closest(wanted, names->name, (int)names->n);
    return BAL_FAIL(err, BAL_E_FORMAT,
                    "%s: has no class \"%s\"%s%s%s; correct the table of categories, or give the "
                    "list of the classes that this scorer knows",
                    list, wanted, near ? ", but \"" : "", near ? near : "", near ? "\"" : "");
}

BalStatus bal_category_map_make(BalCategoryMap *out, const BalCategories *c, BalSide side, const char *const *name,
                                int n, const char *list, BalError *err) {
    BalCategoryMap m = {.n_classes = n, .n_categories = c->n};
    BalNameIndex names = {0};
    BalStatus rc;
    BAL_TRY_OR(done, bal_alloc(&m.category, (size_t)n, sizeof *m.category, err));
    BAL_TRY_OR(done, bal_name_index_make(&names, name, n, err));
    for (int k = 0; k < n; k++) {
        m.category[k] = -1;
        int64_t first = bal_name_index_find(&names, name[k], strlen(name[k]));
        if (first == k) continue;
        rc = BAL_FAIL(err, BAL_E_FORMAT, "%s: the class \"%s\" is there twice, as number %lld and %d", list, name[k],
                      (long long)first, k);
        goto done;
    }
    for (int i = 0; i < c->n; i++)
        for (int k = 0; k < c->category[i].n_classes[side]; k++)
            BAL_TRY_OR(done, map_class(&m, &names, c->category[i].class_name[side][k], i, list, err));
    *out = m;
    m = (BalCategoryMap){0};
done:
    bal_name_index_reset(&names);
    bal_category_map_reset(&m);
    return rc;
}

void bal_category_map_reset(BalCategoryMap *m) {
    bal_free(m->category);
    *m = (BalCategoryMap){0};
}

/* ---- scores ---- */

BalStatus bal_category_score(BalCategoryScore *out, const BalCategoryMap *m, const float *q, int y, BalCorrectRule rule,
                             double *p, BalError *err) {
    double rival = -1; /* the best unmapped class */
    int top_class = 0;
    memset(p, 0, (size_t)m->n_categories * sizeof *p);
    for (int k = 0; k < m->n_classes; k++) {
        const int c = m->category[k];
        if (!(q[k] >= 0 && q[k] <= 1))
            return BAL_FAIL(err, BAL_E_NUMERIC, "the probability of class %d is %g, outside [0,1]", k, (double)q[k]);
        if (q[k] > q[top_class]) top_class = k;
        if (c >= 0)
            p[c] += (double)q[k];
        else
            rival = fmax(rival, (double)q[k]);
    }
    BalCategoryScore s = {.p = p[y], .correct = p[y] > rival};
    for (int c = 0; c < m->n_categories; c++) {
        if (p[c] > p[s.top]) s.top = c;
        if (c != y && p[c] >= p[y]) s.correct = false;
    }
    s.top_p = p[s.top];
    if (rival > s.top_p) {
        s.top = -1;
        s.top_p = rival;
    }
    if (rule == BAL_CORRECT_TOP1) s.correct = m->category[top_class] == y;
    *out = s;
    return BAL_OK;
}
