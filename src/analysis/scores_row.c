/* One row of a table of scores: the plain row without a copy and without csv's bookkeeping, every other row through base/csv.h. What
 * the fast path accepts it reads as the slow one does; what it does not know it leaves untouched. */
#include "analysis/scores_file.h"

#include <math.h>
#include <string.h>

/* ---- the slow path ---- */

#define ROW_FAIL(code, fmt, ...) BAL_FAIL(err, code, "%s: line %lld: " fmt, f->path, (long long)csv->line, __VA_ARGS__)

static BalStatus parse_value(const BalScoresFile *f, const BalCsv *csv, int i, BalScoreRow *row, BalError *err) {
    const BalField *field = &csv->field[i];
    int c = f->column[i], shown = (int)(field->n < 60 ? field->n : 60);
    bool is_u = c == BAL_SCORE_U_AUDIO || c == BAL_SCORE_U_VISUAL;
    const char *name = is_u ? f->u_name[c == BAL_SCORE_U_VISUAL] : bal_score_column_name((BalScoreColumn)c);
    double v = NAN;
    bool number = bal_parse_real_n(field->s, field->n, &v);
    if (is_u) {
        if (!number)
            return ROW_FAIL(BAL_E_NUMERIC, "%s is \"%.*s\", not a number; every clip needs a mean confidence in [0,1]",
                            name, shown, field->s);
        if (!(v >= 0 && v <= 1))
            return ROW_FAIL(BAL_E_NUMERIC,
                            "%s is %.*s, outside [0,1]; give mean confidences, and leave out clips that have none",
                            name, shown, field->s);
        *(c == BAL_SCORE_U_AUDIO ? &row->u_audio : &row->u_visual) = v;
        return BAL_OK;
    }
    if (!f->extras) return BAL_OK;
    if (!number && field->n)
        return ROW_FAIL(BAL_E_NUMERIC, "%s is \"%.*s\", not a number; leave it empty where unknown", name, shown,
                        field->s);
    if (c == BAL_SCORE_UNDECIDED && number && v != 0 && v != 1)
        return ROW_FAIL(BAL_E_NUMERIC, "%s is %.*s, neither 0 nor 1; leave it empty where unknown", name, shown,
                        field->s);
    if ((c == BAL_SCORE_LOW || c == BAL_SCORE_HIGH) && number && !(v >= -1 && v <= 1))
        return ROW_FAIL(BAL_E_NUMERIC, "%s is %.*s, outside [-1,1]; leave it empty where unknown", name, shown,
                        field->s);
    row->extra[c] = v;
    return BAL_OK;
}

static BalStatus parse_row(const BalScoresFile *f, const BalCsv *csv, BalScoreRow *row, BalError *err) {
    if (csv->n_fields != f->n_columns)
        return ROW_FAIL(BAL_E_FORMAT, "has %d fields, the header has %d; quote fields that hold the separator",
                        csv->n_fields, f->n_columns);
    if (csv->next_line > csv->line + 1)
        return ROW_FAIL(BAL_E_FORMAT, "%s", "a quoted field goes over several lines; scores need one row per line");
    for (int i = 0; i < csv->n_fields; i++) {
        const BalField *field = &csv->field[i];
        BalScoreText text = {field->s, (uint32_t)field->n};
        switch (f->column[i]) {
        case BAL_COLUMN_SKIP:
            break;
        case BAL_COLUMN_ID:
            row->id = text;
            break;
        case BAL_COLUMN_LABEL:
            row->label = text;
            break;
        case BAL_COLUMN_SPLIT:
            row->split = text;
            break;
        case BAL_COLUMN_SOURCE:
            row->source = text;
            break;
        default:
            BAL_TRY(parse_value(f, csv, i, row, err));
        }
    }
    if (!row->id.n) return ROW_FAIL(BAL_E_FORMAT, "%s", "the id is empty; every clip needs one of its own");
    return BAL_OK;
}

/* ---- the fast path: a row without quotes whose u are written as 0.1234 ---- */

#define EACH(byte) (0x0101010101010101u * (uint64_t)(unsigned char)(byte))

/* First separator or byte below blank; the padding ends the search. Marks: see field_end in base/csv.c. */
static const char *text_end(const char *s, uint64_t separators) {
    for (;; s += 8) {
        uint64_t v = bal_load_le(s), x = v ^ separators;
        uint64_t hit = (((v - EACH(0x20)) & ~v) | ((x - EACH(1)) & ~x)) & EACH(0x80);
        if (hit) return s + __builtin_ctzll(hit) / 8;
    }
}

/* 0, 1, 0.ddd or 1.ddd at s with up to 15 decimals: one exact integer divided by one exact power of ten, eight digits at a time.
 * Returns the byte behind it, or NULL for everything else. */
static const char *fast_value(const char *s, double *out) {
    static const double p10[] = {1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};
    static const uint64_t u10[] = {1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000};
    unsigned whole = (unsigned char)s[0] - (unsigned)'0';
    if (whole > 1) return NULL;
    s++;
    uint64_t fraction = 0;
    int digits = 0;
    if (*s == '.') {
        int k;
        s++;
        do {
            uint64_t v = bal_load_le(s), no_digit = ((v + EACH(0x46)) | (v - EACH('0'))) & EACH(0x80);
            k = no_digit ? __builtin_ctzll(no_digit) / 8 : 8;
            if (k == 0) break;
            v = (v - EACH('0')) << (64 - 8 * k); /* leading zeros instead of what follows */
            v = v * 10 + (v >> 8);
            v = ((v & 0x000000ff000000ffu) * 0x000f424000000064u +
                 (v >> 16 & 0x000000ff000000ffu) * 0x0000271000000001u) >>
                32;
            fraction = fraction * u10[k] + (uint32_t)v;
            digits += k;
            s += k;
        } while (k == 8 && digits <= 16);
        if (digits == 0 || digits > 15) return NULL;
    }
    *out = whole + (double)fraction / p10[digits];
    return !whole || !fraction ? s : NULL; /* 1.5 is for the slow path to refuse */
}

/* True if the row is of the plain kind; otherwise nothing has moved. Extra columns are left to csv. */
static bool fast_row(const BalScoresFile *f, BalCsv *csv, BalScoreRow *row) {
    const uint64_t separators = EACH(f->separator);
    const char *s = csv->at;
    if (s >= csv->end) return false;
    for (int i = 0; i < f->n_columns; i++) {
        const char *begin = s;
        int code = f->column[i];
        if (code == BAL_SCORE_U_AUDIO || code == BAL_SCORE_U_VISUAL) {
            s = fast_value(s, code == BAL_SCORE_U_AUDIO ? &row->u_audio : &row->u_visual);
            if (!s) return false;
        } else {
            if (*s == '"') return false;
            s = text_end(s, separators);
            BalScoreText text = {begin, (uint32_t)(s - begin)};
            if (code == BAL_COLUMN_ID) row->id = text;
            if (code == BAL_COLUMN_LABEL) row->label = text;
            if (code == BAL_COLUMN_SPLIT) row->split = text;
            if (code == BAL_COLUMN_SOURCE) row->source = text;
        }
        if (i + 1 < f->n_columns && *s++ != f->separator) return false;
    }
    if (*s == '\r') s++;
    if (*s != '\n' || !row->id.n) return false;
    csv->at = s < csv->end ? s + 1 : csv->end;
    csv->line = csv->next_line++;
    return true;
}

/* ---- rows ---- */

static BalStatus slow_row(const BalScoresFile *f, BalCsv *csv, BalScoreRow *row, BalError *err) {
    row->id = row->label = row->split = row->source = (BalScoreText){"", 0};
    BalStatus rc = bal_csv_next(csv, err);
    if (rc != BAL_OK) return rc;
    if (f->extras)
        for (int c = 0; c < BAL_SCORE_COLUMNS; c++) row->extra[c] = NAN;
    return parse_row(f, csv, row, err);
}

/* Was text of the row rewritten by csv (doubled quotes)? It then lives until the next row only. */
static bool is_rewritten(const BalScoreRow *row, const BalCsv *csv) {
    const char *text[4] = {row->id.s, row->label.s, row->split.s, row->source.s};
    for (int i = 0; i < 4 && csv->unescaped; i++)
        if (text[i] >= csv->unescaped && text[i] < csv->unescaped + csv->unescaped_cap) return true;
    return false;
}

BalStatus bal_scores_rows(const BalScoresFile *f, BalCsv *csv, BalScoreRow *row, int most, int *n, bool *rewritten,
                          BalError *err) {
    BalStatus rc = BAL_OK;
    int k = 0;
    *rewritten = false;
    while (k < most && !*rewritten) {
        if (!f->extras && fast_row(f, csv, &row[k])) {
            k++;
            continue;
        }
        if ((rc = slow_row(f, csv, &row[k], err)) != BAL_OK) break;
        *rewritten = is_rewritten(&row[k++], csv);
    }
    *n = k;
    return k && rc == BAL_END ? BAL_OK : rc;
}
