/* Tables of scores read as fast as the disk cache gives them, in any size of memory.
 *
 * The file is cut into chunks of 1 MiB, each chunk is read into its worker's buffer, the rows that begin in it are read by
 * scores_row.c and handed on in blocks. Nothing of the text is kept, so memory does not grow with the file except for 8 bytes per row:
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
    BalScoreText before; /* the id before the rows to come */
    BalText rewritten;   /* where `before` is when csv has rewritten it */
    BalArena arena;      /* what outlives the chunk */
} Buffer;

static void buffer_reset(Buffer *b) {
    bal_free(b->data);
    bal_free(b->hash);
    bal_csv_reset(&b->csv);
    bal_text_reset(&b->rewritten);
    bal_arena_reset(&b->arena);
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
        BAL_TRY(bal_grow(&b->data, &b->cap, (size_t)(to - from) + BAL_SCORES_PADDING, 1, err));
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
    memset(b->data + have, '\n', BAL_SCORES_PADDING);
    b->csv.at = first;
    b->csv.end = first - b->data >= end - from ? first : last + 1; /* nothing begins in here: one row covers it all */
    b->csv.separator = f->separator;
    b->csv.name = f->path;
    if (at) *at = from + (first - b->data);
    return BAL_OK;
}

/* ---- header ---- */

char bal_table_separator(const char *s, size_t n) {
    if (!n) return ','; /* an empty file is mapped to no address */
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
    if (spec->source && bal_field_is(field, spec->source)) return BAL_COLUMN_SOURCE;
    for (int c = BAL_SCORE_SD_AUDIO; c < BAL_SCORE_COLUMNS; c++)
        if (bal_field_is(field, column_names[c])) return c;
    return BAL_COLUMN_SKIP;
}

typedef struct Wanted { /* a column that must be there */
    bool found;
    const char *name, *flag;
} Wanted;

/* A column is taken for one role only; another one that names it finds none. */
static BalStatus check_roles(const BalScoresFile *f, const BalCsv *csv, const Wanted *wanted, int n, BalError *err) {
    for (int i = 0; i < n; i++)
        for (int k = 0; k < n && !wanted[i].found; k++)
            if (wanted[k].found && wanted[k].name && !strcmp(wanted[i].name, wanted[k].name))
                return BAL_FAIL(err, BAL_E_FORMAT,
                                "%s: line %lld: the column \"%s\" is given for two roles; name another with "
                                "--%s-column or --%s-column",
                                f->path, (long long)csv->line, wanted[i].name, wanted[k].flag, wanted[i].flag);
    return BAL_OK;
}

/* One message for all columns that are not there. */
static BalStatus find_missing(const BalScoresFile *f, const BalCsv *csv, const Wanted *wanted, int n, BalError *err) {
    BalText have = {0}, lack = {0}, flags = {0};
    int missing = 0;
    for (int i = 0; i < n; i++) {
        if (wanted[i].found) continue;
        bal_text_f(&lack, "%s\"%s\"", missing ? ", " : "", wanted[i].name);
        bal_text_f(&flags, "%s--%s-column", missing ? ", " : "", wanted[i].flag);
        missing++;
    }
    if (!missing) return BAL_OK;
    for (int i = 0; i < csv->n_fields && have.len < 200; i++)
        bal_text_f(&have, "%s%.*s", i ? ", " : "", (int)(csv->field[i].n < 60 ? csv->field[i].n : 60), csv->field[i].s);
    BalStatus rc = BAL_FAIL(err, BAL_E_FORMAT, "%s: line %lld: there is no column %s (columns: %s); name %s with %s",
                            f->path, (long long)csv->line, bal_text_str(&lack), bal_text_str(&have),
                            missing > 1 ? "them" : "it", bal_text_str(&flags));
    bal_text_reset(&have);
    bal_text_reset(&lack);
    bal_text_reset(&flags);
    return rc;
}

static BalStatus take_header(BalScoresFile *f, const BalCsv *csv, const BalScoresSpec *spec, BalError *err) {
    bool has_id = false;
    f->n_columns = csv->n_fields;
    BAL_TRY(bal_alloc(&f->column, (size_t)csv->n_fields, sizeof *f->column, err));
    for (int i = 0; i < csv->n_fields; i++) {
        int code = column_code(&csv->field[i], spec);
        bool *seen = code >= 0                   ? &f->has[code]
                     : code == BAL_COLUMN_ID     ? &has_id
                     : code == BAL_COLUMN_LABEL  ? &f->has_label
                     : code == BAL_COLUMN_SPLIT  ? &f->has_split
                     : code == BAL_COLUMN_SOURCE ? &f->has_source
                                                 : NULL;
        if (seen && *seen)
            return BAL_FAIL(err, BAL_E_FORMAT,
                            "%s: line %lld: the column \"%.*s\" is there twice; remove or rename one", f->path,
                            (long long)csv->line, (int)csv->field[i].n, csv->field[i].s);
        if (seen) *seen = true;
        f->column[i] = code;
    }
    const Wanted wanted[] = {
        {has_id, spec->id ? spec->id : "id", "id"},
        {f->has[BAL_SCORE_U_AUDIO], spec->u_audio ? spec->u_audio : "u_audio", "audio"},
        {f->has[BAL_SCORE_U_VISUAL], spec->u_visual ? spec->u_visual : "u_visual", "visual"},
        {f->has_label || !spec->label, spec->label ? spec->label : "label", "label"},
        {f->has_split || !(spec->split || spec->only_split), spec->split ? spec->split : "split", "split"},
        {f->has_source || !spec->source, spec->source, "source"},
    };
    BAL_TRY(check_roles(f, csv, wanted, sizeof wanted / sizeof *wanted, err));
    return find_missing(f, csv, wanted, sizeof wanted / sizeof *wanted, err);
}

static BalStatus read_header(BalScoresFile *f, const BalScoresSpec *spec, BalError *err) {
    Buffer b = {0};
    BalStatus rc;
    size_t n = (size_t)(f->size < HEADER_BYTES ? f->size : HEADER_BYTES);
    BAL_TRY_OR(done, bal_alloc(&b.data, n, 1, err));
    BAL_TRY_OR(done, read_at(f, 0, b.data, n, err));
    f->separator = bal_table_separator(b.data, n);
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

/* The folder of an estimate is what one is tempted to name: say where its table is. */
static BalStatus open_table(BalScoresFile *f, size_t *size, BalError *err) {
    BalStatus rc = bal_file_open(f->path, &f->fd, size, err);
    if (rc >= 0 || !bal_is_dir(f->path)) return rc;
    BalText table = {0};
    bal_path_join(&table, f->path, "scores.csv");
    if (!table.failed && bal_file_exists(table.data)) bal_error_add(err, rc, "its scores are %s", table.data);
    bal_text_reset(&table);
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
    BAL_TRY_OR(fail, bal_strdup(&f->u_name[0], spec->u_audio ? spec->u_audio : column_names[BAL_SCORE_U_AUDIO], err));
    BAL_TRY_OR(fail,
               bal_strdup(&f->u_name[1], spec->u_visual ? spec->u_visual : column_names[BAL_SCORE_U_VISUAL], err));
    BAL_TRY_OR(fail, open_table(f, &size, err));
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
    bal_free(f->chunk);
    bal_free(f->column);
    bal_free(f->only_split);
    bal_free(f->u_name[0]);
    bal_free(f->u_name[1]);
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

uint64_t bal_id_hash(const char *s, size_t n) {
    __extension__ typedef unsigned __int128 U128;
    uint64_t h = 0x9e3779b97f4a7c15u ^ n, v = 0;
    const char *end = s + n;
    for (; end - s >= 8; s += 8) {
        U128 p = (U128)(h ^ bal_load_le(s)) * 0xd6e8feb86659fd93u;
        h = (uint64_t)p ^ (uint64_t)(p >> 64);
    }
    if (n >= 8 && s < end) /* the last bytes, from a word that ends with them */
        v = bal_load_le(end - 8) >> 8 * (8 - (end - s));
    else
        for (int shift = 0; s < end; s++, shift += 8) v |= (uint64_t)(unsigned char)*s << shift;
    U128 p = (U128)(h ^ v ^ 0xa0761d6478bd642fu) * 0xe7037ed1a0b428dbu;
    return (uint64_t)p ^ (uint64_t)(p >> 64);
}

/* ---- ids ---- */

int bal_id_compare(BalScoreText a, BalScoreText b) {
    int c = memcmp(a.s, b.s, a.n < b.n ? a.n : b.n);
    return c ? c : (a.n > b.n) - (a.n < b.n);
}

static BalStatus keep_id(BalArena *a, BalScoreText id, BalScoreText *out, BalError *err) {
    char *s;
    BAL_TRY(bal_arena_take(a, &s, id.n, 1, err));
    memcpy(s, id.s, id.n);
    *out = (BalScoreText){s, id.n};
    return BAL_OK;
}

static BalStatus keep_before(Buffer *b, BalError *err) {
    bal_text_clear(&b->rewritten);
    bal_text_add_n(&b->rewritten, b->before.s, b->before.n);
    b->before.s = bal_text_str(&b->rewritten);
    return bal_text_ok(&b->rewritten, err);
}

/* Hashes of the ids of some rows of a chunk, and whether they still ascend. */
static BalStatus note_ids(BalScoresChunk *c, Buffer *b, const BalScoreRow *row, int n, BalError *err) {
    if (c->n == 0) {
        BAL_TRY(keep_id(&b->arena, row[0].id, &c->first, err));
        b->before = (BalScoreText){"", 0};
    }
    BAL_TRY(bal_grow(&b->hash, &b->hash_cap, (size_t)(c->n + n), sizeof *b->hash, err));
    for (int i = 0; i < n; i++) b->hash[c->n + i] = bal_id_hash(row[i].id.s, row[i].id.n);
    for (int i = 0; i < n && c->ascending; i++) {
        c->ascending = bal_id_compare(b->before, row[i].id) < 0;
        b->before = row[i].id;
    }
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

/* Block by block; a block ends early behind a row whose text was rewritten, because that lives until the next row only. */
static BalStatus scan_rows(const Scan *scan, int64_t chunk, int worker, BalError *err) {
    const BalScoresFile *f = scan->f;
    BalScoresChunk *out = &scan->f->chunk[chunk];
    Buffer *b = &scan->buffer[worker];
    BalScoreRow row[ROWS_PER_CALL];
    BalStatus rc;
    int kept = 0, n;
    bool rewritten;
    *out = (BalScoresChunk){.ascending = true};
    for (int i = 0; i < ROWS_PER_CALL; i++)
        row[i].id = row[i].label = row[i].split = row[i].source = (BalScoreText){"", 0};
    while ((rc = bal_scores_rows(f, &b->csv, row + kept, ROWS_PER_CALL - kept, &n, &rewritten, err)) == BAL_OK) {
        if (!f->finds_doubled) BAL_TRY(note_ids(out, b, row + kept, n, err));
        out->n += n;
        if (rewritten && !f->finds_doubled) BAL_TRY(keep_before(b, err));
        int end = kept + n;
        rewritten = rewritten && !is_left_out(f, &row[end - 1]);
        for (int i = kept; i < end; i++)
            if (!is_left_out(f, &row[i])) row[kept++] = row[i];
        if (kept < ROWS_PER_CALL && !rewritten) continue;
        if (kept) BAL_TRY(scan->fn(scan->user, chunk, worker, row, kept, err));
        out->n_kept += kept;
        kept = 0;
    }
    BAL_TRY(rc);
    if (kept) BAL_TRY(scan->fn(scan->user, chunk, worker, row, kept, err));
    out->n_kept += kept;
    if (!f->finds_doubled) {
        if (out->n && out->ascending) BAL_TRY(keep_id(&b->arena, b->before, &out->last, err));
        BAL_TRY(bal_scores_deal_hashes(out, b->hash, &b->arena, err));
    }
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
    BalStatus again;
    csv->at = begin;
    csv->next_line = lines_before(scan->f, at) + 1;
    do {
        BalScoreRow row;
        bool rewritten;
        int n;
        again = bal_scores_rows(scan->f, csv, &row, 1, &n, &rewritten, &with_line);
    } while (again == BAL_OK);
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
    if (rc >= 0 && !f->finds_doubled) rc = bal_scores_check_doubled(f, err);
    for (int i = 0; i < f->threads; i++) buffer_reset(&scan.buffer[i]);
    bal_free(scan.buffer);
    BAL_TRY(rc);
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
    BalScoreRow row = {0};
    BalStatus rc = BAL_OK;
    bool rewritten;
    int n;
    for (int64_t i = 0; i < f->n_chunks && rc >= 0; i++) {
        BAL_TRY_OR(done, read_rows(f, i, &b, NULL, err));
        while ((rc = bal_scores_rows(f, &b.csv, &row, 1, &n, &rewritten, err)) == BAL_OK)
            BAL_TRY_OR(done, fn(user, &row, b.csv.line, err));
    }
done:
    buffer_reset(&b);
    return rc < 0 ? rc : BAL_OK;
}

BalStatus bal_scores_sample(const BalScoresFile *f, int n, BalText *out, int *n_out, BalError *err) {
    char block[4096 + BAL_SCORES_PADDING];
    int count = 0;
    for (int i = 0; i < n; i++) {
        int64_t at = f->data_at + (int64_t)((double)(f->size - f->data_at) * i / n);
        int64_t left = f->size - at;
        size_t k = (size_t)(left < 4096 ? left : 4096);
        BAL_TRY(read_at(f, at, block, k, err));
        memset(block + k, '\n', BAL_SCORES_PADDING);
        const char *nl = i ? memchr(block, '\n', k) : NULL, *s = nl ? nl + 1 : block;
        const char *e = nl || !i ? memchr(s, '\n', (size_t)(block + k - s)) : NULL;
        if (!e) continue; /* a long row, or the last */
        BalCsv csv;
        BalScoreRow row;
        bool rewritten;
        int got;
        bal_csv_init(&csv, s, (size_t)(e - s), f->separator, f->path);
        BalStatus rc =
            bal_scores_rows(f, &csv, &row, 1, &got, &rewritten, NULL); /* a bad row is the scan's to report */
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
