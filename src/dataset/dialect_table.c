/* Dialects with a header line: ours, any table with well-known column names, Kinetics, VGGSounder.
 *
 * Ours refuses unknown columns, because a misspelt "splt" would silently put everything into one split; `table` reads files made by
 * others, passes over what it does not know, and says so in the manifest's note. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include "base/file.h"
#include "dataset/manifest.h"

enum { ID, MEDIA, LABEL, SPLIT, START, END, DURATION, SOURCE, N_ROLES, MAX_COLUMNS = 256 };

static const char *const own_columns[N_ROLES][2] = {
    [ID] = {"id"},       [MEDIA] = {"media"},       [LABEL] = {"label"},   [SPLIT] = {"split"},
    [START] = {"start"}, [DURATION] = {"duration"}, [SOURCE] = {"source"},
};
/* In order of preference. A speaker is not taken for a source: whether speakers may be on both sides is the dataset's choice. */
static const char *const known_columns[N_ROLES][10] = {
    [ID] = {"id", "clip_id", "clip", "video_id", "key", "name"},
    [MEDIA] = {"media", "file", "path", "filename", "file_name", "filepath", "file_path", "video_path", "video"},
    [LABEL] = {"label", "class", "category", "label_name", "class_name", "target"},
    [SPLIT] = {"split", "subset", "set", "partition"},
    [START] = {"start", "start_s", "start_time", "time_start"},
    [END] = {"end", "end_s", "end_time", "time_end"},
    [DURATION] = {"duration", "duration_s"},
    [SOURCE] = {"source", "group", "source_id", "youtube_id", "video_file"},
};

static bool same_word(BalField f, const char *word) {
    while (f.n && f.s[f.n - 1] == ' ') f.n--;
    while (f.n && f.s[0] == ' ') f.s++, f.n--;
    return strlen(word) == f.n && strncasecmp(f.s, word, f.n) == 0;
}

/* Column of each role by the first of its names that is there, or -1 */
static void find_roles(const BalField *header, int n, int column[N_ROLES]) {
    for (int r = 0; r < N_ROLES; r++) {
        column[r] = -1;
        for (int k = 0; k < 10 && known_columns[r][k] && column[r] < 0; k++)
            for (int i = 0; i < n && column[r] < 0; i++)
                if (same_word(header[i], known_columns[r][k])) column[r] = i;
    }
}

static char separator_of(const BalSniff *s) {
    BalField f[2];
    return bal_split_line(s->line[0], '\t', f, 2) == 2 ? '\t' : bal_split_line(s->line[0], ',', f, 2) == 2 ? ',' : ';';
}

static int header_of(const BalSniff *s, char separator, BalField *header) {
    return bal_split_line(s->line[0], separator, header, MAX_COLUMNS);
}

static bool has(const BalField *header, int n, const char *name) {
    for (int i = 0; i < n; i++)
        if (same_word(header[i], name)) return true;
    return false;
}

/* ---- rows under a header ---- */

static BalStatus seconds(const BalBuild *b, const BalCsv *c, int column, const char *name, double *out, BalError *err) {
    BalField f = column < 0 ? (BalField){0} : c->field[column];
    if (f.n == 0) return BAL_OK;
    if (!bal_is_number(f) || !bal_parse_real_n(f.s, f.n, out))
        return BAL_FAIL(err, BAL_E_FORMAT, "%s: line %lld, column %s: '%.*s' is not a number of seconds", b->path,
                        (long long)c->line, name, (int)(f.n < 60 ? f.n : 60), f.s);
    return BAL_OK;
}

static BalStatus read_row(const BalBuild *b, const BalCsv *c, const int column[N_ROLES], BalRow *row, BalError *err) {
    double end = NAN;
    BalField *text[N_ROLES] = {
        [ID] = &row->id, [MEDIA] = &row->media, [LABEL] = &row->label, [SPLIT] = &row->split, [SOURCE] = &row->source};
    *row = bal_row(c->line);
    for (int r = 0; r < N_ROLES; r++)
        if (text[r] && column[r] >= 0) *text[r] = c->field[column[r]];
    BAL_TRY(seconds(b, c, column[START], "start", &row->start_s, err));
    BAL_TRY(seconds(b, c, column[DURATION], "duration", &row->duration_s, err));
    BAL_TRY(seconds(b, c, column[END], "end", &end, err));
    if (isnan(end) || !isnan(row->duration_s)) return BAL_OK;
    row->duration_s = end - (isnan(row->start_s) ? 0 : row->start_s);
    return BAL_OK;
}

/* All rows behind the header; each may be changed by `adapt` before it is added. */
static BalStatus read_table(BalBuild *b, const BalSniff *s, char separator, const int column[N_ROLES],
                            BalStatus (*adapt)(const BalBuild *, BalRow *, BalError *), BalError *err) {
    BalCsv c;
    BalStatus rc;
    bal_csv_init(&c, s->text, s->size, separator, b->path);
    int n_columns = 0;
    if ((rc = bal_csv_next(&c, err)) == BAL_OK) n_columns = c.n_fields;
    while (rc == BAL_OK && (rc = bal_csv_next(&c, err)) == BAL_OK) {
        BalRow row;
        if (c.n_fields != n_columns)
            rc = BAL_FAIL(err, BAL_E_FORMAT,
                          "%s: line %lld: %d fields under a header of %d (dialect %s): is a comma unquoted, or another "
                          "list pasted in?",
                          b->path, (long long)c.line, c.n_fields, n_columns, b->dialect->name);
        if (rc == BAL_OK) rc = read_row(b, &c, column, &row, err);
        if (rc == BAL_OK && adapt) rc = adapt(b, &row, err);
        if (rc == BAL_OK) rc = bal_build_add(b, &row, err);
    }
    bal_csv_reset(&c);
    return rc == BAL_END ? BAL_OK : rc;
}

/* ---- ours ---- */

static BalClaim own_claim(const BalSniff *s) {
    BalField h[MAX_COLUMNS];
    int n = header_of(s, ',', h);
    return n > 1 && bal_field_is(&h[0], "id") && has(h, n, "media") ? BAL_CLAIM_SURE : BAL_CLAIM_NO;
}

static BalStatus own_header(const BalBuild *b, const BalField *header, int n, int column[N_ROLES], BalError *err) {
    for (int r = 0; r < N_ROLES; r++) column[r] = -1;
    for (int i = 0; i < n; i++) {
        int r = 0;
        while (r < N_ROLES && !(own_columns[r][0] && bal_field_is(&header[i], own_columns[r][0]))) r++;
        if (r == N_ROLES)
            return BAL_FAIL(
                err, BAL_E_FORMAT,
                "%s: line 1: unknown column '%.*s' (known: id, media, label, split, start, duration, source): "
                "remove it, or read with --dialect table, which passes over unknown columns",
                b->path, (int)(header[i].n < 60 ? header[i].n : 60), header[i].s);
        if (column[r] >= 0)
            return BAL_FAIL(err, BAL_E_FORMAT, "%s: line 1: column '%s' stands twice", b->path, own_columns[r][0]);
        column[r] = i;
    }
    if (column[ID] < 0 || column[MEDIA] < 0)
        return BAL_FAIL(err, BAL_E_FORMAT, "%s: line 1: the header must have the columns id and media", b->path);
    return BAL_OK;
}

/* PATH.classes.json, where bal_manifest_save put the classes' order */
static BalStatus own_classes(BalBuild *b, BalError *err) {
    BalText path = {0};
    const char *kept;
    bal_text_f(&path, "%s.classes.json", b->path);
    BalStatus rc = bal_text_ok(&path, err);
    if (rc == BAL_OK && bal_file_exists(path.data)) {
        rc = bal_string_keep(&b->m->strings, path.data, path.len, &kept, err);
        if (rc == BAL_OK) rc = bal_build_class_file(b, kept, err);
    }
    bal_text_reset(&path);
    return rc;
}

static BalStatus own_read(BalBuild *b, const BalSniff *s, BalError *err) {
    BalField h[MAX_COLUMNS];
    int column[N_ROLES];
    BAL_TRY(own_header(b, h, header_of(s, ',', h), column, err));
    if (b->classes.n == 0) BAL_TRY(own_classes(b, err));
    return read_table(b, s, ',', column, NULL, err);
}

const BalDialect bal_dialect_own = {
    .name = "avbalance",
    .summary = "CSV with the header id,media,label,split[,start,duration,source]; unknown columns are refused",
    .claim = own_claim,
    .read = own_read,
    .index_base = 0,
};

/* ---- any table ---- */

static BalClaim table_claim(const BalSniff *s) {
    BalField h[MAX_COLUMNS];
    int column[N_ROLES], n = header_of(s, separator_of(s), h);
    if (n < 2) return BAL_CLAIM_NO;
    find_roles(h, n, column);
    bool says_what = column[LABEL] >= 0 || column[START] >= 0; /* of what, or when */
    return (column[ID] >= 0 || column[MEDIA] >= 0) && says_what ? BAL_CLAIM_MAYBE : BAL_CLAIM_NO;
}

static BalStatus table_read(BalBuild *b, const BalSniff *s, BalError *err) {
    BalField h[MAX_COLUMNS];
    char separator = separator_of(s);
    int column[N_ROLES], n = header_of(s, separator, h), passed = 0;
    find_roles(h, n, column);
    if (column[ID] < 0 && column[MEDIA] < 0)
        return BAL_FAIL(err, BAL_E_FORMAT, "%s: line 1: no column is called id, file, path or another known name",
                        b->path);
    for (int i = 0; i < n; i++) {
        int r = 0;
        while (r < N_ROLES && column[r] != i) r++;
        if (r == N_ROLES)
            bal_text_f(&b->note, "%s%.*s", passed++ ? ", " : "columns passed over: ", (int)(h[i].n < 60 ? h[i].n : 60),
                       h[i].s);
    }
    if (passed) bal_text_char(&b->note, '\n');
    return read_table(b, s, separator, column, NULL, err);
}

const BalDialect bal_dialect_table = {
    .name = "table",
    .summary = "CSV or TSV with a header of well-known names (id, file, path, label, class, split, subset, ...)",
    .claim = table_claim,
    .read = table_read,
    .index_base = -1,
};

/* ---- Kinetics: label,youtube_id,time_start,time_end,split[,is_cc]; the test list has no label ---- */

static BalClaim kinetics_claim(const BalSniff *s) {
    BalField h[MAX_COLUMNS];
    int n = header_of(s, ',', h);
    return has(h, n, "youtube_id") && has(h, n, "time_start") && has(h, n, "time_end") ? BAL_CLAIM_SURE : BAL_CLAIM_NO;
}

/* The files are called {yt}_{start}_{end}, six digits each; the times are of the whole video and told by that id too. */
static BalStatus kinetics_adapt(const BalBuild *b, BalRow *row, BalError *err) {
    if (!(row->start_s >= 0 && row->start_s < 1e6 && row->duration_s > 0 && row->duration_s < 1e6) ||
        row->source.n != 11)
        return BAL_FAIL(err, BAL_E_FORMAT,
                        "%s: line %lld: must have a youtube_id of 11 characters, time_start and time_end in seconds",
                        b->path, (long long)row->line);
    int made = snprintf(row->made_id, sizeof row->made_id, "%.11s_%06d_%06d", row->source.s, (int)row->start_s,
                        (int)(row->start_s + row->duration_s));
    row->id = (BalField){row->made_id, (size_t)made, false};
    row->start_s = row->duration_s = NAN;
    return BAL_OK;
}

static BalStatus kinetics_read(BalBuild *b, const BalSniff *s, BalError *err) {
    BalField h[MAX_COLUMNS];
    int column[N_ROLES];
    find_roles(h, header_of(s, ',', h), column);
    column[ID] = column[MEDIA] = -1;
    if (column[SOURCE] < 0 || column[START] < 0 || column[END] < 0)
        return BAL_FAIL(err, BAL_E_FORMAT, "%s: line 1: needs the columns youtube_id, time_start and time_end",
                        b->path);
    return read_table(b, s, ',', column, kinetics_adapt, err);
}

const BalDialect bal_dialect_kinetics = {
    .name = "kinetics",
    .summary = "Kinetics-400/600/700 CSV: label,youtube_id,time_start,time_end,split[,is_cc]; test lists without label",
    .claim = kinetics_claim,
    .read = kinetics_read,
    .index_base = -1,
};

/* ---- VGGSounder: one row per clip and label ---- */

static BalClaim vggsounder_claim(const BalSniff *s) {
    BalField h[MAX_COLUMNS];
    int n = header_of(s, ',', h);
    return has(h, n, "video_id") && has(h, n, "label") && has(h, n, "modality") ? BAL_CLAIM_SURE : BAL_CLAIM_NO;
}

static BalStatus vggsounder_read(BalBuild *b, const BalSniff *s, BalError *err) {
    BalField h[MAX_COLUMNS];
    int column[N_ROLES];
    find_roles(h, header_of(s, ',', h), column);
    if (column[ID] < 0 || column[LABEL] < 0)
        return BAL_FAIL(err, BAL_E_FORMAT, "%s: line 1: needs the columns video_id and label", b->path);
    column[SOURCE] = -1;
    return read_table(b, s, ',', column, NULL, err);
}

const BalDialect bal_dialect_vggsounder = {
    .name = "vggsounder",
    .summary = "VGGSounder CSV: video_id,label,modality,...; several labels per clip, the first counts",
    .claim = vggsounder_claim,
    .read = vggsounder_read,
    .several_labels = true,
    .index_base = -1,
};
