/* Tables of scores read as fast as the disk cache gives them, in any size of memory.
 *
 * The file is cut into chunks of 1 MiB, each chunk is read into its worker's buffer, the rows that begin in it are split by
 * base/csv.h and handed on in blocks. Nothing of the text is kept, so memory does not grow with the file except for 8 bytes per row:
 * the hash of its id, from which doubled ids are found at the end (doubled.c). Reading by pread into a buffer that stays in the
 * cache costs no more than a mapping, counts for nothing in the resident size, and a file that is cut short while it is read is a
 * message and not a SIGBUS.
 *
 * A chunk can only begin at a line end, hence one row per line: a quoted field that goes over several lines is refused. The message
 * of a bad row names its line; lines are counted only then. */
#include "analysis/scores_file.h"

#include <errno.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

#include "base/csv.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/thread.h"

#define CHUNK_BYTES   ((int64_t)1 << 20)
#define SLACK_BYTES   ((int64_t)1 << 16) /* read beyond a chunk's end at first, to finish its last row */
#define LONGEST_ROW   ((int64_t)1 << 20)
#define HEADER_BYTES  ((int64_t)1 << 16)
#define PADDING       16 /* line ends behind the text, so that the fast path may look ahead without asking */
#define ROWS_PER_CALL 128

static const char *const column_names[BAL_SCORE_COLUMNS] = {
    "u_audio",      "u_visual",      "sd_audio", "sd_visual", "correct_audio", "correct_visual",
    "epochs_audio", "epochs_visual", "low",      "high",      "flip_rate",     "undecided"};

const char *bal_score_column_name(BalScoreColumn c) {
    return column_names[c];
}

/* ---- bytes ---- */

/* Read exactly n bytes at `at`; a file that became shorter is an error. */
static BalStatus read_at(const BalScoresFile *f, int64_t at, char *to, size_t n, BalError *err) {
    while (n) {
        ssize_t k = pread(f->fd, to, n, (off_t)at);
        if (k < 0 && errno == EINTR) continue;
        if (k < 0) return BAL_FAIL(err, BAL_E_IO, "%s: cannot read: %s", f->path, strerror(errno));
        if (k == 0) return BAL_FAIL(err, BAL_E_IO, "%s: became shorter while it was read", f->path);
        to += k;
        at += k;
        n -= (size_t)k;
    }
    return BAL_OK;
}

typedef struct Buffer {
    char *data;
    size_t cap;
    BalCsv csv;
    uint64_t *hash; /* of the ids of the chunk in work */
    size_t hash_cap;
} Buffer;

static void buffer_reset(Buffer *b) {
    bal_free(b->data);
    bal_free(b->hash);
    bal_csv_reset(&b->csv);
}

/* Point the buffer's csv at the rows that begin in this chunk. A row begins at data_at or behind a line end. *at, which may be
 * NULL, is the byte of the file where the first one begins. */
static BalStatus read_rows(const BalScoresFile *f, int64_t chunk, Buffer *b, int64_t *at, BalError *err) {
    int64_t start = f->data_at + chunk * CHUNK_BYTES, end = start + CHUNK_BYTES;
    int64_t from = start > f->data_at ? start - 1 : start;
    if (end > f->size) end = f->size;
    int64_t have = 0, slack = SLACK_BYTES;
    const char *last = NULL; /* the line end that closes the last row */
    while (!last) {
        int64_t to = end + slack < f->size ? end + slack : f->size;
        BAL_TRY(bal_grow(&b->data, &b->cap, (size_t)(to - from) + PADDING, 1, err));
        BAL_TRY(read_at(f, from + have, b->data + have, (size_t)(to - from - have), err));
        have = to - from;
        int64_t look = end - 1 > from ? end - 1 - from : 0;
        last = memchr(b->data + look, '\n', (size_t)(have - look));
        if (!last && to == f->size) last = b->data + have - 1;
        if (!last && slack > LONGEST_ROW)
            return BAL_FAIL(err, BAL_E_FORMAT,
                            "%s: a line is longer than %lld bytes; a table of scores has one short row per line",
                            f->path, (long long)LONGEST_ROW);
        slack *= 4;
    }
    const char *first = b->data;
    if (from < start) {
        first = memchr(b->data, '\n', (size_t)have);
        first = first ? first + 1 : b->data + have;
    }
    memset(b->data + have, '\n', PADDING);
    b->csv.at = first;
    b->csv.end = first - b->data >= end - from ? first : last + 1; /* nothing begins in here: one row covers it all */
    b->csv.separator = f->separator;
    b->csv.name = f->path;
    if (at) *at = from + (first - b->data);
    return BAL_OK;
}

/* ---- header ---- */

static char find_separator(const char *s, size_t n) {
    const char *nl = memchr(s, '\n', n);
    if (nl) n = (size_t)(nl - s);
    return memchr(s, '\t', n) ? '\t' : memchr(s, ',', n) ? ',' : memchr(s, ';', n) ? ';' : ',';
}

/* What a column of the file is to us. */
static int column_code(const BalField *field, const BalScoresSpec *spec) {
    if (bal_field_is(field, spec->id ? spec->id : "id")) return BAL_COLUMN_ID;
    if (bal_field_is(field, spec->u_audio ? spec->u_audio : column_names[BAL_SCORE_U_AUDIO])) return BAL_SCORE_U_AUDIO;
    if (bal_field_is(field, spec->u_visual ? spec->u_visual : column_names[BAL_SCORE_U_VISUAL]))
        return BAL_SCORE_U_VISUAL;
    if (bal_field_is(field, spec->label ? spec->label : "label")) return BAL_COLUMN_LABEL;
    if (bal_field_is(field, spec->split ? spec->split : "split")) return BAL_COLUMN_SPLIT;
    for (int c = BAL_SCORE_SD_AUDIO; c < BAL_SCORE_COLUMNS; c++)
        if (bal_field_is(field, column_names[c])) return c;
    return BAL_COLUMN_SKIP;
}

static BalStatus missing_column(const BalScoresFile *f, const BalCsv *csv, const char *name, const char *what,
                                BalError *err) {
    BalText have = {0};
    for (int i = 0; i < csv->n_fields && have.len < 200; i++)
        bal_text_f(&have, "%s%.*s", i ? ", " : "", (int)(csv->field[i].n < 60 ? csv->field[i].n : 60), csv->field[i].s);
    BalStatus rc =
        BAL_FAIL(err, BAL_E_FORMAT, "%s: line %lld: there is no column \"%s\" (columns: %s); name it with --%s-column",
                 f->path, (long long)csv->line, name, bal_text_str(&have), what);
    bal_text_reset(&have);
    return rc;
}

static BalStatus take_header(BalScoresFile *f, const BalCsv *csv, const BalScoresSpec *spec, BalError *err) {
    bool has_id = false;
    f->n_columns = csv->n_fields;
    BAL_TRY(bal_alloc(&f->column, (size_t)csv->n_fields, sizeof *f->column, err));
    for (int i = 0; i < csv->n_fields; i++) {
        int code = column_code(&csv->field[i], spec);
        bool *seen = code >= 0                  ? &f->has[code]
                     : code == BAL_COLUMN_ID    ? &has_id
                     : code == BAL_COLUMN_LABEL ? &f->has_label
                     : code == BAL_COLUMN_SPLIT ? &f->has_split
                                                : NULL;
        if (seen && *seen)
            return BAL_FAIL(err, BAL_E_FORMAT,
                            "%s: line %lld: the column \"%.*s\" is there twice; remove or rename one", f->path,
                            (long long)csv->line, (int)csv->field[i].n, csv->field[i].s);
        if (seen) *seen = true;
        f->column[i] = code;
    }
    if (!has_id) return missing_column(f, csv, spec->id ? spec->id : "id", "id", err);
    if (!f->has[BAL_SCORE_U_AUDIO])
        return missing_column(f, csv, spec->u_audio ? spec->u_audio : "u_audio", "audio", err);
    if (!f->has[BAL_SCORE_U_VISUAL])
        return missing_column(f, csv, spec->u_visual ? spec->u_visual : "u_visual", "visual", err);
    if (spec->label && !f->has_label) return missing_column(f, csv, spec->label, "label", err);
    if ((spec->split || spec->only_split) && !f->has_split)
        return missing_column(f, csv, spec->split ? spec->split : "split", "split", err);
    return BAL_OK;
}

static BalStatus read_header(BalScoresFile *f, const BalScoresSpec *spec, BalError *err) {
    Buffer b = {0};
    BalStatus rc;
    size_t n = (size_t)(f->size < HEADER_BYTES ? f->size : HEADER_BYTES);
    BAL_TRY_OR(done, bal_alloc(&b.data, n, 1, err));
    BAL_TRY_OR(done, read_at(f, 0, b.data, n, err));
    f->separator = find_separator(b.data, n);
    bal_csv_init(&b.csv, b.data, n, f->separator, f->path);
    BAL_TRY_OR(done, bal_csv_next(&b.csv, err));
    if (rc == BAL_END) {
        rc =
            BAL_FAIL(err, BAL_E_FORMAT,
                     "%s: is empty; a table of scores begins with a header such as id,label,u_audio,u_visual", f->path);
        goto done;
    }
    f->data_at = b.csv.at - b.data;
    f->header_lines = b.csv.next_line - 1;
    if (f->data_at == HEADER_BYTES && f->size > HEADER_BYTES)
        rc = BAL_FAIL(err, BAL_E_FORMAT, "%s: line %lld is longer than %lld bytes and cannot be a header", f->path,
                      (long long)b.csv.line, (long long)HEADER_BYTES);
    else
        rc = take_header(f, &b.csv, spec, err);
done:
    buffer_reset(&b);
    return rc;
}

BalStatus bal_scores_open(BalScoresFile **out, const char *path, const BalScoresSpec *spec, bool extras,
                          BalError *err) {
    static const BalScoresSpec none;
    if (!spec) spec = &none;
    BalScoresFile *f = NULL;
    size_t size = 0;
    BalStatus rc;
    BAL_TRY(bal_alloc(&f, 1, sizeof *f, err));
    f->fd = -1;
    f->extras = extras;
    f->progress = spec->progress;
    f->threads = spec->threads > 0 ? spec->threads : bal_cpu_count();
    BAL_TRY_OR(fail, bal_strdup(&f->path, path, err));
    if (spec->only_split) BAL_TRY_OR(fail, bal_strdup(&f->only_split, spec->only_split, err));
    BAL_TRY_OR(fail, bal_file_open(path, &f->fd, &size, err));
    f->size = (int64_t)size;
    BAL_TRY_OR(fail, read_header(f, spec, err));
    f->n_chunks = (f->size - f->data_at + CHUNK_BYTES - 1) / CHUNK_BYTES;
    BAL_TRY_OR(fail, bal_alloc(&f->chunk, (size_t)f->n_chunks, sizeof *f->chunk, err));
    *out = f;
    return BAL_OK;
fail:
    bal_scores_close(&f);
    return rc;
}

void bal_scores_close(BalScoresFile **pf) {
    BalScoresFile *f = *pf;
    if (!f) return;
    if (f->fd >= 0) close(f->fd);
    for (int64_t i = 0; f->chunk && i < f->n_chunks; i++) bal_free(f->chunk[i].hash);
    bal_free(f->chunk);
    bal_free(f->column);
    bal_free(f->only_split);
    bal_free(f->path);
    bal_free(f);
    *pf = NULL;
}

bool bal_scores_has(const BalScoresFile *f, BalScoreColumn c) {
    return f->has[c];
}

int64_t bal_scores_chunks(const BalScoresFile *f) {
    return f->n_chunks;
}

int bal_scores_workers(const BalScoresFile *f) {
    return f->threads;
}

/* ---- rows ---- */

/* Lines before byte `at`. Only for messages. */
static int64_t lines_before(const BalScoresFile *f, int64_t at) {
    char block[4096];
    int64_t lines = 0;
    for (int64_t i = 0; i < at; i += (int64_t)sizeof block) {
        size_t n = (size_t)(at - i < (int64_t)sizeof block ? at - i : (int64_t)sizeof block);
        if (read_at(f, i, block, n, NULL) < 0) break;
        for (size_t k = 0; k < n; k++) lines += block[k] == '\n';
    }
    return lines;
}

#define ROW_FAIL(code, fmt, ...) BAL_FAIL(err, code, "%s: line %lld: " fmt, f->path, (long long)csv->line, __VA_ARGS__)

static BalStatus parse_value(const BalScoresFile *f, const BalCsv *csv, int i, BalScoreRow *row, BalError *err) {
    const BalField *field = &csv->field[i];
    int c = f->column[i], shown = (int)(field->n < 60 ? field->n : 60);
    const char *name = column_names[c];
    double v = NAN;
    bool number = bal_parse_real_n(field->s, field->n, &v);
    if (c == BAL_SCORE_U_AUDIO || c == BAL_SCORE_U_VISUAL) {
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
        default:
            BAL_TRY(parse_value(f, csv, i, row, err));
        }
    }
    if (!row->id.n) return ROW_FAIL(BAL_E_FORMAT, "%s", "the id is empty; every clip needs one of its own");
    return BAL_OK;
}

uint64_t bal_id_hash(const char *s, size_t n) {
    __extension__ typedef unsigned __int128 U128;
    uint64_t h = 0x9e3779b97f4a7c15u ^ n;
    for (; n >= 8; s += 8, n -= 8) {
        uint64_t v;
        memcpy(&v, s, 8);
        U128 p = (U128)(h ^ v) * 0xd6e8feb86659fd93u;
        h = (uint64_t)p ^ (uint64_t)(p >> 64);
    }
    uint64_t v = 0;
    for (size_t i = 0; i < n; i++) v |= (uint64_t)(unsigned char)s[i] << (8 * i);
    U128 p = (U128)(h ^ v ^ 0xa0761d6478bd642fu) * 0xe7037ed1a0b428dbu;
    return (uint64_t)p ^ (uint64_t)(p >> 64);
}

static int compare_ids(const char *a, size_t n, const char *b, size_t m) {
    int c = memcmp(a, b, n < m ? n : m);
    return c ? c : (n > m) - (n < m);
}

static BalStatus note_id(BalScoresChunk *c, Buffer *b, BalScoreText id, BalError *err) {
    BAL_TRY(bal_grow(&b->hash, &b->hash_cap, (size_t)c->n + 1, sizeof *b->hash, err));
    b->hash[c->n] = bal_id_hash(id.s, id.n);
    if (id.n > sizeof c->last) c->ascending = false;
    if (c->ascending) {
        if (c->n == 0) {
            memcpy(c->first, id.s, id.n);
            c->first_n = (uint8_t)id.n;
        } else if (compare_ids(c->last, c->last_n, id.s, id.n) >= 0) {
            c->ascending = false;
        }
        memcpy(c->last, id.s, id.n);
        c->last_n = (uint8_t)id.n;
    }
    c->n++;
    return BAL_OK;
}

static bool is_left_out(const BalScoresFile *f, const BalScoreRow *row) {
    return f->only_split &&
           (strlen(f->only_split) != row->split.n || memcmp(f->only_split, row->split.s, row->split.n));
}

/* ---- the scan ---- */

typedef struct Scan {
    BalScoresFile *f;
    Buffer *buffer; /* [threads] */
    BalScoresFn *fn;
    void *user;
} Scan;

/* ---- the fast path: a row without quotes whose u are written as 0.1234 ---- */

#define EACH(byte) (0x0101010101010101u * (uint64_t)(unsigned char)(byte))

static uint64_t load_le(const char *s) {
    uint64_t v;
    memcpy(&v, s, sizeof v);
    return __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? v : __builtin_bswap64(v);
}

/* First separator or byte below blank; the padding ends the search. Marks: see field_end in base/csv.c. */
static const char *text_end(const char *s, uint64_t separators) {
    for (;; s += 8) {
        uint64_t v = load_le(s), x = v ^ separators;
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
            uint64_t v = load_le(s), no_digit = ((v + EACH(0x46)) | (v - EACH('0'))) & EACH(0x80);
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
        }
        if (i + 1 < f->n_columns && *s++ != f->separator) return false;
    }
    if (*s == '\r') s++;
    if (*s != '\n' || !row->id.n) return false;
    csv->at = s < csv->end ? s + 1 : csv->end;
    csv->line = csv->next_line++;
    return true;
}

/* Next row of the buffer. */
static BalStatus next_row(const BalScoresFile *f, BalCsv *csv, BalScoreRow *row, BalError *err) {
    row->id = row->label = row->split = (BalScoreText){"", 0};
    if (!f->extras && fast_row(f, csv, row)) return BAL_OK;
    BalStatus rc = bal_csv_next(csv, err);
    if (rc != BAL_OK) return rc;
    if (f->extras)
        for (int c = 0; c < BAL_SCORE_COLUMNS; c++) row->extra[c] = NAN;
    return parse_row(f, csv, row, err);
}

/* Was text of the row rewritten by csv (doubled quotes)? It then lives until the next row only. */
static bool is_rewritten(const BalScoreRow *row, const Buffer *b) {
    const char *text[3] = {row->id.s, row->label.s, row->split.s};
    uint32_t n[3] = {row->id.n, row->label.n, row->split.n};
    for (int i = 0; i < 3; i++)
        if (n[i] && (text[i] < b->data || text[i] >= b->data + b->cap)) return true;
    return false;
}

static BalStatus scan_rows(const Scan *scan, int64_t chunk, int worker, BalError *err) {
    const BalScoresFile *f = scan->f;
    BalScoresChunk *out = &scan->f->chunk[chunk];
    Buffer *b = &scan->buffer[worker];
    BalScoreRow row[ROWS_PER_CALL];
    BalStatus rc;
    int n = 0;
    out->n = out->n_kept = 0;
    out->ascending = true;
    while ((rc = next_row(f, &b->csv, &row[n], err)) == BAL_OK) {
        BAL_TRY(note_id(out, b, row[n].id, err));
        if (is_left_out(f, &row[n])) continue;
        out->n_kept++;
        bool now = is_rewritten(&row[n], b);
        if (++n < ROWS_PER_CALL && !now) continue;
        BAL_TRY(scan->fn(scan->user, chunk, worker, row, n, err));
        n = 0;
    }
    BAL_TRY(rc);
    if (n) BAL_TRY(scan->fn(scan->user, chunk, worker, row, n, err));
    BAL_TRY(bal_resize(&out->hash, (size_t)out->n, sizeof *out->hash, err));
    if (out->n) memcpy(out->hash, b->hash, (size_t)out->n * sizeof *out->hash);
    return scan->fn(scan->user, chunk, worker, row, 0, err);
}

static BalStatus scan_chunk(void *user, int64_t chunk, int worker, BalError *err) {
    const Scan *scan = user;
    BalCsv *csv = &scan->buffer[worker].csv;
    int64_t at;
    BAL_TRY(read_rows(scan->f, chunk, &scan->buffer[worker], &at, err));
    const char *begin = csv->at;
    BalStatus rc = scan_rows(scan, chunk, worker, err);
    if (rc >= 0 || rc == BAL_E_NOMEM) return rc;

    /* A bad row: once more, now with the lines counted, so that the message can name the line. */
    BalError with_line;
    BalScoreRow row;
    BalStatus again;
    csv->at = begin;
    csv->next_line = lines_before(scan->f, at) + 1;
    while ((again = next_row(scan->f, csv, &row, &with_line)) == BAL_OK) {
    }
    if (again == rc && err) *err = with_line;
    return rc;
}

static BalStatus scan_progress(void *user, int64_t chunk, int worker, BalError *err) {
    (void)worker;
    BalScoresFile *f = ((Scan *)user)->f;
    BalProgress p = {.stage = "read scores", .done = chunk + 1, .total = f->n_chunks, .unit = "MiB"};
    if (f->progress.fn && !f->progress.fn(f->progress.user, &p))
        return BAL_FAIL(err, BAL_E_CANCELLED, "%s: reading was interrupted", f->path);
    return BAL_OK;
}

BalStatus bal_scores_scan(BalScoresFile *f, BalScoresFn *fn, void *user, BalError *err) {
    Scan scan = {.f = f, .fn = fn, .user = user};
    BalStatus rc;
    BAL_TRY(bal_alloc(&scan.buffer, (size_t)f->threads, sizeof *scan.buffer, err));
    rc = bal_parallel(f->threads, f->n_chunks, 64, scan_chunk, scan_progress, &scan, err);
    for (int i = 0; i < f->threads; i++) buffer_reset(&scan.buffer[i]);
    bal_free(scan.buffer);
    BAL_TRY(rc);
    BAL_TRY(bal_scores_check_doubled(f, err));
    int64_t n = 0, n_kept = 0;
    for (int64_t i = 0; i < f->n_chunks; i++) {
        n += f->chunk[i].n;
        n_kept += f->chunk[i].n_kept;
    }
    if (!n) return BAL_FAIL(err, BAL_E_FORMAT, "%s: has a header but no rows", f->path);
    if (!n_kept) return BAL_FAIL(err, BAL_E_ARG, "%s: no row has the split \"%s\"", f->path, f->only_split);
    return BAL_OK;
}

/* ---- looking again ---- */

BalStatus bal_scores_lines(const BalScoresFile *f, BalScoresLineFn *fn, void *user, BalError *err) {
    Buffer b = {.csv.next_line = f->header_lines + 1};
    BalScoreRow row;
    BalStatus rc = BAL_OK;
    for (int64_t i = 0; i < f->n_chunks && rc >= 0; i++) {
        BAL_TRY_OR(done, read_rows(f, i, &b, NULL, err));
        while ((rc = next_row(f, &b.csv, &row, err)) == BAL_OK) BAL_TRY_OR(done, fn(user, &row, b.csv.line, err));
    }
done:
    buffer_reset(&b);
    return rc < 0 ? rc : BAL_OK;
}

BalStatus bal_scores_sample(const BalScoresFile *f, int n, BalText *out, int *n_out, BalError *err) {
    char block[4096 + PADDING];
    int count = 0;
    for (int i = 0; i < n; i++) {
        int64_t at = f->data_at + (int64_t)((double)(f->size - f->data_at) * i / n);
        int64_t left = f->size - at;
        size_t k = (size_t)(left < 4096 ? left : 4096);
        BAL_TRY(read_at(f, at, block, k, err));
        memset(block + k, '\n', PADDING);
        const char *nl = i ? memchr(block, '\n', k) : NULL, *s = nl ? nl + 1 : block;
        const char *e = nl || !i ? memchr(s, '\n', (size_t)(block + k - s)) : NULL;
        if (!e) continue; /* a long row, or the last */
        BalCsv csv;
        BalScoreRow row;
        bal_csv_init(&csv, s, (size_t)(e - s), f->separator, f->path);
        BalStatus rc = next_row(f, &csv, &row, NULL); /* a bad row is the scan's to report */
        if (rc == BAL_OK) {
            bal_text_add_n(out, row.id.s, row.id.n);
            bal_text_char(out, '\0');
            count++;
        }
        bal_csv_reset(&csv);
        if (rc == BAL_E_NOMEM) return BAL_FAIL(err, rc, "%s: no memory for a row", f->path);
    }
    *n_out = count;
    return bal_text_ok(out, err);
}
